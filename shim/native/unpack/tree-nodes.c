#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tree-internal.h"

bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int count_name(struct tree *tree, struct error *err)
{
	if (tree->names >= tree->limits.inodes)
		return error_set(err, ENOSPC, "the layer has more than %llu files",
				 (unsigned long long)tree->limits.inodes);
	tree->names++;
	return 0;
}

int make_opaque(int parent, const char *name, struct error *err)
{
	/* There is no setxattrat: the name is one component and not a link, so that it can be reached from the
	 * working directory only in the one way that is meant. */
	if (fchdir(parent) < 0 || lsetxattr(name, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return error_errno(err, errno, "cannot make directory %.64s opaque", name);
	return 0;
}

int make_implicit(struct tree *tree, int parent, const char *name, struct error *err)
{
	if (count_name(tree, err) < 0)
		return -1;
	if (mkdirat(parent, name, 0755) < 0 ||
	    fchownat(parent, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0 || fchmodat(parent, name, 0755, 0) < 0)
		return error_errno(err, errno, "cannot make its parent directory");
	tree->inodes++;
	return implicit_add(tree, parent, name, err);
}

int make_whiteout(struct tree *tree, const char *name, struct error *err)
{
	int parent = tree->parent.fd;
	struct stat st;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(err, 0, "a whiteout that names nothing");
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		/* What this layer brings stays (image spec, layer.md); it hides the layers below, a directory if it
		 * is opaque. */
		return S_ISDIR(st.st_mode) ? make_opaque(parent, name, err) : 0;
	}
	if (errno != ENOENT)
		return error_errno(err, errno, "cannot look at what it hides");
	if (count_name(tree, err) < 0)
		return -1;
	if (mknodat(parent, name, S_IFCHR, makedev(0, 0)) < 0)
		return error_errno(err, errno, "cannot make a whiteout");
	tree->inodes++;
	return 0;
}

static int make_directory(struct tree *tree, const struct tar_entry *entry, const char *name, struct error *err)
{
	int parent = tree->parent.fd;
	bool was_whiteout = false;
	struct stat st;

	if (mkdirat(parent, name, entry->mode & 01777) < 0) {
		if (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_errno(err, errno, "cannot make it");
		if (S_ISDIR(st.st_mode)) {
			implicit_forget(tree, st.st_ino);
			return 0;
		}
		was_whiteout = is_whiteout(&st);
		if (remove_name(tree, parent, name, &st, err) < 0)
			return -1;
		if (mkdirat(parent, name, entry->mode & 01777) < 0)
			return error_errno(err, errno, "cannot make it");
	}
	tree->inodes++;
	return was_whiteout ? make_opaque(parent, name, err) : 0;
}

/* Runs `make` again if it fails because there is something of this name, after removing that. */
static int make_instead(struct tree *tree, const struct tar_entry *entry, const char *name,
			int (*make)(const struct tree *, const struct tar_entry *, const char *),
			struct error *err)
{
	struct stat st;
	int made = make(tree, entry, name);

	if (made >= 0)
		return made;
	if (errno != EEXIST || fstatat(tree->parent.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, errno, "cannot make it");
	if (remove_name(tree, tree->parent.fd, name, &st, err) < 0)
		return -1;
	made = make(tree, entry, name);
	return made >= 0 ? made : error_errno(err, errno, "cannot make it");
}

static int try_file(const struct tree *tree, const struct tar_entry *entry, const char *name)
{
	return openat(tree->parent.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry->mode);
}

static int try_symlink(const struct tree *tree, const struct tar_entry *entry, const char *name)
{
	return symlinkat(entry->link, tree->parent.fd, name);
}

static int try_special(const struct tree *tree, const struct tar_entry *entry, const char *name)
{
	mode_t type = entry->type == TAR_FIFO ? S_IFIFO : entry->type == TAR_BLOCK_DEVICE ? S_IFBLK : S_IFCHR;

	return mknodat(tree->parent.fd, name, type | entry->mode, makedev(entry->device_major, entry->device_minor));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* 1: the name already is this link */
static int link_from(struct tree *tree, int target_parent, const char *target, const char *name, struct error *err)
{
	struct stat st, old;

	if (fstatat(target_parent, target, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, errno, "cannot link to \"%.200s\"", target);
	if (S_ISDIR(st.st_mode) || is_whiteout(&st))
		return error_set(err, 0, "cannot link to \"%.200s\": it is a directory or removed", target);
	if (fstatat(tree->parent.fd, name, &old, AT_SYMLINK_NOFOLLOW) == 0) {
		if (old.st_ino == st.st_ino)
			return 0;
		if (remove_name(tree, tree->parent.fd, name, &old, err) < 0)
			return -1;
	}
	if (linkat(target_parent, target, tree->parent.fd, name, 0) < 0)
		return error_errno(err, errno, "cannot link to \"%.200s\"", target);
	return 0;
}

static int make_hard_link(struct tree *tree, const struct tar_entry *entry, const char *name, struct error *err)
{
	__attribute__((cleanup(close_fd))) int target_parent = -1;
	char clean[TAR_PATH_MAX];
	const char *parent, *target;

	if (path_clean(entry->link, clean, err) < 0)
		return -1;
	if (!*clean)
		return error_set(err, 0, "cannot link to the root directory");
	path_split(clean, &parent, &target);
	target_parent = open_in_root(tree, parent, O_PATH | O_DIRECTORY);
	if (target_parent < 0)
		return error_errno(err, errno, "cannot find the target of its link");
	return link_from(tree, target_parent, target, name, err);
}

int make_node(struct tree *tree, const struct tar_entry *entry, const char *name, struct error *err)
{
	if (count_name(tree, err) < 0)
		return -1;
	switch (entry->type) {
	case TAR_HARD_LINK:
		/* Owner, mode and times are those of its target. */
		return make_hard_link(tree, entry, name, err);
	case TAR_DIRECTORY:
		if (make_directory(tree, entry, name, err) < 0)
			return -1;
		break;
	case TAR_SYMLINK:
		if (make_instead(tree, entry, name, try_symlink, err) < 0)
			return -1;
		tree->inodes++;
		break;
	default:
		if (make_instead(tree, entry, name, try_special, err) < 0)
			return -1;
		tree->inodes++;
	}
	return set_node_attributes(tree, name, entry, err);
}

int make_file(struct tree *tree, const struct tar_entry *entry, const char *name, struct error *err)
{
	if (count_name(tree, err) < 0)
		return -1;
	tree->file = make_instead(tree, entry, name, try_file, err);
	if (tree->file < 0)
		return -1;
	tree->inodes++;
	return 0;
}
