"""Which keys act, on what, and where they must not act."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from app_kit import answer, beat, big_source, opened, settled
from fake_source import demo_model, demo_source
from look import screen_text
from sampling import some
from textual.events import Key
from textual.pilot import Pilot

from nova_core.command import Command, CommandKind
from nova_core.runs.words import Shown
from nova_core.state.events import EventKind
from nova_core.state.schema import RunState, TaskStatus
from nova_core.watch.source import EngineState
from nova_tui.app import NovaApp, QuitChoice
from nova_tui.choice import Look
from nova_tui.palette import found
from nova_tui.screens.help import HelpScreen
from nova_tui.screens.log import LogScreen
from nova_tui.screens.quit import QuitScreen
from nova_tui.views.header import header
from nova_tui.views.members import Place


async def back(app: NovaApp, pilot: Pilot[QuitChoice]) -> None:
    """Return to the main screen, with no line to type into."""
    while app.screen is not app.main:
        app.pop_screen()
    await pilot.press("escape")
    await settled(pilot)


async def test_a_view_without_a_cursor_acts_on_no_task(tmp_path: Path) -> None:
    """The previous task is out of sight there."""
    source = demo_source(tmp_path)
    async with opened(source) as (app, pilot):
        for view in ("dollar_sign", "S"):
            app.main.tasks.go_to("P4")
            await pilot.press(view)
            await settled(pilot)
            assert app.target is None, view
            assert "r retry" not in screen_text(app), view
            await pilot.press("r", "x", "y")
            assert source.sent == [], view
            await back(app, pilot)


PLACES = ["", "t", "L", "slash", "colon", "enter", "q", "x", "question_mark"]


async def test_ctrl_c_asks_what_q_asks(tmp_path: Path) -> None:
    """On every screen and in every line to type into. A repeat, as of a held key, is no answer."""
    source = demo_source(tmp_path)
    async with opened(source) as (app, pilot):
        for before in PLACES:
            app.main.tasks.go_to("E2")
            await pilot.press(*before.split())
            burst(app, *["ctrl+c"] * 5)
            await settled(pilot)
            assert [type(screen).__name__ for screen in app.screen_stack].count("QuitScreen") == 1, before
            assert isinstance(app.screen, QuitScreen), before
            assert source.sent == [], before
            assert not app._exit, before
            await back(app, pilot)


async def test_a_held_key_does_not_answer_the_question(tmp_path: Path) -> None:
    """It moved the cursor, and its repeats arrive after ctrl+c."""
    async with opened(demo_source(tmp_path)) as (app, pilot):
        for key in ("k", "l"):
            burst(app, key, key, "ctrl+c", key, key)
            await settled(pilot)
            assert isinstance(app.screen, QuitScreen), key
            assert not app._exit, key
            await back(app, pilot)


@pytest.mark.parametrize(("key", "kill"), [("s", False), ("k", True)])
async def test_a_run_of_another_process_is_stopped(key: str, kill: bool, tmp_path: Path) -> None:
    """And the view stays until it has ended."""
    source = demo_source(tmp_path)
    source.owns_engine = False
    async with opened(source) as (app, pilot):
        await pilot.press("ctrl+c", key)
        await settled(pilot)
        assert source.sent == [Command(CommandKind.STOP, kill=kill)]
        assert app.screen is app.main


def test_the_help_names_what_stops_the_run(tmp_path: Path) -> None:
    """And none of Textual's own keys."""

    async def run() -> str:
        async with opened(demo_source(tmp_path)) as (app, pilot):
            await pilot.press("question_mark")
            await settled(pilot)
            assert isinstance(app.screen, HelpScreen)
            return screen_text(app)

    text = asyncio.run(run())
    assert "Stop the run" in text
    assert "Copy selected text" not in text


def test_the_palette_offers_what_the_footer_has_no_room_for(tmp_path: Path) -> None:
    """By the usual names of keys."""

    async def run() -> str:
        async with opened(demo_source(tmp_path)) as (app, pilot):
            app.main.tasks.go_to("E2")
            await pilot.press("colon", *"kill")
            await settled(pilot)
            return screen_text(app)

    assert "Kill  X  at once" in asyncio.run(run())


def test_the_log_knows_its_task_and_older_attempts(tmp_path: Path) -> None:
    """From any screen, with the name in the heading."""

    async def run() -> None:
        async with opened(demo_source(tmp_path)) as (app, pilot):
            app.main.tasks.go_to("P4")
            await pilot.press("enter")
            await settled(pilot)
            await pilot.press("L")
            await settled(pilot)
            assert isinstance(app.screen, LogScreen)
            assert "P4  attempt 3/3  Fuzz the reader  ✗ failed" in screen_text(app)
            await pilot.press("left_square_bracket")
            await settled(pilot)
            assert "P4  attempt 2/3" in screen_text(app)

    asyncio.run(run())


async def test_every_screen_can_be_drawn_in_ascii(tmp_path: Path) -> None:
    """Also the palette and the questions."""
    async with opened(demo_source(tmp_path), look=Look(ascii=True)) as (app, pilot):
        for key in ("enter", "L", "t", "d", "e", "dollar_sign", "S", "question_mark", "colon", "q", "x"):
            app.main.tasks.go_to("E2")
            await pilot.press(key)
            await settled(pilot)
            assert app.screen is not app.main
            text = screen_text(app)
            assert text.isascii(), (key, {c for c in text if not c.isascii()})
            app.pop_screen()
            await settled(pilot)


def test_a_view_without_control_can_take_control(tmp_path: Path) -> None:
    """Keys that would act say how; after `C`, which the footer names, they act."""

    async def run() -> None:
        source = demo_source(tmp_path, read_only=True)
        async with opened(source) as (app, pilot):
            app.main.tasks.go_to("P4")
            await settled(pilot)
            assert "C take control" in screen_text(app)
            await pilot.press("r")
            await settled(pilot)
            assert source.sent == []
            assert answer(app) == "view only: C takes control"
            await pilot.press("C", "r")
            beat(app)
            await settled(pilot)
            assert [c.kind for c in source.sent] == [CommandKind.RETRY]
            assert "take control" not in screen_text(app).splitlines()[-1]
            assert "view only" not in screen_text(app).splitlines()[0]

    asyncio.run(run())


def test_p_continues_a_run_without_an_engine(tmp_path: Path) -> None:
    """Only then: the line at the top, a notice and the footer say so."""

    async def run() -> None:
        source = demo_source(tmp_path)
        async with opened(source) as (app, pilot):
            assert not app.can("go_on")
            source.turn(EngineState.GONE)
            beat(app)
            await settled(pilot)
            assert "NO ENGINE RUNNING" in screen_text(app)
            assert "p continues" in app._engine_news()[0].text  # the notice itself waits behind many others
            assert "p continue" in screen_text(app).splitlines()[-1]
            await pilot.press("p")
            assert source.went_on == 1
            assert any("p continues" in item.text for item in app.news.items)
            source.turn(EngineState.RUNNING)
            beat(app)
            assert not any("p continues" in item.text for item in app.news.items)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("engine", "stopped", "left", "word"),
    [
        (EngineState.FINISHED, False, False, "FAILED"),
        (EngineState.FINISHED, True, True, "STOPPED"),
        (EngineState.GONE, False, True, "NO ENGINE RUNNING"),
        (EngineState.GONE, False, False, "FAILED"),
    ],
)
def test_the_header_shows_the_state_of_a_run_that_is_not_running(
    engine: EngineState, stopped: bool, left: bool, word: str
) -> None:
    """A failed run differs from a stopped one, and from one without an engine."""
    source = demo_source()
    model = demo_model(source)
    source.engine, source.was_stopped = engine, stopped
    for shown in (Shown.READY, Shown.RETRYING, Shown.RUNNING, Shown.VERIFYING):
        model.counts[shown] *= left
    assert header(model, 120).plain.strip().removeprefix(model.cascade.name).strip().startswith(word)


def test_the_header_shows_a_pause_even_when_nothing_runs() -> None:
    """Otherwise it would be unclear why nothing starts."""
    source = demo_source()
    model = demo_model(source)
    source.engine, source.run = EngineState.GONE, RunState(id="r1", paused=True)
    assert "NO ENGINE RUNNING   PAUSED" in header(model, 120).plain


def test_only_a_run_that_ran_is_reported_as_over(tmp_path: Path) -> None:
    """A finished run that is opened again shows no notice; if nothing could start, the notice says so."""

    async def run() -> None:
        source = big_source(2)
        async with opened(source) as (app, _):
            source.turn(EngineState.FINISHED)
            beat(app)
            source.turn(EngineState.RUNNING)
            for task in ("B0", "B1"):
                source.change(task, EventKind.TASK_COMPLETED, status=TaskStatus.COMPLETED)
            beat(app)
            source.engine = EngineState.FINISHED
            assert [item.word for item in app._engine_news()] == ["finished"]
            assert app._engine_news() == []
            source.change("B0", EventKind.TASK_FAILED, status=TaskStatus.FAILED)
            beat(app)
            assert [item.word for item in app._engine_news()] == ["nothing to start"]

    asyncio.run(run())


UNFIT = [
    ("E2", "r", "E2 is running: x cancels it"),
    ("P1", "x", "P1 is done: nothing to cancel"),
    ("P1", "X", "P1 is done: nothing to kill"),
    ("E4", "r", "E4 is blocked: press r on E3"),
    ("P4", "a", "P4 has failed: nothing to approve"),
    ("E2", "s", "E2 is running: x cancels it first"),
    ("D2", "r", "D2 needs approval: a approves it, R rejects it"),
]


async def test_a_key_that_does_not_fit_says_why(tmp_path: Path) -> None:
    """And which key works, if there is one."""
    source = demo_source(tmp_path)
    async with opened(source) as (app, pilot):
        for task, key, said in UNFIT:
            app.news.clear()
            app.main.tasks.go_to(task)
            await pilot.press(key)
            await settled(pilot)
            assert answer(app) == said
            assert source.sent == []


async def test_keys_for_tasks_ask_for_one_on_a_branch_without_such_tasks(tmp_path: Path) -> None:
    """There they have nothing to act on."""
    async with opened(demo_source(tmp_path)) as (app, pilot):
        app.news.clear()
        tree = app.main.tasks
        tree._place_cursor(next(i for i, row in enumerate(tree.rows) if row.place == Place("docs")))
        await pilot.press("r")
        await settled(pilot)
        assert answer(app) == "choose a task first; nova run --fresh runs everything again"


async def test_ctrl_c_after_the_end_says_what_q_does(tmp_path: Path) -> None:
    """On the main screen and on others."""
    source = demo_source(tmp_path)
    source.turn(EngineState.FINISHED)
    async with opened(source) as (app, pilot):
        for before, said in (("", "q quits"), ("L", "q goes back"), ("t", "q goes back")):
            app.news.clear()
            await pilot.press(*before, "ctrl+c")
            await settled(pilot)
            assert answer(app) == f"no task is running here: {said}", before
            await back(app, pilot)


async def test_a_question_names_its_keys_and_hides_those_behind_it(tmp_path: Path) -> None:
    """Enter is one of them; the others return with the screen."""
    async with opened(demo_source(tmp_path), (80, 24)) as (app, pilot):
        app.main.tasks.go_to("E2")
        await pilot.press("x")
        await settled(pilot)
        text = screen_text(app)
        assert "y or enter  Yes     n or esc  No" in text
        assert "q leave" not in text
        await pilot.press("escape")
        await settled(pilot)
        assert "q leave" in screen_text(app).splitlines()[-1]


@pytest.mark.parametrize("keys", some(["enter", "w", "t", "up up enter", "L"], "enter", "t"))
async def test_the_footer_follows_the_run_on_every_screen(keys: str, tmp_path: Path) -> None:
    """A finished task, a pause, and the end of the engine change the keys, without a key press."""
    source = demo_source(tmp_path)
    async with opened(source, (120, 30)) as (app, pilot):
        app.main.tasks.go_to("E2")
        await pilot.press(*keys.split())
        await settled(pilot)
        beat(app)
        await settled(pilot)
        assert "p pause" in screen_text(app).splitlines()[-1]
        source.run = msgspec.structs.replace(source.run, paused=True)
        beat(app)
        await settled(pilot)
        assert "p resume" in screen_text(app).splitlines()[-1]
        source.change("E2", EventKind.TASK_RESET, status=TaskStatus.PENDING, pid=None)
        source.turn(EngineState.FINISHED)
        beat(app)
        await settled(pilot)
        last = screen_text(app).splitlines()[-1]
        assert "p continue" in last
        assert "x cancel" not in last


async def test_copying_says_what_was_copied(tmp_path: Path) -> None:
    """A stray `y` changes the clipboard: the notice explains it."""
    async with opened(demo_source(tmp_path)) as (app, pilot):
        app.news.clear()
        app.main.tasks.go_to("E2")
        await pilot.press("y")
        await settled(pilot)
        assert answer(app).split(";")[0] == "sent the id E2 to the terminal"


@pytest.mark.parametrize(
    ("engine", "way"),
    [(EngineState.RUNNING, "q, then l, keeps the workers running"), (EngineState.FINISHED, "q leaves")],
)
async def test_ctrl_z_says_what_to_press_instead(engine: EngineState, way: str, tmp_path: Path) -> None:
    """A stopped interface would stop its engine, too."""
    source = demo_source(tmp_path)
    source.turn(engine)
    async with opened(source) as (app, pilot):
        app.news.clear()
        await pilot.press("ctrl+z")
        await settled(pilot)
        assert answer(app) == f"not ctrl+z: {way}"


async def test_copying_without_a_task_says_what_can_be_copied(tmp_path: Path) -> None:
    """On the row of the project nothing else would happen."""
    async with opened(demo_source(tmp_path)) as (app, pilot):
        for key in ("y", "Y"):
            app.news.clear()
            await pilot.press("g", key)
            await settled(pilot)
            assert answer(app) == "choose a task first: y copies its id, Y the path of its log", key


async def test_the_palette_offers_each_action_once(tmp_path: Path) -> None:
    """However many keys it has."""
    async with opened(demo_source(tmp_path)) as (app, _):
        names = [entry.text.split("  ")[0] for entry in found(app, app.screen, "")]
        assert len(names) == len(set(names))
        assert {"Leave", "Tree/log"} <= set(names)


def burst(app: NovaApp, *keys: str) -> None:
    """Keys that arrive together, as from a paste or over a slow link."""
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else {"slash": "/"}.get(key)))


async def test_keys_after_the_one_that_closes_a_screen_are_for_the_screen_behind(tmp_path: Path) -> None:
    """None is lost, and none acts in an unintended place."""
    source = demo_source(tmp_path)
    async with opened(source) as (app, pilot):
        for view in ("w", "enter", "L", "t", "dollar_sign", "question_mark"):
            app.main.tasks.go_to("P4")
            await pilot.press(view)
            await settled(pilot)
            assert app.screen is not app.main, view
            burst(app, "q", "slash", *"prs")
            await settled(pilot)
            assert app.main.bar.display, view
            assert app.main.bar.text == "prs", view
            assert source.sent == [], view
            await back(app, pilot)


async def test_keys_after_the_one_that_opens_a_screen_are_for_that_one(tmp_path: Path) -> None:
    """Also before it has been drawn."""
    source = demo_source(tmp_path)
    async with opened(source) as (app, pilot):
        app.main.tasks.go_to("D2")
        await settled(pilot)
        burst(app, "R", *"pars", "enter", "j")
        await settled(pilot)
        assert source.sent == [Command(CommandKind.REJECT, ("D2",), text="pars")]
        assert app.main.selected_task == "D3"
        burst(app, "t", "slash", *"xyz", "escape", "q", "k")
        await settled(pilot)
        assert app.main.selected_task == "D2"
        assert len(source.sent) == 1
