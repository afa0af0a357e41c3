#include "overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel.h"
#include "mounts.h"
#include "request.h"
#include "scoped.h"

enum {
	FSCONFIG_TEXT_MAX = 255, /* fsconfig(2), FSCONFIG_SET_STRING */
	OPTION_MAX = 256,
	MOUNT_DATA_SIZE = 4096, /* mount(2) takes one page */
};

/* What the file system itself has to say about a failure (fsopen(2), "Message retrieval"). */
static int fs_failure(int fs_fd, const char *doing, struct error *err)
{
	int code = errno;
	char message[256];
	ssize_t got = read(fs_fd, message, sizeof(message) - 1);

	if (got <= 0)
		return error_errno(err, code, "%s", doing);
	message[got] = 0;
	message[strcspn(message, "\n")] = 0;
	return error_errno(err, code, "%s: %s", doing, message);
}

static int set_text(int fs_fd, const char *key, const char *value, struct error *err)
{
	char doing[128];

	if (kernel_fsconfig(fs_fd, FSCONFIG_SET_STRING, key, value) == 0)
		return 0;
	snprintf(doing, sizeof(doing), "cannot set %s of an overlay to %.80s", key, value);
	return fs_failure(fs_fd, doing, err);
}

/* A directory by its path, or by a descriptor, which stays open, if the path is longer than a parameter may be. */
static int set_directory(int fs_fd, const char *key, const char *path, struct error *err)
{
	char by_fd[32];
	int fd;

	if (strlen(path) <= FSCONFIG_TEXT_MAX)
		return set_text(fs_fd, key, path, err);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "cannot open %s", path);
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	return set_text(fs_fd, key, by_fd, err);
}

/* The length of the first option: a value in double quotes may hold commas, as a label of SELinux does. */
static size_t option_length(const char *options)
{
	int is_quoted = 0;
	size_t size = 0;

	for (; options[size] && (is_quoted || options[size] != ','); size++)
		if (options[size] == '"')
			is_quoted = !is_quoted;
	return size;
}

/* fsconfig(2) takes the value as it is, mount(2) with its quotes. */
static void unquote(char *value)
{
	size_t size = strlen(value);

	if (size < 2 || value[0] != '"' || value[size - 1] != '"')
		return;
	memmove(value, value + 1, size - 2);
	value[size - 2] = 0;
}

static int set_options(int fs_fd, const char *options, struct error *err)
{
	char option[OPTION_MAX], doing[OPTION_MAX + 64];

	while (options && *options) {
		size_t size = option_length(options);
		char *equals;
		int result;

		if (size >= sizeof(option))
			return error_set(err, EINVAL, "an overlay option has more than %d bytes", OPTION_MAX - 1);
		memcpy(option, options, size);
		option[size] = 0;
		options += size + (options[size] == ',');
		equals = strchr(option, '=');
		if (equals) {
			*equals = 0;
			unquote(equals + 1);
		}
		result = kernel_fsconfig(fs_fd, equals ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option,
					 equals ? equals + 1 : NULL);
		if (result < 0) {
			snprintf(doing, sizeof(doing), "cannot set overlay option %s", option);
			return fs_failure(fs_fd, doing, err);
		}
	}
	return 0;
}

static int attach(const struct overlay *overlay, int fs_fd, struct error *err)
{
	SCOPED_FD mount_fd = -1;
	char doing[256];

	if (kernel_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL) < 0) {
		snprintf(doing, sizeof(doing), "cannot make an overlay for %.200s", overlay->target);
		return fs_failure(fs_fd, doing, err);
	}
	mount_fd = kernel_fsmount(fs_fd);
	if (mount_fd < 0 || kernel_move_mount(mount_fd, AT_FDCWD, overlay->target) < 0)
		return error_errno(err, errno, "cannot mount an overlay on %s", overlay->target);
	return 0;
}

static int mount_by_steps(const struct overlay *overlay, struct error *err)
{
	SCOPED_FD fs_fd = kernel_fsopen("overlay");

	if (fs_fd < 0)
		return error_errno(err, errno, "cannot open the overlay file system");
	if (set_text(fs_fd, "source", "overlay", err) < 0)
		return -1;
	for (char **layer = overlay->layers; *layer; layer++)
		if (set_directory(fs_fd, "lowerdir+", *layer, err) < 0)
			return -1;
	if (overlay->upper && (set_directory(fs_fd, "upperdir", overlay->upper, err) < 0 ||
			       set_directory(fs_fd, "workdir", overlay->work, err) < 0))
		return -1;
	if (set_options(fs_fd, overlay->options, err) < 0)
		return -1;
	return attach(overlay, fs_fd, err);
}

struct text {
	char *start;
	size_t used, size;
};

/* Counts what does not fit, too. */
static void append(struct text *text, const char *before, const char *piece)
{
	size_t room = text->used < text->size ? text->size - text->used : 0;

	text->used += (size_t)snprintf(room ? text->start + text->used : NULL, room, "%s%s", before, piece);
}

int overlay_options(const struct overlay *overlay, char *options, size_t size, struct error *err)
{
	struct text text = {.start = options, .size = size};
	size_t layers = 0;

	for (; overlay->layers[layers]; layers++) {
		if (strpbrk(overlay->layers[layers], ":,\\"))
			return error_set(err, EINVAL, "layer %s: this kernel takes no path with : , or \\",
					 overlay->layers[layers]);
		append(&text, layers ? ":" : "lowerdir=", overlay->layers[layers]);
	}
	if (overlay->upper) {
		if (strpbrk(overlay->upper, ",\\") || strpbrk(overlay->work, ",\\"))
			return error_set(err, EINVAL, "upper directory %s: this kernel takes no path with , or \\",
					 overlay->upper);
		append(&text, ",upperdir=", overlay->upper);
		append(&text, ",workdir=", overlay->work);
	}
	if (overlay->options)
		append(&text, ",", overlay->options);
	if (text.used < size)
		return 0;
	return error_set(err, E2BIG,
			 "an overlay of %zu layers for %s needs %zu bytes of options, but this kernel takes %zu: "
			 "use an image with fewer layers or Linux 6.8",
			 layers, overlay->target, text.used, size - 1);
}

static int mount_at_once(const struct overlay *overlay, struct error *err)
{
	char options[MOUNT_DATA_SIZE];

	if (overlay_options(overlay, options, sizeof(options), err) < 0)
		return -1;
	if (mount("overlay", overlay->target, "overlay", 0, options) < 0)
		return error_errno(err, errno, "cannot mount an overlay on %s", overlay->target);
	return 0;
}

/* Before Linux 6.5 overlay cannot be made by steps; trying would write an error into the kernel's log each time. */
static int is_made_at_once(void)
{
	struct utsname name;
	int major, minor;

	if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return 0;
	return major < 6 || (major == 6 && minor < 5);
}

int overlay_mount(const struct overlay *overlay, struct error *err)
{
	size_t layers = 0;
	struct error later = {0};

	while (overlay->layers[layers])
		layers++;
	if (layers == 0 || layers > OVERLAY_LAYERS_MAX)
		return error_set(err, EINVAL, "an overlay for %s of %zu layers: want 1 to %d", overlay->target, layers,
				 OVERLAY_LAYERS_MAX);
	if (!overlay->upper != !overlay->work)
		return error_set(err, EINVAL, "an overlay for %s has only one of upper and work", overlay->target);
	/* The kernel wants two layers for a read-only overlay; of one layer it would be that layer itself. */
	if (layers == 1 && !overlay->upper)
		return mounts_bind(overlay->layers[0], overlay->target, MOUNT_READ_ONLY, err);
	if (is_made_at_once())
		return mount_at_once(overlay, err);
	if (mount_by_steps(overlay, err) == 0)
		return 0;
	/* Layers one by one came with Linux 6.8: before, that is EINVAL, for some kernels only at the last step. */
	if (err->code != EINVAL)
		return -1;
	if (mount_at_once(overlay, &later) == 0)
		return 0;
	if (later.code == E2BIG)
		*err = later;
	return -1;
}

static int mount_plain(const struct overlay *overlay, struct error *err)
{
	int was_made = mounts_make_target(S_IFDIR, overlay->target, err);

	if (was_made < 0)
		return -1;
	if (overlay_mount(overlay, err) == 0)
		return 0;
	if (was_made)
		mounts_remove_target(overlay->target);
	return -1;
}

static void overlay_free(struct overlay *overlay)
{
	texts_free(overlay->layers);
	free(overlay->upper);
	free(overlay->work);
	free(overlay->options);
	free(overlay->target);
	free(overlay->sub_path);
	id_maps_free(&overlay->maps);
}

static int overlay_parse(const struct frame *request, struct overlay *overlay, struct error *err)
{
	int64_t flags;

	if (field_texts(request, TAG_LAYER, &overlay->layers, err) < 0 ||
	    field_text(request, TAG_UPPER, &overlay->upper, err) < 0 ||
	    field_text(request, TAG_WORK, &overlay->work, err) < 0 ||
	    field_text(request, TAG_OPTIONS, &overlay->options, err) < 0 ||
	    request_path(request, TAG_PATH, "target", &overlay->target, err) < 0 ||
	    field_text(request, TAG_SUB_PATH, &overlay->sub_path, err) < 0 ||
	    field_integer(request, TAG_FLAGS, 0, &flags, err) < 0 || id_maps_parse(request, &overlay->maps, err) < 0)
		return -1;
	if (flags & ~(int64_t)(MOUNT_READ_ONLY | MOUNT_NO_EXEC | MOUNT_NO_DEV | MOUNT_NO_SUID))
		return error_set(err, EINVAL, "the flags %lld are not those of an overlay mount", (long long)flags);
	overlay->flags = (unsigned int)flags;
	return 0;
}

int request_mount_overlay(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	__attribute__((cleanup(overlay_free))) struct overlay overlay = {0};
	SCOPED_TEXT directory = NULL;

	(void)answer;
	if (request_path(request, TAG_DIRECTORY, "directory", &directory, err) < 0 ||
	    overlay_parse(request, &overlay, err) < 0)
		return -1;
	if (chdir(directory) < 0)
		return error_errno(err, errno, "cannot enter %s", directory);
	if (overlay.sub_path || overlay.flags || id_maps_given(&overlay.maps))
		return overlay_mount_view(&overlay, err);
	return mount_plain(&overlay, err);
}
