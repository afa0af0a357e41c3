/* Frames and fields as in shim/PROTOCOL.md. Readers never look past the bytes they were given. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum { FRAME_HEADER_SIZE = 12, FRAME_PAYLOAD_MAX = 4 * 1024 * 1024, FIELD_HEADER_SIZE = 6 };

enum frame_type {
	FRAME_OK = 1,
	FRAME_ERROR = 2,
	FRAME_LOCK = 16,
	FRAME_RUN = 17,
	FRAME_CANCEL = 18,
	FRAME_LAUNCH = 19,
	FRAME_SANDBOX = 20,
	FRAME_MOUNT_OVERLAY = 21,
	FRAME_BIND = 22,
	FRAME_UNMOUNT = 23,
	FRAME_REMOVE_TREE = 24,
	FRAME_READ_IN_ROOT = 25,
	FRAME_DISK_USAGE = 26,
	FRAME_KILL_CGROUP = 27,
	FRAME_REMOVE_CGROUP = 28,
	FRAME_KILL_PROCESS = 29,
	FRAME_FORWARD = 40,
	FRAME_NET_DEVICES = 48,
	FRAME_OPEN_FILES = 49,
	FRAME_COPY_TREE = 56,
	FRAME_RELABEL = 57,
	FRAME_WATCH = 64,
	FRAME_KILL = 65,
	FRAME_EXEC = 66,
	FRAME_ATTACH = 67,
	FRAME_REOPEN_LOG = 68,
	FRAME_RESIZE = 69,
	FRAME_INPUT = 70,
	FRAME_INPUT_END = 71,
	FRAME_STATE = 96,
	FRAME_STARTED = 97,
	FRAME_OUTPUT = 98,
	FRAME_EXITED = 99,
};

enum field_tag {
	TAG_MESSAGE = 1,
	TAG_ERRNO,
	TAG_ARGUMENT,
	TAG_ENVIRONMENT,
	TAG_DIRECTORY,
	TAG_INPUT,
	TAG_TIMEOUT_MS,
	TAG_OUTPUT_LIMIT,
	TAG_EXIT_CODE,
	TAG_STDOUT,
	TAG_STDERR,
	TAG_PATH,
	TAG_PID,
	TAG_SIGNAL,
	TAG_DATA,
	TAG_HOSTNAME,
	TAG_SYSCTL,
	TAG_FLAGS,
	TAG_BYTES,
	TAG_INODES,
	TAG_NAME,
	TAG_LAYER,
	TAG_UPPER,
	TAG_WORK,
	TAG_OPTIONS,
	TAG_SOURCE,
	TAG_PROGRAM,
	TAG_CGROUP,
	TAG_STATE,
	TAG_OOM,
	TAG_STREAM,
	TAG_ROWS,
	TAG_COLUMNS,
	TAG_TIME_NS,
	TAG_PORT = 40,
	TAG_UID_MAPPING = 44,
	TAG_GID_MAPPING = 45,
	TAG_SUB_PATH = 46,
};

struct frame {
	uint32_t id;
	uint16_t type;
	const uint8_t *payload;
	uint32_t size;
};

/* Bytes received and not yet taken; zero-initialised, freed with frame_reader_free. */
struct frame_reader {
	uint8_t *data;
	size_t start, used, room;
};

enum frame_fill { FRAME_FILL_END = 0, FRAME_FILL_MORE = 1, FRAME_FILL_LATER = 2 };

/* Reads once from fd. Answers enum frame_fill; -1 on a read error or when there is no memory. */
int frame_reader_fill(struct frame_reader *reader, int fd, struct error *err);

/* Takes the next whole frame; it points into the reader and is valid until the next fill.
 * 1: there is one, 0: more bytes are needed, -1: the peer breaks the protocol. */
int frame_reader_next(struct frame_reader *reader, struct frame *frame, struct error *err);

void frame_reader_free(struct frame_reader *reader);

struct field {
	uint16_t tag;
	const uint8_t *data;
	uint32_t size;
};

/* Walks the fields of a frame: *offset starts at 0. 1: a field, 0: the end, -1: the field runs over the frame. */
int field_next(const struct frame *frame, size_t *offset, struct field *field, struct error *err);

/* The first field with this tag. 1: found, 0: absent, -1: malformed. */
int field_find(const struct frame *frame, uint16_t tag, struct field *field, struct error *err);

/* The integer of the first field with this tag, or `fallback` if absent. -1: malformed. */
int field_integer(const struct frame *frame, uint16_t tag, int64_t fallback, int64_t *value, struct error *err);

/* A copy with a NUL behind it of the first field with this tag; NULL if absent. -1: malformed, a NUL inside,
 * or no memory. The caller frees it. */
int field_text(const struct frame *frame, uint16_t tag, char **text, struct error *err);

/* All fields with this tag as a NULL-terminated array of texts (possibly empty, never NULL). */
int field_texts(const struct frame *frame, uint16_t tag, char ***texts, struct error *err);

void texts_free(char **texts);

/* A frame being built; zero-initialised. A failed allocation is remembered and reported by frame_end. */
struct frame_writer {
	uint8_t *data;
	size_t used, room;
	size_t frame_start;
	int failed;
};

void frame_begin(struct frame_writer *writer, uint32_t id, uint16_t type);
void frame_put(struct frame_writer *writer, uint16_t tag, const void *data, size_t size);
void frame_put_text(struct frame_writer *writer, uint16_t tag, const char *text);
void frame_put_integer(struct frame_writer *writer, uint16_t tag, int64_t value);
int frame_end(struct frame_writer *writer, struct error *err);
void frame_writer_free(struct frame_writer *writer);

/* Builds an ERROR frame from err. */
int frame_error(struct frame_writer *writer, uint32_t id, const struct error *failure, struct error *err);
