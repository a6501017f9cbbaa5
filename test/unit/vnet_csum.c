/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_vnet_rx.h, kernel to application: checksums that the driver itself finishes or verifies. */

#include <errno.h>
#include <string.h>

#include "unit_vnet.h"

/*
 * Checksums that no flag describes: the driver finishes them
 */

/* Finish the sum from start on, in segments of this shape; is the result the reference's? */
static bool
finishes(uint32_t start, uint32_t offset, uint16_t first, uint16_t rest)
{
	struct virtio_net_hdr_v1 hdr = hdr_at(start, offset);
	struct rte_mbuf *m = unit_mbuf(pool, frame.data, frame.len, first, rest);
	static uint8_t expected[sizeof(frame.data)];
	uint16_t sum;
	bool ok;

	memcpy(expected, frame.data, frame.len);
	sum = unit_csum(&expected[start], frame.len - start, 0);
	unit_put16(&expected[start + offset], sum == 0 ? 0xffff : sum);
	ok = rtap_vnet_rx(m, &hdr) == 0 && m->ol_flags == 0 &&
		unit_mbuf_equal(m, expected, frame.len);
	rte_pktmbuf_free(m);
	return ok;
}

static void
test_finish_unknown_protocol(void)
{
	static const struct unit_frame_spec specs[] = {
		{ .ip = 6, .proto = IPPROTO_ICMPV6, .payload = 56 },
		{ .ip = 4, .proto = IPPROTO_DCCP, .payload = 57 },
		{ .ip = 4, .proto = IPPROTO_UDP, .payload = 700, .fragment = true },
		{ .ip = 6, .proto = IPPROTO_TCP, .payload = 99, .fragment = true, .ip_extra = 8 },
		{ .ip = 4, .proto = IPPROTO_SCTP, .payload = 57 },
		{ .ip = 0, .payload = 80 },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(specs); i++) {
		unit_frame_build(&frame, &specs[i]);
		UNIT_ASSERT_AT(finishes(frame.l2_len + frame.l3_len, 6, frame.len, 0), i);
	}
}

/* The outer header is UDP, and correct; the unfinished one is deep inside. */
static void
test_finish_tunnel(void)
{
	static struct unit_frame inner;

	unit_frame_build(&inner, &(struct unit_frame_spec){
		.ip = 4, .proto = IPPROTO_TCP, .payload = 1000 });
	build(&shapes[0], IPPROTO_UDP, 8 + inner.len);
	memcpy(&frame.data[50], inner.data, inner.len);
	unit_put16(&frame.data[36], 4789);
	CU_ASSERT(finishes(50 + 34, 16, frame.len, 0));
	CU_ASSERT(finishes(50 + 34, 16, 90, 33));

	build(&shapes[0], IPPROTO_GRE, 4 + inner.len - 14);
	unit_put16(&frame.data[34], 0);
	unit_put16(&frame.data[36], RTE_ETHER_TYPE_IPV4);
	memcpy(&frame.data[38], &inner.data[14], inner.len - 14);
	CU_ASSERT(finishes(38 + 20, 16, frame.len, 0));
}

/* Segments of every length, odd ones above all: the field and any sum may be cut anywhere. */
static void
test_finish_segments(void)
{
	unsigned int first, rest;

	build(&shapes[1], IPPROTO_ICMPV6, 100);
	for (first = 1; first < frame.len; first++)
		for (rest = 1; rest < 80; rest += 1 + rest / 8)
			UNIT_ASSERT_AT(finishes(54, 2, first, rest), first * 100 + rest);
}

/* The sum may begin at an odd byte, end at one, and be stored at one. */
static void
test_finish_odd(void)
{
	unsigned int start, len, first;

	for (len = 40; len < 43; len++) {
		unit_frame_build(&frame, &(struct unit_frame_spec){ .payload = len });
		for (start = 0; start < frame.len - 2; start++)
			for (first = 1; first <= frame.len; first += 3)
				UNIT_ASSERT_AT(finishes(start,
					(start + first) % (frame.len - start - 1), first, 7),
					start * 100 + first);
	}
}

/* A large packet has more carries than 16 bits hold. */
static void
test_finish_large(void)
{
	unit_frame_build(&frame, &(struct unit_frame_spec){ .payload = 65000 });
	memset(&frame.data[14], 0xff, 65000);
	frame.data[300] = 0x12;
	CU_ASSERT(finishes(14, 16, 2047, 2047));
	CU_ASSERT(finishes(14, 16, 2048, 2048));
	CU_ASSERT(finishes(14, 16, 15, 4095));
	CU_ASSERT(finishes(15, 16, 65000, 3));
}

/* 0 means "no checksum" for UDP; 0xffff is the same number. */
static void
test_finish_zero(void)
{
	uint16_t sum;

	unit_frame_build(&frame, &(struct unit_frame_spec){ .payload = 64 });
	sum = unit_csum(&frame.data[14], 64, 0);
	unit_put16(&frame.data[20], unit_get16(&frame.data[20]) + sum > 0xffff ?
		unit_get16(&frame.data[20]) + sum - 0xffff : unit_get16(&frame.data[20]) + sum);
	CU_ASSERT_EQUAL_FATAL(unit_csum(&frame.data[14], 64, 0), 0);
	CU_ASSERT(finishes(14, 30, frame.len, 0));
	CU_ASSERT(finishes(14, 31, 46, 17));
}

/* The field of another protocol, or another header than the flags would be about. */
static void
test_finish_not_l4(void)
{
	build(&shapes[0], IPPROTO_TCP, 100);
	CU_ASSERT(finishes(34, 6, frame.len, 0));
	CU_ASSERT(finishes(34, 17, frame.len, 0));
	CU_ASSERT(finishes(35, 16, frame.len, 0));
	CU_ASSERT(finishes(14, 10, frame.len, 0));
	build(&shapes[0], IPPROTO_UDP, 100);
	CU_ASSERT(finishes(34, 16, frame.len, 0));
	CU_ASSERT(finishes(33, 6, frame.len, 0));
}

/* An mbuf describes L3 headers of up to 511 bytes; longer ones must not be cut to fit. */
static void
test_long_extension_header(void)
{
	static const struct unit_frame_spec fits = { .ip = 6, .ip_extra = 464 };
	static const struct unit_frame_spec exceeds = { .ip = 6, .ip_extra = 472 };
	uint64_t ol_flags;

	build(&fits, IPPROTO_UDP, 100);
	CU_ASSERT_EQUAL(rx(hdr_csum(), &ol_flags), 0);
	CU_ASSERT_EQUAL(ol_flags, RTE_MBUF_F_RX_L4_CKSUM_NONE);
	build(&exceeds, IPPROTO_UDP, 100);
	CU_ASSERT(finishes(14 + 512, 6, frame.len, 0));
	build(&exceeds, IPPROTO_TCP, 5000);
	CU_ASSERT_EQUAL(rx_ret(hdr_gso(GSO_TCPV6, 1000)), -EINVAL);
}

/* Out of the packet: dropped, and no byte beyond it is touched. */
static void
test_bad_csum_bounds(void)
{
	static const struct {
		uint16_t start, offset;
	} bad[] = {
		{ 99, 0 }, { 98, 1 }, { 0, 99 }, { 1, 98 }, { 34, 65 }, { 34, 0xffff },
		{ 100, 0 }, { 101, 0 }, { 0xffff, 0 }, { 0, 0xffff }, { 0xffff, 0xffff },
		{ 0x8000, 0x8000 },
	};
	unsigned int i;

	unit_frame_build(&frame, &(struct unit_frame_spec){ .payload = 86 });
	CU_ASSERT_EQUAL_FATAL(frame.len, 100);
	for (i = 0; i < RTE_DIM(bad); i++) {
		struct virtio_net_hdr_v1 hdr = hdr_at(bad[i].start, bad[i].offset);
		struct rte_mbuf *m = unit_mbuf_guarded(pool, frame.data, frame.len, 50, 13);

		UNIT_ASSERT_AT(rtap_vnet_rx(m, &hdr) == -EINVAL, i);
		UNIT_ASSERT_AT(unit_mbuf_equal(m, frame.data, frame.len), i);
		rte_pktmbuf_free(m);
	}
	CU_ASSERT(finishes(98, 0, 50, 13));
	CU_ASSERT(finishes(0, 98, 50, 13));
}

/*
 * IPv4 header
 */

/* IPv4 only: good, or a bit wrong somewhere in the header, wherever segments end. */
static void
test_ip_csum(void)
{
	const struct virtio_net_hdr_v1 hdr = {0};
	unsigned int i, bit;

	for (i = 0; i < NB_SHAPES; i++) {
		build(&shapes[i], IPPROTO_UDP, 10);
		for (bit = 0; bit < 8U * frame.l3_len; bit += 1 + frame.l3_len / 40) {
			unsigned int first = min_first() + bit % 64;
			struct rte_mbuf *m = unit_mbuf_guarded(pool, frame.data, frame.len, first,
				13 + frame.len / 8);
			uint8_t *byte = &frame.data[frame.l2_len + bit / 8];
			uint64_t good = frame.ip == 4 ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : 0;
			uint64_t bad = frame.ip == 4 ? RTE_MBUF_F_RX_IP_CKSUM_BAD : 0;

			rtap_vnet_rx(m, &hdr);
			rtap_vnet_rx_ip_csum(m);
			UNIT_ASSERT_AT(rx_flags(m) == good, i * 1000 + bit);
			rte_pktmbuf_free(m);
			if (bit / 8 == 0)
				continue; /* that is not a wrong checksum, but another header */
			*byte ^= 1 << bit % 8;
			m = unit_mbuf_guarded(pool, frame.data, frame.len, first,
				13 + frame.len / 8);
			*byte ^= 1 << bit % 8;
			rtap_vnet_rx(m, &hdr);
			rtap_vnet_rx_ip_csum(m);
			UNIT_ASSERT_AT(rx_flags(m) == bad, i * 1000 + bit);
			rte_pktmbuf_free(m);
		}
	}
}

/* The header is longer than the packet, or than itself. */
static void
test_ip_csum_cut(void)
{
	static const uint8_t version_ihl[] = { 0x44, 0x40, 0x4f, 0x65, 0x05 };
	const struct virtio_net_hdr_v1 hdr = {0};
	unsigned int i, len;

	for (i = 0; i < RTE_DIM(version_ihl); i++) {
		for (len = 14; len < 14 + 60; len++) {
			struct rte_mbuf *m;

			build(&shapes[0], IPPROTO_UDP, 32);
			frame.data[14] = version_ihl[i];
			m = unit_mbuf_guarded(pool, frame.data, len, len, 0);
			rtap_vnet_rx(m, &hdr);
			rtap_vnet_rx_ip_csum(m);
			UNIT_ASSERT_AT((m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) !=
				RTE_MBUF_F_RX_IP_CKSUM_GOOD, len);
			rte_pktmbuf_free(m);
		}
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "IPv4 header checksum", test_ip_csum },
		{ "IPv4 header cut off", test_ip_csum_cut },
		{ "checksum of an unknown protocol", test_finish_unknown_protocol },
		{ "checksum in a tunnel", test_finish_tunnel },
		{ "checksum over segments", test_finish_segments },
		{ "checksum at odd offsets", test_finish_odd },
		{ "checksum of a large packet", test_finish_large },
		{ "checksum 0", test_finish_zero },
		{ "checksum elsewhere", test_finish_not_l4 },
		{ "long extension headers", test_long_extension_header },
		{ "checksum out of bounds", test_bad_csum_bounds },
		CU_TEST_INFO_NULL,
	};

	return unit_vnet_run("vnet checksums", tests);
}
