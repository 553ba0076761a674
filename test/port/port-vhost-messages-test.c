/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c and a front end whose messages are wrong: cut anywhere, of another size, with
 * other descriptors than they should have, with numbers that can't be, in any order. Its port
 * ends and says so, or the message is refused; two others go on.
 *
 *	a, b, and a bad one ---- hub
 */
#include "lib/vhost-bad.h"

#include <arpa/inet.h>
#include <fcntl.h>

#define ORDERS 2000
#define UNREAD 200000 /* questions whose answers nobody reads */
#define MESSAGES_MAX 32

static struct front *bad;

/* All messages of a good start, in their order. */
static struct {
	struct wire_message message[MESSAGES_MAX];
	unsigned n;
} start;

/* ---- a good start ---- */

static void add(uint32_t request, struct wire_message m)
{
	m.request = request;
	m.flags = WIRE_VERSION;
	start.message[start.n++] = m;
}

static void add_ring(uint32_t i)
{
	const struct vring *r = &bad->ring[i];

	add(WIRE_SET_VRING_NUM,
	    (struct wire_message){ .size = 8, .state = { .index = i, .num = r->size } });
	add(WIRE_SET_VRING_BASE, (struct wire_message){ .size = 8, .state.index = i });
	add(WIRE_SET_VRING_ADDR,
	    (struct wire_message){ .size = sizeof(start.message->addr),
				   .addr = { .index = i,
					     .desc = front_uva(bad, r->desc_at),
					     .used = front_uva(bad, r->used_at),
					     .avail = front_uva(bad, r->avail_at) } });
	add(WIRE_SET_VRING_ERR,
	    (struct wire_message){ .size = 8, .u64 = i, .fds = { r->err }, .n_fds = 1 });
	add(WIRE_SET_VRING_CALL,
	    (struct wire_message){ .size = 8, .u64 = i, .fds = { r->call }, .n_fds = 1 });
	add(WIRE_SET_VRING_KICK,
	    (struct wire_message){ .size = 8, .u64 = i, .fds = { r->kick }, .n_fds = 1 });
	add(WIRE_SET_VRING_ENABLE,
	    (struct wire_message){ .size = 8, .state = { .index = i, .num = 1 } });
}

static struct wire_message memory(void)
{
	struct wire_message m = { .size = 8 + 2 * sizeof(struct wire_region),
				  .table.n = 2,
				  .fds = { bad->memfd, bad->memfd },
				  .n_fds = 2 };

	memcpy(m.table.region, bad->region, sizeof(bad->region));
	return m;
}

static void make_start(void)
{
	start.n = 0;
	bad->features = FRONT_PLAIN;
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		front_begin_ring(bad, i, 0);
	add(WIRE_GET_FEATURES, (struct wire_message){ 0 });
	add(WIRE_GET_PROTOCOL_FEATURES, (struct wire_message){ 0 });
	add(WIRE_SET_PROTOCOL_FEATURES,
	    (struct wire_message){ .size = 8, .u64 = FRONT_BIT(WIRE_PF_REPLY_ACK) });
	add(WIRE_SET_OWNER, (struct wire_message){ 0 });
	add(WIRE_SET_FEATURES, (struct wire_message){ .size = 8, .u64 = FRONT_PLAIN });
	add(WIRE_SET_MEM_TABLE, memory());
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		add_ring(i);
}

static struct wire_message *of(uint32_t request)
{
	unsigned i = 0;

	while (start.message[i].request != request)
		i++;
	return &start.message[i];
}

static void say(const struct wire_message *m)
{
	wire_send(bad->sock, m);
	turns(&rig.loop, 2);
}

/* Until the message @last, which is not sent. */
static void say_until(const struct wire_message *last)
{
	for (const struct wire_message *m = start.message; m != last; m++)
		say(m);
}

static void say_all(void)
{
	say_until(&start.message[start.n]);
}

static void come(void)
{
	bad = bad_comes();
	/* Before it is accepted it can send no descriptors. */
	rig_until(rig_ports() == 3);
	make_start();
}

/* A message of a good start is another one; what is behind it comes all the same. */
static void test_instead(const struct wire_message *old, struct wire_message m,
			 enum fate fate, const char *what)
{
	size_t i = (size_t)(old - start.message);

	m.request = old->request;
	m.flags = m.flags ? m.flags : WIRE_VERSION;
	start.message[i] = m;
	say_all();
	bad_meets(fate, what);
}

/* ---- cut ---- */

/* The first @len bytes of message @i come, and no more ever. */
static void test_truncated(void)
{
	bool good = true;
	unsigned n = 0;

	come();
	front_free(bad);
	for (unsigned i = 0; good && i < start.n; i++) {
		for (uint32_t len = 1; good && len < WIRE_HEADER + start.message[i].size;
		     len++) {
			uint8_t bytes[WIRE_HEADER + WIRE_PAYLOAD];

			come();
			say_until(&start.message[i]);
			wire_pack(bytes, &start.message[i]);
			wire_send_bytes(bad->sock, bytes, len, start.message[i].fds,
					start.message[i].n_fds);
			turns(&rig.loop, 2);
			good = rig_sleeps() && rig_ports() == 3;
			front_free(bad);
			rig_until(rig_ports() == 2);
			n++;
		}
	}
	is_silent();
	ok(good && rig_ports() == 2, "%u messages that are cut", n);
	ok(bad_others_go_on(), "and nobody minds");
	ok_eq_int(bad_open_fds(), bad_rig.fds, "no descriptor is left");
}

/* Bytes that come one by one are a good start, too. */
static void test_slow(void)
{
	come();
	for (unsigned i = 0; i < start.n; i++) {
		uint8_t bytes[WIRE_HEADER + WIRE_PAYLOAD];
		size_t len = wire_pack(bytes, &start.message[i]);

		for (size_t k = 0; k < len; k++) {
			wire_send_bytes(bad->sock, bytes + k, 1, start.message[i].fds,
					k ? 0 : start.message[i].n_fds);
			turn(&rig.loop);
		}
	}
	bad->header = 12;
	rig_until(rig_ups() == 3);
	guest_send(bad, rig_make(99, 77), 99);
	ok(rig_is(rig_got, rig_await(&bad_rig.a, &(struct guest_header){ 0 }), 99, 77),
	   "a start that comes byte by byte");
	bad_meets(LIVES, "and nobody minds");
}

/* ---- headers of messages ---- */

static void test_sizes(void)
{
	static const uint32_t sizes[] = { 0, 1, 4, 7, 8, 9, 12, 40, 400, 512 };

	come();
	front_free(bad);
	for (unsigned i = 0; i < start.n; i++) {
		uint32_t request = start.message[i].request;
		uint32_t right = start.message[i].size;

		for (unsigned k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
			struct wire_message m;
			char what[80];

			if (sizes[k] == right)
				continue;
			come();
			m = start.message[i];
			m.size = sizes[k];
			say_until(&start.message[i]);
			say(&m);
			snprintf(what, sizeof(what), "%u bytes in request %u", sizes[k],
				 request);
			bad_meets(ENDS, what);
		}
	}
}

static void test_headers(void)
{
	static const struct {
		uint32_t request, flags, size;
		enum fate fate;
		const char *what;
	} headers[] = {
		{ WIRE_GET_FEATURES, WIRE_VERSION, 0x80000000, ENDS, "2 GiB" },
		{ WIRE_GET_FEATURES, WIRE_VERSION, UINT32_MAX, ENDS, "4 GiB" },
		{ WIRE_GET_FEATURES, WIRE_VERSION, 100000, ENDS, "100 KB" },
		{ WIRE_GET_FEATURES, 0, 0, ENDS, "version 0" },
		{ WIRE_GET_FEATURES, 2, 0, ENDS, "version 2" },
		{ WIRE_GET_FEATURES, WIRE_VERSION | WIRE_REPLY, 0, ENDS, "an answer" },
		{ WIRE_GET_FEATURES, WIRE_VERSION | 0xfffffff0, 0, LIVES,
		  "strange flags" },
		{ 0, WIRE_VERSION, 0, ENDS, "request 0" },
		{ WIRE_REQUESTS, WIRE_VERSION, 0, ENDS, "an unknown request" },
		{ 255, WIRE_VERSION | WIRE_NEED_REPLY, 8, ENDS, "request 255" },
		{ UINT32_MAX, WIRE_VERSION, 0, ENDS, "request -1" },
	};

	for (unsigned i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		struct wire_message m = { .request = headers[i].request,
					  .flags = headers[i].flags,
					  .size = headers[i].size };

		come();
		say(&m);
		bad_meets(headers[i].fate, headers[i].what);
	}
	for (uint32_t request = 1; request < WIRE_REQUESTS; request++) {
		struct wire_message m = { .request = request, .flags = WIRE_VERSION };
		char what[40];

		come();
		for (m.size = 0; m.size <= 40 && rig_ports() == 3; m.size += 8)
			say(&m);
		snprintf(what, sizeof(what), "request %u, first of all", request);
		bad_meets(EITHER, what);
	}
}

/* ---- descriptors ---- */

static void test_too_many(void)
{
	static const unsigned counts[] = { 1, 2, 3, 8, 9, WIRE_FDS };

	come();
	front_free(bad);
	rig_until(rig_ports() == 2);
	for (unsigned i = 0; i < start.n; i++) {
		for (unsigned k = 0; k < sizeof(counts) / sizeof(*counts); k++) {
			struct wire_message m;
			char what[80];

			come();
			m = start.message[i];
			if (counts[k] <= m.n_fds) {
				front_free(bad);
				rig_until(rig_ports() == 2);
				continue;
			}
			for (unsigned n = 0; n < counts[k]; n++)
				m.fds[n] = bad->memfd;
			m.n_fds = counts[k];
			snprintf(what, sizeof(what), "%u descriptors with request %u",
				 counts[k], m.request);
			say_until(&start.message[i]);
			say(&m);
			bad_meets(ENDS, what);
		}
	}
}

/* As many regions as a message has room for, and as many descriptors or one more. */
static void test_one_more(void)
{
	for (unsigned more = 0; more < 2; more++) {
		struct wire_message m;
		uint64_t part;

		come();
		m = memory();
		part = bad->region[1].size / (WIRE_REGIONS - 1) / FRONT_PAGE * FRONT_PAGE;
		for (unsigned i = 1; i < WIRE_REGIONS; i++) {
			m.table.region[i] = bad->region[1];
			m.table.region[i].gpa += (i - 1) * part;
			m.table.region[i].uva += (i - 1) * part;
			m.table.region[i].offset += (i - 1) * part;
			m.table.region[i].size = part;
		}
		m.table.n = WIRE_REGIONS;
		m.size = sizeof(m.table);
		m.n_fds = WIRE_REGIONS + more;
		for (unsigned i = 0; i < m.n_fds; i++)
			m.fds[i] = bad->memfd;
		test_instead(of(WIRE_SET_MEM_TABLE), m, more ? ENDS : LIVES,
			     more ? "a ninth descriptor" : "eight regions");
	}
}

static void test_too_few(void)
{
	static const uint32_t requests[] = { WIRE_SET_VRING_KICK, WIRE_SET_VRING_CALL,
					     WIRE_SET_VRING_ERR };
	struct wire_message m;

	for (unsigned n = 0; n < 2; n++) {
		come();
		m = memory();
		m.n_fds = n;
		test_instead(of(WIRE_SET_MEM_TABLE), m, ENDS,
			     "a region without a descriptor");
	}
	for (unsigned i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		come();
		m = *of(requests[i]);
		m.n_fds = 0;
		test_instead(of(requests[i]), m, ENDS,
			     "a descriptor is announced, and none came");
		come();
		m = *of(requests[i]);
		m.u64 |= WIRE_NO_FD;
		test_instead(of(requests[i]), m, ENDS, "none is announced, and one came");
		come();
		m = *of(requests[i]);
		m.u64 |= WIRE_NO_FD;
		m.n_fds = 0;
		test_instead(of(requests[i]), m, LIVES,
			     "none is announced, and none came");
	}
}

/* ---- numbers ---- */

static void test_indices(void)
{
	static const uint32_t requests[] = { WIRE_SET_VRING_NUM,   WIRE_SET_VRING_BASE,
					     WIRE_SET_VRING_ADDR,  WIRE_SET_VRING_KICK,
					     WIRE_SET_VRING_CALL,  WIRE_SET_VRING_ERR,
					     WIRE_SET_VRING_ENABLE };
	static const uint32_t indices[] = { 2, 127, 255, 0x8000, UINT32_MAX };

	for (unsigned i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		for (unsigned k = 0; k < sizeof(indices) / sizeof(*indices); k++) {
			struct wire_message m;
			bool has_fd = of(requests[i])->n_fds;

			/* The next bit says something else there. */
			if (has_fd && indices[k] > 255)
				continue;
			come();
			m = *of(requests[i]);
			m.state.index = indices[k];
			test_instead(of(requests[i]), m, ENDS,
				     "a ring that is not there");
		}
	}
	for (unsigned k = 0; k < sizeof(indices) / sizeof(*indices); k++) {
		struct wire_message m = { WIRE_GET_VRING_BASE, WIRE_VERSION, 8,
					  .state.index = indices[k] };

		come();
		say(&m);
		bad_meets(ENDS, "the index of a ring that is not there");
	}
}

static void test_ring_sizes(void)
{
	static const uint32_t sizes[] = { 0,	 3,	63,	  65,	     1000,
					  32769, 65536, 1u << 31, UINT32_MAX };

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct wire_message m;

		come();
		m = *of(WIRE_SET_VRING_NUM);
		m.state.num = sizes[i];
		test_instead(of(WIRE_SET_VRING_NUM), m, ENDS,
			     "a ring of a size that can't be");
	}
}

static void test_ring_bases(void)
{
	static const uint32_t bases[] = { 1, 0x7fff, 0xffff, 0x10000, UINT32_MAX };

	for (unsigned i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		struct wire_message m;

		come();
		m = *of(WIRE_SET_VRING_BASE);
		m.state.num = bases[i];
		test_instead(of(WIRE_SET_VRING_BASE), m, i < 3 ? LIVES : ENDS,
			     "a ring begins elsewhere");
	}
}

static void test_addresses(void)
{
	static const struct {
		unsigned which;
		uint64_t add;
		const char *what;
	} wrongs[] = {
		{ 0, 1, "descriptors at an odd address" },
		{ 0, 8, "descriptors at half an address" },
		{ 1, 1, "used at an odd address" },
		{ 1, 2, "used at half an address" },
		{ 2, 1, "available at an odd address" },
		{ 0, 1 << 20, "descriptors behind memory" },
		{ 0, UINT64_C(1) << 63, "descriptors far away" },
		{ 1, UINT64_C(1) << 40, "used far away" },
		{ 2, UINT64_C(1) << 40, "available far away" },
	};
	struct wire_message m;

	for (unsigned i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		come();
		m = *of(WIRE_SET_VRING_ADDR);
		*(wrongs[i].which == 0	 ? &m.addr.desc
		  : wrongs[i].which == 1 ? &m.addr.used
					 : &m.addr.avail) += wrongs[i].add;
		if (i == 5)
			m.addr.desc = bad->region[1].uva + bad->region[1].size - 16;
		test_instead(of(WIRE_SET_VRING_ADDR), m, ENDS, wrongs[i].what);
	}
	/* The low region ends where the high one begins, for the front end alone. */
	come();
	m = *of(WIRE_SET_VRING_ADDR);
	m.addr.desc = bad->region[0].uva + bad->region[0].size - 64;
	test_instead(of(WIRE_SET_VRING_ADDR), m, ENDS, "descriptors in two regions");
	come();
	m = *of(WIRE_SET_VRING_ADDR);
	m.addr.used = UINT64_MAX - 15;
	test_instead(of(WIRE_SET_VRING_ADDR), m, ENDS, "an address that wraps around");
	/* They lie one upon the other: a guest that spoils its own rings. */
	come();
	m = *of(WIRE_SET_VRING_ADDR);
	m.addr.used = m.addr.avail = m.addr.desc;
	test_instead(of(WIRE_SET_VRING_ADDR), m, EITHER, "all of a ring at one place");
}

/* ---- order ---- */

static void test_orders(void)
{
	bool good = true;

	for (unsigned i = 0; good && i < ORDERS; i++) {
		random_begin(i);
		come();
		for (unsigned n = rnd(60); n && rig_ports() == 3; n--) {
			struct wire_message m = start.message[rnd(start.n)];

			if (rnd(10) == 0)
				m = (struct wire_message){ WIRE_GET_VRING_BASE,
							   WIRE_VERSION, 8,
							   .state.index = rnd(2) };
			if (rnd(10) == 0 && m.request == WIRE_SET_VRING_ENABLE)
				m.state.num = 0;
			if (rnd(4) == 0)
				m.flags |= WIRE_NEED_REPLY;
			wire_send(bad->sock, &m);
			if (rnd(3) == 0)
				guest_send(&bad_rig.a, rig_make(60, 0), 60);
			if (rnd(3) == 0)
				vring_kick(&bad->ring[rnd(2)]);
			if (rnd(8) == 0)
				turn(&rig.loop);
			bad_drain(&bad_rig.a);
			bad_drain(&bad_rig.b);
		}
		turns(&rig.loop, 2);
		good = bad_others_go_on() && rig_sleeps();
		front_free(bad);
		rig_until(rig_ports() == 2);
	}
	ok(good, "%u starts in orders that chance chose", ORDERS);
	is_silent();
	ok_eq_int(bad_open_fds(), bad_rig.fds, "no descriptor is left");
}

/* ---- answers ---- */

/* Nobody reads the answers: the relay neither waits for that nor has no rest. */
static void test_unread(void)
{
	struct wire_message m = { .request = WIRE_GET_FEATURES, .flags = WIRE_VERSION };
	unsigned n = 0, full = 0;

	come();
	fcntl(bad->sock, F_SETFL, O_NONBLOCK);
	while (n < UNREAD && full < 5 && rig_ports() == 3) {
		if (wire_send(bad->sock, &m) == 0)
			n++;
		else
			full++;
		if (n % 64 == 0 || full)
			turn(&rig.loop);
	}
	bad_rig.says = "answer to GET_FEATURES: nobody reads it";
	bad_meets(ENDS, "answers that nobody reads");
}

/* ---- descriptors whose close() waits ---- */

/*
 * A connection with bytes on their way that nobody reads. Whoever closes it last waits, for
 * longer than the test may take.
 */
static int make_lingering(int *listener)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger linger = { .l_onoff = 1, .l_linger = 60 };
	static const uint8_t bytes[65536];
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(*listener, (struct sockaddr *)&addr, len) < 0 ||
	    listen(*listener, 1) < 0 ||
	    getsockname(*listener, (struct sockaddr *)&addr, &len) < 0 ||
	    connect(fd, (struct sockaddr *)&addr, len) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		abort();
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* @unread: it comes behind a message that ends the connection */
static void test_lingering(bool unread, unsigned n, const char *what)
{
	struct wire_message m = { .request = WIRE_GET_FEATURES,
				  .flags = WIRE_VERSION,
				  .n_fds = n },
			    wrong = { .request = WIRE_REQUESTS, .flags = WIRE_VERSION };
	int listener, fd = make_lingering(&listener);
	uint64_t begin;

	for (unsigned i = 0; i < n; i++)
		m.fds[i] = fd;
	bad = bad_comes();
	if (unread)
		wire_send(bad->sock, &wrong);
	wire_send(bad->sock, &m);
	close(fd);
	bad_rig.fds++;
	begin = loop_now();
	bad_meets(ENDS, what);
	ok(loop_now() - begin < 5000, "it is not waited for long");
	close(listener);
	bad_rig.fds--;
}

int main(void)
{
	rig_prepare();
	bad_begin();
	test_truncated();
	test_slow();
	test_sizes();
	test_headers();
	test_too_many();
	test_one_more();
	test_too_few();
	test_indices();
	test_ring_sizes();
	test_ring_bases();
	test_addresses();
	test_orders();
	test_unread();
	test_lingering(false, 1, "a connection that lingers");
	test_lingering(false, WIRE_FDS, "more of them than are taken");
	test_lingering(true, 1, "one that is not read");
	bad_end();
	return rig_finish();
}
