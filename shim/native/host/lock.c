#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "job.h"
#include "request.h"

int locks_want(struct locks *locks, const struct frame *request, struct error *err)
{
	static const int64_t waits[2] = {0, LOCK_WAIT_MAX_MS};
	struct lock *lock = &locks->items[locks->count];
	int64_t wait_ms;

	if (locks->count == LOCKS_MAX)
		return error_set(err, EAGAIN, "the host holds %d locks already", LOCKS_MAX);
	if (request_integer(request, TAG_TIMEOUT_MS, waits, &wait_ms, err) < 0 ||
	    request_path(request, TAG_PATH, "lock file", &lock->path, err) < 0)
		return -1;
	lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (lock->fd < 0) {
		error_errno(err, errno, "cannot open lock file %s", lock->path);
		free(lock->path);
		return -1;
	}
	lock->id = request->id;
	lock->is_answered = 0;
	lock->give_up_ms = now_ms() + wait_ms;
	locks->count++;
	return 0;
}

static void forget(struct locks *locks, size_t index)
{
	close(locks->items[index].fd);
	free(locks->items[index].path);
	locks->items[index] = locks->items[--locks->count];
}

/* 1: answered with success, 0: still wanted, -1: failed. */
static int try_lock(struct lock *lock, int64_t now, struct frame_writer *out)
{
	struct error failure = {0}, ignored = {0};

	if (flock(lock->fd, LOCK_EX | LOCK_NB) == 0) {
		lock->is_answered = 1;
		frame_begin(out, lock->id, FRAME_OK);
		frame_end(out, &ignored);
		return 1;
	}
	if ((errno == EWOULDBLOCK || errno == EINTR) && now < lock->give_up_ms)
		return 0;
	error_errno(&failure, errno, "cannot lock %s", lock->path);
	frame_error(out, lock->id, &failure, &ignored);
	return -1;
}

int locks_try(struct locks *locks, int64_t now, struct frame_writer *out)
{
	int is_waiting = 0;

	for (size_t i = 0; i < locks->count;) {
		int result = locks->items[i].is_answered ? 1 : try_lock(&locks->items[i], now, out);

		is_waiting |= result == 0;
		if (result < 0)
			forget(locks, i);
		else
			i++;
	}
	return is_waiting;
}
