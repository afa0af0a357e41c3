#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "request.h"
#include "scoped.h"
#include "sysctl.h"

enum { HOSTNAME_BYTES = 64 };

static const int64_t shm_range[2] = {0, INT64_MAX / 2};

/* What can be pinned, in the order in which it is; shm is a directory with a tmpfs. */
static const struct {
	unsigned int flag;
	int clone_flag;
	const char *name;
} namespaces[] = {
	{SANDBOX_USER, CLONE_NEWUSER, "user"},
	{SANDBOX_NETWORK, CLONE_NEWNET, "net"},
	{SANDBOX_IPC, CLONE_NEWIPC, "ipc"},
	{SANDBOX_UTS, CLONE_NEWUTS, "uts"},
	{SANDBOX_PID, CLONE_NEWPID, "pid"},
};

enum { NAMESPACES = sizeof(namespaces) / sizeof(namespaces[0]) };

/* What was made and is to be undone if a later step fails; paths are relative to the sandbox directory, which is
 * the working directory. */
struct made {
	int has_pin[NAMESPACES];
	int has_shm;
	struct pause pause;
	struct holder holder;
};

static void sandbox_free(struct sandbox *sandbox)
{
	free(sandbox->directory);
	free(sandbox->hostname);
	texts_free(sandbox->sysctls);
	free(sandbox->program);
	texts_free(sandbox->cgroups);
	id_maps_free(&sandbox->maps);
}

static int sandbox_parse(const struct frame *request, struct sandbox *sandbox, struct error *err)
{
	static const int64_t flags_range[2] = {0, SANDBOX_FLAGS};
	char path[SYSCTL_PATH_MAX];
	const char *value;
	int64_t flags;

	if (request_path(request, TAG_DIRECTORY, "directory", &sandbox->directory, err) < 0 ||
	    request_integer(request, TAG_FLAGS, flags_range, &flags, err) < 0 ||
	    field_text(request, TAG_HOSTNAME, &sandbox->hostname, err) < 0 ||
	    field_texts(request, TAG_SYSCTL, &sandbox->sysctls, err) < 0 ||
	    request_integer(request, TAG_BYTES, shm_range, &sandbox->shm_bytes, err) < 0 ||
	    request_paths(request, TAG_CGROUP, "cgroup", &sandbox->cgroups, err) < 0 ||
	    id_maps_parse(request, &sandbox->maps, err) < 0)
		return -1;
	sandbox->flags = (unsigned int)flags;
	if (flags & SANDBOX_PID && request_path(request, TAG_PROGRAM, "pause program", &sandbox->program, err) < 0)
		return -1;
	if (!(flags & SANDBOX_USER) != !id_maps_given(&sandbox->maps))
		return error_set(err, EINVAL, "a user namespace for %s and its id mappings go together",
				 sandbox->directory);
	if (flags & SANDBOX_USER && (id_maps_root(sandbox->maps.uids) < 0 || id_maps_root(sandbox->maps.gids) < 0))
		return error_set(err, EINVAL, "the mappings for %s do not map id 0", sandbox->directory);
	if (sandbox->hostname && !(flags & SANDBOX_UTS))
		return error_set(err, EINVAL, "hostname %s without a UTS namespace", sandbox->hostname);
	if (sandbox->hostname && strlen(sandbox->hostname) > HOSTNAME_BYTES)
		return error_set(err, EINVAL, "hostname %s has more than %d bytes", sandbox->hostname, HOSTNAME_BYTES);
	for (char **sysctl = sandbox->sysctls; *sysctl; sysctl++)
		if (sysctl_parse(*sysctl, sandbox->flags, path, &value, err) < 0)
			return -1;
	return 0;
}

static int bring_loopback_up(struct error *err)
{
	struct ifreq interface = {.ifr_name = "lo"};
	SCOPED_FD fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_errno(err, errno, "cannot make a socket");
	if (ioctl(fd, SIOCGIFFLAGS, &interface) < 0)
		return error_errno(err, errno, "cannot read the flags of lo");
	interface.ifr_flags = (short)(interface.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &interface) < 0)
		return error_errno(err, errno, "cannot bring lo up");
	return 0;
}

/* Moves this process into the namespaces in clone_flags, which are made inside the user namespace if there is to be
 * one: then this process stays outside of it, with the privileges that the rest needs. */
static int enter_namespaces(const struct sandbox *sandbox, int clone_flags, struct made *made, struct error *err)
{
	SCOPED_FD pidfd = -1;

	if (sandbox->flags & SANDBOX_USER) {
		if (holder_start(sandbox, clone_flags, &made->pause, &made->holder, err) < 0)
			return -1;
		pidfd = kernel_pidfd_open(made->holder.pid);
		if (clone_flags && (pidfd < 0 || setns(pidfd, clone_flags) < 0))
			return error_errno(err, errno, "cannot enter the namespaces for %s", sandbox->directory);
		return 0;
	}
	if (clone_flags && unshare(clone_flags) < 0)
		return error_errno(err, errno, "cannot make namespaces for %s", sandbox->directory);
	return sandbox->flags & SANDBOX_PID ? pause_fork(sandbox, &made->pause, err) : 0;
}

static int make_namespaces(const struct sandbox *sandbox, struct made *made, struct error *err)
{
	int clone_flags = 0;

	for (int i = 0; i < NAMESPACES; i++)
		if (sandbox->flags & namespaces[i].flag & ~(unsigned int)(SANDBOX_PID | SANDBOX_USER))
			clone_flags |= namespaces[i].clone_flag;
	if (sandbox->flags & SANDBOX_PID && pause_prepare(sandbox, &made->pause, err) < 0)
		return -1;
	if (enter_namespaces(sandbox, clone_flags, made, err) < 0)
		return -1;
	if (sandbox->flags & SANDBOX_NETWORK && bring_loopback_up(err) < 0)
		return -1;
	if (sandbox->hostname && sethostname(sandbox->hostname, strlen(sandbox->hostname)) < 0)
		return error_errno(err, errno, "cannot set hostname %s", sandbox->hostname);
	if (sysctl_apply(sandbox->sysctls, sandbox->flags, &sandbox->maps, err) < 0)
		return -1;
	return sandbox->flags & SANDBOX_PID ? pause_go(sandbox, &made->pause, err) : 0;
}

static int pin(const struct sandbox *sandbox, int index, struct made *made, struct error *err)
{
	const char *name = namespaces[index].name;
	char source[64] = "/proc/self/ns/";
	SCOPED_FD file = open(name, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0444);

	if (file < 0)
		return error_errno(err, errno, "cannot make %s/%s", sandbox->directory, name);
	if (namespaces[index].flag == SANDBOX_PID)
		snprintf(source, sizeof(source), "/proc/%d/ns/pid", (int)made->pause.pid);
	else if (namespaces[index].flag == SANDBOX_USER)
		snprintf(source, sizeof(source), "/proc/self/fd/%d", made->holder.user_fd);
	else
		strcat(source, name);
	if (mount(source, name, NULL, MS_BIND, NULL) < 0) {
		error_errno(err, errno, "cannot pin %s on %s/%s", source, sandbox->directory, name);
		unlink(name);
		return -1;
	}
	made->has_pin[index] = 1;
	return 0;
}

static int mount_shm(const struct sandbox *sandbox, struct made *made, struct error *err)
{
	char options[128];
	int has_user = id_maps_given(&sandbox->maps);

	snprintf(options, sizeof(options), "mode=1777,size=%lld,uid=%lld,gid=%lld", (long long)sandbox->shm_bytes,
		 has_user ? (long long)id_maps_root(sandbox->maps.uids) : 0,
		 has_user ? (long long)id_maps_root(sandbox->maps.gids) : 0);
	if (mkdir("shm", 0755) < 0)
		return error_errno(err, errno, "cannot make %s/shm", sandbox->directory);
	if (mount("shm", "shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0) {
		error_errno(err, errno, "cannot mount a tmpfs on %s/shm", sandbox->directory);
		rmdir("shm");
		return -1;
	}
	made->has_shm = 1;
	return 0;
}

static int make_sandbox(const struct sandbox *sandbox, struct made *made, struct error *err)
{
	if (chdir(sandbox->directory) < 0)
		return error_errno(err, errno, "cannot enter %s", sandbox->directory);
	if (make_namespaces(sandbox, made, err) < 0)
		return -1;
	if (sandbox->shm_bytes > 0 && mount_shm(sandbox, made, err) < 0)
		return -1;
	for (int i = 0; i < NAMESPACES; i++)
		if (sandbox->flags & namespaces[i].flag && pin(sandbox, i, made, err) < 0)
			return -1;
	return 0;
}

static void unmake_sandbox(const struct made *made)
{
	for (int i = 0; i < NAMESPACES; i++) {
		if (!made->has_pin[i])
			continue;
		umount2(namespaces[i].name, MNT_DETACH | UMOUNT_NOFOLLOW);
		unlink(namespaces[i].name);
	}
	if (made->has_shm) {
		umount2("shm", MNT_DETACH | UMOUNT_NOFOLLOW);
		rmdir("shm");
	}
	if (made->pause.pid > 0) {
		kill(made->pause.pid, SIGKILL);
		waitpid(made->pause.pid, NULL, 0);
	}
}

int request_sandbox(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	struct sandbox sandbox = {0};
	struct made made = {0};
	int result = sandbox_parse(request, &sandbox, err);

	if (result == 0) {
		result = make_sandbox(&sandbox, &made, err);
		if (result == 0)
			frame_put_integer(answer, TAG_PID, made.pause.pid);
		holder_end(&made.holder);
		pause_close(&made.pause);
		if (result < 0)
			unmake_sandbox(&made);
	}
	sandbox_free(&sandbox);
	return result;
}
