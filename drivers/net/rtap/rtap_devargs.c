/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_kvargs.h>
#include <rte_string_fns.h>

#include "rtap.h"
#include "rtap_devargs.h"

#define RTAP_IFACE_DEFAULT "rtap%d"

/* The kernel's own rule is dev_valid_name() of net/core/dev.c. */
static int
parse_iface(const char *value, struct rtap_devargs *args)
{
	const char *c;

	if (value == NULL || value[0] == '\0' || strlen(value) >= sizeof(args->iface) ||
	    strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
		return -EINVAL;
	for (c = value; *c != '\0'; c++)
		if (*c == '/' || *c == ':' || isspace((unsigned char)*c))
			return -EINVAL;
	rte_strscpy(args->iface, value, sizeof(args->iface));
	return 0;
}

/* Whether these are files that can be used is seen when they are taken. */
static int
parse_fd(const char *value, struct rtap_devargs *args)
{
	const char *number = value;
	unsigned long fd;
	char *end;

	do {
		if (number == NULL || !isdigit((unsigned char)*number) ||
		    args->nb_fds == RTE_DIM(args->fds))
			return -EINVAL;
		errno = 0;
		fd = strtoul(number, &end, 10);
		if (errno != 0 || fd > INT_MAX)
			return -EINVAL;
		args->fds[args->nb_fds++] = fd;
		number = end + 1;
	} while (*end == ':');
	return *end == '\0' ? 0 : -EINVAL;
}

/* A key without a value switches on. */
static int
parse_switch(const char *value, bool *on)
{
	*on = value == NULL || strcmp(value, "1") == 0;
	return *on || strcmp(value, "0") == 0 ? 0 : -EINVAL;
}

static int
parse_persist(const char *value, struct rtap_devargs *args)
{
	bool on;
	int ret = parse_switch(value, &on);

	args->persist = on ? RTAP_PERSIST_ON : RTAP_PERSIST_OFF;
	return ret;
}

static int
parse_uso(const char *value, struct rtap_devargs *args)
{
	return parse_switch(value, &args->uso);
}

static int
parse_mac(const char *value, struct rtap_devargs *args)
{
	if (value == NULL)
		return -EINVAL;
	if (strcmp(value, "fixed") == 0) {
		args->mac_mode = RTAP_MAC_FIXED;
		return 0;
	}
	args->mac_mode = RTAP_MAC_GIVEN;
	if (rte_ether_unformat_addr(value, &args->mac) != 0 ||
	    !rte_is_valid_assigned_ether_addr(&args->mac))
		return -EINVAL;
	return 0;
}

/* The index of a value in a list of names, or -EINVAL. */
static int
parse_name(const char *value, const char * const *names, size_t n)
{
	size_t i;

	for (i = 0; value != NULL && i < n; i++)
		if (strcmp(value, names[i]) == 0)
			return i;
	return -EINVAL;
}

/* The kernel's limit is ethtool_validate_speed() of linux/ethtool.h. */
static int
parse_speed(const char *value, struct rtap_devargs *args)
{
	unsigned long speed;

	if (value == NULL || value[0] == '\0' || value[strspn(value, "0123456789")] != '\0')
		return -EINVAL;
	speed = strtoul(value, NULL, 10);
	if (speed < 1 || speed > INT32_MAX)
		return -EINVAL;
	args->speed = speed;
	return 0;
}

static int
parse_io(const char *value, struct rtap_devargs *args)
{
	static const char * const names[] = {
		[RTAP_IO_AUTO] = "auto",
		[RTAP_IO_URING] = "uring",
		[RTAP_IO_RW] = "rw",
	};
	int io = parse_name(value, names, RTE_DIM(names));

	if (io < 0)
		return io;
	args->io = io;
	return 0;
}

static int
parse_napi(const char *value, struct rtap_devargs *args)
{
	static const char * const names[] = {
		[RTAP_NAPI_AUTO] = "auto",
		[RTAP_NAPI_OFF] = "off",
		[RTAP_NAPI_ON] = "on",
		[RTAP_NAPI_THREADED] = "threaded",
	};
	int napi = parse_name(value, names, RTE_DIM(names));

	if (napi < 0)
		return napi;
	args->napi = napi;
	return 0;
}

static int
parse_sndbuf(const char *value, struct rtap_devargs *args)
{
	unsigned long size;
	char *end;

	/* strtoul() would take a sign, and spaces before it. */
	if (value == NULL || !isdigit((unsigned char)value[0]))
		return -EINVAL;
	errno = 0;
	size = strtoul(value, &end, 10);
	if (errno != 0 || *end != '\0' || size < RTAP_SNDBUF_MIN || size > RTAP_SNDBUF_MAX)
		return -EINVAL;
	args->sndbuf = size;
	return 0;
}

static int
parse_sqpoll(const char *value, struct rtap_devargs *args)
{
	if (value != NULL && strcmp(value, "0") == 0)
		return 0;
	args->sqpoll.per_queue = value != NULL && strcmp(value, "queue") == 0;
	args->sqpoll.on = value == NULL || strcmp(value, "1") == 0 || args->sqpoll.per_queue;
	return args->sqpoll.on ? 0 : -EINVAL;
}

/* Digits only, which strtoul() alone does not ask for. */
static int
parse_number(const char *value, unsigned long max, unsigned long *number)
{
	char *end;

	if (value == NULL || !isdigit((unsigned char)value[0]))
		return -EINVAL;
	errno = 0;
	*number = strtoul(value, &end, 10);
	return *end == '\0' && errno == 0 && *number <= max ? 0 : -EINVAL;
}

static int
parse_sqpoll_cpu(const char *value, struct rtap_devargs *args)
{
	unsigned long cpu;

	if (parse_number(value, UINT16_MAX, &cpu) != 0)
		return -EINVAL;
	args->sqpoll.pinned = true;
	args->sqpoll.cpu = cpu;
	return 0;
}

static int
parse_sqpoll_idle(const char *value, struct rtap_devargs *args)
{
	unsigned long ms;

	if (parse_number(value, RTAP_SQPOLL_IDLE_MAX, &ms) != 0 || ms == 0)
		return -EINVAL;
	args->sqpoll.idle_ms = ms;
	return 0;
}

static const struct {
	const char *key;
	int (*parse)(const char *value, struct rtap_devargs *args);
	const char *allowed;
} rtap_args[] = {
	{ RTAP_ARG_IFACE, parse_iface, "a name of 1 to 15 characters without '/', ':' or space" },
	{ RTAP_ARG_FD, parse_fd, "the number of an open file, or up to 256 such as 5:6:7" },
	{ RTAP_ARG_PERSIST, parse_persist, "0 or 1" },
	{ RTAP_ARG_MAC, parse_mac, "'fixed' or a unicast address like 02:00:00:00:00:01" },
	{ RTAP_ARG_SPEED, parse_speed, "a number of Mb/s from 1 to 2147483647" },
	{ RTAP_ARG_IO, parse_io, "'auto', 'uring' or 'rw'" },
	{ RTAP_ARG_USO, parse_uso, "0 or 1" },
	{ RTAP_ARG_NAPI, parse_napi, "'auto', 'off', 'on' or 'threaded'" },
	{ RTAP_ARG_SNDBUF, parse_sndbuf,
		"a number of bytes from " RTE_STR(RTAP_SNDBUF_MIN) " to "
		RTE_STR(RTAP_SNDBUF_MAX) },
	{ RTAP_ARG_SQPOLL, parse_sqpoll, "0, 1 or 'queue'" },
	{ RTAP_ARG_SQPOLL_CPU, parse_sqpoll_cpu, "the number of a CPU that is online" },
	{ RTAP_ARG_SQPOLL_IDLE, parse_sqpoll_idle,
		"a time from 1 to " RTE_STR(RTAP_SQPOLL_IDLE_MAX) " ms" },
};

static int
parse_pair(const struct rte_kvargs *list, const struct rte_kvargs_pair *pair,
		struct rtap_devargs *args)
{
	size_t i;
	int ret;

	for (i = 0; i < RTE_DIM(rtap_args); i++) {
		if (strcmp(pair->key, rtap_args[i].key) != 0)
			continue;
		if (rte_kvargs_count(list, pair->key) > 1) {
			PMD_LOG(ERR, "argument '%s' is given more than once", pair->key);
			return -EINVAL;
		}
		ret = rtap_args[i].parse(pair->value, args);
		if (ret != 0)
			PMD_LOG(ERR, "argument '%s': bad value '%s', allowed is %s", pair->key,
				pair->value == NULL ? "" : pair->value, rtap_args[i].allowed);
		return ret;
	}
	PMD_LOG(ERR, "unknown argument '%s', allowed are: %s", pair->key, RTAP_PARAM_STRING);
	return -EINVAL;
}

/* Name and life of an interface are decided where its file is opened. */
static int
check_together(const struct rte_kvargs *list)
{
	static const char * const others[] = { RTAP_ARG_IFACE, RTAP_ARG_PERSIST };
	size_t i;

	for (i = 0; i < RTE_DIM(others); i++) {
		if (rte_kvargs_count(list, RTAP_ARG_FD) > 0 &&
		    rte_kvargs_count(list, others[i]) > 0) {
			PMD_LOG(ERR, "argument '%s' cannot be given together with '" RTAP_ARG_FD
				"': whoever opens the file decides that", others[i]);
			return -EINVAL;
		}
	}
	return 0;
}

/* Arguments that make no sense without, or with, others. */
static int
check_sqpoll(struct rtap_devargs *args)
{
	struct rtap_sqpoll_conf *conf = &args->sqpoll;

	if (!conf->on && (conf->pinned || conf->idle_ms != 0)) {
		PMD_LOG(ERR, "argument '%s' needs " RTAP_ARG_SQPOLL "=1%s",
			conf->pinned ? RTAP_ARG_SQPOLL_CPU : RTAP_ARG_SQPOLL_IDLE,
			conf->pinned ? "" : " or " RTAP_ARG_SQPOLL "=queue");
		return -EINVAL;
	}
	if (conf->per_queue && conf->pinned) {
		PMD_LOG(ERR, "argument '" RTAP_ARG_SQPOLL_CPU "' cannot be given together with "
			RTAP_ARG_SQPOLL "=queue, whose threads would share that CPU: use "
			RTAP_ARG_SQPOLL "=1, or leave it out");
		return -EINVAL;
	}
	if (conf->on && args->io == RTAP_IO_RW) {
		PMD_LOG(ERR, "argument '" RTAP_ARG_SQPOLL "' needs io_uring, and " RTAP_ARG_IO
			"=rw forbids it: leave one of them out");
		return -EINVAL;
	}
	if (conf->idle_ms == 0)
		conf->idle_ms = RTAP_SQPOLL_IDLE_DEFAULT;
	return 0;
}

int
rtap_devargs_parse(const char *str, struct rtap_devargs *args)
{
	struct rte_kvargs *list;
	unsigned int i;
	int ret = 0;

	*args = (struct rtap_devargs){ .iface = RTAP_IFACE_DEFAULT };
	if (str == NULL || str[0] == '\0')
		return 0;
	list = rte_kvargs_parse(str, NULL);
	if (list == NULL) {
		PMD_LOG(ERR, "cannot parse arguments '%s', allowed are: %s", str,
			RTAP_PARAM_STRING);
		return -EINVAL;
	}
	for (i = 0; i < list->count && ret == 0; i++)
		ret = parse_pair(list, &list->pairs[i], args);
	if (ret == 0)
		ret = check_together(list);
	rte_kvargs_free(list);
	return ret != 0 ? ret : check_sqpoll(args);
}
