/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Nothing at all: what polling costs, what sleeping costs, and how fast one wakes up. */

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "oneway.h"
#include "results.h"

/* Of a sleep: the worker looks whether to stop that often */
#define SLEEP_MS 20
/* Who was woken polls that long before it sleeps again, */
#define AWAKE_NS 200000
/* and sleeps when the next packet comes, so long after the one before. */
#define PAUSE_US 300
#define LATE_NS (KPERF_LATE_MS * UINT32_C(1000000))
/* So long after that, no packet comes any more. */
#define GONE_NS UINT64_C(1000000000)
#define WAKE_MAX 20000

static const char no_sleep[] = "no Rx interrupt";

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
			n += ops->rx(w->port, w->queue, w->port->params->burst);
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
		port->path->ops->rx(port, 0, port->params->burst);
}

/* Sleeps where a thread that polls would spin. spent is without what is before the first sleep. */
static int
sleep_worker(void *arg)
{
	struct worker *w = arg;
	const struct path_ops *ops = w->port->path->ops;
	uint64_t last, cpu = cpu_thread();
	int woken;

	discard_worker(w);
	w->other_ns = cpu_thread() - cpu;
	for (last = rte_rdtsc(); w->spent < w->cycles; last = poll_end(w, last, 0)) {
		woken = ops->sleep(w->port, w->queue, SLEEP_MS);
		if (woken < 0)
			return -1;
		if (woken > 0)
			ops->rx(w->port, w->queue, w->port->params->burst);
	}
	return 0;
}

static void
measure_idle(struct port *port, uint64_t duration, struct result *result)
{
	struct worker workers[KPERF_QUEUES_MAX];
	struct cpu_meter meter;
	struct cpu_times cpu;
	double ns;

	workers_init(workers, port, duration);
	workers_run(workers, idle_worker);
	result->value[M_NS] = cycles_to_ns(workers[0].spent) / (256 * workers[0].polls);
	result->value[M_SYSCALLS] = traced_calls(port, idle_traced, TRACED_POLLS);
	workers_init(workers, port, duration);
	cpu_start(&meter);
	workers_run(workers, sleep_worker);
	cpu = cpu_stop(&meter);
	ns = cycles_to_ns(workers[0].spent);
	if (workers[0].spent >= workers[0].cycles)
		result->value[M_SLEEP_CPU] =
			100.0 * (cpu.all - RTE_MIN(cpu.all, workers[0].other_ns)) / ns;
}

/*
 * One packet for an application that sleeps
 */

/*
 * Receive after a wake-up: in vain for a moment before sleeping again, as applications do. What
 * wakes comes before the packet where the driver learns of it by a signal that another thread gets,
 * as net_tap does; and it does not come twice.
 */
static unsigned int
rx_awake(struct port *port, int woken)
{
	uint64_t end = now_ns() + (woken > 0 ? AWAKE_NS : 0);
	unsigned int n;

	do {
		n = port->path->ops->rx(port, 0, port->params->burst);
	} while (n == 0 && now_ns() < end);
	return n;
}

struct sleeper {
	struct port *port;
	bool cannot;
	unsigned int n;
	uint32_t times[WAKE_MAX];
	RTE_ATOMIC(uint64_t) sent;	/* when, 0: it has arrived, or is given up */
	RTE_ATOMIC(uint64_t) bursts;	/* in which something arrived */
	RTE_ATOMIC(bool) stop;
	RTE_ATOMIC(bool) ready;
};

static int
wake_worker(void *arg)
{
	struct sleeper *s = *(struct sleeper **)arg;
	struct port *port = s->port;
	const struct path_ops *ops = port->path->ops;
	struct worker w = { .port = port };
	uint64_t sent, now;
	int woken;

	discard_worker(&w);
	while (!rte_atomic_load_explicit(&s->stop, rte_memory_order_relaxed)) {
		woken = ops->sleep(port, 0, SLEEP_MS);
		if (woken < 0)
			s->cannot = true;
		rte_atomic_store_explicit(&s->ready, true, rte_memory_order_release);
		if (s->cannot)
			return -1;
		if (rx_awake(port, woken) == 0)
			continue;
		now = now_ns();
		sent = rte_atomic_exchange_explicit(&s->sent, 0, rte_memory_order_acq_rel);
		if (sent != 0)
			s->times[s->n++] = now - sent;
		rte_atomic_fetch_add_explicit(&s->bursts, 1, rte_memory_order_release);
		/* Asleep is who has found nothing. */
		while (ops->rx(port, 0, port->params->burst) != 0)
			continue;
	}
	return 0;
}

/* What was given up may still come: it must not be taken for the next one. */
static void
await_late(const struct sleeper *s, uint64_t bursts)
{
	uint64_t start = now_ns();

	while (rte_atomic_load_explicit(&s->bursts, rte_memory_order_acquire) == bursts &&
	       now_ns() - start < GONE_NS)
		usleep(1000);
}

/* One packet, and wait until it has arrived. Returns whether it has, in time. */
static bool
wake(struct sleeper *s)
{
	uint64_t start, bursts;

	usleep(PAUSE_US);
	bursts = rte_atomic_load_explicit(&s->bursts, rte_memory_order_acquire);
	start = now_ns();
	rte_atomic_store_explicit(&s->sent, start, rte_memory_order_release);
	kernel_send(s->port, s->port->packet_sock, 1);
	while (rte_atomic_load_explicit(&s->sent, rte_memory_order_acquire) != 0) {
		if (now_ns() - start < LATE_NS) {
			usleep(20);
			continue;
		}
		/* It may have come just now. */
		if (rte_atomic_exchange_explicit(&s->sent, 0, rte_memory_order_acq_rel) == 0)
			break;
		await_late(s, bursts);
		return false;
	}
	return true;
}

static void *
wake_main(void *arg)
{
	run_workers(wake_worker, arg, sizeof(void *), 1);
	return NULL;
}

static void
measure_wake(struct port *port, uint64_t duration, struct result *result)
{
	struct sleeper *s = calloc(1, sizeof(*s));
	uint64_t end, sent = 0, lost = 0, i;
	pthread_t thread;

	if (s == NULL)
		die("out of memory");
	s->port = port;
	kernel_prepare(port);
	if (pthread_create(&thread, NULL, wake_main, &s) != 0)
		die("cannot start a thread");
	leave_workers_alone(1);
	while (!rte_atomic_load_explicit(&s->ready, rte_memory_order_acquire))
		usleep(200);
	end = now_ns() + duration;
	while (!s->cannot && sent < WAKE_MAX &&
	       now_ns() < result_times_end(end, duration, sent)) {
		lost += !wake(s);
		sent++;
	}
	leave_workers_alone(0);
	rte_atomic_store_explicit(&s->stop, true, rte_memory_order_relaxed);
	pthread_join(thread, NULL);
	if (s->cannot) {
		result->why = no_sleep;
	} else {
		result->value[M_LOST] = 1e3 * lost / RTE_MAX(sent, UINT64_C(1));
		for (i = 0; i < lost && s->n != 0; i++)
			s->times[s->n++] = LATE_NS;
		result_set_times(result, M_P50, s->times, s->n);
	}
	free(s);
}

const struct test test_idle = {
	.name = "idle",
	.what = "polling where there is nothing, and sleeping there",
	.primary = M_NS,
	.shown = RTE_BIT64(M_SYSCALLS) | RTE_BIT64(M_SLEEP_CPU),
	.takes = 2,
	.sleeps = true,
	.unhurried = true,
	.measure = measure_idle,
};

const struct test test_wake = {
	.name = "wake",
	.what = "from the kernel's sender to an application that sleeps, one packet at a time",
	.primary = M_P50,
	.shown = RTE_BIT64(M_P99) | RTE_BIT64(M_P999),
	.ms = 1000, /* a thousand times */
	.sleeps = true,
	.unhurried = true,
	.measure = measure_wake,
};
