# SPDX-License-Identifier: MIT
"""Programs beside the relays: a switch that is killed and comes back, a relay on stdin,
`netrelay ctl` and `netrelay top`, and one that reads a capture as slowly as it likes."""
import os
import random
import select
import signal
import socket
import subprocess
import time

from . import askers
from .clients import SCRIPTS, Client, connect
from .frames import Finding
from .lab import ANSWER_S, die_with_parent

FAR = "far" # the name of the other switch, as a peer
ITEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEER, GUESTS = os.path.join(ITEST, "seal-peer"), os.path.join(ITEST, "vhost-come")
QUICK_KINDS = ["plain", "trunk", "half", "garbage", "mute"]
WORDS = [["status"], ["status", "--json"], ["fdb"], ["counters"], ["help"], ["events"], [],
         ["capture", "-"], ["capture", "-", "snap=60"], ["nonsense"], ["set", "1"]]


class Program:
    """One that runs for a while. @ends: exit statuses that are good; it may be killed."""

    def __init__(self, world, words, seconds, ends, stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL):
        self.log = world.path("program")
        self.words, self.until = words, time.monotonic() + seconds
        self.world, self.ends, self.is_over, self.is_asked = world, ends, False, False
        with open(self.log, "wb") as err:
            self.process = subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=err,
                                            env=world.program_env, preexec_fn=die_with_parent)

    def act(self, now):
        code = self.process.poll()
        if code is not None:
            self.judge(code)
        elif self.is_asked and now > self.until + ANSWER_S:
            raise Finding(f"{self.words} did not end within {ANSWER_S} s of SIGTERM")
        elif now > self.until and not self.is_asked:
            self.is_asked, self.until = True, now
            self.process.terminate()

    def judge(self, code):
        self.is_over = True
        with open(self.log, encoding="utf-8", errors="replace") as file:
            said = file.read()
        is_asked = self.is_asked and code == -signal.SIGTERM
        if (code not in self.ends and not is_asked) or "Sanitizer" in said:
            raise Finding(f"{self.words} ended with {code}:\n{said[-3000:]}")

    def quieten(self):
        self.until = 0

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.is_over = True


class OnStdin(Program):
    """A relay between its stdin, which is a client of ours, and @target."""

    def __init__(self, world, rng, target):
        ours, its = socket.socketpair()
        super().__init__(world, [world.options.program, "-", target], 3, [0],
                         stdin=its, stdout=its)
        its.close()
        ours.setblocking(False)
        # It pads and frames as on any stream, but is asked for no trunk.
        world.clients.append(Client(world, rng.choice(QUICK_KINDS), rng.random(), ours, None))


def ctl_program(world, rng):
    relay = rng.choice(world.relays)
    words = [world.options.program, "ctl", relay.ctl, *rng.choice(WORDS)]
    if rng.random() < 0.15:
        words = [world.options.program, "top", relay.ctl]
    world.others.append(Program(world, words, rng.choice([0.05, 0.5, 2]), [0, 1, 2]))
    return " ".join(words[1:])


def on_stdin(world, rng):
    relay = rng.choice(world.relays)
    where = relay.takes[0]
    kind = rng.choice(["tcp", "trunk"])
    if isinstance(where, str):
        return None
    target = f"{kind}:{where[0]}:{where[1]}"
    world.others.append(OnStdin(world, rng, target))
    return f"a relay between its stdin and {target}"


def guests(world, rng):
    """By shared memory; or one who speaks something else there."""
    relay = rng.choice(world.relays)
    if not relay.guests or len(world.clients) > world.most_clients:
        return None
    if rng.random() < 0.3:
        kind, sock = rng.choice(QUICK_KINDS), connect(relay.guests)
        if sock:
            world.clients.append(Client(world, kind, rng.random(), sock, relay.guests))
        return f"{kind} client of {relay.name}, where guests come"
    words = [GUESTS, relay.guests, str(rng.randrange(20)), str(rng.randrange(1000))]
    # The relay may turn it away, or take its port away.
    world.others.append(Program(world, words, rng.choice([0.2, 1, 3]), [0, 1]))
    return " ".join(words)


class Seal:
    """The keys of a sealed trunk between two switches, and of one who knows no manners."""

    def __init__(self, world):
        self.world, self.port = world, world.port()
        self.key, self.public = {}, {}
        for name in ("near", FAR, "liar"):
            self.make_pair(name)
        self.peers = world.path("peers")
        with open(self.peers, "w", encoding="ascii") as file:
            file.write(f"{self.public[FAR]} {FAR}\n{self.public['liar']} liar\n")

    def make_pair(self, name):
        self.key[name] = self.world.path("key")
        with open(os.open(self.key[name], os.O_CREAT | os.O_RDWR, 0o600), "wb+") as file:
            subprocess.run([self.world.options.program, "genkey"], stdout=file, check=True)
            file.seek(0)
            self.public[name] = subprocess.check_output(
                [self.world.options.program, "pubkey"], stdin=file, text=True).strip()

    def listener(self):
        return ["--key", self.key["near"], "-l",
                f"tcp-listen:127.0.0.1:{self.port},peers={self.peers}"]

    def far_key(self):
        return ["--key", self.key[FAR]]

    def trunk(self):
        return f"trunk:127.0.0.1:{self.port},peer={self.public['near']}"


def liar(world, rng):
    """A peer that changes what it has sealed, repeats what it said, or comes and goes."""
    seal = world.relays[0].seal
    words = rng.choice([["tamper"], ["repeat"], ["hands", "3"], ["flood", "20"], None])
    if not seal:
        return None
    if not words:
        world.relays[0].process.send_signal(signal.SIGHUP)
        return "the keys are read again"
    # It fails when the relay stands still.
    world.others.append(Program(world, [PEER, words[0], "127.0.0.1", str(seal.port),
                                        seal.key["liar"], seal.public["near"], *words[1:]],
                                5, [0, 1]))
    return f"a peer: {' '.join(words)}"


class Mortal:
    """A switch with a trunk to another: it is killed without a word, and started again."""

    def __init__(self, world, rng, relay):
        self.world, self.rng = world, random.Random(rng.random())
        where = f"{relay.takes[0][0]}:{relay.takes[0][1]}"
        self.takes = [("127.0.0.1", world.port()), world.path("mortal")]
        kind = self.rng.choice(["trunk", "tcp"])
        self.words = [world.options.program, "--ctl", world.path("mortal-ctl"), "-l",
                      f"127.0.0.1:{self.takes[0][1]}", "-l", f"unix-listen:{self.takes[1]}",
                      f"{kind}:{where}"]
        self.program, self.is_quiet, self.is_over = None, False, False
        self.is_stopped = False

    def act(self, now):
        if self.program:
            self.program.act(now)
            if self.program.is_over:
                self.program = None
        if self.is_quiet:
            return
        if not self.program:
            self.program = Program(self.world, self.words, 1 << 20, [0])
        elif self.rng.random() < (0.05 if self.is_stopped else 0.01):
            self.stand_still(not self.is_stopped)
        elif not self.is_stopped and self.rng.random() < 0.01:
            how = self.rng.choice(["kill", "terminate"])
            getattr(self.program.process, how)()
            self.program.ends = [0, -signal.SIGKILL] if how == "kill" else [0, -signal.SIGTERM]
            self.program.process.wait(ANSWER_S)

    def stand_still(self, is_stopped):
        self.is_stopped = is_stopped
        os.kill(self.program.process.pid, signal.SIGSTOP if is_stopped else signal.SIGCONT)

    def quieten(self):
        self.is_quiet = True
        self.close()

    def close(self):
        if self.program:
            self.program.close()
            self.program = None


def mortal(world, rng):
    if any(isinstance(o, Mortal) for o in world.others):
        return None
    relay = world.relays[0]
    world.others.append(Mortal(world, rng, relay))
    return f"a switch with a trunk to {relay.name}, which will be killed"


class Reader:
    """Of a FIFO that a capture is written to: now and then, a bit, or not at all."""

    def __init__(self, world, rng, path):
        self.world, self.path, self.rng = world, path, random.Random(rng.random())
        os.mkfifo(path)
        self.fd, self.data, self.is_over = None, b"", False
        self.patience = self.rng.choice([0.5, 3, 100])

    def act(self, now):
        if self.fd is None:
            self.fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            self.patience += now
        if now > self.patience:
            self.close()
        elif self.rng.random() < 0.5 and select.select([self.fd], [], [], 0)[0]:
            self.data += os.read(self.fd, self.rng.choice([1, 100, 1 << 16, 1 << 20]))
            if len(self.data) > 1 << 24:
                self.close()

    def quieten(self):
        pass

    def close(self):
        if self.fd is not None and not self.is_over:
            os.close(self.fd)
            askers.check_pcapng(self.path, self.data)
        self.is_over = True


assert set(QUICK_KINDS) <= set(SCRIPTS)
