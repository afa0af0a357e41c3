#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"
#include "request.h"
#include "scoped.h"

/* The pidfd is opened first: the comm that is read afterwards belongs to its process, or to none. */
int request_kill_process(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	static const int64_t pids[2] = {2, 1 << 22}, signals[2] = {0, NSIG - 1};
	SCOPED_TEXT name = NULL;
	SCOPED_FD pidfd = -1;
	SCOPED_FD comm_fd = -1;
	char path[64], comm[64];
	int64_t pid, number;
	ssize_t got;

	(void)answer;
	if (request_integer(request, TAG_PID, pids, &pid, err) < 0 ||
	    request_text(request, TAG_NAME, "name", &name, err) < 0 ||
	    request_integer(request, TAG_SIGNAL, signals, &number, err) < 0)
		return -1;
	pidfd = kernel_pidfd_open((pid_t)pid);
	if (pidfd < 0)
		return error_errno(err, errno, "cannot signal process %lld (%s)", (long long)pid, name);
	snprintf(path, sizeof(path), "/proc/%lld/comm", (long long)pid);
	comm_fd = open(path, O_RDONLY | O_CLOEXEC);
	got = comm_fd < 0 ? -1 : read(comm_fd, comm, sizeof(comm) - 1);
	if (got < 0)
		return error_set(err, ESRCH, "process %lld (%s) is gone", (long long)pid, name);
	comm[got] = 0;
	comm[strcspn(comm, "\n")] = 0;
	if (poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 0) != 0)
		return error_set(err, ESRCH, "process %lld (%s) has ended", (long long)pid, name);
	if (strcmp(comm, name) != 0)
		return error_set(err, ESRCH, "process %lld is %s, not %s", (long long)pid, comm, name);
	if (kernel_pidfd_send_signal(pidfd, (int)number) < 0)
		return error_errno(err, errno, "cannot signal process %lld (%s)", (long long)pid, name);
	return 0;
}
