/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_packet.h>
#include <linux/if_tun.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "packet.h"

#define SEQ_FIRST 0xfffff000U		/* to run over */

struct port port;
bool sink_has_ipv6;

static int sink;

/*
 * Packets
 */

uint16_t
packet_l3_len(const struct packet *packet)
{
	return packet->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
}

/* TCP with time stamps, or what looks like it: options belong to each segment. */
uint16_t
packet_l4_len(const struct packet *packet)
{
	return packet->udp ? sizeof(struct rte_udp_hdr) : sizeof(struct rte_tcp_hdr) + 12;
}

uint16_t
packet_headers_len(const struct packet *packet)
{
	return RTE_ETHER_HDR_LEN + packet_l3_len(packet) + packet_l4_len(packet);
}

uint32_t
packet_len(const struct packet *packet)
{
	return packet_headers_len(packet) + packet->payload_len;
}

static void
write_ipv4(struct rte_ipv4_hdr *ip, const struct packet *packet, unsigned int to_net,
		unsigned int to_host)
{
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = RTE_IPV4_HDR_ECN_MASK & 2,
		.total_length = rte_cpu_to_be_16(packet_len(packet) - RTE_ETHER_HDR_LEN),
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = packet->udp ? IPPROTO_UDP : IPPROTO_TCP,
		.src_addr = RTE_BE32(RTE_IPV4(10, 1, 0, 2)),
		.dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, to_net, 0, to_host)),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void
write_ipv6_addr(void *addr, unsigned int net, unsigned int host)
{
	uint8_t bytes[16] = { 0xfd, net, [15] = host };

	memcpy(addr, bytes, sizeof(bytes));
}

static void
write_ipv6(struct rte_ipv6_hdr *ip, const struct packet *packet, unsigned int to_net,
		unsigned int to_host)
{
	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = RTE_BE32(0x60000000),
		.payload_len = rte_cpu_to_be_16(packet_l4_len(packet) + packet->payload_len),
		.proto = packet->udp ? IPPROTO_UDP : IPPROTO_TCP,
		.hop_limits = 64,
	};
	write_ipv6_addr(&ip->src_addr, 1, 2);
	write_ipv6_addr(&ip->dst_addr, to_net, to_host);
}

static void
write_l4(void *l4, const struct packet *packet)
{
	struct rte_udp_hdr *udp = l4;
	struct rte_tcp_hdr *tcp = l4;

	memset(l4, 1, packet_l4_len(packet)); /* options: no operation */
	if (packet->udp) {
		*udp = (struct rte_udp_hdr){
			.src_port = RTE_BE16(5000),
			.dst_port = RTE_BE16(PACKET_UDP_PORT),
			.dgram_len = rte_cpu_to_be_16(sizeof(*udp) + packet->payload_len),
		};
		return;
	}
	*tcp = (struct rte_tcp_hdr){
		.src_port = RTE_BE16(5000),
		.dst_port = RTE_BE16(80),
		.sent_seq = RTE_BE32(SEQ_FIRST),
		.data_off = packet_l4_len(packet) / 4 << 4,
		.tcp_flags = packet->tcp_flags,
		.rx_win = RTE_BE16(1000),
	};
}

uint16_t
packet_phdr_sum(const uint8_t *frame, const struct packet *packet)
{
	const void *l3 = frame + RTE_ETHER_HDR_LEN;

	return packet->ipv6 ? rte_ipv6_phdr_cksum(l3, 0) : rte_ipv4_phdr_cksum(l3, 0);
}

uint16_t *
packet_csum_field(uint8_t *frame, const struct packet *packet)
{
	void *l4 = frame + RTE_ETHER_HDR_LEN + packet_l3_len(packet);

	return packet->udp ? &((struct rte_udp_hdr *)l4)->dgram_cksum :
		&((struct rte_tcp_hdr *)l4)->cksum;
}

void
packet_write(uint8_t *frame, const struct packet *packet, unsigned int to_net,
		unsigned int to_host)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
	void *l3 = frame + RTE_ETHER_HDR_LEN;

	/* The payload first, of which the headers then take the beginning. */
	frame_write(frame, packet_len(packet), packet->payload_len);
	kernel_mac(port.ifname, &eth->dst_addr);
	eth->ether_type = rte_cpu_to_be_16(packet->ipv6 ? RTE_ETHER_TYPE_IPV6 :
		RTE_ETHER_TYPE_IPV4);
	if (packet->ipv6)
		write_ipv6(l3, packet, to_net, to_host);
	else
		write_ipv4(l3, packet, to_net, to_host);
	write_l4(frame + RTE_ETHER_HDR_LEN + packet_l3_len(packet), packet);
	*packet_csum_field(frame, packet) = packet_phdr_sum(frame, packet);
}

void
packet_check_sums(const uint8_t *frame, const struct packet *packet)
{
	const void *l3 = frame + RTE_ETHER_HDR_LEN;
	const void *l4 = frame + RTE_ETHER_HDR_LEN + packet_l3_len(packet);
	int ret;

	if (!packet->ipv6)
		CHECK(rte_raw_cksum(l3, packet_l3_len(packet)) == 0xffff, "wrong IPv4 header checksum");
	ret = packet->ipv6 ? rte_ipv6_udptcp_cksum_verify(l3, l4) :
		rte_ipv4_udptcp_cksum_verify(l3, l4);
	CHECK(ret == 0, "wrong checksum in %u bytes of %s over IPv%u", packet->payload_len,
		packet->udp ? "UDP" : "TCP", packet->ipv6 ? 6 : 4);
}

uint32_t
packet_check_segment(const uint8_t *segment, uint32_t len, const uint8_t *whole,
		const struct packet *packet, uint32_t at)
{
	const uint16_t l4 = RTE_ETHER_HDR_LEN + packet_l3_len(packet);
	const uint16_t all = packet_headers_len(packet);
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(segment + l4);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(segment + l4);
	uint32_t n = len - all;
	uint8_t flags = packet->tcp_flags;

	CHECK(len > all && at + n <= packet->payload_len, "a segment of %u bytes at %u", len, at);
	CHECK(memcmp(segment + all, whole + all + at, n) == 0, "payload was changed");
	CHECK(memcmp(segment + l4, whole + l4, 4) == 0, "ports were changed");
	if (packet->udp) {
		CHECK(rte_be_to_cpu_16(udp->dgram_len) == sizeof(*udp) + n, "wrong UDP length");
		return n;
	}
	CHECK(rte_be_to_cpu_32(tcp->sent_seq) == SEQ_FIRST + at, "wrong sequence number");
	if (at > 0)
		flags &= ~RTE_TCP_CWR_FLAG;
	if (at + n < packet->payload_len)
		flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	CHECK(tcp->tcp_flags == flags, "TCP flags %#x at %u, not %#x", tcp->tcp_flags, at, flags);
	return n;
}

bool
packet_is(const uint8_t *frame, const struct packet *packet)
{
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)frame;

	return eth->ether_type == rte_cpu_to_be_16(packet->ipv6 ? RTE_ETHER_TYPE_IPV6 :
			RTE_ETHER_TYPE_IPV4) &&
		memcmp(frame + RTE_ETHER_HDR_LEN + packet_l3_len(packet), "\x13\x88", 2) == 0;
}

uint8_t
packet_gso_type(const struct packet *packet)
{
	uint8_t type = packet->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;

	if (packet->udp)
		return PACKET_GSO_UDP_L4;
	if ((packet->tcp_flags & RTE_TCP_CWR_FLAG) != 0)
		type |= VIRTIO_NET_HDR_GSO_ECN;
	return type;
}

/*
 * The kernel's part
 */

void
sink_open(void)
{
	struct ifreq ifr = { .ifr_name = "sink", .ifr_flags = IFF_TAP | IFF_NO_PI };

	sink = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	CHECK(sink >= 0 && ioctl(sink, TUNSETIFF, &ifr) == 0, "cannot make a TAP: %s",
		strerror(errno));
	rig_run("ip link set sink up");
}

void
sink_close(void)
{
	close(sink);
}

uint32_t
sink_read(uint8_t *frame, const struct packet *packet)
{
	struct pollfd poll_sink = { .fd = sink, .events = POLLIN };
	ssize_t len;

	do {
		CHECK(poll(&poll_sink, 1, RIG_PATIENCE * 1000) == 1, "nothing reaches the sink");
		len = read(sink, frame, PACKET_MAX);
		CHECK(len > 0, "sink: %s", strerror(errno));
	} while (!packet_is(frame, packet));
	return len;
}

int
kernel_vnet_socket(uint16_t ethertype)
{
	const int on = 1;
	int sock = kernel_open(&port, ethertype);

	CHECK(setsockopt(sock, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0,
		"PACKET_VNET_HDR: %s", strerror(errno));
	return sock;
}

void
sink_forward(void)
{
	if (!rig_sysctl("ipv4/ip_forward", "1") || !rig_sysctl("ipv4/conf/all/rp_filter", "0"))
		rig_skip("may not write to /proc/sys");
	rig_run("ip addr add 10.1.0.1/24 dev %s", port.ifname);
	rig_run("ip addr add 10.2.0.1/24 dev sink");
	rig_run("ip neigh add 10.2.0.2 lladdr 02:00:00:00:00:02 dev sink");
	sink_has_ipv6 = rig_sysctl("ipv6/conf/all/disable_ipv6", "0") &&
		rig_sysctl("ipv6/conf/all/forwarding", "1");
	if (!sink_has_ipv6) {
		fprintf(stderr, "no IPv6 here\n");
		return;
	}
	rig_run("ip addr add fd01::1/64 dev %s nodad", port.ifname);
	rig_run("ip addr add fd02::1/64 dev sink nodad");
	rig_run("ip neigh add fd02::2 lladdr 02:00:00:00:00:02 dev sink");
}

struct rte_mbuf *
packet_to_mbuf(struct rte_mempool *pool, const uint8_t *frame, uint32_t len)
{
	struct rte_mbuf *head = NULL;
	uint32_t done, n;

	for (done = 0; done < len; done += n) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

		CHECK(m != NULL, "pool is empty");
		n = RTE_MIN(len - done, rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_append(m, n), frame + done, n);
		if (head == NULL)
			head = m;
		else
			CHECK_OK(rte_pktmbuf_chain(head, m));
	}
	return head;
}

void
packet_ask_offload(struct rte_mbuf *m, const struct packet *packet, uint16_t segsz)
{
	m->l2_len = RTE_ETHER_HDR_LEN;
	m->l3_len = packet_l3_len(packet);
	m->l4_len = packet_l4_len(packet);
	m->ol_flags |= packet->ipv6 ? RTE_MBUF_F_TX_IPV6 :
		RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	m->ol_flags |= packet->udp ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM;
	if (segsz != 0) {
		m->ol_flags |= packet->udp ? RTE_MBUF_F_TX_UDP_SEG : RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = segsz;
	}
}

void
kernel_vnet_send(int sock, const struct virtio_net_hdr *hdr, const uint8_t *frame, uint32_t len)
{
	static uint8_t buffer[sizeof(*hdr) + FRAME_MAX];

	memcpy(buffer, hdr, sizeof(*hdr));
	memcpy(buffer + sizeof(*hdr), frame, len);
	kernel_send(sock, buffer, sizeof(*hdr) + len);
}

void
packet_vnet_send(const struct packet *packet, const uint8_t *whole, uint16_t segsz)
{
	struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = RTE_ETHER_HDR_LEN + packet_l3_len(packet),
		.csum_offset = packet->udp ? offsetof(struct rte_udp_hdr, dgram_cksum) :
			offsetof(struct rte_tcp_hdr, cksum),
	};
	int sock = kernel_vnet_socket(port.ethertype);

	if (segsz != 0) {
		hdr.gso_type = packet_gso_type(packet);
		hdr.gso_size = segsz;
		hdr.hdr_len = packet_headers_len(packet);
	}
	kernel_vnet_send(sock, &hdr, whole, packet_len(packet));
	close(sock);
}

void
mbuf_copy(uint8_t *copy, const struct rte_mbuf *m)
{
	for (; m != NULL; copy += m->data_len, m = m->next)
		memcpy(copy, rte_pktmbuf_mtod(m, void *), m->data_len);
}

struct rte_mbuf *
packet_alloc(struct rte_mempool *pool, const uint8_t *frame, const struct packet *packet,
		uint16_t segsz, enum preparation preparation)
{
	struct rte_mbuf *m = packet_to_mbuf(pool, frame, packet_len(packet));

	packet_ask_offload(m, packet, segsz);
	if (!packet->ipv6)
		rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, m->l2_len)->hdr_checksum = 0;
	if (preparation == BY_PREPARE) {
		*packet_csum_field(rte_pktmbuf_mtod(m, uint8_t *), packet) = 0xbeef;
		CHECK(rte_eth_tx_prepare(port.id, 0, &m, 1) == 1, "tx_prepare: %s",
			rte_strerror(rte_errno));
	}
	return m;
}

void
packet_tx(struct rte_mempool *pool, const struct packet *packet, uint16_t segsz,
		enum preparation preparation)
{
	static uint8_t whole[FRAME_MAX], segment[PACKET_MAX];
	struct rte_mbuf *m;
	uint32_t at, len, n;

	packet_write(whole, packet, 2, 2);
	m = packet_alloc(pool, whole, packet, segsz, preparation);
	port_tx(&port, 0, &m, 1);
	for (at = 0; at < packet->payload_len; at += n) {
		len = sink_read(segment, packet);
		n = packet_check_segment(segment, len, whole, packet, at);
		packet_check_sums(segment, packet);
		CHECK(segsz == 0 || n == RTE_MIN(segsz, packet->payload_len - at),
			"a segment of %u bytes, not %u", n, segsz);
	}
}

void
packet_check_header(int sock, const struct packet *packet, uint16_t segsz)
{
	static uint8_t buffer[sizeof(struct virtio_net_hdr) + FRAME_MAX];
	uint8_t type = segsz != 0 ? packet_gso_type(packet) : VIRTIO_NET_HDR_GSO_NONE;
	struct virtio_net_hdr hdr;

	CHECK(kernel_recv(sock, buffer, sizeof(buffer)) == sizeof(hdr) + packet_len(packet),
		"a frame of another size");
	memcpy(&hdr, buffer, sizeof(hdr));
	CHECK(hdr.gso_type == type, "GSO type %#x, not %#x", hdr.gso_type, type);
	CHECK(hdr.gso_size == segsz, "GSO size %u, not %u", hdr.gso_size, segsz);
}
