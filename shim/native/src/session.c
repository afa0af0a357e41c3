#include "session.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

/* A member may fork while the list is read: it is read until it has no more members, but not for ever. */
enum { PASSES_MAX = 8, STAT_SIZE = 512 };

/* The session of a process that is not yet a zombie; -1 otherwise. */
static pid_t session_of(const char *pid)
{
	char path[64], stat[STAT_SIZE], state;
	const char *behind_name;
	struct error err;
	int parent, group, session;

	snprintf(path, sizeof(path), "/proc/%.32s/stat", pid);
	if (file_read(path, stat, sizeof(stat), 0, &err) < 0)
		return -1;
	behind_name = strrchr(stat, ')');
	if (!behind_name || sscanf(behind_name + 1, " %c %d %d %d", &state, &parent, &group, &session) != 4)
		return -1;
	return state == 'Z' || state == 'X' ? -1 : session;
}

/* Answers how many members were found. */
static int kill_members(pid_t leader)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	int found = 0;

	if (!processes)
		return 0;
	while ((entry = readdir(processes))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 1 && session_of(entry->d_name) == leader && kill(pid, SIGKILL) == 0)
			found++;
	}
	closedir(processes);
	return found;
}

void session_kill(pid_t leader)
{
	/* The leader is the caller's unreaped child, so that neither its pid nor its group's can be another's. */
	kill(-leader, SIGKILL);
	kill(leader, SIGKILL);
	for (int pass = 0; pass < PASSES_MAX && kill_members(leader) > 0; pass++)
		;
}
