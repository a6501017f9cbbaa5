/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Measures case by case, and shows what there is: at the end, or when a signal ends it before. The
 * latter is another thread's work, which holds the lock from then on: who measures stops there, and
 * nothing needs to be closed, since all of it goes with the process.
 */

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "output.h"
#include "results.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* With the lock held, it is written by who measures, and read by who ends that. */
static struct {
	struct results *results;	/* NULL: there is nothing to be shown */
	const struct bench_case *c;	/* under way, NULL: none */
	unsigned int n;
	struct series series[64];	/* of that case */
} now;

/* All ports of a path; returns whether it can be measured. */
static bool
open_path(struct port ports[2], const struct bench_case *c, const struct path *path,
		unsigned int subnet)
{
	return open_ports(ports, c, path, path, subnet);
}

static void
measure(struct port *ports, const struct bench_case *c, struct result *result)
{
	unsigned int m;

	*result = (struct result){0};
	for (m = 0; m < M_MAX; m++)
		result->value[m] = NAN;
	c->test->measure(ports, c->params.ms * UINT64_C(1000000), result);
	/* Threads of the kernel's that worked for this path fall asleep before the next turn. */
	usleep(SETTLE_US);
}

static void
begin_case(const struct bench_case *c)
{
	pthread_mutex_lock(&lock);
	now.c = c;
	now.n = 0;
	pthread_mutex_unlock(&lock);
}

static void
add_series(const struct path *path, const char *why)
{
	pthread_mutex_lock(&lock);
	now.series[now.n++] = (struct series){
		.path = path, .how = available(path)->how, .why = why,
	};
	pthread_mutex_unlock(&lock);
}

static void
begin_round(unsigned int number, unsigned int round, const struct path *path)
{
	pthread_mutex_lock(&lock);
	plan_progress(number, round, path);
	pthread_mutex_unlock(&lock);
}

static void
add_round(struct series *s, const struct result *result)
{
	pthread_mutex_lock(&lock);
	s->rounds[s->n++] = *result;
	pthread_mutex_unlock(&lock);
}

static void
end_series(void)
{
	unsigned int i;

	for (i = 0; i < now.n; i++)
		series_end(&now.series[i]);
}

/* A program, or a user, that comes too late for the rest has these at least. */
static void
end_case(const struct options *options)
{
	const struct measured *measured;

	pthread_mutex_lock(&lock);
	plan_progress(0, 0, NULL);
	end_series();
	measured = results_add(now.results, now.c, now.series, now.n);
	now.c = NULL;
	if (options->details)
		table_case(measured);
	if (options->json != NULL && output_replaces(options->json))
		json_write(now.results, options->json);
	pthread_mutex_unlock(&lock);
}

static void
run_case(unsigned int number, const struct options *options)
{
	const struct bench_case *c = plan_case(number);
	static struct port ports[64][2];
	bool is_open[64] = {0};
	struct result result;
	unsigned int i, round;

	begin_case(c);
	for (i = 0; i < nb_paths; i++) {
		unsigned int n = now.n;

		if (!plan_has(c, &paths[i]))
			continue;
		is_open[n] = open_path(ports[n], c, &paths[i], n);
		add_series(&paths[i], is_open[n] ? NULL : ports[n][0].why);
	}
	for (round = 0; round < c->params.rounds; round++) {
		for (i = 0; i < now.n; i++) {
			if (now.series[i].why != NULL)
				continue;
			begin_round(number, round + 1, now.series[i].path);
			measure(ports[i], c, &result);
			add_round(&now.series[i], &result);
		}
	}
	for (i = 0; i < now.n; i++)
		if (is_open[i])
			close_path(ports[i], c);
	end_case(options);
}

static void
show(const struct results *results)
{
	const struct options *options = results->options;

	if (options->set == SET_PATHS || !results->complete)
		summary_print(results);
	if (options->json != NULL)
		json_write(results, options->json);
	if (options->report != NULL)
		html_write(results, options->report);
	if (options->flent != NULL && flent_write(results, options->flent) == 0)
		fprintf(stderr, "kpath-perf: --flent: latency under load was not measured\n");
}

void
run_plan(const struct options *options)
{
	struct results *results = results_new(options, plan_size());
	unsigned int i;

	if (options->report != NULL)
		html_prepare(options->report);
	table_introduce(results);
	pthread_mutex_lock(&lock);
	now.results = results;
	pthread_mutex_unlock(&lock);
	for (i = 0; i < plan_size(); i++)
		run_case(i, options);
	pthread_mutex_lock(&lock);
	results->complete = true;
	show(results);
	now.results = NULL;
	pthread_mutex_unlock(&lock);
	results_free(results);
}

/* Was anything measured in the case that is under way? */
static bool
has_rounds(void)
{
	unsigned int i;

	for (i = 0; now.c != NULL && i < now.n; i++)
		if (now.series[i].n > 0)
			return true;
	return false;
}

void
run_interrupted(void)
{
	pthread_mutex_lock(&lock);
	if (now.results == NULL)
		return;
	plan_progress(0, 0, NULL);
	end_series();
	if (has_rounds())
		results_add(now.results, now.c, now.series, now.n);
	show(now.results);
	fflush(stdout);
}
