// with: host
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/forward.h"
#include "host/job.h"
#include "host/relay.h"

#define CHECK(condition)                                                                                             \
	do {                                                                                                         \
		if (!(condition)) {                                                                                  \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
			exit(1);                                                                                     \
		}                                                                                                    \
	} while (0)

enum { GIVE_UP_SECONDS = 20, MANY_BYTES = 1024 * 1024 };

/* A relay in a process of its own; the test holds the other ends. */
struct relayed {
	int client, server;
	pid_t pid;
};

static struct relayed start_relay(int64_t linger_ms)
{
	int clients[2], servers[2];
	struct relayed relayed;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, clients) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, servers) == 0);
	relayed = (struct relayed){ .client = clients[0], .server = servers[0], .pid = fork() };
	if (relayed.pid == 0) {
		struct relay *relay = calloc(1, sizeof(*relay));

		close(clients[0]);
		close(servers[0]);
		relay->linger_ms = linger_ms;
		alarm(GIVE_UP_SECONDS);
		relay_run(relay, clients[1], servers[1]);
		free(relay);
		exit(0);
	}
	CHECK(relayed.pid > 0);
	close(clients[1]);
	close(servers[1]);
	return relayed;
}

static void expect_end(const struct relayed *relayed)
{
	int status;

	CHECK(waitpid(relayed->pid, &status, 0) == relayed->pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void expect_text(int fd, const char *text)
{
	char bytes[64] = { 0 };
	size_t size = strlen(text), used = 0;

	while (used < size) {
		ssize_t got = read(fd, bytes + used, size - used);

		CHECK(got > 0);
		used += (size_t)got;
	}
	CHECK(strcmp(bytes, text) == 0);
}

static void expect_eof(int fd)
{
	char byte;

	CHECK(read(fd, &byte, 1) == 0);
}

static void both_ways_end_on_their_own(void)
{
	struct relayed relayed = start_relay(1000);

	CHECK(write(relayed.client, "ask", 3) == 3);
	expect_text(relayed.server, "ask");
	shutdown(relayed.client, SHUT_WR);
	expect_eof(relayed.server);
	CHECK(write(relayed.server, "answer", 6) == 6);
	expect_text(relayed.client, "answer");
	close(relayed.server);
	expect_eof(relayed.client);
	expect_end(&relayed);
	close(relayed.client);
}

static void a_server_may_end_first(void)
{
	struct relayed relayed = start_relay(1000);

	shutdown(relayed.server, SHUT_WR);
	expect_eof(relayed.client);
	CHECK(write(relayed.client, "late", 4) == 4);
	expect_text(relayed.server, "late");
	close(relayed.client);
	expect_eof(relayed.server);
	expect_end(&relayed);
	close(relayed.server);
}

/* More than all buffers hold. What the client left is delivered, as long as the server takes it. */
static void what_a_gone_client_sent_arrives(void)
{
	struct relayed relayed = start_relay(10 * 1000);
	static uint8_t sent[MANY_BYTES], received[MANY_BYTES];
	pid_t writer;
	size_t used = 0;
	ssize_t got;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 31 >> 3);
	writer = fork();
	if (writer == 0) {
		size_t done = 0;

		while (done < sizeof(sent)) {
			ssize_t put = write(relayed.client, sent + done, sizeof(sent) - done);

			if (put <= 0)
				_exit(1);
			done += (size_t)put;
		}
		_exit(0);
	}
	CHECK(write(relayed.server, "nobody reads this", 17) == 17);
	close(relayed.client);
	while (used < sizeof(received) && (got = read(relayed.server, received + used, sizeof(received) - used)) > 0)
		used += (size_t)got;
	CHECK(used == sizeof(sent) && memcmp(sent, received, used) == 0);
	expect_eof(relayed.server);
	expect_end(&relayed);
	close(relayed.server);
	CHECK(waitpid(writer, NULL, 0) == writer);
}

/* A server that takes nothing does not keep the relay once its client is gone. */
static void a_stuck_server_is_left(void)
{
	struct relayed relayed = start_relay(50);
	static const uint8_t bytes[4096];

	fcntl(relayed.client, F_SETFL, O_NONBLOCK);
	for (int quiet = 0; quiet < 20;) {
		if (write(relayed.client, bytes, sizeof(bytes)) > 0) {
			quiet = 0;
			continue;
		}
		CHECK(errno == EAGAIN);
		quiet++;
		usleep(1000);
	}
	close(relayed.client);
	expect_end(&relayed);
	close(relayed.server);
}

/* A server on 127.0.0.1; its port. */
static int listen_on_localhost(int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	*port = ntohs(address.sin_port);
	return fd;
}

struct request {
	struct frame_writer writer;
	struct frame_reader reader;
	struct frame frame;
};

static void build(struct request *request, const char *path, int64_t port, const char *network)
{
	struct error err = { 0 };

	*request = (struct request){ 0 };
	frame_begin(&request->writer, 7, FRAME_FORWARD);
	frame_put_text(&request->writer, TAG_PATH, path);
	frame_put_integer(&request->writer, TAG_PORT, port);
	frame_put_integer(&request->writer, TAG_TIMEOUT_MS, 1000);
	if (network)
		frame_put_text(&request->writer, TAG_SOURCE, network);
	CHECK(frame_end(&request->writer, &err) == 0);
	request->reader.data = request->writer.data;
	request->reader.used = request->writer.used;
	CHECK(frame_reader_next(&request->reader, &request->frame, &err) == 1);
}

static int connect_client(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static void a_client_is_served(const char *path)
{
	struct error err = { 0 };
	struct request request;
	struct forward forward;
	struct stat info;
	int port, listener = listen_on_localhost(&port), client, server;
	pid_t pid;

	build(&request, path, port, NULL);
	CHECK(forward_open(&forward, &request.frame, &err) == 0);
	CHECK(stat(path, &info) == 0 && S_ISSOCK(info.st_mode) && (info.st_mode & 0777) == 0600);
	server = accept(listener, NULL, NULL);
	client = connect_client(path);
	pid = fork();
	if (pid == 0) {
		close(client);
		close(server);
		alarm(GIVE_UP_SECONDS);
		forward_serve(&forward, 1000);
		forward_close(&forward);
		frame_writer_free(&request.writer);
		exit(0);
	}
	forward_close(&forward);
	CHECK(write(client, "hello", 5) == 5);
	expect_text(server, "hello");
	CHECK(stat(path, &info) < 0 && errno == ENOENT);
	close(client);
	expect_eof(server);
	close(server);
	expect_end(&(struct relayed){ .pid = pid });
	close(listener);
	frame_writer_free(&request.writer);
}

/* Nobody comes: the connection and the socket go. */
static void nobody_is_waited_for_for_ever(const char *path)
{
	struct error err = { 0 };
	struct request request;
	struct forward forward;
	int port, listener = listen_on_localhost(&port), server;

	build(&request, path, port, NULL);
	CHECK(forward_open(&forward, &request.frame, &err) == 0);
	server = accept(listener, NULL, NULL);
	forward_serve(&forward, 10);
	forward_close(&forward);
	CHECK(access(path, F_OK) < 0);
	expect_eof(server);
	close(server);
	close(listener);
	frame_writer_free(&request.writer);
}

static void failures_leave_nothing(const char *path)
{
	int port, listener = listen_on_localhost(&port);
	const struct {
		int64_t port;
		const char *network;
		int code;
	} cases[] = {
		{ port, NULL, ECONNREFUSED }, { port, "/nonexistent/net", ENOENT }, { port, "/proc/self/ns/uts", EINVAL },
		{ 0, NULL, EINVAL },	      { 65536, NULL, EINVAL },		    { -1, NULL, EINVAL },
	};

	close(listener);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = { 0 };
		struct request request;
		struct forward forward;

		build(&request, path, cases[i].port, cases[i].network);
		CHECK(forward_open(&forward, &request.frame, &err) < 0);
		CHECK(err.code == cases[i].code);
		CHECK(access(path, F_OK) < 0);
		frame_writer_free(&request.writer);
	}
}

int main(void)
{
	char directory[] = "/tmp/forward-test-XXXXXX", path[64];

	signal(SIGPIPE, SIG_IGN);
	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/socket", directory);
	both_ways_end_on_their_own();
	a_server_may_end_first();
	what_a_gone_client_sent_arrives();
	a_stuck_server_is_left();
	a_client_is_served(path);
	nobody_is_waited_for_for_ever(path);
	failures_leave_nothing(path);
	CHECK(rmdir(directory) == 0);
	return 0;
}
