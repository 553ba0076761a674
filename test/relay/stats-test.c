/* SPDX-License-Identifier: MIT */
/* stats.c: what is added up of a relay's members, those that are gone too, and the rates. */
#include "relay/stats.h"

#include <string.h>

#include "lib/tap.h"

#define MEMBERS 3

static struct relay relay;
static struct port ports[MEMBERS];
static struct member members[MEMBERS];
static struct acceptor listener, stopped = { .is_stopped = true };

static struct port_counters counters(uint64_t n)
{
	return (struct port_counters){
		.rx_frames = n,
		.rx_bytes = n * 100,
		.tx_frames = n * 2,
		.tx_bytes = n * 1000,
		.dropped = { [DROP_RUNT] = n * 3, [DROP_REFUSED] = n * 4 },
		.made = n * 5,
	};
}

/* The first two were accepted, by one that listens and by one that does no more. */
static void begin(void)
{
	memset(&relay, 0, sizeof(relay));
	relay.gone = counters(1);
	relay.forward.copied = 5;
	relay.acceptors = &listener;
	listener.gone = counters(1000);
	for (unsigned i = 0; i < MEMBERS; i++) {
		ports[i] = (struct port){ .count = counters(10), .queue.frames = 7 };
		members[i] = (struct member){ .port = &ports[i] };
		members_join(&relay.forward.members, &members[i]);
	}
	members[0].acceptor = &listener;
	members[1].acceptor = &stopped;
}

static void test_sums(void)
{
	struct stats_sums s;

	begin();
	s = stats_sum(&relay);
	ok_eq_int(s.received, 31, "received, by those that are gone too");
	ok_eq_int(s.copied, 5 + 31 * 5, "copied, by the relay and by drivers");
	ok_eq_int(s.sent, 62, "sent");
	ok_eq_int(s.queued, 21, "queued");
	ok_eq_int(s.dropped, 31 * 7, "dropped, for any reason");
}

static void test_acceptors(void)
{
	const struct port_counters want_all = counters(31), want = counters(1010);
	struct port_counters all;

	begin();
	for (int i = 0; i < 2; i++) {
		stats_sum_acceptors(&relay, &all);
		ok(!memcmp(&all, &want_all, sizeof(all)), "of all: each counter");
		ok(!memcmp(&listener.sum, &want, sizeof(want)),
		   "of a listener: those it accepted, there and gone");
	}
	ok(!stopped.sum.rx_frames, "one that was taken away has no sum");
}

static void test_rates(void)
{
	const struct member_rate *rate = &members[1].rate;

	begin();
	stats_measure(&relay, 500);
	ok(rate->rx_frames == 20 && rate->rx_bytes == 2000 && rate->tx_frames == 40 &&
		   rate->tx_bytes == 20000,
	   "a rate is for a second, whenever it is measured");
	stats_measure(&relay, 0);
	ok_eq_int(rate->rx_frames, 20, "in no time nothing is measured");
	ports[1].count.rx_frames += 3;
	stats_measure(&relay, 1000);
	ok(rate->rx_frames == 3 && !rate->tx_frames, "of what has come since");
}

int main(void)
{
	test_sums();
	test_acceptors();
	test_rates();
	return done();
}
