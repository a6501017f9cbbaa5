/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * VLAN tags that the driver inserts and strips, with checksums and segmentation behind them.
 *
 *   tx_burst --> rtap0 --> packet socket, with virtio-net header and tag beside the frame
 *                    \---> VLAN devices --> kernel, which forwards --> sink
 *   rx_burst <-- rtap0 <-- packet socket with virtio-net headers
 *                    \---- VLAN devices <-- UDP socket
 *
 * A packet whose tags are inserted must look like one that had them from the beginning.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_packet.h>

#include <rte_tcp.h>

#include "packet.h"

#define NB_MBUF 2048
#define ETHERTYPE_ALL 3			/* ETH_P_ALL of linux/if_ether.h */
#define TCI 0x6005			/* priority 3, VLAN 5 */
#define TCI_OUTER 0xa007
#define TCI_INNER 0x2008
#define MACS (2 * RTE_ETHER_ADDR_LEN)
#define TAGS_MAX (2 * RTE_VLAN_HLEN)

static const uint64_t rx_csum = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
static const uint64_t rx_lro = RTE_ETH_RX_OFFLOAD_TCP_LRO;
static struct rte_mempool *pool;

/*
 * Frames with tags
 */

static void
put_tag(uint8_t *at, uint16_t tpid, uint16_t tci)
{
	const uint16_t tag[2] = { rte_cpu_to_be_16(tpid), rte_cpu_to_be_16(tci) };

	memcpy(at, tag, sizeof(tag));
}

/* What is in a frame, with tags of one or two kinds in it. Returns the new length. */
static uint32_t
tag_frame(uint8_t *frame, uint32_t len, uint64_t tags)
{
	uint32_t add = (tags & RTE_MBUF_F_TX_QINQ) != 0 ? TAGS_MAX : RTE_VLAN_HLEN;

	memmove(frame + MACS + add, frame + MACS, len - MACS);
	if (add == TAGS_MAX) {
		put_tag(frame + MACS, RTE_ETHER_TYPE_QINQ, TCI_OUTER);
		put_tag(frame + MACS + RTE_VLAN_HLEN, RTE_ETHER_TYPE_VLAN, TCI_INNER);
	} else {
		put_tag(frame + MACS, RTE_ETHER_TYPE_VLAN, TCI);
	}
	return len + add;
}

/*
 * Tx: what a capture shows
 */

struct captured {
	struct virtio_net_hdr hdr;
	struct tpacket_auxdata aux;
	uint32_t len;
	uint8_t data[FRAME_MAX];
};

static int
capture_socket(void)
{
	const int on = 1;
	int sock = kernel_vnet_socket(ETHERTYPE_ALL);

	CHECK_OK(setsockopt(sock, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)));
	CHECK_OK(setsockopt(sock, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)));
	return sock;
}

static void
capture(int sock, struct captured *frame)
{
	char control[CMSG_SPACE(sizeof(frame->aux))];
	struct iovec iov[] = {
		{ &frame->hdr, sizeof(frame->hdr) }, { frame->data, sizeof(frame->data) },
	};
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = RTE_DIM(iov),
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock, &msg, 0);
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	CHECK(n > (ssize_t)sizeof(frame->hdr), "capture: %s", strerror(errno));
	CHECK(cmsg != NULL && cmsg->cmsg_type == PACKET_AUXDATA, "no auxiliary data");
	memcpy(&frame->aux, CMSG_DATA(cmsg), sizeof(frame->aux));
	frame->len = n - sizeof(frame->hdr);
}

static void
compare(const struct captured *a, const struct captured *b, uint64_t tags)
{
	const bool two = (tags & RTE_MBUF_F_TX_QINQ) != 0;

	CHECK(a->len == b->len && memcmp(a->data, b->data, a->len) == 0,
		"other bytes, %u and %u of them", a->len, b->len);
	CHECK(memcmp(&a->hdr, &b->hdr, sizeof(a->hdr)) == 0,
		"GSO type %#x and %#x, size %u and %u, checksum at %u and %u", a->hdr.gso_type,
		b->hdr.gso_type, a->hdr.gso_size, b->hdr.gso_size, a->hdr.csum_start,
		b->hdr.csum_start);
	CHECK(memcmp(&a->aux, &b->aux, sizeof(a->aux)) == 0, "other auxiliary data");
	CHECK(a->aux.tp_vlan_tci == (two ? TCI_OUTER : TCI) &&
		a->aux.tp_vlan_tpid == (two ? RTE_ETHER_TYPE_QINQ : RTE_ETHER_TYPE_VLAN),
		"tag %#x of type %#x", a->aux.tp_vlan_tci, a->aux.tp_vlan_tpid);
}

static void
ask_for_tags(struct rte_mbuf *m, uint64_t tags)
{
	const bool two = (tags & RTE_MBUF_F_TX_QINQ) != 0;

	m->ol_flags |= tags;
	m->vlan_tci = two ? TCI_INNER : TCI;
	m->vlan_tci_outer = TCI_OUTER;
}

static void
prepare_and_tx(struct rte_mbuf *m)
{
	CHECK(rte_eth_tx_prepare(port.id, 0, &m, 1) == 1, "tx_prepare: %s",
		rte_strerror(rte_errno));
	port_tx(&port, 0, &m, 1);
}

/* Send a frame with tags in it, and one that is to get them, and compare. */
static void
tx_both(int sock, const struct packet *packet, uint16_t segsz, uint64_t tags, bool shared)
{
	static struct captured with, inserted;
	static uint8_t frame[FRAME_MAX], copy[FRAME_MAX];
	struct rte_mbuf *m;
	uint32_t len;

	packet_write(frame, packet, 2, 2);
	m = packet_alloc(pool, frame, packet, segsz, BY_PREPARE);
	ask_for_tags(m, tags);
	if (shared)
		rte_pktmbuf_refcnt_update(m, 1);
	mbuf_copy(copy, m);
	port_tx(&port, 0, &m, 1);
	capture(sock, &inserted);
	if (shared) {
		uint8_t *data = copy + RTE_MIN(packet_len(packet), m->data_len);

		CHECK(memcmp(copy, rte_pktmbuf_mtod(m, void *), data - copy) == 0 &&
			m->pkt_len == packet_len(packet), "the packet was changed");
		rte_pktmbuf_free(m);
	}

	len = tag_frame(frame, packet_len(packet), tags);
	m = packet_to_mbuf(pool, frame, len);
	packet_ask_offload(m, packet, segsz);
	m->l2_len += len - packet_len(packet);
	prepare_and_tx(m);
	capture(sock, &with);
	compare(&with, &inserted, tags);
}

static bool
port_has(uint64_t tx_offload)
{
	struct rte_eth_dev_info info;

	CHECK_OK(rte_eth_dev_info_get(port.id, &info));
	return (info.tx_offload_capa & tx_offload) != 0;
}

static void
tx_captured(void)
{
	static const uint64_t tags[] = {
		RTE_MBUF_F_TX_VLAN, RTE_MBUF_F_TX_QINQ, RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ,
	};
	static const struct {
		bool udp;
		uint32_t payload_len;
		uint16_t segsz;
	} packets[] = {
		{ true, 30, 0 }, { true, 1400, 0 }, { false, 30, 0 }, { false, 1400, 0 },
		{ false, 20000, 1000 }, { false, 60001, 1400 }, { false, 1000, 1000 },
		{ true, 20000, 1000 },
	};
	const bool uso = port_has(RTE_ETH_TX_OFFLOAD_UDP_TSO);
	int sock = capture_socket();
	unsigned int i, ipv6, tag;

	for (tag = 0; tag < RTE_DIM(tags); tag++) {
		for (i = 0; i < 2 * RTE_DIM(packets); i++) {
			for (ipv6 = 0; ipv6 <= sink_has_ipv6; ipv6++) {
				const struct packet packet = {
					.ipv6 = ipv6,
					.udp = packets[i / 2].udp,
					.tcp_flags = RTE_TCP_ACK_FLAG,
					.payload_len = packets[i / 2].payload_len,
				};

				if (uso || !packet.udp || packets[i / 2].segsz == 0)
					tx_both(sock, &packet, packets[i / 2].segsz, tags[tag],
						i % 2 != 0);
			}
		}
	}
	close(sock);
}

/* Frames as large as the MTU allows, in mbufs of any kind, without any other offload. */
static void
tx_plain(void)
{
	static struct captured got;
	int sock = capture_socket();
	unsigned int len;

	for (len = RTE_ETHER_HDR_LEN; len <= RTE_ETHER_MTU + RTE_ETHER_HDR_LEN; len += 25) {
		static uint8_t frame[FRAME_MAX], small[13];
		struct rte_mbuf *m;

		frame_write(frame, len, len);
		/* The first segment may end anywhere. */
		memcpy(small, frame, sizeof(small));
		m = packet_to_mbuf(pool, small, 1 + len % sizeof(small));
		CHECK_OK(rte_pktmbuf_chain(m, packet_to_mbuf(pool, frame + m->pkt_len,
			len - m->pkt_len)));
		ask_for_tags(m, RTE_MBUF_F_TX_QINQ);
		prepare_and_tx(m);
		capture(sock, &got);
		CHECK(got.aux.tp_vlan_tci == TCI_OUTER && got.len == len + RTE_VLAN_HLEN &&
			memcmp(got.data, frame, MACS) == 0 &&
			memcmp(got.data + MACS + RTE_VLAN_HLEN, frame + MACS, len - MACS) == 0,
			"a frame of %u differs", len);
	}
	close(sock);
}

/*
 * Rx
 */

/* Send a frame with tags from the kernel, and see it without the outer one, or with it. */
static void
rx_one(const struct packet *packet, uint16_t segsz, uint64_t tags, bool strip)
{
	const bool stripped = strip && tags == RTE_MBUF_F_TX_VLAN;
	static uint8_t frame[FRAME_MAX], untagged[FRAME_MAX], copy[FRAME_MAX];
	struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_offset = packet->udp ? 6 : 16,
	};
	uint32_t len = packet_len(packet);
	struct rte_mbuf *m;
	int sock;

	packet_write(untagged, packet, 1, 2);
	memcpy(frame, untagged, len);
	len = tag_frame(frame, len, tags);
	hdr.csum_start = len - packet_len(packet) + RTE_ETHER_HDR_LEN + packet_l3_len(packet);
	if (segsz != 0) {
		hdr.gso_type = packet_gso_type(packet);
		hdr.gso_size = segsz;
		hdr.hdr_len = len - packet->payload_len;
	}
	port.ethertype = tags == RTE_MBUF_F_TX_VLAN ? RTE_ETHER_TYPE_VLAN : RTE_ETHER_TYPE_QINQ;
	sock = kernel_vnet_socket(port.ethertype);
	if (stripped)
		port.ethertype = packet->ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;
	kernel_vnet_send(sock, &hdr, frame, len);
	port_rx(&port, 0, &m, 1);
	mbuf_copy(copy, m);
	if (stripped)
		len = packet_len(packet);
	CHECK(m->pkt_len == len && memcmp(copy, stripped ? untagged : frame, len) == 0,
		"a packet of %u bytes differs, %u", len, m->pkt_len);
	CHECK(m->l2_len == len - packet_len(packet) + RTE_ETHER_HDR_LEN &&
		m->l3_len == packet_l3_len(packet), "header lengths %u, %u", m->l2_len, m->l3_len);
	CHECK(((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) == stripped &&
		((m->ol_flags & RTE_MBUF_F_RX_VLAN) != 0) == stripped &&
		(!stripped || m->vlan_tci == TCI), "flags %#" PRIx64, m->ol_flags);
	CHECK((m->packet_type & RTE_PTYPE_L2_MASK) == (stripped ? RTE_PTYPE_L2_ETHER :
		tags == RTE_MBUF_F_TX_VLAN ? RTE_PTYPE_L2_ETHER_VLAN : RTE_PTYPE_L2_ETHER_QINQ),
		"packet type %#x", m->packet_type);
	CHECK((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE,
		"flags %#" PRIx64, m->ol_flags);
	CHECK(((m->ol_flags & RTE_MBUF_F_RX_LRO) != 0) == (segsz != 0) &&
		(segsz == 0 || m->tso_segsz == segsz), "LRO of %u", m->tso_segsz);
	rte_pktmbuf_free(m);
	close(sock);
}

static void
rx_all(bool strip)
{
	unsigned int ipv6, two;

	for (two = 0; two < 2; two++) {
		uint64_t tags = two ? RTE_MBUF_F_TX_QINQ : RTE_MBUF_F_TX_VLAN;

		for (ipv6 = 0; ipv6 < 2; ipv6++) {
			struct packet tcp = { .ipv6 = ipv6, .payload_len = 20001 };
			const struct packet udp = { .ipv6 = ipv6, .udp = true,
				.payload_len = 777 };

			rx_one(&udp, 0, tags, strip);
			rx_one(&tcp, 1400, tags, strip);
			tcp.payload_len = 900;
			rx_one(&tcp, 0, tags, strip);
		}
	}
}

/* As the port is configured, and as it is changed while it runs. */
static void
receive(bool strip)
{
	const struct port_conf conf = {
		.pool = pool,
		.rx_offloads = rx_csum | rx_lro | RTE_ETH_RX_OFFLOAD_SCATTER |
			(strip ? RTE_ETH_RX_OFFLOAD_VLAN_STRIP : 0),
	};
	unsigned int i;

	fprintf(stderr, "- Rx, stripping %s at first\n", strip ? "on" : "off");
	port_open(&port, "net_rtap0", "", &conf);
	for (i = 0; i < 3; i++) {
		rx_all(strip);
		strip = !strip;
		CHECK_OK(rte_eth_dev_set_vlan_offload(port.id,
			strip ? RTE_ETH_VLAN_STRIP_OFFLOAD : 0));
	}
	/* What was set outlives a restart. */
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_start(&port);
	rx_all(strip);
	CHECK(port_stats(&port).ierrors == 0, "errors counted");
	port_close(&port);
	pool_check_full(pool);
}

/*
 * VLAN devices
 */

static bool
make_devices(void)
{
	char command[512];

	snprintf(command, sizeof(command), "ip link add link %s name one type vlan id %u && "
		"ip link add link %s name outer type vlan proto 802.1ad id %u && "
		"ip link add link outer name two type vlan id %u", port.ifname, TCI & 0xfff,
		port.ifname, TCI_OUTER & 0xfff, TCI_INNER & 0xfff);
	return system(command) == 0;
}

static void
configure_device(const char *name, unsigned int net)
{
	rig_run("ip link set %s up", name);
	rig_run("ip addr add 10.%u.0.1/24 dev %s", net, name);
	rig_run("ip neigh add 10.%u.0.2 lladdr 02:00:00:00:00:02 dev %s", net, name);
}

/* Segments that went through the device are whole in the sink. */
static void
tx_to_device(uint64_t tags)
{
	const struct packet packets[] = {
		{ .udp = true, .payload_len = 1000 },
		{ .tcp_flags = RTE_TCP_ACK_FLAG, .payload_len = 30001 },
	};
	static uint8_t frame[FRAME_MAX], segment[PACKET_MAX];
	unsigned int i;

	for (i = 0; i < RTE_DIM(packets); i++) {
		const uint16_t segsz = packets[i].udp ? 0 : 1400;
		uint32_t at;
		struct rte_mbuf *m;

		packet_write(frame, &packets[i], 2, 2);
		m = packet_alloc(pool, frame, &packets[i], segsz, BY_PREPARE);
		ask_for_tags(m, tags);
		port_tx(&port, 0, &m, 1);
		for (at = 0; at < packets[i].payload_len;) {
			uint32_t len = sink_read(segment, &packets[i]);

			at += packet_check_segment(segment, len, frame, &packets[i], at);
			packet_check_sums(segment, &packets[i]);
		}
	}
}

/* The largest datagram that the device takes: a frame of the MTU and its tags. */
static void
rx_from_device(const char *name, unsigned int net, uint64_t tags, bool strip)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = RTE_BE16(5000),
		.sin_addr.s_addr = rte_cpu_to_be_32(RTE_IPV4(10, net, 0, 2)),
	};
	const bool two = (tags & RTE_MBUF_F_TX_QINQ) != 0, stripped = strip && !two;
	const uint32_t overhead = RTE_ETHER_HDR_LEN + (two ? TAGS_MAX : RTE_VLAN_HLEN);
	static uint8_t payload[RTE_ETHER_MTU - 28], copy[FRAME_MAX];
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct rte_mbuf *m;

	CHECK(kernel_mtu(name) == RTE_ETHER_MTU, "MTU of %s is %u", name, kernel_mtu(name));
	frame_write(payload, sizeof(payload), net);
	CHECK(sendto(sock, payload, sizeof(payload), 0, (const struct sockaddr *)&to,
		sizeof(to)) == sizeof(payload), "sendto: %s", strerror(errno));
	port.ethertype = stripped ? RTE_ETHER_TYPE_IPV4 :
		two ? RTE_ETHER_TYPE_QINQ : RTE_ETHER_TYPE_VLAN;
	/* The kernel has things to say through the devices, all of them short. */
	for (;;) {
		port_rx(&port, 0, &m, 1);
		if (m->pkt_len > sizeof(payload))
			break;
		rte_pktmbuf_free(m);
	}
	mbuf_copy(copy, m);
	CHECK(m->pkt_len == RTE_ETHER_MTU + overhead - (stripped ? RTE_VLAN_HLEN : 0),
		"a frame of %u bytes", m->pkt_len);
	CHECK(memcmp(copy + m->pkt_len - sizeof(payload), payload, sizeof(payload)) == 0,
		"other data");
	CHECK(((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) == stripped &&
		(!stripped || (m->vlan_tci & 0xfff) == (TCI & 0xfff)), "flags %#" PRIx64,
		m->ol_flags);
	rte_pktmbuf_free(m);
	close(sock);
}

static void
with_devices(void)
{
	bool strip = false;
	unsigned int i;

	rig_case("VLAN devices");
	configure_device("one", 5);
	rig_run("ip link set outer up");
	configure_device("two", 6);
	rig_run("ip route add 10.1.0.2/32 dev one");
	for (i = 0; i < 2; i++) {
		rx_from_device("one", 5, RTE_MBUF_F_TX_VLAN, strip);
		rx_from_device("two", 6, RTE_MBUF_F_TX_QINQ, strip);
		strip = true;
		CHECK_OK(rte_eth_dev_set_vlan_offload(port.id, RTE_ETH_VLAN_STRIP_OFFLOAD));
	}
	tx_to_device(RTE_MBUF_F_TX_VLAN);
	tx_to_device(RTE_MBUF_F_TX_QINQ);
}

int
main(int argc, char **argv)
{
	struct port_conf conf = {
		.tx_offloads = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
			RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |
			RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_VLAN_INSERT |
			RTE_ETH_TX_OFFLOAD_QINQ_INSERT,
	};
	bool have_devices;

	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	conf.pool = pool;
	receive(false);
	receive(true);

	port_attach(&port, "net_rtap0", "");
	if (port_has(RTE_ETH_TX_OFFLOAD_UDP_TSO))
		conf.tx_offloads |= RTE_ETH_TX_OFFLOAD_UDP_TSO;
	port_setup(&port, &conf);
	port_start(&port);
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	sink_open();
	sink_forward();
	rig_case("Tx, captured");
	tx_captured();
	tx_plain();
	have_devices = make_devices();
	if (have_devices)
		with_devices();
	CHECK(port_stats(&port).oerrors == 0 && port_stats(&port).ierrors == 0, "errors counted");
	sink_close();
	port_close(&port);
	pool_check_full(pool);
	if (!have_devices)
		rig_skip("this kernel has no VLAN devices; captures were compared");
	return rig_done();
}
