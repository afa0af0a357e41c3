/* Output of a process as lines of a CRI log: `<time> <stdout|stderr> <P|F> <content>\n`. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* A longer line is cut into pieces of this size, tagged P but for the last. */
enum { LOG_PIECE_SIZE = 16 * 1024 };

/* "2006-01-02T15:04:05.999999999Z" */
enum { LOG_TIME_SIZE = 30, LOG_PREFIX_MAX = 48 };

/* The beginning of a line of which the end has not come yet; zero-initialised but for its name. */
struct log_stream {
	const char *name;
	uint8_t *held;
	size_t held_size;
};

/* Where formatted lines go. `flush` empties it (sets used to 0); room is at least LOG_BATCH_MIN. */
struct log_batch {
	uint8_t *data;
	size_t used, room;
	char time[LOG_TIME_SIZE + 1];
	void (*flush)(struct log_batch *batch);
};

enum { LOG_BATCH_MIN = LOG_PREFIX_MAX + LOG_PIECE_SIZE + 1 };

/* Sets the time that the lines of the batch will bear. */
void log_batch_time(struct log_batch *batch, const struct timespec *now);

/* Formats the lines that are complete with these bytes and holds the rest. One CR before the LF is dropped. */
void log_format(struct log_stream *stream, const uint8_t *data, size_t size, struct log_batch *batch);

/* Formats what is held (as P, for its end never came) and frees it. */
void log_format_end(struct log_stream *stream, struct log_batch *batch);
