#include "stream.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "pages.h"

/* What one stream may read before others have their turn. */
enum { TURN_BYTES = 4 * STREAM_READ_SIZE };

/* The largest pipe that a process without privileges can make. */
enum { FINISH_BYTES = 1024 * 1024 };

/* Hands on about `limit` bytes, as long as nobody pauses it. Answers 0 at the end of the stream, 1 otherwise. */
static int pump(struct stream *stream, ssize_t limit)
{
	struct pages buffer PAGES_CLEANUP = pages_get(STREAM_READ_SIZE);

	if (!buffer.data)
		return 1;
	while (limit > 0 && stream->source.events) {
		ssize_t got = read(stream->source.fd, buffer.data, buffer.size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 1;
		if (got <= 0) /* a terminal ends with EIO */
			return 0;
		stream->data(stream, buffer.data, (size_t)got);
		limit -= got;
	}
	return 1;
}

static void ready(struct source *source, uint32_t events)
{
	struct stream *stream = owner_of(source, struct stream, source);

	(void)events;
	if (pump(stream, TURN_BYTES))
		return;
	source_close(stream->loop, source);
	stream->ended(stream);
}

int stream_open(struct stream *stream, struct loop *loop, int number, int fd, struct error *err)
{
	stream->loop = loop;
	stream->number = number;
	stream->source.ready = ready;
	return source_open(loop, &stream->source, fd, EPOLLIN, err);
}

void stream_pause(struct stream *stream, int is_paused)
{
	source_watch(stream->loop, &stream->source, is_paused ? 0 : EPOLLIN);
}

int stream_is_open(const struct stream *stream)
{
	return stream->source.fd >= 0;
}

void stream_finish(struct stream *stream)
{
	if (!stream_is_open(stream))
		return;
	stream_pause(stream, 0);
	pump(stream, FINISH_BYTES);
	source_close(stream->loop, &stream->source);
}
