/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* The page's part of a test: plots, and the same figures as tables. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

unsigned int
html_first_of(const struct results *results, const struct test *test)
{
	unsigned int i;

	for (i = 0; i < results->n && results->cases[i].bench_case->test != test; i++)
		;
	return i;
}

/*
 * Bars
 */

static struct svg_bar *
make_bars(const struct measured *m, enum metric metric)
{
	struct svg_bar *bars = calloc(RTE_MAX(m->n, 1U), sizeof(*bars));
	unsigned int i;

	if (bars == NULL)
		die("out of memory");
	for (i = 0; i < m->n; i++) {
		const struct series *s = &m->series[i];

		bars[i] = (struct svg_bar){
			.path = s->path,
			.sum = summarize(s, metric),
			.lossy = is_lossy(s),
			.why = s->why,
		};
	}
	return bars;
}

/* Is there a bar of any length? That nothing was lost needs no picture. */
static bool
has_bars(const struct results *results, const struct test *test, enum metric metric)
{
	unsigned int i, j;

	for (i = 0; i < results->n; i++) {
		const struct measured *m = &results->cases[i];

		for (j = 0; m->bench_case->test == test && j < m->n; j++)
			if (summarize(&m->series[j], metric).high > 0)
				return true;
	}
	return false;
}

/* A group for each case of the test in which the metric was measured */
static void
plot_metric(FILE *out, const struct results *results, const struct test *test, enum metric metric)
{
	struct svg_group *groups = calloc(RTE_MAX(results->n, 1U), sizeof(*groups));
	unsigned int n = 0, i;
	char title[160];

	if (groups == NULL)
		die("out of memory");
	for (i = 0; i < results->n; i++) {
		const struct measured *m = &results->cases[i];

		if (m->bench_case->test != test || !is_measured(m, metric))
			continue;
		params_print(groups[n].name, sizeof(groups[n].name), m->bench_case);
		groups[n].n = m->n;
		groups[n++].bars = make_bars(m, metric);
	}
	snprintf(title, sizeof(title), "%s: %s", test->name, test->what);
	if (n > 0) {
		fprintf(out, "<figure>\n");
		svg_bars(out, test->name, metric, title, groups, n);
		fprintf(out, "</figure>\n");
	}
	for (i = 0; i < n; i++)
		free(groups[i].bars);
	free(groups);
}

/*
 * Lines over time
 */

/* Of the round whose result is nearest to the median; NULL: none was watched. */
static const struct timeline *
typical_timeline(const struct series *s, enum metric primary)
{
	const struct result *round = typical_round(s, primary);

	return round != NULL ? round->timeline : NULL;
}

/* Where axes end that the timelines of all paths can share */
struct extent {
	double seconds, top;
};

static int
compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

/* The largest value of a line; a few that are far larger than all others do not count. */
static double
line_top(const struct timeline_line *line)
{
	float *values = malloc(RTE_MAX(line->n, 1U) * sizeof(*values));
	unsigned int n = 0, i;
	double top = 0, usual;

	if (values == NULL)
		die("out of memory");
	for (i = 0; i < line->n; i++)
		if (isfinite(line->values[i]))
			values[n++] = line->values[i];
	if (n > 0) {
		qsort(values, n, sizeof(*values), compare);
		usual = values[(n - 1) * 95 / 100];
		top = usual > 0 && values[n - 1] > 3 * usual ? 2 * usual : values[n - 1];
	}
	free(values);
	return top;
}

static void
extend(struct extent *extent, const struct timeline *timeline, const char *unit)
{
	unsigned int i, j;

	for (i = 0; i < timeline->n; i++) {
		const struct timeline_line *line = &timeline->lines[i];

		for (j = 0; j < line->n; j++)
			if (isfinite(line->seconds[j]))
				extent->seconds = RTE_MAX(extent->seconds, line->seconds[j]);
		if (strcmp(line->unit, unit) == 0)
			extent->top = RTE_MAX(extent->top, line_top(line));
	}
}

static struct extent
find_extent(const struct measured *m, const char *unit)
{
	struct extent extent = {0};
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		const struct timeline *timeline = typical_timeline(&m->series[i],
			m->bench_case->test->primary);

		if (timeline != NULL)
			extend(&extent, timeline, unit);
	}
	return extent;
}

/* The units of all lines of a case, each once; returns how many. */
static unsigned int
find_units(const struct measured *m, const char *units[TIMELINE_LINES_MAX])
{
	unsigned int n = 0, i, j, k;

	for (i = 0; i < m->n; i++) {
		const struct timeline *t = typical_timeline(&m->series[i],
			m->bench_case->test->primary);

		for (j = 0; t != NULL && j < t->n; j++) {
			for (k = 0; k < n && strcmp(units[k], t->lines[j].unit) != 0; k++)
				;
			if (k == n && n < TIMELINE_LINES_MAX)
				units[n++] = t->lines[j].unit;
		}
	}
	return n;
}

/* A plot for each path that was watched and each unit: those of a path are neighbours. */
static void
plot_timelines(FILE *out, const struct measured *m, unsigned int number)
{
	const char *units[TIMELINE_LINES_MAX];
	enum metric primary = m->bench_case->test->primary;
	unsigned int n = find_units(m, units), i, j;
	struct extent extents[TIMELINE_LINES_MAX];
	char id[64], title[128];

	if (n == 0)
		return;
	for (j = 0; j < n; j++)
		extents[j] = find_extent(m, units[j]);
	snprintf(id, sizeof(id), "time-%s-%u", m->bench_case->test->name, number);
	fprintf(out, "<h3>Over time: ");
	html_case_words(out, m->bench_case);
	fprintf(out, "</h3>\n<p>Of each path, the round whose result is nearest to the median. All "
		"paths have the same axes.</p>\n<div class=\"plots\">\n");
	for (i = 0; i < m->n; i++) {
		const struct timeline *timeline = typical_timeline(&m->series[i], primary);

		for (j = 0; timeline != NULL && j < n; j++) {
			snprintf(title, sizeof(title), "%s over time", m->series[i].path->name);
			fprintf(out, "<figure>\n");
			svg_lines(out, id, m->series[i].path->name, title, timeline, units[j],
				extents[j].seconds, extents[j].top);
			fprintf(out, "</figure>\n");
		}
	}
	fprintf(out, "</div>\n");
}

/*
 * Tables
 */

static void
write_cell(FILE *out, const struct series *s, enum metric metric)
{
	struct summary sum = summarize(s, metric);

	fprintf(out, "<td>");
	html_value(out, sum.median);
	if (metric == M_LOST && is_lossy(s))
		fprintf(out, " <mark title=\"more than 1 %%\">L</mark>");
	if (sum.low < sum.high) {
		fprintf(out, "<small>");
		html_value(out, sum.low);
		fprintf(out, "\xe2\x80\x93");
		html_value(out, sum.high);
		fprintf(out, "</small>");
	}
	if (sum.n > 0 && sum.n < s->n)
		fprintf(out, "<small>%u of %u rounds</small>", sum.n, s->n);
	fprintf(out, "</td>");
}

/* How many times better than a yardstick, where the case has it */
static void
write_times(FILE *out, const struct measured *m, const struct series *s,
		const struct series *yardstick)
{
	if (yardstick == NULL)
		return;
	fprintf(out, "<td>");
	html_value(out, times_better(m->bench_case->test->primary, s, yardstick));
	fprintf(out, "</td>");
}

static void
write_row(FILE *out, const struct measured *measured, const struct series *s,
		unsigned int nb_columns)
{
	const struct bench_case *c = measured->bench_case;
	enum metric primary = c->test->primary, m;
	struct summary sum = summarize(s, primary);
	const char *side = saturated(c, s);
	unsigned int nb = 0;

	fprintf(out, "<tr><th scope=\"row\">");
	html_swatch(out, s->path);
	fprintf(out, "</th>");
	for (m = 0; m < M_MAX; m++)
		nb += summarize(s, m).n > 0;
	if (nb == 0) {
		fprintf(out, "<td class=\"why\" colspan=\"%u\">", nb_columns);
		xml_text(out, s->why != NULL ? s->why : "nothing arrived");
		if (s->how != NULL) {
			fprintf(out, "<small>");
			xml_text(out, s->how);
			fprintf(out, "</small>");
		}
		fprintf(out, "</td></tr>\n");
		return;
	}
	for (m = 0; m < M_MAX; m++)
		if (is_measured(measured, m))
			write_cell(out, s, m);
	fprintf(out, "<td>%u</td><td>", sum.n);
	html_spread(out, &sum);
	fprintf(out, "</td>");
	write_times(out, measured, s, find_yardstick(measured));
	write_times(out, measured, s, find_kernel(measured));
	fprintf(out, "<td>%s</td></tr>\n", side != NULL ? side : "\xe2\x80\x93");
}

static void
write_table(FILE *out, const struct measured *measured)
{
	bool tap = find_yardstick(measured) != NULL;
	bool kernel = find_kernel(measured) != NULL;
	unsigned int nb_columns = 3 + tap + kernel, i;
	enum metric m;

	fprintf(out, "<div class=\"scroll\"><table class=\"figures\"><caption>");
	html_case_words(out, measured->bench_case);
	fprintf(out, "</caption>\n<thead><tr><th scope=\"col\">Path</th>");
	for (m = 0; m < M_MAX; m++) {
		if (!is_measured(measured, m))
			continue;
		nb_columns++;
		fprintf(out, "<th scope=\"col\" data-metric=\"%s\">", metric_infos[m].name);
		xml_text(out, metric_infos[m].unit);
		fprintf(out, "</th>");
	}
	fprintf(out, "<th scope=\"col\">rounds</th><th scope=\"col\">spread</th>%s%s"
		"<th scope=\"col\">saturated</th></tr></thead><tbody>\n",
		tap ? "<th scope=\"col\">\xc3\x97 " YARDSTICK "</th>" : "",
		kernel ? "<th scope=\"col\">\xc3\x97 kernel</th>" : "");
	for (i = 0; i < measured->n; i++)
		write_row(out, measured, &measured->series[i], nb_columns);
	fprintf(out, "</tbody></table></div>\n");
}

void
html_test(FILE *out, const struct results *results, const struct test *test)
{
	enum metric m;
	unsigned int number = 0, i;

	fprintf(out, "<h2 id=\"test-");
	xml_id(out, test->name);
	fprintf(out, "\">");
	xml_text(out, test->name);
	fprintf(out, ": ");
	xml_text(out, test->what);
	fprintf(out, "</h2>\n<div class=\"plots\">\n");
	plot_metric(out, results, test, test->primary);
	for (m = 0; m < M_MAX; m++)
		if (m != test->primary && (test->shown >> m & 1) != 0 &&
		    has_bars(results, test, m))
			plot_metric(out, results, test, m);
	fprintf(out, "</div>\n");
	for (i = html_first_of(results, test); i < results->n; i++)
		if (results->cases[i].bench_case->test == test)
			plot_timelines(out, &results->cases[i], ++number);
	fprintf(out, "<h3>Figures</h3>\n<p>Medians, and the middle half of the rounds below. Spread and "
		"ratios are of %s.</p>\n", metric_infos[test->primary].unit);
	for (i = html_first_of(results, test); i < results->n; i++)
		if (results->cases[i].bench_case->test == test)
			write_table(out, &results->cases[i]);
}
