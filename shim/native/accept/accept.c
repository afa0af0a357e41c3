/*
 * lighter-accept PROGRAM [ARGUMENT...]: takes one connection from the listening socket that LAUNCH gave it as fd 3, and
 * becomes the program with that connection as fd 3. Gives up when nobody connects.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_FD = 3, WAIT_MS = 10000 };

static int fail(const char *what)
{
	dprintf(STDERR_FILENO, "lighter-accept: %s: %s\n", what, strerror(errno));
	return 1;
}

static int wait_for_caller(void)
{
	struct pollfd caller = {.fd = SOCKET_FD, .events = POLLIN};
	int found;

	do
		found = poll(&caller, 1, WAIT_MS);
	while (found < 0 && errno == EINTR);
	if (found == 0)
		errno = ETIMEDOUT;
	return found == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	int connection;

	if (argc < 2) {
		dprintf(STDERR_FILENO, "usage: lighter-accept PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	if (wait_for_caller() < 0)
		return fail("nobody connects");
	connection = accept(SOCKET_FD, NULL, NULL);
	if (connection < 0)
		return fail("cannot accept the connection");
	if (dup2(connection, SOCKET_FD) < 0 || close(connection) < 0)
		return fail("cannot pass the connection on");
	execv(argv[1], argv + 1);
	return fail(argv[1]);
}
