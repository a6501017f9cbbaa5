/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _SVG_H_
#define _SVG_H_

/*
 * Plots and drawings as SVG 1.1, part of a page of XHTML.
 *
 * Each can be taken out of the page: colours are attributes, and currentColor is that of the text
 * around, or of whoever takes it out: devtools/report-plots.py.
 */

#include <stdbool.h>
#include <stdio.h>

#include "results.h"

#define SVG_WIDTH 480
#define SVG_NUMBER_MAX 32

/* svg.c */

/** Write text where XML has text, or an attribute in double quotes. */
void xml_text(FILE *out, const char *text);
/** The same, cut after so many characters. */
void xml_text_cut(FILE *out, const char *text, unsigned int chars);
/** Write text as part of an id: letters, digits, dashes. */
void xml_id(FILE *out, const char *text);
/** Three digits and no exponent, or a dash for what is no number; returns a string. */
const char *number_print(char text[SVG_NUMBER_MAX], double value);

/** The colour of a path wherever it appears; of names that are not known, a grey. */
const char *path_colour(const struct path *path);

/** Begin a picture: id of the prefix and up to two names (NULL: none), and a title, for readers. */
void svg_begin(FILE *out, const char *prefix, const char *name, const char *more,
		const char *title, unsigned int height);
void svg_end(FILE *out);
/** Write the title of a plot, and a line below. */
void svg_heading(FILE *out, const char *title, const char *below);

struct svg_axis {
	double step, top;	/* a line at each multiple of step */
	int digits;		/* behind the point */
};

/** An axis of round numbers, four to ten steps, that ends at max or after it. */
struct svg_axis svg_axis_to(double max);
/** Where on the axis a value is, from 0 to 1; what is beyond is at its end. */
double svg_axis_part(const struct svg_axis *axis, double value);

/* svg_bars.c */

/* A row of a bar chart. */
struct svg_bar {
	const struct path *path;
	struct summary sum;	/* n == 0: the reason is written instead of a bar */
	bool lossy;		/* to be marked */
	const char *why;
};

/* Rows that are compared with each other. */
struct svg_group {
	char name[128];
	unsigned int n;
	struct svg_bar *bars;
};

/**
 * A chart of horizontal bars, the middle half of the rounds as whiskers. All groups have one axis,
 * unless they differ too much. A bar that is far longer than others is cut off, and marked.
 */
void svg_bars(FILE *out, const char *test, enum metric metric, const char *title,
		const struct svg_group *groups, unsigned int n);

/* svg_lines.c */

/**
 * The lines of a timeline that have this unit; the time under load is shaded. The axes end at or
 * after these values: a plot next to it may have the same.
 */
void svg_lines(FILE *out, const char *id, const char *path, const char *title,
		const struct timeline *timeline, const char *unit, double seconds, double top);

/* topology.c */

/** What lies between the application and the kernel's stack: with one port, and with two. */
void svg_topology(FILE *out, const struct path *path);
/** The same in words; a static string. */
const char *topology_words(const struct path *path);

#endif /* _SVG_H_ */
