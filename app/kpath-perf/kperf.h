/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _KPERF_H_
#define _KPERF_H_

/*
 * kpath-perf: what the paths between an application and the Linux kernel cost, side by side.
 *
 * main.c		the order of measurements
 * options.c		the command line
 * cases.c		what is compared and what is measured: a row for each path and each case
 * available.c		which paths this machine can run, and what the others lack
 * plan.c		which cases are run, and how long that takes
 * path_loop.c		bare programs over a TAP, without DPDK
 * path_dpdk.c		DPDK ports
 * path_kernel.c	the kernel alone
 * forward.c		from one of them to another
 * oneway.c		what tests of one port share
 * test_tx.c		into the kernel
 * test_rx.c		out of the kernel
 * test_idle.c		nothing at all, and waking up
 * pair.c		what tests of two ports share: the application between two namespaces
 * streams.c		TCP streams between the namespaces
 * test_rtt.c		there and back
 * test_tcp.c		TCP throughput
 * test_rrul.c		latency under load
 * probes.c		the packets that see it
 * threads.c		which CPU does what
 * net.c		namespaces, interfaces, sockets
 * frame.c		frames, and the kernel's sender
 * clock.c		time, and CPU time
 * trace.c		counts system calls
 * machine.c		what it all runs on
 * results.c		medians, spread, ratios
 * table.c		results for people: a case
 * summary.c		the same: all cases in one table
 * json.c		results for programs
 * html.c		results as a page: html_test.c, and pictures: svg.c and those that use it
 * flent.c		latency under load for flent
 * features.c		what each path does, and how
 * probe.c		the same, seen at a port
 * selftest.c		whether all that can be trusted
 * selftest_packets.c	packets one by one, every byte of them
 * selftest_streams.c	TCP through two ports, every byte of it
 *
 * A case is measured on all its paths in turns, several rounds, so that a noisy machine hurts all
 * alike; what counts is the median, and its ratio to another path's in the same run. All ports of
 * a case are open all the time, and only the one whose turn it is is polled.
 *
 * The load never is the bottleneck unseen: Tx is measured by the sender that does nothing else,
 * Rx by draining a queue that was filled before, and where both sides run at once there are as many
 * senders as CPUs are left. Each result says which part of its time the application spent in polls
 * that moved nothing: who has such time waits for the other side.
 *
 * Everything lives in network namespaces of the process, and goes with it.
 */

#include <net/if.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_common.h>
#include <rte_ether.h>

#define KPERF_QUEUES_MAX 8
#define KPERF_BURST_MAX 256
#define KPERF_ROUNDS_MAX 99

/* Percentiles of fewer times say nothing: they are waited for, so many ns. */
#define KPERF_TIMES_MIN 10
#define KPERF_TIMES_WAIT UINT64_C(5000000000)
/* All percentiles need so many: a round lasts up to three times as long until there are. */
#define KPERF_TIMES_ALL 1000

/* Of one packet at a time: what has not come so long after it was sent, in ms, is lost. */
#define KPERF_LATE_MS 200

/* The largest frame: what fits in one mbuf with headroom, whose size has 16 bits. */
#define KPERF_FRAME_MAX 65000

/* A frame that carries this many bytes of headers can be an IPv4 TCP segment. */
#define KPERF_HEADERS (14 + 20 + 20)

/* IEEE 802 local experimental ethertype 1: the kernel hands it to nobody. */
#define KPERF_ETHERTYPE 0x88b5

/* What frames into the kernel are for. */
enum target {
	TO_NOBODY,	/* no protocol of that ethertype */
	TO_OTHER,	/* IPv4 UDP to another host */
	TO_SOCKET,	/* IPv4 UDP to a socket that is read */
	TO_CLOSED,	/* IPv4 UDP to a port without socket */
};

/* What is left to the ports, as far as a path knows it. */
enum offload {
	OFFLOAD_OFF,
	OFFLOAD_CSUM,	/* checksums */
	OFFLOAD_ALL,	/* and segmentation: TSO, and LRO */
};

/* Where TCP streams go, as seen from home. */
enum direction {
	DIR_UP,
	DIR_DOWN,
	DIR_BOTH,	/* so many streams each */
};

/* What is measured. A test fills in those that it knows; the others are NAN. */
enum metric {
	M_NS,		/* ns per packet, or per poll: time of the application's thread */
	M_CPU_NS,	/* ns of CPU time per packet, of all that worked for it: see cpu_stop() */
	M_MPPS,		/* million packets per second */
	M_GBPS,		/* Gb/s of frames, or of payload for TCP */
	M_SYSCALLS,	/* system calls per packet, or per poll */
	M_KERNEL_NS,	/* ns per packet for the kernel's sender to fill the queue */
	M_P50,		/* us there and back, or to wake up */
	M_P99,
	M_P999,
	M_LOST,		/* packets per thousand that did not arrive */
	M_CPU_GB,	/* s of CPU time per gigabyte, likewise */
	M_EMPTY,	/* per cent of the application's time in polls that moved nothing */
	M_SLEEP_CPU,	/* per cent of one CPU, of an application that sleeps */
	/*
	 * Whose time M_CPU_NS is: 1 ns per packet is 1 ms per million. What these leave is spent by
	 * threads that send or receive at the kernel's end. Ticks of the kernel tell user time.
	 */
	M_USER_NS,	/* the application's, in user space */
	M_SYSTEM_NS,	/* the application's, in the kernel */
	M_THREADS_NS,	/* threads of the kernel's: softirq, NAPI, SQPOLL, vhost */
	M_USER_GB,	/* s per gigabyte: M_CPU_GB likewise */
	M_SYSTEM_GB,
	M_THREADS_GB,
	M_UP,		/* Gb/s from home to far, where M_GBPS is the sum */
	M_DOWN,
	M_BE,		/* Gb/s of a class, both ways */
	M_BK,
	M_CS5,
	M_EF,
	M_JAIN,		/* fairness between streams: jain_index() */
	M_IDLE_P50,	/* us there and back without load, where M_P50 is under load */
	M_IDLE_P99,
	M_IDLE_P999,
	M_ADDED,	/* us that the load adds to the median */
	M_MAX,
};

/* A case: one row of a test's parameters. */
struct params {
	uint32_t len;		/* of frames, Ethernet header included */
	uint16_t burst;
	uint16_t queues;
	uint16_t mbuf_room;	/* of DPDK's mbufs, 0: the usual 2 KiB */
	uint16_t streams;	/* TCP connections */
	enum target to;
	bool gso;		/* frames are TCP that the kernel has not segmented */
	bool external;		/* buffers of mbufs are external ones */
	enum offload offload;
	enum direction direction;
	uint16_t mtu;		/* of the interfaces, 0: 1500, or what frames need */
	uint16_t rounds;	/* in which it is measured; plan.c sets it */
	uint32_t ms;		/* of a round, likewise */
	bool everything;	/* all offloads that the driver offers, and time stamps */
};

/* A frame as large as --mtu allows */
#define LEN_MTU 0

static inline uint32_t
params_mtu(const struct params *params)
{
	uint32_t mtu = RTE_MAX(1500U, params->len - (uint32_t)RTE_ETHER_HDR_LEN);

	return params->mtu != 0 ? params->mtu : mtu;
}

struct path;

/* A path's end in the application and its end in the kernel: an interface in a namespace. */
struct port {
	const struct path *path;
	const struct params *params;
	char ifname[IF_NAMESIZE];	/* the kernel's end */
	char app_ifname[IF_NAMESIZE];	/* veth: the end that the application opens */
	unsigned int ifindex;
	bool sleeps;			/* the application may want to sleep */
	bool paired;			/* there is another, which it is connected with */
	uint16_t number;		/* all ports of a run have different ones */
	uint32_t addr;			/* IPv4, of the kernel's end, host byte order */
	struct rte_ether_addr mac;	/* the same */
	int packet_sock;		/* sends from the kernel's end */
	int udp_sock;			/* receives from the application */
	const char *why;		/* it could not be opened */
	void *priv;
};

struct path_ops {
	/** Make the interface and the application's end. Returns 0, or -1 with port->why set. */
	int (*open)(struct port *port);
	/** Have the port keep no packet of another one's: before either is closed. May be NULL. */
	void (*stop)(struct port *port);
	void (*close)(struct port *port);
	/** Send n frames like port's sample to the kernel; returns how many it took. */
	unsigned int (*tx)(struct port *port, unsigned int queue, unsigned int n);
	/** Receive n frames at most and drop them; returns how many came. */
	unsigned int (*rx)(struct port *port, unsigned int queue, unsigned int n);
	/**
	 * Sleep until there is something to receive, or ms have passed. Returns 1, 0, or -1 if
	 * there is nothing that the application could sleep on. By the thread that polls the queue.
	 */
	int (*sleep)(struct port *port, unsigned int queue, int ms);
	/** Get ready for that in one direction. Returns 0, or -1 with in->why set. May be NULL. */
	int (*connect)(struct port *in, struct port *out);
	/** Pass n frames at most on from one port to the other. Returns how many came. */
	unsigned int (*forward)(struct port *in, struct port *out, unsigned int n);
};

struct path {
	const char *name;
	const char *what;	/* in a line, for --list */
	const struct path_ops *ops;
	const char *driver;	/* path_dpdk.c */
	const char *devargs;	/* of that driver, NULL: none */
	unsigned int flags;	/* path_loop.c: LOOP_*; path_dpdk.c: DPDK_* */
	uint32_t frame_max;	/* 0: KPERF_FRAME_MAX */
	uint32_t needs;		/* NEEDS_* */
	uint32_t wants;		/* the same, but it runs without, in another way */
};

extern const struct path paths[];
extern const unsigned int nb_paths;

#define NEEDS_NAMESPACE	RTE_BIT32(0)	/* all do */
#define NEEDS_DRIVER	RTE_BIT32(1)	/* of DPDK */
#define NEEDS_TUN	RTE_BIT32(2)
#define NEEDS_URING	RTE_BIT32(3)
#define NEEDS_VHOST	RTE_BIT32(4)
#define NEEDS_VETH	RTE_BIT32(5)
#define NEEDS_PACKET	RTE_BIT32(6)
#define NEEDS_XDP	RTE_BIT32(7)

#define LOOP_RW		(1U << 0)	/* read and write; else io_uring */
#define LOOP_FILE	(1U << 1)	/* registered file */
#define LOOP_BUF	(1U << 2)	/* registered buffers */
#define LOOP_SQPOLL	(1U << 3)
#define LOOP_RINGFD	(1U << 4)	/* registered ring */
#define LOOP_SKIP	(1U << 5)	/* no completion for what succeeded */
#define LOOP_LINK	(1U << 6)	/* reads end with the first that finds nothing */
#define LOOP_MULTISHOT	(1U << 7)	/* one read serves many packets */
#define LOOP_HDRLEN	(1U << 8)	/* hdr_len says how much is to be linear */
#define LOOP_STEER	(1U << 9)	/* a steering program instead of the flow table */
#define LOOP_SNDBUF	(1U << 10)	/* the send buffer has a limit */
extern const struct path_ops loop_ops;

#define DPDK_VETH	(1U << 0)	/* the driver opens one end of a veth pair */
#define DPDK_OFFLOAD	(1U << 1)	/* knows checksum, TSO and LRO */
#define DPDK_ONE_QUEUE	(1U << 2)
#define DPDK_MODE	(1U << 3)	/* a driver without these arguments is not at fault */
#define DPDK_VHOST	(1U << 4)	/* is told of queues; the MAC comes late */

/* What the Rx ring of a driver with DPDK_VETH takes when nobody reads: frames, and bytes */
#define DPDK_VETH_FILL 1000
#define DPDK_VETH_FILL_BYTES (1514 * DPDK_VETH_FILL)
extern const struct path_ops dpdk_ops;

struct rte_mbuf;
struct rte_mempool;
struct forward_stats;

/* What tests that look closer need to know of a port of DPDK's */
struct dpdk_end {
	uint16_t id;
	struct rte_mempool *pool;		/* mbufs to send */
	const struct forward_stats *forward;	/* from this port to the other one of a pair */
};

struct dpdk_end dpdk_end(const struct port *port);
/** A packet with that data, in segments of that size; ends with a message if there is no room. */
struct rte_mbuf *dpdk_make_packet(const struct port *port, const uint8_t *data, uint32_t len,
		uint32_t part);

/* The kernel alone: path_kernel.c. Two ports have no end here, one is a bare program's. */
extern const struct path_ops veth_ops;

/* What a test saw over time, for those that look: results.h. */
struct timeline;

struct result {
	double value[M_MAX];
	const char *why;	/* nothing was measured, but what stands for that: 0 Gb/s */
	struct timeline *timeline;	/* NULL: none; freed with the results */
};

struct test {
	const char *name;
	const char *what;
	enum metric primary;	/* the one that ratios are of */
	uint64_t shown;		/* RTE_BIT64() of others that the table of all tests shows */
	bool pair;		/* two ports, else one */
	bool sleeps;		/* Rx interrupts are asked for */
	bool default_queue;	/* interfaces keep the length of queue that the kernel gave them */
	bool unhurried;		/* no side is meant to have no time left */
	unsigned int ms;	/* of a round, unless asked for or brief; 0: as others */
	unsigned int rounds;	/* likewise */
	unsigned int takes;	/* a round, about so many times the duration, 0: 1 */
	unsigned int takes_ms;	/* and that long besides */
	/** One round on an open path: ports[1] only for pairs. Duration in ns, of pure work. */
	void (*measure)(struct port *ports, uint64_t duration, struct result *result);
};

extern const struct test test_tx, test_rx, test_load, test_idle, test_wake;
extern const struct test test_rtt, test_tcp, test_rrul;

/* Which run a case is part of. */
enum case_set {
	SET_PATHS,	/* which path is best: the default */
	SET_BENCH,	/* what the driver gains and loses: bare loops, trials, many sizes */
};

/* A case in the table: test, parameters, and the paths that it is for. */
struct bench_case {
	enum case_set set;
	const struct test *test;
	struct params params;
	const char *paths;	/* names, separated by spaces */
	bool brief;		/* part of the short form */
};

extern const struct bench_case cases[];
extern const unsigned int nb_cases;

/* main.c */

/* Between two rounds, until nothing is under way and threads of the kernel's are asleep */
#define SETTLE_US 15000

/** End with a message. */
void die(const char *format, ...) __rte_format_printf(1, 2) __rte_noreturn;

/**
 * Open the port that a case needs, or both, the second of which may be another path's. Each call
 * has a subnet of its own. Returns whether they are open; ports[0].why says why not.
 */
bool open_ports(struct port ports[2], const struct bench_case *c, const struct path *path,
		const struct path *second, unsigned int subnet);
void close_path(struct port ports[2], const struct bench_case *c);

/* options.c */

struct options {
	enum case_set set;
	bool brief;
	bool details;		/* a table for each case as well */
	bool list;		/* only show what there is */
	unsigned int rounds;
	unsigned int ms;
	bool rounds_given;	/* on the command line */
	bool ms_given;
	unsigned int mtu;	/* 0: each case has its own */
	const char *json;
	const char *report;	/* a directory */
	int argc;		/* the command line */
	char **argv;
	const char *flent;
	const char *tests;	/* names, separated by commas */
	const char *paths;
	const char *offloads;
	const char *only;	/* words of the case */
	const char *cpus;	/* as in "0-3,8", NULL: all */
	bool huge;
	bool self_test;
	bool features;
};

/** End with a message and status 2: an option is wrong, and nothing was measured. */
void refuse(const char *format, ...) __rte_format_printf(1, 2) __rte_noreturn;
/** Ends with a message if anything is wrong with them. */
struct options options_parse(int argc, char **argv);
/** Is name among these, separated by the given characters? */
bool listed(const char *names, const char *name, const char *separators);

/* available.c */

/* Of a path, here: why it does not run and how to get it, or how it runs without what it wants. */
struct availability {
	const char *why;	/* NULL: it can run */
	const char *how;
	const char *note;	/* NULL: it has all that it wants */
	char words[96];		/* how, where that depends on the path */
};

/**
 * Look what this machine has, after EAL has loaded its drivers. Namespaces: 0, or the error number
 * of the attempt to make them, without which nothing else is tried.
 */
void available_probe(int namespaces);
void available_free(void);
const struct availability *available(const struct path *path);
/** Is it injection, redirection, the kernel alone or a bare loop? */
const char *path_kind(const struct path *path);

/* plan.c */

/** Choose the cases that the options leave, and adapt them. It is an error if there is none. */
void plan_make(const struct options *options);
void plan_free(void);
unsigned int plan_size(void);
const struct bench_case *plan_case(unsigned int i);
/** Is the path to be measured in that case, if it can be? */
bool plan_has(const struct bench_case *c, const struct path *path);
/** Seconds that all cases take, about. */
double plan_seconds(void);
/** A time in words: "40 s", "6 min". */
void print_time(FILE *out, double seconds);
/**
 * Say that a path's turn comes in case i; on a terminal in a line that is written over, else a line
 * for each case. NULL: remove the line.
 */
void plan_progress(unsigned int i, unsigned int round, const struct path *path);
/* selftest.c */

/** Check on each path whether its numbers can be trusted. Returns what main() returns. */
int selftest_run(const struct options *options);

/* features.c */

/** Show what each path does and how, as far as that can be seen. Returns what main() returns. */
int features_run(const struct options *options);

/* threads.c */

/**
 * Find out which CPUs there are for this process; nb_cpus() says how many. A list of CPUs restricts
 * it to these; ends with a message if it may not use one of them.
 */
void threads_init(const char *list);
unsigned int nb_cpus(void);
void threads_start_eal(bool huge);
/** Start the thread that takes net_tap's signals, so that others do not. */
void threads_divert_signals(void);
/** Run on the worker lcores 0 to n - 1 at once; arguments are size bytes apart. */
void run_workers(int (*run)(void *), void *args, size_t size, unsigned int n);
/** The CPU that workers get last. */
int helper_cpu(void);
/** Let this thread run where no worker of n does, if there is such a CPU. */
void leave_workers_alone(unsigned int n);

/* net.c */

extern int net_home, net_far;		/* namespaces */

/** Make the namespaces. Returns 0, or the error number if that is not allowed. */
int net_init(void);
/** Enter a namespace, with the calling thread. */
void net_enter(int ns);
void net_sysctl(const char *name, const char *value);
unsigned int net_index(const char *ifname);
/** Set an interface up, with these properties; 0 for those that stay. */
void net_set_up(const char *ifname, uint32_t mtu, uint32_t txqlen);
void net_add_addr(const char *ifname, uint32_t addr);
void net_move(const char *ifname, int ns);
void net_make_veth(const char *name, const char *peer);
/** The same, but returns 0 or the error number. */
int net_try_veth(const char *name, const char *peer);
/** The pair of a port: the application's end, and the kernel's, whose MAC the port gets. */
void net_make_app_veth(struct port *port);
void net_delete(const char *ifname);
/** What the kernel may leave undone on the interface. */
void net_set_offload(const char *ifname, enum offload offload);
/** The queue that the interface sends from: its discipline, and its length. */
void net_describe_queue(const char *ifname, char *text, size_t size);
void net_get_mac(const char *ifname, struct rte_ether_addr *mac);
/** A counter of the interface, like "rx_packets". */
uint64_t net_counter(const char *ifname, const char *name);
/**
 * A packet socket with large buffers, which receives what is of that ethertype; 0: nothing. It
 * sends at once, past the qdisc.
 */
int net_packet_socket(unsigned int ifindex, uint16_t ethertype, unsigned int flags);
#define PACKET_HDR	(1U << 0)	/* with struct virtio_net_hdr before each frame */
#define PACKET_QDISC	(1U << 1)	/* through the qdisc, which segments as well */
/** A UDP socket on that address; port 0: any. With a large buffer. */
int net_udp_socket(uint32_t addr, uint16_t udp_port);

/** Read what waits in a socket; returns how many datagrams. */
unsigned int socket_drain(int sock);

/* frame.c */

/** Write the frame that the port's parameters describe; flow 0 may be of the test ethertype. */
void frame_write(uint8_t *data, const struct port *port, unsigned int flow);
/** Move a frame that is of a flow to another one. */
void frame_set_flow(uint8_t *data, unsigned int flow);
/** Write the frames that kernel_send() sends, before it is called for another port. */
void kernel_prepare(const struct port *port);
/** Have the kernel send n frames out of the interface; returns how many it took. */
unsigned int kernel_send(const struct port *port, int packet_sock, unsigned int n);
/** The same; adds to refused those that the kernel would have dropped, or has. */
unsigned int kernel_send_counted(const struct port *port, int packet_sock, unsigned int n,
		uint64_t *refused);

/* clock.c */

/** ns of CPU time that the calling thread has spent, and of the clock. */
uint64_t cpu_thread(void);
uint64_t now_ns(void);

/** ns of user time of the calling thread, as far as ticks tell it from system time. */
uint64_t cpu_thread_user(void);
/** ns of CPU time of another thread of the process, which has not been joined. */
uint64_t cpu_of_thread(pthread_t thread);

/* ns of CPU time. The thread that measures is not counted. */
struct cpu_times {
	uint64_t all;		/* of this process and of the kernel's threads that move packets */
	uint64_t user;		/* of this process, in user space */
	uint64_t threads;	/* of threads of the kernel's, those inside this process included */
};

struct cpu_meter {
	struct cpu_times before;
	unsigned int nb_threads, nb_inside;
	unsigned int threads[1024];	/* of the kernel's */
	unsigned int inside[64];	/* of the kernel's that are part of this process */
};

/** Find the kernel's threads that move packets; returns how many, 0 in a container. */
unsigned int cpu_kernel_threads(struct cpu_meter *meter);
/** Both by the thread that measures. */
void cpu_start(struct cpu_meter *meter);
struct cpu_times cpu_stop(const struct cpu_meter *meter);

/** What is neither user time nor that of kernel threads: system calls, signals, page faults. */
static inline uint64_t
cpu_system(const struct cpu_times *times)
{
	/* The clocks are not read at once, and ticks are coarse. */
	return times->all - RTE_MIN(times->all, times->user + times->threads);
}

/* trace.c */

/** Start the process that counts; before there are threads. */
void trace_init(void);
/**
 * System calls that the calling thread makes in run(arg), and nowhere else: what has to be set up
 * is set up before. Negative: not known here.
 */
int64_t trace_syscalls(void (*run)(void *), void *arg);

struct trace {
	int64_t calls;			/* negative: not known here */
	uint32_t by_number[512];	/* of these, by the number of the system call */
};

/** The same, one by one. */
void trace_run(struct trace *trace, void (*run)(void *), void *arg);
/** The names of those that were made. */
void trace_names(const struct trace *trace, char *text, size_t size);

/* machine.c */

struct machine {
	unsigned int cpus;		/* that this process may use */
	unsigned int cores;
	unsigned int kernel_threads;	/* whose CPU time counts; 0: they cannot be seen */
	char model[128];
	char memory[32];
	char pages[32];			/* size of those that DPDK has */
	char kernel[96];
	char dpdk[64];
	char liburing[16];
};

void machine_describe(struct machine *m, bool huge);

#endif /* _KPERF_H_ */
