/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "tags.h"

/* The mark of a socket: the TCI, one of these, and that there is a tag at all. */
#define MARK_QINQ 0x10000
#define MARK_TAG 0x20000

/* Linux 6.6; the number is the kernel's ABI. */
#define TCX_EGRESS 47

#define DEVICE "tagger"

static int link_fd = -1;
static const struct port *tagged;

void
tags_write(uint8_t *at, uint16_t tpid, uint16_t tci)
{
	const uint16_t tag[2] = { rte_cpu_to_be_16(tpid), rte_cpu_to_be_16(tci) };

	memcpy(at, tag, sizeof(tag));
}

/* If the mark asks for it, bpf_skb_vlan_push(). */
static int
load_program(void)
{
	const struct bpf_insn insns[] = {
		{ BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_1,
			offsetof(struct __sk_buff, mark), 0 },
		{ BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_3, 0, 7, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_4, BPF_REG_3, 0, 0 },
		{ BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_3, 0, 0, UINT16_MAX },
		{ BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_4, 0, 0, MARK_QINQ },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, RTE_BE16(RTE_ETHER_TYPE_VLAN) },
		{ BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_4, 0, 1, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, RTE_BE16(RTE_ETHER_TYPE_QINQ) },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_vlan_push },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, -1 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SCHED_CLS,
		.insn_cnt = RTE_DIM(insns),
		.insns = (uintptr_t)insns,
		.license = (uintptr_t)"Dual BSD/GPL",
	};

	int fd;

	do { /* a signal may interrupt it */
		fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	} while (fd < 0 && errno == EAGAIN);
	return fd;
}

bool
tags_init(const struct port *port)
{
	union bpf_attr attr = {
		.link_create.prog_fd = load_program(),
		.link_create.target_ifindex = port->ifindex,
		.link_create.attach_type = TCX_EGRESS,
	};
	int sock;

	tagged = port;
	link_fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	close(attr.link_create.prog_fd);
	sock = tags_open(RTE_ETHER_TYPE_VLAN, 1);
	if (sock >= 0)
		tags_close(sock);
	return sock >= 0;
}

bool
tags_are_slow(void)
{
	return link_fd < 0;
}

static int
open_marked(uint16_t tpid, uint16_t tci)
{
	unsigned int mark = MARK_TAG | (tpid == RTE_ETHER_TYPE_QINQ ? MARK_QINQ : 0) | tci;
	int sock = kernel_open(tagged, ETHERTYPE_TEST);

	CHECK(setsockopt(sock, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0, "SO_MARK: %s",
		strerror(errno));
	return sock;
}

/* A device cannot have the ID 4095, which is reserved. */
static int
open_device(uint16_t tpid, uint16_t tci)
{
	char command[256];
	struct port port;

	snprintf(command, sizeof(command),
		"ip link add link %s name " DEVICE " type vlan proto %s id %u egress-qos-map 0:%u 2>&1",
		tagged->ifname, tpid == RTE_ETHER_TYPE_QINQ ? "802.1ad" : "802.1Q", tci & 0xfff,
		tci >> 13);
	if (system(command) != 0)
		return -1;
	rig_run("ip link set " DEVICE " up");
	port = *tagged;
	port.ifindex = if_nametoindex(DEVICE);
	return kernel_open(&port, ETHERTYPE_TEST);
}

int
tags_open(uint16_t tpid, uint16_t tci)
{
	return link_fd >= 0 ? open_marked(tpid, tci) : open_device(tpid, tci);
}

void
tags_close(int sock)
{
	close(sock);
	if (link_fd < 0)
		rig_run("ip link del " DEVICE);
}

void
tags_done(void)
{
	if (link_fd >= 0)
		close(link_fd);
	link_fd = -1;
}
