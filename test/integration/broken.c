/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * A writev() to be loaded before the right one: of packets to a TAP, it loses one now and then
 * (BROKEN=lose) or changes their last byte (BROKEN=change), and says that all is well. Or it loses
 * all of a kind: large ones (BROKEN=data), TCP (BROKEN=tcp), other IPv4 (BROKEN=probes).
 */

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <linux/if.h>
#include <linux/if_tun.h>

#define NTH 50
#define LARGE 500
/* Into a frame */
#define ETHERTYPE_AT 12
#define PROTOCOL_AT 23
#define TCP 6

static ssize_t (*right)(int fd, const struct iovec *iov, int n);
static const char *fault;

static void __attribute__((constructor))
begin(void)
{
	void *symbol = dlsym(RTLD_NEXT, "writev");

	memcpy(&right, &symbol, sizeof(right));
	fault = getenv("BROKEN");
}

static ssize_t
length(const struct iovec *iov, int n)
{
	ssize_t len = 0;
	int i;

	for (i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

static unsigned char
byte_at(const struct iovec *iov, int n, size_t at)
{
	int i;

	for (i = 0; i < n; at -= iov[i++].iov_len)
		if (at < iov[i].iov_len)
			return ((const unsigned char *)iov[i].iov_base)[at];
	return 0;
}

/* Of a kind that is lost as a whole? */
static bool
is_of_kind(int fd, const struct iovec *iov, int n)
{
	int hdr = 0;
	bool ip, tcp;

	ioctl(fd, TUNGETVNETHDRSZ, &hdr);
	ip = byte_at(iov, n, hdr + ETHERTYPE_AT) == 0x08 &&
		byte_at(iov, n, hdr + ETHERTYPE_AT + 1) == 0x00;
	tcp = ip && byte_at(iov, n, hdr + PROTOCOL_AT) == TCP;
	return (strcmp(fault, "data") == 0 && length(iov, n) > LARGE) ||
		(strcmp(fault, "tcp") == 0 && tcp) || (strcmp(fault, "probes") == 0 && ip && !tcp);
}

/* The next that is lost, or changed, of those that are now and then? */
static bool
is_next(void)
{
	static __thread unsigned int packets;

	return (strcmp(fault, "lose") == 0 || strcmp(fault, "change") == 0) &&
		++packets % NTH == 0;
}

static ssize_t
write_wrong(int fd, const struct iovec *iov, int n)
{
	unsigned char *last = (unsigned char *)iov[n - 1].iov_base + iov[n - 1].iov_len - 1;
	ssize_t len;

	if (strcmp(fault, "change") == 0) {
		*last ^= 1;
		len = right(fd, iov, n);
		*last ^= 1;
		return len;
	}
	return length(iov, n);
}

ssize_t writev(int fd, const struct iovec *iov, int n);

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	struct ifreq ifr;

	if (fault == NULL || n == 0 || ioctl(fd, TUNGETIFF, &ifr) != 0 ||
	    (!is_of_kind(fd, iov, n) && !is_next()))
		return right(fd, iov, n);
	return write_wrong(fd, iov, n);
}
