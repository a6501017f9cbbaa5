/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_rx.c: a queue in use, with and without buffers, quiet and busy. */

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "unit_rx.h"

/* A frame that has to be dropped leaves no hole among the others. */
static void
test_bad_among_good(void)
{
	const struct virtio_net_hdr_v1 bad = { .gso_type = 77 };
	unsigned int turn, i, n;

	rxq = unit_rxq_open(small, 1023, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (turn = 0; turn < 64; turn++) {
		unsigned int good = 0, expected = 0, seq = 0;

		for (i = 0; i < 6; i++) {
			CU_ASSERT_FATAL((turn >> i & 1) != 0 ? put(i, 700) :
				unit_frame_send(&bad, frame_data(i, 700), 700));
			expected += turn >> i & 1;
		}
		do {
			n = rtap_rx_burst(rxq, pkts, BURST);
			for (i = 0; i < n; i++, seq++) {
				while ((turn >> seq & 1) == 0 && seq < 6)
					seq++;
				UNIT_ASSERT_AT(is_frame(pkts[i], seq, 700), turn);
				rte_pktmbuf_free(pkts[i]);
				good++;
			}
		} while (rxq->stats.packets + rxq->stats.bad_header < 6 * (turn + 1));
		UNIT_ASSERT_AT(good == expected, turn);
		CU_ASSERT(is_empty());
	}
	CU_ASSERT_EQUAL(rxq->stats.packets, 6 * 32);
}

/*
 * Buffers that are not there
 */

static void
test_empty_pool(void)
{
	static struct rte_mbuf *taken[NB_MBUFS];
	unsigned int turn, n;
	uint64_t nombuf = 0;

	rxq = unit_rxq_open(few, 4096, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (turn = 0; turn < 20; turn++) {
		for (n = 0; rte_pktmbuf_alloc_bulk(few, &taken[n], 1) == 0; n++)
			;
		CU_ASSERT(put(turn, 1500));
		/* One frame more than there are buffers for: what is left of the last turn. */
		while (rtap_rx_burst(rxq, pkts, 1) == 1) {
			CU_ASSERT(is_frame(pkts[0], turn, 1500));
			taken[n++] = pkts[0];
			CU_ASSERT(put(turn, 1500));
		}
		UNIT_ASSERT_AT(rxq->stats.nombuf > nombuf, turn);
		nombuf = rxq->stats.nombuf;
		CU_ASSERT_EQUAL(rtap_rx_burst(rxq, pkts, BURST), 0);
		rte_pktmbuf_free_bulk(taken, n);
		UNIT_ASSERT_AT(take(turn, 1500), turn);
		CU_ASSERT(is_empty());
	}
}

/* The pool has little more than one frame takes: slots are filled by halves, again and again. */
static void
test_poor_pool(void)
{
	struct rte_mbuf *held[16];
	unsigned int seq, n, i, nb_held = 0;
	uint32_t next = 0;

	rxq = unit_rxq_open(few, 4096, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (seq = 0; seq < 2000; seq++) {
		CU_ASSERT_FATAL(put(seq, 18 + seq * 37 % 1500));
		n = rtap_rx_burst(rxq, &held[nb_held], 8);
		for (i = 0; i < n; i++, next++, nb_held++)
			UNIT_ASSERT_AT(is_frame(held[nb_held], next, 18 + next * 37 % 1500), seq);
		if (nb_held > 3 || n == 0) {
			rte_pktmbuf_free_bulk(held, nb_held);
			nb_held = 0;
		}
	}
	rte_pktmbuf_free_bulk(held, nb_held);
	for (; next < seq; next++)
		UNIT_ASSERT_AT(take(next, 18 + next * 37 % 1500), next);
	CU_ASSERT(rxq->stats.nombuf > 0);
}

/*
 * After a full burst, all slots have mbufs. The application keeps what it gets, one by one: it gets
 * all that the pool has, but for what is less than the room for a frame.
 */
static void
check_used_up(struct rte_mempool *pool, uint64_t offloads)
{
	static struct rte_mbuf *held[NB_MBUFS];
	unsigned int n, i, segs, nb_held = 0;
	uint32_t seq, next = 0;

	rxq = unit_rxq_open(pool, NB_MBUFS, offloads);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	segs = rte_atomic_load_explicit(&rxq->segs, rte_memory_order_relaxed);
	for (seq = 0; seq < 200; seq++)
		CU_ASSERT_FATAL(put(seq, 60));
	while (next < seq) {
		n = rtap_rx_burst(rxq, pkts, BURST);
		CU_ASSERT_FATAL(n > 0);
		rte_pktmbuf_free_bulk(pkts, n);
		next += n;
	}
	for (n = 1; n > 0; seq++) {
		CU_ASSERT_FATAL(put(seq, 60));
		n = rtap_rx_burst(rxq, pkts, BURST);
		for (i = 0; i < n; i++, next++) {
			UNIT_ASSERT_AT(is_frame(pkts[i], next, 60), next);
			UNIT_ASSERT_AT(pkts[i]->data_off == RTE_PKTMBUF_HEADROOM, next);
			held[nb_held++] = pkts[i];
		}
		UNIT_ASSERT_AT(n > 0 || rxq->stats.nombuf > 0, next);
	}
	CU_ASSERT_EQUAL(nb_held, NB_MBUFS - segs + 1);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool), 0);
	rte_pktmbuf_free_bulk(held, nb_held);
	/* And large ones, in mbufs that have been elsewhere. */
	CU_ASSERT(take(next, 60));
	for (next = seq; next < seq + 100; next++)
		UNIT_ASSERT_AT(goes_through(next, 1500), next);
	unit_queues_close();
	rxq = NULL;
}

static void
test_used_up(void)
{
	check_used_up(usual, 0);
	check_used_up(small, SCATTER);
	set_mtu(9000);
	check_used_up(odd, SCATTER);
}

/*
 * Queue in use
 */

/* Large and small by turns: large ones leave slots half empty, small ones nearly full. */
static void
test_mixed_sizes(void)
{
	static struct rte_mbuf *held[NB_MBUFS];
	unsigned int nb_held = 0, n, i;
	uint32_t state = 99, lens[4], seq, next = 0;

	set_mtu(9000);
	rxq = unit_rxq_open(odd, 512, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (seq = 0; seq < 5000; seq += 4) {
		for (i = 0; i < 4; i++) {
			uint32_t r = unit_random(&state);

			lens[i] = 18 + r % ((r >> 16 & 3) == 0 ? 9000 : 500);
			CU_ASSERT_FATAL(put(seq + i, lens[i]));
		}
		while (next < seq + 4) {
			n = rtap_rx_burst(rxq, &held[nb_held], 1 + unit_random(&state) % 5);
			for (i = 0; i < n; i++, next++, nb_held++)
				UNIT_ASSERT_AT(is_frame(held[nb_held], next, lens[next % 4]), seq);
			while (nb_held > unit_random(&state) % 20) {
				uint32_t which = unit_random(&state) % nb_held;

				rte_pktmbuf_free(held[which]);
				held[which] = held[--nb_held];
			}
		}
	}
	rte_pktmbuf_free_bulk(held, nb_held);
	CU_ASSERT_EQUAL(rxq->stats.packets, seq);
	CU_ASSERT_EQUAL(rxq->stats.nombuf, 0);
}

/* The MTU changes under the running queue; larger frames arrive at once. */
static void
test_mtu_grows(void)
{
	static const uint16_t mtus[] = { 1500, 9000, 68, 3000, 65535, 1500, 65535 };
	unsigned int i, turn;
	uint32_t seq = 0;

	rxq = unit_rxq_open(odd, 4096, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (turn = 0; turn < RTE_DIM(mtus); turn++) {
		uint32_t max = mtus[turn] + RTAP_ETH_OVERHEAD;

		set_mtu(mtus[turn]);
		for (i = 0; i < 30; i++, seq++)
			UNIT_ASSERT_AT(goes_through(seq, max - 50 * (i % 2)), turn * 100 + i);
	}
	CU_ASSERT_EQUAL(rxq->stats.packets, seq);
	CU_ASSERT_EQUAL(rxq->stats.truncated, 0);
}

/* The room grows, the descriptors do not: with a frame in each of a few slots the rest is free. */
static void
test_descriptors(void)
{
	const unsigned int nb_desc = 64, spare = RTAP_RX_STOCK;
	unsigned int seq, n;

	rxq = unit_rxq_open(small, nb_desc, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	set_mtu(9000);
	for (seq = 0; seq < 100; seq += n) {
		for (n = 0; n < 10; n++)
			CU_ASSERT_FATAL(put(seq + n, 60));
		for (n = 0; n < 10;) {
			unsigned int got = rtap_rx_burst(rxq, pkts, BURST);

			rte_pktmbuf_free_bulk(pkts, got);
			n += got;
		}
		while (!is_empty())
			CU_FAIL("a frame too many");
		UNIT_ASSERT_AT(rte_mempool_in_use_count(small) <= nb_desc + spare, seq);
	}
}

/* One read when quiet, the whole burst when busy. */
static void
test_adapts(void)
{
	unsigned int bursts, n, i, seq = 0, best = 0;

	rxq = unit_rxq_open(usual, 512, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (i = 0; i < 200; i++)
		CU_ASSERT_FATAL(put(i, 60));
	for (bursts = 0; seq < 200; bursts++) {
		uint64_t enters = rxq->ring.stats.enters;

		n = rtap_rx_burst(rxq, pkts, BURST);
		UNIT_ASSERT_AT(n > 0 && n <= RTAP_BURST_MAX, bursts);
		if (unit_mode->reads)
			UNIT_ASSERT_AT(rxq->ring.stats.enters == enters + 1, bursts);
		for (i = 0; i < n; i++, seq++) {
			UNIT_ASSERT_AT(is_frame(pkts[i], seq, 60), seq);
			rte_pktmbuf_free(pkts[i]);
		}
		best = RTE_MAX(best, n);
	}
	CU_ASSERT_EQUAL(best, RTAP_BURST_MAX);
	CU_ASSERT(bursts < 12);

	/* Not more than the application asks for, nor than the queue has descriptors. */
	for (i = 0; i < 50; i++)
		CU_ASSERT_FATAL(put(i, 60));
	for (seq = 0; seq < 50; seq += n) {
		n = rtap_rx_burst(rxq, pkts, 7);
		UNIT_ASSERT_AT(n > 0 && n <= 7, seq);
		rte_pktmbuf_free_bulk(pkts, n);
	}
	CU_ASSERT_EQUAL(rtap_rx_burst(rxq, pkts, 0), 0);
	unit_queues_close();
	rxq = unit_rxq_open(usual, 5, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (i = 0; i < 50; i++)
		CU_ASSERT_FATAL(put(i, 60));
	for (seq = 0; seq < 50; seq += n) {
		n = rtap_rx_burst(rxq, pkts, BURST);
		UNIT_ASSERT_AT(n > 0 && n <= 5, seq);
		rte_pktmbuf_free_bulk(pkts, n);
	}
}

/* An idle queue makes no system call, and reads little when it wakes. */
static void
test_idle(void)
{
	unsigned int i, turn;

	rxq = unit_rxq_open(usual, 512, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (turn = 0; turn < 20; turn++) {
		uint64_t enters;

		for (i = 0; i < 5; i++)
			CU_ASSERT(is_empty());
		enters = rxq->ring.stats.enters;
		for (i = 0; i < 100; i++)
			CU_ASSERT(is_empty());
		if (unit_mode->uring)
			UNIT_ASSERT_AT(rxq->ring.stats.enters == enters, turn);
		CU_ASSERT(put(turn, 60));
		for (i = 0; i < 100000 && rtap_rx_burst(rxq, pkts, BURST) == 0; i++)
			sched_yield();
		UNIT_ASSERT_AT(is_frame(pkts[0], turn, 60), turn);
		rte_pktmbuf_free(pkts[0]);
	}
}

/* While it is stopped a queue finds nothing, and does not touch the pool. */
static void
test_stopped(void)
{
	rxq = unit_rxq_open(usual, 512, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	CU_ASSERT(goes_through(0, 60));
	CU_ASSERT_EQUAL(rtap_rx_queue_stop(&unit_dev, 0), 0);
	CU_ASSERT(put(1, 60));
	CU_ASSERT_EQUAL(rte_mempool_avail_count(usual), NB_MBUFS);
	CU_ASSERT(is_empty());
	CU_ASSERT_EQUAL(rte_mempool_avail_count(usual), NB_MBUFS);
	CU_ASSERT_EQUAL(rtap_rx_queue_start(&unit_dev, 0), 0);
	CU_ASSERT(take(1, 60));
}

/* Read from another file than that of the port, which yields nothing. */
static void
read_from(int fd)
{
	unsigned int i;

	rxq = unit_rxq_open(usual, 512, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	rtap_ring_close(&rxq->ring);
	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&rxq->ring, &unit_caps, &fd, 1), 0);
	for (i = 0; i < 10; i++)
		CU_ASSERT(is_empty());
	CU_ASSERT_EQUAL(rxq->stats.packets + rxq->stats.bad_header, 0);
	rtap_ring_close(&rxq->ring);
}

/* A file without an interface is left alone. That is no error: there was nothing to read. */
static void
test_detached(void)
{
	int fd = unit_open_tun();

	if (fd < 0)
		return;
	read_from(fd);
	CU_ASSERT(rxq->ring.gone);
	CU_ASSERT_EQUAL(rxq->stats.read_errors, 0);
	close(fd);
}

/* A read that fails is counted. */
static void
test_read_error(void)
{
	int fd = open("/dev/null", O_WRONLY);

	CU_ASSERT_FATAL(fd >= 0);
	read_from(fd);
	CU_ASSERT(!rxq->ring.gone);
	CU_ASSERT(rxq->stats.read_errors >= 10);
	close(fd);
}

#define NB_RACE 20000
/* Only ends a test that hangs. */
#define RACE_SECONDS 60

static void *
sender_main(void *arg)
{
	RTE_ATOMIC(bool) *stop = arg;
	uint32_t seq;

	for (seq = 0; seq < NB_RACE; seq++)
		while (!put(seq, 18 + seq * 31 % 1480) &&
				!rte_atomic_load_explicit(stop, rte_memory_order_relaxed))
			sched_yield();
	return NULL;
}

/* Frames keep coming while a burst is under way: none is lost, none overtakes another. */
static void
test_race(void)
{
	static RTE_ATOMIC(bool) stop;
	uint32_t seq = 0, idle = 0;
	struct timespec now;
	pthread_t sender;
	time_t limit;
	unsigned int n, i;
	bool ok = true;

	rxq = unit_rxq_open(small, 512, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	rte_atomic_store_explicit(&stop, false, rte_memory_order_relaxed);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&sender, NULL, sender_main, (void *)&stop), 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	limit = now.tv_sec + RACE_SECONDS;
	while (seq < NB_RACE && now.tv_sec < limit) {
		n = rtap_rx_burst(rxq, pkts, BURST);
		for (i = 0; i < n; i++, seq++) {
			uint32_t got;

			memcpy(&got, rte_pktmbuf_mtod_offset(pkts[i], void *, 14), sizeof(got));
			ok = ok && got == seq && pkts[i]->pkt_len == 18 + seq * 31 % 1480;
			rte_pktmbuf_free(pkts[i]);
		}
		if (n == 0 && ++idle % 1024 == 0)
			clock_gettime(CLOCK_MONOTONIC, &now);
	}
	rte_atomic_store_explicit(&stop, true, rte_memory_order_relaxed);
	CU_ASSERT(ok);
	CU_ASSERT_EQUAL(seq, NB_RACE);
	pthread_join(sender, NULL);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "bad among good", test_bad_among_good },
		{ "empty pool", test_empty_pool },
		{ "poor pool", test_poor_pool },
		{ "used up pool", test_used_up },
		{ "mixed sizes", test_mixed_sizes },
		{ "MTU grows", test_mtu_grows },
		{ "descriptors", test_descriptors },
		{ "adapts to the load", test_adapts },
		{ "idle", test_idle },
		{ "stopped", test_stopped },
		{ "detached file", test_detached },
		{ "read error", test_read_error },
		{ "race", test_race },
		CU_TEST_INFO_NULL,
	};

	return unit_rx_run(tests);
}
