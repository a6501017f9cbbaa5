/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Receive: kernel to application.
 *
 * The queue of packets is the kernel's own, in front of the TAP file. A burst fills the slots
 * that it will use with empty mbufs, reads into them in one batch, hands up the frames and keeps
 * the other mbufs for the next burst. How many reads a burst tries follows from what the last
 * one found: one more than that, or twice as many when all found a packet. After a burst that
 * found none a poll is armed, and bursts cost nothing until a packet arrives.
 *
 * A TAP does not tell how many packets wait in it. To count them, they are read ahead: the
 * results stay in their slots, and bursts hand them up before they read any further.
 *
 * The virtio-net header is read into the headroom, right in front of the frame.
 *
 * A TAP cuts off what does not fit in the buffers and says nothing. So a slot always has at
 * least a byte more room than the largest frame, and a read that fills it is taken for one that
 * was cut off. That happens only if the MTU has grown while the read was under way, or without
 * the application knowing.
 */

#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "rtap.h"
#include "rtap_vnet_rx.h"

/* A part of the second-level cache of most CPUs. */
#define RTAP_RX_BURST_BYTES (512U << 10)

uint16_t
rtap_rxq_segs(const struct rtap_rxq *rxq, uint32_t len)
{
	uint32_t room = len + 1, segs = 1;

	if (room > rxq->seg0_len)
		segs += (room - rxq->seg0_len + rxq->seg_len - 1) / rxq->seg_len;
	return segs <= rxq->stride ? segs : 0;
}

uint32_t
rtap_rx_frame_max(const struct rte_eth_dev *dev, uint16_t mtu)
{
	if ((dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0)
		return RTAP_FRAME_MAX;
	return mtu + RTAP_ETH_OVERHEAD;
}

/*
 * Buffers
 */

/*
 * Take an mbuf back from the last slot that has one, of those behind slot idx. These are to be
 * filled later than it, and hold no results.
 */
static struct rte_mbuf *
rxq_take_back(struct rtap_rxq *rxq, unsigned int idx)
{
	struct rtap_rx_slot *slot;
	struct rte_mbuf *m;
	unsigned int i;

	for (i = rxq->nb_slots - 1; i > idx; i--) {
		slot = &rxq->slots[i];
		if (slot->first == slot->last)
			continue;
		m = rxq->mbufs[i * rxq->stride + --slot->last];
		rte_pktmbuf_reset_headroom(m);
		return m;
	}
	return NULL;
}

/*
 * Take an mbuf for slot idx. When the pool runs low, whatever it has left will do, and when it is
 * empty what the queue itself holds: all of that is used up before nothing is received.
 */
static struct rte_mbuf *
rxq_get_mbuf(struct rtap_rxq *rxq, unsigned int idx)
{
	struct rte_mbuf *m;
	unsigned int n;

	for (n = RTAP_RX_STOCK; rxq->nb_stock == 0 && n > 0; n /= 2)
		if (rte_pktmbuf_alloc_bulk(rxq->pool, rxq->stock, n) == 0)
			rxq->nb_stock = n;
	if (likely(rxq->nb_stock > 0))
		return rxq->stock[--rxq->nb_stock];
	m = rxq_take_back(rxq, idx);
	rxq->stats.nombuf += m == NULL;
	return m;
}

/* The mbufs [from, to) of a slot are new: have the read go there. */
static void
slot_describe(struct rtap_rxq *rxq, unsigned int idx, unsigned int from, unsigned int to)
{
	struct rte_mbuf **mbufs = &rxq->mbufs[idx * rxq->stride];
	struct iovec *iovs = &rxq->iovs[idx * rxq->stride];
	unsigned int i = from;

	if (i == 0) {
		iovs[0].iov_base = rte_pktmbuf_mtod_offset(mbufs[0], char *,
				-(int)RTAP_VNET_HDR_LEN);
		iovs[0].iov_len = rxq->seg0_len + RTAP_VNET_HDR_LEN;
		i++;
	}
	for (; i < to; i++) {
		mbufs[i]->data_off = 0;
		iovs[i].iov_base = mbufs[i]->buf_addr;
		iovs[i].iov_len = rxq->seg_len;
	}
}

/* Fill in the mbufs [from, to) of a slot if the pool has them all at once. */
static bool
slot_put_bulk(struct rtap_rxq *rxq, unsigned int idx, unsigned int from, unsigned int to)
{
	struct rte_mbuf **mbufs = &rxq->mbufs[idx * rxq->stride];

	if (to - from < 2 || rte_pktmbuf_alloc_bulk(rxq->pool, &mbufs[from], to - from) != 0)
		return false;
	slot_describe(rxq, idx, from, to);
	return true;
}

/* Fill in one. */
static bool
slot_put(struct rtap_rxq *rxq, unsigned int idx, unsigned int pos)
{
	struct rte_mbuf *m = rxq_get_mbuf(rxq, idx);

	if (unlikely(m == NULL))
		return false;
	rxq->mbufs[idx * rxq->stride + pos] = m;
	slot_describe(rxq, idx, pos, pos + 1);
	return true;
}

/*
 * Make room for the largest frame: replace what the last one took, add what the MTU asks for.
 * What a poor pool gives goes next to what is there.
 */
static bool
slot_fill(struct rtap_rxq *rxq, unsigned int idx, uint16_t segs)
{
	struct rtap_rx_slot *slot = &rxq->slots[idx];

	if (slot_put_bulk(rxq, idx, 0, slot->first))
		slot->first = 0;
	for (; slot->first > 0; slot->first--)
		if (!slot_put(rxq, idx, slot->first - 1))
			return false;
	if (slot->last < segs && slot_put_bulk(rxq, idx, slot->last, segs))
		slot->last = segs;
	for (; slot->last < segs; slot->last++)
		if (!slot_put(rxq, idx, slot->last))
			return false;
	rxq->reqs[idx].iov = &rxq->iovs[idx * rxq->stride];
	rxq->reqs[idx].iovcnt = slot->last;
	return true;
}

unsigned int
rtap_rxq_fill(struct rtap_rxq *rxq, unsigned int first, unsigned int n)
{
	uint16_t segs = rte_atomic_load_explicit(&rxq->segs, rte_memory_order_acquire);
	unsigned int i, max = rxq->nb_slots;

	/* The room may have grown since the slots were counted: the descriptors have not. */
	if (segs > 1) {
		max = rxq->nb_desc / segs;
		max = RTE_MAX(max, 1U);
	}
	max = RTE_MIN(first + n, max);
	for (i = first; i < max; i++)
		if (!slot_fill(rxq, i, segs))
			break;
	return i - first;
}

/* The packets among the results of the slots [from, to): reads that failed are none. */
static unsigned int
rxq_nb_packets(const struct rtap_rxq *rxq, unsigned int from, unsigned int to)
{
	unsigned int i, n = 0;

	for (i = from; i < to; i++)
		n += rxq->reqs[i].res >= 0;
	return n;
}

void
rtap_rxq_free_mbufs(struct rtap_rxq *rxq)
{
	unsigned int i;

	rxq->stats.discarded += rxq_nb_packets(rxq, rxq->ahead, rxq->ahead_end) +
		rxq_nb_packets(rxq, rxq->nb_taken, rxq->nb_posted);
	for (i = 0; i < rxq->nb_slots; i++) {
		struct rtap_rx_slot *slot = &rxq->slots[i];

		rte_pktmbuf_free_bulk(&rxq->mbufs[i * rxq->stride + slot->first],
			slot->last - slot->first);
		slot->first = slot->last = 0;
	}
	rxq->ahead = rxq->ahead_end = 0;
	rxq->nb_taken = rxq->nb_posted = 0;
	rte_pktmbuf_free_bulk(rxq->stock, rxq->nb_stock);
	rxq->nb_stock = 0;
}

/*
 * Frames
 */

/* Chain as many mbufs of the slot as hold len bytes, and take them out of it. */
static struct rte_mbuf *
slot_take(struct rtap_rxq *rxq, unsigned int idx, uint32_t len)
{
	struct rte_mbuf **mbufs = &rxq->mbufs[idx * rxq->stride];
	struct rte_mbuf *head = mbufs[0], *m = head;
	uint32_t room = rxq->seg0_len;
	unsigned int n = 1;

	head->port = rxq->port_id;
	head->pkt_len = len;
	while (len > room) {
		m->data_len = room;
		len -= room;
		m->next = mbufs[n++];
		m = m->next;
		room = rxq->seg_len;
	}
	m->data_len = len;
	head->nb_segs = n;
	rxq->slots[idx].first = n;
	return head;
}

/* Is there a frame in the slot, all of it? */
static bool
slot_check(struct rtap_rxq *rxq, unsigned int idx)
{
	int32_t res = rxq->reqs[idx].res;
	uint32_t room = RTAP_VNET_HDR_LEN + rxq->seg0_len +
		(rxq->slots[idx].last - 1) * (uint32_t)rxq->seg_len;

	if (unlikely(res < 0)) {
		/* A buffer that is not where the pool's memory is: read the ordinary way. */
		if (res == -EFAULT)
			rtap_ring_forget_memory(&rxq->ring);
		/* Without a device there is nothing to read: rtap_ring_set_gone(). */
		rxq->stats.read_errors += res != -EBADFD;
		return false;
	}
	if (unlikely((uint32_t)res >= room)) {
		rxq->stats.truncated++;
		return false;
	}
	if (unlikely((uint32_t)res < RTAP_VNET_HDR_LEN + RTE_ETHER_HDR_LEN)) {
		rxq->stats.bad_header++;
		return false;
	}
	return true;
}

/* Count a packet that the application gets. */
static void
rxq_count(struct rtap_rxq *rxq, const struct rte_mbuf *m)
{
	struct rtap_rx_stats *stats = &rxq->stats;
	uint64_t l4 = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	stats->packets++;
	stats->bytes += m->pkt_len;
	rtap_frame_count(&stats->frames, m);
	if (m->ol_flags == 0)
		return;
	stats->lro += (m->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
	stats->csum_none += l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE;
	stats->csum_good += l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	stats->ip_csum_bad += (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) ==
		RTE_MBUF_F_RX_IP_CKSUM_BAD;
}

struct rte_mbuf *
rtap_rxq_take(struct rtap_rxq *rxq, unsigned int idx)
{
	struct virtio_net_hdr_v1 hdr; /* no tunnels on Rx */
	struct rte_mbuf *m;

	if (!slot_check(rxq, idx))
		return NULL;
	memcpy(&hdr, rxq->reqs[idx].iov->iov_base, sizeof(hdr));
	m = slot_take(rxq, idx, rxq->reqs[idx].res - RTAP_VNET_HDR_LEN);
	if (unlikely(rtap_vnet_rx(m, &hdr) != 0)) {
		rxq->stats.bad_header++;
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (rxq->check_ip_csum)
		rtap_vnet_rx_ip_csum(m);
	rxq_count(rxq, m);
	if (rte_atomic_load_explicit(&rxq->vlan_strip, rte_memory_order_relaxed))
		rtap_vnet_rx_strip(m);
	return m;
}

/* Large frames come in smaller bursts, which fit in the cache until the application has them. */
void
rtap_rxq_adapt(struct rtap_rxq *rxq, unsigned int tried, unsigned int found, uint64_t bytes)
{
	unsigned int probe = (found < tried) ? found + 1 : RTE_MAX(rxq->probe, 2 * tried);

	if (unlikely(bytes > RTAP_RX_BURST_BYTES / 2)) {
		unsigned int fit = RTAP_RX_BURST_BYTES * found / bytes;

		fit = RTE_MAX(fit, 1U);
		probe = RTE_MIN(probe, fit);
	}
	rxq->probe = RTE_MIN(probe, rxq->nb_slots);
}

/* Hand up what n slots from the first on hold; found: how many reads found something. */
static inline uint16_t
rxq_hand_up(struct rtap_rxq *rxq, unsigned int first, unsigned int n, struct rte_mbuf **pkts,
		unsigned int *found)
{
	uint16_t nb_rx = 0;
	unsigned int i;

	*found = 0;
	for (i = first; i < first + n; i++) {
		if (rxq->reqs[i].res == -EAGAIN)
			continue;
		(*found)++;
		pkts[nb_rx] = rtap_rxq_take(rxq, i);
		nb_rx += pkts[nb_rx] != NULL;
	}
	return nb_rx;
}

/* Hand up what was read ahead. None is returned only if there is nothing good among it. */
static uint16_t
rxq_hand_up_ahead(struct rtap_rxq *rxq, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	unsigned int n, found;
	uint16_t nb_rx = 0;

	while (nb_rx == 0 && nb_pkts > 0 && rxq->ahead < rxq->ahead_end) {
		n = RTE_MIN(nb_pkts, rxq->ahead_end - rxq->ahead);
		nb_rx = rxq_hand_up(rxq, rxq->ahead, n, pkts, &found);
		rxq->ahead += n;
	}
	if (rxq->ahead == rxq->ahead_end) {
		rxq->ahead = rxq->ahead_end = 0;
		rtap_intr_set_ready(rxq, false);
	}
	return nb_rx;
}

uint16_t
rtap_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct rtap_rxq *rxq = queue;
	uint64_t bytes = rxq->stats.bytes;
	unsigned int tried, found;
	uint16_t nb_rx;

	if (unlikely(rtap_rxq_is_ahead(rxq)))
		return rxq_hand_up_ahead(rxq, pkts, nb_pkts);
	if (rtap_ring_is_quiet(&rxq->ring))
		return 0;
	tried = rtap_rxq_fill(rxq, 0, RTE_MIN(nb_pkts, rxq->probe));
	if (unlikely(tried == 0))
		return 0;

	rtap_ring_readv(&rxq->ring, rxq->reqs, tried);
	nb_rx = rxq_hand_up(rxq, 0, tried, pkts, &found);
	rtap_rxq_adapt(rxq, tried, found, rxq->stats.bytes - bytes);
	if (found == 0)
		rtap_ring_arm(&rxq->ring);
	return nb_rx;
}

/*
 * Reading ahead
 */

/* The slots whose reads found something, of n from the first on; end: the one after the last. */
static unsigned int
rxq_found(const struct rtap_rxq *rxq, unsigned int first, unsigned int n, uint64_t *bytes,
		uint16_t *end)
{
	unsigned int i, found = 0;

	for (i = first; i < first + n; i++) {
		if (rxq->reqs[i].res == -EAGAIN)
			continue;
		*bytes += RTE_MAX(rxq->reqs[i].res, 0);
		*end = i + 1;
		found++;
	}
	return found;
}

/* Read what waits into the slots behind those that hold results already. */
static void
rxq_read_ahead(struct rtap_rxq *rxq)
{
	unsigned int tried, found = 0, first;

	do {
		uint64_t bytes = 0;

		first = rxq->ahead_end;
		if (rtap_ring_is_quiet(&rxq->ring))
			return;
		tried = rtap_rxq_fill(rxq, first, RTE_MIN(rxq->probe, rxq->nb_slots - first));
		if (tried == 0)
			return;
		rtap_ring_readv(&rxq->ring, &rxq->reqs[first], tried);
		found = rxq_found(rxq, first, tried, &bytes, &rxq->ahead_end);
		rtap_rxq_adapt(rxq, tried, found, bytes);
	} while (found == tried);
	if (found == 0)
		rtap_ring_arm(&rxq->ring);
}

int
rtap_rx_queue_count(void *queue)
{
	struct rtap_rxq *rxq = queue;

	rxq_read_ahead(rxq);
	rtap_intr_set_ready(rxq, rtap_rxq_is_ahead(rxq));
	return rxq_nb_packets(rxq, rxq->ahead, rxq->ahead_end);
}

/* Descriptors beyond the slots never have a buffer that a packet could be read into. */
int
rtap_rx_descriptor_status(void *queue, uint16_t offset)
{
	struct rtap_rxq *rxq = queue;

	if (offset >= rxq->nb_desc)
		return -EINVAL;
	if (offset < rxq_nb_packets(rxq, rxq->ahead, rxq->ahead_end) ||
	    offset < rtap_rx_queue_count(rxq))
		return RTE_ETH_RX_DESC_DONE;
	return offset < rxq->nb_slots ? RTE_ETH_RX_DESC_AVAIL : RTE_ETH_RX_DESC_UNAVAIL;
}

const uint32_t *
rtap_supported_ptypes_get(struct rte_eth_dev *dev __rte_unused, size_t *no_of_elements)
{
	/* Those of rte_net_get_ptype() with RTAP_PTYPE_MASK. */
	static const uint32_t ptypes[] = {
		RTE_PTYPE_L2_ETHER,
		RTE_PTYPE_L2_ETHER_MPLS,
		RTE_PTYPE_L2_ETHER_VLAN,
		RTE_PTYPE_L2_ETHER_QINQ,
		RTE_PTYPE_L3_IPV4,
		RTE_PTYPE_L3_IPV4_EXT,
		RTE_PTYPE_L3_IPV6,
		RTE_PTYPE_L3_IPV6_EXT,
		RTE_PTYPE_L4_FRAG,
		RTE_PTYPE_L4_SCTP,
		RTE_PTYPE_L4_TCP,
		RTE_PTYPE_L4_UDP,
	};

	*no_of_elements = RTE_DIM(ptypes);
	return ptypes;
}
