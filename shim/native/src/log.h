/* The container's log file. What cannot be written is dropped and counted; the container never waits for it. */
#pragma once

#include <stdint.h>

#include "error.h"
#include "log-format.h"

struct log {
	const char *path; /* NULL: everything is dropped */
	int fd;
	struct log_stream streams[2]; /* stdout, stderr */
	uint64_t lost_bytes;	      /* of the log, since the last line that says so */
	int lost_errno;
	int is_torn; /* the file ends inside a line */
};

int log_open(struct log *log, const char *path, struct error *err);

/* Opens the path anew and goes on there; on failure the old file stays. */
int log_reopen(struct log *log, struct error *err);

/* stream: 1 stdout, 2 stderr. */
void log_write(struct log *log, int stream, const uint8_t *data, size_t size);

/* Writes what is held of unfinished lines. */
void log_end(struct log *log);
