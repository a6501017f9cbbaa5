/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit_ring.h"

/* How long to wait for what must happen, in steps of 100 us. */
#define PATIENCE 100000

static const struct unit_mode modes[] = {
	{ "io_uring", true, true, true, true, false },
	{ "io_uring, registered memory", true, true, true, true, true },
	{ "io_uring, reads by readv", true, false, true, true, true },
	{ "io_uring without owner", true, true, false, true, true },
	{ "io_uring without RWF_NOWAIT", true, false, true, false, false },
	{ "readv/writev", false, false, false, true, true },
};

const struct unit_mode *unit_mode;
struct rtap_ring_caps unit_caps;
struct rtap_ring unit_ring;
int unit_fd;
int unit_peer;
struct rtap_req unit_reqs[RTAP_BURST_MAX];

static struct rtap_ring_caps probed;
static unsigned int nb_fds;
static struct iovec iovs[RTAP_BURST_MAX][3];
static uint8_t bufs[RTAP_BURST_MAX][PEER_BUF];

/*
 * Modes
 */

static int
enter_mode(const struct unit_mode *mode)
{
	unit_mode = mode;
	unit_caps = probed;
	unit_caps.uring = mode->uring;
	unit_caps.uring_reads = mode->reads;
	if (!mode->owned)
		unit_caps.setup_flags &= IORING_SETUP_SUBMIT_ALL;
	if (!mode->nowait)
		unit_caps.rw_flags = 0;
	return 0;
}

static int
enter_mode0(void)
{
	return enter_mode(&modes[0]);
}

static int
enter_mode1(void)
{
	return enter_mode(&modes[1]);
}

static int
enter_mode2(void)
{
	return enter_mode(&modes[2]);
}

static int
enter_mode3(void)
{
	return enter_mode(&modes[3]);
}

static int
enter_mode4(void)
{
	return enter_mode(&modes[4]);
}

static int
enter_mode5(void)
{
	return enter_mode(&modes[5]);
}

static bool
mode_works(const struct unit_mode *mode)
{
	return probed.uring >= mode->uring && probed.uring_reads >= mode->reads;
}

static bool
has_io_uring(void)
{
	struct io_uring uring;

	if (io_uring_queue_init(1, &uring, 0) != 0)
		return false;
	io_uring_queue_exit(&uring);
	return true;
}

int
unit_ring_run(CU_TestInfo *tests, CU_SetUpFunc set_up, CU_TearDownFunc tear_down)
{
	static const CU_InitializeFunc enter[] = {
		enter_mode0, enter_mode1, enter_mode2, enter_mode3, enter_mode4, enter_mode5,
	};
	CU_SuiteInfo suites[RTE_DIM(modes) + 1] = {0};
	const char *reason;
	int fds[2];
	size_t i, n = 0;

	signal(SIGPIPE, SIG_IGN);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) != 0)
		return 1;
	rtap_ring_probe(fds[0], RTAP_IO_AUTO, &probed, &reason);
	close(fds[0]);
	close(fds[1]);
	probed.fall_back = false;
	if (reason != NULL)
		printf("Not all of io_uring can be tested: %s\n", reason);
	if (!probed.uring && has_io_uring()) {
		fprintf(stderr, "io_uring is there and was not found: %s\n", reason);
		return EXIT_FAILURE;
	}
	for (i = 0; i < RTE_DIM(modes); i++)
		if (mode_works(&modes[i]))
			suites[n++] = (CU_SuiteInfo){ modes[i].name, enter[i], NULL,
				set_up, tear_down, tests };
	return unit_run(suites);
}

void
unit_ring_set_memory(void)
{
	rtap_ring_set_memory(&unit_ring, &(struct iovec){ bufs, sizeof(bufs) });
}

void
unit_ring_open(void)
{
	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
	if (unit_mode->memory)
		unit_ring_set_memory();
}

bool
unit_ring_settle(uint32_t n)
{
	bool registered = unit_ring.registered;
	uint32_t seq;

	for (seq = 0; seq < n; seq++) {
		if (!unit_send(unit_peer, seq) || unit_ring_read(seq, 2) != 1)
			return false;
		if (registered && !unit_ring.registered)
			return false;
		registered = unit_ring.registered;
	}
	return true;
}

void
unit_ring_set_up(void)
{
	int fds[2];

	nb_fds = unit_count_fds();
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		fds), 0);
	unit_fd = fds[0];
	unit_peer = fds[1];
	memset(&unit_ring, 0, sizeof(unit_ring));
	unit_ring_open();
	/* Most tests are about what comes then. */
	if (unit_mode->memory && unit_mode->uring)
		unit_ring.register_at = 0;
}

void
unit_ring_tear_down(void)
{
	rtap_ring_close(&unit_ring);
	close(unit_fd);
	close(unit_peer);
	CU_ASSERT_EQUAL(unit_count_fds(), nb_fds);
}

/*
 * Packets
 */

static uint32_t
fill_packet(uint8_t *buf, uint32_t seq)
{
	uint32_t len = sizeof(seq) + seq % 200;

	memcpy(buf, &seq, sizeof(seq));
	memset(buf + sizeof(seq), seq * 37, len - sizeof(seq));
	return len;
}

bool
unit_send(int fd, uint32_t seq)
{
	uint8_t buf[PEER_BUF];
	ssize_t len = fill_packet(buf, seq);

	return send(fd, buf, len, 0) == len;
}

bool
unit_receive(int fd, uint32_t seq)
{
	uint8_t expected[PEER_BUF], buf[PEER_BUF];
	ssize_t len = fill_packet(expected, seq);

	return recv(fd, buf, sizeof(buf), 0) == len && memcmp(buf, expected, len) == 0;
}

/* Cut the buffer in one, two or three, in turns. */
static void
fill_req(unsigned int i, size_t len)
{
	size_t cut[4] = { 0, len / 3, len / 2, len };
	unsigned int nb = 1 + i % 3, j;

	cut[nb] = len;
	for (j = 0; j < nb; j++)
		iovs[i][j] = (struct iovec){ &bufs[i][cut[j]], cut[j + 1] - cut[j] };
	unit_reqs[i] = (struct rtap_req){ iovs[i], nb, -EINPROGRESS };
}

int
unit_ring_read(uint32_t first, unsigned int n)
{
	uint8_t expected[PEER_BUF];
	unsigned int i;
	int found = 0;

	for (i = 0; i < n; i++)
		fill_req(i, PEER_BUF);
	rtap_ring_readv(&unit_ring, unit_reqs, n);
	for (i = 0; i < n; i++) {
		int32_t len = fill_packet(expected, first + found);

		if (unit_reqs[i].res == -EAGAIN)
			continue;
		if (unit_reqs[i].res != len || memcmp(bufs[i], expected, len) != 0)
			return -1;
		found++;
	}
	return found;
}

void
unit_ring_write(unsigned int file, uint32_t first, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		fill_req(i, fill_packet(bufs[i], first + i));
	rtap_ring_writev(&unit_ring, file, unit_reqs, n);
}

bool
unit_ring_wakes(void)
{
	unsigned int i;

	for (i = 0; i < PATIENCE && rtap_ring_is_quiet(&unit_ring); i++)
		usleep(100);
	return !rtap_ring_is_quiet(&unit_ring);
}
