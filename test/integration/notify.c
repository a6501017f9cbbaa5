/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * What an application is told of its interface without asking: link status interrupt, removal, and
 * a change of the MTU that it does not learn of but copes with.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_alarm.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_epoll.h>
#include <rte_interrupts.h>
#include <rte_stdatomic.h>

#include "rig.h"

#define NB_MBUF 4096
#define NB_CHANGES 20
#define NB_FLOOD 3000
#define LARGE 8000

static struct rte_mempool *pool;
static struct port_conf plain, with_lsc, with_all;

/* Written by DPDK's thread for interrupts. */
static RTE_ATOMIC(unsigned int) nb_lsc, nb_rmv;
static RTE_ATOMIC(bool) told_up, hold, is_held, close_on_lsc, close_on_rmv;

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

static void
set_flag(void *flag)
{
	set(flag, true);
}

/* DPDK's thread for interrupts makes a file of its own anew when a source has come or gone. */
static void
settle(void)
{
	static RTE_ATOMIC(bool) done;

	set(&done, false);
	CHECK_OK(rte_eal_alarm_set(1000, set_flag, (void *)&done));
	WAIT_FOR(is(&done), "no alarm");
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
	settle();
	CHECK(get(&nb_rmv) == expected_rmv && get(&nb_lsc) == 1, "told twice");
}

/* A process in a network namespace of its own, which ends with this one. */
static pid_t
fork_namespace(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	CHECK_OK(pipe(ready));
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK(pid > 0 && read(ready[0], &byte, 1) == 1, "no other namespace");
	close(ready[0]);
	return pid;
}

/* To be moved is not to be removed. */
static void
moved(void)
{
	pid_t pid = fork_namespace();
	struct port port;

	rig_case("the interface is moved to another namespace");
	open_port(&port, &with_all);
	rig_run("ip link set %s netns %d", port.ifname, pid);
	CHECK(rte_eth_dev_is_removed(port.id) == 0, "removed");
	CHECK_OK(rte_eth_dev_set_link_down(port.id));
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_close(&port);
	CHECK(get(&nb_rmv) == 0, "removal event");
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid, "waitpid: %s", strerror(errno));
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
	pid_t pid = fork_namespace();
	char args[16];

	rig_case("a file of another namespace");
	CHECK(fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0, "no TAP: %s", strerror(errno));
	rig_run("ip link set %s netns %d", ifr.ifr_name, pid);
	snprintf(args, sizeof(args), "fd=%d", fd);
	rig_set_net_admin(false);
	CHECK_OK(port_try_attach(port.name, args));
	rig_set_net_admin(true);
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
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid, "waitpid: %s", strerror(errno));
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
	uint16_t now;
	int sock;

	rig_case("the administrator raises the MTU");
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.mtu = 1500;
	open_port(&port, &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	rig_run("ip link set %s mtu 9000", port.ifname);
	WAIT_FOR(large_arrives(&port, sock), "large frames are cut off");
	CHECK_OK(rte_eth_dev_get_mtu(port.id, &now));
	CHECK(now == 1500, "MTU %u of the port", now);
	CHECK_OK(rte_eth_dev_rx_queue_stop(port.id, 0));
	CHECK_OK(rte_eth_dev_rx_queue_start(port.id, 0));
	CHECK(large_arrives(&port, sock), "cut off after a restart of the queue");
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_start(&port);
	CHECK(large_arrives(&port, sock), "cut off after a restart of the port");
	/* The application has the last word. */
	CHECK_OK(rte_eth_dev_set_mtu(port.id, 2000));
	CHECK(kernel_mtu(port.ifname) == 2000, "MTU %u", kernel_mtu(port.ifname));
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/* Where the buffers cannot hold them, large frames are dropped and counted; others arrive. */
static void
mtu_too_large(void)
{
	struct port port;
	int sock;

	rig_case("the administrator raises the MTU beyond the buffers");
	open_port(&port, &with_lsc);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	rig_run("ip link set %s mtu 9000", port.ifname);
	CHECK(!large_arrives(&port, sock), "a frame larger than its buffer");
	frames_from_kernel(&port, sock, 3);
	expect_events(&port, 0, true);
	close(sock);
	port_close(&port);
	pool_check_full(pool);
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
	settle();
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
	settle();
	rig_census_compare(&before, "notifications");

	open_port(&port, &plain);
	settle();
	rig_census(&before);
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_setup(&port, &with_lsc);
	port_setup(&port, &plain);
	port_start(&port);
	settle();
	rig_census_compare(&before, "notifications for a while");
	port_close(&port);
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	plain.pool = with_lsc.pool = with_all.pool = pool;
	with_lsc.intr.lsc = 1;
	with_all.intr = (struct rte_eth_intr_conf){ .lsc = 1, .rxq = 1, .rmv = 1 };
	admin();
	carrier();
	restart();
	not_asked_for();
	overrun();
	while_asleep();
	removed();
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
