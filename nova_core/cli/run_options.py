"""The options of `nova run`, each declared once."""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
import typer

from nova_core.cli import complete
from nova_core.cli.folder import from_user
from nova_core.cli.interface import Ascii, Theme
from nova_core.cli.options import Directory, Plan
from nova_core.errors import UsageError
from nova_core.plan.selection import Selection

Words = list[str] | None


class RunFlags(msgspec.Struct, frozen=True):
    """The options of `nova run`, as typed."""

    plan: Plan
    ui: Annotated[
        bool | None,
        typer.Option(
            "--ui/--no-ui", help="Open the full-screen interface, or only print progress.", show_default=False
        ),
    ] = None
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, metavar="N", help="Maximum number of workers.")] = (
        None
    )
    command: Annotated[str | None, typer.Option(metavar="LINE", help="Shell line to run for every task.")] = None
    agent: Annotated[
        str | None,
        typer.Option(metavar="NAME", autocompletion=complete.agents, help="Agent for every task (see nova doctor)."),
    ] = None
    only: Annotated[
        Words,
        typer.Option(
            metavar="IDS", autocompletion=complete.task_lists, help="Only these tasks (comma separated, repeatable)."
        ),
    ] = None
    until: Annotated[
        Words,
        typer.Option(metavar="ID", autocompletion=complete.task_lists, help="Only this task and what it depends on."),
    ] = None
    branch: Annotated[
        Words, typer.Option(metavar="NAME", autocompletion=complete.branches, help="Only the tasks of this branch.")
    ] = None
    group: Annotated[
        Words, typer.Option(metavar="NAME", autocompletion=complete.groups, help="Only the tasks of this group.")
    ] = None
    phase: Annotated[
        Words,
        typer.Option(
            metavar="NAME",
            autocompletion=complete.branches,
            help="Only the tasks of this phase: 01-analysis, or analysis.",
        ),
    ] = None
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Print what would run, without starting it.")] = False
    explain: Annotated[bool, typer.Option("--explain", help="Like -n, with the reason for every task.")] = False
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Start no more tasks after the first failure.")] = False
    tick: Annotated[bool, typer.Option("--tick", help="Tick the boxes of done tasks in a tasks.md.")] = False
    retries: Annotated[int | None, typer.Option(min=0, metavar="N", help="How often to retry a failed task.")] = None
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Longest time for a task, such as 30m.")] = None
    idle_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Longest time without any output; 20m for agents by default.")
    ] = None
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; move the old run aside.")] = False
    rerun_changed: Annotated[bool, typer.Option("--rerun-changed", help="Run edited and stale tasks again.")] = False
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False  # passed on by --detach
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per event; with -n, the plan.")] = False
    junit: Annotated[
        str | None, typer.Option(metavar="FILE", callback=from_user, help="Write the results as JUnit XML.")
    ] = None
    summary: Annotated[
        str | None, typer.Option(metavar="FILE", callback=from_user, help="Write a summary as JSON (docs/ci.md).")
    ] = None
    trace: Annotated[
        str | None, typer.Option(metavar="FILE", callback=from_user, help="Write a trace for ui.perfetto.dev.")
    ] = None
    isolation: Annotated[
        str | None,
        typer.Option(
            metavar="HOW", autocompletion=complete.isolations, help="Work in trees of their own: auto, tree or off."
        ),
    ] = None
    uncommitted: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            autocompletion=complete.uncommitted,
            help="Your uncommitted files, with isolation: refuse, ignore or include.",
        ),
    ] = None
    budget: Annotated[float | None, typer.Option(min=0, metavar="USD", help="Start no tasks above this cost.")] = None
    allow_unpriced: Annotated[
        bool, typer.Option("--allow-unpriced", help="Start despite a budget where a price is unknown.")
    ] = False
    ascii_only: Ascii = False
    theme: Theme = None
    directory: Directory = None

    def settings(self) -> dict[str, Any]:
        """The given settings, by their dotted names in `Config`. Raises `UsageError` for an invalid value."""
        from nova_core.config.git import ISOLATION, UNCOMMITTED

        if self.budget is not None and not math.isfinite(self.budget):
            raise UsageError("--budget must be an amount of US dollars", hint="omit it for no limit")
        agents = tuple(name for part in (self.agent or "").split(",") if (name := part.strip()))
        given = {
            "jobs": self.jobs, "command": self.command, "agent": agents or None,
            "retries": self.retries, "budget": self.budget, "timeout": seconds("--timeout", self.timeout),
            "idle_timeout": seconds("--idle-timeout", self.idle_timeout), "fail_fast": self.fail_fast or None,
            "tick": self.tick or None, "allow_unpriced": self.allow_unpriced or None,
            "isolation": choice("--isolation", self.isolation, ISOLATION),
            "git.uncommitted": choice("--uncommitted", self.uncommitted, UNCOMMITTED),
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}

    def selection(self) -> Selection:
        """The selected tasks. Raises `UsageError` for an option that selects none."""
        return Selection(
            only=split("--only", self.only),
            until=split("--until", self.until),
            branches=tuple(self.branch or ()),
            groups=tuple(self.group or ()),
            phases=tuple(self.phase or ()),
        )


def choice(flag: str, text: str | None, words: tuple[str, ...]) -> str | None:
    """The value of an option that takes one of these words."""
    if text is not None and text not in words:
        from nova_core.text import clean

        raise UsageError(f"{flag}: must be one of {', '.join(words)}, not `{clean(text)[:60]}`")
    return text


def seconds(flag: str, text: str | None) -> float | None:
    """The duration of an option, in seconds."""
    if text is None:
        return None
    from nova_core.text import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        message, _, hint = str(error).partition(": ")
        raise UsageError(f"{flag}: {message}", hint=hint) from None


def split(flag: str, values: Words) -> tuple[str, ...]:
    """`--only F1,F2 --only F3` as three ids. Raises `UsageError` if there is no id: that must not mean every task."""
    words = tuple(word for value in values or () for part in value.split(",") if (word := part.strip()))
    if values and not words:
        raise UsageError(f"{flag} names no task", hint="omit it for all tasks")
    return words
