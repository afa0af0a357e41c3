#include "attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "scoped.h"

/* XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel. */
enum { VALUE_MAX = 64 * 1024, LIST_MAX = 64 * 1024 };

static int is_left_out(const char *attribute)
{
	return strncmp(attribute, "trusted.overlay.", strlen("trusted.overlay.")) == 0 ||
	       strncmp(attribute, "user.overlay.", strlen("user.overlay.")) == 0 ||
	       strcmp(attribute, "security.selinux") == 0;
}

static int copy_one(const char *from, const char *to, const char *attribute, char *value)
{
	ssize_t size = lgetxattr(from, attribute, value, VALUE_MAX);

	if (size < 0)
		return errno == ENODATA ? 0 : -1;
	if (lsetxattr(to, attribute, value, (size_t)size, 0) == 0 || errno == EOPNOTSUPP)
		return 0;
	return -1;
}

/* There is no lgetxattrat: the entry is named through the descriptor of its directory. */
static int copy_extended(const char *from, const char *to)
{
	SCOPED_TEXT list = malloc(LIST_MAX);
	SCOPED_TEXT value = malloc(VALUE_MAX);
	ssize_t size;

	if (!list || !value)
		return -1;
	size = llistxattr(from, list, LIST_MAX);
	if (size < 0)
		return errno == EOPNOTSUPP ? 0 : -1;
	for (const char *name = list; name < list + size; name += strlen(name) + 1)
		if (!is_left_out(name) && copy_one(from, to, name, value) < 0)
			return -1;
	return 0;
}

/* The owner first: changing it takes set-user-id bits and file capabilities away. */
int attributes_copy(int from, int to, const char *name, const struct stat *info)
{
	const struct timespec times[2] = {info->st_atim, info->st_mtim};
	char from_path[NAME_MAX + 40], to_path[NAME_MAX + 40];

	snprintf(from_path, sizeof(from_path), "/proc/self/fd/%d/%s", from, name);
	snprintf(to_path, sizeof(to_path), "/proc/self/fd/%d/%s", to, name);
	if (fchownat(to, name, info->st_uid, info->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISLNK(info->st_mode) && fchmodat(to, name, info->st_mode & 07777, 0) < 0)
		return -1;
	if (copy_extended(from_path, to_path) < 0)
		return -1;
	return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
}
