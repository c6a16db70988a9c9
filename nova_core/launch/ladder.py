"""The ladder of a task: a stronger model, or another agent, after its work was found wanting. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from nova_core.config import Config
from nova_core.launch.invocation import agent_named
from nova_core.model import Task
from nova_core.state.schema import TaskState


class Rung(NamedTuple):
    """An agent with a model; None is the agent's own."""

    agent: str
    model: str | None = None

    def __str__(self) -> str:
        return f"{self.agent} ({self.model})" if self.model else self.agent


def work_of(task: Task, state: TaskState, config: Config) -> Task:
    """Returns the task as its next attempt does it: by the agent and model of its rung, or those a person wants."""
    if state.wanted_agent or state.wanted_model:
        agent = state.wanted_agent or next(iter(config.runner_of(task).agents), None)
        model = state.wanted_model or (task.model if state.wanted_agent is None else None)
        return msgspec.structs.replace(task, agent=agent, model=model)
    if state.rung < 1 or not (rungs := rungs_of(task, config)):
        return task
    rung = rungs[min(state.rung, len(rungs)) - 1]
    return msgspec.structs.replace(task, agent=rung.agent, model=rung.model)


def ladder_of(task: Task, state: TaskState, config: Config) -> tuple[Rung, ...]:
    """Returns the ladder of a task in this state: none if a person chose its agent or model."""
    return () if state.wanted_agent or state.wanted_model else rungs_of(task, config)


def rungs_of(task: Task, config: Config) -> tuple[Rung, ...]:
    """Returns what comes after the task's first agent and model: further `models` of the agent, then `retry.then`.

    A name in `then` that is not an agent's is a model of the agent before it.
    """
    agents = config.runner_of(task).agents
    if not agents:
        return ()
    found = [Rung(agents[0], model_of(config, agents[0], task))]
    settings = agent_named(config, agents[0])
    models = settings.models if settings else ()
    own = models.index(task.model) if task.model in models else len(models) if task.model else 0
    for name in (*models[own + 1 :], *config.retry.then):
        before = found[-1].agent
        rung = Rung(before, name) if agent_named(config, name) is None else Rung(name, model_of(config, name))
        if rung != found[-1]:
            found.append(rung)
    return tuple(found[1:])


def model_of(config: Config, name: str, task: Task | None = None) -> str | None:
    """Returns the model that the agent `name` begins a task with: the task's own, or that of its settings."""
    settings = agent_named(config, name)
    own = task.model if task else None
    return own or (settings.first_model if settings else None)
