/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef WATCH_H
#define WATCH_H

/*
 * What the tests of filters share: frames whose way is followed. Whatever the kernel sends must
 * either arrive or be counted as dropped.
 */

#include "rig.h"

#define WATCH_LEN 100
#define WATCH_MACS (2 * RTE_ETHER_ADDR_LEN)

static const struct rte_ether_addr watch_broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct rte_ether_addr watch_foreign = { { 0x02, 0, 0, 0xf0, 0, 0x01 } };
static const struct rte_ether_addr watch_group = { { 0x01, 0, 0x5e, 0x7f, 0, 0x01 } };

/** The port, which is open, and a packet socket on its interface. */
extern struct port watch_port;
extern int watch_sock;

/** Keep the kernel from sending frames of its own, or skip the test. */
void watch_init(void);
/** Open the port and the socket. */
void watch_open(const char *args, const struct port_conf *conf);
void watch_close(void);
/** Can it filter VLANs? */
bool watch_has_vlan_filter(void);

/** A frame to that address, and one with a tag to everybody. */
void watch_frame(uint8_t frame[WATCH_LEN], const struct rte_ether_addr *dst);
void watch_tagged(uint8_t frame[WATCH_LEN], uint16_t tpid, uint16_t tci);
/** Does the port receive this frame, which was sent, before one that is always received? */
bool watch_receives(const uint8_t frame[WATCH_LEN]);
/** Send on a socket, and see whether the port receives the expected frame or it is dropped. */
bool watch_passes_as(int from, const void *sent, size_t len, const uint8_t expected[WATCH_LEN]);
/** The same for a frame that is received as it was sent, to that address. */
bool watch_passes(const struct rte_ether_addr *dst);
/** Frames to the address of the interface and to everybody must pass. */
void watch_passes_own(void);

#define WATCH_PASSES(addr) CHECK(watch_passes(addr), #addr " is dropped")
#define WATCH_DROPS(addr) CHECK(!watch_passes(addr), #addr " passes")

/**
 * An interface that a port has left: the next one to open it, who knows nothing of filters, must
 * get everything.
 */
void watch_check_left(const char *ifname);

/** The address of the interface. */
struct rte_ether_addr watch_mac(void);
/** One of many addresses that have the first bytes in common. */
struct rte_ether_addr watch_numbered(const struct rte_ether_addr *first, unsigned int number);

#endif /* WATCH_H */
