/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * What the kernel tells of the interface: link status interrupt, removal, MTU.
 *
 * The kernel announces every change of a link on a netlink socket, which the interrupt thread of
 * DPDK waits for. An announcement only says that it is time to look: what the application is told
 * is the difference between what it was told last and what the kernel says when asked. So
 * announcements that are late, or lost because there were too many (ENOBUFS), do no harm.
 *
 * An application may close the port from within its callback, which runs in that thread. The socket
 * then lives on until the thread has come back from the callback.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <rte_interrupts.h>
#include <rte_pause.h>

#include "rtap.h"
#include "rtap_link.h"
#include "rtap_netlink.h"

/* Announcements read before other interrupts get their turn. */
#define RTAP_NOTIFY_MAX 64

struct rtap_notify {
	struct rte_eth_dev *dev;	/* NULL: closed by a callback that has not returned yet */
	unsigned int ifindex;
	struct mnl_socket *sock;
	struct rte_intr_handle *handle;
	bool changed;			/* announced */
	bool removed;			/* as the application was told */
};

static int
parse_announcement(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct rtap_notify *notify = arg;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*ifi) &&
	    (unsigned int)ifi->ifi_index == notify->ifindex)
		notify->changed = true;
	return MNL_CB_OK;
}

static void
read_announcements(struct rtap_notify *notify)
{
	union {
		struct nlmsghdr align;
		char bytes[RTAP_NL_BUFSIZE];
	} buf;
	unsigned int i;
	ssize_t len;

	for (i = 0; i < RTAP_NOTIFY_MAX; i++) {
		len = mnl_socket_recvfrom(notify->sock, buf.bytes, sizeof(buf));
		if (len > 0)
			mnl_cb_run(buf.bytes, len, 0, 0, parse_announcement, notify);
		else if (len < 0 && errno == ENOBUFS)
			notify->changed = true; /* perhaps */
		else if (len == 0 || errno != EINTR)
			return;
	}
}

/* Is there news of the link? */
static bool
link_has_changed(struct rtap_notify *notify)
{
	struct rtap_dev *rtap = rtap_dev(notify->dev);
	bool up, news;

	rtap_link_update(notify->dev, 0);
	pthread_mutex_lock(&rtap->lock);
	up = notify->dev->data->dev_link.link_status == RTE_ETH_LINK_UP;
	news = rtap->running && up != rtap->link_told;
	if (news)
		rtap->link_told = up;
	pthread_mutex_unlock(&rtap->lock);
	return news;
}

static bool
is_removed_now(struct rtap_notify *notify)
{
	if (notify->removed || rtap_is_removed(notify->dev) == 0)
		return false;
	notify->removed = true;
	return true;
}

static void
handle_announcements(void *arg)
{
	struct rtap_notify *notify = arg;
	const struct rte_eth_intr_conf *conf = &notify->dev->data->dev_conf.intr_conf;

	read_announcements(notify);
	if (!notify->changed)
		return;
	notify->changed = false;
	rtap_mtu_follow(notify->dev);
	if (link_has_changed(notify) && conf->lsc != 0)
		rte_eth_dev_callback_process(notify->dev, RTE_ETH_EVENT_INTR_LSC, NULL);
	if (notify->dev != NULL && is_removed_now(notify) && conf->rmv != 0)
		rte_eth_dev_callback_process(notify->dev, RTE_ETH_EVENT_INTR_RMV, NULL);
}

static void
notify_free(struct rtap_notify *notify)
{
	rte_intr_instance_free(notify->handle);
	if (notify->sock != NULL)
		mnl_socket_close(notify->sock);
	free(notify);
}

/* The thread is back from the callback. */
static void
free_late(struct rte_intr_handle *handle __rte_unused, void *arg)
{
	notify_free(arg);
}

static int
notify_open(struct rtap_notify **out, struct rte_eth_dev *dev)
{
	const struct rtap_dev *rtap = rtap_dev(dev);
	struct rtap_notify *notify = calloc(1, sizeof(*notify));
	bool everywhere;
	int ret;

	if (notify == NULL)
		return -ENOMEM;
	notify->dev = dev;
	notify->ifindex = rtap->ifindex;
	ret = rtap->nl == NULL ? -ENODEV : rtap_netlink_listen(&notify->sock, &everywhere);
	if (ret != 0)
		goto free_notify;
	notify->handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	ret = notify->handle == NULL ? -ENOMEM :
		rte_intr_fd_set(notify->handle, mnl_socket_get_fd(notify->sock));
	/* Of this type, DPDK leaves it to the callback to read from the file. */
	if (ret == 0)
		ret = rte_intr_type_set(notify->handle, RTE_INTR_HANDLE_EXT);
	if (ret == 0)
		ret = rte_intr_callback_register(notify->handle, handle_announcements, notify);
	if (ret != 0)
		goto free_notify;
	*out = notify;
	return 0;

free_notify:
	notify_free(notify);
	return ret;
}

int
rtap_notify_configure(struct rte_eth_dev *dev)
{
	const struct rte_eth_intr_conf *conf = &dev->data->dev_conf.intr_conf;
	struct rtap_dev *rtap = rtap_dev(dev);
	int ret;

	if (conf->lsc == 0 && conf->rmv == 0)
		rtap_notify_close(rtap);
	else if (rtap->notify == NULL) {
		ret = notify_open(&rtap->notify, dev);
		if (ret != 0 && ret != -ENODEV) {
			PMD_LOG(ERR, "%s: cannot set up the link status interrupt: %s",
				rtap->ifname, strerror(-ret));
			return ret;
		}
		if (ret == -ENODEV)
			PMD_LOG(NOTICE,
				"%s: in another network namespace, link changes are not noticed",
				rtap->ifname);
	}
	return 0;
}

void
rtap_notify_close(struct rtap_dev *rtap)
{
	struct rtap_notify *notify = rtap->notify;
	int ret;

	if (notify == NULL)
		return;
	rtap->notify = NULL;
	/* The callback may be running: wait for its end, unless that is where this is called. */
	do {
		rte_pause();
		ret = rte_intr_callback_unregister(notify->handle, handle_announcements, notify);
	} while (ret == -EAGAIN && rte_thread_is_intr() == 0);
	if (ret != -EAGAIN) {
		notify_free(notify);
		return;
	}
	notify->dev = NULL;
	rte_intr_callback_unregister_pending(notify->handle, handle_announcements, notify,
		free_late);
}
