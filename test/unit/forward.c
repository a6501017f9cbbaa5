/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The forwarder of kpath-perf: what is said of a packet that was received, as what is asked for
 * when it is sent on; and what it does itself where the other port is unable to.
 */

#include <string.h>

#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mempool.h>
#include <rte_net.h>
#include <rte_tcp.h>

#include "forward.h"
#include "unit_vnet.h"

#define CAN_SEGS RTE_ETH_TX_OFFLOAD_MULTI_SEGS
#define CAN_CSUM (RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | CAN_SEGS)
#define CAN_ALL (CAN_CSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO)
#define CAN_IP (CAN_ALL | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)

#define NONE RTE_MBUF_F_RX_L4_CKSUM_NONE
#define GOOD RTE_MBUF_F_RX_L4_CKSUM_GOOD
#define BAD RTE_MBUF_F_RX_L4_CKSUM_BAD
#define LRO RTE_MBUF_F_RX_LRO

#define ASKED (RTE_MBUF_F_TX_OFFLOAD_MASK)

static struct rte_mempool *segments;

/* The frame as a driver hands it over: with its type, or without. Lengths are an earlier one's. */
static struct rte_mbuf *
received(uint64_t ol_flags, bool typed, uint16_t first, uint16_t rest)
{
	struct rte_mbuf *m = unit_mbuf(pool, frame.data, frame.len, first, rest);
	struct rte_net_hdr_lens lens;

	m->packet_type = typed ? rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK) : 0;
	m->tx_offload = 0;
	m->l2_len = 77;
	m->l3_len = 99;
	m->l4_len = 11;
	m->tso_segsz = (ol_flags & LRO) != 0 ? 100 : 0;
	m->ol_flags = ol_flags;
	return m;
}

/* Does rte_net_get_ptype() understand the shape? It takes 0x8100 for one tag, 0x88a8 for two. */
static bool
is_common(const struct unit_frame_spec *shape)
{
	return (shape->tpid[0] == 0x88a8) == (shape->tpid[1] != 0);
}

struct mapping {
	uint8_t proto;
	uint64_t rx;
	uint64_t can;
	enum forward_need need;
	uint64_t asked;		/* but for the version of IP */
};

static const struct mapping mappings[] = {
	/* Nothing is undone */
	{ IPPROTO_TCP, 0, CAN_ALL, FORWARD_READY, 0 },
	{ IPPROTO_TCP, GOOD, CAN_ALL, FORWARD_READY, 0 },
	{ IPPROTO_TCP, BAD, CAN_ALL, FORWARD_READY, 0 },
	{ IPPROTO_UDP, 0, CAN_ALL, FORWARD_READY, 0 },
	{ IPPROTO_UDP, GOOD, 0, FORWARD_READY, 0 },
	/* No checksum yet */
	{ IPPROTO_TCP, NONE, CAN_CSUM, FORWARD_READY, TCP_CKSUM },
	{ IPPROTO_UDP, NONE, CAN_CSUM, FORWARD_READY, UDP_CKSUM },
	{ IPPROTO_TCP, NONE, CAN_IP, FORWARD_READY, TCP_CKSUM },
	{ IPPROTO_TCP, NONE, CAN_SEGS, FORWARD_CSUM, 0 },
	{ IPPROTO_UDP, NONE, CAN_SEGS, FORWARD_CSUM, 0 },
	{ IPPROTO_UDP, NONE, RTE_ETH_TX_OFFLOAD_TCP_CKSUM, FORWARD_CSUM, 0 },
	{ IPPROTO_TCP, NONE, RTE_ETH_TX_OFFLOAD_UDP_CKSUM, FORWARD_CSUM, 0 },
	{ IPPROTO_ICMP, NONE, CAN_ALL, FORWARD_DROP, 0 },
	/* Not segmented */
	{ IPPROTO_TCP, NONE | LRO, CAN_ALL, FORWARD_READY, TCP_SEG },
	{ IPPROTO_TCP, LRO, CAN_ALL, FORWARD_READY, TCP_SEG },
	{ IPPROTO_TCP, GOOD | LRO, CAN_ALL, FORWARD_READY, TCP_SEG },
	{ IPPROTO_TCP, NONE | LRO, CAN_CSUM, FORWARD_SEGMENT, 0 },
	{ IPPROTO_TCP, NONE | LRO, 0, FORWARD_SEGMENT, 0 },
	{ IPPROTO_UDP, NONE | LRO, CAN_ALL, FORWARD_DROP, 0 },
};

static bool
maps(const struct mapping *map, bool typed)
{
	struct forward f = { .tx = map->can };
	struct rte_mbuf *m = received(map->rx, typed, frame.len, 0);
	uint64_t hash = unit_mbuf_hash(m), asked = map->asked;
	enum forward_need need = forward_map(&f, m);
	bool touched = (map->rx & LRO) != 0 ||
		(map->rx & RTE_MBUF_F_RX_L4_CKSUM_MASK) == NONE, ok;

	if (touched && map->need != FORWARD_DROP)
		asked |= ip_flag();
	ok = need == map->need && unit_mbuf_hash(m) == hash;
	if (map->need != FORWARD_DROP)
		ok = ok && (m->ol_flags & ASKED) == asked && (m->ol_flags & map->rx) == map->rx;
	if (touched && map->need != FORWARD_DROP)
		ok = ok && m->l2_len == frame.l2_len && m->l3_len == frame.l3_len &&
			((map->rx & LRO) == 0 ||
				(m->l4_len == frame.l4_len && m->tso_segsz == 100));
	rte_pktmbuf_free(m);
	return ok;
}

static void
test_map(void)
{
	unsigned int s, i;

	for (s = 0; s < NB_SHAPES; s++) {
		for (i = 0; is_common(&shapes[s]) && i < RTE_DIM(mappings); i++) {
			build(&shapes[s], mappings[i].proto, 700);
			UNIT_ASSERT_AT(maps(&mappings[i], true), 100 * s + i);
			UNIT_ASSERT_AT(maps(&mappings[i], false), 100 * s + i);
		}
	}
}

/* A port that computes the checksum of the IP header of segments is asked to; IPv6 has none. */
static void
test_map_ip_checksum(void)
{
	const struct mapping map4 = { 0, NONE | LRO, CAN_IP, FORWARD_READY, TCP_SEG | IP_CKSUM };
	const struct mapping map6 = { 0, NONE | LRO, CAN_IP, FORWARD_READY, TCP_SEG };

	build(&shapes[0], IPPROTO_TCP, 700);
	CU_ASSERT(maps(&map4, true));
	build(&shapes[1], IPPROTO_TCP, 700);
	CU_ASSERT(maps(&map6, true));
}

static void
test_map_odd(void)
{
	struct forward f = { .tx = CAN_ALL };
	struct rte_mbuf *m;

	/* The size of segments is missing. */
	build(&shapes[0], IPPROTO_TCP, 700);
	m = received(NONE | LRO, true, frame.len, 0);
	m->tso_segsz = 0;
	CU_ASSERT(forward_map(&f, m) == FORWARD_DROP);
	rte_pktmbuf_free(m);
	/* The TCP header is cut off, or too short. */
	m = received(NONE | LRO, true, frame.len, 0);
	rte_pktmbuf_trim(m, frame.len - 40);
	CU_ASSERT(forward_map(&f, m) == FORWARD_DROP);
	rte_pktmbuf_free(m);
	m = received(NONE, true, frame.len, 0);
	rte_pktmbuf_mtod(m, uint8_t *)[14 + 20 + 12] = 0x40;
	CU_ASSERT(forward_map(&f, m) == FORWARD_DROP);
	rte_pktmbuf_free(m);
	/* The flag of a buffer that is not the mbuf's own stays. */
	m = received(NONE, true, frame.len, 0);
	m->ol_flags |= RTE_MBUF_F_EXTERNAL;
	CU_ASSERT(forward_map(&f, m) == FORWARD_READY);
	CU_ASSERT((m->ol_flags & RTE_MBUF_F_EXTERNAL) != 0);
	m->ol_flags &= ~RTE_MBUF_F_EXTERNAL;
	rte_pktmbuf_free(m);
}

static void
test_map_segments(void)
{
	struct forward f = { .tx = CAN_ALL };
	struct rte_mbuf *m;

	build(&shapes[0], IPPROTO_TCP, 700);
	m = received(0, true, 128, 200);
	CU_ASSERT(forward_map(&f, m) == FORWARD_READY);
	f.tx &= ~CAN_SEGS;
	CU_ASSERT(forward_map(&f, m) == FORWARD_COPY);
	m->ol_flags = NONE;
	CU_ASSERT(forward_map(&f, m) == FORWARD_COPY);
	rte_pktmbuf_free(m);
}

/* The frame, whose checksum is replaced, comes out as it was; and so it does behind its padding. */
static bool
finishes(uint16_t first, uint16_t rest, unsigned int padding)
{
	struct forward f = { .tx = CAN_SEGS };
	uint16_t at = unit_l4_csum_at(&frame);
	struct rte_mbuf *m;
	bool ok;

	memset(&frame.data[frame.len], 0xa5, padding);
	frame.len += padding;
	m = received(NONE, true, first, rest);
	unit_put16(rte_pktmbuf_mtod_offset(m, uint8_t *, at), 0x1234);
	ok = forward_map(&f, m) == FORWARD_CSUM && forward_checksum(m) &&
		unit_mbuf_equal(m, frame.data, frame.len);
	rte_pktmbuf_free(m);
	frame.len -= padding;
	return ok;
}

static void
test_checksum(void)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	unsigned int s, p, n;

	for (s = 0; s < NB_SHAPES; s++) {
		for (p = 0; is_common(&shapes[s]) && p < RTE_DIM(protos); p++) {
			for (n = 0; n < 1500; n += 499) {
				build(&shapes[s], protos[p], n);
				UNIT_ASSERT_AT(finishes(frame.len, 0, 0), 100 * s + p);
				UNIT_ASSERT_AT(finishes(frame.len + 5, 0, 5), 100 * s + p);
				if (shapes[s].ip_extra == 0)
					UNIT_ASSERT_AT(finishes(RTE_MIN(81U, frame.len), 33, 0),
						100 * s + p);
			}
		}
	}
}

/* A sum of 0 would say that there is none. */
static void
test_checksum_zero(void)
{
	uint16_t at, payload;

	build(&shapes[0], IPPROTO_UDP, 2);
	at = unit_l4_csum_at(&frame);
	/* What is missing for 0xffff goes into the payload. */
	unit_put16(&frame.data[frame.len - 2], 0);
	unit_put16(&frame.data[at], 0);
	payload = unit_l4_csum(&frame);
	unit_put16(&frame.data[frame.len - 2], payload);
	unit_put16(&frame.data[at], 0xffff);
	CU_ASSERT(finishes(frame.len, 0, 0));
}

static void
test_checksum_refused(void)
{
	struct forward f = { .tx = 0 };
	struct rte_mbuf *m;

	/* Cut off behind the headers, headers not in one piece */
	build(&shapes[0], IPPROTO_TCP, 700);
	m = received(NONE, true, frame.len, 0);
	rte_pktmbuf_trim(m, 10);
	CU_ASSERT(forward_map(&f, m) == FORWARD_CSUM && !forward_checksum(m));
	rte_pktmbuf_free(m);
	m = received(NONE, true, 40, 100);
	forward_map(&f, m);
	CU_ASSERT(!forward_checksum(m));
	rte_pktmbuf_free(m);
}

static void
make_segments(void)
{
	if (segments == NULL)
		segments = unit_pool("segments", 31, RTE_PKTMBUF_HEADROOM + 1600);
}

/* Compare a segment with a frame that was built to be it. */
static bool
is_segment(struct rte_mbuf *s, const struct unit_frame *whole, unsigned int n, uint32_t at,
		uint32_t len, bool last)
{
	uint32_t headers = whole->l2_len + whole->l3_len + whole->l4_len;
	uint32_t l4 = whole->l2_len + whole->l3_len, seq;
	static uint8_t want[sizeof(whole->data)];
	uint8_t *ip = &want[whole->l2_len];
	bool ok;

	memcpy(want, whole->data, headers);
	memcpy(&want[headers], &whole->data[headers + at], len);
	if (whole->ip == 4) {
		unit_put16(&ip[2], whole->l3_len + whole->l4_len + len);
		unit_put16(&ip[4], unit_get16(&ip[4]) + n);
		unit_put16(&ip[10], 0);
		unit_put16(&ip[10], unit_csum(ip, whole->l3_len, 0));
	} else {
		unit_put16(&ip[4], whole->l3_len - 40 + whole->l4_len + len);
	}
	memcpy(&seq, &want[l4 + 4], sizeof(seq));
	seq = rte_cpu_to_be_32(rte_be_to_cpu_32(seq) + at);
	memcpy(&want[l4 + 4], &seq, sizeof(seq));
	want[l4 + 13] = ACK | ECE | (last ? FIN | RTE_TCP_PSH_FLAG : 0) | (n == 0 ? CWR : 0);
	ok = forward_checksum(s);
	memcpy(&want[l4 + 16], rte_pktmbuf_mtod_offset(s, uint8_t *, l4 + 16), 2);
	ok = ok && unit_mbuf_equal(s, want, headers + len);
	frame = *whole;
	memcpy(frame.data, want, headers + len);
	frame.len = headers + len;
	unit_put16(&frame.data[l4 + 16], 0);
	ok = ok && unit_l4_csum(&frame) == unit_get16(&want[l4 + 16]);
	return ok;
}

static bool
segments_are_right(uint16_t first, uint16_t rest)
{
	static struct unit_frame whole;
	struct forward f = { .tx = CAN_SEGS };
	struct rte_mbuf *m = received(NONE | LRO, true, first, rest), *s;
	uint32_t payload = frame.len - frame.l2_len - frame.l3_len - frame.l4_len, at;
	bool ok = forward_map(&f, m) == FORWARD_SEGMENT;
	unsigned int n = 0;

	whole = frame;
	for (at = 0; ok && at < payload; at += 100, n++) {
		uint32_t len = RTE_MIN(100U, payload - at);

		s = forward_segment(m, at, segments);
		ok = s != NULL && is_segment(s, &whole, n, at, len, at + len == payload);
		rte_pktmbuf_free(s);
	}
	frame = whole;
	ok = ok && unit_mbuf_equal(m, whole.data, whole.len);
	rte_pktmbuf_free(m);
	return ok && n == (payload + 99) / 100;
}

static void
test_segment(void)
{
	struct unit_frame_spec spec;
	unsigned int s;

	make_segments();
	for (s = 0; s < NB_SHAPES; s++) {
		if (!is_common(&shapes[s]))
			continue;
		spec = shapes[s];
		spec.proto = IPPROTO_TCP;
		spec.tcp_flags = ACK | ECE | CWR | FIN | RTE_TCP_PSH_FLAG;
		spec.tcp_extra = 12;
		spec.payload = 1234;
		unit_frame_build(&frame, &spec);
		UNIT_ASSERT_AT(segments_are_right(frame.len, 0), s);
		if (shapes[s].ip_extra == 0)
			UNIT_ASSERT_AT(segments_are_right(150, 77), s);
		spec.payload = 1200;
		unit_frame_build(&frame, &spec);
		UNIT_ASSERT_AT(segments_are_right(frame.len, 0), s);
	}
}

/* The number of an IPv4 packet, and of a byte, may begin anew. */
static void
test_segment_wraps(void)
{
	make_segments();
	build_tcp(ACK | ECE | CWR | FIN | RTE_TCP_PSH_FLAG, 0, 500);
	unit_put16(&frame.data[14 + 4], 0xfffe);
	memset(&frame.data[14 + 20 + 4], 0xff, 4);
	CU_ASSERT(segments_are_right(frame.len, 0));
}

static void
test_segment_refused(void)
{
	struct forward f = { .tx = 0 };
	struct rte_mbuf *m, *all[64];
	unsigned int avail, n = 0;

	make_segments();
	avail = rte_mempool_avail_count(segments);
	build_tcp(ACK, 0, 5000);
	m = received(NONE | LRO, true, frame.len, 0);
	forward_map(&f, m);
	m->tso_segsz = 4000;
	CU_ASSERT(forward_segment(m, 0, segments) == NULL);
	CU_ASSERT(rte_mempool_avail_count(segments) == avail);
	m->tso_segsz = 100;
	while (n < RTE_DIM(all) && (all[n] = forward_segment(m, 0, segments)) != NULL)
		n++;
	CU_ASSERT(n == avail);
	rte_pktmbuf_free_bulk(all, n);
	rte_pktmbuf_free(m);
	m = received(NONE | LRO, true, 50, 500);
	CU_ASSERT(forward_map(&f, m) == FORWARD_SEGMENT);
	CU_ASSERT(forward_segment(m, 0, segments) == NULL);
	rte_pktmbuf_free(m);
	CU_ASSERT(rte_mempool_avail_count(segments) == avail);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "flags of all shapes", test_map },
		{ "the sum of IP headers", test_map_ip_checksum },
		{ "what makes no sense", test_map_odd },
		{ "segments for a port that takes one", test_map_segments },
		{ "checksums", test_checksum },
		{ "a checksum of zero", test_checksum_zero },
		{ "no checksum", test_checksum_refused },
		{ "segments", test_segment },
		{ "numbers that wrap", test_segment_wraps },
		{ "no segment", test_segment_refused },
		CU_TEST_INFO_NULL,
	};

	return unit_vnet_run("forward", tests);
}
