/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The application is told that its interface was deleted, once, whenever that was; and not if it
 * has only moved. A callback may close ports.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/if_tun.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>

#include "events.h"

#define NB_MBUF 1024
#define TOLD "iface=told"

static struct rte_mempool *pool;
static struct port_conf plain, with_all;

/* Which event closes a port: its own, or another. */
static RTE_ATOMIC(bool) close_on_lsc, close_on_rmv, close_other;
static uint16_t other_id;

static void
removed(void)
{
	struct port port;

	rig_case("the interface is deleted");
	events_open(&port, TOLD, &with_all);
	rig_run("ip link del %s", port.ifname);
	WAIT_FOR(events_rmv() == 1, "no removal event");
	CHECK(events_lsc() == 1 && !events_told_up(), "the link does not go down");
	CHECK(rte_eth_dev_is_removed(port.id) == 1, "not removed");
	port_close(&port);
	CHECK(events_rmv() == 1 && events_lsc() == 1, "told twice");
}

/* The call that asks for the event fails instead. */
static void
removed_before(void)
{
	struct port_conf conf = with_all;
	struct port port;

	rig_case("the interface is deleted before the event is asked for");
	conf.mtu = RTE_ETHER_MTU;
	port_attach(&port, "net_rtap0", TOLD);
	events_count(&port);
	port_setup(&port, &plain);
	rig_run("ip link del %s", port.ifname);
	rig_settle();
	CHECK(rte_eth_dev_start(port.id) == -EIO, "a port without an interface is started");
	CHECK(port_try_setup(&port, &conf) == -EIO, "and configured");
	rig_settle();
	CHECK(events_rmv() == 0, "not asked for");
	port_close(&port);
}

/* Deleted after it was asked for, before the start: told at once. */
static void
removed_while_stopped(void)
{
	struct port port;

	rig_case("the interface is deleted while the port is stopped");
	events_open(&port, TOLD, &with_all);
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_run("ip link del %s", port.ifname);
	WAIT_FOR(events_rmv() == 1, "no removal event");
	CHECK(rte_eth_dev_start(port.id) == -EIO, "a port without an interface is started");
	port_close(&port);
	CHECK(events_rmv() == 1, "told twice");
}

/* Before the thread gets round to looking, its index is another's. */
static void
replaced(void)
{
	struct port port;

	rig_case("the interface is deleted, and its index used again");
	events_open(&port, TOLD, &with_all);
	events_hold(&port);
	rig_run("ip link del %s", port.ifname);
	rig_run("ip link add name other index %u type veth", port.ifindex);
	events_release();
	WAIT_FOR(events_rmv() == 1, "no removal event");
	CHECK(rte_eth_dev_is_removed(port.id) == 1, "not removed");
	port_close(&port);
	CHECK(events_rmv() == 1, "told twice");
	CHECK(if_nametoindex("other") == port.ifindex, "another's interface is deleted");
	rig_run("ip link del other");
}

/* To be moved is not to be removed. */
static void
moved(void)
{
	pid_t pid = rig_fork_namespace();
	struct port port;

	rig_case("the interface is moved to another namespace");
	events_open(&port, TOLD, &with_all);
	rig_run("ip link set %s netns %d", port.ifname, pid);
	CHECK(rte_eth_dev_is_removed(port.id) == 0, "removed");
	rig_settle();
	CHECK_OK(rte_eth_dev_set_link_down(port.id));
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_close(&port);
	CHECK(events_rmv() == 0, "removal event");
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
 * Ports that are closed by a callback
 */

static void
close_if(RTE_ATOMIC(bool) *flag, uint16_t port_id)
{
	if (!flag_get(flag))
		return;
	rte_eth_dev_stop(port_id);
	CHECK_OK(rte_eth_dev_close(port_id));
	flag_set(flag, false);
}

static void
close_by_event(uint16_t port_id, enum rte_eth_event_type type)
{
	close_if(type == RTE_ETH_EVENT_INTR_LSC ? &close_on_lsc : &close_on_rmv, port_id);
	if (type == RTE_ETH_EVENT_INTR_RMV && flag_get(&close_other) && port_id != other_id)
		close_if(&close_other, other_id);
}

/* By the callback of the event that comes first, or second. */
static void
closed_by_callback(RTE_ATOMIC(bool) *flag, unsigned int expected_rmv)
{
	struct port port;

	events_open(&port, TOLD, &with_all);
	flag_set(flag, true);
	rig_run("ip link del %s", port.ifname);
	WAIT_FOR(!flag_get(flag), "not closed");
	CHECK(rte_eth_dev_is_valid_port(port.id) == 0, "port %u is still there", port.id);
	CHECK_OK(rte_eal_hotplug_remove("vdev", port.name));
	rig_settle();
	CHECK(events_rmv() == expected_rmv && events_lsc() == 1, "told twice");
}

/* Which has been told of its own removal. */
static void
close_another(void)
{
	struct port port, other;

	rig_case("a port is closed by the callback of another");
	events_open(&port, TOLD, &with_all);
	port_open(&other, "net_rtap1", "", &with_all);
	other_id = other.id;
	flag_set(&close_other, true);
	rig_run("ip link del %s", other.ifname);
	rig_run("ip link del %s", port.ifname);
	WAIT_FOR(!flag_get(&close_other), "not closed");
	WAIT_FOR(events_rmv() == 1, "no removal event");
	port_close(&port);
	CHECK_OK(rte_eal_hotplug_remove("vdev", other.name));
	rig_settle();
	CHECK(events_rmv() == 1, "told twice");
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	plain.pool = with_all.pool = pool;
	with_all.intr = (struct rte_eth_intr_conf){ .lsc = 1, .rxq = 1, .rmv = 1 };
	events_hook = close_by_event;
	removed();
	removed_before();
	removed_while_stopped();
	replaced();
	moved();
	unseen();
	rig_case("the interface is deleted, and the port closed by a callback");
	closed_by_callback(&close_on_lsc, 0);
	closed_by_callback(&close_on_rmv, 1);
	close_another();
	return rig_done();
}
