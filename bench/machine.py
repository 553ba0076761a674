# SPDX-License-Identifier: MIT
"""
The machine that is measured on: a sandbox, processes pinned to cores, network
namespaces, taps and sockets.

sandbox() starts the program again in network, mount and PID namespaces of its
own, with a /run of its own. What is made or started below ends with the first
process in there, however that ends; so nothing is cleaned up by hand.
"""
import contextlib
import ctypes
import fcntl
import glob
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time

LOAD_CORE, RELAY_CORE = 0, 1
RUN = "/run/bench"
PATIENCE = 10  # seconds, for what should take a moment
MARK = "NETRELAY_BENCH_SANDBOX"
PR_SET_PDEATHSIG = 1

TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 0x01, 0x02, 0x04
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
SOL_UDP, UDP_GRO = 17, 104
BUFFER = 8 << 20
# Linux's own default, whatever the host's is: with BBR timers would be measured.
CONGESTION = "cubic"


class Failure(Exception):
    """The benchmark can't go on, for the reason given."""


def enter_sandbox():
    """Runs this program again in new namespaces, and ends with it; it ends with us."""
    argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL",
            "--mount-proc", sys.executable] + sys.argv
    # unshare itself ignores the signals that would end it.
    die_with_us = ctypes.CDLL(None).prctl
    inside = subprocess.Popen(argv, env={**os.environ, MARK: "1"},
                              preexec_fn=lambda: die_with_us(PR_SET_PDEATHSIG,
                                                             signal.SIGKILL))
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: inside.kill())
    try:
        status = inside.wait()
    except KeyboardInterrupt:
        inside.kill()
        status = 130
    sys.exit(status if status >= 0 else 128 - status)


def sandbox():
    """Returns only in new namespaces: runs this program again if need be."""
    if os.environ.get(MARK) is None:
        enter_sandbox()
    # A PID namespace's first process gets only the signals that it handles.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    sh("mount -t tmpfs bench /run")
    sh("mount -t tracefs tracefs /sys/kernel/tracing", check=False)
    os.makedirs(RUN)
    sh("ip link set lo up")
    quiet("")
    os.sched_setaffinity(0, {LOAD_CORE})


def quiet(ns):
    """Turns IPv6 off: its neighbour discovery would send frames of its own."""
    sh(f"{ns} sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'")


def sh(command, check=True):
    """Runs a shell command; returns its output."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode:
        raise Failure(f"{command}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


def wait_for(what, condition, seconds=PATIENCE):
    """Waits until condition() is true; returns its value."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.01)


# ---- processes ----

def start(argv, core=RELAY_CORE, fds=(), ns=None, log=None, **more):
    """Starts a program on a core (None: any); it inherits the sockets in fds."""
    argv = [str(a) for a in argv]
    if ns:
        argv = ["ip", "netns", "exec", ns] + argv
    cores = set(range(os.cpu_count())) if core is None else {core}
    more.setdefault("stdin", subprocess.PIPE)  # held open: some end with it
    more.setdefault("stdout", subprocess.DEVNULL)
    with open(log or os.devnull, "w") as err:
        return subprocess.Popen(argv, stderr=err, pass_fds=[fd_of(f) for f in fds],
                                preexec_fn=lambda: os.sched_setaffinity(0, cores),
                                **more)


def fd_of(f):
    return f if isinstance(f, int) else f.fileno()


def end(processes):
    for p in processes:
        p.terminate()
    for p in processes:
        try:
            p.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


def family(pid):
    """The pids of a process and of all its descendants."""
    pids = [pid]
    for p in pids:
        try:
            with open(f"/proc/{p}/task/{p}/children") as f:
                pids += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return pids


def cpu_ns(pids):
    """CPU time that those processes and their descendants have used, in all threads."""
    total = 0
    for pid in [q for p in pids for q in family(p)]:
        for stat in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                with open(stat) as f:
                    total += int(f.read().split()[0])
            except OSError:
                pass  # that thread has just ended
    return total


def rss_kb(pid):
    """Resident KiB, counted page by page; VmRSS is only an estimate."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Rss:"))


def listens_to(pid, signal_):
    """Whether the process blocks or catches this signal, so that it does not end it."""
    with open(f"/proc/{pid}/status") as f:
        masks = [int(line.split()[1], 16) for line in f
                 if line.startswith(("SigBlk:", "SigCgt:"))]
    return any(mask >> (signal_ - 1) & 1 for mask in masks)


# ---- sockets ----

def roomy(sock):
    """Gives a socket buffers as large as the relay's, so that we lose no frames."""
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER)
    return sock


def listener(family_, address):
    s = socket.socket(family_, socket.SOCK_STREAM)
    s.bind(address)
    s.listen(1024)
    return s


def accept(s):
    s.settimeout(PATIENCE)
    try:
        sock, _ = s.accept()
    except TimeoutError:
        raise Failure("the relay did not connect") from None
    sock.setblocking(True)
    return tuned(sock)


def tuned(sock):
    """Sets up TCP as netrelay does: without delay and without pacing."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION.encode())
    return sock


def tcp_pair():
    s = listener(socket.AF_INET, ("127.0.0.1", 0))
    a = tuned(socket.create_connection(s.getsockname()))
    return a, accept(s)


def udp(port, peer, gro=False):
    s = roomy(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    s.bind(("127.0.0.1", port))
    s.connect(("127.0.0.1", peer))
    if gro:
        s.setsockopt(SOL_UDP, UDP_GRO, 1)
    return s


def packet(interface, receives):
    """A packet socket; the owner of the tap reads what is sent on it."""
    s = roomy(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    s.bind((interface, 3 if receives else 0))  # ETH_P_ALL
    return s


# ---- interfaces ----

def tap(name, offload=False, header=10):
    """
    Makes a tap and sets it up; it exists as long as the returned descriptor is open.
    @header: bytes of the virtio header that super-frames have.
    """
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    flags = IFF_TAP | IFF_NO_PI | (IFF_VNET_HDR if offload else 0)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    if offload:
        fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", header))
        fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
    return fd


def netns(name):
    sh(f"ip netns add {name}")
    sh(f"ip -n {name} link set lo up")
    quiet(f"ip netns exec {name}")
    return name


@contextlib.contextmanager
def inside(ns):
    """Sockets made in this context belong to that namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{ns}") as there:
        if libc.setns(there.fileno(), 0):
            raise Failure(f"{ns}: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            libc.setns(home.fileno(), 0)


def vde_connect(directory, number):
    """Opens a port of a vde_switch, as libvdeplug does; returns its two sockets."""
    path = f"{directory}.{number}".encode()
    data = roomy(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    data.bind(path)
    ctl = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    ctl.connect(f"{directory}/ctl")
    ctl.send(struct.pack("=IIiH108s128s", 0xFEEDFACE, 3, 0, socket.AF_UNIX, path,
                         b"bench"))
    answer = ctl.recv(110)
    data.connect(answer[2:].split(b"\0")[0])
    return data, ctl
