/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef RIG_H
#define RIG_H

/*
 * What the integration tests in C share: a port, and the kernel's end of it.
 *
 *   rte_eth_tx_burst() --> +----------+-----------+ --> kernel_recv()
 *                          | net_rtap | interface |                    packet socket
 *   rte_eth_rx_burst() <-- +----------+-----------+ <-- kernel_send()
 *
 * A test is a program with one argument, the io= mode to run in. It lives in a network namespace
 * of its own and keeps nothing in a file system, so nothing is left of it however it ends, and
 * names of interfaces need not be unique.
 *
 * A check that fails ends the program. Nothing here measures time: the one limit there is only
 * ends a test that hangs.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

/* IEEE 802 local experimental ethertype 1: nobody else sends it. */
#define ETHERTYPE_TEST 0x88b5

/* The largest frame that a TAP passes, segmentation aside. */
#define FRAME_MAX (UINT16_MAX + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)
#define FRAME_MIN 60

#define BURST 32

/** End the test as failed, or as impossible here. */
#define FAIL(...) rig_fail(__FILE__, __LINE__, __VA_ARGS__)
void rig_fail(const char *file, int line, const char *format, ...)
	__rte_format_printf(3, 4) __rte_noreturn;
void rig_skip(const char *format, ...) __rte_format_printf(1, 2) __rte_noreturn;

#define CHECK(condition, ...) do { \
	if (!(condition)) \
		FAIL(__VA_ARGS__); \
} while (0)

/** An API call that must return 0. */
#define CHECK_OK(call) do { \
	int ret_ = (call); \
	CHECK(ret_ == 0, "%s: %s", #call, rig_strerror(ret_)); \
} while (0)
const char *rig_strerror(int ret);

/** Evaluate the condition until it holds. */
#define WAIT_FOR(condition, ...) do { \
	uint64_t start_ = rig_seconds(); \
	while (!(condition)) \
		CHECK(rig_seconds() < start_ + RIG_PATIENCE, "hangs: " __VA_ARGS__); \
} while (0)
#define RIG_PATIENCE rig_patience()
/** In seconds: 30, or RTAP_PATIENCE (of the environment) times that, for a slow machine. */
int rig_patience(void);
uint64_t rig_seconds(void);

/** The mode under test. */
extern const char *rig_io;
bool rig_io_is_uring(void);
extern bool rig_sqpoll;
/** Whether this kernel can be read from through io_uring, and shall be. */
bool rig_reads_by_uring(void);

/** What every test calls first. Skips without root, /dev/net/tun or the mode asked for. */
void rig_init(int argc, char **argv);
/** Enter the namespace, without starting DPDK: for a test that forks. Then rig_init_eal(). */
void rig_init_namespace(int argc, char **argv);
void rig_init_eal(void);
/** Between these two: have sysfs show the namespace, where threaded NAPI is switched on. */
void rig_mount_sysfs(void);
/** Say what comes next. */
void rig_case(const char *name);
/** All went well. */
int rig_done(void);

/** Run a shell command in the namespace; it must succeed. */
void rig_run(const char *format, ...) __rte_format_printf(1, 2);
/** The same, and return what it printed: to be freed. */
char *rig_output(const char *format, ...) __rte_format_printf(1, 2);
void rig_need(const char *tool);
/** Set one of the namespace's settings below /proc/sys/net. Returns whether that is allowed. */
bool rig_sysctl(const char *name, const char *value);

/** Lay a capability down, or take it up again: this thread alone, and those it makes. */
void rig_set_capability(unsigned int cap, bool on);

/** Take all files that the process may have, and give them back. */
void rig_take_files(void);
void rig_give_files(void);

/** A process in a network namespace of its own, which ends with this one. */
pid_t rig_fork_namespace(void);
/** End it, and with it the namespace. */
void rig_end_namespace(pid_t pid);

/**
 * Wait until DPDK's thread for interrupts is done with what it was told: it makes a file of its own
 * anew when a source has come or gone.
 */
void rig_settle(void);

unsigned int rig_random(unsigned int below);

/** What a process may leak. */
struct rig_census {
	unsigned int files;
	unsigned int threads;
	unsigned int memzones;
	unsigned int ports;
	unsigned int interfaces;
	size_t heap;
};
void rig_census(struct rig_census *census);
/** Everything must be as it was. */
void rig_census_compare(const struct rig_census *before, const char *what);

/*
 * Pools and mbufs
 */

/** A pool whose mbufs hold frames of up to room bytes. */
struct rte_mempool *pool_create(const char *name, unsigned int n, uint16_t room);
/** The same with external buffers, as rte_pktmbuf_pool_create_extbuf() makes it. */
struct rte_mempool *pool_create_external(const char *name, unsigned int n, uint16_t room);
/** All mbufs must be back. */
void pool_check_full(const struct rte_mempool *pool);

/*
 * Ports
 */

struct port {
	uint16_t id;
	uint16_t nb_rx;
	uint16_t nb_tx;
	uint16_t ethertype;		/* of the frames that matter, ETHERTYPE_TEST at first */
	unsigned int ifindex;
	char name[RTE_ETH_NAME_MAX_LEN];
	char ifname[IF_NAMESIZE];
};

struct port_conf {
	struct rte_mempool *pool;
	uint16_t nb_rx;			/* 0: one */
	uint16_t nb_tx;
	uint16_t mtu;			/* 0: as the interface has it */
	uint16_t nb_desc;		/* 0: the default */
	bool deferred;			/* all queues */
	uint64_t rx_offloads;
	uint64_t tx_offloads;
	uint32_t max_lro;
	struct rte_eth_intr_conf intr;
};

/** Attach a device; io=MODE is added to the arguments. Returns what DPDK returns. */
int port_try_attach(const char *name, const char *args);
/** The port of an attached device. */
void port_find(struct port *port, const char *name);
/** Both. */
void port_attach(struct port *port, const char *name, const char *args);
/** Configure and set up the queues. */
int port_try_setup(struct port *port, const struct port_conf *conf);
void port_setup(struct port *port, const struct port_conf *conf);
/** Wait until the kernel is ready to send to a port that was started. */
void port_await_link(const struct port *port);
/** Start, and wait. */
void port_start(const struct port *port);
/** Attach, set up and start. */
void port_open(struct port *port, const char *name, const char *args,
		const struct port_conf *conf);
/** Detach; the device is stopped if necessary. */
void port_close(struct port *port);

/** Send on a queue until all are taken and, with SQPOLL, if nobody else sends on the port, counted;
 * ownership as with rte_eth_tx_burst().
 */
void port_tx(const struct port *port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
/** One burst from a queue, without frames that are not of the port's ethertype. */
uint16_t port_rx_burst(const struct port *port, uint16_t queue, struct rte_mbuf **pkts,
		uint16_t n);
/** Exactly n frames from a queue. */
void port_rx(const struct port *port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
/** Whatever waits in the queues is of no interest. */
void port_rx_discard(const struct port *port);

struct rte_eth_stats port_stats(const struct port *port);
uint64_t port_xstat(const struct port *port, const char *name);

/*
 * The kernel's end
 */

/** A packet socket on the interface, for frames of that ethertype. */
int kernel_open(const struct port *port, uint16_t ethertype);
void kernel_send(int sock, const void *data, size_t len);
/** The next frame; waits for it. Returns its length. */
size_t kernel_recv(int sock, void *data, size_t size);
/** Must not have received anything. */
void kernel_expect_nothing(int sock);

unsigned int kernel_flags(const char *ifname);
unsigned int kernel_mtu(const char *ifname);
void kernel_set_mtu(const char *ifname, unsigned int mtu);
void kernel_mac(const char *ifname, struct rte_ether_addr *mac);
bool kernel_carrier(const char *ifname);

/** Counters as in /proc/net/dev. */
struct kernel_stats {
	uint64_t rx_packets;
	uint64_t tx_packets;
	uint64_t tx_dropped;
};
struct kernel_stats kernel_stats(const char *ifname);

/*
 * Frames: an Ethernet header and a payload that follows from a number.
 */

/** Write the frame with that number. */
void frame_write(void *data, size_t len, unsigned int number);
bool frame_is(const void *data, size_t len, unsigned int number);
/** Is it that frame, and is the mbuf sound? */
bool frame_is_mbuf(const struct rte_mbuf *m, size_t len, unsigned int number);
/** The frame in one mbuf. */
struct rte_mbuf *frame_alloc(struct rte_mempool *pool, size_t len, unsigned int number);

/** The same as UDP over IPv4, of as many flows as there are numbers: for port.ethertype IPv4. */
void flow_write(void *data, size_t len, unsigned int number);
bool flow_is_mbuf(const struct rte_mbuf *m, size_t len, unsigned int number);
unsigned int flow_number(const struct rte_mbuf *m);

/** Send frames, or have the kernel send them, and check that they arrive as they are. The latter
 * returns how many bytes these were.
 */
void frames_to_kernel(const struct port *port, uint16_t queue, int sock, struct rte_mempool *pool,
		unsigned int n);
uint64_t frames_from_kernel(const struct port *port, int sock, unsigned int n);

#endif /* RIG_H */
