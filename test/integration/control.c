/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * What the port is told reaches the interface, and what the port tells is what the kernel says.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "rig.h"

#define NB_MBUF 2048
#define NB_OVERFILL 2000

/* Of a TAP: 64 KiB - 1, the Ethernet header included */
#define MTU_MAX ((unsigned int)UINT16_MAX - RTE_ETHER_HDR_LEN)

/* What a frame may have beyond the MTU */
#define ETH_OVERHEAD (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)

static struct rte_mempool *pool;
static struct port_conf plain;
static uint8_t large_frame[9000];

static void
information(void)
{
	const struct rte_eth_conf eth = {0};
	struct rte_eth_burst_mode mode;
	struct rte_eth_dev_info info;
	struct rte_eth_rxq_info rxq;
	struct port port;
	uint32_t ptypes[64];
	int n;

	rig_case("device information");
	port_attach(&port, "net_rtap0", "iface=info");
	CHECK_OK(rte_eth_dev_configure(port.id, 1, 1, &eth));
	CHECK(rte_eth_rx_burst_mode_get(port.id, 0, &mode) < 0 &&
		rte_eth_tx_burst_mode_get(port.id, 0, &mode) < 0, "burst modes of no queue");
	port_setup(&port, &plain);
	port_start(&port);
	CHECK_OK(rte_eth_dev_info_get(port.id, &info));
	CHECK(strcmp(info.driver_name, "net_rtap") == 0, "driver %s", info.driver_name);
	CHECK(info.if_index == if_nametoindex("info"), "index %u", info.if_index);
	CHECK(info.min_mtu == RTE_ETHER_MIN_MTU && info.max_mtu == MTU_MAX,
		"MTU from %u to %u", info.min_mtu, info.max_mtu);
	CHECK(info.max_rx_pktlen >= (uint32_t)info.max_mtu + RTE_ETHER_HDR_LEN, "frames of up to %u",
		info.max_rx_pktlen);
	CHECK(info.max_rx_queues == 256 && info.max_tx_queues == 256, "%u and %u queues",
		info.max_rx_queues, info.max_tx_queues);
	CHECK(info.max_lro_pkt_size > MTU_MAX, "LRO packets of up to %u",
		info.max_lro_pkt_size);

	n = rte_eth_dev_get_supported_ptypes(port.id, RTE_PTYPE_L4_MASK, ptypes, RTE_DIM(ptypes));
	CHECK(n >= 3 && n <= (int)RTE_DIM(ptypes), "%d packet types of layer 4", n);

	CHECK_OK(rte_eth_rx_queue_info_get(port.id, 0, &rxq));
	CHECK(rxq.rx_buf_size == RTE_MBUF_DEFAULT_DATAROOM, "buffers of %u", rxq.rx_buf_size);
	CHECK_OK(rte_eth_rx_burst_mode_get(port.id, 0, &mode));
	CHECK(strstr(mode.info, rig_sqpoll ? "io_uring, sqpoll" :
		rig_reads_by_uring() ? "io_uring" : "readv") != NULL,
		"Rx burst mode %s", mode.info);
	CHECK_OK(rte_eth_tx_burst_mode_get(port.id, 0, &mode));
	CHECK(strstr(mode.info, rig_sqpoll ? "io_uring, sqpoll" :
		rig_io_is_uring() ? "io_uring" : "writev") != NULL,
		"Tx burst mode %s", mode.info);
	port_close(&port);
}

/* From the smallest to the largest, running and stopped; the kernel has the last word beyond. */
static void
mtu(void)
{
	struct port_conf conf = plain;
	struct rte_eth_dev_info info;
	struct port port;
	unsigned int value;
	uint16_t now;

	rig_case("MTU");
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER;
	port_open(&port, "net_rtap0", "", &conf);
	CHECK_OK(rte_eth_dev_info_get(port.id, &info));
	for (value = info.min_mtu; value <= info.max_mtu; value += value < 2000 ? 97 : 7919) {
		CHECK_OK(rte_eth_dev_set_mtu(port.id, value));
		CHECK(kernel_mtu(port.ifname) == value, "MTU %u in the kernel",
			kernel_mtu(port.ifname));
	}
	CHECK_OK(rte_eth_dev_set_mtu(port.id, info.max_mtu));
	CHECK(rte_eth_dev_set_mtu(port.id, info.max_mtu + 1) < 0, "MTU beyond the largest");
	CHECK(rte_eth_dev_set_mtu(port.id, info.min_mtu - 1) < 0, "MTU below the smallest");
	CHECK_OK(rte_eth_dev_get_mtu(port.id, &now));
	CHECK(now == info.max_mtu && kernel_mtu(port.ifname) == now, "MTU after a refusal");

	CHECK_OK(rte_eth_dev_stop(port.id));
	CHECK_OK(rte_eth_dev_set_mtu(port.id, 1400));
	CHECK(kernel_mtu(port.ifname) == 1400, "MTU while stopped");
	conf.mtu = 2345;
	port_setup(&port, &conf);
	CHECK(kernel_mtu(port.ifname) == 2345, "MTU of the configuration");

	/* One that fails, for want of a second file, changes neither. */
	conf.mtu = 1300;
	conf.nb_rx = 2;
	CHECK(mount("/dev/null", "/dev/net/tun", NULL, MS_BIND, NULL) == 0, "mount");
	CHECK(port_try_setup(&port, &conf) < 0, "files are opened without a device");
	CHECK(umount("/dev/net/tun") == 0, "umount");
	CHECK_OK(rte_eth_dev_get_mtu(port.id, &now));
	CHECK(now == 2345 && kernel_mtu(port.ifname) == now, "MTU %u and %u in the kernel", now,
		kernel_mtu(port.ifname));
	port_close(&port);
}

static void
expect_mac(const struct port *port, const struct rte_ether_addr *expected)
{
	struct rte_ether_addr dpdk, kernel;

	CHECK_OK(rte_eth_macaddr_get(port->id, &dpdk));
	kernel_mac(port->ifname, &kernel);
	CHECK(rte_is_same_ether_addr(&dpdk, &kernel), "two addresses");
	CHECK(expected == NULL || rte_is_same_ether_addr(&dpdk, expected), "another address");
}

static void
mac(void)
{
	struct rte_ether_addr given = { { 0x02, 0, 0, 0, 0xab, 0xcd } };
	struct rte_ether_addr other = { { 0x06, 1, 2, 3, 4, 5 } };
	struct rte_ether_addr group = { { 0x01, 0, 0x5e, 0, 0, 1 } };
	struct port port;

	rig_case("MAC address");
	port_attach(&port, "net_rtap0", "");
	expect_mac(&port, NULL);
	port_close(&port);
	port_open(&port, "net_rtap0", "mac=02:00:00:00:ab:cd", &plain);
	expect_mac(&port, &given);
	CHECK_OK(rte_eth_dev_default_mac_addr_set(port.id, &other));
	expect_mac(&port, &other);
	CHECK(rte_eth_dev_default_mac_addr_set(port.id, &group) < 0, "a group address");
	expect_mac(&port, &other);
	CHECK_OK(rte_eth_dev_stop(port.id));
	CHECK_OK(rte_eth_dev_default_mac_addr_set(port.id, &given));
	port_start(&port);
	expect_mac(&port, &given);
	port_close(&port);
}

static bool
has_flag(const struct port *port, unsigned int flag)
{
	return (kernel_flags(port->ifname) & flag) != 0;
}

static void
modes(void)
{
	struct port port;

	rig_case("promiscuous, all-multicast");
	port_open(&port, "net_rtap0", "", &plain);
	CHECK(!has_flag(&port, IFF_PROMISC) && !has_flag(&port, IFF_ALLMULTI), "on from the start");
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	CHECK(has_flag(&port, IFF_PROMISC) && rte_eth_promiscuous_get(port.id) == 1, "not on");
	CHECK_OK(rte_eth_allmulticast_enable(port.id));
	CHECK(has_flag(&port, IFF_ALLMULTI) && rte_eth_allmulticast_get(port.id) == 1, "not on");
	/* A restart keeps both. */
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_start(&port);
	CHECK(has_flag(&port, IFF_PROMISC) && has_flag(&port, IFF_ALLMULTI), "lost by a restart");
	CHECK_OK(rte_eth_promiscuous_disable(port.id));
	CHECK(!has_flag(&port, IFF_PROMISC) && has_flag(&port, IFF_ALLMULTI), "not off");
	CHECK_OK(rte_eth_allmulticast_disable(port.id));
	CHECK(!has_flag(&port, IFF_ALLMULTI), "not off");
	port_close(&port);
}

/* The port, the carrier, and what the kernel makes of it a little later. */
static void
expect_link(const struct port *port, bool up)
{
	struct rte_eth_link link;

	CHECK_OK(rte_eth_link_get_nowait(port->id, &link));
	CHECK(link.link_status == (up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN), "link status %u",
		link.link_status);
	CHECK(link.link_speed != RTE_ETH_SPEED_NUM_NONE &&
		link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX, "link speed %u", link.link_speed);
	if (has_flag(port, IFF_UP))
		CHECK(kernel_carrier(port->ifname) == up, "the carrier differs");
	WAIT_FOR(has_flag(port, IFF_RUNNING) == up, "IFF_RUNNING");
}

static void
link_state(void)
{
	struct port port;

	rig_case("link");
	port_attach(&port, "net_rtap0", "");
	port_setup(&port, &plain);
	expect_link(&port, false);
	port_start(&port);
	expect_link(&port, true);
	CHECK_OK(rte_eth_dev_set_link_down(port.id));
	CHECK(has_flag(&port, IFF_UP), "link down took the interface down");
	expect_link(&port, false);
	CHECK_OK(rte_eth_dev_set_link_up(port.id));
	expect_link(&port, true);
	CHECK_OK(rte_eth_dev_stop(port.id));
	CHECK(has_flag(&port, IFF_UP), "stop took the interface down");
	expect_link(&port, false);
	port_start(&port);
	expect_link(&port, true);

	/* By the administrator */
	rig_run("ip link set %s down", port.ifname);
	expect_link(&port, false);
	rig_run("ip link set %s up", port.ifname);
	expect_link(&port, true);
	port_close(&port);
}

/* Without a file to look at the interface with: it says so. */
static void
link_unsure(void)
{
	char *text = NULL;
	struct port port;
	size_t len;
	FILE *log;
	int ret;

	rig_case("link up without files");
	port_open(&port, "net_rtap0", "", &plain);
	log = open_memstream(&text, &len);
	CHECK(log != NULL, "no memory");
	rig_settle();
	rig_take_files();
	CHECK_OK(rte_openlog_stream(log));
	ret = rte_eth_dev_set_link_up(port.id);
	CHECK_OK(rte_openlog_stream(NULL));
	rig_give_files();
	fclose(log);
	CHECK(ret == -EMFILE && strstr(text, strerror(EMFILE)) != NULL, "%d, '%s'", ret, text);
	free(text);
	port_close(&port);
}

/*
 * Statistics
 */

static void
send_on(const struct port *port, uint16_t queue, unsigned int n)
{
	while (n-- > 0) {
		struct rte_mbuf *m = frame_alloc(pool, 100 + queue, n);

		port_tx(port, queue, &m, 1);
	}
}

static void
expect_sent(const struct port *port, const unsigned int *packets)
{
	struct rte_eth_stats stats = port_stats(port);
	uint64_t total = 0, bytes = 0;
	uint16_t queue;
	char name[64];

	for (queue = 0; queue < port->nb_tx; queue++) {
		snprintf(name, sizeof(name), "tx_q%u_packets", queue);
		CHECK(port_xstat(port, name) == packets[queue], "%s", name);
		snprintf(name, sizeof(name), "tx_q%u_bytes", queue);
		CHECK(port_xstat(port, name) == packets[queue] * (100 + queue), "%s", name);
		total += packets[queue];
		bytes += packets[queue] * (100 + queue);
	}
	CHECK(stats.opackets == total && stats.obytes == bytes, "%" PRIu64 " packets, %" PRIu64
		" bytes sent", stats.opackets, stats.obytes);
}

/* Since the last reset, both sides have seen the same, and the driver knows of what kind. */
static void
expect_same_in_kernel(const struct port *port)
{
	struct rte_eth_stats stats = port_stats(port);

	CHECK(port_xstat(port, "kernel_rx_packets") == stats.opackets &&
		port_xstat(port, "kernel_rx_bytes") == stats.obytes, "the kernel received otherwise");
	CHECK(port_xstat(port, "kernel_tx_packets") == stats.ipackets &&
		port_xstat(port, "kernel_tx_bytes") == stats.ibytes, "the kernel sent otherwise");
	CHECK(port_xstat(port, "tx_size_64_to_127_packets") == stats.opackets, "sizes");
	CHECK(port_xstat(port, "tx_broadcast_packets") == stats.opackets &&
		port_xstat(port, "rx_broadcast_packets") == stats.ipackets, "destinations");
}

static void
statistics(void)
{
	static const unsigned int sent[] = { 3, 0, 5 }, none[] = { 0, 0, 0 }, again[] = { 0, 2, 0 };
	struct port_conf conf = plain;
	struct rte_eth_stats stats;
	uint64_t bytes;
	struct port port;
	uint16_t queue;
	int sock;

	rig_case("statistics per queue, and reset");
	conf.nb_tx = RTE_DIM(sent);
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	/* What the kernel has sent of its own accord by now is not ours. */
	port_rx_discard(&port);
	CHECK_OK(rte_eth_stats_reset(port.id));
	for (queue = 0; queue < conf.nb_tx; queue++)
		send_on(&port, queue, sent[queue]);
	expect_sent(&port, sent);
	bytes = frames_from_kernel(&port, sock, 7);
	stats = port_stats(&port);
	CHECK(stats.ipackets == 7 && stats.ibytes == bytes,
		"%" PRIu64 " packets received, %" PRIu64 " bytes", stats.ipackets, stats.ibytes);
	CHECK(port_xstat(&port, "rx_q0_packets") == 7, "of queue 0");
	expect_same_in_kernel(&port);
	/* With SQPOLL, the queue falls idle when the thread has found nothing. */
	WAIT_FOR((port_rx_discard(&port), port_xstat(&port, "rx_polls_armed") > 0) ==
		rig_io_is_uring(), "polls");
	CHECK(rig_sqpoll || (port_xstat(&port, "rx_system_calls") > 0 &&
		port_xstat(&port, "tx_system_calls") > 0), "no system calls");

	CHECK_OK(rte_eth_stats_reset(port.id));
	expect_sent(&port, none);
	expect_same_in_kernel(&port);
	CHECK(port_xstat(&port, "rx_system_calls") == 0 &&
		port_xstat(&port, "tx_system_calls") == 0, "system calls are not reset");
	stats = port_stats(&port);
	CHECK(stats.ipackets == 0 && stats.ibytes == 0, "not reset");
	send_on(&port, 1, 2);
	expect_sent(&port, again);
	/* A restart does not. */
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_start(&port);
	expect_sent(&port, again);
	close(sock);
	port_close(&port);
}

static unsigned int
rx_some(const struct port *port)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = port_rx_burst(port, 0, pkts, BURST);

	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

/* Nobody reads: what does not fit into the kernel's queue is missed. */
static void
missed(void)
{
	struct kernel_stats before, after;
	unsigned int i, accepted = 0, received = 0;
	uint8_t data[FRAME_MIN];
	struct port port;
	int sock;

	rig_case("imissed");
	port_open(&port, "net_rtap0", "", &plain);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	CHECK(port_stats(&port).imissed == 0, "imissed of a new port");
	before = kernel_stats(port.ifname);
	frame_write(data, sizeof(data), 0);
	for (i = 0; i < NB_OVERFILL; i++)
		accepted += send(sock, data, sizeof(data), 0) > 0;
	after = kernel_stats(port.ifname);
	CHECK(port_stats(&port).imissed == after.tx_dropped - before.tx_dropped,
		"%" PRIu64 " missed, %" PRIu64 " dropped", port_stats(&port).imissed,
		after.tx_dropped - before.tx_dropped);
	WAIT_FOR((received += rx_some(&port)) + port_stats(&port).imissed == accepted,
		"some are unaccounted for");
	CHECK(received < NB_OVERFILL, "the kernel queues them all");
	CHECK_OK(rte_eth_stats_reset(port.id));
	CHECK(port_stats(&port).imissed == 0, "imissed is not reset");
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * One packet that must be consumed, counted once in oerrors and once by that name, and seen by
 * nobody.
 */
static void
must_be_dropped(const struct port *port, int sock, struct rte_mbuf *m, const char *xstat)
{
	uint64_t errors = port_stats(port).oerrors, count = port_xstat(port, xstat);
	uint64_t sent = port_stats(port).opackets;

	port_tx(port, 0, &m, 1);
	kernel_expect_nothing(sock);
	CHECK(port_stats(port).oerrors == errors + 1, "oerrors and %s", xstat);
	CHECK(port_xstat(port, xstat) == count + 1, "%s", xstat);
	CHECK(port_stats(port).opackets == sent, "opackets and %s", xstat);
}

static void
drops(void)
{
	struct rte_mbuf *m;
	struct port port;
	unsigned int i;
	int sock;

	rig_case("errors by cause");
	port_open(&port, "net_rtap0", "", &plain);
	sock = kernel_open(&port, ETHERTYPE_TEST);

	m = frame_alloc(pool, 1600, 0);
	must_be_dropped(&port, sock, m, "tx_oversize_errors");

	m = frame_alloc(pool, 100, 0);
	m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_SCTP_CKSUM;
	m->l2_len = 14;
	m->l3_len = 20;
	must_be_dropped(&port, sock, m, "tx_bad_offload_errors");
	m = frame_alloc(pool, 100, 0);
	m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
	m->l2_len = 100;
	m->l3_len = 100;
	must_be_dropped(&port, sock, m, "tx_bad_offload_errors");
	m = frame_alloc(pool, 100, 0);
	m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_SEG;
	m->l2_len = 14;
	m->l3_len = 20;
	m->l4_len = 20;
	must_be_dropped(&port, sock, m, "tx_bad_offload_errors");

	m = frame_alloc(pool, 60, 0);
	for (i = 0; i < 1100; i++)
		CHECK_OK(rte_pktmbuf_chain(m, rte_pktmbuf_alloc(pool)));
	must_be_dropped(&port, sock, m, "tx_too_many_segs_errors");

	rig_run("ip link set %s down", port.ifname);
	must_be_dropped(&port, sock, frame_alloc(pool, 60, 0), "tx_link_down_errors");
	rig_run("ip link set %s up", port.ifname);
	port_await_link(&port);
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/* What waited while the port was stopped is neither received nor taken for an error. */
static void
stale(void)
{
	struct port_conf conf = plain;
	uint8_t data[FRAME_MIN];
	struct port port;
	int sock;

	rig_case("frames that waited while the port was stopped");
	conf.mtu = 9000;
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER;
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	frame_write(large_frame, sizeof(large_frame), 1);
	frame_write(data, sizeof(data), 1);
	kernel_send(sock, large_frame, sizeof(large_frame));
	kernel_send(sock, data, sizeof(data));
	CHECK_OK(rte_eth_dev_stop(port.id));
	CHECK_OK(rte_eth_dev_set_mtu(port.id, 1500));
	port_start(&port);
	frames_from_kernel(&port, sock, 3);
	CHECK(port_stats(&port).ierrors == 0, "errors of a port that has just started");
	close(sock);
	port_close(&port);
}

/*
 * The kernel's limit on merged packets
 */

static void
expect_gso_max(const char *ifname, unsigned int size)
{
	char *text = rig_output("ip -d link show %s", ifname);
	const char *at = strstr(text, "gso_max_size ");

	CHECK(at != NULL && strtoul(at + strlen("gso_max_size "), NULL, 10) == size, "not %u: %s",
		size, text);
	free(text);
}

/* What the administrator has set is left alone, or put back. */
static void
lro_limit(void)
{
	struct port_conf conf = plain;
	struct port port;

	rig_case("limit on LRO packets");
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_LRO;
	port_attach(&port, "net_rtap0", "iface=limited,persist");
	rig_run("ip link set limited gso_max_size 30000");
	port_setup(&port, &conf);
	expect_gso_max("limited", 30000);
	conf.max_lro = 20000 + ETH_OVERHEAD;
	port_setup(&port, &conf);
	expect_gso_max("limited", 20000);
	conf.max_lro = 10000 + ETH_OVERHEAD;
	port_setup(&port, &conf);
	expect_gso_max("limited", 10000);
	/* A limit that is not lower than the administrator's does not raise it, now or at first. */
	conf.max_lro = 40000 + ETH_OVERHEAD;
	port_setup(&port, &conf);
	expect_gso_max("limited", 30000);
	port_close(&port);
	port_attach(&port, "net_rtap0", "iface=limited");
	port_setup(&port, &conf);
	expect_gso_max("limited", 30000);
	/* Less than an ordinary frame: merged ones need not be smaller. */
	conf.max_lro = 100;
	port_setup(&port, &conf);
	expect_gso_max("limited", 1500);
	conf.rx_offloads = 0;
	port_setup(&port, &conf);
	expect_gso_max("limited", 30000);
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_LRO;
	port_setup(&port, &conf);
	expect_gso_max("limited", 1500);
	port_close(&port);
	expect_gso_max("limited", 30000);
	rig_run("ip link del limited");
}

/*
 * Files and persistence
 */

static void
close_on_exec(void)
{
	struct port_conf conf = plain;
	bool known[1024];
	struct port port;
	int fd, flags;

	rig_case("all files are closed on exec");
	for (fd = 0; fd < (int)RTE_DIM(known); fd++)
		known[fd] = fcntl(fd, F_GETFD) >= 0;
	conf.nb_rx = conf.nb_tx = 3;
	port_open(&port, "net_rtap0", "", &conf);
	port_rx_discard(&port);
	for (fd = 0; fd < (int)RTE_DIM(known); fd++) {
		flags = fcntl(fd, F_GETFD);
		CHECK(known[fd] || flags < 0 || (flags & FD_CLOEXEC) != 0, "file %d is not", fd);
	}
	port_close(&port);
}

/* A TAP of somebody else who made it persistent and left. */
static void
make_persistent(const char *name, int flags)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | flags };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	CHECK(ioctl(fd, TUNSETIFF, &ifr) == 0, "cannot make %s: %s", name, strerror(errno));
	CHECK_OK(ioctl(fd, TUNSETPERSIST, 1UL));
	close(fd);
}

static void
take_over(int flags)
{
	struct port port;
	int sock;

	make_persistent("kept", flags);
	port_open(&port, "net_rtap0", "iface=kept", &plain);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	frames_to_kernel(&port, 0, sock, pool, 3);
	frames_from_kernel(&port, sock, 3);
	close(sock);
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	CHECK_OK(rte_eth_allmulticast_enable(port.id));
	port_close(&port);
	CHECK(if_nametoindex("kept") != 0, "a persistent interface went with the port");
	CHECK(!has_flag(&port, IFF_PROMISC | IFF_ALLMULTI), "modes were left on");

	/* What somebody else switched on stays. */
	rig_run("ip link set kept promisc on");
	port_open(&port, "net_rtap0", "iface=kept", &plain);
	port_close(&port);
	CHECK(has_flag(&port, IFF_PROMISC), "the administrator's mode was switched off");
	port_attach(&port, "net_rtap0", "iface=kept,persist=0");
	port_close(&port);
	CHECK(if_nametoindex("kept") == 0, "persist=0 has no effect");
}

static void
persistence(void)
{
	struct port port;

	rig_case("persistent interfaces");
	take_over(IFF_MULTI_QUEUE);
	take_over(IFF_MULTI_QUEUE | IFF_VNET_HDR | IFF_NO_PI);
	take_over(0);
	port_open(&port, "net_rtap0", "iface=ours,persist=1", &plain);
	port_close(&port);
	CHECK(if_nametoindex("ours") != 0, "persist=1 has no effect");
	port_open(&port, "net_rtap0", "iface=ours,persist", &plain);
	port_close(&port);
	port_attach(&port, "net_rtap0", "iface=ours,persist=0");
	port_close(&port);
	CHECK(if_nametoindex("ours") == 0, "persist=0 has no effect");
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	plain.pool = pool;
	information();
	mtu();
	mac();
	modes();
	link_state();
	link_unsure();
	statistics();
	missed();
	drops();
	stale();
	lro_limit();
	close_on_exec();
	persistence();
	pool_check_full(pool);
	return rig_done();
}
