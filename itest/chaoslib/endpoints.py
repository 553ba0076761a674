# SPDX-License-Identifier: MIT
"""Endpoints and listeners for relays, with somebody at their other ends, or nobody."""
import socket

from .frames import station
from .peers import Bridge, Datagrams, Sink, Wire

EXEC = [
    "sleep 0.3", "false", "exit 3", "cat >/dev/null", "head -c 300 /dev/urandom", "kill -9 $$",
    "printf '\\000\\000\\000\\074'; head -c 60 /dev/zero; cat >/dev/null", "no-such-command",
    "(sleep 0.5; kill $$) & cat >/dev/null", "exec cat >/dev/null", "trap '' TERM; sleep 1",
    "head -c 100000 >/dev/null",
]


def rules(rng):
    """Of the names some are taken already, or are a listener's."""
    name = rng.choice(["", "", f",name=n{rng.randrange(40)}", f",name=n{rng.randrange(40)}-2"])
    return name + rng.choice(["", "", "", ",isolated",
                              f",mac={station(rng.randrange(9)).hex(':')}"])


def sink(world, rng, relay, where):
    world.others.append(Sink(world, where, relay, rng.random()))


def tcp(world, rng, relay, kind="tcp"):
    port, host = world.port(), "127.0.0.1"
    if rng.random() < 0.8:
        sink(world, rng, relay, (host, port))
    return f"{kind}:{rng.choice([host, host, 'localhost'])}:{port}{rules(rng)}"


def trunk(world, rng, relay):
    return tcp(world, rng, relay, "trunk")


def unix(world, rng, relay):
    path = world.path("sink")
    if rng.random() < 0.8:
        sink(world, rng, relay, path)
    return f"unix:{path}{rules(rng)}"


def udp(world, rng, relay):
    ours, its = world.port(), world.port()
    host, family = rng.choice([("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
    world.others.append(Datagrams(world, rng.random(), family, (host, ours), (host, its)))
    shown = f"[{host}]" if ":" in host else host
    return f"udp:{shown}:{ours},local={shown}:{its}{rules(rng)}"


def unixgram(world, rng, relay):
    ours, its = world.path("gram"), world.path("gram")
    world.others.append(Datagrams(world, rng.random(), socket.AF_UNIX, ours, its))
    return f"unixgram:{ours},local={its}{rules(rng)}"


def mcast(world, rng, relay):
    port = world.port()
    group = f"239.7.{port >> 8}.{port & 255}"
    world.others.append(Datagrams(world, rng.random(), socket.AF_INET, (group, port),
                                  (group, port), group))
    return f"mcast:{group}:{port},if=127.0.0.1{rules(rng)}"


def tap(world, rng, relay):
    name = f"ct{world.number()}"
    world.others.append(Wire(world, rng.random(), name))
    world.taps.append(name)
    return f"tap:{name}{rules(rng)}"


def bridge(world, rng, relay):
    made = Bridge(world, rng.random(), world.number())
    world.others.append(made)
    world.bridges.append(made)
    return f"bridge:{made.bridge}{rules(rng)}"


def child(world, rng, relay):
    return f"exec:{rng.choice(EXEC)}"


def name(world, rng, relay):
    return f"tcp:{rng.choice(['no.such.name.invalid', 'x' * 63, 'localhost'])}:1"


ANYWHERE = [tcp, tcp, trunk, unix, child]
IN_NAMESPACE = [udp, unixgram, mcast, tap, bridge, name]


def make(world, rng, relay):
    """Return: an endpoint's text."""
    kinds = [k for k in ANYWHERE + (IN_NAMESPACE if world.is_root else [])
             if world.allows("exec" if k is child else "links" if k in (tap, bridge) else "")]
    return rng.choice(kinds)(world, rng, relay)


def add_endpoint(world, rng, relay):
    if relay.is_dark():
        return None
    text = make(world, rng, relay)
    answer = relay.ask(f"add {world.quoted(text)}")
    return f"{relay.name}: add {text}: {answer}"


def listener(world, rng):
    """Return: its text, and where to connect."""
    if rng.random() < 0.4:
        path = world.path("l")
        return f"unix-listen:{path}{rules(rng)}", path
    port = world.port()
    host = rng.choice(["127.0.0.1", "127.0.0.1", "::1"])
    shown = f"[{host}]" if ":" in host else host
    return f"tcp-listen:{shown}:{port}{rules(rng)}", (host, port)


def add_listener(world, rng, relay):
    if relay.is_dark():
        return None
    text, where = listener(world, rng)
    answer = relay.ask(f"add -l {world.quoted(text)}")
    if answer and answer.startswith("ok\n"):
        relay.takes.append(where)
        relay.listener_texts[where] = text
    return f"{relay.name}: add -l {text}: {answer}"
