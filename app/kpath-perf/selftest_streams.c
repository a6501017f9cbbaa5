/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * TCP through two ports, both ways, and every byte looked at. Were offloads used that were asked
 * for, and none that was not? And are all packets accounted for, from one interface to the other?
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "forward.h"
#include "pair.h"
#include "results.h"
#include "selftest.h"

#define BYTES (4U << 20)
#define CHUNK (64U << 10)
/* What a connection has under way at most: less than any queue holds */
#define BUFFER (256 << 10)
#define TCP_PORT 5100
#define TIMEOUT_MS 20000
#define SETTLE_NS UINT64_C(1000000000)
/* Of payload, in a segment for an MTU of 1500: with time stamps */
#define SEGMENT 1448

static uint8_t
byte_at(uint32_t at)
{
	return at * 11 + (at >> 8) * 3 + (at >> 16);
}

/*
 * A connection
 */

static void
set_up_socket(int sock)
{
	const int size = BUFFER, one = 1;

	pair_set_timeout(sock, TIMEOUT_MS);
	setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
}

/* From home to far: socks[0] is at home. Returns whether there is one. */
static bool
connect_both(const struct port *ports, int socks[2])
{
	const struct sockaddr_in to = pair_address(ports[1].addr, TCP_PORT);
	int listener;

	net_enter(net_far);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	set_up_socket(listener);
	if (bind(listener, (const struct sockaddr *)&to, sizeof(to)) != 0 ||
	    listen(listener, 1) != 0)
		die("listen: %s", strerror(errno));
	net_enter(net_home);
	socks[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	set_up_socket(socks[0]);
	socks[1] = connect(socks[0], (const struct sockaddr *)&to, sizeof(to)) == 0 ?
		accept(listener, NULL, NULL) : -1;
	close(listener);
	if (socks[1] < 0)
		close(socks[0]);
	else
		set_up_socket(socks[1]);
	return socks[1] >= 0;
}

static void *
send_main(void *arg)
{
	int sock = *(int *)arg;
	uint8_t *buf = malloc(CHUNK);
	uint32_t done = 0, i;
	ssize_t n = 0;

	while (buf != NULL && done < BYTES && n >= 0) {
		for (i = 0; i < CHUNK; i++)
			buf[i] = byte_at(done + i);
		n = send(sock, buf, RTE_MIN(CHUNK, BYTES - done), MSG_NOSIGNAL);
		done += n > 0 ? n : 0;
	}
	shutdown(sock, SHUT_WR);
	free(buf);
	return NULL;
}

/* Send all of it through a connection. Returns how many bytes arrived as they were sent. */
static uint32_t
transfer(int from, int to)
{
	uint8_t *buf = malloc(CHUNK);
	uint32_t done = 0, good = 0;
	pthread_t thread;
	ssize_t n, i;

	if (buf == NULL || pthread_create(&thread, NULL, send_main, &from) != 0)
		die("cannot start a thread");
	while ((n = recv(to, buf, CHUNK, 0)) > 0) {
		for (i = 0; i < n; i++)
			good += buf[i] == byte_at(done + i);
		done += n;
	}
	shutdown(to, SHUT_RDWR);
	pthread_join(thread, NULL);
	free(buf);
	return done == BYTES ? good : 0;
}

/*
 * Counters of one direction: from the interface of one port to that of the other
 */

struct flow {
	uint64_t kernel_sent;		/* by the first interface */
	uint64_t kernel_dropped;
	uint64_t veth_dropped;		/* between the application and the other, */
	uint64_t kernel_received;	/* which received these */
	uint64_t driver_dropped;
	struct forward_stats app;
};

static uint64_t
counter(const char *ifname, bool far, const char *name)
{
	uint64_t value;

	net_enter(far ? net_far : net_home);
	value = net_counter(ifname, name);
	net_enter(net_home);
	return value;
}

static struct flow
read_flow(const struct port *ports, unsigned int from)
{
	const struct port *in = &ports[from], *out = &ports[1 - from];
	struct flow f = {
		.kernel_sent = counter(in->ifname, from == 1, "tx_packets"),
		.kernel_dropped = counter(in->ifname, from == 1, "tx_dropped"),
		.kernel_received = counter(out->ifname, from == 0, "rx_packets"),
	};
	struct rte_eth_stats stats = {0};

	if (in->path->ops != &dpdk_ops)
		return f;
	/* More than the kernel's backlog has room for */
	if ((out->path->flags & DPDK_VETH) != 0)
		f.veth_dropped = counter(out->app_ifname, false, "tx_dropped");
	f.app = *dpdk_end(in).forward;
	rte_eth_stats_get(dpdk_end(in).id, &stats);
	f.driver_dropped = stats.imissed + stats.ierrors + stats.rx_nombuf;
	return f;
}

/* Is every packet accounted for? */
static bool
agrees(const struct port *port, const struct flow *f)
{
	if (port->path->ops != &dpdk_ops)
		return f->kernel_sent == f->kernel_received + f->kernel_dropped;
	return f->kernel_sent == f->app.received + f->driver_dropped &&
		f->app.received + f->app.made == f->app.sent + f->app.dropped &&
		f->app.sent == f->kernel_received + f->veth_dropped;
}

/* Counters of both directions, when nothing moves any more. */
static bool
settle(const struct port *ports, struct flow flows[2])
{
	uint64_t start = now_ns();
	bool ok;

	do {
		flows[0] = read_flow(ports, 0);
		flows[1] = read_flow(ports, 1);
		ok = agrees(&ports[0], &flows[0]) && agrees(&ports[1], &flows[1]);
		usleep(1000);
	} while (!ok && now_ns() - start < SETTLE_NS);
	return ok;
}

/*
 * Checks
 */

/* A port leaves undone what was agreed on, and nothing else. */
static bool
is_used(const struct port *in, const struct port *out, const struct flow *f)
{
	bool offers = (in->path->flags & DPDK_OFFLOAD) != 0;
	bool takes = (out->path->flags & DPDK_OFFLOAD) != 0;
	enum offload offload = offers ? in->params->offload : OFFLOAD_OFF;

	return (f->app.unsummed > 0) == (offload >= OFFLOAD_CSUM) &&
		(f->app.merged > 0) == (offload == OFFLOAD_ALL) &&
		(f->app.made > 0) == (offload == OFFLOAD_ALL && !takes) &&
		(f->app.software > 0) == (offload >= OFFLOAD_CSUM && !takes) &&
		/* The kernel got fewer packets than there were segments. */
		(f->kernel_received < BYTES / SEGMENT) == (offload == OFFLOAD_ALL && takes);
}

/* What is checked, and of which streams */
static void
describe(char *text, size_t size, const char *what, unsigned int from, const char *name,
		const struct params *params)
{
	snprintf(text, size, "%s %s%s, offloads %s", what,
		direction_names[from == 0 ? DIR_UP : DIR_DOWN], name,
		offload_names[params->offload]);
}

static void
report_direction(const struct port *ports, const char *name, unsigned int from, uint32_t good,
		const struct flow *f)
{
	const struct port *in = &ports[from], *out = &ports[1 - from];
	const struct path *path = ports[0].path;
	char what[96];

	describe(what, sizeof(what), "TCP", from, name, ports->params);
	selftest_report(path, what, good == BYTES, "%u of %u bytes arrived unchanged", good, BYTES);
	if (path->ops != &dpdk_ops)
		return;
	describe(what, sizeof(what), "offloads used", from, name, ports->params);
	selftest_report(path, what, is_used(in, out, f),
		"%" PRIu64 " packets, %" PRIu64 " without checksum, %" PRIu64
		" not segmented; %" PRIu64 " finished here, %" PRIu64 " received by the kernel",
		f->app.received, f->app.unsummed, f->app.merged, f->app.software,
		f->kernel_received);
}

static void
report_counters(const struct port *ports, const char *name, bool ok, const struct flow flows[2])
{
	char what[96];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		const struct flow *f = &flows[i];

		describe(what, sizeof(what), "TCP counters", i, name, ports->params);
		selftest_report(ports[0].path, what, ok || agrees(&ports[i], f),
			"%" PRIu64 " sent by the kernel, %" PRIu64 " forwarded, %" PRIu64 " + %"
			PRIu64 " + %" PRIu64 " dropped, %" PRIu64 " received by the kernel",
			f->kernel_sent, f->app.sent, f->driver_dropped + f->kernel_dropped,
			f->app.dropped, f->veth_dropped, f->kernel_received);
	}
}

/* One connection each way, so that what is counted up and down belongs to data up and down. */
static void
check_streams(struct port *ports, const char *name)
{
	struct flow flows[2], flow;
	struct result unused;
	unsigned int from;
	struct pair pair;
	uint64_t before;
	int socks[2];
	bool ok;

	pair_start(&pair, ports);
	leave_workers_alone(pair.forwards);
	for (from = 0; from < 2; from++) {
		uint32_t good = 0;

		before = read_flow(ports, from).kernel_received;
		if (connect_both(ports, socks)) {
			good = transfer(socks[from], socks[1 - from]);
			close(socks[0]);
			close(socks[1]);
		}
		ok = settle(ports, flows);
		flow = flows[from];
		flow.kernel_received -= before;
		report_direction(ports, name, from, good, &flow);
	}
	report_counters(ports, name, ok, flows);
	leave_workers_alone(0);
	pair_stop(&pair, 0, &unused);
}

void
selftest_streams(const struct path *first, const struct path *second, unsigned int subnet)
{
	struct bench_case c = { .test = &test_tcp, .params = { 1514, 32, 1, .streams = 1 } };
	bool offers = (first->flags & DPDK_OFFLOAD) != 0 || first->ops != &dpdk_ops;
	struct port ports[2];
	char name[64] = "";
	unsigned int offload;

	if (first != second)
		snprintf(name, sizeof(name), " with %s", second->name);
	for (offload = OFFLOAD_OFF; offload <= (offers ? OFFLOAD_ALL : OFFLOAD_OFF); offload++) {
		c.params.offload = offload;
		if (!open_ports(ports, &c, first, second, subnet)) {
			selftest_skip(first, first != second ? name + 1 : "TCP", ports[0].why);
			return;
		}
		check_streams(ports, name);
		close_path(ports, &c);
	}
}
