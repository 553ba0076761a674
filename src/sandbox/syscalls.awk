# SPDX-License-Identifier: MIT
#
# Makes the lists of system calls of seccomp filters out of what the source files say of
# themselves ("#syscalls:" in each one's first comment, which ci/syscalls checks):
#
#	awk -f src/sandbox/syscalls.awk src/*.c src/*/*.c > build/syscalls.h
#
# Each role (sandbox.h) is made of some of the files. Its list leaves out what these do
# only before they are confined, and what is allowed with certain arguments alone, which
# sandbox.c has. The most frequent calls come first.

BEGIN {
	# Of a role: patterns of its files, and of files that are not its own.
	files["relay"] = "^src/((base|frame|net|trunk|vhost|port|relay|capture|show|ctl)/|(program|daemon|reload)[.]c|helper/helper[.]c)"
	other["relay"] = "capture-(file|writer)[.]c"
	# Only the relay has peers who could keep it waiting.
	other["writer"] = other["client"] = "base/alarm[.]c"
	files["writer"] = "^src/(base/|capture/capture-(file|writer)[.]c)"
	files["client"] = "^src/(base/|client/|capture/capture-file[.]c|net/sock(-path)?[.]c)"
	files["names"] = "^src/(base/(log|pass-fd)|conf/conf-file|helper/(helper-serve|resolve)|sandbox/landlock)[.]c"
	files["taps"] = "^src/(base/(log|pass-fd)|conf/conf-file|net/(mnl-builtin|nl|tap)|sandbox/(caps|landlock|user)|" \
		"helper/(bridge-acl|file-cap|helper-serve|link-kind|tap-.*))[.]c"
	n_roles = split("relay writer client names taps", roles, " ")

	# Before: processes, files and paths, limits, signals. A confined process has them
	# done by the broker or the helper, or never again.
	before = "access chmod clone close_range dup2 dup3 execve fchmod fchownat flock fork getdents64 \
		memfd_create open pipe2 prctl readlink rt_sigaction setgroups setresgid setresuid setsid socketpair umask \
		unlink"
	# A writer has opened its file, but not begun it.
	still["writer"] = still["client"] = "fchmod rt_sigaction"
	# These open files, and fork for each request.
	still["names"] = still["taps"] = "access fork open pipe2 prctl"
	# With certain arguments only.
	checked = "fcntl ioctl kill mmap mprotect prlimit64 socket"

	# What no file says, for it is the C library that does it: of malloc(), exit(), and
	# the kernel, which goes on with a call after SIGSTOP by restart_syscall.
	always = "brk clock_gettime exit exit_group futex getpid getrandom gettid madvise mremap \
		munmap restart_syscall rt_sigprocmask sched_yield write writev"

	first = "epoll_pwait read readv write writev sendmsg recvmmsg recvfrom clock_gettime \
		timerfd_settime"

	# The same call as other architectures and C libraries have it.
	also("clock_gettime", "clock_gettime64")
	also("epoll_pwait", "epoll_wait epoll_pwait2")
	also("access", "faccessat faccessat2")
	also("fork", "clone clone3")
	also("fstat", "fstat64 newfstatat statx")
	also("ftruncate", "ftruncate64")
	also("futex", "futex_time64")
	also("getegid", "getegid32")
	also("geteuid", "geteuid32")
	also("getgid", "getgid32")
	also("getgroups", "getgroups32")
	also("getuid", "getuid32")
	also("lseek", "_llseek")
	also("lstat", "lstat64 fstatat64 newfstatat statx")
	also("open", "openat")
	also("pipe2", "pipe")
	also("poll", "ppoll ppoll_time64")
	also("recvmmsg", "recvmmsg_time64")
	also("sendmsg", "sendmmsg")
	also("stat", "stat64 fstatat64 newfstatat statx")
	also("timerfd_settime", "timerfd_settime64")
	also("rt_sigreturn", "sigreturn")
	for (i = 1; i <= n_roles; i++)
		add(roles[i], always)
	# The way back from a signal's handler (base/alarm.c, vhost/memory.c).
	add("relay", "rt_sigreturn")
}

function also(name, names) {
	others[name] = names
}

function add(role, names,    n, name, i) {
	n = split(names, name, " ")
	for (i = 1; i <= n; i++) {
		has[role, name[i]] = 1
		if (!(name[i] in known)) {
			known[name[i]] = 1
			all = all " " name[i]
		}
	}
}

function drop(role, names,    n, name, i) {
	n = split(names, name, " ")
	for (i = 1; i <= n; i++)
		delete has[role, name[i]]
}

function one(name) {
	if (name in done)
		return
	done[name] = 1
	printf "#ifdef SYS_%s\n\tSYS_%s,\n#endif\n", name, name
}

function print_list(role, names,    n, name, i) {
	n = split(names, name, " ")
	for (i = 1; i <= n; i++) {
		if (!((role, name[i]) in has))
			continue
		one(name[i])
		print_others(others[name[i]])
	}
}

function print_others(names,    n, name, i) {
	n = split(names, name, " ")
	for (i = 1; i <= n; i++)
		one(name[i])
}

/^ \* #syscalls: / {
	for (i = 1; i <= n_roles; i++)
		if (FILENAME ~ files[roles[i]] &&
		    !(roles[i] in other && FILENAME ~ other[roles[i]])) {
			wanted = $0
			sub(/.*#syscalls: /, "", wanted)
			add(roles[i], wanted)
		}
}

END {
	print "/* Made by src/sandbox/syscalls.awk. */"
	for (i = 1; i <= n_roles; i++) {
		role = roles[i]
		split("", keep)
		n = split(still[role], names, " ")
		for (k = 1; k <= n; k++)
			keep[names[k]] = (role, names[k]) in has
		drop(role, before " " checked)
		for (name in keep)
			if (keep[name])
				has[role, name] = 1
		split("", done)
		printf "static const uint16_t %s_calls[] = {\n", role
		print_list(role, first all)
		print "};"
	}
}
