/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <rte_string_fns.h>

#include "tags.h"
#include "watch.h"

struct port watch_port;
int watch_sock = -1;

/* With IPv6 there would be multicast. */
void
watch_init(void)
{
	if (!rig_sysctl("ipv6/conf/default/disable_ipv6", "1"))
		rig_skip("cannot keep the kernel from sending multicast of its own");
}

void
watch_open(const char *args, const struct port_conf *conf)
{
	port_open(&watch_port, "net_rtap0", args, conf);
	watch_sock = kernel_open(&watch_port, ETHERTYPE_TEST);
}

void
watch_close(void)
{
	close(watch_sock);
	port_close(&watch_port);
}

bool
watch_has_vlan_filter(void)
{
	struct rte_eth_dev_info info;

	CHECK_OK(rte_eth_dev_info_get(watch_port.id, &info));
	return (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER) != 0;
}

void
watch_frame(uint8_t frame[WATCH_LEN], const struct rte_ether_addr *dst)
{
	frame_write(frame, WATCH_LEN, 0);
	memcpy(frame, dst, sizeof(*dst));
}

void
watch_tagged(uint8_t frame[WATCH_LEN], uint16_t tpid, uint16_t tci)
{
	watch_frame(frame, &watch_broadcast);
	tags_write(frame + WATCH_MACS, tpid, tci);
}

static bool
is_frame(const struct rte_mbuf *m, const uint8_t frame[WATCH_LEN])
{
	return m->pkt_len == WATCH_LEN &&
		memcmp(rte_pktmbuf_mtod(m, const void *), frame, WATCH_LEN) == 0;
}

bool
watch_receives(const uint8_t frame[WATCH_LEN])
{
	uint8_t last[WATCH_LEN];
	unsigned int seen = 0;
	struct rte_mbuf *m;
	bool end = false;

	frame_write(last, sizeof(last), 1);
	kernel_send(watch_sock, last, sizeof(last));
	while (!end) {
		WAIT_FOR(rte_eth_rx_burst(watch_port.id, 0, &m, 1) == 1, "broadcast is lost");
		end = is_frame(m, last);
		seen += !end;
		CHECK(end || is_frame(m, frame), "a frame that nobody has sent");
		rte_pktmbuf_free(m);
	}
	CHECK(seen <= 1, "a frame arrives %u times", seen);
	return seen == 1;
}

bool
watch_passes_as(int from, const void *sent, size_t len, const uint8_t expected[WATCH_LEN])
{
	uint64_t dropped = kernel_stats(watch_port.ifname).tx_dropped;
	uint64_t shown = port_xstat(&watch_port, "kernel_tx_dropped");
	bool received;

	kernel_send(from, sent, len);
	received = watch_receives(expected);
	dropped = kernel_stats(watch_port.ifname).tx_dropped - dropped;
	shown = port_xstat(&watch_port, "kernel_tx_dropped") - shown;
	CHECK(dropped == !received && shown == dropped,
		"%" PRIu64 " dropped, %" PRIu64 " shown, %u received", dropped, shown, received);
	return received;
}

bool
watch_passes(const struct rte_ether_addr *dst)
{
	uint8_t frame[WATCH_LEN];

	watch_frame(frame, dst);
	return watch_passes_as(watch_sock, frame, sizeof(frame), frame);
}

void
watch_passes_own(void)
{
	const struct rte_ether_addr own = watch_mac();

	WATCH_PASSES(&own);
	WATCH_PASSES(&watch_broadcast);
}

struct rte_ether_addr
watch_mac(void)
{
	struct rte_ether_addr mac;

	kernel_mac(watch_port.ifname, &mac);
	return mac;
}

struct rte_ether_addr
watch_numbered(const struct rte_ether_addr *first, unsigned int number)
{
	struct rte_ether_addr addr = *first;

	addr.addr_bytes[4] = number >> 8;
	addr.addr_bytes[5] = number;
	return addr;
}

/* A ring that held the file lets go of it a moment later. */
void
watch_check_left(const char *ifname)
{
	const struct port port = { .ifindex = if_nametoindex(ifname) };
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	uint8_t frames[2][WATCH_LEN], frame[WATCH_LEN];
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), sock;
	unsigned int i;

	CHECK(port.ifindex != 0, "%s is gone", ifname);
	rte_strlcpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name));
	WAIT_FOR(ioctl(fd, TUNSETIFF, &ifr) == 0, "cannot open %s: %s", ifname, strerror(errno));
	WAIT_FOR((kernel_flags(ifname) & IFF_RUNNING) != 0, "%s does not run", ifname);
	sock = kernel_open(&port, ETHERTYPE_TEST);
	watch_frame(frames[0], &watch_foreign);
	watch_tagged(frames[1], RTE_ETHER_TYPE_VLAN, 999);
	for (i = 0; i < RTE_DIM(frames); i++) {
		kernel_send(sock, frames[i], WATCH_LEN);
		WAIT_FOR(read(fd, frame, sizeof(frame)) == WATCH_LEN &&
			memcmp(frame, frames[i], WATCH_LEN) == 0, "a filter was left behind");
	}
	close(sock);
	close(fd);
}
