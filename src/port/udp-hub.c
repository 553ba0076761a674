/* SPDX-License-Identifier: MIT */
/*
 * The socket of sealed trunks over UDP. UDP_SEGMENT has the kernel cut runs of datagrams at
 * the end of its way, and UDP_GRO hands them over as they were; see dgram.c.
 *
 * IP packets are not to be fragmented (IP_PMTUDISC_PROBE), and the kernel is not to believe
 * what routers say: trunk/pmtu.h finds out what gets through.
 *
 * #syscalls: bind close connect fcntl getsockname recvmmsg sendmsg sendto setsockopt socket
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "port/dgram.h"
#include "port/udp-trunk.h"
#include "seal/crypto.h"

#define SLOT_SHIFT 8
#define SLOTS_MIN 8

void udp_hub_init(struct udp_hub *h, struct loop *loop)
{
	*h = (struct udp_hub){ .loop = loop, .watch = WATCH_INIT };
}

/* ---- sessions ---- */

int udp_hub_join(struct udp_hub *h, struct udp_session *s)
{
	struct udp_slot *slots;
	unsigned i = 0, n;

	while (i < h->n_slots && h->slots[i].session)
		i++;
	if (i == h->n_slots) {
		n = h->n_slots ? 2 * h->n_slots : SLOTS_MIN;
		slots = n > UDP_HUB_SLOTS_MAX ? NULL
					      : realloc(h->slots, n * sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		memset(slots + h->n_slots, 0, (n - h->n_slots) * sizeof(*slots));
		h->slots = slots;
		h->n_slots = n;
	}
	h->slots[i].session = s;
	s->slot = i;
	s->hub = h;
	return 0;
}

static void unlist(struct udp_session **list, const struct udp_session *s)
{
	while (*list && *list != s)
		list = &(*list)->next_unread;
	if (*list)
		*list = s->next_unread;
}

void udp_hub_leave(struct udp_hub *h, struct udp_session *s)
{
	unsigned left = 0;

	if (s->is_listed) {
		unlist(&h->unread, s);
		unlist(&h->keeping, s);
		s->is_listed = false;
	}
	for (unsigned i = 0; i < h->n_waiting; i++)
		if (h->waiting[i].session != s)
			h->waiting[left++] = h->waiting[i];
		else
			port_drop(&s->port, DROP_LOST, h->waiting[i].frames);
	h->n_waiting = left;
	h->slots[s->slot].session = NULL;
	s->hub = NULL;
}

struct udp_session *udp_hub_find(struct udp_hub *h, const uint8_t key[SEAL_KEY_BYTES])
{
	for (unsigned i = 0; i < h->n_slots; i++)
		if (h->slots[i].session &&
		    !memcmp(h->slots[i].session->link.peer, key, SEAL_KEY_BYTES))
			return h->slots[i].session;
	return NULL;
}

/* ---- receiving ---- */

static void list(struct udp_session **list, struct udp_session *s)
{
	s->next_unread = *list;
	*list = s;
	s->is_listed = true;
}

void udp_hub_unread(struct udp_hub *h, struct udp_session *s)
{
	if (!s->is_listed)
		list(&h->unread, s);
}

static struct udp_session *session_of(const struct udp_hub *h, const uint8_t *at)
{
	uint32_t slot = (get_be32(at + 4) ^ h->mask) >> SLOT_SHIFT;

	return slot < h->n_slots ? h->slots[slot].session : NULL;
}

/* Those that kept something are read again, for its place will be used by the next receive. */
static void read_all(struct udp_hub *h)
{
	struct udp_session *s;

	while ((s = h->unread)) {
		h->unread = s->next_unread;
		s->is_listed = false;
		if (udp_session_read(s))
			list(&h->keeping, s);
	}
	h->unread = h->keeping;
	h->keeping = NULL;
}

/* @h: no branch */
static void take(struct udp_hub *h, uint8_t *at, size_t len, const struct sock_addr *from,
		 uint64_t now)
{
	struct udp_session *s;

	if (h->hello && len && at[0] == SEAL_LINK_HELLO) {
		h->hello(h, at, len, from);
		return;
	}
	s = len >= SEAL_LINK_HEAD ? session_of(h, at) : NULL;
	if (!s)
		s = h->only;
	if (s)
		udp_session_take(s, at, len, from, now);
	else if (h->strays)
		++*h->strays;
}

static size_t segment_of(struct msghdr *msg, size_t len)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int size;

	if (!c || c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
		return len;
	memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size > 0 ? (size_t)size : len;
}

static void receive(struct udp_hub *h)
{
	struct udp_hub *all = h->main ? h->main : h;
	uint8_t *half = all->in + (all->is_second ? 0 : UDP_HUB_HALF);
	struct mmsghdr m[UDP_HUB_MESSAGES];
	struct iovec iov[UDP_HUB_MESSAGES];
	struct sock_addr from[UDP_HUB_MESSAGES];
	union dgram_control control[UDP_HUB_MESSAGES];
	uint64_t now;
	int n;

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < UDP_HUB_MESSAGES; i++) {
		iov[i] = (struct iovec){ half + i * (size_t)UDP_HUB_MESSAGE_MAX,
					 UDP_HUB_MESSAGE_MAX };
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i].storage,
			.msg_namelen = sizeof(from[i].storage),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = &control[i],
			.msg_controllen = sizeof(control[i]),
		};
	}
	n = recvmmsg(h->watch.fd, m, UDP_HUB_MESSAGES, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return;
	now = loop_now();
	all->is_second = !all->is_second;
	for (int i = 0; i < n; i++) {
		size_t len = m[i].msg_len, size = segment_of(&m[i].msg_hdr, len);
		uint8_t *at = iov[i].iov_base;

		from[i].len = m[i].msg_hdr.msg_namelen;
		/* What a session's owner does may close the hub. */
		for (size_t k = 0; k < len && h->watch.fd >= 0; k += size)
			take(all, at + k, min_size(size, len - k), &from[i], now);
	}
	read_all(all);
}

/* ---- sending ---- */

int udp_hub_send(struct udp_hub *h, const struct sock_addr *to, const uint8_t *data,
		 size_t len)
{
	ssize_t n = sendto(h->watch.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, &to->sa,
			   to->len);

	return n < 0 ? -errno : 0;
}

static int send_segments(struct udp_hub *h, const struct udp_run *run)
{
	struct iovec iov = { run->at, run->len };
	union dgram_control control = { 0 };
	struct msghdr msg = {
		.msg_name = (void *)(uintptr_t)&run->session->to.sa,
		.msg_namelen = run->session->to.len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(uint16_t)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	uint16_t size = (uint16_t)run->segment;

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	return sendmsg(h->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* One by one. Whether some of them went is not told: each may be lost on its way. */
static int send_singly(struct udp_hub *h, const struct udp_run *run)
{
	int ret = 0;

	for (size_t at = 0; at < run->len; at += run->segment) {
		int err = udp_hub_send(h, &run->session->to, run->at + at,
				       min_size(run->segment, run->len - at));

		if (err == -EAGAIN && !at)
			return err;
		ret = err < 0 ? err : ret;
	}
	return ret == -EAGAIN ? -ENOBUFS : ret;
}

int udp_hub_send_run(struct udp_hub *h, const struct udp_run *run)
{
	int ret;

	if (run->n == 1 || !h->has_segments)
		return send_singly(h, run);
	ret = send_segments(h, run);
	if (ret != -EINVAL && ret != -EIO && ret != -EMSGSIZE && ret != -EOPNOTSUPP)
		return ret;
	/* It is too long for the way out, which a single one then says, or this can't be done. */
	if (ret != -EMSGSIZE)
		h->has_segments = false;
	return send_singly(h, run);
}

void udp_hub_count(const struct udp_run *run, int ret)
{
	struct port *p = &run->session->port;

	if (ret < 0) {
		port_drop(p, ret == -EMSGSIZE ? DROP_TOO_LONG : DROP_REFUSED,
			  run->frames);
		return;
	}
	p->count.tx_frames += run->frames;
	p->count.tx_bytes += run->bytes;
}

void udp_hub_wait(struct udp_hub *h, const struct udp_run *run)
{
	struct udp_run *w = &h->waiting[h->n_waiting];

	*w = *run;
	/* Its session has a branch by now, and other frames come to where it lies. */
	if (run->at < h->out || run->at >= h->out + UDP_HUB_OUT) {
		w->at = h->n_waiting ? w[-1].at + w[-1].len : h->out;
		memcpy(w->at, run->at, run->len);
	}
	h->n_waiting++;
	loop_mod(h->loop, &h->watch, EPOLLIN | EPOLLOUT);
}

static void writable(struct udp_hub *h)
{
	for (; h->n_waiting; h->n_waiting--) {
		struct udp_run *run = &h->waiting[0];
		int ret = udp_hub_send_run(h, run);

		if (ret == -EAGAIN)
			return;
		udp_hub_count(run, ret);
		h->waiting[0] = h->waiting[1];
	}
	loop_mod(h->loop, &h->watch, EPOLLIN);
	if (h->main)
		port_writable(&h->only->port);
	for (unsigned i = 0; i < h->n_slots && !h->n_waiting; i++)
		if (h->slots[i].session && h->slots[i].session->port.state == PORT_UP)
			port_writable(&h->slots[i].session->port);
}

static void ready(struct watch *w, uint32_t events)
{
	struct udp_hub *h = container_of(w, struct udp_hub, watch);

	if (events & EPOLLOUT)
		writable(h);
	if (events & ~(uint32_t)EPOLLOUT && w->fd >= 0)
		receive(h);
}

/* ---- the socket ---- */

static void share(int fd, int is_shared)
{
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &is_shared, sizeof(is_shared));
}

/* @is_shared: others may be bound to it, and will be */
static int bind_socket(const struct sock_addr *local, bool is_shared)
{
	bool is_ipv6 = local->sa.sa_family == AF_INET6;
	int ret, fd = socket(local->sa.sa_family,
			     SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* If it is bound to IPv6's "any address", it serves IPv4, too. */
	if (is_ipv6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int));
	if (is_shared)
		share(fd, 1);
	if (bind(fd, &local->sa, local->len) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* Where there is no IPv6, or no IPv4, its options are refused. */
static void tune(int fd)
{
	setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &(int){ IPV6_PMTUDISC_PROBE },
		   sizeof(int));
	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_PROBE },
		   sizeof(int));
	setsockopt(fd, SOL_UDP, UDP_GRO, &(int){ 1 }, sizeof(int));
	sock_tune_datagrams(fd);
}

/* @fd: the hub's, also after an error */
static int use(struct udp_hub *h, int fd)
{
	int ret = h->main ? 0 : crypto_random(&h->mask, sizeof(h->mask));

	tune(fd);
	if (!h->main)
		h->in = malloc(UDP_HUB_IN);
	h->out = malloc(UDP_HUB_OUT);
	h->has_segments = true;
	if (ret == 0 && ((!h->in && !h->main) || !h->out))
		ret = -ENOMEM;
	if (ret == 0)
		ret = loop_add(h->loop, &h->watch, fd, EPOLLIN, ready);
	if (ret < 0) {
		close(fd);
		udp_hub_close(h);
	}
	return ret;
}

int udp_hub_open(struct udp_hub *h, const struct sock_addr *local)
{
	int fd = bind_socket(local, false);

	return fd < 0 ? fd : use(h, fd);
}

int udp_hub_adopt(struct udp_hub *h, int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : use(h, fd);
}

/*
 * The two sockets need SO_REUSEPORT (socket(7)) while the second one is bound, and no longer:
 * whoever else would bind one there is refused.
 */
int udp_hub_branch(struct udp_hub *h, struct udp_hub *b, struct udp_session *s)
{
	struct sock_addr local = { .len = sizeof(local.storage) };
	int ret, fd;

	if (getsockname(h->watch.fd, &local.sa, &local.len) < 0)
		return -errno;
	share(h->watch.fd, 1);
	fd = bind_socket(&local, true);
	share(h->watch.fd, 0);
	if (fd < 0)
		return fd;
	if (connect(fd, &s->to.sa, s->to.len) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	udp_hub_init(b, h->loop);
	b->main = h;
	b->only = s;
	return use(b, fd);
}

void udp_hub_close(struct udp_hub *h)
{
	int fd = h->watch.fd;

	if (fd >= 0) {
		loop_del(h->loop, &h->watch);
		close(fd);
	}
	/* Of a branch; otherwise all sessions have left. */
	for (unsigned i = 0; i < h->n_waiting; i++)
		port_drop(&h->waiting[i].session->port, DROP_LOST, h->waiting[i].frames);
	free(h->in);
	free(h->out);
	free(h->slots);
	h->in = h->out = NULL;
	h->slots = NULL;
	h->n_slots = h->n_waiting = 0;
}
