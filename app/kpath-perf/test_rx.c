/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Out of the kernel: from a queue that is full, and while others fill it. */

#include <pthread.h>
#include <unistd.h>

#include <rte_pause.h>

#include "oneway.h"
#include "results.h"

/* Frames that the kernel's queue is filled with, and their bytes at most */
#define FILL 4000
#define FILL_BYTES (64 << 20)
#define SENDERS_MAX 64U
/* So long after the last frame, no other is under way. */
#define REST_NS 20e6
/* To wait for what is lost takes long: after so many fills with a loss, a round ends. */
#define LOSSY_MAX 4
/* Filling takes longer than draining: a round takes at most so many times its duration. */
#define PATIENCE 10

/*
 * A queue that is full, and nobody fills it meanwhile
 */

/* What all workers have received. A worker that finds nothing looks whether others did. */
static uint64_t
received_by_all(const struct worker *w)
{
	const struct worker *first = w - w->queue;
	uint64_t all = 0;
	unsigned int i;

	for (i = 0; i < w->port->params->queues; i++)
		all += rte_atomic_load_explicit(&first[i].frames, rte_memory_order_relaxed);
	return all;
}

/* Workers begin at once: who comes late is not one who waits. */
static void
await_others(struct worker *w)
{
	struct worker *first = w - w->queue;

	rte_atomic_fetch_add_explicit(&first->ready, 1, rte_memory_order_relaxed);
	while (rte_atomic_load_explicit(&first->ready, rte_memory_order_relaxed) <
	       w->port->params->queues)
		rte_pause();
}

static int
rx_worker(void *arg)
{
	struct worker *w = arg;
	const struct path_ops *ops = w->port->path->ops;
	unsigned int burst = w->port->params->burst, n;
	uint64_t last, found, tail = 0, tail_cpu = 0, tail_user = 0;
	bool lost = false, empty = false;

	await_others(w);
	last = found = rte_rdtsc();
	while (rte_atomic_load_explicit(&w->frames, rte_memory_order_relaxed) < w->target &&
	       !lost) {
		n = ops->rx(w->port, w->queue, burst);
		last = poll_end(w, last, n);
		if (n == 0) {
			if (!empty) {
				tail_cpu = cpu_thread();
				tail_user = cpu_thread_user();
				last = rte_rdtsc();
			}
			empty = true;
			if (received_by_all(w) >= w->target)
				break;
			lost = is_past(found, GIVE_UP_NS);
			continue;
		}
		count_frames(w, n);
		empty = false;
		found = last;
		tail = w->spent;
	}
	/* What is missing is waited for, but the work ended with the last frame. */
	if (lost) {
		w->empty -= w->spent - tail;
		w->spent = tail;
		w->other_ns = cpu_thread() - tail_cpu;
		w->other_user_ns = cpu_thread_user() - tail_user;
	}
	return 0;
}

static unsigned int
fill_size(const struct port *port)
{
	/* Flags of paths without DPDK are others. */
	bool ring = (port->path->flags & DPDK_VETH) != 0 && port->path->driver != NULL;
	unsigned int fill = ring ? DPDK_VETH_FILL : FILL;

	return RTE_MIN(fill, (ring ? DPDK_VETH_FILL_BYTES : FILL_BYTES) / port->params->len);
}

static void
rx_traced(void *arg)
{
	struct port *port = arg;
	uint64_t found = rte_rdtsc();
	unsigned int got = 0, n;

	while (got < TRACED && !is_past(found, GIVE_UP_NS)) {
		n = port->path->ops->rx(port, 0, port->params->burst);
		got += n;
		if (n != 0)
			found = rte_rdtsc();
	}
}

/* Sums over all times that the queue was filled and drained */
struct drained {
	uint64_t sent, fill_cpu;
	unsigned int lossy;	/* times that something was lost */
	struct cpu_times cpu;
	struct cpu_meter meter;	/* of one fill */
};

/* Fill and drain once, and add to the workers. Returns whether anything came. */
static bool
fill_and_drain(struct worker *workers, struct drained *all)
{
	struct port *port = workers->port;
	struct worker now[KPERF_QUEUES_MAX];
	struct cpu_times spent;
	struct worker sum;
	uint64_t cpu, n;
	unsigned int i;

	workers_init(now, port, 0);
	cpu_restart(&all->meter);
	cpu = cpu_thread();
	n = kernel_send(port, port->packet_sock, fill_size(port));
	all->fill_cpu += cpu_thread() - cpu;
	for (i = 0; i < port->params->queues; i++)
		now[i].target = n;
	workers_run(now, rx_worker);
	spent = cpu_stop(&all->meter);
	sum = workers_sum(now, port->params->queues);
	all->cpu.all += spent.all;
	all->cpu.user += spent.user - RTE_MIN(spent.user, sum.other_user_ns);
	all->cpu.threads += spent.threads;
	all->sent += n;
	for (i = 0; i < port->params->queues; i++) {
		workers[i].spent += now[i].spent;
		workers[i].empty += now[i].empty;
		workers[i].other_ns += now[i].other_ns;
		count_frames(&workers[i], now[i].frames);
	}
	all->lossy += sum.frames < n;
	return sum.frames != 0;
}

/*
 * Not only until something is lost: that fill would always be the last, and its loss a larger part
 * of all than it is. The time to wait for what is lost is not the round's.
 */
static void
fill_until_over(struct worker *workers, uint64_t duration, struct drained *all)
{
	unsigned int queues = workers->port->params->queues, rounds;
	uint64_t end = now_ns() + PATIENCE * duration;

	cpu_start(&all->meter);
	for (rounds = 0; rounds < 1000; rounds++)
		if (!fill_and_drain(workers, all) || all->lossy == LOSSY_MAX ||
		    now_ns() > end + all->lossy * (uint64_t)GIVE_UP_NS ||
		    workers_sum(workers, queues).spent > workers->cycles)
			break;
}

static void
measure_rx(struct port *port, uint64_t duration, struct result *result)
{
	const struct params *params = port->params;
	struct worker workers[KPERF_QUEUES_MAX], sum;
	struct drained all = {0};

	kernel_prepare(port);
	workers_init(workers, port, duration);
	workers_run(workers, discard_worker);
	fill_until_over(workers, duration, &all);
	workers_rates(result, workers);
	sum = workers_sum(workers, params->queues);
	if (sum.frames == 0)
		return;
	result->value[M_KERNEL_NS] = (double)all.fill_cpu / all.sent;
	result_set_cpu(result, &all.cpu, sum.other_ns, sum.frames);
	result->value[M_CPU_NS] += (double)all.fill_cpu / sum.frames;
	result->value[M_LOST] = 1e3 * (1 - RTE_MIN(1.0, (double)sum.frames / all.sent));
	if (params->queues == 1 && kernel_send(port, port->packet_sock, TRACED) == TRACED)
		result->value[M_SYSCALLS] = traced_calls(port, rx_traced, TRACED);
}

/*
 * While the kernel sends: threads that do nothing else, on all CPUs that no worker has
 *
 * What is lost is told by the two ends, and by nothing in between: a frame was offered to the
 * kernel or not, and received or not. Who drops it differs. A TAP's queue refuses it, which the
 * sender is told and tx_dropped counts. A veth pair counts it there as well, but told the sender
 * that it was sent until Linux 6.7. The rings of AF_PACKET, AF_XDP and PCAP are behind all that,
 * and have counters of their own, or none. To add up counters is to count twice.
 *
 * So that nothing is under way when they are compared, senders begin when all workers are there,
 * and workers go on when their time is over, until senders have stopped and nothing comes any more.
 */

struct sender {
	const struct port *port;
	struct worker *first;	/* of the workers */
	uint64_t offered;	/* frames, whether the kernel took them or not */
	uint64_t cpu_ns;
	pthread_t thread;
};

static void *
sender_main(void *arg)
{
	struct sender *s = arg;
	unsigned int workers = s->port->params->queues;
	int sock = net_packet_socket(s->port->ifindex, 0, s->port->params->gso ? PACKET_HDR : 0);
	uint64_t sent = 0;

	leave_workers_alone(workers);
	while (rte_atomic_load_explicit(&s->first->ready, rte_memory_order_relaxed) < workers)
		usleep(50);
	while (rte_atomic_load_explicit(&s->first->over, rte_memory_order_relaxed) < workers)
		sent += kernel_send_counted(s->port, sock, 64, &s->offered);
	s->offered += sent;
	close(sock);
	s->cpu_ns = cpu_thread();
	rte_atomic_fetch_add_explicit(&s->first->stopped, 1, rte_memory_order_release);
	return NULL;
}

static unsigned int
nb_senders(unsigned int nb_workers)
{
	return nb_workers < nb_cpus() ? RTE_MIN(nb_cpus() - nb_workers, SENDERS_MAX) : 1;
}

static void
take_rest(struct worker *w)
{
	struct worker *first = w - w->queue;
	unsigned int senders = nb_senders(w->port->params->queues), n;
	uint64_t found = rte_rdtsc(), cpu = cpu_thread();

	while (rte_atomic_load_explicit(&first->stopped, rte_memory_order_acquire) < senders ||
	       !is_past(found, REST_NS)) {
		n = w->port->path->ops->rx(w->port, w->queue, w->port->params->burst);
		w->rest += n;
		if (n != 0)
			found = rte_rdtsc();
	}
	w->other_ns = cpu_thread() - cpu;
}

static int
load_worker(void *arg)
{
	struct worker *w = arg, *first = w - w->queue;
	const struct path_ops *ops = w->port->path->ops;
	unsigned int burst = w->port->params->burst, n;
	uint64_t last, user = cpu_thread_user();

	await_others(w);
	last = rte_rdtsc();
	while (w->spent < w->cycles) {
		n = ops->rx(w->port, w->queue, burst);
		count_frames(w, n);
		last = poll_end(w, last, n);
	}
	w->user_ns = cpu_thread_user() - user;
	rte_atomic_fetch_add_explicit(&first->over, 1, rte_memory_order_relaxed);
	take_rest(w);
	return 0;
}

/*
 * The application's CPU time and that of threads of the kernel's, without that of the senders. The
 * threads have worked for what came later as well.
 */
static void
set_load_cpu(struct result *result, struct cpu_times cpu, const struct worker *sum,
		uint64_t senders_ns)
{
	uint64_t later = cpu.threads * ((double)sum->rest / (sum->frames + sum->rest));

	cpu.all -= RTE_MIN(cpu.all, later);
	cpu.threads -= later;
	cpu.user = sum->user_ns;
	result_set_cpu(result, &cpu, senders_ns + sum->other_ns, sum->frames);
}

static void
measure_load(struct port *port, uint64_t duration, struct result *result)
{
	unsigned int nb = nb_senders(port->params->queues), i;
	struct worker workers[KPERF_QUEUES_MAX], sum;
	struct sender senders[SENDERS_MAX];
	uint64_t offered = 0, cpu_ns = 0;
	struct cpu_meter meter;
	struct cpu_times cpu;

	kernel_prepare(port);
	workers_init(workers, port, duration);
	workers_run(workers, discard_worker);
	cpu_start(&meter);
	for (i = 0; i < nb; i++) {
		senders[i] = (struct sender){ .port = port, .first = workers };
		if (pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]) != 0)
			die("cannot start a thread");
	}
	workers_run(workers, load_worker);
	for (i = 0; i < nb; i++) {
		pthread_join(senders[i].thread, NULL);
		offered += senders[i].offered;
		cpu_ns += senders[i].cpu_ns;
	}
	cpu = cpu_stop(&meter);
	workers_rates(result, workers);
	sum = workers_sum(workers, port->params->queues);
	if (offered != 0)
		result->value[M_LOST] = 1e3 *
			(1 - RTE_MIN(1.0, (double)(sum.frames + sum.rest) / offered));
	if (sum.frames != 0)
		set_load_cpu(result, cpu, &sum, cpu_ns);
}

const struct test test_rx = {
	.name = "rx",
	.what = "out of the kernel, from a queue that is full",
	/* Some paths copy a frame when it is sent, and some when it is received. */
	.primary = M_CPU_NS,
	.shown = RTE_BIT64(M_NS) | RTE_BIT64(M_LOST),
	.takes = 5,
	.measure = measure_rx,
};

const struct test test_load = {
	.name = "load",
	.what = "out of the kernel while it sends as fast as it can",
	.primary = M_MPPS,
	.shown = RTE_BIT64(M_CPU_NS) | RTE_BIT64(M_LOST),
	.measure = measure_load,
};
