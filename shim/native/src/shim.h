/* One shim: a container, the processes run inside it, the clients that are connected. */
#pragma once

#include <stdint.h>

#include "children.h"
#include "container.h"
#include "loop.h"
#include "options.h"

/* Limits of one shim. Connections beyond those of the execs are for short requests, watchers and attached clients. */
enum {
	CONNECTIONS_MAX = 160,
	EXECS_MAX = 64,
	ATTACHED_MAX = 64,
	/* Clients over the limit that are being told so; more are closed without a word. */
	REFUSED_MAX = 16,
	/* A new connection must say within this time what it wants, and an answered one be closed by its client. */
	CLIENT_IDLE_MS = 10 * 1000,
	/* Output queued for one client before what produces it is held back. */
	CLIENT_QUEUE_BYTES = 64 * 1024,
	/* Only output drained after the end of a process can queue up to this; what is beyond is dropped. */
	CLIENT_QUEUE_MAX = 4 * 1024 * 1024,
	/* How long an attached client that does not read may hold back the container's output. */
	ATTACH_STALL_MS = 10 * 1000,
	/* How long output is read after a process ended, if something keeps its pipe open. */
	DRAIN_MS = 500,
	/* How long the runtime may take to start an exec, if the client does not say; and the longest it may say. */
	EXEC_START_MS = 30 * 1000,
	EXEC_START_MAX_MS = 120 * 1000,
	/* One INPUT frame. */
	INPUT_MAX = 64 * 1024,
	DELETE_TIMEOUT_MS = 60 * 1000,
	LINGER_MS = 10 * 1000,
	EXIT_FILE_RETRY_MS = 1000,
	EXIT_FILE_RETRIES = 600,
};

struct connection;
struct exec;

struct shim {
	struct options options;
	struct loop loop;
	struct source signals;
	struct source listener;
	struct children children;
	struct container container;
	struct connection *connections;
	struct exec *execs;
	int is_end_told; /* a watcher has taken the container's last state */
	unsigned started_execs; /* numbers their files */
};

/* Makes epoll set, signals and listener (fd 3), and starts the container. */
int shim_start(struct shim *shim, struct error *err);

/* Stops the loop if the container is gone for good, a watcher was told so, and nobody else is connected. The end of
 * the process is what closes the watchers' connections. */
void shim_exit_if_done(struct shim *shim);

/* A line on standard error, for the person who looks for the reason. */
void shim_complain(const struct shim *shim, const char *what);

/* Nanoseconds since the epoch. */
int64_t now_ns(void);
