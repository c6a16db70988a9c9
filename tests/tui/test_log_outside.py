"""Ways out of a log: the clipboard and the pager."""

from __future__ import annotations

import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from log_kit import LogApp, drive, until
from look import screen_text
from textual.app import App, SuspendNotSupported
from textual.pilot import Pilot

from nova_tui import outside
from nova_tui.widgets.log_view import LogView


def test_copying_reaches_the_clipboard_and_a_file(log: Path) -> None:
    """The page, or the mouse selection, unwrapped, and readable only by the owner."""
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


def test_the_clipboard_file_follows_no_link(tmp_path: Path) -> None:
    """A link in place of the file is replaced, not followed; a missing folder is reported."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    trap = tmp_path / "clipboard.txt"
    trap.symlink_to(victim)
    app: App[None] = App()
    assert outside.copy(app, "a\nb", trap) == f"sent 2 lines to the terminal; also in {tmp_path.name}/clipboard.txt"
    assert (victim.read_text(), trap.read_text(), trap.is_symlink()) == ("precious", "a\nb", False)
    assert "cannot write clipboard.txt: No such file" in outside.copy(app, "a", tmp_path / "none" / "clipboard.txt")
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
    """$PAGER is a list of words, not a shell line, and less starts at the end."""
    assert outside.pager_command(tmp_path / "a b.log", pager) == [*expected, str(tmp_path / "a b.log")]


def test_the_pager_gets_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs while the app is suspended; an interrupt for it does not end the app; problems are one line."""

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
        ("less '", "$PAGER is not valid: No closing quotation"),
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
    assert "cannot run a pager" in outside.open_in_pager(app, path)
