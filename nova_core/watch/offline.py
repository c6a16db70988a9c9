"""Commands while no engine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nova_core.command import Command, CommandKind, Reply
from nova_core.errors import UsageError
from nova_core.orchestrator import Orchestrator
from nova_core.state.manager import StateManager

if TYPE_CHECKING:
    from nova_core.files.project import Project


def apply_offline(project: Project, command: Command) -> Reply:
    """Carry out a command while no engine runs: on the state, under the run lock; workers left behind can be ended.

    Raises `RunLockedError` if an engine is alive after all, `UsageError` if nothing was ever run here.
    """
    try:
        plan = StateManager(project.state_file).load().project.cascade_file
    except FileNotFoundError:
        raise UsageError(f"{project.root}: nothing has run here", hint="`nova run` starts a plan") from None
    engine = Orchestrator(project.root / plan, project.state_file)
    try:
        if command.kind is CommandKind.CANCEL:
            return engine.cancel_without_engine(command)
        if command.kind in (CommandKind.JOBS, CommandKind.STOP):
            return Reply(False, "no engine is running")
        reply = engine.apply(command)
        return reply if engine.store.flush() else Reply(False, f"not saved: {engine.store.disk_error}")
    finally:
        engine.close()
