/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Frames of VLANs that the application has not asked for do not reach it, wherever Linux keeps the
 * tag; all others do.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/capability.h>

#include "tags.h"
#include "watch.h"

#define NB_MBUF 1024
#define VLAN_IDS 4096

static struct rte_mempool *pool;
static struct port_conf plain;

static bool
vlan_passes(uint16_t tpid, uint16_t tci)
{
	uint8_t frame[WATCH_LEN];

	watch_tagged(frame, tpid, tci);
	return watch_passes_as(watch_sock, frame, sizeof(frame), frame);
}

/* The same with the tag beside the frame, which a TAP puts into it. */
static bool
vlan_passes_beside(uint16_t tpid, uint16_t tci)
{
	uint8_t frame[WATCH_LEN], bare[WATCH_LEN - RTE_VLAN_HLEN];
	int from = tags_open(tpid, tci);
	bool received;

	CHECK(from >= 0, "no tag %#x of type %#x", tci, tpid);
	watch_tagged(frame, tpid, tci);
	memcpy(bare, frame, WATCH_MACS);
	memcpy(bare + WATCH_MACS, frame + WATCH_MACS + RTE_VLAN_HLEN, sizeof(bare) - WATCH_MACS);
	received = watch_passes_as(from, bare, sizeof(bare), frame);
	tags_close(from);
	return received;
}

static void
check_vlans(bool (*vlan)(uint16_t tpid, uint16_t tci), bool on, uint16_t id, bool listed)
{
	CHECK(vlan(RTE_ETHER_TYPE_VLAN, id) == (!on || listed), "VLAN %u", id);
	CHECK(vlan(RTE_ETHER_TYPE_VLAN, 0xe000 | id) == (!on || listed), "VLAN %u, priority", id);
	CHECK(vlan(RTE_ETHER_TYPE_QINQ, id), "VLAN %u of another kind", id);
}

/* Also those at both ends of a word of the table. */
static void
check_some_vlans(bool beside, bool on, const uint16_t *listed, unsigned int nb_listed)
{
	static const uint16_t ids[] = { 1, 31, 32, 63, 64, 65, 100, 127, 128, 4032, 4094, 4095 };
	unsigned int i, k;

	for (i = 0; i < RTE_DIM(ids); i++) {
		bool is_listed = false;

		for (k = 0; k < nb_listed; k++)
			is_listed |= listed[k] == ids[i];
		check_vlans(vlan_passes, on, ids[i], is_listed);
		if (beside && (!tags_are_slow() || i == 0 || i == 3 || i == 6))
			check_vlans(vlan_passes_beside, on, ids[i], is_listed);
	}
	CHECK(vlan_passes(RTE_ETHER_TYPE_VLAN, 0), "a priority tag");
	CHECK(!beside || vlan_passes_beside(RTE_ETHER_TYPE_VLAN, 0x6000), "a priority tag");
	watch_passes_own();
	WATCH_DROPS(&watch_foreign);
}

static void
all_vlans(void)
{
	bool listed[VLAN_IDS] = { true };
	unsigned int id;

	for (id = 1; id < VLAN_IDS; id++) {
		listed[id] = rig_random(2) != 0;
		CHECK_OK(rte_eth_dev_vlan_filter(watch_port.id, id, listed[id]));
	}
	for (id = 0; id < VLAN_IDS; id++)
		CHECK(vlan_passes(RTE_ETHER_TYPE_VLAN, id) == listed[id], "VLAN %u", id);
}

/* Whether tags can be put beside frames. */
static bool
prepare_tags(void)
{
	bool beside = tags_init(&watch_port);

	if (!beside)
		fprintf(stderr, "no tags beside frames here\n");
	return beside;
}

static void
run_time(void)
{
	static const uint16_t listed[] = { 1, 63, 64, 128, 4095 };
	bool beside;
	unsigned int i;

	rig_case("while the port runs");
	watch_open("", &plain);
	beside = prepare_tags();
	check_some_vlans(beside, false, NULL, 0);
	CHECK(rte_eth_dev_vlan_filter(watch_port.id, 1, 1) < 0, "VLAN added without the offload");
	CHECK_OK(rte_eth_dev_set_vlan_offload(watch_port.id, RTE_ETH_VLAN_FILTER_OFFLOAD));
	check_some_vlans(beside, true, NULL, 0);
	for (i = 0; i < RTE_DIM(listed); i++)
		CHECK_OK(rte_eth_dev_vlan_filter(watch_port.id, listed[i], 1));
	check_some_vlans(beside, true, listed, RTE_DIM(listed));
	CHECK_OK(rte_eth_dev_set_vlan_offload(watch_port.id, 0));
	check_some_vlans(beside, false, NULL, 0);
	CHECK_OK(rte_eth_dev_set_vlan_offload(watch_port.id, RTE_ETH_VLAN_FILTER_OFFLOAD));
	check_some_vlans(beside, true, listed, RTE_DIM(listed));
	CHECK_OK(rte_eth_dev_vlan_filter(watch_port.id, listed[0], 0));
	check_some_vlans(beside, true, &listed[1], RTE_DIM(listed) - 1);

	/* Promiscuous mode is about addresses. */
	CHECK_OK(rte_eth_promiscuous_enable(watch_port.id));
	CHECK(!vlan_passes(RTE_ETHER_TYPE_VLAN, 2), "VLAN 2 in promiscuous mode");
	CHECK_OK(rte_eth_promiscuous_disable(watch_port.id));
	all_vlans();
	tags_done();
	watch_close();
}

static void
restart(void)
{
	static const uint16_t listed[] = { 1, 63, 4032 };
	struct port_conf conf = plain;
	bool beside;
	unsigned int i;

	rig_case("by configuration, and after a restart");
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	port_attach(&watch_port, "net_rtap0", "");
	port_setup(&watch_port, &conf);
	for (i = 0; i < RTE_DIM(listed); i++)
		CHECK_OK(rte_eth_dev_vlan_filter(watch_port.id, listed[i], 1));
	port_start(&watch_port);
	watch_sock = kernel_open(&watch_port, ETHERTYPE_TEST);
	beside = prepare_tags();
	check_some_vlans(beside, true, listed, RTE_DIM(listed));
	CHECK_OK(rte_eth_dev_stop(watch_port.id));
	CHECK_OK(rte_eth_dev_vlan_filter(watch_port.id, listed[0], 0));
	port_start(&watch_port);
	check_some_vlans(beside, true, &listed[1], RTE_DIM(listed) - 1);
	CHECK_OK(rte_eth_dev_stop(watch_port.id));
	port_setup(&watch_port, &plain);
	port_start(&watch_port);
	check_some_vlans(beside, false, NULL, 0);
	CHECK_OK(rte_eth_dev_stop(watch_port.id));
	port_setup(&watch_port, &conf);
	port_start(&watch_port);
	check_some_vlans(beside, true, &listed[1], RTE_DIM(listed) - 1);
	tags_done();
	watch_close();
}

static void
leaving(void)
{
	struct port_conf conf = plain;

	rig_case("an interface that persists has no filter afterwards");
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	rig_run("ip tuntap add dev kept mode tap");
	rig_run("ip link set kept up");
	watch_open("iface=kept", &conf);
	CHECK(!vlan_passes(RTE_ETHER_TYPE_VLAN, 999), "no filter");
	watch_close();
	watch_check_left("kept");
	rig_run("ip link del kept");
}

/* Capabilities are a thread's own. */
static void
set_capabilities(struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3], int call)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	CHECK(syscall(call, &header, caps) == 0, "capabilities: %s", strerror(errno));
}

static bool
bpf_is_free(void)
{
	FILE *file = fopen("/proc/sys/kernel/unprivileged_bpf_disabled", "re");
	bool is_free = file == NULL || fgetc(file) == '0';

	if (file != NULL)
		fclose(file);
	return is_free;
}

static void
no_rights(void)
{
	struct __user_cap_data_struct before[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	struct port_conf conf = plain;

	if (bpf_is_free())
		return;
	rig_case("without the right to load programs");
	set_capabilities(before, SYS_capget);
	memcpy(caps, before, sizeof(caps));
	caps[0].effective &= ~(1U << CAP_SYS_ADMIN);
	caps[CAP_BPF / 32].effective &= ~(1U << CAP_BPF % 32);
	set_capabilities(caps, SYS_capset);
	port_attach(&watch_port, "net_rtap0", "");
	CHECK(!watch_has_vlan_filter(), "offered without the right");
	port_close(&watch_port);
	set_capabilities(before, SYS_capset);

	/* Offered, and refused when it comes to that. */
	watch_open("", &conf);
	set_capabilities(caps, SYS_capset);
	CHECK(rte_eth_dev_set_vlan_offload(watch_port.id,
		RTE_ETH_VLAN_FILTER_OFFLOAD | RTE_ETH_VLAN_STRIP_OFFLOAD) == -EPERM,
		"switched on without the right");
	CHECK(vlan_passes(RTE_ETHER_TYPE_VLAN, 8), "no VLAN passes, or its tag is stripped");
	set_capabilities(before, SYS_capset);
	watch_close();

	/* Loaded in time. */
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	watch_open("", &conf);
	set_capabilities(caps, SYS_capset);
	CHECK_OK(rte_eth_dev_vlan_filter(watch_port.id, 7, 1));
	CHECK(vlan_passes(RTE_ETHER_TYPE_VLAN, 7) && !vlan_passes(RTE_ETHER_TYPE_VLAN, 8),
		"the filter cannot be changed");
	CHECK_OK(rte_eth_dev_stop(watch_port.id));
	port_start(&watch_port);
	CHECK(vlan_passes(RTE_ETHER_TYPE_VLAN, 7) && !vlan_passes(RTE_ETHER_TYPE_VLAN, 8),
		"the filter was lost");
	set_capabilities(before, SYS_capset);
	watch_close();
}

/* Opening and closing leaves nothing. */
static void
leaks(void)
{
	struct port_conf conf = plain;
	struct rig_census before;
	unsigned int i;

	rig_case("nothing is left");
	conf.rx_offloads = RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	for (i = 0; i < 4; i++) {
		if (i == 1)
			rig_census(&before);
		port_open(&watch_port, "net_rtap0", "", &conf);
		port_close(&watch_port);
	}
	rig_census_compare(&before, "VLAN filters");
}

/* If programs may be loaded at all, the port must offer to filter. */
static void
skip_without(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(uint64_t),
		.max_entries = 1,
	};
	int fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		rig_skip("may not use bpf(): %s", strerror(errno));
	close(fd);
	port_attach(&watch_port, "net_rtap0", "");
	CHECK(watch_has_vlan_filter(), "not offered");
	port_close(&watch_port);
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	watch_init();
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	plain.pool = pool;
	skip_without();
	run_time();
	restart();
	leaving();
	no_rights();
	leaks();
	pool_check_full(pool);
	return rig_done();
}
