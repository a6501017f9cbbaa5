/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_ring.[ch], used by one thread. */

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/capability.h>

#include "unit_ring.h"

/*
 * Batches
 */

static void
test_read(void)
{
	uint32_t seq = 0;
	unsigned int n, i;

	for (n = 1; n <= RTAP_BURST_MAX; n++) {
		for (i = 0; i < n; i++)
			CU_ASSERT_FATAL(unit_send(unit_peer, seq + i));
		UNIT_ASSERT_AT(unit_ring_read(seq, n) == (int)n, n);
		seq += n;
	}
	CU_ASSERT_EQUAL(unit_ring_read(seq, 1), 0);
}

static void
test_read_fewer(void)
{
	unsigned int there, n, i;
	uint32_t seq = 0;

	for (there = 0; there < 20; there++) {
		for (n = there; n < RTAP_BURST_MAX; n += 11) {
			for (i = 0; i < there; i++)
				CU_ASSERT_FATAL(unit_send(unit_peer, seq + i));
			UNIT_ASSERT_AT(unit_ring_read(seq, n + 1) == (int)there, there * 100 + n);
			for (i = there; i <= n; i++)
				UNIT_ASSERT_AT(unit_reqs[i].res == -EAGAIN, i);
			seq += there;
		}
	}
}

static void
test_write(void)
{
	uint32_t seq = 0;
	unsigned int n, i;

	for (n = 1; n <= RTAP_BURST_MAX; n++) {
		unit_ring_write(0, seq, n);
		for (i = 0; i < n; i++, seq++) {
			UNIT_ASSERT_AT(unit_reqs[i].res == (int)(4 + seq % 200), seq);
			UNIT_ASSERT_AT(unit_receive(unit_peer, seq), seq);
		}
	}
	CU_ASSERT_EQUAL(recv(unit_peer, &seq, 1, 0), -1);
}

/* A batch is one system call through io_uring, one per packet without: up to an empty read. */
static void
test_system_calls(void)
{
	uint64_t before = unit_ring.stats.enters;

	unit_ring_write(0, 0, RTAP_BURST_MAX);
	CU_ASSERT_EQUAL(unit_ring.stats.enters - before, unit_mode->uring ? 1 : RTAP_BURST_MAX);
	before = unit_ring.stats.enters;
	CU_ASSERT_EQUAL(unit_ring_read(0, RTAP_BURST_MAX), 0);
	CU_ASSERT_EQUAL(unit_ring.stats.enters - before, 1);
}

static void
test_excluded(void)
{
	static uint8_t byte[5] = { 10, 11, 12, 13, 14 };
	struct iovec iov[5];
	struct rtap_req reqs[5];
	unsigned int i, turn;
	uint8_t got;

	for (turn = 0; turn < 32; turn++) {
		for (i = 0; i < 5; i++) {
			iov[i] = (struct iovec){ &byte[i], 1 };
			reqs[i] = (struct rtap_req){ &iov[i], turn >> i & 1, -1000 - i };
		}
		rtap_ring_writev(&unit_ring, 0, reqs, 5);
		for (i = 0; i < 5; i++) {
			bool sent = (turn >> i & 1) != 0;

			UNIT_ASSERT_AT(reqs[i].res == (sent ? 1 : -1000 - (int)i), turn * 10 + i);
			got = 0;
			if (sent)
				UNIT_ASSERT_AT(recv(unit_peer, &got, 1, 0) == 1, turn);
			UNIT_ASSERT_AT(got == (sent ? byte[i] : 0), turn);
		}
		UNIT_ASSERT_AT(recv(unit_peer, &got, 1, 0) == -1, turn);
	}
}

/* What is refused is refused from some packet on, and none of it arrives. */
static void
test_back_pressure(void)
{
	static const int size = 1;
	uint32_t sent = 0, seq;
	unsigned int turn, taken, i;

	CU_ASSERT_EQUAL(setsockopt(unit_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	for (turn = 0; turn < 10; turn++) {
		unit_ring_write(0, 1000 * turn, RTAP_BURST_MAX);
		for (taken = 0; taken < RTAP_BURST_MAX && unit_reqs[taken].res > 0; taken++)
			;
		UNIT_ASSERT_AT(taken > 0 && taken < RTAP_BURST_MAX, turn);
		for (i = taken; i < RTAP_BURST_MAX; i++)
			UNIT_ASSERT_AT(unit_reqs[i].res == -EAGAIN, i);
		for (seq = 1000 * turn; seq < 1000 * turn + taken; seq++)
			UNIT_ASSERT_AT(unit_receive(unit_peer, seq), seq);
		CU_ASSERT_EQUAL(recv(unit_peer, &seq, 1, 0), -1);
		sent += taken;
	}
	CU_ASSERT(sent >= 10);
}

static void
test_files(void)
{
	struct rtap_ring ring = {0};
	int pairs[4][2], fds[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
			pairs[i]), 0);
		fds[i] = pairs[i][0];
	}
	rtap_ring_close(&unit_ring);
	CU_ASSERT_EQUAL(rtap_ring_open(&unit_ring, &unit_caps, fds, 4), 0);
	memset(fds, -1, sizeof(fds)); /* the ring has its own copy */
	for (i = 0; i < 4; i++)
		unit_ring_write(3 - i, 10 * i, 5);
	for (i = 0; i < 4; i++)
		CU_ASSERT(unit_receive(pairs[3 - i][1], 10 * i));
	/* Packets are read from the first. */
	CU_ASSERT(unit_send(pairs[1][1], 1));
	CU_ASSERT(unit_send(pairs[0][1], 2));
	CU_ASSERT_EQUAL(unit_ring_read(2, 3), 1);
	rtap_ring_close(&unit_ring);
	unit_ring = ring;
	for (i = 0; i < 4; i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
}

/*
 * Files that are not what they should be
 */

static void
test_bad_file(void)
{
	static const int closed = 9999;
	unsigned int nb_fds;

	rtap_ring_close(&unit_ring);
	nb_fds = unit_count_fds();
	if (unit_mode->uring) {
		CU_ASSERT_EQUAL(rtap_ring_open(&unit_ring, &unit_caps, &closed, 1), -EBADF);
		CU_ASSERT(!unit_ring.open);
		CU_ASSERT(rtap_ring_is_quiet(&unit_ring));
	} else {
		CU_ASSERT_EQUAL(rtap_ring_open(&unit_ring, &unit_caps, &closed, 1), 0);
		CU_ASSERT_EQUAL(unit_ring_read(0, 2), -1);
		CU_ASSERT_EQUAL(unit_reqs[0].res, -EBADF);
		CU_ASSERT_EQUAL(unit_reqs[1].res, -EBADF);
		rtap_ring_close(&unit_ring);
	}
	CU_ASSERT_EQUAL(unit_count_fds(), nb_fds);
}

/* Memory that cannot be registered: reads go there all the same, the ordinary way. */
static void
test_bad_memory(void)
{
	static const struct iovec nowhere = { (void *)(uintptr_t)0x1000, 4096 };

	rtap_ring_close(&unit_ring);
	CU_ASSERT_EQUAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
	rtap_ring_set_memory(&unit_ring, &nowhere);
	CU_ASSERT(unit_ring_settle(UNIT_MANY_BATCHES));
	CU_ASSERT(!unit_ring.registered);
}

/* Whether the calling thread may pin memory beyond RLIMIT_MEMLOCK. */
static void
set_ipc_lock(bool on)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const uint32_t bit = CAP_TO_MASK(CAP_IPC_LOCK);

	CU_ASSERT_EQUAL(syscall(SYS_capget, &header, data), 0);
	if (on)
		data[0].effective |= data[0].permitted & bit;
	else
		data[0].effective &= ~bit;
	CU_ASSERT_EQUAL(syscall(SYS_capset, &header, data), 0);
}

/* More than may be pinned: not a packet is lost by it. */
static void
test_memory_limit(void)
{
	bool registers = unit_mode->uring && unit_mode->reads;
	struct rlimit was, none;

	CU_ASSERT_EQUAL(getrlimit(RLIMIT_MEMLOCK, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	rtap_ring_close(&unit_ring);
	set_ipc_lock(false);
	CU_ASSERT_EQUAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
	unit_ring_set_memory();
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	CU_ASSERT(unit_ring_settle(UNIT_MANY_BATCHES));
	CU_ASSERT(!unit_ring.registered);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_MEMLOCK, &was), 0);
	rtap_ring_close(&unit_ring);

	CU_ASSERT_EQUAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
	unit_ring_set_memory();
	CU_ASSERT(unit_ring_settle(UNIT_MANY_BATCHES));
	CU_ASSERT_EQUAL(unit_ring.registered, registers);
	set_ipc_lock(true);
}

/* Buffers that are not where the memory is: each read says so until that is forgotten. */
static void
test_wrong_memory(void)
{
	static uint8_t elsewhere[4096];
	bool registers = unit_mode->uring && unit_mode->reads;

	rtap_ring_close(&unit_ring);
	CU_ASSERT_EQUAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
	rtap_ring_set_memory(&unit_ring, &(struct iovec){ elsewhere, sizeof(elsewhere) });
	CU_ASSERT_EQUAL(unit_ring_settle(UNIT_MANY_BATCHES), !registers);
	CU_ASSERT_EQUAL(unit_ring.registered, registers);
	if (!registers)
		return;
	CU_ASSERT_EQUAL(unit_reqs[0].res, -EFAULT);
	rtap_ring_forget_memory(&unit_ring);
	CU_ASSERT(unit_ring_read(UNIT_MANY_BATCHES, 1) < 1); /* the one that was refused */
	CU_ASSERT(unit_ring_settle(10));
}

/* An error is each packet's own: those after it are tried. */
static void
test_errors(void)
{
	unsigned int i;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_NONBLOCK), 0);
	rtap_ring_close(&unit_ring);
	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&unit_ring, &unit_caps, &fds[0], 1), 0);
	unit_ring_write(0, 0, 10);
	for (i = 0; i < 10; i++)
		UNIT_ASSERT_AT(unit_reqs[i].res == -EBADF, i);
	rtap_ring_close(&unit_ring);
	close(fds[0]);
	close(fds[1]);

	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
	shutdown(unit_peer, SHUT_RD);
	unit_ring_write(0, 0, 10);
	for (i = 0; i < 10; i++)
		UNIT_ASSERT_AT(unit_reqs[i].res == -EPIPE, i);
}

/*
 * A poll of a file that has no device behind it fires at once, for ever: polling that again
 * would be a busy loop in the kernel. The write end of a pipe without reader does the same.
 */
static void
test_poll_error(void)
{
	uint64_t enters, arms;
	unsigned int i;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_NONBLOCK), 0);
	close(fds[0]);
	rtap_ring_close(&unit_ring);
	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&unit_ring, &unit_caps, &fds[1], 1), 0);
	for (i = 0; i < 10 && !rtap_ring_is_quiet(&unit_ring); i++) {
		unit_ring_read(0, 1);
		rtap_ring_arm(&unit_ring);
	}
	CU_ASSERT_EQUAL(rtap_ring_is_quiet(&unit_ring), unit_mode->uring);
	CU_ASSERT_EQUAL(unit_ring.gone, unit_mode->uring);
	arms = unit_ring.stats.arms;
	enters = unit_ring.stats.enters;
	rtap_ring_arm(&unit_ring);
	CU_ASSERT_EQUAL(unit_ring.stats.arms, arms);
	CU_ASSERT_EQUAL(unit_ring.stats.enters, enters);
	rtap_ring_close(&unit_ring);
	close(fds[1]);

	/* Not for good: the next file is another. */
	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
	CU_ASSERT(!rtap_ring_is_quiet(&unit_ring));
	CU_ASSERT(unit_send(unit_peer, 7));
	CU_ASSERT_EQUAL(unit_ring_read(7, 4), 1);
}

/* A TAP file that is attached to no interface says -EBADFD. */
static void
test_detached(void)
{
	int fd = unit_open_tun();

	if (fd < 0)
		return;
	rtap_ring_close(&unit_ring);
	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&unit_ring, &unit_caps, &fd, 1), 0);
	unit_ring_write(0, 0, 2);
	CU_ASSERT_EQUAL(unit_reqs[0].res, -EBADFD);
	CU_ASSERT_EQUAL(unit_reqs[1].res, -EBADFD);
	CU_ASSERT(!rtap_ring_is_quiet(&unit_ring));
	CU_ASSERT_EQUAL(unit_ring_read(0, 2), -1);
	CU_ASSERT_EQUAL(unit_reqs[0].res, -EBADFD);
	CU_ASSERT(rtap_ring_is_quiet(&unit_ring));
	rtap_ring_close(&unit_ring);
	close(fd);
}

/*
 * Idle
 */

/* Quiet from the poll to the next packet, and no system call meanwhile. */
static void
test_arm(void)
{
	uint64_t enters;
	uint32_t seq;

	for (seq = 0; seq < 50; seq++) {
		CU_ASSERT(!rtap_ring_is_quiet(&unit_ring));
		CU_ASSERT_EQUAL(unit_ring_read(seq, 1 + seq % 5), 0);
		rtap_ring_arm(&unit_ring);
		CU_ASSERT_EQUAL(rtap_ring_is_quiet(&unit_ring), unit_mode->uring);
		enters = unit_ring.stats.enters;
		rtap_ring_arm(&unit_ring);
		CU_ASSERT_EQUAL(unit_ring.stats.enters, enters);
		CU_ASSERT_EQUAL(unit_ring.stats.arms, unit_mode->uring ? seq + 1 : 0);
		CU_ASSERT(unit_send(unit_peer, seq));
		CU_ASSERT(unit_ring_wakes());
		CU_ASSERT_EQUAL(unit_ring_read(seq, 1 + seq % 5), 1);
	}
}

/* Between the empty read and the poll. */
static void
test_packet_before_arm(void)
{
	uint32_t seq;

	for (seq = 0; seq < 50; seq++) {
		CU_ASSERT_EQUAL(unit_ring_read(seq, 3), 0);
		CU_ASSERT(unit_send(unit_peer, seq));
		rtap_ring_arm(&unit_ring);
		CU_ASSERT(unit_ring_wakes());
		CU_ASSERT_EQUAL(unit_ring_read(seq, 3), 1);
	}
}

/* The packet is read although the poll has not been heard of, and the poll wakes for nothing. */
static void
test_read_while_armed(void)
{
	uint32_t seq;

	for (seq = 0; seq < 50; seq++) {
		CU_ASSERT_EQUAL(unit_ring_read(seq, 3), 0);
		rtap_ring_arm(&unit_ring);
		CU_ASSERT(unit_send(unit_peer, seq));
		CU_ASSERT_EQUAL(unit_ring_read(seq, 3), 1);
		rtap_ring_arm(&unit_ring);
	}
	/* Whatever is still announced, there is an end to it. */
	for (seq = 0; seq < 10 && !rtap_ring_is_quiet(&unit_ring); seq++) {
		CU_ASSERT_EQUAL(unit_ring_read(0, 3), 0);
		rtap_ring_arm(&unit_ring);
	}
	CU_ASSERT_EQUAL(rtap_ring_is_quiet(&unit_ring), unit_mode->uring);
}

/* Writing does not disturb the poll. */
static void
test_write_while_armed(void)
{
	uint32_t seq;

	CU_ASSERT_EQUAL(unit_ring_read(0, 3), 0);
	rtap_ring_arm(&unit_ring);
	for (seq = 0; seq < 300; seq += 30) {
		unsigned int i;

		unit_ring_write(0, seq, 30);
		for (i = 0; i < 30; i++)
			UNIT_ASSERT_AT(unit_receive(unit_peer, seq + i), seq + i);
	}
	CU_ASSERT_EQUAL(rtap_ring_is_quiet(&unit_ring), unit_mode->uring);
	CU_ASSERT(unit_send(unit_peer, 5));
	unit_ring_write(0, 0, 3);
	CU_ASSERT(unit_ring_wakes());
	CU_ASSERT_EQUAL(unit_ring_read(5, 3), 1);
}

/*
 * Life and death
 */

static void
test_closed(void)
{
	struct rtap_ring ring = {0};
	struct rtap_ring_stats stats;
	int next;

	rtap_ring_close(&ring);
	CU_ASSERT(rtap_ring_is_quiet(&ring));

	unit_ring_write(0, 0, 3);
	stats = unit_ring.stats;
	rtap_ring_close(&unit_ring);
	/* The next file gets the number that the ring's had, and stays open. */
	next = dup(unit_fd);
	rtap_ring_close(&unit_ring);
	CU_ASSERT_EQUAL(close(next), 0);
	CU_ASSERT(rtap_ring_is_quiet(&unit_ring));
	rtap_ring_arm(&unit_ring);
	CU_ASSERT_EQUAL(unit_ring_read(0, 2), 0);
	unit_ring_write(0, 0, 2);
	CU_ASSERT_EQUAL(unit_reqs[0].res, -EAGAIN);
	CU_ASSERT_EQUAL(unit_reqs[1].res, -EAGAIN);
	CU_ASSERT_EQUAL(memcmp(&stats, &unit_ring.stats, sizeof(stats)), 0);
}

static void
test_reopen(void)
{
	uint32_t seq;

	for (seq = 0; seq < 100; seq++) {
		CU_ASSERT_EQUAL(unit_ring_read(seq, 3), 0);
		if (seq % 2 == 0)
			rtap_ring_arm(&unit_ring);
		if (seq % 3 == 0)
			CU_ASSERT(unit_send(unit_peer, seq));
		rtap_ring_close(&unit_ring);
		if (seq % 3 != 0)
			CU_ASSERT(unit_send(unit_peer, seq));
		CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
		CU_ASSERT(!rtap_ring_is_quiet(&unit_ring));
		CU_ASSERT_EQUAL(unit_ring_read(seq, 3), 1);
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "read", test_read },
		{ "read where there are fewer", test_read_fewer },
		{ "write", test_write },
		{ "system calls", test_system_calls },
		{ "excluded requests", test_excluded },
		{ "back-pressure", test_back_pressure },
		{ "several files", test_files },
		{ "bad file", test_bad_file },
		{ "bad memory", test_bad_memory },
		{ "memory limit", test_memory_limit },
		{ "wrong memory", test_wrong_memory },
		{ "errors", test_errors },
		{ "poll error", test_poll_error },
		{ "detached file", test_detached },
		{ "arm", test_arm },
		{ "packet before arm", test_packet_before_arm },
		{ "read while armed", test_read_while_armed },
		{ "write while armed", test_write_while_armed },
		{ "closed", test_closed },
		{ "reopen", test_reopen },
		CU_TEST_INFO_NULL,
	};

	return unit_ring_run(tests, unit_ring_set_up, unit_ring_tear_down);
}
