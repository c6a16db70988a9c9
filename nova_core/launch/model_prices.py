"""Whether the price of an agent's model is known: without it, a budget cannot be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from nova_core.agents.acp_agents import KIND, TELLS_COST
from nova_core.agents.adapters import ADAPTERS
from nova_core.agents.pricing import Price, nearest_price, price_of
from nova_core.config import AgentConfig, Config
from nova_core.launch.invocation import adapter_of, agent_named
from nova_core.launch.ladder import rungs_of
from nova_core.model import Task

HINT = "add the model to `prices:` in nova.yaml (docs/configuration.md#prices), or pass --allow-unpriced"

_ASKED_LATER = ("opencode", "pi")


class ModelPrice(NamedTuple):
    """The model, None if unknown; the model whose price estimates its cost, if it has none itself."""

    model: str | None
    is_known: bool
    near: str | None = None

    def __str__(self) -> str:
        if self.is_known:
            return f"the price of {self.model} is unknown: that of {self.near} is used (~)" if self.near else ""
        return (
            f"no price is known for model {self.model}" if self.model else "no model is named, so its price is unknown"
        )


def model_price(name: str, agent: AgentConfig, model: str | None, prices: Mapping[str, Price]) -> ModelPrice:
    """The price of what the agent uses for a task with this `model`, if it is known before the start.

    Some report their own cost if they know the model; that is seen only in their logs.
    """
    told, adapter = agent.use or agent.parser or name, adapter_of(name, agent)
    model = model or agent.first_model or (adapter.usual_model if adapter else "") or None
    if tells_cost(name, agent) or told in _ASKED_LATER:
        return ModelPrice(model, True)
    return _priced(model, prices)


def tells_cost(name: str, agent: AgentConfig) -> bool:
    """Returns True if the agent always reports what it cost."""
    if agent.kind == KIND:
        return (agent.use or name) in TELLS_COST
    adapter = ADAPTERS.get(agent.use or agent.parser or name)
    return bool(adapter and adapter.tells_cost) or "(?P<cost>" in (agent.line or "")


def _priced(model: str | None, prices: Mapping[str, Price]) -> ModelPrice:
    near = nearest_price(model, prices)
    return ModelPrice(model, near is not None, near[0] if near and price_of(model, prices) is None else None)


def unpriced(
    config: Config, tasks: Iterable[Task], prices: Mapping[str, Price], is_usable: Callable[[str], bool]
) -> list[str]:
    """What has a budget but no price, of these tasks and of the agents and models on their ladders; a line for each."""
    found: dict[str, None] = {}
    for task in tasks:
        runner = config.runner_of(task)
        if runner.line and task.model and _has_budget(config, task):
            found[_line(f"the command of {task.id}", _priced(task.model, prices))] = None
        for name, model in (*((name, task.model) for name in runner.agents), *rungs_of(task, config)):
            agent = agent_named(config, name) if is_usable(name) else None
            if agent is not None and _has_budget(config, task, agent):
                found[_line(name, model_price(name, agent, model, prices))] = None
    return list(filter(None, found))


def _line(who: str, price: ModelPrice) -> str:
    return "" if price.is_known else f"{who}: {price}"


def _has_budget(config: Config, task: Task, agent: AgentConfig | None = None) -> bool:
    caps = (config.budget, task.budget, agent.budget if agent else None)
    return any(cap is not None for cap in caps)
