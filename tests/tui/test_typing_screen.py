"""Keys on the screen of a terminal go to the worker, until ctrl+] leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from app_kit import answer, at, beat, opened, settled
from fake_source import FakeSource, demo_source
from textual import events
from textual.pilot import Pilot

from nova_core.command import CommandKind
from nova_core.runs.words import Shown
from nova_core.watch.source import EngineState
from nova_tui.app import NovaApp, QuitChoice
from nova_tui.screens.typing import TypingScreen


def asking(root: Path, *, read_only: bool = False) -> tuple[FakeSource, str]:
    """The scripted run, in which a running task has a terminal and asks; and the task."""
    source = demo_source(root, read_only=read_only)
    source.poll()
    task_id = next(i for i, state in source.tasks.items() if state.is_running and not state.verifying)
    state = source.tasks[task_id]
    source.tasks[task_id] = msgspec.structs.replace(state, terminal=True, question="Overwrite? [y/N]")
    source.project.latest_log(task_id).parent.mkdir(exist_ok=True)
    source.project.latest_log(task_id).write_bytes(b"\x1b[1mOverwrite?\x1b[0m [y/N] ")
    return source, task_id


def typed(source: FakeSource) -> str:
    """What was typed."""
    return "".join(command.text for command in source.sent if command.kind is CommandKind.TYPE)


async def until(pilot: Pilot[QuitChoice], holds: Callable[[], object]) -> None:
    """Wait for what the app does after its next drawing."""
    deadline = time.monotonic() + 60.0
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        await pilot.pause(0.01)


def sizes(source: FakeSource) -> list[str]:
    """The sizes that the terminal got."""
    return [command.text for command in source.sent if command.kind is CommandKind.RESIZE]


def heading(app: NovaApp) -> str:
    """The first line of the front screen."""
    assert isinstance(app.screen, TypingScreen)
    return app.screen._heading._content.plain.strip()


def test_keys_and_pastes_go_to_the_worker_until_it_is_left(tmp_path: Path) -> None:
    """Also those that mean something everywhere else; the terminal gets the size of the screen."""
    source, task_id = asking(tmp_path)

    async def run() -> None:
        async with opened(source, size=(100, 30)) as (app, pilot):
            assert app.model.shown(task_id) is Shown.ASKS
            assert app.model.needing()[0] == task_id
            at(app, task_id)
            await pilot.press("i")
            await settled(pilot)
            assert heading(app).startswith(f"typing into {task_id} - ctrl+] leaves")
            assert isinstance(app.screen, TypingScreen)
            app.screen.view.poll()
            assert app.screen.view.emulator.text[0] == "Overwrite? [y/N]"
            await pilot.press("y", "q", "escape", "ctrl+c", "up", "1", "tab", "question_mark", "enter")
            await app.on_event(events.Paste("a\nb"))
            await settled(pilot)
            await until(pilot, lambda: len(typed(source)) >= 13)
            assert typed(source) == "yq\x1b\x03\x1b[A1\t?\ra\rb"
            await until(pilot, lambda: sizes(source) == ["100x28"])
            assert all(command.ids == (task_id,) for command in source.sent)
            await pilot.resize_terminal(60, 20)
            await until(pilot, lambda: sizes(source) == ["100x28", "60x18"])
            await pilot.press("ctrl+right_square_bracket")
            await settled(pilot)
            assert len(app.screen_stack) == 1

    asyncio.run(run())


def test_a_terminal_that_nobody_reads_takes_no_keys(tmp_path: Path) -> None:
    """The worker has ended, then the task leaves the plan: the screen says so, and esc leaves."""
    source, task_id = asking(tmp_path)

    async def run() -> None:
        async with opened(source) as (app, pilot):
            at(app, task_id)
            await pilot.press("i")
            await settled(pilot)
            before = len(source.sent)
            source.engine = EngineState.GONE
            beat(app)
            await settled(pilot)
            assert "no engine running" in heading(app)
            await pilot.press("y")
            assert len(source.sent) == before
            await pilot.press("escape")
            await settled(pilot)
            assert len(app.screen_stack) == 1

    asyncio.run(run())


def test_a_key_that_cannot_type_says_why(tmp_path: Path) -> None:
    """A task without a terminal, and a viewer who only looks."""
    for read_only, said in ((False, "has no terminal"), (True, "C takes control")):
        source, task_id = asking(tmp_path, read_only=read_only)
        if not read_only:
            source.tasks[task_id] = msgspec.structs.replace(source.tasks[task_id], terminal=False)

        async def run(source: FakeSource = source, task_id: str = task_id, said: str = said) -> None:
            async with opened(source) as (app, pilot):
                at(app, task_id)
                await pilot.press("i")
                await settled(pilot)
                assert len(app.screen_stack) == 1
                assert said in answer(app)

        asyncio.run(run())
