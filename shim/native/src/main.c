/* lighter-shim: the parent of one container. PROTOCOL.md describes what it does and says. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "shim.h"

/* Descriptors 0 to 2 must be taken, lest a pipe gets one of these numbers. */
static int fill_standard_fds(struct error *err)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return error_errno(err, errno, "cannot open /dev/null");
	return 0;
}

int main(int argc, char **argv)
{
	struct shim shim = { 0 };
	struct error err;

	(void)argc;
	if (fill_standard_fds(&err) < 0 || options_parse(&shim.options, argv, &err) < 0 ||
	    shim_start(&shim, &err) < 0 || loop_run(&shim.loop, &err) < 0) {
		dprintf(STDERR_FILENO, "lighter-shim: %s\n", err.text);
		return 1;
	}
	return 0;
}
