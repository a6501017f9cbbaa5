/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Tx queues with SQPOLL whose other end has room: each packet leaves once, in order, although no
 * call follows.
 */

#include <sys/socket.h>

#include "unit_sqpoll.h"

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
	/* The last call may have come before the result of the packet before. */
	CU_ASSERT(txq->stats.packets >= 58);
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

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "Tx", test_tx },
		{ "Tx sparse", test_tx_sparse },
		{ "Tx bursts", test_tx_bursts },
		{ "Tx refused for good", test_tx_refused_for_good },
		{ "Tx segments", test_tx_segments },
		{ "Tx of bad packets", test_tx_bad },
		{ "Tx cleanup", test_tx_cleanup },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo ordered_tests[] = {
		{ "Tx", test_tx },
		{ "Tx sparse", test_tx_sparse },
		{ "Tx bursts", test_tx_bursts },
		{ "Tx of several chains", test_tx_chains },
		{ "Tx refused for good", test_tx_refused_for_good },
		{ "Tx segments", test_tx_segments },
		{ "Tx of bad packets", test_tx_bad },
		{ "Tx cleanup", test_tx_cleanup },
		CU_TEST_INFO_NULL,
	};

	return unit_sqpoll_run(tests, ordered_tests);
}
