"""Every byte that the interface writes to a terminal, on a run in which every text has control sequences."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hostile import run_hostile
from pty_kit import Terminal, nova, nova_tui
from terminal import harm_in

# What Textual sends: colours, the cursor's place, its modes, the mouse's shape, and questions about the terminal; and
# ends of lines after the interface was left.
OWN = re.compile(
    r"\x1b\[[\d;]*m|\x1b\[\d+;\d+H|\x1b\[H|\x1b\[\?[\d;]+[hl]|\x1b\[\?\d+\$p|\x1b\[>\d+u|\x1b\[<u|\x1b\[c|\x1b\]22;[a-z]+\x07|\r?\n|\r(?=\x1b)"
)
SWITCHED = re.compile(r"\x1b\[\?([\d;]+)[hl]")
MODES = {"1000", "1003", "1004", "1006", "1015", "1049", "2004", "2026", "2048", "25", "7"}
VIEWS = {
    "enter": "^ status", "L": "w wrap", "t": "^ Timeline", "d": "^ Dependencies", "e": "^ Events", "$": "^ Cost",
    "S": "^ ?Next ─", "?": "^ Keys", ":": "actions, tasks, themes", "/": r"\d found",
}  # fmt: skip
MAIN = re.compile(r"\A(?!.*(actions, tasks|\d found)).*─ plan", re.DOTALL)  # nothing is open on top of it


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile run."""
    return run_hostile(tmp_path_factory.mktemp("hostile"))


def check(terminal: Terminal, project: Path) -> str:
    """What was written, which must hold only what Textual sends."""
    text = bytes(terminal.raw).decode()
    assert harm_in(text, OWN) == []
    assert {n for found in SWITCHED.findall(text) for n in found.split(";")} <= MODES
    assert not list(project.parent.rglob("pwned*"))
    return text


def test_every_view(project: Path) -> None:
    """Nothing acts in the tree, the detail, the log or any other view, and names are shown unchanged."""
    with Terminal(nova("attach", "--control"), project, size=(120, 40)) as terminal:
        terminal.wait("F0")
        for move in ("home", "down", "down"):  # the branch, the group, F0
            terminal.send(move)
        terminal.wait(r"\$\(touch pwned\)")
        for key, view in VIEWS.items():
            terminal.press([key, "F"] if key == "/" else key, f"(?m){view}")
            terminal.press("escape", lambda: MAIN.search(terminal.text))
        shown = terminal.press("G", r"x \[/nope\]")
        assert "[@click=app.quit]x[/]" in shown
        terminal.send("q")
        assert terminal.wait_exit() == 0
        check(terminal, project)


def test_a_live_run(project: Path) -> None:
    """Toasts, steps and messages of a run that continues, and the text after it."""
    with Terminal(nova_tui("--fresh"), project, size=(100, 30)) as terminal:
        terminal.wait_each("needs approval", "FAILED ")
        terminal.send("q")
        assert terminal.wait_exit() == 1
        check(terminal, project)
