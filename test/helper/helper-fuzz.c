/* SPDX-License-Identifier: MIT */
/*
 * The relay's side of the helper, and of the broker, with another process at their other
 * ends: each call is answered once, with a reason that has an end, and no descriptor that
 * the helper sent is left open. The broker is trusted with those.
 *
 * Input: messages: for which of them; how long; which call it answers; how many
 * descriptors come with it; then its bytes.
 */
#include "lib/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/pass-fd.h"
#include "helper/helper.h"
#include "lib/quiet.h"
#include "lib/sockets.h"
#include "lib/turn.h"
#include "net/broker.h"

#define CALLS 2
#define MESSAGES_MAX 16

static struct loop loop;
static struct helper helpers[HELPER_OPS];
static struct helper_call call[CALLS];
static unsigned answers;

static void done_once(struct helper_call *c, const struct helper_answer *a, int fd)
{
	must(!c->is_waiting);
	must(memchr(a->why, '\0', sizeof(a->why)));
	if (fd >= 0)
		close(fd);
	if (a->life >= 0)
		close(a->life);
	answers++;
}

/* A message of @size bytes, filled up with zeros. */
static void send_one(struct fuzz_input *in, int sock, size_t size, unsigned n_fds,
		     int null)
{
	uint8_t *data = calloc(1, size + 8), how = fuzz_byte(in);
	uint32_t id = fuzz_byte(in) % 4;
	size_t len = fuzz_byte(in);
	int fds[] = { null, null };

	must(data);
	len = len < in->left ? len : in->left;
	memcpy(data, in->at, len < size ? len : size);
	in->at += len;
	in->left -= len;
	memcpy(data, &id, sizeof(id));
	if (how & 4)
		memset(data + size / 2, 'x', size / 2);
	pass_send(sock, data, how & 8 ? how >> 4 : size, fds, how % (n_fds + 1));
	free(data);
}

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void serve_helper(int sock)
{
	struct helper_request req = { .op = HELPER_RESOLVE };
	struct helper *h = &helpers[HELPER_RESOLVE];

	helper_init(helpers, &loop, NULL);
	/* One that is lost is not replaced at once. */
	h->since = loop_now();
	h->delay = 1000;
	h->limit = 100000;
	answers = 0;
	must(helper_use(h, sock) == 0);
	for (unsigned i = 0; i < CALLS; i++)
		must(helper_ask(helpers, &call[i], &req, done_once) == 0);
}

static void ask_broker(int sock)
{
	struct broker b = { .is_on = true, .fd = sock };
	struct sock_path made = { .path = "" };
	pid_t pid;
	int fd;

	fd = broker_bind(&b, "/x", SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made);
	if (fd >= 0)
		close(fd);
	broker_unlink(&b, &made);
	fd = broker_dial(&b, "/x");
	if (fd >= 0)
		close(fd);
	fd = broker_helper(&b, 0, &pid);
	if (fd >= 0)
		close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int null;
	struct fuzz_input in = { data, size };
	int to_helper[2], to_broker[2];
	unsigned before;

	if (!loop.epfd) {
		quiet();
		must(loop_init(&loop) == 0);
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	before = count_fds();
	sockets_pair(SOCK_SEQPACKET, to_helper);
	sockets_pair(SOCK_SEQPACKET, to_broker);
	serve_helper(to_helper[0]);
	for (unsigned i = 0; in.left && i < MESSAGES_MAX; i++)
		if (fuzz_byte(&in) & 1)
			send_one(&in, to_helper[1], sizeof(struct helper_answer),
				 PASS_FDS_MAX, null);
		else
			send_one(&in, to_broker[1], 16 + sizeof(struct sock_path), 0,
				 null);
	shutdown(to_broker[1], SHUT_WR);
	ask_broker(to_broker[0]);
	turn(&loop);
	must(answers <= CALLS);
	close(to_helper[1]);
	turn_until(&loop, 1000, answers == CALLS);
	must(answers == CALLS);
	helper_stop(helpers);
	close(to_broker[0]);
	close(to_broker[1]);
	must(count_fds() == before);
	return 0;
}
