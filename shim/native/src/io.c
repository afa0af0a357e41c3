#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "files.h"

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void io_init(struct io *io)
{
	memset(io, 0, sizeof(*io));
	for (int i = 0; i < 3; i++)
		io->near[i] = io->far[i] = -1;
	io->peer = io->console_directory = io->console_listener = -1;
}

/* The shim's end does not block; the other one, a description of its own, does. */
static int open_pipe(struct io *io, int number, const struct owner *owner, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, errno, "cannot make a pipe");
	io->near[number] = ends[number == 0];
	io->far[number] = ends[number != 0];
	if (fcntl(io->near[number], F_SETFL, O_NONBLOCK) < 0)
		return error_errno(err, errno, "cannot set up a pipe");
	/* Else the root of a user namespace could not open its own output again (/dev/stdout). */
	if (owner && owner->uid != (uid_t)-1 && fchown(io->far[number], owner->uid, owner->gid) < 0)
		return error_errno(err, errno, "cannot give a pipe to user %u", owner->uid);
	return 0;
}

static int open_null(struct io *io, int number, struct error *err)
{
	io->far[number] = open("/dev/null", O_RDWR | O_CLOEXEC);
	return io->far[number] < 0 ? error_errno(err, errno, "cannot open /dev/null") : 0;
}

int io_open_pipes(struct io *io, int has_stdin, const struct owner *owner, struct error *err)
{
	if ((has_stdin ? open_pipe(io, 0, owner, err) : open_null(io, 0, err)) < 0)
		return -1;
	return open_pipe(io, 1, owner, err) < 0 || open_pipe(io, 2, owner, err) < 0 ? -1 : 0;
}

int io_open_console(struct io *io, const char *bundle, unsigned number, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (open_null(io, 0, err) < 0 || open_null(io, 1, err) < 0 || open_pipe(io, 2, NULL, err) < 0)
		return -1;
	io->console_directory = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (io->console_directory < 0)
		return error_errno(err, errno, "cannot open bundle %s", bundle);
	snprintf(io->console_name, sizeof(io->console_name), "console-%u.sock", number);
	unlinkat(io->console_directory, io->console_name, 0);
	io->console_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (io->console_listener < 0)
		return error_errno(err, errno, "cannot make a console socket");
	io_console_path(io, address.sun_path, sizeof(address.sun_path));
	if (bind(io->console_listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(io->console_listener, 1) < 0)
		return error_errno(err, errno, "cannot listen on console socket %s/%s", bundle, io->console_name);
	return 0;
}

void io_console_path(const struct io *io, char *path, size_t size)
{
	snprintf(path, size, "/proc/%d/fd/%d/%s", (int)getpid(), io->console_directory, io->console_name);
}

/* The file descriptor in one message; -1 if there is not exactly one. */
static int receive_fd(int socket, struct error *err)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char text[256];
	struct iovec data = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return error_errno(err, errno, "the runtime sent no terminal");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return error_set(err, EPROTO, "the runtime sent no terminal");
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static void remove_console(struct io *io)
{
	if (io->console_directory >= 0)
		unlinkat(io->console_directory, io->console_name, 0);
	close_fd(&io->console_listener);
	close_fd(&io->console_directory);
}

int io_take_terminal(struct io *io, struct error *err)
{
	int socket FD_CLEANUP = accept4(io->console_listener, NULL, NULL, SOCK_CLOEXEC);
	int master;

	if (socket < 0)
		return error_errno(err, errno, "the runtime did not connect to the console socket");
	master = receive_fd(socket, err);
	if (master < 0)
		return -1;
	remove_console(io);
	close_fd(&io->near[2]);
	io->near[1] = master;
	io->near[0] = fcntl(master, F_DUPFD_CLOEXEC, 3);
	if (io->near[0] < 0 || fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return error_errno(err, errno, "cannot set up the terminal");
	io->peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return 0;
}

void io_close_far(struct io *io)
{
	for (int i = 0; i < 3; i++)
		close_fd(&io->far[i]);
}

void io_close_peer(struct io *io)
{
	close_fd(&io->peer);
}

void io_close(struct io *io)
{
	io_close_far(io);
	io_close_peer(io);
	for (int i = 0; i < 3; i++)
		close_fd(&io->near[i]);
	remove_console(io);
}

void io_read_errors(const struct io *io, char *text, size_t size)
{
	ssize_t got = io->near[2] < 0 ? 0 : read(io->near[2], text, size - 1);

	text[got > 0 ? got : 0] = 0;
}
