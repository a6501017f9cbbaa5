/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kperf.h"
#include "output.h"

static void __rte_noreturn
fail(const char *name, int error)
{
	die("cannot write %s: %s", name, strerror(error));
}

/* The directory that the file is in; to be freed. */
static char *
directory_of(const char *name)
{
	char *copy = strdup(name), *dir = copy != NULL ? strdup(dirname(copy)) : NULL;

	if (dir == NULL)
		die("out of memory");
	free(copy);
	return dir;
}

/* By another name, like /dev/stdout: a second stream would write over what is there. */
static bool
is_stdout(const char *name)
{
	struct stat file, out;

	return stat(name, &file) == 0 && fstat(STDOUT_FILENO, &out) == 0 &&
		file.st_dev == out.st_dev && file.st_ino == out.st_ino;
}

/* A file of one name, in a directory where another one can be put. Links stay what they are. */
bool
output_replaces(const char *name)
{
	char *dir = directory_of(name);
	bool replaces = access(dir, W_OK | X_OK) == 0 && !is_stdout(name);
	struct stat info;

	free(dir);
	if (lstat(name, &info) != 0)
		return replaces && errno == ENOENT;
	return replaces && S_ISREG(info.st_mode) && info.st_nlink == 1;
}

/* It belongs to whom the one before belongs to, as far as that is allowed. */
static int
open_temporary(struct output *o)
{
	char *dir = directory_of(o->name);
	struct stat old;
	int fd;

	if (asprintf(&o->temporary, "%s/.kpath-perf.%d", dir, (int)getpid()) < 0)
		die("out of memory");
	free(dir);
	unlink(o->temporary);
	fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd >= 0 && stat(o->name, &old) == 0 && (fchown(fd, old.st_uid, old.st_gid) == 0 ||
	    errno == EPERM))
		fchmod(fd, old.st_mode & 07777);
	return fd;
}

void
output_open(struct output *o, const char *name)
{
	int fd;

	*o = (struct output){ .name = name };
	if (is_stdout(name)) {
		o->file = stdout;
		return;
	}
	fd = output_replaces(name) ? open_temporary(o) :
		open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	o->file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (o->file == NULL)
		fail(name, errno);
}

void
output_close(struct output *o)
{
	int error = 0;

	if (fflush(o->file) != 0 || ferror(o->file) != 0)
		error = errno;
	if (o->file != stdout && fclose(o->file) != 0 && error == 0)
		error = errno;
	if (error == 0 && o->temporary != NULL && rename(o->temporary, o->name) != 0)
		error = errno;
	if (error != 0 && o->temporary != NULL)
		unlink(o->temporary);
	free(o->temporary);
	if (error != 0)
		fail(o->name, error);
}
