#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "job.h"
#include "kernel.h"
#include "request.h"
#include "scoped.h"

enum {
	DEPTH_MAX = 64,	     /* of cgroups below the one that was named */
	BUSY_MS = 2000,	     /* for the kernel to take a cgroup's last, dead process out */
	BUSY_PAUSE_MS = 5,
	KILL_ROUNDS = 256,   /* for processes that fork while they are killed */
	PIDS_MAX = 4 * 1024 * 1024,
};

/* A set of process ids, in the order of their coming. */
struct pids {
	pid_t *items;
	size_t count, room;
};

static int has_pid(const struct pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->count; i++)
		if (pids->items[i] == pid)
			return 1;
	return 0;
}

static int add_pid(struct pids *pids, pid_t pid, struct error *err)
{
	if (pids->count == pids->room) {
		size_t room = pids->room ? pids->room * 2 : 64;
		pid_t *items = room > PIDS_MAX ? NULL : reallocarray(pids->items, room, sizeof(*items));

		if (!items)
			return error_errno(err, ENOMEM, "cannot remember %zu processes", room);
		pids->items = items;
		pids->room = room;
	}
	pids->items[pids->count++] = pid;
	return 0;
}

static int read_procs(int cgroup_fd, struct pids *pids, struct error *err)
{
	int fd = openat(cgroup_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int pid, result = 0;

	if (!file) {
		int code = errno;

		if (fd >= 0)
			close(fd);
		return code == ENOENT || code == ENODEV ? 0 : error_errno(err, code, "cannot read cgroup.procs");
	}
	while (result == 0 && fscanf(file, "%d", &pid) == 1)
		if (pid > 0)
			result = add_pid(pids, pid, err);
	fclose(file);
	return result;
}

/* Calls visit for every cgroup directly below. */
static int each_child(int cgroup_fd, int (*visit)(int, const char *, void *, struct error *), void *context,
		      struct error *err)
{
	int fd = openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SCOPED_DIR directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!directory)
		return errno == ENOENT || errno == ENODEV ? 0 : error_errno(err, errno, "cannot read a cgroup");
	while ((entry = readdir(directory)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    visit(cgroup_fd, entry->d_name, context, err) < 0)
			return -1;
	return 0;
}

struct collection {
	struct pids *pids;
	int depth;
};

static int collect(int parent_fd, const char *name, void *context, struct error *err)
{
	struct collection *collection = context;
	SCOPED_FD fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open cgroup %s", name);
	if (collection->depth == DEPTH_MAX)
		return error_set(err, ELOOP, "cgroup %s is more than %d levels deep", name, DEPTH_MAX);
	if (read_procs(fd, collection->pids, err) < 0)
		return -1;
	collection->depth++;
	result = each_child(fd, collect, collection, err);
	collection->depth--;
	return result;
}

static int list_processes(const char *cgroup, struct pids *pids, struct error *err)
{
	struct collection collection = {.pids = pids};

	pids->count = 0;
	if (collect(AT_FDCWD, cgroup, &collection, err) < 0)
		return error_wrap(err, "cannot list the processes of cgroup %s", cgroup);
	return 0;
}

/* cgroup v2 kills all of a cgroup and what is below at once. 1: done, 0: there is no such file. */
static int kill_at_once(const char *cgroup)
{
	char path[4096];
	SCOPED_FD fd = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s/cgroup.kill", cgroup) >= sizeof(path))
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "1", 1) == 1;
}

/* Signals a listed process only if it is still there after its pidfd was opened: else the id may be another's. */
static int signal_process(const char *cgroup, pid_t pid, int number, struct error *err)
{
	SCOPED_FD pidfd = kernel_pidfd_open(pid);
	struct pids now = {0};
	int is_listed;

	if (pidfd < 0)
		return 0;
	if (list_processes(cgroup, &now, err) < 0) {
		free(now.items);
		return -1;
	}
	is_listed = has_pid(&now, pid);
	free(now.items);
	return is_listed && kernel_pidfd_send_signal(pidfd, number) == 0;
}

/* Signals every process once, until there is none that was not signalled yet. */
static int kill_one_by_one(const char *cgroup, int number, struct pids *signalled, struct error *err)
{
	struct pids found = {0};
	int result = 0, is_new = 1;

	for (int round = 0; result == 0 && is_new; round++) {
		if (round == KILL_ROUNDS) {
			result = error_set(err, EAGAIN, "the processes of cgroup %s start new ones faster than they are killed",
					   cgroup);
			break;
		}
		is_new = 0;
		result = list_processes(cgroup, &found, err);
		for (size_t i = 0; result == 0 && i < found.count; i++) {
			if (has_pid(signalled, found.items[i]))
				continue;
			is_new = 1;
			result = signal_process(cgroup, found.items[i], number, err);
			if (result == 1)
				result = add_pid(signalled, found.items[i], err);
		}
	}
	free(found.items);
	return result;
}

int request_kill_cgroup(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	static const int64_t signals[2] = {1, NSIG - 1};
	SCOPED_TEXTS cgroups = NULL;
	struct pids signalled = {0};
	int64_t number, count = 0;
	int result = 0;

	if (request_paths(request, TAG_CGROUP, "cgroup", &cgroups, err) < 0 ||
	    request_integer(request, TAG_SIGNAL, signals, &number, err) < 0)
		return -1;
	for (char **cgroup = cgroups; *cgroup && result == 0; cgroup++) {
		size_t before = signalled.count;

		if (number == SIGKILL) {
			result = list_processes(*cgroup, &signalled, err);
			count += (int64_t)signalled.count;
			if (result == 0 && kill_at_once(*cgroup))
				continue;
			count -= (int64_t)signalled.count;
			signalled.count = before = 0;
		}
		if (result == 0)
			result = kill_one_by_one(*cgroup, (int)number, &signalled, err);
		count += (int64_t)(signalled.count - before);
	}
	free(signalled.items);
	if (result == 0)
		frame_put_integer(answer, TAG_EXIT_CODE, count);
	return result;
}

static int remove_cgroup(int parent_fd, const char *name, void *context, struct error *err)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000};
	const int64_t *give_up_ms = context;
	SCOPED_FD fd = -1;

	while (unlinkat(parent_fd, name, AT_REMOVEDIR) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return error_errno(err, errno, "cannot remove cgroup %s", name);
		if (fd < 0)
			fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && each_child(fd, remove_cgroup, context, err) < 0)
			return -1;
		if (now_ms() >= *give_up_ms)
			return error_set(err, EBUSY, "cannot remove cgroup %s: it still has processes", name);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int request_remove_cgroup(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	struct error later;
	SCOPED_TEXTS cgroups = NULL;
	int result = 0;

	(void)answer;
	if (request_paths(request, TAG_CGROUP, "cgroup", &cgroups, err) < 0)
		return -1;
	for (char **cgroup = cgroups; *cgroup; cgroup++) {
		int64_t give_up_ms = now_ms() + BUSY_MS;

		if (remove_cgroup(AT_FDCWD, *cgroup, &give_up_ms, result == 0 ? err : &later) < 0)
			result = -1;
	}
	return result;
}
