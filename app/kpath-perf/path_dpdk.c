/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * DPDK ports: each a device that is plugged in when its turn comes, with a pool of its own whose
 * mbufs hold the frame to be sent from the beginning.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include "forward.h"
#include "kperf.h"

#define NB_MBUF 8191
#define MBUF_CACHE 256
#define NB_DESC 1024

/* A chain of the smallest segments that hold a frame */
#define SEGS_MAX 64

/* More than a process has here */
#define FDS_MAX 1024

struct dpdk {
	uint16_t id;
	uint16_t segs;		/* that a frame takes */
	uint16_t room;		/* in each */
	int epoll_fd;		/* to sleep on, -1: not yet */
	struct rte_mempool *pool;
	struct forward forward;	/* to the other port of a pair */
	const struct rte_memzone *external;	/* memory of its buffers, NULL: in the pool */
	bool xdp[FDS_MAX];	/* the files of its AF_XDP sockets */
	char device[RTE_ETH_NAME_MAX_LEN];
};

/*
 * Pools
 */

struct sample {
	const struct port *port;
	uint8_t frame[KPERF_FRAME_MAX];
	uint16_t room;
};

/* Every mbuf holds every part of the frame that it may be used for: the first. */
static void
fill_mbuf(struct rte_mempool *pool __rte_unused, void *arg, void *obj, unsigned int i __rte_unused)
{
	const struct sample *sample = arg;
	struct rte_mbuf *m = obj;

	memcpy((char *)m->buf_addr + RTE_PKTMBUF_HEADROOM, sample->frame,
		RTE_MIN((uint32_t)sample->room, sample->port->params->len));
}

static struct rte_mempool *
make_external(struct dpdk *dpdk, const char *name, unsigned int n, uint16_t bytes)
{
	struct rte_pktmbuf_extmem mem = { .elt_size = RTE_CACHE_LINE_ROUNDUP(bytes) };

	mem.buf_len = (size_t)n * mem.elt_size;
	dpdk->external = rte_memzone_reserve(name, mem.buf_len, SOCKET_ID_ANY, 0);
	if (dpdk->external == NULL)
		return NULL;
	mem.buf_ptr = dpdk->external->addr;
	mem.buf_iova = dpdk->external->iova;
	return rte_pktmbuf_pool_create_extbuf(name, n, RTE_MIN(n / 4, (unsigned int)MBUF_CACHE), 0,
		bytes, SOCKET_ID_ANY, &mem, 1);
}

static struct rte_mempool *
make_pool(const struct port *port, struct dpdk *dpdk)
{
	static struct sample sample;
	unsigned int n = NB_MBUF, bytes = dpdk->room + RTE_PKTMBUF_HEADROOM;
	struct rte_mempool *pool;
	char name[RTE_MEMPOOL_NAMESIZE];

	/* As much memory for large ones as for others. */
	if (bytes > RTE_MBUF_DEFAULT_BUF_SIZE)
		n = RTE_MAX(NB_MBUF * RTE_MBUF_DEFAULT_BUF_SIZE / bytes, 1023U);
	snprintf(name, sizeof(name), "kperf%u", port->number);
	pool = port->params->external ? make_external(dpdk, name, n, bytes) :
		rte_pktmbuf_pool_create(name, n, RTE_MIN(n / 4, (unsigned int)MBUF_CACHE), 0,
			bytes, SOCKET_ID_ANY);
	if (pool == NULL)
		die("cannot make a pool of %u mbufs of %u bytes: %s", n, bytes,
			rte_strerror(rte_errno));
	sample.port = port;
	sample.room = dpdk->room;
	frame_write(sample.frame, port, port->params->queues > 1);
	rte_mempool_obj_iter(pool, fill_mbuf, &sample);
	return pool;
}

/*
 * net_af_xdp of DPDK 22.11 leaves its sockets open when a port is closed, and these keep the memory
 * of the port's packets: too much, for as many ports as are opened here one after the other.
 */

static bool
is_xdp_socket(int fd)
{
	socklen_t len = sizeof(int);
	int domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP;
}

static void
find_xdp_sockets(bool files[FDS_MAX])
{
	int fd;

	for (fd = 0; fd < FDS_MAX; fd++)
		files[fd] = is_xdp_socket(fd);
}

/* Those that the driver has closed are none any more. */
static void
close_xdp_sockets(const bool files[FDS_MAX])
{
	int fd;

	for (fd = 0; fd < FDS_MAX; fd++)
		if (files[fd] && is_xdp_socket(fd))
			close(fd);
}

/*
 * Opening
 */

/*
 * Libraries of drivers (libbpf, libxdp) talk to standard error about what is no fault, in the
 * middle of a line that shows progress. Returns what gives standard error back.
 */
static int
silence(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	fflush(stderr);
	if (null >= 0 && saved >= 0)
		dup2(null, STDERR_FILENO);
	if (null >= 0)
		close(null);
	return saved;
}

static void
speak(int saved)
{
	fflush(stderr);
	if (saved < 0)
		return;
	dup2(saved, STDERR_FILENO);
	close(saved);
}

/*
 * What rte_eth_dev_configure() would refuse without a reason. A driver that names no largest MTU
 * has a largest frame, in which Ethernet has a header and a checksum.
 */
static uint32_t
largest_mtu(const struct rte_eth_dev_info *info)
{
	uint32_t frame = info->max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;

	return info->max_mtu != UINT16_MAX ? info->max_mtu : RTE_MIN(frame, (uint32_t)UINT16_MAX);
}

/* Whoever shows the reason does it when the port is closed. Each path has one such number. */
static const char *
mtu_words(const struct path *path, uint32_t mtu)
{
	static char words[64][40];

	snprintf(words[path - paths], sizeof(words[0]), "takes no MTU above %u", mtu);
	return words[path - paths];
}

static int
configure(struct port *port, const struct dpdk *dpdk)
{
	const struct params *params = port->params;
	bool offload = (port->path->flags & DPDK_OFFLOAD) != 0 &&
		(params->offload != OFFLOAD_OFF || params->gso);
	struct rte_eth_conf conf = {
		.rxmode.mtu = params_mtu(params),
		.intr_conf.rxq = port->sleeps,
	};
	struct rte_eth_dev_info info;
	uint16_t i;
	int ret;

	ret = rte_eth_dev_info_get(dpdk->id, &info);
	if (ret != 0)
		return ret;
	if (params->gso)
		conf.rxmode.mtu = 1500;
	if (conf.rxmode.mtu > largest_mtu(&info)) {
		port->why = mtu_words(port->path, largest_mtu(&info));
		return -EMSGSIZE;
	}
	/* Only where it is needed: net_tap reads into all its descriptors then. */
	if (conf.rxmode.mtu + 22U >= dpdk->room || offload)
		conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (offload) {
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_CHECKSUM;
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
		if (params->offload == OFFLOAD_ALL || params->gso) {
			conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
			conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
		}
	}
	if (params->everything) {
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_TCP_LRO |
			RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TIMESTAMP;
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
			RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
	}
	conf.rxmode.offloads &= info.rx_offload_capa;
	conf.txmode.offloads &= info.tx_offload_capa;
	ret = rte_eth_dev_configure(dpdk->id, params->queues, params->queues, &conf);
	for (i = 0; i < params->queues && ret == 0; i++)
		ret = rte_eth_rx_queue_setup(dpdk->id, i, NB_DESC, SOCKET_ID_ANY, NULL, dpdk->pool);
	for (i = 0; i < params->queues && ret == 0; i++)
		ret = rte_eth_tx_queue_setup(dpdk->id, i, NB_DESC, SOCKET_ID_ANY, NULL);
	if (ret == 0)
		ret = rte_eth_dev_start(dpdk->id);
	/* To forward what the kernel sends to others. Not every driver has, or needs, the mode. */
	if (ret == 0)
		rte_eth_promiscuous_enable(dpdk->id);
	return ret;
}

static int
attach(struct port *port, struct dpdk *dpdk)
{
	const struct path *path = port->path;
	bool veth = (path->flags & DPDK_VETH) != 0;
	char args[256];
	int len, saved, ret;

	snprintf(dpdk->device, sizeof(dpdk->device), "%s%u", path->driver, port->number);
	len = snprintf(args, sizeof(args), "iface=%s%s%s", veth ? port->app_ifname : port->ifname,
		path->devargs != NULL ? "," : "", path->devargs != NULL ? path->devargs : "");
	if ((path->flags & DPDK_VHOST) != 0)
		snprintf(args + len, sizeof(args) - len, ",queues=%u", port->params->queues);
	saved = silence();
	ret = rte_eal_hotplug_add("vdev", dpdk->device, args);
	speak(saved);
	if (ret != 0 || rte_eth_dev_get_port_by_name(dpdk->device, &dpdk->id) != 0) {
		port->why = (path->flags & DPDK_MODE) != 0 ? "not offered by this driver, here" :
			"DPDK's driver does not take the interface, or is not installed";
		return -1;
	}
	return 0;
}

static void
dpdk_stop(struct port *port)
{
	const struct dpdk *dpdk = port->priv;

	rte_eth_dev_stop(dpdk->id);
}

static void
dpdk_close(struct port *port)
{
	struct dpdk *dpdk = port->priv;
	int saved;

	if (dpdk->epoll_fd >= 0) {
		rte_eth_dev_rx_intr_ctl_q(dpdk->id, 0, dpdk->epoll_fd, RTE_INTR_EVENT_DEL, NULL);
		close(dpdk->epoll_fd);
	}
	dpdk_stop(port);
	saved = silence();
	rte_eth_dev_close(dpdk->id);
	forward_close(&dpdk->forward);
	rte_eal_hotplug_remove("vdev", dpdk->device);
	speak(saved);
	close_xdp_sockets(dpdk->xdp);
	rte_mempool_free(dpdk->pool);
	rte_memzone_free(dpdk->external);
	if ((port->path->flags & DPDK_VETH) != 0)
		net_delete(port->app_ifname);
	free(dpdk);
}

static int
dpdk_open(struct port *port)
{
	const struct params *params = port->params;
	bool others[FDS_MAX];
	struct dpdk *dpdk;
	int saved, ret, fd;

	if ((port->path->flags & DPDK_ONE_QUEUE) != 0 && params->queues > 1) {
		port->why = "has one queue here";
		return -1;
	}
	if (params->gso && (port->path->flags & DPDK_OFFLOAD) == 0) {
		port->why = "knows no LRO";
		return -1;
	}
	if ((port->path->flags & DPDK_VETH) != 0)
		net_make_app_veth(port);
	dpdk = calloc(1, sizeof(*dpdk));
	if (dpdk == NULL)
		die("out of memory");
	port->priv = dpdk;
	dpdk->epoll_fd = -1;
	dpdk->room = params->mbuf_room != 0 ? params->mbuf_room : RTE_MBUF_DEFAULT_DATAROOM;
	dpdk->segs = RTE_MAX(1U, (params->len + dpdk->room - 1) / dpdk->room);
	if (attach(port, dpdk) != 0) {
		if ((port->path->flags & DPDK_VETH) != 0)
			net_delete(port->app_ifname);
		free(dpdk);
		return -1;
	}
	/* Such a driver gives its own MAC to the interface when it is started. */
	if ((port->path->flags & DPDK_VHOST) != 0)
		rte_eth_macaddr_get(dpdk->id, &port->mac);
	else if ((port->path->flags & DPDK_VETH) == 0)
		net_get_mac(port->ifname, &port->mac);
	dpdk->pool = make_pool(port, dpdk);
	saved = silence();
	find_xdp_sockets(others);
	ret = configure(port, dpdk);
	find_xdp_sockets(dpdk->xdp);
	for (fd = 0; fd < FDS_MAX; fd++)
		dpdk->xdp[fd] &= !others[fd];
	speak(saved);
	if (ret != 0) {
		if (port->why == NULL)
			port->why = "DPDK's driver refuses this configuration";
		dpdk_close(port);
		return -1;
	}
	return 0;
}

/*
 * Bursts
 */

static unsigned int
alloc_chains(const struct dpdk *dpdk, struct rte_mbuf **pkts, unsigned int n, uint32_t len)
{
	struct rte_mbuf *segs[SEGS_MAX];
	unsigned int i, s;

	for (i = 0; i < n; i++) {
		uint32_t left = len;

		if (rte_pktmbuf_alloc_bulk(dpdk->pool, segs, dpdk->segs) != 0)
			break;
		for (s = 0; s < dpdk->segs; s++) {
			segs[s]->data_len = RTE_MIN(left, (uint32_t)dpdk->room);
			left -= segs[s]->data_len;
			segs[s]->next = s + 1U < dpdk->segs ? segs[s + 1] : NULL;
		}
		segs[0]->nb_segs = dpdk->segs;
		segs[0]->pkt_len = len;
		pkts[i] = segs[0];
	}
	return i;
}

static unsigned int
alloc_frames(const struct dpdk *dpdk, struct rte_mbuf **pkts, unsigned int n, uint32_t len)
{
	unsigned int i;

	if (dpdk->segs > 1)
		return alloc_chains(dpdk, pkts, n, len);
	if (rte_pktmbuf_alloc_bulk(dpdk->pool, pkts, n) != 0)
		return 0;
	for (i = 0; i < n; i++)
		pkts[i]->data_len = pkts[i]->pkt_len = len;
	return n;
}

static unsigned int
dpdk_tx(struct port *port, unsigned int queue, unsigned int n)
{
	const struct dpdk *dpdk = port->priv;
	struct rte_mbuf *pkts[KPERF_BURST_MAX];
	unsigned int sent, i;

	n = alloc_frames(dpdk, pkts, n, port->params->len);
	for (i = 0; port->params->queues > 1 && i < n; i++)
		frame_set_flow(rte_pktmbuf_mtod(pkts[i], uint8_t *), 1 + queue);
	sent = rte_eth_tx_burst(dpdk->id, queue, pkts, n);
	if (sent < n)
		rte_pktmbuf_free_bulk(&pkts[sent], n - sent);
	return sent;
}

static unsigned int
dpdk_rx(struct port *port, unsigned int queue, unsigned int n)
{
	const struct dpdk *dpdk = port->priv;
	struct rte_mbuf *pkts[KPERF_BURST_MAX];

	n = rte_eth_rx_burst(dpdk->id, queue, pkts, n);
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

/* As an application does that saves power. Not all drivers need to be told by an "enable". */
static int
dpdk_sleep(struct port *port, unsigned int queue, int ms)
{
	struct dpdk *dpdk = port->priv;
	struct rte_epoll_event event;
	int ret;

	if (dpdk->epoll_fd < 0) {
		dpdk->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		if (rte_eth_dev_rx_intr_ctl_q(dpdk->id, queue, dpdk->epoll_fd, RTE_INTR_EVENT_ADD,
				NULL) != 0) {
			close(dpdk->epoll_fd);
			dpdk->epoll_fd = -1;
			return -1;
		}
	}
	ret = rte_eth_dev_rx_intr_enable(dpdk->id, queue);
	if (ret != 0 && ret != -ENOTSUP)
		return -1;
	ret = rte_epoll_wait(dpdk->epoll_fd, &event, 1, ms);
	rte_eth_dev_rx_intr_disable(dpdk->id, queue);
	return ret > 0;
}

static unsigned int
dpdk_forward(struct port *in, struct port *out __rte_unused, unsigned int n)
{
	struct dpdk *dpdk = in->priv;

	return forward_burst(&dpdk->forward, n);
}

static int
dpdk_connect(struct port *in, struct port *out)
{
	struct dpdk *dpdk = in->priv;
	const struct dpdk *to = out->priv;

	if (forward_open(&dpdk->forward, dpdk->id, to->id) == 0)
		return 0;
	in->why = "there is no memory for packets to be segmented";
	return -1;
}

struct dpdk_end
dpdk_end(const struct port *port)
{
	const struct dpdk *dpdk = port->priv;

	return (struct dpdk_end){ dpdk->id, dpdk->pool, &dpdk->forward.stats };
}

struct rte_mbuf *
dpdk_make_packet(const struct port *port, const uint8_t *data, uint32_t len, uint32_t part)
{
	struct rte_mempool *pool = dpdk_end(port).pool;
	struct rte_mbuf *head = NULL, *m;
	uint32_t at, n;
	char *room;

	for (at = 0; at < len; at += n) {
		n = RTE_MIN(part, len - at);
		m = rte_pktmbuf_alloc(pool);
		room = m != NULL ? rte_pktmbuf_append(m, n) : NULL;
		if (room == NULL || (head != NULL && rte_pktmbuf_chain(head, m) != 0))
			die("the pool has no %u bytes for packets", n);
		memcpy(room, data + at, n);
		head = head != NULL ? head : m;
	}
	return head;
}

const struct path_ops dpdk_ops = {
	.open = dpdk_open,
	.stop = dpdk_stop,
	.close = dpdk_close,
	.tx = dpdk_tx,
	.rx = dpdk_rx,
	.sleep = dpdk_sleep,
	.connect = dpdk_connect,
	.forward = dpdk_forward,
};
