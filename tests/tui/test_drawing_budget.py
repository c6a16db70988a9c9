"""The cost of drawing, in layouts and lines, with a thousand and with ten thousand tasks."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from app_kit import beat, big_source, opened, settled
from fake_source import FakeSource
from sampling import some
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.timer import Timer

from nova_core.clock import Clock
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus
from nova_tui.app import NovaApp, QuitChoice
from nova_tui.folds import Folds
from nova_tui.pump import FASTEST, IDLE, SLOWEST, USUAL, Pace, Pump
from nova_tui.views.members import Place
from nova_tui.widgets.task_tree import TaskTree


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a screen was laid out and a line of the tree was drawn."""
    found: Counter[str] = Counter()
    lay_out, draw = Screen._refresh_layout, TaskTree.render_line

    def counted_layout(self: Screen[object], *args: object, **options: object) -> None:
        found["layouts"] += 1
        lay_out(self, *args, **options)  # type: ignore[arg-type]

    def counted_line(self: TaskTree, y: int) -> object:
        found["lines"] += 1
        return draw(self, y)

    monkeypatch.setattr(Screen, "_refresh_layout", counted_layout)
    monkeypatch.setattr(TaskTree, "render_line", counted_line)
    return found


def unfolded(app: NovaApp) -> None:
    """Open every branch: a large plan begins with closed ones."""
    tree = app.main.tasks
    tree.folds = Folds()
    tree.folds.begun = True
    tree.go_back(Place("all", "group 0", "B0"))
    tree._rebuild()
    tree.action_edge(False)
    tree.go_to("B0")


async def busy(source: FakeSource, app: NovaApp, pilot: Pilot[QuitChoice]) -> None:
    """As many running tasks as the list above the plan has room for: its height changes no more."""
    unfolded(app)
    for n in range(100, 140):
        source.change(f"B{n}", status=TaskStatus.IN_PROGRESS, attempt=1)
    beat(app)
    app.main.tasks.go_to("B0")
    await settled(pilot)


@pytest.mark.parametrize("size", some([1_000, 10_000], 1_000))
def test_an_update_costs_its_visible_rows(size: int, counts: Counter[str]) -> None:
    """200 changes, 5 of them in view: those 5 rows and the two above them; no layout."""

    async def run() -> None:
        source = big_source(size)
        async with opened(source) as (app, pilot):
            await busy(source, app, pilot)
            for task in [*(f"B{n}" for n in range(5)), *(f"B{n}" for n in range(size - 195, size))]:
                source.change(task, status=TaskStatus.IN_PROGRESS, progress=10)
            counts.clear()
            app.pump.look_now(tick=False)
            await settled(pilot)
            assert counts["layouts"] == 0
            assert counts["lines"] <= 5 + 3 + 2

    asyncio.run(run())


@pytest.mark.parametrize("size", some([1_000, 10_000], 1_000))
def test_changes_out_of_view_draw_only_the_sums(size: int, counts: Counter[str]) -> None:
    """The rows of the branch."""

    async def run() -> None:
        source = big_source(size)
        async with opened(source) as (app, pilot):
            await busy(source, app, pilot)
            await pilot.press("j")  # from now on the cursor does not follow running tasks
            for n in range(size - 200, size):
                source.change(f"B{n}", status=TaskStatus.IN_PROGRESS)
            counts.clear()
            app.pump.look_now(tick=False)
            await settled(pilot)
            assert counts["layouts"] == 0
            assert counts["lines"] <= 4

    asyncio.run(run())


def test_nothing_lays_out_in_steady_state(counts: Counter[str]) -> None:
    """Fifty looks with changes and ticks."""

    async def run() -> None:
        source = big_source(1_000)
        async with opened(source) as (app, pilot):
            await busy(source, app, pilot)
            source.change("B1", status=TaskStatus.IN_PROGRESS, started_at="2023-11-14T22:13:20+00:00", attempt=1)
            beat(app)
            await settled(pilot)
            counts.clear()
            for n in range(50):
                source.change(f"B{n % 30}", progress=n, current_step=f"step {n}")
                beat(app)
                await pilot.pause()
            assert counts["layouts"] == 0

    asyncio.run(run())


def test_the_pinned_list_and_the_news_cost_nothing_for_other_events() -> None:
    """A hundred steps of tasks that are not listed, and their ends; a listed task and a failure are drawn."""

    async def run() -> None:
        source = big_source(1_000)
        async with opened(source) as (app, pilot):
            await busy(source, app, pilot)
            await settled(pilot)
            pinned, news = app.main.running, app.main.news_line
            before = pinned.drawn, news.drawn
            for n in range(500, 600):
                source.change(f"B{n}", EventKind.TASK_COMPLETED, status=TaskStatus.COMPLETED)
                app.pump.look_now(tick=False)
            assert (pinned.drawn, news.drawn) == before
            source.change(pinned.ids[0], EventKind.TASK_PROGRESS, current_step="a step")
            source.change("B700", EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="boom")
            app.pump.look_now(tick=False)
            assert (pinned.drawn, news.drawn) == (before[0] + 1, before[1] + 1)

    asyncio.run(run())


def test_a_key_draws_two_rows(counts: Counter[str]) -> None:
    """The row the cursor left and the one it reached."""

    async def run() -> None:
        async with opened(big_source(10_000)) as (app, pilot):
            unfolded(app)
            await settled(pilot)
            counts.clear()
            await pilot.press("j")
            assert app.main.selected_task == "B1"
            await settled(pilot)
            assert counts["layouts"] == 0
            assert counts["lines"] <= 4

    asyncio.run(run())


@pytest.mark.parametrize(
    ("took", "changes", "wait"),
    [(0.0, 0, IDLE), (0.001, 3, FASTEST), (0.001, 500, USUAL), (0.05, 500, 0.5), (3.0, 500, SLOWEST)],
)
def test_looking_takes_a_small_part_of_the_time(took: float, changes: int, wait: float) -> None:
    """Few changes are shown soon, many at the usual rate, and slow ones more rarely."""
    assert Pace().after(took, changes) == pytest.approx(wait)


async def test_a_late_timer_does_not_end_the_looks() -> None:
    """Textual leaves out a timer that a busy machine makes late: the pump must not hang on one."""

    class Late(App[None]):
        def set_timer(self, *_args: object, **_options: object) -> Timer:
            return Timer(self, 1e9)

    looks, three = [0], asyncio.Event()

    def look(tick: bool) -> int:
        looks[0] += 1
        if looks[0] == 3:
            three.set()
        return 1

    app = Late()
    async with app.run_test():
        Pump(app, look, Clock()).start()
        await asyncio.wait_for(three.wait(), 60)
