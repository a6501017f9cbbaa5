/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* What all plots and drawings are made of: text, colours, axes. */

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "svg.h"

#define DIGITS_MAX 6	/* behind the point */

/*
 * Text
 */

/* Bytes of the UTF-8 sequence (RFC 3629) that begins here, 0: none does. */
static unsigned int
utf8_len(const unsigned char *text)
{
	unsigned int len = text[0] < 0x80 ? 1 : text[0] >= 0xc2 && text[0] < 0xe0 ? 2 :
		text[0] >= 0xe0 && text[0] < 0xf0 ? 3 : text[0] >= 0xf0 && text[0] < 0xf5 ? 4 : 0;
	unsigned int i;

	for (i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Not the shortest form, surrogates, beyond U+10FFFF, and U+FFFE and U+FFFF */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] >= 0xa0) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] >= 0x90) ||
	    (text[0] == 0xef && text[1] == 0xbf && text[2] >= 0xbe))
		return 0;
	return len;
}

void
xml_text_cut(FILE *out, const char *text, unsigned int chars)
{
	const unsigned char *at = (const unsigned char *)text;
	unsigned int len;

	for (; *at != '\0'; at += RTE_MAX(len, 1U), chars--) {
		if (chars == 0) {
			fputs("\xe2\x80\xa6", out);	/* an ellipsis */
			return;
		}
		len = utf8_len(at);
		switch (*at) {
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '&': fputs("&amp;", out); break;
		case '"': fputs("&quot;", out); break;
		default:
			if (len == 0)
				fputc('?', out);
			else if (*at < ' ' || *at == 0x7f)
				fputc(' ', out);
			else
				fwrite(at, 1, len, out);
		}
	}
}

void
xml_text(FILE *out, const char *text)
{
	xml_text_cut(out, text, UINT32_MAX);
}

void
xml_id(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		fputc(isalnum((unsigned char)*text) ? *text : '-', out);
}

const char *
number_print(char text[SVG_NUMBER_MAX], double value)
{
	int digits = 2;

	if (!isfinite(value))
		return "\xe2\x80\x93";
	if (value == 0)
		return "0";
	digits -= (int)floor(log10(fabs(value)));
	digits = digits < 0 ? 0 : digits > DIGITS_MAX ? DIGITS_MAX : digits;
	snprintf(text, SVG_NUMBER_MAX, "%.*f", digits, value);
	return text;
}

/*
 * Colours: those of Okabe and Ito, which nearly everybody can tell apart, and shades of them for
 * modes of one driver. Each is seen on white as well as on black.
 */

static const char grey[] = "#808890";

const char *
path_colour(const struct path *path)
{
	static const char * const colours[][2] = {
		/* what names begin with; the first that fits counts */
		{ "rtap-rw", "#f0a060" }, { "rtap-napi", "#a34a00" },
		{ "rtap-sqpoll-queue", "#b84a4a" }, { "rtap-sqpoll-sndbuf", "#f2b0a0" },
		{ "rtap-sqpoll", "#e87f7f" },
		{ "rtap", "#d55e00" },
		{ "net_tap", "#0072b2" }, { "tap", "#0072b2" },
		{ "virtio", "#009e73" }, { "vhost", "#009e73" },
		{ "af_packet", "#cc79a7" }, { "af_xdp", "#d9a400" }, { "pcap", "#56b4e9" },
		{ "loop", "#9a7fc4" },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(colours); i++)
		if (strncmp(path->name, colours[i][0], strlen(colours[i][0])) == 0)
			return colours[i][1];
	return grey;
}

void
svg_begin(FILE *out, const char *prefix, const char *name, const char *more, const char *title,
		unsigned int height)
{
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"%s", prefix);
	if (name != NULL) {
		fputc('-', out);
		xml_id(out, name);
	}
	if (more != NULL) {
		fputc('-', out);
		xml_id(out, more);
	}
	fprintf(out, "\" viewBox=\"0 0 %u %u\" role=\"img\" font-family=\"system-ui, sans-serif\" "
		"font-size=\"12\" fill=\"currentColor\">\n<title>", SVG_WIDTH, height);
	xml_text(out, title);
	fprintf(out, "</title>\n");
}

void
svg_end(FILE *out)
{
	fprintf(out, "</svg>\n");
}

void
svg_heading(FILE *out, const char *title, const char *below)
{
	fprintf(out, "<text x=\"0\" y=\"15\" font-size=\"14\" font-weight=\"600\">");
	xml_text_cut(out, title, 58);
	fprintf(out, "</text>\n<text x=\"0\" y=\"32\" opacity=\"0.75\">");
	xml_text_cut(out, below, 80);
	fprintf(out, "</text>\n");
}

struct svg_axis
svg_axis_to(double max)
{
	struct svg_axis axis;
	double power;

	if (!isfinite(max) || max <= 0)
		max = 1;
	power = pow(10, floor(log10(max / 4)));
	axis.step = power * (max / 4 >= 5 * power ? 5 : max / 4 >= 2 * power ? 2 : 1);
	axis.top = axis.step * ceil(max / axis.step - 1e-9);
	axis.digits = RTE_MAX(0, -(int)floor(log10(axis.step) + 1e-9));
	return axis;
}

double
svg_axis_part(const struct svg_axis *axis, double value)
{
	double part = value / axis->top;

	return part < 0 ? 0 : part > 1 ? 1 : part;
}
