#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "files.h"
#include "pages.h"

extern char **environ;

enum { ARGUMENTS_MAX = 32, LOG_TAIL_SIZE = 32 * 1024 };

struct arguments {
	const char *list[ARGUMENTS_MAX + 1];
	int count;
};

static void add(struct arguments *arguments, const char *argument)
{
	if (arguments->count < ARGUMENTS_MAX)
		arguments->list[arguments->count++] = argument;
}

static void add_option(struct arguments *arguments, const char *name, const char *value)
{
	add(arguments, name);
	add(arguments, value);
}

static void add_global(struct arguments *arguments, const struct options *options, const char *log_path)
{
	add(arguments, options->runtime);
	add_option(arguments, "--root", options->runtime_root);
	add_option(arguments, "--log", log_path);
	add_option(arguments, "--log-format", "json");
	if (options->has_systemd_cgroup)
		add(arguments, "--systemd-cgroup");
}

static int prepare(posix_spawnattr_t *attributes, posix_spawn_file_actions_t *actions, const struct io *io)
{
	sigset_t all, none;
	int failed = 0;

	sigfillset(&all);
	sigemptyset(&none);
	failed |= posix_spawnattr_setsigdefault(attributes, &all);
	failed |= posix_spawnattr_setsigmask(attributes, &none);
	failed |= posix_spawnattr_setpgroup(attributes, 0);
	failed |= posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
							       POSIX_SPAWN_SETPGROUP);
	for (int i = 0; i < 3; i++)
		failed |= posix_spawn_file_actions_adddup2(actions, io->far[i], i);
	return failed;
}

/* Starts a program in a process group of its own, with the default signal dispositions. */
static pid_t spawn(const struct arguments *arguments, const struct io *io, struct error *err)
{
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int failed;

	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_init(&actions);
	failed = prepare(&attributes, &actions, io);
	if (!failed)
		failed = posix_spawn(&pid, arguments->list[0], &actions, &attributes,
				     (char *const *)(void *)arguments->list, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return failed ? error_errno(err, failed, "cannot execute %s", arguments->list[0]) : pid;
}

void runtime_log_path(const struct options *options, char *path, size_t size)
{
	snprintf(path, size, "%s/runtime.log", options->bundle);
}

/* What the checkpoint was taken with is what it can be restored with. CRIU logs into the bundle. */
static void add_restore(struct arguments *arguments, const struct options *options)
{
	add(arguments, "restore");
	add_option(arguments, "--image-path", options->restore);
	add_option(arguments, "--work-path", options->bundle);
	add(arguments, "--tcp-established");
	add(arguments, "--file-locks");
	add(arguments, "--ext-unix-sk");
}

pid_t runtime_run(const struct options *options, const struct io *io, struct error *err)
{
	struct arguments arguments = { 0 };
	char log_path[FILE_PATH_SIZE], console[sizeof(io->console_name) + 64];

	runtime_log_path(options, log_path, sizeof(log_path));
	add_global(&arguments, options, log_path);
	if (options->restore)
		add_restore(&arguments, options);
	else
		add(&arguments, "run");
	add(&arguments, "--detach");
	add_option(&arguments, "--bundle", options->bundle);
	add_option(&arguments, "--pid-file", options->pid_file);
	if (io->console_listener >= 0) {
		io_console_path(io, console, sizeof(console));
		add_option(&arguments, "--console-socket", console);
	}
	add(&arguments, options->id);
	return spawn(&arguments, io, err);
}

pid_t runtime_exec(const struct options *options, const struct exec_files *files, const struct io *io,
		   struct error *err)
{
	struct arguments arguments = { 0 };
	char console[sizeof(io->console_name) + 64];

	add_global(&arguments, options, files->log);
	add(&arguments, "exec");
	add(&arguments, "--detach");
	add_option(&arguments, "--process", files->process);
	add_option(&arguments, "--pid-file", files->pid);
	if (io->console_listener >= 0) {
		io_console_path(io, console, sizeof(console));
		add_option(&arguments, "--console-socket", console);
	}
	add(&arguments, options->id);
	return spawn(&arguments, io, err);
}

pid_t runtime_delete(const struct options *options, struct error *err)
{
	struct arguments arguments = { 0 };
	char log_path[FILE_PATH_SIZE];
	int null FD_CLEANUP = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct io io;

	if (null < 0)
		return error_errno(err, errno, "cannot open /dev/null");
	io_init(&io);
	io.far[0] = io.far[1] = io.far[2] = null;
	runtime_log_path(options, log_path, sizeof(log_path));
	add_global(&arguments, options, log_path);
	add(&arguments, "delete");
	add(&arguments, "--force");
	add(&arguments, options->id);
	return spawn(&arguments, &io, err);
}

void runtime_message(const char *log_path, const struct io *io, int status, char message[MESSAGE_SIZE])
{
	struct pages text PAGES_CLEANUP = pages_get(LOG_TAIL_SIZE);
	struct error err;

	if (text.data) {
		if (file_read(log_path, (char *)text.data, text.size, 1, &err) > 0 &&
		    message_from_json((char *)text.data, message, MESSAGE_SIZE))
			return;
		io_read_errors(io, (char *)text.data, text.size);
		if (message_from_text((char *)text.data, message, MESSAGE_SIZE))
			return;
	}
	snprintf(message, MESSAGE_SIZE, "the runtime ended with exit code %d without saying why", exit_code_of(status));
}

pid_t runtime_read_pid(const char *path, struct error *err)
{
	char text[32], *end;
	long pid;

	if (file_read(path, text, sizeof(text), 0, err) < 0)
		return -1;
	pid = strtol(text, &end, 10);
	if (end == text || pid <= 1 || pid > INT_MAX || (*end != 0 && *end != '\n'))
		return error_set(err, EINVAL, "pid file %s holds no pid", path);
	return (pid_t)pid;
}
