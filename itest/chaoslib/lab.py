# SPDX-License-Identifier: MIT
"""Relays that run, how to ask them, and what of theirs can be looked at."""
import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import time

from .frames import Finding

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
ANSWER_S = 30  # on a machine that has other things to do, too
# Of a relay that has nothing to do: stdin, stdout, stderr, what the loop waits with, for
# signals and for time, two of netlink, and its control socket.
OWN_FDS = 9
METRICS_FDS, CAPTURE_FDS = 2, 1
# Where buffers come and go all the time, musl keeps a block of up to 28 freed ones, 80 KB each.
# What it has touched by then: its buffer, its tables, what a port keeps of its queue, and
# what waits for a capture's reader.
MORE_RSS_KB, GROWTH_KB, PORT_RSS_KB, CAPTURE_RSS_KB = 3000, 2500, 700, 5000
TICKS = os.sysconf("SC_CLK_TCK")
libc = ctypes.CDLL(None, use_errno=True)


def run(*words, may_fail=False):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode and not may_fail:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.returncode == 0


def ip(*words, may_fail=False):
    return run("ip", *words, may_fail=may_fail)


def enter_namespace():
    """A network of our own, which is gone when the last process in it is."""
    if libc.unshare(CLONE_NEWNET) < 0:
        return False
    ip("link", "set", "lo", "up", "multicast", "on")
    ip("route", "add", "224.0.0.0/4", "dev", "lo")
    return True


class Elsewhere:
    """Another network namespace, where interfaces can be sent to."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["unshare", "--net", "sleep", "1000000"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.process.pid}/ns/net") == ours:
            time.sleep(0.001)

    def __str__(self):
        return str(self.process.pid)

    def end(self):
        self.process.kill()
        self.process.wait()


def adopt_orphans():
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # So that ^C is for us alone, and what we may have been told to ignore is not for them.
    os.setpgid(0, 0)
    for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(sig, signal.SIG_DFL)


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def descendants_of(pid):
    out = []
    for child in children_of(pid):
        out += [child, *descendants_of(child)]
    return out


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def show_process(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "gone"


def refuser_for(program):
    """What makes calls of a program fail; None for a static one, or if it was not built."""
    path = os.path.join(os.path.dirname(os.path.abspath(program)), "refuse.so")
    with open(program, "rb") as file:
        is_dynamic = b"/ld-linux" in file.read(4096)
    return path if is_dynamic and os.path.exists(path) else None


def describe_process(pid):
    words = [show_process(pid)]
    for file in ("stat", "wchan", "syscall"):
        try:
            with open(f"/proc/{pid}/{file}", encoding="ascii") as f:
                words.append(f.read().strip()[:60])
        except OSError:
            pass
    return ": ".join(words)


class Relay:
    """A relay with a control socket. @takes: where clients may connect."""

    def __init__(self, name, program, folder, args, seed):
        self.name, self.program, self.args = name, program, args
        self.ctl, self.log = f"{folder}/{name}.ctl", f"{folder}/{name}.err"
        self.takes, self.protected, self.dark_until = [], set(), 0
        self.is_stopped, self.answered = False, time.monotonic()
        self.last_sums, self.metrics, self.folder = {}, None, folder
        self.kind = "cable"
        self.is_sanitized, self.has_capture = "sanitized" in program, "--capture" in args
        self.rss_at_start = self.rss_when_bare = None
        self.listener_texts, self.n_main_listeners = {}, 0
        self.seal, self.guests = None, None
        asan = "exitcode=99:quarantine_size_mb=16:malloc_context_size=12"
        env = dict(os.environ, ASAN_OPTIONS=f"{asan}:verify_asan_link_order=0",
                   UBSAN_OPTIONS="print_stacktrace=1:exitcode=99", LSAN_OPTIONS="exitcode=99")
        self.refuse_file, refuse = f"{folder}/{name}.refuse", refuser_for(program)
        self.can_refuse = refuse is not None
        if refuse:
            self.refuse(0)
            env.update(LD_PRELOAD=refuse, REFUSE=self.refuse_file, REFUSE_SEED=str(seed))
        with open(self.log, "ab") as err:
            self.process = subprocess.Popen(
                [program, "--ctl", self.ctl, *args], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=err, env=env,
                preexec_fn=die_with_parent)
        self.pid = self.process.pid
        self.limits = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)

    def command(self):
        return " ".join([os.path.basename(self.program), "--ctl", self.ctl, *self.args])

    # ---- asking it ----

    def dial_ctl(self, timeout=ANSWER_S):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        try:
            sock.connect(self.ctl)
        except OSError:
            sock.close()
            raise
        return sock

    def wait_ready(self):
        limit = time.monotonic() + ANSWER_S
        while True:
            self.check_alive()
            try:
                self.dial_ctl().close()
                self.rss_at_start = self.rss_kb()
                return
            except OSError as error:
                if time.monotonic() > limit:
                    raise Finding(f"{self.name}: no control socket after "
                                  f"{ANSWER_S} s") from error
                time.sleep(0.02)

    def ask(self, line):
        """Return: its answer, whole; None while it can't take us for there are others."""
        data = b""
        try:
            with self.dial_ctl() as sock:
                sock.sendall(line.encode() + b"\n")
                while more := sock.recv(1 << 16):
                    data += more
        except ConnectionError:
            # One who is turned away may not come so far as to read why.
            self.check_alive()
            return None
        except (TimeoutError, BlockingIOError) as error:
            self.check_alive()
            raise Finding(f"{self.name}: no answer to {line!r} within {ANSWER_S} s "
                          f"({error}); it is {self.describe()}") from error
        if data.startswith(b"error: too many clients"):
            return None
        if not data.startswith((b"ok\n", b"error: ")):
            self.check_alive()
            raise Finding(f"{self.name}: answered {line!r} with {data[:80]!r}")
        return data.decode()

    def status(self):
        text = self.ask("status --json")
        if text is None:
            if time.monotonic() - self.answered > ANSWER_S:
                raise Finding(f"{self.name}: turned all away for {ANSWER_S} s")
            return None
        self.answered = time.monotonic()
        try:
            return json.loads(text[3:])
        except ValueError as error:
            raise Finding(f"{self.name}: status is no JSON: {error}: {text[:200]}") from error

    def darken(self, seconds):
        """For so long it need not answer."""
        self.dark_until = time.monotonic() + seconds

    def is_dark(self):
        return self.dark_until > 0

    # ---- looking at it ----

    def check_sums(self, status):
        """Each frame is accounted for, and nothing counts backwards."""
        left = status["received"] + status["copied"]
        right = status["sent"] + status["queued"] + status["dropped"]
        if left != right:
            raise Finding(f"{self.name}: received {status['received']} + copied "
                          f"{status['copied']} is not sent {status['sent']} + queued "
                          f"{status['queued']} + dropped {status['dropped']}")
        ports = status["ports"]
        parts = {
            "received": sum(p["rx_frames"] for p in ports),
            "sent": sum(p["tx_frames"] for p in ports),
            "dropped": sum(sum(p["drops"].values()) for p in ports),
        }
        for what, part in parts.items():
            if part > status[what] or status[what] < self.last_sums.get(what, 0):
                raise Finding(f"{self.name}: {what} is {status[what]}, at the ports {part}, "
                              f"and was {self.last_sums.get(what, 0)}")
            self.last_sums[what] = status[what]
        if sum(p["queue_frames"] for p in ports) != status["queued"]:
            raise Finding(f"{self.name}: {status['queued']} are queued, but not at its ports")
        for p in ports:
            if (p["queue_bytes"] > p["queue_limit"]
                    or (p["queue_frames"] > 0) != (p["queue_bytes"] > 0)):
                raise Finding(f"{self.name}: {p['name']} queues {p['queue_frames']} frames, "
                              f"{p['queue_bytes']} bytes of {p['queue_limit']}")

    def check_bare(self, n_ports):
        """All have left but those who stay to the end: it holds what it held at its start."""
        most = (OWN_FDS + self.n_main_listeners + bool(self.seal) + bool(self.guests)
                + METRICS_FDS * bool(self.metrics) + CAPTURE_FDS * self.has_capture + n_ports)
        limit = time.monotonic() + 10
        while len(fds := self.without_helpers(self.fds())) > most:
            if time.monotonic() > limit:
                raise Finding(f"{self.name}: {len(fds)} descriptors are open, {most} at most "
                              f"are in use:\n{self.describe_fds(fds)}")
            time.sleep(0.1)
        self.check_memory(n_ports)

    def check_memory(self, n_ports):
        """A sanitizer looks for leaks at the end; it keeps much of what was freed."""
        now = self.rss_kb()
        most = self.rss_at_start + MORE_RSS_KB
        if self.rss_when_bare:
            most = min(most, self.rss_when_bare + GROWTH_KB)
        most += n_ports * PORT_RSS_KB + self.has_capture * CAPTURE_RSS_KB
        if self.is_sanitized:
            most = 600_000
        if now > most:
            raise Finding(f"{self.name}: {now} KB are resident with nobody there, {most} are "
                          f"the most; {self.rss_at_start} were at its start")
        self.rss_when_bare = self.rss_when_bare or now

    def check_alive(self):
        if self.process.poll() is not None:
            raise Finding(f"{self.name}: {self.how_it_ended()}")

    def how_it_ended(self):
        code = self.process.returncode
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with status {code}{', by a sanitizer' if code == 99 else ''}"

    def describe(self):
        """What it and those below it do."""
        return "\n".join(describe_process(pid) for pid in [self.pid, *descendants_of(self.pid)])

    def cpu_s(self):
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            return 0
        return (int(fields[11]) + int(fields[12])) / TICKS

    def sockets(self):
        """By inode, what the kernel tells of them."""
        out = {}
        for kind in ("unix", "tcp", "tcp6", "udp", "udp6", "netlink", "packet"):
            try:
                with open(f"/proc/{self.pid}/net/{kind}", encoding="utf-8",
                          errors="replace") as file:
                    for line in file:
                        for word in line.split():
                            out.setdefault(word, f"{kind}: {line.strip()}")
            except OSError:
                pass
        return out

    def describe_fds(self, fds):
        known = self.sockets()
        return "\n".join(known.get(fd.strip("socket:[]"), fd) for fd in sorted(fds))

    def without_helpers(self, fds):
        """But for its ways to the broker and to three helpers: one that was killed is replaced in time.

        There is only one of each at any time, so a fifth way is a leak.
        """
        known = self.sockets()
        ways = [fd for fd in fds if " 0005 " in known.get(fd.strip("socket:[]"), "")]
        return [fd for fd in fds if fd not in ways[:4]]

    def fds(self):
        """What its descriptors are."""
        out = []
        try:
            for fd in os.listdir(f"/proc/{self.pid}/fd"):
                try:
                    out.append(os.readlink(f"/proc/{self.pid}/fd/{fd}"))
                except FileNotFoundError:
                    pass
        except OSError:
            pass
        return out

    def rss_kb(self):
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
                for line in file:
                    if line.startswith("VmRSS:"):
                        return int(line.split()[1])
        except OSError:
            pass
        return 0

    def processes(self):
        """Those that are netrelay's; not the broker's parent, which nothing replaces."""
        top = children_of(self.pid)
        return [pid for pid in descendants_of(self.pid)
                if name_of(pid).startswith("netrelay-")
                and not (pid in top and name_of(pid) == "netrelay-broker")]

    def limit_fds(self, count):
        try:
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (count, self.limits[1]))
        except ProcessLookupError:
            self.check_alive()

    def refuse(self, per_mille):
        """So many of its system calls fail."""
        # Never cut to nothing: it is mapped there.
        fd = os.open(self.refuse_file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, per_mille.to_bytes(4, "little"))
        os.close(fd)

    def restore(self):
        """As it was before anything was done to it from outside."""
        if self.can_refuse:
            self.refuse(0)
        if self.process.poll() is None:
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE,
                             (self.limits[1], self.limits[1]))
            os.kill(self.pid, signal.SIGCONT)

    # ---- the end ----

    def stop(self, sig=signal.SIGTERM):
        """Return: what was wrong about its end, or None."""
        started, self.is_stopped = time.monotonic(), True
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            code = self.process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            text = self.describe()
            self.kill()
            return f"did not end within {ANSWER_S} s of {sig.name}; it was {text}"
        if code:
            return f"{self.how_it_ended()} at {sig.name}"
        if os.path.exists(self.ctl):
            return "left its control socket behind"
        if time.monotonic() - started > 8:
            return f"took {time.monotonic() - started:.0f} s to end"
        return None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def last_words(self, lines=60):
        """Of its messages, those at the end; a sanitizer's report in full."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            text = file.read().split("\n")
        for i, line in enumerate(text):
            if "ERROR: " in line or "runtime error" in line:
                return "\n".join(text[max(0, i - 5) : i + 70])
        return "\n".join(text[-lines:])
