/* SPDX-License-Identifier: MIT */
/*
 * Builds the program for the kernel's BPF machine. It is a chain of comparisons with the
 * call's number. Since Linux 5.11 the kernel knows from the start which calls pass
 * whatever their arguments are, and does not run it for those.
 *
 * #syscalls: prctl
 */
#include "sandbox/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

/*
 * Where there is socketcall(), C libraries may prefer it to socket() and its kin, and a
 * filter can't see what it is for: there is none for i386, MIPS, PowerPC and s390.
 */
#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#define ARCH 0
#endif

/* Linux 4.14; older kernels take it for their own kill, which ends the thread. */
#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif

/* Where the lower half of an argument is: all are 64 bits wide (struct seccomp_data). */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOW_WORD 4
#else
#define LOW_WORD 0
#endif

struct program {
	struct sock_filter *at;
	unsigned n;
};

static void put(struct program *p, struct sock_filter instruction)
{
	if (p->n < SECCOMP_FILTER_MAX)
		p->at[p->n] = instruction;
	p->n++;
}

static void load(struct program *p, size_t offset)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void give(struct program *p, uint32_t action)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Go on with the next instruction if what is loaded is @value; else skip @others. */
static void only(struct program *p, uint32_t value, unsigned others)
{
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0,
					    (uint8_t)others));
}

static void allow(struct program *p, int call)
{
	only(p, (uint32_t)call, 1);
	give(p, SECCOMP_RET_ALLOW);
}

static void check(struct program *p, const struct seccomp_check *c)
{
	only(p, (uint32_t)c->call, 2 * c->n + 3);
	load(p,
	     offsetof(struct seccomp_data, args) + c->arg * sizeof(uint64_t) + LOW_WORD);
	put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, c->mask));
	for (unsigned i = 0; i < c->n; i++)
		allow(p, (int)c->values[i]);
	give(p, SECCOMP_RET_KILL_PROCESS);
}

int seccomp_build(struct sock_filter *to, const uint16_t *calls, unsigned n_calls,
		  const struct seccomp_check *checks, unsigned n_checks)
{
	struct program p = { .at = to };

	if (!ARCH)
		return -ENOTSUP;
	load(&p, offsetof(struct seccomp_data, arch));
	put(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	give(&p, SECCOMP_RET_KILL_PROCESS);
	load(&p, offsetof(struct seccomp_data, nr));
	/* No number of x32 is on a list, since all of these have a bit that ours have not. */
	for (unsigned i = 0; i < n_calls; i++)
		allow(&p, calls[i]);
	for (unsigned i = 0; i < n_checks; i++)
		check(&p, &checks[i]);
	give(&p, SECCOMP_RET_KILL_PROCESS);
	return p.n > SECCOMP_FILTER_MAX ? -E2BIG : (int)p.n;
}

int seccomp_apply(const struct sock_filter *filter, int n)
{
	struct sock_fprog program = {
		.len = (unsigned short)n,
		.filter = (struct sock_filter *)(uintptr_t)filter,
	};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return 0;
}
