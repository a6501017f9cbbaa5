/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "unit_sqpoll.h"

struct unit_sqpoll_mode mode;
struct rtap_sqpoll sqpoll;
struct rte_mempool *pool;
struct rte_mempool *tiny;
struct rtap_rxq *rxq;
struct rtap_txq *txq;

static struct rtap_ring_caps probed;
static const struct virtio_net_hdr_v1 no_hdr;
static unsigned int nb_fds;

/*
 * Modes
 */

static int
enter(bool waits, bool ordered, bool per_queue)
{
	mode = (struct unit_sqpoll_mode){ waits, ordered, per_queue };
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

unsigned int
room(void)
{
	return mode.ordered && !mode.per_queue ? CHAIN : NB_DESC;
}

unsigned int
in_use(void)
{
	return rte_mempool_in_use_count(pool) + rte_mempool_in_use_count(tiny);
}

int
open_thread(const struct rtap_sqpoll_conf *conf)
{
	unit_caps = probed;
	unit_caps.ordered = mode.ordered;
	if (mode.waits) {
		unit_caps.rw_flags = 0;
		unit_caps.uring_reads = false;
	}
	return rtap_sqpoll_open(&sqpoll, conf, &unit_caps);
}

void
open_queues(void)
{
	unit_dev_init();
	rxq = unit_rxq_open(pool, NB_DESC, 0);
	txq = unit_txq_open(NB_DESC);
	CU_ASSERT_FATAL(rxq != NULL && txq != NULL);
}

void
set_up(void)
{
	const struct rtap_sqpoll_conf conf = {
		.on = true,
		.per_queue = mode.per_queue,
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

uint32_t
frame_len(uint32_t seq)
{
	return 60 + seq * 7 % 1400;
}

const uint8_t *
frame_data(uint32_t seq)
{
	static uint8_t data[1500];

	memset(data, seq, sizeof(data));
	unit_put16(&data[12], 0x88b5);
	memcpy(&data[14], &seq, sizeof(seq));
	return data;
}

struct rte_mbuf *
frame_mbuf(uint32_t seq)
{
	return unit_mbuf(pool, frame_data(seq), frame_len(seq), frame_len(seq), 1);
}

bool
put(uint32_t seq)
{
	return unit_frame_send(&no_hdr, frame_data(seq), frame_len(seq));
}

uint32_t
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

uint32_t
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

bool
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

bool
give(struct rte_mbuf *m)
{
	return rtap_sqpoll_tx_burst(txq, &m, 1) == 1;
}

bool
give_all(struct rte_mbuf **pkts, unsigned int n)
{
	unsigned int given = 0;

	return UNTIL((given += rtap_sqpoll_tx_burst(txq, &pkts[given], n - given)) == n);
}

bool
give_surely(struct rte_mbuf *m)
{
	return give_all(&m, 1);
}

unsigned int
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

bool
finished(unsigned int n)
{
	rtap_sqpoll_tx_done_cleanup(txq, 0);
	return txq->stats.packets + txq->stats.write_errors + txq->stats.link_down == n;
}

bool
sleeps(const struct io_uring *uring)
{
	return (IO_URING_READ_ONCE(*uring->sq.kflags) & IORING_SQ_NEED_WAKEUP) != 0;
}

/*
 * The thread
 */

bool
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
unit_sqpoll_run(CU_TestInfo *tests, CU_TestInfo *ordered_tests)
{
	const struct {
		const char *name;
		CU_InitializeFunc enter;
		CU_TestInfo *tests;
	} modes[] = {
		{ "SQPOLL", enter_plain, tests },
		{ "SQPOLL without RWF_NOWAIT", enter_waiting, tests },
		{ "SQPOLL in order", enter_ordered, ordered_tests },
		{ "SQPOLL in order without RWF_NOWAIT", enter_ordered_waiting, ordered_tests },
		{ "SQPOLL for each queue", enter_per_queue, tests },
		{ "SQPOLL for each queue, in order", enter_per_queue_ordered, ordered_tests },
	};
	CU_SuiteInfo suites[RTE_DIM(modes) + 1] = {0};
	unsigned int i, n = 0;

	for (i = 0; i < RTE_DIM(modes); i++)
		if (modes[i].tests != NULL)
			suites[n++] = (CU_SuiteInfo){ modes[i].name, modes[i].enter, NULL, set_up,
				tear_down, modes[i].tests };
	signal(SIGPIPE, SIG_IGN);
	unit_eal_init();
	pool = unit_pool("pool", NB_MBUFS, 2048 + RTE_PKTMBUF_HEADROOM);
	tiny = unit_pool("tiny", NB_MBUFS, 64 + RTE_PKTMBUF_HEADROOM);
	return probe() ? unit_run(suites) : 77;
}
