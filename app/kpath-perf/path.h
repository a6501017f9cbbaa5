/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _PATH_H_
#define _PATH_H_

/* Paths: how a port of one is opened, and what it can do. cases.c has the table. */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_ether.h>

struct params;
struct path;

/* A path's end in the application and its end in the kernel: an interface in a namespace. */
struct port {
	const struct path *path;
	const struct params *params;
	char ifname[IF_NAMESIZE];	/* the kernel's end */
	char app_ifname[IF_NAMESIZE];	/* veth: the end that the application opens */
	unsigned int ifindex;
	bool sleeps;			/* the application may want to sleep */
	bool paired;			/* there is another, which it is connected with */
	uint16_t number;		/* all ports of a run have different ones */
	uint32_t addr;			/* IPv4, of the kernel's end, host byte order */
	struct rte_ether_addr mac;	/* the same */
	int packet_sock;		/* sends from the kernel's end */
	int udp_sock;			/* receives from the application */
	const char *why;		/* it could not be opened */
	void *priv;
};

struct path_ops {
	/** Make the interface and the application's end. Returns 0, or -1 with port->why set. */
	int (*open)(struct port *port);
	/** Have the port keep no packet of another one's: before either is closed. May be NULL. */
	void (*stop)(struct port *port);
	void (*close)(struct port *port);
	/** Send n frames like port's sample to the kernel; returns how many it took. */
	unsigned int (*tx)(struct port *port, unsigned int queue, unsigned int n);
	/** Receive n frames at most and drop them; returns how many came. */
	unsigned int (*rx)(struct port *port, unsigned int queue, unsigned int n);
	/**
	 * Sleep until there is something to receive, or ms have passed. Returns 1, 0, or -1 if
	 * there is nothing that the application could sleep on. By the thread that polls the queue.
	 */
	int (*sleep)(struct port *port, unsigned int queue, int ms);
	/** Get ready for that in one direction. Returns 0, or -1 with in->why set. May be NULL. */
	int (*connect)(struct port *in, struct port *out);
	/** Pass n frames at most on from one port to the other. Returns how many came. */
	unsigned int (*forward)(struct port *in, struct port *out, unsigned int n);
};

struct path {
	const char *name;
	const char *what;	/* in a line, for --list */
	const struct path_ops *ops;
	const char *driver;	/* path_dpdk.c */
	const char *devargs;	/* of that driver, NULL: none */
	unsigned int flags;	/* path_loop.c: LOOP_*; path_dpdk.c: DPDK_* */
	uint32_t frame_max;	/* 0: KPERF_FRAME_MAX */
	uint32_t needs;		/* NEEDS_* */
	uint32_t wants;		/* the same, but it runs without, in another way */
};

/* What the application opens */
enum path_kind {
	KIND_INJECTION,		/* an interface that exists for it */
	KIND_REDIRECTION,	/* one of the kernel's, which packets are taken from */
	KIND_KERNEL,		/* none, or a packet socket, where packets go one way */
	KIND_LOOP,		/* as injection, but it does without DPDK */
};

extern const struct path paths[];
extern const unsigned int nb_paths;

#define NEEDS_NAMESPACE	RTE_BIT32(0)	/* all do */
#define NEEDS_DRIVER	RTE_BIT32(1)	/* of DPDK */
#define NEEDS_TUN	RTE_BIT32(2)
#define NEEDS_URING	RTE_BIT32(3)
#define NEEDS_VHOST	RTE_BIT32(4)
#define NEEDS_VETH	RTE_BIT32(5)
#define NEEDS_PACKET	RTE_BIT32(6)
#define NEEDS_XDP	RTE_BIT32(7)

#define LOOP_RW		(1U << 0)	/* read and write; else io_uring */
#define LOOP_FILE	(1U << 1)	/* registered file */
#define LOOP_BUF	(1U << 2)	/* registered buffers */
#define LOOP_SQPOLL	(1U << 3)
#define LOOP_RINGFD	(1U << 4)	/* registered ring */
#define LOOP_SKIP	(1U << 5)	/* no completion for what succeeded */
#define LOOP_LINK	(1U << 6)	/* reads end with the first that finds nothing */
#define LOOP_MULTISHOT	(1U << 7)	/* one read serves many packets */
#define LOOP_HDRLEN	(1U << 8)	/* hdr_len says how much is to be linear */
#define LOOP_STEER	(1U << 9)	/* a steering program instead of the flow table */
#define LOOP_SNDBUF	(1U << 10)	/* the send buffer has a limit */
extern const struct path_ops loop_ops;

#define DPDK_VETH	(1U << 0)	/* the driver opens one end of a veth pair */
#define DPDK_OFFLOAD	(1U << 1)	/* knows checksum, TSO and LRO */
#define DPDK_ONE_QUEUE	(1U << 2)
#define DPDK_MODE	(1U << 3)	/* a driver without these arguments is not at fault */
#define DPDK_VHOST	(1U << 4)	/* is told of queues; the MAC comes late */

/* What the Rx ring of a driver with DPDK_VETH takes when nobody reads: frames, and bytes */
#define DPDK_VETH_FILL 1000
#define DPDK_VETH_FILL_BYTES (1514 * DPDK_VETH_FILL)
extern const struct path_ops dpdk_ops;

struct rte_mbuf;
struct rte_mempool;
struct forward_stats;

/* What tests that look closer need to know of a port of DPDK's */
struct dpdk_end {
	uint16_t id;
	struct rte_mempool *pool;		/* mbufs to send */
	const struct forward_stats *forward;	/* from this port to the other one of a pair */
};

struct dpdk_end dpdk_end(const struct port *port);
/** A packet with that data, in segments of that size; ends with a message if there is no room. */
struct rte_mbuf *dpdk_make_packet(const struct port *port, const uint8_t *data, uint32_t len,
		uint32_t part);

/* The kernel alone: path_kernel.c. Two ports have no end here, one is a bare program's. */
extern const struct path_ops veth_ops;

/* words.c */
enum path_kind path_kind(const struct path *path);

#endif /* _PATH_H_ */
