/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Threads: lcore 0 coordinates and floats, the workers have a CPU each, as far as there are enough.
 */

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "kperf.h"

static cpu_set_t all_cpus;

/* Add a part of a list, like "2" or "4-7", if all of it may be used. */
static void
add_cpus(const char *part, const cpu_set_t *allowed, cpu_set_t *cpus)
{
	unsigned long first, last;
	char *end;

	last = first = strtoul(part, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]) != 0)
		last = strtoul(end + 1, &end, 10);
	if (isdigit((unsigned char)part[0]) == 0 || *end != '\0' || last < first)
		refuse("--cpus: '%s' names no CPUs; give a list like 0-3,8", part);
	for (; first <= last; first++) {
		if (first >= CPU_SETSIZE || !CPU_ISSET(first, allowed))
			refuse("--cpus: CPU %lu may not be used here; see taskset -p $$", first);
		CPU_SET(first, cpus);
	}
}

void
threads_init(const char *list)
{
	cpu_set_t cpus;
	char *copy, *save, *part;

	if (sched_getaffinity(0, sizeof(all_cpus), &all_cpus) != 0)
		die("sched_getaffinity: %s", strerror(errno));
	if (list == NULL)
		return;
	CPU_ZERO(&cpus);
	copy = strdup(list);
	if (copy == NULL)
		die("out of memory");
	for (part = strtok_r(copy, ",", &save); part != NULL; part = strtok_r(NULL, ",", &save))
		add_cpus(part, &all_cpus, &cpus);
	free(copy);
	if (CPU_COUNT(&cpus) == 0)
		refuse("--cpus: no CPU is named; give a list like 0-3,8");
	all_cpus = cpus;
	if (sched_setaffinity(0, sizeof(all_cpus), &all_cpus) != 0)
		die("sched_setaffinity: %s", strerror(errno));
}

unsigned int
nb_cpus(void)
{
	return CPU_COUNT(&all_cpus);
}

static int
nth_cpu(unsigned int n)
{
	int cpu;

	n %= CPU_COUNT(&all_cpus);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all_cpus) && n-- == 0)
			return cpu;
	return 0;
}

int
helper_cpu(void)
{
	return nth_cpu(CPU_COUNT(&all_cpus) - 1);
}

void
leave_workers_alone(unsigned int n)
{
	cpu_set_t cpus = all_cpus;
	unsigned int i;

	for (i = 0; i < n; i++)
		CPU_CLR(nth_cpu(i), &cpus);
	if (CPU_COUNT(&cpus) == 0)
		cpus = all_cpus;
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
}

struct launch {
	int (*run)(void *);
	void *arg;
	sem_t *done;
};

static int
launched(void *arg)
{
	const struct launch *l = arg;
	int ret = l->run(l->arg);

	sem_post(l->done);
	return ret;
}

/* rte_eal_wait_lcore() spins, maybe on the CPU that the worker needs: it is called at the end. */
void
run_workers(int (*run)(void *), void *args, size_t size, unsigned int n)
{
	struct launch launches[KPERF_QUEUES_MAX];
	unsigned int lcore = -1, i;
	sem_t done;

	sem_init(&done, 0, 0);
	for (i = 0; i < n; i++) {
		lcore = rte_get_next_lcore(lcore, 1, 0);
		launches[i] = (struct launch){ run, (char *)args + i * size, &done };
		if (rte_eal_remote_launch(launched, &launches[i], lcore) != 0)
			die("a worker is busy");
	}
	for (i = 0; i < n; i++)
		while (sem_wait(&done) != 0)
			continue;
	for (i = 0, lcore = -1; i < n; i++) {
		lcore = rte_get_next_lcore(lcore, 1, 0);
		while (rte_eal_get_lcore_state(lcore) != WAIT)
			usleep(20);
		rte_eal_wait_lcore(lcore);
	}
	sem_destroy(&done);
}

void
threads_start_eal(bool huge)
{
	static const char * const constant[] = {
		"kpath-perf", "--no-pci", "--no-telemetry", "--log-level=*:critical",
	};
	static char lcores[8192];
	char *args[RTE_DIM(constant) + 6];
	unsigned int n, i;
	int len;

	for (n = 0; n < RTE_DIM(constant); n++)
		args[n] = strdup(constant[n]);
	if (asprintf(&args[n++], "--file-prefix=kpath-perf.%d", (int)getpid()) < 0)
		die("out of memory");
	args[n++] = strdup(huge ? "--in-memory" : "--no-huge");
	if (!huge) {
		args[n++] = strdup("--no-shconf");
		args[n++] = strdup("-m");
		args[n++] = strdup("512");
	}
	args[n++] = lcores;
	len = snprintf(lcores, sizeof(lcores), "--lcores=0@(");
	for (i = 0; i < (unsigned int)CPU_COUNT(&all_cpus); i++)
		len += snprintf(lcores + len, sizeof(lcores) - len, "%s%d", i == 0 ? "" : ",",
			nth_cpu(i));
	len += snprintf(lcores + len, sizeof(lcores) - len, ")");
	for (i = 0; i < KPERF_QUEUES_MAX; i++)
		len += snprintf(lcores + len, sizeof(lcores) - len, ",%u@%d", i + 1, nth_cpu(i));
	if (rte_eal_init(n, args) < 0)
		die("DPDK does not start%s", huge ? "; try --no-huge" :
			": it needs 512 MB of memory");
	/* It is empty, since nothing is shared, and nobody removes it later. */
	rmdir(rte_eal_get_runtime_dir());
}

/*
 * net_tap has the kernel send a real-time signal for each packet (F_SETSIG and O_ASYNC in
 * tun_alloc() of its rte_eth_tap.c), to any thread that does not block it. Here that is one that
 * does nothing else, as testpmd's main thread: not the one that measures.
 *
 * When packets come faster than it takes their signals, and RLIMIT_SIGPENDING of them are queued,
 * the kernel sends SIGIO instead (send_sigio_to_task() of fs/fcntl.c). net_tap has no handler for
 * it, and it would end the process: it is ignored.
 */
static void *
signals_main(void *arg)
{
	leave_workers_alone(1);
	pthread_sigmask(SIG_UNBLOCK, arg, NULL);
	for (;;)
		pause();
	return NULL;
}

/*
 * A signal that ends the process does so when what was measured is written: as if it had not been
 * taken, so that whoever waits for the process sees what ended it. The first process of a container
 * is not ended by it, and says the same with its status.
 */
static sigset_t ending;

static void *
ending_main(void *arg)
{
	static const struct timespec soon = { .tv_nsec = 200000000 };
	void (*interrupted)(void) = *(void (**)(void))arg;
	int sig;

	leave_workers_alone(1);
	sigwait(&ending, &sig);
	/* The same may come twice, as to a process and to its group. */
	while (sigtimedwait(&ending, NULL, &soon) > 0)
		continue;
	/* One more, while that is written, ends the process at once. */
	pthread_sigmask(SIG_UNBLOCK, &ending, NULL);
	interrupted();
	raise(sig);
	_exit(128 + sig);
}

/* What whoever started this program wants to be ignored, as nohup does, stays ignored. */
static void
add_ending(int sig)
{
	struct sigaction action;

	if (sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
		sigaddset(&ending, sig);
}

void
threads_divert_signals(void (*interrupted)(void))
{
	static void (*function)(void);
	static sigset_t signals;
	pthread_t thread;
	int sig;

	signal(SIGIO, SIG_IGN);
	sigemptyset(&signals);
	for (sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		sigaddset(&signals, sig);
	sigemptyset(&ending);
	add_ending(SIGINT);
	add_ending(SIGTERM);
	add_ending(SIGHUP);
	function = interrupted;
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	pthread_sigmask(SIG_BLOCK, &ending, NULL);
	if (pthread_create(&thread, NULL, signals_main, &signals) != 0 ||
	    pthread_create(&thread, NULL, ending_main, &function) != 0)
		die("cannot start a thread");
}
