#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void ready(struct source *source, uint32_t events)
{
	struct sink *sink = owner_of(source, struct sink, source);

	(void)events;
	source_watch(sink->loop, source, 0);
	sink->writable(sink);
}

int sink_open(struct sink *sink, struct loop *loop, int fd, struct error *err)
{
	sink->loop = loop;
	sink->source.ready = ready;
	return source_open(loop, &sink->source, fd, 0, err);
}

void sink_close(struct sink *sink)
{
	source_close(sink->loop, &sink->source);
}

int sink_write(struct sink *sink, struct input *input)
{
	while (input->done < input->size && sink->source.fd >= 0) {
		ssize_t put = write(sink->source.fd, input->data + input->done, input->size - input->done);

		if (put >= 0) {
			input->done += (size_t)put;
		} else if (errno == EAGAIN) {
			source_watch(sink->loop, &sink->source, EPOLLOUT);
			return 0;
		} else if (errno != EINTR) {
			sink_close(sink);
		}
	}
	free(input->data);
	memset(input, 0, sizeof(*input));
	return 1;
}
