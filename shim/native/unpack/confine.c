#include "confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The window of zstd takes at most 128 MiB, the directories of the tree 256 MiB. */
static const rlim_t address_space_max = (rlim_t)1024 * 1024 * 1024;
static const rlim_t open_files_max = 64;

static const int kept[] = { CAP_CHOWN,	CAP_DAC_OVERRIDE, CAP_FOWNER,	CAP_FSETID,
			    CAP_MKNOD,	CAP_SETFCAP,	  CAP_SYS_ADMIN };

static uint64_t kept_mask(void)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		mask |= UINT64_C(1) << kept[i];
	return mask;
}

static int drop_capabilities(struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uint64_t mask = kept_mask();

	for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
		if (!(mask >> capability & 1) && prctl(PR_CAPBSET_DROP, capability) < 0)
			return error_errno(err, errno, "cannot drop capability %d", capability);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return error_errno(err, errno, "cannot drop ambient capabilities");
	if (syscall(SYS_capget, &header, data) < 0)
		return error_errno(err, errno, "cannot read capabilities");
	for (int i = 0; i < 2; i++) {
		/* What the daemon does not have itself is missed by the call that needs it, not here. */
		data[i].permitted &= (uint32_t)(mask >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return error_errno(err, errno, "cannot drop capabilities");
	return 0;
}

static int limit(int resource, rlim_t most, struct error *err)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0)
		return error_errno(err, errno, "cannot read resource limit %d", resource);
	if (now.rlim_max > most)
		now.rlim_max = most;
	if (now.rlim_cur > now.rlim_max)
		now.rlim_cur = now.rlim_max;
	if (setrlimit(resource, &now) < 0)
		return error_errno(err, errno, "cannot set resource limit %d", resource);
	return 0;
}

int confine(int directory, struct error *err)
{
	if (fchdir(directory) < 0 || chroot(".") < 0)
		return error_errno(err, errno, "cannot make the destination the root directory");
	if (drop_capabilities(err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "cannot set no_new_privs");
	if (limit(RLIMIT_AS, address_space_max, err) < 0 || limit(RLIMIT_NOFILE, open_files_max, err) < 0 ||
	    limit(RLIMIT_CORE, 0, err) < 0)
		return -1;
	return 0;
}
