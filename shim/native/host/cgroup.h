/* The processes of control groups, of either version. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/* A set of process ids, in the order of their coming; zero-initialised, its owner frees `items`. */
struct pids {
	pid_t *items;
	size_t count, room;
};

/* The processes of a cgroup and of those below it; none if it does not exist. What `pids` held is dropped. */
int cgroup_processes(const char *cgroup, struct pids *pids, struct error *err);
