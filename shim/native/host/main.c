/* lighter-host: the daemon's hand in the kernel. Started by lighterd with a connected socket as fd 3. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "kernel.h"

enum { HOST_FD = 3, CHILD_FILES = 1024 };

static int check_socket(struct error *err)
{
	struct stat info;

	if (fstat(HOST_FD, &info) < 0 || !S_ISSOCK(info.st_mode))
		return error_set(err, 0, "this program is started by lighterd, with a socket as fd 3");
	return 0;
}

/* Every child starts from here: no descriptors of others, a plain umask, the usual limit of open files (the
 * daemon's own is raised), and no terminal that could send signals. */
static int settle(struct error *err)
{
	static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct rlimit files;
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	kernel_close_range(HOST_FD + 1, ~0U, 0);
	if (fcntl(HOST_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(HOST_FD, F_SETFL, O_NONBLOCK) < 0)
		return error_errno(err, errno, "cannot set up fd 3");
	setsid();
	umask(022);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > CHILD_FILES) {
		files.rlim_cur = CHILD_FILES;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (chdir("/") < 0)
		return error_errno(err, errno, "cannot enter /");
	return 0;
}

int main(void)
{
	struct host host = {.fd = HOST_FD};
	struct error err = {0};

	if (check_socket(&err) < 0 || settle(&err) < 0 || host_serve(&host, &err) < 0) {
		fprintf(stderr, "lighter-host: %s\n", err.text);
		return 1;
	}
	if (host.jobs)
		fprintf(stderr, "lighter-host: a killed process did not end: %s\n", host.jobs->label);
	return 0;
}
