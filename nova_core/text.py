"""Text for people: made safe for a terminal, formatted short; parses the durations and sizes that people write."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from math import fsum

REPLACEMENT = "\ufffd"

# Patterns stay strings until they are used: compiling all of them costs every command 2 ms at start; `re` caches.
#
# ECMA-48 control sequences. Every alternative matches whatever follows its introducer: there is no backtracking, and no
# escape survives. A control string (OSC, DCS, SOS, PM, APC) ends with its line: unterminated, it cannot hide the next.
_SEQUENCE = (
    r"(?P<string>\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x9c\n]*(?P<string_end>\x07|\x1b\\|\x9c)?"
    r"|(?P<csi>\x1b\[|\x9b)[0-?]*(?P<csi_between>[ -/]*)(?P<csi_end>[@-~])?"
    r"|(?P<escape>\x1b)(?P<escape_between>[ -/]*)(?P<escape_end>[0-~])?"
)
# Without width or power, and part of ordinary words and emoji: soft hyphen, joiners, direction marks.
_SILENT = "\u00ad\u061c\u180e\u200b-\u200f\u2060-\u2064\ufeff"
# Direction overrides, line separators, invisible "tag" letters, lone surrogates: what hides or reorders is marked.
_UNSEEN = "\u2028-\u202e\u2065-\u206f\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
_ONE_LINE = f"{_SEQUENCE}|(?P<silent>[{_SILENT}])|[\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f{_UNSEEN}]"
_LINES = f"{_SEQUENCE}|(?P<silent>[{_SILENT}])|(?P<crlf>\\r(?=\\n))|[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f{_UNSEEN}]"


def clean(text: str, *, newlines: bool = False) -> str:
    """Return `text` without anything a terminal would act on, in linear time.

    Escape sequences are removed whole, as are characters without width or power (soft hyphen, joiners). Other controls
    (except tab and, with `newlines`, newline; CR LF is one), direction overrides and lone surrogates become U+FFFD.
    """
    if text.isprintable():
        return text
    return re.sub(_LINES if newlines else _ONE_LINE, _replace, text)


def storable(text: str) -> str:
    """Return `text` with what UTF-8 cannot hold, such as bytes of a file's name, written as an escape (`\\udcff`)."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _replace(match: re.Match[str]) -> str:
    return REPLACEMENT if match.lastgroup is None else ""


class Cleaner:
    """`clean` for a stream: chunks may split a sequence anywhere; memory use is constant.

    The concatenated results of `feed`, and of `finish` at the end, equal `clean` of the concatenated chunks.
    """

    def __init__(self, *, newlines: bool = True) -> None:
        self._pattern = re.compile(_LINES if newlines else _ONE_LINE)
        self._newlines = newlines
        self._held = ""

    def feed(self, chunk: str) -> str:
        """Return the safe text that `chunk` completes."""
        text, self._held = self._held + chunk, ""
        if text.isprintable():
            return text
        return self._pattern.sub(self._replace_or_hold, text)

    def finish(self) -> str:
        """Return the text held back because a sequence might have continued."""
        held, self._held = self._held, ""
        return clean(held, newlines=self._newlines)

    def _replace_or_hold(self, match: re.Match[str]) -> str:
        if match.end() == len(match.string):
            self._held = self._unfinished(match)
        return "" if self._held else _replace(match)

    def _unfinished(self, match: re.Match[str]) -> str:
        """The shortest text that leaves the pattern in the same state, or "" if the match is complete."""
        if match["string"]:
            return "" if match["string_end"] else match["string"]
        if match["csi"]:
            return "" if match["csi_end"] else match["csi"] + match["csi_between"][:1]
        if match["escape"]:
            return "" if match["escape_end"] else match["escape"] + match["escape_between"][:1]
        return "\r" if self._newlines and match[0] == "\r" else ""


def harmless_json(data: bytes) -> bytes:
    """Return the JSON in `data` with every character that `clean` would replace as `\\u....`, which means the same."""
    if data.isascii() and b"\x7f" not in data:
        return data
    return re.sub(f"[\x7f-\x9f{_SILENT}{_UNSEEN}]", _json_escape, data.decode()).encode()


def _json_escape(match: re.Match[str]) -> str:
    """`\\u009b`; beyond the basic plane two of them, a surrogate pair (RFC 8259, section 7)."""
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def head_and_tail(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`: its beginning, how much was left out, and its end."""
    if len(text) <= limit:
        return text
    marker = f" … {len(text) - limit:,} characters left out … "
    room = limit - len(marker)
    if room < 2:
        return text[: max(limit, 0)]
    tail = room // 2
    return text[: room - tail] + marker + text[-tail:]


def cut(text: str, limit: int = 200) -> str:
    """At most `limit` characters of `text`, ending in `…` if it was cut: for names, which may have any length."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def first_of(names: Sequence[str], most: int) -> str:
    """`F1, F2 and 3 more`: the first `most` of the names."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def number_of(count: int, one: str, many: str = "") -> str:
    """`1 task`, `2 tasks`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Format seconds in at most two units, rounded down: `0.4s`, `42s`, `1m 05s`, `2h 30m`, `1d 03h`."""
    if not seconds > 0:  # also nan
        return "0s"
    if seconds < 10:
        return f"{math.floor(seconds * 10) / 10:.1f}s"
    if math.isinf(seconds):
        return "∞"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def _scaled(number: float, base: int, units: str, space: str) -> str:
    """`number` with three significant digits and the largest unit that keeps it at 1 or above."""
    if number < base:
        return f"{number:.0f}{space}{units[0]}".rstrip()
    for unit in units[1:]:
        number /= base
        if round(number) < base or unit == units[-1]:
            break
    return f"{number:.0f}{space}{unit}" if round(number, 1) >= 100 else f"{number:.1f}{space}{unit}"


def tokens(count: int) -> str:
    """Format a number of tokens: `999`, `12.3k`, `1.2M`."""
    return _scaled(count, 1000, " kMG", "").strip()


def size(count: int) -> str:
    """Format a number of bytes in powers of 1000: `512 B`, `64.0 MB`."""
    text = _scaled(count, 1000, " kMGT", " ")
    return f"{text} B" if text[-1].isdigit() else f"{text}B"


def costs(usd: float | None, *, unpriced: bool = False, estimated: bool = False) -> str:
    """A sum in US dollars, marked `~` if it is an estimate and `+?` if part of it has no known price."""
    if usd is None:
        return money(usd)
    return f"{'~' if estimated else ''}{money(usd)}{'+?' if unpriced else ''}"


def money(usd: float | None) -> str:
    """Format US dollars. None (unpriced) is `?`; above zero but below half a cent is `<$0.01`."""
    if usd is None:
        return "?"
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:,.2f}"


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = r"(?:[0-9]{1,15}(?:\.[0-9]{1,9})? *(?:ms|[smhd]) *)+\Z"
_DURATION_PART = r"([0-9.]+) *(ms|[smhd])"
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?\Z"
_WORDS = r"(?<=[0-9 ])(?:(s)ec(?:ond)?s?|(m)in(?:ute)?s?|(h)(?:ou)?rs?|(d)ays?)\b"
_SIZE = r"([0-9]{1,15}(?:\.[0-9]{1,9})?) *(?:([kmgt])(i?))?b?\Z"


def parse_duration(value: str | float) -> float:
    """Return seconds from `90`, `"90"`, `"1.5h"`, `"2h30m"` or `"10 minutes"`. Raises `ValueError`."""
    if isinstance(value, str) and len(value) <= 100:
        text = re.sub(_WORDS, lambda m: m[m.lastindex or 0], value.strip().lower())
        if re.match(_NUMBER, text):
            return float(text)
        if re.match(_DURATION, text):
            return fsum(float(number) * _SECONDS[unit] for number, unit in re.findall(_DURATION_PART, text))
    elif _is_amount(value):
        return float(value)
    raise ValueError(f"{_shown(value)} is not a duration: write seconds, or parts such as 90s, 1.5h or 2h30m")


def parse_size(value: str | float) -> int:
    """Return bytes from a number, `"512MB"` (powers of 1000) or `"2GiB"` (powers of 1024). Raises `ValueError`."""
    if isinstance(value, str) and len(value) <= 100:
        found = re.match(_SIZE, value.strip().lower())
        if found:
            base = 1024 if found[3] else 1000
            return int(float(found[1]) * base ** ("kmgt".index(found[2]) + 1 if found[2] else 0))
    elif _is_amount(value) and value == int(value):
        return int(value)
    raise ValueError(f"{_shown(value)} is not a size: write bytes, or a number with kB, MB, GB, MiB or GiB")


def _is_amount(value: object) -> bool:
    """Returns True if `value` is a finite number from 0 up, and not a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 1e30:  # str() of more than 4,300 digits raises
        return "so large a number"
    return clean(head_and_tail(repr(value) if isinstance(value, str) else str(value), 60))


def about(seconds: float) -> str:
    """Format a guessed time, rounded up so that it claims no more than is known: `40s`, `5m`, `1h 20m`."""
    if seconds < 60:
        return f"{max(10, math.ceil(seconds / 10) * 10)}s" if seconds <= 50 else "1m"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes}m"
    hours, rest = divmod(math.ceil(minutes / 10) * 10, 60)
    return f"{hours}h {rest:02}m" if rest else f"{hours}h"
