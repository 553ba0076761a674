/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c: guests that come, are stopped, moved and reset, go and come again, and what
 * they are answered.
 *
 *	a ---- hub ---- b
 */
#include "lib/vhost-rig.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

static struct front a, b;

static const struct front_config usual = { .features = FRONT_PLAIN,
					   .protocol = UINT64_MAX,
					   .buffer = 2048 };

static void meet(void)
{
	rig_begin();
	if (rig_guest(&a, usual) < 0 || rig_guest(&b, usual) < 0)
		ok(false, "both guests are let in");
}

static void part(void)
{
	rig_leave(&a);
	rig_leave(&b);
	rig_end();
}

/* As rig_sleeps(), once what is under way had some turns. */
static bool is_asleep(void)
{
	turns(&rig.loop, 8);
	return rig_sleeps();
}

/* ---- what is offered ---- */

static void test_answers(void)
{
	static const unsigned features[] = {
		FRONT_F_VERSION_1,  FRONT_F_MRG_RXBUF,	FRONT_F_CSUM,
		FRONT_F_GUEST_CSUM, FRONT_F_GUEST_TSO4, FRONT_F_GUEST_TSO6,
		FRONT_F_HOST_TSO4,  FRONT_F_HOST_TSO6,	FRONT_F_INDIRECT,
		FRONT_F_EVENT_IDX,  FRONT_F_ANY_LAYOUT, FRONT_F_PROTOCOL,
	};
	uint64_t n = 0;

	rig_begin();
	ok_eq_int(rig_guest(&a, usual), 0, "a guest");
	for (unsigned i = 0; i < sizeof(features) / sizeof(*features); i++)
		ok(a.offered >> features[i] & 1, "feature %u is offered", features[i]);
	ok(a.protocol_offered >> WIRE_PF_REPLY_ACK & 1, "so are acknowledgements");
	ok(front_get(&a, WIRE_GET_QUEUE_NUM, &n) == 0 && n == 1,
	   "queues are counted in pairs");
	if (front_has_protocol(&a, WIRE_PF_MEM_SLOTS))
		ok(front_get(&a, WIRE_GET_MAX_MEM_SLOTS, &n) == 0 && n >= 8,
		   "there are slots for memory");
	if (front_has_protocol(&a, WIRE_PF_MTU))
		ok_eq_int(front_tell_number(&a, WIRE_NET_SET_MTU, 1500), 0, "an MTU");
	rig_leave(&a);
	rig_end();
}

/* As QEMU's announce_self_create() makes it. */
static void test_rarp(void)
{
	static const uint8_t want[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0x00, 0x12,
		0x34, 0x56, 0x80, 0x35, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04,
		0x00, 0x03, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0,    0,
		0,    0,    0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
	};
	uint8_t mac[8] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
	struct guest_header h;
	uint64_t number;

	memcpy(&number, mac, sizeof(number));
	meet();
	ok(front_has_protocol(&a, WIRE_PF_RARP) &&
		   front_tell_number(&a, WIRE_SEND_RARP, number) == 0,
	   "after a migration it is asked for a RARP");
	ok(rig_await(&b, &h) == sizeof(want) && memcmp(rig_got, want, sizeof(want)) == 0,
	   "and sends it");
	guest_refill(&b);
	ok(rig_passes(&a, &b, 60, 1), "once");
	part();
}

static void test_refused(void)
{
	struct front_config config = usual;

	rig_begin();
	config.features = FRONT_PLAIN & ~FRONT_BIT(FRONT_F_PROTOCOL);
	config.protocol = 0;
	ok_eq_int(rig_guest(&a, config), 0, "a guest without protocol features");
	ok_eq_int(rig_guest(&b, usual), 0, "and one with them");
	ok(rig_passes(&a, &b, 99, 1) && rig_passes(&b, &a, 100, 2), "hear each other");
	part();
}

/* ---- rings ---- */

static void test_without_kick(void)
{
	struct front_config config = usual;

	rig_begin();
	config.idle = rig_idle;
	rig_guest(&a, usual);
	front_init(&b, &config);
	ok_eq_int(front_prepare(&b, rig_dial("s")), 0, "all is passed");
	/* Available before anybody looks, and nobody is told. */
	for (unsigned i = 0; i < 32; i++)
		guest_post(&b, &config.buffer, 1, 0, false);
	vring_publish(&b.ring[FRONT_RX]);
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		front_enable(&b, i, true);
	rig_until(rig_ups() == 2);
	ok(rig_passes(&a, &b, 1000, 1),
	   "a ring begins when it is enabled, without a kick");
	part();
}

static void test_disabled(void)
{
	struct guest_header h;

	meet();
	ok(rig_passes(&a, &b, 60, 1), "a frame passes");
	ok_eq_int(front_enable(&b, FRONT_RX, false), 0, "a ring is disabled");
	guest_send(&a, rig_make(70, 2), 70);
	rig_until(guest_reap(&a));
	turns(&rig.loop, 10);
	ok(!vring_n_used(&b.ring[FRONT_RX]), "nothing comes then");
	ok(is_asleep(), "and the relay sleeps meanwhile");
	ok_eq_int(front_enable(&b, FRONT_RX, true), 0, "it is enabled");
	turns(&rig.loop, 10);
	/* What waited for it may have been kept or not. */
	while (guest_receive(&b, rig_got, &h))
		;
	guest_refill(&b);
	ok(rig_passes(&a, &b, 80, 3), "and frames come again");
	ok(rig_passes(&b, &a, 90, 4), "and go");
	part();
}

/*
 * Where a ring goes on stands in the guest's memory. QEMU may know less: it has asked a back end
 * that was gone.
 */
static void test_begins_at_used(void)
{
	struct front_config config = usual;

	rig_begin();
	rig_guest(&a, usual);
	config.idle = rig_idle;
	config.base[FRONT_RX] = config.base[FRONT_TX] = 77;
	front_init(&b, &config);
	ok_eq_int(front_prepare(&b, rig_dial("s")), 0, "rings at 77");
	for (unsigned i = 0; i < FRONT_RINGS; i++) {
		front_tell_state(&b, WIRE_SET_VRING_BASE, i, 3);
		front_enable(&b, i, true);
	}
	guest_refill(&b);
	rig_until(rig_ups() == 2);
	ok(rig_passes(&a, &b, 60, 1) && rig_passes(&b, &a, 61, 2),
	   "it is not where the front end says");
	part();
}

/* As in a migration or a reset of the guest. */
static void stop_both(struct front *f, int base[FRONT_RINGS])
{
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		base[i] = front_stop_ring(f, i);
}

static bool go_on(struct front *f, const int base[FRONT_RINGS])
{
	int ret = 0;

	for (unsigned i = 0; !ret && i < FRONT_RINGS; i++) {
		ret = front_pass_ring(f, i, (uint16_t)base[i]);
		if (!ret)
			ret = front_enable(f, i, true);
	}
	return !ret;
}

static void test_stopped(void)
{
	int base[FRONT_RINGS];

	meet();
	for (uint32_t i = 0; i < 5; i++)
		rig_passes(&a, &b, 60 + i, i);
	stop_both(&b, base);
	ok_eq_int(base[FRONT_RX], b.ring[FRONT_RX].used_idx,
		  "the ring's real index is told");
	ok_eq_int(base[FRONT_TX], b.ring[FRONT_TX].used_idx, "of the other one, too");
	ok_eq_int(front_stop_ring(&b, FRONT_RX), base[FRONT_RX], "also when asked again");
	/* Nobody is to be told by the old descriptor. */
	close(b.ring[FRONT_RX].call);
	b.ring[FRONT_RX].call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	guest_send(&a, rig_make(60, 9), 60);
	rig_until(guest_reap(&a));
	turns(&rig.loop, 10);
	ok(!vring_n_used(&b.ring[FRONT_RX]), "a ring that was stopped is left alone");
	ok(is_asleep(), "and the relay sleeps");
	ok(go_on(&b, base), "it is passed again");
	rig_until(rig_ups() == 2);
	turns(&rig.loop, 10);
	while (guest_receive(&b, rig_got, &(struct guest_header){ 0 }))
		;
	guest_refill(&b);
	ok(rig_passes(&a, &b, 300, 10) && rig_passes(&b, &a, 301, 11), "and goes on");
	part();
}

static void test_memory_again(void)
{
	meet();
	ok(rig_passes(&a, &b, 60, 1), "a frame");
	ok_eq_int(front_share(&b), 0, "the memory is passed again under running rings");
	ok(rig_passes(&a, &b, 1500, 2) && rig_passes(&b, &a, 1500, 3), "frames pass");
	part();
}

static void test_slots(void)
{
	struct front_config config = usual;

	config.has_slots = true;
	rig_begin();
	ok_eq_int(rig_guest(&a, config), 0, "memory that is passed region by region");
	ok_eq_int(rig_guest(&b, config), 0, "by both");
	ok(front_has_protocol(&a, WIRE_PF_MEM_SLOTS), "as was agreed on");
	ok(rig_passes(&a, &b, 1000, 1), "a frame");
	part();
}

static void test_reset(void)
{
	meet();
	if (front_has_protocol(&a, WIRE_PF_RESET_DEVICE)) {
		ok_eq_int(front_tell_nothing(&a, WIRE_RESET_DEVICE), 0,
			  "a device is reset");
		turns(&rig.loop, 4);
		for (unsigned i = 0; i < FRONT_RINGS; i++) {
			front_begin_ring(&a, i, 0);
			front_pass_ring(&a, i, 0);
			front_enable(&a, i, true);
		}
		guest_refill(&a);
		rig_until(rig_ups() == 2);
		ok(rig_passes(&a, &b, 61, 1) && rig_passes(&b, &a, 62, 2), "and goes on");
	}
	part();
}

/* ---- it goes ---- */

/* What was not taken is offered again, from the used index on, as QEMU does. */
static void test_comes_again(void)
{
	uint16_t base[FRONT_RINGS];
	static const struct guest_header none;
	uint32_t number = 0, cut = 12 + 777;
	int ret;

	meet();
	for (uint32_t i = 0; i < 7; i++)
		rig_passes(&b, &a, 60 + i, ++number);
	front_hang_up(&b);
	rig_until(rig_ports() == 1);
	ok_eq_int(rig_ports(), 1, "a guest goes, and its port with it");
	is_silent();
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		base[i] = vring_used_now(&b.ring[i]);
	/* Not kicked: what is, before a ring is enabled, may be thrown away. */
	guest_offer(&b, &none, rig_make(777, 100), 777, &cut, 1, 0, false);
	vring_publish(&b.ring[FRONT_TX]);
	b.sock = rig_dial("s");
	ret = front_agree(&b);
	if (!ret)
		ret = front_share(&b);
	for (unsigned i = 0; !ret && i < FRONT_RINGS; i++)
		ret = front_pass_ring(&b, i, base[i]);
	for (unsigned i = 0; !ret && i < FRONT_RINGS; i++)
		ret = front_enable(&b, i, true);
	ok_eq_int(ret, 0, "it comes again, with rings in use");
	ok(rig_is(rig_got, rig_await(&a, &(struct guest_header){ 0 }), 777, 100),
	   "what it offered in between goes, without a kick");
	guest_refill(&a);
	rig_until(guest_reap(&b));
	ok(rig_passes(&a, &b, 1000, 101), "and its old buffers are filled");
	part();
}

/* In mid-transfer: frames for it wait, others of it are being sent. */
static void test_vanishes(void)
{
	static const struct guest_header none;
	bool good = true;

	meet();
	for (unsigned i = 0; good && i < 50; i++) {
		for (uint32_t k = 0; k < 20; k++) {
			uint32_t cut = b.header + 1000;

			guest_offer(&b, &none, rig_make(1000, k), 1000, &cut, 1, 0,
				    false);
			guest_offer(&a, &none, rig_make(1000, k), 1000, &cut, 1, 0,
				    false);
		}
		vring_push(&b.ring[FRONT_TX]);
		vring_push(&a.ring[FRONT_TX]);
		turns(&rig.loop, i % 3);
		front_hang_up(&b);
		/* Its memory may be gone, too. */
		if (ftruncate(b.memfd, 0) < 0)
			abort();
		turns(&rig.loop, 4);
		rig_until(rig_ports() == 1);
		front_free(&b);
		good = rig_guest(&b, usual) == 0 && !rig_has_fault(&a);
		while (guest_reap(&a) ||
		       guest_receive(&a, rig_got, &(struct guest_header){ 0 }))
			guest_refill(&a);
	}
	ok(good, "a guest that vanishes in mid-transfer, fifty times");
	ok(rig_passes(&a, &b, 60, 1), "and the last one is heard");
	part();
}

/* ---- an empty ring ---- */

static void test_no_buffers(void)
{
	struct front_config config = usual;
	struct guest_header h;
	unsigned n = 0;

	rig_begin();
	rig_guest(&a, usual);
	config.buffer = 0;
	rig_guest(&b, config);
	for (uint32_t i = 0; i < 10; i++)
		guest_send(&a, rig_make(100, i), 100);
	rig_until(guest_reap(&a));
	ok(is_asleep(), "a guest without buffers: the relay sleeps");
	b.config.buffer = 2048;
	guest_refill(&b);
	while (n < 10 && rig_is(rig_got, rig_await(&b, &h), 100, n))
		n++;
	ok_eq_int(n, 10, "what waited comes, in order, when it has some");
	for (uint32_t i = 0; i < 3000; i++) {
		guest_send(&a, rig_make(1500, i), 1500);
		if (i % 100 == 99)
			rig_until(guest_reap(&a));
	}
	rig_until(guest_reap(&a) || a.ring[FRONT_TX].n_free == a.ring[FRONT_TX].size);
	ok(is_asleep(), "more than its queue holds: the others go on");
	part();
}

/* ---- the relay dials ---- */

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 2) < 0)
		abort();
	return fd;
}

static bool start_dialled(struct front *f, int listener)
{
	struct front_config config = usual;
	int fd = -1;

	config.idle = rig_idle;
	rig_until((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	front_init(f, &config);
	if (fd < 0 || front_start(f, fd) < 0)
		return false;
	guest_refill(f);
	rig_until(rig_ups() == 2);
	return rig_ups() == 2;
}

static void test_dialled(void)
{
	int listener = listen_at("d");

	rig_begin();
	rig_add("vhost-user:d");
	rig_guest(&a, usual);
	for (unsigned i = 0; i < 3; i++) {
		ok(start_dialled(&b, listener), "the relay dials, time %u", i + 1);
		ok(rig_passes(&a, &b, 60, i) && rig_passes(&b, &a, 60, i), "frames pass");
		front_free(&b);
		rig_until(rig_ups() == 1);
		turns(&rig.loop, 2);
	}
	close(listener);
	unlink("d");
	rig_leave(&a);
	rig_end();
}

/* Whoever comes cannot be accepted, for a while. */
static void without_descriptors(void)
{
	struct rlimit limit, none;
	int lowest = dup(STDERR_FILENO);

	close(lowest);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = (rlim_t)lowest + 1; /* which turn() takes */
	setrlimit(RLIMIT_NOFILE, &none);
	rig_until(rig.relay.forward.members.first->port->state == PORT_WAITING);
	setrlimit(RLIMIT_NOFILE, &limit);
	ok(rig.relay.forward.members.first->port->state == PORT_WAITING,
	   "no descriptor is free: it tries again later");
}

/* A socket that listens, which we are given: one front end after the other comes by it. */
static void test_inherited_listener(void)
{
	int listener = listen_at("d"), own = dup(listener), waits;
	char text[40];

	rig_begin();
	fcntl(own, F_SETFL, 0);
	snprintf(text, sizeof(text), "fd:%d,vhost-user", listener);
	rig_add(text);
	rig_guest(&a, usual);
	turns(&rig.loop, 4);
	ok(is_asleep() && rig_ups() == 1, "nobody has come");
	for (unsigned i = 0; i < 3; i++) {
		struct front_config config = usual;

		config.idle = rig_idle;
		front_init(&b, &config);
		waits = rig_dial("d");
		if (i == 0)
			without_descriptors();
		ok_eq_int(front_start(&b, waits), 0, "a front end, time %u", i + 1);
		guest_refill(&b);
		rig_until(rig_ups() == 2);
		ok(rig_passes(&a, &b, 60, i) && rig_passes(&b, &a, 60, i), "frames pass");
		waits = rig_dial("d");
		turns(&rig.loop, 4);
		ok(is_asleep() && rig_ups() == 2, "another one has to wait");
		close(waits);
		front_free(&b);
		rig_until(rig_ups() == 1);
	}
	rig_leave(&a);
	rig_until(rig.relay.forward.members.first->port->state == PORT_OPENING);
	rig_end();
	/* Somebody else may still have the socket. */
	waits = rig_dial("d");
	turns(&rig.loop, 2);
	close(waits);
	ok(!(fcntl(own, F_GETFL) & O_NONBLOCK), "it blocks again at the end");
	ok(fcntl(listener, F_GETFD) < 0, "and is closed");
	close(own);
	unlink("d");
}

int main(void)
{
	rig_prepare();
	test_answers();
	test_rarp();
	test_refused();
	test_without_kick();
	test_disabled();
	test_begins_at_used();
	test_stopped();
	test_memory_again();
	test_slots();
	test_reset();
	test_comes_again();
	test_vanishes();
	test_no_buffers();
	test_dialled();
	test_inherited_listener();
	return rig_finish();
}
