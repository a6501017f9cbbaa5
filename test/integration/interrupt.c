/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Rx interrupts: whoever sleeps on a queue is woken by the next packet, whenever it comes, and by
 * nothing else. With SQPOLL, by other things as well: a read that finds nothing, which was posted
 * before the queue came to rest. There a sleeper who finds none goes back to sleep.
 *
 * All sleeps last as long as it takes. A wake-up that is lost ends the test by its patience, and
 * that is what it looks for.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_epoll.h>
#include <rte_interrupts.h>
#include <rte_pause.h>
#include <rte_stdatomic.h>

#include "rig.h"

#define NB_MBUF 16384
#define NB_ROUNDS 200
#define NB_RACES 20000
#define NB_QUEUES 4
#define NB_FLOWS 256
#define NB_MOVES 50
#define NB_PACKETS 30000
#define MAX_UNDER_WAY 400
#define MAX_BATCH 100

static const struct rte_eth_intr_conf with_rxq = { .rxq = 1 };
static struct rte_mempool *pool;

/* How often to do something; less with SQPOLL, where the kernel's thread wants a CPU, too. */
static unsigned int
times(unsigned int n)
{
	return rig_sqpoll ? n / 10 : n;
}

static void
open_port(struct port *port, uint16_t nb_queues)
{
	const struct port_conf conf = {
		.pool = pool,
		.nb_rx = nb_queues,
		.nb_tx = nb_queues,
		.intr = with_rxq,
	};

	port_open(port, "net_rtap0", "", &conf);
}

static void
intr_ctl(const struct port *port, uint16_t queue, int epfd, int op)
{
	CHECK_OK(rte_eth_dev_rx_intr_ctl_q(port->id, queue, epfd, op, (void *)(uintptr_t)queue));
}

static void
enable(const struct port *port, uint16_t queue)
{
	CHECK_OK(rte_eth_dev_rx_intr_enable(port->id, queue));
}

static void
disable(const struct port *port, uint16_t queue)
{
	CHECK_OK(rte_eth_dev_rx_intr_disable(port->id, queue));
}

/* Sleep until a packet comes. Returns the queue that says so. */
static uint16_t
sleep_on(int epfd)
{
	struct rte_epoll_event event;
	int n = rte_epoll_wait(epfd, &event, 1, RIG_PATIENCE * 1000);

	CHECK(n == 1, "hangs: a wake-up is lost");
	CHECK((event.epdata.event & EPOLLIN) != 0, "woken by event %#x", event.epdata.event);
	return (uintptr_t)event.epdata.data;
}

static bool
is_awake(int epfd)
{
	struct rte_epoll_event event;

	return rte_epoll_wait(epfd, &event, 1, 0) != 0;
}

static void
send_number(int sock, unsigned int number)
{
	uint8_t data[FRAME_MIN];

	frame_write(data, sizeof(data), number);
	kernel_send(sock, data, sizeof(data));
}

/* After waking up. Whoever finds nothing has been woken for nothing, and does not poll for it. */
static void
take_number(const struct port *port, int epfd, unsigned int number)
{
	struct rte_mbuf *m;

	while (port_rx_burst(port, 0, &m, 1) == 0) {
		enable(port, 0);
		sleep_on(epfd);
	}
	CHECK(frame_is_mbuf(m, FRAME_MIN, number), "packet %u differs", number);
	rte_pktmbuf_free(m);
}

static void
see_empty(const struct port *port, uint16_t queue)
{
	struct rte_mbuf *m;

	CHECK(rte_eth_rx_burst(port->id, queue, &m, 1) == 0, "a packet from nowhere");
}

/*
 * One thread: each packet comes at the worst moments, without luck.
 */

struct manners {
	bool early;		/* the packet comes before the interrupt is enabled */
	bool disables;		/* the application disables the interrupt when it is awake */
	bool dawdles;		/* and goes back to sleep before it takes the packet */
	unsigned int polls;	/* bursts that find nothing, before */
};

static void
wake_once(const struct port *port, int epfd, int sock, const struct manners *how, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < how->polls; i++)
		see_empty(port, 0);
	if (how->early)
		send_number(sock, n);
	enable(port, 0);
	if (!how->early)
		send_number(sock, n);
	sleep_on(epfd);
	if (how->disables)
		disable(port, 0);
	if (how->dawdles) {
		enable(port, 0);
		sleep_on(epfd);
	}
	take_number(port, epfd, n);
	see_empty(port, 0);
	enable(port, 0);
	CHECK(rig_sqpoll || !is_awake(epfd), "woken for nothing");
	if (how->disables)
		disable(port, 0);
}

static void
moments(void)
{
	unsigned int i, round, n = 0;
	struct port port;
	int sock;

	rig_case("a packet at each moment");
	open_port(&port, 1);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	intr_ctl(&port, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	for (round = 0; round < times(NB_ROUNDS); round++) {
		for (i = 0; i < 24; i++) {
			const struct manners how = {
				.early = (i & 1) != 0,
				.disables = (i & 2) != 0,
				.dawdles = (i & 4) != 0,
				.polls = i / 8,
			};

			wake_once(&port, RTE_EPOLL_PER_THREAD, sock, &how, n++);
		}
	}
	intr_ctl(&port, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_DEL);
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/* While the interrupt is disabled, packets wake nobody. */
static void
disabled(void)
{
	struct port port;
	int sock;

	rig_case("disabled");
	open_port(&port, 1);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	intr_ctl(&port, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	send_number(sock, 0);
	CHECK(!is_awake(RTE_EPOLL_PER_THREAD), "woken before the interrupt was ever enabled");
	enable(&port, 0);
	disable(&port, 0);
	CHECK(!is_awake(RTE_EPOLL_PER_THREAD), "woken by a disabled interrupt");
	send_number(sock, 1);
	CHECK(!is_awake(RTE_EPOLL_PER_THREAD), "woken by a disabled interrupt");
	enable(&port, 0);
	sleep_on(RTE_EPOLL_PER_THREAD);
	take_number(&port, RTE_EPOLL_PER_THREAD, 0);
	take_number(&port, RTE_EPOLL_PER_THREAD, 1);
	close(sock);
	port_close(&port);
}

static void
not_asked_for(void)
{
	const struct port_conf conf = { .pool = pool };
	struct port port;

	rig_case("without interrupts");
	port_open(&port, "net_rtap0", "", &conf);
	CHECK(rte_eth_dev_rx_intr_enable(port.id, 0) == -ENOTSUP, "enabled");
	CHECK(rte_eth_dev_rx_intr_disable(port.id, 0) == -ENOTSUP, "disabled");
	CHECK(rte_eth_dev_rx_intr_ctl_q(port.id, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD,
		NULL) < 0, "registered");
	port_close(&port);
}

/* Nothing wakes a thread that nobody sends anything. */
static void
idle(void)
{
	struct rusage before, after;
	struct rte_epoll_event event;
	struct port port;
	unsigned int wakes = 0;
	long switches;
	int n;

	rig_case("idle");
	open_port(&port, 2);
	intr_ctl(&port, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	intr_ctl(&port, 1, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	port_rx_discard(&port);
	do {
		port_rx_discard(&port);
		enable(&port, 0);
		enable(&port, 1);
		CHECK_OK(getrusage(RUSAGE_THREAD, &before));
		n = rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, 500);
		CHECK_OK(getrusage(RUSAGE_THREAD, &after));
		CHECK(n == 0 || (rig_sqpoll && wakes++ < 100), "woken for nothing");
	} while (n != 0);
	switches = after.ru_nvcsw - before.ru_nvcsw;
	CHECK(switches <= 3, "fell asleep %ld times", switches);
	port_close(&port);
}

/*
 * Two threads: what the kernel does at the same time.
 */

struct race {
	const struct port *port;
	int sock;
	RTE_ATOMIC(unsigned int) seen_empty;
};

/* For up to so many microseconds or so, differently for each seed. */
static void
dither(unsigned int *seed, unsigned int most)
{
	unsigned int n;

	*seed = *seed * 1103515245 + 12345;
	for (n = (*seed >> 8) % most * 20; n > 0; n--)
		rte_pause();
}

static void *
send_when_empty(void *arg)
{
	struct race *race = arg;
	unsigned int n, seed = 1;

	for (n = 0; n < times(NB_RACES); n++) {
		while (rte_atomic_load_explicit(&race->seen_empty, rte_memory_order_acquire) <= n)
			sched_yield();
		dither(&seed, 20);
		send_number(race->sock, n);
	}
	return NULL;
}

static void
races(void)
{
	struct race race = {0};
	unsigned int n, seed = 2;
	struct port port;
	pthread_t sender;

	rig_case("a packet at any moment");
	open_port(&port, 1);
	race.port = &port;
	race.sock = kernel_open(&port, ETHERTYPE_TEST);
	intr_ctl(&port, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	CHECK_OK(pthread_create(&sender, NULL, send_when_empty, &race));
	for (n = 0; n < times(NB_RACES); n++) {
		see_empty(&port, 0);
		rte_atomic_store_explicit(&race.seen_empty, n + 1, rte_memory_order_release);
		dither(&seed, 10);
		enable(&port, 0);
		dither(&seed, 10);
		sleep_on(RTE_EPOLL_PER_THREAD);
		if (n % 2 == 0)
			disable(&port, 0);
		take_number(&port, RTE_EPOLL_PER_THREAD, n);
	}
	CHECK_OK(pthread_join(sender, NULL));
	close(race.sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * Several queues
 */

static void
send_flow(int sock, unsigned int flow)
{
	uint8_t data[FRAME_MIN];

	flow_write(data, sizeof(data), flow % NB_FLOWS);
	kernel_send(sock, data, sizeof(data));
}

/* The queue that says it has a packet has one, and no other has. */
static void
many_queues(void)
{
	unsigned int round, n, before, woken[NB_QUEUES] = {0};
	struct rte_mbuf *m;
	struct port port;
	uint16_t queue;
	int sock;

	rig_case("one thread that sleeps on four queues");
	open_port(&port, NB_QUEUES);
	port.ethertype = RTE_ETHER_TYPE_IPV4;
	sock = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	for (queue = 0; queue < NB_QUEUES; queue++)
		intr_ctl(&port, queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	port_rx_discard(&port);
	for (round = 0; round < times(10 * NB_ROUNDS); round++) {
		unsigned int together = 1 + round % 3;

		for (queue = 0; queue < NB_QUEUES; queue++)
			enable(&port, queue);
		for (n = 0; n < together; n++)
			send_flow(sock, 3 * round + n);
		for (n = 0; n < together;) {
			queue = sleep_on(RTE_EPOLL_PER_THREAD);
			disable(&port, queue);
			woken[queue]++;
			before = n;
			while (port_rx_burst(&port, queue, &m, 1) == 1) {
				rte_pktmbuf_free(m);
				n++;
			}
			CHECK(rig_sqpoll || n > before, "queue %u has none", queue);
			if (rig_sqpoll)
				enable(&port, queue);
		}
		CHECK(rig_sqpoll || !is_awake(RTE_EPOLL_PER_THREAD),
			"another queue says it has a packet");
	}
	for (queue = 0; queue < NB_QUEUES; queue++)
		CHECK(woken[queue] > 0, "all packets went to other queues than %u", queue);
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * The loop of l3fwd-power: poll until there is nothing, sleep.
 */

struct worker {
	const struct port *port;
	uint16_t queues[2];
	int epfd;
	int stop;			/* an eventfd that wakes it for good */
	unsigned int wakes;
	unsigned int idle_wakes;
	RTE_ATOMIC(unsigned int) received;
	pthread_t thread;
};

static unsigned int
poll_queues(struct worker *worker)
{
	struct rte_mbuf *pkts[BURST];
	unsigned int i, n, total = 0;

	for (i = 0; i < RTE_DIM(worker->queues); i++) {
		n = port_rx_burst(worker->port, worker->queues[i], pkts, BURST);
		rte_pktmbuf_free_bulk(pkts, n);
		total += n;
	}
	rte_atomic_fetch_add_explicit(&worker->received, total, rte_memory_order_release);
	return total;
}

static void *
poll_and_sleep(void *arg)
{
	struct worker *worker = arg;
	unsigned int i, found;
	bool stop = false;
	int n, j;

	while (!stop) {
		struct rte_epoll_event events[3];

		for (found = 0; (i = poll_queues(worker)) != 0;)
			found += i;
		worker->idle_wakes += found == 0;
		for (i = 0; i < RTE_DIM(worker->queues); i++)
			enable(worker->port, worker->queues[i]);
		n = rte_epoll_wait(worker->epfd, events, RTE_DIM(events), RIG_PATIENCE * 1000);
		CHECK(n > 0, "hangs: a wake-up is lost");
		worker->wakes++;
		for (j = 0; j < n; j++) {
			if (events[j].fd == worker->stop)
				stop = true;
			else
				disable(worker->port, (uintptr_t)events[j].epdata.data);
		}
	}
	return NULL;
}

static void
worker_start(struct worker *worker, const struct port *port, uint16_t first,
		struct rte_epoll_event *event)
{
	*worker = (struct worker){ .port = port, .queues = { first, first + 1 } };
	worker->epfd = epoll_create1(EPOLL_CLOEXEC);
	worker->stop = eventfd(0, EFD_CLOEXEC);
	CHECK(worker->epfd >= 0 && worker->stop >= 0, "no files: %s", strerror(errno));
	*event = (struct rte_epoll_event){ .epdata = { .event = EPOLLIN } };
	CHECK_OK(rte_epoll_ctl(worker->epfd, EPOLL_CTL_ADD, worker->stop, event));
	intr_ctl(port, first, worker->epfd, RTE_INTR_EVENT_ADD);
	intr_ctl(port, first + 1, worker->epfd, RTE_INTR_EVENT_ADD);
	CHECK_OK(pthread_create(&worker->thread, NULL, poll_and_sleep, worker));
}

static void
worker_stop(struct worker *worker)
{
	const uint64_t one = 1;

	CHECK(write(worker->stop, &one, sizeof(one)) == sizeof(one), "write: %s", strerror(errno));
	CHECK_OK(pthread_join(worker->thread, NULL));
	close(worker->stop);
	close(worker->epfd);
}

static unsigned int
received(const struct worker *workers, unsigned int nb)
{
	unsigned int i, n = 0;

	for (i = 0; i < nb; i++)
		n += rte_atomic_load_explicit(&workers[i].received, rte_memory_order_acquire);
	return n;
}

static void
loops(void)
{
	struct rte_epoll_event events[NB_QUEUES / 2];
	struct worker workers[NB_QUEUES / 2];
	unsigned int i, batch, under_way, wakes = 0, idle_wakes = 0, sent = 0, seed = 3;
	struct port port;
	int sock;

	rig_case("two threads that poll and sleep on two queues each");
	open_port(&port, NB_QUEUES);
	port.ethertype = RTE_ETHER_TYPE_IPV4;
	sock = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	for (i = 0; i < RTE_DIM(workers); i++)
		worker_start(&workers[i], &port, 2 * i, &events[i]);
	while (sent < times(NB_PACKETS)) {
		for (batch = rig_random(MAX_BATCH); batch > 0; batch--)
			send_flow(sock, sent++);
		dither(&seed, 100);
		/* Now and then all must have arrived, and all sleep. */
		under_way = rig_random(2) * MAX_UNDER_WAY;
		WAIT_FOR(received(workers, RTE_DIM(workers)) + under_way >= sent,
			"%u of %u received", received(workers, RTE_DIM(workers)), sent);
	}
	WAIT_FOR(received(workers, RTE_DIM(workers)) == sent, "%u of %u received",
		received(workers, RTE_DIM(workers)), sent);
	for (i = 0; i < RTE_DIM(workers); i++) {
		worker_stop(&workers[i]);
		wakes += workers[i].wakes;
		idle_wakes += workers[i].idle_wakes;
	}
	fprintf(stderr, "%u packets, %u wake-ups, %u of them for nothing\n", sent, wakes,
		idle_wakes);
	if (rig_sqpoll) /* once for each read and poll at the most: not while they are under way */
		CHECK(wakes <= 8 * sent, "woken for nothing");
	else
		CHECK(wakes - idle_wakes <= sent && idle_wakes <= 4 + wakes / 2,
			"woken for nothing");
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * Queues that come and go
 */

/* The interrupt of a queue survives a stop of the queue, during which nothing wakes. */
static void
queue_restart(void)
{
	struct port port;
	unsigned int n;
	int sock;

	rig_case("queue stop and start");
	open_port(&port, 2);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	intr_ctl(&port, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	intr_ctl(&port, 1, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	for (n = 0; n < times(NB_ROUNDS); n++) {
		port_rx_discard(&port);
		enable(&port, 0);
		enable(&port, 1);
		/* The file of queue 1 is detached, that of queue 0 is not when it is the last. */
		CHECK_OK(rte_eth_dev_rx_queue_stop(port.id, 1));
		CHECK(rig_sqpoll || !is_awake(RTE_EPOLL_PER_THREAD), "woken by a queue that was stopped");
		CHECK_OK(rte_eth_dev_rx_queue_stop(port.id, 0));
		enable(&port, 0);
		CHECK(!is_awake(RTE_EPOLL_PER_THREAD), "woken by a queue that was stopped");
		if (n % 2 == 0)
			send_number(sock, n);
		CHECK(!is_awake(RTE_EPOLL_PER_THREAD), "woken by a stopped queue");
		CHECK_OK(rte_eth_dev_rx_queue_start(port.id, 0));
		if (n % 2 != 0)
			send_number(sock, n);
		CHECK(sleep_on(RTE_EPOLL_PER_THREAD) == 0, "woken by queue 1");
		take_number(&port, RTE_EPOLL_PER_THREAD, n);
		CHECK_OK(rte_eth_dev_rx_queue_start(port.id, 1));
		CHECK(rig_sqpoll || !is_awake(RTE_EPOLL_PER_THREAD),
			"woken by a queue that was started");
	}
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/* Each time with one more queue, and registered again. */
static void
port_restart(void)
{
	struct port_conf conf = { .pool = pool, .nb_rx = 1, .intr = with_rxq };
	struct rte_mbuf *m;
	struct port port;
	uint16_t queue;
	unsigned int n;
	int sock;

	rig_case("port stop and start");
	open_port(&port, 1);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	for (n = 0; n < 10; n++) {
		for (queue = 0; queue < port.nb_rx; queue++) {
			intr_ctl(&port, queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
			enable(&port, queue);
		}
		send_number(sock, n);
		port_rx(&port, sleep_on(RTE_EPOLL_PER_THREAD), &m, 1);
		rte_pktmbuf_free(m);
		/* Stopped while interrupts are enabled, with or without taking them from epoll. */
		for (queue = 0; queue < port.nb_rx && n % 2 == 0; queue++)
			intr_ctl(&port, queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_DEL);
		CHECK_OK(rte_eth_dev_stop(port.id));
		CHECK(!is_awake(RTE_EPOLL_PER_THREAD), "woken by a port that was stopped");
		conf.nb_rx++;
		port_setup(&port, &conf);
		port_start(&port);
		CHECK(!is_awake(RTE_EPOLL_PER_THREAD), "woken by a port that was started");
	}
	close(sock);
	port_close(&port);
}

struct move {
	const struct port *port;
	int sock;
	unsigned int n;
};

/* Each with an epoll instance of its own. */
static void *
sleep_elsewhere(void *arg)
{
	struct move *move = arg;
	const struct manners how = {
		.early = move->n % 2 != 0,
		.disables = move->n % 3 != 0,
		.polls = move->n % 4,
	};
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	CHECK(epfd >= 0, "epoll_create1: %s", strerror(errno));
	intr_ctl(move->port, 0, epfd, RTE_INTR_EVENT_ADD);
	wake_once(move->port, epfd, move->sock, &how, move->n);
	wake_once(move->port, epfd, move->sock, &how, move->n);
	intr_ctl(move->port, 0, epfd, RTE_INTR_EVENT_DEL);
	close(epfd);
	return NULL;
}

static void
moves(void)
{
	struct move move = {0};
	struct port port;
	pthread_t thread;

	rig_case("a queue that moves between threads");
	open_port(&port, 1);
	move.port = &port;
	move.sock = kernel_open(&port, ETHERTYPE_TEST);
	for (; move.n < NB_MOVES; move.n++) {
		if (move.n % 3 == 0) {
			sleep_elsewhere(&move);
			continue;
		}
		CHECK_OK(pthread_create(&thread, NULL, sleep_elsewhere, &move));
		CHECK_OK(pthread_join(thread, NULL));
	}
	close(move.sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * Pitfall: a TAP file without a device is ready for ever.
 */
static void
deleted(uint16_t nb_queues)
{
	struct rte_epoll_event event;
	unsigned int i, wakes = 0;
	struct port port;
	uint16_t queue;

	open_port(&port, nb_queues);
	for (queue = 0; queue < nb_queues; queue++)
		intr_ctl(&port, queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	port_rx_discard(&port);
	for (queue = 0; queue < nb_queues; queue++)
		enable(&port, queue);
	rig_run("ip link del %s", port.ifname);
	for (i = 0; i < 20; i++) {
		wakes += rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, 10) != 0;
		port_rx_discard(&port);
		for (queue = 0; queue < nb_queues; queue++)
			rte_eth_dev_rx_intr_enable(port.id, queue);
	}
	CHECK(wakes >= 1 && (rig_sqpoll || wakes <= 2u * nb_queues),
		"a deleted interface wakes %u times", wakes);
	for (queue = 0; queue < nb_queues; queue++)
		WAIT_FOR((port_rx_discard(&port),
			rte_eth_dev_rx_intr_enable(port.id, queue)) == -EIO, "still enabled");
	CHECK(!is_awake(RTE_EPOLL_PER_THREAD), "woken by what is gone");
	CHECK(rte_eth_dev_is_removed(port.id) == 1, "not removed");
	port_close(&port);
}

/*
 * Packets that were read ahead, and are in no file any more
 */

/* With SQPOLL, when the thread has read them; only one is where it would wait for more. */
static void
see_two(const struct port *port)
{
	int n = rig_sqpoll && !rig_reads_by_uring() ? 1 : 2;

	if (rig_sqpoll)
		WAIT_FOR(rte_eth_rx_queue_count(port->id, 0) == n, "not %d", n);
	CHECK(rte_eth_rx_queue_count(port->id, 0) == n, "not %d", n);
}

static void
counted(void)
{
	struct pollfd level = { .events = POLLIN };
	struct port port;
	unsigned int n;
	int sock;

	rig_case("packets that were counted");
	open_port(&port, 1);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	intr_ctl(&port, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
	level.fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port.id, 0);
	for (n = 0; n < times(NB_ROUNDS); n++) {
		see_empty(&port, 0);
		send_number(sock, n);
		send_number(sock, n + 1);
		/* Counted before or after the interrupt is enabled */
		if (n % 2 == 0)
			see_two(&port);
		enable(&port, 0);
		see_two(&port);
		sleep_on(RTE_EPOLL_PER_THREAD);
		take_number(&port, RTE_EPOLL_PER_THREAD, n);
		enable(&port, 0);
		sleep_on(RTE_EPOLL_PER_THREAD);
		CHECK(poll(&level, 1, 0) == 1, "not ready");
		take_number(&port, RTE_EPOLL_PER_THREAD, n + 1);
		CHECK(rig_sqpoll || poll(&level, 1, 0) == 0, "ready, with nothing left");
		enable(&port, 0);
		CHECK(rig_sqpoll || !is_awake(RTE_EPOLL_PER_THREAD), "woken for nothing");
	}
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/* Whoever sleeps on the level needs not enable the interrupt again. */
static void
taken_in_part(void)
{
	struct pollfd level = { .events = POLLIN };
	struct rte_mbuf *m;
	struct port port;
	unsigned int n, i;
	int sock;

	rig_case("packets that were taken in part");
	open_port(&port, 1);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	level.fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port.id, 0);
	enable(&port, 0);
	for (n = 0; n < times(NB_ROUNDS); n++) {
		for (i = 0; i < 8; i++)
			send_number(sock, n + i);
		for (i = 0; i < 8;) {
			CHECK(poll(&level, 1, RIG_PATIENCE * 1000) == 1, "hangs with %u of 8", i);
			if (port_rx_burst(&port, 0, &m, 1) == 0)
				continue;
			CHECK(frame_is_mbuf(m, FRAME_MIN, n + i), "packet %u differs", n + i);
			rte_pktmbuf_free(m);
			i++;
		}
	}
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/* Nothing is left of all that. */
static void
leaks(void)
{
	struct rig_census before;
	struct port port;
	unsigned int n;

	rig_case("leaks");
	open_port(&port, NB_QUEUES);
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_census(&before);
	for (n = 0; n < 10; n++) {
		port_start(&port);
		intr_ctl(&port, 1, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD);
		enable(&port, 1);
		CHECK_OK(rte_eth_dev_stop(port.id));
		rig_census_compare(&before, "a restart");
	}
	port_close(&port);
	rig_census(&before);
	for (n = 0; n < 10; n++) {
		open_port(&port, NB_QUEUES);
		port_close(&port);
	}
	rig_census_compare(&before, "interrupts");
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	not_asked_for();
	disabled();
	moments();
	idle();
	races();
	many_queues();
	loops();
	queue_restart();
	port_restart();
	moves();
	rig_case("the interface is deleted");
	deleted(1);
	deleted(3);
	counted();
	taken_in_part();
	leaks();
	return rig_done();
}
