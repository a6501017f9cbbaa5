/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The kernel threads of SQPOLL: how many there are, where they may run, and what a queue does
 * when they cannot.
 */

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit_sqpoll.h"

/* Count the threads of that kind, and see where the last may run. */
static unsigned int
count_threads(cpu_set_t *cpus)
{
	DIR *dir = opendir("/proc/self/task");
	char path[300], comm[32];
	struct dirent *entry;
	unsigned int n = 0;
	FILE *file;

	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fgets(comm, sizeof(comm), file) != NULL && strncmp(comm, "iou-sqp", 7) == 0) {
			sched_getaffinity(atoi(entry->d_name), sizeof(*cpus), cpus);
			n++;
		}
		fclose(file);
	}
	closedir(dir);
	return n;
}

/* One for all queues, which may run anywhere although its creator may not, or where it is told. */
static void
test_thread(void)
{
	struct rtap_sqpoll_conf conf = { .on = true, .idle_ms = IDLE_MS };
	cpu_set_t all, before, one, cpus;

	CU_ASSERT_FATAL(UNTIL(count_threads(&cpus) == (mode.per_queue ? 2 : 1)));
	unit_queues_close();
	rtap_sqpoll_close(&sqpoll);

	sched_getaffinity(0, sizeof(before), &before);
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (conf.cpu = 0; !CPU_ISSET(conf.cpu, &all); conf.cpu++)
		;
	CPU_SET(conf.cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	CU_ASSERT_FATAL(UNTIL(count_threads(&cpus) == 0));

	CU_ASSERT_EQUAL(open_thread(&conf), 0);
	CU_ASSERT(UNTIL(count_threads(&cpus) == 1 && CPU_EQUAL(&cpus, &all)));
	sched_getaffinity(0, sizeof(cpus), &cpus);
	CU_ASSERT(CPU_EQUAL(&cpus, &one));
	rtap_sqpoll_close(&sqpoll);
	CU_ASSERT_FATAL(UNTIL(count_threads(&cpus) == 0));

	sched_setaffinity(0, sizeof(before), &before);
	conf.pinned = true;
	CU_ASSERT_EQUAL(open_thread(&conf), 0);
	CU_ASSERT(UNTIL(count_threads(&cpus) == 1 && CPU_EQUAL(&cpus, &one)));
	rtap_sqpoll_close(&sqpoll);

	conf.cpu = UINT16_MAX;
	CU_ASSERT_EQUAL(open_thread(&conf), -EINVAL);
	CU_ASSERT(!sqpoll.open && !unit_caps.sqpoll);
}

/*
 * When the CPU of the thread is taken, a burst returns all the same. A queue that stops then
 * cancels a chain which is not begun, and that chain ends before the cancellation.
 */
static void
test_tx_busy_cpu(void)
{
	static const struct sched_param usual;
	static const int size = 1;
	cpu_set_t before;
	unsigned int n, i;
	bool occupied;

	sched_getaffinity(0, sizeof(before), &before);
	occupied = occupy_cpu();
	alarm(120);
	n = give_burst(0, NB_DESC);
	if (occupied)
		CU_ASSERT_EQUAL(n, CHAIN)
	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL(await(), i);
	CU_ASSERT(UNTIL(finished(n)));

	CU_ASSERT_EQUAL(setsockopt(unit_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	while (send(unit_fd, &size, 1, 0) == 1)
		;
	CU_ASSERT_EQUAL(give_burst(0, 3), 3);
	rtap_tx_queue_stop(&unit_dev, 0);
	CU_ASSERT_EQUAL(txq->stats.packets, n);
	CU_ASSERT_EQUAL(txq->stats.write_errors, 3);
	alarm(0);
	sched_setscheduler(0, SCHED_OTHER, &usual);
	sched_setaffinity(0, sizeof(before), &before);
}

/* One for each queue, which may run anywhere as well, and ends with its ring. */
static void
test_thread_per_queue(void)
{
	const struct rtap_sqpoll_conf conf = { .on = true, .per_queue = true, .idle_ms = 60000 };
	cpu_set_t all, before, one, cpus;
	unsigned int cpu;

	unit_queues_close();
	rtap_sqpoll_close(&sqpoll);
	CU_ASSERT_EQUAL_FATAL(open_thread(&conf), 0);
	CU_ASSERT(!sqpoll.open && unit_caps.sqpoll);
	CU_ASSERT_FATAL(UNTIL(count_threads(&cpus) == 0));

	sched_getaffinity(0, sizeof(before), &before);
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	sched_getaffinity(0, sizeof(all), &all);
	for (cpu = 0; !CPU_ISSET(cpu, &all); cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	open_queues();
	CU_ASSERT(UNTIL(count_threads(&cpus) == 2 && CPU_EQUAL(&cpus, &all)));
	sched_getaffinity(0, sizeof(cpus), &cpus);
	CU_ASSERT(CPU_EQUAL(&cpus, &one));
	sched_setaffinity(0, sizeof(before), &before);

	CU_ASSERT(put(1) && take(1, 1));
	CU_ASSERT(give(frame_mbuf(2)));
	CU_ASSERT_EQUAL(await(), 2);
	usleep(1500000); /* longer than threads look for work that are not told how long */
	CU_ASSERT(!sleeps(&rxq->ring.uring) && !sleeps(&txq->ring.uring));
	rtap_rx_queue_stop(&unit_dev, 0);
	CU_ASSERT(UNTIL(count_threads(&cpus) == 1));
	CU_ASSERT(give(frame_mbuf(3)));
	CU_ASSERT_EQUAL(await(), 3);
	rtap_tx_queue_stop(&unit_dev, 0);
	CU_ASSERT(UNTIL(count_threads(&cpus) == 0));
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "thread", test_thread },
		{ "thread for each queue", test_thread_per_queue },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo ordered_tests[] = {
		{ "busy CPU", test_tx_busy_cpu },
		CU_TEST_INFO_NULL,
	};

	return unit_sqpoll_run(tests, ordered_tests);
}
