/* SPDX-License-Identifier: MIT */
/*
 * device.c: a front end that sends any message, whole or cut, with any descriptors, and whose
 * memory and rings are what the input makes of them; in between it kicks. The device goes on
 * or has failed and says why, and when it is closed nothing of it is left: no descriptor and
 * no mapping.
 */
#include "lib/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/turn.h"
#include "lib/vhost-front.h"
#include "vhost/device.h"

#define PIECES 64
#define FRAMES 200 /* in a turn */

/*
 * @front:   whose memory and rings it passes, mostly
 * @offered: protocol features, once it has asked
 */
static struct {
	struct loop loop;
	struct device device;
	struct front front;
	uint64_t offered;
	bool is_open;
	unsigned fds;
} fuzz;

/* ---- the device's owner ---- */

static void on_failed(struct device *d, int err)
{
	must(err < 0);
	must(err == -ENODATA || d->why[0]);
	if (getenv("SHOW_WHY"))
		printf("# %s\n", d->why);
	device_close(d);
	fuzz.is_open = false;
}

/* Take and give back, as one does that has frames for nobody. */
static void on_kicked(struct device *d, unsigned i)
{
	struct ring *r = &d->ring[i].ring;
	struct iovec iov[PIECES];
	struct ring_chain c;
	unsigned n = 0, sum = 0;
	int ret;

	must(d->ring[i].runs);
	while ((ret = ring_pop(r, &c, iov, PIECES)) == 1 && n++ < FRAMES) {
		for (unsigned k = 0; k < c.n; k++) {
			uint8_t *at = iov[k].iov_base;

			/* The first and the last byte are there. */
			if (i == DEVICE_TX)
				sum += at[0] + at[iov[k].iov_len - 1];
			else
				at[0] = at[iov[k].iov_len - 1] = (uint8_t)sum;
		}
		ring_use(r, c.id, i == DEVICE_RX ? (uint32_t)c.len : 0);
	}
	if (ring_publish(r) && device_call(d, i) < 0)
		ret = -EPIPE;
	if (ret >= 0)
		ring_listen(r);
	if (ret == -E2BIG)
		r->why = "too many pieces for this test";
	ret = device_look(d, i, ret);
	if (ret < 0)
		on_failed(d, ret);
}

static void on_changed(struct device *d)
{
	must(d->is_up == (d->ring[DEVICE_RX].runs && d->ring[DEVICE_TX].runs));
}

static const struct device_host host = { on_kicked, on_changed, on_failed };

/* ---- messages ---- */

static void add_fds(struct fuzz_input *in, struct wire_message *m)
{
	static int others[4] = { -1 };

	if (others[0] < 0) {
		others[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
		others[1] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		others[2] = memfd_create("short", MFD_CLOEXEC);
		others[3] = eventfd(1, EFD_CLOEXEC);
		fuzz.fds += 4;
	}
	for (unsigned i = 0; i < m->n_fds; i++) {
		uint8_t what = fuzz_byte(in);

		m->fds[i] = m->request == WIRE_SET_VRING_KICK ||
					    m->request == WIRE_SET_VRING_CALL
				    ? fuzz.front.ring[0].kick
				    : fuzz.front.memfd;
		if (what >= 0xf0)
			m->fds[i] = others[what % 4];
	}
}

static void set_payload(struct fuzz_input *in, struct wire_message *m)
{
	unsigned ring = fuzz_byte(in) % 2;
	const struct vring *r = &fuzz.front.ring[ring];

	switch (m->request) {
	case WIRE_SET_FEATURES:
		m->u64 = (FRONT_SUPER | FRONT_BIT(FRONT_F_LOG_ALL)) &
			 ~(UINT64_C(1) << fuzz_byte(in) % 64);
		break;
	case WIRE_SET_PROTOCOL_FEATURES:
		m->u64 = fuzz_number(in, 3) & fuzz.offered;
		break;
	case WIRE_SET_MEM_TABLE:
		m->table.n = m->n_fds;
		for (unsigned i = 0; i < m->n_fds && i < WIRE_REGIONS; i++)
			m->table.region[i] = fuzz.front.region[i % 2];
		break;
	case WIRE_ADD_MEM_REG:
	case WIRE_REM_MEM_REG:
		m->slot.region = fuzz.front.region[ring];
		break;
	case WIRE_SET_VRING_NUM:
		m->state.index = ring;
		m->state.num = r->size;
		break;
	case WIRE_SET_VRING_ADDR:
		m->addr.index = ring;
		m->addr.flags = fuzz_byte(in) % 2;
		m->addr.desc = front_uva(&fuzz.front, r->desc_at);
		m->addr.avail = front_uva(&fuzz.front, r->avail_at);
		m->addr.used = front_uva(&fuzz.front, r->used_at);
		m->addr.log = r->used_at;
		break;
	case WIRE_SET_LOG_BASE:
		m->log.size = fuzz_number(in, 2);
		break;
	case WIRE_SET_VRING_ENABLE:
		m->state.index = ring;
		m->state.num = fuzz_byte(in) % 4 > 0;
		break;
	default:
		m->state.index = ring;
	}
}

static uint32_t right_size(const struct wire_message *m)
{
	static const uint8_t sizes[WIRE_REQUESTS] = {
		[WIRE_SET_FEATURES] = 8,     [WIRE_SET_LOG_BASE] = 16,
		[WIRE_SET_VRING_NUM] = 8,    [WIRE_SET_VRING_ADDR] = 40,
		[WIRE_SET_VRING_BASE] = 8,   [WIRE_GET_VRING_BASE] = 8,
		[WIRE_SET_VRING_KICK] = 8,   [WIRE_SET_VRING_CALL] = 8,
		[WIRE_SET_VRING_ERR] = 8,    [WIRE_SET_PROTOCOL_FEATURES] = 8,
		[WIRE_SET_VRING_ENABLE] = 8, [WIRE_SEND_RARP] = 8,
		[WIRE_NET_SET_MTU] = 8,	     [WIRE_ADD_MEM_REG] = 40,
		[WIRE_REM_MEM_REG] = 40,     [WIRE_SET_STATUS] = 8,
	};

	if (m->request == WIRE_SET_MEM_TABLE)
		return 8 + (m->table.n % 9) * (uint32_t)sizeof(struct wire_region);
	return m->request < WIRE_REQUESTS ? sizes[m->request] : 0;
}

static unsigned right_fds(uint32_t request)
{
	switch (request) {
	case WIRE_SET_MEM_TABLE:
		return 2;
	case WIRE_SET_LOG_BASE:
	case WIRE_SET_VRING_KICK:
	case WIRE_SET_VRING_CALL:
	case WIRE_SET_VRING_ERR:
	case WIRE_ADD_MEM_REG:
		return 1;
	default:
		return 0;
	}
}

/* Right in all that the input does not change. */
static void send_message(struct fuzz_input *in)
{
	struct wire_message m = { .request = fuzz_byte(in) % (WIRE_REQUESTS + 2),
				  .flags = WIRE_VERSION };
	uint8_t bytes[WIRE_HEADER + WIRE_PAYLOAD], what = fuzz_byte(in);
	size_t len;

	m.n_fds = what & 1 ? fuzz_byte(in) % (WIRE_FDS + 1u) : right_fds(m.request);
	add_fds(in, &m);
	set_payload(in, &m);
	m.size = what & 2 ? fuzz_number(in, 2) % WIRE_PAYLOAD : right_size(&m);
	if (what & 4)
		m.flags = fuzz_byte(in);
	if (what & 8)
		m.flags |= WIRE_NEED_REPLY;
	for (unsigned n = what & 0x10 ? fuzz_byte(in) % 8u : 0; n; n--) {
		unsigned at = fuzz_byte(in);

		m.bytes[at % (m.size + 1)] = fuzz_byte(in);
	}
	len = wire_pack(bytes, &m);
	if (what & 0x20)
		len = fuzz_byte(in) % (len + 1);
	if (len)
		wire_send_bytes(fuzz.front.sock, bytes, len, m.fds, m.n_fds);
}

/* ---- memory ---- */

static void write_memory(struct fuzz_input *in)
{
	struct vring *r = &fuzz.front.ring[fuzz_byte(in) % 2];
	unsigned i = fuzz_byte(in) % r->size;

	switch (fuzz_byte(in) % 4) {
	case 0:
		vring_set_desc(r, &r->desc[i],
			       fuzz.front.region[1].gpa + fuzz_number(in, 2),
			       fuzz_number(in, 2), fuzz_byte(in) % 8, fuzz_byte(in) % 16);
		break;
	case 1:
		r->avail[2 + i] = fuzz_byte(in);
		break;
	case 2:
		r->avail[1] = (uint16_t)(r->used[1] + fuzz_byte(in) % 18);
		break;
	default:
		memset(front_at(&fuzz.front, fuzz_number(in, 2) % 700), fuzz_byte(in), 4);
	}
}

static void step(struct fuzz_input *in)
{
	struct wire_message answer;

	switch (fuzz_byte(in) % 8) {
	case 0:
		vring_kick(&fuzz.front.ring[0]);
		break;
	case 1:
	case 2:
		write_memory(in);
		break;
	case 3:
		if (fuzz_byte(in) % 16 == 0 && ftruncate(fuzz.front.memfd, 4096) < 0)
			abort();
		break;
	default:
		send_message(in);
	}
	turn(&fuzz.loop);
	while (wire_receive_any(fuzz.front.sock, &answer) == 0) {
		must(answer.flags & WIRE_REPLY && !answer.n_fds);
		if (answer.request == WIRE_GET_PROTOCOL_FEATURES)
			fuzz.offered = answer.u64;
	}
}

/* ---- from the beginning to the end ---- */

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void begin(void)
{
	static const struct front_config config = { .size = 16,
						    .slot_bytes = { 256, 256 },
						    .features = FRONT_PLAIN };
	int sv[2];

	if (!fuzz.loop.epfd) {
		must(loop_init(&fuzz.loop) == 0);
		memory_guard();
	}
	fuzz.fds = open_fds();
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) == 0);
	front_init(&fuzz.front, &config);
	fuzz.front.sock = sv[1];
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		front_begin_ring(&fuzz.front, i, 0);
	memset(&fuzz.device, 0, sizeof(fuzz.device));
	device_init(&fuzz.device, &fuzz.loop, &host);
	must(device_open(&fuzz.device, sv[0]) == 0);
	fuzz.is_open = true;
	fuzz.offered = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	begin();
	while (in.left && fuzz.is_open)
		step(&in);
	if (fuzz.is_open)
		device_close(&fuzz.device);
	turn(&fuzz.loop);
	front_free(&fuzz.front);
	must(open_fds() == fuzz.fds);
	must(!fuzz.device.memory.link && !fuzz.loop.first);
	return 0;
}
