#include "requests.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "shim.h"

enum { GROUP_FLAG = 1 };

static void free_text(char *const *text)
{
	free(*text);
}

#define TEXT_CLEANUP __attribute__((cleanup(free_text)))

int requests_may_be_taken(const struct connection *connection)
{
	if (connection->has_input)
		return 0;
	if (connection->role == ROLE_ATTACH && connection->shim->container.state == CONTAINER_CREATING)
		return 0;
	return !connection->exec || connection->exec->is_running || connection->exec->has_ended;
}

static int read_signal(const struct frame *frame, int *signal, struct error *err)
{
	int64_t value;

	if (field_integer(frame, TAG_SIGNAL, 0, &value, err) < 0)
		return -1;
	if (value < 1 || value > SIGRTMAX)
		return error_set(err, EINVAL, "%lld is not a signal", (long long)value);
	*signal = (int)value;
	return 0;
}

static int read_size(const struct frame *frame, int64_t *rows, int64_t *columns, struct error *err)
{
	if (field_integer(frame, TAG_ROWS, 0, rows, err) < 0 || field_integer(frame, TAG_COLUMNS, 0, columns, err) < 0)
		return -1;
	if (*rows < 0 || *rows > UINT16_MAX || *columns < 0 || *columns > UINT16_MAX)
		return error_set(err, EINVAL, "a terminal has 0 to 65535 rows and columns");
	return 0;
}

static int take_kill(struct connection *connection, const struct frame *frame, struct error *err)
{
	int64_t flags;
	int signal;

	if (read_signal(frame, &signal, err) < 0 || field_integer(frame, TAG_FLAGS, 0, &flags, err) < 0)
		return -1;
	return container_kill(connection->shim, signal, (flags & GROUP_FLAG) != 0, err);
}

static int take_resize(struct connection *connection, const struct frame *frame, struct error *err)
{
	int64_t rows, columns;

	if (read_size(frame, &rows, &columns, err) < 0)
		return -1;
	return container_resize(connection->shim, rows, columns, err);
}

static int take_attach(struct connection *connection, const struct frame *frame, struct error *err)
{
	struct shim *shim = connection->shim;
	const struct container *container = &shim->container;
	int64_t flags;

	if (field_integer(frame, TAG_FLAGS, 0, &flags, err) < 0)
		return -1;
	if (container->state == CONTAINER_FAILED)
		return error_set(err, ESRCH, "container %s could not be started", shim->options.id);
	if (connection_count(shim, ROLE_ATTACH) >= ATTACHED_MAX)
		return error_set(err, EAGAIN, "%d clients are attached to container %s", ATTACHED_MAX,
				 shim->options.id);
	timer_stop(&shim->loop, &connection->timer);
	if (container->state == CONTAINER_EXITED) {
		connection_exited(connection, container->status, container->finished_ns);
		connection_finish(connection);
		return 0;
	}
	connection->role = ROLE_ATTACH;
	connection->takes_input = (flags & EXEC_STDIN) != 0;
	return 0;
}

static int take_exec(struct connection *connection, const struct frame *frame, struct error *err)
{
	struct exec_request request;
	char *path TEXT_CLEANUP = NULL;
	int64_t flags;

	if (field_text(frame, TAG_PATH, &path, err) < 0 || field_integer(frame, TAG_FLAGS, 0, &flags, err) < 0 ||
	    field_integer(frame, TAG_TIMEOUT_MS, EXEC_START_MS, &request.start_ms, err) < 0)
		return -1;
	if (!path || *path != '/')
		return error_set(err, EINVAL, "EXEC needs the absolute path of a process.json");
	if (request.start_ms < 1 || request.start_ms > EXEC_START_MAX_MS)
		return error_set(err, EINVAL, "EXEC has 1 to %d ms to start", EXEC_START_MAX_MS);
	request.process_path = path;
	request.flags = (int)flags;
	if (exec_start(connection, &request, err) < 0)
		return -1;
	timer_stop(&connection->shim->loop, &connection->timer);
	connection->role = ROLE_EXEC;
	return 0;
}

static void take_watch(struct connection *connection)
{
	timer_stop(&connection->shim->loop, &connection->timer);
	connection->role = ROLE_WATCH;
	connection_state(connection);
}

/* Answers OK or ERROR to a request that is done with that. */
static int settle(struct connection *connection, int outcome, const struct error *failure)
{
	if (outcome < 0)
		connection_fail(connection, connection->request_id, failure);
	else
		connection_answer(connection, connection->request_id, FRAME_OK);
	connection_finish(connection);
	return 0;
}

/* EXEC and ATTACH go on after they were accepted. */
static int settle_session(struct connection *connection, int outcome, const struct error *failure)
{
	return outcome < 0 ? settle(connection, outcome, failure) : 0;
}

static int take_first(struct connection *connection, const struct frame *frame, struct error *err)
{
	struct shim *shim = connection->shim;

	connection->request_id = frame->id;
	switch (frame->type) {
	case FRAME_WATCH:
		take_watch(connection);
		return 0;
	case FRAME_KILL:
		return settle(connection, take_kill(connection, frame, err), err);
	case FRAME_REOPEN_LOG:
		return settle(connection, log_reopen(&shim->container.log, err), err);
	case FRAME_RESIZE:
		return settle(connection, take_resize(connection, frame, err), err);
	case FRAME_EXEC:
		return settle_session(connection, take_exec(connection, frame, err), err);
	case FRAME_ATTACH:
		return settle_session(connection, take_attach(connection, frame, err), err);
	default:
		return settle(connection, error_set(err, ENOSYS, "unknown request of type %u", frame->type), err);
	}
}

static int take_input(struct connection *connection, const struct frame *frame, struct error *err)
{
	struct field field;
	int found = field_find(frame, TAG_DATA, &field, err);

	if (found < 0)
		return -1;
	if (found == 0 || field.size > INPUT_MAX)
		return error_set(err, EMSGSIZE, "INPUT needs 0 to %d bytes of data", INPUT_MAX);
	connection->input_id = frame->id;
	if (connection->role == ROLE_ATTACH && !connection->takes_input)
		field.size = 0;
	connection->input = (struct input){ .data = malloc(field.size + 1), .size = field.size };
	if (!connection->input.data)
		return error_errno(err, ENOMEM, "input");
	if (field.size > 0)
		memcpy(connection->input.data, field.data, field.size);
	connection->has_input = 1;
	connection_continue_input(connection);
	return 0;
}

static void take_input_end(struct connection *connection)
{
	if (connection->role == ROLE_EXEC)
		exec_end_input(connection->exec);
	if (connection->role == ROLE_ATTACH && connection->takes_input) {
		connection->takes_input = 0;
		container_input_client_left(connection->shim);
	}
}

/* A signal or a size that comes too late, or is wrong, has no effect: nobody waits for an answer. */
static int take_later(struct connection *connection, const struct frame *frame, struct error *err)
{
	struct error ignored;
	int64_t rows, columns;
	int signal;

	switch (frame->type) {
	case FRAME_INPUT:
		return take_input(connection, frame, err);
	case FRAME_INPUT_END:
		take_input_end(connection);
		return 0;
	case FRAME_RESIZE:
		if (read_size(frame, &rows, &columns, &ignored) < 0)
			return 0;
		if (connection->role == ROLE_EXEC)
			exec_resize(connection->exec, rows, columns);
		else
			container_resize(connection->shim, rows, columns, &ignored);
		return 0;
	case FRAME_KILL:
		if (connection->role == ROLE_EXEC && read_signal(frame, &signal, &ignored) == 0)
			exec_kill(connection->exec, signal, &ignored);
		return 0;
	default:
		error_set(err, ENOSYS, "unknown frame of type %u", frame->type);
		connection_fail(connection, frame->id, err);
		return 0;
	}
}

int requests_take(struct connection *connection, const struct frame *frame, struct error *err)
{
	size_t offset = 0;
	struct field field;
	int more;

	while ((more = field_next(frame, &offset, &field, err)) > 0)
		;
	if (more < 0)
		return -1;
	switch (connection->role) {
	case ROLE_NEW:
		return take_first(connection, frame, err);
	case ROLE_EXEC:
	case ROLE_ATTACH:
		return take_later(connection, frame, err);
	default: /* a watcher has nothing to say, a client that was answered has said it */
		return 0;
	}
}
