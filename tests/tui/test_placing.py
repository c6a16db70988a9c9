"""Where the cursor moves by itself, and what task keys do on a branch."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_kit import beat, opened, settled
from fake_source import FakeSource, demo_model, demo_source
from look import screen_text

from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus
from nova_core.watch.source import EngineState
from nova_core.watch.view_model import ViewModel
from nova_tui.app import NovaApp
from nova_tui.placing import Placing
from nova_tui.screens.confirm import ConfirmScreen
from nova_tui.screens.deps import DepsScreen
from nova_tui.screens.log import LogScreen
from nova_tui.screens.task import TaskScreen
from nova_tui.views import members
from nova_tui.views.members import Place


def ended() -> FakeSource:
    """The scripted run, after its engine has ended and nothing is running."""
    source = demo_source()
    for task in ("E2", "E5", "W1"):
        source.change(task, status=TaskStatus.COMPLETED, verifying=False)
    source.turn(EngineState.FINISHED)
    return source


def over() -> tuple[Placing, ViewModel]:
    """A run that has just ended."""
    model = demo_model(ended())
    return Placing(model), model


def test_the_end_leads_to_what_needs_a_person_once() -> None:
    """First to an approval; also if a run that is over is opened."""
    placing, _ = over()
    assert placing.wanted("P1") == "D2"
    assert placing.wanted("P1") is None


def test_the_cursor_stays_on_a_failure() -> None:
    """The user may be reading about it."""
    placing, _ = over()
    assert placing.wanted("E3") is None
    assert placing.wanted("P1") is None


def test_a_moved_cursor_stays() -> None:
    """However long ago; also after another screen."""
    placing, _ = over()
    placing.moved()
    assert placing.wanted("P1") is None
    placing, _ = over()
    placing.returned()
    assert placing.wanted("P1") is None


async def test_the_cursor_does_not_move_below_a_question() -> None:
    """The subject of the question stays in view."""
    source = demo_source()
    async with opened(source) as (app, pilot):
        await app.push_screen(ConfirmScreen("Sure?"))
        before = app.main.selected_task
        source.turn(EngineState.FINISHED)
        beat(app)
        await settled(pilot)
        assert app.main.selected_task == before


def test_a_run_that_continues_can_end_again() -> None:
    """After a retry the next end leads to a failure, if no task needs approval."""
    placing, model = over()
    assert placing.wanted("P1") == "D2"
    model.source.change("D2", EventKind.TASK_COMPLETED, status=TaskStatus.COMPLETED, approval=None)  # type: ignore[attr-defined]
    model.apply(model.source.poll(), model.now)
    model.source.turn(EngineState.RUNNING)  # type: ignore[attr-defined]
    assert placing.wanted("P1") is None
    model.source.turn(EngineState.FINISHED)  # type: ignore[attr-defined]
    assert placing.wanted("P1") == "P4"


@pytest.mark.parametrize("drawn", [False, True])
async def test_a_finished_run_opens_on_what_needs_a_person(drawn: bool) -> None:
    """An approval before a failure; also if what is quiet was folded before the first look at the run."""
    async with opened(ended(), drawn=drawn) as (app, _):
        assert app.main.selected_task == "D2"


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (Place(), ("P4", "the first failed task")),
        (Place("web"), ("A2", "the first failed task")),
        (Place("docs"), None),
        (Place("core", "engine"), ("E3", "the first failed task")),
    ],
)
def test_a_failed_task_represents_its_branch(place: Place, found: tuple[str, str] | None) -> None:
    """The first one in the order of the plan; tasks that need approval or wait do not count."""
    assert members.leading(demo_model(), place) == found


def test_otherwise_a_running_task_represents_the_branch() -> None:
    """If nothing has failed."""
    source = demo_source()
    source.change("W4", status=TaskStatus.COMPLETED, reason=None)
    assert members.leading(demo_model(source), Place("web", "pages")) == ("W1", "the first running task")


async def on_engine(app: NovaApp, pilot: object) -> None:
    """Put the cursor on a group."""
    tree = app.main.tasks
    tree._place_cursor(next(i for i, row in enumerate(tree.rows) if row.place == Place("core", "engine")))
    app.main._rested()
    await settled(pilot)  # type: ignore[arg-type]


async def test_keys_on_a_group_act_on_the_task_that_represents_it() -> None:
    """And say which."""
    async with opened(demo_source()) as (app, pilot):
        for key, screen in (("L", LogScreen), ("w", TaskScreen), ("d", DepsScreen)):
            app.news.clear()
            await on_engine(app, pilot)
            await pilot.press(key)
            await settled(pilot)
            assert isinstance(app.screen, screen)
            beat(app)
            await settled(pilot)
            assert "E3: the first failed task here" in screen_text(app)
            app.pop_screen()
            await settled(pilot)


async def test_the_log_of_a_group_is_that_of_the_task_that_represents_it(tmp_path: Path) -> None:
    """The rule above it names its owner."""
    async with opened(demo_source(tmp_path), (100, 40)) as (app, pilot):
        await on_engine(app, pilot)
        text = screen_text(app)
        assert "log of E3, the first failed task" in text
        assert "E3 line 60: working on Lock the state" in text


@pytest.mark.parametrize("key", ["L", "w"])
async def test_a_group_without_such_a_task_asks_to_choose_one(key: str) -> None:
    """Nothing has failed or is running there."""
    source = demo_source()
    source.change("D2", EventKind.TASK_COMPLETED, status=TaskStatus.COMPLETED, approval=None)
    async with opened(source) as (app, pilot):
        tree = app.main.tasks
        tree._place_cursor(next(i for i, row in enumerate(tree.rows) if row.place == Place("docs")))
        app.main._rested()
        await pilot.press(key)
        await settled(pilot)
        assert app.screen is app.main
        assert "choose a task" in screen_text(app)
