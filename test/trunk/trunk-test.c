/* SPDX-License-Identifier: MIT */
/*
 * A trunk's hello: to the byte as trunk.h says, what each state makes of another one,
 * and of a frame that comes first; two of these that talk to each other, their bytes cut
 * anywhere.
 */
#include "trunk/trunk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "frame/stream-layout.h"
#include "lib/random.h"
#include "lib/tap.h"

#define BYTES TRUNK_HELLO_BYTES

static const uint8_t hello[BYTES + 1] = { 0xff, 'n', 't', 'r', 0, 1, 0, 64, 0, 0, 0, 1 };
static char why[TRUNK_WHY_MAX];

static struct trunk in_state(enum trunk_state state)
{
	struct trunk t;

	/* What an earlier link left must not matter. */
	memset(&t, 0xff, sizeof(t));
	trunk_begin(&t, state);
	return t;
}

static bool is_owed(const struct trunk *t)
{
	return t->n_unsent == BYTES && !memcmp(trunk_unsent(t), hello, BYTES);
}

/* ---- states ---- */

static void test_begin(void)
{
	static const struct {
		enum trunk_state state;
		bool sends, awaits;
	} cases[] = {
		{ TRUNK_NONE, false, false },
		{ TRUNK_HELLO_SENT, true, true },
		{ TRUNK_HELLO_EXPECTED, false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct trunk t = in_state(cases[i].state);

		ok(t.state == cases[i].state && !t.peer_takes, "state %zu begins", i);
		ok(cases[i].sends ? is_owed(&t) : !t.n_unsent,
		   "state %zu: the hello goes first, or none does", i);
		ok(trunk_awaits_hello(&t) == cases[i].awaits, "state %zu: awaits one", i);
	}
	ok(!trunk_awaits_hello(&(struct trunk){ .state = TRUNK_ESTABLISHED }),
	   "an established trunk awaits none");
}

/* Only the one that was dialled takes the first frame for a decision. */
static void test_early_frames(void)
{
	static const enum trunk_state then[] = {
		[TRUNK_NONE] = TRUNK_NONE,
		[TRUNK_HELLO_SENT] = TRUNK_HELLO_SENT,
		[TRUNK_HELLO_EXPECTED] = TRUNK_NONE,
		[TRUNK_ESTABLISHED] = TRUNK_ESTABLISHED,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(then); i++) {
		struct trunk t = { .state = (enum trunk_state)i };

		trunk_take_frame(&t);
		ok_eq_int(t.state, then[i], "state %u after a frame", i);
	}
}

static void test_established(void)
{
	struct trunk dialled = in_state(TRUNK_HELLO_SENT);
	struct trunk accepted = in_state(TRUNK_HELLO_EXPECTED);

	dialled.n_unsent = 0;
	ok(trunk_take_hello(&dialled, hello, why, sizeof(why)) == 0 &&
		   dialled.state == TRUNK_ESTABLISHED && !dialled.n_unsent &&
		   dialled.peer_takes == TRUNK_TAKES_SUPER,
	   "an answer establishes the trunk, and is not answered");
	ok(trunk_take_hello(&accepted, hello, why, sizeof(why)) == 0 &&
		   accepted.state == TRUNK_ESTABLISHED && is_owed(&accepted) &&
		   accepted.peer_takes == TRUNK_TAKES_SUPER,
	   "a hello establishes the trunk, and is answered");
}

/* The peer's hello comes while some of ours is still to be sent, or all. */
static void test_simultaneous(void)
{
	unsigned wrong = 0;

	for (size_t left = 0; left <= BYTES; left++) {
		struct trunk t = in_state(TRUNK_HELLO_SENT);

		t.n_unsent = left;
		wrong += trunk_take_hello(&t, hello, why, sizeof(why)) != 0 ||
			 t.state != TRUNK_ESTABLISHED || t.n_unsent != left ||
			 memcmp(trunk_unsent(&t), hello + BYTES - left, left) != 0;
	}
	ok_eq_int(wrong, 0, "both dial: the rest of ours is still sent, once");
}

/* ---- other hellos ---- */

static bool is_ours(unsigned at)
{
	/* Magic, version and size; not what it takes, nor the room behind. */
	return at < 8;
}

static unsigned refused_in(enum trunk_state state, const uint8_t *other)
{
	struct trunk t = in_state(state);
	char want[TRUNK_WHY_MAX];
	unsigned version = other[4] * 256u + other[5];

	if (version == TRUNK_SEALED)
		snprintf(
			want, sizeof(want),
			"the peer has a key, so give this one --key and --peers, or leave "
			"out peer= there");
	else
		snprintf(want, sizeof(want),
			 "the peer's trunk is of version %u, ours of 1; "
			 "take tcp:, or the same netrelay on both sides",
			 version);
	why[0] = '\0';
	return trunk_take_hello(&t, other, why, sizeof(why)) == -EPROTO &&
	       t.state == state && !t.peer_takes && !strcmp(why, want) && is_owed(&t);
}

static unsigned taken_in(enum trunk_state state, const uint8_t *other)
{
	struct trunk t = in_state(state);

	return trunk_take_hello(&t, other, why, sizeof(why)) == 0 &&
	       t.state == TRUNK_ESTABLISHED && t.peer_takes == get_be32(other + 8);
}

static void test_every_wrong_byte(enum trunk_state state, const char *what)
{
	unsigned wrong = 0;

	for (unsigned at = 0; at < BYTES; at++) {
		for (unsigned value = 0; value < 256; value++) {
			uint8_t other[BYTES];

			memcpy(other, hello, BYTES);
			other[at] = (uint8_t)value;
			if (is_ours(at) && value != hello[at])
				wrong += !refused_in(state, other);
			else
				wrong += !taken_in(state, other);
		}
	}
	ok_eq_int(wrong, 0,
		  "%s: each value of each byte is taken or refused, with its version",
		  what);
}

/* Nothing is read behind a hello, and hardly any noise is one. */
static void test_noise(void)
{
	uint8_t *noise = malloc(BYTES);
	unsigned good = 0;

	random_begin(1);
	for (int i = 0; i < 100000; i++) {
		struct trunk t = in_state(TRUNK_HELLO_EXPECTED);

		rnd_bytes(noise, BYTES);
		good += trunk_take_hello(&t, noise, why, sizeof(why)) == 0;
	}
	ok_eq_int(good, 0, "noise is no hello");
	free(noise);
}

static void test_magic(void)
{
	ok(TRUNK_MAGIC & LAYOUT_VNET_BIT, "the magic is no length of QEMU's");
	ok((TRUNK_MAGIC & ~LAYOUT_VNET_BIT) > VNET_BYTES + FRAME_MAX,
	   "and on a trunk no super-frame's either");
}

/* ---- two of them ---- */

/* One end: what it has of the peer's hello. */
struct end {
	struct trunk t;
	uint8_t got[BYTES];
	size_t n_got;
	int ret;
};

/* At most @most bytes of what @from has to send arrive at @to. Return: how many. */
static size_t pass(struct end *from, struct end *to, size_t most)
{
	size_t n = min_size(from->t.n_unsent, most);

	if (n > sizeof(to->got) - to->n_got)
		return 0;
	memcpy(to->got + to->n_got, trunk_unsent(&from->t), n);
	from->t.n_unsent -= n;
	to->n_got += n;
	if (n && to->n_got == BYTES)
		to->ret = trunk_take_hello(&to->t, to->got, why, sizeof(why));
	return n;
}

/* Both ways in pieces of @a and @b bytes, the first of one way cut at @cut. */
static bool talk(struct end *one, struct end *two, size_t cut, size_t a, size_t b)
{
	pass(one, two, cut);
	while (pass(one, two, a) | pass(two, one, b))
		;
	return !one->ret && !two->ret && one->t.state == TRUNK_ESTABLISHED &&
	       two->t.state == TRUNK_ESTABLISHED && one->n_got == BYTES &&
	       two->n_got == BYTES && !one->t.n_unsent && !two->t.n_unsent;
}

static void test_every_split(enum trunk_state other, const char *what)
{
	unsigned wrong = 0, ways = 0;

	for (size_t cut = 0; cut <= BYTES; cut++) {
		for (size_t size = 1; size <= BYTES; size++, ways++) {
			struct end one = { .t = in_state(TRUNK_HELLO_SENT) };
			struct end two = { .t = in_state(other) };

			wrong += !talk(&one, &two, cut, size, BYTES + 1 - size);
		}
	}
	ok_eq_int(wrong, 0, "%s: they agree in all of %u ways to cut their bytes", what,
		  ways);
}

/* ---- failures ---- */

static void test_texts(void)
{
	static const char *const closed =
		"closed by the peer, which is no netrelay, too old for trunks, or takes "
		"only peers with keys (peer=); to reach a QEMU, take tcp:";

	ok_eq_int(TRUNK_ANSWER_MS, 5000, "an answer has 5 s");
	ok_eq_str(trunk_no_answer(),
		  "no answer as a netrelay gives it; to reach a QEMU, take tcp:",
		  "and what is told without one");
	for (unsigned i = TRUNK_NONE; i <= TRUNK_ESTABLISHED; i++) {
		struct trunk t = { .state = (enum trunk_state)i };
		const char *text = trunk_hung_up(&t);

		ok(i == TRUNK_HELLO_SENT ? text && !strcmp(text, closed) : !text,
		   "state %u: what a close says of the peer", i);
	}
}

int main(void)
{
	test_begin();
	test_early_frames();
	test_established();
	test_simultaneous();
	test_every_wrong_byte(TRUNK_HELLO_SENT, "dialled");
	test_every_wrong_byte(TRUNK_HELLO_EXPECTED, "accepted");
	test_noise();
	test_magic();
	test_every_split(TRUNK_HELLO_EXPECTED, "one dials");
	test_every_split(TRUNK_HELLO_SENT, "both dial");
	test_texts();
	return done();
}
