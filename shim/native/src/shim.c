#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"

/* The socket that whoever starts the shim leaves to it, listening. */
enum { LISTENER_FD = 3 };

static void child_signalled(struct source *source, uint32_t events)
{
	struct shim *shim = owner_of(source, struct shim, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) > 0)
		;
	children_reap(&shim->children);
}

/* Every signal is blocked, so that none but SIGKILL ends the shim and no write to a closed pipe does; children are
 * started with an empty mask. */
static int open_signals(struct shim *shim, struct error *err)
{
	sigset_t all, child;
	int fd;

	sigfillset(&all);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return error_errno(err, errno, "cannot block signals");
	fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a signalfd");
	shim->signals.ready = child_signalled;
	return source_open(&shim->loop, &shim->signals, fd, EPOLLIN, err);
}

static int open_listener(struct shim *shim, struct error *err)
{
	if (fcntl(LISTENER_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(LISTENER_FD, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return error_errno(err, errno, "cannot use fd %d as listening socket", LISTENER_FD);
	shim->listener.ready = connection_accept;
	return source_open(&shim->loop, &shim->listener, LISTENER_FD, EPOLLIN, err);
}

int shim_start(struct shim *shim, struct error *err)
{
	if (loop_open(&shim->loop, err) < 0 || open_listener(shim, err) < 0 || open_signals(shim, err) < 0)
		return -1;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_errno(err, errno, "cannot become sub-reaper");
	if (chdir("/") < 0)
		return error_errno(err, errno, "cannot change to /");
	container_start(shim);
	return 0;
}

void shim_exit_if_done(struct shim *shim)
{
	if (shim->container.is_deleted && !shim->container.exit_file_timer.is_set && connections_are_done(shim))
		shim->loop.is_stopped = 1;
}

void shim_complain(const struct shim *shim, const char *what)
{
	dprintf(STDERR_FILENO, "lighter-shim: container %s: %s\n", shim->options.id, what);
}

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
