/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Results for people. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "results.h"

void
table_introduce(const struct results *results)
{
	const struct options *options = results->options;
	const struct machine *m = &results->machine;

	printf("%u CPUs, %u cores (%s), pages of %s, Linux %s, %s, liburing %s\n", m->cpus,
		m->cores, m->model, m->pages, m->kernel, m->dpdk, m->liburing);
	printf("%u case%s, %u round%s of %u ms or what a test needs, paths in turns: about ",
		plan_size(), plan_size() == 1 ? "" : "s", options->rounds,
		options->rounds == 1 ? "" : "s", options->ms);
	print_time(stdout, plan_seconds());
	printf(".\n");
	if (options->details)
		printf("Medians; spread: of the middle half; !: wide. x: how many times better than;\n"
			"loop: the best bare loop. empty %%: of the application's time, in polls that\n"
			"moved nothing; saturated: the side that had no time left.\n");
	if (m->kernel_threads == 0)
		printf("CPU times are without those of the kernel's threads, which are not seen here.\n");
	fflush(stdout);
}

static void
print_cell(const struct series *s, enum metric metric)
{
	struct summary sum = summarize(s, metric);

	if (sum.n == 0)
		printf(" %9s", "-");
	else
		printf(" %9.*f", metric_infos[metric].digits, sum.median);
}

static void
print_ratio(double times)
{
	if (isnan(times))
		printf(" %9s", "-");
	else
		printf(" %9.2f", times);
}

void
table_case(const struct measured *measured)
{
	const struct bench_case *c = measured->bench_case;
	const struct series *tap = find_yardstick(measured);
	const struct series *loop = best_loop(measured);
	enum metric primary = c->test->primary, m;
	const char *side;
	unsigned int i;
	char words[128];

	params_print(words, sizeof(words), c);
	printf("\n%s: %s%s%s\n%-18s", c->test->name, c->test->what, words[0] != '\0' ? "; " : "",
		words, "");
	for (m = 0; m < M_MAX; m++)
		if (is_measured(measured, m))
			printf(" %9s", metric_infos[m].unit);
	printf(" %8s %9s %9s  %s\n", "spread", "x " YARDSTICK, "x loop", "saturated");
	for (i = 0; i < measured->n; i++) {
		const struct series *s = &measured->series[i];
		struct summary sum = summarize(s, primary);

		printf("%-18s", s->path->name);
		if (sum.n == 0) {
			printf(" %s\n", s->why != NULL ? s->why : "nothing arrived");
			continue;
		}
		for (m = 0; m < M_MAX; m++)
			if (is_measured(measured, m))
				print_cell(s, m);
		if (sum.median == 0)
			printf(" %8s", "-  ");
		else
			printf(" %6.0f%%%c", 100 * summary_spread(&sum),
				summary_is_wide(&sum) ? '!' : ' ');
		print_ratio(times_better(primary, s, tap));
		print_ratio(times_better(primary, s, loop));
		side = saturated(c, s);
		printf("  %s", side != NULL ? side : "-");
		if (sum.n < s->n)
			printf(", %u of %u rounds", sum.n, s->n);
		printf("\n");
	}
	fflush(stdout);
}
