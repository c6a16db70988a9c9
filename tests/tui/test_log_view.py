"""The log on the screen: keys, mouse and messages of the view and of the log screen, and their cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from log_kit import LogApp, drive, log_of, numbered, rows, until
from look import Golden, screen_text
from textual import events
from textual.pilot import Pilot

from nova_tui.widgets.log_view import LogView

HOSTILE = [
    "\x1b]52;c;cm0gLXJmIH4K\x07clip", "\x1b]0;owned\x07title", "\x1b[?1049hscreen", "\x1bcreset", "\x9b2Jc1",
    "\x1b[6nask",
    "\x1bPq#0\x1b\\sixel", "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "bidi \u202egnp.exe", "nul \0 bell \x07",
    "x [/nope] [red]", "[@click=app.quit]quit[/]", "\x1b[31mred\x1b[0m \x1b[8mhidden?\x1b[0m",
]  # fmt: skip


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
    """Up pauses, the end follows, the first line is the first, `f` does both; each change is reported once."""

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
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "e events" not in screen_text(app)  # the key works on other screens

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


def test_growth_costs_no_layout_and_what_is_shown(log: Path) -> None:
    """A log that grows under a following view: no layout, one read of each row per tick; nothing when idle."""

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        layouts, drawn = [0], [0]
        log.write_bytes(numbered(0, 999))  # the first lines of an empty log may lay out once
        app.look_again()
        await pilot.pause()
        # Only the screen of the log: the blank one behind it is laid out whenever its own timer is due.
        with counting(app.log_screen, "_refresh_layout", layouts), counting(LogView, "render_line", drawn):
            for n in range(1, 10):
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
def counting(owner: object, name: str, counter: list[int]) -> Iterator[None]:
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
    """A missing log is reported, then shown with its times once it exists; a link is rejected with a message."""
    path = log_of(tmp_path)

    async def check(app: LogApp, pilot: Pilot[None]) -> None:
        assert rows(app)[0] == "no output yet"
        await pilot.press("t", "v", "vertical_line", "c", "n", "j", "g", "h", "w")
        path.write_bytes(b"first\n")
        app.look_again()
        await pilot.pause()
        assert rows(app)[0].startswith("14:30:00 first")
        path.unlink()
        path.symlink_to("/etc/passwd")
        app.view.set_path(tmp_path / "other.log")
        app.view.set_path(path)
        await pilot.pause()
        assert rows(app)[0].startswith("cannot show T002.log: it is not a regular file")

    drive(LogApp(path), check)


def test_brackets_choose_the_attempt(log: Path) -> None:
    """Older and newer logs, if there are any; a view of the latest log stays on the latest when it changes."""
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
