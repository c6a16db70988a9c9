"""A job that kills its shared holder (`kill -9 $PPID`) takes no other job with it."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from pathlib import Path

import pytest
from executor_kit import Lab, alive, carrying, kill_engine, until
from sampling import sampled

from nova_core.executors import holder_link as link
from nova_core.executors.base import Ended, EndReason, Started

WAITS = "echo up; while [ ! -e go ]; do sleep 0.02; done; exit {code}"
TREES = str(Path(__file__).parents[1] / "kits" / "trees.py")
KILLS = "kill -9 $PPID; while [ ! -e go ]; do sleep 0.02; done; exit {code}"


def killed_by_a_job(lab: Lab, *others: str) -> None:
    """Let the job `killer` kill the holder of all, once the others run."""
    for key in others:
        lab.says(key, "up")
    (holder,) = until(lab.holder_pids)
    lab.submit("killer", shell=KILLS.format(code=3))
    until(lambda: not alive(holder), "the holder's end")


def test_the_others_and_the_killer_end_as_they_end(lab: Lab) -> None:
    """Their exit codes are known, and the next job gets another holder."""
    for code in range(5):
        lab.submit(f"J{code}", shell=WAITS.format(code=code))
    killed_by_a_job(lab, *(f"J{code}" for code in range(5)))
    assert lab.run("next", shell="exit 6").code == 6
    (lab.home / "go").touch()
    ends = [lab.end(f"J{code}") for code in range(5)] + [lab.end("killer")]
    assert [(e.reason, e.code) for e in ends] == [(EndReason.EXIT, code) for code in (0, 1, 2, 3, 4, 3)]
    starts = [r.key for r in lab.reports if isinstance(r, Started) and r.key[0] == "J"]
    assert sorted(starts) == [f"J{code}" for code in range(5)], "each is reported once"


def test_every_job_may_kill(lab: Lab) -> None:
    """Two at once, again and again: each job runs once and ends as it ends.

    A holder has two guards: three jobs that kill in the instants in which each takes over are too many.
    """
    ends = []
    for code in range(0, 8, 2):
        for own in (code, code + 1):
            lab.submit(f"K{own}", shell=f"echo x >> ledger; kill -9 $PPID; sleep 0.0{own}; exit {own}")
        ends += [lab.end(f"K{own}").code for own in (code, code + 1)]
    assert ends == list(range(8))
    assert (lab.home / "ledger").read_text() == "x\n" * 8


def test_no_engine_is_needed(lab: Lab) -> None:
    """The guard records how they end; the next engine finds it."""
    engine = lab.engine({"key": "F1", "shell": WAITS.format(code=7)}, {"key": "F2", "shell": WAITS.format(code=8)})
    lab.says("F1", "up")
    lab.says("F2", "up")
    (holder,) = until(lab.holder_pids)
    kill_engine(engine)
    os.kill(holder, signal.SIGKILL)
    assert {(type(r), r.key) for r in lab.reopen()} == {(Started, "F1"), (Started, "F2")}
    lab.executor.close()
    (lab.home / "go").touch()
    lab.executor = lab.open()
    until(lambda: all(isinstance(r, Ended) for r in lab.reopen()), "the ends")
    assert {r.key: r.code for r in lab.reopen() if isinstance(r, Ended)} == {"F1": 7, "F2": 8}


@pytest.mark.parametrize("limit", ["timeout", "idle_timeout"])
def test_limits_are_kept(lab: Lab, limit: str) -> None:
    """They count from the start of the job."""
    lab.submit("F1", shell="echo up; sleep 60", grace=0.1, **{limit: 4.0})
    killed_by_a_job(lab, "F1")
    end = lab.end("F1")
    assert end.reason == limit
    assert end.ended_at - end.started_at >= 3.9


def test_a_log_is_cut(lab: Lab) -> None:
    """The limit of its size is kept, too."""
    shell = "head -c 100000 /dev/zero | tr '\\0' x; echo; " + WAITS.format(code=0)
    lab.submit("F1", shell=shell, log_limit=1000)
    killed_by_a_job(lab, "F1")
    (lab.home / "go").touch()
    assert lab.end("F1").code == 0
    assert "bytes of this log were cut here" in lab.log("F1")


def test_a_cancel_reaches_a_job_that_its_guard_holds(lab: Lab) -> None:
    """Also one that was sent to the holder before it was killed."""
    for key in ("F1", "F2"):
        lab.submit(key, shell="echo up; exec sleep 60")
    lab.says("F1", "up")
    lab.says("F2", "up")
    (holder,) = until(lab.holder_pids)
    os.kill(holder, signal.SIGSTOP)
    lab.executor.cancel("F1", 20.0)
    os.kill(holder, signal.SIGKILL)
    assert lab.end("F1").reason is EndReason.CANCELLED
    lab.executor.cancel("F2", 20.0)
    assert (lab.end("F2").reason, lab.end("F2").signal) == (EndReason.CANCELLED, 15)


@pytest.mark.parametrize("kind", ["daemon", "daemon_noenv", "orphan_mid"])
def test_nothing_of_a_job_is_left(lab: Lab, kind: str) -> None:
    """What was detached before the holder was killed belongs to its job as before."""
    tag = f"novatag{uuid.uuid4().hex}"
    argv = " ".join([sys.executable, "-I", "-S", TREES, kind, tag, "natural"])
    lab.submit("F1", shell=f"{argv}; {WAITS.format(code=0)}")
    killed_by_a_job(lab, "F1")
    assert carrying(tag)
    (lab.home / "go").touch()
    assert lab.end("F1").code == 0
    lab.end("killer")
    assert carrying(tag) == []


# A holder that is killed at the moment of its first spawn: before it, or right after it.
KILLED = """
import os, sys, time
sys.path.append(sys.argv[1])
from nova_core.holder import spawn
launch = spawn.Launch.spawn
def once(self):
    first = not os.path.exists("first")
    open("first", "a").close()
    if first and {before}:
        os.kill(os.getpid(), 9)
    pid = launch(self)
    if first:
        time.sleep({pause})
        os.kill(os.getpid(), 9)
    return pid
spawn.Launch.spawn = once
from nova_core.holder import holder
holder.main()
"""


@pytest.mark.parametrize(
    ("moment", "shell"),
    sampled([(True, 0), (False, 0), (False, 0.2)], ["echo x >> ledger; sleep 0.5; exit 5", "echo x >> ledger; exit 5"]),
)
def test_a_holder_that_is_killed_while_it_spawns(
    lab: Lab, moment: tuple[bool, float], shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job runs once, and its exit code is known: the guard finds its process, or proves that there was none."""
    monkeypatch.setattr(link, "_CODE", KILLED.format(before=moment[0], pause=moment[1]))
    assert lab.run("F1", shell=shell).code == 5
    assert (lab.home / "ledger").read_text() == "x\n"


SWEEPS = """
import os, sys, time
sys.path.append(sys.argv[1])
from nova_core.holder import killing
freeze_and_kill = killing.freeze_and_kill
def slowly(find):
    if not os.path.exists({path!r}):
        open({path!r}, "w").close()
        time.sleep(60)
    return freeze_and_kill(find)
killing.freeze_and_kill = slowly
from nova_core.holder import holder
holder.main()
"""


def test_a_holder_that_is_killed_while_it_ends_leftovers(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's exit code is not lost with it, and the leftovers are ended."""
    monkeypatch.setattr(link, "_CODE", SWEEPS.format(path=str(lab.home / "sweeping")))
    tag = f"novatag{uuid.uuid4().hex}"
    lab.submit("F1", shell=f"(setsid sh -c 'sleep 60; : {tag}' &); exit 4")
    until((lab.home / "sweeping").exists, "the sweep")
    (holder,) = until(lab.holder_pids)
    os.kill(holder, signal.SIGKILL)
    end = lab.end("F1")
    assert (end.reason, end.code, carrying(tag)) == (EndReason.EXIT, 4, [])
