/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Any number of queues, each of which comes and goes. Whatever state they are in, the kernel's
 * packets reach a queue that runs, and what is sent through any Tx queue arrives.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_stdatomic.h>

#include "rig.h"

#define NB_QUEUES 8
#define NB_QUEUES_MAX 256
#define NB_MBUF 16384
#define NB_FLOWS 256
#define NB_RESTARTS 100
#define NB_TOGGLES 200
#define FLOW_LEN 100

static struct rte_mempool *pool, *tiny;

static void
open_port(struct port *port, const struct port_conf *conf)
{
	port_open(port, "net_rtap0", "", conf);
	port->ethertype = RTE_ETHER_TYPE_IPV4;
}

/*
 * One packet of each flow. The kernel spreads flows over the queues; each packet must arrive
 * once, on whatever queue.
 */
struct flows {
	unsigned int got;
	unsigned int by_queue[NB_QUEUES_MAX];
	bool seen[NB_FLOWS];
};

static void
flows_send(int sock)
{
	uint8_t data[FLOW_LEN];
	unsigned int i;

	for (i = 0; i < NB_FLOWS; i++) {
		flow_write(data, sizeof(data), i);
		kernel_send(sock, data, sizeof(data));
	}
}

static void
flows_note(struct flows *flows, uint16_t queue, struct rte_mbuf **pkts, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		unsigned int flow = flow_number(pkts[i]);

		CHECK(flow < NB_FLOWS && flow_is_mbuf(pkts[i], FLOW_LEN, flow) &&
			!flows->seen[flow], "queue %u has a packet that was not sent", queue);
		flows->seen[flow] = true;
		flows->by_queue[queue]++;
		flows->got++;
	}
	rte_pktmbuf_free_bulk(pkts, n);
}

static void
flows_poll(struct flows *flows, const struct port *port, uint16_t queue)
{
	struct rte_mbuf *pkts[BURST];

	flows_note(flows, queue, pkts, port_rx_burst(port, queue, pkts, RTE_DIM(pkts)));
}

/* Poll all queues, also those that are stopped. */
static void
flows_collect(struct flows *flows, const struct port *port)
{
	uint16_t queue = 0;

	WAIT_FOR(flows->got == NB_FLOWS ||
		(flows_poll(flows, port, queue++ % port->nb_rx), flows->got == NB_FLOWS),
		"%u of %u flows are lost", NB_FLOWS - flows->got, NB_FLOWS);
}

static struct flows
flows_arrive(const struct port *port, int sock)
{
	struct flows flows = {0};

	flows_send(sock);
	flows_collect(&flows, port);
	return flows;
}

static void
all_tx_queues_send(const struct port *port, int sock)
{
	uint16_t queue;

	for (queue = 0; queue < port->nb_tx; queue++)
		frames_to_kernel(port, queue, sock, pool, 2);
}

static void
traffic(const struct port *port)
{
	int to = kernel_open(port, ETHERTYPE_TEST);
	int from = kernel_open(port, RTE_ETHER_TYPE_IPV4);

	all_tx_queues_send(port, to);
	flows_arrive(port, from);
	CHECK(port_stats(port).oerrors == 0 && port_stats(port).ierrors == 0, "errors");
	close(to);
	close(from);
}

/* Reconfigure to all pairs of counts, in no order, and back to the first. */
static void
all_counts(void)
{
	struct port_conf conf = { .pool = pool };
	struct rig_census before;
	struct port port;
	unsigned int i;

	rig_case("1 to 8 Rx queues with 1 to 8 Tx queues");
	open_port(&port, &conf);
	traffic(&port);
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_census(&before);
	for (i = 0; i <= NB_QUEUES * NB_QUEUES; i++) {
		/* A step that has no common divisor with the number of pairs meets all. */
		conf.nb_rx = 1 + i * 27 % (NB_QUEUES * NB_QUEUES) / NB_QUEUES;
		conf.nb_tx = 1 + i * 27 % NB_QUEUES;
		port_setup(&port, &conf);
		port_start(&port);
		traffic(&port);
		CHECK_OK(rte_eth_dev_stop(port.id));
	}
	CHECK(conf.nb_rx == 1 && conf.nb_tx == 1, "this test ends elsewhere");
	rig_census_compare(&before, "reconfiguration");
	port_close(&port);
	pool_check_full(pool);
}

static void
most_queues(void)
{
	const struct port_conf conf = {
		.pool = pool,
		.nb_rx = NB_QUEUES_MAX,
		.nb_tx = NB_QUEUES_MAX,
	};
	struct rte_eth_conf eth = {0};
	struct rlimit files;
	struct port port;

	rig_case("256 pairs");
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
	files.rlim_max = RTE_MAX(files.rlim_max, (rlim_t)4 * NB_QUEUES_MAX);
	files.rlim_cur = files.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0, "no more than %zu files: %s",
		(size_t)files.rlim_max, strerror(errno));
	open_port(&port, &conf);
	traffic(&port);
	CHECK_OK(rte_eth_dev_stop(port.id));
	CHECK(rte_eth_dev_configure(port.id, NB_QUEUES_MAX + 1, 1, &eth) < 0, "257 Rx queues");
	CHECK(rte_eth_dev_configure(port.id, 1, NB_QUEUES_MAX + 1, &eth) < 0, "257 Tx queues");
	port_close(&port);
	pool_check_full(pool);
}

static void
descriptors(void)
{
	struct port_conf conf = { .pool = pool };
	struct rte_eth_dev_info info;
	struct port port;

	rig_case("the fewest and the most descriptors");
	port_attach(&port, "net_rtap0", "");
	port.ethertype = RTE_ETHER_TYPE_IPV4;
	CHECK_OK(rte_eth_dev_info_get(port.id, &info));
	conf.nb_desc = info.rx_desc_lim.nb_max + 1;
	CHECK(port_try_setup(&port, &conf) < 0, "%u descriptors accepted", conf.nb_desc);
	conf.nb_desc = info.rx_desc_lim.nb_max;
	port_setup(&port, &conf);
	port_start(&port);
	traffic(&port);
	CHECK_OK(rte_eth_dev_stop(port.id));
	conf.nb_desc = info.rx_desc_lim.nb_min;
	port_setup(&port, &conf);
	port_start(&port);
	traffic(&port);
	port_close(&port);
	pool_check_full(pool);
}

/* What cannot be is refused, leaves nothing behind, and does not stand in the way. */
static void
bad_setup(void)
{
	const struct port_conf good = { .pool = pool, .nb_rx = 2, .nb_tx = 2 };
	const struct port_conf small = { .pool = tiny, .nb_rx = 2, .nb_tx = 2 };
	const struct port_conf lro = { .pool = pool, .rx_offloads = RTE_ETH_RX_OFFLOAD_TCP_LRO };
	struct rig_census before;
	struct port port;

	rig_case("set-up that fails");
	open_port(&port, &good);
	traffic(&port);
	CHECK_OK(rte_eth_dev_stop(port.id));
	rig_census(&before);

	CHECK(port_try_setup(&port, &small) < 0, "frames do not fit into these mbufs");
	CHECK(rte_eth_dev_start(port.id) < 0, "started without queues");
	port_setup(&port, &good);
	rig_census_compare(&before, "mbufs that are too small");

	CHECK(port_try_setup(&port, &lro) < 0, "LRO accepted without scattered Rx");
	port_setup(&port, &good);
	rig_census_compare(&before, "LRO without scattered Rx");

	port_start(&port);
	traffic(&port);
	port_close(&port);
	pool_check_full(pool);
	pool_check_full(tiny);
}

/* The kernel keeps the packets until there are mbufs again. */
static void
empty_pool(void)
{
	const struct port_conf conf = { .pool = tiny, .rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER };
	struct rte_mbuf **all = calloc(tiny->size, sizeof(*all));
	struct rte_mbuf *pkts[NB_FLOWS];
	unsigned int n = 0, got = 0;
	struct flows flows = {0};
	struct port port;
	int sock;

	rig_case("no mbufs");
	CHECK(all != NULL, "out of memory");
	open_port(&port, &conf);
	sock = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	flows_arrive(&port, sock);
	while ((all[n] = rte_pktmbuf_alloc(tiny)) != NULL)
		n++;
	flows_send(sock);
	while (port_stats(&port).rx_nombuf == 0) {
		got += port_rx_burst(&port, 0, &pkts[got], 1);
		CHECK(got < NB_FLOWS, "the pool is not empty");
	}
	rte_pktmbuf_free_bulk(all, n);
	flows_note(&flows, 0, pkts, got);
	flows_collect(&flows, &port);
	CHECK(port_stats(&port).imissed == 0, "packets were dropped");
	close(sock);
	port_close(&port);
	free(all);
	pool_check_full(tiny);
}

/*
 * Queues that stop and start
 */

static unsigned int
poll_stopped(const struct port *port, uint16_t queue)
{
	struct rte_mbuf *m;

	return rte_eth_rx_burst(port->id, queue, &m, 1);
}

/* With these Rx queues stopped and no others. */
static void
check_stopped(const struct port *port, int to, int from, unsigned int stopped)
{
	const unsigned int all = (1U << port->nb_rx) - 1;
	struct flows flows = {0};
	uint16_t queue;

	for (queue = 0; queue < port->nb_rx; queue++) {
		if ((stopped & 1U << queue) != 0)
			CHECK_OK(rte_eth_dev_rx_queue_stop(port->id, queue));
		else
			CHECK_OK(rte_eth_dev_rx_queue_start(port->id, queue));
	}
	all_tx_queues_send(port, to);
	if (stopped != all)
		flows = flows_arrive(port, from);
	for (queue = 0; queue < port->nb_rx; queue++) {
		if ((stopped & 1U << queue) != 0)
			CHECK(poll_stopped(port, queue) == 0, "a stopped queue has a packet");
		else
			CHECK(flows.by_queue[queue] > 0, "queue %u runs and gets nothing", queue);
	}
	CHECK(port_stats(port).oerrors == 0, "packets could not be sent");
}

/*
 * An Rx queue that is stopped is detached from the interface, or the kernel would go on giving
 * it its share. Tx queues go on, the one of the same number too.
 */
static void
stopped_queues(void)
{
	const struct port_conf conf = { .pool = pool, .nb_rx = 4, .nb_tx = 5 };
	struct port port;
	unsigned int stopped;
	int to, from;

	rig_case("any Rx queues stopped");
	open_port(&port, &conf);
	to = kernel_open(&port, ETHERTYPE_TEST);
	from = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	for (stopped = 0; stopped < 1U << 4; stopped++)
		check_stopped(&port, to, from, stopped);
	for (stopped = 1U << 4; stopped-- > 0;)
		check_stopped(&port, to, from, stopped);
	/* A restart begins with what the queues were set up for: all run. */
	check_stopped(&port, to, from, 0x5);
	CHECK_OK(rte_eth_dev_stop(port.id));
	port_start(&port);
	all_tx_queues_send(&port, to);
	flows_arrive(&port, from);
	CHECK(port_stats(&port).imissed == 0, "packets were dropped");
	close(to);
	close(from);
	port_close(&port);
	pool_check_full(pool);
}

/* Send one packet that must not be taken. */
static void
check_tx_stopped(const struct port *port, uint16_t queue)
{
	struct rte_mbuf *m = frame_alloc(pool, FRAME_MIN, 0);

	CHECK(rte_eth_tx_burst(port->id, queue, &m, 1) == 0, "a stopped queue takes a packet");
	rte_pktmbuf_free(m);
}

static void
deferred_start(void)
{
	const struct port_conf conf = { .pool = pool, .nb_rx = 3, .nb_tx = 3, .deferred = true };
	struct rte_eth_rxq_info rx_info;
	struct rte_eth_txq_info tx_info;
	struct port port;
	uint16_t queue;
	int to, from;

	rig_case("deferred start");
	open_port(&port, &conf);
	to = kernel_open(&port, ETHERTYPE_TEST);
	from = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	for (queue = 0; queue < 3; queue++) {
		CHECK(poll_stopped(&port, queue) == 0, "queue %u was not started", queue);
		check_tx_stopped(&port, queue);
		CHECK_OK(rte_eth_rx_queue_info_get(port.id, queue, &rx_info));
		CHECK_OK(rte_eth_tx_queue_info_get(port.id, queue, &tx_info));
		CHECK(rx_info.queue_state == RTE_ETH_QUEUE_STATE_STOPPED &&
			tx_info.queue_state == RTE_ETH_QUEUE_STATE_STOPPED, "state of a queue");
		CHECK(rx_info.conf.rx_deferred_start != 0 && tx_info.conf.tx_deferred_start != 0,
			"configuration of a queue");
	}
	for (queue = 3; queue-- > 0;) {
		CHECK_OK(rte_eth_dev_tx_queue_start(port.id, queue));
		frames_to_kernel(&port, queue, to, pool, 2);
		CHECK_OK(rte_eth_dev_rx_queue_start(port.id, queue));
		flows_arrive(&port, from);
	}
	CHECK_OK(rte_eth_dev_tx_queue_stop(port.id, 1));
	check_tx_stopped(&port, 1);
	CHECK_OK(rte_eth_dev_tx_queue_start(port.id, 1));
	all_tx_queues_send(&port, to);
	close(to);
	close(from);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * The same under load: one thread sends through Tx queue 1, another has the kernel send, while
 * the Rx queues stop and start.
 */
struct load {
	const struct port *port;
	RTE_ATOMIC(bool) stop;
	unsigned int sent;
};

static void *
load_to_kernel(void *arg)
{
	struct load *load = arg;

	while (!rte_atomic_load_explicit(&load->stop, rte_memory_order_relaxed)) {
		struct rte_mbuf *m = frame_alloc(pool, FRAME_MIN, load->sent++);

		port_tx(load->port, 1, &m, 1);
	}
	return NULL;
}

static void *
load_from_kernel(void *arg)
{
	struct load *load = arg;
	int sock = kernel_open(load->port, RTE_ETHER_TYPE_IPV4);
	uint8_t data[FLOW_LEN];

	while (!rte_atomic_load_explicit(&load->stop, rte_memory_order_relaxed)) {
		flow_write(data, sizeof(data), load->sent++ % NB_FLOWS);
		send(sock, data, sizeof(data), 0);
	}
	close(sock);
	return NULL;
}

/* Frames must arrive in order and without gaps. Returns the number of the next. */
static unsigned int
drain_kernel(int sock, unsigned int next, unsigned int end)
{
	uint8_t data[FRAME_MIN];

	for (; next < end; next++) {
		CHECK(kernel_recv(sock, data, sizeof(data)) == FRAME_MIN, "a frame of another size");
		CHECK(frame_is(data, FRAME_MIN, next), "frame %u is lost", next);
	}
	return next;
}

/* And whatever else waits: the socket's buffer is large, but not without end. */
static unsigned int
drain_waiting(int sock, unsigned int next)
{
	uint8_t data[FRAME_MIN];

	while (recv(sock, data, sizeof(data), MSG_TRUNC | MSG_DONTWAIT) == FRAME_MIN) {
		CHECK(frame_is(data, FRAME_MIN, next), "frame %u is lost", next);
		next++;
	}
	return next;
}

static unsigned int
rx_some(const struct port *port)
{
	struct rte_mbuf *pkts[BURST];
	unsigned int got = 0;
	uint16_t queue, n;

	for (queue = 0; queue < port->nb_rx; queue++) {
		n = port_rx_burst(port, queue, pkts, RTE_DIM(pkts));
		rte_pktmbuf_free_bulk(pkts, n);
		got += n;
	}
	return got;
}

static void
toggle_under_load(void)
{
	const struct port_conf conf = { .pool = pool, .nb_rx = 3, .nb_tx = 3 };
	struct load to = {0}, from = {0};
	pthread_t to_thread, from_thread;
	unsigned int i, next = 0;
	struct port port;
	int sock, flows;

	rig_case("Rx queues stop and start under load");
	open_port(&port, &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	flows = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	to.port = from.port = &port;
	CHECK_OK(pthread_create(&to_thread, NULL, load_to_kernel, &to));
	CHECK_OK(pthread_create(&from_thread, NULL, load_from_kernel, &from));
	for (i = 0; i < NB_TOGGLES; i++) {
		CHECK_OK(rte_eth_dev_rx_queue_stop(port.id, i % 3));
		WAIT_FOR(rx_some(&port) > 0, "the other queues get nothing");
		next = drain_waiting(sock, drain_kernel(sock, next, next + 1));
		CHECK_OK(rte_eth_dev_rx_queue_start(port.id, i % 3));
		WAIT_FOR(rx_some(&port) > 0, "the queues get nothing");
	}
	rte_atomic_store_explicit(&to.stop, true, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&from.stop, true, rte_memory_order_relaxed);
	CHECK_OK(pthread_join(to_thread, NULL));
	CHECK_OK(pthread_join(from_thread, NULL));
	drain_kernel(sock, next, to.sent);
	CHECK(port_stats(&port).opackets == to.sent && port_stats(&port).oerrors == 0,
		"packets could not be sent");
	/* With SQPOLL, an empty burst says nothing about what waits in the kernel. */
	for (i = 0; i < (rig_sqpoll ? 500 : 1); i++) {
		port_rx_discard(&port);
		usleep(rig_sqpoll ? 1000 : 0);
	}
	flows_arrive(&port, flows);
	close(flows);
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * The port that stops and starts
 */

static char *
addresses_and_routes(const struct port *port)
{
	return rig_output("ip -o addr show dev %s; ip -4 route; ip -6 route", port->ifname);
}

static void
give_addresses(const struct port *port)
{
	rig_run("ip addr add 10.9.0.1/24 dev %s", port->ifname);
	rig_run("ip route add 10.10.0.0/16 via 10.9.0.2");
	if (access("/proc/sys/net/ipv6", F_OK) != 0)
		return;
	rig_run("ip link set %s addrgenmode none", port->ifname);
	rig_run("echo 0 >/proc/sys/net/ipv6/conf/%s/disable_ipv6", port->ifname);
	rig_run("ip addr add fd09::1/64 dev %s nodad", port->ifname);
	rig_run("ip route add fd10::/32 via fd09::2");
}

/* The kernel marks routes without a carrier, and takes the mark away a little later. */
static bool
has_all(const struct port *port, const char *before)
{
	char *now = addresses_and_routes(port);
	bool same = strcmp(before, now) == 0;

	free(now);
	return same;
}

static void
restarts(void)
{
	const struct port_conf conf = { .pool = pool, .nb_rx = 2, .nb_tx = 2 };
	struct port port;
	unsigned int i;
	int to, from;
	char *before;

	rig_case("stop and start 100 times");
	open_port(&port, &conf);
	to = kernel_open(&port, ETHERTYPE_TEST);
	from = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	give_addresses(&port);
	before = addresses_and_routes(&port);
	for (i = 0; i < NB_RESTARTS; i++) {
		CHECK_OK(rte_eth_dev_stop(port.id));
		CHECK(!kernel_carrier(port.ifname), "a stopped port has a carrier");
		CHECK((kernel_flags(port.ifname) & IFF_UP) != 0, "a stopped port is down");
		port_start(&port);
		all_tx_queues_send(&port, to);
		flows_arrive(&port, from);
	}
	WAIT_FOR(has_all(&port, before), "before:\n%safter:\n%s", before,
		addresses_and_routes(&port));
	free(before);
	close(to);
	close(from);
	port_close(&port);
	pool_check_full(pool);
}

int
main(int argc, char **argv)
{
	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	tiny = pool_create("tiny", 1024, 128);
	all_counts();
	most_queues();
	descriptors();
	bad_setup();
	empty_pool();
	stopped_queues();
	deferred_start();
	toggle_under_load();
	restarts();
	return rig_done();
}
