"""`nova stats`: cost and time of all runs of this project, by task, agent and model."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from nova_core.cli.choosing import OnlyPlan
from nova_core.cli.options import AsJson, Directory
from nova_core.cli.output import out_json, out_lines
from nova_core.cli.tables import runs_here, table, usage_cells
from nova_core.text import clean

if TYPE_CHECKING:
    from nova_core.runs.history import Figures
    from nova_core.state.database import AttemptRow

MOST_SHOWN = 10
NUMBERS = ("ATTEMPTS", "SUCCESS", "TIME", "TOKENS", "COST")


class By(StrEnum):
    """What attempts are grouped by."""

    TASK = "task"
    AGENT = "agent"
    MODEL = "model"


NOBODY = {By.TASK: "-", By.AGENT: "(a command)", By.MODEL: "(none named)"}


def stats(
    by: Annotated[By | None, typer.Option("--by", help="Show only this table, with all rows.")] = None,
    plan: OnlyPlan = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    """Show attempts, success, time, tokens and cost of all runs.

    The most expensive come first. Attempts count once they have ended; cancelled ones do not count as failures.
    In costs and tokens, `~` means estimated, `at least` means that a part has no price, `?` means that nothing has
    a price.

    \b
    Examples:  nova stats
               nova stats --by model
               nova stats --json | jq '.agent[] | [.agent, .cost_usd]'
    """
    from nova_core.runs.history import grouped

    rows = [row for run in runs_here(plan) for row in run.attempts]
    wanted = [by] if by else [By.AGENT, By.MODEL, By.TASK]
    groups = {kind: grouped(rows, lambda row, kind=kind: getattr(row, kind)) for kind in wanted}  # type: ignore[misc]
    if as_json:
        out_json({kind.value: entries(kind, group) for kind, group in groups.items()})
    else:
        most = None if by else MOST_SHOWN
        tables = [lines(kind, group, rows, most) for kind, group in groups.items()]
        out_lines(line for number, part in enumerate(tables) for line in (["", *part] if number else part))
    return 0


def entries(kind: By, groups: Mapping[str | None, Figures]) -> list[dict[str, Any]]:
    """One object for each group, with the name of its key."""
    return [{kind.value: name, **msgspec.to_builtins(sums), "success": sums.success} for name, sums in groups.items()]


def lines(kind: By, groups: Mapping[str | None, Figures], rows: list[AttemptRow], most: int | None) -> list[str]:
    """The table of a kind with its totals; groups beyond `most` are only counted."""
    from nova_core.runs.history import figures

    heads = (kind.value.upper(), *NUMBERS)
    cells = [row_of(clean(name or NOBODY[kind]), sums) for name, sums in list(groups.items())[:most]]
    shown = table(heads, [*cells, row_of("all", figures(rows))], NUMBERS)
    left = len(groups) - len(cells)
    return [*shown, f"and {left:,} more: nova stats --by {kind.value}"] if left else shown


def row_of(name: str, sums: Figures) -> list[str]:
    """The cells of a group's row."""
    success = "-" if sums.success is None else f"{100 * sums.success:.0f}%"
    return [name, f"{sums.attempts:,}", success, *usage_cells(sums)]
