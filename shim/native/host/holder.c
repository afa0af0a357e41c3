#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "kernel.h"
#include "sandbox.h"
#include "scoped.h"

/* What a holder tells when it is done, in one piece: less than PIPE_BUF. */
struct report {
	int result;
	pid_t pause;
	struct error err;
};

static int make_namespaces(const struct sandbox *sandbox, int user_fd, int clone_flags, struct pause *pause,
			   struct error *err)
{
	if (userns_enter(user_fd, err) < 0)
		return -1;
	if (clone_flags && unshare(clone_flags) < 0)
		return error_errno(err, errno, "cannot make namespaces for %s", sandbox->directory);
	return pause->program > 0 ? pause_fork(sandbox, pause, err) : 0;
}

static void hold(const struct sandbox *sandbox, int user_fd, int clone_flags, struct pause *pause, int report_fd)
{
	struct report report = {0};

	report.result = make_namespaces(sandbox, user_fd, clone_flags, pause, &report.err);
	report.pause = pause->pid;
	pause_close(pause); /* the pause process must be the only one to hold its ends */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(report_fd, &report, sizeof(report)) != (ssize_t)sizeof(report))
		_exit(1);
	for (;;)
		poll(NULL, 0, -1);
}

static int await_report(int fd, struct pause *pause, struct error *err)
{
	struct report report;
	ssize_t got;

	do {
		got = read(fd, &report, sizeof(report));
	} while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(report))
		return error_set(err, ESRCH, "the maker of namespaces ended at once");
	pause->pid = report.pause;
	if (report.result == 0)
		return 0;
	report.err.text[sizeof(report.err.text) - 1] = 0;
	*err = report.err;
	return -1;
}

int holder_start(const struct sandbox *sandbox, int clone_flags, struct pause *pause, struct holder *holder,
		 struct error *err)
{
	int pipe_fds[2], result;

	holder->user_fd = userns_open(&sandbox->maps, err);
	if (holder->user_fd < 0 || child_pipe(pipe_fds, err) < 0)
		return -1;
	/* When the holder has gone, the pause process is this process' child, as without a holder. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_errno(err, errno, "cannot become a subreaper");
	holder->pid = fork();
	if (holder->pid == 0)
		hold(sandbox, holder->user_fd, clone_flags, pause, pipe_fds[1]);
	close(pipe_fds[1]);
	if (holder->pid < 0) {
		holder->pid = 0;
		result = error_errno(err, errno, "cannot start a process");
	} else {
		result = await_report(pipe_fds[0], pause, err);
	}
	close(pipe_fds[0]);
	return result;
}

void holder_end(struct holder *holder)
{
	if (holder->pid <= 0)
		return;
	kill(holder->pid, SIGKILL);
	waitpid(holder->pid, NULL, 0);
	holder->pid = 0;
}
