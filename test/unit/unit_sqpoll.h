/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _UNIT_SQPOLL_H_
#define _UNIT_SQPOLL_H_

/*
 * What the tests of rtap_sqpoll.[ch] share: queues whose requests a kernel thread carries out,
 * over a socket pair, and numbered frames to send through them.
 *
 * When the thread does so is up to the scheduler: nothing here expects it to be fast, or awake.
 * What must happen is waited for.
 */

#include <unistd.h>

#include "unit_queue.h"

#define NB_MBUFS 4095
#define NB_DESC 64
#define IDLE_MS 1
#define CHAIN 8		/* packets, of a thread that serves several queues */

/* How long to wait for what must happen, in steps of 100 us. */
#define PATIENCE 300000

#define UNTIL(cond) __extension__ ({ \
	unsigned int turns_; \
	for (turns_ = 0; turns_ < PATIENCE && !(cond); turns_++) \
		usleep(100); \
	turns_ < PATIENCE; \
})

/** The way that the tests run in now. */
struct unit_sqpoll_mode {
	/* As with kernels that refuse RWF_NOWAIT: what cannot be done at once waits. */
	bool waits;
	/* Writes are posted in chains, one at a time. */
	bool ordered;
	/* Each queue has a thread of its own. */
	bool per_queue;
};

extern struct unit_sqpoll_mode mode;

/** The thread of all queues, where there is one. */
extern struct rtap_sqpoll sqpoll;
extern struct rte_mempool *pool;
extern struct rte_mempool *tiny;
/** The queues under test. */
extern struct rtap_rxq *rxq;
extern struct rtap_txq *txq;

/**
 * Run tests in each mode that does not keep order, and others in each that does, with new queues
 * for each test; NULL: none. Returns what main() returns, 77 where there is no SQPOLL.
 */
int unit_sqpoll_run(CU_TestInfo *tests, CU_TestInfo *ordered_tests);

/** The most that a queue takes when the other end takes nothing. */
unsigned int room(void);
/** So many mbufs are in use, of both pools. */
unsigned int in_use(void);

/** Open sqpoll, and set unit_caps for the mode; returns 0 or what rtap_sqpoll_open() says. */
int open_thread(const struct rtap_sqpoll_conf *conf);
/** Open both queues over unit_fd; unit_queues_close() closes them. */
void open_queues(void);
/** What is done before each test, for a child that begins anew: a socket pair, thread, queues. */
void set_up(void);

/** The length and the bytes of a frame follow from its number. The bytes are overwritten. */
uint32_t frame_len(uint32_t seq);
const uint8_t *frame_data(uint32_t seq);
/** A packet that holds this frame, from pool. */
struct rte_mbuf *frame_mbuf(uint32_t seq);

/** Send a frame to the Rx queue; false: no room. */
bool put(uint32_t seq);
/** Take frames from first on from the Rx queue as they come, until there were n. */
bool take(uint32_t first, unsigned int n);

/** Hand one packet to the Tx queue; false: no room. */
bool give(struct rte_mbuf *m);
/** Hand packets over, again those that come back. */
bool give_all(struct rte_mbuf **pkts, unsigned int n);
bool give_surely(struct rte_mbuf *m);
/** Hand over what the queue takes of n packets; returns how many. */
unsigned int give_burst(uint32_t first, unsigned int n);
/** Are so many packets sent or given up, all in all? */
bool finished(unsigned int n);

/** Receive the next frame at the other end; returns its number, or UINT32_MAX if there is none. */
uint32_t receive(void);
/** Wait for the next frame at the other end, with no call of the queue. */
uint32_t await(void);

/** Does the thread of this ring sleep? */
bool sleeps(const struct io_uring *uring);
/**
 * Open thread and queues again such that the thread shares the first CPU with this one, and runs
 * only when this one sleeps. Returns false where that cannot be: they only share it.
 */
bool occupy_cpu(void);

#endif /* _UNIT_SQPOLL_H_ */
