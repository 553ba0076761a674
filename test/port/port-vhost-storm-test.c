/* SPDX-License-Identifier: MIT */
/*
 * port-vhost.c: ten thousand guests come and go, in good order, in the middle of their start
 * and in the middle of their frames. Nothing is left of them: no descriptor, no mapping, no
 * port and no memory.
 *
 *	a, b, and one after the other ---- hub
 */
#include "lib/vhost-bad.h"

#define TIMES 10000
#define MEMORY_MAX \
	(64 << 10) /* bytes that may be in use at the end and were not before */

/* What is allocated, if a sanitizer counts that. */
__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

static struct front one;

static size_t count_bytes(void)
{
	if (!__sanitizer_get_current_allocated_bytes)
		return 0;
	return __sanitizer_get_current_allocated_bytes();
}

static unsigned count_mappings(void)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:guest") != NULL;
	if (f)
		fclose(f);
	return n;
}

/* A step that may be the last. Return: whether it was not. */
static bool goes_on(int ret)
{
	return ret == 0 && rnd(40) > 0;
}

/* All steps up to one that chance chose. */
static void begin(void)
{
	int ret;

	one.sock = rig_dial("s");
	ret = rnd(20) ? front_agree(&one) : -1;
	if (goes_on(ret))
		ret = front_share(&one);
	for (unsigned i = 0; i < FRONT_RINGS && goes_on(ret); i++) {
		front_begin_ring(&one, i, (uint16_t)rnd32());
		ret = front_pass_ring(&one, i, one.ring[i].avail_idx);
		if (goes_on(ret))
			ret = front_enable(&one, i, true);
	}
}

static void use(void)
{
	guest_refill(&one);
	for (unsigned n = rnd(20); n; n--)
		guest_send(&one, rig_make(1000, n), 1000);
	guest_send(&bad_rig.a, rig_make(900, 1), 900);
}

static void test(void)
{
	struct front_config config = bad_usual;
	bool good = true;

	config.idle = rig_idle;
	front_init(&one, &config);
	for (unsigned i = 0; good && i < TIMES; i++) {
		random_begin(i);
		begin();
		if (rnd(2))
			use();
		turns(&rig.loop, rnd(3));
		front_hang_up(&one);
		rig_until(rig_ports() == 2);
		bad_drain(&bad_rig.a);
		bad_drain(&bad_rig.b);
		good = rig_ports() == 2 && !rig_has_fault(&bad_rig.a) &&
		       !rig_has_fault(&bad_rig.b);
		is_silent();
	}
	ok(good, "%u guests come and go", TIMES);
	front_free(&one);
}

int main(void)
{
	unsigned mappings;
	size_t memory;

	rig_prepare();
	bad_begin();
	mappings = count_mappings();
	memory = count_bytes();
	test();
	turns(&rig.loop, 4);
	ok(bad_others_go_on(), "the others go on");
	ok_eq_int(bad_open_fds(), bad_rig.fds, "no descriptor is left of them");
	ok_eq_int(count_mappings(), mappings, "no mapping");
	ok(count_bytes() < memory + MEMORY_MAX, "no memory");
	bad_end();
	return rig_finish();
}
