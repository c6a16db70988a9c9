"""What a task changed: its files with their counts, then the lines of the patch in colours."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from textual.content import Content

from nova_core.runs.patch import Kind, Patch
from nova_core.watch.view_model import ViewModel
from nova_tui.glyphs import ACTIVE, ERROR, MUTED, SUCCESS, TITLE, glyph
from nova_tui.views.line import Lazy, fit, line, plain, shorten

_STYLES = {
    Kind.FILE: TITLE, Kind.HEAD: MUTED, Kind.HUNK: ACTIVE, Kind.ADDED: SUCCESS, Kind.REMOVED: ERROR, Kind.SAME: "",
}  # fmt: skip
_COUNTS = 14  # cells
_TAB = "    "


def title(model: ViewModel, task_id: str, said: str, width: int) -> Content:
    """The task, and what is shown of it."""
    name = plain(f"{task_id} {model.cascade.tasks[task_id].name}")
    return line((f" {glyph(model.shown(task_id))} {shorten(name, width // 2)}", TITLE), f"  {plain(said)}", width=width)


def lines(patch: Patch, width: int) -> Sequence[Content]:
    """A row for each file, an empty one, then the lines of the patch; drawn when they come into view."""
    count = len(patch.files)

    def draw(at: int) -> Content:
        if at < count:
            file = patch.files[at]
            return line(f" {fit(file.label, max(8, width - _COUNTS - 2))} ", (file.counts, MUTED), width=width)
        if at == count:
            return line("")
        found = patch.lines[at - count - 1]
        return line((plain(found.text.replace("\t", _TAB)), _STYLES[found.kind]), width=width)

    return Lazy(count + 1 + len(patch.lines), draw)


def keys(patch: Patch) -> list[Hashable | None]:
    """A key for each line but the empty one, so that the cursor can stand on it: files have negative numbers."""
    return [*range(-len(patch.files), 0), None, *range(len(patch.lines))]


def place_of(patch: Patch, key: Hashable | None) -> int | None:
    """The key of the line with which a file begins, by the key of the file; None for other keys."""
    return patch.files[key].at if isinstance(key, int) and key < 0 else None
