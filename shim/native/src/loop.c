#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int loop_open(struct loop *loop, struct error *err)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->timers = NULL;
	loop->is_stopped = 0;
	return loop->epoll_fd < 0 ? error_errno(err, errno, "cannot make an epoll set") : 0;
}

static int until_next_timer(const struct loop *loop)
{
	int64_t now = now_ms(), wait = -1;

	for (const struct timer *timer = loop->timers; timer; timer = timer->next) {
		int64_t left = timer->at_ms > now ? timer->at_ms - now : 0;

		if (wait < 0 || left < wait)
			wait = left;
	}
	return (int)wait;
}

/* Fires one due timer at a time: its function may stop others. */
static void fire_timers(struct loop *loop)
{
	int64_t now = now_ms();
	struct timer *timer;

	do {
		for (timer = loop->timers; timer; timer = timer->next) {
			if (timer->at_ms <= now) {
				timer_stop(loop, timer);
				timer->fire(timer);
				break;
			}
		}
	} while (timer && !loop->is_stopped);
}

int loop_run(struct loop *loop, struct error *err)
{
	while (!loop->is_stopped) {
		struct epoll_event event;
		int count = epoll_wait(loop->epoll_fd, &event, 1, until_next_timer(loop));

		if (count < 0 && errno != EINTR)
			return error_errno(err, errno, "cannot wait for events");
		if (count > 0) {
			struct source *source = event.data.ptr;

			source->ready(source, event.events);
		}
		if (!loop->is_stopped && loop->timers)
			fire_timers(loop);
	}
	return 0;
}

static int control(struct loop *loop, struct source *source, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(loop->epoll_fd, operation, source->fd, &event);
}

int source_open(struct loop *loop, struct source *source, int fd, uint32_t events, struct error *err)
{
	source->fd = fd;
	source->events = events;
	if (events && control(loop, source, EPOLL_CTL_ADD, events) < 0) {
		int code = errno;

		close(fd);
		source->fd = -1;
		return error_errno(err, code, "cannot watch a file descriptor");
	}
	return 0;
}

void source_watch(struct loop *loop, struct source *source, uint32_t events)
{
	int operation = EPOLL_CTL_MOD;

	if (source->fd < 0 || source->events == events)
		return;
	if (!source->events)
		operation = EPOLL_CTL_ADD;
	else if (!events)
		operation = EPOLL_CTL_DEL;
	control(loop, source, operation, events);
	source->events = events;
}

void source_close(struct loop *loop, struct source *source)
{
	if (source->fd < 0)
		return;
	source_watch(loop, source, 0);
	close(source->fd);
	source->fd = -1;
}

void timer_start(struct loop *loop, struct timer *timer, int64_t in_ms)
{
	timer->at_ms = now_ms() + in_ms;
	if (timer->is_set)
		return;
	timer->is_set = 1;
	timer->next = loop->timers;
	loop->timers = timer;
}

void timer_stop(struct loop *loop, struct timer *timer)
{
	if (!timer->is_set)
		return;
	for (struct timer **at = &loop->timers; *at; at = &(*at)->next) {
		if (*at == timer) {
			*at = timer->next;
			break;
		}
	}
	timer->is_set = 0;
	timer->next = NULL;
}
