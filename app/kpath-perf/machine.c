/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* The machine, as far as it decides what is measured on it. */

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <rte_version.h>

#include "kperf.h"

/* The value of a line "NAME: VALUE", or "unknown" */
static void
find_line(const char *path, const char *name, char *value, size_t size)
{
	FILE *file = fopen(path, "re");
	char line[512], *at;

	snprintf(value, size, "unknown");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		at = strchr(line, ':');
		if (strncmp(line, name, strlen(name)) != 0 || at == NULL)
			continue;
		at += 1 + strspn(at + 1, " \t");
		at[strcspn(at, "\n")] = '\0';
		snprintf(value, size, "%s", at);
		break;
	}
	if (file != NULL)
		fclose(file);
}

/* Cores are counted by the first of their threads. */
static unsigned int
nb_cores(void)
{
	unsigned int cores = 0, first;
	char path[96];
	FILE *file;
	int cpu;

	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
		snprintf(path, sizeof(path),
			"/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		if (fscanf(file, "%u", &first) == 1 && (int)first == cpu)
			cores++;
		fclose(file);
	}
	return cores;
}

void
machine_describe(struct machine *m, bool huge)
{
	struct cpu_meter meter;
	struct utsname name;

	memset(m, 0, sizeof(*m));
	uname(&name);
	m->cpus = nb_cpus();
	m->cores = nb_cores();
	m->kernel_threads = cpu_kernel_threads(&meter);
	find_line("/proc/cpuinfo", "model name", m->model, sizeof(m->model));
	find_line("/proc/meminfo", "MemTotal", m->memory, sizeof(m->memory));
	snprintf(m->kernel, sizeof(m->kernel), "%s", name.release);
	snprintf(m->dpdk, sizeof(m->dpdk), "%s", rte_version());
	snprintf(m->liburing, sizeof(m->liburing), "%s", KPERF_LIBURING);
	if (huge)
		find_line("/proc/meminfo", "Hugepagesize", m->pages, sizeof(m->pages));
	else
		snprintf(m->pages, sizeof(m->pages), "%ld kB", sysconf(_SC_PAGESIZE) / 1024);
}
