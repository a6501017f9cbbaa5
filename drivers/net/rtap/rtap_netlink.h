/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_NETLINK_H_
#define _RTAP_NETLINK_H_

/*
 * Route netlink through libmnl: requests and their answers, announcements, and other namespaces.
 *
 * A socket belongs to the network namespace that the thread which opened it was in. An interface
 * may be moved to another at any time. That one is reached in two ways:
 * - by the number that the kernel gives to one namespace in the eyes of another (nsid).
 *   Announcements come from there, and links can be asked for, IFLA_TARGET_NETNSID. It keeps
 *   nothing alive.
 * - by a socket in it, opened by a thread that goes there for a moment. Whatever else is done there
 *   takes this. It is closed at once: as long as there is a socket, a namespace is not deleted, and
 *   neither are the interfaces in it.
 *
 * Calls may come from several threads. All return 0 or a negative errno.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libmnl/libmnl.h>

/* A link message with all its attributes; the kernel sizes its own by page. */
#define RTAP_NL_BUFSIZE 16384

/* The namespace of the socket itself. */
#define RTAP_NSID_HERE (-1)

struct rtap_files;
struct rtap_netlink;

/* Where an interface is. */
struct rtap_place {
	ino_t netns;		/* inode number of the namespace; 0: not known */
	int32_t nsid;		/* as the socket has to call it, or RTAP_NSID_HERE */
	unsigned int ifindex;	/* there; 0: not known */
};

/**
 * Open a socket in the namespace of the calling thread.
 *
 * @param files
 *   The files of the interface that requests are about, which tell where it is; or NULL.
 */
int rtap_netlink_open(struct rtap_netlink **nl, const struct rtap_files *files);
/** Harmless on NULL. */
void rtap_netlink_close(struct rtap_netlink *nl);
/** The file of the socket, for an ioctl. */
int rtap_netlink_fd(const struct rtap_netlink *nl);
/** Inode number of the namespace that the socket is in; 0: not known, without /proc. */
ino_t rtap_netlink_netns(const struct rtap_netlink *nl);

/**
 * Begin a request, to which attributes may be added. rtap_netlink_request() must follow: until
 * then, the socket is locked.
 *
 * @param header
 *   What is between the header of netlink and the attributes.
 */
struct nlmsghdr *rtap_netlink_begin(struct rtap_netlink *nl, uint16_t type, const void *header,
		size_t len);
/** Send the request, pass data messages to cb, and return what the acknowledgement says. */
int rtap_netlink_request(struct rtap_netlink *nl, const struct nlmsghdr *nlh, mnl_cb_t cb,
		void *arg);

/** How this socket has to call the namespace of that file, which gets a number if it has none. */
int rtap_netlink_nsid(struct rtap_netlink *nl, int nsfd, int32_t *nsid);

/**
 * Ask the files for the interface.
 *
 * @param ifname
 *   Its name.
 * @param place
 *   Where it is, but for the index.
 * @return
 *   -ENODEV: it was deleted, or its namespace is being; -EPERM: only those with rights in its
 *   namespace may know: place is the one that was known last.
 */
int rtap_netlink_find(struct rtap_netlink *nl, char ifname[IF_NAMESIZE], struct rtap_place *place);
/** Have rtap_netlink_place() return this. */
void rtap_netlink_set_place(struct rtap_netlink *nl, const struct rtap_place *place);
/** The place that was set last; at first the namespace of the socket. */
struct rtap_place rtap_netlink_place(struct rtap_netlink *nl);

/**
 * Go to the namespace of the place that was set last.
 *
 * @param there
 *   A socket in it: nl itself or another, for rtap_netlink_leave().
 * @return
 *   -ENODEV: the interface is not there any more; -EPERM: to enter another namespace takes
 *   CAP_SYS_ADMIN.
 */
int rtap_netlink_enter(struct rtap_netlink *nl, struct rtap_netlink **there);
void rtap_netlink_leave(struct rtap_netlink *nl, struct rtap_netlink *there);

/**
 * Open a non-blocking socket on which changes of links are announced.
 *
 * @param everywhere
 *   Whether those of all namespaces are that have an nsid: it takes CAP_NET_BROADCAST.
 */
int rtap_netlink_listen(struct mnl_socket **sock, bool *everywhere);

#endif /* _RTAP_NETLINK_H_ */
