/* What every process that the host starts has in common. */
#pragma once

#include <sys/types.h>

#include "error.h"

/* In a new child: no blocked signals, default dispositions. */
void child_reset_signals(void);

/* In a new child of the process `parent`: leads a process group of its own, dies with its parent. */
void child_tie(pid_t parent);

/* In a new child: tells the process that reads the other end of fd why it cannot go on, and ends. */
void child_fail(int fd, const struct error *err) __attribute__((noreturn));

/* Reads until the other end is closed: 0 if nothing came, -1 with err if the child failed. Blocks. */
int child_wait_exec(int fd, struct error *err);

/* A close-on-exec pipe: [0] is read, [1] written. */
int child_pipe(int ends[2], struct error *err);

/* Executes argv[0], an absolute path; answers only when that failed. */
int child_exec(char *const argv[], char *const env[], struct error *err);
