/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Latency under load, in the manner of flent's "Realtime Response Under Load": four TCP streams up
 * and four down, one of each class, and probes of several kinds all the time. Without load first,
 * then with it, then without it.
 *
 * The load lasts twenty times as long as a test of packets, a minute at most; before and after it
 * is a quarter of that, 5 s at most: --duration=1000 is 5 s, 20 s, 5 s. The interfaces have the
 * queues that the kernel gives them: how many packets wait there is part of the path.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probes.h"
#include "results.h"
#include "streams.h"

#define LOAD_FACTOR 20
#define LOAD_MAX_NS UINT64_C(60000000000)
#define IDLE_MAX_NS UINT64_C(5000000000)
#define PROBE_INTERVAL_NS UINT64_C(5000000)
/* Steps of the plot: 200 ms as flent's, or 40 under load. */
#define STEP_MAX_NS UINT64_C(200000000)
#define STEPS_UNDER_LOAD 40
#define STEPS_MAX 1024

/* A class has a stream of each direction. */
static const struct class {
	const char *name;
	uint8_t tos;
	enum metric metric;
} classes[] = {
	{ "BE", TOS_BE, M_BE },
	{ "BK", TOS_BK, M_BK },
	{ "CS5", TOS_CS5, M_CS5 },
	{ "EF", TOS_EF, M_EF },
};

#define NB_CLASSES RTE_DIM(classes)
#define NB_STREAMS (2 * NB_CLASSES)

/* Stream i is of this class, up for the first half. */
static const struct class *
class_of_stream(unsigned int i)
{
	return &classes[i % NB_CLASSES];
}

static enum direction
direction_of_stream(unsigned int i)
{
	return i < NB_CLASSES ? DIR_UP : DIR_DOWN;
}

/* What was seen at the end of each step; times are ns since the probes were started. */
struct steps {
	unsigned int n;
	uint64_t ns[STEPS_MAX];
	uint64_t bytes[STEPS_MAX][NB_STREAMS];
};

struct rrul {
	struct pair pair;
	struct streams streams;
	struct probes probes;
	struct steps steps;
	double start;			/* of the probes, in seconds since 1970 */
	uint64_t idle, load, step;	/* ns that are planned */
	uint64_t load_start, load_end;	/* since the probes were started */
	uint64_t bytes[NB_STREAMS];	/* that arrived between these */
};

static uint64_t
since_start(const struct rrul *r)
{
	return now_ns() - r->probes.start;
}

/*
 * Running
 */

static void
look(struct rrul *r)
{
	struct steps *s = &r->steps;
	unsigned int i;

	if (s->n == STEPS_MAX)
		return;
	s->ns[s->n] = since_start(r);
	for (i = 0; i < r->streams.n; i++)
		s->bytes[s->n][i] = stream_bytes(&r->streams.stream[i]);
	s->n++;
}

/* Look at each step until so many ns have passed since the start. */
static void
run_until(struct rrul *r, uint64_t until)
{
	uint64_t now;

	while ((now = since_start(r)) + r->step / 2 < until) {
		usleep(RTE_MIN(r->step, until - now) / 1000);
		look(r);
	}
}

static bool
connect_all(struct rrul *r)
{
	unsigned int i;

	for (i = 0; i < NB_STREAMS; i++)
		if (!streams_add(&r->streams, direction_of_stream(i), class_of_stream(i)->tos))
			return false;
	return true;
}

static void
run_load(struct rrul *r)
{
	unsigned int i;

	r->load_start = since_start(r);
	pair_begin(&r->pair);
	streams_start(&r->streams);
	run_until(r, r->load_start + r->load);
	pair_end(&r->pair);
	r->load_end = since_start(r);
	for (i = 0; i < NB_STREAMS; i++)
		r->bytes[i] = stream_bytes(&r->streams.stream[i]);
	streams_cut(&r->streams);
}

static void
run(struct rrul *r)
{
	unsigned int max = (2 * r->idle + r->load) / PROBE_INTERVAL_NS + 1000;
	struct timespec ts;

	probes_open(&r->probes, &r->pair, PROBE_INTERVAL_NS, max);
	clock_gettime(CLOCK_REALTIME, &ts);
	r->start = ts.tv_sec + ts.tv_nsec / 1e9;
	probes_start(&r->probes);
	run_until(r, r->idle);
	run_load(r);
	run_until(r, since_start(r) + r->idle);
	probes_stop(&r->probes);
}

/*
 * Results
 */

static void
set_rates(const struct rrul *r, struct result *result)
{
	double ns = r->load_end - r->load_start, rates[NB_STREAMS];
	unsigned int i;

	for (i = 0; i < NB_CLASSES; i++)
		result->value[classes[i].metric] = 0;
	result->value[M_UP] = result->value[M_DOWN] = 0;
	for (i = 0; i < NB_STREAMS; i++) {
		rates[i] = 8.0 * r->bytes[i] / ns;
		result->value[class_of_stream(i)->metric] += rates[i];
		result->value[direction_of_stream(i) == DIR_UP ? M_UP : M_DOWN] += rates[i];
	}
	result->value[M_GBPS] = result->value[M_UP] + result->value[M_DOWN];
	result->value[M_JAIN] = jain_index(rates, NB_STREAMS);
}

/* Without load is what is before it; after it queues drain for a while, which is left out. */
static bool
is_idle(const struct rrul *r, uint64_t sent)
{
	return sent < r->load_start || sent > r->load_end + r->idle / 2;
}

static bool
is_loaded(const struct rrul *r, uint64_t sent)
{
	return sent >= r->load_start && sent < r->load_end;
}

/* Percentiles of all kinds of probes together. Who drops what would be late is no better for it. */
static void
set_times(const struct rrul *r, struct result *result, enum metric p50,
		bool (*wanted)(const struct rrul *, uint64_t))
{
	const struct probes *p = &r->probes;
	uint32_t *times = calloc(PROBE_KINDS * (size_t)p->n + 1, sizeof(*times));
	unsigned int n = 0, k, i;

	if (times == NULL)
		die("out of memory");
	for (k = 0; k < PROBE_KINDS; k++)
		for (i = 0; i < p->n; i++)
			if (wanted(r, p->sent[k][i]))
				times[n++] = p->times[k][i] != 0 ? p->times[k][i] : PROBE_LATE_NS;
	result_set_times(result, p50, times, n);
	free(times);
}

static void
set_latency(const struct rrul *r, struct result *result)
{
	const struct probes *p = &r->probes;

	set_times(r, result, M_IDLE_P50, is_idle);
	set_times(r, result, M_P50, is_loaded);
	result->value[M_ADDED] = result->value[M_P50] - result->value[M_IDLE_P50];
	result->value[M_LOST] = 1e3 - 1e3 * p->answered / (PROBE_KINDS * p->n);
}

/*
 * Over time
 */

static struct timeline_line *
add_line(struct timeline *timeline, const struct steps *steps, const char *unit)
{
	struct timeline_line *line = &timeline->lines[timeline->n++];
	unsigned int i;

	line->unit = unit;
	line->n = steps->n;
	line->seconds = calloc(steps->n, sizeof(*line->seconds));
	line->values = calloc(steps->n, sizeof(*line->values));
	if (line->seconds == NULL || line->values == NULL)
		die("out of memory");
	for (i = 0; i < steps->n; i++)
		line->seconds[i] = steps->ns[i] / 1e9;
	return line;
}

/* A stream has no rate in a step that is, for the most part, without load. */
static void
add_stream_line(struct timeline *timeline, const struct rrul *r, unsigned int stream)
{
	const struct steps *steps = &r->steps;
	struct timeline_line *line = add_line(timeline, steps, "Mb/s");
	unsigned int i;

	snprintf(line->name, sizeof(line->name), "TCP %s %s",
		direction_of_stream(stream) == DIR_UP ? "upload" : "download",
		class_of_stream(stream)->name);
	for (i = 0; i < steps->n; i++) {
		uint64_t before = i > 0 ? steps->ns[i - 1] : 0;
		uint64_t bytes = steps->bytes[i][stream];

		if (i > 0)
			bytes -= steps->bytes[i - 1][stream];
		line->values[i] = is_loaded(r, (before + steps->ns[i]) / 2) ?
			8e3 * bytes / (steps->ns[i] - before) : NAN;
	}
}

/* The mean of those that were sent in a step. */
static void
add_probe_line(struct timeline *timeline, const struct steps *steps, const struct probes *p,
		unsigned int kind)
{
	struct timeline_line *line = add_line(timeline, steps, "ms");
	unsigned int i, next = 0;

	snprintf(line->name, sizeof(line->name), "%s", probe_kinds[kind].name);
	for (i = 0; i < steps->n; i++) {
		unsigned int n = 0;
		double sum = 0;

		for (; next < p->n && p->sent[kind][next] < steps->ns[i]; next++) {
			sum += p->times[kind][next];
			n += p->times[kind][next] != 0;
		}
		line->values[i] = n > 0 ? sum / n / 1e6 : NAN;
	}
}

static struct timeline *
make_timeline(const struct rrul *r)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	unsigned int i;

	if (timeline == NULL)
		die("out of memory");
	net_describe_queue(r->pair.ports[0].ifname, timeline->queue, sizeof(timeline->queue));
	timeline->start = r->start;
	timeline->load_start = r->load_start / 1e9;
	timeline->load_end = r->load_end / 1e9;
	for (i = 0; i < NB_STREAMS; i++)
		add_stream_line(timeline, r, i);
	for (i = 0; i < PROBE_KINDS; i++)
		add_probe_line(timeline, &r->steps, &r->probes, i);
	return timeline;
}

static void
measure_rrul(struct port *ports, uint64_t duration, struct result *result)
{
	static struct rrul rrul;
	struct rrul *r = &rrul;
	uint64_t bytes = 0;
	unsigned int i;

	memset(r, 0, sizeof(*r));
	r->load = RTE_MIN(LOAD_FACTOR * duration, LOAD_MAX_NS);
	r->idle = RTE_MIN(r->load / 2, IDLE_MAX_NS);
	r->step = RTE_MIN(r->load / STEPS_UNDER_LOAD, STEP_MAX_NS);
	r->streams.pair = &r->pair;
	pair_start(&r->pair, ports);
	if (!connect_all(r)) {
		result->why = "no connection";
		result->value[M_GBPS] = 0;
		pair_stop(&r->pair, 0, result);
		streams_close(&r->streams);
		return;
	}
	run(r);
	for (i = 0; i < NB_STREAMS; i++)
		bytes += r->bytes[i];
	pair_stop(&r->pair, bytes, result);
	set_rates(r, result);
	set_latency(r, result);
	result->timeline = make_timeline(r);
	probes_close(&r->probes);
	streams_close(&r->streams);
}

const struct test test_rrul = {
	.name = "rrul",
	.what = "latency under load: TCP of four classes up and down, UDP and ICMP probes",
	.primary = M_P50,
	.shown = RTE_BIT64(M_GBPS) | RTE_BIT64(M_ADDED) | RTE_BIT64(M_JAIN) |
		RTE_BIT64(M_LOST),
	.ms = 500, /* 5 s idle, 10 s of load, 5 s idle */
	.rounds = 3,
	.takes = 2 * LOAD_FACTOR,
	.takes_ms = 500,
	.takes_max = (LOAD_MAX_NS + 2 * IDLE_MAX_NS) / 1000000 + 500,
	.pair = true,
	.default_queue = true,
	.unhurried = true,
	.measure = measure_rrul,
};
