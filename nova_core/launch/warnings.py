"""Warnings before agents start: agents that work unchecked, and caps that cannot be kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nova_core.agents.adapters import Permissions
from nova_core.agents.pricing import Price
from nova_core.config import AgentConfig, Config
from nova_core.launch.invocation import adapter_of, agent_named
from nova_core.launch.model_prices import model_price
from nova_core.model import Task


def cautions(config: Config, tasks: Iterable[Task], prices: Mapping[str, Price]) -> list[str]:
    """One line for each warning about the agents that may run these tasks, without repetition."""
    found: dict[str, None] = {}
    for task in tasks:
        for name in config.runner_of(task).agents:
            agent = agent_named(config, name)
            if agent is not None:
                found.update(dict.fromkeys(_of_agent(name, agent, task, config, prices)))
    return list(found)


def _of_agent(name: str, agent: AgentConfig, task: Task, config: Config, prices: Mapping[str, Price]) -> list[str]:
    adapter = adapter_of(name, agent)
    found = []
    if adapter and adapter.unchecked:
        found.append(f"{name} has no permissions: it can do whatever you can")
    elif agent.permissions is Permissions.BYPASS and adapter:
        found.append(f"{name} works without any check (permissions: bypass): it can do whatever you can")
    elif adapter and adapter.all_or_none and agent.permissions is Permissions.SAFE:
        found.append(
            f"{name} can change nothing with `permissions: safe`: it approves all tools or none; give it `shell`"
        )
    if agent.max_turns and not (adapter and adapter.max_turns):
        found.append(f"{name} takes no limit of turns: max_turns is not kept")
    cap = task.budget if task.budget is not None else agent.budget
    if cap is not None and not (adapter and adapter.live):
        found.append(
            f"{name} may report what it used only at its end: a cap of one attempt counts, but cannot stop it then"
        )
    price = model_price(name, agent, task.model, prices)
    if (cap is not None or config.budget is not None) and str(price):
        found.append(f"{name}: {price}" + ("" if price.is_known else "; a budget cannot be kept (see `prices:`)"))
    return found
