/* SPDX-License-Identifier: MIT */
/* member.c: the list of a relay's members, their numbers, and what is counted of them. */
#include "relay/member.h"

#include <stdlib.h>
#include <string.h>

#include "lib/fake-port.h"
#include "lib/random.h"
#include "lib/tap.h"

#define CHURN 4000
#define LIVE_MAX 2100 /* so that the buckets have chains */

static struct members all;
static struct port_env env = { .host = &fake_host };
static unsigned n_freed;

static void count_freed(struct fake_port *f)
{
	(void)f;
	n_freed++;
}

static struct port *make_port(void)
{
	struct fake_port *f = fake_new(sizeof(*f), &fake_plain, &env, "fake");

	f->gone = count_freed;
	return &f->port;
}

static void begin(void)
{
	memset(&all, 0, sizeof(all));
	n_freed = 0;
}

static void test_new(void)
{
	struct port *p;
	struct member *m;

	begin();
	p = make_port();
	m = member_new(p);
	ok(m->port == p && member_of(p) == m, "each of the two knows the other");
	ok(!m->id && !m->rules.n_macs && !m->ep && !m->acceptor,
	   "and it has nothing else");
	m->ep = malloc(sizeof(*m->ep));
	member_free(m);
	ok_eq_int(n_freed, 1, "it is freed, and its port with it");
}

/* The list, both ways, has as many as it says, in the order of their numbers. */
static bool is_whole(void)
{
	const struct member *prev = NULL;
	unsigned n = 0, filters = 0, up = 0;

	for (const struct member *m = all.first; m; prev = m, m = m->next, n++) {
		if (m->prev != prev || (prev && prev->id >= m->id) ||
		    members_find(&all, m->id) != m)
			return false;
		filters += m->rules.n_macs > 0;
		up += m->port->state == PORT_UP;
	}
	return all.last == prev && all.n == n && all.n_mac_filters == filters &&
	       all.n_up == up;
}

static void test_list(void)
{
	static struct member m[3];
	static struct port p[3];

	begin();
	ok(is_whole() && !members_find(&all, 0) && !members_find(&all, 1), "empty");
	for (int i = 0; i < 3; i++) {
		m[i].port = &p[i];
		members_join(&all, &m[i]);
	}
	ok(is_whole() && m[0].id == 1 && m[2].id == 3, "numbers go up from 1");
	ok(!members_find(&all, 1 + MEMBERS_BUCKETS),
	   "another one of its bucket is not there");
	ok(members_after(&all, 0) == &m[0] && members_after(&all, 1) == &m[1] &&
		   !members_after(&all, 3) && !members_after(&all, 9),
	   "one after the other");
	members_leave(&all, &m[1]);
	ok(is_whole() && !members_find(&all, 2), "one of the middle has left");
	ok(members_after(&all, 2) == &m[2] && members_after(&all, 1) == &m[2],
	   "what comes after it is found, and after the one before");
	members_leave(&all, &m[2]);
	ok(is_whole() && all.last == &m[0], "the last one");
	members_join(&all, &m[1]);
	ok(is_whole() && m[1].id == 4, "no number is given twice");
	members_leave(&all, &m[0]);
	members_leave(&all, &m[1]);
	ok(is_whole() && !all.first, "and all have left");
}

static void test_counts(void)
{
	static const struct endpoint_rules plain,
		macs = { .n_macs = 2, .is_unpadded = true };
	static struct member m[2];
	static struct port p[2];

	begin();
	for (int i = 0; i < 2; i++) {
		m[i].port = &p[i];
		p[i].state = PORT_WAITING;
		members_join(&all, &m[i]);
		members_set_rules(&all, &m[i], &macs);
	}
	ok(all.n_mac_filters == 2 && p[1].is_unpadded,
	   "rules are counted, and the port's set");
	members_set_rules(&all, &m[0], &macs);
	ok_eq_int(all.n_mac_filters, 2, "the same again changes nothing");
	members_set_rules(&all, &m[0], &plain);
	ok(all.n_mac_filters == 1 && !p[0].is_unpadded, "taken back");
	p[0].state = p[1].state = PORT_UP;
	for (int i = 0; i < 4; i++)
		members_count_up(&all, &m[i % 2]);
	ok_eq_int(all.n_up, 2, "each that is up is counted once");
	p[0].state = PORT_ENDED;
	members_count_up(&all, &m[0]);
	ok_eq_int(all.n_up, 1, "and no longer when it is not");
	members_leave(&all, &m[1]);
	ok(!all.n_up && !all.n_mac_filters, "nor when it has left");
}

static void test_state_text(void)
{
	static struct port p;
	static struct member m = { .port = &p };
	static const struct {
		enum port_state state;
		bool awaiting_peer, is_blocked, is_limited;
		const char *want;
	} cases[] = {
		{ PORT_OPENING, false, false, false, "connecting" },
		{ PORT_UP, false, false, false, "up" },
		{ PORT_UP, true, false, false, "connecting" },
		{ PORT_UP, false, true, false, "blocked" },
		{ PORT_UP, true, true, false, "blocked" },
		{ PORT_UP, false, false, true, "limited" },
		{ PORT_UP, true, false, true, "connecting" },
		{ PORT_WAITING, false, true, false, "waiting" },
		{ PORT_ENDED, false, false, true, "ended" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		p.state = cases[i].state;
		p.awaiting_peer = cases[i].awaiting_peer;
		m.is_blocked = cases[i].is_blocked;
		m.guard.is_limited = cases[i].is_limited;
		ok_eq_str(member_state_text(&m), cases[i].want, "%s", cases[i].want);
	}
}

/* They come and go by chance, many more than there are buckets. */
static void test_by_chance(void)
{
	static const struct endpoint_rules rules[] = { { .n_macs = 0 }, { .n_macs = 1 } };
	static struct member m[LIVE_MAX];
	static struct port p[LIVE_MAX];
	bool is_good = true;

	begin();
	random_begin(1);
	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < CHURN; i++) {
		unsigned k = rnd(LIVE_MAX);

		if (m[k].id) {
			members_leave(&all, &m[k]);
			is_good &= !members_find(&all, m[k].id);
			m[k] = (struct member){ 0 };
			continue;
		}
		m[k].port = &p[k];
		p[k].state = rnd(2) ? PORT_UP : PORT_WAITING;
		members_join(&all, &m[k]);
		members_set_rules(&all, &m[k], &rules[rnd(2)]);
		members_count_up(&all, &m[k]);
		if (i % 64 == 0)
			is_good &= is_whole();
	}
	ok(is_good && is_whole() && all.n > MEMBERS_BUCKETS / 2,
	   "of %u that came, each is found while it is there", all.last_id);
}

int main(void)
{
	test_new();
	test_list();
	test_counts();
	test_state_text();
	test_by_chance();
	return done();
}
