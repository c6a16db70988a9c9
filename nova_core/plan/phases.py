"""Applies the settings to a plan: gates and timeouts of phases, cpu and memory of agents, times of approval, locks of
files. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import msgspec

from nova_core.config import Config, PhaseConfig
from nova_core.dag import DAG, CycleError
from nova_core.errors import InputError, Problem
from nova_core.model import Task, places_of
from nova_core.parser.cascade import Cascade
from nova_core.parser.findings import shown_path

_GATE_HINT = "put the tasks in phases in the order they run, or write `gate: advice`, for which nothing waits"


def phase_named(name: str, branches: Iterable[str]) -> str | None:
    """Returns the branch a name means: `01-analysis`, or `analysis` if only one branch has that name."""
    branches = list(branches)
    if name in branches:
        return name
    found = [branch for branch in branches if _bare(branch) == _bare(name)]
    return found[0] if len(found) == 1 else None


def unknown_phases(cascade: Cascade, config: Config) -> list[str]:
    """Returns a warning for each of the settings' `phases` that the plan does not have, and which has no effect."""
    has = f"it has {', '.join(filter(None, cascade.branches)) or 'none'}"
    return [
        f"{config.origins.get(f'phases.{name}', 'nova.yaml')}: the plan has no phase {name!r}; {has}"
        for name in config.phases
        if phase_named(name, cascade.branches) is None
    ]


def with_settings(cascade: Cascade, config: Config) -> Cascade:
    """Returns the plan with the project's settings. Raises `InputError` for gates that could never open."""
    found = with_phases(_with_approvals(_with_demands(cascade, config), config), config.phases)
    if config.git.conflicts != "avoid":
        return found
    from nova_core.plan.overlaps import with_file_locks  # its patterns cost `nova status` 3 ms

    return with_file_locks(found)


def _with_approvals(cascade: Cascade, config: Config) -> Cascade:
    """Returns the plan in which `yes` has its usual time: before a command, which may do harm; after an agent's work,
    which a person reads."""
    asked = [task for task in cascade.tasks.values() if task.approval == "yes"]
    if not asked:
        return cascade
    times = {task.id: "after" if config.runner_of(task).agents else "before" for task in asked}
    changed = {i: msgspec.structs.replace(cascade.tasks[i], approval=when) for i, when in times.items()}
    return msgspec.structs.replace(cascade, tasks={**cascade.tasks, **changed})


def _with_demands(cascade: Cascade, config: Config) -> Cascade:
    """Returns the plan with the cpu and memory of agents, for tasks that do not state their own."""
    if not any(agent.cpu or agent.memory for agent in config.agents.values()):
        return cascade
    tasks = dict(cascade.tasks)
    for task in cascade.tasks.values():
        agents = config.runner_of(task).agents
        if agents and (agent := config.agents.get(agents[0])):
            cpu, memory = task.cpu or agent.cpu or 0.0, task.memory or agent.memory or 0
            tasks[task.id] = msgspec.structs.replace(task, cpu=cpu, memory=memory)
    return msgspec.structs.replace(cascade, tasks=tasks)


def with_phases(cascade: Cascade, phases: Mapping[str, PhaseConfig]) -> Cascade:
    """Returns the plan with the settings of its phases, which are its branches.

    A phase whose gate is a barrier gets a gate at its end, which opens when all its tasks are completed and all their
    outputs exist; every task of a later phase waits for it. A gate that is advice blocks no task. Raises `InputError`
    if a task of a phase waits for one behind the barrier.
    """
    wanted = {named: phase for name, phase in phases.items() if (named := phase_named(name, cascade.branches))}
    if not wanted:
        return cascade
    tasks = dict(cascade.tasks)
    barrier: tuple[str, ...] = ()
    for branch, groups in cascade.branches.items():
        ids = [task_id for members in groups.values() for task_id in members]
        phase = wanted.get(branch, PhaseConfig())
        for task_id in ids:
            tasks[task_id] = _in_phase(tasks[task_id], phase, barrier)
        if phase.gate is not None:
            gate = _gate(branch, [tasks[i] for i in ids], barrier, tasks)
            tasks[gate.id] = gate
            barrier = (gate.id,) if phase.gate == "barrier" else barrier
    try:
        dag = DAG({i: task.depends_on for i, task in tasks.items()})
    except CycleError as error:
        raise InputError([_cannot_open(cascade, tasks, error.path)]) from None
    return msgspec.structs.replace(cascade, tasks=tasks, dag=dag)


def gate_id(cascade: Cascade, branch: str) -> str | None:
    """Returns the id of the phase's gate, None if it has none."""
    members = {task_id for ids in cascade.branches.get(branch, {}).values() for task_id in ids}
    gates = (task for task in reversed(cascade.tasks.values()) if task.gate and task.name == _gate_name(branch))
    return next((task.id for task in gates if members <= set(task.depends_on)), None)


def _gate_name(branch: str) -> str:
    return f"Gate of {branch}"


def _cannot_open(cascade: Cascade, tasks: Mapping[str, Task], cycle: Iterable[str]) -> Problem:
    """Returns why the gates form a cycle: a task before one of them waits for a task behind it."""
    order = dict(zip(cascade.branches, range(len(cascade.branches)), strict=True))
    path = [tasks[task_id] for task_id in cycle]
    edges = [(a, b) for a, b in pairwise(path) if not (a.gate or b.gate)]
    before, after = next((e for e in edges if order[e[0].branch] < order[e[1].branch]), (path[0], path[1]))
    text = (
        f"{before.id} of phase {before.branch or '(none)'} waits for {after.id} of the later phase "
        f"{after.branch or '(none)'}, which would wait for the gate of {before.branch or '(none)'}"
    )
    return Problem(shown_path(before.file or cascade.path), before.line, text, _GATE_HINT)


def _bare(name: str) -> str:
    return name.lstrip("0123456789").lstrip("-_. ").casefold() or name.casefold()


def _in_phase(task: Task, phase: PhaseConfig, barrier: tuple[str, ...]) -> Task:
    timeout = phase.timeout if task.timeout is None else task.timeout
    depends_on = tuple(dict.fromkeys((*task.depends_on, *barrier)))
    return msgspec.structs.replace(task, timeout=timeout, depends_on=depends_on, barriers=barrier)


def _gate(branch: str, tasks: list[Task], barrier: tuple[str, ...], taken: Mapping[str, Task]) -> Task:
    wanted = "gate-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in branch)[:50].strip("-")
    name = next(i for n in range(len(taken) + 2) if (i := f"{wanted}-{n}" if n else wanted) not in taken)
    to_do = (task for task in tasks if not task.dropped)
    outputs = dict.fromkeys(places_of(path, task.workspace) for task in to_do for path in task.outputs)
    last, ids = tasks[-1], tuple(task.id for task in tasks)
    return Task(
        name, _gate_name(branch), "", (*barrier, *ids), last.group, branch, last.line,
        outputs=tuple(outputs), gate=True, file=last.file, barriers=barrier,
    )  # fmt: skip
