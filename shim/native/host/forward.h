/* A TCP connection to a port of localhost in some network namespace, for one client of a unix socket (FORWARD of
 * shim/PROTOCOL.md). */
#pragma once

#include "frame.h"

enum {
	FORWARD_CONNECT_MAX_MS = 10 * 1000,
	FORWARD_ACCEPT_MS = 10 * 1000,
	/* A server may take nothing for this long once its client is gone. */
	FORWARD_LINGER_MS = 10 * 1000,
};

struct forward {
	int server;
	int listener;
	char *path; /* of the listener */
};

/* Listens, enters the namespace of the request and connects there: this process stays in it. */
int forward_open(struct forward *forward, const struct frame *request, struct error *err);

/* Takes the client, for at most accept_ms, and serves it until the end. */
void forward_serve(struct forward *forward, int accept_ms);

void forward_close(struct forward *forward);

/* The body of a worker: answers the request and serves the client. */
void forward_work(const struct frame *request);
