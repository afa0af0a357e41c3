/* Reads a tar stream (ustar, GNU, pax, sparse files) and shows its entries to a visitor; touches no file system.
 * Input is hostile: whatever has no other bound has one of the limits below. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum {
	TAR_BLOCK_SIZE = 512,
	/* One pax extended header, one GNU long name. */
	TAR_EXTENSION_MAX = 1024 * 1024,
	/* All pax global headers of an archive together. */
	TAR_GLOBAL_MAX = 64 * 1024,
	/* A path or a link target, with its NUL: PATH_MAX. */
	TAR_PATH_MAX = 4096,
	TAR_XATTRS_MAX = 256,
	TAR_XATTR_NAME_MAX = 255,
	TAR_XATTR_VALUE_MAX = 64 * 1024,
	/* Pieces of one sparse file. */
	TAR_EXTENTS_MAX = 1024 * 1024,
};

/* Where the bytes come from: next() gives a piece that stays valid until the next call, *size 0 at the end. */
struct tar_input {
	void *context;
	int (*next)(void *context, const uint8_t **data, size_t *size, struct error *err);
};

enum tar_type {
	TAR_FILE,
	TAR_HARD_LINK,
	TAR_SYMLINK,
	TAR_CHARACTER_DEVICE,
	TAR_BLOCK_DEVICE,
	TAR_DIRECTORY,
	TAR_FIFO,
};

struct tar_xattr {
	const char *name;
	const uint8_t *value;
	size_t size;
};

struct tar_entry {
	enum tar_type type;
	/* As the archive has it: may be absolute, hold "..", end with a slash, be empty; shorter than TAR_PATH_MAX. */
	const char *path;
	/* Target of a link, "" otherwise. */
	const char *link;
	/* Of a file, with its holes. */
	uint64_t size;
	bool is_sparse;
	/* Permission, set-id and sticky bits. */
	uint32_t mode;
	uint32_t uid, gid;
	int64_t mtime_seconds;
	uint32_t mtime_nanoseconds;
	uint32_t device_major, device_minor;
	const struct tar_xattr *xattrs;
	size_t xattr_count;
};

/* Any function that answers < 0 ends the reading. The entry stays valid until end() has returned. */
struct tar_visitor {
	void *context;
	int (*begin)(void *context, const struct tar_entry *entry, struct error *err);
	/* Of files only, in growing order of offset; holes of sparse files are left out. */
	int (*data)(void *context, const uint8_t *data, size_t size, uint64_t offset, struct error *err);
	int (*end)(void *context, const struct tar_entry *entry, struct error *err);
};

/* Reads up to and including the end marker, or up to the end of the input if that is where a header would begin.
 * Errors name the entry. */
int tar_read(const struct tar_input *input, const struct tar_visitor *visitor, struct error *err);
