/* Buffers that exist only while they are used, so that an idle shim holds none. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

struct pages {
	uint8_t *data;
	size_t size;
};

/* data is NULL if there is no memory. Pages cost memory only once they are touched. */
static inline struct pages pages_get(size_t size)
{
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return (struct pages){ .data = data == MAP_FAILED ? NULL : data, .size = size };
}

static inline void pages_put(const struct pages *pages)
{
	if (pages->data)
		munmap(pages->data, pages->size);
}

#define PAGES_CLEANUP __attribute__((cleanup(pages_put)))
