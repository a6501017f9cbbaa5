/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Round trip through two ports: the client sends when the answer has come. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"
#include "results.h"

#define RTT_MAX 200000
#define RTT_LEN 64
#define FIRST_NS UINT64_C(5000000000)
#define LATE_NS (KPERF_LATE_MS * UINT32_C(1000000))

struct echo {
	const struct pair *pair;
	int sock;
};

static void *
echo_main(void *arg)
{
	const struct echo *e = arg;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[2048];
	ssize_t n;

	while (!pair_is_stopped(e->pair)) {
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
	struct sockaddr_in to = pair_address(ports[1].addr, PAIR_PORT);
	int sock = net_udp_socket(ports[0].addr, 0);
	unsigned int n = 0, lost = 0;
	uint64_t end, start;
	bool came;

	pair_set_timeout(sock, KPERF_LATE_MS);
	if (connect(sock, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect: %s", strerror(errno));
	ping_first(sock);
	end = now_ns() + duration;
	while (n < RTT_MAX) {
		start = now_ns();
		if (start > result_times_end(end, duration, n))
			break;
		came = ping(sock, n);
		times[n++] = came ? now_ns() - start : LATE_NS;
		lost += !came;
	}
	close(sock);
	result->value[M_LOST] = 1e3 * lost / RTE_MAX(n, 1U);
	/* Of a path where nothing comes, there is no time. */
	if (lost == n)
		return;
	result_set_times(result, M_P50, times, n);
}

static void
measure_rtt(struct port *ports, uint64_t duration, struct result *result)
{
	static struct pair pair;
	struct echo echo = { .pair = &pair };

	net_enter(net_far);
	echo.sock = net_udp_socket(ports[1].addr, PAIR_PORT);
	net_enter(net_home);
	pair_set_timeout(echo.sock, KPERF_LATE_MS);
	pair_start(&pair, ports);
	pair_add_end(&pair, echo_main, &echo);
	leave_workers_alone(pair.forwards);
	pair_begin(&pair);
	ping_pong(ports, duration, result);
	pair_end(&pair);
	leave_workers_alone(0);
	pair_stop(&pair, 0, result);
	close(echo.sock);
}

const struct test test_rtt = {
	.name = "rtt",
	.what = "there and back through two ports, one packet at a time",
	.primary = M_P50,
	.shown = RTE_BIT64(M_P99) | RTE_BIT64(M_P999) | RTE_BIT64(M_LOST),
	.ms = 1000, /* a thousand times on the slowest path */
	.pair = true,
	.unhurried = true,
	.measure = measure_rtt,
};
