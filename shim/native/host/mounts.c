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

struct bind {
	const char *source;
	const char *target;
	unsigned int flags; /* enum mount_flag */
};

int mounts_prepare(int mount_fd, unsigned int flags, int user_fd, const char *what, struct error *err)
{
	unsigned int below = flags & MOUNT_RECURSIVE ? AT_RECURSIVE : 0;
	struct kernel_mount_attr propagation = {.propagation = flags & MOUNT_SLAVE ? MS_SLAVE : MS_PRIVATE};
	struct kernel_mount_attr attributes = {
		.attr_set = (flags & MOUNT_READ_ONLY ? MOUNT_ATTR_RDONLY : 0) |
			    (flags & MOUNT_NO_EXEC ? MOUNT_ATTR_NOEXEC : 0) |
			    (flags & MOUNT_NO_DEV ? MOUNT_ATTR_NODEV : 0) |
			    (flags & MOUNT_NO_SUID ? MOUNT_ATTR_NOSUID : 0),
	};
	struct kernel_mount_attr ids = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_fd};

	/* A copy that stays a peer of its source would, when it is detached, take the mounts below the source along. */
	if (kernel_mount_setattr(mount_fd, AT_EMPTY_PATH | below, &propagation) < 0)
		return error_errno(err, errno, "cannot set the propagation of a mount of %s", what);
	if (user_fd >= 0 && kernel_mount_setattr(mount_fd, AT_EMPTY_PATH, &ids) < 0)
		return error_errno(err, errno, "cannot map the ids of %s (its file system may not support it)", what);
	if (!(flags & MOUNT_ALL_LIKE_TOP))
		below = 0;
	if (attributes.attr_set && kernel_mount_setattr(mount_fd, AT_EMPTY_PATH | below, &attributes) < 0)
		return error_errno(err, errno, "cannot set the attributes of a mount of %s", what);
	return 0;
}

static int attach_tree(int source_fd, const struct bind *bind, int user_fd, struct error *err)
{
	unsigned int below = bind->flags & MOUNT_RECURSIVE ? AT_RECURSIVE : 0;
	SCOPED_FD mount_fd =
		kernel_open_tree(source_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | below);

	if (mount_fd < 0)
		return error_errno(err, errno, "cannot open %s for a bind mount", bind->source);
	if (mounts_prepare(mount_fd, bind->flags, user_fd, bind->source, err) < 0)
		return -1;
	if (kernel_move_mount(mount_fd, AT_FDCWD, bind->target) < 0)
		return error_errno(err, errno, "cannot mount %s on %s", bind->source, bind->target);
	return 0;
}

int mounts_bind(const char *source, const char *target, unsigned int flags, struct error *err)
{
	struct bind bind = {.source = source, .target = target, .flags = flags};
	SCOPED_FD source_fd = open(source, O_PATH | O_CLOEXEC);

	if (source_fd < 0)
		return error_errno(err, errno, "cannot open %s for a bind mount", source);
	return attach_tree(source_fd, &bind, -1, err);
}

int mounts_make_target(uint32_t mode, const char *target, struct error *err)
{
	int fd;

	if (S_ISDIR(mode)) {
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

void mounts_remove_target(const char *target)
{
	if (unlink(target) < 0)
		rmdir(target);
}

/* The source is opened once and has no links on its way: nobody can put another in its place any more. */
static int bind_source(const struct bind *bind, int user_fd, struct error *err)
{
	SCOPED_FD source_fd =
		kernel_openat2(AT_FDCWD, bind->source, O_PATH | O_CLOEXEC, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	struct stat info;
	int was_made;

	if (source_fd < 0 || fstat(source_fd, &info) < 0)
		return error_errno(err, errno, "cannot open %s for a bind mount", bind->source);
	was_made = mounts_make_target(info.st_mode, bind->target, err);
	if (was_made < 0)
		return -1;
	if (attach_tree(source_fd, bind, user_fd, err) == 0)
		return 0;
	if (was_made)
		mounts_remove_target(bind->target);
	return -1;
}

int request_bind(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	static const int64_t flags_range[2] = {0, MOUNT_FLAGS};
	SCOPED_TEXT source = NULL;
	SCOPED_TEXT target = NULL;
	SCOPED_ID_MAPS maps = {0};
	SCOPED_FD user_fd = -1;
	int64_t flags;

	(void)answer;
	if (request_path(request, TAG_SOURCE, "source", &source, err) < 0 ||
	    request_path(request, TAG_PATH, "target", &target, err) < 0 ||
	    request_integer(request, TAG_FLAGS, flags_range, &flags, err) < 0 || id_maps_parse(request, &maps, err) < 0)
		return -1;
	if (id_maps_given(&maps)) {
		user_fd = userns_open(&maps, err);
		if (user_fd < 0)
			return -1;
	}
	return bind_source(&(struct bind){source, target, (unsigned int)flags}, user_fd, err);
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
