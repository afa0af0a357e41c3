#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tree-internal.h"

enum { SPECIAL_BITS = 07000 };

struct timespec entry_time(int64_t seconds, uint32_t nanoseconds)
{
	/* As Go's and others' clocks have it: what is before 1970 or behind 2262 is the epoch. */
	if (seconds < 0 || seconds >= INT64_MAX / 1000000000)
		return (struct timespec){ 0 };
	return (struct timespec){ .tv_sec = seconds, .tv_nsec = nanoseconds };
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Others are dropped: labels and integrity are the host's business, what overlayfs believes is ours alone, and user.*
 * exists on files and directories only. */
static bool is_wanted(const char *name, enum tar_type type)
{
	if (strcmp(name, "security.capability") == 0)
		return type == TAR_FILE;
	if (begins(name, "user."))
		return (type == TAR_FILE || type == TAR_DIRECTORY) && !begins(name, "user.overlay.");
	return begins(name, "trusted.") && !begins(name, "trusted.overlay.");
}

/* fd >= 0: of this file; otherwise of `name` in the working directory. */
static int set_xattrs(int fd, const char *name, const struct tar_entry *entry, struct error *err)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct tar_xattr *xattr = &entry->xattrs[i];
		int set;

		if (!is_wanted(xattr->name, entry->type))
			continue;
		set = fd >= 0 ? fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0) :
				lsetxattr(name, xattr->name, xattr->value, xattr->size, 0);
		if (set < 0 && errno != EOPNOTSUPP)
			return error_errno(err, errno, "cannot set extended attribute %.64s", xattr->name);
	}
	return 0;
}

static bool needs_owner(const struct tree *tree, const struct tar_entry *entry)
{
	return entry->uid != 0 || entry->gid != 0 || tree->parent.is_setgid;
}

int set_file_attributes(const struct tree *tree, int fd, const struct tar_entry *entry, struct error *err)
{
	struct timespec time = entry_time(entry->mtime_seconds, entry->mtime_nanoseconds);
	struct timespec times[2] = { time, time };

	if (needs_owner(tree, entry)) {
		if (fchown(fd, entry->uid, entry->gid) < 0)
			return error_errno(err, errno, "cannot set its owner");
		/* chown(2) takes the set-id bits away. */
		if ((entry->mode & SPECIAL_BITS) && fchmod(fd, entry->mode) < 0)
			return error_errno(err, errno, "cannot set its mode");
	}
	if (set_xattrs(fd, NULL, entry, err) < 0)
		return -1;
	return futimens(fd, times) < 0 ? error_errno(err, errno, "cannot set its time") : 0;
}

int set_node_attributes(const struct tree *tree, const char *name, const struct tar_entry *entry, struct error *err)
{
	int parent = tree->parent.fd;
	struct timespec time = entry_time(entry->mtime_seconds, entry->mtime_nanoseconds);
	struct timespec times[2] = { time, time };
	bool is_directory = entry->type == TAR_DIRECTORY;

	/* A directory may have been there before, with another owner and mode. */
	if ((is_directory || needs_owner(tree, entry)) &&
	    fchownat(parent, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, errno, "cannot set its owner");
	if ((is_directory || (entry->type != TAR_SYMLINK && (entry->mode & SPECIAL_BITS))) &&
	    fchmodat(parent, name, entry->mode, 0) < 0)
		return error_errno(err, errno, "cannot set its mode");
	if (entry->xattr_count > 0) {
		if (fchdir(parent) < 0)
			return error_errno(err, errno, "cannot enter its parent directory");
		if (set_xattrs(-1, name, entry, err) < 0)
			return -1;
	}
	if (!is_directory && utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, errno, "cannot set its time");
	return 0;
}
