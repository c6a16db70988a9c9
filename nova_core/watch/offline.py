"""Commands while no engine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nova_core.command import OF_TERMINALS, Command, CommandKind, Reply
from nova_core.engine.startup import RunOptions
from nova_core.errors import UsageError
from nova_core.files.own_task import require_person
from nova_core.orchestrator import Orchestrator
from nova_core.state.manager import StateManager

if TYPE_CHECKING:
    from nova_core.files.project import Project


def apply_offline(project: Project, command: Command) -> Reply:
    """Carry out a command on the state while no engine runs, under the run lock; can end workers left behind.

    Raises `RunLockedError` if an engine is running after all, `UsageError` if the folder has no run, or inside a task
    of it.
    """
    require_person(project)
    try:
        plan = StateManager(project.state_file).load().project.cascade_file
    except FileNotFoundError:
        raise UsageError(f"{project.root}: no plan has been run here", hint="start a plan with `nova run`") from None
    engine = Orchestrator(project.root / plan, project.state_file, options=RunOptions(renew=False))
    try:
        reply = _apply(engine, command)
        notes = [text for text in (reply.message, *engine.store.warnings) if text]
        return Reply(reply.ok, "; ".join(notes))
    finally:
        engine.close()


def _apply(engine: Orchestrator, command: Command) -> Reply:
    if command.kind is CommandKind.CANCEL:
        return engine.cancel_without_engine(command)
    if command.kind in (CommandKind.JOBS, CommandKind.STOP, *OF_TERMINALS):
        return Reply(False, "no engine running")
    reply = engine.apply(command)
    return reply if engine.store.flush() else Reply(False, f"cannot write the state: {engine.store.disk_error}")
