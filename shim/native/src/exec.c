#include "exec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "connection.h"
#include "runtime.h"
#include "session.h"
#include "shim.h"

/* Files of one exec in the bundle: what the runtime tells about it. */
static void file_path(const struct exec *exec, const char *suffix, char path[FILE_PATH_SIZE])
{
	snprintf(path, FILE_PATH_SIZE, "%s/exec-%u.%s", exec->shim->options.bundle, exec->number, suffix);
}

static void remove_files(const struct exec *exec)
{
	char path[FILE_PATH_SIZE];

	file_path(exec, "pid", path);
	unlink(path);
	file_path(exec, "log", path);
	unlink(path);
}

static void forget(struct exec *exec)
{
	for (struct exec **at = &exec->shim->execs; *at; at = &(*at)->next) {
		if (*at == exec) {
			*at = exec->next;
			break;
		}
	}
	timer_stop(&exec->shim->loop, &exec->timer);
	sink_close(&exec->input);
	for (int i = 0; i < 2; i++)
		source_close(&exec->shim->loop, &exec->streams[i].source);
	io_close(&exec->io);
	free(exec);
}

static void fail(struct exec *exec, int code, const char *message)
{
	struct connection *connection = exec->connection;
	struct error failure;

	error_set(&failure, code, "%s", message);
	if (connection) {
		connection_fail(connection, connection->request_id, &failure);
		connection_finish(connection);
	}
	forget(exec);
}

/* The process and its output are at their end. */
static void drained(struct exec *exec)
{
	for (int i = 0; i < 2; i++)
		stream_finish(&exec->streams[i]);
	if (exec->connection) {
		connection_exited(exec->connection, exec->status, exec->finished_ns);
		connection_finish(exec->connection);
	}
	forget(exec);
}

static void drain_over(struct timer *timer)
{
	drained(owner_of(timer, struct exec, timer));
}

static int has_output(const struct exec *exec)
{
	return stream_is_open(&exec->streams[0]) || stream_is_open(&exec->streams[1]);
}

static void output(struct stream *stream, const uint8_t *data, size_t size)
{
	struct exec *exec = owner_of(stream, struct exec, streams[stream->number - 1]);

	if (exec->connection)
		connection_output(exec->connection, stream->number, data, size);
}

static void output_ended(struct stream *stream)
{
	struct exec *exec = owner_of(stream, struct exec, streams[stream->number - 1]);

	if (exec->has_ended && !has_output(exec))
		drained(exec);
}

static void process_ended(struct child *child, int status)
{
	struct exec *exec = owner_of(child, struct exec, process);

	exec->has_ended = 1;
	exec->is_running = 0;
	exec->status = status;
	exec->finished_ns = now_ns();
	sink_close(&exec->input);
	io_close_peer(&exec->io);
	if (!has_output(exec)) {
		drained(exec);
		return;
	}
	exec_pause_output(exec, 0);
	exec->timer.fire = drain_over;
	timer_start(&exec->shim->loop, &exec->timer, DRAIN_MS);
}

static void input_writable(struct sink *sink)
{
	struct connection *connection = owner_of(sink, struct exec, input)->connection;

	if (!connection || !connection->has_input)
		return;
	connection_continue_input(connection);
	if (!connection->has_input)
		connection_take_frames(connection);
}

static int open_streams(struct exec *exec, struct error *err)
{
	struct loop *loop = &exec->shim->loop;
	int *near = exec->io.near;
	int input = near[0], failed = 0;

	near[0] = -1;
	failed |= sink_open(&exec->input, loop, input, err);
	for (int i = 0; i < 2; i++) {
		int fd = near[i + 1];

		near[i + 1] = -1;
		exec->streams[i].data = output;
		exec->streams[i].ended = output_ended;
		if (fd >= 0)
			failed |= stream_open(&exec->streams[i], loop, i + 1, fd, err);
	}
	return failed;
}

static pid_t take_over(struct exec *exec, struct error *err)
{
	char path[FILE_PATH_SIZE];
	pid_t pid;

	if ((exec->flags & EXEC_TTY) && io_take_terminal(&exec->io, err) < 0)
		return -1;
	file_path(exec, "pid", path);
	pid = runtime_read_pid(path, err);
	if (pid > 0 && open_streams(exec, err) < 0) {
		kill(pid, SIGKILL);
		return -1;
	}
	return pid;
}

/* A runtime that was killed may have begun the process, which then nobody wants. */
static void kill_begun(const struct exec *exec)
{
	char path[FILE_PATH_SIZE];
	struct error ignored;
	pid_t pid;

	file_path(exec, "pid", path);
	pid = runtime_read_pid(path, &ignored);
	if (pid > 0)
		session_kill(pid);
}

/* It hangs: its end comes back through runtime_ended. */
static void start_takes_too_long(struct timer *timer)
{
	struct exec *exec = owner_of(timer, struct exec, timer);

	exec->is_late = 1;
	kill(-exec->runtime.pid, SIGKILL);
}

/* Answers the pid of the process; -1 and why there is none. */
static pid_t outcome(struct exec *exec, int status, char message[MESSAGE_SIZE])
{
	char log_path[FILE_PATH_SIZE];
	struct error err;
	pid_t pid;

	if (status != 0 && exec->is_late) {
		kill_begun(exec);
		snprintf(message, MESSAGE_SIZE, "the runtime takes too long to start the process and was killed");
		return -1;
	}
	if (status != 0) {
		file_path(exec, "log", log_path);
		runtime_message(log_path, &exec->io, status, message);
		return -1;
	}
	pid = take_over(exec, &err);
	if (pid < 0)
		snprintf(message, MESSAGE_SIZE, "%s", err.text);
	return pid;
}

static void runtime_ended(struct child *child, int status)
{
	struct exec *exec = owner_of(child, struct exec, runtime);
	char message[MESSAGE_SIZE];
	pid_t pid;

	exec->shim->children.starting--;
	timer_stop(&exec->shim->loop, &exec->timer);
	pid = outcome(exec, status, message);
	remove_files(exec);
	if (pid < 0) {
		fail(exec, exec->is_late ? ETIMEDOUT : 0, message);
		return;
	}
	exec->process.ended = process_ended;
	children_add(&exec->shim->children, &exec->process, pid);
	exec->is_running = 1;
	if (exec->connection) {
		connection_started(exec->connection, pid);
		connection_take_frames(exec->connection);
	} else if (exec->flags & EXEC_KILL_ON_CLOSE) {
		session_kill(pid);
	}
}

static int call_runtime(struct exec *exec, const struct exec_request *request, struct error *err)
{
	struct shim *shim = exec->shim;
	struct io *io = &exec->io;
	char pid_path[FILE_PATH_SIZE], log_path[FILE_PATH_SIZE];
	const struct exec_files files = { .process = request->process_path, .pid = pid_path, .log = log_path };
	int opened;
	pid_t pid;

	file_path(exec, "pid", pid_path);
	file_path(exec, "log", log_path);
	opened = exec->flags & EXEC_TTY ? io_open_console(io, shim->options.bundle, exec->number, err)
					: io_open_pipes(io, exec->flags & EXEC_STDIN, &shim->options.owner, err);
	if (opened < 0)
		return -1;
	pid = runtime_exec(&shim->options, &files, io, err);
	io_close_far(io);
	if (pid < 0)
		return -1;
	exec->runtime.ended = runtime_ended;
	shim->children.starting++;
	children_add(&shim->children, &exec->runtime, pid);
	exec->timer.fire = start_takes_too_long;
	timer_start(&shim->loop, &exec->timer, request->start_ms);
	return 0;
}

static int count(const struct shim *shim)
{
	int execs = 0;

	for (const struct exec *at = shim->execs; at; at = at->next)
		execs++;
	return execs;
}

int exec_start(struct connection *connection, const struct exec_request *request, struct error *err)
{
	struct shim *shim = connection->shim;
	struct exec *exec;

	if (shim->container.state != CONTAINER_RUNNING || shim->container.has_ended)
		return error_set(err, ESRCH, "container %s is not running", shim->options.id);
	if (count(shim) >= EXECS_MAX)
		return error_set(err, EAGAIN, "%d execs run in container %s", EXECS_MAX, shim->options.id);
	exec = calloc(1, sizeof(*exec));
	if (!exec)
		return error_errno(err, ENOMEM, "exec");
	exec->shim = shim;
	exec->flags = request->flags;
	exec->number = ++shim->started_execs;
	exec->input.source.fd = exec->streams[0].source.fd = exec->streams[1].source.fd = -1;
	exec->input.writable = input_writable;
	io_init(&exec->io);
	exec->next = shim->execs;
	shim->execs = exec;
	if (call_runtime(exec, request, err) < 0) {
		forget(exec);
		return -1;
	}
	exec->connection = connection;
	connection->exec = exec;
	return 0;
}

int exec_kill(struct exec *exec, int signal, struct error *err)
{
	if (!exec->is_running)
		return error_set(err, ESRCH, "the process has ended");
	if (signal == SIGKILL)
		session_kill(exec->process.pid);
	else if (kill(-exec->process.pid, signal) < 0 && kill(exec->process.pid, signal) < 0)
		return error_errno(err, errno, "cannot signal process %d", (int)exec->process.pid);
	return 0;
}

void exec_resize(struct exec *exec, int64_t rows, int64_t columns)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };

	if ((exec->flags & EXEC_TTY) && stream_is_open(&exec->streams[0]))
		ioctl(exec->streams[0].source.fd, TIOCSWINSZ, &size);
}

void exec_pause_output(struct exec *exec, int is_paused)
{
	for (int i = 0; i < 2; i++)
		if (stream_is_open(&exec->streams[i]))
			stream_pause(&exec->streams[i], is_paused && !exec->has_ended);
}

void exec_end_input(struct exec *exec)
{
	if (!(exec->flags & EXEC_TTY))
		sink_close(&exec->input);
}

void exec_client_left(struct exec *exec)
{
	exec->connection = NULL;
	exec_pause_output(exec, 0);
	exec_end_input(exec);
	if (exec->is_running && (exec->flags & EXEC_KILL_ON_CLOSE))
		session_kill(exec->process.pid);
}
