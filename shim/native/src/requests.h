/* What the frames of clients mean. */
#pragma once

#include "connection.h"

/* Whether the next frame of this client may be looked at, or must wait for what it asked for before. */
int requests_may_be_taken(const struct connection *connection);

/* Does what a frame asks for. -1: it has no place here, and the client is cut off. */
int requests_take(struct connection *connection, const struct frame *frame, struct error *err);
