"""Reads ticks, boxes and strike-through in rows outside of a state column."""

from __future__ import annotations

import re
from collections.abc import Sequence

TICKS = "✓✔✅☑"
STRUCK = "struck out"
TICKED = "✓"
_BOX = r"(?:[-*+][ \t]+)?\[([ xX~-])\](?=\s)"
_DONE_BEHIND = r"\S[ *]*(?:[—–(]|[ ]-[ ])[ *(]*(?:done|completed?|merged|shipped)\b[^a-z]*\Z"
_DONE_WORDS = ("one", "ONE", "omplete", "OMPLETE", "erged", "ERGED", "hipped")
_EMPTY_BOXES = "☐⬜🔲"
_SIGNS = (*TICKS, *_EMPTY_BOXES, "~~", "[x]", "[X]", "[ ]", "[~]", "[-]")


def may_be_marked(line: str) -> bool:
    """Returns True if a row has any such sign; most rows have none and need no closer look."""
    return ("[" in line or "~~" in line or not line.isascii()) and any(sign in line for sign in _SIGNS)


def unmarked(cell: str) -> tuple[str, str]:
    """A cell without the box and the ticks around it, and its mark of done work: `[x]`, a tick, or "" for none."""
    text = cell.strip()
    box = re.match(_BOX, text)
    if box:
        return text[box.end() :].strip(), "[x]" if box[1] in "xX" else ""
    bare = text.strip(TICKS + _EMPTY_BOXES + "\ufe0f ")
    if not bare or bare == text:
        return text, ""
    return bare, TICKED if text[0] in TICKS or text.rstrip("\ufe0f ")[-1] in TICKS else ""


def ends_with_done(name: str) -> bool:
    """Returns True if a word for done follows a name: `Schema (done)`, `Schema — **Done 2026-07-15**`."""
    return any(word in name for word in _DONE_WORDS) and re.search(_DONE_BEHIND, name, re.IGNORECASE) is not None


def is_struck(text: str) -> bool:
    """Returns True if the whole text is struck through."""
    return len(text) > 4 and text.startswith("~~") and text.endswith("~~") and "~~" not in text[2:-2]


def tick_in(cells: Sequence[str]) -> str:
    """The tick that marks a struck-out row as finished, or ""."""
    ends = (end for cell in cells if (text := cell.strip("\ufe0f ")) for end in (text[0], text[-1]))
    return next((end for end in ends if end in TICKS), "")


def bears_tick(cell: str) -> bool:
    """Returns True if a cell holds a ticked box, or starts or ends with a tick."""
    return "[x]" in cell or "[X]" in cell or bool(tick_in((cell,)))
