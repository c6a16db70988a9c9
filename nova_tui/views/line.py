"""Composes lines: foreign text is cleaned, fitted into cells, and never read as markup."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import overload

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from nova_core.text import clean
from nova_tui.cells import steady
from nova_tui.glyphs import MUTED, TITLE, chars

Piece = str | Content | tuple[str, str]
LEFT = "left the plan"  # about a task or a branch that a screen shows, as the plan may change meanwhile


def plain(text: str | None) -> str:
    """Foreign text in one line, safe for a terminal and as wide on every one; a tab becomes a space."""
    return clean(steady(text or "")).replace("\t", " ")


def shorten(text: str, width: int) -> str:
    """`text` cleaned, in at most `width` cells; a cut is marked."""
    text = plain(text)
    if width <= 0:
        return ""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + chars().ellipsis


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` cleaned, in exactly `width` cells, aligned left or right."""
    text = shorten(text, width)
    space = " " * max(0, width - cell_len(text))
    return space + text if right else text + space


def line(*pieces: Piece, width: int | None = None) -> Content:
    """One line of pieces, each text or text with a style; never wider than `width`."""
    content = Content.assemble(*pieces)
    return content if width is None or content.cell_length <= width else _cut(content, width)


def _cut(content: Content, width: int) -> Content:
    if width <= 0:
        return Content()
    return Content.assemble(content.truncate(width - 1), (chars().ellipsis, MUTED))


def heading(text: str, width: int) -> Content:
    """A heading, with a rule to the full width."""
    text = shorten(text, width)
    return line((text, TITLE), (f" {chars().rest * (width - cell_len(text) - 1)}", MUTED), width=width)


def wrapped(text: str, width: int, indent: str = "", style: str = "") -> list[Content]:
    """Foreign text on as many lines as needed, each after `indent`."""
    room = max(8, width - len(indent))
    parts = Content(plain(text)).wrap(room) if text else []
    return [line(indent, (part.plain, style), width=width) for part in parts]


class Lazy(Sequence[Content]):
    """Lines drawn on access: only rows on the screen cost time."""

    def __init__(self, count: int, draw: Callable[[int], Content]) -> None:
        self._count = count
        self._draw = draw

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Content: ...
    @overload
    def __getitem__(self, index: slice) -> list[Content]: ...
    def __getitem__(self, index: int | slice) -> Content | list[Content]:
        if isinstance(index, slice):
            return [self._draw(i) for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self._draw(index % self._count)


def table(rows: Iterable[Sequence[str]], aligns: str) -> list[list[str]]:
    """Pad the cells of each column to the widest; `aligns` has `<` or `>` per column. Cells must be clean."""
    kept = [list(row) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*kept, strict=True)] if kept else []
    return [[fit(c, w, right=a == ">") for c, w, a in zip(row, widths, aligns, strict=True)] for row in kept]
