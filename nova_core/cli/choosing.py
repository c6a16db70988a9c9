"""Which plan a command is about: several plans may have run in one folder, and several may run at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli import complete
from nova_core.cli.folder import from_user
from nova_core.cli.options import DEFAULT_PLAN, here
from nova_core.errors import UsageError

if TYPE_CHECKING:
    from nova_core.files.project import Project

_SHOWN = 6
_OF_A_PLAN = "why|logs|retry|approve|reject|skip|cancel|type|status|resume|attach"
_HELP = "The plan, if several have run here; by default the one that is running."
PlanOf = Annotated[str | None, typer.Option("--plan", metavar="PLAN", help=_HELP, autocompletion=complete.plans)]
OnlyPlan = Annotated[
    str | None,
    typer.Option("--plan", metavar="PLAN", help="Only the runs of this plan.", autocompletion=complete.plans),
]
PlanArgument = Annotated[
    str | None, typer.Argument(metavar="PLAN", help=_HELP, show_default=False, autocompletion=complete.plans)
]


def chosen(plan: str | None, argument: str | None = None) -> Project:
    """The project, at the place of the plan; `plan` is the option, `argument` the same as an argument.

    Without either: the only plan that has run here, or the only one that is running. Raises `UsageError` if it is not
    clear which, or if the plan has not run here.
    """
    project = here()
    wanted = plan if plan is not None else argument
    if wanted is None and not project.plans_dir.exists():
        return project  # there is one place at most
    from nova_core.places import DRAFTS, places_in, plan_name

    found = {place.plan: own for own, place in places_in(project.root)}
    if wanted is not None:
        names = (wanted, plan_name(project.root, from_user(wanted)))
        match = next((own for name, own in found.items() if name in names or plan_of_place(own, name) in names), None)
        if match is None:
            raise UsageError(f"{_shown(wanted)} has not run here", hint=_hint(list(found)))
        return match
    found = {name: own for name, own in found.items() if own.key != DRAFTS or is_running(own)} or found
    if len(found) < 2:
        return next(iter(found.values()), project)
    running = [name for name, own in found.items() if is_running(own)]
    if len(running) == 1:
        return found[running[0]]
    said = "several plans are running here" if running else "several plans have run here"
    raise UsageError(f"{said}: {_listed(running or list(found))}", hint="choose one with --plan PLAN")


def all_places() -> list[Project]:
    """The places of all plans that have run here, the usual place first."""
    project = here()
    if not project.plans_dir.exists():
        return [project]
    from nova_core.places import places_in

    return list({own.nova_dir: own for own in (project, *(own for own, _ in places_in(project.root)))}.values())


def plan_of_place(own: Project, recorded: str) -> str:
    """The name of the plan of a place, whatever path was used to run it."""
    from nova_core.places import plan_name

    return plan_name(own.root, own.root / recorded)


def is_running(project: Project) -> bool:
    """Returns True if an engine runs the plan of this place."""
    from nova_core.files.lock import engine_alive

    return engine_alive(project.lock_file) is not None


def usual_plan() -> str:
    """The default plan: `CASCADE.md` if it exists, else the plan that was run here.

    Raises `UsageError` if several were.
    """
    if os.path.exists(DEFAULT_PLAN):
        return DEFAULT_PLAN
    from nova_core.files.variants import variants_of

    if other := variants_of(DEFAULT_PLAN, "."):
        return other[0]
    from nova_core.places import DRAFTS, places_in

    found = [place.plan for own, place in places_in(here().root) if own.key != DRAFTS and os.path.exists(place.plan)]
    if len(found) > 1:
        raise UsageError(f"several plans have run here: {_listed(found)}", hint=f"name one, such as {found[0]}")
    return found[0] if found else DEFAULT_PLAN


def place_for(plan: str) -> Project:
    """The project, at the place that a run of the plan has or would get; the plan is read only if it may be renamed."""
    from nova_core.importers import read_plan
    from nova_core.places import choose_place

    project = here()
    return choose_place(project.root, plan, lambda: read_plan(plan, root=project.root))


def with_plan(lines: Iterable[str], project: Project, plan: str) -> list[str]:
    """The lines, in which the commands to run next name the plan, if other plans have run in the folder."""
    lines = list(lines)
    start = next((number for number, line in enumerate(lines) if line.startswith("next:")), len(lines))
    if project.plans_dir.exists():
        lines[start:] = [naming(line, plan) for line in lines[start:]]
    return lines


def naming(step: str, plan: str) -> str:
    """A hint of Nova's, in which each command names the plan."""
    import re
    import shlex

    quoted = shlex.quote(plan).replace("\\", r"\\")
    step = re.sub(r"\bnova run\b", rf"nova run {quoted}", step)
    return re.sub(rf"\bnova ({_OF_A_PLAN})\b", rf"nova \1 --plan {quoted}", step)


def _listed(names: list[str]) -> str:
    from nova_core.text import first_of

    return first_of([*map(_shown, names)], _SHOWN)


def _hint(names: list[str]) -> str:
    return f"these have: {_listed(names)}" if names else "run it with nova run"


def _shown(name: str) -> str:
    from nova_core.text import clean

    return clean(name)[:80]
