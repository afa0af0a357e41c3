/*
 * An OCI runtime that starts nothing: its containers are processes that wait, without namespaces, cgroups or mounts.
 * What a daemon needs for a pod with it is what the daemon costs.
 *
 *   fake-runtime [GLOBAL...] create|run|start|exec|kill|delete|state|features [OPTION...] ID [SIGNAL]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct request {
	const char *root, *pid_file, *command, *id, *signal;
	int is_forced;
};

static int fail(const char *what, const char *object)
{
	fprintf(stderr, "fake-runtime: %s %s: %s\n", what, object, strerror(errno));
	return 1;
}

/* Is it an option whose value is the next argument? */
static int takes_value(const char *option)
{
	static const char *const names[] = { "--root",	   "--log",	"--log-format",	    "--bundle", "-b",
					     "--pid-file", "--process", "--console-socket", "-p",	"--criu" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(option, names[i]) == 0)
			return 1;
	return 0;
}

static struct request parse(char **argv)
{
	struct request request = { .root = "/run/fake-runtime" };

	for (char **at = argv + 1; *at; at++) {
		if (takes_value(*at)) {
			if (!at[1])
				break;
			if (strcmp(*at, "--root") == 0)
				request.root = at[1];
			if (strcmp(*at, "--pid-file") == 0)
				request.pid_file = at[1];
			at++;
		} else if (**at == '-') {
			request.is_forced |= strcmp(*at, "--force") == 0;
		} else if (!request.command) {
			request.command = *at;
		} else if (!request.id) {
			request.id = *at;
		} else if (!request.signal) {
			request.signal = *at;
		}
	}
	return request;
}

/* Makes a directory and those above it; what cannot be made is found out by who writes there. */
static void make_directories(const char *path)
{
	char prefix[PATH_MAX];

	for (size_t length = 1; length < sizeof(prefix) && path[length - 1]; length++) {
		if (path[length] && path[length] != '/')
			continue;
		snprintf(prefix, sizeof(prefix), "%.*s", (int)length, path);
		mkdir(prefix, 0700);
	}
}

static int write_pid(const char *path, pid_t pid)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (file < 0)
		return fail("cannot create", path);
	dprintf(file, "%d", (int)pid);
	close(file);
	return 0;
}

/* Processes are left to the nearest subreaper, as by any OCI runtime that detaches. */
static pid_t start_process(int is_waiting)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	setsid();
	while (is_waiting)
		pause();
	_exit(0);
}

static int create(const struct request *request, const char *record)
{
	pid_t pid;

	make_directories(request->root);
	pid = start_process(1);
	if (pid < 0)
		return fail("cannot start", request->id);
	if (write_pid(record, pid) || (request->pid_file && write_pid(request->pid_file, pid))) {
		kill(pid, SIGKILL);
		return 1;
	}
	return 0;
}

static int execute(const struct request *request)
{
	pid_t pid = start_process(0);

	if (pid < 0)
		return fail("cannot start a process in", request->id);
	return request->pid_file ? write_pid(request->pid_file, pid) : 0;
}

/* 0 if there is no such container. */
static pid_t read_pid(const char *record)
{
	FILE *file = fopen(record, "re");
	int pid = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid > 1 ? pid : 0;
}

static int signal_number(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} names[] = { { "KILL", SIGKILL }, { "TERM", SIGTERM }, { "INT", SIGINT }, { "HUP", SIGHUP } };
	const char *name = text && strncmp(text, "SIG", 3) == 0 ? text + 3 : text;

	for (size_t i = 0; name && i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i].name) == 0)
			return names[i].number;
	return text ? atoi(text) : SIGTERM;
}

static int print_state(const struct request *request, pid_t pid)
{
	int is_running = pid > 0 && kill(pid, 0) == 0;

	printf("{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"pid\":%d,\"status\":\"%s\",\"bundle\":\"/\"}\n", request->id,
	       is_running ? (int)pid : 0, is_running ? "running" : "stopped");
	return 0;
}

static int serve(const struct request *request)
{
	char record[PATH_MAX];
	const char *command = request->command;
	pid_t pid;

	if (snprintf(record, sizeof(record), "%s/%s", request->root, request->id) >= (int)sizeof(record)) {
		errno = ENAMETOOLONG;
		return fail("cannot use", request->root);
	}
	if (strcmp(command, "create") == 0 || strcmp(command, "run") == 0)
		return create(request, record);
	pid = read_pid(record);
	if (pid == 0) {
		fprintf(stderr, "container does not exist: %s\n", request->id);
		return strcmp(command, "delete") != 0 || !request->is_forced;
	}
	if (strcmp(command, "start") == 0)
		return 0;
	if (strcmp(command, "state") == 0)
		return print_state(request, pid);
	if (strcmp(command, "exec") == 0)
		return execute(request);
	if (strcmp(command, "kill") == 0)
		return kill(pid, signal_number(request->signal)) < 0 ? fail("cannot signal", request->id) : 0;
	if (strcmp(command, "delete") == 0) {
		if (request->is_forced)
			kill(pid, SIGKILL);
		return unlink(record) < 0 ? fail("cannot remove", record) : 0;
	}
	fprintf(stderr, "fake-runtime: no command %s\n", command);
	return 1;
}

int main(int argc, char **argv)
{
	struct request request = parse(argv);

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("fake-runtime version 1\nspec: 1.0.2");
		return 0;
	}
	if (request.command && strcmp(request.command, "features") == 0) {
		puts("{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"1.0.2\",\"linux\":{\"seccomp\":{\"enabled\":true}}}");
		return 0;
	}
	if (!request.command || !request.id) {
		fputs("usage: fake-runtime [GLOBAL...] COMMAND [OPTION...] ID [SIGNAL]\n", stderr);
		return 2;
	}
	return serve(&request);
}
