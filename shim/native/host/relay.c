#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "job.h"

static int is_empty(const struct lane *lane)
{
	return lane->start == lane->used;
}

static int wants_read(const struct lane *lane)
{
	return !lane->is_done && is_empty(lane);
}

static int wants_write(const struct lane *lane)
{
	return !lane->is_done && !is_empty(lane);
}

static void end(struct lane *lane)
{
	lane->is_done = 1;
	shutdown(lane->to, SHUT_WR);
}

/* Answers whether anything came. */
static int fill(struct lane *lane)
{
	ssize_t got = recv(lane->from, lane->data, sizeof(lane->data), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		lane->is_broken = got < 0;
		end(lane);
		return 0;
	}
	lane->start = 0;
	lane->used = (size_t)got;
	return 1;
}

/* Answers whether anything was taken. */
static int empty(struct lane *lane)
{
	ssize_t put = send(lane->to, lane->data + lane->start, lane->used - lane->start, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (put < 0) {
		lane->is_done = 1;
		shutdown(lane->from, SHUT_RD);
		return 0;
	}
	lane->start += (size_t)put;
	return put > 0;
}

/* Moves a lane on. Answers whether bytes were moved. */
static int move(struct lane *lane)
{
	int moved = wants_read(lane) && fill(lane);

	if (wants_write(lane))
		moved |= empty(lane);
	return moved;
}

static void wait_for(const struct relay *relay, struct pollfd fds[2], int timeout_ms)
{
	const struct lane *forth = &relay->forth, *back = &relay->back;

	fds[0] = (struct pollfd){ .fd = forth->from, .events = 0 };
	fds[1] = (struct pollfd){ .fd = forth->to, .events = 0 };
	fds[0].events |= wants_read(forth) ? POLLIN : 0;
	fds[0].events |= wants_write(back) ? POLLOUT : 0;
	fds[1].events |= wants_read(back) ? POLLIN : 0;
	fds[1].events |= wants_write(forth) ? POLLOUT : 0;
	/* A hang-up is told whether it was asked for or not, again and again. */
	if (relay->is_client_gone && !fds[0].events)
		fds[0].fd = -1;
	if (!fds[1].events)
		fds[1].fd = -1;
	if (poll(fds, 2, timeout_ms) <= 0)
		fds[0].revents = fds[1].revents = 0;
}

void relay_run(struct relay *relay, int client, int server)
{
	struct pollfd fds[2];
	int64_t give_up_ms = 0;

	relay->forth.from = relay->back.to = client;
	relay->forth.to = relay->back.from = server;
	while (!relay->forth.is_done || !relay->back.is_done) {
		int64_t left_ms = relay->is_client_gone ? give_up_ms - now_ms() : -1;

		if (relay->is_client_gone && left_ms <= 0)
			return;
		wait_for(relay, fds, (int)left_ms);
		if ((fds[0].revents & POLLHUP) && !relay->is_client_gone) {
			relay->is_client_gone = 1;
			relay->back.is_done = 1;
			give_up_ms = now_ms() + relay->linger_ms;
		}
		if (move(&relay->forth))
			give_up_ms = now_ms() + relay->linger_ms;
		move(&relay->back);
		if (relay->back.is_broken)
			return;
	}
}
