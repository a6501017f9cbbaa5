/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Rx queues with SQPOLL: each frame once and in order, at rest when there is none, counted.
 */

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "unit_sqpoll.h"

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
	n = RTE_MIN(n, mode.waits ? 1U : NB_DESC);
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
		CU_TEST_INFO_NULL,
	};

	return unit_sqpoll_run(tests, NULL);
}
