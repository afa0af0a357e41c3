/* Why the OCI runtime failed, from what it left behind. */
#pragma once

#include <stddef.h>

enum { MESSAGE_SIZE = 1024 };

/* The "msg" of the last error (else of the last line) in a log of JSON lines, unescaped, on one line, cut to fit.
 * Answers 0 if there is none. */
int message_from_json(const char *log, char *message, size_t size);

/* The last line that is not empty, cut to fit. Answers 0 if there is none. */
int message_from_text(const char *text, char *message, size_t size);
