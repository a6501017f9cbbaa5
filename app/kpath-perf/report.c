/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Medians and spread, as a table for people and as JSON for programs. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kperf.h"

/* A spread (of the middle half) beyond this part of the median is marked. */
#define WIDE 0.15
/* Who spends more of the time than that in polls that move nothing waits for the other side. */
#define IDLE_PERCENT 10

static const struct {
	const char *name;	/* in JSON */
	const char *unit;	/* in the table */
	int digits;
	bool less;		/* is better */
} metrics[] = {
	[M_NS] = { "ns", "ns", 0, true },
	[M_CPU_NS] = { "cpu_ns", "CPU ns", 0, true },
	[M_MPPS] = { "mpps", "Mpps", 3, false },
	[M_GBPS] = { "gbps", "Gb/s", 2, false },
	[M_SYSCALLS] = { "syscalls", "calls", 3, true },
	[M_KERNEL_NS] = { "kernel_ns", "kern. ns", 0, true },
	[M_P50] = { "p50_us", "p50 us", 1, true },
	[M_P99] = { "p99_us", "p99 us", 1, true },
	[M_P999] = { "p999_us", "p99.9 us", 1, true },
	[M_LOST] = { "lost_permille", "lost o/oo", 1, true },
	[M_CPU_GB] = { "cpu_s_per_gb", "CPU s/GB", 2, true },
	[M_EMPTY] = { "empty_percent", "empty %", 0, true },
	[M_SLEEP_CPU] = { "sleep_cpu_percent", "sleep CPU%", 2, true },
};

struct report {
	FILE *json;
	const char *path;
	bool first;
};

/*
 * Statistics
 */

struct summary {
	unsigned int n;
	double median, low, high;	/* the middle half lies between the latter two */
	double values[KPERF_ROUNDS_MAX];	/* sorted */
};

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

static struct summary
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

static bool
is_wide(const struct summary *sum)
{
	return sum->high - sum->low > WIDE * sum->median;
}

/* Which side had no time left: NULL where none was meant to, and where nothing was measured. */
static const char *
saturated(const struct bench_case *c, const struct series *s)
{
	double empty = summarize(s, M_EMPTY).median;

	if (c->test->unhurried || s->n == 0)
		return NULL;
	return isnan(empty) || empty > IDLE_PERCENT ? "kernel" : "application";
}

void
result_set_times(struct result *result, uint32_t *times, unsigned int n)
{
	if (n < KPERF_TIMES_MIN)
		return;
	qsort(times, n, sizeof(*times), compare_times);
	result->value[M_P50] = times[n / 2] / 1e3;
	result->value[M_P99] = times[(uint64_t)n * 99 / 100] / 1e3;
	result->value[M_P999] = times[(uint64_t)n * 999 / 1000] / 1e3;
}

/*
 * In words
 */

void
params_print(char *text, size_t size, const struct bench_case *c)
{
	static const char * const targets[] = {
		[TO_NOBODY] = "",
		[TO_OTHER] = ", UDP to another host",
		[TO_SOCKET] = ", UDP to a socket",
		[TO_CLOSED] = ", UDP to a closed port",
	};
	const struct params *p = &c->params;

	if (c->test == &test_tcp)
		snprintf(text, size, "%u stream%s, offloads %s", p->streams,
			p->streams == 1 ? "" : "s", p->offload ? "on" : "off");
	else if (c->test == &test_rtt || c->test == &test_idle)
		text[0] = '\0';
	else
		snprintf(text, size, "%u B, bursts of %u, %u queue%s%s%s", p->len, p->burst,
			p->queues, p->queues == 1 ? "" : "s", targets[p->to],
			p->gso ? ", LRO" : "");
	if (p->mbuf_room != 0)
		snprintf(text + strlen(text), size - strlen(text), ", %s of %u B",
			p->external ? "external buffers" : "mbufs", p->mbuf_room);
}

static void
print_cell(const struct series *s, enum metric metric)
{
	struct summary sum = summarize(s, metric);

	if (sum.n == 0)
		printf(" %9s", "-");
	else
		printf(" %9.*f", metrics[metric].digits, sum.median);
}

/* How many times better than the other series, by the primary metric */
static void
print_ratio(const struct bench_case *c, const struct series *s, const struct series *other)
{
	enum metric m = c->test->primary;
	double ours = summarize(s, m).median;
	double theirs = other == NULL ? NAN : summarize(other, m).median;

	if (isnan(ours) || isnan(theirs))
		printf(" %9s", "-");
	else
		printf(" %9.2f", metrics[m].less ? theirs / ours : ours / theirs);
}

static const struct series *
find_series(const struct series *series, unsigned int n, const char *name)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (strcmp(series[i].path->name, name) == 0)
			return &series[i];
	return NULL;
}

/* The yardstick of a case: of all bare loops, the one that is best by the primary metric. */
static const struct series *
best_loop(const struct bench_case *c, const struct series *series, unsigned int n)
{
	enum metric m = c->test->primary;
	const struct series *best = NULL;
	double median, least = NAN;
	unsigned int i;

	for (i = 0; i < n; i++) {
		median = summarize(&series[i], m).median;
		if (series[i].path->ops != &loop_ops || isnan(median) ||
		    (best != NULL && (metrics[m].less ? median >= least : median <= least)))
			continue;
		best = &series[i];
		least = median;
	}
	return best;
}

static bool
is_measured(const struct series *series, unsigned int n, enum metric metric)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (summarize(&series[i], metric).n > 0)
			return true;
	return false;
}

static void
print_table(const struct bench_case *c, const struct series *series, unsigned int n)
{
	const struct series *tap = find_series(series, n, "net_tap");
	const struct series *loop = best_loop(c, series, n);
	const char *side;
	enum metric m;
	unsigned int i;
	char words[128];

	params_print(words, sizeof(words), c);
	printf("\n%s: %s%s%s\n%-12s", c->test->name, c->test->what, words[0] != '\0' ? "; " : "",
		words, "");
	for (m = 0; m < M_MAX; m++)
		if (is_measured(series, n, m))
			printf(" %9s", metrics[m].unit);
	printf(" %8s %9s %9s  %s\n", "spread", "x net_tap", "x loop", "saturated");
	for (i = 0; i < n; i++) {
		struct summary sum = summarize(&series[i], c->test->primary);

		printf("%-12s", series[i].path->name);
		if (sum.n == 0) {
			printf(" %s\n", series[i].why != NULL ? series[i].why : "nothing arrived");
			continue;
		}
		for (m = 0; m < M_MAX; m++)
			if (is_measured(series, n, m))
				print_cell(&series[i], m);
		printf(" %6.0f%%%c", 100 * (sum.high - sum.low) / sum.median,
			is_wide(&sum) ? '!' : ' ');
		print_ratio(c, &series[i], tap);
		print_ratio(c, &series[i], loop);
		side = saturated(c, &series[i]);
		printf("  %s\n", side != NULL ? side : "-");
	}
	fflush(stdout);
}

/*
 * JSON
 */

static void
json_string(FILE *out, const char *text)
{
	if (text == NULL) {
		fprintf(out, "null");
		return;
	}
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
	fputc('"', out);
}

static void
json_series(FILE *out, const struct bench_case *c, const struct series *s)
{
	const char *sep = "";
	enum metric m;

	fprintf(out, "{\"path\":");
	json_string(out, s->path->name);
	if (s->why != NULL) {
		fprintf(out, ",\"why\":");
		json_string(out, s->why);
	}
	fprintf(out, ",\"saturated\":");
	json_string(out, saturated(c, s));
	fprintf(out, ",\"metrics\":{");
	for (m = 0; m < M_MAX; m++) {
		struct summary sum = summarize(s, m);

		if (sum.n == 0)
			continue;
		fprintf(out, "%s\"%s\":{\"median\":%.5g,\"low\":%.5g,\"high\":%.5g,\"rounds\":%u}",
			sep, metrics[m].name, sum.median, sum.low, sum.high, sum.n);
		sep = ",";
	}
	fprintf(out, "}}");
}

static void
json_case(struct report *report, const struct bench_case *c, const struct series *series,
		unsigned int n)
{
	static const char * const targets[] = { "nobody", "other", "socket", "closed" };
	const struct params *p = &c->params;
	FILE *out = report->json;
	unsigned int i;

	fprintf(out, "%s\n{\"test\":\"%s\",\"primary\":\"%s\",\"len\":%u,\"burst\":%u,",
		report->first ? "" : ",", c->test->name, metrics[c->test->primary].name, p->len,
		p->burst);
	fprintf(out, "\"queues\":%u,\"mbuf_room\":%u,\"streams\":%u,\"to\":\"%s\",", p->queues,
		p->mbuf_room, p->streams, targets[p->to]);
	fprintf(out, "\"gso\":%s,\"offload\":%s,\"external\":%s,\"paths\":[",
		p->gso ? "true" : "false", p->offload ? "true" : "false",
		p->external ? "true" : "false");
	report->first = false;
	for (i = 0; i < n; i++) {
		fprintf(out, "%s\n ", i == 0 ? "" : ",");
		json_series(out, c, &series[i]);
	}
	fprintf(out, "]}");
}

static void
json_machine(FILE *out, const struct machine *m)
{
	const struct {
		const char *name, *value;
	} words[] = {
		{ "model", m->model }, { "memory", m->memory }, { "pages", m->pages },
		{ "kernel", m->kernel }, { "dpdk", m->dpdk }, { "liburing", m->liburing },
	};
	unsigned int i;

	fprintf(out, "{\"cpus\":%u,\"cores\":%u,\"kernel_threads\":%u", m->cpus, m->cores,
		m->kernel_threads);
	for (i = 0; i < RTE_DIM(words); i++) {
		fprintf(out, ",\"%s\":", words[i].name);
		json_string(out, words[i].value);
	}
	fprintf(out, "}");
}

struct report *
report_open(const struct options *options)
{
	struct report *report = calloc(1, sizeof(*report));
	struct machine m;

	if (report == NULL)
		die("out of memory");
	machine_describe(&m, options->huge);
	printf("%u CPUs, %u cores (%s), pages of %s, Linux %s, %s, liburing %s\n", m.cpus, m.cores,
		m.model, m.pages, m.kernel, m.dpdk, m.liburing);
	printf("%u rounds of %u ms, paths in turns. Medians; spread: of the middle half; !: wide.\n"
		"x: how many times better than; loop: the best bare loop. empty %%: of the\n"
		"application's time, in polls that moved nothing; saturated: the side that had no\n"
		"time left.\n", options->rounds, options->ms);
	if (m.kernel_threads == 0)
		printf("CPU times are without those of the kernel's threads, which are not seen here.\n");
	if (options->json == NULL)
		return report;
	report->path = options->json;
	report->first = true;
	report->json = fopen(options->json, "we");
	if (report->json == NULL)
		die("%s: %s", options->json, strerror(errno));
	fprintf(report->json, "{\"machine\":");
	json_machine(report->json, &m);
	fprintf(report->json, ",\"rounds\":%u,\"ms\":%u,\"cases\":[", options->rounds, options->ms);
	return report;
}

void
report_case(struct report *report, const struct bench_case *c, const struct series *series,
		unsigned int n)
{
	print_table(c, series, n);
	if (report->json != NULL)
		json_case(report, c, series, n);
}

void
report_close(struct report *report)
{
	if (report->json != NULL) {
		fprintf(report->json, "]}\n");
		if (fclose(report->json) != 0)
			die("%s: %s", report->path, strerror(errno));
	}
	free(report);
}
