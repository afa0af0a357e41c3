// with: host
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/request.h"

#define CHECK(condition)                                                                                             \
	do {                                                                                                         \
		if (!(condition)) {                                                                                  \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
			exit(1);                                                                                     \
		}                                                                                                    \
	} while (0)

/* Runs a handler with a list of texts; answers what it answered, one DATA after the other with a | behind each. */
static int ask(request_handler *handler, uint16_t tag, const char *const *texts, char answer[4096], struct error *err)
{
	struct frame_writer request = {0}, writer = {0};
	struct frame frame;
	struct field field;
	size_t offset = 0;
	int result;

	answer[0] = 0;
	frame_begin(&request, 1, FRAME_OPEN_FILES);
	for (; *texts; texts++)
		frame_put_text(&request, tag, *texts);
	CHECK(frame_end(&request, err) == 0);
	frame = (struct frame){.payload = request.data + FRAME_HEADER_SIZE,
			       .size = (uint32_t)(request.used - FRAME_HEADER_SIZE)};
	frame_begin(&writer, 1, FRAME_OK);
	result = handler(&frame, &writer, err);
	CHECK(frame_end(&writer, err) == 0);
	frame = (struct frame){.payload = writer.data + FRAME_HEADER_SIZE,
			       .size = (uint32_t)(writer.used - FRAME_HEADER_SIZE)};
	while (result == 0 && field_next(&frame, &offset, &field, err) == 1) {
		size_t used = strlen(answer), size = field.size < 1024 ? field.size : 1024;

		CHECK(field.tag == TAG_DATA && used + size + 2 < 4096);
		memcpy(answer + used, field.data, size);
		strcpy(answer + used + size, "|");
	}
	frame_writer_free(&request);
	frame_writer_free(&writer);
	return result;
}

static void absent_cgroups_have_no_open_files(void)
{
	static const char *const cgroups[] = {"/no/such/cgroup", "/sys/fs/cgroup/no-such-cgroup", NULL};
	static const char *const none[] = {NULL}, *const relative[] = {"pids", NULL};
	struct error err = {0};
	char answer[4096];

	CHECK(ask(request_open_files, TAG_CGROUP, cgroups, answer, &err) == 0);
	CHECK(strcmp(answer, "0 0 0|0 0 0|") == 0);
	CHECK(ask(request_open_files, TAG_CGROUP, none, answer, &err) == 0 && *answer == 0);
	CHECK(ask(request_open_files, TAG_CGROUP, relative, answer, &err) < 0 && err.code == EINVAL);
}

/* A directory with a file cgroup.procs stands for a cgroup that this process is in. */
static void own_sockets_are_counted(void)
{
	char directory[] = "/tmp/lighter-figures-XXXXXX", path[64];
	const char *const cgroups[] = {directory, NULL};
	long long processes, files, sockets, more_files, more_sockets;
	struct error err = {0};
	char answer[4096];
	FILE *procs;
	int pair[2];

	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	procs = fopen(path, "w");
	CHECK(procs);
	fprintf(procs, "%d\n999999999\nnonsense\n", getpid());
	fclose(procs);
	CHECK(ask(request_open_files, TAG_CGROUP, cgroups, answer, &err) == 0);
	CHECK(sscanf(answer, "%lld %lld %lld|", &processes, &files, &sockets) == 3);
	CHECK(processes == 2 && files >= 3);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(ask(request_open_files, TAG_CGROUP, cgroups, answer, &err) == 0);
	CHECK(sscanf(answer, "%lld %lld %lld|", &processes, &more_files, &more_sockets) == 3);
	CHECK(more_files == files + 2 && more_sockets == sockets + 2);
	close(pair[0]);
	close(pair[1]);
	unlink(path);
	rmdir(directory);
}

static void pins_that_are_no_namespaces_have_no_devices(void)
{
	static const char *const pins[] = {"/no/such/pin", "/etc/hostname", NULL}, *const relative[] = {"net", NULL};
	struct error err = {0};
	char answer[4096];

	CHECK(ask(request_net_devices, TAG_PATH, pins, answer, &err) == 0);
	CHECK(strcmp(answer, "||") == 0);
	CHECK(ask(request_net_devices, TAG_PATH, relative, answer, &err) < 0 && err.code == EINVAL);
}

static void own_namespace_has_a_loopback_device(void)
{
	static const char *const pins[] = {"/proc/self/ns/net", NULL};
	struct error err = {0};
	char answer[4096];

	if (geteuid() != 0)
		return;
	CHECK(ask(request_net_devices, TAG_PATH, pins, answer, &err) == 0);
	CHECK(strstr(answer, " lo:"));
}

int main(void)
{
	absent_cgroups_have_no_open_files();
	own_sockets_are_counted();
	pins_that_are_no_namespaces_have_no_devices();
	own_namespace_has_a_loopback_device();
	return 0;
}
