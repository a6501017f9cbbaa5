/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _UNIT_H_
#define _UNIT_H_

/*
 * What the unit tests share: a runner, an EAL that needs no privilege, frames whose every byte
 * is known, mbufs of any shape, and a second opinion on checksums.
 *
 * A test program is one file: CUnit suites, and a main() that hands them to unit_run().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <CUnit/CUnit.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "rtap_vnet.h"

/* Assert for loops: says which turn it was, and ends the test. */
#define UNIT_ASSERT_AT(cond, turn) \
	CU_assertImplementation((cond), __LINE__, unit_at(#cond, (turn)), __FILE__, "", CU_TRUE)

const char *unit_at(const char *cond, unsigned int turn);

/** Run the suites; returns what main() returns: 0 only if everything passed. */
int unit_run(CU_SuiteInfo *suites);

/** Start the EAL: no root, no huge pages, no devices, no files. */
void unit_eal_init(void);

/** The number of files that this process has open. */
unsigned int unit_count_fds(void);

/** A repeatable sequence of numbers. */
uint32_t unit_random(uint32_t *state);

/*
 * Frames
 */

struct unit_frame {
	uint32_t len;
	uint16_t l2_len;
	uint16_t l3_len;
	uint16_t l4_len;
	uint8_t ip;		/* 4, 6, or 0: not IP */
	uint8_t proto;
	bool fragment;
	uint8_t data[RTAP_FRAME_MAX + 64];
};

struct unit_frame_spec {
	uint16_t tpid[2];	/* VLAN tags, outer first */
	uint8_t ip;
	uint16_t ip_extra;	/* bytes of IPv4 options or of an IPv6 extension header */
	bool fragment;
	uint8_t proto;
	uint8_t tcp_flags;
	uint16_t tcp_extra;	/* bytes of TCP options */
	uint32_t payload;
};

/** Build a frame that is right in every field, checksums included. */
void unit_frame_build(struct unit_frame *f, const struct unit_frame_spec *spec);

/** Where the checksum of TCP, UDP or ICMPv6 lies in the frame; 0: nowhere. */
uint32_t unit_l4_csum_at(const struct unit_frame *f);

/** The sum of the pseudo-header, not complemented; len: of L4 header and payload. */
uint16_t unit_phdr_sum(const struct unit_frame *f, uint32_t len);

/** The L4 checksum of a frame whose checksum field is 0. */
uint16_t unit_l4_csum(const struct unit_frame *f);

/** The Internet checksum of RFC 1071, the slow way; init: a sum to begin with. */
uint16_t unit_csum(const uint8_t *data, size_t len, uint16_t init);

/** Big-endian fields. */
static inline uint16_t
unit_get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline void
unit_put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value & 0xff;
}

/*
 * mbufs
 */

/** A pool whose mbufs have this much room, headroom included. */
struct rte_mempool *unit_pool(const char *name, unsigned int n, uint16_t room);

/** Copy data to a chain: so many bytes in the first segment, so many in each other. */
struct rte_mbuf *unit_mbuf(struct rte_mempool *pool, const void *data, uint32_t len,
		uint16_t first, uint16_t rest);

/** The same, every segment in memory of its own, right in front of a page that is not there. */
struct rte_mbuf *unit_mbuf_guarded(struct rte_mempool *pool, const void *data, uint32_t len,
		uint16_t first, uint16_t rest);

/** A shape for unit_mbuf() of the frame in one segment. */
struct rte_mbuf *unit_mbuf_frame(struct rte_mempool *pool, const struct unit_frame *f);

/** Does the chain hold these bytes, and is it sound? */
bool unit_mbuf_equal(const struct rte_mbuf *m, const void *data, uint32_t len);

/** A number that changes with any byte of the chain's buffers, headroom included. */
uint64_t unit_mbuf_hash(const struct rte_mbuf *m);

/** Open a TAP file that is attached to no interface; says so and returns -1 where there is none. */
int unit_open_tun(void);

#endif /* _UNIT_H_ */
