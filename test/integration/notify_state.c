/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * MTU, MAC address, name and modes of the port are those of its interface, whatever somebody else
 * does to that and however often.
 */

#include <errno.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include <rte_string_fns.h>

#include "events.h"

#define NB_MBUF 4096
#define NB_OFTEN 10000
#define NB_PORTS 4
#define LARGE 8000
#define TOLD "iface=told"

static struct rte_mempool *pool;
static struct port_conf plain, with_lsc, two_queues;

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
	events_open(&port, TOLD, &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	rig_run("ip link set %s mtu 9000", port.ifname);
	events_expect(&port, 1, true);
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
	events_expect(&port, 1, true);
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
	events_open(&port, TOLD, &with_lsc);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	rig_run("ip link set %s mtu 9000", port.ifname);
	events_expect(&port, 1, true);
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
	events_forget();
	rig_run("ip tuntap add dev told mode tap multi_queue");
	rig_run("ip link set told mtu 1700");
	port_attach(&port, "net_rtap0", TOLD);
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
	CHECK(events_lsc() == 0 && events_rmv() == 0, "events");
}

static void
mac(void)
{
	struct rte_ether_addr given = { { 0x02, 0, 0, 0, 0, 9 } };
	struct port port;

	rig_case("the administrator changes the MAC address");
	events_open(&port, TOLD, &with_lsc);
	rig_run("ip link set %s address 02:00:00:00:00:05", port.ifname);
	events_expect(&port, 1, true);
	expect_state(&port);
	/* A start does not undo it, whenever it was. */
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_run("ip link set %s address 02:00:00:00:00:06", port.ifname);
	port_start(&port);
	expect_state(&port);
	CHECK(kernel_mac_ends_in(port.ifname, 6), "the address is undone");
	rig_settle();
	events_forget();
	CHECK_OK(rte_eth_dev_default_mac_addr_set(port.id, &given));
	rig_settle();
	events_expect(&port, 0, true);
	CHECK(kernel_mac_ends_in(port.ifname, 9), "the address is not set");
	port_close(&port);
}

static void
renamed(void)
{
	struct rte_eth_dev_info info;
	struct port port;

	rig_case("the administrator renames the interface");
	events_open(&port, TOLD, &with_lsc);
	/* Before Linux 6.2, one that is up cannot be renamed. */
	admin_sets(&port, false);
	rig_run("ip link set %s name called", port.ifname);
	snprintf(port.ifname, sizeof(port.ifname), "called");
	events_expect(&port, 1, false);
	admin_sets(&port, true);
	events_expect(&port, 2, true);
	rig_run("ip link set called mtu 1400");
	events_expect(&port, 3, true);
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
	events_open(&port, TOLD, &with_lsc);
	CHECK(modes_are(&port, 0, 0), "a mode is on");
	rig_run("ip link set %s promisc on", port.ifname);
	events_expect(&port, 1, true);
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
	events_open(&port, TOLD, &with_lsc);
	rig_run("ip link set %s master bridge0", port.ifname);
	WAIT_FOR(modes_are(&port, 1, 1), "the bridge is not seen");
	rig_settle();
	CHECK(events_lsc() > 0, "no event");
	CHECK(rte_eth_promiscuous_get(port.id) == 0, "the application has not asked for it");
	events_forget();
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	CHECK_OK(rte_eth_promiscuous_disable(port.id));
	CHECK(modes_are(&port, 1, 1), "the bridge is not respected");
	CHECK_OK(rte_eth_promiscuous_enable(port.id));
	rig_settle();
	CHECK(events_lsc() == 0, "what the application does is news to it");
	rig_run("ip link del bridge0");
	WAIT_FOR(modes_are(&port, 1, 0), "the bridge is not left, or the application forgotten");
	rig_settle();
	events_forget();
	CHECK_OK(rte_eth_promiscuous_disable(port.id));
	CHECK(modes_are(&port, 0, 0), "it stays on");
	rig_settle();
	CHECK(events_lsc() == 0, "what the application does is news to it");
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
	events_count(&ports[0]);
	events_hold(&ports[0]);
	change_often(ports, NB_PORTS);
	CHECK(is_overrun(sock), "the socket holds them all");
	events_release();
	for (i = 0; i < NB_PORTS; i++)
		await_state(&ports[i]);
	/* And while it runs. */
	change_often(ports, NB_PORTS);
	admin_sets(&ports[0], true);
	for (i = 0; i < NB_PORTS; i++)
		await_state(&ports[i]);
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

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	plain.pool = with_lsc.pool = two_queues.pool = pool;
	two_queues.nb_rx = two_queues.nb_tx = 2;
	with_lsc.intr.lsc = 1;
	without_interrupts();
	mac();
	renamed();
	modes();
	bridged();
	often();
	come_and_go();
	mtu();
	mtu_too_large();
	return rig_done();
}
