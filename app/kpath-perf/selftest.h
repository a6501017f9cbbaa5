/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _KPERF_SELFTEST_H_
#define _KPERF_SELFTEST_H_

/* --self-test: a line for each path and check. */

#include "kperf.h"

/** Print a line, and count it. */
void selftest_report(const struct path *path, const char *what, bool ok, const char *format, ...)
	__rte_format_printf(4, 5);
/** Print a line: that cannot be checked here. */
void selftest_skip(const struct path *path, const char *what, const char *why);

/* selftest_packets.c */

/** Packets of all sizes, one by one, into the kernel and out of it. */
void selftest_packets(const struct path *path, unsigned int subnet);

/* selftest_streams.c */

/** TCP through two ports, with offloads and without; the second port may be another path's. */
void selftest_streams(const struct path *first, const struct path *second, unsigned int subnet);

#endif /* _KPERF_SELFTEST_H_ */
