/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_rx.c: counting what waits, by reading ahead. rtap_intr.c: what to monitor. */

#include <errno.h>
#include <unistd.h>

#include <rte_mempool.h>
#include <rte_power_intrinsics.h>

#include "unit_rx.h"

#define NB_DESC 1023

static void
open_queue(struct rte_mempool *pool, uint16_t nb_desc, uint64_t offloads)
{
	rxq = unit_rxq_open(pool, nb_desc, offloads);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
}

/* Take the frames [first, end) in bursts of up to max; nothing else comes. */
static void
take_all(uint32_t first, uint32_t end, unsigned int max)
{
	unsigned int n, i;

	while (first < end) {
		n = rtap_rx_burst(rxq, pkts, max);
		UNIT_ASSERT_AT(n > 0 && n <= max && n <= end - first, first);
		if (n == 0)
			return;
		for (i = 0; i < n; i++, first++) {
			UNIT_ASSERT_AT(is_frame(pkts[i], first, 18 + first % 900), first);
			rte_pktmbuf_free(pkts[i]);
		}
	}
	CU_ASSERT(is_empty());
}

static void
put_all(uint32_t first, uint32_t end)
{
	for (; first < end; first++)
		CU_ASSERT_FATAL(put(first, 18 + first % 900));
}

/* All that waits, up to the slots of the queue; as often as it is asked. */
static void
test_count(void)
{
	unsigned int n, i;
	uint32_t seq = 0;

	open_queue(usual, NB_DESC, 0);
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 0);
	for (n = 0; n < 100; n += 1 + n / 8) {
		put_all(seq, seq + n);
		for (i = 0; i < 3; i++)
			UNIT_ASSERT_AT(rtap_rx_queue_count(rxq) ==
				RTE_MIN((int)n, RTAP_BURST_MAX), n);
		CU_ASSERT_EQUAL(rxq->stats.packets, seq);
		take_all(seq, seq + n, 1 + n % 9);
		seq += n;
		CU_ASSERT_EQUAL(rxq->stats.packets, seq);
		CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 0);
	}
}

/* Frames that come later are counted as well, and order is kept whatever is called when. */
static void
test_count_and_take(void)
{
	uint32_t state = 5, put_seq = 0, seq = 0;
	unsigned int turn, n, i;

	open_queue(odd, NB_DESC, SCATTER);
	for (turn = 0; turn < 3000; turn++) {
		unsigned int waiting = put_seq - seq, more = unit_random(&state) % 8;

		if (waiting + more < 80) {
			put_all(put_seq, put_seq + more);
			put_seq += more;
			waiting += more;
		}
		if (unit_random(&state) % 3 != 0)
			UNIT_ASSERT_AT(rtap_rx_queue_count(rxq) <= (int)waiting, turn);
		n = rtap_rx_burst(rxq, pkts, unit_random(&state) % 10);
		for (i = 0; i < n; i++, seq++) {
			UNIT_ASSERT_AT(is_frame(pkts[i], seq, 18 + seq % 900), seq);
			rte_pktmbuf_free(pkts[i]);
		}
	}
	take_all(seq, put_seq, BURST);
	CU_ASSERT_EQUAL(rxq->stats.packets, put_seq);
}

/* Three were counted and one taken: all that wait now are counted. */
static void
test_count_grows(void)
{
	open_queue(usual, NB_DESC, 0);
	put_all(0, 3);
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 3);
	put_all(3, 10);
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 10);
	CU_ASSERT(take(0, 18));
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 9);
	take_all(1, 10, 4);
}

static void
test_status(void)
{
	unsigned int n;

	open_queue(usual, NB_DESC, 0);
	for (n = 0; n < 4; n++) {
		uint16_t offset;

		put_all(n, n + 1);
		/* The last first: nothing has been read yet. */
		CU_ASSERT_EQUAL(rtap_rx_descriptor_status(rxq, n), RTE_ETH_RX_DESC_DONE);
		for (offset = 0; offset <= n; offset++)
			CU_ASSERT_EQUAL(rtap_rx_descriptor_status(rxq, offset),
				RTE_ETH_RX_DESC_DONE);
		for (; offset < RTAP_BURST_MAX; offset++)
			CU_ASSERT_EQUAL(rtap_rx_descriptor_status(rxq, offset),
				RTE_ETH_RX_DESC_AVAIL);
		for (; offset < NB_DESC; offset++)
			CU_ASSERT_EQUAL(rtap_rx_descriptor_status(rxq, offset),
				RTE_ETH_RX_DESC_UNAVAIL);
		CU_ASSERT_EQUAL(rtap_rx_descriptor_status(rxq, NB_DESC), -EINVAL);
		CU_ASSERT_EQUAL(rtap_rx_descriptor_status(rxq, UINT16_MAX), -EINVAL);
	}
	take_all(0, 4, BURST);
	CU_ASSERT_EQUAL(rtap_rx_descriptor_status(rxq, 0), RTE_ETH_RX_DESC_AVAIL);
}

/* A frame that has to be dropped does not end a burst that has more. */
static void
test_bad(void)
{
	const struct virtio_net_hdr_v1 bad = { .gso_type = 77 };
	unsigned int turn, i;

	open_queue(usual, NB_DESC, 0);
	for (turn = 0; turn < 64; turn++) {
		for (i = 0; i < 6; i++)
			CU_ASSERT_FATAL((turn >> i & 1) != 0 ? put(turn, 700) :
				unit_frame_send(&bad, frame_data(i, 700), 700));
		CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 6);
		for (i = 0; i < 6; i++)
			if ((turn >> i & 1) != 0)
				UNIT_ASSERT_AT(take(turn, 700), turn);
		CU_ASSERT(is_empty());
		CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 0);
	}
	CU_ASSERT_EQUAL(rxq->stats.bad_header, 64 * 3);
}

/* A burst of none leaves all, and a queue that stops gives the mbufs back, and says so. */
static void
test_stop(void)
{
	open_queue(usual, NB_DESC, 0);
	put_all(0, 40);
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 40);
	CU_ASSERT_EQUAL(rtap_rx_burst(rxq, pkts, 0), 0);
	CU_ASSERT(take(0, 18));
	CU_ASSERT_EQUAL(rtap_rx_queue_stop(&unit_dev, 0), 0);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(usual), NB_MBUFS);
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 0);
	CU_ASSERT(is_empty());
	CU_ASSERT_EQUAL(rtap_rx_queue_start(&unit_dev, 0), 0);
	CU_ASSERT(goes_through(40, 60));
	CU_ASSERT_EQUAL(rxq->stats.packets, 2);
	CU_ASSERT_EQUAL(rxq->stats.discarded, 39);
	CU_ASSERT_EQUAL(rtap_rx_queue_stop(&unit_dev, 0), 0);
	CU_ASSERT_EQUAL(rxq->stats.discarded, 39);
}

/* Frames that were read ahead stay as they are while the room for others grows. */
static void
test_mtu_grows(void)
{
	uint32_t seq;

	open_queue(small, NB_DESC, SCATTER);
	for (seq = 0; seq < 20; seq++)
		CU_ASSERT_FATAL(put(seq, 1500));
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 20);
	set_mtu(9000);
	for (; seq < 25; seq++)
		CU_ASSERT_FATAL(put(seq, 9000));
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 25);
	for (seq = 0; seq < 25; seq++)
		UNIT_ASSERT_AT(take(seq, seq < 20 ? 1500 : 9000), seq);
	CU_ASSERT(is_empty());
	CU_ASSERT_EQUAL(rxq->stats.truncated, 0);
}

/* What there are no buffers for is not counted, and not lost. */
static void
test_empty_pool(void)
{
	uint32_t seq;
	int n;

	open_queue(few, NB_DESC, SCATTER);
	for (seq = 0; seq < 40; seq++)
		CU_ASSERT_FATAL(put(seq, 60));
	n = rtap_rx_queue_count(rxq);
	CU_ASSERT(n > 0 && n < 15);
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), n);
	CU_ASSERT(rxq->stats.nombuf > 0);
	for (seq = 0; seq < 40; seq++)
		UNIT_ASSERT_AT(take(seq, 60), seq);
	CU_ASSERT(is_empty());
}

/* A read that failed is no packet. */
static void
test_detached(void)
{
	int fd = unit_open_tun();
	unsigned int i;

	if (fd < 0)
		return;
	open_queue(usual, NB_DESC, 0);
	rtap_ring_close(&rxq->ring);
	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&rxq->ring, &unit_caps, &fd, 1), 0);
	for (i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 0);
	CU_ASSERT(is_empty());
	CU_ASSERT_EQUAL(rxq->stats.read_errors, 0);
	rtap_ring_close(&rxq->ring);
	close(fd);
}

/* To ask an idle queue again and again costs no system call. */
static void
test_idle(void)
{
	uint64_t enters;
	unsigned int i;

	open_queue(usual, NB_DESC, 0);
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 0);
	enters = rxq->ring.stats.enters;
	for (i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 0);
		CU_ASSERT_EQUAL(rtap_rx_descriptor_status(rxq, 0), RTE_ETH_RX_DESC_AVAIL);
	}
	if (unit_mode->uring)
		CU_ASSERT_EQUAL(rxq->ring.stats.enters, enters);
	put_all(0, 1);
	for (i = 0; i < 1000000 && rtap_rx_queue_count(rxq) == 0; i++)
		getppid(); /* without an owner, the kernel tells when it is called */
	CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 1);
	CU_ASSERT(take(0, 18));
}

/*
 * Power-aware polling
 */

static uint32_t
monitored(const struct rte_power_monitor_cond *cond)
{
	return *(volatile uint32_t *)cond->addr;
}

/* The word changes when a frame arrives; until then, and not after, it is right to sleep. */
static void
test_monitor(void)
{
	struct rte_power_monitor_cond cond;
	uint32_t before, seq;
	unsigned int i;

	open_queue(usual, NB_DESC, 0);
	CU_ASSERT_EQUAL(rtap_get_monitor_addr(rxq, &cond), unit_mode->uring ? 0 : -ENOTSUP);
	if (!unit_mode->uring)
		return;
	CU_ASSERT_EQUAL(cond.size, sizeof(uint32_t));
	/* Nobody has looked yet whether there is something. */
	CU_ASSERT_EQUAL(cond.fn(monitored(&cond), cond.opaque), -1);
	for (seq = 0; seq < 20; seq++) {
		CU_ASSERT(is_empty());
		CU_ASSERT(is_empty());
		CU_ASSERT_EQUAL(rtap_get_monitor_addr(rxq, &cond), 0);
		before = monitored(&cond);
		CU_ASSERT_EQUAL(cond.fn(before, cond.opaque), 0);
		put_all(seq, seq + 1);
		for (i = 0; i < 1000000 && monitored(&cond) == before; i++)
			getppid();
		UNIT_ASSERT_AT(monitored(&cond) != before, seq);
		CU_ASSERT_EQUAL(cond.fn(monitored(&cond), cond.opaque), -1);
		/* Nor while frames have been read ahead. */
		if (seq % 2 == 0)
			CU_ASSERT_EQUAL(rtap_rx_queue_count(rxq), 1);
		CU_ASSERT_EQUAL(cond.fn(monitored(&cond), cond.opaque), -1);
		CU_ASSERT(take(seq, 18 + seq % 900));
	}
	CU_ASSERT_EQUAL(rtap_rx_queue_stop(&unit_dev, 0), 0);
	CU_ASSERT_EQUAL(rtap_get_monitor_addr(rxq, &cond), -ENOTSUP);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "count", test_count },
		{ "count and take", test_count_and_take },
		{ "count grows", test_count_grows },
		{ "descriptor status", test_status },
		{ "bad among good", test_bad },
		{ "stopped", test_stop },
		{ "MTU grows", test_mtu_grows },
		{ "empty pool", test_empty_pool },
		{ "detached file", test_detached },
		{ "idle", test_idle },
		{ "monitor", test_monitor },
		CU_TEST_INFO_NULL,
	};

	return unit_rx_run(tests);
}
