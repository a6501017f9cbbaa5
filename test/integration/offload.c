/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Checksums and segmentation that one end leaves to the other.
 *
 *   tx_burst --> rtap0 --> kernel, which forwards --> "sink", a TAP without any offload
 *                    \---> UDP socket
 *   rx_burst <-- rtap0 <-- packet socket with virtio-net headers
 */

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "packet.h"

#define NB_MBUF 2048
#define NB_LARGE 256

static struct rte_mempool *pool, *tiny;

/*
 * Tx
 */

static void
tx_checksums(bool ipv6)
{
	static const uint32_t lens[] = { 18, 19, 100, 1001, 1400 };
	struct packet packet = { .ipv6 = ipv6, .tcp_flags = RTE_TCP_ACK_FLAG };
	unsigned int i, udp, preparation;

	for (preparation = 0; preparation < PREPARATION_MAX; preparation++) {
		for (udp = 0; udp < 2; udp++) {
			for (i = 0; i < RTE_DIM(lens); i++) {
				packet.udp = udp;
				packet.payload_len = lens[i];
				packet_tx(pool, &packet, 0, preparation);
			}
		}
	}
}

static void
tx_segmentation(bool ipv6)
{
	static const uint8_t flags[] = {
		RTE_TCP_ACK_FLAG,
		RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG | RTE_TCP_CWR_FLAG,
		RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_ECE_FLAG,
	};
	static const uint16_t sizes[] = { 1400, 536, 999 };
	static const uint32_t lens[] = { 1400, 2000, 14000, 14001, 64000 };
	int sock = kernel_vnet_socket(ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	unsigned int i, preparation;

	for (i = 0; i < RTE_DIM(flags) * RTE_DIM(sizes) * RTE_DIM(lens); i++) {
		const uint16_t size = sizes[i / RTE_DIM(flags) % RTE_DIM(sizes)];
		const struct packet packet = {
			.ipv6 = ipv6,
			.tcp_flags = flags[i % RTE_DIM(flags)],
			.payload_len = lens[i / RTE_DIM(flags) / RTE_DIM(sizes)],
		};

		for (preparation = 0; preparation < PREPARATION_MAX; preparation++) {
			packet_tx(pool, &packet, size, preparation);
			/* Options are not payload: what fits into a segment is one. */
			packet_check_header(sock, &packet, packet.payload_len > size ? size : 0);
		}
	}
	close(sock);
}

/* A packet that others hold as well is sent with offload, and stays as it was. */
static void
tx_shared(void)
{
	const struct packet packet = { .tcp_flags = RTE_TCP_ACK_FLAG, .payload_len = 500 };
	static uint8_t whole[FRAME_MAX], segment[PACKET_MAX];
	struct rte_mbuf *m, *kept;

	packet_write(whole, &packet, 2, 2);
	kept = packet_alloc(pool, whole, &packet, 0, BY_APPLICATION);
	memcpy(whole, rte_pktmbuf_mtod(kept, void *), kept->pkt_len);
	m = kept;
	rte_pktmbuf_refcnt_update(kept, 1);
	port_tx(&port, 0, &m, 1);
	packet_check_segment(segment, sink_read(segment, &packet), whole, &packet, 0);
	packet_check_sums(segment, &packet);
	CHECK(memcmp(whole, rte_pktmbuf_mtod(kept, void *), kept->pkt_len) == 0,
		"a shared packet was changed");
	rte_pktmbuf_free(kept);
}

static void
tx_to_socket(bool ipv6)
{
	const struct packet packet = { .ipv6 = ipv6, .udp = true, .payload_len = 1200 };
	const struct sockaddr_in6 any = {
		.sin6_family = AF_INET6,
		.sin6_port = RTE_BE16(PACKET_UDP_PORT),
	};
	const struct sockaddr_in any4 = {
		.sin_family = AF_INET,
		.sin_port = RTE_BE16(PACKET_UDP_PORT),
	};
	static uint8_t whole[FRAME_MAX], payload[PACKET_MAX];
	int sock = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned int preparation;
	struct rte_mbuf *m;
	int ret;

	ret = ipv6 ? bind(sock, (const struct sockaddr *)&any, sizeof(any)) :
		bind(sock, (const struct sockaddr *)&any4, sizeof(any4));
	CHECK(ret == 0, "bind: %s", strerror(errno));
	packet_write(whole, &packet, 1, 1);
	for (preparation = 0; preparation < PREPARATION_MAX; preparation++) {
		struct pollfd poll_sock = { .fd = sock, .events = POLLIN };

		m = packet_alloc(pool, whole, &packet, 0, preparation);
		port_tx(&port, 0, &m, 1);
		CHECK(poll(&poll_sock, 1, RIG_PATIENCE * 1000) == 1, "nothing reaches the socket");
		CHECK(recv(sock, payload, sizeof(payload), 0) == (ssize_t)packet.payload_len &&
			memcmp(payload, whole + packet_headers_len(&packet),
				packet.payload_len) == 0,
			"the socket has other data");
	}
	close(sock);
}

/* What cannot be sent tx_prepare tells beforehand. */
static void
tx_refused(void)
{
	const struct packet packet = { .payload_len = 500, .tcp_flags = RTE_TCP_ACK_FLAG };
	static uint8_t whole[FRAME_MAX];
	struct rte_mbuf *m;

	packet_write(whole, &packet, 2, 2);
	m = packet_alloc(pool, whole, &packet, 0, BY_APPLICATION);
	m->ol_flags = (m->ol_flags & ~RTE_MBUF_F_TX_L4_MASK) | RTE_MBUF_F_TX_SCTP_CKSUM;
	CHECK(rte_eth_tx_prepare(port.id, 0, &m, 1) == 0 && rte_errno == ENOTSUP, "SCTP");
	rte_pktmbuf_free(m);
	m = packet_alloc(pool, whole, &packet, 0, BY_APPLICATION);
	m->l3_len = 511;
	m->l2_len = 127;
	CHECK(rte_eth_tx_prepare(port.id, 0, &m, 1) == 0 && rte_errno == EINVAL, "lengths");
	rte_pktmbuf_free(m);
}

static void
transmit(void)
{
	const struct port_conf conf = {
		.pool = pool,
		.tx_offloads = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
			RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |
			RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	};
	unsigned int ipv6;

	port_open(&port, "net_rtap0", "", &conf);
	sink_open();
	sink_forward();
	for (ipv6 = 0; ipv6 <= sink_has_ipv6; ipv6++) {
		fprintf(stderr, "- Tx, IPv%u\n", ipv6 ? 6 : 4);
		tx_checksums(ipv6);
		tx_segmentation(ipv6);
		tx_to_socket(ipv6);
	}
	tx_shared();
	tx_refused();
	CHECK(port_stats(&port).oerrors == 0, "errors counted");
	/* All but the 6 of 90 that fit in one segment */
	CHECK(port_xstat(&port, "tx_tso_packets") == (sink_has_ipv6 ? 168 : 84),
		"TSO packets counted");
	sink_close();
	port_close(&port);
	pool_check_full(pool);
}

/*
 * Rx
 */

/* What the port promises about this packet must hold. */
static void
check_rx_flags(struct rte_mbuf *m, uint8_t *frame, const struct packet *packet, uint64_t offloads)
{
	const uint64_t l4 = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	const uint32_t ptype = m->packet_type;

	CHECK((ptype & RTE_PTYPE_L4_MASK) == (packet->udp ? RTE_PTYPE_L4_UDP : RTE_PTYPE_L4_TCP) &&
		(packet->ipv6 ? RTE_ETH_IS_IPV6_HDR(ptype) : RTE_ETH_IS_IPV4_HDR(ptype)) != 0,
		"packet type %#x", ptype);
	CHECK((l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE) == (offloads != 0),
		"checksum %#" PRIx64 " with offloads %#" PRIx64, l4, offloads);
	if (l4 != RTE_MBUF_F_RX_L4_CKSUM_NONE) {
		CHECK(l4 != RTE_MBUF_F_RX_L4_CKSUM_BAD, "a bad checksum");
		packet_check_sums(frame, packet);
		return;
	}
	CHECK(m->l2_len == RTE_ETHER_HDR_LEN && m->l3_len == packet_l3_len(packet), "header lengths");
	/* An application sends it on with Tx offload: the rest is up to that. */
	CHECK(*packet_csum_field(frame, packet) == packet_phdr_sum(frame, packet), "wrong pseudo-header sum");
}

/* A frame of ours, and a copy of it in one piece: the kernel has things to say over IPv6. */
static struct rte_mbuf *
rx_one(uint8_t *copy, const struct packet *packet)
{
	struct rte_mbuf *m;

	for (;;) {
		port_rx(&port, 0, &m, 1);
		mbuf_copy(copy, m);
		if (packet_is(copy, packet))
			return m;
		rte_pktmbuf_free(m);
	}
}

/* Collect what becomes of one packet that the kernel sends. Returns in how many pieces it came. */
static unsigned int
rx_packet(const struct packet *packet, uint16_t segsz, uint64_t offloads, uint32_t max)
{
	static uint8_t whole[FRAME_MAX], segment[FRAME_MAX];
	uint32_t at = 0, n;
	unsigned int pieces;
	struct rte_mbuf *m;

	packet_write(whole, packet, 1, 2);
	packet_vnet_send(packet, whole, segsz);
	for (pieces = 0; at < packet->payload_len; pieces++) {
		m = rx_one(segment, packet);
		CHECK(m->pkt_len <= max, "%u bytes", m->pkt_len);
		n = packet_check_segment(segment, m->pkt_len, whole, packet, at);
		check_rx_flags(m, segment, packet, offloads);
		if ((m->ol_flags & RTE_MBUF_F_RX_LRO) != 0)
			CHECK(m->tso_segsz == segsz && m->l4_len == packet_l4_len(packet), "LRO of %u, %u",
				m->tso_segsz, m->l4_len);
		else
			CHECK(segsz == 0 || n <= segsz, "%u bytes without LRO", n);
		at += n;
		rte_pktmbuf_free(m);
	}
	return pieces;
}

/* A checksum that no offload flag can describe is finished by the driver, wherever it lies. */
static void
rx_other_checksums(void)
{
	static uint8_t frame[1000], copy[1000];
	struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 35,
	};
	struct rte_mbuf *m;
	int sock;

	port.ethertype = ETHERTYPE_TEST;
	sock = kernel_vnet_socket(ETHERTYPE_TEST);
	/* Past the end of the first mbuf, of the second, and across both ends */
	for (hdr.csum_offset = 80; hdr.csum_offset < 400; hdr.csum_offset += 2) {
		uint16_t at = hdr.csum_start + hdr.csum_offset;

		frame_write(frame, sizeof(frame), hdr.csum_offset);
		memset(frame + at, 0, sizeof(uint16_t));
		kernel_vnet_send(sock, &hdr, frame, sizeof(frame));
		port_rx(&port, 0, &m, 1);
		CHECK(m->pkt_len == sizeof(frame), "%u bytes", m->pkt_len);
		mbuf_copy(copy, m);
		CHECK(rte_raw_cksum(copy + hdr.csum_start, sizeof(copy) - hdr.csum_start) == 0xffff,
			"wrong checksum at %u", at);
		memset(copy + at, 0, sizeof(uint16_t));
		CHECK(memcmp(frame, copy, sizeof(frame)) == 0, "other bytes were changed");
		rte_pktmbuf_free(m);
	}
	close(sock);
}

static void
receive(const char *name, struct rte_mempool *from, uint64_t offloads, uint32_t max_lro)
{
	const struct port_conf conf = {
		.pool = from,
		.rx_offloads = offloads | RTE_ETH_RX_OFFLOAD_SCATTER,
		.max_lro = max_lro,
	};
	const bool lro = (offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0;
	const uint32_t max = lro ? max_lro : RTE_ETHER_MTU + RTE_ETHER_HDR_LEN;
	unsigned int ipv6, pieces;

	fprintf(stderr, "- Rx, %s, mbufs of pool %s\n", name, from->name);
	port_open(&port, "net_rtap0", "", &conf);
	for (ipv6 = 0; ipv6 < 2; ipv6++) {
		struct packet udp = { .ipv6 = ipv6, .udp = true, .payload_len = 777 };
		struct packet tcp = {
			.ipv6 = ipv6,
			.tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG,
			.payload_len = 30001,
		};

		port.ethertype = ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;
		rx_packet(&udp, 0, offloads, max);
		pieces = rx_packet(&tcp, 1400, offloads, max);
		CHECK(pieces == (max > 40000 ? 1 : 22), "%u pieces", pieces);
		tcp.tcp_flags |= RTE_TCP_CWR_FLAG;
		pieces = rx_packet(&tcp, 1400, offloads, max);
		CHECK(pieces == (max > 40000 ? 1 : 22), "%u pieces with ECN", pieces);
		tcp.payload_len = 1000;
		rx_packet(&tcp, 0, offloads, max);
	}
	rx_other_checksums();
	CHECK(port_stats(&port).ierrors == 0, "errors counted");
	CHECK((port_xstat(&port, "rx_lro_packets") > 0) == (max > 40000), "LRO packets counted");
	port_close(&port);
	pool_check_full(from);
}

int
main(int argc, char **argv)
{
	const uint64_t csum = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	const uint64_t lro = csum | RTE_ETH_RX_OFFLOAD_TCP_LRO;

	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	tiny = pool_create("tiny", 40 * NB_MBUF, 128);
	transmit();
	receive("no offload", pool, 0, 0);
	receive("checksums", pool, csum, 0);
	receive("checksums", tiny, csum, 0);
	receive("LRO", pool, lro, PACKET_MAX);
	receive("LRO", tiny, lro, PACKET_MAX);
	receive("LRO", pool_create("large", NB_LARGE, UINT16_MAX - RTE_PKTMBUF_HEADROOM), lro,
		PACKET_MAX);
	receive("LRO", pool_create_external("external", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM), lro,
		PACKET_MAX);
	receive("LRO", pool_create_external("large external", NB_LARGE,
		UINT16_MAX - RTE_PKTMBUF_HEADROOM), lro, PACKET_MAX);
	receive("LRO with a limit", pool, lro, 20000);
	return rig_done();
}
