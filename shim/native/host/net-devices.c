#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "request.h"
#include "scoped.h"

/* Whoever rules a network namespace can make as many interfaces in it as it likes. */
enum { TEXT_MAX = 64 * 1024 };

/* The text of net/dev of the namespace that this process is in; lines beyond TEXT_MAX are left out. */
static ssize_t read_devices(char *text, struct error *err)
{
	SCOPED_FD fd = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
	ssize_t got = 0;
	size_t used = 0;

	if (fd < 0)
		return error_errno(err, errno, "cannot open net/dev");
	while (used < TEXT_MAX) {
		got = read(fd, text + used, TEXT_MAX - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	if (got < 0)
		return error_errno(err, errno, "cannot read net/dev");
	while (used > 0 && text[used - 1] != '\n')
		used--;
	return (ssize_t)used;
}

/* 1: this process is in the namespace of the pin; 0: the pin is gone, or nothing is mounted on it any more. */
static int enter(const char *pin, struct error *err)
{
	SCOPED_FD fd = open(pin, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open network namespace %s", pin);
	if (setns(fd, CLONE_NEWNET) == 0)
		return 1;
	return errno == EINVAL ? 0 : error_errno(err, errno, "cannot enter network namespace %s", pin);
}

int request_net_devices(const struct frame *request, struct frame_writer *answer, struct error *err)
{
	SCOPED_TEXTS pins = NULL;
	char text[TEXT_MAX];

	if (request_paths(request, TAG_PATH, "network namespace", &pins, err) < 0)
		return -1;
	for (char **pin = pins; *pin; pin++) {
		int entered = enter(*pin, err);
		ssize_t size = entered > 0 ? read_devices(text, err) : 0;

		if (entered < 0 || size < 0)
			return -1;
		frame_put(answer, TAG_DATA, text, (size_t)size);
	}
	return 0;
}
