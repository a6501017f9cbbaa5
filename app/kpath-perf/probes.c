/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <net/if.h> /* before what includes linux/if.h */

#include <linux/icmp.h>

#include <rte_ip.h>

#include "probes.h"
#include "streams.h"

/* The echo service's port: one above the TCP server's */
#define ECHO_PORT (PAIR_PORT + 1)
#define LOOK_MS 100

/* The order is that of the program's sockets; the names are those of flent's test "rrul". */
const struct probe_kind probe_kinds[PROBE_KINDS] = {
	{ "Ping (ms) ICMP", IPPROTO_ICMP, TOS_BE },
	{ "Ping (ms) UDP BE", IPPROTO_UDP, TOS_BE },
	{ "Ping (ms) UDP BK", IPPROTO_UDP, TOS_BK },
	{ "Ping (ms) UDP EF", IPPROTO_UDP, TOS_EF },
};

/* Of both protocols: for UDP the ICMP header is part of the payload. */
struct probe {
	struct icmphdr icmp;
	uint32_t seq;
	uint32_t padding[12];
};

/*
 * A message with its class
 */

struct message {
	struct sockaddr_in peer;
	char data[256];
	struct iovec iov;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr header;
};

static ssize_t
receive(int sock, struct message *m)
{
	m->iov = (struct iovec){ m->data, sizeof(m->data) };
	m->header = (struct msghdr){
		.msg_name = &m->peer,
		.msg_namelen = sizeof(m->peer),
		.msg_iov = &m->iov,
		.msg_iovlen = 1,
		.msg_control = m->control,
		.msg_controllen = sizeof(m->control),
	};
	return recvmsg(sock, &m->header, 0);
}

/* The class that a message came with: IP_RECVTOS. */
static int
class_of(struct message *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(&m->header);

	if (c == NULL || c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_TOS)
		return -1;
	return *CMSG_DATA(c);
}

/* Send a message back, of the class that it came with. */
static void
answer(int sock, struct message *m, size_t len)
{
	int class = RTE_MAX(class_of(m), 0);
	struct cmsghdr *c = (void *)m->control;

	*c = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(class)),
		.cmsg_level = IPPROTO_IP,
		.cmsg_type = IP_TOS,
	};
	memcpy(CMSG_DATA(c), &class, sizeof(class));
	m->iov.iov_len = len;
	m->header.msg_controllen = sizeof(m->control);
	m->header.msg_flags = 0;
	sendmsg(sock, &m->header, 0);
}

/*
 * The ends
 */

/*
 * A probe waits for the path and for the kernel, not for a turn among the threads that load both:
 * its ends come first where that is allowed, for every path alike.
 */
static void
come_first(void)
{
	const struct sched_param param = { .sched_priority = 1 };

	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
}

static void *
echo_main(void *arg)
{
	const struct probes *p = arg;
	struct message m;
	ssize_t len;

	come_first();
	while (!pair_is_stopped(p->pair)) {
		len = receive(p->echo_sock, &m);
		if (len > 0)
			answer(p->echo_sock, &m, len);
	}
	return NULL;
}

static void
send_all(struct probes *p)
{
	struct probe probe = { .icmp.type = ICMP_ECHO, .seq = p->n };
	unsigned int k;

	probe.icmp.un.echo.id = rte_cpu_to_be_16(getpid());
	probe.icmp.un.echo.sequence = rte_cpu_to_be_16(p->n);
	probe.icmp.checksum = ~rte_raw_cksum(&probe, sizeof(probe));
	for (k = 0; k < PROBE_KINDS; k++) {
		p->sent[k][p->n] = now_ns() - p->start;
		send(p->socks[k], &probe, sizeof(probe), MSG_DONTWAIT);
	}
	p->n++;
}

/* The payload of a message: raw sockets see the IP header. NULL: it is no answer to us. */
static const struct probe *
find_probe(const struct message *m, size_t len, unsigned int kind)
{
	const struct probe *probe;
	size_t at = 0;

	if (probe_kinds[kind].protocol == IPPROTO_ICMP && len != 0)
		at = (m->data[0] & 0xf) * 4;
	if (at % 4 != 0 || len < at + sizeof(*probe))
		return NULL;
	probe = (const void *)(m->data + at);
	return probe->icmp.un.echo.id == rte_cpu_to_be_16(getpid()) ? probe : NULL;
}

static void
take_answer(struct probes *p, unsigned int kind)
{
	const struct probe *probe;
	struct message m;
	ssize_t len = receive(p->socks[kind], &m);
	uint64_t now = now_ns() - p->start, took;

	probe = len > 0 ? find_probe(&m, len, kind) : NULL;
	if (probe == NULL || probe->seq >= p->n || class_of(&m) != probe_kinds[kind].tos ||
	    p->times[kind][probe->seq] != 0)
		return;
	took = now - p->sent[kind][probe->seq];
	if (took >= PROBE_LATE_NS)
		return;
	p->times[kind][probe->seq] = took;
	p->answered++;
}

/* Take what comes until the given time, relative to the start. */
static void
take_answers(struct probes *p, uint64_t until)
{
	struct pollfd fds[PROBE_KINDS];
	uint64_t now;
	unsigned int k;

	for (k = 0; k < PROBE_KINDS; k++)
		fds[k] = (struct pollfd){ .fd = p->socks[k], .events = POLLIN };
	while ((now = now_ns() - p->start) < until) {
		struct timespec left = { .tv_nsec = RTE_MIN(until - now, UINT64_C(100000000)) };

		if (ppoll(fds, PROBE_KINDS, &left, NULL) <= 0)
			continue;
		for (k = 0; k < PROBE_KINDS; k++)
			if ((fds[k].revents & POLLIN) != 0)
				take_answer(p, k);
	}
}

static void *
probe_main(void *arg)
{
	struct probes *p = arg;
	uint64_t end;

	come_first();
	while (p->n < p->max && !rte_atomic_load_explicit(&p->stop, rte_memory_order_relaxed)) {
		send_all(p);
		take_answers(p, p->n * p->interval);
	}
	end = now_ns() + PROBE_LATE_NS;
	while (p->answered < PROBE_KINDS * p->n && now_ns() < end)
		take_answers(p, now_ns() - p->start + PROBE_LATE_NS / 100);
	rte_atomic_store_explicit(&p->done, true, rte_memory_order_release);
	return NULL;
}

/*
 * Sockets
 */

static int
open_socket(const struct port *ports, unsigned int kind)
{
	const struct probe_kind *k = &probe_kinds[kind];
	bool udp = k->protocol == IPPROTO_UDP;
	struct sockaddr_in to = pair_address(ports[1].addr, udp ? ECHO_PORT : 0);
	const struct icmp_filter filter = { .data = ~(1U << ICMP_ECHOREPLY) };
	int sock, tos = k->tos, one = 1;

	sock = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC, k->protocol);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    setsockopt(sock, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)) != 0 ||
	    setsockopt(sock, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)) != 0 ||
	    (!udp && setsockopt(sock, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)) != 0))
		die("%s: socket: %s", k->name, strerror(errno));
	return sock;
}

void
probes_open(struct probes *p, struct pair *pair, uint64_t interval, unsigned int max)
{
	unsigned int k;
	int one = 1;

	memset(p, 0, sizeof(*p));
	p->pair = pair;
	p->interval = interval;
	p->max = max;
	net_enter(net_far);
	p->echo_sock = net_udp_socket(pair->ports[1].addr, ECHO_PORT);
	net_enter(net_home);
	pair_set_timeout(p->echo_sock, LOOK_MS);
	if (setsockopt(p->echo_sock, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)) != 0)
		die("UDP socket: %s", strerror(errno));
	for (k = 0; k < PROBE_KINDS; k++) {
		p->socks[k] = open_socket(pair->ports, k);
		p->sent[k] = calloc(max, sizeof(*p->sent[k]));
		p->times[k] = calloc(max, sizeof(*p->times[k]));
		if (p->sent[k] == NULL || p->times[k] == NULL)
			die("out of memory");
	}
}

void
probes_start(struct probes *p)
{
	p->start = now_ns();
	pair_add_end(p->pair, echo_main, p);
	pair_add_end(p->pair, probe_main, p);
}

void
probes_stop(struct probes *p)
{
	rte_atomic_store_explicit(&p->stop, true, rte_memory_order_relaxed);
	while (!rte_atomic_load_explicit(&p->done, rte_memory_order_acquire))
		usleep(1000);
}

void
probes_close(struct probes *p)
{
	unsigned int k;

	for (k = 0; k < PROBE_KINDS; k++) {
		close(p->socks[k]);
		free(p->sent[k]);
		free(p->times[k]);
	}
	close(p->echo_sock);
}
