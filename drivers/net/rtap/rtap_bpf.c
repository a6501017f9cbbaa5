/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The programs are a few instructions long and written down as such, so neither a compiler for BPF
 * nor a library to load them is needed. linux/bpf.h has the instruction set and struct __sk_buff.
 */

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ether.h>

#include "rtap_bpf.h"

#define RTAP_VLAN_ID_MASK 0xfff

/* How often to try what a pending signal has interrupted. */
#define RTAP_BPF_TRIES 100

#define INSN(c, d, s, o, i) \
	{ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ALU(op, d, i) INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define ALU_X(op, d, s) INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define JUMP(op, d, i, o) INSN(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define LOAD_SKB(d, field) \
	INSN(BPF_LDX | BPF_MEM | BPF_W, d, BPF_REG_6, offsetof(struct __sk_buff, field), 0)
/* Of the frame, in the byte order of the machine, to register 0. Needs register 6. */
#define LOAD_U16(at) INSN(BPF_LD | BPF_ABS | BPF_H, 0, 0, 0, at)

/* Returns a file or 0, or a negative errno. The kernel gives up on programs for any signal. */
static int
call_bpf(int command, union bpf_attr *attr)
{
	int ret, tries = 0;

	do {
		ret = syscall(SYS_bpf, command, attr, sizeof(*attr));
	} while (ret < 0 && errno == EAGAIN && ++tries < RTAP_BPF_TRIES);
	return ret < 0 ? -errno : ret;
}

/* A tag lies beside the frame if Linux has put it there, or in it as on the wire. */
static int
load_vlan_program(int map_fd)
{
	const struct bpf_insn insns[] = {
		/* r7 = TCI of the outermost tag; else pass */
		MOV(BPF_REG_6, BPF_REG_1),
		LOAD_SKB(BPF_REG_7, vlan_present),
		JUMP(BPF_JEQ, BPF_REG_7, 0, 4),
		LOAD_SKB(BPF_REG_2, vlan_proto),
		LOAD_SKB(BPF_REG_7, vlan_tci),
		JUMP(BPF_JNE, BPF_REG_2, RTE_BE16(RTE_ETHER_TYPE_VLAN), 23),
		JUMP(BPF_JA, 0, 0, 4),
		LOAD_U16(2 * RTE_ETHER_ADDR_LEN),
		JUMP(BPF_JNE, BPF_REG_0, RTE_ETHER_TYPE_VLAN, 20),
		LOAD_U16(RTE_ETHER_HDR_LEN),
		MOV(BPF_REG_7, BPF_REG_0),
		ALU(BPF_AND, BPF_REG_7, RTAP_VLAN_ID_MASK),
		JUMP(BPF_JEQ, BPF_REG_7, 0, 16),
		/* r0 = ids */
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0),
		MOV(BPF_REG_2, BPF_REG_10),
		ALU(BPF_ADD, BPF_REG_2, -4),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_fd),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		JUMP(BPF_JEQ, BPF_REG_0, 0, 9),
		/* r0 = ids[r7 / 64] >> r7 % 64 & 1 */
		MOV(BPF_REG_1, BPF_REG_7),
		ALU(BPF_RSH, BPF_REG_1, 6),
		ALU(BPF_LSH, BPF_REG_1, 3),
		ALU_X(BPF_ADD, BPF_REG_0, BPF_REG_1),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_0, BPF_REG_0, 0, 0),
		ALU(BPF_AND, BPF_REG_7, 63),
		ALU_X(BPF_RSH, BPF_REG_0, BPF_REG_7),
		ALU(BPF_AND, BPF_REG_0, 1),
		JUMP(BPF_JEQ, BPF_REG_0, 0, 1),
		/* pass: so many bytes; 0 drops */
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, -1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = RTE_DIM(insns),
		.insns = (uintptr_t)insns,
		.license = (uintptr_t)"Dual BSD/GPL",
		.prog_name = "rtap_vlan",
	};

	return call_bpf(BPF_PROG_LOAD, &attr);
}

static int
make_vlan_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = sizeof(uint32_t),
		.value_size = RTAP_VLAN_WORDS * sizeof(uint64_t),
		.max_entries = 1,
		.map_name = "rtap_vlan",
	};

	return call_bpf(BPF_MAP_CREATE, &attr);
}

int
rtap_vlan_program_load(struct rtap_vlan_program *program)
{
	int map_fd, fd;

	map_fd = make_vlan_map();
	if (map_fd < 0)
		return map_fd;
	fd = load_vlan_program(map_fd);
	if (fd < 0) {
		close(map_fd);
		return fd;
	}
	program->map_fd = map_fd;
	program->fd = fd;
	return 0;
}

int
rtap_vlan_program_set(const struct rtap_vlan_program *program, const uint64_t ids[RTAP_VLAN_WORDS])
{
	const uint32_t key = 0;
	union bpf_attr attr = {
		.map_fd = program->map_fd,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)ids,
	};

	return call_bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

void
rtap_vlan_program_unload(struct rtap_vlan_program *program)
{
	if (program->map_fd < 0)
		return;
	close(program->fd);
	close(program->map_fd);
	program->fd = -1;
	program->map_fd = -1;
}

const char *
rtap_bpf_strerror(int err)
{
	switch (err) {
	case -EPERM:
		return "it takes CAP_BPF, or kernel.unprivileged_bpf_disabled=0, and a seccomp profile that allows bpf()";
	case -ENOSYS:
		return "this kernel has no bpf()";
	default:
		return strerror(-err);
	}
}
