/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Medians, spread and ratios of what was measured. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

/* A spread (of the middle half) beyond this part of the median is marked. */
#define WIDE 0.15
/* Who loses more packets than that, per thousand, is fast for that reason maybe. */
#define LOSSY_PERMILLE 10
/* Who spends more of the time than that in polls that move nothing waits for the other side. */
#define IDLE_PERCENT 10

const struct metric_info metric_infos[M_MAX] = {
	[M_NS] = { "ns", "ns", 0, true,
		"Time of the application's thread for a packet, or for a poll" },
	[M_CPU_NS] = { "cpu_ns", "CPU ns", 0, true,
		"CPU time for a packet, of application and kernel" },
	[M_MPPS] = { "mpps", "Mpps", 3, false,
		"Million packets per second" },
	[M_GBPS] = { "gbps", "Gb/s", 2, false,
		"Gigabits per second: of frames, or of payload for TCP" },
	[M_SYSCALLS] = { "syscalls", "calls", 3, true,
		"System calls for a packet, or for a poll" },
	[M_KERNEL_NS] = { "kernel_ns", "kern. ns", 0, true,
		"Time in which the kernel's sender gets rid of a packet" },
	[M_P50] = { "p50_us", "p50 us", 1, true,
		"Median of the time there and back, or to wake up" },
	[M_P99] = { "p99_us", "p99 us", 1, true,
		"Of a hundred such times, one is longer" },
	[M_P999] = { "p999_us", "p99.9 us", 1, true,
		"Of a thousand such times, one is longer" },
	[M_LOST] = { "lost_permille", "lost o/oo", 1, true,
		"Packets per thousand that did not arrive" },
	[M_CPU_GB] = { "cpu_s_per_gb", "CPU s/GB", 2, true,
		"CPU time for a gigabyte, of application and kernel" },
	[M_EMPTY] = { "empty_percent", "empty %", 0, true,
		"Part of the application's time in polls that moved nothing: it waited" },
	[M_SLEEP_CPU] = { "sleep_cpu_percent", "sleep CPU%", 2, true,
		"Part of a CPU that an application takes that sleeps" },
	[M_USER_NS] = { "user_ns", "user ns", 0, true,
		"CPU time of the application for a packet, in user space" },
	[M_SYSTEM_NS] = { "system_ns", "sys. ns", 0, true,
		"CPU time of the application for a packet, in the kernel" },
	[M_THREADS_NS] = { "threads_ns", "thr. ns", 0, true,
		"CPU time of the kernel's threads for a packet" },
	[M_USER_GB] = { "user_s_per_gb", "user s/GB", 3, true,
		"CPU time of the application for a gigabyte, in user space" },
	[M_SYSTEM_GB] = { "system_s_per_gb", "sys. s/GB", 3, true,
		"CPU time of the application for a gigabyte, in the kernel" },
	[M_THREADS_GB] = { "threads_s_per_gb", "thr. s/GB", 3, true,
		"CPU time of the kernel's threads for a gigabyte" },
	[M_UP] = { "up_gbps", "up Gb/s", 2, false,
		"Gigabits per second from the first namespace to the second" },
	[M_DOWN] = { "down_gbps", "down Gb/s", 2, false,
		"Gigabits per second from the second namespace to the first" },
	[M_BE] = { "be_gbps", "BE Gb/s", 2, false,
		"Gigabits per second of best effort, both ways" },
	[M_BK] = { "bk_gbps", "BK Gb/s", 2, false,
		"Gigabits per second of the background class (CS1), both ways" },
	[M_CS5] = { "cs5_gbps", "CS5 Gb/s", 2, false,
		"Gigabits per second of class CS5, both ways" },
	[M_EF] = { "ef_gbps", "EF Gb/s", 2, false,
		"Gigabits per second of expedited forwarding, both ways" },
	[M_JAIN] = { "jain", "fairness", 3, false,
		"Jain's index of fairness between the streams: 1 if all get the same" },
	[M_IDLE_P50] = { "idle_p50_us", "idle p50", 1, true,
		"Median of the time there and back without load" },
	[M_IDLE_P99] = { "idle_p99_us", "idle p99", 1, true,
		"Of a hundred times there and back without load, one is longer" },
	[M_IDLE_P999] = { "idle_p999_us", "id. p99.9", 1, true,
		"Of a thousand times there and back without load, one is longer" },
	[M_ADDED] = { "added_us", "added us", 1, true,
		"What the load adds to the median of the time there and back" },
};

/*
 * What is kept
 */

struct results *
results_new(const struct options *options, unsigned int planned)
{
	struct results *results = calloc(1, sizeof(*results));

	if (results == NULL)
		die("out of memory");
	results->options = options;
	results->planned = planned;
	results->cases = calloc(planned, sizeof(*results->cases));
	if (results->cases == NULL)
		die("out of memory");
	machine_describe(&results->machine, options->huge);
	return results;
}

const struct measured *
results_add(struct results *results, const struct bench_case *c, const struct series *series,
		unsigned int n)
{
	struct measured *m = &results->cases[results->n++];

	m->bench_case = c;
	m->n = n;
	m->series = calloc(RTE_MAX(n, 1U), sizeof(*series));
	if (m->series == NULL)
		die("out of memory");
	memcpy(m->series, series, n * sizeof(*series));
	return m;
}

static void
timeline_free(struct timeline *timeline)
{
	unsigned int i;

	if (timeline == NULL)
		return;
	for (i = 0; i < timeline->n; i++) {
		free(timeline->lines[i].seconds);
		free(timeline->lines[i].values);
	}
	free(timeline);
}

void
results_free(struct results *results)
{
	unsigned int i, j, k;

	for (i = 0; i < results->n; i++) {
		struct measured *m = &results->cases[i];

		for (j = 0; j < m->n; j++)
			for (k = 0; k < m->series[j].n; k++)
				timeline_free(m->series[j].rounds[k].timeline);
		free(m->series);
	}
	free(results->cases);
	free(results);
}

/*
 * Statistics
 */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int
compare_times(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void
series_end(struct series *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (s->rounds[i].why == NULL)
			return;
	if (s->n == 0)
		return;
	s->why = s->rounds[0].why;
	s->n = 0;
}

struct summary
summarize(const struct series *s, enum metric metric)
{
	struct summary sum = { .median = NAN, .low = NAN, .high = NAN };
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (!isnan(s->rounds[i].value[metric]))
			sum.values[sum.n++] = s->rounds[i].value[metric];
	if (sum.n == 0)
		return sum;
	qsort(sum.values, sum.n, sizeof(*sum.values), compare);
	sum.median = (sum.values[(sum.n - 1) / 2] + sum.values[sum.n / 2]) / 2;
	sum.low = sum.values[sum.n / 4];
	sum.high = sum.values[sum.n - 1 - sum.n / 4];
	return sum;
}

const struct result *
typical_round(const struct series *s, enum metric metric)
{
	double median = summarize(s, metric).median;
	const struct result *best = NULL;
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		double away = fabs(s->rounds[i].value[metric] - median);

		if (!isnan(away) &&
		    (best == NULL || away < fabs(best->value[metric] - median)))
			best = &s->rounds[i];
	}
	return best;
}

double
summary_spread(const struct summary *sum)
{
	return (sum->high - sum->low) / fabs(sum->median);
}

bool
summary_is_wide(const struct summary *sum)
{
	return summary_spread(sum) > WIDE;
}

bool
is_lossy(const struct series *s)
{
	return summarize(s, M_LOST).median > LOSSY_PERMILLE;
}

const char *
saturated(const struct bench_case *c, const struct series *s)
{
	double empty = summarize(s, M_EMPTY).median;

	if (c->test->unhurried || summarize(s, c->test->primary).n == 0)
		return NULL;
	return isnan(empty) || empty > IDLE_PERCENT ? "kernel" : "application";
}

/* In us, of sorted times in ns */
static double
percentile_us(const uint32_t *times, unsigned int n, unsigned int permille)
{
	uint64_t at = (uint64_t)n * permille / 1000;

	return times[at] / 1e3;
}

void
result_set_times(struct result *result, enum metric p50, uint32_t *times, unsigned int n)
{
	static const struct {
		unsigned int permille, needs;
	} percentiles[] = {
		{ 500, KPERF_TIMES_MIN },
		{ 990, 100 },
		{ 999, KPERF_TIMES_ALL },
	};
	unsigned int i;

	qsort(times, n, sizeof(*times), compare_times);
	for (i = 0; i < RTE_DIM(percentiles); i++)
		if (n >= percentiles[i].needs)
			result->value[p50 + i] = percentile_us(times, n, percentiles[i].permille);
}

uint64_t
result_times_end(uint64_t end, uint64_t duration, unsigned int n)
{
	if (n < KPERF_TIMES_MIN)
		return end + KPERF_TIMES_WAIT;
	return n < KPERF_TIMES_ALL ? end + 2 * duration : end;
}

void
result_set_cpu(struct result *result, const struct cpu_times *cpu, uint64_t others_ns,
		uint64_t packets)
{
	struct cpu_times app = *cpu;

	app.all -= RTE_MIN(app.all, others_ns);
	result->value[M_CPU_NS] = (double)app.all / packets;
	result->value[M_USER_NS] = (double)app.user / packets;
	result->value[M_SYSTEM_NS] = (double)cpu_system(&app) / packets;
	result->value[M_THREADS_NS] = (double)app.threads / packets;
}

double
jain_index(const double *rates, unsigned int n)
{
	double sum = 0, squares = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		sum += rates[i];
		squares += rates[i] * rates[i];
	}
	return squares > 0 ? sum * sum / (n * squares) : NAN;
}

/*
 * Paths of a case side by side
 */

bool
is_measured(const struct measured *m, enum metric metric)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		if (summarize(&m->series[i], metric).n > 0)
			return true;
	return false;
}

const struct series *
find_series(const struct measured *m, const char *path)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		if (strcmp(m->series[i].path->name, path) == 0)
			return &m->series[i];
	return NULL;
}

const struct series *
find_yardstick(const struct measured *m)
{
	return find_series(m, YARDSTICK);
}

const struct series *
find_kernel(const struct measured *m)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		if (path_kind(m->series[i].path) == KIND_KERNEL)
			return &m->series[i];
	return NULL;
}

double
times_better(enum metric metric, const struct series *s, const struct series *other)
{
	double ours = summarize(s, metric).median;
	double theirs = other == NULL ? NAN : summarize(other, metric).median;

	return metric_infos[metric].less ? theirs / ours : ours / theirs;
}

/* The best of those that are wanted */
static const struct series *
find_best(const struct measured *m, bool (*wanted)(enum path_kind))
{
	const struct series *best = NULL;
	enum metric primary = m->bench_case->test->primary;
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		const struct series *s = &m->series[i];

		if (wanted(path_kind(s->path)) && !is_lossy(s) && summarize(s, primary).n > 0 &&
		    (best == NULL || times_better(primary, s, best) > 1))
			best = s;
	}
	return best;
}

static bool
is_loop(enum path_kind kind)
{
	return kind == KIND_LOOP;
}

static bool
is_choice(enum path_kind kind)
{
	return kind == KIND_INJECTION || kind == KIND_REDIRECTION;
}

const struct series *
best_loop(const struct measured *m)
{
	return find_best(m, is_loop);
}

const struct series *
best_choice(const struct measured *m)
{
	return find_best(m, is_choice);
}
