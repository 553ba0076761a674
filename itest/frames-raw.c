// SPDX-License-Identifier: MIT
/*
 * Raw bytes to an endpoint, right or wrong, over one connection or many, and a
 * watch on what the other side does about them: close, reset, answer, nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "frames.h"

#define SHOWN_MAX 4096 /* received bytes that are shown */
#define PIECE_MAX (1u << 30)

/*
 * What became of the connections.
 * @shown: the first bytes received, whoever they came from
 */
struct outcome {
	size_t closed;
	size_t reset;
	size_t open;
	uint64_t received;
	uint8_t shown[SHOWN_MAX];
	size_t n_shown;
};

static int read_zeros(const char *text, uint8_t **data, size_t *len)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || n > PIECE_MAX)
		return -EINVAL;
	*len = n;
	*data = calloc(1, n + 1);
	return *data ? 0 : -ENOMEM;
}

static int read_hex(const char *text, uint8_t **data, size_t *len)
{
	size_t i, n = strlen(text);
	char pair[3] = "";

	if (n % 2 || strspn(text, "0123456789abcdefABCDEF") != n)
		return -EINVAL;
	*data = malloc(n / 2 + 1);
	if (!*data)
		return -ENOMEM;
	for (i = 0; i < n / 2; i++) {
		memcpy(pair, text + 2 * i, 2);
		(*data)[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*len = n / 2;
	return 0;
}

static int read_whole(const char *path, uint8_t **data, size_t *len)
{
	FILE *f = fopen(path, "rb");
	long size = -1;
	int err = -EIO;

	if (!f)
		return -errno;
	if (!fseek(f, 0, SEEK_END))
		size = ftell(f);
	if (size < 0 || size > (long)PIECE_MAX)
		goto out;
	rewind(f);
	*len = (size_t)size;
	*data = malloc(*len + 1);
	if (!*data)
		err = -ENOMEM;
	else if (fread(*data, 1, *len, f) == *len)
		err = 0;
out:
	fclose(f);
	return err;
}

static int read_piece(const char *text, uint8_t **data, size_t *len)
{
	*data = NULL;
	if (*text == '@')
		return read_whole(text + 1, data, len);
	if (*text == '+')
		return read_zeros(text + 1, data, len);
	return read_hex(text, data, len);
}

static int write_piece(struct channel *ch, const struct raw *raw, uint8_t *data,
		       size_t len)
{
	size_t part = raw->split && ch->stream ? raw->split : len;
	struct iovec iov;
	int err = 0;

	if (!ch->stream) {
		iov = (struct iovec){ data, len };
		return send_datagram(ch, &iov, 1);
	}
	for (; !err && len > 0; data += part, len -= part) {
		part = part < len ? part : len;
		iov = (struct iovec){ data, part };
		err = write_all(ch->out, &iov, 1);
	}
	return err;
}

/* Everything to every connection, a piece at a time, so that all are in step. */
static int write_pieces(struct channel *ch, const struct raw *raw, uint64_t *sent)
{
	size_t i, j;
	int err = 0;

	for (i = 0; !err && i < raw->n_pieces; i++) {
		uint8_t *data;
		size_t len = 0;

		err = read_piece(raw->pieces[i], &data, &len);
		for (j = 0; !err && j < raw->connections; j++) {
			err = write_piece(&ch[j], raw, data, len);
			/* A peer that has had enough is what we are here to see. */
			if (err == -EPIPE || err == -ECONNRESET)
				err = 0;
		}
		*sent += err ? 0 : len;
		free(data);
	}
	for (j = 0; raw->half_close && j < raw->connections; j++)
		shutdown(ch[j].out, SHUT_WR);
	return err;
}

static void read_answer(struct pollfd *p, const struct channel *ch, struct outcome *o)
{
	uint8_t buf[65536];
	size_t keep = SHOWN_MAX - o->n_shown;
	ssize_t n = read(p->fd, buf, sizeof(buf));

	if (n > 0) {
		keep = (size_t)n < keep ? (size_t)n : keep;
		memcpy(o->shown + o->n_shown, buf, keep);
		o->n_shown += keep;
		o->received += (uint64_t)n;
		return;
	}
	if (!ch->stream)
		return;
	if (n == 0)
		o->closed++;
	else
		o->reset++;
	o->open--;
	p->fd = -1;
}

static int watch(const struct channel *ch, const struct raw *raw, struct outcome *o)
{
	uint64_t end = now_ms() + (uint64_t)raw->wait_ms;
	struct pollfd *p = calloc(raw->connections, sizeof(*p));
	size_t i;

	if (!p)
		return -ENOMEM;
	for (i = 0; i < raw->connections; i++)
		p[i] = (struct pollfd){ .fd = ch[i].in, .events = POLLIN };
	o->open = raw->connections;
	while (o->open && o->received < raw->expect && now_ms() < end) {
		if (poll(p, raw->connections, (int)(end - now_ms())) <= 0)
			continue;
		for (i = 0; i < raw->connections; i++)
			if (p[i].revents)
				read_answer(&p[i], &ch[i], o);
	}
	free(p);
	return 0;
}

static void report(const struct raw *raw, const struct outcome *o, uint64_t sent,
		   uint64_t took_ms, FILE *out)
{
	size_t i;

	fprintf(out, "sent %ju bytes on %zu connections: closed %zu reset %zu open %zu",
		(uintmax_t)sent, raw->connections, o->closed, o->reset, o->open);
	fprintf(out, " received %ju bytes after %ju ms\n", (uintmax_t)o->received,
		(uintmax_t)took_ms);
	if (o->n_shown) {
		fprintf(out, "bytes ");
		for (i = 0; i < o->n_shown; i++)
			fprintf(out, "%02x", o->shown[i]);
		fputc('\n', out);
	}
	fflush(out);
}

static void raise_file_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static int open_all(struct channel *ch, const char *endpoint, const struct raw *raw,
		    const struct channel_options *opt, FILE *out, const char **step)
{
	size_t i;
	int err = 0;

	for (i = 0; i < raw->connections; i++)
		ch[i].in = -1;
	for (i = 0; !err && i < raw->connections; i++) {
		err = channel_open(&ch[i], endpoint, opt);
		*step = ch[i].step;
	}
	if (err)
		return err;
	fputs("ready\n", out);
	fflush(out);
	for (i = 0; !err && i < raw->connections; i++) {
		err = channel_accept(&ch[i]);
		*step = ch[i].step;
	}
	return err;
}

static void hold(void)
{
	char c[64];

	while (read(STDIN_FILENO, c, sizeof(c)) > 0)
		continue;
}

int raw_run(const char *endpoint, const struct channel_options *opt,
	    const struct raw *raw, FILE *out, const char **step)
{
	struct channel *ch = calloc(raw->connections, sizeof(*ch));
	struct outcome *o = calloc(1, sizeof(*o));
	uint64_t sent = 0, start;
	size_t i;
	int err = -ENOMEM;

	if (!ch || !o)
		goto out;
	raise_file_limit();
	err = open_all(ch, endpoint, raw, opt, out, step);
	if (err)
		goto close;
	*step = "write";
	err = write_pieces(ch, raw, &sent);
	if (err)
		goto close;
	start = now_ms();
	err = watch(ch, raw, o);
	if (err)
		goto close;
	report(raw, o, sent, now_ms() - start, out);
	if (raw->hold)
		hold();
close:
	for (i = 0; i < raw->connections; i++)
		channel_close(&ch[i]);
out:
	free(o);
	free(ch);
	return err;
}
