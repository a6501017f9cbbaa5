/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _HTML_H_
#define _HTML_H_

/* What html.c, the page, and html_test.c, the part of a test, share. */

#include "svg.h"

/** The path's name behind a spot of its colour. */
void html_swatch(FILE *out, const struct path *path);
/** A number, with more digits for programs. */
void html_value(FILE *out, double value);
/** The spread in per cent, marked if it is wide. */
void html_spread(FILE *out, const struct summary *sum);
/** What the path lost, in per cent and marked, if that is much. */
void html_loss(FILE *out, const struct series *s);
/** What sets the case apart from others of its test. */
void html_case_words(FILE *out, const struct bench_case *c);

/* html_test.c */

/** The number of the first case of a test. */
unsigned int html_first_of(const struct results *results, const struct test *test);
/** Plots and figures of all cases of the test. */
void html_test(FILE *out, const struct results *results, const struct test *test);

#endif /* _HTML_H_ */
