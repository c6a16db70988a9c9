"""Commands that import plans of other tools and export plans."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nova_core.cli import complete
from nova_core.cli.folder import from_user, to_user
from nova_core.cli.options import AsJson, Directory, Plan
from nova_core.cli.output import note, out, out_json, out_lines
from nova_core.errors import EnvironmentProblem, UsageError
from nova_core.model import NoteKind
from nova_core.text import clean, number_of

if TYPE_CHECKING:
    from pathlib import Path

    from nova_core.model import PlanOptions
    from nova_core.parser import Cascade

MOST_NOTES = 200  # the JSON contains all
PlanFormat = Annotated[
    str,
    typer.Option(
        "-f", "--format", metavar="NAME", autocompletion=complete.plan_formats,
        help="Its format, if the file does not show it: agent-os, backlog, beads, bmad, checklist (PLAN.md, TODO.md), "
        "conductor, feature-list, gsd (.planning), kiro, openspec, prd (user stories), protocol (task files), ralph, "
        "spec-kit, superpowers, table or taskmaster.",
    ),
]  # fmt: skip


class ExportFormat(StrEnum):
    """The formats `nova export` writes."""

    CASCADE = "cascade"
    JSON = "json"


def import_(
    file: Annotated[
        str, typer.Argument(metavar="FILE", callback=from_user, help="The plan of another tool: a file, or its folder.")
    ],
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="PLAN", callback=from_user, help="Write it to this file.")
    ] = None,
    form: PlanFormat = "",
    tag: Annotated[str, typer.Option(metavar="NAME", help="Which list of tasks (Taskmaster).")] = "",
    optional: Annotated[bool, typer.Option("--optional", help="Also run optional tasks.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace PLAN if it exists.")] = False,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    """Show how Nova understands a plan of another tool.

    With -o, write it as a CASCADE.md; without -o, nothing is written. `nova run FILE` runs such a plan as it is.

    \b
    Examples:  nova import .kiro/specs/search/tasks.md
               nova import .taskmaster --tag next -o CASCADE.md
    """
    from nova_core.importers import read_plan

    cascade = read_plan(file, _options(form, tag, optional=optional))
    if as_json:
        out_json(report(cascade), indent=True)
    else:
        out_lines(report_lines(cascade))
    if output:
        from pathlib import Path

        write_plan(cascade, Path(output), force=force)
        note(f"written to {clean(to_user(output))}")
    elif not as_json:
        note(next_step(to_user(file)))
    return 0


def _options(form: str, tag: str, *, optional: bool) -> PlanOptions:
    """The options of the settings, as for every other command, with those given here."""
    from nova_core.config import load_config
    from nova_core.model import PlanOptions

    known = load_config(None, environ=os.environ).plan
    return PlanOptions(form or known.format, tag or known.tag, optional or known.optional, known.lenient)


def next_step(file: str) -> str:
    """What to type to use a plan of another tool."""
    name = clean(shlex.quote(file))
    return f"next: run it with nova run {name}, or write a plan to edit with nova import {name} -o CASCADE.md"


def export(
    plan: Plan,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", callback=from_user, help="Write to this file.")
    ] = None,
    form: Annotated[ExportFormat, typer.Option("-f", "--format", help="The format.")] = ExportFormat.CASCADE,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    directory: Directory = None,
) -> int:
    """Write the plan as a CASCADE.md or as JSON.

    Done tasks are marked as done.

    \b
    Examples:  nova export tasks -o CASCADE.md
               nova export -f json | jq '.tasks[].id'
    """
    from pathlib import Path

    from nova_core.importers import read_plan
    from nova_core.importers.write import to_markdown

    cascade = with_progress(read_plan(plan), plan)
    if output and form is ExportFormat.CASCADE:
        write_plan(cascade, Path(output), force=force)
        note(counts_line(cascade))
    elif form is ExportFormat.JSON:
        data = plan_data(cascade)
        if output:
            import msgspec

            replace(Path(output), msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n", force=force)
        else:
            out_json(data, indent=True)
    else:
        text = to_markdown(cascade).removesuffix("\n")
        out(clean(text, newlines=True) if sys.stdout.isatty() else text)
    return 0


def report(cascade: Cascade) -> dict[str, Any]:
    """The plan's counts and notes, as data."""
    tasks = [task for task in cascade.tasks.values() if not task.gate]
    kinds = Counter(n.kind for n in cascade.notes)
    return {
        "name": cascade.name, "format": cascade.format, "tasks": len(tasks), "gates": len(cascade.tasks) - len(tasks),
        "edges": sum(len(task.depends_on) for task in cascade.tasks.values()),
        "done": sum(bool(task.settled) and not task.dropped for task in tasks),
        "dropped_tasks": sum(task.dropped for task in tasks),
        "cannot_start": [task.id for task in tasks if task.missing and not task.settled],
        "notes": {kind.value: kinds[kind] for kind in NoteKind},
        "details": [{"kind": n.kind, "path": n.path, "line": n.line, "text": n.text} for n in cascade.notes],
    }  # fmt: skip


def report_lines(cascade: Cascade) -> list[str]:
    """The same as text for people: each note with its file and line."""
    notes = [clean(str(found)) for found in cascade.notes[:MOST_NOTES]]
    more = len(cascade.notes) - MOST_NOTES
    return [counts_line(cascade), *notes, *([f"and {more:,} more (--json has all)"] if more > 0 else [])]


def counts_line(cascade: Cascade) -> str:
    """The counts in one line."""
    found = report(cascade)
    parts = [number_of(found["tasks"], "task"), number_of(found["edges"], "edge")]
    names = (("gates", "gates"), ("done", "already done"), ("dropped_tasks", "will not be done"))
    parts += [f"{found[key]:,} {word}" for key, word in names if found[key]]
    parts += [f"{number} {kind}" for kind, number in found["notes"].items() if number]
    if found["cannot_start"]:
        parts.append(f"{len(found['cannot_start'])} cannot start")
    return f"{clean(cascade.name)} ({cascade.format}): {', '.join(parts)}"


def with_progress(cascade: Cascade, plan: str) -> Cascade:
    """The plan, with the tasks that it has completed in this project marked as done."""
    import msgspec

    from nova_core.cli.choosing import place_for
    from nova_core.state.manager import StateManager
    from nova_core.state.schema import TaskStatus

    try:
        states = StateManager(place_for(plan).state_file).load().tasks
    except FileNotFoundError:
        return cascade
    tasks = dict(cascade.tasks)
    for task in cascade.tasks.values():
        state = states.get(task.id)
        if state is not None and state.status is TaskStatus.COMPLETED and not task.settled and not task.gate:
            word = "skipped" if state.skipped else "done"
            tasks[task.id] = msgspec.structs.replace(task, settled=word, dropped=state.skipped)
    return msgspec.structs.replace(cascade, tasks=tasks)


def plan_data(cascade: Cascade) -> dict[str, Any]:
    """The plan as data; empty fields are omitted."""
    import msgspec

    fields = [msgspec.to_builtins(task) for task in cascade.tasks.values()]
    tasks = [{name: value for name, value in task.items() if value not in (None, "", [], False, 0)} for task in fields]
    return {"name": cascade.name, "format": cascade.format, "tasks": tasks}


def write_plan(cascade: Cascade, path: Path, *, force: bool) -> None:
    """Write a plan for people to edit."""
    from nova_core.importers.write import to_markdown

    replace(path, to_markdown(cascade).encode(), force=force)


def replace(path: Path, data: bytes, *, force: bool) -> None:
    """Write a new file; replace an existing one only with `force`."""
    from nova_core.files.disk import Disk

    if os.path.lexists(path) and not force:
        raise UsageError(f"{clean(str(path))} already exists", hint="replace it with --force")
    try:
        Disk().replace(path, data, mode=0o644)
    except OSError as error:
        raise EnvironmentProblem(f"{clean(str(path))}: cannot write it: {error.strerror}", hint="") from None
