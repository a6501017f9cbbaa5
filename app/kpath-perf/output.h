/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _OUTPUT_H_
#define _OUTPUT_H_

/* Files that results go to. */

#include <stdbool.h>
#include <stdio.h>

struct output {
	const char *name;
	char *temporary;	/* written in place of it, NULL: it is written itself */
	FILE *file;
};

/**
 * May the file be written more than once? One that is there is replaced as a whole then: who reads
 * it meanwhile, or after a failure, finds the one before. What is no file, like a pipe, takes all
 * that is written.
 */
bool output_replaces(const char *name);
/** Begin to write the file, whose name must outlive this. Ends with a message if that fails. */
void output_open(struct output *o, const char *name);
/** All is written: the file takes its place. Ends with a message if anything has failed. */
void output_close(struct output *o);

#endif /* _OUTPUT_H_ */
