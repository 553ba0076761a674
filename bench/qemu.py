# SPDX-License-Identifier: MIT
"""
Two guests of QEMU that iperf3 sends between, by each of QEMU's back ends in turns. Both are
booted once and have a NIC for each:

	vhost-user   netrelay, a cable between the two
	stream       netrelay, over unix sockets
	socket       netrelay, over TCP
	tap          a bridge of the kernel, for a tap has but one owner

The guests are those of the tests (itest/guest-image), with this system's iperf3. Their
processors are emulated, which limits what passes; so what the relay spends says more. Nothing
is pinned, and all NICs are alike.
"""
import json
import os
import re
import shutil
import socket
import subprocess
import time

import machine
import relays
from machine import Failure, RUN, sh, start, wait_for
from workloads import Flow, in_turns

QEMU = "qemu-system-x86_64"
SECONDS, ROUNDS = 2, 3
MEMORY = "256M"
BOOT_SECONDS = 120
APPEND = ("console=ttyS0 panic=-1 quiet no_timer_check cryptomgr.notests mitigations=off "
          "nokaslr tsc=reliable noreplace-smp agent")  # as in itest/guests.bash
BACK_ENDS = ["vhost-user", "stream", "socket", "tap"]


def image():
    return os.environ.get("NETRELAY_GUEST", f"{relays.ROOT}/build/guest")


def prepare():
    """Makes the guests' image, as long as there is a network to download its kernel by."""
    if not lacks_programs():
        subprocess.run([f"{relays.ITEST}/guest-image", image()], stdout=subprocess.DEVNULL,
                       check=False)


def lacks_programs():
    missing = [p for p in (QEMU, "iperf3", "busybox") if not shutil.which(p)]
    return f"no {', '.join(missing)} here" if missing else None


def lacks():
    """Why it can't be measured on this machine; None if it can."""
    why = lacks_programs()
    if not why and not os.path.exists(f"{image()}/initrd.gz"):
        why = "itest/guest-image could not make the guests' kernel"
    return why


def version():
    found = re.search(r"version (\d+)\.(\d+)", sh(f"{QEMU} --version"))
    return tuple(map(int, found.groups()))


def initrd():
    """The tests' initramfs behind an archive with iperf3 and its libraries; returns its path."""
    root, made = f"{RUN}/root", f"{RUN}/initrd"
    iperf3 = shutil.which("iperf3")
    libraries = re.findall(r"(?:=> |^\s+)(/\S+) \(", sh(f"ldd {iperf3}"), re.MULTILINE)
    for path in libraries:
        # The loader has a path of its own, and looks for the others in the default ones.
        to = root + (path if "/ld-" in path else f"/lib/x86_64-linux-gnu/{os.path.basename(path)}")
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(path, to)
    os.makedirs(f"{root}/bin")
    shutil.copy(iperf3, f"{root}/bin/iperf3")
    sh(f"cd {root} && find . | busybox cpio -o -H newc -R 0:0 >{made} && "
       f"cat {image()}/initrd.gz >>{made}")
    shutil.rmtree(root)
    return made


class Guest:
    """A running QEMU, and the agent in it that runs commands (itest/guest-init)."""

    def __init__(self, number, boot, nics):
        self.number, self.commands = number, 0
        self.path = f"{RUN}/agent.{number}"
        is_old = version() < (8, 1)  # see itest/guests.bash
        device = ",romfile=" + (",vectors=0" if is_old else "")
        argv = [QEMU, "-accel", os.environ.get("NETRELAY_ACCEL", "tcg"), "-cpu", "max",
                "-m", MEMORY, "-nodefaults", "-no-user-config", "-no-reboot",
                "-display", "none", "-monitor", "none", "-kernel", f"{image()}/vmlinuz",
                "-initrd", boot, "-append", APPEND, "-machine", "memory-backend=memory",
                "-object", f"memory-backend-memfd,id=memory,share=on,size={MEMORY}",
                "-serial", "null", "-serial", "chardev:agent",
                "-chardev", f"socket,id=agent,path={self.path},server=on,wait=off"]
        argv += ["-smp", "1,maxcpus=2"] if is_old else []
        for i, nic in enumerate(nics, 1):
            if nic.startswith("vhost-user,"):
                argv += ["-chardev", f"socket,id=c{i},{nic.partition(',')[2]}"]
                nic = f"vhost-user,chardev=c{i}"
            argv += ["-netdev", f"{nic},id=n{i}", "-device",
                     f"virtio-net-pci,netdev=n{i},mac=52:54:00:6e:{number:02x}:{i:02x}{device}"]
        self.process = start(argv, core=None, log=f"{RUN}/qemu.{number}")
        self.agent = relays.dial(self.path)
        self.agent.settimeout(1)

    def wait(self):
        self.answer(0, BOOT_SECONDS)

    def run(self, command, seconds=30):
        """Runs a command in the guest's shell; returns its output."""
        self.commands += 1
        self.agent.sendall(f"{self.commands} {seconds} {command}\n".encode())
        return self.answer(self.commands, seconds + 10)

    def answer(self, number, seconds):
        text, end = "", time.monotonic() + seconds
        while time.monotonic() < end:
            done = re.search(rf"^@{number} (\d+)\r?\n", text, re.MULTILINE)
            if done and done[1] != "0":
                raise Failure(f"a guest's command failed: {text[:done.start()].strip()[-200:]}")
            if done:
                return text[:done.start()]
            try:
                part = self.agent.recv(65536)
            except TimeoutError:
                continue
            if not part:
                with open(f"{RUN}/qemu.{self.number}") as f:
                    raise Failure(f"{QEMU} ended: {f.read().strip()}")
            text += part.decode(errors="replace")
        raise Failure(f"a guest does not answer within {seconds} s")


def link(back_end):
    """Joins two NICs; returns the relay's process, or None, and what -netdev each has."""
    paths = [f"{RUN}/{back_end}.{i}" for i in (1, 2)]
    if back_end == "tap":
        taps = [f"bench{next(relays.NAMES)}" for _ in paths]
        sh("ip link add benchbr type bridge && ip link set benchbr up")
        for tap in taps:
            sh(f"ip tuntap add {tap} mode tap vnet_hdr && ip link set {tap} master benchbr up")
        return None, [f"tap,ifname={t},script=no,downscript=no,vhost=off" for t in taps]
    if back_end == "socket":
        ports = [next(relays.PORTS) for _ in paths]
        listen = [f"tcp-listen:127.0.0.1:{p}" for p in ports]
        nics = [f"socket,connect=127.0.0.1:{p}" for p in ports]
    elif back_end == "stream":
        listen = [f"unix-listen:{p}" for p in paths]
        nics = [f"stream,server=off,addr.type=unix,addr.path={p}" for p in paths]
    else:
        listen = [f"vhost-user-listen:{p}" for p in paths]
        nics = [f"vhost-user,path={p}" for p in paths]
    process, _ = relays.netrelay("netrelay", *listen, core=None)
    for p in paths if back_end != "socket" else []:
        wait_for(p, lambda p=p: os.path.exists(p))
    for p in ports if back_end == "socket" else []:
        wait_for(f"port {p}", lambda p=p: sh(f"ss -Hltn sport = :{p}"))
    return process, nics


def begin(guests):
    """Addresses, a server, and a ping by each link."""
    for g in guests:
        g.wait()
        for i, _ in enumerate(BACK_ENDS, 1):
            g.run(f"ip addr add 10.0.{i}.{g.number}/24 dev nic{i} && ip link set nic{i} up")
    guests[1].run("iperf3 -s >/dev/null 2>&1 </dev/null &")
    guests[1].run("until netstat -ltn | grep -q :5201; do sleep 0.1; done")
    for i, _ in enumerate(BACK_ENDS, 1):
        guests[0].run(f"until ping -c 1 -W 1 10.0.{i}.2; do :; done")


def measure(guest, i, process):
    """Returns Gbit/s, the relay's nanoseconds for 1,000 bytes, and 0."""
    pids = [process.pid] if process else []
    before = machine.cpu_ns(pids)
    out = guest.run(f"iperf3 -c 10.0.{i}.2 -J -i 0 -t {SECONDS}")
    spent = machine.cpu_ns(pids) - before
    got = json.loads(out[out.index("{"):])["end"]["sum_received"]
    return got["bits_per_second"] / 1e9, spent / max(got["bytes"], 1) * 1000, 0


def run(results, rounds):
    why = lacks()
    if why:
        results.skip("two guests of QEMU", why)
        return
    answers, processes = {name: [] for name in BACK_ENDS}, []
    try:
        links = {name: link(name) for name in BACK_ENDS}
        processes += [p for p, _ in links.values() if p]
        results.going_on("two guests of QEMU, booting them")
        boot, guests = initrd(), []
        for i in (1, 2):
            guests.append(Guest(i, boot, [nics[i - 1] for _, nics in links.values()]))
            processes.append(guests[-1].process)
        begin(guests)
        for i, name in enumerate(in_turns(BACK_ENDS, min(rounds, ROUNDS))):
            results.going_on(f"two guests of QEMU, run {i + 1} of "
                             f"{min(rounds, ROUNDS) * len(BACK_ENDS)}")
            answers[name].append(measure(guests[0], BACK_ENDS.index(name) + 1,
                                         links[name][0]))
        results.add_guests({n: Flow(*zip(*a)) for n, a in answers.items()})
    except Failure as e:
        results.skip("two guests of QEMU", e)
    finally:
        machine.end(processes[::-1])
        sh("ip link del benchbr", check=False)
