/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef EVENTS_H
#define EVENTS_H

/*
 * What a port tells the application of: link status interrupt and removal, which DPDK's thread for
 * interrupts counts here.
 */

#include <rte_stdatomic.h>

#include "rig.h"

/** Between that thread and the test's. */
static inline bool
flag_get(RTE_ATOMIC(bool) *flag)
{
	return rte_atomic_load_explicit(flag, rte_memory_order_acquire);
}

static inline void
flag_set(RTE_ATOMIC(bool) *flag, bool value)
{
	rte_atomic_store_explicit(flag, value, rte_memory_order_release);
}

/** Attach net_rtap0, count its events from now on, set it up and start it. */
void events_open(struct port *port, const char *args, const struct port_conf *conf);
/** Count those of a port that is open. */
void events_count(const struct port *port);
void events_forget(void);

/** How many there were. */
unsigned int events_lsc(void);
unsigned int events_rmv(void);
/** The link was up when the last was told. */
bool events_told_up(void);
/** So many of the link by now, and no more; and the link is as the last of them said. */
void events_expect(const struct port *port, unsigned int n, bool up);

/** Set the link down, and hold the thread in the callback that this leads to. */
void events_hold(const struct port *port);
void events_release(void);
bool events_are_held(void);

/** What that thread is to do with an event, besides counting it. Set it while none can come. */
extern void (*events_hook)(uint16_t port_id, enum rte_eth_event_type type);

/** With ip. */
void admin_sets(const struct port *port, bool up);

#endif /* EVENTS_H */
