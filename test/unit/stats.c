/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_stats.[ch]: every frame is counted, under the right names, until the next reset. */

#include <stdio.h>
#include <string.h>

#include <rte_mempool.h>

#include "unit_queue.h"

#define NB_XSTATS 256

static struct rte_mempool *pool;
static struct rtap_rxq *rxq;
static struct rtap_txq *txq;
static const struct virtio_net_hdr_v1 no_hdr;
static const uint8_t broadcast[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/*
 * Helpers
 */

static unsigned int
xstats_get(struct rte_eth_xstat_name *names, struct rte_eth_xstat *values)
{
	int n = rtap_xstats_get_names(&unit_dev, NULL, 0);

	if (n < 1 || n > NB_XSTATS || rtap_xstats_get_names(&unit_dev, names, n) != n ||
	    rtap_xstats_get(&unit_dev, values, n) != n)
		return 0;
	return n;
}

static uint64_t
xstat(const char *name)
{
	struct rte_eth_xstat_name names[NB_XSTATS];
	struct rte_eth_xstat values[NB_XSTATS];
	unsigned int i, n = xstats_get(names, values);

	for (i = 0; i < n; i++)
		if (strcmp(names[i].name, name) == 0)
			return values[i].value;
	printf("\n    no xstat %s", name);
	return UINT64_MAX;
}

/* The sum of all statistics whose names begin so: rx_size, "": all. */
static uint64_t
xstats_sum(const char *prefix)
{
	struct rte_eth_xstat_name names[NB_XSTATS];
	struct rte_eth_xstat values[NB_XSTATS];
	unsigned int i, n = xstats_get(names, values);
	uint64_t sum = 0;

	for (i = 0; i < n; i++)
		if (strncmp(names[i].name, prefix, strlen(prefix)) == 0)
			sum += values[i].value;
	return sum;
}

static bool
receive(const struct virtio_net_hdr_v1 *hdr, const void *data, uint32_t len)
{
	struct rte_mbuf *m;

	if (!unit_frame_send(hdr, data, len) || rtap_rx_burst(rxq, &m, 1) != 1)
		return false;
	rte_pktmbuf_free(m);
	return true;
}

static bool
transmit(struct rte_mbuf *m, const void *data, uint32_t len)
{
	return rtap_tx_burst(txq, &m, 1) == 1 && unit_frame_receive(&no_hdr, data, len);
}

/*
 * Classes
 */

static void
test_size(void)
{
	unsigned int class;
	uint32_t len;

	for (len = 0; len <= RTAP_FRAME_MAX; len++) {
		class = rtap_frame_size(len);
		UNIT_ASSERT_AT(class < RTAP_NB_SIZES, len);
		UNIT_ASSERT_AT(class == 0 ? len < 64 : len >= 32U << class, len);
		UNIT_ASSERT_AT(len < 64U << class, len);
	}
}

/* A destination address at any place, and with every way that it is split into two segments. */
static void
test_cast(void)
{
	static const struct {
		uint8_t addr[RTE_ETHER_ADDR_LEN];
		enum rtap_cast cast;
	} cases[] = {
		{ { 0x02, 0, 0, 0, 0, 1 }, RTAP_UNICAST },
		{ { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff }, RTAP_UNICAST },
		{ { 0x01, 0, 0x5e, 0, 0, 1 }, RTAP_MULTICAST },
		{ { 0x33, 0x33, 0, 0, 0, 1 }, RTAP_MULTICAST },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe }, RTAP_MULTICAST },
		{ { 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff }, RTAP_MULTICAST },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, RTAP_BROADCAST },
	};
	unsigned int i, at;

	for (i = 0; i < RTE_DIM(cases); i++) {
		for (at = 0; at < 8; at++) {
			uint8_t room[16];

			memcpy(&room[at], cases[i].addr, RTE_ETHER_ADDR_LEN);
			UNIT_ASSERT_AT(rtap_frame_cast(&room[at]) == cases[i].cast, i * 8 + at);
		}
		for (at = 1; at <= RTE_ETHER_ADDR_LEN; at++) {
			struct rtap_frame_stats stats = {0};
			struct rte_mbuf *m = unit_mbuf_guarded(pool, cases[i].addr,
				RTE_ETHER_ADDR_LEN, at, 1);

			rtap_frame_count(&stats, m);
			rte_pktmbuf_free(m);
			UNIT_ASSERT_AT(stats.cast[cases[i].cast] == 1 && stats.size[0] == 1,
				i * 8 + at);
		}
	}
}

/*
 * Names and values
 */

static void
test_names(void)
{
	struct rte_eth_xstat_name names[NB_XSTATS];
	struct rte_eth_xstat values[NB_XSTATS];
	unsigned int i, j, n = xstats_get(names, values);

	CU_ASSERT(n > 0);
	CU_ASSERT_EQUAL(rtap_xstats_get(&unit_dev, values, n - 1), (int)n);
	for (i = 0; i < n; i++) {
		UNIT_ASSERT_AT(values[i].id == i && names[i].name[0] != '\0', i);
		for (j = 0; j < i; j++)
			UNIT_ASSERT_AT(strcmp(names[i].name, names[j].name) != 0, i);
	}
}

/* The last of a class and the first of the next, each to another kind of address. */
static void
test_frames(void)
{
	static uint8_t data[2048];
	uint32_t len;

	for (len = 63; len < 2048; len = len % 2 != 0 ? len + 1 : 2 * len - 1) {
		memset(data, 0, sizeof(data));
		CU_ASSERT(receive(&no_hdr, data, len));
		data[0] = 1;
		CU_ASSERT(transmit(unit_mbuf(pool, data, len, 3, 200), data, len));
		memcpy(data, broadcast, sizeof(broadcast));
		CU_ASSERT(receive(&no_hdr, data, len));
		CU_ASSERT(transmit(unit_mbuf_guarded(pool, data, len, len, 0), data, len));
	}
	CU_ASSERT_EQUAL(xstat("rx_size_0_to_63_packets"), 2);
	CU_ASSERT_EQUAL(xstat("tx_size_0_to_63_packets"), 2);
	CU_ASSERT_EQUAL(xstat("rx_size_64_to_127_packets"), 4);
	CU_ASSERT_EQUAL(xstat("tx_size_64_to_127_packets"), 4);
	CU_ASSERT_EQUAL(xstat("rx_size_512_to_1023_packets"), 4);
	CU_ASSERT_EQUAL(xstat("tx_size_512_to_1023_packets"), 4);
	CU_ASSERT_EQUAL(xstat("rx_size_1024_to_2047_packets"), 4);
	CU_ASSERT_EQUAL(xstat("tx_size_1024_to_2047_packets"), 4);
	CU_ASSERT_EQUAL(xstats_sum("rx_size_"), rxq->stats.packets);
	CU_ASSERT_EQUAL(xstats_sum("tx_size_"), txq->stats.packets);
	CU_ASSERT_EQUAL(xstat("rx_unicast_packets"), 11);
	CU_ASSERT_EQUAL(xstat("rx_multicast_packets"), 0);
	CU_ASSERT_EQUAL(xstat("rx_broadcast_packets"), 11);
	CU_ASSERT_EQUAL(xstat("tx_unicast_packets"), 0);
	CU_ASSERT_EQUAL(xstat("tx_multicast_packets"), 11);
	CU_ASSERT_EQUAL(xstat("tx_broadcast_packets"), 11);
}

static void
test_offloads(void)
{
	const struct virtio_net_hdr_v1 valid = { .flags = VIRTIO_NET_HDR_F_DATA_VALID };
	static struct unit_frame frame;
	struct virtio_net_hdr_v1 none = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = rte_cpu_to_le_16(34),
		.csum_offset = rte_cpu_to_le_16(6),
	};
	struct rte_mbuf *m;

	unit_frame_build(&frame, &(struct unit_frame_spec){ .ip = 4, .proto = IPPROTO_UDP,
		.payload = 100 });
	rxq->check_ip_csum = true;
	CU_ASSERT(receive(&valid, frame.data, frame.len));
	CU_ASSERT(receive(&none, frame.data, frame.len));
	frame.data[24] ^= 1;
	CU_ASSERT(receive(&none, frame.data, frame.len));
	CU_ASSERT_EQUAL(xstat("rx_csum_good_packets"), 1);
	CU_ASSERT_EQUAL(xstat("rx_csum_none_packets"), 2);
	CU_ASSERT_EQUAL(xstat("rx_ip_csum_bad_packets"), 1);
	CU_ASSERT_EQUAL(xstat("rx_lro_packets"), 0);
	rxq->stats.discarded += 5;
	CU_ASSERT_EQUAL(xstat("rx_discarded_packets"), 5);

	m = unit_mbuf_frame(pool, &frame);
	m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	CU_ASSERT_EQUAL(rtap_tx_burst(txq, &m, 1), 1);
	m = unit_mbuf_frame(pool, &frame);
	m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
	CU_ASSERT_EQUAL(rtap_tx_burst(txq, &m, 1), 1);
	CU_ASSERT_EQUAL(xstat("tx_ip_csum_packets"), 1);
	CU_ASSERT_EQUAL(xstat("tx_csum_packets"), 1);
	CU_ASSERT_EQUAL(xstat("tx_tso_packets"), 0);
}

static void
test_ring(void)
{
	static uint8_t data[64];
	struct rte_mbuf *m;

	CU_ASSERT_EQUAL(rtap_rx_burst(rxq, &m, 1), 0);
	CU_ASSERT_EQUAL(xstat("rx_polls_armed"), unit_mode->uring ? 1 : 0);
	CU_ASSERT_EQUAL(xstat("rx_system_calls"), unit_mode->uring ? 2 : 1);
	CU_ASSERT(transmit(unit_mbuf(pool, data, 64, 64, 0), data, 64));
	CU_ASSERT_EQUAL(xstat("tx_system_calls"), 1);
	CU_ASSERT_EQUAL(xstat("rx_ring_handovers") + xstat("tx_ring_handovers"), 0);
}

/* The kernel's counters stay where they were: there is no interface. */
static void
test_kernel(void)
{
	struct rtap_dev *rtap = rtap_dev(&unit_dev);

	rtap->kernel_base[RTAP_KERNEL_TX_DROPPED] = 3;
	rtap->kernel[RTAP_KERNEL_TX_DROPPED] = 10;
	CU_ASSERT_EQUAL(xstat("kernel_tx_dropped"), 7);
	CU_ASSERT_EQUAL(xstats_sum("kernel_"), 7);
	CU_ASSERT_EQUAL(rtap_stats_reset(&unit_dev), 0);
	CU_ASSERT_EQUAL(xstats_sum("kernel_"), 0);
}

static void
test_reset(void)
{
	static uint8_t data[64];
	uint64_t sum;

	CU_ASSERT_EQUAL(xstats_sum(""), 0);
	CU_ASSERT(receive(&no_hdr, data, sizeof(data)));
	CU_ASSERT(transmit(unit_mbuf(pool, data, 64, 64, 0), data, 64));
	sum = xstats_sum("");
	CU_ASSERT(sum >= 6); /* class of size, destination and system call, both ways */

	/* Queues come and go. */
	unit_queues_close();
	rxq = unit_rxq_open(pool, 64, RTE_ETH_RX_OFFLOAD_SCATTER);
	txq = unit_txq_open(64);
	CU_ASSERT_EQUAL(xstats_sum(""), sum);
	CU_ASSERT(receive(&no_hdr, data, sizeof(data)));
	CU_ASSERT(transmit(unit_mbuf(pool, data, 64, 64, 0), data, 64));
	CU_ASSERT(xstats_sum("") > sum);
	CU_ASSERT_EQUAL(xstats_sum("rx_size_") + xstats_sum("tx_size_"), 4);
	CU_ASSERT_EQUAL(rtap_stats_reset(&unit_dev), 0);
	CU_ASSERT_EQUAL(xstats_sum(""), 0);
	CU_ASSERT(receive(&no_hdr, data, sizeof(data)));
	CU_ASSERT_EQUAL(xstats_sum("rx_size_"), 1);
}

/*
 * Runner
 */

static void
set_up(void)
{
	unit_ring_set_up();
	rtap_ring_close(&unit_ring);
	unit_dev_init();
	rtap_dev(&unit_dev)->mtu_asked = unit_dev.data->mtu = 2048;
	rxq = unit_rxq_open(pool, 64, RTE_ETH_RX_OFFLOAD_SCATTER);
	txq = unit_txq_open(64);
	CU_ASSERT_FATAL(rxq != NULL && txq != NULL);
}

static void
tear_down(void)
{
	unit_queues_close();
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), 0);
	unit_ring_tear_down();
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "sizes", test_size },
		{ "destinations", test_cast },
		{ "names", test_names },
		{ "frames", test_frames },
		{ "offloads", test_offloads },
		{ "ring", test_ring },
		{ "kernel", test_kernel },
		{ "reset", test_reset },
		CU_TEST_INFO_NULL,
	};

	unit_eal_init();
	pool = unit_pool("pool", 511, 256 + RTE_PKTMBUF_HEADROOM);
	return unit_ring_run(tests, set_up, tear_down);
}
