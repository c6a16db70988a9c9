"""The command line as a whole: help, exit codes, error lines, closed outputs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_process import command, environment, nova

from nova_core import __version__
from nova_core.cli import app
from nova_core.cli.app import COMMANDS, run_cli, wanted_commands
from nova_core.cli.interface import wants_interface
from nova_core.errors import (
    EnvironmentProblem,
    InputError,
    InputNotFoundError,
    NovaError,
    Problem,
    RunLockedError,
    StateError,
    UsageError,
)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[BaseException], int]:
    """Runs a command that raises the given exception; returns its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NOVA_DEBUG", raising=False)

    def run(error: BaseException) -> int:
        def pause() -> None:
            raise error

        module = type(sys)("nova_core.cli.control")
        monkeypatch.setattr(module, "pause", pause, raising=False)
        monkeypatch.setattr(app, "import_module", lambda name: module)
        return run_cli(["pause"])

    return run


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"report", "acp-run"}))
def test_every_command_explains_itself(name: str, tmp_path: Path) -> None:
    """Every command has help with an example and takes -C."""
    done = nova(name, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"Examples?:  ?nova " + name, done.stdout)
    assert "--directory" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["retry", "skip", "approve", "cancel"])
def test_help_says_where_several_tasks_are_accepted(name: str, tmp_path: Path) -> None:
    """An argument that may be repeated says so."""
    assert "..." in nova(name, "--help", cwd=tmp_path).stdout.splitlines()[0]


def test_help_lists_every_command(tmp_path: Path) -> None:
    """`nova --help` names all commands and the exit codes."""
    text = nova("--help", cwd=tmp_path).stdout
    assert all(re.search(rf"^  {name} ", text, re.MULTILINE) for name in COMMANDS)
    assert "Exit codes:" in text


def test_version(tmp_path: Path) -> None:
    """`nova --version` prints one line of data."""
    done = nova("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"nova {__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [["bogus"], ["run", "--bogus"], ["logs"], ["run", "-j", "0"], ["run", "--timeout", "soon"], ["reject", "F1"]],
)
def test_usage_mistakes_exit_with_2(arguments: list[str], tmp_path: Path) -> None:
    """An invalid command line is reported on stderr, with exit code 2 and nothing on stdout."""
    done = nova(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_only_named_commands_are_built() -> None:
    """Only the commands named on the line are imported; without one, all are."""
    assert wanted_commands(["-C", "run", "check"]) == ["check", "run"]
    assert wanted_commands(["--help"]) == list(COMMANDS)
    assert wanted_commands(["--version"]) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("m"), 2),
        (InputError([Problem("p", 1, "m")]), 3),
        (InputNotFoundError([Problem("p", 0, "m")]), 3),
        (RunLockedError("m"), 7),
        (EnvironmentProblem("m"), 8),
        (StateError("m"), 8),
        (NovaError("m"), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(broken: Callable[[BaseException], int], error: BaseException, code: int) -> None:
    """Every kind of error ends with its documented exit code."""
    assert broken(error) == code


def test_error_and_hint_are_one_clean_line_each(
    broken: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """An error is one line and its hint another, whatever text is in them."""
    broken(UsageError("bad \x1b[2J\nname", hint="use \x07 another"))
    assert capsys.readouterr().err.splitlines() == ["nova: bad \ufffdname", "hint: use \ufffd another"]


def test_all_problems_of_a_plan_are_reported(
    broken: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every problem is printed with its place and hint; warnings are marked."""
    problems = [Problem("a.md", 3, "bad", "do this"), Problem("a.md", 4, "odd", warning=True)]
    broken(InputError(problems))
    assert capsys.readouterr().err.splitlines() == ["a.md:3: bad", "  hint: do this", "a.md:4: warning: odd"]


def test_a_bug_is_one_line_and_a_report(
    broken: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An unexpected exception is one line, exit code 70, and a private file with the traceback that the line names."""
    (tmp_path / ".nova").mkdir()
    assert broken(ZeroDivisionError("oops\nagain")) == 70
    lines = capsys.readouterr().err.splitlines()
    (report,) = (tmp_path / ".nova").glob("crash-*.txt")
    assert lines == [f"nova: internal error: ZeroDivisionError: oops\ufffdagain; details are in .nova/{report.name}"]
    assert "Traceback" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_nova_debug_shows_the_traceback(
    broken: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NOVA_DEBUG=1 prints the traceback; no `.nova` is created for it."""
    monkeypatch.setenv("NOVA_DEBUG", "1")
    assert broken(ZeroDivisionError("oops")) == 70
    assert "Traceback" in capsys.readouterr().err
    assert not os.path.exists(".nova")


def test_directory_is_entered_first(tmp_path: Path) -> None:
    """-C works before and after the command, as with make, and one that is not there is an environment problem."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert nova("-C", "a", "init", "-C", "b", cwd=tmp_path).returncode == 0
    assert (tmp_path / "a" / "b" / "CASCADE.md").exists()
    done = nova("status", "-C", "none", cwd=tmp_path)
    assert done.returncode == 8
    assert done.stderr.startswith("nova: cannot change to none: No such file or directory\nhint: ")


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """If the reader of its output goes away, the command ends silently."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        command("config"), cwd=tmp_path, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_behind_stdout_is_reported(tmp_path: Path) -> None:
    """Output that cannot be written is an environment problem, reported in one line."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("config"),
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (8, "nova: cannot write the output: No space left on device\n")


def test_no_stdout_at_all(tmp_path: Path) -> None:
    """A closed stdout is treated like /dev/null."""
    line = " ".join(f"'{word}'" for word in command("config"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {line} >&-"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_output_in_a_poor_encoding(tmp_path: Path) -> None:
    """A terminal with a limited encoding gets question marks, not a crash."""
    done = nova("init", "--name", "Größe ✓", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert nova("check", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"}).stdout.startswith("Gr??e ?: 3 tasks")


def test_update_task_is_a_module_of_its_own(tmp_path: Path) -> None:
    """`python -m nova_core.update_task` shows its help."""
    done = subprocess.run(
        [sys.executable, "-m", "nova_core.update_task", "--help"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("usage: python -m nova_core.update_task TASK_ID")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, ("nova-tui ", "tasks start at", "Examples:  nova-tui\n")),
        (["--version"], 0, (f"nova {__version__}",)),
        ([], 2, ("nova: the interface needs a terminal",)),
        (["--json"], 2, ("nova: --json and the interface both need the terminal",)),
        (["--nonsense"], 2, ("--nonsense",)),
        (["-n"], 3, ("CASCADE.md: there is no such plan",)),
    ],
)
def test_nova_tui_without_a_terminal(arguments: list[str], code: int, said: tuple[str, ...], tmp_path: Path) -> None:
    """`nova-tui` takes what `nova run` takes, and says in one line that it needs a terminal."""
    done = nova(*arguments, cwd=tmp_path, program="nova_tui")
    assert [text for text in said if text not in done.stdout + done.stderr] == []
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


@pytest.mark.parametrize(
    ("ui", "as_json", "environ", "wanted"),
    [
        (None, False, {"TERM": "xterm"}, True),
        (None, True, {"TERM": "xterm"}, False),
        (None, False, {"TERM": "dumb"}, False),
        (None, False, {}, False),
        (None, False, {"TERM": "xterm", "CI": "true"}, False),
        (True, False, {"TERM": "xterm", "CI": "true"}, True),
        (False, False, {"TERM": "xterm"}, False),
    ],
)
def test_when_the_interface_opens(
    ui: bool | None, as_json: bool, environ: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interface opens on a terminal, unless another output is requested or no person can be there; all three
    streams must be the same terminal."""
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, stream, SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(os, "environ", environ)
    assert wants_interface(ui, as_json=as_json) is wanted
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: False))
    assert not wants_interface(None, as_json=False)
