/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_tx.c: packets of all shapes, whoever owns their memory, arrive as they are to be. */

#include <errno.h>
#include <string.h>

#include "unit_tx.h"

static void
test_sizes(void)
{
	uint32_t len;

	for (len = RTE_ETHER_HDR_LEN; len <= 1514; len++) {
		build_len(len);
		UNIT_ASSERT_AT(arrives(chain(len, 0), &no_hdr), len);
	}
	CU_ASSERT_EQUAL(txq->stats.packets, 1501);
	CU_ASSERT_EQUAL(txq->stats.bytes, (14 + 1514) * 1501 / 2);
}

static void
test_segments(void)
{
	unsigned int n;

	unit_dev.data->mtu = 9000;
	for (n = 1; n <= RTAP_TX_SEGS_MAX; n += 1 + n / 20) {
		build_len(14 + 7 * n);
		UNIT_ASSERT_AT(arrives(chain(14 + 7, 7), &no_hdr), n);
	}
	build_len(5 * RTAP_TX_SEGS_MAX);
	CU_ASSERT(arrives(chain(5, 5), &no_hdr));
	CU_ASSERT_EQUAL(txq->stats.too_many_segs, 0);

	build_len(5 * RTAP_TX_SEGS_MAX + 1);
	CU_ASSERT(is_dropped(chain(5, 5)));
	CU_ASSERT_EQUAL(txq->stats.too_many_segs, 1);
	build_len(2 * RTAP_TX_SEGS_MAX);
	CU_ASSERT(is_dropped(chain(1, 1)));
	CU_ASSERT_EQUAL(txq->stats.too_many_segs, 2);
}

/* The most segments, and no place for the header: the most that one write takes. */
static void
test_segments_and_header(void)
{
	struct rte_mbuf *m;

	unit_dev.data->mtu = 9000;
	build_len(5 * RTAP_TX_SEGS_MAX);
	m = chain(5, 5);
	share(m, 1);
	CU_ASSERT(arrives_untouched(m, m));
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(txq->stats.packets, 1);
}

/* More segments than the queue describes at once. */
static void
test_many_segments(void)
{
	struct rte_mbuf *pkts[6];
	unsigned int i;

	unit_dev.data->mtu = 9000;
	build_len(1023);
	for (i = 0; i < 5; i++) {
		pkts[i] = chain(i == 2 ? 11 : 1, i == 2 ? 11 : 1);
		if (i == 3)
			share(pkts[i], 1);
	}
	pkts[5] = pkts[3];
	CU_ASSERT_EQUAL(rtap_tx_burst(txq, pkts, 5), 5);
	for (i = 0; i < 5; i++)
		UNIT_ASSERT_AT(unit_frame_receive(&no_hdr, frame.data, frame.len), i);
	rte_pktmbuf_free(pkts[5]);
}

/* Segments without a byte, anywhere. */
static void
test_empty_segments(void)
{
	unsigned int mask, i, turn;

	build_len(100);
	for (turn = 0; turn < 2; turn++) {
		for (mask = 1; mask < 64; mask++) {
			unsigned int at = 0;
			struct rte_mbuf *m = NULL, *seg[6];

			for (i = 0; i < 6; i++) {
				bool last = mask >> i == 1;
				uint32_t len = last ? 100 - at : (mask >> i & 1) * (9 + i);

				seg[i] = unit_mbuf(usual, &frame.data[at], len, len, 0);
				at += len;
				if (i > 0)
					CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_chain(m, seg[i]), 0);
				m = seg[0];
			}
			if (turn != 0)
				share(m, 1);
			UNIT_ASSERT_AT(arrives_untouched(m, turn != 0 ? m : NULL), mask);
			if (turn != 0)
				rte_pktmbuf_free(m);
		}
	}
}

/*
 * Room for the header, exactly, almost, and none. What lies in front of the buffer (here, the
 * mbuf itself, with the memory that it says is private) is not ours.
 */
static void
test_headroom(void)
{
	static const uint16_t rooms[] = { 128, 127, 13, 12, 11, 1, 0 };
	unsigned int i;

	for (i = 0; i < 2 * RTE_DIM(rooms); i++) {
		struct rte_mbuf *m = unit_mbuf(priv, frame.data, 0, 0, 0);
		uint8_t *area = rte_mbuf_to_priv(m);

		build_len(200);
		m->data_off = rooms[i / 2];
		memcpy(rte_pktmbuf_append(m, 200), frame.data, 200);
		if (i % 2 != 0) {
			rte_pktmbuf_chain(m, chain(90, 200));
			memcpy(&sent.data[200], frame.data, 200);
			sent.len = 400;
		}
		memset(area, 0x5a, PRIV_LEN);
		UNIT_ASSERT_AT(arrives(m, &no_hdr), rooms[i / 2]);
		for (unsigned int j = 0; j < PRIV_LEN; j++)
			UNIT_ASSERT_AT(area[j] == 0x5a, rooms[i / 2]);
	}
}

static void
test_shared(void)
{
	struct rte_mbuf *m, *rest;

	build_len(500);
	m = chain(500, 0);
	rte_mbuf_refcnt_update(m, 1);
	CU_ASSERT(arrives_untouched(m, m));
	CU_ASSERT_EQUAL(rte_mbuf_refcnt_read(m), 1);
	rte_pktmbuf_free(m);

	/* The first segment is ours, those behind it are not. */
	m = chain(100, 80);
	rest = m->next;
	share(rest, 1);
	CU_ASSERT(arrives_untouched(m, rest));
	rte_pktmbuf_free(rest);
}

/* One packet twice in a burst, as after a flood to two ports that are one. */
static void
test_twice(void)
{
	struct rte_mbuf *pkts[3];

	build_len(500);
	pkts[0] = pkts[1] = pkts[2] = chain(200, 200);
	share(pkts[0], 2);
	CU_ASSERT_EQUAL(rtap_tx_burst(txq, pkts, 3), 3);
	CU_ASSERT(unit_frame_receive(&no_hdr, frame.data, frame.len));
	CU_ASSERT(unit_frame_receive(&no_hdr, frame.data, frame.len));
	CU_ASSERT(unit_frame_receive(&no_hdr, frame.data, frame.len));
}

static void
test_indirect(void)
{
	struct rte_mbuf *owner, *clone;
	unsigned int nb;

	build_len(700);
	for (nb = 1; nb < 4; nb++) {
		owner = chain(700 / nb + 1, 700 / nb + 1);
		clone = rte_pktmbuf_clone(owner, usual);
		UNIT_ASSERT_AT(arrives_untouched(clone, owner), nb);
		UNIT_ASSERT_AT(unit_mbuf_equal(owner, frame.data, frame.len), nb);

		/* A header of our own in front of somebody else's payload. */
		clone = unit_mbuf(usual, frame.data, 40, 40, 0);
		rte_pktmbuf_chain(clone, rte_pktmbuf_clone(owner, usual));
		memcpy(&sent.data[40], frame.data, 700);
		sent.len = 740;
		UNIT_ASSERT_AT(arrives_untouched(clone, owner), nb);
		sent = frame;
		rte_pktmbuf_free(owner);
	}
}

static unsigned int nb_ext_freed;

static void
ext_free(void *addr __rte_unused, void *opaque __rte_unused)
{
	nb_ext_freed++;
}

/* Memory that is not DPDK's has no headroom for us, whatever it looks like. */
static void
test_external(void)
{
	static struct rte_mbuf_ext_shared_info shinfo = { .free_cb = ext_free };
	static uint8_t buf[2048], copy[sizeof(buf)];
	struct rte_mbuf *m;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		build_ip_csum(0, 0);
		memset(buf, 0x5a, sizeof(buf));
		memcpy(&buf[512], frame.data, frame.len);
		memcpy(copy, buf, sizeof(buf));
		rte_mbuf_ext_refcnt_set(&shinfo, 1);
		m = rte_pktmbuf_alloc(usual);
		rte_pktmbuf_attach_extbuf(m, buf, RTE_BAD_IOVA, sizeof(buf), &shinfo);
		m->data_off = 512;
		rte_pktmbuf_append(m, frame.len);
		nb_ext_freed = 0;
		if (i == 0)
			sent = frame;
		else
			ask_ip_csum(m);
		CU_ASSERT(arrives(m, &no_hdr));
		CU_ASSERT_EQUAL(memcmp(buf, copy, sizeof(buf)), 0);
		CU_ASSERT_EQUAL(nb_ext_freed, 1);
	}
}

/*
 * IPv4 header checksum
 */

static void
test_ip_csum(void)
{
	static const uint16_t tpids[] = { 0, 0x8100 };
	struct rte_mbuf *m;
	unsigned int i;

	for (i = 0; i < 2 * 11; i++) {
		build_ip_csum(tpids[i % 2], i / 2 * 4);
		m = chain(frame.len, 0);
		ask_ip_csum(m);
		UNIT_ASSERT_AT(arrives(m, &no_hdr), i);

		m = chain(frame.len, 0);
		ask_ip_csum(m);
		rte_mbuf_refcnt_update(m, 1);
		UNIT_ASSERT_AT(arrives_untouched(m, m), i);
		rte_pktmbuf_free(m);
	}
}

/* The header ends in any segment, is ours or not, with headroom or without. */
static void
test_ip_csum_split(void)
{
	static const uint16_t rests[] = { 1, 7, 60, 500 };
	unsigned int first, i;

	for (first = 1; first < 90; first++) {
		for (i = 0; i < 2 * RTE_DIM(rests); i++) {
			struct rte_mbuf *m;

			build_ip_csum(0x8100, 40);
			m = chain(first, rests[i / 2]);
			ask_ip_csum(m);
			if (i % 2 != 0)
				share(m, 1);
			UNIT_ASSERT_AT(arrives_untouched(m, i % 2 != 0 ? m : NULL), first * 10 + i);
			if (i % 2 != 0)
				rte_pktmbuf_free(m);
		}
	}
}

/* The longest L2 and L3 headers that can be asked for. */
static void
test_ip_csum_longest(void)
{
	struct rte_mbuf *m;

	build(&(struct unit_frame_spec){ .payload = 300 });
	frame.l2_len = 127;
	frame.l3_len = 60;
	sent = frame;
	unit_put16(&sent.data[127 + 10], 0);
	unit_put16(&sent.data[127 + 10], unit_csum(&sent.data[127], 60, 0));
	m = chain(100, 50);
	ask_ip_csum(m);
	CU_ASSERT(arrives(m, &no_hdr));
	m = chain(frame.len, 0);
	ask_ip_csum(m);
	CU_ASSERT(arrives(m, &no_hdr));
}

/* Tags go into a copy of the addresses: of the packet itself nothing changes. */
static void
test_insert_tags(void)
{
	unsigned int i, first;

	for (i = 0; i < 8; i++) {
		const bool two = (i & 1) != 0, csum = (i & 2) != 0, shared = (i & 4) != 0;
		uint8_t *tags = &sent.data[12];

		for (first = 1; first <= 60; first++) {
			struct rte_mbuf *m;
			uint64_t hash;

			build_ip_csum(0, 4);
			if (!csum)
				sent = frame;
			memmove(tags + (two ? 8 : 4), tags, sent.len - 12);
			sent.len += two ? 8 : 4;
			unit_put16(tags, two ? 0x88a8 : 0x8100);
			unit_put16(tags + 2, two ? 0xabcd : 0x1234);
			if (two) {
				unit_put16(tags + 4, 0x8100);
				unit_put16(tags + 6, 0x1234);
			}
			m = chain(first, 30);
			if (csum)
				ask_ip_csum(m);
			m->ol_flags |= two ? RTE_MBUF_F_TX_QINQ : RTE_MBUF_F_TX_VLAN;
			m->vlan_tci = 0x1234;
			m->vlan_tci_outer = 0xabcd;
			hash = unit_mbuf_hash(m);
			if (shared)
				share(m, 1);
			UNIT_ASSERT_AT(arrives(m, &no_hdr), first * 10 + i);
			if (!shared)
				continue;
			UNIT_ASSERT_AT(unit_mbuf_hash(m) == hash, first * 10 + i);
			rte_pktmbuf_free(m);
		}
	}
}

/*
 * Anything at all: shapes, owners, headroom and offloads mixed
 */

static void
random_shape(uint32_t *state)
{
	static struct rte_mbuf_ext_shared_info shinfo = { .free_cb = ext_free };
	static uint8_t ext[2048];
	uint32_t r = unit_random(state), at = 0;
	struct virtio_net_hdr_v1 hdr = {0};
	struct rte_mbuf *m = NULL, *owner = NULL, *seg;
	bool extended = false;

	build_ip_csum((r & 1) != 0 ? 0x8100 : 0, r >> 1 & 0x1c);
	while (at < frame.len) {
		uint32_t kind = unit_random(state) % 8, len = unit_random(state) % 120;
		uint32_t room = unit_random(state) % 32;

		len = RTE_MIN(len, frame.len - at);
		seg = rte_pktmbuf_alloc(usual);
		if (kind == 0 && !extended) {
			rte_mbuf_ext_refcnt_set(&shinfo, 1);
			rte_pktmbuf_attach_extbuf(seg, ext, RTE_BAD_IOVA, sizeof(ext), &shinfo);
			extended = true;
		}
		seg->data_off = room;
		memcpy(rte_pktmbuf_append(seg, len), &frame.data[at], len);
		if (kind == 1) {
			struct rte_mbuf *clone = rte_pktmbuf_clone(seg, usual);

			rte_pktmbuf_free(seg);
			seg = clone;
		}
		at += len;
		if (m == NULL)
			m = seg;
		else
			CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_chain(m, seg), 0);
	}
	if ((r >> 8 & 1) != 0) {
		share(m, 1);
		owner = m;
	}
	m->l2_len = frame.l2_len;
	m->l3_len = frame.l3_len;
	if ((r >> 9 & 1) != 0)
		ask_ip_csum(m);
	else
		sent = frame;
	if ((r >> 10 & 1) != 0) {
		m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = rte_cpu_to_le_16(frame.l2_len + frame.l3_len);
		hdr.csum_offset = rte_cpu_to_le_16(6);
	}
	if (owner != NULL) {
		uint64_t hash = unit_mbuf_hash(owner);

		CU_ASSERT_FATAL(arrives(m, &hdr));
		CU_ASSERT_FATAL(unit_mbuf_hash(owner) == hash);
		rte_pktmbuf_free(owner);
	} else {
		CU_ASSERT_FATAL(arrives(m, &hdr));
	}
}

static void
test_random(void)
{
	uint32_t state = 7, i;

	for (i = 0; i < 5000; i++)
		random_shape(&state);
}

/* A packet is gone when its burst returns: all descriptors are free, and nothing is kept. */
static void
test_descriptors(void)
{
	uint16_t offset;

	build_len(100);
	CU_ASSERT(arrives(chain(100, 0), &no_hdr));
	for (offset = 0; offset < txq->nb_desc; offset++)
		CU_ASSERT_EQUAL(rtap_tx_descriptor_status(txq, offset), RTE_ETH_TX_DESC_DONE);
	CU_ASSERT_EQUAL(rtap_tx_descriptor_status(txq, offset), -EINVAL);
	CU_ASSERT_EQUAL(rtap_tx_descriptor_status(txq, UINT16_MAX), -EINVAL);
	CU_ASSERT_EQUAL(rtap_sqpoll_tx_done_cleanup(txq, 0), 0);
	CU_ASSERT_EQUAL(rtap_sqpoll_tx_done_cleanup(txq, 1), 0);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "sizes", test_sizes },
		{ "segments", test_segments },
		{ "segments and header", test_segments_and_header },
		{ "many segments", test_many_segments },
		{ "empty segments", test_empty_segments },
		{ "headroom", test_headroom },
		{ "shared", test_shared },
		{ "one packet twice", test_twice },
		{ "indirect", test_indirect },
		{ "external", test_external },
		{ "IPv4 checksum", test_ip_csum },
		{ "IPv4 checksum, header split", test_ip_csum_split },
		{ "IPv4 checksum, longest headers", test_ip_csum_longest },
		{ "insert VLAN tags", test_insert_tags },
		{ "random", test_random },
		{ "descriptors", test_descriptors },
		CU_TEST_INFO_NULL,
	};

	return unit_tx_run(tests);
}
