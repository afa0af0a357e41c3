/* Bind mounts, and taking mounts away (BIND, UNMOUNT of shim/PROTOCOL.md). */
#pragma once

#include <stdint.h>

#include "error.h"
#include "userns.h"

enum mount_flag {
	MOUNT_READ_ONLY = 1,
	MOUNT_RECURSIVE = 2, /* with the mounts below the source */
	MOUNT_NO_EXEC = 4,
	MOUNT_NO_DEV = 8,
	MOUNT_NO_SUID = 16,
	MOUNT_ALL_LIKE_TOP = 32, /* the four above hold for the mounts below, too */
	MOUNT_SLAVE = 64,	 /* what is mounted below the source later appears; otherwise the mount is private */
	MOUNT_FLAGS = 127,
};

/* Mounts source on target, which exists. The mount is never writable in between. */
int mounts_bind(const char *source, const char *target, unsigned int flags, struct error *err);

/* Makes a detached mount what flags say, and maps the ids of its top if user_fd is a user namespace (-1: not);
 * `what` names it in errors. */
int mounts_prepare(int mount_fd, unsigned int flags, int user_fd, const char *what, struct error *err);

/* Makes an empty file or directory to mount something of type `mode` (stat(2)) on.
 * 1: made, 0: there is something, -1: failed. */
int mounts_make_target(uint32_t mode, const char *target, struct error *err);

/* Takes away what mounts_make_target made. */
void mounts_remove_target(const char *target);
