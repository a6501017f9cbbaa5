/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_DEVARGS_H_
#define _RTAP_DEVARGS_H_

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "rtap_ring.h"
#include "rtap_sqpoll.h"

/* MAX_TAP_QUEUES of drivers/net/tun.c. */
#define RTAP_QUEUES_MAX 256

#define RTAP_ARG_IFACE "iface"
#define RTAP_ARG_FD "fd"
#define RTAP_ARG_PERSIST "persist"
#define RTAP_ARG_MAC "mac"
#define RTAP_ARG_SPEED "speed"
#define RTAP_ARG_IO "io"
#define RTAP_ARG_USO "uso"
#define RTAP_ARG_NAPI "napi"
#define RTAP_ARG_SNDBUF "sndbuf"
#define RTAP_ARG_SQPOLL "sqpoll"
#define RTAP_ARG_SQPOLL_CPU "sqpoll_cpu"
#define RTAP_ARG_SQPOLL_IDLE "sqpoll_idle"

#define RTAP_PARAM_STRING \
	RTAP_ARG_IFACE "=<string> " \
	RTAP_ARG_FD "=<int>[:<int>...] " \
	RTAP_ARG_PERSIST "=<0|1> " \
	RTAP_ARG_MAC "=fixed|<xx:xx:xx:xx:xx:xx> " \
	RTAP_ARG_SPEED "=<int> " \
	RTAP_ARG_IO "=auto|uring|rw " \
	RTAP_ARG_USO "=<0|1> " \
	RTAP_ARG_NAPI "=auto|off|on|threaded " \
	RTAP_ARG_SNDBUF "=<bytes> " \
	RTAP_ARG_SQPOLL "=0|1|queue " \
	RTAP_ARG_SQPOLL_CPU "=<cpu> " \
	RTAP_ARG_SQPOLL_IDLE "=<ms>"

enum rtap_persist {
	RTAP_PERSIST_KEEP,	/* as the interface is: a new one goes with the port */
	RTAP_PERSIST_OFF,
	RTAP_PERSIST_ON,
};

enum rtap_mac {
	RTAP_MAC_KERNEL,	/* the address that the interface has */
	RTAP_MAC_FIXED,		/* made of the number in the device's name */
	RTAP_MAC_GIVEN,
};

/* Who runs the kernel's receive path for the packets that we send. */
enum rtap_napi_mode {
	RTAP_NAPI_AUTO,
	RTAP_NAPI_OFF,		/* the thread that sends them, at once */
	RTAP_NAPI_ON,		/* NAPI, with GRO: a softirq, mostly on the same CPU */
	RTAP_NAPI_THREADED,	/* NAPI in a kernel thread of each queue */
};

/*
 * Limits of the send buffer, in bytes. The kernel takes a packet if there is less than the limit
 * in the buffer, however large the packet is; the least is what a merged packet fills anyway.
 */
#define RTAP_SNDBUF_MIN 65536
#define RTAP_SNDBUF_MAX 1073741824

struct rtap_devargs {
	char iface[IF_NAMESIZE];
	uint16_t nb_fds;		/* 0: the driver opens the interface by name */
	int fds[RTAP_QUEUES_MAX];
	enum rtap_persist persist;
	enum rtap_mac mac_mode;
	struct rte_ether_addr mac;	/* with RTAP_MAC_GIVEN */
	uint32_t speed;			/* in Mb/s; 0: not given */
	enum rtap_io_mode io;
	bool uso;	/* merged UDP packets with LRO */
	enum rtap_napi_mode napi;
	uint32_t sndbuf;		/* bytes; 0: the default */
	struct rtap_sqpoll_conf sqpoll;
};

/**
 * Parse the device arguments.
 *
 * @param str
 *   What follows the device name, or NULL.
 * @param args
 *   The result; defaults for what str does not mention.
 * @return
 *   0, or -EINVAL after a message that names the key and what is allowed; -ENOMEM.
 */
int rtap_devargs_parse(const char *str, struct rtap_devargs *args);

#endif /* _RTAP_DEVARGS_H_ */
