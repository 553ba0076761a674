/* SPDX-License-Identifier: MIT */
/*
 * capture.c and capture-queue.c: frames are shown to them as deliver.c would,
 * and what comes out of the socket is read here, block by block, by rules of
 * its own. Frames carry a number; so what is captured, what is lost, and where,
 * is exact or the test is red.
 */
#include "capture/capture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/random.h"
#include "lib/quiet.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define ALARM_S 300
#define BLOCK_MAX ((size_t)70 << 10)
#define FILE_MAX ((size_t)48 << 20)
#define NAMES_MAX 20000
#define PORTS 4

/* What the blocks of a capture add up to. */
struct read {
	size_t len;
	bool is_good; /* so far: whole, and in the order that is due */
	unsigned sections, interfaces, packets, statistics;
	uint64_t gaps;		    /* all of them */
	uint64_t received, dropped; /* by the statistics */
	uint64_t last_time;
	unsigned names[NAMES_MAX]; /* by interface, the port that it is */
	unsigned first_gap;	   /* the number of the packet, from 1 on */
	void (*packet)(unsigned port, bool is_out, const uint8_t *data, uint32_t len,
		       uint32_t orig);
};

static struct loop loop;
static struct forwarding fwd;
static struct port ports[PORTS];
static struct member members[PORTS];
static bool is_early; /* they are not there yet when the capture begins */
static struct capture capture;
static struct read file;
static uint8_t *bytes;
static int reader;
static unsigned ended;

/* ---- the loop ---- */

static void on_ended(struct capture *c, void *arg)
{
	ok(c == &capture && arg == &ended, "it is told that it has ended");
	ended++;
}

/* ---- reading ---- */

static uint32_t word(const uint8_t *at, unsigned i)
{
	uint32_t v;

	memcpy(&v, at + (size_t)i * 4, 4);
	return v;
}

/* The value of option @code among those from @at on; NULL if it is not there. */
static const uint8_t *option(const uint8_t *at, const uint8_t *end, unsigned code,
			     unsigned *len)
{
	while (at + 4 <= end) {
		uint16_t head[2];

		memcpy(head, at, 4);
		if (!head[0])
			return NULL;
		*len = head[1];
		if (head[0] == code)
			return at + 4;
		at += 4 + ((head[1] + 3u) & ~3u);
	}
	return NULL;
}

static uint64_t number(const uint8_t *at, const uint8_t *end, unsigned code)
{
	unsigned len;
	const uint8_t *value = option(at, end, code, &len);
	uint64_t v = 0;

	if (value && len == 4)
		return word(value, 0);
	if (value)
		memcpy(&v, value, min_size(len, sizeof(v)));
	return v;
}

static void read_interface(const uint8_t *block, const uint8_t *end)
{
	unsigned len = 0;
	const uint8_t *name = option(block + 16, end, 3, &len);
	char text[64] = "";

	if (name)
		memcpy(text, name, min_size(len, sizeof(text) - 1));
	file.names[file.interfaces++ % NAMES_MAX] = (unsigned)atoi(text + 5);
}

static void read_packet(const uint8_t *block, const uint8_t *end)
{
	uint32_t captured = word(block, 5);
	const uint8_t *options = block + 28 + ((captured + 3) & ~3u);
	uint64_t time = (uint64_t)word(block, 3) << 32 | word(block, 4);
	uint64_t gap = number(options, end, 4), flags = number(options, end, 2);

	file.is_good &= word(block, 2) < file.interfaces && options < end &&
			(flags == 1 || flags == 2) && time >= file.last_time;
	file.last_time = time;
	file.packets++;
	if (gap && !file.gaps)
		file.first_gap = file.packets;
	file.gaps += gap;
	if (file.packet && file.is_good)
		file.packet(file.names[word(block, 2)], flags == 2, block + 28, captured,
			    word(block, 6));
}

static void read_block(const uint8_t *block, uint32_t len)
{
	const uint8_t *end = block + len - 4;

	file.is_good &= len >= 12 && word(end, 0) == len &&
			(file.sections || word(block, 0) == 0x0a0d0d0a);
	switch (word(block, 0)) {
	case 0x0a0d0d0a:
		file.sections++;
		file.interfaces = 0;
		break;
	case 1:
		read_interface(block, end);
		break;
	case 6:
		read_packet(block, end);
		break;
	case 5:
		file.statistics++;
		file.is_good &= word(block, 2) < file.interfaces;
		file.received += number(block + 20, end, 4);
		file.dropped += number(block + 20, end, 5);
		break;
	default:
		file.is_good = false;
	}
}

/* At most @max bytes of what is there. Return: whether there may be more. */
static bool take(size_t max)
{
	ssize_t n = recv(reader, bytes + file.len, min_size(max, FILE_MAX - file.len),
			 MSG_DONTWAIT);

	if (n > 0)
		file.len += (size_t)n;
	return n > 0;
}

/* With all that can be had from the capture. */
static void take_all(void)
{
	do {
		while (take(FILE_MAX))
			;
		turn(&loop);
	} while (take(FILE_MAX));
}

/* All that was taken must be blocks, and whole. */
static void parse(void)
{
	size_t at = 0;

	file.is_good = true;
	while (file.is_good && file.len - at >= 12) {
		uint32_t len = word(bytes + at, 1);

		if (len < 12 || len > BLOCK_MAX || len > file.len - at)
			break;
		read_block(bytes + at, len);
		at += len;
	}
	file.is_good &= at == file.len;
}

/* ---- capturing ---- */

static const struct capture_filter everything = { .snaplen = FRAME_MAX,
						  .in = true,
						  .out = true };

static void begin(const struct capture_filter *w)
{
	int sv[2];

	memset(&file, 0, sizeof(file));
	ended = 0;
	fwd.members.first = is_early ? NULL : members;
	for (unsigned i = 0; i < PORTS; i++) {
		members[i] = (struct member){ .port = &ports[i], .id = i + 1 };
		members[i].next = i + 1 < PORTS ? &members[i + 1] : NULL;
		snprintf(ports[i].name, sizeof(ports[i].name), "unix:p%u", i + 1);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		exit(1);
	reader = sv[1];
	ok_eq_int(
		capture_start(&capture, &fwd, &loop, sv[0], w, "test", on_ended, &ended),
		0, "a capture begins");
}

static void see(const struct member *m, enum direction direction, const struct frame *f)
{
	for (struct observer *o = fwd.observers; o; o = o->next)
		o->seen(o, m, direction, f);
}

/* Stop it while somebody reads, and read that. */
static void stop_and_parse(void)
{
	take_all();
	/* Statistics are few: the socket has room for them. */
	capture_stop(&capture);
	while (take(FILE_MAX))
		;
	parse();
	close(reader);
}

/* A frame of @len bytes with a number in it, which also is what the rest is filled with. */
static struct frame numbered(uint8_t *memory, uint32_t len, uint32_t n)
{
	memset(memory, (int)(n & 0xff), len);
	put_be32(memory, n);
	return (struct frame){ .data = memory, .len = len };
}

/* ---- what is captured ---- */

static struct {
	unsigned n;
	unsigned port[16];
	bool is_out[16];
	uint32_t len[16], orig[16];
	uint8_t data[16][FRAME_MAX];
} seen;

static void keep(unsigned port, bool is_out, const uint8_t *data, uint32_t len,
		 uint32_t orig)
{
	unsigned i = seen.n++ % 16;

	seen.port[i] = port;
	seen.is_out[i] = is_out;
	seen.len[i] = len;
	seen.orig[i] = orig;
	memcpy(seen.data[i], data, min_size(len, FRAME_MAX));
}

static bool is_seen(unsigned i, unsigned port, bool is_out, const uint8_t *data,
		    uint32_t len, uint32_t orig)
{
	return i < seen.n && seen.port[i] == port && seen.is_out[i] == is_out &&
	       seen.len[i] == len && seen.orig[i] == orig &&
	       !memcmp(seen.data[i], data, len);
}

static void show_few(void)
{
	static uint8_t memory[3][2000];

	for (unsigned i = 0; i < 3; i++) {
		struct frame f = numbered(memory[i], 60 + i * 700, i);

		see(&members[i], FRAME_IN, &f);
		see(&members[i + 1], FRAME_OUT, &f);
	}
}

/* In: 1 2 3, out: 2 3 4, of 60, 760, 1460 bytes. */
static void test_filter(const char *words, unsigned want, const char *what)
{
	char copy[64], why[200], *list[4] = { NULL };
	unsigned n = 0;
	struct capture_filter w;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok(copy, " "); word && n < 3; word = strtok(NULL, " "))
		list[n++] = word;
	ok_eq_int(capture_filter_words(&w, list, why, sizeof(why)), 0, "\"%s\" is read",
		  words);
	begin(&w);
	seen.n = 0;
	file.packet = keep;
	show_few();
	stop_and_parse();
	ok(file.is_good && seen.n == want, "%s: %u packets, want %u", what, seen.n, want);
	ok_eq_int(file.interfaces, w.port ? 1 : PORTS, "%s: interfaces", what);
	ok_eq_int(file.received, want, "%s: the statistics say so", what);
}

static void test_all(void)
{
	uint8_t want[2000];

	test_filter("", 6, "all");
	for (unsigned i = 0; i < 3; i++) {
		struct frame f = numbered(want, 60 + i * 700, i);

		ok(is_seen(2 * i, i + 1, false, f.data, f.len, f.len) &&
			   is_seen(2 * i + 1, i + 2, true, f.data, f.len, f.len),
		   "frame %u is captured in and out, at its ports, as it is", i);
	}
	test_filter("dir=both snap=69632", 6, "all, said in words");
	test_filter("dir=in", 3, "what is received");
	ok(!seen.is_out[0] && !seen.is_out[1] && !seen.is_out[2], "and nothing else");
	test_filter("dir=out", 3, "what is sent");
	ok(seen.is_out[0] && seen.is_out[1] && seen.is_out[2], "and nothing else");
	test_filter("port=2", 2, "one port");
	ok(seen.port[0] == 2 && seen.port[1] == 2, "and no other");
	test_filter("port=4 dir=in", 0, "one port, one direction");
	test_filter("snap=100", 6, "the beginning of each");
	ok(seen.len[0] == 60 && seen.len[2] == 100 && seen.orig[2] == 760,
	   "and what they were");
}

static void test_bad_filters(void)
{
	static const char *const bad[] = {
		"",	   "port",    "port=",	    "port=0",	       "port=a b",
		"port=+1", "port= 1", "port=1/x",   "port=2147483648", "port=99999999999",
		"snap=0",  "dir=",    "snap=69633", "dir=up",	       "dir=inn",
		"PORT=1",  "\x1b[2J", "file=x",
	};
	struct capture_filter w;
	char why[400];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char word[32], *words[] = { word, NULL };

		snprintf(word, sizeof(word), "%s", bad[i]);
		why[0] = '\0';
		ok(capture_filter_words(&w, words, why, sizeof(why)) == -EINVAL &&
			   strstr(why, "port=PORT") && !strchr(why, '\x1b'),
		   "\"%s\" is refused: %s", bad[i], why);
	}
}

static void check_option(const char *text, const char *name,
			 const struct capture_filter *want)
{
	char copy[64], why[400] = "";
	struct capture_filter w;
	int ret;

	snprintf(copy, sizeof(copy), "%s", text);
	ret = capture_filter_option(&w, copy, why, sizeof(why));
	if (!name) {
		ok(ret == -EINVAL && strstr(why, "is doubled"), "\"%s\": %s", text, why);
		return;
	}
	ok_eq_str(copy, name, "the file of \"%s\"", text);
	ok(!ret && w.port == want->port && !strcmp(w.name, want->name) &&
		   w.snaplen == want->snaplen && w.in == want->in && w.out == want->out,
	   "and the rest of it");
}

static void test_options(void)
{
	static const struct capture_filter in = { .snaplen = FRAME_MAX, .in = true };
	static const struct capture_filter some = { .port = 7,
						    .snaplen = 96,
						    .out = true };
	static const struct capture_filter named = {
		.name = "web-2", .snaplen = FRAME_MAX, .in = true, .out = true
	};

	check_option("file", "file", &everything);
	check_option("-,dir=in", "-", &in);
	check_option("/a/b=c,dir=out,port=7,snap=96", "/a/b=c", &some);
	check_option("a,,b,,,dir=in", "a,b,", &in);
	check_option("a,,dir=in", "a,dir=in", &everything);
	check_option("a,port=7,port=web-2", "a", &named);
	check_option("a,port=web,port=7,dir=out,snap=96", "a", &some);
	check_option("a,", NULL, NULL);
	check_option("a,dir=up", NULL, NULL);
	check_option("a,b", NULL, NULL);
	check_option("a,dir=in,,", NULL, NULL);
	check_option("a,port=0", NULL, NULL);
}

/* As --capture has it, which begins before there are ports. */
static void test_later_port(void)
{
	struct capture_filter w = everything;

	w.port = 2;
	is_early = true;
	begin(&w);
	is_early = false;
	seen.n = 0;
	file.packet = keep;
	fwd.members.first = members;
	show_few();
	stop_and_parse();
	ok(file.is_good && seen.n == 2 && seen.port[0] == 2 && seen.port[1] == 2,
	   "a port that comes later is captured from then on");
	ok_eq_int(file.interfaces, 1, "and no other");
}

static bool has_text(const char *text)
{
	return memmem(bytes, file.len, text, strlen(text));
}

/* A port with a name, and another one that has it later. */
static void test_named_port(void)
{
	struct capture_filter w = everything;

	strcpy(w.name, "web");
	begin(&w);
	seen.n = 0;
	file.packet = keep;
	show_few();
	strcpy(members[1].name, "web");
	show_few();
	members[1].name[0] = '\0';
	strcpy(members[2].name, "web");
	show_few();
	stop_and_parse();
	ok(file.is_good && seen.n == 4, "what the ports of that name carry is captured");
	ok_eq_int(file.interfaces, 2, "each is an interface");
	ok(has_text("web") && has_text("port 2, unix:p2") && has_text("port 3, unix:p3"),
	   "with the name, and what else is known of it");
	ok(!has_text("port 1"), "others are none");
}

/* ---- frames in other shapes ---- */

/* As they lie in a stream's buffer, in memory of just that size. */
static void test_run(void)
{
	uint32_t lens[] = { 60, 1514, 61 }, total = 0;
	uint8_t *wire, *at;
	struct frame f;

	for (int i = 0; i < 3; i++)
		total += LAYOUT_PREFIX + lens[i];
	wire = at = malloc(total);
	for (unsigned i = 0; i < 3; i++) {
		put_be32(at, lens[i]);
		numbered(at + LAYOUT_PREFIX, lens[i], i);
		at += LAYOUT_PREFIX + lens[i];
	}
	f = layout_parse(wire);
	f.n_more = 2;
	f.more_bytes = lens[1] + lens[2];
	begin(&everything);
	seen.n = 0;
	file.packet = keep;
	see(&members[0], FRAME_IN, &f);
	stop_and_parse();
	ok(file.is_good && seen.n == 3, "a run is as many packets as it has frames");
	at = wire + LAYOUT_PREFIX;
	for (unsigned i = 0; i < 3; i++) {
		ok(is_seen(i, 1, false, at, lens[i], lens[i]), "and this is number %u",
		   i);
		at += LAYOUT_PREFIX + lens[i];
	}
	free(wire);
}

static void test_pieces(uint32_t snaplen)
{
	struct capture_filter w = everything;
	uint8_t head[54], data[500], whole[554];
	struct frame f = {
		.head = head, .head_len = sizeof(head), .data = data, .len = sizeof(whole)
	};

	memset(head, 1, sizeof(head));
	memset(data, 2, sizeof(data));
	memcpy(whole, head, sizeof(head));
	memcpy(whole + sizeof(head), data, sizeof(data));
	w.snaplen = snaplen;
	begin(&w);
	seen.n = 0;
	file.packet = keep;
	see(&members[1], FRAME_OUT, &f);
	stop_and_parse();
	ok(file.is_good &&
		   is_seen(0, 2, true, whole, (uint32_t)min_size(snaplen, sizeof(whole)),
			   sizeof(whole)),
	   "a frame in pieces is one, cut to %u", snaplen);
}

static void test_super(void)
{
	static uint8_t memory[FRAME_MAX];
	struct vnet vnet = { .gso_type = VNET_GSO_TCPV4, .gso_size = 1448 };
	struct frame f = numbered(memory, FRAME_MAX, 9);

	f.vnet = &vnet;
	begin(&everything);
	seen.n = 0;
	file.packet = keep;
	see(&members[2], FRAME_IN, &f);
	stop_and_parse();
	ok(file.is_good && is_seen(0, 3, false, memory, FRAME_MAX, FRAME_MAX),
	   "a super-frame of %u bytes is one packet", FRAME_MAX);
}

/* ---- a reader that stalls ---- */

static unsigned next_number, wrong;

/* Numbers only ever rise. */
static void check_number(unsigned port, bool is_out, const uint8_t *data, uint32_t len,
			 uint32_t orig)
{
	(void)port;
	(void)is_out;
	wrong += len != orig || get_be32(data) < next_number ||
		 data[len - 1] != (uint8_t)get_be32(data);
	next_number = get_be32(data) + 1;
}

static void show_numbers(unsigned from, unsigned to, uint32_t len)
{
	static uint8_t memory[FRAME_MAX];

	for (unsigned i = from; i < to; i++) {
		struct frame f = numbered(memory, len, i);

		see(&members[i % PORTS], FRAME_IN, &f);
	}
}

static void test_stall(void)
{
	uint64_t captured, lost;

	begin(&everything);
	next_number = wrong = 0;
	file.packet = check_number;
	for (unsigned i = 0; i < 12000; i += 50) {
		show_numbers(i, i + 50, 1514);
		turn(&loop);
	}
	captured = capture.queue.packets;
	lost = capture.queue.lost;
	ok(captured > 2000 && lost > 2000 && captured + lost == 12000,
	   "with nobody reading, %u of 12000 packets are kept", (unsigned)captured);
	ok_eq_int(ended, 0, "and it goes on");
	take_all();
	show_numbers(12000, 12100, 1514);
	take_all();
	ok_eq_int(capture.queue.packets - captured, 100,
		  "once it is read again nothing is lost");
	ok_eq_int(capture.queue.lost, lost, "nothing more");
	stop_and_parse();
	ok(file.is_good && !wrong, "all that is read is whole, and in order");
	ok_eq_int(file.packets, captured + 100, "packets are as many as was said");
	ok_eq_int(file.gaps, lost, "the packets behind the gap tell of all that is lost");
	ok_eq_int(file.first_gap, captured + 1, "just there");
	ok(file.dropped == lost && file.received == 12100,
	   "and so do the statistics: of %u, %u", (unsigned)file.received,
	   (unsigned)file.dropped);
}

/* More in one turn than the queue holds, read as fast as it goes. */
static void test_burst(void)
{
	static uint8_t memory[FRAME_MAX];

	begin(&everything);
	next_number = wrong = 0;
	file.packet = check_number;
	for (unsigned i = 0; i < 200; i++) {
		struct frame f = numbered(memory, FRAME_MAX, i);

		see(&members[0], FRAME_IN, &f);
		while (take(FILE_MAX))
			;
		capture.is_blocked = false; /* as EPOLLOUT would say */
	}
	stop_and_parse();
	ok(file.is_good && !wrong && file.packets == 200 && !capture.queue.lost,
	   "13 MiB in one turn are written as they come");
}

static void test_random(uint64_t seed)
{
	unsigned n = 0;

	random_begin(seed);
	begin(&everything);
	next_number = wrong = 0;
	file.packet = check_number;
	for (int step = 0; step < 400; step++) {
		unsigned more = rnd(60);

		show_numbers(n, n + more, 14 + rnd(rnd(4) ? 1500 : 9000));
		n += more;
		turn(&loop);
		if (step / 100 % 2)
			take(rnd(1u << 20));
	}
	stop_and_parse();
	ok(file.is_good && !wrong && file.packets + file.dropped == n &&
		   file.dropped == capture.queue.lost && file.received == n,
	   "seed %d: of %u packets %u are lost, and all adds up", (int)seed, n,
	   (unsigned)file.dropped);
}

/* ---- ports ---- */

static unsigned ports_wrong;

static void check_port(unsigned port, bool is_out, const uint8_t *data, uint32_t len,
		       uint32_t orig)
{
	(void)is_out;
	(void)len;
	(void)orig;
	ports_wrong += get_be32(data) != port;
}

/* Each port that comes has another id; in the end they are many more than fit. */
static void test_many_ports(unsigned n)
{
	uint8_t memory[60];
	struct port p = { 0 };
	struct member m = { .port = &p };

	begin(&everything);
	ports_wrong = 0;
	file.packet = check_port;
	for (unsigned i = 1; i <= n; i++) {
		struct frame f = numbered(memory, sizeof(memory), i);

		m.id = i;
		snprintf(p.name, sizeof(p.name), "tcp:127.0.0.1:%u", i);
		see(&m, FRAME_IN, &f);
		see(&m, FRAME_OUT, &f);
		if (i % 500 == 0)
			take_all();
	}
	stop_and_parse();
	ok(file.is_good && !ports_wrong && file.packets == 2 * n,
	   "%u ports in %u sections, each packet at its own", n, file.sections);
	ok(file.statistics >= n && file.received == 2 * n && !file.dropped,
	   "statistics of all of them");
	ok(file.sections > 1 && file.interfaces < NAMES_MAX, "and no end of tables");
}

/* ---- the end ---- */

static void test_ends_by_reader(void)
{
	begin(&everything);
	show_few();
	turn(&loop);
	shutdown(reader, SHUT_WR);
	turn(&loop);
	turn(&loop);
	ok(ended == 1 && !fwd.observers, "a reader that shuts down ends it");
	while (take(FILE_MAX))
		;
	parse();
	ok(file.is_good && file.packets == 6 && file.statistics == PORTS,
	   "in good order, with statistics");
	close(reader);
}

static void test_reader_gone(bool with_frames)
{
	begin(&everything);
	turn(&loop);
	close(reader);
	if (with_frames)
		show_few();
	turn(&loop);
	turn(&loop);
	ok(ended == 1 && !fwd.observers, "a reader that is gone ends it%s",
	   with_frames ? ", frames or not" : "");
	capture_stop(&capture);
	reader = -1;
}

/* What a reader says is nothing to us. */
static void test_reader_talks(void)
{
	char noise[5000] = "capture_end";

	begin(&everything);
	ok(write(reader, noise, sizeof(noise)) == sizeof(noise), "a reader talks");
	for (int i = 0; i < 20; i++)
		turn(&loop);
	show_few();
	stop_and_parse();
	ok(!ended && file.is_good && file.packets == 6, "and is not listened to");
}

/* With a reader that takes nothing, within a second; and what it has is whole. */
static void test_end_stalled(bool is_stop)
{
	uint64_t before, took;

	begin(&everything);
	show_numbers(0, 3000, 1514);
	turn(&loop);
	before = loop_now();
	if (is_stop) {
		capture_stop(&capture);
	} else {
		capture_end(&capture);
		while (!ended)
			turn(&loop);
	}
	took = loop_now() - before;
	ok(took >= 900 && took < 30000, "with a reader that stalls, %s takes %u ms",
	   is_stop ? "stopping" : "ending", (unsigned)took);
	ok(!fwd.observers && ended == !is_stop, "then it is over");
	close(reader);
}

/* Ended while much is queued, and read slowly: all of it comes, and the statistics. */
static void test_end_slow(void)
{
	begin(&everything);
	next_number = wrong = 0;
	file.packet = check_number;
	show_numbers(0, 2000, 1514);
	turn(&loop);
	capture_end(&capture);
	show_few(); /* no more of these */
	while (!ended) {
		turn(&loop);
		take(100000);
	}
	while (take(FILE_MAX))
		;
	parse();
	ok(file.is_good && !wrong && file.packets == 2000 && file.statistics == PORTS,
	   "one that ends while much is queued still gives all of it");
	close(reader);
}

static void test_two(void)
{
	struct capture other;
	struct capture_filter w = everything;
	int sv[2];

	begin(&everything);
	w.port = 2;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0 ||
	    capture_start(&other, &fwd, &loop, sv[0], &w, "other", NULL, NULL) < 0)
		exit(1);
	show_few();
	turn(&loop);
	close(sv[1]);
	show_few();
	turn(&loop);
	show_few();
	ok(!other.forward && other.queue.packets == 4, "one of two ends");
	stop_and_parse();
	ok(file.is_good && file.packets == 18, "and the other one goes on");
}

int main(void)
{
	alarm(ALARM_S);
	quiet();
	bytes = malloc(FILE_MAX);
	if (!bytes || loop_init(&loop) < 0)
		return 1;
	test_all();
	test_bad_filters();
	test_options();
	test_later_port();
	test_named_port();
	test_run();
	test_pieces(FRAME_MAX);
	test_pieces(100);
	test_pieces(20);
	test_super();
	test_stall();
	test_burst();
	for (uint64_t seed = 1; seed <= 3; seed++)
		test_random(seed);
	test_many_ports(13000);
	test_ends_by_reader();
	test_reader_gone(false);
	test_reader_gone(true);
	test_reader_talks();
	test_end_stalled(true);
	test_end_stalled(false);
	test_end_slow();
	test_two();
	loop_free(&loop);
	free(bytes);
	return done();
}
