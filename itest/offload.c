/* SPDX-License-Identifier: MIT */
/*
 * Our splitting and merging against the kernel's. In a namespace that has a
 * bridge and nothing else, three taps are put on it:
 *
 *	a ----+          a: what we write, with vnet headers
 *	      |
 *	   bridge ---- plain: no offload, so the kernel splits and completes
 *	      |
 *	      +------- super: all offloads, so super-frames come out whole
 *
 * A super-frame written to a must come out of plain as gso.c splits it, byte by
 * byte; and out of super with a vnet header that gso.c takes, and splits into the
 * same. What gro.c merged must come out of plain as it was before; also what gso.c
 * split before that, for a tap that takes no super-frames of UDP. TAP output.
 *
 * usage: offload BRIDGE [no-uso]
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/sockios.h>

#include "frame/gro.h"
#include "frame/gso.h"
#include "frame/headers.h"
#include "lib/packet.h"
#include "lib/pieces.h"
#include "lib/tap.h"
#include "base/util.h"

#define FRAMES_MAX 1024
#define PATIENCE 20000 /* ms, for a frame that should come */
#define RING 4096      /* frames that a tap holds until they are read */

/* Not in Debian 12's headers. */
#define OFFLOAD_USO (32 | 64) /* TUN_F_USO4, TUN_F_USO6: Linux 6.2 */

struct list {
	unsigned n;
	uint8_t *data[FRAMES_MAX];
	uint32_t len[FRAMES_MAX];
};

static int a, plain, super;
static bool has_uso, is_uso_refused;
static unsigned came_whole;
static struct gro gro;

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void list_add_frame(struct list *l, const struct frame *f)
{
	uint8_t *copy = malloc(f->len + 1);

	if (!copy || l->n == FRAMES_MAX)
		die("too many frames");
	pieces_join(copy, f);
	l->data[l->n] = copy;
	l->len[l->n++] = f->len;
}

static void list_add(struct list *l, const uint8_t *data, uint32_t len)
{
	const struct frame f = pieces_whole(data, len, NULL);

	list_add_frame(l, &f);
}

static void list_free(struct list *l)
{
	while (l->n)
		free(l->data[--l->n]);
}

/* Says where they differ. */
static bool list_is_same(const struct list *got, const struct list *want)
{
	for (unsigned i = 0; i < got->n && i < want->n; i++) {
		uint32_t at = 0;

		while (at < got->len[i] && at < want->len[i] &&
		       got->data[i][at] == want->data[i][at])
			at++;
		if (at < got->len[i] || at < want->len[i]) {
			printf("# frame %u, byte %u; lengths %u and %u\n", i, at,
			       got->len[i], want->len[i]);
			return false;
		}
	}
	if (got->n != want->n)
		printf("# %u frames, not %u\n", got->n, want->n);
	return got->n == want->n;
}

/* --- taps --- */

static void up(int sock, const char *name)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_qlen = RING;
	if (ioctl(sock, SIOCSIFTXQLEN, &ifr) < 0)
		die("SIOCSIFTXQLEN");
	if (ioctl(sock, SIOCGIFFLAGS, &ifr) < 0)
		die("SIOCGIFFLAGS");
	ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP);
	if (ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
		die("SIOCSIFFLAGS");
}

static int tap_open(const char *name, const char *bridge, bool is_plain)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	unsigned long offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || sock < 0)
		die("/dev/net/tun");
	if (!is_plain)
		ifr.ifr_flags |= IFF_VNET_HDR;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		die("TUNSETIFF");
	if (!is_plain) {
		has_uso = !is_uso_refused &&
			  !ioctl(fd, TUNSETOFFLOAD, offload | OFFLOAD_USO);
		if (!has_uso && ioctl(fd, TUNSETOFFLOAD, offload) < 0)
			die("TUNSETOFFLOAD");
	}
	up(sock, name);
	ifr.ifr_ifindex = (int)if_nametoindex(name);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", bridge);
	if (ioctl(sock, SIOCBRADDIF, &ifr) < 0)
		die(bridge);
	close(sock);
	return fd;
}

/* The kernel says something of its own now and then. */
static bool is_ours(const uint8_t *frame, size_t len)
{
	return len >= 14 && !memcmp(frame, "\x52\x54\0\0\0\x02\x52\x54\0\0\0", 11);
}

/* Reads a frame of ours. Return: its length, 0 when none comes in time. */
static size_t take(int fd, uint8_t *buf, size_t head)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while (poll(&pfd, 1, PATIENCE) > 0) {
		n = read(fd, buf, PACKET_MAX + head);
		if (n > (ssize_t)head && is_ours(buf + head, (size_t)n - head))
			return (size_t)n;
	}
	return 0;
}

/* As many plain frames as are wanted, so that no time is lost waiting for more. */
static void take_plain(struct list *l, unsigned n)
{
	static uint8_t buf[PACKET_MAX];

	while (l->n < n) {
		size_t len = take(plain, buf, 0);

		if (!len)
			break;
		list_add(l, buf, (uint32_t)len);
	}
}

/* By gso.c. Return: whether it took it. */
static bool split(struct list *l, uint8_t *frame, uint32_t len, const struct vnet *vnet)
{
	const struct frame f = pieces_whole(frame, len, vnet);
	struct gso_segment s;
	struct gso g;

	if (!vnet->gso_type) {
		if (gso_complete(&s, &f))
			return false;
		list_add_frame(l, &s.frame);
		return true;
	}
	if (gso_begin(&g, &f))
		return false;
	while (gso_next(&g, &s))
		list_add_frame(l, &s.frame);
	return true;
}

static void take_super(struct list *l, unsigned n)
{
	static uint8_t buf[VNET_BYTES + PACKET_MAX];
	struct vnet vnet;

	while (l->n < n) {
		size_t len = take(super, buf, VNET_BYTES);

		if (!len)
			break;
		memcpy(&vnet, buf, VNET_BYTES);
		came_whole += vnet.gso_type != VNET_GSO_NONE;
		if (!split(l, buf + VNET_BYTES, (uint32_t)len - VNET_BYTES, &vnet)) {
			printf("# refused what the kernel says: flags %u type %u start %u\n",
			       vnet.flags, vnet.gso_type, vnet.csum_start);
			break;
		}
	}
}

/* What was written to a came out of both others as @want. */
static bool arrives(const struct list *want)
{
	struct list by_kernel = { 0 }, by_us = { 0 };
	bool same;

	take_plain(&by_kernel, want->n);
	take_super(&by_us, want->n);
	same = list_is_same(&by_kernel, want);
	if (!list_is_same(&by_us, want)) {
		printf("# that was by way of super\n");
		same = false;
	}
	list_free(&by_kernel);
	list_free(&by_us);
	return same;
}

static bool put(const struct iovec *iov, int n)
{
	if (writev(a, iov, n) >= 0)
		return true;
	printf("# write: %s\n", strerror(errno));
	return false;
}

/* --- splitting --- */

static bool is_split_alike(const struct packet *p, uint16_t gso_size)
{
	static uint8_t frame[PACKET_MAX];
	uint32_t len = packet_build(frame, p);
	struct vnet vnet = packet_make_super(frame, len, gso_size);
	struct iovec iov[] = { { &vnet, VNET_BYTES }, { frame, len } };
	struct list want = { 0 };
	bool good;

	if (!gso_size)
		vnet.gso_type = VNET_GSO_NONE;
	good = put(iov, 2) && split(&want, frame, len, &vnet) && arrives(&want);
	if (!good)
		printf("# payload %u, segments of %u\n", p->payload, gso_size);
	list_free(&want);
	return good;
}

static struct packet flow(unsigned kind, unsigned tags)
{
	return (struct packet){
		.v6 = kind & 1,
		.udp = kind & 2,
		.tags = tags,
		.from = 1,
		.to = 2,
		.sport = 1000,
		.dport = 2000,
		.ttl = 64,
		.tos = 2,
		.id = 0xfff0,
		.df = true,
		.flags = 0x10,
		.window = 501,
		.seq = 0xfffff000,
		.ack = 99,
		.stamp = 7,
		.tcp_options = 12,
		.payload = 1400,
		.fill = 1,
	};
}

static const char *name_of(unsigned kind, unsigned tags)
{
	static char name[40];

	snprintf(name, sizeof(name), "%s over IPv%d, %u tags", kind & 2 ? "UDP" : "TCP",
		 kind & 1 ? 6 : 4, tags);
	return name;
}

static void test_split(unsigned kind, unsigned tags)
{
	static const struct {
		uint32_t payload;
		uint16_t gso_size;
	} sizes[] = {
		{ 2, 1 },	 { 63, 1 },	  { 64, 33 },	  { 1449, 1448 },
		{ 2896, 1448 },	 { 2897, 1448 },  { 4001, 1001 }, { 5000, 999 },
		{ 63000, 1448 }, { 65000, 1399 },
	};
	static const uint8_t flags[] = { 0x10, 0x18, 0x19, 0x90, 0xd8, 0x31, 0x11 };
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct packet p = flow(kind, tags);

		p.payload = sizes[i].payload;
		p.fill = (uint8_t)(i * 17);
		p.df = i & 1;
		p.flags = flags[i % ARRAY_SIZE(flags)];
		p.tcp_options = i % 3 ? 12 : 0;
		good = is_split_alike(&p, sizes[i].gso_size) && good;
		p.payload = p.payload > 60000 ? 60000 : p.payload;
		p.ip_options = p.v6 ? 0 : 8;
		p.ext = p.v6 ? 16 : 0;
		good = is_split_alike(&p, sizes[i].gso_size) && good;
	}
	ok(good, "split: %s", name_of(kind, tags));
}

static void test_complete(unsigned kind, unsigned tags)
{
	bool good = true;

	for (unsigned payload = 0; payload < 40; payload++) {
		struct packet p = flow(kind, tags);

		p.payload = payload;
		p.fill = (uint8_t)(payload * 3);
		good = is_split_alike(&p, 0) && good;
	}
	ok(good, "complete: %s", name_of(kind, tags));
}

/* --- merging --- */

/* Frame @i of a run: most can be merged, some can't for one reason or another. */
static uint32_t make_frame(uint8_t *frame, struct packet *p, unsigned i)
{
	struct packet one = *p;
	uint32_t len;

	one.fill = (uint8_t)(i * 5);
	if (i % 23 == 22)
		one.payload -= 501;
	if (i % 19 == 18)
		one.flags |= TCP_PSH;
	if (i % 37 == 36)
		one.window++;
	if (i % 41 == 40)
		p->id++;
	p->seq += one.payload;
	p->id++;
	len = packet_build(frame, &one);
	if (i % 29 == 28)
		frame[len - 1] ^= 1;
	return len;
}

static void test_merge(unsigned kind, unsigned tags, uint32_t payload, bool is_fixed)
{
	static uint8_t frame[PACKET_MAX];
	struct packet p = flow(kind, tags);
	struct frame frames[BATCH_MAX];
	struct list want = { 0 };
	bool good = true;

	p.payload = payload;
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		if (is_fixed)
			p.id = 0;
		list_add(&want, frame, make_frame(frame, &p, i));
		frames[i] = (struct frame){ .data = want.data[i], .len = want.len[i] };
	}
	gro.udp = has_uso;
	gro_merge(&gro, frames, BATCH_MAX);
	for (unsigned i = 0; i < gro.n; i++)
		good = put(gro.unit[i].iov, gro.unit[i].n_iov) && good;
	good = arrives(&want) && good;
	ok(good, "merge: %s, %u bytes%s: %u frames as %u", name_of(kind, tags), payload,
	   is_fixed ? ", one ID" : "", BATCH_MAX, gro.n);
	ok(gro.n < BATCH_MAX / 3 || (is_fixed && !p.v6), "merge: not in vain");
	list_free(&want);
}

/* As a relay does with a super-frame that the tap would not take. */
static void test_pieces(unsigned kind, unsigned tags)
{
	static uint8_t frame[PACKET_MAX];
	static struct gso_segment segments[BATCH_MAX];
	struct packet p = flow(kind, tags);
	struct frame frames[BATCH_MAX];
	struct list want = { 0 };
	struct frame f;
	struct vnet vnet;
	struct gso g;
	unsigned n = 0;
	uint32_t len;
	bool good;

	p.payload = 40000;
	len = packet_build(frame, &p);
	vnet = packet_make_super(frame, len, 1300);
	f = pieces_whole(frame, len, &vnet);
	good = !gso_begin(&g, &f);
	while (good && gso_next(&g, &segments[n])) {
		list_add_frame(&want, &segments[n].frame);
		frames[n] = segments[n].frame;
		n++;
	}
	gro.udp = has_uso;
	gro_merge(&gro, frames, n);
	for (unsigned i = 0; i < gro.n; i++)
		good = put(gro.unit[i].iov, gro.unit[i].n_iov) && good;
	good = arrives(&want) && good;
	ok(good, "pieces: %s: %u frames as %u", name_of(kind, tags), n, gro.n);
	ok_eq_int(gro.n, kind & 2 && !has_uso ? n : 1, "pieces: merged if they can be");
	list_free(&want);
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: offload BRIDGE [no-uso]\n");
		return 2;
	}
	is_uso_refused = argc == 3;
	a = tap_open("a", argv[1], false);
	plain = tap_open("plain", argv[1], true);
	super = tap_open("super", argv[1], false);
	for (unsigned kind = 0; kind < 4; kind++) {
		for (unsigned tags = 0; tags < 3; tags++) {
			test_complete(kind, tags);
			test_pieces(kind, tags);
			if (kind & 2 && !has_uso) {
				ok(true, "%s # SKIP no UDP offload", name_of(kind, tags));
				continue;
			}
			test_split(kind, tags);
			test_merge(kind, tags, 1400, false);
			test_merge(kind, tags, 1001, false);
			test_merge(kind, tags, 600, true);
		}
	}
	ok(came_whole > 100, "%u super-frames came out whole", came_whole);
	return done();
}
