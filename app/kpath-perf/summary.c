/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The one table, for people: a pair of lines for each measurement, a column for each path. The
 * first line has medians and how sure they are, the second one ratios to two yardsticks.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "results.h"

#define LABEL_WIDTH 17
#define UNIT_WIDTH 11
#define CELL_WIDTH 14
#define NOTES_MAX 16


/* Reasons why cells are empty: each is said once, below the table. */
struct notes {
	unsigned int n;
	const char *why[NOTES_MAX];
};

/* 0: it has no number, since there are too many. */
static unsigned int
note_number(struct notes *notes, const char *why)
{
	unsigned int i;

	for (i = 0; i < notes->n; i++)
		if (strcmp(notes->why[i], why) == 0)
			return i + 1;
	if (notes->n == NOTES_MAX)
		return 0;
	notes->why[notes->n++] = why;
	return notes->n;
}

/* Was the path measured in any case? Else it has no column. */
static bool
has_column(const struct results *results, const struct path *path)
{
	const struct series *s;
	unsigned int i;

	for (i = 0; i < results->n; i++) {
		s = find_series(&results->cases[i], path->name);
		if (s != NULL && available(path)->why == NULL)
			return true;
	}
	return false;
}

/*
 * Half the width of the middle half, in per cent: the sign has two bytes, and one column. Marks are
 * a wide spread and losses.
 */
static void
print_value(const struct series *s, enum metric metric)
{
	struct summary sum = summarize(s, metric);
	double percent = 100 * summary_spread(&sum) / 2;
	int digits = metric_infos[metric].digits;
	char text[64];

	/* Four digits are more than is sure, and all that fits. */
	snprintf(text, sizeof(text), "%.*f", sum.median < 1000 ? digits : 0, sum.median);
	if (sum.n < s->n)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %u of %u", sum.n,
			s->n);
	else if (sum.n > 1 && sum.median != 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " \302\261%.0f%%%c",
			RTE_MIN(percent, 999.0), summary_is_wide(&sum) ? '!' : ' ');
	else
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " ");
	snprintf(text + strlen(text), sizeof(text) - strlen(text), is_lossy(s) ? "L" : " ");
	printf("%*s", CELL_WIDTH + (strchr(text, '\302') != NULL), text);
}

static void
print_nothing(const struct series *s, struct notes *notes)
{
	const char *why = s->why != NULL ? s->why : "nothing arrived";
	unsigned int number = note_number(notes, why);
	char text[32];

	snprintf(text, sizeof(text), "- [%u]  ", number);
	printf("%*s", CELL_WIDTH, text);
}

static void
print_values(const struct results *results, const struct measured *m, enum metric metric,
		struct notes *notes)
{
	unsigned int i;

	for (i = 0; i < nb_paths; i++) {
		const struct series *s = find_series(m, paths[i].name);

		if (!has_column(results, &paths[i]))
			continue;
		if (s == NULL)
			printf("%*s", CELL_WIDTH, "");
		else if (summarize(s, metric).n > 0)
			print_value(s, metric);
		else if (summarize(s, m->bench_case->test->primary).n > 0)
			printf("%*s", CELL_WIDTH, "-  ");
		else
			print_nothing(s, notes);
	}
	printf("\n");
}

static int
print_ratio(char *text, size_t size, double times)
{
	/* What a load adds may be less than nothing: of that, there are no multiples. */
	if (!isfinite(times) || times <= 0)
		return snprintf(text, size, " -");
	return snprintf(text, size, times < 0.1 ? " %.3fx" : times < 10 ? " %.2fx" : " %.0fx",
		times);
}

static void
print_ratios(const struct results *results, const struct measured *m, enum metric metric)
{
	const struct series *tap = find_yardstick(m), *kernel = find_kernel(m);
	char text[64];
	unsigned int i;
	int len;

	for (i = 0; i < nb_paths; i++) {
		const struct series *s = find_series(m, paths[i].name);

		if (!has_column(results, &paths[i]))
			continue;
		len = 0;
		if (s != NULL && summarize(s, metric).n > 0) {
			if (tap != NULL)
				len += print_ratio(text, sizeof(text),
					times_better(metric, s, tap));
			if (kernel != NULL)
				len += print_ratio(text + len, sizeof(text) - len,
					times_better(metric, s, kernel));
		}
		snprintf(text + len, sizeof(text) - len, "  ");
		printf("%*s", CELL_WIDTH, text);
	}
	printf("\n");
}

static bool
is_ratio(enum metric metric, const struct series *s, const struct series *to)
{
	double times = times_better(metric, s, to);

	return s != to && isfinite(times) && times > 0;
}

/* Does any path have a ratio, but to itself? What is 0 for some has none. */
static bool
has_ratios(const struct measured *m, enum metric metric)
{
	const struct series *tap = find_yardstick(m), *kernel = find_kernel(m);
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		const struct series *s = &m->series[i];

		if (is_ratio(metric, s, tap) || is_ratio(metric, s, kernel))
			return true;
	}
	return false;
}

static void
print_metric(const struct results *results, const struct measured *m, enum metric metric,
		const char *label, struct notes *notes)
{
	bool tap = find_yardstick(m) != NULL, kernel = find_kernel(m) != NULL;

	printf("%-*s%*s", LABEL_WIDTH, label, UNIT_WIDTH, metric_infos[metric].unit);
	print_values(results, m, metric, notes);
	if (!has_ratios(m, metric))
		return;
	printf("%*s", LABEL_WIDTH + UNIT_WIDTH,
		!kernel ? "x tap" : !tap ? "x kernel" : "x tap, x kernel");
	print_ratios(results, m, metric);
}

/* Who decided how fast it was: the side that had no time left. */
static void
print_saturated(const struct results *results, const struct measured *m)
{
	unsigned int i;

	printf("%*s", LABEL_WIDTH + UNIT_WIDTH, "saturated");
	for (i = 0; i < nb_paths; i++) {
		const struct series *s = find_series(m, paths[i].name);
		const char *side = s != NULL ? saturated(m->bench_case, s) : NULL;

		if (has_column(results, &paths[i]))
			printf("%*s  ", CELL_WIDTH - 2, side != NULL ? side : s != NULL ? "-" : "");
	}
	printf("\n");
}

static void
print_case(const struct results *results, const struct measured *m, struct notes *notes)
{
	const struct test *test = m->bench_case->test;
	enum metric metric;
	char label[64];

	case_print_short(label, sizeof(label), m->bench_case);
	print_metric(results, m, test->primary, label, notes);
	for (metric = 0; metric < M_MAX; metric++)
		if (metric != test->primary && (test->shown & RTE_BIT64(metric)) != 0 &&
		    is_measured(m, metric))
			print_metric(results, m, metric, "", notes);
	if (!test->unhurried)
		print_saturated(results, m);
}

/*
 * What is not in the table
 */

static bool
is_asked_for(const struct path *path)
{
	unsigned int i;

	for (i = 0; i < plan_size(); i++)
		if (plan_has(plan_case(i), path))
			return true;
	return false;
}

/* The reason why none of those that are wanted runs, if it is the same for all; else NULL. */
static const struct availability *
common_reason(bool (*wanted)(const struct path *))
{
	const struct availability *first = NULL;
	unsigned int i;

	for (i = 0; i < nb_paths; i++) {
		const struct availability *a = available(&paths[i]);

		if (!wanted(&paths[i]))
			continue;
		if (a->why == NULL || (first != NULL && (strcmp(a->why, first->why) != 0 ||
		    strcmp(a->how, first->how) != 0)))
			return NULL;
		first = a;
	}
	return first;
}

void
summary_missing(FILE *out)
{
	const struct availability *common = common_reason(is_asked_for);
	unsigned int i;

	if (common != NULL) {
		fprintf(out, "%s\nto get it: %s\n", common->why, common->how);
		return;
	}
	for (i = 0; i < nb_paths; i++) {
		const struct availability *a = available(&paths[i]);

		if (!is_asked_for(&paths[i]) || (a->why == NULL && a->note == NULL))
			continue;
		if (a->why != NULL)
			fprintf(out, "%-12s not run: %s\n", paths[i].name, a->why);
		else
			fprintf(out, "%-12s %s: it runs in another way\n", paths[i].name, a->note);
		fprintf(out, "%-12s to get it: %s\n", "", a->how);
	}
}

static void
print_tests(const struct results *results)
{
	const struct test *last = NULL;
	unsigned int i;

	for (i = 0; i < results->n; i++) {
		const struct test *test = results->cases[i].bench_case->test;

		if (test != last)
			printf("%-6s %s\n", test->name, test->what);
		last = test;
	}
}

static void
print_legend(void)
{
	printf("\nMedians, and half the width of the middle half of all rounds; !: too wide to be"
		" trusted;\nL: more than 1 %% of the packets were lost, so that the figure flatters"
		" the path;\n"
		"2 of 5: measured in so many of all rounds only.\n"
		"x tap, x kernel: how many times better than " YARDSTICK ", and than the kernel alone"
		" (veth).\n"
		"ns, calls: time of the application's thread and its system calls, for each packet or"
		" poll.\n"
		"CPU ns, CPU s/GB: CPU time of all that works for the path, the kernel's threads too.\n"
		"lost o/oo: packets per thousand. saturated: the side that had no time left, and so"
		" decided.\n"
		"up, down, both: where TCP streams go, so many each way if both; off, csum, all: none,"
		" checksums,\nand TSO and LRO are left to the ports, as far as a path knows that.\n");
}

void
summary_print(const struct results *results)
{
	struct notes notes = {0};
	unsigned int i;

	if (!results->complete) {
		printf("\n");
		incomplete_print(stdout, results);
		printf("\n");
	}
	if (results->n == 0)
		return;
	printf("\n%-*s", LABEL_WIDTH + UNIT_WIDTH, "");
	for (i = 0; i < nb_paths; i++)
		if (has_column(results, &paths[i]))
			printf("%*s  ", CELL_WIDTH - 2, paths[i].name);
	printf("\n");
	for (i = 0; i < results->n; i++)
		print_case(results, &results->cases[i], &notes);
	print_legend();
	for (i = 0; i < notes.n; i++)
		printf("[%u] %s\n", i + 1, notes.why[i]);
	printf("\n");
	print_tests(results);
	printf("\n");
	summary_missing(stdout);
	fflush(stdout);
}

static bool
is_driver(const struct path *path)
{
	return path_kind(path) != KIND_LOOP;
}

static void
list_path(const struct path *path, bool tell)
{
	const struct availability *a = available(path);

	printf("  %-18s %s (%s)\n", path->name, path->what, path_kind_names[path_kind(path)]);
	if (!tell)
		return;
	if (a->why != NULL)
		printf("  %-18s does not run here: %s\n", "", a->why);
	else if (a->note != NULL)
		printf("  %-18s runs in another way: %s\n", "", a->note);
	if (a->how != NULL)
		printf("  %-18s to get it: %s\n", "", a->how);
}

void
summary_list(const struct options *options)
{
	const struct availability *common = common_reason(is_driver);
	const struct test *last = NULL;
	char words[128];
	unsigned int i;

	printf("Paths:\n");
	for (i = 0; i < nb_paths; i++)
		if (options->set == SET_BENCH || is_driver(&paths[i]))
			list_path(&paths[i], common == NULL);
	if (common != NULL)
		printf("  None runs here: %s\n  to get it: %s\n", common->why, common->how);
	printf("\nCases (*: also in the short form):\n");
	for (i = 0; i < plan_size(); i++) {
		const struct bench_case *c = plan_case(i);

		if (c->test != last)
			printf("  %-5s %s\n", c->test->name, c->test->what);
		last = c->test;
		params_print(words, sizeof(words), c);
		printf("    %c %s\n", c->brief ? '*' : ' ', words[0] != '\0' ? words : "one case");
	}
	if (plan_seconds() <= 0) {
		printf("\nNone of these can be measured here.\n");
		return;
	}
	printf("\n%u round%s of %u ms, or what a test needs: about ", options->rounds,
		options->rounds == 1 ? "" : "s", options->ms);
	print_time(stdout, plan_seconds());
	printf(".\n");
}
