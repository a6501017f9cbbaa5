/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_byteorder.h>

#include "pair.h"
#include "results.h"

/*
 * The application
 */

static enum pair_phase
phase_of(const struct pair *pair)
{
	return rte_atomic_load_explicit(&pair->phase, rte_memory_order_acquire);
}

static void
enter_phase(struct pair *pair, enum pair_phase phase)
{
	rte_atomic_store_explicit(&pair->phase, phase, rte_memory_order_release);
}

/* Both ways in turns, as long as the phase lasts. */
static void
forward_in_phase(struct pair *pair, enum pair_phase phase, struct worker *seen)
{
	struct port *ports = pair->ports;
	const struct path_ops *ops = ports[0].path->ops;
	unsigned int burst = ports[0].params->burst, n;
	uint64_t last = rte_rdtsc();

	while (phase_of(pair) == phase) {
		n = ops->forward(&ports[0], &ports[1], burst);
		last = poll_end(seen, last, n);
		n = ops->forward(&ports[1], &ports[0], burst);
		last = poll_end(seen, last, n);
	}
}

static int
forward_worker(void *arg)
{
	struct pair *pair = arg;
	struct worker unseen = {0};
	enum pair_phase phase;
	uint64_t user;

	while ((phase = phase_of(pair)) != PAIR_OVER) {
		user = cpu_thread_user();
		forward_in_phase(pair, phase, phase == PAIR_MEASURED ? &pair->seen : &unseen);
		if (phase == PAIR_MEASURED)
			pair->user_ns += cpu_thread_user() - user;
	}
	return 0;
}

static void *
forward_main(void *arg)
{
	run_workers(forward_worker, arg, sizeof(struct pair), 1);
	return NULL;
}

void
pair_start(struct pair *pair, struct port *ports)
{
	memset(pair, 0, sizeof(*pair));
	pair->ports = ports;
	pair->forwards = ports[0].path->ops->forward != NULL;
	if (pair->forwards && pthread_create(&pair->forwarder, NULL, forward_main, pair) != 0)
		die("cannot start a thread");
}

/*
 * The programs that talk
 */

struct end {
	void *(*run)(void *);
	void *arg;
	unsigned int workers;
};

static void *
end_main(void *arg)
{
	struct end end = *(struct end *)arg;

	free(arg);
	leave_workers_alone(end.workers);
	return end.run(end.arg);
}

void
pair_add_end(struct pair *pair, void *(*run)(void *), void *arg)
{
	struct end *end = malloc(sizeof(*end));

	if (end == NULL || pair->nb_ends == PAIR_ENDS_MAX)
		die("out of memory");
	*end = (struct end){ run, arg, pair->forwards };
	if (pthread_create(&pair->ends[pair->nb_ends++], NULL, end_main, end) != 0)
		die("cannot start a thread");
}

static uint64_t
ends_ns(const struct pair *pair)
{
	uint64_t ns = 0;
	unsigned int i;

	for (i = 0; i < pair->nb_ends; i++)
		ns += cpu_of_thread(pair->ends[i]);
	return ns;
}

void
pair_join_ends(struct pair *pair)
{
	unsigned int i;

	rte_atomic_store_explicit(&pair->stop, true, rte_memory_order_relaxed);
	for (i = 0; i < pair->nb_ends; i++)
		pthread_join(pair->ends[i], NULL);
	pair->nb_ends = 0;
}

/*
 * Measuring
 */

void
pair_begin(struct pair *pair)
{
	cpu_start(&pair->meter);
	pair->ends_ns = ends_ns(pair);
	enter_phase(pair, PAIR_MEASURED);
}

void
pair_end(struct pair *pair)
{
	pair->cpu = cpu_stop(&pair->meter);
	pair->ends_ns = ends_ns(pair) - pair->ends_ns;
	enter_phase(pair, PAIR_COOL);
}

/*
 * User time is counted by the application's own thread, and what else it spends is spent in the
 * kernel: its system calls, and signals and interrupt threads of its drivers.
 */
static void
set_cpu_times(const struct pair *pair, uint64_t bytes, struct result *result)
{
	struct cpu_times app = {
		.all = pair->cpu.all - RTE_MIN(pair->cpu.all, pair->ends_ns),
		.user = pair->user_ns,
		.threads = pair->cpu.threads,
	};

	result->value[M_CPU_GB] = (double)pair->cpu.all / bytes;
	result->value[M_THREADS_GB] = (double)app.threads / bytes;
	if (!pair->forwards)
		return;
	result->value[M_USER_GB] = (double)app.user / bytes;
	result->value[M_SYSTEM_GB] = (double)cpu_system(&app) / bytes;
}

void
pair_stop(struct pair *pair, uint64_t bytes, struct result *result)
{
	pair_join_ends(pair);
	if (pair->forwards) {
		enter_phase(pair, PAIR_OVER);
		pthread_join(pair->forwarder, NULL);
		if (pair->seen.spent != 0)
			result->value[M_EMPTY] = 100.0 * pair->seen.empty / pair->seen.spent;
	}
	if (bytes != 0)
		set_cpu_times(pair, bytes, result);
}

/*
 * Sockets
 */

struct sockaddr_in
pair_address(uint32_t addr, uint16_t number)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = rte_cpu_to_be_32(addr),
		.sin_port = rte_cpu_to_be_16(number),
	};
}

void
pair_set_timeout(int sock, unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}
