/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <netpacket/packet.h>

#include <rte_alarm.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_memzone.h>
#include <rte_stdatomic.h>
#include <rte_string_fns.h>
#include <rte_udp.h>

#include "rig.h"

#define EXIT_SKIP 77
#define NB_DESC 256

/* Of a process that is to run out of them. */
#define NB_FILES 256

/* Room for whatever a test has the kernel receive before it looks. */
#define SOCKET_BUFFER (64 << 20)

const char *rig_io;
bool rig_sqpoll;

/* Contents of all frames: each begins somewhere in there. */
#define PATTERN_STARTS 4093
static uint8_t pattern[PATTERN_STARTS + FRAME_MAX];

/*
 * Outcome
 */

static void __rte_format_printf(2, 0)
print_line(const char *prefix, const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	fprintf(stderr, "%s%s\n", prefix, text);
}

void
rig_fail(const char *file, int line, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	char prefix[128];
	va_list args;

	snprintf(prefix, sizeof(prefix), "FAILED: %s:%d: ", base == NULL ? file : base + 1, line);
	va_start(args, format);
	print_line(prefix, format, args);
	va_end(args);
	_exit(EXIT_FAILURE);
}

void
rig_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("SKIPPED: ", format, args);
	va_end(args);
	_exit(EXIT_SKIP);
}

const char *
rig_strerror(int ret)
{
	return ret < 0 ? strerror(-ret) : rte_strerror(rte_errno);
}

void
rig_case(const char *name)
{
	fprintf(stderr, "- %s\n", name);
}

int
rig_done(void)
{
	CHECK_OK(rte_eal_cleanup());
	return EXIT_SUCCESS;
}

int
rig_patience(void)
{
	const char *factor = getenv("RTAP_PATIENCE");

	return 30 * (factor != NULL ? RTE_MAX(atoi(factor), 1) : 1);
}

uint64_t
rig_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* The same sequence in each run. */
unsigned int
rig_random(unsigned int below)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

/*
 * Set-up
 */

bool
rig_io_is_uring(void)
{
	return strncmp(rig_io, "uring", strlen("uring")) == 0;
}

/* Linux 6.12 and 6.1 are known to differ in some ways; somewhere between them that changes. */
static bool
kernel_is_old(void)
{
	unsigned int major, minor;
	struct utsname name;

	CHECK(uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2,
		"which kernel is this?");
	return major < 6 || (major == 6 && minor < 12);
}

/* An old kernel waits in a read of an empty TAP through io_uring. */
bool
rig_reads_by_uring(void)
{
	return rig_io_is_uring() && !kernel_is_old();
}

static void
need_uring(void)
{
	struct io_uring ring;
	int ret = io_uring_queue_init(1, &ring, 0);

	if (ret != 0)
		rig_skip("no io_uring here: %s", strerror(-ret));
	io_uring_queue_exit(&ring);
}

static void
need_tun(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		rig_skip("/dev/net/tun: %s", strerror(errno));
	close(fd);
}

void
rig_need(const char *tool)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", tool);
	if (system(command) != 0)
		rig_skip("%s is not installed", tool);
}

bool
rig_sysctl(const char *name, const char *value)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	file = fopen(path, "we");
	if (file == NULL)
		return false;
	fputs(value, file);
	return fclose(file) == 0;
}

void
rig_init_namespace(int argc, char **argv)
{
	bool per_queue;
	size_t i;

	CHECK(argc == 2, "usage: %s uring|rw|sqpoll|sqpoll_queue", argv[0]);
	per_queue = strcmp(argv[1], "sqpoll_queue") == 0;
	rig_sqpoll = per_queue || strcmp(argv[1], "sqpoll") == 0;
	rig_io = per_queue ? "uring,sqpoll=queue" : rig_sqpoll ? "uring,sqpoll=1" : argv[1];
	if (geteuid() != 0)
		rig_skip("needs root");
	need_tun();
	rig_need("ip");
	if (rig_io_is_uring())
		need_uring();
	if (unshare(CLONE_NEWNET) != 0)
		rig_skip("may not make a network namespace: %s", strerror(errno));
	/* The kernel has nothing to say on its own behalf then. */
	if (!rig_sysctl("ipv6/conf/default/disable_ipv6", "1") &&
	    access("/proc/sys/net/ipv6", F_OK) == 0)
		rig_skip("may not silence IPv6");
	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = rig_random(256);
}

void
rig_mount_sysfs(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) != 0)
		rig_skip("may not mount sysfs: %s", strerror(errno));
	if (access("/sys/class/net/lo/threaded", W_OK) != 0)
		rig_skip("sysfs cannot be written to: %s", strerror(errno));
}

void
rig_init_eal(void)
{
	char program[] = "test", no_huge[] = "--no-huge", memory[] = "-m512",
		no_shconf[] = "--no-shconf", no_pci[] = "--no-pci",
		no_telemetry[] = "--no-telemetry", level[] = "--log-level=lib.*:critical";
	char *args[] = { program, no_huge, memory, no_shconf, no_pci, no_telemetry, level };
	cpu_set_t cpus;

	/* DPDK pins the thread to a CPU, where it would meet those of other tests. */
	CHECK_OK(sched_getaffinity(0, sizeof(cpus), &cpus));
	CHECK(rte_eal_init(RTE_DIM(args), args) >= 0, "rte_eal_init: %s",
		rte_strerror(rte_errno));
	CHECK_OK(sched_setaffinity(0, sizeof(cpus), &cpus));
}

void
rig_init(int argc, char **argv)
{
	rig_init_namespace(argc, argv);
	rig_init_eal();
}

/*
 * Tools
 */

static void __rte_format_printf(3, 0)
format_command(char *command, size_t size, const char *format, va_list args)
{
	int len = vsnprintf(command, size, format, args);

	CHECK(len >= 0 && (size_t)len < size, "command too long: %s", command);
}

void
rig_run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	format_command(command, sizeof(command), format, args);
	va_end(args);
	CHECK(system(command) == 0, "command failed: %s", command);
}

char *
rig_output(const char *format, ...)
{
	char command[1024];
	char *text = NULL;
	size_t size = 0;
	va_list args;
	FILE *pipe;

	va_start(args, format);
	format_command(command, sizeof(command), format, args);
	va_end(args);
	pipe = popen(command, "re");
	CHECK(pipe != NULL, "popen: %s", strerror(errno));
	/* All of it: there is no such character in it. */
	CHECK(getdelim(&text, &size, '\0', pipe) >= 0, "no output: %s", command);
	CHECK(pclose(pipe) == 0, "command failed: %s", command);
	return text;
}


/* Capabilities are a thread's own. */
void
rig_set_capability(unsigned int cap, bool on)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	const uint32_t bit = 1U << cap;

	CHECK(syscall(SYS_capget, &header, caps) == 0, "capget: %s", strerror(errno));
	caps[0].effective = on ? caps[0].effective | bit : caps[0].effective & ~bit;
	CHECK(syscall(SYS_capset, &header, caps) == 0, "capset: %s", strerror(errno));
}

static void
set_flag(void *flag)
{
	rte_atomic_store_explicit((RTE_ATOMIC(bool) *)flag, true, rte_memory_order_release);
}

void
rig_settle(void)
{
	static RTE_ATOMIC(bool) done;

	rte_atomic_store_explicit(&done, false, rte_memory_order_release);
	CHECK_OK(rte_eal_alarm_set(1000, set_flag, (void *)&done));
	WAIT_FOR(rte_atomic_load_explicit(&done, rte_memory_order_acquire), "no alarm");
}

static int taken[NB_FILES];
static unsigned int nb_taken;
static rlim_t files_before;

void
rig_take_files(void)
{
	struct rlimit files;
	int fd;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
	files_before = files.rlim_cur;
	files.rlim_cur = RTE_MIN(files.rlim_cur, (rlim_t)NB_FILES);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		taken[nb_taken++] = fd;
	CHECK(errno == EMFILE, "cannot take all files: %s", strerror(errno));
}

void
rig_give_files(void)
{
	struct rlimit files;

	while (nb_taken > 0)
		close(taken[--nb_taken]);
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
	files.rlim_cur = files_before;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
}

pid_t
rig_fork_namespace(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	CHECK_OK(pipe(ready));
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK(pid > 0 && read(ready[0], &byte, 1) == 1, "no other namespace");
	close(ready[0]);
	return pid;
}

void
rig_end_namespace(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid, "waitpid: %s", strerror(errno));
}

/*
 * Leaks
 */

static unsigned int
count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int n = 0;

	CHECK(dir != NULL, "%s: %s", path, strerror(errno));
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static unsigned int
count_lines(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int n = 0;
	int c;

	CHECK(file != NULL, "%s: %s", path, strerror(errno));
	while ((c = getc(file)) != EOF)
		n += c == '\n';
	fclose(file);
	return n;
}

static void
count_memzone(const struct rte_memzone *mz __rte_unused, void *arg)
{
	(*(unsigned int *)arg)++;
}

static size_t
count_heap(void)
{
	struct rte_malloc_socket_stats stats;
	size_t bytes = 0;
	unsigned int i;

	for (i = 0; i < rte_socket_count(); i++)
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0)
			bytes += stats.heap_allocsz_bytes;
	return bytes;
}

void
rig_census(struct rig_census *census)
{
	/* The interrupt thread has files for a moment while it looks at an interface. */
	rig_settle();
	*census = (struct rig_census){
		.files = count_entries("/proc/self/fd"),
		.threads = count_entries("/proc/self/task"),
		.ports = rte_eth_dev_count_avail(),
		.interfaces = count_lines("/proc/net/dev"),
		.heap = count_heap(),
	};
	rte_memzone_walk(count_memzone, &census->memzones);
}

void
rig_census_compare(const struct rig_census *before, const char *what)
{
	struct rig_census now;

	/* A thread that was joined may show in /proc for a moment. */
	WAIT_FOR((rig_census(&now), now.threads <= before->threads),
		"%s: threads went from %zu to %zu", what, (size_t)before->threads,
		(size_t)now.threads);
#define SAME(field) \
	CHECK(now.field == before->field, "%s: " #field " went from %zu to %zu", what, \
		(size_t)before->field, (size_t)now.field)
	SAME(files);
	SAME(memzones);
	SAME(ports);
	SAME(interfaces);
	SAME(heap);
#undef SAME
}

/*
 * Pools
 */

struct rte_mempool *
pool_create(const char *name, unsigned int n, uint16_t room)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create(name, n, 0, 0,
		RTE_PKTMBUF_HEADROOM + room, SOCKET_ID_ANY);

	CHECK(pool != NULL, "pool of %u mbufs of %u bytes: %s", n, room,
		rte_strerror(rte_errno));
	return pool;
}

struct rte_mempool *
pool_create_external(const char *name, unsigned int n, uint16_t room)
{
	const uint16_t size = RTE_PKTMBUF_HEADROOM + room;
	struct rte_pktmbuf_extmem mem = {
		.buf_ptr = rte_malloc(NULL, (size_t)n * size, RTE_CACHE_LINE_SIZE),
		.buf_len = (size_t)n * size,
		.elt_size = size,
	};
	struct rte_mempool *pool;

	CHECK(mem.buf_ptr != NULL, "no memory for %u buffers of %u bytes", n, size);
	mem.buf_iova = rte_malloc_virt2iova(mem.buf_ptr);
	pool = rte_pktmbuf_pool_create_extbuf(name, n, 0, 0, size, SOCKET_ID_ANY, &mem, 1);
	CHECK(pool != NULL, "pool of %u external buffers: %s", n, rte_strerror(rte_errno));
	return pool;
}

void
pool_check_full(const struct rte_mempool *pool)
{
	CHECK(rte_mempool_in_use_count(pool) == 0, "%u mbufs of pool %s are missing",
		rte_mempool_in_use_count(pool), pool->name);
}

/*
 * Ports
 */

int
port_try_attach(const char *name, const char *args)
{
	char all[256];

	snprintf(all, sizeof(all), "%s%sio=%s", args, args[0] == '\0' ? "" : ",", rig_io);
	return rte_eal_hotplug_add("vdev", name, all);
}

void
port_find(struct port *port, const char *name)
{
	struct rte_eth_dev_info info;

	*port = (struct port){ .ethertype = ETHERTYPE_TEST };
	rte_strlcpy(port->name, name, sizeof(port->name));
	CHECK_OK(rte_eth_dev_get_port_by_name(name, &port->id));
	CHECK_OK(rte_eth_dev_info_get(port->id, &info));
	port->ifindex = info.if_index;
	CHECK(if_indextoname(port->ifindex, port->ifname) != NULL, "%s has no interface", name);
}

void
port_attach(struct port *port, const char *name, const char *args)
{
	int ret = port_try_attach(name, args);

	CHECK(ret == 0, "attach %s,%s: %s", name, args, rig_strerror(ret));
	port_find(port, name);
}

static int
setup_queues(struct port *port, const struct port_conf *conf,
		const struct rte_eth_dev_info *info)
{
	struct rte_eth_rxconf rx = info->default_rxconf;
	struct rte_eth_txconf tx = info->default_txconf;
	uint16_t nb_desc = conf->nb_desc != 0 ? conf->nb_desc : NB_DESC;
	uint16_t i;
	int ret = 0;

	rx.offloads = conf->rx_offloads;
	rx.rx_deferred_start = conf->deferred;
	tx.offloads = conf->tx_offloads;
	tx.tx_deferred_start = conf->deferred;
	for (i = 0; i < port->nb_rx && ret == 0; i++)
		ret = rte_eth_rx_queue_setup(port->id, i, nb_desc, SOCKET_ID_ANY, &rx, conf->pool);
	for (i = 0; i < port->nb_tx && ret == 0; i++)
		ret = rte_eth_tx_queue_setup(port->id, i, nb_desc, SOCKET_ID_ANY, &tx);
	return ret;
}

int
port_try_setup(struct port *port, const struct port_conf *conf)
{
	struct rte_eth_conf eth = {
		.rxmode = {
			.offloads = conf->rx_offloads,
			.max_lro_pkt_size = conf->max_lro,
			.mtu = conf->mtu != 0 ? conf->mtu : kernel_mtu(port->ifname),
		},
		.txmode.offloads = conf->tx_offloads,
		.intr_conf = conf->intr,
	};
	struct rte_eth_dev_info info;
	int ret;

	port->nb_rx = conf->nb_rx != 0 ? conf->nb_rx : 1;
	port->nb_tx = conf->nb_tx != 0 ? conf->nb_tx : 1;
	CHECK_OK(rte_eth_dev_info_get(port->id, &info));
	ret = rte_eth_dev_configure(port->id, port->nb_rx, port->nb_tx, &eth);
	if (ret == 0)
		ret = setup_queues(port, conf, &info);
	return ret;
}

void
port_setup(struct port *port, const struct port_conf *conf)
{
	CHECK_OK(port_try_setup(port, conf));
}

/*
 * The kernel takes note of the carrier a little later, and until then sends nothing. Whether it
 * has a carrier is asked under the lock under which both happen. An old kernel answers that at
 * once, and takes up to a second for what follows.
 */
void
port_await_link(const struct port *port)
{
	if (kernel_is_old())
		usleep(1500000);
	WAIT_FOR((kernel_flags(port->ifname) & IFF_RUNNING) != 0, "%s does not run", port->ifname);
	CHECK(kernel_carrier(port->ifname), "%s has no carrier", port->ifname);
}

void
port_start(const struct port *port)
{
	CHECK_OK(rte_eth_dev_start(port->id));
	port_await_link(port);
}

void
port_open(struct port *port, const char *name, const char *args, const struct port_conf *conf)
{
	port_attach(port, name, args);
	port_setup(port, conf);
	port_start(port);
}

void
port_close(struct port *port)
{
	CHECK_OK(rte_eal_hotplug_remove("vdev", port->name));
	CHECK(rte_eth_dev_is_valid_port(port->id) == 0, "port %u is still there", port->id);
}

/* Packets that are sent or dropped. With SQPOLL they are counted when the queue is called again. */
static uint64_t
tx_done(const struct port *port, uint16_t queue)
{
	struct rte_eth_stats stats;

	rte_eth_tx_done_cleanup(port->id, queue, 0);
	stats = port_stats(port);
	return stats.opackets + stats.oerrors;
}

void
port_tx(const struct port *port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t before = rig_sqpoll ? tx_done(port, queue) : 0;
	uint16_t sent = 0;

	WAIT_FOR((sent += rte_eth_tx_burst(port->id, queue, &pkts[sent], n - sent)) == n,
		"queue %u takes %u of %u packets", queue, sent, n);
	if (rig_sqpoll)
		WAIT_FOR(tx_done(port, queue) >= before + n, "queue %u", queue);
}

static bool
is_of_type(const struct rte_mbuf *m, uint16_t ethertype)
{
	return rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type ==
		rte_cpu_to_be_16(ethertype);
}

uint16_t
port_rx_burst(const struct port *port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = rte_eth_rx_burst(port->id, queue, pkts, n);
	uint16_t i, ours = 0;

	CHECK(got <= n, "%u packets from a burst of %u", got, n);
	for (i = 0; i < got; i++) {
		if (is_of_type(pkts[i], port->ethertype))
			pkts[ours++] = pkts[i];
		else
			rte_pktmbuf_free(pkts[i]);
	}
	return ours;
}

void
port_rx(const struct port *port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = 0;

	WAIT_FOR((got += port_rx_burst(port, queue, &pkts[got], n - got)) == n,
		"queue %u has %u of %u packets", queue, got, n);
}

void
port_rx_discard(const struct port *port)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t i, n;

	for (i = 0; i < port->nb_rx; i++) {
		while ((n = rte_eth_rx_burst(port->id, i, pkts, BURST)) != 0)
			rte_pktmbuf_free_bulk(pkts, n);
	}
}

struct rte_eth_stats
port_stats(const struct port *port)
{
	struct rte_eth_stats stats;

	CHECK_OK(rte_eth_stats_get(port->id, &stats));
	return stats;
}

uint64_t
port_xstat(const struct port *port, const char *name)
{
	uint64_t id, value;

	CHECK(rte_eth_xstats_get_id_by_name(port->id, name, &id) == 0, "no xstat %s", name);
	CHECK(rte_eth_xstats_get_by_id(port->id, &id, &value, 1) == 1, "no value of %s", name);
	return value;
}

/*
 * The kernel's end
 */

int
kernel_open(const struct port *port, uint16_t ethertype)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = rte_cpu_to_be_16(ethertype),
		.sll_ifindex = port->ifindex,
	};
	const struct timeval patience = { .tv_sec = RIG_PATIENCE };
	const int size = SOCKET_BUFFER;
	int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	CHECK(sock >= 0, "packet socket: %s", strerror(errno));
	CHECK_OK(setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)));
	CHECK_OK(setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	CHECK(bind(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0, "bind to %s: %s",
		port->ifname, strerror(errno));
	return sock;
}

void
kernel_send(int sock, const void *data, size_t len)
{
	ssize_t ret = send(sock, data, len, 0);

	CHECK(ret == (ssize_t)len, "the kernel cannot send %zu bytes: %s", len, strerror(errno));
}

/* A ring that was closed has the kernel interrupt the thread that owned it, a little later. */
size_t
kernel_recv(int sock, void *data, size_t size)
{
	ssize_t ret;

	/* Work that the kernel does for io_uring on this thread interrupts a wait. */
	do
		ret = recv(sock, data, size, MSG_TRUNC);
	while (ret < 0 && errno == EINTR);
	CHECK(ret >= 0, "nothing arrives in the kernel: %s", strerror(errno));
	CHECK((size_t)ret <= size, "a frame of %zd bytes does not fit into %zu", ret, size);
	return ret;
}

void
kernel_expect_nothing(int sock)
{
	uint8_t byte;

	/* The error may also tell that the interface is down. */
	CHECK(recv(sock, &byte, sizeof(byte), MSG_TRUNC | MSG_DONTWAIT) < 0,
		"a frame arrived in the kernel");
}

static void
interface_ioctl(const char *ifname, unsigned long request, struct ifreq *ifr)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	rte_strlcpy(ifr->ifr_name, ifname, sizeof(ifr->ifr_name));
	CHECK(ioctl(sock, request, ifr) == 0, "ioctl %#lx of %s: %s", request, ifname,
		strerror(errno));
	close(sock);
}

unsigned int
kernel_flags(const char *ifname)
{
	struct ifreq ifr = {0};

	interface_ioctl(ifname, SIOCGIFFLAGS, &ifr);
	return (unsigned short)ifr.ifr_flags;
}

unsigned int
kernel_mtu(const char *ifname)
{
	struct ifreq ifr = {0};

	interface_ioctl(ifname, SIOCGIFMTU, &ifr);
	return ifr.ifr_mtu;
}

void
kernel_set_mtu(const char *ifname, unsigned int mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };

	interface_ioctl(ifname, SIOCSIFMTU, &ifr);
}

void
kernel_mac(const char *ifname, struct rte_ether_addr *mac)
{
	struct ifreq ifr = {0};

	interface_ioctl(ifname, SIOCGIFHWADDR, &ifr);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, sizeof(*mac));
}

bool
kernel_carrier(const char *ifname)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ifreq ifr = { .ifr_data = (void *)&link };

	interface_ioctl(ifname, SIOCETHTOOL, &ifr);
	return link.data != 0;
}

struct kernel_stats
kernel_stats(const char *ifname)
{
	FILE *file = fopen("/proc/net/dev", "re");
	struct kernel_stats stats;
	char line[512], name[64];
	bool found = false;

	CHECK(file != NULL, "/proc/net/dev: %s", strerror(errno));
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = sscanf(line, " %63[^:]: %*u %" SCNu64 " %*u %*u %*u %*u %*u %*u"
			" %*u %" SCNu64 " %*u %" SCNu64, name, &stats.rx_packets,
			&stats.tx_packets, &stats.tx_dropped) == 4 && strcmp(name, ifname) == 0;
	CHECK(found, "no statistics of %s", ifname);
	fclose(file);
	return stats;
}

/*
 * Frames
 */

static const uint8_t *
frame_payload(unsigned int number)
{
	return &pattern[number % PATTERN_STARTS];
}

static const struct rte_ether_hdr frame_header = {
	.dst_addr = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
	.src_addr = { { 0x02, 0, 0, 0, 0, 0x01 } },
	.ether_type = RTE_BE16(ETHERTYPE_TEST),
};

void
frame_write(void *data, size_t len, unsigned int number)
{
	memcpy(data, &frame_header, sizeof(frame_header));
	memcpy((uint8_t *)data + sizeof(frame_header), frame_payload(number),
		len - sizeof(frame_header));
}

bool
frame_is(const void *data, size_t len, unsigned int number)
{
	return memcmp(data, &frame_header, sizeof(frame_header)) == 0 &&
		memcmp((const uint8_t *)data + sizeof(frame_header), frame_payload(number),
			len - sizeof(frame_header)) == 0;
}

struct flow_header {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
};

static_assert(sizeof(struct flow_header) == 14 + 20 + 8, "headers follow each other");

void
flow_write(void *data, size_t len, unsigned int number)
{
	struct flow_header header = {
		.eth = frame_header,
		.ip = {
			.version_ihl = RTE_IPV4_VHL_DEF,
			.total_length = rte_cpu_to_be_16(len - sizeof(header.eth)),
			.time_to_live = 64,
			.next_proto_id = IPPROTO_UDP,
			.src_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 1)),
			.dst_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 2)),
		},
		.udp = {
			.src_port = rte_cpu_to_be_16(number),
			.dst_port = RTE_BE16(9),
			.dgram_len = rte_cpu_to_be_16(len - offsetof(struct flow_header, udp)),
		},
	};

	header.eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	header.ip.hdr_checksum = rte_ipv4_cksum(&header.ip);
	memcpy(data, &header, sizeof(header));
	memcpy((uint8_t *)data + sizeof(header), frame_payload(number), len - sizeof(header));
}

/* In how many pieces the mbuf is does not matter. */
static const void *
mbuf_contents(const struct rte_mbuf *m, size_t len)
{
	static uint8_t copy[FRAME_MAX];
	const char *reason;

	CHECK(rte_mbuf_check(m, 1, &reason) == 0, "bad mbuf: %s", reason);
	return rte_pktmbuf_read(m, 0, len, copy);
}

bool
frame_is_mbuf(const struct rte_mbuf *m, size_t len, unsigned int number)
{
	return m->pkt_len == len && frame_is(mbuf_contents(m, len), len, number);
}

bool
flow_is_mbuf(const struct rte_mbuf *m, size_t len, unsigned int number)
{
	static uint8_t expected[FRAME_MAX];

	flow_write(expected, len, number);
	return m->pkt_len == len && memcmp(mbuf_contents(m, len), expected, len) == 0;
}

unsigned int
flow_number(const struct rte_mbuf *m)
{
	const struct flow_header *header = mbuf_contents(m, sizeof(*header));

	return rte_be_to_cpu_16(header->udp.src_port);
}

struct rte_mbuf *
frame_alloc(struct rte_mempool *pool, size_t len, unsigned int number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	char *data;

	CHECK(m != NULL, "pool %s is empty", pool->name);
	data = rte_pktmbuf_append(m, len);
	CHECK(data != NULL, "%zu bytes do not fit into an mbuf of pool %s", len, pool->name);
	frame_write(data, len, number);
	return m;
}

void
frames_to_kernel(const struct port *port, uint16_t queue, int sock, struct rte_mempool *pool,
		unsigned int n)
{
	static uint8_t data[FRAME_MAX];
	unsigned int i, len;

	for (i = 0; i < n; i++) {
		struct rte_mbuf *m;

		len = FRAME_MIN + rig_random(RTE_ETHER_MAX_LEN - FRAME_MIN - RTE_ETHER_CRC_LEN);
		m = frame_alloc(pool, len, i);
		port_tx(port, queue, &m, 1);
		CHECK(kernel_recv(sock, data, sizeof(data)) == len && frame_is(data, len, i),
			"frame %u of Tx queue %u differs", i, queue);
	}
}

/* The queue that the kernel chose for a frame has it. */
static struct rte_mbuf *
rx_from_any(const struct port *port)
{
	struct rte_mbuf *m = NULL;
	uint16_t queue = 0;

	WAIT_FOR(port_rx_burst(port, queue++ % port->nb_rx, &m, 1) == 1, "a frame is lost");
	return m;
}

uint64_t
frames_from_kernel(const struct port *port, int sock, unsigned int n)
{
	static uint8_t data[FRAME_MAX];
	unsigned int i, len;
	uint64_t bytes = 0;

	for (i = 0; i < n; i++) {
		struct rte_mbuf *m;

		len = FRAME_MIN + rig_random(RTE_ETHER_MAX_LEN - FRAME_MIN - RTE_ETHER_CRC_LEN);
		frame_write(data, len, i);
		kernel_send(sock, data, len);
		m = rx_from_any(port);
		CHECK(frame_is_mbuf(m, len, i), "frame %u from the kernel differs", i);
		rte_pktmbuf_free(m);
		bytes += len;
	}
	return bytes;
}
