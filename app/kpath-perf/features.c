/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * --features: what each path does, and how. What an open port adds to this process, its files and
 * its threads, tells what it is made of; all else is tried.
 */

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_packet.h>

#include "output.h"
#include "probe.h"

#define FILES_MAX 1024

struct features {
	const struct path *path;
	const char *why;
	char files[96], threads[96];
	struct probed probed;
};

/*
 * Files
 */

struct files {
	bool open[FILES_MAX];
};

static void
find_files(struct files *files)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	*files = (struct files){0};
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		unsigned long fd = strtoul(entry->d_name, NULL, 10);

		if (isdigit((unsigned char)entry->d_name[0]) != 0 && fd < FILES_MAX &&
		    (int)fd != dirfd(dir))
			files->open[fd] = true;
	}
	if (dir != NULL)
		closedir(dir);
}

/* Add a word to a list, once. */
static void
add_word(char *list, size_t size, const char *word)
{
	size_t len = strlen(list);
	const char *at = strstr(list, word);

	if (at == NULL)
		snprintf(list + len, size - len, "%s%s", len != 0 ? ", " : "", word);
}

/* Is a file of that name mapped? So says what a ring is made of. */
static bool
is_mapped(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];
	bool found = false;

	while (maps != NULL && !found && fgets(line, sizeof(line), maps) != NULL)
		found = strstr(line, name) != NULL;
	if (maps != NULL)
		fclose(maps);
	return found;
}

static const char *
describe_socket(int fd, const char *name)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	switch (domain) {
	case AF_PACKET: return is_mapped(name) ? "PACKET_MMAP" : "packet socket";
	case AF_XDP: return is_mapped(name) ? "AF_XDP rings" : "AF_XDP socket";
	default: return NULL;
	}
}

static const char *
describe_file(int fd)
{
	char link[64], name[PATH_MAX] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, name, sizeof(name) - 1) < 0)
		return NULL;
	if (strncmp(name, "socket:", 7) == 0)
		return describe_socket(fd, name);
	if (strcmp(name, "/dev/net/tun") == 0)
		return "tun file";
	if (strcmp(name, "/dev/vhost-net") == 0)
		return "virtqueue of vhost-net";
	if (strstr(name, "[io_uring]") != NULL)
		return "io_uring";
	return NULL;
}

/* What is new, but for the kernel's end of the port. */
static void
describe_files(const struct files *before, const struct port *port, char *text, size_t size)
{
	struct files now;
	const char *word;
	int fd;

	find_files(&now);
	for (fd = 0; fd < FILES_MAX; fd++) {
		if (!now.open[fd] || before->open[fd] || fd == port->packet_sock ||
		    fd == port->udp_sock)
			continue;
		word = describe_file(fd);
		if (word != NULL)
			add_word(text, size, word);
	}
	if (text[0] == '\0')
		snprintf(text, size, "none");
}

/*
 * Threads that the kernel makes for a port: some belong to this process, others are its own
 */

static bool
is_among(const unsigned int *threads, unsigned int n, unsigned int thread)
{
	unsigned int i;

	for (i = 0; i < n && threads[i] != thread; i++)
		;
	return i < n;
}

static void
describe_new(const unsigned int *now, unsigned int n, const unsigned int *before,
		unsigned int nb_before, char *text, size_t size)
{
	const char *kind;
	unsigned int i;

	for (i = 0; i < n; i++) {
		kind = is_among(before, nb_before, now[i]) ? NULL : cpu_thread_kind(now[i]);
		if (kind != NULL)
			add_word(text, size, kind);
	}
}

static void
describe_threads(const struct cpu_meter *before, char *text, size_t size)
{
	static struct cpu_meter now;
	bool seen = cpu_kernel_threads(&now) != 0;

	describe_new(now.threads, now.nb_threads, before->threads, before->nb_threads, text, size);
	describe_new(now.inside, now.nb_inside, before->inside, before->nb_inside, text, size);
	if (text[0] == '\0')
		snprintf(text, size, seen ? "none" : "none seen");
}

/*
 * A path
 */

struct probing {
	struct port *port;
	struct probed *probed;
};

static int
probe_worker(void *arg)
{
	const struct probing *p = arg;

	probe_port(p->port, p->probed);
	return 0;
}

/* A case that asks for Rx interrupts, for a port that offers all it can. */
static const struct test test_features = { .name = "features", .sleeps = true };
static const struct bench_case features_case = {
	.test = &test_features,
	.params = { 1514, 32, 1, .to = TO_SOCKET, .everything = true },
};

static void
find_features(struct features *f, unsigned int subnet)
{
	static struct files files;
	static struct cpu_meter threads;
	struct port ports[2];
	struct probing probing = { ports, &f->probed };

	find_files(&files);
	cpu_kernel_threads(&threads);
	if (!open_ports(ports, &features_case, f->path, f->path, subnet)) {
		f->why = ports[0].why;
		return;
	}
	run_workers(probe_worker, &probing, sizeof(probing), 1);
	describe_files(&files, ports, f->files, sizeof(f->files));
	describe_threads(&threads, f->threads, sizeof(f->threads));
	close_path(ports, &features_case);
}

/*
 * Showing it
 */

static const char * const seen_names[] = { "unknown", "no", "yes" };

struct row {
	const char *name;	/* for people */
	const char *key;	/* for programs */
	size_t text;		/* where in struct features; or */
	enum probe probe;	/* where text is 0 */
};

static const struct row rows[] = {
	{ "calls into the kernel", "tx_calls", offsetof(struct features, probed.tx_calls), 0 },
	{ "calls out of the kernel", "rx_calls", offsetof(struct features, probed.rx_calls), 0 },
	{ "made of", "made_of", offsetof(struct features, files), 0 },
	{ "threads of the kernel", "threads", offsetof(struct features, threads), 0 },
	{ "checksums left to the kernel", "csum_in", 0, PROBE_CSUM_IN },
	{ "checksums left to DPDK", "csum_out", 0, PROBE_CSUM_OUT },
	{ "segmentation left to the kernel (TSO)", "tso", 0, PROBE_TSO },
	{ "segmentation left to DPDK (LRO)", "lro", 0, PROBE_LRO },
	{ "time stamps", "timestamps", 0, PROBE_TIMESTAMP },
	{ "wakes a sleeping application", "wakes", 0, PROBE_WAKE },
};

static const char *
cell(const struct features *f, const struct row *row)
{
	if (row->text != 0)
		return (const char *)f + row->text;
	return seen_names[f->probed.seen[row->probe]];
}

static int
width(const struct features *f)
{
	size_t w = strlen(f->path->name), i;

	for (i = 0; i < RTE_DIM(rows); i++)
		w = RTE_MAX(w, strlen(cell(f, &rows[i])));
	return w;
}

static void
print_table(const struct features *all, unsigned int n)
{
	unsigned int i, r;

	printf("%-38s", "");
	for (i = 0; i < n; i++)
		if (all[i].why == NULL)
			printf("  %-*s", width(&all[i]), all[i].path->name);
	for (r = 0; r < RTE_DIM(rows); r++) {
		printf("\n%-38s", rows[r].name);
		for (i = 0; i < n; i++)
			if (all[i].why == NULL)
				printf("  %-*s", width(&all[i]), cell(&all[i], &rows[r]));
	}
	printf("\n");
	for (i = 0; i < n; i++)
		if (all[i].why != NULL)
			printf("%s: %s\n", all[i].path->name, all[i].why);
}

static void
print_differences(const struct features *all, unsigned int n)
{
	unsigned int i, r, differences = 0;

	printf("\nWhat drivers say of themselves, and what was seen:\n");
	for (i = 0; i < n; i++) {
		const struct probed *p = &all[i].probed;

		for (r = 0; all[i].why == NULL && r < RTE_DIM(rows); r++) {
			enum probe probe = rows[r].probe;

			if (rows[r].text != 0 || p->says[probe] == SEEN_UNKNOWN ||
			    p->seen[probe] == SEEN_UNKNOWN || p->says[probe] == p->seen[probe])
				continue;
			printf("  %s, %s: says %s, seen: %s\n", all[i].path->name, rows[r].name,
				seen_names[p->says[probe]], seen_names[p->seen[probe]]);
			differences++;
		}
	}
	if (differences == 0)
		printf("  no difference\n");
}

static void
write_json(const struct features *all, unsigned int n, const char *file)
{
	struct output output;
	unsigned int i, r;
	FILE *out;

	output_open(&output, file);
	out = output.file;
	fprintf(out, "{\"features\":[");
	for (i = 0; i < n; i++) {
		fprintf(out, "%s\n{\"path\":\"%s\"", i == 0 ? "" : ",", all[i].path->name);
		if (all[i].why != NULL)
			fprintf(out, ",\"why\":\"%s\"", all[i].why);
		for (r = 0; all[i].why == NULL && r < RTE_DIM(rows); r++) {
			fprintf(out, ",\"%s\":\"%s\"", rows[r].key, cell(&all[i], &rows[r]));
			if (rows[r].text == 0)
				fprintf(out, ",\"says_%s\":\"%s\"", rows[r].key,
					seen_names[all[i].probed.says[rows[r].probe]]);
		}
		fprintf(out, "}");
	}
	fprintf(out, "]}\n");
	output_close(&output);
}

int
features_run(const struct options *options)
{
	static struct features all[64];
	unsigned int i, n = 0, seen = 0;

	for (i = 0; i < nb_paths && n < RTE_DIM(all); i++) {
		bool has_port = paths[i].ops == &dpdk_ops;

		if (options->paths != NULL ? !listed(options->paths, paths[i].name, ",") :
		    !has_port)
			continue;
		all[n].path = &paths[i];
		if (has_port)
			find_features(&all[n], n);
		else
			all[n].why = "has no port of DPDK's";
		seen += all[n++].why == NULL;
	}
	print_table(all, n);
	print_differences(all, n);
	if (options->json != NULL)
		write_json(all, n, options->json);
	return seen != 0 ? EXIT_SUCCESS : 77;
}
