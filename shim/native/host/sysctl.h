/* Sysctls of a pod: keys are checked, because the host is not to be changed through them. */
#pragma once

#include <stddef.h>

#include "error.h"
#include "userns.h"

enum { SYSCTL_PATH_MAX = 256 };

/* Splits "key=value" and turns the key (`a.b.c` or `a/b/c`, as in sysctl.d(5)) into a path below /proc/sys.
 * Fails unless the key belongs to one of the namespaces in flags (enum sandbox_flag). *value points into the
 * setting. */
int sysctl_parse(const char *setting, unsigned int flags, char path[SYSCTL_PATH_MAX], const char **value,
		 struct error *err);

/* Writes all settings (NULL-terminated) in the namespaces of the calling process, which belong to a user namespace
 * with these mappings if there are any. */
int sysctl_apply(char *const *settings, unsigned int flags, const struct id_maps *maps, struct error *err);
