# SPDX-License-Identifier: MIT
"""Clients of the control socket, of metrics and of the page: they ask rightly and wrongly, and
read or not."""
import json
import random
import re
import struct
import time

from .clients import RECEIVE, at_once, connect
from .frames import Finding, station

WRONG = [
    "", " ", "nonsense", "status --xml", "add", "add -l", "del", "set", "set 1", "fdb x",
    "add -", "add fd:3", "add tcp:", "add tcp:127.0.0.1", "add udp:1", "add trunk:x",
    'add "unclosed', 'add "\\q"', "del 4000000000", "del 99999999999999999999", "del -l x",
    "set 4000000001 isolated=on", "capture port=4000000000", "capture dir=up",
    "capture snap=0", "capture snap=-1", "events now", "add -l 0", "add -l 70000",
    "add -l unix-listen:/no/such/folder/x", "add bridge:", "add tap:" + "x" * 40,
    "add tcp:127.0.0.1:1,mac=zz", "add mcast:1.2.3.4:5", "add exec:", "\x7f\x01\x02",
    "add " + "x" * 3000, "help " * 300, "add unixgram:" + "p" * 200, "add br-that-is-not",
]


def rules(rng):
    return rng.choice([
        "isolated=on", "isolated=off", "isolated=maybe", "mac=", "storm=0", "storm=7",
        f"mac={station(rng.randrange(9)).hex(':')}", "storm=x", "mac=1:2", "color=red",
        "mac=" + "+".join(station(i).hex(":") for i in range(rng.randrange(1, 12))),
    ])


def line(rng, world, relay):
    """A command. It never does anything to a port that the honest pair needs."""
    victims = world.victims(relay)
    roll = rng.random()
    if roll < 0.45:
        return rng.choice(["status", "status --json", "fdb", "counters", "help"])
    if roll < 0.55:
        return "events"
    if roll < 0.65:
        words = ["capture", "port=1", "dir=in", "dir=out", "snap=20", "snap=70000"]
        return " ".join(["capture", *rng.sample(words[1:], rng.randrange(3))])
    if roll < 0.75 and victims:
        word = rng.choice(victims)
        return f"del {rng.choice([word['id'], world.quoted(word['name'])])}"
    if roll < 0.85 and victims:
        return f"set {rng.choice(victims)['id']} " + " ".join(
            rules(rng) for _ in range(rng.randrange(1, 3)))
    return rng.choice(WRONG)


def request(rng, world, relay):
    """Return: bytes for the control socket, and whether an answer must follow."""
    text = line(rng, world, relay).encode("latin-1") + b"\n"
    roll = rng.random()
    if roll < 0.1:
        return text[:-1], False
    if roll < 0.15:
        return rng.randbytes(rng.choice([1, 100, 4095, 4096, 9000])), False
    if roll < 0.2:
        return b"status\0" + text, True
    return text, True


def scrape(rng):
    """Return: a request for metrics, or for what the page shows, and whether it is a good one."""
    good = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    if rng.random() < 0.6:
        return rng.choice([good, good, b"GET /status.json HTTP/1.1\r\nHost: x\r\n\r\n",
                           b"GET /fdb.json HTTP/1.1\r\n\r\n"]), True
    return rng.choice([
        b"GET /page.js HTTP/1.1\r\n\r\n", b"GET /status.json HTTP/1.1\r\nHost: a.b\r\n\r\n",
        good[: rng.randrange(len(good))], b"GET / HTTP/1.0\n\n", b"HEAD /metrics HTTP/1.1\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\n\r\n", b"GET /metrics\r\n\r\n", b"G" * 9000,
        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 3000, b"\0\1\2\n\n", rng.randbytes(500),
        b"GET http://h/metrics?x=1 HTTP/1.1\r\n\r\n", good + good,
    ]), False


class Asker:
    """Sends what it is given, a bit at a time, reads as it likes, and goes."""

    def __init__(self, world, relay, sock, seed):
        self.world, self.relay, self.sock = world, relay, sock
        self.rng = random.Random(seed)
        self.most = at_once(self.rng)
        self.mode = self.rng.choice(["all", "all", "slow", "none"])
        self.until = time.monotonic() + self.rng.choice([0.01, 0.3, 1, 4])
        self.data, self.is_over, self.is_watched = b"", False, False
        self.is_ended = False
        self.ask()
        self.rest = self.request
        if self.mode == "all":
            world.watch(sock, self.readable)
            self.is_watched = True

    def act(self, now):
        if self.rest:
            try:
                self.rest = self.rest[self.sock.send(self.rest[: self.most]) :]
            except BlockingIOError:
                pass
            except OSError:
                self.rest = b""
        if self.mode == "slow":
            self.receive(self.rng.choice([1, 50, 3000]))
        if now > self.until and not self.is_over:
            self.close()

    def readable(self):
        self.receive(RECEIVE)

    def receive(self, size):
        try:
            more = self.sock.recv(size)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self.data += more
        if not more:
            self.is_ended = True
            self.close()
        elif len(self.data) > 1 << 24:
            self.close()

    def quieten(self):
        self.close()

    def close(self):
        if self.is_over:
            return
        self.is_over = True
        if self.is_watched:
            self.world.unwatch(self.sock, self.readable)
        self.sock.close()
        self.judge()


class CtlAsker(Asker):
    def ask(self):
        self.request, self.is_whole = request(self.rng, self.world, self.relay)

    def judge(self):
        who = f"{self.relay.name}: ctl {self.request[:60]!r}"
        if self.data and not (b"ok\n".startswith(self.data[:3]) or
                              b"error: ".startswith(self.data[:7])):
            raise Finding(f"{who} was answered with {self.data[:80]!r}")
        if self.request.startswith(b"capture") and self.data[:3] == b"ok\n":
            check_pcapng(who, self.data[3:])


def check_pcapng(who, data):
    """As far as it has come: a chain of blocks."""
    at = 0
    while len(data) - at >= 8:
        kind, size = struct.unpack_from("<II", data, at)
        if at == 0 and kind != 0x0A0D0D0A or size % 4 or not 12 <= size < 1 << 20:
            raise Finding(f"{who}: a capture has a block of type {kind:#x} and {size} "
                          f"bytes at {at}")
        if len(data) - at < size:
            break
        if struct.unpack_from("<I", data, at + size - 4)[0] != size:
            raise Finding(f"{who}: a capture's block at {at} ends otherwise than it begins")
        at += size


class Scraper(Asker):
    def ask(self):
        self.request, self.is_good = scrape(self.rng)

    def judge(self):
        if not self.is_good or not self.is_ended or not self.data:
            return
        head, _, body = self.data.partition(b"\r\n\r\n")
        if b"application/json" in head:
            self.judge_json(body)
            return
        size = re.search(rb"Content-Length: (\d+)", head)
        if not head.startswith(b"HTTP/1.1 200 ") or not size or len(body) != int(size[1]):
            raise Finding(f"{self.relay.name}: metrics were {len(body)} bytes behind "
                          f"{head[:300]!r}")
        check_metrics(self.relay.name, body.decode())

    def judge_json(self, body):
        """It has no length: one that is cut short has no end."""
        if not body.endswith(b"]}\n"):
            return
        try:
            json.loads(body)
        except ValueError as e:
            raise Finding(f"{self.relay.name}: {self.request[:40]!r} is no JSON: {e}") from None


def check_metrics(who, text):
    # Of more ports it is not of one moment.
    if text.count("\nnetrelay_port_queue_frames{") >= 64:
        return
    sums = {}
    for name, value in re.findall(r"^(\w+)(?:\{[^}]*\})? (\S+)$", text, re.M):
        sums[name] = sums.get(name, 0) + float(value)
    left = sums["netrelay_receive_frames_total"] + sums["netrelay_copied_frames_total"]
    right = (sums["netrelay_transmit_frames_total"] + sums["netrelay_drops_total"]
             + sums.get("netrelay_port_queue_frames", 0))
    if left != right:
        raise Finding(f"{who}: metrics do not add up: {left:.0f} came, {right:.0f} went")


def new_ctl(world, relay, seed):
    sock = connect(relay.ctl)
    return CtlAsker(world, relay, sock, seed) if sock else None


def new_scraper(world, relay, seed):
    sock = connect(("127.0.0.1", relay.metrics)) if relay.metrics else None
    return Scraper(world, relay, sock, seed) if sock else None
