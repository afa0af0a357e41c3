/* The command line (PROTOCOL.md, lighter-shim). */
#pragma once

#include <sys/types.h>

#include "error.h"

/* The bundle's and the exit file's paths are shorter than PATH_LIMIT, so that those made from them fit into
 * FILE_PATH_SIZE. Small numbers, for what was once on the stack stays in memory. */
enum { PATH_LIMIT = 400, FILE_PATH_SIZE = 512 };

/* (uid_t)-1: nobody in particular. */
struct owner {
	uid_t uid;
	gid_t gid;
};

struct options {
	const char *id;
	const char *bundle;
	const char *runtime;
	const char *runtime_root;
	const char *exit_file;
	const char *pid_file;
	const char *log_path; /* NULL: none */
	const char *oom_file; /* NULL: none */
	const char *io_owner; /* as given; NULL: none */
	const char *restore;  /* CRIU images to begin from; NULL: run from the start */
	struct owner owner;   /* of the pipes */
	int has_tty;
	int has_stdin;
	int is_stdin_once;
	int has_systemd_cgroup;
};

/* The texts stay in argv. */
int options_parse(struct options *options, char **argv, struct error *err);
