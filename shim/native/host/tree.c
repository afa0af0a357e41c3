#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "scoped.h"

enum {
	OPEN_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	OPEN_LEVELS = 200, /* whose parents stay open, so that it does not matter if somebody moves them meanwhile */
};

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void tree_free(struct tree *tree)
{
	while (tree->depth > 0) {
		close_fd(tree->levels[--tree->depth].parent_fd);
		free(tree->levels[tree->depth].name);
	}
	while (tree->pending_count > 0)
		free(tree->pending[--tree->pending_count]);
	free(tree->levels);
	free(tree->pending);
	tree->levels = NULL;
	tree->pending = NULL;
	tree->levels_room = tree->pending_room = 0;
}

void tree_where(const struct tree *tree, const char *name, char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	for (size_t i = 0; i < tree->depth && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s/", tree->levels[i].name);
	if (used < size)
		snprintf(text + used, size - used, "%s", name);
}

static int fail(const struct tree *tree, int code, const char *doing, const char *name, struct error *err)
{
	char where[256];

	tree_where(tree, name, where, sizeof(where));
	return error_errno(err, code, "cannot %s %s", doing, where);
}

/* Room for one more element; answers the array, perhaps moved, or NULL. */
static void *grow(void *array, size_t count, size_t *room, size_t element_size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, wanted, element_size);
	if (grown)
		*room = wanted;
	return grown;
}

static int push_pending(struct tree *tree, const char *name, struct error *err)
{
	char **pending = grow(tree->pending, tree->pending_count, &tree->pending_room, sizeof(*pending));

	if (!pending)
		return fail(tree, ENOMEM, "remember", name, err);
	tree->pending = pending;
	pending[tree->pending_count] = strdup(name);
	if (!pending[tree->pending_count])
		return fail(tree, ENOMEM, "remember", name, err);
	tree->pending_count++;
	return 0;
}

/* Takes ownership of name and, on success, of parent_fd. */
static int push_level(struct tree *tree, int directory_fd, char *name, int parent_fd, struct error *err)
{
	struct tree_level *levels = grow(tree->levels, tree->depth, &tree->levels_room, sizeof(*levels));
	struct stat info;

	if (!levels || fstat(directory_fd, &info) < 0) {
		int code = levels ? errno : ENOMEM;

		if (levels)
			tree->levels = levels;
		fail(tree, code, "enter", name, err);
		free(name);
		return -1;
	}
	tree->levels = levels;
	if (tree->depth >= OPEN_LEVELS) {
		close(parent_fd);
		parent_fd = -1;
	}
	levels[tree->depth++] = (struct tree_level){.device = info.st_dev,
						    .inode = info.st_ino,
						    .name = name,
						    .parent_fd = parent_fd,
						    .pending_before = tree->pending_count};
	return 0;
}

static int is_directory(int directory_fd, const struct dirent *entry)
{
	struct stat info;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	if (fstatat(directory_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return S_ISDIR(info.st_mode);
}

/* Visits the files of a directory and remembers its directories. ENOENT is a directory that was removed
 * meanwhile. */
static int visit_entries(struct tree *tree, int directory_fd, struct error *err)
{
	SCOPED_DIR directory = NULL;
	struct dirent *entry;
	int copy = openat(directory_fd, ".", OPEN_FLAGS);

	directory = copy < 0 ? NULL : fdopendir(copy);
	if (!directory) {
		int code = errno;

		close_fd(copy);
		return code == ENOENT ? 0 : fail(tree, code, "read", "", err);
	}
	while ((errno = 0, entry = readdir(directory))) {
		int result;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (is_directory(directory_fd, entry))
			result = push_pending(tree, entry->d_name, err);
		else
			result = tree->on_file(tree, directory_fd, entry->d_name, err);
		if (result < 0)
			return -1;
	}
	return errno == 0 || errno == ENOENT ? 0 : fail(tree, errno, "read", "", err);
}

/* Goes down: *current becomes the directory `name`, which is freed. 1: entered, 0: passed over, -1: failed. */
static int enter(struct tree *tree, int *current, char *name, struct error *err)
{
	int may_cross = tree->depth == 0 && tree->is_top_free;
	int fd = kernel_openat2(*current, name, OPEN_FLAGS, may_cross ? 0 : RESOLVE_NO_XDEV | RESOLVE_BENEATH);
	int result = 0;

	if (fd < 0) {
		if (errno == EXDEV)
			result = tree->on_mount(tree, *current, name, err);
		else if (errno != ENOENT)
			result = fail(tree, errno, "open", name, err);
		free(name);
		return result;
	}
	if (push_level(tree, fd, name, *current, err) < 0) {
		close(fd);
		return -1;
	}
	*current = fd;
	if (tree->on_enter && tree->on_enter(tree, fd, err) < 0)
		return -1;
	return visit_entries(tree, fd, err) < 0 ? -1 : 1;
}

/* The directory above the current one: it must be the one that we came from, else somebody has moved it. */
static int reopen_parent(const struct tree *tree, int current, struct error *err)
{
	const struct tree_level *parent = &tree->levels[tree->depth - 2];
	struct stat info;
	int fd = openat(current, "..", OPEN_FLAGS);

	if (fd >= 0 && fstat(fd, &info) == 0 && info.st_dev == parent->device && info.st_ino == parent->inode)
		return fd;
	fail(tree, fd < 0 ? errno : EBUSY, "leave", "", err);
	close_fd(fd);
	return -1;
}

static int leave(struct tree *tree, int *current, struct error *err)
{
	struct tree_level level = tree->levels[tree->depth - 1];
	int result = 0;

	if (level.parent_fd < 0)
		level.parent_fd = reopen_parent(tree, *current, err);
	if (level.parent_fd < 0)
		return -1;
	close(*current);
	*current = level.parent_fd;
	tree->depth--;
	if (tree->on_leave)
		result = tree->on_leave(tree, *current, level.name, err);
	free(level.name);
	return result;
}

static int walk_directory(struct tree *tree, int *current, char *name, struct error *err)
{
	int result = enter(tree, current, name, err);

	while (result >= 0 && tree->depth > 0) {
		if (tree->pending_count > tree->levels[tree->depth - 1].pending_before)
			result = enter(tree, current, tree->pending[--tree->pending_count], err);
		else
			result = leave(tree, current, err);
	}
	return result < 0 ? -1 : 0;
}

/* Splits path into its directory, which is opened, and its last part. 1: the directory is absent. */
static int open_parent(const char *path, int *fd, char **name, struct error *err)
{
	SCOPED_TEXT parent = strdup(path);
	char *slash;

	if (!parent)
		return error_errno(err, ENOMEM, "cannot walk %s", path);
	for (size_t size = strlen(parent); size > 1 && parent[size - 1] == '/'; size--)
		parent[size - 1] = 0;
	slash = strrchr(parent, '/');
	if (!slash || !slash[1] || strcmp(slash + 1, ".") == 0 || strcmp(slash + 1, "..") == 0)
		return error_set(err, EINVAL, "\"%s\" names no entry of a directory", path);
	*name = strdup(slash + 1);
	if (!*name)
		return error_errno(err, ENOMEM, "cannot walk %s", path);
	slash[slash == parent] = 0;
	*fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	if (errno == ENOENT || errno == ENOTDIR)
		return 1;
	return error_errno(err, errno, "cannot open %s", parent);
}

int tree_walk(struct tree *tree, const char *path, struct error *err)
{
	SCOPED_TEXT name = NULL;
	SCOPED_FD current = -1;
	struct stat info;
	char *top;
	int result = open_parent(path, &current, &name, err);

	if (result != 0)
		return result;
	if (fstatat(current, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : error_errno(err, errno, "cannot look at %s", path);
	if (!S_ISDIR(info.st_mode))
		return tree->on_file(tree, current, name, err);
	top = name;
	name = NULL; /* the walk frees it */
	return walk_directory(tree, &current, top, err);
}
