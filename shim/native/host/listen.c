#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "scoped.h"

/* Opens the directory of the path and finds its last part. */
static int open_parent(char *path, const char **name, struct error *err)
{
	char *slash = strrchr(path, '/');
	int fd;

	*name = slash + 1;
	if (!**name)
		return error_set(err, EINVAL, "socket path %s ends with a slash", path);
	*slash = 0;
	fd = open(slash == path ? "/" : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		error_errno(err, errno, "cannot open directory %s", slash == path ? "/" : path);
	*slash = '/';
	return fd;
}

/* Binds by way of /proc: an address holds 107 bytes. */
int listen_at(char *path, int backlog, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name;
	SCOPED_FD directory = open_parent(path, &name, err);
	mode_t umask_before;
	int fd, result;

	if (directory < 0)
		return -1;
	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", directory, name) >=
	    sizeof(address.sun_path))
		return error_set(err, ENAMETOOLONG, "the name of socket %s is too long", path);
	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		return error_errno(err, errno, "cannot replace %s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a socket");
	umask_before = umask(0177);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(umask_before);
	if (result < 0 || listen(fd, backlog) < 0) {
		error_errno(err, errno, "cannot listen on %s", path);
		close(fd);
		return -1;
	}
	return fd;
}
