"""A bug in one key or in one drawing is reported, and the interface stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_kit import beat, opened, settled
from fake_source import demo_source
from look import screen_text
from resting import draw
from sampling import some
from textual.pilot import Pilot

from nova_tui.app import NovaApp
from nova_tui.widgets.task_tree import TaskTree

WORDS = "that did not work (details in "


def failing(left: list[int], real: Callable[..., Any]) -> Callable[..., Any]:
    """Fails as many times as `left` counts down from, then acts as `real`."""

    def act(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise RuntimeError("a bug")
        return real(*arguments)

    return act


async def by_key(app: NovaApp, pilot: Pilot[Any], patch: pytest.MonkeyPatch, times: int) -> None:
    """Keys whose action fails."""
    patch.setattr(app.main, "action_filter", failing([times], app.main.action_filter))
    await pilot.press(*["f"] * times)


async def by_drawing(app: NovaApp, pilot: Pilot[Any], patch: pytest.MonkeyPatch, times: int) -> None:
    """Drawings that fail."""
    left = [times]
    patch.setattr(app.main.tasks, "render_line", failing(left, app.main.tasks.render_line))
    for number in range(times):
        app.main.tasks.refresh()
        while left[0] > times - 1 - number:
            app.call_later(draw, app.screen)  # drawn by the app: `settled` draws, too, and would fail the test
            await asyncio.sleep(0)


async def by_message(app: NovaApp, pilot: Pilot[Any], patch: pytest.MonkeyPatch, times: int) -> None:
    """Messages to a widget that fail: Textual would end the widget."""
    patch.setattr(TaskTree, "on_resize", failing([times], TaskTree.on_resize))
    for width in range(times):
        await pilot.resize_terminal(100 + width, 30)
        await settled(pilot)


async def by_update(app: NovaApp, pilot: Pilot[Any], patch: pytest.MonkeyPatch, times: int) -> None:
    """Updates that fail; the pump continues."""
    patch.setattr(app.source, "poll", failing([times], app.source.poll))
    for _ in range(times):
        app.call_later(app.pump.beat)
        await settled(pilot)


BUGS = [by_key, by_drawing, by_message, by_update]


@pytest.mark.parametrize("cause", BUGS, ids=lambda cause: cause.__name__)
async def test_one_bug_is_one_line(cause: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names a file with the details; keys, drawing and updates continue."""
    (tmp_path / ".nova").mkdir()
    async with opened(demo_source(tmp_path)) as (app, pilot):
        await cause(app, pilot, monkeypatch, 1)
        await settled(pilot)
        (report,) = (tmp_path / ".nova").glob("crash-*.txt")
        assert "RuntimeError: a bug" in report.read_text()
        assert app.news.answered is not None
        assert app.news.answered.said == f"{WORDS}{report})"
        beat(app)
        await pilot.press("G", "f")
        await settled(pilot)
        assert "only failed" in screen_text(app)


@pytest.mark.parametrize("cause", some(BUGS, by_drawing), ids=lambda cause: cause.__name__)
async def test_two_bugs_within_a_second_end_it(
    cause: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, with the bug as the reason."""
    (tmp_path / ".nova").mkdir()

    async def run() -> None:
        async with opened(demo_source(tmp_path)) as (app, pilot):
            monkeypatch.setattr(app.clock, "monotonic", lambda: 5.0)
            await cause(app, pilot, monkeypatch, 2)
            await settled(pilot)
            assert isinstance(app.failure, RuntimeError)

    with pytest.raises(RuntimeError, match="a bug"):
        await run()


async def test_bugs_far_apart_are_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own line."""
    (tmp_path / ".nova").mkdir()
    async with opened(demo_source(tmp_path)) as (app, pilot):
        for moment in (100.0, 102.0, 104.0):
            monkeypatch.setattr(app.clock, "monotonic", lambda moment=moment: moment)
            await by_key(app, pilot, monkeypatch, 1)
        await settled(pilot)
        assert app.failure is None
