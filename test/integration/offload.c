/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Checksums and segmentation that one end leaves to the other.
 *
 *   tx_burst --> rtap0 --> kernel, which forwards --> "sink", a TAP without any offload
 *                    \---> UDP socket
 *   rx_burst <-- rtap0 <-- packet socket with virtio-net headers
 *
 * What goes into the sink the kernel has finished in software: it is whole, or the request for
 * it was wrong.
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
#include <linux/virtio_net.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "rig.h"

#define NB_MBUF 2048
#define NB_LARGE 256
#define UDP_PORT 4000
#define SEQ_FIRST 0xfffff000U		/* to run over */
#define PACKET_MAX 65535

static struct rte_mempool *pool, *tiny;
static struct port port;
static int sink;
static bool have_ipv6;

/*
 * Packets, as software understands them
 */

struct packet {
	bool ipv6;
	bool udp;
	uint8_t tcp_flags;
	uint32_t payload_len;
};

static uint16_t
l3_len(const struct packet *packet)
{
	return packet->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
}

/* TCP with time stamps, or what looks like it: options belong to each segment. */
static uint16_t
l4_len(const struct packet *packet)
{
	return packet->udp ? sizeof(struct rte_udp_hdr) : sizeof(struct rte_tcp_hdr) + 12;
}

static uint16_t
headers_len(const struct packet *packet)
{
	return RTE_ETHER_HDR_LEN + l3_len(packet) + l4_len(packet);
}

static uint32_t
packet_len(const struct packet *packet)
{
	return headers_len(packet) + packet->payload_len;
}

/* Networks 1 and 2 are the port's and the sink's; hosts 1 and 2 the kernel and the other. */
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
		.payload_len = rte_cpu_to_be_16(l4_len(packet) + packet->payload_len),
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

	memset(l4, 1, l4_len(packet)); /* options: no operation */
	if (packet->udp) {
		*udp = (struct rte_udp_hdr){
			.src_port = RTE_BE16(5000),
			.dst_port = RTE_BE16(UDP_PORT),
			.dgram_len = rte_cpu_to_be_16(sizeof(*udp) + packet->payload_len),
		};
		return;
	}
	*tcp = (struct rte_tcp_hdr){
		.src_port = RTE_BE16(5000),
		.dst_port = RTE_BE16(80),
		.sent_seq = RTE_BE32(SEQ_FIRST),
		.data_off = l4_len(packet) / 4 << 4,
		.tcp_flags = packet->tcp_flags,
		.rx_win = RTE_BE16(1000),
	};
}

/* The sum over the pseudo-header, with the length of what follows. */
static uint16_t
phdr_sum(const uint8_t *frame, const struct packet *packet)
{
	const void *l3 = frame + RTE_ETHER_HDR_LEN;

	return packet->ipv6 ? rte_ipv6_phdr_cksum(l3, 0) : rte_ipv4_phdr_cksum(l3, 0);
}

static uint16_t *
csum_field(uint8_t *frame, const struct packet *packet)
{
	void *l4 = frame + RTE_ETHER_HDR_LEN + l3_len(packet);

	return packet->udp ? &((struct rte_udp_hdr *)l4)->dgram_cksum :
		&((struct rte_tcp_hdr *)l4)->cksum;
}

/* The checksum is what a DPDK application or the kernel expects of the other: unfinished. */
static void
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
	write_l4(frame + RTE_ETHER_HDR_LEN + l3_len(packet), packet);
	*csum_field(frame, packet) = phdr_sum(frame, packet);
}

static void
check_sums(const uint8_t *frame, const struct packet *packet)
{
	const void *l3 = frame + RTE_ETHER_HDR_LEN;
	const void *l4 = frame + RTE_ETHER_HDR_LEN + l3_len(packet);
	int ret;

	if (!packet->ipv6)
		CHECK(rte_raw_cksum(l3, l3_len(packet)) == 0xffff, "wrong IPv4 header checksum");
	ret = packet->ipv6 ? rte_ipv6_udptcp_cksum_verify(l3, l4) :
		rte_ipv4_udptcp_cksum_verify(l3, l4);
	CHECK(ret == 0, "wrong checksum in %u bytes of %s over IPv%u", packet->payload_len,
		packet->udp ? "UDP" : "TCP", packet->ipv6 ? 6 : 4);
}

/*
 * One of the segments of a packet: same header but for what must differ. Returns how many bytes
 * of payload it has; at is where they belong in the packet's payload.
 */
static uint32_t
check_segment(const uint8_t *segment, uint32_t len, const uint8_t *whole,
		const struct packet *packet, uint32_t at)
{
	const uint16_t l4 = RTE_ETHER_HDR_LEN + l3_len(packet), all = headers_len(packet);
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(segment + l4);
	uint32_t n = len - all;
	uint8_t flags = packet->tcp_flags;

	CHECK(len > all && at + n <= packet->payload_len, "a segment of %u bytes at %u", len, at);
	CHECK(memcmp(segment + all, whole + all + at, n) == 0, "payload was changed");
	CHECK(memcmp(segment + l4, whole + l4, 4) == 0, "ports were changed");
	if (packet->udp)
		return n;
	CHECK(rte_be_to_cpu_32(tcp->sent_seq) == SEQ_FIRST + at, "wrong sequence number");
	if (at > 0)
		flags &= ~RTE_TCP_CWR_FLAG;
	if (at + n < packet->payload_len)
		flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	CHECK(tcp->tcp_flags == flags, "TCP flags %#x at %u, not %#x", tcp->tcp_flags, at, flags);
	return n;
}

static bool
is_ours(const uint8_t *frame, const struct packet *packet)
{
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)frame;

	return eth->ether_type == rte_cpu_to_be_16(packet->ipv6 ? RTE_ETHER_TYPE_IPV6 :
			RTE_ETHER_TYPE_IPV4) &&
		memcmp(frame + RTE_ETHER_HDR_LEN + l3_len(packet), "\x13\x88", 2) == 0;
}

/*
 * The kernel's part
 */

static void
sink_open(void)
{
	struct ifreq ifr = { .ifr_name = "sink", .ifr_flags = IFF_TAP | IFF_NO_PI };

	sink = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	CHECK(sink >= 0 && ioctl(sink, TUNSETIFF, &ifr) == 0, "cannot make a TAP: %s",
		strerror(errno));
	rig_run("ip link set sink up");
}

static uint32_t
sink_read(uint8_t *frame, const struct packet *packet)
{
	struct pollfd poll_sink = { .fd = sink, .events = POLLIN };
	ssize_t len;

	do {
		CHECK(poll(&poll_sink, 1, RIG_PATIENCE * 1000) == 1, "nothing reaches the sink");
		len = read(sink, frame, PACKET_MAX);
		CHECK(len > 0, "sink: %s", strerror(errno));
	} while (!is_ours(frame, packet));
	return len;
}

/* A packet socket that exchanges frames with virtio-net headers of its own. */
static int
vnet_socket(uint16_t ethertype)
{
	const int on = 1;
	int sock = kernel_open(&port, ethertype);

	CHECK(setsockopt(sock, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0,
		"PACKET_VNET_HDR: %s", strerror(errno));
	return sock;
}

static void
kernel_forwards(void)
{
	if (!rig_sysctl("ipv4/ip_forward", "1") || !rig_sysctl("ipv4/conf/all/rp_filter", "0"))
		rig_skip("may not write to /proc/sys");
	rig_run("ip addr add 10.1.0.1/24 dev %s", port.ifname);
	rig_run("ip addr add 10.2.0.1/24 dev sink");
	rig_run("ip neigh add 10.2.0.2 lladdr 02:00:00:00:00:02 dev sink");
	have_ipv6 = rig_sysctl("ipv6/conf/all/disable_ipv6", "0") &&
		rig_sysctl("ipv6/conf/all/forwarding", "1");
	if (!have_ipv6) {
		fprintf(stderr, "no IPv6 here\n");
		return;
	}
	rig_run("ip addr add fd01::1/64 dev %s nodad", port.ifname);
	rig_run("ip addr add fd02::1/64 dev sink nodad");
	rig_run("ip neigh add fd02::2 lladdr 02:00:00:00:00:02 dev sink");
}

/*
 * Tx
 */

/* The frame in as many mbufs as it takes. */
static struct rte_mbuf *
to_mbuf(const uint8_t *frame, uint32_t len)
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

static void
ask_for_offload(struct rte_mbuf *m, const struct packet *packet, uint16_t segsz)
{
	m->l2_len = RTE_ETHER_HDR_LEN;
	m->l3_len = l3_len(packet);
	m->l4_len = l4_len(packet);
	m->ol_flags |= packet->ipv6 ? RTE_MBUF_F_TX_IPV6 :
		RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	m->ol_flags |= packet->udp ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM;
	if (segsz != 0) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = segsz;
	}
}

/* Who fills in the pseudo-header sum */
enum preparation { BY_APPLICATION, BY_PREPARE, PREPARATION_MAX };

static struct rte_mbuf *
tx_packet(const uint8_t *frame, const struct packet *packet, uint16_t segsz,
		enum preparation preparation)
{
	struct rte_mbuf *m = to_mbuf(frame, packet_len(packet));

	ask_for_offload(m, packet, segsz);
	if (!packet->ipv6)
		rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, m->l2_len)->hdr_checksum = 0;
	if (preparation == BY_PREPARE) {
		*csum_field(rte_pktmbuf_mtod(m, uint8_t *), packet) = 0xbeef;
		CHECK(rte_eth_tx_prepare(port.id, 0, &m, 1) == 1, "tx_prepare: %s",
			rte_strerror(rte_errno));
	}
	return m;
}

/* Send, and look at what comes out of the sink. */
static void
tx_one(const struct packet *packet, uint16_t segsz, enum preparation preparation)
{
	static uint8_t whole[FRAME_MAX], segment[PACKET_MAX];
	struct rte_mbuf *m;
	uint32_t at, len, n;

	packet_write(whole, packet, 2, 2);
	m = tx_packet(whole, packet, segsz, preparation);
	port_tx(&port, 0, &m, 1);
	for (at = 0; at < packet->payload_len; at += n) {
		len = sink_read(segment, packet);
		n = check_segment(segment, len, whole, packet, at);
		check_sums(segment, packet);
		CHECK(segsz == 0 || n == RTE_MIN(segsz, packet->payload_len - at),
			"a segment of %u bytes, not %u", n, segsz);
	}
}

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
				tx_one(&packet, 0, preparation);
			}
		}
	}
}

/*
 * RFC 3168: Congestion Window Reduced belongs into the first segment only. Software sees to that
 * in any case; what segments in hardware must be told.
 */
static void
check_tx_header(int sock, const struct packet *packet, uint16_t segsz)
{
	static uint8_t buffer[sizeof(struct virtio_net_hdr) + FRAME_MAX];
	uint8_t type = packet->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	struct virtio_net_hdr hdr;

	if ((packet->tcp_flags & RTE_TCP_CWR_FLAG) != 0)
		type |= VIRTIO_NET_HDR_GSO_ECN;
	CHECK(kernel_recv(sock, buffer, sizeof(buffer)) == sizeof(hdr) + packet_len(packet),
		"a frame of another size");
	memcpy(&hdr, buffer, sizeof(hdr));
	CHECK(hdr.gso_type == type, "GSO type %#x, not %#x", hdr.gso_type, type);
	CHECK(hdr.gso_size == segsz, "GSO size %u, not %u", hdr.gso_size, segsz);
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
	static const uint32_t lens[] = { 2000, 14000, 14001, 64000 };
	int sock = vnet_socket(ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	unsigned int i, preparation;

	for (i = 0; i < RTE_DIM(flags) * RTE_DIM(sizes) * RTE_DIM(lens); i++) {
		const uint16_t size = sizes[i / RTE_DIM(flags) % RTE_DIM(sizes)];
		const struct packet packet = {
			.ipv6 = ipv6,
			.tcp_flags = flags[i % RTE_DIM(flags)],
			.payload_len = lens[i / RTE_DIM(flags) / RTE_DIM(sizes)],
		};

		for (preparation = 0; preparation < PREPARATION_MAX; preparation++) {
			tx_one(&packet, size, preparation);
			check_tx_header(sock, &packet, size);
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
	kept = tx_packet(whole, &packet, 0, BY_APPLICATION);
	memcpy(whole, rte_pktmbuf_mtod(kept, void *), kept->pkt_len);
	m = kept;
	rte_pktmbuf_refcnt_update(kept, 1);
	port_tx(&port, 0, &m, 1);
	check_segment(segment, sink_read(segment, &packet), whole, &packet, 0);
	check_sums(segment, &packet);
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
		.sin6_port = RTE_BE16(UDP_PORT),
	};
	const struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = RTE_BE16(UDP_PORT) };
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

		m = tx_packet(whole, &packet, 0, preparation);
		port_tx(&port, 0, &m, 1);
		CHECK(poll(&poll_sock, 1, RIG_PATIENCE * 1000) == 1, "nothing reaches the socket");
		CHECK(recv(sock, payload, sizeof(payload), 0) == (ssize_t)packet.payload_len &&
			memcmp(payload, whole + headers_len(&packet), packet.payload_len) == 0,
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
	m = tx_packet(whole, &packet, 0, BY_APPLICATION);
	m->ol_flags = (m->ol_flags & ~RTE_MBUF_F_TX_L4_MASK) | RTE_MBUF_F_TX_SCTP_CKSUM;
	CHECK(rte_eth_tx_prepare(port.id, 0, &m, 1) == 0 && rte_errno == ENOTSUP, "SCTP");
	rte_pktmbuf_free(m);
	m = tx_packet(whole, &packet, 0, BY_APPLICATION);
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
	kernel_forwards();
	for (ipv6 = 0; ipv6 <= have_ipv6; ipv6++) {
		fprintf(stderr, "- Tx, IPv%u\n", ipv6 ? 6 : 4);
		tx_checksums(ipv6);
		tx_segmentation(ipv6);
		tx_to_socket(ipv6);
	}
	tx_shared();
	tx_refused();
	CHECK(port_stats(&port).oerrors == 0, "errors counted");
	CHECK(port_xstat(&port, "tx_tso_packets") == (have_ipv6 ? 144 : 72), "TSO packets counted");
	close(sink);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * Rx
 */

/* Have the kernel send this frame, which it may finish itself or leave unfinished. */
static void
vnet_send(int sock, const struct virtio_net_hdr *hdr, const uint8_t *frame, uint32_t len)
{
	static uint8_t buffer[sizeof(*hdr) + FRAME_MAX];

	memcpy(buffer, hdr, sizeof(*hdr));
	memcpy(buffer + sizeof(*hdr), frame, len);
	kernel_send(sock, buffer, sizeof(*hdr) + len);
}

static void
vnet_send_packet(const struct packet *packet, const uint8_t *whole, uint16_t segsz)
{
	struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = RTE_ETHER_HDR_LEN + l3_len(packet),
		.csum_offset = packet->udp ? offsetof(struct rte_udp_hdr, dgram_cksum) :
			offsetof(struct rte_tcp_hdr, cksum),
	};
	int sock = vnet_socket(port.ethertype);

	if (segsz != 0) {
		hdr.gso_type = packet->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		if ((packet->tcp_flags & RTE_TCP_CWR_FLAG) != 0)
			hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		hdr.gso_size = segsz;
		hdr.hdr_len = headers_len(packet);
	}
	vnet_send(sock, &hdr, whole, packet_len(packet));
	close(sock);
}

static void
mbuf_copy(uint8_t *copy, const struct rte_mbuf *m)
{
	for (; m != NULL; copy += m->data_len, m = m->next)
		memcpy(copy, rte_pktmbuf_mtod(m, void *), m->data_len);
}

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
		check_sums(frame, packet);
		return;
	}
	CHECK(m->l2_len == RTE_ETHER_HDR_LEN && m->l3_len == l3_len(packet), "header lengths");
	/* An application sends it on with Tx offload: the rest is up to that. */
	CHECK(*csum_field(frame, packet) == phdr_sum(frame, packet), "wrong pseudo-header sum");
}

/* A frame of ours, and a copy of it in one piece: the kernel has things to say over IPv6. */
static struct rte_mbuf *
rx_one(uint8_t *copy, const struct packet *packet)
{
	struct rte_mbuf *m;

	for (;;) {
		port_rx(&port, 0, &m, 1);
		mbuf_copy(copy, m);
		if (is_ours(copy, packet))
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
	vnet_send_packet(packet, whole, segsz);
	for (pieces = 0; at < packet->payload_len; pieces++) {
		m = rx_one(segment, packet);
		CHECK(m->pkt_len <= max, "%u bytes", m->pkt_len);
		n = check_segment(segment, m->pkt_len, whole, packet, at);
		check_rx_flags(m, segment, packet, offloads);
		if ((m->ol_flags & RTE_MBUF_F_RX_LRO) != 0)
			CHECK(m->tso_segsz == segsz && m->l4_len == l4_len(packet), "LRO of %u, %u",
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
	sock = vnet_socket(ETHERTYPE_TEST);
	/* Past the end of the first mbuf, of the second, and across both ends */
	for (hdr.csum_offset = 80; hdr.csum_offset < 400; hdr.csum_offset += 2) {
		uint16_t at = hdr.csum_start + hdr.csum_offset;

		frame_write(frame, sizeof(frame), hdr.csum_offset);
		memset(frame + at, 0, sizeof(uint16_t));
		vnet_send(sock, &hdr, frame, sizeof(frame));
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
