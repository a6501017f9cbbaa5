/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Checksums and TCP segmentation in VXLAN and Geneve tunnels.
 *
 *   tx_burst --> rtap0 --> kernel, which forwards the tunnel --> sink
 *                    \---> VXLAN device --> kernel, which forwards what was inside --> sink
 *
 * Whatever comes out of the sink is also shown to tcpdump, which knows tunnels and checksums.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "packet.h"

#define NB_MBUF 2048

/* Linux 6.17: the kernel's ABI. */
#define TUN_OFFLOAD_TUNNEL (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | 0x180)

static struct rte_mempool *pool;
static FILE *tcpdump;

struct tunnel {
	bool ipv6;		/* outside */
	bool geneve;
	bool gpe;		/* called VXLAN-GPE, which the kernel neither knows nor needs to */
	bool csum;		/* in the outer UDP header */
	struct packet inner;
	uint16_t segsz;		/* 0: no segmentation */
	bool inner_csum;	/* left to the kernel */
	bool to_device;		/* else forwarded as it is */
};

/*
 * Packets
 */

static uint16_t
shim_len(const struct tunnel *tunnel)
{
	return tunnel->geneve ? 16 : 8;
}

/* A device is of one version of IP. */
static uint8_t
vni(const struct tunnel *tunnel)
{
	return tunnel->ipv6 ? 6 : 4;
}

/* VXLAN: RFC 7348. Geneve: RFC 8926, with an option that nobody knows. */
static void
write_shim(uint8_t *shim, const struct tunnel *tunnel)
{
	static const uint8_t vxlan[8] = { 0x08 };
	static const uint8_t geneve[16] = { 2, 0, 0x65, 0x58, [8] = 0xff, 0xff, 1, 1, 1, 2, 3, 4 };

	memcpy(shim, tunnel->geneve ? geneve : vxlan, shim_len(tunnel));
	shim[6] = vni(tunnel);
}

static struct packet
outer_of(const struct tunnel *tunnel, uint32_t inner_len)
{
	return (struct packet){
		.ipv6 = tunnel->ipv6,
		.udp = true,
		.payload_len = shim_len(tunnel) + inner_len,
	};
}

static uint32_t
inner_start(const struct tunnel *tunnel)
{
	const struct packet outer = outer_of(tunnel, 0);

	return packet_headers_len(&outer) + shim_len(tunnel);
}

static void
mac_of(const char *ifname, void *mac)
{
	struct rte_ether_addr addr;

	kernel_mac(ifname, &addr);
	memcpy(mac, &addr, sizeof(addr));
}

/* The whole, as an application that relies on offload hands it over. Returns the length. */
static uint32_t
tunnel_write(uint8_t *frame, const struct tunnel *tunnel)
{
	const struct packet outer = outer_of(tunnel, packet_len(&tunnel->inner));
	uint8_t *inner = frame + inner_start(tunnel);
	uint8_t *udp = frame + RTE_ETHER_HDR_LEN + packet_l3_len(&outer);
	const uint16_t dst_port = rte_cpu_to_be_16(tunnel->geneve ? 6081 : 4789);

	if (tunnel->to_device)
		packet_write(frame, &outer, 1, 1);
	else
		packet_write(frame, &outer, 2, 2);
	memcpy(udp + 2, &dst_port, sizeof(dst_port));
	if (!tunnel->csum)
		memset(udp + 6, 0, sizeof(uint16_t));
	write_shim(inner - shim_len(tunnel), tunnel);
	packet_write(inner, &tunnel->inner, 2, 2);
	if (tunnel->to_device)
		mac_of(tunnel->ipv6 ? "vx6" : "vx4", inner);
	return packet_len(&outer);
}

/* Have the inner checksum right, as an application that does not rely on offload does. */
static void
finish_inner(uint8_t *inner, const struct packet *packet)
{
	const void *l3 = inner + RTE_ETHER_HDR_LEN;
	const void *l4 = inner + RTE_ETHER_HDR_LEN + packet_l3_len(packet);
	uint16_t *field = packet_csum_field(inner, packet);

	*field = 0;
	*field = packet->ipv6 ? rte_ipv6_udptcp_cksum(l3, l4) : rte_ipv4_udptcp_cksum(l3, l4);
}

static void
ask_for_offload(struct rte_mbuf *m, const struct tunnel *tunnel)
{
	packet_ask_offload(m, &tunnel->inner, tunnel->segsz);
	if (!tunnel->inner_csum)
		m->ol_flags &= ~RTE_MBUF_F_TX_L4_MASK;
	m->outer_l2_len = RTE_ETHER_HDR_LEN;
	m->outer_l3_len = tunnel->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	m->l2_len = inner_start(tunnel) - m->outer_l2_len - m->outer_l3_len + RTE_ETHER_HDR_LEN;
	m->ol_flags |= tunnel->geneve ? RTE_MBUF_F_TX_TUNNEL_GENEVE :
		tunnel->gpe ? RTE_MBUF_F_TX_TUNNEL_VXLAN_GPE : RTE_MBUF_F_TX_TUNNEL_VXLAN;
	m->ol_flags |= tunnel->ipv6 ? RTE_MBUF_F_TX_OUTER_IPV6 :
		RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IP_CKSUM;
	if (tunnel->csum)
		m->ol_flags |= RTE_MBUF_F_TX_OUTER_UDP_CKSUM;
}

/* What is asked for is not there yet. */
static void
spoil(struct rte_mbuf *m, const struct tunnel *tunnel, enum preparation preparation)
{
	const struct packet outer = outer_of(tunnel, 0);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint8_t *inner = frame + inner_start(tunnel);

	if (!tunnel->ipv6)
		memset(frame + RTE_ETHER_HDR_LEN + 10, 0xab, sizeof(uint16_t));
	if (!tunnel->inner.ipv6)
		memset(inner + RTE_ETHER_HDR_LEN + 10, 0xab, sizeof(uint16_t));
	if (preparation == BY_APPLICATION)
		return;
	if (tunnel->csum)
		*packet_csum_field(frame, &outer) = 0xbeef;
	if (tunnel->inner_csum)
		*packet_csum_field(inner, &tunnel->inner) = 0xbeef;
}

/*
 * What comes out
 */

static void
show_tcpdump(const uint8_t *frame, uint32_t len)
{
	const uint32_t record[4] = { 0, 0, len, len };

	CHECK(fwrite(record, sizeof(record), 1, tcpdump) == 1 &&
		fwrite(frame, len, 1, tcpdump) == 1, "tcpdump: %s", strerror(errno));
}

static void
open_tcpdump(void)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snaplen, type;
	} header = { .magic = 0xa1b2c3d4, .major = 2, .minor = 4, .snaplen = 1 << 18, .type = 1 };

	/* Tunnels may do without checksum over IPv6 as well (RFC 6935): tcpdump does not know. */
	tcpdump = popen("! tcpdump -nvvr - 2>&1 | grep -v 'bad udp cksum 0x0000 ->' | "
		"grep -E 'bad.*(sum|len)|incorrect|wrong|truncated|\\[\\|'", "w");
	CHECK(tcpdump != NULL && fwrite(&header, sizeof(header), 1, tcpdump) == 1,
		"tcpdump: %s", strerror(errno));
}

/* The headers around one segment of len bytes in all. */
static void
check_outer(uint8_t *frame, uint32_t len, const uint8_t *whole, const struct tunnel *tunnel)
{
	const struct packet outer = outer_of(tunnel, len - inner_start(tunnel));
	const uint8_t *l3 = frame + RTE_ETHER_HDR_LEN;
	const struct rte_udp_hdr *udp = (const void *)(l3 + packet_l3_len(&outer));
	const uint32_t shim = packet_headers_len(&outer);

	CHECK(rte_be_to_cpu_16(udp->dgram_len) == len - shim + sizeof(*udp),
		"outer UDP length %u of %u", rte_be_to_cpu_16(udp->dgram_len), len);
	if (!tunnel->ipv6)
		CHECK(rte_raw_cksum(l3, packet_l3_len(&outer)) == 0xffff &&
			rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)l3)->total_length) ==
			len - RTE_ETHER_HDR_LEN, "outer IPv4 header");
	CHECK((udp->dgram_cksum != 0) == tunnel->csum, "outer checksum %#x",
		rte_be_to_cpu_16(udp->dgram_cksum));
	if (tunnel->csum)
		packet_check_sums(frame, &outer);
	CHECK(memcmp(frame + shim, whole + shim, shim_len(tunnel)) == 0, "tunnel header");
	CHECK(memcmp(udp, whole + shim - sizeof(*udp), 4) == 0, "outer ports");
}

/* Collect what becomes of one packet in a tunnel. */
static void
check_sink(const uint8_t *whole, const struct tunnel *tunnel)
{
	const uint32_t start = inner_start(tunnel), skip = tunnel->to_device ? 0 : start;
	const struct packet *inner = &tunnel->inner, outer = outer_of(tunnel, 0);
	static uint8_t frame[PACKET_MAX];
	uint32_t at, len, n;

	for (at = 0; at < inner->payload_len; at += n) {
		len = sink_read(frame, tunnel->to_device ? inner : &outer);
		show_tcpdump(frame, len);
		CHECK(len > skip, "a frame of %u bytes", len);
		if (!tunnel->to_device)
			check_outer(frame, len, whole, tunnel);
		n = packet_check_segment(frame + skip, len - skip, whole + start, inner, at);
		packet_check_sums(frame + skip, inner);
		CHECK(n == (tunnel->segsz == 0 ? inner->payload_len :
				RTE_MIN(tunnel->segsz, inner->payload_len - at)),
			"a segment of %u bytes", n);
	}
}

static void
tunnel_tx(const struct tunnel *tunnel, enum preparation preparation, bool shared)
{
	static uint8_t whole[FRAME_MAX];
	uint32_t len = tunnel_write(whole, tunnel);
	struct rte_mbuf *m, *kept;

	if (!tunnel->inner_csum)
		finish_inner(whole + inner_start(tunnel), &tunnel->inner);
	m = packet_to_mbuf(pool, whole, len);
	ask_for_offload(m, tunnel);
	spoil(m, tunnel, preparation);
	if (preparation == BY_PREPARE)
		CHECK(rte_eth_tx_prepare(port.id, 0, &m, 1) == 1, "tx_prepare: %s",
			rte_strerror(rte_errno));
	kept = m;
	if (shared)
		rte_pktmbuf_refcnt_update(kept, 1);
	port_tx(&port, 0, &m, 1);
	check_sink(whole, tunnel);
	if (shared) {
		CHECK(tunnel->ipv6 || memcmp(rte_pktmbuf_mtod_offset(kept, void *,
			RTE_ETHER_HDR_LEN + 10), "\xab\xab", 2) == 0, "a shared packet was changed");
		rte_pktmbuf_free(kept);
	}
}

/* Every combination of the two versions of IP, and of what may be asked for. */
static void
tunnels_tx(bool geneve, bool to_device, bool segment)
{
	static const uint32_t lens[] = { 1, 100, 999, 1000, 1001, 1201, 20000, 40001, 60000 };
	unsigned int i, j, last;

	for (i = 0; i < 16; i++) {
		struct tunnel tunnel = {
			.geneve = geneve,
			.to_device = to_device,
			.csum = (i & 1) != 0,
			.ipv6 = (i & 2) != 0,
			.inner = { .ipv6 = (i & 4) != 0, .tcp_flags = RTE_TCP_ACK_FLAG },
			.inner_csum = segment || (i & 8) != 0,
			.segsz = segment ? 1000 : 0,
		};

		if (((tunnel.ipv6 || tunnel.inner.ipv6) && !sink_has_ipv6) ||
		    (segment && (i & 8) != 0))
			continue;
		last = segment ? RTE_DIM(lens) : 6;
		for (j = 0; j < 2 * last; j++) {
			tunnel.inner.payload_len = lens[j / 2];
			tunnel.inner.udp = !segment && j % 4 < 2;
			tunnel.gpe = !segment && j % 3 == 1;
			tunnel_tx(&tunnel, j % 2 == 0 ? BY_PREPARE : BY_APPLICATION, j % 3 == 0);
		}
	}
}

/*
 * Set-up
 */

static bool
kernel_has_tunnels(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	bool has;

	CHECK(fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0, "cannot make a TAP: %s",
		strerror(errno));
	has = ioctl(fd, TUNSETOFFLOAD, TUN_OFFLOAD_TUNNEL) == 0;
	close(fd);
	return has;
}

static void
check_offers(bool has)
{
	const uint64_t tso = RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO | RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO;
	struct rte_eth_dev_info info;

	CHECK_OK(rte_eth_dev_info_get(port.id, &info));
	CHECK((info.tx_offload_capa & tso) == (has ? tso : 0), "TSO in tunnels is offered %s",
		has ? "not" : "in vain");
}

/* What cannot be right is refused. */
static void
tx_refused(bool has)
{
	struct tunnel tunnel = {
		.inner = { .tcp_flags = RTE_TCP_ACK_FLAG, .payload_len = 3000 },
		.inner_csum = true,
		.segsz = 1000,
	};
	static uint8_t whole[FRAME_MAX];
	uint32_t len = tunnel_write(whole, &tunnel);
	struct packet outer = outer_of(&tunnel, 0);
	struct rte_mbuf *m;

	/* A checksum in the outer header that nobody is asked to adapt */
	*packet_csum_field(whole, &outer) = 1;
	m = packet_to_mbuf(pool, whole, len);
	ask_for_offload(m, &tunnel);
	CHECK(rte_eth_tx_prepare(port.id, 0, &m, 1) == 0 &&
		rte_errno == (has ? EINVAL : ENOTSUP), "outer checksum");
	/* Another tunnel */
	m->ol_flags = (m->ol_flags & ~RTE_MBUF_F_TX_TUNNEL_MASK) | RTE_MBUF_F_TX_TUNNEL_GRE;
	CHECK(rte_eth_tx_prepare(port.id, 0, &m, 1) == 0 && rte_errno == ENOTSUP, "GRE");
	rte_pktmbuf_free(m);
}

static bool
make_vxlan(unsigned int version, const char *local)
{
	char command[256];

	snprintf(command, sizeof(command), "ip link add vx%u type vxlan id %u dstport 4789 local %s "
		"udp6zerocsumrx && ip link set vx%u up", version, version, local, version);
	return system(command) == 0;
}

int
main(int argc, char **argv)
{
	struct port_conf conf = {
		.tx_offloads = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
			RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS |
			RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM,
	};
	unsigned int segment, geneve;
	bool has, have_vxlan;

	rig_init(argc, argv);
	rig_need("tcpdump");
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	conf.pool = pool;
	has = kernel_has_tunnels();
	port_attach(&port, "net_rtap0", "");
	check_offers(has);
	if (has)
		conf.tx_offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO |
			RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO;
	port_setup(&port, &conf);
	port_start(&port);
	kernel_set_mtu(port.ifname, 1500);
	sink_open();
	sink_forward();
	open_tcpdump();
	have_vxlan = make_vxlan(4, "10.1.0.1") && (!sink_has_ipv6 || make_vxlan(6, "fd01::1"));
	for (segment = 0; segment <= has; segment++) {
		for (geneve = 0; geneve < 2; geneve++) {
			fprintf(stderr, "- %s, %s\n", geneve ? "Geneve" : "VXLAN",
				segment ? "segmentation" : "checksums");
			tunnels_tx(geneve, false, segment);
		}
		if (have_vxlan) {
			fprintf(stderr, "- VXLAN device\n");
			tunnels_tx(false, true, segment);
		}
	}
	tx_refused(has);
	CHECK(port_stats(&port).oerrors == 0, "errors counted");
	CHECK(pclose(tcpdump) == 0, "tcpdump has seen something bad");
	sink_close();
	port_close(&port);
	pool_check_full(pool);
	if (!has)
		rig_skip("this kernel has no segmentation in tunnels");
	if (!have_vxlan)
		rig_skip("this kernel has no VXLAN devices");
	return rig_done();
}
