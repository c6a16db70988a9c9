"""`nova land` and `nova resolve`: what a run has merged, and could not merge."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli.choosing import PlanOf, chosen
from nova_core.cli.options import Directory, TaskId, check_ids, load_state, plan_of
from nova_core.cli.output import note, out, out_lines
from nova_core.errors import UsageError

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.state.git_run import GitRun
    from nova_core.watch.resolving import Resolving

NOT_LANDED = 4


def git_of(git: GitRun | None) -> GitRun:
    """What the run has in git. Raises `UsageError` for a run whose tasks work in the user's folder."""
    if git is None:
        raise UsageError(
            "the tasks of this run work in your folder: nothing was merged", hint="set `isolation: auto` in nova.yaml"
        )
    return git


def land(plan: PlanOf = None, directory: Directory = None) -> int:
    """Bring what is merged to your branch and folder.

    Your own changes stay as they are: if one is in the way, nothing is touched, and the reason is printed (exit code
    4). Nothing is stashed, reset or forced. While an engine is running, it lands by itself when the run ends.

    Example: nova land
    """
    from nova_core.files.lock import engine_alive
    from nova_core.text import clean

    project = chosen(plan)
    git_of(load_state(project).run.git)
    if engine_alive(project.lock_file) is not None:
        hint = "to land after each merge, set `git: {land: each}`"
        raise UsageError("the run is running: it lands when it ends", hint=hint)
    from nova_core.watch.landing import land_offline

    reply = land_offline(project)
    if not reply.ok:
        note(f"nova: {clean(reply.message)}")
        return NOT_LANDED
    out(clean(reply.message))
    return 0


def resolve(
    task: TaskId,
    done: Annotated[bool, typer.Option("--done", help="Check and merge what is in the tree now.")] = False,
    plan: PlanOf = None,
    directory: Directory = None,
) -> int:
    """Resolve a conflict by hand.

    Puts the task's work and what is merged into one tree, with git's marks where they conflict. Edit the files there,
    then say --done: if the outputs are there and the task's criteria and `git.check` hold, it is merged. What depends
    on it starts with the next nova run.

    \b
    Examples:  nova resolve F3
               nova resolve F3 --done
    """
    from nova_core.isolation.repository import Repository
    from nova_core.isolation.values import Candidate
    from nova_core.runs.merging import branch_of
    from nova_core.text import clean
    from nova_core.watch.resolving import record_resolved

    project = chosen(plan)
    git, resolving = resolving_of(project, task)
    repository = Repository(resolving.place)
    try:
        found = resolving.finish(repository) if done else resolving.begin(repository)
    finally:
        repository.close()
    if isinstance(found, Candidate):
        record_resolved(project, task, found)
        out(f"{clean(task)} is merged into {clean(branch_of(git))} as {found.commit[:10]}")
        note("hint: continue with nova run")
    else:
        out_lines(what_to_edit(task, resolving.folder, found.files))
    return 0


def resolving_of(project: Project, task: str) -> tuple[GitRun, Resolving]:
    """What the run has in git, and what resolves the task's conflict. Raises `UsageError` for a task without."""
    from nova_core.config import load_config
    from nova_core.places import copied_from
    from nova_core.watch.checking import ByHand
    from nova_core.watch.resolving import Resolving
    from nova_core.watch.task_diff import place_of, surveyed

    state = load_state(project)
    check_ids([task], state.tasks, state)
    if original := copied_from(project):
        raise UsageError(f"this folder is a copy of {original}, whose trees these are", hint="nova run, then again")
    git, config = git_of(state.run.git), load_config(None, environ=os.environ)
    cascade = plan_of(state)
    if cascade is None or task not in cascade.tasks:
        raise UsageError(f"{task} is not in the plan any more", hint="put it back, or merge its work with git")
    checks = ByHand(project, cascade, task, config)
    return git, Resolving(place_of(surveyed(project.root), git), git, task, state.tasks[task], config.git, checks)


def what_to_edit(task: str, folder: str, files: dict[str, str]) -> list[str]:
    """Where to edit which files, how, and what to type then."""
    from nova_core.runs.merging import first_lines
    from nova_core.text import clean

    hint = "a file without marks that stays as it is counts as not resolved, unless you `git add` it there"
    return [f"edit in {clean(folder)}:", *first_lines(files), hint, f"then: nova resolve {clean(task)} --done"]
