/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Queues, and the TAP files that serve them.
 *
 * File i is read by Rx queue i. The kernel spreads packets over the attached files, so while the
 * port runs, the file of an Rx queue that does not is detached. One file stays attached in any
 * case: the interface is configured through it, and Tx needs it.
 *
 * A Tx queue writes to the file of its number, which makes the kernel steer the answers of a
 * flow to the Rx queue of that number, or to another attached one if it has to.
 */

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "rtap.h"
#include "rtap_link.h"
#include "rtap_tap.h"

/* How long the kernel may take to let go of a file that was just closed, in steps of 10 ms. */
#define RTAP_RETRIES 200
#define RTAP_RETRY_US 10000

/*
 * Queues share nothing that is written while packets move: each is an allocation of its own, from
 * the beginning of a cache line to the end of one, and so are its ring, its buffers and counters.
 */
static_assert(sizeof(struct rtap_rxq) % RTE_CACHE_LINE_SIZE == 0 &&
		alignof(struct rtap_rxq) >= RTE_CACHE_LINE_SIZE, "an Rx queue fills cache lines");
static_assert(sizeof(struct rtap_txq) % RTE_CACHE_LINE_SIZE == 0 &&
		alignof(struct rtap_txq) >= RTE_CACHE_LINE_SIZE, "a Tx queue fills cache lines");
/* What they do share they only read; and what each burst reads is together. */
static_assert(_Generic(((struct rtap_txq *)NULL)->data, const struct rte_eth_dev_data *: true,
		default: false), "a queue does not write to the port's data");
static_assert(offsetof(struct rtap_rxq, stock) <= RTE_CACHE_LINE_SIZE,
		"how an Rx queue is made is in one cache line");

/*
 * Files
 */

int
rtap_files_ctl(const struct rtap_files *files)
{
	uint16_t i;

	for (i = 0; i < files->nb_fds; i++)
		if (files->attached[i])
			return files->fds[i];
	return -1;
}

/*
 * Whoever holds the lock finds the files as they are: an attached one that is no more would mean
 * that the interface is gone. See rtap_follow.c.
 */
static void
files_close_last(struct rtap_dev *rtap)
{
	struct rtap_files *files = &rtap->files;
	int fd;

	pthread_mutex_lock(&rtap->lock);
	fd = files->fds[--files->nb_fds];
	/* At once, even while a ring that was given up still holds the file. */
	if (files->multi_queue && !files->given && files->nb_fds > 0)
		rtap_tap_set_attached(fd, false);
	close(fd);
	pthread_mutex_unlock(&rtap->lock);
}

/*
 * Is this file one of the interface's? Names are looked up in the namespace of the calling
 * thread; where there is none of that name, the kernel has just made another interface.
 */
static bool
is_of_interface(const struct rtap_dev *rtap, unsigned int ifindex, const char *name, int fd)
{
	struct rtap_link_info info;
	ino_t ours, theirs;

	if (rtap_tap_get_netns(rtap_files_ctl(&rtap->files), &ours) == 0 &&
	    rtap_tap_get_netns(fd, &theirs) == 0 && ours != theirs)
		return false;
	return rtap_link_get_by_name(rtap->nl, name, &info) == 0 && info.ifindex == ifindex;
}

static int
files_open_next(struct rtap_dev *rtap)
{
	struct rtap_files *files = &rtap->files;
	struct rtap_link_info info;
	int fd = -EBUSY, i, ret;

	/* Files are opened by name, which must be the interface's in this namespace. */
	ret = rtap_link_get(rtap->nl, &info);
	if (ret != 0 || !info.here)
		return ret != 0 ? ret : -EXDEV;
	/* Queues that were closed a moment ago may still count. */
	for (i = 0; (fd == -EBUSY || fd == -E2BIG) && i < RTAP_RETRIES; i++) {
		if (i > 0)
			rte_delay_us_sleep(RTAP_RETRY_US);
		fd = rtap_tap_open(info.ifname, IFF_MULTI_QUEUE | rtap_napi_open_flag(rtap),
			info.ifname);
	}
	if (fd < 0)
		return fd;
	if (!is_of_interface(rtap, info.ifindex, info.ifname, fd)) {
		close(fd);
		return -EXDEV;
	}
	ret = rtap_tap_set_sndbuf(fd, rtap->napi.sndbuf);
	if (ret != 0) {
		close(fd);
		return ret;
	}
	pthread_mutex_lock(&rtap->lock);
	files->fds[files->nb_fds] = fd;
	files->attached[files->nb_fds++] = true;
	pthread_mutex_unlock(&rtap->lock);
	return 0;
}

int
rtap_files_resize(struct rtap_dev *rtap, uint16_t nb)
{
	struct rtap_files *files = &rtap->files;
	int ret = 0;

	/* Those that are too many now could not be had again later: they are detached. */
	if (files->given && nb > 0)
		return 0;
	while (files->nb_fds > nb)
		files_close_last(rtap);
	/* The last one attached may just have been closed. */
	if (files->nb_fds > 0 && rtap_files_ctl(files) < 0) {
		ret = rtap_tap_set_attached(files->fds[0], true);
		files->attached[0] = ret == 0;
	}
	while (ret == 0 && files->nb_fds < nb)
		ret = files_open_next(rtap);
	if (ret != 0)
		PMD_LOG(ERR, "%s: cannot have %u TAP files: %s", rtap->ifname, nb,
			rtap_link_strerror(ret));
	return ret;
}

int
rtap_files_renew(struct rtap_dev *rtap)
{
	struct rtap_files *files = &rtap->files;
	int ret;

	ret = rtap_files_resize(rtap, 1);
	if (ret == 0)
		ret = rtap_files_resize(rtap, 2);
	if (ret != 0)
		return ret;
	/* Both are attached. */
	pthread_mutex_lock(&rtap->lock);
	RTE_SWAP(files->fds[0], files->fds[1]);
	pthread_mutex_unlock(&rtap->lock);
	return rtap_files_resize(rtap, 1);
}

int
rtap_files_attach(struct rtap_files *files)
{
	int ret = 0;
	uint16_t i;

	for (i = 0; i < files->nb_fds && ret == 0; i++) {
		if (!files->attached[i])
			ret = rtap_tap_set_attached(files->fds[i], true);
		files->attached[i] = ret == 0;
	}
	return ret;
}

static bool
rxq_runs(const struct rte_eth_dev *dev, uint16_t i)
{
	return i < dev->data->nb_rx_queues &&
		dev->data->rx_queue_state[i] == RTE_ETH_QUEUE_STATE_STARTED;
}

static int
file_set_attached(struct rtap_dev *rtap, uint16_t i, bool attached)
{
	int ret = 0;

	pthread_mutex_lock(&rtap->lock);
	if (rtap->files.attached[i] != attached)
		ret = rtap_tap_set_attached(rtap->files.fds[i], attached);
	if (ret == 0)
		rtap->files.attached[i] = attached;
	pthread_mutex_unlock(&rtap->lock);
	if (ret != 0)
		PMD_LOG(ERR, "%s: cannot %s queue %u: %s", rtap->ifname,
			attached ? "attach" : "detach", i, strerror(-ret));
	return ret;
}

/*
 * Attach the files of the Rx queues that run, point the Tx queues to them, and only then detach
 * the others: at no time is a Tx queue left without a file.
 */
static int
files_settle(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	struct rtap_files *files = &rtap->files;
	uint16_t i, file, first = 0;
	int ret = 0;

	if (!files->multi_queue || files->nb_fds == 0)
		return 0;
	while (first < files->nb_fds && !rxq_runs(dev, first))
		first++;
	if (first == files->nb_fds)
		first = 0;

	for (i = 0; i < files->nb_fds && ret == 0; i++)
		if (i == first || rxq_runs(dev, i))
			ret = file_set_attached(rtap, i, true);
	if (ret != 0)
		return ret;
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		struct rtap_txq *txq = dev->data->tx_queues[i];

		file = i % files->nb_fds;
		rte_atomic_store_explicit(&txq->file, rxq_runs(dev, file) ? file : first,
			rte_memory_order_release);
	}
	for (i = 0; i < files->nb_fds && ret == 0; i++)
		if (i != first && !rxq_runs(dev, i))
			ret = file_set_attached(rtap, i, false);
	return ret;
}

/*
 * Set-up
 */

/*
 * Make each slot hold the largest frame of the port's present configuration. If somebody else has
 * raised the MTU, see rtap_mtu_follow().
 */
static int
rxq_set_room(struct rtap_rxq *rxq, const struct rte_eth_dev *dev, uint16_t queue_id)
{
	uint32_t frame = rtap_rx_frame_max(dev, rtap_dev(dev)->mtu_asked);
	uint16_t segs = rtap_rxq_segs(rxq, frame);

	if (segs == 0) {
		PMD_LOG(ERR,
			"Rx queue %u: frames of %u bytes do not fit in mbufs of %u: enable scattered Rx, use larger mbufs or a smaller MTU",
			queue_id, frame, rxq->seg0_len);
		return -EINVAL;
	}
	rte_atomic_store_explicit(&rxq->segs, segs, rte_memory_order_relaxed);
	return 0;
}

/*
 * A slot has room for the largest frame that scattered Rx may bring, so that the MTU can grow
 * while the queue runs. The mbufs of all slots together do not exceed the descriptors.
 */
static int
rxq_set_shape(struct rtap_rxq *rxq, const struct rte_eth_dev *dev, uint16_t queue_id,
		uint64_t offloads)
{
	uint32_t room = rte_pktmbuf_data_room_size(rxq->pool);
	uint16_t segs;

	if (room < RTE_PKTMBUF_HEADROOM + RTAP_ETH_OVERHEAD ||
	    RTE_PKTMBUF_HEADROOM < RTAP_VNET_HDR_LEN) {
		PMD_LOG(ERR, "Rx queue %u: mbufs of %u bytes are too small", queue_id, room);
		return -EINVAL;
	}
	rxq->seg_len = room;
	rxq->seg0_len = room - RTE_PKTMBUF_HEADROOM;
	rxq->stride = 1;
	if ((offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0) {
		rxq->stride = UINT16_MAX;
		rxq->stride = rtap_rxq_segs(rxq, RTAP_FRAME_MAX);
	}
	if (rxq_set_room(rxq, dev, queue_id) != 0)
		return -EINVAL;
	segs = rte_atomic_load_explicit(&rxq->segs, rte_memory_order_relaxed);
	rxq->nb_slots = RTE_MIN(rxq->nb_desc / segs, RTAP_BURST_MAX);
	rxq->nb_slots = RTE_MAX(rxq->nb_slots, 1);
	return 0;
}

/*
 * The memory of a pool: where it begins and ends, and how much of that is the pool's. In huge
 * pages it is in one piece for us, and in many for devices that see physical addresses.
 */
struct pool_mem {
	char *begin;
	char *end;
	size_t len;
};

static void
collect_mem(struct rte_mempool *pool __rte_unused, void *arg, struct rte_mempool_memhdr *memhdr,
		unsigned int idx)
{
	char *begin = memhdr->addr, *end = begin + memhdr->len;
	struct pool_mem *mem = arg;

	mem->begin = idx == 0 ? begin : RTE_MIN(mem->begin, begin);
	mem->end = RTE_MAX(mem->end, end);
	mem->len += memhdr->len;
}

/* The memory of the mbufs, in one piece; returns why it is not, or NULL. */
static const char *
pool_memory(struct rte_mempool *pool, struct iovec *iov)
{
	struct pool_mem mem = {0};

	if ((rte_pktmbuf_priv_flags(pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF) != 0)
		return "the buffers are external";
	rte_mempool_mem_iter(pool, collect_mem, &mem);
	if ((size_t)(mem.end - mem.begin) != mem.len)
		return "the mempool is in several pieces, use huge pages or a smaller one";
	*iov = (struct iovec){ mem.begin, mem.len };
	return NULL;
}

/*
 * Have the memory of the Rx mbufs registered, which makes reads a tenth faster or more. Where that
 * cannot be, nothing is lost.
 */
static void
rxq_set_memory(struct rtap_rxq *rxq, const char *ifname, uint16_t queue_id)
{
	const char *reason;
	struct iovec mem;

	if (!rxq->ring.caps.uring || !rxq->ring.caps.uring_reads)
		return;
	reason = pool_memory(rxq->pool, &mem);
	if (reason == NULL)
		rtap_ring_set_memory(&rxq->ring, &mem);
	else
		PMD_LOG(INFO, "%s: Rx queue %u: mbufs are not registered, receiving is slower: %s",
			ifname, queue_id, reason);
}

static void
rxq_free(struct rtap_rxq *rxq)
{
	if (rxq == NULL)
		return;
	rtap_ring_close(&rxq->ring);
	if (rxq->mbufs != NULL)
		rtap_rxq_free_mbufs(rxq);
	rte_free(rxq->mbufs);
	rte_free(rxq->iovs);
	rte_free(rxq);
}

int
rtap_rx_queue_setup(struct rte_eth_dev *dev, uint16_t queue_id, uint16_t nb_desc,
		unsigned int socket_id, const struct rte_eth_rxconf *conf,
		struct rte_mempool *pool)
{
	uint64_t offloads = conf->offloads | dev->data->dev_conf.rxmode.offloads;
	struct rtap_rxq *rxq;
	unsigned int nb;
	int ret;

	rxq = rte_zmalloc_socket("rtap_rxq", sizeof(*rxq), RTE_CACHE_LINE_SIZE, socket_id);
	if (rxq == NULL)
		return -ENOMEM;
	rxq->pool = pool;
	rxq->port_id = dev->data->port_id;
	rxq->nb_desc = nb_desc;
	rxq->deferred = conf->rx_deferred_start != 0;
	rxq->offloads = conf->offloads;
	rxq->probe = 1;
	rxq->intr.epfd = -1;
	rxq->ring.reqs = rxq->reqs;
	rxq->ring.depth = RTAP_BURST_MAX;
	ret = rxq_set_shape(rxq, dev, queue_id, offloads);
	if (ret != 0)
		goto free_rxq;

	nb = rxq->nb_slots * rxq->stride;
	rxq->mbufs = rte_zmalloc_socket("rtap_rxq_mbufs", nb * sizeof(*rxq->mbufs),
		RTE_CACHE_LINE_SIZE, socket_id);
	rxq->iovs = rte_zmalloc_socket("rtap_rxq_iovs", nb * sizeof(*rxq->iovs),
		RTE_CACHE_LINE_SIZE, socket_id);
	if (rxq->mbufs == NULL || rxq->iovs == NULL) {
		ret = -ENOMEM;
		goto free_rxq;
	}
	if (rxq->stride > 1)
		dev->data->scattered_rx = 1;
	dev->data->rx_queues[queue_id] = rxq;
	return 0;

free_rxq:
	rxq_free(rxq);
	return ret;
}

int
rtap_tx_queue_setup(struct rte_eth_dev *dev, uint16_t queue_id, uint16_t nb_desc,
		unsigned int socket_id, const struct rte_eth_txconf *conf)
{
	struct rtap_txq *txq;

	txq = rte_zmalloc_socket("rtap_txq", sizeof(*txq), RTE_CACHE_LINE_SIZE, socket_id);
	if (txq == NULL)
		return -ENOMEM;
	txq->data = dev->data;
	txq->nb_desc = nb_desc;
	txq->nb_slots = RTE_MIN(nb_desc, RTAP_BURST_MAX);
	txq->deferred = conf->tx_deferred_start != 0;
	txq->tun = rtap_dev(dev)->tun_caps;
	txq->offloads = conf->offloads;
	if (rtap_dev(dev)->caps.sqpoll && rtap_sqpoll_tx_setup(txq, socket_id) != 0) {
		rte_free(txq);
		return -ENOMEM;
	}
	dev->data->tx_queues[queue_id] = txq;
	return 0;
}

/* What was posted has a result then, and is counted and freed. */
static void
txq_close(struct rtap_txq *txq)
{
	rtap_ring_close(&txq->ring);
	rtap_sqpoll_tx_flush(txq);
}

void
rtap_rx_queue_release(struct rte_eth_dev *dev, uint16_t queue_id)
{
	struct rtap_rxq *rxq = dev->data->rx_queues[queue_id];

	if (rxq == NULL)
		return;
	rtap_telemetry_forget(&dev->data->rx_queues[queue_id]);
	rtap_stats_keep_rx(rtap_dev(dev), rxq);
	rxq_free(rxq);
}

void
rtap_tx_queue_release(struct rte_eth_dev *dev, uint16_t queue_id)
{
	struct rtap_txq *txq = dev->data->tx_queues[queue_id];

	if (txq == NULL)
		return;
	rtap_telemetry_forget(&dev->data->tx_queues[queue_id]);
	txq_close(txq);
	rtap_sqpoll_tx_release(txq);
	rtap_stats_keep_tx(rtap_dev(dev), txq);
	rte_free(txq);
}

/*
 * Start and stop
 */

static int
rxq_open(struct rte_eth_dev *dev, uint16_t queue_id)
{
	const struct rtap_dev *rtap = rtap_dev(dev);
	struct rtap_rxq *rxq = dev->data->rx_queues[queue_id];
	int ret;

	if (rxq_runs(dev, queue_id))
		return 0;
	/* The port may have been configured anew since the queue was set up. */
	ret = rxq_set_room(rxq, dev, queue_id);
	if (ret != 0)
		return ret;
	rxq->probe = 1;
	rxq->check_ip_csum = ((rxq->offloads | dev->data->dev_conf.rxmode.offloads) &
			RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0;
	rtap_vlan_offload_set(dev, RTE_ETH_VLAN_STRIP_MASK);
	if (rxq->stride > 1)
		dev->data->scattered_rx = 1;
	ret = rtap_ring_open(&rxq->ring, &rtap->caps, &rtap->files.fds[queue_id], 1);
	if (ret != 0) {
		PMD_LOG(ERR, "%s: cannot start Rx queue %u: %s", rtap->ifname, queue_id,
			strerror(-ret));
		return ret;
	}
	rxq_set_memory(rxq, rtap->ifname, queue_id);
	if (rtap->caps.sqpoll)
		rtap_sqpoll_rx_start(rxq);
	dev->data->rx_queue_state[queue_id] = RTE_ETH_QUEUE_STATE_STARTED;
	return rtap_intr_queue_start(rxq);
}

static void
rxq_close(struct rte_eth_dev *dev, uint16_t queue_id)
{
	struct rtap_rxq *rxq = dev->data->rx_queues[queue_id];

	rtap_intr_queue_stop(rxq);
	rtap_ring_close(&rxq->ring);
	rtap_rxq_free_mbufs(rxq);
	dev->data->rx_queue_state[queue_id] = RTE_ETH_QUEUE_STATE_STOPPED;
}

int
rtap_tx_queue_start(struct rte_eth_dev *dev, uint16_t queue_id)
{
	const struct rtap_dev *rtap = rtap_dev(dev);
	struct rtap_txq *txq = dev->data->tx_queues[queue_id];
	int ret;

	if (dev->data->tx_queue_state[queue_id] == RTE_ETH_QUEUE_STATE_STARTED)
		return 0;
	ret = rtap_ring_open(&txq->ring, &rtap->caps, rtap->files.fds, rtap->files.nb_fds);
	if (ret != 0) {
		PMD_LOG(ERR, "%s: cannot start Tx queue %u: %s", rtap->ifname, queue_id,
			strerror(-ret));
		return ret;
	}
	dev->data->tx_queue_state[queue_id] = RTE_ETH_QUEUE_STATE_STARTED;
	return 0;
}

int
rtap_tx_queue_stop(struct rte_eth_dev *dev, uint16_t queue_id)
{
	struct rtap_txq *txq = dev->data->tx_queues[queue_id];

	txq_close(txq);
	dev->data->tx_queue_state[queue_id] = RTE_ETH_QUEUE_STATE_STOPPED;
	return 0;
}

/*
 * Attached before the ring is there: a read of a detached file would say that it is gone. The lock
 * keeps the ring from rtap_follow(), which looks into it on the interrupt thread.
 */
int
rtap_rx_queue_start(struct rte_eth_dev *dev, uint16_t queue_id)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret = 0;

	if (rtap->files.multi_queue)
		ret = file_set_attached(rtap, queue_id, true);
	if (ret == 0) {
		pthread_mutex_lock(&rtap->lock);
		ret = rxq_open(dev, queue_id);
		pthread_mutex_unlock(&rtap->lock);
	}
	if (ret == 0)
		ret = files_settle(dev);
	if (ret != 0)
		rtap_rx_queue_stop(dev, queue_id);
	else
		rtap_link_update(dev, 0); /* grows as the others have */
	return ret;
}

int
rtap_rx_queue_stop(struct rte_eth_dev *dev, uint16_t queue_id)
{
	struct rtap_dev *rtap = rtap_dev(dev);

	pthread_mutex_lock(&rtap->lock);
	rxq_close(dev, queue_id);
	pthread_mutex_unlock(&rtap->lock);
	return files_settle(dev);
}

void
rtap_queues_stop(struct rte_eth_dev *dev)
{
	uint16_t i;

	for (i = 0; i < dev->data->nb_rx_queues; i++)
		rxq_close(dev, i);
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		rtap_tx_queue_stop(dev, i);
	rtap_intr_stop(dev);
}

/* ethdev starts a port whose queue set-up has failed, if the application does not mind. */
static int
check_queues(const struct rte_eth_dev *dev)
{
	uint16_t i;

	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		if (dev->data->rx_queues[i] == NULL) {
			PMD_LOG(ERR, "Rx queue %u is not set up", i);
			return -EINVAL;
		}
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		if (dev->data->tx_queues[i] == NULL) {
			PMD_LOG(ERR, "Tx queue %u is not set up", i);
			return -EINVAL;
		}
	}
	return 0;
}

int
rtap_queues_start(struct rte_eth_dev *dev)
{
	uint16_t i;
	int ret;

	ret = check_queues(dev);
	if (ret == 0)
		ret = rtap_intr_start(dev);
	if (ret != 0)
		return ret;
	for (i = 0; i < dev->data->nb_rx_queues && ret == 0; i++) {
		const struct rtap_rxq *rxq = dev->data->rx_queues[i];

		if (!rxq->deferred)
			ret = rxq_open(dev, i);
	}
	for (i = 0; i < dev->data->nb_tx_queues && ret == 0; i++) {
		const struct rtap_txq *txq = dev->data->tx_queues[i];

		if (!txq->deferred)
			ret = rtap_tx_queue_start(dev, i);
	}
	if (ret == 0)
		ret = files_settle(dev);
	if (ret != 0)
		rtap_queues_stop(dev);
	return ret;
}

void
rtap_rxq_info_get(struct rte_eth_dev *dev, uint16_t queue_id, struct rte_eth_rxq_info *info)
{
	const struct rtap_rxq *rxq = dev->data->rx_queues[queue_id];

	info->mp = rxq->pool;
	info->nb_desc = rxq->nb_desc;
	info->rx_buf_size = rxq->seg0_len;
	info->scattered_rx = rxq->stride > 1;
	info->conf.rx_deferred_start = rxq->deferred;
	info->conf.offloads = rxq->offloads | dev->data->dev_conf.rxmode.offloads;
}

void
rtap_txq_info_get(struct rte_eth_dev *dev, uint16_t queue_id, struct rte_eth_txq_info *info)
{
	const struct rtap_txq *txq = dev->data->tx_queues[queue_id];

	info->nb_desc = txq->nb_desc;
	info->conf.tx_deferred_start = txq->deferred;
	info->conf.offloads = txq->offloads | dev->data->dev_conf.txmode.offloads;
}
