/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _UNIT_TX_H_
#define _UNIT_TX_H_

/*
 * What the tests of Tx share: a frame, what is to become of it on the way, and packets of any
 * shape that hold it.
 */

#include "unit_queue.h"

#define NB_TINY 6143
#define NB_USUAL 1023
#define PRIV_LEN 64

extern const struct virtio_net_hdr_v1 no_hdr;

extern struct rte_mempool *tiny;
extern struct rte_mempool *usual;
extern struct rte_mempool *large;
extern struct rte_mempool *priv;	/* with private memory between mbuf and buffer */

/** The queue under test. */
extern struct rtap_txq *txq;

/** The frame that packets are made of, and what it is to look like on the other side. */
extern struct unit_frame frame;
extern struct unit_frame sent;

/** Build the frame; it is to arrive as it is. */
void build(const struct unit_frame_spec *spec);
/** The same, of so many bytes, and not IP. */
void build_len(uint32_t len);
/** The same, with an IPv4 checksum that is wrong, and is to arrive right. */
void build_ip_csum(uint16_t tpid, uint16_t options);
/** Ask for that. */
void ask_ip_csum(struct rte_mbuf *m);

/** A packet of the frame: so many bytes in the first segment, so many in each other. */
struct rte_mbuf *chain(uint16_t first, uint16_t rest);
/** Own, or disown, the packet's segments together with others. */
void share(struct rte_mbuf *m, int16_t n);

/** Send one packet: it is taken, freed, and arrives. */
bool arrives(struct rte_mbuf *m, const struct virtio_net_hdr_v1 *hdr);
/** The same, and of somebody else's buffers not a byte changes. */
bool arrives_untouched(struct rte_mbuf *m, const struct rte_mbuf *owner);
/** Send one packet: it is taken, freed, and nothing arrives. */
bool is_dropped(struct rte_mbuf *m);

/** Run the tests, each with a new queue; assert that no mbuf is lost. */
int unit_tx_run(CU_TestInfo *tests);

#endif /* _UNIT_TX_H_ */
