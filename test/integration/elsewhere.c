/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * An interface in other network namespaces: moved there under traffic, on to a third and back.
 * The port goes on to send and receive, knows state, MTU and MAC address, sets them, counts; and is
 * told when its interface is deleted with a namespace, which it does not keep alive.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/if_tun.h>

#include <rte_bus_vdev.h>
#include <rte_thread.h>

#include "events.h"

#define NB_MBUF 4096
#define NB_ROUNDS 3
#define IFNAME "moved"

static struct rte_mempool *pool;
static struct port_conf plain, with_all;

/* Home, and two others. */
static pid_t others[2];
static int home;
static pid_t here;	/* 0: home */

static RTE_ATOMIC(bool) stop;
static RTE_ATOMIC(unsigned int) nb_threads;	/* that were started by the driver */

/* In front of DPDK's own. */
int
rte_thread_create(rte_thread_t *thread, const rte_thread_attr_t *attr, rte_thread_func func,
		void *arg)
{
	int (*create)(rte_thread_t *, const rte_thread_attr_t *, rte_thread_func, void *);

	*(void **)&create = dlsym(RTLD_NEXT, __func__);
	rte_atomic_fetch_add_explicit(&nb_threads, 1, rte_memory_order_release);
	return create(thread, attr, func, arg);
}

static unsigned int
threads_started(void)
{
	return rte_atomic_load_explicit(&nb_threads, rte_memory_order_acquire);
}

/* This thread alone goes there; a process of 0 is home. */
static void
go_to(pid_t pid)
{
	char path[64];
	int fd = home;

	if (pid != 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	CHECK(fd >= 0 && setns(fd, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
	here = pid;
	if (pid != 0)
		close(fd);
}

/* From where this thread is, and go along. The index that it has here is another's there. */
static void
move_to(struct port *port, pid_t pid)
{
	static unsigned int n;
	pid_t from = here;

	go_to(pid);
	rig_run("ip link add name block%u index %u type veth 2>/dev/null || true", n++,
		port->ifindex);
	go_to(from);
	if (pid != 0)
		rig_run("ip link set " IFNAME " netns %d", pid);
	else /* the namespace of a process is that of its main thread, which may be elsewhere */
		rig_run("ip link set " IFNAME " netns /proc/%d/fd/%d", getpid(), home);
	go_to(pid);
	port->ifindex = if_nametoindex(IFNAME);
	CHECK(port->ifindex != 0, "it is not there");
}

static bool
is_in_step(const struct port *port)
{
	struct rte_ether_addr mac, kernel;
	struct rte_eth_dev_info info;
	struct rte_eth_link link;
	uint16_t mtu;

	kernel_mac(IFNAME, &kernel);
	return rte_eth_dev_get_mtu(port->id, &mtu) == 0 && mtu == kernel_mtu(IFNAME) &&
		rte_eth_macaddr_get(port->id, &mac) == 0 &&
		rte_is_same_ether_addr(&mac, &kernel) &&
		rte_eth_dev_info_get(port->id, &info) == 0 && info.if_index == port->ifindex &&
		rte_eth_link_get_nowait(port->id, &link) == 0 &&
		link.link_status == ((kernel_flags(IFNAME) & IFF_UP) != 0 &&
			kernel_carrier(IFNAME) ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN);
}

/* Where this thread is, the administrator changes the interface: the port follows. */
static void
port_follows(const struct port *port, unsigned int round)
{
	unsigned int before;

	WAIT_FOR(is_in_step(port), "port and interface differ after the move");
	before = events_lsc();
	rig_run("ip link set " IFNAME " up");
	WAIT_FOR(events_lsc() > before && events_told_up(), "no event for the link");
	before = events_lsc();
	rig_run("ip link set " IFNAME " mtu %u", 1300 + round);
	rig_run("ip link set " IFNAME " address 02:00:00:00:00:%02x", 1 + round);
	WAIT_FOR(is_in_step(port), "port and interface differ");
	WAIT_FOR(events_lsc() > before, "no event for MTU and MAC address");
	rig_run("ip link set " IFNAME " carrier off");
	WAIT_FOR(is_in_step(port), "the port has carrier");
	rig_run("ip link set " IFNAME " carrier on");
	WAIT_FOR(is_in_step(port), "the port has no carrier");
}

/* And the other way round. */
static void
interface_follows(const struct port *port, unsigned int round)
{
	struct rte_ether_addr mac = { { 0x06, 0, 0, 0, 0, round } }, kernel;

	CHECK_OK(rte_eth_dev_set_mtu(port->id, 1400 + round));
	CHECK(kernel_mtu(IFNAME) == 1400 + round, "MTU %u", kernel_mtu(IFNAME));
	CHECK_OK(rte_eth_dev_default_mac_addr_set(port->id, &mac));
	kernel_mac(IFNAME, &kernel);
	CHECK(rte_is_same_ether_addr(&mac, &kernel), "the MAC address is not set");
	CHECK_OK(rte_eth_promiscuous_enable(port->id));
	CHECK((kernel_flags(IFNAME) & IFF_PROMISC) != 0, "not promiscuous");
	CHECK_OK(rte_eth_promiscuous_disable(port->id));
	CHECK((kernel_flags(IFNAME) & IFF_PROMISC) == 0, "promiscuous");
	CHECK_OK(rte_eth_dev_set_link_down(port->id));
	WAIT_FOR(!kernel_carrier(IFNAME), "carrier");
	CHECK_OK(rte_eth_dev_set_link_up(port->id));
	WAIT_FOR(kernel_carrier(IFNAME), "no carrier");
	CHECK(is_in_step(port), "port and interface differ");
}

/* Sends one at a time, and takes what comes. */
static void *
traffic(void *arg)
{
	const struct port *port = arg;

	while (!flag_get(&stop)) {
		struct rte_mbuf *pkts[BURST], *m = frame_alloc(pool, FRAME_MIN, 0);
		uint16_t n = rte_eth_rx_burst(port->id, 0, pkts, BURST);

		rte_pktmbuf_free_bulk(pkts, n);
		if (rte_eth_tx_burst(port->id, 0, &m, 1) == 0)
			rte_pktmbuf_free(m);
		sched_yield();
	}
	return NULL;
}

/* Both sides count, in this namespace. */
static void
traffic_counts(const struct port *port)
{
	uint64_t sent = port_stats(port).opackets;
	uint64_t kernel = port_xstat(port, "kernel_rx_packets");

	WAIT_FOR(port_stats(port).opackets > sent, "nothing is sent");
	WAIT_FOR(port_xstat(port, "kernel_rx_packets") > kernel, "nothing arrives");
	CHECK(port_xstat(port, "kernel_rx_packets") <= kernel_stats(IFNAME).rx_packets,
		"another's statistics");
}

static void
visit(struct port *port, unsigned int round)
{
	port_follows(port, round);
	interface_follows(port, round);
}

static void
visit_under_traffic(struct port *port, unsigned int round)
{
	visit(port, round);
	traffic_counts(port);
}

static void
moves(void)
{
	struct port port;
	pthread_t thread;
	unsigned int n;
	int sock;

	rig_case("moves under traffic");
	events_open(&port, "iface=" IFNAME, &with_all);
	flag_set(&stop, false);
	CHECK_OK(pthread_create(&thread, NULL, traffic, &port));
	for (n = 0; n < NB_ROUNDS; n++) {
		move_to(&port, others[0]);
		visit_under_traffic(&port, 3 * n);
		move_to(&port, others[1]);
		visit_under_traffic(&port, 3 * n + 1);
		move_to(&port, 0);
		visit_under_traffic(&port, 3 * n + 2);
	}
	/* So fast that few of them are seen. */
	for (n = 0; n < NB_ROUNDS; n++) {
		move_to(&port, others[0]);
		move_to(&port, 0);
		move_to(&port, others[1]);
	}
	visit_under_traffic(&port, 1);
	flag_set(&stop, true);
	CHECK_OK(pthread_join(thread, NULL));

	/* None of the frames is another's, or lost. */
	CHECK_OK(rte_eth_dev_set_mtu(port.id, 1500));
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_start(&port);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	frames_to_kernel(&port, 0, sock, pool, 10);
	frames_from_kernel(&port, sock, 10);
	close(sock);
	CHECK(events_rmv() == 0, "removal event");
	port_close(&port);
	CHECK(if_nametoindex(IFNAME) == 0, "the interface outlives its port");
	go_to(0);
	pool_check_full(pool);
}

static bool
speed_is(const struct port *port, uint32_t speed)
{
	struct rte_eth_link link;

	CHECK_OK(rte_eth_link_get_nowait(port->id, &link));
	return link.link_speed == speed;
}

/* The kernel does not announce another: the port looks when asked, or when the link changes. */
static void
speed(void)
{
	unsigned int before, mtu;
	struct port port;

	rig_case("the speed, for which a thread goes there");
	events_open(&port, "iface=" IFNAME, &with_all);
	move_to(&port, others[0]);
	rig_run("ip link set " IFNAME " up");
	WAIT_FOR(is_in_step(&port), "the port is down");
	rig_settle();
	before = threads_started();
	CHECK(before > 0, "no thread is counted");
	for (mtu = 1300; mtu < 1320; mtu++) {
		rig_run("ip link set " IFNAME " mtu %u", mtu);
		WAIT_FOR(is_in_step(&port), "port and interface differ");
	}
	rig_settle();
	CHECK(threads_started() == before, "%u threads for 20 changes of another kind",
		threads_started() - before);
	rig_run("ethtool -s " IFNAME " speed 25000 duplex full");
	rig_run("ip link set " IFNAME " down");
	WAIT_FOR(speed_is(&port, 25000), "the link is down, and the speed is an old one");
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_run("ethtool -s " IFNAME " speed 2500 duplex full");
	CHECK(speed_is(&port, 2500), "asked for, the speed is an old one");
	port_close(&port);
	go_to(0);
}

/* The interface of a name at home is another's. */
static void
stranger(void)
{
	struct port port;

	rig_case("another interface of that name at home");
	events_open(&port, "iface=" IFNAME, &with_all);
	move_to(&port, others[0]);
	go_to(0);
	rig_run("ip tuntap add dev " IFNAME " mode tap");
	rig_run("ip link set " IFNAME " mtu 1111");
	go_to(others[0]);
	visit(&port, 1);
	port_close(&port);
	go_to(0);
	CHECK(kernel_mtu(IFNAME) == 1111 && (kernel_flags(IFNAME) & IFF_UP) == 0,
		"another's interface is changed");
	rig_run("ip link del " IFNAME);
}

/* The socket for announcements is at home, where this namespace has no number yet. */
static void
probed_elsewhere(void)
{
	pid_t pid = rig_fork_namespace();
	struct port first, port;

	rig_case("a port that is created elsewhere");
	port_open(&first, "net_rtap1", "", &plain);
	go_to(pid);
	events_open(&port, "iface=" IFNAME, &with_all);
	rig_run("ip link set " IFNAME " down");
	WAIT_FOR(events_lsc() == 1, "no event");
	visit(&port, 1);
	rig_run("ip link del " IFNAME);
	WAIT_FOR(events_rmv() == 1, "no removal event");
	port_close(&port);
	go_to(0);
	port_close(&first);
	rig_end_namespace(pid);
}

static unsigned int
rx_some(const struct port *port)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = rte_eth_rx_burst(port->id, 0, pkts, BURST);

	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

/* Bursts of a port whose interface is gone: no packet and, but for a few, no system call. */
static void
bursts_are_cheap(const struct port *port)
{
	uint64_t calls;
	unsigned int i;

	for (i = 0; i < 100; i++)
		rx_some(port);
	calls = port_xstat(port, "rx_system_calls");
	for (i = 0; i < 1000; i++)
		CHECK(rx_some(port) == 0, "a packet of nobody");
	CHECK(port_xstat(port, "rx_system_calls") == calls, "%" PRIu64 " system calls",
		port_xstat(port, "rx_system_calls") - calls);
}

/* A socket or file of ours in the namespace would keep it, and the interface. */
static void
namespace_ends(bool deleted)
{
	pid_t pid = rig_fork_namespace();
	struct port port;

	events_open(&port, "iface=" IFNAME, &with_all);
	move_to(&port, pid);
	visit(&port, 1);
	if (deleted)
		rig_run("ip link del " IFNAME);
	go_to(0);
	if (!deleted)
		rig_end_namespace(pid);
	WAIT_FOR(events_rmv() == 1, "no removal event");
	CHECK(!events_told_up(), "the link is up");
	CHECK(rte_eth_dev_is_removed(port.id) == 1, "not removed");
	bursts_are_cheap(&port);
	port_close(&port);
	CHECK(events_rmv() == 1, "told twice");
	if (deleted)
		rig_end_namespace(pid);
	pool_check_full(pool);
}

/* Opened by somebody who has moved it before. */
static void
given(void)
{
	struct ifreq ifr = {
		.ifr_name = IFNAME,
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
	};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct port port;
	char args[16];

	rig_case("a file of another namespace");
	CHECK(fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0, "no TAP: %s", strerror(errno));
	port.ifindex = if_nametoindex(IFNAME);
	move_to(&port, others[0]);
	rig_run("ip link set " IFNAME " mtu 1444");
	go_to(0);
	snprintf(args, sizeof(args), "fd=%d", fd);
	CHECK_OK(port_try_attach("net_rtap0", args));
	go_to(others[0]);
	port_find(&port, "net_rtap0");
	port.ifindex = if_nametoindex(IFNAME);
	WAIT_FOR(is_in_step(&port), "port and interface differ");
	events_count(&port);
	port_setup(&port, &with_all);
	port_start(&port);
	rig_run("ip link set " IFNAME " down");
	WAIT_FOR(is_in_step(&port), "the port is up");
	port_follows(&port, 1);
	CHECK_OK(rte_eth_dev_set_mtu(port.id, 1500));
	CHECK(kernel_mtu(IFNAME) == 1500, "MTU %u", kernel_mtu(IFNAME));
	port_close(&port);
	close(fd);
	/* Rings that are gone may hold the file for a moment. */
	WAIT_FOR(if_nametoindex(IFNAME) == 0, "the interface outlives its files");
	go_to(0);
}

/* The number of the namespace is known, and nobody may ask by it any more. */
static void
out_of_sight(struct port *port)
{
	struct port_conf conf = plain;
	struct rte_eth_link link;

	rig_case("without CAP_NET_ADMIN: out of sight, but it runs");
	CHECK_OK(rte_eth_dev_get_mtu(port->id, &conf.mtu));
	rig_set_capability(CAP_NET_ADMIN, false);
	CHECK_OK(rte_eth_dev_stop(port->id));
	port_setup(port, &conf);
	CHECK_OK(rte_eth_dev_start(port->id));
	CHECK_OK(rte_eth_link_get_nowait(port->id, &link));
	CHECK(link.link_status == RTE_ETH_LINK_UP, "the link is down");
	CHECK(rte_eth_dev_is_removed(port->id) == 0, "removed");
	rig_run("ip link del " IFNAME);
	CHECK(rte_eth_dev_is_removed(port->id) == 1, "not removed");
	rig_set_capability(CAP_NET_ADMIN, true);
}

/* What takes a right that the process does not have fails, and the rest works. */
static void
few_rights(void)
{
	struct rte_eth_link link;
	struct port port;

	rig_case("without CAP_NET_BROADCAST: no announcements, but answers");
	rig_set_capability(CAP_NET_BROADCAST, false);
	events_open(&port, "iface=" IFNAME, &plain);
	rig_set_capability(CAP_NET_BROADCAST, true);
	move_to(&port, others[0]);
	rig_run("ip link set " IFNAME " mtu 1333");
	rig_run("ip link set " IFNAME " up");
	WAIT_FOR(rte_eth_link_get_nowait(port.id, &link) == 0 && is_in_step(&port),
		"port and interface differ");
	CHECK_OK(rte_eth_dev_set_mtu(port.id, 1400));
	CHECK(kernel_mtu(IFNAME) == 1400, "MTU %u", kernel_mtu(IFNAME));

	rig_case("without CAP_SYS_ADMIN: no changes, but answers");
	rig_run("ip link set " IFNAME " mtu 1334");
	rig_set_capability(CAP_SYS_ADMIN, false);
	CHECK(rte_eth_link_get_nowait(port.id, &link) == 0 && is_in_step(&port),
		"port and interface differ");
	CHECK(rte_eth_dev_set_mtu(port.id, 1400) == -EPERM, "an MTU without the right");
	/* The mode is the filter's, which works everywhere; the flag takes the right. */
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	CHECK((kernel_flags(IFNAME) & IFF_PROMISC) == 0, "a flag without the right");
	CHECK(is_in_step(&port), "port and interface differ");
	rig_set_capability(CAP_SYS_ADMIN, true);

	out_of_sight(&port);
	port_close(&port);
	go_to(0);
}

static void
leaks(void)
{
	struct rig_census before;

	rig_case("leaks");
	rig_census(&before);
	namespace_ends(true);
	rig_census_compare(&before, "another namespace");
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	rig_need("ethtool");
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	others[0] = rig_fork_namespace();
	others[1] = rig_fork_namespace();
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	plain.pool = with_all.pool = pool;
	with_all.intr = (struct rte_eth_intr_conf){ .lsc = 1, .rmv = 1 };
	moves();
	speed();
	stranger();
	probed_elsewhere();
	rig_case("the interface is deleted elsewhere");
	namespace_ends(true);
	rig_case("the namespace is deleted");
	namespace_ends(false);
	given();
	few_rights();
	leaks();
	rig_end_namespace(others[0]);
	rig_end_namespace(others[1]);
	return rig_done();
}
