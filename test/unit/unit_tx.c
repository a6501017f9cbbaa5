/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_mempool.h>

#include "unit_tx.h"

const struct virtio_net_hdr_v1 no_hdr;

struct rte_mempool *tiny;
struct rte_mempool *usual;
struct rte_mempool *large;
struct rte_mempool *priv;
struct rtap_txq *txq;
struct unit_frame frame;
struct unit_frame sent;

/*
 * Packets
 */

void
build(const struct unit_frame_spec *spec)
{
	unit_frame_build(&frame, spec);
	sent = frame;
}

void
build_len(uint32_t len)
{
	build(&(struct unit_frame_spec){ .payload = len - RTE_ETHER_HDR_LEN });
}

void
build_ip_csum(uint16_t tpid, uint16_t options)
{
	build(&(struct unit_frame_spec){ .ip = 4, .proto = IPPROTO_UDP, .payload = 300,
		.tpid = { tpid }, .ip_extra = options });
	unit_put16(&frame.data[frame.l2_len + 10], 0xdead);
}

void
ask_ip_csum(struct rte_mbuf *m)
{
	m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	m->l2_len = frame.l2_len;
	m->l3_len = frame.l3_len;
}

struct rte_mbuf *
chain(uint16_t first, uint16_t rest)
{
	return unit_mbuf(first <= 64 && rest <= 64 ? tiny : usual, frame.data, frame.len, first,
		rest);
}

bool
arrives(struct rte_mbuf *m, const struct virtio_net_hdr_v1 *hdr)
{
	return rtap_tx_burst(txq, &m, 1) == 1 && unit_frame_receive(hdr, sent.data, sent.len);
}

bool
arrives_untouched(struct rte_mbuf *m, const struct rte_mbuf *owner)
{
	uint64_t hash = unit_mbuf_hash(owner);

	return arrives(m, &no_hdr) && unit_mbuf_hash(owner) == hash;
}

bool
is_dropped(struct rte_mbuf *m)
{
	uint8_t byte;

	return rtap_tx_burst(txq, &m, 1) == 1 && recv(unit_peer, &byte, 1, 0) == -1;
}

void
share(struct rte_mbuf *m, int16_t n)
{
	for (; m != NULL; m = m->next)
		rte_mbuf_refcnt_update(m, n);
}

/*
 * Runner
 */

static void
set_up(void)
{
	unit_queues_set_up();
	txq = unit_txq_open(1024);
}

int
unit_tx_run(CU_TestInfo *tests)
{
	unit_eal_init();
	tiny = unit_pool("tiny", NB_TINY, 64 + RTE_PKTMBUF_HEADROOM);
	usual = unit_pool("usual", NB_USUAL, 2048 + RTE_PKTMBUF_HEADROOM);
	large = unit_pool("large", 3, UINT16_MAX);
	priv = rte_pktmbuf_pool_create("priv", 3, 0, PRIV_LEN, 512, SOCKET_ID_ANY);
	if (priv == NULL)
		return EXIT_FAILURE;
	return unit_ring_run(tests, set_up, unit_queues_tear_down);
}
