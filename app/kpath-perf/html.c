/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Results for people: one page that needs nothing else. It is XHTML, and so are its plots. */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "html.h"
#include "output.h"

static const char style[] =
	":root{color-scheme:light dark;--text:#1c2126;--back:#fff;--soft:#f3f5f7;--line:#d5dae0;"
	"--mark:#8a4b00}\n"
	"@media screen and (prefers-color-scheme:dark){:root{--text:#e3e7eb;--back:#14171a;"
	"--soft:#1e2328;--line:#3a424a;--mark:#ffb65c}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;padding:1.5rem clamp(.9rem,3vw,2.5rem) 4rem;max-width:76rem;"
	"color:var(--text);background:var(--back);font:1rem/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.9rem;line-height:1.2;margin:.4em 0 .3em;text-wrap:balance}\n"
	"h2{font-size:1.35rem;line-height:1.3;margin:2.6em 0 .5em;padding-top:.6em;"
	"border-top:1px solid var(--line)}\n"
	"h3{font-size:1.05rem;margin:1.8em 0 .4em}\n"
	"p,li,dd{max-width:44rem}\n"
	"a{color:inherit}\n"
	"nav{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem}\n"
	"dt{opacity:.75}dd{margin:0;min-width:0;overflow-wrap:anywhere}\n"
	".scroll{overflow-x:auto;margin:.8rem 0}\n"
	"table{border-collapse:separate;border-spacing:0;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
	"caption{text-align:left;font-weight:600;padding:.3rem 0}\n"
	"th,td{padding:.3rem .7rem;text-align:right;vertical-align:top;white-space:nowrap;"
	"border-bottom:1px solid var(--line)}\n"
	"thead th{background:var(--soft);vertical-align:bottom}\n"
	"th:first-child{text-align:left;position:sticky;left:0;background:var(--back)}\n"
	"thead th:first-child{background:var(--soft)}\n"
	"td.why{text-align:left;font-style:italic;white-space:normal;min-width:16rem}\n"
	"td small,th small{display:block;font-weight:400;opacity:.8}\n"
	".short th:first-child{white-space:normal;min-width:8.5rem;max-width:15rem}\n"
	".best{background:var(--soft);font-weight:600}\n"
	"mark{color:var(--mark);background:none;font-weight:700}\n"
	".swatch{display:inline-block;width:.75em;height:.75em;border-radius:2px;"
	"margin-right:.45em}\n"
	".plots{display:grid;gap:1.6rem 2.5rem;"
	"grid-template-columns:repeat(auto-fill,minmax(min(100%,27rem),1fr))}\n"
	"figure{margin:0;overflow-x:auto}figcaption{font-size:.875rem;max-width:35rem}\n"
	"svg{display:block;width:100%;min-width:22rem;max-width:36rem;height:auto}\n"
	"pre{background:var(--soft);padding:.8rem 1rem;white-space:pre-wrap;"
	"overflow-wrap:anywhere}\n"
	"@media print{body{max-width:none;padding:0;font-size:10pt}nav{display:none}"
	"figure,tr{break-inside:avoid}h2,h3{break-after:avoid}.scroll,figure{overflow:visible}"
	".plots{grid-template-columns:1fr 1fr;gap:1rem}"
	"svg{min-width:0}th:first-child{position:static}table{font-size:8pt}"
	"th,td{padding:.15rem .35rem}"
	".swatch,.best,thead th{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

/*
 * What all parts share
 */

void
html_swatch(FILE *out, const struct path *path)
{
	fprintf(out, "<span class=\"swatch\" style=\"background:%s\"></span>", path_colour(path));
	xml_text(out, path->name);
}

void
html_value(FILE *out, double value)
{
	char text[SVG_NUMBER_MAX];

	if (isfinite(value))
		fprintf(out, "<data value=\"%.5g\">%s</data>", value, number_print(text, value));
	else
		fputs(number_print(text, value), out);
}

void
html_spread(FILE *out, const struct summary *sum)
{
	double spread = summary_spread(sum);

	if (!isfinite(spread) || sum->n < 2)
		fprintf(out, "\xe2\x80\x93");
	else
		fprintf(out, "%.0f %%", 100 * spread);
	if (summary_is_wide(sum))
		fprintf(out, " <mark title=\"wide spread\">!</mark>");
}

void
html_loss(FILE *out, const struct series *s)
{
	if (!is_lossy(s))
		return;
	fprintf(out, "<small class=\"lossy\"><mark>lost</mark> ");
	html_value(out, summarize(s, M_LOST).median / 10);
	fprintf(out, " %%</small>");
}

void
html_case_words(FILE *out, const struct bench_case *c)
{
	char words[128];

	params_print(words, sizeof(words), c);
	xml_text(out, words[0] != '\0' ? words : c->test->what);
}

/* The paths of all cases, each once, in the order of the first that has it; returns how many. */
static unsigned int
find_paths(const struct results *results, const struct path **found, unsigned int max)
{
	unsigned int n = 0, i, j, k;

	for (i = 0; i < results->n; i++) {
		for (j = 0; j < results->cases[i].n; j++) {
			const struct path *path = results->cases[i].series[j].path;

			for (k = 0; k < n && found[k] != path; k++)
				;
			if (k == n && n < max)
				found[n++] = path;
		}
	}
	return n;
}

/*
 * The parts of the page
 */

static void
write_title(FILE *out, const struct results *results)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[32];

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &tm);
	fprintf(out, "<p>kpath-perf, <time>%s</time></p>\n"
		"<h1>Paths between DPDK and the Linux kernel, compared</h1>\n<p>Measured on ",
		date);
	xml_text(out, results->machine.model);
	fprintf(out, ", Linux ");
	xml_text(out, results->machine.kernel);
	fprintf(out, ", ");
	xml_text(out, results->machine.dpdk);
	fprintf(out, ". Other machines have other figures, and may have another order.</p>\n");
	if (!results->complete) {
		fprintf(out, "<p><mark>");
		incomplete_print(out, results);
		fprintf(out, "</mark></p>\n");
	}
}

static void
write_nav(FILE *out, const struct results *results)
{
	unsigned int i;

	fprintf(out, "<nav><a href=\"#short\">In short</a><a href=\"#read\">How to read it</a>");
	for (i = 0; i < results->n; i++) {
		const struct test *test = results->cases[i].bench_case->test;

		if (html_first_of(results, test) != i)
			continue;
		fprintf(out, "<a href=\"#test-");
		xml_id(out, test->name);
		fprintf(out, "\">");
		xml_text(out, test->name);
		fprintf(out, "</a>");
	}
	fprintf(out, "<a href=\"#paths\">Paths</a><a href=\"#machine\">Machine</a>"
		"<a href=\"#reproduce\">How to reproduce it</a></nav>\n");
}

static void
write_ratio(FILE *out, double times, const char *than)
{
	if (!isfinite(times))
		return;
	fprintf(out, "<small>");
	html_value(out, times);
	fprintf(out, " \xc3\x97 %s</small>", than);
}

static void
write_short_cell(FILE *out, const struct measured *m, const struct series *s)
{
	enum metric primary = m->bench_case->test->primary;
	struct summary sum;
	const char *side;

	if (s == NULL) {
		fprintf(out, "<td></td>");
		return;
	}
	sum = summarize(s, primary);
	side = saturated(m->bench_case, s);
	if (sum.n == 0) {
		fprintf(out, "<td title=\"");
		xml_text(out, s->why != NULL ? s->why : "nothing arrived");
		fprintf(out, "\">\xe2\x80\x93</td>");
		return;
	}
	fprintf(out, "<td%s>", s == best_choice(m) ? " class=\"best\"" : "");
	html_value(out, sum.median);
	fprintf(out, "<small>");
	if (sum.n < 2) {
		fprintf(out, "one round</small>");
	} else {
		html_spread(out, &sum);
		fprintf(out, " spread</small>");
	}
	if (sum.n < s->n)
		fprintf(out, "<small>%u of %u rounds</small>", sum.n, s->n);
	html_loss(out, s);
	write_ratio(out, times_better(primary, s, find_yardstick(m)), YARDSTICK);
	write_ratio(out, times_better(primary, s, find_kernel(m)), "kernel");
	if (side != NULL)
		fprintf(out, "<small>%s saturated</small>", side);
	fprintf(out, "</td>");
}

static void
write_short_row(FILE *out, const struct measured *m, const struct path **shown, unsigned int n)
{
	const struct bench_case *c = m->bench_case;
	const struct metric_info *info = &metric_infos[c->test->primary];
	unsigned int i;

	fprintf(out, "<tr><th scope=\"row\"><a href=\"#test-");
	xml_id(out, c->test->name);
	fprintf(out, "\">");
	xml_text(out, c->test->name);
	fprintf(out, "</a>, ");
	xml_text(out, info->unit);
	fprintf(out, "<small>");
	html_case_words(out, c);
	fprintf(out, "; %s is better</small></th>", info->less ? "less" : "more");
	for (i = 0; i < n; i++)
		write_short_cell(out, m, find_series(m, shown[i]->name));
	fprintf(out, "</tr>\n");
}

static void
write_short(FILE *out, const struct results *results, const struct path **shown, unsigned int n)
{
	unsigned int i;

	fprintf(out, "<h2 id=\"short\">In short</h2>\n<p>Medians of all rounds. Spread: how wide "
		"the middle half of the rounds is, as a part of the median; <mark>!</mark>: so wide that "
		"the figure is to be doubted. N \xc3\x97 " YARDSTICK ": N times better than DPDK\xe2\x80\x99s "
		"own TAP driver; N \xc3\x97 kernel: than the kernel alone. <mark>lost</mark>: more "
		"than 1 %% of the packets, so that the figure flatters the path. The best driver of a row "
		"that loses no more is set off. Saturated: the side that had no time left, which "
		"decides how fast the path is here.</p>\n<div class=\"scroll\"><table class=\"short\"><thead><tr>"
		"<th>Test</th>");
	for (i = 0; i < n; i++) {
		fprintf(out, "<th scope=\"col\">");
		html_swatch(out, shown[i]);
		fprintf(out, "</th>");
	}
	fprintf(out, "</tr></thead><tbody>\n");
	for (i = 0; i < results->n; i++)
		write_short_row(out, &results->cases[i], shown, n);
	fprintf(out, "</tbody></table></div>\n");
}

static void
write_how(FILE *out, const struct results *results)
{
	const struct options *o = results->options;
	enum metric m;
	unsigned int i;

	fprintf(out, "<h2 id=\"read\">How it was measured, and how to read it</h2>\n"
		"<ul><li>All paths of a test are open at once, and take turns: %u round%s of %u ms each, or what a test needs. "
		"What disturbs the machine disturbs all alike. What counts is the median, and its "
		"ratio to that of another path.</li>\n"
		"<li>Bars are medians. The thin line at the end of a bar is where the middle half of the "
		"rounds lies; <mark>!</mark> marks what is so wide that it is to be doubted. L: more "
		"than 1 %% of the packets were lost. Two slanted lines: the bar is far longer than others, and cut off; its number is right.</li>\n"
		"<li>All paths carry the same frames, with the same number of threads, on the same "
		"CPUs. Interfaces and traffic are in network namespaces of the program; nothing comes "
		"from outside.</li>\n"
		"<li>The kernel alone is what there is without an application: two "
		"namespaces and a veth pair. No driver can be expected to reach it, but where packets "
		"go one way: there it is a bare program with a packet socket at one end of the "
		"pair.</li>\n",
		o->rounds, o->rounds == 1 ? "" : "s", o->ms);
	if (results->machine.kernel_threads == 0)
		fprintf(out, "<li>CPU times are without those of the kernel\xe2\x80\x99s threads, "
			"which are not seen here.</li>\n");
	fprintf(out, "</ul>\n<dl>\n");
	for (m = 0; m < M_MAX; m++) {
		for (i = 0; i < results->n && !is_measured(&results->cases[i], m); i++)
			;
		if (i == results->n || metric_infos[m].what == NULL)
			continue;
		fprintf(out, "<dt>");
		xml_text(out, metric_infos[m].unit);
		fprintf(out, "</dt><dd>");
		xml_text(out, metric_infos[m].what);
		fprintf(out, "</dd>\n");
	}
	fprintf(out, "</dl>\n");
}

/* Was a path measured in any case? If not: why, where one is known. */
static bool
path_measured(const struct results *results, const struct path *path, const char **why,
		const char **how)
{
	unsigned int i;

	*why = *how = NULL;
	for (i = 0; i < results->n; i++) {
		const struct series *s = find_series(&results->cases[i], path->name);
		enum metric m;

		if (s == NULL)
			continue;
		for (m = 0; m < M_MAX; m++)
			if (summarize(s, m).n > 0)
				return true;
		if (*why == NULL) {
			*why = s->why;
			*how = s->how;
		}
	}
	return false;
}

static void
write_paths(FILE *out, const struct results *results, const struct path **shown, unsigned int n)
{
	const char *why, *how;
	unsigned int i;

	fprintf(out, "<h2 id=\"paths\">The paths</h2>\n<div class=\"plots\">\n");
	for (i = 0; i < n; i++) {
		fprintf(out, "<figure><h3>");
		html_swatch(out, shown[i]);
		fprintf(out, "</h3>\n<figcaption>");
		xml_text(out, shown[i]->what);
		fprintf(out, ". %s", topology_words(shown[i]));
		if (!path_measured(results, shown[i], &why, &how)) {
			fprintf(out, " <strong>Not measured: ");
			xml_text(out, why != NULL ? why : "nothing arrived");
			fprintf(out, ".</strong>");
			if (how != NULL) {
				fprintf(out, " To get it: ");
				xml_text(out, how);
				fprintf(out, ".");
			}
		}
		fprintf(out, "</figcaption>\n");
		svg_topology(out, shown[i]);
		fprintf(out, "</figure>\n");
	}
	fprintf(out, "</div>\n");
}

static void
write_machine(FILE *out, const struct machine *m)
{
	const struct {
		const char *name, *value;
	} words[] = {
		{ "CPU", m->model }, { "Memory", m->memory }, { "Pages of", m->pages },
		{ "Linux", m->kernel }, { "DPDK", m->dpdk }, { "liburing", m->liburing },
	};
	unsigned int i;

	fprintf(out, "<h2 id=\"machine\">The machine</h2>\n<dl>\n");
	for (i = 0; i < RTE_DIM(words); i++) {
		fprintf(out, "<dt>%s</dt><dd>", words[i].name);
		xml_text(out, words[i].value);
		fprintf(out, "</dd>\n");
		if (i == 0)
			fprintf(out, "<dt>CPUs</dt><dd>%u that the program may use; %u cores</dd>\n",
				m->cpus, m->cores);
	}
	fprintf(out, "</dl>\n");
}

/* As a shell reads it */
static void
write_word(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"-_=,./+:@%";
	bool quoted = *word == '\0' || word[strspn(word, plain)] != '\0';
	char *copy = strdup(word), *part = copy, *end;

	if (copy == NULL)
		die("out of memory");
	fputs(quoted ? "'" : "", out);
	for (; (end = strchr(part, '\'')) != NULL; part = end + 1) {
		*end = '\0';
		xml_text(out, part);
		fputs("'\\''", out);
	}
	xml_text(out, part);
	fputs(quoted ? "'" : "", out);
	free(copy);
}

static void
write_reproduce(FILE *out, const struct options *o)
{
	int i;

	fprintf(out, "<h2 id=\"reproduce\">How to reproduce it</h2>\n<p>As root; "
		"<code>--help</code> explains the options, and <code>--json=FILE</code> writes the same "
		"figures for programs.</p>\n<pre>");
	for (i = 0; i < o->argc; i++) {
		fputs(i == 0 ? "" : " ", out);
		write_word(out, o->argv[i]);
	}
	fprintf(out, "</pre>\n");
}

static void
write_page(FILE *out, const struct results *results)
{
	const struct path *shown[64];
	unsigned int n = find_paths(results, shown, RTE_DIM(shown)), i;

	fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n"
		"<head><meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
		"content=\"width=device-width, initial-scale=1\"/>\n"
		"<title>kpath-perf: paths between DPDK and the Linux kernel</title>\n"
		"<style>\n%s</style></head>\n<body>\n", style);
	write_title(out, results);
	write_nav(out, results);
	write_short(out, results, shown, n);
	write_how(out, results);
	for (i = 0; i < results->n; i++)
		if (html_first_of(results, results->cases[i].bench_case->test) == i)
			html_test(out, results, results->cases[i].bench_case->test);
	write_paths(out, results, shown, n);
	write_machine(out, &results->machine);
	write_reproduce(out, results->options);
	fprintf(out, "</body></html>\n");
}

/*
 * The file
 */

void
html_prepare(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		refuse("--report: cannot make the directory %s: %s", dir, strerror(errno));
	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		refuse("--report: %s: %s", dir, strerror(ENOTDIR));
	if (access(dir, W_OK | X_OK) != 0)
		refuse("--report: cannot write into %s: %s", dir, strerror(errno));
}

void
html_write(const struct results *results, const char *dir)
{
	struct output output;
	char *file;

	html_prepare(dir);
	if (asprintf(&file, "%s/index.html", dir) < 0)
		die("out of memory");
	output_open(&output, file);
	write_page(output.file, results);
	output_close(&output);
	free(file);
}
