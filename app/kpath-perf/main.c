/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "kperf.h"

#define ROUNDS_DEFAULT 5
#define MS_DEFAULT 100
#define TXQLEN 4096
#define SETTLE_US 15000

struct options {
	bool brief;
	unsigned int rounds;
	unsigned int ms;
	const char *json;
	const char *tests;	/* names, separated by commas */
	const char *paths;
	const char *only;	/* words of the case */
	bool huge;
};

void
die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "kpath-perf: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	_exit(EXIT_FAILURE);
}

/*
 * Threads: lcore 0 coordinates and floats, the workers have a CPU each, as far as there are enough
 */

static cpu_set_t all_cpus;

static int
nth_cpu(unsigned int n)
{
	int cpu;

	n %= CPU_COUNT(&all_cpus);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all_cpus) && n-- == 0)
			return cpu;
	return 0;
}

int
helper_cpu(void)
{
	return nth_cpu(CPU_COUNT(&all_cpus) - 1);
}

void
leave_workers_alone(unsigned int n)
{
	cpu_set_t cpus = all_cpus;
	unsigned int i;

	for (i = 0; i < n; i++)
		CPU_CLR(nth_cpu(i), &cpus);
	if (CPU_COUNT(&cpus) == 0)
		cpus = all_cpus;
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
}

void
run_workers(int (*run)(void *), void *args, size_t size, unsigned int n)
{
	unsigned int lcore = 0, i;

	for (i = 0; i < n; i++) {
		lcore = rte_get_next_lcore(i == 0 ? (unsigned int)-1 : lcore, 1, 0);
		if (rte_eal_remote_launch(run, (char *)args + i * size, lcore) != 0)
			die("a worker is busy");
	}
	for (i = 0, lcore = 0; i < n; i++) {
		lcore = rte_get_next_lcore(i == 0 ? (unsigned int)-1 : lcore, 1, 0);
		/* rte_eal_wait_lcore() spins, on a CPU that others need. */
		while (rte_eal_get_lcore_state(lcore) != WAIT)
			usleep(200);
		rte_eal_wait_lcore(lcore);
	}
}

static void
start_eal(const struct options *options)
{
	static const char * const constant[] = {
		"kpath-perf", "--no-pci", "--no-telemetry", "--log-level=*:critical", "-m", "512",
	};
	static char lcores[8192];
	char *args[RTE_DIM(constant) + 3];
	unsigned int n, i;
	int len;

	for (n = 0; n < RTE_DIM(constant); n++)
		args[n] = strdup(constant[n]);
	args[n++] = strdup(options->huge ? "--in-memory" : "--no-huge");
	if (!options->huge)
		args[n++] = strdup("--no-shconf");
	args[n++] = lcores;
	len = snprintf(lcores, sizeof(lcores), "--lcores=0@(");
	for (i = 0; i < (unsigned int)CPU_COUNT(&all_cpus); i++)
		len += snprintf(lcores + len, sizeof(lcores) - len, "%s%d", i == 0 ? "" : ",",
			nth_cpu(i));
	len += snprintf(lcores + len, sizeof(lcores) - len, ")");
	for (i = 0; i < KPERF_QUEUES_MAX; i++)
		len += snprintf(lcores + len, sizeof(lcores) - len, ",%u@%d", i + 1, nth_cpu(i));
	if (rte_eal_init(n, args) < 0)
		die("DPDK does not start; without huge pages, use --no-huge");
}

/*
 * net_tap has the kernel send a signal for each packet, to any thread that does not block it. Here
 * that is one that does nothing else, as testpmd's main thread: not the one that measures.
 */
static void *
signals_main(void *arg)
{
	leave_workers_alone(1);
	pthread_sigmask(SIG_UNBLOCK, arg, NULL);
	for (;;)
		pause();
	return NULL;
}

static void
divert_signals(void)
{
	static sigset_t signals;
	pthread_t thread;
	int sig;

	sigemptyset(&signals);
	sigaddset(&signals, SIGIO);
	for (sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		sigaddset(&signals, sig);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (pthread_create(&thread, NULL, signals_main, &signals) != 0)
		die("cannot start a thread");
}

/*
 * Ports
 */

/* Is name among these, separated by the given characters? */
static bool
listed(const char *names, const char *name, const char *separators)
{
	size_t len = strlen(name), n;

	for (; *names != '\0'; names += n + (names[n] != '\0')) {
		n = strcspn(names, separators);
		if (n == len && strncmp(names, name, n) == 0)
			return true;
	}
	return false;
}

static void
open_kernel_end(struct port *port, int ns)
{
	const struct params *params = port->params;
	uint32_t mtu = RTE_MAX(1500U, params->len - 14);
	unsigned int i;

	port->ifindex = net_index(port->ifname);
	if (ns != net_home) {
		net_move(port->ifname, ns);
		net_enter(ns);
	}
	net_set_up(port->ifname, params->gso ? 0 : mtu, TXQLEN);
	net_add_addr(port->ifname, port->addr);
	net_get_mac(port->ifname, &port->mac);
	if (ns == net_home) {
		port->packet_sock = net_packet_socket(port->ifindex, params->gso);
		for (i = 0; i < params->queues && params->to == TO_SOCKET; i++)
			port->udp_socks[i] = net_udp_socket(port->addr, 9);
	}
	net_enter(net_home);
}

static void
close_port(struct port *port)
{
	unsigned int i;

	if (port->packet_sock >= 0)
		close(port->packet_sock);
	for (i = 0; i < KPERF_QUEUES_MAX; i++)
		if (port->udp_socks[i] > 0)
			close(port->udp_socks[i]);
	port->path->ops->close(port);
}

/*
 * A subnet for each path of a case, two ports in each. Names of interfaces are used once: the
 * kernel may let go of one late.
 */
static int
open_port(struct port *port, const struct path *path, const struct params *params,
		unsigned int subnet, unsigned int pair, unsigned int end)
{
	*port = (struct port){
		.path = path,
		.params = params,
		.number = 2 * pair + end,
		.addr = (10U << 24) + ((1 + subnet) << 8) + 1 + end,
		.packet_sock = -1,
	};
	snprintf(port->ifname, sizeof(port->ifname), "kp%u", port->number);
	snprintf(port->app_ifname, sizeof(port->app_ifname), "kp%ua", port->number);
	if (params->len > (path->frame_max != 0 ? path->frame_max : KPERF_FRAME_MAX)) {
		port->why = "takes no frames of that size";
		return -1;
	}
	return path->ops->open(port);
}

/* All ports of a path; returns whether it can be measured. */
static bool
open_path(struct port ports[2], const struct bench_case *c, const struct path *path,
		unsigned int subnet)
{
	static unsigned int pair;

	pair++;
	if (open_port(&ports[0], path, &c->params, subnet, pair, 0) != 0)
		return false;
	if (c->test->pair && open_port(&ports[1], path, &c->params, subnet, pair, 1) != 0) {
		ports[0].why = ports[1].why;
		path->ops->close(&ports[0]);
		return false;
	}
	open_kernel_end(&ports[0], net_home);
	if (c->test->pair)
		open_kernel_end(&ports[1], net_far);
	return true;
}

static void
close_path(struct port ports[2], const struct bench_case *c)
{
	if (c->test->pair)
		close_port(&ports[1]);
	close_port(&ports[0]);
}

/*
 * Cases
 */

static void
measure(struct port *ports, const struct bench_case *c, const struct options *options,
		struct result *result)
{
	unsigned int m;

	*result = (struct result){0};
	for (m = 0; m < M_MAX; m++)
		result->value[m] = NAN;
	c->test->measure(ports, options->ms * UINT64_C(1000000), result);
	/* Threads of the kernel's that worked for this path fall asleep before the next turn. */
	usleep(SETTLE_US);
}

/* A line that is written over; none when all is done, or nobody watches. */
static void
show_progress(const struct bench_case *c, unsigned int round, unsigned int rounds,
		const char *path)
{
	char words[128];

	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%-98s\r", "");
	if (c == NULL)
		return;
	params_print(words, sizeof(words), c);
	fprintf(stderr, "%u of %u: %s, %s: round %u of %u: %s", (unsigned int)(c - cases) + 1,
		nb_cases, c->test->name, words, round, rounds, path);
}

static void
run_case(struct report *report, const struct bench_case *c, const struct options *options)
{
	static struct series series[64];
	static struct port ports[64][2];
	unsigned int n = 0, i, round;

	for (i = 0; i < nb_paths; i++) {
		const struct path *path = &paths[i];

		if (!listed(c->paths, path->name, " ") ||
		    (options->paths != NULL && !listed(options->paths, path->name, ",")) ||
		    (path->ops->tx == NULL && !c->test->pair))
			continue;
		series[n] = (struct series){ .path = path };
		if (!open_path(ports[n], c, path, n))
			series[n].why = ports[n][0].why;
		n++;
	}
	for (round = 0; round < options->rounds; round++) {
		for (i = 0; i < n; i++) {
			if (series[i].why != NULL)
				continue;
			show_progress(c, round + 1, options->rounds, series[i].path->name);
			measure(ports[i], c, options, &series[i].rounds[series[i].n++]);
		}
	}
	show_progress(NULL, 0, 0, NULL);
	for (i = 0; i < n; i++)
		if (series[i].why == NULL)
			close_path(ports[i], c);
	report_case(report, c, series, n);
}

/* Cases that need more CPUs than there are would measure something else. */
static bool
wanted(const struct bench_case *c, const struct options *options)
{
	char words[128];

	params_print(words, sizeof(words), c);
	return (options->only == NULL || strstr(words, options->only) != NULL) &&
		(!options->brief || c->brief) &&
		(options->tests == NULL || listed(options->tests, c->test->name, ",")) &&
		c->params.queues <= CPU_COUNT(&all_cpus);
}

/*
 * Options
 */

static void
print_list(void)
{
	char words[128];
	unsigned int i;

	printf("Paths:\n");
	for (i = 0; i < nb_paths; i++)
		printf("  %-12s %s\n", paths[i].name, paths[i].what);
	printf("\nCases (*: also in the short form):\n");
	for (i = 0; i < nb_cases; i++) {
		params_print(words, sizeof(words), &cases[i]);
		printf("%c %-5s %s\n", cases[i].brief ? '*' : ' ', cases[i].test->name, words);
	}
}

static void
print_help(void)
{
	printf("kpath-perf: what the paths between an application and the kernel cost\n"
		"\n"
		"As root: kpath-perf [OPTION]...\n"
		"  --brief          the short form: fewer cases\n"
		"  --tests=A,B      only these tests: tx, rx, load, idle, rtt, tcp\n"
		"  --paths=A,B      only these paths, see --list\n"
		"  --only=WORDS     only cases with these words, see --list\n"
		"  --rounds=N       measure each path N times, in turns (default %u)\n"
		"  --duration=MS    so long each time (default %u)\n"
		"  --json=FILE      write the results there as well\n"
		"  --no-huge        do without huge pages\n"
		"  --list           show paths and cases\n"
		"  --help           show this\n"
		"\n"
		"All interfaces and all traffic are in network namespaces of this process.\n"
		"Exit status: 0, 1 after an error, 77 if nothing can be measured here.\n",
		ROUNDS_DEFAULT, MS_DEFAULT);
}

static unsigned int
number(const char *name, const char *text, unsigned int max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value == 0 || value > max)
		die("--%s: '%s' is not a number from 1 to %u", name, text, max);
	return value;
}

/* Every name must be one that there is. */
static const char *
names(const char *option, const char *text, bool (*known)(const char *))
{
	char *copy = strdup(text), *save, *name;

	for (name = strtok_r(copy, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save))
		if (!known(name))
			die("--%s: '%s' is not known; see --list", option, name);
	free(copy);
	return text;
}

static bool
is_test(const char *name)
{
	unsigned int i;

	for (i = 0; i < nb_cases; i++)
		if (strcmp(cases[i].test->name, name) == 0)
			return true;
	return false;
}

static bool
is_path(const char *name)
{
	unsigned int i;

	for (i = 0; i < nb_paths; i++)
		if (strcmp(paths[i].name, name) == 0)
			return true;
	return false;
}

static struct options
parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "brief", no_argument, NULL, 'b' },
		{ "tests", required_argument, NULL, 't' },
		{ "paths", required_argument, NULL, 'p' },
		{ "only", required_argument, NULL, 'o' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "duration", required_argument, NULL, 'd' },
		{ "json", required_argument, NULL, 'j' },
		{ "no-huge", no_argument, NULL, 'n' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .rounds = ROUNDS_DEFAULT, .ms = MS_DEFAULT, .huge = true };
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (c) {
		case 'b': o.brief = true; break;
		case 't': o.tests = names("tests", optarg, is_test); break;
		case 'p': o.paths = names("paths", optarg, is_path); break;
		case 'o': o.only = optarg; break;
		case 'r': o.rounds = number("rounds", optarg, KPERF_ROUNDS_MAX); break;
		case 'd': o.ms = number("duration", optarg, 60000); break;
		case 'j': o.json = optarg; break;
		case 'n': o.huge = false; break;
		case 'l': print_list(); exit(EXIT_SUCCESS);
		case 'h': print_help(); exit(EXIT_SUCCESS);
		default: exit(2);
		}
	}
	if (optind < argc)
		die("what is '%s'? See --help", argv[optind]);
	return o;
}

/* A TAP or a namespace that is not to be had is no fault of the paths. */
static void
skip_unless_possible(void)
{
	if (geteuid() != 0) {
		fprintf(stderr, "kpath-perf: needs root\n");
		exit(77);
	}
	if (access("/dev/net/tun", R_OK | W_OK) != 0) {
		fprintf(stderr, "kpath-perf: /dev/net/tun: %s\n", strerror(errno));
		exit(77);
	}
}

int
main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv);
	struct report *report;
	unsigned int i;

	skip_unless_possible();
	signal(SIGPIPE, SIG_IGN);
	if (sched_getaffinity(0, sizeof(all_cpus), &all_cpus) != 0)
		die("sched_getaffinity: %s", strerror(errno));
	trace_init();
	net_init();
	divert_signals();
	start_eal(&options);
	report = report_open(options.json, options.rounds, options.ms);
	for (i = 0; i < nb_cases; i++)
		if (wanted(&cases[i], &options))
			run_case(report, &cases[i], &options);
	report_close(report);
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
