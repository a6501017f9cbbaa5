/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <ctype.h>
#include <errno.h>
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

static int
parse_persist(const char *value, struct rtap_devargs *args)
{
	if (value == NULL || strcmp(value, "1") == 0)
		args->persist = RTAP_PERSIST_ON;
	else if (strcmp(value, "0") == 0)
		args->persist = RTAP_PERSIST_OFF;
	else
		return -EINVAL;
	return 0;
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
	size_t i;

	for (i = 0; value != NULL && i < RTE_DIM(names); i++) {
		if (strcmp(value, names[i]) == 0) {
			args->io = i;
			return 0;
		}
	}
	return -EINVAL;
}

static const struct {
	const char *key;
	int (*parse)(const char *value, struct rtap_devargs *args);
	const char *allowed;
} rtap_args[] = {
	{ RTAP_ARG_IFACE, parse_iface, "a name of 1 to 15 characters without '/', ':' or space" },
	{ RTAP_ARG_PERSIST, parse_persist, "0 or 1" },
	{ RTAP_ARG_MAC, parse_mac, "'fixed' or a unicast address like 02:00:00:00:00:01" },
	{ RTAP_ARG_SPEED, parse_speed, "a number of Mb/s from 1 to 2147483647" },
	{ RTAP_ARG_IO, parse_io, "'auto', 'uring' or 'rw'" },
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
	rte_kvargs_free(list);
	return ret;
}
