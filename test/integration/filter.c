/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Frames to MAC addresses that the application has not asked for do not reach it, and cost it
 * nothing; all others do.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/if_tun.h>

#include "watch.h"

#define NB_MBUF 1024
#define NB_OTHERS 1000			/* addresses that nobody has asked for */
#define EXACT 8				/* see the guide */

static struct rte_mempool *pool;
static struct port_conf plain;

/*
 * MAC addresses
 */

static void
addresses(void)
{
	struct rte_ether_addr added = watch_numbered(&watch_foreign, 2);
	struct rte_ether_addr other = watch_numbered(&watch_foreign, 3), own;

	rig_case("own, foreign and added addresses");
	watch_open("", &plain);
	watch_passes_own();
	WATCH_DROPS(&watch_foreign);
	WATCH_DROPS(&watch_group);
	CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &added, 0));
	watch_passes_own();
	WATCH_PASSES(&added);
	WATCH_DROPS(&other);
	CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &other, 0));
	CHECK_OK(rte_eth_dev_mac_addr_remove(watch_port.id, &added));
	WATCH_DROPS(&added);
	WATCH_PASSES(&other);

	/* The own one changes, the others stay. */
	added = watch_mac();
	own = watch_foreign;
	CHECK_OK(rte_eth_dev_default_mac_addr_set(watch_port.id, &own));
	WATCH_DROPS(&added);
	WATCH_PASSES(&watch_foreign);
	WATCH_PASSES(&other);
	watch_passes_own();
	watch_close();
}

static void
admin_sets(const struct rte_ether_addr *mac)
{
	struct rte_eth_link link;

	rig_run("ip link set %s address " RTE_ETHER_ADDR_PRT_FMT, watch_port.ifname,
		RTE_ETHER_ADDR_BYTES(mac));
	CHECK_OK(rte_eth_link_get_nowait(watch_port.id, &link)); /* takes note of it */
}

/* The own address is that of the interface, whoever has set it. */
static void
followed(void)
{
	struct rte_ether_addr before, after = { { 0x02, 0, 0, 0xf0, 0, 0x99 } };

	rig_case("an address that the administrator sets");
	watch_open("", &plain);
	before = watch_mac();
	admin_sets(&after);
	watch_passes_own();
	WATCH_DROPS(&before);
	watch_close();
}

/* How often ethdev shows an address, the own one included. */
static unsigned int
count_mac(const struct rte_ether_addr *mac)
{
	struct rte_ether_addr macs[64];
	unsigned int n = 0;
	int i, nb;

	nb = rte_eth_macaddrs_get(watch_port.id, macs, RTE_DIM(macs));
	CHECK(nb > 0, "no addresses: %s", rig_strerror(nb));
	for (i = 0; i < nb; i++)
		n += rte_is_same_ether_addr(&macs[i], mac);
	return n;
}

/* One that the application has added is in one place then, and in the list again afterwards. */
static void
followed_to_added(void)
{
	struct rte_ether_addr added[EXACT], other = watch_numbered(&watch_foreign, 0x400);
	unsigned int i;

	rig_case("an address that the administrator sets and the application has added");
	watch_open("", &plain);
	for (i = 0; i < EXACT; i++) {
		added[i] = watch_numbered(&watch_foreign, 0x300 + i);
		CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &added[i], 0));
	}
	WATCH_PASSES(&watch_foreign); /* one too many, until one is the own */
	for (i = 0; i < 2; i++) {
		admin_sets(&added[i]);
		CHECK(count_mac(&added[0]) == 1 && count_mac(&added[1]) == 1, "twice, or not at all");
		WATCH_DROPS(&watch_foreign);
		WATCH_PASSES(&added[0]);
		WATCH_PASSES(&added[EXACT - 1]);
	}
	CHECK_OK(rte_eth_dev_stop(watch_port.id));
	port_start(&watch_port);
	CHECK_OK(rte_eth_dev_mac_addr_remove(watch_port.id, &added[0]));
	admin_sets(&other);
	CHECK(count_mac(&added[0]) == 0 && count_mac(&added[1]) == 1, "not as it was asked for");
	WATCH_DROPS(&added[0]);
	WATCH_PASSES(&added[1]);
	watch_passes_own();
	watch_close();
}

/* What is the own address when it is added is asked for, too. */
static void
own_added(void)
{
	struct rte_ether_addr macs[3];
	unsigned int i;

	rig_case("the own address is added, and the administrator sets another");
	watch_open("", &plain);
	for (i = 0; i < RTE_DIM(macs); i++) {
		macs[i] = watch_numbered(&watch_foreign, 0x500 + i);
		admin_sets(&macs[i]);
		if (i < 2)
			CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &macs[i], 0));
	}
	for (i = 0; i < RTE_DIM(macs); i++)
		CHECK(count_mac(&macs[i]) == 1 && watch_passes(&macs[i]), "address %u", i);
	admin_sets(&watch_foreign);
	WATCH_PASSES(&macs[1]);
	WATCH_DROPS(&macs[2]);
	watch_close();
}

static void
modes(void)
{
	rig_case("promiscuous, all-multicast");
	watch_open("", &plain);
	CHECK_OK(rte_eth_allmulticast_enable(watch_port.id));
	WATCH_PASSES(&watch_group);
	WATCH_DROPS(&watch_foreign);
	watch_passes_own();
	CHECK_OK(rte_eth_promiscuous_enable(watch_port.id));
	WATCH_PASSES(&watch_foreign);
	CHECK_OK(rte_eth_allmulticast_disable(watch_port.id));
	WATCH_PASSES(&watch_group);
	CHECK_OK(rte_eth_promiscuous_disable(watch_port.id));
	WATCH_DROPS(&watch_group);
	WATCH_DROPS(&watch_foreign);

	/* By another's hand, it is for what the kernel receives. */
	rig_run("ip link set %s promisc on allmulticast on", watch_port.ifname);
	WATCH_DROPS(&watch_group);
	WATCH_DROPS(&watch_foreign);
	watch_close();
}

static void
multicast(void)
{
	struct rte_ether_addr list[2000], other = watch_numbered(&watch_group, 7);
	unsigned int i;

	rig_case("multicast list");
	watch_open("", &plain);
	for (i = 0; i < RTE_DIM(list); i++)
		list[i] = watch_numbered(&watch_group, i);
	CHECK_OK(rte_eth_dev_set_mc_addr_list(watch_port.id, list, 3));
	for (i = 0; i < 3; i++)
		CHECK(watch_passes(&list[i]), "multicast address %u", i);
	WATCH_DROPS(&other);
	CHECK(rte_eth_dev_set_mc_addr_list(watch_port.id, list, RTE_DIM(list)) == -ENOSPC, "too many");
	list[1] = watch_foreign;
	CHECK(rte_eth_dev_set_mc_addr_list(watch_port.id, list, 2) == -EINVAL, "unicast");
	list[1] = watch_numbered(&watch_group, 1);
	CHECK(watch_passes(&list[1]) && watch_passes(&list[2]), "the list was changed by a refused one");
	CHECK_OK(rte_eth_dev_set_mc_addr_list(watch_port.id, &other, 1));
	WATCH_DROPS(&list[0]);
	WATCH_PASSES(&other);
	CHECK_OK(rte_eth_dev_set_mc_addr_list(watch_port.id, NULL, 0));
	WATCH_DROPS(&other);
	watch_passes_own();
	watch_close();
}

/*
 * Overflow: as the guide has it, addresses beyond the eighth.
 */

/* addr_hash_set() of drivers/net/tun.c: the upper six bits of Ethernet's CRC. */
static unsigned int
hash(const struct rte_ether_addr *addr)
{
	uint32_t crc = UINT32_MAX;
	unsigned int i, bit;

	for (i = 0; i < sizeof(*addr); i++) {
		for (bit = 0; bit < 8; bit++) {
			bool one = (crc >> 31 ^ addr->addr_bytes[i] >> bit) & 1;

			crc = crc << 1 ^ (one ? UINT32_C(0x04c11db7) : 0);
		}
	}
	return crc >> 26;
}

/* Of many others, those that share a bit with one of these pass, and only they. */
static void
check_others(const struct rte_ether_addr *hashed, unsigned int n)
{
	unsigned int i, k, nb_passed = 0;

	for (i = 0; i < NB_OTHERS; i++) {
		struct rte_ether_addr other = watch_numbered(&watch_group, 0x8000 + i);
		bool expected = false;

		for (k = 0; k < n; k++)
			expected |= hash(&hashed[k]) == hash(&other);
		CHECK(watch_passes(&other) == expected, "an address passes or not, against its hash");
		nb_passed += expected;
	}
	CHECK((nb_passed > 0) == (n > 0) && nb_passed < NB_OTHERS, "%u of %u others pass",
		nb_passed, NB_OTHERS);
}

static void
multicast_overflow(void)
{
	struct rte_ether_addr list[EXACT];
	unsigned int i, n;

	rig_case("more multicast addresses than are exact");
	watch_open("", &plain);
	for (i = 0; i < RTE_DIM(list); i++)
		list[i] = watch_numbered(&watch_group, i);
	/* The own address and broadcast are the first two. */
	for (n = EXACT - 2; n <= EXACT; n++) {
		CHECK_OK(rte_eth_dev_set_mc_addr_list(watch_port.id, list, n));
		for (i = 0; i < n; i++)
			CHECK(watch_passes(&list[i]), "address %u of %u", i, n);
		watch_passes_own();
		WATCH_DROPS(&watch_foreign);
		check_others(&list[EXACT - 2], n - (EXACT - 2));
	}
	watch_close();
}

static void
unicast_overflow(void)
{
	struct rte_ether_addr added[EXACT + 2];
	struct rte_eth_dev_info info;
	unsigned int i, n;

	rig_case("more unicast addresses than are exact");
	watch_open("", &plain);
	for (n = 0; n < RTE_DIM(added); n++) {
		added[n] = watch_numbered(&watch_foreign, 0x100 + n);
		CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &added[n], 0));
		for (i = 0; i <= n; i++)
			CHECK(watch_passes(&added[i]), "address %u of %u", i, n);
		watch_passes_own();
		CHECK(watch_passes(&watch_foreign) == (n + 2 > EXACT), "foreign, with %u addresses",
			n + 2);
		CHECK(watch_passes(&watch_group) == (n + 2 > EXACT), "multicast, with %u addresses",
			n + 2);
		/* Here, broadcast is the first that is not exact. */
		if (n + 2 == EXACT)
			check_others(&watch_broadcast, 1);
		else if (n + 2 == EXACT - 1)
			check_others(NULL, 0);
	}
	while (n > EXACT - 1)
		CHECK_OK(rte_eth_dev_mac_addr_remove(watch_port.id, &added[--n]));
	WATCH_DROPS(&watch_foreign);
	WATCH_PASSES(&added[0]);
	WATCH_PASSES(&added[EXACT - 2]);
	WATCH_DROPS(&added[EXACT - 1]);

	/* As many as the port says, and no more. */
	CHECK_OK(rte_eth_dev_info_get(watch_port.id, &info));
	CHECK(info.max_mac_addrs > EXACT, "%u addresses", info.max_mac_addrs);
	for (i = EXACT; i < info.max_mac_addrs; i++) {
		struct rte_ether_addr addr = watch_numbered(&watch_foreign, 0x200 + i);

		CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &addr, 0));
		WATCH_PASSES(&addr);
	}
	CHECK(rte_eth_dev_mac_addr_add(watch_port.id, &added[n], 0) == -ENOSPC, "one too many");
	watch_close();
}

/*
 * What it costs
 */

static void
costs(void)
{
	const struct rte_ether_addr *dsts[] = { &watch_foreign, &watch_group };
	uint64_t polls, calls, dropped, missed;
	uint8_t frame[WATCH_LEN];
	struct rte_mbuf *m;
	unsigned int i;

	rig_case("a filtered frame costs the application nothing");
	watch_open("", &plain);
	watch_passes_own();
	for (i = 0; i < 100; i++)
		CHECK(rte_eth_rx_burst(watch_port.id, 0, &m, 1) == 0, "another frame");
	CHECK_OK(rte_eth_stats_reset(watch_port.id));
	polls = port_xstat(&watch_port, "rx_polls_armed");
	for (i = 0; i < 200; i++) {
		watch_frame(frame, dsts[i % 2]);
		kernel_send(watch_sock, frame, sizeof(frame));
		CHECK(rte_eth_rx_burst(watch_port.id, 0, &m, 1) == 0, "a filtered frame is received");
	}
	calls = port_xstat(&watch_port, "rx_system_calls");
	CHECK(!rig_io_is_uring() || calls == 0, "%" PRIu64 " system calls", calls);
	polls = port_xstat(&watch_port, "rx_polls_armed") - polls;
	CHECK(polls == 0, "%" PRIu64 " polls", polls);
	dropped = port_xstat(&watch_port, "kernel_tx_dropped");
	missed = port_stats(&watch_port).imissed;
	CHECK(dropped == 200 && missed == dropped && port_stats(&watch_port).ipackets == 0,
		"%" PRIu64 " dropped, %" PRIu64 " missed", dropped, missed);
	watch_close();
}

/*
 * Life cycle
 */

static void
restart(void)
{
	struct rte_ether_addr added = watch_numbered(&watch_foreign, 2), mc = watch_group;
	struct rte_ether_addr later = watch_numbered(&watch_foreign, 3);

	rig_case("before the start, and after another");
	port_attach(&watch_port, "net_rtap0", "");
	port_setup(&watch_port, &plain);
	CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &added, 0));
	CHECK_OK(rte_eth_dev_set_mc_addr_list(watch_port.id, &mc, 1));
	port_start(&watch_port);
	watch_sock = kernel_open(&watch_port, ETHERTYPE_TEST);
	watch_passes_own();
	WATCH_PASSES(&added);
	WATCH_PASSES(&mc);
	WATCH_DROPS(&watch_foreign);
	CHECK_OK(rte_eth_dev_stop(watch_port.id));
	CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &later, 0));
	CHECK_OK(rte_eth_dev_mac_addr_remove(watch_port.id, &added));
	port_setup(&watch_port, &plain);
	port_start(&watch_port);
	watch_passes_own();
	WATCH_DROPS(&added);
	WATCH_PASSES(&later);
	WATCH_PASSES(&mc);
	WATCH_DROPS(&watch_foreign);
	CHECK_OK(rte_eth_promiscuous_enable(watch_port.id));
	CHECK_OK(rte_eth_dev_stop(watch_port.id));
	port_start(&watch_port);
	WATCH_PASSES(&watch_foreign);
	CHECK_OK(rte_eth_dev_stop(watch_port.id));
	CHECK_OK(rte_eth_promiscuous_disable(watch_port.id));
	CHECK_OK(rte_eth_allmulticast_enable(watch_port.id));
	port_start(&watch_port);
	WATCH_DROPS(&watch_foreign);
	mc = watch_numbered(&watch_group, 77);
	WATCH_PASSES(&mc);
	watch_close();
}

static void
leave(bool stop)
{
	watch_open("iface=kept", &plain);
	WATCH_DROPS(&watch_foreign);
	if (stop)
		CHECK_OK(rte_eth_dev_stop(watch_port.id));
	watch_close();
	watch_check_left("kept");
}

static void
leaving(void)
{
	rig_case("an interface that persists has no filter afterwards");
	rig_run("ip tuntap add dev kept mode tap");
	rig_run("ip link set kept up");
	leave(false);
	leave(true);
	rig_run("ip link del kept");
}

/*
 * With an open file and nothing else
 */

static void
check_modes(void)
{
	struct rte_ether_addr added = watch_numbered(&watch_foreign, 2), mc = watch_group;

	WATCH_DROPS(&watch_foreign);
	CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &added, 0));
	WATCH_PASSES(&added);
	CHECK_OK(rte_eth_dev_set_mc_addr_list(watch_port.id, &mc, 1));
	WATCH_PASSES(&mc);
	CHECK_OK(rte_eth_promiscuous_enable(watch_port.id));
	CHECK(rte_eth_promiscuous_get(watch_port.id) == 1, "not promiscuous");
	WATCH_PASSES(&watch_foreign);
	CHECK_OK(rte_eth_promiscuous_disable(watch_port.id));
	WATCH_DROPS(&watch_foreign);
	mc = watch_numbered(&watch_group, 2);
	CHECK_OK(rte_eth_allmulticast_enable(watch_port.id));
	CHECK(rte_eth_allmulticast_get(watch_port.id) == 1, "not all-multicast");
	WATCH_PASSES(&mc);
	CHECK_OK(rte_eth_allmulticast_disable(watch_port.id));
	WATCH_DROPS(&mc);
	watch_passes_own();
}

/* Capabilities are a thread's own: this one lays all down for a while. */
static void
no_rights(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct before[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	rig_case("without any right");
	watch_open("", &plain);
	CHECK(syscall(SYS_capget, &header, before) == 0, "capget: %s", strerror(errno));
	memcpy(caps, before, sizeof(caps));
	caps[0].effective = 0;
	caps[1].effective = 0;
	CHECK(syscall(SYS_capset, &header, caps) == 0, "capset: %s", strerror(errno));
	check_modes();
	CHECK_OK(rte_eth_dev_stop(watch_port.id));
	CHECK(syscall(SYS_capset, &header, before) == 0, "capset: %s", strerror(errno));
	watch_close();
}

/* Files that somebody else has opened, without a right to the interface. */
static void
given(void)
{
	struct ifreq ifr = { .ifr_name = "given", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	char args[32];

	rig_case("a file that was given");
	CHECK(ioctl(fd, TUNSETIFF, &ifr) == 0, "cannot make a TAP: %s", strerror(errno));
	snprintf(args, sizeof(args), "fd=%d", fd);
	watch_open(args, &plain);
	check_modes();
	watch_close();
	close(fd);
}

static void
enter_namespace(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && setns(fd, CLONE_NEWNET) == 0, "cannot enter a namespace: %s",
		strerror(errno));
	close(fd);
}

/* Drops are counted where the port does not see them. */
static bool
arrives(const struct rte_ether_addr *dst)
{
	uint8_t frame[WATCH_LEN];

	watch_frame(frame, dst);
	kernel_send(watch_sock, frame, sizeof(frame));
	return watch_receives(frame);
}

static void
moved(void)
{
	struct rte_ether_addr added = watch_numbered(&watch_foreign, 2);
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	pid_t pid = rig_fork_namespace();

	rig_case("an interface in another namespace");
	watch_open("", &plain);
	close(watch_sock);
	rig_run("ip link set %s netns %d", watch_port.ifname, pid);
	enter_namespace(pid);
	watch_init();
	watch_port.ifindex = if_nametoindex(watch_port.ifname);
	rig_run("ip link set %s up", watch_port.ifname);
	port_await_link(&watch_port);
	watch_sock = kernel_open(&watch_port, ETHERTYPE_TEST);
	CHECK(!arrives(&watch_foreign) && !arrives(&added), "the filter was lost");
	CHECK_OK(rte_eth_dev_mac_addr_add(watch_port.id, &added, 0));
	CHECK(arrives(&added) && !arrives(&watch_foreign), "the filter cannot be changed");
	CHECK_OK(rte_eth_promiscuous_enable(watch_port.id));
	CHECK(arrives(&watch_foreign), "not promiscuous");
	CHECK(setns(home, CLONE_NEWNET) == 0, "setns: %s", strerror(errno));
	close(home);
	watch_close();
	rig_end_namespace(pid);
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	watch_init();
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	plain.pool = pool;
	addresses();
	followed();
	followed_to_added();
	own_added();
	modes();
	multicast();
	multicast_overflow();
	unicast_overflow();
	costs();
	restart();
	leaving();
	no_rights();
	given();
	moved();
	pool_check_full(pool);
	return rig_done();
}
