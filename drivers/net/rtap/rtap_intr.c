/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Waiting for packets instead of polling: Rx interrupts, and the word in memory for
 * rte_power_monitor().
 *
 * An application sleeps on a file per Rx queue, which rte_eth_dev_rx_intr_ctl_q() adds to its
 * epoll instance edge-triggered. The TAP file itself would not do: a packet that came between the
 * last empty burst and the sleep is an edge of the past. So each queue has an epoll instance of
 * its own, in which the TAP file is level-triggered, and that is the file to sleep on. To enable
 * the interrupt is to add the TAP file: where a packet waits already, the inner instance becomes
 * ready there and then, which is a new edge outside. To disable it is to remove the TAP file.
 *
 * What is ready without being in the TAP file must make the inner instance ready as well:
 * - packets that rtap_rx_queue_count() has read ahead do so by a second file, an eventfd that
 *   is always readable and is in the instance as long as there are such packets;
 * - with SQPOLL, reads or a poll are under way between bursts, and what the TAP file says now is
 *   out of date when they are done. Instead of it the file of the ring is watched, which is
 *   readable while completions wait. Those that are fetched and not handed up yet are as packets
 *   read ahead, and so is a queue that has nothing under way.
 *
 * A file without a device behind it, because that was deleted or the queue is stopped and
 * detached, is always ready (POLLERR). Such a file is not watched.
 *
 * Enabling, disabling and bursts come from one thread at a time, as for all of a queue in DPDK.
 */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_interrupts.h>
#include <rte_power_intrinsics.h>

#include "rtap.h"

/*
 * Watch a file. In two steps: when a file is added, kernels before 6.14 look whether it is ready
 * without a memory barrier after queueing themselves (poll_wait()), so that in theory they could
 * miss a packet that arrives at this moment. On a change, ep_modify() has one.
 */
static int
watch(int epfd, int fd)
{
	struct epoll_event event = {0};

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) != 0)
		return -errno;
	event.events = EPOLLIN;
	return epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event) != 0 ? -errno : 0;
}

/* A queue that has lost the thread has lost this file as well, and the kernel has removed it. */
static int
rxq_file(const struct rtap_rxq *rxq)
{
	return rxq->ring.caps.sqpoll ? rxq->ring.uring.ring_fd : rxq->ring.fds[0];
}

static void
rxq_disarm(struct rtap_rxq *rxq)
{
	struct rtap_rx_intr *intr = &rxq->intr;

	if (intr->armed)
		epoll_ctl(intr->epfd, EPOLL_CTL_DEL, rxq_file(rxq), NULL);
	if (intr->has_ready)
		epoll_ctl(intr->epfd, EPOLL_CTL_DEL, intr->ready_fd, NULL);
	intr->armed = false;
	intr->has_ready = false;
}

/* From scratch each time: a file that is ready already makes an edge only when it is added. */
static int
rxq_arm(struct rtap_rxq *rxq)
{
	int ret;

	rxq_disarm(rxq);
	if (!rxq->ring.open)
		return 0; /* when the queue is started */
	if (rxq->ring.gone)
		return -EIO;
	ret = watch(rxq->intr.epfd, rxq_file(rxq));
	rxq->intr.armed = ret == 0;
	rtap_intr_set_ready(rxq, rtap_rxq_is_ahead(rxq) || rtap_sqpoll_rx_is_ready(rxq));
	return ret;
}

void
rtap_intr_set_ready(struct rtap_rxq *rxq, bool ready)
{
	struct rtap_rx_intr *intr = &rxq->intr;

	if (!intr->armed || ready == intr->has_ready)
		return;
	if (ready)
		watch(intr->epfd, intr->ready_fd);
	else
		epoll_ctl(intr->epfd, EPOLL_CTL_DEL, intr->ready_fd, NULL);
	intr->has_ready = ready;
}

int
rtap_rx_queue_intr_enable(struct rte_eth_dev *dev, uint16_t queue_id)
{
	struct rtap_rxq *rxq = dev->data->rx_queues[queue_id];

	if (rxq->intr.epfd < 0)
		return -ENOTSUP;
	rxq->intr.enabled = true;
	return rxq_arm(rxq);
}

int
rtap_rx_queue_intr_disable(struct rte_eth_dev *dev, uint16_t queue_id)
{
	struct rtap_rxq *rxq = dev->data->rx_queues[queue_id];

	if (rxq->intr.epfd < 0)
		return -ENOTSUP;
	rxq->intr.enabled = false;
	rxq_disarm(rxq);
	return 0;
}

int
rtap_intr_queue_start(struct rtap_rxq *rxq)
{
	return rxq->intr.enabled ? rxq_arm(rxq) : 0;
}

void
rtap_intr_queue_stop(struct rtap_rxq *rxq)
{
	rxq_disarm(rxq);
}

/*
 * The port
 */

static int
handle_prepare(struct rte_eth_dev *dev, uint16_t nb)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	/*
	 * Kept until the port is closed: a thread that is about to return from rte_epoll_wait() may
	 * still look into it.
	 */
	if (rtap->intr_handle == NULL)
		rtap->intr_handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (rtap->intr_handle == NULL)
		return -ENOMEM;
	/* Of this type, and with no counter to be read by DPDK. */
	ret = rte_intr_type_set(rtap->intr_handle, RTE_INTR_HANDLE_VDEV);
	if (ret == 0)
		ret = rte_intr_efd_counter_size_set(rtap->intr_handle, 0);
	if (ret == 0)
		ret = rte_intr_vec_list_alloc(rtap->intr_handle, NULL, nb);
	dev->intr_handle = rtap->intr_handle;
	return ret;
}

static int
queue_prepare(struct rtap_dev *rtap, struct rtap_rxq *rxq, uint16_t queue_id)
{
	struct rtap_rx_intr *intr = &rxq->intr;
	int ret;

	*intr = (struct rtap_rx_intr){ .epfd = -1, .ready_fd = rtap->intr_ready_fd };
	intr->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (intr->epfd < 0)
		return -errno;
	ret = rte_intr_efds_index_set(rtap->intr_handle, queue_id, intr->epfd);
	if (ret == 0)
		ret = rte_intr_vec_list_index_set(rtap->intr_handle, queue_id,
			RTE_INTR_VEC_RXTX_OFFSET + queue_id);
	return ret;
}

int
rtap_intr_start(struct rte_eth_dev *dev)
{
	uint16_t i, nb = dev->data->nb_rx_queues;
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	rtap->intr_ready_fd = -1;
	if (dev->data->dev_conf.intr_conf.rxq == 0 || nb == 0)
		return 0;
	ret = handle_prepare(dev, nb);
	if (ret == 0) {
		rtap->intr_ready_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
		ret = rtap->intr_ready_fd < 0 ? -errno : 0;
	}
	for (i = 0; i < nb && ret == 0; i++)
		ret = queue_prepare(rtap, dev->data->rx_queues[i], i);
	if (ret == 0)
		ret = rte_intr_nb_efd_set(rtap->intr_handle, nb);
	if (ret == 0)
		ret = rte_intr_max_intr_set(rtap->intr_handle, nb);
	if (ret != 0) {
		PMD_LOG(ERR, "%s: cannot set up Rx interrupts: %s", rtap->ifname, strerror(-ret));
		rtap_intr_stop(dev);
	}
	return ret;
}

void
rtap_intr_stop(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	uint16_t i;

	if (dev->intr_handle == NULL)
		return;
	rte_intr_free_epoll_fd(rtap->intr_handle);
	rte_intr_nb_efd_set(rtap->intr_handle, 0);
	rte_intr_vec_list_free(rtap->intr_handle);
	dev->intr_handle = NULL;
	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		struct rtap_rxq *rxq = dev->data->rx_queues[i];

		if (rxq->intr.epfd >= 0)
			close(rxq->intr.epfd);
		rxq->intr = (struct rtap_rx_intr){ .epfd = -1, .ready_fd = -1 };
	}
	if (rtap->intr_ready_fd >= 0)
		close(rtap->intr_ready_fd);
	rtap->intr_ready_fd = -1;
}

void
rtap_intr_close(struct rtap_dev *rtap)
{
	rte_intr_instance_free(rtap->intr_handle);
	rtap->intr_handle = NULL;
}

/*
 * Power-aware polling
 */

/* Called between setting the monitor up and the sleep: is there something to do after all? */
static int
monitor_check(const uint64_t value __rte_unused,
		const uint64_t opaque[RTE_POWER_MONITOR_OPAQUE_SZ])
{
	const struct rtap_rxq *rxq;

	memcpy(&rxq, opaque, sizeof(rxq));
	return rtap_rxq_is_ahead(rxq) || !rtap_ring_is_quiet(&rxq->ring) ? -1 : 0;
}

int
rtap_get_monitor_addr(void *queue, struct rte_power_monitor_cond *cond)
{
	const struct rtap_rxq *rxq = queue;
	volatile uint32_t *word = rtap_ring_quiet_word(&rxq->ring);

	if (word == NULL)
		return -ENOTSUP;
	*cond = (struct rte_power_monitor_cond){
		.addr = word,
		.size = sizeof(*word),
		.fn = monitor_check,
	};
	memcpy(cond->opaque, &rxq, sizeof(rxq));
	return 0;
}
