/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Packets that are numbered, and whose every byte is known: into the kernel, to a packet socket,
 * and out of it, from one. A burst at a time, so that no queue is too short.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_byteorder.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "kperf.h"
#include "selftest.h"

#define PACKETS 320
#define BURST 32
#define LATE_NS UINT64_C(500000000)
#define HEADERS (sizeof(struct rte_ether_hdr) + sizeof(uint32_t))
#define LEN_MAX 9018

/* What is done wrong on purpose, to see that it is noticed */
enum wrong {
	NOTHING_WRONG,
	ONE_MISSING,
	ONE_CHANGED,
	TWO_SWAPPED,
};

struct tally {
	uint64_t sent;		/* taken by the side that sends */
	uint64_t arrived;	/* at the other side */
	uint64_t changed;	/* of these: length, or any byte */
	uint64_t missing, misplaced;	/* by their numbers */
	uint64_t driver;	/* packets, by rte_eth_stats_get() */
	uint64_t kernel;	/* packets, by the interface's counter */
	uint64_t dropped;	/* by either */
	uint32_t next;		/* number that is due */
};

struct check {
	struct port *port;
	uint32_t len;
	unsigned int segs;	/* that the application sends a packet in */
	enum wrong wrong;
	bool into;		/* the kernel; else out of it */
	int sock;
	struct tally tally;
};

/*
 * Packets
 */

static uint8_t
byte_at(uint32_t number, uint32_t at)
{
	return number * 31 + at * 7 + (at >> 8);
}

static void
write_packet(uint8_t *data, const struct check *c, uint32_t number)
{
	struct rte_ether_hdr eth = {
		.dst_addr = c->port->mac,
		.src_addr = { { 2, 0, 0, 0, 0, 1 } },
		.ether_type = rte_cpu_to_be_16(KPERF_ETHERTYPE),
	};
	uint32_t i;

	memcpy(data, &eth, sizeof(eth));
	memcpy(data + sizeof(eth), &number, sizeof(number));
	for (i = HEADERS; i < c->len; i++)
		data[i] = byte_at(number, i);
}

static void
check_packet(struct check *c, const uint8_t *data, uint32_t len)
{
	struct tally *t = &c->tally;
	bool changed = len != c->len;
	uint32_t number, i;

	t->arrived++;
	memcpy(&number, data + sizeof(struct rte_ether_hdr), sizeof(number));
	for (i = HEADERS; i < RTE_MIN(len, c->len); i++)
		changed |= data[i] != byte_at(number, i);
	t->changed += changed;
	if (changed)
		number = t->next; /* it may be no number at all */
	if (number > t->next)
		t->missing += number - t->next;
	else if (number < t->next)
		t->misplaced++;
	t->next = RTE_MAX(t->next, number + 1);
}

/* The n-th packet to be sent, as it is to be, or wrong. Returns whether there is one. */
static bool
make_packet(uint8_t *data, const struct check *c, uint32_t n)
{
	if (c->wrong == TWO_SWAPPED && n / 2 == 50)
		n ^= 1;
	write_packet(data, c, n);
	if (c->wrong == ONE_CHANGED && n == 100)
		data[c->len - 1] ^= 0x10;
	return c->wrong != ONE_MISSING || n != 100;
}

/*
 * The application's end
 */

/* In so many segments, of which none but the last has an even length. */
static struct rte_mbuf *
make_mbuf(const struct check *c, const uint8_t *data)
{
	uint32_t part = c->segs == 1 ? c->len : (c->len / c->segs) | 1;

	return dpdk_make_packet(c->port, data, c->len, part);
}

static void
app_send(struct check *c, uint32_t from)
{
	uint16_t id = dpdk_end(c->port).id;
	static uint8_t data[LEN_MAX];
	struct rte_mbuf *pkts[BURST];
	uint64_t start = now_ns();
	uint16_t n = 0, sent = 0, i;

	for (i = 0; i < BURST; i++)
		if (make_packet(data, c, from + i))
			pkts[n++] = make_mbuf(c, data);
	while (sent < n && now_ns() - start < LATE_NS)
		sent += rte_eth_tx_burst(id, 0, &pkts[sent], n - sent);
	rte_pktmbuf_free_bulk(&pkts[sent], n - sent);
	c->tally.sent += sent;
	if (c->wrong == ONE_MISSING)
		c->tally.sent += BURST - n;
}

static void
app_receive(struct check *c)
{
	uint16_t id = dpdk_end(c->port).id, n, i;
	static uint8_t copy[UINT16_MAX];
	struct rte_mbuf *pkts[BURST];

	n = rte_eth_rx_burst(id, 0, pkts, BURST);
	for (i = 0; i < n; i++) {
		uint32_t len = RTE_MIN(pkts[i]->pkt_len, sizeof(copy));

		if (len >= HEADERS)
			check_packet(c, rte_pktmbuf_read(pkts[i], 0, len, copy), len);
	}
	rte_pktmbuf_free_bulk(pkts, n);
}

/*
 * The kernel's end
 */

static void
kernel_send_burst(struct check *c, uint32_t from)
{
	static uint8_t data[LEN_MAX];
	uint32_t i;

	for (i = 0; i < BURST; i++)
		if (!make_packet(data, c, from + i) ||
		    send(c->port->packet_sock, data, c->len, 0) == (ssize_t)c->len)
			c->tally.sent++;
}

static void
kernel_receive(struct check *c)
{
	static uint8_t data[UINT16_MAX];
	ssize_t len;

	while ((len = recv(c->sock, data, sizeof(data), MSG_DONTWAIT)) > 0)
		if ((size_t)len >= HEADERS)
			check_packet(c, data, len);
}

/*
 * A check
 */

/* Add what both count, or with -1 as sign, begin. */
static void
add_counters(const struct check *c, struct tally *t, int sign)
{
	const char *ifname = c->port->ifname;
	struct rte_eth_stats stats = {0};

	rte_eth_stats_get(dpdk_end(c->port).id, &stats);
	t->driver += sign * (c->into ? stats.opackets : stats.ipackets);
	t->kernel += sign * net_counter(ifname, c->into ? "rx_packets" : "tx_packets");
	t->dropped += sign * net_counter(ifname, c->into ? "rx_dropped" : "tx_dropped");
	t->dropped += sign * (c->into ? stats.oerrors :
		stats.imissed + stats.ierrors + stats.rx_nombuf);
}

static bool
agrees(const struct check *c, const struct tally *t)
{
	return t->driver == (c->into ? t->sent : t->arrived) &&
		t->kernel == (c->into ? t->arrived : t->sent) && t->sent == t->arrived + t->dropped;
}

/* Until they agree: who sends for the application may tell later, at a burst. */
static void
settle(struct check *c)
{
	const struct tally before = c->tally;
	uint64_t start = now_ns();
	uint16_t id = dpdk_end(c->port).id;

	add_counters(c, &c->tally, 1);
	while (!agrees(c, &c->tally) && c->wrong == NOTHING_WRONG && now_ns() - start < LATE_NS) {
		rte_eth_tx_burst(id, 0, NULL, 0);
		c->tally = before;
		add_counters(c, &c->tally, 1);
	}
}

static int
check_worker(void *arg)
{
	struct check *c = arg;
	uint64_t start;
	uint32_t n;

	add_counters(c, &c->tally, -1);
	for (n = 0; n < PACKETS; n += BURST) {
		if (c->into)
			app_send(c, n);
		else
			kernel_send_burst(c, n);
		start = now_ns();
		while (c->tally.arrived < c->tally.sent - (c->wrong == ONE_MISSING && n >= 96) &&
		       now_ns() - start < LATE_NS) {
			if (c->into)
				kernel_receive(c);
			else
				app_receive(c);
		}
	}
	settle(c);
	return 0;
}

static struct tally
run_check(struct check *c)
{
	c->sock = net_packet_socket(c->port->ifindex, KPERF_ETHERTYPE, 0);
	run_workers(check_worker, c, sizeof(*c), 1);
	close(c->sock);
	return c->tally;
}

static bool
is_unchanged(const struct tally *t)
{
	return t->sent == PACKETS && t->arrived == t->sent && t->changed == 0 && t->missing == 0 &&
		t->misplaced == 0;
}

static void
check_size(struct port *port, bool into, uint32_t len, unsigned int segs)
{
	struct check c = { .port = port, .into = into, .len = len, .segs = segs };
	struct tally t = run_check(&c);
	const char *way = into ? "into the kernel" : "out of the kernel";
	char what[96];

	snprintf(what, sizeof(what), "%s, %u B%s", way, len, segs > 1 ? " in segments" : "");
	selftest_report(port->path, what, is_unchanged(&t),
		"%" PRIu64 " sent, %" PRIu64 " arrived, %" PRIu64 " changed, %" PRIu64
		" missing, %" PRIu64 " out of order", t.sent, t.arrived, t.changed, t.missing,
		t.misplaced);
	snprintf(what, sizeof(what), "%s, %u B%s, counters", way, len,
		segs > 1 ? " in segments" : "");
	selftest_report(port->path, what, agrees(&c, &t),
		"%" PRIu64 " sent, %" PRIu64 " in DPDK, %" PRIu64 " in the kernel, %" PRIu64
		" dropped", t.sent, t.driver, t.kernel, t.dropped);
}

/* What would be wrong with a path is wrong here on purpose: is it seen, and nothing else? */
static void
check_wrong(struct port *port, bool into)
{
	static const struct {
		enum wrong wrong;
		const char *what;
		uint64_t arrived, changed, missing, misplaced;
	} wrongs[] = {
		{ ONE_MISSING, "a missing packet is", PACKETS - 1, 0, 1, 0 },
		{ ONE_CHANGED, "a changed packet is", PACKETS, 1, 0, 0 },
		{ TWO_SWAPPED, "swapped packets are", PACKETS, 0, 1, 1 },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(wrongs); i++) {
		struct check c = { .port = port, .into = into, .len = 512, .segs = 1,
			.wrong = wrongs[i].wrong };
		struct tally t = run_check(&c);
		char what[96];

		snprintf(what, sizeof(what), "%s noticed %s the kernel", wrongs[i].what,
			into ? "into" : "out of");
		selftest_report(port->path, what, t.arrived == wrongs[i].arrived &&
				t.changed == wrongs[i].changed && t.missing == wrongs[i].missing &&
				t.misplaced == wrongs[i].misplaced,
			"%" PRIu64 " arrived, %" PRIu64 " changed, %" PRIu64 " missing, %" PRIu64
			" out of order", t.arrived, t.changed, t.missing, t.misplaced);
	}
}

/* Does the driver take packets in segments? */
static bool
takes_segments(const struct port *port)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(dpdk_end(port).id, &info) == 0 &&
		(info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
}

static void
check_segments(struct port *port)
{
	if (!takes_segments(port)) {
		selftest_skip(port->path, "into the kernel, in segments",
			"the driver does not offer it");
		return;
	}
	check_size(port, true, 1514, 3);
	check_size(port, true, 65, 2);
}

static void
check_case(const struct path *path, unsigned int subnet, const struct bench_case *c)
{
	static const uint32_t sizes[] = { 60, 61, 64, 511, 1514 };
	const struct params *params = &c->params;
	struct port ports[2];
	unsigned int i;

	if (!open_ports(ports, c, path, path, subnet)) {
		selftest_skip(path, params->mbuf_room != 0 ? "received in segments" :
			params->len > 1514 ? "large packets" : "packets", ports[0].why);
		return;
	}
	if (params->mbuf_room != 0) {
		check_size(ports, false, params->len, 1);
	} else if (params->len > 1514) {
		check_size(ports, true, params->len, 7);
		check_size(ports, false, params->len, 1);
	} else {
		for (i = 0; i < RTE_DIM(sizes); i++) {
			check_size(ports, true, sizes[i], 1);
			check_size(ports, false, sizes[i], 1);
		}
		check_segments(ports);
		check_wrong(ports, true);
		check_wrong(ports, false);
	}
	close_path(ports, c);
}

void
selftest_packets(const struct path *path, unsigned int subnet)
{
	static const struct bench_case cs[] = {
		{ .test = &test_tx, .params = { 1514, BURST, 1 } },
		{ .test = &test_tx, .params = { LEN_MAX, BURST, 1 } },
		/* Received in many segments */
		{ .test = &test_tx, .params = { 1514, BURST, 1, 256 } },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(cs); i++)
		check_case(path, subnet, &cs[i]);
}
