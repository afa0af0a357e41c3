// with: host
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/mounts.h"
#include "host/request.h"
#include "host/userns.h"

#define CHECK(condition)                                                                                             \
	do {                                                                                                         \
		if (!(condition)) {                                                                                  \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
			exit(1);                                                                                     \
		}                                                                                                    \
	} while (0)

static void mappings_are_three_numbers(void)
{
	static const char *const good[] = {"0 0 1", "0 65536 65536", "4294967294 0 1", "0 4294967294 1",
					   "0 1 4294967294"};
	static const char *const bad[] = {
		"",	 "0",	      "0 0",	     "0 0 0",		 "0 0 1 ",	  " 0 0 1",
		"0  0 1", "0 0 -1",    "-1 0 1",     "0 0 1x",		 "a b c",	  "0\t0\t1",
		"0 0 1\n", "0,0,1",    "+0 0 1",     "0 0 4294967295",	 "4294967294 0 2", "0 4294967294 2",
		"0 0 99999999999999999999999", "0.5 0 1", "0x0 0 1",
	};
	struct id_range range;
	struct error err = {0};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(id_range_parse(good[i], &range, &err) == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int result = id_range_parse(bad[i], &range, &err);

		if (result == 0)
			fprintf(stderr, "accepted: \"%s\"\n", bad[i]);
		CHECK(result < 0 && err.code == EINVAL);
	}
	CHECK(id_range_parse("1 2 3", &range, &err) == 0);
	CHECK(range.container == 1 && range.host == 2 && range.length == 3);
}

static void the_root_and_the_highest_id_are_found(void)
{
	char *one[] = {"0 1000 10", NULL}, *two[] = {"5 1 1", "0 7 5", "20 900 1", NULL}, *none[] = {"1 0 1", NULL};
	const struct id_maps even = {one, one}, uneven = {one, two};

	CHECK(id_maps_root(one) == 1000 && id_maps_root(two) == 7 && id_maps_root(none) == -1);
	CHECK(id_maps_highest(&even, 65535) == 9);
	CHECK(id_maps_highest(&even, 4) == 4);
	CHECK(id_maps_highest(&uneven, 65535) == 5);
	CHECK(id_maps_given(&even) && !id_maps_given(&(struct id_maps){none + 1, none + 1}));
}

/* A request with `count` uid mappings and as many gid mappings less `less`. */
static int parse(size_t count, size_t less, struct error *err)
{
	struct frame_writer writer = {0};
	struct frame_reader reader = {0};
	struct frame frame;
	struct id_maps maps = {0};
	int result;

	frame_begin(&writer, 1, FRAME_BIND);
	for (size_t i = 0; i < count; i++)
		frame_put_text(&writer, TAG_UID_MAPPING, "0 1 1");
	for (size_t i = less; i < count; i++)
		frame_put_text(&writer, TAG_GID_MAPPING, "0 1 1");
	CHECK(frame_end(&writer, err) == 0);
	reader.data = writer.data;
	reader.used = reader.room = writer.used;
	CHECK(frame_reader_next(&reader, &frame, err) == 1);
	result = id_maps_parse(&frame, &maps, err);
	id_maps_free(&maps);
	frame_writer_free(&writer);
	return result;
}

static void both_lists_are_given_and_bounded(void)
{
	struct error err = {0};

	CHECK(parse(0, 0, &err) == 0 && parse(1, 0, &err) == 0 && parse(ID_MAPPINGS_MAX, 0, &err) == 0);
	CHECK(parse(1, 1, &err) < 0 && err.code == EINVAL && strstr(err.text, "only uid"));
	CHECK(parse(ID_MAPPINGS_MAX + 1, 0, &err) < 0 && err.code == EINVAL && strstr(err.text, "341"));
}

int main(void)
{
	mappings_are_three_numbers();
	the_root_and_the_highest_id_are_found();
	both_lists_are_given_and_bounded();
	return 0;
}
