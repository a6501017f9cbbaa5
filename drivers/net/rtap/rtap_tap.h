/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_TAP_H_
#define _RTAP_TAP_H_

/*
 * The TAP file: everything that is done with an ioctl on it.
 *
 * These calls work wherever the interface is: the file follows it into another network
 * namespace. Header size, byte order, offloads and carrier belong to the interface, so any
 * attached file serves to set them; on a detached one they fail with -EBADFD.
 *
 * Functions return 0 or a negative errno unless they say otherwise. Source of the semantics:
 * drivers/net/tun.c of Linux.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <rte_ether.h>

#include "rtap_filter.h"

/** Open /dev/net/tun, non-blocking. Returns the file, or the negative errno of open(). */
int rtap_tap_open_device(void);

/**
 * Open a queue of a TAP, non-blocking, with virtio-net headers.
 *
 * @param name
 *   Interface name; may contain "%d" for a number that the kernel chooses.
 * @param flags
 *   IFF_MULTI_QUEUE for an interface that has or shall have several queues; IFF_NAPI for a
 *   queue with NAPI; IFF_TUN_EXCL to fail if the interface exists.
 * @param ifname
 *   The name that the interface has.
 * @return
 *   The file, or a negative errno: -EBUSY if someone else has it open or it exists in spite of
 *   IFF_TUN_EXCL, -EINVAL if it is of another kind or name is not acceptable, -EPERM without
 *   CAP_NET_ADMIN unless the interface exists and its owner or group is ours; or as
 *   rtap_tap_open_device().
 */
int rtap_tap_open(const char *name, int flags, char ifname[IF_NAMESIZE]);

/** Settings of the interface that can be read, and so be put back. */
struct rtap_tap_settings {
	int vnet_hdr_size;
	int vnet_le;
	int sndbuf;
};

int rtap_tap_get_settings(int fd, struct rtap_tap_settings *settings);
int rtap_tap_set_settings(int fd, const struct rtap_tap_settings *settings);

/** The settings that this driver works with: struct rtap_vnet_hdr, little-endian, no limit. */
extern const struct rtap_tap_settings rtap_tap_settings;

/** Remove filters and steering programs, which stay with an interface that persists. */
void rtap_tap_remove_filters(int fd);

/**
 * Set the filter for destination addresses of what the file is to be read from. While it is
 * changed, everything passes. Takes no capability.
 */
int rtap_tap_set_filter(int fd, const struct rtap_filter_list *list);

/**
 * Have the kernel run a BPF socket filter on what passes that filter, or with -1 none. It stays
 * loaded as long as the interface has it. Takes no capability.
 */
int rtap_tap_set_program(int fd, int program);

/**
 * Find out which of the TUN_F_* that not every kernel knows this one does. No offload is set
 * afterwards.
 */
int rtap_tap_probe_offload(int fd, unsigned int *known);

/** Tell the kernel which unfinished packets it may deliver: TUN_F_*. */
int rtap_tap_set_offload(int fd, unsigned int offload);

/**
 * Limit what is written and not yet taken in by the kernel's receive path or what comes after it,
 * in bytes of memory: of this queue and of all that are attached now. 0: no limit.
 */
int rtap_tap_set_sndbuf(int fd, uint32_t size);

/** Switch the carrier, which leaves addresses and routes in place. */
int rtap_tap_set_carrier(int fd, bool on);

/** Attach or detach the file's queue; what is queued on a detached file is dropped. */
int rtap_tap_set_attached(int fd, bool attached);

/** Should the interface stay when the last file is closed? */
int rtap_tap_set_persist(int fd, bool persist);

/** Flags of the interface (IFF_* of linux/if_tun.h) and, if ifname is not NULL, its name now. */
int rtap_tap_get_flags(int fd, unsigned int *flags, char ifname[IF_NAMESIZE]);

/**
 * Does the kernel put packet information (struct tun_pi) in front of each frame? False if that
 * cannot be found out, because a filter is attached, or was.
 */
bool rtap_tap_has_pi(int fd);

int rtap_tap_get_mac(int fd, struct rte_ether_addr *mac);
int rtap_tap_set_mac(int fd, const struct rte_ether_addr *mac);

/**
 * Open the network namespace that the interface is in, which takes CAP_NET_ADMIN there.
 *
 * @param inode
 *   Its inode number.
 * @return
 *   The file, or a negative errno: -EBADFD without a device behind fd, -EINVAL if the namespace
 *   is being deleted.
 */
int rtap_tap_open_netns(int fd, ino_t *inode);
/** The inode number alone. Returns 0 or a negative errno. */
int rtap_tap_get_netns(int fd, ino_t *inode);

/** Throw away what waits to be read. */
void rtap_tap_drain(int fd);

#endif /* _RTAP_TAP_H_ */
