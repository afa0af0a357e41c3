/* Walks a directory tree of any depth and width with a bounded number of descriptors, never following links and
 * never into other mounts. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/* A directory on the way from the top of the tree to the current one. */
struct tree_level {
	dev_t device;
	ino_t inode;
	char *name;
	int parent_fd;	       /* -1 far down: the parent is opened again as ".." */
	size_t pending_before; /* pending entries that belong to directories above */
};

/* A walk. What the callbacks answer ends it when < 0. */
struct tree {
	/* An entry that is no directory. */
	int (*on_file)(struct tree *tree, int directory_fd, const char *name, struct error *err);
	/* A directory was entered. */
	int (*on_enter)(struct tree *tree, int directory_fd, struct error *err);
	/* All of the directory `name` was visited; parent_fd holds it. */
	int (*on_leave)(struct tree *tree, int parent_fd, const char *name, struct error *err);
	/* A directory on which something is mounted. */
	int (*on_mount)(struct tree *tree, int parent_fd, const char *name, struct error *err);
	int is_top_free; /* 1: the top may be a mount point itself */
	void *context;
	struct tree_level *levels;
	size_t depth, levels_room;
	char **pending; /* names of directories still to be visited, a stack */
	size_t pending_count, pending_room;
};

/* Visits path itself (file or directory) and everything below. 0: done, 1: there is nothing at path, -1: failed. */
int tree_walk(struct tree *tree, const char *path, struct error *err);

/* Frees what a walk, also a failed one, holds. */
void tree_free(struct tree *tree);

/* Where the walk is, for messages: the path below the top, cut if it is long. */
void tree_where(const struct tree *tree, const char *name, char *text, size_t size);
