#include "exit-file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "files.h"
#include "message.h"
#include "options.h"

enum { TEXT_SIZE = MESSAGE_SIZE + 64 };

static int format(char text[TEXT_SIZE], const struct exit_record *record)
{
	if (record->failure)
		return snprintf(text, TEXT_SIZE, "version 1\nerror %s\n", record->failure);
	return snprintf(text, TEXT_SIZE, "version 1\nexit_code %d\nsignal %d\noom %d\nfinished_ns %" PRId64 "\n",
			record->exit_code, record->signal, record->is_oom, record->finished_ns);
}

static int write_file(const char *path, const char *text, size_t size, struct error *err)
{
	int fd FD_CLEANUP = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);

	return fd < 0 ? error_errno(err, errno, "open") : fd_write(fd, text, size, err);
}

int exit_file_write(const char *path, const struct exit_record *record, struct error *err)
{
	char text[TEXT_SIZE], temporary[FILE_PATH_SIZE];
	int size = format(text, record);

	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= (int)sizeof(temporary))
		return error_errno(err, ENAMETOOLONG, "exit file %s", path);
	if (write_file(temporary, text, (size_t)size, err) < 0) {
		unlink(temporary);
		return error_wrap(err, "cannot write %s", temporary);
	}
	if (rename(temporary, path) < 0)
		return error_errno(err, errno, "cannot rename %s", temporary);
	return 0;
}
