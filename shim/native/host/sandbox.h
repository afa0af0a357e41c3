/* The namespaces of a pod (SANDBOX of shim/PROTOCOL.md). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "userns.h"

enum sandbox_flag {
	SANDBOX_NETWORK = 1,
	SANDBOX_IPC = 2,
	SANDBOX_UTS = 4,
	SANDBOX_PID = 8,
	SANDBOX_USER = 16,
	SANDBOX_FLAGS = 31,
};

struct sandbox {
	char *directory;
	unsigned int flags;
	char *hostname; /* NULL: as it is */
	char **sysctls;
	int64_t shm_bytes; /* 0: no shm */
	char *program;	   /* pause; needed with SANDBOX_PID */
	char **cgroups;
	struct id_maps maps; /* given with SANDBOX_USER only */
};

/* The start of a pause process; zero is none. Its descriptors close by themselves at exec. */
struct pause {
	int program;
	int go[2];
	int failure[2];
	pid_t pid; /* as the host sees it; 0: not started */
};

/* Opens what pause_fork and pause_go need. */
int pause_prepare(const struct sandbox *sandbox, struct pause *pause, struct error *err);

/* Makes a PID namespace, owned by the caller's user namespace, and its PID 1, which waits for pause_go. It stays in
 * the process group of the caller, so that both are killed together until the caller has answered. */
int pause_fork(const struct sandbox *sandbox, struct pause *pause, struct error *err);

/* Puts the process into its cgroups and waits until it has become the pause program. */
int pause_go(const struct sandbox *sandbox, struct pause *pause, struct error *err);

void pause_close(struct pause *pause);

/* A process that owns namespaces which are to belong to a user namespace, until they are pinned. */
struct holder {
	pid_t pid;   /* 0: none */
	int user_fd; /* its user namespace */
};

/* Makes a user namespace with the sandbox's mappings and the namespaces in clone_flags inside it; also the pause
 * process if pause was prepared. It ends with holder_end, and its children become the caller's. */
int holder_start(const struct sandbox *sandbox, int clone_flags, struct pause *pause, struct holder *holder,
		 struct error *err);

void holder_end(struct holder *holder);
