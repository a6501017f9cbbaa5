/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Nothing at all: what polling costs. */

#include "oneway.h"

#define POLL_BURST 32
/*
 * Nothing to receive
 */

static int
idle_worker(void *arg)
{
	struct worker *w = arg;
	const struct path_ops *ops = w->port->path->ops;
	uint64_t last;
	unsigned int i, n;

	discard_worker(w);
	while (w->spent < w->cycles) {
		last = rte_rdtsc();
		for (i = 0, n = 0; i < 256; i++)
			n += ops->rx(w->port, w->queue, POLL_BURST);
		poll_end(w, last, n);
	}
	return 0;
}

static void
idle_traced(void *arg)
{
	struct port *port = arg;
	unsigned int i;

	for (i = 0; i < TRACED_POLLS; i++)
		port->path->ops->rx(port, 0, POLL_BURST);
}

static void
measure_idle(struct port *port, uint64_t duration, struct result *result)
{
	struct worker workers[KPERF_QUEUES_MAX];

	workers_init(workers, port, duration);
	workers_run(workers, idle_worker);
	result->value[M_NS] = cycles_to_ns(workers[0].spent) / (256 * workers[0].polls);
	result->value[M_SYSCALLS] = traced_calls(port, idle_traced, TRACED_POLLS);
}

const struct test test_idle = {
	.name = "idle",
	.what = "polling where there is nothing",
	.primary = M_NS,
	.unhurried = true,
	.measure = measure_idle,
};
