/* The records of pax extended and global headers (POSIX.1-2001 pax interchange format). */
#pragma once

#include "tar-map.h"

struct tar_pax {
	/* What the records say; pointers go into the bytes that were parsed. NULL or has_x false: not said. */
	const char *path, *link;
	bool has_size, has_uid, has_gid, has_mtime;
	uint64_t size, uid, gid;
	int64_t mtime_seconds;
	uint32_t mtime_nanoseconds;
	struct tar_xattr xattrs[TAR_XATTRS_MAX];
	size_t xattr_count;
	/* GNU.sparse.*: 0.0 and 0.1 bring the map, 1.0 says that it is in the content. */
	bool is_sparse, has_real_size;
	uint64_t sparse_major, sparse_minor, real_size;
	const char *sparse_path;
	struct tar_map map;
};

/* Forgets all records, keeps the memory of the map; zero-initialised before the first use. */
void tar_pax_clear(struct tar_pax *pax);

/* Adds records to those that are there: later ones win, an empty value takes a record back. Changes the bytes:
 * keys and values become C strings. */
int tar_pax_parse(struct tar_pax *pax, char *bytes, size_t size, struct error *err);
