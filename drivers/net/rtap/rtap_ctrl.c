/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * What the application changes in the interface while the port exists, and reads back: link,
 * promiscuous and all-multicast mode, MAC address, MTU; and VLAN offloads.
 */

#include <errno.h>
#include <string.h>

#include "rtap.h"
#include "rtap_link.h"
#include "rtap_tap.h"

/*
 * Link
 */

int
rtap_link_update(struct rte_eth_dev *dev, int wait_to_complete __rte_unused)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	pthread_mutex_lock(&rtap->lock);
	rtap->speed_due = true;
	ret = rtap_follow_look(dev);
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

bool
rtap_is_gone(const struct rtap_dev *rtap)
{
	unsigned int flags;

	return rtap_tap_get_flags(rtap_files_ctl(&rtap->files), &flags, NULL) == -EBADFD;
}

int
rtap_is_removed(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	bool gone;

	pthread_mutex_lock(&rtap->lock);
	gone = rtap_is_gone(rtap);
	pthread_mutex_unlock(&rtap->lock);
	return gone;
}

/*
 * The carrier says whether somebody is there to take packets. Unlike IFF_UP it can be switched
 * without the kernel forgetting the routes and IPv6 addresses of the interface.
 */
int
rtap_carrier_set(struct rtap_dev *rtap, bool on)
{
	int ret;

	ret = rtap_tap_set_carrier(rtap_files_ctl(&rtap->files), on);
	if (ret == 0) {
		rtap->carrier = on;
		rtap->carrier_after = false;
	} else
		PMD_LOG(ERR, "%s: cannot switch carrier %s: %s", rtap->ifname, on ? "on" : "off",
			strerror(-ret));
	return ret;
}

static const char *
flag_name(unsigned int flag)
{
	switch (flag) {
	case IFF_UP:
		return "up";
	case IFF_PROMISC:
		return "promisc";
	default:
		return "allmulticast";
	}
}

/*
 * Switch a flag of the interface. Where this process does not see it or has no right to, that is
 * for the administrator to do, and not supported: which ethdev takes for an answer when it restores
 * its settings.
 */
static int
set_flag(const struct rtap_dev *rtap, unsigned int flag, bool on)
{
	int ret;

	ret = rtap_link_set_flags(rtap->nl, on ? flag : 0, flag);
	if (ret == 0)
		return 0;
	PMD_LOG(WARNING, "%s: cannot switch '%s' %s: %s", rtap->ifname, flag_name(flag),
		on ? "on" : "off", rtap_link_strerror(ret));
	return ret == -ENODEV || ret == -EPERM ? -ENOTSUP : ret;
}

int
rtap_set_link_up(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	struct rtap_link_info info;
	int ret, up = 0;

	ret = rtap_link_get(rtap->nl, &info);
	if (ret == 0 && (info.flags & IFF_UP) == 0)
		up = set_flag(rtap, IFF_UP, true);
	else if (ret != 0 && ret != -ENODEV && ret != -EPERM) {
		PMD_LOG(ERR, "%s: cannot see whether it is up: %s", rtap->ifname, strerror(-ret));
		return ret;
	}
	/* Elsewhere, or without the right, IFF_UP is left as it is. */
	if (up == 0 || up == -ENOTSUP)
		ret = rtap_carrier_set(rtap, true);
	if (ret == 0)
		rtap_link_update(dev, 0);
	return ret != 0 ? ret : up;
}

int
rtap_set_link_down(struct rte_eth_dev *dev)
{
	int ret;

	ret = rtap_carrier_set(rtap_dev(dev), false);
	if (ret == 0)
		rtap_link_update(dev, 0);
	return ret;
}

/* What this port has done is not news. */
static void
note_modes(struct rtap_dev *rtap)
{
	struct rtap_link_info info;

	if (rtap_link_get(rtap->nl, &info) != 0)
		return;
	rtap->promiscuous_now = info.promiscuous;
	rtap->allmulticast_now = info.allmulticast;
}

/*
 * What somebody else has switched on stays theirs, whatever the application says: ethdev
 * disables both modes on each start of a port that has not enabled them. If the answer is lost, it
 * may be on because of us all the same, and is to be switched off.
 */
static int
switch_flag(struct rtap_dev *rtap, bool *ours, unsigned int flag, bool on)
{
	struct rtap_link_info info;
	bool seen;
	int ret = 0;

	if (!on && !*ours)
		return 0;
	pthread_mutex_lock(&rtap->lock);
	seen = rtap_link_get(rtap->nl, &info) == 0;
	if (!on || !seen || (info.flags & flag) == 0) {
		ret = set_flag(rtap, flag, on);
		if (ret == 0)
			*ours = on;
		else if (seen && ret != -ENOTSUP)
			*ours = rtap_link_get(rtap->nl, &info) != 0 || (info.flags & flag) != 0;
		note_modes(rtap);
	}
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

/*
 * What the port receives is up to its filter, with which these modes always work. The flag is for
 * the other direction; where it cannot be had, a warning has said so.
 */
static int
set_promiscuous(struct rte_eth_dev *dev, bool on)
{
	int ret;

	ret = switch_flag(rtap_dev(dev), &rtap_dev(dev)->promiscuous, IFF_PROMISC, on);
	if (ret != 0 && ret != -ENOTSUP)
		return ret;
	dev->data->promiscuous = on;
	return rtap_filter_apply(dev);
}

int
rtap_promiscuous_enable(struct rte_eth_dev *dev)
{
	return set_promiscuous(dev, true);
}

int
rtap_promiscuous_disable(struct rte_eth_dev *dev)
{
	return set_promiscuous(dev, false);
}

static int
set_allmulticast(struct rte_eth_dev *dev, bool on)
{
	int ret;

	ret = switch_flag(rtap_dev(dev), &rtap_dev(dev)->allmulticast, IFF_ALLMULTI, on);
	if (ret != 0 && ret != -ENOTSUP)
		return ret;
	dev->data->all_multicast = on;
	return rtap_filter_apply(dev);
}

int
rtap_allmulticast_enable(struct rte_eth_dev *dev)
{
	return set_allmulticast(dev, true);
}

int
rtap_allmulticast_disable(struct rte_eth_dev *dev)
{
	return set_allmulticast(dev, false);
}

/*
 * The kernel forgets all neighbours when it is told of an address, those set by hand included, even
 * if it is the address that the interface has.
 */
static int
set_mac(const struct rtap_dev *rtap, const struct rte_ether_addr *mac)
{
	int fd = rtap_files_ctl(&rtap->files);
	struct rte_ether_addr now;
	int ret = 0;

	if (rtap_tap_get_mac(fd, &now) != 0 || !rte_is_same_ether_addr(&now, mac))
		ret = rtap_tap_set_mac(fd, mac);
	if (ret != 0)
		PMD_LOG(ERR, "%s: cannot set MAC address " RTE_ETHER_ADDR_PRT_FMT ": %s",
			rtap->ifname, RTE_ETHER_ADDR_BYTES(mac), strerror(-ret));
	return ret;
}

/*
 * ethdev sets its own copy of the address again on each start. The interface may have got another
 * a moment ago, which is the one to have then.
 */
int
rtap_mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *mac)
{
	const struct rte_ether_addr *own = &dev->data->mac_addrs[0];
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret = 0;

	pthread_mutex_lock(&rtap->lock);
	if (mac == own)
		rtap_follow_look(dev);
	else
		ret = set_mac(rtap, mac);
	if (ret == 0 && mac != own)
		ret = rtap_filter_set_own(dev, mac);
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

/*
 * MTU
 */

/* The administrator may have changed it. To leave it as it is takes no capability. */
static int
set_mtu(struct rte_eth_dev *dev, uint16_t mtu)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	struct rtap_link_info info;
	int ret;

	ret = rtap_link_get(rtap->nl, &info);
	if (ret == 0) {
		rtap->mtu = info.mtu;
		if (info.mtu != mtu)
			ret = rtap_link_set_mtu(rtap->nl, mtu);
		if (ret == 0)
			rtap->mtu = mtu;
	} else if (ret == -ENODEV && (rtap->mtu == 0 || mtu == rtap->mtu))
		ret = 0; /* as we left it, or what the application knows it to be */
	if (ret != 0) {
		PMD_LOG(ERR, "%s: cannot change MTU from %u to %u: %s", rtap->ifname,
			rtap->mtu, mtu, rtap_link_strerror(ret));
		return ret;
	}
	rtap->mtu_asked = rtap->mtu_room = mtu;
	dev->data->mtu = mtu;
	return 0;
}

/* Without the right to change it, the MTU is the one that the interface has. */
int
rtap_mtu_configure(struct rte_eth_dev *dev, uint16_t mtu)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	pthread_mutex_lock(&rtap->lock);
	ret = set_mtu(dev, mtu);
	if (ret == -EPERM) {
		PMD_LOG(WARNING, "%s: the MTU of the port is %u", rtap->ifname, rtap->mtu);
		ret = set_mtu(dev, rtap->mtu);
	}
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

/* Does every Rx queue have room for the frames that come with this MTU? */
static int
check_rx_room(const struct rte_eth_dev *dev, uint16_t mtu)
{
	uint32_t frame = rtap_rx_frame_max(dev, mtu);
	uint16_t i;

	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		const struct rtap_rxq *rxq = dev->data->rx_queues[i];

		if (rxq != NULL && rtap_rxq_segs(rxq, frame) == 0) {
			PMD_LOG(ERR,
				"MTU %u: frames of %u bytes do not fit in the mbufs of Rx queue %u: enable scattered Rx or use larger mbufs",
				mtu, frame, i);
			return -EINVAL;
		}
	}
	return 0;
}

/*
 * Running queues use larger buffers from their next burst on. They keep them when the MTU falls,
 * because larger frames may still wait in the kernel's queue: until they are started again.
 */
static void
grow_rx_room(struct rte_eth_dev *dev, uint16_t mtu)
{
	uint16_t i, segs, now;

	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		struct rtap_rxq *rxq = dev->data->rx_queues[i];

		if (rxq == NULL)
			continue;
		segs = rtap_rxq_segs(rxq, rtap_rx_frame_max(dev, mtu));
		now = rte_atomic_load_explicit(&rxq->segs, rte_memory_order_relaxed);
		if (segs <= now)
			continue;
		rte_atomic_store_explicit(&rxq->segs, segs, rte_memory_order_release);
		rtap_sqpoll_rx_wait(rxq);
	}
}

/* Buffers grow before the frames do. */
int
rtap_mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	pthread_mutex_lock(&rtap->lock);
	ret = check_rx_room(dev, mtu);
	if (ret == 0) {
		grow_rx_room(dev, mtu);
		ret = set_mtu(dev, mtu);
	}
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

/* ethdev has an MTU of its own while it configures the port: only a change is taken over. */
void
rtap_mtu_follow(struct rte_eth_dev *dev, uint16_t mtu)
{
	struct rtap_dev *rtap = rtap_dev(dev);

	if (mtu != rtap->mtu) {
		PMD_LOG(INFO, "%s: the MTU is now %u instead of %u", rtap->ifname, mtu, rtap->mtu);
		rtap->mtu = mtu;
		dev->data->mtu = mtu;
		rtap->news = true;
	}
	if (!rtap->running)
		return;
	if (mtu != rtap->mtu_room)
		check_rx_room(dev, mtu);
	rtap->mtu_room = mtu;
	grow_rx_room(dev, mtu);
}

int
rtap_vlan_offload_set(struct rte_eth_dev *dev, int mask)
{
	bool strip = (dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0;
	int ret = 0;
	uint16_t i;

	/* This may fail, and nothing is to be changed then. */
	if ((mask & RTE_ETH_VLAN_FILTER_MASK) != 0)
		ret = rtap_filter_apply(dev);
	if (ret != 0 || (mask & RTE_ETH_VLAN_STRIP_MASK) == 0)
		return ret;
	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		struct rtap_rxq *rxq = dev->data->rx_queues[i];

		if (rxq != NULL)
			rte_atomic_store_explicit(&rxq->vlan_strip, strip,
				rte_memory_order_relaxed);
	}
	return 0;
}
