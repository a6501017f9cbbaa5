/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Tests of net_rtap against the kernel that it talks to:
 *
 *   rte_eth_tx_burst() --> +----------+-----------+ --> recv()
 *                          | net_rtap | interface |            packet socket
 *   rte_eth_rx_burst() <-- +----------+-----------+ <-- send()
 *
 * The packet socket is bound to the interface and to an ethertype for experiments, so that
 * frames which the kernel sends of its own accord are not taken for ours. Where the process may
 * have one, a network namespace of its own keeps the interfaces apart from the machine's.
 *
 * Each case makes its port and removes it; the last one looks for what was left behind.
 */

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "test.h"

#define VDEV_NAME "net_rtap_test"
#define ETHERTYPE_TEST 0x88B5 /* IEEE 802 local experimental ethertype 1 */

#define NB_MBUF 1023
#define NB_DESC 64
#define BURST 32
#define FRAME_MIN 60
#define FRAME_MAX 9018
#define SMALL_ROOM 256
#define PRIV_SIZE 64

/* How long the kernel may take for what it does behind our back: generous, met early */
#define PATIENCE_MS 10000

struct frame {
	uint16_t len;
	uint8_t data[FRAME_MAX];
};

static struct rte_mempool *pool;  /* buffers for any frame of the default MTU */
static struct rte_mempool *small; /* buffers that most frames do not fit into */
static int home_netns = -1;
static char iface[IFNAMSIZ];

/* The port of the running case */
static uint16_t port = RTE_MAX_ETHPORTS;
static int sock = -1;

/* All that rx_burst has returned since the port was made or its statistics were reset */
static uint64_t seen_packets;
static uint64_t seen_bytes;

/* --- the kernel's view of the interface --- */

static int
iface_ioctl(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", iface);
	ret = ioctl(fd, request, ifr) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static bool
iface_is_up(void)
{
	struct ifreq ifr = {0};

	return iface_ioctl(SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_UP) != 0;
}

static bool
iface_has_carrier(void)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ifreq ifr = { .ifr_data = (void *)&link };

	return iface_ioctl(SIOCETHTOOL, &ifr) == 0 && link.data != 0;
}

static int
iface_mtu(void)
{
	struct ifreq ifr = {0};
	int ret = iface_ioctl(SIOCGIFMTU, &ifr);

	return ret < 0 ? ret : ifr.ifr_mtu;
}

static int
iface_mac(struct rte_ether_addr *mac)
{
	struct ifreq ifr = {0};
	int ret = iface_ioctl(SIOCGIFHWADDR, &ifr);

	memcpy(mac->addr_bytes, ifr.ifr_hwaddr.sa_data, RTE_ETHER_ADDR_LEN);
	return ret;
}

/* The kernel may finish removing an interface after close() has returned */
static bool
iface_is_gone(void)
{
	unsigned int ms;

	for (ms = 0; ms < PATIENCE_MS; ms++) {
		if (if_nametoindex(iface) == 0)
			return true;
		rte_delay_us_sleep(1000);
	}
	return false;
}

static int
open_packet_socket(void)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = rte_cpu_to_be_16(ETHERTYPE_TEST),
		.sll_ifindex = if_nametoindex(iface),
	};
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err;

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
			bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	err = errno;
	if (fd >= 0)
		close(fd);
	return -err;
}

/* --- frames --- */

/* Contents differ from one number to the next and from one offset to the next */
static void
frame_make(struct frame *frame, uint16_t len, unsigned int number)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame->data;
	uint16_t i;

	frame->len = len;
	for (i = sizeof(*eth); i < len; i++)
		frame->data[i] = number * 31 + i + (i >> 8) * 7;
	memset(&eth->dst_addr, 0xff, sizeof(eth->dst_addr));
	memcpy(&eth->src_addr, "\x02\0\0\0\0\x01", sizeof(eth->src_addr));
	eth->ether_type = rte_cpu_to_be_16(ETHERTYPE_TEST);
}

static bool
frame_equals_mbuf(const struct frame *frame, const struct rte_mbuf *m)
{
	uint8_t copy[FRAME_MAX];
	const char *reason;
	const void *data;

	if (rte_mbuf_check(m, 1, &reason) != 0 || rte_pktmbuf_pkt_len(m) != frame->len)
		return false;
	data = rte_pktmbuf_read(m, 0, frame->len, copy);
	return data != NULL && memcmp(data, frame->data, frame->len) == 0;
}

/* A chain of segments of at most seg_len bytes */
static struct rte_mbuf *
frame_to_mbuf(const struct frame *frame, uint16_t seg_len)
{
	struct rte_mbuf *head = NULL;
	struct rte_mbuf *seg;
	uint16_t done, len;

	for (done = 0; done < frame->len; done += len) {
		len = RTE_MIN(seg_len, frame->len - done);
		seg = rte_pktmbuf_alloc(pool);
		if (seg == NULL)
			goto out_of_mbufs;
		memcpy(rte_pktmbuf_append(seg, len), frame->data + done, len);
		if (head == NULL) {
			head = seg;
		} else if (rte_pktmbuf_chain(head, seg) != 0) {
			rte_pktmbuf_free(seg);
			goto out_of_mbufs;
		}
	}
	return head;

out_of_mbufs:
	rte_pktmbuf_free(head);
	return NULL;
}

/* Send one packet; the driver may push back for a while */
static bool
tx_one(uint16_t queue, struct rte_mbuf *m)
{
	unsigned int ms;

	for (ms = 0; ms < PATIENCE_MS; ms++) {
		if (rte_eth_tx_burst(port, queue, &m, 1) == 1)
			return true;
		rte_delay_us_sleep(1000);
	}
	rte_pktmbuf_free(m);
	return false;
}

/* The next frame of ours that the kernel received must be this one */
static bool
kernel_received(const struct frame *frame)
{
	uint8_t data[FRAME_MAX];
	ssize_t len = recv(sock, data, sizeof(data), MSG_TRUNC);

	return len == frame->len && memcmp(data, frame->data, frame->len) == 0;
}

static bool
kernel_send(const struct frame *frame)
{
	return send(sock, frame->data, frame->len, 0) == frame->len;
}

static bool
is_ours(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return eth->ether_type == rte_cpu_to_be_16(ETHERTYPE_TEST);
}

/* One burst without what the kernel sends of its own accord */
static uint16_t
rx_burst_ours(uint16_t queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint16_t nb = rte_eth_rx_burst(port, queue, pkts, nb_pkts);
	uint16_t ours = 0;
	uint16_t i;

	for (i = 0; i < nb; i++) {
		seen_packets++;
		seen_bytes += rte_pktmbuf_pkt_len(pkts[i]);
		if (is_ours(pkts[i]))
			pkts[ours++] = pkts[i];
		else
			rte_pktmbuf_free(pkts[i]);
	}
	return ours;
}

/* Receive from any of the queues; the number of packets, less than nb_pkts when time is up */
static uint16_t
rx_wait(uint16_t nb_queues, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	uint16_t nb = 0;
	uint16_t queue;
	unsigned int ms;

	for (ms = 0; ms < PATIENCE_MS; ms++) {
		for (queue = 0; queue < nb_queues && nb < nb_pkts; queue++)
			nb += rx_burst_ours(queue, pkts + nb, nb_pkts - nb);
		if (nb == nb_pkts)
			break;
		rte_delay_us_sleep(1000);
	}
	return nb;
}

static void
rx_drain(uint16_t nb_queues)
{
	struct rte_mbuf *m;
	uint16_t queue;

	for (queue = 0; queue < nb_queues; queue++) {
		while (rte_eth_rx_burst(port, queue, &m, 1) == 1) {
			seen_packets++;
			seen_bytes += rte_pktmbuf_pkt_len(m);
			rte_pktmbuf_free(m);
		}
	}
}

/* --- ports --- */

static int
port_make(const char *more_args)
{
	char args[128];

	snprintf(args, sizeof(args), "iface=%s%s%s", iface, more_args[0] != '\0' ? "," : "",
			more_args);
	TEST_ASSERT_SUCCESS(rte_eal_hotplug_add("vdev", VDEV_NAME, args), "probe with %s", args);
	TEST_ASSERT_SUCCESS(rte_eth_dev_get_port_by_name(VDEV_NAME, &port), "no port");
	TEST_ASSERT(if_nametoindex(iface) != 0, "no interface");
	sock = open_packet_socket();
	TEST_ASSERT(sock >= 0, "packet socket: %s", strerror(-sock));
	seen_packets = 0;
	seen_bytes = 0;
	return TEST_SUCCESS;
}

static int
port_setup(uint16_t nb_rx, uint16_t nb_tx, uint64_t rx_offloads, struct rte_mempool *mp)
{
	const struct rte_eth_conf conf = {
		.rxmode.offloads = rx_offloads,
		.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	};
	uint16_t queue;

	TEST_ASSERT_SUCCESS(rte_eth_dev_configure(port, nb_rx, nb_tx, &conf), "configure");
	for (queue = 0; queue < nb_rx; queue++)
		TEST_ASSERT_SUCCESS(rte_eth_rx_queue_setup(port, queue, NB_DESC, SOCKET_ID_ANY,
				NULL, mp), "Rx queue %u", queue);
	for (queue = 0; queue < nb_tx; queue++)
		TEST_ASSERT_SUCCESS(rte_eth_tx_queue_setup(port, queue, NB_DESC, SOCKET_ID_ANY,
				NULL), "Tx queue %u", queue);
	return TEST_SUCCESS;
}

/*
 * Start, and wait until frames arrive: the kernel sets its end going some time after the
 * carrier came up, and refuses or drops frames until then.
 */
static int
port_start(uint16_t nb_rx)
{
	static struct frame probe;
	struct rte_mbuf *m;
	unsigned int ms;
	uint16_t queue;

	TEST_ASSERT_SUCCESS(rte_eth_dev_start(port), "start");
	frame_make(&probe, FRAME_MIN, 0);
	for (ms = 0; ms < PATIENCE_MS; ms++) {
		kernel_send(&probe);
		for (queue = 0; queue < nb_rx; queue++) {
			if (rx_burst_ours(queue, &m, 1) == 0)
				continue;
			rte_pktmbuf_free(m);
			rx_drain(nb_rx);
			return TEST_SUCCESS;
		}
		rte_delay_us_sleep(1000);
	}
	printf("no frame arrives after start\n");
	return TEST_FAILED;
}

static int
make_port(void)
{
	return port_make("");
}

static int
make_running_port(void)
{
	if (port_make("") != TEST_SUCCESS || port_setup(1, 1, 0, pool) != TEST_SUCCESS)
		return TEST_FAILED;
	return port_start(1);
}

static void
remove_port(void)
{
	if (sock >= 0)
		close(sock);
	sock = -1;
	if (port != RTE_MAX_ETHPORTS) {
		rte_eth_dev_stop(port);
		rte_eal_hotplug_remove("vdev", VDEV_NAME);
	}
	port = RTE_MAX_ETHPORTS;
}

/* --- cases: device --- */

static int
test_bad_args(void)
{
	static const char * const bad[] = {
		"iface=",
		"iface=sixteen_letters_",
		"iface=with/slash",
		"iface=one,iface=two",
		"persist=2",
		"persist=yes",
		"mac=",
		"mac=02:00:00:00:00",
		"mac=01:00:5e:00:00:01",
		"speed=",
		"speed=0",
		"speed=2147483648",
		"io=",
		"io=dma",
		"uso=2",
		"colour=blue",
	};
	uint16_t ports = rte_eth_dev_count_total();
	uint16_t id;
	unsigned int i;

	for (i = 0; i < RTE_DIM(bad); i++) {
		TEST_ASSERT_FAIL(rte_eal_hotplug_add("vdev", VDEV_NAME, bad[i]),
				"probed with %s", bad[i]);
		TEST_ASSERT_FAIL(rte_eth_dev_get_port_by_name(VDEV_NAME, &id),
				"port left by %s", bad[i]);
	}
	TEST_ASSERT_EQUAL(rte_eth_dev_count_total(), ports, "a port was left");
	return TEST_SUCCESS;
}

static int
test_mac_arg(void)
{
	static const struct rte_ether_addr wanted = { { 0x02, 0, 0, 0xaa, 0xbb, 0xcc } };
	struct rte_ether_addr mac;

	TEST_ASSERT_SUCCESS(port_make("mac=02:00:00:aa:bb:cc"), "probe");
	TEST_ASSERT_SUCCESS(rte_eth_macaddr_get(port, &mac), "get MAC");
	TEST_ASSERT(rte_is_same_ether_addr(&mac, &wanted), "port has another MAC");
	TEST_ASSERT_SUCCESS(iface_mac(&mac), "interface's MAC");
	TEST_ASSERT(rte_is_same_ether_addr(&mac, &wanted), "interface has another MAC");
	return TEST_SUCCESS;
}

static int
test_speed_arg(void)
{
	struct rte_eth_link link;

	TEST_ASSERT_SUCCESS(port_make("speed=2500"), "probe");
	TEST_ASSERT_SUCCESS(rte_eth_link_get_nowait(port, &link), "link");
	TEST_ASSERT_EQUAL(link.link_speed, RTE_ETH_SPEED_NUM_2_5G, "speed %u", link.link_speed);
	return TEST_SUCCESS;
}

static int
test_name_in_use(void)
{
	char args[64];

	snprintf(args, sizeof(args), "iface=%s", iface);
	TEST_ASSERT_FAIL(rte_eal_hotplug_add("vdev", VDEV_NAME "_2nd", args), "name taken twice");
	TEST_ASSERT(rte_eth_dev_is_valid_port(port) != 0, "first port suffered");
	TEST_ASSERT(if_nametoindex(iface) != 0, "interface of the first port suffered");
	return TEST_SUCCESS;
}

/* A name of its own: the bus may remember devices that hotplug has removed */
static int
test_vdev_init(void)
{
	static const char name[] = VDEV_NAME "_init";
	char args[64];
	uint16_t id;

	snprintf(args, sizeof(args), "iface=%s", iface);
	TEST_ASSERT_SUCCESS(rte_vdev_init(name, args), "init");
	TEST_ASSERT_SUCCESS(rte_eth_dev_get_port_by_name(name, &id), "no port");
	TEST_ASSERT_SUCCESS(rte_vdev_uninit(name), "uninit");
	TEST_ASSERT(iface_is_gone(), "interface left");
	return TEST_SUCCESS;
}

static int
test_hotplug(void)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		TEST_ASSERT_SUCCESS(make_running_port(), "round %u", i);
		remove_port();
		TEST_ASSERT(iface_is_gone(), "interface left in round %u", i);
	}
	return TEST_SUCCESS;
}

static int
test_info(void)
{
	struct rte_eth_dev_info info;

	TEST_ASSERT_SUCCESS(rte_eth_dev_info_get(port, &info), "info");
	TEST_ASSERT(strcmp(info.driver_name, "net_rtap") == 0, "driver %s", info.driver_name);
	TEST_ASSERT_EQUAL(info.if_index, if_nametoindex(iface), "interface index");
	TEST_ASSERT(info.max_rx_queues >= 1 && info.max_tx_queues >= 1, "queues");
	TEST_ASSERT(info.min_mtu <= RTE_ETHER_MTU && info.max_mtu >= RTE_ETHER_MTU, "MTU limits");
	TEST_ASSERT(info.max_rx_pktlen >= (uint32_t)info.max_mtu + RTE_ETHER_HDR_LEN, "length");
	TEST_ASSERT(info.rx_desc_lim.nb_min <= NB_DESC && info.rx_desc_lim.nb_max >= NB_DESC &&
			info.tx_desc_lim.nb_min <= NB_DESC && info.tx_desc_lim.nb_max >= NB_DESC,
			"descriptor limits");
	TEST_ASSERT((info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0, "no Rx scatter");
	TEST_ASSERT((info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0, "no segments");
	return TEST_SUCCESS;
}

static int
test_limits(void)
{
	const struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;

	TEST_ASSERT_SUCCESS(rte_eth_dev_info_get(port, &info), "info");
	TEST_ASSERT_FAIL(rte_eth_dev_configure(port, info.max_rx_queues + 1, 1, &conf),
			"more Rx queues than the maximum");
	TEST_ASSERT_FAIL(rte_eth_dev_configure(port, 1, info.max_tx_queues + 1, &conf),
			"more Tx queues than the maximum");
	TEST_ASSERT_SUCCESS(port_setup(1, 1, 0, pool), "set-up after refusals");
	TEST_ASSERT_FAIL(rte_eth_rx_queue_setup(port, 0, info.rx_desc_lim.nb_max + 1,
			SOCKET_ID_ANY, NULL, pool), "more descriptors than the maximum");
	TEST_ASSERT_FAIL(rte_eth_dev_set_mtu(port, info.max_mtu + 1), "MTU above the maximum");
	TEST_ASSERT_FAIL(rte_eth_dev_set_mtu(port, info.min_mtu - 1), "MTU below the minimum");
	return TEST_SUCCESS;
}

/* A frame must never be cut: without scatter, buffers have to hold the largest one */
static int
test_small_buffers_refused(void)
{
	const struct rte_eth_conf conf = {0};

	TEST_ASSERT_SUCCESS(rte_eth_dev_configure(port, 1, 1, &conf), "configure");
	TEST_ASSERT(rte_eth_rx_queue_setup(port, 0, NB_DESC, SOCKET_ID_ANY, NULL, small) < 0 ||
			rte_eth_tx_queue_setup(port, 0, NB_DESC, SOCKET_ID_ANY, NULL) < 0 ||
			rte_eth_dev_start(port) < 0, "started with too small buffers");
	return TEST_SUCCESS;
}

/* --- cases: control --- */

static int
test_stop_start(void)
{
	static struct frame frame;
	unsigned int index = if_nametoindex(iface);
	unsigned int i;

	for (i = 0; i < 10; i++) {
		TEST_ASSERT_SUCCESS(rte_eth_dev_stop(port), "stop %u", i);
		TEST_ASSERT(!iface_has_carrier(), "carrier after stop %u", i);
		TEST_ASSERT(iface_is_up(), "routes lost in stop %u", i);
		TEST_ASSERT_SUCCESS(port_start(1), "start %u", i);
		TEST_ASSERT(iface_has_carrier(), "no carrier after start %u", i);
		TEST_ASSERT_EQUAL(if_nametoindex(iface), index, "another interface");
		frame_make(&frame, FRAME_MIN, i);
		TEST_ASSERT(tx_one(0, frame_to_mbuf(&frame, FRAME_MAX)), "send %u", i);
		TEST_ASSERT(kernel_received(&frame), "not received %u", i);
	}
	return TEST_SUCCESS;
}

static int
test_reconfigure(void)
{
	static const struct {
		uint16_t rx;
		uint16_t tx;
	} steps[] = { { 1, 1 }, { 4, 4 }, { 2, 4 }, { 4, 1 }, { 1, 3 }, { 1, 1 } };
	static struct frame frame;
	struct rte_mbuf *m;
	uint16_t queue;
	unsigned int i;

	for (i = 0; i < RTE_DIM(steps); i++) {
		TEST_ASSERT_SUCCESS(port_setup(steps[i].rx, steps[i].tx, 0, pool), "step %u", i);
		TEST_ASSERT_SUCCESS(port_start(steps[i].rx), "start of step %u", i);
		for (queue = 0; queue < steps[i].tx; queue++) {
			frame_make(&frame, FRAME_MIN, queue);
			TEST_ASSERT(tx_one(queue, frame_to_mbuf(&frame, FRAME_MAX)), "send");
			TEST_ASSERT(kernel_received(&frame), "step %u queue %u", i, queue);
		}
		TEST_ASSERT(kernel_send(&frame), "kernel's frame");
		TEST_ASSERT_EQUAL(rx_wait(steps[i].rx, &m, 1), 1, "lost in step %u", i);
		TEST_ASSERT(frame_equals_mbuf(&frame, m), "changed in step %u", i);
		rte_pktmbuf_free(m);
		TEST_ASSERT_SUCCESS(rte_eth_dev_stop(port), "stop of step %u", i);
	}
	return TEST_SUCCESS;
}

static int
test_link(void)
{
	struct rte_eth_link link;

	TEST_ASSERT_SUCCESS(rte_eth_link_get_nowait(port, &link), "link");
	TEST_ASSERT_EQUAL(link.link_status, RTE_ETH_LINK_UP, "down after start");
	TEST_ASSERT_SUCCESS(rte_eth_dev_set_link_down(port), "set down");
	TEST_ASSERT_SUCCESS(rte_eth_link_get_nowait(port, &link), "link");
	TEST_ASSERT_EQUAL(link.link_status, RTE_ETH_LINK_DOWN, "up after set down");
	TEST_ASSERT(!iface_has_carrier(), "carrier after set down");
	TEST_ASSERT_SUCCESS(rte_eth_dev_set_link_up(port), "set up");
	TEST_ASSERT_SUCCESS(rte_eth_link_get_nowait(port, &link), "link");
	TEST_ASSERT_EQUAL(link.link_status, RTE_ETH_LINK_UP, "down after set up");
	TEST_ASSERT(iface_has_carrier(), "no carrier after set up");
	return TEST_SUCCESS;
}

/* Running queues take frames of the new size at once */
static int
test_mtu(void)
{
	static const uint16_t mtus[] = { 1400, 1280, 1500, 1800, 9000, 1500 };
	static struct frame frame;
	struct rte_mbuf *m;
	unsigned int i;
	uint16_t mtu;

	TEST_ASSERT_SUCCESS(port_setup(1, 1, RTE_ETH_RX_OFFLOAD_SCATTER, small), "set-up");
	TEST_ASSERT_SUCCESS(port_start(1), "start");
	for (i = 0; i < RTE_DIM(mtus); i++) {
		TEST_ASSERT_SUCCESS(rte_eth_dev_set_mtu(port, mtus[i]), "set %u", mtus[i]);
		TEST_ASSERT_SUCCESS(rte_eth_dev_get_mtu(port, &mtu), "get");
		TEST_ASSERT_EQUAL(mtu, mtus[i], "port has %u", mtu);
		TEST_ASSERT_EQUAL(iface_mtu(), mtus[i], "interface has %d", iface_mtu());
		frame_make(&frame, mtus[i] + RTE_ETHER_HDR_LEN, i);
		TEST_ASSERT(kernel_send(&frame), "kernel's frame of %u", frame.len);
		TEST_ASSERT_EQUAL(rx_wait(1, &m, 1), 1, "no frame of %u", frame.len);
		TEST_ASSERT(frame_equals_mbuf(&frame, m), "frame of %u changed", frame.len);
		TEST_ASSERT(tx_one(0, m), "send frame of %u", frame.len);
		TEST_ASSERT(kernel_received(&frame), "not received: frame of %u", frame.len);
	}
	return TEST_SUCCESS;
}

static int
test_mac(void)
{
	struct rte_ether_addr wanted = { { 0x02, 0, 0, 0x12, 0x34, 0x56 } };
	struct rte_ether_addr mac;

	TEST_ASSERT_SUCCESS(rte_eth_macaddr_get(port, &mac), "get");
	TEST_ASSERT(rte_is_valid_assigned_ether_addr(&mac), "not a valid first MAC");
	TEST_ASSERT_SUCCESS(rte_eth_dev_default_mac_addr_set(port, &wanted), "set");
	TEST_ASSERT_SUCCESS(rte_eth_macaddr_get(port, &mac), "get");
	TEST_ASSERT(rte_is_same_ether_addr(&mac, &wanted), "port has another");
	TEST_ASSERT_SUCCESS(iface_mac(&mac), "interface's");
	TEST_ASSERT(rte_is_same_ether_addr(&mac, &wanted), "interface has another");
	return TEST_SUCCESS;
}

static int
test_promiscuous(void)
{
	static struct frame frame;
	struct rte_mbuf *m;

	TEST_ASSERT_SUCCESS(rte_eth_promiscuous_enable(port), "enable");
	TEST_ASSERT_EQUAL(rte_eth_promiscuous_get(port), 1, "not enabled");
	frame_make(&frame, FRAME_MIN, 1);
	memcpy(frame.data, "\x02\xff\xff\xff\xff\x02", RTE_ETHER_ADDR_LEN);
	TEST_ASSERT(kernel_send(&frame), "kernel's frame");
	TEST_ASSERT_EQUAL(rx_wait(1, &m, 1), 1, "frame to another host not seen");
	TEST_ASSERT(frame_equals_mbuf(&frame, m), "changed");
	rte_pktmbuf_free(m);
	TEST_ASSERT_SUCCESS(rte_eth_promiscuous_disable(port), "disable");
	TEST_ASSERT_EQUAL(rte_eth_promiscuous_get(port), 0, "not disabled");
	TEST_ASSERT_SUCCESS(rte_eth_allmulticast_enable(port), "enable all-multicast");
	TEST_ASSERT_EQUAL(rte_eth_allmulticast_get(port), 1, "all-multicast not enabled");
	TEST_ASSERT_SUCCESS(rte_eth_allmulticast_disable(port), "disable all-multicast");
	return TEST_SUCCESS;
}

/* Whether a frame to that address is received before one to everybody */
static bool
is_received(const struct rte_ether_addr *dst)
{
	static struct frame frame, last;
	struct rte_mbuf *m;
	bool received;

	frame_make(&frame, FRAME_MIN, 1);
	memcpy(frame.data, dst, sizeof(*dst));
	frame_make(&last, FRAME_MIN, 2);
	if (!kernel_send(&frame) || !kernel_send(&last) || rx_wait(1, &m, 1) != 1)
		return false;
	received = frame_equals_mbuf(&frame, m);
	rte_pktmbuf_free(m);
	if (received && rx_wait(1, &m, 1) == 1)
		rte_pktmbuf_free(m);
	return received;
}

static int
test_filters(void)
{
	struct rte_ether_addr group = { { 0x01, 0, 0x5e, 0x12, 0x34, 0x56 } };
	struct rte_ether_addr other = { { 0x02, 0, 0, 0x12, 0x34, 0x57 } };
	struct rte_ether_addr mac;

	TEST_ASSERT_SUCCESS(rte_eth_macaddr_get(port, &mac), "get");
	TEST_ASSERT(is_received(&mac), "own address");
	TEST_ASSERT(!is_received(&other), "another address");
	TEST_ASSERT_SUCCESS(rte_eth_dev_mac_addr_add(port, &other, 0), "add");
	TEST_ASSERT(is_received(&other), "address that was added");
	TEST_ASSERT_SUCCESS(rte_eth_dev_mac_addr_remove(port, &other), "remove");
	TEST_ASSERT(!is_received(&other), "address that was removed");
	TEST_ASSERT(!is_received(&group), "multicast");
	TEST_ASSERT_SUCCESS(rte_eth_dev_set_mc_addr_list(port, &group, 1), "list");
	TEST_ASSERT(is_received(&group), "multicast that is listed");
	TEST_ASSERT_SUCCESS(rte_eth_dev_set_mc_addr_list(port, NULL, 0), "no list");
	TEST_ASSERT(!is_received(&group), "multicast that is not listed any more");
	TEST_ASSERT_SUCCESS(rte_eth_allmulticast_enable(port), "enable all-multicast");
	TEST_ASSERT(is_received(&group), "multicast in all-multicast mode");
	TEST_ASSERT(!is_received(&other), "another address in all-multicast mode");
	return TEST_SUCCESS;
}

/* --- cases: packets --- */

/* Lengths from the shortest frame to the longest of the default MTU */
static uint16_t
burst_len(unsigned int i)
{
	return FRAME_MIN + i * (RTE_ETHER_MTU + RTE_ETHER_HDR_LEN - FRAME_MIN) / (BURST - 1);
}

static int
test_tx(void)
{
	static struct frame frames[BURST];
	struct rte_mbuf *pkts[BURST];
	uint16_t sent = 0;
	unsigned int i;

	for (i = 0; i < BURST; i++) {
		frame_make(&frames[i], burst_len(i), i);
		pkts[i] = frame_to_mbuf(&frames[i], FRAME_MAX);
		TEST_ASSERT_NOT_NULL(pkts[i], "no mbuf");
	}
	for (i = 0; i < PATIENCE_MS && sent < BURST; i++)
		sent += rte_eth_tx_burst(port, 0, pkts + sent, BURST - sent);
	TEST_ASSERT_EQUAL(sent, BURST, "only %u sent", sent);
	for (i = 0; i < BURST; i++)
		TEST_ASSERT(kernel_received(&frames[i]), "frame %u", i);
	return TEST_SUCCESS;
}

static int
test_tx_segments(void)
{
	static const uint16_t seg_lens[] = { 1, 7, 13, 14, 15, 60, 64, 300, 1000, 1513, 1514 };
	static struct frame frame;
	struct rte_mbuf *m;
	unsigned int i;

	for (i = 0; i < RTE_DIM(seg_lens); i++) {
		/* One byte a segment for a short frame: iovecs are limited in number */
		frame_make(&frame, seg_lens[i] < 7 ? FRAME_MIN : 1514, i);
		m = frame_to_mbuf(&frame, seg_lens[i]);
		TEST_ASSERT_NOT_NULL(m, "no mbufs");
		TEST_ASSERT(tx_one(0, m), "send segments of %u", seg_lens[i]);
		TEST_ASSERT(kernel_received(&frame), "segments of %u", seg_lens[i]);
	}
	return TEST_SUCCESS;
}

/* A packet of one segment in a buffer that is marked all around it */
static struct rte_mbuf *
marked_mbuf(const struct frame *frame, uint16_t headroom)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m == NULL)
		return NULL;
	memset(rte_mbuf_to_priv(m), 0xa5, PRIV_SIZE);
	memset(m->buf_addr, 0xa5, m->buf_len);
	m->data_off = headroom;
	memcpy(rte_pktmbuf_append(m, frame->len), frame->data, frame->len);
	return m;
}

/* Is the buffer as marked_mbuf() made it? */
static bool
is_unchanged(const struct rte_mbuf *m, const struct frame *frame, uint16_t headroom)
{
	uint8_t before[PRIV_SIZE + RTE_MBUF_DEFAULT_BUF_SIZE];

	memset(before, 0xa5, sizeof(before));
	memcpy(before + PRIV_SIZE + headroom, frame->data, frame->len);
	return memcmp((const uint8_t *)m->buf_addr - PRIV_SIZE, before, sizeof(before)) == 0;
}

/* Whoever holds another reference must find the packet, and what is around it, as it was */
static int
test_tx_shared(void)
{
	static struct frame frame;
	struct rte_mbuf *m;

	frame_make(&frame, 500, 1);
	m = marked_mbuf(&frame, RTE_PKTMBUF_HEADROOM);
	TEST_ASSERT_NOT_NULL(m, "no mbuf");
	rte_mbuf_refcnt_update(m, 1);

	TEST_ASSERT(tx_one(0, m), "send");
	TEST_ASSERT(kernel_received(&frame), "not received");
	TEST_ASSERT_EQUAL(rte_mbuf_refcnt_read(m), 1, "references %u", rte_mbuf_refcnt_read(m));
	TEST_ASSERT(m->data_off == RTE_PKTMBUF_HEADROOM && m->data_len == 500 &&
			m->pkt_len == 500 && m->nb_segs == 1 && m->next == NULL &&
			m->ol_flags == 0, "mbuf changed");
	TEST_ASSERT(is_unchanged(m, &frame, RTE_PKTMBUF_HEADROOM), "buffer changed");
	rte_pktmbuf_free(m);
	return TEST_SUCCESS;
}

/* The room in front of a clone's data belongs to the original */
static int
test_tx_clone(void)
{
	static struct frame frame;
	struct rte_mbuf *clone;
	struct rte_mbuf *m;

	frame_make(&frame, 1000, 2);
	m = marked_mbuf(&frame, RTE_PKTMBUF_HEADROOM);
	TEST_ASSERT_NOT_NULL(m, "no mbuf");
	clone = rte_pktmbuf_clone(m, pool);
	TEST_ASSERT_NOT_NULL(clone, "no clone");

	TEST_ASSERT(tx_one(0, clone), "send");
	TEST_ASSERT(kernel_received(&frame), "not received");
	TEST_ASSERT_EQUAL(rte_mbuf_refcnt_read(m), 1, "references %u", rte_mbuf_refcnt_read(m));
	TEST_ASSERT(is_unchanged(m, &frame, RTE_PKTMBUF_HEADROOM), "original changed");
	rte_pktmbuf_free(m);
	return TEST_SUCCESS;
}

/* The buffer goes back to the pool, where it can still be looked at */
static int
test_tx_no_headroom(void)
{
	static const uint16_t headrooms[] = { 0, 1, 23 };
	static struct frame frame;
	struct rte_mbuf *m;
	unsigned int i;

	for (i = 0; i < RTE_DIM(headrooms); i++) {
		frame_make(&frame, 200, i);
		m = marked_mbuf(&frame, headrooms[i]);
		TEST_ASSERT_NOT_NULL(m, "no mbuf");
		TEST_ASSERT(tx_one(0, m), "send");
		TEST_ASSERT(kernel_received(&frame), "not received");
		TEST_ASSERT(is_unchanged(m, &frame, headrooms[i]), "headroom %u", headrooms[i]);
	}
	return TEST_SUCCESS;
}

/* The kernel would take such a frame and lose it: it is counted at the door */
static int
test_tx_oversize(void)
{
	static struct frame frame;
	struct rte_eth_stats stats;
	struct rte_mbuf *m;

	TEST_ASSERT_SUCCESS(rte_eth_dev_set_mtu(port, 1400), "MTU");
	frame_make(&frame, 1400 + RTE_ETHER_HDR_LEN + 1, 1);
	m = frame_to_mbuf(&frame, FRAME_MAX);
	TEST_ASSERT_NOT_NULL(m, "no mbuf");
	TEST_ASSERT(tx_one(0, m), "not consumed");
	frame_make(&frame, 1400 + RTE_ETHER_HDR_LEN, 2);
	m = frame_to_mbuf(&frame, FRAME_MAX);
	TEST_ASSERT_NOT_NULL(m, "no mbuf");
	TEST_ASSERT(tx_one(0, m), "send");
	TEST_ASSERT(kernel_received(&frame), "the longest frame is not the next");
	TEST_ASSERT_SUCCESS(rte_eth_stats_get(port, &stats), "statistics");
	TEST_ASSERT(stats.oerrors == 1 && stats.opackets == 1, "%" PRIu64 " errors, %" PRIu64
			" packets", stats.oerrors, stats.opackets);
	return TEST_SUCCESS;
}

/* Send a burst from the kernel and compare it with what arrives */
static int
check_rx(bool scattered)
{
	static struct frame frames[BURST];
	struct rte_mbuf *pkts[BURST];
	unsigned int i;

	for (i = 0; i < BURST; i++) {
		frame_make(&frames[i], burst_len(i), i);
		TEST_ASSERT(kernel_send(&frames[i]), "kernel's frame %u", i);
	}
	TEST_ASSERT_EQUAL(rx_wait(1, pkts, BURST), BURST, "frames lost");
	for (i = 0; i < BURST; i++) {
		TEST_ASSERT(frame_equals_mbuf(&frames[i], pkts[i]), "frame %u changed", i);
		TEST_ASSERT_EQUAL(pkts[i]->port, port, "port of frame %u", i);
		TEST_ASSERT(scattered || pkts[i]->nb_segs == 1, "frame %u in segments", i);
	}
	TEST_ASSERT(!scattered || pkts[BURST - 1]->nb_segs > 1, "frames not scattered");
	rte_pktmbuf_free_bulk(pkts, BURST);
	return TEST_SUCCESS;
}

static int
test_rx(void)
{
	return check_rx(false);
}

/* Frames that are counted stay, in order */
static int
test_descriptors(void)
{
	static struct frame frames[3];
	struct rte_mbuf *pkts[RTE_DIM(frames)];
	unsigned int i;

	for (i = 0; i < RTE_DIM(frames); i++) {
		frame_make(&frames[i], burst_len(i), i);
		TEST_ASSERT(kernel_send(&frames[i]), "kernel's frame %u", i);
		TEST_ASSERT(rte_eth_rx_queue_count(port, 0) > (int)i, "frame %u not counted", i);
		TEST_ASSERT_EQUAL(rte_eth_rx_descriptor_status(port, 0, i), RTE_ETH_RX_DESC_DONE,
			"frame %u not done", i);
	}
	TEST_ASSERT_EQUAL(rte_eth_rx_descriptor_status(port, 0, UINT16_MAX), -EINVAL, "offset");
	TEST_ASSERT_EQUAL(rx_wait(1, pkts, RTE_DIM(pkts)), RTE_DIM(pkts), "frames lost");
	for (i = 0; i < RTE_DIM(frames); i++)
		TEST_ASSERT(frame_equals_mbuf(&frames[i], pkts[i]), "frame %u changed", i);
	rte_pktmbuf_free_bulk(pkts, RTE_DIM(pkts));
	TEST_ASSERT_EQUAL(rte_eth_tx_descriptor_status(port, 0, 0), RTE_ETH_TX_DESC_DONE, "Tx");
	TEST_ASSERT_EQUAL(rte_eth_tx_done_cleanup(port, 0, 0), 0, "Tx mbufs kept");
	return TEST_SUCCESS;
}

static int
test_rx_scattered(void)
{
	TEST_ASSERT_SUCCESS(port_setup(1, 1, RTE_ETH_RX_OFFLOAD_SCATTER, small), "set-up");
	TEST_ASSERT_SUCCESS(port_start(1), "start");
	return check_rx(true);
}

static int
test_readwrite(void)
{
	TEST_ASSERT_SUCCESS(port_make("io=rw"), "probe");
	TEST_ASSERT_SUCCESS(port_setup(1, 1, 0, pool), "set-up");
	TEST_ASSERT_SUCCESS(port_start(1), "start");
	TEST_ASSERT_SUCCESS(test_tx(), "Tx");
	TEST_ASSERT_SUCCESS(test_tx_segments(), "Tx of segments");
	return check_rx(false);
}

/* --- cases: statistics --- */

static uint64_t
xstat(const char *name)
{
	uint64_t value = UINT64_MAX;
	uint64_t id;

	if (rte_eth_xstats_get_id_by_name(port, name, &id) == 0)
		rte_eth_xstats_get_by_id(port, &id, &value, 1);
	return value;
}

/* Compare the counters with a burst sent and all that was seen to arrive */
static int
check_stats(void)
{
	struct rte_eth_stats stats;
	uint64_t obytes = 0;
	unsigned int i;

	for (i = 0; i < BURST; i++)
		obytes += burst_len(i);
	TEST_ASSERT_SUCCESS(rte_eth_stats_get(port, &stats), "get");
	TEST_ASSERT_EQUAL(stats.ipackets, seen_packets, "packets in");
	TEST_ASSERT_EQUAL(stats.ibytes, seen_bytes, "bytes in");
	TEST_ASSERT_EQUAL(stats.opackets, BURST, "packets out");
	TEST_ASSERT_EQUAL(stats.obytes, obytes, "bytes out");
	TEST_ASSERT(stats.ierrors == 0 && stats.oerrors == 0 && stats.rx_nombuf == 0, "errors");
	TEST_ASSERT_EQUAL(xstat("rx_good_packets"), seen_packets, "xstats: packets in");
	TEST_ASSERT_EQUAL(xstat("tx_good_packets"), BURST, "xstats: packets out");
	TEST_ASSERT_EQUAL(xstat("tx_broadcast_packets"), BURST, "xstats: broadcasts out");
	TEST_ASSERT_EQUAL(xstat("kernel_rx_packets"), BURST, "xstats: packets in the kernel");
	return TEST_SUCCESS;
}

static int
test_stats(void)
{
	struct rte_eth_stats stats;

	TEST_ASSERT_SUCCESS(rte_eth_stats_reset(port), "reset");
	seen_packets = 0;
	seen_bytes = 0;
	TEST_ASSERT_SUCCESS(test_tx(), "Tx");
	TEST_ASSERT_SUCCESS(check_rx(false), "Rx");
	TEST_ASSERT_SUCCESS(check_stats(), "counters");

	/* What queues have counted survives them, but not a reset */
	TEST_ASSERT_SUCCESS(rte_eth_dev_stop(port), "stop");
	TEST_ASSERT_SUCCESS(port_setup(1, 1, 0, pool), "new queues");
	TEST_ASSERT_SUCCESS(check_stats(), "counters of the old queues");
	TEST_ASSERT_SUCCESS(rte_eth_stats_reset(port), "reset");
	TEST_ASSERT_SUCCESS(rte_eth_stats_get(port, &stats), "get");
	TEST_ASSERT(stats.ipackets == 0 && stats.ibytes == 0 && stats.opackets == 0 &&
			stats.obytes == 0 && stats.imissed == 0, "not reset");
	return TEST_SUCCESS;
}

static int
test_xstats(void)
{
	struct rte_eth_xstat_name names[256];
	struct rte_eth_xstat values[256];
	int count = rte_eth_xstats_get_names(port, NULL, 0);
	int i;

	TEST_ASSERT(count > 0 && count <= (int)RTE_DIM(names), "%d names", count);
	TEST_ASSERT_EQUAL(rte_eth_xstats_get_names(port, names, count), count, "names");
	TEST_ASSERT_EQUAL(rte_eth_xstats_get(port, values, count), count, "values");
	for (i = 0; i < count; i++)
		TEST_ASSERT(names[i].name[0] != '\0', "name %d empty", i);
	TEST_ASSERT_SUCCESS(rte_eth_xstats_reset(port), "reset");
	return TEST_SUCCESS;
}

/* --- the last case: nothing may be left of all the others --- */

static int
test_nothing_left(void)
{
	uint16_t id;

	TEST_ASSERT(iface_is_gone(), "interface left");
	TEST_ASSERT_FAIL(rte_eth_dev_get_port_by_name(VDEV_NAME, &id), "port left");
	TEST_ASSERT_EQUAL(rte_mempool_avail_count(pool), NB_MBUF, "mbufs lost");
	TEST_ASSERT_EQUAL(rte_mempool_avail_count(small), NB_MBUF, "small mbufs lost");
	return TEST_SUCCESS;
}

/* --- suite --- */

/* Interfaces in a namespace without IPv6 stay silent; without the right to one, go on as we are */
static void
enter_netns(void)
{
	int fd;

	home_netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home_netns < 0 || unshare(CLONE_NEWNET) < 0)
		return;
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		printf("IPv6 stays enabled, frames of its own will be ignored\n");
	close(fd);
}

static void
leave_netns(void)
{
	if (home_netns < 0)
		return;
	if (setns(home_netns, CLONE_NEWNET) < 0)
		printf("cannot return to the first network namespace\n");
	close(home_netns);
	home_netns = -1;
}

/* What is missing for TAP interfaces and packet sockets, or NULL */
static const char *
missing_privilege(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int raw = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	const char *reason = NULL;

	if (tun < 0)
		reason = "/dev/net/tun cannot be opened";
	else if (ioctl(tun, TUNSETIFF, &ifr) < 0)
		reason = "TAP interfaces cannot be made";
	else if (raw < 0)
		reason = "packet sockets cannot be opened";
	if (tun >= 0)
		close(tun);
	if (raw >= 0)
		close(raw);
	return reason;
}

static void
suite_teardown(void)
{
	rte_mempool_free(pool);
	rte_mempool_free(small);
	pool = NULL;
	small = NULL;
	leave_netns();
}

static int
suite_setup(void)
{
	const char *reason;

	enter_netns();
	reason = missing_privilege();
	if (reason != NULL) {
		printf("%s, skipping\n", reason);
		leave_netns();
		return TEST_SKIPPED;
	}
	snprintf(iface, sizeof(iface), "rt%dt", (int)getpid());
	pool = rte_pktmbuf_pool_create("rtap_test", NB_MBUF, 0, PRIV_SIZE,
			RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	small = rte_pktmbuf_pool_create("rtap_test_small", NB_MBUF, 0, 0,
			RTE_PKTMBUF_HEADROOM + SMALL_ROOM, SOCKET_ID_ANY);
	TEST_ASSERT(pool != NULL && small != NULL, "no mempools");
	return TEST_SUCCESS;
}

static struct unit_test_suite rtap_suite = {
	.suite_name = "net_rtap",
	.setup = suite_setup,
	.teardown = suite_teardown,
	.unit_test_cases = {
		TEST_CASE(test_bad_args),
		TEST_CASE_ST(NULL, remove_port, test_mac_arg),
		TEST_CASE_ST(NULL, remove_port, test_speed_arg),
		TEST_CASE_ST(make_port, remove_port, test_name_in_use),
		TEST_CASE(test_vdev_init),
		TEST_CASE_ST(NULL, remove_port, test_hotplug),
		TEST_CASE_ST(make_port, remove_port, test_info),
		TEST_CASE_ST(make_port, remove_port, test_limits),
		TEST_CASE_ST(make_port, remove_port, test_small_buffers_refused),
		TEST_CASE_ST(make_running_port, remove_port, test_stop_start),
		TEST_CASE_ST(make_port, remove_port, test_reconfigure),
		TEST_CASE_ST(make_running_port, remove_port, test_link),
		TEST_CASE_ST(make_port, remove_port, test_mtu),
		TEST_CASE_ST(make_running_port, remove_port, test_mac),
		TEST_CASE_ST(make_running_port, remove_port, test_promiscuous),
		TEST_CASE_ST(make_running_port, remove_port, test_filters),
		TEST_CASE_ST(make_running_port, remove_port, test_tx),
		TEST_CASE_ST(make_running_port, remove_port, test_tx_segments),
		TEST_CASE_ST(make_running_port, remove_port, test_tx_shared),
		TEST_CASE_ST(make_running_port, remove_port, test_tx_clone),
		TEST_CASE_ST(make_running_port, remove_port, test_tx_no_headroom),
		TEST_CASE_ST(make_running_port, remove_port, test_tx_oversize),
		TEST_CASE_ST(make_running_port, remove_port, test_rx),
		TEST_CASE_ST(make_running_port, remove_port, test_descriptors),
		TEST_CASE_ST(make_port, remove_port, test_rx_scattered),
		TEST_CASE_ST(NULL, remove_port, test_readwrite),
		TEST_CASE_ST(make_running_port, remove_port, test_stats),
		TEST_CASE_ST(make_running_port, remove_port, test_xstats),
		TEST_CASE(test_nothing_left),
		TEST_CASES_END()
	}
};

static int
test_pmd_rtap(void)
{
	return unit_test_suite_runner(&rtap_suite);
}

REGISTER_FAST_TEST(rtap_pmd_autotest, NOHUGE_OK, ASAN_OK, test_pmd_rtap);
