/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Back-pressure: a receiver that is slower than the application, and a send buffer that is small.
 *
 *   tx_burst() --> rtap0 --> redirected --> slow0,  10 Mb/s --> fast0 --> packet socket
 *
 * What waits in the queue of slow0 still fills the send buffer. What has no room there comes back
 * to the application. If that tries again, nothing is lost and the order is kept; if it does not,
 * it sees how much it has dropped, and the rest arrives. So it does with SQPOLL, although nobody
 * calls the queue again.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

#define NB_MBUF 1024
#define NB_DESC 256
#define NB_FRAMES 3200
#define NB_WAITING 300	/* many more than have room */
#define FRAME_LEN 200
#define SNDBUF "sndbuf=65536"	/* the least */
#define CHAIN_MAX 64	/* with sqpoll=queue, of what is on its way when the interface goes down */
#define NB_LARGE 20
#define MTU_LARGE 60000

struct frame {
	struct rte_ether_hdr eth;
	uint32_t seq;
} __rte_packed;

static struct rte_mempool *pool, *large_pool;
static struct port port;
static struct port far;		/* where frames come out; no port of DPDK's */

static struct rte_mbuf *
make_frame(uint32_t seq)
{
	struct rte_mbuf *m = frame_alloc(pool, FRAME_LEN, 0);

	rte_pktmbuf_mtod(m, struct frame *)->seq = seq;
	return m;
}

static uint32_t
recv_seq(int sock)
{
	uint8_t data[FRAME_LEN];

	CHECK(kernel_recv(sock, data, sizeof(data)) == FRAME_LEN, "a frame is cut");
	return ((struct frame *)data)->seq;
}

/* The kernel holds what was accepted, and shall not drop it: its queue is longer than the test. */
static void
make_slow(void)
{
	rig_run("ip link add slow0 type veth peer name fast0");
	rig_run("ip link set slow0 up && ip link set fast0 up");
	far = (struct port){ .ifindex = if_nametoindex("fast0"), .ifname = "fast0" };
	rig_run("tc qdisc add dev slow0 root tbf rate 10mbit burst 20k limit 100m");
}

static void
open_port(const char *args)
{
	const struct port_conf conf = { .pool = pool, .nb_desc = NB_DESC };

	port_open(&port, "net_rtap0", args, &conf);
	rig_run("tc qdisc add dev %s clsact", port.ifname);
	rig_run("tc filter add dev %s ingress protocol all u32 match u32 0 0 "
		"action mirred egress redirect dev slow0", port.ifname);
}

/* With SQPOLL, what was sent is counted when the queue is called again. */
static bool
is_counted(uint64_t n)
{
	if (rig_sqpoll)
		rte_eth_tx_done_cleanup(port.id, 0, 0);
	return port_stats(&port).opackets >= n;
}

static void
check_sent(uint64_t n)
{
	WAIT_FOR(is_counted(n), "not all is sent");
	CHECK(port_stats(&port).opackets == n && port_stats(&port).oerrors == 0,
		"not what was sent");
}

/* Try again until all is taken. Every burst is of new frames and those that came back. */
static void
send_all(void)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n, have = 0, i;
	uint32_t seq = 0;

	while (seq < NB_FRAMES || have > 0) {
		for (; have < BURST && seq < NB_FRAMES; have++, seq++)
			pkts[have] = make_frame(seq);
		n = rte_eth_tx_burst(port.id, 0, pkts, have);
		have -= n;
		for (i = 0; i < have; i++)
			pkts[i] = pkts[i + n];
	}
}

static void
retry(const char *args)
{
	int sock;
	uint32_t seq, got;

	rig_case(args);
	open_port(args);
	sock = kernel_open(&far, ETHERTYPE_TEST);
	send_all();
	for (seq = 0; seq < NB_FRAMES; seq++) {
		got = recv_seq(sock);
		CHECK(got == seq, "%" PRIu32 " instead of %" PRIu32, got, seq);
	}
	CHECK(port_xstat(&port, "tx_backpressure_packets") > 0, "nothing was refused");
	check_sent(NB_FRAMES);
	close(sock);
	port_close(&port);
}

/* Drop what comes back. */
static void
drop(const char *args)
{
	struct rte_mbuf *pkts[BURST];
	uint32_t seq, got, last = 0;
	uint64_t sent = 0, i;
	uint16_t n, j;
	int sock;

	rig_case(args);
	open_port(args);
	sock = kernel_open(&far, ETHERTYPE_TEST);
	for (seq = 1; seq <= NB_FRAMES; seq += BURST) {
		for (j = 0; j < BURST; j++)
			pkts[j] = make_frame(seq + j);
		n = rte_eth_tx_burst(port.id, 0, pkts, BURST);
		rte_pktmbuf_free_bulk(&pkts[n], BURST - n);
		sent += n;
	}
	CHECK(seq - 1 - sent > 0, "nothing was refused");
	CHECK(port_xstat(&port, "tx_backpressure_packets") == seq - 1 - sent,
		"%" PRIu64 " counted, %" PRIu64 " dropped",
		port_xstat(&port, "tx_backpressure_packets"), seq - 1 - sent);
	for (i = 0; i < sent; i++, last = got) {
		got = recv_seq(sock);
		CHECK(got > last, "%" PRIu32 " after %" PRIu32, got, last);
	}
	kernel_expect_nothing(sock);
	check_sent(sent);
	close(sock);
	port_close(&port);
}

/* The interface goes down and up while packets wait for room. */
static void
down(const char *args)
{
	struct rte_mbuf *pkts[BURST];
	uint32_t seq = 0, next = 0, got;
	uint64_t lost = 0, i;
	uint16_t n, j;
	int sock;

	rig_case(args);
	open_port(args);
	sock = kernel_open(&far, ETHERTYPE_TEST);
	do {
		for (j = 0; j < BURST; j++)
			pkts[j] = make_frame(seq + j);
		n = rte_eth_tx_burst(port.id, 0, pkts, BURST);
		rte_pktmbuf_free_bulk(&pkts[n], BURST - n);
		seq += n;
	} while (seq < NB_WAITING);
	rig_run("ip link set %s down", port.ifname);
	rig_run("ip link set %s up", port.ifname);
	WAIT_FOR(is_counted(seq - (lost = port_xstat(&port, "tx_link_down_errors"))),
		"not all is sent");
	for (i = lost; i < seq; i++) {
		got = recv_seq(sock);
		CHECK(got == next || (lost > 0 && got > next), "%" PRIu32 " for %" PRIu32, got,
			next);
		next = got + 1;
	}
	CHECK(lost <= CHAIN_MAX, "%" PRIu64 " packets lost", lost);
	close(sock);
	port_close(&port);
}

/* The least send buffer has room for the largest frames, one at a time. */
static void
large(const char *args)
{
	const struct port_conf conf = { .pool = large_pool, .mtu = MTU_LARGE };
	static uint8_t data[FRAME_MAX];
	uint32_t len = MTU_LARGE + RTE_ETHER_HDR_LEN;
	struct rte_mbuf *m;
	unsigned int i;
	int sock;

	rig_case(args);
	port_open(&port, "net_rtap0", args, &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	for (i = 0; i < NB_LARGE; i++) {
		m = frame_alloc(large_pool, len, i);
		port_tx(&port, 0, &m, 1);
	}
	for (i = 0; i < NB_LARGE; i++)
		CHECK(kernel_recv(sock, data, sizeof(data)) == len && frame_is(data, len, i),
			"large frame %u differs", i);
	close(sock);
	port_close(&port);
}

int
main(int argc, char **argv)
{
	rig_init_namespace(argc, argv);
	rig_need("tc");
	rig_mount_sysfs();
	rig_init_eal();
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	large_pool = pool_create("large", 64, MTU_LARGE + 64);
	make_slow();

	retry("napi=off," SNDBUF);
	retry("napi=on," SNDBUF);
	retry("napi=threaded," SNDBUF);
	drop("napi=off," SNDBUF);
	drop("napi=threaded," SNDBUF);
	down("napi=off," SNDBUF);
	large("napi=off," SNDBUF);
	large("napi=threaded," SNDBUF);
	pool_check_full(pool);
	pool_check_full(large_pool);
	return rig_done();
}
