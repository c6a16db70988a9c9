"""`nova run`: opens the interface on a terminal, else runs the engine on this thread with a suitable view."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import typer

from nova_core.cli.choosing import place_for
from nova_core.cli.interface import is_attended, wants_interface
from nova_core.cli.options import expanded, here
from nova_core.cli.run_options import RunFlags
from nova_core.console.terminal import SHOW_CURSOR, Wishes, is_ignored, whole_after_abrupt_end
from nova_core.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from nova_core.cli.request import RunRequest
    from nova_core.config import Config
    from nova_core.orchestrator import Orchestrator


@expanded(RunFlags)
def run(context: typer.Context, given: RunFlags) -> int:
    """Run the plan.

    Each task starts when its dependencies are done, in parallel up to the limits. Done tasks do not run again.
    On a terminal the full-screen interface opens; elsewhere progress is printed.

    \b
    Examples:  nova run
               nova run docs/plan.md -j 8
               nova run --until F4 --agent claude
               nova run tasks --phase analysis
               nova run --no-ui --json > events.jsonl
               nova run -n --explain

    The first Ctrl-C starts no more tasks and stops the workers; the second kills them. If the terminal is lost
    (SIGHUP) or nova is killed, the workers continue, and the next nova run takes them over.
    """
    settings = given.settings()
    project = place_for(given.plan) if os.path.exists(given.plan) else here()
    from nova_core.cli.files import check_writable
    from nova_core.cli.request import RunRequest, headless_arguments

    check_writable({"--junit": given.junit, "--summary": given.summary, "--trace": given.trace})
    arguments = headless_arguments(context)
    if given.detach:
        from nova_core.cli.detach import start_detached

        return start_detached(project, arguments)
    request = RunRequest(
        given.plan, project, configured(settings), given.selection(), fresh=given.fresh,
        rerun_changed=given.rerun_changed, junit=given.junit, summary=given.summary, trace=given.trace,
        attended=given.background or bool(given.ui) or is_attended(), arguments=arguments,
    )  # fmt: skip
    if given.dry_run or given.explain:
        from nova_core.cli.preview import preview, preview_json

        return preview_json(request) if given.as_json else preview(request, reasons=given.explain)
    return carry_out(request, given.ui, as_json=given.as_json, ascii_only=given.ascii_only, theme=given.theme)


def configured(settings: Mapping[str, Any]) -> Config:
    """`nova.yaml` and the environment, overridden by the given settings."""
    import msgspec

    from nova_core.config import load_config

    config = load_config(None, environ=os.environ)
    inner = {name.removeprefix("git."): value for name, value in settings.items() if name.startswith("git.")}
    outer = {name: value for name, value in settings.items() if not name.startswith("git.")}
    config = msgspec.structs.replace(config, **outer, git=msgspec.structs.replace(config.git, **inner))
    if "agent" in settings or config.origins.get("agent") == "NOVA_AGENT":
        check_agents("--agent" if "agent" in settings else "NOVA_AGENT", config)
    return config


def check_agents(where: str, config: Config) -> None:
    """Raise `UsageError` for the first preferred agent that neither nova.yaml nor Nova knows."""
    from nova_core.launch.invocation import agents_known, settings_hint

    known = agents_known(config)
    for name in config.agent:
        if name not in known:
            from nova_core.cli.names import near_names
            from nova_core.text import clean

            near = near_names(name, known)
            hint = f"did you mean {clean(near[0])}? " if near else ""
            hint += f"known: {clean(', '.join(known))}"
            hint = settings_hint(config, [name]) or hint
            raise UsageError(f"{where}: there is no agent {clean(name)[:80]}", hint=hint)


def carry_out(
    request: RunRequest,
    ui: bool | None = None,
    *,
    as_json: bool = False,
    ascii_only: bool = False,
    theme: str | None = None,
) -> int:
    """Run in the interface, or with a printing view; `ui` as in `wants_interface`. Returns the exit code."""
    if wants_interface(ui, as_json=as_json):
        from nova_core.cli.session import run_interface

        return run_interface(request, ascii_only=ascii_only, theme=theme)
    with closing(request.engine()) as engine:
        return print_run(engine, request, as_json)


def print_run(engine: Orchestrator, request: RunRequest, as_json: bool) -> int:
    """Run to the end and print the progress; returns the exit code."""
    import msgspec

    from nova_core.cli.views import choose_view

    view = choose_view(engine, request.project, as_json)
    engine.subscribe(view.event)
    try:
        with whole_after_abrupt_end(1, SHOW_CURSOR), stopping(engine) as signals:
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
    """In this context the first SIGINT or SIGTERM stops the run, the second kills the workers; yields the signals seen.

    A Ctrl-C that follows at once is the same wish: terminals repeat a key that is held.
    One that is ignored, as SIGINT is in the background of a script, stays ignored. SIGHUP keeps its default: it ends
    the engine as a crash would, and workers outlive a crash.
    """
    seen: list[int] = []
    wishes = Wishes()

    def handle(number: int, frame: FrameType | None) -> None:
        if wishes.is_new(number):
            seen.append(number)
            engine.stop(kill=len(seen) > 1)

    wanted = (number for number in (signal.SIGINT, signal.SIGTERM) if not is_ignored(number))
    before = {number: signal.signal(number, handle) for number in wanted}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
