/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * A minute of overload, both ways at once: the kernel sends ten times as many packets as the
 * application takes, and the application ten times as many as are read in the kernel.
 *
 * What did not arrive was dropped by the kernel and is in its counters, to the packet; what did is
 * in order within its flow. Nothing leaks, nothing stalls, and nothing is left queued: right after
 * the overload each packet is the next to arrive.
 *
 *   sender --> packet socket --> rtap0 --> rx_burst()
 *   reader <-- packet socket <-- rtap0 <-- tx_burst()
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_packet.h>

#include <rte_stdatomic.h>

#include "rig.h"

#define SECONDS 60
#define SECONDS_RW 10		/* nothing is different there but the back end */
#define TIMES 10
#define NB_QUEUES 2
#define NB_FLOWS 64
#define NB_MBUF 8192
#define READER_BUFFER (256 << 10)

/* Where flow_write() leaves room: a number that grows within the flow */
#define SEQ_AT 64
#define FRAME_LEN 100

static struct rte_mempool *pool;
static struct port port;

static RTE_ATOMIC(bool) stop;
static RTE_ATOMIC(uint64_t) nb_offered;	/* by the kernel's sender */
static RTE_ATOMIC(uint64_t) nb_sent;	/* by the application */
static uint64_t nb_taken;		/* by the application */
static uint64_t nb_read;		/* by the kernel's reader */

static uint64_t
get(const RTE_ATOMIC(uint64_t) *counter)
{
	return rte_atomic_load_explicit(counter, rte_memory_order_relaxed);
}

static bool
stopped(void)
{
	return rte_atomic_load_explicit(&stop, rte_memory_order_relaxed);
}

/*
 * A frame of the flow that has this number: sequence numbers grow. The two ways have flows of
 * their own: the kernel moves one to the queue that the application sends it on, and what waits
 * in the other queue then is overtaken.
 */
static void
frame_make(uint8_t *data, uint64_t number, bool out)
{
	flow_write(data, FRAME_LEN, number % NB_FLOWS + (out ? NB_FLOWS : 0));
	memcpy(data + SEQ_AT, &number, sizeof(number));
}

/* In order within its flow? */
static void
check_order(uint64_t last[NB_FLOWS], const uint8_t *data, const char *what)
{
	uint64_t number;

	memcpy(&number, data + SEQ_AT, sizeof(number));
	CHECK(number > last[number % NB_FLOWS] || last[number % NB_FLOWS] == 0,
		"%s: %" PRIu64 " after %" PRIu64, what, number, last[number % NB_FLOWS]);
	last[number % NB_FLOWS] = number;
}

/* What the interface has no room for is refused, and counted as dropped. */
static void *
sender_main(void *arg)
{
	int sock = *(int *)arg;
	uint8_t data[FRAME_LEN];
	uint64_t number;

	for (number = 1; !stopped(); number++) {
		frame_make(data, number, true);
		CHECK(send(sock, data, sizeof(data), 0) == sizeof(data) || errno == ENOBUFS,
			"sending: %s", strerror(errno));
		rte_atomic_fetch_add_explicit(&nb_offered, 1, rte_memory_order_relaxed);
	}
	return NULL;
}

/* Reads one packet while ten are sent. */
static void *
reader_main(void *arg)
{
	static uint64_t last[NB_FLOWS];
	uint8_t data[FRAME_LEN];
	int sock = *(int *)arg;

	while (!stopped()) {
		if (nb_read * TIMES >= get(&nb_sent)) {
			sched_yield();
			continue;
		}
		if (recv(sock, data, sizeof(data), MSG_DONTWAIT) != sizeof(data))
			continue;
		check_order(last, data, "into the kernel");
		nb_read++;
	}
	while (recv(sock, data, sizeof(data), MSG_DONTWAIT) == sizeof(data))
		nb_read++;
	return NULL;
}

/* Takes a burst when ten times as many have been offered. */
static void
rx_some(uint64_t last[NB_FLOWS], uint16_t queue)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n, i;

	if (nb_taken * TIMES >= get(&nb_offered))
		return;
	n = port_rx_burst(&port, queue, pkts, BURST);
	for (i = 0; i < n; i++) {
		if (pkts[i]->pkt_len == FRAME_LEN)
			check_order(last, rte_pktmbuf_mtod(pkts[i], const uint8_t *),
				"out of the kernel");
		rte_pktmbuf_free(pkts[i]);
	}
	nb_taken += n;
}

/* Each flow has a queue of its own, as an application would do it. */
static void
tx_some(uint64_t *number)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t queue, n, i;

	for (queue = 0; queue < NB_QUEUES; queue++) {
		for (i = 0; i < BURST; i++) {
			pkts[i] = rte_pktmbuf_alloc(pool);
			CHECK(pkts[i] != NULL, "the pool is empty");
			frame_make((uint8_t *)rte_pktmbuf_append(pkts[i], FRAME_LEN),
				*number * NB_QUEUES + queue, false);
			(*number)++;
		}
		n = rte_eth_tx_burst(port.id, queue, pkts, BURST);
		rte_pktmbuf_free_bulk(&pkts[n], BURST - n);
		rte_atomic_fetch_add_explicit(&nb_sent, n, rte_memory_order_relaxed);
	}
}

static void
overload(unsigned int seconds)
{
	static uint64_t last[NB_FLOWS];
	uint64_t end = rig_seconds() + seconds, number = 1;
	uint16_t queue = 0;

	while (rig_seconds() < end) {
		rx_some(last, queue++ % NB_QUEUES);
		tx_some(&number);
	}
}

/* What still waits for the application is taken, too. */
static void
take_the_rest(void)
{
	struct rte_mbuf *pkts[BURST];
	unsigned int empty;
	uint16_t queue, n;

	for (queue = 0; queue < NB_QUEUES; queue++) {
		for (empty = 0; empty < 1000; empty++) {
			n = port_rx_burst(&port, queue, pkts, BURST);
			rte_pktmbuf_free_bulk(pkts, n);
			nb_taken += n;
			if (n > 0)
				empty = 0;
		}
	}
}

int
main(int argc, char **argv)
{
	struct port_conf conf = { .nb_rx = NB_QUEUES, .nb_tx = NB_QUEUES };
	struct tpacket_stats seen;
	socklen_t len = sizeof(seen);
	int from, to, probe, size = READER_BUFFER;
	pthread_t sender, reader;
	struct rte_eth_stats stats;

	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	conf.pool = pool;
	port_open(&port, "net_rtap0", "", &conf);
	port.ethertype = RTE_ETHER_TYPE_IPV4;
	from = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	to = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	CHECK_OK(setsockopt(to, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	CHECK_OK(rte_eth_stats_reset(port.id));

	rig_case("overload");
	CHECK_OK(pthread_create(&sender, NULL, sender_main, &from));
	CHECK_OK(pthread_create(&reader, NULL, reader_main, &to));
	overload(rig_io_is_uring() ? SECONDS : SECONDS_RW);
	rte_atomic_store_explicit(&stop, true, rte_memory_order_relaxed);
	CHECK_OK(pthread_join(sender, NULL));
	CHECK_OK(pthread_join(reader, NULL));
	take_the_rest();

	stats = port_stats(&port);
	CHECK_OK(getsockopt(to, SOL_PACKET, PACKET_STATISTICS, &seen, &len));
	fprintf(stderr, "out: %" PRIu64 " offered, %" PRIu64 " taken, %" PRIu64 " missed; "
		"in: %" PRIu64 " sent, %" PRIu64 " read, %u dropped\n", get(&nb_offered), nb_taken,
		stats.imissed, get(&nb_sent), nb_read, seen.tp_drops);
	CHECK(nb_taken > 1000 && nb_read > 1000, "nothing gets through");
	CHECK(stats.imissed > 0 && seen.tp_drops > 0, "this is no overload");
	CHECK(stats.ipackets == nb_taken && nb_taken + stats.imissed == get(&nb_offered),
		"packets out of the kernel are not accounted for");
	CHECK(stats.opackets == get(&nb_sent) && stats.oerrors == 0 &&
		(uint32_t)nb_read == (uint32_t)(seen.tp_packets - seen.tp_drops) &&
		(uint32_t)get(&nb_sent) == seen.tp_packets,
		"packets into the kernel are not accounted for");
	CHECK(stats.ierrors == 0 && stats.rx_nombuf == 0, "errors");

	rig_case("right after");
	close(from);
	close(to);
	port.ethertype = ETHERTYPE_TEST;
	probe = kernel_open(&port, ETHERTYPE_TEST);
	frames_from_kernel(&port, probe, 100);
	frames_to_kernel(&port, 0, probe, pool, 100);
	close(probe);
	port_close(&port);
	pool_check_full(pool);
	return rig_done();
}
