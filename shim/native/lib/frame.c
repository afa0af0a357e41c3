#include "frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 16 * 1024 };

static uint32_t get_u32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint16_t get_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

static void put_u16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
}

/* Room for what the next read needs: the rest of the frame that is being received, or a small piece. */
static int make_room(struct frame_reader *reader, struct error *err)
{
	size_t held = reader->used - reader->start;
	size_t wanted = held + READ_SIZE;
	uint8_t *data;

	if (held >= FRAME_HEADER_SIZE) {
		uint32_t size = get_u32(reader->data + reader->start);

		if (size <= FRAME_PAYLOAD_MAX && FRAME_HEADER_SIZE + (size_t)size > wanted)
			wanted = FRAME_HEADER_SIZE + (size_t)size;
	}
	if (reader->start > 0 && held > 0)
		memmove(reader->data, reader->data + reader->start, held);
	reader->start = 0;
	reader->used = held;
	if (wanted <= reader->room)
		return 0;
	data = realloc(reader->data, wanted);
	if (!data)
		return error_errno(err, ENOMEM, "cannot receive a frame of %zu bytes", wanted);
	reader->data = data;
	reader->room = wanted;
	return 0;
}

int frame_reader_fill(struct frame_reader *reader, int fd, struct error *err)
{
	ssize_t got;

	if (make_room(reader, err) < 0)
		return -1;
	do {
		got = read(fd, reader->data + reader->used, reader->room - reader->used);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return FRAME_FILL_LATER;
	if (got < 0)
		return error_errno(err, errno, "cannot receive a frame");
	reader->used += (size_t)got;
	return got == 0 ? FRAME_FILL_END : FRAME_FILL_MORE;
}

int frame_reader_next(struct frame_reader *reader, struct frame *frame, struct error *err)
{
	size_t held = reader->used - reader->start;
	const uint8_t *header;
	uint32_t size;

	if (held < FRAME_HEADER_SIZE)
		return 0;
	header = reader->data + reader->start;
	size = get_u32(header);
	if (size > FRAME_PAYLOAD_MAX)
		return error_set(err, EMSGSIZE, "a frame of %u bytes is too large", size);
	if (held - FRAME_HEADER_SIZE < size)
		return 0;
	frame->id = get_u32(header + 4);
	frame->type = get_u16(header + 8);
	frame->payload = header + FRAME_HEADER_SIZE;
	frame->size = size;
	reader->start += FRAME_HEADER_SIZE + (size_t)size;
	return 1;
}

void frame_reader_free(struct frame_reader *reader)
{
	free(reader->data);
	memset(reader, 0, sizeof(*reader));
}

int field_next(const struct frame *frame, size_t *offset, struct field *field, struct error *err)
{
	size_t left = frame->size - *offset;
	const uint8_t *header;

	if (left == 0)
		return 0;
	header = frame->payload + *offset;
	if (left < FIELD_HEADER_SIZE || get_u32(header + 2) > left - FIELD_HEADER_SIZE)
		return error_set(err, EPROTO, "a field runs over its frame of type %u", frame->type);
	field->tag = get_u16(header);
	field->size = get_u32(header + 2);
	field->data = header + FIELD_HEADER_SIZE;
	*offset += FIELD_HEADER_SIZE + (size_t)field->size;
	return 1;
}

int field_find(const struct frame *frame, uint16_t tag, struct field *field, struct error *err)
{
	size_t offset = 0;
	int more;

	while ((more = field_next(frame, &offset, field, err)) > 0)
		if (field->tag == tag)
			return 1;
	return more;
}

int field_integer(const struct frame *frame, uint16_t tag, int64_t fallback, int64_t *value, struct error *err)
{
	struct field field;
	int found = field_find(frame, tag, &field, err);

	if (found < 0)
		return -1;
	if (found == 0) {
		*value = fallback;
		return 0;
	}
	if (field.size != 8)
		return error_set(err, EPROTO, "field %u is not an integer", tag);
	*value = (int64_t)((uint64_t)get_u32(field.data) | (uint64_t)get_u32(field.data + 4) << 32);
	return 0;
}

static char *copy_text(const struct field *field, struct error *err)
{
	char *text;

	if (field->size > 0 && memchr(field->data, 0, field->size)) {
		error_set(err, EPROTO, "field %u has a NUL byte", field->tag);
		return NULL;
	}
	text = malloc((size_t)field->size + 1);
	if (!text) {
		error_errno(err, ENOMEM, "field %u", field->tag);
		return NULL;
	}
	if (field->size > 0)
		memcpy(text, field->data, field->size);
	text[field->size] = 0;
	return text;
}

int field_text(const struct frame *frame, uint16_t tag, char **text, struct error *err)
{
	struct field field;
	int found = field_find(frame, tag, &field, err);

	*text = NULL;
	if (found <= 0)
		return found;
	*text = copy_text(&field, err);
	return *text ? 0 : -1;
}

int field_texts(const struct frame *frame, uint16_t tag, char ***texts, struct error *err)
{
	struct field field;
	size_t offset = 0, count = 0;
	int more;
	char **list;

	while ((more = field_next(frame, &offset, &field, err)) > 0)
		count += field.tag == tag;
	if (more < 0)
		return -1;
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		return error_errno(err, ENOMEM, "field %u", tag);
	offset = 0;
	count = 0;
	while (field_next(frame, &offset, &field, err) > 0) {
		if (field.tag != tag)
			continue;
		list[count] = copy_text(&field, err);
		if (!list[count++]) {
			texts_free(list);
			return -1;
		}
	}
	*texts = list;
	return 0;
}

void texts_free(char **texts)
{
	if (!texts)
		return;
	for (size_t i = 0; texts[i]; i++)
		free(texts[i]);
	free(texts);
}

static uint8_t *reserve(struct frame_writer *writer, size_t size)
{
	if (writer->failed)
		return NULL;
	if (writer->room - writer->used < size) {
		size_t room = (writer->used + size) * 2;
		uint8_t *data = realloc(writer->data, room);

		if (!data) {
			writer->failed = 1;
			return NULL;
		}
		writer->data = data;
		writer->room = room;
	}
	writer->used += size;
	return writer->data + writer->used - size;
}

void frame_begin(struct frame_writer *writer, uint32_t id, uint16_t type)
{
	uint8_t *header;

	writer->frame_start = writer->used;
	header = reserve(writer, FRAME_HEADER_SIZE);
	if (!header)
		return;
	put_u32(header, 0);
	put_u32(header + 4, id);
	put_u16(header + 8, type);
	put_u16(header + 10, 0);
}

void frame_put(struct frame_writer *writer, uint16_t tag, const void *data, size_t size)
{
	uint8_t *field;

	if (size > FRAME_PAYLOAD_MAX) {
		writer->failed = 1;
		return;
	}
	field = reserve(writer, FIELD_HEADER_SIZE + size);
	if (!field)
		return;
	put_u16(field, tag);
	put_u32(field + 2, (uint32_t)size);
	if (size > 0)
		memcpy(field + FIELD_HEADER_SIZE, data, size);
}

void frame_put_text(struct frame_writer *writer, uint16_t tag, const char *text)
{
	frame_put(writer, tag, text, strlen(text));
}

void frame_put_integer(struct frame_writer *writer, uint16_t tag, int64_t value)
{
	uint8_t bytes[8];

	put_u32(bytes, (uint32_t)(uint64_t)value);
	put_u32(bytes + 4, (uint32_t)((uint64_t)value >> 32));
	frame_put(writer, tag, bytes, sizeof(bytes));
}

int frame_end(struct frame_writer *writer, struct error *err)
{
	size_t size;

	if (writer->failed) {
		writer->used = writer->frame_start;
		writer->failed = 0;
		return error_set(err, ENOMEM, "no memory for a frame");
	}
	size = writer->used - writer->frame_start - FRAME_HEADER_SIZE;
	if (size > FRAME_PAYLOAD_MAX) {
		writer->used = writer->frame_start;
		return error_set(err, EMSGSIZE, "a frame of %zu bytes is too large", size);
	}
	put_u32(writer->data + writer->frame_start, (uint32_t)size);
	return 0;
}

void frame_writer_free(struct frame_writer *writer)
{
	free(writer->data);
	memset(writer, 0, sizeof(*writer));
}

int frame_error(struct frame_writer *writer, uint32_t id, const struct error *failure, struct error *err)
{
	frame_begin(writer, id, FRAME_ERROR);
	frame_put_text(writer, TAG_MESSAGE, failure->text);
	if (failure->code)
		frame_put_integer(writer, TAG_ERRNO, failure->code);
	return frame_end(writer, err);
}
