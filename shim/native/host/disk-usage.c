#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "request.h"
#include "scoped.h"
#include "tree.h"

/* Files with several names, which count once: an open hash table of (device, inode). */
struct links {
	struct link {
		dev_t device;
		ino_t inode;
	} *items;
	size_t count, room; /* room is a power of two, or 0 */
};

struct usage {
	int64_t bytes, inodes;
	struct links links;
};

static struct link *find_slot(const struct links *links, dev_t device, ino_t inode)
{
	uint64_t hash = ((uint64_t)inode ^ (uint64_t)device << 40) * 0x9e3779b97f4a7c15u;
	size_t index = (size_t)(hash >> 20) & (links->room - 1);

	while (links->items[index].inode && (links->items[index].inode != inode || links->items[index].device != device))
		index = (index + 1) & (links->room - 1);
	return &links->items[index];
}

static int grow_links(struct links *links)
{
	struct links grown = {.room = links->room ? links->room * 2 : 64, .count = links->count};

	grown.items = calloc(grown.room, sizeof(*grown.items));
	if (!grown.items)
		return -1;
	for (size_t i = 0; i < links->room; i++)
		if (links->items[i].inode)
			*find_slot(&grown, links->items[i].device, links->items[i].inode) = links->items[i];
	free(links->items);
	*links = grown;
	return 0;
}

/* 1: seen for the first time, 0: seen before, -1: no memory. */
static int remember(struct links *links, const struct stat *info)
{
	struct link *slot;

	if (links->count * 2 >= links->room && grow_links(links) < 0)
		return -1;
	slot = find_slot(links, info->st_dev, info->st_ino);
	if (slot->inode)
		return 0;
	*slot = (struct link){info->st_dev, info->st_ino};
	links->count++;
	return 1;
}

static int add(struct tree *tree, const struct stat *info, struct error *err)
{
	struct usage *usage = tree->context;
	int is_first = 1;

	if (!S_ISDIR(info->st_mode) && info->st_nlink > 1)
		is_first = remember(&usage->links, info);
	if (is_first < 0)
		return error_errno(err, ENOMEM, "cannot count hard links");
	if (is_first) {
		usage->bytes += (int64_t)info->st_blocks * 512;
		usage->inodes++;
	}
	return 0;
}

/* What vanishes while it is counted does not count; neither does what is mounted on a file. */
static int on_file(struct tree *tree, int directory_fd, const char *name, struct error *err)
{
	struct stat info;

	if (fstatat(directory_fd, name, &info, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "cannot look at %s", name);
	if (tree->depth > 0 && info.st_dev != tree->levels[tree->depth - 1].device)
		return 0;
	return add(tree, &info, err);
}

static int on_enter(struct tree *tree, int directory_fd, struct error *err)
{
	struct stat info;

	if (fstat(directory_fd, &info) < 0)
		return error_errno(err, errno, "cannot look at a directory");
	return add(tree, &info, err);
}

static int on_mount(struct tree *tree, int parent_fd, const char *name, struct error *err)
{
	(void)tree;
	(void)parent_fd;
	(void)name;
	(void)err;
	return 0;
}

int request_disk_usage(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	struct usage usage = {0};
	SCOPED_TEXTS paths = NULL;

	if (request_paths(request, TAG_PATH, "path", &paths, err) < 0)
		return -1;
	for (char **path = paths; *path; path++) {
		struct tree tree = {.on_file = on_file,
				    .on_enter = on_enter,
				    .on_mount = on_mount,
				    .is_top_free = 1,
				    .context = &usage};
		int result = tree_walk(&tree, *path, err);

		tree_free(&tree);
		if (result < 0) {
			free(usage.links.items);
			return error_wrap(err, "cannot measure %s", *path);
		}
	}
	free(usage.links.items);
	frame_put_integer(answer, TAG_BYTES, usage.bytes);
	frame_put_integer(answer, TAG_INODES, usage.inodes);
	return 0;
}
