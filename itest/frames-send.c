// SPDX-License-Identifier: MIT
/*
 * The sending half: frames gathered from a made header and a window of the
 * pool, one system call a frame as QEMU does it, or many frames to a call.
 * Blocking writes, in a thread of its own when there is receiving to do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "frames.h"

#define BATCH 64
#define BATCH_BYTES (256u << 10)
#define LATE_NS 20000000u /* what is made up for: sleeping takes longer than it should */

/*
 * What one write is gathered from.
 * @heads:   length word and frame header
 * @spoiled: a frame with a bit turned, for FAULT_DAMAGE
 */
struct gather {
	struct iovec iov[2 * BATCH];
	uint8_t heads[BATCH][4 + FRAME_HEADER];
	uint8_t spoiled[FRAME_MAX];
	size_t frames;
	size_t bytes;
};

int write_all(int fd, struct iovec *iov, size_t n)
{
	ssize_t done;

	while (n > 0) {
		done = writev(fd, iov, (int)n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		for (; n > 0 && (size_t)done >= iov->iov_len; iov++, n--)
			done -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (uint8_t *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int send_datagram(struct channel *ch, struct iovec *iov, uint16_t n)
{
	uint64_t end = now_ms() + (uint64_t)ch->patience_ms;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };

	if (ch->peer_len) {
		msg.msg_name = &ch->peer;
		msg.msg_namelen = ch->peer_len;
	}
	while (sendmsg(ch->out, &msg, 0) < 0) {
		if (errno == EAGAIN)
			return -ETIMEDOUT;
		/* A full device queue; a unix peer that is away. */
		if (errno != ENOBUFS && errno != ENOENT && errno != ECONNREFUSED &&
		    errno != EINTR)
			return -errno;
		if (now_ms() >= end)
			return -errno;
		sleep_until_ns(now_ns() + 1000000u);
	}
	return 0;
}

/* The sequence number of the frame in place @place, which a fault moves about. */
static uint32_t seq_at(const struct plan *plan, uint64_t place)
{
	uint64_t at = plan->fault_at;

	if (plan->fault == FAULT_LOSE && place >= at)
		place++;
	else if (plan->fault == FAULT_DUPLICATE && place > at)
		place--;
	else if (plan->fault == FAULT_REORDER && place == at)
		place++;
	else if (plan->fault == FAULT_REORDER && place == at + 1)
		place--;
	return (uint32_t)place;
}

static uint64_t count_places(const struct plan *plan)
{
	if (plan->fault == FAULT_LOSE)
		return plan->count - 1;
	return plan->count + (plan->fault == FAULT_DUPLICATE);
}

static void add_frame(struct gather *g, const struct plan *plan, uint32_t seq)
{
	uint32_t len = content_size(plan, seq);
	struct iovec *iov = &g->iov[2 * g->frames];
	uint8_t *head = g->heads[g->frames];
	const uint8_t *window;
	size_t rest = len - FRAME_HEADER;

	head[0] = (uint8_t)(len >> 24);
	head[1] = (uint8_t)(len >> 16);
	head[2] = (uint8_t)(len >> 8);
	head[3] = (uint8_t)len;
	content_header(plan, seq, len, head + 4);
	window = content_window(plan->pool, head + 4);
	if (plan->fault == FAULT_DAMAGE && plan->fault_at == seq && rest) {
		memcpy(g->spoiled, window, rest);
		g->spoiled[rest - 1] ^= 1;
		window = g->spoiled;
	}
	iov[0] = (struct iovec){ head, 4 + FRAME_HEADER };
	iov[1] = (struct iovec){ (void *)(uintptr_t)window, rest };
	g->frames++;
	g->bytes += len;
}

static int flush(struct channel *ch, struct gather *g)
{
	int err;

	if (ch->stream) {
		err = write_all(ch->out, g->iov, 2 * g->frames);
	} else {
		g->iov[0].iov_base = g->heads[0] + 4;
		g->iov[0].iov_len -= 4;
		err = send_datagram(ch, g->iov, 2);
	}
	g->frames = 0;
	g->bytes = 0;
	return err;
}

/*
 * The time for frame @i. A machine that was busy for a while is not made up for by a burst,
 * which would be too much for who can take the rate: @start is put off.
 */
static uint64_t due_at(const struct plan *plan, uint64_t *start, uint64_t i)
{
	uint64_t due = *start + i * 1000000000u / plan->rate;
	uint64_t now = now_ns();

	if (now > due + LATE_NS) {
		*start += now - due - LATE_NS;
		due = now - LATE_NS;
	}
	return due;
}

int send_plan(struct channel *ch, const struct plan *plan, uint64_t *sent)
{
	struct gather *g = calloc(1, sizeof(*g));
	size_t most = plan->batch && ch->stream ? BATCH : 1;
	uint64_t places = count_places(plan);
	uint64_t start = now_ns();
	uint64_t i;
	int err = g ? 0 : -ENOMEM;

	for (i = 0; !err && i < places; i++) {
		if (plan->rate && !g->frames)
			sleep_until_ns(due_at(plan, &start, i));
		add_frame(g, plan, seq_at(plan, i));
		if (g->frames < most && g->bytes < BATCH_BYTES && i + 1 < places)
			continue;
		err = flush(ch, g);
		if (!err)
			*sent = i + 1;
	}
	free(g);
	return err;
}
