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

enum { OPEN_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

void tree_free(struct tree *tree)
{
	while (tree->depth > 0)
		free(tree->levels[--tree->depth].name);
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

/* Takes ownership of name. */
static int push_level(struct tree *tree, int directory_fd, char *name, struct error *err)
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
	levels[tree->depth++] = (struct tree_level){
		.device = info.st_dev, .inode = info.st_ino, .name = name, .pending_before = tree->pending_count};
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

/* Visits the files of a directory and remembers its directories. */
static int visit_entries(struct tree *tree, int directory_fd, struct error *err)
{
	SCOPED_DIR directory = NULL;
	struct dirent *entry;
	int copy = openat(directory_fd, ".", OPEN_FLAGS);

	directory = copy < 0 ? NULL : fdopendir(copy);
	if (!directory) {
		int code = errno;

		if (copy >= 0)
			close(copy);
		return fail(tree, code, "read", "", err);
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
	return errno ? fail(tree, errno, "read", "", err) : 0;
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
	if (push_level(tree, fd, name, err) < 0) {
		close(fd);
		return -1;
	}
	close(*current);
	*current = fd;
	if (tree->on_enter && tree->on_enter(tree, fd, err) < 0)
		return -1;
	return visit_entries(tree, fd, err) < 0 ? -1 : 1;
}

/* Goes up: the parent must be the directory that we came from, else somebody has moved it meanwhile. */
static int leave(struct tree *tree, int *current, struct error *err)
{
	struct tree_level level = tree->levels[tree->depth - 1];
	struct stat info;
	int fd, result;

	fd = openat(*current, "..", OPEN_FLAGS);
	if (fd < 0 || fstat(fd, &info) < 0) {
		result = fail(tree, errno, "leave", "", err);
	} else if (tree->depth > 1 && (info.st_dev != tree->levels[tree->depth - 2].device ||
				       info.st_ino != tree->levels[tree->depth - 2].inode)) {
		result = fail(tree, EBUSY, "leave", "", err);
	} else {
		tree->depth--;
		result = tree->on_leave ? tree->on_leave(tree, fd, level.name, err) : 0;
		free(level.name);
	}
	if (fd >= 0) {
		close(*current);
		*current = fd;
	}
	return result;
}

static int walk_directory(struct tree *tree, int *current, char *name, struct error *err)
{
	int result = enter(tree, current, name, err);

	if (result <= 0)
		return result;
	while (tree->depth > 0) {
		if (tree->pending_count > tree->levels[tree->depth - 1].pending_before)
			result = enter(tree, current, tree->pending[--tree->pending_count], err);
		else if (tree->depth > 1)
			result = leave(tree, current, err);
		else
			return 0;
		if (result < 0)
			return -1;
	}
	return 0;
}

/* Splits path into its directory, which is opened, and its last part. */
static int open_parent(const char *path, char **name, struct error *err)
{
	SCOPED_TEXT parent = strdup(path);
	char *slash;
	int fd;

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
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		error_errno(err, errno, "cannot open %s", parent);
		free(*name);
	}
	return fd;
}

int tree_walk(struct tree *tree, const char *path, struct error *err)
{
	char *name = NULL;
	int top_fd = open_parent(path, &name, err);
	SCOPED_FD current = -1;
	struct stat info;
	int result;

	if (top_fd < 0)
		return -1;
	current = top_fd;
	if (fstatat(top_fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
		result = error_errno(err, errno, "cannot look at %s", path);
		free(name);
		return result;
	}
	if (!S_ISDIR(info.st_mode)) {
		result = tree->on_file(tree, top_fd, name, err);
		free(name);
		return result;
	}
	top_fd = fcntl(top_fd, F_DUPFD_CLOEXEC, 0);
	result = top_fd < 0 ? error_errno(err, errno, "cannot walk %s", path)
			    : walk_directory(tree, &current, name, err);
	if (result == 0 && tree->depth == 1 && tree->on_leave) {
		struct tree_level level = tree->levels[--tree->depth];

		result = tree->on_leave(tree, top_fd, level.name, err);
		free(level.name);
	}
	if (top_fd >= 0)
		close(top_fd);
	return result;
}
