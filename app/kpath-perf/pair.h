/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _KPERF_PAIR_H_
#define _KPERF_PAIR_H_

/*
 * Two ports with the application between them, and programs in two namespaces that talk:
 *
 *   home: client -- interface -- port 0 == worker == port 1 -- interface -- server: far
 *
 * The kernel alone has no application: its two interfaces are the ends of one veth pair.
 *
 * CPU time is the same sum for every path: of the application, of the programs that talk, here
 * called ends, and of the kernel's threads. Ends do the same work on all paths, the stack's
 * included, so that what one path costs more than another is the difference. The application's is
 * what this process spends without its ends and without the thread that measures. So it includes
 * signals and interrupt threads, which some drivers need.
 */

#include <netinet/in.h>
#include <pthread.h>

#include "oneway.h"

/* Of the programs that talk; others are above it. */
#define PAIR_PORT 5000
#define PAIR_ENDS_MAX 64

/* What the application does with what it sees. */
enum pair_phase {
	PAIR_WARM,	/* it works, nothing is measured */
	PAIR_MEASURED,
	PAIR_COOL,	/* as the first */
	PAIR_OVER,
};

struct pair {
	struct port *ports;
	bool forwards;			/* there is an application */
	RTE_ATOMIC(enum pair_phase) phase;
	RTE_ATOMIC(bool) stop;		/* what ends look at */
	pthread_t forwarder;
	struct worker seen;		/* while measured */
	uint64_t user_ns;		/* the application's user time, likewise */
	pthread_t ends[PAIR_ENDS_MAX];
	unsigned int nb_ends;
	struct cpu_meter meter;
	uint64_t ends_ns;		/* CPU time of all ends */
	struct cpu_times cpu;		/* while measured, ends included */
};

/** Start the application. */
void pair_start(struct pair *pair, struct port *ports);
/** Start a program that talks, which ends soon after pair->stop; it runs beside the application. */
void pair_add_end(struct pair *pair, void *(*run)(void *), void *arg);
/** What is measured begins, and ends. Both by the thread that started the pair. */
void pair_begin(struct pair *pair);
void pair_end(struct pair *pair);
/** Wait for the ends, which must know that they are to stop. */
void pair_join_ends(struct pair *pair);
/** Stop all; fills in the application's share of empty polls, and CPU time if bytes is not 0. */
void pair_stop(struct pair *pair, uint64_t bytes, struct result *result);

static inline bool
pair_is_stopped(const struct pair *pair)
{
	return rte_atomic_load_explicit(&pair->stop, rte_memory_order_relaxed);
}

/** An address in host byte order, as sockets want it. */
struct sockaddr_in pair_address(uint32_t addr, uint16_t number);
/** So that one round does not wait for another's remains. */
void pair_set_timeout(int sock, unsigned int ms);

#endif /* _KPERF_PAIR_H_ */
