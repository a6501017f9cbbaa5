/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_LINK_H_
#define _RTAP_LINK_H_

/*
 * The network interface behind the TAP file, through rtnetlink and libmnl; and through the ioctls
 * of ethtool.
 *
 * It may be renamed and moved to another network namespace at any time, where its index may be
 * another, and the old one another's. So each call asks the file for name and namespace first.
 * Calls may come from several threads. All return 0 or a negative errno; -ENODEV: it was deleted,
 * or is out of sight; or nl is NULL. -EPERM: also for what takes CAP_SYS_ADMIN elsewhere.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rtap_netlink;

/*
 * The kernel's counters of the interface that a TAP makes use of, by their place in struct
 * rtnl_link_stats64 of linux/if_link.h, which only grows. "Rx" is what the kernel receives, from
 * the application.
 */
enum rtap_kernel_stat {
	RTAP_KERNEL_RX_PACKETS = 0,
	RTAP_KERNEL_TX_PACKETS = 1,
	RTAP_KERNEL_RX_BYTES = 2,
	RTAP_KERNEL_TX_BYTES = 3,
	RTAP_KERNEL_RX_DROPPED = 6,
	RTAP_KERNEL_TX_DROPPED = 7,
	RTAP_KERNEL_RX_FRAME_ERRORS = 13,
	RTAP_KERNEL_RX_NOHANDLER = 23,
	RTAP_KERNEL_RX_OTHERHOST_DROPPED = 24,	/* Linux 5.19 */
	RTAP_KERNEL_STATS,
};

struct rtap_link_info {
	char ifname[IF_NAMESIZE];
	unsigned int ifindex;
	unsigned int flags;		/* IFF_*, as they were set */
	ino_t netns;			/* inode number of its network namespace; 0: not known */
	bool here;			/* that is the one of the socket */
	bool carrier;
	bool promiscuous;		/* in effect, by whatever cause: a bridge sets no flag */
	bool allmulticast;
	uint32_t mtu;
	uint32_t min_mtu;
	uint32_t max_mtu;
	uint32_t gso_max;		/* the largest packet that the kernel merges for TSO */
	uint64_t stats[RTAP_KERNEL_STATS];
	/* What kind of interface it is. */
	bool is_tap;
	bool multi_queue;
	uint32_t nb_files;		/* open files of a multi-queue TAP, attached or not */
	uint32_t nb_detached;		/* those that are not */
};

/** What a negative errno of these calls means, and which right is missing if it is one. */
const char *rtap_link_strerror(int err);

/** An interface of that name in the namespace of the socket, which need not be the file's. */
int rtap_link_get_by_name(struct rtap_netlink *nl, const char *name,
		struct rtap_link_info *info);
/** The interface of the file is the one of that index, if the file does not say. */
void rtap_link_assume(struct rtap_netlink *nl, unsigned int ifindex);

int rtap_link_get(struct rtap_netlink *nl, struct rtap_link_info *info);

/** Set the interface flags (IFF_*) in mask to those in flags. */
int rtap_link_set_flags(struct rtap_netlink *nl, unsigned int flags, unsigned int mask);
int rtap_link_set_mtu(struct rtap_netlink *nl, uint32_t mtu);
/** Limit the IP packets that the kernel merges for TSO, in bytes. */
int rtap_link_set_gso_max(struct rtap_netlink *nl, uint32_t size);
/** The speed that the kernel reports, in Mb/s; unchanged on failure. */
int rtap_link_get_speed(struct rtap_netlink *nl, uint32_t *speed);
/** Have the kernel report this speed, 1 to INT32_MAX Mb/s, and full duplex, unless it does. */
int rtap_link_set_speed(struct rtap_netlink *nl, uint32_t speed);
int rtap_link_delete(struct rtap_netlink *nl);

#endif /* _RTAP_LINK_H_ */
