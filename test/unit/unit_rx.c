/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <string.h>

#include <rte_mempool.h>

#include "unit_rx.h"

const struct virtio_net_hdr_v1 no_hdr;

struct rte_mempool *small;
struct rte_mempool *odd;
struct rte_mempool *usual;
struct rte_mempool *exact;
struct rte_mempool *few;
struct rtap_rxq *rxq;
struct rte_mbuf *pkts[BURST];

/*
 * Frames
 */

/* So many frames in a row differ in every byte that can. */
#define NB_DIFFERENT 251

const uint8_t *
frame_data(uint32_t seq, uint32_t len)
{
	static uint8_t noise[RTAP_FRAME_MAX + 64 + NB_DIFFERENT], data[sizeof(noise)];
	uint32_t state = 1, i;

	if (noise[0] == 0)
		for (i = 0; i < sizeof(noise); i++)
			noise[i] = unit_random(&state) | 1;
	memcpy(data, &noise[seq % NB_DIFFERENT], len);
	unit_put16(&data[12], 0x88b5);
	if (len >= 18)
		memcpy(&data[14], &seq, sizeof(seq));
	return data;
}

bool
put(uint32_t seq, uint32_t len)
{
	return unit_frame_send(&no_hdr, frame_data(seq, len), len);
}

bool
is_frame(const struct rte_mbuf *m, uint32_t seq, uint32_t len)
{
	uint32_t nb_segs = 1;

	if (len > rxq->seg0_len)
		nb_segs += (len - rxq->seg0_len + rxq->seg_len - 1) / rxq->seg_len;
	return m->nb_segs == nb_segs && m->port == unit_dev.data->port_id && m->ol_flags == 0 &&
		unit_mbuf_equal(m, frame_data(seq, len), len);
}

bool
take(uint32_t seq, uint32_t len)
{
	bool ok;

	if (rtap_rx_burst(rxq, pkts, 1) != 1)
		return false;
	ok = is_frame(pkts[0], seq, len);
	rte_pktmbuf_free(pkts[0]);
	return ok;
}

bool
goes_through(uint32_t seq, uint32_t len)
{
	return put(seq, len) && take(seq, len);
}

bool
is_empty(void)
{
	return rtap_rx_burst(rxq, pkts, BURST) == 0;
}

void
set_mtu(uint16_t mtu)
{
	uint16_t segs;

	rtap_dev(&unit_dev)->mtu_asked = unit_dev.data->mtu = mtu;
	if (rxq == NULL)
		return;
	segs = rte_atomic_load_explicit(&rxq->segs, rte_memory_order_relaxed);
	segs = RTE_MAX(segs, rtap_rxq_segs(rxq, rtap_rx_frame_max(&unit_dev, mtu)));
	rte_atomic_store_explicit(&rxq->segs, segs, rte_memory_order_release);
}

/*
 * Runner
 */

static void
set_up(void)
{
	unit_queues_set_up();
	rxq = NULL;
}

int
unit_rx_run(CU_TestInfo *tests)
{
	unit_eal_init();
	small = unit_pool("small", NB_MBUFS, 256 + RTE_PKTMBUF_HEADROOM);
	odd = unit_pool("odd", NB_MBUFS, 331 + RTE_PKTMBUF_HEADROOM);
	usual = unit_pool("usual", NB_MBUFS, 2048 + RTE_PKTMBUF_HEADROOM);
	exact = unit_pool("exact", NB_MBUFS, 1523 + RTE_PKTMBUF_HEADROOM);
	few = unit_pool("few", 15, 256 + RTE_PKTMBUF_HEADROOM);
	return unit_ring_run(tests, set_up, unit_queues_tear_down);
}
