/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* rtap_napi.[ch]: when threads pay. */

#include "rtap_napi.h"
#include "unit.h"

/* The least number of CPUs with which they do. */
static unsigned int
cpus_needed(unsigned int nb_lcores, bool large)
{
	unsigned int n = 0;

	while (n < 1000 && !rtap_napi_threads_pay(n, nb_lcores, large))
		n++;
	return n;
}

static void
test_never_below_four(void)
{
	unsigned int cpus, lcores;

	for (cpus = 0; cpus < 4; cpus++) {
		for (lcores = 1; lcores <= cpus; lcores++) {
			UNIT_ASSERT_AT(!rtap_napi_threads_pay(cpus, lcores, false), cpus);
			UNIT_ASSERT_AT(!rtap_napi_threads_pay(cpus, lcores, true), cpus);
		}
	}
}

static void
test_to_spare(void)
{
	unsigned int lcores;

	CU_ASSERT_EQUAL(cpus_needed(1, false), 4);
	CU_ASSERT_EQUAL(cpus_needed(2, false), 4);
	CU_ASSERT_EQUAL(cpus_needed(1, true), 4);
	CU_ASSERT_EQUAL(cpus_needed(2, true), 5);
	for (lcores = 2; lcores < 200; lcores++) {
		UNIT_ASSERT_AT(cpus_needed(lcores, false) == lcores + 2, lcores);
		UNIT_ASSERT_AT(cpus_needed(lcores, true) == lcores + 3, lcores);
	}
}

/* With more of them, still. */
static void
test_more(void)
{
	unsigned int cpus;

	for (cpus = 5; cpus < 1000; cpus++) {
		UNIT_ASSERT_AT(rtap_napi_threads_pay(cpus, 2, false), cpus);
		UNIT_ASSERT_AT(rtap_napi_threads_pay(cpus, 2, true), cpus);
	}
}

/* DPDK may have more lcores than there are CPUs. */
static void
test_crowded(void)
{
	CU_ASSERT(!rtap_napi_threads_pay(8, 8, false));
	CU_ASSERT(!rtap_napi_threads_pay(8, 100, false));
	CU_ASSERT(!rtap_napi_threads_pay(8, 7, true));
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{ "never below four CPUs", test_never_below_four },
		{ "CPUs to spare", test_to_spare },
		{ "more CPUs", test_more },
		{ "more lcores than CPUs", test_crowded },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "napi", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};

	return unit_run(suites);
}
