"""Proofs by the project's key: who speaks to a holder or to the engine knows the key, which no worker is given.

A proof is a MAC (keyed BLAKE2b, RFC 7693) of what is said. Standard library only; not `hashlib`, which takes 7 ms to
import.
"""

from __future__ import annotations

from _blake2 import blake2b
from _operator import _compare_digest

KEY_BYTES = 32


def prove(key: bytes, *words: str | bytes) -> str:
    """Returns the proof, in hexadecimal, that somebody who knows `key` says these words."""
    mac = blake2b(key=key, digest_size=32)
    for word in words:
        data = word.encode() if isinstance(word, str) else word
        mac.update(len(data).to_bytes(8, "big") + data)
    return mac.hexdigest()


def is_proof(given: object, key: bytes, *words: str | bytes) -> bool:
    """Returns True if `given` is the proof of these words; takes the same time for every wrong one."""
    return isinstance(given, str) and given.isascii() and _compare_digest(given, prove(key, *words))
