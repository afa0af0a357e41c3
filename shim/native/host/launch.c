#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "kernel.h"
#include "listen.h"
#include "request.h"
#include "scoped.h"

enum { SOCKET_FD = 3, BACKLOG = 64 };

struct launch {
	char **argv, **env, *socket_path, *log_path;
};

static int become_program(const struct launch *launch, int socket_fd, int failure_fd, struct error *err)
{
	int log_fd = open(launch->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (log_fd < 0)
		return error_errno(err, errno, "cannot open log file %s", launch->log_path);
	if (null_fd < 0)
		return error_errno(err, errno, "cannot open /dev/null");
	if (dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(log_fd, 2) < 0)
		return error_errno(err, errno, "cannot set up files");
	/* The worker's answer pipe is fd 3, so neither of these is. */
	if (dup2(socket_fd, SOCKET_FD) < 0)
		return error_errno(err, errno, "cannot pass the socket on");
	kernel_close_range(SOCKET_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	fcntl(failure_fd, F_SETFD, FD_CLOEXEC);
	setsid(); /* not earlier: until here it belongs to its request, and is killed with it */
	return child_exec(launch->argv, launch->env, err);
}

static int launch_program(struct launch *launch, pid_t *pid, struct error *err)
{
	SCOPED_FD socket_fd = listen_at(launch->socket_path, BACKLOG, err);
	struct error failure = {0};
	int ends[2], result;

	if (socket_fd < 0)
		return -1;
	result = child_pipe(ends, err);
	if (result < 0)
		return -1;
	*pid = fork();
	if (*pid == 0) {
		child_reset_signals();
		become_program(launch, socket_fd, ends[1], &failure);
		child_fail(ends[1], &failure);
	}
	close(ends[1]);
	if (*pid < 0)
		result = error_errno(err, errno, "cannot start a process for %s", launch->argv[0]);
	else
		result = child_wait_exec(ends[0], err);
	close(ends[0]);
	if (result < 0)
		unlink(launch->socket_path);
	return result;
}

/* The program becomes a child of init when this worker exits. */
int request_launch(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	SCOPED_TEXTS argv = NULL;
	SCOPED_TEXTS env = NULL;
	SCOPED_TEXT socket_path = NULL;
	SCOPED_TEXT log_path = NULL;
	struct launch launch;
	pid_t pid = 0;

	if (field_texts(request, TAG_ARGUMENT, &argv, err) < 0 || field_texts(request, TAG_ENVIRONMENT, &env, err) < 0 ||
	    request_path(request, TAG_PATH, "socket", &socket_path, err) < 0 ||
	    request_path(request, TAG_STDERR, "log file", &log_path, err) < 0)
		return -1;
	if (!argv[0])
		return error_set(err, EINVAL, "the request has no program");
	launch = (struct launch){argv, env, socket_path, log_path};
	if (launch_program(&launch, &pid, err) < 0)
		return -1;
	frame_put_integer(answer, TAG_PID, pid);
	return 0;
}
