/* Unix sockets that clients find by their path. */
#pragma once

#include "error.h"

/* Answers a socket that listens at the path (0600). Whatever was there is replaced, unless it is a directory. The
 * path may be longer than a socket's address, its last part may not. */
int listen_at(char *path, int backlog, struct error *err);
