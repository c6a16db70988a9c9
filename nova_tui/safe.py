"""The last line of defence: no control character is drawn, whatever its source."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from nova_core.text import clean


class SafeText(LineFilter):
    """Cleans the text of every drawn line; replacements keep their width, so that nothing else moves.

    Views clean what they show; Textual's own widgets do not (an escape in a title or a toast reaches the terminal).
    Textual caches strips by the identity of their filters: create only one instance.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments, cleaned if they need it."""
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [s if s.text.isprintable() else _cleaned(s) for s in segments]


def _cleaned(segment: Segment) -> Segment:
    text = clean(segment.text).replace("\t", " ")
    return Segment(set_cell_size(text, cell_len(segment.text)), segment.style, segment.control)


SAFE = SafeText()
