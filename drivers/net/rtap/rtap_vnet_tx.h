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

/* What is in an outer header is to be filled in. */
#define RTAP_TX_OUTER_CKSUM (RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_UDP_CKSUM)

#define RTAP_TX_IP_MASK (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)
#define RTAP_TX_OUTER_IP_MASK (RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IPV6)

/* Tags to be inserted: one, or two. */
#define RTAP_TX_TAGS (RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ)

/* The driver may have to write into the headers: rtap_vnet_edit(). */
#define RTAP_TX_EDIT (RTE_MBUF_F_TX_IP_CKSUM | RTAP_TX_OUTER_CKSUM | RTAP_TX_TAGS)

/* There is an outer header, and outer_l2_len and outer_l3_len count. */
#define RTAP_TX_OUTER (RTAP_TX_OUTER_IP_MASK | RTAP_TX_OUTER_CKSUM | RTE_MBUF_F_TX_TUNNEL_MASK)

/* l2_len and l3_len count. */
#define RTAP_TX_INNER (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK | RTAP_TX_SEG)

/* What is in front of L4 if it is to be edited. Only IPv6 extension headers may exceed that. */
#define RTAP_TX_L4_START_MAX (2 * RTAP_L2_L3_MAX)

/* Some flags only describe the packet. */
#define RTAP_TX_DESCRIPTION (RTAP_TX_IP_MASK | RTAP_TX_OUTER_IP_MASK | RTE_MBUF_F_TX_TUNNEL_MASK)

/* What this driver cannot do for a packet. */
#define RTAP_TX_OFFLOAD_NOTSUP (RTE_MBUF_F_TX_OFFLOAD_MASK & ~(RTAP_TX_DESCRIPTION | \
		RTE_MBUF_F_TX_L4_MASK | RTAP_TX_SEG | RTAP_TX_EDIT))

/*
 * Where headers begin
 */

static inline uint32_t
rtap_vnet_outer_l4_start(const struct rte_mbuf *m)
{
	return (uint32_t)m->outer_l2_len + m->outer_l3_len;
}

/* In a tunnel, l2_len is what there is between the outer and the inner IP packet, if anything. */
static inline uint32_t
rtap_vnet_l3_start(const struct rte_mbuf *m)
{
	return m->l2_len + ((m->ol_flags & RTAP_TX_OUTER) != 0 ? rtap_vnet_outer_l4_start(m) : 0);
}

static inline uint32_t
rtap_vnet_l4_start(const struct rte_mbuf *m)
{
	return rtap_vnet_l3_start(m) + m->l3_len;
}

/* How many bytes of tags are inserted behind the addresses. */
static inline uint32_t
rtap_vnet_tags_len(const struct rte_mbuf *m)
{
	if ((m->ol_flags & RTE_MBUF_F_TX_QINQ) != 0)
		return 2 * RTE_VLAN_HLEN;
	return (m->ol_flags & RTE_MBUF_F_TX_VLAN) != 0 ? RTE_VLAN_HLEN : 0;
}

/*
 * Header
 */

/* Does sending this packet take more than a header of zeros? */
static inline bool
rtap_vnet_tx_needs_offload(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK & ~RTAP_TX_DESCRIPTION) != 0;
}

/* The kernel is to segment the packet, and with it the tunnel that it is in. */
static inline bool
rtap_vnet_tx_is_tunnel_gso(const struct rtap_vnet_hdr *hdr)
{
	return hdr->outer_th_offset != 0;
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

/* Can the kernel segment in this tunnel? */
static inline bool
rtap_vnet_tunnel_has_gso(uint64_t ol_flags, unsigned int tun)
{
	const uint64_t tunnel = ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK;

	return (tun & RTAP_TUN_F_TUNNEL) != 0 && (ol_flags & RTE_MBUF_F_TX_UDP_SEG) == 0 &&
		(tunnel == RTE_MBUF_F_TX_TUNNEL_VXLAN || tunnel == RTE_MBUF_F_TX_TUNNEL_GENEVE);
}

static inline bool
rtap_vnet_is_ipv4_len(uint32_t len)
{
	return len >= sizeof(struct rte_ipv4_hdr) && len <= RTAP_IPV4_HDR_MAX;
}

/* Do the lengths of the outer headers fit what is to be done with them? */
static inline bool
rtap_vnet_outer_fits(const struct rte_mbuf *m)
{
	uint32_t end = rtap_vnet_outer_l4_start(m), l3_min = 0;

	if ((m->ol_flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM) != 0 &&
	    ((m->ol_flags & RTE_MBUF_F_TX_OUTER_IPV6) != 0 ||
	     !rtap_vnet_is_ipv4_len(m->outer_l3_len)))
		return false;
	if ((m->ol_flags & (RTE_MBUF_F_TX_OUTER_UDP_CKSUM | RTAP_TX_SEG)) != 0) {
		switch (m->ol_flags & RTAP_TX_OUTER_IP_MASK) {
		case RTE_MBUF_F_TX_OUTER_IPV4:
			l3_min = sizeof(struct rte_ipv4_hdr);
			break;
		case RTE_MBUF_F_TX_OUTER_IPV6:
			l3_min = sizeof(struct rte_ipv6_hdr);
			break;
		default:
			return false;
		}
		end += sizeof(struct rte_udp_hdr);
	}
	return m->outer_l2_len >= RTE_ETHER_HDR_LEN && m->outer_l3_len >= l3_min &&
		end <= m->pkt_len &&
		((m->ol_flags & RTAP_TX_INNER) == 0 || rtap_vnet_l3_start(m) >= end);
}

/* Are these offloads that the driver advertised, with lengths that make sense? */
static inline int
rtap_vnet_tx_check(const struct rte_mbuf *m, unsigned int tun)
{
	const uint64_t flags = m->ol_flags;

	if ((flags & RTAP_TX_OFFLOAD_NOTSUP) != 0 ||
	    ((flags & RTE_MBUF_F_TX_UDP_SEG) != 0 && (tun & RTAP_TUN_F_USO) == 0))
		return -ENOTSUP;
	if ((flags & RTAP_TX_TAGS) != 0 && m->pkt_len < RTE_ETHER_HDR_LEN)
		return -EINVAL;
	if ((flags & RTAP_TX_OUTER) != 0) {
		if ((flags & RTAP_TX_SEG) != 0 && !rtap_vnet_tunnel_has_gso(flags, tun))
			return -ENOTSUP;
		if ((flags & (RTAP_TX_OUTER_CKSUM | RTAP_TX_SEG)) != 0 && !rtap_vnet_outer_fits(m))
			return -EINVAL;
		if ((flags & RTAP_TX_EDIT) != 0 && rtap_vnet_l4_start(m) > RTAP_TX_L4_START_MAX)
			return -EINVAL;
	}
	if ((flags & RTE_MBUF_F_TX_IP_CKSUM) != 0 &&
	    (rtap_vnet_l3_start(m) == 0 || !rtap_vnet_is_ipv4_len(m->l3_len) ||
	     rtap_vnet_l4_start(m) > m->pkt_len || (flags & RTE_MBUF_F_TX_IPV6) != 0))
		return -EINVAL;
	return 0;
}

/*
 * Congestion Window Reduced must appear in the first segment only (RFC 3168 section 6.1.2). The
 * kernel clears it from the others when, and only when, the header says GSO_ECN.
 */
static inline uint8_t
rtap_vnet_tx_ecn(const struct rte_mbuf *m)
{
	const uint8_t *flags;
	uint8_t copy;

	flags = rte_pktmbuf_read(m, rtap_vnet_l4_start(m) +
			offsetof(struct rte_tcp_hdr, tcp_flags), sizeof(copy), &copy);
	return (*flags & RTE_TCP_CWR_FLAG) != 0 ? VIRTIO_NET_HDR_GSO_ECN : 0;
}

/* The kernel writes the outer headers of each segment. */
static inline void
rtap_vnet_tx_tunnel_gso(const struct rte_mbuf *m, struct rtap_vnet_hdr *hdr)
{
	hdr->v1.gso_type |= (m->ol_flags & RTE_MBUF_F_TX_OUTER_IPV4) != 0 ?
		VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 : VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6;
	if ((m->ol_flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0)
		hdr->v1.flags |= VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM;
	hdr->outer_th_offset = rte_cpu_to_le_16(rtap_vnet_outer_l4_start(m));
	hdr->inner_nh_offset = rte_cpu_to_le_16(rtap_vnet_l3_start(m));
}

/*
 * Is the kernel to segment the packet? Not if there is but one segment: the kernel may take a
 * packet for several because its TCP options do not fit, find that it is one, and drop it; and it
 * forgets the outer checksum of a tunnel then.
 */
static inline bool
rtap_vnet_tx_is_gso(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTAP_TX_SEG) != 0 &&
		m->pkt_len > rtap_vnet_l4_start(m) + m->l4_len + m->tso_segsz;
}

/* Ask for segmentation, if there is more than one segment. */
static inline int
rtap_vnet_tx_gso(const struct rte_mbuf *m, struct rtap_vnet_hdr *hdr)
{
	const uint64_t ip = m->ol_flags & RTAP_TX_IP_MASK;
	const bool udp = (m->ol_flags & RTE_MBUF_F_TX_UDP_SEG) != 0;
	uint32_t hdr_len = rtap_vnet_l4_start(m) + m->l4_len;

	if (m->tso_segsz == 0 || hdr_len > m->pkt_len || ip == 0 || ip == RTAP_TX_IP_MASK ||
	    (m->ol_flags & RTAP_TX_SEG) == RTAP_TX_SEG ||
	    (udp ? m->l4_len != sizeof(struct rte_udp_hdr) :
	     m->l4_len < sizeof(struct rte_tcp_hdr)))
		return -EINVAL;
	if (!rtap_vnet_tx_is_gso(m))
		return 0;

	if (udp)
		hdr->v1.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	else
		hdr->v1.gso_type = rtap_vnet_tx_ecn(m) | (ip == RTE_MBUF_F_TX_IPV4 ?
			VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6);
	hdr->v1.gso_size = rte_cpu_to_le_16(m->tso_segsz);
	hdr->v1.hdr_len = rte_cpu_to_le_16(hdr_len);
	if ((m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) != 0)
		rtap_vnet_tx_tunnel_gso(m, hdr);
	return 0;
}

static inline void
rtap_vnet_shift(rte_le16_t *field, uint32_t by)
{
	*field = rte_cpu_to_le_16(rte_le_to_cpu_16(*field) + by);
}

/* All headers are that much further from the beginning of the frame. */
static inline void
rtap_vnet_tx_shift(struct rtap_vnet_hdr *hdr, uint32_t by)
{
	rtap_vnet_shift(&hdr->v1.csum_start, by);
	if (hdr->v1.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		rtap_vnet_shift(&hdr->v1.hdr_len, by);
	if (rtap_vnet_tx_is_tunnel_gso(hdr)) {
		rtap_vnet_shift(&hdr->outer_th_offset, by);
		rtap_vnet_shift(&hdr->inner_nh_offset, by);
	}
}

/*
 * Write the virtio-net header for a packet. The mbuf is only read. tun tells what the kernel can
 * do of what not every kernel can: RTAP_TUN_F_USO, RTAP_TUN_F_TUNNEL.
 *
 * Expects the pseudo-header sum in the checksum field, as rtap_vnet_tx_prepare() leaves it.
 *
 * Returns -ENOTSUP for an offload that the driver did not advertise, -EINVAL when the header
 * lengths contradict the packet. Checksums that are not the kernel's business are left to
 * rtap_vnet_edit().
 */
static inline int
rtap_vnet_tx(const struct rte_mbuf *m, struct rtap_vnet_hdr *hdr, unsigned int tun)
{
	uint32_t l4_start;
	int csum_offset, ret;

	*hdr = (struct rtap_vnet_hdr){0};
	if (!rtap_vnet_tx_needs_offload(m))
		return 0;
	ret = rtap_vnet_tx_check(m, tun);
	if (ret != 0 || (m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTAP_TX_SEG)) == 0)
		return ret;

	csum_offset = rtap_vnet_csum_offset(m->ol_flags);
	if (csum_offset < 0)
		return csum_offset;
	l4_start = rtap_vnet_l4_start(m);
	if (l4_start == m->l3_len || m->l3_len == 0 ||
	    l4_start + csum_offset + sizeof(uint16_t) > m->pkt_len)
		return -EINVAL;
	hdr->v1.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->v1.csum_start = rte_cpu_to_le_16(l4_start);
	hdr->v1.csum_offset = rte_cpu_to_le_16(csum_offset);

	if ((m->ol_flags & RTAP_TX_SEG) != 0)
		ret = rtap_vnet_tx_gso(m, hdr);
	if ((m->ol_flags & RTAP_TX_TAGS) != 0)
		rtap_vnet_tx_shift(hdr, rtap_vnet_tags_len(m));
	return ret;
}

/*
 * Preparation
 */

/*
 * The sum over the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1) of a packet with
 * len bytes from its L4 header on. l3 points to the IP header.
 */
static inline uint16_t
rtap_vnet_phdr_sum(const uint8_t *l3, bool ipv4, uint8_t proto, uint32_t len)
{
	struct {
		rte_be32_t len;
		uint8_t zero[3];
		uint8_t proto;
	} tail = { .len = rte_cpu_to_be_32(len), .proto = proto };
	uint32_t sum;

	if (ipv4)
		sum = __rte_raw_cksum(l3 + offsetof(struct rte_ipv4_hdr, src_addr),
			2 * sizeof(rte_be32_t), 0);
	else
		sum = __rte_raw_cksum(l3 + offsetof(struct rte_ipv6_hdr, src_addr), 2 * 16, 0);
	return __rte_raw_cksum_reduce(__rte_raw_cksum(&tail, sizeof(tail), sum));
}

/* The length from the L4 header on that the IP header tells: a short frame may be padded. */
static inline uint32_t
rtap_vnet_l4_len(const uint8_t *l3, bool ipv4, uint16_t l3_len)
{
	if (ipv4)
		return rtap_vnet_get16(l3 + offsetof(struct rte_ipv4_hdr, total_length)) - l3_len;
	return rtap_vnet_get16(l3 + offsetof(struct rte_ipv6_hdr, payload_len)) +
		sizeof(struct rte_ipv6_hdr) - l3_len;
}

/*
 * The kernel wants a sum in the outer UDP header if it is to go on from there, and otherwise
 * leaves what it finds in all segments, which is right for none but 0.
 */
static inline int
rtap_vnet_prepare_outer(struct rte_mbuf *m)
{
	const bool ipv4 = (m->ol_flags & RTE_MBUF_F_TX_OUTER_IPV4) != 0;
	uint32_t l4_start = rtap_vnet_outer_l4_start(m);
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	uint8_t *field = data + l4_start + RTAP_UDP_CSUM_OFFSET;
	uint16_t sum;

	if ((m->ol_flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) == 0)
		return rtap_vnet_get16(field) == 0 ? 0 : -EINVAL;
	sum = rtap_vnet_phdr_sum(data + m->outer_l2_len, ipv4, IPPROTO_UDP,
		m->pkt_len - l4_start);
	memcpy(field, &sum, sizeof(sum));
	return 0;
}

/*
 * What rte_eth_tx_prepare() does to one packet: put the pseudo-header sums that the kernel
 * expects in the checksum fields, with the length, which DPDK leaves out for packets to be
 * segmented. The headers must lie in the first segment, as for any driver.
 *
 * Returns 0, -ENOTSUP for offloads not advertised, -EINVAL for headers that make no sense.
 */
static inline int
rtap_vnet_tx_prepare(struct rte_mbuf *m, unsigned int tun)
{
	const bool ipv4 = (m->ol_flags & RTE_MBUF_F_TX_IPV4) != 0;
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t l4_start = rtap_vnet_l4_start(m);
	const uint8_t *l3 = data + l4_start - m->l3_len;
	struct rtap_vnet_hdr hdr;
	uint32_t csum_offset, len;
	uint16_t sum;
	int ret;

	ret = rtap_vnet_tx(m, &hdr, tun);
	if (ret != 0 || hdr.v1.flags == 0)
		return ret;

	csum_offset = rte_le_to_cpu_16(hdr.v1.csum_offset);
	if (l4_start + csum_offset + sizeof(sum) > m->data_len)
		return -ENOTSUP;
	if ((m->ol_flags & RTAP_TX_IP_MASK) == 0 ||
	    (m->ol_flags & RTAP_TX_IP_MASK) == RTAP_TX_IP_MASK ||
	    m->l3_len < (ipv4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr)))
		return -EINVAL;
	if (rtap_vnet_tx_is_tunnel_gso(&hdr)) {
		ret = rtap_vnet_prepare_outer(m);
		if (ret != 0)
			return ret;
	}

	len = hdr.v1.gso_type != VIRTIO_NET_HDR_GSO_NONE ? m->pkt_len - l4_start :
		rtap_vnet_l4_len(l3, ipv4, m->l3_len);
	sum = rtap_vnet_phdr_sum(l3, ipv4,
		csum_offset == RTAP_TCP_CSUM_OFFSET ? IPPROTO_TCP : IPPROTO_UDP, len);
	memcpy(data + l4_start + csum_offset, &sum, sizeof(sum));
	return 0;
}

#endif /* _RTAP_VNET_TX_H_ */
