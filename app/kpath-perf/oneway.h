/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _KPERF_ONEWAY_H_
#define _KPERF_ONEWAY_H_

/* What the tests of a single port share: a worker for each queue, and what it has seen. */

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_stdatomic.h>

#include "kperf.h"

/* So long without a frame, the rest is lost: threads that bring it may wait for a CPU. */
#define GIVE_UP_NS 500e6
/* Packets and polls of which system calls are counted */
#define TRACED 640
#define TRACED_POLLS 1000

struct __rte_cache_aligned worker {
	struct port *port;
	unsigned int queue;
	uint64_t cycles;	/* to spend */
	uint64_t target;	/* Rx: frames that wait in all queues */
	uint64_t spent;		/* cycles, of work only */
	uint64_t empty;		/* of these, in polls that moved nothing */
	uint64_t polls;
	uint64_t first;		/* frames before what is timed */
	uint64_t received;	/* datagrams read from the socket */
	uint64_t rest;		/* frames after it */
	uint64_t other_ns;	/* CPU time of this thread that is not the path's */
	uint64_t other_user_ns;	/* part of it that is user time */
	uint64_t user_ns;	/* user time of what is timed, where others have some as well */
	RTE_ATOMIC(uint64_t) frames;
	RTE_ATOMIC(uint32_t) ready;	/* of the first worker: how many are */
	RTE_ATOMIC(uint32_t) over;	/* likewise: whose time is over */
	RTE_ATOMIC(uint32_t) stopped;	/* likewise: threads that sent to them and have stopped */
};

/** A worker for each queue of the port, to work for duration ns. */
void workers_init(struct worker *workers, struct port *port, uint64_t duration);
/** Let them run at once. */
void workers_run(struct worker *workers, int (*run)(void *));
/** All of them in one; spent is that of the one that took longest. */
struct worker workers_sum(const struct worker *workers, unsigned int n);
/** Rates and shares of what they did. The time of a packet is that of one thread. */
void workers_rates(struct result *result, const struct worker *workers);

/** Read until nothing comes. By the thread that polls the queue: rings have owners. */
int discard_worker(void *worker);
/** System calls that a worker makes in run(port), divided by n; NAN: not known here. */
double traced_calls(struct port *port, void (*run)(void *), unsigned int n);

/** Note the end of a poll that moved n frames and began at last; returns when it ended. */
static inline uint64_t
poll_end(struct worker *w, uint64_t last, unsigned int n)
{
	uint64_t now = rte_rdtsc();

	w->polls++;
	w->spent += now - last;
	if (n == 0)
		w->empty += now - last;
	return now;
}

/** A worker has moved n frames more. Others may look at the number. */
static inline void
count_frames(struct worker *w, unsigned int n)
{
	uint64_t frames = rte_atomic_load_explicit(&w->frames, rte_memory_order_relaxed);

	rte_atomic_store_explicit(&w->frames, frames + n, rte_memory_order_relaxed);
}

static inline double
cycles_to_ns(uint64_t cycles)
{
	return 1e9 * cycles / rte_get_tsc_hz();
}

/** Is it so long ago that since was the time, in cycles? */
static inline bool
is_past(uint64_t since, double ns)
{
	return cycles_to_ns(rte_rdtsc() - since) > ns;
}

#endif /* _KPERF_ONEWAY_H_ */
