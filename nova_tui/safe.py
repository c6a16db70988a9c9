"""The last line of defence: no control character is drawn, whatever its source."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from nova_core.text import clean
from nova_tui.cells import is_steady, steady


class SafeText(LineFilter):
    """Cleans the text of every drawn line; replacements keep their width, so that nothing else moves.

    Views clean what they show; Textual's own widgets do not (an escape in a title or a toast reaches the terminal).
    Textual caches strips by the identity of their filters: create only one instance.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments, cleaned if they need it."""
        if all(is_safe(segment.text) for segment in segments):
            return segments
        return [s if is_safe(s.text) else _cleaned(s) for s in segments]


def is_safe(text: str) -> bool:
    """Returns True if the text can be drawn as it is."""
    return text.isprintable() and is_steady(text)


def _cleaned(segment: Segment) -> Segment:
    text = clean(steady(segment.text)).replace("\t", " ")
    return Segment(set_cell_size(text, cell_len(segment.text)), segment.style, segment.control)


SAFE = SafeText()
