"""Counts the tokens that workers print as `Token usage: input=1, output=2, cache_read=3, cache_creation=4` lines."""

from __future__ import annotations

import re

from nova_core.model import TokenUsage

_MARK = b"Token usage:"
# Twelve digits are a trillion tokens: more is noise, and sums stay far below the limits of JSON readers and SQLite.
_LINE = (
    rb"[ \t]{0,80}Token usage:[ \t]{0,80}input=(\d{1,12}),[ \t]{0,80}output=(\d{1,12})"
    rb"(?:,[ \t]{0,80}cache_read=(\d{1,12}))?(?:,[ \t]{0,80}cache_creation=(\d{1,12}))?[ \t]{0,80}\r?(?:\n|\Z)"
)
_LONGEST = 1024  # no line that matches is longer
_CUT_WORDS = b" bytes of this log were cut here]"
_CUT = re.compile(rb"(?:\A|\n)\[nova: \d{1,20}" + re.escape(_CUT_WORDS) + rb"\s*(?:\n|\Z)")


def is_cut(line: bytes) -> bool:
    """Returns True for the line that replaces what was cut out of a log over its limit."""
    return _CUT.match(line) is not None


class TokenCounter:
    """Sums the token lines of a log fed in pieces; `usage` is the sum so far, `gap` is True if a part is missing.

    A line counts when it has ended, or at `finish`. Memory stays below the size of one piece, however long a line is.
    """

    def __init__(self) -> None:
        self.usage = TokenUsage()
        self.gap = False
        self._line = re.compile(_LINE)
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> None:
        """Read the next piece of the log."""
        if self._skipping:  # inside a line that is too long to count
            end = data.find(b"\n")
            if end < 0:
                return
            data, self._skipping = data[end + 1 :], False
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._count(data, end)
        self._rest = data[end:]
        if len(self._rest) > _LONGEST:
            self._rest, self._skipping = b"", True

    def skip(self) -> None:
        """A part of the log is missing here."""
        self.gap, self._rest, self._skipping = True, b"", True

    def finish(self) -> None:
        """The log has ended: count a last line without a line break."""
        self._count(self._rest, len(self._rest))
        self._rest = b""

    def _count(self, data: bytes, end: int) -> None:
        """Sum the lines of `data[:end]`; each is read once, so that no line makes this quadratic."""
        if not self.gap and data.find(_CUT_WORDS, 0, end) >= 0:
            self.gap = _CUT.search(data, 0, end) is not None
        mark = data.find(_MARK, 0, end)
        while mark >= 0:
            found = self._line.match(data, data.rfind(b"\n", 0, mark) + 1, end)
            if found:
                self.usage += TokenUsage(*(int(group or 0) for group in found.groups()))
            following = data.find(b"\n", mark, end)
            mark = data.find(_MARK, following, end) if following >= 0 else -1
