/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _KPERF_STREAMS_H_
#define _KPERF_STREAMS_H_

/* TCP streams between the two ends of a pair, each with a thread that sends and one that reads. */

#include "pair.h"

#define STREAMS_MAX 32

/* The first byte of differentiated services: RFC 2474, RFC 3246 (EF). */
#define TOS_BE 0x00
#define TOS_BK (8 << 2)		/* CS1 */
#define TOS_CS5 (40 << 2)
#define TOS_EF (46 << 2)

struct stream {
	const struct pair *pair;
	enum direction direction;	/* DIR_UP or DIR_DOWN */
	int sender, receiver;		/* sockets */
	RTE_ATOMIC(uint64_t) bytes;	/* that arrived */
};

struct streams {
	struct pair *pair;
	unsigned int n;
	struct stream stream[STREAMS_MAX];
};

/** Connect one more, whose packets are of that class. Returns false if that fails. */
bool streams_add(struct streams *streams, enum direction direction, uint8_t tos);
/** Let all send. */
void streams_start(struct streams *streams);
/** Bytes that have arrived of a stream, and of all of a direction; DIR_BOTH: of all. */
uint64_t stream_bytes(const struct stream *stream);
uint64_t streams_bytes(const struct streams *streams, enum direction direction);
/** Cut the connections, without waiting for the threads. */
void streams_cut(struct streams *streams);
/** Close the sockets, when the pair's ends are joined. */
void streams_close(struct streams *streams);

#endif /* _KPERF_STREAMS_H_ */
