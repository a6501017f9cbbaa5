/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef PACKET_H
#define PACKET_H

/*
 * What the tests of offloads share: TCP and UDP packets, and where they go.
 *
 *   tx_burst --> rtap0 --> kernel, which forwards --> "sink", a TAP without any offload
 *   rx_burst <-- rtap0 <-- packet socket with virtio-net headers
 *
 * What goes into the sink the kernel has finished in software: it is whole, or the request for
 * it was wrong.
 *
 * Networks 1 and 2 are the port's and the sink's; hosts 1 and 2 the kernel and the other.
 */

#include <linux/virtio_net.h>

#include "rig.h"

#define PACKET_UDP_PORT 4000
#define PACKET_MAX 65535

/* Linux 6.2; the number is the kernel's ABI. */
#define PACKET_GSO_UDP_L4 5

/** The port under test. */
extern struct port port;

struct packet {
	bool ipv6;
	bool udp;
	uint8_t tcp_flags;
	uint32_t payload_len;
};

uint16_t packet_l3_len(const struct packet *packet);
uint16_t packet_l4_len(const struct packet *packet);
uint16_t packet_headers_len(const struct packet *packet);
uint32_t packet_len(const struct packet *packet);

/** Write a frame whose checksum is what a DPDK application or the kernel expects: unfinished. */
void packet_write(uint8_t *frame, const struct packet *packet, unsigned int to_net,
		unsigned int to_host);
uint16_t *packet_csum_field(uint8_t *frame, const struct packet *packet);
/** The sum over the pseudo-header, with the length of what follows. */
uint16_t packet_phdr_sum(const uint8_t *frame, const struct packet *packet);
void packet_check_sums(const uint8_t *frame, const struct packet *packet);
/**
 * One of the segments of a packet: same header but for what must differ. Returns how many bytes
 * of payload it has; at is where they belong in the packet's payload.
 */
uint32_t packet_check_segment(const uint8_t *segment, uint32_t len, const uint8_t *whole,
		const struct packet *packet, uint32_t at);
/** Is it such a packet, or one that the kernel sends of its own accord? */
bool packet_is(const uint8_t *frame, const struct packet *packet);
uint8_t packet_gso_type(const struct packet *packet);

/** The frame in as many mbufs as it takes. */
struct rte_mbuf *packet_to_mbuf(struct rte_mempool *pool, const uint8_t *frame, uint32_t len);
void mbuf_copy(uint8_t *copy, const struct rte_mbuf *m);
/** Ask for checksums, and for segments of that size if it is not 0. */
void packet_ask_offload(struct rte_mbuf *m, const struct packet *packet, uint16_t segsz);

/** Who fills in the pseudo-header sum. */
enum preparation { BY_APPLICATION, BY_PREPARE, PREPARATION_MAX };

/** The packet in mbufs, ready for transmission with offload. */
struct rte_mbuf *packet_alloc(struct rte_mempool *pool, const uint8_t *frame,
		const struct packet *packet, uint16_t segsz, enum preparation preparation);
/** Send such a packet, and check what comes out of the sink. */
void packet_tx(struct rte_mempool *pool, const struct packet *packet, uint16_t segsz,
		enum preparation preparation);
/**
 * Check how the interface was told of a packet that a kernel_vnet_socket() has received.
 * RFC 3168: Congestion Window Reduced belongs into the first segment only. Software sees to that
 * in any case; what segments in hardware must be told.
 */
void packet_check_header(int sock, const struct packet *packet, uint16_t segsz);

/** A packet socket that exchanges frames with virtio-net headers of its own. */
int kernel_vnet_socket(uint16_t ethertype);
/** Have the kernel send this frame, which it may finish itself or leave unfinished. */
void kernel_vnet_send(int sock, const struct virtio_net_hdr *hdr, const uint8_t *frame,
		uint32_t len);
/** The same, with the header that the packet asks for. */
void packet_vnet_send(const struct packet *packet, const uint8_t *whole, uint16_t segsz);

/** Make the sink, and have the kernel forward between it and the port, IPv6 if there is any. */
void sink_open(void);
void sink_forward(void);
extern bool sink_has_ipv6;
/** The next such packet from the sink; waits for it. */
uint32_t sink_read(uint8_t *frame, const struct packet *packet);
void sink_close(void);

#endif /* PACKET_H */
