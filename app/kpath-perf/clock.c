/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Clocks. */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "kperf.h"

uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

uint64_t
cpu_thread(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

/* All but idle and iowait, in steps of a tick: of use for a tenth of a second and more. */
uint64_t
cpu_machine(void)
{
	uint64_t user, nice, system, idle, iowait, irq, softirq;
	FILE *file = fopen("/proc/stat", "re");

	if (file == NULL || fscanf(file, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			" %" SCNu64 " %" SCNu64 " %" SCNu64, &user, &nice, &system, &idle, &iowait,
			&irq, &softirq) != 7)
		die("cannot read /proc/stat");
	fclose(file);
	return (user + nice + system + irq + softirq) * UINT64_C(1000000000) /
		sysconf(_SC_CLK_TCK);
}