/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Bars of medians. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "svg.h"

/* Names on the left, numbers on the right, and what a row, a name of a group, an axis need */
#define BARS_LEFT 112
#define BARS_RIGHT 76
#define BARS_TOP 46
#define BAR_ROW 17
#define BAR_HEIGHT 11
#define GROUP_HEAD 22
#define GROUP_AXIS 24
/* A reason, or a name, that does not fit is cut. */
#define WHY_CHARS 58
#define NAME_CHARS 16
/* A bar so many times as long as three quarters of them is cut off. */
#define FAR_LARGER 3
/* Groups whose largest values differ more than that have axes of their own. */
#define GROUPS_DIFFER 5

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The longest bar that is drawn whole; values are sorted here. */
static double
longest(double *values, unsigned int n)
{
	double usual;

	if (n == 0)
		return 1;
	qsort(values, n, sizeof(*values), compare);
	usual = values[(n - 1) * 3 / 4];
	if (usual > 0 && values[n - 1] > FAR_LARGER * usual)
		return FAR_LARGER * usual * 2 / 3;
	return values[n - 1];
}

static double
group_longest(const struct svg_group *groups, unsigned int n)
{
	unsigned int total = 0, found = 0, i, j;
	double *values, max;

	for (i = 0; i < n; i++)
		total += groups[i].n;
	values = calloc(RTE_MAX(total, 1U), sizeof(*values));
	if (values == NULL)
		die("out of memory");
	for (i = 0; i < n; i++)
		for (j = 0; j < groups[i].n; j++)
			if (isfinite(groups[i].bars[j].sum.median))
				values[found++] = groups[i].bars[j].sum.median;
	max = longest(values, found);
	free(values);
	return max;
}

/* Can all groups be read on the axis of the largest? */
static bool
one_axis(const struct svg_group *groups, unsigned int n)
{
	double least = INFINITY, most = 0, value;
	unsigned int i;

	for (i = 0; i < n; i++) {
		value = group_longest(&groups[i], 1);
		least = RTE_MIN(least, value);
		most = RTE_MAX(most, value);
	}
	return most <= GROUPS_DIFFER * least;
}

/*
 * Bars
 */

static double
bar_x(const struct svg_axis *axis, double value)
{
	return BARS_LEFT + svg_axis_part(axis, value) * (SVG_WIDTH - BARS_LEFT - BARS_RIGHT);
}

static void
draw_bar_axis(FILE *out, const struct svg_axis *axis, unsigned int top, unsigned int bottom)
{
	unsigned int i;

	for (i = 0; i * axis->step <= axis->top * (1 + 1e-9); i++) {
		double x = bar_x(axis, i * axis->step);

		fprintf(out, "<path d=\"M%.1f %uV%u\" stroke=\"currentColor\" stroke-opacity=\"%s\"/>"
			"<text x=\"%.1f\" y=\"%u\" font-size=\"10\" text-anchor=\"middle\" "
			"opacity=\"0.75\">%.*f</text>\n", x, top, bottom, i == 0 ? "0.6" : "0.15",
			x, bottom + 11, i == 0 ? 0 : axis->digits, i * axis->step);
	}
}

/* Two slanted lines across the bar: it goes on. */
static void
draw_cut(FILE *out, double x, unsigned int y)
{
	fprintf(out, "<g class=\"cut\" stroke=\"currentColor\" stroke-width=\"1.5\">"
		"<path d=\"M%.1f %ul6 -%u\"/><path d=\"M%.1f %ul6 -%u\"/></g>\n",
		x - 16, y + BAR_HEIGHT + 2, BAR_HEIGHT + 4, x - 11, y + BAR_HEIGHT + 2,
		BAR_HEIGHT + 4);
}

/* With an end at either side, or with an arrow where it goes on */
static void
draw_whisker(FILE *out, const struct svg_axis *axis, const struct summary *sum, unsigned int y)
{
	double low = bar_x(axis, sum->low), high = bar_x(axis, sum->high);
	double middle = y + BAR_HEIGHT / 2.0;

	fprintf(out, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1f%s\" "
		"fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.2\"/>\n",
		low, middle, high, low, middle - 3, sum->high > axis->top ? high - 4 : high,
		middle - 3, sum->high > axis->top ? "l4 3l-4 3" : "v6");
}

static void
draw_bar(FILE *out, const struct svg_axis *axis, const struct svg_bar *bar, unsigned int y)
{
	char text[SVG_NUMBER_MAX];
	double end = bar_x(axis, bar->sum.median);

	fprintf(out, "<text x=\"%u\" y=\"%u\" text-anchor=\"end\">", BARS_LEFT - 8, y + 10);
	xml_text_cut(out, bar->path->name, NAME_CHARS);
	fprintf(out, "</text>");
	if (bar->sum.n == 0) {
		fprintf(out, "<text x=\"%u\" y=\"%u\" font-size=\"11\" font-style=\"italic\" "
			"opacity=\"0.75\">", BARS_LEFT + 5, y + 10);
		xml_text_cut(out, bar->why != NULL ? bar->why : "not measured", WHY_CHARS);
		fprintf(out, "</text>\n");
		return;
	}
	fprintf(out, "<rect x=\"%u\" y=\"%u\" width=\"%.1f\" height=\"%u\" fill=\"%s\"/>\n",
		BARS_LEFT, y, end - BARS_LEFT, BAR_HEIGHT, path_colour(bar->path));
	if (bar->sum.median > axis->top)
		draw_cut(out, end, y);
	else if (bar->sum.low < bar->sum.high)
		draw_whisker(out, axis, &bar->sum, y);
	fprintf(out, "<text x=\"%u\" y=\"%u\" text-anchor=\"end\">%s</text>", SVG_WIDTH - 16,
		y + 10, number_print(text, bar->sum.median));
	if (summary_is_wide(&bar->sum))
		fprintf(out, "<text class=\"wide\" x=\"%u\" y=\"%u\" font-weight=\"700\">!</text>\n",
			SVG_WIDTH - 14, y + 10);
	if (bar->lossy)
		fprintf(out, "<text class=\"lossy\" x=\"%u\" y=\"%u\" font-weight=\"700\">L</text>\n",
			SVG_WIDTH - 8, y + 10);
}

static unsigned int
group_head(const struct svg_group *group)
{
	return group->name[0] != '\0' ? GROUP_HEAD : 0;
}

static unsigned int
bars_height(const struct svg_group *groups, unsigned int n)
{
	unsigned int height = BARS_TOP, i;

	for (i = 0; i < n; i++)
		height += group_head(&groups[i]) + groups[i].n * BAR_ROW + GROUP_AXIS;
	return height;
}

void
svg_bars(FILE *out, const char *test, enum metric metric, const char *title,
		const struct svg_group *groups, unsigned int n)
{
	const struct metric_info *info = &metric_infos[metric];
	bool shared = one_axis(groups, n);
	unsigned int y = BARS_TOP, i, j;
	char below[192];

	svg_begin(out, "plot", test, info->name, title, bars_height(groups, n));
	snprintf(below, sizeof(below), "%s, %s is better%s%s%s", info->unit,
		info->less ? "less" : "more", shared ? "" : "; axes differ",
		info->what != NULL ? ". " : "", info->what != NULL ? info->what : "");
	svg_heading(out, title, below);
	for (i = 0; i < n; i++) {
		struct svg_axis axis = svg_axis_to(shared ? group_longest(groups, n) :
			group_longest(&groups[i], 1));

		fprintf(out, "<text x=\"0\" y=\"%u\" font-weight=\"600\">", y + 12);
		xml_text(out, groups[i].name);
		fprintf(out, "</text>\n");
		y += group_head(&groups[i]);
		draw_bar_axis(out, &axis, y - 3, y + groups[i].n * BAR_ROW - 1);
		for (j = 0; j < groups[i].n; j++)
			draw_bar(out, &axis, &groups[i].bars[j], y + j * BAR_ROW);
		y += groups[i].n * BAR_ROW + GROUP_AXIS;
	}
	svg_end(out);
}
