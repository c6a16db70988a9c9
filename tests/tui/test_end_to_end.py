"""A person at a terminal: a real pty, real processes, the keys pressed one after the other."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cli_process
import msgspec
import pytest
from processes import processes_of
from pty_kit import FRAME, Terminal, environment, nova, nova_tui
from sampling import some

from nova_core.files.lock import engine_alive
from nova_core.files.project import Project
from nova_core.state.schema import State, TaskStatus

HEAD = "| Task ID | Task Name | Command | Depends On | Outputs | Criteria | Timeout |\n|---|---|---|---|---|---|---|\n"
READER = 'echo the preface; n=0; while [ ! -e go ]; do n=$((n+1)); echo "page $n"; sleep 0.05; done; echo A1 >> order'
WAITS = "test -e repaired || exit 1; while [ ! -e go ]; do sleep 0.05; done"
BREAKS = 'test -e repaired || { echo "a needle in the log"; exit 3; }; echo A2 >> order'

MAIN = "─ plan "


def write_plan(root: Path, rows: str) -> None:
    """One branch, one group."""
    (root / "CASCADE.md").write_text(f"# Trial\n\n## L1: Work\n\n### L2: Parts\n\n{HEAD}{rows}")


def write_milestone(root: Path) -> None:
    """A milestone that is due when A3 is completed."""
    (root / "milestones.yaml").write_text(
        "milestones:\n  - id: m\n    name: Bridge is open\n    message: cars may pass\n"
        "    trigger: {type: all_tasks_completed, tasks: [A3]}\n"
    )


def state_of(root: Path) -> State:
    """The state of the task in the state file."""
    return msgspec.json.decode((root / "cascade_state.json").read_bytes(), type=State)


def worker_of(terminal: Terminal, root: Path) -> int:
    """The process of A1; the file is written shortly after its first output."""
    terminal.wait(lambda: state_of(root).tasks["A1"].pid)
    pid = state_of(root).tasks["A1"].pid
    assert pid
    return pid


def last_page(terminal: Terminal) -> int:
    """The highest number of a page on the screen."""
    return max(map(int, re.findall(r"page (\d+)", terminal.text)), default=0)


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Path]:
    """A1 reads until `go` is there; A2 fails until `repaired` is; A3 needs A2."""
    write_plan(
        tmp_path,
        f"| A1 | Read the pages | `{READER}` | - | | | |\n"
        f"| A2 | Repair the bridge | `{BREAKS}` | - | | | |\n"
        "| A3 | Open the bridge | `echo A3 >> order` | A2 | | | |\n",
    )
    write_milestone(tmp_path)
    yield tmp_path
    (tmp_path / "go").touch()  # workers outlive a test that fails, as they do everything


def test_a_run_from_start_to_end(trial: Path) -> None:
    """Start, move, drill down, follow a log, search, retry, a milestone, leave the workers running, attach, finish."""
    with Terminal(nova_tui("-j", "2"), trial) as terminal:
        terminal.wait("failed 1 +blocked 1 +running 1")
        terminal.press(["g", "down", "down"], r"A1 Read the pages +▶ running")
        terminal.press("enter", r"worker +A1@1, pid \d+")
        terminal.press("escape", MAIN)

        terminal.press("L", r"follow")
        seen = last_page(terminal)
        terminal.wait(lambda: last_page(terminal) > seen + 3)
        terminal.press(["/", "preface", "enter"], r"1 of 1")
        terminal.press(["escape", "escape"], MAIN)

        terminal.press(["/", "repair", "enter"], r"A2 Repair the bridge +✗ failed")
        terminal.wait(r"(?s)failed, exit code 3.+r retry")
        terminal.wait("a needle in the log")
        (trial / "repaired").touch()
        terminal.press("r", "Bridge is open|cars may pass")
        terminal.wait("done 2")

        terminal.press("q", "leave them running")
        terminal.send("l")
        assert terminal.wait_exit() == 0
        assert terminal.restored()
        assert "nova attach --control" in terminal.after_screen()

    with Terminal(nova("attach", "--control"), trial) as terminal:
        terminal.wait("running 1 +done 2")
        (trial / "go").touch()
        terminal.wait("FINISHED")
        terminal.press("e", "Bridge is open")
        terminal.press("escape", MAIN)
        terminal.send("q")
        assert terminal.wait_exit() == 0
        assert terminal.restored()

    tasks = state_of(trial).tasks
    assert {i: (t.status, t.attempt) for i, t in tasks.items()} == {
        "A1": (TaskStatus.COMPLETED, 1), "A2": (TaskStatus.COMPLETED, 2), "A3": (TaskStatus.COMPLETED, 1),
    }  # fmt: skip
    assert Counter((trial / "order").read_text().split()) == {"A1": 1, "A2": 1, "A3": 1}


FAILING = """\
| E1 | Exits | `echo no; exit 3` | - | | | |
| E2 | Hangs | `sleep 60` | - | | | 1s |
| E3 | Writes nothing | `true` | - | out/e3.txt | | |
| E4 | Writes rubbish | `echo rubbish > e4.txt` | - | | `grep -q sense e4.txt` | |
| E5 | Is cancelled | `sleep 60` | - | | | |
"""


def test_five_shapes_of_failure(tmp_path: Path) -> None:
    """Twenty tasks; each reason is on the screen, each blocked task names its cause, and a retry releases it."""
    more = "".join(f"| B{n} | After {n} | `true` | E{n} | | | |\n" for n in range(1, 6))
    fine = "".join(f"| F{n} | Fine {n} | `echo {n}` | - | | | |\n" for n in range(10))
    write_plan(tmp_path, FAILING + more + fine)
    with Terminal(nova_tui("-j", "6"), tmp_path) as terminal:
        terminal.wait("done 10")
        terminal.press(["/", "cancelled", "enter"], r"E5 Is cancelled +▶ running")
        terminal.press("x", "Cancel E5 Is cancelled")
        terminal.press("y", "cancelled 1")
        terminal.wait("failed 4")
        # A notice may lie over the first rows for some seconds.
        terminal.wait(r"(?s)✗ E1 Exits .*exit code 3.*✗ E2 Hangs +timeout.*✗ E3 Writes nothing +missing output")
        terminal.wait(r"✗ E4 Writes rubbish +check failed")
        terminal.wait(r"⊘ E5 Is cancelled +cancelled")
        for n in range(1, 6):
            terminal.wait(rf"■ B{n} After {n} +blocked by E{n}")
        terminal.press("r", r"▶ E5 Is cancelled")
        terminal.wait(r"· B5 After 5 +after E5")
        terminal.press(["q"], "leave them running")
        terminal.send("s")
        assert terminal.wait_exit() == 130
        assert terminal.restored()
        said = terminal.after_screen()
        assert "E3" in said
        assert "missing output" in said
    assert state_of(tmp_path).tasks["E5"].status is TaskStatus.PENDING


def test_sigterm_ends_the_workers_and_restores_the_terminal(trial: Path) -> None:
    """143, nothing left running, and interrupted tasks are pending again."""
    with Terminal(nova_tui(), trial) as terminal:
        terminal.wait(r"page \d")
        worker_of(terminal, trial)
        terminal.kill(15)
        assert terminal.wait_exit() == 143
        assert terminal.restored()
    assert processes_of(trial) == []
    assert state_of(trial).tasks["A1"].status is TaskStatus.PENDING


@pytest.mark.parametrize("window", some(["closed", "there"], "closed"))
def test_sighup_hands_the_run_over(window: str, trial: Path) -> None:
    """A window that closes does not end the run: an engine in the background continues it."""
    project = Project(trial)
    with Terminal(nova_tui(), trial) as terminal:
        terminal.wait(r"page \d")
        worker = worker_of(terminal, trial)
        if window == "closed":
            terminal.hang_up()
        else:
            terminal.kill(1)
        assert terminal.wait_exit() == 129
        assert window == "closed" or terminal.restored()
    engine = engine_alive(project.lock_file)
    assert engine is not None
    assert engine.pid != terminal.pid
    assert worker in processes_of(trial)
    with Terminal(nova("attach"), trial) as terminal:
        terminal.wait("failed 1 .*running 1")
        (trial / "go").touch()
        terminal.wait("done 1")
        terminal.press(["/", "A1", "enter", "enter"], r"(?s)Attempts ─.*1 +✓ .*done")
    assert (trial / "order").read_text().split() == ["A1"]


def test_killed_and_started_again(trial: Path) -> None:
    """SIGKILL cannot be caught: the next start adopts the worker, and nothing runs twice."""
    (trial / "repaired").touch()
    with Terminal(nova_tui(), trial) as terminal:
        terminal.wait(r"page \d")
        terminal.wait("done 2")
        pid = worker_of(terminal, trial)
        terminal.kill(9)
        assert terminal.wait_exit() == -9
    assert pid in processes_of(trial)
    with Terminal(nova_tui(), trial) as terminal:
        terminal.wait("running 1 +done 2")
        terminal.wait("▶ A1 Read the pages")
        (trial / "go").touch()
        terminal.wait("FINISHED")
        terminal.send("q")
        assert terminal.wait_exit() == 0
        assert "Trial: finished, 3/3 done" in terminal.after_screen()
    assert Counter((trial / "order").read_text().split()) == {"A1": 1, "A2": 1, "A3": 1}


CRASHES = """
from nova_tui.app import NovaApp
from nova_tui.__main__ import enter
looks = NovaApp._look
def look(self, tick):
    if self.main.tasks.place.task == "A3":
        raise RuntimeError("the screen broke")
    return looks(self, tick)
NovaApp._look = look
enter()
"""


def test_a_crash_of_the_interface_leaves_the_workers_alone(trial: Path) -> None:
    """The terminal is restored, one line says what happened, details are in a file, and `nova run` continues."""
    import sys

    with Terminal([sys.executable, "-c", CRASHES], trial) as terminal:
        terminal.wait(r"page \d")
        pid = worker_of(terminal, trial)
        terminal.send("G", "G")
        assert terminal.wait_exit() == 70
        assert terminal.restored()
        said = terminal.after_screen()
    assert "nova: internal error: RuntimeError: the screen broke; details are in .nova/crash-" in said
    assert "hint: take the running workers over with nova run" in said
    assert "Traceback" not in said
    assert pid in processes_of(trial)
    (trial / "go").touch()
    with Terminal(nova("run", "--no-ui"), trial, env=environment()) as terminal:
        assert terminal.wait_exit() == 1
    assert (trial / "order").read_text().split() == ["A1"]


@pytest.mark.parametrize("answer", ["s", "k"])
def test_ctrl_c_asks_and_then_stops_or_kills(answer: str, tmp_path: Path) -> None:
    """A held ctrl+c only asks. A worker that ignores the signal to stop is named, and another ctrl+c kills it."""
    write_plan(tmp_path, '| A1 | Stubborn | `trap "" INT TERM; echo ready; while :; do sleep 0.1; done` | - | | | |\n')
    with Terminal(nova_tui(), tmp_path) as terminal:
        terminal.wait("ready")
        pid = worker_of(terminal, tmp_path)
        terminal.press("\x03" * 5, r"1 worker is running\. Quit\?")
        terminal.send(answer)
        if answer == "s":
            terminal.wait(lambda: "stopping A1 (ctrl+c kills)" in terminal.after_screen())
            assert pid in processes_of(tmp_path)
            terminal.send("\x03")
        assert terminal.wait_exit() == 130
        assert terminal.restored()
    assert processes_of(tmp_path) == []


def test_a_stopped_run_continues_with_a_key(trial: Path) -> None:
    """In one that only watched, with an engine in the background; also where that view stopped it."""
    with Terminal(nova_tui(), trial) as terminal:
        terminal.wait(r"page \d")
        terminal.press("\x03", r"Quit\?")
        terminal.send("s")
        assert terminal.wait_exit() == 130
    with Terminal(nova("attach"), trial) as terminal:
        terminal.wait("NO ENGINE RUNNING")
        terminal.press("C", "p continue")
        terminal.press("p", "running 1")
        terminal.press("\x03", r"Quit\?")
        terminal.press("s", "NO ENGINE RUNNING")
        terminal.press("p", "running 1")
        (trial / "go").touch()
        terminal.wait(" FAILED ")
        terminal.send("q")
        assert terminal.wait_exit() == 0
    assert state_of(trial).tasks["A1"].status is TaskStatus.COMPLETED


def test_a_paused_run_continues_when_it_is_opened(tmp_path: Path) -> None:
    """A pause outlives its engine: without the interface a message says so, and with it the run continues."""
    write_plan(tmp_path, f"| A1 | Bridge | `{WAITS}` | - | | | |\n")
    assert cli_process.nova("run", "--no-ui", cwd=tmp_path).returncode == 1
    for words in (("pause",), ("retry", "A1")):
        assert cli_process.nova(*words, cwd=tmp_path).returncode == 0
    headless = cli_process.nova("run", "--no-ui", cwd=tmp_path)
    assert headless.returncode == 4
    assert "the run is paused (continue with: nova resume && nova run)" in headless.stdout
    (tmp_path / "repaired").touch()
    with Terminal(nova_tui(), tmp_path) as terminal:
        terminal.wait("the run was paused; it continues")
        (tmp_path / "go").touch()
        terminal.wait("FINISHED")
        terminal.send("q")
        assert terminal.wait_exit() == 0


@pytest.mark.parametrize(
    ("plan", "arguments", "said", "code"),
    [
        ("# P\n", (), "CASCADE.md: no tasks found", 3),
        (None, (), "CASCADE.md: there is no such plan", 3),
        ("ok", ("--theme", "none"), "nova: no theme is called none", 2),
        ("ok", ("--agent", "nobody"), "nova: --agent: there is no agent nobody", 2),
    ],
)
def test_bad_input_is_reported_before_the_screen_opens(
    plan: str | None, arguments: tuple[str, ...], said: str, code: int, tmp_path: Path
) -> None:
    """One line and a hint on the normal screen; the alternate screen is never entered."""
    if plan == "ok":
        write_plan(
            tmp_path, "| A1 | One | `true` | - | | | |\n" if "--theme" in arguments else "| A1 | x | | - | | | |\n"
        )
    elif plan is not None:
        (tmp_path / "CASCADE.md").write_text(plan)
    with Terminal(nova_tui(*arguments), tmp_path) as terminal:
        assert terminal.wait_exit() == code
        assert said in terminal.after_screen()
        assert "hint: " in terminal.after_screen()
        assert b"\x1b[?1049h" not in terminal.raw


def test_a_second_interface_joins_the_run(trial: Path) -> None:
    """One engine at a time: a second interface shows its run and may act on it; without a screen, or for another run,
    it says how."""
    with Terminal(nova_tui(), trial) as first:
        first.wait(r"page \d")
        with Terminal(nova_tui("-j", "9"), trial) as second:
            second.wait("already running")
            assert "--jobs=9" in second.text
            second.wait(r"page \d")
            assert "view only" not in second.text
            second.send("q")
            assert second.wait_exit() == 0
            assert "return with: nova attach --control" in second.after_screen()
        for refused in (nova_tui("--fresh"), nova("run", "--no-ui")):
            with Terminal(refused, trial) as second:
                assert second.wait_exit() == 7
                assert "nova attach --control" in second.after_screen()
        with Terminal(nova("attach"), trial, size=(80, 24)) as viewer:
            viewer.wait(r"page \d")
            viewer.press("x", "view only: C takes control")
            viewer.send("q")
            assert viewer.wait_exit() == 0
            assert viewer.restored()
        first.press("q", "stop them")
        first.send("s")
        assert first.wait_exit() == 130


def test_what_a_move_of_the_cursor_costs_on_the_wire(tmp_path: Path) -> None:
    """At most 2 kB: over a link of 100 kB/s a held key must not lag behind.

    On a busy machine something else may be drawn with a move, which adds to its bytes: the cheapest one counts.
    """
    write_plan(tmp_path, "".join(f"| M{n} | Move {n} | `false` | - | | | |\n" for n in range(20)))
    assert subprocess.run(nova("run", "--no-ui"), cwd=tmp_path, env=environment(), check=False).returncode == 1
    with Terminal(nova("attach"), tmp_path) as terminal:
        terminal.wait(" FAILED ")
        terminal.settle()
        costs = []
        for number in range(1, 10):
            terminal.press("j", rf"─ M{number} Move {number}")
            assert terminal.frame.startswith(FRAME)
            costs.append(len(terminal.frame))
        assert min(costs) <= 2_000
