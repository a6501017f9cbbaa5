/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_tx.c: what becomes of packets, one by one and in bursts: sent, dropped, or refused. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_mempool.h>

#include "unit_tx.h"

#define IPV4 RTE_MBUF_F_TX_IPV4
#define TCP_CKSUM RTE_MBUF_F_TX_TCP_CKSUM
#define TCP_SEG RTE_MBUF_F_TX_TCP_SEG

/*
 * Offloads
 */

static void
test_tso(void)
{
	struct virtio_net_hdr_v1 hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
		.hdr_len = rte_cpu_to_le_16(54),
		.gso_size = rte_cpu_to_le_16(1460),
		.csum_start = rte_cpu_to_le_16(34),
		.csum_offset = rte_cpu_to_le_16(16),
	};
	unsigned int i;

	build(&(struct unit_frame_spec){ .ip = 4, .proto = IPPROTO_TCP, .payload = 60000,
		.tcp_flags = 0x80 });
	unit_put16(&frame.data[24], 0);
	for (i = 0; i < 4; i++) {
		struct rte_mbuf *m = (i & 1) != 0 ? chain(1000, 1999) :
			unit_mbuf(large, frame.data, frame.len, frame.len, 0);

		ask_ip_csum(m);
		m->ol_flags |= TCP_SEG;
		m->l4_len = 20;
		m->tso_segsz = 1460;
		if ((i & 2) != 0)
			share(m, 1);
		UNIT_ASSERT_AT(arrives(m, &hdr), i);
		if ((i & 2) != 0)
			rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(txq->stats.tso, 4);
	CU_ASSERT_EQUAL(txq->stats.packets, 4);
	CU_ASSERT_EQUAL(txq->stats.bytes, 4 * 60054);
}

/* What cannot be sent is counted by cause and freed; what is around it goes, in order. */
static void
test_bad_among_good(void)
{
	struct rte_mbuf *pkts[12];
	unsigned int i;

	for (i = 0; i < 12; i++) {
		build_len(100 + i);
		pkts[i] = chain(frame.len, 0);
	}
	pkts[0]->ol_flags = RTE_MBUF_F_TX_MACSEC;
	pkts[2]->ol_flags = IPV4 | TCP_CKSUM; /* without lengths */
	pkts[3]->ol_flags = IPV4 | RTE_MBUF_F_TX_SCTP_CKSUM;
	rte_pktmbuf_append(pkts[5], 1500);
	rte_pktmbuf_free(pkts[8]);
	build_len(1500);
	pkts[8] = chain(1, 1);
	rte_pktmbuf_append(pkts[11], 1500);
	CU_ASSERT_EQUAL(rtap_tx_burst(txq, pkts, 12), 12);
	for (i = 0; i < 12; i++) {
		if (i == 0 || i == 2 || i == 3 || i == 5 || i == 8 || i == 11)
			continue;
		build_len(100 + i);
		UNIT_ASSERT_AT(unit_frame_receive(&no_hdr, frame.data, frame.len), i);
	}
	CU_ASSERT_EQUAL(recv(unit_peer, &i, 1, 0), -1);
	CU_ASSERT_EQUAL(txq->stats.bad_offload, 3);
	CU_ASSERT_EQUAL(txq->stats.oversize, 2);
	CU_ASSERT_EQUAL(txq->stats.too_many_segs, 1);
	CU_ASSERT_EQUAL(txq->stats.packets, 6);
	CU_ASSERT_EQUAL(txq->stats.write_errors + txq->stats.backpressure, 0);
}

/* A TAP takes frames beyond its MTU, which the kernel drops later. VLAN tags are not counted. */
static void
test_oversize(void)
{
	static const struct {
		uint16_t tpid[2];
		uint32_t max;
	} cases[] = {
		{ { 0 }, 1514 },
		{ { 0x8100 }, 1518 },
		{ { 0x88a8 }, 1518 },
		{ { 0x88a8, 0x8100 }, 1522 },
		{ { 0x8100, 0x8100 }, 1522 },
	};
	unsigned int i, split;

	for (i = 0; i < RTE_DIM(cases); i++) {
		for (split = 0; split < 2; split++) {
			struct unit_frame_spec spec = {
				.tpid = { cases[i].tpid[0], cases[i].tpid[1] },
				.payload = 1500,
			};

			build(&spec);
			CU_ASSERT_EQUAL(frame.len, cases[i].max);
			UNIT_ASSERT_AT(arrives(chain(split != 0 ? 13 : 1700, 1700), &no_hdr), i);
			spec.payload++;
			build(&spec);
			UNIT_ASSERT_AT(is_dropped(chain(split != 0 ? 13 : 1700, 1700)), i);
		}
	}
	CU_ASSERT_EQUAL(txq->stats.oversize, 2 * RTE_DIM(cases));

	/* From one burst to the next. */
	build_len(1515);
	unit_dev.data->mtu = 1501;
	CU_ASSERT(arrives(chain(1515, 0), &no_hdr));
	unit_dev.data->mtu = 1500;
	CU_ASSERT(is_dropped(chain(1515, 0)));
}

/* For TSO the limit is that of IP. */
static void
test_oversize_tso(void)
{
	unsigned int extra;

	for (extra = 0; extra < 2; extra++) {
		uint32_t len = RTAP_FRAME_MAX + extra, head;
		struct rte_mbuf *m;

		build(&(struct unit_frame_spec){ .ip = 4, .proto = IPPROTO_TCP,
			.payload = len - 54 });
		m = chain(2000, 2000);
		ask_ip_csum(m);
		m->ol_flags |= TCP_SEG;
		m->l4_len = 20;
		m->tso_segsz = 1000;
		CU_ASSERT_EQUAL(rtap_tx_burst(txq, &m, 1), 1);
		CU_ASSERT_EQUAL(recv(unit_peer, &head, sizeof(head), MSG_TRUNC),
			extra == 0 ? (ssize_t)(len + RTAP_VNET_HDR_LEN) : -1);
	}
	CU_ASSERT_EQUAL(txq->stats.oversize, 1);
}

/* A packet that is one segment is not segmented, so it is a frame like any other. */
static void
test_one_segment(void)
{
	static const struct {
		uint32_t payload;
		uint16_t segsz;
		bool sent, tso;
	} cases[] = {
		{ 100, 1460, true, false },
		{ 1460, 1460, true, false },
		{ 1461, 1461, false, false },
		{ 1461, 1460, true, true },
		{ 5000, 8000, false, false },
		{ 5000, 5000, false, false },
		{ 5000, 4999, true, true },
	};
	uint64_t tso = 0, csum = 0, oversize = 0;
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		struct rte_mbuf *m;
		uint32_t head;
		ssize_t ret;

		build(&(struct unit_frame_spec){ .ip = 4, .proto = IPPROTO_TCP,
			.payload = cases[i].payload });
		m = chain(2000, 2000);
		ask_ip_csum(m);
		m->ol_flags |= TCP_SEG;
		m->l4_len = 20;
		m->tso_segsz = cases[i].segsz;
		UNIT_ASSERT_AT(rtap_tx_prepare(txq, &m, 1) == cases[i].sent, i);
		CU_ASSERT_EQUAL(rtap_tx_burst(txq, &m, 1), 1);
		ret = recv(unit_peer, &head, sizeof(head), MSG_TRUNC);
		UNIT_ASSERT_AT(ret == (cases[i].sent ? (ssize_t)(frame.len + RTAP_VNET_HDR_LEN) :
			-1), i);
		tso += cases[i].tso;
		csum += cases[i].sent && !cases[i].tso;
		oversize += !cases[i].sent;
		UNIT_ASSERT_AT(txq->stats.tso == tso, i);
		UNIT_ASSERT_AT(txq->stats.csum == csum, i);
		UNIT_ASSERT_AT(txq->stats.oversize == oversize, i);
	}
}

/*
 * Bursts
 */

static void
test_bursts(void)
{
	static const uint16_t sizes[] = { 0, 1, 2, 63, 64, 65, 127, 128, 129, 200 };
	struct rte_mbuf *pkts[200];
	unsigned int i, j;

	for (i = 0; i < RTE_DIM(sizes); i++) {
		uint64_t enters = txq->ring.stats.enters;

		for (j = 0; j < sizes[i]; j++) {
			build_len(60 + j);
			pkts[j] = chain(60 + j, 0);
		}
		UNIT_ASSERT_AT(rtap_tx_burst(txq, pkts, sizes[i]) == sizes[i], i);
		UNIT_ASSERT_AT(txq->ring.stats.enters - enters ==
			(unit_mode->uring ? (sizes[i] + 63U) / 64 : sizes[i]), i);
		for (j = 0; j < sizes[i]; j++) {
			build_len(60 + j);
			UNIT_ASSERT_AT(unit_frame_receive(&no_hdr, frame.data, frame.len), j);
		}
	}
	CU_ASSERT_EQUAL(recv(unit_peer, &i, 1, 0), -1);
}

static void
test_few_descriptors(void)
{
	struct rte_mbuf *pkts[64];
	unsigned int i;

	unit_queues_close();
	txq = unit_txq_open(5);
	CU_ASSERT_PTR_NOT_NULL_FATAL(txq);
	for (i = 0; i < 64; i++) {
		build_len(60 + i);
		pkts[i] = chain(60 + i, 0);
	}
	CU_ASSERT_EQUAL(rtap_tx_burst(txq, pkts, 64), 64);
	for (i = 0; i < 64; i++) {
		build_len(60 + i);
		UNIT_ASSERT_AT(unit_frame_receive(&no_hdr, frame.data, frame.len), i);
	}
	if (unit_mode->uring)
		CU_ASSERT_EQUAL(txq->ring.stats.enters, 13);
}

/*
 * Back-pressure: exactly what was taken is reported and freed, the rest is the caller's, in
 * order, to be sent again.
 */

#define NB_PRESSED 300

static void
small_buffer(void)
{
	static const int size = 1;

	CU_ASSERT_EQUAL(setsockopt(unit_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

/* Read all that there is; arrived[seq] counts. Returns how many came. */
static unsigned int
collect(uint8_t *arrived, bool *in_order)
{
	static uint8_t buf[2048];
	static int last;
	unsigned int n = 0;

	if (arrived == NULL)
		last = -1;
	for (; arrived != NULL && recv(unit_peer, buf, sizeof(buf), 0) > 0; n++) {
		int seq = unit_get16(&buf[RTAP_VNET_HDR_LEN + 14]);

		*in_order = *in_order && seq > last;
		last = seq;
		arrived[seq]++;
	}
	return n;
}

static void
press(bool mixed_sizes)
{
	static struct rte_mbuf *all[NB_PRESSED], *pkts[NB_PRESSED];
	static uint8_t arrived[NB_PRESSED];
	unsigned int i, done = 0, turn, nb_refused = 0, nb_left = 0;
	bool in_order = true;

	small_buffer();
	memset(arrived, 0, sizeof(arrived));
	collect(NULL, NULL);
	for (i = 0; i < NB_PRESSED; i++) {
		build_len(mixed_sizes && i % 3 == 0 ? 1500 : 100);
		unit_put16(&frame.data[14], i);
		all[i] = pkts[i] = chain(frame.len, 0);
	}
	for (turn = 0; done < NB_PRESSED; turn++) {
		unsigned int left = NB_PRESSED - done, taken;

		taken = rtap_tx_burst(txq, &pkts[done], left);
		UNIT_ASSERT_AT(taken > 0 && taken <= left, turn);
		done += taken;
		nb_refused += taken < left;
		nb_left += left - taken;
		UNIT_ASSERT_AT(rte_mempool_in_use_count(usual) == NB_PRESSED - done, turn);
		UNIT_ASSERT_AT(collect(arrived, &in_order) == taken, turn);
		/* The caller's are those that have not arrived, and in the order that he had. */
		for (i = 0, left = done; i < NB_PRESSED; i++)
			if (arrived[i] == 0)
				UNIT_ASSERT_AT(pkts[left++] == all[i], i);
		UNIT_ASSERT_AT(left == NB_PRESSED, turn);
	}
	for (i = 0; i < NB_PRESSED; i++)
		UNIT_ASSERT_AT(arrived[i] == 1, i);
	CU_ASSERT(nb_refused > 5);
	CU_ASSERT(mixed_sizes || in_order);
	CU_ASSERT_EQUAL(txq->stats.packets, NB_PRESSED);
	CU_ASSERT_EQUAL(txq->stats.backpressure, nb_left);
	CU_ASSERT_EQUAL(txq->stats.write_errors, 0);
}

static void
test_back_pressure(void)
{
	press(false);
}

static void
test_back_pressure_mixed(void)
{
	press(true);
}

/* A packet that was refused has its checksum already, and can be sent all the same. */
static void
test_refused_again(void)
{
	struct rte_mbuf *pkts[64];
	unsigned int i, n, done = 0;

	small_buffer();
	build_ip_csum(0, 0);
	for (i = 0; i < 64; i++) {
		pkts[i] = chain(frame.len, 0);
		ask_ip_csum(pkts[i]);
	}
	while (done < 64) {
		n = rtap_tx_burst(txq, &pkts[done], 64 - done);
		CU_ASSERT_FATAL(n > 0);
		for (i = 0; i < n; i++)
			UNIT_ASSERT_AT(unit_frame_receive(&no_hdr, sent.data, sent.len), done + i);
		done += n;
	}
}

/* Behind one that is refused, what can never be sent is dropped; the others close up. */
static void
test_bad_among_refused(void)
{
	struct rte_mbuf *pkts[64], *good[64];
	unsigned int i, n, bad = 0;

	small_buffer();
	build_len(1000);
	for (n = 1; n != 0;) {
		pkts[0] = chain(1000, 0);
		n = rtap_tx_burst(txq, pkts, 1);
	}
	rte_pktmbuf_free(pkts[0]);
	for (i = 0; i < 64; i++) {
		pkts[i] = chain(1000, 0);
		if (i % 3 == 1)
			pkts[i]->ol_flags = RTE_MBUF_F_TX_MACSEC;
		else
			good[i - bad] = pkts[i];
		bad += i % 3 == 1;
	}
	CU_ASSERT_EQUAL_FATAL(rtap_tx_burst(txq, pkts, 64), bad);
	CU_ASSERT_EQUAL(txq->stats.bad_offload, bad);
	CU_ASSERT_EQUAL(memcmp(&pkts[bad], good, (64 - bad) * sizeof(*pkts)), 0);
	rte_pktmbuf_free_bulk(&pkts[bad], 64 - bad);
}

/* A queue that is stopped takes nothing. */
static void
test_stopped(void)
{
	struct rte_mbuf *m;

	build_len(100);
	m = chain(100, 0);
	CU_ASSERT_EQUAL(rtap_tx_queue_stop(&unit_dev, 0), 0);
	CU_ASSERT_EQUAL(rtap_tx_burst(txq, &m, 1), 0);
	CU_ASSERT_EQUAL(rtap_tx_queue_start(&unit_dev, 0), 0);
	CU_ASSERT(arrives(m, &no_hdr));
}

/*
 * Errors: counted, and the packet is consumed
 */

static void
test_write_error(void)
{
	struct rte_mbuf *pkts[10];
	unsigned int i;

	build_len(100);
	for (i = 0; i < 10; i++)
		pkts[i] = chain(100, 0);
	shutdown(unit_peer, SHUT_RD);
	CU_ASSERT_EQUAL(rtap_tx_burst(txq, pkts, 10), 10);
	CU_ASSERT_EQUAL(txq->stats.write_errors, 10);
	CU_ASSERT_EQUAL(txq->stats.packets, 0);
}

static void (*on_writev)(void);

/* Stands before the C library's, so that something can happen during a write. */
ssize_t
writev(int fd, const struct iovec *iov, int iovcnt)
{
	if (on_writev != NULL)
		on_writev();
	return syscall(SYS_writev, fd, iov, iovcnt);
}

static void
move_to_file_1(void)
{
	rte_atomic_store_explicit(&txq->file, 1, rte_memory_order_release);
}

/*
 * The file is attached to no interface: the packet is lost, unless the queue has been pointed to
 * another file meanwhile.
 */
static void
test_detached(void)
{
	int fds[2] = { unit_open_tun(), unit_fd };
	struct rte_mbuf *pkts[3];
	unsigned int i;

	if (fds[0] < 0)
		return;
	rtap_ring_close(&txq->ring);
	CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&txq->ring, &unit_caps, fds, 2), 0);
	build_len(100);
	CU_ASSERT(is_dropped(chain(100, 0)));
	CU_ASSERT_EQUAL(txq->stats.link_down, 1);

	if (!unit_mode->uring) {
		for (i = 0; i < 3; i++)
			pkts[i] = chain(100, 0);
		on_writev = move_to_file_1;
		CU_ASSERT_EQUAL(rtap_tx_burst(txq, pkts, 3), 0);
		on_writev = NULL;
		CU_ASSERT_EQUAL(txq->stats.backpressure, 3);
		CU_ASSERT_EQUAL(rtap_tx_burst(txq, pkts, 3), 3);
		for (i = 0; i < 3; i++)
			CU_ASSERT(unit_frame_receive(&no_hdr, frame.data, frame.len));
	}
	CU_ASSERT_EQUAL(txq->stats.link_down, 1);
	rtap_ring_close(&txq->ring);
	close(fds[0]);
}

/*
 * Preparation
 */

/* It stops at the first packet that cannot be sent, and says why. */
static void
test_prepare(void)
{
	static const struct {
		int err;
		uint64_t flags;
		uint32_t len;
		uint16_t rest;
	} bad[] = {
		{ ENOTSUP, RTE_MBUF_F_TX_MACSEC, 100, 100 },
		{ ENOTSUP, IPV4 | RTE_MBUF_F_TX_SCTP_CKSUM, 100, 100 },
		{ EINVAL, IPV4 | TCP_CKSUM, 100, 100 },
		{ EINVAL, 0, 1515, 2000 },
		{ EINVAL, 0, 1024, 1 },
		{ 0, 0, 1514, 2000 },
		{ 0, 0, 1023, 1 },
		{ 0, 0, 60, 60 },
	};
	struct rte_mbuf *pkts[5];
	unsigned int i, j;

	for (i = 0; i < RTE_DIM(bad); i++) {
		build_len(bad[i].len);
		for (j = 0; j < 5; j++)
			pkts[j] = chain(j == 3 ? bad[i].rest : 2000, bad[i].rest);
		pkts[3]->ol_flags = bad[i].flags;
		if (bad[i].len > 1514)
			for (j = 0; j < 3; j++)
				rte_pktmbuf_trim(pkts[j], 100);
		rte_errno = 0;
		UNIT_ASSERT_AT(rtap_tx_prepare(txq, pkts, 5) == (bad[i].err == 0 ? 5 : 3), i);
		UNIT_ASSERT_AT(rte_errno == bad[i].err, i);
		rte_pktmbuf_free_bulk(pkts, 5);
	}
	CU_ASSERT_EQUAL(rtap_tx_prepare(txq, pkts, 0), 0);
}

/* Prepared and sent: what the kernel gets to see is a sum that it can complete. */
static void
test_prepare_and_send(void)
{
	struct virtio_net_hdr_v1 hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = rte_cpu_to_le_16(34),
		.csum_offset = rte_cpu_to_le_16(6),
	};
	struct rte_mbuf *m;

	build_ip_csum(0, 0);
	m = chain(frame.len, 0);
	ask_ip_csum(m);
	m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
	unit_put16(&sent.data[34 + 6], unit_phdr_sum(&frame, 8 + 300));
	CU_ASSERT_EQUAL(rtap_tx_prepare(txq, &m, 1), 1);
	CU_ASSERT(arrives(m, &hdr));
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "TSO", test_tso },
		{ "bad among good", test_bad_among_good },
		{ "oversize", test_oversize },
		{ "oversize, TSO", test_oversize_tso },
		{ "TSO of one segment", test_one_segment },
		{ "bursts", test_bursts },
		{ "few descriptors", test_few_descriptors },
		{ "back-pressure", test_back_pressure },
		{ "back-pressure, mixed sizes", test_back_pressure_mixed },
		{ "refused and sent again", test_refused_again },
		{ "bad among refused", test_bad_among_refused },
		{ "stopped", test_stopped },
		{ "write error", test_write_error },
		{ "detached file", test_detached },
		{ "prepare", test_prepare },
		{ "prepare and send", test_prepare_and_send },
		CU_TEST_INFO_NULL,
	};

	return unit_tx_run(tests);
}
