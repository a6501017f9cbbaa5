/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_vnet_tx.h, application to kernel: mbuf -> virtio-net header. */

#include <errno.h>
#include <string.h>

#include "unit_vnet.h"

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
		m = tx_mbuf(flags[i]);
		m->tso_segsz = 10;
		UNIT_ASSERT_AT(tx(m, &hdr) == 0 && is_zero(&hdr), i);
	}
	/* Lengths mean nothing then. */
	build(&(struct unit_frame_spec){0}, 0, 1);
	frame.l2_len = 100;
	CU_ASSERT_EQUAL(tx(tx_mbuf(0), &hdr), 0);
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
		UNIT_ASSERT_AT(tx(tx_mbuf(flags), &hdr) == 0, i);
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
	CU_ASSERT_EQUAL(tx(tx_mbuf(IPV4 | IP_CKSUM), &hdr), 0);
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
		m = tx_mbuf(ip_flag() | TCP_SEG | (i % 2 == 0 ? 0 : TCP_CKSUM));
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
		m = tx_mbuf(ip_flag() | UDP_SEG | (i % 2 == 0 ? 0 : UDP_CKSUM));
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
			m = tx_mbuf(flags[i]);
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
			struct rte_mbuf *m = tx_mbuf(others[i] | supported[j]);

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
	m = tx_mbuf(IPV4 | UDP_SEG);
	m->tso_segsz = 100;
	CU_ASSERT_EQUAL(rtap_vnet_tx_prepare(m, tun), -ENOTSUP);
	CU_ASSERT_EQUAL(tx(m, &hdr), -ENOTSUP);
	tun = RTAP_TUN_F_USO | RTAP_TUN_F_TUNNEL;
	m = tx_mbuf(IPV4 | UDP_SEG);
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
	CU_ASSERT_EQUAL(tx(tx_mbuf(IPV4 | SCTP_CKSUM), &hdr), -ENOTSUP);
	CU_ASSERT_EQUAL(tx(tx_mbuf(IPV4 | IP_CKSUM | SCTP_CKSUM), &hdr), -ENOTSUP);
	m = tx_mbuf(IPV4 | SCTP_CKSUM);
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
		CU_TEST_INFO_NULL,
	};

	return unit_vnet_run("vnet Tx", tests);
}
