/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Transmit: application to kernel.
 *
 * A burst describes each packet as a write of a virtio-net header and the packet's segments,
 * writes all in one batch, and frees the mbufs: a TAP takes a packet while it is written, so
 * every result is known when the batch returns and nothing stays queued.
 *
 * The header goes into the headroom if the first mbuf is ours alone and has room for it. If not
 * (shared, indirect, external, no headroom) it is written from a place in the queue, a piece of
 * memory more in the same write, and the mbuf is only read. The same place takes a copy of the
 * packet's headers when a checksum has to be filled in and the mbuf is not ours to change, or VLAN
 * tags are to be inserted. So no packet needs memory that might not be there.
 *
 * A packet that the kernel will not take now (-EAGAIN, its socket buffer is full) stays with the
 * caller. One that it will never take is counted and freed, as by any other device.
 */

#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "rtap.h"
#include "rtap_vnet_edit.h"
#include "rtap_vnet_tx.h"

/*
 * Checks
 */

/* A TAP takes frames beyond its MTU, and the kernel drops them somewhere later. */
static bool
is_oversize(const struct rte_mbuf *m, uint16_t mtu)
{
	uint32_t max = (uint32_t)mtu + RTE_ETHER_HDR_LEN;

	if (likely(m->pkt_len <= max))
		return false;
	return m->pkt_len > (rtap_vnet_tx_is_gso(m) ? RTAP_FRAME_MAX :
		max + rtap_vnet_nb_tags(m) * RTE_VLAN_HLEN);
}

/* May the first segment of this packet be written to? */
static bool
is_ours(const struct rte_mbuf *m)
{
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
}

/*
 * Building a batch
 */

/* Describe the packet from byte off on. Returns the number of iovecs used. */
static uint32_t
put_segments(struct iovec *iov, struct rte_mbuf *m, uint32_t off)
{
	uint32_t n = 0;

	for (; m != NULL; m = m->next) {
		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		iov[n].iov_base = rte_pktmbuf_mtod_offset(m, void *, off);
		iov[n].iov_len = m->data_len - off;
		off = 0;
		n++;
	}
	return n;
}

/* Header in the queue's memory, followed by a copy of the bytes that must be edited. */
static uint32_t
put_copied(struct iovec *iov, struct rte_mbuf *m, struct rtap_tx_hdr *hdr, uint32_t edit)
{
	uint32_t tags = rtap_vnet_tags_len(m);

	if (edit != 0) {
		uint8_t *copy = hdr->headers + tags;
		const void *data = rte_pktmbuf_read(m, 0, edit, copy);

		if (data != copy)
			memcpy(copy, data, edit);
		rtap_vnet_edit(m, &hdr->vnet, copy, edit);
	}
	if (tags != 0)
		rtap_vnet_insert_tags(m, hdr->headers);
	iov[0].iov_base = hdr;
	iov[0].iov_len = offsetof(struct rtap_tx_hdr, headers) + tags + edit;
	return 1 + put_segments(&iov[1], m, edit);
}

/* Header in the headroom. */
static uint32_t
put_in_place(struct iovec *iov, struct rte_mbuf *m, const struct rtap_tx_hdr *hdr, uint32_t edit)
{
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

	if (edit != 0)
		rtap_vnet_edit(m, &hdr->vnet, data, edit);
	memcpy(data - sizeof(hdr->vnet), &hdr->vnet, sizeof(hdr->vnet));
	iov[0].iov_base = data - sizeof(hdr->vnet);
	iov[0].iov_len = m->data_len + sizeof(hdr->vnet);
	return m->next == NULL ? 1 : 1 + put_segments(&iov[1], m->next, 0);
}

/* Is the packet's own memory the place for its header, and for what is to be edited? */
static bool
fits_in_place(const struct rte_mbuf *m, uint32_t edit)
{
	return is_ours(m) && rte_pktmbuf_headroom(m) >= RTAP_VNET_HDR_LEN && edit <= m->data_len &&
		(m->ol_flags & RTAP_TX_TAGS) == 0;
}

uint32_t
rtap_txq_put(struct rtap_txq *txq, struct rtap_req *req, struct rtap_tx_hdr *hdr,
		struct iovec *iov, struct rte_mbuf *m)
{
	uint32_t edit = 0;

	req->iov = iov;
	req->iovcnt = 0;
	req->res = rtap_vnet_tx(m, &hdr->vnet, txq->tun);
	if (unlikely(req->res != 0)) {
		txq->stats.bad_offload++;
		return 0;
	}
	if (unlikely(m->nb_segs > RTAP_TX_SEGS_MAX)) {
		txq->stats.too_many_segs++;
		req->res = -EINVAL;
		return 0;
	}
	if (unlikely(is_oversize(m, txq->data->mtu))) {
		txq->stats.oversize++;
		req->res = -EINVAL;
		return 0;
	}
	if ((m->ol_flags & RTAP_TX_EDIT) != 0)
		edit = rtap_vnet_edit_len(m, &hdr->vnet);
	req->iovcnt = likely(fits_in_place(m, edit)) ? put_in_place(iov, m, hdr, edit) :
		put_copied(iov, m, hdr, edit);
	return req->iovcnt;
}

/* Describe packets while there is memory to do so; at least one fits. Returns how many. */
static unsigned int
txq_build(struct rtap_txq *txq, struct rte_mbuf **pkts, unsigned int n)
{
	unsigned int i, used = 0;

	n = RTE_MIN(n, txq->nb_slots);
	for (i = 0; i < n; i++) {
		uint32_t need = RTE_MIN(pkts[i]->nb_segs, RTAP_TX_SEGS_MAX) + 1;

		if (used + need > RTAP_TX_IOVS)
			break;
		used += rtap_txq_put(txq, &txq->reqs[i], &txq->hdrs[i], &txq->iovs[used],
			pkts[i]);
	}
	return i;
}

/*
 * Results
 */

/* Count a packet that did not go, unless it is still to be sent: returns whether it is. */
static bool
txq_failed(struct rtap_txq *txq, const struct rtap_req *req, unsigned int file)
{
	if (req->iovcnt == 0)
		return false; /* counted when it was left out */
	switch (req->res) {
	case -EAGAIN:
		return true;
	case -EBADFD:
	case -EBUSY: /* the same with NAPI */
		/* The file was detached under us, and we were given another. */
		if (file != rte_atomic_load_explicit(&txq->file, rte_memory_order_acquire))
			return true;
		/* fallthrough */
	case -EIO:
		txq->stats.link_down++;
		return false;
	default:
		txq->stats.write_errors++;
		return false;
	}
}

static bool
req_sent(const struct rtap_req *req)
{
	return likely(req->iovcnt != 0 && req->res >= 0);
}

bool
rtap_txq_count(struct rtap_txq *txq, const struct rtap_req *req, const struct rte_mbuf *m,
		unsigned int file)
{
	struct rtap_tx_stats *stats = &txq->stats;
	bool gso;

	if (unlikely(!req_sent(req)))
		return txq_failed(txq, req, file);
	stats->packets++;
	stats->bytes += req->res - RTAP_VNET_HDR_LEN;
	rtap_frame_count(&stats->frames, m);
	if (likely(!rtap_vnet_tx_needs_offload(m)))
		return false;
	gso = rtap_vnet_tx_is_gso(m);
	stats->tso += gso;
	stats->csum += !gso && (m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTAP_TX_SEG)) != 0;
	stats->ip_csum += (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0;
	return false;
}

/*
 * Count and free what the kernel took or will never take. What it refused is moved to the end
 * of pkts, in order: when the kernel finds room again in the middle of a batch, a later packet
 * may have gone before it. Returns the number of packets refused.
 */
static unsigned int
txq_finish(struct rtap_txq *txq, struct rte_mbuf **pkts, unsigned int n, unsigned int file)
{
	struct rte_mbuf *refused[RTAP_BURST_MAX];
	unsigned int i, nb_done = 0, nb_refused = 0;

	for (i = 0; i < n; i++) {
		if (unlikely(rtap_txq_count(txq, &txq->reqs[i], pkts[i], file))) {
			refused[nb_refused++] = pkts[i];
			continue;
		}
		if (unlikely(nb_done != i))
			pkts[nb_done] = pkts[i];
		nb_done++;
	}
	rte_pktmbuf_free_bulk(pkts, nb_done);
	if (unlikely(nb_refused != 0))
		memcpy(&pkts[nb_done], refused, nb_refused * sizeof(*pkts));
	return nb_refused;
}

uint16_t
rtap_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct rtap_txq *txq = queue;
	unsigned int n, file, refused = 0;
	uint16_t done = 0;

	while (done < nb_pkts && refused == 0) {
		file = rte_atomic_load_explicit(&txq->file, rte_memory_order_acquire);
		n = txq_build(txq, &pkts[done], nb_pkts - done);
		rtap_ring_writev(&txq->ring, file, txq->reqs, n);
		refused = txq_finish(txq, &pkts[done], n, file);
		done += n - refused;
	}
	txq->stats.backpressure += nb_pkts - done;
	return done;
}

/* The headers are written to, as rte_eth_tx_prepare() allows. */
uint16_t
rtap_tx_prepare(void *queue, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	const struct rtap_txq *txq = queue;
	uint16_t i;
	int ret;

	for (i = 0; i < nb_pkts; i++) {
		if (pkts[i]->nb_segs > RTAP_TX_SEGS_MAX || is_oversize(pkts[i], txq->data->mtu))
			ret = -EINVAL;
		else
			ret = rtap_vnet_tx_prepare(pkts[i], txq->tun);
		if (ret != 0) {
			rte_errno = -ret;
			break;
		}
	}
	return i;
}

/* A packet is sent when the burst that sends it returns: nothing is in use, nothing is kept. */
int
rtap_tx_descriptor_status(void *queue, uint16_t offset)
{
	const struct rtap_txq *txq = queue;

	return offset < txq->nb_desc ? RTE_ETH_TX_DESC_DONE : -EINVAL;
}

