"""The rows of a line of an agent's log: what it says, does, gets and costs, instead of its JSON."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style

from nova_core.agents.readable import LONGEST, Kind, Part, parts_of
from nova_core.files.log_index import LogIndex
from nova_core.text import number_of
from nova_tui.ansi import MAX_LINE, split_sgr
from nova_tui.glyphs import chars

_MOST = {Kind.SAYS: 400, Kind.DOES: 12, Kind.FAILS: 40}  # rows of a part
_FEW = 8  # rows of other parts
_DIM = Style(dim=True)
_STYLES = {
    Kind.SAYS: Style.null(), Kind.THINKS: Style(dim=True, italic=True), Kind.DOES: Style(color="cyan", bold=True),
    Kind.GETS: _DIM, Kind.FAILS: Style(color="red"), Kind.COSTS: Style(color="magenta"), Kind.NOTE: _DIM,
}  # fmt: skip
Rows = list[list[Segment]]


def agent_rows(index: LogIndex, start: int, end: int) -> Rows:
    """The rows of the line from `start` to `end`; none if it is to be shown as it is."""
    if end - start > LONGEST:
        return []
    parts = parts_of(index.read(start, end).strip())
    return [row for part in parts for row in _rows(part)]


def _rows(part: Part) -> Rows:
    most = _MOST.get(part.kind, _FEW)
    lines = part.text.strip("\n").split("\n")
    rows = [_row(part.kind, text, number) for number, text in enumerate(lines[:most])]
    more = len(lines) - most
    return [*rows, [Segment(f"    and {number_of(more, 'more line', 'more lines')}", _DIM)]] if more > 0 else rows


def _row(kind: Kind, text: str, number: int) -> list[Segment]:
    """A row after its mark; colours of its own stay."""
    base = _STYLES[kind]
    shown = split_sgr(text[:MAX_LINE])
    return [Segment(_lead(kind, number), base), *(Segment(s.text, base + (s.style or Style.null())) for s in shown)]


def _lead(kind: Kind, number: int) -> str:
    if kind is Kind.SAYS:
        return ""
    if number or kind is Kind.GETS:
        return f"  {chars().vertical} "
    marks = {Kind.DOES: chars().closed, Kind.FAILS: "!", Kind.COSTS: "$"}
    return f"{marks.get(kind, chars().dot)} "
