"""The app on a fake source with a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fake_source import FakeSource
from scripted_run import NOW
from textual.pilot import Pilot

from nova_core.clock import Clock
from nova_core.parser import parse_text
from nova_tui.app import NovaApp, QuitChoice
from nova_tui.choice import Look
from nova_tui.pump import Pump


class StillClock(Clock):
    """Wall time stands still, so that pictures do not change; the other clock runs."""

    def now(self) -> float:
        """The end of the scripted run."""
        return NOW


class StillPump(Pump):
    """Looks at the source only when a test asks for it."""

    def start(self) -> None:
        """Start nothing: the test calls `beat`."""


@asynccontextmanager
async def opened(
    source: FakeSource,
    size: tuple[int, int] = (120, 40),
    look: Look = Look(),  # noqa: B008 - frozen
    *,
    drawn: bool = False,
) -> AsyncIterator[tuple[NovaApp, Pilot[QuitChoice]]]:
    """The app, after it handled what the source had queued; `drawn` before that, if it is slower than usual."""
    app = NovaApp(source, look, StillClock())
    app.pump = StillPump(app, app._look, app.clock)
    async with app.run_test(size=size, notifications=True, tooltips=True) as pilot:
        if drawn:
            await settled(pilot)
        beat(app)
        await settled(pilot)
        yield app, pilot


def answer(app: NovaApp) -> str:
    """What the line of news says to the last key."""
    return app.news.answered.text if app.news.answered is not None else ""


def beat(app: NovaApp) -> None:
    """One look at the source, now."""
    app.pump.look_now(tick=True)


async def settled(pilot: Pilot[QuitChoice]) -> None:
    """Wait until every request has been handled and drawn."""
    await pilot.pause()


def big_source(count: int, per_group: int = 50) -> FakeSource:
    """A plan of `count` tasks without dependencies, in groups."""
    head = "| Task ID | Task Name | What Changes | Depends On |\n| --- | --- | --- | --- |\n"
    groups = []
    for first in range(0, count, per_group):
        rows = "".join(f"| B{n} | Task {n} | what | - |\n" for n in range(first, min(count, first + per_group)))
        groups.append(f"### L2: group {first // per_group}\n\n{head}{rows}\n")
    return FakeSource(parse_text("# Big\n\n## L1: all\n\n" + "".join(groups), "BIG.md"))


def at(app: NovaApp, task_id: str) -> None:
    """Put the cursor on a task."""
    assert app.main.tasks.go_to(task_id)


def drive(source: FakeSource, *keys: str, start: str = "P4") -> NovaApp:
    """Press keys with the cursor on `start`; returns the app afterwards."""

    async def run() -> NovaApp:
        async with opened(source) as (app, pilot):
            at(app, start)
            await settled(pilot)
            for key in keys:
                await pilot.press(key)
                await settled(pilot)
            app.screen_then = app.screen  # type: ignore[attr-defined]
            return app

    return asyncio.run(run())
