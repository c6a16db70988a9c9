"""Commands that change a run: carried out by the engine, or on the saved state when no engine is running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nova_core.cli import complete
from nova_core.cli.choosing import PlanArgument, PlanOf, chosen
from nova_core.cli.options import Directory, TaskId, check_ids, load_state
from nova_core.cli.output import note, out
from nova_core.command import Command, CommandKind, Reply
from nova_core.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    from nova_core.files.project import Project

Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="The tasks.", show_default=False, autocompletion=complete.tasks),
]
SomeIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID...", help="The tasks.", show_default=False, autocompletion=complete.tasks),
]


def carry_out(command: Command, plan: str | None) -> int:
    """Send the command to the engine of the plan and print the answer; returns 0, or 2 if it was rejected."""
    from nova_core.runs.words import go_on_line
    from nova_core.text import clean

    project = chosen(plan)
    state = load_state(project)
    check_ids(command.ids, state.tasks, state)
    answer = ask_engine(project, command)
    reply = answer or apply_offline(project, command)
    if reply.ok:
        out(clean(reply.message))
        if answer is None and command.kind is CommandKind.RESUME:
            note(f"hint: no engine is running; continue with {clean(go_on_line(state.project.cascade_file))}")
        return 0
    note(f"nova: {clean(reply.message)}\nhint: see the state of the tasks with nova status")
    return 2


def ask_engine(project: Project, command: Command) -> Reply | None:
    """The engine's answer; None when no engine is running."""
    from nova_core.files.inbox import send_command
    from nova_core.files.lock import engine_alive

    engine = engine_alive(project.lock_file)
    if engine is None:
        return None
    reply = send_command(project, command)
    if reply is None and engine_alive(project.lock_file) is not None:
        raise EnvironmentProblem(
            f"the engine (pid {engine.pid}) did not answer within 5 seconds; nothing was changed",
            hint="try again, or check it with nova status: it may be suspended or very busy",
        )
    return reply


def apply_offline(project: Project, command: Command) -> Reply:
    """Change the saved state while holding the run lock."""
    from nova_core.watch.offline import apply_offline as apply

    return apply(project, command)


def some_or_all(ids: list[str] | None, every: bool, flag: str) -> tuple[str, ...]:
    """The ids, or empty for the flag that means all. Raises `UsageError` if both or neither are given."""
    if bool(ids) == every:
        raise UsageError(f"name the tasks, or give {flag}", hint="list the tasks with nova status")
    return tuple(ids or ())


def retry(
    ids: SomeIds = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every failed task.")] = False,
    downstream: Annotated[bool, typer.Option("--downstream", help="Also what depends on them.")] = False,
    agent: Annotated[
        str, typer.Option("--agent", metavar="NAME", autocompletion=complete.agents, help="This agent does it.")
    ] = "",
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="With this model.")] = "",
    text: Annotated[str, typer.Option("--note", metavar="TEXT", help="What the agent should know.")] = "",
    plan: PlanOf = None,
    directory: Directory = None,
) -> int:
    """Let tasks run again.

    An agent learns why the last attempt failed; see nova context. --agent, --model and --note hold until the task is
    done, or you retry it again. With --downstream, everything that depends on them, directly or not, runs again too.

    \b
    Examples:  nova retry F3
               nova retry F3 --note "keep the old API" --model opus
               nova retry F3 --downstream
               nova retry --failed && nova run
    """
    chosen = some_or_all(ids, failed, "--failed")
    if failed and (agent or model or text):
        raise UsageError("--agent, --model and --note need the tasks by name", hint="list them with nova status")
    return carry_out(Command(CommandKind.RETRY, chosen, text, downstream, agent=agent, model=model), plan)


def skip(ids: Ids, plan: PlanOf = None, directory: Directory = None) -> int:
    """Mark tasks as done without running them.

    Example: nova skip F3
    """
    return carry_out(Command(CommandKind.SKIP, tuple(ids)), plan)


def approve(
    ids: Ids,
    deny: Annotated[
        bool, typer.Option("--deny", help="Say no: deny what an agent asks for, or reject the work.")
    ] = False,
    plan: PlanOf = None,
    directory: Directory = None,
) -> int:
    """Approve tasks that need approval, or what their agents ask for.

    Those that need it before they start may start; of the others, the work counts as done. A running agent that
    asks for a permission may do this one thing.

    \b
    Examples:  nova approve F3 F4
               nova approve F3 --deny
    """
    return carry_out(Command(CommandKind.REJECT if deny else CommandKind.APPROVE, tuple(ids)), plan)


def reject(
    task: TaskId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason; kept with the task.")],
    plan: PlanOf = None,
    directory: Directory = None,
) -> int:
    """Reject a task that needs approval.

    It fails, with your reason.

    Example: nova reject F3 --reason "the API must stay compatible"
    """
    return carry_out(Command(CommandKind.REJECT, (task,), text=reason), plan)


def cancel(
    ids: SomeIds = None,
    every: Annotated[bool, typer.Option("--all", help="Every running task.")] = False,
    kill: Annotated[bool, typer.Option("--kill", help="Kill them at once, without a grace period.")] = False,
    plan: PlanOf = None,
    directory: Directory = None,
) -> int:
    """Stop running tasks.

    They count as failed (cancelled) and can be retried.

    \b
    Examples:  nova cancel F3
               nova cancel --all
    """
    return carry_out(Command(CommandKind.CANCEL, some_or_all(ids, every, "--all"), kill=kill), plan)


def pause(argument: PlanArgument = None, plan: PlanOf = None, directory: Directory = None) -> int:
    """Start no new tasks until nova resume.

    Running tasks continue.

    Example: nova pause
    """
    return carry_out(Command(CommandKind.PAUSE), plan or argument)


def resume(argument: PlanArgument = None, plan: PlanOf = None, directory: Directory = None) -> int:
    """Start tasks again after nova pause.

    Example: nova resume
    """
    return carry_out(Command(CommandKind.RESUME), plan or argument)
