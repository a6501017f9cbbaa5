/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_VNET_RX_H_
#define _RTAP_VNET_RX_H_

/* virtio-net header -> mbuf: see rtap_vnet.h. */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_tcp.h>

#include "rtap_vnet.h"

/*
 * Complete the Internet checksum that the kernel left unfinished: the sum from csum_start to
 * the end of the packet, stored csum_offset further on. The field may straddle two segments.
 * A sum of 0 is sent as 0xffff, which is the same number and does not mean "none" (RFC 768).
 */
static inline int
rtap_vnet_finish_csum(struct rte_mbuf *m, uint32_t csum_start, uint32_t csum_offset)
{
	uint32_t at = csum_start + csum_offset;
	uint16_t sum;
	size_t i;

	if (at + sizeof(sum) > m->pkt_len)
		return -EINVAL;
	sum = rtap_vnet_sum(m, csum_start);
	sum = (sum == UINT16_MAX) ? sum : (uint16_t)~sum;

	for (i = 0; i < sizeof(sum); i++, at++) {
		struct rte_mbuf *seg = m;
		uint32_t off = at;

		while (off >= seg->data_len) {
			off -= seg->data_len;
			seg = seg->next;
		}
		*rte_pktmbuf_mtod_offset(seg, uint8_t *, off) = ((uint8_t *)&sum)[i];
	}
	return 0;
}

/*
 * What is asked of rte_net_get_ptype(). Nothing inside a tunnel: nobody here needs it, and since
 * DPDK 25.03 ICMP would be taken for one (its protocol number for a type of VXLAN-GPE).
 */
#define RTAP_PTYPE_MASK (RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK)

/*
 * Packet type and header lengths. rte_net_get_ptype() takes the TPID 0x88a8 for two tags and
 * 0x8100 for one, while Linux offloads behind a single tag of either kind: so it gets to see
 * the frame without tags, the last 12 bytes of which stand in for the addresses.
 */
static inline uint32_t
rtap_vnet_ptype(struct rte_mbuf *m, struct rte_net_hdr_lens *lens)
{
	unsigned int nb_tags = rtap_vnet_nb_tags(m);
	uint16_t shift = nb_tags * RTE_VLAN_HLEN;
	uint32_t ptype;

	if (likely(nb_tags == 0) || m->data_len < RTE_ETHER_HDR_LEN + shift)
		return rte_net_get_ptype(m, lens, RTAP_PTYPE_MASK);

	rte_pktmbuf_adj(m, shift);
	ptype = rte_net_get_ptype(m, lens, RTAP_PTYPE_MASK);
	rte_pktmbuf_prepend(m, shift);
	lens->l2_len += shift;
	return (ptype & ~RTE_PTYPE_L2_MASK) |
		(nb_tags == 1 ? RTE_PTYPE_L2_ETHER_VLAN : RTE_PTYPE_L2_ETHER_QINQ);
}

/*
 * Is the unfinished checksum the one of the packet's outermost TCP or UDP header, and can the
 * mbuf say where that is?
 */
static inline bool
rtap_vnet_csum_is_l4(const struct rte_mbuf *m, const struct rte_net_hdr_lens *lens,
		uint32_t csum_start, uint32_t csum_offset)
{
	uint32_t l4 = m->packet_type & RTE_PTYPE_L4_MASK;

	if (csum_start != (uint32_t)lens->l2_len + lens->l3_len ||
	    lens->l3_len > RTAP_MBUF_L3_LEN_MAX)
		return false;
	return (l4 == RTE_PTYPE_L4_TCP && csum_offset == RTAP_TCP_CSUM_OFFSET) ||
		(l4 == RTE_PTYPE_L4_UDP && csum_offset == RTAP_UDP_CSUM_OFFSET);
}

/* Is a merged packet of this type what the header says it is, with an L4 header of that length? */
static inline bool
rtap_vnet_rx_gso_fits(uint32_t ptype, uint8_t l4_len, uint8_t gso_type)
{
	uint32_t l4 = ptype & RTE_PTYPE_L4_MASK;

	switch (gso_type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN:
		return l4 == RTE_PTYPE_L4_TCP && RTE_ETH_IS_IPV4_HDR(ptype) &&
			l4_len >= sizeof(struct rte_tcp_hdr);
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN:
		return l4 == RTE_PTYPE_L4_TCP && RTE_ETH_IS_IPV6_HDR(ptype) &&
			l4_len >= sizeof(struct rte_tcp_hdr);
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return l4 == RTE_PTYPE_L4_UDP; /* l4_len follows from that */
	default:
		return false;
	}
}

/* TCP or UDP merged by the kernel: gso_size bytes of payload belong in each segment. */
static inline int
rtap_vnet_rx_gso(struct rte_mbuf *m, const struct rte_net_hdr_lens *lens, uint8_t gso_type,
		uint16_t gso_size)
{
	if (!rtap_vnet_rx_gso_fits(m->packet_type, lens->l4_len, gso_type) || gso_size == 0 ||
	    (uint32_t)lens->l2_len + lens->l3_len + lens->l4_len > m->pkt_len)
		return -EINVAL;

	m->tso_segsz = gso_size;
	m->ol_flags |= RTE_MBUF_F_RX_LRO;
	return 0;
}

/*
 * Set packet type, offload flags, header lengths and segment size of a received packet from its
 * virtio-net header. The mbuf's ol_flags, packet_type and tx_offload are those of a fresh mbuf.
 *
 * RX_L4_CKSUM_NONE means, as in ethdev: the data is good, the checksum field is not; whoever
 * sends the packet on must ask for checksum offload.
 *
 * Returns -EINVAL when the header contradicts itself or the packet; the packet is then of no use.
 */
static inline int
rtap_vnet_rx(struct rte_mbuf *m, const struct virtio_net_hdr_v1 *hdr)
{
	uint32_t csum_start, csum_offset;
	struct rte_net_hdr_lens lens = {0};
	int ret;

	m->packet_type = rtap_vnet_ptype(m, &lens);
	m->l2_len = lens.l2_len;
	m->l3_len = lens.l3_len;
	m->l4_len = lens.l4_len;

	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0)
			return -EINVAL;
		ret = rtap_vnet_rx_gso(m, &lens, hdr->gso_type, rte_le_to_cpu_16(hdr->gso_size));
		if (ret != 0)
			return ret;
	}

	if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
		csum_start = rte_le_to_cpu_16(hdr->csum_start);
		csum_offset = rte_le_to_cpu_16(hdr->csum_offset);
		if (rtap_vnet_csum_is_l4(m, &lens, csum_start, csum_offset)) {
			if (csum_start + csum_offset + sizeof(uint16_t) > m->pkt_len)
				return -EINVAL;
			m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
			return 0;
		}
		/* A segment of a merged packet cannot be summed up for all. */
		if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE)
			return -EINVAL;
		return rtap_vnet_finish_csum(m, csum_start, csum_offset);
	}

	if ((hdr->flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0) {
		switch (m->packet_type & RTE_PTYPE_L4_MASK) {
		case RTE_PTYPE_L4_TCP:
		case RTE_PTYPE_L4_UDP:
		case RTE_PTYPE_L4_SCTP:
			m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
		}
	}
	return 0;
}

/*
 * Verify the checksum of an IPv4 header, which virtio-net says nothing about. For a packet that
 * rtap_vnet_rx() has seen; packets of other protocols are left alone.
 */
static inline void
rtap_vnet_rx_ip_csum(struct rte_mbuf *m)
{
	uint8_t copy[RTAP_IPV4_HDR_MAX];
	const void *ip;

	if (!RTE_ETH_IS_IPV4_HDR(m->packet_type))
		return;
	ip = rte_pktmbuf_read(m, m->l2_len, m->l3_len, copy);
	if (ip != NULL && m->l3_len >= sizeof(struct rte_ipv4_hdr) &&
	    rte_raw_cksum(ip, m->l3_len) == UINT16_MAX)
		m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	else
		m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
}

/*
 * Take the outermost VLAN tag, if it is of TPID 0x8100, out of a packet that rtap_vnet_rx() has
 * seen.
 */
static inline void
rtap_vnet_rx_strip(struct rte_mbuf *m)
{
	const bool two = (m->packet_type & RTE_PTYPE_L2_MASK) == RTE_PTYPE_L2_ETHER_QINQ;

	if (m->data_len < RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN || rte_vlan_strip(m) != 0)
		return;
	m->l2_len -= RTE_VLAN_HLEN;
	m->packet_type = (m->packet_type & ~RTE_PTYPE_L2_MASK) |
		(two ? RTE_PTYPE_L2_ETHER_VLAN : RTE_PTYPE_L2_ETHER);
}

#endif /* _RTAP_VNET_RX_H_ */
