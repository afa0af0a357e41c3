// with: unpack
/* The tar reader: what it shows of each kind of archive, whatever pieces the bytes come in, and what it refuses. */
#include <stdarg.h>

#include "unpack-archive.h"

struct trace {
	char text[8192];
	size_t used;
};

static void note(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct trace *trace, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	trace->used += (size_t)vsnprintf(trace->text + trace->used, sizeof(trace->text) - trace->used, format, args);
	va_end(args);
	CHECK(trace->used < sizeof(trace->text));
}

static int on_begin(void *context, const struct tar_entry *entry, struct error *err)
{
	static const char letters[] = "fhlcbdp";
	struct trace *trace = context;

	(void)err;
	note(trace, "%c %s", letters[entry->type], entry->path);
	if (*entry->link)
		note(trace, " -> %s", entry->link);
	note(trace, " %o %u:%u %lld.%u", entry->mode, entry->uid, entry->gid, (long long)entry->mtime_seconds,
	     entry->mtime_nanoseconds);
	if (entry->type == TAR_CHARACTER_DEVICE || entry->type == TAR_BLOCK_DEVICE)
		note(trace, " %u,%u", entry->device_major, entry->device_minor);
	for (size_t i = 0; i < entry->xattr_count; i++)
		note(trace, " %s=%.*s", entry->xattrs[i].name, (int)entry->xattrs[i].size,
		     (const char *)entry->xattrs[i].value);
	if (entry->type == TAR_FILE)
		note(trace, " %llu%s ", (unsigned long long)entry->size, entry->is_sparse ? " sparse" : "");
	return 0;
}

static int on_data(void *context, const uint8_t *data, size_t size, uint64_t offset, struct error *err)
{
	struct trace *trace = context;
	static uint64_t expected;

	(void)err;
	/* Pieces of the stream that go on where the last one ended are one piece here. */
	if (trace->text[trace->used - 1] == ' ' || offset != expected)
		note(trace, "@%llu", (unsigned long long)offset);
	note(trace, "%.*s", (int)size, (const char *)data);
	expected = offset + size;
	return 0;
}

static int on_end(void *context, const struct tar_entry *entry, struct error *err)
{
	(void)entry;
	(void)err;
	note(context, "\n");
	return 0;
}

static int read_archive(struct archive *archive, size_t piece, struct trace *trace, struct error *err)
{
	struct tar_input input = archive_input(archive, piece);
	struct tar_visitor visitor = { .context = trace, .begin = on_begin, .data = on_data, .end = on_end };

	memset(trace, 0, sizeof(*trace));
	return tar_read(&input, &visitor, err);
}

static void expect(const char *name, struct archive *archive, const char *wanted)
{
	static const size_t pieces[] = { 0, 1, 7, 511, 512, 513, 4096 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		struct error err = { 0 };
		struct trace trace;
		int result = read_archive(archive, pieces[i], &trace, &err);

		if (result == 0 && strcmp(trace.text, wanted) == 0)
			continue;
		fprintf(stderr, "%s, in pieces of %zu: %s\ngot:\n%swanted:\n%s", name, pieces[i], err.text, trace.text,
			wanted);
		exit(1);
	}
	memset(archive, 0, sizeof(*archive));
}

static void refuse(const char *name, struct archive *archive, const char *message)
{
	struct error err = { 0 };
	struct trace trace;

	if (read_archive(archive, 0, &trace, &err) == 0 || !strstr(err.text, message)) {
		fprintf(stderr, "%s: got error \"%s\", wanted \"%s\"\n", name, err.text, message);
		exit(1);
	}
	memset(archive, 0, sizeof(*archive));
}

static struct archive archive;

static void test_plain_entries(void)
{
	archive_add(&archive, &(struct member){ .name = "etc/", .type = '5', .mode = 0755, .mtime = 5 });
	archive_add(&archive, &(struct member){ .name = "etc/a", .type = '0', .mode = 04711, .uid = 1, .gid = 2,
						.content = "hello" });
	archive_add(&archive, &(struct member){ .name = "old", .content = "x" });
	archive_add(&archive, &(struct member){ .name = "olddir/", .magic = "\0\0\0\0\0\0\0" });
	archive_add(&archive, &(struct member){ .name = "h", .type = '1', .link = "etc/a" });
	archive_add(&archive, &(struct member){ .name = "s", .type = '2', .link = "../etc", .mode = 0777 });
	archive_add(&archive, &(struct member){ .name = "null", .type = '3', .major = 1, .minor = 3, .mode = 0666 });
	archive_add(&archive, &(struct member){ .name = "sda", .type = '4', .major = 8, .minor = 0 });
	archive_add(&archive, &(struct member){ .name = "pipe", .type = '6' });
	archive_end(&archive);
	archive_append(&archive, "rubbish behind the end", 22);
	expect("plain entries", &archive,
	       "d etc/ 755 0:0 5.0\nf etc/a 4711 1:2 0.0 5 @0hello\nf old 0 0:0 0.0 1 @0x\n"
	       "d olddir/ 0 0:0 0.0\nh h -> etc/a 0 0:0 0.0\nl s -> ../etc 777 0:0 0.0\n"
	       "c null 666 0:0 0.0 1,3\nb sda 0 0:0 0.0 8,0\np pipe 0 0:0 0.0\n");
	expect("nothing at all", &archive, "");
	archive_add(&archive, &(struct member){ .name = "a", .type = '0', .content = "b" });
	expect("no end marker", &archive, "f a 0 0:0 0.0 1 @0b\n");
}

static void test_names(void)
{
	char name[301], wanted[400];
	uint8_t *block;

	memset(name, 'n', 300);
	name[300] = 0;
	archive_add(&archive, &(struct member){ .name = "././@LongLink", .type = 'L', .content = name, .size = 301 });
	archive_add(&archive, &(struct member){ .name = "././@LongLink", .type = 'K', .content = "target", .size = 7 });
	archive_add(&archive, &(struct member){ .name = "cut", .type = '2', .link = "cut" });
	snprintf(wanted, sizeof(wanted), "l %s -> target 0 0:0 0.0\n", name);
	expect("GNU long name and link", &archive, wanted);
	archive_pax(&archive, 'x', "path=long/path\n");
	archive_pax(&archive, 'x', "path=longer/path\n");
	archive_add(&archive, &(struct member){ .name = "cut", .type = '5' });
	archive_add(&archive, &(struct member){ .name = "next", .type = '5' });
	expect("pax path holds for one entry, the last header counts", &archive,
	       "d longer/path 0 0:0 0.0\nd next 0 0:0 0.0\n");
	block = archive_add(&archive, &(struct member){ .name = "name", .type = '5' });
	memcpy(block + 345, "pre/fix", 7);
	archive_checksum(block);
	expect("ustar prefix", &archive, "d pre/fix/name 0 0:0 0.0\n");
}

static void test_numbers(void)
{
	uint8_t *block;

	archive_pax(&archive, 'g', "uid=7\n");
	archive_pax(&archive, 'g', "gid=8\n");
	archive_pax(&archive, 'x', "uid=4000000000\n");
	archive_add(&archive, &(struct member){ .name = "a", .type = '5', .uid = 1 });
	archive_pax(&archive, 'x', "mtime=1700000000.123456789987\n");
	archive_add(&archive, &(struct member){ .name = "b", .type = '5' });
	archive_pax(&archive, 'x', "mtime=-1.5\n");
	archive_pax(&archive, 'g', "uid=\n");
	archive_add(&archive, &(struct member){ .name = "c", .type = '5' });
	expect("pax numbers, for one entry and for all", &archive,
	       "d a 0 4000000000:8 0.0\nd b 0 7:8 1700000000.123456789\nd c 0 0:8 -1.500000000\n");
	block = archive_add(&archive, &(struct member){ .name = "a", .type = '5' });
	memcpy(block + 108, "\x80\0\0\0\0\x2d\xc6\xc0", 8);
	memcpy(block + 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
	archive_checksum(block);
	expect("base 256", &archive, "d a 0 3000000:0 -2.0\n");
	archive_pax(&archive, 'x', "size=3\n");
	block = archive_add(&archive, &(struct member){ .name = "a", .type = '0', .content = "abc" });
	memset(block + 124, '0', 11);
	archive_checksum(block);
	expect("pax size", &archive, "f a 0 0:0 0.0 3 @0abc\n");
	archive_pax(&archive, 'x', "SCHILY.xattr.user.a=1\n");
	archive_add(&archive, &(struct member){ .name = "a", .type = '0' });
	expect("extended attributes", &archive, "f a 0 0:0 0.0 user.a=1 0 \n");
}

static void test_sparse(void)
{
	static const char records_0_0[] = "GNU.sparse.offset=1\nGNU.sparse.numbytes=2\n"
					  "GNU.sparse.offset=10\nGNU.sparse.numbytes=3\nGNU.sparse.size=20\n";
	static const char records_1_0[] = "GNU.sparse.major=1\nGNU.sparse.minor=0\n"
					  "GNU.sparse.name=real\nGNU.sparse.realsize=600\n";
	char content[600] = "2\n0\n3\n500\n4\n";
	uint8_t *block;

	archive_pax(&archive, 'x', records_0_0);
	archive_add(&archive, &(struct member){ .name = "a", .type = '0', .content = "abcde" });
	expect("pax 0.0", &archive, "f a 0 0:0 0.0 20 sparse @1ab@10cde\n");
	archive_pax(&archive, 'x', "GNU.sparse.map=1,2,10,3\n");
	archive_add(&archive, &(struct member){ .name = "a", .type = '0', .content = "abcde" });
	refuse("pax 0.1 without a size", &archive, "without its size");
	archive_pax(&archive, 'x', "GNU.sparse.map=1,2,10,3\nGNU.sparse.size=20\n");
	archive_add(&archive, &(struct member){ .name = "a", .type = '0', .content = "abcde" });
	expect("pax 0.1", &archive, "f a 0 0:0 0.0 20 sparse @1ab@10cde\n");
	memcpy(content + 512, "abcdefg", 7);
	archive_pax(&archive, 'x', records_1_0);
	archive_add(&archive, &(struct member){ .name = "a", .type = '0', .content = content, .size = 519 });
	archive_add(&archive, &(struct member){ .name = "b", .type = '5' });
	expect("pax 1.0", &archive, "f real 0 0:0 0.0 600 sparse @0abc@500defg\nd b 0 0:0 0.0\n");
	block = archive_add(&archive, &(struct member){ .name = "a", .type = 'S', .magic = "ustar  ",
							.size = 3, .content = "abc" });
	memcpy(block + 386, "00000000002\00000000000003", 23);
	memcpy(block + 483, "00000000012", 11);
	archive_checksum(block);
	expect("old GNU", &archive, "f a 0 0:0 0.0 10 sparse @2abc\n");
}

static void test_old_sparse_goes_on(void)
{
	uint8_t more[TAR_BLOCK_SIZE] = { 0 };
	uint8_t *block = archive_add(&archive, &(struct member){ .name = "a", .type = 'S', .magic = "ustar  " });

	for (int i = 0; i < 4; i++)
		snprintf((char *)block + 386 + 24 * i, 24, "%011o%c%010o1", 10 * i, 0, 0);
	memcpy(block + 124, "00000000005", 11);
	memcpy(block + 386 + 12, "00000000001", 11);
	for (int i = 0; i < 4; i++)
		memcpy(block + 386 + 24 * i + 12, "00000000001", 11);
	block[482] = 1;
	memcpy(block + 483, "00000000100", 11);
	archive_checksum(block);
	memcpy(more, "00000000077\00000000000001", 23);
	archive_append(&archive, more, sizeof(more));
	archive_append(&archive, "abcde", 5);
	archive_pad(&archive);
	expect("old GNU, map in two blocks", &archive, "f a 0 0:0 0.0 64 sparse @0a@10b@20c@30d@63e\n");
}

static void test_refused_headers(void)
{
	uint8_t *block = archive_add(&archive, &(struct member){ .name = "a", .type = '0' });

	block[0] = 'b';
	refuse("checksum", &archive, "checksum");
	archive_add(&archive, &(struct member){ .name = "odd\n", .type = 'D' });
	refuse("unknown type, name in one line", &archive, "entry \"odd\\012\": an entry of unknown type 68");
	archive_add(&archive, &(struct member){ .name = "a", .type = '0', .content = "hello" });
	archive.size -= 512;
	refuse("cut off in the content", &archive, "entry \"a\": the archive ends too early");
	archive_add(&archive, &(struct member){ .name = "a", .type = '0' });
	archive.size -= 100;
	refuse("cut off in a header", &archive, "ends too early");
	archive_pax(&archive, 'x', "path=a\n");
	refuse("ends behind an extension", &archive, "ends behind an extension header");
	archive_append(&archive, (uint8_t[TAR_BLOCK_SIZE]){ 0 }, TAR_BLOCK_SIZE);
	archive_add(&archive, &(struct member){ .name = "a", .type = '5' });
	refuse("one block of zeros", &archive, "single block of zeros");
	block = archive_add(&archive, &(struct member){ .name = "a", .type = '0' });
	memset(block + 124, 0xff, 12);
	archive_checksum(block);
	refuse("negative size", &archive, "its size is negative");
	block = archive_add(&archive, &(struct member){ .name = "a", .type = 'x' });
	memcpy(block + 124, "77777777777", 11);
	archive_checksum(block);
	refuse("huge extension", &archive, "more than 1048576 bytes");
	block = archive_add(&archive, &(struct member){ .name = "a", .type = '0' });
	memset(block + 124, 0x7f, 12);
	block[124] = 0x80 | 0x3f;
	archive_checksum(block);
	refuse("a size of more than 63 bits", &archive, "too large");
	block = archive_add(&archive, &(struct member){ .name = "a", .type = '0' });
	memcpy(block + 108, "12x4567", 7);
	archive_checksum(block);
	refuse("not octal", &archive, "not octal");
}

static void test_refused_records(void)
{
	static const struct {
		const char *content, *message;
	} raw[] = {
		{ "8 path=a\n", "no proper length" },	 { "99999999 path=a\n", "no proper length" },
		{ "path=a\n", "no proper length" },	 { "8 path=\n4 a\n", "no proper key" },
		{ "8 patha\n", "no proper key" },	 { "7 =abc\n", "no proper key" },
		{ "10 path=abc", "no proper length" },
	};
	static const struct {
		const char *records, *message;
	} cases[] = {
		{ "uid=-1\n", "not a number" },
		{ "uid=4294967295\n", "not a user and group id" },
		{ "uid=99999999999999999999999\n", "not a number" },
		{ "mtime=x\n", "not a time" },
		{ "mtime=1.x\n", "not a time" },
		{ "SCHILY.xattr.=\n", "no proper name" },
		{ "GNU.sparse.major=2\n", "unknown version" },
		{ "GNU.sparse.numbytes=1\n", "before its offset" },
		{ "GNU.sparse.map=5,2,1\nGNU.sparse.size=20\n", "number is missing" },
		{ "GNU.sparse.map=5,2,1,1\nGNU.sparse.size=20\n", "out of order" },
		{ "GNU.sparse.map=5,3\nGNU.sparse.size=6\n", "out of order or too large" },
		{ "GNU.sparse.map=5,2\nGNU.sparse.size=9\n", "does not fit its content" },
		{ "GNU.sparse.major=1\nGNU.sparse.realsize=9\n", "cut off" },
	};

	for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
		archive_add(&archive, &(struct member){ .name = "x", .type = 'x', .content = raw[i].content });
		archive_add(&archive, &(struct member){ .name = "a", .type = '5' });
		refuse(raw[i].content, &archive, raw[i].message);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		archive_pax(&archive, 'x', cases[i].records);
		archive_add(&archive, &(struct member){ .name = "a", .type = '0', .content = "abc" });
		refuse(cases[i].records, &archive, cases[i].message);
	}
	for (int i = 0; i < 40; i++) {
		char record[2001] = "comment=";

		memset(record + 8, 'v', sizeof(record) - 10);
		record[sizeof(record) - 2] = '\n';
		archive_pax(&archive, 'g', record);
	}
	refuse("too many global headers", &archive, "global headers of more than 65536 bytes");
}

int main(void)
{
	test_plain_entries();
	test_names();
	test_numbers();
	test_sparse();
	test_old_sparse_goes_on();
	test_refused_headers();
	test_refused_records();
	return 0;
}
