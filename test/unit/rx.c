/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_rx.c: frames of all sizes into mbufs of all sizes, and headers good and bad. */

#include <string.h>
#include <sys/socket.h>

#include <rte_mempool.h>

#include "unit_rx.h"

static struct unit_frame frame;

/*
 * Sizes
 */

/* Every size around the end of a segment, up to the largest. */
static void
all_sizes(uint32_t max)
{
	uint32_t end, len, n = 0;

	for (end = rxq->seg0_len; end <= max + 1; end += rxq->seg_len)
		for (len = end - 2; len <= end + 2 && len <= max; len++)
			UNIT_ASSERT_AT(goes_through(n++, len), len);
	for (len = RTE_ETHER_HDR_LEN; len < 70; len++)
		UNIT_ASSERT_AT(goes_through(n++, len), len);
	for (len = max - 3; len <= max; len++)
		UNIT_ASSERT_AT(goes_through(n++, len), len);
	CU_ASSERT(is_empty());
	CU_ASSERT_EQUAL(rxq->stats.packets, n);
	CU_ASSERT_EQUAL(rxq->stats.bad_header + rxq->stats.truncated + rxq->stats.nombuf, 0);
}

static void
test_sizes_usual(void)
{
	rxq = unit_rxq_open(usual, 512, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	CU_ASSERT_EQUAL(unit_dev.data->scattered_rx, 0);
	all_sizes(1522);
}

static void
test_sizes_exact(void)
{
	rxq = unit_rxq_open(exact, 512, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	CU_ASSERT_EQUAL(rxq->seg0_len, 1523);
	all_sizes(1522);
}

static void
test_sizes_scattered(void)
{
	rxq = unit_rxq_open(small, 512, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	CU_ASSERT_EQUAL(unit_dev.data->scattered_rx, 1);
	all_sizes(1522);
}

static void
test_sizes_odd(void)
{
	set_mtu(9000);
	rxq = unit_rxq_open(odd, 512, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	all_sizes(9022);
}

static void
test_sizes_lro(void)
{
	unit_dev.data->dev_conf.rxmode.offloads = LRO;
	rxq = unit_rxq_open(usual, 512, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	all_sizes(RTAP_FRAME_MAX);
	unit_queues_close();
	rxq = unit_rxq_open(small, 4096, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	all_sizes(RTAP_FRAME_MAX);
}

/* A set-up that would have to cut frames off is refused, and leaves nothing behind. */
static void
test_too_small(void)
{
	rte_log_set_level(rtap_logtype, RTE_LOG_EMERG);
	/* One byte less than is needed to tell a frame that fits from one that was cut off. */
	set_mtu(1501);
	CU_ASSERT_PTR_NULL(unit_rxq_open(exact, 64, 0));
	set_mtu(1500);
	CU_ASSERT_PTR_NULL(unit_rxq_open(small, 64, 0));
	unit_dev.data->dev_conf.rxmode.offloads = LRO;
	CU_ASSERT_PTR_NULL(unit_rxq_open(usual, 64, 0));
	CU_ASSERT_PTR_NULL(unit_dev.data->rx_queues[0]);
	rte_log_set_level(rtap_logtype, RTE_LOG_NOTICE);
}

/*
 * A TAP cuts off what does not fit and says nothing. Nothing cut off is handed up.
 */
static void
test_truncated(void)
{
	uint32_t len, cut = 0;

	rxq = unit_rxq_open(exact, 512, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (len = 1523; len < 1530; len++) {
		CU_ASSERT(put(0, len));
		UNIT_ASSERT_AT(rtap_rx_burst(rxq, pkts, 1) == 0, len);
		UNIT_ASSERT_AT(rxq->stats.truncated == ++cut, len);
		UNIT_ASSERT_AT(goes_through(len, 1522), len);
	}
	CU_ASSERT(put(0, 60000));
	CU_ASSERT(put(1, 60));
	CU_ASSERT_EQUAL(rtap_rx_burst(rxq, pkts, 1), 0);
	CU_ASSERT(take(1, 60));
	CU_ASSERT_EQUAL(rxq->stats.truncated, cut + 1);
	CU_ASSERT_EQUAL(rxq->stats.packets, 8);
}

static void
test_truncated_scattered(void)
{
	uint32_t room, len, cut = 0;

	rxq = unit_rxq_open(small, 512, SCATTER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	room = rxq->seg0_len + (rxq->segs - 1) * rxq->seg_len;
	CU_ASSERT(room > 1522);
	CU_ASSERT(goes_through(0, room - 1));
	for (len = room; len < room + 3; len++) {
		CU_ASSERT(put(0, len));
		UNIT_ASSERT_AT(rtap_rx_burst(rxq, pkts, 1) == 0, len);
		UNIT_ASSERT_AT(rxq->stats.truncated == ++cut, len);
		UNIT_ASSERT_AT(goes_through(len, 1000), len);
	}
	CU_ASSERT(is_empty());
}

/* Less than a virtio-net header and an Ethernet header. */
static void
test_runts(void)
{
	static const uint8_t zeros[64];
	size_t len;

	rxq = unit_rxq_open(usual, 512, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (len = 1; len < RTAP_VNET_HDR_LEN + RTE_ETHER_HDR_LEN; len++) {
		CU_ASSERT_EQUAL(send(unit_peer, zeros, len, 0), (ssize_t)len);
		UNIT_ASSERT_AT(rtap_rx_burst(rxq, pkts, 1) == 0, len);
		UNIT_ASSERT_AT(rxq->stats.bad_header == len, len);
	}
	CU_ASSERT(goes_through(0, RTE_ETHER_HDR_LEN));
	CU_ASSERT_EQUAL(rxq->stats.packets, 1);
	CU_ASSERT_EQUAL(rxq->stats.bytes, RTE_ETHER_HDR_LEN);
	CU_ASSERT_EQUAL(rxq->stats.truncated, 0);
}

/*
 * Headers
 */

static void
test_offloads(void)
{
	struct virtio_net_hdr_v1 hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = rte_cpu_to_le_16(1448),
		.csum_start = rte_cpu_to_le_16(34),
		.csum_offset = rte_cpu_to_le_16(16),
	};
	unsigned int i;

	unit_frame_build(&frame, &(struct unit_frame_spec){
		.ip = 4, .proto = IPPROTO_TCP, .payload = 30000 });
	unit_dev.data->dev_conf.rxmode.offloads = LRO;
	rxq = unit_rxq_open(odd, 4096, SCATTER | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	for (i = 0; i < 2; i++) {
		CU_ASSERT(unit_frame_send(&hdr, frame.data, frame.len));
		CU_ASSERT_EQUAL_FATAL(rtap_rx_burst(rxq, pkts, 1), 1);
		CU_ASSERT_EQUAL(pkts[0]->ol_flags, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE |
			(i == 0 ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : RTE_MBUF_F_RX_IP_CKSUM_BAD));
		CU_ASSERT_EQUAL(pkts[0]->tso_segsz, 1448);
		CU_ASSERT_EQUAL(pkts[0]->l4_len, 20);
		CU_ASSERT(unit_mbuf_equal(pkts[0], frame.data, frame.len));
		rte_pktmbuf_free(pkts[0]);
		frame.data[14 + 8]++;
	}
	CU_ASSERT_EQUAL(rxq->stats.lro, 2);

	/* An mbuf that carried all that has none of it the next time. */
	for (i = 0; i < NB_MBUFS; i++)
		UNIT_ASSERT_AT(goes_through(i, 60), i);
	CU_ASSERT_EQUAL(rxq->stats.lro, 2);
}

/* Unless it is asked for, nobody looks at the IPv4 checksum. */
static void
test_no_offloads(void)
{
	unit_frame_build(&frame, &(struct unit_frame_spec){
		.ip = 4, .proto = IPPROTO_TCP, .payload = 100 });
	rxq = unit_rxq_open(usual, 64, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rxq);
	CU_ASSERT(unit_frame_send(&no_hdr, frame.data, frame.len));
	CU_ASSERT_EQUAL_FATAL(rtap_rx_burst(rxq, pkts, 1), 1);
	CU_ASSERT_EQUAL(pkts[0]->ol_flags, 0);
	CU_ASSERT_EQUAL(pkts[0]->packet_type,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP);
	rte_pktmbuf_free(pkts[0]);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "sizes, usual mbufs", test_sizes_usual },
		{ "sizes, mbufs that just hold them", test_sizes_exact },
		{ "sizes, scattered", test_sizes_scattered },
		{ "sizes, odd mbufs", test_sizes_odd },
		{ "sizes, LRO", test_sizes_lro },
		{ "mbufs too small", test_too_small },
		{ "truncated", test_truncated },
		{ "truncated, scattered", test_truncated_scattered },
		{ "runts", test_runts },
		{ "offloads", test_offloads },
		{ "no offloads", test_no_offloads },
		CU_TEST_INFO_NULL,
	};

	return unit_rx_run(tests);
}
