/* SPDX-License-Identifier: MIT */
/* pmtu.c on paths that take datagrams up to a length, which may change, and lose some. */
#include "trunk/pmtu.h"

#include "base/util.h"
#include "lib/random.h"
#include "lib/tap.h"

#define STEP_MS 20
#define DELAY_MS 40 /* until an answer comes */

/*
 * @takes: what gets through; @loses: percent; @local: what the kernel takes
 * @answer, @answer_at: an answer that is under way
 * @probes: how many were sent
 */
struct path {
	uint32_t takes, local;
	unsigned loses, probes;
	uint32_t answer;
	uint64_t now, answer_at;
	struct pmtu m;
};

static void begin(struct path *p, uint32_t takes)
{
	*p = (struct path){ .takes = takes, .local = UINT32_MAX, .now = 1000000 };
	random_begin(takes);
	pmtu_begin(&p->m, PMTU_MAX, p->now);
}

static void step(struct path *p)
{
	uint32_t size;

	if (p->answer && p->now >= p->answer_at) {
		size = p->answer;
		p->answer = 0;
		pmtu_answered(&p->m, size, p->now);
	}
	while ((size = pmtu_due(&p->m, p->now)) > 0) {
		p->probes++;
		if (size > p->local) {
			pmtu_too_long(&p->m, size, p->now);
			continue;
		}
		if (size > p->takes || rnd(100) < p->loses)
			continue;
		p->answer = size;
		p->answer_at = p->now + DELAY_MS;
	}
}

/* @used: whether datagrams of full length are sent meanwhile */
static void run(struct path *p, uint64_t ms, bool used)
{
	for (uint64_t end = p->now + ms; p->now < end; p->now += STEP_MS) {
		step(p);
		if (used)
			pmtu_used(&p->m, p->m.size, p->now);
	}
}

static void found(void)
{
	static const uint32_t lengths[] = { 600,  1232, 1240, 1280, 1372, 1400,
					    1412, 1433, 1452, 1472, 1473, 2000,
					    4052, 8000, 8952, 8972 };
	struct path p;

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		uint32_t want = lengths[i];

		begin(&p, want);
		run(&p, 100, true);
		ok(p.m.size >= PMTU_BASE, "%u: the base is used at once", want);
		run(&p, 45000, true);
		if (want < PMTU_BASE)
			ok_eq_int(p.m.size, PMTU_LEAST, "%u: below the base", want);
		else
			ok(p.m.size <= want && p.m.size + PMTU_STEP > want,
			   "%u: found %u", want, p.m.size);
	}
	begin(&p, 1472);
	run(&p, 10000, true);
	ok_eq_int(p.m.size, 1472, "Ethernet's within ten seconds");
	begin(&p, 9000);
	p.local = 1472;
	run(&p, 1000, true);
	ok_eq_int(p.m.size, 1472, "at once, if it is the host's own");
}

static void silent(void)
{
	struct path p;
	unsigned n;

	begin(&p, PMTU_MAX);
	run(&p, 10000, false);
	ok_eq_int(p.m.size, PMTU_MAX, "the longest is tried first");
	n = p.probes;
	run(&p, 3600 * 1000, false);
	ok_eq_int(p.probes, n, "without datagrams there are no probes");
	begin(&p, 1472);
	run(&p, 60000, false);
	n = p.probes;
	run(&p, PMTU_RAISE_MS - 70000, false);
	ok_eq_int(p.probes, n, "nor for ten minutes on a shorter path");
	p.takes = PMTU_MAX;
	run(&p, 100000, false);
	ok_eq_int(p.m.size, PMTU_MAX, "then a path that has become longer is found");
	n = p.probes;
	run(&p, 100 * PMTU_CONFIRM_MS, true);
	ok(p.probes - n <= 101 && p.probes - n > 90,
	   "with datagrams, a probe now and then");
	run(&p, 2 * PMTU_CONFIRM_MS, false);
	n = p.probes;
	run(&p, 10 * PMTU_CONFIRM_MS, false);
	ok_eq_int(p.probes, n, "and none when there are no more");
}

static void black_hole(void)
{
	struct path p;

	begin(&p, 8972);
	run(&p, 60000, true);
	p.takes = 1400;
	run(&p, PMTU_CONFIRM_MS + PMTU_TRIES * PMTU_PROBE_MS + 200, true);
	ok(p.m.size <= 1400 && p.m.size >= PMTU_BASE, "a black hole is seen in 8 s: %u",
	   p.m.size);
	run(&p, 40000, true);
	ok(p.m.size > 1400 - PMTU_STEP && p.m.size <= 1400,
	   "and what gets through is found");
	p.takes = 0;
	run(&p, 60000, true);
	ok_eq_int(p.m.size, PMTU_LEAST, "nothing gets through");
	p.takes = 1472;
	run(&p, 40000, true);
	ok_eq_int(p.m.size, 1472, "and everything again");
	p.takes = 1300;
	pmtu_too_long(&p.m, 1472, p.now);
	ok_eq_int(p.m.size, PMTU_BASE,
		  "the kernel says that the way out has become shorter");
	run(&p, 40000, true);
	ok(p.m.size > 1300 - PMTU_STEP && p.m.size <= 1300, "and it is found");
}

static void lossy(void)
{
	struct path p;
	unsigned good = 0;

	begin(&p, 1472);
	p.loses = 5;
	for (unsigned i = 0; i < 1000; i++) {
		run(&p, 1000, true);
		good += p.m.size == 1472;
	}
	ok(good > 900, "one in twenty lost: the right one for %u of 1000 s", good);
}

static void lies(void)
{
	struct path p;
	bool is_sane = true;

	begin(&p, 1472);
	for (unsigned i = 0; i < 100000; i++) {
		if (rnd(2))
			pmtu_answered(&p.m, rnd(2) ? p.m.probe : rnd(70000), p.now);
		if (!rnd(4))
			pmtu_too_long(&p.m, rnd(2) ? p.m.size : rnd(70000), p.now);
		run(&p, rnd(3000), rnd(2));
		is_sane &= p.m.size >= PMTU_LEAST && p.m.size <= PMTU_MAX &&
			   p.m.probe <= PMTU_MAX;
	}
	ok(is_sane, "whatever is answered, lengths are sane");
}

int main(void)
{
	found();
	silent();
	black_hole();
	lossy();
	lies();
	return done();
}
