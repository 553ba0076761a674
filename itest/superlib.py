# SPDX-License-Identifier: MIT
"""Super-frames, and the frames that they stand for: as VIRTIO 1.2, section 5.1.6, has them,
without a line of netrelay's."""
import os
import struct

NEEDS_CSUM = 1
TCPV4, TCPV6, UDP = 1, 4, 5
ADDRESSES = {4: bytes([10, 9, 0, 1, 10, 9, 0, 2]),
             6: b"\xfd" + bytes(14) + b"\1\xfd" + bytes(14) + b"\2"}


def ones_sum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def put16(data, at, value):
    data[at:at + 2] = struct.pack(">H", value)


def pack_vnet(gso, head_len, size, start, offset, flags=NEEDS_CSUM):
    return struct.pack("<BBHHHH", flags, gso, head_len, size, start, offset)


def make(gso, version, payload, size):
    """Returns a virtio header, and a frame with so many random bytes in segments of @size."""
    proto, offset = (17, 6) if gso == UDP else (6, 16)
    start = 14 + (20 if version == 4 else 40)
    l4_len = (8 if gso == UDP else 20) + payload
    pseudo = ones_sum(ADDRESSES[version] + struct.pack(">II", l4_len, proto))
    if version == 4:
        ip = bytearray(struct.pack(">BBHHHBBH", 0x45, 0, 20 + l4_len, 65530, 0x4000, 64, proto, 0)
                       + ADDRESSES[4])
        put16(ip, 10, 0xFFFF - ones_sum(ip))
    else:
        ip = struct.pack(">IHBB", 6 << 28, l4_len, proto, 64) + ADDRESSES[6]
    if gso == UDP:
        l4 = struct.pack(">HHHH", 7000, 7001, l4_len, pseudo)
    else:
        # PSH, and the numbers go over their end.
        l4 = struct.pack(">HHIIBBHHH", 7000, 7001, 2**32 - 20000, 1, 0x50, 0x18, 500, pseudo, 0)
    kind = b"\x08\x00" if version == 4 else b"\x86\xdd"
    head = b"\x52\x54\0\0\0\x01\x52\x54\0\0\0\x02" + kind + bytes(ip) + l4
    return pack_vnet(gso, len(head), size, start, offset), head + os.urandom(payload)


def complete(frame, start, offset):
    """Fills in a checksum, whose field has the pseudo-header's sum."""
    csum = 0xFFFF - ones_sum(bytes(frame[start:]))
    put16(frame, start + offset, csum or 0xFFFF)
    return bytes(frame)


def split(vnet, frame):
    """Returns the frames that one with a virtio header, or none (None), stands for."""
    if vnet is None:
        return [frame]
    flags, gso, _, size, start, offset = struct.unpack("<BBHHHH", vnet)
    assert flags & NEEDS_CSUM, vnet
    if not gso:
        return [complete(bytearray(frame), start, offset)]
    head_len = start + (8 if gso == UDP else 20)
    ats = range(head_len, len(frame), size)
    return [segment(frame[:head_len], frame[at:at + size], i, start, offset, gso,
                    (at - head_len, at == ats[-1])) for i, at in enumerate(ats)]


def segment(head, payload, number, start, offset, gso, place):
    """The frame of that number. @place: its bytes' offset in the stream; whether it is the last"""
    out = bytearray(head + payload)
    l4_len = len(out) - start
    addresses = out[26:34] if out[14] >> 4 == 4 else out[22:54]
    if out[14] >> 4 == 4:
        put16(out, 16, len(out) - 14)
        put16(out, 18, (struct.unpack(">H", head[18:20])[0] + number) & 0xFFFF)
        put16(out, 24, 0)
        put16(out, 24, 0xFFFF - ones_sum(bytes(out[14:34])))
    else:
        put16(out, 18, l4_len)
    if gso == UDP:
        put16(out, start + 4, l4_len)
    else:
        sequence = struct.unpack(">I", head[start + 4:start + 8])[0] + place[0]
        out[start + 4:start + 8] = struct.pack(">I", sequence & 0xFFFFFFFF)
        out[start + 13] &= 0xFF if place[1] else 0xFF - 9  # FIN, PSH
    put16(out, start + offset,
          ones_sum(bytes(addresses) + struct.pack(">II", l4_len, 17 if gso == UDP else 6)))
    return complete(out, start, offset)
