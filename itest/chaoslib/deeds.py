# SPDX-License-Identifier: MIT
"""What may happen next, by kind: each is a function of the round and of chance.

A deed says in a few words what it did; None is nothing.
"""
import os
import signal
import time

from . import askers, honest, programs
from .away import LOSSES, Away, lose
from .clients import SCRIPTS, Client, connect
from .endpoints import add_endpoint, add_listener
from .lab import ip

DEEDS = {}
MOST_AWAY = 2


def deed(kind, weight):
    def keep(do):
        DEEDS[kind] = (weight, do)
        return do

    return keep


def new_client(kind, weight):
    @deed(kind, weight)
    def do(world, rng):
        relay = rng.choice(world.relays)
        if len(world.clients) > world.most_clients or not relay.takes:
            return None
        if kind == "echo" and world.is_strict:
            return None
        where = rng.choice(relay.takes)
        # Much that is sent ahead of a reset outlives it on a unix socket only.
        if kind == "owed" and rng.random() < 0.5:
            where = next((w for w in relay.takes if isinstance(w, str)), where)
        rcvbuf = rng.choice([1, 2304, 8192]) if kind in ("owed", "mute") or (
            rng.random() < 0.3) else None
        seed = rng.random()
        sock = connect(where, rcvbuf)
        if not sock:
            return f"{kind} client of {relay.name}: not taken"
        world.clients.append(Client(world, kind, seed, sock, where))
        return f"{kind} client of {relay.name} at {where}"


for name, weight in {"plain": 6, "trunk": 6, "half": 4, "garbage": 2, "mute": 2,
                     "owed": 8, "guard": 2, "echo": 1}.items():
    assert name in SCRIPTS
    new_client(name, weight)


@deed("ctl", 6)
def ctl(world, rng):
    relay = rng.choice(world.relays)
    seed = rng.random()
    if sum(a.relay is relay for a in world.askers) > 13:
        return None
    asker = askers.new_ctl(world, relay, seed)
    if asker:
        world.askers.append(asker)
    return f"{relay.name}: ctl {asker.request[:70] if asker else None}"


@deed("metrics", 2)
def metrics(world, rng):
    relay = rng.choice(world.relays)
    scraper = askers.new_scraper(world, relay, rng.random())
    if scraper:
        world.askers.append(scraper)
    return f"{relay.name}: metrics {scraper.request[:40]}" if scraper else None


@deed("endpoints", 3)
def endpoints(world, rng):
    relay = rng.choice(world.relays)
    if len(world.victims(relay)) > 60 or len(world.others) > 60:
        return None
    return add_endpoint(world, rng, relay)


@deed("listeners", 2)
def listeners(world, rng):
    """One more, or one of those taken away."""
    relay = rng.choice([r for r in world.relays if r.kind != "cable"])
    if relay.is_dark():
        return None
    extra = relay.takes[relay.n_main_listeners :]
    if not extra or (len(extra) < 5 and rng.random() < 0.5):
        return add_listener(world, rng, relay)
    where = rng.choice(extra)
    relay.takes.remove(where)
    text = relay.listener_texts.pop(where)
    answer = relay.ask(f"del -l {world.quoted(text)}")
    if answer is None:
        relay.takes.append(where)
        relay.listener_texts[where] = text
    return f"{relay.name}: del -l {text}: {answer}"


@deed("burst", 2)
def burst(world, rng):
    relay = rng.choice(world.relays)
    if not relay.takes:
        return None
    size = rng.choice([100_000, 1 << 20, 4 << 20])
    world.burst(rng.choice(relay.takes), rng, size)
    return f"burst of {size} bytes into {relay.name}"


@deed("signals", 2)
def signals(world, rng):
    relay = rng.choice(world.relays)
    os.kill(relay.pid, signal.SIGUSR1)
    return f"{relay.name}: SIGUSR1"


@deed("stop", 1)
def stop(world, rng):
    """Its peers go on while it stands still."""
    relay = rng.choice(world.relays)
    seconds = rng.choice([0.05, 0.3, 1])
    if relay.is_dark():
        return None
    os.kill(relay.pid, signal.SIGSTOP)
    relay.darken(seconds)
    return f"{relay.name}: stopped for {seconds} s"


@deed("fds", 0.7)
def fds(world, rng):
    """No descriptor, or hardly any, is left."""
    relay = rng.choice(world.relays)
    seconds = rng.choice([0.3, 2])
    if relay.is_dark():
        return None
    count = max(0, len(relay.fds()) + rng.choice([-3, 0, 0, 1, 2, 5]))
    relay.limit_fds(count)
    relay.darken(seconds)
    return f"{relay.name}: {count} descriptors at most for {seconds} s"


@deed("refuse", 1)
def refuse(world, rng):
    """Its kernel has no memory, or is interrupted, or takes a part only."""
    relay = rng.choice(world.relays)
    seconds, per_mille = rng.choice([0.2, 1, 3]), rng.choice([5, 50, 300])
    if relay.is_dark() or not relay.can_refuse:
        return None
    relay.refuse(per_mille)
    relay.darken(seconds)
    return f"{relay.name}: {per_mille} of 1000 calls fail for {seconds} s"


@deed("helper", 0.2)
def helper(world, rng):
    """One of its processes dies: the broker, the helper, a keeper, a capture's writer."""
    relay = rng.choice(world.relays)
    children = relay.processes()
    if not children:
        return None
    pid = rng.choice(children)
    os.kill(pid, signal.SIGKILL)
    return f"{relay.name}: child {pid} killed"


@deed("links", 1)
def links(world, rng):
    if not world.bridges:
        return None
    bridge = rng.choice(world.bridges)
    return f"{bridge.bridge}: {bridge.disturb(rng)}"


@deed("taps", 0.7)
def taps(world, rng):
    if not world.taps:
        return None
    tap = rng.choice(world.taps)
    change = rng.choice([["del"], ["set", "down"], ["set", "up"], ["set", "mtu", "576"],
                         ["set", "mtu", "9000"], ["set", "name", f"{tap}x"],
                         ["set", "netns", str(world.elsewhere)]])
    ip("link", change[0], tap, *change[1:], may_fail=True)
    return f"{tap}: {' '.join(change)}"


@deed("loss", 0.5)
def loss(world, rng):
    """Packets are lost between all but the honest pair; TCP has to mend that."""
    per_mille, seconds = rng.choice(LOSSES), rng.choice([0.3, 1, 3])
    if not world.is_root or world.lossy_until:
        return None
    lose(per_mille, [honest.ADDRESS])
    world.lossy_until = time.monotonic() + seconds
    return f"{per_mille} of 1000 packets are lost for {seconds} s"


@deed("away", 0.7)
def away(world, rng):
    """A host more, which will not be there always; or a link to it again, if it was taken away."""
    there = [o for o in world.others if isinstance(o, Away)]
    relay = rng.choice([r for r in world.relays if r.kind != "cable"])
    if not world.is_root or relay.is_dark():
        return None
    if len(there) < MOST_AWAY:
        there.append(Away(world, rng, relay, len(there)))
        world.others.append(there[-1])
    # Two links to one of them would be a loop, and the relay takes a second one.
    status = relay.status()
    linked = [p["name"] for p in status["ports"]] if status else []
    missing = [f"{a.kind}:{a.where}" for a in there if a.relay is relay]
    missing = [text for text in missing if text not in linked]
    if not status or not missing:
        return None
    text = rng.choice(missing)
    return f"{relay.name}: add {text}: {relay.ask(f'add {text}')}"


@deed("elsewhere", 0.3)
def elsewhere(world, rng):
    """A network namespace goes, and with it the interfaces that were moved there."""
    if not world.is_root:
        return None
    world.leave_elsewhere()
    return "the other network namespace is another one"


@deed("loops", 1)
def loops(world, rng):
    """A second way between the two switches."""
    if world.is_strict or len(world.relays) < 2 or world.relays[1].name != "two":
        return None
    one, two = world.relays[:2]
    if one.is_dark() or two.is_dark():
        return None
    text = f"{rng.choice(['trunk', 'tcp'])}:127.0.0.1:{one.takes[0][1]},isolated"
    return f"two: add {text}: {two.ask(f'add {text}')}"


@deed("programs", 1.5)
def other_programs(world, rng):
    if sum(isinstance(o, programs.Program) for o in world.others) > 6:
        return None
    make = rng.choice([programs.ctl_program, programs.ctl_program, programs.on_stdin,
                       programs.mortal])
    return make(world, rng)


@deed("guests", 1.5)
def guests(world, rng):
    if sum(isinstance(o, programs.Program) for o in world.others) > 6:
        return None
    return programs.guests(world, rng)


@deed("sealed", 1)
def sealed(world, rng):
    if sum(isinstance(o, programs.Program) for o in world.others) > 6:
        return None
    return programs.liar(world, rng)


def pick(world, rng, kinds):
    """Do one of these kinds. Return: what was done."""
    weights = [DEEDS[kind][0] for kind in kinds]
    kind = rng.choices(kinds, weights)[0]
    done = DEEDS[kind][1](world, rng)
    return f"{time.monotonic() - world.began:8.3f} {kind}: {done}" if done else None
