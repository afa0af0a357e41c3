#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attributes.h"
#include "kernel.h"
#include "request.h"
#include "scoped.h"
#include "tree.h"

enum { RESOLVE_TRIES = 16, COPY_BYTES = 1 << 20 };

/* The directory that is the copy of the one the walk is in. Nobody else knows the copy: ".." leads back. */
struct copy {
	int fd;
};

static int fail(const struct tree *tree, const char *name, struct error *err)
{
	char where[256];
	int code = errno;

	tree_where(tree, name, where, sizeof(where));
	return error_errno(err, code, "cannot copy %s", where);
}

/* Whole files in the kernel, if the file systems can; else through memory. */
static int copy_bytes(int from, int to)
{
	SCOPED_TEXT buffer = NULL;
	ssize_t got;

	while ((got = copy_file_range(from, NULL, to, NULL, COPY_BYTES, 0)) > 0)
		;
	if (got == 0)
		return 0;
	if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	buffer = malloc(COPY_BYTES);
	if (!buffer)
		return -1;
	while ((got = read(from, buffer, COPY_BYTES)) > 0) {
		for (ssize_t put = 0, done = 0; done < got; done += put) {
			put = write(to, buffer + done, (size_t)(got - done));
			if (put < 0)
				return -1;
		}
	}
	return got < 0 ? -1 : 0;
}

static int copy_regular(int from_directory, int to_directory, const char *name)
{
	SCOPED_FD from = openat(from_directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	SCOPED_FD to = -1;

	if (from < 0)
		return -1;
	to = openat(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return to < 0 ? -1 : copy_bytes(from, to);
}

static int copy_link(int from_directory, int to_directory, const char *name)
{
	char target[PATH_MAX];
	ssize_t size = readlinkat(from_directory, name, target, sizeof(target) - 1);

	if (size < 0)
		return -1;
	target[size] = 0;
	return symlinkat(target, to_directory, name);
}

static int on_file(struct tree *tree, int directory_fd, const char *name, struct error *err)
{
	const struct copy *copy = tree->context;
	struct stat info;
	int result;

	if (fstatat(directory_fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(tree, name, err);
	if (S_ISREG(info.st_mode))
		result = copy_regular(directory_fd, copy->fd, name);
	else if (S_ISLNK(info.st_mode))
		result = copy_link(directory_fd, copy->fd, name);
	else
		result = mknodat(copy->fd, name, info.st_mode, info.st_rdev);
	if (result < 0 || attributes_copy(directory_fd, copy->fd, name, &info) < 0)
		return fail(tree, name, err);
	return 0;
}

/* The top is there already. */
static int on_enter(struct tree *tree, int directory_fd, struct error *err)
{
	const char *name = tree->levels[tree->depth - 1].name;
	struct copy *copy = tree->context;
	int child;

	(void)directory_fd;
	if (tree->depth == 1)
		return 0;
	if (mkdirat(copy->fd, name, 0700) < 0)
		return fail(tree, "", err);
	child = openat(copy->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (child < 0)
		return fail(tree, "", err);
	close(copy->fd);
	copy->fd = child;
	return 0;
}

/* Last, because what was made in it has changed its times. */
static int on_leave(struct tree *tree, int parent_fd, const char *name, struct error *err)
{
	struct copy *copy = tree->context;
	SCOPED_FD from = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;
	int parent;

	if (from < 0 || fstat(from, &info) < 0 || attributes_copy(from, copy->fd, ".", &info) < 0)
		return fail(tree, name, err);
	if (tree->depth == 0)
		return 0;
	parent = openat(copy->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return fail(tree, name, err);
	close(copy->fd);
	copy->fd = parent;
	return 0;
}

static int on_mount(struct tree *tree, int parent_fd, const char *name, struct error *err)
{
	char where[256];

	(void)parent_fd;
	tree_where(tree, name, where, sizeof(where));
	return error_set(err, EBUSY, "cannot copy %s: something is mounted on it", where);
}

/* Where the directory `path` of a root really is. 1: there is no such directory. */
static int resolve(const char *root, const char *path, char real[PATH_MAX], struct error *err)
{
	SCOPED_FD root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	SCOPED_FD fd = -1;
	char link[32];
	ssize_t size;

	if (root_fd < 0)
		return error_set(err, 0, "cannot open root %s: %s", root, strerror(errno));
	for (int try = 0; fd < 0 && try < RESOLVE_TRIES; try++) {
		fd = kernel_openat2(root_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC,
				    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
		if (fd < 0 && errno != EAGAIN)
			break;
	}
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 1;
	if (fd < 0)
		return error_errno(err, errno, "cannot open %s in %s", path, root);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, real, PATH_MAX - 1);
	if (size < 0 || size >= PATH_MAX - 1)
		return error_errno(err, size < 0 ? errno : ENAMETOOLONG, "cannot find %s in %s", path, root);
	real[size] = 0;
	return 0;
}

int request_copy_tree(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	SCOPED_TEXT root = NULL;
	SCOPED_TEXT source = NULL;
	SCOPED_TEXT target = NULL;
	struct copy copy;
	struct tree tree = {.on_file = on_file,
			    .on_enter = on_enter,
			    .on_leave = on_leave,
			    .on_mount = on_mount,
			    .is_top_free = 1,
			    .context = &copy};
	char real[PATH_MAX];
	int result;

	(void)answer;
	if (request_path(request, TAG_DIRECTORY, "root directory", &root, err) < 0 ||
	    request_text(request, TAG_SOURCE, "source", &source, err) < 0 ||
	    request_path(request, TAG_PATH, "target", &target, err) < 0)
		return -1;
	result = resolve(root, source, real, err);
	if (result != 0)
		return result < 0 ? -1 : 0;
	copy.fd = open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (copy.fd < 0)
		return error_errno(err, errno, "cannot open %s", target);
	result = tree_walk(&tree, real, err);
	tree_free(&tree);
	close(copy.fd);
	return result < 0 ? error_wrap(err, "cannot copy %s of %s", source, root) : 0;
}
