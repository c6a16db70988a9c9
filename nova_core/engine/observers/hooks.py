"""Hooks: commands of `nova.yaml` that run beside the engine when an event happens."""

from __future__ import annotations

from nova_core.config.hooks import HooksConfig
from nova_core.engine.observers.hook_data import HookData, standard_input, variables
from nova_core.engine.observers.reporting import Reporting, Target
from nova_core.files.project import Project
from nova_core.parser import Cascade
from nova_core.state.store import Store
from nova_core.text import clean, head_and_tail


class Hooks(Reporting):
    """Runs each line of an event once; its data come in variables and on standard input, never in the line."""

    def __init__(self, project: Project, cascade: Cascade, store: Store, config: HooksConfig) -> None:
        super().__init__(project, cascade, store, config.timeout)
        self._config = config

    def _targets(self, name: str) -> tuple[Target, ...]:
        lines: tuple[str, ...] = getattr(self._config, name)
        return tuple(Target(line, clean(head_and_tail(line, 60))) for line in lines)

    def _deliver(self, target: Target, data: HookData, about: str) -> str:
        return self._said(self._run(target.line, about, standard_input(data), variables(data)))
