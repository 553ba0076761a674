/* SPDX-License-Identifier: MIT */
/*
 * packing.c and unpacking.c together: frames of all lengths through datagrams of all
 * sizes, on paths that lose, reorder and change datagrams. What comes out must be what
 * went in, or nothing.
 */
#include "trunk/packing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "lib/no-memory.h"
#include "lib/packet.h"
#include "lib/pieces.h"
#include "lib/random.h"
#include "lib/tap.h"

#define DATAGRAMS 10000
#define FRAMES 3000

struct datagram {
	uint8_t *data;
	uint32_t len;
	uint64_t id;
};

/* What is on its way. */
static struct {
	struct datagram d[DATAGRAMS];
	unsigned n;
	uint64_t next_id;
} path;

/* Each frame begins with its number and its length, and is a piece of the noise behind that. */
static uint8_t noise[2 * FRAME_MAX], sent[FRAME_MAX];
static bool has_come[FRAMES];
static struct unpacker u;
static struct packer p;

static void leave(void)
{
	path.d[path.n++] =
		(struct datagram){ packet_copy(p.to, p.n), p.n, path.next_id++ };
}

static void free_path(void)
{
	while (path.n)
		free(path.d[--path.n].data);
}

static uint32_t length_of(uint32_t number, uint32_t longest)
{
	uint32_t h = number * 2654435761u >> 7;

	return FRAME_HEADER + h % (longest - FRAME_HEADER + 1);
}

static struct frame make(uint32_t number, uint32_t longest)
{
	uint32_t len = length_of(number, longest);

	memcpy(sent, noise + number, len);
	put_be32(sent, number);
	return pieces_whole(sent, len, NULL);
}

/* All of them in datagrams of @room bytes. Return: the bytes of these. */
static size_t send_all(unsigned n, uint32_t longest, uint32_t room)
{
	static uint8_t payload[PACKING_PAYLOAD_MAX];
	size_t bytes = 0;

	p = (struct packer){ 0 };
	packer_begin(&p, payload, room);
	for (unsigned i = 0; i < n; i++) {
		struct frame f = make(i, longest);

		while (!packer_put(&p, &f)) {
			bytes += p.n;
			leave();
			packer_begin(&p, payload, room);
		}
	}
	bytes += p.n;
	leave();
	return bytes;
}

/* A frame came. Return: whether it was sent, and has not come yet. */
static bool is_sent(const struct frame *f, uint32_t longest)
{
	uint32_t number = get_be32(f->data);

	if (number >= FRAMES || has_come[number] ||
	    f->len != length_of(number, longest) ||
	    memcmp(f->data + 4, noise + number + 4, f->len - 4) != 0)
		return false;
	has_come[number] = true;
	return true;
}

/* Return: how many frames came; 0 if one came that was not sent. */
static unsigned receive_all(uint32_t longest)
{
	struct frame f, kept[BATCH_MAX];
	unsigned n = 0, n_kept = 0;
	enum unpack what;

	memset(has_come, 0, sizeof(has_come));
	for (unsigned i = 0; i < path.n; i++) {
		unpacker_begin(&u, path.d[i].id, path.d[i].data, path.d[i].len);
		do {
			what = unpacker_next(&u, &f);
			if (what == UNPACK_BAD)
				return 0;
			if (what == UNPACK_FRAME)
				kept[n_kept++] = f;
			/* They must stay until they are released. */
			if (n_kept < BATCH_MAX && what != UNPACK_FULL)
				continue;
			for (; n_kept; n++)
				if (!is_sent(&kept[--n_kept], longest))
					return 0;
			unpacker_release(&u);
		} while (what != UNPACK_END);
	}
	for (; n_kept; n++)
		if (!is_sent(&kept[--n_kept], longest))
			return 0;
	unpacker_release(&u);
	return n;
}

static void begin(uint64_t seed)
{
	random_begin(seed);
	rnd_bytes(noise, sizeof(noise));
	unpacker_free(&u);
	unpacker_init(&u);
}

static void all_come(unsigned n, uint32_t longest, uint32_t room)
{
	size_t least = 0, most;

	begin(1);
	for (unsigned i = 0; i < n; i++)
		least += PACKING_WORD + length_of(i, longest);
	most = send_all(n, longest, room);
	ok(receive_all(longest) == n && u.lost == 0,
	   "%u frames of up to %u bytes in %u datagrams of %u", n, longest, path.n, room);
	ok(most - least <= path.n * (2 * (size_t)PACKING_FRAGMENT_HEAD + 2),
	   "costs %zu bytes more", most - least);
	free_path();
}

static void drop_some(unsigned percent)
{
	unsigned n = 0;

	for (unsigned i = 0; i < path.n; i++)
		if (rnd(100) < percent)
			free(path.d[i].data);
		else
			path.d[n++] = path.d[i];
	path.n = n;
}

/* Each goes by up to @far places ahead of others. */
static void shuffle(unsigned far)
{
	for (unsigned i = 0; i + far < path.n; i++) {
		unsigned k = i + rnd(far + 1);
		struct datagram d = path.d[i];

		path.d[i] = path.d[k];
		path.d[k] = d;
	}
}

static void losses(void)
{
	unsigned n, all = 0;

	begin(2);
	send_all(1000, 1514, 1400);
	all = path.n;
	drop_some(10);
	n = receive_all(1514);
	ok(n >= 1000 - 3 * (all - path.n) && n < 1000,
	   "%u of %u datagrams lost: %u frames", all - path.n, all, 1000 - n);
	ok(u.lost > 0 && u.lost <= all, "parts of %llu were counted",
	   (unsigned long long)u.lost);
	free_path();
	begin(3);
	send_all(1000, 9000, 1400);
	shuffle(3);
	n = receive_all(9000);
	ok(n > 990, "reordered by three: %u of 1000 frames come", n);
	free_path();
	begin(4);
	send_all(1000, 5000, 700);
	shuffle(100);
	drop_some(20);
	n = receive_all(5000);
	ok(n > 0 && n < 1000, "reordered by a hundred, and lost: %u come, none is false",
	   n);
	free_path();
}

/* A datagram changed by somebody who has the key: nothing may break. */
static void changed(void)
{
	bool good = true;
	struct frame f;

	begin(5);
	send_all(500, 4000, 1000);
	for (unsigned k = 0; k < 20000; k++) {
		struct datagram *d = &path.d[rnd(path.n)];
		uint8_t *copy = packet_copy(d->data, d->len);
		uint32_t len = rnd(4) ? d->len : rnd(d->len + 1);
		enum unpack what;

		copy[rnd(d->len)] ^= (uint8_t)(1u << rnd(8));
		copy[rnd(d->len < 12 ? d->len : 12)] ^= (uint8_t)rnd(256);
		unpacker_begin(&u, d->id + rnd(3), copy, len);
		while ((what = unpacker_next(&u, &f)) == UNPACK_FRAME)
			good &= f.len && f.len <= FRAME_MAX;
		if (what == UNPACK_FULL || !rnd(10))
			unpacker_release(&u);
		free(copy);
	}
	ok(good, "changed and cut datagrams give frames of good lengths, or none");
	free_path();
}

/* One item, as it lies. Return: what becomes of it. */
static enum unpack give(uint64_t id, uint8_t index, uint32_t total, uint32_t from,
			uint32_t len, struct frame *f)
{
	static uint8_t item[PACKING_FRAGMENT_HEAD + 2000];

	put_be16(item, PACKING_FRAGMENT_BIT | len);
	put_be32(item + 2, (uint32_t)index << 24 | total);
	put_be32(item + 5, (uint32_t)item[5] << 24 | from);
	memset(item + PACKING_FRAGMENT_HEAD, (int)id, len);
	unpacker_begin(&u, id, item, PACKING_FRAGMENT_HEAD + len);
	return unpacker_next(&u, f);
}

static void hostile(void)
{
	struct frame f;
	unsigned n = 0;

	begin(6);
	ok_eq_int(give(9, 0, FRAME_MAX + 1, 0, 10, &f), UNPACK_BAD, "a frame too long");
	ok_eq_int(give(9, 0, 100, 100, 1, &f), UNPACK_BAD, "a fragment behind its frame");
	ok_eq_int(give(9, 0, 100, 99, 2, &f), UNPACK_BAD, "one that ends behind it");
	ok_eq_int(give(9, 0, 100, 0, 0, &f), UNPACK_BAD, "one without bytes");
	ok_eq_int(give(9, 0, 0, 0, 1, &f), UNPACK_BAD, "one of nothing");
	ok_eq_int(u.lost, 5, "each is counted");
	ok_eq_int(give(20, 0, 100, 0, 50, &f), UNPACK_END, "a first half");
	ok_eq_int(give(21, 1, 100, 49, 51, &f), UNPACK_END, "a second that overlaps it");
	ok_eq_int(u.lost, 6, "costs the frame");
	ok_eq_int(give(30, 0, 100, 0, 50, &f), UNPACK_END, "a first half");
	ok_eq_int(give(31, 1, 101, 50, 51, &f), UNPACK_END, "a second of another length");
	ok_eq_int(u.lost, 7, "costs the frame");
	ok_eq_int(give(40, 0, 100, 0, 50, &f), UNPACK_END, "a first half");
	ok_eq_int(give(42, 1, 100, 50, 50, &f), UNPACK_END, "a second of another frame");
	ok_eq_int(give(41, 1, 100, 50, 50, &f), UNPACK_FRAME, "its own one");
	ok(f.len == 100 && f.data[0] == 40 && f.data[99] == 41, "is the frame");
	for (uint32_t i = 0; i < 100; i++)
		n += give(100, 0, 1000, 10 * i, 1, &f) == UNPACK_END;
	ok_eq_int(n, 100, "one of nothing but holes");
	ok(u.lost >= 100 / (PACKING_HOLES + 2) && u.lost < 30,
	   "is given up again and again");
	unpacker_release(&u);
	n = 0;
	for (unsigned i = 0; i < 100000; i++)
		n += give(1000 + 2 * i, 0, FRAME_MAX, 0, 1, &f) == UNPACK_END;
	ok_eq_int(n, 100000, "a hundred thousand beginnings take no more memory");
}

static void borders(void)
{
	static const uint8_t zeros[40];
	struct frame f;

	begin(7);
	unpacker_begin(&u, 1, zeros, sizeof(zeros));
	ok_eq_int(unpacker_next(&u, &f), UNPACK_END, "zeros are padding");
	unpacker_begin(&u, 1, zeros, 0);
	ok_eq_int(unpacker_next(&u, &f), UNPACK_END, "an empty datagram has no frame");
	unpacker_begin(&u, 1, (const uint8_t *)"\0\5abcd", 6);
	ok_eq_int(unpacker_next(&u, &f), UNPACK_BAD, "a frame longer than its datagram");
	ok_eq_int(u.lost, 1, "is counted");
	unpacker_begin(&u, 1, (const uint8_t *)"\0\2ab\0\1c", 7);
	ok(unpacker_next(&u, &f) == UNPACK_FRAME && f.len == 2 && f.data[0] == 'a' &&
		   unpacker_next(&u, &f) == UNPACK_FRAME && f.len == 1 &&
		   f.data[0] == 'c' && unpacker_next(&u, &f) == UNPACK_END,
	   "two frames, one behind the other");
}

/* A frame whose place others have taken since must not come. */
static void overtaken(void)
{
	struct frame f;
	unsigned n = 0;

	begin(9);
	give(10, 0, 2000, 0, 1000, &f);
	for (uint64_t id = 100; id < 100 + 2 * (PACKING_BUF / 2000); id += 2) {
		give(id, 0, 2000, 0, 1000, &f);
		n += give(id + 1, 1, 2000, 1000, 1000, &f) == UNPACK_FRAME;
		unpacker_release(&u);
	}
	ok(n == PACKING_BUF / 2000 && u.lost == 1, "%u frames push an unfinished one out",
	   n);
	ok_eq_int(give(11, 1, 2000, 1000, 1000, &f), UNPACK_END,
		  "its rest comes too late");
}

/* Frames that were handed out must not be written to before they are released. */
static void full(void)
{
	struct frame f, first = { 0 };
	unsigned n = 0;

	begin(8);
	for (;; n++) {
		enum unpack what;

		give(1000 + 100 * n, 0, FRAME_MAX, 0, 1000, &f);
		for (uint32_t at = 1000;
		     (what = give(1000 + 100 * n + at / 1000, (uint8_t)(at / 1000),
				  FRAME_MAX, at,
				  FRAME_MAX - at < 1000 ? FRAME_MAX - at : 1000, &f)) ==
		     UNPACK_END;
		     at += 1000)
			;
		if (what != UNPACK_FRAME)
			break;
		if (!n)
			first = f;
	}
	ok_eq_int(n, PACKING_BUF / FRAME_MAX,
		  "as many of the longest frames as there is room for");
	ok(first.data[0] == (uint8_t)1000 && first.data[FRAME_MAX - 1] == (uint8_t)1069,
	   "the first is as it was");
	unpacker_release(&u);
	ok_eq_int(give(90000, 0, FRAME_MAX, 0, 1000, &f), UNPACK_END,
		  "then there is room again");
}

static unsigned count_split(const struct packet *packet, uint16_t gso_size, uint32_t room,
			    uint32_t *longest)
{
	static uint8_t frame[PACKET_MAX];
	uint32_t len = packet_build(frame, packet);
	struct packet_at at = packet_find(frame);
	struct vnet other, vnet = { .flags = VNET_NEEDS_CSUM,
				    .gso_type = packet->udp  ? VNET_GSO_UDP_L4
						: packet->v6 ? VNET_GSO_TCPV6
							     : VNET_GSO_TCPV4,
				    .gso_size = gso_size,
				    .csum_start = (uint16_t)at.l4,
				    .csum_offset = packet->udp ? 6 : 16 };
	struct frame whole = pieces_whole(frame, len, &vnet), shorter;
	struct gso_segment s;
	uint32_t payload = 0;
	struct gso g;
	unsigned n = 0;

	*longest = 0;
	if (packing_split(&g, &whole, room, &other, &shorter) < 0)
		return 0;
	for (; gso_next(&g, &s); n++) {
		*longest = s.frame.len > *longest ? s.frame.len : *longest;
		payload += s.frame.len - at.payload;
	}
	return payload == len - at.payload ? n : 0;
}

static void split(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 60000 }, udp = tcp;
	uint32_t longest;
	unsigned n;

	udp.udp = true;
	n = count_split(&tcp, 1448, 1440, &longest);
	ok(n == (60000 + 1371) / 1372 && longest == 1438,
	   "TCP is split to what fits a datagram");
	n = count_split(&tcp, 1000, 1440, &longest);
	ok(n == 60 && longest == 1066, "but no segment is longer than it was");
	n = count_split(&tcp, 1448, 1516, &longest);
	ok(n == 42 && longest == 1514, "and where all fit, it is as it was");
	n = count_split(&udp, 1400, 1400, &longest);
	ok(n == 43 && longest == 1442, "messages of UDP stay as they are");
	tcp.v6 = true;
	tcp.ext = 144;
	tcp.tcp_options = 36;
	n = count_split(&tcp, 1448, PACKING_PAYLOAD_MIN, &longest);
	ok(n == 60000 / 80 && longest == PACKING_PAYLOAD_MIN - PACKING_WORD,
	   "headers of 254 bytes leave room for payload");
	n = count_split(&tcp, 0, 1440, &longest);
	ok_eq_int(n, 0, "one that is malformed is not split");
}

static void no_room(void)
{
	struct unpacker other;
	int ret;

	no_memory = true;
	ret = unpacker_init(&other);
	no_memory = false;
	ok_eq_int(ret, -ENOMEM, "no memory for an unpacker");
	unpacker_free(&other);
}

int main(void)
{
	all_come(3000, 200, 1400);
	all_come(1000, 1514, 1434);
	all_come(1000, 1514, 1514 + 2);
	all_come(1000, 1514, PACKING_PAYLOAD_MIN);
	all_come(60, FRAME_MAX, PACKING_PAYLOAD_MIN);
	all_come(100, FRAME_MAX, 1432);
	all_come(300, FRAME_MAX, PACKING_PAYLOAD_MAX);
	losses();
	changed();
	hostile();
	borders();
	overtaken();
	full();
	split();
	no_room();
	unpacker_free(&u);
	return done();
}
