#include "quote.h"

#include <stdbool.h>
#include <string.h>

enum { ESCAPE_SIZE = 4 };

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte != 0x7f && byte != '\\';
}

const char *quote(char shown[QUOTE_SIZE], const char *name)
{
	size_t used = 0;

	for (; *name; name++) {
		unsigned char byte = (unsigned char)*name;

		if (used + ESCAPE_SIZE + sizeof("...") > QUOTE_SIZE) {
			memcpy(shown + used, "...", 3);
			used += 3;
			break;
		}
		if (is_plain(byte))
			shown[used++] = *name;
		else
			used += (size_t)snprintf(shown + used, ESCAPE_SIZE + 1, "\\%03o", byte);
	}
	shown[used] = 0;
	return shown;
}

void quote_to(FILE *stream, const char *name)
{
	for (; *name; name++) {
		if (is_plain((unsigned char)*name))
			putc_unlocked(*name, stream);
		else
			fprintf(stream, "\\%03o", (unsigned char)*name);
	}
}
