/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _UNIT_VNET_H_
#define _UNIT_VNET_H_

/* What the tests of rtap_vnet*.h share: a frame, a pool, and headers about the frame. */

#include "rtap_vnet_edit.h"
#include "rtap_vnet_rx.h"
#include "rtap_vnet_tx.h"
#include "unit.h"

#define NEEDS_CSUM VIRTIO_NET_HDR_F_NEEDS_CSUM
#define DATA_VALID VIRTIO_NET_HDR_F_DATA_VALID
#define GSO_TCPV4 VIRTIO_NET_HDR_GSO_TCPV4
#define GSO_TCPV6 VIRTIO_NET_HDR_GSO_TCPV6
#define GSO_UDP_L4 VIRTIO_NET_HDR_GSO_UDP_L4
#define GSO_ECN VIRTIO_NET_HDR_GSO_ECN

#define IPV4 RTE_MBUF_F_TX_IPV4
#define IPV6 RTE_MBUF_F_TX_IPV6
#define IP_CKSUM RTE_MBUF_F_TX_IP_CKSUM
#define TCP_CKSUM RTE_MBUF_F_TX_TCP_CKSUM
#define UDP_CKSUM RTE_MBUF_F_TX_UDP_CKSUM
#define SCTP_CKSUM RTE_MBUF_F_TX_SCTP_CKSUM
#define TCP_SEG RTE_MBUF_F_TX_TCP_SEG
#define UDP_SEG RTE_MBUF_F_TX_UDP_SEG
#define VLAN RTE_MBUF_F_TX_VLAN
#define QINQ RTE_MBUF_F_TX_QINQ

#define FIN 0x01
#define ACK 0x10
#define ECE 0x40
#define CWR 0x80

extern struct rte_mempool *pool;
extern struct unit_frame frame;

/* Every L2 and L3 header that the driver is to understand. */
#define NB_SHAPES 12U
extern const struct unit_frame_spec shapes[NB_SHAPES];

/** Build the frame: a packet of such a shape. */
void build(const struct unit_frame_spec *shape, uint8_t proto, uint32_t payload);

/** The same, TCP over IPv4. */
void build_tcp(uint8_t flags, uint16_t options, uint32_t payload);

/** What the kernel can do of what not every kernel can. */
extern unsigned int tun;
/** The frame, ready for transmission with these flags. */
struct rte_mbuf *tx_mbuf(uint64_t ol_flags);
/** The flag for its version of IP. */
uint64_t ip_flag(void);

/** A header that says of the frame what the kernel would say. */
struct virtio_net_hdr_v1 hdr_csum(void);
struct virtio_net_hdr_v1 hdr_gso(uint8_t type, uint16_t size);
/** A header with a checksum anywhere. */
struct virtio_net_hdr_v1 hdr_at(uint16_t csum_start, uint16_t csum_offset);

/** Feed the frame and a header to the driver. Returns what it says, and the mbuf's flags. */
int rx(struct virtio_net_hdr_v1 hdr, uint64_t *ol_flags);
int rx_ret(struct virtio_net_hdr_v1 hdr);

/** VLAN tags lie in the first segment of an Rx buffer: the fewest bytes that has. */
uint16_t min_first(void);
/** Flags but for that of guarded mbufs, which are external ones. */
uint64_t rx_flags(const struct rte_mbuf *m);

/** Run the tests; assert that no mbuf is lost. */
int unit_vnet_run(const char *name, CU_TestInfo *tests);

#endif /* _UNIT_VNET_H_ */
