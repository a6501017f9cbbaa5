/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/*
 * A writev() to be loaded before the right one: of packets to a TAP, it loses one now and then
 * (BROKEN=lose) or changes their last byte (BROKEN=change), and says that all is well.
 */

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <linux/if.h>
#include <linux/if_tun.h>

#define NTH 50

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
write_wrong(int fd, const struct iovec *iov, int n)
{
	unsigned char *last = (unsigned char *)iov[n - 1].iov_base + iov[n - 1].iov_len - 1;
	ssize_t len = 0;
	int i;

	if (strcmp(fault, "change") == 0) {
		*last ^= 1;
		len = right(fd, iov, n);
		*last ^= 1;
		return len;
	}
	for (i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

ssize_t writev(int fd, const struct iovec *iov, int n);

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	static __thread unsigned int packets;
	struct ifreq ifr;

	if (fault == NULL || n == 0 || ioctl(fd, TUNGETIFF, &ifr) != 0 || ++packets % NTH != 0)
		return right(fd, iov, n);
	return write_wrong(fd, iov, n);
}
