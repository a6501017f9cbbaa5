/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_VNET_H_
#define _RTAP_VNET_H_

/*
 * virtio-net header <-> mbuf.
 *
 * Every frame on the TAP file is preceded by a struct virtio_net_hdr_v1 (virtio 1.2, section
 * 5.1.6; linux/virtio_net.h). "Rx" is kernel to application, "Tx" application to kernel. The
 * two directions are not mirror images:
 *
 * - on Rx the kernel says what is left to be done (NEEDS_CSUM: the checksum field holds the sum
 *   of the pseudo-header only) and what was merged (GSO);
 * - on Tx the application asks the kernel for the same.
 *
 * Assumptions: the fields are little-endian (the file was switched with TUNSETVNETLE), and
 * tunnel, UDP segmentation and VLAN insertion are not negotiated.
 *
 * Nothing here does I/O. Functions return 0 or a negative errno; no function reads a byte
 * beyond the packet, whatever the header claims.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/virtio_net.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define RTAP_VNET_HDR_LEN sizeof(struct virtio_net_hdr_v1)

/* Where the checksum lies within the L4 header: RFC 9293 section 3.1, RFC 768. */
#define RTAP_TCP_CSUM_OFFSET offsetof(struct rte_tcp_hdr, cksum)
#define RTAP_UDP_CSUM_OFFSET offsetof(struct rte_udp_hdr, dgram_cksum)

/* Ethernet header and two VLAN tags: what a frame may have beyond its MTU. A TAP has no FCS. */
#define RTAP_ETH_OVERHEAD (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)

/* The largest frame: an IP packet of 64 KiB - 1, which is what GSO builds (GSO_LEGACY_MAX_SIZE). */
#define RTAP_FRAME_MAX (UINT16_MAX + RTAP_ETH_OVERHEAD)

/* The longest L2 and IPv4 headers that an mbuf can describe: l2_len has 7 bits, IHL 4. */
#define RTAP_IPV4_HDR_MAX 60
#define RTAP_L2_L3_MAX (127 + RTAP_IPV4_HDR_MAX)

/* l3_len has 9 bits; IPv6 extension headers may be longer. */
#define RTAP_MBUF_L3_LEN_MAX 511

/*
 * Rx
 */

/*
 * The Internet checksum from off to the end of the packet, not inverted (RFC 1071). A segment
 * that begins at an odd offset has its bytes in the wrong halves of the sum.
 */
static inline uint16_t
rtap_vnet_sum(const struct rte_mbuf *m, uint32_t off)
{
	uint32_t done = 0, sum = 0;

	for (; m != NULL; m = m->next) {
		uint32_t skip = RTE_MIN(off, m->data_len);
		uint16_t part = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, void *, skip),
			m->data_len - skip);

		sum += (done & 1) != 0 ? rte_bswap16(part) : part;
		done += m->data_len - skip;
		off -= skip;
	}
	return __rte_raw_cksum_reduce(sum);
}

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

/* How many VLAN tags, two at the most, the frame begins with. */
static inline unsigned int
rtap_vnet_nb_tags(const struct rte_mbuf *m)
{
	unsigned int n;

	for (n = 0; n < 2; n++) {
		const void *at;
		rte_be16_t type;

		at = rte_pktmbuf_read(m, 2 * RTE_ETHER_ADDR_LEN + n * RTE_VLAN_HLEN,
			sizeof(type), &type);
		if (at == NULL)
			break;
		memmove(&type, at, sizeof(type)); /* at any address, that of type included */
		if (type != rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) &&
		    type != rte_cpu_to_be_16(RTE_ETHER_TYPE_QINQ))
			break;
	}
	return n;
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

/* A TCP packet merged by the kernel: gso_size bytes of payload belong in each segment. */
static inline int
rtap_vnet_rx_gso(struct rte_mbuf *m, const struct rte_net_hdr_lens *lens, uint8_t gso_type,
		uint16_t gso_size)
{
	uint32_t ptype = m->packet_type;
	bool match;

	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		match = RTE_ETH_IS_IPV4_HDR(ptype);
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		match = RTE_ETH_IS_IPV6_HDR(ptype);
		break;
	default:
		return -EINVAL;
	}
	if (!match || (ptype & RTE_PTYPE_L4_MASK) != RTE_PTYPE_L4_TCP || gso_size == 0 ||
	    lens->l4_len < sizeof(struct rte_tcp_hdr) ||
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
 * Tx
 */

#define RTAP_TX_OFFLOAD_MASK (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG | \
		RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)

/* What this driver cannot do for a packet; some flags only describe it. */
#define RTAP_TX_OFFLOAD_NOTSUP (RTE_MBUF_F_TX_OFFLOAD_MASK & ~(RTAP_TX_OFFLOAD_MASK | \
		RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IPV6))

/* Does sending this packet take more than a header of zeros? */
static inline bool
rtap_vnet_tx_needs_offload(const struct rte_mbuf *m)
{
	return (m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG |
			RTE_MBUF_F_TX_IP_CKSUM | RTAP_TX_OFFLOAD_NOTSUP)) != 0;
}

/* The L4 offset within the checksum flags' protocol; negative for those tun cannot compute. */
static inline int
rtap_vnet_csum_offset(uint64_t ol_flags)
{
	if ((ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0)
		return RTAP_TCP_CSUM_OFFSET;
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
static inline int
rtap_vnet_tx_gso(const struct rte_mbuf *m, uint32_t l4_start, struct virtio_net_hdr_v1 *hdr)
{
	uint32_t hdr_len = l4_start + m->l4_len;
	const uint8_t *flags;
	uint8_t copy;

	if (m->tso_segsz == 0 || m->l4_len < sizeof(struct rte_tcp_hdr) || hdr_len > m->pkt_len)
		return -EINVAL;
	switch (m->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)) {
	case RTE_MBUF_F_TX_IPV4:
		hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		break;
	case RTE_MBUF_F_TX_IPV6:
		hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
		break;
	default:
		return -EINVAL;
	}

	flags = rte_pktmbuf_read(m, l4_start + offsetof(struct rte_tcp_hdr, tcp_flags),
			sizeof(copy), &copy);
	if ((*flags & RTE_TCP_CWR_FLAG) != 0)
		hdr->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	hdr->gso_size = rte_cpu_to_le_16(m->tso_segsz);
	hdr->hdr_len = rte_cpu_to_le_16(hdr_len);
	return 0;
}

/*
 * Write the virtio-net header for a packet. The mbuf is only read.
 *
 * Expects the pseudo-header sum in the checksum field, as rtap_tx_prepare() leaves it.
 *
 * Returns -ENOTSUP for an offload that the driver did not advertise, -EINVAL when the header
 * lengths contradict the packet. IPv4 header checksums are not the kernel's business here:
 * see rtap_vnet_tx_ip_csum().
 */
static inline int
rtap_vnet_tx(const struct rte_mbuf *m, struct virtio_net_hdr_v1 *hdr)
{
	uint32_t l4_start = (uint32_t)m->l2_len + m->l3_len;
	int csum_offset;

	*hdr = (struct virtio_net_hdr_v1){0};
	if (!rtap_vnet_tx_needs_offload(m))
		return 0;
	if ((m->ol_flags & RTAP_TX_OFFLOAD_NOTSUP) != 0)
		return -ENOTSUP;
	if ((m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0 &&
	    (m->l2_len == 0 || m->l3_len < sizeof(struct rte_ipv4_hdr) ||
	     m->l3_len > RTAP_IPV4_HDR_MAX || l4_start > m->pkt_len ||
	     (m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0))
		return -EINVAL;
	if ((m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)) == 0)
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

	if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0)
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
 * DPDK leaves it out for TSO packets, virtio and tun want it always. l3 points to the IP header.
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

		if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0)
			len = rte_be_to_cpu_16(ip->total_length) - m->l3_len;
		sum = __rte_raw_cksum(&ip->src_addr, 2 * sizeof(ip->src_addr), 0);
	} else {
		const struct rte_ipv6_hdr *ip = l3;

		if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0)
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
rtap_vnet_tx_prepare(struct rte_mbuf *m)
{
	struct virtio_net_hdr_v1 hdr;
	uint16_t csum_start, csum_offset;
	uint8_t proto;
	int ret;

	ret = rtap_vnet_tx(m, &hdr);
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

#endif /* _RTAP_VNET_H_ */
