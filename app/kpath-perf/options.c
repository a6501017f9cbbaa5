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
		"  --json=FILE      write all results there as well, after each case\n"
		"  --report=DIR     write a page with plots to DIR/index.html\n"
		"  --flent=FILE     write latency under load to FILE-PATH.flent, for flent's plots\n"
		"  --details        a table for each case as well: all that was measured\n"
		"\n"
		"What is done instead\n"
		"  --list           show paths, whether they can run here, cases and the time they take\n"
		"  --features       show what each path does and how, as far as that can be seen\n"
		"                   (with --paths, --json)\n"
		"  --self-test      check on each path whether its numbers can be trusted, here\n"
		"                   (with --paths)\n"
		"  --help           show this\n"
		"\n"
		"Examples\n"
		"  sudo kpath-perf --brief\n"
		"  sudo kpath-perf --paths=rtap,virtio_user,veth --tests=tcp --rounds=11\n"
		"  sudo kpath-perf --cpus=2,3 --mtu=9000 --offloads=off,all --json=paths.json\n"
		"\n"
		"Interfaces and traffic are in network namespaces of this process, and go with it.\n"
		"Ctrl-C ends it, and shows what was measured until then.\n"
		"A value may follow its option after a space as well.\n"
		"\n"
		"Exit status: 0 if it was measured, 1 after an error, 2 if an option is wrong,\n"
		"77 if no path can be measured here, 130 and 143 after Ctrl-C and SIGTERM.\n",
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

/*
 * Lists of names: each is one of those that there are. The nth of these, NULL after the last.
 */

static const char *
nth_path(unsigned int n)
{
	return n < nb_paths ? paths[n].name : NULL;
}

/* Tests are known by their cases: each set has those of a test one after the other. */
static const char *
nth_test(unsigned int n)
{
	const struct test *last = NULL;
	unsigned int i;

	for (i = 0; i < nb_cases && cases[i].set == cases[0].set; i++) {
		if (cases[i].test != last && n-- == 0)
			return cases[i].test->name;
		last = cases[i].test;
	}
	return NULL;
}

static const char *
nth_offload(unsigned int n)
{
	return n < OFFLOAD_MAX ? offload_names[n] : NULL;
}

/* The same, as one string that the caller frees */
static char *
all_names(const char *(*nth)(unsigned int))
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);
	unsigned int n;

	if (out == NULL)
		die("out of memory");
	for (n = 0; nth(n) != NULL; n++)
		fprintf(out, "%s%s", n == 0 ? "" : ", ", nth(n));
	fclose(out);
	return text;
}

static bool
is_name(const char *name, const char *(*nth)(unsigned int))
{
	unsigned int n;

	for (n = 0; nth(n) != NULL; n++)
		if (strcmp(nth(n), name) == 0)
			return true;
	return false;
}

static const char *
names(const char *option, const char *text, const char *(*nth)(unsigned int))
{
	char *copy = strdup(text), *save, *name;
	unsigned int n = 0;

	if (copy == NULL)
		die("out of memory");
	for (name = strtok_r(copy, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
		if (!is_name(name, nth))
			refuse("--%s: '%s' is not known; known are %s", option, name,
				all_names(nth));
		if (listed(text + (name - copy) + strlen(name), name, ","))
			refuse("--%s: '%s' is named twice", option, name);
		n++;
	}
	free(copy);
	if (n == 0)
		refuse("--%s: no name is given; known are %s", option, all_names(nth));
	return text;
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

/*
 * What options there are, and where they have an effect: one without is a mistake.
 */

#define MEASURE RTE_BIT32(MODE_MEASURE)
#define PLAN (MEASURE | RTE_BIT32(MODE_LIST))
#define FEATURES RTE_BIT32(MODE_FEATURES)
#define ALWAYS UINT32_MAX

static const struct {
	const char *name;
	int letter;		/* in options_parse() */
	int has_value;
	uint32_t modes;
} known[] = {
	{ "paths", 'p', required_argument, ALWAYS },
	{ "tests", 't', required_argument, PLAN },
	{ "only", 'o', required_argument, PLAN },
	{ "offloads", 'f', required_argument, PLAN },
	{ "mtu", 'm', required_argument, PLAN },
	{ "brief", 'b', no_argument, PLAN },
	{ "bench", 'B', no_argument, PLAN },
	{ "rounds", 'r', required_argument, PLAN },
	{ "duration", 'd', required_argument, PLAN },
	{ "cpus", 'c', required_argument, ALWAYS },
	{ "no-huge", 'n', no_argument, ALWAYS },
	{ "json", 'j', required_argument, MEASURE | FEATURES },
	{ "report", 'R', required_argument, MEASURE },
	{ "flent", 'F', required_argument, MEASURE },
	{ "details", 'D', no_argument, MEASURE },
	{ "features", 'S', no_argument, ALWAYS },
	{ "self-test", 's', no_argument, ALWAYS },
	{ "list", 'l', no_argument, ALWAYS },
	{ "help", 'h', no_argument, ALWAYS },
};

static const char * const mode_names[] = {
	[MODE_LIST] = "list",
	[MODE_FEATURES] = "features",
	[MODE_SELF_TEST] = "self-test",
};

static void
set_mode(struct options *o, enum run_mode mode)
{
	if (o->mode != MODE_MEASURE && o->mode != mode)
		refuse("--%s and --%s exclude each other: run it once with each",
			mode_names[o->mode], mode_names[mode]);
	o->mode = mode;
}

/* Given: a bit for each row of the table. */
static void
check_modes(const struct options *o, uint32_t given)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(known); i++)
		if ((given & RTE_BIT32(i)) != 0 && (known[i].modes & RTE_BIT32(o->mode)) == 0)
			refuse("--%s has no effect with --%s: leave out one of them",
				known[i].name, mode_names[o->mode]);
}

/* What looks at ports needs a path that has some. */
static void
check_paths(const struct options *o)
{
	unsigned int i;

	if (o->paths == NULL || (o->mode != MODE_FEATURES && o->mode != MODE_SELF_TEST))
		return;
	for (i = 0; i < nb_paths; i++)
		if (listed(o->paths, paths[i].name, ",") && (paths[i].ops == &dpdk_ops ||
		    (paths[i].ops == &veth_ops && o->mode == MODE_SELF_TEST)))
			return;
	refuse("--%s is about DPDK's ports, and --paths=%s has none: name a path with a driver,"
		" or leave --paths out", mode_names[o->mode], o->paths);
}

static void
set_option(struct options *o, int letter)
{
	switch (letter) {
	case 'B': o->set = SET_BENCH; o->details = true; break;
	case 'b': o->brief = true; break;
	case 't': o->tests = names("tests", optarg, nth_test); break;
	case 'p': o->paths = names("paths", optarg, nth_path); break;
	case 'f': o->offloads = names("offloads", optarg, nth_offload); break;
	case 'o': o->only = optarg; break;
	case 'm': o->mtu = number("mtu", optarg, MTU_MIN, MTU_MAX); break;
	case 'c': o->cpus = optarg; break;
	case 'r':
		o->rounds = number("rounds", optarg, 1, KPERF_ROUNDS_MAX);
		o->rounds_given = true;
		break;
	case 'd':
		o->ms = number("duration", optarg, 1, MS_MAX);
		o->ms_given = true;
		break;
	case 'j': o->json = output("json", optarg); break;
	case 'R': o->report = optarg; break;
	case 'D': o->details = true; break;
	case 'F': o->flent = output("flent", optarg); break;
	case 'n': o->huge = false; break;
	case 'S': set_mode(o, MODE_FEATURES); break;
	case 's': set_mode(o, MODE_SELF_TEST); break;
	case 'l': set_mode(o, MODE_LIST); break;
	case 'h': print_help(); exit(EXIT_SUCCESS);
	default: fprintf(stderr, "See kpath-perf --help.\n"); exit(2);
	}
}

struct options
options_parse(int argc, char **argv)
{
	struct options o = { .ms = MS_DEFAULT, .huge = true, .argc = argc, .argv = argv };
	struct option table[RTE_DIM(known) + 1] = {0};
	uint32_t given = 0;
	unsigned int i;
	int letter;

	for (i = 0; i < RTE_DIM(known); i++)
		table[i] = (struct option){ known[i].name, known[i].has_value, NULL,
			known[i].letter };
	while ((letter = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		for (i = 0; i < RTE_DIM(known); i++) {
			if (known[i].letter != letter)
				continue;
			if (optarg != NULL && *optarg == '\0')
				refuse("--%s: nothing is given; see --help", known[i].name);
			given |= RTE_BIT32(i);
		}
		set_option(&o, letter);
	}
	if (optind < argc)
		refuse("what is '%s'? See --help", argv[optind]);
	check_modes(&o, given);
	check_paths(&o);
	if (!o.rounds_given)
		o.rounds = o.brief ? ROUNDS_BRIEF : ROUNDS_DEFAULT;
	o.huge = o.huge && o.mode != MODE_LIST && has_huge_pages();
	return o;
}
