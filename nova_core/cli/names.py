"""What a name means that was given in the wrong place: a task instead of a plan, a file instead of a task."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING

from nova_core.errors import InputNotFoundError, NovaError, Problem, UsageError
from nova_core.text import clean

if TYPE_CHECKING:
    from nova_core.parser import Cascade

_MOST = 5_000  # names to compare with
_SHOWN = 8


def check_plan(name: str, path: str, usual: str, command: str) -> None:
    """Raise an error for a missing plan whose `name` is a task's, a group's or a branch's, or nearly a file's.

    `usual` is the plan that the command would use without a name, `command` what was typed before it.
    """
    if (plan := plan_quietly(usual)) is not None:
        kind = kind_of(name, plan)
        if kind:
            said = f"{clean(name)[:80]} is a {kind} of {clean(usual)}, not a plan"
            raise UsageError(said, hint=instead(name, kind, command))
    if near := near_files(path):
        hint = f"did you mean {', '.join(map(clean, near))}?"
        raise InputNotFoundError([Problem(clean(path), 0, "there is no such plan", hint)])
    if plan is not None and "/" not in name and "." not in name and (ids := near_names(name, plan.tasks)):
        hint = f"did you mean a task? {instead(ids[0], 'task', command)}"
        raise InputNotFoundError([Problem(clean(path), 0, "there is no such plan", hint)])
    if plan is not None:
        hint = f"give the path of a plan; this project has {clean(usual)}"
        raise InputNotFoundError([Problem(clean(path), 0, "there is no such plan", hint)])


def command_hint(name: str) -> str:
    """What to type instead of an unknown command that is the name of a task or of a file; empty for other words."""
    from nova_core.cli.options import usual_plan

    if os.path.isfile(name):
        return f"run a plan with nova run {clean(name)}"
    plan = plan_quietly(usual_plan())
    kind = kind_of(name, plan) if plan else ""
    return instead(name, kind, "nova") if kind else ""


def instead(name: str, kind: str, command: str) -> str:
    """What to type for a task, a group or a branch after a command that takes a plan."""
    import shlex

    word = clean(shlex.quote(name))
    program, _, verb = command.partition(" ")
    if verb not in ("run", "plan", "") and kind == "task":
        return f"show it with nova why {word}; run it with nova run --only {word}"
    run = f"{program} --only" if program == "nova-tui" else "nova run --only"
    if kind == "task":
        return f"run it with {run} {word}, or with what it needs: {run.removesuffix('only')}until {word}"
    return f"run its tasks with {run.removesuffix('only')}{kind} {word}"


def kind_of(name: str, plan: Cascade) -> str:
    """`task`, `group` or `branch`; empty for a name that the plan does not have."""
    if name in plan.tasks:
        return "task"
    if any(task.group == name for task in plan.tasks.values()):
        return "group"
    return "branch" if name in plan.branches else ""


def plan_quietly(path: str) -> Cascade | None:
    """The plan, with the settings of the project; None if it cannot be read."""
    from nova_core.config import load_config
    from nova_core.importers import read_plan
    from nova_core.plan.phases import with_settings

    try:
        config = load_config(None, environ=os.environ)
        return with_settings(read_plan(path, config.plan), config)
    except (NovaError, OSError):
        return None


def near_files(path: str) -> list[str]:
    """Files in the same folder with nearly this name."""
    folder, name = os.path.split(path)
    try:
        files = [entry.name for entry in os.scandir(folder or ".") if entry.is_file()][:_MOST]
    except OSError:
        return []
    return [os.path.join(folder, found) for found in near_names(name, files)]


def near_names(word: str, known: Collection[str]) -> list[str]:
    """The `known` names that were probably meant: those in another case, or else nearly equal ones."""
    from difflib import get_close_matches

    short = word[:80]
    same = [name for name in known if name.lower() == short.lower()]
    return same or get_close_matches(short, list(known)[:_MOST], n=3)


def unknown_task(name: str, known: Collection[str], plan: Cascade | None) -> UsageError:
    """The error for an id that is not one of the `known` tasks."""
    said, shown = f"there is no task {clean(name)[:80]}", clean(name)[:80]
    kind = kind_of(name, plan) if plan else ""
    if plan is not None and kind in ("group", "branch"):
        inside = [i for i, task in plan.tasks.items() if name in (task.group, task.branch) and not task.gate]
        more = " ..." if len(inside) > _SHOWN else ""
        return UsageError(said, hint=f"{shown} is a {kind}; its tasks: {clean(' '.join(inside[:_SHOWN]))}{more}")
    if kind == "task":
        return UsageError(f"{shown} is new in the plan and has no run yet", hint="start it with nova run")
    if os.path.isfile(name):
        hint = f"{shown} is a file; name one of its tasks: nova status --all lists them"
        return UsageError(said, hint=hint)
    close = near_names(name, known)
    if close:
        return UsageError(said, hint=f"did you mean {', '.join(map(clean, close))}?")
    return UsageError(said, hint="list the tasks with nova status --all")
