/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Latency under load as data files for flent, as if its test "rrul" had run: its format 4, which is
 * JSON. A file for each path, so that "flent --gui FILE..." shows them side by side.
 */

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "results.h"

#define FORMAT_VERSION 4
/* The program whose files of that format are known to be like this */
#define FLENT_VERSION "2.1.1"
#define SUFFIX ".flent"

/* What flent computes of other series. */
static const struct {
	const char *name, *of;	/* the latter: how the names of those begin */
	bool mean;		/* else the sum */
} computed[] = {
	{ "TCP upload avg", "TCP upload ", true },
	{ "TCP upload sum", "TCP upload ", false },
	{ "TCP download avg", "TCP download ", true },
	{ "TCP download sum", "TCP download ", false },
	{ "TCP totals", "TCP ", false },
	{ "Ping (ms) avg", "Ping (ms) ", true },
};

static double
compute(const struct timeline *t, unsigned int column, unsigned int step)
{
	double sum = 0;
	unsigned int n = 0, i;

	for (i = 0; i < t->n; i++) {
		const struct timeline_line *line = &t->lines[i];

		if (strncmp(line->name, computed[column].of, strlen(computed[column].of)) != 0 ||
		    isnan(line->values[step]))
			continue;
		sum += line->values[step];
		n++;
	}
	if (n == 0)
		return NAN;
	return computed[column].mean ? sum / n : sum;
}

static void
write_value(FILE *out, const char *separator, double value)
{
	if (isnan(value))
		fprintf(out, "%snull", separator);
	else
		fprintf(out, "%s%.6g", separator, value);
}

static void
write_results(FILE *out, const struct timeline *t)
{
	unsigned int steps = t->lines[0].n, i, s;

	fprintf(out, "\"results\":{");
	for (i = 0; i < t->n + RTE_DIM(computed); i++) {
		bool own = i < t->n;

		fprintf(out, "%s\n\"%s\":[", i == 0 ? "" : ",",
			own ? t->lines[i].name : computed[i - t->n].name);
		for (s = 0; s < steps; s++)
			write_value(out, s == 0 ? "" : ",",
				own ? t->lines[i].values[s] : compute(t, i - t->n, s));
		fprintf(out, "]");
	}
	fprintf(out, "},\n");
}

/* What there was before flent brings all series to the same times; here that is the same. */
static void
write_raw_values(FILE *out, const struct timeline *t)
{
	unsigned int i, s;

	fprintf(out, "\"raw_values\":{");
	for (i = 0; i < t->n; i++) {
		const struct timeline_line *line = &t->lines[i];
		const char *separator = "";

		fprintf(out, "%s\n\"%s\":[", i == 0 ? "" : ",", line->name);
		for (s = 0; s < line->n; s++) {
			if (isnan(line->values[s]))
				continue;
			fprintf(out, "%s{\"t\":%.6f,\"val\":%.6g}", separator,
				t->start + line->seconds[s], line->values[s]);
			separator = ",";
		}
		fprintf(out, "]");
	}
	fprintf(out, "}");
}

/* A time as flent reads it */
static void
write_time(FILE *out, const char *name, double seconds)
{
	time_t whole = seconds;
	struct tm tm;
	char text[32];

	gmtime_r(&whole, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(out, "\"%s\":\"%s.%06uZ\",", name, text,
		(unsigned int)(1e6 * (seconds - (double)whole)));
}

static void
write_metadata(FILE *out, const struct path *path, const struct timeline *t)
{
	const struct timeline_line *line = &t->lines[0];
	double length = line->seconds[line->n - 1];
	char note[256];
	unsigned int i;

	snprintf(note, sizeof(note), "%s; queue of the interface: %s", path->what, t->queue);
	fprintf(out, "\"metadata\":{\"NAME\":\"rrul\",\"TITLE\":\"kpath-perf %s\",\"NOTE\":",
		path->name);
	json_string(out, note);
	fprintf(out, ",");
	write_time(out, "TIME", t->start);
	write_time(out, "T0", t->start);
	fprintf(out, "\"LENGTH\":%.3f,\"TOTAL_LENGTH\":%.3f,\"STEP_SIZE\":%.4f,",
		t->load_end - t->load_start, length, length / line->n);
	fprintf(out, "\"HOST\":\"far\",\"HOSTS\":[\"far\"],\"LOCAL_HOST\":\"home\",");
	fprintf(out, "\"IP_VERSION\":4,\"FLENT_VERSION\":\"" FLENT_VERSION "\",");
	fprintf(out, "\"TEST_PARAMETERS\":{},\"SERIES_META\":{");
	for (i = 0; i < t->n; i++)
		fprintf(out, "%s\"%s\":{\"UNITS\":\"%s\"}", i == 0 ? "" : ",", t->lines[i].name,
			strcmp(t->lines[i].unit, "Mb/s") == 0 ? "Mbits/s" : t->lines[i].unit);
	fprintf(out, "}},\n");
}

static void
write_file(const char *name, const struct path *path, const struct timeline *t)
{
	struct output output;
	unsigned int s;
	FILE *out;

	output_open(&output, name);
	out = output.file;
	fprintf(out, "{\"version\":%u,\n", FORMAT_VERSION);
	write_metadata(out, path, t);
	fprintf(out, "\"x_values\":[");
	for (s = 0; s < t->lines[0].n; s++)
		fprintf(out, "%s%.4f", s == 0 ? "" : ",", t->lines[0].seconds[s]);
	fprintf(out, "],\n");
	write_results(out, t);
	write_raw_values(out, t);
	fprintf(out, "}\n");
	output_close(&output);
}

/* The name that was asked for, with the path in it, and which of several cases it is. */
static void
file_name(char *name, size_t size, const char *asked, const char *path, unsigned int nth)
{
	size_t len = strlen(asked);
	char number[16] = "";

	if (len > strlen(SUFFIX) && strcmp(asked + len - strlen(SUFFIX), SUFFIX) == 0)
		len -= strlen(SUFFIX);
	if (nth > 1)
		snprintf(number, sizeof(number), "-%u", nth);
	if ((size_t)snprintf(name, size, "%.*s-%s%s" SUFFIX, (int)len, asked, path, number) >= size)
		die("%s: the name is too long", asked);
}

unsigned int
flent_write(const struct results *results, const char *file)
{
	unsigned int files = 0, nth = 0, i, j;
	char name[PATH_MAX];

	for (i = 0; i < results->n; i++) {
		const struct measured *m = &results->cases[i];

		if (m->bench_case->test != &test_rrul)
			continue;
		nth++;
		for (j = 0; j < m->n; j++) {
			const struct result *r = typical_round(&m->series[j],
				m->bench_case->test->primary);

			if (r == NULL || r->timeline == NULL || r->timeline->lines[0].n == 0)
				continue;
			file_name(name, sizeof(name), file, m->series[j].path->name, nth);
			write_file(name, m->series[j].path, r->timeline);
			files++;
		}
	}
	return files;
}
