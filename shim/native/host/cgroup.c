#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "job.h"
#include "kernel.h"
#include "request.h"
#include "scoped.h"

enum {
	DEPTH_MAX = 64,	     /* of cgroups below the one that was named */
	BUSY_MS = 2000,	     /* for the kernel to take a cgroup's last, dead process out */
	BUSY_PAUSE_MS = 5,
	BATCH = 256,	     /* processes signalled together */
	KILL_ROUNDS = 4096,  /* batches, with those of processes that fork while they are killed */
	PIDS_MAX = 4 * 1024 * 1024,
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

int cgroup_processes(const char *cgroup, struct pids *pids, struct error *err)
{
	struct collection collection = {.pids = pids};

	pids->count = 0;
	if (collect(AT_FDCWD, cgroup, &collection, err) < 0)
		return error_wrap(err, "cannot list the processes of cgroup %s", cgroup);
	return 0;
}

/* A process that was found in a cgroup, and the pidfd that was opened for its id. */
struct target {
	pid_t pid;
	int pidfd;
};

/* Signals those targets that are still listed after their pidfds were opened: another's id may have become the
 * same before. Adds them to `signalled`. */
static int signal_targets(const char *cgroup, const struct target *targets, int number, struct pids *signalled,
			  struct error *err)
{
	struct pids now = {0};
	int result = cgroup_processes(cgroup, &now, err);

	for (int i = 0; i < BATCH; i++) {
		if (targets[i].pid == 0)
			break;
		if (result == 0 && targets[i].pidfd >= 0 && has_pid(&now, targets[i].pid) &&
		    kernel_pidfd_send_signal(targets[i].pidfd, number) == 0)
			result = add_pid(signalled, targets[i].pid, err);
		if (targets[i].pidfd >= 0)
			close(targets[i].pidfd);
	}
	free(now.items);
	return result;
}

/* Signals a batch of the processes that were not signalled yet. Answers how many there were, or -1. */
static int signal_new(const char *cgroup, int number, struct pids *signalled, struct error *err)
{
	struct target targets[BATCH] = {{0}};
	struct pids found = {0};
	int count = 0;

	if (cgroup_processes(cgroup, &found, err) < 0) {
		free(found.items);
		return -1;
	}
	for (size_t i = 0; i < found.count && count < BATCH; i++) {
		if (has_pid(signalled, found.items[i]))
			continue;
		targets[count++] = (struct target){found.items[i], kernel_pidfd_open(found.items[i])};
	}
	free(found.items);
	if (count > 0 && signal_targets(cgroup, targets, number, signalled, err) < 0)
		return -1;
	return count;
}

/* Signals every process once, until there is none that was not signalled yet. Answers 0 or -1. */
static int kill_one_by_one(const char *cgroup, int number, int64_t *count, struct error *err)
{
	struct pids signalled = {0};
	int found = 1;

	for (int round = 0; found > 0; round++) {
		if (round == KILL_ROUNDS)
			found = error_set(err, EAGAIN, "cgroup %s starts processes faster than they are killed", cgroup);
		else
			found = signal_new(cgroup, number, &signalled, err);
	}
	*count += (int64_t)signalled.count;
	free(signalled.items);
	return found;
}

/* cgroup v2 kills all of a cgroup and what is below at once. 1: done, 0: there is no such file, -1: failed. */
static int kill_at_once(const char *cgroup, int64_t *count, struct error *err)
{
	SCOPED_FD directory = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	SCOPED_FD file = directory < 0 ? -1 : openat(directory, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	struct pids listed = {0};
	int result;

	if (file < 0)
		return 0;
	result = cgroup_processes(cgroup, &listed, err);
	*count += (int64_t)listed.count;
	free(listed.items);
	if (result < 0)
		return -1;
	/* One that is being removed is ENOENT, one that has been is ENODEV: neither has processes. */
	if (write(file, "1", 1) != 1 && errno != ENOENT && errno != ENODEV)
		return error_errno(err, errno, "cannot kill cgroup %s", cgroup);
	return 1;
}

int request_kill_cgroup(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	static const int64_t signals[2] = {1, NSIG - 1};
	SCOPED_TEXTS cgroups = NULL;
	int64_t number, count = 0;

	if (request_paths(request, TAG_CGROUP, "cgroup", &cgroups, err) < 0 ||
	    request_integer(request, TAG_SIGNAL, signals, &number, err) < 0)
		return -1;
	for (char **cgroup = cgroups; *cgroup; cgroup++) {
		int killed = number == SIGKILL ? kill_at_once(*cgroup, &count, err) : 0;

		if (killed < 0 || (killed == 0 && kill_one_by_one(*cgroup, (int)number, &count, err) < 0))
			return -1;
	}
	frame_put_integer(answer, TAG_EXIT_CODE, count);
	return 0;
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
