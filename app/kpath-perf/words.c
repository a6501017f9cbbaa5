/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* What things are called, wherever they are named: options, tables, the page, JSON. */

#include <stdio.h>
#include <string.h>

#include "results.h"

const char * const offload_names[OFFLOAD_MAX] = {
	[OFFLOAD_OFF] = "off",
	[OFFLOAD_CSUM] = "csum",
	[OFFLOAD_ALL] = "all",
};

const char * const direction_names[] = {
	[DIR_UP] = "up",
	[DIR_DOWN] = "down",
	[DIR_BOTH] = "both",
};

const char * const target_names[] = {
	[TO_NOBODY] = "nobody",
	[TO_OTHER] = "other",
	[TO_SOCKET] = "socket",
	[TO_CLOSED] = "closed",
};

const char * const path_kind_names[] = {
	[KIND_INJECTION] = "injection",
	[KIND_REDIRECTION] = "redirection",
	[KIND_KERNEL] = "kernel alone",
	[KIND_LOOP] = "bare loop",
};

enum path_kind
path_kind(const struct path *path)
{
	if (path->ops == &veth_ops)
		return KIND_KERNEL;
	if (path->ops == &loop_ops)
		return KIND_LOOP;
	return (path->flags & DPDK_VETH) != 0 ? KIND_REDIRECTION : KIND_INJECTION;
}

void
params_print(char *text, size_t size, const struct bench_case *c)
{
	static const char * const targets[] = {
		[TO_NOBODY] = "",
		[TO_OTHER] = ", UDP to another host",
		[TO_SOCKET] = ", UDP to a socket",
		[TO_CLOSED] = ", UDP to a closed port",
	};
	const struct params *p = &c->params;

	if (c->test == &test_tcp)
		snprintf(text, size, "%u stream%s %s, offloads %s", p->streams,
			p->streams == 1 ? "" : "s", direction_names[p->direction],
			offload_names[p->offload]);
	else if (c->test == &test_rtt || c->test == &test_idle || c->test == &test_rrul)
		text[0] = '\0';
	else
		snprintf(text, size, "%u B, bursts of %u, %u queue%s%s%s", p->len, p->burst,
			p->queues, p->queues == 1 ? "" : "s", targets[p->to],
			p->gso ? ", LRO" : "");
	if (p->mbuf_room != 0)
		snprintf(text + strlen(text), size - strlen(text), ", %s of %u B",
			p->external ? "external buffers" : "mbufs", p->mbuf_room);
}

void
case_print_short(char *text, size_t size, const struct bench_case *c)
{
	const struct params *p = &c->params;

	/* Latency under load is one case only. */
	if (p->streams != 0 && !c->test->unhurried)
		snprintf(text, size, "%s %u %s %s", c->test->name, p->streams,
			direction_names[p->direction], offload_names[p->offload]);
	else if (c->test->pair || c->test->unhurried)
		snprintf(text, size, "%s", c->test->name);
	else
		snprintf(text, size, "%s %u B", c->test->name, p->len);
}

void
incomplete_print(FILE *out, const struct results *results)
{
	fprintf(out, "INCOMPLETE: it was ended after %u of %u cases%s.", results->n,
		results->planned, results->n > 0 ? ", the last of which may lack rounds" : "");
}
