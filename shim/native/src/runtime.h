/* Calls of the OCI runtime. None waits: the caller adds the answered pid to the children. */
#pragma once

#include <sys/types.h>

#include "error.h"
#include "io.h"
#include "message.h"
#include "options.h"

/* `run --detach` of the bundle, or `restore --detach` where --restore was given. */
pid_t runtime_run(const struct options *options, const struct io *io, struct error *err);

/* Files of one exec: the process to start, where its pid is put, the runtime's log. */
struct exec_files {
	const char *process;
	const char *pid;
	const char *log;
};

/* `exec --detach`. */
pid_t runtime_exec(const struct options *options, const struct exec_files *files, const struct io *io,
		   struct error *err);

/* `delete --force`. */
pid_t runtime_delete(const struct options *options, struct error *err);

/* The file in which the runtime logs what it does with the container itself. */
void runtime_log_path(const struct options *options, char *path, size_t size);

/* Why a call of the runtime failed: the last error in its log, else its last words on standard error, else how it
 * ended. Removes nothing. */
void runtime_message(const char *log_path, const struct io *io, int status, char message[MESSAGE_SIZE]);

/* The pid in a pid file. */
pid_t runtime_read_pid(const char *path, struct error *err);
