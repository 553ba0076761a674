/* SPDX-License-Identifier: MIT */
/*
 * The filters of filter.c: what they say of every number, by an interpreter of the BPF
 * that they are made of; and what the kernel makes of the relay's, in processes that make
 * a call each.
 */
#include "sandbox/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/tap.h"
#include "lib/without.h"
#include "sandbox/seccomp.h"

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__arm__)
#define ARCH AUDIT_ARCH_ARM
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* The numbers that 32-bit machines have for these. */
#ifdef SYS_mmap2
#define MMAP SYS_mmap2
#define FCNTL SYS_fcntl64
#else
#define MMAP SYS_mmap
#define FCNTL SYS_fcntl
#endif

#define NUMBERS 1024 /* more than there are system calls */
#define PID 4711

static struct sock_filter filter[SECCOMP_FILTER_MAX];
static int n_filter;

/* ---- the interpreter: of the instructions that we use ---- */

static uint32_t word_at(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	if (offset > sizeof(*data) - sizeof(word))
		abort();
	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

static uint32_t run(const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (int pc = 0; pc < n_filter; pc++) {
		const struct sock_filter *i = &filter[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = word_at(data, i->k);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			abort();
		}
	}
	abort();
}

static bool passes(int call, uint64_t a, uint64_t b, uint64_t c)
{
	struct seccomp_data data = { .nr = call, .arch = ARCH, .args = { a, b, c } };
	uint32_t action = run(&data);

	if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_KILL_PROCESS)
		abort();
	return action == SECCOMP_RET_ALLOW;
}

static void build(enum sandbox_role role)
{
	n_filter = filter_build(filter, role, (const pid_t[]){ PID, 0 });
	if (n_filter <= 0)
		abort();
}

/* ---- what no role may ---- */

#define CALL(name)                \
	{                         \
#name, SYS_##name \
	}

static const struct {
	const char *name;
	int call;
} never[] = {
#ifdef SYS_open
	CALL(open),
	CALL(creat),
	CALL(unlink),
	CALL(rename),
	CALL(mkdir),
	CALL(chmod),
	CALL(chown),
	CALL(link),
	CALL(symlink),
	CALL(fork),
	CALL(dup2),
#endif
#ifdef SYS_vfork
	CALL(vfork),
#endif
	CALL(openat),
	CALL(execve),
	CALL(execveat),
	CALL(ptrace),
	CALL(clone),
	CALL(unlinkat),
	CALL(renameat2),
	CALL(mkdirat),
	CALL(fchmodat),
	CALL(fchownat),
	CALL(linkat),
	CALL(symlinkat),
	CALL(truncate),
	CALL(mount),
	CALL(umount2),
	CALL(chroot),
	CALL(pivot_root),
	CALL(setns),
	CALL(unshare),
	CALL(bpf),
	CALL(perf_event_open),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(kexec_load),
	CALL(init_module),
	CALL(finit_module),
	CALL(setuid),
	CALL(setresuid),
	CALL(setgid),
	CALL(setgroups),
	CALL(capset),
	CALL(prctl),
	CALL(seccomp),
	CALL(keyctl),
	CALL(add_key),
	CALL(userfaultfd),
	CALL(memfd_create),
	CALL(socketpair),
	CALL(dup3),
	CALL(tkill),
	CALL(tgkill),
	CALL(rt_sigqueueinfo),
	CALL(pidfd_open),
	CALL(io_uring_setup),
	CALL(reboot),
	CALL(settimeofday),
	CALL(sethostname),
	CALL(quotactl),
	CALL(personality),
	CALL(umask),
	CALL(flock),
	{ "clone3", 435 },
	{ "openat2", 437 },
	{ "pidfd_getfd", 438 },
	{ "x32's read", 0x40000000 },
	{ "x32's own ioctl", 0x40000000 + 514 },
	{ "-1", -1 },
};

/* What each may call whatever the arguments are. */
static void test_numbers(enum sandbox_role role, const char *name, unsigned most)
{
	unsigned n = 0, wrong = 0;

	build(role);
	for (int call = 0; call < NUMBERS; call++)
		n += passes(call, ~0ull, ~0ull, ~0ull);
	ok(n > 20 && n <= most, "%s: %u calls, and no more than %u", name, n, most);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		bool is_refused = !passes(never[i].call, 0, 0, 0) &&
				  !passes(never[i].call, ~0ull, ~0ull, ~0ull);

		if (!is_refused)
			ok(is_refused, "%s: %s is refused", name, never[i].name);
		wrong += !is_refused;
	}
	ok_eq_int(wrong, 0, "%s: what none may is refused", name);
	for (int call = 0; call < NUMBERS; call++) {
		struct seccomp_data other = { .nr = call, .arch = AUDIT_ARCH_I386 };

		wrong += run(&other) != SECCOMP_RET_KILL_PROCESS;
		wrong += passes(call | 0x40000000, 0, 0, 0);
	}
	ok_eq_int(wrong, 0, "%s: and all of other architectures", name);
}

/* ---- arguments ---- */

static unsigned count_families(void)
{
	unsigned n = 0;

	for (uint64_t family = 0; family < 256; family++)
		n += passes(SYS_socket, family, SOCK_DGRAM, 0);
	return n;
}

static unsigned count_low(int call, unsigned arg)
{
	unsigned n = 0;

	for (uint64_t value = 0; value < 0x10000; value++)
		n += arg ? passes(call, 0, value, 0) : passes(call, value, 0, 0);
	return n;
}

static void test_relay(void)
{
	build(SANDBOX_RELAY);
	ok(passes(SYS_socket, AF_UNIX, 0, 0) && passes(SYS_socket, AF_INET, 0, 0) &&
		   passes(SYS_socket, AF_INET6, 0, 0),
	   "relay: sockets of three families");
	ok_eq_int(count_families(), 3, "relay: and of no other");
	ok(passes(SYS_ioctl, 0, TUNGETIFF, 0) && passes(SYS_ioctl, 0, FIONREAD, 0) &&
		   passes(SYS_ioctl, 0, SIOCGIFINDEX, 0) &&
		   passes(SYS_ioctl, 0, (uint32_t)_IOW('T', 226, int), 0),
	   "relay: requests of ioctl()");
	ok(!passes(SYS_ioctl, 0, TUNSETIFF, 0) && !passes(SYS_ioctl, 0, TIOCSTI, 0) &&
		   !passes(SYS_ioctl, 0, SIOCSIFFLAGS, 0),
	   "relay: but not these");
	ok_eq_int(count_low(SYS_ioctl, 1), 3, "relay: of all below 65,536 three");
	ok(passes(FCNTL, 0, F_SETFL, 0) && passes(FCNTL, 0, F_DUPFD_CLOEXEC, 0) &&
		   passes(FCNTL, 0, F_GET_SEALS, 0) && !passes(FCNTL, 0, F_SETOWN, 0) &&
		   !passes(FCNTL, 0, F_SETSIG, 0) && !passes(FCNTL, 0, F_SETLK, 0),
	   "relay: commands of fcntl()");
	ok_eq_int(count_low(FCNTL, 1), 6, "relay: six in all");
	ok(passes(SYS_kill, PID, SIGTERM, 0) && !passes(SYS_kill, 0, SIGTERM, 0) &&
		   !passes(SYS_kill, 1, SIGTERM, 0) &&
		   !passes(SYS_kill, (uint64_t)-PID, SIGTERM, 0) &&
		   !passes(SYS_kill, ~0ull, SIGTERM, 0),
	   "relay: signals to one process");
	ok(passes(MMAP, 0, 4096, PROT_READ | PROT_WRITE) &&
		   !passes(MMAP, 0, 4096, PROT_READ | PROT_EXEC) &&
		   passes(SYS_mprotect, 0, 4096, PROT_READ) &&
		   !passes(SYS_mprotect, 0, 4096, PROT_EXEC),
	   "relay: no memory that is executable");
	ok(passes(SYS_prlimit64, 0, 0, 0) && !passes(SYS_prlimit64, 1, 0, 0),
	   "relay: limits of itself only");
}

static void test_others(void)
{
	build(SANDBOX_WRITER);
	ok_eq_int(count_families(), 0, "writer: no socket");
	ok(passes(SYS_ftruncate, 0, 0, 0) && passes(SYS_fchmod, 0, 0, 0) &&
		   !passes(SYS_ioctl, 0, TCGETS, 0) && !passes(SYS_connect, 0, 0, 0),
	   "writer: its file and nothing else");
	build(SANDBOX_CLIENT);
	ok(count_families() == 1 && passes(SYS_socket, AF_UNIX, 0, 0),
	   "client: unix sockets");
	ok(passes(SYS_ioctl, 0, TCSETSW, 0) && passes(SYS_ioctl, 0, TIOCGWINSZ, 0) &&
		   !passes(SYS_ioctl, 0, TIOCSTI, 0),
	   "client: its terminal");
	n_filter = filter_build(filter, SANDBOX_RELAY, (const pid_t[]){ 0, 0 });
	ok(!passes(SYS_kill, 0, 0, 0) && !passes(SYS_kill, PID, 0, 0) &&
		   !passes(SYS_kill, ~0ull, 0, 0),
	   "signals to nobody");
}

static void test_builder(void)
{
	static const uint32_t values[] = { 7, 9 };
	const struct seccomp_check check = { 20, 5, 0xff, values, ARRAY_SIZE(values) };
	struct seccomp_data data = { .nr = 20, .arch = ARCH };
	static uint16_t calls[SECCOMP_FILTER_MAX];

	n_filter = seccomp_build(filter, (const uint16_t[]){ 3, 4 }, 2, &check, 1);
	ok(passes(3, 0, 0, 0) && passes(4, 0, 0, 0) && !passes(5, 0, 0, 0), "a list");
	data.args[5] = 0xffffffff00001209;
	ok_eq_int(run(&data), SECCOMP_RET_ALLOW,
		  "the bits that count of a sixth argument");
	data.args[5] = 8;
	ok_eq_int(run(&data), SECCOMP_RET_KILL_PROCESS, "another value");
	ok_eq_int(seccomp_build(filter, calls, ARRAY_SIZE(calls), NULL, 0), -E2BIG,
		  "more than there is room for");
}

/* ---- the kernel ---- */

/* Return: the signal that the call ends a confined process by; 0: it returns. */
static int end_of(long call, long a, long b, long c)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (seccomp_apply(filter, n_filter) < 0)
			syscall(SYS_exit_group, 1);
		syscall(call, a, b, c, 0, 0, 0);
		syscall(SYS_exit_group, 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid ||
	    (WIFEXITED(status) && WEXITSTATUS(status)))
		abort();
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_kernel(void)
{
	long path = (long)(intptr_t) "/dev/null", none[] = { 0 };

	build(SANDBOX_RELAY);
	ok_eq_int(end_of(SYS_execve, path, (long)(intptr_t)none, (long)(intptr_t)none),
		  SIGSYS, "execve ends it");
	ok_eq_int(end_of(SYS_ptrace, PTRACE_TRACEME, 0, 0), SIGSYS, "ptrace ends it");
	ok_eq_int(end_of(SYS_openat, AT_FDCWD, path, O_RDONLY), SIGSYS, "openat ends it");
	ok_eq_int(end_of(SYS_openat, AT_FDCWD, path, O_WRONLY), SIGSYS,
		  "for writing, too");
#ifdef SYS_open
	ok_eq_int(end_of(SYS_open, path, O_RDONLY, 0), SIGSYS, "open ends it");
	ok_eq_int(end_of(SYS_fork, 0, 0, 0), SIGSYS, "fork ends it");
	ok_eq_int(end_of(0x40000000 | SYS_getpid, 0, 0, 0), SIGSYS, "x32 ends it");
#endif
	ok_eq_int(end_of(SYS_socket, AF_NETLINK, SOCK_RAW, 0), SIGSYS, "netlink ends it");
	ok_eq_int(end_of(SYS_socket, AF_PACKET, SOCK_RAW, 0), SIGSYS, "packet ends it");
	ok_eq_int(end_of(SYS_socket, 40, SOCK_STREAM, 0), SIGSYS, "vsock ends it");
	ok_eq_int(end_of(SYS_kill, 1, 0, 0), SIGSYS, "kill of another ends it");
	ok_eq_int(end_of(MMAP, 0, 4096, PROT_EXEC), SIGSYS, "code ends it");
	ok_eq_int(end_of(SYS_socket, AF_INET6, SOCK_DGRAM, 0), 0, "IPv6 does not");
	ok_eq_int(end_of(SYS_socket, AF_UNIX, SOCK_STREAM, 0), 0, "unix does not");
	ok_eq_int(end_of(FCNTL, 0, F_GETFL, 0), 0, "fcntl does not");
	ok_eq_int(end_of(SYS_ioctl, 0, (long)TUNGETIFF, 0), 0, "a tap's ioctl does not");
	ok_eq_int(end_of(SYS_read, -1, 0, 0), 0, "read does not");
}

int main(void)
{
	n_filter = filter_build(filter, SANDBOX_RELAY, (const pid_t[]){ PID, 0 });
	if (n_filter == -ENOTSUP) {
		ok(true, "no filters are made for this machine");
		return done();
	}
	test_numbers(SANDBOX_RELAY, "relay", 64);
	test_numbers(SANDBOX_WRITER, "writer", 52);
	test_numbers(SANDBOX_CLIENT, "client", 56);
	test_relay();
	test_others();
	test_builder();
	if (!leave_out("seccomp", "what the kernel makes of it"))
		test_kernel();
	return done();
}
