/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

#define ROUNDS_DEFAULT 5
#define MS_DEFAULT 70

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
print_list(enum case_set set)
{
	char words[128];
	unsigned int i;

	printf("Paths:\n");
	for (i = 0; i < nb_paths; i++)
		printf("  %-12s %s\n", paths[i].name, paths[i].what);
	printf("\nCases (*: also in the short form):\n");
	for (i = 0; i < nb_cases; i++) {
		if (cases[i].set != set)
			continue;
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
		"  --bench          what the driver gains and loses: bare loops, trials, many sizes\n"
		"  --brief          the short form: fewer cases\n"
		"  --tests=A,B      only these tests: tx, rx, load, idle, wake, rtt, tcp\n"
		"  --paths=A,B      only these paths, see --list\n"
		"  --only=WORDS     only cases with these words, see --list\n"
		"  --rounds=N       measure each path N times, in turns (default %u)\n"
		"  --duration=MS    so long each time (default %u)\n"
		"  --json=FILE      write the results there as well\n"
		"  --no-huge        do without huge pages\n"
		"  --features       show what each path does, and how, as far as that can be seen\n"
		"  --self-test      check whether the numbers can be trusted, here\n"
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

struct options
options_parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "bench", no_argument, NULL, 'B' },
		{ "brief", no_argument, NULL, 'b' },
		{ "tests", required_argument, NULL, 't' },
		{ "paths", required_argument, NULL, 'p' },
		{ "only", required_argument, NULL, 'o' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "duration", required_argument, NULL, 'd' },
		{ "json", required_argument, NULL, 'j' },
		{ "no-huge", no_argument, NULL, 'n' },
		{ "features", no_argument, NULL, 'f' },
		{ "self-test", no_argument, NULL, 's' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .rounds = ROUNDS_DEFAULT, .ms = MS_DEFAULT, .huge = true };
	bool list = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (c) {
		case 'B': o.set = SET_BENCH; o.details = true; break;
		case 'b': o.brief = true; break;
		case 't': o.tests = names("tests", optarg, is_test); break;
		case 'p': o.paths = names("paths", optarg, is_path); break;
		case 'o': o.only = optarg; break;
		case 'r': o.rounds = number("rounds", optarg, KPERF_ROUNDS_MAX); break;
		case 'd': o.ms = number("duration", optarg, 60000); break;
		case 'j': o.json = optarg; break;
		case 'n': o.huge = false; break;
		case 'f': o.features = true; break;
		case 's': o.self_test = true; break;
		case 'l': list = true; break;
		case 'h': print_help(); exit(EXIT_SUCCESS);
		default: exit(2);
		}
	}
	if (optind < argc)
		die("what is '%s'? See --help", argv[optind]);
	if (list) {
		print_list(o.set);
		exit(EXIT_SUCCESS);
	}
	return o;
}
