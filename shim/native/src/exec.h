/* A process that runs beside init in the container. */
#pragma once

#include <stdint.h>

#include "children.h"
#include "error.h"
#include "input.h"
#include "io.h"
#include "stream.h"

struct shim;
struct connection;

/* Flags of EXEC and ATTACH (PROTOCOL.md). */
enum { EXEC_TTY = 1, EXEC_STDIN = 2, EXEC_KILL_ON_CLOSE = 4 };

struct exec {
	struct shim *shim;
	struct connection *connection; /* NULL once the client is gone */
	struct exec *next;
	unsigned number; /* of its files in the bundle */
	int flags;
	struct child runtime;
	struct child process;
	struct io io;
	struct sink input;
	struct stream streams[2];
	struct timer timer; /* start, later drain */
	int is_late; /* the runtime was killed: it took too long */
	int is_running;
	int has_ended;
	int status;
	int64_t finished_ns;
};

struct exec_request {
	const char *process_path;
	int flags;
	int64_t start_ms; /* how long the runtime may take */
};

/* Calls the runtime for the process in the file; STARTED or ERROR is sent to the connection when it is done. */
int exec_start(struct connection *connection, const struct exec_request *request, struct error *err);

/* Signals the process group of the process; SIGKILL ends every process of its session. */
int exec_kill(struct exec *exec, int signal, struct error *err);

void exec_resize(struct exec *exec, int64_t rows, int64_t columns);

/* The client's queue has room again, or is full. */
void exec_pause_output(struct exec *exec, int is_paused);

/* No more input will come. A terminal stays as it is. */
void exec_end_input(struct exec *exec);

/* The client is gone: its process is killed if it asked for that; otherwise its output is read and dropped. */
void exec_client_left(struct exec *exec);
