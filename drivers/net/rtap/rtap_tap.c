/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/if_tun.h>

#include <rte_string_fns.h>

#include "rtap_tap.h"
#include "rtap_vnet.h"

#define RTAP_TUN_PATH "/dev/net/tun"

/* Linux 5.0 and 5.2; numbers are the kernel's ABI. */
#ifndef TUNSETCARRIER
#define TUNSETCARRIER _IOW('T', 226, int)
#endif
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

/* No drain takes longer than the longest queue anyone configures. */
#define RTAP_DRAIN_MAX 65536

static int
tap_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

/* The TUNSET* calls that take their argument by value. */
static int
tap_ioctl_value(int fd, unsigned long request, unsigned long value)
{
	return ioctl(fd, request, value) < 0 ? -errno : 0;
}

int
rtap_tap_open_device(void)
{
	int fd = open(RTAP_TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int
rtap_tap_open(const char *name, int flags, char ifname[IF_NAMESIZE])
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags };
	int fd, ret;

	fd = rtap_tap_open_device();
	if (fd < 0)
		return fd;
	rte_strscpy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
	ret = tap_ioctl(fd, TUNSETIFF, &ifr);
	if (ret != 0) {
		close(fd);
		return ret;
	}
	rte_strscpy(ifname, ifr.ifr_name, IF_NAMESIZE);
	return fd;
}

const struct rtap_tap_settings rtap_tap_settings = {
	.vnet_hdr_size = RTAP_VNET_HDR_LEN,
	.vnet_le = 1,
	.sndbuf = INT_MAX,
};

int
rtap_tap_get_settings(int fd, struct rtap_tap_settings *settings)
{
	int ret;

	ret = tap_ioctl(fd, TUNGETSNDBUF, &settings->sndbuf);
	if (ret == 0)
		ret = tap_ioctl(fd, TUNGETVNETHDRSZ, &settings->vnet_hdr_size);
	if (ret == 0)
		ret = tap_ioctl(fd, TUNGETVNETLE, &settings->vnet_le);
	return ret;
}

int
rtap_tap_set_settings(int fd, const struct rtap_tap_settings *settings)
{
	struct rtap_tap_settings s = *settings; /* ioctl() takes no constants */
	int ret;

	ret = tap_ioctl(fd, TUNSETSNDBUF, &s.sndbuf);
	if (ret == 0)
		ret = tap_ioctl(fd, TUNSETVNETHDRSZ, &s.vnet_hdr_size);
	if (ret == 0)
		ret = tap_ioctl(fd, TUNSETVNETLE, &s.vnet_le);
	return ret;
}

/* There may be none. */
void
rtap_tap_remove_filters(int fd)
{
	struct tun_filter accept_all = { .count = 0 };
	int none = -1;

	tap_ioctl(fd, TUNSETTXFILTER, &accept_all);
	tap_ioctl(fd, TUNDETACHFILTER, NULL);
	tap_ioctl(fd, TUNSETFILTEREBPF, &none);
	tap_ioctl(fd, TUNSETSTEERINGEBPF, &none);
}

/* It returns the number of addresses that are compared with. */
int
rtap_tap_set_filter(int fd, const struct rtap_filter_list *list)
{
	return ioctl(fd, TUNSETTXFILTER, list) < 0 ? -errno : 0;
}

int
rtap_tap_set_program(int fd, int program)
{
	return tap_ioctl(fd, TUNSETFILTEREBPF, &program);
}

int
rtap_tap_set_offload(int fd, unsigned int offload)
{
	return tap_ioctl_value(fd, TUNSETOFFLOAD, offload);
}

/* The kernel refuses the whole for a bit that it does not know. */
int
rtap_tap_probe_offload(int fd, unsigned int *known)
{
	static const unsigned int groups[] = { RTAP_TUN_F_USO, RTAP_TUN_F_TUNNEL };
	const unsigned int basic = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	size_t i;

	*known = 0;
	for (i = 0; i < RTE_DIM(groups); i++)
		if (rtap_tap_set_offload(fd, basic | groups[i]) == 0)
			*known |= groups[i];
	return rtap_tap_set_offload(fd, 0);
}

/* INT_MAX is what a new file has; with it alone, tun builds the packets in the fastest way. */
int
rtap_tap_set_sndbuf(int fd, uint32_t size)
{
	int sndbuf = size != 0 ? (int)size : INT_MAX;

	return tap_ioctl(fd, TUNSETSNDBUF, &sndbuf);
}

int
rtap_tap_set_carrier(int fd, bool on)
{
	int carrier = on;

	return tap_ioctl(fd, TUNSETCARRIER, &carrier);
}

int
rtap_tap_set_attached(int fd, bool attached)
{
	struct ifreq ifr = { .ifr_flags = attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	return tap_ioctl(fd, TUNSETQUEUE, &ifr);
}

int
rtap_tap_set_persist(int fd, bool persist)
{
	return tap_ioctl_value(fd, TUNSETPERSIST, persist);
}

int
rtap_tap_get_flags(int fd, unsigned int *flags, char ifname[IF_NAMESIZE])
{
	struct ifreq ifr = {0};
	int ret;

	ret = tap_ioctl(fd, TUNGETIFF, &ifr);
	if (ret != 0)
		return ret;
	*flags = (unsigned short)ifr.ifr_flags;
	if (ifname != NULL)
		rte_strscpy(ifname, ifr.ifr_name, IF_NAMESIZE);
	return 0;
}

/*
 * IFF_NO_PI has the same value as IFF_NOFILTER, which TUNGETIFF adds when there is no filter. So
 * attach one that takes everything, look, and detach it.
 */
bool
rtap_tap_has_pi(int fd)
{
	struct sock_filter accept_all = BPF_STMT(BPF_RET | BPF_K, UINT_MAX);
	struct sock_fprog filter = { .len = 1, .filter = &accept_all };
	struct sock_fprog found;
	unsigned int flags;
	int ret;

	if (tap_ioctl(fd, TUNGETFILTER, &found) != 0 || found.len != 0 ||
	    tap_ioctl(fd, TUNATTACHFILTER, &filter) != 0)
		return false;
	ret = rtap_tap_get_flags(fd, &flags, NULL);
	tap_ioctl(fd, TUNDETACHFILTER, &filter);
	return ret == 0 && (flags & IFF_NO_PI) == 0;
}

int
rtap_tap_get_mac(int fd, struct rte_ether_addr *mac)
{
	struct ifreq ifr = {0};
	int ret;

	ret = tap_ioctl(fd, SIOCGIFHWADDR, &ifr);
	if (ret == 0)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, sizeof(*mac));
	return ret;
}

int
rtap_tap_set_mac(int fd, const struct rte_ether_addr *mac)
{
	struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };

	memcpy(ifr.ifr_hwaddr.sa_data, mac, sizeof(*mac));
	return tap_ioctl(fd, SIOCSIFHWADDR, &ifr);
}

int
rtap_tap_open_netns(int fd, ino_t *inode)
{
	struct stat st;
	int nsfd, ret;

	nsfd = ioctl(fd, TUNGETDEVNETNS);
	if (nsfd < 0)
		return -errno;
	if (fstat(nsfd, &st) != 0) {
		ret = -errno;
		close(nsfd);
		return ret;
	}
	*inode = st.st_ino;
	return nsfd;
}

int
rtap_tap_get_netns(int fd, ino_t *inode)
{
	int nsfd = rtap_tap_open_netns(fd, inode);

	if (nsfd < 0)
		return nsfd;
	close(nsfd);
	return 0;
}

void
rtap_tap_drain(int fd)
{
	uint8_t hdr[RTAP_VNET_HDR_LEN]; /* a short read drops the rest of the packet */
	unsigned int i;

	for (i = 0; i < RTAP_DRAIN_MAX && read(fd, hdr, sizeof(hdr)) > 0; i++)
		;
}
