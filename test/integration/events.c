/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <sched.h>

#include "events.h"

void (*events_hook)(uint16_t port_id, enum rte_eth_event_type type);

/* Written by DPDK's thread for interrupts, */
static RTE_ATOMIC(unsigned int) nb_lsc, nb_rmv;
static RTE_ATOMIC(bool) told_up, is_held;
/* and read by it. */
static RTE_ATOMIC(bool) hold;

static void
count(RTE_ATOMIC(unsigned int) *counter)
{
	rte_atomic_fetch_add_explicit(counter, 1, rte_memory_order_release);
}

static int
on_lsc(uint16_t port_id, enum rte_eth_event_type type, void *arg __rte_unused,
		void *ret __rte_unused)
{
	struct rte_eth_link link;

	CHECK_OK(rte_eth_link_get_nowait(port_id, &link));
	flag_set(&told_up, link.link_status == RTE_ETH_LINK_UP);
	count(&nb_lsc);
	while (flag_get(&hold)) {
		flag_set(&is_held, true);
		sched_yield();
	}
	flag_set(&is_held, false);
	if (events_hook != NULL)
		events_hook(port_id, type);
	return 0;
}

static int
on_rmv(uint16_t port_id, enum rte_eth_event_type type, void *arg __rte_unused,
		void *ret __rte_unused)
{
	count(&nb_rmv);
	if (events_hook != NULL)
		events_hook(port_id, type);
	return 0;
}

void
events_count(const struct port *port)
{
	CHECK_OK(rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_LSC, on_lsc, NULL));
	CHECK_OK(rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_RMV, on_rmv, NULL));
	events_forget();
}

void
events_open(struct port *port, const char *args, const struct port_conf *conf)
{
	port_attach(port, "net_rtap0", args);
	events_count(port);
	port_setup(port, conf);
	port_start(port);
}

void
events_forget(void)
{
	rte_atomic_store_explicit(&nb_lsc, 0, rte_memory_order_release);
	rte_atomic_store_explicit(&nb_rmv, 0, rte_memory_order_release);
}

unsigned int
events_lsc(void)
{
	return rte_atomic_load_explicit(&nb_lsc, rte_memory_order_acquire);
}

unsigned int
events_rmv(void)
{
	return rte_atomic_load_explicit(&nb_rmv, rte_memory_order_acquire);
}

bool
events_told_up(void)
{
	return flag_get(&told_up);
}

void
events_expect(const struct port *port, unsigned int n, bool up)
{
	struct rte_eth_link link;

	WAIT_FOR(events_lsc() >= n, "%u of %u link events", events_lsc(), n);
	CHECK(events_lsc() == n, "%u link events, not %u", events_lsc(), n);
	CHECK(n == 0 || events_told_up() == up, "event %u says %s", n, up ? "down" : "up");
	CHECK_OK(rte_eth_link_get_nowait(port->id, &link));
	CHECK(link.link_status == (up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN), "the link is %s",
		up ? "down" : "up");
}

void
events_hold(const struct port *port)
{
	flag_set(&hold, true);
	admin_sets(port, false);
	WAIT_FOR(flag_get(&is_held), "no event");
}

void
events_release(void)
{
	flag_set(&hold, false);
}

bool
events_are_held(void)
{
	return flag_get(&is_held);
}

void
admin_sets(const struct port *port, bool up)
{
	rig_run("ip link set %s %s", port->ifname, up ? "up" : "down");
}
