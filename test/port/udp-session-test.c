/* SPDX-License-Identifier: MIT */
/*
 * udp-hub.c, udp-session.c, udp-session-tx.c: a sealed trunk over UDP that is dialled, and
 * the session of a listener, whose part in front of the peers file the test plays. Both are
 * in one loop, over loopback; all frames that arrive are compared whole.
 */
#include <arpa/inet.h>
#include <sys/stat.h>

#include "lib/fault.h"
#include "lib/leap.h"
#include "lib/live.h"
#include "lib/no-memory.h"
#include "lib/packet.h"
#include "lib/pieces.h"
#include "lib/tap.h"
#include "lib/write-text.h"
#include "net/keys.h"
#include "port/udp-trunk.h"
#include "seal/key.h"
#include "trunk/trunk.h"

#define HEAD 22 /* of a frame: addresses, type, its number and its length */
#define SMALL 60
#define DEAD_S 15  /* see udp-session.c */
#define PROVE_S 10 /* the same */
#define TRIES 5

/*
 * What one end has sent to the other, and what of it came there, or never will.
 * @next: the number that a frame may have at least, for all stay in order
 */
struct way {
	unsigned sent, came, lost, wrong, next;
	uint64_t payload;
	unsigned supers; /* frames that came with a virtio header */
};

/*
 * The listener.
 * @session: of the dialler, until it is freed
 * @is_deaf: it answers no hello
 * @ended: sessions that did, as ports
 */
static struct {
	struct taker taker;
	struct port_env env;
	struct udp_hub hub;
	struct cookie_jar jar;
	struct endpoint ep;
	struct udp_session *session;
	uint16_t port;
	bool is_deaf;
	unsigned hellos, ended;
	uint64_t strays;
} far;

static char dir[] = "/tmp/udp-session-test.XXXXXX";
static struct keys keys;
static struct identity own, peer;
static struct way up, down; /* to the listener, and back */
static uint8_t super[PACKET_MAX];

/* ---- frames ---- */

static uint8_t byte_of(unsigned number, uint32_t i)
{
	return (uint8_t)(number * 7 + i);
}

static void make_frame(uint8_t *data, uint32_t len, unsigned number)
{
	memset(data, 0x52, 12);
	put_be16(data + 12, 0x88b5);
	put_be32(data + 14, number);
	put_be32(data + 18, len);
	for (uint32_t i = HEAD; i < len; i++)
		data[i] = byte_of(number, i);
}

/* Of a super-frame; its TCP may be in other pieces than it said. */
static void see_segment(struct way *w, const struct frame *f)
{
	static uint8_t data[PACKET_MAX];
	struct packet_at at, whole = packet_find(super);
	uint32_t from = whole.payload;

	w->wrong += pieces_join(data, f) != f->len;
	at = packet_find(data);
	from += at.udp ? (uint32_t)w->payload
		       : packet_g32(data + at.l4 + 4) - packet_g32(super + whole.l4 + 4);
	w->wrong += memcmp(data + at.payload, super + from, f->len - at.payload) != 0;
	w->payload += f->len - at.payload;
	w->supers += f->vnet != NULL;
}

static void see(struct way *w, const struct frame *f)
{
	uint8_t room[14];
	unsigned number;

	if (get_be16(frame_peek(f, sizeof(room), room) + 12) != 0x88b5) {
		see_segment(w, f);
		return;
	}
	w->came++;
	number = get_be32(f->data + 14);
	w->wrong += get_be32(f->data + 18) != f->len || number >= w->sent ||
		    number < w->next;
	w->next = number + 1;
	for (uint32_t i = HEAD; i < f->len; i++)
		w->wrong += f->data[i] != byte_of(number, i);
}

static void see_down(const struct frame *f)
{
	see(&down, f);
}

static void see_up(const struct frame *f)
{
	see(&up, f);
}

static void send_one(struct port *p, struct way *w, uint32_t len)
{
	static uint8_t data[FRAME_MAX];

	make_frame(data, len, w->sent++);
	port_send(p, &(struct frame){ .data = data, .len = len });
	port_flush(p);
}

/* So many at once. */
static void send_row(struct port *p, struct way *w, uint32_t len, unsigned n)
{
	static uint8_t data[BATCH_MAX][2048];

	for (unsigned i = 0; i < n; i++) {
		make_frame(data[i], len, w->sent++);
		port_send(p, &(struct frame){ .data = data[i], .len = len });
	}
	port_flush(p);
}

/* So many that go in fragments, at once. */
static void send_long(unsigned n)
{
	static uint8_t data[8][20000];

	for (unsigned i = 0; i < n; i++) {
		make_frame(data[i], sizeof(data[i]), up.sent++);
		port_send(live.port,
			  &(struct frame){ .data = data[i], .len = sizeof(data[i]) });
	}
	port_flush(live.port);
}

static bool has_come(struct way *w)
{
	live_until(w->came + w->lost == w->sent);
	if (w->came + w->lost == w->sent && !w->wrong)
		return true;
	printf("# %u sent, %u came, %u lost, %u wrong\n", w->sent, w->came, w->lost,
	       w->wrong);
	return false;
}

/* What is missing now will not come. */
static void give_up(struct way *w)
{
	w->lost = w->sent - w->came;
}

static bool passes(void)
{
	send_one(live.port, &up, SMALL);
	send_one(&far.session->port, &down, SMALL);
	return has_come(&up) && has_come(&down);
}

/* ---- the listener ---- */

static void forget_later(struct deferred *d)
{
	struct udp_session *s = container_of(d, struct udp_session, later);

	port_free(&s->port);
	far.session = NULL;
}

static void failed(struct udp_session *s)
{
	loop_defer(&live.taker.loop, &s->later, forget_later);
}

static void proved(struct udp_session *s)
{
	port_start(&s->port);
}

static void far_changed(struct port *p, void *arg)
{
	(void)arg;
	if (p->state != PORT_ENDED)
		return;
	far.ended++;
	failed(container_of(p, struct udp_session, port));
}

static void let_in(struct handshake *hs, const uint8_t *hello,
		   const struct sock_addr *from)
{
	struct udp_session *s = udp_hub_find(&far.hub, noise_peer(&hs->noise));

	if (!s) {
		s = udp_session_accepted(&far.hub, &far.ep, "far", &far.env);
		if (!s)
			return;
		s->to = *from;
		s->proved = proved;
		s->failed = failed;
		far.session = s;
	}
	udp_session_answer(s, hs, NULL, hello, from, loop_now());
}

static void on_hello(struct udp_hub *h, const uint8_t *at, size_t len,
		     const struct sock_addr *from)
{
	uint8_t cookie[SEAL_LINK_COOKIE_BYTES];
	struct handshake hs = { 0 };
	int ret;

	far.hellos++;
	if (far.is_deaf)
		return;
	ret = seal_link_hear(&far.jar, &peer, at, len, &from->storage, from->len,
			     loop_now(), &hs, cookie);
	if (ret == -EAGAIN)
		udp_hub_send(h, from, cookie, sizeof(cookie));
	else if (ret == 0 && handshake_believe(&hs, NULL, at + SEAL_LINK_HEAD) == 0)
		let_in(&hs, at, from);
	handshake_wipe(&hs);
}

static void far_begin(void)
{
	static const struct port_host host = { taker_readable, fake_heard_nothing,
					       far_changed };
	struct endpoint_addr addr = { .family = AF_INET, .host = "127.0.0.1" };
	struct sockaddr_in bound = { 0 };
	struct sock_addr local;

	memset(&far, 0, sizeof(far));
	taker_init(&far.taker, see_up);
	far.env = (struct port_env){ .loop = &live.taker.loop,
				     .host = &host,
				     .host_arg = &far.taker };
	far.ep.dead = ENDPOINT_DEAD_USUAL;
	udp_hub_init(&far.hub, &live.taker.loop);
	far.hub.hello = on_hello;
	far.hub.strays = &far.strays;
	if (sock_addr_parse(&addr, AF_INET, &local) < 0 ||
	    udp_hub_open(&far.hub, &local) < 0 ||
	    getsockname(far.hub.watch.fd, (struct sockaddr *)&bound,
			&(socklen_t){ sizeof(bound) }) < 0)
		abort();
	far.port = ntohs(bound.sin_port);
}

/* ---- both ---- */

static void prepare(void)
{
	const struct conf conf = { .key_file = "own" };
	char why[PEERS_WHY_MAX];

	live_begin(see_down);
	if (keys_start(&keys, &conf, why, sizeof(why)) < 0)
		abort();
	live.taker.env.keys = &keys;
	memset(&up, 0, sizeof(up));
	memset(&down, 0, sizeof(down));
	far_begin();
}

static void dial_key(const char *host, const uint8_t key[SEAL_KEY_BYTES],
		     const char *more)
{
	char text[256], name[KEY_TEXT_MAX];

	key_write(name, key);
	snprintf(text, sizeof(text), "trunk:%s:%u,udp,peer=%s%s", host, far.port, name,
		 more);
	live_open(text);
}

static void dial(const char *host, const char *more)
{
	dial_key(host, peer.pair.pub, more);
}

static void begin(const char *more)
{
	prepare();
	dial("127.0.0.1", more);
}

static bool is_up(void)
{
	if (!live_is_up())
		return false;
	live_until(far.session && far.session->port.state == PORT_UP);
	return far.session && far.session->port.state == PORT_UP;
}

static void end(void)
{
	if (live.port)
		live_close();
	if (far.session) {
		if (far.session->port.state == PORT_UP)
			port_end(&far.session->port);
		else
			failed(far.session);
	}
	turns(&live.taker.loop, 2);
	udp_hub_close(&far.hub);
	taker_free(&far.taker);
	live_end();
	keys_free(&keys);
}

static struct udp_session *near_session(void)
{
	return container_of(live.port, struct udp_session, port);
}

/* Whether both use the same. A session of the listener may have the index of one before it. */
static bool has_keys_of_far(void)
{
	return near_session()->link.keys.ours == far.session->link.keys.theirs;
}

/* ---- tests ---- */

static void test_frames(void)
{
	begin("");
	ok(is_up(), "a trunk is dialled, and is up at both ends");
	ok(live.port->seal.suite &&
		   live.port->seal.suite == far.session->port.seal.suite &&
		   !memcmp(live.port->seal.peer, peer.pair.pub, SEAL_KEY_BYTES) &&
		   !memcmp(far.session->port.seal.peer, own.pair.pub, SEAL_KEY_BYTES),
	   "each knows whom it is sealed for");
	ok(passes(), "frames pass both ways");
	for (uint32_t len = SMALL; len < 20000; len += 1 + len / 9) {
		send_one(live.port, &up, len);
		send_one(&far.session->port, &down, len);
		turn(&live.taker.loop);
	}
	send_one(live.port, &up, FRAME_MAX);
	ok(has_come(&up) && has_come(&down), "of all lengths");
	for (unsigned i = 0; i < 20; i++) {
		send_row(live.port, &up, 1514, BATCH_MAX);
		send_row(&far.session->port, &down, SMALL + i, BATCH_MAX);
		if (!has_come(&up) || !has_come(&down))
			break;
	}
	ok(has_come(&up) && has_come(&down), "and many at once");
	ok(near_session()->link.pmtu.size > 2000,
	   "in long datagrams, as the path allows");
	ok(live.port->count.tx_frames == up.sent &&
		   live.port->count.rx_frames == down.sent,
	   "and all are counted");
	live_close();
	ok(far.session && far.session->port.state == PORT_UP,
	   "one end goes without a word");
	end();
}

static void send_super(uint32_t len, const struct vnet *vnet)
{
	port_send(live.port, &(struct frame){ .data = super, .len = len, .vnet = vnet });
	port_flush(live.port);
}

/* Whether all of a super-frame arrives. */
static bool super_passes(struct packet p, uint16_t size)
{
	uint32_t len = packet_build(super, &p);
	struct vnet vnet = packet_make_super(super, len, size);

	up.payload = 0;
	send_super(len, &vnet);
	live_until(up.payload >= p.payload);
	return up.payload == p.payload && !up.wrong;
}

/* So many at once. */
static bool supers_pass(struct packet p, unsigned n)
{
	uint32_t len = packet_build(super, &p);
	struct vnet vnet = packet_make_super(super, len, 1400);
	uint64_t want = (uint64_t)n * p.payload;

	up.payload = 0;
	while (n--)
		send_super(len, &vnet);
	live_until(up.payload >= want);
	return up.payload == want && !up.wrong;
}

static void test_super(void)
{
	struct packet tcp = { PACKET_USUAL, .payload = 60000 }, udp = tcp, small = tcp;
	struct vnet vnet;
	uint32_t len;

	udp.udp = true;
	small.payload = 100;
	begin("");
	up.supers = 0;
	ok(is_up() && super_passes(tcp, 1400) && up.supers == 1,
	   "a super-frame of TCP arrives in one piece");
	ok(super_passes(udp, 1000) && up.supers == 2, "and one of UDP");
	ok_eq_int((int)live.port->count.tx_frames, 2, "they count as two frames");
	ok(supers_pass(tcp, 4), "and so do more than are received at once");
	near_session()->link.peer_takes = TRUNK_TAKES_SUPER;
	up.supers = 0;
	ok(super_passes(tcp, 1400) && !up.supers, "for an older peer it is split");
	ok(super_passes(udp, 1000) && !up.supers, "and so is one of UDP");
	near_session()->link.peer_takes = handshake_takes();
	near_session()->link.pmtu.size = PMTU_BASE;
	ok(super_passes(udp, 1400) && !up.supers,
	   "one of UDP is split if its messages do not fit a datagram");
	len = packet_build(super, &small);
	vnet = packet_make_super(super, len, 0);
	vnet.gso_type = VNET_GSO_NONE;
	up.payload = 0;
	send_super(len, &vnet);
	live_until(up.payload);
	ok(up.payload == 100 && !up.wrong, "one whose checksum is not filled in yet");
	vnet.csum_start = 60000;
	send_super(len, &vnet);
	vnet.gso_type = VNET_GSO_TCPV4;
	send_super(len, &vnet);
	ok_eq_int(live.port->count.dropped[DROP_MALFORMED], 2,
		  "what is not as its header says is dropped");
	ok(passes(), "and others pass");
	end();
}

static bool was_dropped(enum port_drop reason)
{
	uint64_t n = live.port->count.dropped[reason];

	live.port->count.dropped[reason] = 0;
	give_up(&up);
	return n > 0;
}

/* Two super-frames. The kernel has no room when a part of the second one is sealed. */
static void send_cut(const char *what)
{
	struct packet tcp = { PACKET_USUAL, .payload = 60000 };
	uint32_t len = packet_build(super, &tcp);
	struct vnet vnet = packet_make_super(super, len, 1400);

	up.payload = 0;
	fault_arm(FAULT_sendmsg, 1, EAGAIN);
	port_send(live.port, &(struct frame){ .data = super, .len = len, .vnet = &vnet });
	send_super(len, &vnet);
	ok(fault_disarm() && near_session()->hub->n_waiting == 2, "%s", what);
	live_until(!near_session()->hub->n_waiting);
}

/* A peer that takes no slices. */
static void test_cut_super(void)
{
	const struct port_counters *c = &live.port->count, before = *c;
	unsigned each = (60000 + 1399) / 1400;
	uint64_t lost;

	near_session()->link.peer_takes = TRUNK_TAKES_SUPER;
	send_cut("a super-frame of which a part has gone is cut");
	lost = c->dropped[DROP_QUEUE] - before.dropped[DROP_QUEUE];
	ok_eq_int((long)(c->tx_frames - before.tx_frames + lost), 2 * each,
		  "each of its segments is counted as sent or as dropped");
	live_until(up.payload > 60000 + (each - lost - 1) * 1400);
	ok(lost > 1 && up.payload == 60000 + (each - lost) * 1400 && !up.wrong,
	   "%u are dropped, the others arrive", (unsigned)lost);
	ok_eq_int((long)(c->made - before.made), 2 * (each - 1),
		  "and as made, but for one of each super-frame");
	near_session()->link.peer_takes = handshake_takes();
}

/* The same in slices, which are no frames of their own. */
static void test_cut_slices(void)
{
	const struct port_counters *c = &live.port->count, before = *c;

	send_cut("a super-frame of which a part has gone in slices is cut");
	ok(c->tx_frames - before.tx_frames == 1 &&
		   c->dropped[DROP_QUEUE] - before.dropped[DROP_QUEUE] == 1 &&
		   c->made == before.made,
	   "one is counted as sent and one as dropped");
	live_until(up.payload > 60000);
	ok(up.payload < 2 * 60000 && !up.wrong, "what has gone of the second arrives");
}

static void test_refused(void)
{
	uint64_t sent;

	begin("");
	ok(is_up() && passes(), "a kernel that refuses");
	fault_arm(FAULT_sendto, 1, EAGAIN);
	send_one(live.port, &up, SMALL);
	ok(fault_disarm() && near_session()->hub->n_waiting == 1,
	   "has no room: it waits");
	send_one(live.port, &up, SMALL);
	ok(has_come(&up) && !near_session()->hub->n_waiting, "until there is some");
	fault_arm(FAULT_sendmsg, 1, EAGAIN);
	send_row(live.port, &up, 1514, 32);
	ok(fault_disarm() && near_session()->hub->n_waiting == 1, "the same of a run");
	fault_arm(FAULT_sendmsg, 1, EAGAIN);
	live_until(fault.is_hit);
	ok(fault_disarm() && near_session()->hub->n_waiting == 1, "it waits once more");
	ok(has_come(&up), "all arrive");
	fault_arm(FAULT_sendmsg, 1, EAGAIN);
	send_row(live.port, &up, 1514, BATCH_MAX);
	ok(fault_disarm() && near_session()->hub->n_waiting == 2,
	   "or of one that has another behind it");
	up.lost = (unsigned)live.port->count.dropped[DROP_QUEUE];
	ok(up.lost == 1 && has_come(&up), "all arrive but the frame that was cut");
	fault_arm(FAULT_sendmsg, 1, EAGAIN);
	send_long(5);
	ok(fault_disarm() && near_session()->hub->n_waiting == 2,
	   "the same of long ones");
	up.lost = (unsigned)live.port->count.dropped[DROP_QUEUE];
	ok(up.lost == 2 && has_come(&up), "what has gone of that is no part of the next");
	test_cut_super();
	test_cut_slices();
	fault_arm(FAULT_sendto, 1, ENOBUFS);
	send_one(live.port, &up, SMALL);
	ok(fault_disarm() && was_dropped(DROP_REFUSED), "no memory: it is dropped");
	fault_arm(FAULT_sendto, 1, ECONNREFUSED);
	send_one(live.port, &up, SMALL);
	ok(fault_disarm() && was_dropped(DROP_REFUSED), "nobody is there: the same");
	fault_arm(FAULT_sendto, 1, EAGAIN);
	send_one(live.port, &up, SMALL);
	fault_arm(FAULT_sendto, 1, ENOBUFS);
	sent = live.port->count.tx_frames;
	live_until(fault.is_hit);
	ok(fault_disarm() && was_dropped(DROP_REFUSED) &&
		   live.port->count.tx_frames == sent,
	   "what waits may be refused in the end");
	ok(passes(), "the next ones pass");
	fault_arm(FAULT_sendmsg, 1, EMSGSIZE);
	send_row(live.port, &up, 1514, 32);
	ok(fault_disarm() && has_come(&up) && near_session()->hub->has_segments,
	   "a run is too long for the way out: each goes by itself");
	fault_arm(FAULT_sendmsg, 1, EIO);
	send_row(live.port, &up, 1514, 32);
	ok(fault_disarm() && has_come(&up) && !near_session()->hub->has_segments,
	   "or it can't be cut: no more is");
	fault_arm(FAULT_sendto, 2, EAGAIN);
	send_row(live.port, &up, 1514, 32);
	ok(fault_disarm() && was_dropped(DROP_REFUSED), "and the rest has no room");
	turns(&live.taker.loop, 20);
	give_up(&up);
	ok(passes(), "the next ones pass");
	near_session()->link.pmtu.at = UINT64_MAX;
	fault_arm(FAULT_sendto, 1, EMSGSIZE);
	send_one(live.port, &up, 5000);
	ok(fault_disarm() && was_dropped(DROP_TOO_LONG) &&
		   near_session()->link.pmtu.size < 5000,
	   "one is too long: the next ones are shorter");
	ok(passes(), "and pass");
	end();
}

/* One that another session's waiting is nothing to, and one that takes it along. */
static void test_leaves(void)
{
	struct udp_session *other, *more[20];
	unsigned n = 0;

	begin("");
	ok(is_up() && passes(), "a hub with a session");
	fault_arm(FAULT_sendto, 1, EAGAIN);
	send_one(&far.session->port, &down, SMALL);
	ok(fault_disarm() && far.hub.n_waiting == 1, "one waits");
	other = udp_session_accepted(&far.hub, &far.ep, "other", &far.env);
	while (n < ARRAY_SIZE(more))
		more[n++] = udp_session_accepted(&far.hub, &far.ep, "more", &far.env);
	ok(more[n - 1] && more[n - 1]->slot == n + 1 && far.hub.n_slots > n,
	   "that others join, has a place for each");
	port_free(&other->port);
	while (n)
		port_free(&more[--n]->port);
	ok(far.hub.n_waiting == 1 && passes(), "the others leave, and it goes on");
	fault_arm(FAULT_sendto, 1, EAGAIN);
	send_one(&far.session->port, &down, SMALL);
	fault_disarm();
	port_end(&far.session->port);
	ok(!far.hub.n_waiting && far.session->port.count.dropped[DROP_LOST] == 1,
	   "when it leaves itself, nothing waits, and that is lost");
	end();
}

static void test_index(void)
{
	struct udp_hub hub = { .mask = 5 << 8 | 0x80 };
	struct udp_session s = { .hub = &hub, .slot = 5 };
	unsigned bad = 0;
	uint32_t first;

	for (unsigned i = 0; i < 1000; i++) {
		uint32_t before = udp_session_index(&s), now = udp_session_index(&s);

		bad += before == now || !before || !now || before >> 8 || now >> 8;
	}
	ok_eq_int(bad, 0, "each handshake of a session has another index, and none is 0");
	prepare();
	dial("127.0.0.1", "");
	ok(is_up() && passes(), "who dials");
	first = near_session()->link.keys.ours;
	end();
	prepare();
	dial("127.0.0.1", "");
	ok(is_up() && near_session()->link.keys.ours >> 8 != first >> 8,
	   "has one that others can't guess, and not the same the next time");
	end();
}

/* The dialler has another socket, whose port nobody knows. */
static void move(void)
{
	struct udp_hub *h = near_session()->hub;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	loop_del(&live.taker.loop, &h->watch);
	close(h->watch.fd);
	if (loop_add(&live.taker.loop, &h->watch, fd, EPOLLIN, h->watch.fn) < 0)
		abort();
}

static void test_moves(void)
{
	struct sock_addr before;

	begin("");
	ok(is_up() && passes(), "a trunk");
	before = far.session->to;
	move();
	send_one(live.port, &up, SMALL);
	ok(has_come(&up) && !sock_is_from(&before, &far.session->to.storage),
	   "that comes from another address is followed");
	ok(passes() && far.hellos == 1, "without another handshake");
	end();
}

/* A frame in a datagram at @at, which is not in the memory of a hub, waits. */
static void wait_with(struct udp_session *s, uint8_t *at)
{
	struct udp_run run = { .at = at, .n = 1, .frames = 1, .session = s };

	put_be16(at + DATAGRAM_HEAD, SMALL);
	make_frame(at + DATAGRAM_HEAD + 2, SMALL, down.sent++);
	run.len = seal_link_seal(&s->link, at, 2 + SMALL, loop_now());
	run.segment = (uint32_t)run.len;
	udp_hub_wait(&s->branch, &run);
	memset(at, 0, run.len);
}

/* What one session's way out does not take keeps no other one waiting. */
static void test_branch(void)
{
	static const enum fault_call calls[] = { FAULT_socket, FAULT_bind, FAULT_connect,
						 FAULT_epoll_ctl };
	uint8_t data[2 * SMALL + DATAGRAM_OVERHEAD];
	struct udp_session *other, *s;
	struct udp_hub *b;

	begin("");
	ok(is_up() && passes(), "a session of a listener");
	s = far.session;
	b = &s->branch;
	fault_arm(FAULT_sendto, 1, EAGAIN);
	send_one(&s->port, &down, SMALL);
	ok(fault_disarm() && far.hub.n_waiting == 1 && b->watch.fd < 0,
	   "alone, it waits for room");
	send_one(&s->port, &down, SMALL);
	other = udp_session_accepted(&far.hub, &far.ep, "other", &far.env);
	port_writable(&s->port);
	ok(b->watch.fd < 0 && far.hub.n_waiting == 1,
	   "with another one, too, for nothing may be ahead of what waits");
	ok(has_come(&down) && !far.hub.n_waiting && passes(), "until that has gone");
	udp_hub_wait(&far.hub, &(struct udp_run){ data, sizeof(data), sizeof(data), 1,
						  .session = other });
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
		fault_arm(calls[i], 1, EACCES);
		if (i)
			port_writable(&s->port);
		else
			send_one(&s->port, &down, SMALL);
		ok(fault_disarm() && b->watch.fd < 0 && far.hub.n_waiting == 1,
		   "behind another one's, it waits if it can have no socket of its own");
	}
	no_memory = true;
	port_writable(&s->port);
	no_memory = false;
	ok(b->watch.fd < 0 && far.hub.n_waiting == 1, "nor memory for that");
	port_writable(&s->port);
	ok(b->watch.fd >= 0, "else it gets one");
	ok(has_come(&down) && !far.hub.n_waiting && passes(), "and frames pass by both");
	udp_hub_close(b);
	fault_arm(FAULT_sendmsg, 1, EAGAIN);
	send_row(&s->port, &down, 1514, 32);
	ok(fault_disarm() && b->watch.fd >= 0 && !far.hub.n_waiting && has_come(&down),
	   "a run that finds no room goes by that at once");
	fault_arm(FAULT_sendmsg, 1, EAGAIN);
	send_row(&s->port, &down, 1514, BATCH_MAX);
	ok(fault_disarm() && b->n_waiting == 2 && !far.hub.n_waiting,
	   "where there is none, either, it waits, and nobody else");
	down.lost = (unsigned)s->port.count.dropped[DROP_QUEUE];
	ok(has_come(&down) && !b->n_waiting, "until there is");
	wait_with(s, data);
	wait_with(s, data);
	ok(has_come(&down), "also what was made elsewhere");
	udp_hub_close(b);
	ok(passes(), "frames pass without it, too");
	fault_arm(FAULT_sendmsg, 1, EAGAIN);
	send_row(&s->port, &down, 1514, 32);
	ok(fault_disarm() && b->watch.fd >= 0, "again");
	live_until(!b->n_waiting);
	fault_arm(FAULT_sendto, 1, EAGAIN);
	send_one(&s->port, &down, SMALL);
	ok(fault_disarm() && b->n_waiting == 1, "and one waits there");
	give_up(&down);
	udp_hub_close(b);
	ok(s->port.count.dropped[DROP_LOST] == 1, "which is lost with it");
	fault_arm(FAULT_sendmsg, 1, EAGAIN);
	send_row(&s->port, &down, 1514, 32);
	ok(fault_disarm() && b->watch.fd >= 0, "once more");
	give_up(&down);
	move();
	send_one(live.port, &up, SMALL);
	ok(has_come(&up) && b->watch.fd < 0 && passes(),
	   "a peer that moves has none, and is found");
	port_free(&other->port);
	end();
}

static uint16_t near_port(void)
{
	struct sockaddr_in bound = { 0 };

	getsockname(near_session()->hub->watch.fd, (struct sockaddr *)&bound,
		    &(socklen_t){ sizeof(bound) });
	return ntohs(bound.sin_port);
}

static void say_to(uint16_t port, const void *data, size_t len)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sendto(fd, data, len, 0, (struct sockaddr *)&to, sizeof(to));
	close(fd);
}

static void say(const void *data, size_t len)
{
	say_to(far.port, data, len);
}

/* Return: whether the first run has come, or the whole was not sent in two. */
static bool send_first(struct udp_run *second, bool *is_cut)
{
	struct packet tcp = { PACKET_USUAL, .payload = 60000 };
	uint32_t len = packet_build(super, &tcp);
	struct vnet vnet = packet_make_super(super, len, 1400);
	struct udp_hub *hub = near_session()->hub;

	near_session()->link.pmtu.size = 1472;
	up.supers = 0;
	up.payload = 0;
	/* The last datagram is a run of its own. */
	fault_arm(FAULT_sendto, 1, EAGAIN);
	send_super(len, &vnet);
	*is_cut = fault_disarm() && hub->n_waiting == 1;
	*second = hub->waiting[0];
	hub->n_waiting = 0;
	live_until(unpacker_waits(&far.session->unpacker) || up.supers);
	return !*is_cut || !up.supers;
}

/*
 * A super-frame in two runs of datagrams, the second of which is left to the caller. It is sent
 * again if the host was so busy that the rest was given up meanwhile. Return: whether the first
 * has come, and nothing is made of it yet.
 */
static bool send_first_run(struct udp_run *second)
{
	bool is_cut;

	for (int i = 0; i < 100 && !send_first(second, &is_cut); i++)
		;
	return is_cut && unpacker_waits(&far.session->unpacker) && !up.supers;
}

static bool parts_come(unsigned n)
{
	live_until(up.supers == n);
	return up.supers == n && !up.wrong && !unpacker_waits(&far.session->unpacker);
}

static void test_rest(void)
{
	struct udp_run second;
	uint64_t part;

	begin("");
	ok(is_up() && send_first_run(&second), "a first part of a super-frame is kept");
	ok(udp_hub_send_run(near_session()->hub, &second) == 0 && parts_come(1) &&
		   up.payload == 60000,
	   "and is whole with the rest");
	ok(send_first_run(&second) && parts_come(1) && up.payload > 50000 &&
		   up.payload < 60000,
	   "if the rest does not come, it is a frame by itself");
	part = up.payload;
	ok(send_first_run(&second), "another part");
	timer_cancel(&live.taker.loop, &far.session->rest);
	say("x", 1);
	ok(parts_come(1) && up.payload == part, "is read when anything else comes");
	ok(send_first_run(&second), "one");
	port_hold(&far.session->port, true);
	live_until(!far.session->rest.is_set);
	ok(unpacker_waits(&far.session->unpacker) && !up.supers,
	   "waits for a port that is not read");
	port_hold(&far.session->port, false);
	ok(parts_come(1) && up.payload == part, "until it is");
	ok(send_first_run(&second), "or");
	port_hold(&far.session->port, true);
	say("x", 1);
	live_until(!unpacker_waits(&far.session->unpacker));
	ok(!unpacker_waits(&far.session->unpacker) &&
		   far.session->port.count.dropped[DROP_CUT] == 1,
	   "is lost when its place is needed");
	up.lost++;
	send_one(live.port, &up, SMALL);
	live_until(far.session->port.count.dropped[DROP_CUT] == 2);
	ok(far.session->port.count.dropped[DROP_CUT] == 2,
	   "and what comes then is counted as lost, too");
	port_hold(&far.session->port, false);
	ok(passes() && send_first_run(&second), "and one when the session ends");
	live_close();
	end();
}

static void test_hostile(void)
{
	uint8_t data[200] = { SEAL_LINK_DATA };
	struct sock_addr before;

	begin("");
	ok(is_up() && passes(), "a trunk");
	before = far.session->to;
	say(data, 3);
	put_be32(data + 4, 99u << 8);
	say(data, sizeof(data));
	put_be32(data + 4, UINT32_MAX);
	say(data, sizeof(data));
	live_until(far.strays == 3);
	ok_eq_int(far.strays, 3, "what is of no session is counted by the hub");
	put_be32(data + 4, far.session->link.keys.ours);
	say(data, sizeof(data));
	data[0] = 77;
	say(data, sizeof(data));
	data[0] = SEAL_LINK_HELLO;
	say(data, sizeof(data));
	live_until(far.session->port.count.dropped[DROP_NOT_GENUINE] == 2 &&
		   far.hellos == 2);
	ok(far.session->port.count.dropped[DROP_NOT_GENUINE] == 2 && far.hellos == 2,
	   "and what is of one, but not of its peer, by that");
	ok(sock_is_from(&before, &far.session->to.storage) && passes(),
	   "whose peer stays where it is");
	put_be32(data + 4, 99u << 8);
	data[0] = SEAL_LINK_DATA;
	say_to(near_port(), data, sizeof(data));
	say_to(near_port(), data, 3);
	live_until(live.port->count.dropped[DROP_NOT_GENUINE] == 2);
	ok_eq_int(live.port->count.dropped[DROP_NOT_GENUINE], 2,
		  "who has dialled counts both, for nobody else does");
	end();
}

/* Seconds pass one by one, until @cond or for @n. */
#define leap_until(n, cond)                                    \
	for (unsigned s_ = 0; s_ < (n) && !(cond); s_++) {     \
		leap(&live.taker.loop, 1);                     \
		for (unsigned t_ = 0; t_ < 6 && !(cond); t_++) \
			turn_when_ready(&live.taker.loop, 1);  \
	}

static void test_dead(void)
{
	begin(",keepalive=5");
	ok(is_up() && passes(), "a trunk");
	leap_until(3 * DEAD_S, false);
	ok(!live.downs && passes(), "lives on when no frames go");
	far.is_deaf = true;
	port_end(&far.session->port);
	leap_until(2 * DEAD_S, live.downs);
	ok(live_went_down("the peer has not answered for 15 s"),
	   "a peer that has gone is found out");
	ok(far.strays && far.hellos > 1, "after it was asked");
	far.is_deaf = false;
	leap_until(2 * DEAD_S, live.port->state == PORT_UP);
	ok(is_up(), "it is back");
	give_up(&up);
	ok(passes(), "frames pass again");
	live_close();
	leap_until(2 * DEAD_S, far.ended == 2);
	ok(far.ended == 2 && !far.session, "the listener finds it out, too");
	end();
}

static void test_lost_keys(void)
{
	begin("");
	ok(is_up() && passes(), "a trunk");
	port_end(&far.session->port);
	leap_until(DEAD_S, far.session && far.session->port.state == PORT_UP);
	live_until(far.session && has_keys_of_far());
	ok(is_up() && passes() && !live.downs,
	   "whose peer has lost its keys gets new ones, and stays up");
	end();
}

static void test_no_answer(void)
{
	const uint8_t psk[SEAL_KEY_BYTES] = { 5 }, none[SEAL_KEY_BYTES] = { 0 };
	char text[KEY_TEXT_MAX];

	prepare();
	far.is_deaf = true;
	dial("127.0.0.1", "");
	leap_until(2 * TRIES, live.downs);
	ok(live_went_down("no answer; does netrelay listen there with ,udp"),
	   "nobody answers");
	ok_eq_int(far.hellos, TRIES, "some hellos");
	end();
	begin(",psk=missing");
	ok(live_went_down("missing: No such file"), "a secret that is none: %s",
	   live.why);
	end();
	prepare();
	far.is_deaf = true;
	key_write(text, psk);
	write_text("secret", text);
	chmod("secret", 0600);
	dial("127.0.0.1", ",psk=secret");
	live_until(far.hellos);
	unlink("secret");
	leap_until(TRIES, live.downs);
	ok(live_went_down("secret: No such file"), "or that is taken away: %s", live.why);
	end();
	prepare();
	dial_key("127.0.0.1", none, "");
	ok(live_went_down("handshake: "), "a key that is none: %s", live.why);
	end();
	prepare();
	far.jar.second = loop_now();
	far.jar.n = 2 * COOKIE_PER_SECOND;
	dial("127.0.0.1", "");
	live_until(near_session()->link.has_cookie);
	ok(near_session()->link.has_cookie && !far.session, "a listener under load");
	leap_until(2, far.session);
	ok(is_up() && passes(), "wants a cookie, and has it");
	end();
}

static void test_stale(void)
{
	uint32_t index;

	prepare();
	far.ep.dead = 0;
	dial("127.0.0.1", ",dead=0");
	ok(is_up() && passes(), "a trunk that is never dead");
	index = far.session->link.keys.ours;
	leap(&live.taker.loop, DATAGRAM_STALE_MS / 1000 + 1);
	live_until(far.session->link.keys.ours != index && has_keys_of_far());
	ok(far.session->link.keys.ours != index && far.hellos == 2,
	   "has other keys when these are old");
	ok(passes() && !live.downs, "and passes frames with them");
	far.is_deaf = true;
	leap(&live.taker.loop, DATAGRAM_SPENT_TIMES * DATAGRAM_STALE_MS / 1000 + 1);
	ok(live_went_down("its keys are too old"), "and ends when there are none");
	live_until(!far.session);
	ok(!far.session, "at both ends");
	end();
}

/* Who dials, and goes before it has proved anything. */
static void test_not_proved(void)
{
	begin("");
	live_until(far.session);
	ok(far.session->port.state != PORT_UP, "a session whose peer has proved nothing");
	live_close();
	leap(&live.taker.loop, PROVE_S - 1);
	turns(&live.taker.loop, 2);
	ok(far.session, "is kept for a while");
	leap(&live.taker.loop, 2);
	live_until(!far.session);
	ok(!far.session && !far.ended, "and forgotten");
	end();
}

static void test_named(void)
{
	struct helper_answer answer = { .life = -1 };
	struct helper_request req;
	struct endpoint_addr addr = { .family = AF_INET, .host = "127.0.0.1" };

	prepare();
	live_own_helper(HELPER_RESOLVE);
	dial("peer.example", "");
	ok(live_asked(&req) && !strcmp(req.resolve.addr.host, "peer.example") &&
		   req.resolve.type == SOCK_DGRAM,
	   "a name is asked for");
	answer.id = req.id;
	answer.err = -EHOSTUNREACH;
	snprintf(answer.why, sizeof(answer.why), "no such name");
	live_answer(&answer, -1);
	ok(live_went_down("no such name"), "it leads nowhere");
	live_forget();
	leap(&live.taker.loop, 5);
	ok(live_asked(&req), "it is asked for again");
	answer = (struct helper_answer){ .life = -1, .id = req.id };
	addr.port = far.port;
	if (sock_addr_parse(&addr, AF_UNSPEC, &answer.resolve.addr[0]) < 0)
		abort();
	answer.resolve.n = 1;
	fault_arm(FAULT_socket, 1, EMFILE);
	live_answer(&answer, -1);
	ok(fault_disarm() && live_went_down("socket for 127.0.0.1:"), "%s", live.why);
	leap(&live.taker.loop, 5);
	live_asked(&req);
	answer.id = req.id;
	live_answer(&answer, -1);
	ok(is_up() && passes(), "and leads to the peer");
	end();
	prepare();
	live_own_helper(HELPER_RESOLVE);
	close(live.asked);
	live.asked = -1;
	dial("peer.example", "");
	ok(live_went_down("resolve: "), "nobody can be asked: %s", live.why);
	end();
	prepare();
	dial("[fe80::1%nosuch0]", "");
	ok(live_went_down("fe80::1%nosuch0: No such device"), "%s", live.why);
	end();
}

/* ---- a machine that has nothing left ---- */

static void test_no_socket(void)
{
	static const enum fault_call calls[] = { FAULT_socket, FAULT_bind,
						 FAULT_epoll_ctl };

	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
		prepare();
		fault_arm(calls[i], 1, ENOSPC);
		dial("127.0.0.1", "");
		ok(fault_disarm() && live_went_down("socket for 127.0.0.1:"), "%s",
		   live.why);
		leap(&live.taker.loop, 5);
		ok(is_up() && passes(), "and then it can");
		end();
	}
}

/* Return: whether it came up when so many allocations were granted. */
static bool comes_up(unsigned granted)
{
	bool is;

	prepare();
	no_memory_after = granted;
	no_memory = true;
	dial("127.0.0.1", "");
	turns(&live.taker.loop, 8);
	no_memory = false;
	is = live.port->state == PORT_UP && far.session;
	if (!is) {
		leap_until(2 * TRIES, live.port->state == PORT_UP);
		if (!is_up() || !passes())
			ok(false, "%u allocations: it never comes up", granted);
	}
	end();
	return is;
}

static void test_no_memory(void)
{
	unsigned granted = 1;

	begin("");
	no_memory = true;
	ok(!port_udp_trunk_new(&live.ep, &live.taker.env),
	   "without memory there is no port");
	no_memory = false;
	end();
	while (granted < 50 && !comes_up(granted))
		granted++;
	ok(granted > 3 && granted < 50, "memory that ends anywhere: %u places", granted);
}

int main(void)
{
	static const uint8_t ours[SEAL_KEY_BYTES] = { 0, 1 },
			     his[SEAL_KEY_BYTES] = { 0, 2 };
	char text[KEY_TEXT_MAX];

	live_prepare();
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	identity_set(&own, ours);
	identity_set(&peer, his);
	key_write(text, own.pair.key);
	write_text("own", text);
	chmod("own", 0600);
	test_frames();
	test_super();
	test_refused();
	test_rest();
	test_leaves();
	test_index();
	test_moves();
	test_hostile();
	test_branch();
	test_dead();
	test_lost_keys();
	test_no_answer();
	test_stale();
	test_not_proved();
	test_named();
	test_no_socket();
	test_no_memory();
	unlink("own");
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left behind");
	return done();
}
