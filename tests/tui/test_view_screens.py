"""The view screens by their keys: what each shows, where it leads, and its cost while nothing changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fake_source import FakeSource, demo_model, demo_source, hostile_source
from look import Golden, screen_text
from sampling import sampled
from scripted_run import NOW
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input
from view_kit import ascii_only

from nova_core.watch.view_model import ViewModel
from nova_tui.screens import open_view
from nova_tui.screens.ask import AskScreen
from nova_tui.screens.base import ViewScreen
from nova_tui.screens.confirm import ConfirmScreen
from nova_tui.screens.deps import DepsScreen
from nova_tui.screens.events import EventsScreen
from nova_tui.screens.group import GroupScreen
from nova_tui.screens.help import HelpScreen
from nova_tui.screens.rerun import RerunScreen
from nova_tui.screens.task import TaskScreen
from nova_tui.screens.timeline import TimelineScreen

VIEWS = ("timeline", "deps", "events", "cost", "summary")
WIDE, NARROW, TINY = (120, 40), (80, 24), (40, 10)


class Shell(App[None]):
    """An app that shows one screen above an empty one."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.first = screen
        self.answers: list[Any] = []

    def on_mount(self) -> None:
        """Show it."""
        self.push_screen(self.first, self.answers.append)


def running(screen: Screen[Any], size: tuple[int, int] = NARROW) -> Any:
    """The app under test, with all visible features switched on."""
    return Shell(screen).run_test(size=size, notifications=True, tooltips=True)


async def settle(pilot: Pilot[Any]) -> None:
    """Let layout and drawing come to rest."""
    await pilot.pause()


@pytest.mark.parametrize(("name", "size"), sampled(VIEWS, [WIDE, NARROW, TINY]))
async def test_a_view_fits_its_screen(name: str, size: tuple[int, int], golden: Golden) -> None:
    """What was drawn for the view is what the screen shows."""
    async with running(open_view(name, demo_model(), "E3"), size) as pilot:
        await settle(pilot)
        golden(f"screen_{name}_{size[0]}x{size[1]}", screen_text(pilot.app))


@pytest.mark.parametrize("size", [WIDE, NARROW, TINY])
async def test_the_task_screen_shows_details_and_log(size: tuple[int, int], golden: Golden, tmp_path: Path) -> None:
    """Beside each other where there is room, else one above the other."""
    async with running(TaskScreen(demo_model(demo_source(tmp_path)), "P4"), size) as pilot:
        await settle(pilot)
        golden(f"screen_task_{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_drilling_down_and_back_up(golden: Golden) -> None:
    """From the project to a branch, a group and a task, and one step back with each escape."""
    async with running(GroupScreen(demo_model())) as pilot:
        app, seen = pilot.app, []
        for key in ("j", "enter", "enter", "j", "enter"):
            await pilot.press(key)
            await settle(pilot)
            seen.append(screen_text(app).splitlines()[0])
        assert isinstance(app.screen, TaskScreen)
        assert app.screen.selected_task == "A2"
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen.selected_task == "A2"  # the cursor is where it was
        await pilot.press("escape", "escape", "escape")
        assert app.screen is not app.first
        golden("drill_down_titles", "\n".join(seen))


async def test_views_lead_to_each_other_and_keep_the_task() -> None:
    """Each view is one key away from the others, and keeps the task of the previous one."""
    async with running(open_view("timeline", demo_model(), "E3")) as pilot:
        await settle(pilot)
        assert pilot.app.screen.selected_task == "E3"
        await pilot.press("d")
        await settle(pilot)
        assert isinstance(pilot.app.screen, DepsScreen)
        assert "▼ is needed by\n   └─ ■ E4" in screen_text(pilot.app)
        await pilot.press("j")
        await settle(pilot)
        assert pilot.app.screen.selected_task == "E4"
        await pilot.press("e", "dollar_sign", "escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, ViewScreen)


async def test_enter_opens_the_task_of_a_bar_and_of_an_event() -> None:
    """Every line about a task leads to it."""
    async with running(open_view("events", demo_model(), None)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(pilot.app.screen, TaskScreen)
        assert pilot.app.screen.task_id == "D3"
        await pilot.press("right_square_bracket")
        assert pilot.app.screen.task_id == "D4"


async def test_the_cursor_stays_on_its_event_and_follows_the_end() -> None:
    """New events scroll in at the end unless the user has moved away from it."""
    source = demo_source()
    model = demo_model(source)
    screen = EventsScreen(model)
    async with running(screen) as pilot:
        await settle(pilot)
        await pilot.press("g")
        key = screen.view.key
        fail(source, model, "E2")
        screen.redraw()
        assert (screen.view.key, screen.view.top) == (key, 0)
        await pilot.press("G")
        fail(source, model, "W1")
        screen.redraw()
        await settle(pilot)
        assert "W1" in screen_text(pilot.app).splitlines()[-3]


def fail(source: FakeSource, model: ViewModel, task: str) -> None:
    """A task fails now."""
    from nova_core.state.events import EventKind
    from nova_core.state.schema import Reason, TaskStatus

    source.change(task, EventKind.TASK_FAILED, "it broke", status=TaskStatus.FAILED, reason=Reason.EXIT_CODE, error="x")
    model.apply(source.poll(), NOW)


async def test_events_can_be_filtered() -> None:
    """All, milestones only, problems only, all again."""
    async with running(open_view("events", demo_model(), None)) as pilot:
        counts = []
        for _ in range(4):
            await settle(pilot)
            counts.append(screen_text(pilot.app).splitlines()[0])
            await pilot.press("f")
        assert "milestones, reached and pending" in counts[1]
        assert "problems only" in counts[2]
        assert counts[3] == counts[0]


async def test_search_goes_from_match_to_match() -> None:
    """Slash asks, n and N continue; a text that is not found is reported."""
    async with running(open_view("deps", demo_model(), None)) as pilot:
        await settle(pilot)
        screen = pilot.app.screen
        assert not screen.check_action("search_again", (1,))
        await pilot.press("slash", *"blocked", "enter")
        await settle(pilot)
        found = [screen.selected_task]
        for key in ("n", "n", "N"):
            await pilot.press(key)
            found.append(screen.selected_task)
        assert found == ["E4", "A3", "E4", "A3"]
        await pilot.press("slash", *"[/nope]", "enter")
        await settle(pilot)
        assert "nothing contains [/nope]" in screen_text(pilot.app)


async def test_the_timeline_zooms_and_moves() -> None:
    """Keys for moving work only where they can move."""
    screen = TimelineScreen(demo_model())
    async with running(screen) as pilot:
        await settle(pilot)
        assert not screen.check_action("pan", (-1,))
        await pilot.press("]", "]", "h")
        await settle(pilot)
        assert "6m 15s of 25m 00s, until 1m 33s ago" in screen_text(pilot.app)
        await pilot.press("0")
        await settle(pilot)
        assert "the whole run" in screen_text(pilot.app)


async def test_help_shows_the_keys_that_work_here(golden: Golden) -> None:
    """Made from the bindings, and it fits 80x24."""
    async with running(open_view("timeline", demo_model(), None)) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await settle(pilot)
        assert isinstance(pilot.app.screen, HelpScreen)
        text = screen_text(pilot.app)
        assert "Earlier" not in text  # nothing to move to
        assert "Timeline" not in text  # one is there
        golden("screen_help_80x24", text)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, TimelineScreen)


@pytest.mark.parametrize(("key", "answer"), [("y", True), ("enter", True), ("n", False), ("escape", False)])
async def test_a_confirmation_names_what_happens(key: str, answer: bool, golden: Golden) -> None:
    """Each key answers, and hostile names are shown as text."""
    dialog = ConfirmScreen("Cancel 2 tasks?", ["x [/nope] z ends now", "\x1b[31mE4 stays blocked"], yes="Cancel them")
    async with running(dialog) as pilot:
        await settle(pilot)
        golden("dialog_confirm", screen_text(pilot.app))
        await pilot.press(key)
        assert pilot.app.answers == [answer]


@pytest.mark.parametrize(("key", "answer"), [("y", False), ("enter", True), ("a", True), ("n", None), ("q", None)])
async def test_running_again_offers_what_the_task_feeds(key: str, answer: bool | None, golden: Golden) -> None:
    """Each key answers, and an action without an effect is named."""
    dialog = RerunScreen("x [/nope]", "Import", [f"F{n}" for n in range(10)])
    async with running(dialog) as pilot:
        await settle(pilot)
        golden("dialog_rerun", screen_text(pilot.app))
        await pilot.press(key)
        assert pilot.app.answers == [answer]


async def test_a_question_is_answered_with_a_text_that_is_right(golden: Golden) -> None:
    """The error is shown, and asked again; escape gives None."""

    def check(text: str) -> str:
        return "" if text.isdigit() else "a whole number, please"

    dialog = AskScreen("How many workers?", "many", hint="Now 4.", check=check)
    async with running(dialog) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        golden("dialog_ask", screen_text(pilot.app))
        dialog.query_one(Input).value = "7"
        await pilot.press("enter")
        assert pilot.app.answers == ["7"]


async def each(screens: dict[str, Screen[Any]], size: tuple[int, int]) -> AsyncIterator[tuple[str, Pilot[Any]]]:
    """One app that shows one screen after the other."""
    async with running(Screen(), size) as pilot:
        for name, screen in screens.items():
            await pilot.app.push_screen(screen)
            await settle(pilot)
            yield name, pilot
            while pilot.app.screen is not pilot.app.first:
                pilot.app.pop_screen()


async def test_hostile_texts_stay_text_on_every_screen() -> None:
    """Nothing acts, nothing crashes, nothing but printable characters is painted."""
    model = demo_model(hostile_source())
    branch, groups = next(iter(model.cascade.branches.items()))
    screens: dict[str, Screen[Any]] = {name: open_view(name, model, "H2") for name in VIEWS}
    screens |= {"group": GroupScreen(model, branch, next(iter(groups))), "task": TaskScreen(model, "H3")}
    seen = []
    async for name, pilot in each(screens, WIDE):
        await pilot.press("j", "G")
        await pilot.click(offset=(20, 4))
        await settle(pilot)
        assert pilot.app.is_running, name
        assert all(line.isprintable() for line in screen_text(pilot.app).splitlines()), name
        seen.append(name)
    assert seen == list(screens)


async def test_ascii_screens_hold_ascii_only() -> None:
    """Borders and scroll marks too."""
    with ascii_only():
        model = demo_model()
        screens: dict[str, Screen[Any]] = {name: open_view(name, model, "E3") for name in VIEWS}
        screens |= {"group": GroupScreen(model, "core"), "task": TaskScreen(model, "P4")}
        seen = []
        async for name, pilot in each(screens, NARROW):
            text = screen_text(pilot.app)
            assert text.isascii(), (name, {c for c in text if not c.isascii()})
            seen.append(name)
        assert seen == list(screens)


async def test_a_look_at_the_model_lays_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each second costs lines of text, never a layout."""
    screens: dict[str, Any] = {name: open_view(name, demo_model(), "E3") for name in VIEWS}
    screens["task"] = TaskScreen(demo_model(), "E2")
    layouts: list[str] = []
    seen = []
    async for name, pilot in each(screens, NARROW):
        with monkeypatch.context() as patch:
            patch.setattr(type(screens[name]), "_refresh_layout", lambda *_, name=name, **__: layouts.append(name))
            for second in range(5):
                screens[name].model.now = NOW + second
                screens[name].redraw()
                await settle(pilot)
        seen.append(name)
    assert (layouts, seen) == ([], list(screens))


@pytest.mark.parametrize("theme", ["textual-dark", "ansi-dark"])
async def test_the_line_under_the_cursor_looks_different(theme: str) -> None:
    """By its background, or swapped where the colours are the terminal's own."""
    screen = TimelineScreen(demo_model(), "E3")
    async with running(screen) as pilot:
        pilot.app.theme = theme
        await settle(pilot)
        looks = [{(s.style.bgcolor, s.style.reverse) for s in screen.view.render_line(y) if s.style} for y in (8, 9)]
        assert looks[0].isdisjoint(looks[1])


async def test_only_lines_in_view_are_drawn() -> None:
    """However long the list is."""
    from textual.content import Content

    from nova_tui.views.line import Lazy

    drawn: list[int] = []

    def draw(number: int) -> Content:
        drawn.append(number)
        return Content(f"line {number}")

    class Long(EventsScreen):
        def redraw(self) -> None:
            self.view.show(Lazy(100_000, draw), range(100_000))

    screen = Long(demo_model())
    async with running(screen) as pilot:
        await settle(pilot)
        view = screen.view
        drawn.clear()
        await pilot.press("g", "G", "k")
        await settle(pilot)
        assert len(drawn) <= 4 * view.size.height
        assert view.key == 99_998
