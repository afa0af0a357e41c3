/* PID 1 of pods that share their PID namespace: a process that can do nothing and reach nothing. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "kernel.h"
#include "sandbox.h"
#include "scoped.h"

enum { NOBODY = 65535, PROGRAM_BYTES_MAX = 4 * 1024 * 1024 };

#define PROGRAM_NAME "lighter-pause"

/* A sealed copy: nobody in the pod can write to the program of all pods through /proc/1/exe. */
static int copy_program(const char *path, struct error *err)
{
	SCOPED_FD source = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	int copy;

	if (source < 0 || fstat(source, &info) < 0)
		return error_errno(err, errno, "cannot open %s", path);
	if (!S_ISREG(info.st_mode) || info.st_size > PROGRAM_BYTES_MAX)
		return error_set(err, EACCES, "%s is not a program of at most %d bytes", path, PROGRAM_BYTES_MAX);
	copy = memfd_create(PROGRAM_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (copy < 0 && errno == EINVAL) /* before Linux 6.3 every memfd is executable */
		copy = memfd_create(PROGRAM_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy < 0)
		return error_errno(err, errno, "cannot make a copy of %s", path);
	for (off_t left = info.st_size; left > 0;) {
		ssize_t sent = sendfile(copy, source, NULL, (size_t)left);

		if (sent <= 0) {
			error_errno(err, sent < 0 ? errno : EIO, "cannot copy %s", path);
			close(copy);
			return -1;
		}
		left -= sent;
	}
	if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		error_errno(err, errno, "cannot seal a copy of %s", path);
		close(copy);
		return -1;
	}
	return copy;
}

/* An empty read-only tmpfs becomes the root of a mount namespace in which there is nothing else. */
static int enter_empty_root(const char *directory, struct error *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return error_errno(err, errno, "cannot make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, errno, "cannot make the mounts private");
	if (mount("pause", directory, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0555,size=4k,nr_inodes=2") < 0)
		return error_errno(err, errno, "cannot mount an empty root on %s", directory);
	if (chdir(directory) < 0 || kernel_pivot_root(".", ".") < 0)
		return error_errno(err, errno, "cannot change the root to %s", directory);
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, errno, "cannot leave the former root");
	return 0;
}

static int drop_privileges(const struct sandbox *sandbox, struct error *err)
{
	/* In a user namespace only ids that it maps can be taken. */
	uid_t nobody = id_maps_given(&sandbox->maps) ? id_maps_highest(&sandbox->maps, NOBODY) : NOBODY;
	struct kernel_cap_header header = {.version = KERNEL_CAPABILITY_VERSION_3};
	const struct kernel_cap_data none[2] = {{0}};

	for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++)
		errno = 0;
	if (errno != EINVAL) /* that is: no such capability, they are all gone */
		return error_errno(err, errno, "cannot drop the bounding set");
	if (setgroups(0, NULL) < 0 || setresgid(nobody, nobody, nobody) < 0 ||
	    setresuid(nobody, nobody, nobody) < 0)
		return error_errno(err, errno, "cannot become user %u", nobody);
	if (kernel_capset(&header, none) < 0)
		return error_errno(err, errno, "cannot drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "cannot set no_new_privs");
	return 0;
}

static int become_pause(const struct sandbox *sandbox, int program_fd, int failure_fd, struct error *err)
{
	static char *const argv[] = {PROGRAM_NAME, NULL}, *const env[] = {NULL};

	if (enter_empty_root(sandbox->directory, err) < 0 || drop_privileges(sandbox, err) < 0)
		return -1;
	/* The last two close by themselves at exec: which are they, and nothing else may stay open. */
	fcntl(program_fd, F_SETFD, FD_CLOEXEC);
	fcntl(failure_fd, F_SETFD, FD_CLOEXEC);
	kernel_close_range(0, 2, 0);
	kernel_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	kernel_execveat(program_fd, argv, env, AT_EMPTY_PATH);
	return error_errno(err, errno, "cannot execute %s", sandbox->program);
}

static int join_cgroup(const char *cgroup, pid_t pid, struct error *err)
{
	SCOPED_FD directory = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	SCOPED_FD file = -1;

	if (directory < 0)
		return error_errno(err, errno, "cannot open cgroup %s", cgroup);
	file = openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (file < 0)
		return error_errno(err, errno, "cannot open cgroup.procs of %s", cgroup);
	if (dprintf(file, "%d\n", (int)pid) < 0)
		return error_errno(err, errno, "cannot join cgroup %s", cgroup);
	return 0;
}

/* The child waits for a byte on go, so that it is in its cgroups before it takes any memory there. */
static pid_t start_child(const struct sandbox *sandbox, const struct pause *pause)
{
	struct error failure = {0};
	pid_t pid = fork();
	char byte;

	if (pid != 0)
		return pid;
	child_reset_signals();
	close(pause->go[1]);
	if (read(pause->go[0], &byte, 1) != 1)
		_exit(1);
	become_pause(sandbox, pause->program, pause->failure[1], &failure);
	child_fail(pause->failure[1], &failure);
}

static int let_child_go(const struct sandbox *sandbox, pid_t pid, int go_fd, struct error *err)
{
	for (char **cgroup = sandbox->cgroups; *cgroup; cgroup++)
		if (join_cgroup(*cgroup, pid, err) < 0)
			return -1;
	if (write(go_fd, "", 1) != 1)
		return error_errno(err, errno, "the pause process is gone");
	return 0;
}

int pause_prepare(const struct sandbox *sandbox, struct pause *pause, struct error *err)
{
	pause->program = copy_program(sandbox->program, err);
	if (pause->program < 0) {
		pause->program = 0;
		return -1;
	}
	if (child_pipe(pause->go, err) < 0)
		return -1;
	return child_pipe(pause->failure, err);
}

void pause_close(struct pause *pause)
{
	int *const fds[] = {&pause->program, &pause->go[0], &pause->go[1], &pause->failure[0], &pause->failure[1]};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] > 0)
			close(*fds[i]);
		*fds[i] = 0;
	}
}

int pause_fork(const struct sandbox *sandbox, struct pause *pause, struct error *err)
{
	/* The next child, and only children, are in the new namespace. */
	if (unshare(CLONE_NEWPID) < 0)
		return error_errno(err, errno, "cannot make a PID namespace");
	pause->pid = start_child(sandbox, pause);
	if (pause->pid >= 0)
		return 0;
	pause->pid = 0;
	return error_errno(err, errno, "cannot start a process");
}

static int has_ended(pid_t pid)
{
	SCOPED_FD pidfd = kernel_pidfd_open(pid);
	struct pollfd look = {.fd = pidfd, .events = POLLIN};

	return pidfd < 0 || poll(&look, 1, 0) != 0;
}

int pause_go(const struct sandbox *sandbox, struct pause *pause, struct error *err)
{
	int result;

	/* The child alone has these ends now: what it says ends with it. */
	close(pause->go[0]);
	close(pause->failure[1]);
	pause->go[0] = pause->failure[1] = 0;
	result = let_child_go(sandbox, pause->pid, pause->go[1], err);
	close(pause->go[1]);
	pause->go[1] = 0;
	if (result == 0)
		result = child_wait_exec(pause->failure[0], err);
	if (result == 0 && has_ended(pause->pid))
		return error_set(err, ESRCH, "%s ended at once", sandbox->program);
	return result;
}
