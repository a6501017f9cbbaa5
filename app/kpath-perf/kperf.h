/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _KPERF_H_
#define _KPERF_H_

/*
 * kpath-perf: what the paths between an application and the Linux kernel cost, side by side.
 *
 * main.c		what is done, and ports that are opened for it
 * run.c		the order of measurements
 * options.c		the command line
 * cases.c		what is compared and what is measured: a row for each path and each case;
 *			path.h and cases.h say what such a row has
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
 * words.c		what things are called
 * table.c		results for people: a case
 * summary.c		the same: all cases in one table
 * json.c		results for programs
 * output.c		the files that results are written to
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

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_common.h>
#include <rte_ether.h>

#include "cases.h"
#include "path.h"

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

struct options;

/* run.c */

/** Measure all that is planned, and show the results where the options want them. */
void run_plan(const struct options *options);
/**
 * Show what there is of them, by a thread that is to end the process afterwards: whoever runs the
 * above does not go on.
 */
void run_interrupted(void);

/* options.c */

/* What is done */
enum run_mode {
	MODE_MEASURE,
	MODE_LIST,	/* only show what there is */
	MODE_FEATURES,
	MODE_SELF_TEST,
};

struct options {
	enum run_mode mode;
	enum case_set set;
	bool brief;
	bool details;		/* a table for each case as well */
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
/**
 * Start the threads that take signals, so that others do not: net_tap's, and those that end the
 * process, before which the function is called.
 */
void threads_divert_signals(void (*interrupted)(void));
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
/** What kind of them a thread is, such as "vhost"; NULL: none. */
const char *cpu_thread_kind(unsigned int thread);
/** All by the thread that measures. */
void cpu_start(struct cpu_meter *meter);
/**
 * Start once more, soon after: only threads inside this process are looked for again. To look at
 * all processes takes long.
 */
void cpu_restart(struct cpu_meter *meter);
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
