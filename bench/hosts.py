# SPDX-License-Identifier: MIT
"""
Bridge to bridge: two namespaces as two hosts, each with a bridge, and a wire
between them that something has to carry the bridges' traffic over.

	h1: iperf3 client - br0 - tap - relay - u0 ======= u0 - relay - tap - br0 - server :h2
	           10.9.0.1             10.8.0.1           10.8.0.2             10.9.0.2

The flows are the kernel's own TCP, so that super-frames are what they are in
use. Nothing is pinned: the figure is what the whole machine gets done with its
cores, and a VXLAN runs on whatever core sends. The null trunk, which blocks when
it sends, lets its tap overflow meanwhile, and what that costs a flow varies.

`out` and `into` have a relay under test on h1, pinned, and no wire: as a QEMU on
the same host would, a null relay on the load's core carries plain frames between
the stream, over loopback, and a tap that has the address, whose other side is on
h2. Their figure is the first relay's CPU time. `tap-guest` and `guest-tap` are the
same with what QEMU offers on one host: a stream of plain frames by a unix socket, or
vhost-user, for which the null relay is a front end (guest.c) and has super-frames.
"""
import json
import os
import time

import machine
import relays
import sealed
from machine import RUN, end, netns, sh, start, wait_for
from relays import NAMES, is_netrelay, netrelay, null, with_before
from sealed import PORT
from workloads import Flow, in_turns

SECONDS = 1
TCP = f"-C {machine.CONGESTION}"
# Room for VXLAN's and UDP's headers around the bridges' 1,500 bytes.
WIRE_MTU = 1600
BENCH = os.path.dirname(os.path.abspath(__file__))
DELAY_MS, LOST = 40, 10  # of the long wire: there and back, and of 1,000 frames each way


class Hosts:
    """Two namespaces joined by a wire, until close(); @is_long: one that delays and loses."""

    def __init__(self, is_long=False):
        tag = f"b{next(NAMES)}"
        self.ns = [netns(f"{tag}h{i}") for i in (1, 2)]
        self.processes, self.relays, self.keep = [], [], []
        h1, h2 = self.ns
        if is_long:
            taps = [self.tap(i, False, "u0") for i in (1, 2)]
            self.processes.append(start(
                ["python3", f"{BENCH}/wire.py", *map(str, taps), str(DELAY_MS // 2),
                 str(LOST)], fds=taps, core=None))
        else:
            sh(f"ip -n {h1} link add u0 mtu {WIRE_MTU} type veth "
               f"peer name u0 mtu {WIRE_MTU} netns {h2}")
        for i, ns in enumerate(self.ns, 1):
            sh(f"ip -n {ns} addr add 10.8.0.{i}/24 dev u0")
            sh(f"ip -n {ns} link set lo up")
            sh(f"ip -n {ns} link set u0 mtu {WIRE_MTU} up")

    def bridges(self, which=(1, 2)):
        for i in which:
            ns = self.ns[i - 1]
            sh(f"ip -n {ns} link add br0 type bridge")
            sh(f"ip -n {ns} addr add 10.9.0.{i}/24 dev br0")
            sh(f"ip -n {ns} link set br0 up")

    def attach(self, i, interface):
        ns = self.ns[i - 1]
        wait_for(f"{interface} in {ns}", lambda: sh(
            f"ip -n {ns} link show {interface}", check=False))
        sh(f"ip -n {ns} link set {interface} master br0 up")

    def tap(self, i, offload, name="t0", header=10):
        """Makes a tap here and moves it to h`i`."""
        made = f"m{next(NAMES)}"
        fd = machine.tap(made, offload, header)
        sh(f"ip link set {made} txqueuelen 128 netns {self.ns[i - 1]} name {name}")
        self.keep.append(fd)
        return fd

    def listener(self, i, address):
        """A listener on h`i`, which close() closes."""
        with machine.inside(self.ns[i - 1]):
            listener = machine.listener(machine.socket.AF_INET, (address, PORT))
        self.keep.append(listener)
        return listener

    def stream(self, i, address):
        """Both ends of a TCP connection from h1 to that address of h`i`."""
        listener = self.listener(i, address)
        with machine.inside(self.ns[0]):
            a = machine.tuned(machine.socket.create_connection((address, PORT)))
        b = machine.accept(listener)
        self.keep += [a, b]
        return a, b

    def ready(self, name, core):
        """Waits until a ping goes through, and starts a server for flows."""
        wait_for(f"{name}: the bridges to reach each other", lambda: sh(
            f"ip netns exec {self.ns[0]} ping -c 1 -W 1 10.9.0.2", check=False)
            .count(" 0% packet loss"), 30)
        self.processes.append(start(["iperf3", "-s"], core=core, ns=self.ns[1]))
        wait_for("iperf3", lambda: sh(
            f"ip netns exec {self.ns[1]} ss -Hltn sport = :5201"))

    def cpu_ns(self):
        """CPU time of the relay under test."""
        return machine.cpu_ns(p.pid for p in self.relays)

    def iperf(self, options, core=None):
        """Returns Gbit/s received, bytes received, and the part lost of UDP."""
        cores = f"taskset -c {core} " if core is not None else ""
        out = json.loads(sh(f"{cores}ip netns exec {self.ns[0]} iperf3 -c 10.9.0.2 -J "
                            f"-t {SECONDS} {options}"))
        if "-u" in options.split():
            got = out["end"]["sum"]
            lost = got["lost_percent"] / 100
            return got["bits_per_second"] * (1 - lost) / 1e9, \
                got["bytes"] * (1 - lost), lost
        got = out["end"]["sum_received"]
        return got["bits_per_second"] / 1e9, got["bytes"], 0

    def close(self):
        end(self.relays + self.processes)
        for k in self.keep:
            os.close(k) if isinstance(k, int) else k.close()
        for ns in self.ns:
            sh(f"ip netns del {ns}")


# ---- what joins two bridges ----

def by_netrelay(hosts, relay, endpoint):
    h1, h2 = hosts.ns
    hosts.bridges()
    if endpoint == "udp":
        ends = [f"{PORT}:10.8.0.2:{PORT}"], [f"{PORT}:10.8.0.1:{PORT}"]
    elif endpoint in sealed.ENDS:
        ends = sealed.ENDS[endpoint](hosts)
    else:
        ends = [f"{endpoint}:10.8.0.2:{PORT}"], ["-l", f"10.8.0.2:{PORT}"]
    hosts.relays += [netrelay(relay, *ends[1], "br0", ns=h2, core=None)[0],
                     netrelay(relay, *ends[0], "br0", ns=h1, core=None)[0]]


def by_null(hosts):
    """Two null relays: whole super-frames with their virtio headers, over TCP."""
    hosts.bridges()
    taps = [hosts.tap(i, True) for i in (1, 2)]
    # Both first: a relay ends that writes to a tap which is not up.
    for i in (1, 2):
        hosts.attach(i, "t0")
    for tap, end_ in zip(taps, hosts.stream(2, "10.8.0.2")):
        hosts.relays.append(null("tap", tap, end_, core=None))


def by_socat(hosts):
    """Taps come after sockets: socat ends if it sends to a socket that is not bound yet."""
    hosts.bridges()
    for i in (1, 2):
        hosts.relays.append(start(
            ["socat", f"UDP4:10.8.0.{3 - i}:{PORT},bind=10.8.0.{i}:{PORT}",
             "TUN,tun-type=tap,tun-name=t0,iff-no-pi"],
            ns=hosts.ns[i - 1], core=None))
        hosts.attach(i, "t0")


def by_vde(hosts):
    """On each host a vde_switch with a tap, and a vde_plug; socat carries the stream."""
    hosts.bridges()
    ends = {2: f"TCP4-LISTEN:{PORT},nodelay", 1: f"TCP4:10.8.0.2:{PORT},nodelay,retry=50,"
            "interval=0.1"}
    for i, address in ends.items():
        ns, directory = hosts.ns[i - 1], f"{RUN}/vde.{next(NAMES)}"
        hosts.relays.append(start(["vde_switch", "-s", directory, "-t", "t0"], ns=ns,
                                  core=None))
        wait_for("vde_switch", lambda d=directory: os.path.exists(f"{d}/ctl"))
        hosts.attach(i, "t0")
        hosts.relays.append(start(["vde_plug", f"vde://{directory}", "=", "socat",
                                   "STDIO", address], ns=ns, core=None))


def by_vxlan(hosts):
    hosts.bridges()
    for i in (1, 2):
        sh(f"ip -n {hosts.ns[i - 1]} link add vx0 type vxlan id 1 local 10.8.0.{i} "
           f"remote 10.8.0.{3 - i} dstport 4789 dev u0")
        hosts.attach(i, "vx0")


def by_veth(hosts):
    hosts.bridges()
    h1, h2 = hosts.ns
    sh(f"ip -n {h1} link add v0 type veth peer name v0 netns {h2}")
    hosts.attach(1, "v0")
    hosts.attach(2, "v0")


def by_wire(hosts):
    """Nothing between the wire and the flows."""
    for i, ns in enumerate(hosts.ns, 1):
        sh(f"ip -n {ns} addr add 10.9.0.{i}/24 dev u0")


BRIDGES = {
    "null trunk": by_null,
    "socat": by_socat,
    "vde": by_vde,
    "vxlan": by_vxlan,
    "veth": by_veth,
}
JOINS = {"the wire": by_wire, **BRIDGES, **sealed.JOINS}


def join(hosts, name):
    if is_netrelay(name):
        by_netrelay(hosts, *name.split())
    else:
        JOINS[name](hosts)


# ---- a bridge, and a plain port or a guest ----

def plain(hosts, relay):
    """The relay under test between h1's bridge and a stream of plain frames."""
    h1 = hosts.ns[0]
    fd = bridge_and_tap(hosts, False)
    if relay == "null":
        ours, theirs = hosts.stream(1, "127.0.0.1")
        hosts.relays = [null("tap", hosts.tap(1, False), ours)]
        hosts.attach(1, "t0")
    else:
        listener = hosts.listener(1, "127.0.0.1")
        hosts.relays = [netrelay(relay, f"tcp:127.0.0.1:{PORT}", "br0", ns=h1)[0]]
        theirs = machine.accept(listener)
        hosts.keep.append(theirs)
    hosts.processes.append(null("tap", fd, theirs, core=machine.LOAD_CORE))


def bridge_and_tap(hosts, is_guest):
    """A bridge on h1, and on h2 a tap that has the address; returns the tap."""
    ns = hosts.ns[1]
    hosts.bridges([1])
    fd = hosts.tap(2, is_guest, header=12)
    sh(f"ip -n {ns} addr add 10.9.0.2/24 dev t0")
    sh(f"ip -n {ns} link set t0 up")
    return fd


def by_guest(hosts, relay):
    """The relay under test between h1's bridge and a guest, by a stream or vhost-user."""
    path, kind = f"{RUN}/guest.{next(NAMES)}", relay.split()[1]
    fd = bridge_and_tap(hosts, kind == "vhost-user")
    listen = "unix-listen" if kind == "stream" else "vhost-user-listen"
    hosts.relays = [netrelay(relay, f"{listen}:{path}", "br0", ns=hosts.ns[0])[0]]
    guest = relays.dial(path)
    hosts.keep.append(guest)
    hosts.processes.append(
        null("tap", fd, guest, core=machine.LOAD_CORE) if kind == "stream" else
        start([f"{relays.TOOLS}/guest", fd, guest.fileno()], fds=[fd, guest],
              core=machine.LOAD_CORE))


# ---- workloads ----

# Names of relays, iperf3's options, and the core of all but the relay under test.
ALL = [f"netrelay {e}" for e in ("trunk", "tcp", "udp")] + list(BRIDGES)
GUEST = ["netrelay stream", "netrelay vhost-user"]
WORKLOADS = {
    "bridges": (ALL, TCP, None),
    "bridges-4": (ALL, f"{TCP} -P 4", None),
    "bridges-udp": (ALL, "-u -b 2G -l 1472", None),
    "out": (["null", "netrelay"], TCP, machine.LOAD_CORE),
    "into": (["null", "netrelay"], f"{TCP} -R", machine.LOAD_CORE),
    "tap-guest": (GUEST, TCP, machine.LOAD_CORE),
    "guest-tap": (GUEST, f"{TCP} -R", machine.LOAD_CORE),
    "sealed": ([f"netrelay {e}" for e in ("trunk", "sealed", "sealed-udp", "tls", "ssh")] +
               list(sealed.JOINS), TCP, None),
    # Ten flows; the first seconds, in which they find out how much passes, do not count.
    "far": (["the wire", "netrelay sealed", "netrelay sealed-udp"] + list(sealed.JOINS),
            f"{TCP} -P 10 -O 2 -t 6", None),
}
# Where a round is long, or all are alike.
FEWER_ROUNDS = {"far": 3, "tap-guest": 5, "guest-tap": 5}


def maker(workload, core):
    """The function that joins the hosts."""
    if workload in ("tap-guest", "guest-tap"):
        return by_guest
    return join if core is None else plain


def possible(workload, names, results):
    """The names that this machine can measure; of the others it is said why not."""
    found = []
    for name in names:
        why = sealed.lacks(name)
        if why:
            results.skip(f"{workload}, {name}", why)
        else:
            found.append(name)
    return found


def make_hosts(workload, name, core):
    made = Hosts(workload == "far")
    try:
        maker(workload, core)(made, name)
        made.ready(name, core)
    except machine.Failure:
        made.close()
        raise
    return made


def run(workload, results, rounds):
    names, options, core = WORKLOADS[workload]
    rounds = min(rounds, FEWER_ROUNDS.get(workload, rounds))
    hosts, answers = {}, {}
    try:
        for name in possible(workload, with_before(names), results):
            results.going_on(f"{workload}, joining two hosts by {name}")
            try:
                hosts[name] = make_hosts(workload, name, core)
            except machine.Failure as e:
                # What others bring along need not work here.
                if name not in sealed.NEEDED:
                    raise
                results.skip(f"{workload}, {name}", e)
        for i, name in enumerate(in_turns(list(hosts), rounds)):
            results.going_on(f"{workload}, run {i + 1} of {rounds * len(hosts)}")
            before = hosts[name].cpu_ns()
            gbits, got, lost = hosts[name].iperf(options, core)
            spent = hosts[name].cpu_ns() - before
            answers.setdefault(name, []).append((gbits, spent / max(got, 1) * 1000, lost))
    finally:
        for h in hosts.values():
            h.close()
    results.add_flows(workload, {n: Flow(*zip(*answers[n])) for n in hosts})
