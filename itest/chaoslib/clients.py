# SPDX-License-Identifier: MIT
"""Clients of a listener, each with a script that its own chance has written.

An operation of a script is a tuple: ("send", bytes, most at once), ("pause", s),
("read", "all"|"slow"|"none"), ("burst", bytes) by somebody else, or how it ends:
("end", "fin"|"close"|"rst"), and ("shot", bytes, how it ends) in one go.
"""
import errno
import random
import select
import socket
import struct
import time

from . import traffic
from .frames import HELLO_BYTES, Parser, hello

GONE = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError, TimeoutError)
RECEIVE = 1 << 18
SCRIPTS = {}


def script(kind):
    def keep(make):
        SCRIPTS[kind] = make
        return make

    return keep


def at_once(rng):
    """The most bytes of one send."""
    return rng.choice([1, 2, 3, 5, 63, 64, 100, 1448, 4096, 65536, 1 << 20, 1 << 20])


def how_to_read(rng):
    return ("read", rng.choice(["all", "all", "slow", "none"]))


def ending(rng):
    return ("end", rng.choice(["fin", "close", "rst", "rst"]))


def pauses(rng):
    return [("pause", rng.choice([0, 0.01, 0.1, 0.5]))] if rng.random() < 0.5 else []


def cut(rng, data):
    """It may end in the midst of it; nothing can be sent then but an end."""
    return data[: rng.randrange(len(data))] if data and rng.random() < 0.3 else data


def last_words(rng, world):
    roll, data = rng.random(), b""
    if roll < 0.2:
        data = traffic.bad_end(rng)
    elif roll < 0.6:
        data = traffic.frames(rng, world, 2)
        data = data[: rng.randrange(len(data))]
    return [("send", data, at_once(rng)), how_to_read(rng), *pauses(rng), ending(rng)]


@script("plain")
def plain(rng, world):
    ops = [how_to_read(rng)]
    for _ in range(rng.randrange(1, 6)):
        most = at_once(rng)
        data = traffic.frames(rng, world, rng.randrange(1, 3 if most < 64 else 40))
        ops += [("send", data, most), *pauses(rng)]
    return ops + last_words(rng, world)


@script("trunk")
def trunk(rng, world):
    ops = [how_to_read(rng)]
    if rng.random() < 0.1:
        ops += [("send", traffic.frames(rng, world, 2), 1 << 20)]
    ops += [("send", hello(), at_once(rng)), *pauses(rng)]
    for _ in range(rng.randrange(1, 6)):
        data = traffic.trunk_units(rng, world, rng.randrange(1, 30))
        ops += [("send", data, max(at_once(rng), 63)), *pauses(rng)]
    return ops + last_words(rng, world)


@script("half")
def half(rng, world):
    if rng.random() < 0.5:
        # What follows is in its place, so it must be nothing that we know again.
        begun, rest = hello()[: rng.randrange(1, 64)], rng.randbytes(rng.choice([0, 9, 5000]))
    else:
        begun = traffic.strange_hello(rng)
        rest = traffic.frames(rng, world, rng.randrange(30))
    return [how_to_read(rng), ("send", begun, at_once(rng)), *pauses(rng),
            ("send", rest, at_once(rng)), *pauses(rng), ending(rng)]


@script("garbage")
def garbage(rng, world):
    data = rng.randbytes(rng.choice([1, 3, 4, 5, 100, 70000, 300000]))
    if rng.random() < 0.7:
        data = traffic.frames(rng, world, rng.randrange(3)) + data
    return [how_to_read(rng), ("send", data, at_once(rng)), *pauses(rng), ending(rng)]


@script("mute")
def mute(rng, world):
    return [("read", "none"), ("pause", rng.random() * 3), how_to_read(rng),
            ("pause", rng.random()), ending(rng)]


@script("owed")
def owed(rng, world):
    """Its window is shut, and then a hello asks for an answer that can't go."""
    size = rng.choice([600_000, 1 << 20, 4 << 20])
    ops = [("read", "none"), ("burst", size), ("pause", rng.choice([0.1, 0.2, 0.5]))]
    data = rng.choice([hello(), hello(), traffic.strange_hello(rng)])
    data += traffic.frames(rng, world, rng.choice([0, 3, 100]))
    data += traffic.burst(rng, world, rng.choice([0, 100_000, 200_000, 400_000, 1_000_000]))
    if rng.random() < 0.6:
        return ops + [("shot", data, rng.choice(["rst", "close"]))]
    ops += [("send", cut(rng, data), rng.choice([1 << 20, 1 << 20, at_once(rng)]))]
    if rng.random() < 0.25:
        ops += [*pauses(rng), how_to_read(rng), *pauses(rng)]
    return ops + [("end", rng.choice(["rst", "rst", "rst", "close", "fin"]))]


@script("guard")
def guard(rng, world):
    """Plays back what relays ask of loops, as far as they asked it, or makes that up.

    What another was asked is left out: two who tell each other that are a loop.
    """
    ops = [("read", "all")]
    if rng.random() < 0.3:
        ops.append(("send", hello(), 64))
    ops.append(("pause", 0.3))
    for _ in range(rng.randrange(1, 12)):
        ops += [("probes", rng.randrange(1, 4)), ("pause", rng.choice([0, 0.1, 0.4, 1]))]
    return ops + [ending(rng)]


@script("echo")
def echo(rng, world):
    """All that comes goes back, as by a bridge that is part of a loop."""
    return [("read", "all"), ("echo",), ("pause", rng.choice([0.3, 1, 3])), ending(rng)]


class Client:
    """On a connected socket that does not block."""

    def __init__(self, world, kind, seed, sock, where):
        self.world, self.kind, self.sock, self.where = world, kind, sock, where
        self.rng = random.Random(seed)
        self.ops = list(reversed(SCRIPTS[kind](self.rng, world)))
        self.parser = Parser(f"{kind} client of {where}")
        self.sent, self.begun = b"", 0
        self.mode, self.wait_until, self.is_shut = "none", 0, False
        self.is_watched = self.is_over = False
        self.op_at = 0
        self.echo, self.is_echo = b"", False

    def watch(self):
        """As its way of reading has it."""
        if self.is_watched != (self.mode == "all"):
            self.is_watched = not self.is_watched
            change = self.world.watch if self.is_watched else self.world.unwatch
            change(self.sock, self.readable)

    def act(self, now):
        """The next bit of its script."""
        if self.mode == "slow":
            self.receive(self.rng.choice([1, 100, 5000]))
        if self.echo:
            self.send_back()
        if self.is_over or now < self.wait_until or not self.ops:
            return
        op = self.ops[-1]
        if op[0] == "send":
            self.send(op)
            return
        self.ops.pop()
        if op[0] == "pause":
            self.wait_until = now + op[1]
        elif op[0] == "read":
            self.mode = op[1]
            self.watch()
        elif op[0] == "shot":
            self.shoot(op[1], op[2])
        elif op[0] == "echo":
            self.is_echo = True
        elif op[0] == "burst":
            self.world.burst(self.where, self.rng, op[1])
        elif op[0] == "probes":
            probes = [traffic.forged_probe(self.rng, self.parser.probes)
                      for _ in range(op[1])]
            data = b"".join(map(traffic.on_stream, probes))
            self.ops.append(("send", data, 1 << 20))
        else:
            self.end(op[1])

    def send_back(self):
        try:
            self.echo = self.echo[self.sock.send(self.echo) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def shoot(self, data, how):
        """What goes at once, and the end at its heels."""
        try:
            self.sock.send(data)
        except OSError:
            pass
        self.end(how)

    def send(self, op):
        _, data, most = op
        # A byte at a time, a few of them in a turn.
        for _ in range(16 if most < 64 else 1):
            piece = data[self.op_at : self.op_at + most]
            try:
                n = self.sock.send(piece) if piece else 0
            except BlockingIOError:
                return
            except GONE:
                self.close()
                return
            if self.begun < HELLO_BYTES:
                self.sent += piece[:n]
                self.begun += n
                self.expect_hello()
            self.op_at += n
            if self.op_at >= len(data):
                self.ops.pop()
                self.op_at = 0
                return

    def expect_hello(self):
        """A hello is answered, if it is the first that comes."""
        if self.sent[:4] == hello()[:4] and not self.parser.agreed:
            self.parser.hello_due = True

    def end(self, how):
        if how == "fin" and not self.is_shut:
            self.is_shut = True
            self.mode = "all"
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.close()
                return
            self.watch()
            self.wait_until = time.monotonic() + 1
            self.ops.append(("end", "close"))
            return
        if how == "rst":
            reset(self.sock)
        self.close()

    def readable(self):
        if len(self.echo) < RECEIVE:
            self.receive(RECEIVE)
        else:
            self.send_back()

    def receive(self, size):
        try:
            data = self.sock.recv(size)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in (errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT):
                raise
            data = b""
        if data:
            self.parser.feed(data)
            self.echo += data if self.is_echo else b""
        else:
            self.close()

    def quieten(self):
        """Only reads from now on, whatever it had in mind."""
        self.ops = []
        self.mode, self.is_echo, self.echo = "all", False, b""
        if not self.is_over:
            # With less, a window that was shut opens by a KB in each probe of it.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.watch()

    def close(self):
        if self.is_over:
            return
        self.is_over = True
        if self.is_watched:
            self.world.unwatch(self.sock, self.readable)
        self.sock.close()


def reset(sock):
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def connect(where, rcvbuf=None, timeout=3):
    """@where: a path, or a pair for TCP. Return: a socket that does not block, or None."""
    family = socket.AF_UNIX if isinstance(where, str) else (
        socket.AF_INET6 if ":" in where[0] else socket.AF_INET)
    sock = socket.socket(family)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.setblocking(False)
    try:
        sock.connect(where)
    except BlockingIOError:
        if family == socket.AF_UNIX or not select.select([], [sock], [], timeout)[1] or (
                sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            sock.close()
            return None
    except OSError:
        sock.close()
        return None
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
