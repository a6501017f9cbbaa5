/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Namespaces, interfaces and sockets of the kernel's end. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>

#include <rte_byteorder.h>

#include "kperf.h"

#define SOCKET_BUFFER (128 << 20)
#define READ_BATCH 64

int net_home, net_far;

/*
 * Namespaces
 */

static int
own_namespace(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("/proc/thread-self/ns/net: %s", strerror(errno));
	return fd;
}

/* Returns -1 if it may not. */
static int
make_namespace(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	net_set_up("lo", 0, 0);
	/* Nothing that the kernel says of its own accord. */
	net_sysctl("ipv6/conf/all/disable_ipv6", "1");
	net_sysctl("ipv6/conf/default/disable_ipv6", "1");
	return own_namespace();
}

/* The interfaces in sysfs are those of the namespace that mounts it; threaded NAPI is set there. */
static void
show_home(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) != 0)
		fprintf(stderr, "sysfs shows other interfaces: %s\n", strerror(errno));
}

int
net_init(void)
{
	net_far = make_namespace();
	net_home = net_far < 0 ? -1 : make_namespace();
	if (net_home < 0)
		return errno;
	show_home();
	return 0;
}

void
net_enter(int ns)
{
	if (setns(ns, CLONE_NEWNET) != 0)
		die("setns: %s", strerror(errno));
}

void
net_sysctl(const char *name, const char *value)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	file = fopen(path, "we");
	if (file == NULL)
		return; /* not there in this kernel, or not in a namespace */
	fputs(value, file);
	fclose(file);
}

/*
 * Netlink: a socket for each request, in the namespace that the thread is in
 */

union message {
	struct nlmsghdr header;
	char bytes[2048];
};

static struct nlmsghdr *
link_begin(union message *msg, uint16_t flags, const struct ifinfomsg *ifi)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(msg->bytes);

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi)), ifi, sizeof(*ifi));
	return nlh;
}

static int
try_request(struct nlmsghdr *nlh)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char answer[8192];
	ssize_t len = -1;
	int ret = 0;

	if (nl != NULL && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) > 0)
		len = mnl_socket_recvfrom(nl, answer, sizeof(answer));
	if (len < 0 || mnl_cb_run(answer, len, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		ret = errno;
	if (nl != NULL)
		mnl_socket_close(nl);
	return ret;
}

static void
request(struct nlmsghdr *nlh, const char *what, const char *ifname)
{
	int ret = try_request(nlh);

	if (ret != 0)
		die("%s: cannot %s: %s", ifname, what, strerror(ret));
}

unsigned int
net_index(const char *ifname)
{
	unsigned int index = if_nametoindex(ifname);

	if (index == 0)
		die("%s: no such interface", ifname);
	return index;
}

void
net_set_up(const char *ifname, uint32_t mtu, uint32_t txqlen)
{
	struct ifinfomsg ifi = {
		.ifi_index = net_index(ifname),
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};
	union message msg;
	struct nlmsghdr *nlh = link_begin(&msg, 0, &ifi);

	if (mtu != 0)
		mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	if (txqlen != 0)
		mnl_attr_put_u32(nlh, IFLA_TXQLEN, txqlen);
	request(nlh, "set it up", ifname);
}

void
net_move(const char *ifname, int ns)
{
	struct ifinfomsg ifi = { .ifi_index = net_index(ifname) };
	union message msg;
	struct nlmsghdr *nlh = link_begin(&msg, 0, &ifi);

	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, ns);
	request(nlh, "move it", ifname);
}

void
net_delete(const char *ifname)
{
	struct ifinfomsg ifi = { .ifi_index = net_index(ifname) };
	union message msg;
	struct nlmsghdr *nlh = link_begin(&msg, 0, &ifi);

	nlh->nlmsg_type = RTM_DELLINK;
	request(nlh, "delete it", ifname);
}

int
net_try_veth(const char *name, const char *peer)
{
	const struct ifinfomsg ifi = {0};
	struct nlattr *linkinfo, *data, *info;
	union message msg;
	struct nlmsghdr *nlh = link_begin(&msg, NLM_F_CREATE | NLM_F_EXCL, &ifi);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	linkinfo = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_str(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	info = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(ifi)), &ifi, sizeof(ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, peer);
	mnl_attr_nest_end(nlh, info);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, linkinfo);
	return try_request(nlh);
}

void
net_make_veth(const char *name, const char *peer)
{
	int ret = net_try_veth(name, peer);

	if (ret != 0)
		die("%s: cannot make it: %s", name, strerror(ret));
}

void
net_make_app_veth(struct port *port)
{
	const char *ends[] = { port->ifname, port->app_ifname };
	unsigned int i;

	net_make_veth(ends[0], ends[1]);
	for (i = 0; i < RTE_DIM(ends); i++) {
		/* Nobody finishes what the kernel would leave undone. */
		net_set_offload(ends[i], OFFLOAD_OFF);
		net_set_up(ends[i], params_mtu(port->params), 0);
	}
	net_get_mac(port->ifname, &port->mac);
}

void
net_add_addr(const char *ifname, uint32_t addr)
{
	struct ifaddrmsg ifa = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = 24,
		.ifa_index = net_index(ifname),
	};
	union message msg;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(msg.bytes);

	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(ifa)), &ifa, sizeof(ifa));
	mnl_attr_put_u32(nlh, IFA_LOCAL, rte_cpu_to_be_32(addr));
	mnl_attr_put_u32(nlh, IFA_ADDRESS, rte_cpu_to_be_32(addr));
	request(nlh, "give it an address", ifname);
}

static int
find_kind(const struct nlattr *attr, void *kind)
{
	if (mnl_attr_get_type(attr) == TCA_KIND)
		*(const char **)kind = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

struct qdisc {
	int ifindex;
	char kind[IF_NAMESIZE];
	char inner[IF_NAMESIZE];	/* "mq" has one for each queue; empty: none */
};

static int
find_qdisc(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct qdisc *qdisc = arg;
	char *to = tcm->tcm_parent == TC_H_ROOT ? qdisc->kind : qdisc->inner;
	const char *kind = NULL;

	if (tcm->tcm_ifindex != qdisc->ifindex)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*tcm), find_kind, &kind);
	if (kind != NULL)
		snprintf(to, IF_NAMESIZE, "%s", kind);
	return MNL_CB_OK;
}

/* "unknown" if the kernel does not tell. */
static struct qdisc
get_qdisc(const char *ifname)
{
	struct qdisc qdisc = { .ifindex = net_index(ifname), .kind = "unknown" };
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct tcmsg tcm = { .tcm_ifindex = qdisc.ifindex };
	union message msg;
	char answer[8192];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(msg.bytes);
	ssize_t len;
	int more = MNL_CB_OK;

	if (nl == NULL || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) != 0)
		die("netlink: %s", strerror(errno));
	nlh->nlmsg_type = RTM_GETQDISC;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(tcm)), &tcm, sizeof(tcm));
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) > 0)
		while (more > MNL_CB_STOP &&
		       (len = mnl_socket_recvfrom(nl, answer, sizeof(answer))) > 0)
			more = mnl_cb_run(answer, len, 0, mnl_socket_get_portid(nl), find_qdisc,
				&qdisc);
	mnl_socket_close(nl);
	return qdisc;
}

/*
 * Interfaces, by ioctl and sysfs
 */

static void
ifreq_ioctl(const char *ifname, unsigned long request_, struct ifreq *ifr, bool must)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", ifname);
	if (ioctl(sock, request_, ifr) != 0 && must)
		die("%s: ioctl %#lx: %s", ifname, request_, strerror(errno));
	close(sock);
}

void
net_set_offload(const char *ifname, enum offload offload)
{
	struct ethtool_value values[] = {
		{ ETHTOOL_STXCSUM, offload >= OFFLOAD_CSUM },
		{ ETHTOOL_STSO, offload >= OFFLOAD_ALL },
	};
	size_t i;

	for (i = 0; i < RTE_DIM(values); i++) {
		struct ifreq ifr = { .ifr_data = (void *)&values[i] };

		ifreq_ioctl(ifname, SIOCETHTOOL, &ifr, false);
	}
}

void
net_describe_queue(const char *ifname, char *text, size_t size)
{
	struct qdisc qdisc = get_qdisc(ifname);
	struct ifreq ifr = {0};

	ifreq_ioctl(ifname, SIOCGIFTXQLEN, &ifr, true);
	snprintf(text, size, "%s%s%s, %d packets", qdisc.kind, qdisc.inner[0] != '\0' ? " of " : "",
		qdisc.inner, ifr.ifr_qlen);
}

void
net_get_mac(const char *ifname, struct rte_ether_addr *mac)
{
	struct ifreq ifr = {0};

	ifreq_ioctl(ifname, SIOCGIFHWADDR, &ifr, true);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, sizeof(*mac));
}

/* /proc/net/dev is that of the thread's namespace, and sysfs need not be. */
uint64_t
net_counter(const char *ifname, const char *name)
{
	static const char * const names[] = {
		"rx_bytes", "rx_packets", "rx_errors", "rx_dropped", NULL, NULL, NULL, NULL,
		"tx_bytes", "tx_packets", "tx_errors", "tx_dropped",
	};
	FILE *file = fopen("/proc/thread-self/net/dev", "re");
	uint64_t value = 0;
	char line[512];
	size_t i;

	if (file == NULL)
		die("/proc/thread-self/net/dev: %s", strerror(errno));
	while (fgets(line, sizeof(line), file) != NULL) {
		char *at = line + strspn(line, " "), *colon = strchr(at, ':');

		if (colon == NULL)
			continue;
		*colon = '\0';
		if (strcmp(at, ifname) != 0)
			continue;
		at = colon + 1;
		for (i = 0; i < RTE_DIM(names); i++) {
			uint64_t number = strtoull(at, &at, 10);

			if (names[i] != NULL && strcmp(names[i], name) == 0)
				value = number;
		}
	}
	fclose(file);
	return value;
}

/*
 * Sockets
 */

int
net_packet_socket(unsigned int ifindex, uint16_t ethertype, unsigned int flags)
{
	const struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_ifindex = ifindex,
		.sll_protocol = rte_cpu_to_be_16(ethertype),
	};
	int bypass = (flags & PACKET_QDISC) == 0, hdr = (flags & PACKET_HDR) != 0;
	int sock, size = SOCKET_BUFFER;

	/* Bound, it receives what is of that type; until then, nothing. */
	sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (sock < 0 ||
	    setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) != 0 ||
	    setsockopt(sock, SOL_PACKET, PACKET_VNET_HDR, &hdr, sizeof(hdr)) != 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
	    bind(sock, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
		die("packet socket: %s", strerror(errno));
	return sock;
}

int
net_udp_socket(uint32_t addr, uint16_t udp_port)
{
	const struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = rte_cpu_to_be_32(addr),
		.sin_port = rte_cpu_to_be_16(udp_port),
	};
	int sock, size = SOCKET_BUFFER;

	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
	    bind(sock, (const struct sockaddr *)&sin, sizeof(sin)) != 0)
		die("UDP socket: %s", strerror(errno));
	return sock;
}

unsigned int
socket_drain(int sock)
{
	struct mmsghdr msgs[READ_BATCH];
	unsigned int total = 0;
	static __thread char byte;
	struct iovec iov = { &byte, sizeof(byte) };
	int i, n;

	memset(msgs, 0, sizeof(msgs));
	for (i = 0; i < READ_BATCH; i++)
		msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	while ((n = recvmmsg(sock, msgs, READ_BATCH, MSG_DONTWAIT, NULL)) > 0)
		total += n;
	return total;
}
