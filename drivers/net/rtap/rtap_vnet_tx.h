/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_VNET_TX_H_
#define _RTAP_VNET_TX_H_

/* mbuf -> virtio-net header: see rtap_vnet.h. */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "rtap_vnet.h"

/* Packets to be segmented. */
#define RTAP_TX_SEG (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)

#define RTAP_TX_OFFLOAD_MASK (RTE_MBUF_F_TX_L4_MASK | RTAP_TX_SEG | \
		RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)

/* What this driver cannot do for a packet; some flags only describe it. */
#define RTAP_TX_OFFLOAD_NOTSUP (RTE_MBUF_F_TX_OFFLOAD_MASK & ~(RTAP_TX_OFFLOAD_MASK | \
		RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IPV6))

/* Does sending this packet take more than a header of zeros? */
static inline bool
rtap_vnet_tx_needs_offload(const struct rte_mbuf *m)
{
	return (m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTAP_TX_SEG | RTE_MBUF_F_TX_IP_CKSUM |
			RTAP_TX_OFFLOAD_NOTSUP)) != 0;
}

/* The L4 offset within the checksum flags' protocol; negative for those tun cannot compute. */
static inline int
rtap_vnet_csum_offset(uint64_t ol_flags)
{
	if ((ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0)
		return RTAP_TCP_CSUM_OFFSET;
	if ((ol_flags & RTE_MBUF_F_TX_UDP_SEG) != 0)
		return RTAP_UDP_CSUM_OFFSET;
	switch (ol_flags & RTE_MBUF_F_TX_L4_MASK) {
	case RTE_MBUF_F_TX_TCP_CKSUM:
		return RTAP_TCP_CSUM_OFFSET;
	case RTE_MBUF_F_TX_UDP_CKSUM:
		return RTAP_UDP_CSUM_OFFSET;
	default:
		return -ENOTSUP; /* SCTP: a CRC32c */
	}
}

/*
 * Congestion Window Reduced must appear in the first segment only (RFC 3168 section 6.1.2). The
 * kernel clears it from the others when, and only when, the header says GSO_ECN.
 */
static inline uint8_t
rtap_vnet_tx_ecn(const struct rte_mbuf *m, uint32_t l4_start)
{
	const uint8_t *flags;
	uint8_t copy;

	flags = rte_pktmbuf_read(m, l4_start + offsetof(struct rte_tcp_hdr, tcp_flags),
			sizeof(copy), &copy);
	return (*flags & RTE_TCP_CWR_FLAG) != 0 ? VIRTIO_NET_HDR_GSO_ECN : 0;
}

/*
 * Ask for segmentation, unless there is but one segment: the kernel may take a packet for several
 * because its TCP options do not fit, find that it is one, and drop it.
 */
static inline int
rtap_vnet_tx_gso(const struct rte_mbuf *m, uint32_t l4_start, struct virtio_net_hdr_v1 *hdr)
{
	const uint64_t ip = m->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
	const bool udp = (m->ol_flags & RTE_MBUF_F_TX_UDP_SEG) != 0;
	uint32_t hdr_len = l4_start + m->l4_len;

	if (m->tso_segsz == 0 || hdr_len > m->pkt_len || ip == 0 ||
	    ip == (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6) ||
	    (m->ol_flags & RTAP_TX_SEG) == RTAP_TX_SEG ||
	    (udp ? m->l4_len != sizeof(struct rte_udp_hdr) :
	     m->l4_len < sizeof(struct rte_tcp_hdr)))
		return -EINVAL;
	if (m->pkt_len - hdr_len <= m->tso_segsz)
		return 0;

	if (udp)
		hdr->gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	else
		hdr->gso_type = rtap_vnet_tx_ecn(m, l4_start) | (ip == RTE_MBUF_F_TX_IPV4 ?
			VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6);
	hdr->gso_size = rte_cpu_to_le_16(m->tso_segsz);
	hdr->hdr_len = rte_cpu_to_le_16(hdr_len);
	return 0;
}

/*
 * Write the virtio-net header for a packet. The mbuf is only read. tun tells what the kernel can
 * do of what not every kernel can: RTAP_TUN_F_USO.
 *
 * Expects the pseudo-header sum in the checksum field, as rtap_tx_prepare() leaves it.
 *
 * Returns -ENOTSUP for an offload that the driver did not advertise, -EINVAL when the header
 * lengths contradict the packet. IPv4 header checksums are not the kernel's business here:
 * see rtap_vnet_tx_ip_csum().
 */
static inline int
rtap_vnet_tx(const struct rte_mbuf *m, struct virtio_net_hdr_v1 *hdr, unsigned int tun)
{
	uint32_t l4_start = (uint32_t)m->l2_len + m->l3_len;
	int csum_offset;

	*hdr = (struct virtio_net_hdr_v1){0};
	if (!rtap_vnet_tx_needs_offload(m))
		return 0;
	if ((m->ol_flags & RTAP_TX_OFFLOAD_NOTSUP) != 0 ||
	    ((m->ol_flags & RTE_MBUF_F_TX_UDP_SEG) != 0 && (tun & RTAP_TUN_F_USO) == 0))
		return -ENOTSUP;
	if ((m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0 &&
	    (m->l2_len == 0 || m->l3_len < sizeof(struct rte_ipv4_hdr) ||
	     m->l3_len > RTAP_IPV4_HDR_MAX || l4_start > m->pkt_len ||
	     (m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0))
		return -EINVAL;
	if ((m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTAP_TX_SEG)) == 0)
		return 0;

	csum_offset = rtap_vnet_csum_offset(m->ol_flags);
	if (csum_offset < 0)
		return csum_offset;
	if (m->l2_len == 0 || m->l3_len == 0 ||
	    l4_start + csum_offset + sizeof(uint16_t) > m->pkt_len)
		return -EINVAL;
	hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->csum_start = rte_cpu_to_le_16(l4_start);
	hdr->csum_offset = rte_cpu_to_le_16(csum_offset);

	if ((m->ol_flags & RTAP_TX_SEG) != 0)
		return rtap_vnet_tx_gso(m, l4_start, hdr);
	return 0;
}

/* Compute the checksum of an IPv4 header of len bytes in place: the kernel expects it done. */
static inline void
rtap_vnet_tx_ip_csum(void *l3, size_t len)
{
	struct rte_ipv4_hdr *ip = l3;

	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, len);
}

/*
 * The sum over the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1), with the length:
 * DPDK leaves it out for packets to be segmented, virtio and tun want it always. l3 points to
 * the IP header.
 */
static inline uint16_t
rtap_vnet_phdr_sum(const struct rte_mbuf *m, const void *l3, uint8_t proto)
{
	uint32_t len = m->pkt_len - m->l2_len - m->l3_len;
	struct {
		rte_be32_t len;
		uint8_t zero[3];
		uint8_t proto;
	} tail = { .proto = proto };
	uint32_t sum;

	if ((m->ol_flags & RTE_MBUF_F_TX_IPV4) != 0) {
		const struct rte_ipv4_hdr *ip = l3;

		if ((m->ol_flags & RTAP_TX_SEG) == 0)
			len = rte_be_to_cpu_16(ip->total_length) - m->l3_len;
		sum = __rte_raw_cksum(&ip->src_addr, 2 * sizeof(ip->src_addr), 0);
	} else {
		const struct rte_ipv6_hdr *ip = l3;

		if ((m->ol_flags & RTAP_TX_SEG) == 0)
			len = rte_be_to_cpu_16(ip->payload_len) + sizeof(*ip) - m->l3_len;
		sum = __rte_raw_cksum(&ip->src_addr, 2 * sizeof(ip->src_addr), 0);
	}
	tail.len = rte_cpu_to_be_32(len);
	return __rte_raw_cksum_reduce(__rte_raw_cksum(&tail, sizeof(tail), sum));
}

/*
 * What rte_eth_tx_prepare() does to one packet: put the pseudo-header sum that the kernel
 * expects in the checksum field. The headers must lie in the first segment, as for any driver.
 *
 * Returns 0, -ENOTSUP for offloads not advertised, -EINVAL for headers that make no sense.
 */
static inline int
rtap_vnet_tx_prepare(struct rte_mbuf *m, unsigned int tun)
{
	struct virtio_net_hdr_v1 hdr;
	uint16_t csum_start, csum_offset;
	uint8_t proto;
	int ret;

	ret = rtap_vnet_tx(m, &hdr, tun);
	if (ret != 0 || hdr.flags == 0)
		return ret;

	csum_start = rte_le_to_cpu_16(hdr.csum_start);
	csum_offset = rte_le_to_cpu_16(hdr.csum_offset);
	if (csum_start + csum_offset + sizeof(uint16_t) > m->data_len)
		return -ENOTSUP;
	switch (m->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)) {
	case RTE_MBUF_F_TX_IPV4:
		ret = (m->l3_len < sizeof(struct rte_ipv4_hdr)) ? -EINVAL : 0;
		break;
	case RTE_MBUF_F_TX_IPV6:
		ret = (m->l3_len < sizeof(struct rte_ipv6_hdr)) ? -EINVAL : 0;
		break;
	default:
		ret = -EINVAL;
	}
	if (ret != 0)
		return ret;

	proto = (csum_offset == RTAP_TCP_CSUM_OFFSET) ? IPPROTO_TCP : IPPROTO_UDP;
	*(unaligned_uint16_t *)rte_pktmbuf_mtod_offset(m, void *, csum_start + csum_offset) =
		rtap_vnet_phdr_sum(m, rte_pktmbuf_mtod_offset(m, void *, m->l2_len), proto);
	return 0;
}

#endif /* _RTAP_VNET_TX_H_ */
