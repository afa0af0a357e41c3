#include "options.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct text_option {
	const char *name;
	size_t offset;
	int is_required, is_path;
	int is_short; /* other paths are made from it */
};

struct flag_option {
	const char *name;
	size_t offset;
};

static const struct text_option text_options[] = {
	{ "--id", offsetof(struct options, id), 1, 0, 0 },
	{ "--bundle", offsetof(struct options, bundle), 1, 1, 1 },
	{ "--runtime", offsetof(struct options, runtime), 1, 1, 0 },
	{ "--runtime-root", offsetof(struct options, runtime_root), 1, 1, 0 },
	{ "--exit-file", offsetof(struct options, exit_file), 1, 1, 1 },
	{ "--pid-file", offsetof(struct options, pid_file), 1, 1, 0 },
	{ "--log-path", offsetof(struct options, log_path), 0, 1, 0 },
	{ "--oom-file", offsetof(struct options, oom_file), 0, 1, 0 },
	{ "--io-owner", offsetof(struct options, io_owner), 0, 0, 0 },
	{ "--restore", offsetof(struct options, restore), 0, 1, 0 },
};

static const struct flag_option flag_options[] = {
	{ "--tty", offsetof(struct options, has_tty) },
	{ "--stdin", offsetof(struct options, has_stdin) },
	{ "--stdin-once", offsetof(struct options, is_stdin_once) },
	{ "--systemd-cgroup", offsetof(struct options, has_systemd_cgroup) },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char **text_of(struct options *options, const struct text_option *option)
{
	return (const char **)(void *)((char *)options + option->offset);
}

static int set_flag(struct options *options, const char *name)
{
	for (size_t i = 0; i < COUNT(flag_options); i++) {
		if (strcmp(flag_options[i].name, name) == 0) {
			*(int *)(void *)((char *)options + flag_options[i].offset) = 1;
			return 1;
		}
	}
	return 0;
}

static int set_text(struct options *options, const char *name, const char *value, struct error *err)
{
	for (size_t i = 0; i < COUNT(text_options); i++) {
		if (strcmp(text_options[i].name, name) != 0)
			continue;
		if (!value || !*value)
			return error_set(err, 0, "option %s needs a value", name);
		if (text_options[i].is_path && *value != '/')
			return error_set(err, 0, "option %s: \"%s\" is not an absolute path", name, value);
		if (text_options[i].is_short && strlen(value) >= PATH_LIMIT)
			return error_set(err, 0, "option %s: the path is longer than %d bytes", name, PATH_LIMIT - 1);
		*text_of(options, &text_options[i]) = value;
		return 0;
	}
	return error_set(err, 0, "unknown option \"%s\"", name);
}

static const char *parse_id(const char *text, uint32_t *id)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || value >= UINT32_MAX)
		return NULL;
	*id = (uint32_t)value;
	return end;
}

static int parse_owner(struct options *options, struct error *err)
{
	const char *rest;

	options->owner = (struct owner){ (uid_t)-1, (gid_t)-1 };
	if (!options->io_owner)
		return 0;
	rest = parse_id(options->io_owner, &options->owner.uid);
	rest = rest && *rest == ':' ? parse_id(rest + 1, &options->owner.gid) : NULL;
	if (rest && !*rest)
		return 0;
	return error_set(err, 0, "option --io-owner: \"%.50s\" is not UID:GID", options->io_owner);
}

int options_parse(struct options *options, char **argv, struct error *err)
{
	memset(options, 0, sizeof(*options));
	for (char **arg = argv + 1; *arg; arg++) {
		if (set_flag(options, *arg))
			continue;
		if (set_text(options, *arg, arg[1], err) < 0)
			return -1;
		arg++;
	}
	for (size_t i = 0; i < COUNT(text_options); i++)
		if (text_options[i].is_required && !*text_of(options, &text_options[i]))
			return error_set(err, 0, "option %s is missing", text_options[i].name);
	return parse_owner(options, err);
}
