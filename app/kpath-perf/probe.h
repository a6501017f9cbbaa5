/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#ifndef _KPERF_PROBE_H_
#define _KPERF_PROBE_H_

#include "kperf.h"

/* What was seen, and what a driver says of itself */
enum seen {
	SEEN_UNKNOWN,	/* a driver does not tell, or it could not be tried */
	SEEN_NO,
	SEEN_YES,
};

/* What there is to be seen by trying */
enum probe {
	PROBE_CSUM_OUT,		/* the kernel leaves checksums to the application */
	PROBE_CSUM_IN,		/* and the application to the kernel */
	PROBE_LRO,		/* what is not segmented comes out of the kernel in one piece */
	PROBE_TSO,		/* and goes in */
	PROBE_TIMESTAMP,
	PROBE_WAKE,		/* a packet ends the sleep of the application */
	PROBE_MAX,
};

struct probed {
	char tx_calls[96], rx_calls[96];	/* names of system calls */
	enum seen seen[PROBE_MAX], says[PROBE_MAX];
};

/** Try all of it on an open port. By the worker that polls it. */
void probe_port(struct port *port, struct probed *p);

#endif /* _KPERF_PROBE_H_ */
