#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void child_reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void child_tie(pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

void child_fail(int fd, const struct error *err)
{
	/* Less than PIPE_BUF: written in one piece or not at all. */
	ssize_t written = write(fd, err, sizeof(*err));

	_exit(written == (ssize_t)sizeof(*err) ? 1 : 2);
}

int child_wait_exec(int fd, struct error *err)
{
	struct error received;
	ssize_t got;

	do {
		got = read(fd, &received, sizeof(received));
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		return 0;
	if (got < 0)
		return error_errno(err, errno, "cannot hear from a new process");
	if (got != (ssize_t)sizeof(received))
		return error_set(err, EPROTO, "a new process sent %zd bytes", got);
	received.text[sizeof(received.text) - 1] = 0;
	*err = received;
	return -1;
}

int child_pipe(int ends[2], struct error *err)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, errno, "cannot make a pipe");
	return 0;
}

int child_exec(char *const argv[], char *const env[], struct error *err)
{
	if (!argv[0] || argv[0][0] != '/')
		return error_set(err, EINVAL, "the program \"%s\" is not an absolute path", argv[0] ? argv[0] : "");
	execve(argv[0], argv, env);
	return error_errno(err, errno, "cannot execute %s", argv[0]);
}
