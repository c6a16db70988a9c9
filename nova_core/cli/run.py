"""`nova run`: the interface on a terminal, else the engine on this thread with a view that fits the output."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nova_core.cli.interface import Ascii, Theme, wants_interface
from nova_core.cli.options import Directory, Plan, here
from nova_core.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from nova_core.cli.request import Request
    from nova_core.config import Config
    from nova_core.orchestrator import Orchestrator

Words = list[str] | None


def run(
    context: typer.Context,
    plan: Plan,
    ui: Annotated[
        bool | None,
        typer.Option(
            "--ui/--no-ui", help="Open the full-screen interface, or only print progress.", show_default=False
        ),
    ] = None,
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, metavar="N", help="Most workers at once.")] = None,
    command: Annotated[str | None, typer.Option(metavar="LINE", help="Shell line to run for every task.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Agent for every task (see nova doctor).")] = None,
    only: Annotated[Words, typer.Option(metavar="IDS", help="Only these tasks (comma separated, repeatable).")] = None,
    until: Annotated[Words, typer.Option(metavar="ID", help="Only this task and what it depends on.")] = None,
    branch: Annotated[Words, typer.Option(metavar="NAME", help="Only the tasks of this branch.")] = None,
    group: Annotated[Words, typer.Option(metavar="NAME", help="Only the tasks of this group.")] = None,
    phase: Annotated[
        Words, typer.Option(metavar="NAME", help="Only the tasks of this phase: 01-analysis, or analysis.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Print what would run; start nothing.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Like -n, with the reason for every task.")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Start nothing more after the first failure.")] = False,
    tick: Annotated[bool, typer.Option("--tick", help="Tick the boxes of finished tasks in a tasks.md.")] = False,
    retries: Annotated[int | None, typer.Option(min=0, metavar="N", help="Times to retry a failed task.")] = None,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Longest time for a task, such as 30m.")] = None,
    idle_timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Longest time without any output.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what was done and start over.")] = False,
    rerun_changed: Annotated[bool, typer.Option("--rerun-changed", help="Redo tasks whose plan text changed.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background; return once it has begun.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per event (docs/json-events.md).")] = False,
    junit: Annotated[str | None, typer.Option(metavar="FILE", help="Write the results as JUnit XML.")] = None,
    summary: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write what came of it as JSON (docs/ci.md).")
    ] = None,
    trace: Annotated[str | None, typer.Option(metavar="FILE", help="Write a trace for ui.perfetto.dev.")] = None,
    budget: Annotated[float | None, typer.Option(min=0, metavar="USD", help="Start nothing above this cost.")] = None,
    ascii_only: Ascii = False,
    theme: Theme = None,
    directory: Directory = None,
) -> int:
    """Run the plan.

    Every task starts when its dependencies are done, as many at once as allowed. Done tasks are not run again.
    On a terminal the full-screen interface opens; everywhere else progress is printed.

    \b
    Examples:  nova run
               nova run docs/plan.md -j 8
               nova run --until F4 --agent claude
               nova run tasks --phase analysis
               nova run --no-ui --json > events.jsonl
               nova run -n --explain

    The first Ctrl-C stops starting tasks and ends the workers; the second kills them. A lost terminal (SIGHUP)
    or a kill leaves the workers running: the next nova run takes them over.
    """
    if budget is not None and not math.isfinite(budget):
        raise UsageError("--budget: must be an amount of US dollars", hint="leave it out for no limit")
    project = here()
    flags = {
        "jobs": jobs, "command": command, "agent": (agent,) if agent else None, "retries": retries, "budget": budget,
        "timeout": seconds("--timeout", timeout), "idle_timeout": seconds("--idle-timeout", idle_timeout),
        "fail_fast": fail_fast or None, "tick": tick or None,
    }  # fmt: skip
    from nova_core.cli.request import Request, headless_arguments

    arguments = headless_arguments(context)
    if detach:
        from nova_core.cli.detach import start_detached

        return start_detached(project, arguments)
    from nova_core.plan.selection import Selection

    selection = Selection(
        only=split("--only", only),
        until=split("--until", until),
        branches=tuple(branch or ()),
        groups=tuple(group or ()),
        phases=tuple(phase or ()),
    )
    if dry_run or explain:
        from nova_core.cli.preview import preview

        return preview(
            plan, project, selection, configured(flags), fresh=fresh, rerun_changed=rerun_changed, reasons=explain
        )
    request = Request(
        plan, project, configured(flags), selection, fresh=fresh, rerun_changed=rerun_changed, junit=junit,
        summary=summary, trace=trace, arguments=arguments,
    )  # fmt: skip
    return carry_out(request, ui, as_json=as_json, ascii_only=ascii_only, theme=theme)


def seconds(flag: str, text: str | None) -> float | None:
    """The duration a flag was given."""
    if text is None:
        return None
    from nova_core.text import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        message, _, hint = str(error).partition(": ")
        raise UsageError(f"{flag}: {message}", hint=hint) from None


def split(flag: str, values: Words) -> tuple[str, ...]:
    """`--only F1,F2 --only F3` as three ids. Raises `UsageError` for no id: that must not mean every task."""
    words = tuple(word for value in values or () for part in value.split(",") if (word := part.strip()))
    if values and not words:
        raise UsageError(f"{flag} names no task", hint="leave it out for all tasks")
    return words


def configured(flags: dict[str, Any]) -> Config:
    """`nova.yaml` and the environment, with the given flags on top."""
    import msgspec

    from nova_core.config import load_config

    config = load_config(None, environ=os.environ)
    return msgspec.structs.replace(config, **{name: value for name, value in flags.items() if value is not None})


def carry_out(
    request: Request,
    ui: bool | None = None,
    *,
    as_json: bool = False,
    ascii_only: bool = False,
    theme: str | None = None,
) -> int:
    """Run it in the interface, or with a view that prints; `ui` as in `wants_interface`. Returns the exit code."""
    if wants_interface(ui, as_json=as_json):
        from nova_core.cli.session import run_interface

        return run_interface(request, ascii_only=ascii_only, theme=theme)
    engine = request.engine()
    try:
        return print_run(engine, request, as_json)
    finally:
        engine.close()


def print_run(engine: Orchestrator, request: Request, as_json: bool) -> int:
    """Run to the end and print what happens; returns the exit code."""
    import msgspec

    from nova_core.cli.views import choose_view

    view = choose_view(engine, request.project, as_json)
    engine.subscribe(view.event)
    try:
        with stopping(engine) as signals:
            result = engine.run()
    finally:
        view.close()
    if signals and result.exit_code:
        result = msgspec.structs.replace(result, exit_code=128 + signals[0])
    from nova_core.cli.ending import finish

    finish(engine.snapshot(), result, request, as_json=as_json)
    return result.exit_code


@contextmanager
def stopping(engine: Orchestrator) -> Iterator[list[int]]:
    """While it lasts, the first SIGINT or SIGTERM stops the run, the second kills the workers; yields the signals seen.

    SIGHUP keeps its default: it ends the engine as a crash would, and workers outlive a crash.
    """
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        engine.stop(kill=len(seen) > 1)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
