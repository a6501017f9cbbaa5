/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "rtap.h"
#include "rtap_link.h"
#include "rtap_napi.h"
#include "rtap_tap.h"

#define RTAP_SYSFS_NET "/sys/class/net/"

/* Fewer are busy with the application and the sockets it talks to. */
#define RTAP_NAPI_CPUS_MIN 4
#define RTAP_NAPI_SPARE 2
#define RTAP_NAPI_SPARE_LARGE 3

/*
 * Nothing else bounds what waits for NAPI: without a limit, an application that sends faster than
 * the kernel receives fills all memory. This is some 5000 small packets, or 60 of 64 KiB.
 */
#define RTAP_NAPI_SNDBUF (4 << 20)

/* How long to wait for files that were closed to be gone. */
#define RTAP_RETRIES 200
#define RTAP_RETRY_US 10000

/* GRO merges more when it may hold back a packet for so long. */
static const struct {
	const char *name;
	uint32_t value;
} napi_attrs[RTAP_NAPI_NB_ATTRS] = {
	{ "gro_flush_timeout", 20000 }, /* ns */
	{ "threaded", 1 },
};

static const char * const napi_modes[] = {
	[RTAP_NAPI_AUTO] = "auto",
	[RTAP_NAPI_OFF] = "off",
	[RTAP_NAPI_ON] = "on",
	[RTAP_NAPI_THREADED] = "threaded",
};

const char *
rtap_napi_name(const struct rtap_dev *rtap)
{
	switch (rtap->napi.mode) {
	case RTAP_NAPI_ON:
		return ", NAPI";
	case RTAP_NAPI_THREADED:
		return ", threaded NAPI";
	default:
		return "";
	}
}

int
rtap_napi_open_flag(const struct rtap_dev *rtap)
{
	return rtap->napi.mode == RTAP_NAPI_OFF ? 0 : IFF_NAPI;
}

/*
 * Choice
 */

bool
rtap_napi_threads_pay(unsigned int nb_cpus, unsigned int nb_lcores, bool large)
{
	return nb_cpus >= RTAP_NAPI_CPUS_MIN &&
		nb_cpus >= nb_lcores + (large ? RTAP_NAPI_SPARE_LARGE : RTAP_NAPI_SPARE);
}

/* The kernel's threads may run on any. */
static unsigned int
nb_cpus_online(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? n : 1;
}

/* In containers, sysfs is often read-only. Every namespace has this interface. */
static bool
sysfs_is_writable(void)
{
	return access(RTAP_SYSFS_NET "lo/threaded", W_OK) == 0;
}

static void
set_mode(struct rtap_dev *rtap, enum rtap_napi_mode mode)
{
	struct rtap_napi *napi = &rtap->napi;

	napi->mode = mode;
	napi->sndbuf = napi->sndbuf_asked;
	if (napi->sndbuf == 0 && mode != RTAP_NAPI_OFF)
		napi->sndbuf = RTAP_NAPI_SNDBUF;
}

void
rtap_napi_open(struct rtap_dev *rtap, enum rtap_napi_mode mode, uint32_t sndbuf)
{
	rtap->napi = (struct rtap_napi){
		.asked = mode,
		.sndbuf_asked = sndbuf,
		.dir = -ENOENT,
	};
	rtap_napi_choose(rtap, false);
}

void
rtap_napi_choose(struct rtap_dev *rtap, bool large)
{
	enum rtap_napi_mode mode = rtap->napi.asked;

	if (mode == RTAP_NAPI_AUTO)
		mode = rtap_napi_threads_pay(nb_cpus_online(), rte_lcore_count(), large) &&
			sysfs_is_writable() ? RTAP_NAPI_THREADED : RTAP_NAPI_OFF;
	set_mode(rtap, mode);
}

/* The kernel tells of the file that was opened first (tun_set_iff()); all should be alike. */
int
rtap_napi_follow(struct rtap_dev *rtap)
{
	enum rtap_napi_mode asked = rtap->napi.asked;
	unsigned int flags;
	bool has;
	int ret;

	ret = rtap_tap_get_flags(rtap_files_ctl(&rtap->files), &flags, NULL);
	if (ret != 0)
		return ret;
	has = (flags & IFF_NAPI) != 0;
	if (asked != RTAP_NAPI_AUTO && has != (asked != RTAP_NAPI_OFF)) {
		PMD_LOG(ERR, "%s: " RTAP_ARG_NAPI "=%s: the file has %s: open it %s IFF_NAPI",
			rtap->ifname, napi_modes[asked], has ? "NAPI" : "no NAPI",
			has ? "without" : "with");
		return -EINVAL;
	}
	if (!has)
		set_mode(rtap, RTAP_NAPI_OFF);
	else if (rtap->napi.mode == RTAP_NAPI_OFF)
		set_mode(rtap, RTAP_NAPI_ON);
	return 0;
}

/*
 * sysfs
 */

static int
attr_read(int dir, const char *name, char *text, size_t size)
{
	ssize_t len;
	int fd, ret;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, text, size - 1);
	ret = len < 0 ? -errno : 0;
	close(fd);
	if (ret == 0)
		text[len] = '\0';
	return ret;
}

static int
attr_get(int dir, const char *name, uint32_t *value)
{
	char text[32];
	int ret;

	ret = attr_read(dir, name, text, sizeof(text));
	if (ret == 0)
		*value = strtoul(text, NULL, 10);
	return ret;
}

static int
attr_set(int dir, const char *name, uint32_t value)
{
	char text[32];
	int fd, len, ret = 0;

	fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = snprintf(text, sizeof(text), "%" PRIu32, value);
	if (write(fd, text, len) != len)
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * Is this our interface's directory? /sys shows the network namespace of the process that mounted
 * it, where the name, the index and the address may be another's. But whoever has the file can
 * switch the carrier, of which the kernel counts the changes. Afterwards it is off.
 */
static bool
dir_is_ours(const struct rtap_dev *rtap, int dir)
{
	int fd = rtap_files_ctl(&rtap->files);
	uint32_t ifindex, before, after;

	return attr_get(dir, "ifindex", &ifindex) == 0 && ifindex == rtap->ifindex &&
		rtap_tap_set_carrier(fd, true) == 0 &&
		attr_get(dir, "carrier_changes", &before) == 0 &&
		rtap_tap_set_carrier(fd, false) == 0 &&
		attr_get(dir, "carrier_changes", &after) == 0 && after == before + 1;
}

static int
dir_open(const struct rtap_dev *rtap)
{
	char path[sizeof(RTAP_SYSFS_NET) + IF_NAMESIZE];
	int dir;

	snprintf(path, sizeof(path), RTAP_SYSFS_NET "%s", rtap->ifname);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	if (dir_is_ours(rtap, dir))
		return dir;
	close(dir);
	return -ENOENT;
}

/* Can files with NAPI be had instead of those without, and the other way round? */
static bool
files_can_change(const struct rtap_files *files)
{
	return files->multi_queue && !files->given;
}

void
rtap_napi_find(struct rtap_dev *rtap)
{
	struct rtap_napi *napi = &rtap->napi;

	if (napi->mode == RTAP_NAPI_THREADED ||
	    (napi->asked == RTAP_NAPI_AUTO && files_can_change(&rtap->files)))
		napi->dir = dir_open(rtap);
}

static const char *
threads_advice(int err)
{
	switch (-err) {
	case ENOENT:
		return "/sys shows another network namespace, or is not mounted";
	case EROFS:
	case EACCES:
	case EPERM:
		return "/sys/class/net may not be written to";
	default:
		return strerror(-err);
	}
}

static int
attrs_get(int dir, uint32_t values[RTAP_NAPI_NB_ATTRS])
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < RTAP_NAPI_NB_ATTRS && ret == 0; i++)
		ret = attr_get(dir, napi_attrs[i].name, &values[i]);
	return ret;
}

/* What is not as we left it is somebody else's by now. */
static void
attrs_put_back(int dir, const uint32_t found[RTAP_NAPI_NB_ATTRS])
{
	uint32_t now[RTAP_NAPI_NB_ATTRS];
	unsigned int i;

	if (attrs_get(dir, now) != 0)
		return;
	for (i = 0; i < RTAP_NAPI_NB_ATTRS; i++)
		if (now[i] == napi_attrs[i].value && found[i] != now[i])
			attr_set(dir, napi_attrs[i].name, found[i]);
}

static int
attrs_change(int dir, uint32_t found[RTAP_NAPI_NB_ATTRS])
{
	unsigned int i;
	int ret;

	ret = attrs_get(dir, found);
	if (ret != 0)
		return ret;
	for (i = 0; i < RTAP_NAPI_NB_ATTRS && ret == 0; i++)
		ret = attr_set(dir, napi_attrs[i].name, napi_attrs[i].value);
	if (ret != 0)
		attrs_put_back(dir, found);
	return ret;
}

static int
threads_on(struct rtap_dev *rtap)
{
	struct rtap_napi *napi = &rtap->napi;
	int ret;

	if (napi->changed)
		return 0;
	if (napi->dir < 0)
		return napi->dir;
	ret = attrs_change(napi->dir, napi->found);
	napi->changed = ret == 0;
	return ret;
}

/*
 * To switch threads off while a queue is detached hangs the kernel (seen with Linux 6.18), and
 * with it everybody who configures an interface. Our files are attached first; those that were
 * closed a moment ago are waited for.
 */
static bool
threads_may_stop(struct rtap_dev *rtap)
{
	struct rtap_link_info info;
	unsigned int i;

	if (rtap_files_attach(&rtap->files) != 0)
		return false;
	for (i = 0; i < RTAP_RETRIES; i++) {
		if (i > 0)
			rte_delay_us_sleep(RTAP_RETRY_US);
		if (rtap_link_get(rtap->nl, &info) != 0 || !info.here)
			return false;
		if (info.nb_detached == 0)
			return true;
	}
	return false;
}

void
rtap_napi_put_back(struct rtap_dev *rtap)
{
	if (!rtap->napi.changed)
		return;
	if (threads_may_stop(rtap))
		attrs_put_back(rtap->napi.dir, rtap->napi.found);
	else
		PMD_LOG(NOTICE, "%s: NAPI threads and timeouts in sysfs are left as they are",
			rtap->ifname);
}

void
rtap_napi_close(struct rtap_dev *rtap)
{
	if (rtap->napi.dir >= 0)
		close(rtap->napi.dir);
	rtap->napi.dir = -ENOENT;
	rtap->napi.changed = false;
}

/*
 * Application
 */

/* Without the threads that were chosen for want of a better choice, there is no point in NAPI. */
static int
napi_switch(struct rtap_dev *rtap)
{
	struct rtap_napi *napi = &rtap->napi;
	int ret;

	ret = napi->mode == RTAP_NAPI_THREADED ? threads_on(rtap) : 0;
	if (ret == 0)
		return 0;
	if (napi->asked != RTAP_NAPI_AUTO) {
		PMD_LOG(ERR, "%s: " RTAP_ARG_NAPI "=threaded: %s", rtap->ifname,
			threads_advice(ret));
		return ret;
	}
	PMD_LOG(INFO, "%s: no threaded NAPI: %s", rtap->ifname, threads_advice(ret));
	napi->asked = files_can_change(&rtap->files) ? RTAP_NAPI_OFF : RTAP_NAPI_ON;
	set_mode(rtap, napi->asked);
	return 0;
}

/* Files take NAPI, or not, when they are opened. Without new ones, the mode is as before. */
static int
files_follow(struct rtap_dev *rtap, enum rtap_napi_mode before)
{
	bool same = (rtap->napi.mode == RTAP_NAPI_OFF) == (before == RTAP_NAPI_OFF);
	int ret;

	ret = same ? 0 : rtap_files_renew(rtap);
	if (ret != 0)
		set_mode(rtap, before);
	return ret;
}

static int
napi_set_sndbuf(struct rtap_dev *rtap)
{
	int ret;

	ret = rtap_tap_set_sndbuf(rtap_files_ctl(&rtap->files), rtap->napi.sndbuf);
	if (ret != 0)
		PMD_LOG(ERR, "%s: cannot set the send buffer: %s", rtap->ifname, strerror(-ret));
	return ret;
}

/* Threads can be had when there is a file with NAPI. */
static int
napi_apply(struct rtap_dev *rtap, enum rtap_napi_mode before)
{
	struct rtap_napi *napi = &rtap->napi;
	int ret;

	ret = files_follow(rtap, before);
	before = napi->mode == RTAP_NAPI_OFF ? RTAP_NAPI_OFF : RTAP_NAPI_ON; /* without threads */
	if (ret == 0)
		ret = napi_switch(rtap);
	if (ret == 0)
		ret = files_follow(rtap, before);
	if (ret == 0)
		ret = napi_set_sndbuf(rtap);
	if (ret != 0)
		return ret;
	/* With SQPOLL, to keep order is to wait in bursts: only for who asks for the limit. */
	rtap->caps.ordered = (rtap->caps.sqpoll ? napi->sndbuf_asked : napi->sndbuf) != 0;
	PMD_LOG(INFO, "%s: " RTAP_ARG_NAPI "=%s%s, %u CPUs, %u lcores", rtap->ifname,
		napi->asked == RTAP_NAPI_AUTO ? "auto, which means " : "",
		napi_modes[napi->mode], nb_cpus_online(), rte_lcore_count());
	return 0;
}

int
rtap_napi_apply(struct rtap_dev *rtap)
{
	return napi_apply(rtap, rtap->napi.mode);
}

int
rtap_napi_configure(struct rtap_dev *rtap, bool large)
{
	enum rtap_napi_mode before = rtap->napi.mode;
	struct rtap_link_info info;
	int ret;

	/* New files have to be opened by name, in the namespace of this process, beside the old. */
	if (rtap->napi.asked != RTAP_NAPI_AUTO || !files_can_change(&rtap->files) ||
	    rtap_link_get(rtap->nl, &info) != 0 || !info.here)
		return 0;
	rtap_napi_choose(rtap, large);
	ret = rtap->napi.mode == before ? 0 : napi_apply(rtap, before);
	if (ret != 0)
		rtap->napi.asked = RTAP_NAPI_AUTO; /* choose again next time */
	return ret;
}
