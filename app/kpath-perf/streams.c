/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include "streams.h"

#define CHUNK (128 << 10)
#define CONNECT_MS 5000
/* A thread that waits looks whether it is to end that often. */
#define LOOK_MS 100

static void *
send_main(void *arg)
{
	const struct stream *s = arg;
	char *buf = calloc(1, CHUNK);

	while (buf != NULL && !pair_is_stopped(s->pair))
		if (send(s->sender, buf, CHUNK, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			break;
	free(buf);
	return NULL;
}

static void *
receive_main(void *arg)
{
	struct stream *s = arg;
	char *buf = malloc(CHUNK);
	ssize_t n;

	while (buf != NULL && !pair_is_stopped(s->pair)) {
		n = recv(s->receiver, buf, CHUNK, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0)
			rte_atomic_store_explicit(&s->bytes, stream_bytes(s) + n,
				rte_memory_order_relaxed);
	}
	free(buf);
	return NULL;
}

/* A socket that listens in far, for one connection. */
static int
listen_in_far(const struct sockaddr_in *at)
{
	int sock, one = 1;

	net_enter(net_far);
	sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	net_enter(net_home);
	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(sock, (const struct sockaddr *)at, sizeof(*at)) != 0 || listen(sock, 1) != 0)
		die("listen: %s", strerror(errno));
	pair_set_timeout(sock, CONNECT_MS);
	return sock;
}

static int
connect_from_home(const struct sockaddr_in *to, int tos)
{
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	pair_set_timeout(sock, CONNECT_MS);
	setsockopt(sock, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	if (connect(sock, (const struct sockaddr *)to, sizeof(*to)) != 0) {
		close(sock);
		return -1;
	}
	pair_set_timeout(sock, LOOK_MS);
	return sock;
}

bool
streams_add(struct streams *streams, enum direction direction, uint8_t tos)
{
	struct sockaddr_in to = pair_address(streams->pair->ports[1].addr, PAIR_PORT);
	int listener, home, far, class = tos;

	if (streams->n == STREAMS_MAX)
		return false;
	listener = listen_in_far(&to);
	home = connect_from_home(&to, class);
	far = home >= 0 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
	close(listener);
	if (far < 0) {
		if (home >= 0)
			close(home);
		return false;
	}
	pair_set_timeout(far, LOOK_MS);
	setsockopt(far, IPPROTO_IP, IP_TOS, &class, sizeof(class));
	streams->stream[streams->n++] = (struct stream){
		.pair = streams->pair,
		.direction = direction,
		.sender = direction == DIR_UP ? home : far,
		.receiver = direction == DIR_UP ? far : home,
	};
	return true;
}

void
streams_start(struct streams *streams)
{
	unsigned int i;

	for (i = 0; i < streams->n; i++) {
		pair_add_end(streams->pair, send_main, &streams->stream[i]);
		pair_add_end(streams->pair, receive_main, &streams->stream[i]);
	}
}

uint64_t
stream_bytes(const struct stream *stream)
{
	return rte_atomic_load_explicit(&stream->bytes, rte_memory_order_relaxed);
}

uint64_t
streams_bytes(const struct streams *streams, enum direction direction)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i < streams->n; i++)
		if (direction == DIR_BOTH || streams->stream[i].direction == direction)
			bytes += stream_bytes(&streams->stream[i]);
	return bytes;
}

void
streams_cut(struct streams *streams)
{
	unsigned int i;

	/* The reader first: what the sender has left is answered with a reset. */
	for (i = 0; i < streams->n; i++) {
		shutdown(streams->stream[i].receiver, SHUT_RDWR);
		shutdown(streams->stream[i].sender, SHUT_RDWR);
	}
}

void
streams_close(struct streams *streams)
{
	unsigned int i;

	for (i = 0; i < streams->n; i++) {
		close(streams->stream[i].sender);
		close(streams->stream[i].receiver);
	}
	streams->n = 0;
}
