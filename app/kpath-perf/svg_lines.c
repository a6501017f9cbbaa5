/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Lines over time. */

#include <math.h>
#include <string.h>

#include "svg.h"

#define LEFT 48
#define RIGHT 12
#define TOP 58
#define HEIGHT 170
#define LEGEND 36	/* below the plot, for the axis */
#define COLUMNS 3
#define ROW 17

/* Lines differ in colour first, then in dashes: a class up, and after all others the same down */
static const char * const colours[] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7" };
static const char * const dashes[] = { "none", "6 3", "2 3", "9 3 2 3", "12 5", "1 5" };

struct plot {
	struct svg_axis x, y;
	bool cut;	/* some value is beyond the axis */
};

static double
x_of(const struct plot *plot, double seconds)
{
	return LEFT + svg_axis_part(&plot->x, seconds) * (SVG_WIDTH - LEFT - RIGHT);
}

static double
y_of(const struct plot *plot, double value)
{
	return TOP + HEIGHT * (1 - svg_axis_part(&plot->y, value));
}

static void
draw_axes(FILE *out, const struct plot *plot)
{
	unsigned int i;

	for (i = 0; i * plot->y.step <= plot->y.top * (1 + 1e-9); i++) {
		double y = y_of(plot, i * plot->y.step);

		fprintf(out, "<path d=\"M%u %.1fH%u\" stroke=\"currentColor\" "
			"stroke-opacity=\"%s\"/><text x=\"%u\" y=\"%.1f\" font-size=\"10\" "
			"text-anchor=\"end\" opacity=\"0.75\">%.*f</text>\n", LEFT, y,
			SVG_WIDTH - RIGHT, i == 0 ? "0.6" : "0.15", LEFT - 6, y + 3.5,
			i == 0 ? 0 : plot->y.digits, i * plot->y.step);
	}
	for (i = 0; i * plot->x.step <= plot->x.top * (1 + 1e-9); i++)
		fprintf(out, "<text x=\"%.1f\" y=\"%u\" font-size=\"10\" text-anchor=\"middle\" "
			"opacity=\"0.75\">%.*f s</text>\n", x_of(plot, i * plot->x.step),
			TOP + HEIGHT + 15, i == 0 ? 0 : plot->x.digits, i * plot->x.step);
}

static void
draw_load(FILE *out, const struct plot *plot, const struct timeline *timeline)
{
	double start = x_of(plot, timeline->load_start), end = x_of(plot, timeline->load_end);

	if (!(end > start))
		return;
	fprintf(out, "<rect class=\"load\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%u\" "
		"fill-opacity=\"0.08\"/><text x=\"%.1f\" y=\"%u\" font-size=\"10\" "
		"text-anchor=\"middle\" opacity=\"0.75\">under load</text>\n", start, TOP,
		end - start, HEIGHT, (start + end) / 2, TOP - 4);
}

/* Where there is no value, the line is broken; a value alone is a dot. */
static void
draw_line(FILE *out, struct plot *plot, const struct timeline_line *line, unsigned int number)
{
	bool broken = true;
	unsigned int i;

	fprintf(out, "<path class=\"line\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" "
		"stroke-linecap=\"round\" stroke-linejoin=\"round\" stroke-dasharray=\"%s\" d=\"",
		colours[number % RTE_DIM(colours)],
		dashes[number / RTE_DIM(colours) % RTE_DIM(dashes)]);
	for (i = 0; i < line->n; i++) {
		double x = x_of(plot, line->seconds[i]), y = y_of(plot, line->values[i]);

		if (!isfinite(line->values[i]) || !isfinite(line->seconds[i])) {
			broken = true;
			continue;
		}
		plot->cut |= line->values[i] > plot->y.top * (1 + 1e-6);
		if (broken)
			fprintf(out, "M%.1f %.1fh0", x, y);
		else
			fprintf(out, "L%.1f %.1f", x, y);
		broken = false;
	}
	fprintf(out, "\"/>\n");
}

static void
draw_key(FILE *out, const struct timeline_line *line, unsigned int number)
{
	unsigned int x = number % COLUMNS * (SVG_WIDTH / COLUMNS);
	unsigned int y = TOP + HEIGHT + LEGEND + number / COLUMNS * ROW;

	fprintf(out, "<path d=\"M%u %uh28\" stroke=\"%s\" stroke-width=\"2.5\" "
		"stroke-dasharray=\"%s\"/><text x=\"%u\" y=\"%u\" font-size=\"11\">", x, y,
		colours[number % RTE_DIM(colours)],
		dashes[number / RTE_DIM(colours) % RTE_DIM(dashes)], x + 34, y + 4);
	xml_text_cut(out, line->name, 24);
	fprintf(out, "</text>\n");
}

static unsigned int
nb_lines(const struct timeline *timeline, const char *unit)
{
	unsigned int n = 0, i;

	for (i = 0; i < timeline->n; i++)
		n += strcmp(timeline->lines[i].unit, unit) == 0;
	return n;
}

void
svg_lines(FILE *out, const char *id, const char *path, const char *title,
		const struct timeline *timeline, const char *unit, double seconds, double top)
{
	struct plot plot = { .x = svg_axis_to(seconds), .y = svg_axis_to(top) };
	unsigned int rows = (nb_lines(timeline, unit) + COLUMNS - 1) / COLUMNS;
	unsigned int i, number = 0;

	/* The time ends where it ends, whatever number that is. */
	if (seconds > 0)
		plot.x.top = seconds;
	svg_begin(out, id, path, unit, title, TOP + HEIGHT + LEGEND + rows * ROW);
	svg_heading(out, title, unit);
	draw_load(out, &plot, timeline);
	draw_axes(out, &plot);
	for (i = 0; i < timeline->n; i++) {
		if (strcmp(timeline->lines[i].unit, unit) != 0)
			continue;
		draw_line(out, &plot, &timeline->lines[i], number);
		draw_key(out, &timeline->lines[i], number++);
	}
	if (plot.cut)
		fprintf(out, "<text class=\"cut\" x=\"%u\" y=\"%u\" font-size=\"11\" "
			"text-anchor=\"end\">peaks above %.*f are cut off</text>\n",
			SVG_WIDTH - RIGHT, 32, plot.y.digits, plot.y.top);
	svg_end(out);
}
