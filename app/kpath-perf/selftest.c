/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Can the numbers be trusted? On each path: every packet that was sent is accounted for, by the
 * kernel and by DPDK; none was changed; offloads that were asked for were used; and what is added
 * on purpose, a sleep or a drop, is noticed by the tests and metrics that all results come from.
 */

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "forward.h"
#include "results.h"
#include "selftest.h"

/* Of a burst, when a sleep is to be noticed: much longer than what a machine does by itself */
#define SLEEP_US 1000
/* Latency may be a millisecond by itself, where the kernel waits for more before it hands up. */
#define LATENCY_SLEEP_US 5000
/*
 * Threads of the kernel's that wait for a CPU, as those of SQPOLL or vhost-net do where there are
 * few, hide a sleep: the time in which they wait is slept in. So it is that much longer than what
 * a packet takes by itself, but a fifth of KPERF_LATE_MS, after which it is lost: two are slept.
 */
#define SLEEP_LONGER 4
#define SLEEP_US_MAX (200 * KPERF_LATE_MS)
/*
 * A part of the sleep may be hidden by noise in the rounds without. On a busy machine the thread
 * waits for its CPU as well, much longer; but who mistakes a burst for a packet is wrong by 32.
 */
#define SLEEP_SHOWN_MIN 0.7
#define SLEEP_SHOWN_MAX 25
#define DROP_NTH 100
#define STARVED "too slow here to tell: threads wait for a CPU"
#define ROUNDS 3
/* Enough for some thousand packets where each waits for threads that wait for a CPU */
#define ROUND_NS UINT64_C(30000000)
#define DROP_ROUND_NS UINT64_C(100000000)

static unsigned int nb_ok, nb_failed;

void
selftest_report(const struct path *path, const char *what, bool ok, const char *format, ...)
{
	va_list args;

	printf("%-7s %-18s %s: ", ok ? "ok" : "FAILED", path->name, what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	nb_ok += ok;
	nb_failed += !ok;
}

void
selftest_skip(const struct path *path, const char *what, const char *why)
{
	printf("skipped %-18s %s: %s\n", path->name, what, why);
	fflush(stdout);
}

/*
 * Faults: what the application does wrong while a test looks on
 */

static struct {
	unsigned int us;	/* is busy so long in each burst, or with a packet there and back */
	unsigned int idle_us;	/* sleeps so long in each poll */
	unsigned int nth;	/* loses one for each nth packet; 0: none */
	bool away;		/* forwards one of four probes there and back, and no other */
	uint64_t packets;	/* seen so far */
} fault;

static unsigned int
lost_of(unsigned int n)
{
	uint64_t before = fault.packets;

	if (fault.nth == 0)
		return 0;
	fault.packets += n;
	return fault.packets / fault.nth - before / fault.nth;
}

/* As long for each packet, also where a queue takes, or has, less than a burst. */
static void
be_busy(unsigned int n, unsigned int burst)
{
	if (n > 0 && fault.us != 0)
		rte_delay_us_block(fault.us * n / burst);
}

static unsigned int
faulty_tx(struct port *port, unsigned int queue, unsigned int n)
{
	unsigned int sent = dpdk_ops.tx(port, queue, n);

	be_busy(sent, n);
	/* One more than were sent is said to be. What a full ring refuses is no packet lost. */
	return sent + lost_of(sent);
}

static unsigned int
faulty_rx(struct port *port, unsigned int queue, unsigned int n)
{
	unsigned int found = dpdk_ops.rx(port, queue, n);

	be_busy(found, n);
	/* Also where there is nothing: not to poll at all is what is to be seen. */
	if (fault.idle_us != 0)
		rte_delay_us_sleep(fault.idle_us);
	return found - lost_of(found);
}

static unsigned int
faulty_forward(struct port *in, struct port *out, unsigned int n)
{
	bool away = fault.away && fault.packets % 5 >= 2;

	n = away ? dpdk_ops.rx(in, 0, n) : dpdk_ops.forward(in, out, n);
	fault.packets += n;
	if (n > 0 && fault.us != 0)
		rte_delay_us_block(fault.us);
	return n;
}

static const struct path_ops faulty_ops = {
	.tx = faulty_tx,
	.rx = faulty_rx,
	.forward = faulty_forward,
};

/* What a test says without a fault, and with: the least, as noise only adds. Taken in turns. */
struct both {
	double clean, faulty;
	double ns;	/* for a packet, in the slowest round with a fault */
};

/* Of NAN and a number, that is the number. */
static double
less(double a, double b)
{
	return b < a ? b : a;
}

static struct result
measure(const struct test *test, struct port *ports, uint64_t duration)
{
	struct result result = {0};
	unsigned int m;

	for (m = 0; m < M_MAX; m++)
		result.value[m] = NAN;
	test->measure(ports, duration, &result);
	/* As between rounds: what is still under way would be counted in the next. */
	usleep(SETTLE_US);
	return result;
}

/* With what is wrong according to fault, once */
static struct result
measure_faulty(const struct test *test, struct port *ports, uint64_t duration)
{
	const struct path *path = ports[0].path;
	struct path faulty = *path;
	struct result result;

	faulty.ops = &faulty_ops;
	fault.packets = 0;
	ports[0].path = &faulty;
	result = measure(test, ports, duration);
	ports[0].path = path;
	return result;
}

static struct both
measure_both(const struct test *test, struct port *ports, enum metric metric, uint64_t duration)
{
	struct both both = { INFINITY, INFINITY, 0 };
	struct result result;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		result = measure(test, ports, duration);
		both.clean = less(both.clean, result.value[metric]);
		result = measure_faulty(test, ports, duration);
		both.faulty = less(both.faulty, result.value[metric]);
		both.ns = fmax(both.ns, result.value[M_NS]);
	}
	return both;
}

/*
 * Sleep us, or longer where the path is slow; each adds so much to the metric. Returns whether
 * the path is fast enough to tell.
 */
static bool
check_sleep(const struct test *test, struct port *ports, enum metric metric, double us,
		double added_by_us)
{
	double first = measure(test, ports, ROUND_NS).value[metric], added, rise;
	struct both v = {0};
	char what[64];

	snprintf(what, sizeof(what), "a sleep is noticed by %s", test->name);
	us = fmax(us, SLEEP_LONGER * first / added_by_us);
	added = us * added_by_us;
	fault.us = us;
	fault.nth = 0;
	if (us <= SLEEP_US_MAX)
		v = measure_both(test, ports, metric, ROUND_NS);
	/* Or slower than it was at first */
	if (us > SLEEP_US_MAX || (isfinite(v.clean) && v.clean > added / 2)) {
		selftest_skip(ports[0].path, what, STARVED);
		return false;
	}
	rise = v.faulty - v.clean;
	selftest_report(ports[0].path, what,
		rise >= SLEEP_SHOWN_MIN * added && rise <= SLEEP_SHOWN_MAX * added,
		"%.0f and %.0f %s without and with, %.0f added", v.clean, v.faulty,
		metric_infos[metric].unit, added);
	return true;
}

/*
 * Exact but for what the last packets before the drop make of the thousandth. That is more where
 * there were few packets, as a round counts those that a queue takes, not those it is offered.
 */
static void
check_drop(const struct test *test, struct port *ports, unsigned int usual)
{
	const double dropped = 1e3 / DROP_NTH;
	char what[64];
	struct both v;
	double shown, slack;

	fault.us = 0;
	fault.nth = DROP_NTH;
	v = measure_both(test, ports, M_LOST, DROP_ROUND_NS);
	shown = v.faulty - v.clean;
	/* A loss that was added to what was sent is less by its square. */
	slack = dropped / DROP_NTH + 1e3 / fmin(usual, DROP_ROUND_NS / v.ns);
	snprintf(what, sizeof(what), "a drop is noticed by %s", test->name);
	if (v.ns > DROP_ROUND_NS / (2.0 * DROP_NTH)) {
		selftest_skip(ports[0].path, what, STARVED);
		return;
	}
	selftest_report(ports[0].path, what,
		fabs(shown - dropped) <= slack,
		"%.3f and %.3f per thousand lost without and with, %.3f dropped", v.clean,
		v.faulty, dropped);
}

/* Where there are few CPUs, senders may not get one in time. */
static struct result
measure_faulty_load(struct port *ports)
{
	struct result result = measure_faulty(&test_load, ports, ROUND_NS);
	unsigned int i;

	for (i = 1; i < ROUNDS && isnan(result.value[M_NS]); i++)
		result = measure_faulty(&test_load, ports, ROUND_NS);
	return result;
}

/* Half is lost: less than what else may be lost at full load could not be told from that. */
static void
check_load(struct port *ports)
{
	double lost;

	fault.us = 0;
	fault.nth = 2;
	lost = measure_faulty_load(ports).value[M_LOST];
	fault.nth = 0;
	selftest_report(ports[0].path, "a drop is noticed by load", lost >= 490 && lost < 1000,
		"%.3f per thousand lost, of what arrived half is dropped", lost);
}

/*
 * An application that sleeps spends little CPU time, while those who send to it are busy: are they
 * left out? Not of paths where others work for each packet that is sent, and then lost.
 */
static void
check_load_cpu(struct port *ports)
{
	const struct path *path = ports[0].path;
	struct result result;
	double cpu, all;

	if ((path->flags & DPDK_OFFLOAD) == 0 || (path->flags & (DPDK_VHOST | DPDK_MODE)) != 0)
		return;
	fault.us = 0;
	fault.idle_us = LATENCY_SLEEP_US;
	result = measure_faulty_load(ports);
	fault.idle_us = 0;
	/* Threads of the kernel's work for other programs as well. */
	cpu = result.value[M_CPU_NS] - result.value[M_THREADS_NS];
	all = result.value[M_NS];
	selftest_report(path, "senders are not part of load", cpu < all / 4,
		"%.0f CPU ns for a packet, in %.0f", cpu, all);
}

static void
check_metrics(const struct path *path, unsigned int subnet)
{
	static const struct bench_case c = { .test = &test_tx, .params = { 64, 32, 1 } };
	const double ns_by_us = 1e3 / c.params.burst;
	struct port ports[2];

	if (!open_ports(ports, &c, path, path, subnet)) {
		selftest_skip(path, "metrics", ports[0].why);
		return;
	}
	check_sleep(&test_tx, ports, M_NS, SLEEP_US, ns_by_us);
	check_drop(&test_tx, ports, 2048);
	check_sleep(&test_rx, ports, M_NS, SLEEP_US, ns_by_us);
	check_drop(&test_rx, ports, DPDK_VETH_FILL);
	check_load(ports);
	check_load_cpu(ports);
	close_path(ports, &c);
}

/* A path is not fast for losing what it is slow with: what is lost is later than all others. */
static void
check_lost_probes(struct port *ports)
{
	double p50;

	fault.us = 0;
	fault.away = true;
	p50 = measure_faulty(&test_rtt, ports, ROUND_NS).value[M_P50];
	fault.away = false;
	selftest_report(ports[0].path, "lost probes are noticed by rtt", p50 >= 1e3 * KPERF_LATE_MS,
		"%.0f p50 us where three of four are lost, which are waited for %u", p50,
		1000 * KPERF_LATE_MS);
}

static void
check_latency(const struct path *path, unsigned int subnet)
{
	static const struct bench_case c = { .test = &test_rtt, .params = { 64, 32, 1 } };
	struct port ports[2];

	if (!open_ports(ports, &c, path, path, subnet)) {
		selftest_skip(path, "latency", ports[0].why);
		return;
	}
	/* There, and back */
	if (check_sleep(&test_rtt, ports, M_P50, LATENCY_SLEEP_US, 2))
		check_lost_probes(ports);
	close_path(ports, &c);
}

/*
 * All of it
 */

/* Modes that need a CPU more are tested where they are asked for. */
static bool
is_tested(const struct path *path, const struct options *options)
{
	return options->paths != NULL ? listed(options->paths, path->name, ",") :
		path->ops == &veth_ops ||
		(path->ops == &dpdk_ops && (path->flags & DPDK_MODE) == 0);
}

int
selftest_run(const struct options *options)
{
	const struct path *rtap = &paths[0]; /* the one that knows all offloads */
	unsigned int i, subnet = 0;

	for (i = 0; i < nb_paths; i++) {
		const struct path *path = &paths[i];

		if (!is_tested(path, options))
			continue;
		if (path->ops == &dpdk_ops) {
			selftest_packets(path, subnet++);
			check_metrics(path, subnet++);
			check_latency(path, subnet++);
		}
		if (path->ops == &dpdk_ops || path->ops == &veth_ops)
			selftest_streams(path, path, subnet++);
		/* From a port that leaves much undone to one that can do nothing, and back */
		if (path->ops == &dpdk_ops && (path->flags & DPDK_OFFLOAD) == 0)
			selftest_streams(rtap, path, subnet++);
	}
	printf("%u checks, %u failed\n", nb_ok + nb_failed, nb_failed);
	if (nb_ok + nb_failed == 0)
		return 77;
	return nb_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
