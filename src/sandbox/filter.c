/* SPDX-License-Identifier: MIT */
/*
 * The lists of system calls are made by syscalls.awk at build time; here are those that
 * depend on arguments.
 *
 * - fcntl() and ioctl() have the commands that the sources use. Of taps, whether it is
 *   there, and its carrier; of sockets, how much there is to read, and the names of
 *   interfaces (if_nametoindex()).
 * - kill() reaches given processes only. A pid of 0 stands for one's process group, and
 *   is never given.
 * - Memory is never executable.
 * - prlimit() is for the process itself: limits of others are out of reach.
 */
#include "sandbox/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>

#include "base/util.h"
#include "sandbox/seccomp.h"
#include "sandbox/syscalls.h"

#ifndef TUNSETFILTEREBPF
#define TUNSETFILTEREBPF _IOR('T', 225, int)
#endif
#ifndef TUNSETCARRIER
#define TUNSETCARRIER _IOW('T', 226, int)
#endif

#define ALL UINT32_MAX

/* The numbers that 32-bit architectures have in addition. */
#ifdef SYS_mmap2
#define MMAP SYS_mmap2
#else
#define MMAP SYS_mmap
#endif
#ifdef SYS_fcntl64
#define FCNTL SYS_fcntl64
#else
#define FCNTL SYS_fcntl
#endif

static const uint32_t families[] = { AF_UNIX, AF_INET, AF_INET6 };
static const uint32_t netlink[] = { AF_NETLINK };
static const uint32_t commands[] = { F_GETFD, F_SETFD,	       F_GETFL,
				     F_SETFL, F_DUPFD_CLOEXEC, F_GET_SEALS };
static const uint32_t requests[] = { (uint32_t)TUNGETIFF, (uint32_t)TUNSETCARRIER,
				     FIONREAD, SIOCGIFINDEX, SIOCGIFNAME };
static const uint32_t terminal[] = { TIOCGWINSZ, TCGETS, TCSETS, TCSETSW, TCSETSF };
static const uint32_t tap_requests[] = {
	(uint32_t)TUNSETIFF,
	TUNSETOWNER,
	(uint32_t)TUNGETIFF,
	TUNSETOFFLOAD,
	TUNSETVNETHDRSZ,
	TUNSETVNETLE,
	TUNSETVNETBE,
	TUNSETTXFILTER,
	(uint32_t)TUNDETACHFILTER,
	(uint32_t)TUNSETFILTEREBPF,
	TUNSETSNDBUF,
};
static const uint32_t zero[] = { 0 };

static const struct {
	const uint16_t *calls;
	const uint32_t *requests, *families;
	uint8_t n_calls, n_requests, n_families;
} roles[] = {
	[SANDBOX_RELAY] = { relay_calls, requests, families, ARRAY_SIZE(relay_calls),
			    ARRAY_SIZE(requests), ARRAY_SIZE(families) },
	[SANDBOX_WRITER] = { writer_calls, NULL, NULL, ARRAY_SIZE(writer_calls), 0, 0 },
	[SANDBOX_CLIENT] = { client_calls, terminal, families, ARRAY_SIZE(client_calls),
			     ARRAY_SIZE(terminal), 1 },
	[SANDBOX_NAMES] = { names_calls, requests, families, ARRAY_SIZE(names_calls),
			    ARRAY_SIZE(requests), ARRAY_SIZE(families) },
	[SANDBOX_TAPS] = { taps_calls, tap_requests, netlink, ARRAY_SIZE(taps_calls),
			   ARRAY_SIZE(tap_requests), ARRAY_SIZE(netlink) },
};

int filter_build(struct sock_filter *to, enum sandbox_role role,
		 const pid_t kills[SANDBOX_KILLS_MAX])
{
	uint32_t pids[SANDBOX_KILLS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < SANDBOX_KILLS_MAX; i++)
		if (kills[i] > 0)
			pids[n++] = (uint32_t)kills[i];

	const struct seccomp_check checks[] = {
		{ SYS_socket, 0, ALL, roles[role].families, roles[role].n_families },
		{ FCNTL, 1, ALL, commands, ARRAY_SIZE(commands) },
		{ SYS_ioctl, 1, ALL, roles[role].requests, roles[role].n_requests },
		{ MMAP, 2, PROT_EXEC, zero, 1 },
		{ SYS_mprotect, 2, PROT_EXEC, zero, 1 },
		{ SYS_kill, 0, ALL, pids, n },
		{ SYS_prlimit64, 0, ALL, zero, 1 },
	};

	return seccomp_build(to, roles[role].calls, roles[role].n_calls, checks,
			     ARRAY_SIZE(checks));
}
