// with: host
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/overlay.h"
#include "host/request.h"
#include "host/sandbox.h"
#include "host/sysctl.h"
#include "host/tree.h"

#define CHECK(condition)                                                                                             \
	do {                                                                                                         \
		if (!(condition)) {                                                                                  \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
			exit(1);                                                                                     \
		}                                                                                                    \
	} while (0)

/* A key of `count` letters with "net." before it. */
static char *long_setting(size_t count)
{
	char *text = calloc(1, count + 8);

	memcpy(text, "net.", 4);
	memset(text + 4, 'a', count);
	strcat(text, "=1");
	return text;
}

static void sysctl_keys_become_paths(void)
{
	static const struct {
		const char *setting;
		unsigned int flags;
		const char *path, *value; /* NULL: refused */
	} cases[] = {
		{"net.ipv4.ip_forward=1", SANDBOX_NETWORK, "net/ipv4/ip_forward", "1"},
		{"net/ipv4/ip_forward=1", SANDBOX_NETWORK, "net/ipv4/ip_forward", "1"},
		{"net.ipv4.conf.eth0/7.forwarding=1", SANDBOX_NETWORK, "net/ipv4/conf/eth0.7/forwarding", "1"},
		{"net/ipv4/conf/eth0.7/forwarding=1", SANDBOX_NETWORK, "net/ipv4/conf/eth0.7/forwarding", "1"},
		{"kernel.sem=1 2 3=4", SANDBOX_IPC, "kernel/sem", "1 2 3=4"},
		{"kernel.shmmax=", SANDBOX_IPC, "kernel/shmmax", ""},
		{"fs.mqueue.msg_max=5", SANDBOX_IPC, "fs/mqueue/msg_max", "5"},
		{"kernel.domainname=a.b", SANDBOX_UTS, "kernel/domainname", "a.b"},
		{"net.ipv4.ip_forward=1", SANDBOX_FLAGS & ~SANDBOX_NETWORK, NULL, NULL},
		{"kernel.shmmax=1", SANDBOX_NETWORK, NULL, NULL},
		{"kernel.shmmaxx=1", SANDBOX_FLAGS, NULL, NULL},
		{"kernel.shmmax.x=1", SANDBOX_FLAGS, NULL, NULL},
		{"kernel.panic=1", SANDBOX_FLAGS, NULL, NULL},
		{"fs.mqueue=1", SANDBOX_FLAGS, NULL, NULL},
		{"net=1", SANDBOX_FLAGS, NULL, NULL},
		{"vm.overcommit_memory=1", SANDBOX_FLAGS, NULL, NULL},
		{"net.ipv4.ip_forward", SANDBOX_FLAGS, NULL, NULL},
		{"=1", SANDBOX_FLAGS, NULL, NULL},
		{"", SANDBOX_FLAGS, NULL, NULL},
		{"net.=1", SANDBOX_FLAGS, NULL, NULL},
		{"net//ipv4=1", SANDBOX_FLAGS, NULL, NULL},
		{"/net/ipv4/ip_forward=1", SANDBOX_FLAGS, NULL, NULL},
		{".net.ipv4=1", SANDBOX_FLAGS, NULL, NULL},
		{"net/../kernel/panic=1", SANDBOX_FLAGS, NULL, NULL},
		{"net/ipv4/..=1", SANDBOX_FLAGS, NULL, NULL},
		{"net/./ipv4=1", SANDBOX_FLAGS, NULL, NULL},
		{"net.//.kernel.panic=1", SANDBOX_FLAGS, NULL, NULL},
		{"net.ipv4.a b=1", SANDBOX_FLAGS, NULL, NULL},
		{"net.ipv4.\xc3\xa4=1", SANDBOX_FLAGS, NULL, NULL},
		{"net.ipv4.a\n=1", SANDBOX_FLAGS, NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[SYSCTL_PATH_MAX];
		const char *value = NULL;
		struct error err = {0};
		int result = sysctl_parse(cases[i].setting, cases[i].flags, path, &value, &err);

		if (!cases[i].path) {
			if (result == 0)
				fprintf(stderr, "accepted: %s\n", cases[i].setting);
			CHECK(result < 0 && err.code == EINVAL);
			continue;
		}
		if (result < 0)
			fprintf(stderr, "%s\n", err.text);
		CHECK(result == 0 && strcmp(path, cases[i].path) == 0 && strcmp(value, cases[i].value) == 0);
	}
}

static void sysctl_keys_have_a_longest_one(void)
{
	char path[SYSCTL_PATH_MAX];
	const char *value;
	struct error err = {0};
	char *fits = long_setting(SYSCTL_PATH_MAX - 5), *too_long = long_setting(SYSCTL_PATH_MAX - 4);

	CHECK(sysctl_parse(fits, SANDBOX_FLAGS, path, &value, &err) == 0);
	CHECK(strlen(path) == SYSCTL_PATH_MAX - 1);
	CHECK(sysctl_parse(too_long, SANDBOX_FLAGS, path, &value, &err) < 0);
	free(fits);
	free(too_long);
}

static void overlay_options_fit_or_fail(void)
{
	static char *layers[] = {"a", "b", "c", NULL}, *colon[] = {"a:b", NULL};
	struct overlay overlay = {.layers = layers, .target = "/target"};
	char text[128];
	struct error err = {0};

	CHECK(overlay_options(&overlay, text, sizeof(text), &err) == 0);
	CHECK(strcmp(text, "lowerdir=a:b:c") == 0);
	overlay.upper = "u";
	overlay.work = "w";
	overlay.options = "volatile,index=off";
	CHECK(overlay_options(&overlay, text, sizeof(text), &err) == 0);
	CHECK(strcmp(text, "lowerdir=a:b:c,upperdir=u,workdir=w,volatile,index=off") == 0);
	CHECK(overlay_options(&overlay, text, strlen(text) + 1, &err) == 0);
	for (size_t size = 0; size <= 54; size++) {
		CHECK(overlay_options(&overlay, text, size, &err) < 0 && err.code == E2BIG);
		CHECK(strstr(err.text, "3 layers") && strstr(err.text, "/target"));
	}
	overlay.upper = "u,v";
	CHECK(overlay_options(&overlay, text, sizeof(text), &err) < 0 && err.code == EINVAL);
	overlay.upper = NULL;
	overlay.layers = colon;
	CHECK(overlay_options(&overlay, text, sizeof(text), &err) < 0 && err.code == EINVAL);
}

static void requests_are_checked(void)
{
	static const int64_t range[2] = {0, 10};
	struct frame_writer writer = {0};
	struct frame_reader reader = {0};
	struct error err = {0};
	struct frame frame;
	const char *name = NULL;
	char *text = NULL, **paths = NULL;
	int64_t value;

	frame_begin(&writer, 1, FRAME_UNMOUNT);
	frame_put_text(&writer, TAG_PATH, "/a");
	frame_put_text(&writer, TAG_PATH, "b");
	frame_put_text(&writer, TAG_NAME, "");
	frame_put_integer(&writer, TAG_FLAGS, 11);
	CHECK(frame_end(&writer, &err) == 0);
	reader.data = writer.data;
	reader.used = writer.used;
	CHECK(frame_reader_next(&reader, &frame, &err) == 1);

	CHECK(request_find(frame.type, &name) == request_unmount && strcmp(name, "UNMOUNT") == 0);
	CHECK(request_find(FRAME_RUN, &name) == NULL && request_find(9999, &name) == NULL);
	CHECK(request_path(&frame, TAG_PATH, "path", &text, &err) == 0 && strcmp(text, "/a") == 0);
	free(text);
	CHECK(request_paths(&frame, TAG_PATH, "path", &paths, &err) < 0 && paths == NULL && err.code == EINVAL);
	CHECK(request_text(&frame, TAG_NAME, "name", &text, &err) < 0 && text == NULL);
	CHECK(request_text(&frame, TAG_HOSTNAME, "hostname", &text, &err) < 0 && err.code == EINVAL);
	CHECK(request_integer(&frame, TAG_FLAGS, range, &value, &err) < 0 && err.code == EINVAL);
	CHECK(request_integer(&frame, TAG_PID, range, &value, &err) < 0 && err.code == EINVAL);
	frame_writer_free(&writer);
}

static void a_place_in_a_deep_tree_is_cut(void)
{
	static char name[] = "directory";
	struct tree_level levels[100];
	struct tree tree = {.levels = levels, .depth = 100};
	char text[32];

	for (int i = 0; i < 100; i++)
		levels[i].name = name;
	tree_where(&tree, "file", text, sizeof(text));
	CHECK(strlen(text) == sizeof(text) - 1 && strncmp(text, "directory/directory/", 20) == 0);
	tree.depth = 1;
	tree_where(&tree, "file", text, sizeof(text));
	CHECK(strcmp(text, "directory/file") == 0);
}

int main(void)
{
	sysctl_keys_become_paths();
	sysctl_keys_have_a_longest_one();
	overlay_options_fit_or_fail();
	requests_are_checked();
	a_place_in_a_deep_tree_is_cut();
	return 0;
}
