/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Into the kernel: workers that do nothing but send. What the kernel does with a packet may be
 * done by another thread later (NAPI, SQPOLL): a round ends when the last packet has arrived.
 */

#include <unistd.h>

#include <rte_pause.h>

#include "oneway.h"
#include "results.h"

/* Frames between two looks at the clock */
#define CHUNK 2048
/* What is sent before the socket is read: less than its buffer holds */
#define SOCKET_BYTES (32 << 20)
/* So long without an arrival, what is missing is lost */
#define LATE_NS UINT64_C(100000000)

static int
tx_worker(void *arg)
{
	struct worker *w = arg;
	const struct path_ops *ops = w->port->path->ops;
	const struct params *params = w->port->params;
	unsigned int chunk = CHUNK, sent, n;
	uint64_t last, cpu;

	if (params->to == TO_SOCKET)
		chunk = RTE_MIN(chunk, SOCKET_BYTES / (2 * params->len + 1024));
	w->first = ops->tx(w->port, w->queue, 1);
	while (w->spent < w->cycles) {
		last = rte_rdtsc();
		for (sent = 0; sent < chunk; sent += params->burst) {
			n = ops->tx(w->port, w->queue, params->burst);
			count_frames(w, n);
			if (n == 0)
				rte_pause();
			last = poll_end(w, last, n);
		}
		if (params->to != TO_SOCKET)
			continue;
		cpu = cpu_thread();
		w->received += socket_drain(w->port->udp_sock);
		w->other_ns += cpu_thread() - cpu;
	}
	return 0;
}

/* Packets since the counter was at before: at the socket, if they are for one. */
static uint64_t
arrived(const struct port *port, struct worker *sum, uint64_t before)
{
	if (port->params->to != TO_SOCKET)
		return net_counter(port->ifname, "rx_packets") - before;
	sum->received += socket_drain(port->udp_sock);
	return sum->received;
}

/* Until all have arrived, or no more do. Returns how many; ns is how long that took. */
static uint64_t
await_arrival(const struct port *port, struct worker *sum, uint64_t before, uint64_t *ns)
{
	uint64_t all = sum->frames + sum->first, start = now_ns(), last = start;
	uint64_t n = arrived(port, sum, before), now;

	*ns = 0;
	while (n < all && now_ns() - last < LATE_NS) {
		usleep(200);
		now = arrived(port, sum, before);
		if (now != n) {
			last = now_ns();
			*ns = last - start;
		}
		n = now;
	}
	return n;
}

static void
tx_traced(void *arg)
{
	struct port *port = arg;
	unsigned int i;

	for (i = 0; i < TRACED; i += port->params->burst)
		port->path->ops->tx(port, 0, port->params->burst);
}

static void
measure_tx(struct port *port, uint64_t duration, struct result *result)
{
	const struct params *params = port->params;
	struct worker workers[KPERF_QUEUES_MAX], sum;
	uint64_t before, n, late;
	struct cpu_meter meter;
	struct cpu_times cpu;

	if (params->to == TO_SOCKET)
		socket_drain(port->udp_sock);
	before = net_counter(port->ifname, "rx_packets");
	workers_init(workers, port, duration);
	cpu_start(&meter);
	workers_run(workers, tx_worker);
	sum = workers_sum(workers, params->queues);
	n = await_arrival(port, &sum, before, &late);
	cpu = cpu_stop(&meter);
	workers_rates(result, workers);
	if (sum.frames == 0)
		return;
	result->value[M_MPPS] *= 1 / (1 + late / cycles_to_ns(sum.spent));
	result->value[M_GBPS] *= 1 / (1 + late / cycles_to_ns(sum.spent));
	result_set_cpu(result, &cpu, sum.other_ns, sum.frames);
	result->value[M_LOST] = 1e3 * (1 - RTE_MIN(1.0, (double)n / (sum.frames + sum.first)));
	result->value[M_SYSCALLS] = traced_calls(port, tx_traced,
		RTE_ALIGN_MUL_CEIL(TRACED, params->burst));
}

const struct test test_tx = {
	.name = "tx",
	.what = "into the kernel, as fast as it takes them",
	.primary = M_NS,
	.shown = RTE_BIT64(M_CPU_NS) | RTE_BIT64(M_LOST),
	.measure = measure_tx,
};
