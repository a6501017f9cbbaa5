/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_NAPI_H_
#define _RTAP_NAPI_H_

/*
 * NAPI of the TAP: who runs the kernel's receive path for the packets that we send.
 *
 * Without NAPI, a write runs it to the end: IP, TCP, the copy to a socket. With NAPI (IFF_NAPI,
 * chosen for each file when it is opened), a write only queues the packet, and a softirq or, with
 * threaded NAPI, a kernel thread "napi/INTERFACE-NUMBER" of each queue takes it from there, and
 * merges TCP segments first (GRO). What is queued then is limited by the send buffer alone.
 *
 * Whether there are threads, and how long GRO waits for more, belongs to the interface and is set
 * in sysfs (Documentation/ABI/testing/sysfs-class-net of Linux). Our directory there is opened
 * once, before the link is up for the first time, and stays ours when the interface is renamed or
 * moved to another network namespace.
 */

#include <stdbool.h>
#include <stdint.h>

#include "rtap_devargs.h"

/* How many files in sysfs we change. */
#define RTAP_NAPI_NB_ATTRS 2

struct rtap_napi {
	enum rtap_napi_mode asked;
	enum rtap_napi_mode mode;	/* in force, not RTAP_NAPI_AUTO */
	uint32_t sndbuf_asked;
	uint32_t sndbuf;		/* in force, in bytes; 0: no limit */
	int dir;			/* in sysfs, or a negative errno */
	bool changed;			/* it has our values */
	uint32_t found[RTAP_NAPI_NB_ATTRS];	/* instead of these */
};

struct rtap_dev;

/**
 * Do threads pay? They need CPUs that nobody else uses, and more of them where a packet is large
 * and costs the thread that sends it much of its time anyway.
 *
 * @param nb_cpus
 *   CPUs that are online.
 * @param nb_lcores
 *   Those of them that DPDK uses.
 * @param large
 *   Whether TSO or LRO is in use.
 */
bool rtap_napi_threads_pay(unsigned int nb_cpus, unsigned int nb_lcores, bool large);

/** What to open a TAP file with: IFF_NAPI or 0. */
int rtap_napi_open_flag(const struct rtap_dev *rtap);

/** Remember what the arguments ask for, and choose: see rtap_napi_choose(). */
void rtap_napi_open(struct rtap_dev *rtap, enum rtap_napi_mode mode, uint32_t sndbuf);

/** Choose the mode that files are opened with from now on, and the send buffer with it. */
void rtap_napi_choose(struct rtap_dev *rtap, bool large);

/**
 * Choose what the files that were given have.
 *
 * @return
 *   0, or a negative errno after a message: -EINVAL if something else was asked for.
 */
int rtap_napi_follow(struct rtap_dev *rtap);

/**
 * Find the interface's directory in sysfs, if it is or may become of use, and switch the carrier
 * off, after it was switched on: so this directory is told from another interface's.
 */
void rtap_napi_find(struct rtap_dev *rtap);

/**
 * Make the interface do what was chosen. In automatic mode, where threads cannot be had, this
 * means files without NAPI if other files can be opened.
 *
 * @return
 *   0, or a negative errno after a message.
 */
int rtap_napi_apply(struct rtap_dev *rtap);

/**
 * Choose again for a port with or without large packets, and open all files anew if the outcome
 * is another one. An interface with a single queue, or whose files were given, stays as it is.
 * Port stopped.
 *
 * @return
 *   0, or a negative errno after a message.
 */
int rtap_napi_configure(struct rtap_dev *rtap, bool large);

/** Put back what we have changed in sysfs, as far as it is still so. Queues are closed. */
void rtap_napi_put_back(struct rtap_dev *rtap);
/** Let go of what rtap_napi_find() opened. */
void rtap_napi_close(struct rtap_dev *rtap);

/** How this is called in the description of a burst mode: nothing, or a name after a comma. */
const char *rtap_napi_name(const struct rtap_dev *rtap);

#endif /* _RTAP_NAPI_H_ */
