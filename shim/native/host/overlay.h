/* Overlay mounts (MOUNT_OVERLAY of shim/PROTOCOL.md). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "userns.h"

enum { OVERLAY_LAYERS_MAX = 500 /* filesystems/overlayfs.rst */ };

struct overlay {
	char **layers;	/* topmost first */
	char *upper;	/* NULL: read-only */
	char *work;
	char *options;	/* NULL, or `key[=value],...` */
	char *target;
	char *sub_path;	    /* NULL: all of it */
	unsigned int flags; /* enum mount_flag */
	struct id_maps maps;
};

/* Mounts layers (and upper, work) on target, which exists; without ids, flags and a part of it. */
int overlay_mount(const struct overlay *overlay, struct error *err);

/* The same with all fields and a target that is made if absent. What it takes on the way is mounted where nobody else
 * sees it. The working directory is another one afterwards. */
int overlay_mount_view(const struct overlay *overlay, struct error *err);

/* The data of mount(2) for kernels that do not take layers one by one. Fails with E2BIG if it does not fit. */
int overlay_options(const struct overlay *overlay, char *text, size_t size, struct error *err);
