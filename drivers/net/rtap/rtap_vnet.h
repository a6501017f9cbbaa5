/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_VNET_H_
#define _RTAP_VNET_H_

/*
 * virtio-net header <-> mbuf.
 *
 * Every frame on the TAP file is preceded by a struct rtap_vnet_hdr (virtio 1.2, section
 * 5.1.6, and 1.4 for tunnels; linux/virtio_net.h). "Rx" is kernel to application, "Tx"
 * application to kernel. The two directions are not mirror images:
 *
 * - on Rx the kernel says what is left to be done (NEEDS_CSUM: the checksum field holds the sum
 *   of the pseudo-header only) and what was merged (GSO);
 * - on Tx the application asks the kernel for the same.
 *
 * Assumptions: the fields are little-endian (the file was switched with TUNSETVNETLE), and the
 * kernel was not told to deliver merged packets in tunnels.
 *
 * This file holds what both have in common; rtap_vnet_rx.h and rtap_vnet_tx.h hold the rest.
 * Nothing there does I/O. Functions return 0 or a negative errno; no function reads a byte
 * beyond the packet, whatever the header claims.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

/* What headers older than Linux 6.2 or 6.17 lack; numbers are the kernel's ABI. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#ifndef TUN_F_UDP_TUNNEL_GSO
#define TUN_F_UDP_TUNNEL_GSO 0x080
#define TUN_F_UDP_TUNNEL_GSO_CSUM 0x100
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4
#define VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM 8
#define VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 0x20
#define VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6 0x40
#endif

/* UDP segmentation, which tun knows for both versions of IP or not at all. */
#define RTAP_TUN_F_USO (TUN_F_USO4 | TUN_F_USO6)

/* TCP segmentation in tunnels over UDP, with and without checksum in the outer header. */
#define RTAP_TUN_F_TUNNEL (TUN_F_UDP_TUNNEL_GSO | TUN_F_UDP_TUNNEL_GSO_CSUM)

/*
 * The header of that size that tells of tunnels: struct virtio_net_hdr_v1_hash_tunnel. Kernels
 * before Linux 6.17 skip what they do not know, so its size is the same with each.
 */
struct rtap_vnet_hdr {
	struct virtio_net_hdr_v1 v1;
	uint16_t hash[4];		/* not for a TAP */
	rte_le16_t outer_th_offset;	/* of the outer UDP header */
	rte_le16_t inner_nh_offset;	/* of the inner IP header */
};

#define RTAP_VNET_HDR_LEN sizeof(struct rtap_vnet_hdr)
static_assert(RTAP_VNET_HDR_LEN == 24, "the kernel's layout");

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

/* A big-endian field at any address. */
static inline uint16_t
rtap_vnet_get16(const void *p)
{
	rte_be16_t value;

	memcpy(&value, p, sizeof(value));
	return rte_be_to_cpu_16(value);
}

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

#endif /* _RTAP_VNET_H_ */
