# SPDX-License-Identifier: MIT
"""Hosts of their own: a network namespace behind a link, with a switch that a relay dials.

The link flaps and loses packets, the switch stands still or is killed, and the host goes
with its network and all, and comes again with the same addresses.
"""
import os
import random
import signal
import subprocess

from .clients import Client, connect
from .lab import Elsewhere, ip
from .programs import QUICK_KINDS, Program

PORT = 7000
LOSSES = [20, 200, 999]  # of 1000 packets
FOREVER_S = 1 << 20


def nft(rules, netns=None, may_fail=False):
    words = ["nsenter", f"--net=/proc/{netns}/ns/net"] if netns else []
    done = subprocess.run([*words, "nft", "-f", "-"], input=rules, text=True, check=False,
                          capture_output=True)
    if done.returncode and not may_fail:
        raise RuntimeError(f"nft: {done.stderr}")


def lose(per_mille, spared=(), netns=None):
    """Of what comes in; who dials is let in, so that a dialler need not wait for seconds."""
    accepted = "".join(f"ip saddr {a} accept\nip daddr {a} accept\n" for a in spared)
    nft(f"table inet chaos {{\nchain in {{\ntype filter hook input priority 0\n{accepted}"
        f"tcp flags & (syn | rst) != 0 accept\n"
        f"meta l4proto {{ tcp, udp }} numgen random mod 1000 < {per_mille} drop\n}}\n}}\n",
        netns)


def lose_nothing(netns=None):
    nft("add table inet chaos\ndelete table inet chaos\n", netns, may_fail=True)


class Away:
    """@relay: which dials it. @number: of 0 to 255: its address is 10.66.NUMBER.2."""

    def __init__(self, world, rng, relay, number):
        self.relay, self.kind = relay, rng.choice(["tcp", "trunk"])
        self.world, self.rng = world, random.Random(rng.random())
        self.link, self.near = f"ca{number}", f"10.66.{number}.1"
        self.where = f"10.66.{number}.2:{PORT}"
        self.host = self.program = self.path = None
        self.is_down = self.is_lossy = self.is_stopped = self.is_quiet = False
        self.is_over = False
        self.come()

    def come(self):
        self.host = Elsewhere()
        # The last one's may be there for a moment, for the kernel ends a network in its own time.
        if not ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns",
                  str(self.host), may_fail=True):
            self.go()
            return
        ip("addr", "add", f"{self.near}/30", "dev", self.link)
        ip("link", "set", self.link, "up")
        self.inside("ip", "addr", "add", f"{self.where.split(':')[0]}/30", "dev", "eth0")
        self.inside("ip", "link", "set", "eth0", "up")
        self.path = self.world.path("away")
        self.program = Program(self.world, [
            *self.enter(), self.world.options.program, "-l", self.where, "-l",
            f"unix-listen:{self.path}"], FOREVER_S, [])
        self.is_down = self.is_lossy = self.is_stopped = False

    def enter(self):
        return ["nsenter", f"--net=/proc/{self.host}/ns/net", "--"]

    def inside(self, *words):
        subprocess.run([*self.enter(), *words], check=False, capture_output=True)

    def go(self):
        """With all that it has, and without a word."""
        if self.program:
            self.program.close()
            self.program = None
        if self.host:
            self.host.end()
            self.host = None

    def act(self, now):
        roll = self.rng.random()
        if self.program:
            self.program.act(now)
        if self.is_quiet:
            return
        if not self.host:
            if roll < 0.05:
                self.come()
        elif roll < 0.005:
            self.go()
        elif roll < 0.08:
            self.disturb()
        elif roll < 0.11:
            self.populate()

    def disturb(self):
        what = self.rng.choice(["link", "loss", "stop"])
        if what == "link":
            self.is_down = not self.is_down
            ip("link", "set", self.link, "down" if self.is_down else "up", may_fail=True)
        elif what == "loss":
            self.is_lossy = not self.is_lossy
            lose_nothing(self.host)
            if self.is_lossy:
                lose(self.rng.choice(LOSSES), netns=self.host)
        else:
            self.is_stopped = not self.is_stopped
            self.signal(signal.SIGSTOP if self.is_stopped else signal.SIGCONT)

    def signal(self, sig):
        if self.program and self.program.process.poll() is None:
            os.kill(self.program.process.pid, sig)

    def populate(self):
        """A client of its own, whose frames come to us over the link."""
        if len(self.world.clients) > self.world.most_clients or self.is_stopped:
            return
        sock = connect(self.path)
        if sock:
            self.world.clients.append(Client(self.world, self.rng.choice(QUICK_KINDS),
                                             self.rng.random(), sock, self.path))

    def mend(self):
        if self.host:
            self.signal(signal.SIGCONT)
            lose_nothing(self.host)
            ip("link", "set", self.link, "up", may_fail=True)

    def quieten(self):
        self.is_quiet = True
        self.mend()

    def close(self):
        self.is_over = True
        self.go()
        ip("link", "del", self.link, may_fail=True)
