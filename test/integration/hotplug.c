/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Ports come and go and leave nothing: no file, thread, memzone, heap memory, mbuf or interface.
 * The same holds for each probe and each start that fails, wherever it fails.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>

#include <rte_bus_vdev.h>

#include "rig.h"

#define NB_ROUNDS 200
#define NB_DEVICES 16
#define NB_MBUF 8192

static struct rte_mempool *pool;

static void
traffic(const struct port *port)
{
	int sock = kernel_open(port, ETHERTYPE_TEST);
	uint16_t queue;

	for (queue = 0; queue < port->nb_tx; queue++)
		frames_to_kernel(port, queue, sock, pool, 4);
	frames_from_kernel(port, sock, 8);
	close(sock);
}

/* The name is free as soon as the port is gone. */
static void
close_and_look(struct port *port)
{
	port_close(port);
	CHECK(if_nametoindex(port->ifname) == 0, "%s outlives its port", port->ifname);
}

/* One life of a port; from time to time without some of its stations. */
static void
live(unsigned int round)
{
	const struct port_conf conf = {
		.pool = pool,
		.nb_rx = 1 + round % 3,
		.nb_tx = 1 + round % 2,
	};
	struct port port;

	/* The alias. Pitfall: the same name again, before the kernel has let go of the file. */
	port_attach(&port, round % 5 == 0 ? "eth_rtap7" : "net_rtap7", "iface=again");
	if (round % 7 != 0) {
		port_setup(&port, &conf);
		port_start(&port);
		traffic(&port);
	}
	if (round % 3 == 0)
		rte_eth_dev_stop(port.id);
	if (round % 4 == 0) {
		rte_eth_dev_stop(port.id);
		CHECK_OK(rte_eth_dev_close(port.id));
		CHECK_OK(rte_eal_hotplug_remove("vdev", port.name));
	} else {
		close_and_look(&port);
	}
}

static void
many_rounds(void)
{
	struct rig_census before;
	unsigned int round;

	rig_case("200 times");
	/* What DPDK and the C library keep for the next time. */
	live(1);
	rig_census(&before);
	for (round = 0; round < NB_ROUNDS; round++)
		live(round);
	rig_census_compare(&before, "200 rounds");
	pool_check_full(pool);
}

static void
many_devices(void)
{
	const struct port_conf conf = { .pool = pool, .nb_rx = 2, .nb_tx = 2 };
	struct port ports[NB_DEVICES];
	struct rig_census before;
	char name[32];
	unsigned int i;

	rig_case("16 at once, which leave in another order");
	rig_census(&before);
	for (i = 0; i < NB_DEVICES; i++) {
		snprintf(name, sizeof(name), "%s%u", i % 2 == 0 ? "net_rtap" : "eth_rtap", i);
		port_open(&ports[i], name, "", &conf);
	}
	for (i = 0; i < NB_DEVICES; i++)
		traffic(&ports[i]);
	for (i = 0; i < NB_DEVICES; i += 2)
		close_and_look(&ports[i]);
	for (i = 1; i < NB_DEVICES; i += 2) {
		traffic(&ports[i]);
		close_and_look(&ports[i]);
	}
	rig_census_compare(&before, "16 devices");
	pool_check_full(pool);
}

/*
 * Probes that must fail
 */

static void
must_fail(const char *args)
{
	struct rig_census before;

	rig_census(&before);
	CHECK(port_try_attach("net_rtap0", args) < 0, "accepted: %s", args);
	rig_census_compare(&before, args);
}

static void
bad_arguments(void)
{
	static const char * const args[] = {
		"colour=blue", "iface", "iface=", "iface=sixteen_letters_", "iface=a/b", "iface=a b",
		"iface=.", "iface=..", "iface=a:b", "iface=a,iface=b", "persist=2", "persist=yes",
		"persist=", "mac=", "mac=random", "mac=02:00:00:00:00", "mac=01:00:00:00:00:01",
		"mac=00:00:00:00:00:00", "mac", "io=fast",
	};
	unsigned int i;

	rig_case("bad arguments");
	for (i = 0; i < RTE_DIM(args); i++)
		must_fail(args[i]);
}

static int
open_tun(const char *name, int flags)
{
	struct ifreq ifr = { .ifr_flags = flags | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	CHECK(fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0, "cannot make %s: %s", name,
		strerror(errno));
	return fd;
}

static void
taken_names(void)
{
	struct port port;
	int tap, multi, tun;

	rig_case("names that are taken");
	tap = open_tun("single", IFF_TAP);
	multi = open_tun("multi", IFF_TAP | IFF_MULTI_QUEUE);
	tun = open_tun("layer3", IFF_TUN);
	must_fail("iface=single");
	must_fail("iface=multi");
	must_fail("iface=layer3");
	close(tun);
	close(multi);
	close(tap);
	rig_run("ip link add veth0 type veth peer name veth1");
	rig_run("ip link add bridge0 type bridge");
	must_fail("iface=veth0");
	must_fail("iface=bridge0");
	must_fail("iface=lo");
	rig_run("ip link del veth0");
	rig_run("ip link del bridge0");

	port_attach(&port, "net_rtap1", "iface=ours");
	must_fail("iface=ours");
	port_close(&port);
}

static void
no_privilege(void)
{
	rig_case("without CAP_NET_ADMIN");
	rig_set_capability(CAP_NET_ADMIN, false);
	must_fail("iface=forbidden");
	must_fail("");
	rig_set_capability(CAP_NET_ADMIN, true);
}

static void
set_file_limit(rlim_t limit)
{
	struct rlimit files;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
	files.rlim_cur = limit;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
}

/* Bring a port as far as it gets with so many files. Returns whether it runs. */
static bool
live_with_files(rlim_t limit, rlim_t enough)
{
	const struct port_conf conf = { .pool = pool, .nb_rx = 3, .nb_tx = 2, .mtu = 1500 };
	struct port port;
	int ret;

	set_file_limit(limit);
	ret = port_try_attach("net_rtap0", "");
	set_file_limit(enough);
	rig_settle();
	if (ret != 0)
		return false;
	port_find(&port, "net_rtap0");

	set_file_limit(limit);
	ret = port_try_setup(&port, &conf);
	if (ret == 0)
		ret = rte_eth_dev_start(port.id);
	set_file_limit(enough);
	if (ret == 0) {
		port_await_link(&port);
		traffic(&port);
	}
	close_and_look(&port);
	rig_settle();
	return ret == 0;
}

/* Each time one file more, until there are enough: every file was the one that could not be. */
static void
no_files(void)
{
	struct rig_census before;
	struct rlimit files;
	bool done = false;
	rlim_t limit;

	rig_case("too many open files, at every point");
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
	rig_census(&before);
	for (limit = 4; !done; limit++) {
		CHECK(limit < files.rlim_cur, "there are never enough files");
		done = live_with_files(limit, files.rlim_cur);
		rig_census_compare(&before, "a lack of files");
	}
	pool_check_full(pool);
}

/* io_uring may be forbidden, in a container for one. A filter is a thread's own as well. */
static void
forbid_io_uring(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = RTE_DIM(rules), .filter = rules };

	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp: %s",
		strerror(errno));
}

static void *
live_without_io_uring(void *arg __rte_unused)
{
	const struct port_conf conf = { .pool = pool };
	struct rte_eth_burst_mode mode;
	struct port port;

	forbid_io_uring();
	rig_io = "uring";
	must_fail("");
	rig_io = "auto";
	must_fail("sqpoll=1");
	port_open(&port, "net_rtap0", "", &conf);
	CHECK_OK(rte_eth_rx_burst_mode_get(port.id, 0, &mode));
	CHECK(strstr(mode.info, "readv") != NULL, "burst mode %s", mode.info);
	traffic(&port);
	close_and_look(&port);
	return NULL;
}

static void
no_io_uring(void)
{
	const char *io = rig_io;
	struct rig_census before;
	pthread_t thread;

	rig_case("io_uring is forbidden");
	rig_census(&before);
	CHECK_OK(pthread_create(&thread, NULL, live_without_io_uring, NULL));
	CHECK_OK(pthread_join(thread, NULL));
	rig_census_compare(&before, "forbidden io_uring");
	rig_io = io;
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	many_rounds();
	many_devices();
	bad_arguments();
	no_privilege();
	no_files();
	if (rig_io_is_uring())
		no_io_uring();
	taken_names();
	return rig_done();
}
