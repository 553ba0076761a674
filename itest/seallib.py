# SPDX-License-Identifier: MIT
"""The handshake of a sealed trunk, as src/trunk/handshake.h describes it, for peers that
share no code with netrelay: seal-peer over TCP, seal-peer-udp over UDP."""
import base64
import hashlib
import hmac
import struct
import time

from noiselib import Cipher, Handshake, public

MAGIC, SEALED = 0xFF6E7472, 2
FIRST, SECOND, MAC = 140, 64, 16
SUITES = {1: "ChaChaPoly", 2: "AESGCM"}
LABEL = b"netrelay AES-256-GCM"
TAKES_SUPER, TAKES_SLICES = 1, 2


def read_key(path):
    with open(path, encoding="ascii") as file:
        return base64.b64decode(file.read())


def read_exactly(conn, size):
    data = b""
    while len(data) < size:
        more = conn.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def hello(size):
    return struct.pack(">IHH", MAGIC, SEALED, size)


def with_mac(message, peer):
    key = hashlib.sha256(b"netrelay mac1" + peer).digest()
    return message + hmac.digest(key, message, "sha256")[:MAC]


def stamp():
    now = time.time_ns()
    return struct.pack(">QI", 2**62 + 10 + now // 10**9, now % 10**9)


def first_message(key, peer, psk, suites, takes=TAKES_SUPER):
    noise = Handshake(True, prologue=hello(FIRST), key=key, peer=peer, psk=psk)
    message = hello(FIRST) + noise.write_message(stamp() + struct.pack(">II", takes, suites))
    return noise, with_mac(message, peer)


def hear_answer(noise, answer, suites):
    """Returns what the listener takes, and the suite."""
    assert answer[:8] == hello(SECOND), answer
    takes, suite = struct.unpack(">II", noise.read_message(answer[8:]))
    assert takes & TAKES_SUPER and 1 << suite & suites, (takes, suite)
    return takes, suite


def hear_first(message, key, peer, psk):
    """Returns the handshake, what the dialler takes, and its suites; NoiseError: it is none."""
    noise = Handshake(False, prologue=hello(FIRST), key=key, psk=psk)
    assert with_mac(message[:-MAC], public(key)) == message
    payload = noise.read_message(message[8:-MAC])
    assert noise.rs == peer and payload[0] >> 6 == 1, payload
    return noise, *struct.unpack(">II", payload[12:])


def answer_message(noise, suites, takes=TAKES_SUPER):
    """Returns the second message, and the suite, which is one of @suites."""
    suite = 2 if suites & 4 else 1
    return hello(SECOND) + noise.write_message(struct.pack(">II", takes, suite)), suite


def ciphers(noise, suite):
    """Returns those for what is sent, and for what comes."""
    pair = noise.split()
    if suite == 2:
        pair = [Cipher(hmac.digest(c.key, LABEL, "sha256"), "AESGCM") for c in pair]
    return pair


def processes(pid):
    yield pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        for child in file.read().split():
            yield from processes(int(child))


def pieces(pid):
    """What a process has in its memory."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            begin, end = (int(at, 16) for at in line.split()[0].split("-"))
            if "w" in line.split()[1]:
                memory.seek(begin)
                yield memory.read(end - begin)


def secrets_in(pid, secrets):
    """Which of these a process, or one that it started, has in its memory: their names."""
    return sorted({name for one in processes(pid) for piece in pieces(one)
                   for name, secret in secrets.items() if secret in piece})
