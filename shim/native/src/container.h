/* The container's init: from the call of the runtime to the exit file and `delete`. */
#pragma once

#include <stdint.h>

#include "children.h"
#include "error.h"
#include "input.h"
#include "io.h"
#include "log.h"
#include "loop.h"
#include "message.h"
#include "oom.h"
#include "stream.h"

struct shim;

enum container_state { CONTAINER_CREATING = 0, CONTAINER_RUNNING = 1, CONTAINER_EXITED = 2, CONTAINER_FAILED = 3 };

struct container {
	enum container_state state;
	struct child runtime; /* the call of `run`, later that of `delete` */
	struct child init;
	struct io io;
	struct log log;
	struct sink input;
	struct stream streams[2];
	struct timer timer; /* drain, then delete, then linger */
	struct timer exit_file_timer;
	int exit_file_retries;
	int status; /* of init, once it has ended */
	int has_ended; /* init is gone; its output may still be drained */
	int is_deleted;
	struct oom oom;
	int is_oom;
	int64_t finished_ns;
	char message[MESSAGE_SIZE]; /* why it failed */
};

/* Opens the log and calls the runtime; a failure is a state of the container (FAILED), not of the shim. */
void container_start(struct shim *shim);

/* Signals init, with `group` its process group. While it is being created, SIGKILL ends the runtime. */
int container_kill(struct shim *shim, int signal, int group, struct error *err);

int container_resize(struct shim *shim, int64_t rows, int64_t columns, struct error *err);

/* Reads the container's output, or leaves it alone for now. */
void container_pause_output(struct shim *shim, int is_paused);

/* Closes the container's standard input if it was meant for one client only. */
void container_input_client_left(struct shim *shim);
