/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_ring.[ch] where threads meet: the queue moves, or the packets come from another. */

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include <rte_stdatomic.h>

#include "unit_ring.h"

/* More than the ring takes before it gives up on belonging to a thread. */
#define MANY_MOVES 50

/*
 * Threads that do as they are told. Asserts are for the main thread: what is done elsewhere
 * has a result.
 */

struct worker {
	pthread_t thread;
	sem_t go;
	sem_t done;
	bool (*job)(uint32_t arg);
	uint32_t arg;
	bool result;
};

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		while (sem_wait(&w->go) != 0)
			; /* the kernel may have had something to do here for io_uring */
		if (w->job == NULL)
			return NULL;
		w->result = w->job(w->arg);
		sem_post(&w->done);
	}
}

static void
worker_start(struct worker *w)
{
	sem_init(&w->go, 0, 0);
	sem_init(&w->done, 0, 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&w->thread, NULL, worker_main, w), 0);
}

static bool
worker_run(struct worker *w, bool (*job)(uint32_t), uint32_t arg)
{
	w->job = job;
	w->arg = arg;
	sem_post(&w->go);
	if (job == NULL)
		return true;
	while (sem_wait(&w->done) != 0)
		;
	return w->result;
}

static void
worker_end(struct worker *w)
{
	worker_run(w, NULL, 0);
	pthread_join(w->thread, NULL);
	sem_destroy(&w->go);
	sem_destroy(&w->done);
}

/*
 * What a queue does
 */

/* Find nothing, and fall asleep. */
static bool
fall_idle(uint32_t arg __rte_unused)
{
	if (unit_ring_read(0, 4) != 0)
		return false;
	rtap_ring_arm(&unit_ring);
	return rtap_ring_is_quiet(&unit_ring) == unit_mode->uring;
}

/* Packet number seq, alone, comes to a queue that may be asleep. */
static bool
packet_comes(uint32_t seq)
{
	if (!unit_send(unit_peer, seq) || !unit_ring_wakes() || unit_ring_read(seq, 2) != 1)
		return false;
	return true;
}

static bool
packet_comes_then_idle(uint32_t seq)
{
	uint32_t i;

	if (!packet_comes(seq))
		return false;
	/* A poll that was handed over may have something to say yet. */
	for (i = 0; i < 10; i++) {
		if (unit_ring_read(0, 4) != 0)
			return false;
		rtap_ring_arm(&unit_ring);
		if (rtap_ring_is_quiet(&unit_ring))
			return unit_mode->uring;
	}
	return !unit_mode->uring;
}

static bool
read_one(uint32_t seq)
{
	return unit_ring_read(seq, 1) == 1;
}

static bool
busy(uint32_t arg __rte_unused)
{
	uint32_t seq;

	for (seq = 0; seq < 20; seq++)
		if (!unit_send(unit_peer, seq))
			return false;
	return read_one(0);
}

static bool
write_some(uint32_t seq)
{
	uint32_t i;

	unit_ring_write(0, seq, 10);
	for (i = 0; i < 10; i++)
		if (unit_reqs[i].res < 0 || !unit_receive(unit_peer, seq + i))
			return false;
	return true;
}

/* A queue is set up by one thread and polled by another. */
static void
test_first_use(void)
{
	struct worker w = {0};

	worker_start(&w);
	CU_ASSERT(worker_run(&w, packet_comes_then_idle, 1));
	CU_ASSERT_EQUAL(unit_ring.stats.handovers, 0);
	CU_ASSERT(worker_run(&w, write_some, 5));
	CU_ASSERT_EQUAL(unit_ring.stats.handovers, 0);
	worker_end(&w);
}

/*
 * The queue moves here from a thread that still exists, or does not, in any state, and goes on:
 * no packet is lost, none comes twice, and it can sleep and wake.
 */
static void
move(bool exited, bool (*before)(uint32_t), void (*meanwhile)(void), uint32_t next)
{
	struct worker w = {0};

	worker_start(&w);
	CU_ASSERT(worker_run(&w, before, 0));
	if (exited)
		worker_end(&w);
	if (meanwhile != NULL)
		meanwhile();
	CU_ASSERT(packet_comes_then_idle(next));
	CU_ASSERT(packet_comes_then_idle(next + 1));
	CU_ASSERT(write_some(100));
	if (unit_mode->reads || before != busy) /* else the ring had not been used */
		CU_ASSERT_EQUAL(unit_ring.stats.handovers, unit_mode->owned ? 1 : 0);
	if (!exited)
		worker_end(&w);
}

static void
test_move_idle(void)
{
	move(false, fall_idle, NULL, 1);
}

static void
test_move_idle_exited(void)
{
	move(true, fall_idle, NULL, 1);
}

static void
one_arrives(void)
{
	CU_ASSERT(unit_send(unit_peer, 0));
	CU_ASSERT(unit_ring_wakes());
	CU_ASSERT_EQUAL(unit_ring_read(0, 1), 1);
}

/* No poll is armed: the first thing that finds out may be the arming of one. */
static bool
idle_then_awake(uint32_t arg)
{
	return fall_idle(arg) && packet_comes(0);
}

static void
falls_idle_here(void)
{
	CU_ASSERT_EQUAL(unit_ring_read(0, 4), 0);
	rtap_ring_arm(&unit_ring);
}

static void
test_move_unarmed(void)
{
	move(false, idle_then_awake, falls_idle_here, 1);
}

static void
test_move_awake(void)
{
	move(false, fall_idle, one_arrives, 1);
}

static void
test_move_awake_exited(void)
{
	move(true, fall_idle, one_arrives, 1);
}

static void
read_the_others(void)
{
	CU_ASSERT_EQUAL(unit_ring_read(1, 30), 19);
}

static void
test_move_busy(void)
{
	move(false, busy, read_the_others, 1);
}

static void
test_move_busy_exited(void)
{
	move(true, busy, read_the_others, 1);
}

/* The first thing that the new thread does is write. */
static void
write_first(void)
{
	CU_ASSERT(write_some(7));
}

static void
test_move_write(void)
{
	move(false, write_some, write_first, 1);
}

static void
test_move_write_exited(void)
{
	move(true, write_some, write_first, 1);
}

static void
test_move_read_nothing(void)
{
	move(false, fall_idle, falls_idle_here, 1);
}

/* A queue that keeps moving gets a ring that belongs to nobody, and moves no more. */
static void
test_many_moves(void)
{
	struct worker w[2] = {0};
	uint64_t before, handovers;
	uint32_t seq, turn;

	worker_start(&w[0]);
	worker_start(&w[1]);
	/* Opened again, it may belong to somebody again. */
	for (turn = 0; turn < 2; turn++) {
		handovers = before = unit_ring.stats.handovers;
		for (seq = 0; seq < 3 * MANY_MOVES; seq++) {
			UNIT_ASSERT_AT(worker_run(&w[seq % 2], packet_comes_then_idle, seq), seq);
			if (seq == MANY_MOVES)
				handovers = unit_ring.stats.handovers;
		}
		CU_ASSERT_EQUAL(unit_ring.stats.handovers, handovers);
		handovers -= before;
		CU_ASSERT(unit_mode->owned ? handovers > 1 && handovers < MANY_MOVES :
			handovers == 0);
		CU_ASSERT(packet_comes_then_idle(1));
		rtap_ring_close(&unit_ring);
		CU_ASSERT_EQUAL_FATAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
	}
	worker_end(&w[0]);
	worker_end(&w[1]);
}

/*
 * Memory takes time to register: that is done once the ring has served many batches on a thread,
 * not while it moves. Reads are right before, when and after.
 */
static void
test_memory_moves(void)
{
	bool registers = unit_mode->memory && unit_mode->uring && unit_mode->reads;
	bool moves = unit_mode->owned;
	struct worker w = {0};
	uint32_t seq;

	rtap_ring_close(&unit_ring);
	unit_ring_open();
	worker_start(&w);
	for (seq = 0; seq < MANY_MOVES; seq++) {
		CU_ASSERT(worker_run(&w, packet_comes_then_idle, seq));
		CU_ASSERT(packet_comes_then_idle(seq));
		CU_ASSERT(!unit_ring.registered);
	}
	CU_ASSERT(unit_ring_settle(UNIT_MANY_BATCHES));
	CU_ASSERT_EQUAL(unit_ring.registered, registers);

	rtap_ring_close(&unit_ring);
	CU_ASSERT(!unit_ring.registered);
	unit_ring_open();
	CU_ASSERT(worker_run(&w, unit_ring_settle, UNIT_MANY_BATCHES));
	CU_ASSERT_EQUAL(unit_ring.registered, registers);
	CU_ASSERT(packet_comes_then_idle(0));
	CU_ASSERT_EQUAL(unit_ring.registered, registers && !moves);
	CU_ASSERT(unit_ring_settle(UNIT_MANY_BATCHES));
	CU_ASSERT_EQUAL(unit_ring.registered, registers);
	worker_end(&w);
}

/* A queue that moves now and then keeps its owner. */
static void
test_rare_moves(void)
{
	struct worker w[2] = {0};
	uint32_t seq;

	worker_start(&w[0]);
	worker_start(&w[1]);
	for (seq = 0; seq < MANY_MOVES; seq++) {
		UNIT_ASSERT_AT(worker_run(&w[seq % 2], packet_comes_then_idle, seq), seq);
		/* As if it had been used for a while. */
		unit_ring.stats.enters += 1000000;
	}
	CU_ASSERT_EQUAL(unit_ring.stats.handovers, unit_mode->owned ? MANY_MOVES - 1 : 0);
	worker_end(&w[0]);
	worker_end(&w[1]);
}

/*
 * The control thread closes what another thread polls, and the file is let go of: its peer sees
 * it go, which may take the kernel a moment.
 */
static void
test_close_elsewhere(void)
{
	struct pollfd pfd = { .events = 0 };
	struct worker w = {0};
	unsigned int i;

	worker_start(&w);
	for (i = 0; i < 3; i++) {
		CU_ASSERT(worker_run(&w, i % 2 == 0 ? fall_idle : packet_comes, i));
		rtap_ring_close(&unit_ring);
		CU_ASSERT(rtap_ring_is_quiet(&unit_ring));
		CU_ASSERT_EQUAL(rtap_ring_open(&unit_ring, &unit_caps, &unit_fd, 1), 0);
	}
	CU_ASSERT(worker_run(&w, fall_idle, 0));
	rtap_ring_close(&unit_ring);
	close(unit_fd);
	unit_fd = -1;
	worker_end(&w);
	pfd.fd = unit_peer;
	CU_ASSERT_EQUAL(poll(&pfd, 1, 10000), 1);
	CU_ASSERT((pfd.revents & POLLHUP) != 0);
}

/*
 * A queue falls asleep again and again while packets come at any moment: one that came between
 * the last look and the poll must wake it.
 */
#define NB_PACKETS 20000

static void *
sender_main(void *arg)
{
	RTE_ATOMIC(bool) *stop = arg;
	uint32_t state = 1, seq;

	for (seq = 0; seq < NB_PACKETS; seq++) {
		unsigned int spin = unit_random(&state) % 4096;

		while (!unit_send(unit_peer, seq) &&
				!rte_atomic_load_explicit(stop, rte_memory_order_relaxed))
			sched_yield();
		if (spin < 64)
			usleep(spin);
		while (spin-- > 64)
			rte_compiler_barrier();
	}
	return NULL;
}

static void
test_no_lost_wakeup(void)
{
	static RTE_ATOMIC(bool) stop;
	uint32_t seq = 0, slept = 0;
	pthread_t sender;
	int found = 0;

	rte_atomic_store_explicit(&stop, false, rte_memory_order_relaxed);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&sender, NULL, sender_main, (void *)&stop), 0);
	while (seq < NB_PACKETS && found >= 0) {
		if (rtap_ring_is_quiet(&unit_ring)) {
			slept++;
			if (!unit_ring_wakes())
				break;
		}
		found = unit_ring_read(seq, 1 + seq % 8);
		if (found == 0)
			rtap_ring_arm(&unit_ring);
		seq += RTE_MAX(found, 0);
	}
	rte_atomic_store_explicit(&stop, true, rte_memory_order_relaxed);
	CU_ASSERT_EQUAL(seq, NB_PACKETS);
	CU_ASSERT(unit_mode->uring ? slept > 0 : slept == 0);
	pthread_join(sender, NULL);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "first use", test_first_use },
		{ "move, idle", test_move_idle },
		{ "move, idle, thread exited", test_move_idle_exited },
		{ "move, not armed", test_move_unarmed },
		{ "move, awake", test_move_awake },
		{ "move, awake, thread exited", test_move_awake_exited },
		{ "move, busy", test_move_busy },
		{ "move, busy, thread exited", test_move_busy_exited },
		{ "move, writing", test_move_write },
		{ "move, writing, thread exited", test_move_write_exited },
		{ "move, reading nothing", test_move_read_nothing },
		{ "many moves", test_many_moves },
		{ "rare moves", test_rare_moves },
		{ "memory moves", test_memory_moves },
		{ "close elsewhere", test_close_elsewhere },
		{ "no lost wake-up", test_no_lost_wakeup },
		CU_TEST_INFO_NULL,
	};

	return unit_ring_run(tests, unit_ring_set_up, unit_ring_tear_down);
}
