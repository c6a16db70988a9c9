"""Signals, a second engine, and the commands that control a run, with and without a running engine."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_plans import DEADLINE, MIXED, state_in, task_in, wait_until, write_plan
from cli_process import Process, nova, start
from sampling import sample

from nova_core.state.schema import TaskStatus


@pytest.fixture
def started() -> Iterator[Callable[..., Process]]:
    """Starts `nova ARGUMENTS` in a folder, its output in `out` and `err`; kills what is left of it at the end."""
    processes: list[Process] = []

    def begin(*arguments: str, cwd: Path) -> Process:
        with (cwd / "out").open("w") as out, (cwd / "err").open("w") as err:
            processes.append(start(*arguments, cwd=cwd, stdout=out, stderr=err))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def test_a_run_that_succeeds(tmp_path: Path) -> None:
    """Events are lines on stdout, stderr stays empty, and a second run has nothing to do."""
    write_plan(tmp_path, "| F1 | One | `echo 1` | - | |\n| F2 | Two | `echo 2` | F1 | |\n")
    done = nova("run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in done.stdout.splitlines()]
    assert found.index("F1 started  One") < found.index("F2 started  Two")
    assert "Demo: finished, 2/2 done" in found
    again = nova("run", cwd=tmp_path)
    assert again.returncode == 0
    assert "F1" not in again.stdout


SLEEPER = "| F1 | Sleeper | `echo begun; exec sleep 60` | - | |\n| F2 | After | `true` | F1 | |\n"
STUBBORN = "| F1 | Stubborn | `trap 'echo asked' TERM; echo begun; while :; do sleep 1; done` | - | |\n"


def begun(folder: Path) -> bool:
    """Returns True if the first task has printed something."""
    log = folder / "logs" / "F1.log"
    return log.exists() and log.stat().st_size > 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run(tmp_path: Path, started: Callable[..., Process], number: int, code: int) -> None:
    """The first signal ends the workers; what was interrupted is pending again, not failed."""
    process = started("run", "--json", cwd=write_plan(tmp_path, SLEEPER))
    wait_until(lambda: begun(tmp_path))
    process.send_signal(number)
    assert (process.wait(DEADLINE), (tmp_path / "err").read_text()) == (code, "")
    assert json.loads((tmp_path / "out").read_text().splitlines()[-1])["exit_code"] == code
    assert task_in(tmp_path, "F1").status is TaskStatus.PENDING


def test_the_second_signal_kills(tmp_path: Path, started: Callable[..., Process]) -> None:
    """A worker that ignores SIGTERM is killed by the second Ctrl-C, long before its grace is over."""
    (tmp_path / "nova.yaml").write_text("grace: 1h\n")
    process = started("run", cwd=write_plan(tmp_path, STUBBORN))
    wait_until(lambda: begun(tmp_path))
    process.send_signal(signal.SIGINT)
    wait_until(lambda: "asked" in (tmp_path / "logs" / "F1.log").read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130


def test_a_hangup_leaves_the_workers_running(tmp_path: Path, started: Callable[..., Process]) -> None:
    """SIGHUP ends the engine alone; the worker continues and the next run collects its result without starting it
    again."""
    rows = "| F1 | Waiter | `echo begun; while [ ! -e go ]; do sleep 0.05; done; echo x >> count` | - | |\n"
    process = started("run", cwd=write_plan(tmp_path, rows))
    wait_until(lambda: begun(tmp_path))
    process.send_signal(signal.SIGHUP)
    assert process.wait(DEADLINE) == -signal.SIGHUP
    (tmp_path / "go").touch()
    assert nova("run", cwd=tmp_path).returncode == 0
    assert (tmp_path / "count").read_text() == "x\n"


def test_a_second_engine_is_rejected(tmp_path: Path, started: Callable[..., Process]) -> None:
    """While one engine runs another is rejected, and the message names the first."""
    process = started("run", cwd=write_plan(tmp_path, SLEEPER))
    wait_until(lambda: begun(tmp_path))
    refused = nova("run", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (7, "")
    assert f"pid {process.pid}" in refused.stderr
    process.send_signal(signal.SIGINT)
    process.wait(DEADLINE)


def test_steering_a_live_run(tmp_path: Path, started: Callable[..., Process]) -> None:
    """Commands reach the live engine: cancel, retry and approve take effect while it runs."""
    rows = """\
| F1 | Once | `echo begun; [ -e again ] \\|\\| exec sleep 60` | - | |
| F2 | Ask | `true` | - | yes |
| F3 | Keep | `while [ ! -e go ]; do sleep 0.05; done` | - | |
"""
    process = started("run", cwd=write_plan(tmp_path, rows))
    wait_until(lambda: begun(tmp_path) and task_in(tmp_path, "F2").approval == "waiting")
    assert nova("cancel", "F1", cwd=tmp_path).stdout == "stopping: F1\n"
    wait_until(lambda: task_in(tmp_path, "F1").status is TaskStatus.FAILED)
    (tmp_path / "again").touch()
    assert nova("retry", "F1", cwd=tmp_path).stdout == "will run again: F1\n"
    assert nova("approve", "F2", cwd=tmp_path).stdout == "approved: F2\n"
    wait_until(lambda: task_in(tmp_path, "F1").status is TaskStatus.COMPLETED)
    (tmp_path / "go").touch()
    assert process.wait(DEADLINE) == 0


def test_steering_without_an_engine(tmp_path: Path) -> None:
    """The same commands change the saved state when no engine is running."""
    nova("run", cwd=write_plan(tmp_path, MIXED))
    assert nova("skip", "F2", cwd=tmp_path).returncode == 0
    assert nova("pause", cwd=tmp_path).returncode == 0
    assert nova("run", cwd=tmp_path).returncode == 4
    assert nova("resume", cwd=tmp_path).returncode == 0
    assert nova("run", cwd=tmp_path).returncode == 0
    assert nova("retry", "F2", "--downstream", cwd=tmp_path).stdout == "will run again: F2, F3\n"


REJECTED = [
    (["retry"], "name the tasks, or give --failed"),
    (["retry", "F1", "--failed"], "name the tasks, or give --failed"),
    (["cancel"], "name the tasks, or give --all"),
    (["retry", "F22"], "did you mean F2?"),
    (["approve", "F1"], "F1 does not need approval"),
    (["retry", "F3"], "F3 is blocked by F2"),
]


def test_commands_that_are_rejected(tmp_path: Path) -> None:
    """A command that cannot be carried out says why, with exit code 2, and changes nothing."""
    nova("run", cwd=write_plan(tmp_path, MIXED))
    before = state_in(tmp_path).tasks
    for arguments, said in REJECTED:
        done = nova(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert said in done.stderr
        assert state_in(tmp_path).tasks == before


def test_approval_leaves_work(tmp_path: Path) -> None:
    """A run that waits for approval exits with 4 and says what to type."""
    done = nova("run", cwd=write_plan(tmp_path, "| F1 | Ask | `true` | - | yes |\n"))
    assert done.returncode == 4
    assert "next: nova approve F1" in done.stdout
    assert nova("reject", "F1", "--reason", "not yet", cwd=tmp_path).returncode == 0
    assert nova("run", cwd=tmp_path).returncode == 1
    assert "rejected: not yet" in nova("why", "F1", cwd=tmp_path).stdout


def test_a_task_cannot_command_its_run(tmp_path: Path) -> None:
    """Neither by the variables it was given nor without them: one line says why, and nothing changes."""
    clear = "env -u NOVA_JOB -u NOVA_PROJECT_ROOT"
    lines = [f"{begin} nova {verb} F2" for verb, begin in sample(["cancel", "approve", "skip", "retry"], ["", clear])]
    script = "".join(f"({line}; echo $?) >> said 2>&1; " for line in lines)
    other = "while [ ! -e tried ]; do sleep 0.02; done"
    write_plan(tmp_path, f"| F1 | Tries | `{script}cat said; touch tried` | - | |\n| F2 | Other | `{other}` | - | |\n")
    done = nova("run", "-j2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    answer = ["nova: F1 runs this itself: only people command a run, not its tasks"]
    answer += ["hint: a task reports with `nova report`", "2"]
    assert (tmp_path / "said").read_text().splitlines() == answer * len(lines)


def test_a_file_put_into_the_inbox_by_a_task_is_ignored(tmp_path: Path) -> None:
    """The warning names what it wanted."""
    forged = '{"kind":"command","command":{"kind":"cancel","ids":["F2"]}}'
    (tmp_path / "forged").write_text(forged)
    first = "cp forged .nova/inbox/new/1; while [ -e .nova/inbox/new/1 ]; do sleep 0.02; done; touch tried"
    other = "while [ ! -e tried ]; do sleep 0.02; done"
    write_plan(tmp_path, f"| F1 | Tries | `{first}` | - | |\n| F2 | Other | `{other}` | - | |\n")
    done = nova("run", "-j2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "the command `cancel F2` in the inbox was ignored" in done.stdout + done.stderr


def test_resume_without_an_engine_says_how_to_continue(tmp_path: Path) -> None:
    """It only lifts the pause in the state: `nova run` starts the tasks."""
    write_plan(tmp_path, "| A | a | `true` | - | |\n")
    assert nova("run", "-j", "1", cwd=tmp_path).returncode == 0
    assert nova("pause", cwd=tmp_path).returncode == 0
    done = nova("resume", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "resumed\n")
    assert done.stderr == "hint: no engine is running; continue with nova run\n"
