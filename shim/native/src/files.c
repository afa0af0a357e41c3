#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void fd_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

long file_read(const char *path, char *text, size_t size, int from_end, struct error *err)
{
	int fd FD_CLEANUP = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t used = 0;
	ssize_t got;

	if (fd < 0)
		return error_errno(err, errno, "cannot open %s", path);
	if (from_end)
		lseek(fd, -(off_t)(size - 1), SEEK_END); /* a shorter file is read from its start */
	while (used < size - 1) {
		got = read(fd, text + used, size - 1 - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, errno, "cannot read %s", path);
		if (got == 0)
			break;
		used += (size_t)got;
	}
	text[used] = 0;
	return (long)used;
}

int fd_write(int fd, const char *data, size_t size, struct error *err)
{
	while (size > 0) {
		ssize_t put = write(fd, data, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_errno(err, errno, "write");
		data += put;
		size -= (size_t)put;
	}
	return 0;
}
