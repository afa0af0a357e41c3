#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "worker.h"

#include "child.h"
#include "forward.h"
#include "job.h"
#include "kernel.h"
#include "request.h"

/* The worker keeps nothing of the host's but its standard files and, as fd 3, the pipe for its answer. */
enum { ANSWER_FD = 3 };

static void write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = write(fd, data, size);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			_exit(1);
		data += sent;
		size -= (size_t)sent;
	}
}

void worker_answer(const struct frame *request, struct frame_writer *answer, int result, struct error *err)
{
	struct error ignored = {0};

	if (result == 0)
		result = frame_end(answer, err);
	if (result < 0) {
		frame_writer_free(answer);
		frame_error(answer, request->id, err, &ignored);
	}
	write_all(ANSWER_FD, answer->data, answer->used);
	close(ANSWER_FD);
}

static void work(request_handler *handler, const struct frame *request)
{
	struct frame_writer answer = {0};
	struct error err = {0};

	frame_begin(&answer, request->id, FRAME_OK);
	worker_answer(request, &answer, handler(request, &answer, &err), &err);
}

int job_start_worker(struct job *job, const struct frame *request, struct error *err)
{
	const char *name = "FORWARD";
	request_handler *handler = job->is_forward ? NULL : request_find(request->type, &name);
	pid_t parent = getpid(), pid;
	int answer_fd;

	if (!handler && !job->is_forward)
		return error_set(err, ENOSYS, "frame type %u is no request", request->type);
	snprintf(job->label, sizeof(job->label), "%s", name);
	if (job_open_stream(&job->streams[0], FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX, &answer_fd, err) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		child_tie(parent);
		child_reset_signals();
		signal(SIGPIPE, SIG_IGN); /* a write that fails is undone, not died of */
		dup3(answer_fd, ANSWER_FD, O_CLOEXEC);
		kernel_close_range(ANSWER_FD + 1, ~0U, 0);
		if (handler)
			work(handler, request);
		else
			forward_work(request);
		_exit(0);
	}
	close(answer_fd);
	if (pid < 0)
		return error_errno(err, errno, "cannot start a worker for %s", name);
	return job_adopt(job, pid, err);
}
