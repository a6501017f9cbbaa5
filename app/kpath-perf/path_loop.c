/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * Bare programs over a TAP: what is left when there is no DPDK, and each thing that might make it
 * faster by itself. They decide how the driver is built, and are what it is measured against.
 *
 * A program owns the buffers of a burst for each queue, and touches nothing in them.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <liburing.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include <rte_malloc.h>

#include "kperf.h"

/* Newer than the oldest headers that this is built with. */
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif
#define OP_READ_MULTISHOT 49		/* Linux 6.7 */

#define HDR_LEN sizeof(struct virtio_net_hdr_v1)
/* With a VLAN tag */
#define FRAME_MIN 1518U
#define PAGE_SIZE 4096
#define BUF_GROUP 0
#define SQPOLL_IDLE_MS 5

struct loop_queue {
	int fd;
	bool setup;		/* the ring is made */
	bool filled;		/* the buffers hold the frame to be sent */
	uint8_t *bufs;
	unsigned int nb_bufs;
	uint32_t buf_len;
	int32_t res[KPERF_BURST_MAX];
	struct io_uring uring;
	struct io_uring_buf_ring *buf_ring;
	bool armed;
};

struct loop {
	unsigned int flags;
	struct loop_queue queues[KPERF_QUEUES_MAX];
};

static uint8_t *
queue_buf(struct loop_queue *q, unsigned int i)
{
	return q->bufs + (size_t)i * q->buf_len;
}

/*
 * Making
 */

/*
 * Room for the largest packet and its header, in an odd number of cache lines, as mbufs are. In
 * DPDK's memory: whatever pages that has, the loops have no others.
 */
static void
queue_alloc(struct loop_queue *q, const struct params *params, unsigned int flags)
{
	uint32_t frame = params->gso || params->offload == OFFLOAD_ALL ? UINT16_MAX : params->len;

	q->buf_len = ((HDR_LEN + RTE_MAX(frame, FRAME_MIN)) / RTE_CACHE_LINE_SIZE + 1) *
		RTE_CACHE_LINE_SIZE | RTE_CACHE_LINE_SIZE;
	q->nb_bufs = (flags & LOOP_MULTISHOT) != 0 ? KPERF_BURST_MAX : params->burst;
	q->bufs = rte_zmalloc(NULL, (size_t)q->nb_bufs * q->buf_len, PAGE_SIZE);
	if (q->bufs == NULL)
		die("no memory for buffers of %u bytes", q->buf_len);
}

/* All packets to the first queue: "r0 = 0; exit". What counts is what the kernel leaves undone. */
static void
set_steering(int fd)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)code,
		.insn_cnt = RTE_DIM(code),
		.license = (uintptr_t)"Dual BSD/GPL",
	};
	int prog = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (prog < 0 || ioctl(fd, TUNSETSTEERINGEBPF, &prog) != 0)
		die("cannot set a steering program: %s", strerror(errno));
	close(prog);
}

static unsigned long
tun_offload(const struct params *params)
{
	if (params->offload == OFFLOAD_ALL || params->gso)
		return TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	return params->offload == OFFLOAD_CSUM ? TUN_F_CSUM : 0;
}

static int
open_tap(const struct port *port)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	bool limited = (port->path->flags & LOOP_SNDBUF) != 0;
	int size = HDR_LEN, sndbuf = limited ? 1 << 20 : INT_MAX;

	memcpy(ifr.ifr_name, port->ifname, sizeof(ifr.ifr_name));
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0 || ioctl(fd, TUNSETVNETHDRSZ, &size) != 0 ||
	    ioctl(fd, TUNSETSNDBUF, &sndbuf) != 0 ||
	    ioctl(fd, TUNSETOFFLOAD, tun_offload(port->params)) != 0)
		die("%s: cannot open TAP: %s", port->ifname, strerror(errno));
	if ((port->path->flags & LOOP_STEER) != 0)
		set_steering(fd);
	return fd;
}

static int
fill_buf_ring(struct loop_queue *q)
{
	int ret;
	unsigned int i;

	q->buf_ring = mmap(NULL, KPERF_BURST_MAX * sizeof(struct io_uring_buf),
		PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	ret = io_uring_register_buf_ring(&q->uring, &(struct io_uring_buf_reg){
		.ring_addr = (uintptr_t)q->buf_ring,
		.ring_entries = KPERF_BURST_MAX,
		.bgid = BUF_GROUP,
	}, 0);
	if (ret != 0)
		return ret;
	io_uring_buf_ring_init(q->buf_ring);
	for (i = 0; i < KPERF_BURST_MAX; i++)
		io_uring_buf_ring_add(q->buf_ring, queue_buf(q, i), q->buf_len, i,
			KPERF_BURST_MAX - 1, i);
	io_uring_buf_ring_advance(q->buf_ring, KPERF_BURST_MAX);
	return 0;
}

/* By the thread that will use it: a ring with an owner is the fastest. */
static int
queue_setup(const struct loop *loop, struct loop_queue *q)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SUBMIT_ALL };
	const struct iovec iov = { q->bufs, (size_t)q->nb_bufs * q->buf_len };
	int ret;

	if ((loop->flags & LOOP_SQPOLL) != 0) {
		/* Else it would be where its user is, and wait for it. */
		params.flags |= IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF;
		params.sq_thread_idle = SQPOLL_IDLE_MS;
		params.sq_thread_cpu = helper_cpu();
	} else {
		params.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_TASKRUN_FLAG;
	}
	ret = io_uring_queue_init_params(2 * KPERF_BURST_MAX, &q->uring, &params);
	if (ret == 0 && (loop->flags & LOOP_FILE) != 0)
		ret = io_uring_register_files(&q->uring, &q->fd, 1);
	if (ret == 0 && (loop->flags & LOOP_BUF) != 0)
		ret = io_uring_register_buffers(&q->uring, &iov, 1);
	if (ret == 0 && (loop->flags & LOOP_RINGFD) != 0)
		ret = io_uring_register_ring_fd(&q->uring) == 1 ? 0 : -EINVAL;
	if (ret == 0 && (loop->flags & LOOP_MULTISHOT) != 0)
		ret = fill_buf_ring(q);
	return ret;
}

static void
need_setup(const struct loop *loop, struct loop_queue *q)
{
	int ret;

	if (q->setup || (loop->flags & LOOP_RW) != 0)
		return;
	q->setup = true;
	ret = queue_setup(loop, q);
	if (ret != 0)
		die("io_uring: %s", strerror(-ret));
}

/* Does the kernel have what the path is about? */
static const char *
loop_unavailable(unsigned int flags, const struct params *params)
{
	struct loop loop = { .flags = flags & ~LOOP_FILE };
	struct loop_queue *q = &loop.queues[0];
	const char *why = NULL;

	if ((flags & LOOP_RW) != 0)
		return NULL;
	if ((flags & LOOP_LINK) != 0)
		return NULL;
	queue_alloc(q, params, flags);
	if (queue_setup(&loop, q) != 0) {
		why = "this kernel's io_uring cannot, or may not, do this";
	} else {
		struct io_uring_probe *probe = io_uring_get_probe_ring(&q->uring);

		if ((flags & LOOP_MULTISHOT) != 0 && (probe->last_op < OP_READ_MULTISHOT))
			why = "io_uring has no multishot read; Linux 6.7 has";
		io_uring_free_probe(probe);
		io_uring_queue_exit(&q->uring);
	}
	rte_free(q->bufs);
	return why;
}

static void
fill_buffers(struct loop_queue *q, const struct port *port, unsigned int flow)
{
	struct virtio_net_hdr_v1 hdr = {0};
	unsigned int i;

	q->filled = true;
	if ((port->path->flags & LOOP_HDRLEN) != 0)
		hdr.hdr_len = RTE_MIN(port->params->len, 128U);
	for (i = 0; i < q->nb_bufs; i++) {
		memcpy(queue_buf(q, i), &hdr, sizeof(hdr));
		frame_write(queue_buf(q, i) + HDR_LEN, port, flow);
	}
}

static int
loop_open(struct port *port)
{
	unsigned int flags = port->path->flags, i;
	struct loop *loop;

	port->why = loop_unavailable(flags, port->params);
	if (port->why != NULL)
		return -1;
	loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		die("out of memory");
	loop->flags = flags;
	port->priv = loop;
	for (i = 0; i < port->params->queues; i++) {
		struct loop_queue *q = &loop->queues[i];

		q->fd = open_tap(port);
		queue_alloc(q, port->params, flags);
	}
	return 0;
}

static void
loop_close(struct port *port)
{
	struct loop *loop = port->priv;
	unsigned int i;

	for (i = 0; i < port->params->queues; i++) {
		struct loop_queue *q = &loop->queues[i];

		if (q->setup)
			io_uring_queue_exit(&q->uring);
		if (q->buf_ring != NULL)
			munmap(q->buf_ring, KPERF_BURST_MAX * sizeof(struct io_uring_buf));
		rte_free(q->bufs);
		close(q->fd);
	}
	free(loop);
}

/*
 * Batches
 */

static void
prep(const struct loop *loop, struct loop_queue *q, uint8_t op, int fd, uint8_t *buf, uint32_t len,
		unsigned int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->uring);
	bool registered = (loop->flags & LOOP_FILE) != 0 && fd == q->fd;

	io_uring_prep_rw(op, sqe, registered ? 0 : fd, buf, len, 0);
	sqe->flags = registered ? IOSQE_FIXED_FILE : 0;
	sqe->rw_flags = RWF_NOWAIT;
	sqe->user_data = i;
	q->res[i] = -EAGAIN;
	if (op == IORING_OP_READ_FIXED || op == IORING_OP_WRITE_FIXED)
		sqe->buf_index = 0;
}

/* Submit, and take the results; returns how many there are. */
static unsigned int
run_batch(const struct loop *loop, struct loop_queue *q, unsigned int n)
{
	struct io_uring_cqe *cqe;
	unsigned int head, done = 0, seen;

	io_uring_submit(&q->uring);
	do {
		seen = 0;
		io_uring_for_each_cqe(&q->uring, head, cqe) {
			q->res[cqe->user_data] = cqe->res;
			seen++;
		}
		io_uring_cq_advance(&q->uring, seen);
		done += seen;
	} while ((loop->flags & LOOP_SQPOLL) != 0 && done < n);
	return done;
}

static unsigned int
tx_uring(struct loop *loop, struct loop_queue *q, unsigned int n, uint32_t len)
{
	uint8_t op = (loop->flags & LOOP_BUF) != 0 ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE;
	unsigned int i, done, refused = 0;

	for (i = 0; i < n; i++)
		prep(loop, q, op, q->fd, queue_buf(q, i), len, i);
	if ((loop->flags & LOOP_SKIP) != 0) {
		unsigned int tail = q->uring.sq.sqe_tail;

		for (i = 1; i <= n; i++)
			q->uring.sq.sqes[(tail - i) & (2 * KPERF_BURST_MAX - 1)].flags |=
				IOSQE_CQE_SKIP_SUCCESS;
		return n - run_batch(loop, q, n);
	}
	done = run_batch(loop, q, n);
	for (i = 0; i < done; i++)
		refused += q->res[i] < 0;
	return done - refused;
}

static unsigned int
loop_tx(struct port *port, unsigned int queue, unsigned int n)
{
	uint32_t len = HDR_LEN + port->params->len;
	struct loop *loop = port->priv;
	struct loop_queue *q = &loop->queues[queue];
	unsigned int i, done = 0;

	if (!q->filled)
		fill_buffers(q, port, port->params->queues > 1 ? 1 + queue : 0);
	need_setup(loop, q);
	if ((loop->flags & LOOP_RW) == 0)
		return tx_uring(loop, q, n, len);
	for (i = 0; i < n; i++)
		done += write(q->fd, queue_buf(q, i), len) == (ssize_t)len;
	return done;
}

/* Read frames into the first buffers; returns how many. */
static unsigned int
rx_rw(struct loop_queue *q, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		q->res[i] = read(q->fd, queue_buf(q, i), q->buf_len);
		if (q->res[i] < 0)
			break;
	}
	return i;
}

static unsigned int
rx_uring(struct loop *loop, struct loop_queue *q, unsigned int n)
{
	uint8_t op = (loop->flags & LOOP_BUF) != 0 ? IORING_OP_READ_FIXED : IORING_OP_READ;
	unsigned int i, done, found = 0;

	for (i = 0; i < n; i++) {
		prep(loop, q, op, q->fd, queue_buf(q, i), q->buf_len, i);
		if ((loop->flags & LOOP_LINK) != 0 && i < n - 1)
			q->uring.sq.sqes[(q->uring.sq.sqe_tail - 1) & (2 * KPERF_BURST_MAX - 1)]
				.flags |= IOSQE_IO_LINK;
	}
	done = run_batch(loop, q, n);
	/* A link ends where a read is shorter than its buffer, which all are. */
	for (; (loop->flags & LOOP_LINK) != 0 && done < n;) {
		io_uring_submit_and_wait(&q->uring, 1);
		done += run_batch(loop, q, 0);
	}
	for (i = 0; i < n; i++)
		found += q->res[i] > 0;
	return found;
}

/* One read that stays; its buffers go back as soon as they were seen. */
static unsigned int
rx_multishot(struct loop_queue *q, unsigned int n)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0, found = 0, buf;

	if (!q->armed) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&q->uring);

		io_uring_prep_rw(OP_READ_MULTISHOT, sqe, 0, NULL, 0, -1);
		sqe->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
		sqe->buf_group = BUF_GROUP;
		q->armed = true;
		io_uring_submit(&q->uring);
	}
	if (io_uring_cq_ready(&q->uring) == 0 &&
	    (IO_URING_READ_ONCE(*q->uring.sq.kflags) & IORING_SQ_TASKRUN) != 0)
		io_uring_get_events(&q->uring);
	io_uring_for_each_cqe(&q->uring, head, cqe) {
		if (found == n)
			break;
		seen++;
		q->armed = q->armed && (cqe->flags & IORING_CQE_F_MORE) != 0;
		buf = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
		if (cqe->res > 0)
			io_uring_buf_ring_add(q->buf_ring, queue_buf(q, buf), q->buf_len, buf,
				KPERF_BURST_MAX - 1, found++);
	}
	io_uring_buf_ring_advance(q->buf_ring, found);
	io_uring_cq_advance(&q->uring, seen);
	return found;
}

static unsigned int
loop_rx(struct port *port, unsigned int queue, unsigned int n)
{
	struct loop *loop = port->priv;
	struct loop_queue *q = &loop->queues[queue];

	need_setup(loop, q);
	if ((loop->flags & LOOP_RW) != 0)
		return rx_rw(q, n);
	if ((loop->flags & LOOP_MULTISHOT) != 0)
		return rx_multishot(q, n);
	return rx_uring(loop, q, n);
}

static int
loop_sleep(struct port *port, unsigned int queue, int ms)
{
	const struct loop *loop = port->priv;
	struct pollfd pollfd = { .fd = loop->queues[queue].fd, .events = POLLIN };

	return poll(&pollfd, 1, ms) > 0;
}

/* What the kernel left undone for one port it does for the other: headers pass as they are. */
static unsigned int
loop_forward(struct port *in, struct port *out, unsigned int n)
{
	struct loop *loop = in->priv, *out_loop = out->priv;
	struct loop_queue *q = &loop->queues[0], *out_q = &out_loop->queues[0];
	unsigned int i, j = 0, found = loop_rx(in, 0, n);

	if ((loop->flags & LOOP_RW) != 0) {
		for (i = 0; i < found; i++)
			if (write(out_q->fd, queue_buf(q, i), q->res[i]) < 0)
				j++;
		return found;
	}
	need_setup(out_loop, out_q);
	for (i = 0; i < n && j < found; i++)
		if (q->res[i] > 0)
			prep(out_loop, out_q, IORING_OP_WRITE, out_q->fd, queue_buf(q, i),
				q->res[i], j++);
	if (found > 0)
		run_batch(out_loop, out_q, found);
	return found;
}

const struct path_ops loop_ops = {
	.open = loop_open,
	.close = loop_close,
	.tx = loop_tx,
	.rx = loop_rx,
	.sleep = loop_sleep,
	.forward = loop_forward,
};
