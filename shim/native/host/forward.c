#include "forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "job.h"
#include "kernel.h"
#include "listen.h"
#include "relay.h"
#include "request.h"
#include "scoped.h"
#include "worker.h"

enum { PORT_MAX = 65535 };

static int enter_network(const struct frame *request, struct error *err)
{
	SCOPED_TEXT path = NULL;
	SCOPED_FD fd = -1;

	if (field_text(request, TAG_SOURCE, &path, err) < 0)
		return -1;
	if (!path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "cannot open network namespace %s", path);
	if (setns(fd, CLONE_NEWNET) < 0)
		return error_errno(err, errno, "cannot enter network namespace %s", path);
	return 0;
}

/* 0, or the errno of the connection that is being made. */
static int await_connection(int fd, int64_t until_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int64_t left_ms;
	int code = 0;

	do {
		left_ms = until_ms - now_ms();
		if (left_ms <= 0)
			return ETIMEDOUT;
	} while (poll(&poll_fd, 1, (int)left_ms) <= 0);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0 ? errno : code;
}

/* Answers the connected socket, or the negative errno. */
static int connect_to(const struct sockaddr *address, socklen_t size, int64_t until_ms)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int code = 0, on = 1;

	if (fd < 0)
		return -errno;
	if (connect(fd, address, size) < 0)
		code = errno == EINPROGRESS ? await_connection(fd, until_ms) : errno;
	if (code == 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		return fd;
	}
	close(fd);
	return -code;
}

/* IPv4 first, then IPv6. What is said of both: the time is up, else nobody is there. */
static int connect_localhost(int port, int timeout_ms, struct error *err)
{
	const struct sockaddr_in four = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct sockaddr_in6 six = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	int64_t start_ms = now_ms();
	int first, second;

	first = connect_to((const struct sockaddr *)&four, sizeof(four), start_ms + timeout_ms / 2);
	if (first >= 0)
		return first;
	second = connect_to((const struct sockaddr *)&six, sizeof(six), start_ms + timeout_ms);
	if (second >= 0)
		return second;
	if (first == -ETIMEDOUT || second == -ETIMEDOUT)
		return error_set(err, ETIMEDOUT, "port %d of localhost does not answer within %d ms", port, timeout_ms);
	return error_set(err, ECONNREFUSED, "nothing listens on port %d of localhost", port);
}

int forward_open(struct forward *forward, const struct frame *request, struct error *err)
{
	static const int64_t ports[2] = { 1, PORT_MAX }, timeouts[2] = { 1, FORWARD_CONNECT_MAX_MS };
	int64_t port, timeout_ms;

	*forward = (struct forward){ .server = -1, .listener = -1 };
	if (request_integer(request, TAG_PORT, ports, &port, err) < 0 ||
	    request_integer(request, TAG_TIMEOUT_MS, timeouts, &timeout_ms, err) < 0 ||
	    request_path(request, TAG_PATH, "socket", &forward->path, err) < 0)
		return -1;
	forward->listener = listen_at(forward->path, 1, err);
	if (forward->listener >= 0 && enter_network(request, err) == 0)
		forward->server = connect_localhost((int)port, (int)timeout_ms, err);
	if (forward->server >= 0)
		return 0;
	forward_close(forward);
	return -1;
}

static void close_listener(struct forward *forward)
{
	if (forward->listener < 0)
		return;
	close(forward->listener);
	forward->listener = -1;
	unlink(forward->path);
}

void forward_close(struct forward *forward)
{
	close_listener(forward);
	if (forward->server >= 0)
		close(forward->server);
	forward->server = -1;
	free(forward->path);
	forward->path = NULL;
}

/* One client, and nobody after it. */
static int accept_client(struct forward *forward, int accept_ms)
{
	struct pollfd poll_fd = { .fd = forward->listener, .events = POLLIN };
	int client = -1;

	if (poll(&poll_fd, 1, accept_ms) > 0)
		client = accept4(forward->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	close_listener(forward);
	return client;
}

void forward_serve(struct forward *forward, int accept_ms)
{
	struct relay relay = { .linger_ms = FORWARD_LINGER_MS };
	SCOPED_FD client = accept_client(forward, accept_ms);

	if (client >= 0)
		relay_run(&relay, client, forward->server);
}

void forward_work(const struct frame *request)
{
	struct frame_writer answer = { 0 };
	struct forward forward;
	struct error err = { 0 };
	int result;

	frame_begin(&answer, request->id, FRAME_OK);
	result = forward_open(&forward, request, &err);
	worker_answer(request, &answer, result, &err);
	frame_writer_free(&answer);
	if (result < 0)
		return;
	forward_serve(&forward, FORWARD_ACCEPT_MS);
	forward_close(&forward);
}
