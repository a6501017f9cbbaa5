/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * What this machine has of what paths need. Each thing is tried, in a namespace of this program, as
 * those will try it who use it: a file that is there need not be one that may be opened. What comes
 * back is an error number, and a row of a table says what that means and what to do.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>

#include <rte_devargs.h>
#include <rte_ethdev.h>

#include "kperf.h"

/* The kernel's number of the family, for C libraries that do not know it */
#ifndef AF_XDP
#define AF_XDP 44
#endif

#define PROBE_IFNAME "kpprobe"

static struct availability *all;	/* a row for each path */
static int namespaces;

/*
 * Trying: each returns 0 or an error number
 */

static int
try_namespace(const struct path *path __rte_unused)
{
	return namespaces;
}

/* That EAL finds a bus for a name means that a driver on that bus takes it. */
static int
try_driver(const struct path *path)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	struct rte_devargs args = {0};
	int ret;

	snprintf(name, sizeof(name), "%s0", path->driver);
	ret = rte_devargs_parse(&args, name);
	rte_devargs_reset(&args);
	return ret == 0 ? 0 : ENODEV;
}

static int
try_tun(const struct path *path __rte_unused)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = PROBE_IFNAME };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return errno;
	if (ioctl(fd, TUNSETIFF, &ifr) != 0)
		ret = errno;
	close(fd);
	return ret;
}

static int
try_uring(const struct path *path __rte_unused)
{
	struct io_uring_params params = {0};
	int fd = syscall(SYS_io_uring_setup, 1, &params);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* Is there a module of that name for the running kernel, not loaded yet? */
static bool
is_module(const char *name)
{
	char path[256], line[512];
	struct utsname kernel;
	bool found = false;
	FILE *file;

	uname(&kernel);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", kernel.release);
	file = fopen(path, "re");
	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, ":")] = '\0';
		found = strstr(line, name) != NULL;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

/* ENOENT: the module is to be loaded; ENODEV: there is none. */
static int
try_vhost(const struct path *path __rte_unused)
{
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT && !is_module("/vhost_net.ko") ? ENODEV : errno;
	close(fd);
	return 0;
}

static int
try_veth(const struct path *path __rte_unused)
{
	int ret = net_try_veth(PROBE_IFNAME, PROBE_IFNAME "a");

	if (ret == 0)
		net_delete(PROBE_IFNAME);
	return ret;
}

static int
try_socket(int family)
{
	int sock = socket(family, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return errno;
	close(sock);
	return 0;
}

static int
try_packet(const struct path *path __rte_unused)
{
	return try_socket(AF_PACKET);
}

/* The socket, and the map through which the driver's program finds it. EACCES: not the latter. */
static int
try_xdp(const struct path *path __rte_unused)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_XSKMAP,
		.key_size = sizeof(int),
		.value_size = sizeof(int),
		.max_entries = 1,
	};
	int ret = try_socket(AF_XDP), fd;

	if (ret != 0)
		return ret;
	fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return errno == EPERM ? EACCES : errno;
	close(fd);
	return 0;
}

static const struct probe {
	uint32_t needs;
	int (*try)(const struct path *path);
} probes[] = {
	{ NEEDS_NAMESPACE, try_namespace },
	{ NEEDS_DRIVER, try_driver },
	{ NEEDS_TUN, try_tun },
	{ NEEDS_VHOST, try_vhost },
	{ NEEDS_VETH, try_veth },
	{ NEEDS_PACKET, try_packet },
	{ NEEDS_XDP, try_xdp },
	{ NEEDS_URING, try_uring },
};

/*
 * What an error means, and what to do. The first row that fits; error 0 fits all.
 */

static const struct reason {
	uint32_t needs;
	int error;
	const char *why, *how;
} reasons[] = {
	{ NEEDS_NAMESPACE, EPERM, "no permission to make network namespaces",
		"run it as root (sudo); in a container: with CAP_SYS_ADMIN and CAP_NET_ADMIN" },
	{ NEEDS_NAMESPACE, 0, "the kernel makes no network namespaces",
		"raise user.max_net_namespaces, or use a kernel with CONFIG_NET_NS" },
	{ NEEDS_DRIVER, 0, "DPDK's driver is not installed", NULL /* name_driver() */ },
	{ NEEDS_TUN, ENOENT, "no /dev/net/tun",
		"modprobe tun; in a container: give it this device (--device=/dev/net/tun)" },
	{ NEEDS_TUN, EPERM, "no permission to make a TAP",
		"root, or CAP_NET_ADMIN; in a container: allow device 10:200 as well" },
	{ NEEDS_TUN, EACCES, "/dev/net/tun may not be opened",
		"root, or write permission for /dev/net/tun" },
	{ NEEDS_TUN, 0, "no TAP can be made", "modprobe tun, or a kernel with CONFIG_TUN" },
	{ NEEDS_VHOST, ENOENT, "no /dev/vhost-net, vhost_net is not loaded",
		"modprobe vhost_net" },
	{ NEEDS_VHOST, ENODEV, "no /dev/vhost-net, and no such module for this kernel",
		"a kernel with CONFIG_VHOST_NET; in a container: give it this device" },
	{ NEEDS_VHOST, EACCES, "/dev/vhost-net may not be opened",
		"root, or membership in the group of /dev/vhost-net (often kvm)" },
	{ NEEDS_VHOST, EPERM, "/dev/vhost-net may not be opened",
		"in a container: give it this device (--device=/dev/vhost-net)" },
	{ NEEDS_VHOST, 0, "/dev/vhost-net does not work",
		"modprobe vhost_net, or a kernel with CONFIG_VHOST_NET" },
	{ NEEDS_VETH, EPERM, "no permission to make a veth pair", "root, or CAP_NET_ADMIN" },
	{ NEEDS_VETH, 0, "no veth pair can be made",
		"modprobe veth, or a kernel with CONFIG_VETH" },
	{ NEEDS_PACKET, EPERM, "no permission for packet sockets", "root, or CAP_NET_RAW" },
	{ NEEDS_PACKET, 0, "no packet sockets in this kernel",
		"modprobe af_packet, or a kernel with CONFIG_PACKET" },
	{ NEEDS_XDP, EPERM, "no permission for XDP sockets", "root, or CAP_NET_RAW" },
	{ NEEDS_XDP, EACCES, "no permission to load the XDP program of such a socket",
		"root, or CAP_BPF and CAP_NET_ADMIN; in a container: allow bpf() in seccomp" },
	{ NEEDS_XDP, 0, "no XDP sockets in this kernel", "a kernel with CONFIG_XDP_SOCKETS" },
	{ NEEDS_URING, EPERM, "io_uring is forbidden here",
		"sysctl kernel.io_uring_disabled=0; in a container: allow io_uring in seccomp" },
	{ NEEDS_URING, 0, "no io_uring in this kernel", "a kernel with CONFIG_IO_URING" },
};

static const struct reason *
find_reason(uint32_t needs, int error)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(reasons); i++)
		if (reasons[i].needs == needs &&
		    (reasons[i].error == error || reasons[i].error == 0))
			return &reasons[i];
	return NULL;
}

/* Which of DPDK's plugins: net_virtio_user is in that of virtio. Debian has a package for each. */
static void
name_driver(const struct path *path, char *words, size_t size)
{
	const char *name = path->driver + strlen("net_");
	int len = (path->flags & DPDK_VHOST) != 0 ? strcspn(name, "_") : strlen(name);
	char dashes[32];
	char *at;

	snprintf(dashes, sizeof(dashes), "%.*s", len, name);
	for (at = dashes; *at != '\0'; at++)
		if (*at == '_')
			*at = '-';
	snprintf(words, size, "install librte_net_%.*s.so of this DPDK (Debian: librte-net-%s*)",
		len, name, dashes);
}

static void
probe_path(const struct path *path, struct availability *a)
{
	const struct reason *reason;
	unsigned int i;
	int error;

	for (i = 0; i < RTE_DIM(probes); i++) {
		const struct probe *p = &probes[i];

		if (((path->needs | path->wants | NEEDS_NAMESPACE) & p->needs) == 0)
			continue;
		error = p->try(path);
		if (error == 0)
			continue;
		reason = find_reason(p->needs, error);
		if ((path->wants & p->needs) != 0) {
			a->note = reason->why;
			a->how = reason->how;
			continue;
		}
		a->why = reason->why;
		a->how = reason->how;
		if (p->needs == NEEDS_DRIVER) {
			name_driver(path, a->words, sizeof(a->words));
			a->how = a->words;
		}
		return;
	}
}

void
available_probe(int namespaces_error)
{
	unsigned int i;

	namespaces = namespaces_error;
	all = calloc(nb_paths, sizeof(*all));
	if (all == NULL)
		die("out of memory");
	for (i = 0; i < nb_paths; i++)
		probe_path(&paths[i], &all[i]);
}

void
available_free(void)
{
	free(all);
	all = NULL;
}

const struct availability *
available(const struct path *path)
{
	return &all[path - paths];
}
