/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Drawings of what lies between the application and the kernel's stack. */

#include <string.h>

#include "svg.h"

/* Columns of boxes: that of a test of one port, and two of a test between two ports */
#define ONE 60
#define HOME 206
#define FAR 346
#define BOX_WIDTH 124
#define BOX_HEIGHT 34
#define ROW 54
#define TOP 24

static bool
is_vhost(const struct path *path)
{
	return path->driver != NULL && strstr(path->driver, "virtio") != NULL;
}

const char *
topology_words(const struct path *path)
{
	switch (path_kind(path)) {
	case KIND_KERNEL:
		return "The kernel alone: a veth pair, and no application between. Where packets go one "
			"way, a bare program has a packet socket at one end.";
	case KIND_REDIRECTION:
		return "Redirection: the application opens one end of a veth pair; the other end "
			"belongs to the kernel's stack.";
	default:
		return is_vhost(path) ?
			"Injection: the interface is the application's own; a thread of the kernel "
			"(vhost-net) moves packets between it and the application's rings." :
			"Injection: the interface is the application's own, a TAP.";
	}
}

static unsigned int
row_y(unsigned int row)
{
	return TOP + row * ROW;
}

/* A box with two lines of text, in the row of the user (0) or of the kernel (1 and more) */
static void
draw_box(FILE *out, unsigned int x, unsigned int width, unsigned int row, const char *colour,
		const char *name, const char *below)
{
	unsigned int y = row_y(row);

	fprintf(out, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"4\" fill=\"%s\" "
		"fill-opacity=\"%s\" stroke=\"%s\" stroke-width=\"1.5\"/>\n<text x=\"%u\" y=\"%u\" "
		"text-anchor=\"middle\" font-weight=\"600\">", x, y, width, BOX_HEIGHT,
		colour != NULL ? colour : "none", colour != NULL ? "0.18" : "0",
		colour != NULL ? colour : "currentColor", x + width / 2, y + 15);
	xml_text_cut(out, name, width / 7);
	fprintf(out, "</text><text x=\"%u\" y=\"%u\" text-anchor=\"middle\" font-size=\"10\" "
		"opacity=\"0.8\">", x + width / 2, y + 28);
	xml_text_cut(out, below, width / 5);
	fprintf(out, "</text>\n");
}

/* Two lines: a veth pair. */
static void
draw_wire(FILE *out, unsigned int x, unsigned int row, bool pair)
{
	unsigned int y = row_y(row) + BOX_HEIGHT, offset = pair ? 3 : 0;

	fprintf(out, "<path d=\"M%u %uv%u\" stroke=\"currentColor\" stroke-width=\"1.5\"/>\n",
		x - offset, y, ROW - BOX_HEIGHT);
	if (pair)
		fprintf(out, "<path d=\"M%u %uv%u\" stroke=\"currentColor\" "
			"stroke-width=\"1.5\"/>\n", x + offset, y, ROW - BOX_HEIGHT);
}

static void
draw_caption(FILE *out, unsigned int x, const char *text)
{
	fprintf(out, "<text x=\"%u\" y=\"12\" text-anchor=\"middle\" font-size=\"11\" "
		"opacity=\"0.75\">%s</text>\n", x, text);
}

static void
draw_boundary(FILE *out)
{
	unsigned int y = row_y(1) - (ROW - BOX_HEIGHT) / 2;

	fprintf(out, "<path d=\"M0 %uH%u\" stroke=\"currentColor\" stroke-opacity=\"0.5\" "
		"stroke-dasharray=\"5 4\"/>\n<text x=\"0\" y=\"%u\" font-size=\"11\" "
		"opacity=\"0.75\">program</text><text x=\"0\" y=\"%u\" font-size=\"11\" "
		"opacity=\"0.75\">kernel</text>\n", y, SVG_WIDTH, y - 5, y + 14);
}

/* What lies below the application: its interface, and the stack of a namespace */
static void
draw_column(FILE *out, const struct path *path, unsigned int x, const char *stack)
{
	const char *colour = path_colour(path);
	unsigned int row = 1, middle = x + BOX_WIDTH / 2;

	draw_wire(out, middle, 0, false);
	if (path_kind(path) == KIND_REDIRECTION) {
		draw_box(out, x, BOX_WIDTH, row, colour, "veth end", "opened by the driver");
		draw_wire(out, middle, row++, true);
		draw_box(out, x, BOX_WIDTH, row, NULL, "veth end", "an interface");
	} else {
		draw_box(out, x, BOX_WIDTH, row, colour, is_vhost(path) ? "TAP + vhost-net" : "TAP",
			is_vhost(path) ? "rings shared with it" :
			"an interface and a file");
	}
	draw_wire(out, middle, row++, false);
	draw_box(out, x, BOX_WIDTH, row, NULL, "kernel's stack", stack);
}

static void
draw_kernel_alone(FILE *out, const struct path *path)
{
	unsigned int y = row_y(1) + BOX_HEIGHT / 2;

	fprintf(out, "<text x=\"%u\" y=\"%u\" text-anchor=\"middle\" opacity=\"0.8\">"
		"no application between</text>\n", (HOME + FAR + BOX_WIDTH) / 2,
		row_y(0) + BOX_HEIGHT / 2);
	draw_box(out, HOME, BOX_WIDTH, 1, path_colour(path), "veth end", "an interface");
	draw_box(out, FAR, BOX_WIDTH, 1, path_colour(path), "veth end", "an interface");
	fprintf(out, "<path d=\"M%u %uH%uM%u %uH%u\" stroke=\"currentColor\" "
		"stroke-width=\"1.5\"/>\n", HOME + BOX_WIDTH, y - 3, FAR, HOME + BOX_WIDTH, y + 3,
		FAR);
	draw_wire(out, HOME + BOX_WIDTH / 2, 1, false);
	draw_wire(out, FAR + BOX_WIDTH / 2, 1, false);
	draw_box(out, HOME, BOX_WIDTH, 2, NULL, "kernel's stack", "one namespace");
	draw_box(out, FAR, BOX_WIDTH, 2, NULL, "kernel's stack", "another namespace");
}

void
svg_topology(FILE *out, const struct path *path)
{
	enum path_kind kind = path_kind(path);
	const char *driver = path->driver != NULL ? path->driver : "bare loop";
	unsigned int pair_width = FAR + BOX_WIDTH - HOME;
	char title[128];

	snprintf(title, sizeof(title), "Topology of %s", path->name);
	svg_begin(out, "topology", path->name, NULL, title,
		row_y(kind == KIND_REDIRECTION ? 3 : 2) + BOX_HEIGHT + 4);
	draw_boundary(out);
	draw_caption(out, HOME + pair_width / 2, "between two ports");
	if (kind == KIND_KERNEL) {
		draw_kernel_alone(out, path);
	} else {
		draw_caption(out, ONE + BOX_WIDTH / 2, "one port");
		draw_box(out, ONE, BOX_WIDTH, 0, path_colour(path), driver, "sender or receiver");
		draw_column(out, path, ONE, "one namespace");
		draw_box(out, HOME, pair_width, 0, path_colour(path), driver,
			"forwards from one port to the other");
		draw_column(out, path, HOME, "one namespace");
		draw_column(out, path, FAR, "another namespace");
	}
	svg_end(out);
}
