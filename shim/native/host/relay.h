/* Bytes between two stream sockets, both ways, each way closed on its own. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { RELAY_BYTES = 64 * 1024 };

/* One way. What was read is written before more is read: memory stays what it is, whoever is slow. */
struct lane {
	int from, to;
	size_t start, used;
	int is_broken;
	int is_done; /* its end was handed on, or nobody takes its bytes any more */
	uint8_t data[RELAY_BYTES];
};

struct relay {
	struct lane forth; /* from the client */
	struct lane back;
	int is_client_gone;
	int64_t linger_ms; /* how long a server may take nothing from a client that is gone */
};

/* Both sockets must not block, and stay open. Returns when both ways have ended, when the server breaks the
 * connection, or when the client is gone and the server takes nothing for linger_ms. */
void relay_run(struct relay *relay, int client, int server);
