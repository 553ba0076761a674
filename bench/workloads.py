# SPDX-License-Identifier: MIT
"""
What is measured. A workload sets all of its relays up at the same time, then
lets them have their rounds in turns - A B C C B A - so that a machine that
grows slower or faster meanwhile does so for all of them.
"""
import statistics
import time

import machine
import relays
from machine import Failure

ROUNDS = 8
ROUND_MS = 150
WINDOW_FRAMES = 128
STREAM_WINDOW = 512 << 10
SIZES = [64, 512, 1514, 65536]
PACED_RATE = 20000
CLIENTS = [2, 8, 64, 512]
PINGS = [("idle", "ping 64 1000"), ("under load", f"paced 1514 {PACED_RATE} {ROUND_MS}")]


class Sample:
    """What the rounds of one relay in one cell came to: medians."""

    def __init__(self, answers, drops, calls):
        self.ns = [a["cpu"] / a["delivered"] for a in answers if a["delivered"]]
        self.cpu = statistics.median(self.ns) if self.ns else float("nan")
        self.spread = (max(self.ns) - min(self.ns)) / self.cpu if self.ns else 0
        self.rate = statistics.median(a["delivered"] / max(a["ns"], 1) * 1e9
                                      for a in answers)
        self.busy = statistics.median(a["cpu"] / max(a["ns"], 1) for a in answers)
        self.sent = sum(a["sent"] for a in answers)
        self.lost = self.sent - sum(a["delivered"] for a in answers)
        self.wrong = sum(a["wrong"] for a in answers)
        self.drops = drops
        self.calls = calls


class Latency:
    """Nanoseconds that a frame took: medians of the rounds' p50 and p99."""

    def __init__(self, answers):
        self.p50 = statistics.median(a["p50"] for a in answers)
        self.p99 = statistics.median(a["p99"] for a in answers)
        self.lost = sum(a["sent"] - a["delivered"] for a in answers)


class Flow:
    """Throughput of a kernel's own TCP or UDP through it: Gbit/s, and costs."""

    def __init__(self, gbits, cpu_per_kb, lost):
        self.gbits = statistics.median(gbits)
        self.rounds = gbits
        self.spread = (max(gbits) - min(gbits)) / self.gbits if self.gbits else 0
        self.costs = cpu_per_kb
        self.cpu_per_kb = statistics.median(cpu_per_kb)
        self.lost = statistics.median(lost)


def in_turns(names, rounds):
    """Each name `rounds` times, every second pass backwards."""
    for i in range(rounds):
        yield from names if i % 2 == 0 else reversed(names)


def kernel_losses():
    """What this namespace's kernel has thrown away: {where: frames}."""
    with open("/proc/net/snmp") as f:
        lines = [line.split() for line in f if line.startswith("Udp:")]
    losses = {"UDP receive buffer": int(dict(zip(*lines))["RcvbufErrors"])}
    with open("/proc/net/dev") as f:
        for line in f.readlines()[2:]:
            name, _, counts = line.strip().partition(":")
            if name.startswith("bench"):
                losses["queue of a tap"] = (losses.get("queue of a tap", 0) +
                                             int(counts.split()[11]))
    return losses


def since(before, after):
    return {k: v - before.get(k, 0) for k, v in after.items() if v > before.get(k, 0)}


class Cell:
    """One size and way of sending, to all relays of a workload."""

    def __init__(self, name, verb, size, how, window):
        self.name, self.size, self.how = name, size, how
        self.command = f"{{}} {size} {how} {ROUND_MS} {window}"
        self.verb = verb

    def run(self, rigs, rounds):
        answers = {r: [] for r in rigs}
        losses = {r: {} for r in rigs}
        dropped = {r: rigs[r].drops() for r in rigs}
        for name in in_turns(list(rigs), rounds):
            before = kernel_losses()
            answers[name].append(rigs[name].ask(self.command.format(self.verb)))
            for where, n in since(before, kernel_losses()).items():
                losses[name][where] = losses[name].get(where, 0) + n
        samples = {}
        for name, rig in rigs.items():
            losses[name].update(since(dropped[name], rig.drops()))
            samples[name] = Sample(answers[name], losses[name], self.count(rig))
        return samples

    def count(self, rig):
        """System calls a delivered frame; None where it can't be told."""
        if self.verb != "flow":
            return None
        answer = rig.ask(self.command.format("calls"))
        if "calls" not in answer or not answer["delivered"]:
            return None
        return answer["calls"] / answer["delivered"]


class Workload:
    """A kind of link: how its rigs are made, and its cells."""

    def __init__(self, name, names, make, cells, pings=False):
        self.name, self.names, self.make = name, names, make
        self.cells, self.pings = cells, pings

    def steps(self, want):
        """How many times run() begins something."""
        cells = sum(1 for c in self.cells if want(c))
        return cells + (len(PINGS) if cells and self.pings else 0)

    def run(self, results, rounds, want=lambda cell: True):
        cells = [c for c in self.cells if want(c)]
        if not cells:
            return
        rigs = {}
        try:
            for name in relays.with_before(self.names):
                rigs[name] = self.make(name)
            for cell in cells:
                results.begin(f"{self.name}, {cell.name} {cell.how}")
                results.add(self.name, cell, cell.run(rigs, rounds))
            if self.pings:
                self.ping(results, rigs, rounds)
        finally:
            for rig in rigs.values():
                rig.close()

    def ping(self, results, rigs, rounds):
        for kind, command in PINGS:
            results.begin(f"{self.name}, one frame's way, {kind}")
            answers = {r: [] for r in rigs}
            for name in in_turns(list(rigs), rounds):
                answers[name].append(rigs[name].ask(command))
            results.add_latency(self.name, kind,
                                {r: Latency(a) for r, a in answers.items()})


class Clients(Workload):
    """
    netrelay -l: its rigs differ in how many clients they have. `unicast` is from
    each to the next, in turns; with two only one sends. In `pair` all others
    are silent.
    """

    def __init__(self, relay, what):
        counts = [n for n in CLIENTS if relay == "netrelay" or n <= 64]
        broadcast = what == "broadcast"
        verb = "flow" if what == "unicast" else what
        cell = Cell(what, verb, 1514, "one", 16 * 1518)
        # What is flooded is a storm, if it is measured.
        options = ["--storm", "0"] if broadcast else []
        super().__init__(f"clients {cell.name} {relay}",
                         [f"{relay} {n}" for n in counts],
                         lambda name: relays.clients_rig(*self.split(name), *options),
                         [cell])

    @staticmethod
    def split(name):
        relay, n = name.split()
        return relay, int(n)


def look_up_rig(relay):
    """
    One client of netrelay -l sends to another. With two there is one way only, so
    nothing is learnt or looked up; with a third, which is silent, all is.
    """
    return relays.clients_rig("netrelay", 2 if relay == "unlearnt" else 3)


def cells(sizes, hows, verb="flow"):
    return [Cell(f"{size}", verb, size, how, max(STREAM_WINDOW, 4 * (size + 4) * 4))
            for size in sizes for how in hows]


def datagram_cells(hows):
    found = [Cell(f"{size}", "flow", size, how, WINDOW_FRAMES * (size + 4))
             for size in SIZES[:3] for how in hows]
    # The longest that is one datagram, with room for a few in the smallest buffer.
    found += [Cell("65000", "flow", 65000, hows[0], 16 * 65004)]
    return found + [Cell("1514 flood", "flow", 1514, hows[0], 0)]


def tap_cells(hows):
    # Half of what a tap's queue holds.
    return [Cell(f"{size}", "flow", size, how, 64 * (size + 4))
            for size in SIZES[:3] for how in hows]


def all_workloads():
    both = ["one", "batch"]
    return [
        Workload("tcp-tcp", ["null", "netrelay", "socat"],
                 lambda r: relays.stream_rig(r, "tcp"), cells(SIZES, both), True),
        Workload("unix-unix", ["null", "netrelay", "socat"],
                 lambda r: relays.stream_rig(r, "unix"), cells(SIZES, both), True),
        Workload("udp-udp", ["null", "null-segment", "netrelay", "socat"],
                 lambda r: relays.udp_rig(r, "datagram"), datagram_cells(["one"]), True),
        Workload("udp-udp-gso", ["null", "null-segment", "netrelay", "socat"],
                 lambda r: relays.udp_rig(r, "segment"), datagram_cells(["batch"])),
        Workload("tap-tcp", ["null", "netrelay"],
                 lambda r: relays.tap_rig(r, False), tap_cells(both), True),
        Workload("tcp-tap", ["null", "netrelay"],
                 lambda r: relays.tap_rig(r, True), tap_cells(both), True),
        Workload("look-up", ["unlearnt", "learnt"], look_up_rig,
                 cells([64, 1514], both, "pair")),
        Clients("netrelay", "pair"),
        Clients("netrelay", "unicast"), Clients("netrelay", "broadcast"),
        Clients("vde_switch", "unicast"), Clients("vde_switch", "broadcast"),
    ]


def memory(results):
    """Resident kilobytes of all of a relay's processes, at rest and with clients."""
    process, _, address = relays.server("netrelay")
    pids = machine.family(process.pid)
    rest = sum(machine.rss_kb(p) for p in pids)
    before = len(open_files(process.pid))
    clients = [machine.socket.create_connection(address) for _ in range(1000)]
    machine.wait_for("1,000 clients to be accepted",
                     lambda: len(open_files(process.pid)) >= before + 1000)
    time.sleep(0.2)
    busy = sum(machine.rss_kb(p) for p in pids)
    for c in clients:
        c.close()
    machine.end([process])
    results.memory = {"netrelay": (rest, busy, len(pids))}
    for name, rig in (("vde_switch", relays.vde_rig(2)),
                      ("socat", relays.stream_rig("socat", "tcp"))):
        results.memory[name] = (sum(map(machine.rss_kb, rig.pids)), None, len(rig.pids))
        rig.close()
    results.show_memory()


CROWD = 100, 1000, 10000


def crowd(results):
    """What one more client costs beside so many; itest/crowd does it."""
    most = machine.resource.getrlimit(machine.resource.RLIMIT_NOFILE)[1]
    if most < CROWD[-1] + 1000:
        results.warn(f"{CROWD[-1]:,} clients need more than {most} descriptors")
        return
    path = f"{machine.RUN}/crowd"
    process, _ = relays.netrelay("netrelay", "-l", f"unix-listen:{path}")
    machine.wait_for("netrelay to listen", lambda: machine.os.path.exists(path))
    sizes = " ".join(map(str, CROWD))
    table = machine.sh(f"{relays.ITEST}/crowd {path} {process.pid} {sizes}")
    machine.end([process])
    for line in table.splitlines():
        what, *costs = line.split()
        results.crowd[what] = [float(c) for c in costs]
    results.show_crowd(CROWD)


def open_files(pid):
    try:
        return machine.os.listdir(f"/proc/{pid}/fd")
    except OSError:
        raise Failure("netrelay has ended") from None
