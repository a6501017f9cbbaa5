/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * UDP segmentation, with sockets that do the same.
 *
 *   tx_burst --> rtap0 --> kernel, which forwards --> sink
 *                    \---> UDP socket, with and without UDP_GRO
 *   rx_burst <-- rtap0 <-- UDP socket with UDP_SEGMENT
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_udp.h>

#include "packet.h"

#define NB_MBUF 2048
#define SEGMENT 1400U
#define PAYLOAD 30001U

/* Linux 4.18, 5.0 and 6.2: the kernel's ABI. */
#define SOCK_UDP_SEGMENT 103
#define SOCK_UDP_GRO 104
#define TUN_OFFLOAD_USO (TUN_F_CSUM | 0x60)

static const uint64_t rx_lro = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;
static struct rte_mempool *pool;

static bool
kernel_has_uso(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	bool has;

	CHECK(fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0, "cannot make a TAP: %s",
		strerror(errno));
	has = ioctl(fd, TUNSETOFFLOAD, TUN_OFFLOAD_USO) == 0;
	close(fd);
	return has;
}

/* The port offers what the kernel has, and an argument that asks for more is refused. */
static void
check_offers(bool has)
{
	struct rte_eth_dev_info info;

	port_attach(&port, "net_rtap0", "");
	CHECK_OK(rte_eth_dev_info_get(port.id, &info));
	CHECK(((info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_TSO) != 0) == has,
		"UDP segmentation is offered %s", has ? "not" : "in vain");
	port_close(&port);
	if (!has)
		CHECK(port_try_attach("net_rtap0", "uso=1") != 0, "uso=1 is accepted in vain");
}

/*
 * Tx
 */

static void
tx_segmentation(bool ipv6)
{
	static const uint16_t sizes[] = { SEGMENT, 536, 999 };
	static const uint32_t lens[] = { 1, 500, SEGMENT, SEGMENT + 1, 14000, 14001, 64000 };
	int sock = kernel_vnet_socket(ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	unsigned int i, preparation;

	for (i = 0; i < RTE_DIM(sizes) * RTE_DIM(lens); i++) {
		const uint16_t size = sizes[i % RTE_DIM(sizes)];
		const struct packet packet = {
			.ipv6 = ipv6,
			.udp = true,
			.payload_len = lens[i / RTE_DIM(sizes)],
		};

		for (preparation = 0; preparation < PREPARATION_MAX; preparation++) {
			packet_tx(pool, &packet, size, preparation);
			packet_check_header(sock, &packet, packet.payload_len > size ? size : 0);
		}
	}
	close(sock);
}

static int
udp_socket(bool ipv6)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	const struct sockaddr_in addr4 = {
		.sin_family = AF_INET,
		.sin_port = RTE_BE16(PACKET_UDP_PORT),
	};
	const struct timeval patience = { .tv_sec = RIG_PATIENCE };
	int sock = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	addr.sin6_port = addr4.sin_port;
	ret = ipv6 ? bind(sock, (const struct sockaddr *)&addr, sizeof(addr)) :
		bind(sock, (const struct sockaddr *)&addr4, sizeof(addr4));
	CHECK(ret == 0, "bind: %s", strerror(errno));
	CHECK_OK(setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	return sock;
}

/* The size of the datagrams that the socket got in one piece, 0: it is one datagram. */
static uint16_t
gro_size(struct msghdr *msg)
{
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int size;

	if (cmsg == NULL || cmsg->cmsg_type != SOCK_UDP_GRO)
		return 0;
	memcpy(&size, CMSG_DATA(cmsg), sizeof(size));
	return size;
}

static void
tx_to_socket(bool ipv6, bool gro)
{
	const struct packet packet = { .ipv6 = ipv6, .udp = true, .payload_len = PAYLOAD };
	static uint8_t whole[FRAME_MAX], payload[PACKET_MAX];
	int sock = udp_socket(ipv6), on = gro;
	uint32_t done = 0, expected;
	struct rte_mbuf *m;

	CHECK_OK(setsockopt(sock, IPPROTO_UDP, SOCK_UDP_GRO, &on, sizeof(on)));
	packet_write(whole, &packet, 1, 1);
	m = packet_alloc(pool, whole, &packet, SEGMENT, BY_PREPARE);
	port_tx(&port, 0, &m, 1);
	while (done < PAYLOAD) {
		char control[CMSG_SPACE(sizeof(int))];
		struct iovec iov = { payload, sizeof(payload) };
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(sock, &msg, 0);

		expected = gro ? PAYLOAD : RTE_MIN(SEGMENT, PAYLOAD - done);
		CHECK(n == (ssize_t)expected, "%zd bytes at %u, %u expected: %s", n, done,
			expected, strerror(errno));
		CHECK(gro_size(&msg) == (gro ? SEGMENT : 0), "GRO size %u", gro_size(&msg));
		CHECK(memcmp(payload, whole + packet_headers_len(&packet) + done, n) == 0,
			"the socket has other data");
		done += n;
	}
	close(sock);
}

static void
transmit(void)
{
	const struct port_conf conf = {
		.pool = pool,
		.tx_offloads = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
			RTE_ETH_TX_OFFLOAD_UDP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	};
	unsigned int ipv6;

	port_open(&port, "net_rtap0", "", &conf);
	sink_open();
	sink_forward();
	for (ipv6 = 0; ipv6 <= sink_has_ipv6; ipv6++) {
		fprintf(stderr, "- Tx, IPv%u\n", ipv6 ? 6 : 4);
		tx_segmentation(ipv6);
		tx_to_socket(ipv6, false);
		tx_to_socket(ipv6, true);
	}
	CHECK(port_stats(&port).oerrors == 0, "errors counted");
	sink_close();
	port_close(&port);
	pool_check_full(pool);
}

/*
 * Rx
 */

static void
send_segments(bool ipv6, const uint8_t *payload)
{
	struct sockaddr_in6 to = {
		.sin6_family = AF_INET6,
		.sin6_port = RTE_BE16(5000),
		.sin6_addr.s6_addr = { 0xfd, 1, [15] = 2 },
	};
	const struct sockaddr_in to4 = {
		.sin_family = AF_INET,
		.sin_port = RTE_BE16(5000),
		.sin_addr.s_addr = RTE_BE32(RTE_IPV4(10, 1, 0, 2)),
	};
	int sock = udp_socket(ipv6), size = SEGMENT;
	ssize_t n;

	CHECK(setsockopt(sock, IPPROTO_UDP, SOCK_UDP_SEGMENT, &size, sizeof(size)) == 0,
		"UDP_SEGMENT: %s", strerror(errno));
	n = ipv6 ? sendto(sock, payload, PAYLOAD, 0, (struct sockaddr *)&to, sizeof(to)) :
		sendto(sock, payload, PAYLOAD, 0, (const struct sockaddr *)&to4, sizeof(to4));
	CHECK(n == PAYLOAD, "the socket does not send: %s", strerror(errno));
	close(sock);
}

static void
check_rx(struct rte_mbuf *m, const uint8_t *frame, const struct packet *packet, bool merged)
{
	const uint64_t sum = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	CHECK((m->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP, "packet type %#x",
		m->packet_type);
	CHECK(((m->ol_flags & RTE_MBUF_F_RX_LRO) != 0) == merged, "flags %#" PRIx64, m->ol_flags);
	CHECK(m->l2_len == RTE_ETHER_HDR_LEN && m->l3_len == packet_l3_len(packet) &&
		m->l4_len == packet_l4_len(packet), "header lengths");
	if (merged)
		CHECK(m->tso_segsz == SEGMENT && sum == RTE_MBUF_F_RX_L4_CKSUM_NONE,
			"segments of %u, flags %#" PRIx64, m->tso_segsz, m->ol_flags);
	else if (sum != RTE_MBUF_F_RX_L4_CKSUM_NONE)
		packet_check_sums(frame, packet);
}

/* What a UDP_SEGMENT socket sends, in one piece or in datagrams as the socket wants them. */
static void
rx_from_socket(bool ipv6, bool merged)
{
	const struct packet packet = { .ipv6 = ipv6, .udp = true };
	static uint8_t payload[PAYLOAD], frame[FRAME_MAX];
	const uint16_t headers = packet_headers_len(&packet);
	uint32_t done, n;

	frame_write(payload, sizeof(payload), ipv6);
	send_segments(ipv6, payload);
	for (done = 0; done < PAYLOAD; done += n) {
		struct rte_mbuf *m;

		/* The kernel has more to say than this. */
		for (;;) {
			port_rx(&port, 0, &m, 1);
			mbuf_copy(frame, m);
			if (m->pkt_len > headers && memcmp(frame + headers - 6, "\x13\x88", 2) == 0)
				break;
			rte_pktmbuf_free(m);
		}
		n = m->pkt_len - headers;
		CHECK(n == (merged ? PAYLOAD : RTE_MIN(SEGMENT, PAYLOAD - done)),
			"%u bytes at %u", n, done);
		CHECK(memcmp(frame + headers, payload + done, n) == 0, "other data");
		check_rx(m, frame, &packet, merged);
		rte_pktmbuf_free(m);
	}
}

static void
receive(const char *args, uint64_t offloads, bool merged)
{
	const struct port_conf conf = { .pool = pool, .rx_offloads = offloads };
	unsigned int ipv6;

	fprintf(stderr, "- Rx, arguments '%s', offloads %#" PRIx64 "\n", args, offloads);
	port_open(&port, "net_rtap0", args, &conf);
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	sink_open();
	sink_forward();
	rig_run("ip neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev %s", port.ifname);
	if (sink_has_ipv6)
		rig_run("ip neigh add fd01::2 lladdr 02:00:00:00:00:02 dev %s", port.ifname);
	for (ipv6 = 0; ipv6 <= sink_has_ipv6; ipv6++) {
		port.ethertype = ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;
		rx_from_socket(ipv6, merged);
	}
	CHECK(port_stats(&port).ierrors == 0, "errors counted");
	CHECK((port_xstat(&port, "rx_lro_packets") != 0) == merged, "LRO packets counted");
	sink_close();
	port_close(&port);
	pool_check_full(pool);
}

int
main(int argc, char **argv)
{
	bool has;

	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	has = kernel_has_uso();
	check_offers(has);
	receive("", rx_lro, false);
	receive("uso=0", rx_lro, false);
	if (!has)
		rig_skip("this kernel has no UDP segmentation offload");
	receive("uso=1", rx_lro, true);
	receive("uso=1", 0, false);
	transmit();
	return rig_done();
}
