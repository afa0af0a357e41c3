/* The processes that the shim waits for by name, and all the others that are reparented to it. */
#pragma once

#include <sys/types.h>

/* Must stay where it is until `ended` is called. */
struct child {
	pid_t pid;
	void (*ended)(struct child *child, int status);
	struct child *next;
};

struct children {
	struct child *first;
	/* Runtime calls that will yet tell the pid of a process. While there are any, unknown zombies stay: one of
	 * them may be a process that ended before its pid was told, and a zombie keeps its pid and its status. */
	int starting;
};

void children_add(struct children *children, struct child *child, pid_t pid);

/* Reaps what can be reaped; calls `ended` of each known child, which may add more. */
void children_reap(struct children *children);

/* 128 + n for signal n. */
int exit_code_of(int status);

/* 0 if the process exited by itself. */
int signal_of(int status);
