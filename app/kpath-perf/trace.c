/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * System calls, counted by a process that traces the thread that makes them. That makes each
 * slow, so it is done apart from what is timed.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
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
note_stop(pid_t tid, bool *counting, struct trace *trace)
{
	struct __ptrace_syscall_info info = {0};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return true;
	if (info.entry.nr == MARK_CALL && info.entry.args[0] == MARK_END)
		return false;
	trace->calls += *counting;
	if (*counting && info.entry.nr < RTE_DIM(trace->by_number))
		trace->by_number[info.entry.nr]++;
	if (info.entry.nr == MARK_CALL && info.entry.args[0] == MARK_BEGIN)
		*counting = true;
	return true;
}

/* Let the thread run, stopped at each call, to the last mark. */
static void
count(pid_t tid, struct trace *trace)
{
	bool counting = false;
	int status, sig;

	*trace = (struct trace){0};
	for (;;) {
		if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status)) {
			trace->calls = -ESRCH;
			return;
		}
		sig = WSTOPSIG(status);
		if (sig == SYSCALL_STOP) {
			if (!note_stop(tid, &counting, trace))
				break;
			sig = 0;
		} else if (status >> 16 != 0) {
			sig = 0; /* the stop that was asked for */
		}
		ptrace(PTRACE_SYSCALL, tid, NULL, sig);
	}
	if (!counting)
		trace->calls = -EINVAL;
}

/* Trace the thread that asked, to the last mark. It waits for the first answer before it begins. */
static void
serve(int sock, pid_t tid)
{
	bool seized = ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD) == 0;
	struct trace trace = { .calls = seized ? 0 : -EPERM };

	if (seized)
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	if (write(sock, &trace, sizeof(trace)) != sizeof(trace) || !seized)
		return;
	count(tid, &trace);
	ptrace(PTRACE_DETACH, tid, NULL, NULL);
	if (write(sock, &trace, sizeof(trace)) != sizeof(trace))
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

void
trace_run(struct trace *trace, void (*run)(void *), void *arg)
{
	pid_t tid = gettid();

	if (write(tracer, &tid, sizeof(tid)) != sizeof(tid) ||
	    read(tracer, trace, sizeof(*trace)) != sizeof(*trace) || trace->calls < 0) {
		trace->calls = -EPERM;
		return;
	}
	prctl(MARK_BEGIN);
	run(arg);
	prctl(MARK_END);
	if (read(tracer, trace, sizeof(*trace)) != sizeof(*trace))
		trace->calls = -ESRCH;
}

int64_t
trace_syscalls(void (*run)(void *), void *arg)
{
	struct trace trace;

	trace_run(&trace, run, arg);
	return trace.calls;
}

/* Those that move packets, and that wait for them. */
void
trace_names(const struct trace *trace, char *text, size_t size)
{
	static const struct {
		unsigned int number;
		const char *name;
	} names[] = {
		{ SYS_io_uring_enter, "io_uring_enter" },
		{ SYS_read, "read" }, { SYS_readv, "readv" },
		{ SYS_write, "write" }, { SYS_writev, "writev" },
		{ SYS_sendto, "sendto" }, { SYS_sendmsg, "sendmsg" }, { SYS_sendmmsg, "sendmmsg" },
		{ SYS_recvfrom, "recvfrom" }, { SYS_recvmsg, "recvmsg" },
		{ SYS_recvmmsg, "recvmmsg" }, { SYS_ppoll, "ppoll" }, { SYS_ioctl, "ioctl" },
		{ SYS_epoll_pwait, "epoll_pwait" }, { SYS_futex, "futex" },
#ifdef SYS_poll
		{ SYS_poll, "poll" }, { SYS_epoll_wait, "epoll_wait" },
#endif
	};
	unsigned int i;
	size_t len = 0;

	snprintf(text, size, trace->calls < 0 ? "unknown" : trace->calls > 0 ? "other" : "none");
	for (i = 0; trace->calls > 0 && i < RTE_DIM(names) && len < size; i++)
		if (trace->by_number[names[i].number] != 0)
			len += snprintf(text + len, size - len, "%s%s", len != 0 ? ", " : "",
				names[i].name);
}
