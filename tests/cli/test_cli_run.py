"""`nova run` and the commands that steer it, with the real engine in real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import msgspec
import pytest
from cli_process import SOURCE, command, environment, nova
from hostile import NAMES
from typer.main import get_command

from nova_core.cli import views
from nova_core.cli.app import alone
from nova_core.cli.request import RunRequest, headless_arguments
from nova_core.config import Config
from nova_core.files.lock import engine_alive
from nova_core.files.project import Project
from nova_core.runs.result import RunResult
from nova_core.state.events import EventKind
from nova_core.state.schema import State, TaskState, TaskStatus

DOCS = Path(__file__).parents[2] / "docs"
HEADER = "# Demo\n\n| Task ID | Task Name | Command | Depends On | Approval |\n| --- | --- | --- | --- | --- |\n"
MIXED = """\
| F1 | Good | `echo good` | - | |
| F2 | Bad | `echo '##[error]oops'; exit 3` | F1 | |
| F3 | Blocked | `echo never` | F2 | |
"""
DEADLINE = 30.0


def write_plan(folder: Path, rows: str) -> Path:
    """A plan with these rows."""
    (folder / "CASCADE.md").write_text(HEADER + rows)
    return folder


def state_in(folder: Path) -> State:
    """The saved state."""
    return msgspec.json.decode((folder / "cascade_state.json").read_bytes(), type=State)


def task_in(folder: Path, task_id: str) -> TaskState:
    """The saved state of a task; a new one where there is no state yet."""
    try:
        return state_in(folder).tasks.get(task_id, TaskState())
    except FileNotFoundError:
        return TaskState()


def wait_until(holds: Callable[[], bool]) -> None:
    """Look until something holds; fail after a long time."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `nova ARGUMENTS` in a folder; what is left of it at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(command(*arguments), cwd=cwd, env=environment(), stdout=pipe, stderr=pipe, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_run_that_succeeds(tmp_path: Path) -> None:
    """Events are lines on stdout, stderr stays empty, and a second run has nothing to do."""
    write_plan(tmp_path, "| F1 | One | `echo 1` | - | |\n| F2 | Two | `echo 2` | F1 | |\n")
    done = nova("run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in done.stdout.splitlines()]
    assert found.index("F1 started  One") < found.index("F2 started  Two")
    assert "Demo: 2 completed" in found
    again = nova("run", cwd=tmp_path)
    assert again.returncode == 0
    assert "F1" not in again.stdout


def test_a_run_with_a_failure(tmp_path: Path) -> None:
    """The summary tells the failure, its last words, what it blocks and what to type; exit code 1."""
    done = nova("run", "--junit", "out.xml", cwd=write_plan(tmp_path, MIXED))
    assert done.returncode == 1
    assert "Demo: 1 completed, 1 failed, 1 blocked" in done.stdout
    assert "F2 failed: exit code 3; blocks 1 task\n    | ##[error]oops\n" in done.stdout
    assert "  F3 by F2" in done.stdout
    assert "nova retry F2 && nova run" in done.stdout
    assert 'failures="1"' in (tmp_path / "out.xml").read_text()


def test_a_run_on_github(tmp_path: Path) -> None:
    """On GitHub the failure is marked at its line of the plan, and no log line is a command to the runner."""
    summary = tmp_path / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = nova("run", cwd=write_plan(tmp_path, MIXED), env=env)
    assert "::error file=CASCADE.md,line=6,title=F2::exit code 3" in done.stderr
    assert "##[" not in done.stdout
    text = summary.read_text()
    assert text.startswith("### Demo\n\n**failed**: 1 completed, 1 failed, 1 blocked\n")
    assert "| F2 | Bad | exit code 3 | 1 | " in text
    assert "<pre>##[error]oops</pre>" in text
    assert "| F3 | F2 |" in text


def test_the_plan_on_github_is_named_from_the_repository(tmp_path: Path) -> None:
    """A project in a folder of the repository is marked at the path that GitHub knows; elsewhere at its own."""
    project = tmp_path / "repository" / "sub" / "project"
    project.mkdir(parents=True)
    for workspace, file in ((tmp_path / "repository", "sub/project/CASCADE.md"), (tmp_path / "other", "CASCADE.md")):
        env = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(workspace)}
        done = nova("-C", str(write_plan(project, MIXED)), "run", cwd=tmp_path, env=env)
        assert f"::error file={file},line=6,title=F2::exit code 3" in done.stderr


def test_hostile_texts_on_github(tmp_path: Path) -> None:
    """Of all that a hostile plan and its workers say, the runner takes nothing for a command but our own marks."""
    rows = "".join(
        f"| {i} | {name} | `printf '%s\\n' '::error::x' '##[group]x' '  ::set-output name=a::b'; exit 1` | - | |\n"
        for i, (name, _) in NAMES.items()
    )
    summary = tmp_path / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = nova("run", cwd=write_plan(tmp_path, rows), env=env)
    lines = [line.lstrip() for line in (done.stdout + done.stderr).splitlines()]
    marks = [line for line in lines if line.startswith("::") or "##[" in line]
    assert len(marks) == 10
    assert all(re.fullmatch(r"::error file=CASCADE.md,line=\d+,title=F\d+::exit code 1", line) for line in marks)
    assert all(line.isprintable() for line in summary.read_text().splitlines())


def documented_schema() -> Any:
    """The schema in the documentation of the JSON stream."""
    text = (DOCS / "json-events.md").read_text()
    return json.loads(text.partition("## Schema")[2].split("```json\n")[1].split("```")[0])


def test_json_lines_follow_their_documentation(tmp_path: Path) -> None:
    """Every line fits the documented schema; the last is the summary, with the exit code of the process."""
    done = nova("run", "--json", cwd=write_plan(tmp_path, MIXED))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    validator = jsonschema.Draft202012Validator(documented_schema())
    for line in lines:
        validator.validate(line)
    assert (done.returncode, done.stderr) == (1, "")
    assert lines[-1]["kind"] == "summary"
    assert lines[-1]["exit_code"] == 1
    revs = [line["rev"] for line in lines[:-1]]
    assert revs == sorted(set(revs))


def test_the_documentation_names_every_kind_and_field() -> None:
    """The schema and the table know every kind of event, and the summary every field of the result."""
    event, summary = documented_schema()["oneOf"]
    assert set(event["properties"]["kind"]["enum"]) == set(EventKind)
    assert set(summary["required"]) == {"kind", *RunResult.__struct_fields__}
    text = (DOCS / "json-events.md").read_text().split("## Schema")[0]
    assert all(f"`{kind.value}`" in text for kind in EventKind)


@pytest.mark.parametrize(
    ("flags", "ran"),
    [
        (["--only", "A,C"], {"A", "C"}),
        (["--until", "B"], {"A", "B"}),
        (["--only", "A", "--only", "C"], {"A", "C"}),
        (["--group", "Demo"], {"A", "B", "C"}),
    ],
)
def test_selection(tmp_path: Path, flags: list[str], ran: set[str]) -> None:
    """Only what is selected runs, and its completion is success."""
    write_plan(tmp_path, "| A | a | `true` | - | |\n| B | b | `true` | A | |\n| C | c | `true` | - | |\n")
    assert nova("run", *flags, cwd=tmp_path).returncode == 0
    assert {i for i, task in state_in(tmp_path).tasks.items() if task.status is TaskStatus.COMPLETED} == ran


@pytest.mark.parametrize("flags", [["-n"], ["--explain"]])
def test_a_dry_run_starts_nothing(tmp_path: Path, flags: list[str]) -> None:
    """The tasks are named in the order they would start, and nothing runs."""
    write_plan(tmp_path, "| B | b | `touch ran` | A | |\n| A | a | `touch ran` | - | |\n")
    done = nova("run", *flags, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines() if line[0] != " "] == ["A", "B"]
    assert not (tmp_path / "ran").exists()


def test_one_task_is_no_tasks(tmp_path: Path) -> None:
    """A run of one task by one worker is told in the singular."""
    write_plan(tmp_path, "| A | a | `true` | - | |\n")
    assert ": 1 task, 1 worker\n" in nova("run", "-j", "1", cwd=tmp_path).stdout


def test_explain_shows_every_command(tmp_path: Path) -> None:
    """What would be run for each task that is not done is told whole and harmless: its command or agent, its checks."""
    long = "echo " + "x" * 5000
    rows = [
        f"| F1 | - | `{long}` | | `grep -q \x1b[2Ja out` |",
        "| F2 | F1 | | claude | it is good; `make test` passes; see `README.md` |",
        "| F3 | - | echo done before | | | x |",
    ]
    head = "| Task ID | Depends On | Command | Agent | Criteria | Status |\n|---|---|---|---|---|---|\n"
    (tmp_path / "CASCADE.md").write_text(head + "\n".join(rows) + "\n")
    done = nova("run", "-n", "--explain", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "F1  run   never run; depends on nothing",
        f"    command: {long}",
        "    check: grep -q a out",
        "F2  run   never run; after F1",
        "    agent: claude",
        "    check: make test",
        "F3  skip  the plan says x",
    ]


def test_flags_win_over_settings(tmp_path: Path) -> None:
    """A flag is stronger than a variable, and that than the file."""
    write_plan(tmp_path, "| A | a | `exec sleep 60` | - | |\n")
    (tmp_path / "nova.yaml").write_text("timeout: 1h\n")
    done = nova("run", "--timeout", "200ms", cwd=tmp_path, env={"NOVA_TIMEOUT": "2h"})
    assert done.returncode == 1
    assert task_in(tmp_path, "A").reason == "timeout"


SLEEPER = "| F1 | Sleeper | `echo begun; exec sleep 60` | - | |\n| F2 | After | `true` | F1 | |\n"
STUBBORN = "| F1 | Stubborn | `trap 'echo asked' TERM; echo begun; while :; do sleep 1; done` | - | |\n"


def begun(folder: Path) -> bool:
    """Whether the first task has printed something."""
    log = folder / "logs" / "F1.log"
    return log.exists() and log.stat().st_size > 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]], number: int, code: int
) -> None:
    """The first signal ends the workers; what was interrupted is pending again, not failed."""
    process = started("run", "--json", cwd=write_plan(tmp_path, SLEEPER))
    wait_until(lambda: begun(tmp_path))
    process.send_signal(number)
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err) == (code, "")
    assert json.loads(out.splitlines()[-1])["exit_code"] == code
    assert task_in(tmp_path, "F1").status is TaskStatus.PENDING


def test_the_second_signal_kills(tmp_path: Path, started: Callable[..., subprocess.Popen[str]]) -> None:
    """A worker that ignores SIGTERM is killed by the second Ctrl-C, long before its grace is over."""
    (tmp_path / "nova.yaml").write_text("grace: 1h\n")
    process = started("run", cwd=write_plan(tmp_path, STUBBORN))
    wait_until(lambda: begun(tmp_path))
    process.send_signal(signal.SIGINT)
    wait_until(lambda: "asked" in (tmp_path / "logs" / "F1.log").read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130


def test_a_hangup_leaves_the_workers_running(tmp_path: Path, started: Callable[..., subprocess.Popen[str]]) -> None:
    """SIGHUP ends the engine alone; the worker goes on and the next run collects it without starting it again."""
    rows = "| F1 | Waiter | `echo begun; while [ ! -e go ]; do sleep 0.05; done; echo x >> count` | - | |\n"
    process = started("run", cwd=write_plan(tmp_path, rows))
    wait_until(lambda: begun(tmp_path))
    process.send_signal(signal.SIGHUP)
    assert process.wait(DEADLINE) == -signal.SIGHUP
    (tmp_path / "go").touch()
    assert nova("run", cwd=tmp_path).returncode == 0
    assert (tmp_path / "count").read_text() == "x\n"


def test_a_reader_that_leaves_does_not_end_the_run(tmp_path: Path) -> None:
    """A closed pipe costs the output, not the run."""
    read, write = os.pipe()
    os.close(read)
    write_plan(tmp_path, "| A | a | `true` | - | |\n| B | b | `true` | A | |\n")
    done = subprocess.run(
        command("run"), cwd=tmp_path, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
    assert task_in(tmp_path, "B").status is TaskStatus.COMPLETED


def test_a_second_engine_is_refused(tmp_path: Path, started: Callable[..., subprocess.Popen[str]]) -> None:
    """While one engine runs another is refused, and the first is named."""
    process = started("run", cwd=write_plan(tmp_path, SLEEPER))
    wait_until(lambda: begun(tmp_path))
    refused = nova("run", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (7, "")
    assert f"pid {process.pid}" in refused.stderr
    process.send_signal(signal.SIGINT)
    process.wait(DEADLINE)


def test_detached_run(tmp_path: Path) -> None:
    """--detach returns once the run has begun and names its pid; the run goes on without us."""
    write_plan(tmp_path, "| F1 | Waiter | `echo begun; while [ ! -e go ]; do sleep 0.05; done` | - | |\n")
    done = nova("-C", str(tmp_path), "run", "--detach", cwd=tmp_path.parent)
    assert done.returncode == 0, done.stderr
    engine = engine_alive(tmp_path / ".nova" / "run.lock")
    assert engine is not None
    assert done.stdout == f"running in the background as pid {engine.pid}\n"
    assert os.getsid(engine.pid) == engine.pid
    (tmp_path / "go").touch()
    wait_until(lambda: engine_alive(tmp_path / ".nova" / "run.lock") is None)
    assert task_in(tmp_path, "F1").status is TaskStatus.COMPLETED
    wait_until(lambda: "F1 completed" in (tmp_path / ".nova" / "engine.log").read_text())  # written after the lock


def test_detached_run_that_is_over_at_once(tmp_path: Path) -> None:
    """A detached run that has nothing to do says how it ended rather than that it runs."""
    write_plan(tmp_path, "| F1 | One | `true` | - | |\n")
    assert nova("run", cwd=tmp_path).returncode == 0
    done = nova("run", "--detach", "-n", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_bug_in_a_view_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake on a view's thread is no traceback on the terminal."""
    monkeypatch.chdir(tmp_path)
    views.in_one_line(SimpleNamespace(exc_value=ZeroDivisionError("oops")))  # type: ignore[arg-type]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "nova: internal error: ZeroDivisionError: oops"
    assert len(lines) == 2


def test_detached_run_that_cannot_begin(tmp_path: Path) -> None:
    """What keeps a detached run from beginning is shown at once, with its exit code."""
    done = nova("run", "--detach", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "CASCADE.md" in done.stderr


def test_without_a_name_the_plan_that_ran_here_is_meant(tmp_path: Path) -> None:
    """`CASCADE.md` comes first; where there is none the folder's run tells, also to `nova -C`."""
    write_plan(tmp_path, MIXED)
    other = tmp_path / "PLAN.md"
    (tmp_path / "CASCADE.md").rename(other)
    assert nova("run", "--no-ui", "PLAN.md", "--only", "F1", cwd=tmp_path).returncode == 0
    assert "F2" in nova("-C", str(tmp_path), "run", "-n", cwd=tmp_path.parent).stdout
    assert nova("check", cwd=tmp_path).returncode == 0
    other.rename(tmp_path / "gone.md")
    assert "CASCADE.md: there is no such plan" in nova("run", "-n", cwd=tmp_path).stderr


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["-C", ".", "--detach", "-j", "2"], ["--jobs=2", "--", "CASCADE.md"]),
        (["plan.md", "--fresh", "--only", "A,B", "--only=C"], ["--only=A,B", "--only=C", "--fresh", "--", "plan.md"]),
        (["--ui", "--theme", "ansi", "--retries", "0", "--", "-x"], ["--retries=0", "--", "-x"]),
    ],
)
def test_an_engine_without_a_face_gets_the_same_run(arguments: list[str], kept: list[str]) -> None:
    """What is about the terminal or the directory, which is entered once, is left out."""
    command = get_command(alone("run"))
    context = command.make_context("nova", arguments)
    assert headless_arguments(context) == ("run", "--no-ui", *kept)  # type: ignore[arg-type]


def test_a_takeover_starts_nothing_over() -> None:
    """What --fresh forgot is not forgotten again, and the number of workers is that of now."""
    arguments = ("run", "--no-ui", "--jobs=2", "--fresh", "--only=A", "--", "CASCADE.md")
    request = RunRequest("CASCADE.md", Project(), Config(), arguments=arguments)
    assert request.take_over(5) == ("run", "--no-ui", "--jobs=5", "--only=A", "--", "CASCADE.md")


def test_steering_a_live_run(tmp_path: Path, started: Callable[..., subprocess.Popen[str]]) -> None:
    """Commands reach the live engine: cancel, retry and approve take effect while it runs."""
    rows = """\
| F1 | Once | `echo begun; [ -e again ] \\|\\| exec sleep 60` | - | |
| F2 | Ask | `true` | - | yes |
| F3 | Keep | `while [ ! -e go ]; do sleep 0.05; done` | - | |
"""
    process = started("run", cwd=write_plan(tmp_path, rows))
    wait_until(lambda: begun(tmp_path) and task_in(tmp_path, "F2").approval == "waiting")
    assert nova("cancel", "F1", cwd=tmp_path).stdout == "ending: F1\n"
    wait_until(lambda: task_in(tmp_path, "F1").status is TaskStatus.FAILED)
    (tmp_path / "again").touch()
    assert nova("retry", "F1", cwd=tmp_path).stdout == "will run again: F1\n"
    assert nova("approve", "F2", cwd=tmp_path).stdout == "approved: F2\n"
    wait_until(lambda: task_in(tmp_path, "F1").status is TaskStatus.COMPLETED)
    (tmp_path / "go").touch()
    assert process.wait(DEADLINE) == 0


def test_steering_without_an_engine(tmp_path: Path) -> None:
    """The same commands work on the saved state when no engine is alive."""
    nova("run", cwd=write_plan(tmp_path, MIXED))
    assert nova("skip", "F2", cwd=tmp_path).returncode == 0
    assert nova("pause", cwd=tmp_path).returncode == 0
    assert nova("run", cwd=tmp_path).returncode == 4
    assert nova("resume", cwd=tmp_path).returncode == 0
    assert nova("run", cwd=tmp_path).returncode == 0
    assert nova("retry", "F2", "--downstream", cwd=tmp_path).stdout == "will run again: F2, F3\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retry"], "name the tasks, or give --failed"),
        (["retry", "F1", "--failed"], "name the tasks, or give --failed"),
        (["cancel"], "name the tasks, or give --all"),
        (["retry", "F22"], "did you mean F2?"),
        (["approve", "F1"], "F1 does not wait for approval"),
        (["retry", "F3"], "F3 is blocked by F2"),
    ],
)
def test_commands_that_are_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    """A command that cannot be carried out says why, with exit code 2, and changes nothing."""
    nova("run", cwd=write_plan(tmp_path, MIXED))
    before = state_in(tmp_path).tasks
    done = nova(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert state_in(tmp_path).tasks == before


def test_approval_leaves_work(tmp_path: Path) -> None:
    """A run that waits for a person ends with 4 and says what to type."""
    done = nova("run", cwd=write_plan(tmp_path, "| F1 | Ask | `true` | - | yes |\n"))
    assert done.returncode == 4
    assert "next: nova approve F1" in done.stdout
    assert nova("reject", "F1", "--reason", "not yet", cwd=tmp_path).returncode == 0
    assert nova("run", cwd=tmp_path).returncode == 1
    assert "rejected: not yet" in nova("why", "F1", cwd=tmp_path).stdout


def test_a_worker_reports(tmp_path: Path) -> None:
    """What a worker reports arrives in the state."""
    line = " ".join(f'"{word}"' for word in command("report", "--step", "half way", "--input-tokens", "7"))
    seen = "until grep -q 'half way' cascade_state.json; do sleep 0.05; done"
    rows = f"| F1 | Reporter | `PYTHONPATH='{SOURCE}' {line} && {seen}` | - | |\n"
    done = nova("run", "--json", cwd=write_plan(tmp_path, rows))
    assert done.returncode == 0
    assert any(json.loads(line).get("patch", {}).get("current_step") == "half way" for line in done.stdout.splitlines())
    assert task_in(tmp_path, "F1").token_usage.input_tokens == 7


def test_the_live_view_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal the run is drawn live and ends with the summary; names are no markup."""
    main, side = os.openpty()
    write_plan(tmp_path, "| F1 | [bold]One | `true` | - | |\n")
    with subprocess.Popen(
        command("run", "--no-ui"), cwd=tmp_path, env=environment({"TERM": "xterm"}), stdout=side, stderr=side
    ) as process:
        os.close(side)
        shown = b""
        while True:
            try:
                data = os.read(main, 10_000)
            except OSError:  # EIO: the other side is closed
                break
            if not data:
                break
            shown += data
    os.close(main)
    assert process.returncode == 0
    assert b"F1 completed" in shown
    assert b"Demo: 1 completed" in shown
    assert b"Traceback" not in shown


def test_every_command_is_documented() -> None:
    """The documentation names every command and every exit code."""
    from nova_core.cli.app import COMMANDS

    text = (DOCS / "cli.md").read_text()
    assert all(f"`nova {name}" in text for name in COMMANDS)
    codes = (DOCS / "exit-codes.md").read_text()
    assert all(f"| {code} |" in codes for code in (0, 1, 2, 3, 4, 5, 7, 8, 70, 130, 141, 143))


def test_ids_with_slashes_have_their_logs_in_folders(tmp_path: Path) -> None:
    """Of every attempt, and of the commands that check a criterion."""
    tries = 'echo "attempt $NOVA_ATTEMPT"; test $NOVA_ATTEMPT -eq 2'
    (tmp_path / "nova.yaml").write_text("retry_delay: 0\n")
    (tmp_path / "CASCADE.md").write_text(
        "| Task ID | Task Name | Depends On | Command | Criteria |\n|---|---|---|---|---|\n"
        f"| 01-a/x | One | - | {tries} | - |\n| 02-b/x | Two | 01-a/x | true | `echo checked` |\n"
    )
    done = nova("run", "--no-ui", "--retries", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    logs = {str(path.relative_to(tmp_path / "logs")): path.read_text() for path in tmp_path.glob("logs/*/*")}
    assert logs == {
        "01-a/x.1.log": "attempt 1\n", "01-a/x.log": "attempt 2\n",
        "02-b/x.check-1.log": "checked\n", "02-b/x.log": "",
    }  # fmt: skip
    assert "attempt 1" in nova("logs", "01-a/x", "--attempt", "1", cwd=tmp_path).stdout
