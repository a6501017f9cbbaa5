/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_branch_prediction.h>

#include "rtap.h"
#include "rtap_ring.h"
#include "rtap_sqpoll.h"

/* Newer than the oldest headers that we build with; numbers are the kernel's ABI. */
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

#define RTAP_OP_READV_FIXED 60

/* A batch and the poll. The completion queue is twice as large, so it cannot overflow. */
#define RTAP_RING_ENTRIES (2 * RTAP_BURST_MAX)

/* user_data of the poll and of a cancellation; requests carry their index. */
#define RTAP_POLL_TAG UINT64_MAX
#define RTAP_CANCEL_TAG (UINT64_MAX - 1)

/* After so many moves between threads, stop tying the ring to one: */
#define RTAP_HANDOVERS_MAX 16
/* but not if it has served that many batches since the last move. */
#define RTAP_SETTLED 100000

/* After so many batches on its thread, register memory with a ring. */
#define RTAP_REGISTER_AFTER 1000

/* SZ_1G in io_buffer_validate() of io_uring/rsrc.c: the most that is registered in one piece. */
#define RTAP_REGISTER_MAX (1UL << 30)

/* After so many failures in a row, stop making the ring again. */
#define RTAP_FAILURES_MAX 16

/* More than what waits in any TAP. */
#define RTAP_PROBES_MAX 65536

/* What helps in most cases of -ENOMEM: newer kernels charge rings, too. */
#define RTAP_MEMLOCK_HINT "raise RLIMIT_MEMLOCK (ulimit -l) or grant CAP_IPC_LOCK"

#define RTAP_SETUP_OWNED (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | \
		IORING_SETUP_TASKRUN_FLAG)

/*
 * Making and probing rings
 */

static int
ring_setup(struct io_uring *uring, uint32_t flags)
{
	struct io_uring_params params = { .flags = flags };

	return io_uring_queue_init_params(RTAP_RING_ENTRIES, uring, &params);
}

/* The best set of flags that the kernel takes, most wanted first. */
static int
probe_setup_flags(struct io_uring *uring, uint32_t *flags)
{
	static const uint32_t sets[] = {
		IORING_SETUP_SUBMIT_ALL | RTAP_SETUP_OWNED,	/* Linux 6.1 */
		IORING_SETUP_SUBMIT_ALL,			/* Linux 5.18 */
		0,
	};
	int ret = -EINVAL;
	size_t i;

	for (i = 0; i < RTE_DIM(sets) && ret == -EINVAL; i++) {
		*flags = sets[i];
		ret = ring_setup(uring, *flags);
	}
	return ret;
}

static bool
probe_opcodes(struct io_uring *uring, struct rtap_ring_caps *caps)
{
	static const int ops[] = {
		IORING_OP_READ, IORING_OP_READV, IORING_OP_READ_FIXED, IORING_OP_WRITE,
		IORING_OP_WRITEV, IORING_OP_POLL_ADD,
	};
	struct io_uring_probe *probe = io_uring_get_probe_ring(uring);
	bool all = probe != NULL;
	size_t i;

	for (i = 0; all && i < RTE_DIM(ops); i++)
		all = io_uring_opcode_supported(probe, ops[i]) != 0;
	caps->readv_fixed = all && io_uring_opcode_supported(probe, RTAP_OP_READV_FIXED) != 0;
	io_uring_free_probe(probe);
	return all;
}

/*
 * Read once and look, without waiting, how the kernel answers: res is the result of the read, or
 * -EINPROGRESS if it was left pending. Whether that happens on an empty file depends on kernel,
 * O_NONBLOCK and RWF_NOWAIT. Returns what the submission says.
 */
static int
probe_read(struct io_uring *uring, int fd, int rw_flags, int *res)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(uring);
	static uint8_t byte; /* a read left pending may yet write to it */
	struct io_uring_cqe *cqe;
	int ret;

	io_uring_prep_read(sqe, fd, &byte, sizeof(byte), 0);
	sqe->rw_flags = rw_flags;
	ret = io_uring_submit(uring);
	if (ret < 0)
		return ret;
	*res = -EINPROGRESS;
	if (io_uring_peek_cqe(uring, &cqe) == 0) {
		*res = cqe->res;
		io_uring_cqe_seen(uring, cqe);
	}
	return 0;
}

/* The same of an empty file: a byte is less than a header, so a waiting packet is -EINVAL. */
static int
probe_empty(struct io_uring *uring, int fd, int rw_flags, int *res)
{
	unsigned int i;
	int ret;

	*res = -EINVAL;
	for (i = 0, ret = 0; i < RTAP_PROBES_MAX && ret == 0 && *res == -EINVAL; i++)
		ret = probe_read(uring, fd, rw_flags, res);
	return ret;
}

/* RWF_NOWAIT if it is accepted; does a read of an empty file come back then? */
static int
probe_reads(struct io_uring *uring, int fd, struct rtap_ring_caps *caps)
{
	int res, ret;

	caps->rw_flags = RWF_NOWAIT;
	ret = probe_empty(uring, fd, caps->rw_flags, &res);
	if (ret == 0 && res == -EOPNOTSUPP) {
		caps->rw_flags = 0;
		ret = probe_empty(uring, fd, caps->rw_flags, &res);
	}
	caps->uring_reads = res >= 0 || res == -EAGAIN;
	return ret;
}

static const char *
setup_failure(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
		return "io_uring is forbidden here (kernel.io_uring_disabled or seccomp)";
	case ENOSYS:
		return "the kernel has no io_uring, or seccomp hides it";
	case EOPNOTSUPP:
		return "the kernel lacks io_uring operations, or seccomp forbids them";
	case ENOMEM:
		return "out of memory; " RTAP_MEMLOCK_HINT;
	default:
		return strerror(-err);
	}
}

int
rtap_ring_probe(int fd, enum rtap_io_mode mode, struct rtap_ring_caps *caps,
		const char **reason)
{
	struct io_uring uring;
	int ret;

	*caps = (struct rtap_ring_caps){ .fall_back = mode == RTAP_IO_AUTO };
	*reason = NULL;
	if (mode == RTAP_IO_RW)
		return 0;

	ret = probe_setup_flags(&uring, &caps->setup_flags);
	if (ret == 0) {
		ret = probe_opcodes(&uring, caps) ? probe_reads(&uring, fd, caps) : -EOPNOTSUPP;
		io_uring_queue_exit(&uring);
	}
	if (ret != 0) {
		*reason = setup_failure(ret);
		return mode == RTAP_IO_URING ? ret : 0;
	}
	caps->uring = true;
	if (!caps->uring_reads)
		*reason = "this kernel reads a TAP through io_uring only by waiting";
	return 0;
}

static const char *
register_failure(int err, size_t len)
{
	if (err == -ENOMEM)
		return RTAP_MEMLOCK_HINT;
	if (err == -EFAULT && len > RTAP_REGISTER_MAX)
		return "use a smaller mempool for the queue";
	return strerror(-err);
}

static void
uring_plan_register(struct rtap_ring *ring)
{
	ring->register_at = ring->mem.iov_len == 0 ? UINT64_MAX :
		ring->made_at + RTAP_REGISTER_AFTER;
}

/*
 * Called by the thread that owns the ring. There must be room for another ring under the limit on
 * pinned memory, for when the queue moves: the kernel lets go of the memory of the old one late.
 */
static void
uring_register(struct rtap_ring *ring)
{
	struct io_uring spare;
	int ret;

	ring->register_at = UINT64_MAX;
	ret = ring_setup(&spare, 0);
	if (ret == 0) {
		ret = io_uring_register_buffers(&ring->uring, &ring->mem, 1);
		io_uring_queue_exit(&spare);
	}
	ring->registered = ret == 0;
	if (ret != 0) {
		PMD_LOG(INFO, "mbufs are not registered, receiving is slower: %zu bytes: %s",
			ring->mem.iov_len, register_failure(ret, ring->mem.iov_len));
		ring->mem.iov_len = 0;
	}
}

static int
uring_open(struct rtap_ring *ring)
{
	uint32_t flags = ring->caps.setup_flags;
	int ret;

	if (ring->caps.sqpoll) {
		flags = 0;
		ret = rtap_sqpoll_setup(ring);
	} else {
		if ((flags & IORING_SETUP_SINGLE_ISSUER) != 0)
			flags |= IORING_SETUP_R_DISABLED;
		ret = ring_setup(&ring->uring, flags);
	}
	if (ret != 0)
		return ret;
	ret = io_uring_register_files(&ring->uring, ring->fds, ring->nb_fds);
	if (ret != 0) {
		io_uring_queue_exit(&ring->uring);
		return ret;
	}
	ring->enabled = (flags & IORING_SETUP_R_DISABLED) == 0;
	ring->armed = false;
	ring->registered = false;
	ring->made_at = ring->stats.enters;
	uring_plan_register(ring);
	return 0;
}

/*
 * The kernel drops the registered files a little later, from a worker of its own. Unregistering
 * them first would not help: only the owner of the ring may, and up to Linux 6.12 it waits for
 * the poll of an idle queue, for ever. So whoever closes a file must not count on it being gone.
 */
static void
uring_close(struct rtap_ring *ring)
{
	io_uring_queue_exit(&ring->uring);
	ring->armed = false;
	ring->registered = false;
}

int
rtap_ring_open(struct rtap_ring *ring, const struct rtap_ring_caps *caps,
		const int *fds, uint16_t nb_fds)
{
	int ret;

	ring->fds = malloc(nb_fds * sizeof(*fds));
	if (ring->fds == NULL)
		return -ENOMEM;
	memcpy(ring->fds, fds, nb_fds * sizeof(*fds));
	ring->nb_fds = nb_fds;
	ring->mem = (struct iovec){0};
	ring->caps = *caps;
	ring->armed = false;
	ring->gone = false;
	ring->posted = 0;
	ring->moves = 0;
	ring->failures = 0;

	ret = caps->uring ? uring_open(ring) : 0;
	if (ret != 0 && !caps->fall_back) {
		free(ring->fds);
		ring->fds = NULL;
		return ret;
	}
	if (ret != 0) {
		PMD_LOG(WARNING, "using readv/writev, which is slower: %s", setup_failure(ret));
		ring->caps.uring = false;
	}
	ring->open = true;
	return 0;
}

void
rtap_ring_set_memory(struct rtap_ring *ring, const struct iovec *mem)
{
	if (!ring->caps.uring || !ring->caps.uring_reads)
		return;
	ring->mem = *mem;
	if (ring->caps.sqpoll)
		uring_register(ring); /* such a ring does not move */
	else
		uring_plan_register(ring);
}

/* The kernel would wait for the poll of an idle queue to unregister it: not before the end. */
void
rtap_ring_forget_memory(struct rtap_ring *ring)
{
	if (!ring->registered)
		return;
	PMD_LOG(INFO, "mbufs are not in the memory of their mempool, receiving is slower");
	ring->registered = false;
	ring->mem.iov_len = 0;
}

void
rtap_ring_close(struct rtap_ring *ring)
{
	if (!ring->open)
		return;
	ring->open = false;
	if (ring->caps.sqpoll)
		rtap_sqpoll_drain(ring);
	if (ring->caps.uring)
		uring_close(ring);
	free(ring->fds);
	ring->fds = NULL;
}

/*
 * Entering the kernel
 */

/* The calling thread will own it. */
void
rtap_ring_rebuild(struct rtap_ring *ring)
{
	int ret;

	uring_close(ring);
	ret = uring_open(ring);
	if (ret != 0) {
		PMD_LOG(ERR, "cannot set io_uring up again: %s; using readv/writev",
			setup_failure(ret));
		ring->caps.uring = false;
	}
}

/* The kernel does not take a batch: a new ring may help, but not for ever. */
static void
uring_recover(struct rtap_ring *ring, int err)
{
	if (++ring->failures < RTAP_FAILURES_MAX) {
		rtap_ring_rebuild(ring);
		return;
	}
	PMD_LOG(ERR, "io_uring fails: %s; using readv/writev", strerror(-err));
	uring_close(ring);
	ring->caps.uring = false;
}

/* The queue is polled by a thread that does not own the ring. */
static void
uring_hand_over(struct rtap_ring *ring)
{
	ring->stats.handovers++;
	if (ring->stats.enters - ring->made_at > RTAP_SETTLED)
		ring->moves = 0;
	if (++ring->moves == RTAP_HANDOVERS_MAX) {
		PMD_LOG(INFO, "queue keeps moving between threads, using a ring without owner");
		ring->caps.setup_flags &= ~RTAP_SETUP_OWNED;
	}
	rtap_ring_rebuild(ring);
}

/*
 * Submit what is queued, claiming the ring first if nobody has, and wait for that many completions.
 * Returns -EEXIST when another thread owns it.
 */
static int
uring_submit_and_wait(struct rtap_ring *ring, unsigned int wait)
{
	int ret;

	if (ring->caps.sqpoll) {
		rtap_sqpoll_submit(ring);
		return 0;
	}
	if (unlikely(!ring->enabled)) {
		/* liburing 2.3 declares io_uring_enable_rings() and does not export it. */
		ret = io_uring_register(ring->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS,
			NULL, 0);
		if (ret < 0)
			return ret;
		ring->enabled = true;
	}
	do {
		ring->stats.enters++;
		ret = io_uring_submit_and_wait(&ring->uring, wait);
	} while (unlikely(ret == -EINTR));
	return ret;
}

static int
uring_submit(struct rtap_ring *ring)
{
	return uring_submit_and_wait(ring, 0);
}

void
rtap_ring_set_gone(struct rtap_ring *ring)
{
	if (!ring->gone)
		PMD_LOG(NOTICE, "the interface is gone, nothing more is received");
	ring->gone = true;
}

/* The poll fired. POLLERR: the device behind the file is gone, and polling it would spin. */
static void
uring_poll_done(struct rtap_ring *ring, int32_t res)
{
	ring->armed = false;
	if (res > 0 && (res & POLLERR) != 0)
		rtap_ring_set_gone(ring);
}

unsigned int
rtap_ring_reap(struct rtap_ring *ring, struct rtap_req *reqs)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0, done = 0;

	io_uring_for_each_cqe(&ring->uring, head, cqe) {
		seen++;
		if (unlikely(cqe->user_data == RTAP_POLL_TAG)) {
			uring_poll_done(ring, cqe->res);
		} else if (likely(cqe->user_data != RTAP_CANCEL_TAG)) {
			reqs[cqe->user_data].res = cqe->res == -ECANCELED ? -EAGAIN : cqe->res;
			done++;
		}
	}
	io_uring_cq_advance(&ring->uring, seen);
	return done;
}

/* The vectored operations follow a pointer more: they are used where they are needed. */
struct ring_ops {
	uint8_t one;
	uint8_t vec;
};

static struct ring_ops
uring_ops(const struct rtap_ring *ring, int op)
{
	if (op == IORING_OP_WRITEV)
		return (struct ring_ops){ IORING_OP_WRITE, IORING_OP_WRITEV };
	if (!ring->registered)
		return (struct ring_ops){ IORING_OP_READ, IORING_OP_READV };
	return (struct ring_ops){
		IORING_OP_READ_FIXED,
		ring->caps.readv_fixed ? RTAP_OP_READV_FIXED : IORING_OP_READV,
	};
}

/*
 * Writes that must not overtake each other are linked: the kernel begins one when the one before
 * has succeeded, and cancels the rest when it has failed.
 */
static bool
is_chain(const struct rtap_ring *ring, int op)
{
	return op == IORING_OP_WRITEV && ring->caps.ordered;
}

static struct io_uring_sqe *
uring_prep(struct rtap_ring *ring, const struct rtap_req *req, unsigned int file,
		struct ring_ops ops, uint64_t tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (req->iovcnt == 1)
		io_uring_prep_rw(ops.one, sqe, file, req->iov->iov_base, req->iov->iov_len, 0);
	else
		io_uring_prep_rw(ops.vec, sqe, file, req->iov, req->iovcnt, 0);
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->rw_flags = ring->caps.rw_flags;
	sqe->user_data = tag;
	return sqe;
}

struct io_uring_sqe *
rtap_ring_prep(struct rtap_ring *ring, const struct rtap_req *req, unsigned int file, int op,
		uint64_t tag)
{
	return uring_prep(ring, req, file, uring_ops(ring, op), tag);
}

static unsigned int
uring_prep_batch(struct rtap_ring *ring, const struct rtap_req *reqs, unsigned int n,
		unsigned int file, int op)
{
	const struct ring_ops ops = uring_ops(ring, op);
	struct io_uring_sqe *sqe = NULL;
	unsigned int i, queued = 0;
	uint8_t flags = IOSQE_FIXED_FILE;

	if (is_chain(ring, op))
		flags |= IOSQE_IO_LINK;
	for (i = 0; i < n; i++) {
		if (unlikely(reqs[i].iovcnt == 0))
			continue;
		sqe = uring_prep(ring, &reqs[i], file, ops, i);
		sqe->flags = flags;
		queued++;
	}
	if (sqe != NULL)
		sqe->flags = IOSQE_FIXED_FILE; /* the last one ends a chain */
	return queued;
}

static void
fail_all(struct rtap_req *reqs, unsigned int n, int err)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (reqs[i].iovcnt != 0)
			reqs[i].res = err;
}

bool
rtap_ring_prep_cancel(struct rtap_ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (sqe == NULL)
		return false;
	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	sqe->user_data = RTAP_CANCEL_TAG;
	return true;
}

/*
 * Take back what the kernel would rather wait for than refuse: without RWF_NOWAIT, a write to a
 * full file. A request that completes all the same has its result, the others -EAGAIN.
 */
static int
uring_cancel(struct rtap_ring *ring)
{
	rtap_ring_prep_cancel(ring);
	return uring_submit(ring);
}

/*
 * Requests complete while they are submitted, those of a chain while it is waited for; the second
 * part is there for those that do not, so that nothing is left in the kernel.
 *
 * Returns a negative errno if the kernel refused the batch or a part of it; the requests that
 * it did not take keep their res. The ring must be rebuilt then: it still queues them.
 */
static int
uring_batch(struct rtap_ring *ring, struct rtap_req *reqs, unsigned int n, unsigned int file,
		int op)
{
	unsigned int queued, submitted = 0, done = 0;
	int ret;

	queued = uring_prep_batch(ring, reqs, n, file, op);
	while (submitted < queued) {
		ret = uring_submit_and_wait(ring, is_chain(ring, op) ? queued - done : 0);
		if (unlikely(ret < 0))
			return ret;
		submitted += ret;
		done += rtap_ring_reap(ring, reqs);
	}
	ret = unlikely(done < submitted) ? uring_cancel(ring) : 0;
	while (unlikely(done < submitted)) {
		if (ret < 0 && ret != -EINTR)
			return ret;
		done += rtap_ring_reap(ring, reqs);
		if (done < submitted) {
			ring->stats.enters++;
			ret = io_uring_submit_and_wait(&ring->uring, 1);
		}
	}
	return 0;
}

/*
 * A batch, or a chain of writes. A write that can never succeed breaks the chain, and those after
 * it follow in another.
 */
static int
uring_batches(struct rtap_ring *ring, struct rtap_req *reqs, unsigned int n, unsigned int file,
		int op)
{
	unsigned int i = 0;
	int ret;

	do {
		ret = uring_batch(ring, &reqs[i], n - i, file, op);
		if (likely(!is_chain(ring, op)) || ret != 0)
			break;
		while (i < n && (reqs[i].iovcnt == 0 || reqs[i].res >= 0))
			i++;
	} while (i < n && reqs[i].res != -EAGAIN && ++i < n);
	return ret;
}

static void
rw_batch(struct rtap_ring *ring, struct rtap_req *reqs, unsigned int n, unsigned int file,
		int op)
{
	int fd = ring->fds[file];
	unsigned int i;
	ssize_t ret;

	for (i = 0; i < n; i++) {
		struct rtap_req *req = &reqs[i];

		if (unlikely(req->iovcnt == 0))
			continue;
		do {
			ring->stats.enters++;
			ret = (op == IORING_OP_READV) ? readv(fd, req->iov, req->iovcnt) :
				writev(fd, req->iov, req->iovcnt);
		} while (unlikely(ret < 0 && errno == EINTR));
		req->res = ret < 0 ? -errno : ret;
		/* Whatever stops one read or write here stops the next as well. */
		if (req->res == -EAGAIN) {
			fail_all(req, n - i, -EAGAIN);
			return;
		}
	}
}

static void
ring_batch(struct rtap_ring *ring, struct rtap_req *reqs, unsigned int n, unsigned int file,
		int op)
{
	int ret;

	fail_all(reqs, n, -EAGAIN);
	if (unlikely(!ring->open))
		return;
	if (likely(ring->caps.uring)) {
		ret = uring_batches(ring, reqs, n, file, op);
		if (unlikely(ret == -EEXIST)) {
			uring_hand_over(ring);
			if (ring->caps.uring)
				ret = uring_batches(ring, reqs, n, file, op);
		}
		if (likely(ret == 0)) {
			ring->failures = 0;
			if (unlikely(ring->stats.enters >= ring->register_at))
				uring_register(ring);
			return;
		}
		if (ring->caps.uring) {
			uring_recover(ring, ret);
			return;
		}
	}
	rw_batch(ring, reqs, n, file, op);
}

/* Fetch what an armed poll has to say, where reads do not do so by the way. */
static void
uring_collect(struct rtap_ring *ring)
{
	struct rtap_req none; /* there is no batch under way */
	int ret;

	if (!ring->armed)
		return;
	ret = uring_submit(ring);
	if (ret == -EEXIST)
		uring_hand_over(ring);
	else if (ret < 0)
		uring_recover(ring, ret);
	else
		rtap_ring_reap(ring, &none);
}

void
rtap_ring_readv(struct rtap_ring *ring, struct rtap_req *reqs, unsigned int n)
{
	if (unlikely(ring->open && ring->caps.uring && !ring->caps.uring_reads)) {
		uring_collect(ring);
		rw_batch(ring, reqs, n, 0, IORING_OP_READV);
	} else {
		ring_batch(ring, reqs, n, 0, IORING_OP_READV);
	}
	if (unlikely(reqs[0].res == -EBADFD))
		rtap_ring_set_gone(ring);
}

void
rtap_ring_writev(struct rtap_ring *ring, unsigned int file, struct rtap_req *reqs,
		unsigned int n)
{
	/* A batch pays from two on. To wait for a chain is safe if no write in it waits. */
	bool single = n == 1 || (ring->caps.ordered && ring->caps.rw_flags == 0);

	if (unlikely(single && ring->open))
		rw_batch(ring, reqs, n, file, IORING_OP_WRITEV);
	else
		ring_batch(ring, reqs, n, file, IORING_OP_WRITEV);
}

/*
 * Between an empty read and the poll a packet may arrive: the kernel looks when it arms the
 * poll, which then completes at once.
 */
void
rtap_ring_arm(struct rtap_ring *ring)
{
	struct io_uring_sqe *sqe;
	int ret;

	if (ring->armed || ring->gone || !ring->open || !ring->caps.uring)
		return;
	sqe = io_uring_get_sqe(&ring->uring);
	io_uring_prep_poll_add(sqe, 0, POLLIN);
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->user_data = RTAP_POLL_TAG;
	ring->armed = true;
	ring->stats.arms++;
	ret = uring_submit(ring);
	if (unlikely(ret == -EEXIST))
		uring_hand_over(ring);
	else if (unlikely(ret < 0))
		uring_recover(ring, ret);
}
