"""`nova run`, with the real engine in real processes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from cli_plans import MIXED, state_in, task_in, wait_until, write_plan
from cli_process import SOURCE, command, environment, nova
from sampling import sampled
from typer.main import get_command

from nova_core.cli import views
from nova_core.cli.app import alone
from nova_core.cli.request import RunRequest, headless_arguments
from nova_core.config import Config
from nova_core.files.lock import engine_alive
from nova_core.files.project import Project
from nova_core.runs.result import RunResult
from nova_core.state.events import EventKind
from nova_core.state.schema import TaskStatus

DOCS = Path(__file__).parents[2] / "docs"


def test_a_run_with_a_failure(tmp_path: Path) -> None:
    """The summary shows the failure, its last lines, what it blocks and what to type; exit code 1."""
    done = nova("run", "--junit", "out.xml", cwd=write_plan(tmp_path, MIXED))
    assert done.returncode == 1
    assert "Demo: failed, 1/3 done, 1 failed, 1 blocked" in done.stdout
    assert "F2 failed: ##[error]oops; exit code 3; blocks 1 task\n    | ##[error]oops\n" in done.stdout
    assert "  F3 by F2" in done.stdout
    assert "nova retry F2 && nova run" in done.stdout
    assert 'failures="1"' in (tmp_path / "out.xml").read_text()


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
    """Only selected tasks run, and the exit code depends on them alone."""
    write_plan(tmp_path, "| A | a | `true` | - | |\n| B | b | `true` | A | |\n| C | c | `true` | - | |\n")
    assert nova("run", *flags, cwd=tmp_path).returncode == 0
    assert {i for i, task in state_in(tmp_path).tasks.items() if task.status is TaskStatus.COMPLETED} == ran


@pytest.mark.parametrize("flags", [["-n"], ["--explain"]])
def test_a_dry_run_starts_nothing(tmp_path: Path, flags: list[str]) -> None:
    """The tasks are listed in the order they would start, and nothing runs."""
    write_plan(tmp_path, "| B | b | `touch ran` | A | |\n| A | a | `touch ran` | - | |\n")
    done = nova("run", *flags, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines() if line[0] != " "] == ["A", "B"]
    assert not (tmp_path / "ran").exists()


def test_one_task_is_no_tasks(tmp_path: Path) -> None:
    """A run of one task with one worker is described in the singular."""
    write_plan(tmp_path, "| A | a | `true` | - | |\n")
    assert ": 1 task, 1 worker\n" in nova("run", "-j", "1", cwd=tmp_path).stdout


def test_explain_shows_every_command(tmp_path: Path) -> None:
    """For each task that is not done, the command or agent and its checks are shown in full and safe to print."""
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
        "F1  run   never started; depends on nothing",
        f"    command: {long}",
        "    check: grep -q a out",
        "F2  run   never started; after F1",
        "    agent: claude",
        "    check: make test",
        "F3  skip  the plan says x",
    ]


def test_flags_win_over_settings(tmp_path: Path) -> None:
    """A flag overrides a variable, and a variable overrides the file."""
    write_plan(tmp_path, "| A | a | `exec sleep 60` | - | |\n")
    (tmp_path / "nova.yaml").write_text("timeout: 1h\n")
    done = nova("run", "--timeout", "200ms", cwd=tmp_path, env={"NOVA_TIMEOUT": "2h"})
    assert done.returncode == 1
    assert task_in(tmp_path, "A").reason == "timeout"


def test_a_reader_that_leaves_does_not_end_the_run(tmp_path: Path) -> None:
    """A closed pipe loses the output, not the run."""
    read, write = os.pipe()
    os.close(read)
    write_plan(tmp_path, "| A | a | `true` | - | |\n| B | b | `true` | A | |\n")
    done = subprocess.run(
        command("run"), cwd=tmp_path, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
    assert task_in(tmp_path, "B").status is TaskStatus.COMPLETED


def test_detached_run(tmp_path: Path) -> None:
    """--detach returns once the run has started and prints its pid; the run continues without the caller."""
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
    wait_until(lambda: "F1 done" in (tmp_path / ".nova" / "engine.log").read_text())  # written after the lock


def test_detached_run_that_is_over_at_once(tmp_path: Path) -> None:
    """A detached run that has nothing to do says how it ended rather than that it is running."""
    write_plan(tmp_path, "| F1 | One | `true` | - | |\n")
    assert nova("run", cwd=tmp_path).returncode == 0
    done = nova("run", "--detach", "-n", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_bug_in_a_view_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error on a view's thread prints no traceback on the terminal."""
    monkeypatch.chdir(tmp_path)
    views.in_one_line(SimpleNamespace(exc_value=ZeroDivisionError("oops")))  # type: ignore[arg-type]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "nova: internal error: ZeroDivisionError: oops"
    assert len(lines) == 2


def test_detached_run_that_cannot_begin(tmp_path: Path) -> None:
    """What keeps a detached run from starting is shown at once, with its exit code."""
    done = nova("run", "--detach", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "CASCADE.md" in done.stderr


def test_without_a_name_the_plan_that_ran_here_is_meant(tmp_path: Path) -> None:
    """`CASCADE.md` comes first; without one the folder's last run decides, also for `nova -C`."""
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
def test_an_engine_without_a_face_gets_the_same_run(
    arguments: list[str], kept: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options about the terminal, and the directory, which is entered once, are left out."""
    monkeypatch.chdir(tmp_path)  # a file of the current directory might be the plan that was meant
    command = get_command(alone("run"))
    context = command.make_context("nova", arguments)
    assert headless_arguments(context) == ("run", "--no-ui", *kept)  # type: ignore[arg-type]


def test_a_takeover_starts_nothing_over() -> None:
    """What --fresh put aside is not put aside again, and the number of workers is the current one."""
    arguments = ("run", "--no-ui", "--jobs=2", "--fresh", "--only=A", "--", "CASCADE.md")
    request = RunRequest("CASCADE.md", Project(), Config(), arguments=arguments)
    assert request.take_over(5) == ("run", "--no-ui", "--jobs=5", "--only=A", "--", "CASCADE.md")


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
    """On a terminal the run is drawn live and ends with the summary; names are not read as markup."""
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
    assert b"F1 done" in shown
    assert b"Demo: finished, 1/1 done" in shown
    assert b"Traceback" not in shown


def test_every_command_is_documented() -> None:
    """The documentation lists every command and every exit code."""
    from nova_core.cli.app import COMMANDS

    text = (DOCS / "cli.md").read_text()
    assert all(f"`nova {name}" in text for name in COMMANDS)
    codes = (DOCS / "exit-codes.md").read_text()
    assert all(f"| {code} |" in codes for code in (0, 1, 2, 3, 4, 5, 7, 8, 70, 130, 141, 143))


def test_ids_with_slashes_have_their_logs_in_folders(tmp_path: Path) -> None:
    """Logs of every attempt, and of commands that check a criterion, lie in the folder of the id."""
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


UNKNOWN: list[tuple[list[str], dict[str, str], str, str]] = [
    (["--agent", "clude"], {}, "--agent: there is no agent clude", "did you mean claude? known: mine, claude, "),
    (["--agent", "mine,zzz"], {}, "--agent: there is no agent zzz", "known: mine, claude, "),
    ([], {"NOVA_AGENT": "zzz"}, "NOVA_AGENT: there is no agent zzz", "known: mine, claude, "),
    (["--theme", "nova-drk"], {}, "no theme is called nova-drk", "did you mean nova-dark? use nova-dark, "),
    (["--detach", "--theme", "zzzz"], {}, "no theme is called zzzz", "use nova-dark, nova-light or ansi"),
]


@pytest.mark.parametrize(("number", "more"), sampled(range(len(UNKNOWN)), ["--no-ui", "-n"]))
def test_an_unknown_agent_or_theme_is_an_error(number: int, more: str, tmp_path: Path) -> None:
    """Also where every task has a command and no interface opens; the hint names those that exist."""
    write_plan(tmp_path, "| A | a | `touch ran` | - | |\n")
    (tmp_path / "nova.yaml").write_text("agents: {mine: {command: ['true']}}\n")
    arguments, variables, said, hint = UNKNOWN[number]
    done = nova("run", more, *arguments, cwd=tmp_path, env=variables)
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first == f"nova: {said}"
    assert second.startswith(f"hint: {hint}")
    assert not (tmp_path / "ran").exists()


def test_several_agents_may_be_given(tmp_path: Path) -> None:
    """`--agent a,b` means what `NOVA_AGENT=a,b` means: in order of preference."""
    (tmp_path / "CASCADE.md").write_text("| Task ID | Depends On |\n|---|---|\n| A | - |\n")
    assert "    agent: claude, codex" in nova("run", "--explain", "--agent", "claude, codex", cwd=tmp_path).stdout


def test_colours_of_events_can_be_forced(tmp_path: Path) -> None:
    """In CI, where stdout is a pipe, FORCE_COLOR marks what failed."""
    done = nova("run", "--no-ui", cwd=write_plan(tmp_path, MIXED), env={"FORCE_COLOR": "1"})
    assert next(line for line in done.stdout.splitlines() if "F2 failed: exit" in line).startswith("\x1b[31m")
