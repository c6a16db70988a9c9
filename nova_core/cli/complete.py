"""What Tab offers besides commands and options: tasks, groups, branches, runs, agents, themes and formats.

Nothing is printed while a line is completed: a plan or state that cannot be read offers nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from nova_core.parser import Cascade

Offer = tuple[str, str]
"""A value and what it means, which zsh and fish show."""

THEMES = ("nova-dark", "nova-light", "ansi")


def quietly(
    offers: Callable[[typer.Context], Iterable[Offer]],
) -> Callable[[typer.Context, str], list[Offer]]:
    """Offer what begins with the incomplete word, as the shell must insert it; nothing if that fails."""

    @wraps(offers)
    def complete(context: typer.Context, incomplete: str) -> list[Offer]:
        try:
            found = [(value, said) for value, said in offers(context) if value.startswith(incomplete)]
        except Exception:
            return []
        return [(for_shell(value), said.partition("\n")[0]) for value, said in found if "\n" not in value]

    del complete.__wrapped__  # typer asks for the parameters
    complete.__annotations__ = {"context": typer.Context, "incomplete": str}
    return complete


def for_shell(value: str) -> str:
    """The value as bash inserts it: what is special is escaped, except inside of quotes. Other shells do that alone."""
    line = os.environ.get("COMP_WORDS", "")
    if not line or line.count('"') % 2 or line.count("'") % 2:
        return value
    return "".join(c if c.isalnum() or c in "_-./,:@%+=" else f"\\{c}" for c in value)


def plan_here(context: typer.Context) -> Cascade | None:
    """The plan named on the line, or the usual one."""
    from nova_core.cli.names import plan_quietly
    from nova_core.cli.options import usual_plan

    return plan_quietly(context.params.get("plan") or usual_plan())


def tasks_here(context: typer.Context) -> Iterator[Offer]:
    """The tasks of the run with their states; without a run, those of the plan. Those already named are left out."""
    from nova_core.cli.choosing import chosen
    from nova_core.state.manager import StateManager

    named = context.params.get("ids") or ()
    try:
        tasks = StateManager(chosen(context.params.get("plan")).state_file).load().tasks
        found = {i: task.status.value.replace("_", " ") for i, task in tasks.items()}
    except FileNotFoundError:
        plan = plan_here(context)
        found = {i: task.name for i, task in plan.tasks.items()} if plan else {}
    return ((task_id, said) for task_id, said in found.items() if task_id not in named)


tasks = quietly(tasks_here)


def task_lists(context: typer.Context, incomplete: str) -> list[Offer]:
    """Tasks of the plan, also after a comma."""
    before, comma, last = incomplete.rpartition(",")

    @quietly
    def of_plan(context: typer.Context) -> Iterable[Offer]:
        plan = plan_here(context)
        named = before.split(",")
        return [(i, task.name) for i, task in plan.tasks.items() if i not in named] if plan else []

    return [(before + comma + value, said) for value, said in of_plan(context, last)]


@quietly
def groups(context: typer.Context) -> Iterable[Offer]:
    """The groups of the plan."""
    plan = plan_here(context)
    return dict.fromkeys((task.group, task.branch) for task in plan.tasks.values()) if plan else ()


@quietly
def branches(context: typer.Context) -> Iterable[Offer]:
    """The branches of the plan, which are its phases."""
    plan = plan_here(context)
    return [(name, "") for name in plan.branches] if plan else ()


@quietly
def runs(context: typer.Context) -> Iterable[Offer]:
    """The runs of the project."""
    from nova_core.cli.choosing import all_places
    from nova_core.runs.history import load_runs

    found = [run for place in all_places() for run in load_runs(place, complain=lambda text: None)]
    return [("last", "the newest run"), *((run.summary.id[:8], run.summary.name) for run in found)]


@quietly
def plans(context: typer.Context) -> Iterable[Offer]:
    """The plans that have run here."""
    from nova_core.cli.options import here
    from nova_core.places import places_in

    return [(place.plan, "") for _, place in places_in(here().root)]


@quietly
def agents(context: typer.Context) -> Iterable[Offer]:
    """The agents of nova.yaml, and those that Nova knows."""
    from nova_core.config import load_config
    from nova_core.launch.invocation import agents_known

    return [(name, "") for name in agents_known(load_config(None, environ=os.environ))]


@quietly
def isolations(context: typer.Context) -> Iterable[Offer]:
    """Whether tasks get trees of their own."""
    return [("auto", "if agents work in a git project"), ("tree", "always"), ("off", "never")]


@quietly
def uncommitted(context: typer.Context) -> Iterable[Offer]:
    """What happens to uncommitted files at the start."""
    return [("refuse", "do not start"), ("ignore", "start from HEAD"), ("include", "commit them for the run")]


@quietly
def themes(context: typer.Context) -> Iterable[Offer]:
    """Nova's themes."""
    return [(name, "") for name in THEMES]


@quietly
def log_formats(context: typer.Context) -> Iterable[Offer]:
    """The agents whose logs can be read."""
    from nova_core.agents import FORMATS

    return [(name, "") for name in FORMATS]


@quietly
def plan_formats(context: typer.Context) -> Iterable[Offer]:
    """The formats of plans."""
    from nova_core.importers.formats import FORMATS, TABLE

    return [(name, "") for name in (TABLE, *(known.name for known in FORMATS))]
