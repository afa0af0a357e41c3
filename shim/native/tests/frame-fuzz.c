/* Whatever a client sends: nothing is read past its end, and what was taken can be walked. */
#include <stdlib.h>
#include <string.h>

#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct frame *frame)
{
	struct error err;
	struct field field;
	size_t offset = 0;
	int64_t value;
	char *text;
	char **texts;
	volatile uint8_t last;

	while (field_next(frame, &offset, &field, &err) > 0)
		if (field.size > 0)
			last = field.data[field.size - 1];
	(void)last;
	for (uint16_t tag = 0; tag <= TAG_TIME_NS; tag++) {
		field_integer(frame, tag, 0, &value, &err);
		if (field_text(frame, tag, &text, &err) == 0)
			free(text);
		if (field_texts(frame, tag, &texts, &err) == 0)
			texts_free(texts);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_reader reader = { .data = malloc(size ? size : 1), .used = size, .room = size };
	struct frame frame;
	struct error err;

	if (!reader.data)
		return 0;
	memcpy(reader.data, data, size);
	while (frame_reader_next(&reader, &frame, &err) > 0)
		walk(&frame);
	frame_reader_free(&reader);
	return 0;
}
