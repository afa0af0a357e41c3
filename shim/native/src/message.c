#include "message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The value of a string member of the JSON object on this line, just behind its opening quote; or NULL. A quote in
 * a string is escaped, so `"name":` can only be a member's name. */
static const char *find_string(const char *line, const char *end, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = line; at + size + 2 < end; at++) {
		const char *value;

		if (*at != '"' || memcmp(at + 1, name, size) != 0 || at[size + 1] != '"')
			continue;
		value = at + size + 2;
		while (value < end && (*value == ' ' || *value == ':'))
			value++;
		if (value < end && *value == '"')
			return value + 1;
	}
	return NULL;
}

struct text {
	char *data;
	size_t used, room; /* room without the NUL */
};

static void put(struct text *text, char byte)
{
	if ((unsigned char)byte < ' ')
		byte = ' ';
	if (text->used < text->room)
		text->data[text->used++] = byte;
}

static void put_code_point(struct text *text, uint32_t code)
{
	if (code < 0x80) {
		put(text, (char)code);
	} else if (code < 0x800) {
		put(text, (char)(0xc0 | code >> 6));
		put(text, (char)(0x80 | (code & 0x3f)));
	} else {
		put(text, (char)(0xe0 | code >> 12));
		put(text, (char)(0x80 | (code >> 6 & 0x3f)));
		put(text, (char)(0x80 | (code & 0x3f)));
	}
}

/* Takes the four digits of a \u escape; halves of surrogate pairs become question marks. Answers what it took. */
static size_t put_unicode(struct text *text, const char *at, const char *end)
{
	char digits[5] = { 0 };
	char *stop;
	uint32_t code;

	if (end - at < 4)
		return (size_t)(end - at);
	memcpy(digits, at, 4);
	code = (uint32_t)strtoul(digits, &stop, 16);
	if (*stop || (code >= 0xd800 && code < 0xe000))
		code = '?';
	put_code_point(text, code);
	return 4;
}

static void unescape(struct text *text, const char *at, const char *end)
{
	while (at < end && *at != '"') {
		if (*at != '\\') {
			put(text, *at++);
			continue;
		}
		if (++at == end)
			return;
		if (*at == 'u') {
			at += 1 + put_unicode(text, at + 1, end);
			continue;
		}
		put(text, strchr("nrtbf", *at) ? ' ' : *at);
		at++;
	}
}

/* Ends the text; not inside a UTF-8 sequence that was cut, and without white space behind it. */
static int finish(struct text *text)
{
	if (text->used == text->room) {
		while (text->used > 0 && (text->data[text->used - 1] & 0xc0) == 0x80)
			text->used--;
		if (text->used > 0 && (text->data[text->used - 1] & 0x80))
			text->used--;
	}
	while (text->used > 0 && text->data[text->used - 1] == ' ')
		text->used--;
	text->data[text->used] = 0;
	return text->used > 0;
}

static int is_error(const char *line, const char *end)
{
	const char *level = find_string(line, end, "level");

	return level && (strncmp(level, "error\"", 6) == 0 || strncmp(level, "fatal\"", 6) == 0);
}

int message_from_json(const char *log, char *message, size_t size)
{
	const char *best = NULL, *best_end = NULL;
	int best_is_error = 0;
	struct text text = { .data = message, .room = size - 1 };

	while (*log) {
		const char *end = strchrnul(log, '\n');
		const char *value = find_string(log, end, "msg");

		if (value && (!best_is_error || is_error(log, end))) {
			best = value;
			best_end = end;
			best_is_error = is_error(log, end);
		}
		log = *end ? end + 1 : end;
	}
	if (!best)
		return 0;
	unescape(&text, best, best_end);
	return finish(&text);
}

int message_from_text(const char *all, char *message, size_t size)
{
	const char *end = all + strlen(all), *start;
	struct text text = { .data = message, .room = size - 1 };

	while (end > all && (end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\r'))
		end--;
	for (start = end; start > all && start[-1] != '\n'; start--)
		;
	while (start < end)
		put(&text, *start++);
	return finish(&text);
}
