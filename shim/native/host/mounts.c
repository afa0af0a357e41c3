#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "request.h"
#include "scoped.h"

enum { STACKED_MAX = 1024 };

int mounts_bind(const char *source, const char *target, unsigned int flags, struct error *err)
{
	unsigned int recursive = flags & BIND_RECURSIVE ? AT_RECURSIVE : 0;
	struct kernel_mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	SCOPED_FD mount_fd = kernel_open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);

	if (mount_fd < 0)
		return error_errno(err, errno, "cannot open %s for a bind mount", source);
	if (flags & BIND_READ_ONLY && kernel_mount_setattr(mount_fd, AT_EMPTY_PATH | recursive, &read_only) < 0)
		return error_errno(err, errno, "cannot make a bind mount of %s read-only", source);
	if (kernel_move_mount(mount_fd, AT_FDCWD, target) < 0)
		return error_errno(err, errno, "cannot mount %s on %s", source, target);
	return 0;
}

/* 1: made, 0: was there, -1: failed. */
static int make_target(const char *source, const char *target, struct error *err)
{
	struct stat info;
	int fd;

	if (stat(source, &info) < 0)
		return error_errno(err, errno, "cannot look at %s", source);
	if (S_ISDIR(info.st_mode)) {
		if (mkdir(target, 0755) == 0)
			return 1;
		return errno == EEXIST ? 0 : error_errno(err, errno, "cannot make directory %s", target);
	}
	fd = open(target, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return errno == EEXIST ? 0 : error_errno(err, errno, "cannot make file %s", target);
	close(fd);
	return 1;
}

int request_bind(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	static const int64_t flags_range[2] = {0, BIND_FLAGS};
	SCOPED_TEXT source = NULL;
	SCOPED_TEXT target = NULL;
	int64_t flags;
	int was_made;

	(void)answer;
	if (request_path(request, TAG_SOURCE, "source", &source, err) < 0 ||
	    request_path(request, TAG_PATH, "target", &target, err) < 0 ||
	    request_integer(request, TAG_FLAGS, flags_range, &flags, err) < 0)
		return -1;
	was_made = make_target(source, target, err);
	if (was_made < 0)
		return -1;
	if (mounts_bind(source, target, (unsigned int)flags, err) == 0)
		return 0;
	if (was_made && unlink(target) < 0)
		rmdir(target);
	return -1;
}

/* Taking the mount point away also ends the copies of its mounts in other mount namespaces, whatever their
 * propagation: otherwise a container that got such a copy would keep a dead pod's namespaces alive. */
static int remove_mount_point(const char *path, int was_mounted, struct error *err)
{
	struct stat info;
	int result;

	if (lstat(path, &info) < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "cannot look at %s", path);
	if (S_ISDIR(info.st_mode))
		result = rmdir(path);
	else
		result = was_mounted ? unlink(path) : 0;
	if (result == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST)
		return 0;
	return error_errno(err, errno, "cannot remove mount point %s", path);
}

static int unmount_all(const char *path, struct error *err)
{
	for (int count = 0; count < STACKED_MAX; count++) {
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
			continue;
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		if (errno == EINVAL) /* not a mount point */
			return remove_mount_point(path, count > 0, err);
		return error_errno(err, errno, "cannot unmount %s", path);
	}
	return error_set(err, EBUSY, "%s has more than %d mounts on it", path, STACKED_MAX);
}

int request_unmount(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	(void)answer;
	return request_each_path(request, unmount_all, err);
}
