/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The filter for MAC addresses is that of tun, see update_filter() and run_filter() in
 * drivers/net/tun.c of Linux: the first eight addresses of the list are compared with, further
 * multicast addresses become bits of a hash with 64 bits, and a further unicast address means that
 * there is no filter. So unicast addresses come first. Broadcast is not special to tun.
 *
 * What is wanted follows from what ethdev remembers of the port, so each operation writes that down
 * before it has the filter computed anew; ethdev does the same afterwards.
 */

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "rtap.h"
#include "rtap_filter.h"
#include "rtap_tap.h"

static_assert(offsetof(struct rtap_filter_list, addrs) == offsetof(struct tun_filter, addr),
	"the list is a struct tun_filter");
static_assert(sizeof(struct rte_ether_addr) == RTE_ETHER_ADDR_LEN, "addresses follow each other");
static_assert(sizeof(((struct rte_vlan_filter_conf *)0)->ids) == RTAP_VLAN_WORDS * sizeof(uint64_t),
	"ethdev and the program have the same idea of VLAN IDs");

static const struct rte_ether_addr no_mac; /* in a free place */
static const struct rte_ether_addr broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

static void
list_add(struct rtap_filter_list *list, const struct rte_ether_addr *addr)
{
	list->addrs[list->count++] = *addr;
}

enum rtap_filter_mode
rtap_filter_list_write(struct rtap_filter_list *list, const struct rtap_filter_conf *conf)
{
	unsigned int i;

	list->flags = conf->allmulticast ? TUN_FLT_ALLMULTI : 0;
	list->count = 0;
	if (conf->promiscuous)
		return RTAP_FILTER_OFF;
	for (i = 0; i < RTAP_MAC_ADDRS; i++)
		if (i == 0 || !rte_is_zero_ether_addr(&conf->macs[i]))
			list_add(list, &conf->macs[i]);
	if (list->count > RTAP_FILTER_EXACT) {
		list->count = 0;
		return RTAP_FILTER_OVERFLOW;
	}
	if (conf->allmulticast)
		return RTAP_FILTER_ALLMULTI;
	list_add(list, &broadcast);
	for (i = 0; i < conf->nb_mc; i++)
		list_add(list, &conf->mc[i]);
	return list->count > RTAP_FILTER_EXACT ? RTAP_FILTER_HASH : RTAP_FILTER_EXACT_MATCH;
}

static bool
wants_vlan(const struct rte_eth_dev *dev)
{
	return (dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER) != 0;
}

static int
load_program(struct rtap_dev *rtap)
{
	int ret = 0;

	if (rtap->filter.vlan.map_fd < 0)
		ret = rtap_vlan_program_load(&rtap->filter.vlan);
	if (ret != 0)
		PMD_LOG(ERR, "%s: cannot filter VLANs: %s", rtap->ifname, rtap_bpf_strerror(ret));
	return ret;
}

static int
apply_macs(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	const struct rtap_filter_conf conf = {
		.macs = dev->data->mac_addrs,
		.mc = rtap->filter.mc,
		.nb_mc = rtap->filter.nb_mc,
		.promiscuous = dev->data->promiscuous != 0,
		.allmulticast = dev->data->all_multicast != 0,
	};
	struct rtap_filter_list list;
	enum rtap_filter_mode mode = rtap_filter_list_write(&list, &conf);
	int ret;

	ret = rtap_tap_set_filter(rtap_files_ctl(&rtap->files), &list);
	if (ret != 0) {
		PMD_LOG(ERR, "%s: cannot filter MAC addresses: %s", rtap->ifname, strerror(-ret));
		return ret;
	}
	if (mode == RTAP_FILTER_OVERFLOW && rtap->filter.mode != mode)
		PMD_LOG(NOTICE,
			"%s: everything is received: the kernel filters no more than %u unicast addresses",
			rtap->ifname, RTAP_FILTER_EXACT);
	rtap->filter.mode = mode;
	return 0;
}

static int
apply_vlans(struct rte_eth_dev *dev, bool on)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	struct rtap_filter *filter = &rtap->filter;
	int ret = 0;

	if (on)
		ret = rtap_vlan_program_set(&filter->vlan, dev->data->vlan_filter_conf.ids);
	if (ret == 0 && on != filter->vlan_on)
		ret = rtap_tap_set_program(rtap_files_ctl(&rtap->files),
			on ? filter->vlan.fd : -1);
	if (ret == 0)
		filter->vlan_on = on;
	else
		PMD_LOG(ERR, "%s: cannot switch the VLAN filter %s: %s", rtap->ifname,
			on ? "on" : "off", rtap_bpf_strerror(ret));
	return ret;
}

/* The program stays loaded while the port is stopped: the right to load it may be gone later. */
int
rtap_filter_update(struct rte_eth_dev *dev)
{
	struct rtap_filter *filter = &rtap_dev(dev)->filter;
	bool vlan = wants_vlan(dev);
	int ret = 0;

	if (vlan)
		ret = load_program(rtap_dev(dev));
	if (ret == 0 && filter->active)
		ret = apply_macs(dev);
	if (ret == 0 && filter->active)
		ret = apply_vlans(dev, vlan);
	if (ret == 0 && !vlan)
		rtap_vlan_program_unload(&filter->vlan);
	return ret;
}

int
rtap_filter_apply(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	pthread_mutex_lock(&rtap->lock);
	ret = rtap_filter_update(dev);
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

int
rtap_filter_start(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	pthread_mutex_lock(&rtap->lock);
	rtap->filter.active = true;
	ret = rtap_filter_update(dev);
	pthread_mutex_unlock(&rtap->lock);
	if (ret != 0)
		rtap_filter_stop(dev);
	return ret;
}

/* If this fails, the interface is gone. */
void
rtap_filter_stop(struct rte_eth_dev *dev)
{
	const struct rtap_filter_list everything = { .count = 0 };
	struct rtap_dev *rtap = rtap_dev(dev);
	int fd = rtap_files_ctl(&rtap->files);

	pthread_mutex_lock(&rtap->lock);
	rtap_tap_set_filter(fd, &everything);
	if (rtap->filter.vlan_on)
		rtap_tap_set_program(fd, -1);
	rtap->filter.vlan_on = false;
	rtap->filter.mode = RTAP_FILTER_OFF;
	rtap->filter.active = false;
	pthread_mutex_unlock(&rtap->lock);
}

void
rtap_filter_open(struct rtap_dev *rtap)
{
	struct rtap_vlan_program *program = &rtap->filter.vlan;
	int ret;

	program->map_fd = -1;
	program->fd = -1;
	ret = rtap_vlan_program_load(program);
	if (ret != 0)
		PMD_LOG(NOTICE, "%s: no VLAN filter: %s", rtap->ifname, rtap_bpf_strerror(ret));
	rtap->filter.vlan_offered = ret == 0;
	rtap_vlan_program_unload(program);
}

void
rtap_filter_close(struct rtap_dev *rtap)
{
	rtap_vlan_program_unload(&rtap->filter.vlan);
}

/* Where it is in the list after the own address; or the first free place, for a zero address. */
static struct rte_ether_addr *
find_added(struct rte_eth_dev *dev, const struct rte_ether_addr *mac)
{
	struct rte_ether_addr *macs = dev->data->mac_addrs;
	unsigned int i;

	for (i = 1; i < RTAP_MAC_ADDRS; i++)
		if (rte_is_same_ether_addr(&macs[i], mac))
			return &macs[i];
	return NULL;
}

/*
 * ethdev wants each address in one place. One that the application has added, and that becomes the
 * own, leaves the list, and returns to it with the next change: it is still asked for. If there is
 * no place any more, there are so many that all are received.
 */
int
rtap_filter_set_own(struct rte_eth_dev *dev, const struct rte_ether_addr *mac)
{
	struct rtap_filter *filter = &rtap_dev(dev)->filter;
	struct rte_ether_addr *own = &dev->data->mac_addrs[0];
	struct rte_ether_addr *added;

	if (rte_is_same_ether_addr(own, mac))
		return rtap_filter_update(dev);
	added = filter->own_added ? find_added(dev, &no_mac) : NULL;
	if (added != NULL)
		*added = *own;
	added = find_added(dev, mac);
	filter->own_added = added != NULL;
	if (added != NULL)
		*added = no_mac;
	*own = *mac;
	dev->data->mac_pool_sel[0] = 0; /* so that ethdev passes on that this one is added */
	return rtap_filter_update(dev);
}

/* The index of the own address is 0. */
int
rtap_mac_addr_add(struct rte_eth_dev *dev, struct rte_ether_addr *mac, uint32_t index,
		uint32_t pool __rte_unused)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret = 0;

	pthread_mutex_lock(&rtap->lock);
	if (index == 0) {
		rtap->filter.own_added = true;
	} else {
		dev->data->mac_addrs[index] = *mac;
		ret = rtap_filter_update(dev);
		if (ret != 0)
			dev->data->mac_addrs[index] = no_mac;
	}
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

void
rtap_mac_addr_remove(struct rte_eth_dev *dev, uint32_t index)
{
	struct rtap_dev *rtap = rtap_dev(dev);

	pthread_mutex_lock(&rtap->lock);
	dev->data->mac_addrs[index] = no_mac;
	rtap_filter_update(dev);
	pthread_mutex_unlock(&rtap->lock);
}

static int
check_mc_addrs(const struct rtap_dev *rtap, const struct rte_ether_addr *addrs, uint32_t n)
{
	uint32_t i;

	if (n > RTAP_MC_ADDRS) {
		PMD_LOG(ERR, "%s: %u multicast addresses are more than %u: use all-multicast mode",
			rtap->ifname, n, RTAP_MC_ADDRS);
		return -ENOSPC;
	}
	for (i = 0; i < n; i++) {
		if (!rte_is_multicast_ether_addr(&addrs[i])) {
			PMD_LOG(ERR, "%s: " RTE_ETHER_ADDR_PRT_FMT " is not a multicast address",
				rtap->ifname, RTE_ETHER_ADDR_BYTES(&addrs[i]));
			return -EINVAL;
		}
	}
	return 0;
}

/* ethdev does not remember the list. */
int
rtap_set_mc_addr_list(struct rte_eth_dev *dev, struct rte_ether_addr *addrs, uint32_t n)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	uint32_t i;
	int ret;

	ret = check_mc_addrs(rtap, addrs, n);
	if (ret != 0)
		return ret;
	pthread_mutex_lock(&rtap->lock);
	for (i = 0; i < n; i++)
		rtap->filter.mc[i] = addrs[i];
	rtap->filter.nb_mc = n;
	ret = rtap_filter_update(dev);
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

int
rtap_vlan_filter_set(struct rte_eth_dev *dev, uint16_t id, int on)
{
	uint64_t *word = &dev->data->vlan_filter_conf.ids[id / 64];
	uint64_t bit = UINT64_C(1) << id % 64, before = *word;
	int ret;

	*word = on != 0 ? before | bit : before & ~bit;
	ret = rtap_filter_apply(dev);
	if (ret != 0)
		*word = before;
	return ret;
}
