/* Bind mounts, and taking mounts away (BIND, UNMOUNT of shim/PROTOCOL.md). */
#pragma once

#include "error.h"

enum bind_flag { BIND_READ_ONLY = 1, BIND_RECURSIVE = 2, BIND_FLAGS = 3 };

/* Mounts source on target, which exists. The mount is never writable in between. */
int mounts_bind(const char *source, const char *target, unsigned int flags, struct error *err);
