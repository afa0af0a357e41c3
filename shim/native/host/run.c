#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "job.h"
#include "kernel.h"
#include "request.h"
#include "scoped.h"

/* The child's ends of its pipes. */
struct run_ends {
	int input, output, error, failure;
};

static int execute(const struct frame *request, const struct run_ends *ends, struct error *err)
{
	char **argv = NULL, **env = NULL, *directory = NULL;

	if (field_texts(request, TAG_ARGUMENT, &argv, err) < 0 || field_texts(request, TAG_ENVIRONMENT, &env, err) < 0 ||
	    field_text(request, TAG_DIRECTORY, &directory, err) < 0)
		return -1;
	if (directory && chdir(directory) < 0)
		return error_errno(err, errno, "cannot enter directory %s", directory);
	if (dup2(ends->input, 0) < 0 || dup2(ends->output, 1) < 0 || dup2(ends->error, 2) < 0)
		return error_errno(err, errno, "cannot pass pipes on");
	return child_exec(argv, env, err);
}

static pid_t start_program(const struct frame *request, const struct run_ends *ends)
{
	struct error failure = {0};
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	child_tie(parent);
	child_reset_signals();
	execute(request, ends, &failure);
	child_fail(ends->failure, &failure);
}

/* What the program reads: a pipe if there is something to write into it, else nothing. */
static int open_input(struct job *job, const struct frame *request, int *child_end, struct error *err)
{
	struct field input;
	int ends[2];
	int found = field_find(request, TAG_INPUT, &input, err);

	if (found < 0)
		return -1;
	if (found == 0 || input.size == 0) {
		*child_end = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return *child_end < 0 ? error_errno(err, errno, "cannot open /dev/null") : 0;
	}
	job->input = malloc(input.size);
	if (!job->input)
		return error_errno(err, ENOMEM, "cannot keep %u bytes of input", input.size);
	memcpy(job->input, input.data, input.size);
	job->input_size = input.size;
	if (child_pipe(ends, err) < 0)
		return -1;
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	job->input_fd = ends[1];
	*child_end = ends[0];
	return 0;
}

int job_start_run(struct job *job, const struct frame *request, struct error *err)
{
	static const int64_t timeouts[2] = {1, RUN_TIMEOUT_MAX_MS}, limits[2] = {0, RUN_OUTPUT_MAX};
	SCOPED_FD input = -1;
	SCOPED_FD output = -1;
	SCOPED_FD error = -1;
	SCOPED_FD failure = -1;
	SCOPED_TEXT program = NULL;
	int64_t limit, flags;
	pid_t pid;

	job->is_run = 1;
	if (request_path(request, TAG_ARGUMENT, "program", &program, err) < 0 ||
	    request_integer(request, TAG_TIMEOUT_MS, timeouts, &job->timeout_ms, err) < 0 ||
	    request_integer(request, TAG_OUTPUT_LIMIT, limits, &limit, err) < 0 ||
	    field_integer(request, TAG_FLAGS, 0, &flags, err) < 0 ||
	    open_input(job, request, &input, err) < 0 ||
	    job_open_stream(&job->streams[0], (size_t)limit, &output, err) < 0 ||
	    job_open_stream(&job->streams[1], (size_t)limit, &error, err) < 0 ||
	    job_open_stream(&job->streams[2], sizeof(struct error), &failure, err) < 0)
		return -1;
	job->may_finish = (flags & RUN_MAY_FINISH) != 0;
	snprintf(job->label, sizeof(job->label), "%s", program);
	pid = start_program(request, &(struct run_ends){input, output, error, failure});
	if (pid < 0)
		return error_errno(err, errno, "cannot start a process for %s", program);
	job->wake_ms = now_ms() + job->timeout_ms;
	return job_adopt(job, pid, err);
}
