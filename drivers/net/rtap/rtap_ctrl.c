/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * What the application changes in the interface while the port exists, and reads back: link,
 * promiscuous and all-multicast mode, MAC address, MTU; and VLAN stripping.
 */

#include <errno.h>
#include <string.h>

#include "rtap.h"
#include "rtap_link.h"
#include "rtap_tap.h"

/*
 * Link
 */

/* Somebody may have set it with ethtool. Out of sight, it is taken to be as it was. */
static uint32_t
link_speed(struct rtap_dev *rtap)
{
	rtap_link_get_speed(rtap->nl, &rtap->speed);
	return rtap->speed;
}

/* Does the link deserve to be called up? Out of sight, the carrier is all we know. */
static bool
link_is_up(const struct rtap_dev *rtap)
{
	struct rtap_link_info info;
	unsigned int flags;

	if (rtap_link_get(rtap->nl, &info) == 0)
		return (info.flags & IFF_UP) != 0 && info.carrier;
	return rtap->carrier &&
		rtap_tap_get_flags(rtap_files_ctl(&rtap->files), &flags, NULL) == 0;
}

/* Asking and telling is one step, lest an older answer replaces a newer one. */
int
rtap_link_update(struct rte_eth_dev *dev, int wait_to_complete __rte_unused)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	struct rte_eth_link link = {
		.link_speed = link_speed(rtap_dev(dev)),
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
	};
	int ret;

	pthread_mutex_lock(&rtap->lock);
	link.link_status = link_is_up(rtap) ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
	ret = rte_eth_linkstatus_set(dev, &link);
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

/*
 * An attached file without a device behind it, or one that is being detached right now: netlink
 * knows the difference.
 */
int
rtap_is_removed(struct rte_eth_dev *dev)
{
	const struct rtap_dev *rtap = rtap_dev(dev);
	unsigned int flags;

	return rtap_tap_get_flags(rtap_files_ctl(&rtap->files), &flags, NULL) == -EBADFD &&
		!rtap_link_exists(rtap->nl);
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
	/* Elsewhere, or without the right, IFF_UP is left as it is. */
	if ((ret == 0 || ret == -ENODEV) && (up == 0 || up == -ENOTSUP))
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

/*
 * What somebody else has switched on stays theirs, whatever the application says: ethdev
 * disables both modes on each start of a port that has not enabled them.
 */
static int
switch_flag(const struct rtap_dev *rtap, bool *ours, unsigned int flag, bool on)
{
	struct rtap_link_info info;
	int ret;

	if (!on && !*ours)
		return 0;
	if (on && rtap_link_get(rtap->nl, &info) == 0 &&
	    (info.flags & flag) != 0)
		return 0;
	ret = set_flag(rtap, flag, on);
	if (ret == 0)
		*ours = on;
	return ret;
}

int
rtap_promiscuous_enable(struct rte_eth_dev *dev)
{
	return switch_flag(rtap_dev(dev), &rtap_dev(dev)->promiscuous, IFF_PROMISC, true);
}

int
rtap_promiscuous_disable(struct rte_eth_dev *dev)
{
	return switch_flag(rtap_dev(dev), &rtap_dev(dev)->promiscuous, IFF_PROMISC, false);
}

int
rtap_allmulticast_enable(struct rte_eth_dev *dev)
{
	return switch_flag(rtap_dev(dev), &rtap_dev(dev)->allmulticast, IFF_ALLMULTI, true);
}

int
rtap_allmulticast_disable(struct rte_eth_dev *dev)
{
	return switch_flag(rtap_dev(dev), &rtap_dev(dev)->allmulticast, IFF_ALLMULTI, false);
}

/*
 * ethdev sets the address again on each start. The kernel forgets all neighbours then, those set
 * by hand included, even if it is the address that the interface has.
 */
int
rtap_mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *mac)
{
	const struct rtap_dev *rtap = rtap_dev(dev);
	int fd = rtap_files_ctl(&rtap->files);
	struct rte_ether_addr now;
	int ret;

	if (rtap_tap_get_mac(fd, &now) == 0 && rte_is_same_ether_addr(&now, mac))
		return 0;
	ret = rtap_tap_set_mac(fd, mac);
	if (ret != 0)
		PMD_LOG(ERR, "%s: cannot set MAC address " RTE_ETHER_ADDR_PRT_FMT ": %s",
			rtap->ifname, RTE_ETHER_ADDR_BYTES(mac), strerror(-ret));
	return ret;
}

/*
 * MTU
 */

/* The administrator may have changed it. To leave it as it is takes no capability. */
static int
kernel_mtu_set(struct rtap_dev *rtap, uint16_t mtu)
{
	struct rtap_link_info info;
	int ret;

	ret = rtap_link_get(rtap->nl, &info);
	if (ret == 0) {
		rtap->mtu = info.mtu;
		if (info.mtu != mtu)
			ret = rtap_link_set_mtu(rtap->nl, mtu);
	}
	/* Out of sight: with luck as we left it, or what the application knows it to be. */
	if (ret == -ENODEV && (rtap->mtu == 0 || mtu == rtap->mtu))
		return 0;
	if (ret == 0)
		rtap->mtu = mtu;
	else
		PMD_LOG(ERR, "%s: cannot change MTU from %u to %u: %s", rtap->ifname,
			rtap->mtu, mtu, rtap_link_strerror(ret));
	return ret;
}

int
rtap_kernel_mtu_set(struct rtap_dev *rtap, uint16_t mtu)
{
	int ret;

	pthread_mutex_lock(&rtap->lock);
	ret = kernel_mtu_set(rtap, mtu);
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
		rte_atomic_store_explicit(&rxq->segs, RTE_MAX(segs, now),
			rte_memory_order_release);
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
		ret = kernel_mtu_set(rtap, mtu);
	}
	pthread_mutex_unlock(&rtap->lock);
	return ret;
}

/* The MTU of the port stays the application's. Where the buffers are too small, the log says so. */
void
rtap_mtu_follow(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	struct rtap_link_info info;

	pthread_mutex_lock(&rtap->lock);
	if (rtap->running && rtap_link_get(rtap->nl, &info) == 0) {
		if (info.mtu != rtap->mtu) {
			PMD_LOG(NOTICE, "%s: the MTU is now %u by another's hand, of the port %u",
				rtap->ifname, info.mtu, dev->data->mtu);
			rtap->mtu = info.mtu;
			check_rx_room(dev, info.mtu);
		}
		grow_rx_room(dev, info.mtu);
	}
	pthread_mutex_unlock(&rtap->lock);
}

/* Only stripping is offered, so there is nothing else to be asked for. */
int
rtap_vlan_offload_set(struct rte_eth_dev *dev, int mask)
{
	bool strip = (dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0;
	uint16_t i;

	for (i = 0; (mask & RTE_ETH_VLAN_STRIP_MASK) != 0 && i < dev->data->nb_rx_queues; i++) {
		struct rtap_rxq *rxq = dev->data->rx_queues[i];

		if (rxq != NULL)
			rte_atomic_store_explicit(&rxq->vlan_strip, strip,
				rte_memory_order_relaxed);
	}
	return 0;
}
