#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tree-internal.h"

static const char whiteout_prefix[] = ".wh.";
static const char opaque_name[] = ".wh..wh..opq";
/* What AUFS kept in its layers for itself. */
static const char aufs_prefix[] = ".wh..wh.";

enum { WHITEOUT_PREFIX_LENGTH = sizeof(whiteout_prefix) - 1 };

int tree_open(struct tree *tree, int root, const struct tree_limits *limits, struct error *err)
{
	char path[TAR_PATH_MAX];

	memset(tree, 0, sizeof(*tree));
	tree->root = root;
	tree->limits = *limits;
	tree->file = -1;
	tree->parent.fd = -1;
	tree_forget_parent(tree);
	umask(0);
	if (fchdir(root) < 0 || syscall(SYS_getcwd, path, sizeof(path)) < 0)
		return error_errno(err, errno, "cannot enter the destination");
	tree->root_length = strcmp(path, "/") == 0 ? 0 : strlen(path);
	/* A default ACL would change the mode of everything that is made below. */
	if (removexattr(".", "system.posix_acl_default") < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return error_errno(err, errno, "cannot remove the default ACL of the destination");
	return 0;
}

void tree_close(struct tree *tree)
{
	if (tree->file >= 0)
		close(tree->file);
	if (tree->parent.fd >= 0)
		close(tree->parent.fd);
	directories_free(tree);
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* 1: nothing to do with this path; 0: go on; -1: a whiteout where there can be none */
static int check_parents(const char *parent, struct error *err)
{
	while (*parent) {
		if (begins(parent, aufs_prefix))
			return 1;
		if (begins(parent, whiteout_prefix))
			return error_set(err, 0, "its path goes through a whiteout");
		parent += strcspn(parent, "/");
		parent += *parent == '/';
	}
	return 0;
}

static int make_directory_opaque(struct tree *tree, struct error *err)
{
	return make_opaque(tree->parent.fd, ".", err);
}

static int make_entry(struct tree *tree, const struct tar_entry *entry, const char *path, const char *name,
		      struct error *err)
{
	if (entry->type == TAR_FILE)
		return make_file(tree, entry, name, err);
	if (make_node(tree, entry, name, err) < 0)
		return -1;
	return entry->type == TAR_DIRECTORY ? remember_time(tree, path, entry, err) : 0;
}

static int begin_entry(void *context, const struct tar_entry *entry, struct error *err)
{
	struct tree *tree = context;
	char path[TAR_PATH_MAX], cut[TAR_PATH_MAX];
	const char *parent, *name;
	int checked;

	if (path_clean(entry->path, path, err) < 0)
		return -1;
	if (!*path)
		return 0;
	strcpy(cut, path);
	path_split(cut, &parent, &name);
	checked = check_parents(parent, err);
	if (checked != 0)
		return checked < 0 ? -1 : 0;
	if (begins(name, aufs_prefix) && strcmp(name, opaque_name) != 0)
		return 0;
	if (tree_enter(tree, parent, err) < 0)
		return -1;
	if (strcmp(name, opaque_name) == 0)
		return make_directory_opaque(tree, err);
	if (begins(name, whiteout_prefix))
		return make_whiteout(tree, name + WHITEOUT_PREFIX_LENGTH, err);
	return make_entry(tree, entry, path, name, err);
}

static int write_data(void *context, const uint8_t *data, size_t size, uint64_t offset, struct error *err)
{
	struct tree *tree = context;

	if (tree->file < 0)
		return 0;
	if (size > tree->limits.bytes - tree->bytes)
		return error_set(err, ENOSPC, "the layer has more than %llu bytes",
				 (unsigned long long)tree->limits.bytes);
	tree->bytes += size;
	while (size > 0) {
		ssize_t put = pwrite(tree->file, data, size, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_errno(err, errno, "cannot write it");
		data += put;
		size -= (size_t)put;
		offset += (uint64_t)put;
	}
	return 0;
}

static int end_entry(void *context, const struct tar_entry *entry, struct error *err)
{
	struct tree *tree = context;
	int file = tree->file;
	int result = 0;

	if (file < 0)
		return 0;
	tree->file = -1;
	if (entry->is_sparse && ftruncate(file, (off_t)entry->size) < 0)
		result = error_errno(err, errno, "cannot set its size");
	if (result == 0)
		result = set_file_attributes(tree, file, entry, err);
	if (close(file) < 0 && result == 0)
		result = error_errno(err, errno, "cannot write it");
	return result;
}

struct tar_visitor tree_visitor(struct tree *tree)
{
	return (struct tar_visitor){
		.context = tree, .begin = begin_entry, .data = write_data, .end = end_entry,
	};
}
