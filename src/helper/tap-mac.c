/* SPDX-License-Identifier: MIT */
/*
 * A bridge without an address of its own, and without other ports, takes its tap's.
 * Were that a random one, then guests that knew the host would not reach it after a
 * restart, until their ARP entries are too old. So it is a hash: of bridge and tap,
 * of what tells this host from others, and this network namespace from the host's.
 *
 * A host is told by its machine-id, its name, and its board's UUID, so that clones
 * are told apart when they differ in any. In a container all of these may be an
 * image's, or another host's too. There, and where a host has neither ID, what is
 * taken instead ends with the boot, as the namespace and its bridge do: the kernel's
 * ID of the boot, which no two hosts have in common, and the namespace's number.
 */
#include "helper/tap-mac.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/siphash.h"

#define FIRST_PID_NS \
	0xeffffffc /* PROC_PID_INIT_INO, the kernel's include/linux/proc_ns.h */

/* Texts are told apart by the NUL behind each. */
static void mix(uint64_t *hash, const void *data, size_t len)
{
	const uint64_t key[2] = { *hash, 0x6e657472656c6179 };
	uint64_t sum = len;

	for (size_t i = 0; i < len; i++) {
		const uint64_t step[2] = { key[0], key[1] ^ i };

		sum = siphash(step, sum ^ ((const uint8_t *)data)[i]);
	}
	*hash = sum;
}

/* Return: whether there is anything in the file @path. */
static bool mix_file(uint64_t *hash, const char *path)
{
	char text[128];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	mix(hash, text, n > 0 ? (size_t)n : 0);
	return n > 1;
}

static uint64_t inode(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_ino;
}

/* Whether we are in the host's own network namespace, that is, in its first process's. */
static bool is_at_home(uint64_t netns)
{
	return netns && inode("/proc/self/ns/pid") == FIRST_PID_NS &&
	       inode("/proc/1/ns/net") == netns;
}

static bool mix_host(uint64_t *hash)
{
	char name[65] = "";
	bool is_told = mix_file(hash, "/etc/machine-id");

	is_told |= mix_file(hash, "/sys/class/dmi/id/product_uuid");
	gethostname(name, sizeof(name) - 1);
	mix(hash, name, strlen(name) + 1);
	return is_told;
}

static void mix_boot(uint64_t *hash, uint64_t netns)
{
	mix_file(hash, "/proc/sys/kernel/random/boot_id");
	mix(hash, &netns, sizeof(netns));
}

void tap_mac(uint8_t mac[6], const char *bridge, const char *tap)
{
	uint64_t hash = 0, netns = inode("/proc/self/ns/net");

	if (!is_at_home(netns) || !mix_host(&hash))
		mix_boot(&hash, netns);
	mix(&hash, bridge, strlen(bridge) + 1);
	mix(&hash, tap, strlen(tap) + 1);
	memcpy(mac, &hash, 6);
	mac[0] = 0xfe;
}
