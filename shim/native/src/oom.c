#include "oom.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

enum { OOM_FILE_SIZE = 512, KILLED = 128 + SIGKILL };

/* The value of the line `oom_kill VALUE`; -1 if the file cannot be read, 0 if it has no such line. */
static int64_t count(const char *path)
{
	char text[OOM_FILE_SIZE];
	struct error err;
	const char *name = "oom_kill ";

	if (!path || !*path || file_read(path, text, sizeof(text), 0, &err) < 0)
		return -1;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (strncmp(line, name, strlen(name)) == 0)
			return strtoll(line + strlen(name), NULL, 10);
	return 0;
}

/* PARENT/CGROUP/memory.events → PARENT/memory.events */
static void name_parent(struct oom *oom)
{
	const char *name = "/memory.events", *end;
	size_t length;

	oom->parent[0] = 0;
	end = oom->file ? strrchr(oom->file, '/') : NULL;
	if (!end || strcmp(end, name) != 0)
		return;
	do
		end--;
	while (end > oom->file && *end != '/');
	length = end > oom->file ? (size_t)(end - oom->file) : 0;
	if (length > 0 && length + strlen(name) < sizeof(oom->parent))
		snprintf(oom->parent, sizeof(oom->parent), "%.*s%s", (int)length, oom->file, name);
}

void oom_begin(struct oom *oom, const char *file)
{
	oom->file = file;
	oom->was_counted = 0;
	name_parent(oom);
	oom->parent_before = count(oom->parent);
	if (oom->parent_before < 0)
		oom->parent_before = 0; /* the runtime will make it */
}

void oom_look(struct oom *oom)
{
	if (count(oom->file) > 0)
		oom->was_counted = 1;
}

int oom_has_killed(struct oom *oom, int exit_code)
{
	int64_t own = count(oom->file);

	if (oom->was_counted || own > 0)
		return 1;
	if (own == 0 || exit_code != KILLED)
		return 0;
	return count(oom->parent) > oom->parent_before;
}
