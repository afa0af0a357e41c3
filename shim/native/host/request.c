#include "request.h"

#include <errno.h>
#include <stdlib.h>

#include "scoped.h"

static const struct {
	uint16_t type;
	const char *name;
	request_handler *handler;
} requests[] = {
	{FRAME_LAUNCH, "LAUNCH", request_launch},
	{FRAME_SANDBOX, "SANDBOX", request_sandbox},
	{FRAME_MOUNT_OVERLAY, "MOUNT_OVERLAY", request_mount_overlay},
	{FRAME_BIND, "BIND", request_bind},
	{FRAME_UNMOUNT, "UNMOUNT", request_unmount},
	{FRAME_REMOVE_TREE, "REMOVE_TREE", request_remove_tree},
	{FRAME_READ_IN_ROOT, "READ_IN_ROOT", request_read_in_root},
	{FRAME_DISK_USAGE, "DISK_USAGE", request_disk_usage},
	{FRAME_KILL_CGROUP, "KILL_CGROUP", request_kill_cgroup},
	{FRAME_REMOVE_CGROUP, "REMOVE_CGROUP", request_remove_cgroup},
	{FRAME_COPY_TREE, "COPY_TREE", request_copy_tree},
	{FRAME_RELABEL, "RELABEL", request_relabel},
	{FRAME_KILL_PROCESS, "KILL", request_kill_process},
	{FRAME_NET_DEVICES, "NET_DEVICES", request_net_devices},
	{FRAME_OPEN_FILES, "OPEN_FILES", request_open_files},
};

request_handler *request_find(uint16_t type, const char **name)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].type != type)
			continue;
		*name = requests[i].name;
		return requests[i].handler;
	}
	return NULL;
}

int request_text(const struct frame *request, uint16_t tag, const char *what, char **text, struct error *err)
{
	if (field_text(request, tag, text, err) < 0)
		return -1;
	if (*text && **text)
		return 0;
	free(*text);
	*text = NULL;
	return error_set(err, EINVAL, "the request has no %s", what);
}

int request_path(const struct frame *request, uint16_t tag, const char *what, char **path, struct error *err)
{
	if (request_text(request, tag, what, path, err) < 0)
		return -1;
	if (**path == '/')
		return 0;
	error_set(err, EINVAL, "the %s \"%s\" is not an absolute path", what, *path);
	free(*path);
	*path = NULL;
	return -1;
}

int request_paths(const struct frame *request, uint16_t tag, const char *what, char ***paths, struct error *err)
{
	if (field_texts(request, tag, paths, err) < 0)
		return -1;
	for (size_t i = 0; (*paths)[i]; i++) {
		if ((*paths)[i][0] == '/')
			continue;
		error_set(err, EINVAL, "the %s \"%s\" is not an absolute path", what, (*paths)[i]);
		texts_free(*paths);
		*paths = NULL;
		return -1;
	}
	return 0;
}

int request_each_path(const struct frame *request, int (*act)(const char *path, struct error *err), struct error *err)
{
	struct error later;
	SCOPED_TEXTS paths = NULL;
	int result = 0;

	if (request_paths(request, TAG_PATH, "path", &paths, err) < 0)
		return -1;
	for (char **path = paths; *path; path++)
		if (act(*path, result == 0 ? err : &later) < 0)
			result = -1;
	return result;
}

int request_integer(const struct frame *request, uint16_t tag, const int64_t range[2], int64_t *value,
		    struct error *err)
{
	struct field field;
	int found = field_find(request, tag, &field, err);

	if (found < 0)
		return -1;
	if (found == 0)
		return error_set(err, EINVAL, "the request has no field %u", tag);
	if (field_integer(request, tag, 0, value, err) < 0)
		return -1;
	if (*value < range[0] || *value > range[1])
		return error_set(err, EINVAL, "field %u of the request is %lld, not between %lld and %lld", tag,
				 (long long)*value, (long long)range[0], (long long)range[1]);
	return 0;
}
