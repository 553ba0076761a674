/* SPDX-License-Identifier: MIT */
/*
 * Computes the MAC address of a tap that we make. A bridge that has no address of its
 * own and no other ports takes its tap's. If that were random, guests could not reach
 * the host after a restart until their ARP entries expired. So the address is a hash
 * of the names of bridge and tap, and of what distinguishes this host from others and
 * this network namespace from the host's own.
 *
 * A host is identified by its machine-id, its name, and its board's UUID; clones are
 * told apart if they differ in one of these. In a container all three may be those of
 * an image, or of another host. There, and on a host that has neither ID, the kernel's
 * boot ID and the number of the network namespace take their place. The boot ID is
 * unique to the host. Both change with a reboot, but so does the namespace itself, with
 * its bridge.
 *
 * #syscalls: access close open read stat uname
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

/* Add @len bytes to the hash. For a text, count its NUL, so that "ab" "c" is not "a" "bc". */
static void mix(uint64_t *hash, const void *data, size_t len)
{
	const uint64_t key[2] = { *hash, 0x6e657472656c6179 };
	uint64_t sum = siphash(key, len);

	for (size_t i = 0; i < len; i++) {
		const uint64_t step[2] = { key[0], key[1] ^ i };

		sum = siphash(step, sum ^ ((const uint8_t *)data)[i]);
	}
	*hash = sum;
}

/* Add the first 128 bytes of a file. Return: whether it is more than an empty line. */
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

/*
 * Whether we are in the host's own network namespace. No other has dev_weight (the kernel's
 * net/core/sysctl_net_core.c). A look at /proc/1/ns/net would say so, too, but the kernel
 * refuses it to a process with fewer capabilities than the first one has (ptrace(2)).
 */
static bool is_at_home(void)
{
	return inode("/proc/self/ns/pid") == FIRST_PID_NS &&
	       access("/proc/sys/net/core/dev_weight", F_OK) == 0;
}

static bool mix_host(uint64_t *hash)
{
	char name[65] = "";
	bool has_id = mix_file(hash, "/etc/machine-id");

	has_id |= mix_file(hash, "/sys/class/dmi/id/product_uuid");
	gethostname(name, sizeof(name) - 1);
	mix(hash, name, strlen(name) + 1);
	return has_id;
}

static void mix_boot(uint64_t *hash, uint64_t netns)
{
	mix_file(hash, "/proc/sys/kernel/random/boot_id");
	mix(hash, &netns, sizeof(netns));
}

void tap_mac(uint8_t mac[6], const char *bridge, const char *tap)
{
	uint64_t hash = 0, netns = inode("/proc/self/ns/net");

	if (!is_at_home() || !mix_host(&hash))
		mix_boot(&hash, netns);
	mix(&hash, bridge, strlen(bridge) + 1);
	mix(&hash, tap, strlen(tap) + 1);
	memcpy(mac, &hash, 6);
	mac[0] = 0xfe;
}
