// with: src
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/children.h"
#include "src/exit-file.h"
#include "src/files.h"
#include "src/message.h"
#include "src/oom.h"
#include "src/options.h"

struct message_row {
	const char *log, *wanted; /* wanted NULL: there is none */
};

static const struct message_row json_rows[] = {
	{ "", NULL },
	{ "not json\n", NULL },
	{ "{\"level\":\"error\",\"msg\":\"it broke\",\"time\":\"x\"}\n", "it broke" },
	{ "{\"msg\" : \"it broke\", \"level\": \"error\"}", "it broke" },
	{ "{\"level\":\"error\",\"msg\":\"first\"}\n{\"level\":\"error\",\"msg\":\"second\"}\n", "second" },
	{ "{\"level\":\"error\",\"msg\":\"first\"}\n{\"level\":\"warning\",\"msg\":\"second\"}\n", "first" },
	{ "{\"level\":\"warning\",\"msg\":\"first\"}\n{\"level\":\"info\",\"msg\":\"second\"}\n", "second" },
	{ "{\"level\":\"fatal\",\"msg\":\"f\"}\n{\"level\":\"debug\",\"msg\":\"d\"}\n", "f" },
	{ "{\"level\":\"error\",\"msg\":\"exec: \\\"\\/no\\\\pe\\\": a\\nb\\tc\"}\n", "exec: \"/no\\pe\": a b c" },
	{ "{\"level\":\"error\",\"msg\":\"\\u00fc\\u20ac\\u0041\\u0000\\ud83d.\"}\n", "\xc3\xbc\xe2\x82\xac" "A ?." },
	{ "{\"level\":\"error\",\"msg\":\"cut \\u00\n", "cut" },
	{ "{\"level\":\"error\",\"msg\":\"cut off \\", "cut off" },
	{ "{\"level\":\"error\",\"msg\":\"\"}\n", NULL },
	{ "{\"level\":\"error\",\"msg\":7}\n", NULL },
	{ "{\"level\":\"error\",\"note\":\"\\\"msg\\\":\\\"no\\\"\",\"msg\":\"yes\"}\n", "yes" },
};

static const struct message_row text_rows[] = {
	{ "", NULL },
	{ "\n \n", NULL },
	{ "one", "one" },
	{ "one\ntwo\r\n\n", "two" },
};

static void check_messages(const struct message_row *rows, size_t count,
			   int (*extract)(const char *, char *, size_t))
{
	for (size_t i = 0; i < count; i++) {
		char *log = strdup(rows[i].log); /* on the heap: reading past its end is noticed */
		char message[64] = "";
		int found = extract(log, message, sizeof(message));

		if (found != (rows[i].wanted != NULL) || (found && strcmp(message, rows[i].wanted) != 0)) {
			fprintf(stderr, "%s: got \"%s\"\n", rows[i].log, message);
			abort();
		}
		free(log);
	}
}

static void long_messages_are_cut_between_characters(void)
{
	const char *log = "{\"level\":\"error\",\"msg\":\"\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\"}";
	char message[6];

	assert(message_from_json(log, message, sizeof(message)) == 1);
	assert(strcmp(message, "\xc3\xbc\xc3\xbc") == 0);
	assert(message_from_text("abcdefgh", message, sizeof(message)) == 1);
	assert(strcmp(message, "abcde") == 0);
}

#define REQUIRED                                                                                                     \
	"shim", "--id", "i", "--bundle", "/b", "--runtime", "/r", "--runtime-root", "/rr", "--exit-file", "/e",      \
		"--pid-file", "/p"

static void options_are_checked(void)
{
	struct options options;
	struct error err;
	char *whole[] = { REQUIRED, "--tty", "--log-path", "/l", "--stdin", NULL };
	char *missing[] = { "shim", "--id", "i", NULL };
	char *unknown[] = { REQUIRED, "--nope", "x", NULL };
	char *relative[] = { REQUIRED, "--log-path", "l", NULL };
	char *without_value[] = { REQUIRED, "--log-path", NULL };
	char long_path[PATH_LIMIT + 1] = "";
	char *too_long[] = { REQUIRED, "--bundle", long_path, NULL };
	char *empty[] = { REQUIRED, "--log-path", "", NULL };
	char *restoring[] = { REQUIRED, "--restore", "/images", NULL };
	char *restoring_here[] = { REQUIRED, "--restore", "images", NULL };
	char *owned[] = { REQUIRED, "--io-owner", "", NULL };
	char *const owners[] = { "1", ":1", "1:", "1:2:3", "-1:2", "1:4294967295", "1 :2", "a:b" };

	memset(long_path, 'x', PATH_LIMIT);
	long_path[0] = '/';
	assert(options_parse(&options, too_long, &err) < 0 && strstr(err.text, "longer"));
	long_path[PATH_LIMIT - 1] = 0;
	assert(options_parse(&options, too_long, &err) == 0);
	assert(options_parse(&options, whole, &err) == 0);
	assert(strcmp(options.id, "i") == 0 && strcmp(options.pid_file, "/p") == 0);
	assert(strcmp(options.log_path, "/l") == 0 && !options.oom_file);
	assert(options.has_tty && options.has_stdin && !options.is_stdin_once && !options.has_systemd_cgroup);
	assert(!options.restore);
	assert(options_parse(&options, restoring, &err) == 0 && strcmp(options.restore, "/images") == 0);
	assert(options_parse(&options, restoring_here, &err) < 0 && strstr(err.text, "absolute"));
	assert(options_parse(&options, missing, &err) < 0 && strstr(err.text, "--bundle is missing"));
	assert(options_parse(&options, unknown, &err) < 0 && strstr(err.text, "\"--nope\""));
	assert(options_parse(&options, relative, &err) < 0 && strstr(err.text, "absolute"));
	assert(options_parse(&options, without_value, &err) < 0 && strstr(err.text, "needs a value"));
	assert(options_parse(&options, empty, &err) < 0 && strstr(err.text, "needs a value"));
	assert(options_parse(&options, whole, &err) == 0 && options.owner.uid == (uid_t)-1);
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		owned[sizeof(owned) / sizeof(owned[0]) - 2] = owners[i];
		assert(options_parse(&options, owned, &err) < 0 && strstr(err.text, "UID:GID"));
	}
	owned[sizeof(owned) / sizeof(owned[0]) - 2] = "65536:4294967294";
	assert(options_parse(&options, owned, &err) == 0);
	assert(options.owner.uid == 65536 && options.owner.gid == 4294967294);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int oom_is_seen(const char *path, int exit_code)
{
	struct oom oom;

	oom_begin(&oom, path);
	return oom_has_killed(&oom, exit_code);
}

static void oom_kills_are_counted(const char *path)
{
	static const struct {
		const char *text;
		int wanted;
	} rows[] = {
		{ "", 0 },
		{ "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", 0 },
		{ "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 1 },
		{ "low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\noom_group_kill 0\n", 1 },
		{ "oom_group_kill 1\n", 0 },
		{ "oom_kill x\n", 0 },
		{ "oom_kill 3", 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_text(path, rows[i].text);
		assert(oom_is_seen(path, 1) == rows[i].wanted);
	}
	assert(oom_is_seen("/nonexistent", 137) == 0);
	assert(oom_is_seen("memory.events", 137) == 0);
	assert(oom_is_seen("/memory.events", 137) == 0);
	assert(oom_is_seen("/scope/memory.events", 137) == 0);
	assert(oom_is_seen(NULL, 137) == 0);
}

/* systemd takes the cgroup away with the last process; the slice above has counted, too. */
static void oom_kills_are_seen_after_the_cgroup_has_gone(const char *directory)
{
	static const struct {
		const char *before, *own, *after; /* NULL: there is no such file */
		int is_looked_at, exit_code, wanted;
	} rows[] = {
		{ "oom_kill 0\n", NULL, "oom_kill 1\n", 0, 137, 1 },
		{ "oom_kill 4\n", NULL, "oom_kill 5\n", 0, 137, 1 },
		{ NULL, NULL, "oom_kill 1\n", 0, 137, 1 }, /* the slice was made with the container */
		{ "oom_kill 4\n", NULL, "oom_kill 4\n", 0, 137, 0 }, /* another container's, before this one */
		{ "oom_kill 0\n", NULL, "oom_kill 1\n", 0, 1, 0 }, /* it was not killed */
		{ "oom_kill 0\n", "oom_kill 0\n", "oom_kill 1\n", 0, 137, 0 }, /* its own file is there and says no */
		{ "oom_kill 0\n", NULL, NULL, 0, 137, 0 },
		{ NULL, "oom_kill 1\n", NULL, 1, 1, 1 }, /* seen before the cgroup went */
	};
	char scope[64], own[96], parent[96];
	struct oom oom;

	snprintf(scope, sizeof(scope), "%s/x.scope", directory);
	snprintf(own, sizeof(own), "%s/memory.events", scope);
	snprintf(parent, sizeof(parent), "%s/memory.events", directory);
	assert(mkdir(scope, 0755) == 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unlink(own);
		unlink(parent);
		if (rows[i].before)
			write_text(parent, rows[i].before);
		oom_begin(&oom, own);
		if (rows[i].own)
			write_text(own, rows[i].own);
		if (rows[i].is_looked_at) {
			oom_look(&oom);
			unlink(own);
		}
		unlink(parent);
		if (rows[i].after)
			write_text(parent, rows[i].after);
		assert(oom_has_killed(&oom, rows[i].exit_code) == rows[i].wanted);
	}
	unlink(own);
	unlink(parent);
	assert(rmdir(scope) == 0);
}

static void exit_files_hold_their_lines(const char *path)
{
	struct exit_record exited = { .exit_code = 137, .signal = 9, .is_oom = 1, .finished_ns = 1700000000123456789 };
	struct exit_record failed = { .failure = "no luck" };
	struct error err;
	char text[256], temporary[64];

	assert(exit_file_write(path, &exited, &err) == 0);
	assert(file_read(path, text, sizeof(text), 0, &err) > 0);
	assert(strcmp(text, "version 1\nexit_code 137\nsignal 9\noom 1\nfinished_ns 1700000000123456789\n") == 0);
	assert(exit_file_write(path, &failed, &err) == 0);
	assert(file_read(path, text, sizeof(text), 0, &err) > 0);
	assert(strcmp(text, "version 1\nerror no luck\n") == 0);
	assert(exit_file_write("/nonexistent/exit", &exited, &err) < 0 && err.code == ENOENT);
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	assert(access(temporary, F_OK) < 0);
}

static void files_are_read_within_bounds(const char *path)
{
	struct error err;
	char text[5];

	write_text(path, "0123456789");
	assert(file_read(path, text, sizeof(text), 0, &err) == 4 && strcmp(text, "0123") == 0);
	assert(file_read(path, text, sizeof(text), 1, &err) == 4 && strcmp(text, "6789") == 0);
	write_text(path, "ab");
	assert(file_read(path, text, sizeof(text), 1, &err) == 2 && strcmp(text, "ab") == 0);
	assert(file_read("/nonexistent", text, sizeof(text), 0, &err) < 0 && err.code == ENOENT);
}

struct watched {
	struct child child;
	int status, count;
};

static void note(struct child *child, int status)
{
	struct watched *watched = (struct watched *)child;

	watched->status = status;
	watched->count++;
}

static pid_t child_that_exits(int code)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	assert(pid > 0);
	return pid;
}

/* While a start runs, a process that ended before its pid was known can still be waited for. */
static void strangers_wait_for_starts(void)
{
	struct children children = { .starting = 1 };
	struct watched early = { .child.ended = note }, lost = { .child.ended = note };
	pid_t pid = child_that_exits(5);

	usleep(50 * 1000);
	children_reap(&children);
	children_add(&children, &early.child, pid);
	children.starting = 0;
	children_add(&children, &lost.child, 1); /* never our child */
	children_reap(&children);
	assert(early.count == 1 && exit_code_of(early.status) == 5 && signal_of(early.status) == 0);
	assert(lost.count == 1 && exit_code_of(lost.status) == 255);
	assert(!children.first);
	pid = child_that_exits(0);
	while (kill(pid, 0) == 0)
		children_reap(&children);
}

int main(void)
{
	char directory[] = "/tmp/lighter-shim-XXXXXX", path[64];

	assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
	check_messages(json_rows, sizeof(json_rows) / sizeof(json_rows[0]), message_from_json);
	check_messages(text_rows, sizeof(text_rows) / sizeof(text_rows[0]), message_from_text);
	long_messages_are_cut_between_characters();
	options_are_checked();
	oom_kills_are_counted(path);
	oom_kills_are_seen_after_the_cgroup_has_gone(directory);
	exit_files_hold_their_lines(path);
	files_are_read_within_bounds(path);
	strangers_wait_for_starts();
	unlink(path);
	rmdir(directory);
	return 0;
}
