"""Lines of logs as styled text: colours are kept, all other control sequences removed."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from nova_core.text import clean
from nova_tui.cells import TAB, Cells, steady

MAX_LINE = 8192
# Select Graphic Rendition (ECMA-48 8.3.117), with the colons of ISO 8613-6; a longer list is not a colour.
_SGR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
# What moves the cursor within its line or erases: CR, BS, and CHA, HPA, CUF, HPR, CUB, EL, ED, ECH, DCH, ICH.
_MOVE = r"\r|\x08|\x1b\[(?P<count>[0-9]{0,6})[;0-9]{0,32}(?P<act>[G`CaDKJXP@])"
_MOVES = re.compile(_MOVE)
_ACTS = re.compile(rf"{_MOVE}|\x1b\[(?P<sgr>[0-9;:]{{0,64}})m")
# A control string may hold such characters; they do not act.
_STRING = re.compile(r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?")
_PLAIN = Style.null()
_DIM = Style(dim=True)


class Pen(NamedTuple):
    """The state set by SGR: colours by their SGR numbers, and attributes. Blink and conceal are ignored."""

    color: str = ""
    background: str = ""
    attributes: frozenset[str] = frozenset()

    def with_color(self, background: bool, color: str) -> Pen:
        """The pen with another colour; an empty one is the default."""
        return self._replace(background=color) if background else self._replace(color=color)


_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike", 21: "underline"}
_OFF = {22: {"bold", "dim"}, 23: {"italic"}, 24: {"underline"}, 27: {"reverse"}, 29: {"strike"}}


def split_sgr(text: str) -> list[Segment]:
    """Convert one line to segments without control characters.

    Each line begins without colours, because reading may start anywhere. What the line writes over (progress bars,
    spinners) is gone, as on a terminal without a right edge. Tabs become spaces.
    """
    text = text.removesuffix("\r")
    if text.isprintable():
        return [Segment(steady(text), _PLAIN)] if text else []
    if _MOVES.search(text):
        return _overwritten(text)
    segments: list[Segment] = []
    column, pen = 0, Pen()
    for i, piece in enumerate(_SGR.split(text)):
        if i % 2:
            pen = _apply(pen, piece)
        elif shown := _spaced(steady(clean(piece)), column):
            segments.append(Segment(shown, _style(pen)))
            column += cell_len(shown)
    return segments


def _overwritten(text: str) -> list[Segment]:
    """The segments of a line that moves the cursor within itself."""
    cells: Cells[Pen] = Cells(Pen(), MAX_LINE)
    pen, end = Pen(), 0
    for match in _ACTS.finditer(_STRING.sub("", text)):
        cells.put(steady(clean(match.string[end : match.start()])), pen)
        end = match.end()
        if match["sgr"] is not None:
            pen = _apply(pen, match["sgr"])
        else:
            _act(cells, match["act"] or match[0], match["count"])
    cells.put(steady(clean(_STRING.sub("", text)[end:])), pen)
    return [Segment(shown, _style(run)) for shown, run in cells.runs()]


def _act(cells: Cells[Pen], act: str, given: str | None) -> None:
    """Do what a control character or sequence does within its line."""
    count = int(given or 0)
    step = max(1, count)
    match act:
        case "\r" | "G" | "`":
            cells.move_to(step - 1)
        case "\b" | "D":
            cells.move(-step)
        case "C" | "a":
            cells.move(step)
        case "K" | "J":
            cells.erase(count)
        case "X":
            cells.erase_here(step)
        case "P":
            cells.delete(step)
        case "@":
            cells.insert(step)


def line_segments(raw: bytes, length: int) -> list[Segment]:
    """The line in `raw`: at most `MAX_LINE` bytes of it, and the number of its `length` bytes left out.

    The log's size limit leaves NULs in the middle of a log: their number is shown instead.
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
    """Apply `style` over spans of characters, which are sorted and do not overlap."""
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
    """Expand tabs in a text that begins in `column`."""
    if "\t" not in text:
        return text
    lead = column % TAB
    return (" " * lead + text).expandtabs(TAB)[lead:]


@lru_cache(maxsize=1024)
def _apply(pen: Pen, parameters: str) -> Pen:
    """The pen after `ESC [ parameters m`; unknown parameters are ignored."""
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
    """The fields of a colour written with colons; a colour space, often empty, may precede red."""
    kind, *numbers = [field for field in text.split(":") if field] or [""]
    return [kind, *numbers[-3:]]


def _extended(fields: list[str]) -> str:
    """Remove `5;n` or `2;r;g;b` from the front of `fields`; returns a name for the colour, or an empty text."""
    count = {"5": 1, "2": 3}.get(fields.pop(0) if fields else "", 0)
    numbers = [int(field.partition(":")[0] or 0) for field in fields[:count]]
    del fields[:count]
    if not numbers or len(numbers) != count or max(numbers) > 255:
        return ""
    return ",".join(map(str, numbers))


@lru_cache(maxsize=1024)
def _style(pen: Pen) -> Style:
    # Never switch an attribute off: a style below (a selection, a match) may have set it.
    colors = Style(color=_color(pen.color), bgcolor=_color(pen.background))
    return Style.parse(" ".join(sorted(pen.attributes))) + colors


def _color(name: str) -> Color | None:
    if not name:
        return None
    numbers = [int(n) for n in name.split(",")]
    return Color.from_rgb(*numbers) if len(numbers) == 3 else Color.from_ansi(numbers[0])
