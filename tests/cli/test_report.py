"""`nova report` and `update_task`: workers' reports reach the inbox intact and cheaply."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_process import environment
from hypothesis import given
from hypothesis import strategies as st

from nova_core import report, update_task
from nova_core.clock import iso
from nova_core.files.inbox import attempt_token, load_secret
from nova_core.files.lock import RunLock
from nova_core.files.project import Project
from nova_core.state import StateManager
from nova_core.state.schema import TaskStatus

WHOSE = {"NOVA_TASK_ID": "F1", "NOVA_ATTEMPT": "2", "NOVA_TOKEN": "secret", "NOVA_RUN_ID": "run1"}


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The inbox of a worker's environment."""
    inbox = make_inbox(tmp_path / "inbox")
    for name, value in {**WHOSE, "NOVA_INBOX": str(inbox)}.items():
        monkeypatch.setenv(name, value)
    return inbox


@pytest.mark.parametrize(
    ("number", "criterion", "hint"),
    [("0", 1, "it has none"), ("3", 4, "it has 3, counted from 1"), ("3", 3, None), ("", 9, None)],
)
def test_a_criterion_that_is_not_there_is_rejected(
    worker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: str, criterion: int,
    hint: str | None,
) -> None:  # fmt: skip
    """One line says so, with exit code 2, and nothing is sent; an engine that does not say how many accepts any."""
    monkeypatch.setenv("NOVA_CRITERIA", number)
    assert report.main(["--criterion", str(criterion), "--step", "s"]) == (2 if hint else 0)
    said = capsys.readouterr().err
    assert len(delivered(worker)) == (hint is None)
    assert said.startswith(f"nova report: the task has no criterion {criterion}\nhint: {hint}" if hint else "")


def make_inbox(path: Path) -> Path:
    """An empty maildir."""
    for name in ("tmp", "new"):
        (path / name).mkdir(parents=True)
    return path


def delivered(inbox: Path) -> list[dict[str, Any]]:
    """The messages in the inbox, oldest first; nothing may be left half written."""
    assert not list((inbox / "tmp").iterdir())
    return [json.loads(path.read_bytes()) for path in sorted((inbox / "new").iterdir())]


def test_report_holds_only_what_was_given(worker: Path) -> None:
    """A report carries the attempt it belongs to and exactly the given fields, in the types of the protocol."""
    assert report.main(["--step", "writing", "--percent=50", "--file", "a.py", "--file", "b.py"]) == 0
    assert delivered(worker) == [
        {
            "kind": "report",
            "run": "run1",
            "task": "F1",
            "attempt": 2,
            "token": "secret",
            "step": "writing",
            "percent": 50,
            "files": ["a.py", "b.py"],
        }
    ]


def test_tokens_and_criterion(worker: Path) -> None:
    """Token counts travel together under `tokens`."""
    arguments = ["--input-tokens", "1", "--output-tokens", "2", "--cache-read-tokens", "3", "--criterion", "1"]
    assert report.main([*arguments, "--cache-creation-tokens", "4", "--message", "hi"]) == 0
    message = delivered(worker)[0]
    counts = {"input_tokens": 1, "output_tokens": 2, "cache_read_tokens": 3, "cache_creation_tokens": 4}
    assert message["tokens"] == counts
    assert (message["criterion"], message["message"]) == (1, "hi")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to report"),
        (["--bogus"], "unknown option --bogus"),
        (["--step"], "--step needs a value"),
        (["halfway"], "unexpected argument halfway"),
        (["--percent", "101"], "not a whole number from 0 to 100"),
        (["--percent", "-1"], "not a whole number"),
        (["--percent", "1" * 5000], "not a whole number"),
        (["--percent", "\N{SUPERSCRIPT TWO}"], "not a whole number"),
        (["--criterion", "0"], "not a whole number from 1 up"),
        (["--input-tokens", "x\x1b[2J"], "not a whole number"),
    ],
)
def test_mistakes_are_reported_in_one_line(
    worker: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """An invalid report exits with 2, one line that is safe to print, and sends nothing."""
    assert report.main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error.splitlines()[0]
    assert "\x1b" not in error
    assert delivered(worker) == []


def test_outside_a_worker(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the worker's environment the command says so and what to use instead."""
    for name in report.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    assert report.main(["--step", "x"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "not inside a task" in lines[0]
    assert lines[1].startswith("hint: ")


def test_missing_inbox_is_an_environment_problem(worker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An inbox that cannot be written exits with 8 and one line."""
    (worker / "tmp").rmdir()
    assert report.main(["--step", "x"]) == 8
    assert "cannot write to" in capsys.readouterr().err


def test_report_imports_next_to_nothing(tmp_path: Path) -> None:
    """The entry point of `nova report` has no import that would slow agents down."""
    inbox = make_inbox(tmp_path / "inbox")
    program = (
        "import sys; sys.argv = ['nova', 'report', '--step', 'x']; from nova_core.__main__ import main; code = main();"
        "print(' '.join(sys.modules)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env=environment({**WHOSE, "NOVA_INBOX": str(inbox)}),
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"argparse", "json", "re", "typing", "enum", "dataclasses", "pathlib", "msgspec", "typer", "subprocess"}
    assert not heavy & set(done.stdout.split())
    assert len(delivered(inbox)) == 1


def test_bytes_that_are_not_text_arrive_as_text(tmp_path: Path) -> None:
    """Arguments may hold any bytes; the message is nevertheless valid JSON in valid Unicode."""
    inbox = make_inbox(tmp_path / "inbox")
    subprocess.run(
        [sys.executable.encode(), b"-m", b"nova_core", b"report", b"--step", b"caf\xc3\xa9 \xff"],
        env=environment({**WHOSE, "NOVA_INBOX": str(inbox)}),
        check=True,
    )
    assert delivered(inbox)[0]["step"].startswith("café ")
    delivered(inbox)[0]["step"].encode("utf-8")


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_to_json_agrees_with_json(value: object) -> None:
    """Whatever a report contains, the hand-written JSON means the same as the library's."""
    assert json.loads(report.to_json(value)) == value


# update_task


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one task in its state, as the current directory."""
    for name in report.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    found = Project(tmp_path)
    found.make_dirs()
    manager = StateManager(found.state_file)
    manager.initialize("p", "CASCADE.md")
    manager.update_task("F1", status=TaskStatus.PENDING)
    return found


def test_update_by_hand_without_engine(project: Project) -> None:
    """With no engine the saved state is changed: step, tokens, status."""
    assert update_task.main(["F1", "--status", "in_progress", "--current-step", "half", "--input-tokens", "7"]) == 0
    task = StateManager(project.state_file).load().tasks["F1"]
    assert (task.status, task.current_step, task.token_usage.input_tokens) == (TaskStatus.IN_PROGRESS, "half", 7)
    assert update_task.main(["F1", "--status", "completed", "--file", "a.py"]) == 0
    task = StateManager(project.state_file).load().tasks["F1"]
    assert (task.status, task.files_changed) == (TaskStatus.COMPLETED, ("a.py",))
    assert update_task.main(["F1", "--status", "failed", "--error", "broken"]) == 0
    assert StateManager(project.state_file).load().tasks["F1"].error == "broken"


def test_update_by_hand_with_a_live_engine(project: Project) -> None:
    """With an engine running the state is unchanged, and the report goes to its inbox with the attempt's token."""
    key = load_secret(project.secret_file)
    lock = RunLock(project.lock_file)
    try:
        assert update_task.main(["F1", "--step", "x"]) == 0
    finally:
        lock.close()
    assert StateManager(project.state_file).load().tasks["F1"].current_step is None
    message = delivered(project.inbox_dir)[0]
    token = attempt_token(key, str(message["run"]), "F1", int(str(message["attempt"])))
    assert (message["task"], message["token"], message["step"]) == ("F1", token, "x")


def test_update_in_a_worker_is_a_report(worker: Path) -> None:
    """Inside its own task the command is a report with the attempt's token."""
    assert update_task.main(["F1", "--status", "completed"]) == 0
    message = delivered(worker)[0]
    assert (message["token"], message["attempt"], message["status"]) == ("secret", 2, "completed")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name one task"),
        (["F1", "F2", "--step", "x"], "name one task"),
        (["F9", "--step", "x"], "there is no task F9"),
        (["../../etc", "--step", "x"], "there is no task ../../etc"),
        (["F1", "--status", "done"], "--status: done is none of"),
        (["F1"], "nothing to report"),
    ],
)
def test_update_mistakes(project: Project, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """An invalid update exits with 2 and one line, and changes nothing."""
    before = project.state_file.read_bytes()
    assert update_task.main(arguments) == 2
    assert said in capsys.readouterr().err
    assert project.state_file.read_bytes() == before


def test_stamps_are_utc(project: Project) -> None:
    """A task completed by hand gets a time in the standard form."""
    update_task.main(["F1", "--status", "completed"])
    stamp = StateManager(project.state_file).load().tasks["F1"].completed_at
    assert stamp is not None
    assert stamp[-6:] == iso(0)[-6:]
