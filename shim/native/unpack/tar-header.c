#include "tar-header.h"

#include <stdio.h>
#include <string.h>

#include "quote.h"

/* Offset and size of the fields that are read. */
enum {
	NAME = 0, NAME_SIZE = 100,
	MODE = 100, UID = 108, GID = 116, SHORT_NUMBER_SIZE = 8,
	SIZE = 124, MTIME = 136, LONG_NUMBER_SIZE = 12,
	CHECKSUM = 148, CHECKSUM_SIZE = 8,
	TYPE = 156,
	LINK = 157, LINK_SIZE = 100,
	MAGIC = 257,
	DEVICE_MAJOR = 329, DEVICE_MINOR = 337,
	PREFIX = 345, USTAR_PREFIX_SIZE = 155, STAR_PREFIX_SIZE = 131,
	STAR_TRAILER = 508,
};

bool tar_block_is_zero(const uint8_t *block)
{
	return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK_SIZE - 1) == 0;
}

static int base256(const uint8_t *field, size_t size, int64_t *value, struct error *err)
{
	bool is_negative = field[0] & 0x40;
	uint64_t bits = is_negative ? ~UINT64_C(0) << 6 | (field[0] & 0x3f) : field[0] & 0x3f;

	for (size_t i = 1; i < size; i++) {
		uint64_t top = bits >> 55;

		/* What is shifted out, and the sign bit, must be copies of the sign. */
		if (top != (is_negative ? 0x1ff : 0))
			return error_set(err, 0, "a number in a header is too large");
		bits = bits << 8 | field[i];
	}
	*value = (int64_t)bits;
	return 0;
}

int tar_number(const uint8_t *field, size_t size, int64_t *value, struct error *err)
{
	size_t i = 0;
	int64_t number = 0;

	if (field[0] & 0x80)
		return base256(field, size, value, err);
	while (i < size && (field[i] == ' ' || field[i] == 0))
		i++;
	for (; i < size && field[i] != ' ' && field[i] != 0; i++) {
		if (field[i] < '0' || field[i] > '7')
			return error_set(err, 0, "a number in a header is not octal");
		number = number * 8 + (field[i] - '0');
	}
	*value = number;
	return 0;
}

static int check_sum(const uint8_t *block, struct error *err)
{
	int64_t wanted, with_sign = 0, without_sign = 0;

	if (tar_number(block + CHECKSUM, CHECKSUM_SIZE, &wanted, err) < 0)
		return -1;
	for (size_t i = 0; i < TAR_BLOCK_SIZE; i++) {
		uint8_t byte = i >= CHECKSUM && i < CHECKSUM + CHECKSUM_SIZE ? ' ' : block[i];

		without_sign += byte;
		with_sign += (int8_t)byte;
	}
	/* Some old programs added up signed bytes. */
	if (wanted != without_sign && wanted != with_sign)
		return error_set(err, 0, "the checksum of a header is wrong");
	return 0;
}

static enum tar_format format_of(const uint8_t *block)
{
	if (memcmp(block + MAGIC, "ustar  ", 8) == 0)
		return TAR_FORMAT_GNU;
	if (memcmp(block + MAGIC, "ustar", 6) != 0)
		return TAR_FORMAT_V7;
	return memcmp(block + STAR_TRAILER, "tar", 4) == 0 ? TAR_FORMAT_STAR : TAR_FORMAT_USTAR;
}

static void copy_name(struct tar_header *header, const uint8_t *block)
{
	int prefix_size = 0;

	if (header->format == TAR_FORMAT_USTAR)
		prefix_size = USTAR_PREFIX_SIZE;
	else if (header->format == TAR_FORMAT_STAR)
		prefix_size = STAR_PREFIX_SIZE;
	if (prefix_size > 0 && block[PREFIX])
		snprintf(header->name, sizeof(header->name), "%.*s/%.*s", prefix_size, (const char *)block + PREFIX,
			 NAME_SIZE, (const char *)block + NAME);
	else
		snprintf(header->name, sizeof(header->name), "%.*s", NAME_SIZE, (const char *)block + NAME);
	snprintf(header->link, sizeof(header->link), "%.*s", LINK_SIZE, (const char *)block + LINK);
}

int tar_header_decode(const uint8_t *block, struct tar_header *header, struct error *err)
{
	char shown[QUOTE_SIZE];
	int64_t size;

	if (check_sum(block, err) < 0)
		return -1;
	header->format = format_of(block);
	header->type = (char)block[TYPE];
	copy_name(header, block);
	if (tar_number(block + MODE, SHORT_NUMBER_SIZE, &header->mode, err) < 0 ||
	    tar_number(block + UID, SHORT_NUMBER_SIZE, &header->uid, err) < 0 ||
	    tar_number(block + GID, SHORT_NUMBER_SIZE, &header->gid, err) < 0 ||
	    tar_number(block + SIZE, LONG_NUMBER_SIZE, &size, err) < 0 ||
	    tar_number(block + MTIME, LONG_NUMBER_SIZE, &header->mtime, err) < 0)
		return error_wrap(err, "entry \"%s\"", quote(shown, header->name));
	if (size < 0)
		return error_set(err, 0, "entry \"%s\": its size is negative", quote(shown, header->name));
	header->size = (uint64_t)size;
	header->device_major = header->device_minor = 0;
	if (header->format == TAR_FORMAT_V7 || (header->type != '3' && header->type != '4'))
		return 0;
	if (tar_number(block + DEVICE_MAJOR, SHORT_NUMBER_SIZE, &header->device_major, err) < 0 ||
	    tar_number(block + DEVICE_MINOR, SHORT_NUMBER_SIZE, &header->device_minor, err) < 0)
		return error_wrap(err, "entry \"%s\"", quote(shown, header->name));
	return 0;
}
