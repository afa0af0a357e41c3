#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "request.h"
#include "scoped.h"
#include "tree.h"

enum { LABEL_MAX = 4096, PATH_SIZE = 300 };

static const char attribute[] = "security.selinux";

/* A label that is right is not written again: that would change the time of the file. */
static int set_label(const char *path, const char *label)
{
	char current[LABEL_MAX];
	ssize_t size = lgetxattr(path, attribute, current, sizeof(current));
	size_t length = strlen(label);

	/* The kernel counts the NUL at the end of a label, or does not. */
	if (size >= 0 && strnlen(current, (size_t)size) == length && memcmp(current, label, length) == 0)
		return 0;
	if (lsetxattr(path, attribute, label, length + 1, 0) == 0 || errno == EOPNOTSUPP || errno == ENOENT)
		return 0;
	return -1;
}

static int label_entry(const struct tree *tree, int directory_fd, const char *name, struct error *err)
{
	char path[PATH_SIZE], where[256];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", directory_fd, name);
	if (set_label(path, tree->context) == 0)
		return 0;
	tree_where(tree, name, where, sizeof(where));
	return error_errno(err, errno, "cannot label %s", where);
}

static int on_file(struct tree *tree, int directory_fd, const char *name, struct error *err)
{
	return label_entry(tree, directory_fd, name, err);
}

static int on_enter(struct tree *tree, int directory_fd, struct error *err)
{
	return label_entry(tree, directory_fd, ".", err);
}

/* Another file system is not the volume's. */
static int on_mount(struct tree *tree, int parent_fd, const char *name, struct error *err)
{
	(void)tree;
	(void)parent_fd;
	(void)name;
	(void)err;
	return 0;
}

int request_relabel(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	SCOPED_TEXTS paths = NULL;
	SCOPED_TEXT label = NULL;

	(void)answer;
	if (request_paths(request, TAG_PATH, "path", &paths, err) < 0 ||
	    request_text(request, TAG_OPTIONS, "label", &label, err) < 0)
		return -1;
	if (strlen(label) >= LABEL_MAX)
		return error_set(err, EINVAL, "the label has more than %d bytes", LABEL_MAX - 1);
	for (char **path = paths; *path; path++) {
		struct tree tree = {.on_file = on_file,
				    .on_enter = on_enter,
				    .on_mount = on_mount,
				    .is_top_free = 1,
				    .context = label};
		int result = tree_walk(&tree, *path, err);

		tree_free(&tree);
		if (result != 0)
			return result < 0 ? error_wrap(err, "cannot label %s", *path)
					  : error_set(err, ENOENT, "cannot label %s: it does not exist", *path);
	}
	return 0;
}
