/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include <rte_string_fns.h>

#include "rtap_link.h"
#include "rtap_netlink.h"

/* How often an interface may be moved or renamed while it is asked for. */
#define RTAP_MOVES_MAX 10

/* Linux 6.0; the number is the kernel's ABI, and a header's enum cannot be asked for. */
#define RTAP_IFLA_ALLMULTI 61

static_assert(offsetof(struct rtnl_link_stats64, tx_dropped) ==
		RTAP_KERNEL_TX_DROPPED * sizeof(uint64_t) &&
		offsetof(struct rtnl_link_stats64, rx_nohandler) ==
		RTAP_KERNEL_RX_NOHANDLER * sizeof(uint64_t), "a counter has its place");

const char *
rtap_link_strerror(int err)
{
	switch (-err) {
	case EPERM:
		return "it takes CAP_NET_ADMIN in the network namespace of the interface, and CAP_SYS_ADMIN if that is another";
	case ENODEV:
		return "the interface is gone, or out of sight in another network namespace";
	case EXDEV:
		return "the interface is in another network namespace than this thread";
	default:
		return strerror(-err);
	}
}

static int
parse_tun_attr(const struct nlattr *attr, void *arg)
{
	struct rtap_link_info *info = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_TUN_TYPE:
		info->is_tap = mnl_attr_get_u8(attr) == IFF_TAP;
		break;
	case IFLA_TUN_MULTI_QUEUE:
		info->multi_queue = mnl_attr_get_u8(attr) != 0;
		break;
	case IFLA_TUN_NUM_QUEUES:
		info->nb_files += mnl_attr_get_u32(attr);
		break;
	case IFLA_TUN_NUM_DISABLED_QUEUES:
		info->nb_detached = mnl_attr_get_u32(attr);
		info->nb_files += info->nb_detached;
		break;
	}
	return MNL_CB_OK;
}

/* The kernel puts the kind before the data that depends on it. */
static int
parse_linkinfo_attr(const struct nlattr *attr, void *arg)
{
	const char **kind = arg;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		*kind = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

static void
parse_linkinfo(const struct nlattr *linkinfo, struct rtap_link_info *info)
{
	const char *kind = "";
	struct nlattr *attr;

	mnl_attr_parse_nested(linkinfo, parse_linkinfo_attr, &kind);
	if (strcmp(kind, "tun") != 0)
		return;
	mnl_attr_for_each_nested(attr, linkinfo)
		if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			mnl_attr_parse_nested(attr, parse_tun_attr, info);
}

static int
parse_link_attr(const struct nlattr *attr, void *arg)
{
	struct rtap_link_info *info = arg;
	size_t len;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_MTU:
		info->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_MIN_MTU:
		info->min_mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_MAX_MTU:
		info->max_mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_GSO_MAX_SIZE:
		info->gso_max = mnl_attr_get_u32(attr);
		break;
	case IFLA_CARRIER:
		info->carrier = mnl_attr_get_u8(attr) != 0;
		break;
	case IFLA_IFNAME:
		rte_strscpy(info->ifname, mnl_attr_get_str(attr), sizeof(info->ifname));
		break;
	case IFLA_PROMISCUITY:
		info->promiscuous = mnl_attr_get_u32(attr) != 0;
		break;
	case RTAP_IFLA_ALLMULTI:
		info->allmulticast = mnl_attr_get_u32(attr) != 0;
		break;
	case IFLA_STATS64:
		/* Grows with kernels, and is not aligned for 64-bit loads. */
		len = mnl_attr_get_payload_len(attr);
		memcpy(info->stats, mnl_attr_get_payload(attr),
			len < sizeof(info->stats) ? len : sizeof(info->stats));
		break;
	case IFLA_LINKINFO:
		parse_linkinfo(attr, info);
		break;
	}
	return MNL_CB_OK;
}

static int
parse_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct rtap_link_info *info = arg;

	info->ifindex = ifi->ifi_index;
	info->flags = ifi->ifi_flags;
	return mnl_attr_parse(nlh, sizeof(*ifi), parse_link_attr, info);
}

/* By name, or by index if name is NULL. */
static int
get_link(struct rtap_netlink *nl, const struct rtap_place *place, const char *name,
		struct rtap_link_info *info)
{
	struct ifinfomsg ifi = { .ifi_index = name == NULL ? place->ifindex : 0 };
	struct nlmsghdr *nlh;
	int ret;

	*info = (struct rtap_link_info){
		.netns = place->netns,
		.here = place->nsid == RTAP_NSID_HERE,
	};
	nlh = rtap_netlink_begin(nl, RTM_GETLINK, &ifi, sizeof(ifi));
	if (name != NULL)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	if (!info->here)
		mnl_attr_put_u32(nlh, IFLA_TARGET_NETNSID, place->nsid);
	ret = rtap_netlink_request(nl, nlh, parse_link, info);
	/* There is no namespace of that number any more, or no right left to look there. */
	if (!info->here && (ret == -EINVAL || ret == -EACCES))
		ret = -ENODEV;
	/* Before Linux 6.0 there is no count. */
	info->allmulticast |= (info->flags & IFF_ALLMULTI) != 0;
	return ret;
}

int
rtap_link_get_by_name(struct rtap_netlink *nl, const char *name, struct rtap_link_info *info)
{
	const struct rtap_place here = { .nsid = RTAP_NSID_HERE };

	return nl == NULL ? -ENODEV : get_link(nl, &here, name, info);
}

/* Those who may not know where the interface is have to go by its index. Its name must be right. */
static int
get_by_index(struct rtap_netlink *nl, const struct rtap_place *place, const char *name,
		struct rtap_link_info *info)
{
	int ret;

	if (place->ifindex == 0)
		return -ENODEV;
	ret = get_link(nl, place, NULL, info);
	if (ret == 0 && (!info->is_tap || strcmp(info->ifname, name) != 0))
		ret = -EAGAIN;
	return ret;
}

/* The answer counts if the interface was there, by that name, before and after. */
static int
get_once(struct rtap_netlink *nl, struct rtap_link_info *info)
{
	char name[IF_NAMESIZE], after[IF_NAMESIZE];
	struct rtap_place place, there;
	int ret;

	ret = rtap_netlink_find(nl, name, &place);
	if (ret == -EPERM)
		return get_by_index(nl, &place, name, info);
	if (ret != 0)
		return ret;
	ret = get_link(nl, &place, name, info);
	if (rtap_netlink_find(nl, after, &there) == 0 &&
	    (strcmp(name, after) != 0 || there.netns != place.netns))
		return -EAGAIN;
	if (ret != 0)
		return ret;
	place.ifindex = info->ifindex;
	rtap_netlink_set_place(nl, &place);
	return 0;
}

int
rtap_link_get(struct rtap_netlink *nl, struct rtap_link_info *info)
{
	int ret = -EAGAIN, i;

	if (nl == NULL)
		return -ENODEV;
	for (i = 0; ret == -EAGAIN && i < RTAP_MOVES_MAX; i++)
		ret = get_once(nl, info);
	return ret == -EAGAIN ? -ENODEV : ret;
}

void
rtap_link_assume(struct rtap_netlink *nl, unsigned int ifindex)
{
	struct rtap_place place = rtap_netlink_place(nl);

	place.ifindex = ifindex;
	rtap_netlink_set_place(nl, &place);
}

/*
 * Changes, where the interface is
 */

static int
enter(struct rtap_netlink *nl, struct rtap_netlink **there, unsigned int *ifindex)
{
	struct rtap_link_info info;
	int ret;

	ret = rtap_link_get(nl, &info);
	if (ret != 0)
		return ret;
	*ifindex = info.ifindex;
	return rtap_netlink_enter(nl, there);
}

/* Flags, and an attribute unless that is IFLA_UNSPEC. */
static int
change_link(struct rtap_netlink *nl, unsigned int flags, unsigned int mask, uint16_t attr,
		uint32_t value)
{
	struct ifinfomsg ifi = { .ifi_flags = flags, .ifi_change = mask };
	struct rtap_netlink *there;
	unsigned int ifindex;
	struct nlmsghdr *nlh;
	int ret;

	ret = enter(nl, &there, &ifindex);
	if (ret != 0)
		return ret;
	ifi.ifi_index = ifindex;
	nlh = rtap_netlink_begin(there, RTM_NEWLINK, &ifi, sizeof(ifi));
	if (attr != IFLA_UNSPEC)
		mnl_attr_put_u32(nlh, attr, value);
	ret = rtap_netlink_request(there, nlh, NULL, NULL);
	rtap_netlink_leave(nl, there);
	return ret;
}

int
rtap_link_set_flags(struct rtap_netlink *nl, unsigned int flags, unsigned int mask)
{
	return change_link(nl, flags, mask, IFLA_UNSPEC, 0);
}

int
rtap_link_set_mtu(struct rtap_netlink *nl, uint32_t mtu)
{
	return change_link(nl, 0, 0, IFLA_MTU, mtu);
}

int
rtap_link_set_gso_max(struct rtap_netlink *nl, uint32_t size)
{
	return change_link(nl, 0, 0, IFLA_GSO_MAX_SIZE, size);
}

int
rtap_link_delete(struct rtap_netlink *nl)
{
	struct ifinfomsg ifi = {0};
	struct rtap_netlink *there;
	unsigned int ifindex;
	int ret;

	ret = enter(nl, &there, &ifindex);
	if (ret != 0)
		return ret;
	ifi.ifi_index = ifindex;
	ret = rtap_netlink_request(there,
		rtap_netlink_begin(there, RTM_DELLINK, &ifi, sizeof(ifi)), NULL, NULL);
	rtap_netlink_leave(nl, there);
	return ret;
}

/*
 * What ethtool shows. An ioctl on interfaces works on any socket, for the namespace of the socket.
 */

union link_settings {
	struct ethtool_link_settings req;
	/* It ends in three masks, whose number of words the kernel counts in an __s8. */
	char room[sizeof(struct ethtool_link_settings) + 3 * INT8_MAX * sizeof(uint32_t)];
};

static int
settings_ioctl(int fd, unsigned int ifindex, union link_settings *settings)
{
	struct ifreq ifr = { .ifr_ifindex = ifindex };

	if (ioctl(fd, SIOCGIFNAME, &ifr) < 0)
		return -errno;
	ifr.ifr_data = (void *)settings;
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

/* The first answer is how many words the kernel's masks have; it wants to hear that back. */
static int
settings_get(int fd, unsigned int ifindex, union link_settings *settings)
{
	int ret, i;

	*settings = (union link_settings){0};
	for (i = 0, ret = 0; i < 2 && ret == 0; i++) {
		settings->req.cmd = ETHTOOL_GLINKSETTINGS;
		settings->req.link_mode_masks_nwords = -settings->req.link_mode_masks_nwords;
		ret = settings_ioctl(fd, ifindex, settings);
	}
	return ret;
}

int
rtap_link_get_speed(struct rtap_netlink *nl, uint32_t *speed)
{
	union link_settings settings;
	struct rtap_netlink *there;
	unsigned int ifindex;
	int ret;

	ret = enter(nl, &there, &ifindex);
	if (ret != 0)
		return ret;
	ret = settings_get(rtap_netlink_fd(there), ifindex, &settings);
	if (ret == 0)
		*speed = settings.req.speed;
	rtap_netlink_leave(nl, there);
	return ret;
}

static int
set_speed(int fd, unsigned int ifindex, uint32_t speed)
{
	union link_settings settings;
	int ret;

	ret = settings_get(fd, ifindex, &settings);
	if (ret != 0 || (settings.req.speed == speed && settings.req.duplex == DUPLEX_FULL))
		return ret;
	settings.req.cmd = ETHTOOL_SLINKSETTINGS;
	settings.req.speed = speed;
	settings.req.duplex = DUPLEX_FULL;
	return settings_ioctl(fd, ifindex, &settings);
}

int
rtap_link_set_speed(struct rtap_netlink *nl, uint32_t speed)
{
	struct rtap_netlink *there;
	unsigned int ifindex;
	int ret;

	ret = enter(nl, &there, &ifindex);
	if (ret != 0)
		return ret;
	ret = set_speed(rtap_netlink_fd(there), ifindex, speed);
	rtap_netlink_leave(nl, there);
	return ret;
}
