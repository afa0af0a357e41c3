/* Small files, and descriptors that close themselves. */
#pragma once

#include <stddef.h>

#include "error.h"

void fd_close(const int *fd);

#define FD_CLEANUP __attribute__((cleanup(fd_close)))

/* Reads at most size - 1 bytes from the start of a file (from_end: its last ones) and puts a NUL behind them.
 * Answers their number. */
long file_read(const char *path, char *text, size_t size, int from_end, struct error *err);

/* Writes all of it or fails. */
int fd_write(int fd, const char *data, size_t size, struct error *err);
