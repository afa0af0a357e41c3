/* What concerns several clients at once: the container's state, its output, its input. */
#include "connection.h"
#include "shim.h"

static void tell_attached(struct connection *connection)
{
	const struct container *container = &connection->shim->container;
	struct error failure;

	switch (container->state) {
	case CONTAINER_CREATING:
		break;
	case CONTAINER_RUNNING:
		connection_take_frames(connection);
		break;
	case CONTAINER_EXITED:
		connection_exited(connection, container->status, container->finished_ns);
		connection_finish(connection);
		break;
	case CONTAINER_FAILED:
		error_set(&failure, 0, "%s", container->message);
		connection_fail(connection, connection->request_id, &failure);
		connection_finish(connection);
		break;
	}
}

void connections_tell_state(struct shim *shim)
{
	for (struct connection *at = shim->connections; at; at = at->next) {
		if (at->role == ROLE_WATCH)
			connection_state(at);
		else if (at->role == ROLE_ATTACH)
			tell_attached(at);
	}
}

int connections_are_done(const struct shim *shim)
{
	for (const struct connection *at = shim->connections; at; at = at->next)
		if (at->role != ROLE_WATCH || at->queue.used > at->sent)
			return 0;
	return shim->is_end_told;
}

void connections_output(struct shim *shim, int stream, const uint8_t *data, size_t size)
{
	for (struct connection *at = shim->connections; at; at = at->next)
		if (at->role == ROLE_ATTACH)
			connection_output(at, stream, data, size);
}

void connections_input_writable(struct shim *shim)
{
	for (struct connection *at = shim->connections; at; at = at->next) {
		if (at->role != ROLE_ATTACH || !at->has_input)
			continue;
		connection_continue_input(at);
		if (!at->has_input)
			connection_take_frames(at);
	}
}
