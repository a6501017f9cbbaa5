/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _RESULTS_H_
#define _RESULTS_H_

/* What was measured, and what is read out of it: medians, spread, ratios. */

#include <stdbool.h>
#include <stdio.h>

#include "kperf.h"

#define TIMELINE_LINES_MAX 24

/* A line of a plot over time: values of a moment, or of the time since the one before. */
struct timeline_line {
	char name[48];
	const char *unit;
	unsigned int n;
	float *seconds;		/* since the test began */
	float *values;		/* NAN: none */
};

/* All that a test saw over time. */
struct timeline {
	unsigned int n;
	char queue[64];		/* of the interface in home: net_describe_queue() */
	double start;		/* seconds since 1970 */
	double load_start, load_end;	/* seconds since the test began */
	struct timeline_line lines[TIMELINE_LINES_MAX];
};

/* Of each metric */
struct metric_info {
	const char *name;	/* in JSON */
	const char *unit;	/* in tables */
	int digits;
	bool less;		/* is better */
	const char *what;	/* in a line, for who reads it first */
};

extern const struct metric_info metric_infos[M_MAX];

/* All rounds of a path in a case. */
struct series {
	const struct path *path;
	const char *why;	/* not measured, in no round */
	const char *how;	/* what to do about that, NULL: nothing */
	unsigned int n;
	struct result rounds[KPERF_ROUNDS_MAX];
};

struct measured {
	const struct bench_case *bench_case;
	unsigned int n;
	struct series *series;	/* a row for each path */
};

/* All of a run, in the order of the cases. */
struct results {
	const struct options *options;
	bool complete;		/* else it was ended before */
	unsigned int planned;	/* cases */
	struct machine machine;
	unsigned int n;
	struct measured *cases;
};

/** Room for the results of a run of so many cases; the options must outlive them. */
struct results *results_new(const struct options *options, unsigned int planned);
/** Add a case with n series, which are copied. Returns it as it is kept. */
const struct measured *results_add(struct results *results, const struct bench_case *c,
		const struct series *series, unsigned int n);
void results_free(struct results *results);

struct summary {
	unsigned int n;		/* rounds in which it was measured */
	double median, low, high;	/* the middle half lies between the latter two */
	double values[KPERF_ROUNDS_MAX];	/* sorted */
};

/**
 * Say of a path why nothing was measured, if that is so in all of its rounds, and have it no
 * results. Where others succeeded, a round that failed stays as the test left it: 0 Gb/s.
 */
void series_end(struct series *s);
/** Of all rounds; NAN where nothing was measured. */
struct summary summarize(const struct series *s, enum metric metric);
/** The part of the median that the middle half is wide. */
double summary_spread(const struct summary *sum);
/** Is the spread so wide that the median is to be marked? */
bool summary_is_wide(const struct summary *sum);

/** Was the metric measured on any path of the case? */
bool is_measured(const struct measured *m, enum metric metric);
/** The series of a path; NULL if it is not among them. */
const struct series *find_series(const struct measured *m, const char *path);
/* What others are compared with */
#define YARDSTICK "net_tap"
const struct series *find_yardstick(const struct measured *m);
/** The kernel alone. Both are NULL if the case has no such path. */
const struct series *find_kernel(const struct measured *m);
/**
 * The best by the primary metric, of those that lose next to nothing; NULL if there is none. Of all
 * bare loops, it is the yardstick of the benchmark; of what one can choose, neither those nor the
 * kernel alone.
 */
const struct series *best_loop(const struct measured *m);
const struct series *best_choice(const struct measured *m);
/** How many times better than the other series; NAN where one was not measured, or is NULL. */
double times_better(enum metric metric, const struct series *s, const struct series *other);
/** Of all rounds, the one nearest to the median; NULL where nothing was measured. */
const struct result *typical_round(const struct series *s, enum metric metric);
/** Does the path lose so many packets that its figures are to be marked? */
bool is_lossy(const struct series *s);
/** Which side had no time left; NULL where none was meant to, and where nothing was measured. */
const char *saturated(const struct bench_case *c, const struct series *s);

/**
 * Percentiles of n times in ns, which are sorted here. The metrics are the given one and the two
 * after it: 50, 99 and 99.9 per cent, each if there are enough times: 10, 100 and 1000. What never
 * came is among the times, as long as it was waited for: else a path that loses the slow ones, or
 * any, would be the fastest.
 */
void result_set_times(struct result *result, enum metric p50, uint32_t *times, unsigned int n);
/** When a round that is planned to end at end, after duration, ends if it has n times so far. */
uint64_t result_times_end(uint64_t end, uint64_t duration, unsigned int n);
/**
 * CPU time per packet. others_ns of all is not for the packets: of threads that are not the
 * application's, or after the last packet. The user time is without it.
 */
void result_set_cpu(struct result *result, const struct cpu_times *cpu, uint64_t others_ns,
		uint64_t packets);
/** Jain's fairness index of n rates: 1 if all are the same, 1/n if one has all. */
double jain_index(const double *rates, unsigned int n);

/* words.c */

extern const char * const target_names[], * const direction_names[];
extern const char * const offload_names[OFFLOAD_MAX], * const path_kind_names[];

/** The parameters of a case in words. */
void params_print(char *text, size_t size, const struct bench_case *c);
/** A sentence that says of a run that was ended how far it got. */
void incomplete_print(FILE *out, const struct results *results);
/** Test and parameters in a few: what tells the cases that compare paths from each other. */
void case_print_short(char *text, size_t size, const struct bench_case *c);

/* table.c */

/** What the results were taken on, and how to read them. */
void table_introduce(const struct results *results);
/** The table of a case: all metrics of all its paths. */
void table_case(const struct measured *m);

/* summary.c */

/** The one table: measurements below each other, paths side by side, and what was not measured. */
void summary_print(const struct results *results);
/** Paths that the options ask for and that cannot run here, with the reasons. */
void summary_missing(FILE *out);
/** What there is: paths, whether they can run, and the cases that the options leave. */
void summary_list(const struct options *options);

/* json.c */

/** Write all results to the file; ends with a message if that fails. */
void json_write(const struct results *results, const char *file);
/** Write a string, or null for NULL. */
void json_string(FILE *out, const char *text);

/* flent.c */

/**
 * Write what the test of latency under load has seen to files for flent: FILE-PATH.flent for each
 * path. Returns how many; ends with a message if one cannot be written.
 */
unsigned int flent_write(const struct results *results, const char *file);

/* html.c */

/** Make the directory if there is none; ends with a message if nothing can be written there. */
void html_prepare(const char *dir);
/** Write all results to DIR/index.html; ends with a message if that fails. */
void html_write(const struct results *results, const char *dir);

#endif /* _RESULTS_H_ */
