/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * One, two and four queue pairs, each with a thread of its own: none of the packets of a flow is
 * lost or overtaken by another, and the kernel keeps a flow in one queue.
 *
 *   sender --> packet socket --> rtap0 --> rx_burst(), one thread
 *   reader <-- packet socket <-- rtap0 <-- tx_burst()  for each pair
 */

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_stdatomic.h>

#include "rig.h"

#define NB_PAIRS_MAX 4
#define NB_FLOWS 64			/* each way: flows of their own, which do not meet */
#define NB_PACKETS (NB_FLOWS * 200)	/* each way */
#define NB_WAITING 900			/* less than any queue holds */
#define NB_MBUF 4096

/* Where flow_write() leaves room: the number of the packet within its flow */
#define SEQ_AT 64
#define FRAME_LEN 100

static struct rte_mempool *pool;
static struct port port;
static int from, to;

static RTE_ATOMIC(uint32_t) nb_received;	/* by all Rx queues */
static RTE_ATOMIC(uint32_t) nb_read;		/* by the kernel's reader */
static RTE_ATOMIC(uint32_t) nb_sent;		/* by all Tx queues */

static uint32_t
get(const RTE_ATOMIC(uint32_t) *counter)
{
	return rte_atomic_load_explicit(counter, rte_memory_order_acquire);
}

static void
add(RTE_ATOMIC(uint32_t) *counter, uint32_t n)
{
	rte_atomic_fetch_add_explicit(counter, n, rte_memory_order_acq_rel);
}

static void
frame_make(uint8_t *data, unsigned int flow, uint32_t seq)
{
	flow_write(data, FRAME_LEN, flow);
	memcpy(data + SEQ_AT, &seq, sizeof(seq));
}

/* The next of its flow, and nothing else. */
static void
check_next(uint32_t next[], const uint8_t *data, unsigned int flow, const char *what)
{
	uint32_t seq;

	memcpy(&seq, data + SEQ_AT, sizeof(seq));
	CHECK(seq == next[flow], "%s: flow %u has packet %u instead of %u", what, flow, seq,
		next[flow]);
	next[flow]++;
}

/* Two of a flow follow each other. No more are on their way than the queues hold. */
static void *
sender_main(void *arg __rte_unused)
{
	uint8_t data[FRAME_LEN];
	uint32_t i;

	for (i = 0; i < NB_PACKETS; i++) {
		WAIT_FOR(i - get(&nb_received) < NB_WAITING || sched_yield() != 0,
			"%u packets of %u are lost", i - get(&nb_received), i);
		frame_make(data, i / 2 % NB_FLOWS, i / 2 / NB_FLOWS * 2 + i % 2);
		kernel_send(from, data, sizeof(data));
	}
	return NULL;
}

static void *
reader_main(void *arg __rte_unused)
{
	uint32_t next[2 * NB_FLOWS] = {0};
	uint8_t data[FRAME_LEN];
	uint32_t i;

	for (i = 0; i < NB_PACKETS; i++) {
		CHECK(kernel_recv(to, data, sizeof(data)) == FRAME_LEN, "another size");
		/* The port of the flow is where flow_write() has it. */
		check_next(next, data, data[34] << 8 | data[35], "into the kernel");
		add(&nb_read, 1);
	}
	return NULL;
}

/* What a flow's packets must all be received by. */
static uint16_t queue_of[NB_FLOWS];
static uint32_t next_out[NB_FLOWS];

struct pair {
	pthread_t thread;
	uint16_t queue;
	uint32_t seq;		/* of the flows that this pair sends */
};

static void
pair_receive(struct pair *pair)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t i, n = port_rx_burst(&port, pair->queue, pkts, BURST);

	for (i = 0; i < n; i++) {
		unsigned int flow = flow_number(pkts[i]);

		CHECK(flow < NB_FLOWS, "flow %u from nowhere", flow);
		if (next_out[flow] == 0)
			queue_of[flow] = pair->queue;
		CHECK(queue_of[flow] == pair->queue, "flow %u is in queues %u and %u", flow,
			queue_of[flow], pair->queue);
		check_next(next_out, rte_pktmbuf_mtod(pkts[i], const uint8_t *), flow,
			"out of the kernel");
	}
	rte_pktmbuf_free_bulk(pkts, n);
	add(&nb_received, n);
}

/* Two packets of each flow of the pair, which follow each other. */
static void
pair_send(struct pair *pair)
{
	struct rte_mbuf *pkts[2 * NB_FLOWS];
	const uint16_t n = 2 * NB_FLOWS / port.nb_tx;
	uint16_t i;

	for (i = 0; i < n; i++) {
		pkts[i] = frame_alloc(pool, FRAME_LEN, 0);
		frame_make(rte_pktmbuf_mtod(pkts[i], uint8_t *),
			NB_FLOWS + pair->queue + i / 2 * port.nb_tx, pair->seq + i % 2);
	}
	add(&nb_sent, n);
	port_tx(&port, pair->queue, pkts, n);
	pair->seq += 2;
}

static void *
pair_main(void *arg)
{
	struct pair *pair = arg;

	while (get(&nb_received) < NB_PACKETS || pair->seq < NB_PACKETS / NB_FLOWS) {
		pair_receive(pair);
		if (pair->seq < NB_PACKETS / NB_FLOWS && get(&nb_sent) - get(&nb_read) < NB_WAITING)
			pair_send(pair);
		else
			sched_yield();
	}
	return NULL;
}

static void
run(uint16_t nb_pairs)
{
	struct pair pairs[NB_PAIRS_MAX] = {0};
	pthread_t sender, reader;
	uint16_t i;

	rte_atomic_store_explicit(&nb_received, 0, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&nb_read, 0, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&nb_sent, 0, rte_memory_order_relaxed);
	memset(next_out, 0, sizeof(next_out));
	CHECK_OK(pthread_create(&reader, NULL, reader_main, NULL));
	for (i = 0; i < nb_pairs; i++) {
		pairs[i].queue = i;
		CHECK_OK(pthread_create(&pairs[i].thread, NULL, pair_main, &pairs[i]));
	}
	CHECK_OK(pthread_create(&sender, NULL, sender_main, NULL));
	CHECK_OK(pthread_join(sender, NULL));
	for (i = 0; i < nb_pairs; i++)
		CHECK_OK(pthread_join(pairs[i].thread, NULL));
	CHECK_OK(pthread_join(reader, NULL));
}

/* With SQPOLL, packets are counted when the queue is called again. */
static uint64_t
nb_counted(void)
{
	uint16_t i;

	for (i = 0; i < port.nb_tx; i++)
		rte_eth_tx_done_cleanup(port.id, i, 0);
	return port_stats(&port).opackets;
}

/* Every queue has done its part, and all that was sent has arrived. */
static void
check_counters(void)
{
	struct rte_eth_stats stats;
	char name[32];
	uint16_t i;

	WAIT_FOR(nb_counted() == NB_PACKETS, "%" PRIu64 " packets are counted", nb_counted());
	stats = port_stats(&port);
	CHECK(stats.ipackets == NB_PACKETS && stats.imissed == 0 && stats.ierrors == 0 &&
		stats.opackets == NB_PACKETS && stats.oerrors == 0, "counters");
	for (i = 0; i < port.nb_rx; i++) {
		snprintf(name, sizeof(name), "rx_q%u_packets", i);
		CHECK(port_xstat(&port, name) > 0, "queue %u has received nothing", i);
		snprintf(name, sizeof(name), "tx_q%u_packets", i);
		CHECK(port_xstat(&port, name) == NB_PACKETS / port.nb_tx, "queue %u has sent %"
			PRIu64, i, port_xstat(&port, name));
	}
}

int
main(int argc, char **argv)
{
	struct port_conf conf = {0};
	uint16_t n;

	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	conf.pool = pool;
	for (n = 1; n <= NB_PAIRS_MAX; n *= 2) {
		fprintf(stderr, "- %u queue pairs\n", n);
		conf.nb_rx = conf.nb_tx = n;
		port_open(&port, "net_rtap0", "", &conf);
		port.ethertype = RTE_ETHER_TYPE_IPV4;
		from = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
		to = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
		run(n);
		check_counters();
		close(from);
		close(to);
		port_close(&port);
		pool_check_full(pool);
	}
	return rig_done();
}
