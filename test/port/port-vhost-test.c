/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c and guests who do as they should: frames in chains of all shapes, in buffers of
 * all sizes, with the indices anywhere; what of super-frames and checksums each is spared.
 *
 *	a ---- hub ---- b
 */
#include "lib/packet.h"
#include "lib/vhost-rig.h"

#define CUTS_MAX 18 /* 17 fragments and what is ahead, as Linux sends them */

static struct front a, b;

static void meet(struct front_config to_send, struct front_config to_receive)
{
	rig_begin();
	if (rig_guest(&a, to_send) < 0 || rig_guest(&b, to_receive) < 0)
		ok(false, "both guests are let in");
}

static void part(void)
{
	rig_leave(&a);
	rig_leave(&b);
	rig_end();
}

/* ---- chains ---- */

/* Where a chain is cut: behind the header, somewhere, or within the header. */
enum cutting { CUT_BEHIND, CUT_ANYWHERE, CUT_WITHIN, CUTTINGS };

static void cut(uint32_t total, uint32_t header, unsigned n, enum cutting how,
		uint32_t *piece)
{
	uint32_t left = total;

	for (unsigned i = 0; i + 1 < n; i++) {
		uint32_t part = left / (n - i);

		if (i == 0 && how == CUT_BEHIND)
			part = header;
		if (how == CUT_WITHIN && i < 3)
			part = 3;
		piece[i] = part ? part : 1;
		left -= piece[i];
	}
	piece[n - 1] = left;
}

static bool pass_in_pieces(uint32_t len, unsigned n, enum cutting how, bool is_indirect)
{
	static const struct guest_header none;
	static uint32_t number;
	struct guest_header h;
	uint32_t piece[CUTS_MAX], got;

	cut(a.header + len, a.header, n, how, piece);
	guest_offer(&a, &none, rig_make(len, ++number), len, piece, n, n * 7,
		    is_indirect);
	vring_push(&a.ring[FRONT_TX]);
	got = rig_await(&b, &h);
	guest_refill(&b);
	rig_until(guest_reap(&a) || a.ring[FRONT_TX].fault);
	if (rig_is(rig_got, got, len, number) && !rig_has_fault(&a) && !h.flags &&
	    !h.gso_type)
		return true;
	printf("# %u bytes in %u pieces, way %u: %u came\n", len, n, how, got);
	return false;
}

static bool pass_each_length(unsigned n, bool is_indirect)
{
	static const uint32_t lens[] = { 14, 59, 60, 61, 1514, 9000, 65550, 69632 };
	bool good = true;

	for (unsigned i = 0; good && i < sizeof(lens) / sizeof(*lens); i++) {
		for (enum cutting how = 0; good && how < CUTTINGS; how++)
			if (lens[i] >= n)
				good = pass_in_pieces(lens[i], n, how, is_indirect);
	}
	return good;
}

static void test_pieces(const char *what, uint64_t features)
{
	struct front_config config = { .features = features, .buffer = 4096 };

	if (!(features & FRONT_BIT(FRONT_F_MRG_RXBUF)))
		config.buffer = 70000;
	meet(config, config);
	for (unsigned n = 1; n <= CUTS_MAX; n++) {
		ok(pass_each_length(n, false), "%s, %u descriptors", what, n);
		if (front_has(&a, FRONT_F_INDIRECT))
			ok(pass_each_length(n, true), "%s, a table of %u", what, n);
	}
	part();
}

static void test_more_pieces(void)
{
	static const struct guest_header none;
	struct front_config config = { .features = FRONT_PLAIN, .buffer = 4096 };
	uint32_t piece[VRING_PIECES];
	struct guest_header h;

	meet(config, config);
	for (unsigned n = 30; n <= VRING_PIECES; n += 2) {
		cut(a.header + 3000, a.header, n, CUT_ANYWHERE, piece);
		guest_offer(&a, &none, rig_make(3000, n), 3000, piece, n, 1, n % 4);
		vring_push(&a.ring[FRONT_TX]);
		ok(rig_is(rig_got, rig_await(&b, &h), 3000, n), "a chain of %u", n);
		guest_refill(&b);
		rig_until(guest_reap(&a));
	}
	part();
}

/* ---- buffers ---- */

static void test_mergeable(uint32_t buffer)
{
	struct front_config config = { .features = FRONT_PLAIN,
				       .size = 1024,
				       .buffer = buffer };
	uint32_t most = buffer * 1000 < 69632 ? buffer * 1000 : 69632, number = 0;
	bool good = true;

	meet(config, config);
	/* One byte less than fills some buffers, as many, and one more. */
	for (uint32_t n = 1; good && n < 40; n += n / 4 + 1) {
		for (uint32_t len = n * buffer - 13; good && len <= n * buffer - 11;
		     len++)
			if (len >= 14 && len <= most)
				good = rig_passes(&a, &b, len, ++number);
	}
	good = good && rig_passes(&a, &b, most < 13 ? 14 : most - 12, ++number);
	ok(good && number, "mergeable buffers of %u bytes", buffer);
	part();
}

static bool pass_into(const uint32_t *len, unsigned n, bool is_indirect, uint32_t frame)
{
	struct guest_header h;

	if (!guest_post(&b, len, n, 5, is_indirect))
		return false;
	vring_push(&b.ring[FRONT_RX]);
	return guest_send(&a, rig_make(frame, n), frame) &&
	       rig_is(rig_got, rig_await(&b, &h), frame, n) && h.num_buffers == 1;
}

static void test_unmergeable(bool is_indirect)
{
	struct front_config config = { .features = FRONT_PLAIN &
						   ~FRONT_BIT(FRONT_F_MRG_RXBUF) };
	static const uint32_t header_apart[] = { 12, 1514 }, one[] = { 1526 },
			      small[] = { 5, 7, 13, 1, 1, 1487, 40 };

	meet(config, config);
	ok(pass_into(header_apart, 2, is_indirect, 1514), "a buffer, the header apart");
	ok(pass_into(one, 1, is_indirect, 1514), "a buffer of one piece");
	ok(pass_into(one, 1, is_indirect, 14), "a short frame in it");
	ok(pass_into(small, 7, is_indirect, 1514), "a buffer of small pieces");
	ok(pass_into(small, 7, is_indirect, 20), "a short frame, padded in them");
	part();
}

/* What does not fit, now or ever, is lost, and the next one is not. */
static void test_too_long(uint64_t features, const char *what)
{
	struct front_config config = { .features = features, .size = 32, .buffer = 1526 };
	struct front_config sender = { .features = FRONT_PLAIN };

	meet(sender, config);
	ok(rig_passes(&a, &b, 1514, 1), "%s: one that fits", what);
	for (unsigned i = 0; i < 3; i++)
		guest_send(&a, rig_make(69632, 9), 69632);
	rig_until(guest_reap(&a) || a.ring[FRONT_TX].fault);
	ok(rig_passes(&a, &b, 1514, 2), "%s: one behind some that can't fit", what);
	part();
}

/* The same where a buffer takes two descriptors: so all are out before the ring is full. */
static void test_too_long_pairs(void)
{
	struct front_config config = { .features = FRONT_PLAIN, .size = 32 };
	struct front_config sender = { .features = FRONT_PLAIN };
	static const uint32_t pair[] = { 700, 700 };
	struct guest_header h;

	meet(sender, config);
	while (guest_post(&b, pair, 2, 8, false))
		;
	vring_push(&b.ring[FRONT_RX]);
	guest_send(&a, rig_make(69632, 9), 69632);
	guest_send(&a, rig_make(1000, 1), 1000);
	ok(rig_is(rig_got, rig_await(&b, &h), 1000, 1),
	   "buffers of two descriptors: one behind one that can't fit");
	part();
}

/* And where the guest offers few, and no more until it gets some. */
static void test_too_long_few(void)
{
	struct front_config config = { .features = FRONT_PLAIN, .size = 32 };
	struct front_config sender = { .features = FRONT_PLAIN };
	static const uint32_t one[] = { 700 };
	struct guest_header h;

	meet(sender, config);
	for (unsigned i = 0; i < 3; i++)
		guest_post(&b, one, 1, 8, false);
	vring_push(&b.ring[FRONT_RX]);
	guest_send(&a, rig_make(3000, 9), 3000);
	guest_send(&a, rig_make(1000, 1), 1000);
	ok(rig_is(rig_got, rig_await(&b, &h), 1000, 1),
	   "a few buffers: one behind one that does not fit into all of them");
	part();
}

/* ---- many at once ---- */

/* What was sent to guests by all ports. */
static struct port_counters sent_to_guests(void)
{
	struct port_counters all = { 0 };

	for (struct member *m = rig.relay.forward.members.first; m; m = m->next) {
		all.tx_frames += m->port->count.tx_frames;
		all.tx_bytes += m->port->count.tx_bytes;
	}
	return all;
}

/* Frames that come at once, to a guest that has not always buffers for all of them. */
static void test_burst(const char *what, uint32_t len, unsigned room)
{
	static const struct guest_header none;
	struct front_config config = { .features = FRONT_PLAIN,
				       .size = room,
				       .buffer = 2048 };
	struct front_config sender = { .features = FRONT_PLAIN };
	const unsigned n = 50;
	struct port_counters count;
	struct guest_header h;
	uint64_t bytes = 0;
	bool good = true;

	meet(sender, config);
	for (unsigned i = 0; i < n; i++) {
		uint32_t size = len + i % 7, piece = a.header + size;

		guest_offer(&a, &none, rig_make(size, i), size, &piece, 1, 0, false);
		bytes += size;
	}
	vring_push(&a.ring[FRONT_TX]);
	for (unsigned i = 0; good && i < n; i++) {
		good = rig_is(rig_got, rig_await(&b, &h), len + i % 7, i);
		guest_refill(&b);
	}
	ok(good, "%u %s at once, room for %u", n, what, room);
	count = sent_to_guests();
	ok(count.tx_frames == n && count.tx_bytes == bytes, "each of them counts once");
	part();
}

/* ---- indices ---- */

static void test_indices(unsigned size, uint16_t base, unsigned n)
{
	struct front_config config = { .features = FRONT_PLAIN,
				       .size = size,
				       .base = { base, (uint16_t)(base + 1) },
				       .buffer = 2048 };
	bool good = true;

	meet(config, config);
	for (unsigned i = 0; good && i < n; i++)
		good = rig_passes(&a, &b, 60 + i % 1400, i);
	ok(good, "rings of %u from %u on, %u frames", size, base, n);
	part();
}

/* The longest that there can be; all of its buffers are offered at once, and one more frame. */
static void test_longest(void)
{
	struct front_config config = { .features = FRONT_PLAIN,
				       .size = FRONT_SIZE_MAX,
				       .slot_bytes = { 256, 256 },
				       .base = { 0x9000, 0xfffe },
				       .buffer = 256 };
	bool good = true;

	meet(config, config);
	ok_eq_int(b.ring[FRONT_RX].n_free, 0, "all buffers of a ring of %u",
		  FRONT_SIZE_MAX);
	for (unsigned i = 0; good && i < 20; i++)
		good = rig_passes(&a, &b, 60 + i, i);
	ok(good, "frames pass by it");
	part();
}

/* ---- offloads ---- */

static uint8_t packet[PACKET_MAX];

/* Send what packet has, with that header. */
static void send_packet(uint32_t len, struct vnet v)
{
	struct guest_header h = { 0 };
	uint32_t piece[2] = { a.header + 54, len - 54 };

	memcpy(&h, &v, sizeof(v));
	guest_offer(&a, &h, packet, len, piece, 2, 64, false);
	vring_push(&a.ring[FRONT_TX]);
}

static bool comes_split(uint32_t len, uint32_t size)
{
	static uint8_t want[PACKET_MAX];
	struct guest_header h;
	uint32_t n;

	for (unsigned i = 0; (n = packet_segment(want, packet, len, size, i)); i++) {
		uint32_t got = rig_await(&b, &h);

		if (got != n || memcmp(rig_got, want, n) != 0 || h.gso_type ||
		    h.flags & VNET_NEEDS_CSUM) {
			printf("# segment %u: %u bytes of %u\n", i, got, n);
			return false;
		}
		guest_refill(&b);
	}
	return true;
}

static bool comes_whole(uint32_t len, struct vnet v)
{
	struct guest_header h;
	uint32_t got = rig_await(&b, &h);

	guest_refill(&b);
	return got == len && memcmp(rig_got, packet, len) == 0 &&
	       memcmp(&h, &v, 2) == 0 && h.gso_size == v.gso_size &&
	       h.csum_start == v.csum_start && h.csum_offset == v.csum_offset;
}

/* A checksum is complete; or if it may be, left out and said to be. */
static bool comes_once(uint32_t len, struct vnet v, bool may_lack)
{
	static uint8_t want[PACKET_MAX];
	struct guest_header h;
	uint32_t got = rig_await(&b, &h);
	bool lacks = h.flags & VNET_NEEDS_CSUM;

	guest_refill(&b);
	memcpy(want, packet, len);
	if (!lacks)
		packet_seal(want, len);
	return got == len && memcmp(rig_got, want, len) == 0 && !h.gso_type &&
	       (!lacks || (may_lack && h.csum_start == v.csum_start &&
			   h.csum_offset == v.csum_offset));
}

/* A packet without a checksum, and one that stands for many. */
static void test_offload(const char *what, struct packet p, uint64_t features, bool sums,
			 bool supers)
{
	struct front_config sender = {
		.features = FRONT_SUPER | FRONT_BIT(FRONT_F_HOST_USO), .buffer = 2048
	};
	struct front_config config = { .features = features, .buffer = 2048 };
	struct vnet v;
	uint32_t len;

	meet(sender, config);
	p.payload = 999;
	len = packet_build(packet, &p);
	v = packet_make_super(packet, len, 0);
	v.gso_type = 0;
	send_packet(len, v);
	ok(comes_once(len, v, sums), "%s: its checksum %s", what,
	   sums ? "is right or left out" : "is complete");
	p.payload = 41234;
	len = packet_build(packet, &p);
	v = packet_make_super(packet, len, 1400);
	send_packet(len, v);
	ok(supers ? comes_whole(len, v) : comes_split(len, 1400),
	   "%s: a super-frame comes %s", what, supers ? "whole" : "split");
	part();
}

static void test_offloads(void)
{
	const struct packet v4 = { PACKET_USUAL }, v6 = { PACKET_USUAL, .v6 = true };
	const uint64_t sums = FRONT_PLAIN | FRONT_BIT(FRONT_F_GUEST_CSUM);
	const uint64_t tso4 = sums | FRONT_BIT(FRONT_F_GUEST_TSO4);
	const struct packet udp = { PACKET_USUAL, .udp = true },
			    udp6 = { PACKET_USUAL, .udp = true, .v6 = true };
	const uint64_t uso = FRONT_SUPER | FRONT_BIT(FRONT_F_GUEST_USO4) |
			     FRONT_BIT(FRONT_F_GUEST_USO6);

	test_offload("plain, IPv4", v4, FRONT_PLAIN, false, false);
	test_offload("plain, IPv6", v6, FRONT_PLAIN, false, false);
	test_offload("GUEST_CSUM, IPv4", v4, sums, true, false);
	test_offload("GUEST_CSUM, IPv6", v6, sums, true, false);
	test_offload("GUEST_TSO4 alone, IPv6", v6, tso4, true, false);
	test_offload("all, IPv4", v4, FRONT_SUPER, true, true);
	test_offload("all, IPv6", v6, FRONT_SUPER, true, true);
	test_offload("no USO, UDP", udp, FRONT_SUPER, true, false);
	test_offload("USO of IPv4 alone, UDP", udp,
		     FRONT_SUPER | FRONT_BIT(FRONT_F_GUEST_USO4), true, false);
	test_offload("USO, UDP", udp, uso, true, true);
	test_offload("USO, UDP over IPv6", udp6, uso, true, true);
}

int main(void)
{
	static const uint32_t buffers[] = {
		12, 13, 20, 26, 60, 72, 73, 1526, 2048, 65562
	};
	static const uint16_t bases[] = { 1, 0x7fff, 0x8000, 0xfffe, 0xffff };

	rig_prepare();
	test_pieces("with all of it", FRONT_PLAIN);
	test_pieces("without EVENT_IDX", FRONT_PLAIN & ~FRONT_BIT(FRONT_F_EVENT_IDX));
	test_pieces("each frame in one buffer",
		    FRONT_PLAIN & ~FRONT_BIT(FRONT_F_MRG_RXBUF));
	test_pieces("without protocol features",
		    FRONT_PLAIN & ~FRONT_BIT(FRONT_F_PROTOCOL));
	test_pieces("of before 1.0, mergeable",
		    FRONT_BIT(FRONT_F_MRG_RXBUF) | FRONT_BIT(FRONT_F_ANY_LAYOUT));
	test_pieces("of before 1.0", FRONT_BIT(FRONT_F_ANY_LAYOUT));
	test_more_pieces();
	for (unsigned i = 0; i < sizeof(buffers) / sizeof(*buffers); i++)
		test_mergeable(buffers[i]);
	test_unmergeable(false);
	test_unmergeable(true);
	test_too_long(FRONT_PLAIN, "mergeable");
	test_too_long(FRONT_PLAIN & ~FRONT_BIT(FRONT_F_MRG_RXBUF), "not mergeable");
	test_too_long_pairs();
	test_too_long_few();
	for (unsigned room = 4; room <= 64; room *= 4) {
		test_burst("short frames", 60, room);
		test_burst("frames that need padding", 40, room);
		test_burst("long frames", 1000, room);
	}
	for (unsigned i = 0; i < sizeof(bases) / sizeof(*bases); i++)
		test_indices(16, bases[i], 100);
	test_indices(2, 0xfff0, 100);
	test_indices(1024, 0xfe00, 2000);
	test_indices(8, 0, 70000);
	test_longest();
	test_offloads();
	return rig_finish();
}
