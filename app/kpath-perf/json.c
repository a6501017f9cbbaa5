/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Results for programs. */

#include <stdio.h>

#include "output.h"
#include "results.h"

void
json_string(FILE *out, const char *text)
{
	if (text == NULL) {
		fprintf(out, "null");
		return;
	}
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
	fputc('"', out);
}

static void
json_series(FILE *out, const struct bench_case *c, const struct series *s)
{
	const char *sep = "";
	enum metric m;

	fprintf(out, "{\"path\":");
	json_string(out, s->path->name);
	if (s->why != NULL) {
		fprintf(out, ",\"why\":");
		json_string(out, s->why);
	}
	if (s->how != NULL) {
		fprintf(out, ",\"how\":");
		json_string(out, s->how);
	}
	fprintf(out, ",\"rounds\":%u,\"saturated\":", s->n);
	json_string(out, saturated(c, s));
	fprintf(out, ",\"metrics\":{");
	for (m = 0; m < M_MAX; m++) {
		struct summary sum = summarize(s, m);

		if (sum.n == 0)
			continue;
		fprintf(out, "%s\"%s\":{\"median\":%.5g,\"low\":%.5g,\"high\":%.5g,\"rounds\":%u}",
			sep, metric_infos[m].name, sum.median, sum.low, sum.high, sum.n);
		sep = ",";
	}
	fprintf(out, "}}");
}

static void
json_case(FILE *out, const struct measured *m)
{
	const struct bench_case *c = m->bench_case;
	const struct params *p = &c->params;
	unsigned int i;

	fprintf(out, "\n{\"test\":\"%s\",\"primary\":\"%s\",\"len\":%u,\"burst\":%u,",
		c->test->name, metric_infos[c->test->primary].name, p->len, p->burst);
	fprintf(out, "\"queues\":%u,\"mbuf_room\":%u,\"streams\":%u,\"to\":\"%s\",", p->queues,
		p->mbuf_room, p->streams, target_names[p->to]);
	fprintf(out, "\"mtu\":%u,", params_mtu(p));
	fprintf(out, "\"gso\":%s,\"offload\":\"%s\",\"direction\":\"%s\",",
		p->gso ? "true" : "false", offload_names[p->offload],
		direction_names[p->direction]);
	fprintf(out, "\"external\":%s,\"rounds\":%u,\"ms\":%u,\"paths\":[",
		p->external ? "true" : "false", p->rounds, p->ms);
	for (i = 0; i < m->n; i++) {
		fprintf(out, "%s\n ", i == 0 ? "" : ",");
		json_series(out, c, &m->series[i]);
	}
	fprintf(out, "]}");
}

static void
json_machine(FILE *out, const struct machine *m)
{
	const struct {
		const char *name, *value;
	} words[] = {
		{ "model", m->model }, { "memory", m->memory }, { "pages", m->pages },
		{ "kernel", m->kernel }, { "dpdk", m->dpdk }, { "liburing", m->liburing },
	};
	unsigned int i;

	fprintf(out, "{\"cpus\":%u,\"cores\":%u,\"kernel_threads\":%u", m->cpus, m->cores,
		m->kernel_threads);
	for (i = 0; i < RTE_DIM(words); i++) {
		fprintf(out, ",\"%s\":", words[i].name);
		json_string(out, words[i].value);
	}
	fprintf(out, "}");
}

/* All paths that may be named: of what kind, and whether they can run here. */
static void
json_paths(FILE *out, const struct options *options)
{
	const char *sep = "";
	unsigned int i, w;

	for (i = 0; i < nb_paths; i++) {
		const struct availability *a = available(&paths[i]);
		const struct {
			const char *name, *value;
		} words[] = {
			{ "what", paths[i].what },
			{ "kind", path_kind_names[path_kind(&paths[i])] },
			{ "why", a->why }, { "how", a->how }, { "note", a->note },
		};

		if (options->set == SET_PATHS && options->paths == NULL &&
		    path_kind(&paths[i]) == KIND_LOOP)
			continue;
		fprintf(out, "%s\n {\"name\":", sep);
		json_string(out, paths[i].name);
		fprintf(out, ",\"runs\":%s", a->why == NULL ? "true" : "false");
		for (w = 0; w < RTE_DIM(words); w++) {
			if (words[w].value == NULL)
				continue;
			fprintf(out, ",\"%s\":", words[w].name);
			json_string(out, words[w].value);
		}
		fprintf(out, "}");
		sep = ",";
	}
}

void
json_write(const struct results *results, const char *file)
{
	const struct options *options = results->options;
	struct output output;
	unsigned int i;
	FILE *out;

	output_open(&output, file);
	out = output.file;
	fprintf(out, "{\"complete\":%s,\"machine\":", results->complete ? "true" : "false");
	json_machine(out, &results->machine);
	fprintf(out, ",\"rounds\":%u,\"ms\":%u,\"paths\":[", options->rounds, options->ms);
	json_paths(out, options);
	fprintf(out, "],\"cases\":[");
	for (i = 0; i < results->n; i++) {
		if (i > 0)
			fputc(',', out);
		json_case(out, &results->cases[i]);
	}
	fprintf(out, "]}\n");
	output_close(&output);
}
