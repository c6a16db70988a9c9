"""`nova history`: the runs of this project, or the attempts of one, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli import complete
from nova_core.cli.choosing import OnlyPlan
from nova_core.cli.options import AsJson, Directory
from nova_core.cli.output import out_json, out_lines
from nova_core.cli.tables import cost_cell, runs_here, table, tokens_cell, usage_cells, when
from nova_core.errors import UsageError
from nova_core.text import clean, duration

if TYPE_CHECKING:
    from nova_core.runs.history import Run, RunSummary
    from nova_core.state.database import AttemptRow

ID_LENGTH = 8
LAST = "last"
NUMBERS = ("#", "DONE", "FAILED", "ATTEMPTS", "TIME", "TOKENS", "COST")
# Verdicts that say nothing beyond "failed".
_PLAIN = (None, "done", "failed", "unknown")


def history(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            autocompletion=complete.runs,
            help="Show the attempts of this run: the first characters of its id, or last.",
        ),
    ] = None,
    plan: OnlyPlan = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    """Show the runs of this project, or the attempts of one run.

    Runs moved aside are included. Attempts count once they have ended. In costs and tokens,
    `~` means estimated, `at least` means that a part has no price, `?` means that nothing has a price.

    \b
    Examples:  nova history
               nova history last
               nova history 4f2a --json | jq '.attempts[].cost_usd'
    """
    runs = runs_here(plan)
    if run is None:
        if as_json:
            out_json({"runs": [found.summary for found in runs]})
        else:
            out_lines(run_lines([found.summary for found in runs]))
        return 0
    chosen = choose(runs, run)
    if as_json:
        out_json({"run": chosen.summary, "attempts": chosen.attempts})
    else:
        out_lines([title(chosen.summary), "", *attempt_lines(chosen.attempts)])
    return 0


def choose(runs: list[Run], wanted: str) -> Run:
    """The run whose id begins with `wanted`, or the last run. Raises `UsageError` if none or several match."""
    if wanted == LAST:
        return runs[-1]
    found = [run for run in runs if wanted and run.summary.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    said = f"{len(found)} runs begin with {clean(wanted)[:80]}" if found else f"there is no run {clean(wanted)[:80]}"
    if not found and any(row.task == wanted for run in runs for row in run.attempts):
        raise UsageError(said, hint=f"{clean(wanted)[:80]} is a task: see nova why and nova logs {clean(wanted)[:80]}")
    raise UsageError(said, hint="list the runs with nova history; `last` is the newest")


def run_lines(runs: list[RunSummary]) -> list[str]:
    """The table of runs."""
    heads = ("RUN", "STARTED", "DONE", "FAILED", "ATTEMPTS", "TIME", "TOKENS", "COST", "PLAN")
    rows = [
        (
            clean(run.id)[:ID_LENGTH], when(run.started_at), f"{run.done:,}", f"{run.failed:,}",
            f"{run.figures.attempts:,}", duration(run.wall_seconds), tokens_cell(run.figures), cost_cell(run.figures),
            clean(run.name) + (" (moved aside)" if run.put_aside else ""),
        )
        for run in runs
    ]  # fmt: skip
    return table(heads, rows, NUMBERS)


def title(run: RunSummary) -> str:
    """The result of the run, in one line."""
    sums = run.figures
    parts = [f"{run.done:,} done"] + ([f"{run.failed:,} failed"] if run.failed else [])
    parts += [f"{sums.attempts:,} {'attempt' if sums.attempts == 1 else 'attempts'}", duration(run.wall_seconds)]
    parts += [f"{tokens_cell(sums)} tokens, cost {cost_cell(sums)}"] if sums.tokens.total or sums.unpriced else []
    return f"{clean(run.id)[:ID_LENGTH]}  {clean(run.name) or 'run'}, {when(run.started_at)}: {', '.join(parts)}"


def attempt_lines(rows: tuple[AttemptRow, ...]) -> list[str]:
    """The table of attempts."""
    from nova_core.runs.history import figures

    heads = ("ENDED", "TASK", "#", "AGENT", "MODEL", "RESULT", "TIME", "TOKENS", "COST")
    cells = [
        (
            when(row.ended_at), clean(row.task), str(row.attempt), clean(row.agent or "-"),
            clean(row.model or "-"), result(row), *usage_cells(figures([row])),
        )
        for row in rows
    ]  # fmt: skip
    return table(heads, cells, NUMBERS)


def result(row: AttemptRow) -> str:
    """How the attempt ended: `done`, or the reason, with the verdict of its agent's log."""
    if row.status == "completed":
        return "completed"
    reason = clean(row.reason or "failed").replace("_", " ")
    return reason if row.verdict in _PLAIN else f"{reason} ({clean(row.verdict or '').replace('_', ' ')})"
