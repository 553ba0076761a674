/* SPDX-License-Identifier: MIT */
/*
 * gro-packet.c: flows are told apart by what they are, also where their hashes are equal,
 * as those of some flows are, and as anybody can choose them to be.
 */
#include "frame/gro-packet.h"

#include <string.h>

#include "lib/packet.h"
#include "lib/pieces.h"
#include "lib/tap.h"

static const struct packet base = { PACKET_USUAL, .payload = 100 };
static uint8_t frames[2][PACKET_MAX];

static void read_frame(struct gro_packet *p, unsigned i, uint32_t len)
{
	static uint8_t room[2][FRAME_PEEK];
	const struct frame f = pieces_whole(frames[i], len, NULL);

	memset(p, 0, sizeof(*p));
	ok_eq_int(gro_parse(p, &f, true, room[i]), GRO_KNOWN_MERGEABLE,
		  "a frame is read");
}

/* @one and @other as they are built, but that the latter's byte @at, if not 0, is another. */
static void test_apart(const struct packet *one, const struct packet *other, uint32_t at,
		       bool is_alike, const char *what)
{
	struct gro_packet a, b;
	uint32_t len;

	read_frame(&a, 0, packet_build(frames[0], one));
	len = packet_build(frames[1], other);
	frames[1][at] ^= at ? 1 : 0;
	packet_seal(frames[1], len);
	read_frame(&b, 1, len);
	ok(!is_alike || a.hash == b.hash, "%s: not in the hash", what);
	b.hash = a.hash;
	ok(!gro_is_same_flow(&a, &b) && !gro_is_same_flow(&b, &a),
	   "%s: another flow, of the same hash", what);
}

/* The end of a source address is what a tag would be: the bytes that are hashed are equal. */
static void test_tag(void)
{
	static const uint8_t source[] = { 0x00, 0x01, 0x81, 0x00, 0x00, 100 };
	struct packet tagged = base;
	struct gro_packet a, b;
	uint32_t len;

	tagged.tags = 1;
	read_frame(&a, 0, packet_build(frames[0], &tagged));
	len = packet_build(frames[1], &base);
	memcpy(frames[1] + 6, source, sizeof(source));
	read_frame(&b, 1, len);
	ok_eq_int(a.hash, b.hash, "a source address that ends as a tag: the same hash");
	ok(!gro_is_same_flow(&a, &b) && !gro_is_same_flow(&b, &a), "and another flow");
}

int main(void)
{
	struct packet other = base;
	struct gro_packet a, b;

	read_frame(&a, 0, packet_build(frames[0], &base));
	other.seq += 100;
	read_frame(&b, 1, packet_build(frames[1], &other));
	ok(gro_is_same_flow(&a, &b), "two frames of a flow");
	b.hash = ~a.hash;
	ok(!gro_is_same_flow(&a, &b), "another hash: another flow");

	other = base;
	other.udp = true;
	test_apart(&base, &other, 0, true, "protocol");
	test_apart(&base, &base, 5, true, "destination");
	test_apart(&base, &base, 11, false, "source");
	other = base;
	other.to++;
	test_apart(&base, &other, 0, false, "IP address");
	other = base;
	other.sport++;
	test_apart(&base, &other, 0, false, "source port");
	other = base;
	other.dport++;
	test_apart(&base, &other, 0, false, "destination port");
	test_tag();
	return done();
}
