/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _KPERF_FORWARD_H_
#define _KPERF_FORWARD_H_

/*
 * From one DPDK port to another, the same for every path.
 *
 * What the kernel left undone behind one port is asked of the other one: a checksum that is missing
 * (RX_L4_CKSUM_NONE) becomes TX_TCP_CKSUM or TX_UDP_CKSUM, a packet that was not segmented (RX_LRO)
 * becomes TX_TCP_SEG. Payload is not looked at. Only what the outgoing port is not able to do is
 * done here, which is known when the two are connected.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#define FORWARD_BATCH 256

/* received + made == sent + dropped, whenever no burst is under way */
struct forward_stats {
	uint64_t received;
	uint64_t sent;
	uint64_t dropped;	/* no room at the other port, no mbuf, or headers of no sense */
	uint64_t made;		/* segments more than there were packets */
	uint64_t merged;	/* of those received, not segmented by the kernel: RX_LRO */
	uint64_t unsummed;	/* of those received, without checksum: RX_L4_CKSUM_NONE */
	uint64_t software;	/* of those received, finished here */
};

/* One direction. */
struct forward {
	uint16_t in, out;		/* ports */
	bool asks;			/* the kernel may leave something undone behind the first */
	uint64_t tx;			/* RTE_ETH_TX_OFFLOAD_* that the second does */
	struct rte_mempool *pool;	/* of packets made here; NULL: none are */
	struct forward_stats stats;
	uint16_t nb_batch;
	struct rte_mbuf *batch[FORWARD_BATCH];
};

/* What is left to be done with a packet before it may be sent. */
enum forward_need {
	FORWARD_READY,
	FORWARD_CSUM,		/* compute the checksum */
	FORWARD_SEGMENT,	/* cut it, and compute checksums */
	FORWARD_COPY,		/* into one segment */
	FORWARD_DROP,		/* nobody knows what it is */
};

/** Connect two ports that are started. Returns 0, or a negative errno value. */
int forward_open(struct forward *f, uint16_t in, uint16_t out);
void forward_close(struct forward *f);

/** Pass n packets at most on, through queue 0 of both. Returns how many came. */
unsigned int forward_burst(struct forward *f, unsigned int n);

/**
 * Set Tx flags, lengths of headers and the size of segments by what is said about a packet that was
 * received, as far as the other port is able to do it.
 */
enum forward_need forward_map(const struct forward *f, struct rte_mbuf *m);

/** Compute the TCP or UDP checksum of a packet whose lengths are set. Returns whether it could. */
bool forward_checksum(struct rte_mbuf *m);

/**
 * The segment of a packet that begins with the byte at of its payload, headers and all, in one
 * mbuf of the pool, complete but for the checksum; NULL: no mbuf, or one that is too small.
 */
struct rte_mbuf *forward_segment(const struct rte_mbuf *m, uint32_t at, struct rte_mempool *pool);

#endif /* _KPERF_FORWARD_H_ */
