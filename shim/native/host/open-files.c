#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "request.h"
#include "scoped.h"

/* Descriptors looked at in one cgroup; a container may have millions, and each costs a system call. */
enum { FILES_MAX = 100 * 1000 };

/* A flag of the request. */
enum { PROCESSES_ONLY = 1 };

struct open_files {
	int64_t files, sockets;
};

static int is_socket(int directory_fd, const char *name)
{
	static const char prefix[] = "socket:";
	char target[sizeof(prefix) - 1];
	ssize_t size = readlinkat(directory_fd, name, target, sizeof(target));

	return size == (ssize_t)sizeof(target) && memcmp(target, prefix, sizeof(target)) == 0;
}

/* A process that has ended, or that may not be looked at, has none. */
static void count_process(pid_t pid, struct open_files *counted)
{
	char path[32];
	struct dirent *entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	SCOPED_DIR directory = fdopendir(fd);

	if (!directory) {
		close(fd);
		return;
	}
	while (counted->files < FILES_MAX && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		counted->files++;
		counted->sockets += is_socket(fd, entry->d_name);
	}
}

int request_open_files(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	SCOPED_TEXTS cgroups = NULL;
	struct pids pids = {0};
	int64_t flags;
	int result = 0;

	if (request_paths(request, TAG_CGROUP, "cgroup", &cgroups, err) < 0 ||
	    field_integer(request, TAG_FLAGS, 0, &flags, err) < 0)
		return -1;
	for (char **cgroup = cgroups; *cgroup && result == 0; cgroup++) {
		struct open_files counted = {0};
		char line[64];

		result = cgroup_processes(*cgroup, &pids, err);
		for (size_t i = 0; result == 0 && i < pids.count && !(flags & PROCESSES_ONLY); i++)
			count_process(pids.items[i], &counted);
		snprintf(line, sizeof(line), "%zu %lld %lld", pids.count, (long long)counted.files,
			 (long long)counted.sockets);
		frame_put_text(answer, TAG_DATA, line);
	}
	free(pids.items);
	return result;
}
