# SPDX-License-Identifier: MIT
"""Frames that can be told from others wherever they come out, and a reader of streams.

Every frame of ours has a source address that says which kind it is:

  02:c4:..  plain: behind the EtherType are MARK, its length and a CRC of all but
            the VLAN tags; or, if it is too short for that, one byte again and again
  02:c5:..  of the honest pair: the same, with a number; see honest.py
  02:c7:..  a super-frame, or a segment of one: its payload is a slice of PATTERN
  02:c6:..  one whose headers were spoilt: nobody can say what becomes of it

All others are not ours: a kernel's, a relay's probes, or garbage.
"""
import collections
import random
import struct
import zlib

WORD = struct.Struct(">I")
FRAME_MAX = 69632
VNET_BIT = 0x80000000
MAGIC = 0xFF6E7472
HELLO_BYTES = 64
TYPE_MARKED, TYPE_SHORT, TYPE_HONEST = 0x88B6, 0x88B7, 0x88B8
MARK = b"chao"
TAGS = (b"\x81\x00", b"\x88\xa8")
BROADCAST = b"\xff" * 6
GROUPS = [
    BROADCAST,
    bytes.fromhex("01005e010203"),
    bytes.fromhex("333300000001"),
    bytes.fromhex("0180c2000000"),
    bytes.fromhex("0180c200000e"),
]
PROBE_GROUP = bytes.fromhex("036e6574726c")
PATTERN = random.Random(4711).randbytes(1 << 16) * 3
FILLER = random.Random(4712).randbytes(1 << 17)


class Finding(Exception):
    """Something that must never be seen."""


def station(number, kind=0xC4):
    return bytes([2, kind]) + number.to_bytes(4, "big")


def hello(version=1, size=HELLO_BYTES, takes=1):
    return struct.pack(">IHHI52x", MAGIC, version, size, takes)


def on_stream(frame):
    return WORD.pack(len(frame)) + frame


def marked(dst, src, size, tags=b"", kind=TYPE_MARKED, text=b"", at=0):
    """A frame of @size bytes, or a few more for @text, that check() can judge."""
    head, kind = dst + src, kind.to_bytes(2, "big")
    room = size - len(head) - len(tags) - 2
    if room < 12 and not text:
        return head + TYPE_SHORT.to_bytes(2, "big") + src[5:] * max(0, size - 14)
    text += FILLER[at : at + max(0, room - 12 - len(text))]
    body = MARK + WORD.pack(14 + 12 + len(text)) + text
    crc = zlib.crc32(body, zlib.crc32(head + kind))
    return head + tags + kind + body[:8] + WORD.pack(crc) + body[8:]


def check_marked(frame, at, can_be_padded):
    """Return: the frame's text; @at is where its EtherType is."""
    size = int.from_bytes(frame[at + 6 : at + 10], "big")
    end = size + at - 12
    if frame[at + 2 : at + 6] != MARK or end > len(frame) or size < 26:
        raise Finding(f"a frame of ours is cut off or spoilt: {frame[:60].hex()}")
    crc = zlib.crc32(frame[:12] + frame[at : at + 10])
    crc = zlib.crc32(frame[at + 14 : end], crc)
    if crc != int.from_bytes(frame[at + 10 : at + 14], "big"):
        raise Finding(f"a frame is not as it was sent: {len(frame)} bytes, "
                      f"{size} when sent, {frame[:60].hex()}")
    if end < len(frame) and (len(frame) > 60 or any(frame[end:]) or not can_be_padded):
        raise Finding(f"a frame of {end} bytes came with {len(frame)}: {frame[:60].hex()}")
    return frame[at + 14 : end]


def check_short(frame):
    text = frame[14:].rstrip(b"\0")
    if len(frame) > 60 or text.strip(frame[11:12]):
        raise Finding(f"a short frame is not as it was sent: {frame.hex()}")


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def is_of_pattern(payload):
    """Slices of it, one behind the other: equal datagrams may have been merged."""
    at = 0
    while at < len(payload):
        start = PATTERN.find(payload[at : at + 16])
        if start < 0:
            return False
        low, high = 1, len(payload) - at
        while low < high:
            half = (low + high + 1) // 2
            is_equal = payload[at : at + half] == PATTERN[start : start + half]
            low, high = (half, high) if is_equal else (low, half - 1)
        at += low
    return True


def check_segment(frame, at, is_whole):
    """Of TCP or UDP. @is_whole: its checksums should be there, and right."""
    ip = frame[at + 2 :]
    if frame[at : at + 2] == b"\x08\x00":
        head = (ip[0] & 15) * 4
        size, proto = int.from_bytes(ip[2:4], "big"), ip[9]
        addresses = ip[12:20]
        if is_whole and ones_sum(ip[:head]) != 0xFFFF:
            raise Finding(f"a segment's IP checksum is wrong: {frame[:60].hex()}")
    else:
        head, proto = 40, ip[6]
        size, addresses = 40 + int.from_bytes(ip[4:6], "big"), ip[8:40]
        while proto in (0, 43, 60):
            proto, head = ip[head], head + (ip[head + 1] + 1) * 8
    if size > len(ip):
        raise Finding(f"a segment is cut off: {len(ip)} of {size}: {frame[:80].hex()}")
    l4 = ip[head:size]
    pseudo = addresses + struct.pack(">II", len(l4), proto)
    if is_whole and (proto == 6 or l4[6:8] != b"\0\0"):
        if ones_sum(pseudo + l4) != 0xFFFF:
            raise Finding(f"a segment's checksum is wrong: {frame[:80].hex()}")
    if proto == 6:
        start = int.from_bytes(l4[4:8], "big") & 0xFFFF
        payload = l4[(l4[12] >> 4) * 4 :]
        if payload != PATTERN[start : start + len(payload)]:
            raise Finding(f"a segment's payload is another: {frame[:80].hex()}")
    elif not is_of_pattern(l4[8:]):
        raise Finding(f"a datagram's payload is another: {frame[:80].hex()}")


def type_at(frame):
    at = 12
    while frame[at : at + 2] in TAGS and at < 40:
        at += 4
    return at


def check(frame, is_whole=True, can_be_padded=True):
    """Judge a frame that came out. Return: an honest one's text, else None."""
    # Numbers of ours are small: the source of a relay or kernel is not taken for one.
    is_ours = frame[6] == 2 and 0xC4 <= frame[7] <= 0xC7 and frame[8:10] == b"\0\0"
    if not is_ours or frame[7] == 0xC6 or frame[:6] == PROBE_GROUP:
        return None
    at = type_at(frame)
    kind = int.from_bytes(frame[at : at + 2], "big")
    if kind == TYPE_SHORT:
        check_short(frame)
    elif kind == TYPE_HONEST:
        return check_marked(frame, at, can_be_padded)
    elif kind == TYPE_MARKED:
        check_marked(frame, at, can_be_padded)
    elif frame[7] == 0xC7 and kind in (0x0800, 0x86DD):
        check_segment(frame, at, is_whole)
    else:
        raise Finding(f"a frame of ours has another type: {frame[:60].hex()}")
    return None


class Parser:
    """What a relay sends on a stream. @hello_due: it may send a hello, once.

    @probes: the last questions for loops that came
    """

    def __init__(self, who):
        self.who, self.probes = who, collections.deque(maxlen=20)
        self.data = b""
        self.hello_due = self.agreed = False
        self.frames = self.bytes = 0

    def feed(self, more):
        """Return: the texts of honest frames."""
        data = self.data + more if self.data else more
        at, end, texts = 0, len(data), []
        while end - at >= 4:
            (word,) = WORD.unpack_from(data, at)
            size = self.size_of(word, data, at)
            if at + size > end:
                break
            if word == MAGIC:
                self.take_hello(data[at : at + size])
            else:
                text = self.take(word, data[at + 4 : at + size])
                if text:
                    texts.append(text)
            at += size
        self.data = data[at:]
        return texts

    def size_of(self, word, data, at):
        if word == MAGIC and self.hello_due:
            return HELLO_BYTES
        size = word & ~VNET_BIT
        if word & VNET_BIT and self.agreed and 24 <= size <= FRAME_MAX + 10:
            return 4 + size
        if not 60 <= word <= FRAME_MAX:
            raise Finding(f"{self.who}: got a length of {word:#x} behind {self.frames} "
                          f"frames: {data[at:at + 40].hex()}")
        return 4 + size

    def take_hello(self, data):
        if data != hello():
            raise Finding(f"{self.who}: got a hello that is none: {data.hex()}")
        self.hello_due, self.agreed = False, True

    def take(self, word, frame):
        self.frames += 1
        self.bytes += len(frame)
        if word & VNET_BIT:
            return check(frame[10:], frame[0] & 1 == 0)
        if frame[:6] == PROBE_GROUP:
            self.probes.append(frame)
        return check(frame)
