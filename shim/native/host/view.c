/* Overlays of which only the outcome is to be seen: of layers with mapped ids, or a part of one. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "mounts.h"
#include "overlay.h"
#include "scoped.h"

enum { NAME_SIZE = 24 };

/* A tmpfs in a mount namespace that this process has to itself; both go with the process. */
struct stage {
	int host_ns;
	int directory;
};

static void stage_close(struct stage *stage)
{
	scoped_close(&stage->host_ns);
	scoped_close(&stage->directory);
}

/* Keeps the working directory. The tmpfs covers the target's directory, which is there and not needed here. */
static int stage_enter(const char *target, struct stage *stage, struct error *err)
{
	const char *last = strrchr(target, '/');
	SCOPED_TEXT parent = strndup(target, last == target ? 1 : (size_t)(last - target));

	if (!parent)
		return error_set(err, ENOMEM, "no memory");
	stage->host_ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (stage->host_ns < 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, errno, "cannot make a mount namespace");
	if (mount("stage", parent, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700,size=1m") < 0)
		return error_errno(err, errno, "cannot mount a tmpfs on %s", parent);
	stage->directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (stage->directory < 0)
		return error_errno(err, errno, "cannot open %s", parent);
	return 0;
}

/* An overlay takes only layers that are mounted somewhere in the mount namespace of who makes it. */
static int stage_layer(const struct stage *stage, const char *layer, const char *name, int user_fd, struct error *err)
{
	SCOPED_FD mount_fd = kernel_open_tree(AT_FDCWD, layer, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (mount_fd < 0)
		return error_errno(err, errno, "cannot open layer %s", layer);
	if (mounts_prepare(mount_fd, 0, user_fd, layer, err) < 0)
		return -1;
	if (mkdirat(stage->directory, name, 0700) < 0 || kernel_move_mount(mount_fd, stage->directory, name) < 0)
		return error_errno(err, errno, "cannot mount layer %s", layer);
	return 0;
}

/* Answers short names that mean the layers once the stage is the working directory; NULL if that fails. */
static char **stage_layers(const struct stage *stage, char *const *layers, int user_fd, struct error *err)
{
	size_t count = 0;
	char **names;

	while (layers[count])
		count++;
	if (count > OVERLAY_LAYERS_MAX) {
		error_set(err, EINVAL, "an overlay of %zu layers: want 1 to %d", count, OVERLAY_LAYERS_MAX);
		return NULL;
	}
	names = calloc(count + 1, sizeof(*names));
	for (size_t i = 0; names && i < count; i++) {
		names[i] = malloc(NAME_SIZE);
		if (names[i])
			snprintf(names[i], NAME_SIZE, "%zu", i);
		if (names[i] && stage_layer(stage, layers[i], names[i], user_fd, err) == 0)
			continue;
		if (!names[i])
			error_set(err, ENOMEM, "no memory");
		texts_free(names);
		return NULL;
	}
	if (!names)
		error_set(err, ENOMEM, "no memory");
	return names;
}

/* The descriptor stays open for as long as the process lives. */
static int name_by_fd(const char *path, char name[32], struct error *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, errno, "cannot open %s", path);
	snprintf(name, 32, "/proc/self/fd/%d", fd);
	return 0;
}

/* Mounts the overlay as `view` in the stage, which is the working directory then. */
static int mount_on_stage(const struct overlay *overlay, const struct stage *stage, int user_fd, struct error *err)
{
	char view[] = "view", upper[32], work[32];
	SCOPED_TEXTS names = stage_layers(stage, overlay->layers, user_fd, err);
	struct overlay staged = {.layers = names, .options = overlay->options, .target = view};

	if (!names)
		return -1;
	if (overlay->upper && overlay->work) {
		if (name_by_fd(overlay->upper, upper, err) < 0 || name_by_fd(overlay->work, work, err) < 0)
			return -1;
		staged.upper = upper;
		staged.work = work;
	}
	if (fchdir(stage->directory) < 0 || mkdir(view, 0700) < 0)
		return error_errno(err, errno, "cannot prepare the mount of %s", overlay->target);
	return overlay_mount(&staged, err);
}

/* What the sub path means inside the view: a directory or a regular file, links followed as in a chroot. */
static int open_part(const char *sub_path, struct stat *info, struct error *err)
{
	SCOPED_FD root = open("view", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int part;

	if (root < 0)
		return error_errno(err, errno, "cannot open an overlay");
	part = kernel_openat2(root, sub_path ? sub_path : ".", O_PATH | O_CLOEXEC,
			      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (part < 0)
		return error_errno(err, errno, "cannot find sub path %s", sub_path ? sub_path : ".");
	if (fstat(part, info) == 0 && (S_ISDIR(info->st_mode) || S_ISREG(info->st_mode)))
		return part;
	close(part);
	return error_set(err, ENOTDIR, "sub path %s is neither a directory nor a file", sub_path);
}

static int attach(const struct overlay *overlay, int mount_fd, uint32_t mode, struct error *err)
{
	int was_made = mounts_make_target(mode, overlay->target, err);

	if (was_made < 0)
		return -1;
	if (kernel_move_mount(mount_fd, AT_FDCWD, overlay->target) == 0)
		return 0;
	error_errno(err, errno, "cannot mount an overlay on %s", overlay->target);
	if (was_made)
		mounts_remove_target(overlay->target);
	return -1;
}

int overlay_mount_view(const struct overlay *overlay, struct error *err)
{
	__attribute__((cleanup(stage_close))) struct stage stage = {-1, -1};
	SCOPED_FD user_fd = -1;
	SCOPED_FD part = -1;
	SCOPED_FD mount_fd = -1;
	struct stat info;

	if (id_maps_given(&overlay->maps)) {
		user_fd = userns_open(&overlay->maps, err);
		if (user_fd < 0)
			return -1;
	}
	if (stage_enter(overlay->target, &stage, err) < 0 || mount_on_stage(overlay, &stage, user_fd, err) < 0)
		return -1;
	part = open_part(overlay->sub_path, &info, err);
	if (part < 0)
		return -1;
	mount_fd = kernel_open_tree(part, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount_fd < 0)
		return error_errno(err, errno, "cannot take an overlay from its stage");
	if (mounts_prepare(mount_fd, overlay->flags, -1, overlay->target, err) < 0)
		return -1;
	if (setns(stage.host_ns, CLONE_NEWNS) < 0)
		return error_errno(err, errno, "cannot return to the mount namespace of the host");
	return attach(overlay, mount_fd, info.st_mode, err);
}
