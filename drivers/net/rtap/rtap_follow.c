/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * In step with the kernel: what somebody else does to the interface becomes the state of the port.
 *
 * Whatever the occasion, the full state is read, compared with what the port knows, and the
 * difference acted on. So it does not matter which change was announced, or whether all were. What
 * the port does itself it takes note of under the same lock, and it is not news.
 *
 * Promiscuous and all-multicast mode of dev->data are what the application has asked for, and stay:
 * they share a byte with other bits that belong to its threads. What the interface is in is shown
 * by the extended statistics and telemetry.
 */

#include <errno.h>
#include <string.h>

#include <rte_string_fns.h>

#include "rtap.h"
#include "rtap_link.h"
#include "rtap_tap.h"

/* How often an interface may be moved while it is looked at. */
#define RTAP_LOOKS_MAX 5

/* A message that is written at this moment may show a mixture of both names. */
static void
follow_name(struct rtap_dev *rtap, const char *name)
{
	if (strcmp(rtap->ifname, name) == 0)
		return;
	PMD_LOG(INFO, "%s: renamed to %s", rtap->ifname, name);
	rte_strscpy(rtap->ifname, name, sizeof(rtap->ifname));
}

static void
follow_modes(struct rtap_dev *rtap, const struct rtap_link_info *info)
{
	if (info->promiscuous == rtap->promiscuous_now &&
	    info->allmulticast == rtap->allmulticast_now)
		return;
	PMD_LOG(INFO, "%s: promiscuous mode %s, all-multicast %s", rtap->ifname,
		info->promiscuous ? "on" : "off", info->allmulticast ? "on" : "off");
	rtap->promiscuous_now = info->promiscuous;
	rtap->allmulticast_now = info->allmulticast;
	rtap->news = true;
}

/* The file knows the address, even where netlink does not see the interface. */
static void
follow_mac(struct rte_eth_dev *dev)
{
	const struct rte_ether_addr *mac = &dev->data->mac_addrs[0];
	struct rtap_dev *rtap = rtap_dev(dev);
	struct rte_ether_addr now;

	if (rtap_tap_get_mac(rtap_files_ctl(&rtap->files), &now) != 0 ||
	    rte_is_same_ether_addr(&now, mac))
		return;
	PMD_LOG(INFO, "%s: the MAC address is now " RTE_ETHER_ADDR_PRT_FMT, rtap->ifname,
		RTE_ETHER_ADDR_BYTES(&now));
	rtap_filter_set_own(dev, &now);
	rtap->news = true;
}

/* Does the link deserve to be called up? Out of sight, the carrier is all we know. */
static bool
link_is_up(const struct rtap_dev *rtap, const struct rtap_link_info *info)
{
	unsigned int flags;

	if (info != NULL)
		return (info->flags & IFF_UP) != 0 && info->carrier;
	return rtap->carrier &&
		rtap_tap_get_flags(rtap_files_ctl(&rtap->files), &flags, NULL) == 0;
}

/*
 * Somebody may have set the speed with ethtool, which is not announced. To read it elsewhere takes
 * a thread: so it is read if the application asks, or the link is another, and not for each
 * announcement of something else. Out of sight, it is taken to be as it was.
 */
static void
follow_speed(struct rtap_dev *rtap, const struct rtap_link_info *info, bool changed)
{
	if (!info->here && !changed && !rtap->speed_due)
		return;
	rtap_link_get_speed(rtap->nl, &rtap->speed);
	rtap->speed_due = false;
}

static int
follow_link(struct rte_eth_dev *dev, const struct rtap_link_info *info)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	struct rte_eth_link link = {
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
		.link_status = link_is_up(rtap, info) ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN,
	};

	if (info != NULL)
		follow_speed(rtap, info, link.link_status != dev->data->dev_link.link_status);
	link.link_speed = rtap->speed;
	return rte_eth_linkstatus_set(dev, &link);
}

/*
 * Read the state. Where the interface has moved, announcements have to be expected from there, and
 * what was announced before that was missed: read it once more. What cannot be read now, for want
 * of files or memory, is taken to be as it was.
 */
static int
read_state(struct rte_eth_dev *dev, struct rtap_link_info *info)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret = 0, i;

	for (i = 0; i < RTAP_LOOKS_MAX; i++) {
		ret = rtap_link_get(rtap->nl, info);
		if (ret != 0 ||
		    (info->ifindex == rtap->ifindex && info->netns == rtap->netns))
			break;
		rtap->ifindex = info->ifindex;
		rtap->netns = info->netns;
		rtap->speed_due = true;
		rtap_notify_watch(dev);
	}
	rtap->unsure = false;
	if (ret == 0)
		rtap->where = info->here ? RTAP_HERE : RTAP_ELSEWHERE;
	else if (rtap_is_gone(rtap))
		rtap->where = RTAP_REMOVED;
	else if (ret == -ENODEV || ret == -EPERM)
		rtap->where = RTAP_UNSEEN;
	else
		rtap->unsure = true;
	return ret;
}

int
rtap_follow_look(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	struct rtap_link_info info;
	bool seen = read_state(dev, &info) == 0;

	if (seen) {
		follow_name(rtap, info.ifname);
		follow_modes(rtap, &info);
		rtap_mtu_follow(dev, info.mtu);
	} else {
		rtap_mtu_follow(dev, rtap->mtu); /* for queues that have started since */
	}
	follow_mac(dev);
	return rtap->unsure ? -1 : follow_link(dev, seen ? &info : NULL);
}

/*
 * An interface that is there and cannot be found: its namespace is being deleted, or it has gone
 * since we looked, or that cannot be found out now.
 */
static bool
is_dying(const struct rtap_dev *rtap)
{
	ino_t inode;
	int ret;

	if (rtap->where != RTAP_UNSEEN)
		return false;
	ret = rtap_tap_get_netns(rtap_files_ctl(&rtap->files), &inode);
	return ret != 0 && ret != -EPERM;
}

unsigned int
rtap_follow(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	unsigned int events = 0;
	bool up;

	pthread_mutex_lock(&rtap->lock);
	rtap_follow_look(dev);
	up = dev->data->dev_link.link_status == RTE_ETH_LINK_UP;
	if (rtap->news || (rtap->running && up != rtap->link_told))
		events |= RTAP_TELL_LSC;
	rtap->news = false;
	if (rtap->running)
		rtap->link_told = up;
	if (rtap->where == RTAP_REMOVED && !rtap->removal_told) {
		rtap->removal_told = true;
		events |= RTAP_TELL_RMV;
	}
	if (rtap->unsure || is_dying(rtap))
		events |= RTAP_LOOK_AGAIN;
	pthread_mutex_unlock(&rtap->lock);
	return events;
}
