/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Statistics.
 *
 * Each queue counts for itself and nobody else writes to its counters: a reset remembers where
 * they stand. What a queue has counted stays with the port when the queue is released.
 */

#include <inttypes.h>
#include <stdio.h>

#include <rte_string_fns.h>

#include "rtap.h"
#include "rtap_link.h"

/* The statistics of a queue are nothing but counters. */
#define RTAP_NB_COUNTERS(type) (sizeof(type) / sizeof(uint64_t))

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
add_rx(struct rtap_rx_stats *sum, const struct rtap_rxq *rxq)
{
	add_counters(sum, &rxq->stats, &rxq->stats_base, RTAP_NB_COUNTERS(*sum));
}

static void
add_tx(struct rtap_tx_stats *sum, const struct rtap_txq *txq)
{
	add_counters(sum, &txq->stats, &txq->stats_base, RTAP_NB_COUNTERS(*sum));
}

void
rtap_stats_keep_rx(struct rtap_dev *rtap, const struct rtap_rxq *rxq)
{
	add_rx(&rtap->rx_past, rxq);
}

void
rtap_stats_keep_tx(struct rtap_dev *rtap, const struct rtap_txq *txq)
{
	add_tx(&rtap->tx_past, txq);
}

struct port_stats {
	struct rtap_rx_stats rx;
	struct rtap_tx_stats tx;
};

static void
sum_port(const struct rte_eth_dev *dev, struct port_stats *sum)
{
	uint16_t i;

	sum->rx = rtap_dev(dev)->rx_past;
	sum->tx = rtap_dev(dev)->tx_past;
	for (i = 0; i < dev->data->nb_rx_queues; i++)
		if (dev->data->rx_queues[i] != NULL)
			add_rx(&sum->rx, dev->data->rx_queues[i]);
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		if (dev->data->tx_queues[i] != NULL)
			add_tx(&sum->tx, dev->data->tx_queues[i]);
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

/*
 * What the kernel wanted to send to us and could not, because its queue was full or the
 * interface had no reader: from its side, Tx drops. While the interface is out of reach, the
 * last known.
 */
static uint64_t
get_imissed(struct rtap_dev *rtap)
{
	struct rtap_link_info info;

	if (rtap_link_get(rtap_netlink(rtap), rtap->ifindex, &info) == 0)
		rtap->tx_dropped = info.tx_dropped;
	return rtap->tx_dropped - rtap->imissed_base;
}

int
rtap_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats,
		struct eth_queue_stats *qstats)
{
	struct port_stats sum;

	sum_port(dev, &sum);
	stats->ipackets = sum.rx.packets;
	stats->ibytes = sum.rx.bytes;
	stats->ierrors = sum.rx.bad_header + sum.rx.truncated + sum.rx.read_errors;
	stats->rx_nombuf = sum.rx.nombuf;
	stats->imissed = get_imissed(rtap_dev(dev));
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

		if (rxq != NULL)
			rxq->stats_base = rxq->stats;
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		struct rtap_txq *txq = dev->data->tx_queues[i];

		if (txq != NULL)
			txq->stats_base = txq->stats;
	}
	rtap->rx_past = (struct rtap_rx_stats){0};
	rtap->tx_past = (struct rtap_tx_stats){0};
	rtap->imissed_base += get_imissed(rtap);
	return 0;
}

/* The extended statistics: all there is to know about them. */
static const struct {
	const char *name;
	size_t offset;
} rtap_xstats[] = {
#define RX(name, field) { name, offsetof(struct port_stats, rx.field) }
#define TX(name, field) { name, offsetof(struct port_stats, tx.field) }
	RX("rx_lro_packets", lro),
	RX("rx_bad_header_errors", bad_header),
	RX("rx_truncated_errors", truncated),
	RX("rx_read_errors", read_errors),
	TX("tx_tso_packets", tso),
	TX("tx_bad_offload_errors", bad_offload),
	TX("tx_oversize_errors", oversize),
	TX("tx_too_many_segs_errors", too_many_segs),
	TX("tx_link_down_errors", link_down),
	TX("tx_write_errors", write_errors),
	TX("tx_backpressure_packets", backpressure),
#undef RX
#undef TX
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
	struct port_stats sum;
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
