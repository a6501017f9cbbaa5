/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_H_
#define _RTAP_H_

/*
 * Poll-mode driver for a Linux TAP with virtio-net headers.
 *
 * rtap_ethdev.c	probe, operations, configure, start, stop, close
 * rtap_devargs.c	device arguments
 * rtap_iface.c		the interface of a port: making it, taking it over, leaving it
 * rtap_given.c		files that somebody else has opened
 * rtap_ctrl.c		link, promiscuous mode, MAC address, MTU, VLAN offloads
 * rtap_filter.c	which MAC addresses and VLANs are received
 * rtap_queue.c		set-up, start and stop of queues, which file serves which queue
 * rtap_rx.c rtap_tx.c	data path
 * rtap_intr.c		waiting for packets: Rx interrupts, power-aware polling
 * rtap_follow.c	what others do to the interface becomes the state of the port
 * rtap_notify.c	when to look: announcements of the kernel
 * rtap_ring.c		batches of reads and writes: io_uring, or readv/writev
 * rtap_sqpoll.c	the same with a kernel thread that submits
 * rtap_vnet*.h		virtio-net header <-> mbuf
 * rtap_tap.c		the TAP file: ioctl
 * rtap_bpf.c		programs for the kernel to run
 * rtap_link.c		the interface behind it
 * rtap_netlink.c	netlink, and other network namespaces
 * rtap_napi.c		NAPI of the interface: threads and the send buffer
 * rtap_stats.c		statistics
 * rtap_telemetry.c	what a port has negotiated, by telemetry
 */

#include <net/if.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <ethdev_driver.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_stdatomic.h>

#include "rtap_devargs.h"
#include "rtap_filter.h"
#include "rtap_link.h"
#include "rtap_napi.h"
#include "rtap_ring.h"
#include "rtap_sqpoll.h"
#include "rtap_stats.h"
#include "rtap_tap.h"
#include "rtap_vnet_edit.h"

extern int rtap_logtype;
#define RTE_LOGTYPE_RTAP rtap_logtype

#define PMD_LOG(level, ...) \
	RTE_LOG_LINE_PREFIX(level, RTAP, "%s(): ", __func__, __VA_ARGS__)

#define RTAP_DRIVER_NAME "net_rtap"

/* UIO_MAXIOV, the most buffers in one read or write, less one for the virtio-net header. */
#define RTAP_TX_SEGS_MAX 1023U

/* The kernel wants more than MAX_TCP_HEADER of net/tcp.h, some 300 bytes. */
#define RTAP_GSO_MAX_MIN 512U

/* Of a new interface, and of one that cannot be asked, in Mb/s. */
#define RTAP_SPEED_DEFAULT RTE_ETH_SPEED_NUM_10G

/* Of a TAP: 65535 less the Ethernet header. */
#define RTAP_MTU_MAX 65521

#define RTAP_DESC_MAX 4096
#define RTAP_DESC_DEFAULT 1024

#define RTAP_TX_OFFLOADS (RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | \
		RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | \
		RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM | \
		RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_VLAN_INSERT | \
		RTE_ETH_TX_OFFLOAD_QINQ_INSERT)
/* And where the kernel knows RTAP_TUN_F_USO, and RTAP_TUN_F_TUNNEL. */
#define RTAP_TX_OFFLOADS_USO RTE_ETH_TX_OFFLOAD_UDP_TSO
#define RTAP_TX_OFFLOADS_TUNNEL (RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO | \
		RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO)
/* Those that the kernel is told of; IPv4 header checksums are verified by the driver. */
#define RTAP_RX_CSUM_OFFLOADS (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define RTAP_RX_OFFLOADS (RTAP_RX_CSUM_OFFLOADS | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | \
		RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER | \
		RTE_ETH_RX_OFFLOAD_VLAN_STRIP)
/* And where BPF programs may be loaded. */
#define RTAP_RX_OFFLOADS_BPF RTE_ETH_RX_OFFLOAD_VLAN_FILTER

struct rtap_rx_stats {
	uint64_t packets;
	uint64_t bytes;
	struct rtap_frame_stats frames;
	uint64_t lro;		/* packets that the kernel had merged */
	uint64_t csum_none;	/* packets whose TCP or UDP checksum it left unfinished */
	uint64_t csum_good;	/* packets whose L4 checksum it has verified */
	uint64_t ip_csum_bad;	/* packets whose IPv4 header checksum is wrong */
	uint64_t bad_header;	/* dropped: virtio-net header or frame makes no sense */
	uint64_t truncated;	/* dropped: larger than the buffers; the MTU grew a moment ago */
	uint64_t read_errors;	/* reads that failed, other than for lack of packet or device */
	uint64_t discarded;	/* packets read ahead, which the queue held when it stopped */
	uint64_t nombuf;	/* buffers that neither pool nor queue could give */
};

struct rtap_tx_stats {
	uint64_t packets;
	uint64_t bytes;
	struct rtap_frame_stats frames;
	uint64_t tso;		/* packets, TCP or UDP, that the kernel was asked to segment */
	uint64_t csum;		/* others whose TCP or UDP checksum it was asked to finish */
	uint64_t ip_csum;	/* packets whose IPv4 header checksum the driver computed */
	uint64_t bad_offload;	/* dropped: offload not supported or header lengths wrong */
	uint64_t oversize;	/* dropped: larger than the MTU, and not to be segmented */
	uint64_t too_many_segs;	/* dropped: more segments than one write takes */
	uint64_t link_down;	/* dropped: interface down or gone */
	uint64_t write_errors;	/* dropped: the kernel would not take it */
	uint64_t backpressure;	/* not dropped: returned to the caller */
};

/* All counters of a port. They are nothing but 64-bit numbers. */
struct rtap_port_stats {
	struct rtap_rx_stats rx;
	struct rtap_ring_stats rx_ring;
	struct rtap_tx_stats tx;
	struct rtap_ring_stats tx_ring;
	uint64_t kernel[RTAP_KERNEL_STATS];
	/* Not counted: what the interface is in, 0 or 1. */
	uint64_t promiscuous;
	uint64_t allmulticast;
};

/*
 * An Rx queue reads with nb_slots requests at the most. A slot is the room for one frame: the
 * mbufs [first, last) of its stride, in front of which missing ones are filled in before the
 * next read. A frame takes mbufs from the front and leaves the others for the next.
 *
 * segs, the number of mbufs that hold the largest frame, changes with the MTU while the queue
 * runs, and vlan_strip when the application likes; other fields are not written to by another
 * thread.
 */
#define RTAP_RX_STOCK 32

struct rtap_rx_slot {
	uint16_t first;
	uint16_t last;
};

/* See rtap_intr.c. */
struct rtap_rx_intr {
	int epfd;		/* what the application sleeps on; -1: no interrupts */
	int ready_fd;		/* always readable, the port's */
	bool enabled;		/* by the application, */
	bool armed;		/* and the file that tells is watched */
	bool has_ready;		/* ready_fd is watched */
};

/*
 * Between bursts, the slots [ahead, ahead_end) hold the results of reads that were made to count
 * packets. The next bursts hand them up.
 */
struct __rte_cache_aligned rtap_rxq {
	RTE_ATOMIC(uint16_t) segs;
	RTE_ATOMIC(bool) vlan_strip;
	uint16_t nb_slots;
	uint16_t stride;	/* mbufs that a slot has room for */
	uint16_t probe;		/* how many reads the next burst tries */
	uint16_t port_id;
	uint16_t nb_desc;
	uint16_t seg0_len;	/* frame bytes in the first mbuf */
	uint16_t seg_len;	/* and in the others */
	uint16_t nb_stock;
	uint16_t ahead;
	uint16_t ahead_end;
	bool deferred;
	bool check_ip_csum;
	uint64_t offloads;	/* of this queue alone */
	struct rte_mempool *pool;
	struct rte_mbuf **mbufs;	/* nb_slots * stride */
	struct iovec *iovs;		/* the same */
	struct rte_mbuf *stock[RTAP_RX_STOCK];	/* from the pool, not yet in a slot */
	struct rtap_rx_intr intr;
	struct rtap_ring ring;
	struct rtap_rx_stats stats;
	struct rtap_rx_stats stats_base;	/* as of the last reset */
	struct rtap_ring_stats ring_base;	/* the same of ring.stats */
	struct rtap_rx_slot slots[RTAP_BURST_MAX];
	struct rtap_req reqs[RTAP_BURST_MAX];
	/* With SQPOLL: the batch that is posted, what of it was handed up, what it held. */
	uint16_t nb_posted;
	uint16_t nb_taken;
	uint16_t nb_found;
	uint64_t bytes_before;
};

/*
 * Header of a packet that has no room for it, and the copy of its first bytes when they must
 * be changed and are not ours to change.
 */
struct rtap_tx_hdr {
	struct rtap_vnet_hdr vnet;
	uint8_t headers[2 * RTE_VLAN_HLEN + RTAP_TX_EDIT_MAX];
};

/*
 * A batch is cut where buffers run out: RTAP_TX_IOVS holds any packet, and many of usual shape.
 *
 * file is the index of the TAP file to write to. Another thread changes it when that file is
 * detached because its Rx queue stops.
 */
#define RTAP_TX_IOVS 2048

struct __rte_cache_aligned rtap_txq {
	RTE_ATOMIC(uint16_t) file;
	uint16_t nb_slots;
	uint16_t nb_desc;
	bool deferred;
	unsigned int tun;	/* tun_caps of the device */
	uint64_t offloads;
	const struct rte_eth_dev_data *data;
	struct rtap_tx_posted *posted;	/* with SQPOLL, or NULL */
	struct rtap_ring ring;
	struct rtap_tx_stats stats;
	struct rtap_tx_stats stats_base;	/* as of the last reset */
	struct rtap_ring_stats ring_base;	/* the same of ring.stats */
	struct rtap_req reqs[RTAP_BURST_MAX];
	struct rtap_tx_hdr hdrs[RTAP_BURST_MAX];
	struct iovec iovs[RTAP_TX_IOVS];
};

/*
 * One TAP file per Rx queue, at least one: the kernel spreads packets over all attached files,
 * so a file without a reader would lose traffic. A Tx queue without an Rx queue of its number
 * writes to another's file. fds[0] is open as long as the port exists and keeps the interface.
 *
 * Valid in the process that probed the device only.
 */
struct rtap_files {
	uint16_t nb_fds;
	bool multi_queue;	/* else there is one file, which cannot be detached */
	bool given;		/* opened by somebody else: their number does not change */
	int fds[RTAP_QUEUES_MAX];
	bool attached[RTAP_QUEUES_MAX];
	bool blocking[RTAP_QUEUES_MAX];		/* were so when they were given */
};

struct rtap_netlink;

/* Where the interface was seen last. */
enum rtap_where {
	RTAP_HERE,		/* in the network namespace of the process */
	RTAP_ELSEWHERE,
	RTAP_UNSEEN,		/* and where that is may not be known */
	RTAP_REMOVED,
};

/* The lock protects what the thread of DPDK that handles interrupts has to do with, too. */
struct rtap_dev {
	pthread_mutex_t lock;
	bool running;			/* so the queues stay as they are; under the lock */
	bool link_told;			/* up, as the application knows it; under the lock */
	bool removal_told;		/* the same, */
	bool news;			/* and of changes that it has not been told of */
	bool unsure;			/* the last look failed: look again; the same */
	enum rtap_where where;
	char ifname[IF_NAMESIZE];
	unsigned int ifindex;
	ino_t netns;			/* in which that is; 0: not known */
	bool carrier;			/* as we set it */
	bool created;			/* the interface was made by this port, */
	bool persistent;		/* and outlives it */
	bool promiscuous;		/* switched on by us, */
	bool allmulticast;		/* to be switched off on close */
	bool promiscuous_now;		/* in effect, by us or others; under the lock */
	bool allmulticast_now;
	uint32_t speed;			/* in Mb/s, as the kernel last reported it; */
	bool speed_due;			/* to be read, even if that is expensive */
	uint16_t mtu;			/* of the interface, 0: not known; under the lock */
	uint16_t mtu_asked;		/* by the application: queues must have room for it */
	uint16_t mtu_room;		/* for which they have, or were said not to */
	uint16_t min_mtu;
	uint16_t max_mtu;
	unsigned int offload;		/* TUN_F_* in force */
	unsigned int tun_caps;		/* TUN_F_* that not every kernel knows, and this one does */
	bool uso;			/* merged UDP is wanted with LRO */
	struct rtap_tap_settings found;	/* put back when the interface is left */
	bool carrier_after;		/* the carrier in which a file that was given is left */
	uint32_t gso_max;		/* limit on merged packets that we set, 0: none */
	uint32_t gso_max_found;		/* what we set it instead of */
	struct rtap_ring_caps caps;
	struct rtap_napi napi;
	struct rtap_sqpoll sqpoll;
	struct rtap_files files;
	struct rtap_netlink *nl;	/* NULL: the interface cannot be seen */
	struct rte_intr_handle *intr_handle;	/* of the Rx queues */
	int intr_ready_fd;
	struct rte_ether_addr macs[RTAP_MAC_ADDRS];	/* for ethdev; the first is the own */
	struct rtap_filter filter;
	struct rtap_port_stats past;	/* of queues that are gone, since the last reset */
	uint64_t kernel[RTAP_KERNEL_STATS];		/* the kernel's counters, last known */
	uint64_t kernel_base[RTAP_KERNEL_STATS];	/* as of the last reset */
};

/** The private data of a port. */
static inline struct rtap_dev *
rtap_dev(const struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

/* rtap_iface.c */

/**
 * Make the interface, take it over, or take the files of it that were given; in a known state, and
 * with its carrier off.
 *
 * @param rtap
 *   Zeroed private data of the port.
 * @param device
 *   Name of the device, of which a fixed MAC address is made.
 * @return
 *   0, or a negative errno after a message; nothing is left open then, and nothing changed but
 *   what the arguments ask for.
 */
int rtap_iface_open(struct rtap_dev *rtap, const struct rtap_devargs *args, const char *device);
/** Delete the interface, or leave it in good order if it persists. Queues are closed. */
void rtap_iface_close(struct rtap_dev *rtap);

/* rtap_given.c */

/**
 * Take the files that the arguments list, and make them non-blocking.
 *
 * @return
 *   0, or a negative errno after a message. In either case, what was taken is in rtap->files.
 */
int rtap_given_open(struct rtap_dev *rtap, const struct rtap_devargs *args);
/** Give back the blocking mode that the files had; then they may be closed. */
void rtap_given_release(const struct rtap_files *files);

/* rtap_ctrl.c */

int rtap_carrier_set(struct rtap_dev *rtap, bool on);
/** Set the MTU of the interface and the port; queues do not run. */
int rtap_mtu_configure(struct rte_eth_dev *dev, uint16_t mtu);
/**
 * The interface has this MTU: make it the port's, and queues that run have room for its frames.
 * Say so if somebody else has changed it. Call it under the lock.
 */
void rtap_mtu_follow(struct rte_eth_dev *dev, uint16_t mtu);
/**
 * Has the interface been deleted? Not if it is in another network namespace. An attached file loses
 * its device then and not before (tun_detach_all() of drivers/net/tun.c), whoever has the index or
 * the name by now. Call it under the lock, which keeps files from being detached meanwhile.
 */
bool rtap_is_gone(const struct rtap_dev *rtap);
/** The same for those who do not hold the lock. */
int rtap_is_removed(struct rte_eth_dev *dev);
int rtap_link_update(struct rte_eth_dev *dev, int wait_to_complete);
int rtap_set_link_up(struct rte_eth_dev *dev);
int rtap_set_link_down(struct rte_eth_dev *dev);
int rtap_promiscuous_enable(struct rte_eth_dev *dev);
int rtap_promiscuous_disable(struct rte_eth_dev *dev);
int rtap_allmulticast_enable(struct rte_eth_dev *dev);
int rtap_allmulticast_disable(struct rte_eth_dev *dev);
int rtap_mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *mac);
int rtap_mtu_set(struct rte_eth_dev *dev, uint16_t mtu);
int rtap_vlan_offload_set(struct rte_eth_dev *dev, int mask);

/* rtap_filter.c */

/** Find out what can be filtered; that of a new port passes everything. */
void rtap_filter_open(struct rtap_dev *rtap);
void rtap_filter_close(struct rtap_dev *rtap);
/** Filter from now on. Returns 0 or a negative errno after a message. */
int rtap_filter_start(struct rte_eth_dev *dev);
/** Have everything pass, as in an interface without a port. */
void rtap_filter_stop(struct rte_eth_dev *dev);
/**
 * Compute the filters anew from dev->data: MAC addresses, modes, VLAN offload and IDs. Unless the
 * port runs, only sees to it that it can start. Call it under the lock.
 *
 * @return
 *   0, or a negative errno after a message: the interface is gone, or no right to filter VLANs.
 */
int rtap_filter_update(struct rte_eth_dev *dev);
/** The same for those who do not hold the lock. */
int rtap_filter_apply(struct rte_eth_dev *dev);
/** The same when the own address has become this one. */
int rtap_filter_set_own(struct rte_eth_dev *dev, const struct rte_ether_addr *mac);
int rtap_mac_addr_add(struct rte_eth_dev *dev, struct rte_ether_addr *mac, uint32_t index,
		uint32_t pool);
void rtap_mac_addr_remove(struct rte_eth_dev *dev, uint32_t index);
int rtap_set_mc_addr_list(struct rte_eth_dev *dev, struct rte_ether_addr *addrs, uint32_t n);
int rtap_vlan_filter_set(struct rte_eth_dev *dev, uint16_t id, int on);

/* rtap_follow.c */

/* What is to be done after rtap_follow(): in this order, without the lock. */
#define RTAP_LOOK_AGAIN	(1U << 0)	/* in a while, the kernel will not tell */
#define RTAP_TELL_LSC	(1U << 1)
#define RTAP_TELL_RMV	(1U << 2)

/** Have the port be as its interface is. Returns what is to be done. */
unsigned int rtap_follow(struct rte_eth_dev *dev);
/**
 * The same, under the lock; the application is told by the next rtap_follow().
 *
 * @return
 *   0 if the link is another than before, else -1: as rte_eth_linkstatus_set().
 */
int rtap_follow_look(struct rte_eth_dev *dev);

/* rtap_queue.c */

/** A file on which the ioctls of rtap_tap.h work. */
int rtap_files_ctl(const struct rtap_files *files);
/** Open or close TAP files until there are nb (0 to RTAP_QUEUES_MAX). Port stopped. */
int rtap_files_resize(struct rtap_dev *rtap, uint16_t nb);
/** Replace all files by one that is opened anew, as rtap->napi says. Needs multi_queue. */
int rtap_files_renew(struct rtap_dev *rtap);
/** Attach all files. */
int rtap_files_attach(struct rtap_files *files);

int rtap_rx_queue_setup(struct rte_eth_dev *dev, uint16_t queue_id, uint16_t nb_desc,
		unsigned int socket_id, const struct rte_eth_rxconf *conf,
		struct rte_mempool *pool);
int rtap_tx_queue_setup(struct rte_eth_dev *dev, uint16_t queue_id, uint16_t nb_desc,
		unsigned int socket_id, const struct rte_eth_txconf *conf);
void rtap_rx_queue_release(struct rte_eth_dev *dev, uint16_t queue_id);
void rtap_tx_queue_release(struct rte_eth_dev *dev, uint16_t queue_id);
int rtap_rx_queue_start(struct rte_eth_dev *dev, uint16_t queue_id);
int rtap_tx_queue_start(struct rte_eth_dev *dev, uint16_t queue_id);
int rtap_rx_queue_stop(struct rte_eth_dev *dev, uint16_t queue_id);
int rtap_tx_queue_stop(struct rte_eth_dev *dev, uint16_t queue_id);
void rtap_rxq_info_get(struct rte_eth_dev *dev, uint16_t queue_id,
		struct rte_eth_rxq_info *info);
void rtap_txq_info_get(struct rte_eth_dev *dev, uint16_t queue_id,
		struct rte_eth_txq_info *info);
/** Start all queues that are not deferred; on failure none is left running. */
int rtap_queues_start(struct rte_eth_dev *dev);
void rtap_queues_stop(struct rte_eth_dev *dev);

/* rtap_rx.c */

/** mbufs that a frame of len bytes needs, with at least a byte to spare; 0: too many. */
uint16_t rtap_rxq_segs(const struct rtap_rxq *rxq, uint32_t len);
/** The largest frame that the kernel may send to this port at that MTU. */
uint32_t rtap_rx_frame_max(const struct rte_eth_dev *dev, uint16_t mtu);
/** Fill n slots from the first on; returns how many are filled. */
unsigned int rtap_rxq_fill(struct rtap_rxq *rxq, unsigned int first, unsigned int n);
/** The frame that was read into a slot, or NULL if it had to be dropped. */
struct rte_mbuf *rtap_rxq_take(struct rtap_rxq *rxq, unsigned int idx);
/** Choose how many reads to try next. */
void rtap_rxq_adapt(struct rtap_rxq *rxq, unsigned int tried, unsigned int found, uint64_t bytes);
void rtap_rxq_free_mbufs(struct rtap_rxq *rxq);
uint16_t rtap_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts);
/** Packets that wait, as far as there are slots to read them into: which this does. */
int rtap_rx_queue_count(void *queue);
int rtap_rx_descriptor_status(void *queue, uint16_t offset);

/** Are there results of reads that the next burst takes before it reads any further? */
static inline bool
rtap_rxq_is_ahead(const struct rtap_rxq *rxq)
{
	return rxq->ahead_end != 0;
}

const uint32_t *rtap_supported_ptypes_get(struct rte_eth_dev *dev, size_t *no_of_elements);

/* rtap_tx.c */

/**
 * Describe one packet; returns the number of iovecs used, up to RTAP_TX_SEGS_MAX + 1. A packet
 * that cannot be sent is counted and uses none, which leaves it out of the batch.
 */
uint32_t rtap_txq_put(struct rtap_txq *txq, struct rtap_req *req, struct rtap_tx_hdr *hdr,
		struct iovec *iov, struct rte_mbuf *m);
/** Count what became of a packet; returns whether it is still to be sent. */
bool rtap_txq_count(struct rtap_txq *txq, const struct rtap_req *req, const struct rte_mbuf *m,
		unsigned int file);
uint16_t rtap_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts);
uint16_t rtap_tx_prepare(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts);
int rtap_tx_descriptor_status(void *queue, uint16_t offset);

/* rtap_intr.c */

int rtap_rx_queue_intr_enable(struct rte_eth_dev *dev, uint16_t queue_id);
int rtap_rx_queue_intr_disable(struct rte_eth_dev *dev, uint16_t queue_id);
/** Before the queues start: give each a file to sleep on, if the application asked for it. */
int rtap_intr_start(struct rte_eth_dev *dev);
/** After the queues have stopped; nobody sleeps on them any more. */
void rtap_intr_stop(struct rte_eth_dev *dev);
void rtap_intr_close(struct rtap_dev *rtap);
/** A queue whose interrupt is enabled keeps it while it is stopped. */
int rtap_intr_queue_start(struct rtap_rxq *rxq);
/** Before the file of the queue is detached. */
void rtap_intr_queue_stop(struct rtap_rxq *rxq);
/** Does the file that is watched not tell of all? For a queue with its interrupt enabled. */
void rtap_intr_set_ready(struct rtap_rxq *rxq, bool ready);
int rtap_get_monitor_addr(void *queue, struct rte_power_monitor_cond *cond);

/* rtap_notify.c */

/** Look at the port now, and when its interface may have changed. 0 or a negative errno. */
int rtap_notify_add(struct rte_eth_dev *dev);
/** Cease to; nobody looks when this returns, unless it is called from a callback of the port. */
void rtap_notify_remove(const struct rte_eth_dev *dev);
/** The interface has another index, or is in another namespace. Call it under the lock. */
void rtap_notify_watch(const struct rte_eth_dev *dev);

/* rtap_stats.c */

/** Add the counters of a queue that goes away to those of the port. */
void rtap_stats_keep_rx(struct rtap_dev *rtap, const struct rtap_rxq *rxq);
void rtap_stats_keep_tx(struct rtap_dev *rtap, const struct rtap_txq *txq);
int rtap_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats,
		struct eth_queue_stats *qstats);
int rtap_stats_reset(struct rte_eth_dev *dev);
int rtap_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n);
int rtap_xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names,
		unsigned int n);

/* rtap_telemetry.c */

/** Show the port to telemetry, until rtap_telemetry_remove(): before it is closed. */
void rtap_telemetry_add(struct rte_eth_dev *dev);
void rtap_telemetry_remove(const struct rte_eth_dev *dev);
/** Set the pointer to a queue to NULL; nobody looks at the queue when this returns. */
void rtap_telemetry_forget(void **queue);

#endif /* _RTAP_H_ */
