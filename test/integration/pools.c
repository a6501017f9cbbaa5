/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * What a queue does with its mempool: memory is registered with io_uring where it can be, and
 * works where it cannot; and with LRO a queue holds the mbufs of one burst, not of all descriptors.
 */

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "rig.h"

#define NB_MBUF 1024
#define NB_FRAMES 200U
#define NB_BATCHES 2000		/* after which memory is registered */

/* Mbufs of RTE_MBUF_DEFAULT_DATAROOM that the largest frame needs, or a few less */
#define SEGS_MAX ((unsigned int)FRAME_MAX / RTE_MBUF_DEFAULT_DATAROOM + 1)
/* And how many more a queue may hold */
#define NB_RESERVE 32

static bool
mbufs_are_registered(const struct port *port)
{
	struct rte_eth_burst_mode mode;

	CHECK_OK(rte_eth_rx_burst_mode_get(port->id, 0, &mode));
	return strstr(mode.info, "registered mbufs") != NULL;
}

/* How the limit on pinned memory is when the time has come to register */
enum limit { UNLIMITED, LIMITED };

static void
check_pool(struct rte_mempool *pool, enum limit limit, bool registered)
{
	const struct port_conf conf = { .pool = pool };
	struct rlimit was, none;
	struct port port;
	int sock;

	port_open(&port, "net_rtap0", "", &conf);
	CHECK_OK(getrlimit(RLIMIT_MEMLOCK, &was));
	none = (struct rlimit){ 0, was.rlim_max };
	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, limit == LIMITED ? &none : &was));
	sock = kernel_open(&port, ETHERTYPE_TEST);
	frames_from_kernel(&port, sock, NB_BATCHES);
	CHECK(mbufs_are_registered(&port) == registered, "mbufs of pool %s are %sregistered",
		pool->name, registered ? "not " : "");
	frames_from_kernel(&port, sock, NB_FRAMES);
	CHECK(port_stats(&port).ierrors == 0, "errors");
	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &was));
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

/*
 * Memory that may be pinned, or not
 */

/* Take the capability CAP_IPC_LOCK away or give it back. Returns whether there is one. */
static bool
set_ipc_lock(bool on)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const uint32_t bit = CAP_TO_MASK(CAP_IPC_LOCK);

	CHECK_OK(syscall(SYS_capget, &header, data));
	data[0].effective = (data[0].effective & ~bit) | (on ? data[0].permitted & bit : 0);
	CHECK_OK(syscall(SYS_capset, &header, data));
	return (data[0].permitted & bit) != 0;
}

static void
limited(struct rte_mempool *pool)
{
	rig_case("memory that may not be pinned");
	set_ipc_lock(false);
	check_pool(pool, LIMITED, false);
	if (set_ipc_lock(true))
		check_pool(pool, LIMITED, rig_reads_by_uring());
	else
		fprintf(stderr, "without CAP_IPC_LOCK nothing more can be expected\n");
}

/* Two allocations with another between them. */
static struct rte_mempool *
pool_in_pieces(void)
{
	const size_t len = NB_MBUF * 4096UL; /* no mbuf crosses a page */
	struct rte_mempool *pool;
	unsigned int i;
	char *area;

	pool = rte_mempool_create_empty("pieces", NB_MBUF, sizeof(struct rte_mbuf) +
		RTE_MBUF_DEFAULT_BUF_SIZE, 0, sizeof(struct rte_pktmbuf_pool_private),
		SOCKET_ID_ANY, 0);
	CHECK(pool != NULL, "pool: %s", rte_strerror(rte_errno));
	rte_pktmbuf_pool_init(pool, NULL);
	for (i = 0; i < 2; i++) {
		area = rte_malloc(NULL, len, RTE_CACHE_LINE_SIZE);
		CHECK(area != NULL, "out of memory");
		CHECK(rte_mempool_populate_iova(pool, area, RTE_BAD_IOVA, i == 0 ? len / 2 : len,
			NULL, NULL) > 0, "populate: %s", rte_strerror(rte_errno));
	}
	CHECK(pool->nb_mem_chunks == 2 && pool->populated_size == NB_MBUF, "%u pieces, %u mbufs",
		pool->nb_mem_chunks, pool->populated_size);
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

/*
 * Mbufs in use
 */

/* After bursts of up to n packets, all of which are freed. */
static void
check_in_use(const struct port *port, int sock, const struct rte_mempool *pool, uint16_t n)
{
	struct rte_mbuf *pkts[2 * BURST];
	unsigned int i, in_use, got = 0;
	uint8_t data[FRAME_MIN];

	for (i = 0; i < NB_FRAMES; i++) {
		frame_write(data, sizeof(data), i);
		kernel_send(sock, data, sizeof(data));
	}
	while (got < NB_FRAMES) {
		port_rx(port, 0, pkts, 1);
		CHECK(frame_is_mbuf(pkts[0], FRAME_MIN, got), "frame %u differs", got);
		rte_pktmbuf_free(pkts[0]);
		got++;
		i = port_rx_burst(port, 0, pkts, RTE_MIN(n, NB_FRAMES - got));
		rte_pktmbuf_free_bulk(pkts, i);
		got += i;
	}
	in_use = rte_mempool_in_use_count(pool);
	CHECK(in_use <= n * SEGS_MAX + NB_RESERVE, "%u mbufs in use after bursts of %u", in_use, n);
}

static void
bursts(struct rte_mempool *pool)
{
	const struct port_conf conf = {
		.pool = pool,
		.nb_desc = 4096,
		.rx_offloads = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER,
		.max_lro = UINT16_MAX,
	};
	struct port port;
	uint16_t n;
	int sock;

	rig_case("mbufs in use");
	port_open(&port, "net_rtap0", "", &conf);
	CHECK(rte_mempool_in_use_count(pool) == 0, "a queue that nobody polls has mbufs");
	sock = kernel_open(&port, ETHERTYPE_TEST);
	for (n = 1; n <= BURST; n *= 2)
		check_in_use(&port, sock, pool, n);
	close(sock);
	port_close(&port);
	pool_check_full(pool);
}

int
main(int argc, char **argv)
{
	struct rte_mempool *pool;

	rig_init(argc, argv);
	pool = pool_create("pool", 4096, RTE_MBUF_DEFAULT_DATAROOM);
	limited(pool);
	rig_case("a pool in pieces");
	check_pool(pool_in_pieces(), UNLIMITED, false);
	rig_case("external buffers");
	check_pool(pool_create_external("external", NB_MBUF, RTE_MBUF_DEFAULT_DATAROOM), UNLIMITED,
		false);
	bursts(pool);
	return rig_done();
}
