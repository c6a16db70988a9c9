"""The base of small dialogs: a centred box over the screen that opened them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from nova_tui.glyphs import chars, is_ascii
from nova_tui.views.line import line
from nova_tui.widgets.one_line import KeyLine

Answer = TypeVar("Answer")
_WIDTH, _EDGES = 72, 4  # cells of the box, and of its border and padding
_SHORT = 16  # rows; a lower screen has no room for empty rows


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """A centred box that returns an answer when it closes.

    Subclasses return the message from `said` and the keys from `answers`. Answers are always shown in full; the message
    gets the remaining rows.
    """

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > #box {
        width: 72; max-width: 95%; height: auto; max-height: 100%;
        padding: 0 1; border: round $primary; background: $surface;
    }
    Dialog.-ascii > #box { border: ascii $primary; }
    Dialog > #box > Static { width: 1fr; height: auto; background: $surface; }
    Dialog > #box > Input { width: 1fr; border: none; height: 1; padding: 0; background: $panel; }
    Dialog > #box > #foot { color: $text-muted; margin-top: 1; }
    Dialog.-short > #box > #foot { margin-top: 0; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-short"), (_SHORT, "-tall")]  # noqa: RUF012 - as in Screen

    def __init__(self) -> None:
        super().__init__(classes="-ascii" if is_ascii() else None)

    def said(self, width: int, rows: int) -> Sequence[Content]:
        """The message, if possible in at most `rows` rows of `width` cells; the rest is cut off."""
        raise NotImplementedError

    def answers(self, width: int, rows: int) -> Sequence[Content]:
        """The keys, one per line."""
        raise NotImplementedError

    def entry(self) -> Iterable[Widget]:
        """The text input, if there is one."""
        return ()

    def compose(self) -> ComposeResult:
        """The message, the text input, the answers."""
        said, answers = self._texts(0)
        with Vertical(id="box"):
            yield Static(said, id="text", markup=False)
            yield from self.entry()
            yield Static(answers, id="foot", markup=False)

    def on_resize(self) -> None:
        """Redraw for the new size."""
        self.say()

    def say(self) -> None:
        """Redraw all texts."""
        typed = len(self.query("#box > Input"))
        for name, text in zip(("#text", "#foot"), self._texts(typed), strict=True):
            self.query_one(name, Static).update(text)

    def _texts(self, typed: int) -> tuple[Content, Content]:
        size = self.app.size
        width = max(8, min(_WIDTH, size.width * 95 // 100) - _EDGES)
        rows = size.height - 2 - typed - (size.height >= _SHORT)
        answers = fitting(lambda _: self.answers(width, rows), 1, width, rows - 1)
        said = fitting(lambda _: self.said(width, rows - len(answers)), 1, width, max(1, rows - len(answers)))
        return Content("\n").join(said), Content("\n").join(answers)

    def on_screen_resume(self) -> None:
        """Update the footer behind: its keys do not work now."""
        self._renew_keys()

    def on_unmount(self) -> None:
        """Update the footer behind: its keys work again."""
        self._renew_keys()

    def _renew_keys(self) -> None:
        for screen in self.app.screen_stack:
            for keys in screen.query(KeyLine):
                keys.renew()


def fitting(draw: Callable[[int], Sequence[Content]], most: int, width: int, rows: int) -> list[Content]:
    """The lines of `draw(count)`, of at most `width` cells, for the largest `count` up to `most` that fits in `rows`.
    If not even 1 fits, its end is cut off."""
    for count in range(most, 0, -1):
        lines = [part for content in draw(count) for part in content.wrap(width)]
        if len(lines) <= rows:
            return lines
    return [*lines[: rows - 1], line(lines[rows - 1].truncate(width - 1), chars().ellipsis)]
