/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Time, and the CPU time of all that works for a path: this process, with the threads that the
 * kernel adds to it for io_uring, and those threads of the kernel's that move packets. What an
 * interrupt does to an idle CPU belongs to nobody and is not seen.
 */

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "kperf.h"

static uint64_t
read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

uint64_t
now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
cpu_thread(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static bool
read_word(const char *pid, const char *name, char *word, size_t size)
{
	char path[64];
	FILE *file;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	ok = fgets(word, size, file) != NULL;
	fclose(file);
	return ok;
}

/*
 * Softirqs of all CPUs; what is of this program: threaded NAPI, and vhost. Since Linux 6.4 the
 * latter is inside this process, as io_uring's always are.
 */
const char *
cpu_thread_kind(unsigned int thread)
{
	static const char * const kinds[][2] = {
		/* what names begin with: a number is behind, or an interface */
		{ "ksoftirqd/", "ksoftirqd" }, { "napi/kp", "napi" },
		{ "iou-sqp-", "iou-sqp" }, { "iou-wrk-", "iou-wrk" },
	};
	char pid[16], comm[64], vhost[32];
	unsigned int i;

	snprintf(pid, sizeof(pid), "%u", thread);
	if (!read_word(pid, "comm", comm, sizeof(comm)))
		return NULL;
	for (i = 0; i < RTE_DIM(kinds); i++)
		if (strncmp(comm, kinds[i][0], strlen(kinds[i][0])) == 0)
			return kinds[i][1];
	snprintf(vhost, sizeof(vhost), "vhost-%d", getpid());
	return strncmp(comm, vhost, strlen(vhost)) == 0 ? "vhost" : NULL;
}

/* Those in a directory of /proc; returns how many. */
static unsigned int
find_threads(const char *path, unsigned int *threads, unsigned int max)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned int n = 0, thread;

	while (dir != NULL && n < max && (entry = readdir(dir)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]) == 0)
			continue;
		thread = strtoul(entry->d_name, NULL, 10);
		if (cpu_thread_kind(thread) != NULL)
			threads[n++] = thread;
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

static void
find_inside(struct cpu_meter *meter)
{
	meter->nb_inside = find_threads("/proc/self/task", meter->inside, RTE_DIM(meter->inside));
}

unsigned int
cpu_kernel_threads(struct cpu_meter *meter)
{
	meter->nb_threads = find_threads("/proc", meter->threads, RTE_DIM(meter->threads));
	find_inside(meter);
	return meter->nb_threads;
}

/* The first number of schedstat is the time on a CPU, in ns (Documentation/scheduler/). */
static uint64_t
threads_ns(const unsigned int *threads, unsigned int n)
{
	uint64_t ns = 0;
	char pid[16], word[128];
	unsigned int i;

	for (i = 0; i < n; i++) {
		snprintf(pid, sizeof(pid), "%u", threads[i]);
		if (read_word(pid, "schedstat", word, sizeof(word)))
			ns += strtoull(word, NULL, 10);
	}
	return ns;
}

static uint64_t
user_ns(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return usage.ru_utime.tv_sec * UINT64_C(1000000000) +
		usage.ru_utime.tv_usec * UINT64_C(1000);
}

uint64_t
cpu_thread_user(void)
{
	return user_ns(RUSAGE_THREAD);
}

uint64_t
cpu_of_thread(pthread_t thread)
{
	clockid_t clock;

	return pthread_getcpuclockid(thread, &clock) == 0 ? read_clock(clock) : 0;
}

static struct cpu_times
read_times(const struct cpu_meter *meter)
{
	uint64_t outside = threads_ns(meter->threads, meter->nb_threads);

	return (struct cpu_times){
		.all = outside + read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu_thread(),
		.user = user_ns(RUSAGE_SELF) - user_ns(RUSAGE_THREAD),
		.threads = outside + threads_ns(meter->inside, meter->nb_inside),
	};
}

void
cpu_start(struct cpu_meter *meter)
{
	cpu_kernel_threads(meter);
	meter->before = read_times(meter);
}

void
cpu_restart(struct cpu_meter *meter)
{
	find_inside(meter);
	meter->before = read_times(meter);
}

/* Clocks are not read all at once: none is to run backwards. */
static uint64_t
since(uint64_t now, uint64_t before)
{
	return now - RTE_MIN(now, before);
}

struct cpu_times
cpu_stop(const struct cpu_meter *meter)
{
	struct cpu_times now = read_times(meter);

	return (struct cpu_times){
		.all = since(now.all, meter->before.all),
		.user = since(now.user, meter->before.user),
		.threads = since(now.threads, meter->before.threads),
	};
}
