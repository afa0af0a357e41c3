/* A layer blob as a stream of uncompressed bytes; digests both sides on the way. */
#pragma once

#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

#include "error.h"

enum {
	SOURCE_INPUT_SIZE = 128 * 1024,
	/* Fits into the second level cache together with the input: it is inflated, digested and written in turn. */
	SOURCE_OUTPUT_SIZE = 256 * 1024,
	/* "sha256:", 64 digits and a NUL. */
	SOURCE_DIGEST_SIZE = 7 + 64 + 1,
};

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

struct source {
	int fd; /* borrowed */
	enum compression compression;
	EVP_MD_CTX *blob_digest, *stream_digest;
	uint8_t *input, *output;
	size_t input_start, input_end;
	bool is_at_end;
	/* Between two gzip members or zstd frames; `parts` counts those that have begun. */
	bool is_between;
	uint64_t parts;
	uint64_t stream_left; /* uncompressed bytes that may still come */
	struct inflate_state *gzip;
	ZSTD_DStream *zstd;
};

/* Gets all the memory and library state that will be needed, so that nothing is loaded after a chroot.
 * The stream may be at most stream_max bytes long. */
int source_open(struct source *source, int fd, enum compression compression, uint64_t stream_max,
		struct error *err);
void source_close(struct source *source);

/* The next piece of the stream, valid until the next call; *size 0 at its end. context: the source. */
int source_next(void *context, const uint8_t **data, size_t *size, struct error *err);

/* Reads the stream to its end, then answers the digests of the blob and of the stream. */
int source_finish(struct source *source, char blob[SOURCE_DIGEST_SIZE], char stream[SOURCE_DIGEST_SIZE],
		  struct error *err);
