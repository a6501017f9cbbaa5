/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The interface of a port: made or taken over when the port is probed, deleted or left behind in
 * good order when it is closed.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_cycles.h>

#include "rtap.h"
#include "rtap_link.h"
#include "rtap_netlink.h"
#include "rtap_tap.h"

/* How long to wait for a process that was killed to let go of an interface. */
#define RTAP_BUSY_RETRIES 200
#define RTAP_BUSY_RETRY_US 10000

/* What the user should know or do when /dev/net/tun cannot be opened; NULL: it can. */
static const char *
device_advice(void)
{
	int fd = rtap_tap_open_device();

	switch (fd) {
	case -EACCES:
		return "no permission to read and write /dev/net/tun: change its mode or group";
	case -EPERM:
		return "/dev/net/tun is forbidden here: allow the container the device (c 10:200 rwm)";
	case -ENOENT:
		return "/dev/net/tun is missing: load the tun module, or pass the device to the container";
	case -ENODEV:
	case -ENXIO:
		return "the kernel has no driver behind /dev/net/tun: load the tun module";
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* The same when there is a device, but a TAP cannot be opened. */
static const char *
open_advice(int err, bool created)
{
	const char *advice = device_advice();

	if (advice != NULL)
		return advice;
	switch (-err) {
	case EBUSY:
		return "it is busy: another process or port has it open";
	case EEXIST:
		return "an interface of that name exists and is not a TAP";
	case EPERM:
	case EACCES:
		if (created)
			return "making an interface takes CAP_NET_ADMIN in this network namespace";
		return "the interface is not ours: it takes CAP_NET_ADMIN in this network namespace, or that this user is its owner ('ip tuntap add ... user')";
	case EINVAL:
		return "the kernel does not accept the name, or the TAP was made with options that cannot be taken over";
	default:
		return strerror(-err);
	}
}

/*
 * Open the TAP, making it or taking over one that nobody uses. An attached file of somebody
 * else is looked for first, because the kernel would let us join a multi-queue TAP and take a
 * part of its packets.
 */
static int
tap_open_once(struct rtap_dev *rtap, const char *name)
{
	struct rtap_link_info info;
	int flags = IFF_MULTI_QUEUE | rtap_napi_open_flag(rtap);
	int ret, fd;

	rtap->created = true;
	if (strchr(name, '%') == NULL) {
		ret = rtap_link_get_by_name(rtap->nl, name, &info);
		if (ret == 0 && !info.is_tap)
			return -EEXIST;
		if (ret == 0 && info.nb_files > 0)
			return -EBUSY;
		if (ret != 0 && ret != -ENODEV)
			return ret;
		rtap->created = ret != 0;
		if (rtap->created)
			flags |= IFF_TUN_EXCL;
		else if (!info.multi_queue)
			flags &= ~IFF_MULTI_QUEUE;
	}
	rtap->files.multi_queue = (flags & IFF_MULTI_QUEUE) != 0;
	fd = rtap_tap_open(name, flags, rtap->ifname);
	/* The kernel itself refuses a second user of a TAP with a single queue. */
	if (fd < 0 || rtap->created || !rtap->files.multi_queue)
		return fd;
	/* Somebody may have had the same idea at the same time. */
	ret = rtap_link_get_by_name(rtap->nl, rtap->ifname, &info);
	if (ret == 0 && info.nb_files == 1)
		return fd;
	close(fd);
	return ret != 0 ? ret : -EBUSY;
}

static int
given_open(struct rtap_dev *rtap, const struct rtap_devargs *args)
{
	int ret;

	ret = rtap_given_open(rtap, args);
	return ret != 0 ? ret : rtap_napi_follow(rtap);
}

static int
tap_open(struct rtap_dev *rtap, const char *name)
{
	int ret = -EBUSY, i;

	/* The files of a process that was killed are closed a moment after it. */
	for (i = 0; ret == -EBUSY && i < RTAP_BUSY_RETRIES; i++) {
		if (i > 0)
			rte_delay_us_sleep(RTAP_BUSY_RETRY_US);
		ret = tap_open_once(rtap, name);
	}
	if (ret < 0) {
		PMD_LOG(ERR, "cannot open TAP '%s': %s", name,
			open_advice(ret, rtap->created));
		/* rte_eal_hotplug_add() takes -EEXIST for a device that was probed before. */
		return ret == -EEXIST ? -EINVAL : ret;
	}
	rtap->files.fds[0] = ret;
	rtap->files.attached[0] = true;
	rtap->files.nb_fds = 1;
	return 0;
}

/* Like the addresses that net_tap gives to its ports, made of the number in the device's name. */
static void
fixed_mac(const char *device, struct rte_ether_addr *mac)
{
	const char *digits = device + strcspn(device, "0123456789");

	*mac = (struct rte_ether_addr){
		{ 0x02, 'd', 't', 'a', 'p', '0' + strtoul(digits, NULL, 10) }
	};
}

/*
 * The random address of a new interface is set as well: as long as nobody has set it, udev may
 * replace it at any moment (MACAddressPolicy= of systemd.link).
 */
static int
tap_init_mac(struct rtap_dev *rtap, const struct rtap_devargs *args, const char *device)
{
	struct rte_ether_addr mac = args->mac;
	int fd = rtap->files.fds[0];
	int ret = 0;

	if (args->mac_mode == RTAP_MAC_FIXED)
		fixed_mac(device, &mac);
	else if (args->mac_mode == RTAP_MAC_KERNEL)
		ret = rtap_tap_get_mac(fd, &mac);
	if (ret == 0 && (args->mac_mode != RTAP_MAC_KERNEL || rtap->created))
		ret = rtap_tap_set_mac(fd, &mac);
	if (ret == 0)
		ret = rtap_tap_get_mac(fd, &rtap->macs[0]);
	return ret;
}

static int
tap_init_sqpoll(struct rtap_dev *rtap, const struct rtap_sqpoll_conf *conf)
{
	int ret;

	ret = rtap_sqpoll_open(&rtap->sqpoll, conf, &rtap->caps);
	if (ret == -EINVAL && conf->pinned)
		PMD_LOG(ERR,
			"argument '" RTAP_ARG_SQPOLL_CPU "': CPU %u is not online, or not for this process",
			conf->cpu);
	else if (ret != 0)
		PMD_LOG(ERR, "%s: " RTAP_ARG_SQPOLL "=%s: the kernel refuses: %s", rtap->ifname,
			conf->per_queue ? "queue" : "1", strerror(-ret));
	return ret;
}

/* Who asks for SQPOLL asks for io_uring. */
static int
tap_init_io(struct rtap_dev *rtap, const struct rtap_devargs *args)
{
	enum rtap_io_mode mode = args->sqpoll.on ? RTAP_IO_URING : args->io;
	const char *reason;
	int ret;

	ret = rtap_ring_probe(rtap->files.fds[0], mode, &rtap->caps, &reason);
	if (ret != 0)
		PMD_LOG(ERR, "%s: %s: %s", rtap->ifname,
			args->sqpoll.on ? RTAP_ARG_SQPOLL : RTAP_ARG_IO "=uring", reason);
	else if (args->sqpoll.on)
		ret = tap_init_sqpoll(rtap, &args->sqpoll);
	else if (reason != NULL)
		PMD_LOG(WARNING, "%s: using %s, which is slower: %s", rtap->ifname,
			rtap->caps.uring ? "readv" : "readv/writev", reason);
	return ret;
}

/*
 * What the kernel can do for packets, and whether that is what the user wants. The offloads that
 * were set before cannot be read and put back, so nothing else that may fail comes later.
 */
static int
tap_init_offload(struct rtap_dev *rtap, const struct rtap_devargs *args)
{
	int ret;

	ret = rtap_tap_probe_offload(rtap->files.fds[0], &rtap->tun_caps);
	if (ret != 0) {
		PMD_LOG(ERR, "%s: cannot set offloads: %s", rtap->ifname, strerror(-ret));
		return ret;
	}
	if (args->uso && (rtap->tun_caps & RTAP_TUN_F_USO) == 0) {
		PMD_LOG(ERR, "%s: " RTAP_ARG_USO "=1: this kernel has no UDP segmentation offload, use Linux 6.2 or later",
			rtap->ifname);
		return -ENOTSUP;
	}
	rtap->uso = args->uso;
	return 0;
}

/*
 * Is the interface that netlink shows by this name the one behind the file? Only those who have
 * rights in its namespace may ask which that is. But whoever has the file can switch the carrier,
 * and it will be switched off anyway.
 */
static bool
has_our_carrier(const struct rtap_dev *rtap)
{
	int fd = rtap->files.fds[0], on;
	struct rtap_link_info info;

	for (on = 1; on >= 0; on--)
		if (rtap_tap_set_carrier(fd, on) != 0 ||
		    rtap_link_get_by_name(rtap->nl, rtap->ifname, &info) != 0 ||
		    info.carrier != (on != 0))
			return false;
	return true;
}

/* An interface that was opened by somebody else may well be out of sight: -ENODEV. */
static int
given_find(struct rtap_dev *rtap, struct rtap_link_info *info)
{
	int ret;

	rtap->carrier_after = true; /* as it is when a file is opened */
	ret = rtap_link_get(rtap->nl, info);
	if (ret == 0)
		rtap->carrier_after = info->carrier;
	if (rtap->nl == NULL || (ret == 0 && rtap_netlink_netns(rtap->nl) != 0))
		return ret;
	ret = rtap_link_get_by_name(rtap->nl, rtap->ifname, info);
	if (ret != 0)
		return ret;
	if (!info->is_tap)
		return -ENODEV;
	rtap->carrier_after = info->carrier;
	return has_our_carrier(rtap) ? 0 : -ENODEV;
}

static void
init_unseen(struct rtap_dev *rtap)
{
	PMD_LOG(NOTICE,
		"%s: not to be seen from here: its MTU must be the port's, its state and drops are not known, and there is no link interrupt",
		rtap->ifname);
	rtap_netlink_close(rtap->nl);
	rtap->nl = NULL;
	rtap->min_mtu = RTE_ETHER_MIN_MTU;
	rtap->max_mtu = RTAP_MTU_MAX;
}

/* What the interface is like, and whether it outlives us if all else fails. */
static int
tap_init_info(struct rtap_dev *rtap)
{
	struct rtap_link_info info;
	unsigned int flags;
	int ret;

	/* It may have been renamed already. */
	ret = rtap_tap_get_flags(rtap->files.fds[0], &flags, rtap->ifname);
	if (ret == 0)
		ret = rtap_tap_get_settings(rtap->files.fds[0], &rtap->found);
	if (ret != 0)
		return ret;
	ret = rtap->files.given ? given_find(rtap, &info) :
		rtap_link_get_by_name(rtap->nl, rtap->ifname, &info);
	if (ret == -ENODEV && rtap->files.given) {
		init_unseen(rtap);
		return 0;
	}
	if (ret != 0)
		return ret;
	rtap_link_assume(rtap->nl, info.ifindex);
	rtap->persistent = (flags & IFF_PERSIST) != 0;
	rtap->ifindex = info.ifindex;
	rtap->mtu = info.mtu;
	rtap->min_mtu = info.min_mtu;
	rtap->max_mtu = RTE_MIN(info.max_mtu, (uint32_t)UINT16_MAX);
	memcpy(rtap->kernel_base, info.stats, sizeof(rtap->kernel_base));
	memcpy(rtap->kernel, info.stats, sizeof(rtap->kernel));
	return 0;
}

/*
 * A new interface has a speed of ours: older kernels (Linux 6.1) think of 10 Mb/s. Another keeps
 * its own unless the user says otherwise, which takes a right.
 */
static int
tap_init_speed(struct rtap_dev *rtap, const struct rtap_devargs *args)
{
	int ret = 0;

	rtap->speed = args->speed != 0 ? args->speed : RTAP_SPEED_DEFAULT;
	if (args->speed != 0 || rtap->created)
		ret = rtap_link_set_speed(rtap->nl, rtap->speed);
	if (ret != 0)
		PMD_LOG(WARNING, "%s: cannot set speed %" PRIu32 ": %s", rtap->ifname,
			rtap->speed, rtap_link_strerror(ret));
	if (ret != 0 && args->speed != 0)
		return ret;
	rtap_link_get_speed(rtap->nl, &rtap->speed);
	return 0;
}

static int
tap_init_persist(struct rtap_dev *rtap, const struct rtap_devargs *args)
{
	int ret;

	if (args->persist == RTAP_PERSIST_KEEP)
		return 0;
	ret = rtap_tap_set_persist(rtap->files.fds[0], args->persist == RTAP_PERSIST_ON);
	if (ret == 0)
		rtap->persistent = args->persist == RTAP_PERSIST_ON;
	else
		PMD_LOG(ERR, "%s: " RTAP_ARG_PERSIST ": %s", rtap->ifname, strerror(-ret));
	return ret;
}

static int
tap_init(struct rtap_dev *rtap, const struct rtap_devargs *args, const char *device)
{
	int fd = rtap->files.fds[0];
	int ret;

	ret = tap_init_info(rtap);
	if (ret == 0)
		ret = rtap_tap_set_settings(fd, &rtap_tap_settings);
	if (ret == 0) {
		rtap_napi_find(rtap);
		ret = rtap_tap_set_carrier(fd, false);
	}
	if (ret == 0)
		ret = tap_init_mac(rtap, args, device);
	if (ret == 0)
		ret = tap_init_speed(rtap, args);
	if (ret != 0)
		PMD_LOG(ERR, "cannot set up TAP '%s': %s", rtap->ifname, strerror(-ret));
	return ret;
}

/* Leave an interface that persists without what only made sense with a port behind it. */
static void
put_back(struct rtap_dev *rtap)
{
	int fd = rtap_files_ctl(&rtap->files);
	unsigned int flags = (rtap->promiscuous ? IFF_PROMISC : 0) |
		(rtap->allmulticast ? IFF_ALLMULTI : 0);

	if (rtap->files.given) /* detached ones would keep settings of ours */
		rtap_files_attach(&rtap->files);
	if (flags != 0)
		rtap_link_set_flags(rtap->nl, 0, flags);
	if (rtap->gso_max != 0)
		rtap_link_set_gso_max(rtap->nl, rtap->gso_max_found);
	rtap_napi_put_back(rtap);
	if (rtap->offload != 0)
		rtap_tap_set_offload(fd, 0);
	if (rtap->found.vnet_hdr_size == 0)
		return; /* not touched yet */
	rtap_tap_set_settings(fd, &rtap->found);
	if (rtap->files.given)
		rtap_tap_set_carrier(fd, rtap->carrier_after);
}

/*
 * An interface that does not persist is deleted rather than left to go with its last file: the
 * kernel may close that file a little later, when the rings that hold it are gone.
 */
void
rtap_iface_close(struct rtap_dev *rtap)
{
	if (rtap->persistent || rtap->files.given)
		put_back(rtap);
	else if (rtap->ifindex != 0) /* else it goes with its file */
		rtap_link_delete(rtap->nl);
	rtap_napi_close(rtap);
	if (rtap->files.given)
		rtap_given_release(&rtap->files);
	rtap_files_resize(rtap, 0);
	rtap_sqpoll_close(&rtap->sqpoll);
	rtap_netlink_close(rtap->nl);
	rtap->nl = NULL;
}

int
rtap_iface_open(struct rtap_dev *rtap, const struct rtap_devargs *args, const char *device)
{
	int ret;

	ret = rtap_netlink_open(&rtap->nl, &rtap->files);
	if (ret != 0) {
		PMD_LOG(ERR, "cannot open a netlink socket: %s", strerror(-ret));
		if (args->nb_fds == 0)
			return ret;
	}
	rtap_napi_open(rtap, args->napi, args->sndbuf);
	ret = args->nb_fds > 0 ? given_open(rtap, args) : tap_open(rtap, args->iface);
	if (ret == 0)
		ret = tap_init_io(rtap, args);
	if (ret == 0)
		ret = tap_init(rtap, args, device);
	if (ret == 0)
		ret = rtap_napi_apply(rtap);
	if (ret == 0)
		ret = tap_init_offload(rtap, args);
	if (ret == 0)
		ret = tap_init_persist(rtap, args);
	if (ret == 0 && !rtap->files.given)
		rtap_tap_remove_filters(rtap->files.fds[0]);
	if (ret != 0)
		rtap_iface_close(rtap);
	return ret;
}
