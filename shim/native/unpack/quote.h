/* Names from an archive, made fit for one line of text: control characters and backslashes become \ooo. */
#pragma once

#include <stddef.h>
#include <stdio.h>

enum { QUOTE_SIZE = 240 };

/* Cuts with "..." what does not fit. Answers `shown`. */
const char *quote(char shown[QUOTE_SIZE], const char *name);

/* Writes the whole name. */
void quote_to(FILE *stream, const char *name);
