#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tree-internal.h"

int path_clean(const char *path, char clean[TAR_PATH_MAX], struct error *err)
{
	size_t used = 0;

	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && memcmp(path, "..", 2) == 0) {
			while (used > 0 && clean[used - 1] != '/')
				used--;
			used -= used > 0;
		} else if (length > 0 && !(length == 1 && *path == '.')) {
			if (used + 1 + length >= TAR_PATH_MAX)
				return error_errno(err, ENAMETOOLONG, "its path");
			if (used > 0)
				clean[used++] = '/';
			memcpy(clean + used, path, length);
			used += length;
		}
		path += length + (path[length] == '/');
	}
	clean[used] = 0;
	return 0;
}

void path_split(char *clean, const char **parent, const char **name)
{
	char *slash = strrchr(clean, '/');

	*parent = slash ? clean : "";
	*name = slash ? slash + 1 : clean;
	if (slash)
		*slash = 0;
}

int open_in_root(const struct tree *tree, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, tree->root, *path ? path : ".", &how, sizeof(how));
}

static void close_parent(struct tree *tree)
{
	if (tree->parent.fd >= 0)
		close(tree->parent.fd);
	tree->parent.fd = -1;
}

void tree_forget_parent(struct tree *tree)
{
	/* No clean path is "/": the next one is looked up. */
	strcpy(tree->parent.path, "/");
}

static int make_parents(struct tree *tree, const char *path, int links, struct error *err);

/* A link that leads nowhere is in the way of a directory: makes the directory that it names. */
static int make_link_target(struct tree *tree, const char *path, const char *name, int links, struct error *err)
{
	char target[TAR_PATH_MAX], joined[TAR_PATH_MAX];
	ssize_t length;
	int parent_length = (int)(name - path);
	int used;

	if (links >= TREE_LINKS_MAX)
		return error_errno(err, ELOOP, "its parent directory");
	length = readlinkat(tree->parent.fd, name, target, sizeof(target) - 1);
	if (length < 0)
		return error_errno(err, errno, "cannot read a link on its path");
	target[length] = 0;
	used = snprintf(joined, sizeof(joined), "%.*s%s", *target == '/' ? 0 : parent_length, path, target);
	if (used >= TAR_PATH_MAX)
		return error_errno(err, ENAMETOOLONG, "a link on its path");
	return make_parents(tree, joined, links + 1, err);
}

/* Makes the last component of the path, which does not lead to a directory; tree->parent.fd is what it is in. */
static int make_component(struct tree *tree, const char *path, int links, struct error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct stat st;

	if (fstatat(tree->parent.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return error_errno(err, errno, "cannot look at its parent directory");
		return make_implicit(tree, tree->parent.fd, name, err);
	}
	if (S_ISLNK(st.st_mode))
		return make_link_target(tree, path, name, links, err);
	if (!is_whiteout(&st))
		return error_errno(err, ENOTDIR, "its parent");
	/* The directory of the layers below is gone, this one is new. */
	if (remove_name(tree, tree->parent.fd, name, &st, err) < 0 ||
	    make_implicit(tree, tree->parent.fd, name, err) < 0)
		return -1;
	return make_opaque(tree->parent.fd, name, err);
}

static int move_parent(struct tree *tree, int fd)
{
	if (fd < 0)
		return -1;
	close_parent(tree);
	tree->parent.fd = fd;
	return 0;
}

/* Goes down one component. Names that are plain directories are opened from where we are, so that a deep path costs
 * no more than its length; links and ".." only by their whole path, inside the root. */
static int step_into(struct tree *tree, const char *path, const char *name)
{
	int fd = -1;

	if (strcmp(name, "..") != 0)
		fd = openat(tree->parent.fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fd = open_in_root(tree, path, O_PATH | O_DIRECTORY);
	return move_parent(tree, fd);
}

/* Walks down from the root and makes what is missing; leaves tree->parent.fd open on the directory. */
static int make_parents(struct tree *tree, const char *path, int links, struct error *err)
{
	char prefix[TAR_PATH_MAX];
	size_t used = 0;

	if (move_parent(tree, open_in_root(tree, "", O_PATH | O_DIRECTORY)) < 0)
		return error_errno(err, errno, "cannot open the root directory");
	while (path[used]) {
		size_t start = used + strspn(path + used, "/");
		size_t end = start + strcspn(path + start, "/");

		used = end;
		if (start == end)
			break;
		memcpy(prefix, path, end);
		prefix[end] = 0;
		if (step_into(tree, prefix, prefix + start) == 0)
			continue;
		if (errno != ENOENT && errno != ENOTDIR)
			return error_errno(err, errno, "cannot open its parent directory");
		if (make_component(tree, prefix, links, err) < 0)
			return -1;
		if (move_parent(tree, open_in_root(tree, prefix, O_PATH | O_DIRECTORY)) < 0)
			return error_errno(err, errno, "cannot open its parent directory");
	}
	return 0;
}

int tree_enter(struct tree *tree, const char *path, struct error *err)
{
	struct stat st;
	int fd;

	if (tree->parent.fd >= 0 && strcmp(tree->parent.path, path) == 0)
		return 0;
	tree_forget_parent(tree);
	fd = open_in_root(tree, path, O_PATH | O_DIRECTORY);
	if (fd >= 0)
		move_parent(tree, fd);
	else if (errno != ENOENT && errno != ENOTDIR)
		return error_errno(err, errno, "cannot open its parent directory");
	else if (make_parents(tree, path, 0, err) < 0)
		return -1;
	if (fstat(tree->parent.fd, &st) < 0)
		return error_errno(err, errno, "cannot look at its parent directory");
	tree->parent.is_setgid = st.st_mode & S_ISGID;
	strcpy(tree->parent.path, path);
	return 0;
}
