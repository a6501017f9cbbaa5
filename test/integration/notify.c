/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The port is as its interface is, whatever somebody else does to that and however often; and the
 * application is told: link status interrupt and removal.
 */

#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_epoll.h>
#include <rte_interrupts.h>
#include <rte_stdatomic.h>
#include <rte_string_fns.h>

#include "rig.h"

#define NB_MBUF 4096
#define NB_CHANGES 20
#define NB_FLOOD 3000
#define NB_OFTEN 10000
#define NB_PORTS 4
#define LARGE 8000

static struct rte_mempool *pool;
static struct port_conf plain, with_lsc, with_all, two_queues;

/* Written by DPDK's thread for interrupts. */
static RTE_ATOMIC(unsigned int) nb_lsc, nb_rmv;
static RTE_ATOMIC(bool) told_up, hold, is_held, close_on_lsc, close_on_rmv, close_other;
static uint16_t other_id;

static unsigned int
get(RTE_ATOMIC(unsigned int) *count)
{
	return rte_atomic_load_explicit(count, rte_memory_order_acquire);
}

static bool
is(RTE_ATOMIC(bool) *flag)
{
	return rte_atomic_load_explicit(flag, rte_memory_order_acquire);
}

static void
set(RTE_ATOMIC(bool) *flag, bool value)
{
	rte_atomic_store_explicit(flag, value, rte_memory_order_release);
}

static void
close_if(RTE_ATOMIC(bool) *flag, uint16_t port_id)
{
	if (!is(flag))
		return;
	rte_eth_dev_stop(port_id);
	CHECK_OK(rte_eth_dev_close(port_id));
	set(flag, false);
}

static int
on_lsc(uint16_t port_id, enum rte_eth_event_type type __rte_unused, void *arg __rte_unused,
		void *ret __rte_unused)
{
	struct rte_eth_link link;

	CHECK_OK(rte_eth_link_get_nowait(port_id, &link));
	set(&told_up, link.link_status == RTE_ETH_LINK_UP);
	rte_atomic_fetch_add_explicit(&nb_lsc, 1, rte_memory_order_release);
	while (is(&hold)) {
		set(&is_held, true);
		sched_yield();
	}
	set(&is_held, false);
	close_if(&close_on_lsc, port_id);
	return 0;
}

static int
on_rmv(uint16_t port_id, enum rte_eth_event_type type __rte_unused, void *arg __rte_unused,
		void *ret __rte_unused)
{
	rte_atomic_fetch_add_explicit(&nb_rmv, 1, rte_memory_order_release);
	close_if(&close_on_rmv, port_id);
	if (is(&close_other) && port_id != other_id)
		close_if(&close_other, other_id);
	return 0;
}

static void
forget_events(void)
{
	rte_atomic_store_explicit(&nb_lsc, 0, rte_memory_order_release);
	rte_atomic_store_explicit(&nb_rmv, 0, rte_memory_order_release);
}

static void
open_port(struct port *port, const struct port_conf *conf)
{
	port_attach(port, "net_rtap0", "iface=told");
	CHECK_OK(rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_LSC, on_lsc, NULL));
	CHECK_OK(rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_RMV, on_rmv, NULL));
	port_setup(port, conf);
	forget_events();
	port_start(port);
}

/* So many events by now, and no more; and the link is as the last of them said. */
static void
expect_events(const struct port *port, unsigned int n, bool up)
{
	struct rte_eth_link link;

	WAIT_FOR(get(&nb_lsc) >= n, "%u of %u link events", get(&nb_lsc), n);
	CHECK(get(&nb_lsc) == n, "%u link events, not %u", get(&nb_lsc), n);
	CHECK(n == 0 || is(&told_up) == up, "event %u says %s", n, up ? "down" : "up");
	CHECK_OK(rte_eth_link_get_nowait(port->id, &link));
	CHECK(link.link_status == (up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN), "the link is %s",
		up ? "down" : "up");
}

static void
admin_sets(const struct port *port, bool up)
{
	rig_run("ip link set %s %s", port->ifname, up ? "up" : "down");
}

/*
 * Link
 */

static void
admin(void)
{
	struct port port;
	unsigned int n;

	rig_case("link events: by the administrator");
	open_port(&port, &with_lsc);
	expect_events(&port, 0, true);
	for (n = 1; n <= NB_CHANGES; n++) {
		admin_sets(&port, n % 2 == 0);
		expect_events(&port, n, n % 2 == 0);
		/* What does not change the link, or another's, is no event. */
		rig_run("ip link set %s txqueuelen %u", port.ifname, 500 + n);
		rig_run("ip tuntap add dev other mode tap");
		rig_run("ip link set other up");
		rig_run("ip link del other");
		admin_sets(&port, n % 2 == 0);
	}
	expect_events(&port, NB_CHANGES, true);
	port_close(&port);
}

/* Two that change the carrier: the application, and the administrator. */
static void
carrier(void)
{
	struct port port;

	rig_case("link events: carrier");
	open_port(&port, &with_lsc);
	CHECK_OK(rte_eth_dev_set_link_down(port.id));
	expect_events(&port, 1, false);
	CHECK_OK(rte_eth_dev_set_link_up(port.id));
	expect_events(&port, 2, true);
	rig_run("ip link set %s carrier off", port.ifname);
	expect_events(&port, 3, false);
	rig_run("ip link set %s carrier on", port.ifname);
	expect_events(&port, 4, true);
	port_close(&port);
}

/* Stop and start are known to the application. What happens meanwhile it does not want to know. */
static void
restart(void)
{
	struct port port;
	unsigned int n;

	rig_case("link events: port stop and start");
	open_port(&port, &with_lsc);
	for (n = 0; n < 3; n++) {
		CHECK_OK(rte_eth_dev_stop(port.id));
		admin_sets(&port, false);
		admin_sets(&port, true);
		port_start(&port);
		expect_events(&port, 2 * n, true);
		admin_sets(&port, false);
		expect_events(&port, 2 * n + 1, false);
		admin_sets(&port, true);
		expect_events(&port, 2 * n + 2, true);
	}
	port_close(&port);
}

static void
not_asked_for(void)
{
	struct port port;

	rig_case("link events: not asked for");
	open_port(&port, &plain);
	admin_sets(&port, false);
	admin_sets(&port, true);
	rig_run("ip link del %s", port.ifname);
	CHECK(rte_eth_dev_is_removed(port.id) == 1, "not removed");
	port_close(&port);
	CHECK(get(&nb_lsc) == 0 && get(&nb_rmv) == 0, "events");
}

/*
 * The thread does not get round to reading, and the kernel gives up telling it: the last change
 * counts all the same.
 */
static void
overrun(void)
{
	struct port port;
	unsigned int i;

	rig_case("link events: more than the socket holds");
	open_port(&port, &with_lsc);
	rig_run("ip tuntap add dev other mode tap");
	set(&hold, true);
	admin_sets(&port, false);
	WAIT_FOR(is(&is_held), "no event");
	for (i = 0; i < NB_FLOOD; i++)
		kernel_set_mtu("other", 1400 + i % 2);
	admin_sets(&port, true);
	set(&hold, false);
	expect_events(&port, 2, true);
	rig_run("ip link del other");
	port_close(&port);
}

/*
 * Sleep and link at once
 */

static void *
sleep_and_take(void *arg)
{
	const struct port *port = arg;
	struct rte_epoll_event event;
	struct rte_mbuf *m = NULL;
	unsigned int n = 0;

	while (n < NB_CHANGES) {
		CHECK_OK(rte_eth_dev_rx_intr_enable(port->id, 0));
		CHECK(rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, RIG_PATIENCE * 1000) == 1,
			"hangs: a wake-up is lost");
		while (port_rx_burst(port, 0, &m, 1) == 1) {
			CHECK(frame_is_mbuf(m, FRAME_MIN, n), "packet %u differs", n);
			rte_pktmbuf_free(m);
			n++;
		}
	}
	return NULL;
}

static void *
start_sleeper(void *arg)
{
	const struct port *port = arg;

	CHECK_OK(rte_eth_dev_rx_intr_ctl_q(port->id, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD,
		NULL));
	return sleep_and_take(arg);
}

static void
while_asleep(void)
{
	uint8_t data[FRAME_MIN];
	struct port port;
	pthread_t thread;
	unsigned int n;
	int sock;

	rig_case("link events: together with Rx interrupts");
	open_port(&port, &with_all);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	CHECK_OK(pthread_create(&thread, NULL, start_sleeper, &port));
	for (n = 0; n < NB_CHANGES; n++) {
		admin_sets(&port, false);
		expect_events(&port, 2 * n + 1, false);
		admin_sets(&port, true);
		expect_events(&port, 2 * n + 2, true);
		port_await_link(&port);
		/* The socket still has to tell that the interface was down. */
		close(sock);
		sock = kernel_open(&port, ETHERTYPE_TEST);
		frame_write(data, sizeof(data), n);
		kernel_send(sock, data, sizeof(data));
	}
	CHECK_OK(pthread_join(thread, NULL));
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * Removal
 */

static void
removed(void)
{
	struct port port;

	rig_case("the interface is deleted");
	open_port(&port, &with_all);
	rig_run("ip link del %s", port.ifname);
	WAIT_FOR(get(&nb_rmv) == 1, "no removal event");
	CHECK(get(&nb_lsc) == 1 && !is(&told_up), "the link does not go down");
	CHECK(rte_eth_dev_is_removed(port.id) == 1, "not removed");
	port_close(&port);
	CHECK(get(&nb_rmv) == 1 && get(&nb_lsc) == 1, "told twice");
}

/* The call that asks for the event fails instead. */
static void
removed_before(void)
{
	struct port_conf conf = with_all;
	struct port port;

	rig_case("the interface is deleted before the event is asked for");
	conf.mtu = RTE_ETHER_MTU;
	forget_events();
	port_attach(&port, "net_rtap0", "iface=told");
	CHECK_OK(rte_eth_dev_callback_register(port.id, RTE_ETH_EVENT_INTR_RMV, on_rmv, NULL));
	port_setup(&port, &plain);
	rig_run("ip link del %s", port.ifname);
	rig_settle();
	CHECK(rte_eth_dev_start(port.id) == -EIO, "a port without an interface is started");
	CHECK(port_try_setup(&port, &conf) == -EIO, "and configured");
	rig_settle();
	CHECK(get(&nb_rmv) == 0, "not asked for");
	port_close(&port);
}

/* Deleted after it was asked for, before the start: told at once. */
static void
removed_while_stopped(void)
{
	struct port port;

	rig_case("the interface is deleted while the port is stopped");
	open_port(&port, &with_all);
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_run("ip link del %s", port.ifname);
	WAIT_FOR(get(&nb_rmv) == 1, "no removal event");
	CHECK(rte_eth_dev_start(port.id) == -EIO, "a port without an interface is started");
	port_close(&port);
	CHECK(get(&nb_rmv) == 1, "told twice");
}

/* Before the thread gets round to looking, its index is another's. */
static void
replaced(void)
{
	struct port port;

	rig_case("the interface is deleted, and its index used again");
	open_port(&port, &with_all);
	set(&hold, true);
	admin_sets(&port, false);
	WAIT_FOR(is(&is_held), "no event");
	rig_run("ip link del %s", port.ifname);
	rig_run("ip link add name other index %u type veth", port.ifindex);
	set(&hold, false);
	WAIT_FOR(get(&nb_rmv) == 1, "no removal event");
	CHECK(rte_eth_dev_is_removed(port.id) == 1, "not removed");
	port_close(&port);
	CHECK(get(&nb_rmv) == 1, "told twice");
	CHECK(if_nametoindex("other") == port.ifindex, "another's interface is deleted");
	rig_run("ip link del other");
}

/* By the callback of the event that comes first, or second. */
static void
closed_by_callback(RTE_ATOMIC(bool) *flag, unsigned int expected_rmv)
{
	struct port port;

	open_port(&port, &with_all);
	set(flag, true);
	rig_run("ip link del %s", port.ifname);
	WAIT_FOR(!is(flag), "not closed");
	CHECK(rte_eth_dev_is_valid_port(port.id) == 0, "port %u is still there", port.id);
	CHECK_OK(rte_eal_hotplug_remove("vdev", port.name));
	rig_settle();
	CHECK(get(&nb_rmv) == expected_rmv && get(&nb_lsc) == 1, "told twice");
}

/* To be moved is not to be removed. */
static void
moved(void)
{
	pid_t pid = rig_fork_namespace();
	struct port port;

	rig_case("the interface is moved to another namespace");
	open_port(&port, &with_all);
	rig_run("ip link set %s netns %d", port.ifname, pid);
	CHECK(rte_eth_dev_is_removed(port.id) == 0, "removed");
	CHECK_OK(rte_eth_dev_set_link_down(port.id));
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_close(&port);
	CHECK(get(&nb_rmv) == 0, "removal event");
	rig_end_namespace(pid);
}

/*
 * No interrupt is promised on a file whose interface this process does not see, for want of a right
 * where that is.
 */
static void
unseen(void)
{
	struct ifreq ifr = {
		.ifr_name = "unseen",
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
	};
	struct port port = { .name = "net_rtap0" };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct port_conf conf = with_all;
	pid_t pid = rig_fork_namespace();
	char args[16];

	rig_case("a file of another namespace");
	CHECK(fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0, "no TAP: %s", strerror(errno));
	rig_run("ip link set %s netns %d", ifr.ifr_name, pid);
	snprintf(args, sizeof(args), "fd=%d", fd);
	rig_set_capability(CAP_NET_ADMIN, false);
	CHECK_OK(port_try_attach(port.name, args));
	rig_set_capability(CAP_NET_ADMIN, true);
	CHECK_OK(rte_eth_dev_get_port_by_name(port.name, &port.id));
	conf.mtu = RTE_ETHER_MTU;
	CHECK(port_try_setup(&port, &conf) != 0, "interrupts that cannot be had");
	conf.intr.lsc = conf.intr.rmv = 0;
	port_setup(&port, &conf);
	CHECK_OK(rte_eth_dev_start(port.id));
	CHECK(rte_eth_dev_is_removed(port.id) == 0, "removed");
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_close(&port);
	close(fd);
	rig_end_namespace(pid);
}

/*
 * State
 */

/* MTU and MAC address of the port are those of the interface. */
static bool
is_in_step(const struct port *port)
{
	struct rte_ether_addr mac, kernel;
	uint16_t now;

	kernel_mac(port->ifname, &kernel);
	return rte_eth_dev_get_mtu(port->id, &now) == 0 && now == kernel_mtu(port->ifname) &&
		rte_eth_macaddr_get(port->id, &mac) == 0 && rte_is_same_ether_addr(&mac, &kernel);
}

static void
expect_state(const struct port *port)
{
	CHECK(is_in_step(port), "port and interface differ");
}

static void
await_state(const struct port *port)
{
	WAIT_FOR(is_in_step(port), "port and interface differ");
}

static bool
kernel_mac_ends_in(const char *ifname, uint8_t byte)
{
	struct rte_ether_addr mac;

	kernel_mac(ifname, &mac);
	return mac.addr_bytes[RTE_ETHER_ADDR_LEN - 1] == byte;
}

static void
kernel_set_mac(const char *ifname, unsigned int number)
{
	struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };
	struct rte_ether_addr mac = { { 0x02, 0, 0, 0, number >> 8, number & 0xff } };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(ifr.ifr_hwaddr.sa_data, &mac, sizeof(mac));
	rte_strscpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name));
	CHECK(sock >= 0 && ioctl(sock, SIOCSIFHWADDR, &ifr) == 0, "SIOCSIFHWADDR: %s",
		strerror(errno));
	close(sock);
}

/* Attached files of a multi-queue TAP. */
static unsigned int
kernel_queues(const char *ifname)
{
	char *text = rig_output("ip -d link show %s", ifname);
	const char *found = strstr(text, "numqueues ");
	unsigned int n = 0;

	CHECK(found == NULL || sscanf(found, "numqueues %u", &n) == 1, "no number: %s", text);
	free(text);
	return n;
}

/* Have announcements been lost? The kernel counts them. */
static bool
is_overrun(int sock)
{
	struct sock_info { uint32_t values[9]; } info; /* SK_MEMINFO_VARS of linux/sock_diag.h */
	socklen_t len = sizeof(info);

	CHECK(getsockopt(sock, SOL_SOCKET, SO_MEMINFO, &info, &len) == 0, "SO_MEMINFO: %s",
		strerror(errno));
	return info.values[8] > 0; /* SK_MEMINFO_DROPS */
}

/*
 * MTU
 */

/* One large frame, of which all or nothing is received. Returns whether it was all. */
static bool
large_arrives(const struct port *port, int sock)
{
	static uint8_t data[LARGE];
	uint64_t truncated = port_xstat(port, "rx_truncated_errors");
	struct rte_mbuf *m = NULL;
	bool whole = false;

	frame_write(data, sizeof(data), 1);
	kernel_send(sock, data, sizeof(data));
	WAIT_FOR((whole = port_rx_burst(port, 0, &m, 1) == 1) ||
		port_xstat(port, "rx_truncated_errors") != truncated, "a frame is lost");
	if (whole) {
		CHECK(frame_is_mbuf(m, sizeof(data), 1), "the frame differs");
		rte_pktmbuf_free(m);
	}
	return whole;
}

static void
mtu(void)
{
	struct port_conf conf = with_lsc;
	struct port port;
	int sock;

	rig_case("the administrator raises the MTU");
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.mtu = 1500;
	open_port(&port, &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	rig_run("ip link set %s mtu 9000", port.ifname);
	expect_events(&port, 1, true);
	expect_state(&port);
	CHECK(large_arrives(&port, sock), "large frames are cut off");
	CHECK_OK(rte_eth_dev_rx_queue_stop(port.id, 0));
	CHECK_OK(rte_eth_dev_rx_queue_start(port.id, 0));
	CHECK(large_arrives(&port, sock), "cut off after a restart of the queue");
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_start(&port);
	CHECK(large_arrives(&port, sock), "cut off after a restart of the port");
	/* The application has the last word, which is no news to it. */
	CHECK_OK(rte_eth_dev_set_mtu(port.id, 2000));
	CHECK(kernel_mtu(port.ifname) == 2000, "MTU %u", kernel_mtu(port.ifname));
	rig_settle();
	expect_events(&port, 1, true);
	expect_state(&port);
	/* While the port is stopped, too. */
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_run("ip link set %s mtu 9000", port.ifname);
	port_start(&port);
	expect_state(&port);
	CHECK(large_arrives(&port, sock), "cut off after a start");
	/* To configure is to say which. */
	CHECK_OK(rte_eth_dev_stop(port.id));
	conf.mtu = 3000;
	port_setup(&port, &conf);
	port_start(&port);
	CHECK(kernel_mtu(port.ifname) == 3000, "MTU %u", kernel_mtu(port.ifname));
	expect_state(&port);
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * Where the buffers cannot hold them, large frames are dropped and counted; others arrive. The
 * application is told, and the port starts all the same.
 */
static void
mtu_too_large(void)
{
	struct port port;
	int sock;

	rig_case("the administrator raises the MTU beyond the buffers");
	open_port(&port, &with_lsc);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	rig_run("ip link set %s mtu 9000", port.ifname);
	expect_events(&port, 1, true);
	expect_state(&port);
	CHECK(!large_arrives(&port, sock), "a frame larger than its buffer");
	frames_from_kernel(&port, sock, 3);
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_start(&port);
	CHECK(!large_arrives(&port, sock), "a frame larger than its buffer");
	frames_from_kernel(&port, sock, 3);
	/* The application itself cannot have that. */
	CHECK(rte_eth_dev_set_mtu(port.id, 8000) < 0, "an MTU beyond the buffers");
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * What the port knows
 */

/* Nobody asked for interrupts: it knows all the same. */
static void
without_interrupts(void)
{
	struct port port;
	uint16_t now;

	rig_case("without interrupts, from the first probe on");
	forget_events();
	rig_run("ip tuntap add dev told mode tap multi_queue");
	rig_run("ip link set told mtu 1700");
	port_attach(&port, "net_rtap0", "iface=told");
	CHECK_OK(rte_eth_dev_get_mtu(port.id, &now));
	CHECK(now == 1700, "MTU %u at first", now);
	rig_run("ip link set told mtu 1800");
	WAIT_FOR(rte_eth_dev_get_mtu(port.id, &now) == 0 && now == 1800,
		"MTU %u of a port that is not configured", now);
	port_setup(&port, &plain);
	rig_run("ip link set told address 02:00:00:00:00:77");
	await_state(&port);
	port_start(&port);
	await_state(&port);
	rig_run("ip link set told mtu 1600 address 02:00:00:00:00:78");
	await_state(&port);
	port_close(&port);
	rig_run("ip link del told");
	CHECK(get(&nb_lsc) == 0 && get(&nb_rmv) == 0, "events");
}

static void
mac(void)
{
	struct rte_ether_addr given = { { 0x02, 0, 0, 0, 0, 9 } };
	struct port port;

	rig_case("the administrator changes the MAC address");
	open_port(&port, &with_lsc);
	rig_run("ip link set %s address 02:00:00:00:00:05", port.ifname);
	expect_events(&port, 1, true);
	expect_state(&port);
	/* A start does not undo it, whenever it was. */
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_run("ip link set %s address 02:00:00:00:00:06", port.ifname);
	port_start(&port);
	expect_state(&port);
	CHECK(kernel_mac_ends_in(port.ifname, 6), "the address is undone");
	rig_settle();
	forget_events();
	CHECK_OK(rte_eth_dev_default_mac_addr_set(port.id, &given));
	rig_settle();
	expect_events(&port, 0, true);
	CHECK(kernel_mac_ends_in(port.ifname, 9), "the address is not set");
	port_close(&port);
}

static void
renamed(void)
{
	struct rte_eth_dev_info info;
	struct port port;

	rig_case("the administrator renames the interface");
	open_port(&port, &with_lsc);
	/* Before Linux 6.2, one that is up cannot be renamed. */
	admin_sets(&port, false);
	rig_run("ip link set %s name called", port.ifname);
	snprintf(port.ifname, sizeof(port.ifname), "called");
	expect_events(&port, 1, false);
	admin_sets(&port, true);
	expect_events(&port, 2, true);
	rig_run("ip link set called mtu 1400");
	expect_events(&port, 3, true);
	expect_state(&port);
	CHECK_OK(rte_eth_dev_info_get(port.id, &info));
	CHECK(info.if_index == if_nametoindex("called"), "index %u", info.if_index);
	CHECK_OK(rte_eth_dev_set_mtu(port.id, 1300));
	CHECK(kernel_mtu("called") == 1300, "MTU %u", kernel_mtu("called"));
	/* More queues are of the interface that is called so now. */
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_run("ip tuntap add dev told mode tap multi_queue");
	port_setup(&port, &two_queues);
	CHECK(kernel_queues("called") == 2 && kernel_queues("told") == 0,
		"the queues are another's");
	rig_run("ip link del told");
	port_close(&port);
	CHECK(if_nametoindex("called") == 0, "the interface outlives its port");
}

static bool
modes_are(const struct port *port, unsigned int promisc, unsigned int allmulti)
{
	return port_xstat(port, "kernel_promiscuous") == promisc &&
		port_xstat(port, "kernel_allmulticast") == allmulti;
}

/* What the application asks for is its own, on either side. */
static void
modes(void)
{
	struct port port;

	rig_case("promiscuous and all-multicast mode, by others");
	open_port(&port, &with_lsc);
	CHECK(modes_are(&port, 0, 0), "a mode is on");
	rig_run("ip link set %s promisc on", port.ifname);
	expect_events(&port, 1, true);
	CHECK(modes_are(&port, 1, 0), "promiscuous mode is not seen");
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	CHECK_OK(rte_eth_promiscuous_disable(port.id));
	CHECK((kernel_flags(port.ifname) & IFF_PROMISC) != 0, "another's mode is switched off");
	rig_run("ip link set %s promisc off allmulticast on", port.ifname);
	WAIT_FOR(modes_are(&port, 0, 1), "all-multicast mode is not seen");
	rig_run("ip link set %s allmulticast off", port.ifname);
	WAIT_FOR(modes_are(&port, 0, 0), "all-multicast mode stays");
	port_close(&port);
}

/* A bridge takes both modes, without the flags. */
static void
bridged(void)
{
	struct port port;

	rig_case("promiscuous and all-multicast mode, by a bridge");
	if (system("ip link add bridge0 type bridge 2>/dev/null") != 0) {
		fprintf(stderr, "  not tested: no bridge in this kernel\n");
		return;
	}
	open_port(&port, &with_lsc);
	rig_run("ip link set %s master bridge0", port.ifname);
	WAIT_FOR(modes_are(&port, 1, 1), "the bridge is not seen");
	rig_settle();
	CHECK(get(&nb_lsc) > 0, "no event");
	CHECK(rte_eth_promiscuous_get(port.id) == 0, "the application has not asked for it");
	forget_events();
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	CHECK_OK(rte_eth_promiscuous_disable(port.id));
	CHECK(modes_are(&port, 1, 1), "the bridge is not respected");
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	rig_settle();
	CHECK(get(&nb_lsc) == 0, "what the application does is news to it");
	rig_run("ip link del bridge0");
	WAIT_FOR(modes_are(&port, 1, 0), "the bridge is not left, or the application forgotten");
	rig_settle();
	forget_events();
	CHECK_OK(rte_eth_promiscuous_disable(port.id));
	CHECK(modes_are(&port, 0, 0), "it stays on");
	rig_settle();
	CHECK(get(&nb_lsc) == 0, "what the application does is news to it");
	port_close(&port);
}

/*
 * Very many changes, of which few are announced: the last counts.
 */

/* The socket on which the kernel announces changes: it is the one of this process in a group. */
static int
notification_socket(void)
{
	struct sockaddr_nl addr;
	socklen_t len;
	int fd, found = -1;

	for (fd = 3; fd < 256; fd++) {
		len = sizeof(addr);
		if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0 ||
		    addr.nl_family != AF_NETLINK || addr.nl_groups == 0)
			continue;
		CHECK(found < 0, "two sockets for notifications");
		found = fd;
	}
	CHECK(found >= 0, "no socket for notifications");
	return found;
}

static void
change_often(const struct port *ports, unsigned int nb_ports)
{
	unsigned int n;

	for (n = 0; n < NB_OFTEN; n++) {
		const struct port *port = &ports[n % nb_ports];

		if (n % 3 == 0)
			kernel_set_mtu(port->ifname, 1000 + rig_random(500));
		else
			kernel_set_mac(port->ifname, rig_random(1 << 16));
	}
}

static void
often(void)
{
	struct port ports[NB_PORTS];
	int tiny = 1, sock;
	unsigned int i;
	char name[16];

	rig_case("10000 changes of several ports, and a tiny socket");
	for (i = 0; i < NB_PORTS; i++) {
		snprintf(name, sizeof(name), "net_rtap%u", i);
		port_open(&ports[i], name, "", &with_lsc);
	}
	sock = notification_socket();
	CHECK(setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)) == 0, "SO_RCVBUF");
	/* While the thread is held, what comes is more than the socket takes. */
	CHECK_OK(rte_eth_dev_callback_register(ports[0].id, RTE_ETH_EVENT_INTR_LSC, on_lsc, NULL));
	set(&hold, true);
	admin_sets(&ports[0], false);
	WAIT_FOR(is(&is_held), "no event");
	change_often(ports, NB_PORTS);
	CHECK(is_overrun(sock), "the socket holds them all");
	set(&hold, false);
	for (i = 0; i < NB_PORTS; i++)
		await_state(&ports[i]);
	/* And while it runs. */
	change_often(ports, NB_PORTS);
	admin_sets(&ports[0], true);
	for (i = 0; i < NB_PORTS; i++)
		await_state(&ports[i]);
	CHECK_OK(rte_eth_dev_callback_unregister(ports[0].id, RTE_ETH_EVENT_INTR_LSC, on_lsc,
		NULL));
	for (i = 0; i < NB_PORTS; i++)
		port_close(&ports[i]);
	pool_check_full(pool);
}

/* The socket is there from the first port to the last, and serves those that come meanwhile. */
static void
come_and_go(void)
{
	struct port first, second;

	rig_case("one socket while there are ports");
	port_open(&first, "net_rtap0", "", &plain);
	notification_socket();
	port_open(&second, "net_rtap1", "", &plain);
	notification_socket();
	port_close(&first);
	rig_run("ip link set %s mtu 1234", second.ifname);
	await_state(&second);
	port_open(&first, "net_rtap0", "", &plain);
	port_close(&second);
	rig_run("ip link set %s mtu 1234", first.ifname);
	await_state(&first);
	port_close(&first);
}

static RTE_ATOMIC(bool) is_closed;
static RTE_ATOMIC(pid_t) closer;

static void *
close_port(void *arg)
{
	const struct port *port = arg;

	rte_atomic_store_explicit(&closer, gettid(), rte_memory_order_release);
	rte_eth_dev_stop(port->id);
	CHECK_OK(rte_eth_dev_close(port->id));
	CHECK(!is(&is_held), "closed while a callback runs");
	set(&is_closed, true);
	return NULL;
}

static bool
closer_waits(void)
{
	pid_t tid = rte_atomic_load_explicit(&closer, rte_memory_order_acquire);
	char path[64], state = 'R';
	FILE *file;

	if (tid == 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	if (file != NULL) {
		CHECK(fscanf(file, "%*d (%*[^)]) %c", &state) == 1, "no state in %s", path);
		fclose(file);
	}
	return state == 'S';
}

/* By another thread than that of the callback: nobody may look at the port any more. */
static void
close_during_callback(void)
{
	struct port port;
	pthread_t thread;

	rig_case("a port is closed while its callback runs");
	open_port(&port, &with_lsc);
	set(&hold, true);
	admin_sets(&port, false);
	WAIT_FOR(is(&is_held), "no event");
	CHECK_OK(pthread_create(&thread, NULL, close_port, &port));
	WAIT_FOR(closer_waits() || is(&is_closed), "the thread does not close the port");
	set(&hold, false);
	CHECK_OK(pthread_join(thread, NULL));
	CHECK_OK(rte_eal_hotplug_remove("vdev", port.name));
}

/* Which has been told of its own removal. */
static void
close_another(void)
{
	struct port port, other;

	rig_case("a port is closed by the callback of another");
	open_port(&port, &with_all);
	port_open(&other, "net_rtap1", "", &with_all);
	other_id = other.id;
	set(&close_other, true);
	rig_run("ip link del %s", other.ifname);
	rig_run("ip link del %s", port.ifname);
	WAIT_FOR(!is(&close_other), "not closed");
	WAIT_FOR(get(&nb_rmv) == 1, "no removal event");
	port_close(&port);
	CHECK_OK(rte_eal_hotplug_remove("vdev", other.name));
	rig_settle();
	CHECK(get(&nb_rmv) == 1, "told twice");
}

/*
 * Leaks
 */

static void
leaks(void)
{
	struct rig_census before;
	struct port port;
	unsigned int n;

	rig_case("leaks");
	rig_settle();
	rig_census(&before);
	for (n = 0; n < 10; n++) {
		open_port(&port, &with_all);
		CHECK_OK(rte_eth_dev_stop(port.id));
		/* Asked for no more, or as before. */
		port_setup(&port, n % 2 == 0 ? &plain : &with_lsc);
		port_start(&port);
		admin_sets(&port, false);
		port_close(&port);
	}
	rig_settle();
	rig_census_compare(&before, "notifications");

	open_port(&port, &plain);
	rig_settle();
	rig_census(&before);
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_setup(&port, &with_lsc);
	port_setup(&port, &plain);
	port_start(&port);
	rig_settle();
	rig_census_compare(&before, "notifications for a while");
	port_close(&port);
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	plain.pool = with_lsc.pool = with_all.pool = two_queues.pool = pool;
	two_queues.nb_rx = two_queues.nb_tx = 2;
	with_lsc.intr.lsc = 1;
	with_all.intr = (struct rte_eth_intr_conf){ .lsc = 1, .rxq = 1, .rmv = 1 };
	admin();
	carrier();
	restart();
	not_asked_for();
	overrun();
	while_asleep();
	removed();
	removed_before();
	removed_while_stopped();
	replaced();
	without_interrupts();
	mac();
	renamed();
	modes();
	bridged();
	often();
	come_and_go();
	close_another();
	close_during_callback();
	rig_case("the interface is deleted, and the port closed by a callback");
	closed_by_callback(&close_on_lsc, 0);
	closed_by_callback(&close_on_rmv, 1);
	moved();
	unseen();
	mtu();
	mtu_too_large();
	leaks();
	return rig_done();
}
