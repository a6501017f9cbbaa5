/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_STATS_H_
#define _RTAP_STATS_H_

/*
 * What frames are like, counted as they pass. Each frame is counted once by its size and once by
 * its destination, so the sum of either is the number of frames.
 */

#include <stdint.h>
#include <string.h>

#include <rte_bitops.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

/*
 * Classes of size: less than 64 bytes, 64 to 127, 128 to 255 and so on. Powers of two take no
 * comparison to tell apart, and go on where RMON (RFC 2819) ends, up to merged packets.
 */
#define RTAP_NB_SIZES 12

enum rtap_cast {
	RTAP_UNICAST,
	RTAP_MULTICAST,
	RTAP_BROADCAST,
	RTAP_NB_CASTS,
};

struct rtap_frame_stats {
	uint64_t size[RTAP_NB_SIZES];
	uint64_t cast[RTAP_NB_CASTS];
};

/** The class of size of a frame, which is no longer than RTAP_FRAME_MAX. */
static inline unsigned int
rtap_frame_size(uint32_t len)
{
	return rte_fls_u32(len >> 6);
}

/** The kind of a destination address at any place in memory. */
static inline enum rtap_cast
rtap_frame_cast(const uint8_t *dst)
{
	uint32_t first;
	uint16_t last;

	if ((dst[0] & RTE_ETHER_GROUP_ADDR) == 0)
		return RTAP_UNICAST;
	memcpy(&first, dst, sizeof(first));
	memcpy(&last, dst + sizeof(first), sizeof(last));
	return first == UINT32_MAX && last == UINT16_MAX ? RTAP_BROADCAST : RTAP_MULTICAST;
}

/** Count a frame, of which a part of the destination address may be in another segment. */
static inline void
rtap_frame_count(struct rtap_frame_stats *stats, const struct rte_mbuf *m)
{
	uint8_t copy[RTE_ETHER_ADDR_LEN] = {0};
	const uint8_t *dst = rte_pktmbuf_read(m, 0, sizeof(copy), copy);

	stats->size[rtap_frame_size(m->pkt_len)]++;
	stats->cast[rtap_frame_cast(dst != NULL ? dst : copy)]++;
}

#endif /* _RTAP_STATS_H_ */
