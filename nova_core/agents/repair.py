"""JSON that is not one whole line: with half a character in it, or spread over many lines between others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

decode = msgspec.json.Decoder().decode
BROKEN = (msgspec.MsgspecError, ValueError, RecursionError)
# Pairs, halves and all other escapes, in this order, so that no half is taken from a pair.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)
_END = re.compile(rb"[}\]](?!\s*[,;:)\]}])")
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def is_json(data: bytes) -> bool:
    """Returns True if `data` is complete JSON."""
    try:
        decode(data)
    except BROKEN:
        return False
    return True


def is_half(data: bytes) -> bool:
    """Returns True if `data` may hold half a character: JavaScript cuts text in the middle of a surrogate pair."""
    return _HALF.search(data) is not None


def repaired(data: bytes) -> bytes:
    """JSON with the replacement character for each unpaired half."""
    if not is_half(data):
        return data
    return _ESCAPE.sub(lambda found: b"\\ufffd" if len(found[0]) == 6 and _HALF.match(found[0]) else found[0], data)


def documents(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Possible documents: each from a bracket alone on its line to the next closing one, which the last may lack.

    The closing one may have words of another stream behind it: a document has no line break at its end.
    """
    found: list[bytes] = []
    for line in lines:
        bracket = line.rstrip()
        if found or bracket in (b"{", b"["):
            found.append(line)
        if found and (end := _END.match(line)):
            found[-1] = end[0]
            yield b"\n".join(found)
            found = []
    if found:
        yield b"\n".join(found)


def is_torn(document: bytes) -> bool:
    """Returns True for the beginning of an object that never ends."""
    return re.match(rb'\{\s*(?:"|\Z)', document) is not None and not document.rstrip().endswith(b"\n}")
