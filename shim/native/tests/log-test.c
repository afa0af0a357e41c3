// with: src
#include "src/log-format.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/log.h"

/* Everything that a batch was flushed to. */
struct collected {
	struct log_batch batch;
	char *text;
	size_t size;
	int flushes;
};

static void collect(struct log_batch *batch)
{
	struct collected *collected = (struct collected *)batch;

	collected->text = realloc(collected->text, collected->size + batch->used + 1);
	assert(collected->text);
	memcpy(collected->text + collected->size, batch->data, batch->used);
	collected->size += batch->used;
	collected->text[collected->size] = 0;
	collected->flushes++;
	batch->used = 0;
}

static struct collected collected_new(size_t room)
{
	struct collected collected = { .batch = { .data = malloc(room), .room = room, .flush = collect } };
	const struct timespec then = { .tv_sec = 1700000000, .tv_nsec = 1234567 };

	assert(collected.batch.data);
	log_batch_time(&collected.batch, &then);
	return collected;
}

#define T "2023-11-14T22:13:20.001234567Z stdout "

struct row {
	const char *name;
	const char *pieces[4]; /* as they are read */
	int has_ended;
	const char *wanted;
};

static const struct row rows[] = {
	{ "one line", { "hello\n" }, 0, T "F hello\n" },
	{ "two lines in one read", { "a\nb\n" }, 0, T "F a\n" T "F b\n" },
	{ "a line in three reads", { "he", "ll", "o\n" }, 0, T "F hello\n" },
	{ "an empty line", { "\n" }, 0, T "F \n" },
	{ "empty lines between", { "a\n\n\nb\n" }, 0, T "F a\n" T "F \n" T "F \n" T "F b\n" },
	{ "a CR before the LF is dropped", { "a\r\n" }, 0, T "F a\n" },
	{ "only one CR is dropped", { "a\r\r\n" }, 0, T "F a\r\n" },
	{ "a CR and its LF in two reads", { "a\r", "\n" }, 0, T "F a\n" },
	{ "nothing but a CR", { "\r\n" }, 0, T "F \n" },
	{ "a CR elsewhere stays", { "a\rb\n" }, 0, T "F a\rb\n" },
	{ "a rest is held", { "a\nrest" }, 0, T "F a\n" },
	{ "a rest at the end is P", { "a\nrest" }, 1, T "F a\n" T "P rest\n" },
	{ "a CR in a rest stays", { "a\r" }, 1, T "P a\r\n" },
	{ "the end after a whole line adds nothing", { "a\n" }, 1, T "F a\n" },
	{ "no output at all", { NULL }, 1, "" },
};

static void lines_come_out_as_wanted(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct collected out = collected_new(LOG_BATCH_MIN);
		struct log_stream stream = { .name = "stdout" };

		for (int piece = 0; piece < 4 && row->pieces[piece]; piece++)
			log_format(&stream, (const uint8_t *)row->pieces[piece], strlen(row->pieces[piece]),
				   &out.batch);
		if (row->has_ended)
			log_format_end(&stream, &out.batch);
		collect(&out.batch);
		if (strcmp(out.text, row->wanted) != 0) {
			fprintf(stderr, "%s: got \"%s\"\n", row->name, out.text);
			abort();
		}
		free(stream.held);
		free(out.batch.data);
		free(out.text);
	}
}

/* Formats `size` bytes and an LF in reads of `step` bytes; checks tags and sizes of the pieces. */
static void check_long_line(size_t size, size_t step, size_t room)
{
	struct collected out = collected_new(room);
	struct log_stream stream = { .name = "stderr" };
	uint8_t *data = malloc(size + 1);
	size_t content = 0, prefix = strlen(T);
	char *line;

	assert(data);
	memset(data, 'x', size);
	data[size] = '\n';
	for (size_t at = 0; at <= size; at += step)
		log_format(&stream, data + at, at + step > size + 1 ? size + 1 - at : step, &out.batch);
	collect(&out.batch);
	for (line = out.text; *line;) {
		char *end = strchr(line, '\n');
		size_t piece = (size_t)(end - line) - prefix - 2;

		assert(end && strncmp(line + prefix - 7, "stderr ", 7) == 0);
		assert(line[prefix] == (end[1] ? 'P' : 'F'));
		assert(piece == LOG_PIECE_SIZE || !end[1]);
		content += piece;
		line = end + 1;
	}
	assert(content == size);
	assert(stream.held == NULL && stream.held_size == 0);
	free(data);
	free(out.batch.data);
	free(out.text);
}

static void long_lines_are_cut_at_the_limit(void)
{
	static const size_t sizes[] = { LOG_PIECE_SIZE - 1, LOG_PIECE_SIZE,	LOG_PIECE_SIZE + 1,
					2 * LOG_PIECE_SIZE, 2 * LOG_PIECE_SIZE + 1, 200000 };
	static const size_t steps[] = { 1000, LOG_PIECE_SIZE, LOG_PIECE_SIZE + 1, 65536, 300000 };

	for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++) {
		for (size_t step = 0; step < sizeof(steps) / sizeof(steps[0]); step++) {
			check_long_line(sizes[size], steps[step], LOG_BATCH_MIN);
			check_long_line(sizes[size], steps[step], 1024 * 1024);
		}
	}
}

static void short_lines_fill_a_batch_before_it_is_flushed(void)
{
	struct collected out = collected_new(LOG_BATCH_MIN);
	struct log_stream stream = { .name = "stdout" };
	static uint8_t newlines[4000];

	memset(newlines, '\n', sizeof(newlines));
	log_format(&stream, newlines, sizeof(newlines), &out.batch);
	assert(out.flushes > 0 && out.flushes <= (int)(sizeof(newlines) * LOG_PREFIX_MAX / LOG_BATCH_MIN) + 1);
	collect(&out.batch);
	assert(out.size == sizeof(newlines) * (strlen(T) + 3));
	free(out.batch.data);
	free(out.text);
}

static void only_regular_files_become_logs(void)
{
	char directory[] = "/tmp/lighter-log-XXXXXX", path[64], link[64];
	struct error err;
	struct log log;
	struct stat stat_;

	assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(link, sizeof(link), "%s/link", directory);
	assert(symlink(path, link) == 0);
	assert(log_open(&log, link, &err) < 0 && strstr(err.text, link));
	assert(log_open(&log, "/dev/null", &err) < 0 && strstr(err.text, "not a regular file"));
	assert(log_open(&log, directory, &err) < 0);
	assert(log_open(&log, path, &err) == 0);
	log_write(&log, 2, (const uint8_t *)"one\ntw", 6);
	log_end(&log);
	assert(stat(path, &stat_) == 0 && stat_.st_size == 2 * (off_t)strlen(T "F ") + 3 + 2 + 2);
	assert(unlink(path) == 0);
	assert(log_reopen(&log, &err) == 0);
	assert(stat(path, &stat_) == 0 && stat_.st_size == 0);
	close(log.fd);
	assert(log_open(&log, NULL, &err) == 0);
	log_write(&log, 1, (const uint8_t *)"dropped\n", 8);
	assert(log_reopen(&log, &err) == 0);
	log_end(&log);
	unlink(path);
	unlink(link);
	rmdir(directory);
}

int main(void)
{
	lines_come_out_as_wanted();
	long_lines_are_cut_at_the_limit();
	short_lines_fill_a_batch_before_it_is_flushed();
	only_regular_files_become_logs();
	return 0;
}
