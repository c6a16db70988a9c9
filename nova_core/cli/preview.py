"""`nova run -n` and `--explain`: what a run would do, without starting, locking or writing anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nova_core.cli.output import columns, note, out_json, out_lines
from nova_core.engine.renewal import find_stale, not_missed
from nova_core.engine.startup import limits_of
from nova_core.files.outputs import missing
from nova_core.importers import read_plan
from nova_core.launch.ladder import ladder_of, work_of
from nova_core.plan.explain import Explanation, explain
from nova_core.plan.left_out import left_out, left_out_line
from nova_core.plan.phases import phase_named, unknown_phases, with_settings
from nova_core.plan.scheduler import weights
from nova_core.runs.words import approval_note
from nova_core.state.schema import NEW, State, TaskState, TaskStatus
from nova_core.text import clean, cut, duration, number_of, size

if TYPE_CHECKING:
    from nova_core.cli.request import RunRequest
    from nova_core.config import Config
    from nova_core.files.project import Project
    from nova_core.parser import Cascade


def preview(request: RunRequest, *, reasons: bool) -> int:
    """Print the tasks that would run, in order, and those that lack something; with `reasons`, all tasks and why.

    Limits other than the number of workers go to stderr: programs may read stdout.
    """
    config = request.config
    cascade, tasks, found = expected(request)
    for line in unknown_phases(cascade, config):
        note(f"warning: {clean(line)}")
    if reasons:
        rows = columns([(clean(e.task_id), e.action, clean(e.why)) for e in found])
        out_lines(
            line
            for e, row in zip(found, rows, strict=True)
            for line in (row, *command_lines(e, cascade, config, tasks))
        )
    else:
        going = [row(e, cascade, tasks) for e in found if e.action in ("run", "gate")]
        lacking = [f"  {clean(e.task_id)} without {clean('; '.join(e.lacking))}" for e in found if e.lacking]
        out_lines([*columns(going), *(["", "cannot start:", *lacking] if lacking else [])])
    outside = left_out_line(left_out(cascade, request.selection.ids(cascade), tasks))
    for line in (*limit_lines(cascade, config), *([clean(outside)] if outside else [])):
        note(line)
    return 0


def expected(request: RunRequest) -> tuple[Cascade, dict[str, TaskState], list[Explanation]]:
    """The plan, the saved state of its tasks, and what a run would do with each."""
    project, config = request.project, request.config
    cascade = with_settings(read_plan(request.plan, config.plan), config)
    state = State() if request.fresh else saved_state(project)
    tasks, chosen = state.tasks, request.selection.ids(cascade)
    order = weights(cascade.dag, cascade.tasks, {} if request.fresh else saved_durations(project))
    absent = absent_inputs(cascade, project) if config.inputs == "required" else {}
    lost = find_stale(cascade, tasks, project.root, not_missed(state.run, state.tasks)).lost
    return cascade, tasks, explain(cascade, tasks, chosen, order, request.rerun_changed, absent, lost)


def preview_json(request: RunRequest) -> int:
    """Print the same for programs, with what changed in the plan since its last run."""
    from nova_core.exports.answers import PlanAnswer, PlannedTask
    from nova_core.plan.changes import compare, fingerprint

    cascade, tasks, found = expected(request)
    changes = compare(cascade.tasks, tasks, {i: fingerprint(task) for i, task in cascade.tasks.items()})
    done = (i for i in changes.edited if tasks[i].status is TaskStatus.COMPLETED)
    planned = (
        PlannedTask(e.task_id, task.name, e.action, e.why, e.lacking, task.approval)
        for e in found
        if (task := cascade.tasks[e.task_id])
    )
    out_json(
        PlanAnswer(
            cascade.name, request.plan, tuple(planned), changes.added, changes.removed, changes.edited,
            () if request.rerun_changed else tuple(done),
        )
    )  # fmt: skip
    return 0


def row(explanation: Explanation, cascade: Cascade, tasks: Mapping[str, TaskState]) -> tuple[str, str]:
    """A task that would run, with the approval it needs, or a gate that would open."""
    task_id = explanation.task_id
    name = cascade.tasks[task_id].name
    name = cut(clean(name)) if name != task_id else ""
    asked = approval_note(cascade.tasks[task_id], tasks.get(task_id, NEW))
    name += f" ({asked})" if asked else ""
    return clean(task_id), f"(gate) {name}" if explanation.action == "gate" else name.strip()


def command_lines(
    explanation: Explanation, cascade: Cascade, config: Config, tasks: Mapping[str, TaskState]
) -> list[str]:
    """What a task that is not done will run: its command or agent, and the commands of its criteria.

    Commands are shown in full: people read them here before they run a plan from somebody else.
    """
    if explanation.action in ("gate", "skip"):
        return []
    task, state = cascade.tasks[explanation.task_id], tasks.get(explanation.task_id, NEW)
    runner = config.runner_of(work_of(task, state, config))
    lines = [f"    command: {clean(runner.line)}"] if runner.line else []
    lines += [f"    agent: {clean(', '.join(runner.agents))}"] if runner.agents else []
    ahead = ladder_of(task, state, config)[max(0, state.rung) :]
    lines += [f"    after a failure: {clean(str(rung))}" for rung in ahead]
    asked = approval_note(task, state)
    lines = [f"    approval: {asked.removeprefix('needs approval ')}", *lines] if asked else lines
    checks = [criterion.command for criterion in task.criteria if criterion.command]
    return [*lines, *(f"    check: {clean(check)}" for check in checks)]


def absent_inputs(cascade: Cascade, project: Project) -> dict[str, list[str]]:
    """The inputs of each task that do not exist now."""
    found = {}
    for task in cascade.tasks.values():
        absent = [path for path in task.inputs if missing([path], project.root)]
        if absent:
            found[task.id] = absent
    return found


def limit_lines(cascade: Cascade, config: Config) -> list[str]:
    """The limits that apply to this plan: overall, then of its phases and groups; empty if there are none."""
    limits, tasks = limits_of(config, cascade), cascade.tasks.values()
    words = [f"{limits.cpu:g} cpu"] if any(task.cpu for task in tasks) else []
    words += [f"{size(limits.memory)} memory"] if any(task.memory for task in tasks) else []
    words += [f"{duration(config.timeout)} for a task"] if config.timeout else []
    rows = []
    phases = {phase_named(name, cascade.branches): phase for name, phase in config.phases.items()}
    for branch in cascade.branches:
        most, phase = limits.branches.get(branch), phases.get(branch)
        of_phase = [f"{most} at once"] if most else []
        of_phase += [f"{duration(phase.timeout)} for a task"] if phase and phase.timeout else []
        of_phase += [f"gate: {phase.gate}"] if phase and phase.gate else []
        rows += [f"  {clean(branch)}: {', '.join(of_phase)}"] if of_phase else []
    rows += [f"  group {clean(group)}: {most} at once" for group, most in limits.groups.items()]
    return [f"limits: {', '.join([number_of(config.jobs, 'worker'), *words])}", *rows] if words or rows else []


def saved_state(project: Project) -> State:
    """The saved state; empty before the first run."""
    from nova_core.state.manager import StateManager

    try:
        return StateManager(project.state_file).load()
    except FileNotFoundError:
        return State()


def saved_durations(project: Project) -> dict[str, float]:
    """Seconds each task took last time, which decide the order."""
    if not project.database.exists():
        return {}
    from nova_core.state.database import Database

    database = Database(project.database)
    try:
        return database.durations()
    finally:
        database.close()
