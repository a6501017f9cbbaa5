/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "rtap.h"
#include "rtap_sqpoll.h"

/* How long the thread may take to carry out requests when somebody waits for that. */
#define RTAP_WAIT_TURNS 10000
#define RTAP_WAIT_US 100

/*
 * IORING_SQPOLL_CAP_ENTRIES_VALUE of io_uring/sqpoll.c: a thread takes no more entries of a ring at
 * a time when it serves several, and a chain ends where it stops.
 */
#define RTAP_CHAIN_MAX 8

/* How long a burst waits for the chain before its packets: many times what the kernel needs. */
#define RTAP_CHAIN_US 100

/*
 * The thread
 */

/*
 * The thread may run where its creator may, and that is often pinned to the CPU that it polls
 * on: give it all CPUs for the moment. The kernel leaves out those of other cpusets.
 */
static int
setup_anywhere(struct io_uring *uring, unsigned int entries, struct io_uring_params *params)
{
	cpu_set_t before, all;
	bool widened;
	int ret;

	memset(&all, 0xff, sizeof(all));
	widened = sched_getaffinity(0, sizeof(before), &before) == 0 &&
		sched_setaffinity(0, sizeof(all), &all) == 0;
	ret = io_uring_queue_init_params(entries, uring, params);
	if (widened)
		sched_setaffinity(0, sizeof(before), &before);
	return ret;
}

int
rtap_sqpoll_open(struct rtap_sqpoll *sqpoll, const struct rtap_sqpoll_conf *conf,
		struct rtap_ring_caps *caps)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQPOLL,
		.sq_thread_idle = conf->idle_ms,
	};
	int ret;

	if (conf->pinned) {
		params.flags |= IORING_SETUP_SQ_AFF;
		params.sq_thread_cpu = conf->cpu;
	}
	ret = setup_anywhere(&sqpoll->uring, 1, &params);
	if (ret != 0)
		return ret;
	caps->sqpoll = true;
	caps->sqpoll_idle = conf->idle_ms;
	if (conf->per_queue) {
		io_uring_queue_exit(&sqpoll->uring); /* it can be done: that was the question */
		caps->sqpoll_fd = -1;
		return 0;
	}
	sqpoll->open = true;
	caps->sqpoll_fd = sqpoll->uring.ring_fd;
	return 0;
}

void
rtap_sqpoll_close(struct rtap_sqpoll *sqpoll)
{
	if (sqpoll->open)
		io_uring_queue_exit(&sqpoll->uring);
	sqpoll->open = false;
}

const char *
rtap_sqpoll_name(const struct rtap_ring_caps *caps)
{
	if (!caps->sqpoll)
		return "";
	return caps->sqpoll_fd < 0 ? ", sqpoll=queue" : ", sqpoll";
}

uint32_t
rtap_sqpoll_setup_flags(const struct rtap_ring_caps *caps)
{
	return IORING_SETUP_SQPOLL | (caps->sqpoll_fd < 0 ? 0 : IORING_SETUP_ATTACH_WQ) |
		(caps->setup_flags & IORING_SETUP_SUBMIT_ALL);
}

/*
 * Rings
 */

/*
 * Twice as many entries as there may be requests: the thread says that it has taken entries only
 * after it has reported the results of all that it took at a time.
 */
int
rtap_sqpoll_setup(struct rtap_ring *ring)
{
	struct io_uring_params params = {
		.flags = rtap_sqpoll_setup_flags(&ring->caps),
		.sq_thread_idle = ring->caps.sqpoll_idle,
	};

	if (ring->caps.sqpoll_fd < 0)
		return setup_anywhere(&ring->uring, 2 * ring->depth, &params);
	params.wq_fd = ring->caps.sqpoll_fd;
	return io_uring_queue_init_params(2 * ring->depth, &ring->uring, &params);
}

/* Can requests be posted? */
static bool
ring_posts(const struct rtap_ring *ring)
{
	return likely(ring->open && ring->caps.sqpoll);
}

static struct io_uring_sqe *
ring_put(struct rtap_ring *ring, unsigned int file, int op, unsigned int idx)
{
	ring->reqs[idx].res = -EINPROGRESS;
	ring->posted++;
	return rtap_ring_prep(ring, &ring->reqs[idx], file, op, idx);
}

static void
ring_reap(struct rtap_ring *ring)
{
	ring->posted -= rtap_ring_reap(ring, ring->reqs);
}

/*
 * There is no thread to carry requests out. Those that it had begun were cancelled when it ended,
 * and if it lives on in spite of what the kernel says they are cancelled now. The others are not
 * begun any more once the ring is closed: the kernel does both under one lock.
 */
static void
ring_abandon(struct rtap_ring *ring)
{
	struct io_uring_sync_cancel_reg all = {
		.fd = -1,
		.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
		.timeout = { .tv_sec = 1 },
	};
	unsigned int i;

	io_uring_register_sync_cancel(&ring->uring, &all);
	ring_reap(ring);
	for (i = 0; ring->posted > 0 && i < ring->depth; i++) {
		if (ring->reqs[i].res == -EINPROGRESS) {
			ring->reqs[i].res = -EOWNERDEAD;
			ring->posted--;
		}
	}
}

/*
 * io_uring_submit() publishes the tail of the queue, issues a full barrier, and then looks whether
 * the thread sleeps. The thread sets that flag, issues a full barrier, and then looks at the tail.
 * So at least one of them sees what the other has written, and no request waits unseen.
 */
void
rtap_sqpoll_submit(struct rtap_ring *ring)
{
	int ret;

	if ((IO_URING_READ_ONCE(*ring->uring.sq.kflags) & IORING_SQ_NEED_WAKEUP) != 0)
		ring->stats.enters++;
	ret = io_uring_submit(&ring->uring);
	if (likely(ret >= 0))
		return;
	PMD_LOG(ERR, "the SQPOLL thread is lost: %s; going on without", strerror(-ret));
	ring_abandon(ring);
	ring->caps.sqpoll = false;
	rtap_ring_rebuild(ring);
}

/*
 * The thread finishes all that can be finished before it comes to the cancellation, but for the
 * later requests of a chain, which may yet begin to wait: they are cancelled in another turn.
 */
void
rtap_sqpoll_drain(struct rtap_ring *ring)
{
	int ret;

	while (ring->posted > 0) {
		rtap_ring_prep_cancel(ring);
		ring->stats.enters++;
		ret = io_uring_submit_and_wait(&ring->uring, 1);
		if (ret < 0 && ret != -EINTR) {
			PMD_LOG(ERR, "the SQPOLL thread is lost: %s", strerror(-ret));
			ring_abandon(ring);
			return;
		}
		ring_reap(ring);
	}
}

/*
 * Rx
 */

static void
rxq_begin(struct rtap_rxq *rxq)
{
	rxq->nb_posted = 0;
	rxq->nb_taken = 0;
	rxq->nb_found = 0;
	rxq->bytes_before = rxq->stats.bytes;
}

void
rtap_sqpoll_rx_start(struct rtap_rxq *rxq)
{
	rxq_begin(rxq);
	rtap_ring_arm(&rxq->ring);
}

/*
 * The thread moves the head of the queue past requests that it has carried out. A queue that loses
 * its thread at this very moment unmaps what is looked at here: there is no way to exclude that
 * without a lock in each burst, and no known way for it to happen.
 */
void
rtap_sqpoll_rx_wait(const struct rtap_rxq *rxq)
{
	const struct io_uring_sq *sq = &rxq->ring.uring.sq;
	unsigned int i, tail;

	if (!ring_posts(&rxq->ring))
		return;
	rte_atomic_thread_fence(rte_memory_order_seq_cst);
	tail = io_uring_smp_load_acquire(sq->ktail);
	for (i = 0; i < RTAP_WAIT_TURNS; i++) {
		if ((int32_t)(io_uring_smp_load_acquire(sq->khead) - tail) >= 0)
			return;
		rte_delay_us_sleep(RTAP_WAIT_US);
	}
}

/* Has the next read of the batch a result? */
static bool
rxq_has_result(const struct rtap_rxq *rxq)
{
	return rxq->nb_taken < rxq->nb_posted && rxq->reqs[rxq->nb_taken].res != -EINPROGRESS;
}

bool
rtap_sqpoll_rx_is_ready(const struct rtap_rxq *rxq)
{
	const struct rtap_ring *ring = &rxq->ring;

	if (rxq->nb_taken < rxq->nb_posted)
		return rxq_has_result(rxq);
	return ring_posts(ring) && !ring->armed && !ring->gone;
}

/* With the thread, the file that is watched is lost: ready until the interrupt is enabled again. */
static void
rxq_set_ready(struct rtap_rxq *rxq)
{
	rtap_intr_set_ready(rxq, rtap_sqpoll_rx_is_ready(rxq) || !ring_posts(&rxq->ring));
}

/* Hand up what there is of the batch, in order, and pass what is no packet. */
static uint16_t
rxq_take_posted(struct rtap_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint16_t nb_rx = 0;

	for (; rxq_has_result(rxq); rxq->nb_taken++) {
		int32_t res = rxq->reqs[rxq->nb_taken].res;
		struct rte_mbuf *m;

		if (res == -EAGAIN || res == -EOWNERDEAD)
			continue;
		if (res >= 0 && nb_rx == nb_pkts)
			break;
		rxq->nb_found++;
		m = rtap_rxq_take(rxq, rxq->nb_taken);
		if (likely(m != NULL && nb_rx < nb_pkts))
			pkts[nb_rx++] = m;
	}
	return nb_rx;
}

/*
 * Post up to n reads behind the first so many of the batch. Where the kernel would wait in a read,
 * they are posted one at a time, when there is a frame.
 */
static void
rxq_post(struct rtap_rxq *rxq, unsigned int first, unsigned int n)
{
	unsigned int i;

	n = rxq->ring.caps.uring_reads ? RTE_MIN(n, rxq->probe) : 1;
	n = rtap_rxq_fill(rxq, first, n);
	for (i = first; i < first + n; i++)
		ring_put(&rxq->ring, 0, IORING_OP_READV, i);
	rxq->nb_posted = first + n;
	if (likely(n > 0))
		rtap_sqpoll_submit(&rxq->ring);
}

/* All of the batch has been handed up: look at how it went. Returns whether to wait for a poll. */
static bool
rxq_finish(struct rtap_rxq *rxq)
{
	bool none = rxq->nb_found == 0;

	if (rxq->nb_posted == 0)
		return false; /* the poll has fired, or the pool was empty */
	rtap_rxq_adapt(rxq, rxq->nb_posted, rxq->nb_found, rxq->stats.bytes - rxq->bytes_before);
	if (unlikely(rxq->reqs[0].res == -EBADFD))
		rtap_ring_set_gone(&rxq->ring);
	rxq_begin(rxq);
	return none || !rxq->ring.caps.uring_reads;
}

/* The thread is lost, and what it has read is handed up. */
static bool
rxq_is_ordinary(const struct rtap_rxq *rxq)
{
	return unlikely(!ring_posts(&rxq->ring)) && rxq->nb_posted == 0;
}

/* Nothing of the batch is left: wait for a packet, or look for more. */
static void
rxq_next(struct rtap_rxq *rxq, uint16_t nb_pkts)
{
	struct rtap_ring *ring = &rxq->ring;

	if (rxq_finish(rxq))
		rtap_ring_arm(ring);
	else if (ring_posts(ring) && !ring->armed && !ring->gone)
		rxq_post(rxq, 0, nb_pkts);
}

uint16_t
rtap_sqpoll_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct rtap_rxq *rxq = queue;
	struct rtap_ring *ring = &rxq->ring;
	uint16_t nb_rx;

	if (rxq_is_ordinary(rxq))
		return rtap_rx_burst(queue, pkts, nb_pkts);
	if (rtap_ring_is_quiet(ring))
		return 0;
	if (ring_posts(ring))
		ring_reap(ring);
	nb_rx = rxq_take_posted(rxq, pkts, nb_pkts);
	if (rxq->nb_taken == rxq->nb_posted)
		rxq_next(rxq, nb_pkts);
	rxq_set_ready(rxq);
	return nb_rx;
}

/*
 * Reading ahead, to count packets
 */

/* Packets that the thread has read, and nobody has taken. */
static int
rxq_count_posted(const struct rtap_rxq *rxq)
{
	unsigned int i;
	int n = 0;

	for (i = rxq->nb_taken; i < rxq->nb_posted && rxq->reqs[i].res != -EINPROGRESS; i++)
		n += rxq->reqs[i].res >= 0;
	return n;
}

/*
 * All reads of the batch are done, and some of it is to be handed up: add to it, or somebody who
 * waits for more packets than it holds would do so for ever. Not where the added read would wait.
 */
static void
rxq_extend(struct rtap_rxq *rxq)
{
	unsigned int end = rxq->nb_posted;

	if (!ring_posts(&rxq->ring) || rxq->ring.posted > 0 || !rxq->ring.caps.uring_reads)
		return;
	while (rxq->reqs[end - 1].res == -EAGAIN)
		end--;
	rxq_post(rxq, end, RTAP_BURST_MAX);
}

int
rtap_sqpoll_rx_queue_count(void *queue)
{
	struct rtap_rxq *rxq = queue;
	struct rtap_ring *ring = &rxq->ring;

	if (rxq_is_ordinary(rxq))
		return rtap_rx_queue_count(queue);
	if (rtap_ring_is_quiet(ring))
		return 0;
	if (ring_posts(ring))
		ring_reap(ring);
	rxq_take_posted(rxq, NULL, 0);
	if (rxq->nb_taken == rxq->nb_posted)
		rxq_next(rxq, RTAP_BURST_MAX);
	else
		rxq_extend(rxq);
	rxq_set_ready(rxq);
	return rxq_count_posted(rxq);
}

int
rtap_sqpoll_rx_descriptor_status(void *queue, uint16_t offset)
{
	struct rtap_rxq *rxq = queue;

	if (offset >= rxq->nb_desc)
		return -EINVAL;
	if (offset < rtap_sqpoll_rx_queue_count(rxq))
		return RTE_ETH_RX_DESC_DONE;
	return offset < rxq->nb_slots ? RTE_ETH_RX_DESC_AVAIL : RTE_ETH_RX_DESC_UNAVAIL;
}

/*
 * Tx
 */

/* A packet on its way. */
struct rtap_tx_desc {
	struct rte_mbuf *m;	/* NULL: finished */
	uint32_t iov_end;	/* where the iovecs of the next packet begin */
	uint16_t file;
	struct rtap_tx_hdr hdr;
};

/*
 * A ring of packets; indices only grow, and are masked where they are used. From head on there
 * are packets with a result, refused and perhaps others; from done on, packets that are posted;
 * from next on, packets that are to be posted; at tail, none. The iovecs of all are in a ring
 * of their own, those of one packet in a row.
 */
struct rtap_tx_posted {
	uint32_t head;
	uint32_t done;
	uint32_t next;
	uint32_t tail;
	uint32_t mask;
	uint32_t nb_refused;
	bool stalled;		/* the chain on its way was waited for in vain */
	uint32_t iov_head;
	uint32_t iov_tail;
	uint32_t nb_iovs;
	struct rtap_tx_desc *descs;
	struct rtap_req *reqs;
	struct iovec *iovs;
};

void
rtap_sqpoll_tx_release(struct rtap_txq *txq)
{
	struct rtap_tx_posted *posted = txq->posted;

	if (posted == NULL)
		return;
	rte_free(posted->descs);
	rte_free(posted->reqs);
	rte_free(posted->iovs);
	rte_free(posted);
	txq->posted = NULL;
}

int
rtap_sqpoll_tx_setup(struct rtap_txq *txq, unsigned int socket_id)
{
	uint32_t n = rte_align32pow2(txq->nb_desc);
	struct rtap_tx_posted *posted;

	posted = rte_zmalloc_socket("rtap_posted", sizeof(*posted), RTE_CACHE_LINE_SIZE,
		socket_id);
	if (posted == NULL)
		return -ENOMEM;
	txq->posted = posted;
	posted->mask = n - 1;
	posted->nb_iovs = RTE_MAX((uint32_t)RTAP_TX_IOVS, 2 * n);
	posted->descs = rte_zmalloc_socket("rtap_posted_descs", n * sizeof(*posted->descs),
		RTE_CACHE_LINE_SIZE, socket_id);
	posted->reqs = rte_zmalloc_socket("rtap_posted_reqs", n * sizeof(*posted->reqs),
		RTE_CACHE_LINE_SIZE, socket_id);
	posted->iovs = rte_zmalloc_socket("rtap_posted_iovs",
		posted->nb_iovs * sizeof(*posted->iovs), RTE_CACHE_LINE_SIZE, socket_id);
	if (posted->descs == NULL || posted->reqs == NULL || posted->iovs == NULL) {
		rtap_sqpoll_tx_release(txq);
		return -ENOMEM;
	}
	txq->ring.reqs = posted->reqs;
	txq->ring.depth = n;
	return 0;
}

/* Free descriptors from head on, as far as they are finished. */
static void
txq_advance(struct rtap_tx_posted *posted)
{
	while (posted->head != posted->done) {
		const struct rtap_tx_desc *desc = &posted->descs[posted->head & posted->mask];

		if (desc->m != NULL)
			return;
		posted->iov_head = desc->iov_end;
		posted->head++;
	}
}

/*
 * Count and free up to max packets whose result is there. When no other is on its way, those that
 * the kernel refused are to be posted again.
 */
static unsigned int
txq_finish(struct rtap_txq *txq, unsigned int max)
{
	struct rtap_tx_posted *posted = txq->posted;
	struct rte_mbuf *done[RTAP_BURST_MAX];
	unsigned int n = 0, total = 0;

	for (; posted->done != posted->next && total < max; posted->done++) {
		uint32_t idx = posted->done & posted->mask;
		struct rtap_tx_desc *desc = &posted->descs[idx];
		const struct rtap_req *req = &posted->reqs[idx];

		if (desc->m == NULL)
			continue; /* passed one that was refused, in an earlier turn */
		if (req->res == -EINPROGRESS)
			break;
		if (unlikely(rtap_txq_count(txq, req, desc->m, desc->file))) {
			posted->nb_refused++;
			continue;
		}
		done[n++] = desc->m;
		desc->m = NULL;
		total++;
		if (n == RTE_DIM(done)) {
			rte_pktmbuf_free_bulk(done, n);
			n = 0;
		}
	}
	rte_pktmbuf_free_bulk(done, n);
	txq_advance(posted);
	if (unlikely(posted->nb_refused != 0 && posted->done == posted->next)) {
		posted->done = posted->next = posted->head;
		posted->nb_refused = 0;
	}
	return total;
}

/* Take over a packet; false: no room. One that can never be sent is counted and freed. */
static bool
txq_accept(struct rtap_txq *txq, struct rte_mbuf *m)
{
	struct rtap_tx_posted *posted = txq->posted;
	uint32_t need = RTE_MIN(m->nb_segs, RTAP_TX_SEGS_MAX) + 1;
	uint32_t idx = posted->tail & posted->mask;
	uint32_t at = posted->iov_tail & (posted->nb_iovs - 1);
	uint32_t skip = at + need > posted->nb_iovs ? posted->nb_iovs - at : 0;
	struct rtap_tx_desc *desc = &posted->descs[idx];
	uint32_t used;

	if (posted->tail - posted->head >= txq->nb_desc ||
	    posted->iov_tail - posted->iov_head + skip + need > posted->nb_iovs)
		return false;
	at = skip != 0 ? 0 : at;
	used = rtap_txq_put(txq, &posted->reqs[idx], &desc->hdr, &posted->iovs[at], m);
	if (unlikely(used == 0)) {
		rte_pktmbuf_free(m);
		return true;
	}
	posted->iov_tail += skip + used;
	desc->iov_end = posted->iov_tail;
	desc->m = m;
	posted->tail++;
	return true;
}

/* Queue those that are to be posted. The writes of a chain wait for room in the kernel. */
static void
txq_put(struct rtap_txq *txq)
{
	unsigned int file = rte_atomic_load_explicit(&txq->file, rte_memory_order_acquire);
	struct rtap_tx_posted *posted = txq->posted;
	struct io_uring_sqe *sqe = NULL;

	for (; posted->next != posted->tail; posted->next++) {
		uint32_t idx = posted->next & posted->mask;

		if (unlikely(posted->descs[idx].m == NULL))
			continue;
		posted->descs[idx].file = file;
		sqe = ring_put(&txq->ring, file, IORING_OP_WRITEV, idx);
		if (unlikely(txq->ring.caps.ordered)) {
			sqe->flags |= IOSQE_IO_HARDLINK;
			sqe->rw_flags = 0;
		}
	}
	if (likely(sqe != NULL))
		sqe->flags &= ~IOSQE_IO_HARDLINK; /* the last one ends a chain */
}

/* Packets are flushed if the thread is lost. */
static void
txq_submit(struct rtap_txq *txq)
{
	rtap_sqpoll_submit(&txq->ring);
	if (unlikely(!ring_posts(&txq->ring)))
		rtap_sqpoll_tx_flush(txq);
}

/* Post what is to be posted, unless some that came before have been refused. */
static void
txq_post(struct rtap_txq *txq)
{
	const struct rtap_tx_posted *posted = txq->posted;

	if (posted->next == posted->tail || posted->nb_refused != 0)
		return;
	txq_put(txq);
	txq_submit(txq);
}

/* Take over packets while there is room for them, also in the next chain. Returns how many. */
static uint16_t
txq_take(struct rtap_txq *txq, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	const struct rtap_tx_posted *posted = txq->posted;
	const struct rtap_ring_caps *caps = &txq->ring.caps;
	uint32_t room = UINT32_MAX;
	uint16_t n = 0;

	if (unlikely(caps->ordered))
		room = caps->sqpoll_fd < 0 ? RTAP_BURST_MAX : RTAP_CHAIN_MAX;
	while (n < nb_pkts && posted->tail - posted->next < room && txq_accept(txq, pkts[n]))
		n++;
	return n;
}

/*
 * Wait until no chain is on its way; false: that takes too long. One that waits for room in the
 * kernel is waited for once, not by each burst.
 */
static bool
txq_await(struct rtap_txq *txq)
{
	struct rtap_tx_posted *posted = txq->posted;
	struct rtap_ring *ring = &txq->ring;
	uint64_t end;

	if (ring->posted > 0 && !posted->stalled) {
		end = rte_rdtsc() + rte_get_tsc_hz() / US_PER_S * RTAP_CHAIN_US;
		do {
			rte_pause();
			ring_reap(ring);
		} while (ring->posted > 0 && rte_rdtsc() < end);
	}
	posted->stalled = ring->posted > 0;
	if (unlikely(posted->stalled)) {
		if (io_uring_sq_ready(&ring->uring) > 0)
			txq_submit(txq); /* not begun: is the thread lost? */
		return false;
	}
	txq_finish(txq, UINT_MAX);
	return true;
}

/*
 * Chain by chain, and only as much as can be posted now: what is taken over must not depend on
 * another call to leave.
 */
static uint16_t
txq_send_chains(struct rtap_txq *txq, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint16_t n = 0, taken;

	while (n < nb_pkts && txq_await(txq)) {
		taken = txq_take(txq, &pkts[n], nb_pkts - n);
		txq_post(txq);
		n += taken;
		if (taken == 0 || !ring_posts(&txq->ring))
			break;
	}
	return n;
}

void
rtap_sqpoll_tx_flush(struct rtap_txq *txq)
{
	struct rtap_tx_posted *posted = txq->posted;

	if (posted == NULL)
		return;
	txq_finish(txq, UINT_MAX);
	for (; posted->head != posted->tail; posted->head++) {
		struct rtap_tx_desc *desc = &posted->descs[posted->head & posted->mask];

		txq->stats.write_errors += desc->m != NULL;
		rte_pktmbuf_free(desc->m);
		desc->m = NULL;
	}
	posted->done = posted->next = posted->tail;
	posted->iov_head = posted->iov_tail;
	posted->nb_refused = 0;
	posted->stalled = false;
}

uint16_t
rtap_sqpoll_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct rtap_txq *txq = queue;
	uint16_t n;

	if (unlikely(!ring_posts(&txq->ring)))
		return rtap_tx_burst(queue, pkts, nb_pkts);
	ring_reap(&txq->ring);
	txq_finish(txq, UINT_MAX);
	if (unlikely(txq->ring.caps.ordered))
		n = txq_send_chains(txq, pkts, nb_pkts);
	else
		n = txq_take(txq, pkts, nb_pkts);
	txq_post(txq);
	txq->stats.backpressure += nb_pkts - n;
	return n;
}

int
rtap_sqpoll_tx_done_cleanup(void *queue, uint32_t free_cnt)
{
	struct rtap_txq *txq = queue;
	unsigned int n;

	if (!ring_posts(&txq->ring))
		return 0;
	ring_reap(&txq->ring);
	n = txq_finish(txq, free_cnt == 0 ? UINT_MAX : free_cnt);
	txq_post(txq);
	return n;
}

/*
 * Behind the free descriptors come those in use, the oldest first. What was refused is posted
 * again, or somebody who waits for it to leave would do so for ever.
 */
int
rtap_sqpoll_tx_descriptor_status(void *queue, uint16_t offset)
{
	struct rtap_txq *txq = queue;
	const struct rtap_tx_posted *posted = txq->posted;
	uint32_t pos;

	if (offset >= txq->nb_desc)
		return -EINVAL;
	rtap_sqpoll_tx_done_cleanup(queue, 0);
	pos = posted->tail + offset - txq->nb_desc;
	if ((int32_t)(pos - posted->head) < 0 || posted->descs[pos & posted->mask].m == NULL)
		return RTE_ETH_TX_DESC_DONE;
	return RTE_ETH_TX_DESC_FULL;
}
