/* Owner, mode, times and extended attributes of an entry of a directory. */
#pragma once

#include <sys/stat.h>

/* Gives the entry `name` of `to` what that of `from` (its fstat is `info`) has; name "." is the directory itself. Labels of
 * SELinux and what overlayfs keeps for itself stay behind, as do attributes that the other file system cannot hold.
 * -1: errno says why. */
int attributes_copy(int from, int to, const char *name, const struct stat *info);
