/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_devargs.[ch]: what is taken, what is refused, and what is said about it. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_log.h>

#include "rtap_devargs.h"
#include "unit.h"

static char *log_text;
static size_t log_len;
static FILE *log_file;
static struct rtap_devargs args;

static int
parse(const char *str)
{
	rewind(log_file);
	memset(&args, 0xff, sizeof(args));
	return rtap_devargs_parse(str, &args);
}

static const char *
said(void)
{
	fflush(log_file);
	log_text[ftell(log_file)] = '\0';
	return log_text;
}

/* Refused, with one line that holds both words. */
static bool
refuses(const char *str, const char *key, const char *allowed)
{
	const char *text;

	if (parse(str) != -EINVAL)
		return false;
	text = said();
	if (strstr(text, key) != NULL && strstr(text, allowed) != NULL &&
	    strchr(text, '\n') == text + strlen(text) - 1)
		return true;
	printf("\n    '%s' -> %s", str, text);
	return false;
}

static bool
takes(const char *str)
{
	return parse(str) == 0 && said()[0] == '\0';
}

static bool
takes_iface(const char *str, const char *name)
{
	return takes(str) && strcmp(args.iface, name) == 0;
}

static void
test_defaults(void)
{
	static const char * const none[] = { NULL, "" };
	unsigned int i;

	for (i = 0; i < RTE_DIM(none); i++) {
		CU_ASSERT(takes(none[i]));
		CU_ASSERT_STRING_EQUAL(args.iface, "rtap%d");
		CU_ASSERT_EQUAL(args.nb_fds, 0);
		CU_ASSERT_EQUAL(args.persist, RTAP_PERSIST_KEEP);
		CU_ASSERT_EQUAL(args.mac_mode, RTAP_MAC_KERNEL);
		CU_ASSERT_EQUAL(args.speed, 0);
		CU_ASSERT_EQUAL(args.io, RTAP_IO_AUTO);
		CU_ASSERT(!args.sqpoll.on);
	}
	CU_ASSERT_EQUAL(args.napi, RTAP_NAPI_AUTO);
	CU_ASSERT_EQUAL(args.sndbuf, 0);
	/* One given, the others not. */
	CU_ASSERT(takes("persist=1"));
	CU_ASSERT_STRING_EQUAL(args.iface, "rtap%d");
	CU_ASSERT_EQUAL(args.mac_mode, RTAP_MAC_KERNEL);
	CU_ASSERT_EQUAL(args.io, RTAP_IO_AUTO);
	CU_ASSERT_FALSE(args.uso);
}

static void
test_all(void)
{
	static const struct rte_ether_addr mac = {{ 0x02, 0, 0, 0xab, 0xcd, 0xef }};

	CU_ASSERT(takes("iface=tap7,persist=1,mac=02:00:00:ab:CD:ef,speed=25000,io=uring,napi=on,"
		"sndbuf=65537"));
	CU_ASSERT_STRING_EQUAL(args.iface, "tap7");
	CU_ASSERT_EQUAL(args.persist, RTAP_PERSIST_ON);
	CU_ASSERT_EQUAL(args.mac_mode, RTAP_MAC_GIVEN);
	CU_ASSERT(rte_is_same_ether_addr(&args.mac, &mac));
	CU_ASSERT_EQUAL(args.speed, 25000);
	CU_ASSERT_EQUAL(args.io, RTAP_IO_URING);
	CU_ASSERT_EQUAL(args.napi, RTAP_NAPI_ON);
	CU_ASSERT_EQUAL(args.sndbuf, 65537);

	CU_ASSERT(takes("io=rw,mac=fixed,persist=0,iface=x"));
	CU_ASSERT_STRING_EQUAL(args.iface, "x");
	CU_ASSERT_EQUAL(args.persist, RTAP_PERSIST_OFF);
	CU_ASSERT_EQUAL(args.mac_mode, RTAP_MAC_FIXED);
	CU_ASSERT_EQUAL(args.io, RTAP_IO_RW);
}

static void
test_iface(void)
{
	static const char * const bad[] = {
		"iface", "iface=", "iface=1234567890123456", "iface=a/b", "iface=/", "iface=a b",
		"iface= a", "iface=a ", "iface=a:b", "iface=:", "iface=.", "iface=..", "iface=a\tb",
		"iface=12345678901234567890123456789012345678901234567890",
	};
	unsigned int i;

	CU_ASSERT(takes_iface("iface=a", "a"));
	CU_ASSERT(takes_iface("iface=123456789012345", "123456789012345"));
	CU_ASSERT(takes_iface("iface=tap%d", "tap%d"));
	CU_ASSERT(takes_iface("iface=...", "..."));
	CU_ASSERT(takes_iface("iface=.a", ".a"));
	CU_ASSERT(takes_iface("iface=a-b_c.100@\xc3\xa4", "a-b_c.100@\xc3\xa4"));
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'iface'", "1 to 15 characters"));
	/* The message repeats the newline. */
	CU_ASSERT_EQUAL(parse("iface=a\nb"), -EINVAL);
}

static void
test_fd(void)
{
	static const char * const bad[] = {
		"fd", "fd=", "fd=-1", "fd=a", "fd= 3", "fd=3 ", "fd=+3", "fd=3:", "fd=:3", "fd=3::4",
		"fd=3;4", "fd=3-5", "fd=0x3", "fd=2147483648", "fd=99999999999999999999",
	};
	char many[8 + 4 * (RTAP_QUEUES_MAX + 1)] = "fd=1";
	unsigned int i;

	CU_ASSERT(takes("fd=0"));
	CU_ASSERT_EQUAL(args.nb_fds, 1);
	CU_ASSERT_EQUAL(args.fds[0], 0);
	CU_ASSERT(takes("io=rw,fd=7:5:2147483647,mac=fixed"));
	CU_ASSERT_EQUAL(args.nb_fds, 3);
	CU_ASSERT_EQUAL(args.fds[0], 7);
	CU_ASSERT_EQUAL(args.fds[1], 5);
	CU_ASSERT_EQUAL(args.fds[2], INT_MAX);
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'fd'", "the number of an open file"));

	for (i = 1; i < RTAP_QUEUES_MAX; i++)
		strcat(many, ":1");
	CU_ASSERT(takes(many));
	CU_ASSERT_EQUAL(args.nb_fds, RTAP_QUEUES_MAX);
	strcat(many, ":1");
	CU_ASSERT(refuses(many, "'fd'", "up to 256"));

	CU_ASSERT(refuses("fd=3,iface=a", "'iface'", "together with 'fd'"));
	CU_ASSERT(refuses("iface=rtap%d,fd=3", "'iface'", "together with 'fd'"));
	CU_ASSERT(refuses("persist,fd=3", "'persist'", "together with 'fd'"));
	CU_ASSERT(refuses("fd=3,persist=0", "'persist'", "together with 'fd'"));
}

static void
test_persist(void)
{
	static const char * const bad[] = {
		"persist=2", "persist=-1", "persist=01", "persist=yes", "persist=on", "persist=",
		"persist=1 ", "persist= 1", "persist=1x",
	};
	unsigned int i;

	CU_ASSERT(takes("persist"));
	CU_ASSERT_EQUAL(args.persist, RTAP_PERSIST_ON);
	CU_ASSERT(takes("persist,iface=a"));
	CU_ASSERT_EQUAL(args.persist, RTAP_PERSIST_ON);
	CU_ASSERT(takes("iface=a,persist"));
	CU_ASSERT_EQUAL(args.persist, RTAP_PERSIST_ON);
	CU_ASSERT(takes("persist=1"));
	CU_ASSERT_EQUAL(args.persist, RTAP_PERSIST_ON);
	CU_ASSERT(takes("persist=0"));
	CU_ASSERT_EQUAL(args.persist, RTAP_PERSIST_OFF);
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'persist'", "0 or 1"));
}

static void
test_mac(void)
{
	static const char * const bad[] = {
		"mac", "mac=", "mac=Fixed", "mac=fixed1", "mac=02:00:00:00:00", "mac=02:00:00:00:00:0g",
		"mac=02:00:00:00:00:01:02", "mac=02:00:00:00:00:01 ", "mac=00:00:00:00:00:00",
		"mac=01:00:00:00:00:01", "mac=ff:ff:ff:ff:ff:ff", "mac=02:00:00:00:00:100", "mac=random",
	};
	unsigned int i;

	CU_ASSERT(takes("mac=fixed"));
	CU_ASSERT_EQUAL(args.mac_mode, RTAP_MAC_FIXED);
	CU_ASSERT(takes("mac=00:11:22:33:44:55"));
	CU_ASSERT_EQUAL(args.mac_mode, RTAP_MAC_GIVEN);
	CU_ASSERT_EQUAL(args.mac.addr_bytes[0], 0x00);
	CU_ASSERT_EQUAL(args.mac.addr_bytes[5], 0x55);
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'mac'", "'fixed' or a unicast address"));
}

static void
test_speed(void)
{
	static const char * const bad[] = {
		"speed", "speed=", "speed=0", "speed=-1", "speed=+1", "speed= 1", "speed=1 ", "speed=10G",
		"speed=0x10", "speed=1.5", "speed=2147483648", "speed=4294967297",
		"speed=18446744073709551617",
	};
	unsigned int i;

	CU_ASSERT(takes("speed=1"));
	CU_ASSERT_EQUAL(args.speed, 1);
	CU_ASSERT(takes("speed=010"));
	CU_ASSERT_EQUAL(args.speed, 10);
	CU_ASSERT(takes("speed=2147483647"));
	CU_ASSERT_EQUAL(args.speed, 2147483647);
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'speed'", "from 1 to 2147483647"));
}

static void
test_io(void)
{
	static const char * const bad[] = {
		"io", "io=", "io=Auto", "io=io_uring", "io=rw ", "io=readv", "io=0", "io=autorw",
	};
	unsigned int i;

	CU_ASSERT(takes("io=auto"));
	CU_ASSERT_EQUAL(args.io, RTAP_IO_AUTO);
	CU_ASSERT(takes("io=uring"));
	CU_ASSERT_EQUAL(args.io, RTAP_IO_URING);
	CU_ASSERT(takes("io=rw"));
	CU_ASSERT_EQUAL(args.io, RTAP_IO_RW);
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'io'", "'auto', 'uring' or 'rw'"));
}

static void
test_uso(void)
{
	static const char * const bad[] = { "uso=", "uso=2", "uso=on", "uso=1 " };
	unsigned int i;

	CU_ASSERT(takes("uso") && args.uso);
	CU_ASSERT(takes("uso=1,iface=a") && args.uso);
	CU_ASSERT(takes("uso=0") && !args.uso);
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'uso'", "0 or 1"));
}

static void
test_napi(void)
{
	static const char * const bad[] = {
		"napi", "napi=", "napi=On", "napi=1", "napi=0", "napi=threads", "napi=on ",
	};
	unsigned int i;

	CU_ASSERT(takes("napi=auto"));
	CU_ASSERT_EQUAL(args.napi, RTAP_NAPI_AUTO);
	CU_ASSERT(takes("napi=off"));
	CU_ASSERT_EQUAL(args.napi, RTAP_NAPI_OFF);
	CU_ASSERT(takes("napi=on"));
	CU_ASSERT_EQUAL(args.napi, RTAP_NAPI_ON);
	CU_ASSERT(takes("napi=threaded"));
	CU_ASSERT_EQUAL(args.napi, RTAP_NAPI_THREADED);
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'napi'", "'auto', 'off', 'on' or 'threaded'"));
}

static void
test_sndbuf(void)
{
	static const char * const bad[] = {
		"sndbuf", "sndbuf=", "sndbuf=0", "sndbuf=65535", "sndbuf=1073741825", "sndbuf=-1",
		"sndbuf=+65536", "sndbuf= 65536", "sndbuf=65536 ", "sndbuf=64k", "sndbuf=0x10000",
		"sndbuf=4295032832", "sndbuf=99999999999999999999999", "sndbuf=unlimited",
	};
	unsigned int i;

	CU_ASSERT(takes("sndbuf=65536"));
	CU_ASSERT_EQUAL(args.sndbuf, 65536);
	CU_ASSERT(takes("sndbuf=1073741824"));
	CU_ASSERT_EQUAL(args.sndbuf, 1073741824);
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'sndbuf'", "bytes from 65536 to 1073741824"));
}

static void
test_sqpoll(void)
{
	static const char * const bad[] = {
		"sqpoll=2", "sqpoll=", "sqpoll=on", "sqpoll=01", "sqpoll=1 ", "sqpoll=queues",
	};
	static const char * const bad_cpu[] = {
		"sqpoll=1,sqpoll_cpu", "sqpoll=1,sqpoll_cpu=", "sqpoll=1,sqpoll_cpu=-1",
		"sqpoll=1,sqpoll_cpu= 1", "sqpoll=1,sqpoll_cpu=0x1", "sqpoll=1,sqpoll_cpu=1-2",
		"sqpoll=1,sqpoll_cpu=65536", "sqpoll=1,sqpoll_cpu=99999999999999999999",
	};
	static const char * const bad_idle[] = {
		"sqpoll=1,sqpoll_idle", "sqpoll=1,sqpoll_idle=", "sqpoll=1,sqpoll_idle=0",
		"sqpoll=1,sqpoll_idle=-1", "sqpoll=1,sqpoll_idle=60001", "sqpoll=1,sqpoll_idle=1ms",
	};
	unsigned int i;

	CU_ASSERT(takes("sqpoll=0"));
	CU_ASSERT(!args.sqpoll.on);
	CU_ASSERT(takes("sqpoll=0,io=rw"));
	CU_ASSERT(takes("sqpoll"));
	CU_ASSERT(args.sqpoll.on && !args.sqpoll.pinned && !args.sqpoll.per_queue);
	CU_ASSERT_EQUAL(args.sqpoll.idle_ms, RTAP_SQPOLL_IDLE_DEFAULT);
	CU_ASSERT(takes("sqpoll_cpu=0,sqpoll_idle=1,sqpoll=1,io=uring"));
	CU_ASSERT(args.sqpoll.on && args.sqpoll.pinned);
	CU_ASSERT_EQUAL(args.sqpoll.cpu, 0);
	CU_ASSERT_EQUAL(args.sqpoll.idle_ms, 1);
	CU_ASSERT(takes("sqpoll=1,sqpoll_cpu=65535,sqpoll_idle=60000"));
	CU_ASSERT(args.sqpoll.on && !args.sqpoll.per_queue);
	CU_ASSERT_EQUAL(args.sqpoll.cpu, 65535);
	CU_ASSERT_EQUAL(args.sqpoll.idle_ms, 60000);
	CU_ASSERT(takes("sqpoll=queue,sqpoll_idle=7"));
	CU_ASSERT(args.sqpoll.on && args.sqpoll.per_queue && !args.sqpoll.pinned);
	CU_ASSERT_EQUAL(args.sqpoll.idle_ms, 7);
	for (i = 0; i < RTE_DIM(bad); i++)
		CU_ASSERT(refuses(bad[i], "'sqpoll'", "0, 1 or 'queue'"));
	for (i = 0; i < RTE_DIM(bad_cpu); i++)
		CU_ASSERT(refuses(bad_cpu[i], "'sqpoll_cpu'", "number of a CPU"));
	for (i = 0; i < RTE_DIM(bad_idle); i++)
		CU_ASSERT(refuses(bad_idle[i], "'sqpoll_idle'", "1 to 60000 ms"));
	/* One without the other, or with one that it cannot go with. */
	CU_ASSERT(refuses("sqpoll_cpu=0", "'sqpoll_cpu'", "sqpoll=1"));
	CU_ASSERT(refuses("sqpoll_cpu=0,sqpoll=0", "'sqpoll_cpu'", "sqpoll=1"));
	CU_ASSERT(refuses("sqpoll_idle=5", "'sqpoll_idle'", "sqpoll=1 or sqpoll=queue"));
	CU_ASSERT(refuses("io=rw,sqpoll=1", "'sqpoll'", "io=rw"));
	CU_ASSERT(refuses("io=rw,sqpoll=queue", "'sqpoll'", "io=rw"));
	CU_ASSERT(refuses("sqpoll=queue,sqpoll_cpu=0", "'sqpoll_cpu'", "sqpoll=queue"));
	CU_ASSERT(refuses("sqpoll_cpu=0,sqpoll=queue", "'sqpoll_cpu'", "sqpoll=queue"));
}

static void
test_duplicates(void)
{
	CU_ASSERT(refuses("iface=a,iface=b", "'iface'", "more than once"));
	CU_ASSERT(refuses("iface=a,iface=a", "'iface'", "more than once"));
	CU_ASSERT(refuses("persist,iface=a,persist=1", "'persist'", "more than once"));
	CU_ASSERT(refuses("fd=3,fd=4", "'fd'", "more than once"));
	CU_ASSERT(refuses("persist,persist", "'persist'", "more than once"));
	CU_ASSERT(refuses("mac=fixed,io=rw,mac=02:00:00:00:00:01", "'mac'", "more than once"));
	CU_ASSERT(refuses("uso,uso=1", "'uso'", "more than once"));
	CU_ASSERT(refuses("io=rw,io=auto", "'io'", "more than once"));
	CU_ASSERT(refuses("napi=on,napi=on", "'napi'", "more than once"));
	CU_ASSERT(refuses("sndbuf=65536,sndbuf=65536", "'sndbuf'", "more than once"));
}

/* The message names the key and lists all that there are. */
static void
test_unknown(void)
{
	static const char * const bad[] = { "foo", "foo=1", "iface=a,foo=1", "foo,iface=a" };
	static const char * const keys[] = {
		"iface", "fd", "persist", "mac", "speed", "io", "uso", "napi", "sndbuf", "sqpoll",
	};
	unsigned int i, j;

	for (i = 0; i < RTE_DIM(bad); i++)
		for (j = 0; j < RTE_DIM(keys); j++)
			CU_ASSERT(refuses(bad[i], "'foo'", keys[j]));
	CU_ASSERT(refuses("Iface=a", "'Iface'", "iface"));
	CU_ASSERT(refuses("iface =a", "'iface '", "iface"));
	CU_ASSERT(refuses("ifac=a", "'ifac'", "iface"));
	CU_ASSERT(refuses("remote=eth0", "'remote'", "iface"));
}

/* What cannot be taken apart at all. */
static void
test_unparsable(void)
{
	char many[400] = "";
	unsigned int i;

	for (i = 0; i < 33; i++)
		strcat(many, "persist=1,");
	many[strlen(many) - 1] = '\0';
	CU_ASSERT(refuses(many, "persist=1", "iface"));
	CU_ASSERT_EQUAL(parse("=a"), -EINVAL);
	CU_ASSERT_NOT_EQUAL(said()[0], '\0');
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "defaults", test_defaults },
		{ "all", test_all },
		{ "iface", test_iface },
		{ "fd", test_fd },
		{ "persist", test_persist },
		{ "mac", test_mac },
		{ "speed", test_speed },
		{ "io", test_io },
		{ "uso", test_uso },
		{ "napi", test_napi },
		{ "sndbuf", test_sndbuf },
		{ "sqpoll", test_sqpoll },
		{ "duplicates", test_duplicates },
		{ "unknown keys", test_unknown },
		{ "unparsable", test_unparsable },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "devargs", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	int ret;

	log_file = open_memstream(&log_text, &log_len);
	if (log_file == NULL || rte_openlog_stream(log_file) != 0)
		return EXIT_FAILURE;
	ret = unit_run(suites);
	rte_openlog_stream(NULL);
	fclose(log_file);
	free(log_text);
	return ret;
}
