"""What the small dialogs share: a box in the middle, drawn over the screen they were opened from."""

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
_SHORT = 16  # rows of a screen where an empty one is too dear


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """A box in the middle of the screen that gives an answer when it is left.

    Say in `said` what is the case and in `answers` which keys there are. The answers are always shown in full; what is
    said above them gets the rows that are left.
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
        """What is the case, in at most so many rows of so many cells if that can be; what is more is cut off."""
        raise NotImplementedError

    def answers(self, width: int, rows: int) -> Sequence[Content]:
        """The keys, a line each."""
        raise NotImplementedError

    def entry(self) -> Iterable[Widget]:
        """A line to type into, if there is one."""
        return ()

    def compose(self) -> ComposeResult:
        """What is said, a line to type into, the answers."""
        said, answers = self._texts(0)
        with Vertical(id="box"):
            yield Static(said, id="text", markup=False)
            yield from self.entry()
            yield Static(answers, id="foot", markup=False)

    def on_resize(self) -> None:
        """Other rows are left."""
        self.say()

    def say(self) -> None:
        """Write it all again."""
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
        """The keys of the screen behind do not work while this one is in front."""
        self._renew_keys()

    def on_unmount(self) -> None:
        """They work again."""
        self._renew_keys()

    def _renew_keys(self) -> None:
        for screen in self.app.screen_stack:
            for keys in screen.query(KeyLine):
                keys.renew()


def fitting(draw: Callable[[int], Sequence[Content]], most: int, width: int, rows: int) -> list[Content]:
    """What `draw` says of as many things as fit, at most `most`: lines of at most `width` cells. If not even one fits,
    the end of it is cut off."""
    for count in range(most, 0, -1):
        lines = [part for content in draw(count) for part in content.wrap(width)]
        if len(lines) <= rows:
            return lines
    return [*lines[: rows - 1], line(lines[rows - 1].truncate(width - 1), chars().ellipsis)]
