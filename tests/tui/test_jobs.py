"""What people do by keyboard: act on many tasks, go to what needs them and to what runs, from log to log, copy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_kit import answer, beat, opened, settled
from fake_source import demo_source
from textual.app import App

from nova_core.command import CommandKind
from nova_core.runs.words import Shown
from nova_tui import outside
from nova_tui.screens.log import LogScreen
from nova_tui.screens.many import ManyScreen


async def test_keys_act_on_all_tasks_of_a_filter_or_only_on_one(tmp_path: Path) -> None:
    """After a question, which other keys do not answer; without fitting tasks there is no question."""
    source = demo_source(tmp_path)
    async with opened(source) as (app, pilot):
        failed = [i for i in app.model.cascade.dag.ids if app.model.shown(i) in (Shown.FAILED, Shown.CANCELLED)]
        await pilot.press("exclamation_mark", "r")
        await settled(pilot)
        assert isinstance(app.screen, ManyScreen)
        await pilot.press("j", "escape")
        assert source.sent == []
        await pilot.press("r", "y")
        await settled(pilot)
        assert [(c.kind, set(c.ids)) for c in source.sent] == [(CommandKind.RETRY, set(failed))]
        source.sent.clear()
        one = app.target
        await pilot.press("r", "o")
        await settled(pilot)
        assert [c.ids for c in source.sent] == [(one,)]


async def test_keys_lead_to_what_needs_a_person_and_to_what_runs(tmp_path: Path) -> None:
    """`tab` through approvals, then failures, and around; digits to the running tasks, also on a log; a digit without
    a task says how many run. `J` and `K` go from log to log, `E` copies an error."""
    source = demo_source(tmp_path)
    async with opened(source) as (app, pilot):
        needing, running = app.model.needing(), app.model.running()
        seen = []
        for _ in needing:
            await pilot.press("tab")
            seen.append(app.target)
        assert seen == needing
        await pilot.press("tab", "shift+tab")
        assert app.target == needing[-1]
        await pilot.press("E")
        assert app.clipboard.startswith(f"{needing[-1]} ")
        for number, task_id in enumerate(running, 1):
            await pilot.press(str(number))
            assert app.target == task_id
        await pilot.press("9")
        assert answer(app) == f"{len(running)} tasks are running"
        await pilot.press("E")
        assert answer(app) == f"{running[-1]} has not failed"
        await pilot.press("L")
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, LogScreen)
        await pilot.press("1")
        assert screen.task_id == running[0]
        await pilot.press("J")
        after = screen.task_id
        await pilot.press("K")
        assert (after != running[0], screen.task_id) == (True, running[0])
        beat(app)


@pytest.fixture
def tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of tmux of its own; the variables are those inside of it."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    monkeypatch.delenv("TMUX", raising=False)
    socket = str(tmp_path / "s")
    start = ["tmux", "-S", socket, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "cat"]
    if subprocess.run(start, capture_output=True, check=False).returncode:
        pytest.skip("tmux cannot start here")
    monkeypatch.setattr(outside, "_TMUX", 60.0)  # a busy machine
    monkeypatch.setenv("TMUX", f"{socket},{os.getpid()},0")
    yield socket
    subprocess.run(["tmux", "-S", socket, "kill-server"], capture_output=True, check=False)


def test_copying_inside_tmux_fills_its_buffer(tmux: str) -> None:
    """As it is, with several lines and every character; without a server it is sent to the terminal."""
    app: App[None] = App()
    assert outside.copy(app, "one\n\ttwo ü 漢\n", None) == "copied 3 lines into tmux's buffer"
    shown = subprocess.run(["tmux", "-S", tmux, "show-buffer"], capture_output=True, check=True).stdout
    assert shown.decode() == "one\n\ttwo ü 漢\n"
    subprocess.run(["tmux", "-S", tmux, "kill-server"], check=True)
    assert outside.copy(app, "one", None) == "sent one to the terminal"
