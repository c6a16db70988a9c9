"""The main screen: pictures at three sizes, and what keys do."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import pytest
from app_kit import StillClock, beat, opened, settled
from fake_source import FakeSource, demo_source
from look import Golden, screen_text

from nova_core.command import Command, CommandKind
from nova_core.errors import InputError, UsageError
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.watch.source import EngineState
from nova_tui.app import NovaApp, QuitChoice
from nova_tui.choice import Look
from nova_tui.rows import Filter
from nova_tui.screens.confirm import ConfirmScreen
from nova_tui.screens.group import GroupScreen
from nova_tui.screens.help import HelpScreen
from nova_tui.screens.log import LogScreen
from nova_tui.screens.quit import QuitScreen
from nova_tui.screens.task import TaskScreen
from nova_tui.toasts import WINDOW, Toast, Toaster, of_event


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24), (40, 10)])
def test_picture(width: int, height: int, tmp_path: Path, golden: Golden) -> None:
    """The scripted run at the three sizes it is made for."""

    async def look() -> str:
        async with opened(demo_source(tmp_path), (width, height)) as (app, pilot):
            app.clear_notifications()
            await settled(pilot)
            return screen_text(app)

    golden(f"main_{width}", asyncio.run(look()))


def test_a_look_before_the_first_layout_scrolls_nothing(tmp_path: Path, golden: Golden) -> None:
    """A slow machine learns what is at work before it knows the size of its tree: the picture is the same."""

    async def look() -> str:
        app = NovaApp(demo_source(tmp_path), clock=StillClock())
        app.main.call_later(beat, app)
        async with app.run_test(size=(80, 24), notifications=False) as pilot:
            beat(app)
            await settled(pilot)
            return screen_text(app)

    golden("main_80", asyncio.run(look()))


def test_picture_in_ascii(tmp_path: Path, golden: Golden) -> None:
    """Nothing but ASCII is drawn."""

    async def look() -> str:
        async with opened(demo_source(tmp_path), look=Look(ascii=True)) as (app, pilot):
            await settled(pilot)
            return screen_text(app)

    text = asyncio.run(look())
    assert text.isascii(), {c for c in text if not c.isascii()}
    golden("main_ascii", text)


@pytest.mark.parametrize("size", [(20, 5), (60, 16), (109, 15), (110, 16), (300, 80)])
def test_other_sizes_do_not_crash(size: tuple[int, int], tmp_path: Path) -> None:
    """Also on both sides of every change of layout."""

    async def run() -> None:
        async with opened(demo_source(tmp_path), size) as (app, pilot):
            await pilot.press("j", "G", "k", "h", "l", "g")
            await pilot.resize_terminal(40, 10)
            await pilot.resize_terminal(*size)
            await settled(pilot)
            assert app.failure is None

    asyncio.run(run())


async def test_the_edges_of_the_tree_tell_how_many_rows_are_beyond(tmp_path: Path) -> None:
    """Above and below what is in view."""
    async with opened(demo_source(tmp_path), (80, 24)) as (app, pilot):
        tree = app.main.tasks
        await pilot.press("g")
        await settled(pilot)
        lines = screen_text(app).splitlines()
        assert "more" not in lines[1]
        assert lines[tree.size.height].strip() == f"▼ {30 - (tree.size.height - 2)} more"
        await pilot.press("G")
        await settled(pilot)
        lines = screen_text(app).splitlines()
        assert f"TASK  ▲ {30 - (tree.size.height - 2)} more" in lines[1]
        assert lines[tree.size.height].strip() == ""
        assert "D4 Release notes" in lines[tree.size.height - 1]


def at(app: NovaApp, task_id: str) -> None:
    """Put the cursor on a task."""
    assert app.main.tasks.go_to(task_id)


def drive(source: FakeSource, *keys: str, start: str = "P4") -> NovaApp:
    """Press keys with the cursor on `start`; the app as it is then."""

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


SENT = [
    ("P4", ("r",), Command(CommandKind.RETRY, ("P4",))),
    ("P1", ("r", "y"), Command(CommandKind.RETRY, ("P1",))),
    ("P1", ("r", "enter"), Command(CommandKind.RETRY, ("P1",), downstream=True)),
    ("P1", ("r", "a"), Command(CommandKind.RETRY, ("P1",), downstream=True)),
    ("E2", ("x", "y"), Command(CommandKind.CANCEL, ("E2",))),
    ("E2", ("X", "enter"), Command(CommandKind.CANCEL, ("E2",), kill=True)),
    ("P4", ("s", "y"), Command(CommandKind.SKIP, ("P4",))),
    ("D2", ("a",), Command(CommandKind.APPROVE, ("D2",))),
    ("D2", ("R", "b", "a", "d", "enter"), Command(CommandKind.REJECT, ("D2",), text="bad")),
    ("P4", ("p",), Command(CommandKind.PAUSE)),
    ("P4", ("plus",), Command(CommandKind.JOBS, text="5")),
    ("P4", ("minus",), Command(CommandKind.JOBS, text="3")),
    ("P4", ("ctrl+c",), Command(CommandKind.STOP)),
]


@pytest.mark.parametrize(("task", "keys", "command"), SENT)
def test_a_key_sends_its_command(task: str, keys: tuple[str, ...], command: Command) -> None:
    """What cannot be undone only after a yes."""
    source = demo_source()
    drive(source, *keys, start=task)
    assert source.sent == [command]


@pytest.mark.parametrize(
    ("task", "keys"),
    [("E2", ("r",)), ("P1", ("x",)), ("P1", ("r", "n")), ("E2", ("x", "escape")), ("P4", ("a",)), ("E4", ("r",))],
)
def test_keys_that_do_not_fit_or_are_called_off_send_nothing(task: str, keys: tuple[str, ...]) -> None:
    """Neither on a task of another status, nor after a no."""
    source = demo_source()
    drive(source, *keys, start=task)
    assert source.sent == []


def test_who_only_looks_cannot_act() -> None:
    """No key sends anything, and none of them is offered."""
    source = demo_source(read_only=True)
    drive(source, "r", "s", "p", "plus", "ctrl+c")
    assert source.sent == []

    async def offered() -> set[str]:
        async with opened(demo_source(read_only=True)) as (app, pilot):
            at(app, "P4")
            await settled(pilot)
            return {active.binding.action for active in app.screen.active_bindings.values()}

    assert not asyncio.run(offered()) & {"retry", "cancel", "kill", "skip", "approve", "reject", "pause", "workers(1)"}


def test_ctrl_c_twice_kills() -> None:
    """The second one does not wait."""
    source = demo_source()
    drive(source, "ctrl+c", "ctrl+c")
    assert source.sent == [Command(CommandKind.STOP), Command(CommandKind.STOP, kill=True)]


def test_p_resumes_a_paused_run() -> None:
    """The same key does the opposite."""
    source = demo_source()
    source.change("P4")
    source.run = source.run.__class__(id="r1", paused=True)
    drive(source, "p")
    assert source.sent == [Command(CommandKind.RESUME)]


@pytest.mark.parametrize(
    ("keys", "screen"),
    [(("enter",), TaskScreen), (("w",), TaskScreen), (("h", "enter"), GroupScreen), (("L",), LogScreen),
     (("question_mark",), HelpScreen), (("x",), ConfirmScreen), (("q",), QuitScreen)],
)  # fmt: skip
def test_keys_lead_to_screens_and_escape_back(keys: tuple[str, ...], screen: type[object], tmp_path: Path) -> None:
    """Every view is one key away, and escape is the way back."""
    source = demo_source(tmp_path)
    assert isinstance(drive(source, *keys, start="E2").screen_then, screen)  # type: ignore[attr-defined]
    back = drive(demo_source(tmp_path), *keys, "escape", start="E2")
    assert back.screen_then is back.main  # type: ignore[attr-defined]


@pytest.mark.parametrize(("key", "choice"), [("l", QuitChoice.LEAVE), ("s", QuitChoice.STOP)])
def test_quitting_asks_while_the_engine_runs(key: str, choice: QuitChoice) -> None:
    """Leave the workers or stop them."""
    assert drive(demo_source(), "q", key).return_value is choice


async def test_the_question_of_q_ends_with_the_run() -> None:
    """It names what runs; what cannot be chosen any more is not offered; the header goes on."""
    source = demo_source()
    async with opened(source, (80, 24)) as (app, pilot):
        await pilot.press("q")
        await settled(pilot)
        assert "still running: E2 (Worker pool), E5 (Publish snapshots), W1 (Layout)" in screen_text(app)
        source.turn(EngineState.FINISHED)
        beat(app)
        assert isinstance(app.screen, QuitScreen)
        app.screen.renew()
        await settled(pilot)
        text = screen_text(app)
        assert "The run has ended." in text
        assert "stop them" not in text
        assert "FAILED" in text.splitlines()[0]


@pytest.mark.parametrize("key", ["q", "l", "s"])
async def test_keys_that_leave_also_leave_when_the_run_has_just_ended(key: str) -> None:
    """The question may change under the finger."""
    source = demo_source()
    async with opened(source) as (app, pilot):
        await pilot.press("q")
        await settled(pilot)
        source.turn(EngineState.FINISHED)
        await pilot.press(key)
        await settled(pilot)
        assert app._exit
    assert app.return_value is None


async def test_a_second_q_neither_leaves_nor_stays() -> None:
    """It says which keys there are."""
    async with opened(demo_source(), (80, 24)) as (app, pilot):
        await pilot.press("q", "q")
        await settled(pilot)
        assert isinstance(app.screen, QuitScreen)
        assert "q alone does not say which: l, s or esc" in screen_text(app)


def test_quitting_does_not_ask_when_it_is_over() -> None:
    """Nothing depends on this process then."""
    source = demo_source()
    source.turn(EngineState.FINISHED)
    app = drive(source, "q")
    assert app.return_value is None
    assert app.screen_then is app.main  # type: ignore[attr-defined]


def test_the_filter_shows_only_its_kind_and_follows_changes() -> None:
    """`!` shows failures; one that is retried leaves; escape shows all."""

    async def run() -> None:
        source = demo_source()
        async with opened(source) as (app, pilot):
            await pilot.press("exclamation_mark")
            tree = app.main.tasks
            assert [r.place.task for r in tree.rows if r.place.task] == ["P4", "E3", "A2", "A4", "W4"]
            source.change("E3", EventKind.TASK_RESET, status=TaskStatus.PENDING, reason=None)
            beat(app)
            assert [r.place.task for r in tree.rows if r.place.task] == ["P4", "A2", "A4", "W4"]
            await pilot.press("escape")
            assert tree.only is Filter.ALL
            assert len(tree.rows) == 30

    asyncio.run(run())


async def test_a_filter_brings_the_cursor_back_and_is_told_in_the_tree() -> None:
    """Also through kinds of which there is no task; nothing covers the tree meanwhile."""
    async with opened(demo_source()) as (app, pilot):
        at(app, "P4")
        app.clear_notifications()
        await pilot.press("f")
        await settled(pilot)
        assert "TASK  only failed (esc: all)" in screen_text(app)
        await pilot.press("f", "f")
        await settled(pilot)
        assert app.main.selected_task != "P4"
        await pilot.press("escape")
        await settled(pilot)
        assert app.main.selected_task == "P4"
        assert "only" not in screen_text(app).splitlines()[1]


async def test_who_moves_in_a_filter_stays_there() -> None:
    """When all tasks are shown again."""
    async with opened(demo_source()) as (app, pilot):
        at(app, "P4")
        await pilot.press("f", "j", "j", "escape")
        await settled(pilot)
        assert app.main.selected_task == "E3"


async def test_a_search_that_finds_nothing_moves_nothing() -> None:
    """The cursor is where it began; nothing is hidden, so nothing is offered to be shown."""
    async with opened(demo_source(), (80, 24)) as (app, pilot):
        at(app, "P4")
        await pilot.press("slash", "w", "x")
        await settled(pilot)
        assert app.main.selected_task == "P4"
        footer = screen_text(app).splitlines()[-1]
        assert "⏎ Keep (n next, N previous)" in footer
        assert "esc Forget" in footer
        await pilot.press("enter")
        await settled(pilot)
        assert app.main.selected_task == "P4"
        footer = screen_text(app).splitlines()[-1]
        assert "Show all" not in footer
        assert "End search" not in footer


def test_the_cursor_stays_on_its_task_when_rows_come_and_go() -> None:
    """Folding another group does not move it to another task."""

    async def run() -> None:
        async with opened(demo_source()) as (app, pilot):
            at(app, "W1")
            app.main.tasks._folded.add(next(r.place for r in app.main.tasks.rows if r.place.group == "parser"))
            app.main.tasks._rebuild()
            await settled(pilot)
            assert app.main.selected_task == "W1"

    asyncio.run(run())


def test_searching_goes_to_the_match_and_escape_returns() -> None:
    """While typing; enter keeps the search for n, escape forgets it and goes back."""

    async def run() -> None:
        async with opened(demo_source()) as (app, pilot):
            at(app, "P1")
            await pilot.press("slash", "s", "e")
            await settled(pilot)
            first = app.main.selected_task
            assert first in app.main.tasks.hits
            await pilot.press("escape")
            await settled(pilot)
            assert app.main.selected_task == "P1"
            await pilot.press("slash", "s", "e", "enter", "n")
            await settled(pilot)
            assert app.main.selected_task in app.main.tasks.hits
            assert app.main.selected_task != first

    asyncio.run(run())


def test_many_failures_become_one_toast() -> None:
    """The first two are shown at once, the others together when the moment is over: none goes before it was seen."""
    toaster = Toaster()
    failed = [Toast("Failed", "boom", "error", f"T{n}") for n in range(6)]
    assert toaster.take(failed, 10.0) == failed[:2]
    assert toaster.take([], 10.0 + WINDOW / 2) == []
    assert toaster.take([], 10.0 + WINDOW) == [Toast("Failed (4)", "T2, T3, T4, T5", "error")]
    assert toaster.take(failed[:1], 10.0 + WINDOW) == failed[:1]


@pytest.mark.parametrize("most", [1, 2])
def test_each_kind_of_news_has_its_moment(most: int) -> None:
    """However many come at once, no more are let through in a moment than the screen shows; all of them come."""
    toaster = Toaster()
    kinds = [Toast(title, "text") for title in ("Failed", "Needs you", "Milestone", "Provider", "Complete")]
    shown = [toaster.take(kinds * 2 if not n else [], 10.0 + n * WINDOW / 2, most) for n in range(12)]
    assert all(len(found) <= most for found in shown)
    assert not any(shown[1::2])
    assert {toast.title.partition(" (")[0] for found in shown for toast in found} == {toast.title for toast in kinds}


@pytest.mark.parametrize(("blocks", "said"), [(0, "A: exit code 3"), (5, "A: exit code 3; blocks 5 tasks")])
def test_the_toast_of_a_failure_says_how_many_it_blocks(blocks: int, said: str) -> None:
    """However long its error is; one that blocks nobody says nothing of that."""
    patch = {"reason": "exit_code", "error": "exit code 3", **({"blocks": blocks} if blocks else {})}
    toast = of_event(Event(1, "", EventKind.TASK_FAILED, "A", "A failed", patch))
    assert toast is not None
    assert toast.text == said
    long = of_event(Event(1, "", EventKind.TASK_FAILED, "A", "", {**patch, "error": "x" * 1000}))
    assert long is not None
    assert long.text.endswith("; blocks 5 tasks") == bool(blocks)


async def failing(task: str, width: int, *keys: str) -> str:
    """What is shown when `task` fails while the cursor is on P1."""
    source = FakeSource(demo_source().cascade)
    async with opened(source, (width, 30)) as (app, pilot):
        at(app, "P1")
        await settled(pilot)
        await pilot.press(*keys)
        source.change(task, EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="boom")
        beat(app)
        await settled(pilot)
        return screen_text(app)


@pytest.mark.parametrize("width", [80, 120])
async def test_a_failure_is_shown_as_a_toast_above_the_tree(width: int) -> None:
    """With the task and its reason, where it covers neither the log nor the keys."""
    lines = (await failing("E1", width)).splitlines()
    found = [number for number, text in enumerate(lines) if "E1: boom" in text]
    assert found
    assert found[0] < 5
    assert lines[found[0]].index("E1: boom") < (72 if width == 120 else 80)


async def test_a_failure_one_looks_at_needs_no_toast() -> None:
    """The row, the reason and the log of the task are in view."""
    text = await failing("P1", 120)
    assert "P1: boom" not in text
    assert "failed: boom" in text


@pytest.mark.parametrize("key", ["question_mark", "q"])
async def test_no_toast_lies_over_help_or_a_question(key: str) -> None:
    """It comes when that is closed."""
    assert "E1: boom" not in await failing("E1", 80, key)


async def test_only_a_few_toasts_are_shown_at_once() -> None:
    """The newest."""
    async with opened(demo_source()) as (app, pilot):
        app.clear_notifications()
        for number in range(6):
            app.notify(f"toast {number}", title="Milestone")
        await settled(pilot)
        text = screen_text(app)
        assert [n for n in range(6) if f"toast {n}" in text] == [4, 5]


async def test_answers_push_out_no_failure_and_replace_each_other() -> None:
    """Nor do milestones push out a question; the same text is never there twice."""
    source = FakeSource(demo_source().cascade)
    async with opened(source) as (app, pilot):
        at(app, "P1")
        await settled(pilot)
        app.clear_notifications()
        source.change("E1", EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="boom")
        source.change("E2", EventKind.TASK_WAITING, approval="waiting")
        for number in (5, 6, 7):
            source.notify(True, f"{number} workers")
            beat(app)
            await settled(pilot)
        shown = [n.message.split(":")[0].split(" is ")[0] for n in app._notifications]
        assert shown == ["E1", "E2", "7 workers"]
        for _ in range(2):
            app.notify("said", title="Milestone")
            await settled(pilot)
        assert [n.message.split(" is ")[0] for n in app._notifications if n.title] == ["E2", "said"]


async def test_a_long_notice_is_cut_to_a_few_lines_and_never_shown_twice() -> None:
    """The events hold the whole."""
    source = FakeSource(demo_source().cascade)
    async with opened(source, (80, 24)) as (app, pilot):
        app.clear_notifications()
        text = "a cause with many words of its own " * 20
        for _ in range(2):
            source.feed(Event(9, "", EventKind.WARNING, None, text))
            beat(app)
            await settled(pilot)
        shown = screen_text(app)
        assert shown.count("Warning") == 1
        assert "a cause with many" in shown
        assert 2 <= shown.count("▌") <= 5, shown


@pytest.mark.parametrize("key", ["tab", "enter", "L"])
async def test_a_task_that_ended_without_a_word_printed_nothing(key: str, tmp_path: Path) -> None:
    """Nothing more will come; before, it may."""
    source = FakeSource(demo_source().cascade, root=tmp_path)
    async with opened(source, (120, 30)) as (app, pilot):
        at(app, "P1")
        source.change("P1", EventKind.TASK_STARTED, status=TaskStatus.IN_PROGRESS)
        await pilot.press(key)
        beat(app)
        await settled(pilot)
        assert "no output yet" in screen_text(app)
        source.change("P1", EventKind.TASK_COMPLETED, status=TaskStatus.COMPLETED)
        beat(app)
        if isinstance(app.screen, TaskScreen):
            app.screen.redraw()
        await settled(pilot)
        assert "it printed nothing" in screen_text(app)


async def test_a_notice_that_goes_takes_its_line_along() -> None:
    """The next one stands at the top, whole."""
    async with opened(demo_source()) as (app, pilot):
        app.clear_notifications()
        for number in range(4):
            app.notify("word " * 20, title=f"Milestone {number}")
            await settled(pilot)
        rows = [row for row in screen_text(app).splitlines() if "▌" in row]
        assert "Milestone 2" in rows[0]
        assert "Milestone 3" in rows[len(rows) // 2]
        assert rows[-1].count("word") > 1


async def test_a_small_screen_has_one_notice_of_one_line_and_the_keys() -> None:
    """A failure is not pushed out by an answer there either."""
    async with opened(FakeSource(demo_source().cascade), (40, 10)) as (app, pilot):
        for title, severity in (("Milestone", "information"), ("Failed", "error"), ("", "information")):
            app.notify("boom " * 20, title=title, severity=severity)  # type: ignore[arg-type]
            await settled(pilot)
        text = screen_text(app)
        assert text.count("▌") == 1
        assert "Failed: boom boom" in text.splitlines()[1]
        assert "? Help" in text.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_app_and_is_remembered(number: signal.Signals) -> None:
    """Whoever ran it decides about the workers."""

    async def run() -> int | None:
        async with opened(demo_source()) as (app, pilot):
            signal.raise_signal(number)
            await settled(pilot)
            return app.ended_by

    assert asyncio.run(run()) == number


def test_ones_own_keys_replace_the_usual_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the id of the binding."""
    file = tmp_path / "keys.yaml"
    file.write_text("task.retry: f5\n")
    monkeypatch.setenv("NOVA_KEYS", str(file))
    source = demo_source()
    drive(source, "r", "f5")
    assert source.sent == [Command(CommandKind.RETRY, ("P4",))]


@pytest.mark.parametrize("text", ["task.retri: r\n", "task.retry: []\n", "- r\n"])
def test_keys_that_cannot_be_read_name_file_and_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the screen opens."""
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    monkeypatch.setenv("NOVA_KEYS", str(file))
    with pytest.raises(InputError, match=r"keys\.yaml"):
        NovaApp(demo_source())


def test_an_unknown_theme_is_refused() -> None:
    """With the names of some that exist."""
    with pytest.raises(UsageError, match="no theme"):
        NovaApp(demo_source(), Look(theme="mauve"))


@pytest.mark.parametrize(
    ("variables", "theme"),
    [({}, "nova-dark"), ({"NO_COLOR": "1"}, "ansi-dark"), ({"SSH_CONNECTION": "a b c d"}, "ansi-dark")],
)
def test_the_theme_fits_the_terminal(variables: dict[str, str], theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal's own colours over a network and where none are wanted."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert NovaApp(demo_source()).theme == theme


def test_a_new_task_state_is_drawn_in_its_row() -> None:
    """A failure shows its reason after one look."""

    async def run() -> str:
        source = demo_source()
        async with opened(source) as (app, pilot):
            source.change("W2", EventKind.TASK_FAILED, status=TaskStatus.FAILED, error="it broke")
            beat(app)
            await settled(pilot)
            return screen_text(app)

    row = next(text for text in asyncio.run(run()).splitlines() if "W2 Board" in text)
    assert re.search("✗ W2 Board +it broke", row)


def test_states_without_a_plan_entry_do_no_harm() -> None:
    """Another program may write any id."""
    source = demo_source()
    source.tasks["ghost"] = TaskState(status=TaskStatus.FAILED)
    drive(source, "j")
