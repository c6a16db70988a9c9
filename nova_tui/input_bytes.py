"""What a terminal sends, cut into keys, sequences and pasted texts: any bytes, split anywhere. Pure."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Generator, Iterator
from enum import Enum
from typing import NamedTuple

ESCAPE = "\x1b"
SOON, LATER, MUCH_LATER = 0.1, 1.0, 5.0  # seconds without input after which Esc, a sequence, a paste is not continued
_MOST_PASTED = 1 << 20  # bytes; the rest of a paste is dropped
_BEGIN, _END = b"\x1b[200~", b"\x1b[201~"
# ECMA-48, 5.4: control sequences. Then what is older: the mouse of X10, function keys of the Linux console and of VT100
# (SS3). Control strings are answers of the terminal: the others are Esc and a key.
_STRING = rb"(?:\][0-9]|P[0-9>]|_G)[^\x07\x1b]*"
_SEQUENCE = re.compile(
    rb"\x1b(?:\[M(?P<mouse>...)|\[\[[A-E]|\[(?!M)[0-?]*[ -/]*[@-Z\\-~]|O[A-DFHMP-Sa-dj-y]|"
    + _STRING
    + rb"(?:\x07|\x1b\\))",
    re.DOTALL,
)
_BEGUN = re.compile(rb"\x1b(?:\[(?:M.{0,2}|\[|[0-?]*[ -/]*)|[O\]P_]|" + _STRING + rb"\x1b?)?\Z", re.DOTALL)
_URXVT_MOUSE = re.compile(r"\x1b\[(\d{1,4});(\d{1,5});(\d{1,5})M")
_LONGEST = 1 << 16  # bytes of a sequence that does not end


class Kind(Enum):
    """Kinds of input."""

    KEY = 1  # one character, or `ESCAPE`
    SEQUENCE = 2  # a whole one
    PASTE = 3


class Token(NamedTuple):
    """One piece of input."""

    kind: Kind
    text: str


class Decoder:
    """Cuts bytes into tokens; call `rest` while nothing comes.

    Bytes that are not UTF-8 are dropped; in a paste they become U+FFFD. Esc with a key right behind it is Esc, then the
    key. Mouse reports of the older forms become those of SGR.
    """

    def __init__(self) -> None:
        self._held = b""
        self._pasted: bytearray | None = None
        self._text = getincrementaldecoder("utf-8")("replace")

    @property
    def is_waiting(self) -> bool:
        """True if `rest` may return something."""
        return bool(self._held) or self._pasted is not None or bool(self._text.getstate()[0])

    def feed(self, data: bytes) -> Iterator[Token]:
        """The tokens that these bytes complete."""
        if self._pasted is not None and data in (b"\x03", b"\x1b[27u"):  # a person gives up a paste without an end
            yield from self._end_paste()
        self._held += data
        while self._held:
            if self._pasted is not None:
                if not (yield from self._paste(self._pasted)):
                    return
            elif self._held[0] != 0x1B:
                yield from self._characters()
            elif match := _SEQUENCE.match(self._held):
                self._text.reset()  # half a character before it will never be whole
                self._held = self._held[match.end() :]
                yield from self._sequence(match)
            elif _BEGUN.match(self._held) and len(self._held) < _LONGEST:
                return
            else:
                yield from self._escape()

    def rest(self, waited: float) -> Iterator[Token]:
        """The tokens that are certain after `waited` seconds without input."""
        if self._pasted is not None:
            if waited < MUCH_LATER and (waited < SOON or self._held != b"\x1b"):
                return
            yield from self._end_paste()
        if waited >= SOON and 0 < len(self._held) <= 2:
            yield from self._escape()
            yield from self.feed(b"")
        elif waited >= LATER and self._held:
            held, self._held = self._held, b""
            yield Token(Kind.SEQUENCE, held.decode("latin-1"))
        if waited >= SOON:
            self._text.reset()

    def _escape(self) -> Iterator[Token]:
        self._text.reset()
        self._held = self._held[1:]
        yield Token(Kind.KEY, ESCAPE)

    def _characters(self) -> Iterator[Token]:
        text, mark, rest = self._held.partition(b"\x1b")
        self._held = mark + rest
        for character in self._text.decode(text, final=bool(mark)):
            if character != "\ufffd" and not "\x80" <= character <= "\x9f":
                yield Token(Kind.KEY, character)

    def _sequence(self, match: re.Match[bytes]) -> Iterator[Token]:
        if match[0] == _BEGIN:
            self._pasted = bytearray()
        elif (mouse := match["mouse"]) is not None:
            yield _mouse(*(byte - 32 for byte in mouse))
        elif found := _URXVT_MOUSE.fullmatch(match[0].decode("latin-1")):
            code, x, y = map(int, found.groups())
            yield _mouse(code - 32, x, y)
        elif match[0] != _END and match[0][1:2] in b"[O":  # nothing was asked that is answered by a control string
            yield Token(Kind.SEQUENCE, match[0].decode("latin-1"))

    def _paste(self, pasted: bytearray) -> Generator[Token, None, bool]:
        """Takes the bytes of a paste; returns True once it has ended."""
        text, end, rest = self._held.partition(_END)
        begun = 0 if end else next((n for n in range(len(_END) - 1, 0, -1) if text.endswith(_END[:n])), 0)
        pasted += text[: len(text) - begun][: max(0, _MOST_PASTED - len(pasted))]
        self._held = rest if end else text[len(text) - begun :]
        if end:
            yield from self._end_paste()
        return bool(end)

    def _end_paste(self) -> Iterator[Token]:
        pasted, self._pasted = bytes(self._pasted or b""), None
        yield Token(Kind.PASTE, pasted.decode("utf-8", "replace").replace("\0", ""))


def _mouse(code: int, x: int, y: int) -> Token:
    """A report of the mouse as SGR has it (xterm, 1006): there, a release names its button."""
    released = code & 3 == 3 and not code & 0b110_0000
    return Token(Kind.SEQUENCE, f"\x1b[<{max(0, code & ~3 if released else code)};{x};{y}{'m' if released else 'M'}")
