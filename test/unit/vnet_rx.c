/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_vnet_rx.h, kernel to application: virtio-net header -> mbuf. */

#include <errno.h>
#include <string.h>

#include "unit_vnet.h"

#define CKSUM_MASK RTE_MBUF_F_RX_L4_CKSUM_MASK
#define CKSUM_NONE RTE_MBUF_F_RX_L4_CKSUM_NONE
#define CKSUM_GOOD RTE_MBUF_F_RX_L4_CKSUM_GOOD

static struct rte_mbuf *
mbuf(void)
{
	return unit_mbuf(pool, frame.data, frame.len, frame.len, 0);
}

static bool
has_lens(const struct rte_mbuf *m)
{
	return m->l2_len == frame.l2_len && m->l3_len == frame.l3_len && m->l4_len == frame.l4_len;
}

static uint32_t
l2_ptype(const struct unit_frame_spec *spec)
{
	if (spec->tpid[0] == 0)
		return RTE_PTYPE_L2_ETHER;
	return spec->tpid[1] == 0 ? RTE_PTYPE_L2_ETHER_VLAN : RTE_PTYPE_L2_ETHER_QINQ;
}

/*
 * Well-formed headers
 */

static void
test_no_flags(void)
{
	const struct virtio_net_hdr_v1 hdr = {0};
	unsigned int i;

	for (i = 0; i < NB_SHAPES; i++) {
		struct rte_mbuf *m;

		build(&shapes[i], IPPROTO_TCP, 100);
		m = mbuf();
		UNIT_ASSERT_AT(rtap_vnet_rx(m, &hdr) == 0, i);
		UNIT_ASSERT_AT(m->ol_flags == 0, i);
		UNIT_ASSERT_AT(has_lens(m), i);
		UNIT_ASSERT_AT((m->packet_type & RTE_PTYPE_L2_MASK) == l2_ptype(&shapes[i]), i);
		UNIT_ASSERT_AT((m->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_TCP, i);
		UNIT_ASSERT_AT(frame.ip == 4 ? RTE_ETH_IS_IPV4_HDR(m->packet_type) != 0 :
			RTE_ETH_IS_IPV6_HDR(m->packet_type) != 0, i);
		UNIT_ASSERT_AT(unit_mbuf_equal(m, frame.data, frame.len), i);
		rte_pktmbuf_free(m);
	}
	build(&(struct unit_frame_spec){0}, 0, 100);
	CU_ASSERT_EQUAL(rx_ret(hdr), 0);
}

/* What is in an ICMP packet is none of a packet type's business. */
static void
test_icmp(void)
{
	const struct virtio_net_hdr_v1 hdr = {0};
	struct rte_mbuf *m;
	unsigned int i;

	build(&(struct unit_frame_spec){ .ip = 4 }, IPPROTO_ICMP, 64);
	for (i = 0; i < 256; i++) {
		/* Identifier and sequence number, whatever they look like. */
		memset(&frame.data[14 + 20 + 4], i, 4);
		m = mbuf();
		UNIT_ASSERT_AT(rtap_vnet_rx(m, &hdr) == 0, i);
		UNIT_ASSERT_AT((m->packet_type & ~RTE_PTYPE_L4_MASK) ==
			(RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4), i);
		rte_pktmbuf_free(m);
	}
}

static void
test_data_valid(void)
{
	static const struct {
		struct unit_frame_spec spec;
		uint64_t ol_flags;
	} cases[] = {
		{ { .ip = 4, .proto = IPPROTO_TCP }, CKSUM_GOOD },
		{ { .ip = 6, .proto = IPPROTO_TCP }, CKSUM_GOOD },
		{ { .ip = 4, .proto = IPPROTO_UDP }, CKSUM_GOOD },
		{ { .ip = 6, .proto = IPPROTO_UDP, .tpid = { 0x8100 } }, CKSUM_GOOD },
		{ { .ip = 4, .proto = IPPROTO_SCTP }, CKSUM_GOOD },
		{ { .ip = 6, .proto = IPPROTO_ICMPV6 }, 0 },
		{ { .ip = 4, .proto = IPPROTO_UDP, .fragment = true }, 0 },
		{ { .ip = 6, .proto = IPPROTO_UDP, .fragment = true, .ip_extra = 8 }, 0 },
		{ { .ip = 0 }, 0 },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		uint64_t ol_flags;

		build(&cases[i].spec, cases[i].spec.proto, 50);
		UNIT_ASSERT_AT(rx((struct virtio_net_hdr_v1){ .flags = DATA_VALID },
			&ol_flags) == 0, i);
		UNIT_ASSERT_AT(ol_flags == cases[i].ol_flags, i);
	}
}

/* The data is good, the field is not: the application is told so, and nothing is written. */
static void
test_needs_csum(void)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	unsigned int i;

	for (i = 0; i < NB_SHAPES * RTE_DIM(protos); i++) {
		struct virtio_net_hdr_v1 hdr;
		struct rte_mbuf *m;

		build(&shapes[i / 2], protos[i % 2], 333);
		hdr = hdr_csum();
		hdr.hdr_len = rte_cpu_to_le_16(0xbeef); /* a hint, not to be relied upon */
		m = mbuf();
		UNIT_ASSERT_AT(rtap_vnet_rx(m, &hdr) == 0, i);
		UNIT_ASSERT_AT(m->ol_flags == CKSUM_NONE, i);
		UNIT_ASSERT_AT(has_lens(m), i);
		UNIT_ASSERT_AT(m->tso_segsz == 0, i);
		UNIT_ASSERT_AT(unit_mbuf_equal(m, frame.data, frame.len), i);
		rte_pktmbuf_free(m);
	}
}

/* Whatever else is said of it, an unfinished checksum is unfinished. */
static void
test_needs_csum_and_valid(void)
{
	struct virtio_net_hdr_v1 hdr;
	uint64_t ol_flags;

	build(&shapes[0], IPPROTO_TCP, 1);
	hdr = hdr_csum();
	hdr.flags |= DATA_VALID | 0xf8;
	CU_ASSERT_EQUAL(rx(hdr, &ol_flags), 0);
	CU_ASSERT_EQUAL(ol_flags, CKSUM_NONE);
}

/*
 * GSO_ECN is a bit on top: dropping such packets stalls every ECN connection. So does, for a
 * VLAN device of protocol 802.1ad on the TAP, mistaking its single tag for two.
 */
static void
test_gso(void)
{
	static const uint8_t ecn[] = { 0, GSO_ECN };
	unsigned int i;

	for (i = 0; i < NB_SHAPES * RTE_DIM(ecn); i++) {
		struct unit_frame_spec spec = shapes[i / 2];
		struct virtio_net_hdr_v1 hdr;
		struct rte_mbuf *m;

		spec.tcp_extra = 4 * (i % 11);
		build(&spec, IPPROTO_TCP, 20000);
		hdr = hdr_gso((spec.ip == 4 ? GSO_TCPV4 : GSO_TCPV6) | ecn[i % 2], 1448 + i);
		hdr.hdr_len = rte_cpu_to_le_16(i);
		m = mbuf();
		UNIT_ASSERT_AT(rtap_vnet_rx(m, &hdr) == 0, i);
		UNIT_ASSERT_AT(m->ol_flags == (RTE_MBUF_F_RX_LRO | CKSUM_NONE), i);
		UNIT_ASSERT_AT(m->tso_segsz == 1448 + i, i);
		UNIT_ASSERT_AT(has_lens(m), i);
		UNIT_ASSERT_AT((m->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_TCP, i);
		UNIT_ASSERT_AT(unit_mbuf_equal(m, frame.data, frame.len), i);
		rte_pktmbuf_free(m);
	}
}

static void
test_gso_udp(void)
{
	unsigned int i;

	for (i = 0; i < NB_SHAPES; i++) {
		struct virtio_net_hdr_v1 hdr;
		struct rte_mbuf *m;

		build(&shapes[i], IPPROTO_UDP, 20000);
		hdr = hdr_gso(GSO_UDP_L4, 1400 + i);
		m = mbuf();
		UNIT_ASSERT_AT(rtap_vnet_rx(m, &hdr) == 0, i);
		UNIT_ASSERT_AT(m->ol_flags == (RTE_MBUF_F_RX_LRO | CKSUM_NONE), i);
		UNIT_ASSERT_AT(m->tso_segsz == 1400 + i, i);
		UNIT_ASSERT_AT(has_lens(m), i);
		UNIT_ASSERT_AT((m->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP, i);
		UNIT_ASSERT_AT(unit_mbuf_equal(m, frame.data, frame.len), i);
		rte_pktmbuf_free(m);
	}
}

/* The header in segments of any shape; VLAN tags lie in the first segment of an Rx buffer. */
static void
test_gso_segments(void)
{
	struct virtio_net_hdr_v1 hdr;
	unsigned int i, first;

	for (i = 0; i < NB_SHAPES; i++) {
		build(&shapes[i], IPPROTO_TCP, 100);
		hdr = hdr_gso(frame.ip == 4 ? GSO_TCPV4 : GSO_TCPV6, 10);
		for (first = min_first(); first < frame.len; first++) {
			struct rte_mbuf *m = unit_mbuf_guarded(pool, frame.data, frame.len, first,
				1 + frame.len / 8);

			UNIT_ASSERT_AT(rtap_vnet_rx(m, &hdr) == 0, i * 1000 + first);
			UNIT_ASSERT_AT(rx_flags(m) == (RTE_MBUF_F_RX_LRO | CKSUM_NONE), first);
			UNIT_ASSERT_AT(has_lens(m), i * 1000 + first);
			UNIT_ASSERT_AT(unit_mbuf_equal(m, frame.data, frame.len), first);
			rte_pktmbuf_free(m);
		}
	}
}

/* The outermost tag of TPID 0x8100 goes, and everything is that much nearer. */
static void
test_strip(void)
{
	unsigned int i;

	for (i = 0; i < NB_SHAPES; i++) {
		const struct unit_frame_spec *spec = &shapes[i];
		const bool strips = spec->tpid[0] == RTE_ETHER_TYPE_VLAN;
		const struct virtio_net_hdr_v1 hdr = {0};
		struct rte_mbuf *m;
		uint16_t tci;

		build(spec, IPPROTO_TCP, 50);
		m = mbuf();
		UNIT_ASSERT_AT(rtap_vnet_rx(m, &hdr) == 0, i);
		rtap_vnet_rx_strip(m);
		UNIT_ASSERT_AT(m->ol_flags == (strips ?
			RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED : 0), i);
		if (!strips) {
			UNIT_ASSERT_AT(has_lens(m) && unit_mbuf_equal(m, frame.data, frame.len), i);
			rte_pktmbuf_free(m);
			continue;
		}
		tci = unit_get16(&frame.data[14]);
		UNIT_ASSERT_AT(m->vlan_tci == tci, i);
		memmove(&frame.data[12], &frame.data[16], frame.len - 16);
		frame.len -= 4;
		frame.l2_len -= 4;
		UNIT_ASSERT_AT(has_lens(m) && unit_mbuf_equal(m, frame.data, frame.len), i);
		UNIT_ASSERT_AT((m->packet_type & RTE_PTYPE_L2_MASK) ==
			(spec->tpid[1] == 0 ? RTE_PTYPE_L2_ETHER : RTE_PTYPE_L2_ETHER_VLAN), i);
		UNIT_ASSERT_AT((m->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_TCP, i);
		rte_pktmbuf_free(m);
	}
}

/* Too short for a tag, whatever the ethertype says. */
static void
test_strip_runts(void)
{
	const struct virtio_net_hdr_v1 hdr = {0};
	unsigned int len;

	build(&(struct unit_frame_spec){ .ip = 4, .tpid = { 0x8100, 0x8100 } }, IPPROTO_UDP, 0);
	for (len = 14; len <= 22; len++) {
		struct rte_mbuf *m;

		frame.len = len;
		m = mbuf();
		UNIT_ASSERT_AT(rtap_vnet_rx(m, &hdr) == 0, len);
		rtap_vnet_rx_strip(m);
		UNIT_ASSERT_AT(m->pkt_len == (len < 18 ? len : len - 4), len);
		UNIT_ASSERT_AT(m->l2_len <= 18, len);
		rte_pktmbuf_free(m);
	}
}

/*
 * Malformed headers: dropped, and no byte beyond the packet is touched
 */

static void
test_bad_gso(void)
{
	static const struct {
		uint8_t ip, proto, type;
		uint16_t size;
	} bad[] = {
		{ 4, IPPROTO_TCP, GSO_TCPV4, 0 },
		{ 6, IPPROTO_TCP, GSO_TCPV6, 0 },
		{ 4, IPPROTO_TCP, GSO_TCPV4 | GSO_ECN, 0 },
		{ 4, IPPROTO_TCP, GSO_TCPV6, 1000 },
		{ 6, IPPROTO_TCP, GSO_TCPV4, 1000 },
		{ 4, IPPROTO_UDP, GSO_TCPV4, 1000 },
		{ 6, IPPROTO_UDP, GSO_TCPV6, 1000 },
		{ 4, IPPROTO_UDP, VIRTIO_NET_HDR_GSO_UDP, 1000 },
		{ 4, IPPROTO_UDP, GSO_UDP_L4, 0 },
		{ 4, IPPROTO_TCP, GSO_UDP_L4, 1000 },
		{ 6, IPPROTO_SCTP, GSO_UDP_L4, 1000 },
		{ 0, IPPROTO_UDP, GSO_UDP_L4, 1000 },
		{ 6, IPPROTO_UDP, GSO_UDP_L4 | GSO_ECN, 1000 },
		{ 4, IPPROTO_TCP, 2, 1000 },
		{ 4, IPPROTO_TCP, 0x20 | GSO_TCPV4, 1000 }, /* GSO_UDP_TUNNEL_IPV4 */
		{ 4, IPPROTO_TCP, 0x7f, 1000 },
		{ 4, IPPROTO_TCP, 0xff, 1000 },
		{ 4, IPPROTO_TCP, GSO_ECN, 1000 },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(bad); i++) {
		build(&(struct unit_frame_spec){ .ip = bad[i].ip }, bad[i].proto, 3000);
		UNIT_ASSERT_AT(rx_ret(hdr_gso(bad[i].type, bad[i].size)) == -EINVAL, i);
	}
}

static void
test_bad_gso_csum(void)
{
	struct virtio_net_hdr_v1 hdr;
	unsigned int i;

	build(&shapes[0], IPPROTO_TCP, 3000);
	hdr = hdr_gso(GSO_TCPV4, 1000);
	CU_ASSERT_EQUAL(rx_ret(hdr), 0);
	hdr.flags = 0;
	CU_ASSERT_EQUAL(rx_ret(hdr), -EINVAL);
	hdr.flags = DATA_VALID;
	CU_ASSERT_EQUAL(rx_ret(hdr), -EINVAL);

	/* One sum for all segments: there is none but TCP's own. */
	for (i = 0; i < 3; i++) {
		hdr = hdr_gso(GSO_TCPV4, 1000);
		hdr.csum_start = rte_cpu_to_le_16(33 + i);
		hdr.csum_offset = rte_cpu_to_le_16(i == 1 ? 6 : 16);
		UNIT_ASSERT_AT(rx_ret(hdr) == -EINVAL, i);
	}
}

/* The headers claim more than there is, or less than a header is. */
static void
test_bad_gso_lengths(void)
{
	unsigned int words;

	/* A UDP header that is cut off */
	for (words = 0; words <= 8; words++) {
		build(&shapes[0], IPPROTO_UDP, 0);
		frame.len -= words;
		UNIT_ASSERT_AT(rx_ret(hdr_gso(GSO_UDP_L4, 10)) == (words > 0 ? -EINVAL : 0), words);
	}
	for (words = 0; words < 16; words++) {
		build(&shapes[0], IPPROTO_TCP, 10);
		frame.data[34 + 12] = words << 4;
		UNIT_ASSERT_AT(rx_ret(hdr_gso(GSO_TCPV4, 10)) ==
			(words < 5 || 4 * words > 30 ? -EINVAL : 0), words);
	}
	build(&shapes[0], IPPROTO_TCP, 0);
	frame.len--;
	CU_ASSERT_EQUAL(rx_ret(hdr_gso(GSO_TCPV4, 10)), -EINVAL);
}

/* A frame that ends anywhere in its headers, under headers that speak of what is not there. */
static void
test_runts(void)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	unsigned int i, len, full;

	for (i = 0; i < NB_SHAPES * RTE_DIM(protos); i++) {
		build(&shapes[i / 3], protos[i % 3], 0);
		full = frame.len;
		for (len = 1; len <= full; len++) {
			struct virtio_net_hdr_v1 csum = hdr_csum(), gso;
			uint32_t end = rte_le_to_cpu_16(csum.csum_start) +
				rte_le_to_cpu_16(csum.csum_offset) + 2;

			frame.len = len;
			gso = hdr_gso(frame.ip == 4 ? GSO_TCPV4 : GSO_TCPV6, 100);
			UNIT_ASSERT_AT(rx_ret(csum) == (end > len ? -EINVAL : 0), len);
			UNIT_ASSERT_AT(rx_ret(gso) == (len == full && i % 3 == 0 ? 0 : -EINVAL),
				len);
			UNIT_ASSERT_AT(rx_ret((struct virtio_net_hdr_v1){0}) == 0, len);
			UNIT_ASSERT_AT(rx_ret((struct virtio_net_hdr_v1){
				.flags = DATA_VALID }) == 0, len);
		}
	}
}

static bool
keeps_promises(const struct rte_mbuf *m, const struct virtio_net_hdr_v1 *hdr)
{
	uint32_t l4 = m->l2_len + m->l3_len;

	if ((m->ol_flags & RTE_MBUF_F_RX_LRO) != 0 && (m->tso_segsz == 0 ||
			l4 + m->l4_len > m->pkt_len || (m->ol_flags & CKSUM_MASK) != CKSUM_NONE))
		return false;
	return (m->ol_flags & CKSUM_MASK) != CKSUM_NONE || l4 == rte_le_to_cpu_16(hdr->csum_start);
}

/*
 * Any header on any frame: two answers, no byte read or written beyond the segments (they end
 * where memory ends), and what is promised in ol_flags holds.
 */
static void
test_any_header(void)
{
	static const uint8_t protos[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMPV6, IPPROTO_GRE,
	};
	uint32_t state = 42;
	unsigned int i;

	for (i = 0; i < 200000; i++) {
		uint32_t r = unit_random(&state), r2 = unit_random(&state);
		struct virtio_net_hdr_v1 hdr = hdr_at(r2 % 128, r2 >> 28);
		struct rte_mbuf *m;
		int ret;

		build(&shapes[r % NB_SHAPES], protos[(r >> 8) % RTE_DIM(protos)], r2 % 64);
		frame.len -= (r >> 12) % frame.len;
		frame.data[r2 % frame.len] ^= r >> 20;
		hdr.flags = r >> 24;
		hdr.gso_type = (r2 >> 16) % 8 | (r >> 16 & GSO_ECN);
		hdr.gso_size = r2 >> 8 & 0xf;
		if (r2 >> 31 != 0)
			hdr.csum_start = rte_cpu_to_le_16(frame.l2_len + frame.l3_len);
		m = unit_mbuf_guarded(pool, frame.data, frame.len, 1 + r2 % 100,
			40 + (r2 >> 8) % 1000);
		ret = rtap_vnet_rx(m, &hdr);
		UNIT_ASSERT_AT(ret == 0 || ret == -EINVAL, i);
		UNIT_ASSERT_AT(m->pkt_len == frame.len, i);
		if (ret == 0)
			UNIT_ASSERT_AT(keeps_promises(m, &hdr), i);
		rte_pktmbuf_free(m);
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "no flags", test_no_flags },
		{ "ICMP", test_icmp },
		{ "DATA_VALID", test_data_valid },
		{ "NEEDS_CSUM", test_needs_csum },
		{ "NEEDS_CSUM and other flags", test_needs_csum_and_valid },
		{ "GSO, with and without ECN", test_gso },
		{ "GSO of UDP", test_gso_udp },
		{ "GSO over segments", test_gso_segments },
		{ "VLAN stripping", test_strip },
		{ "VLAN stripping of runts", test_strip_runts },
		{ "bad GSO type or size", test_bad_gso },
		{ "bad checksum with GSO", test_bad_gso_csum },
		{ "bad header lengths with GSO", test_bad_gso_lengths },
		{ "runts", test_runts },
		{ "any header", test_any_header },
		CU_TEST_INFO_NULL,
	};

	return unit_vnet_run("vnet Rx", tests);
}
