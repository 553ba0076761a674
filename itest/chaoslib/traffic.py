# SPDX-License-Identifier: MIT
"""What clients send: frames, runs, super-frames right and wrong, and what is none."""
import struct

from .frames import (
    BROADCAST, FRAME_MAX, GROUPS, HELLO_BYTES, MAGIC, PATTERN, PROBE_GROUP, VNET_BIT,
    WORD, hello, marked, on_stream, ones_sum, station,
)

SIZES = [14, 15, 25, 26, 30, 59, 60, 61, 64, 100, 590, 1514, 1515, 1518, 4000]
LONG = [9014, 16000, 40000, 65535, 65549, FRAME_MAX - 1, FRAME_MAX]
RUNTS = [0, 1, 5, 12, 13]
BAD_WORDS = [FRAME_MAX + 1, 0x00FFFFFF, 0x7FFFFFFF, VNET_BIT, 0xFFFFFFFF, MAGIC ^ 1, MAGIC]
CSUM, TCP4, TCP6, UDP = 1, 1, 4, 5


def tags(rng):
    count = rng.choice([0, 0, 0, 0, 1, 1, 2, 3])
    out = b""
    for i in range(count):
        tpid = 0x88A8 if i + 1 < count else 0x8100
        out += struct.pack(">HH", tpid, rng.choice([0, 1, 7, 4094, 4095, 0xE001]))
    return out


def target(rng, world):
    roll = rng.random()
    if roll < 0.35:
        return rng.choice(GROUPS)
    if roll < 0.45 and world.honest_macs:
        return rng.choice(world.honest_macs)
    return station(rng.randrange(40))


def frame(rng, world, src=None, sizes=None):
    if sizes is None:
        sizes = SIZES if rng.random() < 0.85 else LONG
    src = src or station(rng.randrange(40))
    if not world.is_strict and rng.random() < 0.1:
        src = rng.choice(world.honest_macs)
    dst = target(rng, world)
    return marked(dst, src, rng.choice(sizes), tags(rng), at=rng.randrange(60000))


def frames(rng, world, count, src=None):
    """On a stream; now and then a run of equal ones, and something too short."""
    out = []
    while len(out) < count:
        roll = rng.random()
        if roll < 0.06:
            out.append(on_stream(b"\2" * rng.choice(RUNTS)))
        elif roll < 0.2:
            out.append(on_stream(frame(rng, world, src)) * rng.randrange(2, 90))
        else:
            out.append(on_stream(frame(rng, world, src)))
    return b"".join(out)


def burst(rng, world, size):
    """So many bytes of large frames for all."""
    one = on_stream(marked(BROADCAST, station(rng.randrange(40)),
                           rng.choice([1514, 4000, 9014, 30000, FRAME_MAX])))
    return one * (size // len(one) + 1)


def extensions(rng):
    """IPv6 extension headers, as (type, bytes without the next header's)."""
    out = []
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        kind, units = rng.choice([0, 43, 60]), rng.randrange(3)
        out.append((kind, bytes([units]) + bytes(units * 8 + 6)))
    return out


def ip_head(rng, is_six, proto, size, addresses):
    """For @size bytes behind it."""
    if not is_six:
        options = bytes(4 * rng.choice([0, 0, 0, 1, 10]))
        total = 20 + len(options) + size
        head = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, rng.choice([0, 3]),
                           total & 0xFFFF, rng.randrange(1 << 16), 0x4000, 64, proto, 0)
        head += addresses + options
        return head[:10] + struct.pack(">H", 0xFFFF - ones_sum(head)) + head[12:]
    chain, following = b"", proto
    for kind, rest in reversed(extensions(rng)):
        chain, following = bytes([following]) + rest + chain, kind
    return struct.pack(">IHBB", 6 << 28, (len(chain) + size) & 0xFFFF, following, 64) + (
        addresses + chain)


def l4_head(rng, proto, payload):
    """Return: header without checksum, where that goes, payload."""
    if proto == 17:
        return struct.pack(">HHHH", 5, 7, 8 + payload & 0xFFFF, 0), 6, PATTERN[:payload]
    options = bytes([1]) * (4 * rng.choice([0, 0, 3, 10]))
    start = rng.randrange(1 << 16)
    flags = rng.choice([0x10, 0x18, 0x19, 0x98])
    head = struct.pack(">HHIIBBHHH", 5, 7001, start, 1, (20 + len(options)) << 2, flags,
                       500, 0, 0) + options
    return head, 16, PATTERN[start : start + payload]


def packet(rng, payload, is_super, dst, src):
    """Return: virtio header's fields, frame. Its checksum is the pseudo-header's."""
    is_six, proto = rng.random() < 0.4, rng.choice([6, 6, 17])
    addresses = bytes([10, 7, 0, 1, 10, 7, 0, 2])
    if is_six:
        addresses = (b"\xfd" + bytes(14) + b"\1") * 2
    l4, field, body = l4_head(rng, proto, payload)
    size = len(l4) + payload
    pseudo = addresses + struct.pack(">II", size, proto)
    l4 = l4[:field] + struct.pack(">H", ones_sum(pseudo)) + l4[field + 2 :]
    tagged = tags(rng)[:8] if rng.random() < 0.3 else b""
    eth = dst + src + tagged + (b"\x86\xdd" if is_six else b"\x08\x00")
    ip = ip_head(rng, is_six, proto, size, addresses)
    vnet = {
        "flags": CSUM,
        "gso_type": (UDP if proto == 17 else TCP6 if is_six else TCP4) if is_super else 0,
        "hdr_len": len(eth) + len(ip) + len(l4),
        "gso_size": rng.choice([536, 1000, 1400, 1448]) if is_super else 0,
        "csum_start": len(eth) + len(ip),
        "csum_offset": field,
    }
    if is_super and rng.random() < 0.1:
        vnet["gso_size"] = max(32, payload // 2000 + 1)
    return vnet, eth + ip + l4 + body


def spoil(rng, vnet, data):
    """One or two fields, or bytes of the headers, are other ones."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2])):
        key = rng.choice([*vnet, "bytes", "bytes", "cut"])
        if key == "bytes":
            data[rng.randrange(12, min(120, len(data)))] = rng.choice([0, 1, 255, 0x45, 0x60])
        elif key == "cut":
            del data[rng.randrange(14, len(data) + 1) :]
        elif key in ("flags", "gso_type"):
            vnet[key] = rng.randrange(256)
        else:
            vnet[key] = rng.choice([0, 1, 13, 14, vnet[key] + 1, len(data), len(data) - 1,
                                    rng.randrange(1 << 16), 0xFFFF]) & 0xFFFF
    return vnet, bytes(data)


def vnet_bytes(vnet):
    return struct.pack("<BBHHHH", *vnet.values())


def super_frame(rng, world):
    """A unit of a trunk: length word, virtio header, frame."""
    is_bad, is_super = rng.random() < 0.4, rng.random() < 0.8
    src = station(rng.randrange(40), 0xC6 if is_bad else 0xC7)
    dst = target(rng, world)
    payload = rng.choice([1, 100, 1400, 1500, 3000, 20000, 60000, 65400])
    if not is_super:
        payload = min(payload, 1400)
    vnet, data = packet(rng, payload, is_super, dst, src)
    if not is_bad and vnet["gso_type"] == UDP:
        vnet["gso_size"] = max(vnet["gso_size"], payload // 100 + 1)
    if is_bad:
        vnet, data = spoil(rng, vnet, data)
    body = vnet_bytes(vnet) + data
    return WORD.pack(VNET_BIT | len(body)) + body


def trunk_units(rng, world, count):
    out = b""
    for _ in range(count):
        roll = rng.random()
        if roll < 0.6:
            out += super_frame(rng, world)
        elif roll < 0.64:
            size = rng.choice([10, 11, 23])
            out += WORD.pack(VNET_BIT | size) + bytes(size)
        else:
            out += frames(rng, world, rng.randrange(1, 4))
    return out


def bad_end(rng):
    """What ends a connection."""
    word = rng.choice(BAD_WORDS)
    rest = rng.choice([b"", bytes(3), bytes(HELLO_BYTES), bytes(200)])
    return WORD.pack(word) + rest


def strange_hello(rng):
    whole = hello()
    return rng.choice([
        hello(2), hello(0), hello(1, 60), hello(1, 65535), hello(1, 64, 0),
        hello(1, 64, 0xFFFFFFFF), whole + whole,
        on_stream(bytes(60)) + whole, whole[:63] + b"\xff",
    ])


def forged_probe(rng, seen):
    """A question for loops: one that has been seen, or a feigned one."""
    if seen and rng.random() < 0.8:
        probe = bytearray(rng.choice(seen))
        if rng.random() < 0.3:
            probe[rng.randrange(14, 60)] ^= 1 << rng.randrange(8)
        return bytes(probe)
    head = PROBE_GROUP + b"\2" + rng.randbytes(5) + b"\x88\xb5netrelay\0\1"
    return head + rng.randbytes(24) + bytes(12)
