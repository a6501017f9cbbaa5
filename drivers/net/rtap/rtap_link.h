/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_LINK_H_
#define _RTAP_LINK_H_

/*
 * The network interface behind the TAP file, through rtnetlink and libmnl; and through the ioctls
 * of ethtool.
 *
 * The socket belongs to the network namespace in which it was opened, and sees the interface as
 * long as it is there; in another namespace its index may be another's. Calls may come from
 * several threads. All return 0 or a negative errno; -ENODEV: no such interface in this
 * namespace, or nl is NULL.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A link message with all its attributes; the kernel sizes its own by page. */
#define RTAP_NL_BUFSIZE 16384

struct mnl_socket;
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
	unsigned int ifindex;
	unsigned int flags;		/* IFF_* */
	bool carrier;
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

int rtap_netlink_open(struct rtap_netlink **nl);
void rtap_netlink_close(struct rtap_netlink *nl);
/** Inode number of the network namespace that the socket sees; 0: not known, without /proc. */
ino_t rtap_netlink_netns(const struct rtap_netlink *nl);
/**
 * Open a socket on which the kernel announces changes of links, non-blocking, in the same
 * namespace. The calling thread must be in that, else -ENODEV.
 */
int rtap_netlink_subscribe(const struct rtap_netlink *nl, struct mnl_socket **sock);

int rtap_link_get(struct rtap_netlink *nl, unsigned int ifindex, struct rtap_link_info *info);
int rtap_link_get_by_name(struct rtap_netlink *nl, const char *name,
		struct rtap_link_info *info);

/** Set the interface flags (IFF_*) in mask to those in flags. */
int rtap_link_set_flags(struct rtap_netlink *nl, unsigned int ifindex, unsigned int flags,
		unsigned int mask);
int rtap_link_set_mtu(struct rtap_netlink *nl, unsigned int ifindex, uint32_t mtu);
/** Limit the IP packets that the kernel merges for TSO, in bytes. */
int rtap_link_set_gso_max(struct rtap_netlink *nl, unsigned int ifindex, uint32_t size);
/** The speed that the kernel reports, in Mb/s; unchanged on failure. */
int rtap_link_get_speed(struct rtap_netlink *nl, unsigned int ifindex, uint32_t *speed);
/** Have the kernel report this speed, 1 to INT32_MAX Mb/s, and full duplex, unless it does. */
int rtap_link_set_speed(struct rtap_netlink *nl, unsigned int ifindex, uint32_t speed);
int rtap_link_delete(struct rtap_netlink *nl, unsigned int ifindex);

#endif /* _RTAP_LINK_H_ */
