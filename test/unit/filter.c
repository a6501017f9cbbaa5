/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * rtap_filter.[ch]: which list the kernel is given. rtap_bpf.[ch]: what the program for VLANs does,
 * run by the kernel, where it may be loaded.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_tun.h>

#include <rte_ether.h>

#include "rtap_filter.h"
#include "unit.h"

#define EXACT 8				/* of the kernel */
#define VLAN_IDS 4096

static const struct rte_ether_addr broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static struct rte_ether_addr macs[RTAP_MAC_ADDRS];
static struct rte_ether_addr mc[RTAP_MC_ADDRS];
static struct rtap_filter_list list;

/* The own address, so many that were added, with gaps between them, and a list of multicast. */
static struct rtap_filter_conf
conf_of(unsigned int nb_added, unsigned int nb_mc)
{
	struct rtap_filter_conf conf = { .macs = macs, .mc = mc, .nb_mc = nb_mc };
	unsigned int i;

	memset(macs, 0, sizeof(macs));
	memset(&list, 0xee, sizeof(list));
	for (i = 0; i <= nb_added; i++) {
		unsigned int at = 2 * i < RTAP_MAC_ADDRS ? 2 * i : 2 * i - RTAP_MAC_ADDRS + 1;

		macs[at] = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, i } };
	}
	for (i = 0; i < nb_mc; i++)
		mc[i] = (struct rte_ether_addr){ { 1, 0, 0x5e, 0, i >> 8, i } };
	return conf;
}

static bool
lists(unsigned int at, const struct rte_ether_addr *addr)
{
	return at < list.count && rte_is_same_ether_addr(&list.addrs[at], addr);
}

static void
test_own_alone(void)
{
	const struct rtap_filter_conf conf = conf_of(0, 0);

	CU_ASSERT_EQUAL(rtap_filter_list_write(&list, &conf), RTAP_FILTER_EXACT_MATCH);
	CU_ASSERT_EQUAL(list.flags, 0);
	CU_ASSERT_EQUAL(list.count, 2);
	CU_ASSERT(lists(0, &macs[0]));
	CU_ASSERT(lists(1, &broadcast));
}

/* Without an address of its own, a port still has a filter. */
static void
test_zero(void)
{
	const struct rtap_filter_conf conf = conf_of(0, 0);

	memset(macs, 0, sizeof(macs));
	CU_ASSERT_EQUAL(rtap_filter_list_write(&list, &conf), RTAP_FILTER_EXACT_MATCH);
	CU_ASSERT_EQUAL(list.count, 2);
	CU_ASSERT(lists(0, &macs[0]));
}

/* All that was asked for is listed, unicast first. */
static void
check_order(unsigned int nb_added, unsigned int nb_mc)
{
	unsigned int i, n = 0;

	UNIT_ASSERT_AT(list.count == nb_added + 2 + nb_mc, nb_added);
	for (i = 0; i < RTAP_MAC_ADDRS; i++)
		if (!rte_is_zero_ether_addr(&macs[i]))
			UNIT_ASSERT_AT(lists(n++, &macs[i]), i);
	UNIT_ASSERT_AT(lists(n++, &broadcast), nb_added);
	for (i = 0; i < nb_mc; i++)
		UNIT_ASSERT_AT(lists(n++, &mc[i]), i);
}

static void
test_numbers(void)
{
	unsigned int nb_added, nb_mc;

	for (nb_added = 0; nb_added < RTAP_MAC_ADDRS; nb_added++) {
		for (nb_mc = 0; nb_mc <= RTAP_MC_ADDRS; nb_mc = 2 * nb_mc + 1) {
			const struct rtap_filter_conf conf = conf_of(nb_added, nb_mc);
			enum rtap_filter_mode mode = rtap_filter_list_write(&list, &conf);

			UNIT_ASSERT_AT(list.flags == 0, nb_added);
			if (nb_added + 1 > EXACT) {
				UNIT_ASSERT_AT(mode == RTAP_FILTER_OVERFLOW, nb_added);
				UNIT_ASSERT_AT(list.count == 0, nb_added);
				continue;
			}
			UNIT_ASSERT_AT(mode == (nb_added + 2 + nb_mc > EXACT ? RTAP_FILTER_HASH :
				RTAP_FILTER_EXACT_MATCH), nb_added);
			check_order(nb_added, nb_mc);
		}
	}
}

static void
test_full(void)
{
	const struct rtap_filter_conf conf = conf_of(EXACT - 1, RTAP_MC_ADDRS);

	CU_ASSERT_EQUAL(rtap_filter_list_write(&list, &conf), RTAP_FILTER_HASH);
	check_order(EXACT - 1, RTAP_MC_ADDRS);
}

static void
test_promiscuous(void)
{
	struct rtap_filter_conf conf = conf_of(3, 3);

	conf.promiscuous = true;
	CU_ASSERT_EQUAL(rtap_filter_list_write(&list, &conf), RTAP_FILTER_OFF);
	CU_ASSERT_EQUAL(list.count, 0);
	conf.allmulticast = true;
	CU_ASSERT_EQUAL(rtap_filter_list_write(&list, &conf), RTAP_FILTER_OFF);
	CU_ASSERT_EQUAL(list.count, 0);
}

static void
test_allmulticast(void)
{
	struct rtap_filter_conf conf = conf_of(EXACT - 1, 100);

	conf.allmulticast = true;
	CU_ASSERT_EQUAL(rtap_filter_list_write(&list, &conf), RTAP_FILTER_ALLMULTI);
	CU_ASSERT_EQUAL(list.flags, TUN_FLT_ALLMULTI);
	CU_ASSERT_EQUAL(list.count, EXACT);
	conf_of(EXACT, 100);
	CU_ASSERT_EQUAL(rtap_filter_list_write(&list, &conf), RTAP_FILTER_OVERFLOW);
	CU_ASSERT_EQUAL(list.count, 0);
}

/*
 * The program. The kernel's test run takes the first 14 bytes for an Ethernet header and shows what
 * follows, so they come twice.
 */

static struct rtap_vlan_program program = { .map_fd = -1, .fd = -1 };

struct tested_frame {
	struct rte_ether_hdr skipped;
	struct rte_ether_hdr eth;
	rte_be16_t words[16];
};

static int
load(void)
{
	int ret = rtap_vlan_program_load(&program);

	if (ret == -EPERM || ret == -ENOSYS)
		fprintf(stderr, "not run: %s\n", rtap_bpf_strerror(ret));
	else
		CU_ASSERT_EQUAL_FATAL(ret, 0);
	return ret;
}

/* How many bytes of a frame the program passes. */
static uint32_t
run(uint16_t ether_type, uint16_t tci)
{
	struct tested_frame frame = {
		.skipped.ether_type = rte_cpu_to_be_16(ether_type),
		.eth.ether_type = rte_cpu_to_be_16(ether_type),
		.words = { rte_cpu_to_be_16(tci), RTE_BE16(RTE_ETHER_TYPE_VLAN) },
	};
	union bpf_attr attr = {
		.test.prog_fd = program.fd,
		.test.data_in = (uintptr_t)&frame,
		.test.data_size_in = sizeof(frame),
	};

	CU_ASSERT_EQUAL_FATAL(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)), 0);
	return attr.test.retval;
}

/* Each ID is listed alone, with its neighbours, and with all others. */
static void
check_id(uint16_t id, uint64_t pattern)
{
	uint64_t ids[RTAP_VLAN_WORDS];
	bool listed;

	memset(ids, 0, sizeof(ids));
	ids[id / 64] = pattern;
	listed = id == 0 || (pattern >> id % 64 & 1) != 0;
	UNIT_ASSERT_AT(rtap_vlan_program_set(&program, ids) == 0, id);
	UNIT_ASSERT_AT(run(RTE_ETHER_TYPE_VLAN, id) == (listed ? UINT32_MAX : 0), id);
	UNIT_ASSERT_AT(run(RTE_ETHER_TYPE_VLAN, 0xf000 | id) == (listed ? UINT32_MAX : 0), id);
	UNIT_ASSERT_AT(run(RTE_ETHER_TYPE_QINQ, id) == UINT32_MAX, id);
	UNIT_ASSERT_AT(run(RTE_ETHER_TYPE_IPV4, id) == UINT32_MAX, id);
}

static void
test_program(void)
{
	unsigned int id;

	if (load() != 0)
		return;
	for (id = 0; id < VLAN_IDS; id++) {
		check_id(id, UINT64_C(1) << id % 64);
		check_id(id, ~(UINT64_C(1) << id % 64));
	}
	rtap_vlan_program_unload(&program);
}

/* None is listed at first. */
static void
test_empty_program(void)
{
	if (load() != 0)
		return;
	CU_ASSERT_EQUAL(run(RTE_ETHER_TYPE_VLAN, 1), 0);
	CU_ASSERT_EQUAL(run(RTE_ETHER_TYPE_VLAN, 0), UINT32_MAX);
	CU_ASSERT_EQUAL(run(RTE_ETHER_TYPE_ARP, 1), UINT32_MAX);
	rtap_vlan_program_unload(&program);
}

static void
test_files(void)
{
	unsigned int nb_fds = unit_count_fds();

	if (load() != 0)
		return;
	CU_ASSERT_EQUAL(unit_count_fds(), nb_fds + 2);
	rtap_vlan_program_unload(&program);
	CU_ASSERT_EQUAL(unit_count_fds(), nb_fds);
	CU_ASSERT(program.map_fd < 0 && program.fd < 0);
	rtap_vlan_program_unload(&program);
	CU_ASSERT_EQUAL(unit_count_fds(), nb_fds);
	CU_ASSERT_EQUAL(rtap_vlan_program_set(&program, (uint64_t[RTAP_VLAN_WORDS]){0}), -EBADF);
}

static void
test_messages(void)
{
	CU_ASSERT_PTR_NOT_NULL(strstr(rtap_bpf_strerror(-EPERM), "CAP_BPF"));
	CU_ASSERT_PTR_NOT_NULL(strstr(rtap_bpf_strerror(-ENOSYS), "bpf()"));
	CU_ASSERT_STRING_EQUAL(rtap_bpf_strerror(-ENOMEM), strerror(ENOMEM));
}

int
main(void)
{
	CU_TestInfo list_tests[] = {
		{ "own address", test_own_alone },
		{ "no address", test_zero },
		{ "any numbers of addresses", test_numbers },
		{ "as many as there may be", test_full },
		{ "promiscuous", test_promiscuous },
		{ "all-multicast", test_allmulticast },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo program_tests[] = {
		{ "every VLAN", test_program },
		{ "no VLAN", test_empty_program },
		{ "files", test_files },
		{ "messages", test_messages },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "list", .pTests = list_tests },
		{ "program", .pTests = program_tests },
		CU_SUITE_INFO_NULL,
	};

	return unit_run(suites);
}
