/* One header block, decoded. */
#pragma once

#include "tar.h"

enum tar_format { TAR_FORMAT_V7, TAR_FORMAT_USTAR, TAR_FORMAT_STAR, TAR_FORMAT_GNU };

struct tar_header {
	enum tar_format format;
	char type;
	char name[257]; /* with the prefix */
	char link[101];
	uint64_t size;
	int64_t mode, uid, gid, mtime, device_major, device_minor;
};

bool tar_block_is_zero(const uint8_t *block);
int tar_header_decode(const uint8_t *block, struct tar_header *header, struct error *err);

/* A number in octal digits or base 256; blank is 0. */
int tar_number(const uint8_t *field, size_t size, int64_t *value, struct error *err);
