"""What the settings add to a plan: to its phases gates and times, to the tasks of an agent what they take up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from nova_core.config import Config, PhaseConfig
from nova_core.dag import DAG
from nova_core.model import Task
from nova_core.parser.cascade import Cascade


def phase_named(name: str, branches: Iterable[str]) -> str | None:
    """The branch that a name means: `01-analysis`, or `analysis` where there is but one of that name."""
    branches = list(branches)
    if name in branches:
        return name
    found = [branch for branch in branches if _bare(branch) == _bare(name)]
    return found[0] if len(found) == 1 else None


def with_settings(cascade: Cascade, config: Config) -> Cascade:
    """The plan as this project's settings have it run."""
    return with_phases(_with_demands(cascade, config), config.phases)


def _with_demands(cascade: Cascade, config: Config) -> Cascade:
    """The same with what the tasks of an agent take up, where they do not say so themselves."""
    if not any(agent.cpu or agent.memory for agent in config.agents.values()):
        return cascade
    tasks = dict(cascade.tasks)
    for task in cascade.tasks.values():
        name = (task.agent or "").partition(",")[0].strip() or next(iter(config.agent), "")
        agent = None if task.command or config.command else config.agents.get(name)
        if agent is not None:
            cpu, memory = task.cpu or agent.cpu or 0.0, task.memory or agent.memory or 0
            tasks[task.id] = msgspec.structs.replace(task, cpu=cpu, memory=memory)
    return msgspec.structs.replace(cascade, tasks=tasks)


def with_phases(cascade: Cascade, phases: Mapping[str, PhaseConfig]) -> Cascade:
    """The plan with what its phases, which are its branches, were given.

    A phase whose gate is a barrier gets a gate at its end, which opens when all its tasks are completed and all their
    outputs are there; whatever stands in a later phase waits for it. A gate that is advice keeps nobody waiting.
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
    dag = DAG({i: task.depends_on for i, task in tasks.items()})
    return msgspec.structs.replace(cascade, tasks=tasks, dag=dag)


def _bare(name: str) -> str:
    return name.lstrip("0123456789").lstrip("-_. ").casefold() or name.casefold()


def _in_phase(task: Task, phase: PhaseConfig, barrier: tuple[str, ...]) -> Task:
    timeout = phase.timeout if task.timeout is None else task.timeout
    depends_on = tuple(dict.fromkeys((*task.depends_on, *barrier)))
    return msgspec.structs.replace(task, timeout=timeout, depends_on=depends_on)


def _gate(branch: str, tasks: list[Task], barrier: tuple[str, ...], taken: Mapping[str, Task]) -> Task:
    wanted = "gate-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in branch)[:50].strip("-")
    name = next(i for n in range(len(taken) + 2) if (i := f"{wanted}-{n}" if n else wanted) not in taken)
    outputs = dict.fromkeys(
        f"{task.workspace}/{path}|{path}" if task.workspace else path for task in tasks for path in task.outputs
    )
    last, ids = tasks[-1], tuple(task.id for task in tasks)
    return Task(
        name, f"Gate of {branch}", "", (*barrier, *ids), last.group, branch, last.line,
        outputs=tuple(outputs), gate=True, file=last.file,
    )  # fmt: skip
