/* SPDX-License-Identifier: MIT */
/*
 * A guest's memory that goes between the look at a frame and the system call that sends it: the
 * kernel answers EFAULT then. The guest's port ends, and the one that was to send goes on.
 *
 *	guest ---- hub ---- a stream, datagrams, or a tap
 */
#include "lib/vhost-bad.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <linux/if_tun.h>

#include "lib/netns.h"

#define LEN 1000
#define HERE 400 /* bytes of a frame that are there; more than what is looked at */

/*
 * @ahead: bytes ahead of each frame that the other side hears
 * @is_whole: it hears of the frame that could not be read, which has a length before its bytes
 */
struct kind {
	const char *what;
	int (*begin)(void);
	void (*end)(void);
	unsigned ahead;
	bool is_whole;
};

static int own; /* what was made for a port */

/* ---- the other side; each returns by what it hears ---- */

static int stream_begin(void)
{
	int fd;

	rig_add("unix-listen:u");
	fd = rig_dial("u");
	return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -1 : fd;
}

static void stream_end(void)
{
	unlink("u");
}

static int dgram_begin(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "theirs" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		abort();
	rig_add("unixgram:theirs,local=ours");
	return fd;
}

static void dgram_end(void)
{
	unlink("theirs");
	unlink("ours");
}

/* Return: -1 where there can be none. */
static int tap_begin(void)
{
	struct ifreq ifr = { .ifr_name = "gone0",
			     .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	char text[20];

	own = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (own < 0 || ioctl(own, TUNSETIFF, &ifr) < 0 || !netns_set_up("gone0"))
		return -1;
	snprintf(text, sizeof(text), "fd:%d", own);
	rig_add(text);
	return netns_packet_socket("gone0");
}

static void tap_end(void)
{
	close(own);
}

/* ---- the guest ---- */

static const struct front_config usual = {
	.features = FRONT_PLAIN, .protocol = UINT64_MAX, .size = 64, .buffer = 2048
};

/* Its frame is in two pieces, far from each other; what is behind the first one goes. */
static void send_and_cut(struct front *f)
{
	static const struct guest_header none;
	const uint32_t cut[] = { 12 + HERE, LEN - HERE };
	uint64_t end = f->region[1].offset +
		       (f->ring[FRONT_TX].slots_at - f->region[1].gpa) + cut[0];

	guest_offer(f, &none, rig_make(LEN, 1), LEN, cut, 2, 2 * FRONT_PAGE, false);
	vring_publish(&f->ring[FRONT_TX]);
	if (ftruncate(f->memfd, (off_t)front_pages(end)) < 0)
		abort();
	vring_kick(&f->ring[FRONT_TX]);
}

/* Whether the next that is heard is that frame, of which so many bytes are right. */
static bool hears(int fd, const struct kind *k, uint32_t right, uint32_t number)
{
	static uint8_t got[LEN + 64];
	ssize_t n = -1;

	rig_until((n = recv(fd, got, k->ahead + LEN, 0)) >= 0);
	return n == (ssize_t)(k->ahead + LEN) &&
	       memcmp(got + k->ahead, rig_make(LEN, number), right) == 0;
}

static void test(const struct kind *k)
{
	struct front bad, good;
	unsigned ports;
	int fd;

	rig_begin();
	fd = k->begin();
	if (fd < 0) {
		printf("# no %s here\n", k->what);
		rig_end();
		return;
	}
	rig_until(rig_ups() == 1);
	ports = rig_ports();
	ok_eq_int(rig_guest(&bad, usual), 0, "%s: a guest", k->what);
	is_silent();
	send_and_cut(&bad);
	rig_until(rig_ports() == ports);
	ok_eq_int(rig_ports(), ports, "whose memory goes while its frame is sent ends");
	ok(was_said("the guest's memory was taken away"), "it is said");
	front_free(&bad);
	if (k->is_whole)
		ok(hears(fd, k, HERE, 1), "a frame whose length was told is as long");
	ok_eq_int(rig_guest(&good, usual), 0, "another guest");
	guest_send(&good, rig_make(LEN, 2), LEN);
	ok(hears(fd, k, LEN, 2), "is heard as ever");
	ok(bad_sums_are_right(), "and each frame is accounted for");
	rig_leave(&good);
	close(fd);
	rig_end();
	k->end();
}

int main(void)
{
	static const struct kind kinds[] = {
		{ "a stream", stream_begin, stream_end, 4, true },
		{ "datagrams", dgram_begin, dgram_end, 0, false },
		{ "a tap", tap_begin, tap_end, 0, false },
	};
	unsigned n = sizeof(kinds) / sizeof(*kinds);

	rig_prepare();
	if (!netns_enter())
		n--;
	for (unsigned i = 0; i < n; i++)
		test(&kinds[i]);
	return rig_finish();
}
