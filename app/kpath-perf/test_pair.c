/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Two ports with the application between them, and programs in two namespaces that talk:
 *
 *   home: client -- interface -- port 0 == worker == port 1 -- interface -- server: far
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <rte_byteorder.h>

#include "oneway.h"
#include "results.h"

#define PORT_BASE 5000
#define STREAMS_MAX 16
#define TCP_CHUNK (128 << 10)
#define RTT_MAX 200000
#define RTT_LEN 64
#define FIRST_NS UINT64_C(5000000000)

/*
 * The application
 */

struct forwarder {
	struct port *ports;
	struct worker seen;
	RTE_ATOMIC(bool) stop;
};

static int
forward_worker(void *arg)
{
	struct forwarder *f = arg;
	const struct path_ops *ops = f->ports[0].path->ops;
	unsigned int burst = f->ports[0].params->burst, n;
	uint64_t last = rte_rdtsc();

	while (!rte_atomic_load_explicit(&f->stop, rte_memory_order_relaxed)) {
		n = ops->forward(&f->ports[0], &f->ports[1], burst);
		last = poll_end(&f->seen, last, n);
		n = ops->forward(&f->ports[1], &f->ports[0], burst);
		last = poll_end(&f->seen, last, n);
	}
	return 0;
}

static void *
forward_main(void *arg)
{
	run_workers(forward_worker, arg, sizeof(struct forwarder), 1);
	return NULL;
}

static pthread_t
start_forwarder(struct forwarder *f)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, forward_main, f) != 0)
		die("cannot start a thread");
	return thread;
}

static void
stop_forwarder(struct forwarder *f, pthread_t thread, struct result *result)
{
	rte_atomic_store_explicit(&f->stop, true, rte_memory_order_relaxed);
	pthread_join(thread, NULL);
	result->value[M_EMPTY] = 100.0 * f->seen.empty / f->seen.spent;
}

static struct sockaddr_in
address(uint32_t addr, uint16_t number)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = rte_cpu_to_be_32(addr),
		.sin_port = rte_cpu_to_be_16(number),
	};
}

/* So that one round does not wait for another's remains. */
static void
set_timeout(int sock, unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/*
 * Round trip: the client sends when the answer has come
 */

struct echo {
	int sock;
	unsigned int workers;	/* 0: the path has none */
	RTE_ATOMIC(bool) stop;
};

static void *
echo_main(void *arg)
{
	struct echo *e = arg;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[2048];
	ssize_t n;

	leave_workers_alone(e->workers);
	while (!rte_atomic_load_explicit(&e->stop, rte_memory_order_relaxed)) {
		n = recvfrom(e->sock, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
		if (n > 0)
			sendto(e->sock, buf, n, 0, (struct sockaddr *)&from, len);
	}
	return NULL;
}

/* One packet there and back. What comes back may be late, from an earlier one. */
static bool
ping(int sock, uint32_t seq)
{
	uint32_t buf[RTT_LEN / sizeof(uint32_t)] = { seq };

	if (send(sock, buf, sizeof(buf), 0) < 0)
		return false;
	do
		if (recv(sock, buf, sizeof(buf), 0) < 0)
			return false;
	while (buf[0] != seq);
	return true;
}

/* Until the first packet has found its way: ARP, carrier, rings. */
static void
ping_first(int sock)
{
	uint64_t end = now_ns() + FIRST_NS;
	uint32_t seq = UINT32_MAX;

	while (now_ns() < end && !ping(sock, seq))
		seq--;
}

static void
ping_pong(const struct port *ports, uint64_t duration, struct result *result)
{
	static uint32_t times[RTT_MAX];
	struct sockaddr_in to = address(ports[1].addr, PORT_BASE);
	int sock = net_udp_socket(ports[0].addr, 0);
	unsigned int n = 0, lost = 0;
	uint64_t end, start;

	set_timeout(sock, 200);
	if (connect(sock, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect: %s", strerror(errno));
	ping_first(sock);
	end = now_ns() + duration;
	while (n < RTT_MAX) {
		start = now_ns();
		if (start > (n < KPERF_TIMES_MIN ? end + KPERF_TIMES_WAIT : end))
			break;
		if (ping(sock, n + lost))
			times[n++] = now_ns() - start;
		else
			lost++;
	}
	close(sock);
	result->value[M_LOST] = 1e3 * lost / (n + lost);
	result_set_times(result, times, n);
}

static void
measure_rtt(struct port *ports, uint64_t duration, struct result *result)
{
	struct forwarder f = { .ports = ports };
	bool forwards = ports[0].path->ops->forward != NULL;
	struct echo e = { .workers = forwards };
	pthread_t forwarder = 0, server;

	net_enter(net_far);
	e.sock = net_udp_socket(ports[1].addr, PORT_BASE);
	net_enter(net_home);
	set_timeout(e.sock, 200);
	if (forwards)
		forwarder = start_forwarder(&f);
	if (pthread_create(&server, NULL, echo_main, &e) != 0)
		die("cannot start a thread");
	leave_workers_alone(forwards);
	ping_pong(ports, duration, result);
	leave_workers_alone(0);
	rte_atomic_store_explicit(&e.stop, true, rte_memory_order_relaxed);
	pthread_join(server, NULL);
	close(e.sock);
	if (forwards)
		stop_forwarder(&f, forwarder, result);
}

/*
 * TCP: from home to far
 */

struct stream {
	int sock;
	unsigned int workers;
	uint64_t bytes;
	RTE_ATOMIC(bool) *stop;
};

static void *
send_main(void *arg)
{
	struct stream *s = arg;
	char *buf = calloc(1, TCP_CHUNK);

	leave_workers_alone(s->workers);
	while (buf != NULL && !rte_atomic_load_explicit(s->stop, rte_memory_order_relaxed))
		if (send(s->sock, buf, TCP_CHUNK, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			break;
	free(buf);
	return NULL;
}

static void *
receive_main(void *arg)
{
	struct stream *s = arg;
	char *buf = malloc(TCP_CHUNK);
	ssize_t n;

	leave_workers_alone(s->workers);
	while (buf != NULL && !rte_atomic_load_explicit(s->stop, rte_memory_order_relaxed)) {
		n = recv(s->sock, buf, TCP_CHUNK, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0)
			s->bytes += n;
	}
	free(buf);
	return NULL;
}

/* A connection: the end in home, and the end in far. */
static bool
tcp_connect(const struct port *ports, int socks[2])
{
	struct sockaddr_in to = address(ports[1].addr, PORT_BASE);
	int listener, one = 1;
	bool ok;

	net_enter(net_far);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) != 0 || listen(listener, 1) != 0)
		die("listen: %s", strerror(errno));
	net_enter(net_home);
	socks[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	set_timeout(socks[0], 5000);
	set_timeout(listener, 5000);
	ok = connect(socks[0], (struct sockaddr *)&to, sizeof(to)) == 0;
	socks[1] = ok ? accept(listener, NULL, NULL) : -1;
	close(listener);
	set_timeout(socks[0], 100);
	if (socks[1] >= 0)
		set_timeout(socks[1], 100);
	return socks[1] >= 0;
}

static void
run_streams(const struct port *ports, uint64_t duration, struct result *result)
{
	struct stream senders[STREAMS_MAX] = {0}, receivers[STREAMS_MAX] = {0};
	pthread_t threads[2 * STREAMS_MAX];
	static RTE_ATOMIC(bool) stop;
	uint64_t bytes = 0, before = 0, cpu, ns;
	struct cpu_meter meter;
	unsigned int nb = ports[0].params->streams, n, i;

	rte_atomic_store_explicit(&stop, false, rte_memory_order_relaxed);
	for (n = 0; n < nb; n++) {
		int socks[2];

		if (!tcp_connect(ports, socks)) {
			close(socks[0]);
			break;
		}
		senders[n] = (struct stream){ .sock = socks[0], .stop = &stop };
		receivers[n] = (struct stream){ .sock = socks[1], .stop = &stop };
		senders[n].workers = receivers[n].workers = ports[0].path->ops->forward != NULL;
	}
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[2 * i], NULL, send_main, &senders[i]) != 0 ||
		    pthread_create(&threads[2 * i + 1], NULL, receive_main, &receivers[i]) != 0)
			die("cannot start a thread");
	usleep(duration / 4000); /* slow start */
	for (i = 0; i < n; i++)
		before += receivers[i].bytes;
	cpu_start(&meter);
	ns = now_ns();
	usleep(duration / 1000);
	ns = now_ns() - ns;
	cpu = cpu_stop(&meter);
	for (i = 0; i < n; i++)
		bytes += receivers[i].bytes;
	rte_atomic_store_explicit(&stop, true, rte_memory_order_relaxed);
	for (i = 0; i < n; i++)
		shutdown(senders[i].sock, SHUT_RDWR);
	for (i = 0; i < 2 * n; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < n; i++) {
		close(senders[i].sock);
		close(receivers[i].sock);
	}
	if (n < nb || bytes == before)
		return;
	result->value[M_GBPS] = 8.0 * (bytes - before) / ns;
	result->value[M_CPU_GB] = (double)cpu / (bytes - before);
}

static void
measure_tcp(struct port *ports, uint64_t duration, struct result *result)
{
	struct forwarder f = { .ports = ports };
	bool forwards = ports[0].path->ops->forward != NULL;
	pthread_t forwarder = 0;

	if (forwards)
		forwarder = start_forwarder(&f);
	run_streams(ports, 4 * duration, result);
	if (forwards)
		stop_forwarder(&f, forwarder, result);
}

const struct test test_rtt = {
	.name = "rtt",
	.what = "there and back through two ports, one packet at a time",
	.primary = M_P50,
	.shown = RTE_BIT32(M_P99) | RTE_BIT32(M_P999),
	.pair = true,
	.unhurried = true,
	.measure = measure_rtt,
};

const struct test test_tcp = {
	.name = "tcp",
	.what = "TCP through two ports",
	.primary = M_GBPS,
	.shown = RTE_BIT32(M_CPU_GB),
	.takes = 5,
	.pair = true,
	.measure = measure_tcp,
};
