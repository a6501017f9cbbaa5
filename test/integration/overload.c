/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Overload, both ways at once: the kernel sends ten times as many packets as the application takes,
 * and the application ten times as many as are read in the kernel. It lasts ten seconds, or as many
 * as OVERLOAD_SECONDS in the environment says: try 60.
 *
 * What did not arrive was dropped by the kernel and is in its counters, to the packet; what did is
 * in order within its flow. Nothing leaks and nothing stalls. When it is over, no more waits than
 * the queues hold; that arrives, in order, and then each packet is the next to arrive.
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

#define SECONDS 10
#define TIMES 10
#define NB_QUEUES 2
#define NB_FLOWS 64
#define NB_MBUF 8192
#define READER_BUFFER (256 << 10)
#define TXQUEUELEN 500
#define NB_AFTER 100

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

/* One packet, if there is one. */
static bool
read_one(int sock)
{
	static uint64_t last[NB_FLOWS];
	uint8_t data[FRAME_LEN];

	if (recv(sock, data, sizeof(data), MSG_DONTWAIT) != sizeof(data))
		return false;
	check_order(last, data, "into the kernel");
	nb_read++;
	return true;
}

/* Reads one packet while ten are sent. */
static void *
reader_main(void *arg)
{
	int sock = *(int *)arg;

	while (!stopped())
		if (nb_read * TIMES >= get(&nb_sent) || !read_one(sock))
			sched_yield();
	return NULL;
}

/* One burst from a queue. Returns how many of our packets were in it. */
static unsigned int
rx_burst(uint16_t queue)
{
	static uint64_t last[NB_FLOWS];
	struct rte_mbuf *pkts[BURST];
	uint16_t n, i;

	n = port_rx_burst(&port, queue, pkts, BURST);
	for (i = 0; i < n; i++) {
		CHECK(pkts[i]->pkt_len == FRAME_LEN, "a packet of %u bytes", pkts[i]->pkt_len);
		check_order(last, rte_pktmbuf_mtod(pkts[i], const uint8_t *),
			"out of the kernel");
	}
	rte_pktmbuf_free_bulk(pkts, n);
	nb_taken += n;
	return n;
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

/* Takes a burst when ten times as many have been offered. */
static void
overload(unsigned int seconds)
{
	uint64_t end = rig_seconds() + seconds, number = 1;
	uint16_t queue = 0;

	while (rig_seconds() < end) {
		if (nb_taken * TIMES < get(&nb_offered))
			rx_burst(queue++ % NB_QUEUES);
		tx_some(&number);
	}
}

/*
 * What waits when the overload is over. Out of the kernel that is what the counters have left over,
 * and all of it must come.
 */
static void
take_the_rest(int sock)
{
	uint64_t waiting = get(&nb_offered) - nb_taken - port_stats(&port).imissed;
	uint64_t all = nb_taken + waiting, read_before = nb_read;
	uint16_t queue = 0;

	CHECK(waiting <= NB_QUEUES * TXQUEUELEN, "%" PRIu64 " packets wait for the application",
		waiting);
	WAIT_FOR(nb_taken == all || (rx_burst(queue++ % NB_QUEUES), nb_taken == all),
		"%" PRIu64 " of %" PRIu64 " packets that waited do not come", all - nb_taken,
		waiting);
	while (read_one(sock))
		;
	/* The smallest packet takes more of the buffer than its bytes. */
	CHECK(nb_read - read_before <= 2 * READER_BUFFER / FRAME_LEN,
		"%" PRIu64 " packets wait in the kernel", nb_read - read_before);
	fprintf(stderr, "%" PRIu64 " packets waited for the application, %" PRIu64
		" in the kernel\n", waiting, nb_read - read_before);
}

/* In the flow that it is in and on the socket that it is read from, each is the next. */
static void
right_after(int from, int to)
{
	uint8_t data[FRAME_LEN], expected[FRAME_LEN];
	unsigned int i;

	for (i = 0; i < NB_AFTER; i++) {
		uint64_t number = get(&nb_offered) + 1 + i;
		struct rte_mbuf *m = NULL;
		uint16_t queue = 0;

		frame_make(expected, number, true);
		kernel_send(from, expected, sizeof(expected));
		WAIT_FOR(port_rx_burst(&port, queue++ % NB_QUEUES, &m, 1) == 1, "a packet is lost");
		CHECK(m->pkt_len == FRAME_LEN &&
			memcmp(rte_pktmbuf_mtod(m, void *), expected, FRAME_LEN) == 0,
			"another packet than the one just sent");
		rte_pktmbuf_free(m);

		frame_make(expected, number, false);
		m = frame_alloc(pool, FRAME_LEN, 0);
		memcpy(rte_pktmbuf_mtod(m, void *), expected, FRAME_LEN);
		port_tx(&port, number % NB_QUEUES, &m, 1);
		CHECK(kernel_recv(to, data, sizeof(data)) == FRAME_LEN &&
			memcmp(data, expected, FRAME_LEN) == 0,
			"another packet than the one just sent, in the kernel");
	}
}

/* Every packet arrived, or the kernel has counted that it dropped it. */
static void
check_counters(int sock)
{
	struct rte_eth_stats stats = port_stats(&port);
	struct tpacket_stats seen;
	socklen_t len = sizeof(seen);

	CHECK_OK(getsockopt(sock, SOL_PACKET, PACKET_STATISTICS, &seen, &len));
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
}

static unsigned int
seconds_to_run(void)
{
	const char *text = getenv("OVERLOAD_SECONDS");

	return text == NULL ? SECONDS : strtoul(text, NULL, 10);
}

int
main(int argc, char **argv)
{
	struct port_conf conf = { .nb_rx = NB_QUEUES, .nb_tx = NB_QUEUES };
	int from, to, size = READER_BUFFER;
	pthread_t sender, reader;

	rig_init(argc, argv);
	pool = pool_create("pool", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM);
	conf.pool = pool;
	port_open(&port, "net_rtap0", "", &conf);
	rig_run("ip link set %s txqueuelen %u", port.ifname, TXQUEUELEN);
	port.ethertype = RTE_ETHER_TYPE_IPV4;
	from = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	to = kernel_open(&port, RTE_ETHER_TYPE_IPV4);
	CHECK_OK(setsockopt(to, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	CHECK_OK(rte_eth_stats_reset(port.id));

	rig_case("overload");
	CHECK_OK(pthread_create(&sender, NULL, sender_main, &from));
	CHECK_OK(pthread_create(&reader, NULL, reader_main, &to));
	overload(seconds_to_run());
	rte_atomic_store_explicit(&stop, true, rte_memory_order_relaxed);
	CHECK_OK(pthread_join(sender, NULL));
	CHECK_OK(pthread_join(reader, NULL));

	rig_case("what waits");
	take_the_rest(to);
	check_counters(to);

	rig_case("right after");
	right_after(from, to);
	CHECK(port_stats(&port).ierrors == 0 && port_stats(&port).rx_nombuf == 0, "errors");
	close(from);
	close(to);
	port_close(&port);
	pool_check_full(pool);
	return rig_done();
}
