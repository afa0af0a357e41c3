#include "userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "scoped.h"

enum { MAP_BYTES_MAX = ID_MAPPINGS_MAX * 33 };

/* Decimal, without sign; the character behind it must be `end`. The last id stands for "none" in system calls. */
static const char *parse_id(const char *text, char end, uint32_t *id)
{
	uint64_t value = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (uint64_t)(*at - '0');
		if (value >= UINT32_MAX)
			return NULL;
	}
	if (at == text || *at != end)
		return NULL;
	*id = (uint32_t)value;
	return end ? at + 1 : at;
}

int id_range_parse(const char *mapping, struct id_range *range, struct error *err)
{
	const char *rest = parse_id(mapping, ' ', &range->container);

	rest = rest ? parse_id(rest, ' ', &range->host) : NULL;
	rest = rest ? parse_id(rest, 0, &range->length) : NULL;
	if (!rest || range->length == 0 || (uint64_t)range->container + range->length > UINT32_MAX ||
	    (uint64_t)range->host + range->length > UINT32_MAX)
		return error_set(err, EINVAL, "\"%.100s\" is not an id mapping: want three numbers", mapping);
	return 0;
}

static int check_list(char *const *mappings, const char *what, struct error *err)
{
	struct id_range range;
	size_t count = 0;

	for (; mappings[count]; count++)
		if (id_range_parse(mappings[count], &range, err) < 0)
			return -1;
	if (count > ID_MAPPINGS_MAX)
		return error_set(err, EINVAL, "%zu %s mappings: the kernel takes %d", count, what, ID_MAPPINGS_MAX);
	return 0;
}

int id_maps_parse(const struct frame *request, struct id_maps *maps, struct error *err)
{
	if (field_texts(request, TAG_UID_MAPPING, &maps->uids, err) < 0 ||
	    field_texts(request, TAG_GID_MAPPING, &maps->gids, err) < 0 || check_list(maps->uids, "uid", err) < 0 ||
	    check_list(maps->gids, "gid", err) < 0)
		return -1;
	if (!maps->uids[0] != !maps->gids[0])
		return error_set(err, EINVAL, "there are only %s mappings", maps->uids[0] ? "uid" : "gid");
	return 0;
}

void id_maps_free(struct id_maps *maps)
{
	texts_free(maps->uids);
	texts_free(maps->gids);
}

int64_t id_maps_root(char *const *mappings)
{
	struct id_range range;
	struct error ignored;

	for (; *mappings; mappings++)
		if (id_range_parse(*mappings, &range, &ignored) == 0 && range.container == 0)
			return range.host;
	return -1;
}

static uint32_t highest_in(char *const *mappings, uint32_t wanted)
{
	struct id_range range;
	struct error ignored;
	uint32_t highest = 0;

	for (; *mappings; mappings++) {
		if (id_range_parse(*mappings, &range, &ignored) < 0 || range.container > wanted)
			continue;
		if (wanted - range.container < range.length)
			return wanted;
		if (range.container + range.length - 1 > highest)
			highest = range.container + range.length - 1;
	}
	return highest;
}

uint32_t id_maps_highest(const struct id_maps *maps, uint32_t wanted)
{
	return highest_in(maps->gids, highest_in(maps->uids, wanted));
}

/* The kernel takes a map in one write only. */
static int write_map(pid_t pid, const char *file, char *const *mappings, struct error *err)
{
	char path[64], text[MAP_BYTES_MAX];
	size_t used = 0;
	SCOPED_FD fd = -1;

	for (; *mappings; mappings++) {
		size_t size = strlen(*mappings);

		if (used + size + 1 > sizeof(text))
			return error_set(err, E2BIG, "the %s is longer than %zu bytes", file, sizeof(text));
		memcpy(text + used, *mappings, size);
		text[used + size] = '\n';
		used += size + 1;
	}
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, used) != (ssize_t)used)
		return error_errno(err, errno, "cannot write the %s of a user namespace", file);
	return 0;
}

static int open_of_process(pid_t pid, const struct id_maps *maps, struct error *err)
{
	char path[64];
	int fd;

	if (write_map(pid, "uid_map", maps->uids, err) < 0 || write_map(pid, "gid_map", maps->gids, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "cannot open a user namespace");
	return fd;
}

int userns_open(const struct id_maps *maps, struct error *err)
{
	pid_t pid = kernel_fork(CLONE_NEWUSER);
	int fd;

	if (pid < 0)
		return error_errno(err, errno, "cannot make a user namespace");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	fd = open_of_process(pid, maps, err);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

int userns_enter(int user_fd, struct error *err)
{
	if (setns(user_fd, CLONE_NEWUSER) < 0)
		return error_errno(err, errno, "cannot enter a user namespace");
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return error_errno(err, errno, "cannot become root of a user namespace");
	return 0;
}
