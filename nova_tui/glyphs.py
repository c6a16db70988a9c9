"""Marks, bars and sparklines, each with an ASCII form; colour alone never carries meaning."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from textual.content import Content

from nova_core.runs.words import ASCII_GLYPHS, GLYPHS, Shown


class Chars(msgspec.Struct, frozen=True):
    """The drawing characters of one mode, each one cell wide."""

    full: str = "━"
    left: str = "╸"  # the left half of a cell
    right: str = "╺"
    rest: str = "─"
    dot: str = "·"
    vertical: str = "│"
    now: str = "┊"
    cut: str = "≈"
    ellipsis: str = "…"
    critical: str = "▌"
    star: str = "★"
    arrow_left: str = "←"
    arrow_right: str = "→"
    up: str = "▲"
    down: str = "▼"
    open: str = "▾"
    closed: str = "▸"
    thumb: str = "┃"
    tee: str = "├─"
    corner: str = "└─"
    levels: str = "▁▂▃▄▅▆▇█"
    reset: str = "○"
    run: str = "●"


_UNICODE = Chars()
_ASCII = Chars(
    full="=", left="=", right="=", rest="-", dot=".", vertical="|", now=":", cut="%", ellipsis="~", critical="*",
    star="*", arrow_left="<", arrow_right=">", up="^", down="v", open="v", closed=")", thumb="#", tee="|-", corner="`-",
    levels="_.-=+*%#", reset="o", run="@",
)  # fmt: skip
# Not $text-muted: its "auto 60%" is painted as full black or white in a Content; and "dim" breaks on default colours.
MUTED = "$foreground-muted"
_STYLES = {
    Shown.WAITING: MUTED,
    Shown.READY: "$foreground",
    Shown.RUNNING: "$text-primary",
    Shown.VERIFYING: "$text-primary",
    Shown.MERGING: "$text-primary",
    Shown.ASKS: "bold $text-warning",
    Shown.APPROVAL: "bold $text-warning",
    Shown.RETRYING: "$foreground",
    Shown.COMPLETED: "$text-success",
    Shown.SKIPPED: MUTED,
    Shown.FAILED: "bold $text-error",
    Shown.CANCELLED: "$text-error",
    Shown.BLOCKED: "$text-error",
}
TITLE = "bold"
ERROR = "$text-error"
WARNING = "$text-warning"
SUCCESS = "$text-success"
ACTIVE = "$text-primary"
_mode = _UNICODE


def use_ascii(on: bool) -> None:
    """Choose the mode; call it once, before anything is drawn."""
    global _mode
    _mode = _ASCII if on else _UNICODE


def is_ascii() -> bool:
    """Returns True if only ASCII may be drawn."""
    return _mode is _ASCII


def chars() -> Chars:
    """The drawing characters of the current mode."""
    return _mode


def glyph(shown: Shown) -> str:
    """The mark of a status, one cell."""
    return (ASCII_GLYPHS if is_ascii() else GLYPHS)[shown]


def style_of(shown: Shown) -> str:
    """The theme style of a status."""
    return _STYLES[shown]


def status(shown: Shown, word: str = "") -> Content:
    """The mark and the word of a status."""
    return Content.styled(f"{glyph(shown)} {word or shown.value}", style_of(shown))


def halves(first: int, last: int, width: int) -> str:
    """`width` cells with a thin bar over the half cells from `first` up to, not including, `last`."""
    c = _mode
    marks = {(True, True): c.full, (True, False): c.left, (False, True): c.right, (False, False): " "}
    inside = [first <= i < last for i in range(2 * width)]
    return "".join(marks[inside[2 * i], inside[2 * i + 1]] for i in range(width))


def bar(share: float, width: int, style: str = ACTIVE) -> Content:
    """A thin bar filled to `share` (0 to 1) in half cells; any progress shows, and only 1 fills it."""
    done, rest = bar_cells(share, width)
    return Content.assemble((done, style), (rest, MUTED))


def bar_cells(share: float, width: int) -> tuple[str, str]:
    """The filled and the empty cells of a bar."""
    if math.isnan(share):
        share = 0.0
    share = min(1.0, max(0.0, share))
    filled = math.floor(share * 2 * width) if share < 1 else 2 * width
    filled = max(filled, 1) if share > 0 else 0
    done = halves(0, filled, width).rstrip()
    return done, _mode.rest * (width - len(done))


def sparkline(values: Sequence[float], width: int) -> str:
    """The last `width` values as levels relative to the largest; zero is a blank, so that pauses show."""
    shown = list(values)[-width:] if width > 0 else []
    top = max(shown, default=0)
    levels = _mode.levels
    return "".join(" " if v <= 0 else levels[max(0, math.ceil(v / top * len(levels)) - 1)] for v in shown)
