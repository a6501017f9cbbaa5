/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <string.h>
#include <sys/socket.h>

#include "unit_queue.h"

static struct rtap_dev rtap;
static void *rx_queues[1];
static void *tx_queues[1];
static struct rte_eth_dev_data data;
static unsigned int in_use;

struct rte_eth_dev unit_dev = { .data = &data };

void
unit_dev_init(void)
{
	memset(&rtap, 0, sizeof(rtap));
	memset(&data, 0, sizeof(data));
	pthread_mutex_init(&rtap.lock, NULL);
	rtap.caps = unit_caps;
	rtap.files.fds[0] = unit_fd;
	rtap.files.nb_fds = 1;
	data.dev_private = &rtap;
	data.port_id = 77;
	rtap.mtu_asked = data.mtu = RTE_ETHER_MTU;
	data.rx_queues = rx_queues;
	data.tx_queues = tx_queues;
	data.nb_rx_queues = 1;
	data.nb_tx_queues = 1;
}

struct rtap_rxq *
unit_rxq_open(struct rte_mempool *pool, uint16_t nb_desc, uint64_t offloads)
{
	const struct rte_eth_rxconf conf = { .offloads = offloads };
	struct rtap_rxq *rxq;

	if (rtap_rx_queue_setup(&unit_dev, 0, nb_desc, SOCKET_ID_ANY, &conf, pool) != 0)
		return NULL;
	rxq = rx_queues[0];
	return rtap_rx_queue_start(&unit_dev, 0) == 0 ? rxq : NULL;
}

struct rtap_txq *
unit_txq_open(uint16_t nb_desc)
{
	const struct rte_eth_txconf conf = {0};
	struct rtap_txq *txq;

	if (rtap_tx_queue_setup(&unit_dev, 0, nb_desc, SOCKET_ID_ANY, &conf) != 0)
		return NULL;
	txq = tx_queues[0];
	return rtap_tx_queue_start(&unit_dev, 0) == 0 ? txq : NULL;
}

void
unit_queues_close(void)
{
	if (rx_queues[0] != NULL)
		rtap_rx_queue_stop(&unit_dev, 0);
	if (tx_queues[0] != NULL)
		rtap_tx_queue_stop(&unit_dev, 0);
	rtap_rx_queue_release(&unit_dev, 0);
	rtap_tx_queue_release(&unit_dev, 0);
}

static void
count_in_use(struct rte_mempool *pool, void *count)
{
	*(unsigned int *)count += rte_mempool_in_use_count(pool);
}

static unsigned int
mbufs_in_use(void)
{
	unsigned int count = 0;

	rte_mempool_walk(count_in_use, &count);
	return count;
}

void
unit_queues_set_up(void)
{
	unit_ring_set_up();
	rtap_ring_close(&unit_ring);
	unit_dev_init();
	in_use = mbufs_in_use();
}

void
unit_queues_tear_down(void)
{
	unit_queues_close();
	CU_ASSERT_EQUAL(mbufs_in_use(), in_use);
	unit_ring_tear_down();
}

bool
unit_frame_send(const struct virtio_net_hdr_v1 *hdr, const void *frame, uint32_t len)
{
	static uint8_t buf[RTAP_VNET_HDR_LEN + RTAP_FRAME_MAX + 64];

	memset(buf, 0, RTAP_VNET_HDR_LEN);
	memcpy(buf, hdr, sizeof(*hdr));
	memcpy(buf + RTAP_VNET_HDR_LEN, frame, len);
	return send(unit_peer, buf, RTAP_VNET_HDR_LEN + len, 0) ==
		(ssize_t)(RTAP_VNET_HDR_LEN + len);
}

bool
unit_frame_receive(const struct virtio_net_hdr_v1 *hdr, const void *frame, uint32_t len)
{
	static uint8_t buf[RTAP_VNET_HDR_LEN + RTAP_FRAME_MAX + 64];
	struct rtap_vnet_hdr whole = { .v1 = *hdr };

	return recv(unit_peer, buf, sizeof(buf), 0) == (ssize_t)(sizeof(whole) + len) &&
		memcmp(buf, &whole, sizeof(whole)) == 0 &&
		memcmp(buf + sizeof(whole), frame, len) == 0;
}
