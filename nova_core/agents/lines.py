"""Splits the pieces of a log into lines, and finds events in them: JSON whole, torn, over many lines or inside text."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

from nova_core.agents.fields import first_line
from nova_core.agents.repair import BROKEN, decode, documents, is_half, is_json, is_torn, repaired
from nova_core.agents.tokens import is_cut
from nova_core.text import clean

_LONGEST = 8 << 20  # bytes of one line; a longer line is dropped
_MOST_ODD = 1 << 20  # bytes of a line that is not plain JSON but still searched
_LOOSE = 4 << 20  # bytes of lines that are not events, kept in case they form one document together
_MOST_STARTS = 20  # places in a line where an event seems to begin and does not
_INSIDE = (":", ",", "[")
_MOST_WORDS = 100_000  # bytes of a line that is not an event


class LineReader:
    """Reads a log in pieces of any size. Subclasses interpret events (`event`) and other lines (`plain`).

    `began`: an event was found; `events` counts them. `tail` holds the last lines that are not events, without those
    that match `noise`.
    `gap`: a part of the log was never read. `trouble`: the error from a line that could not be read and is left out.
    """

    noise: re.Pattern[str] | None = None  # lines of standard error without information

    def __init__(self) -> None:
        self.began = False
        self.events = 0
        self.tail: deque[str] = deque(maxlen=40)
        self.gap = False
        self.trouble = ""
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._skipping = False
        self._loose: list[bytes] = []
        self._loose_size = 0

    def event(self, event: dict[str, Any]) -> bool:
        """Read one JSON object. Returns False if it is not of this format."""
        return False

    def plain(self, line: str) -> None:
        """Read one line that is not an event."""

    def feed(self, data: bytes) -> None:
        """Read the next piece of the log."""
        if self._skipping:
            end = data.find(b"\n")
            if end < 0:
                return
            data, self._skipping = data[end + 1 :], False
        lines = data.split(b"\n")
        last = lines.pop()
        if lines and self._rest:
            lines[0] = self._take_rest() + lines[0]
        for line in lines:
            try:
                self._line(line)
            except Exception as error:
                self._stumble(error)
        if last:
            self._rest.append(last)
            self._rest_size += len(last)
            if self._rest_size > _LONGEST:
                self.gap |= self._take_rest()[:1000].lstrip().startswith(b"{")
                self._skipping = True

    def skip(self) -> None:
        """A part of the log is missing here: its content is unknown."""
        self._take_rest()
        self.gap = self._skipping = True

    def _take_rest(self) -> bytes:
        rest = b"".join(self._rest)
        self._rest, self._rest_size = [], 0
        return rest

    def finish(self) -> None:
        """The log has ended: read a last line without a line break, and a complete document that spans lines."""
        if rest := self._take_rest():
            self._safely(self._line, rest)
            torn = rest.startswith((b'{"', b'[{"')) and not is_json(rest)
            self.began, self.gap = self.began or torn, self.gap or torn  # a partly written event is not final text
        document = b""
        for document in () if self.began else documents(self._loose):
            self._safely(self._try, document)
        self.began = self.began or is_torn(document)
        self._loose = []

    def _safely(self, take: Callable[[bytes], object], data: bytes) -> None:
        try:
            take(data)
        except Exception as error:
            self._stumble(error)

    def _stumble(self, error: Exception) -> None:
        """Record the error: a line that a format cannot read loses that line, not the run."""
        self.trouble = self.trouble or f"{type(error).__name__}: {first_line(str(error), 200)}"

    def _line(self, line: bytes) -> None:
        if line.startswith(b"[{") and self._try(line):
            return
        start = line.find(b"{")
        if start >= 0 and (not line[:start].strip() or line.startswith(b'{"', start)):
            rest = line[start:] if start else line
            if self._try(rest) or self._try_mended(rest) or self._try_inside(line):
                return
        if not line.strip():
            return
        if line.startswith(b"[nova: ") and is_cut(line):
            self.gap = True
            return
        if not self.began and self._loose_size < _LOOSE:
            self._loose.append(line)
            self._loose_size += len(line) + 64  # memory that a short line takes
        words = line[:_MOST_WORDS].decode("utf-8", "replace").rstrip()
        words = clean(words).strip() if "\x1b" in words else words
        if not words:
            return
        if self.noise is None or not self.noise.match(words):
            self.tail.append(words[:2000])
        self.plain(words)

    def _try(self, data: bytes) -> bool:
        """Read one event, or a list of them, as `claude --output-format json --verbose` prints."""
        try:
            found = decode(data)
        except BROKEN:
            return False
        events = found if isinstance(found, list) else [found]
        taken = sum(isinstance(event, dict) and self.event(event) for event in events)
        self.began = self.began or taken > 0
        self.events += taken
        return taken > 0

    def _try_mended(self, data: bytes) -> bool:
        """Read an event with half a character in it: JavaScript cuts text in the middle of a surrogate pair."""
        return len(data) <= _MOST_ODD and is_half(data) and self._try(repaired(data))

    def _try_inside(self, line: bytes) -> bool:
        """Read the events of a line with text of another stream before or after them, or with several events."""
        if len(line) > _MOST_ODD or b'"type"' not in line:
            return False
        from json import JSONDecoder

        words, at, taken, odd = repaired(line).decode("utf-8", "replace"), 0, 0, 0
        while odd < _MOST_STARTS and (start := words.find('{"', at)) >= 0:
            try:
                event, at = JSONDecoder().raw_decode(words, start)
            except BROKEN:
                at, odd = start + 1, odd + 1
                continue
            is_inner = (
                odd > 0 and words[max(0, start - 9) : start].rstrip()[-1:] in _INSIDE
            )  # part of an event that is cut
            taken += not is_inner and isinstance(event, dict) and self.event(event)
        self.began = self.began or taken > 0
        self.events += taken
        return taken > 0
