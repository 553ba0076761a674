/* SPDX-License-Identifier: MIT */
/*
 * An older kernel: runs a command, for which and for whose children the kernel does not
 * know some of what netrelay uses where it is there. A seccomp filter answers as such a
 * kernel would, so programs of any kind can be run, also those that are static, and
 * those that confine themselves.
 *
 *	LACKS=gro,ipv6 build/without COMMAND...
 *
 * The names are those of the table below, or "all".
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifndef SOL_UDP
#define SOL_UDP IPPROTO_UDP
#endif
#define RTO_MAX_MS 44			   /* TCP_RTO_MAX_MS of linux/tcp.h since 6.15 */
#define PASSRIGHTS 83			   /* SO_PASSRIGHTS of sys/socket.h since 6.16 */
#define TUNSETCARRIER_ _IOW('T', 226, int) /* of linux/if_tun.h since 4.20 */
#define USO (0x20u | 0x40u)		   /* TUN_F_USO4 and TUN_F_USO6, since 6.2 */
#define ANY             \
	{               \
		0, 0, 0 \
	}

/* Argument @at, of which one of the bits of @mask is set; or if there is no mask, is @is. */
struct argument {
	unsigned at;
	uint32_t is;
	uint32_t mask;
};

static const struct rule {
	const char *name;
	long call;
	struct argument first; /* at 0 of no mask, and 0: any */
	struct argument second;
	int err;
} rules[] = {
	{ "offload", SYS_ioctl, { 1, (uint32_t)TUNSETOFFLOAD, 0 }, ANY, EINVAL },
	{ "offload", SYS_ioctl, { 1, (uint32_t)TUNSETVNETHDRSZ, 0 }, ANY, EINVAL },
	{ "uso", SYS_ioctl, { 1, (uint32_t)TUNSETOFFLOAD, 0 }, { 2, 0, USO }, EINVAL },
	{ "carrier", SYS_ioctl, { 1, (uint32_t)TUNSETCARRIER_, 0 }, ANY, EINVAL },
	{ "gro", SYS_setsockopt, { 1, SOL_UDP, 0 }, { 2, UDP_GRO, 0 }, ENOPROTOOPT },
	{ "gso", SYS_setsockopt, { 1, SOL_UDP, 0 }, { 2, UDP_SEGMENT, 0 }, ENOPROTOOPT },
	{ "gso", SYS_getsockopt, { 1, SOL_UDP, 0 }, { 2, UDP_SEGMENT, 0 }, ENOPROTOOPT },
	{ "ipv6", SYS_socket, { 0, AF_INET6, 0 }, ANY, EAFNOSUPPORT },
	{ "landlock", 444, ANY, ANY, ENOSYS },
	{ "landlock", 445, ANY, ANY, ENOSYS },
	{ "landlock", 446, ANY, ANY, ENOSYS },
	{ "seccomp", SYS_prctl, { 0, PR_SET_SECCOMP, 0 }, ANY, EINVAL },
	{ "seccomp", SYS_seccomp, ANY, ANY, ENOSYS },
	{ "close_range", 436, ANY, ANY, ENOSYS },
	{ "rto_max",
	  SYS_setsockopt,
	  { 1, IPPROTO_TCP, 0 },
	  { 2, RTO_MAX_MS, 0 },
	  ENOPROTOOPT },
	{ "passrights",
	  SYS_setsockopt,
	  { 1, SOL_SOCKET, 0 },
	  { 2, PASSRIGHTS, 0 },
	  ENOPROTOOPT },
	{ "rto_max",
	  SYS_getsockopt,
	  { 1, IPPROTO_TCP, 0 },
	  { 2, RTO_MAX_MS, 0 },
	  ENOPROTOOPT },
};

#define N_RULES (sizeof(rules) / sizeof(rules[0]))
#define RULE_MAX 8 /* instructions */

static struct sock_filter filter[4 + 2 * N_RULES * RULE_MAX]; /* each rule twice */
static unsigned short n;

static void put(uint16_t code, uint32_t k, unsigned yes, unsigned no)
{
	if (n == sizeof(filter) / sizeof(filter[0]))
		abort();
	filter[n++] = (struct sock_filter)BPF_JUMP(code, k, (uint8_t)yes, (uint8_t)no);
}

static void load(size_t offset)
{
	put(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Skip @others instructions unless it is what @a says. */
static void check(const struct argument *a, unsigned others)
{
	if (!a->at && !a->is && !a->mask)
		return;
	load(offsetof(struct seccomp_data, args) + a->at * sizeof(uint64_t));
	put(a->mask ? BPF_JMP | BPF_JSET | BPF_K : BPF_JMP | BPF_JEQ | BPF_K,
	    a->mask ? a->mask : a->is, 0, others);
}

static unsigned size_of(const struct argument *a)
{
	return a->at || a->is || a->mask ? 2 : 0;
}

static void refuse(const struct rule *r)
{
	load(offsetof(struct seccomp_data, nr));
	put(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->call, 0,
	    size_of(&r->first) + size_of(&r->second) + 1);
	check(&r->first, size_of(&r->second) + 1);
	check(&r->second, 1);
	put(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)r->err, 0, 0);
}

/* Refuse what @name stands for. Return: whether it stands for anything. */
static bool add(const char *name)
{
	bool is_all = !strcmp(name, "all"), is_known = false;

	for (size_t i = 0; i < N_RULES; i++) {
		if (!is_all && strcmp(name, rules[i].name) != 0)
			continue;
		is_known = true;
		refuse(&rules[i]);
	}
	return is_known;
}

static int apply(void)
{
	const struct sock_fprog program = { .len = n, .filter = filter };

	/* Root needs no no_new_privs for it, so what it runs may still become others. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		return 0;
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	const char *list = getenv("LACKS");
	char copy[256], *rest = copy, *name;

	if (argc < 2 || !list || strlen(list) >= sizeof(copy)) {
		fprintf(stderr, "usage: LACKS=NAME[,NAME...] without COMMAND...\n");
		return 2;
	}
	strcpy(copy, list);
	load(offsetof(struct seccomp_data, arch));
	put(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	put(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	while ((name = strsep(&rest, ","))) {
		if (!add(name)) {
			fprintf(stderr, "without: %s: there is no such name\n", name);
			return 2;
		}
	}
	put(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	if (apply() < 0) {
		perror("without: seccomp");
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
