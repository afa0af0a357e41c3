/* Writes the entries of a layer into a directory, in the form that overlayfs wants its lower directories.
 *
 * Every path is resolved by the kernel inside the directory (openat2 RESOLVE_IN_ROOT), every last component is made
 * with O_EXCL or its like and never followed. Rules: later entries replace earlier ones, directories merge; a parent
 * that is a link is followed inside the root; an entry for the root itself is ignored. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "tar.h"

enum {
	/* Paths of directories that are kept until their times are set at the end. */
	TREE_DIRECTORY_BYTES_MAX = 256 * 1024 * 1024,
	/* Paths of implicit directories: they must fit into what the caller captures of stdout. */
	TREE_IMPLICIT_BYTES_MAX = 512 * 1024,
	/* Links to follow when a missing parent is made behind them, as in the kernel. */
	TREE_LINKS_MAX = 40,
};

struct tree_limits {
	uint64_t bytes; /* content written */
	uint64_t inodes; /* names made */
};

/* A directory whose time is set when nothing is written into it any more. */
struct tree_directory {
	char *path;
	int64_t mtime_seconds;
	uint32_t mtime_nanoseconds;
};

struct tree_parent {
	char path[TAR_PATH_MAX];
	int fd; /* -1: none */
	/* What is made in it gets its group. */
	bool is_setgid;
};

struct tree {
	int root; /* borrowed */
	size_t root_length; /* of the root's own path, in front of every path that getcwd answers */
	struct tree_limits limits;
	uint64_t bytes, names, inodes;
	struct tree_parent parent;
	/* The file being written; -1: its content is ignored. */
	int file;
	struct tree_directory *directories;
	size_t directory_count, directory_room, directory_bytes;
	/* tsearch(3) tree of struct implicit by inode number. */
	void *implicit;
	size_t implicit_count, implicit_bytes;
};

/* root: an open directory, empty. Changes the umask and the working directory of the process. */
int tree_open(struct tree *tree, int root, const struct tree_limits *limits, struct error *err);
void tree_close(struct tree *tree);

/* A visitor that writes into the tree. */
struct tar_visitor tree_visitor(struct tree *tree);

/* Sets the times of directories, after the last entry. */
int tree_finish(struct tree *tree, struct error *err);

/* Directories that had no entry of their own, sorted, one `implicit PATH` line each, PATH as in quote.h. */
int tree_print_implicit(const struct tree *tree, FILE *stream, struct error *err);
