/* The golden frames of fixtures/frames.txt, decoded and encoded; readers fed in every way. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"

enum { LINE_MAX_SIZE = 8192, BYTES_MAX = 4096 };

struct golden {
	char *name, *meaning;
	uint8_t bytes[BYTES_MAX];
	size_t size;
};

static size_t from_hex(const char *hex, uint8_t *bytes)
{
	size_t size = strlen(hex) / 2;

	assert(size <= BYTES_MAX);
	for (size_t i = 0; i < size; i++)
		assert(sscanf(hex + 2 * i, "%2hhx", &bytes[i]) == 1);
	return size;
}

static size_t from_percent(const char *text, uint8_t *bytes)
{
	size_t size = 0;

	for (; *text; text++) {
		assert(size < BYTES_MAX);
		if (*text == '%') {
			assert(sscanf(text + 1, "%2hhx", &bytes[size++]) == 1);
			text += 2;
		} else {
			bytes[size++] = (uint8_t)*text;
		}
	}
	return size;
}

/* Puts a field of the meaning into the writer and compares it with what the frame has at *offset. */
static void check_field(char *text, struct frame_writer *writer, const struct frame *frame, size_t *offset)
{
	static uint8_t bytes[BYTES_MAX];
	struct error err;
	struct field field;
	struct frame only;
	char *kind = strchr(text, ':'), *value;
	uint16_t tag = (uint16_t)atoi(text);
	size_t before = *offset, size = 0;

	assert(kind);
	*kind++ = 0;
	value = strchr(kind, ':');
	assert(value);
	*value++ = 0;
	assert(field_next(frame, offset, &field, &err) == 1);
	assert(field.tag == tag);
	only = (struct frame){ .payload = frame->payload + before, .size = (uint32_t)(*offset - before) };
	if (strcmp(kind, "integer") == 0) {
		int64_t wanted = strtoll(value, NULL, 10), got;

		assert(field_integer(&only, tag, wanted + 1, &got, &err) == 0 && got == wanted);
		frame_put_integer(writer, tag, wanted);
		return;
	}
	if (strcmp(kind, "text") == 0) {
		char *got;

		size = from_percent(value, bytes);
		assert(field_text(&only, tag, &got, &err) == 0);
		assert(strlen(got) == size && memcmp(got, bytes, size) == 0);
		free(got);
	} else {
		assert(strcmp(kind, "bytes") == 0);
		size = from_hex(value, bytes);
	}
	assert(field.size == size && memcmp(field.data, bytes, size) == 0);
	frame_put(writer, tag, bytes, size);
}

/* A reader that holds exactly these bytes, on the heap so that reading past them is noticed. */
static struct frame_reader reader_of(const uint8_t *bytes, size_t size)
{
	struct frame_reader reader = { .data = malloc(size ? size : 1), .used = size, .room = size };

	assert(reader.data);
	memcpy(reader.data, bytes, size);
	return reader;
}

static void check_malformed(const struct golden *golden)
{
	struct frame_reader reader = reader_of(golden->bytes, golden->size);
	struct frame frame;
	struct error err = { 0 };
	struct field field;
	size_t offset = 0;
	int outcome = frame_reader_next(&reader, &frame, &err);

	while (outcome > 0)
		outcome = field_next(&frame, &offset, &field, &err);
	if (outcome >= 0 || err.text[0] == 0) {
		fprintf(stderr, "%s: taken for well-formed\n", golden->name);
		abort();
	}
	frame_reader_free(&reader);
}

static void check(const struct golden *golden)
{
	struct frame_reader reader = reader_of(golden->bytes, golden->size);
	struct frame_writer writer = { 0 };
	struct frame frame;
	struct field field;
	struct error err;
	char *id = strtok(golden->meaning, " "), *type, *text;
	size_t offset = 0;

	if (strcmp(id, "malformed") == 0) {
		frame_reader_free(&reader);
		check_malformed(golden);
		return;
	}
	type = strtok(NULL, " ");
	assert(type);
	assert(frame_reader_next(&reader, &frame, &err) == 1);
	assert(frame.id == strtoul(id, NULL, 10) && frame.type == strtoul(type, NULL, 10));
	frame_begin(&writer, frame.id, frame.type);
	while ((text = strtok(NULL, " ")))
		check_field(text, &writer, &frame, &offset);
	assert(field_next(&frame, &offset, &field, &err) == 0);
	assert(frame_reader_next(&reader, &frame, &err) == 0);
	assert(frame_end(&writer, &err) == 0);
	if (writer.used != golden->size || memcmp(writer.data, golden->bytes, golden->size) != 0) {
		fprintf(stderr, "%s: encoded differently\n", golden->name);
		abort();
	}
	frame_writer_free(&writer);
	frame_reader_free(&reader);
}

static void golden_frames(void)
{
	FILE *file = fopen("../fixtures/frames.txt", "r");
	static char line[LINE_MAX_SIZE];
	static struct golden golden;
	int count = 0;

	assert(file);
	while (fgets(line, sizeof(line), file)) {
		char *hex;

		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#' || line[0] == 0)
			continue;
		hex = strchr(line, ' ');
		assert(hex);
		*hex++ = 0;
		golden.name = line;
		golden.meaning = strchr(hex, ' ');
		assert(golden.meaning);
		*golden.meaning++ = 0;
		golden.size = from_hex(hex, golden.bytes);
		check(&golden);
		count++;
	}
	fclose(file);
	assert(count > 20);
}

static void empty_readers_hold_nothing(void)
{
	struct frame_reader reader = { 0 };
	struct frame frame = { 0 };
	struct field field;
	struct error err;
	size_t offset = 0;
	char *text;
	char **texts;
	int64_t value;

	assert(frame_reader_next(&reader, &frame, &err) == 0);
	assert(field_next(&frame, &offset, &field, &err) == 0);
	assert(field_text(&frame, TAG_PATH, &text, &err) == 0 && text == NULL);
	assert(field_texts(&frame, TAG_PATH, &texts, &err) == 0 && texts[0] == NULL);
	texts_free(texts);
	assert(field_integer(&frame, TAG_PID, -5, &value, &err) == 0 && value == -5);
	frame_reader_free(&reader);
}

static void frames_arrive_in_pieces(void)
{
	struct frame_reader reader = { 0 };
	struct frame_writer writer = { 0 };
	struct frame frame;
	struct error err;
	int ends[2], got = 0;
	size_t sent = 0;

	for (uint32_t id = 0; id < 50; id++) {
		frame_begin(&writer, id, FRAME_OUTPUT);
		for (uint32_t i = 0; i <= id; i++)
			frame_put_text(&writer, TAG_DATA, "some bytes");
		assert(frame_end(&writer, &err) == 0);
	}
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	assert(frame_reader_fill(&reader, ends[0], &err) == FRAME_FILL_LATER);
	while (sent < writer.used) {
		size_t piece = 1 + sent % 23;

		if (piece > writer.used - sent)
			piece = writer.used - sent;
		assert(write(ends[1], writer.data + sent, piece) == (ssize_t)piece);
		sent += piece;
		assert(frame_reader_fill(&reader, ends[0], &err) == FRAME_FILL_MORE);
		while (frame_reader_next(&reader, &frame, &err) == 1)
			assert(frame.id == (uint32_t)got++);
	}
	assert(got == 50);
	close(ends[1]);
	assert(frame_reader_fill(&reader, ends[0], &err) == FRAME_FILL_END);
	close(ends[0]);
	assert(frame_reader_fill(&reader, ends[0], &err) < 0 && err.code == EBADF);
	frame_reader_free(&reader);
	frame_writer_free(&writer);
}

static void frames_that_are_too_large_are_not_sent(void)
{
	struct frame_writer writer = { 0 };
	struct error err;
	uint8_t *data = calloc(1, FRAME_PAYLOAD_MAX);

	assert(data);
	frame_begin(&writer, 1, FRAME_OUTPUT);
	frame_put(&writer, TAG_DATA, data, FRAME_PAYLOAD_MAX - FIELD_HEADER_SIZE);
	assert(frame_end(&writer, &err) == 0);
	frame_begin(&writer, 2, FRAME_OUTPUT);
	frame_put(&writer, TAG_DATA, data, FRAME_PAYLOAD_MAX);
	assert(frame_end(&writer, &err) < 0 && err.code == EMSGSIZE);
	assert(writer.used == FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX);
	frame_begin(&writer, 3, FRAME_OK);
	assert(frame_end(&writer, &err) == 0);
	frame_writer_free(&writer);
	free(data);
}

static void texts_with_nul_are_refused(void)
{
	struct frame_writer writer = { 0 };
	struct frame frame = { .type = FRAME_EXEC };
	struct error err;
	char *text;
	char **texts;

	frame_begin(&writer, 1, FRAME_EXEC);
	frame_put(&writer, TAG_PATH, "a\0b", 3);
	assert(frame_end(&writer, &err) == 0);
	frame.payload = writer.data + FRAME_HEADER_SIZE;
	frame.size = (uint32_t)(writer.used - FRAME_HEADER_SIZE);
	assert(field_text(&frame, TAG_PATH, &text, &err) < 0 && text == NULL && err.code == EPROTO);
	assert(field_texts(&frame, TAG_PATH, &texts, &err) < 0);
	frame_writer_free(&writer);
}

int main(void)
{
	golden_frames();
	empty_readers_hold_nothing();
	frames_arrive_in_pieces();
	frames_that_are_too_large_are_not_sent();
	texts_with_nul_are_refused();
	return 0;
}
