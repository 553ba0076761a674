/* SPDX-License-Identifier: MIT */
/*
 * Sealed trunks over UDP. A hub is a socket, which all peers of a listener share; a dialled
 * trunk has one for itself. A session is the port of one peer.
 *
 * What waits for a slow way out fills a socket's buffer, so that nothing else leaves by that
 * socket, be its own way ever so fast. A session for which there was no room gets a branch
 * of its listener's hub: a socket of its own at the same port, connected to its peer.
 *
 *	udp-hub.c      the socket: gives what comes to the session whose index it has
 *	udp-session.c  the port: a link (trunk/seal-link.h), and frames in its datagrams;
 *	               udp-session-tx.c has its sending side
 *
 * A hub opens all datagrams that it has received where they lie, and has each session's
 * frames read before it receives more.
 */
#ifndef UDP_TRUNK_H
#define UDP_TRUNK_H

#include "net/sock.h"
#include "port/port.h"
#include "trunk/packing.h"
#include "trunk/seal-link.h"

#define UDP_HUB_MESSAGES 4 /* received at once, each of up to 64 datagrams */
#define UDP_HUB_MESSAGE_MAX 65536
#define UDP_HUB_HALF ((size_t)UDP_HUB_MESSAGES * UDP_HUB_MESSAGE_MAX)
#define UDP_HUB_IN (2 * UDP_HUB_HALF)
#define UDP_HUB_OUT ((size_t)UDP_HUB_MESSAGE_MAX + 2 * PMTU_MAX)
#define UDP_HUB_SEGMENTS 64 /* UDP_MAX_SEGMENTS of kernels before 6.9 */
#define UDP_SESSION_INBOX (UDP_HUB_MESSAGES * UDP_HUB_SEGMENTS)
#define UDP_HUB_SLOTS_MAX \
	(1u << 20) /* indices of 24 bits, and 8 that tell handshakes apart */

struct udp_session;

/* Sealed datagrams that leave as one message: each of @segment bytes, but the last. */
struct udp_run {
	uint8_t *at;
	size_t len;
	uint32_t segment;
	unsigned n, frames;
	uint64_t bytes;
	struct udp_session *session;
};

struct udp_slot {
	struct udp_session *session; /* or NULL: the slot is free */
};

/*
 * @watch:   its fd is the socket, or -1
 * @slots:   sessions, by the upper bits of their index
 * @mask:    by which indices differ on the wire, so that nobody guesses one; not a branch's
 * @in, @out: memory for what is received, UDP_HUB_IN bytes, and what is to be sent
 * @is_second: what came last is in the second half of @in
 * @unread, @keeping: sessions that have something to read, and those that wait for more
 * @waiting: @n_waiting runs that the kernel has not taken: all that have no branch wait
 * @main:    of a branch: the hub of its session, which is @only; its @in is used. Else NULL
 * @has_segments: the kernel cuts runs
 * @hello:   a datagram that may be a hello came; NULL: none is awaited
 * @only:    has what is of no other session, too; or NULL
 * @strays:  counts datagrams that are of no session; or NULL
 */
struct udp_hub {
	struct loop *loop;
	struct watch watch;
	struct udp_slot *slots;
	unsigned n_slots;
	uint32_t mask;
	uint8_t *in, *out;
	bool is_second;
	struct udp_session *unread, *keeping;
	struct udp_run waiting[2];
	unsigned n_waiting;
	bool has_segments;
	void (*hello)(struct udp_hub *h, const uint8_t *at, size_t len,
		      const struct sock_addr *from);
	void *arg;
	struct udp_session *only;
	struct udp_hub *main;
	uint64_t *strays;
};

/* udp_hub_init() - Without a socket. */
void udp_hub_init(struct udp_hub *h, struct loop *loop);

/* udp_hub_open() - Bind a socket to @local. Return: 0 or -errno. */
int udp_hub_open(struct udp_hub *h, const struct sock_addr *local);

/* udp_hub_adopt() - Use a copy of @fd, a UDP socket that is bound. Return: likewise. */
int udp_hub_adopt(struct udp_hub *h, int fd);

/*
 * udp_hub_branch() - Open @b, not open, as a branch of @h for @s, whose peer is at @s->to.
 *
 * Return: 0 or -errno, as for a port below 1024 once the relay has no rights any more.
 */
int udp_hub_branch(struct udp_hub *h, struct udp_hub *b, struct udp_session *s);

/* udp_hub_close() - Nothing happens if it is not open. Its sessions have ended. */
void udp_hub_close(struct udp_hub *h);

/* udp_hub_send() - Send one datagram. Return: 0 or -errno. */
int udp_hub_send(struct udp_hub *h, const struct sock_addr *to, const uint8_t *data,
		 size_t len);

/* udp_hub_send_run() - Return: 0; -EAGAIN: try again when there is room; another -errno. */
int udp_hub_send_run(struct udp_hub *h, const struct udp_run *run);

/* udp_hub_count() - Count the frames of a run, which was sent, or not: @ret is -errno then. */
void udp_hub_count(const struct udp_run *run, int ret);

/*
 * udp_hub_wait() - A run is to be sent when there is room; there may be two of them. It is
 * copied if it is not in @h->out.
 */
void udp_hub_wait(struct udp_hub *h, const struct udp_run *run);

/* udp_hub_is_new() - Whether @at lies in what was received last. */
static inline bool udp_hub_is_new(const struct udp_hub *h, const uint8_t *at)
{
	const uint8_t *half = h->in + (h->is_second ? UDP_HUB_HALF : 0);

	return at >= half && at < half + UDP_HUB_HALF;
}

/* udp_hub_unread() - The session has something to read. */
void udp_hub_unread(struct udp_hub *h, struct udp_session *s);

/* udp_hub_join(), udp_hub_leave() - A session gets a slot, and gives it back. */
int udp_hub_join(struct udp_hub *h, struct udp_session *s);
void udp_hub_leave(struct udp_hub *h, struct udp_session *s);

/* udp_hub_find() - Return: the session of the peer with @key; NULL: there is none. */
struct udp_session *udp_hub_find(struct udp_hub *h, const uint8_t key[SEAL_KEY_BYTES]);

struct udp_letter {
	const uint8_t *at;
	size_t len;
	uint64_t id;
};

/*
 * @hub:    that it has joined, or NULL; @slot is its place there
 * @branch: of @hub, once it is open
 * @dialled: what it was made from, if it dials; with its own hub
 * @to, @from: where the peer is; while something is taken, where that came from
 * @next_unread, @is_listed: it is in a list of its hub
 * @rest, @kept_at: until when slices are kept for the rest of their super-frame; since when
 * @inbox:  @n_in payloads that were opened; @next is the first that was not read whole,
 *          and @is_begun if a part was
 * @was_read, @is_full: rx() was called; it found no room for a frame
 * @lost, @refused: what of the link's and the unpacker's counters was counted as dropped
 * @access: of one that was accepted: its allow= says where the peer may be; else NULL
 * @proved: of one that was accepted: its peer has proved that it has the keys. The port is
 *          to be started, by then or never
 * @later:  the owner's, until it is freed
 * @failed: of one that was accepted and has not been started: it never will be
 */
struct udp_session {
	struct port port;
	struct udp_hub *hub, branch;
	unsigned slot;
	uint8_t generation;
	struct seal_link link;
	struct sock_addr to;
	const struct sock_addr *from;
	struct timer timer;
	struct deferred later;
	uint64_t timer_at;
	struct packer packer;
	struct unpacker unpacker;
	struct udp_session *next_unread;
	struct timer rest;
	uint64_t kept_at;
	struct udp_letter inbox[UDP_SESSION_INBOX];
	unsigned n_in, next;
	bool is_begun, was_read, is_full, is_dialled, is_listed;
	uint64_t lost, refused;
	const struct endpoint_access *access;
	void (*proved)(struct udp_session *s);
	void (*failed)(struct udp_session *s);
	void *arg;
};

/* udp_session_way() - The hub that it sends by. */
static inline struct udp_hub *udp_session_way(struct udp_session *s)
{
	return s->branch.watch.fd >= 0 ? &s->branch : s->hub;
}

/* udp_session_index() - Another index for a handshake, which is not 0. */
uint32_t udp_session_index(struct udp_session *s);

/* udp_session_arm() - The link may have something to do sooner than it had. */
void udp_session_arm(struct udp_session *s, uint64_t now);

/* udp_session_tx() - As struct port_ops says. */
int udp_session_tx(struct port *p, const struct frame *f, unsigned n);

/* udp_session_take() - A datagram of its came. */
void udp_session_take(struct udp_session *s, uint8_t *at, size_t len,
		      const struct sock_addr *from, uint64_t now);

/*
 * udp_session_read() - Have what was taken read.
 *
 * Return: whether some of it is kept, and has to be read after the next receive.
 */
bool udp_session_read(struct udp_session *s);

/*
 * udp_session_accepted() - A session of a listener's hub, whose port is to be started once
 * proved() was called.
 *
 * Return: it, to be freed by port_free(); NULL: there is no memory.
 */
struct udp_session *udp_session_accepted(struct udp_hub *h, const struct endpoint *ep,
					 const char *name, const struct port_env *env);

/* udp_session_answer() - Answer a hello from @from; also of one that is up. */
int udp_session_answer(struct udp_session *s, struct handshake *hs, const uint8_t *psk,
		       const uint8_t *hello, const struct sock_addr *from, uint64_t now);

#endif
