"""What is on disk before it happens: a seam that sees every write, fsync, start and message of a holder."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from executor_kit import Lab, alive, carrying, run_of, until

from nova_core.executors import holder_link as link
from nova_core.executors.base import Ended, EndReason
from nova_core.executors.local import LocalExecutor

# A holder that writes each step into a file, in the order it takes them.
SEEN = """
import os, sys
sys.path.append(sys.argv[1])
from nova_core.holder import channel, holder, journal, spawn
def see(owner, name, words):
    call = getattr(owner, name)
    def seen(*args, **options):
        with open({path!r}, "a") as file:
            print(words(*args), file=file)
        return call(*args, **options)
    setattr(owner, name, seen)
kind = lambda text: text.strip().split(chr(10))[-1][2]
see(os, "fsync", lambda fd: "fsync " + ("folder" if fd == holder.FOLDER_FD else "journal"))
see(journal.Journal, "append", lambda self, line: "write " + kind(line))
see(channel.Channel, "send", lambda self, text: "send " + kind(text))
see(spawn.GatedChild, "open_gate", lambda self: "run")
see(spawn.Launch, "spawn", lambda self: "run")
holder.main()
"""


def steps_of(lab: Lab, monkeypatch: pytest.MonkeyPatch, *, own: bool) -> list[str]:
    """The steps of the holder of one job."""
    path = lab.home / "steps"
    monkeypatch.setattr(link, "_CODE", SEEN.format(path=str(path)))
    assert lab.run("F1", shell="exit 3", own_holder=own).code == 3
    return path.read_text().splitlines()


def test_an_agent_runs_only_once_its_start_is_on_disk(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file's name, then its process; its end is on disk before it is reported."""
    steps = [step for step in steps_of(lab, monkeypatch, own=True) if step != "send H"]
    assert steps == [
        "fsync folder", "write B", "write P", "send P", "fsync journal", "run", "write E", "fsync journal", "send E"
    ]  # fmt: skip


def test_a_command_is_recorded_before_it_runs_and_reported_after_it_is_recorded(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for the disk."""
    steps = [step for step in steps_of(lab, monkeypatch, own=False) if step[-1] not in "HP"]
    assert steps == ["write B", "run", "write E", "send E"]


def test_a_command_that_runs_for_a_while_is_recorded_with_its_process(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is in the journal before it is reported."""
    path = lab.home / "steps"
    monkeypatch.setattr(link, "_CODE", SEEN.format(path=str(path)))
    lab.submit("F1", shell="while [ ! -e go ]; do sleep 0.02; done; exit 3")
    until(lambda: path.exists() and "send P" in path.read_text(), "the report")
    (lab.home / "go").touch()
    assert lab.end("F1").code == 3
    steps = path.read_text().splitlines()
    assert [step for step in steps if step[-1] == "P"] == ["write P", "send P"]


# A holder that is killed with its guards while its first job is young: the journal has a B line and no P line.
DIES = """
import os, sys, time
sys.path.append(sys.argv[1])
from nova_core.holder import holder
start = holder.Holder._start
def start_and_die(self, *args, **options):
    start(self, *args, **options)
    while not os.path.exists("ledger"):
        time.sleep(0.001)
    guard = os.getppid()
    outer = int(open(f"/proc/{guard}/stat").read().rpartition(")")[2].split()[1])
    for pid in (outer, guard, os.getpid()):
        os.kill(pid, 9)
holder.Holder._start = start_and_die
holder.main()
"""


def test_a_job_with_only_an_intent_is_lost_and_not_started_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Holder and guards are killed in the job's first 20 ms: the command runs once, and its end is unknown."""
    monkeypatch.setattr(link, "_CODE", DIES)
    lab.submit("F1", shell="echo x >> ledger; sleep 60")
    end = lab.end("F1")
    monkeypatch.undo()
    assert (end.reason, len(lab.ends("F1"))) == (EndReason.LOST, 1)
    assert not any(b'["P"' in journal.read_bytes() for journal in lab.journals())
    assert lab.run("F2", shell="exit 6").code == 6
    assert (lab.home / "ledger").read_text() == "x\n"
    assert {r.key for r in lab.reopen()} == {"F1", "F2"}


def processes(lab: Lab, key: str) -> set[int]:
    """Of a job that prints the pid of its child: that and the command's own. Neither forks another."""
    child = until(lambda: lab.log(key).strip(), f"the child of {key}")
    return {lab.started(key).pid, int(child)}


def test_cancelling_one_job_spares_the_children_of_another(lab: Lab) -> None:
    """Two jobs of one holder with a process in the background each: only the cancelled job's ends."""
    tags = {key: f"novatag{uuid.uuid4().hex}" for key in "AB"}
    for key, tag in tags.items():
        lab.submit(key, shell=f"export TAG={tag}; (setsid sh -c 'echo $$; exec sleep 60' &); exec sleep 60")
    cancelled, spared = (processes(lab, key) for key in "AB")
    lab.executor.cancel("A", 0.1)
    lab.end("A")
    assert (carrying(tags["A"]), {pid for pid in cancelled | spared if alive(pid)}) == ([], spared)
    lab.executor.cancel("B", 0.1)
    lab.end("B")
    assert carrying(tags["B"]) == []


def test_a_timeout_spares_the_children_of_another(lab: Lab) -> None:
    """The same at a limit, with a child that left no mark: it may be the other job's."""
    tag = f"novatag{uuid.uuid4().hex}"
    lab.submit("A", shell=f"(env -i TAG={tag} setsid sh -c 'echo $$; exec sleep 60' &); exec sleep 60")
    others = processes(lab, "A")
    assert lab.run("B", shell="sleep 60", timeout=0.3, grace=0.1).reason is EndReason.TIMEOUT
    assert all(alive(pid) for pid in others)
    lab.executor.cancel("A", 0.1)
    lab.end("A")
    assert carrying(tag) == []


def test_a_command_that_cleared_its_environment_does_not_outlive_its_killed_holder(lab: Lab) -> None:
    """It is found by its pid and start time, and what it started by its session."""
    tag = f"novatag{uuid.uuid4().hex}"
    lab.submit("F1", shell=f"echo up; exec env -i sh -c 'sleep 60 & sleep 60; : {tag}'")
    lab.says("F1", "up")
    pid = lab.started("F1").pid
    until(lambda: pid in carrying(tag), "the cleared environment")
    lab.kill_holder()
    assert lab.end("F1").reason is EndReason.LOST
    assert carrying(tag) == []


@pytest.mark.parametrize("damage", [b"\xff\xff", b'["X"', b""])
def test_a_journal_with_a_damaged_first_line_means_lost(lab: Lab, damage: bytes) -> None:
    """The holder's identity is unknown: nothing is ended, nothing is guessed, and the engine continues."""
    attempts = lab.home / ".nova" / "attempts"
    lines = damage + b'\n["B","F1",1.0]\n["P","F1",1,1,1.0]\n'
    (attempts / "shared-x.journal").write_bytes(lines)
    (found,) = lab.reopen()
    assert isinstance(found, Ended)
    assert found.reason is EndReason.LOST


def test_an_end_is_kept_until_it_is_released(tmp_path: Path) -> None:
    """Also by the engines after the next."""
    lab = Lab(tmp_path)
    lab.run("F1", shell="exit 3")
    for _ in range(2):
        assert [r.key for r in lab.reopen()] == ["F1"]
    lab.executor.release(["F1"])
    lab.executor.close()
    lab.executor = LocalExecutor(tmp_path / ".nova", tmp_path / "logs", run_id=run_of(tmp_path))
    assert lab.executor.recover() == []
    lab.executor.close()
