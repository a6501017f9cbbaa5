/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* What a path does is tried: what is not seen is not there, whatever the driver says of itself. */

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/virtio_net.h>

#include <rte_byteorder.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "probe.h"

#define BURST 32
#define NB_TRACED 4
#define LATE_NS UINT64_C(500000000)
#define SLEEP_MS 300
#define NOTHING_MS 50
#define UDP_LEN 200
#define TCP_LEN KPERF_FRAME_MAX
#define SEGMENT 1448
#define L4_AT (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr))

static uint8_t frame[TCP_LEN];

/*
 * Frames
 */

/* As for a port whose parameters are others: TCP that is not segmented, or UDP to a socket. */
static void
write_frame(const struct port *port, bool tcp)
{
	struct params params = *port->params;
	struct port like = *port;

	params.gso = tcp;
	params.len = tcp ? TCP_LEN : UDP_LEN;
	params.to = TO_SOCKET;
	like.params = &params;
	frame_write(frame, &like, 1);
}

static void
set_udp_checksum(uint16_t value)
{
	memcpy(&frame[L4_AT + offsetof(struct rte_udp_hdr, dgram_cksum)], &value, sizeof(value));
}

/*
 * System calls
 */

static void
send_bursts(void *arg)
{
	struct port *port = arg;
	unsigned int i;

	for (i = 0; i < NB_TRACED; i++)
		port->path->ops->tx(port, 0, BURST);
}

static void
receive_bursts(void *arg)
{
	struct port *port = arg;
	uint64_t start = now_ns();
	unsigned int got = 0;

	while (got < NB_TRACED * BURST && now_ns() - start < LATE_NS)
		got += port->path->ops->rx(port, 0, BURST);
}

static void
discard(struct port *port)
{
	uint64_t found = now_ns();

	while (now_ns() - found < 5000000)
		if (port->path->ops->rx(port, 0, BURST) != 0)
			found = now_ns();
}

static void
probe_calls(struct port *port, struct probed *p)
{
	struct trace trace;

	trace_run(&trace, send_bursts, port);
	trace_names(&trace, p->tx_calls, sizeof(p->tx_calls));
	kernel_prepare(port);
	discard(port);
	kernel_send(port, port->packet_sock, NB_TRACED * BURST);
	trace_run(&trace, receive_bursts, port);
	trace_names(&trace, p->rx_calls, sizeof(p->rx_calls));
	discard(port);
}

/*
 * Out of the kernel
 */

/* Have the kernel send the frame, and say that its checksum is missing. Returns whether it did. */
static bool
send_undone(const struct port *port, bool tcp)
{
	struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE,
		.gso_size = tcp ? SEGMENT : 0,
		.hdr_len = KPERF_HEADERS,
		.csum_start = L4_AT,
		.csum_offset = tcp ? offsetof(struct rte_tcp_hdr, cksum) :
			offsetof(struct rte_udp_hdr, dgram_cksum),
	};
	struct iovec iov[] = {
		{ &hdr, sizeof(hdr) },
		{ frame, tcp ? TCP_LEN : UDP_LEN },
	};
	int sock = net_packet_socket(port->ifindex, 0, PACKET_HDR | PACKET_QDISC);
	bool ok = writev(sock, iov, RTE_DIM(iov)) > 0;

	close(sock);
	return ok;
}

/* The next packet of that ethertype, NULL: none came. */
static struct rte_mbuf *
receive(const struct port *port, uint16_t ethertype)
{
	uint16_t id = dpdk_end(port).id;
	uint64_t start = now_ns();
	struct rte_mbuf *m;

	while (now_ns() - start < LATE_NS) {
		if (rte_eth_rx_burst(id, 0, &m, 1) == 0)
			continue;
		if (rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->ether_type ==
		    rte_cpu_to_be_16(ethertype))
			return m;
		rte_pktmbuf_free(m);
	}
	return NULL;
}

static enum seen
seen_in(struct rte_mbuf *m, uint64_t mask, uint64_t flags, uint32_t len)
{
	enum seen seen = SEEN_UNKNOWN;

	if (m != NULL)
		seen = (m->ol_flags & mask) == flags && m->pkt_len == len ? SEEN_YES : SEEN_NO;
	rte_pktmbuf_free(m);
	return seen;
}

static void
probe_out(struct port *port, struct probed *p)
{
	const struct rte_ipv4_hdr *ip = (void *)&frame[sizeof(struct rte_ether_hdr)];

	write_frame(port, false);
	set_udp_checksum(rte_ipv4_phdr_cksum(ip, 0));
	if (send_undone(port, false))
		p->seen[PROBE_CSUM_OUT] = seen_in(receive(port, RTE_ETHER_TYPE_IPV4),
			RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_NONE, UDP_LEN);
	discard(port);
	write_frame(port, true);
	if (send_undone(port, true))
		p->seen[PROBE_LRO] = seen_in(receive(port, RTE_ETHER_TYPE_IPV4), RTE_MBUF_F_RX_LRO,
			RTE_MBUF_F_RX_LRO, TCP_LEN);
	discard(port);
}

/*
 * Into the kernel
 */

/* The frame with these flags, in a chain. Returns whether the port took it. */
static bool
send_frame(const struct port *port, uint32_t len, uint64_t flags)
{
	struct rte_mbuf *head = dpdk_make_packet(port, frame, len, 2000);
	uint16_t id = dpdk_end(port).id;

	head->ol_flags |= flags;
	if (flags != 0) {
		head->l2_len = sizeof(struct rte_ether_hdr);
		head->l3_len = sizeof(struct rte_ipv4_hdr);
		head->l4_len = sizeof(struct rte_tcp_hdr);
		head->tso_segsz = (flags & RTE_MBUF_F_TX_TCP_SEG) != 0 ? SEGMENT : 0;
	}
	if (rte_eth_tx_prepare(id, 0, &head, 1) == 1 && rte_eth_tx_burst(id, 0, &head, 1) == 1)
		return true;
	rte_pktmbuf_free(head);
	return false;
}

/* Does a datagram come to the socket of the port? */
static bool
is_delivered(const struct port *port)
{
	uint64_t start = now_ns();

	while (now_ns() - start < LATE_NS / 5) {
		if (socket_drain(port->udp_sock) != 0)
			return true;
		rte_eth_tx_burst(dpdk_end(port).id, 0, NULL, 0);
	}
	return false;
}

/* The kernel drops a datagram whose checksum is wrong, unless it was asked to compute it. */
static enum seen
probe_csum_in(const struct port *port, uint64_t offloads)
{
	write_frame(port, false);
	set_udp_checksum(0xdead);
	socket_drain(port->udp_sock);
	if (!send_frame(port, UDP_LEN, 0) || is_delivered(port))
		return SEEN_UNKNOWN;
	if ((offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) == 0)
		return SEEN_NO;
	if (!send_frame(port, UDP_LEN, RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV4))
		return SEEN_NO;
	return is_delivered(port) ? SEEN_YES : SEEN_NO;
}

/* A socket at the kernel's end sees whether a packet still is what it was. */
static enum seen
probe_tso(const struct port *port, uint64_t offloads)
{
	int sock = net_packet_socket(port->ifindex, RTE_ETHER_TYPE_IPV4, 0);
	uint64_t start = now_ns();
	enum seen seen = SEEN_NO;
	uint8_t byte;
	ssize_t len;

	write_frame(port, true);
	if ((offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0 &&
	    send_frame(port, TCP_LEN, RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM |
			RTE_MBUF_F_TX_IPV4)) {
		do {
			rte_eth_tx_burst(dpdk_end(port).id, 0, NULL, 0);
			len = recv(sock, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC);
		} while (len < 0 && now_ns() - start < LATE_NS);
		if (len == TCP_LEN)
			seen = SEEN_YES;
	}
	close(sock);
	return seen;
}

/*
 * Time, and sleep
 */

static enum seen
probe_timestamp(struct port *port)
{
	rte_mbuf_timestamp_t stamp = 0;
	uint64_t flag = 0;
	struct rte_mbuf *m;
	enum seen seen;
	int offset;

	if (rte_mbuf_dyn_rx_timestamp_register(&offset, &flag) != 0)
		return SEEN_UNKNOWN;
	kernel_send(port, port->packet_sock, 1);
	m = receive(port, RTE_ETHER_TYPE_IPV4);
	if (m == NULL)
		return SEEN_UNKNOWN;
	memcpy(&stamp, (const char *)m + offset, sizeof(stamp));
	seen = (m->ol_flags & flag) != 0 && stamp != 0 ? SEEN_YES : SEEN_NO;
	rte_pktmbuf_free(m);
	return seen;
}

/* Asleep while there is nothing, and not when there is. */
static enum seen
probe_wake(struct port *port)
{
	const struct path_ops *ops = port->path->ops;
	unsigned int i;
	int woken = 1;

	for (i = 0; i < 3 && woken > 0; i++) {
		discard(port);
		woken = ops->sleep(port, 0, NOTHING_MS);
	}
	if (woken != 0)
		return SEEN_NO;
	kernel_send(port, port->packet_sock, 1);
	return ops->sleep(port, 0, SLEEP_MS) == 1 ? SEEN_YES : SEEN_NO;
}

/*
 * All of it
 */

static void
ask_driver(const struct rte_eth_dev_info *info, enum seen says[PROBE_MAX])
{
	const bool offers[PROBE_MAX] = {
		[PROBE_CSUM_OUT] = (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0,
		[PROBE_CSUM_IN] = (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0,
		[PROBE_LRO] = (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0,
		[PROBE_TSO] = (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0,
		[PROBE_TIMESTAMP] = (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_TIMESTAMP) != 0,
	};
	unsigned int i;

	for (i = 0; i < PROBE_MAX; i++)
		says[i] = offers[i] ? SEEN_YES : SEEN_NO;
	says[PROBE_WAKE] = SEEN_UNKNOWN;
}

void
probe_port(struct port *port, struct probed *p)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(dpdk_end(port).id, &info) != 0)
		die("%s: the port does not tell what it is", port->path->name);
	ask_driver(&info, p->says);
	discard(port);
	probe_calls(port, p);
	probe_out(port, p);
	p->seen[PROBE_CSUM_IN] = probe_csum_in(port, info.tx_offload_capa);
	p->seen[PROBE_TSO] = probe_tso(port, info.tx_offload_capa);
	discard(port);
	p->seen[PROBE_TIMESTAMP] = probe_timestamp(port);
	p->seen[PROBE_WAKE] = probe_wake(port);
}
