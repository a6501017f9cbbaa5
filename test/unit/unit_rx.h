/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _UNIT_RX_H_
#define _UNIT_RX_H_

/* What the tests of Rx share: numbered frames, and pools of mbufs of several sizes. */

#include "unit_queue.h"

#define SCATTER RTE_ETH_RX_OFFLOAD_SCATTER
#define LRO RTE_ETH_RX_OFFLOAD_TCP_LRO
#define NB_MBUFS 1023

/* A burst is larger than what any queue hands up. */
#define BURST 128

extern const struct virtio_net_hdr_v1 no_hdr;

extern struct rte_mempool *small;	/* 256 bytes in the first mbuf, 384 in the others */
extern struct rte_mempool *odd;		/* 331 and 459 */
extern struct rte_mempool *usual;	/* 2048 and 2176 */
extern struct rte_mempool *exact;	/* a frame of MTU 1500 with two VLAN tags, and a byte */
extern struct rte_mempool *few;		/* as small, but hardly any */

/** The queue under test, which every test opens, and where to put what it hands up. */
extern struct rtap_rxq *rxq;
extern struct rte_mbuf *pkts[BURST];

/** Frame number seq: bytes that follow from number and length, if that is 18 or more. */
const uint8_t *frame_data(uint32_t seq, uint32_t len);
/** Send that frame to the queue; false: no room. */
bool put(uint32_t seq, uint32_t len);
/** Is it frame number seq, in as few segments as it fits in, and ready for the application? */
bool is_frame(const struct rte_mbuf *m, uint32_t seq, uint32_t len);
/** Take the next frame and nothing else; is it this? */
bool take(uint32_t seq, uint32_t len);
/** Put and take. */
bool goes_through(uint32_t seq, uint32_t len);
/** Does the queue find nothing? */
bool is_empty(void);
/** Change the MTU; a queue that is there learns of it as it does from the driver. */
void set_mtu(uint16_t mtu);

/** Run the tests; assert that no mbuf is lost. */
int unit_rx_run(CU_TestInfo *tests);

#endif /* _UNIT_RX_H_ */
