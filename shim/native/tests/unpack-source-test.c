// with: unpack
/* The blob as a stream: every compression, several members and frames, damage, digests, the limit. */
#include <isa-l/igzip_lib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unpack-archive.h"
#include "unpack/source.h"

struct blob {
	uint8_t data[1024 * 1024];
	size_t size;
};

enum { TEXT_SIZE = 700 * 1000 };

static struct blob blob;
static uint8_t text[TEXT_SIZE];

static void fill_text(void)
{
	uint32_t state = 1;

	/* Compressible, but not so much that it would all fit into one piece of input. */
	for (size_t i = 0; i < TEXT_SIZE; i++) {
		state = state * 1103515245 + 12345;
		text[i] = (uint8_t)("abcdefgh"[state >> 16 & 7]);
	}
}

static void append(const void *data, size_t size)
{
	CHECK(blob.size + size <= sizeof(blob.data));
	memcpy(blob.data + blob.size, data, size);
	blob.size += size;
}

static void append_gzip(const void *data, size_t size)
{
	struct isal_zstream stream;

	isal_deflate_stateless_init(&stream);
	stream.gzip_flag = IGZIP_GZIP;
	stream.next_in = (uint8_t *)data;
	stream.avail_in = (uint32_t)size;
	stream.end_of_stream = 1;
	stream.next_out = blob.data + blob.size;
	stream.avail_out = (uint32_t)(sizeof(blob.data) - blob.size);
	CHECK(isal_deflate_stateless(&stream) == COMP_OK);
	blob.size += stream.total_out;
}

static void append_zstd(const void *data, size_t size)
{
	size_t made = ZSTD_compress(blob.data + blob.size, sizeof(blob.data) - blob.size, data, size, 1);

	CHECK(!ZSTD_isError(made));
	blob.size += made;
}

static int read_blob(enum compression compression, uint64_t limit, char digests[2][SOURCE_DIGEST_SIZE],
		     struct error *err)
{
	struct source source;
	int fd = memfd_create("blob", MFD_CLOEXEC);
	int result;

	CHECK(fd >= 0 && write(fd, blob.data, blob.size) == (ssize_t)blob.size && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(source_open(&source, fd, compression, limit, err) == 0);
	result = source_finish(&source, digests[0], digests[1], err);
	source_close(&source);
	close(fd);
	return result;
}

static void digest_of(const uint8_t *data, size_t size, char *digest)
{
	unsigned char bytes[32];

	CHECK(EVP_Digest(data, size, bytes, NULL, EVP_sha256(), NULL) == 1);
	strcpy(digest, "sha256:");
	for (int i = 0; i < 32; i++)
		sprintf(digest + 7 + 2 * i, "%02x", bytes[i]);
}

static void expect(const char *name, enum compression compression, size_t text_size)
{
	char digests[2][SOURCE_DIGEST_SIZE] = { 0 }, wanted[2][SOURCE_DIGEST_SIZE] = { 0 };
	struct error err = { 0 };
	int result = read_blob(compression, TEXT_SIZE, digests, &err);

	digest_of(blob.data, blob.size, wanted[0]);
	digest_of(text, text_size, wanted[1]);
	if (result < 0 || strcmp(digests[0], wanted[0]) != 0 || strcmp(digests[1], wanted[1]) != 0) {
		fprintf(stderr, "%s: %s; blob %s, stream %s\n", name, err.text, digests[0], digests[1]);
		exit(1);
	}
	blob.size = 0;
}

static void refuse(const char *name, enum compression compression, const char *message)
{
	char digests[2][SOURCE_DIGEST_SIZE] = { 0 };
	struct error err = { 0 };

	if (read_blob(compression, TEXT_SIZE, digests, &err) == 0 || !strstr(err.text, message)) {
		fprintf(stderr, "%s: got \"%s\", wanted \"%s\"\n", name, err.text, message);
		exit(1);
	}
	blob.size = 0;
}

static void test_plain(void)
{
	append(text, TEXT_SIZE);
	expect("plain", COMPRESSION_NONE, TEXT_SIZE);
	expect("plain, empty", COMPRESSION_NONE, 0);
	append(text, TEXT_SIZE);
	append("x", 1);
	refuse("plain, over the limit", COMPRESSION_NONE, "larger than its limits");
}

static void test_gzip(void)
{
	append_gzip(text, TEXT_SIZE);
	expect("gzip", COMPRESSION_GZIP, TEXT_SIZE);
	for (size_t at = 0; at < 100; at++)
		append_gzip(text + at * 7000, 7000);
	expect("gzip, many members", COMPRESSION_GZIP, TEXT_SIZE);
	append_gzip("", 0);
	append_gzip(text, 3);
	append_gzip("", 0);
	expect("gzip, empty members", COMPRESSION_GZIP, 3);
	append_gzip(text, 1000);
	append((char[3000]){ 0 }, 3000);
	expect("gzip, zeros behind it", COMPRESSION_GZIP, 1000);
	append_gzip(text, 1000);
	append("rubbish that is no member", 25);
	refuse("gzip, rubbish behind it", COMPRESSION_GZIP, "no gzip header");
	refuse("gzip, empty", COMPRESSION_GZIP, "empty");
	append("this is not gzip at all", 23);
	refuse("not gzip", COMPRESSION_GZIP, "no gzip header");
	append_gzip(text, TEXT_SIZE);
	append_gzip(text, 1);
	refuse("gzip, over the limit", COMPRESSION_GZIP, "larger than its limits");
}

static void test_damaged_gzip(void)
{
	size_t whole;

	append_gzip(text, 5000);
	whole = blob.size;
	for (size_t size = 1; size < whole; size += size < 30 ? 1 : 97) {
		blob.size = size;
		refuse("gzip, cut off", COMPRESSION_GZIP, "cut off");
	}
	blob.size = whole - 1;
	refuse("gzip, last byte missing", COMPRESSION_GZIP, "cut off");
	append_gzip(text, 5000);
	blob.data[blob.size - 6] ^= 1;
	refuse("gzip, wrong checksum", COMPRESSION_GZIP, "checksum is wrong");
	append_gzip(text, 5000);
	memset(blob.data + 20, 0xff, 40);
	refuse("gzip, damaged", COMPRESSION_GZIP, "not sound gzip");
}

static void test_zstd(void)
{
	static const uint8_t skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z' };

	append_zstd(text, TEXT_SIZE);
	expect("zstd", COMPRESSION_ZSTD, TEXT_SIZE);
	append(skippable, sizeof(skippable));
	append_zstd(text, 1000);
	append_zstd("", 0);
	append_zstd(text + 1000, 300000);
	append(skippable, sizeof(skippable));
	expect("zstd, frames", COMPRESSION_ZSTD, 301000);
	append_zstd(text, 5000);
	blob.size -= 1;
	refuse("zstd, cut off", COMPRESSION_ZSTD, "cut off");
	append(skippable, sizeof(skippable) - 1);
	refuse("zstd, cut off in a skippable frame", COMPRESSION_ZSTD, "cut off");
	append_zstd(text, 5000);
	append("rubbish", 7);
	refuse("zstd, rubbish behind it", COMPRESSION_ZSTD, "not sound zstd");
	refuse("zstd, empty", COMPRESSION_ZSTD, "empty");
	append_zstd(text, TEXT_SIZE);
	append_zstd(text, 1);
	refuse("zstd, over the limit", COMPRESSION_ZSTD, "larger than its limits");
}

int main(void)
{
	fill_text();
	test_plain();
	test_gzip();
	test_damaged_gzip();
	test_zstd();
	return 0;
}
