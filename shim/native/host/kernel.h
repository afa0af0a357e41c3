/* Kernel interfaces that the C library has no names for. Each is documented in the manual page, or the file
 * below Documentation/ of the kernel, that is named beside it. The oldest kernel that has them all is 5.12. */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* clone(2), namespaces(7) */
#ifndef CLONE_NEWNS
#define CLONE_NEWNS 0x00020000
#define CLONE_NEWUTS 0x04000000
#define CLONE_NEWIPC 0x08000000
#define CLONE_NEWUSER 0x10000000
#define CLONE_NEWPID 0x20000000
#define CLONE_NEWNET 0x40000000
#endif

/* close_range(2) */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* openat2(2) */
#ifndef RESOLVE_NO_XDEV
#define RESOLVE_NO_XDEV 0x01
#define RESOLVE_NO_MAGICLINKS 0x02
#define RESOLVE_NO_SYMLINKS 0x04
#define RESOLVE_BENEATH 0x08
#define RESOLVE_IN_ROOT 0x10
#endif

/* mount API: filesystems/mount_api.rst, open_tree(2), fsopen(2), fsconfig(2), fsmount(2), move_mount(2) */
#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC 0x00000001
#define FSMOUNT_CLOEXEC 0x00000001
#define FSCONFIG_SET_FLAG 0
#define FSCONFIG_SET_STRING 1
#define FSCONFIG_CMD_CREATE 6
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_CLOEXEC 02000000
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* mount_setattr(2) */
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x00000001
#define MOUNT_ATTR_NOSUID 0x00000002
#define MOUNT_ATTR_NODEV 0x00000004
#define MOUNT_ATTR_NOEXEC 0x00000008
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

/* memfd_create(2), userspace-api/mfd_noexec.rst */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* ioctl_iflags(2) */
#define KERNEL_FS_IOC_GETFLAGS _IOR('f', 1, long)
#define KERNEL_FS_IOC_SETFLAGS _IOW('f', 2, long)
#define KERNEL_FS_APPEND_FL 0x00000020
#define KERNEL_FS_IMMUTABLE_FL 0x00000010

/* openat2(2) */
struct kernel_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

/* mount_setattr(2) */
struct kernel_mount_attr {
	uint64_t attr_set;
	uint64_t attr_clr;
	uint64_t propagation;
	uint64_t userns_fd;
};

/* capset(2), capabilities(7) */
#define KERNEL_CAPABILITY_VERSION_3 0x20080522
struct kernel_cap_header {
	uint32_t version;
	int pid;
};
struct kernel_cap_data {
	uint32_t effective;
	uint32_t permitted;
	uint32_t inheritable;
};

static inline int kernel_openat2(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct kernel_open_how how = {.flags = flags, .resolve = resolve};

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

static inline int kernel_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

/* fork(2) into new namespaces; the caller has a single thread. */
static inline pid_t kernel_fork(unsigned long namespaces)
{
	return (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, 0, 0, 0, 0);
}

static inline int kernel_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int kernel_pidfd_send_signal(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static inline int kernel_fsopen(const char *name)
{
	return (int)syscall(SYS_fsopen, name, FSOPEN_CLOEXEC);
}

static inline int kernel_fsconfig(int fs_fd, unsigned int command, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs_fd, command, key, value, 0);
}

static inline int kernel_fsmount(int fs_fd)
{
	return (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, 0);
}

/* Attaches the detached mount that mount_fd stands for. */
static inline int kernel_move_mount(int mount_fd, int dir_fd, const char *target)
{
	return (int)syscall(SYS_move_mount, mount_fd, "", dir_fd, target, MOVE_MOUNT_F_EMPTY_PATH);
}

static inline int kernel_open_tree(int dir_fd, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, dir_fd, path, flags);
}

static inline int kernel_mount_setattr(int mount_fd, unsigned int flags, struct kernel_mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, mount_fd, "", flags, attr, sizeof(*attr));
}

static inline int kernel_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int kernel_capset(struct kernel_cap_header *header, const struct kernel_cap_data *data)
{
	return (int)syscall(SYS_capset, header, data);
}

static inline int kernel_execveat(int fd, char *const argv[], char *const env[], int flags)
{
	return (int)syscall(SYS_execveat, fd, "", argv, env, flags);
}
