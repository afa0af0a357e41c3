/*
 * web-server PORT GREETING [PID-FILE [ANY...]]
 *
 * Answers every HTTP request on PORT, IPv4 and IPv6, with status 200 and GREETING as text. Says on standard error that
 * it listens, and one line for each request. SIGTERM, SIGINT and SIGQUIT end it. Further arguments are there for those
 * who look at its command line.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX 8192
#define CLIENT_TIMEOUT_SECONDS 5
#define BACKLOG 64

static void end(int signal)
{
	(void)signal;
	_exit(0);
}

static int listen_on(int port)
{
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port), .sin6_addr = in6addr_any
	};
	struct sockaddr_in ipv4 = {
		.sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_ANY)
	};
	int yes = 1, no = 0;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, BACKLOG) == 0)
			return fd;
		close(fd);
	}
	/* Without IPv6 in the kernel or in the network namespace. */
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&ipv4, sizeof(ipv4)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Reads to the empty line that ends the head of a request: 0, or -1 if the client went away or sends too much. */
static int read_head(int client, char *head, size_t size)
{
	size_t used = 0;
	while (used + 1 < size) {
		ssize_t got = read(client, head + used, size - used - 1);
		if (got <= 0)
			return -1;
		used += (size_t)got;
		head[used] = '\0';
		if (strstr(head, "\r\n\r\n"))
			return 0;
	}
	return -1;
}

static void write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = send(fd, bytes, size, MSG_NOSIGNAL);
		if (written <= 0)
			return;
		bytes += written;
		size -= (size_t)written;
	}
}

static void answer(int client, const char *greeting)
{
	struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_SECONDS };
	char request[REQUEST_BYTES_MAX];
	char reply[2048];
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (read_head(client, request, sizeof(request)) < 0)
		return;
	int size = snprintf(reply, sizeof(reply),
			    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
			    "Connection: close\r\n\r\n%s\n",
			    strlen(greeting) + 1, greeting);
	if (size < 0 || (size_t)size >= sizeof(reply))
		return;
	write_all(client, reply, (size_t)size);
	fprintf(stderr, "%.*s\n", (int)strcspn(request, "\r\n"), request);
	/* A close with unread bytes would reset the connection, and the answer with it. */
	shutdown(client, SHUT_WR);
	while (read(client, request, sizeof(request)) > 0)
		;
}

static int write_pid(const char *path)
{
	FILE *file = fopen(path, "w");
	if (!file)
		return -1;
	fprintf(file, "%d\n", (int)getpid());
	return fclose(file);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = end };
	if (argc < 3) {
		fprintf(stderr, "usage: web-server PORT GREETING [PID-FILE]\n");
		return 2;
	}
	/* PID 1 gets only the signals that it handles. */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGQUIT, &action, NULL);
	/* Children that answer are reaped by the kernel. */
	signal(SIGCHLD, SIG_IGN);
	int server = listen_on(atoi(argv[1]));
	if (server < 0) {
		fprintf(stderr, "%s: cannot listen on port %s: %s\n", argv[0], argv[1], strerror(errno));
		return 1;
	}
	if (argc > 3 && write_pid(argv[3]) < 0) {
		fprintf(stderr, "%s: cannot write %s: %s\n", argv[0], argv[3], strerror(errno));
		return 1;
	}
	fprintf(stderr, "%s: listening on port %s\n", argv[0], argv[1]);
	for (;;) {
		int client = accept(server, NULL, NULL);
		if (client < 0 && errno != EINTR && errno != ECONNABORTED) {
			fprintf(stderr, "%s: cannot accept: %s\n", argv[0], strerror(errno));
			return 1;
		}
		if (client < 0)
			continue;
		pid_t child = fork();
		if (child == 0) {
			close(server);
			answer(client, argv[2]);
			_exit(0);
		}
		close(client);
	}
}
