/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef COMPAT_ETHDEV_DRIVER_H
#define COMPAT_ETHDEV_DRIVER_H

/*
 * Operations whose signature has changed.
 *
 * The driver defines, declares and calls an operation with a parenthesis behind its name,
 * but its table of operations holds the bare name. A function-like macro therefore
 * renames the driver's function and leaves the table alone, and the function of the old
 * signature that the table wants is in compat.c, its name in parentheses.
 */

#include_next <ethdev_driver.h>

#if COMPAT_DPDK_BEFORE(25, 11)

/* Figures per queue were a part of struct rte_eth_stats. */
struct eth_queue_stats {
	uint64_t q_ipackets[RTE_ETHDEV_QUEUE_STAT_CNTRS];
	uint64_t q_opackets[RTE_ETHDEV_QUEUE_STAT_CNTRS];
	uint64_t q_ibytes[RTE_ETHDEV_QUEUE_STAT_CNTRS];
	uint64_t q_obytes[RTE_ETHDEV_QUEUE_STAT_CNTRS];
	uint64_t q_errors[RTE_ETHDEV_QUEUE_STAT_CNTRS];
};

int rtap_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats);
#define rtap_stats_get(dev, stats, qstats) rtap_stats_get_2511(dev, stats, qstats)
int rtap_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats,
		struct eth_queue_stats *qstats);

/* The number of packets was unsigned. */
uint32_t rtap_rx_queue_count(void *queue);
#define rtap_rx_queue_count(queue) rtap_rx_queue_count_2511(queue)
int rtap_rx_queue_count(void *queue);
uint32_t rtap_sqpoll_rx_queue_count(void *queue);
#define rtap_sqpoll_rx_queue_count(queue) rtap_sqpoll_rx_queue_count_2511(queue)
int rtap_sqpoll_rx_queue_count(void *queue);

#endif /* before 25.11 */

#if COMPAT_DPDK_BEFORE(24, 3)

/* The list ended in RTE_PTYPE_UNKNOWN and had no count. */
const uint32_t *rtap_supported_ptypes_get(struct rte_eth_dev *dev);
#define rtap_supported_ptypes_get(dev, count) rtap_supported_ptypes_get_2403(dev, count)
const uint32_t *rtap_supported_ptypes_get(struct rte_eth_dev *dev, size_t *no_of_elements);

#endif /* before 24.03 */

#endif /* COMPAT_ETHDEV_DRIVER_H */
