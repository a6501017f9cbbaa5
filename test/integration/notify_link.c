/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The application is told of its link, if it wants to be: whoever changes it and however often,
 * and together with Rx interrupts. A port may be closed meanwhile.
 */

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_epoll.h>
#include <rte_interrupts.h>

#include "events.h"

#define NB_MBUF 1024
#define NB_CHANGES 20
#define NB_FLOOD 3000
#define TOLD "iface=told"

static struct rte_mempool *pool;
static struct port_conf plain, with_lsc, with_all;

static void
admin(void)
{
	struct port port;
	unsigned int n;

	rig_case("link events: by the administrator");
	events_open(&port, TOLD, &with_lsc);
	events_expect(&port, 0, true);
	for (n = 1; n <= NB_CHANGES; n++) {
		admin_sets(&port, n % 2 == 0);
		events_expect(&port, n, n % 2 == 0);
		/* What does not change the link, or another's, is no event. */
		rig_run("ip link set %s txqueuelen %u", port.ifname, 500 + n);
		rig_run("ip tuntap add dev other mode tap");
		rig_run("ip link set other up");
		rig_run("ip link del other");
		admin_sets(&port, n % 2 == 0);
	}
	events_expect(&port, NB_CHANGES, true);
	port_close(&port);
}

/* Two that change the carrier: the application, and the administrator. */
static void
carrier(void)
{
	struct port port;

	rig_case("link events: carrier");
	events_open(&port, TOLD, &with_lsc);
	CHECK_OK(rte_eth_dev_set_link_down(port.id));
	events_expect(&port, 1, false);
	CHECK_OK(rte_eth_dev_set_link_up(port.id));
	events_expect(&port, 2, true);
	rig_run("ip link set %s carrier off", port.ifname);
	events_expect(&port, 3, false);
	rig_run("ip link set %s carrier on", port.ifname);
	events_expect(&port, 4, true);
	port_close(&port);
}

/* Stop and start are known to the application. What happens meanwhile it does not want to know. */
static void
restart(void)
{
	struct port port;
	unsigned int n;

	rig_case("link events: port stop and start");
	events_open(&port, TOLD, &with_lsc);
	for (n = 0; n < 3; n++) {
		CHECK_OK(rte_eth_dev_stop(port.id));
		admin_sets(&port, false);
		admin_sets(&port, true);
		port_start(&port);
		events_expect(&port, 2 * n, true);
		admin_sets(&port, false);
		events_expect(&port, 2 * n + 1, false);
		admin_sets(&port, true);
		events_expect(&port, 2 * n + 2, true);
	}
	port_close(&port);
}

static void
not_asked_for(void)
{
	struct port port;

	rig_case("link events: not asked for");
	events_open(&port, TOLD, &plain);
	admin_sets(&port, false);
	admin_sets(&port, true);
	rig_run("ip link del %s", port.ifname);
	CHECK(rte_eth_dev_is_removed(port.id) == 1, "not removed");
	port_close(&port);
	CHECK(events_lsc() == 0 && events_rmv() == 0, "events");
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
	events_open(&port, TOLD, &with_lsc);
	rig_run("ip tuntap add dev other mode tap");
	events_hold(&port);
	for (i = 0; i < NB_FLOOD; i++)
		kernel_set_mtu("other", 1400 + i % 2);
	admin_sets(&port, true);
	events_release();
	events_expect(&port, 2, true);
	rig_run("ip link del other");
	port_close(&port);
}

/* To look at the interface takes a file. The port is as it was seen last, and looks again. */
static void
out_of_files(void)
{
	struct rte_eth_link link;
	struct port port;

	rig_case("link events: no file to look with");
	events_open(&port, TOLD, &with_lsc);
	rig_settle();
	rig_take_files();
	admin_sets(&port, false);
	rig_settle();
	rig_give_files();
	events_expect(&port, 1, false);
	admin_sets(&port, true);
	events_expect(&port, 2, true);
	port_close(&port);

	events_open(&port, TOLD, &plain);
	rig_settle();
	admin_sets(&port, false);
	rig_settle();
	rig_take_files();
	CHECK_OK(rte_eth_link_get_nowait(port.id, &link));
	rig_give_files();
	CHECK(link.link_status == RTE_ETH_LINK_DOWN, "up because nobody can see that it is down");
	port_close(&port);
}

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
	events_open(&port, TOLD, &with_all);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	CHECK_OK(pthread_create(&thread, NULL, start_sleeper, &port));
	for (n = 0; n < NB_CHANGES; n++) {
		admin_sets(&port, false);
		events_expect(&port, 2 * n + 1, false);
		admin_sets(&port, true);
		events_expect(&port, 2 * n + 2, true);
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

static RTE_ATOMIC(bool) is_closed;
static RTE_ATOMIC(pid_t) closer;

static void *
close_port(void *arg)
{
	const struct port *port = arg;

	rte_atomic_store_explicit(&closer, gettid(), rte_memory_order_release);
	rte_eth_dev_stop(port->id);
	CHECK_OK(rte_eth_dev_close(port->id));
	CHECK(!events_are_held(), "closed while a callback runs");
	flag_set(&is_closed, true);
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
	events_open(&port, TOLD, &with_lsc);
	events_hold(&port);
	CHECK_OK(pthread_create(&thread, NULL, close_port, &port));
	WAIT_FOR(closer_waits() || flag_get(&is_closed), "the thread does not close the port");
	events_release();
	CHECK_OK(pthread_join(thread, NULL));
	CHECK_OK(rte_eal_hotplug_remove("vdev", port.name));
}

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
		events_open(&port, TOLD, &with_all);
		CHECK_OK(rte_eth_dev_stop(port.id));
		/* Asked for no more, or as before. */
		port_setup(&port, n % 2 == 0 ? &plain : &with_lsc);
		port_start(&port);
		admin_sets(&port, false);
		port_close(&port);
	}
	rig_settle();
	rig_census_compare(&before, "notifications");

	events_open(&port, TOLD, &plain);
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
	plain.pool = with_lsc.pool = with_all.pool = pool;
	with_lsc.intr.lsc = 1;
	with_all.intr = (struct rte_eth_intr_conf){ .lsc = 1, .rxq = 1, .rmv = 1 };
	admin();
	carrier();
	restart();
	not_asked_for();
	overrun();
	out_of_files();
	while_asleep();
	close_during_callback();
	leaks();
	return rig_done();
}
