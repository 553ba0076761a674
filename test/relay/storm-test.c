/* SPDX-License-Identifier: MIT */
/*
 * storm.c, on the clock of clock.h.
 */
#include "relay/storm.h"

#include "lib/clock.h"
#include "lib/tap.h"
#include "relay/member.h"

static struct loop loop;
static struct member members[2];
static struct storm storm;

/* What was notified: a letter for each, of member 0 in capitals. */
static char said[16];

static void notify(struct storm *s, const struct member *m, bool is_over)
{
	size_t n = strlen(said);

	(void)s;
	if (n < sizeof(said) - 1)
		said[n] = "BObo"[(m == &members[0] ? 0 : 2) + is_over];
}

static void ok_said(const char *want, const char *what)
{
	ok_eq_str(said, want, "%s", what);
	memset(said, 0, sizeof(said));
}

static void pass_ms(uint64_t ms)
{
	clock_pass_ms(ms);
	clock_run_timers(&loop);
}

static uint32_t admit_each(unsigned port, uint32_t n, uint32_t each)
{
	return storm_admit(&storm, &members[port], n, each, clock_s());
}

static uint32_t admit(unsigned port, uint32_t n)
{
	return admit_each(port, n, 1);
}

static void begin(uint32_t limit)
{
	memset(members, 0, sizeof(members));
	memset(said, 0, sizeof(said));
	storm = (struct storm){ .loop = &loop, .limit = limit, .notify = notify };
}

static void end(void)
{
	storm_forget(&storm, &members[0]);
	storm_forget(&storm, &members[1]);
	ok(!loop.first, "no timer is left");
}

static void test_limit(void)
{
	begin(100);
	ok(admit(0, 60) == 60 && admit(0, 40) == 40, "up to the limit, all pass");
	ok_said("", "and nothing is told");
	ok(admit(0, 1) == 0 && admit(0, 64) == 0, "and then none");
	ok(admit(1, 100) == 100, "each port has a limit of its own");
	pass_ms(1000);
	ok_eq_int(admit(0, 90), 90, "in the next second, again");
	ok_eq_int(admit(0, 64), 10, "of a run, as many as there is room for");
	ok_eq_int(admit(0, 64), 0, "and then none of it");
	pass_ms(1000);
	ok_eq_int(admit(0, 5000), 100, "a run of more than the limit is cut to it");
	end();
}

static void test_told(void)
{
	begin(10);
	admit(0, 11);
	ok_said("B", "a storm is told of");
	for (int i = 0; i < 20; i++) {
		admit(0, 50);
		pass_ms(300);
	}
	ok_said("", "once, for as long as it lasts");
	admit(1, 11);
	ok_said("b", "and for each port");
	for (int i = 0; i < 4; i++, pass_ms(500))
		admit(0, 5);
	ok_said("", "it is not over as soon as it abates");
	pass_ms(3000);
	ok_said("Oo", "but when nothing had to be dropped for a while");
	pass_ms(60000);
	ok_said("", "which is told once, too");
	admit(0, 11);
	ok_said("B", "the next one is another");
	end();
	pass_ms(10000);
	ok_said("", "of a port that is gone nothing more is told");
}

/* Frames that stand for several. */
static void test_weight(void)
{
	begin(100);
	ok_eq_int(admit_each(0, 1, 60), 1, "a frame that stands for 60 passes");
	ok_eq_int(admit_each(0, 1, 60), 0, "a second one is too much,");
	ok_eq_int(admit(0, 50), 40, "and leaves its room to others");
	ok_said("B", "and it is told of");
	pass_ms(1000);
	ok_eq_int(admit_each(0, 64, 30), 3,
		  "of a run of such, as many as there is room for");
	pass_ms(1000);
	ok_eq_int(admit_each(0, 1, 101), 0,
		  "one that stands for more than the limit never");
	ok_eq_int(admit(0, 100), 100, "and takes nothing from others");
	end();
}

static void test_none(void)
{
	begin(0);
	ok(admit(0, UINT32_MAX) == UINT32_MAX && admit(0, 1) == 1, "0 is no limit");
	begin(1);
	storm.notify = NULL;
	ok(admit(0, 2) == 1, "nobody need be told");
	pass_ms(5000);
	ok(!members[0].storm.over.is_set, "of the end either");
	begin(UINT32_MAX);
	ok(admit(0, UINT32_MAX) == UINT32_MAX && admit(0, 1) == 0, "the greatest limit");
	end();
}

int main(void)
{
	if (loop_init(&loop) < 0)
		return 1;
	test_limit();
	test_told();
	test_weight();
	test_none();
	loop_free(&loop);
	return done();
}
