/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Millions of packets, and not one of them lost that the kernel or the driver did not count.
 *
 *               +--------- application ---------+
 *               |                               |
 *         10.1.0.2 on                     10.2.0.2 on
 *            left                            right
 *               |                               |
 *               +-- kernel, which forwards IP --+
 *
 * A few hundred packets go round in circles, half of them in either direction: what the kernel
 * sends to one port the application returns through the other. A single packet that got lost, or
 * that waits for ever, would be missed at the end.
 */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ip.h>
#include <rte_stdatomic.h>
#include <rte_udp.h>

#include "rig.h"

#define NB_PACKETS (10 * 1000 * 1000)
#define NB_CIRCLING 256			/* less than the kernel queues for a port */
#define NB_QUEUES 2
#define NB_MBUF 4096
#define LEN_MAX 1514

#define NB_FLOOD (300 * 1000)

static struct rte_mempool *pool;
static struct port ports[2];

/*
 * Packets that circle
 */

struct packet {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	uint8_t payload[LEN_MAX];
};

static_assert(offsetof(struct packet, payload) == 14 + 20 + 8, "headers follow each other");

/* As they are sent, each through one port, always the same. */
static struct packet packets[NB_CIRCLING];

static uint16_t
packet_len(unsigned int number)
{
	return rte_be_to_cpu_16(packets[number].ip.total_length) + sizeof(struct rte_ether_hdr);
}

/* The port through which the application sends this packet. */
static unsigned int
packet_way(unsigned int number)
{
	return number % 2;
}

/* Most are small, some fill a frame. */
static void
packet_make(unsigned int number)
{
	struct packet *packet = &packets[number];
	uint16_t len = number % 8 == 7 ? LEN_MAX : FRAME_MIN + number;
	unsigned int way = packet_way(number);

	flow_write(packet, len, number);
	kernel_mac(ports[way].ifname, &packet->eth.dst_addr);
	packet->ip.src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 1 + way, 0, 2));
	packet->ip.dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 2 - way, 0, 2));
	packet->ip.hdr_checksum = 0;
	packet->ip.hdr_checksum = rte_ipv4_cksum(&packet->ip);
}

static void
packet_start(unsigned int number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint16_t len = packet_len(number);

	CHECK(m != NULL, "pool is empty");
	memcpy(rte_pktmbuf_append(m, len), &packets[number], len);
	port_tx(&ports[packet_way(number)], number % NB_QUEUES, &m, 1);
}

/* What comes in must be one of those sent to the other port, one hop older. Returns its number. */
static unsigned int
packet_check(const struct rte_mbuf *m, unsigned int in)
{
	const struct packet *packet = rte_pktmbuf_mtod(m, const struct packet *);
	unsigned int number = rte_be_to_cpu_16(packet->udp.src_port);

	CHECK(number < NB_CIRCLING && packet_way(number) != in, "a packet from nowhere");
	CHECK(m->pkt_len == packet_len(number) && m->nb_segs == 1, "packet %u: %u bytes", number,
		m->pkt_len);
	CHECK(packet->ip.time_to_live == packets[number].ip.time_to_live - 1, "packet %u: TTL %u",
		number, packet->ip.time_to_live);
	CHECK(memcmp(&packet->udp, &packets[number].udp,
		m->pkt_len - offsetof(struct packet, udp)) == 0, "packet %u was changed", number);
	return number;
}

/* Pass on what arrived; returns how many. */
static unsigned int
forward(unsigned int in, uint16_t queue)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = port_rx_burst(&ports[in], queue, pkts, RTE_DIM(pkts));
	uint16_t i;

	for (i = 0; i < n; i++) {
		unsigned int number = packet_check(pkts[i], in);

		memcpy(rte_pktmbuf_mtod(pkts[i], void *), &packets[number],
			offsetof(struct packet, udp));
	}
	port_tx(&ports[1 - in], queue, pkts, n);
	return n;
}

static unsigned int
forward_all(void)
{
	unsigned int in, n = 0;
	uint16_t queue;

	for (in = 0; in < RTE_DIM(ports); in++)
		for (queue = 0; queue < NB_QUEUES; queue++)
			n += forward(in, queue);
	return n;
}

/* Keep one packet of each number; every number must come. */
static void
bring_home(void)
{
	bool seen[NB_CIRCLING] = {0};
	unsigned int n = 0, turn = 0, number;
	struct rte_mbuf *m;

	while (n < NB_CIRCLING) {
		WAIT_FOR((turn++,
			port_rx_burst(&ports[turn % 2], turn / 2 % NB_QUEUES, &m, 1) == 1),
			"%u of %u packets are lost", NB_CIRCLING - n, NB_CIRCLING);
		number = packet_check(m, turn % 2);
		CHECK(!seen[number], "packet %u came twice", number);
		seen[number] = true;
		rte_pktmbuf_free(m);
		n++;
	}
	while (turn-- > 0)
		CHECK(port_rx_burst(&ports[turn % 2], turn / 2 % NB_QUEUES, &m, 1) == 0,
			"more packets than there were");
}

static void
kernel_forwards(void)
{
	unsigned int i;

	if (!rig_sysctl("ipv4/ip_forward", "1") || !rig_sysctl("ipv4/conf/all/rp_filter", "0"))
		rig_skip("may not write to /proc/sys");
	for (i = 0; i < RTE_DIM(ports); i++) {
		rig_run("ip addr add 10.%u.0.1/24 dev %s", i + 1, ports[i].ifname);
		rig_run("ip neigh add 10.%u.0.2 lladdr 02:00:00:00:00:%02u dev %s", i + 1, i,
			ports[i].ifname);
	}
}

static void
check_stats(uint64_t passed)
{
	struct rte_eth_stats stats;
	uint64_t in = 0, out = 0;
	unsigned int i;

	for (i = 0; i < RTE_DIM(ports); i++) {
		stats = port_stats(&ports[i]);
		CHECK(stats.imissed == 0 && stats.ierrors == 0 && stats.oerrors == 0 &&
			stats.rx_nombuf == 0, "port %u counts losses", i);
		CHECK(stats.opackets == kernel_stats(ports[i].ifname).rx_packets,
			"port %u and the kernel disagree", i);
		in += stats.ipackets;
		out += stats.opackets;
	}
	/* All that were received were sent, and those that came home sent once. */
	CHECK(out == passed + NB_CIRCLING, "%" PRIu64 " sent, %" PRIu64 " passed on", out, passed);
	CHECK(in >= out, "%" PRIu64 " received of %" PRIu64, in, out);
}

static void
circle(void)
{
	const struct port_conf conf = { .pool = pool, .nb_rx = NB_QUEUES, .nb_tx = NB_QUEUES };
	unsigned int i, n, in_use;
	uint64_t passed = 0;

	rig_case("10 million packets each way");
	for (i = 0; i < RTE_DIM(ports); i++) {
		port_open(&ports[i], i == 0 ? "net_rtap0" : "net_rtap1", "", &conf);
		CHECK_OK(rte_eth_promiscuous_enable(ports[i].id));
		ports[i].ethertype = RTE_ETHER_TYPE_IPV4;
	}
	kernel_forwards();
	for (i = 0; i < NB_CIRCLING; i++)
		packet_make(i);
	for (i = 0; i < NB_CIRCLING; i++)
		packet_start(i);

	while (passed < 1000) {
		WAIT_FOR((n = forward_all()) > 0, "no packet moves");
		passed += n;
	}
	in_use = rte_mempool_in_use_count(pool);
	while (passed < NB_PACKETS) {
		WAIT_FOR((n = forward_all()) > 0, "no packet moves");
		passed += n;
	}
	/* What a port keeps for the packets to come is bounded. */
	CHECK(rte_mempool_in_use_count(pool) <= in_use + 4 * NB_CIRCLING, "%u mbufs in use",
		rte_mempool_in_use_count(pool));
	bring_home();
	check_stats(passed);
	for (i = 0; i < RTE_DIM(ports); i++)
		port_close(&ports[i]);
	pool_check_full(pool);
}

/*
 * More than the application reads
 */

struct flood {
	int sock;
	unsigned int accepted;		/* by the kernel, to be sent */
	RTE_ATOMIC(bool) done;
};

/* Frames carry a number right behind the Ethernet header. */
static uint32_t
flood_number(const struct rte_mbuf *m)
{
	uint32_t number;

	memcpy(&number, rte_pktmbuf_mtod_offset(m, void *, RTE_ETHER_HDR_LEN), sizeof(number));
	return number;
}

static void *
flood_kernel(void *arg)
{
	struct flood *flood = arg;
	uint8_t data[FRAME_MIN];
	uint32_t i;

	frame_write(data, sizeof(data), 0);
	for (i = 1; i <= NB_FLOOD; i++) {
		memcpy(data + RTE_ETHER_HDR_LEN, &i, sizeof(i));
		if (send(flood->sock, data, sizeof(data), 0) > 0)
			flood->accepted++;
		else
			CHECK(errno == ENOBUFS, "send: %s", strerror(errno));
	}
	rte_atomic_store_explicit(&flood->done, true, rte_memory_order_release);
	return NULL;
}

/* In order, and none twice. */
static uint16_t
read_flood(const struct port *port, uint32_t *last)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = port_rx_burst(port, 0, pkts, RTE_DIM(pkts)), i;

	for (i = 0; i < n; i++) {
		uint32_t number = flood_number(pkts[i]);

		CHECK(number > *last, "packet %u after %u", number, *last);
		*last = number;
	}
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static void
flood(void)
{
	const struct port_conf conf = { .pool = pool };
	struct flood flood = {0};
	struct rte_eth_stats stats;
	unsigned int received = 0;
	struct port port;
	pthread_t thread;
	uint32_t last = 0;
	uint16_t n;

	rig_case("more packets than are read");
	port_open(&port, "net_rtap0", "", &conf);
	flood.sock = kernel_open(&port, ETHERTYPE_TEST);
	CHECK_OK(pthread_create(&thread, NULL, flood_kernel, &flood));
	while (!rte_atomic_load_explicit(&flood.done, rte_memory_order_acquire)) {
		received += read_flood(&port, &last);
		usleep(100);
	}
	CHECK_OK(pthread_join(thread, NULL));
	while ((n = read_flood(&port, &last)) > 0)
		received += n;

	stats = port_stats(&port);
	fprintf(stderr, "%u sent, %u received, %" PRIu64 " missed\n", flood.accepted, received,
		stats.imissed);
	CHECK(received < NB_FLOOD, "all were read, there was no flood");
	CHECK(stats.ipackets >= received, "%" PRIu64 " counted", stats.ipackets);
	CHECK(received + stats.imissed == flood.accepted, "some are unaccounted for");
	close(flood.sock);
	port_close(&port);
	pool_check_full(pool);
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	flood();
	circle();
	return rig_done();
}
