/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_vnet_tx.h and rtap_vnet_edit.h, application to kernel: rte_eth_tx_prepare(), checksums. */

#include <errno.h>
#include <string.h>

#include "unit_vnet.h"

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
	m = tx_mbuf(flags);
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
			m = tx_mbuf(ip_flag() | (seg != 0 ? TCP_SEG : TCP_CKSUM));
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
		struct rte_mbuf *m;

		build(&(struct unit_frame_spec){0}, 0, 100);
		frame.len = i;
		m = tx_mbuf(VLAN);
		UNIT_ASSERT_AT(rtap_vnet_tx(m, &hdr, tun) == (i < 14 ? -EINVAL : 0), i);
		UNIT_ASSERT_AT(hdr.v1.flags == 0 && hdr.v1.csum_start == 0, i);
		rte_pktmbuf_free(m);
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

/*
 * A short frame is padded, and the padding is not part of the packet: IP knows the length. A
 * packet that is too short to be segmented is such a frame.
 */
static void
test_prepare_padded(void)
{
	static const struct {
		uint64_t flags;
		uint8_t proto;
	} cases[] = {
		{ TCP_CKSUM, IPPROTO_TCP }, { TCP_SEG, IPPROTO_TCP },
		{ UDP_CKSUM, IPPROTO_UDP }, { UDP_SEG, IPPROTO_UDP },
	};
	unsigned int i;

	for (i = 0; i < NB_SHAPES * RTE_DIM(cases); i++) {
		uint32_t padding;

		for (padding = 0; padding < 18; padding++) {
			build(&shapes[i / RTE_DIM(cases)], cases[i % RTE_DIM(cases)].proto, 1);
			memset(&frame.data[frame.len], 0, padding);
			frame.len += padding;
			UNIT_ASSERT_AT(prepares(ip_flag() | cases[i % RTE_DIM(cases)].flags,
				i * 771), i * 100 + padding);
		}
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
		m = tx_mbuf(flags[i]);
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

	return unit_vnet_run("vnet prepare", tests);
}
