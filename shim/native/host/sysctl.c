#include "sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"
#include "sandbox.h"
#include "scoped.h"

static const struct {
	const char *key; /* a name, or a prefix if it ends with a slash */
	unsigned int flag;
} namespaced[] = {
	{"net/", SANDBOX_NETWORK},	    {"fs/mqueue/", SANDBOX_IPC},      {"kernel/msgmax", SANDBOX_IPC},
	{"kernel/msgmnb", SANDBOX_IPC},	    {"kernel/msgmni", SANDBOX_IPC},   {"kernel/sem", SANDBOX_IPC},
	{"kernel/shmall", SANDBOX_IPC},	    {"kernel/shmmax", SANDBOX_IPC},   {"kernel/shmmni", SANDBOX_IPC},
	{"kernel/shm_rmid_forced", SANDBOX_IPC}, {"kernel/hostname", SANDBOX_UTS}, {"kernel/domainname", SANDBOX_UTS},
	{"kernel/msg_next_id", SANDBOX_IPC}, {"kernel/sem_next_id", SANDBOX_IPC}, {"kernel/shm_next_id", SANDBOX_IPC},
};

/* The first separator says which notation it is; in the one with dots a slash stands for a dot. */
static int key_to_path(const char *key, size_t size, char path[SYSCTL_PATH_MAX])
{
	size_t first = strcspn(key, "./"), start = 0;
	int has_dots = first < size && key[first] == '.';

	if (size >= SYSCTL_PATH_MAX)
		return -1;
	for (size_t i = 0; i < size; i++) {
		char c = key[i];

		if (c <= ' ' || c > '~')
			return -1;
		if (has_dots && (c == '.' || c == '/'))
			c = c == '.' ? '/' : '.';
		path[i] = c;
	}
	path[size] = 0;
	/* No part may be empty, "." or "..". */
	for (;;) {
		size_t length = strcspn(path + start, "/");

		if (length == 0 || strspn(path + start, ".") == length)
			return -1;
		if (!path[start + length])
			return 0;
		start += length + 1;
	}
}

static int is_namespaced(const char *path, unsigned int flags)
{
	for (size_t i = 0; i < sizeof(namespaced) / sizeof(namespaced[0]); i++) {
		size_t size = strlen(namespaced[i].key);
		int is_prefix = namespaced[i].key[size - 1] == '/';

		if (!(flags & namespaced[i].flag))
			continue;
		if (is_prefix ? strncmp(path, namespaced[i].key, size) == 0 : strcmp(path, namespaced[i].key) == 0)
			return 1;
	}
	return 0;
}

int sysctl_parse(const char *setting, unsigned int flags, char path[SYSCTL_PATH_MAX], const char **value,
		 struct error *err)
{
	const char *equals = strchr(setting, '=');

	if (!equals)
		return error_set(err, EINVAL, "sysctl \"%s\" has no =", setting);
	if (key_to_path(setting, (size_t)(equals - setting), path) < 0)
		return error_set(err, EINVAL, "sysctl \"%s\" has a malformed key", setting);
	if (!is_namespaced(path, flags))
		return error_set(err, EINVAL, "sysctl %s does not belong to a namespace of the pod", path);
	*value = equals + 1;
	return 0;
}

static int try_setting(int sys_fd, const char *path, const char *value, struct error *err)
{
	SCOPED_FD fd = kernel_openat2(sys_fd, path, O_WRONLY | O_CLOEXEC | O_TRUNC,
				      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);

	if (fd < 0)
		return error_errno(err, errno, "cannot open sysctl %s", path);
	if (write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		return error_errno(err, errno, "cannot set sysctl %s to \"%s\"", path, value);
	return 0;
}

/* Some sysctls may be written by the root of the user namespace that they belong to and by nobody else, not even
 * the host's root (ipc_permissions of Linux 6.x); others are the other way round. */
static int write_setting(int sys_fd, const char *path, const char *value, const struct id_maps *maps,
			 struct error *err)
{
	int result = try_setting(sys_fd, path, value, err);

	if (result == 0 || !id_maps_given(maps) || (err->code != EACCES && err->code != EPERM))
		return result;
	if (setegid((gid_t)id_maps_root(maps->gids)) < 0 || seteuid((uid_t)id_maps_root(maps->uids)) < 0)
		return error_errno(err, errno, "cannot become root of a user namespace");
	result = try_setting(sys_fd, path, value, err);
	if (seteuid(0) < 0 || setegid(0) < 0)
		return error_errno(err, errno, "cannot become root again");
	return result;
}

int sysctl_apply(char *const *settings, unsigned int flags, const struct id_maps *maps, struct error *err)
{
	char path[SYSCTL_PATH_MAX];
	const char *value;
	SCOPED_FD sys_fd = -1;

	if (!settings[0])
		return 0;
	sys_fd = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (sys_fd < 0)
		return error_errno(err, errno, "cannot open /proc/sys");
	for (; *settings; settings++) {
		if (sysctl_parse(*settings, flags, path, &value, err) < 0 ||
		    write_setting(sys_fd, path, value, maps, err) < 0)
			return -1;
	}
	return 0;
}
