/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_SQPOLL_H_
#define _RTAP_SQPOLL_H_

/*
 * A kernel thread that submits (IORING_SETUP_SQPOLL): no system call where packets move.
 *
 * Theory of operation
 *
 * Requests are posted: written to memory that is shared with a kernel thread, which carries them
 * out in order and writes their results to shared memory as well. A burst does not wait for them,
 * but between chains of writes, see below; what it posts is reaped by a later one. The thread
 * falls asleep when it finds nothing to do for a while, and says so in a flag. Waking it is the
 * one system call that a burst may make.
 *
 * One thread serves all queues of a port. It belongs to a ring that carries no request and lives
 * as long as the port, so that queues may come and go. Or each queue has a thread, which belongs to
 * its ring and ends with it, a moment after the queue has stopped.
 *
 * While a request is posted, the kernel may use its buffers at any time. They are safe again once
 * its result is there, or when the ring has been closed, which cancels and waits.
 *
 * Rx: one batch of reads at a time, whose frames are handed up in order as they arrive. The next
 * one is posted when the last of them has been. An empty batch is followed by a poll instead, as
 * everywhere in this driver, so that thread and queue can rest.
 *
 * Tx: packets are written in the order in which they came, as many at a time as the queue has
 * descriptors. One that the kernel refuses keeps its place, and is posted again, with all others
 * that were, by the next call on the queue. No other is posted before that.
 *
 * Those that were posted together with it may overtake it, if the kernel finds room in the middle.
 * Where that must not be (caps.ordered), one chain of linked writes is posted at a time. The kernel
 * does not refuse these, but waits for room, and begins a write when it is done with the one
 * before, whether that succeeded or not. A burst takes only what it can post: it waits a little for
 * the chain before its packets, and what has to wait any longer stays with the caller. So what was
 * taken leaves without another call. It is refused only if its file was exchanged, which happens
 * when an Rx queue stops, or by kernels that give up to wait; then it is posted again as above.
 *
 * When the thread is lost, which the kernel says when it is to be woken, the queue goes on with
 * an ordinary ring. Packets that may or may not have been written are counted as write_errors.
 */

#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

#include <rte_common.h>

#include "rtap_ring.h"

struct rte_mbuf;
struct rtap_txq;
struct rtap_rxq;
struct rtap_tx_posted;

#define RTAP_SQPOLL_IDLE_DEFAULT 100
#define RTAP_SQPOLL_IDLE_MAX 60000

/* What the user asked for. */
struct rtap_sqpoll_conf {
	bool on;
	bool per_queue;		/* a thread for each, not one for the port */
	bool pinned;		/* to cpu; not with per_queue */
	uint16_t cpu;
	uint32_t idle_ms;	/* how long the thread looks for work before it sleeps */
};

/* The ring that the thread of a port belongs to; not open if each queue has its own. */
struct rtap_sqpoll {
	bool open;
	struct io_uring uring;
};

/**
 * Start a thread, which may run on all CPUs that the process may use, or is pinned to one. If each
 * queue is to have its own, see that there can be one.
 *
 * @param sqpoll
 *   Zeroed.
 * @param caps
 *   What rtap_ring_probe() found; rings opened with it use the thread from now on.
 * @return
 *   0, or what the kernel says; -EINVAL if the CPU is not online, or not for this process.
 */
int rtap_sqpoll_open(struct rtap_sqpoll *sqpoll, const struct rtap_sqpoll_conf *conf,
		struct rtap_ring_caps *caps);

/** Let the thread end, when the last ring that uses it is closed. Harmless on one not open. */
void rtap_sqpoll_close(struct rtap_sqpoll *sqpoll);

/** What is in use, as a part of a list: ", sqpoll" or the like, or nothing. */
const char *rtap_sqpoll_name(const struct rtap_ring_caps *caps);

/** The flags that rtap_sqpoll_setup() makes rings with. */
uint32_t rtap_sqpoll_setup_flags(const struct rtap_ring_caps *caps);

/*
 * Rings, for rtap_ring.c
 */

/** Make ring->uring, for ring->depth requests. Returns 0 or a negative errno. */
int rtap_sqpoll_setup(struct rtap_ring *ring);

/** Have the thread see what was prepared. Falls back to an ordinary ring if there is none. */
void rtap_sqpoll_submit(struct rtap_ring *ring);

/** Cancel what waits, and wait for the rest: no request is posted any more. */
void rtap_sqpoll_drain(struct rtap_ring *ring);

/*
 * Queues
 */

/** Make ready for the first burst; the ring has just been opened. */
void rtap_sqpoll_rx_start(struct rtap_rxq *rxq);

/**
 * Wait until the reads that are posted now have been carried out: those that follow use larger
 * buffers. Called by another thread than that which polls the queue.
 */
void rtap_sqpoll_rx_wait(const struct rtap_rxq *rxq);

/**
 * Has a burst something to do that no completion in the ring tells of: hand up what the thread has
 * read, or post reads because it could not before?
 */
bool rtap_sqpoll_rx_is_ready(const struct rtap_rxq *rxq);
/** Packets that the thread has read; it is asked for more if there are none. */
int rtap_sqpoll_rx_queue_count(void *queue);
int rtap_sqpoll_rx_descriptor_status(void *queue, uint16_t offset);
uint16_t rtap_sqpoll_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts);

/** Allocate room for the posted packets of a queue, which has nb_desc. Returns 0 or -ENOMEM. */
int rtap_sqpoll_tx_setup(struct rtap_txq *txq, unsigned int socket_id);

/** Count and free all packets; the ring is closed or an ordinary one. */
void rtap_sqpoll_tx_flush(struct rtap_txq *txq);
void rtap_sqpoll_tx_release(struct rtap_txq *txq);

int rtap_sqpoll_tx_descriptor_status(void *queue, uint16_t offset);
uint16_t rtap_sqpoll_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts);

/**
 * Free packets that have been sent.
 *
 * @param free_cnt
 *   So many at most; 0: all.
 * @return
 *   How many.
 */
int rtap_sqpoll_tx_done_cleanup(void *queue, uint32_t free_cnt);

#endif /* _RTAP_SQPOLL_H_ */
