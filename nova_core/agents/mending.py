"""JSON that is not written as one whole line: with half a character in it, or over many lines between others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

decode = msgspec.json.Decoder().decode
BROKEN = (msgspec.MsgspecError, ValueError, RecursionError)
# Pairs, halves and all other escapes, one after the other, so that a half is none that belongs to one of them.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def is_json(data: bytes) -> bool:
    """Whether it is whole."""
    try:
        decode(data)
    except BROKEN:
        return False
    return True


def is_half(data: bytes) -> bool:
    """Whether there may be half a character in it, as JavaScript writes text that was cut in the middle of a pair."""
    return _HALF.search(data) is not None


def mended(data: bytes) -> bytes:
    """JSON with the replacement character for each half of a pair that has no other half."""
    if not is_half(data):
        return data
    return _ESCAPE.sub(lambda found: b"\\ufffd" if len(found[0]) == 6 and _HALF.match(found[0]) else found[0], data)


def documents(lines: Iterable[bytes]) -> Iterator[bytes]:
    """What may be documents: each from a bracket alone on its line to the next that closes; the last may lack it."""
    found: list[bytes] = []
    for line in lines:
        bracket = line.rstrip()
        if found or bracket in (b"{", b"["):
            found.append(line)
        if found and bracket in (b"}", b"]"):
            yield b"\n".join(found)
            found = []
    if found:
        yield b"\n".join(found)


def is_torn(document: bytes) -> bool:
    """Whether it is the beginning of an object that never ends."""
    return re.match(rb'\{\s*(?:"|\Z)', document) is not None and not document.rstrip().endswith(b"\n}")
