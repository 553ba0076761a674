# SPDX-License-Identifier: MIT
"""A round: some relays in a random shape, an honest pair, and chaos around them."""
import collections
import os
import random
import re
import select
import signal
import socket
import stat
import time
import types

from . import deeds, endpoints, programs, traffic
from .askers import check_pcapng
from .away import lose_nothing
from .clients import connect
from .frames import Finding, station
from .honest import Pair
from .lab import Elsewhere, Relay, ip
from .programs import Reader

MOST_CLIENTS = 40
DEEDS_A_SECOND = [15, 40, 100]
CHECK_EVERY_S = 0.1
POLL_S = 0.1
QUIET_CPU_S = 0.25 # in a second
DRAIN_S = 60
HEAL_S = 30
ENDS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
STORY = 80 # deeds that are told of


def with_own_names(words):
    """The words of a command line, without names that would keep a relay from its start."""
    taken, kept = set(), []
    for word in words:
        found = re.search(r",name=(n\d+)(-2)?", word)
        if found and found[1] in taken:
            word = word.replace(found[0], "")
        elif found:
            taken.add(found[1])
        kept.append(word)
    return kept


class Round:
    def __init__(self, options, seed, number):
        self.options, self.is_root = options, options.is_root
        self.rng = random.Random(f"{seed}/{number}")
        self.rng_honest = random.Random(f"{seed}/{number}/honest")
        self.rng_turns = random.Random(f"{seed}/{number}/turns")
        self.folder = f"{options.folder}/{number}"
        os.mkdir(self.folder)
        self.began = time.monotonic()
        self.story = collections.deque(maxlen=STORY)
        self.epoll, self.callbacks = select.epoll(), {}
        self.clients, self.askers, self.others, self.pumps = [], [], [], []
        self.readers, self.captures = [], []
        self.relays, self.bridges, self.taps, self.pair = [], [], [], None
        self.honest_macs, self.most_clients = [], MOST_CLIENTS
        self.count, self.statuses = 0, {}
        self.kinds = [k for k in deeds.DEEDS if self.allows(k)]
        # Else there are loops, and some feign to be others: the pair can't always talk.
        self.is_strict = self.rng.random() < 0.75
        self.elsewhere, self.lossy_until = Elsewhere() if self.is_root else None, 0
        self.program_env = dict(os.environ, ASAN_OPTIONS="exitcode=99", LSAN_OPTIONS="exitcode=99",
                                UBSAN_OPTIONS="print_stacktrace=1:exitcode=99")
        self.pace = self.rng.choice(DEEDS_A_SECOND)
        self.ends_abruptly = self.rng.random() < 0.25
        self.next_deed = self.next_check = 0
        self.checks = 0

    # ---- what parts of it need ----

    def allows(self, kind):
        only, without = self.options.only, self.options.without
        return kind not in without and (not only or kind in only or not kind)

    def number(self):
        self.count += 1
        return self.count

    def path(self, word):
        return f"{self.folder}/{word}{self.number()}"

    def port(self):
        return self.options.next_port()

    @staticmethod
    def quoted(text):
        if text and not set(text) & set(' \t"\n'):
            return text
        inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{inner}"'

    def victims(self, relay):
        """Ports that may be taken away, as they were when last seen."""
        status = self.statuses.get(relay)
        if not status:
            return []
        return [p for p in status["ports"] if p["name"] not in relay.protected]

    def watch(self, sock, callback):
        self.callbacks[sock.fileno()] = callback
        self.epoll.register(sock, select.EPOLLIN)

    def unwatch(self, sock, callback):
        if self.callbacks.get(sock.fileno()) == callback:
            del self.callbacks[sock.fileno()]
            self.epoll.unregister(sock)

    def burst(self, where, rng, size):
        """As many bytes of frames for all, from one who then goes."""
        sock = connect(where) if where else None
        if sock:
            self.pumps.append([sock, traffic.burst(rng, self, size), 0])

    # ---- its shape ----

    def start(self):
        rng = self.rng
        seal = programs.Seal(self) if self.allows("sealed") and rng.random() < 0.4 else None
        first = self.start_switch("one", self.is_strict and rng.random() < 0.2,
                                  seal.listener() if seal else [])
        first.seal = seal
        far = first
        ends = [(first, first.takes[0])]
        if rng.random() < 0.6:
            is_hub = self.is_strict and rng.random() < 0.3
            # A hub lets pass what its guests play back; by a plain link it is a guest itself.
            kind = "trunk" if is_hub else rng.choice(["trunk", "trunk", "tcp"])
            link = seal.trunk() if seal else f"{kind}:127.0.0.1:{first.takes[0][1]}"
            far = self.start_switch("two", is_hub, [*(seal.far_key() if seal else []), link])
            self.protect_link(first, far, link)
        if rng.random() < 0.6:
            self.start_cable("three")
        ends.append((far, far.takes[0]))
        self.pair = Pair(self, ends)
        for s in self.pair.stations:
            s.relay.protected.add(s.name)
        self.honest_macs = [s.mac for s in self.pair.stations]

    def protect_link(self, first, far, link):
        limit = time.monotonic() + 15
        while time.monotonic() < limit:
            names = [p["name"] for p in first.status()["ports"]
                     if p["name"].startswith("tcp:127") or p["name"] == programs.FAR]
            if names and any(p["name"] == link and p["state"] == "up"
                             for p in far.status()["ports"]):
                first.protected.update(names)
                far.protected.add(link)
                return
            time.sleep(0.05)
        raise Finding(f"{link} did not come up within 15 s")

    def relay(self, name, args, kind):
        relay = Relay(name, self.options.program, self.folder, args, self.rng.randrange(1 << 32))
        relay.kind = kind
        self.relays.append(relay)
        self.tell(f"{name}: {relay.command()}")
        relay.wait_ready()
        return relay

    def start_switch(self, name, is_hub, targets):
        rng, args = self.rng, []
        port, path = self.port(), self.path("main")
        args += ["-l", f"127.0.0.1:{port}", "-l", f"unix-listen:{path}"]
        args += ["--hub"] if is_hub else rng.choice([[], [], [], ["--storm", "200"]])
        if not is_hub and rng.random() < 0.3:
            args += ["--fdb-size", rng.choice(["1", "5", "30"])]
        scrape = self.port() if rng.random() < 0.7 else None
        if scrape:
            args += ["--metrics", f"127.0.0.1:{scrape}"]
        args += rng.choice([[], [], ["-v"], ["-vv"]])
        takes = [("127.0.0.1", port), path]
        texts = {}
        if rng.random() < 0.5:
            text, where = endpoints.listener(self, rng)
            args += ["-l", text]
            takes.append(where)
            texts[where] = text
        guests = self.path("guests") if self.allows("guests") and rng.random() < 0.5 else None
        if guests:
            args += ["-l", f"vhost-user-listen:{guests}"]
        if self.allows("capture") and rng.random() < 0.3:
            args += ["--capture", self.capture_for(name)]
        # What its targets need to know of it, which is not there yet.
        shell = types.SimpleNamespace(takes=takes)
        if self.allows("endpoints"):
            for _ in range(rng.randrange(4)):
                targets = [*targets, endpoints.make(self, rng, shell)]
        relay = self.relay(name, with_own_names([*args, *targets]), "hub" if is_hub else "switch")
        relay.takes, relay.listener_texts, relay.metrics = takes, texts, scrape
        relay.guests, relay.n_main_listeners = guests, 2
        return relay

    def capture_for(self, name):
        path = self.path(f"{name}.pcapng")
        if self.rng.random() < 0.5:
            reader = Reader(self, self.rng, path)
            self.readers.append(reader)
        else:
            self.captures.append(path)
        return path

    def start_cable(self, name):
        rng = self.rng
        port = self.port()
        shell = types.SimpleNamespace(takes=[("127.0.0.1", port)])
        ends = [f"tcp-listen:127.0.0.1:{port}", endpoints.make(self, rng, shell)]
        relay = self.relay(name, ends, "cable")
        relay.takes, relay.listener_texts, relay.n_main_listeners = shell.takes, {}, 1

    # ---- its course ----

    def tell(self, text):
        self.story.append(text)
        if self.options.verbose:
            print(f"# {text}", flush=True)

    def turn(self, timeout=0.003):
        for fd, _ in self.epoll.poll(timeout, 64):
            callback = self.callbacks.get(fd)
            if callback:
                callback()
        now = time.monotonic()
        self.pair.pump(now)
        self.pump_bursts()
        actors = self.clients + self.askers + self.others + self.readers
        for actor in self.rng_turns.sample(actors, min(len(actors), 24)):
            actor.act(now)
        self.clients = [c for c in self.clients if not c.is_over]
        self.askers = [a for a in self.askers if not a.is_over]
        self.others = [o for o in self.others if not getattr(o, "is_over", False)]
        self.readers = [r for r in self.readers if not r.is_over]
        self.lighten(now)
        return now

    def pump_bursts(self):
        for pump in self.pumps:
            sock, data, at = pump
            try:
                pump[2] += sock.send(data[at : at + (1 << 18)])
            except BlockingIOError:
                continue
            except OSError:
                pump[2] = len(data)
            if pump[2] >= len(data):
                sock.close()
        self.pumps = [p for p in self.pumps if p[2] < len(p[1])]

    def lighten(self, now):
        """What was done to relays from outside is over after a while."""
        for relay in self.relays:
            if relay.dark_until and now >= relay.dark_until:
                self.brighten(relay)
                self.pair.forgive()
        if self.lossy_until and now >= self.lossy_until:
            self.lose_nothing()

    def lose_nothing(self):
        if self.lossy_until:
            self.lossy_until = 0
            lose_nothing()

    def leave_elsewhere(self):
        """What was sent there is gone with it."""
        self.elsewhere.end()
        self.elsewhere = Elsewhere()

    @staticmethod
    def brighten(relay):
        relay.restore()
        relay.dark_until, relay.answered = 0, time.monotonic()

    def run(self, seconds):
        end = time.monotonic() + seconds
        while True:
            now = self.turn()
            if now >= end or self.options.has_done_all():
                return
            if now >= self.next_deed:
                self.next_deed = now + self.rng.expovariate(self.pace)
                done = deeds.pick(self, self.rng, self.kinds)
                if done:
                    self.options.done += 1
                    self.tell(done)
            if now >= self.next_check:
                self.next_check = now + CHECK_EVERY_S
                self.check(self.relays[self.checks % len(self.relays)])
                if self.is_strict:
                    self.pair.check_heard()

    # ---- what must hold ----

    def check(self, relay):
        self.checks += 1
        relay.check_alive()
        if relay.is_dark():
            return None
        status = relay.status()
        if status:
            self.statuses[relay] = status
            relay.check_sums(status)
            self.check_blocks(relay, status)
        return status

    def check_blocks(self, relay, status):
        """Without a loop, nothing that a guest sends cuts what others use."""
        for port in status["ports"]:
            if self.is_strict and port["blocked"] and port["name"] in relay.protected:
                raise Finding(f"{relay.name}: {port['name']} is blocked, and there is no loop")

    def wait_until(self, what, is_so, seconds):
        """Return: at once when it is so; it is a finding when it does not come to be."""
        limit = time.monotonic() + seconds
        while missing := is_so():
            if time.monotonic() > limit:
                raise Finding(f"not within {seconds} s: {what}: {missing}")
            again = time.monotonic() + POLL_S
            while self.turn() < again:
                pass

    def calm(self):
        """Nothing more is done from outside; who asked has gone."""
        for relay in self.relays:
            self.brighten(relay)
        self.lose_nothing()
        for asker in self.askers:
            asker.close()
        for sock, _, _ in self.pumps:
            sock.close()
        self.pumps = []
        self.pair.forgive()

    def hush(self):
        """All stand still, some in the midst of something: nothing is left to do."""
        self.pair.is_paused = True
        time.sleep(0.3)
        for _ in range(4):
            before = [r.cpu_s() for r in self.relays]
            time.sleep(1)
            spent = [r.cpu_s() - b for r, b in zip(self.relays, before)]
            if max(spent) < QUIET_CPU_S:
                break
        else:
            busy = self.relays[spent.index(max(spent))]
            raise Finding(f"{busy.name} spends {max(spent):.2f} s of CPU in a second "
                          f"in which nobody does anything; it is {busy.describe()}")
        for relay in self.relays:
            relay.check_alive()
        self.pair.is_paused = False
        self.pair.forgive()

    def still_queued(self):
        for relay in self.relays:
            status = self.check(relay)
            if not status or status["queued"]:
                ports = [(p["name"], p["queue_frames"], p["state"])
                         for p in (status or {"ports": []})["ports"] if p["queue_frames"]]
                return f"{relay.name}: {ports}"
        return None

    def drain(self):
        """Whoever is there reads; nothing stays in a queue."""
        for actor in self.clients + self.others:
            actor.quieten()
        self.wait_until("queues are empty", self.still_queued, DRAIN_S)
        self.wait_until("the honest pair's frames are through", self.pair_in_flight, 15)
        self.pair.is_paused = True
        self.wait_until("counts agree", self.pair_differs, 10)
        self.pair.is_paused = False
        self.pair.forgive()

    def pair_in_flight(self):
        self.pair.is_paused = self.pair.is_through()
        return None if self.pair.is_paused else "they are not taken"

    def pair_differs(self):
        """What relays counted of the honest pair is what its stations did."""
        counted = 0
        for relay in self.relays:
            status = self.check(relay)
            if not status:
                return f"{relay.name}: no status"
            for port in status["ports"]:
                if port["name"] in relay.protected:
                    counted += sum(port["drops"].values())
                for s in self.pair.stations:
                    if s.relay is relay and s.name == port["name"] and s.differs(port):
                        return s.differs(port)
        if self.is_strict and self.pair.lost() > counted:
            return (f"{self.pair.lost()} frames of the honest pair were lost, "
                    f"{counted} were counted as dropped on their way")
        return None

    def leave(self):
        """All go but the honest pair, and with them all that relays had for them."""
        for actor in self.clients + self.others:
            actor.close()
        self.clients, self.others = [], []
        self.statuses, self.left_at = {}, time.monotonic()
        for relay in self.relays:
            for where, text in relay.listener_texts.items():
                relay.ask(f"del -l {self.quoted(text)}")
            relay.takes = relay.takes[: relay.n_main_listeners]
            relay.listener_texts = {}
        self.wait_until("ports of those who left go", self.still_there, 15)
        for bridge in self.bridges:
            bridge.remove()
        for tap in self.taps:
            if ip("link", "show", tap, may_fail=True):
                raise Finding(f"tap {tap} is still there")
        self.bridges, self.taps = [], []
        for relay in self.relays:
            self.wait_until("its status", lambda r=relay: not self.check(r), HEAL_S)
            ports = self.statuses[relay]["ports"]
            relay.check_bare(sum(p["state"] == "up" for p in ports))
        self.wait_until("the honest pair talks", self.pair_is_deaf, HEAL_S)

    def pair_is_deaf(self):
        since = self.left_at
        deaf = [s.parser.who for s in self.pair.stations if s.heard <= since]
        return f"{deaf} hears nothing" if deaf else None

    def still_there(self):
        for relay in self.relays:
            status = self.check(relay)
            if not status:
                return f"{relay.name}: no status"
            left = self.victims(relay)
            for port in left:
                relay.ask(f"del {port['id']}")
            if left:
                return f"{relay.name}: {[(p['name'], p['state']) for p in left]}"
        return None

    def quiet(self):
        self.calm()
        self.hush()
        self.drain()
        self.leave()

    def finish(self):
        """The relays are to end in good order, whoever is there and whatever is under way."""
        self.pair.close()
        for relay in self.relays:
            self.brighten(relay)
            # With a key, the last one has it read its files again.
            ends = ENDS[:2] if " --key " in relay.command() else ENDS
            wrong = relay.stop(self.rng.choice(ends))
            if wrong:
                raise Finding(f"{relay.name}: {wrong}")
            if "Sanitizer" in relay.last_words() or "runtime error:" in relay.last_words():
                raise Finding(f"{relay.name}: a process of its own was found at fault")
        self.dismiss()
        self.check_remains()
        for path in self.captures:
            with open(path, "rb") as file:
                check_pcapng(path, file.read())

    def dismiss(self):
        """All that is ours."""
        for actor in self.clients + self.others + self.readers:
            actor.close()
        for bridge in self.bridges:
            bridge.remove()
        self.bridges = []

    def check_remains(self):
        """Sockets and interfaces that relays made are theirs to remove."""
        for name in os.listdir(self.folder):
            is_socket = stat.S_ISSOCK(os.lstat(f"{self.folder}/{name}").st_mode)
            if is_socket and not name.startswith(("mortal", "away")):
                raise Finding(f"socket {name} is left")
        left = [name for _, name in socket.if_nameindex() if name != "lo"]
        if self.is_root and left:
            raise Finding(f"interfaces {left} are left")

    def clean(self):
        """Whatever has happened."""
        for asker in self.askers:
            asker.is_over = True
        for relay in self.relays:
            relay.kill()
        self.dismiss()
        if self.elsewhere:
            self.elsewhere.end()
        self.epoll.close()
