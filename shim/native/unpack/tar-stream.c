#include "tar-stream.h"

#include <string.h>

static int refill(struct tar_stream *stream, struct error *err)
{
	if (stream->left > 0)
		return 0;
	return stream->input->next(stream->input->context, &stream->data, &stream->left, err);
}

int tar_stream_some(struct tar_stream *stream, uint64_t max, const uint8_t **data, size_t *size, struct error *err)
{
	if (refill(stream, err) < 0)
		return -1;
	if (stream->left == 0)
		return error_set(err, 0, "the archive ends too early");
	*data = stream->data;
	*size = stream->left < max ? stream->left : (size_t)max;
	stream->data += *size;
	stream->left -= *size;
	return 0;
}

int tar_stream_copy(struct tar_stream *stream, void *to, size_t size, struct error *err)
{
	uint8_t *target = to;
	const uint8_t *data = NULL;
	size_t got = 0;

	for (; size > 0; size -= got, target += got) {
		if (tar_stream_some(stream, size, &data, &got, err) < 0)
			return -1;
		memcpy(target, data, got);
	}
	return 0;
}

int tar_stream_skip(struct tar_stream *stream, uint64_t size, struct error *err)
{
	const uint8_t *data = NULL;
	size_t got = 0;

	for (; size > 0; size -= got)
		if (tar_stream_some(stream, size, &data, &got, err) < 0)
			return -1;
	return 0;
}

int tar_stream_block(struct tar_stream *stream, const uint8_t **block, struct error *err)
{
	if (refill(stream, err) < 0)
		return -1;
	if (stream->left == 0)
		return 0;
	if (stream->left >= TAR_BLOCK_SIZE) {
		*block = stream->data;
		stream->data += TAR_BLOCK_SIZE;
		stream->left -= TAR_BLOCK_SIZE;
		return 1;
	}
	if (tar_stream_copy(stream, stream->block, TAR_BLOCK_SIZE, err) < 0)
		return -1;
	*block = stream->block;
	return 1;
}

uint64_t tar_padding(uint64_t size)
{
	return (TAR_BLOCK_SIZE - size % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE;
}
