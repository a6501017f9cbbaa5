/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_FILTER_H_
#define _RTAP_FILTER_H_

/*
 * What the kernel keeps from the application: frames to MAC addresses and of VLANs that it has not
 * asked for. They are dropped before they are queued or copied, and counted in tx_dropped of the
 * interface.
 *
 * The interface has a filter while the port runs, and none when it is left.
 */

#include <stdbool.h>
#include <stdint.h>

#include <linux/if_tun.h>

#include <rte_ether.h>

#include "rtap_bpf.h"

/* FLT_EXACT_COUNT of drivers/net/tun.c: the addresses that tun compares with. */
#define RTAP_FILTER_EXACT 8

/* What the application may ask for: unicast addresses, the port's own included; and multicast. */
#define RTAP_MAC_ADDRS 64
#define RTAP_MC_ADDRS 1024

enum rtap_filter_mode {
	RTAP_FILTER_OFF,		/* everything passes: promiscuous, or the port is stopped */
	RTAP_FILTER_OVERFLOW,		/* everything passes: too many unicast addresses */
	RTAP_FILTER_EXACT_MATCH,	/* what was asked for passes, and nothing else */
	RTAP_FILTER_HASH,		/* more multicast and broadcast may pass than asked for */
	RTAP_FILTER_ALLMULTI,		/* all multicast and broadcast pass */
};

/** struct tun_filter of linux/if_tun.h, with room for all addresses. */
struct rtap_filter_list {
	uint16_t flags;
	uint16_t count;		/* 0: no filter */
	struct rte_ether_addr addrs[RTAP_MAC_ADDRS + 1 + RTAP_MC_ADDRS];
};

/** What the list is made of. */
struct rtap_filter_conf {
	const struct rte_ether_addr *macs;	/* RTAP_MAC_ADDRS; zero: none, but for the first */
	const struct rte_ether_addr *mc;
	uint16_t nb_mc;
	bool promiscuous;
	bool allmulticast;
};

/** Write the list that TUNSETTXFILTER takes, and say what it does. */
enum rtap_filter_mode rtap_filter_list_write(struct rtap_filter_list *list,
		const struct rtap_filter_conf *conf);

/** The filters of a port. Under its lock. */
struct rtap_filter {
	bool active;			/* the port runs */
	enum rtap_filter_mode mode;
	bool vlan_offered;		/* this process can load the program */
	bool vlan_on;			/* the interface has it */
	struct rtap_vlan_program vlan;
	bool own_added;			/* the application has added what is the own address now */
	uint16_t nb_mc;
	struct rte_ether_addr mc[RTAP_MC_ADDRS];
};

#endif /* _RTAP_FILTER_H_ */
