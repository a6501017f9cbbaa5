/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* The driver operations whose signature has changed, see include/ethdev_driver.h. */

#include <string.h>

#include <ethdev_driver.h>

#if COMPAT_DPDK_BEFORE(25, 11)

int
(rtap_stats_get)(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
	struct eth_queue_stats queues;
	int ret;

	memset(&queues, 0, sizeof(queues));
	ret = rtap_stats_get(dev, stats, &queues);
	memcpy(stats->q_ipackets, queues.q_ipackets, sizeof(stats->q_ipackets));
	memcpy(stats->q_opackets, queues.q_opackets, sizeof(stats->q_opackets));
	memcpy(stats->q_ibytes, queues.q_ibytes, sizeof(stats->q_ibytes));
	memcpy(stats->q_obytes, queues.q_obytes, sizeof(stats->q_obytes));
	memcpy(stats->q_errors, queues.q_errors, sizeof(stats->q_errors));
	return ret;
}

uint32_t
(rtap_rx_queue_count)(void *queue)
{
	return rtap_rx_queue_count(queue);
}

uint32_t
(rtap_sqpoll_rx_queue_count)(void *queue)
{
	return rtap_sqpoll_rx_queue_count(queue);
}

#endif /* before 25.11 */

#if COMPAT_DPDK_BEFORE(24, 3)

const uint32_t *
(rtap_supported_ptypes_get)(struct rte_eth_dev *dev)
{
	/* The driver's list never changes: whoever fills this in writes the same. */
	static uint32_t terminated[64];
	const uint32_t *list;
	size_t count = 0;

	list = rtap_supported_ptypes_get(dev, &count);
	if (list == NULL)
		return NULL;
	RTE_ASSERT(count < RTE_DIM(terminated));
	count = RTE_MIN(count, RTE_DIM(terminated) - 1);
	memcpy(terminated, list, count * sizeof(*list));
	terminated[count] = RTE_PTYPE_UNKNOWN;
	return terminated;
}

#endif /* before 24.03 */
