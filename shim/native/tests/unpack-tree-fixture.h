/* A directory that archives are unpacked into, and what it looks like afterwards. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "unpack-archive.h"
#include "unpack/tree.h"

static char base[] = "/tmp/unpack-tree-XXXXXX";
static char listing[64 * 1024];
static size_t root_length;
static struct archive archive;

static void clean_up(void)
{
	char command[64];

	/* Not nftw: trees here may be deeper than a path. */
	snprintf(command, sizeof(command), "rm -rf %s", base);
	if (system(command) != 0)
		fprintf(stderr, "%s failed\n", command);
}

static int list_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static const char letters[] = "?pc?d?b?-?l?s";
	size_t used = strlen(listing);
	char target[256] = "", opaque[2] = "";
	ssize_t length;

	(void)type;
	if (ftw->level == 0)
		return 0;
	length = readlink(path, target, sizeof(target) - 1);
	if (S_ISREG(st->st_mode)) {
		int fd = open(path, O_RDONLY | O_NOATIME);

		length = read(fd, target, sizeof(target) - 1);
		close(fd);
	}
	target[length > 0 ? length : 0] = 0;
	lgetxattr(path, "trusted.overlay.opaque", opaque, 1);
	snprintf(listing + used, sizeof(listing) - used, "%c %s%s%s%s%s\n",
		 S_ISCHR(st->st_mode) && st->st_rdev == 0 ? 'w' : letters[st->st_mode >> 12 & 15],
		 path + root_length + 1, *target ? " " : "", target, *opaque ? " opaque " : "", opaque);
	return 0;
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(char *const *)left + 2, *(char *const *)right + 2);
}

/* Lines "TYPE PATH [CONTENT]" in order of path. */
static const char *list(const char *root)
{
	static char sorted[sizeof(listing)];
	char *lines[512];
	size_t count = 0;

	*listing = 0;
	root_length = strlen(root);
	CHECK(nftw(root, list_one, 16, FTW_PHYS) == 0);
	for (char *line = strtok(listing, "\n"); line && count < 512; line = strtok(NULL, "\n"))
		lines[count++] = line;
	qsort(lines, count, sizeof(*lines), by_text);
	*sorted = 0;
	for (size_t i = 0; i < count; i++) {
		strcat(sorted, lines[i]);
		strcat(sorted, "\n");
	}
	return sorted;
}

static int count_names(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *name;
	int count = 0;

	CHECK(directory);
	while ((name = readdir(directory)))
		count += name->d_name[0] != '.' || strlen(name->d_name) > 2;
	closedir(directory);
	return count;
}

struct unpacked {
	int result;
	uint64_t bytes, inodes;
	struct error err;
	char implicit[4096];
};

static const char *root_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/outer/root", base);
	return path;
}

/* Unpacks the archive into a new directory two levels deep. */
static struct unpacked unpack_limited(struct tree_limits limits)
{
	struct unpacked unpacked = { 0 };
	struct tar_input input = archive_input(&archive, 1000);
	struct tar_visitor visitor;
	struct tree tree;
	char outer[64];
	FILE *stream;
	int root;

	clean_up();
	snprintf(outer, sizeof(outer), "%s/outer", base);
	CHECK(mkdir(base, 0755) == 0 && mkdir(outer, 0755) == 0 && mkdir(root_path(), 0755) == 0);
	root = open(root_path(), O_RDONLY | O_DIRECTORY);
	CHECK(root >= 0 && tree_open(&tree, root, &limits, &unpacked.err) == 0);
	visitor = tree_visitor(&tree);
	unpacked.result = tar_read(&input, &visitor, &unpacked.err);
	if (unpacked.result == 0)
		unpacked.result = tree_finish(&tree, &unpacked.err);
	stream = fmemopen(unpacked.implicit, sizeof(unpacked.implicit), "w");
	CHECK(stream && tree_print_implicit(&tree, stream, &unpacked.err) == 0);
	fclose(stream);
	unpacked.bytes = tree.bytes;
	unpacked.inodes = tree.inodes;
	tree_close(&tree);
	close(root);
	CHECK(chdir("/") == 0);
	memset(&archive, 0, sizeof(archive));
	return unpacked;
}

static struct unpacked unpack(void)
{
	return unpack_limited((struct tree_limits){ .bytes = 1000000, .inodes = 10000 });
}

/* Beside and above the root there must be nothing but what was made for it. */
static void check_outside(void)
{
	char outer[64], wanted[64];

	snprintf(outer, sizeof(outer), "%s/outer", base);
	snprintf(wanted, sizeof(wanted), "%s/outer/root", base);
	CHECK(count_names(base) == 1 && count_names(outer) == 1);
	CHECK(access(wanted, F_OK) == 0);
}

static void expect(const char *name, const char *wanted)
{
	struct unpacked unpacked = unpack();
	const char *got = list(root_path());

	if (unpacked.result < 0 || strcmp(got, wanted) != 0) {
		fprintf(stderr, "%s: %s\ngot:\n%swanted:\n%s", name, unpacked.err.text, got, wanted);
		exit(1);
	}
	check_outside();
}

static void refuse(const char *name, const char *message)
{
	struct unpacked unpacked = unpack();

	if (unpacked.result == 0 || !strstr(unpacked.err.text, message)) {
		fprintf(stderr, "%s: got \"%s\", wanted \"%s\"\n", name, unpacked.err.text, message);
		exit(1);
	}
	check_outside();
}

static void add(char type, const char *name, const char *text)
{
	archive_add(&archive, &(struct member){
				      .name = name, .type = type, .mode = type == '5' ? 0755 : 0644,
				      .link = type == '1' || type == '2' ? text : NULL,
				      .content = type == '0' ? text : NULL });
}
