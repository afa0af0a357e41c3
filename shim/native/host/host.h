/* The loop: requests come in over a socket, each becomes a job, answers go out in the order in which jobs end. */
#pragma once

#include "frame.h"
#include "job.h"
#include "lock.h"

enum {
	HOST_OUT_MAX = 8 * 1024 * 1024, /* unsent answers; while there are more, jobs are not read from */
	HOST_FINISH_MS = 5 * 1000,	/* programs that may finish get this long when the daemon is gone */
	HOST_EXIT_MS = 10 * 1000,	/* killed jobs may take this long before the host exits without them */
	HOST_KEEP_BYTES = 64 * 1024,	/* buffers above this size are given back when they are empty */
};

struct host {
	int fd;
	struct frame_reader in;
	struct frame_writer out;
	size_t sent;
	struct job *jobs;
	size_t job_count; /* without the forwards that were answered */
	size_t forward_count;
	struct locks locks;
};

/* Serves until the daemon closes the connection (0) or breaks the protocol (-1); then no job is left running. */
int host_serve(struct host *host, struct error *err);
