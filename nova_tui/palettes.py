"""Colours for terminals with few of them, and colours of logs that can be read on any background. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.color import Color, ColorType, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, TerminalTheme
from textual.color import Color as Background
from textual.filter import LineFilter

OURS, THEIRS = 4.5, 3.0  # the least contrast of what Nova chooses, and of what it adapts (WCAG 2.2, 1.4.3 and 1.4.11)
_GROUNDS = ("background", "surface", "panel")
_TEXTS = (
    "foreground", "foreground-muted", "text-primary", "text-secondary", "text-accent", "text-success", "text-warning",
    "text-error",
)  # fmt: skip
_BLACK, _WHITE = ColorTriplet(0, 0, 0), ColorTriplet(255, 255, 255)
_NAMES = {"256color": 256, "kitty": 256, "direct": 1 << 24}


def depth(environ: Mapping[str, str]) -> int:
    """The number of colours of the terminal, as `rich` determines it: 16, 256 or 16 million."""
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return 1 << 24
    return _NAMES.get(environ.get("TERM", "").strip().lower().rpartition("-")[2], 16)


class Nearest256(LineFilter):
    """Draws each colour as the most similar one of the 256, as seen: rounding each part would turn greys into navy.

    The first 16 are left out, because users change them.
    """

    def apply(self, segments: list[Segment], background: Background) -> list[Segment]:
        """The segments in colours of the palette."""
        return [Segment(text, style and _style_256(style), control) for text, style, control in segments]


NEAREST = Nearest256()


@lru_cache(maxsize=4096)
def _style_256(style: Style) -> Style:
    front, back = style.color, style.bgcolor
    changed = [color for color in (front, back) if color is not None and color.type is ColorType.TRUECOLOR]
    return style + Style(color=front and _color_256(front), bgcolor=back and _color_256(back)) if changed else style


def _color_256(color: Color) -> Color:
    return color if color.triplet is None else Color.from_ansi(nearest(color.triplet))


@lru_cache(maxsize=4096)
def nearest(triplet: ColorTriplet) -> int:
    """The number of the most similar colour, from 16 to 255."""
    return min(range(16, 256), key=lambda number: _distance(triplet, _palette()[number - 16]))


@lru_cache(maxsize=1)
def _palette() -> list[ColorTriplet]:
    return [Color.from_ansi(number).get_truecolor() for number in range(16, 256)]


def _distance(one: ColorTriplet, other: ColorTriplet) -> float:
    """A distance that weighs the parts as eyes do ("redmean", Compuphase), and above all the hue of greys."""
    mean = (one.red + other.red) / 2
    red, green, blue = (a - b for a, b in zip(one, other, strict=True))
    tint = (_tint(one) - _tint(other)) ** 2
    return (2 + mean / 256) * red**2 + 4 * green**2 + (3 - mean / 256) * blue**2 + 2 * tint


def _tint(color: ColorTriplet) -> int:
    return max(color) - min(color)


def contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: ColorTriplet) -> float:
    parts = [part / 255 for part in color]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@lru_cache(maxsize=4096)
def readable(own: Style, base: Style, theme: TerminalTheme) -> Style:
    """The style of a worker's text on the log's colours, `base`, so that it can be read; `theme` has the 16 colours.

    Where the log has the terminal's own colours, only text on a background of its own is adapted.
    """
    style = base + own
    front, back = style.color, style.bgcolor
    if back is None or back.is_default or front is None:
        return style
    if front.is_default and own.bgcolor is None:
        return style
    ground = back.get_truecolor(theme, foreground=False)
    ink = front.get_truecolor(theme) if not front.is_default else None
    if style.dim and ink is not None:
        ink = blend_rgb(ground, ink, 0.5)
        if contrast(ink, ground) >= THEIRS:
            return style
        style, ink = style + Style(dim=False), front.get_truecolor(theme)
    chosen = own.color is None  # the worker left the text to Nova
    if ink is not None and contrast(ink, ground) >= (OURS if chosen and own.bgcolor is not None else THEIRS):
        return style
    return style + Style(color=_ink(None if chosen else ink, ground, native=base.bgcolor is None))


def _ink(wanted: ColorTriplet | None, ground: ColorTriplet, *, native: bool) -> Color:
    """A colour that can be read: as much of the wanted one as possible, else black or white."""
    far = max((_BLACK, _WHITE), key=lambda color: contrast(color, ground))
    if native:
        return Color.from_ansi(0 if far == _BLACK else 15)
    for share in (0.25, 0.5, 0.75) if wanted is not None else ():
        mixed = blend_rgb(wanted or far, far, share)
        if contrast(mixed, ground) >= THEIRS:
            return Color.from_triplet(mixed)
    return Color.from_triplet(far)


def legible(variables: Mapping[str, str]) -> dict[str, str]:
    """The colours of text in a theme's variables that have too little contrast on its grounds, made legible by as much
    black or white as they need."""
    grounds = [Background.parse(variables[name]) for name in _GROUNDS]
    if any(ground.ansi is not None for ground in grounds):
        return {}  # the terminal's own colours, which are not known
    found = {}
    for name in _TEXTS:
        if name in variables and (better := _on_all(Background.parse(variables[name]), grounds)):
            found[name] = better
    return found


def _on_all(color: Background, grounds: list[Background]) -> str:
    """The colour with the least contrast on each ground, as `#rrggbb`; empty if it has that already."""
    shown = ColorTriplet(*grounds[-1].blend(color, color.a).rgb) if color.a < 1 else ColorTriplet(*color.rgb)
    triplets = [ColorTriplet(*ground.rgb) for ground in grounds]
    far = max((_BLACK, _WHITE), key=lambda end: min(contrast(end, ground) for ground in triplets))
    for share in range(0, 105, 5):
        mixed = blend_rgb(shown, far, share / 100)
        if min(contrast(mixed, ground) for ground in triplets) >= OURS:
            return mixed.hex if share else ""
    return far.hex


TERMINAL = DEFAULT_TERMINAL_THEME
"""The 16 colours where the terminal's own ones are used, which are not known."""
