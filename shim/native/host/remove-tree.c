#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "request.h"
#include "scoped.h"
#include "tree.h"

/* Takes the immutable and append-only flags (chattr +i, +a) away from what fd stands for. */
static void clear_flags(int fd)
{
	long flags = 0;

	if (ioctl(fd, KERNEL_FS_IOC_GETFLAGS, &flags) < 0)
		return;
	if (!(flags & (KERNEL_FS_IMMUTABLE_FL | KERNEL_FS_APPEND_FL)))
		return;
	flags &= ~(long)(KERNEL_FS_IMMUTABLE_FL | KERNEL_FS_APPEND_FL);
	ioctl(fd, KERNEL_FS_IOC_SETFLAGS, &flags);
}

/* Only regular files and directories have such flags; others are not opened, which could have effects. */
static void clear_entry_flags(int directory_fd, const char *name)
{
	SCOPED_FD fd = -1;
	struct stat info;

	if (fstatat(directory_fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
		return;
	fd = openat(directory_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		clear_flags(fd);
}

static int remove_entry(struct tree *tree, int directory_fd, const char *name, int flags, struct error *err)
{
	char where[256];
	SCOPED_FD directory = -1;

	if (unlinkat(directory_fd, name, flags) == 0 || errno == ENOENT)
		return 0;
	if (errno == EPERM) {
		directory = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (directory >= 0)
			clear_flags(directory);
		clear_entry_flags(directory_fd, name);
		if (unlinkat(directory_fd, name, flags) == 0 || errno == ENOENT)
			return 0;
	}
	tree_where(tree, name, where, sizeof(where));
	return error_errno(err, errno, "cannot remove %s", where);
}

static int on_file(struct tree *tree, int directory_fd, const char *name, struct error *err)
{
	return remove_entry(tree, directory_fd, name, 0, err);
}

static int on_leave(struct tree *tree, int parent_fd, const char *name, struct error *err)
{
	return remove_entry(tree, parent_fd, name, AT_REMOVEDIR, err);
}

static int on_mount(struct tree *tree, int parent_fd, const char *name, struct error *err)
{
	char where[256];

	(void)parent_fd;
	tree_where(tree, name, where, sizeof(where));
	return error_set(err, EBUSY, "cannot remove %s: something is mounted on it", where);
}

static int remove_tree(const char *path, struct error *err)
{
	struct tree tree = {.on_file = on_file, .on_leave = on_leave, .on_mount = on_mount};
	int result = tree_walk(&tree, path, err);

	tree_free(&tree);
	return result < 0 ? error_wrap(err, "cannot remove the tree %s", path) : 0;
}

int request_remove_tree(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	(void)answer;
	return request_each_path(request, remove_tree, err);
}
