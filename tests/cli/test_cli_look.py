"""`nova status`, `logs` and `why`: inspecting a run without an engine."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import msgspec
import pytest
from cli_plans import write_plan
from cli_process import command, environment, nova

from nova_core.cli import logs, status
from nova_core.cli import why as why_module
from nova_core.files.lock import EngineInfo, RunLock
from nova_core.files.log_follower import Follower
from nova_core.files.project import Project
from nova_core.model import TokenUsage
from nova_core.parser import parse_text
from nova_core.state.schema import ProjectState, Reason, RunState, State, TaskState, TaskStatus

PLAN = """\
# Demo

## L1: Main

### L2: One

| Task ID | Task Name | Depends On |
| --- | --- | --- |
| F1 | First | - |
| F2 | Second | F1 |

### L2: Two

| Task ID | Task Name | Depends On |
| --- | --- | --- |
| G1 | Third | F2 |
| G2 | Fourth | - |
"""
TASKS = {
    "F1": TaskState(status=TaskStatus.FAILED, reason=Reason.EXIT_CODE, error="exit code 3", attempt=2, failures=2),
    "F2": TaskState(blocked_by=("F1",)),
    "G1": TaskState(blocked_by=("F1",)),
    "G2": TaskState(
        status=TaskStatus.COMPLETED, elapsed=3.0, attempt=1, token_usage=TokenUsage(10, 5), cost_usd=0.25, model="m"
    ),
}


def state_of(**tasks: TaskState) -> State:
    """A state with these tasks."""
    return State(project=ProjectState("Demo", "CASCADE.md"), run=RunState(id="r"), tasks=tasks)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose run has ended with a failure."""
    found = Project(tmp_path)
    found.make_dirs()
    (tmp_path / "CASCADE.md").write_text(PLAN)
    found.state_file.write_bytes(msgspec.json.encode(state_of(**TASKS)))
    (found.log_dir / "F1.log").write_bytes(b"one\n\x1b[31mtwo\x1b[0m\n")
    (found.log_dir / "F1.1.log").write_bytes(b"earlier\n")
    return found


# status


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals_that_want_them(project: Project, variables: dict[str, str], coloured: bool) -> None:
    """On a terminal a failure is coloured, unless NO_COLOR or a dumb terminal says no; into a pipe nothing is."""
    main, side = os.openpty()
    env = environment({"TERM": "xterm", **variables})
    with subprocess.Popen(command("status"), cwd=project.root, env=env, stdout=side) as process:
        os.close(side)
        assert process.wait(60) == 0
    shown = os.read(main, 10_000)
    os.close(main)
    assert (b"\x1b[31m" in shown) == coloured
    assert "\x1b" not in nova("status", cwd=project.root, env=variables).stdout


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": ""}, False),
        ({"CLICOLOR_FORCE": "0"}, False),
        ({}, False),
    ],
)
def test_colours_can_be_forced_into_a_pipe(project: Project, variables: dict[str, str], coloured: bool) -> None:
    """FORCE_COLOR and CLICOLOR_FORCE turn them on unless NO_COLOR is set; JSON never has any."""
    assert ("\x1b[31m" in nova("status", cwd=project.root, env=variables).stdout) is coloured
    assert "\x1b" not in nova("status", "--json", cwd=project.root, env=variables).stdout


def test_status_of_a_run(project: Project) -> None:
    """The status shows counts, groups, what is not done and why, and that no engine is running."""
    done = nova("status", cwd=project.root)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Demo: 1/4 done, 1 failed, 2 blocked"
    assert lines[1] == "failed"  # nothing else can start
    assert "tokens: 15  cost: $0.25" in lines
    assert "✗  F1  failed         First  (two; exit code 3)" in lines
    assert "■  F2  blocked by F1  Second" in lines
    assert any(line.split() == ["Two", "1/2", "done,", "1", "blocked"] for line in lines)


def test_status_lists_tasks_that_need_approval_separately(project: Project) -> None:
    """A task that needs approval does not count as running: in total, in its branch and in its group."""
    running = TaskState(status=TaskStatus.IN_PROGRESS)
    tasks = {"F1": TaskState(status=TaskStatus.IN_PROGRESS, approval="waiting"), "G2": running}
    plan = parse_text(PLAN, "CASCADE.md")
    lines = status.screen(state_of(**tasks), plan, None, 0)
    assert lines[0] == "Demo: 0/4 done, 1 running, needs you 1, 2 waiting"
    assert "  One  0/2 done, needs you 1, 1 waiting" in lines
    assert "  Two  0/2 done, 1 running, 1 waiting" in lines
    assert status.screen(state_of(**tasks), None, None, 0)[0] == "Demo: 0/2 done, 1 running, needs you 1"


def test_status_as_json(project: Project) -> None:
    """`--json` holds the counts and the whole state."""
    found = json.loads(nova("status", "--json", cwd=project.root).stdout)
    assert found["engine"] is None
    assert found["counts"]["completed"] == 1
    assert found["state"]["tasks"]["F1"]["reason"] == "exit_code"


def test_status_names_the_engine(project: Project) -> None:
    """A running engine is named."""
    lock = RunLock(project.lock_file)
    try:
        assert f"running: engine pid {os.getpid()} on " in nova("status", cwd=project.root).stdout
    finally:
        lock.close()


def test_status_watch_ends_with_the_run(project: Project) -> None:
    """`--watch` shows changes and ends when no engine is left."""
    lock = RunLock(project.lock_file)
    watch = subprocess.Popen(
        command("status", "--watch"), cwd=project.root, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert watch.stdout is not None
    assert watch.stdout.readline().startswith("Demo: 1/4 done")
    lock.close()
    rest = watch.stdout.read()
    assert watch.wait(60) == 0
    assert "\nfailed\n" in rest


def test_status_before_any_run(tmp_path: Path) -> None:
    """Where nothing has run, the command says so and how to start a run."""
    done = nova("status", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no plan has been run here yet" in done.stderr


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b'{"version": 99}', b"[]"])
def test_status_of_a_damaged_state(tmp_path: Path, data: bytes) -> None:
    """A state that cannot be read is an environment problem, reported in one line."""
    (tmp_path / "cascade_state.json").write_bytes(data)
    done = nova("status", cwd=tmp_path)
    assert done.returncode == 8
    assert "Traceback" not in done.stderr


def test_a_damaged_state_that_can_be_built_again(tmp_path: Path) -> None:
    """If the events exist, the next run rebuilds the state, as the hint says."""
    (tmp_path / "CASCADE.md").write_text("| Task ID | Depends On | Command |\n|---|---|---|\n| A | - | true |\n")
    assert nova("run", cwd=tmp_path).returncode == 0
    (tmp_path / "cascade_state.json").write_bytes(b"{")
    assert "hint: the next nova run keeps it aside" in nova("status", cwd=tmp_path).stderr
    assert nova("run", cwd=tmp_path).returncode == 0
    assert "1/1 done" in nova("status", cwd=tmp_path).stdout


def test_status_without_the_plan(project: Project) -> None:
    """The state can be shown when the plan no longer exists."""
    (project.root / "CASCADE.md").unlink()
    assert nova("status", cwd=project.root).stdout.startswith("Demo: 1/4 done")


def test_many_pending_tasks_are_counted() -> None:
    """Of thousands of pending tasks some are shown and the rest counted; more important tasks are shown in full."""
    tasks = {f"T{i}": TaskState() for i in range(5_000)} | {"X": TaskState(status=TaskStatus.FAILED)}
    lines = status.screen(state_of(**tasks), None, EngineInfo(1, "h", "s"), 0.0)
    assert lines[-1] == "and 4,980 more pending (nova status --all lists them)"
    assert len(lines) < 40


def test_status_in_a_poor_encoding(project: Project) -> None:
    """On a terminal without symbols the marks are ASCII."""
    env = {"PYTHONIOENCODING": "ascii"}
    assert (
        "x  F1  failed         First  (two; exit code 3)"
        in nova("status", cwd=project.root, env=env).stdout.splitlines()
    )


# logs


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        (["F1"], "one\n\x1b[31mtwo\x1b[0m\n"),
        (["F1", "--attempt", "2"], "one\n\x1b[31mtwo\x1b[0m\n"),
        (["F1", "--attempt", "1"], "earlier\n"),
        (["F1", "-f"], "one\n\x1b[31mtwo\x1b[0m\n"),
        (["F1", "-n", "1"], "\x1b[31mtwo\x1b[0m\n"),
        (["F1", "-f", "-n", "0"], ""),
    ],
)
def test_logs_into_a_pipe_are_unchanged(project: Project, arguments: list[str], data: str) -> None:
    """Into a pipe a log is copied byte for byte; following a task that has ended ends too."""
    done = nova("logs", *arguments, cwd=project.root)
    assert (done.returncode, done.stdout) == (0, data)


def test_the_last_lines_of_a_log_keep_their_numbers(project: Project) -> None:
    """As JSON objects, too."""
    done = nova("logs", "F1", "-n", "1", "--json", cwd=project.root)
    assert [json.loads(line)["line"] for line in done.stdout.splitlines()] == [2]


@pytest.mark.parametrize("raw", [False, True])
def test_logs_on_a_terminal_are_cleaned(project: Project, raw: bool) -> None:
    """On a terminal escape sequences are removed, unless requested."""
    main, side = os.openpty()
    with subprocess.Popen(
        command("logs", "F1", *(["--raw"] if raw else [])), cwd=project.root, env=environment(), stdout=side
    ) as process:
        os.close(side)
        assert process.wait(60) == 0
    shown = os.read(main, 10_000)
    os.close(main)
    assert (b"\x1b" in shown) == raw
    assert b"two" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["f1"], "did you mean F1?"),
        (["F11"], "did you mean F1?"),
        (["../../etc/passwd"], "there is no task ../../etc/passwd"),
        (["F1", "--attempt", "9"], "F1 has had 2 attempts"),
    ],
)
def test_logs_of_what_is_not_there(project: Project, arguments: list[str], said: str) -> None:
    """An unknown id or attempt is a usage error with a suggestion."""
    done = nova("logs", *arguments, cwd=project.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_an_id_from_a_forged_state_is_not_a_path(project: Project) -> None:
    """Even an id from the state never becomes a path outside the log folder."""
    (project.root / "secret.log").write_text("secret")
    project.state_file.write_bytes(msgspec.json.encode(state_of(**{"../secret": TaskState()})))
    done = nova("logs", "../secret", cwd=project.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert "secret" not in nova("why", "../secret", cwd=project.root).stdout.replace("../secret", "")


def test_a_log_that_was_never_written(project: Project) -> None:
    """A task that printed nothing is not an error."""
    done = nova("logs", "F2", cwd=project.root)
    assert (done.returncode, done.stdout) == (0, "")
    assert "F2 has printed nothing" in done.stderr


def test_follower_survives_truncation_and_replacement(tmp_path: Path) -> None:
    """Following continues from the start when the log is cut, and in the new file when it is replaced."""
    path = tmp_path / "F1.log"
    follower = Follower(path)
    assert follower.read() == b""
    path.write_bytes(b"one\n")
    assert (follower.read(), follower.read()) == (b"one\n", b"")
    with path.open("ab") as file:
        file.write(b"two\n")
    assert follower.read() == b"two\n"
    os.truncate(path, 0)
    with path.open("ab") as file:
        file.write(b"x\n")
    assert follower.read() == b"x\n"
    with path.open("ab") as file:
        file.write(b"last of the old\n")
    path.rename(tmp_path / "F1.1.log")
    path.write_bytes(b"new\n")
    assert (follower.read(), follower.read(), follower.read()) == (b"last of the old\n", b"new\n", b"")
    follower.close()


def test_following_ends_with_the_task(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed right before the task ends is still shown."""
    shown = io.BytesIO()
    writer = logs.Writer(cleaned=False)
    monkeypatch.setattr(writer, "_stream", shown)
    path = project.latest_log("F1")
    answers = iter([False, False, True])

    def is_over(_: Project, task: str) -> bool:
        over = next(answers)
        with path.open("ab") as file:
            file.write(b"end\n" if over else b"more\n")
        return over

    monkeypatch.setattr(logs, "is_over", is_over)
    monkeypatch.setattr(logs, "POLL", 0)
    logs.follow_log(project, Follower(path), "F1", writer)
    assert shown.getvalue().endswith(b"more\nmore\nend\n")


@pytest.mark.parametrize(
    ("task", "engine", "over"),
    [
        (TaskState(status=TaskStatus.COMPLETED), True, True),
        (TaskState(status=TaskStatus.FAILED), True, True),
        (TaskState(status=TaskStatus.IN_PROGRESS), False, False),
        (TaskState(), True, False),
        (TaskState(), False, True),
    ],
)
def test_when_following_is_over(project: Project, task: TaskState, engine: bool, over: bool) -> None:
    """A task that ended, or that no engine will start, has nothing more to print."""
    project.state_file.write_bytes(msgspec.json.encode(state_of(F1=task)))
    lock = RunLock(project.lock_file) if engine else None
    try:
        assert logs.is_over(project, "F1") == over
    finally:
        if lock:
            lock.close()


# why


def test_why_a_task_failed(project: Project) -> None:
    """The reason, the log with its last lines, and the next commands are shown."""
    done = nova("why", "F1", cwd=project.root)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "F1  First",
        "failed: two; exit code 3",
        "blocks F2, G1",
        "attempts: 2",
        "log: logs/F1.log",
        "    | one",
        "    | two",
        "next: nova logs F1",
        "next: nova retry F1 && nova run",
    ]


@pytest.mark.parametrize(
    ("task_id", "tasks", "alive", "said"),
    [
        ("F1", {}, False, "ready, but no engine running"),
        ("F1", {}, True, "ready: starts when a worker is free"),
        ("F2", {}, True, "  F1"),
        ("F2", {"F2": TaskState(blocked_by=("F1",))}, True, "blocked by F1"),
        (
            "F1",
            {"F1": TaskState(status=TaskStatus.IN_PROGRESS, pid=7, started_at="t")},
            True,
            "running (pid 7, since t)",
        ),
        ("F1", {"F1": TaskState(status=TaskStatus.IN_PROGRESS)}, False, "next: nova run (takes it over)"),
        ("F1", {"F1": TaskState(status=TaskStatus.IN_PROGRESS, approval="waiting")}, True, "next: nova approve F1"),
        ("F1", {"F1": TaskState(retry_at="t", failures=1, error="x")}, True, "failed 1 time; retrying now"),
        ("F1", {"F1": TaskState(retry_at="t", failures=2, error="x")}, True, "failed 2 times; retrying now"),
        ("F1", {"F1": TaskState(status=TaskStatus.COMPLETED, skipped=True)}, False, "skipped: counts as done"),
        ("F9", {"F9": TaskState()}, False, "F9 (not in the plan any more)"),
    ],
)
def test_why(task_id: str, tasks: dict[str, TaskState], alive: bool, said: str) -> None:
    """Every situation of a task has its own answer."""
    planned = parse_text(PLAN, "CASCADE.md").tasks.get(task_id)
    assert said in why_module.explanation(task_id, state_of(**tasks), planned, alive=alive, log=[])


def test_every_face_shows_what_is_stale(tmp_path: Path) -> None:
    """A deleted output and an edited task are shown by `status`, `why` and a preview before the next run starts."""
    head = "# D\n\n| Task ID | Task Name | Command | Outputs | Depends On |\n|---|---|---|---|---|\n"
    rows = "| A | Make | `echo x > a.txt` | a.txt | |\n| B | Use | `true` | | A |\n| C | Edit | `true` | | |\n"
    (tmp_path / "CASCADE.md").write_text(head + rows)
    assert nova("run", "--no-ui", cwd=tmp_path).returncode == 0
    (tmp_path / "a.txt").unlink()
    (tmp_path / "CASCADE.md").write_text(head + rows.replace("Edit", "Edited"))
    gone, above, edited = "output `a.txt` does not exist", "an output of A is gone", "edited since it was done"
    found = nova("status", cwd=tmp_path).stdout.splitlines()
    assert found[found.index("3 done tasks may be stale:") + 1 :] == [
        f"  A  {gone}", f"  C  {edited}", f"  B  {above}", "  nova run makes the outputs again",
        "  --rerun-changed runs all of these again",
    ]  # fmt: skip
    assert json.loads(nova("status", "--json", cwd=tmp_path).stdout)["stale"] == {"A": gone, "B": above, "C": edited}
    shown = nova("why", "A", cwd=tmp_path).stdout.splitlines()
    assert shown[-2:] == [f"its result may be stale: {gone}", "next: nova run (makes it again)"]
    assert f"its result may be stale: {above}" in nova("why", "B", cwd=tmp_path).stdout
    explained = nova("run", "-n", "--explain", cwd=tmp_path).stdout.splitlines()
    assert f"A  run   {gone}" in explained
    assert sum("(--rerun-changed runs it again)" in line for line in explained) == 2
    listed = nova("run", "-n", "--rerun-changed", cwd=tmp_path).stdout.splitlines()
    assert sorted(line.split()[0] for line in listed) == ["A", "B", "C"]


def test_why_points_at_the_input_of_what_fails_again(tmp_path: Path) -> None:
    """A second failure with the same text names what the task needs; a first one does not."""
    rows = "| F1 | First | `true` | - |\n| F2 | Second | `exit 3` | F1 |\n"
    (tmp_path / "CASCADE.md").write_text(
        f"# Demo\n\n| Task ID | Task Name | Command | Depends On |\n| --- | --- | --- | --- |\n{rows}"
    )
    hint = "next: nova retry F1 --downstream (to run its dependencies again)"
    assert nova("run", "--no-ui", cwd=tmp_path).returncode == 1
    assert hint not in nova("why", "F2", cwd=tmp_path).stdout
    nova("retry", "F2", cwd=tmp_path)
    assert nova("run", "--no-ui", cwd=tmp_path).returncode == 1
    assert hint in nova("why", "F2", cwd=tmp_path).stdout.splitlines()


MISSING = """\
| Task ID | Command | Inputs | Outputs | Depends On |
|---|---|---|---|---|
| A | `echo x > a.txt` | | a.txt | - |
| B | `true` | a.txt | | A |
| C | `true` | given.csv | | - |
"""


def test_what_to_do_about_missing_inputs(tmp_path: Path) -> None:
    """Running again would fail the same way: the task that writes the input is named, or that the file must be
    provided."""
    (tmp_path / "CASCADE.md").write_text(MISSING)
    assert nova("run", "--no-ui", "--only", "A", cwd=tmp_path).returncode == 0
    (tmp_path / "a.txt").unlink()
    shown = nova("run", "--no-ui", "--only", "B,C", cwd=tmp_path).stdout
    advice = ["nova retry A && nova run (it writes a.txt)", "create given.csv, which no task writes, then nova run"]
    assert shown.splitlines()[-2:] == [f"next: {advice[0]}", f"      {advice[1]}"]
    for task_id, line in zip("BC", advice, strict=True):
        assert nova("why", task_id, cwd=tmp_path).stdout.splitlines()[-1] == f"next: {line}"
    (tmp_path / "given.csv").touch()
    assert nova("retry", "A", cwd=tmp_path).returncode == 0
    assert nova("run", "--no-ui", cwd=tmp_path).returncode == 0


def test_what_to_do_about_a_dependency_that_is_not_in_the_plan(tmp_path: Path) -> None:
    """The place of the plan to correct is shown."""
    (tmp_path / "nova.yaml").write_text("command: 'true'\n")
    folder = tmp_path / "tasks" / "01-p"
    folder.mkdir(parents=True)
    (folder / "01-a.md").write_text("---\nid: 01-a\ndepends_on: [gone]\n---\n# A\n")
    shown = nova("run", "tasks", "--no-ui", cwd=tmp_path).stdout.splitlines()[-1]
    assert shown.startswith("next: correct the dependencies of ")
    assert "01-a.md:" in shown
    assert "the plan has no gone, then nova run" in shown


def test_why_a_paused_run_does_not_continue() -> None:
    """A ready task in a paused run waits for `nova resume`."""
    state = msgspec.structs.replace(state_of(), run=RunState(paused=True))
    planned = parse_text(PLAN, "CASCADE.md").tasks["F1"]
    assert why_module.explanation("F1", state, planned, alive=True, log=[])[-1] == "next: nova resume"


def test_why_names_all_that_is_in_the_way(tmp_path: Path) -> None:
    """Also more than the state stores, through tasks that wait themselves; and each of these names what it blocks."""
    head = "# D\n\n| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n"
    rows = "".join(f"| A{n} | fails | `false` | |\n" for n in range(1, 6))
    rows += "| B | waits | `true` | A1-A5 |\n| C | waits, too | `true` | B |\n"
    (tmp_path / "CASCADE.md").write_text(head + rows)
    assert nova("run", "--no-ui", cwd=tmp_path).returncode == 1
    for task in "BC":
        assert "blocked by A1, A2, A3, A4, A5\n" in nova("why", task, cwd=tmp_path).stdout
    assert "blocks B, C\n" in nova("why", "A5", cwd=tmp_path).stdout


def test_status_all_lists_what_is_done(tmp_path: Path) -> None:
    """`nova status` leaves done tasks out; with --all every task is listed, in the order of the plan."""
    write_plan(tmp_path, "| A | Alpha | `true` | - | |\n| B | Beta | `exit 1` | A | |\n| C | Gamma | `true` | B | |\n")
    assert nova("run", cwd=tmp_path).returncode == 1
    listed = [line.split()[1] for line in nova("status", cwd=tmp_path).stdout.partition("\n\n")[2].splitlines()]
    every = [
        line.split()[1:4] for line in nova("status", "--all", cwd=tmp_path).stdout.partition("\n\n")[2].splitlines()
    ]
    assert listed == ["B", "C"]
    assert every == [["A", "done", "Alpha"], ["B", "failed", "Beta"], ["C", "blocked", "by"]]
