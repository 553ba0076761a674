/* SPDX-License-Identifier: MIT */
/*
 * All messages are shorter than any socket's buffer, so they are written in one go.
 *
 * #syscalls: recvfrom sendto
 */
#include "trunk/prove.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/util.h"
#include "trunk/trunk.h"

#define NOT_PROVED                                                                      \
	"it has not proved that it has its key: somebody repeats what it sent, or its " \
	"psk= is another one"
#define LOOK_MS 100 /* until another look at a peer that has sent less than a hello */

static int fault(struct prove *p, int err, const char *why)
{
	snprintf(p->why, sizeof(p->why), "%s", why);
	return err;
}

void prove_init(struct prove *p, struct loop *loop)
{
	*p = (struct prove){ .loop = loop, .watch = WATCH_INIT };
}

int prove_stop(struct prove *p)
{
	int fd = p->watch.fd;

	if (fd < 0)
		return -1;
	loop_del(p->loop, &p->watch);
	timer_cancel(p->loop, &p->limit);
	timer_cancel(p->loop, &p->look);
	handshake_wipe(&p->hs);
	return fd;
}

static void end(struct prove *p, int ret)
{
	p->done(p, prove_stop(p), ret);
}

static int send_all(struct prove *p, int fd, const uint8_t *msg, size_t len)
{
	ssize_t n;

	do
		n = send(fd, msg, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return 0;
	return fault(p, n < 0 ? -errno : -ENOBUFS, n < 0 ? strerror(errno) : "cut short");
}

/* The record that proves that the dialler has the session's keys. */
static int send_record(struct prove *p)
{
	struct aead aead;
	struct record_way way = { .aead = &aead };
	uint8_t out[PROVE_BYTES];

	aead_set(&aead, p->session.suite, p->session.send);
	record_seal(&way, RECORD_DATA, out, out + RECORD_HEAD, 0);
	crypto_wipe(&aead, sizeof(aead));
	p->session.sent = 1;
	return send_all(p, p->watch.fd, out, sizeof(out));
}

static int take_record(struct prove *p)
{
	struct aead aead;
	struct record_way way = { .aead = &aead };
	enum record_kind kind = RECORD_END;
	int ret = -EBADMSG;

	aead_set(&aead, p->session.suite, p->session.recv);
	if (record_size(p->in) == PROVE_BYTES)
		ret = record_open(&way, p->in, p->in + RECORD_HEAD, &kind);
	crypto_wipe(&aead, sizeof(aead));
	if (ret < 0 || kind != RECORD_DATA)
		return fault(p, -EBADMSG, NOT_PROVED);
	p->session.received = 1;
	return 0;
}

/* What can be wrong with an answer, for whoever dialled. */
static int finish(struct prove *p)
{
	int ret = handshake_finish(&p->hs, p->in, &p->session);

	if (ret == -EPROTO && get_be32(p->in) != TRUNK_MAGIC)
		return fault(p, ret,
			     "the peer is no netrelay with keys; give it --key and "
			     "peers=, or leave out peer=");
	if (ret == -EPROTO && get_be16(p->in + 4) < TRUNK_SEALED)
		return fault(
			p, ret,
			"the peer takes no keys; give it --key and peers=, or leave out "
			"peer= here");
	if (ret == -EPROTO)
		return fault(
			p, ret,
			"the peer's sealed trunk is of another version; take the same "
			"netrelay on both sides");
	if (ret < 0)
		return fault(
			p, ret,
			"the peer can't prove that it has the key of peer=; compare that "
			"with its `netrelay pubkey`, and psk= on both sides");
	return send_record(p);
}

static void limit_over(struct timer *t);

/* The peer may come, if it is who it claims to be. Return: -EINPROGRESS; or -errno. */
static int let_in(struct prove *p)
{
	uint8_t out[HANDSHAKE_2_BYTES], psk[SEAL_KEY_BYTES] = { 0 };
	int ret = handshake_believe(&p->hs, p->shared, p->in);

	if (ret < 0)
		return fault(p, ret, "it has not the key that it claims to have");
	ret = p->check(p, p->hs.stamp, psk);
	if (ret < 0)
		return ret;
	ret = handshake_answer(&p->hs, psk, out, &p->session);
	crypto_wipe(psk, sizeof(psk));
	if (ret < 0)
		return fault(p, ret, strerror(-ret));
	ret = send_all(p, p->watch.fd, out, sizeof(out));
	p->is_answered = true;
	p->n = 0;
	p->need = PROVE_BYTES;
	timer_set(p->loop, &p->limit, TRUNK_ANSWER_MS, limit_over);
	return ret < 0 ? ret : -EINPROGRESS;
}

/* What can be wrong with who has dialled. It is never told. */
static int answer(struct prove *p)
{
	int ret = handshake_check(p->me, p->in);

	if (ret == 0)
		ret = handshake_hear(&p->hs, p->me, p->in);
	if (ret == -EACCES)
		return fault(p, ret,
			     "the peer has another key for us; its peer= must be what "
			     "`netrelay pubkey` makes of our key");
	if (ret < 0)
		return fault(p, ret, "a handshake that is not right");
	ret = p->find(p, noise_peer(&p->hs.noise));
	return ret < 0 ? ret : let_in(p);
}

/* What somebody is who has begun with no handshake of ours. */
static const char *what_came(const struct prove *p)
{
	if (p->n < 6 || get_be32(p->in) != TRUNK_MAGIC)
		return "no handshake came, but something else";
	return get_be16(p->in + 4) < TRUNK_SEALED
		       ? "it has no key; give it --key, and peer= to its trunk:"
		       : "its sealed trunk is of another version; take the same netrelay "
			 "on both sides";
}

/* Return: whether the peer may go on; if not, it was told. */
static bool looks_right(struct prove *p)
{
	if (p->is_dialler || p->is_answered || handshake_is_there(p->in, p->n))
		return true;
	end(p, fault(p, -EPROTO, what_came(p)));
	return false;
}

static void limit_over(struct timer *t)
{
	struct prove *p = container_of(t, struct prove, limit);

	if (p->takes_plain)
		end(p, PROVE_PLAIN);
	else
		end(p, fault(p, -ETIMEDOUT,
			     p->is_dialler    ? trunk_no_answer()
			     : p->is_answered ? NOT_PROVED
					      : "no handshake came"));
}

static void look_due(struct timer *t)
{
	struct prove *p = container_of(t, struct prove, look);

	loop_mod(p->loop, &p->watch, EPOLLIN);
}

/*
 * Look at the beginning of what a peer sends that may be a plain one, and leave it there.
 *
 * Return: whether it is a handshake, for sure.
 */
static bool is_sealed(struct prove *p)
{
	ssize_t n = recv(p->watch.fd, p->in, HANDSHAKE_HELLO_BYTES, MSG_PEEK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0 || !handshake_is_there(p->in, (size_t)n)) {
		end(p, PROVE_PLAIN);
		return false;
	}
	if (n == HANDSHAKE_HELLO_BYTES) {
		p->takes_plain = false;
		return true;
	}
	loop_mod(p->loop, &p->watch, 0);
	timer_set(p->loop, &p->look, LOOK_MS, look_due);
	return false;
}

static const char *hung_up(const struct prove *p)
{
	if (p->is_answered)
		return NOT_PROVED;
	return p->is_dialler
		       ? "closed by the peer without an answer: is peer= its key, ours "
			 "in its peers file, and its clock and ours right? Its log "
			 "says which"
		       : "closed by the peer before it had proved anything";
}

/* A message came whole. Return: 0; -EINPROGRESS: another one is due; another -errno. */
static int take(struct prove *p)
{
	if (p->is_dialler)
		return finish(p);
	return p->is_answered ? take_record(p) : answer(p);
}

static void input_ready(struct watch *w, uint32_t events)
{
	struct prove *p = container_of(w, struct prove, watch);
	ssize_t n;
	int ret;

	(void)events;
	if (p->takes_plain && !is_sealed(p))
		return;
	n = recv(w->fd, p->in + p->n, p->need - p->n, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 && errno != ECONNRESET) {
		end(p, fault(p, -errno, strerror(errno)));
		return;
	}
	if (n <= 0) {
		end(p, fault(p, -ECONNRESET, hung_up(p)));
		return;
	}
	p->n += (size_t)n;
	if (!looks_right(p) || p->n < p->need)
		return;
	ret = take(p);
	if (ret != -EINPROGRESS)
		end(p, ret);
}

/* Return: 0; -errno, with @why. */
static int begin(struct prove *p, int fd, unsigned ms)
{
	int ret;

	p->n = 0;
	p->is_answered = false;
	p->need = p->is_dialler ? HANDSHAKE_2_BYTES : HANDSHAKE_1_BYTES;
	ret = loop_add(p->loop, &p->watch, fd, EPOLLIN, input_ready);
	if (ret < 0) {
		handshake_wipe(&p->hs);
		return fault(p, ret, strerror(-ret));
	}
	timer_set(p->loop, &p->limit, ms, limit_over);
	return 0;
}

int prove_dial(struct prove *p, int fd, const struct identity *me,
	       const uint8_t peer[SEAL_KEY_BYTES], const uint8_t *psk,
	       void (*done)(struct prove *p, int fd, int ret))
{
	uint8_t out[HANDSHAKE_1_BYTES];
	int ret = handshake_dial(&p->hs, me, peer, psk, out);

	if (ret < 0)
		return fault(p, ret,
			     ret == -EINVAL ? "peer= is no public key" : strerror(-ret));
	p->done = done;
	p->is_dialler = true;
	p->takes_plain = false;
	ret = send_all(p, fd, out, sizeof(out));
	if (ret < 0)
		handshake_wipe(&p->hs);
	return ret < 0 ? ret : begin(p, fd, TRUNK_ANSWER_MS);
}

int prove_answer(struct prove *p, int fd, const struct identity *me, bool takes_plain)
{
	p->me = me;
	p->is_dialler = false;
	p->takes_plain = takes_plain;
	return begin(p, fd, takes_plain ? PROVE_PLAIN_MS : TRUNK_ANSWER_MS);
}
