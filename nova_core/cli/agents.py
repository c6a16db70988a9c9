"""`nova prompt`, `nova context` and `nova parse-log`: what an agent is given, and its log as a run reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from nova_core.agents import FORMATS
from nova_core.agents.log import AgentLog
from nova_core.agents.outcome import Outcome
from nova_core.cli import complete
from nova_core.cli.folder import from_user
from nova_core.cli.options import DEFAULT_PLAN, AsJson, Directory, TaskId
from nova_core.cli.output import note, out, out_json
from nova_core.config import load_config
from nova_core.errors import InputNotFoundError, Problem, UsageError
from nova_core.files.project import Project
from nova_core.launch.ladder import work_of
from nova_core.model import is_safe_id
from nova_core.text import clean, first_of, tokens

if TYPE_CHECKING:
    from nova_core.launch.launcher import Launcher
    from nova_core.launch.prompt import Briefing
    from nova_core.model import Task
    from nova_core.state.schema import TaskState

_PIECE = 1 << 20
_MOST_FILES = 20

LogFile = Annotated[Path, typer.Argument(metavar="FILE", callback=from_user, help="The log; `-` reads standard input.")]
LogFormat = Annotated[
    str,
    typer.Option("--agent", "-a", autocompletion=complete.log_formats, help=f"Its format: {', '.join(FORMATS)}."),
]
EarlierLogs = Annotated[
    list[Path] | None,
    typer.Option(
        "--after", callback=from_user, help="The log of an earlier run of the same session; its tokens are subtracted."
    ),
]


def prompt(
    task: TaskId,
    plan: Annotated[
        Path | None, typer.Option("--plan", callback=from_user, help="The plan; by default the one that was run here.")
    ] = None,
    attempt: Annotated[int | None, typer.Option("--attempt", help="Print the prompt of this attempt instead.")] = None,
    directory: Directory = None,
) -> int:
    """Print the prompt an agent would get for a task now.

    \b
    Examples:  nova prompt F1
               nova prompt F1 --attempt 1
    """
    text = prompt_now(place(plan), task, plan) if attempt is None else kept_prompt(place(plan), task, attempt)
    out(clean(text.rstrip("\n"), newlines=True))
    return 0


def place(plan: Path | None) -> Project:
    """The project, at the place of the plan; of the one that was run here, if none is given."""
    from nova_core.cli.choosing import chosen, place_for

    return chosen(None) if plan is None else place_for(str(plan))


def context(
    task: TaskId,
    plan: Annotated[
        Path | None, typer.Option("--plan", callback=from_user, help="The plan; by default the one that was run here.")
    ] = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    """Show what a task's agent gets from its dependencies and its past.

    These are the parts of its next prompt that come from the run: what the dependencies did, why earlier attempts
    failed, and what a person wrote (nova retry --note, nova reject --reason).

    \b
    Examples:  nova context F1
               nova context F1 --json | jq .past
    """
    from nova_core.launch.prompt import dependencies

    given = task_now(place(plan), task, plan)
    parts = [part for part in (dependencies(given.briefing.done), given.briefing.feedback) if part]
    if as_json:
        from nova_core.exports.answers import ContextAnswer

        state = given.state
        out_json(ContextAnswer(task, given.briefing.done, state.past, state.note or "", "\n\n".join(parts)))
    elif parts:
        out(clean("\n\n".join(parts), newlines=True))
    else:
        note(f"{clean(task)}: its agent gets only the task: it has no dependencies, and no attempt has failed")
    return 0


class TaskNow(NamedTuple):
    """A task as its next attempt does it, with what its agent gets besides it."""

    task: Task
    state: TaskState
    launcher: Launcher
    briefing: Briefing


def task_now(project: Project, task_id: str, plan: Path | None = None) -> TaskNow:
    """The task as a run would start it now. Raises `UsageError` for an unknown task, `InputError` for a bad plan."""
    from nova_core.cli.names import unknown_task
    from nova_core.engine.attempts.own_trees import PROJECT
    from nova_core.importers import read_plan
    from nova_core.launch.context import briefing
    from nova_core.launch.launcher import Launcher
    from nova_core.state.manager import StateManager
    from nova_core.state.schema import NEW

    try:
        state = StateManager(project.state_file).load()
        tasks, known, git = state.tasks, state.project.cascade_file, state.run.git
    except FileNotFoundError:
        tasks, known, git = {}, "", None
    cascade = read_plan(plan or project.root / (known or DEFAULT_PLAN), root=project.root)
    if task_id not in cascade.tasks:
        raise unknown_task(task_id, cascade.tasks, cascade)
    config = load_config(None, environ=os.environ, root=project.root)
    launcher = Launcher(project, config, cascade.name, "", b"", cascade.tasks)
    own = tasks.get(task_id, NEW)
    task = work_of(cascade.tasks[task_id], own, config)
    given = briefing(
        project, task, lambda i: tasks.get(i, NEW), lambda i: cascade.tasks[i].name, cascade.tasks,
        learns=config.retry.feedback, afresh=git is not None and task.tree != PROJECT,
    )  # fmt: skip
    return TaskNow(task, own, launcher, given)


def prompt_now(project: Project, task_id: str, plan: Path | None = None) -> str:
    """The prompt the agent would get now, if it begins a new session. Raises the errors of `task_now`."""
    now = task_now(project, task_id, plan)
    return now.launcher.prompt(now.task, now.briefing, next(iter(now.launcher.agents_of(now.task)), None))


def kept_prompt(project: Project, task_id: str, attempt: int) -> str:
    """The prompt of an attempt. Raises `UsageError` if there is none: it ran a command, or never started."""
    try:
        if not is_safe_id(task_id) or attempt < 1:
            raise FileNotFoundError
        return project.prompt_file(task_id, attempt).read_text("utf-8", "replace")
    except FileNotFoundError:
        text = f"there is no prompt of attempt {attempt} of {task_id}"
        raise UsageError(text, hint=f"see its attempts with `nova logs {task_id}`") from None


def parse_log(
    file: LogFile,
    agent: LogFormat,
    exit_code: Annotated[
        int | None, typer.Option("--exit-code", "-e", help="The agent's exit code; -N for signal N.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The model, for prices, if the log does not name it.")
    ] = None,
    after: EarlierLogs = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    directory: Directory = None,
) -> int:
    """Show how an agent's work ended and its cost, from its log.

    A run reads its workers' logs in the same way: verdict and reason, tokens in four classes, exact or estimated,
    cost, files.

    \b
    Examples:  nova parse-log --agent claude logs/F1.log
               nova parse-log --agent codex logs/F1.log --exit-code 1 --json
    """
    if agent not in FORMATS:
        raise UsageError(f"unknown agent {clean(agent[:60])!r}", hint="choose one of " + ", ".join(FORMATS))
    from nova_core.agents.pricing import default_prices

    prices = {**default_prices(), **load_config(None, environ=os.environ).prices}
    outcome = read_session(agent, [*(after or ()), file]).outcome(exit_code, prices, model)
    out_json(outcome) if as_json else show(outcome)
    return 0


def read_session(agent: str, paths: Iterable[Path]) -> AgentLog:
    """The last of these logs; each continues the session of the previous ones. Raises the errors of `read_log`."""
    before = None
    for path in paths:
        log = FORMATS[agent](before)
        read_log(log, path)
        before = log.usage if before is None else before + log.usage
    return log


def read_log(log: AgentLog, path: Path) -> None:
    """Feed the whole file. Raises `InputNotFoundError`, or `UsageError` for a folder or an unreadable file."""
    try:
        with open("/dev/stdin" if str(path) == "-" else path, "rb") as file:
            while piece := file.read(_PIECE):
                log.feed(piece)
    except FileNotFoundError:
        problem = Problem(clean(str(path)), 0, "there is no such log", "look in logs/<task>.log")
        raise InputNotFoundError([problem]) from None
    except OSError as error:
        raise UsageError(f"cannot read {clean(str(path))}: {error.strerror}") from None
    log.finish()


def show(outcome: Outcome) -> None:
    """Print the outcome as text for people."""
    usage = outcome.token_usage
    about = " (estimated)" if outcome.estimated else ""
    read, made = tokens(usage.cache_read_tokens), tokens(usage.cache_creation_tokens)
    cost = "unpriced" if outcome.cost_usd is None else f"${outcome.cost_usd:.6f} ({outcome.cost_basis})"
    pairs = (
        ("verdict", outcome.verdict.value),
        ("reason", outcome.reason),
        (
            "tokens",
            f"{tokens(usage.input_tokens)} input, {tokens(usage.output_tokens)} output, "
            f"{read} cache read, {made} cache creation{about}",
        ),
        ("cost", cost),
        ("model", outcome.model),
        ("session", outcome.session_id),
        ("files", first_of(outcome.files_changed, _MOST_FILES)),
        ("steps", str(len(outcome.steps))),
        ("said", outcome.final_text),
    )
    for name, value in pairs:
        if value:
            out(f"{name + ':':10}{clean(value)}")
