/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * report DIRECTORY [FILE [incomplete]]: write the page of kpath-perf, from results that no run
 * would have, and the same as JSON to the file; also those of a run that was ended before the last
 * case. report.py looks at them.
 */

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

#define SAMPLES 60

/* What the page asks of the program around it */
const struct path_ops loop_ops, dpdk_ops, veth_ops;
const struct test test_tcp = {
	.name = "tcp",
	.what = "up & down <both>",
	.primary = M_GBPS,
	.shown = RTE_BIT64(M_CPU_GB),
	.pair = true,
};
const struct test test_rtt = {
	.name = "rtt", .what = "there and back", .primary = M_P50, .pair = true, .unhurried = true,
};
const struct test test_rrul = { .name = "rrul", .what = "load", .primary = M_P50 };
const struct test test_idle = { .name = "idle", .what = "nothing", .primary = M_NS };
static const struct test test_made_up = {
	.name = "tx", .what = "into \"the kernel\"", .primary = M_MPPS,
	.shown = RTE_BIT64(M_LOST) | RTE_BIT64(M_P999),
};

const struct bench_case cases[] = {
	{ SET_PATHS, &test_made_up, { 64, 32, 1 }, "" },
	{ SET_PATHS, &test_tcp, { 1514, 32, 1, .streams = 4 }, "" },
	{ SET_PATHS, &test_made_up, { 9018, 32, 1 }, "" },
	{ SET_PATHS, &test_rtt, { 64, 32, 1 }, "" },
	{ SET_PATHS, &test_idle, { 64, 32, 1 }, "" },
};
const unsigned int nb_cases = RTE_DIM(cases);

const struct path paths[] = {
	{ "rtap", "net_rtap", &dpdk_ops, "net_rtap" },
	{ "net_tap", "the other", &dpdk_ops, "net_tap" },
	{ "virtio-user", "vhost-net", &dpdk_ops, "net_virtio_user" },
	{ "af_xdp", "XDP", &dpdk_ops, "net_af_xdp", NULL, DPDK_VETH },
	{ "veth", "the kernel", &veth_ops },
	{ "<&>\"'", "named <&>", &dpdk_ops, "net_<&>" },
	{ "loop-rw", "bare loop", &loop_ops },
};
const unsigned int nb_paths = RTE_DIM(paths);

/* The same here as a wrong option */
static void end_with(const char *format, va_list args) __rte_format_printf(1, 0) __rte_noreturn;

static void
end_with(const char *format, va_list args)
{
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

void
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end_with(format, args);
}

void
refuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end_with(format, args);
}

const struct availability *
available(const struct path *path __rte_unused)
{
	static const struct availability can_run;

	return &can_run;
}

void
machine_describe(struct machine *m, bool huge)
{
	*m = (struct machine){ .cpus = 3, .cores = 2, .kernel_threads = huge };
	snprintf(m->model, sizeof(m->model), "CPU <&> \xff\x01\xc3\xa9 \"9\"");
	snprintf(m->memory, sizeof(m->memory), "7 kB");
	snprintf(m->pages, sizeof(m->pages), "4 kB");
	snprintf(m->kernel, sizeof(m->kernel), "6.66");
	snprintf(m->dpdk, sizeof(m->dpdk), "DPDK 99.11");
	snprintf(m->liburing, sizeof(m->liburing), "2.99");
}

/* A round more, in which only this metric was measured */
static struct result *
add_round(struct series *s, enum metric metric, double value)
{
	struct result *r = &s->rounds[s->n++];
	unsigned int m;

	for (m = 0; m < M_MAX; m++)
		r->value[m] = NAN;
	r->value[metric] = value;
	return r;
}

static void
add_rounds(struct series *s, enum metric metric, unsigned int n, const double *values)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		add_round(s, metric, values[i]);
}

/* 5 s idle, 20 s under load, 5 s idle; a gap, and one moment that is far beyond the others */
static struct timeline *
make_timeline(double scale)
{
	static const char * const classes[] = {
		"up BE", "up BK", "up CS5", "up EF", "down BE", "down BK", "down CS5", "down <EF>",
		"UDP", "ICMP",
	};
	struct timeline *t = calloc(1, sizeof(*t));
	unsigned int i, j;

	if (t == NULL)
		die("out of memory");
	t->n = RTE_DIM(classes);
	t->load_start = 5;
	t->load_end = 25;
	for (i = 0; i < t->n; i++) {
		struct timeline_line *line = &t->lines[i];

		snprintf(line->name, sizeof(line->name), "%s", classes[i]);
		line->unit = i < 8 ? "Mb/s" : "ms";
		line->n = SAMPLES;
		line->seconds = calloc(SAMPLES, sizeof(float));
		line->values = calloc(SAMPLES, sizeof(float));
		if (line->seconds == NULL || line->values == NULL)
			die("out of memory");
		for (j = 0; j < SAMPLES; j++) {
			bool load = j >= 10 && j < 50;

			line->seconds[j] = j * 0.5 + 0.25;
			line->values[j] = i < 8 ? (load ? scale * (40 + 9 * i + j % 5) : NAN) :
				scale * (load ? 3 + i % 2 + j % 3 : 0.3);
		}
	}
	t->lines[8].values[20] = NAN;
	t->lines[9].values[30] = 500;
	return t;
}

/* Rates that differ much between cases; a bar that is cut off, one round, one path missing */
static void
add_tx(struct results *results, const struct bench_case *c, double scale)
{
	struct series *s = calloc(RTE_DIM(paths), sizeof(*s));
	unsigned int i;

	if (s == NULL)
		die("out of memory");
	for (i = 0; i < RTE_DIM(paths); i++)
		s[i].path = &paths[i];
	add_rounds(&s[0], M_MPPS, 5, (double[]){ 2.01 * scale, 2 * scale, 1.95 * scale,
		2.02 * scale, 9 * scale });
	/* Who is fastest loses much. */
	s[0].rounds[0].value[M_LOST] = 12.3;
	s[0].rounds[1].value[M_NS] = 1234567.89;
	add_rounds(&s[1], M_MPPS, 4, (double[]){ 1 * scale, 1.5 * scale, 0.5 * scale, 2 * scale });
	s[2].why = "no /dev/vhost-net: modprobe vhost_net & try again; a reason as long as this "
		"<one> is cut in plots, but nowhere else";
	add_round(&s[3], M_MPPS, 1.25 * scale)->value[M_EMPTY] = 3;
	add_round(&s[4], M_MPPS, 30 * scale);
	add_round(&s[5], M_MPPS, 1.75 * scale)->value[M_LOST] = 0;
	add_round(&s[6], M_MPPS, NAN);
	results_add(results, c, s, RTE_DIM(paths));
	free(s);
}

static void
add_tcp(struct results *results, const struct bench_case *c)
{
	static struct series s[4];
	struct result *r;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		s[i].path = &paths[i == 2 ? 4 : i];
		r = add_round(&s[i], M_GBPS, 3 - i);
		r->value[M_CPU_GB] = 0.5 + i;
		r->timeline = make_timeline(3 - i);
	}
	/* Not the median: it would be far higher than the others. */
	for (i = 0; i < 2; i++)
		add_round(&s[0], M_GBPS, 2.9 + i)->timeline = make_timeline(100 + i);
	s[3].path = &paths[5];
	s[3].why = "<&>";
	s[3].how = "how & when";
	results_add(results, c, s, 4);
}

static void
add_zeros(struct results *results, const struct bench_case *c)
{
	static struct series s[2];

	s[0].path = &paths[0];
	s[1].path = &paths[1];
	add_rounds(&s[0], M_P50, 2, (double[]){ 0, 0 });
	add_rounds(&s[1], M_P50, 3, (double[]){ -2, -1, 0.00012 });
	results_add(results, c, s, 2);
}

int
main(int argc, char **argv)
{
	static char program[] = "build/kpath-perf", report[] = "--report=it's <here>";
	static char only[] = "--only=64 B", empty[] = "";
	char *line[] = { program, report, only, empty };
	struct options options = { .rounds = 5, .ms = 70, .argc = RTE_DIM(line), .argv = line };
	struct results *results = results_new(&options, nb_cases);
	static const struct series nothing[1];

	if (argc < 2)
		die("report DIRECTORY [FILE [incomplete]]");
	add_tx(results, &cases[0], 1);
	add_tcp(results, &cases[1]);
	add_tx(results, &cases[2], 0.01);
	add_zeros(results, &cases[3]);
	results->complete = argc <= 3;
	if (results->complete)
		results_add(results, &cases[4], nothing, 0);
	html_write(results, argv[1]);
	if (argc > 2)
		json_write(results, argv[2]);
	results_free(results);
	return EXIT_SUCCESS;
}
