"""`nova progress`: the progress of each phase of the plan, and when it will be done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from nova_core.cli.choosing import PlanArgument, PlanOf, chosen
from nova_core.cli.options import AsJson, Directory, load_state, plan_of
from nova_core.cli.output import out_json, out_lines
from nova_core.cli.tables import table
from nova_core.clock import Clock
from nova_core.errors import UsageError
from nova_core.runs.rollup import rollup
from nova_core.text import clean, duration

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.parser import Cascade
    from nova_core.state.schema import State, TaskState

NUMBERS = ("TOTAL", "COMPLETED", "RUNNING", "BLOCKED", "FAILED", "PERCENT", "ETA")


class PhaseProgress(msgspec.Struct, frozen=True):
    """The progress of a phase; `eta_seconds` is the time until all tasks that can still be done are, None if unknown.

    `gate` is "open", "shut" or "failed", None for a phase without one. `blocked` tasks are not among the `pending`.
    """

    phase: str
    total: int
    completed: int
    running: int
    pending: int
    blocked: int
    failed: int
    percent: int
    eta_seconds: float | None = None
    gate: str | None = None


def progress(
    argument: PlanArgument = None, plan: PlanOf = None, as_json: AsJson = False, directory: Directory = None
) -> int:
    """Show the progress and expected end of each phase (branch).

    The estimate simulates the rest of the run with the durations of earlier runs (or of the plan), the number of
    workers and the limits of nova.yaml. It counts tasks that can still be done, not blocked or failed ones.

    \b
    Examples:  nova progress
               nova progress --json | jq '.phases[] | select(.percent < 100) | .phase'
    """
    project = chosen(plan, argument)
    state = load_state(project)
    cascade = plan_of(state)
    if cascade is None:
        raise UsageError("the plan that was run here can no longer be read", hint="find the problem with `nova check`")
    ends = expected_ends(cascade, state, project)
    phases = [
        of_tasks(branch, [i for ids in groups.values() for i in ids], state.tasks, ends)
        for branch, groups in cascade.branches.items()
    ]
    phases = [msgspec.structs.replace(phase, gate=gate_of(phase.phase, cascade, state.tasks)) for phase in phases]
    whole = of_tasks("all", [i for i, task in cascade.tasks.items() if not task.gate], state.tasks, ends)
    if as_json:
        out_json({"name": cascade.name, "phases": phases, "all": whole})
    else:
        out_lines(lines(phases, whole))
    return 0


def expected_ends(plan: Cascade, state: State, project: Project) -> dict[str, float]:
    """Seconds until the end of each task that can still be done."""
    from nova_core.cli.preview import saved_durations
    from nova_core.config import load_config
    from nova_core.engine.startup import limits_of
    from nova_core.plan.forecast import forecast
    from nova_core.state.run_clock import run_time

    now = run_time(state.run, Clock())
    config = load_config(None, environ=os.environ)
    return forecast(plan, state.tasks, config.jobs, limits_of(config, plan), saved_durations(project), now)


def of_tasks(name: str, ids: Iterable[str], tasks: Mapping[str, TaskState], ends: Mapping[str, float]) -> PhaseProgress:
    """The counts of these tasks."""
    from nova_core.state.schema import NEW

    ids = list(ids)
    sums = rollup(tasks.get(i, NEW) for i in ids)
    eta = max((ends[i] for i in ids if i in ends), default=None)
    return PhaseProgress(
        name, sums.total, sums.completed, sums.in_progress, sums.pending - sums.blocked, sums.blocked, sums.failed,
        int(100 * sums.progress), None if eta is None else round(eta, 3),
    )  # fmt: skip


def gate_of(branch: str, plan: Cascade, tasks: Mapping[str, TaskState]) -> str | None:
    """The state of a phase's gate, if the settings give it one."""
    from nova_core.plan.phases import gate_id
    from nova_core.state.schema import NEW, TaskStatus

    found = gate_id(plan, branch)
    if found is None:
        return None
    words = {TaskStatus.COMPLETED: "open", TaskStatus.FAILED: "failed"}
    return words.get(tasks.get(found, NEW).status, "shut")


def lines(phases: Iterable[PhaseProgress], whole: PhaseProgress) -> list[str]:
    """The table with totals below; gates are shown only if the plan has any."""
    rows = [*phases, whole]
    gates = any(row.gate for row in rows)
    heads = ("PHASE", *NUMBERS, *(["GATE"] if gates else []))
    return table(heads, [[*cells(row), *([row.gate or "-"] if gates else [])] for row in rows], NUMBERS)


def cells(row: PhaseProgress) -> list[str]:
    """The cells of a phase's row."""
    eta = "-" if row.eta_seconds is None else duration(row.eta_seconds)
    counts = (row.total, row.completed, row.running, row.blocked, row.failed)
    return [clean(row.phase) or "-", *(f"{count:,}" for count in counts), f"{row.percent}%", eta]
