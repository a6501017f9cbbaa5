/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * When to look: announcements of the kernel.
 *
 * There is one socket for all ports of the process, from the first that is probed to the last that
 * is closed, on which the kernel announces every change of a link. The thread of DPDK that handles
 * interrupts waits for it. An announcement only says which interface is to be looked at, see
 * rtap_follow.c; one that was lost because there were too many (ENOBUFS), that all are.
 *
 * What happens in other namespaces is announced there, too, if they have a number in its own: a
 * port whose interface has moved sees to that. Interfaces of different namespaces may have the same
 * index, and one of them is looked at in vain then.
 *
 * An application may close the port from within its callback, which runs in that thread, and so may
 * another thread meanwhile, which then waits for the callback to return. The socket of the last
 * port lives on until the handler has come back.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include <rte_alarm.h>
#include <rte_interrupts.h>
#include <rte_pause.h>

#include "rtap.h"
#include "rtap_netlink.h"
#include "rtap_tap.h"

/* Announcements read before other interrupts get their turn. */
#define RTAP_NOTIFY_MAX 64

/* The kernel does not say when it is done with a namespace that it deletes. */
#define RTAP_AGAIN_US 50000

#define RTAP_NOBODY RTE_MAX_ETHPORTS

struct notifier {
	struct mnl_socket *sock;
	struct rtap_netlink *nl;	/* in the same namespace, to number others */
	bool everywhere;		/* others announce, too */
	struct rte_intr_handle *handle;
};

struct watched {
	struct rte_eth_dev *dev;	/* NULL: none */
	uint64_t serial;		/* of the port, the only one of that number */
	unsigned int ifindex;
	bool due;			/* to be looked at */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct notifier *notifier;
static struct watched ports[RTE_MAX_ETHPORTS];
static unsigned int nb_ports;
static uint64_t last_serial;
static unsigned int busy = RTAP_NOBODY;	/* the port that the thread works for */

/*
 * Announcements
 */

/* Those of an interface; or of all, if the index is 0. */
static void
set_due(unsigned int ifindex)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < RTE_DIM(ports); i++)
		if (ifindex == 0 || ports[i].ifindex == ifindex)
			ports[i].due = true;
	pthread_mutex_unlock(&lock);
}

static int
parse_announcement(const struct nlmsghdr *nlh, void *arg __rte_unused)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*ifi))
			set_due(ifi->ifi_index);
		break;
	case RTM_NEWNSID:
		break;
	default: /* RTM_DELNSID: a namespace is being deleted, and its interfaces will be */
		set_due(0);
	}
	return MNL_CB_OK;
}

static void
read_announcements(const struct notifier *n)
{
	union {
		struct nlmsghdr align;
		char bytes[RTAP_NL_BUFSIZE];
	} buf;
	unsigned int i;
	ssize_t len;

	for (i = 0; i < RTAP_NOTIFY_MAX; i++) {
		len = mnl_socket_recvfrom(n->sock, buf.bytes, sizeof(buf));
		if (len < 0 && errno == EAGAIN)
			return;
		if (len <= 0 ||
		    mnl_cb_run(buf.bytes, len, 0, 0, parse_announcement, NULL) < 0)
			set_due(0);
	}
}

/*
 * Ports
 */

static bool
is_watched(unsigned int port_id, uint64_t serial)
{
	bool is;

	pthread_mutex_lock(&lock);
	is = ports[port_id].dev != NULL && ports[port_id].serial == serial;
	pthread_mutex_unlock(&lock);
	return is;
}

static void look_at_ports(void *arg);

static void
look_again(unsigned int port_id, uint64_t serial)
{
	pthread_mutex_lock(&lock);
	ports[port_id].due = ports[port_id].serial == serial;
	pthread_mutex_unlock(&lock);
	rte_eal_alarm_set(RTAP_AGAIN_US, look_at_ports, NULL);
}

/* The callback for the link may close the port, and another may have its number then. */
static void
look_at_port(struct rte_eth_dev *dev, unsigned int port_id, uint64_t serial)
{
	unsigned int events = rtap_follow(dev);
	/* Not before: who asks for an event meanwhile has found nothing to be told of. */
	struct rte_eth_intr_conf conf = dev->data->dev_conf.intr_conf;

	if ((events & RTAP_LOOK_AGAIN) != 0)
		look_again(port_id, serial);
	if ((events & RTAP_TELL_LSC) != 0 && conf.lsc != 0)
		rte_eth_dev_callback_process(dev, RTE_ETH_EVENT_INTR_LSC, NULL);
	if ((events & RTAP_TELL_RMV) != 0 && conf.rmv != 0 && is_watched(port_id, serial))
		rte_eth_dev_callback_process(dev, RTE_ETH_EVENT_INTR_RMV, NULL);
}

static void
look_at_ports(void *arg __rte_unused)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < RTE_DIM(ports); i++) {
		struct watched port = ports[i];

		if (!port.due || port.dev == NULL)
			continue;
		ports[i].due = false;
		busy = i;
		pthread_mutex_unlock(&lock);
		look_at_port(port.dev, i, port.serial);
		pthread_mutex_lock(&lock);
		busy = RTAP_NOBODY;
		pthread_cond_broadcast(&idle);
	}
	pthread_mutex_unlock(&lock);
}

static void
handle_announcements(void *arg)
{
	read_announcements(arg);
	look_at_ports(NULL);
}

/*
 * The socket
 */

static void
notifier_free(struct notifier *n)
{
	rte_intr_instance_free(n->handle);
	rtap_netlink_close(n->nl);
	if (n->sock != NULL)
		mnl_socket_close(n->sock);
	free(n);
}

/* The thread is back from the handler. */
static void
free_late(struct rte_intr_handle *handle __rte_unused, void *arg)
{
	notifier_free(arg);
}

static int
notifier_open(struct notifier **out)
{
	struct notifier *n = calloc(1, sizeof(*n));
	int ret;

	if (n == NULL)
		return -ENOMEM;
	ret = rtap_netlink_listen(&n->sock, &n->everywhere);
	if (ret == 0)
		ret = rtap_netlink_open(&n->nl, NULL);
	if (ret != 0)
		goto free_notifier;
	*out = n;
	return 0;

free_notifier:
	notifier_free(n);
	return ret;
}

/*
 * The thread makes a file of its own anew then, and panics if there is none to be had: whoever
 * opens files has to be done by now.
 */
static int
notifier_start(struct notifier *n)
{
	int ret;

	if (n->handle != NULL)
		return 0;
	n->handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (n->handle == NULL)
		return -ENOMEM;
	ret = rte_intr_fd_set(n->handle, mnl_socket_get_fd(n->sock));
	/* Of this type, DPDK leaves it to the callback to read from the file. */
	if (ret == 0)
		ret = rte_intr_type_set(n->handle, RTE_INTR_HANDLE_EXT);
	if (ret == 0)
		ret = rte_intr_callback_register(n->handle, handle_announcements, n);
	/* The first alarm of a process is such a source, too, and may be due when files are few. */
	if (ret == 0)
		rte_eal_alarm_set(1, look_at_ports, NULL);
	if (ret != 0) {
		rte_intr_instance_free(n->handle);
		n->handle = NULL;
	}
	return ret;
}

/* The handler may be running: wait for its end, unless that is where this is called. */
static void
notifier_close(struct notifier *n)
{
	int ret;

	if (n->handle == NULL) {
		notifier_free(n);
		return;
	}
	rte_eal_alarm_cancel(look_at_ports, NULL);
	do {
		rte_pause();
		ret = rte_intr_callback_unregister(n->handle, handle_announcements, n);
	} while (ret == -EAGAIN && rte_thread_is_intr() == 0);
	if (ret != -EAGAIN)
		notifier_free(n);
	else
		rte_intr_callback_unregister_pending(n->handle, handle_announcements, n,
			free_late);
}

int
rtap_notify_add(struct rte_eth_dev *dev)
{
	struct watched *port = &ports[dev->data->port_id];
	int ret = 0;

	pthread_mutex_lock(&lock);
	if (notifier == NULL)
		ret = notifier_open(&notifier);
	if (ret == 0) {
		nb_ports++;
		*port = (struct watched){
			.dev = dev,
			.serial = ++last_serial,
			.ifindex = rtap_dev(dev)->ifindex,
		};
	}
	pthread_mutex_unlock(&lock);
	if (ret != 0)
		return ret;
	rtap_follow(dev);
	pthread_mutex_lock(&lock);
	ret = notifier_start(notifier);
	pthread_mutex_unlock(&lock);
	if (ret != 0)
		rtap_notify_remove(dev);
	return ret;
}

void
rtap_notify_remove(const struct rte_eth_dev *dev)
{
	struct watched *port = &ports[dev->data->port_id];
	struct notifier *last = NULL;

	pthread_mutex_lock(&lock);
	if (port->dev == dev) {
		*port = (struct watched){0};
		while (busy == dev->data->port_id && rte_thread_is_intr() == 0)
			pthread_cond_wait(&idle, &lock);
		if (--nb_ports == 0) {
			last = notifier;
			notifier = NULL;
		}
	}
	pthread_mutex_unlock(&lock);
	if (last != NULL)
		notifier_close(last);
}

/* To be announced here, a namespace needs a number. */
static void
number_namespace(const struct notifier *n, const struct rtap_dev *rtap)
{
	ino_t inode;
	int32_t nsid;
	int nsfd;

	if (!n->everywhere) {
		PMD_LOG(NOTICE, "%s: in another network namespace, changes there are not noticed: it takes CAP_NET_BROADCAST",
			rtap->ifname);
		return;
	}
	nsfd = rtap_tap_open_netns(rtap_files_ctl(&rtap->files), &inode);
	if (nsfd < 0)
		return;
	rtap_netlink_nsid(n->nl, nsfd, &nsid);
	close(nsfd);
}

void
rtap_notify_watch(const struct rte_eth_dev *dev)
{
	struct watched *port = &ports[dev->data->port_id];
	const struct rtap_dev *rtap = rtap_dev(dev);

	pthread_mutex_lock(&lock);
	if (port->dev == dev) {
		port->ifindex = rtap->ifindex;
		if (rtap->netns != rtap_netlink_netns(notifier->nl))
			number_namespace(notifier, rtap);
	}
	pthread_mutex_unlock(&lock);
}
