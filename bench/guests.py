# SPDX-License-Identifier: MIT
"""
Guests by vhost-user: two of them and a relay between, a guest and a tap, and many who are
idle. The guests are the generator's (load-vhost.c); so no DPDK is needed, which is measured
beside it where it is installed, and so is Open vSwitch with it.
"""
import os
import shutil
import signal
import socket
import time

import machine
import ovs
import relays
from machine import RUN, start, wait_for
from relays import Rig, is_netrelay
from workloads import Cell, Workload

IDLE, IDLE_SECONDS = 64, 10
SUPER = 65226  # bytes: 45 segments of 1,448, the most that are one IP packet
# Frames kicked one by one that may be on their way.
WINDOW = 192
DPDK = "dpdk-testpmd"


class GuestCell(Cell):
    """A size and a way of sending between guests; `memcpy` only copies their memory."""

    def __init__(self, size, how):
        super().__init__(f"{size}", "flow", size, how, WINDOW * (size + 4))

    def run(self, rigs, rounds):
        for name, rig in rigs.items():
            rig.verb = "copy" if name == "memcpy" else \
                "rush" if self.how == "batch" else self.verb
        return super().run(rigs, rounds)


class GuestRig(Rig):
    """
    A rig whose rounds are all of one kind. A relay that polls is stopped in between, or the
    others would have half a core.
    """

    verb, polls = None, False

    def ask(self, command):
        verb, _, rest = command.partition(" ")
        self.signal(signal.SIGCONT)
        answer = super().ask(f"{self.verb if verb == 'flow' else verb} {rest}")
        self.signal(signal.SIGSTOP)
        if self.polls and "cpu" in answer:
            answer["cpu"] = answer["ns"]  # what it spends on frames, not all that it spends
        return answer

    def signal(self, which):
        if self.polls:
            self.relays[0].send_signal(which)

    def close(self):
        self.signal(signal.SIGCONT)
        super().close()


def dpdk(paths):
    """DPDK's back end in io mode, on one core, which it never leaves."""
    os.environ["XDG_RUNTIME_DIR"] = RUN
    vdevs = [w for i, p in enumerate(paths)
             for w in ("--vdev", f"net_vhost{i},iface={p},queues=1,tso=1")]
    core = machine.RELAY_CORE
    process = start([DPDK, f"--lcores=0@{core},1@{core}", "--no-pci", "--no-huge", "-m", "256",
                     f"--file-prefix=bench{next(relays.NAMES)}", *vdevs, "--",
                     "--forward-mode=io", "--auto-start", "--total-num-mbufs=16384",
                     "--stats-period", "1000"])
    for p in paths:
        wait_for(p, lambda p=p: os.path.exists(p))
    time.sleep(1)  # until it forwards, which nothing shows
    return process


def guest_rig(relay, channel):
    """channel: guest or guest-super."""
    if relay in ("null", "memcpy"):
        a, ra = socket.socketpair()
        b, rb = socket.socketpair()
        process = start([f"{relays.TOOLS}/null-vhost", ra.fileno(), rb.fileno()], fds=[ra, rb])
        return GuestRig([process], [(channel, a), (channel, b)], [ra, rb])
    paths, log = [f"{RUN}/guest.{next(relays.NAMES)}" for _ in range(2)], None
    if is_netrelay(relay):
        process, log = relays.netrelay(relay, *[f"vhost-user-listen:{p}" for p in paths])
        processes = [process]
    elif relay == "ovs-dpdk":
        processes, paths = ovs.ovs_dpdk()
    else:
        processes = [dpdk(paths)]
    rig = GuestRig(processes, [(channel, relays.dial(p)) for p in paths], log=log)
    rig.polls = not is_netrelay(relay)
    rig.ask("ping 64 1")  # the guests have begun, then
    return rig


def workloads():
    both, names = ["one", "batch"], ["null", "netrelay"]
    if shutil.which(DPDK):
        names.append("dpdk")
    switches = ["ovs-dpdk"] if ovs.is_at_hand() else []
    return [
        Workload("guests", names + switches, lambda r: guest_rig(r, "guest"),
                 [GuestCell(size, how) for size in (64, 1514) for how in both]),
        Workload("guests-super", names + ["memcpy"], lambda r: guest_rig(r, "guest-super"),
                 [GuestCell(SUPER, "batch")]),
    ]


def switches(pid):
    """How often a process has gone to sleep or was made to."""
    with open(f"/proc/{pid}/status") as f:
        return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)


def idle(results):
    """How often a relay wakes up while its guests are idle."""
    path = f"{RUN}/guest.{next(relays.NAMES)}"
    process, log = relays.netrelay("netrelay", "-l", f"vhost-user-listen:{path}")
    rig = Rig([process], [("guest", relays.dial(path)) for _ in range(IDLE)], log=log)
    rig.ask("ping 64 1")  # all have begun, then
    time.sleep(1)
    before = switches(process.pid)
    time.sleep(IDLE_SECONDS)
    results.idle = switches(process.pid) - before
    rig.close()
    results.show_idle(IDLE, IDLE_SECONDS)
