/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Queues with SQPOLL that lose what they depend on: the kernel thread, or the interface.
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit_sqpoll.h"

/* From now on, this thread cannot wake another up: io_uring_enter() says that there is none. */
static bool
lose_thread(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_enter, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IORING_ENTER_SQ_WAKEUP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOWNERDEAD),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { RTE_DIM(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

/* Like an assertion, for the child. */
#define CHECK(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "\n%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		return EXIT_FAILURE; \
	} \
} while (0)

/* Both queues go on without; of what was posted, reads are done again and writes are counted. */
static int
lose_thread_and_go_on(void)
{
	struct rte_mbuf *m;
	uint32_t seq, i;

	set_up();
	CHECK(UNTIL(rtap_sqpoll_rx_burst(rxq, &m, 1) == 0 && rtap_ring_is_quiet(&rxq->ring) &&
		sleeps(&txq->ring.uring)));
	if (!lose_thread())
		return 77;
	CHECK(give(frame_mbuf(0)));
	CHECK(!txq->ring.caps.sqpoll && txq->ring.caps.uring);
	CHECK(txq->stats.write_errors == 1 && txq->stats.packets == 0);
	CHECK(receive() == UINT32_MAX);
	for (seq = 0; seq < 20; seq++) {
		struct rte_mbuf *pkts[2] = { frame_mbuf(seq), frame_mbuf(seq + 1) };

		CHECK(rtap_sqpoll_tx_burst(txq, pkts, 2) == 2);
		CHECK(receive() == seq && receive() == seq + 1);
	}
	CHECK(txq->stats.packets == 40 && txq->stats.write_errors == 1);

	/* It awakes for the poll, but not any more for reads after it has fallen asleep. */
	for (i = 0; i < 100; i++)
		CHECK(put(i));
	CHECK(UNTIL(!rtap_ring_is_quiet(&rxq->ring) && sleeps(&rxq->ring.uring)));
	CHECK(take(0, 100));
	CHECK(rxq->stats.read_errors == 0);
	CHECK(!rxq->ring.caps.sqpoll && rxq->ring.caps.uring);
	for (; i < 200; i++)
		CHECK(put(i) && take(i, 1));

	unit_queues_close();
	CHECK(in_use() == 0);
	rtap_sqpoll_close(&sqpoll);
	return CU_get_number_of_failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * The thread is lost with a chain that it has not begun: so it says, for it does not get to run.
 * The next burst finds that out. In truth it lives, and may yet write what is not taken away.
 */
static int
lose_thread_and_chain(void)
{
	uint32_t seq;

	set_up();
	if (!occupy_cpu())
		return 77;
	CHECK(give_burst(0, 3) == 3 && io_uring_sq_ready(&txq->ring.uring) == 3);
	*txq->ring.uring.sq.kflags |= IORING_SQ_NEED_WAKEUP;
	if (!lose_thread())
		return 77;
	give_burst(3, 1);
	CHECK(!txq->ring.caps.sqpoll && txq->ring.caps.uring);
	CHECK(txq->stats.write_errors + txq->stats.packets == 3);
	CHECK(give_burst(4, 1) == 1);
	while ((seq = receive()) < 3)
		;
	CHECK(seq == 4);
	unit_queues_close();
	CHECK(in_use() == 0);
	return EXIT_SUCCESS;
}

static void
lose(int (*how)(void))
{
	pid_t pid;
	int status = 0;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		status = how();
		fflush(NULL);
		_exit(status);
	}
	CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		printf("(no seccomp or SCHED_FIFO here) ");
	else
		CU_ASSERT_EQUAL(WEXITSTATUS(status), EXIT_SUCCESS);
}

static void
test_lost_thread(void)
{
	lose(lose_thread_and_go_on);
}

static void
test_lost_chain(void)
{
	lose(lose_thread_and_chain);
}

/* A TAP file that is attached to no interface says -EBADFD: that is the end of it, for both. */
static void
test_detached(void)
{
	struct rte_mbuf *m;
	int fd = unit_open_tun();
	uint32_t seq;

	if (fd < 0)
		return;
	unit_queues_close();
	RTE_SWAP(fd, unit_fd);
	open_queues();
	CU_ASSERT(UNTIL(rtap_sqpoll_rx_burst(rxq, &m, 1) == 0 && rxq->ring.gone));
	CU_ASSERT(rtap_ring_is_quiet(&rxq->ring));
	for (seq = 0; seq < 20; seq++)
		CU_ASSERT(give_surely(frame_mbuf(seq)));
	CU_ASSERT(UNTIL(finished(20)));
	CU_ASSERT_EQUAL(txq->stats.link_down, 20);
	unit_queues_close();
	RTE_SWAP(fd, unit_fd);
	close(fd);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "detached file", test_detached },
		{ "lost thread", test_lost_thread },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo ordered_tests[] = {
		{ "detached file", test_detached },
		{ "lost thread", test_lost_thread },
		{ "lost thread and chain", test_lost_chain },
		CU_TEST_INFO_NULL,
	};

	return unit_sqpoll_run(tests, ordered_tests);
}
