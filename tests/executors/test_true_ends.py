"""What a command's own process did is its end, whatever is asked while its leftovers are ended."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from executor_kit import Lab, until
from sampling import sampled

from nova_core.executors import holder_link as link
from nova_core.executors.base import EndReason
from nova_core.holder import killing
from nova_core.holder.process_tree import Process

if TYPE_CHECKING:
    from nova_core.holder.job import HolderJob, JobHolder

# A holder that looks for leftovers only once `go` exists, so that a request can come before.
SLOW_SWEEP = """
import os, sys, time
sys.path.append(sys.argv[1])
from nova_core.holder import killing
freeze_and_kill = killing.freeze_and_kill
def slowly(find):
    open("sweeping", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.005)
    return freeze_and_kill(find)
killing.freeze_and_kill = slowly
from nova_core.holder import holder
holder.main()
"""
# One whose clock jumps over every limit when it looks for leftovers.
LATE_SWEEP = """
import sys
sys.path.append(sys.argv[1])
from nova_core.holder import holder, killing
freeze_and_kill, now, stop = killing.freeze_and_kill, holder.monotonic, holder.Holder.stop
def late(find):
    holder.monotonic = lambda: now() + 100.0
    return freeze_and_kill(find)
def noted(self, job, reason, grace):
    with open("late", "a") as file:
        print(reason, file=file)
    stop(self, job, reason, grace)
killing.freeze_and_kill, holder.Holder.stop = late, noted
holder.main()
"""
LEAVES = "(setsid sleep 60 &); exit {code}"


@pytest.mark.parametrize(("own", "code", "grace"), sampled([False, True], [0, 3], [0.0, 20.0]))
def test_a_command_that_ended_by_itself_is_not_cancelled(
    lab: Lab, own: bool, code: int, grace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request comes while the holder ends what the command left behind: its exit code stays its end."""
    monkeypatch.setattr(link, "_CODE", SLOW_SWEEP)
    lab.submit("F1", shell=LEAVES.format(code=code), own_holder=own)
    until((lab.home / "sweeping").exists, "the sweep")
    lab.executor.cancel("F1", grace)
    (lab.home / "go").touch()
    end = lab.end("F1")
    assert (end.reason, end.code, len(end.leftovers)) == (EndReason.EXIT, code, 1)


def test_a_process_that_gets_another_name_as_it_dies_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that was about to become `sleep` when it was killed is left behind once."""
    shell = Process(5, "sh", "R", 1, 5, 5, 77)
    rounds = iter([[shell], [shell._replace(comm="sleep"), shell._replace(pid=6)], []])
    monkeypatch.setattr(killing, "freeze_and_kill", lambda find: next(rounds))
    job = SimpleNamespace(killing_since=0.0, status=0, leftovers=[])
    finished: list[object] = []
    holder = SimpleNamespace(reap=lambda: None, finish=finished.append, later=lambda delay, action, job: None)
    for _ in range(3):
        killing.kill(cast("JobHolder", holder), cast("HolderJob", job))
    assert job.leftovers == ["5 sleep", "6 sh"]
    assert finished == [job]


def test_a_limit_that_is_reached_while_leftovers_end_does_not_count(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command was in time."""
    monkeypatch.setattr(link, "_CODE", LATE_SWEEP)
    end = lab.run("F1", shell=LEAVES.format(code=0), timeout=60.0, grace=0.1)
    assert (end.reason, end.code) == (EndReason.EXIT, 0)
    assert (lab.home / "late").read_text() == "timeout\n", "the limit was reached"


def test_a_deleted_log_folder_is_created_again(lab: Lab, own: bool) -> None:
    """`rm -rf logs` by a task costs its logs, but no task."""
    assert lab.run("F1", shell="echo one", own_holder=own).code == 0
    shutil.rmtree(lab.home / "logs")
    assert lab.run("F2", shell="echo two", own_holder=own).code == 0
    assert lab.run("F3", shell="echo three", log="below/F3.log", own_holder=own).code == 0
    assert (lab.log("F2"), (lab.home / "logs" / "below" / "F3.log").read_text()) == ("two\n", "three\n")


def test_a_deleted_log_folder_is_not_replaced_through_a_link(lab: Lab) -> None:
    """There may be a link in its place: nothing is written through it."""
    lab.run("F1", shell="echo one")
    shutil.rmtree(lab.home / "logs")
    elsewhere = lab.home / "elsewhere"
    elsewhere.mkdir()
    (lab.home / "logs").symlink_to(elsewhere)
    end = lab.run("F2", shell="echo two")
    assert (end.reason, list(elsewhere.iterdir())) == (EndReason.SPAWN_ERROR, [])
    assert "symbolic link" in end.detail


def test_an_own_holder_starts_with_a_missing_log_folder(lab: Lab) -> None:
    """The engine's next holder creates it, too."""
    shutil.rmtree(lab.home / "logs")
    assert lab.run("F1", shell="echo one", own_holder=True).code == 0
    assert Path(lab.home / "logs" / "F1.log").read_text() == "one\n"
