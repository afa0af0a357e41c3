#include "container.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "connection.h"
#include "exit-file.h"
#include "runtime.h"
#include "shim.h"

static struct shim *shim_of_timer(struct timer *timer)
{
	return owner_of(timer, struct shim, container.timer);
}

/* Whoever is still connected had time; an exit file that cannot be written has its own. */
static void linger_over(struct timer *timer)
{
	struct shim *shim = shim_of_timer(timer);

	if (shim->container.exit_file_timer.is_set)
		timer_start(&shim->loop, timer, LINGER_MS);
	else
		shim->loop.is_stopped = 1;
}

/* The runtime let go of the container: nothing is left to do but to answer who still asks. */
static void deleted(struct shim *shim)
{
	shim->container.is_deleted = 1;
	shim->container.timer.fire = linger_over;
	timer_start(&shim->loop, &shim->container.timer, LINGER_MS);
	shim_exit_if_done(shim);
}

static void delete_ended(struct child *child, int status)
{
	struct shim *shim = owner_of(child, struct shim, container.runtime);

	if (status != 0)
		shim_complain(shim, "the runtime could not delete it, see runtime.log in its bundle");
	deleted(shim);
}

/* It hangs: its end comes back through delete_ended. */
static void delete_takes_too_long(struct timer *timer)
{
	struct shim *shim = shim_of_timer(timer);

	shim_complain(shim, "killing the runtime, its delete takes too long");
	kill(-shim->container.runtime.pid, SIGKILL);
}

static void delete(struct shim *shim)
{
	struct container *container = &shim->container;
	struct error err;
	pid_t pid = runtime_delete(&shim->options, &err);

	if (pid < 0) {
		shim_complain(shim, err.text);
		deleted(shim);
		return;
	}
	container->runtime.ended = delete_ended;
	children_add(&shim->children, &container->runtime, pid);
	container->timer.fire = delete_takes_too_long;
	timer_start(&shim->loop, &container->timer, DELETE_TIMEOUT_MS);
}

static int write_exit_file(struct shim *shim, struct error *err)
{
	const struct container *container = &shim->container;
	struct exit_record record = {
		.failure = container->state == CONTAINER_FAILED ? container->message : NULL,
		.exit_code = exit_code_of(container->status),
		.signal = signal_of(container->status),
		.is_oom = container->is_oom,
		.finished_ns = container->finished_ns,
	};

	return exit_file_write(shim->options.exit_file, &record, err);
}

static void retry_exit_file(struct timer *timer)
{
	struct shim *shim = owner_of(timer, struct shim, container.exit_file_timer);
	struct error err;

	if (write_exit_file(shim, &err) < 0 && err.code != ENOENT &&
	    ++shim->container.exit_file_retries < EXIT_FILE_RETRIES)
		timer_start(&shim->loop, timer, EXIT_FILE_RETRY_MS);
	else
		shim_exit_if_done(shim);
}

/* EXITED or FAILED: leave the exit file, tell everybody, then let the runtime clean up, which is slow. */
static void finish(struct shim *shim, enum container_state state)
{
	struct container *container = &shim->container;
	struct error err;

	container->state = state;
	container->exit_file_timer.fire = retry_exit_file;
	if (write_exit_file(shim, &err) < 0) {
		shim_complain(shim, err.text);
		timer_start(&shim->loop, &container->exit_file_timer, EXIT_FILE_RETRY_MS);
	}
	connections_tell_state(shim);
	delete(shim);
}

static void fail(struct shim *shim, const char *message)
{
	struct container *container = &shim->container;

	strncpy(container->message, message, sizeof(container->message) - 1);
	sink_close(&container->input);
	for (int i = 0; i < 2; i++)
		stream_finish(&container->streams[i]);
	io_close(&container->io);
	log_end(&container->log);
	finish(shim, CONTAINER_FAILED);
}

static void output(struct stream *stream, const uint8_t *data, size_t size)
{
	struct shim *shim = owner_of(stream, struct shim, container.streams[stream->number - 1]);

	log_write(&shim->container.log, stream->number, data, size);
	connections_output(shim, stream->number, data, size);
}

/* The output is at its end: now the container's is too. */
static void drained(struct shim *shim)
{
	struct container *container = &shim->container;

	timer_stop(&shim->loop, &container->timer);
	for (int i = 0; i < 2; i++)
		stream_finish(&container->streams[i]);
	log_end(&container->log);
	container->is_oom = oom_has_killed(&container->oom, exit_code_of(container->status));
	finish(shim, CONTAINER_EXITED);
}

static void drain_over(struct timer *timer)
{
	drained(shim_of_timer(timer));
}

static void output_ended(struct stream *stream)
{
	struct shim *shim = owner_of(stream, struct shim, container.streams[stream->number - 1]);
	const struct container *container = &shim->container;

	if (container->has_ended && !stream_is_open(&container->streams[0]) &&
	    !stream_is_open(&container->streams[1]))
		drained(shim);
}

static void init_ended(struct child *child, int status)
{
	struct shim *shim = owner_of(child, struct shim, container.init);
	struct container *container = &shim->container;

	container->has_ended = 1;
	container->status = status;
	container->finished_ns = now_ns();
	oom_look(&container->oom); /* the cgroup may be gone when the output is drained */
	sink_close(&container->input);
	io_close_peer(&container->io);
	if (!stream_is_open(&container->streams[0]) && !stream_is_open(&container->streams[1])) {
		drained(shim);
		return;
	}
	container_pause_output(shim, 0);
	container->timer.fire = drain_over;
	timer_start(&shim->loop, &container->timer, DRAIN_MS);
}

static void input_writable(struct sink *sink)
{
	connections_input_writable(owner_of(sink, struct shim, container.input));
}

/* Hands the shim's ends over to the loop; io keeps none of them. */
static int open_streams(struct shim *shim, struct error *err)
{
	struct container *container = &shim->container;
	int *near = container->io.near;
	int input = near[0], failed = 0;

	near[0] = -1;
	container->input.writable = input_writable;
	failed |= sink_open(&container->input, &shim->loop, input, err);
	for (int i = 0; i < 2; i++) {
		int fd = near[i + 1];

		near[i + 1] = -1;
		container->streams[i].data = output;
		container->streams[i].ended = output_ended;
		if (fd >= 0)
			failed |= stream_open(&container->streams[i], &shim->loop, i + 1, fd, err);
	}
	return failed;
}

static pid_t take_over(struct shim *shim, struct error *err)
{
	struct io *io = &shim->container.io;

	if (shim->options.has_tty && io_take_terminal(io, err) < 0)
		return -1;
	if (open_streams(shim, err) < 0)
		return -1;
	return runtime_read_pid(shim->options.pid_file, err);
}

static void runtime_ended(struct child *child, int status)
{
	struct shim *shim = owner_of(child, struct shim, container.runtime);
	struct container *container = &shim->container;
	struct error err;
	pid_t pid;

	shim->children.starting--;
	if (status != 0) {
		char message[MESSAGE_SIZE], log_path[FILE_PATH_SIZE];

		runtime_log_path(&shim->options, log_path, sizeof(log_path));
		runtime_message(log_path, &container->io, status, message);
		fail(shim, message);
		return;
	}
	pid = take_over(shim, &err);
	if (pid < 0) {
		fail(shim, err.text);
		return;
	}
	container->init.ended = init_ended;
	children_add(&shim->children, &container->init, pid);
	container->state = CONTAINER_RUNNING;
	connections_tell_state(shim);
}

static int call_runtime(struct shim *shim, struct error *err)
{
	const struct options *options = &shim->options;
	struct container *container = &shim->container;
	struct io *io = &container->io;
	int opened;
	pid_t pid;

	if (log_open(&container->log, options->log_path, err) < 0)
		return -1;
	opened = options->has_tty ? io_open_console(io, options->bundle, 0, err)
				  : io_open_pipes(io, options->has_stdin, &options->owner, err);
	if (opened < 0)
		return -1;
	pid = runtime_run(options, io, err);
	io_close_far(io);
	if (pid < 0)
		return -1;
	container->runtime.ended = runtime_ended;
	shim->children.starting++;
	children_add(&shim->children, &container->runtime, pid);
	return 0;
}

void container_start(struct shim *shim)
{
	struct container *container = &shim->container;
	struct error err;

	oom_begin(&container->oom, shim->options.oom_file);
	io_init(&container->io);
	container->log.fd = -1;
	container->input.source.fd = -1;
	container->streams[0].source.fd = container->streams[1].source.fd = -1;
	if (call_runtime(shim, &err) < 0)
		fail(shim, err.text);
}

int container_kill(struct shim *shim, int signal, int group, struct error *err)
{
	const struct container *container = &shim->container;
	pid_t target = container->init.pid;

	if (container->state == CONTAINER_CREATING && signal == SIGKILL)
		target = -container->runtime.pid;
	else if (container->state == CONTAINER_CREATING)
		return error_set(err, EAGAIN, "container %s is still being created", shim->options.id);
	else if (container->state != CONTAINER_RUNNING || container->has_ended)
		return error_set(err, ESRCH, "container %s is not running", shim->options.id);
	else if (group)
		target = -target;
	if (kill(target, signal) < 0)
		return error_errno(err, errno, "cannot signal container %s", shim->options.id);
	return 0;
}

int container_resize(struct shim *shim, int64_t rows, int64_t columns, struct error *err)
{
	const struct stream *terminal = &shim->container.streams[0];
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };

	if (!shim->options.has_tty)
		return error_set(err, ENOTTY, "container %s has no terminal", shim->options.id);
	if (!stream_is_open(terminal))
		return error_set(err, ESRCH, "container %s is not running", shim->options.id);
	if (ioctl(terminal->source.fd, TIOCSWINSZ, &size) < 0)
		return error_errno(err, errno, "cannot resize the terminal of container %s", shim->options.id);
	return 0;
}

void container_pause_output(struct shim *shim, int is_paused)
{
	struct container *container = &shim->container;

	for (int i = 0; i < 2; i++)
		if (stream_is_open(&container->streams[i]))
			stream_pause(&container->streams[i], is_paused && !container->has_ended);
}

void container_input_client_left(struct shim *shim)
{
	if (!shim->options.is_stdin_once || shim->options.has_tty)
		return;
	sink_close(&shim->container.input);
	connections_input_writable(shim); /* what others still wanted to send is dropped */
}
