/* What a container leaves behind (PROTOCOL.md, exit file). */
#pragma once

#include <stdint.h>

#include "error.h"

struct exit_record {
	const char *failure; /* NULL: the container ran */
	int exit_code;
	int signal;
	int is_oom;
	int64_t finished_ns;
};

/* Atomically: a temporary file beside it, then rename. */
int exit_file_write(const char *path, const struct exit_record *record, struct error *err);
