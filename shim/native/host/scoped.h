/* Cleanup at the end of the scope. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "frame.h"

static inline void scoped_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void scoped_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static inline void scoped_free(char **text)
{
	free(*text);
}

static inline void scoped_texts_free(char ***texts)
{
	texts_free(*texts);
}

#define SCOPED_FD __attribute__((cleanup(scoped_close))) int
#define SCOPED_DIR __attribute__((cleanup(scoped_closedir))) DIR *
#define SCOPED_TEXT __attribute__((cleanup(scoped_free))) char *
#define SCOPED_TEXTS __attribute__((cleanup(scoped_texts_free))) char **
