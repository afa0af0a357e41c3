/* The requests that run in a worker process of their own (shim/PROTOCOL.md, lighter-host). A handler puts its
 * answer's fields into `answer`, an OK frame that was begun for it; a failed handler leaves nothing behind. */
#pragma once

#include "frame.h"

typedef int request_handler(const struct frame *request, struct frame_writer *answer, struct error *err);

request_handler request_launch;
request_handler request_sandbox;
request_handler request_mount_overlay;
request_handler request_bind;
request_handler request_unmount;
request_handler request_remove_tree;
request_handler request_read_in_root;
request_handler request_disk_usage;
request_handler request_kill_cgroup;
request_handler request_remove_cgroup;
request_handler request_kill_process;
request_handler request_copy_tree;
request_handler request_relabel;
request_handler request_net_devices;
request_handler request_open_files;

/* The handler for a frame type and its name for messages; NULL if the type is no such request. */
request_handler *request_find(uint16_t type, const char **name);

/* A text that must be there and must not be empty; `what` names it in the error. The caller frees it. */
int request_text(const struct frame *request, uint16_t tag, const char *what, char **text, struct error *err);

/* Like request_text; it must be an absolute path. */
int request_path(const struct frame *request, uint16_t tag, const char *what, char **path, struct error *err);

/* A list of absolute paths, possibly empty. */
int request_paths(const struct frame *request, uint16_t tag, const char *what, char ***paths, struct error *err);

/* Does `act` to each PATH of the request. Goes on after a failure; the first one is reported. */
int request_each_path(const struct frame *request, int (*act)(const char *path, struct error *err), struct error *err);

/* An integer that must be there and lie between low and high. */
int request_integer(const struct frame *request, uint16_t tag, const int64_t range[2], int64_t *value,
		    struct error *err);
