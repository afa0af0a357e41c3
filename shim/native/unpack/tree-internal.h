/* What the parts of the tree writer share; see tree.h. */
#pragma once

#include <sys/stat.h>

#include "tree.h"

/* tree-paths.c */

/* Without empty components, "." and "..", and without a slash at either end; "" is the root. */
int path_clean(const char *path, char clean[TAR_PATH_MAX], struct error *err);
/* Cuts a clean path into parent ("" for the root) and name; both point into it. */
void path_split(char *clean, const char **parent, const char **name);
/* openat2 inside the root, without magic links; answers -1 and errno. */
int open_in_root(const struct tree *tree, const char *path, uint64_t flags);
/* Makes tree->parent the directory with this clean path, making what is missing. */
int tree_enter(struct tree *tree, const char *path, struct error *err);
/* Something was removed: paths may lead elsewhere now. tree->parent.fd stays open. */
void tree_forget_parent(struct tree *tree);

/* tree-nodes.c */

bool is_whiteout(const struct stat *st);
/* One more name; fails at the limit. */
int count_name(struct tree *tree, struct error *err);
/* Makes a directory, 0755 root, that the archive has no entry for (yet). */
int make_implicit(struct tree *tree, int parent, const char *name, struct error *err);
int make_whiteout(struct tree *tree, const char *name, struct error *err);
int make_opaque(int parent, const char *name, struct error *err);
/* Makes the entry, of any type but a file, under this name in tree->parent; replaces what is there. */
int make_node(struct tree *tree, const struct tar_entry *entry, const char *name, struct error *err);
/* Opens a new file under this name in tree->parent as tree->file; replaces what is there. */
int make_file(struct tree *tree, const struct tar_entry *entry, const char *name, struct error *err);

/* tree-remove.c: removes a name with all that is below it; st is what lstat says about it. */
int remove_name(struct tree *tree, int parent, const char *name, const struct stat *st, struct error *err);

/* tree-attributes.c */

struct timespec entry_time(int64_t seconds, uint32_t nanoseconds);
/* Owner, mode, xattrs and time of an open file, or of a name (not a directory's time). */
int set_file_attributes(const struct tree *tree, int fd, const struct tar_entry *entry, struct error *err);
int set_node_attributes(const struct tree *tree, const char *name, const struct tar_entry *entry, struct error *err);

/* tree-directories.c */

int remember_time(struct tree *tree, const char *path, const struct tar_entry *entry, struct error *err);
int implicit_add(struct tree *tree, int parent, const char *name, struct error *err);
void implicit_forget(struct tree *tree, ino_t inode);
void directories_free(struct tree *tree);
