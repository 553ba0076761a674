/* SPDX-License-Identifier: MIT */
/*
 * What netrelay top reads and draws: lines that are as they should be and lines
 * that are not, and windows of all sizes.
 */
#include "client/top-draw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "lib/no-memory.h"
#include "lib/tap.h"

#define PORT(id, rx, tx) \
	"port\t" id "\tup\t192000\t" rx "\t" rx "000\t" tx "\t" tx "000\t0\t524288\t5\t"

static int read_text(struct top_data *d, const char *text)
{
	return top_read(d, strdup(text));
}

static void test_read(void)
{
	static const char *const wrong[] = {
		"",
		"\n",
		"\t",
		"nonsense",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t6\t7\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\tx\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t-6\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t99999999999999999999\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t6\n\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t6\nrelay\tswitch\tv1\t1\t2\t3\t4\t5\t6\n",
		"port\t1\tup\t1\t2\t3\t4\t5\t6\t7\t8\tname\tpeer\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t6\nport\t1\tup\t1\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t6\nport\t1\tup\t1\t2\t3\t4\t5\t6\t7\tx\ta\tb\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t6\nport\t1\tup\t1\t2\t3\t4\t5\t6\t7\t8\ta\tb\tc\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t6\nport\tx\tup\t1\t2\t3\t4\t5\t6\t7\t8\ta\tb\n",
		"relay\tswitch\tv1\t1\t2\t3\t4\t5\t6\nnonsense\n",
	};
	struct top_data d;
	char *text;
	int ret;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ok_eq_int(read_text(&d, wrong[i]), -EPROTO, "wrong: %s", wrong[i]);
		top_free(&d);
	}
	ok_eq_int(read_text(&d,
			    "relay\tswitch\tv1\t1\t2\t3\t4\t5\t6\n"
			    "port\t1\tup\t1\t2\t3\t4\t5\t6\t7\t8\ta\033[2J\xc3\x7f\tb"),
		  0, "right");
	ok_eq_str(d.port[0].name, "a?[2J??", "made printable");
	ok_eq_str(d.port[0].peer, "b", "the last word");
	top_free(&d);
	text = strdup("");
	no_memory = true;
	ret = top_read(&d, text);
	no_memory = false;
	ok_eq_int(ret, -ENOMEM, "without memory");
	top_free(&d);
}

/* Two looks, a second apart; ports 1 to 3 and then 2 to 4. */
static void read_two(struct top_data *d)
{
	struct top_data before;

	read_text(
		&before, "relay\tswitch\tv1.0\t1000\t10\t0\t10\t0\t5\n" //
		PORT("1", "100", "100") "gone\t\n" PORT(
			"2", "100", "100") "tcp:a:1\ta\n" PORT("3", "200",
							       "100") "br0\tnetrelay0\n");
	read_text(
		d, "relay\tswitch\tv1.0\t2000\t10\t0\t10\t0\t105\n" //
		PORT("2", "101", "100") "tcp:a:1\ta\n" PORT("3", "300", "50") "br0\tnetrelay0\n" PORT(
			"4", "9000", "1000") "a-rather-long-name-of-a-port:5000\t\n");
	top_compare(d, &before);
	top_free(&before);
}

static void test_compare(void)
{
	struct top_data d;

	read_two(&d);
	ok_eq_int(d.port[0].in.frames, 1, "frames a second");
	ok_eq_int(d.port[0].in.bits, 8000, "bits a second");
	ok_eq_int(d.port[1].in.bits, 800000, "of another");
	ok_eq_int(d.port[1].out.bits, 0, "a counter that went back");
	ok_eq_int(d.port[2].in.bits, 0, "a port that is new");
	ok_eq_int(d.in.frames, 101, "all of them");
	ok_eq_int(d.drops, 100, "drops");
	top_sort(&d, false);
	ok_eq_int(d.port[0].id, 3, "the busiest first");
	top_sort(&d, true);
	ok_eq_int(d.port[0].id, 2, "by number");
	top_free(&d);
}

static struct top_data made(size_t n, uint64_t uptime)
{
	struct top_data d = { .uptime = uptime, .n = n };

	d.port = calloc(n, sizeof(*d.port));
	for (size_t i = 0; i < n; i++)
		d.port[i] = (struct top_port){ .id = i + 1, .rx_frames = i * uptime };
	/* As it was shown: not by number. */
	top_sort(&d, false);
	return d;
}

/* CPU time of comparing two looks at @n ports. */
static uint64_t cost(size_t n, bool *good)
{
	struct top_data before = made(n, 1000), now = made(n, 2000);
	clock_t start = clock(), spent;

	top_compare(&now, &before);
	spent = clock() - start;
	for (size_t i = 0; i < n; i++)
		*good &= now.port[i].in.frames == (now.port[i].id - 1) * 1000;
	top_free(&now);
	top_free(&before);
	return (uint64_t)spent + 1;
}

static void test_many(void)
{
	bool good = true;
	uint64_t few = cost(4000, &good), many = cost(64000, &good);

	ok(good, "each of many is compared with what it was");
	ok(many < few * 100, "16 times as many cost %.1f times as much, not 256",
	   (double)many / (double)few);
}

/* The width of a line in columns; -1 when something is in it that must not be. */
static int columns(const char *line, size_t len)
{
	int n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c == '\033') {
			i += strspn(line + i + 1, "[0123456789;") + 1;
			if (line[i] != 'm' && line[i] != 'K')
				return -1;
		} else if (c < ' ' || c == 0x7f) {
			return -1;
		} else if (c < 0x80 || c >= 0xc0) {
			n++;
		}
	}
	return n;
}

static bool is_good(const struct top_view *v, const char *text)
{
	unsigned lines = 0;

	for (;;) {
		const char *end = strstr(text, "\r\n");
		size_t len = end ? (size_t)(end - text) : strlen(text);
		int n = columns(text, len);

		lines++;
		if (n < 0 || (unsigned)n > v->width)
			return false;
		if (!end)
			return lines == v->height;
		text = end + 2;
	}
}

static void test_sizes(void)
{
	struct top_data d;
	struct top_view v = { .path = "/run/netrelay.ctl" };
	unsigned bad = 0;

	read_two(&d);
	for (v.width = 1; v.width <= 200; v.width++) {
		for (v.height = 1; v.height <= 20; v.height++) {
			for (unsigned way = 0; way < 16; way++) {
				struct buf out = { 0 };

				v.data = way & 1 ? &d : NULL;
				v.trouble = way & 2 ? "the relay is gone" : NULL;
				v.is_utf8 = way & 4;
				v.first = way & 8 ? 2 : 0;
				top_draw(&v, &out);
				bad += !is_good(&v, out.data);
				buf_free(&out);
			}
		}
	}
	ok_eq_int(bad, 0, "windows of 1x1 to 200x20");
	top_free(&d);
}

static const char *draw(struct top_view *v)
{
	static struct buf out;

	buf_free(&out);
	top_draw(v, &out);
	return out.data;
}

static void test_picture(void)
{
	struct top_data d;
	struct top_view v = { .path = "/run/netrelay.ctl",
			      .data = &d,
			      .width = 110,
			      .height = 12,
			      .is_utf8 = true };
	const char *text;

	read_two(&d);
	text = draw(&v);
	ok(strstr(text, " netrelay v1.0  switch, 3 of 3 ports up, for 2s "), "title");
	ok(strstr(text, "dropped 105"), "drops");
	ok(strstr(text, "100/s"), "and how many a second");
	ok(strstr(text, "br0 (netrelay0)"), "a peer that its name does not say");
	ok(!strstr(text, "tcp:a:1 (a)"), "one that it does");
	ok(strstr(text, "\u2588\u2588\u2588"), "a full bar");
	ok(strstr(text, "\u258f"), "and an eighth of one, for little");
	ok(strstr(text, "3m12s"), "since");
	d.port[0].state = "limited";
	d.port[1].state = "blocked";
	text = draw(&v);
	ok(strstr(text, "2 of 3 ports up") && strstr(text, "\033[1;31mlimited "),
	   "one that is limited is up, but stands out; one that is blocked is not up");
	v.is_utf8 = false;
	ok(strstr(draw(&v), "######"), "a bar in ASCII");
	v.width = 60;
	text = draw(&v);
	ok(!strstr(text, "3m12s") && strstr(text, "drops"), "columns of a narrow window");
	ok(strstr(text, "a-r") && strstr(text, "t:5000"), "a name cut in its middle");
	v.height = 7;
	ok_eq_int(top_rows(&v), 3, "room for all");
	v.height = 6;
	ok_eq_int(top_rows(&v), 3, "still, without the last line");
	v.height = 5;
	ok_eq_int(top_rows(&v), 2, "for two");
	v.height = 7;
	v.first = 1;
	ok(strstr(draw(&v), " 1 above "), "what is scrolled away");
	v.trouble = "nobody listens";
	ok(strstr(draw(&v), "nobody listens"), "trouble is told of");
	v.data = NULL;
	ok(strstr(draw(&v), "nobody listens"), "also when nothing is known");
	top_free(&d);
}

int main(void)
{
	test_read();
	test_compare();
	test_many();
	test_sizes();
	test_picture();
	return done();
}
