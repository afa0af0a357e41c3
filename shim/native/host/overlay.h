/* Overlay mounts (MOUNT_OVERLAY of shim/PROTOCOL.md). */
#pragma once

#include <stddef.h>

#include "error.h"

struct overlay {
	char **layers;	/* topmost first */
	char *upper;	/* NULL: read-only */
	char *work;
	char *options;	/* NULL, or `key[=value],...` */
	char *target;
};

/* The data of mount(2) for kernels that do not take layers one by one. Fails with E2BIG if it does not fit. */
int overlay_options(const struct overlay *overlay, char *text, size_t size, struct error *err);
