/* One client. Its first frame says what it wants; answers go through a queue that it empties at its own pace. */
#pragma once

#include <stdint.h>

#include "exec.h"
#include "frame.h"
#include "input.h"
#include "loop.h"

struct shim;

enum role {
	ROLE_NEW,
	ROLE_WATCH,
	ROLE_EXEC,
	ROLE_ATTACH,
	ROLE_DONE, /* everything was said; waits for the client to close */
	ROLE_ANY,  /* in questions only */
};

struct connection {
	struct shim *shim;
	struct source source;
	struct frame_reader reader;
	struct frame_writer queue;
	size_t sent; /* bytes of the queue that are gone */
	enum role role;
	uint32_t request_id;
	struct exec *exec; /* ROLE_EXEC */
	struct input input;
	uint32_t input_id;
	int has_input; /* an INPUT is not yet answered: no more frames are taken */
	int takes_input; /* ROLE_ATTACH with stdin */
	int is_broken; /* cannot be written to; its end will be noticed */
	struct timer timer; /* idle, or stalled */
	struct connection *next;
};

/* The listener's `ready`. */
void connection_accept(struct source *source, uint32_t events);

/* Frees the connection and what hangs on it. Not from inside a call that came from its own frames. */
void connection_close(struct connection *connection);

/* Takes the frames that have arrived, as long as it is their turn. A client that breaks the protocol is cut off. */
void connection_take_frames(struct connection *connection);

/* Writes what is left of an INPUT, and answers it once it is gone. */
void connection_continue_input(struct connection *connection);

/* Ends a frame that was begun in connection->queue and sends what the client takes. */
void connection_send(struct connection *connection);

void connection_answer(struct connection *connection, uint32_t id, uint16_t type);
void connection_fail(struct connection *connection, uint32_t id, const struct error *failure);
void connection_state(struct connection *connection);
void connection_started(struct connection *connection, pid_t pid);
void connection_output(struct connection *connection, int stream, const uint8_t *data, size_t size);
void connection_exited(struct connection *connection, int status, int64_t finished_ns);

/* Nothing more will be said. */
void connection_finish(struct connection *connection);

/* Whether as much is queued as a client may leave unread. */
int connection_is_full(const struct connection *connection);

int connection_count(const struct shim *shim, enum role role);

/* Tells watchers the container's state and attached clients its end. */
void connections_tell_state(struct shim *shim);

/* Whether only watchers are connected, and one of them has taken the news of the container's end. */
int connections_are_done(const struct shim *shim);

/* The container takes input again. */
void connections_input_writable(struct shim *shim);

/* Sends output to every attached client, and holds the container back while one of them is full. */
void connections_output(struct shim *shim, int stream, const uint8_t *data, size_t size);
