// SPDX-License-Identifier: MIT
/*
 * What is in a frame, and whether what came is what was sent.
 *
 *   0  destination MAC
 *   6  source MAC, 02:6e:72:00 and the sender's id
 *  12  EtherType 0x88b5 (IEEE 802 local experimental 1)
 *  14  magic 0x6e72, sender's id, sequence number, length of the frame as sent
 *  26  a window of one fixed pool of pseudo-random bytes
 *
 * The window's place is a hash of the header. So a receiver needs nothing but
 * the frame to know every byte of it, a header that was changed points to other
 * content, sender and receiver make no bytes while they run, and verifying is
 * one memcmp().
 *
 * netrelay's own probes have that EtherType, too, and a group to go to; what
 * goes there is none of ours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"

#define ETHERTYPE 0x88b5u
#define MAGIC 0x6e72u
#define OFFSETS 65536u
#define POOL_SIZE (OFFSETS + FRAME_MAX)
#define SIZES 4096u
#define SEEN_LIMIT (1u << 28) /* sequence numbers above are damage; keeps memory small */

static const uint8_t mac_prefix[4] = { 0x02, 0x6e, 0x72, 0x00 };
static const uint8_t probe_group[6] = { 0x03, 0x6e, 0x65, 0x74, 0x72, 0x6c };

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* splitmix64: every input bit reaches every output bit. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint8_t *content_pool(void)
{
	uint8_t *pool = malloc(POOL_SIZE);
	uint64_t word = 0;
	size_t i;

	for (i = 0; pool && i < POOL_SIZE; i++) {
		if (i % 8 == 0)
			word = mix(i);
		pool[i] = (uint8_t)(word >> i % 8 * 8);
	}
	return pool;
}

const uint8_t *content_window(const uint8_t *pool, const uint8_t *header)
{
	uint64_t words[4] = { 0 };
	uint64_t hash = 0;
	size_t i;

	memcpy(words, header, FRAME_HEADER);
	for (i = 0; i < 4; i++)
		hash = mix(hash ^ words[i]);
	return pool + hash % OFFSETS;
}

static double power(double base, uint32_t exponent)
{
	double result = 1;

	for (; exponent; exponent /= 2, base *= base)
		if (exponent % 2)
			result *= base;
	return result;
}

/* The @n-th root of @x, which is at least 1, by bisection. */
static double root(double x, uint32_t n)
{
	double low = 1, high = x;
	int i;

	for (i = 0; i < 64; i++) {
		double middle = (low + high) / 2;

		if (power(middle, n) < x)
			low = middle;
		else
			high = middle;
	}
	return high;
}

uint32_t *content_sizes(uint32_t min, uint32_t max)
{
	uint32_t *sizes = calloc(SIZES, sizeof(*sizes));
	double step = root((double)max / min, SIZES - 1);
	double size = min;
	uint32_t i;

	for (i = 0; sizes && i < SIZES; i++, size *= step)
		sizes[i] = size + 0.5 < max ? (uint32_t)(size + 0.5) : max;
	return sizes;
}

uint32_t content_size(const struct plan *plan, uint32_t seq)
{
	uint64_t r = mix(plan->seed << 32 ^ seq);

	if (plan->sizes)
		return plan->sizes[r % SIZES];
	return plan->min + (uint32_t)(r % (plan->max - plan->min + 1));
}

void content_header(const struct plan *plan, uint32_t seq, uint32_t len, uint8_t *header)
{
	memcpy(header, plan->dst, 6);
	memcpy(header + 6, mac_prefix, 4);
	put16(header + 10, plan->id);
	put16(header + 12, ETHERTYPE);
	put16(header + 14, MAGIC);
	put16(header + 16, plan->id);
	put32(header + 18, seq);
	put32(header + 22, len);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && !memcmp(p, p + 1, n - 1));
}

/* Whether @frame is what its sender made, and as long as it has to be here. */
static bool is_intact(const struct tally *tally, const uint8_t *frame, size_t len)
{
	uint32_t id = get16(frame + 16);
	uint32_t sent = get32(frame + 22);
	size_t due = tally->padded && sent < FRAME_PADDED ? FRAME_PADDED : sent;
	const uint8_t *window;

	if (len != due || sent < FRAME_HEADER || sent > FRAME_MAX)
		return false;
	if (memcmp(frame + 6, mac_prefix, 4) || get16(frame + 10) != id)
		return false;
	if (get32(frame + 18) >= SEEN_LIMIT)
		return false;
	window = content_window(tally->pool, frame);
	return !memcmp(frame + FRAME_HEADER, window, sent - FRAME_HEADER) &&
	       all_zero(frame + sent, len - sent);
}

static bool is_looked_at(const struct tally *tally, uint32_t id)
{
	size_t i;

	for (i = 0; i < tally->n_from; i++)
		if (tally->from[i] == id)
			return true;
	return tally->n_from == 0;
}

static int grow_seen(struct sender *s, uint64_t seq)
{
	uint64_t bits = s->seen_bits ? s->seen_bits : 1u << 16;
	uint64_t *seen;

	while (bits <= seq)
		bits *= 2;
	if (bits == s->seen_bits)
		return 0;
	seen = realloc(s->seen, bits / 8);
	if (!seen)
		return -ENOMEM;
	memset((uint8_t *)seen + s->seen_bits / 8, 0, (bits - s->seen_bits) / 8);
	s->seen = seen;
	s->seen_bits = bits;
	return 0;
}

/* Count intact frame @seq. Return: 1 when it is new, 0 when it was seen, -ENOMEM. */
static int count_seq(struct sender *s, uint64_t seq)
{
	uint64_t bit = (uint64_t)1 << seq % 64;
	int err = grow_seen(s, seq);

	if (err)
		return err;
	if (s->seen[seq / 64] & bit) {
		s->duplicated++;
		return 0;
	}
	s->seen[seq / 64] |= bit;
	s->received++;
	if (seq < s->next)
		s->reordered++;
	else
		s->next = seq + 1;
	return 1;
}

int tally_frame(struct tally *tally, const uint8_t *frame, size_t len)
{
	struct sender **s;
	int is_new;

	/* Nobody is ever to be sent less than a header (QEMU would stop on nothing). */
	if (len < 14) {
		tally->unclear++;
		return 0;
	}
	if (get16(frame + 12) != ETHERTYPE || !memcmp(frame, probe_group, 6)) {
		tally->other++;
		return 0;
	}
	if (len < FRAME_HEADER || get16(frame + 14) != MAGIC) {
		tally->unclear++;
		return 0;
	}
	if (!is_looked_at(tally, get16(frame + 16))) {
		tally->other++;
		return 0;
	}
	s = &tally->senders[get16(frame + 16)];
	if (!*s)
		*s = calloc(1, sizeof(**s));
	if (!*s)
		return -ENOMEM;
	if (!is_intact(tally, frame, len)) {
		(*s)->damaged++;
		return 0;
	}
	is_new = count_seq(*s, get32(frame + 18));
	if (is_new < 0)
		return is_new;
	tally->received += (uint64_t)is_new;
	tally->bytes += len;
	return 0;
}

static void report_line(FILE *out, const char *who, const struct sender *sum,
			uint64_t lost)
{
	fprintf(out, "%s: received %ju lost %ju damaged %ju reordered %ju duplicated %ju",
		who, (uintmax_t)sum->received, (uintmax_t)lost, (uintmax_t)sum->damaged,
		(uintmax_t)sum->reordered, (uintmax_t)sum->duplicated);
}

bool tally_report(const struct tally *tally, uint64_t count, bool lossless, FILE *out)
{
	struct sender sum = { .damaged = tally->unclear };
	uint64_t lost = 0;
	char who[16];
	size_t i;

	for (i = 0; i < 65536; i++) {
		const struct sender *s = tally->senders[i];

		if (!s)
			continue;
		snprintf(who, sizeof(who), "from %zu", i);
		report_line(out, who, s, s->next - s->received);
		fputc('\n', out);
		sum.received += s->received;
		sum.damaged += s->damaged;
		sum.reordered += s->reordered;
		sum.duplicated += s->duplicated;
		lost += s->next - s->received;
	}
	/* Gaps do not show what is missing at the end. */
	if (count > sum.received + lost)
		lost = count - sum.received;
	report_line(out, "total", &sum, lost);
	fprintf(out, " other %ju bytes %ju\n", (uintmax_t)tally->other,
		(uintmax_t)tally->bytes);
	return !sum.damaged && !sum.reordered && !sum.duplicated && !(lossless && lost);
}

void tally_free(struct tally *tally)
{
	size_t i;

	for (i = 0; i < 65536; i++) {
		if (tally->senders[i])
			free(tally->senders[i]->seen);
		free(tally->senders[i]);
	}
}
