#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "requests.h"
#include "shim.h"

static size_t queued(const struct connection *connection)
{
	return connection->queue.used - connection->sent;
}

/* EPOLLRDHUP and EPOLLHUP come whether frames are taken or not: the end of a client is always noticed. */
static void update_events(struct connection *connection)
{
	uint32_t events = EPOLLRDHUP;

	if (requests_may_be_taken(connection))
		events |= EPOLLIN;
	if (queued(connection) > 0)
		events |= EPOLLOUT;
	source_watch(&connection->shim->loop, &connection->source, events);
}

/* The client will be closed when epoll reports that its socket is dead. */
static void cut_off(struct connection *connection)
{
	connection->is_broken = 1;
	frame_writer_free(&connection->queue);
	connection->sent = 0;
	shutdown(connection->source.fd, SHUT_RDWR);
}

static void idle_too_long(struct timer *timer)
{
	connection_close(owner_of(timer, struct connection, timer));
}

static void start_timer(struct connection *connection, int64_t ms)
{
	connection->timer.fire = idle_too_long;
	timer_start(&connection->shim->loop, &connection->timer, ms);
}

int connection_is_full(const struct connection *connection)
{
	return queued(connection) >= CLIENT_QUEUE_BYTES;
}

/* Attached clients share the container's output: while one is full it is held back, but not for long. */
static void update_container(struct shim *shim)
{
	int is_paused = 0;

	for (struct connection *at = shim->connections; at; at = at->next) {
		if (at->role != ROLE_ATTACH)
			continue;
		if (!connection_is_full(at))
			timer_stop(&shim->loop, &at->timer);
		else if (!at->timer.is_set)
			start_timer(at, ATTACH_STALL_MS);
		is_paused |= connection_is_full(at);
	}
	container_pause_output(shim, is_paused);
}

static void update_output(struct connection *connection)
{
	if (connection->role == ROLE_ATTACH)
		update_container(connection->shim);
	else if (connection->role == ROLE_EXEC && connection->exec)
		exec_pause_output(connection->exec, connection_is_full(connection));
}

/* Sends what the client takes now. */
static void flush(struct connection *connection)
{
	while (queued(connection) > 0) {
		ssize_t put = send(connection->source.fd, connection->queue.data + connection->sent,
				   queued(connection), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno != EAGAIN)
			cut_off(connection);
		if (put < 0)
			break;
		connection->sent += (size_t)put;
	}
	if (queued(connection) == 0) {
		frame_writer_free(&connection->queue);
		connection->sent = 0;
		if (connection->role == ROLE_DONE)
			shutdown(connection->source.fd, SHUT_WR);
		if (connection->role == ROLE_WATCH && connection->shim->container.state >= CONTAINER_EXITED) {
			connection->shim->is_end_told = 1;
			shim_exit_if_done(connection->shim);
		}
	}
	update_events(connection);
}

void connection_send(struct connection *connection)
{
	struct error err;

	if (connection->is_broken) {
		frame_writer_free(&connection->queue);
		return;
	}
	if (frame_end(&connection->queue, &err) < 0) {
		shim_complain(connection->shim, err.text);
		cut_off(connection);
		return;
	}
	flush(connection);
}

/* What was sent is dropped before more is queued, so that a slow client's queue does not grow for ever. */
static void begin(struct connection *connection, uint32_t id, uint16_t type)
{
	struct frame_writer *queue = &connection->queue;

	if (connection->sent > 0) {
		memmove(queue->data, queue->data + connection->sent, queued(connection));
		queue->used -= connection->sent;
		connection->sent = 0;
	}
	frame_begin(queue, id, type);
}

void connection_answer(struct connection *connection, uint32_t id, uint16_t type)
{
	begin(connection, id, type);
	connection_send(connection);
}

void connection_fail(struct connection *connection, uint32_t id, const struct error *failure)
{
	begin(connection, id, FRAME_ERROR);
	frame_put_text(&connection->queue, TAG_MESSAGE, failure->text);
	if (failure->code)
		frame_put_integer(&connection->queue, TAG_ERRNO, failure->code);
	connection_send(connection);
}

void connection_started(struct connection *connection, pid_t pid)
{
	begin(connection, connection->request_id, FRAME_STARTED);
	frame_put_integer(&connection->queue, TAG_PID, pid);
	connection_send(connection);
}

void connection_output(struct connection *connection, int stream, const uint8_t *data, size_t size)
{
	if (connection->is_broken || queued(connection) > CLIENT_QUEUE_MAX)
		return;
	begin(connection, connection->request_id, FRAME_OUTPUT);
	frame_put_integer(&connection->queue, TAG_STREAM, stream);
	frame_put(&connection->queue, TAG_DATA, data, size);
	connection_send(connection);
	update_output(connection);
}

void connection_exited(struct connection *connection, int status, int64_t finished_ns)
{
	begin(connection, connection->request_id, FRAME_EXITED);
	frame_put_integer(&connection->queue, TAG_EXIT_CODE, exit_code_of(status));
	frame_put_integer(&connection->queue, TAG_SIGNAL, signal_of(status));
	frame_put_integer(&connection->queue, TAG_TIME_NS, finished_ns);
	connection_send(connection);
}

void connection_state(struct connection *connection)
{
	const struct shim *shim = connection->shim;
	const struct container *container = &shim->container;
	struct frame_writer *queue = &connection->queue;

	begin(connection, connection->request_id, FRAME_STATE);
	frame_put_integer(queue, TAG_STATE, container->state);
	if (container->state == CONTAINER_RUNNING)
		frame_put_integer(queue, TAG_PID, container->init.pid);
	if (container->state == CONTAINER_FAILED)
		frame_put_text(queue, TAG_MESSAGE, container->message);
	if (container->state == CONTAINER_EXITED) {
		frame_put_integer(queue, TAG_EXIT_CODE, exit_code_of(container->status));
		frame_put_integer(queue, TAG_SIGNAL, signal_of(container->status));
		frame_put_integer(queue, TAG_OOM, container->is_oom);
		frame_put_integer(queue, TAG_TIME_NS, container->finished_ns);
	}
	connection_send(connection);
}

void connection_finish(struct connection *connection)
{
	connection->role = ROLE_DONE;
	connection->exec = NULL;
	connection->has_input = 0;
	connection->takes_input = 0;
	free(connection->input.data);
	connection->input.data = NULL;
	start_timer(connection, CLIENT_IDLE_MS);
	flush(connection);
}

void connection_continue_input(struct connection *connection)
{
	struct sink *sink = connection->exec ? &connection->exec->input : &connection->shim->container.input;

	if (!sink_write(sink, &connection->input)) {
		update_events(connection);
		return;
	}
	connection->has_input = 0;
	connection_answer(connection, connection->input_id, FRAME_OK);
}

void connection_take_frames(struct connection *connection)
{
	struct frame frame;
	struct error err;
	int more = 0;

	do {
		if (connection->is_broken || !requests_may_be_taken(connection))
			break;
		more = frame_reader_next(&connection->reader, &frame, &err);
		if (more > 0 && requests_take(connection, &frame, &err) < 0)
			more = -1;
	} while (more > 0);
	if (more < 0) {
		shim_complain(connection->shim, err.text);
		cut_off(connection);
	}
	if (connection->reader.start == connection->reader.used)
		frame_reader_free(&connection->reader);
	update_events(connection);
}

/* Answers whether the client is still there. */
static int receive(struct connection *connection)
{
	struct error err;
	int got = frame_reader_fill(&connection->reader, connection->source.fd, &err);

	if (got == FRAME_FILL_END || got < 0)
		return 0;
	connection_take_frames(connection);
	return 1;
}

static void ready(struct source *source, uint32_t events)
{
	struct connection *connection = owner_of(source, struct connection, source);

	if (events & EPOLLIN) {
		if (!receive(connection))
			connection_close(connection);
		return;
	}
	if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR)) {
		connection_close(connection);
		return;
	}
	flush(connection);
	update_output(connection);
}

void connection_close(struct connection *connection)
{
	struct shim *shim = connection->shim;
	enum role role = connection->role;

	for (struct connection **at = &shim->connections; *at; at = &(*at)->next) {
		if (*at == connection) {
			*at = connection->next;
			break;
		}
	}
	timer_stop(&shim->loop, &connection->timer);
	source_close(&shim->loop, &connection->source);
	if (connection->exec)
		exec_client_left(connection->exec);
	if (connection->takes_input)
		container_input_client_left(shim);
	free(connection->input.data);
	frame_reader_free(&connection->reader);
	frame_writer_free(&connection->queue);
	free(connection);
	if (role == ROLE_ATTACH)
		update_container(shim);
	shim_exit_if_done(shim);
}

static void refuse(struct connection *connection)
{
	struct error failure;

	error_set(&failure, EAGAIN, "too many connections to the shim of container %s", connection->shim->options.id);
	connection_fail(connection, 0, &failure);
	connection_finish(connection);
}

void connection_accept(struct source *source, uint32_t events)
{
	struct shim *shim = owner_of(source, struct shim, listener);
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *connection;
	struct error err;

	(void)events;
	if (fd < 0)
		return;
	if (connection_count(shim, ROLE_ANY) >= CONNECTIONS_MAX + REFUSED_MAX) {
		close(fd);
		return;
	}
	connection = calloc(1, sizeof(*connection));
	if (!connection) {
		close(fd);
		return;
	}
	connection->shim = shim;
	connection->source.ready = ready;
	if (source_open(&shim->loop, &connection->source, fd, EPOLLIN | EPOLLRDHUP, &err) < 0) {
		shim_complain(shim, err.text);
		free(connection);
		return;
	}
	connection->next = shim->connections;
	shim->connections = connection;
	start_timer(connection, CLIENT_IDLE_MS);
	if (connection_count(shim, ROLE_ANY) > CONNECTIONS_MAX)
		refuse(connection);
}

int connection_count(const struct shim *shim, enum role role)
{
	int count = 0;

	for (const struct connection *at = shim->connections; at; at = at->next)
		count += role == ROLE_ANY || at->role == role;
	return count;
}
