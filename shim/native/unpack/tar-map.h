/* The map of a sparse file: which pieces of it are in the archive. */
#pragma once

#include "tar-stream.h"

struct tar_extent {
	uint64_t offset, size;
};

struct tar_map {
	struct tar_extent *list;
	size_t count, room;
};

void tar_map_clear(struct tar_map *map);
void tar_map_free(struct tar_map *map);
int tar_map_add(struct tar_map *map, uint64_t offset, uint64_t size, struct error *err);

/* GNU.sparse.map of format 0.1: offset,size,offset,size,... */
int tar_map_parse(struct tar_map *map, const char *text, struct error *err);

/* Old GNU format: in the header block and in blocks behind it. Answers the real size too. */
int tar_map_read_old(struct tar_map *map, const uint8_t *header, struct tar_stream *stream, uint64_t *real_size,
		     struct error *err);

/* Format 1.0: decimal lines at the begin of the content; *stored becomes what is left of the content. */
int tar_map_read_lines(struct tar_map *map, struct tar_stream *stream, uint64_t *stored, struct error *err);

/* Pieces in order, apart, inside the file, and as many bytes as are stored. */
int tar_map_check(const struct tar_map *map, uint64_t real_size, uint64_t stored, struct error *err);

/* Decimal digits up to `end` only; the whole text. */
int tar_decimal(const char *text, uint64_t *value, struct error *err);
