/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>

#include "results.h"

#define TXQLEN 4096

void
die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	/* Progress may be in that line. */
	fprintf(stderr, "%skpath-perf: ", isatty(STDERR_FILENO) != 0 ? "\r\033[K" : "");
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	_exit(EXIT_FAILURE);
}

/*
 * Ports
 */

static void
open_kernel_end(struct port *port, const struct test *test, int ns)
{
	const struct params *params = port->params;

	port->ifindex = net_index(port->ifname);
	if (ns != net_home) {
		net_move(port->ifname, ns);
		net_enter(ns);
	}
	net_set_up(port->ifname, params->gso ? 0 : params_mtu(params),
		test->default_queue ? 0 : TXQLEN);
	net_add_addr(port->ifname, port->addr);
	net_get_mac(port->ifname, &port->mac);
	if (ns == net_home) {
		port->packet_sock = net_packet_socket(port->ifindex, 0,
			params->gso ? PACKET_HDR : 0);
		if (params->to == TO_SOCKET)
			port->udp_sock = net_udp_socket(port->addr, 9);
	}
	net_enter(net_home);
}

static void
close_port(struct port *port)
{
	if (port->packet_sock >= 0)
		close(port->packet_sock);
	if (port->udp_sock >= 0)
		close(port->udp_sock);
	port->path->ops->close(port);
}

/*
 * A subnet for each path of a case, two ports in each. Names of interfaces are used once: the
 * kernel may let go of one late.
 */
static int
open_port(struct port *port, const struct path *path, const struct bench_case *c,
		unsigned int subnet, unsigned int pair, unsigned int end)
{
	const struct params *params = &c->params;

	*port = (struct port){
		.path = path,
		.params = params,
		.sleeps = c->test->sleeps,
		.paired = c->test->pair,
		.number = 2 * pair + end,
		.addr = (10U << 24) + ((1 + subnet) << 8) + 1 + end,
		.packet_sock = -1,
		.udp_sock = -1,
	};
	snprintf(port->ifname, sizeof(port->ifname), "kp%u", port->number);
	snprintf(port->app_ifname, sizeof(port->app_ifname), "kp%ua", port->number);
	if (params->len > (path->frame_max != 0 ? path->frame_max : KPERF_FRAME_MAX)) {
		port->why = "takes no frames of that size";
		return -1;
	}
	return path->ops->open(port);
}

static bool
connect_ports(struct port ports[2])
{
	const struct path_ops *ops = ports[0].path->ops;

	if (ops->connect(&ports[0], &ports[1]) != 0)
		return false;
	if (ops->connect(&ports[1], &ports[0]) != 0) {
		ports[0].why = ports[1].why;
		return false;
	}
	return true;
}

bool
open_ports(struct port ports[2], const struct bench_case *c, const struct path *path,
		const struct path *second, unsigned int subnet)
{
	const struct path *ends[2] = { path, second };
	static unsigned int pair;
	unsigned int i;

	for (i = 0; i < RTE_DIM(ends); i++) {
		ports[0].why = available(ends[i])->why;
		if (ports[0].why != NULL)
			return false;
	}
	/* Workers that share a CPU would measure something else. */
	if (c->params.queues > nb_cpus()) {
		ports[0].why = "needs more CPUs than there are: one for each queue";
		return false;
	}
	pair++;
	if (open_port(&ports[0], path, c, subnet, pair, 0) != 0)
		return false;
	if (c->test->pair && open_port(&ports[1], second, c, subnet, pair, 1) != 0) {
		ports[0].why = ports[1].why;
		path->ops->close(&ports[0]);
		return false;
	}
	if (c->test->pair && path->ops->connect != NULL && !connect_ports(ports)) {
		path->ops->close(&ports[1]);
		path->ops->close(&ports[0]);
		return false;
	}
	open_kernel_end(&ports[0], c->test, net_home);
	if (c->test->pair)
		open_kernel_end(&ports[1], c->test, net_far);
	return true;
}

void
close_path(struct port ports[2], const struct bench_case *c)
{
	unsigned int nb = c->test->pair ? 2 : 1, i;

	for (i = 0; i < nb && ports[0].path->ops->stop != NULL; i++)
		ports[i].path->ops->stop(&ports[i]);
	for (i = nb; i-- > 0;)
		close_port(&ports[i]);
}

/* Is there a path that can be measured? */
static bool
is_possible(void)
{
	unsigned int i, j;

	for (i = 0; i < plan_size(); i++)
		for (j = 0; j < nb_paths; j++)
			if (plan_has(plan_case(i), &paths[j]) && available(&paths[j])->why == NULL)
				return true;
	return false;
}

/* 77, as tests say it: what is not to be had here is no fault of the paths. */
static int
give_up(void)
{
	fprintf(stderr, "kpath-perf: no path can be measured here\n");
	summary_missing(stderr);
	return 77;
}

int
main(int argc, char **argv)
{
	struct options options = options_parse(argc, argv);
	int namespaces, ret = EXIT_SUCCESS;

	signal(SIGPIPE, SIG_IGN);
	threads_init(options.cpus);
	trace_init();
	namespaces = net_init();
	threads_divert_signals(run_interrupted);
	threads_start_eal(options.huge);
	available_probe(namespaces);
	plan_make(&options);
	if (options.mode == MODE_LIST)
		summary_list(&options);
	else if (!is_possible())
		ret = give_up();
	else if (options.mode == MODE_FEATURES)
		ret = features_run(&options);
	else if (options.mode == MODE_SELF_TEST)
		ret = selftest_run(&options);
	else
		run_plan(&options);
	plan_free();
	available_free();
	rte_eal_cleanup();
	return ret;
}
