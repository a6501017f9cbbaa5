/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "forward.h"

#define BURST_MAX 256
/* Packets that are made here at a time: those of a burst of large ones, and what is under way */
#define NB_MADE 4095

#define RX_UNDONE \
	(RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_LRO)
#define TX_ASKED (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

/*
 * Headers
 */

static bool
is_ipv4(const struct rte_mbuf *m)
{
	return RTE_ETH_IS_IPV4_HDR(m->packet_type) != 0;
}

static bool
is_tcp(const struct rte_mbuf *m)
{
	return (m->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_TCP;
}

static bool
is_udp(const struct rte_mbuf *m)
{
	return (m->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP;
}

static bool
set_tcp_len(struct rte_mbuf *m)
{
	uint32_t at = m->l2_len + m->l3_len + offsetof(struct rte_tcp_hdr, data_off);
	uint8_t copy;
	const uint8_t *data_off = rte_pktmbuf_read(m, at, sizeof(copy), &copy);

	if (data_off == NULL)
		return false;
	m->l4_len = (*data_off >> 4) * 4;
	return m->l4_len >= sizeof(struct rte_tcp_hdr) &&
		(uint32_t)m->l2_len + m->l3_len + m->l4_len <= m->pkt_len;
}

/* Look for all of them. */
static bool
parse(struct rte_mbuf *m)
{
	struct rte_net_hdr_lens lens = {0};

	m->packet_type = rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK);
	m->l2_len = lens.l2_len;
	m->l3_len = lens.l3_len;
	return (is_tcp(m) && set_tcp_len(m)) || is_udp(m);
}

/*
 * Set the lengths of headers. The type of a packet, which drivers tell, says them, but for those of
 * TCP and of odd headers. Lengths that are in the mbuf already may be those of an earlier packet:
 * they belong to Tx, and only some drivers set them.
 */
static bool
find_headers(struct rte_mbuf *m)
{
	switch (m->packet_type & RTE_PTYPE_L2_MASK) {
	case RTE_PTYPE_L2_ETHER: m->l2_len = RTE_ETHER_HDR_LEN; break;
	case RTE_PTYPE_L2_ETHER_VLAN: m->l2_len = RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN; break;
	case RTE_PTYPE_L2_ETHER_QINQ: m->l2_len = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN; break;
	default: return parse(m);
	}
	switch (m->packet_type & RTE_PTYPE_L3_MASK) {
	case RTE_PTYPE_L3_IPV4: m->l3_len = sizeof(struct rte_ipv4_hdr); break;
	case RTE_PTYPE_L3_IPV6: m->l3_len = sizeof(struct rte_ipv6_hdr); break;
	default: return parse(m);
	}
	if (is_udp(m))
		return true;
	return is_tcp(m) ? set_tcp_len(m) : parse(m);
}

/*
 * Flags
 */

enum forward_need
forward_map(const struct forward *f, struct rte_mbuf *m)
{
	bool merged = (m->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
	bool unsummed = (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
	enum forward_need ready = FORWARD_READY;

	if (m->nb_segs > 1 && (f->tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0)
		ready = FORWARD_COPY;
	if (!merged && !unsummed)
		return ready;
	if (!find_headers(m) || (merged && (!is_tcp(m) || m->tso_segsz == 0)))
		return FORWARD_DROP;
	m->ol_flags |= is_ipv4(m) ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	if (merged) {
		if ((f->tx & RTE_ETH_TX_OFFLOAD_TCP_TSO) == 0)
			return FORWARD_SEGMENT;
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		/* Ports of the kernel do not know it: the header is right, and its copies are. */
		if (is_ipv4(m) && (f->tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0)
			m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	} else if (is_tcp(m) && (f->tx & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	} else if (is_udp(m) && (f->tx & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0) {
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
	} else {
		return FORWARD_CSUM;
	}
	return ready;
}

/*
 * What the other port does not do
 */

/* The sum of the pseudo-header: of the protocol behind extension headers, if there are such. */
static uint32_t
pseudo_sum(const struct rte_mbuf *m, uint16_t len)
{
	struct rte_ipv6_hdr ip6;

	if (is_ipv4(m))
		return rte_ipv4_phdr_cksum(rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *,
				m->l2_len), 0);
	memcpy(&ip6, rte_pktmbuf_mtod_offset(m, const void *, m->l2_len), sizeof(ip6));
	ip6.proto = is_tcp(m) ? IPPROTO_TCP : IPPROTO_UDP;
	ip6.payload_len = rte_cpu_to_be_16(len);
	return rte_ipv6_phdr_cksum(&ip6, 0);
}

/* Bytes from the TCP or UDP header on, by the IP header: a short frame may be padded. */
static uint16_t
l4_bytes(const struct rte_mbuf *m)
{
	const void *ip = rte_pktmbuf_mtod_offset(m, const void *, m->l2_len);
	const struct rte_ipv4_hdr *ip4 = ip;
	const struct rte_ipv6_hdr *ip6 = ip;

	if (is_ipv4(m))
		return rte_be_to_cpu_16(ip4->total_length) - m->l3_len;
	return rte_be_to_cpu_16(ip6->payload_len) + sizeof(*ip6) - m->l3_len;
}

/*
 * The sum of len bytes from there on. rte_raw_cksum_mbuf() loses carries where a segment of odd
 * length precedes.
 */
static uint32_t
raw_sum(const struct rte_mbuf *m, uint32_t at, uint32_t len)
{
	uint32_t sum = 0, done = 0, n;
	uint16_t part;

	for (; m != NULL && done < len; m = m->next) {
		if (at >= m->data_len) {
			at -= m->data_len;
			continue;
		}
		n = RTE_MIN(len - done, m->data_len - at);
		part = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const void *, at), n);
		sum += done % 2 == 0 ? part : rte_bswap16(part);
		done += n;
		at = 0;
	}
	return sum;
}

bool
forward_checksum(struct rte_mbuf *m)
{
	uint32_t l4 = m->l2_len + m->l3_len, sum;
	uint32_t field = l4 + (is_tcp(m) ? offsetof(struct rte_tcp_hdr, cksum) :
		offsetof(struct rte_udp_hdr, dgram_cksum));
	uint16_t value = 0;

	if (field + sizeof(value) > m->data_len)
		return false;
	memcpy(rte_pktmbuf_mtod_offset(m, void *, field), &value, sizeof(value));
	if (l4 + l4_bytes(m) > m->pkt_len)
		return false;
	sum = raw_sum(m, l4, l4_bytes(m)) + pseudo_sum(m, l4_bytes(m));
	sum = (sum & 0xffff) + (sum >> 16);
	value = ~((sum & 0xffff) + (sum >> 16));
	if (value == 0 && is_udp(m))
		value = 0xffff; /* 0 says that there is none: RFC 768 */
	memcpy(rte_pktmbuf_mtod_offset(m, void *, field), &value, sizeof(value));
	return true;
}

/* What differs between the headers of a packet and those of a segment that begins there. */
static void
edit_headers(struct rte_mbuf *m, uint32_t at, unsigned int number, bool last)
{
	void *ip = rte_pktmbuf_mtod_offset(m, void *, m->l2_len);
	struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *,
		m->l2_len + m->l3_len);
	struct rte_ipv4_hdr *ip4 = ip;
	struct rte_ipv6_hdr *ip6 = ip;

	if (is_ipv4(m)) {
		ip4->total_length = rte_cpu_to_be_16(m->pkt_len - m->l2_len);
		ip4->packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ip4->packet_id) + number);
		ip4->hdr_checksum = 0;
		ip4->hdr_checksum = ~rte_raw_cksum(ip4, m->l3_len);
	} else {
		ip6->payload_len = rte_cpu_to_be_16(m->pkt_len - m->l2_len - sizeof(*ip6));
	}
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + at);
	/* The last segment pushes and ends; the first tells of congestion: RFC 3168. */
	if (!last)
		tcp->tcp_flags &= ~(RTE_TCP_PSH_FLAG | RTE_TCP_FIN_FLAG);
	if (at > 0)
		tcp->tcp_flags &= ~RTE_TCP_CWR_FLAG;
}

/*
 * A copy, which with the checksum is read anyway. librte_gso cuts without copying, but not IPv6,
 * and into chains.
 */
struct rte_mbuf *
forward_segment(const struct rte_mbuf *m, uint32_t at, struct rte_mempool *pool)
{
	uint32_t headers = m->l2_len + m->l3_len + m->l4_len;
	uint32_t left = m->pkt_len - headers - at, len = RTE_MIN(left, (uint32_t)m->tso_segsz);
	struct rte_mbuf *s = headers > m->data_len ? NULL : rte_pktmbuf_alloc(pool);
	const void *payload;
	char *data;

	data = s != NULL ? rte_pktmbuf_append(s, headers + len) : NULL;
	if (data == NULL || m->tso_segsz == 0) {
		rte_pktmbuf_free(s);
		return NULL;
	}
	memcpy(data, rte_pktmbuf_mtod(m, const void *), headers);
	payload = rte_pktmbuf_read(m, headers + at, len, data + headers);
	if (payload != data + headers)
		memcpy(data + headers, payload, len);
	s->packet_type = m->packet_type;
	s->ol_flags = m->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
	s->tx_offload = m->tx_offload;
	s->tso_segsz = 0;
	edit_headers(s, at, at / m->tso_segsz, len == left);
	return s;
}

/*
 * Bursts
 */

static void
drop(struct forward *f, struct rte_mbuf **pkts, unsigned int n)
{
	rte_pktmbuf_free_bulk(pkts, n);
	f->stats.dropped += n;
}

/* By rte_eth_tx_prepare() drivers say what they do not take, and put right what differs. */
static void
send_burst(struct forward *f, struct rte_mbuf **pkts, unsigned int n)
{
	unsigned int ok, sent;

	while (n > 0) {
		ok = f->asks ? rte_eth_tx_prepare(f->out, 0, pkts, n) : n;
		sent = rte_eth_tx_burst(f->out, 0, pkts, ok);
		f->stats.sent += sent;
		if (sent < ok) {
			drop(f, &pkts[sent], n - sent);
			return;
		}
		if (ok < n)
			drop(f, &pkts[ok++], 1);
		pkts += ok;
		n -= ok;
	}
}

static void
flush(struct forward *f)
{
	send_burst(f, f->batch, f->nb_batch);
	f->nb_batch = 0;
}

static void
add(struct forward *f, struct rte_mbuf *m)
{
	f->batch[f->nb_batch++] = m;
	if (f->nb_batch == RTE_DIM(f->batch))
		flush(f);
}

/* The checksum of a packet, by the port if it can. */
static bool
settle_checksum(const struct forward *f, struct rte_mbuf *m)
{
	if (is_tcp(m) && (f->tx & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
		return true;
	}
	return forward_checksum(m);
}

/* All segments, or those that there are mbufs for: TCP sends the others again. */
static void
add_segments(struct forward *f, struct rte_mbuf *m)
{
	uint32_t payload = m->pkt_len - m->l2_len - m->l3_len - m->l4_len, at;
	uint64_t made = 0;

	for (at = 0; at < payload || at == 0; at += m->tso_segsz) {
		struct rte_mbuf *s = forward_segment(m, at, f->pool);

		made++;
		if (s != NULL && settle_checksum(f, s)) {
			add(f, s);
		} else {
			rte_pktmbuf_free(s);
			f->stats.dropped++;
		}
	}
	f->stats.made += made - 1;
	rte_pktmbuf_free(m);
}

static void
add_copy(struct forward *f, struct rte_mbuf *m)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, f->pool, 0, UINT32_MAX);

	if (copy != NULL && copy->nb_segs == 1) {
		add(f, copy);
	} else {
		rte_pktmbuf_free(copy);
		f->stats.dropped++;
	}
	rte_pktmbuf_free(m);
}

static void
add_finished(struct forward *f, struct rte_mbuf *m, enum forward_need need)
{
	f->stats.software++;
	if (need == FORWARD_SEGMENT) {
		add_segments(f, m);
		return;
	}
	if (need == FORWARD_DROP || (need == FORWARD_CSUM && !forward_checksum(m)))
		drop(f, &m, 1);
	else if (m->nb_segs > 1 && (f->tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0)
		add_copy(f, m);
	else
		add(f, m);
}

static void
count(struct forward_stats *stats, const struct rte_mbuf *m)
{
	stats->merged += (m->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
	stats->unsummed += (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) ==
		RTE_MBUF_F_RX_L4_CKSUM_NONE;
}

unsigned int
forward_burst(struct forward *f, unsigned int n)
{
	struct rte_mbuf *pkts[BURST_MAX];
	enum forward_need need;
	unsigned int i;

	n = rte_eth_rx_burst(f->in, 0, pkts, RTE_MIN(n, (unsigned int)BURST_MAX));
	f->stats.received += n;
	if (!f->asks && f->pool == NULL) {
		send_burst(f, pkts, n);
		return n;
	}
	for (i = 0; i < n; i++) {
		count(&f->stats, pkts[i]);
		need = forward_map(f, pkts[i]);
		if (need == FORWARD_READY)
			add(f, pkts[i]);
		else
			add_finished(f, pkts[i], need);
	}
	flush(f);
	return n;
}

/*
 * Connecting
 */

int
forward_open(struct forward *f, uint16_t in, uint16_t out)
{
	struct rte_eth_conf from, to;
	char name[RTE_MEMPOOL_NAMESIZE];
	bool cuts, copies;
	uint16_t mtu = 0;
	int ret;

	memset(f, 0, sizeof(*f));
	ret = rte_eth_dev_conf_get(in, &from);
	if (ret == 0)
		ret = rte_eth_dev_conf_get(out, &to);
	if (ret == 0)
		ret = rte_eth_dev_get_mtu(out, &mtu);
	if (ret != 0)
		return ret;
	f->in = in;
	f->out = out;
	f->tx = to.txmode.offloads;
	f->asks = (from.rxmode.offloads & RX_UNDONE) != 0;
	cuts = (from.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0 &&
		(f->tx & RTE_ETH_TX_OFFLOAD_TCP_TSO) == 0;
	copies = (from.rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0 &&
		(f->tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0;
	if (!cuts && !copies)
		return 0;
	snprintf(name, sizeof(name), "forward%u_%u", in, out);
	f->pool = rte_pktmbuf_pool_create(name, NB_MADE, 0, 0,
		RTE_PKTMBUF_HEADROOM + RTE_MAX(RTE_MBUF_DEFAULT_DATAROOM,
			mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN), SOCKET_ID_ANY);
	return f->pool != NULL ? 0 : -rte_errno;
}

void
forward_close(struct forward *f)
{
	rte_mempool_free(f->pool);
	f->pool = NULL;
}
