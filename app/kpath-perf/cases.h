/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _CASES_H_
#define _CASES_H_

/* What is measured: a case is a test with parameters. cases.c has the table. */

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_ether.h>

struct port;

#define KPERF_QUEUES_MAX 8
#define KPERF_BURST_MAX 256
#define KPERF_ROUNDS_MAX 99

/* Percentiles of fewer times say nothing: they are waited for, so many ns. */
#define KPERF_TIMES_MIN 10
#define KPERF_TIMES_WAIT UINT64_C(5000000000)
/* All percentiles need so many: a round lasts up to three times as long until there are. */
#define KPERF_TIMES_ALL 1000

/* Of one packet at a time: what has not come so long after it was sent, in ms, is lost. */
#define KPERF_LATE_MS 200

/* The largest frame: what fits in one mbuf with headroom, whose size has 16 bits. */
#define KPERF_FRAME_MAX 65000

/* A frame that carries this many bytes of headers can be an IPv4 TCP segment. */
#define KPERF_HEADERS (14 + 20 + 20)

/* IEEE 802 local experimental ethertype 1: the kernel hands it to nobody. */
#define KPERF_ETHERTYPE 0x88b5

/* What frames into the kernel are for. */
enum target {
	TO_NOBODY,	/* no protocol of that ethertype */
	TO_OTHER,	/* IPv4 UDP to another host */
	TO_SOCKET,	/* IPv4 UDP to a socket that is read */
	TO_CLOSED,	/* IPv4 UDP to a port without socket */
};

/* What is left to the ports, as far as a path knows it. */
enum offload {
	OFFLOAD_OFF,
	OFFLOAD_CSUM,	/* checksums */
	OFFLOAD_ALL,	/* and segmentation: TSO, and LRO */
	OFFLOAD_MAX,
};

/* Where TCP streams go, as seen from home. */
enum direction {
	DIR_UP,
	DIR_DOWN,
	DIR_BOTH,	/* so many streams each */
};

/* What is measured. A test fills in those that it knows; the others are NAN. */
enum metric {
	M_NS,		/* ns per packet, or per poll: time of the application's thread */
	M_CPU_NS,	/* ns of CPU time per packet, of all that worked for it: see cpu_stop() */
	M_MPPS,		/* million packets per second */
	M_GBPS,		/* Gb/s of frames, or of payload for TCP */
	M_SYSCALLS,	/* system calls per packet, or per poll */
	M_KERNEL_NS,	/* ns per packet for the kernel's sender to fill the queue */
	M_P50,		/* us there and back, or to wake up */
	M_P99,
	M_P999,
	M_LOST,		/* packets per thousand that did not arrive */
	M_CPU_GB,	/* s of CPU time per gigabyte, likewise */
	M_EMPTY,	/* per cent of the application's time in polls that moved nothing */
	M_SLEEP_CPU,	/* per cent of one CPU, of an application that sleeps */
	/*
	 * Whose time M_CPU_NS is: 1 ns per packet is 1 ms per million. What these leave is spent by
	 * threads that send or receive at the kernel's end. Ticks of the kernel tell user time.
	 */
	M_USER_NS,	/* the application's, in user space */
	M_SYSTEM_NS,	/* the application's, in the kernel */
	M_THREADS_NS,	/* threads of the kernel's: softirq, NAPI, SQPOLL, vhost */
	M_USER_GB,	/* s per gigabyte: M_CPU_GB likewise */
	M_SYSTEM_GB,
	M_THREADS_GB,
	M_UP,		/* Gb/s from home to far, where M_GBPS is the sum */
	M_DOWN,
	M_BE,		/* Gb/s of a class, both ways */
	M_BK,
	M_CS5,
	M_EF,
	M_JAIN,		/* fairness between streams: jain_index() */
	M_IDLE_P50,	/* us there and back without load, where M_P50 is under load */
	M_IDLE_P99,
	M_IDLE_P999,
	M_ADDED,	/* us that the load adds to the median */
	M_MAX,
};

/* A case: one row of a test's parameters. */
struct params {
	uint32_t len;		/* of frames, Ethernet header included */
	uint16_t burst;
	uint16_t queues;
	uint16_t mbuf_room;	/* of DPDK's mbufs, 0: the usual 2 KiB */
	uint16_t streams;	/* TCP connections */
	enum target to;
	bool gso;		/* frames are TCP that the kernel has not segmented */
	bool external;		/* buffers of mbufs are external ones */
	enum offload offload;
	enum direction direction;
	uint16_t mtu;		/* of the interfaces, 0: 1500, or what frames need */
	uint16_t rounds;	/* in which it is measured; plan.c sets it */
	uint32_t ms;		/* of a round, likewise */
	bool everything;	/* all offloads that the driver offers, and time stamps */
};

/* A frame as large as --mtu allows */
#define LEN_MTU 0

static inline uint32_t
params_mtu(const struct params *params)
{
	uint32_t mtu = RTE_MAX(1500U, params->len - (uint32_t)RTE_ETHER_HDR_LEN);

	return params->mtu != 0 ? params->mtu : mtu;
}

/* What a test saw over time, for those that look: results.h. */
struct timeline;

struct result {
	double value[M_MAX];
	const char *why;	/* nothing was measured, but what stands for that: 0 Gb/s */
	struct timeline *timeline;	/* NULL: none; freed with the results */
};

struct test {
	const char *name;
	const char *what;
	enum metric primary;	/* the one that ratios are of */
	uint64_t shown;		/* RTE_BIT64() of others that the table of all tests shows */
	bool pair;		/* two ports, else one */
	bool sleeps;		/* Rx interrupts are asked for */
	bool default_queue;	/* interfaces keep the length of queue that the kernel gave them */
	bool unhurried;		/* no side is meant to have no time left */
	unsigned int ms;	/* of a round, unless asked for or brief; 0: as others */
	unsigned int rounds;	/* likewise */
	unsigned int takes;	/* a round, about so many times the duration, 0: 1 */
	unsigned int takes_ms;	/* and that long besides, */
	unsigned int takes_max;	/* but not longer than so many ms, 0: whatever it is */
	/** One round on an open path: ports[1] only for pairs. Duration in ns, of pure work. */
	void (*measure)(struct port *ports, uint64_t duration, struct result *result);
};

extern const struct test test_tx, test_rx, test_load, test_idle, test_wake;
extern const struct test test_rtt, test_tcp, test_rrul;

/* Which run a case is part of. */
enum case_set {
	SET_PATHS,	/* which path is best: the default */
	SET_BENCH,	/* what the driver gains and loses: bare loops, trials, many sizes */
};

/* A case in the table: test, parameters, and the paths that it is for. */
struct bench_case {
	enum case_set set;
	const struct test *test;
	struct params params;
	const char *paths;	/* names, separated by spaces */
	bool brief;		/* part of the short form */
};

extern const struct bench_case cases[];
extern const unsigned int nb_cases;

#endif /* _CASES_H_ */
