/* One stream of output of a process: a pipe or a terminal that is read as long as somebody takes the data. */
#pragma once

#include "loop.h"

enum { STREAM_READ_SIZE = 64 * 1024 };

struct stream {
	struct source source;
	struct loop *loop;
	int number; /* 1 stdout, 2 stderr */
	void (*data)(struct stream *stream, const uint8_t *data, size_t size); /* at most STREAM_READ_SIZE */
	void (*ended)(struct stream *stream);
};

/* Takes fd over, also on failure. data and ended are set by the caller before. */
int stream_open(struct stream *stream, struct loop *loop, int number, int fd, struct error *err);

void stream_pause(struct stream *stream, int is_paused);

int stream_is_open(const struct stream *stream);

/* Reads what is there now without waiting, at most a pipe's capacity, and closes. Does not call `ended`. */
void stream_finish(struct stream *stream);
