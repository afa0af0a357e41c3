#include "children.h"

#include <errno.h>
#include <stddef.h>
#include <sys/wait.h>

/* Status of a child that turned out not to be ours: exit code 255. */
enum { LOST_STATUS = 255 << 8 };

void children_add(struct children *children, struct child *child, pid_t pid)
{
	child->pid = pid;
	child->next = children->first;
	children->first = child;
}

static void forget(struct children *children, const struct child *child)
{
	for (struct child **at = &children->first; *at; at = &(*at)->next) {
		if (*at == child) {
			*at = child->next;
			return;
		}
	}
}

/* 1 if a known child had ended. */
static int reap_known(struct children *children)
{
	for (struct child *child = children->first; child; child = child->next) {
		int status;
		pid_t got = waitpid(child->pid, &status, WNOHANG);

		if (got == 0 || (got < 0 && errno == EINTR))
			continue;
		if (got < 0)
			status = LOST_STATUS;
		forget(children, child);
		child->ended(child, status);
		return 1;
	}
	return 0;
}

/* 1 if a process was reaped that nobody knows, or that ended since reap_known looked. */
static int reap_stranger(struct children *children)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return 0;
	for (struct child *child = children->first; child; child = child->next) {
		if (child->pid == pid) {
			forget(children, child);
			child->ended(child, status);
			break;
		}
	}
	return 1;
}

void children_reap(struct children *children)
{
	while (reap_known(children) || (!children->starting && reap_stranger(children)))
		;
}

int exit_code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int signal_of(int status)
{
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
