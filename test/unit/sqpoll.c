/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * rtap_sqpoll.[ch]: queues whose requests a kernel thread carries out.
 *
 * When it does so is up to the scheduler: nothing here expects it to be fast, or awake. What must
 * happen is waited for.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "unit_queue.h"

#define NB_MBUFS 4095
#define NB_DESC 64
#define IDLE_MS 1
#define CHAIN 8		/* packets, of a thread that serves several queues */

/* Two large frames, and small ones that follow: see frame_len(). A few of these fit in the room. */
#define SEQ_LARGE 198
#define NB_SMALL 20
#define PAGE 4096
#define ROOM 800

/* How long to wait for what must happen, in steps of 100 us. */
#define PATIENCE 300000

#define UNTIL(cond) __extension__ ({ \
	unsigned int turns_; \
	for (turns_ = 0; turns_ < PATIENCE && !(cond); turns_++) \
		usleep(100); \
	turns_ < PATIENCE; \
})

static struct rtap_ring_caps probed;
static struct rtap_sqpoll sqpoll;
static struct rte_mempool *pool;
static struct rte_mempool *tiny;
static struct rtap_rxq *rxq;
static struct rtap_txq *txq;
static const struct virtio_net_hdr_v1 no_hdr;
static unsigned int nb_fds;

/*
 * Modes
 */

/* As kernels do it that refuse RWF_NOWAIT: what cannot be done at once waits in the ring. */
static bool waits;

/* Writes are posted in chains, one at a time. */
static bool ordered;

/* Each queue has a thread of its own. */
static bool per_queue;

static int
enter(bool wait, bool order, bool thread_each)
{
	waits = wait;
	ordered = order;
	per_queue = thread_each;
	return 0;
}

static int
enter_plain(void)
{
	return enter(false, false, false);
}

static int
enter_waiting(void)
{
	return enter(true, false, false);
}

static int
enter_ordered(void)
{
	return enter(false, true, false);
}

static int
enter_ordered_waiting(void)
{
	return enter(true, true, false);
}

static int
enter_per_queue(void)
{
	return enter(false, false, true);
}

static int
enter_per_queue_ordered(void)
{
	return enter(false, true, true);
}

/* The most that a queue takes when the other end takes nothing. */
static unsigned int
room(void)
{
	return ordered && !per_queue ? CHAIN : NB_DESC;
}

static unsigned int
in_use(void)
{
	return rte_mempool_in_use_count(pool) + rte_mempool_in_use_count(tiny);
}

static int
open_thread(const struct rtap_sqpoll_conf *conf)
{
	unit_caps = probed;
	unit_caps.ordered = ordered;
	if (waits) {
		unit_caps.rw_flags = 0;
		unit_caps.uring_reads = false;
	}
	return rtap_sqpoll_open(&sqpoll, conf, &unit_caps);
}

static void
open_queues(void)
{
	unit_dev_init();
	rxq = unit_rxq_open(pool, NB_DESC, 0);
	txq = unit_txq_open(NB_DESC);
	CU_ASSERT_FATAL(rxq != NULL && txq != NULL);
}

static void
set_up(void)
{
	const struct rtap_sqpoll_conf conf = {
		.on = true,
		.per_queue = per_queue,
		.idle_ms = IDLE_MS,
	};
	int fds[2];

	nb_fds = unit_count_fds();
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	unit_fd = fds[0];
	unit_peer = fds[1];
	CU_ASSERT_EQUAL_FATAL(open_thread(&conf), 0);
	open_queues();
}

static void
tear_down(void)
{
	unit_queues_close();
	rtap_sqpoll_close(&sqpoll);
	CU_ASSERT_EQUAL(in_use(), 0);
	close(unit_fd);
	close(unit_peer);
	CU_ASSERT_EQUAL(unit_count_fds(), nb_fds);
}

/*
 * Frames
 */

static uint32_t
frame_len(uint32_t seq)
{
	return 60 + seq * 7 % 1400;
}

static const uint8_t *
frame_data(uint32_t seq)
{
	static uint8_t data[1500];

	memset(data, seq, sizeof(data));
	unit_put16(&data[12], 0x88b5);
	memcpy(&data[14], &seq, sizeof(seq));
	return data;
}

static struct rte_mbuf *
frame_mbuf(uint32_t seq)
{
	return unit_mbuf(pool, frame_data(seq), frame_len(seq), frame_len(seq), 1);
}

static bool
put(uint32_t seq)
{
	return unit_frame_send(&no_hdr, frame_data(seq), frame_len(seq));
}

/* Receive the next frame at the other end; returns its number, or UINT32_MAX if there is none. */
static uint32_t
receive(void)
{
	uint8_t buf[2048];
	uint32_t seq;
	ssize_t len = recv(unit_peer, buf, sizeof(buf), 0);

	if (len < 0)
		return UINT32_MAX;
	memcpy(&seq, &buf[RTAP_VNET_HDR_LEN + 14], sizeof(seq));
	CU_ASSERT_EQUAL(len, RTAP_VNET_HDR_LEN + frame_len(seq));
	CU_ASSERT_EQUAL(memcmp(&buf[RTAP_VNET_HDR_LEN], frame_data(seq), frame_len(seq)), 0);
	return seq;
}

/* Wait for the next frame at the other end, with no call of the queue. */
static uint32_t
await(void)
{
	uint32_t seq = UINT32_MAX;
	unsigned int turn;

	for (turn = 0; seq == UINT32_MAX && turn < PATIENCE; turn++) {
		if (turn > 0)
			usleep(100);
		seq = receive();
	}
	return seq;
}

/* Take frames from first on as they come, until there were n. */
static bool
take(uint32_t first, unsigned int n)
{
	struct rte_mbuf *pkts[7];
	unsigned int i, nb, found = 0, turn;

	for (turn = 0; found < n && turn < PATIENCE; turn++) {
		nb = rtap_sqpoll_rx_burst(rxq, pkts, RTE_MIN(RTE_DIM(pkts), n - found));
		for (i = 0; i < nb; i++, found++) {
			CU_ASSERT(unit_mbuf_equal(pkts[i], frame_data(first + found),
				frame_len(first + found)));
			rte_pktmbuf_free(pkts[i]);
		}
		if (nb == 0)
			usleep(100);
	}
	return found == n;
}

/* Hand over one packet; false: no room. */
static bool
give(struct rte_mbuf *m)
{
	return rtap_sqpoll_tx_burst(txq, &m, 1) == 1;
}

/* Hand packets over, again those that come back. */
static bool
give_all(struct rte_mbuf **pkts, unsigned int n)
{
	unsigned int given = 0;

	return UNTIL((given += rtap_sqpoll_tx_burst(txq, &pkts[given], n - given)) == n);
}

static bool
give_surely(struct rte_mbuf *m)
{
	return give_all(&m, 1);
}

/* Hand over what the queue takes of n packets; returns how many. */
static unsigned int
give_burst(uint32_t first, unsigned int n)
{
	struct rte_mbuf *pkts[NB_DESC];
	unsigned int i, given;

	for (i = 0; i < n; i++)
		pkts[i] = frame_mbuf(first + i);
	given = rtap_sqpoll_tx_burst(txq, pkts, n);
	rte_pktmbuf_free_bulk(&pkts[given], n - given);
	return given;
}

/* Are so many packets sent or given up, all in all? */
static bool
finished(unsigned int n)
{
	rtap_sqpoll_tx_done_cleanup(txq, 0);
	return txq->stats.packets + txq->stats.write_errors + txq->stats.link_down == n;
}

static bool
sleeps(const struct io_uring *uring)
{
	return (IO_URING_READ_ONCE(*uring->sq.kflags) & IORING_SQ_NEED_WAKEUP) != 0;
}

/*
 * Rx
 */

static void
test_rx(void)
{
	uint32_t seq, n;

	for (seq = 0; seq < 2000; seq += n) {
		uint32_t i;

		n = 1 + seq % 90;
		for (i = 0; i < n; i++)
			CU_ASSERT_FATAL(put(seq + i));
		CU_ASSERT_FATAL(take(seq, n));
	}
	CU_ASSERT_EQUAL(rxq->stats.packets, seq);
	CU_ASSERT_EQUAL(rxq->stats.read_errors + rxq->stats.truncated, 0);
}

/* When there is nothing to read, the thread comes to rest, and so does the queue. */
static void
test_rx_idle(void)
{
	struct rte_mbuf *m;
	uint32_t seq;
	uint64_t enters;

	for (seq = 0; seq < 20; seq++) {
		CU_ASSERT_FATAL(UNTIL(rtap_sqpoll_rx_burst(rxq, &m, 1) == 0 &&
			rtap_ring_is_quiet(&rxq->ring) && sleeps(&rxq->ring.uring)));
		enters = rxq->ring.stats.enters;
		CU_ASSERT_EQUAL(rtap_sqpoll_rx_burst(rxq, &m, 1), 0);
		CU_ASSERT_EQUAL(rxq->ring.stats.enters, enters);
		CU_ASSERT_FATAL(put(seq));
		CU_ASSERT_FATAL(UNTIL(!rtap_ring_is_quiet(&rxq->ring)));
		CU_ASSERT_FATAL(take(seq, 1));
	}
}

/* Frames that were read and never taken go with the queue, and so do reads that wait. */
static void
test_rx_stop(void)
{
	unsigned int turn, i, nb_put = 0, left = 0;
	struct rte_mbuf *m;
	uint32_t seq = 0;

	for (turn = 0; turn < 50; turn++) {
		for (i = 0; i < turn; i++)
			CU_ASSERT_FATAL(put(seq + i));
		nb_put += turn;
		for (i = 0; i < turn % 4; i++) {
			if (rtap_sqpoll_rx_burst(rxq, &m, 1) == 1)
				rte_pktmbuf_free(m);
		}
		rtap_rx_queue_stop(&unit_dev, 0);
		CU_ASSERT_EQUAL(in_use(), 0);
		CU_ASSERT_EQUAL(rtap_sqpoll_rx_burst(rxq, &m, 1), 0);
		while (recv(unit_fd, &i, 1, 0) > 0)
			left++;
		UNIT_ASSERT_AT(rxq->stats.packets + rxq->stats.discarded + left == nb_put, turn);
		CU_ASSERT_EQUAL_FATAL(rtap_rx_queue_start(&unit_dev, 0), 0);
		CU_ASSERT_FATAL(put(seq) && take(seq, 1));
		nb_put++;
		seq += 100;
	}
}

static void *
stop_rx_queue(void *arg __rte_unused)
{
	rtap_rx_queue_stop(&unit_dev, 0);
	return NULL;
}

/* A ring stays mapped while the thread that follows the MTU may look into it. */
static void
test_rx_stop_locked(void)
{
	struct rtap_dev *rtap = rtap_dev(&unit_dev);
	pthread_t thread;

	pthread_mutex_lock(&rtap->lock);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, stop_rx_queue, NULL), 0);
	usleep(100000); /* time to do wrong */
	CU_ASSERT(rxq->ring.open);
	pthread_mutex_unlock(&rtap->lock);
	pthread_join(thread, NULL);
	CU_ASSERT(!rxq->ring.open);
}

/* The pool is empty for a while, and the queue goes on when it is not. */
static void
test_rx_empty_pool(void)
{
	struct rte_mbuf *all[NB_MBUFS], *m;
	unsigned int n;

	for (n = 0; n < NB_MBUFS && (all[n] = rte_pktmbuf_alloc(pool)) != NULL; n++)
		;
	CU_ASSERT_FATAL(put(1));
	CU_ASSERT(UNTIL(rtap_sqpoll_rx_burst(rxq, &m, 1) == 0 && rxq->stats.nombuf > 0));
	rte_pktmbuf_free_bulk(all, n);
	CU_ASSERT(take(1, 1));
}

/* Are descriptors [0, done) done, and is the next one waiting for a packet? */
static bool
rx_is_done(unsigned int done)
{
	unsigned int i;

	for (i = 0; i < done; i++)
		if (rtap_sqpoll_rx_descriptor_status(rxq, i) != RTE_ETH_RX_DESC_DONE)
			return false;
	return done == NB_DESC ||
		rtap_sqpoll_rx_descriptor_status(rxq, done) == RTE_ETH_RX_DESC_AVAIL;
}

/* So many packets wait in all: see them counted, one at a time where nothing can be read ahead. */
static bool
see_counted(unsigned int n)
{
	n = RTE_MIN(n, waits ? 1U : NB_DESC);
	return UNTIL(rtap_sqpoll_rx_queue_count(rxq) == (int)n) && rx_is_done(n);
}

static void
test_rx_count(void)
{
	uint32_t seq, turn;

	CU_ASSERT_EQUAL(rtap_sqpoll_rx_descriptor_status(rxq, NB_DESC), -EINVAL);
	for (seq = 0, turn = 0; turn < 20; turn++) {
		unsigned int i, n = turn % 3 == 0 ? NB_DESC + 6 : 2 + turn;

		/* At rest: a read that finds nothing among others that do takes a place. */
		CU_ASSERT_FATAL(UNTIL(rtap_sqpoll_rx_queue_count(rxq) == 0 &&
			rtap_ring_is_quiet(&rxq->ring)));
		for (i = 0; i < n; i++)
			CU_ASSERT_FATAL(put(seq + i));
		CU_ASSERT_FATAL(see_counted(n));
		CU_ASSERT_FATAL(take(seq, 1));
		/* Those that come now go behind, where there is a place. */
		CU_ASSERT_FATAL(put(seq + n));
		CU_ASSERT_FATAL(see_counted(RTE_MIN(n, NB_DESC - 1U)));
		CU_ASSERT_FATAL(take(seq + 1, n));
		seq += n + 1;
	}
	CU_ASSERT_FATAL(put(seq) && see_counted(1));
	rtap_rx_queue_stop(&unit_dev, 0);
	CU_ASSERT_EQUAL(rtap_sqpoll_rx_queue_count(rxq), 0);
	CU_ASSERT(rx_is_done(0));
	CU_ASSERT(!rtap_sqpoll_rx_is_ready(rxq));
}

/* To count comes to rest as well, and a queue that is only counted sees what comes. */
static void
test_rx_count_idle(void)
{
	uint32_t seq;

	for (seq = 0; seq < 20; seq++) {
		CU_ASSERT_FATAL(UNTIL(rtap_sqpoll_rx_queue_count(rxq) == 0 &&
			rtap_ring_is_quiet(&rxq->ring) && sleeps(&rxq->ring.uring)));
		CU_ASSERT_FATAL(put(seq) && see_counted(1));
		CU_ASSERT_FATAL(take(seq, 1));
	}
}

/*
 * Tx
 */

/* In order, each once, and counted when they have been sent. */
static void
test_tx(void)
{
	uint32_t seq = 0, got = 0;
	uint64_t bytes = 0;

	while (got < 3000) {
		struct rte_mbuf *pkts[40];
		unsigned int i, n = 1 + seq % RTE_DIM(pkts), sent;

		for (i = 0; i < n; i++)
			pkts[i] = frame_mbuf(seq + i);
		sent = rtap_sqpoll_tx_burst(txq, pkts, n);
		rte_pktmbuf_free_bulk(&pkts[sent], n - sent);
		seq += sent;
		for (; got < seq; got++) {
			CU_ASSERT_EQUAL_FATAL(await(), got);
			bytes += frame_len(got);
		}
	}
	CU_ASSERT(UNTIL(finished(seq)));
	CU_ASSERT_EQUAL(txq->stats.packets, seq);
	CU_ASSERT_EQUAL(txq->stats.bytes, bytes);
	CU_ASSERT_EQUAL(txq->stats.write_errors, 0);
}

/* A packet leaves although no call follows, whether the thread sleeps or not. */
static void
test_tx_sparse(void)
{
	uint32_t seq;

	for (seq = 0; seq < 60; seq++) {
		if (seq % 2 == 0)
			CU_ASSERT_FATAL(UNTIL(sleeps(&txq->ring.uring)));
		CU_ASSERT_FATAL(give_surely(frame_mbuf(seq)));
		CU_ASSERT_EQUAL(await(), seq);
	}
	CU_ASSERT_EQUAL(txq->stats.packets, 59);
	CU_ASSERT(UNTIL(finished(60)));
}

/* So do bursts, in order. */
static void
test_tx_bursts(void)
{
	struct rte_mbuf *pkts[NB_DESC];
	uint32_t seq = 0, got = 0;
	unsigned int turn, i;

	for (turn = 0; turn < 60; turn++) {
		if (turn % 2 == 0)
			CU_ASSERT_FATAL(UNTIL(sleeps(&txq->ring.uring)));
		for (i = 0; i <= turn; i++)
			pkts[i] = frame_mbuf(seq++);
		CU_ASSERT_FATAL(give_all(pkts, i));
		for (; got < seq; got++)
			CU_ASSERT_EQUAL_FATAL(await(), got);
	}
	CU_ASSERT(UNTIL(finished(seq)));
	CU_ASSERT_EQUAL(txq->stats.packets, seq);
}

/* A burst may take more than a chain: it waits for the one before, if the thread is fast enough. */
static void
test_tx_chains(void)
{
	unsigned int n = 0, i, turn;

	for (turn = 0; n <= CHAIN && turn < PATIENCE; turn++) {
		n = give_burst(0, NB_DESC);
		for (i = 0; i < n; i++)
			CU_ASSERT_EQUAL_FATAL(await(), i);
	}
	CU_ASSERT(n > CHAIN);
}

/* The other end makes room later, and no call follows. */
static void
test_tx_room_later(void)
{
	static const int size = 1;
	unsigned int n, i, filled = 0;
	uint8_t byte = 0;

	CU_ASSERT_EQUAL(setsockopt(unit_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	while (send(unit_fd, &byte, 1, 0) == 1)
		filled++;
	n = give_burst(0, NB_DESC);
	CU_ASSERT_EQUAL(n, room());
	CU_ASSERT_FATAL(UNTIL(sleeps(&txq->ring.uring)));
	for (; filled > 0; filled--)
		CU_ASSERT_EQUAL(recv(unit_peer, &byte, 1, 0), 1);
	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL_FATAL(await(), i);
	CU_ASSERT(UNTIL(finished(n)));
	CU_ASSERT_EQUAL(txq->stats.packets, n);
}

/* What the kernel refuses for good is counted, and the others leave without another call. */
static void
test_tx_refused_for_good(void)
{
	static const uint8_t large[8000];
	static const int size = 1;
	struct rte_mbuf *pkts[6];
	unsigned int i;

	CU_ASSERT_EQUAL(setsockopt(unit_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	unit_dev.data->mtu = sizeof(large);
	for (i = 0; i < RTE_DIM(pkts); i++)
		pkts[i] = i == 1 || i == 3 ? unit_mbuf(pool, large, sizeof(large), 2048, 2048) :
			frame_mbuf(i);
	CU_ASSERT_FATAL(give_all(pkts, RTE_DIM(pkts)));
	CU_ASSERT_EQUAL(await(), 0);
	CU_ASSERT_EQUAL(await(), 2);
	CU_ASSERT_EQUAL(await(), 4);
	CU_ASSERT_EQUAL(await(), 5);
	CU_ASSERT(UNTIL(finished(RTE_DIM(pkts))));
	CU_ASSERT_EQUAL(txq->stats.write_errors, 2);
}

/*
 * The other end is slow, and has room for a few: each packet arrives once, in order if that was
 * asked for, and what the queue cannot take stays with the caller.
 */
static void
test_tx_back_pressure(void)
{
	static const int size = 1;
	static uint8_t seen[1000];
	uint32_t seq = 0, got = 0, next;
	unsigned int turn, nb_left = 0;

	memset(seen, 0, sizeof(seen));
	CU_ASSERT_EQUAL(setsockopt(unit_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	for (turn = 0; got < RTE_DIM(seen) && turn < PATIENCE; turn++) {
		struct rte_mbuf *m = NULL;

		while (seq < RTE_DIM(seen) && (m = frame_mbuf(seq), give(m)))
			seq++;
		if (seq < RTE_DIM(seen)) {
			rte_pktmbuf_free(m);
			nb_left++;
		}
		rtap_sqpoll_tx_done_cleanup(txq, 0);
		CU_ASSERT_FATAL(seq - txq->stats.packets <= NB_DESC);
		if ((next = receive()) == UINT32_MAX) {
			usleep(100);
			continue;
		}
		UNIT_ASSERT_AT(next < RTE_DIM(seen) && seen[next]++ == 0, next);
		CU_ASSERT(!ordered || next == got);
		got++;
	}
	CU_ASSERT_EQUAL(got, RTE_DIM(seen));
	CU_ASSERT(UNTIL(finished(RTE_DIM(seen))));
	CU_ASSERT(nb_left > 0);
	CU_ASSERT_EQUAL(txq->stats.backpressure, nb_left);
	CU_ASSERT_EQUAL(txq->stats.packets, RTE_DIM(seen));
	CU_ASSERT_EQUAL(txq->stats.write_errors, 0);
}

/* With room for all, all are sent. */
static void
test_tx_stop_with_room(void)
{
	uint32_t seq, n = give_burst(0, NB_DESC);

	CU_ASSERT(n >= room());
	rtap_tx_queue_stop(&unit_dev, 0);
	CU_ASSERT_EQUAL(txq->stats.packets, n);
	CU_ASSERT_EQUAL(txq->stats.write_errors, 0);
	for (seq = 0; seq < n; seq++)
		CU_ASSERT_EQUAL(receive(), seq);
}

/* Packets that cannot leave any more are counted, the others were sent. */
static void
test_tx_stop(void)
{
	static const int size = 1;
	unsigned int turn;
	uint32_t seq = 0;

	CU_ASSERT_EQUAL(setsockopt(unit_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	for (turn = 0; turn < 50; turn++) {
		uint32_t first = seq;
		uint64_t before = txq->stats.packets + txq->stats.write_errors;
		uint64_t sent = txq->stats.packets;
		struct rte_mbuf *m;

		seq += give_burst(seq, RTE_MIN(2 * turn, (unsigned int)NB_DESC));
		rtap_tx_queue_stop(&unit_dev, 0);
		CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), 0);
		UNIT_ASSERT_AT(txq->stats.packets + txq->stats.write_errors - before ==
			seq - first, turn);
		for (sent = txq->stats.packets - sent; sent > 0; sent--)
			UNIT_ASSERT_AT(receive() != UINT32_MAX, turn);
		UNIT_ASSERT_AT(receive() == UINT32_MAX, turn);
		m = frame_mbuf(0);
		CU_ASSERT(!give(m));
		rte_pktmbuf_free(m);
		CU_ASSERT_EQUAL_FATAL(rtap_tx_queue_start(&unit_dev, 0), 0);
	}
	CU_ASSERT(txq->stats.write_errors > 0);
}

/* Packets in many pieces: their descriptions come round in a ring of their own. */
static void
test_tx_segments(void)
{
	uint32_t seq;

	for (seq = 0; seq < 1000; seq++) {
		uint32_t next;

		CU_ASSERT_FATAL(give_surely(unit_mbuf(tiny, frame_data(seq), frame_len(seq),
			1 + seq % 64, 32 + seq % 32)));
		if (seq % 3 != 0)
			continue;
		for (next = seq >= 3 ? seq - 2 : 0; next <= seq; next++)
			CU_ASSERT_EQUAL_FATAL(await(), next);
	}
	CU_ASSERT_EQUAL(seq, 1000);
}

/* What cannot be sent is counted and freed at once, and does not stop others. */
static void
test_tx_bad(void)
{
	struct rte_mbuf *pkts[3] = { frame_mbuf(1), frame_mbuf(2), frame_mbuf(3) };

	pkts[1]->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	CU_ASSERT_EQUAL(rtap_sqpoll_tx_burst(txq, pkts, 3), 3);
	CU_ASSERT_EQUAL(txq->stats.bad_offload, 1);
	CU_ASSERT_EQUAL(await(), 1);
	CU_ASSERT_EQUAL(await(), 3);
}

static void
test_tx_cleanup(void)
{
	uint32_t seq;

	for (seq = 0; seq < 10; seq++)
		CU_ASSERT_FATAL(give_surely(frame_mbuf(seq)));
	CU_ASSERT_FATAL(UNTIL(io_uring_sq_ready(&txq->ring.uring) == 0));
	seq = 10 - txq->stats.packets;
	CU_ASSERT(seq > 0);
	for (; seq > 0; seq--)
		CU_ASSERT(UNTIL(rtap_sqpoll_tx_done_cleanup(txq, 1) == 1));
	CU_ASSERT_EQUAL(rtap_sqpoll_tx_done_cleanup(txq, 0), 0);
	CU_ASSERT_EQUAL(txq->stats.packets, 10);
	for (seq = 0; seq < 10; seq++)
		CU_ASSERT_EQUAL(receive(), seq);
}

/* Read the next frame from a pipe, which does not keep frames apart: it must be that. */
static void
read_frame(int fd, uint32_t seq)
{
	size_t len = RTAP_VNET_HDR_LEN + frame_len(seq), got = 0;
	uint8_t buf[2048];
	ssize_t n;

	while (got < len && UNTIL((n = read(fd, buf + got, len - got)) > 0))
		got += n;
	CU_ASSERT_EQUAL_FATAL(got, len);
	CU_ASSERT_EQUAL_FATAL(memcmp(buf + RTAP_VNET_HDR_LEN, frame_data(seq), frame_len(seq)), 0);
}

/*
 * A pipe of one page refuses a frame for which there is no room behind what it holds, and takes
 * small ones that come after it: these must wait, in the chain of that frame and after it. Those
 * that the queue has taken leave without another call when there is room.
 */
static void
overtaking(int in, int out)
{
	static const uint8_t waiting[PAGE - ROOM];
	struct rte_mbuf *pkts[NB_SMALL + 2];
	uint8_t buf[PAGE];
	unsigned int i, n, turn;

	CU_ASSERT_EQUAL(write(in, waiting, sizeof(waiting)), sizeof(waiting));
	for (i = 0; i < RTE_DIM(pkts); i++)
		pkts[i] = frame_mbuf(SEQ_LARGE + i);
	n = rtap_sqpoll_tx_burst(txq, pkts, RTE_DIM(pkts));
	CU_ASSERT_EQUAL_FATAL(n, RTE_MIN(RTE_DIM(pkts), room()));
	for (turn = 0; turn < 10; turn++) {
		CU_ASSERT_FATAL(UNTIL(io_uring_sq_ready(&txq->ring.uring) == 0));
		rtap_sqpoll_tx_done_cleanup(txq, 0);
	}
	CU_ASSERT_EQUAL(rtap_sqpoll_tx_burst(txq, &pkts[n], RTE_DIM(pkts) - n), 0);
	CU_ASSERT_EQUAL(txq->stats.packets, 0);
	CU_ASSERT_EQUAL(txq->stats.backpressure, 2 * (RTE_DIM(pkts) - n));
	CU_ASSERT_EQUAL_FATAL(read(out, buf, sizeof(buf)), sizeof(waiting));
	for (i = 0; i < n; i++)
		read_frame(out, SEQ_LARGE + i);
	CU_ASSERT_FATAL(give_all(&pkts[n], RTE_DIM(pkts) - n));
	for (; i < RTE_DIM(pkts); i++)
		read_frame(out, SEQ_LARGE + i);
	CU_ASSERT(UNTIL(finished(RTE_DIM(pkts))));
	CU_ASSERT_EQUAL(txq->stats.packets, RTE_DIM(pkts));
}

static void
test_tx_overtaking(void)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	CU_ASSERT_EQUAL(fcntl(fds[1], F_SETPIPE_SZ, PAGE), PAGE);
	unit_queues_close();
	RTE_SWAP(fds[1], unit_fd);
	open_queues();
	overtaking(unit_fd, fds[0]);
	unit_queues_close();
	RTE_SWAP(fds[1], unit_fd);
	close(fds[0]);
	close(fds[1]);
}

/* Are the last n descriptors in use, and no others? */
static bool
tx_is_full(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < NB_DESC; i++)
		if (rtap_sqpoll_tx_descriptor_status(txq, i) != (i < NB_DESC - n ?
		    RTE_ETH_TX_DESC_DONE : RTE_ETH_TX_DESC_FULL))
			return false;
	return true;
}

/* The other end takes nothing, for a while. No call but the one under test gets packets away. */
static void
test_tx_status(void)
{
	unsigned int turn, n;
	uint8_t buf[2048];
	uint32_t done = 0;

	CU_ASSERT_EQUAL(rtap_sqpoll_tx_descriptor_status(txq, NB_DESC), -EINVAL);
	for (turn = 0; turn < 3; turn++) {
		while (send(unit_fd, buf, 1, 0) == 1)
			;
		CU_ASSERT_FATAL(tx_is_full(0));
		n = ordered ? 0 : give_burst(0, 1 + turn);
		CU_ASSERT_FATAL(tx_is_full(n));
		n += give_burst(n, NB_DESC - n);
		CU_ASSERT_EQUAL_FATAL(n, room());
		CU_ASSERT_FATAL(tx_is_full(n));
		CU_ASSERT_EQUAL(give_burst(n, 1), 0);
		done += n;
		CU_ASSERT(UNTIL((recv(unit_peer, buf, sizeof(buf), 0), tx_is_full(0))));
		CU_ASSERT_EQUAL(txq->stats.packets, done);
		while (recv(unit_peer, buf, sizeof(buf), 0) > 0)
			;
	}
	CU_ASSERT_FATAL(give(frame_mbuf(0)));
	rtap_tx_queue_stop(&unit_dev, 0);
	CU_ASSERT(tx_is_full(0));
}

/*
 * The thread
 */

/* Count the threads of that kind, and see where the last may run. */
static unsigned int
count_threads(cpu_set_t *cpus)
{
	DIR *dir = opendir("/proc/self/task");
	char path[300], comm[32];
	struct dirent *entry;
	unsigned int n = 0;
	FILE *file;

	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fgets(comm, sizeof(comm), file) != NULL && strncmp(comm, "iou-sqp", 7) == 0) {
			sched_getaffinity(atoi(entry->d_name), sizeof(*cpus), cpus);
			n++;
		}
		fclose(file);
	}
	closedir(dir);
	return n;
}

/* One for all queues, which may run anywhere although its creator may not, or where it is told. */
static void
test_thread(void)
{
	struct rtap_sqpoll_conf conf = { .on = true, .idle_ms = IDLE_MS };
	cpu_set_t all, before, one, cpus;

	CU_ASSERT_FATAL(UNTIL(count_threads(&cpus) == (per_queue ? 2 : 1)));
	unit_queues_close();
	rtap_sqpoll_close(&sqpoll);

	sched_getaffinity(0, sizeof(before), &before);
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (conf.cpu = 0; !CPU_ISSET(conf.cpu, &all); conf.cpu++)
		;
	CPU_SET(conf.cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	CU_ASSERT_FATAL(UNTIL(count_threads(&cpus) == 0));

	CU_ASSERT_EQUAL(open_thread(&conf), 0);
	CU_ASSERT(UNTIL(count_threads(&cpus) == 1 && CPU_EQUAL(&cpus, &all)));
	sched_getaffinity(0, sizeof(cpus), &cpus);
	CU_ASSERT(CPU_EQUAL(&cpus, &one));
	rtap_sqpoll_close(&sqpoll);
	CU_ASSERT_FATAL(UNTIL(count_threads(&cpus) == 0));

	sched_setaffinity(0, sizeof(before), &before);
	conf.pinned = true;
	CU_ASSERT_EQUAL(open_thread(&conf), 0);
	CU_ASSERT(UNTIL(count_threads(&cpus) == 1 && CPU_EQUAL(&cpus, &one)));
	rtap_sqpoll_close(&sqpoll);

	conf.cpu = UINT16_MAX;
	CU_ASSERT_EQUAL(open_thread(&conf), -EINVAL);
	CU_ASSERT(!sqpoll.open && !unit_caps.sqpoll);
}

/* Share the first CPU with the thread, and let it run only when this one sleeps, if that can be. */
static bool
occupy_cpu(void)
{
	const struct sched_param first = { .sched_priority = 1 };
	struct rtap_sqpoll_conf conf = { .on = true, .pinned = true, .idle_ms = IDLE_MS };
	cpu_set_t cpus;

	unit_queues_close();
	rtap_sqpoll_close(&sqpoll);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	while (!CPU_ISSET(conf.cpu, &cpus))
		conf.cpu++;
	CPU_ZERO(&cpus);
	CPU_SET(conf.cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	CU_ASSERT_EQUAL_FATAL(open_thread(&conf), 0);
	open_queues();
	return sched_setscheduler(0, SCHED_FIFO, &first) == 0;
}

/*
 * When the CPU of the thread is taken, a burst returns all the same. A queue that stops then
 * cancels a chain which is not begun, and that chain ends before the cancellation.
 */
static void
test_tx_busy_cpu(void)
{
	static const struct sched_param usual;
	static const int size = 1;
	cpu_set_t before;
	unsigned int n, i;
	bool occupied;

	sched_getaffinity(0, sizeof(before), &before);
	occupied = occupy_cpu();
	alarm(120);
	n = give_burst(0, NB_DESC);
	if (occupied)
		CU_ASSERT_EQUAL(n, CHAIN)
	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL(await(), i);
	CU_ASSERT(UNTIL(finished(n)));

	CU_ASSERT_EQUAL(setsockopt(unit_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	while (send(unit_fd, &size, 1, 0) == 1)
		;
	CU_ASSERT_EQUAL(give_burst(0, 3), 3);
	rtap_tx_queue_stop(&unit_dev, 0);
	CU_ASSERT_EQUAL(txq->stats.packets, n);
	CU_ASSERT_EQUAL(txq->stats.write_errors, 3);
	alarm(0);
	sched_setscheduler(0, SCHED_OTHER, &usual);
	sched_setaffinity(0, sizeof(before), &before);
}

/* One for each queue, which may run anywhere as well, and ends with its ring. */
static void
test_thread_per_queue(void)
{
	const struct rtap_sqpoll_conf conf = { .on = true, .per_queue = true, .idle_ms = 60000 };
	cpu_set_t all, before, one, cpus;
	unsigned int cpu;

	unit_queues_close();
	rtap_sqpoll_close(&sqpoll);
	CU_ASSERT_EQUAL_FATAL(open_thread(&conf), 0);
	CU_ASSERT(!sqpoll.open && unit_caps.sqpoll);
	CU_ASSERT_FATAL(UNTIL(count_threads(&cpus) == 0));

	sched_getaffinity(0, sizeof(before), &before);
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	sched_getaffinity(0, sizeof(all), &all);
	for (cpu = 0; !CPU_ISSET(cpu, &all); cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	open_queues();
	CU_ASSERT(UNTIL(count_threads(&cpus) == 2 && CPU_EQUAL(&cpus, &all)));
	sched_getaffinity(0, sizeof(cpus), &cpus);
	CU_ASSERT(CPU_EQUAL(&cpus, &one));
	sched_setaffinity(0, sizeof(before), &before);

	CU_ASSERT(put(1) && take(1, 1));
	CU_ASSERT(give(frame_mbuf(2)));
	CU_ASSERT_EQUAL(await(), 2);
	usleep(1500000); /* longer than threads look for work that are not told how long */
	CU_ASSERT(!sleeps(&rxq->ring.uring) && !sleeps(&txq->ring.uring));
	rtap_rx_queue_stop(&unit_dev, 0);
	CU_ASSERT(UNTIL(count_threads(&cpus) == 1));
	CU_ASSERT(give(frame_mbuf(3)));
	CU_ASSERT_EQUAL(await(), 3);
	rtap_tx_queue_stop(&unit_dev, 0);
	CU_ASSERT(UNTIL(count_threads(&cpus) == 0));
}

/* From now on, this thread cannot wake another up: io_uring_enter() says that there is none. */
static bool
lose_thread(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_enter, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IORING_ENTER_SQ_WAKEUP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOWNERDEAD),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { RTE_DIM(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

/* Like an assertion, for the child. */
#define CHECK(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "\n%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		return EXIT_FAILURE; \
	} \
} while (0)

/* Both queues go on without; of what was posted, reads are done again and writes are counted. */
static int
lose_thread_and_go_on(void)
{
	struct rte_mbuf *m;
	uint32_t seq, i;

	set_up();
	CHECK(UNTIL(rtap_sqpoll_rx_burst(rxq, &m, 1) == 0 && rtap_ring_is_quiet(&rxq->ring) &&
		sleeps(&txq->ring.uring)));
	if (!lose_thread())
		return 77;
	CHECK(give(frame_mbuf(0)));
	CHECK(!txq->ring.caps.sqpoll && txq->ring.caps.uring);
	CHECK(txq->stats.write_errors == 1 && txq->stats.packets == 0);
	CHECK(receive() == UINT32_MAX);
	for (seq = 0; seq < 20; seq++) {
		struct rte_mbuf *pkts[2] = { frame_mbuf(seq), frame_mbuf(seq + 1) };

		CHECK(rtap_sqpoll_tx_burst(txq, pkts, 2) == 2);
		CHECK(receive() == seq && receive() == seq + 1);
	}
	CHECK(txq->stats.packets == 40 && txq->stats.write_errors == 1);

	/* It awakes for the poll, but not any more for reads after it has fallen asleep. */
	for (i = 0; i < 100; i++)
		CHECK(put(i));
	CHECK(UNTIL(!rtap_ring_is_quiet(&rxq->ring) && sleeps(&rxq->ring.uring)));
	CHECK(take(0, 100));
	CHECK(rxq->stats.read_errors == 0);
	CHECK(!rxq->ring.caps.sqpoll && rxq->ring.caps.uring);
	for (; i < 200; i++)
		CHECK(put(i) && take(i, 1));

	unit_queues_close();
	CHECK(in_use() == 0);
	rtap_sqpoll_close(&sqpoll);
	return CU_get_number_of_failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * The thread is lost with a chain that it has not begun: so it says, for it does not get to run.
 * The next burst finds that out. In truth it lives, and may yet write what is not taken away.
 */
static int
lose_thread_and_chain(void)
{
	uint32_t seq;

	set_up();
	if (!occupy_cpu())
		return 77;
	CHECK(give_burst(0, 3) == 3 && io_uring_sq_ready(&txq->ring.uring) == 3);
	*txq->ring.uring.sq.kflags |= IORING_SQ_NEED_WAKEUP;
	if (!lose_thread())
		return 77;
	give_burst(3, 1);
	CHECK(!txq->ring.caps.sqpoll && txq->ring.caps.uring);
	CHECK(txq->stats.write_errors + txq->stats.packets == 3);
	CHECK(give_burst(4, 1) == 1);
	while ((seq = receive()) < 3)
		;
	CHECK(seq == 4);
	unit_queues_close();
	CHECK(in_use() == 0);
	return EXIT_SUCCESS;
}

static void
lose(int (*how)(void))
{
	pid_t pid;
	int status = 0;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		status = how();
		fflush(NULL);
		_exit(status);
	}
	CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		printf("(no seccomp or SCHED_FIFO here) ");
	else
		CU_ASSERT_EQUAL(WEXITSTATUS(status), EXIT_SUCCESS);
}

static void
test_lost_thread(void)
{
	lose(lose_thread_and_go_on);
}

static void
test_lost_chain(void)
{
	lose(lose_thread_and_chain);
}

/* A TAP file that is attached to no interface says -EBADFD: that is the end of it, for both. */
static void
test_detached(void)
{
	struct rte_mbuf *m;
	int fd = unit_open_tun();
	uint32_t seq;

	if (fd < 0)
		return;
	unit_queues_close();
	RTE_SWAP(fd, unit_fd);
	open_queues();
	CU_ASSERT(UNTIL(rtap_sqpoll_rx_burst(rxq, &m, 1) == 0 && rxq->ring.gone));
	CU_ASSERT(rtap_ring_is_quiet(&rxq->ring));
	for (seq = 0; seq < 20; seq++)
		CU_ASSERT(give_surely(frame_mbuf(seq)));
	CU_ASSERT(UNTIL(finished(20)));
	CU_ASSERT_EQUAL(txq->stats.link_down, 20);
	unit_queues_close();
	RTE_SWAP(fd, unit_fd);
	close(fd);
}

static bool
probe(void)
{
	const struct rtap_sqpoll_conf conf = { .on = true, .idle_ms = IDLE_MS };
	const char *reason;
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) != 0)
		return false;
	ret = rtap_ring_probe(fds[0], RTAP_IO_URING, &probed, &reason);
	close(fds[0]);
	close(fds[1]);
	if (ret == 0)
		ret = open_thread(&conf);
	rtap_sqpoll_close(&sqpoll);
	if (ret != 0)
		printf("SKIPPED: no SQPOLL here: %s\n", strerror(-ret));
	return ret == 0;
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "Rx", test_rx },
		{ "Rx idle", test_rx_idle },
		{ "Rx stop", test_rx_stop },
		{ "Rx stop while the MTU changes", test_rx_stop_locked },
		{ "Rx with an empty pool", test_rx_empty_pool },
		{ "Rx counted", test_rx_count },
		{ "Rx counted idle", test_rx_count_idle },
		{ "Tx", test_tx },
		{ "Tx sparse", test_tx_sparse },
		{ "Tx bursts", test_tx_bursts },
		{ "Tx refused for good", test_tx_refused_for_good },
		{ "Tx back-pressure", test_tx_back_pressure },
		{ "Tx stop", test_tx_stop },
		{ "Tx stop with room", test_tx_stop_with_room },
		{ "Tx segments", test_tx_segments },
		{ "Tx of bad packets", test_tx_bad },
		{ "Tx cleanup", test_tx_cleanup },
		{ "Tx descriptor status", test_tx_status },
		{ "detached file", test_detached },
		{ "thread", test_thread },
		{ "thread for each queue", test_thread_per_queue },
		{ "lost thread", test_lost_thread },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo ordered_tests[] = {
		{ "Tx", test_tx },
		{ "Tx sparse", test_tx_sparse },
		{ "Tx bursts", test_tx_bursts },
		{ "Tx of several chains", test_tx_chains },
		{ "Tx overtaking", test_tx_overtaking },
		{ "Tx with room later", test_tx_room_later },
		{ "Tx refused for good", test_tx_refused_for_good },
		{ "Tx back-pressure", test_tx_back_pressure },
		{ "Tx stop", test_tx_stop },
		{ "Tx stop with room", test_tx_stop_with_room },
		{ "Tx segments", test_tx_segments },
		{ "Tx of bad packets", test_tx_bad },
		{ "Tx cleanup", test_tx_cleanup },
		{ "Tx descriptor status", test_tx_status },
		{ "detached file", test_detached },
		{ "lost thread", test_lost_thread },
		{ "lost thread and chain", test_lost_chain },
		{ "busy CPU", test_tx_busy_cpu },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "SQPOLL", enter_plain, NULL, set_up, tear_down, tests },
		{ "SQPOLL without RWF_NOWAIT", enter_waiting, NULL, set_up, tear_down, tests },
		{ "SQPOLL in order", enter_ordered, NULL, set_up, tear_down, ordered_tests },
		{ "SQPOLL in order without RWF_NOWAIT", enter_ordered_waiting, NULL, set_up,
			tear_down, ordered_tests },
		{ "SQPOLL for each queue", enter_per_queue, NULL, set_up, tear_down, tests },
		{ "SQPOLL for each queue, in order", enter_per_queue_ordered, NULL, set_up,
			tear_down, ordered_tests },
		CU_SUITE_INFO_NULL,
	};

	signal(SIGPIPE, SIG_IGN);
	unit_eal_init();
	pool = unit_pool("pool", NB_MBUFS, 2048 + RTE_PKTMBUF_HEADROOM);
	tiny = unit_pool("tiny", NB_MBUFS, 64 + RTE_PKTMBUF_HEADROOM);
	return probe() ? unit_run(suites) : 77;
}
