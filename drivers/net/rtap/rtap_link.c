/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include "rtap_link.h"

static_assert(offsetof(struct rtnl_link_stats64, tx_dropped) ==
		RTAP_KERNEL_TX_DROPPED * sizeof(uint64_t) &&
		offsetof(struct rtnl_link_stats64, rx_nohandler) ==
		RTAP_KERNEL_RX_NOHANDLER * sizeof(uint64_t), "a counter has its place");

struct rtap_netlink {
	struct mnl_socket *sock;
	ino_t netns;
	pthread_mutex_t lock;	/* one request and its answer at a time */
	uint32_t seq;
	union {
		struct nlmsghdr align;
		char bytes[RTAP_NL_BUFSIZE];
	} buf;
};

const char *
rtap_link_strerror(int err)
{
	switch (-err) {
	case EPERM:
		return "it takes CAP_NET_ADMIN in the network namespace of this process";
	case ENODEV:
		return "the interface is gone, or in another network namespace";
	default:
		return strerror(-err);
	}
}

/* The namespace of the calling thread, in which a socket will be; 0: not known. */
static ino_t
current_netns(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) == 0 ? st.st_ino : 0;
}

static int
open_socket(struct mnl_socket **out, int flags, unsigned int groups)
{
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	int ret;

	if (sock == NULL)
		return -errno;
	if (mnl_socket_bind(sock, groups, MNL_SOCKET_AUTOPID) < 0) {
		ret = -errno;
		mnl_socket_close(sock);
		return ret;
	}
	*out = sock;
	return 0;
}

int
rtap_netlink_open(struct rtap_netlink **out)
{
	struct rtap_netlink *nl = calloc(1, sizeof(*nl));
	int ret;

	if (nl == NULL)
		return -ENOMEM;
	nl->netns = current_netns();
	ret = open_socket(&nl->sock, 0, 0);
	if (ret != 0) {
		free(nl);
		return ret;
	}
	pthread_mutex_init(&nl->lock, NULL);
	*out = nl;
	return 0;
}

int
rtap_netlink_subscribe(const struct rtap_netlink *nl, struct mnl_socket **sock)
{
	if (nl == NULL || current_netns() != nl->netns)
		return -ENODEV;
	return open_socket(sock, SOCK_NONBLOCK, RTMGRP_LINK);
}

void
rtap_netlink_close(struct rtap_netlink *nl)
{
	if (nl == NULL)
		return;
	mnl_socket_close(nl->sock);
	pthread_mutex_destroy(&nl->lock);
	free(nl);
}

ino_t
rtap_netlink_netns(const struct rtap_netlink *nl)
{
	return nl->netns;
}

/*
 * Begin a request, to which attributes may be added; without a namespace to ask there is none.
 * The lock is held until link_request() has the answer.
 */
static struct nlmsghdr *
link_begin(struct rtap_netlink *nl, uint16_t type, const struct ifinfomsg *ifi)
{
	struct nlmsghdr *nlh;

	if (nl == NULL)
		return NULL;
	pthread_mutex_lock(&nl->lock);
	nlh = mnl_nlmsg_put_header(nl->buf.bytes);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++nl->seq;
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi)), ifi, sizeof(*ifi));
	return nlh;
}

/* Send the request, pass data messages to cb, and return what the acknowledgement says. */
static int
link_request(struct rtap_netlink *nl, const struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	unsigned int portid;
	ssize_t len;
	int ret;

	if (nlh == NULL)
		return -ENODEV;
	portid = mnl_socket_get_portid(nl->sock);
	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0) {
		ret = -errno;
		goto unlock;
	}
	do {
		do
			len = mnl_socket_recvfrom(nl->sock, nl->buf.bytes, sizeof(nl->buf));
		while (len < 0 && errno == EINTR);
		ret = len < 0 ? MNL_CB_ERROR :
			mnl_cb_run(nl->buf.bytes, len, nl->seq, portid, cb, arg);
		/* The answer to an earlier request that was given up. */
		if (ret == MNL_CB_ERROR && len >= 0 && nl->buf.align.nlmsg_seq != nl->seq)
			ret = MNL_CB_OK;
	} while (ret > MNL_CB_STOP);
	ret = ret == MNL_CB_ERROR ? -errno : 0;
unlock:
	pthread_mutex_unlock(&nl->lock);
	return ret;
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

int
rtap_link_get(struct rtap_netlink *nl, unsigned int ifindex, struct rtap_link_info *info)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };

	*info = (struct rtap_link_info){0};
	return link_request(nl, link_begin(nl, RTM_GETLINK, &ifi), parse_link, info);
}

int
rtap_link_get_by_name(struct rtap_netlink *nl, const char *name, struct rtap_link_info *info)
{
	struct ifinfomsg ifi = {0};
	struct nlmsghdr *nlh;

	*info = (struct rtap_link_info){0};
	nlh = link_begin(nl, RTM_GETLINK, &ifi);
	if (nlh != NULL)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return link_request(nl, nlh, parse_link, info);
}

int
rtap_link_set_flags(struct rtap_netlink *nl, unsigned int ifindex, unsigned int flags,
		unsigned int mask)
{
	struct ifinfomsg ifi = {
		.ifi_index = ifindex,
		.ifi_flags = flags,
		.ifi_change = mask,
	};

	return link_request(nl, link_begin(nl, RTM_NEWLINK, &ifi), NULL, NULL);
}

static int
link_set_u32(struct rtap_netlink *nl, unsigned int ifindex, uint16_t attr, uint32_t value)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nlmsghdr *nlh = link_begin(nl, RTM_NEWLINK, &ifi);

	if (nlh != NULL)
		mnl_attr_put_u32(nlh, attr, value);
	return link_request(nl, nlh, NULL, NULL);
}

int
rtap_link_set_mtu(struct rtap_netlink *nl, unsigned int ifindex, uint32_t mtu)
{
	return link_set_u32(nl, ifindex, IFLA_MTU, mtu);
}

int
rtap_link_set_gso_max(struct rtap_netlink *nl, unsigned int ifindex, uint32_t size)
{
	return link_set_u32(nl, ifindex, IFLA_GSO_MAX_SIZE, size);
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
settings_ioctl(struct rtap_netlink *nl, unsigned int ifindex, union link_settings *settings)
{
	struct ifreq ifr = { .ifr_ifindex = ifindex };
	int fd = mnl_socket_get_fd(nl->sock);

	if (ioctl(fd, SIOCGIFNAME, &ifr) < 0)
		return -errno;
	ifr.ifr_data = (void *)settings;
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

/* The first answer is how many words the kernel's masks have; it wants to hear that back. */
static int
settings_get(struct rtap_netlink *nl, unsigned int ifindex, union link_settings *settings)
{
	int ret, i;

	*settings = (union link_settings){0};
	for (i = 0, ret = 0; i < 2 && ret == 0; i++) {
		settings->req.cmd = ETHTOOL_GLINKSETTINGS;
		settings->req.link_mode_masks_nwords = -settings->req.link_mode_masks_nwords;
		ret = settings_ioctl(nl, ifindex, settings);
	}
	return ret;
}

int
rtap_link_get_speed(struct rtap_netlink *nl, unsigned int ifindex, uint32_t *speed)
{
	union link_settings settings;
	int ret;

	if (nl == NULL)
		return -ENODEV;
	ret = settings_get(nl, ifindex, &settings);
	if (ret == 0)
		*speed = settings.req.speed;
	return ret;
}

int
rtap_link_set_speed(struct rtap_netlink *nl, unsigned int ifindex, uint32_t speed)
{
	union link_settings settings;
	int ret;

	if (nl == NULL)
		return -ENODEV;
	ret = settings_get(nl, ifindex, &settings);
	if (ret != 0 || (settings.req.speed == speed && settings.req.duplex == DUPLEX_FULL))
		return ret;
	settings.req.cmd = ETHTOOL_SLINKSETTINGS;
	settings.req.speed = speed;
	settings.req.duplex = DUPLEX_FULL;
	return settings_ioctl(nl, ifindex, &settings);
}

int
rtap_link_delete(struct rtap_netlink *nl, unsigned int ifindex)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };

	return link_request(nl, link_begin(nl, RTM_DELLINK, &ifi), NULL, NULL);
}
