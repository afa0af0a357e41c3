/* Takes from this process what unpacking a hostile archive does not need. */
#pragma once

#include "error.h"

/* chroots into the directory, keeps the capabilities that PROTOCOL.md lists for lighter-unpack, sets no_new_privs
 * and resource limits. There is no way back. */
int confine(int directory, struct error *err);
