# SPDX-License-Identifier: MIT
"""Two stations that only want to talk: what one sends, numbered, the other is to get.

All of it, in order, once and as it was; what is lost must have been counted at a
port of its way.
"""
import socket
import struct
import time

from .clients import RECEIVE
from .frames import Finding, Parser, marked, on_stream, station, TYPE_HONEST

NUMBER = struct.Struct(">HI")
SIZES = [60, 64, 100, 590, 1514, 1514, 4000, 9014, 60000]
SILENCE_S = 20
ADDRESS = "127.0.0.2"


class Station:
    """@number: 0 or 1."""

    def __init__(self, world, relay, where, number):
        self.world, self.relay, self.number = world, relay, number
        self.mac = station(number, 0xC5)
        # From an address of its own: a guest at another listener may have any port.
        self.sock = socket.create_connection(where, source_address=(ADDRESS, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        host, port = self.sock.getsockname()[:2]
        self.name = f"tcp:{host}:{port}"
        self.parser = Parser(f"honest station {number}")
        self.out, self.next, self.frames, self.bytes = b"", 0, 0, 0
        self.expected, self.came, self.heard = 0, 0, time.monotonic()
        world.watch(self.sock, self.readable)

    def send(self, rng, count):
        """Some more, unless the relay takes no more now."""
        peer = station(1 - self.number, 0xC5)
        if not self.out:
            for _ in range(count):
                text = NUMBER.pack(self.number, self.next)
                frame = marked(peer, self.mac, rng.choice(SIZES), kind=TYPE_HONEST,
                               text=text, at=self.next % 50000)
                self.out += on_stream(frame)
                self.next += 1
                self.frames += 1
                self.bytes += len(frame)
        try:
            self.out = self.out[self.sock.send(self.out) :]
        except BlockingIOError:
            pass
        except OSError as error:
            raise Finding(f"{self.parser.who}: {error}") from error

    def readable(self):
        try:
            data = self.sock.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError as error:
            raise Finding(f"{self.parser.who}: {error}") from error
        if not data:
            self.relay.check_alive()
            raise Finding(f"{self.parser.who}: {self.relay.name} closed its connection")
        for text in self.parser.feed(data):
            self.take(*NUMBER.unpack_from(text))

    def take(self, number, count):
        if number == self.number:
            if self.world.is_strict:
                raise Finding(f"{self.parser.who}: its own frame {count} came back")
            return
        if count < self.expected and self.world.is_strict:
            raise Finding(f"{self.parser.who}: frame {count} came, behind or again; "
                          f"{self.expected} was next")
        self.expected = max(self.expected, count + 1)
        self.came += 1
        self.heard = time.monotonic()

    def differs(self, port):
        """From what the relay counted at its port. Return: how, or None."""
        if (port["rx_frames"], port["rx_bytes"]) != (self.frames, self.bytes):
            return (f"{self.parser.who} sent {self.frames} frames, {self.bytes} bytes; "
                    f"{port['rx_frames']}, {port['rx_bytes']} were counted")
        if port["tx_frames"] != self.parser.frames or port["tx_bytes"] > self.parser.bytes:
            return (f"{self.parser.who} got {self.parser.frames} frames, "
                    f"{self.parser.bytes} bytes; {port['tx_frames']}, {port['tx_bytes']} "
                    f"were counted")
        return None

    def close(self):
        self.world.unwatch(self.sock, self.readable)
        self.sock.close()


class Pair:
    def __init__(self, world, ends):
        """@ends: two pairs of relay and where to connect."""
        self.world, self.due = world, 0
        self.stations = [Station(world, *end, i) for i, end in enumerate(ends)]
        self.is_paused = False

    def pump(self, now):
        if self.is_paused or now < self.due:
            return
        self.due = now + 0.02
        for s in self.stations:
            s.send(self.world.rng_honest, self.world.rng_honest.choice([1, 1, 2, 5]))

    def forgive(self):
        """It was us who kept them from talking."""
        for s in self.stations:
            s.heard = time.monotonic()

    def check_heard(self):
        for s in self.stations:
            silent = time.monotonic() - s.heard
            if silent > SILENCE_S and not self.is_paused:
                raise Finding(f"{s.parser.who} has heard nothing for {silent:.0f} s")

    def lost(self):
        a, b = self.stations
        return a.next - b.came + b.next - a.came

    def is_through(self):
        return not any(s.out for s in self.stations)

    def close(self):
        for s in self.stations:
            s.close()
