#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Noise, revision 34, by its patterns IK and IKpsk2 with Curve25519 and SHA-256: a peer that
shares no code with netrelay, written after the specification, with Python's cryptography
(OpenSSL) for the algorithms.

    peer = Handshake(is_dialler=True, prologue=b"...", key=own, peer=theirs, psk=secret)
    sock.send(peer.write_message(b"payload"))
    payload = peer.read_message(sock.recv(65535))
    send, receive = peer.split()
    sock.send(send.seal(b"frame", b"header"))

What is wrong with a message raises NoiseError.

usage: itest/noiselib.py FILE    checks this with the vectors of a file, and prints TAP:
                                 test/seal/noise.vectors
"""
import hashlib
import hmac
import os
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY = 32
TAG = 16
# What Noise calls a cipher: the class, and the order of bytes in its nonce.
CIPHERS = {"ChaChaPoly": (ChaCha20Poly1305, "little"), "AESGCM": (AESGCM, "big")}
# The tokens of the messages behind the pre-message "<- s".
TOKENS = {"IK": [["e", "es", "s", "ss"], ["e", "ee", "se"]],
          "IKpsk2": [["e", "es", "s", "ss"], ["e", "ee", "se", "psk"]]}


class NoiseError(Exception):
    """A message that the keys, the secret or the prologue of this end do not open."""


def generate():
    """A private key."""
    return os.urandom(KEY)


def public(key):
    """The public key of a private one."""
    point = X25519PrivateKey.from_private_bytes(key).public_key()
    return point.public_bytes(Encoding.Raw, PublicFormat.Raw)


def dh(key, point):
    """What the owners of a private and a public key share."""
    try:
        return X25519PrivateKey.from_private_bytes(key).exchange(
            X25519PublicKey.from_public_bytes(point))
    except ValueError as error:
        raise NoiseError("a point of low order") from error


def hkdf(chaining_key, secret, count):
    """Outputs of HKDF, a list."""
    temporary = hmac.digest(chaining_key, secret, "sha256")
    outputs = [b""]
    for i in range(1, count + 1):
        outputs.append(hmac.digest(temporary, outputs[-1] + bytes([i]), "sha256"))
    return outputs[1:]


class Cipher:
    """A key, and the number of its next message: CipherState."""

    def __init__(self, key, cipher="ChaChaPoly"):
        self.key = key
        self.n = 0
        self.cipher = cipher

    def nonce(self, n):
        return bytes(4) + n.to_bytes(8, CIPHERS[self.cipher][1])

    def seal(self, data, ad=b"", n=None):
        """Encrypt; by default with the next number."""
        sealed = CIPHERS[self.cipher][0](self.key).encrypt(
            self.nonce(self.n if n is None else n), data, ad)
        self.n += n is None
        return sealed

    def open(self, data, ad=b"", n=None):
        """Decrypt; a message that is refused uses up no number."""
        try:
            opened = CIPHERS[self.cipher][0](self.key).decrypt(
                self.nonce(self.n if n is None else n), data, ad)
        except (InvalidTag, ValueError) as error:
            raise NoiseError("the tag is wrong") from error
        self.n += n is None
        return opened

    def rekey(self):
        """REKEY() of section 4.2: a new key of the old one; the number goes on."""
        self.key = self.seal(bytes(KEY), n=2**64 - 1)[:KEY]


class Handshake:
    """HandshakeState and SymmetricState. The ephemeral key is random unless it is given."""

    def __init__(self, is_dialler, prologue=b"", key=None, peer=None, psk=None,
                 cipher="ChaChaPoly", ephemeral=None):
        pattern = "IK" if psk is None else "IKpsk2"
        name = f"Noise_{pattern}_25519_{cipher}_SHA256".encode()
        self.is_dialler = is_dialler
        self.is_our_turn = is_dialler
        self.tokens = list(TOKENS[pattern])
        self.psk = psk
        self.s = key if key is not None else generate()
        self.rs = peer  # the peer's static public key
        self.e = ephemeral
        self.re = None
        self.cipher = Cipher(None, cipher)
        self.hash = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self.chaining_key = self.hash
        self.mix_hash(prologue)
        self.mix_hash(peer if is_dialler else public(self.s))

    def mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def set_key(self, key):
        self.cipher.key = key
        self.cipher.n = 0

    def mix_key(self, secret):
        self.chaining_key, key = hkdf(self.chaining_key, secret, 2)
        self.set_key(key)

    def mix_ephemeral(self, point):
        self.mix_hash(point)
        if self.psk is not None:
            self.mix_key(point)

    def mix_token(self, token):
        if token == "psk":
            self.chaining_key, mixed, key = hkdf(self.chaining_key, self.psk, 3)
            self.mix_hash(mixed)
            self.set_key(key)
            return
        # The dialler's key stands first.
        ours, theirs = token if self.is_dialler else token[::-1]
        self.mix_key(dh(self.e if ours == "e" else self.s,
                        self.re if theirs == "e" else self.rs))

    def encrypt_and_hash(self, data):
        sealed = self.cipher.seal(data, self.hash)
        self.mix_hash(sealed)
        return sealed

    def decrypt_and_hash(self, data):
        opened = self.cipher.open(data, self.hash)
        self.mix_hash(data)
        return opened

    def turn(self, is_ours):
        if not self.tokens or self.is_our_turn != is_ours:
            raise NoiseError("it is the other end's turn, or nobody's")
        self.is_our_turn = not is_ours
        return self.tokens.pop(0)

    def write_message(self, payload=b""):
        message = b""
        for token in self.turn(True):
            if token == "e":
                self.e = self.e if self.e is not None else generate()
                message += public(self.e)
                self.mix_ephemeral(public(self.e))
            elif token == "s":
                message += self.encrypt_and_hash(public(self.s))
            else:
                self.mix_token(token)
        return message + self.encrypt_and_hash(payload)

    def read_message(self, message):
        for token in self.turn(False):
            size = {"e": KEY, "s": KEY + TAG}.get(token, 0)
            part, message = message[:size], message[size:]
            if len(part) < size:
                raise NoiseError("too short")
            if token == "e":
                self.re = part
                self.mix_ephemeral(part)
            elif token == "s":
                self.rs = self.decrypt_and_hash(part)
            else:
                self.mix_token(token)
        return self.decrypt_and_hash(message)

    def split(self, cipher=None):
        """The ciphers to send and to receive with; by default of the handshake's kind."""
        if self.tokens:
            raise NoiseError("the handshake is not complete")
        keys = hkdf(self.chaining_key, b"", 2)
        if not self.is_dialler:
            keys.reverse()
        return tuple(Cipher(key, cipher or self.cipher.cipher) for key in keys)


# ---- vectors ----

def read_vectors(path):
    """Yields each vector, as a dictionary with the messages as pairs."""
    with open(path, encoding="ascii") as file:
        blocks = file.read().split("\n\n")
    for block in blocks:
        lines = [line.split(" ") for line in block.strip().split("\n") if line[:1] != "#"]
        if not lines or lines == [[""]]:
            continue
        vector = {name: value[0] for name, *value in lines if name != "message"}
        vector["messages"] = [[bytes.fromhex(text.strip("-")) for text in value]
                              for name, *value in lines if name == "message"]
        yield vector


def ends_of(vector):
    """The two ends of a vector's handshake."""
    known = {name: bytes.fromhex(value) for name, value in vector.items()
             if name not in ("protocol", "messages")}
    cipher = vector["protocol"].split("_")[3]
    return [Handshake(is_dialler, known.get("prologue", b""), known[role + "_static"],
                      public(known["resp_static"]) if is_dialler else None, known.get("psk"),
                      cipher, known[role + "_ephemeral"])
            for role, is_dialler in (("init", True), ("resp", False))]


def is_right(vector):
    """Whether both ends make the bytes of a vector, and understand them."""
    dialler, listener = ends_of(vector)
    handshake, transport = vector["messages"][:2], vector["messages"][2:]
    for (payload, message), (one, other) in zip(handshake, ((dialler, listener),
                                                            (listener, dialler))):
        if one.write_message(payload) != message or other.read_message(message) != payload:
            return False
    if not vector["hash"] == dialler.hash.hex() == listener.hash.hex():
        return False
    if listener.rs != public(dialler.s):
        return False
    pairs = list(zip(dialler.split(), reversed(listener.split())))
    for i, (payload, message) in enumerate(transport):
        send, receive = pairs[i % 2][::-1 if i % 2 else 1]
        if send.seal(payload) != message or receive.open(message) != payload:
            return False
    return True


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    failed = 0
    number = 0
    for number, vector in enumerate(read_vectors(arguments[0]), 1):
        passed = is_right(vector)
        failed += not passed
        print(f"{'' if passed else 'not '}ok {number} - {vector['protocol']}")
    print(f"1..{number}")
    return 1 if failed or not number else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
