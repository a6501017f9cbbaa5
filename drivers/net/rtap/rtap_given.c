/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * TAP files that somebody else has opened: device argument fd=.
 *
 * The port works on duplicates, so the files stay the caller's, who may close them at once or give
 * them to another port later. What belongs to the open file and not to its number is put back
 * when the port is closed: blocking mode here, being attached to the interface in rtap_iface.c.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/major.h>

#include "rtap.h"

/* include/linux/miscdevice.h of Linux, which programs do not get. */
#define RTAP_TUN_MINOR 200

/* Is this a file of /dev/net/tun? Those of macvtap answer to most of the same ioctls. */
static bool
is_tun(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
		st.st_rdev == makedev(MISC_MAJOR, RTAP_TUN_MINOR);
}

/* Is the interface of a kind that the driver can work with? NULL, or what is wrong. */
static const char *
check_flags(unsigned int flags, bool several)
{
	if ((flags & IFF_TAP) == 0)
		return "it is a TUN, which has no Ethernet header: open it with IFF_TAP";
	if ((flags & IFF_VNET_HDR) == 0)
		return "it has no virtio-net header: open it with IFF_VNET_HDR";
	if ((flags & IFF_NAPI_FRAGS) != 0)
		return "it restricts what can be written: open it without IFF_NAPI_FRAGS";
	if (several && (flags & IFF_MULTI_QUEUE) == 0)
		return "it has a single queue: open all files with IFF_MULTI_QUEUE";
	return NULL;
}

static const char *
check_file(int fd, bool several, char ifname[IF_NAMESIZE])
{
	int status = fcntl(fd, F_GETFL);
	unsigned int flags;

	if (status < 0)
		return "no such file is open in this process: it must be inherited, or opened by it";
	if (!is_tun(fd))
		return "it is not a file of /dev/net/tun";
	if ((status & O_ACCMODE) != O_RDWR)
		return "it is not open for reading and writing";
	if (rtap_tap_get_flags(fd, &flags, ifname) != 0)
		return "it has no interface: TUNSETIFF was not called, or the interface is gone";
	if ((flags & IFF_DETACH_QUEUE) != 0)
		return "its queue is detached from the interface";
	if (rtap_tap_has_pi(fd))
		return "it has packet information in front of each frame: open it with IFF_NO_PI";
	return check_flags(flags, several);
}

/*
 * Are these numbers of one open file? The status flags belong to that, and the one that is changed
 * for a moment means nothing to a TAP.
 */
static bool
is_same_file(int a, int b)
{
	int flags_a = fcntl(a, F_GETFL), flags_b = fcntl(b, F_GETFL);
	bool same;

	fcntl(a, F_SETFL, flags_a ^ O_APPEND);
	same = fcntl(b, F_GETFL) != flags_b;
	fcntl(a, F_SETFL, flags_a);
	return same;
}

static bool
is_one_of(int fd, const struct rtap_files *files)
{
	uint16_t i;

	for (i = 0; i < files->nb_fds; i++)
		if (is_same_file(fd, files->fds[i]))
			return true;
	return false;
}

static bool
is_of_other_port(int fd)
{
	uint16_t port;

	RTE_ETH_FOREACH_DEV(port) {
		const struct rte_eth_dev *dev = &rte_eth_devices[port];

		if (dev->device->driver != NULL &&
		    strcmp(dev->device->driver->name, RTAP_DRIVER_NAME) == 0 &&
		    is_one_of(fd, &rtap_dev(dev)->files))
			return true;
	}
	return false;
}

/*
 * Have these files the same interface? Names may be equal in different network namespaces. The size
 * of the header belongs to the interface, so a change made through one file shows in the other.
 */
static bool
is_same_interface(int a, int b)
{
	struct rtap_tap_settings found, changed, seen;
	int ret;

	if (rtap_tap_get_settings(a, &found) != 0)
		return false;
	changed = found;
	changed.vnet_hdr_size++;
	ret = rtap_tap_get_settings(b, &seen);
	if (ret != 0 || seen.vnet_hdr_size != found.vnet_hdr_size)
		return false;
	ret = rtap_tap_set_settings(a, &changed);
	if (ret == 0)
		ret = rtap_tap_get_settings(b, &seen);
	rtap_tap_set_settings(a, &found);
	return ret == 0 && seen.vnet_hdr_size == changed.vnet_hdr_size;
}

static const char *
check_against_others(const struct rtap_files *files, int fd)
{
	if (is_one_of(fd, files))
		return "it is the same open file as an earlier one";
	if (is_of_other_port(fd))
		return "another port uses it";
	if (files->nb_fds > 0 && !is_same_interface(files->fds[0], fd))
		return "it belongs to another interface than the first";
	return NULL;
}

static int
take(struct rtap_files *files, int fd)
{
	int flags = fcntl(fd, F_GETFL);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return -errno;
	if (fcntl(copy, F_SETFL, flags | O_NONBLOCK) < 0) {
		close(copy);
		return -errno;
	}
	files->blocking[files->nb_fds] = (flags & O_NONBLOCK) == 0;
	files->attached[files->nb_fds] = true;
	files->fds[files->nb_fds++] = copy;
	return 0;
}

int
rtap_given_open(struct rtap_dev *rtap, const struct rtap_devargs *args)
{
	struct rtap_files *files = &rtap->files;
	const char *reason = NULL;
	int ret = 0, fd;
	uint16_t i;

	files->given = true;
	files->multi_queue = args->nb_fds > 1;
	for (i = 0; i < args->nb_fds && ret == 0; i++) {
		fd = args->fds[i];
		reason = check_file(fd, files->multi_queue, rtap->ifname);
		if (reason == NULL)
			reason = check_against_others(files, fd);
		ret = reason != NULL ? -EINVAL : take(files, fd);
		if (ret != 0)
			PMD_LOG(ERR, "cannot use file " RTAP_ARG_FD "=%d: %s", fd,
				reason != NULL ? reason : strerror(-ret));
	}
	return ret;
}

void
rtap_given_release(const struct rtap_files *files)
{
	uint16_t i;

	for (i = 0; i < files->nb_fds; i++) {
		if (files->blocking[i])
			fcntl(files->fds[i], F_SETFL,
				fcntl(files->fds[i], F_GETFL) & ~O_NONBLOCK);
	}
}
