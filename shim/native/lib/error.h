/* What failed, in one line: every fallible function takes `struct error *err` last and returns < 0. */
#pragma once

struct error {
	int code; /* errno, or 0 if no system call is to blame */
	char text[512];
};

/* Fills err (cutting what does not fit) and returns -1, so that callers can `return error_set(...)`. */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Like error_set, with ": " and strerror(code) behind the text. */
int error_errno(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts what was being done before the text that err holds; returns -1. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
