/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * System calls, counted by a process that traces the thread that makes them. That makes each
 * slow, so it is done apart from what is timed.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kperf.h"

/* With PTRACE_O_TRACESYSGOOD: a stop at the beginning or the end of a system call */
#define SYSCALL_STOP (SIGTRAP | 0x80)

/* Calls that do nothing and that nobody else makes: the ends of what is counted. */
#define MARK_CALL SYS_prctl
#define MARK_BEGIN 0x72746170
#define MARK_END 0x72746171

static int tracer = -1;	/* a socket to that process */

/* Note a stop; what the thread enters is counted between the marks. Returns whether to go on. */
static bool
note_stop(pid_t tid, bool *counting, int64_t *calls)
{
	struct __ptrace_syscall_info info = {0};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return true;
	if (info.entry.nr == MARK_CALL && info.entry.args[0] == MARK_END)
		return false;
	*calls += *counting;
	if (info.entry.nr == MARK_CALL && info.entry.args[0] == MARK_BEGIN)
		*counting = true;
	return true;
}

/* Let the thread run, stopped at each call, to the last mark. */
static int64_t
count(pid_t tid)
{
	bool counting = false;
	int64_t calls = 0;
	int status, sig;

	for (;;) {
		if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
			return -ESRCH;
		sig = WSTOPSIG(status);
		if (sig == SYSCALL_STOP) {
			if (!note_stop(tid, &counting, &calls))
				break;
			sig = 0;
		} else if (status >> 16 != 0) {
			sig = 0; /* the stop that was asked for */
		}
		ptrace(PTRACE_SYSCALL, tid, NULL, sig);
	}
	return counting ? calls : -EINVAL;
}

/* Trace the thread that asked, to the last mark. It waits for the first answer before it begins. */
static void
serve(int sock, pid_t tid)
{
	bool seized = ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD) == 0;
	int64_t calls = seized ? 0 : -EPERM;

	if (seized)
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	if (write(sock, &calls, sizeof(calls)) != sizeof(calls) || !seized)
		return;
	calls = count(tid);
	ptrace(PTRACE_DETACH, tid, NULL, NULL);
	if (write(sock, &calls, sizeof(calls)) != sizeof(calls))
		_exit(EXIT_FAILURE);
}

void
trace_init(void)
{
	pid_t pid, parent = getpid(), tid;
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks) != 0)
		die("socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid != 0) {
		close(socks[1]);
		tracer = socks[0];
		return;
	}
	close(socks[0]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent && read(socks[1], &tid, sizeof(tid)) == sizeof(tid))
		serve(socks[1], tid);
	_exit(EXIT_SUCCESS);
}

int64_t
trace_syscalls(void (*run)(void *), void *arg)
{
	pid_t tid = gettid();
	int64_t calls;

	if (write(tracer, &tid, sizeof(tid)) != sizeof(tid) ||
	    read(tracer, &calls, sizeof(calls)) != sizeof(calls) || calls < 0)
		return -1;
	prctl(MARK_BEGIN);
	run(arg);
	prctl(MARK_END);
	return read(tracer, &calls, sizeof(calls)) == sizeof(calls) ? calls : -1;
}
