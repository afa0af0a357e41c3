#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(struct error *err, const char *text)
{
	size_t used = strlen(err->text);

	snprintf(err->text + used, sizeof(err->text) - used, "%s", text);
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	err->code = code;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return -1;
}

int error_errno(struct error *err, int code, const char *format, ...)
{
	va_list args;

	err->code = code;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	append(err, ": ");
	append(err, strerror(code));
	return -1;
}

int error_wrap(struct error *err, const char *format, ...)
{
	char before[sizeof(err->text)];
	va_list args;

	memcpy(before, err->text, sizeof(before));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	append(err, ": ");
	append(err, before);
	return -1;
}
