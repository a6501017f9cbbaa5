/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Tx queues with SQPOLL whose other end has no room, or makes it late: packets wait, are not
 * overtaken where order is kept, stay with the caller, or are given up when the queue stops.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "unit_sqpoll.h"

/* Two large frames, and small ones that follow: see frame_len(). A few of these fit in the room. */
#define SEQ_LARGE 198
#define NB_SMALL 20
#define PAGE 4096
#define ROOM 800

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
		CU_ASSERT(!mode.ordered || next == got);
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
		n = mode.ordered ? 0 : give_burst(0, 1 + turn);
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

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "Tx back-pressure", test_tx_back_pressure },
		{ "Tx stop", test_tx_stop },
		{ "Tx stop with room", test_tx_stop_with_room },
		{ "Tx descriptor status", test_tx_status },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo ordered_tests[] = {
		{ "Tx overtaking", test_tx_overtaking },
		{ "Tx with room later", test_tx_room_later },
		{ "Tx back-pressure", test_tx_back_pressure },
		{ "Tx stop", test_tx_stop },
		{ "Tx stop with room", test_tx_stop_with_room },
		{ "Tx descriptor status", test_tx_status },
		CU_TEST_INFO_NULL,
	};

	return unit_sqpoll_run(tests, ordered_tests);
}
