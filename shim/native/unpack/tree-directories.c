#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "quote.h"
#include "tree-internal.h"

struct implicit {
	ino_t inode;
	char path[];
};

static int by_inode(const void *left, const void *right)
{
	const struct implicit *a = left, *b = right;

	return (a->inode > b->inode) - (a->inode < b->inode);
}

int remember_time(struct tree *tree, const char *path, const struct tar_entry *entry, struct error *err)
{
	size_t size = sizeof(struct tree_directory) + strlen(path) + 1;
	char *copy;

	if (tree->directory_bytes + size > TREE_DIRECTORY_BYTES_MAX)
		return error_set(err, ENOSPC, "the layer has too many directories");
	if (tree->directory_count == tree->directory_room) {
		size_t room = tree->directory_room ? tree->directory_room * 2 : 256;
		struct tree_directory *list = reallocarray(tree->directories, room, sizeof(*list));

		if (!list)
			return error_errno(err, ENOMEM, "the layer has too many directories");
		tree->directories = list;
		tree->directory_room = room;
	}
	copy = strdup(path);
	if (!copy)
		return error_errno(err, ENOMEM, "the layer has too many directories");
	tree->directory_bytes += size;
	tree->directories[tree->directory_count++] = (struct tree_directory){
		.path = copy,
		.mtime_seconds = entry->mtime_seconds,
		.mtime_nanoseconds = entry->mtime_nanoseconds,
	};
	return 0;
}

int tree_finish(struct tree *tree, struct error *err)
{
	for (size_t i = 0; i < tree->directory_count; i++) {
		const struct tree_directory *directory = &tree->directories[i];
		struct timespec time = entry_time(directory->mtime_seconds, directory->mtime_nanoseconds);
		struct timespec times[2] = { time, time };
		int fd = open_in_root(tree, directory->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		int set;

		/* A later entry may have replaced it. */
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			continue;
		if (fd < 0)
			return error_errno(err, errno, "cannot open directory \"%.200s\"", directory->path);
		set = futimens(fd, times);
		close(fd);
		if (set < 0)
			return error_errno(err, errno, "cannot set the time of \"%.200s\"", directory->path);
	}
	return 0;
}

int implicit_add(struct tree *tree, int parent, const char *name, struct error *err)
{
	char above[TAR_PATH_MAX], path[2 * TAR_PATH_MAX];
	struct implicit *made, **slot;
	const char *inside;
	struct stat st;
	size_t size;

	/* Links on the way here do not matter: the real path is wanted. */
	if (fchdir(parent) < 0 || syscall(SYS_getcwd, above, sizeof(above)) < 0)
		return error_errno(err, errno, "cannot find the path of a directory");
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, errno, "cannot look at a directory");
	inside = above + tree->root_length;
	inside += *inside == '/';
	size = (size_t)snprintf(path, sizeof(path), "%s%s%s", inside, *inside ? "/" : "", name) + 1;
	if (tree->implicit_bytes + size > TREE_IMPLICIT_BYTES_MAX)
		return error_set(err, ENOSPC, "the layer has too many directories without an entry of their own");
	made = malloc(sizeof(*made) + size);
	if (!made)
		return error_errno(err, ENOMEM, "a directory without an entry");
	made->inode = st.st_ino;
	memcpy(made->path, path, size);
	slot = tsearch(made, &tree->implicit, by_inode);
	if (!slot || *slot != made) {
		free(made);
		return error_set(err, ENOMEM, "cannot remember a directory without an entry");
	}
	tree->implicit_count++;
	tree->implicit_bytes += size;
	return 0;
}

void implicit_forget(struct tree *tree, ino_t inode)
{
	struct implicit wanted = { .inode = inode };
	struct implicit **slot = tfind(&wanted, &tree->implicit, by_inode);
	struct implicit *found;

	if (!slot)
		return;
	found = *slot;
	tdelete(found, &tree->implicit, by_inode);
	tree->implicit_count--;
	tree->implicit_bytes -= strlen(found->path) + 1;
	free(found);
}

struct paths {
	const char **list;
	size_t count;
};

static void collect(const void *node, VISIT visit, void *closure)
{
	const struct implicit *const *implicit = node;
	struct paths *paths = closure;

	if (visit == postorder || visit == leaf)
		paths->list[paths->count++] = (*implicit)->path;
}

static int by_path(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

int tree_print_implicit(const struct tree *tree, FILE *stream, struct error *err)
{
	struct paths paths = { 0 };

	if (tree->implicit_count == 0)
		return 0;
	paths.list = calloc(tree->implicit_count, sizeof(*paths.list));
	if (!paths.list)
		return error_errno(err, ENOMEM, "cannot list directories");
	twalk_r(tree->implicit, collect, &paths);
	qsort(paths.list, paths.count, sizeof(*paths.list), by_path);
	for (size_t i = 0; i < paths.count; i++) {
		fputs("implicit ", stream);
		quote_to(stream, paths.list[i]);
		fputc('\n', stream);
	}
	free(paths.list);
	return 0;
}

void directories_free(struct tree *tree)
{
	for (size_t i = 0; i < tree->directory_count; i++)
		free(tree->directories[i].path);
	free(tree->directories);
	tdestroy(tree->implicit, free);
}
