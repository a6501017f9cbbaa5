/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * What is sent is what arrives, byte by byte, in both directions: every size of frame, every
 * shape of mbuf, up to the largest frame that the kernel takes. A frame that does not fit
 * somewhere is counted and not cut off.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_byteorder.h>

#include "rig.h"

/* Sizes are swept from FRAME_MIN to this. */
#define SWEEP_MAX 9018
#define SWEEP_MTU (SWEEP_MAX - RTE_ETHER_HDR_LEN)

/* The largest MTU of a TAP: 64 KiB - 1, the Ethernet header included. */
#define MTU_MAX (UINT16_MAX - RTE_ETHER_HDR_LEN)

#define NB_MBUF 2048
#define LARGE_ROOM 10240
#define SMALL_ROOM 2048
#define TINY_ROOM 128		/* with the headroom, mbufs of 256 bytes */

static struct rte_mempool *large, *small, *tiny, *clones;
static uint8_t received[FRAME_MAX];

/*
 * Shapes that a packet to be sent may have
 */

enum shape {
	SHAPE_PLAIN,		/* one mbuf */
	SHAPE_NO_HEADROOM,
	SHAPE_SHARED,		/* somebody else holds a reference */
	SHAPE_INDIRECT,
	SHAPE_EXTERNAL,
	SHAPE_CHAIN,		/* segments of any size */
	SHAPE_CHAIN_EMPTY,	/* the same, with empty ones in all places */
	SHAPE_CHAIN_SHARED,	/* the same, with a reference to each */
	SHAPE_CHAIN_INDIRECT,
	SHAPE_MAX
};

static struct rte_mbuf *
alloc(struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	CHECK(m != NULL, "pool %s is empty", pool->name);
	return m;
}

static void
chain(struct rte_mbuf **head, struct rte_mbuf *m)
{
	if (*head == NULL)
		*head = m;
	else
		CHECK_OK(rte_pktmbuf_chain(*head, m));
}

static void
append(struct rte_mbuf **head, const uint8_t *data, uint16_t len)
{
	struct rte_mbuf *m = alloc(large);

	memcpy(rte_pktmbuf_append(m, len), data, len);
	chain(head, m);
}

/* Segments of random size, which are now and then as small as they can be. */
static struct rte_mbuf *
make_chain(const uint8_t *frame, uint32_t len, bool with_empty)
{
	struct rte_mbuf *head = NULL;
	uint32_t done = 0, n;

	while (done < len) {
		if (with_empty && rig_random(2) == 0)
			append(&head, NULL, 0);
		n = rig_random(4) == 0 ? 1 : 1 + rig_random(RTE_MIN(len / 2, (uint32_t)LARGE_ROOM));
		n = RTE_MIN(n, len - done);
		append(&head, frame + done, n);
		done += n;
	}
	if (with_empty)
		append(&head, NULL, 0);
	return head;
}

/* A buffer that belongs to the application, and a copy of it. */
static uint8_t external[2][LARGE_ROOM];
static struct rte_mbuf_ext_shared_info external_info;
static unsigned int external_freed;

static void
external_free(void *addr, void *opaque __rte_unused)
{
	CHECK(memcmp(addr, external[1], LARGE_ROOM) == 0, "an external buffer was written to");
	external_freed++;
}

static struct rte_mbuf *
make_external(const uint8_t *frame, uint32_t len)
{
	struct rte_mbuf *m = alloc(clones);

	external_info.free_cb = external_free;
	rte_mbuf_ext_refcnt_set(&external_info, 1);
	rte_pktmbuf_attach_extbuf(m, external[0], RTE_BAD_IOVA, LARGE_ROOM, &external_info);
	rte_pktmbuf_reset_headroom(m);
	memcpy(rte_pktmbuf_append(m, len), frame, len);
	memcpy(external[1], external[0], LARGE_ROOM);
	return m;
}

static struct rte_mbuf *
make_plain(const uint8_t *frame, uint32_t len, uint16_t headroom)
{
	struct rte_mbuf *m = alloc(large);

	m->data_off = headroom;
	memcpy(rte_pktmbuf_append(m, len), frame, len);
	return m;
}

/* The packet in that shape. If it is shared, *kept is with whom. */
static struct rte_mbuf *
make_packet(enum shape shape, const uint8_t *frame, uint32_t len, struct rte_mbuf **kept)
{
	struct rte_mbuf *m;

	*kept = NULL;
	switch (shape) {
	case SHAPE_PLAIN:
		return make_plain(frame, len, RTE_PKTMBUF_HEADROOM);
	case SHAPE_NO_HEADROOM:
		return make_plain(frame, len, rig_random(24));
	case SHAPE_EXTERNAL:
		return make_external(frame, len);
	case SHAPE_CHAIN:
	case SHAPE_CHAIN_EMPTY:
		return make_chain(frame, len, shape == SHAPE_CHAIN_EMPTY);
	case SHAPE_SHARED:
	case SHAPE_INDIRECT:
		m = make_plain(frame, len, RTE_PKTMBUF_HEADROOM);
		break;
	default:
		m = make_chain(frame, len, false);
	}
	*kept = m;
	if (shape == SHAPE_INDIRECT || shape == SHAPE_CHAIN_INDIRECT)
		return rte_pktmbuf_clone(m, clones);
	rte_pktmbuf_refcnt_update(m, 1);
	return m;
}

/* The memory of the first segment, headroom included. */
static void
snapshot(uint8_t *copy, const struct rte_mbuf *m)
{
	memcpy(copy, m->buf_addr, m->buf_len);
}

/* Nobody else may hold it now, and it must be as it was. */
static void
check_kept(struct rte_mbuf *kept, const uint8_t *before, uint32_t len, unsigned int number)
{
	const struct rte_mbuf *m;

	CHECK(memcmp(kept->buf_addr, before, kept->buf_len) == 0, "a shared mbuf was written to");
	for (m = kept; m != NULL; m = m->next)
		CHECK(rte_mbuf_refcnt_read(m) == 1, "a sent segment was not released");
	CHECK(frame_is_mbuf(kept, len, number), "a shared packet was changed");
	rte_pktmbuf_free(kept);
}

static void
tx_one(const struct port *port, int sock, enum shape shape, uint32_t len)
{
	static uint8_t frame[FRAME_MAX], before[UINT16_MAX];
	unsigned int number = shape * FRAME_MAX + len;
	struct rte_mbuf *m, *kept;
	size_t got;

	frame_write(frame, len, number);
	m = make_packet(shape, frame, len, &kept);
	if (kept != NULL)
		snapshot(before, kept);
	port_tx(port, 0, &m, 1);

	got = kernel_recv(sock, received, sizeof(received));
	CHECK(got == len, "shape %u: the kernel got %zu bytes of %u", shape, got, len);
	CHECK(frame_is(received, len, number), "shape %u: %u bytes arrive changed", shape, len);
	if (kept != NULL)
		check_kept(kept, before, len, number);
}

/*
 * Cases
 */

static void
tx_sizes(void)
{
	const struct port_conf conf = {
		.pool = large,
		.mtu = SWEEP_MTU,
		.tx_offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	};
	struct port port;
	unsigned int shape;
	uint32_t len;
	int sock;

	rig_case("Tx, every size in every shape");
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	for (len = FRAME_MIN; len <= SWEEP_MAX; len++)
		for (shape = 0; shape < SHAPE_MAX; shape++)
			tx_one(&port, sock, shape, len);
	CHECK(external_freed == SWEEP_MAX - FRAME_MIN + 1, "external buffers were not released");
	CHECK(port_stats(&port).opackets == (uint64_t)SHAPE_MAX * (SWEEP_MAX - FRAME_MIN + 1),
		"%" PRIu64 " packets counted", port_stats(&port).opackets);
	CHECK(port_stats(&port).oerrors == 0, "errors counted");
	close(sock);
	port_close(&port);
}

/* Bursts whose packets use many buffers each are sent in parts. */
static void
tx_bursts(void)
{
	const struct port_conf conf = {
		.pool = large,
		.tx_offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	};
	static uint8_t frame[RTE_ETHER_MAX_LEN];
	struct rte_mbuf *pkts[2 * BURST + 1];
	struct port port;
	unsigned int i, j, round;
	int sock;

	rig_case("Tx, bursts of long chains");
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < RTE_DIM(pkts); i++) {
			frame_write(frame, 400 + i, i);
			pkts[i] = NULL;
			for (j = 0; j < 25; j++)
				append(&pkts[i], frame + 10 * j, 10);
			append(&pkts[i], frame + 250, 150 + i);
		}
		port_tx(&port, 0, pkts, RTE_DIM(pkts));
		for (i = 0; i < RTE_DIM(pkts); i++)
			CHECK(kernel_recv(sock, received, sizeof(received)) == 400 + i &&
				frame_is(received, 400 + i, i), "frame %u of a burst differs", i);
	}
	close(sock);
	port_close(&port);
}

/* As many segments as dev_info promises; one more is refused and counted. */
static void
tx_segments(void)
{
	const struct port_conf conf = {
		.pool = small,
		.tx_offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	};
	static uint8_t frame[RTE_ETHER_MAX_LEN];
	struct rte_eth_dev_info info;
	struct rte_mbuf *m;
	struct port port;
	unsigned int n, i;
	int sock;

	rig_case("Tx, as many segments as there may be");
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	CHECK_OK(rte_eth_dev_info_get(port.id, &info));
	n = info.tx_desc_lim.nb_seg_max;
	frame_write(frame, n, 1);
	for (m = NULL, i = 0; i < n; i++)
		append(&m, frame + i, 1);
	port_tx(&port, 0, &m, 1);
	CHECK(kernel_recv(sock, received, sizeof(received)) == n && frame_is(received, n, 1),
		"a frame of %u segments differs", n);

	for (m = NULL, i = 0; i <= n; i++)
		append(&m, frame, 1);
	port_tx(&port, 0, &m, 1);
	kernel_expect_nothing(sock);
	CHECK(port_stats(&port).oerrors == 1 && port_xstat(&port, "tx_too_many_segs_errors") == 1,
		"too many segments, and not counted");
	close(sock);
	port_close(&port);
}

static void
rx_check(const struct port *port, const uint32_t *lens, unsigned int n)
{
	struct rte_mbuf *pkts[BURST];
	unsigned int i;

	port_rx(port, 0, pkts, n);
	for (i = 0; i < n; i++) {
		CHECK(pkts[i]->pkt_len == lens[i], "%u bytes of %u", pkts[i]->pkt_len, lens[i]);
		CHECK(frame_is_mbuf(pkts[i], lens[i], lens[i]), "%u bytes arrive changed", lens[i]);
		CHECK(pkts[i]->port == port->id, "an mbuf says port %u", pkts[i]->port);
		rte_pktmbuf_free(pkts[i]);
	}
}

/*
 * The kernel sends sizes first, first + step, ... up to last, some at a time; the first alone, as
 * it may still be about to start the queue of an interface that has just come up.
 */
static void
rx_sweep(const struct port *port, int sock, uint32_t first, uint32_t last, uint32_t step)
{
	static uint8_t frame[FRAME_MAX];
	uint32_t lens[BURST], len;
	unsigned int n = 0;

	for (len = first; len <= last; len += step) {
		frame_write(frame, len, len);
		kernel_send(sock, frame, len);
		lens[n++] = len;
		if (n == RTE_DIM(lens) || len == first || len + step > last) {
			rx_check(port, lens, n);
			n = 0;
		}
	}
}

static void
rx_sizes(struct rte_mempool *pool, bool scatter)
{
	const struct port_conf conf = {
		.pool = pool,
		.mtu = SWEEP_MTU,
		.rx_offloads = scatter ? RTE_ETH_RX_OFFLOAD_SCATTER : 0,
	};
	struct port port;
	int sock;

	fprintf(stderr, "- Rx, every size into mbufs of pool %s\n", pool->name);
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	rx_sweep(&port, sock, FRAME_MIN, SWEEP_MAX, 1);
	CHECK(port_stats(&port).ierrors == 0 && port_stats(&port).imissed == 0, "errors counted");
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/* The largest MTU that there is, both ways. */
static void
jumbo(void)
{
	const struct port_conf conf = {
		.pool = small,
		.mtu = MTU_MAX,
		.rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER,
		.tx_offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	};
	const uint32_t max = MTU_MAX + RTE_ETHER_HDR_LEN;
	struct port port;
	uint32_t len;
	int sock;

	rig_case("jumbo frames of up to 64 KiB");
	port_open(&port, "net_rtap0", "", &conf);
	CHECK(kernel_mtu(port.ifname) == MTU_MAX, "the kernel has MTU %u", kernel_mtu(port.ifname));
	sock = kernel_open(&port, ETHERTYPE_TEST);
	rx_sweep(&port, sock, SWEEP_MAX, max, 1009);
	rx_sweep(&port, sock, max - 300, max, 1);
	for (len = SWEEP_MAX; len <= max; len += 1009)
		tx_one(&port, sock, SHAPE_CHAIN, len);
	for (len = max - 300; len <= max; len++)
		tx_one(&port, sock, SHAPE_CHAIN_INDIRECT, len);
	close(sock);
	port_close(&port);
	pool_check_full(small);
}

/* A frame too large for the MTU must not go, and must not go unnoticed. */
static void
tx_refused(const struct port *port, int sock, uint32_t len)
{
	uint64_t errors = port_stats(port).oerrors, sent = port_stats(port).opackets;
	struct rte_mbuf *m = frame_alloc(large, len, len);

	port_tx(port, 0, &m, 1);
	kernel_expect_nothing(sock);
	CHECK(port_stats(port).oerrors == errors + 1, "%u bytes not counted in oerrors", len);
	CHECK(port_stats(port).opackets == sent, "%u bytes counted as sent", len);
}

static void
change_mtu(const struct port *port, int sock, uint16_t mtu)
{
	const uint32_t max = mtu + RTE_ETHER_HDR_LEN;

	CHECK_OK(rte_eth_dev_set_mtu(port->id, mtu));
	CHECK(kernel_mtu(port->ifname) == mtu, "the kernel has MTU %u", kernel_mtu(port->ifname));
	/* At once, with no packet in between. */
	rx_sweep(port, sock, max, max, 1);
	rx_sweep(port, sock, max > FRAME_MIN + 1000 ? max - 1000 : FRAME_MIN, max, 333);
	tx_one(port, sock, SHAPE_PLAIN, max);
	tx_refused(port, sock, max + 1);
}

/* Queues that run take larger frames at once, whether they are idle or have work. */
static void
mtu_change(struct rte_mempool *pool, uint64_t offloads)
{
	static const uint16_t mtus[] = { 9000, 1500, 2500, 576, 9004, 68, 1501, 4000 };
	const struct port_conf conf = { .pool = pool, .mtu = 1500, .rx_offloads = offloads };
	struct rte_mbuf *none[1];
	struct port port;
	unsigned int i;
	int sock;

	fprintf(stderr, "- MTU changes while running, mbufs of pool %s\n", pool->name);
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	rx_sweep(&port, sock, FRAME_MIN, 1514, 100);
	for (i = 0; i < RTE_DIM(mtus); i++) {
		if (i % 2 == 0)
			CHECK(port_rx_burst(&port, 0, none, 1) == 0, "a packet from nowhere");
		change_mtu(&port, sock, mtus[i]);
	}
	CHECK(port_stats(&port).ierrors == 0, "frames were dropped");
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/* Without scattered Rx, an MTU that does not fit into an mbuf is refused. */
static void
mtu_refused(void)
{
	struct port_conf conf = { .pool = small, .mtu = 9000 };
	struct port port;
	int sock;

	rig_case("MTU larger than the mbufs");
	port_attach(&port, "net_rtap0", "");
	CHECK(port_try_setup(&port, &conf) < 0, "MTU 9000 accepted with mbufs of %u", SMALL_ROOM);
	conf.mtu = 1500;
	port_setup(&port, &conf);
	port_start(&port);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	CHECK(rte_eth_dev_set_mtu(port.id, 9000) == -EINVAL, "MTU 9000 accepted while running");
	CHECK(kernel_mtu(port.ifname) == 1500, "the kernel has MTU %u", kernel_mtu(port.ifname));
	rx_sweep(&port, sock, FRAME_MIN, 1514, 1);
	close(sock);
	port_close(&port);
}

/*
 * The administrator makes the MTU larger than the port was configured for. Each frame arrives
 * whole, or is counted as an error: a TAP would cut it off and say nothing.
 */
static void
mtu_behind_our_back(struct rte_mempool *pool, uint64_t offloads)
{
	const struct port_conf conf = { .pool = pool, .mtu = 1500, .rx_offloads = offloads };
	static uint8_t frame[SWEEP_MAX];
	struct rte_eth_stats stats;
	unsigned int whole = 0, n;
	struct rte_mbuf *m;
	struct port port;
	uint32_t len;
	int sock;

	fprintf(stderr, "- the kernel's MTU grows, mbufs of pool %s\n", pool->name);
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	kernel_set_mtu(port.ifname, SWEEP_MTU);
	for (len = 1500; len <= SWEEP_MAX; len++) {
		frame_write(frame, len, len);
		kernel_send(sock, frame, len);
		WAIT_FOR((n = port_rx_burst(&port, 0, &m, 1)) == 1 ||
			port_stats(&port).ierrors + whole > len - 1500, "%u bytes lost", len);
		if (n == 1) {
			CHECK(frame_is_mbuf(m, len, len), "%u bytes arrive changed", len);
			rte_pktmbuf_free(m);
			whole++;
		}
	}
	stats = port_stats(&port);
	CHECK(stats.ipackets == whole, "%" PRIu64 " packets counted of %u", stats.ipackets, whole);
	CHECK(stats.ipackets + stats.ierrors == SWEEP_MAX - 1500 + 1, "frames are missing");
	CHECK(whole >= 15, "frames that fit did not arrive");
	CHECK(stats.ierrors == port_xstat(&port, "rx_truncated_errors"), "other errors");
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * tcpdump sees the same
 */

/* A pcap file in the byte order of this machine: tcpdump.org/manpages/pcap-savefile.5.html */
struct pcap_file_header {
	uint32_t magic;
	uint16_t version[2];
	uint32_t reserved[2];
	uint32_t snaplen;
	uint32_t linktype;
};

struct pcap_packet_header {
	uint32_t time[2];
	uint32_t caplen;
	uint32_t len;
};

#define PCAP_MAGIC 0xa1b2c3d4

static pid_t
tcpdump_start(const char *ifname, unsigned int n, FILE *out, FILE *messages)
{
	pid_t parent = getpid(), pid = fork();
	char count[16];

	CHECK(pid >= 0, "fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	snprintf(count, sizeof(count), "%u", n);
	dup2(fileno(out), STDOUT_FILENO);
	dup2(fileno(messages), STDERR_FILENO);
	execlp("tcpdump", "tcpdump", "-p", "-i", ifname, "-w", "-", "-s", "0", "-B", "16384", "-c",
		count, "ether", "proto", "0x88b5", NULL);
	_exit(EXIT_FAILURE);
}

/* With pread(): tcpdump shares the position in the file, and writes there. */
static bool
tcpdump_listens(FILE *messages)
{
	char text[1024] = "";

	if (pread(fileno(messages), text, sizeof(text) - 1, 0) < 0)
		return false;
	return strstr(text, "listening on") != NULL;
}

/* Frames come in pairs, one from each direction. */
static void
check_pcap(FILE *file, unsigned int n)
{
	struct pcap_file_header header;
	struct pcap_packet_header packet;
	unsigned int i;

	rewind(file);
	CHECK(fread(&header, sizeof(header), 1, file) == 1 && header.magic == PCAP_MAGIC,
		"not a pcap file");
	for (i = 0; i < n; i++) {
		uint32_t len = FRAME_MIN + i / 2;

		CHECK(fread(&packet, sizeof(packet), 1, file) == 1, "only %u packets", i);
		CHECK(packet.len == len && packet.caplen == len &&
			fread(received, len, 1, file) == 1 && frame_is(received, len, len),
			"tcpdump saw another frame of %u bytes", len);
	}
}

static void
with_tcpdump(void)
{
	const struct port_conf conf = { .pool = large };
	const unsigned int n = 2 * (RTE_ETHER_MTU + RTE_ETHER_HDR_LEN - FRAME_MIN + 1);
	FILE *out = tmpfile(), *messages = tmpfile();
	struct port port;
	int sock, status;
	uint32_t len;
	pid_t pid;

	rig_case("what tcpdump writes");
	CHECK(out != NULL && messages != NULL, "temporary file: %s", strerror(errno));
	port_open(&port, "net_rtap0", "", &conf);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	pid = tcpdump_start(port.ifname, n, out, messages);
	WAIT_FOR(tcpdump_listens(messages), "tcpdump does not start");
	for (len = FRAME_MIN; len <= RTE_ETHER_MTU + RTE_ETHER_HDR_LEN; len++) {
		struct rte_mbuf *m = frame_alloc(large, len, len);

		port_tx(&port, 0, &m, 1);
		rx_sweep(&port, sock, len, len, 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0, "tcpdump failed");
	check_pcap(out, n);
	close(sock);
	port_close(&port);
}

int
main(int argc, char **argv)
{
	rig_need("tcpdump");
	rig_init(argc, argv);
	large = pool_create("large", NB_MBUF, LARGE_ROOM);
	small = pool_create("small", 4 * NB_MBUF, SMALL_ROOM);
	tiny = pool_create("tiny", 16 * NB_MBUF, TINY_ROOM);
	clones = pool_create("clones", 16 * NB_MBUF, 0);

	tx_sizes();
	tx_bursts();
	tx_segments();
	rx_sizes(large, false);
	rx_sizes(small, true);
	rx_sizes(tiny, true);
	jumbo();
	mtu_change(large, 0);
	mtu_change(small, RTE_ETH_RX_OFFLOAD_SCATTER);
	mtu_change(tiny, RTE_ETH_RX_OFFLOAD_SCATTER);
	mtu_refused();
	mtu_behind_our_back(large, 0);
	mtu_behind_our_back(small, RTE_ETH_RX_OFFLOAD_SCATTER);
	with_tcpdump();
	pool_check_full(large);
	pool_check_full(clones);
	return rig_done();
}
