"""The log on the screen: keys, mouse and messages of the view and of the log screen, and what they cost."""

from __future__ import annotations

import asyncio
import itertools
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_source import FakeSource
from look import Golden, screen_text
from scripted_run import NOW
from textual import events
from textual.app import App, SuspendNotSupported
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from nova_core.clock import Clock
from nova_core.parser import parse_text
from nova_core.state.schema import TaskState, TaskStatus
from nova_core.watch.view_model import ViewModel
from nova_tui import outside
from nova_tui.log_search import Needle, Step
from nova_tui.screens.log import LogScreen
from nova_tui.widgets.log_view import LogView

HOSTILE = [
    "\x1b]52;c;cm0gLXJmIH4K\x07clip", "\x1b]0;owned\x07title", "\x1b[?1049hscreen", "\x1bcreset", "\x9b2Jc1",
    "\x1b[6nask",
    "\x1bPq#0\x1b\\sixel", "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "bidi \u202egnp.exe", "nul \0 bell \x07",
    "x [/nope] [red]", "[@click=app.quit]quit[/]", "\x1b[31mred\x1b[0m \x1b[8mhidden?\x1b[0m",
]  # fmt: skip


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
        """Take what is new to the screen."""
        self.log_screen.take(self.model.apply(self.source.poll(), NOW), tick=False)

    @property
    def view(self) -> LogView:
        """The log's view."""
        return self.log_screen.view

    def on_log_view_follow_changed(self, event: LogView.FollowChanged) -> None:
        """Remember what was told."""
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
    """Let the app work until something is so."""
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


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of a hundred lines."""
    path = log_of(tmp_path)
    path.write_bytes(numbered(1, 100))
    return path


def log_of(root: Path) -> Path:
    """Where the log of the task is, once it has one."""
    (root / "logs").mkdir()
    return root / "logs" / "T002.log"


def test_the_screen_looks_like_this(tmp_path: Path, golden: Golden) -> None:
    """Heading, coloured lines with their numbers, matches, the pill over new lines, the keys that work now."""
    path = log_of(tmp_path)
    line = "[12:00:{0:02}] \x1b[33mtool\x1b[0m  Edit src/nova/file_{0}.py \x1b[31mFAILED\x1b[0m\tx\n"
    path.write_text("".join(line.format(n) for n in range(60)))

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("t", "t", "slash", *"failed", "enter")
        await pilot.press("N", "N")
        with path.open("a") as file:
            file.write(line.format(60) * 214)
        app.look_again()
        await until(pilot, lambda: "214 new lines" in screen_text(app))
        golden("log_80x14", screen_text(app, styles=True))

    drive(LogApp(path, 2), check, (80, 14))


def test_keys_move_and_follow(log: Path) -> None:
    """Up pauses, the end follows, the first line is the first, `f` does both; each change is told once."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        assert rows(app)[-1] == "line 100"
        await pilot.press("k", "k")
        assert rows(app)[-1] == "line 98"
        await pilot.press("g")
        assert rows(app)[0] == "line 1"
        await pilot.press("j", "ctrl+d")
        assert rows(app)[0] == "line 10"
        await pilot.press("G")
        assert (rows(app)[-1], app.view.following) == ("line 100", True)
        await pilot.press("f")
        assert not app.view.following
        await pilot.press("f")
        assert app.follows == [False, True, False, True]
        assert "follow ▼  100 lines" in screen_text(app).split("\n")[0]

    drive(LogApp(log), check)


def test_the_pill_leads_to_what_is_new(log: Path) -> None:
    """A click on the pill shows the end and follows."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("k")
        with log.open("ab") as file:
            file.write(numbered(101, 107))
        app.look_again()
        await pilot.pause()
        assert rows(app)[-1].endswith(" ▼ 7 new lines")
        await pilot.click(LogView, offset=(55, 8))
        assert (rows(app)[-1], app.view.following) == ("line 107", True)

    drive(LogApp(log), check)


def test_the_mouse_scrolls_and_drags(log: Path) -> None:
    """The wheel moves three rows, the thumb goes where it is dragged."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot._post_mouse_events([events.MouseScrollUp], LogView)  # private: a pilot has no wheel
        assert rows(app)[-1] == "line 97"
        await pilot.mouse_down(LogView, offset=(59, 0))
        assert rows(app)[0] == "line 1"
        await pilot.hover(LogView, offset=(59, 8))
        await pilot.mouse_up(LogView, offset=(59, 8))
        assert (rows(app)[-1], app.view.following) == ("line 100", True)

    drive(LogApp(log), check)


def test_a_search_goes_while_one_types_and_round_at_the_ends(log: Path) -> None:
    """It goes up from the end, says which match of how many it is on, and escape leads back to following before it
    leads out of the log."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash")
        assert app.log_screen.query_one(Input).has_focus
        await pilot.press(*"line 10")
        await until(pilot, lambda: not app.view.following)
        await until(pilot, lambda: screen_text(app).splitlines()[-2].startswith(" /line 10"))
        bottom = screen_text(app).splitlines()
        assert bottom[-2].endswith("2 of 2")
        assert "⏎ Keep (n next, N previous)" in bottom[-1]
        await pilot.press("enter")
        assert "not following (f)  line 91 of 100  /line 10  2 of 2" in screen_text(app).split("\n")[0]
        await pilot.press("n")
        await until(pilot, lambda: "1 of 2" in app.view.status())
        assert "line 10" in screen_text(app)
        await pilot.press("N")
        await until(pilot, lambda: "2 of 2" in app.view.status())
        await pilot.press("escape")
        assert app.view.status() == "follow ▼  100 lines"
        assert app.screen is app.log_screen
        await pilot.press("escape")
        assert app.screen is not app.log_screen

    drive(LogApp(log), check, (110, 12))


def test_a_text_that_is_nowhere_moves_nothing(log: Path) -> None:
    """And is said to be nowhere, whichever way one looks."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"line 7")
        await until(pilot, lambda: not app.view.following)
        await pilot.press("x")
        await until(pilot, lambda: app.view.following)
        assert rows(app)[-2] == "line 100"
        assert "not in this log" in screen_text(app)
        await pilot.press("enter", "n", "N")
        await until(pilot, lambda: app.view.status().endswith('"line 7x": not in this log'))
        assert app.view.following

    drive(LogApp(log), check, (110, 10))


def test_what_comes_is_counted_too(log: Path) -> None:
    """Also a last line that becomes a match as it grows."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"line 10", "enter")
        await until(pilot, lambda: app.view.status().endswith("2 of 2"))
        for text, count in ((b"line 1", 2), (b"01\n", 3), (b"other\nline 102\n", 4)):
            with log.open("ab") as file:
                file.write(text)
            app.look_again()
            await until(pilot, lambda count=count: app.view.status().endswith(f"2 of {count}"))  # type: ignore[misc]

    drive(LogApp(log), check, (110, 10))


def test_what_one_types_to_search_is_text(log: Path) -> None:
    """Keys of the log and markup are letters in the line; an escape leaves things as they were."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"[/q]f")
        assert "[/q]f" in screen_text(app)
        await pilot.press("escape")
        assert (app.view.has_focus, app.view.following, app.view.status()) == (True, True, "follow ▼  100 lines")

    drive(LogApp(log), check)


def test_what_is_typed_ahead_is_searched(log: Path) -> None:
    """Keys that come all at once, as over a slow line, go where they would have gone one by one."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        for key in "/fkn/line 7":
            app.post_message(events.Key("slash" if key == "/" else key, key))
        await until(pilot, lambda: app.log_screen.query_one(Input).value == "fkn/line 7")

    drive(LogApp(log), check)


def test_lines_are_counted_without_being_asked(log: Path) -> None:
    """A log longer than a slice gets its line numbers though nothing happens to it."""
    log.write_bytes(b"0123456789abcde\n" * 200_000)

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "follow ▼  200,000 lines" in screen_text(app).split("\n")[0])

    drive(LogApp(log), check)


def test_a_long_search_keeps_the_screen_alive(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a search goes on keys act and progress is told, and escape ends it."""
    for way in ("forward", "backward"):
        monkeypatch.setattr(Needle, way, lambda *_: itertools.repeat(Step(300)))

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        async def wait(done: Callable[[], bool]) -> None:
            async with asyncio.timeout(10):
                while not done():
                    await asyncio.sleep(0)  # a pause of the pilot would wait for the end of the search

        reader = app.view.reader
        assert reader is not None
        app.view.search("nowhere")
        await wait(lambda: "/nowhere  searching 37%" in app.view.status())
        app.simulate_key("w")
        await wait(lambda: reader.pager.wrap)
        app.simulate_key("escape")
        await wait(lambda: all(worker.is_finished for worker in app.workers))
        assert "nowhere" not in app.view.status()

    drive(LogApp(log), check)


def test_growth_costs_no_layout_and_what_is_shown(log: Path) -> None:
    """A log that grows under a following view: no layout, one look at each row per tick; nothing when it rests."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        layouts, drawn = [0], [0]
        with counting(Screen, "_refresh_layout", layouts), counting(LogView, "render_line", drawn):
            for n in range(10):
                with log.open("ab") as file:
                    file.write(numbered(n * 1000, n * 1000 + 999))
                app.look_again()
                await pilot.pause()
            assert (layouts[0], rows(app)[-1]) == (0, "line 9999")
            assert drawn[0] <= 12 * 9
            drawn[0] = 0
            for _ in range(10):
                app.look_again()
                await pilot.pause()
            assert (layouts[0], drawn[0]) == (0, 0)
            await pilot.press("g")
            drawn[0] = 0
            for n in range(10):
                with log.open("ab") as file:
                    file.write(numbered(n, n))
                app.look_again()
                await pilot.pause()
            assert drawn[0] <= 10

    drive(LogApp(log), check)


@contextmanager
def counting(owner: type, name: str, counter: list[int]) -> Iterator[None]:
    """Count the calls of a method."""
    method = getattr(owner, name)
    own = name in owner.__dict__

    def counted(*args: Any, **kwargs: Any) -> Any:
        counter[0] += 1
        return method(*args, **kwargs)

    setattr(owner, name, counted)
    try:
        yield
    finally:
        setattr(owner, name, method) if own else delattr(owner, name)


def test_hostile_lines_show_as_they_are(tmp_path: Path) -> None:
    """No control character reaches a strip, no markup acts, hidden text is visible."""
    path = log_of(tmp_path)
    path.write_text("\n".join(HOSTILE) + "\n")

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        text = screen_text(app)
        assert all(c.isprintable() or c == "\n" for c in text)
        for part in ("clip", "title", "x [/nope] [red]", "[@click=app.quit]quit[/]", "red hidden?", "Detect [/nope]"):
            assert part in text
        assert "owned" not in text
        await pilot.click(LogView, offset=(8, 11))
        assert app.is_running

    drive(LogApp(path), check, (60, 16))


def test_there_is_no_output_yet(tmp_path: Path) -> None:
    """A missing log says so, then shows what comes with the time it came; a link is refused in words."""
    path = log_of(tmp_path)

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        assert rows(app)[0] == "no output yet"
        await pilot.press("t", "v", "c", "n", "j", "g", "h", "w")
        path.write_bytes(b"first\n")
        app.look_again()
        await pilot.pause()
        assert rows(app)[0].startswith("14:30:00 first")
        path.unlink()
        path.symlink_to("/etc/passwd")
        app.view.set_path(tmp_path / "other.log")
        app.view.set_path(path)
        await pilot.pause()
        assert rows(app)[0].startswith("cannot show T002.log: it is not a plain file")

    drive(LogApp(path), check)


def test_brackets_choose_the_attempt(log: Path) -> None:
    """Older and newer logs, as far as there are any; who looks at the latest one stays there when it is another."""
    old = log.with_name("T002.1.log")
    old.write_bytes(b"the first attempt\n")

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("left_square_bracket")
        assert (rows(app)[0], "attempt 1/2" in screen_text(app)) == ("the first attempt", True)
        await pilot.press("left_square_bracket", "right_square_bracket")
        assert rows(app)[-1] == "line 100"
        app.source.change("T002", attempt=3)
        app.look_again()
        await pilot.pause()
        assert "attempt 3/3" in screen_text(app)

    drive(LogApp(log, 2), check)


def test_copying_reaches_the_clipboard_and_a_file(log: Path) -> None:
    """The page, or what the mouse selected, unwrapped, and only for the owner's eyes."""
    log.write_bytes(b"short\n" + b"0123456789" * 8 + b"\nend\n")
    file = log.parent.parent / ".nova" / "clipboard.txt"
    file.parent.mkdir()

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        await pilot.press("w", "c")
        assert app.clipboard == "short\n" + "0123456789" * 8 + "\nend"
        assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (app.clipboard, 0o600)
        await until(pilot, lambda: "clipboard.txt" in screen_text(app))
        await pilot.press("w")
        await pilot.mouse_down(LogView, offset=(0, 1))
        await pilot.hover(LogView, offset=(4, 1))
        await pilot.mouse_up(LogView, offset=(4, 1))
        assert not app.view.following
        await pilot.press("c")
        assert file.read_text() == "01234"

    drive(LogApp(log), check)


def test_the_clipboard_file_is_no_trap(tmp_path: Path) -> None:
    """A link in the file's place is replaced, not followed; a folder that is missing is told."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    trap = tmp_path / "clipboard.txt"
    trap.symlink_to(victim)
    app: App[None] = App()
    assert outside.copy(app, "a\nb", trap) == f"copied 2 lines; also in {tmp_path.name}/clipboard.txt"
    assert (victim.read_text(), trap.read_text(), trap.is_symlink()) == ("precious", "a\nb", False)
    assert "could not be written: No such file" in outside.copy(app, "a", tmp_path / "none" / "clipboard.txt")
    assert outside.copy(app, "", trap) == "there is nothing to copy"


@pytest.mark.parametrize(
    ("pager", "expected"),
    [
        ("", ["less", "+G"]),
        ("less -S", ["less", "-S", "+G"]),
        ("/usr/bin/less", ["/usr/bin/less", "+G"]),
        ("most", ["most"]),
        ("'my pager' -x", ["my pager", "-x"]),
    ],
)
def test_the_pager_is_the_persons(tmp_path: Path, pager: str, expected: list[str]) -> None:
    """$PAGER is words, not a shell line, and less starts at the end."""
    assert outside.pager_command(tmp_path / "a b.log", pager) == [*expected, str(tmp_path / "a b.log")]


def test_the_pager_gets_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs while the app is suspended; an interrupt meant for it does not end the app; problems are one line."""

    class Suspended(App[None]):
        @contextmanager
        def suspend(self) -> Iterator[None]:
            yield

    path = tmp_path / "T1.log"
    path.write_text("text")
    script = tmp_path / "pager"
    script.write_text('#!/bin/sh\nkill -INT $PPID\ncp "$1" "$1.seen"\n')
    script.chmod(0o755)
    before = signal.getsignal(signal.SIGINT)
    for pager, expected in (
        (str(script), ""),
        (
            "nova-no-such-pager",
            "nova-no-such-pager: No such file or directory; set PAGER to a program that is installed",
        ),
        ("less '", "$PAGER cannot be understood: No closing quotation"),
    ):
        monkeypatch.setenv("PAGER", pager)
        assert outside.open_in_pager(Suspended(), path) == expected
    assert (tmp_path / "T1.log.seen").read_text() == "text"
    assert signal.getsignal(signal.SIGINT) is before

    def refuse() -> Any:
        raise SuspendNotSupported

    monkeypatch.setenv("PAGER", "")
    app = Suspended()
    monkeypatch.setattr(app, "suspend", refuse)
    assert "cannot be handed" in outside.open_in_pager(app, path)


def test_any_size_is_drawn(log: Path) -> None:
    """No size is too small for any key."""
    actions = ("move(-1)", "times", "wrap", "page(-1)", "times", "home", "sideways(1)", "end", "find(True)", "follow")

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        for size in ((120, 40), (40, 10), (20, 5), (5, 2), (1, 1), (80, 24)):
            await pilot.resize_terminal(*size)
            app.view.search("9")
            for action in actions:
                await app.view.run_action(action)
                lines = [app.view.render_line(y) for y in range(app.view.size.height)]
                assert {line.cell_length for line in lines} <= {app.view.size.width}
        await pilot.pause()

    drive(LogApp(log), check)
