/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _UNIT_QUEUE_H_
#define _UNIT_QUEUE_H_

/*
 * What the tests of Rx and Tx share: a port with one queue of each kind and no TAP. The queues
 * are the driver's own; their ring is over a socket pair, which like a TAP keeps frames apart,
 * cuts off what does not fit in the reader's buffers, and refuses what it has no room for.
 */

#include "rtap.h"
#include "unit_ring.h"

extern struct rte_eth_dev unit_dev;

/** An idle port, MTU 1500, no offloads. */
void unit_dev_init(void);

/** Set a queue up and start it; it reads from or writes to unit_fd. Returns NULL on failure. */
struct rtap_rxq *unit_rxq_open(struct rte_mempool *pool, uint16_t nb_desc, uint64_t offloads);
struct rtap_txq *unit_txq_open(uint16_t nb_desc);

/** Stop and release the queues. */
void unit_queues_close(void);

/** Around each test: an idle port without queues; at the end, none has kept an mbuf of any pool. */
void unit_queues_set_up(void);
void unit_queues_tear_down(void);

/** Send a virtio-net header and a frame from unit_peer; false: no room. */
bool unit_frame_send(const struct virtio_net_hdr_v1 *hdr, const void *data, uint32_t len);

/** Receive the next at unit_peer: is it this header and this frame? */
bool unit_frame_receive(const struct virtio_net_hdr_v1 *hdr, const void *data, uint32_t len);

#endif /* _UNIT_QUEUE_H_ */
