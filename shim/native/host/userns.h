/* User namespaces, made for their id mappings (SANDBOX, BIND, MOUNT_OVERLAY of shim/PROTOCOL.md). */
#pragma once

#include <stdint.h>

#include "frame.h"

enum { ID_MAPPINGS_MAX = 340 /* user_namespaces(7) */ };

/* `CONTAINER HOST LENGTH` each; NULL-terminated. Both lists are empty, or none is. */
struct id_maps {
	char **uids;
	char **gids;
};

struct id_range {
	uint32_t container;
	uint32_t host;
	uint32_t length;
};

/* Fails with EINVAL if one list is given without the other, or a mapping is malformed. The caller frees maps, also
 * on failure. */
int id_maps_parse(const struct frame *request, struct id_maps *maps, struct error *err);

void id_maps_free(struct id_maps *maps);

#define SCOPED_ID_MAPS __attribute__((cleanup(id_maps_free))) struct id_maps

static inline int id_maps_given(const struct id_maps *maps)
{
	return maps->uids && maps->uids[0];
}

int id_range_parse(const char *mapping, struct id_range *range, struct error *err);

/* The host's id of id 0 inside; -1: it has none. */
int64_t id_maps_root(char *const *mappings);

/* The largest id up to `wanted` that both lists map. */
uint32_t id_maps_highest(const struct id_maps *maps, uint32_t wanted);

/* A descriptor of a new user namespace with these mappings; it lasts as long as somebody refers to it. */
int userns_open(const struct id_maps *maps, struct error *err);

/* Makes this process root of the user namespace, with nothing of its privileges outside. */
int userns_enter(int user_fd, struct error *err);
