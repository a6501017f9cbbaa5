/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef TAGS_H
#define TAGS_H

/*
 * VLAN tags in frames that the kernel sends, and beside them, where Linux keeps a tag until a
 * device asks for it. A program puts them there since Linux 6.6, VLAN devices where there are any.
 */

#include "rig.h"

/** Write a tag. */
void tags_write(uint8_t *at, uint16_t tpid, uint16_t tci);

/** Prepare for tags beside frames of a port, until tags_done(). Returns whether it can be done. */
bool tags_init(const struct port *port);
/** Is it slow? */
bool tags_are_slow(void);
/**
 * A packet socket whose frames get this tag, until tags_close(); one at a time. TPID 0x8100 or
 * 0x88a8. Returns -1 if there are no such VLAN devices.
 */
int tags_open(uint16_t tpid, uint16_t tci);
void tags_close(int sock);
void tags_done(void);

#endif /* TAGS_H */
