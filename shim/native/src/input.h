/* Standard input of a process: bytes that a client sent and that the process takes when it likes. */
#pragma once

#include <stdint.h>

#include "loop.h"

/* The writing end; its fd is -1 once it is closed or if there never was one. */
struct sink {
	struct source source;
	struct loop *loop;
	void (*writable)(struct sink *sink); /* called once after sink_write answered 0 */
};

/* Bytes on their way. */
struct input {
	uint8_t *data;
	size_t size, done;
};

/* Takes fd over, also on failure; fd -1 makes a closed sink. */
int sink_open(struct sink *sink, struct loop *loop, int fd, struct error *err);

void sink_close(struct sink *sink);

/* Writes what the process takes now. 1: all of it went (or can never go, for nobody reads any more) and was freed.
 * 0: some is left, and `writable` will be called. */
int sink_write(struct sink *sink, struct input *input);
