#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "child.h"

static void answer_failure(struct host *host, uint32_t id, const struct error *failure)
{
	struct error ignored = {0};

	frame_error(&host->out, id, failure, &ignored);
}

static int is_over_limit(const struct host *host, const struct frame *request, struct error *err)
{
	if (request->type == FRAME_FORWARD && host->forward_count >= FORWARDS_MAX)
		return error_set(err, ENOSPC, "%d connections are being forwarded, which is the limit", FORWARDS_MAX);
	if (host->job_count >= JOBS_MAX)
		return error_set(err, EAGAIN, "%d requests are being worked on; try again", JOBS_MAX);
	return 0;
}

static void start_job(struct host *host, const struct frame *request)
{
	struct error failure = {0};
	struct job *job;
	int result;

	if (is_over_limit(host, request, &failure)) {
		answer_failure(host, request->id, &failure);
		return;
	}
	job = job_new(request);
	if (!job) {
		error_errno(&failure, ENOMEM, "cannot start a request");
		answer_failure(host, request->id, &failure);
		return;
	}
	job->is_forward = request->type == FRAME_FORWARD;
	if (request->type == FRAME_RUN)
		result = job_start_run(job, request, &failure);
	else
		result = job_start_worker(job, request, &failure);
	if (result < 0) {
		answer_failure(host, request->id, &failure);
		job_free(job);
		return;
	}
	job->next = host->jobs;
	host->jobs = job;
	host->job_count++;
	host->forward_count += job->is_forward;
}

static void cancel(struct host *host, uint32_t id)
{
	for (struct job *job = host->jobs; job; job = job->next)
		if (job->id == id && job->is_run)
			job_kill(job, ECANCELED);
}

static void dispatch(struct host *host, const struct frame *request)
{
	struct error failure = {0};

	if (request->type == FRAME_CANCEL)
		cancel(host, request->id);
	else if (request->type != FRAME_LOCK)
		start_job(host, request);
	else if (locks_want(&host->locks, request, &failure) < 0)
		answer_failure(host, request->id, &failure);
}

/* 1: go on, 0: the daemon is gone, -1: it breaks the protocol. */
static int receive(struct host *host, struct error *err)
{
	struct frame request;
	int fill = frame_reader_fill(&host->in, host->fd, err);
	int more;

	if (fill < 0)
		return err->code == ECONNRESET ? 0 : -1;
	while ((more = frame_reader_next(&host->in, &request, err)) > 0)
		dispatch(host, &request);
	if (more < 0)
		return -1;
	if (host->in.start == host->in.used && host->in.room > HOST_KEEP_BYTES)
		frame_reader_free(&host->in);
	return fill != FRAME_FILL_END;
}

/* Sends what the socket takes. 0: the daemon is gone. */
static int flush(struct host *host)
{
	while (host->sent < host->out.used) {
		ssize_t sent = send(host->fd, host->out.data + host->sent, host->out.used - host->sent,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN;
		host->sent += (size_t)sent;
	}
	host->sent = 0;
	host->out.used = 0;
	if (host->out.room > HOST_KEEP_BYTES)
		frame_writer_free(&host->out);
	return 1;
}

static void answer(struct host *host, struct job *job)
{
	if (job->is_answered)
		return;
	job_answer(job, &host->out);
	if (job->is_forward)
		host->job_count--;
}

static void forget(struct host *host, struct job *job)
{
	if (job->is_forward)
		host->forward_count--;
	else
		host->job_count--;
	job_free(job);
}

/* Moves every job on; answers and forgets those that are over. fds holds job_fds entries for each, in order. */
static void serve_jobs(struct host *host, const struct pollfd *fds)
{
	struct job **link = &host->jobs;
	int64_t now = now_ms();

	while (*link) {
		struct job *job = *link;

		job_serve(job, fds);
		fds += job_fds(job);
		job_wake(job, now);
		if (!job_is_over(job)) {
			if ((job->state == JOB_KILLED && job->wake_ms == INT64_MAX) || job_has_answer(job))
				answer(host, job);
			link = &job->next;
			continue;
		}
		answer(host, job);
		*link = job->next;
		forget(host, job);
	}
}

/* The daemon does not read: nothing more is begun or read until it does. */
static int is_blocked(const struct host *host)
{
	return host->out.used - host->sent >= HOST_OUT_MAX;
}

static int wait_ms(const struct host *host, int is_lock_wanted, int64_t until_ms)
{
	int64_t now = now_ms(), wake = until_ms;

	if (is_lock_wanted)
		wake = now + LOCK_RETRY_MS;
	for (const struct job *job = host->jobs; job && !is_blocked(host); job = job->next)
		if (job->wake_ms < wake)
			wake = job->wake_ms;
	if (wake == INT64_MAX)
		return -1;
	if (wake <= now)
		return 0;
	return wake - now > RUN_TIMEOUT_MAX_MS ? RUN_TIMEOUT_MAX_MS : (int)(wake - now);
}

/* Waits for jobs, and for the daemon if `events` is not 0; then serves the jobs. Answers the daemon's events. */
static int turn(struct host *host, short events, int timeout_ms)
{
	struct pollfd fds[1 + JOBS_MAX * JOB_FDS + FORWARDS_MAX] = {{.fd = events ? host->fd : -1, .events = events}};
	nfds_t count = 1;
	int are_jobs_served = !is_blocked(host);

	if (are_jobs_served) {
		for (const struct job *job = host->jobs; job; job = job->next) {
			job_poll(job, fds + count);
			count += job_fds(job);
		}
	}
	if (poll(fds, count, timeout_ms) < 0)
		return 0;
	if (are_jobs_served)
		serve_jobs(host, fds + 1);
	return fds[0].revents;
}

/* Serves the jobs until there are none or the time is up; nobody reads their answers. */
static void await_jobs(struct host *host, int64_t give_up_ms)
{
	while (host->jobs && now_ms() < give_up_ms) {
		frame_writer_free(&host->out);
		host->sent = 0;
		turn(host, 0, wait_ms(host, 0, give_up_ms));
	}
}

/* Ends what the daemon began, so that nothing of it goes on once the locks are released. */
static void end_jobs(struct host *host)
{
	for (struct job *job = host->jobs; job; job = job->next)
		if (!job->may_finish)
			job_kill(job, 0);
	await_jobs(host, now_ms() + HOST_FINISH_MS);
	for (struct job *job = host->jobs; job; job = job->next)
		job_kill(job, 0);
	await_jobs(host, now_ms() + HOST_EXIT_MS);
}

int host_serve(struct host *host, struct error *err)
{
	int more = 1;

	while (more > 0) {
		int is_lock_wanted = locks_try(&host->locks, now_ms(), &host->out);
		short events = 0;
		int happened;

		if (!flush(host))
			break;
		if (host->sent < host->out.used)
			events |= POLLOUT;
		if (!is_blocked(host))
			events |= POLLIN;
		happened = turn(host, events, wait_ms(host, is_lock_wanted, INT64_MAX));
		if (happened & (POLLIN | POLLHUP | POLLERR))
			more = receive(host, err);
	}
	end_jobs(host);
	return more < 0 ? -1 : 0;
}
