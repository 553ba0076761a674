# SPDX-License-Identifier: MIT
"""
How each relay is set up between the sockets of a load generator: one function
for a kind of link, with a branch for each relay that can do it.

A set-up returns a Rig: the processes that are the relay, and the load
generator's ports on it.
"""
import os
import re
import signal
import socket
import time

import machine
from machine import Failure, RUN, sh, start, wait_for

NETRELAY = os.environ.get("NETRELAY")
BEFORE = os.environ.get("BEFORE")  # another netrelay, measured beside this one
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = None  # where bench/build put its programs
ITEST = None  # where itest/crowd is
SOCAT = ["socat", "-b", "131072"]  # as large a receive as netrelay's
PORTS = iter(range(20000, 30000))
NAMES = iter(range(1, 10000))


class Rig:
    """A relay under load, and the generator's process."""

    def __init__(self, relays, ports, keep=(), log=None):
        self.relays, self.keep, self.log = relays, keep, log
        self.pids = [p for r in relays for p in machine.family(r.pid)]
        self.ports = ports
        self.load = start([f"{TOOLS}/load", ",".join(map(str, self.pids))] +
                          [f"{c}:{machine.fd_of(s)}" for c, s in ports],
                          core=machine.LOAD_CORE, fds=[s for _, s in ports],
                          log=f"{RUN}/load.{next(NAMES)}",
                          stdout=machine.subprocess.PIPE, text=True)

    def ask(self, command):
        """Has the generator run a round; returns its answer as a dictionary of numbers."""
        self.load.stdin.write(command + "\n")
        self.load.stdin.flush()
        line = self.load.stdout.readline()
        for r in self.relays:
            if r.poll() is not None:
                raise Failure(f"{r.args[0]} ended, with {r.returncode}, at: {command}")
        if not line:
            raise Failure(f"the load generator ended at: {command}")
        return {k: int(v) for k, v in (w.split("=") for w in line.split())}

    def drops(self):
        """The frames that a netrelay has dropped: {reason: frames}."""
        if not self.log:
            return {}
        before = os.path.getsize(self.log)
        self.relays[0].send_signal(signal.SIGUSR1)

        def report():
            with open(self.log) as f:
                f.seek(before)
                text = f.read()
            return text if "end of status" in text else None

        found = {}
        for line in wait_for("netrelay's status", report).splitlines():
            words = line.partition("dropped: ")[2].split()
            for reason, n in zip(words[::2], words[1::2]):
                found[reason] = found.get(reason, 0) + int(n)
        return found

    def close(self):
        machine.end([self.load] + self.relays)
        for s in [s for _, s in self.ports] + list(self.keep):
            os.close(s) if isinstance(s, int) else s.close()


def is_netrelay(relay):
    return relay.split()[0] in ("netrelay", "before")


def with_before(names):
    """Those, and beside each netrelay the one before, if there is one."""
    for name in names:
        yield name
        if BEFORE and is_netrelay(name):
            yield name.replace("netrelay", "before")


def netrelay(relay, *args, **more):
    """
    Starts netrelay, or the one before if @relay begins so; returns its process and the
    file of its messages.
    """
    log = f"{RUN}/netrelay.{next(NAMES)}"
    program = BEFORE if relay.split()[0] == "before" else NETRELAY
    process = start([program, *args], log=log, **more)
    wait_for("netrelay to begin",
             lambda: machine.listens_to(process.pid, signal.SIGUSR1))
    return process, log


def null(kind, a, b, **more):
    return start([f"{TOOLS}/null", kind, machine.fd_of(a), machine.fd_of(b)],
                 fds=[a, b], **more)


def settled(relay, log):
    """Waits until both ends of a netrelay are up: only then it reads."""
    def up():
        relay.send_signal(signal.SIGUSR1)
        time.sleep(0.02)
        with open(log) as f:
            last = f.read().rpartition("status: ")[2]
        ports = re.findall(r": port \d+ .*?: (\w+), rx", last)
        return ports and set(ports) == {"up"}

    wait_for("netrelay's ports to come up", up)


def dial(path):
    wait_for(path, lambda: os.path.exists(path))
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


# ---- streams ----

def stream_rig(relay, kind):
    """kind: tcp or unix."""
    if relay == "null":
        a, ra = machine.tcp_pair() if kind == "tcp" else socket.socketpair()
        b, rb = machine.tcp_pair() if kind == "tcp" else socket.socketpair()
        return Rig([null("stream", ra, rb)], [("stream", a), ("stream", b)], [ra, rb])
    if relay == "vde_switch":
        return vde_rig(2)
    addresses = [("127.0.0.1", next(PORTS)) if kind == "tcp" else
                 f"{RUN}/unix.{next(NAMES)}" for _ in range(2)]
    family = socket.AF_INET if kind == "tcp" else socket.AF_UNIX
    listeners = [machine.listener(family, a) for a in addresses]
    words = [f"{a[0]}:{a[1]}" if kind == "tcp" else a for a in addresses]
    log = None
    if is_netrelay(relay):
        process, log = netrelay(relay, *[f"{kind}:{w}" for w in words])
    else:
        # As the other sockets are: see machine.tuned().
        option = f",nodelay,setsockopt-string=6:13:{machine.CONGESTION}" \
            if kind == "tcp" else ""
        process = start(SOCAT + [f"{kind}:{w}{option}" for w in words])
    ports = [("stream", machine.accept(s)) for s in listeners]
    return Rig([process], ports, listeners, log)


# ---- datagrams ----

def udp_rig(relay, channel):
    """channel: datagram (as QEMU is) or segment (as another netrelay is)."""
    a, ra, rb, b = (next(PORTS) for _ in range(4))
    ports = [(channel, machine.udp(a, ra, channel == "segment")),
             (channel, machine.udp(b, rb, channel == "segment"))]
    if relay.startswith("null"):
        ends = [machine.udp(ra, a), machine.udp(rb, b)]
        kind = "datagram" if relay == "null" else "segment"
        return Rig([null(kind, *ends)], ports, ends)
    if is_netrelay(relay):
        process, log = netrelay(relay, f"{ra}:127.0.0.1:{a}", f"{rb}:127.0.0.1:{b}")
        settled(process, log)
        return Rig([process], ports, log=log)
    option = f"so-rcvbuf={machine.BUFFER}"
    process = start(SOCAT + [f"udp4:127.0.0.1:{a},bind=127.0.0.1:{ra},{option}",
                             f"udp4:127.0.0.1:{b},bind=127.0.0.1:{rb},{option}"])
    wait_for("socat", lambda: f":{rb:04X} " in open("/proc/net/udp").read())
    return Rig([process], ports)


# ---- taps ----

def tap_rig(relay, to_tap):
    """A relay between a tap, fed by a packet socket, and TCP."""
    name, log = f"bench{next(NAMES)}", None
    if relay == "null":
        fd = machine.tap(name)
        peer, ours = machine.tcp_pair()
        process, keep = null("tap", fd, ours), [fd, ours]
        sh(f"ip link set {name} up")
    else:
        s = machine.listener(socket.AF_INET, ("127.0.0.1", next(PORTS)))
        process, log = netrelay(relay, f"tap:{name}", f"tcp:127.0.0.1:{s.getsockname()[1]}")
        peer, keep = machine.accept(s), [s]
        wait_for(name, lambda: os.path.exists(f"/proc/sys/net/ipv4/conf/{name}"))
        sh(f"ip link set {name} up")
        settled(process, log)
    ports = [("packet", machine.packet(name, to_tap)), ("stream", peer)]
    return Rig([process], ports[::-1] if to_tap else ports, keep, log)


# ---- many clients ----

def vde_rig(n):
    directory = f"{RUN}/vde.{next(NAMES)}"
    process = start(["vde_switch", "-s", directory, "-n", n + 8])
    wait_for("vde_switch", lambda: os.path.exists(f"{directory}/ctl"))
    pairs = [machine.vde_connect(directory, i) for i in range(n)]
    return Rig([process], [("datagram", data) for data, _ in pairs],
               [ctl for _, ctl in pairs])


def server(relay, *options):
    """netrelay -l; returns the process, its log, and where it listens."""
    port = next(PORTS)
    process, log = netrelay(relay, "-l", f"127.0.0.1:{port}", *options)
    address = ("127.0.0.1", port)

    def listens():
        try:
            # It is gone before anybody counts what the relay has open.
            with socket.create_connection(address) as probe:
                probe.shutdown(socket.SHUT_WR)
                while probe.recv(4096):
                    pass
            return True
        except OSError:
            return False

    wait_for("netrelay to listen", listens)
    return process, log, address


def clients_rig(relay, n, *options):
    """options: a netrelay's."""
    if relay == "vde_switch":
        return vde_rig(n)
    process, log, address = server(relay, *options)
    ports = [("stream", machine.tuned(socket.create_connection(address)))
             for _ in range(n)]
    return Rig([process], ports, log=log)
