"""Signals that end Nova at once leave a whole terminal; signals that were ignored stay so."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_plans import write_plan
from pty_kit import SOURCE, Terminal, nova, nova_tui
from sampling import some

from nova_core.cli.run import stopping

ROWS = "| A1 | Waiter | `echo ready; while [ ! -e go ]; do sleep 0.05; done` | - | |\n"


def test_ctrl_backslash_leaves_a_whole_terminal(tmp_path: Path) -> None:
    """The live view hides the cursor; Ctrl-\\ ends it as a crash would, with the cursor shown, and the worker goes
    its way."""
    write_plan(tmp_path, ROWS)
    with Terminal(nova("run", "--no-ui"), tmp_path) as terminal:
        terminal.wait("1 running")
        assert not terminal.modes()["cursor"]
        terminal.send("\x1c")
        assert terminal.wait_exit() == -signal.SIGQUIT
        assert terminal.restored()
    (tmp_path / "go").touch()
    with Terminal(nova("run", "--no-ui"), tmp_path) as terminal:
        assert terminal.wait_exit() == 0


@pytest.mark.parametrize("number", some([signal.SIGQUIT, signal.SIGSEGV, signal.SIGUSR1], signal.SIGSEGV))
def test_the_interface_leaves_a_whole_terminal(number: int, tmp_path: Path) -> None:
    """Alternate screen, mouse and modes are left, and typing echoes again."""
    write_plan(tmp_path, ROWS)
    with Terminal(nova_tui(), tmp_path) as terminal:
        terminal.wait("1 running")
        assert not terminal.restored()
        terminal.kill(number)
        assert terminal.wait_exit() == -number
        assert terminal.restored()
    (tmp_path / "go").touch()
    with Terminal(nova("run", "--no-ui"), tmp_path) as terminal:
        assert terminal.wait_exit() == 0


def test_a_fault_in_native_code_ends_the_program(tmp_path: Path) -> None:
    """Its handler cannot run; the program must not hang in the instruction that faults."""
    code = (
        "import ctypes, signal\nfrom nova_core.console.terminal import end_at_second\n"
        "signal.signal(signal.SIGSEGV, print)\nend_at_second([signal.SIGSEGV])\nctypes.string_at(8)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=SOURCE, timeout=60, check=False)
    assert done.returncode == -signal.SIGSEGV


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ignored", [False, True])
def test_an_ignored_signal_stays_ignored(number: int, ignored: bool) -> None:
    """A shell ignores SIGINT in the background of a script, and nohup ignores SIGHUP: Nova takes only the others."""
    engine: Any = SimpleNamespace(stop=lambda kill: None)
    before = signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        with stopping(engine):
            assert (signal.getsignal(number) is signal.SIG_IGN) is ignored
        assert signal.getsignal(number) is (signal.SIG_IGN if ignored else signal.SIG_DFL)
    finally:
        signal.signal(number, before)
