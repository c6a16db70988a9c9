"""Tables of runs and attempts: aligned cells whose figures mark what is estimated or unknown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from nova_core.cli.output import columns, note, paint
from nova_core.errors import UsageError
from nova_core.text import clean, duration, money, tokens

if TYPE_CHECKING:
    from nova_core.runs.history import Figures, Run


def runs_here(plan: str | None) -> list[Run]:
    """Every run of a plan in this project, or of all its plans, oldest first. Raises `UsageError` if there is none."""
    from nova_core.cli.choosing import all_places, chosen
    from nova_core.runs.history import load_runs

    places = all_places() if plan is None else [chosen(plan)]
    found = (load_runs(place, complain=lambda text: note(f"nova: {clean(text)}")) for place in places)
    runs = sorted((run for some in found for run in some), key=lambda run: run.summary.started_at or "")
    if not runs:
        raise UsageError("no plan has been run here yet", hint="run the plan in CASCADE.md with nova run")
    return runs


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str]) -> list[str]:
    """Lines of aligned cells below their headings; columns whose heading is in `numbers` are right-aligned."""
    cells = [[*map(str, row)] for row in (heads, *rows)]
    for column, head in enumerate(heads):
        if head in numbers:
            width = max(len(row[column]) for row in cells)
            for row in cells:
                row[column] = row[column].rjust(width)
    first, *rest = columns(cells)
    return [paint(first, "dim"), *rest]


def when(stamp: str | None) -> str:
    """An ISO 8601 timestamp as local date, hours and minutes; `-` for None."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M") if stamp else "-"
    except ValueError:
        return "-"


def usage_cells(sums: Figures) -> list[str]:
    """Time, tokens and cost."""
    return [duration(sums.seconds), tokens_cell(sums), cost_cell(sums)]


def tokens_cell(sums: Figures) -> str:
    """`12.3k`; `~` if estimated, `-` if there are none."""
    if not sums.tokens.total:
        return "?" if sums.estimated else "-"
    return ("~" if sums.estimated else "") + tokens(sums.tokens.total)


def cost_cell(sums: Figures) -> str:
    """`$1.20`; `~` if estimated, `at least` if a part has no price, `?` if nothing has a price."""
    if sums.cost_usd is None:
        return "?" if sums.unpriced else "-"
    return ("at least " if sums.unpriced else "") + ("~" if sums.estimated else "") + money(sums.cost_usd)
