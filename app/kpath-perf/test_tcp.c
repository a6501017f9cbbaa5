/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* TCP as fast as it goes, through two ports: from home to far, back, or both at once. */

#include <unistd.h>

#include "streams.h"

/* So many times a packet test's duration: windows have to open. */
#define TCP_FACTOR 4

static bool
connect_all(struct streams *streams, const struct params *params)
{
	unsigned int i;

	for (i = 0; i < params->streams; i++)
		if ((params->direction != DIR_DOWN && !streams_add(streams, DIR_UP, TOS_BE)) ||
		    (params->direction != DIR_UP && !streams_add(streams, DIR_DOWN, TOS_BE)))
			return false;
	return true;
}

/* Returns the bytes that arrived. A direction that has moved none has a rate, too. */
static uint64_t
run_streams(struct streams *streams, uint64_t duration, struct result *result)
{
	enum direction wanted = streams->pair->ports[0].params->direction;
	uint64_t up, down, ns;

	streams_start(streams);
	usleep(duration / 4000); /* slow start */
	up = streams_bytes(streams, DIR_UP);
	down = streams_bytes(streams, DIR_DOWN);
	pair_begin(streams->pair);
	ns = now_ns();
	usleep(duration / 1000);
	ns = now_ns() - ns;
	pair_end(streams->pair);
	up = streams_bytes(streams, DIR_UP) - up;
	down = streams_bytes(streams, DIR_DOWN) - down;
	streams_cut(streams);
	result->value[M_GBPS] = 8.0 * (up + down) / ns;
	if (wanted == DIR_BOTH) {
		result->value[M_UP] = 8.0 * up / ns;
		result->value[M_DOWN] = 8.0 * down / ns;
	}
	return up + down;
}

static void
measure_tcp(struct port *ports, uint64_t duration, struct result *result)
{
	static struct pair pair;
	struct streams streams = { .pair = &pair };
	uint64_t bytes = 0;

	pair_start(&pair, ports);
	if (connect_all(&streams, ports[0].params)) {
		bytes = run_streams(&streams, TCP_FACTOR * duration, result);
	} else {
		result->why = "no connection";
		result->value[M_GBPS] = 0;
	}
	pair_stop(&pair, bytes, result);
	streams_close(&streams);
}

const struct test test_tcp = {
	.name = "tcp",
	.what = "TCP through two ports",
	.primary = M_GBPS,
	.shown = RTE_BIT64(M_CPU_GB),
	.ms = 200, /* 0.8 s: there are many cases */
	.rounds = 3,
	.takes = 5,
	.pair = true,
	.measure = measure_tcp,
};
