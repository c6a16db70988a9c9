"""Kill -9 at any time, then run again: everything completed, nothing twice, nothing lost, nothing left running."""

from __future__ import annotations

import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from engines import write_plan
from processes import PATIENCE, holders_of, kill, nova, processes_of, start_nova, tasks_of, wait_for

TASKS = 30
# Starts and ends are appended to one ledger by the commands themselves: what really ran, whatever Nova records.
COMMAND = (
    'echo "start $NOVA_TASK_ID $NOVA_ATTEMPT" >> ledger; for i in 1 2 3; do echo "line $i"; sleep 0.0{pause}; done; '
    'echo "end $NOVA_TASK_ID" >> ledger'
)


def thirty_tasks(folder: Path, seed: int) -> None:
    """A random graph of 30 shell tasks of 30 to 240 ms."""
    chance = random.Random(seed)
    rows = []
    for i in range(TASKS):
        above = chance.sample(range(i), min(i, chance.choice((0, 1, 1, 2))))
        rows.append((f"T{i}", ", ".join(f"T{d}" for d in sorted(above)) or "-"))
    commands = {task_id: COMMAND.format(pause=chance.randint(1, 8)) for task_id, _ in rows}
    write_plan(folder, rows, extra={"Command": commands})


def ledger(folder: Path) -> list[list[str]]:
    path = folder / "ledger"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def assert_whole(folder: Path) -> None:
    """All completed; each command started once and ended once; every log complete; nothing left."""
    assert {t["status"] for t in tasks_of(folder).values()} == {"completed"}
    counts = Counter(line[0] + " " + line[1] for line in ledger(folder))
    assert set(counts.values()) == {1}, [k for k, n in counts.items() if n > 1]
    assert len(counts) == 2 * TASKS
    for i in range(TASKS):
        assert (folder / "logs" / f"T{i}.log").read_text() == "line 1\nline 2\nline 3\n"
    assert processes_of(folder) == []
    wait_for(lambda: not holders_of(folder), "the holders leave")


def crash_trial(folder: Path, seed: int) -> int:
    """One trial: one kill, or two for every third seed; returns how many workers were alive at a kill."""
    thirty_tasks(folder, seed)
    chance = random.Random(seed * 7919)
    alive = 0
    for _ in range(2 if seed % 3 == 0 else 1):
        engine = start_nova(folder, "run", "--no-ui", "-j", "4")
        try:
            engine.wait(chance.uniform(0.05, 1.4))
        except subprocess.TimeoutExpired:  # still running: the right time to kill
            kill(engine.pid)
            engine.wait()
            alive += len(processes_of(folder))
    last = nova(folder, "run", "--no-ui", "-j", "4")
    assert last.returncode == 0, last.stdout[-2000:] + last.stderr[-2000:]
    assert_whole(folder)
    return alive


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_engine_loses_nothing_sample(tmp_path: Path, seed: int) -> None:
    """A sample of the campaign: SIGKILL of the engine at a random time, then `nova run` again."""
    crash_trial(tmp_path, seed)


@pytest.mark.slow
def test_a_killed_engine_loses_nothing_campaign(tmp_path: Path) -> None:
    """200 random kills, two in a third of the runs: no task is lost or run twice, and living workers are adopted."""
    adopted = 0
    for seed in range(100, 300):
        folder = tmp_path / str(seed)
        folder.mkdir()
        adopted += crash_trial(folder, seed)
    print(f"200 trials, {adopted} workers were alive at a kill and were taken over")
    assert adopted > 100


def one_long_task(folder: Path) -> None:
    write_plan(
        folder, [("A", "-"), ("B", "A")], extra={"Command": {"A": "echo begun; sleep 60; echo over", "B": "true"}}
    )


def started(folder: Path) -> None:
    wait_for(lambda: (folder / "logs" / "A.log").exists() and (folder / "logs" / "A.log").read_text(), "A prints")
    wait_for(lambda: tasks_of(folder).get("A", {}).get("pid"), "A's pid is published")


def test_a_killed_worker_failed_by_its_signal(tmp_path: Path) -> None:
    """SIGKILL of the worker alone: the task fails, with the signal's name."""
    one_long_task(tmp_path)
    engine = start_nova(tmp_path, "run", "--no-ui")
    started(tmp_path)
    kill(tasks_of(tmp_path)["A"]["pid"])
    assert engine.wait(PATIENCE) == 1
    task = tasks_of(tmp_path)["A"]
    assert (task["status"], task["reason"], task["signal"]) == ("failed", "signal", 9)
    assert tasks_of(tmp_path)["B"]["blocked_by"] == ["A"]


def test_a_killed_holder_is_lost_not_guessed(tmp_path: Path) -> None:
    """SIGKILL of the holder: the task is lost, its worker is ended, and `retry` runs it again."""
    one_long_task(tmp_path)
    engine = start_nova(tmp_path, "run", "--no-ui")
    started(tmp_path)
    for pid in holders_of(tmp_path):
        kill(pid)
    assert engine.wait(PATIENCE) == 1
    assert tasks_of(tmp_path)["A"]["reason"] == "lost"
    assert processes_of(tmp_path) == []
    (tmp_path / "CASCADE.md").write_text((tmp_path / "CASCADE.md").read_text().replace("sleep 60", "sleep 0"))
    assert nova(tmp_path, "run", "--no-ui").returncode == 0


def test_everything_killed_is_lost_and_carries_on(tmp_path: Path) -> None:
    """Engine, holder and worker killed at once: the next run reports the loss, leaves nothing running and continues."""
    one_long_task(tmp_path)
    engine = start_nova(tmp_path, "run", "--no-ui")
    started(tmp_path)
    kill(engine.pid)
    for pid in [*holders_of(tmp_path), *processes_of(tmp_path)]:
        kill(pid)
    engine.wait()
    assert nova(tmp_path, "run", "--no-ui").returncode == 1
    assert tasks_of(tmp_path)["A"]["reason"] == "lost"
    assert processes_of(tmp_path) == []
    nova(tmp_path, "skip", "A")
    assert nova(tmp_path, "run", "--no-ui").returncode == 0


def test_workers_left_by_a_dead_engine_can_be_cancelled_without_one(tmp_path: Path) -> None:
    """`nova cancel --all` ends what a killed engine left running, though no engine is running."""
    one_long_task(tmp_path)
    engine = start_nova(tmp_path, "run", "--no-ui")
    started(tmp_path)
    kill(engine.pid)
    engine.wait()
    assert processes_of(tmp_path)
    cancelled = nova(tmp_path, "cancel", "--all")
    assert cancelled.returncode == 0, cancelled.stderr
    assert processes_of(tmp_path) == []
    assert tasks_of(tmp_path)["A"]["reason"] == "cancelled"


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_gracefully(tmp_path: Path, sign: signal.Signals, code: int) -> None:
    """The first signal ends workers and exits with the signal's code; the task can run again."""
    one_long_task(tmp_path)
    engine = start_nova(tmp_path, "run", "--no-ui")
    started(tmp_path)
    engine.send_signal(sign)
    assert engine.wait(PATIENCE) == code
    assert tasks_of(tmp_path)["A"]["status"] == "pending"
    assert processes_of(tmp_path) == []


def test_a_signal_and_then_a_kill_leave_the_task_free_to_run(tmp_path: Path) -> None:
    """An engine that is killed during its workers' grace period has already recorded that they run again."""
    trap = "trap 'touch asked; while [ ! -e go ]; do sleep 0.02; done; exit 1' TERM"
    command = f'if [ "$NOVA_ATTEMPT" = 1 ]; then {trap}; echo begun; while :; do sleep 0.02; done; fi'
    write_plan(tmp_path, [("A", "-"), ("B", "A")], extra={"Command": {"A": command, "B": "true"}})
    (tmp_path / "nova.yaml").write_text("grace: 60s\n")
    engine = start_nova(tmp_path, "run", "--no-ui")
    started(tmp_path)
    engine.send_signal(signal.SIGTERM)
    wait_for((tmp_path / "asked").exists, "A is asked to end")
    kill(engine.pid)
    engine.wait()
    (tmp_path / "go").touch()
    assert nova(tmp_path, "run", "--no-ui").returncode == 0
    task = tasks_of(tmp_path)["A"]
    assert (task["status"], task["attempt"], task["failures"]) == ("completed", 2, 0)


def test_a_second_signal_kills(tmp_path: Path) -> None:
    """A worker that ignores SIGTERM is killed by the second Ctrl-C, long before the end of its grace period."""
    command = "trap 'touch asked' TERM; echo begun; while :; do sleep 0.02; done"
    write_plan(tmp_path, [("A", "-")], extra={"Command": {"A": command}})
    (tmp_path / "nova.yaml").write_text("grace: 1h\n")
    engine = start_nova(tmp_path, "run", "--no-ui")
    started(tmp_path)
    engine.send_signal(signal.SIGINT)
    wait_for((tmp_path / "asked").exists, "A is asked to end")
    engine.send_signal(signal.SIGINT)
    assert engine.wait(PATIENCE) == 130
    assert processes_of(tmp_path) == []


def test_fresh_after_a_crash_ends_the_old_workers_first(tmp_path: Path) -> None:
    """`--fresh` over a run whose workers outlived their engine: they are ended, and everything runs again."""
    one_long_task(tmp_path)
    engine = start_nova(tmp_path, "run", "--no-ui")
    started(tmp_path)
    kill(engine.pid)
    engine.wait()
    old = processes_of(tmp_path)
    plan = tmp_path / "CASCADE.md"
    plan.write_text(plan.read_text().replace("sleep 60", "sleep 0"))
    fresh = nova(tmp_path, "run", "--no-ui", "--fresh")
    assert fresh.returncode == 0, fresh.stderr
    assert old
    assert processes_of(tmp_path) == []
    assert (tmp_path / "logs" / "A.log").read_text() == "begun\nover\n"
    assert tasks_of(tmp_path)["A"]["attempt"] == 1
