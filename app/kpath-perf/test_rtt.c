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

	pair_set_timeout(sock, 200);
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
	pair_set_timeout(echo.sock, 200);
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
	.pair = true,
	.unhurried = true,
	.measure = measure_rtt,
};
