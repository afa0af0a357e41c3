/* One epoll set and a few timers: the whole of the shim's scheduling. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* The struct that has `member` as a member, from a pointer to that member. */
#define owner_of(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

/* A file descriptor being watched; fd is -1 while there is none. `ready` may close and free its own source:
 * events are delivered one at a time, so that none can be stale. */
struct source {
	int fd;
	uint32_t events;
	void (*ready)(struct source *source, uint32_t events);
};

struct timer {
	int64_t at_ms;
	void (*fire)(struct timer *timer);
	struct timer *next;
	int is_set;
};

struct loop {
	int epoll_fd;
	struct timer *timers;
	int is_stopped;
};

int loop_open(struct loop *loop, struct error *err);

/* Runs until loop->is_stopped. */
int loop_run(struct loop *loop, struct error *err);

/* Takes fd over (also on failure: then it is closed). With events 0 it is held, but not watched. */
int source_open(struct loop *loop, struct source *source, int fd, uint32_t events, struct error *err);
void source_watch(struct loop *loop, struct source *source, uint32_t events);
void source_close(struct loop *loop, struct source *source);

/* Starts a timer, or moves one that is running. It fires once. */
void timer_start(struct loop *loop, struct timer *timer, int64_t in_ms);
void timer_stop(struct loop *loop, struct timer *timer);
