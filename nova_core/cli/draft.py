"""`nova draft`: lets an agent write a plan, checks it, and leaves the rest to a person."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli import complete
from nova_core.cli.folder import from_user, to_user
from nova_core.cli.options import DEFAULT_PLAN, Directory, here
from nova_core.cli.output import for_runner, note, out
from nova_core.errors import InputError, UsageError
from nova_core.text import clean, first_of

if TYPE_CHECKING:
    from nova_core.config import Config
    from nova_core.files.project import Project
    from nova_core.parser import Cascade

FOLDER = ".nova/draft"
DRAFT = f"{FOLDER}/CASCADE.md"
_ROUNDS = 3
_LONGEST = 50_000  # characters


def draft(
    wish: Annotated[str, typer.Argument(metavar="TEXT", help="What you want.")] = "",
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="PLAN", callback=from_user, help="Where the plan is to be written.")
    ] = DEFAULT_PLAN,
    split: Annotated[str, typer.Option(metavar="ID", help="Split this task of PLAN into smaller ones.")] = "",
    agent: Annotated[
        str, typer.Option(metavar="NAME", autocompletion=complete.agents, help="The agent that writes it.")
    ] = "",
    budget: Annotated[float | None, typer.Option(min=0, metavar="USD", help="Most that it may cost.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace PLAN if it exists.")] = False,
    verify: Annotated[bool, typer.Option("--verify", hidden=True)] = False,  # for the agent, and Nova after it
    directory: Directory = None,
) -> int:
    """Let an agent write a plan for what you want.

    The agent gets up to three rounds: Nova checks the plan, and sends the problems back. Then its graph is shown, and
    the plan is written to PLAN if you say so; without a terminal, the command that does so is printed. No task of it
    runs.

    \b
    Examples:  nova draft "a search page with filters, and tests"
               nova draft --split F4
    """
    if verify:
        return _verify(output, split)
    if not wish and not split:
        raise UsageError("nothing to plan", hint='say what you want: nova draft "a search page with filters"')
    if split:
        _require_task(output, split)
    elif os.path.lexists(output) and not force:
        raise UsageError(f"{clean(output)} already exists", hint="replace it with --force, or name another with -o")
    _require_plain(wish, output)
    project = _project()
    config = _settings(agent, budget)
    code = _run(project, config, wish, output, split)
    if code:
        note(f"no plan was written; the last draft, if there is one, is {DRAFT}")
        return code
    return _offer(project, output, split)


def _project() -> Project:
    """The project, at the place of drafts."""
    from nova_core.files.project import Project
    from nova_core.places import DRAFTS

    return Project(here().root, key=DRAFTS)


def _require_task(plan: str, split: str) -> None:
    """Raise `UsageError` unless the plan is a table with this task, and the task is open."""
    from nova_core.importers import read_plan

    cascade = read_plan(plan)
    task = cascade.tasks.get(split)
    if cascade.format != "cascade":
        hint = f"write it as a table first: nova import {shlex.quote(plan)} -o CASCADE.md"
        raise UsageError(f"{clean(plan)}: only plans that are tables can be split", hint=hint)
    if task is None or task.gate:
        raise UsageError(f"{clean(plan)} has no task {clean(split)[:80]}", hint="nova list shows the tasks")
    if task.settled:
        raise UsageError(f"{clean(split)} is done", hint="split a task that is still to do")


def _require_plain(wish: str, output: str) -> None:
    if len(wish) > _LONGEST or "\0" in wish:
        raise UsageError(
            f"the text is longer than {_LONGEST:,} characters", hint="put it into a file, and name the file"
        )
    if "`" in output or clean(output) != output:
        raise UsageError(f"{clean(output)}: this name cannot be in a plan", hint="name another file with -o")


def _settings(agent: str, budget: float | None) -> Config:
    """The settings of the run: one agent, at most three rounds, without what nova.yaml has for other plans."""
    import msgspec

    from nova_core.cli.run import configured
    from nova_core.config import LimitsConfig
    from nova_core.config.hooks import HooksConfig

    agents = tuple(name for part in agent.split(",") if (name := part.strip()))
    config = configured({name: value for name, value in {"agent": agents, "budget": budget}.items() if value})
    if not config.agent:
        raise UsageError("no agent to write the plan", hint="name one with --agent claude, or set agent: in nova.yaml")
    return msgspec.structs.replace(
        config, command=None, jobs=1, retries=_ROUNDS - 1, limits=LimitsConfig(), hooks=HooksConfig(), phases={},
        milestones=f"{FOLDER}/milestones.yaml", tick=False, isolation="off",
    )  # fmt: skip


def _run(project: Project, config: Config, wish: str, output: str, split: str) -> int:
    """Let the engine run the plan of one task, as any other plan; returns its exit code."""
    from nova_core.cli.request import RunRequest
    from nova_core.cli.run import carry_out
    from nova_core.files.disk import Disk
    from nova_core.plan.drafting import draft_plan

    project.make_dirs()
    folder = project.root / FOLDER
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-P", "-m", "nova_core", "draft", "--verify", "-o", output]
    check = shlex.join([*words, *(["--split", split] if split else [])])
    text = draft_plan(wish, DRAFT, check, plan=output, split=split)
    disk = Disk()
    (project.root / DRAFT).unlink(missing_ok=True)
    disk.replace(folder / "milestones.yaml", b"milestones: []\n")
    disk.replace(folder / "draft.md", text.encode())
    request = RunRequest(f"{FOLDER}/draft.md", project, config, fresh=True, attended=False)
    return carry_out(request, ui=False)


def _verify(output: str, split: str) -> int:
    """Check the draft; raises `InputError` with all of its problems."""
    _checked(output, split)
    note(f"{DRAFT} is a good plan")
    return 0


def _checked(output: str, split: str) -> Cascade:
    from nova_core.errors import Problem
    from nova_core.importers import read_plan
    from nova_core.parser import parse_cascade
    from nova_core.plan.drafting import problems_of

    cascade = parse_cascade(DRAFT)
    before = read_plan(output) if split else None
    found = [Problem(DRAFT, 0, text) for text in problems_of(cascade, before, split)]
    if found:
        raise InputError(found)
    return cascade


def _changed(project: Project) -> list[str]:
    """The files that the agent has changed besides the draft."""
    from nova_core.plan.drafting import DRAFT_TASK
    from nova_core.state.manager import StateManager

    state = StateManager(project.state_file).load().tasks[DRAFT_TASK]
    return [path for path in state.files_changed if not path.startswith(FOLDER)]


def _offer(project: Project, output: str, split: str) -> int:
    """Show the plan, and write it if a person says so."""
    from nova_core.cli.interface import is_attended
    from nova_core.cli.plans import summary_lines
    from nova_core.exports.plan_graph import render
    from nova_core.files.disk import Disk
    from nova_core.plan.check import summarize

    cascade = _checked(output, split)
    out("\n".join(summary_lines(cascade, summarize(cascade))))
    out(for_runner(render(cascade, "ascii", None).rstrip("\n")))
    if others := _changed(project):
        note(f"the agent has also changed {clean(first_of(others, 5))}")
    shown = clean(to_user(output))
    if not is_attended():
        note(f"next: read {DRAFT}, then: cp {DRAFT} {shlex.quote(output)}; nova run {shlex.quote(output)}")
        return 0
    if not typer.confirm(f"Write this plan to {shown}? ({DRAFT} has its text)", default=False):
        note(f"not written; the draft is {DRAFT}")
        return 0
    Disk().replace(Path(output), Path(DRAFT).read_bytes(), mode=0o644)
    note(f"written to {shown}; next: nova run {shlex.quote(to_user(output))}")
    return 0
