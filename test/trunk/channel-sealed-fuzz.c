/* SPDX-License-Identifier: MIT */
/*
 * What comes to a sealed channel: records of a peer that has the key and makes what it
 * likes of them, and bytes of anybody. What comes out is what the records have, as far as
 * they are right, wherever they are cut; then the end, or an error that stays.
 *
 * Input: for each piece, a kind: a record's, or raw bytes; its length; a byte of which it
 * consists, and how much the reader takes meanwhile.
 */
#include "lib/fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/sockets.h"
#include "trunk/channel-sealed.h"

#define PIECES_MAX 24
#define RAW 3

static struct record_way peer;
static struct channel_sealed c;
static struct bytes want, got;
static bool is_over; /* no more bytes may come out */
static int fd;

static void begin(void)
{
	static const uint8_t key[SEAL_KEY_BYTES] = { 1 };
	struct session s = { .suite = SEAL_CHACHA20_POLY1305, .recv = { 1 } };
	int sv[2];

	sockets_pair(SOCK_STREAM, sv);
	fd = sv[1];
	must(channel_sealed_begin(&c, sv[0], &s) == 0);
	must(record_begin(&peer, SEAL_CHACHA20_POLY1305, key, 0) == 0);
	want.len = got.len = 0;
	is_over = false;
}

/* Return: of the channel. */
static ssize_t take(size_t most)
{
	struct iovec iov = { bytes_room(&got, most), most };
	ssize_t n = c.channel.ops->recv(&c.channel, &iov, 1);

	got.len -= most - (n > 0 ? (size_t)n : 0);
	must(n != 0 || is_over);
	must(got.len <= want.len && (!got.len || !memcmp(got.at, want.at, got.len)));
	return n;
}

static void give(struct fuzz_input *in)
{
	static uint8_t record[RECORD_SIZE_MAX];
	unsigned kind = fuzz_byte(in) % 4;
	size_t len = fuzz_number(in, 2) % 5000;

	memset(record + RECORD_HEAD, fuzz_byte(in), len);
	if (kind == RAW) {
		if (len)
			is_over = true;
	} else {
		if (kind == RECORD_DATA && !is_over)
			bytes_append(&want, record + RECORD_HEAD, len);
		else if (kind == RECORD_END || len)
			is_over = true;
		len = record_seal(&peer, kind, record, record + RECORD_HEAD, len);
		if (kind == RECORD_REKEY)
			record_rekey(&peer, 0);
	}
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, record + (kind == RAW ? RECORD_HEAD : 0) + done,
				  len - done);

		if (n < 0)
			break;
		done += (size_t)n;
	}
	for (unsigned n = fuzz_byte(in) % 3; n; n--)
		take(1 + fuzz_number(in, 2) % 8000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	ssize_t n;

	begin();
	for (unsigned i = 0; i < PIECES_MAX && in.left; i++)
		give(&in);
	shutdown(fd, SHUT_WR);
	do
		n = take(10000);
	while (n > 0 || n == -EAGAIN);
	must(got.len == want.len);
	must(c.channel.ops->recv(&c.channel, &(struct iovec){ &(char){ 0 }, 1 }, 1) == n);
	c.channel.ops->close(&c.channel);
	record_end(&peer);
	close(fd);
	return 0;
}
