#include "tar-map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tar-header.h"

enum {
	OLD_PAIRS = 386, OLD_PAIR_COUNT = 4, OLD_IS_EXTENDED = 482, OLD_REAL_SIZE = 483,
	MORE_PAIR_COUNT = 21, MORE_IS_EXTENDED = 504,
	NUMBER_SIZE = 12, PAIR_SIZE = 24,
	/* The digits of 2^64, a line feed and a NUL fit. */
	LINE_SIZE = 24,
};

void tar_map_clear(struct tar_map *map)
{
	map->count = 0;
}

void tar_map_free(struct tar_map *map)
{
	free(map->list);
	memset(map, 0, sizeof(*map));
}

int tar_map_add(struct tar_map *map, uint64_t offset, uint64_t size, struct error *err)
{
	if (map->count == map->room) {
		size_t room = map->room ? map->room * 2 : 16;
		struct tar_extent *list;

		if (map->count >= TAR_EXTENTS_MAX)
			return error_set(err, 0, "a sparse file of more than %d pieces", TAR_EXTENTS_MAX);
		list = reallocarray(map->list, room, sizeof(*list));
		if (!list)
			return error_errno(err, ENOMEM, "a sparse file of %zu pieces", room);
		map->list = list;
		map->room = room;
	}
	map->list[map->count++] = (struct tar_extent){ .offset = offset, .size = size };
	return 0;
}

int tar_decimal(const char *text, uint64_t *value, struct error *err)
{
	uint64_t number = 0;

	if (!*text)
		return error_set(err, 0, "a number is missing");
	for (; *text; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9')
			return error_set(err, 0, "a number is not decimal");
		if (number > (INT64_MAX - digit) / 10)
			return error_set(err, 0, "a number is too large");
		number = number * 10 + digit;
	}
	*value = number;
	return 0;
}

/* The number before the next comma or the end; answers what is behind it, NULL on error. */
static const char *next_number(const char *text, uint64_t *value, struct error *err)
{
	char digits[LINE_SIZE];
	size_t length = strcspn(text, ",");

	if (length >= sizeof(digits)) {
		error_set(err, 0, "a number in the map of a sparse file is too large");
		return NULL;
	}
	memcpy(digits, text, length);
	digits[length] = 0;
	if (tar_decimal(digits, value, err) < 0) {
		error_wrap(err, "the map of a sparse file");
		return NULL;
	}
	return text + length + (text[length] == ',');
}

int tar_map_parse(struct tar_map *map, const char *text, struct error *err)
{
	uint64_t offset, size;

	while (*text) {
		text = next_number(text, &offset, err);
		if (text)
			text = next_number(text, &size, err);
		if (!text)
			return -1;
		if (tar_map_add(map, offset, size, err) < 0)
			return -1;
	}
	return 0;
}

/* Answers 1 if the list goes on, 0 at its end. */
static int add_pairs(struct tar_map *map, const uint8_t *pairs, int count, struct error *err)
{
	for (int i = 0; i < count; i++, pairs += PAIR_SIZE) {
		int64_t offset, size;

		if (pairs[0] == 0)
			return 0;
		if (tar_number(pairs, NUMBER_SIZE, &offset, err) < 0 ||
		    tar_number(pairs + NUMBER_SIZE, NUMBER_SIZE, &size, err) < 0)
			return -1;
		if (offset < 0 || size < 0)
			return error_set(err, 0, "the map of a sparse file has a negative number");
		if (tar_map_add(map, (uint64_t)offset, (uint64_t)size, err) < 0)
			return -1;
	}
	return 1;
}

int tar_map_read_old(struct tar_map *map, const uint8_t *header, struct tar_stream *stream, uint64_t *real_size,
		     struct error *err)
{
	bool is_extended = header[OLD_IS_EXTENDED];
	int64_t size;
	const uint8_t *block;

	if (tar_number(header + OLD_REAL_SIZE, NUMBER_SIZE, &size, err) < 0)
		return -1;
	if (size < 0)
		return error_set(err, 0, "its size is negative");
	*real_size = (uint64_t)size;
	if (add_pairs(map, header + OLD_PAIRS, OLD_PAIR_COUNT, err) < 0)
		return -1;
	while (is_extended) {
		int got = tar_stream_block(stream, &block, err);

		if (got <= 0)
			return got < 0 ? -1 : error_set(err, 0, "the archive ends in the map of a sparse file");
		is_extended = block[MORE_IS_EXTENDED];
		got = add_pairs(map, block, MORE_PAIR_COUNT, err);
		if (got < 0)
			return -1;
		if (got == 0 && is_extended)
			return error_set(err, 0, "the map of a sparse file has a gap");
	}
	return 0;
}

struct lines {
	struct tar_stream *stream;
	uint64_t *stored;
	const uint8_t *block;
	size_t used;
};

static int next_line(struct lines *lines, uint64_t *value, struct error *err)
{
	char digits[LINE_SIZE];

	for (size_t length = 0; length < sizeof(digits); length++) {
		uint8_t byte;

		if (lines->used == TAR_BLOCK_SIZE) {
			int got = 0;

			if (*lines->stored >= TAR_BLOCK_SIZE)
				got = tar_stream_block(lines->stream, &lines->block, err);
			if (got <= 0)
				return got < 0 ? -1 : error_set(err, 0, "the map of a sparse file is cut off");
			*lines->stored -= TAR_BLOCK_SIZE;
			lines->used = 0;
		}
		byte = lines->block[lines->used++];
		if (byte == '\n') {
			digits[length] = 0;
			return tar_decimal(digits, value, err);
		}
		digits[length] = (char)byte;
	}
	return error_set(err, 0, "a number in the map of a sparse file is too large");
}

int tar_map_read_lines(struct tar_map *map, struct tar_stream *stream, uint64_t *stored, struct error *err)
{
	struct lines lines = { .stream = stream, .stored = stored, .used = TAR_BLOCK_SIZE };
	uint64_t count, offset, size;

	if (next_line(&lines, &count, err) < 0)
		return -1;
	for (uint64_t i = 0; i < count; i++)
		if (next_line(&lines, &offset, err) < 0 || next_line(&lines, &size, err) < 0 ||
		    tar_map_add(map, offset, size, err) < 0)
			return -1;
	return 0;
}

int tar_map_check(const struct tar_map *map, uint64_t real_size, uint64_t stored, struct error *err)
{
	uint64_t end = 0, sum = 0;

	if (real_size > INT64_MAX)
		return error_set(err, 0, "its size is too large");
	for (size_t i = 0; i < map->count; i++) {
		const struct tar_extent *extent = &map->list[i];

		if (extent->offset < end || extent->offset > real_size || extent->size > real_size - extent->offset)
			return error_set(err, 0, "the map of a sparse file is out of order or too large");
		end = extent->offset + extent->size;
		sum += extent->size;
	}
	if (sum != stored)
		return error_set(err, 0, "the map of a sparse file does not fit its content");
	return 0;
}
