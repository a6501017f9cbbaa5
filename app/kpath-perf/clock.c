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
#include <time.h>

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

/* Softirqs of all CPUs; threaded NAPI of interfaces of this program, of which this is the name. */
static bool
moves_packets(const char *comm)
{
	return strncmp(comm, "ksoftirqd/", 10) == 0 || strncmp(comm, "napi/kp", 7) == 0;
}

unsigned int
cpu_kernel_threads(struct cpu_meter *meter)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char comm[64];

	meter->nb_threads = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]) == 0 ||
		    !read_word(entry->d_name, "comm", comm, sizeof(comm)) || !moves_packets(comm))
			continue;
		if (meter->nb_threads < RTE_DIM(meter->threads))
			meter->threads[meter->nb_threads++] = strtoul(entry->d_name, NULL, 10);
	}
	if (dir != NULL)
		closedir(dir);
	return meter->nb_threads;
}

/* The first number of schedstat is the time on a CPU, in ns (Documentation/scheduler/). */
static uint64_t
kernel_ns(const struct cpu_meter *meter)
{
	uint64_t ns = 0;
	char pid[16], word[128];
	unsigned int i;

	for (i = 0; i < meter->nb_threads; i++) {
		snprintf(pid, sizeof(pid), "%u", meter->threads[i]);
		if (read_word(pid, "schedstat", word, sizeof(word)))
			ns += strtoull(word, NULL, 10);
	}
	return ns;
}

void
cpu_start(struct cpu_meter *meter)
{
	cpu_kernel_threads(meter);
	meter->kernel = kernel_ns(meter);
	meter->self = cpu_thread();
	meter->process = read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t
cpu_stop(const struct cpu_meter *meter)
{
	uint64_t process = read_clock(CLOCK_PROCESS_CPUTIME_ID) - meter->process;
	uint64_t self = cpu_thread() - meter->self;

	return process - RTE_MIN(process, self) + kernel_ns(meter) - meter->kernel;
}
