/* Whether the kernel killed a process of the container because its memory was used up. */
#pragma once

#include <stdint.h>

#include "options.h"

/* memory.events counts for a cgroup and all below it. The container's own file is exact, but with the systemd driver it
 * may be gone before anybody can look: systemd removes the cgroup of a scope as soon as its last process has ended,
 * and a file that is held open cannot be read any more then. The parent's file outlives it: what it counted meanwhile
 * was the container, or (what nobody can tell then) another one of the same pod at the same time. */
struct oom {
	const char *file;	     /* memory.events (v2) or memory.oom_control (v1); NULL: none */
	char parent[FILE_PATH_SIZE]; /* memory.events of the cgroup above; "" on v1, which counts each cgroup alone */
	int64_t parent_before;
	int was_counted;
};

/* Before the container starts. */
void oom_begin(struct oom *oom, const char *file);

/* Looks at the container's own count: as early as possible, and as often as one likes. */
void oom_look(struct oom *oom);

/* After the end. `exit_code` is 128+n for signal n: only what a SIGKILL can have ended is put down to the parent. */
int oom_has_killed(struct oom *oom, int exit_code);
