/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RTAP_RING_H_
#define _RTAP_RING_H_

/*
 * Batches of vectored reads and writes on packet files.
 *
 * Theory of operation
 *
 * A batch is submitted and reaped in one call: n requests go in, n results come out, nothing is
 * left in the kernel. So nothing can be lost, time out or need cancelling, and stop, restart and
 * close are trivial. All files are non-blocking. With io_uring a batch is one system call.
 *
 * The one exception is the poll of rtap_ring_arm(). It is how an idle queue avoids the kernel:
 * with IORING_SETUP_DEFER_TASKRUN and IORING_SETUP_TASKRUN_FLAG the arrival of a packet shows as
 * a bit in memory shared with the kernel, so rtap_ring_is_quiet() is a load and a compare.
 *
 * Threads
 *
 * A ring made with IORING_SETUP_SINGLE_ISSUER belongs to the thread that enables it, while DPDK
 * sets a queue up on one thread, polls it on another, and may later move it. The ring is created
 * disabled and enabled by the first batch. When the kernel answers a batch with -EEXIST, the
 * queue has moved and the ring is made again on the new thread. A queue that keeps moving gets a
 * ring without an owner, a little slower and good for any thread. As everywhere in DPDK, two
 * threads must not use one queue at the same time.
 *
 * Memory is registered with a ring when it has served a number of batches on its thread: that is
 * about when the time it takes comes back, a queue that moves does not spend it each time, and all
 * rings have been made, which count against the same limit.
 *
 * Back ends
 *
 * Where io_uring is forbidden (kernel.io_uring_disabled, seccomp) or too old, the same calls are
 * served by readv() and writev(): one system call per packet, and one per poll of an idle queue.
 *
 * Some kernels (Linux 6.1) run writes at once, but leave a read of an empty TAP pending and
 * refuse RWF_NOWAIT, which would prevent it. There, packets are read with readv() and the rest
 * goes through io_uring, the poll of an idle queue included.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <liburing.h>

#include <rte_common.h>

/* The most requests in a batch. */
#define RTAP_BURST_MAX 64

/* Back end, as the application may ask for it in the device arguments. */
enum rtap_io_mode {
	RTAP_IO_AUTO,	/* io_uring if it works here, else readv/writev */
	RTAP_IO_URING,	/* io_uring or failure */
	RTAP_IO_RW,	/* readv/writev */
};

/* What rtap_ring_probe() found out about the running kernel. */
struct rtap_ring_caps {
	bool uring;		/* false: readv/writev */
	bool fall_back;		/* to them, if a ring cannot be made later */
	bool uring_reads;	/* false: readv all the same */
	bool readv_fixed;	/* vectored reads of registered memory: Linux 6.15 */
	bool sqpoll;		/* requests are posted to a kernel thread: rtap_sqpoll.h */
	uint32_t setup_flags;	/* IORING_SETUP_*, without R_DISABLED */
	int rw_flags;		/* RWF_NOWAIT or 0 */
	bool ordered;		/* set by the user: nothing is written after what was refused */
	int sqpoll_fd;		/* the ring that the thread belongs to; -1: each has its own */
	uint32_t sqpoll_idle;	/* ms */
};

/*
 * One read or write. A request without buffers (iovcnt == 0) is left out and its res kept.
 * res is the number of bytes, or a negative errno; -EAGAIN: nothing to read, no room to write.
 */
struct rtap_req {
	const struct iovec *iov;
	uint32_t iovcnt;
	int32_t res;
};

struct rtap_ring_stats {
	uint64_t enters;	/* system calls */
	uint64_t arms;		/* polls armed by a queue that fell idle */
	uint64_t handovers;	/* rings made again because the queue moved to another thread */
};

struct rtap_ring {
	struct io_uring uring;
	struct rtap_ring_caps caps;
	bool open;
	bool enabled;		/* a thread has claimed the ring */
	bool armed;		/* a poll is pending */
	bool gone;		/* the file has no device behind it any more */
	uint16_t nb_fds;
	uint16_t moves;		/* between threads, lately */
	uint16_t failures;	/* of the kernel to take a batch, in a row */
	uint16_t depth;		/* requests that may be posted; set before a ring is opened */
	uint16_t posted;	/* requests without result */
	bool registered;	/* mem is known to the kernel */
	uint64_t made_at;	/* stats.enters when the ring was made, on this thread */
	uint64_t register_at;	/* stats.enters when mem is due to be registered */
	int *fds;
	struct rtap_req *reqs;	/* depth of them, the owner's */
	struct iovec mem;	/* that reads go to; no bytes: not to be registered */
	struct rtap_ring_stats stats;
};

/**
 * Find out what the running kernel can do with this file.
 *
 * @param fd
 *   A non-blocking TAP file (or any packet file); a packet that waits there may be consumed.
 * @param mode
 *   What the user asked for.
 * @param caps
 *   The answer.
 * @param reason
 *   Set to why io_uring is not used, or not for everything, though mode allows it; else NULL.
 * @return
 *   0, or a negative errno if mode is RTAP_IO_URING and io_uring cannot be used.
 */
int rtap_ring_probe(int fd, enum rtap_io_mode mode, struct rtap_ring_caps *caps,
		const char **reason);

/**
 * Open a ring over files. The files stay the caller's and must outlive the ring. Where caps allow
 * to fall back, a ring that cannot be made is replaced by readv/writev, with a message.
 *
 * @return
 *   0, -ENOMEM, or what the kernel says; nothing is left open then.
 */
int rtap_ring_open(struct rtap_ring *ring, const struct rtap_ring_caps *caps,
		const int *fds, uint16_t nb_fds);

/**
 * Tell where all reads from this ring go to, after opening it. The memory is registered with the
 * kernel in time, which then need not open access to user memory for each buffer. That pins it,
 * and charges it to RLIMIT_MEMLOCK without CAP_IPC_LOCK. Where it cannot be, a message says so,
 * and the ring works as before.
 *
 * @param mem
 *   Up to 1 GiB of memory, which must stay mapped as it is until the ring is closed.
 */
void rtap_ring_set_memory(struct rtap_ring *ring, const struct iovec *mem);

/** Read the ordinary way from now on: a read failed with -EFAULT, which registering can cause. */
void rtap_ring_forget_memory(struct rtap_ring *ring);

/** Close a ring; harmless on one that is zeroed or closed. Statistics are kept. */
void rtap_ring_close(struct rtap_ring *ring);

/**
 * Read up to n packets from file 0, in order of arrival.
 * Every request's res is set; those after the first that found nothing may not have been tried.
 */
void rtap_ring_readv(struct rtap_ring *ring, struct rtap_req *reqs, unsigned int n);

/** Write n packets, in order, to the file with this index. Every request's res is set. */
void rtap_ring_writev(struct rtap_ring *ring, unsigned int file, struct rtap_req *reqs,
		unsigned int n);

/**
 * Ask to be told when file 0 has something to read.
 * Does nothing where it cannot: then the ring is never quiet.
 */
void rtap_ring_arm(struct rtap_ring *ring);

/**
 * Is there certainly nothing to read? True from rtap_ring_arm() to the next arrival, and for
 * good when the ring is closed or its device is gone. Makes no system call.
 */
static inline bool
rtap_ring_is_quiet(const struct rtap_ring *ring)
{
	const struct io_uring_sq *sq = &ring->uring.sq;
	const struct io_uring_cq *cq = &ring->uring.cq;

	if (!ring->armed)
		return !ring->open || ring->gone;
	/* A hint: what it announces is fetched in an orderly way. */
	return (IO_URING_READ_ONCE(*sq->kflags) & IORING_SQ_TASKRUN) == 0 &&
		IO_URING_READ_ONCE(*cq->ktail) == *cq->khead;
}

/**
 * The word of 32 bits in memory whose change ends the quiet; NULL: there is none. It moves when the
 * ring is made again, which happens in calls of this interface only.
 */
static inline volatile uint32_t *
rtap_ring_quiet_word(const struct rtap_ring *ring)
{
	if (!ring->open || !ring->caps.uring)
		return NULL;
	/*
	 * Without the flag, the kernel interrupts the thread and completes the poll; with SQPOLL,
	 * its own thread does so.
	 */
	return !ring->caps.sqpoll && (ring->caps.setup_flags & IORING_SETUP_TASKRUN_FLAG) != 0 ?
		ring->uring.sq.kflags : ring->uring.cq.ktail;
}

/*
 * For rtap_sqpoll.c
 */

/**
 * Queue a request to be submitted: IORING_OP_READV or IORING_OP_WRITEV. There must be room.
 * Returns its entry, which is the caller's to link until it is submitted.
 */
struct io_uring_sqe *rtap_ring_prep(struct rtap_ring *ring, const struct rtap_req *req,
		unsigned int file, int op, uint64_t tag);
/** Queue a cancellation of all requests; false: no room. */
bool rtap_ring_prep_cancel(struct rtap_ring *ring);
/** Set the results that are there. Returns how many. */
unsigned int rtap_ring_reap(struct rtap_ring *ring, struct rtap_req *reqs);
/** Start over with an empty ring, or without, if there cannot be one. */
void rtap_ring_rebuild(struct rtap_ring *ring);
/** The device behind file 0 is gone: say so, once. */
void rtap_ring_set_gone(struct rtap_ring *ring);

#endif /* _RTAP_RING_H_ */
