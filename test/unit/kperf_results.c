/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* kpath-perf's results.[ch]: what is read out of what was measured. */

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../app/kpath-perf/results.h"
#include "unit.h"

#define NEARLY 1e-9

/* What the rest of kpath-perf has */
const struct test test_tcp, test_rtt, test_idle, test_rrul;
const struct path_ops loop_ops, dpdk_ops, veth_ops;
const unsigned int nb_cases = 2;

void
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

void
machine_describe(struct machine *m __rte_unused, bool huge __rte_unused)
{
}

static struct result
make_result(enum metric metric, double value)
{
	struct result r = {0};
	unsigned int m;

	for (m = 0; m < M_MAX; m++)
		r.value[m] = NAN;
	r.value[metric] = value;
	return r;
}

/*
 * Tests
 */

static void
test_jain(void)
{
	const double same[] = { 3, 3, 3, 3 }, one[] = { 0, 7, 0, 0 }, none[] = { 0, 0 };
	const double two[] = { 1, 3 };

	CU_ASSERT_DOUBLE_EQUAL(jain_index(same, 4), 1, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(jain_index(one, 4), 0.25, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(jain_index(two, 2), 0.8, NEARLY); /* 16 / (2 * 10) */
	CU_ASSERT(isnan(jain_index(none, 2)));
}

/* 1 to 1000 us, in no order */
static void
test_percentiles(void)
{
	struct result r = make_result(M_NS, 0);
	uint32_t times[1000];
	unsigned int i;

	for (i = 0; i < RTE_DIM(times); i++)
		times[i] = 1000 * (1 + i * 7 % 1000);
	result_set_times(&r, M_IDLE_P50, times, RTE_DIM(times));
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_IDLE_P50], 501, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_IDLE_P99], 991, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_IDLE_P999], 1000, NEARLY);
	CU_ASSERT(isnan(r.value[M_P50]));
	result_set_times(&r, M_P50, times, RTE_DIM(times));
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_P50], 501, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_P99], 991, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_P999], 1000, NEARLY);
}

/* One in a hundred is not known of ten. */
static void
test_few_times(void)
{
	static const struct {
		unsigned int n;
		bool p50, p99, p999;
	} expected[] = {
		{ 0, false, false, false },
		{ 9, false, false, false },
		{ 10, true, false, false },
		{ 99, true, false, false },
		{ 100, true, true, false },
		{ 999, true, true, false },
		{ 1000, true, true, true },
	};
	uint32_t times[1000] = {0};
	unsigned int i;

	for (i = 0; i < RTE_DIM(expected); i++) {
		struct result r = make_result(M_NS, 0);

		result_set_times(&r, M_P50, times, expected[i].n);
		CU_ASSERT_EQUAL(!isnan(r.value[M_P50]), expected[i].p50);
		CU_ASSERT_EQUAL(!isnan(r.value[M_P99]), expected[i].p99);
		CU_ASSERT_EQUAL(!isnan(r.value[M_P999]), expected[i].p999);
	}
}

static void
test_times_end(void)
{
	CU_ASSERT_EQUAL(result_times_end(100, 30, 0), 100 + KPERF_TIMES_WAIT);
	CU_ASSERT_EQUAL(result_times_end(100, 30, KPERF_TIMES_MIN), 160);
	CU_ASSERT_EQUAL(result_times_end(100, 30, KPERF_TIMES_ALL - 1), 160);
	CU_ASSERT_EQUAL(result_times_end(100, 30, KPERF_TIMES_ALL), 100);
}

/* Of 1000 ns, others have 100, user space 300, and threads of the kernel's 200. */
static void
test_cpu(void)
{
	const struct cpu_times cpu = { .all = 1000, .user = 300, .threads = 200 };
	struct result r = make_result(M_NS, 0);

	result_set_cpu(&r, &cpu, 100, 10);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_CPU_NS], 90, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_USER_NS], 30, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_SYSTEM_NS], 40, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_THREADS_NS], 20, NEARLY);
	/* Clocks that do not agree: nothing is negative. */
	result_set_cpu(&r, &cpu, 2000, 10);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_CPU_NS], 0, NEARLY);
	CU_ASSERT_DOUBLE_EQUAL(r.value[M_SYSTEM_NS], 0, NEARLY);
}

static void
test_typical(void)
{
	static struct series s;

	CU_ASSERT_PTR_NULL(typical_round(&s, M_P50));
	s.rounds[s.n++] = make_result(M_P50, 9);
	s.rounds[s.n++] = make_result(M_P50, NAN);
	s.rounds[s.n++] = make_result(M_P50, 5);
	s.rounds[s.n++] = make_result(M_P50, 1);
	CU_ASSERT_PTR_EQUAL(typical_round(&s, M_P50), &s.rounds[2]);
	CU_ASSERT_PTR_NULL(typical_round(&s, M_P99));
}

/* One path of a case, with a result */
static void
add_path(struct measured *m, const struct path *path, double ns, double lost)
{
	struct series *s = &m->series[m->n++];

	s->path = path;
	s->rounds[s->n] = make_result(M_NS, ns);
	s->rounds[s->n++].value[M_LOST] = lost;
}

/* Who loses much is best at nothing, and neither is what nobody can choose. */
static void
test_best(void)
{
	static const struct test tx = { .name = "tx", .primary = M_NS };
	static const struct bench_case c = { .test = &tx };
	static const struct path ports[] = {
		{ .name = "slow", .ops = &dpdk_ops }, { .name = "veth", .ops = &veth_ops },
		{ .name = "lossy", .ops = &dpdk_ops }, { .name = "loop", .ops = &loop_ops },
		{ .name = "lossy loop", .ops = &loop_ops },
	};
	static struct series series[RTE_DIM(ports)];
	struct measured m = { .bench_case = &c, .series = series };

	add_path(&m, &ports[2], 10, 10.1);
	CU_ASSERT(is_lossy(&series[0]));
	CU_ASSERT_PTR_NULL(best_choice(&m));
	add_path(&m, &ports[0], 50, 10);
	add_path(&m, &ports[1], 5, NAN);
	add_path(&m, &ports[3], 7, 0);
	add_path(&m, &ports[4], 3, 500);
	CU_ASSERT(!is_lossy(&series[1]) && !is_lossy(&series[2]));
	CU_ASSERT_PTR_EQUAL(best_choice(&m), &series[1]);
	CU_ASSERT_PTR_EQUAL(best_loop(&m), &series[3]);
}

/* Nobody is said to be saturated where nothing was measured. */
static void
test_saturated(void)
{
	static const struct test tx = { .name = "tx", .primary = M_NS };
	static const struct bench_case c = { .test = &tx };
	static struct series s;

	s.rounds[s.n++] = make_result(M_EMPTY, 50);
	CU_ASSERT_PTR_NULL(saturated(&c, &s));
	s.rounds[0].value[M_NS] = 7;
	CU_ASSERT_STRING_EQUAL(saturated(&c, &s), "kernel");
	s.rounds[0].value[M_EMPTY] = 5;
	CU_ASSERT_STRING_EQUAL(saturated(&c, &s), "application");
}

/* Of all that is named, the names are those of the options. */
static void
test_words(void)
{
	const struct bench_case c = {
		.test = &test_tcp,
		.params = { .streams = 4, .direction = DIR_BOTH, .offload = OFFLOAD_CSUM },
	};
	char text[128], expected[128];

	params_print(text, sizeof(text), &c);
	snprintf(expected, sizeof(expected), "4 streams %s, offloads %s",
		direction_names[DIR_BOTH], offload_names[OFFLOAD_CSUM]);
	CU_ASSERT_STRING_EQUAL(text, expected);
	CU_ASSERT_STRING_EQUAL(expected, "4 streams both, offloads csum");
}

/* A path that fails once is measured nevertheless; one that always does has a reason. */
static void
test_failures(void)
{
	static struct series s;
	unsigned int i;

	series_end(&s);
	CU_ASSERT_PTR_NULL(s.why);
	for (i = 0; i < 3; i++) {
		s.rounds[i] = make_result(M_GBPS, i);
		s.rounds[i].why = i == 0 ? "no connection" : NULL;
	}
	s.n = 3;
	series_end(&s);
	CU_ASSERT_PTR_NULL(s.why);
	CU_ASSERT_EQUAL(summarize(&s, M_GBPS).n, 3);
	CU_ASSERT_DOUBLE_EQUAL(summarize(&s, M_GBPS).low, 0, NEARLY);
	s.rounds[1].why = s.rounds[2].why = "something else";
	series_end(&s);
	CU_ASSERT_STRING_EQUAL(s.why, "no connection");
	CU_ASSERT_EQUAL(summarize(&s, M_GBPS).n, 0);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "fairness", test_jain },
		{ "percentiles", test_percentiles },
		{ "few times", test_few_times },
		{ "end of a round", test_times_end },
		{ "CPU time", test_cpu },
		{ "typical round", test_typical },
		{ "words", test_words },
		{ "best", test_best },
		{ "saturated", test_saturated },
		{ "rounds that fail", test_failures },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "kpath-perf's results", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};

	return unit_run(suites);
}
