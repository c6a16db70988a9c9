"""The contents of a screen or a view as text: its lines, and optionally a letter per style with a legend."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from textual.app import App
from textual.content import Content

Golden = Callable[[str, str], None]  # the fixture `golden`: a name, and the text that its file must hold
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def screen_text(app: App[Any], *, styles: bool = False) -> str:
    """What the app shows: its lines without trailing spaces; with `styles` a letter per style, with a legend.

    Toasts are widgets of their own layer, so they are included.
    """

    width, height = app.size
    strips = app.screen._compositor.render_strips()  # private: the only way to the composed screen; one place
    runs = [[(s.text, str(s.style or "")) for s in strip.crop(0, width)] for strip in strips[:height]]
    return _text(runs, styles)


def content_text(lines: Iterable[Content], *, styles: bool = False) -> str:
    """What a view drew: its lines; with `styles` a letter per style, with a legend."""
    return _text([_runs(line) for line in lines], styles)


def _runs(line: Content) -> list[tuple[str, str]]:
    """Pieces of one style each, by the names the view used."""
    cuts = sorted({0, len(line.plain), *(s.start for s in line.spans), *(s.end for s in line.spans)})
    pieces = []
    for start, end in itertools.pairwise(cuts):
        names = [str(s.style) for s in line.spans if s.start <= start and end <= s.end and str(s.style)]
        pieces.append((line.plain[start:end], " ".join(names)))
    return pieces


def _text(lines: list[list[tuple[str, str]]], styles: bool) -> str:
    plain = ["".join(text for text, _ in line).rstrip() for line in lines]
    if not styles:
        return "\n".join(plain)
    letters: dict[str, str] = {"": "."}
    marks = []
    for line in lines:
        row = ""
        for text, style in line:
            row += letters.setdefault(style, LETTERS[(len(letters) - 1) % len(LETTERS)]) * len(text)
        marks.append(row.rstrip("."))
    legend = [f"{letter} = {style}" for style, letter in letters.items() if style]
    return "\n".join([*plain, "-- styles", *marks, "-- legend", *legend])
