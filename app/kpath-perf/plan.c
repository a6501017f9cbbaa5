/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Which cases are run, in which form, and how long that takes. */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results.h"

/* The largest frame of the tests of one way, if --mtu does not say otherwise */
#define LEN_DEFAULT 9018
/* What a path costs besides being measured: ports that are opened and closed; a round: settling */
#define OPEN_S 0.3
#define ROUND_S 0.035

static const struct options *options;
static struct bench_case *plan;
static unsigned int nb_plan;
static uint64_t began;		/* ns, 0: not yet */

/* With another MTU, frames are as large as it allows, and no larger. */
static void
adapt(struct bench_case *c)
{
	/* The benchmark has more cases, and asks for no rare percentiles. */
	bool has_own = c->set == SET_PATHS && !options->brief;
	struct params *p = &c->params;

	if (p->len == LEN_MTU)
		p->len = options->mtu != 0 ? options->mtu + RTE_ETHER_HDR_LEN : LEN_DEFAULT;
	if (options->mtu != 0 && !p->gso)
		p->mtu = options->mtu;
	p->ms = has_own && c->test->ms != 0 && !options->ms_given ? c->test->ms : options->ms;
	p->rounds = has_own && c->test->rounds != 0 && !options->rounds_given ? c->test->rounds :
		options->rounds;
	if (options->mtu != 0 && c->test->pair)
		p->len = RTE_MIN(p->len, options->mtu + (uint32_t)RTE_ETHER_HDR_LEN);
}

/* Who compares paths may name any; trials are of the cases that they are listed for. */
bool
plan_has(const struct bench_case *c, const struct path *path)
{
	bool is_listed = listed(c->paths, path->name, " ");

	if (options->paths != NULL)
		is_listed = listed(options->paths, path->name, ",") &&
			(is_listed || c->set == SET_PATHS);
	return is_listed;
}

/* A case that no path is asked for in is none. */
static bool
has_path(const struct bench_case *c)
{
	unsigned int i;

	for (i = 0; i < nb_paths; i++)
		if (plan_has(c, &paths[i]))
			return true;
	return false;
}

/* The largest frame may be one that there is already. */
static bool
is_planned(const struct bench_case *c, const char *words)
{
	char planned[128];
	unsigned int i;

	for (i = 0; i < nb_plan; i++) {
		params_print(planned, sizeof(planned), &plan[i]);
		if (plan[i].test == c->test && strcmp(planned, words) == 0)
			return true;
	}
	return false;
}

static bool
is_wanted(const struct bench_case *c)
{
	const struct params *p = &c->params;
	char words[128];

	params_print(words, sizeof(words), c);
	if (c->set != options->set || !has_path(c) || (options->brief && !c->brief) ||
	    (options->only != NULL && strstr(words, options->only) == NULL) ||
	    (options->tests != NULL && !listed(options->tests, c->test->name, ",")) ||
	    /* Only this test is measured with several kinds of offload. */
	    (options->offloads != NULL && c->test == &test_tcp &&
	     !listed(options->offloads, offload_names[p->offload], ",")) ||
	    (options->mtu != 0 && !p->gso && p->len > options->mtu + RTE_ETHER_HDR_LEN))
		return false;
	return !is_planned(c, words);
}

static bool
has_test(const struct test *test)
{
	unsigned int i;

	for (i = 0; i < nb_plan && plan[i].test != test; i++)
		;
	return i < nb_plan;
}

void
plan_make(const struct options *given)
{
	unsigned int i;

	options = given;
	plan = calloc(nb_cases, sizeof(*plan));
	if (plan == NULL)
		die("out of memory");
	for (i = 0; i < nb_cases; i++) {
		plan[nb_plan] = cases[i];
		adapt(&plan[nb_plan]);
		if (is_wanted(&plan[nb_plan]))
			nb_plan++;
	}
	if (nb_plan == 0)
		refuse("these options leave no case; see --list for what there is");
	if (options->flent != NULL && !has_test(&test_rrul))
		refuse("--flent: files for flent are of the test rrul, which these options leave"
			" out");
	if (options->offloads != NULL && !has_test(&test_tcp))
		refuse("--offloads: it is about the test tcp, which these options leave out");
}

void
plan_free(void)
{
	free(plan);
	plan = NULL;
	nb_plan = 0;
}

unsigned int
plan_size(void)
{
	return nb_plan;
}

const struct bench_case *
plan_case(unsigned int i)
{
	return &plan[i];
}

/*
 * Time
 */

static unsigned int
nb_measured(const struct bench_case *c)
{
	unsigned int n = 0, i;

	for (i = 0; i < nb_paths; i++)
		n += plan_has(c, &paths[i]) && available(&paths[i])->why == NULL;
	return n;
}

static double
case_seconds(const struct bench_case *c)
{
	double ms = (double)RTE_MAX(1U, c->test->takes) * c->params.ms + c->test->takes_ms;

	if (c->test->takes_max != 0)
		ms = RTE_MIN(ms, c->test->takes_max);
	return nb_measured(c) * (OPEN_S + c->params.rounds * (ms / 1e3 + ROUND_S));
}

static double
seconds_from(unsigned int first)
{
	double all = 0;
	unsigned int i;

	for (i = first; i < nb_plan; i++)
		all += case_seconds(&plan[i]);
	return all;
}

double
plan_seconds(void)
{
	return seconds_from(0);
}

/* What is left, as fast or slow as what is done. */
static double
seconds_left(unsigned int now, unsigned int round)
{
	double all = seconds_from(0), left = seconds_from(now), passed;

	left -= case_seconds(&plan[now]) * (round - 1) / plan[now].params.rounds;
	passed = (now_ns() - began) / 1e9;
	return all - left < 1 ? left : left * passed / (all - left);
}

void
print_time(FILE *out, double seconds)
{
	if (seconds < 100)
		fprintf(out, "%.0f s", seconds);
	else
		fprintf(out, "%.0f min", seconds / 60);
}

void
plan_progress(unsigned int i, unsigned int round, const struct path *path)
{
	bool terminal = isatty(STDERR_FILENO) != 0;
	static unsigned int shown = UINT_MAX;
	char words[128];

	if (began == 0)
		began = now_ns();
	/* A line that is too long is cut off, so that it can be written over. */
	if (terminal)
		fprintf(stderr, "\r\033[K%s", path != NULL ? "\033[?7l" : "");
	if (path == NULL || (!terminal && shown == i))
		return;
	shown = i;
	params_print(words, sizeof(words), &plan[i]);
	fprintf(stderr, "%u/%u %s%s%s", i + 1, nb_plan, plan[i].test->name,
		words[0] != '\0' ? " " : "", words);
	if (terminal)
		fprintf(stderr, ", round %u of %u: %s", round, plan[i].params.rounds,
			path->name);
	fprintf(stderr, ", ");
	print_time(stderr, seconds_left(i, round));
	fprintf(stderr, " left%s", terminal ? "\033[?7h" : "\n");
}
