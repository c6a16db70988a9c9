"""Options that many commands share, and the project they work on."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from nova_core.cli import complete
from nova_core.cli.folder import Directory, from_user
from nova_core.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    from nova_core.files.project import Project
    from nova_core.parser import Cascade
    from nova_core.state.schema import State

__all__ = ["Directory"]

DEFAULT_PLAN = "CASCADE.md"


Given = TypeVar("Given")


def expanded(
    options: type[Given],
) -> Callable[[Callable[[typer.Context, Given], int]], Callable[..., int]]:
    """Let a command take all its options as one struct; each field of `options` is one option."""

    def expand(command: Callable[[typer.Context, Given], int]) -> Callable[..., int]:
        @wraps(command)
        def expanded_command(context: typer.Context, **given: Any) -> int:
            return command(context, options(**given))

        hints = get_type_hints(options, include_extras=True)
        fields = (
            field.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name])
            for name, field in signature(options).parameters.items()
        )
        context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        expanded_command.__signature__ = Signature([context, *fields])  # type: ignore[attr-defined]
        expanded_command.__annotations__ = {"context": typer.Context, **hints}
        return expanded_command

    return expand


TaskId = Annotated[
    str, typer.Argument(metavar="ID", help="The task.", show_default=False, autocompletion=complete.tasks)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def usual_plan() -> str:
    """The default plan of a command that reads one."""
    from nova_core.cli.choosing import usual_plan as choose

    return choose()


def plan_path(context: typer.Context, parameter: typer.CallbackParam, value: str) -> str:
    """The plan, seen from the project; a name that is not a file but a task's or a group's gets its own error."""
    source = context.get_parameter_source(parameter.name or "")
    if source is None or source.name != "COMMANDLINE":
        return value
    path: str = from_user(value)
    if not context.resilient_parsing and not os.path.lexists(path):
        from nova_core.cli.names import check_plan

        try:
            usual = usual_plan()
        except UsageError:  # several plans have run here
            usual = DEFAULT_PLAN
        check_plan(value, path, usual, context.command_path)
    return path


Plan = Annotated[
    str,
    typer.Argument(
        metavar="PLAN",
        help="The plan.",
        callback=plan_path,
        default_factory=usual_plan,
        show_default="CASCADE.md; without one, the plan that was run here",
    ),
]


def here() -> Project:
    """The project in the current directory."""
    from pathlib import Path

    from nova_core.files.project import Project

    try:
        return Project(Path.cwd())
    except FileNotFoundError:
        raise EnvironmentProblem("the current directory does not exist any more") from None


def load_state(project: Project) -> State:
    """The saved state. Raises `UsageError` if no plan has been run here yet."""
    from nova_core.errors import NewerStateError, StateError
    from nova_core.state.manager import StateManager

    try:
        return StateManager(project.state_file).load()
    except FileNotFoundError:
        raise UsageError("no plan has been run here yet", hint="run the plan in CASCADE.md with nova run") from None
    except NewerStateError:
        raise
    except StateError as error:
        if not has_events(project):
            raise
        hint = "the next nova run keeps it aside, and builds the state again from .nova/nova.db"
        raise StateError(error.message, hint=hint) from None


def has_events(project: Project) -> bool:
    """Returns True if there is a history from which the state can be rebuilt."""
    from nova_core.state.database import Database

    try:
        database = Database(project.database, read_only=True)
    except EnvironmentProblem:
        return False
    try:
        return database.last_rev() > 0
    finally:
        database.close()


def plan_of(state: State, project: Project | None = None) -> Cascade | None:
    """The plan of the state, with the settings applied; None if it can no longer be read.

    It has also the running tasks that have left it, as they were started if the history of `project` says so.
    """
    from nova_core.config import load_config
    from nova_core.errors import InputError
    from nova_core.importers import read_plan
    from nova_core.plan.phases import with_settings
    from nova_core.state.schema import TaskStatus

    try:
        config = load_config(None, environ=os.environ)
        plan = with_settings(read_plan(state.project.cascade_file or DEFAULT_PLAN, config.plan), config)
    except (InputError, OSError):
        return None
    if all(task.status is not TaskStatus.IN_PROGRESS for task in state.tasks.values()):
        return plan
    from nova_core.plan.leaving import leaving, with_leaving

    gone = leaving(plan, state.tasks)
    return with_leaving(plan, gone, _started(project, gone) if project and gone else {})


def _started(project: Project, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    from nova_core.state.database import Database

    try:
        with closing(Database(project.database, read_only=True)) as database:
            return database.started(ids)
    except EnvironmentProblem:
        return {}


def check_ids(ids: Iterable[str], known: Collection[str], state: State) -> None:
    """Raise `UsageError` with a suggestion for the first id that is not `known`; `state` is that of the run."""
    for task_id in ids:
        if task_id not in known:
            from nova_core.cli.names import unknown_task

            raise unknown_task(task_id, known, plan_of(state))
