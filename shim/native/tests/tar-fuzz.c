// with: unpack
/* Fuzzes the tar reader: the first byte says how large the pieces of the input are and whether the checksums of all
 * blocks are made right first, so that mutations get past them; the rest is the archive. Besides what the sanitizers
 * see, an entry must keep what tar.h promises about it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unpack/tar.h"

struct input {
	const uint8_t *data;
	size_t left, piece;
};

struct seen {
	uint64_t end; /* of the content of the file so far */
	uint64_t size;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int next(void *context, const uint8_t **data, size_t *size, struct error *err)
{
	struct input *input = context;

	(void)err;
	*data = input->data;
	*size = input->left < input->piece ? input->left : input->piece;
	input->data += *size;
	input->left -= *size;
	return 0;
}

static void must(int condition)
{
	if (!condition)
		abort();
}

/* Lets the sanitizer look at every byte. */
static void touch(const uint8_t *data, size_t size)
{
	static volatile uint8_t sum;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum ^ data[i]);
}

static void mend_checksums(uint8_t *data, size_t size)
{
	for (; size >= TAR_BLOCK_SIZE; data += TAR_BLOCK_SIZE, size -= TAR_BLOCK_SIZE) {
		unsigned int sum = 8 * ' ';

		for (int i = 0; i < TAR_BLOCK_SIZE; i++)
			sum += i >= 148 && i < 156 ? 0 : data[i];
		/* A block without a type and a magic is content. */
		if (memcmp(data + 257, "ustar", 5) == 0)
			snprintf((char *)data + 148, 8, "%06o", sum);
	}
}

static int on_begin(void *context, const struct tar_entry *entry, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	must(strlen(entry->path) < TAR_PATH_MAX && strlen(entry->link) < TAR_PATH_MAX);
	must(entry->mode <= 07777 && entry->uid < UINT32_MAX && entry->gid < UINT32_MAX);
	must(entry->size <= INT64_MAX && entry->mtime_nanoseconds < 1000000000);
	must(entry->xattr_count <= TAR_XATTRS_MAX);
	for (size_t i = 0; i < entry->xattr_count; i++) {
		must(strlen(entry->xattrs[i].name) <= TAR_XATTR_NAME_MAX);
		must(entry->xattrs[i].size <= TAR_XATTR_VALUE_MAX);
		touch(entry->xattrs[i].value, entry->xattrs[i].size);
	}
	seen->end = 0;
	seen->size = entry->size;
	return 0;
}

static int on_data(void *context, const uint8_t *data, size_t size, uint64_t offset, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	must(size > 0 && offset >= seen->end && offset <= seen->size && size <= seen->size - offset);
	touch(data, size);
	seen->end = offset + size;
	return 0;
}

static int on_end(void *context, const struct tar_entry *entry, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	must(entry->size == seen->size && (entry->is_sparse || seen->end == entry->size));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = { 0 };
	struct input input = { 0 };
	struct tar_input source = { .context = &input, .next = next };
	struct tar_visitor visitor = { .context = &seen, .begin = on_begin, .data = on_data, .end = on_end };
	struct error err = { 0 };

	uint8_t *copy;

	if (size == 0)
		return 0;
	copy = malloc(size);
	must(copy != NULL);
	memcpy(copy, data, size);
	if (data[0] & 1)
		mend_checksums(copy + 1, size - 1);
	input = (struct input){ .data = copy + 1, .left = size - 1, .piece = 1 + (size_t)data[0] * 3 };
	if (tar_read(&source, &visitor, &err) < 0)
		must(err.text[0] != 0);
	free(copy);
	return 0;
}
