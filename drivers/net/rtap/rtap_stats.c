/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Statistics.
 *
 * Each queue counts for itself and nobody else writes to its counters: a reset remembers where
 * they stand. What a queue has counted stays with the port when the queue is released.
 */

#include <assert.h>
#include <string.h>

#include <rte_string_fns.h>

#include "rtap.h"

/* Statistics are nothing but counters. */
#define RTAP_NB_COUNTERS(type) (sizeof(type) / sizeof(uint64_t))

static_assert(RTAP_FRAME_MAX >> 6 < 1 << (RTAP_NB_SIZES - 1), "every frame has its class of size");

/* sum += now - base, counter by counter. */
static void
add_counters(void *sum, const void *now, const void *base, size_t n)
{
	const uint64_t *from = now, *since = base;
	uint64_t *to = sum;
	size_t i;

	for (i = 0; i < n; i++)
		to[i] += from[i] - since[i];
}

static void
add_ring(struct rtap_ring_stats *sum, const struct rtap_ring *ring,
		const struct rtap_ring_stats *base)
{
	add_counters(sum, &ring->stats, base, RTAP_NB_COUNTERS(*sum));
}

static void
add_rx(struct rtap_rx_stats *sum, const struct rtap_rxq *rxq)
{
	add_counters(sum, &rxq->stats, &rxq->stats_base, RTAP_NB_COUNTERS(*sum));
}

static void
add_tx(struct rtap_tx_stats *sum, const struct rtap_txq *txq)
{
	add_counters(sum, &txq->stats, &txq->stats_base, RTAP_NB_COUNTERS(*sum));
}

static void
add_rxq(struct rtap_port_stats *sum, const struct rtap_rxq *rxq)
{
	add_rx(&sum->rx, rxq);
	add_ring(&sum->rx_ring, &rxq->ring, &rxq->ring_base);
}

static void
add_txq(struct rtap_port_stats *sum, const struct rtap_txq *txq)
{
	add_tx(&sum->tx, txq);
	add_ring(&sum->tx_ring, &txq->ring, &txq->ring_base);
}

void
rtap_stats_keep_rx(struct rtap_dev *rtap, const struct rtap_rxq *rxq)
{
	add_rxq(&rtap->past, rxq);
}

void
rtap_stats_keep_tx(struct rtap_dev *rtap, const struct rtap_txq *txq)
{
	add_txq(&rtap->past, txq);
}

/* While the interface is out of reach, what is known last has to do. */
static void
refresh_kernel(struct rtap_dev *rtap)
{
	struct rtap_link_info info;

	if (rtap_link_get(rtap->nl, &info) == 0)
		memcpy(rtap->kernel, info.stats, sizeof(rtap->kernel));
}

static void
sum_port(const struct rte_eth_dev *dev, struct rtap_port_stats *sum)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	uint16_t i;

	*sum = rtap->past;
	for (i = 0; i < dev->data->nb_rx_queues; i++)
		if (dev->data->rx_queues[i] != NULL)
			add_rxq(sum, dev->data->rx_queues[i]);
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		if (dev->data->tx_queues[i] != NULL)
			add_txq(sum, dev->data->tx_queues[i]);
	refresh_kernel(rtap);
	add_counters(sum->kernel, rtap->kernel, rtap->kernel_base, RTAP_KERNEL_STATS);
	sum->promiscuous = rtap->promiscuous_now;
	sum->allmulticast = rtap->allmulticast_now;
}

static void
get_queues(const struct rte_eth_dev *dev, struct eth_queue_stats *qstats)
{
	uint16_t i;

	for (i = 0; i < RTE_MIN(dev->data->nb_rx_queues, RTE_ETHDEV_QUEUE_STAT_CNTRS); i++) {
		struct rtap_rx_stats rx = {0};

		if (dev->data->rx_queues[i] != NULL)
			add_rx(&rx, dev->data->rx_queues[i]);
		qstats->q_ipackets[i] = rx.packets;
		qstats->q_ibytes[i] = rx.bytes;
		qstats->q_errors[i] = rx.bad_header + rx.truncated + rx.read_errors;
	}
	for (i = 0; i < RTE_MIN(dev->data->nb_tx_queues, RTE_ETHDEV_QUEUE_STAT_CNTRS); i++) {
		struct rtap_tx_stats tx = {0};

		if (dev->data->tx_queues[i] != NULL)
			add_tx(&tx, dev->data->tx_queues[i]);
		qstats->q_opackets[i] = tx.packets;
		qstats->q_obytes[i] = tx.bytes;
	}
}

int
rtap_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats,
		struct eth_queue_stats *qstats)
{
	struct rtap_port_stats sum;

	sum_port(dev, &sum);
	stats->ipackets = sum.rx.packets;
	stats->ibytes = sum.rx.bytes;
	stats->ierrors = sum.rx.bad_header + sum.rx.truncated + sum.rx.read_errors;
	stats->rx_nombuf = sum.rx.nombuf;
	/*
	 * What the kernel wanted to send to us and could not, because its queue was full or the
	 * interface had no reader: from its side, Tx drops.
	 */
	stats->imissed = sum.kernel[RTAP_KERNEL_TX_DROPPED];
	stats->opackets = sum.tx.packets;
	stats->obytes = sum.tx.bytes;
	stats->oerrors = sum.tx.bad_offload + sum.tx.oversize + sum.tx.too_many_segs +
		sum.tx.link_down + sum.tx.write_errors;
	if (qstats != NULL)
		get_queues(dev, qstats);
	return 0;
}

int
rtap_stats_reset(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	uint16_t i;

	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		struct rtap_rxq *rxq = dev->data->rx_queues[i];

		if (rxq != NULL) {
			rxq->stats_base = rxq->stats;
			rxq->ring_base = rxq->ring.stats;
		}
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		struct rtap_txq *txq = dev->data->tx_queues[i];

		if (txq != NULL) {
			txq->stats_base = txq->stats;
			txq->ring_base = txq->ring.stats;
		}
	}
	rtap->past = (struct rtap_port_stats){0};
	refresh_kernel(rtap);
	memcpy(rtap->kernel_base, rtap->kernel, sizeof(rtap->kernel_base));
	return 0;
}

/* The extended statistics: all there is to know about them. */
static const struct {
	const char *name;
	size_t offset;
} rtap_xstats[] = {
#define X(name, field) { name, offsetof(struct rtap_port_stats, field) }
#define SIZE(way, class, name) X(#way "_size_" name "_packets", way.frames.size[class])
#define FRAMES(way) \
	X(#way "_unicast_packets", way.frames.cast[RTAP_UNICAST]), \
	X(#way "_multicast_packets", way.frames.cast[RTAP_MULTICAST]), \
	X(#way "_broadcast_packets", way.frames.cast[RTAP_BROADCAST]), \
	SIZE(way, 0, "0_to_63"), \
	SIZE(way, 1, "64_to_127"), \
	SIZE(way, 2, "128_to_255"), \
	SIZE(way, 3, "256_to_511"), \
	SIZE(way, 4, "512_to_1023"), \
	SIZE(way, 5, "1024_to_2047"), \
	SIZE(way, 6, "2048_to_4095"), \
	SIZE(way, 7, "4096_to_8191"), \
	SIZE(way, 8, "8192_to_16383"), \
	SIZE(way, 9, "16384_to_32767"), \
	SIZE(way, 10, "32768_to_65535"), \
	SIZE(way, 11, "65536_to_max")
	FRAMES(rx),
	X("rx_lro_packets", rx.lro),
	X("rx_csum_none_packets", rx.csum_none),
	X("rx_csum_good_packets", rx.csum_good),
	X("rx_ip_csum_bad_packets", rx.ip_csum_bad),
	X("rx_bad_header_errors", rx.bad_header),
	X("rx_truncated_errors", rx.truncated),
	X("rx_read_errors", rx.read_errors),
	X("rx_discarded_packets", rx.discarded),
	X("rx_system_calls", rx_ring.enters),
	X("rx_polls_armed", rx_ring.arms),
	X("rx_ring_handovers", rx_ring.handovers),
	FRAMES(tx),
	X("tx_tso_packets", tx.tso),
	X("tx_csum_packets", tx.csum),
	X("tx_ip_csum_packets", tx.ip_csum),
	X("tx_bad_offload_errors", tx.bad_offload),
	X("tx_oversize_errors", tx.oversize),
	X("tx_too_many_segs_errors", tx.too_many_segs),
	X("tx_link_down_errors", tx.link_down),
	X("tx_write_errors", tx.write_errors),
	X("tx_backpressure_packets", tx.backpressure),
	X("tx_system_calls", tx_ring.enters),
	X("tx_ring_handovers", tx_ring.handovers),
	X("kernel_rx_packets", kernel[RTAP_KERNEL_RX_PACKETS]),
	X("kernel_rx_bytes", kernel[RTAP_KERNEL_RX_BYTES]),
	X("kernel_rx_dropped", kernel[RTAP_KERNEL_RX_DROPPED]),
	X("kernel_rx_frame_errors", kernel[RTAP_KERNEL_RX_FRAME_ERRORS]),
	X("kernel_rx_nohandler", kernel[RTAP_KERNEL_RX_NOHANDLER]),
	X("kernel_rx_otherhost_dropped", kernel[RTAP_KERNEL_RX_OTHERHOST_DROPPED]),
	X("kernel_tx_packets", kernel[RTAP_KERNEL_TX_PACKETS]),
	X("kernel_tx_bytes", kernel[RTAP_KERNEL_TX_BYTES]),
	X("kernel_tx_dropped", kernel[RTAP_KERNEL_TX_DROPPED]),
	X("kernel_promiscuous", promiscuous),
	X("kernel_allmulticast", allmulticast),
#undef FRAMES
#undef SIZE
#undef X
};

int
rtap_xstats_get_names(struct rte_eth_dev *dev __rte_unused, struct rte_eth_xstat_name *names,
		unsigned int n __rte_unused)
{
	unsigned int i;

	for (i = 0; names != NULL && i < RTE_DIM(rtap_xstats); i++)
		rte_strscpy(names[i].name, rtap_xstats[i].name, sizeof(names[i].name));
	return RTE_DIM(rtap_xstats);
}

int
rtap_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n)
{
	struct rtap_port_stats sum;
	unsigned int i;

	if (n < RTE_DIM(rtap_xstats))
		return RTE_DIM(rtap_xstats);
	sum_port(dev, &sum);
	for (i = 0; i < RTE_DIM(rtap_xstats); i++) {
		xstats[i].id = i;
		xstats[i].value = *(const uint64_t *)((const char *)&sum + rtap_xstats[i].offset);
	}
	return RTE_DIM(rtap_xstats);
}
