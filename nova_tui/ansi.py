"""Lines of logs as styled text: colours survive, and nothing else a terminal would act on."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from nova_core.text import clean

MAX_LINE = 8192
TAB = 8
# Select Graphic Rendition (ECMA-48 8.3.117), with the colons of ISO 8613-6; a longer list is no colour.
_SGR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
_PLAIN = Style.null()
_DIM = Style(dim=True)


class Pen(NamedTuple):
    """What SGR has set: colours as SGR numbers them, and attributes. Blinking and concealing are never done."""

    color: str = ""
    background: str = ""
    attributes: frozenset[str] = frozenset()

    def with_color(self, background: bool, color: str) -> Pen:
        """The pen with another colour; none is the default one."""
        return self._replace(background=color) if background else self._replace(color=color)


_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike", 21: "underline"}
_OFF = {22: {"bold", "dim"}, 23: {"italic"}, 24: {"underline"}, 27: {"reverse"}, 29: {"strike"}}


def split_sgr(text: str) -> list[Segment]:
    """Return one line as segments without any control character.

    Each line begins without colours, since a log is read from any place. Of what a carriage return starts over, only
    the last part that is not empty is kept (progress bars). Tabs become spaces.
    """
    if text.isprintable():
        return [Segment(text, _PLAIN)] if text else []
    pieces = _SGR.split(text)
    segments: list[Segment] = []
    column, pen, restart = 0, Pen(), False
    for i, piece in enumerate(pieces):
        if i % 2:
            pen = _apply(pen, piece)
            continue
        for j, part in enumerate(piece.split("\r")):
            restart = restart or j > 0
            shown = _spaced(clean(part), column)
            if restart and shown.strip():
                segments, column, restart = [], 0, False
                shown = _spaced(clean(part), 0)
            if shown and not restart:
                segments.append(Segment(shown, _style(pen)))
                column += len(shown)
    return segments


def line_segments(raw: bytes, length: int) -> list[Segment]:
    """The line that `raw` holds, or begins: at most `MAX_LINE` bytes of it, and how many of its `length` are missing.

    Where the log's limit has freed its middle there are NULs: their number is shown instead.
    """
    if raw and not raw.strip(b"\0"):
        return [Segment(f"[{length:,} empty bytes: cut by the log limit]", _DIM)]
    text = raw[:MAX_LINE].decode("utf-8", "replace")
    missing = length - min(len(raw), MAX_LINE)
    if missing > 0:
        return [*split_sgr(text.rstrip("\ufffd")), Segment(f" [+{missing:,} bytes]", _DIM)]
    return split_sgr(text)


def plain(segments: list[Segment]) -> str:
    """The text of segments."""
    return "".join(segment.text for segment in segments)


def restyle(segments: list[Segment], spans: list[tuple[int, int]], style: Style) -> list[Segment]:
    """Lay `style` over spans of characters, which are in order and do not overlap."""
    result: list[Segment] = []
    position = 0
    cuts = iter([*spans, (1 << 62, 1 << 62)])
    start, end = next(cuts)
    for text, own, _ in segments:
        while text:
            while end <= position:
                start, end = next(cuts)
            inside = start <= position
            size = min(len(text), (end if inside else start) - position)
            result.append(Segment(text[:size], (own or _PLAIN) + style if inside else own))
            text, position = text[size:], position + size
    return result


def _spaced(text: str, column: int) -> str:
    """Tabs as spaces, up to the next tab stop of a text that begins in `column`."""
    if "\t" not in text:
        return text
    lead = column % TAB
    return (" " * lead + text).expandtabs(TAB)[lead:]


@lru_cache(maxsize=1024)
def _apply(pen: Pen, parameters: str) -> Pen:
    """The pen after `ESC [ parameters m`; what is unknown changes nothing."""
    fields = parameters.split(";")
    while fields:
        first, _, rest = fields.pop(0).partition(":")
        code = int(first or 0)
        if code in (38, 48):
            color = _extended(_colons(rest) if rest else fields)
            pen = pen.with_color(code == 48, color) if color else pen
        elif code == 4 and rest == "0":
            pen = pen._replace(attributes=pen.attributes - {"underline"})
        else:
            pen = _simple(pen, code)
    return pen


def _simple(pen: Pen, code: int) -> Pen:
    if code == 0:
        return Pen()
    if code in _ON:
        return pen._replace(attributes=pen.attributes | {_ON[code]})
    if code in _OFF:
        return pen._replace(attributes=pen.attributes - _OFF[code])
    background = 40 <= code <= 49 or 100 <= code <= 107
    if code in (39, 49):
        return pen.with_color(background, "")
    base = code - 10 if background else code
    number = base - 30 if 30 <= base <= 37 else base - 82 if 90 <= base <= 97 else -1
    return pen.with_color(background, str(number)) if number >= 0 else pen


def _colons(text: str) -> list[str]:
    """The fields of a colour written with colons: before red there may be a colour space, often an empty one."""
    kind, *numbers = [field for field in text.split(":") if field] or [""]
    return [kind, *numbers[-3:]]


def _extended(fields: list[str]) -> str:
    """Take `5;n` or `2;r;g;b` off the front of `fields`; a name for the colour, or nothing."""
    count = {"5": 1, "2": 3}.get(fields.pop(0) if fields else "", 0)
    numbers = [int(field.partition(":")[0] or 0) for field in fields[:count]]
    del fields[:count]
    if not numbers or len(numbers) != count or max(numbers) > 255:
        return ""
    return ",".join(map(str, numbers))


@lru_cache(maxsize=1024)
def _style(pen: Pen) -> Style:
    # Nothing is switched off: what lies below (a selection, a match) may have set it.
    colors = Style(color=_color(pen.color), bgcolor=_color(pen.background))
    return Style.parse(" ".join(sorted(pen.attributes))) + colors


def _color(name: str) -> Color | None:
    if not name:
        return None
    numbers = [int(n) for n in name.split(",")]
    return Color.from_rgb(*numbers) if len(numbers) == 3 else Color.from_ansi(numbers[0])
