/* The command line (PROTOCOL.md, lighter-shim). */
#pragma once

#include "error.h"

struct options {
	const char *id;
	const char *bundle;
	const char *runtime;
	const char *runtime_root;
	const char *exit_file;
	const char *pid_file;
	const char *log_path; /* NULL: none */
	const char *oom_file; /* NULL: none */
	int has_tty;
	int has_stdin;
	int is_stdin_once;
	int has_systemd_cgroup;
};

/* The texts stay in argv. */
int options_parse(struct options *options, char **argv, struct error *err);
