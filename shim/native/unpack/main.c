/* lighter-unpack: inflates, digests and unpacks one image layer (shim/PROTOCOL.md). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confine.h"
#include "source.h"
#include "tree.h"

/* Room in the stream for what is not content: a header, a pax header and padding for every name, and the end. */
enum { STREAM_PER_INODE = 4096, STREAM_END = 1024 * 1024 };

struct arguments {
	const char *blob, *destination;
	enum compression compression;
	struct tree_limits limits;
};

static int parse_number(const char *name, const char *text, uint64_t *value, struct error *err)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || *value > INT64_MAX)
		return error_set(err, 0, "--%s: \"%.40s\" is not a number of bytes or files", name, text);
	return 0;
}

static int parse_compression(const char *text, enum compression *compression, struct error *err)
{
	static const char *const names[] = { "none", "gzip", "zstd" };

	for (int i = 0; i < 3; i++)
		if (strcmp(text, names[i]) == 0) {
			*compression = (enum compression)i;
			return 0;
		}
	return error_set(err, 0, "--compression: \"%.40s\" is not none, gzip or zstd", text);
}

static int parse_arguments(int argc, char **argv, struct arguments *arguments, struct error *err)
{
	static const struct option options[] = {
		{ "blob", required_argument, NULL, 'b' },	{ "dest", required_argument, NULL, 'd' },
		{ "compression", required_argument, NULL, 'c' }, { "max-bytes", required_argument, NULL, 'B' },
		{ "max-inodes", required_argument, NULL, 'I' },	{ 0 },
	};
	unsigned int seen = 0;
	int option, index = 0;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
		int parsed = 0;

		seen |= 1U << index;
		if (option == 'b')
			arguments->blob = optarg;
		else if (option == 'd')
			arguments->destination = optarg;
		else if (option == 'c')
			parsed = parse_compression(optarg, &arguments->compression, err);
		else if (option == 'B')
			parsed = parse_number("max-bytes", optarg, &arguments->limits.bytes, err);
		else if (option == 'I')
			parsed = parse_number("max-inodes", optarg, &arguments->limits.inodes, err);
		else
			return error_set(err, 0, "unknown argument \"%.100s\"", argv[optind - 1]);
		if (parsed < 0)
			return -1;
	}
	if (seen != 0x1f || optind != argc)
		return error_set(err, 0, "want --blob PATH --dest DIR --compression none|gzip|zstd --max-bytes N "
					 "--max-inodes N");
	return 0;
}

static int open_destination(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	int names = 0;

	if (!directory)
		return error_errno(err, errno, "cannot open the destination %.200s", path);
	while (names <= 2 && readdir(directory))
		names++;
	closedir(directory);
	if (names > 2)
		return error_set(err, ENOTEMPTY, "the destination %.200s is not empty", path);
	return fd;
}

static int unpack(struct source *source, struct tree *tree, struct error *err)
{
	struct tar_input input = { .context = source, .next = source_next };
	struct tar_visitor visitor = tree_visitor(tree);
	char blob[SOURCE_DIGEST_SIZE], stream[SOURCE_DIGEST_SIZE];

	if (tar_read(&input, &visitor, err) < 0 || tree_finish(tree, err) < 0 ||
	    source_finish(source, blob, stream, err) < 0)
		return -1;
	printf("diff-id %s\nblob %s\nbytes %llu\ninodes %llu\n", stream, blob, (unsigned long long)tree->bytes,
	       (unsigned long long)tree->inodes);
	if (tree_print_implicit(tree, stdout, err) < 0)
		return -1;
	return fflush(stdout) == 0 ? 0 : error_errno(err, errno, "cannot write to stdout");
}

static uint64_t stream_max(const struct tree_limits *limits)
{
	uint64_t overhead;

	if (limits->inodes > (INT64_MAX - STREAM_END) / STREAM_PER_INODE)
		return INT64_MAX;
	overhead = limits->inodes * STREAM_PER_INODE + STREAM_END;
	return limits->bytes > INT64_MAX - overhead ? INT64_MAX : limits->bytes + overhead;
}

/* Everything from the outside is opened and loaded before the door shuts behind this process. */
static int run(const struct arguments *arguments, struct error *err)
{
	__attribute__((cleanup(source_close))) struct source source = { 0 };
	struct tree tree;
	int blob, destination, result;

	blob = open(arguments->blob, O_RDONLY | O_CLOEXEC);
	if (blob < 0)
		return error_errno(err, errno, "cannot open the blob %.200s", arguments->blob);
	destination = open_destination(arguments->destination, err);
	if (destination < 0 ||
	    source_open(&source, blob, arguments->compression, stream_max(&arguments->limits), err) < 0 ||
	    confine(destination, err) < 0)
		return -1;
	result = tree_open(&tree, destination, &arguments->limits, err);
	if (result == 0)
		result = unpack(&source, &tree, err);
	tree_close(&tree);
	return result;
}

/* One line, whatever names the archive has. */
static void print_error(const struct error *err)
{
	for (const char *text = err->text; *text; text++)
		putc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, stderr);
	putc('\n', stderr);
}

int main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct error err = { 0 };

	if (parse_arguments(argc, argv, &arguments, &err) == 0 && close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		error_errno(&err, errno, "cannot close inherited files");
	if (!*err.text && run(&arguments, &err) == 0)
		return 0;
	print_error(&err);
	return 1;
}
