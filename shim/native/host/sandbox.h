/* The namespaces of a pod (SANDBOX of shim/PROTOCOL.md). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "error.h"

enum sandbox_flag { SANDBOX_NETWORK = 1, SANDBOX_IPC = 2, SANDBOX_UTS = 4, SANDBOX_PID = 8, SANDBOX_FLAGS = 15 };

struct sandbox {
	char *directory;
	unsigned int flags;
	char *hostname; /* NULL: as it is */
	char **sysctls;
	int64_t shm_bytes; /* 0: no shm */
	char *program;	   /* pause; needed with SANDBOX_PID */
	char **cgroups;
};

/* Starts the pause program as PID 1 of a new PID namespace and waits until it is executed. It stays in the process
 * group of the caller, so that both are killed together until the caller has answered.
 * *pid is its id in the caller's namespace. */
int pause_start(const struct sandbox *sandbox, pid_t *pid, struct error *err);
