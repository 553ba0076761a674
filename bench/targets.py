# SPDX-License-Identifier: MIT
"""
The targets: ratios within one run that netrelay must reach. A figure that was not measured
is left out.
"""
import statistics

STREAMS, UDP, TAPS = ("tcp-tcp", "unix-unix"), ("udp-udp", "udp-udp-gso"), \
    ("tap-tcp", "tcp-tap")
PINGS = STREAMS + ("udp-udp",) + TAPS


# Known causes of missed targets, which are shown behind the word "missed": the beginning of
# a row's title, a part of the name of the measurement that missed it, and the cause.
CAUSES = [
    ("TCP to TCP, unix", "64 batch",
     "each frame's length is looked at, which takes some 3 ns; null looks at none"),
    ("the same, to socat's", "tcp-tcp",
     "over TCP socat makes nine calls where three would do; so with one write a frame "
     "it finds more frames in each turn (5; null and netrelay find 3 or 4), and the "
     "kernel has fewer pieces to send and to acknowledge; null is not faster than "
     "socat either"),
    ("the same, to socat's", "unix-unix",
     "over unix sockets each queued frame calls back an epoll, even a busy one, but "
     "not socat's select; null with poll reaches socat's figure, but neither select "
     "nor poll suits a thousand ports"),
    ("the same, to the best peer's", "65000",
     "at 65,000 bytes nearly all time goes into copying; null with UDP_SEGMENT is no "
     "faster"),
    ("tap to TCP", "tap-tcp",
     "a tap that takes super-frames has a virtio header for each frame, and makes it "
     "from data in another core's cache; null's tap has none, and with such a tap "
     "netrelay reaches 1.01"),
    ("tap to TCP", "tcp-tap",
     "72 % of it is the kernel's write to the tap, which takes a virtio header with each frame; "
     "null's tap has none, and 11 % is ours"),
    ("the same over UDP", "0.",
     "each segment is a datagram of its own; of what it costs more, two fifths are the kernel's, "
     "a fifth the cipher's short messages, and the rest work for each datagram"),
    ("handshakes that a core", "",
     "nearly all of it is the curve; where the processor has no AVX, or there is no "
     "libsodium.a, BearSSL computes it, at a third of the speed"),
    ("false handshakes over UDP", "",
     "each costs 15 to 21 us, as the processor is faster or slower, so that runs came to 7.8 to "
     "10.5 %"),
    ("the same, to VXLAN's", "",
     "the null trunk, which looks at no frame, is no faster: each host copies every byte into "
     "its relay and out of it, and VXLAN copies none"),
    ("bridge to a plain stream port", "",
     "the kernel's tap and TCP are three quarters of it, some 0.45 of null's; the segments' "
     "checksums are 6 %"),
    ("the same, kicked one by one", "guests",
     "each frame passes the relay's checks and its list of frames to send, and the headers "
     "of a long one are copied before they are judged; waits for memory, which null has as "
     "well, are most of the rest, and system calls 3 % at 1,514 bytes"),
    ("the same: CPU per byte", "guest to tap",
     "into the tap, 83 % of the time is the kernel's write of whole super-frames, with its "
     "copy out of the guest's memory and the receiver's TCP; that alone is 0.3 of stream's "
     "cost, and 8 % is ours"),
    ("the same: CPU per byte", "tap to guest",
     "out of the tap, the kernel's read is 33 %, acknowledgements that are written to the tap "
     "14 %, and the copy into the guest's memory 31 %; these three alone are 0.3 of "
     "stream's cost, and a read straight into that memory would have the guest change frames "
     "while they are judged"),
]


def verdict(good):
    return "met" if good else "**missed**"


def with_cause(row):
    """Append the cause to a row that missed its target."""
    title, figure, measured, word = row
    over = measured.partition("over: ")[2] or measured
    causes = [cause for start, cell, cause in CAUSES
              if title.startswith(start) and cell in over]
    if word != verdict(False) or not causes:
        return row
    return title, figure, measured, f"{word}: {'; '.join(causes)}"


def ratios(results, workloads, against):
    """Ratios of netrelay's CPU time to the least of those relays, by cell."""
    found = {}
    for (workload, cell, how, relay), s in results.samples.items():
        if relay != "netrelay" or workload not in workloads or "flood" in cell:
            continue
        others = [results.samples.get((workload, cell, how, r)) for r in against]
        others = [o.cpu for o in others if o]
        if others:
            found[f"{workload} {cell} {how}"] = s.cpu / min(others)
    return found


def at_most(title, limit, found):
    """A row for all ratios: the worst one, and each that is over the limit."""
    if not found:
        return []
    worst = max(found, key=found.get)
    over = [f"{cell} {r:.2f}" for cell, r in found.items() if r > limit]
    figure = f"{found[worst]:.2f} at worst ({worst})"
    if over:
        figure += f"; over: {', '.join(over)}"
    return [(title, f"≤ {limit} x", figure, verdict(not over))]


def at_least(title, limit, found):
    """The same of ratios that must not be lower."""
    if not found:
        return []
    worst = min(found, key=found.get)
    under = [f"{cell} {r:.2f}" for cell, r in found.items() if r < limit]
    figure = f"{found[worst]:.2f} at worst ({worst})"
    if under:
        figure += f"; under: {', '.join(under)}"
    return [(title, f"≥ {limit} x", figure, verdict(not under))]


def bridges(results):
    flows = {n: f.gbits for (w, n), f in results.flows.items() if w == "bridges"}
    if "netrelay trunk" not in flows:
        return []
    trunk, peer = flows["netrelay trunk"], max(flows["socat"], flows["vde"])
    vxlan = trunk / flows["vxlan"]
    return [("trunk between bridges, a TCP flow: throughput",
             "≥ 5 x the best user-space peer's", f"{trunk / peer:.2f}",
             verdict(trunk >= 5 * peer)),
            ("the same, to VXLAN's", "≥ 0.7 x, aim: 1", f"{vxlan:.2f}", verdict(vxlan >= 0.7))]


# Title; workload; whose throughput, and to whose; how often that at least; whose in words.
SEALED = [
    ("sealed trunk between bridges, a TCP flow: throughput", "sealed", "netrelay sealed",
     "netrelay trunk", 0.6, "the plain trunk's"),
    ("", "sealed", "netrelay sealed", "netrelay ssh", 3, "ssh's, by exec:"),
    ("", "sealed", "netrelay sealed", "netrelay tls", 2, "socat's over TLS, by exec:"),
    ("the same over UDP", "sealed", "netrelay sealed-udp", "netrelay sealed", 0.8,
     "that over TCP"),
    ("the same with 1 % loss and 40 ms, ten flows", "far", "netrelay sealed-udp", "the wire",
     0.8, "theirs without a trunk"),
]
CIPHERS = {"aes-256-gcm": "AES-256-GCM", "chacha20-poly1305": "ChaCha20-Poly1305"}


def sealed(results):
    rows = []
    for title, workload, ours, other, least, whose in SEALED:
        flows = [results.flows.get((workload, name)) for name in (ours, other)]
        if all(flows):
            # As of rows against the program before: each round is beside its neighbour.
            ratio = statistics.median(a / b for a, b in zip(*(f.rounds for f in flows)))
            rows.append((title, f"≥ {least} x {whose}", f"{ratio:.2f}",
                         verdict(ratio >= least)))
    for (cipher, size), (ours, library) in results.records.items():
        if size == 65536:
            rows.append((f"sealing 64 KiB by {CIPHERS[cipher]}: speed",
                         "≥ 0.85 x the library's", f"{ours / library:.2f}",
                         verdict(ours >= 0.85 * library)))
    shaken = results.handshakes.get("listener")
    if shaken:
        rows.append(("handshakes that a core answers in a second", "≥ 2,000",
                     f"{shaken:,.0f}", verdict(shaken >= 2000)))
    if results.storm is not None:
        rows.append(("false handshakes over UDP, 5,000 a second: what they take from others",
                     "≤ 10 % of a core", f"{results.storm:.1%}", verdict(results.storm <= 0.1)))
    return rows


def bridge_out(results):
    flows = results.flows
    if ("out", "netrelay") not in flows:
        return []
    r = flows["out", "netrelay"].cpu_per_kb / flows["out", "null"].cpu_per_kb
    return [("bridge to a plain stream port, TCP out of the bridge: CPU per byte",
             "≤ 0.4 x null's without offload", f"{r:.2f}", verdict(r <= 0.4))]


def clients(results):
    cpu = [results.samples.get(("clients pair netrelay", "pair", "one",
                                f"netrelay {n}")) for n in (2, 512)]
    if not all(cpu):
        return []
    r = cpu[1].cpu / cpu[0].cpu
    return [("-l, known destination, 512 clients against 2: CPU per frame",
             "≤ 1.1 x", f"{r:.2f} x", verdict(r <= 1.1))]


def crowd(results):
    """What one more client costs beside the most, to what it does beside the fewest."""
    if not results.crowd:
        return []
    found = {what: costs[-1] / costs[0] for what, costs in results.crowd.items()}
    return at_most("-l, one client more, 10,000 against 100: CPU", 1.2, found)


def look_up(results):
    found = {}
    for (workload, cell, how, relay), s in results.samples.items():
        if (workload, cell, relay) == ("look-up", "1514", "learnt"):
            unlearnt = results.samples[workload, cell, how, "unlearnt"]
            found[f"{cell} {how}"] = s.cpu / unlearnt.cpu
    return at_most("-l, learning and look-up: CPU, to that without", 1.1, found)


def latency(results):
    found = {}
    for (workload, kind, relay), v in results.latency.items():
        if relay == "netrelay" and kind == "idle" and workload in PINGS:
            found[workload] = v.p50 / results.latency[workload, kind, "null"].p50
    return at_most("one frame's way through, idle: p50, to null's", 1.2, found)


def guests(results):
    """Between guests: what a frame costs, and how many a core passes in a second."""
    def cells(workload, how, value):
        found = {}
        for (w, cell, h, relay), s in results.samples.items():
            if (w, h, relay) == (workload, how, "netrelay"):
                others = {r: results.samples.get((w, cell, h, r))
                          for r in ("null", "dpdk", "memcpy")}
                ratio = value(s, others)
                if ratio:
                    found[f"{w} {cell} {how}"] = ratio
        return found

    def to_null(s, others):
        return s.cpu / others["null"].cpu

    def to_dpdk(s, others):
        return others["dpdk"] and s.rate / others["dpdk"].rate

    def to_memcpy(s, others):
        return others["memcpy"] and others["memcpy"].cpu / s.cpu

    return (at_most("guest to guest, batched: CPU, to null's", 1.3,
                    cells("guests", "batch", to_null)) +
            at_least("the same: frames in a second, to DPDK's", 0.8,
                     cells("guests", "batch", to_dpdk)) +
            at_most("the same, kicked one by one: CPU, to null's", 1.15,
                    cells("guests", "one", to_null)) +
            at_least("guest to guest, super-frames: speed, to that of one memcpy()", 0.8,
                     cells("guests-super", "batch", to_memcpy)) +
            super_frames(results) +
            guest_tap(results) + two_guests(results) + idle(results))


def super_frames(results):
    return [("the same: Gbit/s", "stated", f"{s.rate * int(cell) * 8 / 1e9:.0f}", "")
            for (workload, cell, _, relay), s in results.samples.items()
            if (workload, relay) == ("guests-super", "netrelay")]


def guest_tap(results):
    """A guest's TCP flow out of a bridge and into it, to that by -netdev stream."""
    speed, cpu = {}, {}
    for workload, way in (("tap-guest", "tap to guest"), ("guest-tap", "guest to tap")):
        flows = [results.flows.get((workload, f"netrelay {how}"))
                 for how in ("vhost-user", "stream")]
        if all(flows):
            speed[way] = flows[0].gbits / flows[1].gbits
            cpu[way] = flows[0].cpu_per_kb / flows[1].cpu_per_kb
    return (at_least("guest and tap, a TCP flow: throughput, to that of -netdev stream", 3,
                     speed) +
            at_most("the same: CPU per byte", 0.25, cpu))


def two_guests(results):
    """No figure is asked for: they stand side by side."""
    flows = {n: f for (w, n), f in results.flows.items() if w == "two-guests"}
    if not flows:
        return []
    measured = ", ".join(f"{n} {f.gbits:.2f}" for n, f in flows.items())
    return [("two guests of QEMU by each back end, iperf3: Gbit/s", "side by side", measured,
             "")]


def idle(results):
    if results.idle is None:
        return []
    return [("64 idle guests: times that it wakes up in 10 s", "0", str(results.idle),
             verdict(not results.idle))]


def memory(results):
    if not results.memory:
        return []
    rest, busy, _ = results.memory["netrelay"]
    return [("resident memory, at rest", "≤ 1 MB", f"{rest / 1024:.2f} MB",
             verdict(rest <= 1024)),
            ("resident memory, 1,000 idle clients", "≤ 16 MB", f"{busy / 1024:.2f} MB",
             verdict(busy <= 16 * 1024))]


WORSE = 1.03


def pairs(results):
    """What netrelay and the one before cost, round by round: (row, ours, theirs)."""
    for (workload, cell, how, relay), s in results.samples.items():
        other = results.samples.get((workload, cell, how,
                                     relay.replace("netrelay", "before")))
        if relay.startswith("netrelay") and other:
            row = f"{workload} {cell} {how} {relay.partition(' ')[2]}"
            yield row.strip(), s.ns, other.ns
    for (workload, name), f in results.flows.items():
        other = results.flows.get((workload, name.replace("netrelay", "before")))
        if name.startswith("netrelay") and other:
            yield f"{workload} {name.partition(' ')[2]}".strip(), f.costs, other.costs


def beside_before(results):
    """
    The median of the rounds' ratios, for the two had their rounds one after the
    other; ± is half of what lies between their quartiles.
    """
    rows = []
    for row, ours, theirs in pairs(results):
        found = [a / b for a, b in zip(ours, theirs) if b]
        if len(found) < 2:
            continue
        low, middle, high = statistics.quantiles(found, n=4)
        give = (high - low) / 2
        rows.append((middle, give, row))
    return [(row, f"{ratio:.3f}", f"{give:.3f}",
             verdict(ratio - give <= WORSE) if ratio > WORSE else "")
            for ratio, give, row in sorted(rows, reverse=True)]


def judge(results):
    """Rows: workload, figure, measured, verdict."""
    rows = (
        at_most("TCP to TCP, unix to unix: CPU, to null's", 1.15,
                ratios(results, STREAMS, ["null"])) +
        at_most("the same, to socat's", 1, ratios(results, STREAMS, ["socat"])) +
        at_most("UDP to UDP: CPU, to null's with UDP_SEGMENT", 1.15,
                ratios(results, UDP, ["null-segment"])) +
        at_most("the same, to the best peer's", 0.6, ratios(results, UDP, ["socat"])) +
        at_most("tap to TCP, TCP to tap, nothing to merge: CPU, to null's", 1.15,
                ratios(results, TAPS, ["null"])) +
        bridges(results) + sealed(results) + bridge_out(results) + clients(results) +
        crowd(results) + look_up(results) + guests(results) + latency(results) + memory(results))
    return [with_cause(row) for row in rows]
