#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static EVP_MD_CTX *new_digest(void)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1)
		return digest;
	EVP_MD_CTX_free(digest);
	return NULL;
}

int source_open(struct source *source, int fd, enum compression compression, uint64_t stream_max,
		struct error *err)
{
	bool has_all;

	memset(source, 0, sizeof(*source));
	source->fd = fd;
	source->compression = compression;
	source->stream_left = stream_max;
	source->is_between = true;
	source->input = malloc(SOURCE_INPUT_SIZE);
	source->output = malloc(SOURCE_OUTPUT_SIZE);
	source->blob_digest = new_digest();
	source->stream_digest = new_digest();
	has_all = source->input && source->output && source->blob_digest && source->stream_digest;
	if (compression == COMPRESSION_GZIP)
		has_all = (source->gzip = malloc(sizeof(*source->gzip))) && has_all;
	if (compression == COMPRESSION_ZSTD)
		has_all = (source->zstd = ZSTD_createDStream()) && has_all;
	if (has_all)
		return 0;
	source_close(source);
	return error_errno(err, ENOMEM, "cannot prepare reading the blob");
}

void source_close(struct source *source)
{
	free(source->input);
	free(source->output);
	free(source->gzip);
	ZSTD_freeDStream(source->zstd);
	EVP_MD_CTX_free(source->blob_digest);
	EVP_MD_CTX_free(source->stream_digest);
	memset(source, 0, sizeof(*source));
}

static int update(EVP_MD_CTX *digest, const uint8_t *data, size_t size, struct error *err)
{
	return EVP_DigestUpdate(digest, data, size) == 1 ? 0 : error_set(err, 0, "cannot compute a digest");
}

static size_t input_left(const struct source *source)
{
	return source->input_end - source->input_start;
}

/* Reads more of the blob when all that was read has been used. */
static int fill(struct source *source, struct error *err)
{
	ssize_t got;

	if (source->is_at_end || input_left(source) > 0)
		return 0;
	do {
		got = read(source->fd, source->input, SOURCE_INPUT_SIZE);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_errno(err, errno, "cannot read the blob");
	source->is_at_end = got == 0;
	source->input_start = 0;
	source->input_end = (size_t)got;
	return update(source->blob_digest, source->input, (size_t)got, err);
}

static const char *gzip_reason(int code)
{
	switch (code) {
	case ISAL_INCORRECT_CHECKSUM:
		return "its checksum is wrong";
	case ISAL_INVALID_WRAPPER:
	case ISAL_UNSUPPORTED_METHOD:
		return "it has no gzip header";
	default:
		return "its compressed data is damaged";
	}
}

/* One step of the gzip decoder; *produced bytes are in the output. */
static int inflate_gzip(struct source *source, size_t *produced, struct error *err)
{
	struct inflate_state *state = source->gzip;
	int code;

	if (source->is_between) {
		isal_inflate_init(state);
		state->crc_flag = ISAL_GZIP;
	}
	state->next_in = source->input + source->input_start;
	state->avail_in = (uint32_t)input_left(source);
	state->next_out = source->output;
	state->avail_out = SOURCE_OUTPUT_SIZE;
	code = isal_inflate(state);
	if (code < 0)
		return error_set(err, 0, "the blob is not sound gzip: %s", gzip_reason(code));
	source->input_start = source->input_end - state->avail_in;
	source->is_between = state->block_state == ISAL_BLOCK_FINISH;
	*produced = SOURCE_OUTPUT_SIZE - state->avail_out;
	return 0;
}

static int inflate_zstd(struct source *source, size_t *produced, struct error *err)
{
	ZSTD_inBuffer input = { .src = source->input, .size = source->input_end, .pos = source->input_start };
	ZSTD_outBuffer output = { .dst = source->output, .size = SOURCE_OUTPUT_SIZE };
	size_t code = ZSTD_decompressStream(source->zstd, &output, &input);

	if (ZSTD_isError(code))
		return error_set(err, 0, "the blob is not sound zstd: %s", ZSTD_getErrorName(code));
	source->input_start = input.pos;
	source->is_between = code == 0;
	*produced = output.pos;
	return 0;
}

/* gzip(1) pads for tapes: zeros behind the last member mean nothing. */
static void skip_padding(struct source *source)
{
	if (source->compression == COMPRESSION_GZIP && source->parts > 0)
		while (input_left(source) > 0 && source->input[source->input_start] == 0)
			source->input_start++;
}

/* 1: the stream is over; 0: there is input for the decoder, or it still holds output; -1 */
static int at_end(struct source *source, struct error *err)
{
	do {
		if (fill(source, err) < 0)
			return -1;
		if (source->is_between)
			skip_padding(source);
	} while (source->is_between && input_left(source) == 0 && !source->is_at_end);
	if (!source->is_between || input_left(source) > 0) {
		source->parts += source->is_between;
		return 0;
	}
	return source->parts > 0 ? 1 : error_set(err, 0, "the blob is empty");
}

static int next_inflated(struct source *source, size_t *size, struct error *err)
{
	*size = 0;
	while (*size == 0) {
		size_t before;
		bool was_between;
		int ended = at_end(source, err);
		int got;

		if (ended != 0)
			return ended < 0 ? -1 : 0;
		was_between = source->is_between;
		before = source->input_start;
		got = source->compression == COMPRESSION_GZIP ? inflate_gzip(source, size, err) :
								  inflate_zstd(source, size, err);
		if (got < 0)
			return -1;
		if (*size == 0 && source->input_start == before && source->is_between == was_between)
			return error_set(err, 0, "the blob is cut off");
	}
	return 0;
}

static int next_plain(struct source *source, size_t *size, struct error *err)
{
	if (fill(source, err) < 0)
		return -1;
	*size = input_left(source);
	source->input_start = source->input_end;
	return 0;
}

int source_next(void *context, const uint8_t **data, size_t *size, struct error *err)
{
	struct source *source = context;
	bool is_plain = source->compression == COMPRESSION_NONE;

	*data = is_plain ? source->input : source->output;
	if ((is_plain ? next_plain(source, size, err) : next_inflated(source, size, err)) < 0)
		return -1;
	if (*size > source->stream_left)
		return error_set(err, 0, "the layer is larger than its limits allow");
	source->stream_left -= *size;
	return is_plain ? 0 : update(source->stream_digest, *data, *size, err);
}

static int print_digest(EVP_MD_CTX *digest, char text[SOURCE_DIGEST_SIZE], struct error *err)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned int size;

	if (EVP_DigestFinal_ex(digest, bytes, &size) != 1 || size != 32)
		return error_set(err, 0, "cannot compute a digest");
	memcpy(text, "sha256:", 7);
	for (unsigned int i = 0; i < size; i++)
		snprintf(text + 7 + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int source_finish(struct source *source, char blob[SOURCE_DIGEST_SIZE], char stream[SOURCE_DIGEST_SIZE],
		  struct error *err)
{
	const uint8_t *data;
	size_t size = 1;

	while (size > 0)
		if (source_next(source, &data, &size, err) < 0)
			return -1;
	if (print_digest(source->blob_digest, blob, err) < 0)
		return -1;
	if (source->compression != COMPRESSION_NONE)
		return print_digest(source->stream_digest, stream, err);
	memcpy(stream, blob, SOURCE_DIGEST_SIZE);
	return 0;
}
