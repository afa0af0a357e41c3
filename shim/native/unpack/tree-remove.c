#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "tree-internal.h"

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* Removes what is in the directory up to the first directory in it. 1: `child` names that one; 0: it is empty; -1 */
static int remove_until_directory(struct tree *tree, int fd, char child[NAME_MAX + 1], struct error *err)
{
	__attribute__((cleanup(close_directory))) DIR *directory = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *name;

	if (copy < 0)
		return error_errno(err, errno, "cannot read a directory that it replaces");
	directory = fdopendir(copy);
	if (!directory) {
		close(copy);
		return error_errno(err, errno, "cannot read a directory that it replaces");
	}
	for (errno = 0; (name = readdir(directory)); errno = 0) {
		struct stat st;

		if (strcmp(name->d_name, ".") == 0 || strcmp(name->d_name, "..") == 0)
			continue;
		if (fstatat(fd, name->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_errno(err, errno, "cannot look into a directory that it replaces");
		if (S_ISDIR(st.st_mode)) {
			implicit_forget(tree, st.st_ino);
			strcpy(child, name->d_name);
			return 1;
		}
		if (unlinkat(fd, name->d_name, 0) < 0)
			return error_errno(err, errno, "cannot empty a directory that it replaces");
		tree->inodes -= st.st_nlink == 1;
	}
	return errno ? error_errno(err, errno, "cannot read a directory that it replaces") : 0;
}

/* Empties a directory, however deep it is: goes down into the first directory, empties it, comes up again and
 * removes it. Nothing is remembered on the way but the depth. Takes fd. */
static int empty_directory(struct tree *tree, int fd, struct error *err)
{
	char child[NAME_MAX + 1];
	uint64_t depth = 0;
	int result = 0;

	for (;;) {
		int next, more = remove_until_directory(tree, fd, child, err);

		result = more;
		if (more < 0 || (more == 0 && depth == 0))
			break;
		/* An empty directory is removed from above. */
		if (more > 0 && unlinkat(fd, child, AT_REMOVEDIR) == 0) {
			tree->inodes--;
			continue;
		}
		/* Only what is full can be emptied: anything else would have us go up and down for ever. */
		if (more > 0 && errno != ENOTEMPTY && errno != EEXIST) {
			result = error_errno(err, errno, "cannot remove a directory that it replaces");
			break;
		}
		next = more > 0 ? openat(fd, child, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) :
				  openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0) {
			result = error_errno(err, errno, "cannot open a directory that it replaces");
			break;
		}
		close(fd);
		fd = next;
		depth = more > 0 ? depth + 1 : depth - 1;
	}
	close(fd);
	return result;
}

int remove_name(struct tree *tree, int parent, const char *name, const struct stat *st, struct error *err)
{
	bool is_directory = S_ISDIR(st->st_mode);
	int fd;

	tree_forget_parent(tree);
	if (is_directory) {
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return error_errno(err, errno, "cannot open a directory that it replaces");
		if (empty_directory(tree, fd, err) < 0)
			return -1;
		implicit_forget(tree, st->st_ino);
	}
	if (unlinkat(parent, name, is_directory ? AT_REMOVEDIR : 0) < 0)
		return error_errno(err, errno, "cannot remove what it replaces");
	tree->inodes -= is_directory || st->st_nlink == 1;
	return 0;
}
