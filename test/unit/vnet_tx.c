/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_vnet_tx.h, application to kernel: mbuf -> virtio-net header, and rte_eth_tx_prepare(). */

#include <errno.h>
#include <string.h>

#include "unit_vnet.h"

#define IPV4 RTE_MBUF_F_TX_IPV4
#define IPV6 RTE_MBUF_F_TX_IPV6
#define IP_CKSUM RTE_MBUF_F_TX_IP_CKSUM
#define TCP_CKSUM RTE_MBUF_F_TX_TCP_CKSUM
#define UDP_CKSUM RTE_MBUF_F_TX_UDP_CKSUM
#define SCTP_CKSUM RTE_MBUF_F_TX_SCTP_CKSUM
#define TCP_SEG RTE_MBUF_F_TX_TCP_SEG
#define UDP_SEG RTE_MBUF_F_TX_UDP_SEG
#define VLAN RTE_MBUF_F_TX_VLAN
#define QINQ RTE_MBUF_F_TX_QINQ

#define FIN 0x01
#define ACK 0x10
#define ECE 0x40
#define CWR 0x80

/* What the kernel can do of what not every kernel can. */
static unsigned int tun = RTAP_TUN_F_USO | RTAP_TUN_F_TUNNEL;

static void
build_tcp(uint8_t flags, uint16_t options, uint32_t payload)
{
	unit_frame_build(&frame, &(struct unit_frame_spec){
		.ip = 4,
		.proto = IPPROTO_TCP,
		.tcp_flags = flags,
		.tcp_extra = options,
		.payload = payload,
	});
}

static struct rte_mbuf *
mbuf(uint64_t ol_flags)
{
	struct rte_mbuf *m = unit_mbuf_frame(pool, &frame);

	m->ol_flags = ol_flags;
	return m;
}

static uint64_t
ip_flag(void)
{
	return frame.ip == 4 ? IPV4 : IPV6;
}

/* Hand the mbuf to the driver and free it. A header is written in any case. */
static int
tx(struct rte_mbuf *m, struct rtap_vnet_hdr *hdr)
{
	int ret;

	memset(hdr, 0xff, sizeof(*hdr));
	ret = rtap_vnet_tx(m, hdr, tun);
	rte_pktmbuf_free(m);
	return ret;
}

static bool
is_zero(const struct rtap_vnet_hdr *hdr)
{
	static const struct rtap_vnet_hdr zero;

	return memcmp(hdr, &zero, sizeof(zero)) == 0;
}

static bool
asks_csum(const struct rtap_vnet_hdr *hdr)
{
	uint32_t l4 = frame.l2_len + frame.l3_len;

	return hdr->v1.flags == NEEDS_CSUM && rte_le_to_cpu_16(hdr->v1.csum_start) == l4 &&
		l4 + rte_le_to_cpu_16(hdr->v1.csum_offset) == unit_l4_csum_at(&frame) &&
		hdr->v1.num_buffers == 0;
}

/*
 * The header
 */

static void
test_no_offload(void)
{
	static const uint64_t flags[] = { 0, IPV4, IPV6, RTE_MBUF_F_TX_OUTER_IPV4,
		RTE_MBUF_F_TX_TUNNEL_VXLAN, RTE_MBUF_F_TX_TUNNEL_GRE | IPV4,
		RTE_MBUF_F_TX_OUTER_IPV6 | IPV4, RTE_MBUF_F_RX_L4_CKSUM_GOOD,
		RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE, ~RTE_MBUF_F_TX_OFFLOAD_MASK &
		~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT) };
	struct rtap_vnet_hdr hdr;
	unsigned int i;

	for (i = 0; i < RTE_DIM(flags); i++) {
		struct rte_mbuf *m;

		build_tcp(CWR, 0, 100);
		m = mbuf(flags[i]);
		m->tso_segsz = 10;
		UNIT_ASSERT_AT(tx(m, &hdr) == 0 && is_zero(&hdr), i);
	}
	/* Lengths mean nothing then. */
	build(&(struct unit_frame_spec){0}, 0, 1);
	frame.l2_len = 100;
	CU_ASSERT_EQUAL(tx(mbuf(0), &hdr), 0);
	CU_ASSERT(is_zero(&hdr));
}

static void
test_csum(void)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct rtap_vnet_hdr hdr;
	unsigned int i;

	for (i = 0; i < 2 * 2 * NB_SHAPES; i++) {
		uint64_t flags;

		build(&shapes[i / 4], protos[i % 2], 77);
		flags = ip_flag() | (i % 2 == 0 ? TCP_CKSUM : UDP_CKSUM);
		if (frame.ip == 4 && (i & 2) != 0)
			flags |= IP_CKSUM;
		UNIT_ASSERT_AT(tx(mbuf(flags), &hdr) == 0, i);
		UNIT_ASSERT_AT(asks_csum(&hdr), i);
		UNIT_ASSERT_AT(hdr.v1.gso_type == 0 && hdr.v1.gso_size == 0 &&
			hdr.v1.hdr_len == 0, i);
	}
}

/* An IPv4 header checksum is the driver's own business. */
static void
test_ip_csum_only(void)
{
	struct rtap_vnet_hdr hdr;

	build(&shapes[0], IPPROTO_UDP, 10);
	CU_ASSERT_EQUAL(tx(mbuf(IPV4 | IP_CKSUM), &hdr), 0);
	CU_ASSERT(is_zero(&hdr));
}

static void
test_tso(void)
{
	struct rtap_vnet_hdr hdr;
	unsigned int i;

	for (i = 0; i < 2 * NB_SHAPES; i++) {
		struct unit_frame_spec spec = shapes[i / 2];
		struct rte_mbuf *m;

		spec.tcp_extra = 4 * (i % 11);
		build(&spec, IPPROTO_TCP, 9000);
		m = mbuf(ip_flag() | TCP_SEG | (i % 2 == 0 ? 0 : TCP_CKSUM));
		m->tso_segsz = 1000 + i;
		UNIT_ASSERT_AT(tx(m, &hdr) == 0, i);
		UNIT_ASSERT_AT(asks_csum(&hdr), i);
		UNIT_ASSERT_AT(hdr.v1.gso_type == (spec.ip == 4 ? GSO_TCPV4 : GSO_TCPV6), i);
		UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.v1.gso_size) == 1000 + i, i);
		UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.v1.hdr_len) == frame.len - 9000, i);
	}
}

static void
test_uso(void)
{
	struct rtap_vnet_hdr hdr;
	unsigned int i;

	for (i = 0; i < 2 * NB_SHAPES; i++) {
		struct rte_mbuf *m;

		build(&shapes[i / 2], IPPROTO_UDP, 9000);
		m = mbuf(ip_flag() | UDP_SEG | (i % 2 == 0 ? 0 : UDP_CKSUM));
		m->tso_segsz = 1000 + i;
		UNIT_ASSERT_AT(tx(m, &hdr) == 0, i);
		UNIT_ASSERT_AT(asks_csum(&hdr), i);
		UNIT_ASSERT_AT(hdr.v1.gso_type == GSO_UDP_L4, i);
		UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.v1.gso_size) == 1000 + i, i);
		UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.v1.hdr_len) == frame.len - 9000, i);
	}
}

/* What fits into one segment is not segmented: the kernel may drop it otherwise. */
static void
test_one_segment(void)
{
	static const uint64_t flags[] = { IPV4 | TCP_SEG, IPV4 | UDP_SEG };
	struct rtap_vnet_hdr hdr;
	unsigned int i, len;

	for (i = 0; i < RTE_DIM(flags); i++) {
		for (len = 0; len < 200; len++) {
			struct rte_mbuf *m;

			if (i == 0)
				build_tcp(CWR, 40, len);
			else
				build(&shapes[0], IPPROTO_UDP, len);
			m = mbuf(flags[i]);
			m->tso_segsz = 100;
			UNIT_ASSERT_AT(tx(m, &hdr) == 0 && asks_csum(&hdr), len);
			UNIT_ASSERT_AT((hdr.v1.gso_type != 0) == (len > 100), len);
			UNIT_ASSERT_AT((hdr.v1.gso_size != 0) == (len > 100), len);
		}
	}
}

/* CWR belongs in the first segment only; the kernel knows that if told so. */
static void
test_tso_cwr(void)
{
	static const uint8_t flags[] = {
		0, ACK, ACK | ECE, ACK | CWR, CWR | ECE | FIN, 0xff, 0x7f,
	};
	struct rtap_vnet_hdr hdr;
	unsigned int i, first;

	for (i = 0; i < RTE_DIM(flags); i++) {
		build_tcp(flags[i], 12, 200);
		/* Where the first segment ends: before, at and after the byte with the flag. */
		for (first = 1; first <= frame.len; first++) {
			struct rte_mbuf *m = unit_mbuf_guarded(pool, frame.data, frame.len, first,
				1 + frame.len / 8);

			m->ol_flags |= IPV4 | TCP_SEG;
			m->l2_len = 14;
			m->l3_len = 20;
			m->l4_len = 32;
			m->tso_segsz = 100;
			UNIT_ASSERT_AT(tx(m, &hdr) == 0, first);
			UNIT_ASSERT_AT(hdr.v1.gso_type == (GSO_TCPV4 |
				((flags[i] & CWR) != 0 ? GSO_ECN : 0)), first);
		}
	}
}

/* The kernel computes Internet checksums, of one header, and segments TCP and UDP: nothing else. */
static void
test_unsupported(void)
{
	static const uint64_t others[] = {
		RTE_MBUF_F_TX_SEC_OFFLOAD, RTE_MBUF_F_TX_MACSEC, RTE_MBUF_F_TX_IEEE1588_TMST,
	};
	static const uint64_t supported[] = { 0, IPV4, IPV4 | IP_CKSUM, IPV4 | TCP_CKSUM,
		IPV4 | UDP_CKSUM, IPV4 | TCP_SEG, IPV4 | IP_CKSUM | TCP_CKSUM | TCP_SEG };
	struct rtap_vnet_hdr hdr;
	unsigned int i, j;

	build_tcp(ACK, 0, 100);
	for (i = 0; i < RTE_DIM(others); i++) {
		for (j = 0; j < RTE_DIM(supported); j++) {
			struct rte_mbuf *m = mbuf(others[i] | supported[j]);

			m->tso_segsz = 10;
			UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, tun) == -ENOTSUP, i * 10 + j);
			UNIT_ASSERT_AT(unit_mbuf_equal(m, frame.data, frame.len), i * 10 + j);
			UNIT_ASSERT_AT(tx(m, &hdr) == -ENOTSUP, i * 10 + j);
		}
	}
}

/* Kernels differ. */
static void
test_unsupported_here(void)
{
	struct rtap_vnet_hdr hdr;
	struct rte_mbuf *m;

	build(&shapes[0], IPPROTO_UDP, 500);
	tun = 0;
	m = mbuf(IPV4 | UDP_SEG);
	m->tso_segsz = 100;
	CU_ASSERT_EQUAL(rtap_vnet_tx_prepare(m, tun), -ENOTSUP);
	CU_ASSERT_EQUAL(tx(m, &hdr), -ENOTSUP);
	tun = RTAP_TUN_F_USO | RTAP_TUN_F_TUNNEL;
	m = mbuf(IPV4 | UDP_SEG);
	m->tso_segsz = 100;
	CU_ASSERT_EQUAL(tx(m, &hdr), 0);
}

/* A CRC32c, not an Internet checksum. */
static void
test_sctp(void)
{
	struct rtap_vnet_hdr hdr;
	struct rte_mbuf *m;

	build(&shapes[0], IPPROTO_SCTP, 100);
	CU_ASSERT_EQUAL(tx(mbuf(IPV4 | SCTP_CKSUM), &hdr), -ENOTSUP);
	CU_ASSERT_EQUAL(tx(mbuf(IPV4 | IP_CKSUM | SCTP_CKSUM), &hdr), -ENOTSUP);
	m = mbuf(IPV4 | SCTP_CKSUM);
	CU_ASSERT_EQUAL(rtap_vnet_tx_prepare(m, tun), -ENOTSUP);
	rte_pktmbuf_free(m);
}

/*
 * Lengths that contradict the packet, or each other
 */

static void
test_bad_lengths(void)
{
	static const struct {
		uint64_t flags;
		uint16_t l2, l3, l4, len, segsz;
		int ret;
	} cases[] = {
		{ IPV4 | TCP_CKSUM, 14, 20, 20, 54, 0, 0 },
		{ IPV4 | TCP_CKSUM, 0, 20, 20, 54, 0, -EINVAL },
		{ IPV4 | TCP_CKSUM, 14, 0, 20, 54, 0, -EINVAL },
		{ IPV4 | TCP_CKSUM, 14, 20, 0, 52, 0, 0 },
		{ IPV4 | TCP_CKSUM, 14, 20, 0, 51, 0, -EINVAL },
		{ IPV4 | TCP_CKSUM, 14, 20, 0, 14, 0, -EINVAL },
		{ IPV4 | TCP_CKSUM, 127, 511, 0, 64, 0, -EINVAL },
		{ IPV4 | UDP_CKSUM, 14, 20, 8, 42, 0, 0 },
		{ IPV4 | UDP_CKSUM, 14, 20, 8, 41, 0, -EINVAL },
		{ IPV6 | UDP_CKSUM, 14, 40, 8, 62, 0, 0 },
		{ IPV6 | UDP_CKSUM, 14, 40, 8, 61, 0, -EINVAL },
		{ IPV4 | IP_CKSUM, 14, 20, 0, 34, 0, 0 },
		{ IPV4 | IP_CKSUM, 14, 20, 0, 33, 0, -EINVAL },
		{ IPV4 | IP_CKSUM, 14, 19, 0, 60, 0, -EINVAL },
		{ IPV4 | IP_CKSUM, 14, 60, 0, 74, 0, 0 },
		{ IPV4 | IP_CKSUM, 14, 61, 0, 99, 0, -EINVAL },
		{ IPV4 | IP_CKSUM, 14, 0, 0, 60, 0, -EINVAL },
		{ IPV4 | IP_CKSUM | TCP_CKSUM, 14, 16, 20, 60, 0, -EINVAL },
		{ IPV4 | IP_CKSUM, 0, 20, 0, 60, 0, -EINVAL },
		{ IPV6 | IP_CKSUM, 14, 40, 0, 60, 0, -EINVAL },
		{ IPV4 | TCP_SEG, 14, 20, 20, 99, 10, 0 },
		{ IPV4 | TCP_SEG, 14, 20, 20, 99, 0, -EINVAL },
		{ IPV4 | TCP_SEG, 14, 20, 19, 99, 10, -EINVAL },
		{ IPV4 | TCP_SEG, 14, 20, 0, 99, 10, -EINVAL },
		{ IPV4 | TCP_SEG, 14, 20, 20, 54, 10, 0 },
		{ IPV4 | TCP_SEG, 14, 20, 20, 53, 10, -EINVAL },
		{ IPV4 | TCP_SEG, 14, 20, 24, 57, 10, -EINVAL },
		{ IPV4 | TCP_SEG, 14, 20, 255, 99, 10, -EINVAL },
		{ IPV4 | TCP_SEG, 0, 20, 20, 99, 10, -EINVAL },
		{ TCP_SEG, 14, 20, 20, 99, 10, -EINVAL },
		{ IPV4 | IPV6 | TCP_SEG, 14, 20, 20, 99, 10, -EINVAL },
		{ IPV4 | TCP_SEG | UDP_CKSUM, 14, 20, 20, 53, 10, -EINVAL },
		{ IPV4 | UDP_SEG, 14, 20, 8, 99, 10, 0 },
		{ IPV6 | UDP_SEG, 14, 40, 8, 99, 10, 0 },
		{ IPV4 | UDP_SEG, 14, 20, 8, 99, 0, -EINVAL },
		{ IPV4 | UDP_SEG, 14, 20, 8, 42, 10, 0 },
		{ IPV4 | UDP_SEG, 14, 20, 8, 41, 10, -EINVAL },
		{ IPV4 | UDP_SEG, 14, 20, 7, 99, 10, -EINVAL },
		{ IPV4 | UDP_SEG, 14, 20, 20, 99, 10, -EINVAL },
		{ IPV4 | UDP_SEG, 14, 20, 0, 99, 10, -EINVAL },
		{ UDP_SEG, 14, 20, 8, 99, 10, -EINVAL },
		{ IPV4 | IPV6 | UDP_SEG, 14, 20, 8, 99, 10, -EINVAL },
		{ IPV4 | UDP_SEG | TCP_SEG, 14, 20, 8, 99, 10, -EINVAL },
		{ IPV4 | UDP_SEG | TCP_SEG, 14, 20, 20, 99, 10, -EINVAL },
	};
	struct rtap_vnet_hdr hdr;
	unsigned int i;

	build_tcp(ACK, 0, 200);
	for (i = 0; i < RTE_DIM(cases); i++) {
		struct rte_mbuf *m = unit_mbuf_guarded(pool, frame.data, cases[i].len,
			cases[i].len, 0);

		m->ol_flags |= cases[i].flags;
		m->l2_len = cases[i].l2;
		m->l3_len = cases[i].l3;
		m->l4_len = cases[i].l4;
		m->tso_segsz = cases[i].segsz;
		UNIT_ASSERT_AT(tx(m, &hdr) == cases[i].ret, i);
	}
}

/*
 * Preparation. "Right" is what comes out once the kernel has summed up from csum_start on: a
 * packet that any receiver takes.
 */

/* As the kernel does: skb_checksum_help(). */
static void
kernel_completes(struct unit_frame *f)
{
	uint32_t l4 = f->l2_len + f->l3_len;
	uint16_t sum = unit_csum(&f->data[l4], f->len - l4, 0);

	unit_put16(&f->data[unit_l4_csum_at(f)], sum == 0 ? 0xffff : sum);
}

/* Prepare the frame with something else in its checksum field; is all as it was in the end? */
static bool
prepares(uint64_t flags, uint16_t junk)
{
	static struct unit_frame sent;
	struct rte_mbuf *m;
	bool ok;

	sent = frame;
	unit_put16(&frame.data[unit_l4_csum_at(&frame)], junk);
	m = mbuf(flags);
	m->tso_segsz = 1000;
	ok = rtap_vnet_tx_prepare(m, tun) == 0;
	memcpy(frame.data, rte_pktmbuf_mtod(m, void *), frame.len);
	rte_pktmbuf_free(m);
	kernel_completes(&frame);
	return ok && memcmp(frame.data, sent.data, sent.len) == 0;
}

/* Headers behind tags that are yet to be inserted. */
static void
test_tags(void)
{
	static const struct {
		uint64_t flags;
		uint16_t len;
	} tags[] = {
		{ VLAN, 4 }, { QINQ, 8 }, { VLAN | QINQ, 8 },
	};
	struct rtap_vnet_hdr hdr, plain;
	unsigned int i, seg;

	for (i = 0; i < RTE_DIM(tags) * NB_SHAPES; i++) {
		const uint16_t len = tags[i % RTE_DIM(tags)].len;

		for (seg = 0; seg < 2; seg++) {
			struct rte_mbuf *m;

			build(&shapes[i / RTE_DIM(tags)], IPPROTO_TCP, 3000);
			m = mbuf(ip_flag() | (seg != 0 ? TCP_SEG : TCP_CKSUM));
			m->tso_segsz = 1000;
			UNIT_ASSERT_AT(rtap_vnet_tx(m, &plain, tun) == 0, i);
			m->ol_flags |= tags[i % RTE_DIM(tags)].flags;
			UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, tun) == 0, i);
			UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.v1.csum_start) ==
				rte_le_to_cpu_16(plain.v1.csum_start) + len, i);
			UNIT_ASSERT_AT(rte_le_to_cpu_16(hdr.v1.hdr_len) ==
				(seg != 0 ? rte_le_to_cpu_16(plain.v1.hdr_len) + len : 0), i);
			hdr.v1.csum_start = plain.v1.csum_start;
			hdr.v1.hdr_len = plain.v1.hdr_len;
			UNIT_ASSERT_AT(memcmp(&hdr, &plain, sizeof(hdr)) == 0, i);
			rte_pktmbuf_free(m);

			UNIT_ASSERT_AT(prepares(ip_flag() | tags[i % RTE_DIM(tags)].flags |
				(seg != 0 ? TCP_SEG : TCP_CKSUM), i), i);
		}
	}
	for (i = 1; i < 20; i++) {
		build(&(struct unit_frame_spec){0}, 0, 100);
		frame.len = i;
		UNIT_ASSERT_AT(tx(mbuf(VLAN), &hdr) == (i < 14 ? -EINVAL : 0) && is_zero(&hdr), i);
	}
}

static void
test_prepare_csum(void)
{
	unsigned int i;

	for (i = 0; i < 50 * NB_SHAPES; i++) {
		build(&shapes[i / 50], IPPROTO_TCP, i);
		UNIT_ASSERT_AT(prepares(ip_flag() | TCP_CKSUM, i * 771), i);
		build(&shapes[i / 50], IPPROTO_UDP, i);
		UNIT_ASSERT_AT(prepares(ip_flag() | UDP_CKSUM, i * 771), i);
	}
}

/* With the length of the whole, which DPDK's convention leaves out and tun wants. */
static void
test_prepare_tso(void)
{
	unsigned int i;

	for (i = 0; i < 4 * NB_SHAPES; i++) {
		struct unit_frame_spec spec = shapes[i / 4];

		spec.tcp_extra = 4 * (i % 11);
		build(&spec, IPPROTO_TCP, 1 + i % 4 * 20000);
		UNIT_ASSERT_AT(prepares(ip_flag() | TCP_SEG, i * 771), i);
		build(&spec, IPPROTO_TCP, 1 + i % 4 * 20000);
		UNIT_ASSERT_AT(prepares(ip_flag() | TCP_SEG | TCP_CKSUM, i * 771), i);
		build(&shapes[i / 4], IPPROTO_UDP, 1 + i % 4 * 20000);
		UNIT_ASSERT_AT(prepares(ip_flag() | UDP_SEG, i * 771), i);
	}
}

/* A short frame is padded, and the padding is not part of the packet: IP knows the length. */
static void
test_prepare_padded(void)
{
	static const struct unit_frame_spec *spec;
	unsigned int i;

	for (i = 0; i < NB_SHAPES; i++) {
		struct rte_mbuf *m;
		uint32_t l4;

		spec = &shapes[i];
		build(spec, IPPROTO_UDP, 1);
		l4 = frame.l2_len + frame.l3_len;
		memset(&frame.data[frame.len], 0, 17);
		frame.len += 17;
		m = mbuf(ip_flag() | UDP_CKSUM);
		UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, tun) == 0, i);
		UNIT_ASSERT_AT(unit_get16(rte_pktmbuf_mtod_offset(m, uint8_t *, l4 + 6)) ==
			unit_phdr_sum(&frame, 9), i);
		rte_pktmbuf_free(m);
	}
}

static void
test_prepare_nothing(void)
{
	static const uint64_t flags[] = { 0, IPV4, IPV4 | IP_CKSUM };
	unsigned int i;

	for (i = 0; i < RTE_DIM(flags); i++) {
		struct rte_mbuf *m;

		build_tcp(0, 0, 50);
		m = mbuf(flags[i]);
		UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, tun) == 0, i);
		UNIT_ASSERT_AT(unit_mbuf_equal(m, frame.data, frame.len), i);
		rte_pktmbuf_free(m);
	}
}

/* As for any driver, the headers lie in the first segment: up to the field that is written. */
static void
test_prepare_split(void)
{
	unsigned int i, first;

	for (i = 0; i < 2 * NB_SHAPES; i++) {
		build(&shapes[i / 2], i % 2 == 0 ? IPPROTO_TCP : IPPROTO_UDP, 20);
		for (first = 1; first < frame.len; first++) {
			struct rte_mbuf *m = unit_mbuf_guarded(pool, frame.data, frame.len, first,
				1 + frame.len / 8);
			bool whole = first >= unit_l4_csum_at(&frame) + 2;

			m->ol_flags |= ip_flag() | (i % 2 == 0 ? TCP_CKSUM : UDP_CKSUM);
			m->l2_len = frame.l2_len;
			m->l3_len = frame.l3_len;
			UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, tun) == (whole ? 0 : -ENOTSUP),
				first);
			if (!whole)
				UNIT_ASSERT_AT(unit_mbuf_equal(m, frame.data, frame.len), first);
			rte_pktmbuf_free(m);
		}
	}
}

static void
test_prepare_bad(void)
{
	static const struct {
		uint64_t flags;
		uint16_t l2, l3, len;
		int ret;
	} cases[] = {
		{ TCP_CKSUM, 14, 20, 64, -EINVAL },		/* neither IPv4 nor IPv6 */
		{ UDP_CKSUM, 14, 20, 64, -EINVAL },
		{ IPV4 | IPV6 | TCP_CKSUM, 14, 20, 64, -EINVAL },	/* both */
		{ IPV4 | TCP_CKSUM, 14, 19, 64, -EINVAL },	/* too short to be one */
		{ IPV6 | TCP_CKSUM, 14, 39, 90, -EINVAL },
		{ IPV4 | TCP_CKSUM, 14, 20, 51, -EINVAL },	/* longer than the packet */
		{ IPV4 | TCP_SEG, 14, 20, 64, -EINVAL },	/* segments of 0 bytes */
		{ IPV4 | TCP_CKSUM, 14, 20, 64, 0 },
		{ IPV6 | TCP_CKSUM, 14, 40, 90, 0 },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		struct rte_mbuf *m;

		build_tcp(0, 0, 100);
		m = unit_mbuf_guarded(pool, frame.data, cases[i].len, cases[i].len, 0);
		m->ol_flags |= cases[i].flags;
		m->l2_len = cases[i].l2;
		m->l3_len = cases[i].l3;
		m->l4_len = 20;
		UNIT_ASSERT_AT(rtap_vnet_tx_prepare(m, tun) == cases[i].ret, i);
		UNIT_ASSERT_AT(cases[i].ret == 0 ||
			unit_mbuf_equal(m, frame.data, cases[i].len), i);
		rte_pktmbuf_free(m);
	}
}

static void
test_ip_csum(void)
{
	unsigned int options;

	for (options = 0; options <= 40; options += 4) {
		static struct unit_frame copy;

		build(&(struct unit_frame_spec){ .ip = 4, .ip_extra = options }, IPPROTO_UDP, 9);
		copy = frame;
		unit_put16(&copy.data[14 + 10], 0xdead);
		rtap_vnet_edit_ip(&copy.data[14], frame.l3_len);
		UNIT_ASSERT_AT(memcmp(copy.data, frame.data, frame.len) == 0, options);
	}
}

/* Any flags and lengths on any bytes: no byte beyond the segments is touched. */
static void
test_anything(void)
{
	uint32_t state = 4711;
	unsigned int i;

	build_tcp(CWR, 40, 400);
	for (i = 0; i < 200000; i++) {
		static const uint64_t flags[] = { IPV4, IPV6, IP_CKSUM, TCP_CKSUM, UDP_CKSUM,
			TCP_SEG, UDP_SEG, VLAN | QINQ };
		uint32_t r = unit_random(&state), r2 = unit_random(&state);
		uint32_t len = 1 + r % frame.len;
		struct rtap_vnet_hdr hdr;
		struct rte_mbuf *m = unit_mbuf_guarded(pool, frame.data, len, 1 + r2 % 120,
			64 + r2 % 400);
		int ret;

		m->ol_flags |= flags[r >> 8 & 7] | flags[r >> 11 & 7] | flags[r >> 14 & 7];
		m->l2_len = r >> 17 & 31;
		m->l3_len = r2 >> 8 & ((r & 1) != 0 ? 63 : 511);
		m->l4_len = r2 >> 17 & 63;
		m->tso_segsz = r >> 22 & 3;
		ret = rtap_vnet_tx_prepare(m, tun);
		UNIT_ASSERT_AT(ret == 0 || ret == -EINVAL || ret == -ENOTSUP, i);
		if (ret == 0)
			UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, tun) == 0 &&
				rte_le_to_cpu_16(hdr.v1.csum_start) <= len + 8, i);
		rte_pktmbuf_free(m);
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "no offload", test_no_offload },
		{ "checksum", test_csum },
		{ "IPv4 checksum only", test_ip_csum_only },
		{ "TSO", test_tso },
		{ "USO", test_uso },
		{ "one segment only", test_one_segment },
		{ "TSO with CWR", test_tso_cwr },
		{ "unsupported flags", test_unsupported },
		{ "unsupported by this kernel", test_unsupported_here },
		{ "SCTP", test_sctp },
		{ "bad lengths", test_bad_lengths },
		{ "prepare checksum", test_prepare_csum },
		{ "prepare TSO", test_prepare_tso },
		{ "prepare a padded frame", test_prepare_padded },
		{ "tags to be inserted", test_tags },
		{ "prepare nothing", test_prepare_nothing },
		{ "prepare split headers", test_prepare_split },
		{ "prepare what makes no sense", test_prepare_bad },
		{ "IPv4 header checksum", test_ip_csum },
		{ "anything", test_anything },
		CU_TEST_INFO_NULL,
	};

	return unit_vnet_run("vnet Tx", tests);
}
