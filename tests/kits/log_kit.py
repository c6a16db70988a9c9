"""The log of one task on its screen, in an app without a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_source import FakeSource
from look import screen_text
from scripted_run import NOW
from textual.app import App
from textual.pilot import Pilot

from nova_core.clock import Clock
from nova_core.parser import parse_text
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.watch.view_model import ViewModel
from nova_tui.screens.log import LogScreen
from nova_tui.widgets.log_view import LogView

PLAN = """# Cycles

| Task ID | Task Name | What Changes | Depends On |
| --- | --- | --- | --- |
| T002 | Detect [/nope] cycles | what | - |
"""


class HandClock(Clock):
    """Half past two, until it is set."""

    time = 52_200.0

    def now(self) -> float:
        """The time it was set to."""
        return self.time


class LogApp(App[None]):
    """Shows one log screen, and counts layouts and messages."""

    def __init__(self, path: Path, attempt: int = 1) -> None:
        super().__init__()
        running = TaskState(status=TaskStatus.IN_PROGRESS, attempt=attempt)
        self.source = FakeSource(parse_text(PLAN, "PLAN.md"), {"T002": running}, root=path.parent.parent)
        self.model = ViewModel(self.source, NOW)
        self.log_screen = LogScreen(self.model, "T002", HandClock())
        self.follows: list[bool] = []

    def on_mount(self) -> None:
        """Show the log."""
        self.push_screen(self.log_screen)

    def look_again(self) -> None:
        """Show new output on the screen."""
        self.log_screen.take(self.model.apply(self.source.poll(), NOW), tick=False)

    @property
    def view(self) -> LogView:
        """The log's view."""
        return self.log_screen.view

    def on_log_view_follow_changed(self, event: LogView.FollowChanged) -> None:
        """Record the message."""
        self.follows.append(event.following)


Check = Callable[[LogApp, Pilot[None]], Any]


def drive(app: LogApp, check: Check, size: tuple[int, int] = (60, 10)) -> None:
    """Run the app without a terminal and do what `check` does."""

    async def main() -> None:
        async with app.run_test(size=size, notifications=True, tooltips=True) as pilot:
            await pilot.pause()
            await check(app, pilot)

    asyncio.run(main())


async def until(pilot: Pilot[None], done: Callable[[], bool]) -> None:
    """Let the app work until a condition holds."""
    for _ in range(500):
        if done():
            return
        await pilot.pause()
    raise AssertionError("it did not happen")


def rows(app: LogApp) -> list[str]:
    """The rows of the log on the screen, without the thumb."""
    return [line[:59].rstrip() for line in screen_text(app).split("\n")[1:10]]


def numbered(first: int, last: int) -> bytes:
    """Lines `line 7`."""
    return b"".join(b"line %d\n" % n for n in range(first, last + 1))


def log_of(root: Path) -> Path:
    """The path of the task's log, which may not exist yet."""
    (root / "logs").mkdir()
    return root / "logs" / "T002.log"
