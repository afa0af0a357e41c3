#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop.h"
#include "pages.h"

/* Room for the lines of one read of 64 KiB, if they are not very short. */
enum { BATCH_SIZE = 256 * 1024 };

/* A batch on its way into a log. */
struct file_batch {
	struct log_batch batch;
	struct log *log;
};

static int open_file(const char *path, struct error *err)
{
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(path, flags, 0640);
	struct stat stat;

	if (fd < 0)
		return error_errno(err, errno, "cannot open log file %s", path);
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
		close(fd);
		return error_set(err, EINVAL, "log file %s is not a regular file", path);
	}
	return fd;
}

int log_open(struct log *log, const char *path, struct error *err)
{
	memset(log, 0, sizeof(*log));
	log->path = path;
	log->streams[0].name = "stdout";
	log->streams[1].name = "stderr";
	log->fd = path ? open_file(path, err) : -1;
	return path && log->fd < 0 ? -1 : 0;
}

int log_reopen(struct log *log, struct error *err)
{
	int fd;

	if (!log->path)
		return 0;
	fd = open_file(log->path, err);
	if (fd < 0)
		return -1;
	if (log->fd >= 0)
		close(log->fd);
	log->fd = fd;
	log->is_torn = 0;
	return 0;
}

/* Writes until something fails; what is left is lost. Answers whether all of it was written. */
static int put(struct log *log, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(log->fd, data, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			log->lost_bytes += size;
			log->lost_errno = written < 0 ? errno : ENOSPC;
			return 0;
		}
		log->is_torn = data[written - 1] != '\n';
		data += written;
		size -= (size_t)written;
	}
	return 1;
}

/* Says in one line how much is missing, once writing works again. Answers whether it does. */
static int tell_loss(struct log *log, const char *time)
{
	char line[256];
	uint64_t lost = log->lost_bytes;
	int size = snprintf(line, sizeof(line), "%s%s stderr F lighter: lost %" PRIu64 " bytes of log here: %s\n",
			    log->is_torn ? "\n" : "", time, lost, strerror(log->lost_errno));

	log->lost_bytes = 0;
	if (put(log, (const uint8_t *)line, (size_t)size))
		return 1;
	log->lost_bytes = lost; /* the line itself is no loss */
	return 0;
}

static void flush(struct log_batch *batch)
{
	struct file_batch *file = owner_of(batch, struct file_batch, batch);
	struct log *log = file->log;

	if (batch->used == 0)
		return;
	if (log->lost_bytes > 0 && !tell_loss(log, batch->time))
		log->lost_bytes += batch->used;
	else
		put(log, batch->data, batch->used);
	batch->used = 0;
}

/* The memory of one batch; NULL data (then the output is lost) if there is none. */
static struct pages batch_begin(struct file_batch *file, struct log *log)
{
	struct pages pages = pages_get(BATCH_SIZE);
	struct timespec now;

	memset(file, 0, sizeof(*file));
	file->log = log;
	file->batch.data = pages.data;
	file->batch.room = pages.size;
	file->batch.flush = flush;
	clock_gettime(CLOCK_REALTIME, &now);
	log_batch_time(&file->batch, &now);
	return pages;
}

void log_write(struct log *log, int stream, const uint8_t *data, size_t size)
{
	struct file_batch file;

	if (log->fd < 0)
		return;
	struct pages pages PAGES_CLEANUP = batch_begin(&file, log);
	if (!pages.data) {
		log->lost_bytes += size;
		log->lost_errno = ENOMEM;
		return;
	}
	log_format(&log->streams[stream == 2], data, size, &file.batch);
	flush(&file.batch);
}

void log_end(struct log *log)
{
	struct file_batch file;

	if (log->fd < 0)
		return;
	struct pages pages PAGES_CLEANUP = batch_begin(&file, log);
	if (!pages.data)
		return;
	log_format_end(&log->streams[0], &file.batch);
	log_format_end(&log->streams[1], &file.batch);
	flush(&file.batch);
	if (log->lost_bytes > 0)
		tell_loss(log, file.batch.time);
}
