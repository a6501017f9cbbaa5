/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* The command line. What is wrong with it is said before anything is done. */

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "results.h"

#define ROUNDS_DEFAULT 5
#define ROUNDS_BRIEF 3
#define MS_DEFAULT 70
#define MS_MAX 60000
/* The smallest of IPv4 (RFC 791), and that of the largest frame */
#define MTU_MIN 68
#define MTU_MAX (KPERF_FRAME_MAX - RTE_ETHER_HDR_LEN)
/* Huge pages that all ports of a case need together, in KiB */
#define HUGE_KB (512 << 10)

bool
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
print_help(void)
{
	printf("kpath-perf: which path between a DPDK application and the Linux kernel is best, here\n"
		"\n"
		"  sudo kpath-perf [OPTION]...\n"
		"\n"
		"Without options, all paths that this machine can run are measured side by side (TAP,\n"
		"rTAP, virtio-user with vhost-net, AF_PACKET, AF_XDP, PCAP, and the kernel alone), one\n"
		"table shows the result, and what cannot run is listed with the reason and a remedy.\n"
		"\n"
		"What is measured\n"
		"  --paths=A,B      only these paths; see --list\n"
		"  --tests=A,B      only these tests; see --list\n"
		"  --only=WORDS     only cases with these words, such as 'offloads off'; see --list\n"
		"  --offloads=A,B   only these offloads of TCP: off, csum (checksums), all (and TSO, LRO)\n"
		"  --mtu=N          MTU of all interfaces, and largest frame: %u to %u\n"
		"                   (default 1500, and 9004 where frames go one way)\n"
		"  --brief          the short form: fewer cases, %u rounds\n"
		"  --bench          the benchmark of the driver: bare loops, trials, many sizes\n"
		"\n"
		"How it is measured\n"
		"  --rounds=N       measure each path N times, in turns (default %u; at most %u)\n"
		"  --duration=MS    of a measurement, in ms (default %u; at most %u)\n"
		"  --cpus=LIST      use these CPUs, such as 0-3,8 (default: all that it may use)\n"
		"  --no-huge        do without huge pages (the default if too few are free)\n"
		"\n"
		"What comes out\n"
		"  --json=FILE      write all results there as well\n"
		"  --report=DIR     write a page with plots to DIR/index.html\n"
		"  --flent=FILE     write latency under load to FILE-PATH.flent, for flent's plots\n"
		"  --details        a table for each case as well: all that was measured\n"
		"  --features       show what each path does and how, as far as that can be seen\n"
		"  --self-test      check on each path whether its numbers can be trusted, here\n"
		"  --list           show paths, whether they can run here, cases and the time they take\n"
		"  --help           show this\n"
		"\n"
		"Examples\n"
		"  sudo kpath-perf --brief\n"
		"  sudo kpath-perf --paths=rtap,virtio_user,veth --tests=tcp --rounds=11\n"
		"  sudo kpath-perf --cpus=2,3 --mtu=9000 --offloads=off,all --json=paths.json\n"
		"\n"
		"Interfaces and traffic are in network namespaces of this process, and go with it.\n"
		"A value may follow its option after a space as well.\n"
		"\n"
		"Exit status: 0 if it was measured, 1 after an error, 2 if an option is wrong,\n"
		"77 if no path can be measured here.\n",
		MTU_MIN, MTU_MAX, ROUNDS_BRIEF, ROUNDS_DEFAULT, KPERF_ROUNDS_MAX, MS_DEFAULT,
		MS_MAX);
}

void
refuse(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "kpath-perf: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(2);
}

static unsigned int
number(const char *name, const char *text, unsigned int min, unsigned int max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (isdigit((unsigned char)*text) == 0 || *end != '\0' || value < min || value > max)
		refuse("--%s: '%s' is not a number from %u to %u", name, text, min, max);
	return value;
}

/* Every name must be one that there is, and there must be one. */
static const char *
names(const char *option, const char *text, bool (*known)(const char *))
{
	char *copy = strdup(text), *save, *name;
	unsigned int n = 0;

	if (copy == NULL)
		die("out of memory");
	for (name = strtok_r(copy, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
		if (!known(name))
			refuse("--%s: '%s' is not known; see --list and --help", option, name);
		n++;
	}
	free(copy);
	if (n == 0)
		refuse("--%s: no name is given; see --list and --help", option);
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

static bool
is_offload(const char *name)
{
	unsigned int i;

	for (i = 0; i < OFFLOAD_MAX; i++)
		if (strcmp(offload_names[i], name) == 0)
			return true;
	return false;
}

/* Better now than after all was measured. */
static const char *
output(const char *option, const char *file)
{
	char *copy = strdup(file);
	struct stat info;

	if (copy == NULL)
		die("out of memory");
	if (stat(file, &info) == 0) {
		if (S_ISDIR(info.st_mode))
			refuse("--%s: %s is a directory", option, file);
		if (access(file, W_OK) != 0)
			refuse("--%s: %s: %s", option, file, strerror(errno));
	} else if (*file == '\0' || access(dirname(copy), W_OK | X_OK) != 0) {
		refuse("--%s: '%s' cannot be written: %s", option, file, strerror(errno));
	}
	free(copy);
	return file;
}

/* Enough for all ports of a case? Of the size that DPDK prefers here. */
static bool
has_huge_pages(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long nb = 0, kb = 0;
	char line[128];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		sscanf(line, "HugePages_Free: %lu", &nb);
		sscanf(line, "Hugepagesize: %lu", &kb);
	}
	if (file != NULL)
		fclose(file);
	return nb * kb >= HUGE_KB;
}

struct options
options_parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "bench", no_argument, NULL, 'B' },
		{ "brief", no_argument, NULL, 'b' },
		{ "tests", required_argument, NULL, 't' },
		{ "paths", required_argument, NULL, 'p' },
		{ "only", required_argument, NULL, 'o' },
		{ "offloads", required_argument, NULL, 'f' },
		{ "mtu", required_argument, NULL, 'm' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "details", no_argument, NULL, 'D' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "duration", required_argument, NULL, 'd' },
		{ "json", required_argument, NULL, 'j' },
		{ "report", required_argument, NULL, 'R' },
		{ "flent", required_argument, NULL, 'F' },
		{ "no-huge", no_argument, NULL, 'n' },
		{ "features", no_argument, NULL, 'S' },
		{ "self-test", no_argument, NULL, 's' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .ms = MS_DEFAULT, .huge = true, .argc = argc, .argv = argv };
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (c) {
		case 'B': o.set = SET_BENCH; o.details = true; break;
		case 'b': o.brief = true; break;
		case 't': o.tests = names("tests", optarg, is_test); break;
		case 'p': o.paths = names("paths", optarg, is_path); break;
		case 'f': o.offloads = names("offloads", optarg, is_offload); break;
		case 'o': o.only = optarg; break;
		case 'm': o.mtu = number("mtu", optarg, MTU_MIN, MTU_MAX); break;
		case 'c': o.cpus = optarg; break;
		case 'r':
			o.rounds = number("rounds", optarg, 1, KPERF_ROUNDS_MAX);
			o.rounds_given = true;
			break;
		case 'd':
			o.ms = number("duration", optarg, 1, MS_MAX);
			o.ms_given = true;
			break;
		case 'j': o.json = output("json", optarg); break;
		case 'R': o.report = optarg; break;
		case 'D': o.details = true; break;
		case 'F': o.flent = output("flent", optarg); break;
		case 'n': o.huge = false; break;
		case 'S': o.features = true; break;
		case 's': o.self_test = true; break;
		case 'l': o.list = true; break;
		case 'h': print_help(); exit(EXIT_SUCCESS);
		default: fprintf(stderr, "See kpath-perf --help.\n"); exit(2);
		}
	}
	if (optind < argc)
		refuse("what is '%s'? See --help", argv[optind]);
	if (!o.rounds_given)
		o.rounds = o.brief && o.set == SET_PATHS ? ROUNDS_BRIEF : ROUNDS_DEFAULT;
	o.huge = o.huge && !o.list && has_huge_pages();
	return o;
}
