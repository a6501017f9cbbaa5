/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_ring.[ch] where writes must keep their order: nothing is written after a refusal. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "unit_ring.h"

#define PAGE 4096

static struct rtap_req reqs[RTAP_BURST_MAX];
static struct iovec iovs[RTAP_BURST_MAX];
static uint8_t page[PAGE];

/* Write n times len bytes. */
static void
fill_reqs(unsigned int n, size_t len)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		iovs[i] = (struct iovec){ page, len };
		reqs[i] = (struct rtap_req){ &iovs[i], 1, -1000 };
	}
}

static void
set_up(void)
{
	unit_caps.ordered = true;
	unit_ring_set_up();
}

static void
tear_down(void)
{
	unit_ring_tear_down();
	unit_caps.ordered = false;
}

/*
 * A pipe of one page that holds a byte already refuses a page, and has room for a byte more: what
 * comes after the page must not use it.
 */
static void
write_to_pipe(bool ordered)
{
	struct rtap_ring_caps caps = unit_caps;
	struct rtap_ring ring = {0};
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	CU_ASSERT_EQUAL(fcntl(fds[1], F_SETPIPE_SZ, PAGE), PAGE);
	caps.ordered = ordered;
	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&ring, &caps, &fds[1], 1), 0);
	fill_reqs(8, 1);
	iovs[2].iov_len = PAGE;
	rtap_ring_writev(&ring, 0, reqs, 8);
	rtap_ring_close(&ring);
	close(fds[0]);
	close(fds[1]);
}

static void
test_overtaking(void)
{
	unsigned int i;

	write_to_pipe(true);
	for (i = 0; i < 8; i++)
		UNIT_ASSERT_AT(reqs[i].res == (i < 2 ? 1 : -EAGAIN), i);
	/* Otherwise there is nothing to prevent here. */
	write_to_pipe(false);
	CU_ASSERT_EQUAL(reqs[2].res, -EAGAIN);
	CU_ASSERT_EQUAL(reqs[3].res, unit_mode->uring ? 1 : -EAGAIN);
}

/* All of a batch goes, in order, and still costs a single system call. */
static void
test_all(void)
{
	uint64_t before = unit_ring.stats.enters;
	unsigned int n, i;

	for (n = 2; n <= RTAP_BURST_MAX; n++) {
		unit_ring_write(0, 1000 * n, n);
		for (i = 0; i < n; i++) {
			UNIT_ASSERT_AT(unit_reqs[i].res > 0, n);
			UNIT_ASSERT_AT(unit_receive(unit_peer, 1000 * n + i), n);
		}
	}
	if (unit_mode->uring && unit_mode->nowait)
		CU_ASSERT_EQUAL(unit_ring.stats.enters - before, RTAP_BURST_MAX - 1);
}

/* What is left out neither breaks a chain nor begins or ends it. */
static void
test_excluded(void)
{
	unsigned int left_out, i;
	uint8_t got;

	for (left_out = 0; left_out < 32; left_out++) {
		fill_reqs(5, 1);
		for (i = 0; i < 5; i++)
			reqs[i].iovcnt = (left_out >> i & 1) != 0 ? 0 : 1;
		rtap_ring_writev(&unit_ring, 0, reqs, 5);
		for (i = 0; i < 5; i++) {
			UNIT_ASSERT_AT(reqs[i].res == (reqs[i].iovcnt == 0 ? -1000 : 1), left_out);
			if (reqs[i].iovcnt != 0)
				UNIT_ASSERT_AT(read(unit_peer, &got, 1) == 1, left_out);
		}
		UNIT_ASSERT_AT(read(unit_peer, &got, 1) == -1, left_out);
	}
}

/* A write that can never succeed is no reason to keep those after it. */
static void
test_bad(void)
{
	unsigned int bad, i;
	uint8_t got;

	for (bad = 0; bad < 64; bad++) {
		fill_reqs(6, 1);
		for (i = 0; i < 6; i++)
			if ((bad >> i & 1) != 0)
				iovs[i].iov_base = NULL;
		rtap_ring_writev(&unit_ring, 0, reqs, 6);
		for (i = 0; i < 6; i++) {
			bool is_bad = (bad >> i & 1) != 0;

			UNIT_ASSERT_AT(reqs[i].res == (is_bad ? -EFAULT : 1), bad * 10 + i);
			if (!is_bad)
				UNIT_ASSERT_AT(read(unit_peer, &got, 1) == 1, bad);
		}
		UNIT_ASSERT_AT(read(unit_peer, &got, 1) == -1, bad);
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "overtaking", test_overtaking },
		{ "all", test_all },
		{ "excluded requests", test_excluded },
		{ "bad requests", test_bad },
		CU_TEST_INFO_NULL,
	};

	return unit_ring_run(tests, set_up, tear_down);
}
