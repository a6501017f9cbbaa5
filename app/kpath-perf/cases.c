/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* What is compared and what is measured: a path or a case more is a row more. */

#include "kperf.h"

#define TUN NEEDS_TUN
#define TUN_URING (NEEDS_TUN | NEEDS_URING)

const struct path paths[] = {
	{ "rtap", "net_rtap, without threads of the kernel", &dpdk_ops, "net_rtap", "napi=off",
		DPDK_OFFLOAD, .needs = TUN, .wants = NEEDS_URING },
	{ "rtap-rw", "net_rtap without io_uring", &dpdk_ops, "net_rtap", "io=rw", DPDK_OFFLOAD,
		.needs = TUN },
	{ "rtap-napi", "net_rtap, and a kernel thread for the stack's part", &dpdk_ops,
		"net_rtap", "napi=threaded", DPDK_OFFLOAD | DPDK_MODE,
		.needs = TUN, .wants = NEEDS_URING },
	{ "rtap-sqpoll", "net_rtap, and a kernel thread that submits", &dpdk_ops,
		"net_rtap", "sqpoll=1", DPDK_OFFLOAD | DPDK_MODE, .needs = TUN_URING },
	{ "rtap-sqpoll-queue", "rtap-sqpoll with a thread for each queue", &dpdk_ops,
		"net_rtap", "sqpoll=queue", DPDK_OFFLOAD | DPDK_MODE, .needs = TUN_URING },
	{ "rtap-sqpoll-sndbuf", "rtap-sqpoll with a send buffer of 1 MiB", &dpdk_ops,
		"net_rtap", "sqpoll=1,sndbuf=1048576", DPDK_OFFLOAD | DPDK_MODE,
		.needs = TUN_URING },
	{ "net_tap", "DPDK's own TAP driver", &dpdk_ops, "net_tap", NULL, 0,
		.needs = TUN | NEEDS_DRIVER },
	{ "virtio_user", "net_virtio_user, vhost-net and a TAP", &dpdk_ops, "net_virtio_user",
		"path=/dev/vhost-net,queue_size=1024", DPDK_OFFLOAD | DPDK_VHOST,
		.needs = TUN | NEEDS_DRIVER | NEEDS_VHOST },
	{ "af_packet", "net_af_packet on one end of a veth pair", &dpdk_ops, "net_af_packet",
		"qpairs=1,blocksz=65536,framesz=2048,framecnt=4096,qdisc_bypass=1",
		DPDK_VETH | DPDK_ONE_QUEUE, 1514,
		.needs = NEEDS_VETH | NEEDS_DRIVER | NEEDS_PACKET },
	{ "af_xdp", "net_af_xdp on one end of a veth pair", &dpdk_ops, "net_af_xdp", NULL,
		DPDK_VETH | DPDK_ONE_QUEUE, 1514,
		.needs = NEEDS_VETH | NEEDS_DRIVER | NEEDS_XDP },
	{ "pcap", "net_pcap on one end of a veth pair", &dpdk_ops, "net_pcap", NULL,
		DPDK_VETH | DPDK_ONE_QUEUE,
		.needs = NEEDS_VETH | NEEDS_DRIVER | NEEDS_PACKET },
	{ "veth", "the kernel alone: a veth pair, one way to or from a packet socket", &veth_ops,
		.needs = NEEDS_VETH | NEEDS_PACKET },
	{ "loop-rw", "bare loop of read and write", &loop_ops, .flags = LOOP_RW, .needs = TUN },
	{ "loop-uring", "bare loop of io_uring batches", &loop_ops, .needs = TUN_URING },
	{ "loop-file", "the same with a registered file", &loop_ops, .flags = LOOP_FILE,
		.needs = TUN_URING },
	{ "loop-buf", "and registered buffers", &loop_ops, .flags = LOOP_FILE | LOOP_BUF,
		.needs = TUN_URING },
	{ "loop-sqpoll", "and a kernel thread that submits", &loop_ops,
		.flags = LOOP_FILE | LOOP_BUF | LOOP_SQPOLL, .needs = TUN_URING },
	{ "loop-ringfd", "loop-file with a registered ring", &loop_ops,
		.flags = LOOP_FILE | LOOP_RINGFD, .needs = TUN_URING },
	{ "loop-skip", "loop-file without completions of what succeeds", &loop_ops,
		.flags = LOOP_FILE | LOOP_SKIP, .needs = TUN_URING },
	{ "loop-link", "loop-file with linked reads", &loop_ops, .flags = LOOP_FILE | LOOP_LINK,
		.needs = TUN_URING },
	{ "loop-multi", "loop-file with multishot reads", &loop_ops,
		.flags = LOOP_FILE | LOOP_MULTISHOT, .needs = TUN_URING },
	{ "loop-hdrlen", "loop-file with a hint of what is to be linear", &loop_ops,
		.flags = LOOP_FILE | LOOP_HDRLEN, .needs = TUN_URING },
	{ "loop-steer", "loop-file with a steering program", &loop_ops,
		.flags = LOOP_FILE | LOOP_STEER, .needs = TUN_URING },
	{ "loop-sndbuf", "loop-file with a send buffer of 1 MiB", &loop_ops,
		.flags = LOOP_FILE | LOOP_SNDBUF, .needs = TUN_URING },
};
const unsigned int nb_paths = RTE_DIM(paths);

/* A frame in a segment, which with its headroom may have 65408 bytes: cache lines in 16 bits. */
#define MBUF_LARGE (65408 - RTE_PKTMBUF_HEADROOM)

#define PEERS "rtap rtap-rw net_tap af_packet af_xdp"
/* Modes of the driver that cost a second CPU, where they might pay */
#define SQPOLL " rtap-sqpoll rtap-sqpoll-queue"
#define MODES " rtap-napi" SQPOLL " rtap-sqpoll-sndbuf"
#define LOOPS " loop-rw loop-uring loop-file loop-buf"
#define TX_TRIALS " loop-sqpoll loop-ringfd loop-skip loop-hdrlen loop-sndbuf"
#define RX_TRIALS " loop-sqpoll loop-link loop-multi"
#define PAIR_PATHS PEERS MODES " veth" LOOPS

/* What those who choose a path choose from, and the yardstick */
#define ALL "rtap net_tap virtio_user af_packet af_xdp pcap veth"

#define TCP(nb, way, what) { 1514, 32, 1, .streams = (nb), .direction = (way), .offload = (what) }

const struct bench_case cases[] = {
	{ SET_PATHS, &test_tx, { 64, 32, 1 }, ALL, true },
	{ SET_PATHS, &test_tx, { 512, 32, 1 }, ALL },
	{ SET_PATHS, &test_tx, { 1514, 32, 1 }, ALL },
	{ SET_PATHS, &test_tx, { LEN_MTU, 32, 1 }, ALL },
	{ SET_PATHS, &test_rx, { 64, 32, 1 }, ALL, true },
	{ SET_PATHS, &test_rx, { 512, 32, 1 }, ALL },
	{ SET_PATHS, &test_rx, { 1514, 32, 1 }, ALL },
	{ SET_PATHS, &test_rx, { LEN_MTU, 32, 1 }, ALL },
	{ SET_PATHS, &test_load, { 64, 32, 1 }, ALL, true },
	{ SET_PATHS, &test_load, { 1514, 32, 1 }, ALL },
	{ SET_PATHS, &test_idle, { 64, 32, 1 }, ALL, true },
	{ SET_PATHS, &test_wake, { 64, 32, 1 }, ALL, true },
	{ SET_PATHS, &test_rtt, { 64, 32, 1 }, ALL, true },
	{ SET_PATHS, &test_tcp, TCP(1, DIR_UP, OFFLOAD_OFF), ALL, true },
	{ SET_PATHS, &test_tcp, TCP(1, DIR_UP, OFFLOAD_CSUM), ALL },
	{ SET_PATHS, &test_tcp, TCP(1, DIR_UP, OFFLOAD_ALL), ALL, true },
	{ SET_PATHS, &test_tcp, TCP(1, DIR_DOWN, OFFLOAD_OFF), ALL },
	{ SET_PATHS, &test_tcp, TCP(1, DIR_DOWN, OFFLOAD_CSUM), ALL },
	{ SET_PATHS, &test_tcp, TCP(1, DIR_DOWN, OFFLOAD_ALL), ALL },
	{ SET_PATHS, &test_tcp, TCP(1, DIR_BOTH, OFFLOAD_OFF), ALL },
	{ SET_PATHS, &test_tcp, TCP(1, DIR_BOTH, OFFLOAD_CSUM), ALL },
	{ SET_PATHS, &test_tcp, TCP(1, DIR_BOTH, OFFLOAD_ALL), ALL, true },
	{ SET_PATHS, &test_tcp, TCP(4, DIR_UP, OFFLOAD_OFF), ALL },
	{ SET_PATHS, &test_tcp, TCP(4, DIR_UP, OFFLOAD_CSUM), ALL },
	{ SET_PATHS, &test_tcp, TCP(4, DIR_UP, OFFLOAD_ALL), ALL },
	{ SET_PATHS, &test_tcp, TCP(4, DIR_DOWN, OFFLOAD_OFF), ALL },
	{ SET_PATHS, &test_tcp, TCP(4, DIR_DOWN, OFFLOAD_CSUM), ALL },
	{ SET_PATHS, &test_tcp, TCP(4, DIR_DOWN, OFFLOAD_ALL), ALL },
	{ SET_PATHS, &test_tcp, TCP(4, DIR_BOTH, OFFLOAD_OFF), ALL },
	{ SET_PATHS, &test_tcp, TCP(4, DIR_BOTH, OFFLOAD_CSUM), ALL },
	{ SET_PATHS, &test_tcp, TCP(4, DIR_BOTH, OFFLOAD_ALL), ALL },
	{ SET_PATHS, &test_rrul, { 1514, 32, 1, .streams = 4 }, ALL, true },

	/* Frame sizes; the smallest with everything that was ever tried */
	{ SET_BENCH, &test_tx, { 64, 32, 1 }, PEERS MODES LOOPS TX_TRIALS, true },
	{ SET_BENCH, &test_tx, { 512, 32, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_tx, { 1514, 32, 1 }, PEERS LOOPS, true },
	{ SET_BENCH, &test_tx, { 9018, 32, 1 }, PEERS LOOPS " loop-hdrlen" },
	{ SET_BENCH, &test_tx, { KPERF_FRAME_MAX, 32, 1 }, PEERS LOOPS " loop-hdrlen" },
	{ SET_BENCH, &test_tx, { KPERF_FRAME_MAX, 32, 1, MBUF_LARGE }, "rtap net_tap" },
	/* Bursts */
	{ SET_BENCH, &test_tx, { 64, 1, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_tx, { 64, 4, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_tx, { 64, 16, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_tx, { 64, 64, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_tx, { 64, 256, 1 }, PEERS LOOPS },
	/* Where frames go: the others are of an ethertype that nobody wants */
	{ SET_BENCH, &test_tx, { 64, 32, 1, .to = TO_OTHER }, PEERS LOOPS },
	{ SET_BENCH, &test_tx, { 64, 32, 1, .to = TO_SOCKET }, PEERS MODES LOOPS, true },
	{ SET_BENCH, &test_tx, { 64, 32, 1, .to = TO_CLOSED }, PEERS LOOPS },
	/* Queues */
	{ SET_BENCH, &test_tx, { 64, 32, 2, .to = TO_OTHER }, PEERS LOOPS " loop-steer" },
	{ SET_BENCH, &test_tx, { 64, 32, 4, .to = TO_OTHER }, PEERS LOOPS " loop-steer" },

	{ SET_BENCH, &test_rx, { 64, 32, 1 }, PEERS SQPOLL LOOPS RX_TRIALS, true },
	{ SET_BENCH, &test_rx, { 512, 32, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_rx, { 1514, 32, 1 }, PEERS LOOPS, true },
	{ SET_BENCH, &test_rx, { 9018, 32, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_rx, { 64, 1, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_rx, { 64, 4, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_rx, { 64, 16, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_rx, { 64, 64, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_rx, { 64, 256, 1 }, PEERS LOOPS },
	{ SET_BENCH, &test_rx, { 64, 32, 2 }, PEERS LOOPS },
	{ SET_BENCH, &test_rx, { 64, 32, 4 }, PEERS LOOPS },
	/* What the kernel has not segmented, into mbufs of 2 KiB, and into larger ones */
	{ SET_BENCH, &test_rx, { KPERF_FRAME_MAX, 32, 1, .gso = true }, "rtap rtap-rw" LOOPS,
		true },
	{ SET_BENCH, &test_rx, { KPERF_FRAME_MAX, 8, 1, .gso = true }, "rtap rtap-rw" LOOPS },
	{ SET_BENCH, &test_rx, { KPERF_FRAME_MAX, 4, 1, .gso = true }, "rtap rtap-rw" LOOPS },
	{ SET_BENCH, &test_rx, { KPERF_FRAME_MAX, 2, 1, .gso = true }, "rtap rtap-rw" LOOPS },
	{ SET_BENCH, &test_rx, { KPERF_FRAME_MAX, 32, 1, 9216, .gso = true }, "rtap rtap-rw" },
	{ SET_BENCH, &test_rx, { KPERF_FRAME_MAX, 32, 1, MBUF_LARGE, .gso = true },
		"rtap rtap-rw" },
	{ SET_BENCH, &test_rx,
		{ KPERF_FRAME_MAX, 32, 1, MBUF_LARGE, .gso = true, .external = true },
		"rtap rtap-rw" },

	{ SET_BENCH, &test_load, { 64, 32, 1 }, PEERS LOOPS, true },
	{ SET_BENCH, &test_load, { 1514, 32, 1 }, PEERS LOOPS },

	{ SET_BENCH, &test_idle, { 64, 32, 1 }, PEERS SQPOLL LOOPS " loop-sqpoll", true },

	{ SET_BENCH, &test_wake, { 64, 32, 1 }, PEERS SQPOLL " loop-rw loop-file", true },

	{ SET_BENCH, &test_rtt, { 64, 32, 1 }, PAIR_PATHS, true },
	{ SET_BENCH, &test_tcp, { 1514, 32, 1, .streams = 1 }, PAIR_PATHS },
	{ SET_BENCH, &test_tcp, { 1514, 32, 1, .streams = 8 }, PAIR_PATHS },
	{ SET_BENCH, &test_tcp, { 1514, 32, 1, .streams = 1, .offload = OFFLOAD_ALL }, PAIR_PATHS,
		true },
	{ SET_BENCH, &test_tcp, { 1514, 32, 1, .streams = 8, .offload = OFFLOAD_ALL }, PAIR_PATHS },
};
const unsigned int nb_cases = RTE_DIM(cases);
