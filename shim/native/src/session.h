/* All processes of a session. */
#pragma once

#include <sys/types.h>

/* Kills every process of the session that `leader` leads, also those in process groups of their own. */
void session_kill(pid_t leader);
