/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_vnet_tx.h and rtap_vnet_edit.h: packets in tunnels, application to kernel. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit_vnet.h"

#define OUTER4 RTE_MBUF_F_TX_OUTER_IPV4
#define OUTER6 RTE_MBUF_F_TX_OUTER_IPV6
#define OUTER_IP_CKSUM RTE_MBUF_F_TX_OUTER_IP_CKSUM
#define OUTER_UDP_CKSUM RTE_MBUF_F_TX_OUTER_UDP_CKSUM
#define VXLAN RTE_MBUF_F_TX_TUNNEL_VXLAN
#define GENEVE RTE_MBUF_F_TX_TUNNEL_GENEVE
#define IPIP RTE_MBUF_F_TX_TUNNEL_IPIP

/* Between the outer headers and the inner ones. */
static uint32_t shim = 8;

static const unsigned int all = RTAP_TUN_F_USO | RTAP_TUN_F_TUNNEL;

/* The outer packet, whose payload is the shim and then the frame. */
static struct unit_frame outer;

static uint32_t
inner_at(void)
{
	return outer.l2_len + outer.l3_len + outer.l4_len + shim;
}

/* Right in every field. */
static void
tunnel_build(const struct unit_frame_spec *shape, unsigned int ip, uint8_t proto, uint32_t payload)
{
	struct unit_frame_spec spec = { .ip = ip, .proto = IPPROTO_UDP };
	uint32_t at;

	build(shape, proto, payload);
	spec.payload = shim + frame.len;
	unit_frame_build(&outer, &spec);
	memcpy(&outer.data[inner_at()], frame.data, frame.len);
	at = unit_l4_csum_at(&outer);
	unit_put16(&outer.data[at], 0);
	unit_put16(&outer.data[at], unit_l4_csum(&outer));
}

/* An IP packet in another. */
static void
ipip_build(const struct unit_frame_spec *shape, uint8_t proto, uint32_t payload)
{
	const struct unit_frame_spec spec = { .ip = 4, .proto = IPPROTO_UDP };
	uint8_t *l3;

	build(shape, proto, payload);
	frame.len -= frame.l2_len;
	memmove(frame.data, &frame.data[frame.l2_len], frame.len);
	frame.l2_len = 0;
	unit_frame_build(&outer, &spec);
	outer.l4_len = 0;
	shim = 0;
	outer.len = inner_at() + frame.len;
	memcpy(&outer.data[inner_at()], frame.data, frame.len);
	l3 = &outer.data[outer.l2_len];
	unit_put16(l3 + 2, outer.len - outer.l2_len);
	l3[9] = frame.ip == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	unit_put16(l3 + 10, 0);
	unit_put16(l3 + 10, unit_csum(l3, outer.l3_len, 0));
}

static void
describe(struct rte_mbuf *m)
{
	m->outer_l2_len = outer.l2_len;
	m->outer_l3_len = outer.l3_len;
	m->l2_len = outer.l4_len + shim + frame.l2_len;
	m->l3_len = frame.l3_len;
	m->l4_len = frame.l4_len;
	m->tso_segsz = 1000;
	m->ol_flags |= (frame.ip == 4 ? IPV4 : IPV6) | (outer.ip == 4 ? OUTER4 : OUTER6);
}

static struct rte_mbuf *
mbuf(uint64_t ol_flags)
{
	struct rte_mbuf *m = unit_mbuf(pool, outer.data, outer.len, outer.len, 0);

	m->ol_flags = ol_flags;
	describe(m);
	return m;
}

static bool
asks_csum(const struct rtap_vnet_hdr *hdr)
{
	uint32_t l4 = inner_at() + frame.l2_len + frame.l3_len;

	return (hdr->v1.flags & NEEDS_CSUM) != 0 && rte_le_to_cpu_16(hdr->v1.csum_start) == l4 &&
		l4 + rte_le_to_cpu_16(hdr->v1.csum_offset) ==
		inner_at() + unit_l4_csum_at(&frame);
}

/*
 * Header
 */

static void
test_gso(void)
{
	struct rtap_vnet_hdr hdr;
	unsigned int i;

	for (i = 0; i < 8 * NB_SHAPES; i++) {
		uint64_t flags = TCP_SEG | ((i & 1) != 0 ? VXLAN : GENEVE);
		bool csum = (i & 2) != 0, ipv4 = (i & 4) != 0;
		struct rte_mbuf *m;

		tunnel_build(&shapes[i / 8], ipv4 ? 4 : 6, IPPROTO_TCP, 9000);
		m = mbuf(flags | (csum ? OUTER_UDP_CKSUM : 0));
		memset(&hdr, 0xff, sizeof(hdr));
		UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, all) == (
			/* Copies of headers with many extensions are not provided for. */
			csum && frame.l3_len > 400 ? -EINVAL : 0), i);
		if (!csum || frame.l3_len <= 400) {
			UNIT_ASSERT_AT(asks_csum(&hdr), i);
			UNIT_ASSERT_AT(hdr.v1.flags == (NEEDS_CSUM | (csum ? 8 : 0)), i);
			UNIT_ASSERT_AT(hdr.v1.gso_type == ((frame.ip == 4 ? GSO_TCPV4 : GSO_TCPV6) |
				(ipv4 ? 0x20 : 0x40)), i);
			UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.v1.gso_size) == 1000, i);
			UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.v1.hdr_len) == outer.len - 9000, i);
			UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.outer_th_offset) ==
				outer.l2_len + outer.l3_len, i);
			UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.inner_nh_offset) ==
				inner_at() + frame.l2_len, i);
		}
		rte_pktmbuf_free(m);
	}
}

/* The kernel would leave the outer checksum of a packet that it need not segment as it is. */
static void
test_one_segment(void)
{
	struct rtap_vnet_hdr hdr;
	unsigned int len;

	for (len = 999; len <= 1001; len++) {
		struct rte_mbuf *m;

		tunnel_build(&shapes[0], 4, IPPROTO_TCP, len);
		m = mbuf(VXLAN | TCP_SEG | OUTER_UDP_CKSUM);
		UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, all) == 0 && asks_csum(&hdr), len);
		UNIT_ASSERT_AT((hdr.v1.gso_type != 0) == (len > 1000), len);
		UNIT_ASSERT_AT(rtap_vnet_tx_is_tunnel_gso(&hdr) == (len > 1000), len);
		UNIT_ASSERT_AT(hdr.v1.flags == (NEEDS_CSUM | (len > 1000 ? 8 : 0)), len);
		rte_pktmbuf_free(m);
	}
}

/* Tags that are inserted move everything. */
static void
test_tags(void)
{
	struct rtap_vnet_hdr hdr, plain;
	struct rte_mbuf *m;

	tunnel_build(&shapes[0], 4, IPPROTO_TCP, 3000);
	m = mbuf(VXLAN | TCP_SEG);
	CU_ASSERT_EQUAL(rtap_vnet_tx(m, &plain, all), 0);
	m->ol_flags |= RTE_MBUF_F_TX_QINQ;
	CU_ASSERT_EQUAL(rtap_vnet_tx(m, &hdr, all), 0);
	CU_ASSERT_EQUAL(rte_le_to_cpu_16(hdr.outer_th_offset),
		rte_le_to_cpu_16(plain.outer_th_offset) + 8);
	CU_ASSERT_EQUAL(rte_le_to_cpu_16(hdr.inner_nh_offset),
		rte_le_to_cpu_16(plain.inner_nh_offset) + 8);
	CU_ASSERT_EQUAL(rte_le_to_cpu_16(hdr.v1.csum_start),
		rte_le_to_cpu_16(plain.v1.csum_start) + 8);
	rte_pktmbuf_free(m);
}

static void
test_csum(void)
{
	static const uint64_t outers[] = { 0, VXLAN, GENEVE, VXLAN | OUTER_IP_CKSUM,
		OUTER_IP_CKSUM | OUTER_UDP_CKSUM, GENEVE | OUTER_UDP_CKSUM };
	struct rtap_vnet_hdr hdr;
	struct rte_mbuf *m;
	unsigned int i;

	for (i = 0; i < RTE_DIM(outers); i++) {
		tunnel_build(&shapes[i % 4], 4, IPPROTO_UDP, 100);
		m = mbuf(outers[i] | UDP_CKSUM);
		UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, 0) == 0 && asks_csum(&hdr), i);
		UNIT_ASSERT_AT(hdr.v1.flags == NEEDS_CSUM && hdr.v1.gso_type == 0, i);
		UNIT_ASSERT_AT(!rtap_vnet_tx_is_tunnel_gso(&hdr), i);
		rte_pktmbuf_free(m);
	}
	/* All in front of the inner IP header is L2 to an application without outer offloads. */
	tunnel_build(&shapes[0], 4, IPPROTO_UDP, 100);
	m = mbuf(VXLAN | UDP_CKSUM);
	m->l2_len += m->outer_l2_len + m->outer_l3_len;
	m->outer_l2_len = 0;
	m->outer_l3_len = 0;
	CU_ASSERT(rtap_vnet_tx(m, &hdr, 0) == 0 && asks_csum(&hdr));
	rte_pktmbuf_free(m);
}

/* The kernel finishes a checksum anywhere, and segments in two kinds of tunnel. */
static void
test_others(void)
{
	static const uint64_t others[] = {
		RTE_MBUF_F_TX_TUNNEL_GRE, RTE_MBUF_F_TX_TUNNEL_IPIP,
		RTE_MBUF_F_TX_TUNNEL_MPLSINUDP, RTE_MBUF_F_TX_TUNNEL_VXLAN_GPE,
		RTE_MBUF_F_TX_TUNNEL_GTP, RTE_MBUF_F_TX_TUNNEL_IP, RTE_MBUF_F_TX_TUNNEL_UDP,
	};
	struct rtap_vnet_hdr hdr;
	struct rte_mbuf *m;
	unsigned int i;

	tunnel_build(&shapes[0], 4, IPPROTO_TCP, 3000);
	for (i = 0; i < RTE_DIM(others); i++) {
		m = mbuf(others[i] | TCP_CKSUM);
		UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, 0) == 0 && asks_csum(&hdr), i);
		UNIT_ASSERT_AT(hdr.v1.gso_type == 0, i);
		UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, 0) == 0, i);
		m->ol_flags ^= TCP_CKSUM | TCP_SEG;
		UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, all) == -ENOTSUP, i);
		UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, all) == -ENOTSUP, i);
		rte_pktmbuf_free(m);
	}
}

static void
test_unsupported(void)
{
	static const struct {
		uint64_t flags;
		unsigned int tun;
		int ret;
	} cases[] = {
		{ VXLAN | TCP_SEG, all, 0 },
		{ VXLAN | TCP_SEG, RTAP_TUN_F_USO, -ENOTSUP },
		{ GENEVE | TCP_SEG, 0, -ENOTSUP },
		{ TCP_SEG, all, -ENOTSUP },		/* an outer header of what? */
		{ TCP_SEG | OUTER_UDP_CKSUM, all, -ENOTSUP },
		{ VXLAN | UDP_SEG, all, -ENOTSUP },
		{ VXLAN | TCP_CKSUM | OUTER_UDP_CKSUM, 0, 0 },
	};
	struct rtap_vnet_hdr hdr;
	struct rte_mbuf *m;
	unsigned int i;

	tunnel_build(&shapes[0], 4, IPPROTO_TCP, 3000);
	for (i = 0; i < RTE_DIM(cases); i++) {
		m = mbuf(cases[i].flags);
		UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, cases[i].tun) == cases[i].ret, i);
		rte_pktmbuf_free(m);
	}
}

static void
test_bad_lengths(void)
{
	static const struct {
		uint64_t flags;
		uint16_t outer_l2, outer_l3, l2, l3, len;
		int ret;
	} cases[] = {
		{ IPV4 | TCP_SEG | VXLAN | OUTER4, 14, 20, 30, 20, 200, 0 },
		{ IPV4 | TCP_SEG | VXLAN | OUTER6, 14, 40, 30, 20, 200, 0 },
		{ IPV4 | TCP_SEG | VXLAN, 14, 20, 30, 20, 200, -EINVAL },
		{ IPV4 | TCP_SEG | VXLAN | OUTER4 | OUTER6, 14, 40, 30, 20, 200, -EINVAL },
		{ IPV4 | TCP_SEG | VXLAN | OUTER4, 13, 20, 30, 20, 200, -EINVAL },
		{ IPV4 | TCP_SEG | VXLAN | OUTER4, 0, 20, 30, 20, 200, -EINVAL },
		{ IPV4 | TCP_SEG | VXLAN | OUTER4, 14, 19, 30, 20, 200, -EINVAL },
		{ IPV4 | TCP_SEG | VXLAN | OUTER6, 14, 39, 30, 20, 200, -EINVAL },
		{ IPV4 | TCP_SEG | VXLAN | OUTER4, 14, 20, 7, 20, 200, -EINVAL },
		{ IPV4 | TCP_SEG | VXLAN | OUTER4, 14, 20, 8, 20, 200, 0 },
		{ IPV4 | TCP_SEG | VXLAN | OUTER4, 14, 20, 0, 20, 200, -EINVAL },
		{ IPV4 | TCP_SEG | VXLAN | OUTER4, 14, 20, 127, 20, 200, -EINVAL },
		{ IPV4 | TCP_CKSUM | VXLAN | OUTER4 | OUTER_UDP_CKSUM, 14, 20, 7, 20, 99, -EINVAL },
		{ IPV4 | TCP_CKSUM | VXLAN | OUTER4 | OUTER_UDP_CKSUM, 14, 20, 0, 20, 99, -EINVAL },
		{ IPV4 | IP_CKSUM | VXLAN | OUTER4 | OUTER_UDP_CKSUM, 14, 20, 0, 20, 200, -EINVAL },
		{ IPV4 | TCP_CKSUM | IPIP | OUTER4, 0, 0, 0, 20, 200, -EINVAL },
		{ IPV4 | IP_CKSUM | IPIP | OUTER4, 0, 0, 0, 20, 200, -EINVAL },
		{ IPV4 | TCP_CKSUM, 14, 20, 0, 20, 200, -EINVAL },
		{ IPV4 | TCP_CKSUM | IPIP | OUTER4, 14, 20, 0, 20, 200, 0 },
		{ OUTER4 | OUTER_UDP_CKSUM, 14, 20, 0, 0, 42, 0 },
		{ OUTER4 | OUTER_UDP_CKSUM, 14, 20, 0, 0, 41, -EINVAL },
		{ OUTER6 | OUTER_UDP_CKSUM, 14, 40, 0, 0, 62, 0 },
		{ OUTER6 | OUTER_UDP_CKSUM, 14, 40, 0, 0, 61, -EINVAL },
		{ OUTER_UDP_CKSUM, 14, 20, 0, 0, 60, -EINVAL },
		{ OUTER4 | OUTER_IP_CKSUM, 14, 20, 0, 0, 34, 0 },
		{ OUTER_IP_CKSUM, 14, 20, 0, 0, 34, 0 },
		{ OUTER_IP_CKSUM, 14, 20, 0, 0, 33, -EINVAL },
		{ OUTER6 | OUTER_IP_CKSUM, 14, 40, 0, 0, 60, -EINVAL },
		{ OUTER4 | OUTER_IP_CKSUM, 14, 61, 0, 0, 99, -EINVAL },
		{ OUTER4 | OUTER_IP_CKSUM, 14, 19, 0, 0, 99, -EINVAL },
		{ IPV4 | IP_CKSUM | OUTER4 | OUTER_IP_CKSUM, 14, 20, 30, 20, 84, 0 },
		{ IPV4 | IP_CKSUM | OUTER4 | OUTER_IP_CKSUM, 14, 20, 30, 20, 83, -EINVAL },
		/* More than there is room for in a copy */
		{ IPV4 | IP_CKSUM | VXLAN | OUTER6, 14, 310, 30, 20, 600, 0 },
		{ IPV4 | IP_CKSUM | VXLAN | OUTER6, 14, 311, 30, 20, 600, -EINVAL },
		{ IPV6 | TCP_CKSUM | VXLAN | OUTER6 | OUTER_UDP_CKSUM, 14, 40, 30, 290, 600, 0 },
		{ IPV6 | TCP_CKSUM | VXLAN | OUTER6 | OUTER_UDP_CKSUM, 14, 40, 30, 291, 600,
			-EINVAL },
		{ IPV6 | TCP_CKSUM | VXLAN | OUTER6, 14, 40, 30, 511, 800, 0 },
	};
	static const uint8_t zeros[1000];
	struct rtap_vnet_hdr hdr;
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		struct rte_mbuf *m = unit_mbuf_guarded(pool, zeros, cases[i].len, cases[i].len, 0);

		m->ol_flags |= cases[i].flags;
		m->outer_l2_len = cases[i].outer_l2;
		m->outer_l3_len = cases[i].outer_l3;
		m->l2_len = cases[i].l2;
		m->l3_len = cases[i].l3;
		m->l4_len = 20;
		m->tso_segsz = 10;
		UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, all) == cases[i].ret, i);
		if (cases[i].ret == 0 && (cases[i].flags & RTAP_TX_EDIT) != 0)
			UNIT_ASSERT_AT(rtap_vnet_edit_len(m, &hdr) <= RTAP_TX_EDIT_MAX, i);
		rte_pktmbuf_free(m);
	}
}

/*
 * Checksums. "Right" is the packet as it was built, once the kernel has finished the inner one.
 */

static void
kernel_completes(uint8_t *packet)
{
	uint8_t *inner = packet + inner_at();
	uint32_t l4 = frame.l2_len + frame.l3_len;
	uint16_t sum = unit_csum(inner + l4, frame.len - l4, 0);

	unit_put16(inner + unit_l4_csum_at(&frame), sum == 0 ? 0xffff : sum);
}

/* Spoil what is asked for, prepare, edit; is all as it was? With headers in a copy, or in place. */
static bool
comes_right(uint64_t flags, uint16_t first, uint16_t rest, bool copy)
{
	static uint8_t sent[sizeof(outer.data)];
	struct rte_mbuf *m = unit_mbuf(pool, outer.data, outer.len, first, rest);
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *), edited[RTAP_TX_EDIT_MAX];
	struct rtap_vnet_hdr hdr = {0};
	uint32_t len;
	bool ok;

	m->ol_flags = flags;
	describe(m);
	if ((flags & OUTER_IP_CKSUM) != 0)
		unit_put16(data + outer.l2_len + 10, 0xbeef);
	if ((flags & IP_CKSUM) != 0)
		unit_put16(data + inner_at() + frame.l2_len + 10, 0xbeef);
	if ((flags & OUTER_UDP_CKSUM) != 0)
		unit_put16(data + unit_l4_csum_at(&outer), 0xbeef);
	if ((flags & (RTE_MBUF_F_TX_L4_MASK | TCP_SEG)) != 0)
		unit_put16(data + inner_at() + unit_l4_csum_at(&frame), 0xbeef);

	ok = rtap_vnet_tx_prepare(m, all) == 0 && rtap_vnet_tx(m, &hdr, all) == 0;
	len = rtap_vnet_edit_len(m, &hdr);
	ok &= len <= sizeof(edited) && len <= first;
	if (ok && copy) {
		memcpy(edited, data, len);
		rtap_vnet_edit(m, &hdr, edited, len);
	} else if (ok) {
		rtap_vnet_edit(m, &hdr, data, len);
	}
	memcpy(sent, rte_pktmbuf_read(m, 0, m->pkt_len, sent), m->pkt_len);
	if (ok && copy)
		memcpy(sent, edited, len);
	rte_pktmbuf_free(m);
	if (hdr.v1.flags != 0)
		kernel_completes(sent);
	return ok && memcmp(sent, outer.data, outer.len) == 0;
}

static void
test_edit(void)
{
	static const uint64_t inner[] = { 0, UDP_CKSUM };
	unsigned int i, j;

	for (i = 0; i < 8 * NB_SHAPES; i++) {
		const struct unit_frame_spec *shape = &shapes[i / 8];
		uint64_t flags = VXLAN | inner[i & 1] | ((i & 2) != 0 ? OUTER_UDP_CKSUM : 0);

		if (shape->ip_extra > 200)
			continue;
		flags |= shape->ip == 4 ? IP_CKSUM : 0;
		for (j = 0; j < 40; j++) {
			tunnel_build(shape, (i & 4) != 0 ? 4 : 6, IPPROTO_UDP, 200 + j);
			if (outer.ip == 4)
				flags |= OUTER_IP_CKSUM;
			UNIT_ASSERT_AT(comes_right(flags, outer.len, 0, j % 2 == 0), i * 100 + j);
			UNIT_ASSERT_AT(comes_right(flags, 210 + j, 17, j % 2 == 0), i * 100 + j);
		}
	}
}

/* The inner IP header right behind the outer one. */
static void
test_edit_ipip(void)
{
	unsigned int i, j;

	for (i = 0; i < 4 * NB_SHAPES; i++) {
		const struct unit_frame_spec *shape = &shapes[i / 4];
		uint64_t flags = IPIP | OUTER_IP_CKSUM | (shape->ip == 4 ? IP_CKSUM : 0);

		if (shape->ip_extra > 200)
			continue;
		for (j = 0; j < 40; j++) {
			ipip_build(shape, (i & 1) != 0 ? IPPROTO_TCP : IPPROTO_UDP, 100 + j);
			flags |= (i & 1) != 0 ? TCP_CKSUM : UDP_CKSUM;
			UNIT_ASSERT_AT(comes_right(flags, outer.len, 0, (i & 2) != 0),
				i * 100 + j);
		}
	}
	shim = 8;
}

/* Headers of odd length: the inner sum belongs in the other halves of the outer one. */
static void
test_edit_odd(void)
{
	uint8_t *data, *udp;
	struct rtap_vnet_hdr hdr = {0};
	struct rte_mbuf *m;
	uint64_t flags;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		uint16_t sum;

		tunnel_build(&shapes[0], 4, IPPROTO_UDP, 101);
		/* One byte between the shim and the inner frame */
		memmove(&outer.data[inner_at() + 1], &outer.data[inner_at()], frame.len);
		outer.len++;
		unit_put16(&outer.data[14 + 20 + 4], outer.len - 14 - 20);
		flags = VXLAN | OUTER_UDP_CKSUM | (i == 0 ? 0 : UDP_CKSUM);
		m = unit_mbuf(pool, outer.data, outer.len, outer.len - 7, 7);
		m->ol_flags = flags;
		describe(m);
		m->l2_len++;
		data = rte_pktmbuf_mtod(m, uint8_t *);
		udp = data + 14 + 20;
		CU_ASSERT(rtap_vnet_tx_prepare(m, all) == 0 && rtap_vnet_tx(m, &hdr, all) == 0);
		rtap_vnet_edit(m, &hdr, data, rtap_vnet_edit_len(m, &hdr));
		memcpy(outer.data, rte_pktmbuf_read(m, 0, m->pkt_len, outer.data), m->pkt_len);
		if (i == 1) {
			uint8_t *l4 = outer.data + inner_at() + 1 + 34;

			sum = unit_csum(l4, frame.len - 34, 0);
			unit_put16(l4 + 6, sum);
		}
		memcpy(&sum, udp + 6, sizeof(sum));
		CU_ASSERT_NOT_EQUAL(sum, 0);
		unit_put16(&outer.data[14 + 20 + 6], 0);
		CU_ASSERT_EQUAL(rte_be_to_cpu_16(sum), unit_l4_csum(&outer));
		rte_pktmbuf_free(m);
	}
}

/* 0 would mean that there is none. */
static void
test_edit_zero(void)
{
	unsigned int seen = 0, i;

	for (i = 0; i < 65536; i++) {
		uint8_t *data;
		struct rtap_vnet_hdr hdr;
		struct rte_mbuf *m;

		if (i == 0)
			tunnel_build(&shapes[0], 4, IPPROTO_UDP, 4);
		unit_put16(&outer.data[outer.len - 2], i);
		m = mbuf(VXLAN | OUTER_UDP_CKSUM);
		data = rte_pktmbuf_mtod(m, uint8_t *);
		UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, all) == 0, i);
		rtap_vnet_edit(m, &hdr, data, rtap_vnet_edit_len(m, &hdr));
		UNIT_ASSERT_AT(unit_get16(data + 14 + 20 + 6) != 0, i);
		seen += unit_get16(data + 14 + 20 + 6) == 0xffff;
		rte_pktmbuf_free(m);
	}
	CU_ASSERT(seen > 0);
}

/*
 * Preparation of a packet to be segmented
 */

static void
test_prepare_gso(void)
{
	unsigned int i;

	for (i = 0; i < 4 * NB_SHAPES; i++) {
		uint32_t at, l4;
		struct rte_mbuf *m;
		uint8_t *data;

		tunnel_build(&shapes[i / 4], (i & 1) != 0 ? 4 : 6, IPPROTO_TCP, 3000);
		if (frame.l3_len > 200)
			continue;
		at = unit_l4_csum_at(&outer);
		l4 = outer.l2_len + outer.l3_len;
		m = mbuf(VXLAN | TCP_SEG | ((i & 2) != 0 ? OUTER_UDP_CKSUM : 0));
		data = rte_pktmbuf_mtod(m, uint8_t *);
		if ((i & 2) != 0) {
			UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, all) == 0, i);
			UNIT_ASSERT_AT(unit_get16(data + at) ==
				unit_phdr_sum(&outer, outer.len - l4), i);
		} else {
			/* Wrong in all segments, unless it is 0 */
			UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, all) == -EINVAL, i);
			UNIT_ASSERT_AT(unit_mbuf_equal(m, outer.data, outer.len), i);
			unit_put16(data + at, 0);
			UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, all) == 0, i);
			UNIT_ASSERT_AT(unit_get16(data + at) == 0, i);
		}
		kernel_completes(data);
		UNIT_ASSERT_AT(memcmp(data + inner_at(), frame.data, frame.len) == 0, i);
		rte_pktmbuf_free(m);
	}
}

/* Any flags and lengths on any bytes: no byte beyond the segments, or the copy, is touched. */
static void
test_anything(void)
{
	static const uint64_t flags[] = { IPV4, IPV6, OUTER4, OUTER6, IP_CKSUM, TCP_CKSUM,
		UDP_CKSUM, TCP_SEG, UDP_SEG, OUTER_IP_CKSUM, OUTER_UDP_CKSUM, VXLAN, GENEVE, IPIP,
		0, 0 };
	uint32_t state = 815;
	unsigned int i, j, edits = 0;

	tunnel_build(&shapes[2], 4, IPPROTO_TCP, 400);
	for (i = 0; i < 200000; i++) {
		uint32_t r = unit_random(&state), r2 = unit_random(&state);
		uint32_t r3 = unit_random(&state);
		uint32_t len = 1 + r % outer.len, edit = 0;
		struct rte_mbuf *m = unit_mbuf_guarded(pool, outer.data, len, 1 + r2 % 200,
			64 + r2 % 400);
		struct rtap_vnet_hdr hdr;
		uint8_t *copy;

		for (j = 0; j < 5; j++)
			m->ol_flags |= flags[r3 >> 4 * j & 15];
		m->outer_l2_len = (r & 1) != 0 ? 14 : r >> 25;
		m->outer_l3_len = (r & 2) != 0 ? 20 : r2 >> 23;
		m->l2_len = r2 >> 3 & ((r & 8) != 0 ? 31 : 127);
		m->l3_len = r3 >> 20 & ((r & 4) != 0 ? 63 : 511);
		m->l4_len = 20 + (r2 >> 17 & 15);
		m->tso_segsz = 1 + (r >> 22 & 63);
		if (rtap_vnet_tx_prepare(m, all) == 0 && rtap_vnet_tx(m, &hdr, all) == 0 &&
		    (m->ol_flags & RTAP_TX_EDIT) != 0)
			edit = rtap_vnet_edit_len(m, &hdr);
		UNIT_ASSERT_AT(edit <= RTAP_TX_EDIT_MAX && edit <= len, i);
		if (edit != 0) {
			copy = malloc(edit);
			memcpy(copy, rte_pktmbuf_read(m, 0, edit, copy), edit);
			rtap_vnet_edit(m, &hdr, copy, edit);
			free(copy);
			edits++;
		}
		rte_pktmbuf_free(m);
	}
	CU_ASSERT(edits > 1000);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "segmentation", test_gso },
		{ "one segment only", test_one_segment },
		{ "tags to be inserted", test_tags },
		{ "checksum", test_csum },
		{ "other tunnels", test_others },
		{ "unsupported", test_unsupported },
		{ "bad lengths", test_bad_lengths },
		{ "edit checksums", test_edit },
		{ "edit IP in IP", test_edit_ipip },
		{ "edit with headers of odd length", test_edit_odd },
		{ "edit a checksum of 0", test_edit_zero },
		{ "prepare segmentation", test_prepare_gso },
		{ "anything", test_anything },
		CU_TEST_INFO_NULL,
	};

	return unit_vnet_run("vnet tunnels", tests);
}
