/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* One port: into the kernel, out of it, and nothing at all. */

#include <math.h>
#include <pthread.h>
#include <string.h>

#include <rte_pause.h>
#include <rte_stdatomic.h>

#include "kperf.h"

/* Frames between two looks at the clock */
#define CHUNK 2048
/* What is sent before the socket is read: less than its buffer holds */
#define SOCKET_BYTES (32 << 20)
/* Frames that the kernel's queue is filled with, and their bytes at most */
#define FILL 4000
#define FILL_BYTES (64 << 20)
/* Polls in a row without a frame after which the rest is lost */
#define GIVE_UP 200000
/* Packets and polls of which system calls are counted */
#define TRACED 640
#define TRACED_POLLS 1000

struct worker {
	struct port *port;
	unsigned int queue;
	uint64_t duration;	/* or, for Rx, the frames that wait in all queues */
	uint64_t frames;
	uint64_t polls;
	uint64_t ns;
	uint64_t cpu_ns;
};

static void
init_workers(struct worker *workers, struct port *port, uint64_t duration)
{
	unsigned int i;

	memset(workers, 0, KPERF_QUEUES_MAX * sizeof(*workers));
	for (i = 0; i < port->params->queues; i++)
		workers[i] = (struct worker){ .port = port, .queue = i, .duration = duration };
}

static struct worker
sum_workers(const struct worker *workers, unsigned int n)
{
	struct worker sum = {0};
	unsigned int i;

	for (i = 0; i < n; i++) {
		sum.frames += workers[i].frames;
		sum.polls += workers[i].polls;
		sum.ns = RTE_MAX(sum.ns, workers[i].ns);
		sum.cpu_ns += workers[i].cpu_ns;
	}
	return sum;
}

/* Rates from frames and ns. The time of a packet is that of one thread. */
static void
set_rates(struct result *result, const struct worker *sum, const struct params *params)
{
	if (sum->frames == 0)
		return;
	result->value[M_NS] = (double)sum->ns * params->queues / sum->frames;
	result->value[M_MPPS] = 1e3 * sum->frames / sum->ns;
	result->value[M_GBPS] = 8.0 * sum->frames * params->len / sum->ns;
}

/*
 * Into the kernel
 */

static int
tx_worker(void *arg)
{
	struct worker *w = arg;
	const struct path_ops *ops = w->port->path->ops;
	const struct params *params = w->port->params;
	unsigned int chunk = CHUNK, sent, n;
	uint64_t start, cpu;

	if (params->to == TO_SOCKET)
		chunk = RTE_MIN(chunk, SOCKET_BYTES / (2 * params->len + 1024));
	ops->tx(w->port, w->queue, 1);
	while (w->ns < w->duration) {
		cpu = cpu_thread();
		start = now_ns();
		for (sent = 0; sent < chunk; sent += params->burst) {
			n = ops->tx(w->port, w->queue, params->burst);
			w->frames += n;
			if (n == 0)
				rte_pause();
		}
		w->ns += now_ns() - start;
		w->cpu_ns += cpu_thread() - cpu;
		/* Its own time, but not the path's. */
		if (params->to == TO_SOCKET)
			socket_drain(w->port->udp_socks[w->queue]);
	}
	return 0;
}

struct traced {
	struct port *port;
	uint64_t calls;
};

static void
tx_traced(void *arg)
{
	const struct traced *t = arg;
	const struct params *params = t->port->params;
	unsigned int i;

	for (i = 0; i < TRACED; i += params->burst)
		t->port->path->ops->tx(t->port, 0, params->burst);
}

static int
trace_tx_worker(void *arg)
{
	struct traced *t = arg;

	t->calls = trace_syscalls(tx_traced, t);
	return 0;
}

static void
measure_tx(struct port *port, uint64_t duration, struct result *result)
{
	const struct params *params = port->params;
	uint64_t before = net_counter(port->ifname, "rx_packets"), cpu, arrived;
	struct worker workers[KPERF_QUEUES_MAX], sum;
	struct traced traced = { .port = port };

	init_workers(workers, port, duration);
	cpu = cpu_machine();
	run_workers(tx_worker, workers, sizeof(*workers), params->queues);
	cpu = cpu_machine() - cpu;
	sum = sum_workers(workers, params->queues);
	set_rates(result, &sum, params);
	if (sum.frames == 0)
		return;
	result->value[M_CPU_NS] = (double)(params->to == TO_SOCKET ? sum.cpu_ns :
		RTE_MAX(cpu, sum.cpu_ns)) / sum.frames;
	/* The first of each worker is not counted among its frames. */
	arrived = net_counter(port->ifname, "rx_packets") - before;
	result->value[M_LOST] = 1e3 * (1 - RTE_MIN(1.0, (double)arrived /
		(sum.frames + params->queues)));
	run_workers(trace_tx_worker, &traced, sizeof(traced), 1);
	if ((int64_t)traced.calls >= 0)
		result->value[M_SYSCALLS] = (double)traced.calls /
			RTE_ALIGN_MUL_CEIL(TRACED, params->burst);
}

/*
 * Out of the kernel: a queue that is full, and nobody fills it meanwhile
 */

static RTE_ATOMIC(uint64_t) nb_drained;

static int
rx_worker(void *arg)
{
	struct worker *w = arg;
	const struct path_ops *ops = w->port->path->ops;
	unsigned int burst = w->port->params->burst, n, empty = 0;
	uint64_t cpu = cpu_thread(), start = now_ns(), all = 0;

	/* The clock stops with the last frame, not with the empty polls after it. */
	w->frames = 0;
	while (all < w->duration && empty < GIVE_UP) {
		n = ops->rx(w->port, w->queue, burst);
		if (n == 0) {
			empty++;
			all = rte_atomic_load_explicit(&nb_drained, rte_memory_order_relaxed);
			continue;
		}
		empty = 0;
		w->frames += n;
		all = rte_atomic_fetch_add_explicit(&nb_drained, n, rte_memory_order_relaxed) + n;
		w->ns = now_ns() - start;
	}
	w->cpu_ns = cpu_thread() - cpu;
	return 0;
}

static unsigned int
fill_size(const struct port *port)
{
	unsigned int fill = (port->path->flags & DPDK_VETH) != 0 &&
		port->path->ops == &dpdk_ops ? DPDK_VETH_FILL : FILL;

	return RTE_MIN(fill, FILL_BYTES / port->params->len);
}

/* What is there and does not count. By the thread that polls the queue: rings have owners. */
static int
discard_worker(void *arg)
{
	const struct worker *w = arg;
	unsigned int empty;

	for (empty = 0; empty < 100; empty++)
		if (w->port->path->ops->rx(w->port, w->queue, KPERF_BURST_MAX) != 0)
			empty = 0;
	return 0;
}

static void
rx_traced(void *arg)
{
	const struct traced *t = arg;
	unsigned int got = 0, empty = 0, n;

	while (got < TRACED && empty < GIVE_UP) {
		n = t->port->path->ops->rx(t->port, 0, t->port->params->burst);
		got += n;
		empty = n == 0 ? empty + 1 : 0;
	}
}

static int
trace_rx_worker(void *arg)
{
	struct traced *t = arg;

	t->calls = trace_syscalls(rx_traced, t);
	return 0;
}

static void
measure_rx(struct port *port, uint64_t duration, struct result *result)
{
	const struct params *params = port->params;
	struct worker workers[KPERF_QUEUES_MAX], sum = {0};
	uint64_t filled = 0, fill_ns = 0, start, n;
	struct traced traced = { .port = port };
	unsigned int rounds, i;

	init_workers(workers, port, 0);
	run_workers(discard_worker, workers, sizeof(*workers), params->queues);
	for (rounds = 0; sum.ns < duration && rounds < 1000; rounds++) {
		struct worker now;

		init_workers(workers, port, 0);
		start = now_ns();
		n = kernel_send(port, fill_size(port));
		fill_ns += now_ns() - start;
		filled += n;
		if (n == 0)
			break;
		for (i = 0; i < params->queues; i++)
			workers[i].duration = n;
		rte_atomic_store_explicit(&nb_drained, 0, rte_memory_order_relaxed);
		run_workers(rx_worker, workers, sizeof(*workers), params->queues);
		now = sum_workers(workers, params->queues);
		if (now.frames == 0)
			break;
		sum.frames += now.frames;
		sum.ns += now.ns;
		sum.cpu_ns += now.cpu_ns;
	}
	set_rates(result, &sum, params);
	if (sum.frames == 0)
		return;
	result->value[M_KERNEL_NS] = (double)fill_ns / filled;
	result->value[M_CPU_NS] = (double)(sum.cpu_ns + fill_ns) / sum.frames;
	result->value[M_LOST] = 1e3 * (1 - RTE_MIN(1.0, (double)sum.frames / filled));
	if (params->queues == 1 && kernel_send(port, TRACED) == TRACED) {
		run_workers(trace_rx_worker, &traced, sizeof(traced), 1);
		if ((int64_t)traced.calls >= 0)
			result->value[M_SYSCALLS] = (double)traced.calls / TRACED;
	}
}

/*
 * Out of the kernel while it sends: another thread does nothing else
 */

struct sender {
	struct port *port;
	uint64_t sent;
	RTE_ATOMIC(bool) stop;
};

static void *
sender_main(void *arg)
{
	struct sender *s = arg;

	leave_workers_alone(s->port->params->queues);
	while (!rte_atomic_load_explicit(&s->stop, rte_memory_order_relaxed))
		s->sent += kernel_send(s->port, 64);
	return NULL;
}

static int
load_worker(void *arg)
{
	struct worker *w = arg;
	const struct path_ops *ops = w->port->path->ops;
	unsigned int burst = w->port->params->burst, n, i;
	uint64_t start = now_ns(), empty = 0;

	while (w->ns < w->duration) {
		for (i = 0; i < 64; i++) {
			n = ops->rx(w->port, w->queue, burst);
			w->frames += n;
			empty += n == 0;
		}
		w->polls += 64;
		w->ns = now_ns() - start;
	}
	w->cpu_ns = empty; /* polls that found nothing */
	return 0;
}

static void
measure_load(struct port *port, uint64_t duration, struct result *result)
{
	const struct params *params = port->params;
	struct worker workers[KPERF_QUEUES_MAX], sum;
	struct sender sender = { .port = port };
	uint64_t cpu, dropped = net_counter(port->ifname, "tx_dropped");
	pthread_t thread;

	init_workers(workers, port, duration);
	cpu = cpu_machine();
	if (pthread_create(&thread, NULL, sender_main, &sender) != 0)
		die("cannot start a thread");
	run_workers(load_worker, workers, sizeof(*workers), params->queues);
	rte_atomic_store_explicit(&sender.stop, true, rte_memory_order_relaxed);
	pthread_join(thread, NULL);
	cpu = cpu_machine() - cpu;
	sum = sum_workers(workers, params->queues);
	set_rates(result, &sum, params);
	dropped = net_counter(port->ifname, "tx_dropped") - dropped;
	result->value[M_LOST] = 1e3 * dropped / RTE_MAX(1U, sender.sent + dropped);
	if (sum.frames != 0)
		result->value[M_CPU_NS] = (double)cpu / sum.frames;
	/* Most polls found nothing, so more could have been received. */
	result->app_idle = dropped == 0 && sum.cpu_ns * 4 > sum.polls;
}

/*
 * Nothing at all
 */

static int
idle_worker(void *arg)
{
	struct worker *w = arg;
	const struct path_ops *ops = w->port->path->ops;
	uint64_t start;
	unsigned int i;

	discard_worker(w);
	start = now_ns();
	while (w->ns < w->duration) {
		for (i = 0; i < 256; i++)
			w->frames += ops->rx(w->port, w->queue, 32);
		w->polls += 256;
		w->ns = now_ns() - start;
	}
	return 0;
}

static void
idle_traced(void *arg)
{
	const struct traced *t = arg;
	unsigned int i;

	for (i = 0; i < TRACED_POLLS; i++)
		t->port->path->ops->rx(t->port, 0, 32);
}

static int
trace_idle_worker(void *arg)
{
	struct traced *t = arg;

	t->calls = trace_syscalls(idle_traced, t);
	return 0;
}

static void
measure_idle(struct port *port, uint64_t duration, struct result *result)
{
	struct worker workers[KPERF_QUEUES_MAX];
	struct traced traced = { .port = port };

	init_workers(workers, port, duration);
	run_workers(idle_worker, workers, sizeof(*workers), 1);
	result->value[M_NS] = (double)workers[0].ns / workers[0].polls;
	run_workers(trace_idle_worker, &traced, sizeof(traced), 1);
	if ((int64_t)traced.calls >= 0)
		result->value[M_SYSCALLS] = (double)traced.calls / TRACED_POLLS;
}

const struct test test_tx = {
	.name = "tx",
	.what = "into the kernel, as fast as it takes them",
	.primary = M_NS,
	.measure = measure_tx,
};

const struct test test_rx = {
	.name = "rx",
	.what = "out of the kernel, from a queue that is full",
	.primary = M_NS,
	.measure = measure_rx,
};

const struct test test_load = {
	.name = "load",
	.what = "out of the kernel while it sends as fast as it can",
	.primary = M_MPPS,
	.measure = measure_load,
};

const struct test test_idle = {
	.name = "idle",
	.what = "polling where there is nothing",
	.primary = M_NS,
	.measure = measure_idle,
};
