/* Inside of a worker process. */
#pragma once

#include "frame.h"

/* Writes the answer that was begun, or ERROR if `result` is negative, and closes the pipe that it goes to. */
void worker_answer(const struct frame *request, struct frame_writer *answer, int result, struct error *err);
