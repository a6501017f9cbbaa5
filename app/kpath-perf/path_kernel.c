/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * The kernel alone: what there is without DPDK, as the yardstick.
 *
 * Two ports are the two ends of one veth pair, one in each namespace, and nothing is between them:
 * programs that talk do so through sockets and the kernel's stack.
 *
 * One port is a veth pair as well, as it is for redirection, and the application at its end is a
 * bare program with a packet socket: a burst is one sendmmsg() or recvmmsg(), which is what the
 * kernel offers for frames without a ring, a driver or a library. The other end is the same as that
 * of all paths: the stack that receives, or the sender that fills a queue. Here that queue is the
 * socket's.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "kperf.h"

/* Frames that wait in a socket at least: as many as in the queues of other paths */
#define QUEUE_LEN 4096

/* A program's end: frames that it sends, or has received, one for each of a burst */
struct bare {
	int sock;
	uint32_t room;		/* of a frame */
	uint8_t *frames;
	struct iovec iovs[KPERF_BURST_MAX];
	struct mmsghdr msgs[KPERF_BURST_MAX];
};

static void
make_frames(struct bare *b, const struct port *port)
{
	unsigned int i;

	b->room = RTE_CACHE_LINE_ROUNDUP(params_mtu(port->params) + RTE_ETHER_HDR_LEN);
	b->frames = malloc((size_t)b->room * KPERF_BURST_MAX);
	if (b->frames == NULL)
		die("out of memory");
	for (i = 0; i < KPERF_BURST_MAX; i++) {
		b->iovs[i].iov_base = b->frames + (size_t)i * b->room;
		b->msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &b->iovs[i], .msg_iovlen = 1 };
		frame_write(b->iovs[i].iov_base, port, 0);
	}
}

static unsigned int
transfer(struct port *port, unsigned int n, uint32_t len,
		int (*call)(int, struct mmsghdr *, unsigned int))
{
	struct bare *b = port->priv;
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++)
		b->iovs[i].iov_len = len;
	ret = call(b->sock, b->msgs, n);
	if (ret < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
		die("%s: packet socket: %s", port->app_ifname, strerror(errno));
	return RTE_MAX(ret, 0);
}

static int
send_now(int sock, struct mmsghdr *msgs, unsigned int n)
{
	return sendmmsg(sock, msgs, n, MSG_DONTWAIT);
}

static int
receive_now(int sock, struct mmsghdr *msgs, unsigned int n)
{
	return recvmmsg(sock, msgs, n, MSG_DONTWAIT, NULL);
}

static unsigned int
kernel_tx(struct port *port, unsigned int queue __rte_unused, unsigned int n)
{
	return transfer(port, n, port->params->len, send_now);
}

static unsigned int
kernel_rx(struct port *port, unsigned int queue __rte_unused, unsigned int n)
{
	const struct bare *b = port->priv;

	return transfer(port, n, b->room, receive_now);
}

static int
kernel_sleep(struct port *port, unsigned int queue __rte_unused, int ms)
{
	const struct bare *b = port->priv;
	struct pollfd pollfd = { .fd = b->sock, .events = POLLIN };

	return poll(&pollfd, 1, ms) > 0;
}

/*
 * Opening
 */

static int
open_bare(struct port *port)
{
	const struct params *params = port->params;
	/* The kernel doubles it, and counts what it allocates for a frame: twice that at most. */
	int one = 1, size = QUEUE_LEN * (params->len + 512);
	struct bare *b;

	if (params->queues > 1 || params->gso) {
		port->why = params->gso ? "knows no LRO" : "has one queue here";
		return -1;
	}
	net_make_app_veth(port);
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		die("out of memory");
	port->priv = b;
	make_frames(b, port);
	b->sock = net_packet_socket(net_index(port->app_ifname), ETH_P_ALL, 0);
	setsockopt(b->sock, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(b->sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return 0;
}

/* The first port of a pair makes both interfaces, the second is the other one. */
static void
open_end(struct port *port)
{
	char peer[IF_NAMESIZE];

	if (port->number % 2 == 0) {
		snprintf(peer, sizeof(peer), "kp%u", port->number + 1);
		net_make_veth(port->ifname, peer);
		net_set_offload(port->ifname, port->params->offload);
		net_set_offload(peer, port->params->offload);
	}
	net_set_up(port->ifname, 0, 0);
	net_get_mac(port->ifname, &port->mac);
}

static int
kernel_open(struct port *port)
{
	if (!port->paired)
		return open_bare(port);
	open_end(port);
	return 0;
}

static void
kernel_close(struct port *port)
{
	struct bare *b = port->priv;

	if (b != NULL) {
		close(b->sock);
		free(b->frames);
		free(b);
		net_delete(port->app_ifname);
	} else if (port->number % 2 == 0) {
		net_delete(port->ifname);
	}
}

const struct path_ops veth_ops = {
	.open = kernel_open,
	.close = kernel_close,
	.tx = kernel_tx,
	.rx = kernel_rx,
	.sleep = kernel_sleep,
};
