/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <math.h>
#include <string.h>

#include "oneway.h"

/* So long, and for a hundred polls, nothing comes from a queue that is empty. */
#define DISCARD_NS 2e6

void
workers_init(struct worker *workers, struct port *port, uint64_t duration)
{
	unsigned int i;

	memset(workers, 0, KPERF_QUEUES_MAX * sizeof(*workers));
	for (i = 0; i < port->params->queues; i++) {
		workers[i].port = port;
		workers[i].queue = i;
		workers[i].cycles = duration * (rte_get_tsc_hz() / 1e9);
	}
}

void
workers_run(struct worker *workers, int (*run)(void *))
{
	run_workers(run, workers, sizeof(*workers), workers->port->params->queues);
}

struct worker
workers_sum(const struct worker *workers, unsigned int n)
{
	struct worker sum = {0};
	unsigned int i;

	for (i = 0; i < n; i++) {
		sum.spent = RTE_MAX(sum.spent, workers[i].spent);
		sum.empty += workers[i].empty;
		sum.polls += workers[i].polls;
		sum.first += workers[i].first;
		sum.received += workers[i].received;
		sum.rest += workers[i].rest;
		sum.other_ns += workers[i].other_ns;
		sum.other_user_ns += workers[i].other_user_ns;
		sum.user_ns += workers[i].user_ns;
		count_frames(&sum, rte_atomic_load_explicit(&workers[i].frames,
				rte_memory_order_relaxed));
	}
	return sum;
}

void
workers_rates(struct result *result, const struct worker *workers)
{
	const struct params *params = workers->port->params;
	struct worker sum = workers_sum(workers, params->queues);
	uint64_t all = 0;
	unsigned int i;
	double ns;

	if (sum.frames == 0)
		return;
	for (i = 0; i < params->queues; i++)
		all += workers[i].spent;
	ns = cycles_to_ns(sum.spent);
	result->value[M_NS] = ns * params->queues / sum.frames;
	result->value[M_MPPS] = 1e3 * sum.frames / ns;
	result->value[M_GBPS] = 8.0 * sum.frames * params->len / ns;
	result->value[M_EMPTY] = 100.0 * sum.empty / all;
}

int
discard_worker(void *arg)
{
	const struct worker *w = arg;
	uint64_t found = rte_rdtsc();
	unsigned int empty;

	for (empty = 0; empty < 100 || !is_past(found, DISCARD_NS); empty++) {
		if (w->port->path->ops->rx(w->port, w->queue, w->port->params->burst) == 0)
			continue;
		empty = 0;
		found = rte_rdtsc();
	}
	return 0;
}

struct traced {
	struct port *port;
	void (*run)(void *);
	int64_t calls;
};

static int
trace_worker(void *arg)
{
	struct traced *t = arg;

	t->calls = trace_syscalls(t->run, t->port);
	return 0;
}

double
traced_calls(struct port *port, void (*run)(void *), unsigned int n)
{
	struct traced traced = { .port = port, .run = run };

	run_workers(trace_worker, &traced, sizeof(traced), 1);
	return traced.calls < 0 ? NAN : (double)traced.calls / n;
}
