/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include <rte_thread.h>

#include "rtap.h"
#include "rtap_netlink.h"
#include "rtap_tap.h"

struct rtap_netlink {
	struct mnl_socket *sock;
	ino_t netns;
	const struct rtap_files *files;
	pthread_mutex_t lock;	/* one request and its answer at a time; and the place */
	struct rtap_place place;
	uint32_t seq;
	union {
		struct nlmsghdr align;
		char bytes[RTAP_NL_BUFSIZE];
	} buf;
};

/*
 * Sockets
 */

/* The namespace of the calling thread, in which a socket will be; 0: not known. */
static ino_t
current_netns(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) == 0 ? st.st_ino : 0;
}

static int
open_socket(struct mnl_socket **out, int flags, unsigned int groups)
{
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	int ret;

	if (sock == NULL)
		return -errno;
	if (mnl_socket_bind(sock, groups, MNL_SOCKET_AUTOPID) < 0) {
		ret = -errno;
		mnl_socket_close(sock);
		return ret;
	}
	*out = sock;
	return 0;
}

int
rtap_netlink_open(struct rtap_netlink **out, const struct rtap_files *files)
{
	struct rtap_netlink *nl = calloc(1, sizeof(*nl));
	int ret;

	if (nl == NULL)
		return -ENOMEM;
	nl->netns = current_netns();
	nl->files = files;
	nl->place = (struct rtap_place){ .netns = nl->netns, .nsid = RTAP_NSID_HERE };
	ret = open_socket(&nl->sock, 0, 0);
	if (ret != 0) {
		free(nl);
		return ret;
	}
	pthread_mutex_init(&nl->lock, NULL);
	*out = nl;
	return 0;
}

void
rtap_netlink_close(struct rtap_netlink *nl)
{
	if (nl == NULL)
		return;
	mnl_socket_close(nl->sock);
	pthread_mutex_destroy(&nl->lock);
	free(nl);
}

int
rtap_netlink_fd(const struct rtap_netlink *nl)
{
	return mnl_socket_get_fd(nl->sock);
}

ino_t
rtap_netlink_netns(const struct rtap_netlink *nl)
{
	return nl->netns;
}

/* A namespace comes and goes unannounced unless the kernel is asked to tell of numbers, too. */
int
rtap_netlink_listen(struct mnl_socket **out, bool *everywhere)
{
	int one = 1, group = RTNLGRP_NSID;
	int ret;

	ret = open_socket(out, SOCK_NONBLOCK, RTMGRP_LINK);
	if (ret != 0)
		return ret;
	*everywhere = mnl_socket_setsockopt(*out, NETLINK_LISTEN_ALL_NSID, &one,
			sizeof(one)) == 0 &&
		mnl_socket_setsockopt(*out, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0;
	return 0;
}

/*
 * Requests
 */

struct nlmsghdr *
rtap_netlink_begin(struct rtap_netlink *nl, uint16_t type, const void *header, size_t len)
{
	struct nlmsghdr *nlh;

	pthread_mutex_lock(&nl->lock);
	nlh = mnl_nlmsg_put_header(nl->buf.bytes);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++nl->seq;
	memcpy(mnl_nlmsg_put_extra_header(nlh, len), header, len);
	return nlh;
}

static int
receive_answer(struct rtap_netlink *nl, mnl_cb_t cb, void *arg)
{
	unsigned int portid = mnl_socket_get_portid(nl->sock);
	ssize_t len;
	int ret;

	do {
		do
			len = mnl_socket_recvfrom(nl->sock, nl->buf.bytes, sizeof(nl->buf));
		while (len < 0 && errno == EINTR);
		ret = len < 0 ? MNL_CB_ERROR :
			mnl_cb_run(nl->buf.bytes, len, nl->seq, portid, cb, arg);
		/* The answer to an earlier request that was given up. */
		if (ret == MNL_CB_ERROR && len >= 0 && nl->buf.align.nlmsg_seq != nl->seq)
			ret = MNL_CB_OK;
	} while (ret > MNL_CB_STOP);
	return ret == MNL_CB_ERROR ? -errno : 0;
}

int
rtap_netlink_request(struct rtap_netlink *nl, const struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	int ret;

	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		ret = -errno;
	else
		ret = receive_answer(nl, cb, arg);
	pthread_mutex_unlock(&nl->lock);
	return ret;
}

/*
 * Namespaces
 */

static int
parse_nsid_attr(const struct nlattr *attr, void *arg)
{
	int32_t *nsid = arg;

	if (mnl_attr_get_type(attr) == NETNSA_NSID)
		*nsid = (int32_t)mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int
parse_nsid(const struct nlmsghdr *nlh, void *arg)
{
	return mnl_attr_parse(nlh, sizeof(struct rtgenmsg), parse_nsid_attr, arg);
}

static int
nsid_request(struct rtap_netlink *nl, uint16_t type, int nsfd, int32_t *nsid)
{
	struct rtgenmsg gen = { .rtgen_family = AF_UNSPEC };
	struct nlmsghdr *nlh = rtap_netlink_begin(nl, type, &gen, sizeof(gen));

	mnl_attr_put_u32(nlh, NETNSA_FD, nsfd);
	if (type == RTM_NEWNSID)
		mnl_attr_put_u32(nlh, NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED);
	return rtap_netlink_request(nl, nlh, parse_nsid, nsid);
}

int
rtap_netlink_nsid(struct rtap_netlink *nl, int nsfd, int32_t *nsid)
{
	int ret;

	*nsid = NETNSA_NSID_NOT_ASSIGNED;
	ret = nsid_request(nl, RTM_GETNSID, nsfd, nsid);
	if (ret != 0 || *nsid != NETNSA_NSID_NOT_ASSIGNED)
		return ret;
	/* Somebody else may be faster: -EEXIST. */
	ret = nsid_request(nl, RTM_NEWNSID, nsfd, nsid);
	return ret != 0 && ret != -EEXIST ? ret : nsid_request(nl, RTM_GETNSID, nsfd, nsid);
}

/*
 * The file of the namespace that the interface is in now. Where there is no attached file to ask
 * with (-EBADF), nothing is known.
 */
static int
open_netns(const struct rtap_netlink *nl, ino_t *inode)
{
	int nsfd = rtap_tap_open_netns(rtap_files_ctl(nl->files), inode);

	switch (nsfd) {
	case -EBADFD:	/* deleted */
	case -EINVAL:	/* the namespace is being deleted */
		return -ENODEV;
	default:
		return nsfd;
	}
}

void
rtap_netlink_set_place(struct rtap_netlink *nl, const struct rtap_place *place)
{
	pthread_mutex_lock(&nl->lock);
	nl->place = *place;
	pthread_mutex_unlock(&nl->lock);
}

struct rtap_place
rtap_netlink_place(struct rtap_netlink *nl)
{
	struct rtap_place place;

	pthread_mutex_lock(&nl->lock);
	place = nl->place;
	pthread_mutex_unlock(&nl->lock);
	return place;
}

int
rtap_netlink_find(struct rtap_netlink *nl, char ifname[IF_NAMESIZE], struct rtap_place *place)
{
	unsigned int flags;
	int ret, nsfd;

	*place = rtap_netlink_place(nl);
	ret = rtap_tap_get_flags(rtap_files_ctl(nl->files), &flags, ifname);
	if (ret != 0) /* deleted, or there is no attached file to ask with */
		return ret == -EBADFD || ret == -EBADF ? -ENODEV : ret;
	nsfd = open_netns(nl, &place->netns);
	if (nsfd < 0)
		return nsfd;
	place->ifindex = 0;
	place->nsid = RTAP_NSID_HERE;
	ret = nl->netns != 0 && place->netns != nl->netns ?
		rtap_netlink_nsid(nl, nsfd, &place->nsid) : 0;
	close(nsfd);
	return ret;
}

/* What a thread does in another namespace. */
struct visit {
	int nsfd;
	int ret;
	struct rtap_netlink *nl;
};

static uint32_t
visit(void *arg)
{
	struct visit *v = arg;

	v->ret = setns(v->nsfd, CLONE_NEWNET) != 0 ? -errno : rtap_netlink_open(&v->nl, NULL);
	return 0;
}

/* The calling thread stays where it is. Signals are not for the other. */
static int
open_there(struct rtap_netlink **there, int nsfd)
{
	struct visit v = { .nsfd = nsfd };
	sigset_t all, before;
	rte_thread_t thread;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = rte_thread_create(&thread, NULL, visit, &v);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret != 0)
		return -ret;
	rte_thread_join(thread, NULL);
	*there = v.nl;
	return v.ret;
}

int
rtap_netlink_enter(struct rtap_netlink *nl, struct rtap_netlink **there)
{
	struct rtap_place place = rtap_netlink_place(nl);
	ino_t inode;
	int ret, nsfd;

	*there = nl;
	nsfd = open_netns(nl, &inode);
	if (nsfd < 0) /* without the right to know, it is taken to be where it was */
		return nsfd != -ENODEV && place.nsid == RTAP_NSID_HERE ? 0 : nsfd;
	ret = 0;
	if (place.netns != 0 && inode != place.netns)
		ret = -ENODEV;
	else if (place.nsid != RTAP_NSID_HERE)
		ret = open_there(there, nsfd);
	close(nsfd);
	return ret;
}

void
rtap_netlink_leave(struct rtap_netlink *nl, struct rtap_netlink *there)
{
	if (there != nl)
		rtap_netlink_close(there);
}
