# SPDX-License-Identifier: MIT
"""
The results: shows them as they come in, compares them with the targets (targets.py), and
writes results.md and results.svg.
"""
import os
import platform
import sys
import time

import machine
import picture
import sealed
import targets
from machine import sh

BUSY = 0.85  # a relay that works less of the time than this was not the limit
QUIET = 5    # seconds between two lines about one step
MS_PER_GIB = 1.073741824  # of a nanosecond for 1,000 bytes
# What is measured where it is installed.
OTHERS = ("qemu-system-x86", "dpdk-dev", "openvswitch-switch-dpdk", "openssh-server", "openssl",
          "wireguard-go")
HOWS = {"one": "one write a frame", "batch": "batched"}

NOTES = """\
CPU is the time that all processes and threads of the relay use, in nanoseconds per frame that
arrived. The relay has one core to itself; generator and sink share the other. A relay with a
`*` was idle for part of the time: the generator was the limit, so the rate is not the relay's,
and its CPU figure contains more wake-ups. Figures are medians of {rounds} rounds of each relay,
which take turns, of fewer where a round is long; ± is half the difference between the highest and
the lowest. Nanoseconds differ from machine to machine and from run to run; ratios within one run
differ less. All TCP uses CUBIC, Linux's own default, whatever the host's default is; only
netrelay's sockets use what netrelay chooses.
"""

SOCKETS = """\
`null` does the least that a relay of one thread must do: it waits, receives and sends, and checks
nothing; for datagrams, `null-segment` does so with UDP_SEGMENT and UDP_GRO. QEMU sends with `one
write a frame`, and another netrelay sends `batched`. The window is bounded, so no frame should be
lost, except in the floods, which have no window."""

CLIENTS = """\
A netrelay with `-l`, and vde_switch, with so many clients."""

BRIDGES = """\
TCP and UDP of the kernel between the bridges of two hosts, which are namespaces; nothing is
pinned there. In `out` and `into` a plain stream is at the other end, and the relay has a core to
itself."""

GUESTS = """\
In `guests` and `guests-super` the guests are the generator's: two front ends of vhost-user, with
rings of 1,024, for super-frames of 512. `one write a frame` is one kick a frame there; batched,
all frames that the rings hold are there when the relay is told of them, and what the generator
does in between is not counted. `null` pops a chain, copies it once and pushes it, with netrelay's
features and without checks; `dpdk` is DPDK's back end with `--forward-mode=io`, and `ovs-dpdk`
Open vSwitch's with two flows that make it a cable; both poll, and are stopped while they have no
round; `memcpy` copies the same bytes from one guest's memory to the
other's and does nothing else.

In `tap-guest` and `guest-tap` one TCP flow of the kernel's passes between a bridge's tap and a
guest, out of the bridge and into it. By `stream` the guest sends and receives plain frames over a
unix socket, as `-netdev stream` does; by `vhost-user` super-frames.

The guests of QEMU are two whose processors are emulated, which limits what passes, so that the
relay's CPU says more; each has a NIC for each back end. Between two taps is a bridge of the
kernel, for a tap has but one owner."""

SEALED = """\
Trunks between the bridges of two hosts, one TCP flow: plain, sealed over TCP and over UDP, plain
through socat's TLS and through ssh by `exec:`. WireGuard is of layer 3: it joins the two hosts by
an address each, and there are no bridges. `far` is a wire with 40 ms of delay, there and back, and
1 % of loss, and ten flows. Sealing and handshakes are measured in memory, on one core, beside the
library (BearSSL) by itself."""

# Title, text, and the beginnings of the tables' titles.
SECTIONS = [
    ("Sockets and taps", SOCKETS, ("tcp-tcp", "unix-unix", "udp-udp", "tap-tcp", "tcp-tap")),
    ("Many clients", CLIENTS, ("look-up", "clients", "memory", "crowd")),
    ("Bridge to bridge", BRIDGES, ("bridges", "out", "into")),
    ("Guests", GUESTS, ("guests", "tap-guest", "guest-tap", "two-guests", "idle-guests")),
    ("Sealed trunks", SEALED, ("sealed", "far", "seal")),
]


def section_of(title):
    """The title of the section in which a table is; None if it has none."""
    for section, _, begins in SECTIONS:
        if title.startswith(begins):
            return section
    return None


def in_sections(lines):
    """The tables' lines, each table in its section."""
    tables = {section: [] for section, _, _ in SECTIONS}
    for line in lines:
        if line.startswith("### "):
            to = tables[section_of(line[4:])]
            to += ["", line, ""]
        elif line:
            to.append(line)
    out = []
    for section, text, _ in SECTIONS:
        if tables[section]:
            out += ["", f"## {section}", "", text] + tables[section]
    return out


class Results:
    """All measurements: samples by workload, cell, way of sending and relay."""

    def __init__(self, netrelay):
        self.netrelay = netrelay
        self.samples, self.latency, self.flows, self.memory = {}, {}, {}, {}
        self.crowd, self.records, self.handshakes = {}, {}, {}
        self.idle, self.storm = None, None
        self.rounds, self.title = 0, None
        self.lines, self.warnings, self.skipped = [], [], []
        self.steps, self.step, self.told = 0, 0, 0

    # ---- how far it is ----

    def begin(self, what):
        """Tells on stderr which step begins; self.steps says how many there are."""
        self.step += 1
        self.tell(f"{self.step} of {self.steps}: {what} ...")

    def going_on(self, what):
        """Tells how far the step is, but not too often."""
        if time.monotonic() - self.told >= QUIET:
            self.tell(f"{self.step} of {self.steps}: {what}")

    def tell(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)
        self.told = time.monotonic()

    # ---- tables ----

    def say(self, line=""):
        print(line, flush=True)
        self.lines.append(line)

    def warn(self, text):
        print(f"warning: {text}", flush=True)
        self.warnings += ["", f"**Warning: {text}.**"]

    def skip(self, what, why):
        """Tells what is left out, in the report as well."""
        print(f"not measured: {what}: {why}", flush=True)
        self.skipped += [f"- {what}: {why}"]

    def header(self, title, *columns):
        if self.title == (title, columns):
            return
        self.title = (title, columns)
        self.say()
        self.say(f"### {title}")
        self.say()
        self.row(*columns)
        self.row(*["---"] + ["---:"] * (len(columns) - 1))

    def row(self, *cells):
        self.say("| " + " | ".join(str(c) for c in cells) + " |")

    def add(self, workload, cell, samples):
        self.header(workload, "frames", "relay", "CPU ns/frame", "±", "x null",
                    "kframes/s", "calls/frame", "lost")
        base = samples.get("null")
        for relay, s in samples.items():
            self.samples[workload, cell.name, cell.how, relay] = s
            self.rounds = max(self.rounds, len(s.ns))
            self.row(f"{cell.name} {HOWS[cell.how]}",
                     relay + ("*" if s.busy < BUSY else ""), f"{s.cpu:.0f}",
                     f"{s.spread * 50:.0f} %",
                     f"{s.cpu / base.cpu:.2f}" if base else "",
                     f"{s.rate / 1e3:.0f}",
                     "" if s.calls is None else f"{s.calls:.2f}", lost(s))

    def add_latency(self, workload, kind, latencies):
        self.header(f"{workload}: one frame's way, {kind}", "relay", "p50 µs",
                    "p99 µs", "p50 x null", "lost")
        for relay, v in latencies.items():
            self.latency[workload, kind, relay] = v
            self.row(relay, f"{v.p50 / 1e3:.1f}", f"{v.p99 / 1e3:.1f}",
                     f"{v.p50 / latencies['null'].p50:.2f}", v.lost)

    def add_flows(self, workload, flows):
        self.header(workload, "joined by", "Gbit/s", "±", "relay CPU ns/1000 bytes",
                    "lost")
        for name, f in flows.items():
            self.flows[workload, name] = f
            self.row(name, f"{f.gbits:.2f}", f"{f.spread * 50:.0f} %",
                     f"{f.cpu_per_kb:.0f}" if f.cpu_per_kb else "in the kernel",
                     f"{f.lost:.0%}")

    def add_guests(self, flows):
        """Between two guests of QEMU, by its back ends."""
        self.header("two-guests: of QEMU, iperf3", "-netdev", "joined by", "Gbit/s", "±",
                    "relay CPU ms/GiB")
        for name, f in flows.items():
            self.flows["two-guests", name] = f
            self.row(name, "netrelay" if f.cpu_per_kb else "the kernel's bridge",
                     f"{f.gbits:.2f}", f"{f.spread * 50:.0f} %",
                     f"{f.cpu_per_kb * MS_PER_GIB:.0f}" if f.cpu_per_kb else "in the kernel")

    def show_memory(self):
        self.header("memory", "program", "processes", "resident kB at rest",
                    "with 1,000 idle clients")
        for name, (rest, clients, n) in self.memory.items():
            self.row(name, n, rest, clients or "")

    def show_crowd(self, sizes):
        self.header("crowd: one more client", "CPU µs of one that",
                    *(f"beside {n:,}" for n in sizes))
        for what, costs in self.crowd.items():
            self.row(what, *costs)

    def show_idle(self, guests, seconds):
        self.header("idle-guests", "guests", "seconds", "times that the relay woke up")
        self.row(guests, seconds, self.idle)

    def show_seal(self):
        """Megabytes that a core seals in a second, and handshakes that it makes."""
        self.header("seal: records", "cipher", "bytes of a record", "MB/s",
                    "the library's, MB/s", "x the library's")
        for (cipher, size), (ours, library) in self.records.items():
            self.row(cipher, size, f"{ours:.0f}", f"{library:.0f}", f"{ours / library:.2f}")
        self.header("seal: handshakes", "what", "in a second")
        for what, n in self.handshakes.items():
            self.row(what, f"{n:.0f}")
        if self.storm is not None:
            self.header("seal: false hellos over UDP", "in a second", "part of a core")
            self.row(f"{sealed.STORM_RATE:,}", f"{self.storm:.1%}")

    def show_before(self):
        """netrelay beside the one before, row by row; the worst first."""
        rows = targets.beside_before(self)
        if not rows:
            return
        self.header("beside the one before", "workload", "CPU, to that one's", "±", "")
        for row in rows:
            self.row(*row)

    def show_targets(self):
        self.title = None
        self.show_before()
        rows = targets.judge(self)
        if not rows:
            return
        self.header("what it must reach", "workload", "figure", "measured", "")
        for row in rows:
            self.row(*row)

    # ---- files ----

    def write(self, directory):
        tables, self.lines = self.lines, []
        self.show_targets()
        head = ["# What netrelay costs, and what others do", "",
                "Made by `make bench`. " + NOTES.format(rounds=self.rounds)]
        head += self.warnings + [""]
        if self.skipped:
            head += ["Not measured:", ""] + self.skipped + [""]
        with open(f"{directory}/results.md", "w") as f:
            f.write("\n".join(head + self.about() + self.lines + in_sections(tables)) + "\n")
        picture.draw(self, directory)
        print(f"written: {directory}/results.md, {directory}/results.svg")

    def about(self):
        with open("/proc/cpuinfo") as f:
            cpu = next((line.partition(": ")[2].strip() for line in f
                        if line.startswith("model name")), "unknown")
        lines = ["| | |", "|---|---|", f"| machine | {cpu}, {os.cpu_count()} cores |",
                 f"| kernel | {platform.release()} |",
                 f"| netrelay | {sh(f'{self.netrelay} --version')} |"]
        for package in ("socat", "vde-switch", "iperf3", "iproute2", "gcc"):
            version = sh("dpkg-query -W -f '${Version}' " + package, check=False)
            lines.append(f"| {package} | {version or 'not from a package'} |")
        for package in OTHERS:
            version = sh("dpkg-query -W -f '${Version}' " + package, check=False)
            lines += [f"| {package} | {version} |"] if version else []
        return lines


def lost(s):
    if not s.sent or s.lost <= 0:
        return "" if not s.wrong else f"{s.wrong} wrong"
    where = ", ".join(f"{k} {v}" for k, v in s.drops.items()) or "where, is unknown"
    return f"{s.lost / s.sent:.1%} ({where})"
