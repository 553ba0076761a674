/* SPDX-License-Identifier: MIT */
/*
 * Peers files: whatever is in one, it is understood, or one line says what is wrong and
 * nothing is taken. What is taken is sorted, each key and name once, and found.
 */
#include "lib/fuzz.h"

#include <errno.h>

#include "conf/endpoint-name.h"
#include "conf/peers.h"

static void check_peers(const struct peers *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct peer *peer = &p->list[i];

		must(i == 0 || memcmp(peer[-1].key, peer->key, SEAL_KEY_BYTES) < 0);
		must(peers_find(p, peer->key) == peer);
		must(endpoint_is_port_name(peer->name, sizeof(peer->name)));
		must(peer->rules.n_macs <= ENDPOINT_MACS_MAX && peer->line);
		must(!peer->psk_path ||
		     (*peer->psk_path && strlen(peer->psk_path) < ENDPOINT_FILE_MAX));
		for (size_t j = 0; j < i && p->n < 100; j++)
			must(strcmp(p->list[j].name, peer->name) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size), *why = malloc(PEERS_WHY_MAX);
	struct peers p;
	int ret;

	must(why);
	ret = peers_read(&p, "/folder/file", text, size, why, PEERS_WHY_MAX);
	if (ret < 0) {
		must(ret == -EINVAL && !p.n && !p.list);
		must(memchr(why, '\0', PEERS_WHY_MAX) &&
		     !strncmp(why, "/folder/file:", 13));
		must(!strchr(why, '\n'));
	}
	check_peers(&p);
	peers_free(&p);
	free(why);
	free(text);
	return 0;
}
