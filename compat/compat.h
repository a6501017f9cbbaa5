/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef COMPAT_H
#define COMPAT_H

/*
 * What the driver uses of DPDK main and an older release lacks.
 *
 * This header is forced into every source file with -include, so it only defines macros
 * and includes nothing that might bring in a system header.
 * What needs DPDK's own declarations first is in include/, in headers of DPDK's names
 * that come before DPDK's in the search path and complete them.
 * Signatures of driver operations that have changed: see include/ethdev_driver.h.
 */

#include <rte_config.h>

#define COMPAT_DPDK_BEFORE(year, month) \
	(RTE_VER_YEAR * 100 + RTE_VER_MONTH < (year) * 100 + (month))

#if COMPAT_DPDK_BEFORE(24, 3)

#define RTE_LOG_COMMA ,

#define RTE_LOG_LINE(level, type, ...) do { \
	RTE_LOG(level, type, RTE_FMT(RTE_FMT_HEAD(__VA_ARGS__,) "\n", \
		RTE_FMT_TAIL(__VA_ARGS__,))); \
} while (0)

#define RTE_LOG_DP_LINE(level, type, ...) do { \
	RTE_LOG_DP(level, type, RTE_FMT(RTE_FMT_HEAD(__VA_ARGS__,) "\n", \
		RTE_FMT_TAIL(__VA_ARGS__,))); \
} while (0)

/* Separate the arguments of the prefix with RTE_LOG_COMMA. */
#define RTE_LOG_LINE_PREFIX(level, type, prefix, args, ...) \
	RTE_LOG_LINE(level, type, RTE_FMT(prefix RTE_FMT_HEAD(__VA_ARGS__,), \
		args RTE_LOG_COMMA RTE_FMT_TAIL(__VA_ARGS__,)))

#define RTE_LOG_DP_LINE_PREFIX(level, type, prefix, args, ...) \
	RTE_LOG_DP_LINE(level, type, RTE_FMT(prefix RTE_FMT_HEAD(__VA_ARGS__,), \
		args RTE_LOG_COMMA RTE_FMT_TAIL(__VA_ARGS__,)))

#endif /* before 24.03 */

#if COMPAT_DPDK_BEFORE(24, 11)

/* The handler of the old function gets keys without a value as well. */
#define rte_kvargs_process_opt rte_kvargs_process

#endif /* before 24.11 */

#endif /* COMPAT_H */
