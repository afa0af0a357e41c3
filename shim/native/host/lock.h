/* Locks that the host holds until it exits (LOCK of shim/PROTOCOL.md). */
#pragma once

#include "frame.h"

enum { LOCKS_MAX = 16, LOCK_RETRY_MS = 10, LOCK_WAIT_MAX_MS = 60 * 1000 };

/* A lock that is wanted (answered == 0) or was got. */
struct lock {
	uint32_t id;
	int fd;
	int is_answered;
	int64_t give_up_ms;
	char *path;
};

struct locks {
	struct lock items[LOCKS_MAX];
	size_t count;
};

/* Opens the lock file; the lock is taken by locks_try. */
int locks_want(struct locks *locks, const struct frame *request, struct error *err);

/* Tries to take every lock that is wanted and appends answers to out. 1: some are still wanted. */
int locks_try(struct locks *locks, int64_t now, struct frame_writer *out);
