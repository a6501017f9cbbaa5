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
 * A part of the sleep may be hidden by noise in the rounds without. On a busy machine the thread
 * waits for its CPU as well, much longer; but who mistakes a burst for a packet is wrong by 32.
 */
#define SLEEP_SHOWN_MIN 0.7
#define SLEEP_SHOWN_MAX 25
#define DROP_NTH 100
#define ROUNDS 3
#define ROUND_NS UINT64_C(30000000)

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
	unsigned int us;	/* is busy so long in each burst */
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

static unsigned int
faulty_tx(struct port *port, unsigned int queue, unsigned int n)
{
	if (fault.us != 0)
		rte_delay_us_block(fault.us);
	/* One more than were sent is said to be. What a full ring refuses is no packet lost. */
	n = dpdk_ops.tx(port, queue, n);
	return n + lost_of(n);
}

static unsigned int
faulty_rx(struct port *port, unsigned int queue, unsigned int n)
{
	n = dpdk_ops.rx(port, queue, n);
	if (n > 0 && fault.us != 0)
		rte_delay_us_block(fault.us);
	/* Also where there is nothing: not to poll at all is what is to be seen. */
	if (fault.idle_us != 0)
		rte_delay_us_sleep(fault.idle_us);
	return n - lost_of(n);
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
};

/* Of NAN and a number, that is the number. */
static double
less(double a, double b)
{
	return b < a ? b : a;
}

static struct result
measure(const struct test *test, struct port *ports)
{
	struct result result = {0};
	unsigned int m;

	for (m = 0; m < M_MAX; m++)
		result.value[m] = NAN;
	test->measure(ports, ROUND_NS, &result);
	/* As between rounds: what is still under way would be counted in the next. */
	usleep(SETTLE_US);
	return result;
}

static double
measure_once(const struct test *test, struct port *ports, enum metric metric)
{
	return measure(test, ports).value[metric];
}

/* With what is wrong according to fault, once */
static struct result
measure_faulty(const struct test *test, struct port *ports)
{
	const struct path *path = ports[0].path;
	struct path faulty = *path;
	struct result result;

	faulty.ops = &faulty_ops;
	fault.packets = 0;
	ports[0].path = &faulty;
	result = measure(test, ports);
	ports[0].path = path;
	return result;
}

static struct both
measure_both(const struct test *test, struct port *ports, enum metric metric, unsigned int us,
		unsigned int nth)
{
	struct both both = { INFINITY, INFINITY };
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		both.clean = less(both.clean, measure_once(test, ports, metric));
		fault.us = us;
		fault.nth = nth;
		both.faulty = less(both.faulty, measure_faulty(test, ports).value[metric]);
	}
	return both;
}

static void
check_sleep(const struct test *test, struct port *ports, enum metric metric, unsigned int us,
		double added)
{
	struct both v = measure_both(test, ports, metric, us, 0);
	double rise = v.faulty - v.clean;
	char what[64];

	snprintf(what, sizeof(what), "a sleep is noticed by %s", test->name);
	selftest_report(ports[0].path, what,
		rise >= SLEEP_SHOWN_MIN * added && rise <= SLEEP_SHOWN_MAX * added,
		"%.0f and %.0f %s without and with, %.0f added", v.clean, v.faulty,
		metric_infos[metric].unit, added);
}

/* Exact but for what the last packets before the drop make of the thousandth. */
static void
check_drop(const struct test *test, struct port *ports, double slack)
{
	struct both v = measure_both(test, ports, M_LOST, 0, DROP_NTH);
	char what[64];

	snprintf(what, sizeof(what), "a drop is noticed by %s", test->name);
	selftest_report(ports[0].path, what,
		fabs(v.faulty - v.clean - 1e3 / DROP_NTH) <= slack,
		"%.3f and %.3f per thousand lost without and with, %.3f dropped", v.clean,
		v.faulty, 1e3 / DROP_NTH);
}

/* Where there are few CPUs, senders may not get one in time. */
static struct result
measure_faulty_load(struct port *ports)
{
	struct result result = measure_faulty(&test_load, ports);
	unsigned int i;

	for (i = 1; i < ROUNDS && isnan(result.value[M_NS]); i++)
		result = measure_faulty(&test_load, ports);
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
	const double added = 1e3 * SLEEP_US / c.params.burst;
	struct port ports[2];

	if (!open_ports(ports, &c, path, path, subnet)) {
		selftest_skip(path, "metrics", ports[0].why);
		return;
	}
	check_sleep(&test_tx, ports, M_NS, SLEEP_US, added);
	check_drop(&test_tx, ports, 1e3 / 2048);
	check_sleep(&test_rx, ports, M_NS, SLEEP_US, added);
	check_drop(&test_rx, ports, 1e3 / DPDK_VETH_FILL);
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
	p50 = measure_faulty(&test_rtt, ports).value[M_P50];
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
	unsigned int us;

	if (!open_ports(ports, &c, path, path, subnet)) {
		selftest_skip(path, "latency", ports[0].why);
		return;
	}
	/*
	 * Threads of the kernel's that wait for a CPU, as those of vhost-net do where there are
	 * few, hide a shorter sleep than that: the time in which they wait is slept in.
	 */
	us = RTE_MAX((double)LATENCY_SLEEP_US, measure_once(&test_rtt, ports, M_P50));
	/* There, and back */
	check_sleep(&test_rtt, ports, M_P50, us, 2.0 * us);
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
