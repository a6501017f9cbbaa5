/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <rte_mempool.h>

#include "unit_vnet.h"

struct rte_mempool *pool;
struct unit_frame frame;

const struct unit_frame_spec shapes[] = {
	{ .ip = 4 },
	{ .ip = 6 },
	{ .ip = 4, .ip_extra = 4 },
	{ .ip = 4, .ip_extra = 40 },
	{ .ip = 6, .ip_extra = 8 },
	{ .ip = 6, .ip_extra = 464 },
	{ .ip = 4, .tpid = { 0x8100 } },
	{ .ip = 6, .tpid = { 0x8100 } },
	{ .ip = 4, .tpid = { 0x88a8, 0x8100 } },
	{ .ip = 6, .tpid = { 0x88a8, 0x8100 }, .ip_extra = 16 },
	{ .ip = 4, .tpid = { 0x88a8 } },
	{ .ip = 6, .tpid = { 0x8100, 0x8100 } },
};

unsigned int tun = RTAP_TUN_F_USO | RTAP_TUN_F_TUNNEL;

static unsigned int avail;

void
build(const struct unit_frame_spec *shape, uint8_t proto, uint32_t payload)
{
	struct unit_frame_spec spec = *shape;

	spec.proto = proto;
	spec.payload = payload;
	unit_frame_build(&frame, &spec);
}

void
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

struct rte_mbuf *
tx_mbuf(uint64_t ol_flags)
{
	struct rte_mbuf *m = unit_mbuf_frame(pool, &frame);

	m->ol_flags = ol_flags;
	return m;
}

uint64_t
ip_flag(void)
{
	return frame.ip == 4 ? IPV4 : IPV6;
}

struct virtio_net_hdr_v1
hdr_csum(void)
{
	uint32_t l4 = frame.l2_len + frame.l3_len;

	return (struct virtio_net_hdr_v1){
		.flags = NEEDS_CSUM,
		.csum_start = rte_cpu_to_le_16(l4),
		.csum_offset = rte_cpu_to_le_16(unit_l4_csum_at(&frame) - l4),
	};
}

struct virtio_net_hdr_v1
hdr_gso(uint8_t type, uint16_t size)
{
	struct virtio_net_hdr_v1 hdr = hdr_csum();

	hdr.gso_type = type;
	hdr.gso_size = rte_cpu_to_le_16(size);
	return hdr;
}

struct virtio_net_hdr_v1
hdr_at(uint16_t csum_start, uint16_t csum_offset)
{
	return (struct virtio_net_hdr_v1){
		.flags = NEEDS_CSUM,
		.csum_start = rte_cpu_to_le_16(csum_start),
		.csum_offset = rte_cpu_to_le_16(csum_offset),
	};
}

int
rx(struct virtio_net_hdr_v1 hdr, uint64_t *ol_flags)
{
	struct rte_mbuf *m = unit_mbuf_frame(pool, &frame);
	int ret;

	m->tx_offload = 0;
	ret = rtap_vnet_rx(m, &hdr);
	*ol_flags = m->ol_flags;
	rte_pktmbuf_free(m);
	return ret;
}

int
rx_ret(struct virtio_net_hdr_v1 hdr)
{
	uint64_t ol_flags;

	return rx(hdr, &ol_flags);
}

uint16_t
min_first(void)
{
	return frame.l2_len == RTE_ETHER_HDR_LEN ? 1 : frame.l2_len;
}

uint64_t
rx_flags(const struct rte_mbuf *m)
{
	return m->ol_flags & ~RTE_MBUF_F_EXTERNAL;
}

static void
set_up(void)
{
	avail = rte_mempool_avail_count(pool);
}

static void
tear_down(void)
{
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool), avail);
}

int
unit_vnet_run(const char *name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {
		{ name, NULL, NULL, set_up, tear_down, tests },
		CU_SUITE_INFO_NULL,
	};

	unit_eal_init();
	pool = unit_pool("vnet", 511, UINT16_MAX);
	return unit_run(suites);
}
