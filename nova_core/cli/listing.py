"""`nova list`: the plans of this project, and how far each is."""

from __future__ import annotations

import os
from contextlib import suppress
from glob import glob
from typing import TYPE_CHECKING

from nova_core.cli.options import AsJson, Directory, here, plan_of
from nova_core.cli.output import out_json, out_lines
from nova_core.cli.status import counted, engine_of, in_plan_order, run_state, words_of
from nova_core.cli.tables import table, when
from nova_core.errors import StateError, UsageError
from nova_core.exports.answers import ListedPlan, PlanList
from nova_core.runs.words import AT_WORK, Shown
from nova_core.text import clean

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.state.schema import State

# Where plans lie, in Nova and in the tools whose plans it reads.
PLACES = (
    "tasks.md", "tasks/tasks.json", ".taskmaster/tasks/tasks.json", "prd.json", ".beads/issues.jsonl",
    "specs/*/tasks.md", ".specify/specs/*/tasks.md", ".kiro/specs/*/tasks.md", "openspec/changes/*/tasks.md",
)  # fmt: skip
MOST = 200


def list_(as_json: AsJson = False, directory: Directory = None) -> int:
    """List the plans of this project, and how far each is.

    These are the plans that have run here, CASCADE.md, and the plans of other tools in their usual places. Start one
    with nova run PLAN.

    \b
    Examples:  nova list
               nova list --json | jq -r '.plans[].plan'
    """
    plans = listed(here())
    if as_json:
        out_json(PlanList(tuple(plans)))
    elif plans:
        out_lines(lines(plans))
    else:
        raise UsageError("there is no plan here", hint="write one with nova init, or name one with nova run PLAN")
    return 0


def listed(project: Project) -> list[ListedPlan]:
    """Plans with a run first, then those that have not been run."""
    from nova_core.files.variants import variants_of
    from nova_core.places import places_in
    from nova_core.state.manager import StateManager

    found = {}
    for own, place in places_in(project.root):
        with suppress(FileNotFoundError, StateError):
            found[os.path.normpath(place.plan)] = progress_of(own, StateManager(own.state_file).load())
    usual = ["CASCADE.md"] if os.path.exists("CASCADE.md") else variants_of("CASCADE.md", ".")[:1]
    others = sorted(path for pattern in PLACES for path in glob(pattern, include_hidden=True))[:MOST]
    for path in (*usual, *others):
        found.setdefault(os.path.normpath(path), ListedPlan(path))
    return list(found.values())


def progress_of(project: Project, state: State) -> ListedPlan:
    """How far the run of a state is."""
    plan = plan_of(state)
    words = words_of(in_plan_order(state, plan), plan)
    numbers = counted(words, plan)[()]
    return ListedPlan(
        plan=state.project.cascade_file, name=state.project.name, run=state.run.id,
        state=run_state(numbers, engine_of(project), paused=state.run.paused).value, total=sum(numbers.values()),
        done=numbers[Shown.COMPLETED] + numbers[Shown.SKIPPED], failed=numbers[Shown.FAILED] + numbers[Shown.CANCELLED],
        running=sum(numbers[shown] for shown in AT_WORK), started_at=state.project.started_at,
    )  # fmt: skip


def lines(plans: list[ListedPlan]) -> list[str]:
    """The table."""
    heads = ("PLAN", "STATE", "DONE", "RUNNING", "FAILED", "STARTED", "NAME")
    rows = [
        (
            clean(plan.plan), plan.state, f"{plan.done:,}/{plan.total:,}" if plan.run else "-",
            f"{plan.running:,}" if plan.run else "-", f"{plan.failed:,}" if plan.run else "-", when(plan.started_at),
            clean(plan.name) or "-",
        )
        for plan in plans
    ]  # fmt: skip
    return table(heads, rows, ("DONE", "RUNNING", "FAILED"))
