#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "request.h"
#include "scoped.h"

enum { READ_MAX = FRAME_PAYLOAD_MAX - 1024, RESOLVE_TRIES = 16 };

/* openat2 answers EAGAIN when something was renamed while it resolved "..". */
static int resolve(int root_fd, const char *path)
{
	int fd = -1;

	for (int try = 0; try < RESOLVE_TRIES; try++) {
		fd = kernel_openat2(root_fd, path, O_PATH | O_CLOEXEC, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

/* Opened in two steps: what is no regular file, say a device, is never really opened. */
static int open_regular(const char *root, const char *path, struct error *err)
{
	SCOPED_FD root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	SCOPED_FD path_fd = -1;
	struct stat info;
	char again[32];
	int fd;

	/* ENOENT is for the file only: without its root nothing can be said about it. */
	if (root_fd < 0)
		return error_set(err, 0, "cannot open root %s: %s", root, strerror(errno));
	path_fd = resolve(root_fd, path);
	if (path_fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return error_set(err, ENOENT, "%s in %s leads nowhere", path, root);
	if (path_fd < 0 || fstat(path_fd, &info) < 0)
		return error_errno(err, errno, "cannot open %s in %s", path, root);
	if (!S_ISREG(info.st_mode))
		return error_set(err, ENOENT, "%s in %s is not a regular file", path, root);
	snprintf(again, sizeof(again), "/proc/self/fd/%d", path_fd);
	fd = open(again, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "cannot read %s in %s", path, root);
	return fd;
}

int request_read_in_root(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	static const int64_t limits[2] = {0, READ_MAX};
	SCOPED_TEXT root = NULL;
	SCOPED_TEXT path = NULL;
	SCOPED_TEXT data = NULL;
	SCOPED_FD fd = -1;
	size_t used = 0;
	int64_t limit;

	if (request_path(request, TAG_DIRECTORY, "root directory", &root, err) < 0 ||
	    request_text(request, TAG_PATH, "path", &path, err) < 0 ||
	    request_integer(request, TAG_OUTPUT_LIMIT, limits, &limit, err) < 0)
		return -1;
	fd = open_regular(root, path, err);
	if (fd < 0)
		return -1;
	data = malloc((size_t)limit + 1);
	if (!data)
		return error_errno(err, ENOMEM, "cannot read %s", path);
	while (used <= (size_t)limit) {
		ssize_t got = read(fd, data + used, (size_t)limit + 1 - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, errno, "cannot read %s in %s", path, root);
		if (got == 0)
			break;
		used += (size_t)got;
	}
	if (used > (size_t)limit)
		return error_set(err, EFBIG, "%s in %s has more than %lld bytes", path, root, (long long)limit);
	frame_put(answer, TAG_DATA, data, used);
	return 0;
}
