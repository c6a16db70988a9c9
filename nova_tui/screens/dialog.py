"""What the small dialogs share: a box in the middle, drawn over the screen they were opened from."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.screen import ModalScreen

from nova_tui.glyphs import is_ascii
from nova_tui.widgets.one_line import KeyLine

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """A box in the middle of the screen that gives an answer when it is left."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > #box {
        width: 72; max-width: 95%; height: auto; max-height: 95%;
        padding: 0 1; border: round $primary; background: $surface;
    }
    Dialog.-ascii > #box { border: ascii $primary; }
    Dialog > #box > Static { width: 1fr; height: auto; background: $surface; }
    Dialog > #box > Input { width: 1fr; border: none; height: 1; padding: 0; background: $panel; }
    Dialog > #box > #foot { color: $text-muted; margin-top: 1; }
    """

    def __init__(self) -> None:
        super().__init__(classes="-ascii" if is_ascii() else None)

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
