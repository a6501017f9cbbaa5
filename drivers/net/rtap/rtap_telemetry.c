/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Telemetry: /rtap/info lists the ports of this driver, /rtap/info,PORT shows what was negotiated
 * with the running kernel for one of them.
 *
 * Requests come at any time, from a thread of their own. The lock keeps them from ports that are
 * being closed and from queues that are being released. Nothing else is locked: a number that
 * changes at that moment may be the old one or the new one.
 */

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/if_tun.h>

#include <rte_telemetry.h>

#include "rtap.h"
#include "rtap_tap.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rte_eth_dev *ports[RTE_MAX_ETHPORTS];

void
rtap_telemetry_add(struct rte_eth_dev *dev)
{
	pthread_mutex_lock(&lock);
	ports[dev->data->port_id] = dev;
	pthread_mutex_unlock(&lock);
}

void
rtap_telemetry_remove(const struct rte_eth_dev *dev)
{
	pthread_mutex_lock(&lock);
	ports[dev->data->port_id] = NULL;
	pthread_mutex_unlock(&lock);
}

void
rtap_telemetry_forget(void **queue)
{
	pthread_mutex_lock(&lock);
	*queue = NULL;
	pthread_mutex_unlock(&lock);
}

static const char *
ring_flag_name(uint64_t flag)
{
	switch (flag) {
	case IORING_SETUP_SUBMIT_ALL:
		return "SUBMIT_ALL";
	case IORING_SETUP_TASKRUN_FLAG:
		return "TASKRUN_FLAG";
	case IORING_SETUP_SINGLE_ISSUER:
		return "SINGLE_ISSUER";
	case IORING_SETUP_DEFER_TASKRUN:
		return "DEFER_TASKRUN";
	case IORING_SETUP_SQPOLL:
		return "SQPOLL";
	case IORING_SETUP_ATTACH_WQ:
		return "ATTACH_WQ";
	default:
		return "UNKNOWN";
	}
}

static const char *
tun_offload_name(uint64_t offload)
{
	switch (offload) {
	case TUN_F_CSUM:
		return "CSUM";
	case TUN_F_TSO4:
		return "TSO4";
	case TUN_F_TSO6:
		return "TSO6";
	case TUN_F_TSO_ECN:
		return "TSO_ECN";
	case TUN_F_USO4:
		return "USO4";
	case TUN_F_USO6:
		return "USO6";
	default:
		return "UNKNOWN";
	}
}

static const char *
napi_name(enum rtap_napi_mode mode)
{
	switch (mode) {
	case RTAP_NAPI_ON:
		return "on";
	case RTAP_NAPI_THREADED:
		return "threaded";
	default:
		return "off";
	}
}

/* A list of the names of the bits that are set. */
static void
add_bits(struct rte_tel_data *d, const char *key, uint64_t bits,
		const char *(*name)(uint64_t bit))
{
	struct rte_tel_data *list = rte_tel_data_alloc();

	if (list == NULL)
		return;
	rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
	for (; bits != 0; bits &= bits - 1)
		rte_tel_data_add_array_string(list, name(bits & -bits));
	if (rte_tel_data_add_dict_container(d, key, list, 0) != 0)
		rte_tel_data_free(list);
}

static const char * const places[] = {
	[RTAP_HERE] = "here",
	[RTAP_ELSEWHERE] = "elsewhere",
	[RTAP_UNSEEN] = "unseen",
	[RTAP_REMOVED] = "removed",
};

/* As it is called now, and where: in the form of the links in /proc/PID/ns. */
static void
add_interface(struct rte_tel_data *d, const struct rtap_dev *rtap)
{
	int fd = rtap_files_ctl(&rtap->files);
	char name[IF_NAMESIZE], netns[32];
	unsigned int flags;
	ino_t inode;

	if (rtap_tap_get_flags(fd, &flags, name) == 0)
		rte_tel_data_add_dict_string(d, "interface", name);
	rte_tel_data_add_dict_int(d, "ifindex", rtap->ifindex);
	if (rtap_tap_get_netns(fd, &inode) == 0) {
		snprintf(netns, sizeof(netns), "net:[%ju]", (uintmax_t)inode);
		rte_tel_data_add_dict_string(d, "netns", netns);
	}
	rte_tel_data_add_dict_string(d, "place", places[rtap->where]);
	rte_tel_data_add_dict_int(d, "promiscuous", rtap->promiscuous_now);
	rte_tel_data_add_dict_int(d, "allmulticast", rtap->allmulticast_now);
	rte_tel_data_add_dict_int(d, "created", rtap->created);
	rte_tel_data_add_dict_int(d, "persist", rtap->persistent);
	rte_tel_data_add_dict_int(d, "multi_queue", rtap->files.multi_queue);
	rte_tel_data_add_dict_int(d, "tap_files", rtap->files.nb_fds);
	rte_tel_data_add_dict_int(d, "speed", rtap->speed);
	rte_tel_data_add_dict_int(d, "mtu", rtap->mtu);
	rte_tel_data_add_dict_int(d, "min_mtu", rtap->min_mtu);
	rte_tel_data_add_dict_int(d, "max_mtu", rtap->max_mtu);
	rte_tel_data_add_dict_string(d, "napi", napi_name(rtap->napi.mode));
}

static uint64_t
ring_flags(const struct rtap_ring_caps *caps)
{
	if (!caps->uring)
		return 0;
	return caps->sqpoll ? rtap_sqpoll_setup_flags(caps) : caps->setup_flags;
}

static void
add_io(struct rte_tel_data *d, const struct rtap_ring_caps *caps)
{
	rte_tel_data_add_dict_string(d, "io", caps->uring ? "io_uring" : "readv/writev");
	add_bits(d, "ring_flags", ring_flags(caps), ring_flag_name);
	rte_tel_data_add_dict_int(d, "ring_reads", caps->uring_reads);
	rte_tel_data_add_dict_int(d, "nowait", caps->rw_flags != 0);
	rte_tel_data_add_dict_int(d, "fixed_readv", caps->readv_fixed);
	rte_tel_data_add_dict_int(d, "sqpoll", caps->sqpoll);
}

/* Does a kernel thread serve this queue, and no other? */
static bool
has_thread(const struct rtap_ring *ring)
{
	return ring->open && ring->caps.sqpoll && ring->caps.sqpoll_fd < 0;
}

static const char *
filter_name(enum rtap_filter_mode mode)
{
	switch (mode) {
	case RTAP_FILTER_OVERFLOW:
		return "overflow";
	case RTAP_FILTER_EXACT_MATCH:
		return "exact";
	case RTAP_FILTER_HASH:
		return "hash";
	case RTAP_FILTER_ALLMULTI:
		return "allmulticast";
	default:
		return "off";
	}
}

static unsigned int
count_macs(const struct rtap_dev *rtap)
{
	unsigned int i, n = 0;

	for (i = 0; i < RTE_DIM(rtap->macs); i++)
		n += !rte_is_zero_ether_addr(&rtap->macs[i]);
	return n;
}

static unsigned int
count_vlans(const struct rte_vlan_filter_conf *conf)
{
	unsigned int i, n = 0;
	uint64_t ids;

	for (i = 0; i < RTE_DIM(conf->ids); i++)
		for (ids = conf->ids[i]; ids != 0; ids &= ids - 1)
			n++;
	return n;
}

static void
add_filters(struct rte_tel_data *d, const struct rte_eth_dev *dev)
{
	const struct rtap_dev *rtap = rtap_dev(dev);
	struct rte_tel_data *filters = rte_tel_data_alloc();

	if (filters == NULL)
		return;
	rte_tel_data_start_dict(filters);
	rte_tel_data_add_dict_string(filters, "mac", filter_name(rtap->filter.mode));
	rte_tel_data_add_dict_int(filters, "unicast", count_macs(rtap));
	rte_tel_data_add_dict_int(filters, "multicast", rtap->filter.nb_mc);
	rte_tel_data_add_dict_int(filters, "vlan", rtap->filter.vlan_on);
	rte_tel_data_add_dict_int(filters, "vlan_ids", count_vlans(&dev->data->vlan_filter_conf));
	if (rte_tel_data_add_dict_container(d, "filters", filters, 0) != 0)
		rte_tel_data_free(filters);
}

/* How many queues work as the port would like: each may have had to do with less. */
static void
add_queues(struct rte_tel_data *d, const struct rte_eth_dev *dev)
{
	unsigned int rx_uring = 0, rx_fixed = 0, tx_uring = 0;
	unsigned int threads = rtap_dev(dev)->sqpoll.open;
	const struct rte_eth_dev_data *data = dev->data;
	uint16_t i;

	for (i = 0; data->rx_queues != NULL && i < data->nb_rx_queues; i++) {
		const struct rtap_rxq *rxq = data->rx_queues[i];
		bool open = rxq != NULL && rxq->ring.open && rxq->ring.caps.uring;

		rx_uring += open && rxq->ring.caps.uring_reads;
		rx_fixed += open && rxq->ring.registered;
		threads += rxq != NULL && has_thread(&rxq->ring);
	}
	for (i = 0; data->tx_queues != NULL && i < data->nb_tx_queues; i++) {
		const struct rtap_txq *txq = data->tx_queues[i];

		tx_uring += txq != NULL && txq->ring.open && txq->ring.caps.uring;
		threads += txq != NULL && has_thread(&txq->ring);
	}
	rte_tel_data_add_dict_int(d, "rx_queues", data->nb_rx_queues);
	rte_tel_data_add_dict_int(d, "rx_queues_io_uring", rx_uring);
	rte_tel_data_add_dict_int(d, "rx_queues_fixed_memory", rx_fixed);
	rte_tel_data_add_dict_int(d, "tx_queues", data->nb_tx_queues);
	rte_tel_data_add_dict_int(d, "tx_queues_io_uring", tx_uring);
	rte_tel_data_add_dict_int(d, "sqpoll_threads", threads);
}

static void
describe(struct rte_tel_data *d, const struct rte_eth_dev *dev)
{
	const struct rte_eth_conf *conf = &dev->data->dev_conf;
	const struct rtap_dev *rtap = rtap_dev(dev);

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "device", dev->data->name);
	add_interface(d, rtap);
	add_io(d, &rtap->caps);
	add_queues(d, dev);
	add_filters(d, dev);
	add_bits(d, "tun_offloads", rtap->offload, tun_offload_name);
	add_bits(d, "rx_offloads", conf->rxmode.offloads, rte_eth_dev_rx_offload_name);
	add_bits(d, "tx_offloads", conf->txmode.offloads, rte_eth_dev_tx_offload_name);
}

static void
list_ports(struct rte_tel_data *d)
{
	unsigned int i;

	rte_tel_data_start_array(d, RTE_TEL_INT_VAL);
	for (i = 0; i < RTE_DIM(ports); i++)
		if (ports[i] != NULL)
			rte_tel_data_add_array_int(d, i);
}

static int
handle_info(const char *cmd __rte_unused, const char *params, struct rte_tel_data *d)
{
	unsigned long port = 0;
	char *end = NULL;
	int ret = 0;

	if (params != NULL && params[0] != '\0') {
		port = strtoul(params, &end, 10);
		if (!isdigit((unsigned char)params[0]) || *end != '\0' || port >= RTE_DIM(ports))
			return -EINVAL;
	}
	pthread_mutex_lock(&lock);
	if (end == NULL)
		list_ports(d);
	else if (ports[port] != NULL)
		describe(d, ports[port]);
	else
		ret = -ENODEV;
	pthread_mutex_unlock(&lock);
	return ret;
}

RTE_INIT(rtap_telemetry_init)
{
	rte_telemetry_register_cmd("/rtap/info", handle_info,
		"What net_rtap has negotiated with the kernel. Parameter: port; none: list of ports");
}
