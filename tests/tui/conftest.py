"""Text goldens: what a screen or a view shows, with a letter per style and a legend, as a file one can review."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.content import Content

GOLDEN = Path(__file__).with_name("golden")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
Golden = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/tui --update-golden` writes the goldens anew."""
    parser.addoption("--update-golden", action="store_true", help="write the text goldens anew")


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC, colours are on, and nothing moves by itself."""
    for name in ("NO_COLOR", "SSH_CONNECTION", "TEXTUAL_THEME", "NOVA_ASCII"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """`golden(name, text)`: the text must be that of `golden/<name>.txt`."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        text = text.rstrip("\n") + "\n"
        if request.config.getoption("--update-golden", default=False):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path.name} is missing: run pytest tests/tui --update-golden, and read it"
        assert text.splitlines() == path.read_text(encoding="utf-8").splitlines(), f"{path.name} differs"

    return check


def screen_text(app: App[Any], *, styles: bool = False) -> str:
    """What the app shows: its lines without trailing spaces; with `styles` a letter per style, and what they mean.

    Toasts are widgets of their own layer, so they are in it.
    """

    width, height = app.size
    strips = app.screen._compositor.render_strips()  # private: the only way to the composed screen; one place
    runs = [[(s.text, str(s.style or "")) for s in strip.crop(0, width)] for strip in strips[:height]]
    return _text(runs, styles)


def content_text(lines: Iterable[Content], *, styles: bool = False) -> str:
    """What a view drew: its lines; with `styles` a letter per style, and what they mean."""
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
