#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"
#include "tar-header.h"
#include "tar-pax.h"

struct bytes {
	char *data;
	size_t size;
};

struct reader {
	struct tar_stream stream;
	const struct tar_visitor *visitor;
	struct tar_pax pax;
	/* Records of global headers, then those of the next entry's own header; the copy of both that pax points into. */
	struct bytes global, own, parsed;
	/* GNU long name and link for the next entry. */
	struct bytes name, link;
};

static void reader_free(struct reader *reader)
{
	tar_map_free(&reader->pax.map);
	free(reader->global.data);
	free(reader->own.data);
	free(reader->parsed.data);
	free(reader->name.data);
	free(reader->link.data);
}

/* Room for size bytes and a NUL behind them. */
static int bytes_resize(struct bytes *bytes, size_t size, struct error *err)
{
	char *data = realloc(bytes->data, size + 1);

	if (!data)
		return error_errno(err, ENOMEM, "%zu bytes", size);
	data[size] = 0;
	bytes->data = data;
	bytes->size = size;
	return 0;
}

/* Appends the content of the header that was just read. */
static int append_content(struct reader *reader, struct bytes *bytes, uint64_t size, struct error *err)
{
	size_t before = bytes->size;

	if (size > TAR_EXTENSION_MAX || before + size > TAR_EXTENSION_MAX)
		return error_set(err, 0, "an extension header of more than %d bytes", TAR_EXTENSION_MAX);
	if (bytes_resize(bytes, before + (size_t)size, err) < 0)
		return -1;
	if (tar_stream_copy(&reader->stream, bytes->data + before, (size_t)size, err) < 0)
		return error_wrap(err, "an extension header");
	return tar_stream_skip(&reader->stream, tar_padding(size), err);
}

/* 1: the header belongs to the entry that follows, and has been read; 0: it is an entry; -1 */
static int take_extension(struct reader *reader, const struct tar_header *header, struct error *err)
{
	struct bytes *target;

	switch (header->type) {
	case 'x':
		target = &reader->own;
		break;
	case 'L':
		target = &reader->name;
		break;
	case 'K':
		target = &reader->link;
		break;
	case 'g':
		if (header->size + reader->global.size > TAR_GLOBAL_MAX)
			return error_set(err, 0, "global headers of more than %d bytes", TAR_GLOBAL_MAX);
		return append_content(reader, &reader->global, header->size, err) < 0 ? -1 : 1;
	default:
		return 0;
	}
	target->size = 0;
	return append_content(reader, target, header->size, err) < 0 ? -1 : 1;
}

static int parse_records(struct reader *reader, struct error *err)
{
	size_t size = reader->global.size + reader->own.size;

	tar_pax_clear(&reader->pax);
	if (size == 0)
		return 0;
	if (bytes_resize(&reader->parsed, size, err) < 0)
		return -1;
	if (reader->global.size > 0)
		memcpy(reader->parsed.data, reader->global.data, reader->global.size);
	if (reader->own.size > 0)
		memcpy(reader->parsed.data + reader->global.size, reader->own.data, reader->own.size);
	return tar_pax_parse(&reader->pax, reader->parsed.data, size, err);
}

static int type_of(const struct tar_header *header, enum tar_type *type, struct error *err)
{
	size_t length = strlen(header->name);

	switch (header->type) {
	case 0: /* before POSIX, a slash at the end was how a directory was told */
		*type = length > 0 && header->name[length - 1] == '/' ? TAR_DIRECTORY : TAR_FILE;
		return 0;
	case '0':
	case '7':
	case 'S':
		*type = TAR_FILE;
		return 0;
	case '1':
		*type = TAR_HARD_LINK;
		return 0;
	case '2':
		*type = TAR_SYMLINK;
		return 0;
	case '3':
		*type = TAR_CHARACTER_DEVICE;
		return 0;
	case '4':
		*type = TAR_BLOCK_DEVICE;
		return 0;
	case '5':
		*type = TAR_DIRECTORY;
		return 0;
	case '6':
		*type = TAR_FIFO;
		return 0;
	}
	return error_set(err, 0, "an entry of unknown type %d", (unsigned char)header->type);
}

static int set_numbers(const struct reader *reader, const struct tar_header *header, struct tar_entry *entry,
		       struct error *err)
{
	const struct tar_pax *pax = &reader->pax;
	int64_t uid = pax->has_uid ? (int64_t)pax->uid : header->uid;
	int64_t gid = pax->has_gid ? (int64_t)pax->gid : header->gid;

	/* The largest number means "leave it" to chown(2). */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return error_set(err, 0, "its owner is not a user and group id");
	if (header->device_major < 0 || header->device_major > 0xfff || header->device_minor < 0 ||
	    header->device_minor > 0xfffff)
		return error_set(err, 0, "its device number is out of range");
	entry->uid = (uint32_t)uid;
	entry->gid = (uint32_t)gid;
	entry->mode = (uint32_t)header->mode & 07777;
	entry->mtime_seconds = pax->has_mtime ? pax->mtime_seconds : header->mtime;
	entry->mtime_nanoseconds = pax->has_mtime ? pax->mtime_nanoseconds : 0;
	entry->device_major = (uint32_t)header->device_major;
	entry->device_minor = (uint32_t)header->device_minor;
	return 0;
}

static int set_names(const struct reader *reader, const struct tar_header *header, struct tar_entry *entry,
		     struct error *err)
{
	const struct tar_pax *pax = &reader->pax;

	entry->path = pax->path ? pax->path : header->name;
	if (pax->sparse_path)
		entry->path = pax->sparse_path;
	if (reader->name.size > 0)
		entry->path = reader->name.data;
	entry->link = "";
	if (entry->type == TAR_HARD_LINK || entry->type == TAR_SYMLINK)
		entry->link = pax->link ? pax->link : header->link;
	if (*entry->link && reader->link.size > 0)
		entry->link = reader->link.data;
	if (strlen(entry->path) >= TAR_PATH_MAX)
		return error_set(err, ENAMETOOLONG, "its path is longer than %d bytes", TAR_PATH_MAX - 1);
	if (strlen(entry->link) >= TAR_PATH_MAX)
		return error_set(err, ENAMETOOLONG, "its link target is longer than %d bytes", TAR_PATH_MAX - 1);
	return 0;
}

/* Finds the map of a sparse file; *stored becomes the size of what follows in the archive. */
static int prepare_content(struct reader *reader, const struct tar_header *header, const uint8_t *block,
			   struct tar_entry *entry, uint64_t *stored, struct error *err)
{
	struct tar_pax *pax = &reader->pax;

	*stored = entry->size;
	if (header->type == 'S' && header->format == TAR_FORMAT_GNU) {
		tar_map_clear(&pax->map);
		entry->is_sparse = true;
		if (tar_map_read_old(&pax->map, block, &reader->stream, &entry->size, err) < 0)
			return -1;
	} else if (pax->is_sparse) {
		entry->is_sparse = true;
		if (pax->sparse_major > 1 || pax->sparse_minor > (pax->sparse_major ? 0 : 1))
			return error_set(err, 0, "an unknown version of sparse files");
		if (pax->sparse_major == 1) {
			tar_map_clear(&pax->map);
			if (tar_map_read_lines(&pax->map, &reader->stream, stored, err) < 0)
				return -1;
		}
		if (!pax->has_real_size)
			return error_set(err, 0, "a sparse file without its size");
		entry->size = pax->real_size;
	}
	if (entry->is_sparse)
		return tar_map_check(&pax->map, entry->size, *stored, err);
	return entry->size > INT64_MAX ? error_set(err, 0, "its size is too large") : 0;
}

static int deliver(struct reader *reader, uint64_t offset, uint64_t size, struct error *err)
{
	const struct tar_visitor *visitor = reader->visitor;
	const uint8_t *data = NULL;
	size_t got = 0;

	for (; size > 0; size -= got, offset += got)
		if (tar_stream_some(&reader->stream, size, &data, &got, err) < 0 ||
		    visitor->data(visitor->context, data, got, offset, err) < 0)
			return -1;
	return 0;
}

static int read_content(struct reader *reader, const struct tar_entry *entry, uint64_t stored, struct error *err)
{
	const struct tar_map *map = &reader->pax.map;

	if (!entry->is_sparse) {
		if (deliver(reader, 0, stored, err) < 0)
			return -1;
	} else {
		for (size_t i = 0; i < map->count; i++)
			if (deliver(reader, map->list[i].offset, map->list[i].size, err) < 0)
				return -1;
	}
	return tar_stream_skip(&reader->stream, tar_padding(stored), err);
}

static int visit(struct reader *reader, const struct tar_header *header, const uint8_t *block,
		 struct tar_entry *entry, struct error *err)
{
	const struct tar_visitor *visitor = reader->visitor;
	uint64_t stored = 0;

	if (type_of(header, &entry->type, err) < 0 || set_names(reader, header, entry, err) < 0 ||
	    set_numbers(reader, header, entry, err) < 0)
		return -1;
	entry->xattrs = reader->pax.xattrs;
	entry->xattr_count = reader->pax.xattr_count;
	if (entry->type == TAR_FILE) {
		entry->size = reader->pax.has_size ? reader->pax.size : header->size;
		if (prepare_content(reader, header, block, entry, &stored, err) < 0)
			return -1;
	}
	if (visitor->begin(visitor->context, entry, err) < 0 || read_content(reader, entry, stored, err) < 0)
		return -1;
	return visitor->end(visitor->context, entry, err);
}

static int read_entry(struct reader *reader, const uint8_t *block, struct error *err)
{
	struct tar_header header;
	struct tar_entry entry = { .path = header.name };
	char shown[QUOTE_SIZE];
	int taken;

	if (tar_header_decode(block, &header, err) < 0)
		return -1;
	taken = take_extension(reader, &header, err);
	if (taken != 0)
		return taken < 0 ? -1 : 0;
	if (parse_records(reader, err) < 0 || visit(reader, &header, block, &entry, err) < 0)
		return error_wrap(err, "entry \"%s\"", quote(shown, entry.path));
	reader->own.size = reader->name.size = reader->link.size = 0;
	return 0;
}

/* 1: a header; 0: the end; -1. Two zero blocks end an archive, and so does the end of the input. */
static int next_header(struct reader *reader, const uint8_t **block, struct error *err)
{
	int got = tar_stream_block(&reader->stream, block, err);

	if (got <= 0 || !tar_block_is_zero(*block))
		return got;
	got = tar_stream_block(&reader->stream, block, err);
	if (got <= 0 || tar_block_is_zero(*block))
		return got < 0 ? -1 : 0;
	return error_set(err, 0, "a single block of zeros between entries");
}

int tar_read(const struct tar_input *input, const struct tar_visitor *visitor, struct error *err)
{
	__attribute__((cleanup(reader_free))) struct reader reader = { .stream.input = input, .visitor = visitor };
	const uint8_t *block;
	int got;

	while ((got = next_header(&reader, &block, err)) > 0)
		if (read_entry(&reader, block, err) < 0)
			return -1;
	if (got == 0 && (reader.own.size > 0 || reader.name.size > 0 || reader.link.size > 0))
		return error_set(err, 0, "the archive ends behind an extension header");
	return got;
}
