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

    Views clean what they show; Textual's own widgets do not (an escape in a title reaches the terminal).
    Textual caches strips by the identity of their filters: create only one instance.
    """

    encoding = "utf-8"  # of the terminal

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments, cleaned if they need it."""
        if all(self._is_safe(segment.text) for segment in segments):
            return segments
        return [s if self._is_safe(s.text) else self._cleaned(s) for s in segments]

    def _is_safe(self, text: str) -> bool:
        """Returns True if the text can be drawn as it is."""
        return text.isprintable() and (text.isascii() or (is_steady(text) and self.encoding.startswith("utf")))

    def _cleaned(self, segment: Segment) -> Segment:
        text = clean(steady(segment.text)).replace("\t", " ")
        if not self.encoding.startswith("utf"):
            parts = [c.encode(self.encoding, "replace").decode(self.encoding) for c in text]
            text = "".join(part.ljust(cell_len(c)) for part, c in zip(parts, text, strict=True))
        return Segment(set_cell_size(text, cell_len(segment.text)), segment.style, segment.control)


SAFE = SafeText()
