/* Standard input, output and error of a process that the OCI runtime starts: pipes, or a terminal that it makes. */
#pragma once

#include <stddef.h>

#include "error.h"
#include "options.h"

/* The shim's ends and the runtime's ends; -1 where there is none. With a terminal, near[0] and near[1] are its
 * master once io_take_terminal succeeded; until then near[2] is what the runtime itself has to say. */
struct io {
	int near[3];
	int far[3];
	/* The terminal's other side, held so that a process may close and open it again; close it when the process
	 * has ended, so that the terminal ends too. */
	int peer;
	/* Where the runtime sends the terminal: a socket in a directory that is reached through /proc, since the
	 * bundle's path may be longer than a socket's may. */
	int console_directory;
	int console_listener;
	char console_name[32];
};

void io_init(struct io *io);

/* Makes pipes that belong to owner; with has_stdin 0, standard input is /dev/null. */
int io_open_pipes(struct io *io, int has_stdin, const struct owner *owner, struct error *err);

/* Makes a console socket in the bundle; number tells it from others there. */
int io_open_console(struct io *io, const char *bundle, unsigned number, struct error *err);

/* What `--console-socket` is given; valid as long as this process lives. */
void io_console_path(const struct io *io, char *path, size_t size);

/* Receives the terminal's master, which the runtime has sent by the time it exits, and removes the socket. */
int io_take_terminal(struct io *io, struct error *err);

/* The ends that the runtime has inherited. */
void io_close_far(struct io *io);

void io_close_peer(struct io *io);

void io_close(struct io *io);

/* What can be read from near[2] without waiting, NUL-terminated: the runtime's own last words. */
void io_read_errors(const struct io *io, char *text, size_t size);
