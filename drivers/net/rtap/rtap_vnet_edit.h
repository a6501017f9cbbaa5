/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_VNET_EDIT_H_
#define _RTAP_VNET_EDIT_H_

/*
 * What the driver itself writes into the headers of a packet on Tx, because the kernel does not:
 * checksums of IPv4 headers, and the UDP checksum of a tunnel that is not segmented. It is written
 * into the packet or into a copy of its first bytes, whichever the caller has. VLAN tags are
 * inserted into a copy only, since the packet may come back to the application.
 *
 * The outer UDP checksum covers the inner packet, which the kernel has yet to finish. But what
 * that will sum up to is known: "Local Checksum Offload", see checksum-offloads.rst in the
 * kernel's documentation. So no payload is read unless the inner checksum was not asked for.
 */

#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "rtap_vnet.h"
#include "rtap_vnet_tx.h"

/* The most that is edited: headers, the last one up to its checksum. */
#define RTAP_TX_EDIT_MAX (RTAP_TX_L4_START_MAX + RTAP_TCP_CSUM_OFFSET + sizeof(uint16_t))

static inline bool
rtap_vnet_edits_outer_udp(const struct rte_mbuf *m, const struct rtap_vnet_hdr *hdr)
{
	return (m->ol_flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0 &&
		!rtap_vnet_tx_is_tunnel_gso(hdr);
}

static inline bool
rtap_vnet_asks_csum(const struct rtap_vnet_hdr *hdr)
{
	return (hdr->v1.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
}

/*
 * How many of the packet's first bytes are read or written by rtap_vnet_edit(), after
 * rtap_vnet_tx() has returned 0 and written hdr.
 */
static inline uint32_t
rtap_vnet_edit_len(const struct rte_mbuf *m, const struct rtap_vnet_hdr *hdr)
{
	uint32_t len = 0, outer = rtap_vnet_outer_l4_start(m), udp;

	if ((m->ol_flags & RTAP_TX_TAGS) != 0)
		len = 2 * RTE_ETHER_ADDR_LEN;
	if ((m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0)
		len = RTE_MAX(len, rtap_vnet_l4_start(m));
	if ((m->ol_flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM) != 0)
		len = RTE_MAX(len, outer);
	if (rtap_vnet_edits_outer_udp(m, hdr)) {
		udp = rtap_vnet_asks_csum(hdr) ? rtap_vnet_l4_start(m) +
			rte_le_to_cpu_16(hdr->v1.csum_offset) + sizeof(uint16_t) :
			outer + sizeof(struct rte_udp_hdr);
		len = RTE_MAX(len, udp);
	}
	return len;
}

static inline void
rtap_vnet_edit_ip(uint8_t *l3, size_t len)
{
	uint8_t *field = l3 + offsetof(struct rte_ipv4_hdr, hdr_checksum);
	uint16_t sum = 0;

	memcpy(field, &sum, sizeof(sum));
	sum = (uint16_t)~rte_raw_cksum(l3, len);
	memcpy(field, &sum, sizeof(sum));
}

/*
 * The sum from the outer UDP header, at start, to the end of the packet, of which data holds the
 * first len bytes.
 */
static inline uint32_t
rtap_vnet_edit_sum(const struct rte_mbuf *m, const struct rtap_vnet_hdr *hdr,
		const uint8_t *data, uint32_t len, uint32_t start)
{
	uint16_t rest;

	if (rtap_vnet_asks_csum(hdr)) {
		/* The kernel complements: all from there on will be the opposite of the field. */
		memcpy(&rest, data + len - sizeof(rest), sizeof(rest));
		rest = (uint16_t)~rest;
		len = rtap_vnet_l4_start(m);
	} else {
		rest = rtap_vnet_sum(m, len);
	}
	if (((len - start) & 1) != 0)
		rest = rte_bswap16(rest);
	return (uint32_t)rte_raw_cksum(data + start, len - start) + rest;
}

/* A sum of 0 is sent as 0xffff, which is the same number and does not mean "none" (RFC 768). */
static inline void
rtap_vnet_edit_outer_udp(const struct rte_mbuf *m, const struct rtap_vnet_hdr *hdr, uint8_t *data,
		uint32_t len)
{
	const bool ipv4 = (m->ol_flags & RTE_MBUF_F_TX_OUTER_IPV4) != 0;
	uint32_t start = rtap_vnet_outer_l4_start(m), sum;
	uint8_t *udp = data + start;
	uint16_t csum = 0;

	memcpy(udp + RTAP_UDP_CSUM_OFFSET, &csum, sizeof(csum));
	sum = rtap_vnet_phdr_sum(data + m->outer_l2_len, ipv4, IPPROTO_UDP,
		rtap_vnet_get16(udp + offsetof(struct rte_udp_hdr, dgram_len)));
	sum += rtap_vnet_edit_sum(m, hdr, data, len, start);
	csum = __rte_raw_cksum_reduce(sum);
	csum = (csum == UINT16_MAX) ? csum : (uint16_t)~csum;
	memcpy(udp + RTAP_UDP_CSUM_OFFSET, &csum, sizeof(csum));
}

/*
 * Do what is to be done. data is where the packet's first len bytes are to be edited, len as
 * returned by rtap_vnet_edit_len().
 */
static inline void
rtap_vnet_edit(const struct rte_mbuf *m, const struct rtap_vnet_hdr *hdr, uint8_t *data,
		uint32_t len)
{
	if ((m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0)
		rtap_vnet_edit_ip(data + rtap_vnet_l3_start(m), m->l3_len);
	if ((m->ol_flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM) != 0)
		rtap_vnet_edit_ip(data + m->outer_l2_len, m->outer_l3_len);
	if (rtap_vnet_edits_outer_udp(m, hdr))
		rtap_vnet_edit_outer_udp(m, hdr, data, len);
}

static inline uint8_t *
rtap_vnet_put16(uint8_t *p, uint16_t value)
{
	rte_be16_t be = rte_cpu_to_be_16(value);

	memcpy(p, &be, sizeof(be));
	return p + sizeof(be);
}

/*
 * Insert the tags that the packet asks for: between the addresses, which are moved to the
 * beginning of data, and what followed them there, rtap_vnet_tags_len() further on.
 */
static inline void
rtap_vnet_insert_tags(const struct rte_mbuf *m, uint8_t *data)
{
	uint8_t *p = data + 2 * RTE_ETHER_ADDR_LEN;

	memmove(data, data + rtap_vnet_tags_len(m), 2 * RTE_ETHER_ADDR_LEN);
	if ((m->ol_flags & RTE_MBUF_F_TX_QINQ) != 0) {
		p = rtap_vnet_put16(p, RTE_ETHER_TYPE_QINQ);
		p = rtap_vnet_put16(p, m->vlan_tci_outer);
	}
	p = rtap_vnet_put16(p, RTE_ETHER_TYPE_VLAN);
	rtap_vnet_put16(p, m->vlan_tci);
}

#endif /* _RTAP_VNET_EDIT_H_ */
