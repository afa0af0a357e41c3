/* A running child of the host: the worker of a request, or the program of a RUN. A job owns its process until the
 * process is reaped, which happens last, so that its process group can be killed at any time before. */
#pragma once

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"

enum {
	JOBS_MAX = 128,		   /* running at once; more are refused with EAGAIN */
	FORWARDS_MAX = 256,	   /* connections being forwarded; once answered they do not count as jobs */
	JOB_FDS = 5,		   /* descriptors that a job wants polled: its process, input, streams */
	JOB_STREAMS = 3,	   /* of a program: stdout, stderr, failure to execute; of a worker: its answer */
	JOB_DRAIN_MS = 500,	   /* what others may hold open after the process ended */
	JOB_KILL_MS = 5000,	   /* a killed process that has not ended by then is answered for all the same */
	RUN_OUTPUT_MAX = 2 * 1024 * 1024 - 1024, /* two streams fit into one frame */
	RUN_TIMEOUT_MAX_MS = 60 * 60 * 1000,
	RUN_MAY_FINISH = 1, /* flag of RUN */
};

/* Bytes read from a pipe; what is over the limit is read and dropped. */
struct stream {
	int fd;
	uint8_t *data;
	size_t used, room, limit;
};

enum job_state {
	JOB_RUNNING, /* wake_ms: its deadline */
	JOB_KILLED,  /* wake_ms: when to stop waiting for its end */
	JOB_ENDED,   /* wake_ms: when to stop reading its streams */
};

struct job {
	struct job *next;
	uint32_t id;
	pid_t pid;
	int pidfd;
	enum job_state state;
	int64_t wake_ms; /* of the monotonic clock; INT64_MAX: never */
	int is_run;
	int is_forward; /* lives on after its answer */
	int may_finish; /* RUN_MAY_FINISH: not killed at once when the daemon is gone */
	int is_answered;
	int failure; /* ETIMEDOUT or ECANCELED once it was killed for that */
	int64_t timeout_ms;
	char label[128];
	struct stream streams[JOB_STREAMS];
	int input_fd;
	uint8_t *input;
	size_t input_size, input_sent;
};

int64_t now_ms(void);

/* A job that is not yet started: no process, no descriptors. NULL: no memory. */
struct job *job_new(const struct frame *request);

/* Starts what the request asks for. */
int job_start_worker(struct job *job, const struct frame *request, struct error *err);
int job_start_run(struct job *job, const struct frame *request, struct error *err);

/* Takes over the new child: its pidfd. The child is killed and reaped on error. */
int job_adopt(struct job *job, pid_t pid, struct error *err);

/* Makes a pipe whose read end becomes the stream; *write_end is for the child. */
int job_open_stream(struct stream *stream, size_t limit, int *write_end, struct error *err);

/* How many entries the job wants polled: of what was answered and lives on, only the process. poll(2) takes no more
 * entries than there may be open files. */
nfds_t job_fds(const struct job *job);

/* Fills job_fds entries; unused ones get the descriptor -1. */
void job_poll(const struct job *job, struct pollfd *fds);

/* Moves bytes and states on after poll(2) filled revents. */
void job_serve(struct job *job, const struct pollfd *fds);

/* Kills the process group and remembers why: ETIMEDOUT, ECANCELED, or 0 for nobody to tell. */
void job_kill(struct job *job, int failure);

/* Acts on wake_ms having passed. */
void job_wake(struct job *job, int64_t now);

/* True when the process ended and its streams are read: job_free reaps it. */
int job_is_over(const struct job *job);

/* True once a worker that lives on has said all that it has to say. */
int job_has_answer(const struct job *job);

/* Appends the answer frame to out, once it is known: at the end, when a killed process does not end, or when
 * job_has_answer. */
void job_answer(struct job *job, struct frame_writer *out);

/* Closes everything; reaps the process if it ended. */
void job_free(struct job *job);
