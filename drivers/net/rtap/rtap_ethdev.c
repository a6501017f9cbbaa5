/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <string.h>

#include <linux/if_tun.h>

#include <bus_vdev_driver.h>
#include <ethdev_vdev.h>
#include <rte_eal.h>

#include "rtap.h"
#include "rtap_link.h"
#include "rtap_tap.h"

RTE_LOG_REGISTER_DEFAULT(rtap_logtype, NOTICE);

/*
 * Configure, start, stop
 */

static uint64_t
tx_offloads(const struct rtap_dev *rtap)
{
	uint64_t offloads = RTAP_TX_OFFLOADS;

	if ((rtap->tun_caps & RTAP_TUN_F_USO) != 0)
		offloads |= RTAP_TX_OFFLOADS_USO;
	if ((rtap->tun_caps & RTAP_TUN_F_TUNNEL) != 0)
		offloads |= RTAP_TX_OFFLOADS_TUNNEL;
	return offloads;
}

static int
rtap_dev_infos_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	const struct rtap_dev *rtap = rtap_dev(dev);
	const struct rte_eth_desc_lim desc_lim = {
		.nb_min = 1,
		.nb_max = RTAP_DESC_MAX,
		.nb_align = 1,
	};
	uint16_t nb_queues = rtap->files.multi_queue ? RTAP_QUEUES_MAX : 1;

	if (rtap->files.given)
		nb_queues = rtap->files.nb_fds;
	info->if_index = rtap->ifindex;
	info->min_mtu = rtap->min_mtu;
	info->max_mtu = rtap->max_mtu;
	info->max_rx_pktlen = rtap->max_mtu + RTAP_ETH_OVERHEAD;
	info->max_lro_pkt_size = RTAP_FRAME_MAX;
	info->max_mac_addrs = RTAP_MAC_ADDRS;
	info->max_rx_queues = nb_queues;
	info->max_tx_queues = RTAP_QUEUES_MAX;
	info->rx_desc_lim = desc_lim;
	info->tx_desc_lim = desc_lim;
	info->tx_desc_lim.nb_seg_max = RTAP_TX_SEGS_MAX;
	info->tx_desc_lim.nb_mtu_seg_max = RTAP_TX_SEGS_MAX;
	info->rx_queue_offload_capa = RTE_ETH_RX_OFFLOAD_SCATTER;
	info->rx_offload_capa = RTAP_RX_OFFLOADS |
		(rtap->filter.vlan_offered ? RTAP_RX_OFFLOADS_BPF : 0);
	info->tx_offload_capa = tx_offloads(rtap);
	info->tx_queue_offload_capa = info->tx_offload_capa;
	info->speed_capa = rte_eth_speed_bitflag(rtap->speed, RTE_ETH_LINK_FULL_DUPLEX);
	info->default_rxportconf.burst_size = RTAP_BURST_MAX / 2;
	info->default_rxportconf.ring_size = RTAP_DESC_DEFAULT;
	info->default_rxportconf.nb_queues = 1;
	info->default_txportconf = info->default_rxportconf;
	info->dev_capa &= ~RTE_ETH_DEV_CAPA_FLOW_RULE_KEEP;
	return 0;
}

/* What the application is ready to finish itself, the kernel may leave unfinished. */
static int
configure_offloads(struct rte_eth_dev *dev)
{
	uint64_t offloads = dev->data->dev_conf.rxmode.offloads;
	struct rtap_dev *rtap = rtap_dev(dev);
	unsigned int tun = 0;
	int ret;

	if ((offloads & (RTAP_RX_CSUM_OFFLOADS | RTE_ETH_RX_OFFLOAD_TCP_LRO)) != 0)
		tun |= TUN_F_CSUM;
	if ((offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0) {
		if ((offloads & RTE_ETH_RX_OFFLOAD_SCATTER) == 0) {
			PMD_LOG(ERR,
				"%s: LRO brings packets of 64 KiB and needs scattered Rx (RTE_ETH_RX_OFFLOAD_SCATTER)",
				rtap->ifname);
			return -EINVAL;
		}
		tun |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
		if (rtap->uso)
			tun |= RTAP_TUN_F_USO;
	}
	if (tun == rtap->offload)
		return 0;
	ret = rtap_tap_set_offload(rtap_files_ctl(&rtap->files), tun);
	if (ret != 0) {
		PMD_LOG(ERR, "%s: cannot set offloads %#x: %s", rtap->ifname, tun,
			strerror(-ret));
		return ret;
	}
	rtap->offload = tun;
	return 0;
}

/*
 * The limit on merged packets that the application wants, 0: none. ethdev replaces none by the
 * size of an ordinary frame, so that size cannot be asked for. A merged packet need not be
 * smaller than an ordinary one.
 */
static uint32_t
lro_limit(const struct rte_eth_dev *dev)
{
	const struct rte_eth_rxmode *rxmode = &dev->data->dev_conf.rxmode;
	uint32_t size = rxmode->max_lro_pkt_size;
	uint32_t least = RTE_MAX(rxmode->mtu, RTAP_GSO_MAX_MIN) + RTAP_ETH_OVERHEAD;

	if ((rxmode->offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) == 0 ||
	    size == rxmode->mtu + RTAP_ETH_OVERHEAD || size >= RTAP_FRAME_MAX)
		return 0;
	return RTE_MAX(size, least) - RTAP_ETH_OVERHEAD;
}

/*
 * What the interface had before the first limit is put back with the last. A lower limit that it
 * has already will do, and is not raised. If the answer is lost, it may be as we wanted it, or not.
 */
static int
configure_lro_limit(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	uint32_t max = lro_limit(dev);
	struct rtap_link_info info;
	int ret = 0;

	if (max == rtap->gso_max)
		return 0;
	if (rtap->gso_max == 0) {
		ret = rtap_link_get(rtap->nl, &info);
		if (ret == 0 && info.gso_max <= max)
			return 0;
		rtap->gso_max_found = ret == 0 ? info.gso_max : 0;
	}
	if (ret == 0)
		ret = rtap_link_set_gso_max(rtap->nl,
			max != 0 ? RTE_MIN(max, rtap->gso_max_found) : rtap->gso_max_found);
	if (ret == 0) {
		rtap->gso_max = max;
		return 0;
	}
	if (ret != -EPERM && ret != -ENODEV)
		rtap->gso_max = rtap->gso_max_found;
	PMD_LOG(ERR, "%s: cannot change the limit on merged packets to %u bytes: %s",
		rtap->ifname, max, rtap_link_strerror(ret));
	return ret;
}

static int
configure_napi(struct rte_eth_dev *dev)
{
	const struct rte_eth_conf *conf = &dev->data->dev_conf;
	bool large = (conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0 ||
		(conf->txmode.offloads & (RTE_ETH_TX_OFFLOAD_TCP_TSO | RTAP_TX_OFFLOADS_USO |
			RTAP_TX_OFFLOADS_TUNNEL)) != 0;

	return rtap_napi_configure(rtap_dev(dev), large);
}

/* Packets that have waited since the port was stopped are old, and perhaps too large by now. */
static void
drain_files(const struct rtap_files *files)
{
	uint16_t i;

	for (i = 0; i < files->nb_fds; i++)
		rtap_tap_drain(files->fds[i]);
}

/*
 * A removal before the application asks for the interrupt cannot be told by one: it is told by the
 * call that asks. One that comes later finds the interrupt asked for.
 */
static int
check_present(struct rte_eth_dev *dev)
{
	if (rtap_is_removed(dev) == 0)
		return 0;
	PMD_LOG(ERR, "%s: the interface is gone: close the port and create it again",
		rtap_dev(dev)->ifname);
	return -EIO;
}

/* The MTU comes last: ethdev goes back to the one that it had if anything fails. */
static int
rtap_dev_configure(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	ret = check_present(dev);
	if (ret == 0)
		ret = configure_offloads(dev);
	if (ret == 0)
		ret = configure_napi(dev);
	if (ret == 0)
		ret = configure_lro_limit(dev);
	if (ret == 0)
		ret = rtap_files_resize(rtap, RTE_MAX(dev->data->nb_rx_queues, 1));
	if (ret == 0)
		ret = rtap_filter_apply(dev);
	if (ret == 0)
		ret = rtap_mtu_configure(dev, dev->data->dev_conf.rxmode.mtu);
	if (ret != 0)
		return ret;
	dev->data->scattered_rx = 0; /* until a queue is started so */
	dev->data->lro = (dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0;
	return 0;
}

/* What becomes of the link from now on is news to the application. */
static void
set_running(struct rte_eth_dev *dev, bool running)
{
	struct rtap_dev *rtap = rtap_dev(dev);

	pthread_mutex_lock(&rtap->lock);
	rtap->running = running;
	rtap->mtu_room = rtap->mtu_asked;
	if (running)
		rtap_follow_look(dev);
	rtap->link_told = dev->data->dev_link.link_status == RTE_ETH_LINK_UP;
	pthread_mutex_unlock(&rtap->lock);
}

static int
rtap_dev_start(struct rte_eth_dev *dev)
{
	int ret;

	ret = check_present(dev);
	if (ret != 0)
		return ret;
	drain_files(&rtap_dev(dev)->files);
	ret = rtap_queues_start(dev);
	if (ret != 0)
		return ret;
	ret = rtap_filter_start(dev);
	if (ret != 0) {
		rtap_queues_stop(dev);
		return ret;
	}
	ret = rtap_set_link_up(dev);
	if (ret != 0 && ret != -ENOTSUP) { /* then the administrator has to set it up */
		rtap_filter_stop(dev);
		rtap_queues_stop(dev);
		return ret;
	}
	set_running(dev, true);
	return 0;
}

static int
rtap_dev_stop(struct rte_eth_dev *dev)
{
	set_running(dev, false);
	if (rtap_is_removed(dev) == 0)
		rtap_carrier_set(rtap_dev(dev), false);
	rtap_filter_stop(dev);
	rtap_queues_stop(dev);
	rtap_link_update(dev, 0);
	return 0;
}

/* As the queue does it now, which may be less than what was found at probe. */
static const struct rtap_ring_caps *
burst_caps(const struct rte_eth_dev *dev, const struct rtap_ring *ring)
{
	return ring->open ? &ring->caps : &rtap_dev(dev)->caps;
}

static int
rtap_rx_burst_mode_get(struct rte_eth_dev *dev, uint16_t queue_id,
		struct rte_eth_burst_mode *mode)
{
	const struct rtap_rxq *rxq = dev->data->rx_queues[queue_id];
	const struct rtap_ring_caps *caps;

	if (rxq == NULL)
		return -EINVAL;
	caps = burst_caps(dev, &rxq->ring);
	snprintf(mode->info, sizeof(mode->info), "%s%s%s%s",
		caps->sqpoll || (caps->uring && caps->uring_reads) ? "io_uring" : "readv",
		rtap_sqpoll_name(caps),
		rxq->ring.registered ? ", registered mbufs" : "",
		rxq->stride > 1 ? ", scattered" : "");
	return 0;
}

static int
rtap_tx_burst_mode_get(struct rte_eth_dev *dev, uint16_t queue_id,
		struct rte_eth_burst_mode *mode)
{
	const struct rtap_txq *txq = dev->data->tx_queues[queue_id];
	const struct rtap_ring_caps *caps;

	if (txq == NULL)
		return -EINVAL;
	caps = burst_caps(dev, &txq->ring);
	snprintf(mode->info, sizeof(mode->info), "%s%s%s", caps->uring ? "io_uring" : "writev",
		rtap_sqpoll_name(caps), rtap_napi_name(rtap_dev(dev)));
	return 0;
}

static int
rtap_dev_close(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	uint16_t i;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return 0;
	rtap_notify_remove(dev);
	rtap_telemetry_remove(dev);
	for (i = 0; i < dev->data->nb_rx_queues; i++)
		rtap_rx_queue_release(dev, i);
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		rtap_tx_queue_release(dev, i);
	rtap_filter_close(rtap);
	rtap_iface_close(rtap);
	rtap_intr_close(rtap);
	pthread_mutex_destroy(&rtap->lock);
	dev->data->mac_addrs = NULL; /* part of the private data */
	return 0;
}

static const struct eth_dev_ops rtap_ops = {
	.dev_configure = rtap_dev_configure,
	.dev_start = rtap_dev_start,
	.dev_stop = rtap_dev_stop,
	.dev_close = rtap_dev_close,
	.dev_infos_get = rtap_dev_infos_get,
	.dev_supported_ptypes_get = rtap_supported_ptypes_get,
	.dev_set_link_up = rtap_set_link_up,
	.dev_set_link_down = rtap_set_link_down,
	.link_update = rtap_link_update,
	.is_removed = rtap_is_removed,
	.mac_addr_set = rtap_mac_addr_set,
	.mac_addr_add = rtap_mac_addr_add,
	.mac_addr_remove = rtap_mac_addr_remove,
	.set_mc_addr_list = rtap_set_mc_addr_list,
	.mtu_set = rtap_mtu_set,
	.vlan_offload_set = rtap_vlan_offload_set,
	.vlan_filter_set = rtap_vlan_filter_set,
	.promiscuous_enable = rtap_promiscuous_enable,
	.promiscuous_disable = rtap_promiscuous_disable,
	.allmulticast_enable = rtap_allmulticast_enable,
	.allmulticast_disable = rtap_allmulticast_disable,
	.rx_queue_setup = rtap_rx_queue_setup,
	.rx_queue_release = rtap_rx_queue_release,
	.rx_queue_start = rtap_rx_queue_start,
	.rx_queue_stop = rtap_rx_queue_stop,
	.rxq_info_get = rtap_rxq_info_get,
	.rx_burst_mode_get = rtap_rx_burst_mode_get,
	.rx_queue_intr_enable = rtap_rx_queue_intr_enable,
	.rx_queue_intr_disable = rtap_rx_queue_intr_disable,
	.get_monitor_addr = rtap_get_monitor_addr,
	.tx_queue_setup = rtap_tx_queue_setup,
	.tx_queue_release = rtap_tx_queue_release,
	.tx_queue_start = rtap_tx_queue_start,
	.tx_queue_stop = rtap_tx_queue_stop,
	.tx_done_cleanup = rtap_sqpoll_tx_done_cleanup,
	.txq_info_get = rtap_txq_info_get,
	.tx_burst_mode_get = rtap_tx_burst_mode_get,
	.stats_get = rtap_stats_get,
	.stats_reset = rtap_stats_reset,
	.xstats_get = rtap_xstats_get,
	.xstats_get_names = rtap_xstats_get_names,
	.xstats_reset = rtap_stats_reset,
};

/*
 * Probe and remove
 */

/* From now on the port is as the interface is, unless that cannot be seen. */
static int
watch(struct rte_eth_dev *dev)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	if (rtap->nl == NULL)
		return 0;
	ret = rtap_notify_add(dev);
	if (ret != 0) {
		PMD_LOG(ERR, "%s: cannot watch the interface: %s", rtap->ifname, strerror(-ret));
		return ret;
	}
	dev->data->dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_INTR_RMV;
	return 0;
}

/* In memory that DPDK shares between processes. */
static void
lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

static int
rtap_create(struct rte_eth_dev *dev, const struct rtap_devargs *args)
{
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	lock_init(&rtap->lock);
	ret = rtap_iface_open(rtap, args, dev->device->name);
	if (ret != 0)
		goto destroy_lock;
	rtap_filter_open(rtap);
	dev->data->mac_addrs = rtap->macs;
	dev->data->dev_flags |= RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	if (rtap->mtu != 0)
		dev->data->mtu = rtap->mtu;
	dev->data->dev_link.link_speed = rtap->speed;
	dev->data->dev_link.link_duplex = RTE_ETH_LINK_FULL_DUPLEX;
	dev->data->dev_link.link_autoneg = RTE_ETH_LINK_FIXED;
	ret = watch(dev);
	if (ret != 0)
		goto close_iface;
	dev->dev_ops = &rtap_ops;
	dev->rx_pkt_burst = args->sqpoll.on ? rtap_sqpoll_rx_burst : rtap_rx_burst;
	dev->tx_pkt_burst = args->sqpoll.on ? rtap_sqpoll_tx_burst : rtap_tx_burst;
	dev->tx_pkt_prepare = rtap_tx_prepare;
	dev->rx_queue_count = args->sqpoll.on ? rtap_sqpoll_rx_queue_count : rtap_rx_queue_count;
	dev->rx_descriptor_status = args->sqpoll.on ? rtap_sqpoll_rx_descriptor_status :
		rtap_rx_descriptor_status;
	dev->tx_descriptor_status = args->sqpoll.on ? rtap_sqpoll_tx_descriptor_status :
		rtap_tx_descriptor_status;
	PMD_LOG(INFO, "%s: interface %s, %s%s", dev->device->name, rtap->ifname,
		rtap->caps.uring ? "io_uring" : "readv/writev",
		rtap_sqpoll_name(&rtap->caps));
	return 0;

close_iface:
	dev->data->mac_addrs = NULL; /* part of the private data */
	rtap_filter_close(rtap);
	rtap_iface_close(rtap);
destroy_lock:
	pthread_mutex_destroy(&rtap->lock);
	return ret;
}

static int
rtap_probe(struct rte_vdev_device *vdev)
{
	struct rtap_devargs args;
	struct rte_eth_dev *dev;
	int ret;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		PMD_LOG(ERR, "%s: only the primary process can use this device",
			rte_vdev_device_name(vdev));
		return -ENOTSUP;
	}
	ret = rtap_devargs_parse(rte_vdev_device_args(vdev), &args);
	if (ret != 0)
		return ret;
	dev = rte_eth_vdev_allocate(vdev, sizeof(struct rtap_dev));
	if (dev == NULL) {
		PMD_LOG(ERR, "%s: cannot allocate a port", rte_vdev_device_name(vdev));
		return -ENOMEM;
	}
	ret = rtap_create(dev, &args);
	if (ret != 0) {
		rte_eth_dev_release_port(dev);
		return ret;
	}
	rtap_telemetry_add(dev);
	rte_eth_dev_probing_finish(dev);
	return 0;
}

static int
rtap_remove(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *dev = rte_eth_dev_allocated(rte_vdev_device_name(vdev));

	if (dev == NULL)
		return 0;
	if (dev->data->dev_started != 0)
		rte_eth_dev_stop(dev->data->port_id);
	rtap_dev_close(dev);
	return rte_eth_dev_release_port(dev);
}

static struct rte_vdev_driver rtap_driver = {
	.probe = rtap_probe,
	.remove = rtap_remove,
};

RTE_PMD_REGISTER_VDEV(net_rtap, rtap_driver);
RTE_PMD_REGISTER_ALIAS(net_rtap, eth_rtap);
RTE_PMD_REGISTER_PARAM_STRING(net_rtap, RTAP_PARAM_STRING);
