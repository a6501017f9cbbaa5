/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_BPF_H_
#define _RTAP_BPF_H_

/*
 * Programs that the kernel runs for each packet on its way to a TAP file: bpf(2).
 */

#include <stdint.h>

/** A bit for each VLAN ID, as in struct rte_vlan_filter_conf. */
#define RTAP_VLAN_WORDS 64

/**
 * The VLAN filter, ready to be attached with rtap_tap_set_program(). It passes packets whose
 * outermost tag has the TPID 0x8100 and a VLAN ID that is set, or the ID 0, which stands for no
 * VLAN; and all that have no such tag. Others it drops.
 */
struct rtap_vlan_program {
	int map_fd;		/* the IDs; -1: the program is not loaded */
	int fd;
};

/**
 * Load the program, without any ID.
 *
 * @return
 *   0; -EPERM without CAP_BPF where unprivileged programs are forbidden; or another negative errno
 *   of bpf().
 */
int rtap_vlan_program_load(struct rtap_vlan_program *program);
/** Set all IDs at once, also while the program runs. Returns 0 or a negative errno. */
int rtap_vlan_program_set(const struct rtap_vlan_program *program,
		const uint64_t ids[RTAP_VLAN_WORDS]);
/** Does nothing if it is not loaded. An interface that it is attached to keeps it. */
void rtap_vlan_program_unload(struct rtap_vlan_program *program);
/** What a negative errno of these calls means, and which right is missing if it is one. */
const char *rtap_bpf_strerror(int err);

#endif /* _RTAP_BPF_H_ */
