/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * rtap_ring.[ch] where the kernel does not offer io_uring, or not all of it, or not any more.
 * What cannot be undone (a seccomp filter) happens in a child.
 */

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_log.h>

#include "unit_ring.h"

/* Result of a child that found that it cannot do what it is to do. */
#define SKIPPED 77

/* Like an assertion, for children. */
#define CHECK(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "\n%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		return EXIT_FAILURE; \
	} \
} while (0)

static int
run_in_child(int (*job)(void))
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* The ring's memory is shared with the parent: leave it alone. */
		memset(&unit_ring, 0, sizeof(unit_ring));
		alarm(60);
		status = job();
		fflush(NULL);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return EXIT_FAILURE;
	if (WEXITSTATUS(status) != SKIPPED)
		return WEXITSTATUS(status);
	printf("(no seccomp here) ");
	return EXIT_SUCCESS;
}

/* From now on, io_uring_setup() in this thread returns this error. */
static bool
forbid(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { RTE_DIM(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

/*
 * What is logged
 */

static char *log_text;
static FILE *log_file;

static void
log_begin(void)
{
	static size_t len;

	log_file = open_memstream(&log_text, &len);
	rte_openlog_stream(log_file);
}

static unsigned int
log_count(const char *words)
{
	unsigned int n = 0;
	const char *at;

	fflush(log_file);
	for (at = log_text; (at = strstr(at, words)) != NULL; at++)
		n++;
	return n;
}

/*
 * Probing
 */

static void
test_probe(void)
{
	struct rtap_ring_caps caps;
	const char *reason;
	unsigned int i;

	memset(&caps, 0xff, sizeof(caps));
	CU_ASSERT_EQUAL(rtap_ring_probe(unit_fd, RTAP_IO_RW, &caps, &reason), 0);
	CU_ASSERT(!caps.uring && !caps.uring_reads);
	CU_ASSERT_PTR_NULL(reason);
	if (!unit_mode->uring)
		return;

	for (i = 0; i < 4; i++) {
		enum rtap_io_mode mode = i % 2 == 0 ? RTAP_IO_AUTO : RTAP_IO_URING;

		/* The second time around, a packet waits there. */
		if (i == 2) {
			CU_ASSERT(unit_send(unit_peer, 7));
			CU_ASSERT(unit_send(unit_peer, 7));
		}
		memset(&caps, 0xff, sizeof(caps));
		CU_ASSERT_EQUAL(rtap_ring_probe(unit_fd, mode, &caps, &reason), 0);
		CU_ASSERT(caps.uring);
		CU_ASSERT_EQUAL(caps.uring_reads, reason == NULL);
	}
}

/* Some files, on some kernels, keep a read until there is something: those are read by readv. */
static void
test_probe_pending_read(void)
{
	struct rtap_ring_caps caps;
	const char *reason = NULL;
	int fd = inotify_init1(IN_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	if (unit_mode->uring) {
		CU_ASSERT_EQUAL(rtap_ring_probe(fd, RTAP_IO_AUTO, &caps, &reason), 0);
		CU_ASSERT(caps.uring);
		CU_ASSERT(!caps.uring_reads);
		CU_ASSERT_PTR_NOT_NULL(reason);
	}
	close(fd);
}

static int
probe_fails(int err)
{
	struct rtap_ring_caps caps;
	const char *reason = NULL;

	CHECK(rtap_ring_probe(unit_fd, RTAP_IO_URING, &caps, &reason) == -err);
	CHECK(reason != NULL);
	CHECK(!caps.uring);
	reason = NULL;
	CHECK(rtap_ring_probe(unit_fd, RTAP_IO_AUTO, &caps, &reason) == 0);
	CHECK(reason != NULL && reason[0] != '\0');
	CHECK(!caps.uring && !caps.uring_reads);
	CHECK(rtap_ring_probe(unit_fd, RTAP_IO_RW, &caps, &reason) == 0);

	CHECK(rtap_ring_open(&unit_ring, &caps, &unit_fd, 1) == 0);
	CHECK(unit_send(unit_peer, 3) && unit_ring_read(3, 2) == 1);
	unit_ring_write(0, 4, 1);
	CHECK(unit_receive(unit_peer, 4));
	return EXIT_SUCCESS;
}

static int
probe_eperm(void)
{
	return forbid(EPERM) ? probe_fails(EPERM) : SKIPPED;
}

static int
probe_enosys(void)
{
	return forbid(ENOSYS) ? probe_fails(ENOSYS) : SKIPPED;
}

static int
probe_enomem(void)
{
	return forbid(ENOMEM) ? probe_fails(ENOMEM) : SKIPPED;
}

static void
test_probe_forbidden(void)
{
	CU_ASSERT_EQUAL(run_in_child(probe_eperm), EXIT_SUCCESS);
	CU_ASSERT_EQUAL(run_in_child(probe_enosys), EXIT_SUCCESS);
	CU_ASSERT_EQUAL(run_in_child(probe_enomem), EXIT_SUCCESS);
}

/*
 * Opening
 */

static int
open_fails(void)
{
	unsigned int nb_fds = unit_count_fds();

	if (!forbid(EPERM))
		return SKIPPED;
	CHECK(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1) ==
		(unit_mode->uring ? -EPERM : 0));
	CHECK(unit_ring.open == !unit_mode->uring);
	CHECK(unit_count_fds() == nb_fds);
	return EXIT_SUCCESS;
}

/* Allowed to fall back, the ring works without io_uring and says so once. */
static int
open_falls_back(void)
{
	struct rtap_ring_caps caps = unit_caps;

	if (!forbid(EPERM))
		return SKIPPED;
	log_begin();
	rtap_ring_close(&unit_ring);
	caps.fall_back = true;
	CHECK(rtap_ring_open(&unit_ring, &caps, &unit_fd, 1) == 0);
	CHECK(unit_ring.open && !unit_ring.caps.uring);
	CHECK(unit_send(unit_peer, 3) && unit_ring_read(3, 2) == 1);
	unit_ring_write(0, 4, 1);
	CHECK(unit_receive(unit_peer, 4));
	CHECK(log_count("readv/writev") == unit_mode->uring);
	return EXIT_SUCCESS;
}

static void
test_open_forbidden(void)
{
	CU_ASSERT_EQUAL(run_in_child(open_fails), EXIT_SUCCESS);
	CU_ASSERT_EQUAL(run_in_child(open_falls_back), EXIT_SUCCESS);
}

/* As many files as there are. */
static void
test_no_more_files(void)
{
	struct rlimit saved, limit;
	struct rtap_ring_caps caps;
	const char *reason = NULL;
	int lowest;

	rtap_ring_close(&unit_ring);
	lowest = dup(unit_fd);
	close(lowest);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &saved), 0);
	limit = saved;
	limit.rlim_cur = lowest;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CU_ASSERT_EQUAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1),
		unit_mode->uring ? -EMFILE : 0);
	if (unit_mode->uring) {
		CU_ASSERT_EQUAL(rtap_ring_probe(unit_fd, RTAP_IO_URING, &caps, &reason), -EMFILE);
		CU_ASSERT_EQUAL(rtap_ring_probe(unit_fd, RTAP_IO_AUTO, &caps, &reason), 0);
		CU_ASSERT(!caps.uring);
		CU_ASSERT_PTR_NOT_NULL(reason);
	}
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &saved), 0);
}

/*
 * Moving to another thread, when no ring can be made there. The child's main thread is that
 * thread, and the first one has used the ring.
 */

static void *
use_ring(void *arg)
{
	if (unit_ring_read(0, 4) != 0)
		return NULL;
	rtap_ring_arm(&unit_ring);
	unit_ring_write(0, 0, 1);
	return arg;
}

static int
start_moving(void)
{
	pthread_t thread;
	void *result;

	log_begin();
	CHECK(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1) == 0);
	CHECK(pthread_create(&thread, NULL, use_ring, &unit_ring) == 0);
	CHECK(pthread_join(thread, &result) == 0 && result != NULL);
	CHECK(unit_receive(unit_peer, 0));
	return forbid(EPERM) ? EXIT_SUCCESS : SKIPPED;
}

/* It works, for good, and one message says what happened. */
static int
finish_moving(void)
{
	uint32_t seq;

	for (seq = 0; seq < 100; seq++) {
		CHECK(unit_send(unit_peer, seq) && unit_ring_read(seq, 2) == 1);
		CHECK(unit_ring_read(0, 2) == 0);
		rtap_ring_arm(&unit_ring);
		CHECK(!rtap_ring_is_quiet(&unit_ring));
		unit_ring_write(0, seq, 2);
		CHECK(unit_receive(unit_peer, seq) && unit_receive(unit_peer, seq + 1));
	}
	rtap_ring_close(&unit_ring);
	CHECK(log_count("readv/writev") == 1);
	return EXIT_SUCCESS;
}

static int
move_reading(void)
{
	int ret = start_moving();

	if (ret != EXIT_SUCCESS)
		return ret;
	CHECK(unit_send(unit_peer, 8) && unit_send(unit_peer, 9));
	CHECK(unit_ring_wakes());
	CHECK(unit_ring_read(8, 3) == 2);
	return finish_moving();
}

static int
move_writing(void)
{
	uint32_t seq;
	int ret = start_moving();

	if (ret != EXIT_SUCCESS)
		return ret;
	unit_ring_write(0, 70, 20);
	for (seq = 70; seq < 90; seq++)
		CHECK(unit_receive(unit_peer, seq));
	return finish_moving();
}

static void
test_move_forbidden(void)
{
	if (!unit_mode->owned)
		return;
	CU_ASSERT_EQUAL(run_in_child(move_reading), EXIT_SUCCESS);
	CU_ASSERT_EQUAL(run_in_child(move_writing), EXIT_SUCCESS);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "probe", test_probe },
		{ "probe where reads stay pending", test_probe_pending_read },
		{ "probe where forbidden", test_probe_forbidden },
		{ "open where forbidden", test_open_forbidden },
		{ "no more files", test_no_more_files },
		{ "move where forbidden", test_move_forbidden },
		CU_TEST_INFO_NULL,
	};

	return unit_ring_run(tests, unit_ring_set_up, unit_ring_tear_down);
}
