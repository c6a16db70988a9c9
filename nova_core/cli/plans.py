"""Commands about the plan itself: check, plan and graph."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from nova_core.cli.choosing import place_for
from nova_core.cli.failures import show_problems
from nova_core.cli.options import AsJson, Directory, Plan, here
from nova_core.cli.output import for_runner, json_text, note, out, out_json, out_lines
from nova_core.text import clean

if TYPE_CHECKING:
    from nova_core.config import Config
    from nova_core.errors import Problem
    from nova_core.parser import Cascade
    from nova_core.plan.check import PlanSummary
    from nova_core.state.schema import TaskState

MAX_PATH_SHOWN = 12
T = TypeVar("T")


class GraphFormat(StrEnum):
    """What `nova graph` can draw."""

    ASCII = "ascii"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


def check(plan: Plan, as_json: AsJson = False, directory: Directory = None) -> int:
    """Check the plan and summarize it.

    Every problem of the plan, nova.yaml and milestones.yaml is shown with its line; exit code 3 if there is one.

    \b
    Examples:  nova check
               nova check docs/plan.md --json
    """
    from nova_core.cli.learned import learned_files
    from nova_core.config import Config, load_config
    from nova_core.engine.observers.milestones import read_milestones
    from nova_core.errors import InputError
    from nova_core.files.variants import unread
    from nova_core.importers import read_plan
    from nova_core.plan.check import find_warnings, summarize
    from nova_core.plan.phases import with_settings

    problems: list[Problem] = []
    settings = read_or_tell(lambda: load_config(None, environ=os.environ), problems)
    config = settings or Config()
    cascade = read_or_tell(lambda: read_plan(plan, config.plan), problems)
    if cascade is not None:
        applied = read_or_tell(lambda: with_settings(cascade, config), problems)
        if applied is not None:
            read_or_tell(lambda: read_milestones(here(), config, applied), problems)
        problems += find_warnings(applied or cascade, learned_files(here()))
        problems += tasks_nobody_does(cascade, settings) if settings else ()
    valid = all(problem.warning for problem in problems)
    if as_json:
        found = {"name": cascade.name, "summary": summarize(cascade)} if cascade else {}
        out_json({"valid": valid, **found, "problems": problems}, indent=True)
        return 0 if valid else InputError.exit_code
    show_problems(tuple(problems))
    if cascade is not None:
        for line in (*unread("."), *(settings_cautions(cascade, settings) if settings else ())):
            note(f"note: {clean(line)}")
        out_lines(summary_lines(cascade, summarize(cascade)))
    return 0 if valid else InputError.exit_code


def read_or_tell(read: Callable[[], T], problems: list[Problem]) -> T | None:
    """The result of `read`; None if it is not valid, with the reasons added to `problems`."""
    from nova_core.errors import InputError

    try:
        return read()
    except InputError as error:
        problems += error.problems
        return None


def tasks_nobody_does(cascade: Cascade, config: Config) -> list[Problem]:
    """A warning for the first task for which a run would find neither a command nor an agent."""
    from nova_core.launch.launcher import Launcher

    launcher = Launcher(here(), config, cascade.name, "", b"", cascade.tasks)
    found = launcher.nothing_to_run((task for task in cascade.tasks.values() if not task.settled), cascade.path)
    return [found] if found else []


def settings_cautions(cascade: Cascade, config: Config) -> list[str]:
    """Warnings about agents and phases under these settings."""
    from nova_core.agents.pricing import default_prices
    from nova_core.launch.warnings import cautions
    from nova_core.plan.phases import unknown_phases

    prices = {**default_prices(), **config.prices}
    return [*unknown_phases(cascade, config), *cautions(config, cascade.tasks.values(), prices)]


def summary_lines(cascade: Cascade, found: PlanSummary) -> list[str]:
    """A summary of the plan for people."""
    from nova_core.text import duration, number_of

    path = " -> ".join(found.critical_path[:MAX_PATH_SHOWN])
    more = f" -> ... ({len(found.critical_path)} tasks)" if len(found.critical_path) > MAX_PATH_SHOWN else ""
    long = f", {duration(found.critical_seconds)}" if found.critical_seconds is not None else ""
    having = (
        (found.with_command, "a command"),
        (found.with_outputs, "outputs"),
        (found.with_criteria, "criteria"),
        (found.with_approval, "approval"),
    )
    parts = ", ".join(f"{number:,} with {word}" for number, word in having if number)
    return [
        f"{clean(cascade.name)}: {number_of(found.tasks, 'task')}, {number_of(found.groups, 'group')}, "
        f"{number_of(found.branches, 'branch', 'branches')}",
        f"dependencies: {found.edges:,}; {number_of(found.roots, 'task')} can start now",
        f"shape: {found.depth:,} deep, at most {found.widest:,} wide",
        f"longest path{long}: {clean(path)}{more}",
        *([f"tasks: {parts}"] if parts else []),
    ]


def plan(
    plan: Plan,
    explain: Annotated[bool, typer.Option("--explain", help="Every task, with the reason.")] = False,
    rerun_changed: Annotated[bool, typer.Option("--rerun-changed", help="Assume that stale tasks run again.")] = False,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    """Show what changed in the plan and what the next run does.

    The plan is compared with its last run; nothing starts.

    \b
    Examples:  nova plan
               nova plan --explain
               nova plan --json | jq -r '.tasks[] | select(.action == "run") | .id'
    """
    from nova_core.cli.preview import preview, preview_json, saved_state
    from nova_core.cli.request import RunRequest
    from nova_core.cli.run import configured
    from nova_core.importers import read_plan
    from nova_core.plan.phases import with_settings

    request = RunRequest(plan, place_for(plan), configured({}), rerun_changed=rerun_changed)
    if as_json:
        return preview_json(request)
    now = with_settings(read_plan(plan, request.config.plan), request.config)
    for line in changed_lines(now, saved_state(request.project).tasks):
        note(line)
    return preview(request, reasons=explain)


def changed_lines(cascade: Cascade, tasks: Mapping[str, TaskState]) -> list[str]:
    """Tasks added, removed and edited since the state was written, and the finished ones that will not run again."""
    from nova_core.plan.changes import compare, fingerprint
    from nova_core.state.schema import TaskStatus

    changes = compare(cascade.tasks, tasks, {i: fingerprint(task) for i, task in cascade.tasks.items()})
    done = [i for i in changes.edited if tasks[i].status is TaskStatus.COMPLETED]
    lines = [f"the plan changed: {clean(str(changes))}"] if changes else []
    return lines + ([f"stay finished without --rerun-changed: {clean(', '.join(done))}"] if done else [])


def graph(
    plan: Plan,
    form: Annotated[GraphFormat, typer.Option("-f", "--format", help="The format.")] = GraphFormat.ASCII,
    directory: Directory = None,
) -> int:
    """Draw the dependencies.

    Each task is shown with its status if the plan was run here.

    \b
    Examples:  nova graph
               nova graph -f mermaid > plan.mmd
               nova graph -f dot | dot -Tsvg > plan.svg
    """
    from nova_core.exports.plan_graph import render
    from nova_core.importers import read_plan
    from nova_core.state.manager import StateManager

    cascade = read_plan(plan)
    try:
        tasks = StateManager(place_for(plan).state_file).load().tasks
        statuses = {task_id: task.status.value for task_id, task in tasks.items() if task_id in cascade.tasks}
    except FileNotFoundError:
        statuses = None
    drawn = render(cascade, form.value, statuses).rstrip("\n")
    out(json_text(drawn.encode()).decode() if form is GraphFormat.JSON else for_runner(drawn))
    return 0
