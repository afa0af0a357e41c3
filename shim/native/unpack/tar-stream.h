/* Takes blocks and runs of bytes out of the pieces of a tar_input. */
#pragma once

#include "tar.h"

struct tar_stream {
	const struct tar_input *input;
	const uint8_t *data;
	size_t left;
	uint8_t block[TAR_BLOCK_SIZE];
};

/* 1: *block is the next block, valid until the next call; 0: the input ended before it; -1: it ended inside it. */
int tar_stream_block(struct tar_stream *stream, const uint8_t **block, struct error *err);

/* Between 1 and max bytes, wherever they are; the end of the input is an error. */
int tar_stream_some(struct tar_stream *stream, uint64_t max, const uint8_t **data, size_t *size, struct error *err);

int tar_stream_copy(struct tar_stream *stream, void *to, size_t size, struct error *err);
int tar_stream_skip(struct tar_stream *stream, uint64_t size, struct error *err);

/* Bytes that fill up the last block of a content of this size. */
uint64_t tar_padding(uint64_t size);
