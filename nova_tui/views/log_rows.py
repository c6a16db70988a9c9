"""Rows of a log as strips: cropped to the window, with marked text, a gutter, a thumb and the pill of new lines."""

from __future__ import annotations

import time

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.strip import Strip

from nova_core.text import size
from nova_tui.ansi import plain, restyle
from nova_tui.glyphs import chars
from nova_tui.palettes import TERMINAL, readable

TIME_WIDTH = 9
Spans = list[tuple[int, int]]


def text_strip(
    segments: list[Segment], left: int, width: int, base: Style, y: int, theme: TerminalTheme = TERMINAL
) -> Strip:
    """The cells `left` to `left + width` of a row, padded, readable; mouse selection locates characters by row `y`."""
    styled = [Segment(s.text, readable(s.style, base, theme) if s.style else base) for s in segments]
    strip = Strip(styled).apply_offsets(0, y)
    return strip.crop_extend(left, left + width, base)


def marked(segments: list[Segment], spans: Spans, style: Style, selected: tuple[int, int] | None, selection: Style
           ) -> list[Segment]:  # fmt: skip
    """The row with search matches and the selected characters (an end of -1: to the end of the row) marked."""
    if spans:
        segments = restyle(segments, spans, style)
    if selected is not None:
        start, end = selected
        end = len(plain(segments)) if end < 0 else end
        if end > start:
            segments = restyle(segments, [(start, end)], selection)
    return segments


def time_gutter(seen: float | None) -> str:
    """Local time of day at which the line was first seen; a dot if unknown."""
    text = time.strftime("%H:%M:%S", time.localtime(seen)) if seen is not None else chars().dot.rjust(8)
    return f"{text} "


def number_gutter(newlines: int | None, width: int) -> str:
    """The number of a line, counted from 1; a dot until counted."""
    return f"{chars().dot if newlines is None else newlines + 1:>{width - 1}} "


def thumb_rows(top: int, bottom: int, total: int, height: int) -> range:
    """The rows of the scroll thumb if bytes `top` to `bottom` of `total` are shown; empty if all are."""
    if total <= 0 or height <= 0 or (top <= 0 and bottom >= total):
        return range(0)
    length = max(1, min(height, round((bottom - top) / total * height)))
    first = round(top / max(1, total - (bottom - top)) * (height - length))
    first = min(max(first, 0), height - length)
    return range(first, first + length)


def pill(lines: int | None, more: int) -> str:
    """New output since the log stopped following: `lines` if counted, else `more` bytes."""
    down = chars().down
    if lines is None:
        return f" {down} {size(more)} more "
    if lines <= 0:
        return f" {down} more "
    return f" {down} {lines:,} new line{'s' if lines != 1 else ''} "


def with_pill(strip: Strip, text: str, style: Style, width: int) -> Strip:
    """The strip with the pill over its right end, before the column of the thumb."""
    room = width - cell_len(text) - 1
    if room < 0:
        return strip
    return Strip.join([strip.crop(0, room), Strip([Segment(text, style)]), strip.crop(width - 1, width)])
