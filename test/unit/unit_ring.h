/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _UNIT_RING_H_
#define _UNIT_RING_H_

/*
 * What the tests of the ring share: a ring over one end of a socket pair that keeps packet
 * boundaries, as a TAP does, and numbered packets to send through it.
 *
 * The tests run once for each way in which the ring can work.
 */

#include "rtap_ring.h"
#include "unit.h"

#define PEER_BUF 256

struct unit_mode {
	const char *name;
	bool uring;
	bool reads;	/* through io_uring as well */
	bool owned;	/* by a thread */
	bool nowait;	/* with RWF_NOWAIT */
	bool memory;	/* that is read to is registered */
};

/** The way that the tests run in now. */
extern const struct unit_mode *unit_mode;
extern struct rtap_ring_caps unit_caps;

/** The ring under test, the file that it is over, and the other end of that. */
extern struct rtap_ring unit_ring;
extern int unit_fd;
extern int unit_peer;

/** Run the tests in every mode that the kernel has, each between these two. */
int unit_ring_run(CU_TestInfo *tests, CU_SetUpFunc set_up, CU_TearDownFunc tear_down);

/** Make a ring over a new pair, of the mode that the tests run in. */
void unit_ring_set_up(void);
/** Open the ring over unit_fd, as that does. */
void unit_ring_open(void);
/** Have the memory that unit_ring_read() reads to registered, in time. */
void unit_ring_set_memory(void);
/** After so many batches on a thread, memory is registered. */
#define UNIT_MANY_BATCHES 2000
/** Move that many packets, one by one. Returns whether all came, and nothing was unregistered. */
bool unit_ring_settle(uint32_t n);
/** Close all, and assert that no file is left open. */
void unit_ring_tear_down(void);

/** Send packet number seq from one file; its length and bytes follow from the number. */
bool unit_send(int fd, uint32_t seq);
/** Receive a packet and compare it with number seq. */
bool unit_receive(int fd, uint32_t seq);

/** Read n packets at most, number first and following. Returns how many came, or -1 if wrong. */
int unit_ring_read(uint32_t first, unsigned int n);
/** Write n packets with these numbers; the results are in unit_reqs. */
void unit_ring_write(unsigned int file, uint32_t first, unsigned int n);
extern struct rtap_req unit_reqs[RTAP_BURST_MAX];

/** Wait until the ring is not quiet any more; false if that does not happen. */
bool unit_ring_wakes(void);

#endif /* _UNIT_RING_H_ */
