#include "log-format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void log_batch_time(struct log_batch *batch, const struct timespec *now)
{
	struct tm utc;
	size_t used;

	memset(batch->time, 0, sizeof(batch->time));
	gmtime_r(&now->tv_sec, &utc);
	used = strftime(batch->time, sizeof(batch->time), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(batch->time + used, sizeof(batch->time) - used, ".%09ldZ", now->tv_nsec);
}

static void append(struct log_batch *batch, const void *data, size_t size)
{
	if (size == 0)
		return;
	memcpy(batch->data + batch->used, data, size);
	batch->used += size;
}

/* What every line that is formatted in one go begins with; tag is where P or F goes. */
struct prefix {
	char text[LOG_PREFIX_MAX];
	size_t size, tag;
};

static void make_prefix(struct prefix *prefix, const struct log_stream *stream, const struct log_batch *batch)
{
	prefix->size = (size_t)snprintf(prefix->text, sizeof(prefix->text), "%s %s P ", batch->time, stream->name);
	prefix->tag = prefix->size - 2;
}

/* One line of the log: what is held and these bytes. */
static void emit(struct log_stream *stream, struct prefix *prefix, char tag, const uint8_t *data, size_t size,
		 struct log_batch *batch)
{
	if (batch->room - batch->used < prefix->size + stream->held_size + size + 1)
		batch->flush(batch);
	prefix->text[prefix->tag] = tag;
	append(batch, prefix->text, prefix->size);
	append(batch, stream->held, stream->held_size);
	append(batch, data, size);
	if (tag == 'F' && stream->held_size + size > 0 && batch->data[batch->used - 1] == '\r')
		batch->used--;
	append(batch, "\n", 1);
	free(stream->held);
	stream->held = NULL;
	stream->held_size = 0;
}

/* -1 if there is no memory. */
static int hold(struct log_stream *stream, const uint8_t *data, size_t size)
{
	uint8_t *held;

	if (size == 0)
		return 0;
	held = realloc(stream->held, stream->held_size + size);
	if (!held)
		return -1;
	memcpy(held + stream->held_size, data, size);
	stream->held = held;
	stream->held_size += size;
	return 0;
}

void log_format(struct log_stream *stream, const uint8_t *data, size_t size, struct log_batch *batch)
{
	struct prefix prefix;

	make_prefix(&prefix, stream, batch);
	while (size > 0) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t content = newline ? (size_t)(newline - data) : size;

		while (stream->held_size + content > LOG_PIECE_SIZE) {
			size_t piece = LOG_PIECE_SIZE - stream->held_size;

			emit(stream, &prefix, 'P', data, piece, batch);
			data += piece;
			size -= piece;
			content -= piece;
		}
		if (!newline) {
			if (hold(stream, data, content) < 0)
				emit(stream, &prefix, 'P', data, content, batch);
			return;
		}
		emit(stream, &prefix, 'F', data, content, batch);
		data += content + 1;
		size -= content + 1;
	}
}

void log_format_end(struct log_stream *stream, struct log_batch *batch)
{
	struct prefix prefix;

	if (stream->held_size == 0)
		return;
	make_prefix(&prefix, stream, batch);
	emit(stream, &prefix, 'P', NULL, 0, batch);
}
