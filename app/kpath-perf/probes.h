/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _KPERF_PROBES_H_
#define _KPERF_PROBES_H_

/*
 * Small packets from home to far and back, of several kinds at once, on a schedule: one that is
 * late does not hold up the next, as it does where a probe is sent when the last has returned.
 */

#include "pair.h"

#define PROBE_KINDS 4
/* An answer that takes longer is none. */
#define PROBE_LATE_NS UINT64_C(1000000000)

struct probe_kind {
	const char *name;
	int protocol;		/* IPPROTO_UDP or IPPROTO_ICMP */
	uint8_t tos;		/* there and back; an answer of another class is none */
};

extern const struct probe_kind probe_kinds[PROBE_KINDS];

struct probes {
	struct pair *pair;
	uint64_t interval;		/* ns between two of a kind */
	uint64_t start;			/* when the first is sent: now_ns() */
	unsigned int max;		/* of each kind that will be sent */
	RTE_ATOMIC(bool) stop;		/* send no more */
	RTE_ATOMIC(bool) done;		/* and no more answers are waited for */
	int socks[PROBE_KINDS], echo_sock;
	unsigned int n;			/* of each kind that were sent */
	unsigned int answered;		/* of all kinds, in time */
	uint64_t *sent[PROBE_KINDS];	/* when, relative to start: n of each */
	uint32_t *times[PROBE_KINDS];	/* ns there and back, 0: no answer */
};

/** Open the sockets, for max probes of each kind at most; ends with a message if that fails. */
void probes_open(struct probes *probes, struct pair *pair, uint64_t interval, unsigned int max);
/** Start to send, and to answer. */
void probes_start(struct probes *probes);
/** Send no more, and wait for answers that are late. */
void probes_stop(struct probes *probes);
/** Close and free all, when the pair's ends are joined. */
void probes_close(struct probes *probes);

#endif /* _KPERF_PROBES_H_ */
