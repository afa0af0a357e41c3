#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "kernel.h"

enum { DRAIN_SIZE = 16 * 1024 };

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct job *job_new(const struct frame *request)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->id = request->id;
	job->pidfd = -1;
	job->input_fd = -1;
	job->wake_ms = INT64_MAX;
	for (int i = 0; i < JOB_STREAMS; i++)
		job->streams[i].fd = -1;
	snprintf(job->label, sizeof(job->label), "frame type %u", request->type);
	return job;
}

int job_open_stream(struct stream *stream, size_t limit, int *write_end, struct error *err)
{
	int ends[2];

	if (child_pipe(ends, err) < 0)
		return -1;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	stream->fd = ends[0];
	stream->limit = limit;
	*write_end = ends[1];
	return 0;
}

int job_adopt(struct job *job, pid_t pid, struct error *err)
{
	setpgid(pid, pid);
	job->pidfd = kernel_pidfd_open(pid);
	if (job->pidfd < 0) {
		error_errno(err, errno, "cannot watch process %d", (int)pid);
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -1;
	}
	fcntl(job->pidfd, F_SETFD, FD_CLOEXEC);
	job->pid = pid;
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

nfds_t job_fds(const struct job *job)
{
	return job->is_forward && job->is_answered ? 1 : JOB_FDS;
}

void job_poll(const struct job *job, struct pollfd *fds)
{
	fds[0] = (struct pollfd){.fd = job->state == JOB_ENDED ? -1 : job->pidfd, .events = POLLIN};
	if (job_fds(job) == 1)
		return;
	fds[1] = (struct pollfd){.fd = job->input_fd, .events = POLLOUT};
	for (int i = 0; i < JOB_STREAMS; i++)
		fds[2 + i] = (struct pollfd){.fd = job->streams[i].fd, .events = POLLIN};
}

/* Keeps what fits under the limit; forgets the rest, also when there is no memory. */
static void stream_keep(struct stream *stream, const uint8_t *data, size_t size)
{
	size_t left = stream->limit - stream->used;

	if (size > left)
		size = left;
	if (stream->room - stream->used < size) {
		size_t room = (stream->used + size) * 2 < stream->limit ? (stream->used + size) * 2 : stream->limit;
		uint8_t *grown = realloc(stream->data, room);

		if (!grown)
			return;
		stream->data = grown;
		stream->room = room;
	}
	memcpy(stream->data + stream->used, data, size);
	stream->used += size;
}

static void stream_read(struct stream *stream)
{
	uint8_t piece[DRAIN_SIZE];
	ssize_t got = read(stream->fd, piece, sizeof(piece));

	if (got > 0)
		stream_keep(stream, piece, (size_t)got);
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(&stream->fd);
}

static void feed_input(struct job *job)
{
	ssize_t sent = write(job->input_fd, job->input + job->input_sent, job->input_size - job->input_sent);

	if (sent > 0)
		job->input_sent += (size_t)sent;
	else if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (sent <= 0 || job->input_sent == job->input_size)
		close_fd(&job->input_fd);
}

void job_serve(struct job *job, const struct pollfd *fds)
{
	if (fds[0].revents) {
		job->state = JOB_ENDED;
		job->wake_ms = now_ms() + JOB_DRAIN_MS;
		close_fd(&job->input_fd);
	}
	if (job_fds(job) == 1)
		return;
	if (fds[1].revents && job->input_fd >= 0)
		feed_input(job);
	for (int i = 0; i < JOB_STREAMS; i++)
		if (fds[2 + i].revents)
			stream_read(&job->streams[i]);
}

void job_kill(struct job *job, int failure)
{
	kill(-job->pid, SIGKILL);
	if (job->state != JOB_RUNNING)
		return;
	job->failure = failure;
	job->state = JOB_KILLED;
	job->wake_ms = now_ms() + JOB_KILL_MS;
}

void job_wake(struct job *job, int64_t now)
{
	if (now < job->wake_ms)
		return;
	switch (job->state) {
	case JOB_RUNNING:
		job_kill(job, ETIMEDOUT);
		break;
	case JOB_KILLED:
		job->wake_ms = INT64_MAX;
		break;
	case JOB_ENDED:
		for (int i = 0; i < JOB_STREAMS; i++)
			close_fd(&job->streams[i].fd);
		break;
	}
}

int job_is_over(const struct job *job)
{
	if (job->state != JOB_ENDED)
		return 0;
	for (int i = 0; i < JOB_STREAMS; i++)
		if (job->streams[i].fd >= 0)
			return 0;
	return 1;
}

static int exit_code(const struct job *job, struct error *err)
{
	siginfo_t info = {0};

	/* Not reaped yet: job_free does that. */
	if (waitid(P_PID, (id_t)job->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return error_errno(err, errno, "cannot learn how process %d ended", (int)job->pid);
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static int run_result(struct job *job, struct frame_writer *out, struct error *err)
{
	const struct stream *failure = &job->streams[2];
	int code;

	if (job->failure == ETIMEDOUT)
		return error_set(err, ETIMEDOUT, "%s did not end within %lld ms and was killed%s", job->label,
				 (long long)job->timeout_ms, job->state == JOB_ENDED ? "" : ", which has no effect");
	if (job->failure)
		return error_set(err, job->failure, "%s was killed: nobody waits for it any more%s", job->label,
				 job->state == JOB_ENDED ? "" : ", which has no effect");
	if (failure->used == sizeof(*err)) {
		memcpy(err, failure->data, sizeof(*err));
		err->text[sizeof(err->text) - 1] = 0;
		return -1;
	}
	code = exit_code(job, err);
	if (code < 0)
		return -1;
	frame_begin(out, job->id, FRAME_OK);
	frame_put_integer(out, TAG_EXIT_CODE, code);
	frame_put(out, TAG_STDOUT, job->streams[0].data, job->streams[0].used);
	frame_put(out, TAG_STDERR, job->streams[1].data, job->streams[1].used);
	return frame_end(out, err);
}

static int copy_frame(const struct frame *frame, struct frame_writer *out, struct error *err)
{
	struct field field;
	size_t offset = 0;
	int more;

	frame_begin(out, frame->id, frame->type);
	while ((more = field_next(frame, &offset, &field, err)) > 0)
		frame_put(out, field.tag, field.data, field.size);
	if (more == 0)
		return frame_end(out, err);
	out->used = out->frame_start;
	return -1;
}

/* A worker wrote its whole answer frame, or did not live to do so. */
static int worker_result(struct job *job, struct frame_writer *out, struct error *err)
{
	struct frame_reader reader = {.data = job->streams[0].data, .used = job->streams[0].used};
	struct frame frame;
	int code;

	if (frame_reader_next(&reader, &frame, err) == 1 && frame.id == job->id && reader.start == reader.used)
		return copy_frame(&frame, out, err);
	code = exit_code(job, err);
	if (code < 0)
		return -1;
	return error_set(err, 0, "the worker of request %s ended without an answer (exit code %d)", job->label,
			 code);
}

int job_has_answer(const struct job *job)
{
	return job->is_forward && job->streams[0].fd < 0 && job->streams[0].used > 0;
}

void job_answer(struct job *job, struct frame_writer *out)
{
	struct error failure = {0}, ignored = {0};
	int result;

	if (job->is_answered)
		return;
	job->is_answered = 1;
	result = job->is_run ? run_result(job, out, &failure) : worker_result(job, out, &failure);
	if (result == 0)
		return;
	out->failed = 0;
	frame_error(out, job->id, &failure, &ignored);
}

void job_free(struct job *job)
{
	close_fd(&job->pidfd);
	close_fd(&job->input_fd);
	for (int i = 0; i < JOB_STREAMS; i++) {
		close_fd(&job->streams[i].fd);
		free(job->streams[i].data);
	}
	free(job->input);
	if (job->state == JOB_ENDED)
		waitpid(job->pid, NULL, 0);
	free(job);
}
