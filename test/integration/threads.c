/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Queues move between threads and lose nothing, whatever state the last thread left them in; and
 * what a burst costs in system calls is what the design promises.
 *
 * Two processes: the child is the DPDK application; the parent traces its main thread and counts
 * system calls when told to.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"

#define NB_MBUF 4096
#define NB_HANDOVERS 40
#define NB_IDLE 100000
#define NB_IDLE_CALLS 1000	/* where each is a system call */
#define NB_WAITING 480

static struct rte_mempool *pool;

/*
 * Counting system calls
 */

/* Signals from the traced thread to its tracer; they are not delivered. */
#define SIG_BEGIN SIGUSR1
#define SIG_END SIGUSR2

/* With PTRACE_O_TRACESYSGOOD: a stop at the beginning or the end of a system call */
#define SYSCALL_STOP (SIGTRAP | 0x80)

/* Shared with the tracer: stops since SIG_BEGIN. */
static volatile uint64_t *nb_stops;

static void
tell_tracer(int sig)
{
	syscall(SYS_tgkill, getpid(), gettid(), sig);
}

static uint64_t
stops_since_begin(void)
{
	tell_tracer(SIG_END);
	return *nb_stops;
}

/* System calls since tell_tracer(SIG_BEGIN), without those of tell_tracer() itself. */
static uint64_t
syscalls_since_begin(void)
{
	uint64_t stops = stops_since_begin();

	tell_tracer(SIG_BEGIN);
	return (stops - stops_since_begin()) / 2;
}

/* Run the child until it ends; returns its exit status. */
static int
trace(pid_t pid)
{
	int status, request = PTRACE_CONT, sig = 0;

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		sig = WSTOPSIG(status);
		if (sig == SIGSTOP)
			ptrace(PTRACE_SETOPTIONS, pid, NULL,
				PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
		else if (sig == SYSCALL_STOP)
			(*nb_stops)++;
		else if (sig == SIG_BEGIN)
			*nb_stops = 0;
		request = sig == SIG_BEGIN || sig == SYSCALL_STOP ? PTRACE_SYSCALL : PTRACE_CONT;
		if (sig == SIGSTOP || sig == SYSCALL_STOP || sig == SIG_BEGIN || sig == SIG_END)
			sig = 0;
		ptrace(request, pid, NULL, sig);
	}
	CHECK(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static void
be_traced(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		rig_skip("may not trace: %s", strerror(errno));
	raise(SIGSTOP);
	tell_tracer(SIG_BEGIN);
	getppid();
	getppid();
	CHECK(syscalls_since_begin() == 2, "the tracer does not count");
}

/*
 * System calls per burst
 */

/* Polls that find nothing. Returns the system calls that they made. */
static uint64_t
poll_idle(const struct port *port, unsigned int n)
{
	struct rte_mbuf *m;
	uint16_t got = 0;

	tell_tracer(SIG_BEGIN);
	while (n-- > 0)
		got += rte_eth_rx_burst(port->id, 0, &m, 1);
	CHECK(got == 0, "a packet from nowhere");
	return syscalls_since_begin();
}

static void
check_idle(const struct port *port)
{
	bool uring = rig_reads_by_uring();
	unsigned int n = uring ? NB_IDLE : NB_IDLE_CALLS;
	uint64_t calls;

	port_rx_discard(port);
	calls = poll_idle(port, n);
	CHECK(calls <= (uring ? 0 : n), "%" PRIu64 " system calls in %u idle polls", calls, n);
}

static void
idle(void)
{
	const struct port_conf conf = { .pool = pool };
	struct port port;
	unsigned int i;
	int sock;

	rig_case("system calls of idle polls");
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	check_idle(&port);
	for (i = 0; i < 3; i++) {
		frames_from_kernel(&port, sock, 3);
		check_idle(&port);
	}
	close(sock);
	port_close(&port);
}

/* 32 packets of three segments each */
static uint64_t
send_burst(const struct port *port)
{
	struct rte_mbuf *pkts[BURST], *tail;
	unsigned int i, j;
	uint16_t sent;

	for (i = 0; i < BURST; i++) {
		pkts[i] = frame_alloc(pool, FRAME_MIN, i);
		for (j = 0; j < 2; j++) {
			tail = frame_alloc(pool, FRAME_MIN, i);
			CHECK_OK(rte_pktmbuf_chain(pkts[i], tail));
		}
	}
	tell_tracer(SIG_BEGIN);
	sent = rte_eth_tx_burst(port->id, 0, pkts, BURST);
	CHECK(sent == BURST, "%u of %u packets sent", sent, BURST);
	return syscalls_since_begin();
}

/* Packets that wait in the kernel. */
static uint64_t
receive_waiting(const struct port *port, int sock)
{
	struct rte_mbuf *pkts[NB_WAITING];
	uint8_t data[FRAME_MIN];
	uint64_t calls;
	unsigned int i;

	for (i = 0; i < NB_WAITING; i++) {
		frame_write(data, sizeof(data), i);
		kernel_send(sock, data, sizeof(data));
	}
	tell_tracer(SIG_BEGIN);
	for (i = 0; i < NB_WAITING;)
		i += rte_eth_rx_burst(port->id, 0, &pkts[i],
			RTE_MIN((unsigned int)BURST, NB_WAITING - i));
	calls = syscalls_since_begin();
	rte_pktmbuf_free_bulk(pkts, NB_WAITING);
	return calls;
}

static void
busy(void)
{
	const struct port_conf conf = {
		.pool = pool,
		.tx_offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	};
	uint64_t tx, rx;
	struct port port;
	int sock;

	rig_case("system calls of full bursts");
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	send_burst(&port);
	tx = send_burst(&port);
	port_rx_discard(&port);
	rx = receive_waiting(&port, sock);
	fprintf(stderr, "%u packets sent: %" PRIu64 ", %u received: %" PRIu64 "\n", BURST, tx,
		NB_WAITING, rx);
	CHECK(tx <= (rig_io_is_uring() ? 1 : BURST), "%" PRIu64 " system calls to send", tx);
	CHECK(rx <= (rig_reads_by_uring() ? NB_WAITING / 20 : NB_WAITING * 2),
		"%" PRIu64 " system calls to receive", rx);
	close(sock);
	port_close(&port);
}

/*
 * The interface is deleted under a polling thread.
 *
 * Pitfall: a poll posted on a TAP file without a device completes at once, with POLLERR; to
 * post it again would be a busy loop of system calls.
 */

static void
send_to_nowhere(const struct port *port)
{
	struct rte_mbuf *pkts[BURST];
	uint64_t errors = port_stats(port).oerrors;
	unsigned int i;

	for (i = 0; i < BURST; i++)
		pkts[i] = frame_alloc(pool, FRAME_MIN, i);
	port_tx(port, 0, pkts, BURST);
	CHECK(port_stats(port).oerrors == errors + BURST, "not counted in oerrors");
	CHECK(port_xstat(port, "tx_link_down_errors") >= BURST, "counted otherwise");
}

/* How the Rx queue is when the interface goes */
enum state { STATE_NEW, STATE_IDLE, STATE_WAITING, STATE_MAX };

static void
delete_in_state(enum state state, uint16_t nb_queues)
{
	const struct port_conf conf = { .pool = pool, .nb_rx = nb_queues, .nb_tx = nb_queues };
	struct rte_eth_link link;
	uint8_t data[FRAME_MIN];
	struct port port;
	uint64_t calls;
	int sock;

	port_open(&port, "net_rtap0", "iface=doomed", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	if (state != STATE_NEW)
		frames_from_kernel(&port, sock, 2);
	if (state == STATE_IDLE)
		port_rx_discard(&port);
	frame_write(data, sizeof(data), 0);
	if (state == STATE_WAITING)
		kernel_send(sock, data, sizeof(data));
	rig_run("ip link del doomed");

	/* What waits may still come; and it may take a poll or two to notice. */
	port_rx_discard(&port);
	poll_idle(&port, 2);
	calls = poll_idle(&port, NB_IDLE);
	CHECK(calls == 0, "%" PRIu64 " system calls in %u polls without a device", calls, NB_IDLE);
	send_to_nowhere(&port);
	CHECK_OK(rte_eth_link_get_nowait(port.id, &link));
	CHECK(link.link_status == RTE_ETH_LINK_DOWN, "a link without a device");
	rte_eth_dev_stop(port.id);
	CHECK(rte_eth_dev_start(port.id) < 0, "started without a device");
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

static void
deleted(void)
{
	struct rig_census before;
	unsigned int state;

	rig_case("the interface is deleted");
	rig_census(&before);
	for (state = 0; state < STATE_MAX; state++) {
		delete_in_state(state, 1);
		delete_in_state(state, 2);
		rig_census_compare(&before, "a deleted interface");
	}
}

/*
 * Hand-over
 */

/* When the packet comes that the next thread is to find */
enum moment {
	WHILE_POLLED,		/* while the last thread still polls */
	AFTER_EXIT,		/* when that thread is gone, or no longer polls */
	AFTER_POLL,		/* when the next thread has polled once */
};

struct hand {
	const struct port *port;
	int sock;
	enum moment moment;
	unsigned int n;
};

/* One packet each way; the one to receive may wait already. */
static void
use_queues(const struct port *port, int sock, unsigned int number)
{
	uint8_t data[FRAME_MIN];
	struct rte_mbuf *m;

	port_rx(port, 0, &m, 1);
	CHECK(frame_is_mbuf(m, FRAME_MIN, number), "packet %u differs", number);
	port_tx(port, 0, &m, 1);
	CHECK(kernel_recv(sock, data, sizeof(data)) == FRAME_MIN &&
		frame_is(data, FRAME_MIN, number), "packet %u comes back changed", number);
}

static void
kernel_send_number(int sock, unsigned int number)
{
	uint8_t data[FRAME_MIN];

	frame_write(data, sizeof(data), number);
	kernel_send(sock, data, sizeof(data));
}

static void *
take_turn(void *arg)
{
	struct hand *hand = arg;
	struct rte_mbuf *m;

	if (hand->moment == AFTER_POLL) {
		CHECK(port_rx_burst(hand->port, 0, &m, 1) == 0, "a packet from nowhere");
		kernel_send_number(hand->sock, hand->n);
	}
	use_queues(hand->port, hand->sock, hand->n++);
	/* Fall idle. */
	port_rx_discard(hand->port);
	port_rx_discard(hand->port);
	if (hand->moment == WHILE_POLLED)
		kernel_send_number(hand->sock, hand->n);
	return NULL;
}

static void
open_hand(struct hand *hand, struct port *port)
{
	const struct port_conf conf = { .pool = pool };

	port_open(port, "net_rtap0", "iface=moving", &conf);
	hand->port = port;
	hand->sock = kernel_open(port, ETHERTYPE_TEST);
	if (hand->moment == WHILE_POLLED)
		kernel_send_number(hand->sock, hand->n);
}

/*
 * Pitfall: a ring gives up its file late. The more so if another thread owns it than the one
 * that closes it.
 */
static void
close_hand(struct hand *hand, struct port *port)
{
	CHECK(port_stats(port).imissed == 0 && port_stats(port).ierrors == 0 &&
		port_stats(port).oerrors == 0, "packets were dropped");
	close(hand->sock);
	port_close(port);
	CHECK(if_nametoindex("moving") == 0, "the interface outlives its port");
	pool_check_full(pool);
}

static void
run_on_new_thread(struct hand *hand)
{
	pthread_t thread;

	CHECK_OK(pthread_create(&thread, NULL, take_turn, hand));
	CHECK_OK(pthread_join(thread, NULL));
}

/* Each thread is gone before the next begins. */
static void
hand_over(enum moment moment)
{
	struct hand hand = { .moment = moment };
	struct port port;
	unsigned int i;

	open_hand(&hand, &port);
	for (i = 0; i < NB_HANDOVERS; i++) {
		if (moment == AFTER_EXIT)
			kernel_send_number(hand.sock, hand.n);
		/* Now and then this one, which stays. */
		if (i % 3 == 0)
			take_turn(&hand);
		else
			run_on_new_thread(&hand);
	}
	port_rx_discard(&port);
	check_idle(&port);
	close_hand(&hand, &port);
}

/* Two threads that both live, and never poll at the same time. */
struct pair {
	struct hand *hand;
	unsigned int n;
	pthread_barrier_t barrier;
};

static void *
every_other_turn(void *arg)
{
	struct pair *pair = arg;
	unsigned int i;

	for (i = 0; i < pair->n; i++) {
		pthread_barrier_wait(&pair->barrier);
		take_turn(pair->hand);
		pthread_barrier_wait(&pair->barrier);
	}
	return NULL;
}

/* The other one polls last. */
static void
alternate(enum moment moment, unsigned int n)
{
	struct hand hand = { .moment = moment };
	struct pair pair = { .hand = &hand, .n = n };
	struct port port;
	pthread_t thread;
	unsigned int i;

	open_hand(&hand, &port);
	CHECK_OK(pthread_barrier_init(&pair.barrier, NULL, 2));
	CHECK_OK(pthread_create(&thread, NULL, every_other_turn, &pair));
	for (i = 0; i < n; i++) {
		if (moment == AFTER_EXIT)
			kernel_send_number(hand.sock, hand.n);
		take_turn(&hand);
		if (moment == AFTER_EXIT)
			kernel_send_number(hand.sock, hand.n);
		pthread_barrier_wait(&pair.barrier);
		pthread_barrier_wait(&pair.barrier);
	}
	CHECK_OK(pthread_join(thread, NULL));
	pthread_barrier_destroy(&pair.barrier);
	close_hand(&hand, &port);
}

static void
moves(void)
{
	static const char * const when[] = {
		[WHILE_POLLED] = "the packet comes before",
		[AFTER_EXIT] = "the packet comes in between",
		[AFTER_POLL] = "the packet comes later",
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(when); i++) {
		fprintf(stderr, "- hand-over: %s\n", when[i]);
		hand_over(i);
		alternate(i, 1);
		alternate(i, NB_HANDOVERS);
	}
}

static int
application(void)
{
	be_traced();
	rig_init_eal();
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	idle();
	busy();
	moves();
	deleted();
	return rig_done();
}

int
main(int argc, char **argv)
{
	pid_t pid;

	rig_init_namespace(argc, argv);
	nb_stops = mmap(NULL, sizeof(*nb_stops), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(nb_stops != MAP_FAILED, "mmap: %s", strerror(errno));
	pid = fork();
	CHECK(pid >= 0, "fork: %s", strerror(errno));
	return pid == 0 ? application() : trace(pid);
}
