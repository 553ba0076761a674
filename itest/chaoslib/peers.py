# SPDX-License-Identifier: MIT
"""What relays dial or send to: listeners, datagram sockets, the far sides of taps and bridges."""
import os
import random
import socket
import struct
import subprocess

from . import traffic
from .clients import Client
from .frames import check, station
from .lab import ip

UDP_SEGMENT, PACKET_OUTGOING, SOL_PACKET, PACKET_VNET_HDR = 103, 4, 263, 15
SINK_KINDS = ["plain", "trunk", "half", "garbage", "mute", "mute", "owed"]


class Sink:
    """A listener that takes what dials it, unless it is closed. @where: see connect()."""

    def __init__(self, world, where, relay, seed):
        self.world, self.where, self.relay = world, where, relay
        self.rng, self.sock, self.is_quiet = random.Random(seed), None, False
        self.toggle()

    def toggle(self):
        if self.sock:
            self.close()
            return
        is_unix = isinstance(self.where, str)
        family = socket.AF_UNIX if is_unix else (
            socket.AF_INET6 if ":" in self.where[0] else socket.AF_INET)
        sock = socket.socket(family)
        if is_unix and os.path.exists(self.where):
            os.unlink(self.where)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.rng.random() < 0.3:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            sock.bind(self.where)
        except OSError:
            sock.close()
            return
        sock.listen(self.rng.choice([1, 50]))
        sock.setblocking(False)
        self.sock = sock
        self.world.watch(sock, self.readable)

    def readable(self):
        try:
            conn = self.sock.accept()[0]
        except (BlockingIOError, ConnectionAbortedError):
            return
        conn.setblocking(False)
        client = Client(self.world, self.rng.choice(SINK_KINDS), self.rng.random(), conn,
                        self.relay.takes[0] if self.relay.takes else None)
        client.parser.hello_due = True
        self.world.clients.append(client)

    def act(self, now):
        if not self.is_quiet and self.rng.random() < 0.003:
            self.toggle()

    def quieten(self):
        self.is_quiet = True
        self.close()

    def close(self):
        if self.sock:
            self.world.unwatch(self.sock, self.readable)
            self.sock.close()
            self.sock = None
            if isinstance(self.where, str):
                os.unlink(self.where)


class Datagrams:
    """The other end of udp:, unixgram: or mcast:. It comes and goes, reads or not."""

    def __init__(self, world, seed, family, own, peer, group=None):
        self.world, self.family, self.own, self.peer = world, family, own, peer
        self.group, self.rng, self.sock = group, random.Random(seed), None
        self.is_deaf = self.is_quiet = False
        self.open()

    def open(self):
        sock = socket.socket(self.family, socket.SOCK_DGRAM)
        if self.family == socket.AF_UNIX and os.path.exists(self.own):
            os.unlink(self.own)
        if self.group:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                            socket.inet_aton(self.group) + socket.inet_aton("127.0.0.1"))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                            socket.inet_aton("127.0.0.1"))
        try:
            sock.bind(self.own)
        except OSError:
            sock.close()
            return
        sock.setblocking(False)
        self.sock = sock

    def act(self, now):
        rng, roll = self.rng, self.rng.random()
        if self.is_quiet:
            return
        if not self.sock:
            if roll < 0.05:
                self.open()
            return
        if roll < 0.01:
            self.close()
        elif roll < 0.03:
            self.is_deaf = not self.is_deaf
        elif roll < 0.5:
            self.send(rng)
        elif not self.is_deaf:
            self.receive()

    def send(self, rng):
        count = rng.choice([1, 1, 3, 20])
        data = traffic.frame(rng, self.world, sizes=None)
        if rng.random() < 0.1:
            data = rng.randbytes(rng.choice([0, 1, 13])) if rng.random() < 0.7 else b"\2" * 65000
        try:
            if self.family != socket.AF_UNIX and 0 < len(data) * count < 60000:
                segment = struct.pack("H", len(data))
                self.sock.sendmsg([data * count], [(socket.IPPROTO_UDP, UDP_SEGMENT, segment)],
                                  0, self.peer)
                return
            for _ in range(count):
                self.sock.sendto(data, self.peer)
        except OSError:
            return

    def receive(self):
        for _ in range(50):
            try:
                data = self.sock.recv(1 << 17)
            except OSError:
                return
            if len(data) >= 14:
                check(data)

    def quieten(self):
        if self.sock and not self.is_quiet:
            self.world.watch(self.sock, self.receive)
        self.is_quiet = True

    def close(self):
        if self.sock:
            self.world.unwatch(self.sock, self.receive)
            self.sock.close()
            self.sock = None
            if self.family == socket.AF_UNIX and os.path.exists(self.own):
                os.unlink(self.own)


def members_of(bridge):
    """Not by /sys, which shows the network namespace that it was mounted in."""
    done = subprocess.run(["ip", "-o", "link", "show", "master", bridge], check=False,
                          capture_output=True, text=True)
    return [line.split(": ")[1].split("@")[0] for line in done.stdout.splitlines()]


class Wire:
    """An interface's other side. @name: the interface that it looks at."""

    def __init__(self, world, seed, name):
        self.world, self.name, self.is_super = world, name, False
        self.rng, self.sock, self.is_quiet = random.Random(seed), None, False

    def open(self):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.is_super = self.rng.random() < 0.5
        try:
            sock.bind((self.name, 3))
            sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, int(self.is_super))
        except OSError:
            sock.close()
            return
        sock.setblocking(False)
        self.sock = sock

    def act(self, now):
        roll = self.rng.random()
        if self.is_quiet:
            return
        if not self.sock:
            if roll < 0.1:
                self.open()
        elif roll < 0.005:
            self.close()
        elif roll < 0.4:
            self.send(self.rng)
        else:
            self.receive()

    def send(self, rng):
        data = traffic.frame(rng, self.world, sizes=[14, 60, 64, 590, 1514])
        if rng.random() < 0.3:
            _, data = traffic.packet(rng, rng.choice([1, 500, 1300]), False,
                                     station(rng.randrange(40)), station(1, 0xC6))
        if self.is_super:
            data = self.super_frame(rng) if rng.random() < 0.5 else bytes(10) + data
        for _ in range(rng.choice([1, 1, 5, 60])):
            try:
                self.sock.send(data)
            except OSError:
                self.drop_if_gone()
                return

    def super_frame(self, rng):
        """As the host's own stack sends them."""
        is_bad = rng.random() < 0.2
        vnet, data = traffic.packet(rng, rng.choice([1400, 5000, 30000, 60000]), True,
                                    station(rng.randrange(40)),
                                    station(rng.randrange(40), 0xC6 if is_bad else 0xC7))
        if vnet["gso_type"] == traffic.UDP:
            vnet["gso_size"] = max(vnet["gso_size"], len(data) // 60)
        if is_bad:
            vnet, data = traffic.spoil(rng, vnet, data)
        return traffic.vnet_bytes(vnet) + data

    def receive(self):
        for _ in range(100):
            try:
                data, origin = self.sock.recvfrom(1 << 17)
            except BlockingIOError:
                return
            except OSError:
                self.drop_if_gone()
                return
            data = data[10:] if self.is_super else data
            if origin[2] != PACKET_OUTGOING and len(data) >= 14:
                check(data, is_whole=False)

    def drop_if_gone(self):
        try:
            socket.if_nametoindex(self.name)
        except OSError:
            self.close()

    def quieten(self):
        self.is_quiet = True

    def close(self):
        if self.sock:
            self.sock.close()
            self.sock = None


class Bridge(Wire):
    """A bridge with a veth in it; it is the veth's other end."""

    def __init__(self, world, seed, number):
        self.bridge, self.inner = f"cb{number}", f"cv{number}i"
        super().__init__(world, seed, f"cv{number}")
        ip("link", "add", self.name, "type", "veth", "peer", "name", self.inner)
        self.make()
        ip("link", "set", self.name, "up")

    def make(self):
        ip("link", "add", self.bridge, "type", "bridge")
        ip("link", "set", self.bridge, "up")
        ip("link", "set", self.inner, "master", self.bridge, "up")

    def disturb(self, rng):
        """Something that a host's manager may do. Return: what."""
        taps = members_of(self.bridge)
        what = rng.choice(["again", "down", "mtu", "nomaster", "tap-down", "tap-gone", "tap-mtu",
                           "tap-away"])
        if what == "again":
            ip("link", "del", self.bridge, may_fail=True)
            self.make()
        elif what == "down":
            ip("link", "set", self.bridge, "down", may_fail=True)
            ip("link", "set", self.bridge, "up", may_fail=True)
        elif what == "mtu":
            for name in (self.name, self.inner, self.bridge):
                ip("link", "set", name, "mtu", rng.choice(["1500", "1400", "9000"]),
                   may_fail=True)
        else:
            change = {"nomaster": ["nomaster"], "tap-down": ["down"],
                      "tap-away": ["netns", str(self.world.elsewhere)],
                      "tap-mtu": ["mtu", rng.choice(["100", "1500", "9000"])]}
            for name in taps:
                if name != self.inner and what == "tap-gone":
                    ip("link", "del", name, may_fail=True)
                elif name != self.inner:
                    ip("link", "set", name, *change[what], may_fail=True)
        return what

    def remove(self):
        ip("link", "del", self.bridge, may_fail=True)
        ip("link", "del", self.name, may_fail=True)
