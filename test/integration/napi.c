/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * NAPI: each mode does what it says, in the kernel as well; threads follow the queues; GRO merges;
 * what is changed in sysfs is put back; the automatic choice follows CPUs and offloads.
 */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "rig.h"

#define NB_MBUF 4096
#define SYSFS_CPUS "/sys/devices/system/cpu/online"
#define OUR_CPUS "/tmp/cpus"
/* What mac=fixed gives to net_rtap0. */
#define FIXED_MAC "02:64:74:61:70:30"

static struct rte_mempool *pool;
static struct port port;
static char ifname[IF_NAMESIZE];
static bool threads_visible;

/*
 * The view of the kernel
 */

static unsigned int
sysfs(const char *name, const char *attr)
{
	char *text = rig_output("cat /sys/class/net/%s/%s", name, attr);
	unsigned int value = strtoul(text, NULL, 0);

	free(text);
	return value;
}

static unsigned int
threads(void)
{
	char *text = rig_output("cat /proc/[0-9]*/comm 2>/dev/null | grep -c '^napi/%s-' || true",
		ifname);
	unsigned int n = strtoul(text, NULL, 10);

	free(text);
	return n;
}

/* The kernel ends them a little later. */
static void
threads_become(unsigned int n)
{
	if (threads_visible)
		WAIT_FOR(threads() == n, "%u threads, not %u", threads(), n);
}

static void
burst_info_is(const char *end)
{
	struct rte_eth_burst_mode mode;
	char expected[sizeof(mode.info)];

	CHECK_OK(rte_eth_tx_burst_mode_get(port.id, 0, &mode));
	snprintf(expected, sizeof(expected), "%s%s%s", rig_io_is_uring() ? "io_uring" : "writev",
		rig_sqpoll ? ", sqpoll" : "", end);
	CHECK(strcmp(mode.info, expected) == 0, "the burst mode is '%s', not '%s'", mode.info,
		expected);
}

static void
attach(const char *args)
{
	char all[128];

	snprintf(all, sizeof(all), "iface=%s,%s", ifname, args);
	port_attach(&port, "net_rtap0", all);
}

static void
set_up(uint16_t nb_queues, uint64_t tx_offloads)
{
	struct port_conf conf = {
		.pool = pool,
		.nb_rx = nb_queues,
		.nb_tx = nb_queues,
		.tx_offloads = tx_offloads,
	};

	port_setup(&port, &conf);
}

static void
traffic(void)
{
	int sock = kernel_open(&port, ETHERTYPE_TEST);
	uint16_t queue;

	for (queue = 0; queue < port.nb_tx; queue++)
		frames_to_kernel(&port, queue, sock, pool, 50);
	frames_from_kernel(&port, sock, 50);
	close(sock);
}

/*
 * Modes
 */

static void
mode(const char *args, const char *info, bool napi, bool threaded)
{
	rig_case(args);
	attach(args);
	set_up(1, 0);
	port_start(&port);
	burst_info_is(info);
	CHECK(((sysfs(ifname, "tun_flags") & IFF_NAPI) != 0) == napi, "IFF_NAPI");
	CHECK(sysfs(ifname, "threaded") == threaded, "threaded");
	CHECK((sysfs(ifname, "gro_flush_timeout") != 0) == threaded, "gro_flush_timeout");
	threads_become(threaded ? 1 : 0);
	traffic();
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_start(&port);
	traffic();
	port_close(&port);
	threads_become(0);
}

/* A thread for each queue that there is, also after one was detached and attached again. */
static void
queues(void)
{
	static const uint16_t numbers[] = { 4, 1, 3 };
	size_t i;
	int sock;

	rig_case("queues");
	attach("napi=threaded");
	for (i = 0; i < RTE_DIM(numbers); i++) {
		set_up(numbers[i], 0);
		port_start(&port);
		threads_become(numbers[i]);
		traffic();
		CHECK_OK(rte_eth_dev_rx_queue_stop(port.id, numbers[i] - 1));
		sock = kernel_open(&port, ETHERTYPE_TEST);
		frames_to_kernel(&port, 0, sock, pool, 10);
		close(sock);
		CHECK_OK(rte_eth_dev_rx_queue_start(port.id, numbers[i] - 1));
		traffic();
		CHECK_OK(rte_eth_dev_stop(port.id));
	}
	port_close(&port);
	threads_become(0);
}

/*
 * sysfs
 */

/* Taken over with one queue or several, whoever had it before; a queue is detached at the end. */
static void
put_back(const char *kind, uint16_t nb_queues)
{
	rig_case(nb_queues > 1 ? "put back, several queues" : "put back, one queue");
	rig_run("ip tuntap add dev %s mode tap %s", ifname, kind);
	rig_run("echo 5000 >/sys/class/net/%s/gro_flush_timeout", ifname);
	attach("napi=threaded");
	set_up(nb_queues, 0);
	port_start(&port);
	CHECK((sysfs(ifname, "tun_flags") & IFF_NAPI) != 0, "no NAPI");
	CHECK(sysfs(ifname, "threaded") == 1 && sysfs(ifname, "gro_flush_timeout") == 20000,
		"not set");
	traffic();
	CHECK_OK(rte_eth_dev_rx_queue_stop(port.id, nb_queues - 1));
	port_close(&port);
	CHECK(sysfs(ifname, "threaded") == 0, "threads stay on");
	CHECK(sysfs(ifname, "gro_flush_timeout") == 5000, "the timeout stays");

	/* The next user does without NAPI. */
	attach("napi=off");
	CHECK((sysfs(ifname, "tun_flags") & IFF_NAPI) == 0, "NAPI stays");
	set_up(1, 0);
	port_start(&port);
	threads_become(0);
	traffic();
	port_close(&port);
	rig_run("ip link del %s", ifname);
}

/* Under another name; what the administrator has set meanwhile stays. */
static void
renamed(void)
{
	rig_case("renamed");
	attach("napi=threaded,persist");
	set_up(2, 0);
	rig_run("ip link set %s down name other0", ifname);
	rte_strlcpy(port.ifname, "other0", sizeof(port.ifname));
	port_start(&port);
	traffic();
	rig_run("echo 7777 >/sys/class/net/other0/gro_flush_timeout");
	port_close(&port);
	CHECK(sysfs("other0", "threaded") == 0, "threads stay on");
	CHECK(sysfs("other0", "gro_flush_timeout") == 7777, "the administrator's value is gone");
	rig_run("ip link del other0");
}

/*
 * Choice
 */

static bool
set_cpus(unsigned int n)
{
	rig_run("echo 0-%u >" OUR_CPUS, n - 1);
	return sysconf(_SC_NPROCESSORS_ONLN) == (long)n;
}

static void
expect_choice(bool threaded)
{
	burst_info_is(threaded ? ", threaded NAPI" : "");
	threads_become(threaded ? 2 : 0);
	port_start(&port);
	traffic();
	CHECK_OK(rte_eth_dev_stop(port.id));
}

static void
choice(void)
{
	unsigned int busy = rte_lcore_count(), spare = RTE_MAX(busy + 2, 4U);

	rig_case("automatic choice");
	if (!set_cpus(spare)) {
		fprintf(stderr, "the number of CPUs cannot be pretended here\n");
		return;
	}
	set_cpus(3);
	attach("napi=auto");
	set_up(2, 0);
	expect_choice(false);
	set_cpus(spare);
	set_up(2, 0);
	expect_choice(true);
	set_up(2, RTE_ETH_TX_OFFLOAD_TCP_TSO);
	expect_choice(spare >= busy + 3);
	set_up(2, 0);
	expect_choice(true);
	set_cpus(spare - 1);
	set_up(2, 0);
	expect_choice(false);
	set_cpus(spare + 1);
	set_up(2, RTE_ETH_TX_OFFLOAD_TCP_TSO);
	expect_choice(true);
	port_close(&port);
}

/* A choice that fails for want of new files is made again. */
static void
failed_choice(void)
{
	unsigned int spare = RTE_MAX(rte_lcore_count() + 2, 4U);
	struct port_conf conf = { .pool = pool };

	rig_case("automatic choice that fails");
	if (!set_cpus(3))
		return;
	attach("napi=auto");
	set_up(2, 0);
	expect_choice(false);
	set_cpus(spare);
	CHECK(mount("/dev/null", "/dev/net/tun", NULL, MS_BIND, NULL) == 0, "mount");
	CHECK(port_try_setup(&port, &conf) < 0, "files are opened without a device");
	CHECK(umount("/dev/net/tun") == 0, "umount");
	set_up(2, 0);
	expect_choice(true);
	port_close(&port);
}

/*
 * Where sysfs is out of reach
 */

/* Nothing can be set where sysfs is read-only, as in containers. */
static void
read_only(void)
{
	char args[64];

	rig_case("sysfs is read-only");
	snprintf(args, sizeof(args), "iface=%s,napi=threaded", ifname);
	CHECK(mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0, "mount");
	CHECK(port_try_attach("net_rtap0", args) < 0, "napi=threaded without threads");
	CHECK(if_nametoindex(ifname) == 0, "an interface is left behind");
	mode("napi=auto", "", false, false);
	CHECK(mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND, NULL) == 0, "mount");
}

/* A TAP of somebody else's with NAPI, and with the index and the address of ours. */
static void
make_stranger(unsigned int ifindex)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_NAPI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	CHECK_OK(ioctl(fd, TUNSETIFINDEX, &ifindex));
	rte_strlcpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name));
	CHECK_OK(ioctl(fd, TUNSETIFF, &ifr)); /* which is there to the end */
	rig_run("ip link set %s address " FIXED_MAC, ifname);
}

static int
open_namespace(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0, "no namespace");
	return fd;
}

/* Indexes of a namespace are given out in order. */
static unsigned int
next_index(void)
{
	unsigned int last;

	rig_run("ip tuntap add dev last mode tap");
	last = if_nametoindex("last");
	rig_run("ip link del last");
	return last + 1;
}

/* The same where it shows another namespace with an interface that looks like ours. */
static void
other_namespace(void)
{
	int home = open_namespace(), away;
	unsigned int index;
	char args[64];

	rig_case("sysfs is another namespace's");
	CHECK(unshare(CLONE_NEWNET) == 0, "unshare");
	CHECK(rig_sysctl("ipv6/conf/default/disable_ipv6", "1"), "sysctl");
	away = open_namespace();
	index = next_index();
	CHECK(setns(home, CLONE_NEWNET) == 0, "setns");
	make_stranger(index);
	CHECK(setns(away, CLONE_NEWNET) == 0, "setns");

	snprintf(args, sizeof(args), "iface=%s,mac=fixed,napi=threaded", ifname);
	CHECK(port_try_attach("net_rtap0", args) < 0, "another interface was taken for ours");
	CHECK(if_nametoindex(ifname) == 0, "an interface is left behind");
	CHECK(next_index() == index + 2, "ours had another index");
	attach("napi=auto");
	set_up(2, 0);
	expect_choice(false);
	port_close(&port);
	CHECK(sysfs(ifname, "threaded") == 0, "another interface was changed");
	close(home);
	close(away);
}

/*
 * GRO
 */

#define NB_SEGMENTS 16
#define SEGMENT 1400

struct segment {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_tcp_hdr tcp;
	uint8_t payload[SEGMENT];
} __rte_packed;

static uint8_t
stream_byte(uint32_t seq)
{
	return seq * 31 + (seq >> 8);
}

static struct rte_mbuf *
segment_alloc(uint32_t seq)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct segment *s;
	unsigned int i;

	CHECK(m != NULL, "the pool is empty");
	s = (struct segment *)rte_pktmbuf_append(m, sizeof(*s));
	CHECK(s != NULL, "mbufs are too small");
	memset(s, 0, offsetof(struct segment, payload));
	s->eth.dst_addr.addr_bytes[0] = 0x02;
	s->eth.src_addr.addr_bytes[0] = 0x06;
	s->eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	s->ip.version_ihl = 0x45;
	s->ip.total_length = rte_cpu_to_be_16(sizeof(*s) - sizeof(s->eth));
	s->ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	s->ip.time_to_live = 64;
	s->ip.next_proto_id = IPPROTO_TCP;
	s->ip.src_addr = RTE_BE32(RTE_IPV4(192, 0, 2, 1));
	s->ip.dst_addr = RTE_BE32(RTE_IPV4(192, 0, 2, 2));
	s->ip.hdr_checksum = rte_ipv4_cksum(&s->ip);
	s->tcp.src_port = RTE_BE16(1000);
	s->tcp.dst_port = RTE_BE16(2000);
	s->tcp.sent_seq = rte_cpu_to_be_32(seq);
	s->tcp.data_off = sizeof(s->tcp) << 2;
	s->tcp.tcp_flags = RTE_TCP_ACK_FLAG;
	for (i = 0; i < SEGMENT; i++)
		s->payload[i] = stream_byte(seq + i);
	s->tcp.cksum = rte_ipv4_udptcp_cksum(&s->ip, &s->tcp);
	return m;
}

/* Takes what arrives up to that byte of the stream; returns the largest frame. */
static size_t
stream_recv(int sock, uint32_t seq, uint32_t end)
{
	static uint8_t data[FRAME_MAX];
	const struct segment *s = (const struct segment *)data;
	size_t len, i, most = 0;

	while (seq != end) {
		len = kernel_recv(sock, data, sizeof(data));
		CHECK(len > offsetof(struct segment, payload) &&
			rte_be_to_cpu_32(s->tcp.sent_seq) == seq, "not the next segment");
		for (i = offsetof(struct segment, payload); i < len; i++, seq++)
			CHECK(data[i] == stream_byte(seq), "byte %u differs", seq);
		most = RTE_MAX(most, len);
	}
	return most;
}

/* Send a piece of the stream; returns the largest frame that came of it. */
static size_t
send_stream(int sock, uint32_t *seq)
{
	struct rte_mbuf *pkts[NB_SEGMENTS];
	uint32_t begin = *seq;
	unsigned int i;

	for (i = 0; i < NB_SEGMENTS; i++, *seq += SEGMENT)
		pkts[i] = segment_alloc(*seq);
	port_tx(&port, 0, pkts, NB_SEGMENTS);
	return stream_recv(sock, begin, *seq);
}

static void
gro(void)
{
	unsigned int i;
	uint32_t seq = 1;
	int sock;

	rig_case("GRO");
	attach("napi=threaded");
	set_up(1, 0);
	port_start(&port);
	sock = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	WAIT_FOR(send_stream(sock, &seq) > sizeof(struct segment), "nothing is merged");
	close(sock);
	port_close(&port);

	attach("napi=off");
	set_up(1, 0);
	port_start(&port);
	sock = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	for (i = 0; i < 20; i++)
		CHECK(send_stream(sock, &seq) == sizeof(struct segment), "merged without NAPI");
	close(sock);
	port_close(&port);
}

/* Put a file that we can write to in place of the one that says which CPUs there are. */
static void
mount_cpus(void)
{
	CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0, "mount");
	rig_run("cat " SYSFS_CPUS " >" OUR_CPUS);
	CHECK(mount(OUR_CPUS, SYSFS_CPUS, NULL, MS_BIND, NULL) == 0, "mount");
}

int
main(int argc, char **argv)
{
	rig_init_namespace(argc, argv);
	rig_mount_sysfs();
	mount_cpus();
	rig_init_eal();
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	/* Threads are the whole machine's. */
	snprintf(ifname, sizeof(ifname), "n%d", (int)getpid());
	threads_visible = system("grep -qx kthreadd /proc/2/comm") == 0;
	if (!threads_visible)
		fprintf(stderr, "kernel threads cannot be seen here\n");

	mode("napi=off", "", false, false);
	mode("napi=on", ", NAPI", true, false);
	mode("napi=threaded", ", threaded NAPI", true, true);
	queues();
	put_back("", 1);
	put_back("multi_queue", 3);
	renamed();
	choice();
	failed_choice();
	gro();
	read_only();
	other_namespace();
	pool_check_full(pool);
	return rig_done();
}
