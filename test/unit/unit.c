/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "unit.h"

/* Guarded segments: that many at a time, of that many bytes at most. */
#define GUARDED_MAX 16
#define GUARDED_LEN 4096

/*
 * Runner
 */

const char *
unit_at(const char *cond, unsigned int turn)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s [%u]", cond, turn);
	return text;
}

int
unit_run(CU_SuiteInfo *suites)
{
	bool passed;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	passed = CU_register_suites(suites) == CUE_SUCCESS;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	passed = passed && CU_basic_run_tests() == CUE_SUCCESS &&
		CU_get_number_of_failure_records() == 0 && CU_get_number_of_tests_run() > 0;
	CU_cleanup_registry();
	return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Nothing is kept in the runtime directory, so it can go as soon as it is there. */
void
unit_eal_init(void)
{
	static char args[][48] = {
		"unit", "", "--no-huge", "--no-shconf", "-m", "256", "--no-pci", "--no-telemetry",
		"--log-level=lib.eal:error",
	};
	static char *argv[RTE_DIM(args) + 1];
	cpu_set_t cpus;
	size_t i;

	snprintf(args[1], sizeof(args[1]), "--file-prefix=rtap-unit-%d", getpid());
	for (i = 0; i < RTE_DIM(args); i++)
		argv[i] = args[i];
	/* EAL pins the thread to a CPU, which those that the tests make would inherit. */
	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (rte_eal_init(RTE_DIM(args), argv) < 0)
		rte_exit(EXIT_FAILURE, "cannot start the EAL\n");
	sched_setaffinity(0, sizeof(cpus), &cpus);
	rmdir(rte_eal_get_runtime_dir());
}

unsigned int
unit_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* xorshift32, Marsaglia 2003 */
uint32_t
unit_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/*
 * Checksums, with nothing in common with the library's: byte by byte, big-endian
 */

uint16_t
unit_csum(const uint8_t *data, size_t len, uint16_t init)
{
	uint64_t sum = init;
	size_t i;

	for (i = 0; i < len; i++)
		sum += (i % 2 == 0) ? (uint32_t)data[i] << 8 : data[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

uint16_t
unit_phdr_sum(const struct unit_frame *f, uint32_t len)
{
	const uint8_t *l3 = &f->data[f->l2_len];
	uint8_t phdr[40] = {0};
	size_t addrs = (f->ip == 4) ? 8 : 32;

	memcpy(phdr, (f->ip == 4) ? &l3[12] : &l3[8], addrs);
	unit_put16(&phdr[addrs], len >> 16);
	unit_put16(&phdr[addrs + 2], len & 0xffff);
	phdr[addrs + 7] = f->proto;
	return ~unit_csum(phdr, addrs + 8, 0) & 0xffff;
}

uint32_t
unit_l4_csum_at(const struct unit_frame *f)
{
	uint32_t l4 = f->l2_len + f->l3_len;

	if (f->ip == 0 || f->fragment)
		return 0;
	switch (f->proto) {
	case IPPROTO_TCP:
		return l4 + 16;
	case IPPROTO_UDP:
		return l4 + 6;
	case IPPROTO_ICMPV6:
		return l4 + 2;
	default:
		return 0;
	}
}

uint16_t
unit_l4_csum(const struct unit_frame *f)
{
	uint32_t l4 = f->l2_len + f->l3_len;
	uint16_t sum;

	sum = unit_csum(&f->data[l4], f->len - l4, unit_phdr_sum(f, f->len - l4));
	return (sum == 0 && f->proto == IPPROTO_UDP) ? 0xffff : sum;
}

/*
 * Frames
 */

static uint8_t *
put_l2(uint8_t *p, const struct unit_frame_spec *spec)
{
	static const uint8_t addrs[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	size_t i;

	memcpy(p, addrs, sizeof(addrs));
	p += sizeof(addrs);
	for (i = 0; i < RTE_DIM(spec->tpid) && spec->tpid[i] != 0; i++) {
		unit_put16(p, spec->tpid[i]);
		unit_put16(p + 2, 0x100 + i);
		p += 4;
	}
	unit_put16(p, spec->ip == 4 ? RTE_ETHER_TYPE_IPV4 :
		spec->ip == 6 ? RTE_ETHER_TYPE_IPV6 : 0x88b5);
	return p + 2;
}

/* Options are NOPs; len: of what follows the header. */
static uint8_t *
put_ipv4(uint8_t *p, const struct unit_frame_spec *spec, uint32_t len)
{
	uint16_t hdr_len = 20 + spec->ip_extra;

	memset(p, 0, 20);
	memset(p + 20, 1, spec->ip_extra);
	p[0] = 0x40 | hdr_len / 4;
	unit_put16(p + 2, hdr_len + len);
	unit_put16(p + 4, 0x1234);
	unit_put16(p + 6, spec->fragment ? 0x2000 : 0);
	p[8] = 64;
	p[9] = spec->proto;
	memcpy(p + 12, (const uint8_t[]){ 192, 0, 2, 1, 198, 51, 100, 255 }, 8);
	unit_put16(p + 10, unit_csum(p, hdr_len, 0));
	return p + hdr_len;
}

/* The extension header is a fragment header, or destination options with nothing but padding. */
static uint8_t *
put_ipv6(uint8_t *p, const struct unit_frame_spec *spec, uint32_t len)
{
	size_t i;

	memset(p, 0, 40);
	p[0] = 0x60;
	unit_put16(p + 4, spec->ip_extra + len);
	p[6] = spec->proto;
	p[7] = 64;
	for (i = 0; i < 32; i++)
		p[8 + i] = 0x20 + 7 * i;
	if (spec->ip_extra == 0)
		return p + 40;
	memset(p + 40, 0, spec->ip_extra);
	p[40] = p[6];
	p[6] = spec->fragment ? IPPROTO_FRAGMENT : IPPROTO_DSTOPTS;
	if (spec->fragment)
		unit_put16(p + 42, 1);
	else
		p[41] = spec->ip_extra / 8 - 1;
	return p + 40 + spec->ip_extra;
}

static uint16_t
l4_hdr_len(const struct unit_frame_spec *spec)
{
	if (spec->ip == 0)
		return 0;
	switch (spec->proto) {
	case IPPROTO_TCP:
		return 20 + spec->tcp_extra;
	case IPPROTO_UDP:
	case IPPROTO_ICMPV6:
		return 8;
	case IPPROTO_SCTP:
		return 12;
	default:
		return 0;
	}
}

static uint8_t *
put_l4(uint8_t *p, const struct unit_frame_spec *spec)
{
	uint16_t len = l4_hdr_len(spec);

	memset(p, 0, len);
	if (len == 0)
		return p;
	unit_put16(p, 4660);
	unit_put16(p + 2, 22136);
	if (spec->proto == IPPROTO_TCP) {
		memset(p + 20, 1, spec->tcp_extra);
		p[12] = len / 4 << 4;
		p[13] = spec->tcp_flags;
	} else if (spec->proto == IPPROTO_UDP) {
		unit_put16(p + 4, len + spec->payload);
	}
	return p + len;
}

void
unit_frame_build(struct unit_frame *f, const struct unit_frame_spec *spec)
{
	uint32_t state = 2463534242U + spec->payload, i, at, l4;
	uint8_t *p = put_l2(f->data, spec);

	f->ip = spec->ip;
	f->proto = spec->proto;
	f->fragment = spec->fragment;
	f->l2_len = p - f->data;
	f->l4_len = l4_hdr_len(spec);
	f->l3_len = 0;
	if (spec->ip != 0)
		f->l3_len = (spec->ip == 4 ? 20 : 40) + spec->ip_extra;
	l4 = f->l2_len + f->l3_len;
	f->len = l4 + f->l4_len + spec->payload;
	if (spec->ip == 4)
		p = put_ipv4(p, spec, f->len - l4);
	else if (spec->ip == 6)
		p = put_ipv6(p, spec, f->len - l4);
	p = put_l4(p, spec);
	for (i = 0; i < spec->payload; i++)
		p[i] = unit_random(&state);

	at = unit_l4_csum_at(f);
	if (at != 0) {
		unit_put16(&f->data[at], 0);
		unit_put16(&f->data[at], unit_l4_csum(f));
	}
}

/*
 * mbufs
 */

struct rte_mempool *
unit_pool(const char *name, unsigned int n, uint16_t room)
{
	struct rte_mempool *pool;

	pool = rte_pktmbuf_pool_create(name, n, 0, 0, room, SOCKET_ID_ANY);
	if (pool == NULL)
		rte_exit(EXIT_FAILURE, "cannot create a pool of %u mbufs\n", n);
	return pool;
}

static struct rte_mbuf *
alloc(struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m == NULL)
		rte_exit(EXIT_FAILURE, "pool %s is empty\n", pool->name);
	return m;
}

/* Nothing to do: the memory is there for ever. */
static void
guarded_free(void *addr __rte_unused, void *opaque __rte_unused)
{
}

/* Give the mbuf a buffer of exactly len bytes in front of a page that cannot be touched. */
static void
guard(struct rte_mbuf *m, unsigned int i, uint16_t len)
{
	static struct rte_mbuf_ext_shared_info shinfo[GUARDED_MAX];
	static uint8_t *base;
	uint8_t *end;

	if (base == NULL) {
		base = mmap(NULL, GUARDED_MAX * 2 * GUARDED_LEN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (unsigned int j = 0; base != MAP_FAILED && j < GUARDED_MAX; j++)
			mprotect(base + (2 * j + 1) * GUARDED_LEN, GUARDED_LEN, PROT_NONE);
	}
	if (base == MAP_FAILED || i >= GUARDED_MAX || len > GUARDED_LEN)
		rte_exit(EXIT_FAILURE, "no guarded memory\n");
	end = base + (2 * i + 1) * GUARDED_LEN;
	shinfo[i].free_cb = guarded_free;
	rte_mbuf_ext_refcnt_set(&shinfo[i], 1);
	rte_pktmbuf_attach_extbuf(m, end - len, RTE_BAD_IOVA, len, &shinfo[i]);
	m->data_off = 0;
}

static struct rte_mbuf *
build(struct rte_mempool *pool, const void *data, uint32_t len, uint16_t first, uint16_t rest,
		bool guarded)
{
	struct rte_mbuf *head = alloc(pool), *m = head;
	const uint8_t *from = data;
	uint16_t n = RTE_MIN(first, len);

	head->pkt_len = len;
	for (;;) {
		if (guarded)
			guard(m, head->nb_segs - 1, n);
		m->data_len = n;
		memcpy(rte_pktmbuf_mtod(m, void *), from, n);
		from += n;
		len -= n;
		if (len == 0)
			return head;
		n = RTE_MIN(rest, len);
		m->next = alloc(pool);
		m = m->next;
		head->nb_segs++;
	}
}

struct rte_mbuf *
unit_mbuf(struct rte_mempool *pool, const void *data, uint32_t len, uint16_t first, uint16_t rest)
{
	return build(pool, data, len, first, rest, false);
}

struct rte_mbuf *
unit_mbuf_guarded(struct rte_mempool *pool, const void *data, uint32_t len, uint16_t first,
		uint16_t rest)
{
	return build(pool, data, len, first, rest, true);
}

struct rte_mbuf *
unit_mbuf_frame(struct rte_mempool *pool, const struct unit_frame *f)
{
	struct rte_mbuf *m = unit_mbuf(pool, f->data, f->len, f->len, 0);

	m->l2_len = f->l2_len;
	m->l3_len = f->l3_len;
	m->l4_len = f->l4_len;
	return m;
}

bool
unit_mbuf_equal(const struct rte_mbuf *m, const void *data, uint32_t len)
{
	const uint8_t *expected = data;
	const char *reason;

	if (m->pkt_len != len || rte_mbuf_check(m, 1, &reason) != 0)
		return false;
	for (; m != NULL; m = m->next) {
		if (memcmp(rte_pktmbuf_mtod(m, void *), expected, m->data_len) != 0)
			return false;
		expected += m->data_len;
	}
	return true;
}

/* FNV-1a, eight bytes at a time */
uint64_t
unit_mbuf_hash(const struct rte_mbuf *m)
{
	uint64_t hash = 0xcbf29ce484222325, word = 0;
	uint32_t i, n;

	for (; m != NULL; m = m->next) {
		const uint8_t *buf = m->buf_addr;

		for (i = 0; i < m->buf_len; i += n) {
			n = RTE_MIN(sizeof(word), (size_t)m->buf_len - i);
			memcpy(&word, &buf[i], n);
			hash = (hash ^ word) * 0x100000001b3;
		}
	}
	return hash;
}

int
unit_open_tun(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		printf("(no /dev/net/tun here: not tested) ");
	return fd;
}
