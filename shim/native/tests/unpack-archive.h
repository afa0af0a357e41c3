/* Archives made in memory for the tests of lighter-unpack, and a check that ends the test. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unpack/tar.h"

#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

struct archive {
	uint8_t data[2 * 1024 * 1024];
	size_t size;
	/* As an input: where it is, and how large its pieces are (0: everything at once). */
	size_t position, piece;
};

struct member {
	const char *name;
	char type;
	const char *link;
	const char *content;
	size_t size; /* of the content; 0: its length as a text */
	unsigned int mode, uid, gid, mtime, major, minor;
	const char *magic; /* 8 bytes; NULL: ustar */
};

static inline void archive_append(struct archive *archive, const void *data, size_t size)
{
	CHECK(archive->size + size <= sizeof(archive->data));
	memcpy(archive->data + archive->size, data, size);
	archive->size += size;
}

static inline void archive_pad(struct archive *archive)
{
	static const uint8_t zeros[TAR_BLOCK_SIZE];

	archive_append(archive, zeros, (TAR_BLOCK_SIZE - archive->size % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE);
}

static inline void archive_checksum(uint8_t *block)
{
	unsigned int sum = 0;

	memset(block + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK_SIZE; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
}

/* Answers the header block, so that a test can spoil it. */
static inline uint8_t *archive_add(struct archive *archive, const struct member *member)
{
	uint8_t block[TAR_BLOCK_SIZE] = { 0 };
	size_t at = archive->size;
	size_t size = member->size;

	if (size == 0 && member->content)
		size = strlen(member->content);
	strncpy((char *)block, member->name, 100);
	snprintf((char *)block + 100, 8, "%07o", member->mode);
	snprintf((char *)block + 108, 8, "%07o", member->uid);
	snprintf((char *)block + 116, 8, "%07o", member->gid);
	snprintf((char *)block + 124, 12, "%011zo", size);
	snprintf((char *)block + 136, 12, "%011o", member->mtime);
	block[156] = (uint8_t)member->type;
	if (member->link)
		strncpy((char *)block + 157, member->link, 100);
	memcpy(block + 257, member->magic ? member->magic : "ustar\00000", 8);
	snprintf((char *)block + 329, 8, "%07o", member->major);
	snprintf((char *)block + 337, 8, "%07o", member->minor);
	archive_checksum(block);
	archive_append(archive, block, sizeof(block));
	if (member->content)
		archive_append(archive, member->content, size);
	archive_pad(archive);
	return archive->data + at;
}

/* One pax header; records are KEY=VALUE with a line feed behind each, their lengths are put in front here. */
static inline void archive_pax(struct archive *archive, char type, const char *records)
{
	char content[16 * 1024];
	int used = 0;

	while (*records) {
		int size = (int)strcspn(records, "\n") + 1;
		int length = size + 2;

		while (snprintf(NULL, 0, "%d ", length) + size != length)
			length++;
		used += snprintf(content + used, sizeof(content) - (size_t)used, "%d %.*s", length, size, records);
		records += size;
	}
	archive_add(archive, &(struct member){ .name = "pax", .type = type, .content = content });
}

static inline void archive_end(struct archive *archive)
{
	static const uint8_t zeros[2 * TAR_BLOCK_SIZE];

	archive_append(archive, zeros, sizeof(zeros));
}

static inline int archive_next(void *context, const uint8_t **data, size_t *size, struct error *err)
{
	struct archive *archive = context;
	size_t left = archive->size - archive->position;

	(void)err;
	*data = archive->data + archive->position;
	*size = archive->piece > 0 && archive->piece < left ? archive->piece : left;
	archive->position += *size;
	return 0;
}

static inline struct tar_input archive_input(struct archive *archive, size_t piece)
{
	archive->position = 0;
	archive->piece = piece;
	return (struct tar_input){ .context = archive, .next = archive_next };
}
