"""Jobs handed to a real holder ahead of a free slot: it starts them in turn, and none after it was given back."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest
from executor_kit import Lab, until

from nova_core.executors.base import Ended, EndReason, GivenBack, Job, Started


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A folder with a shared holder that runs."""
    lab = Lab(tmp_path)
    lab.run("first", shell="true")
    lab.reports.clear()
    return lab


def hand(lab: Lab, key: str, shell: str = "", slots: int = 2) -> None:
    """Hand a job ahead; it notes its start in the ledger."""
    lab.executor.hand_ahead(Job(key, shell=f"echo {key} >> {lab.home}/ledger; {shell}", log=f"{key}.log"), slots)


def ledger(lab: Lab) -> list[str]:
    path = lab.home / "ledger"
    return path.read_text().split() if path.exists() else []


def given_back(lab: Lab) -> list[str]:
    return [one.key for one in lab.reports if isinstance(one, GivenBack)]


def recall(lab: Lab) -> None:
    """Take back what waits, however long the holder needs."""
    until(lambda: lab.executor.recall() is None)


def gate(lab: Lab) -> str:
    """A command that runs until `open_gate`."""
    return f"while [ ! -e {lab.home}/open ]; do sleep 0.01; done"


def open_gate(lab: Lab) -> None:
    (lab.home / "open").touch()


def begun(lab: Lab) -> set[str]:
    """The jobs that have a B line in any journal."""
    lines = [line for path in lab.journals() for line in path.read_bytes().partition(b"\0")[0].split(b"\n")]
    return {line.split(b'"')[3].decode() for line in lines if line.startswith(b'["B"')}


def test_they_start_in_turn_as_slots_become_free(lab: Lab) -> None:
    """Without a word of the engine, never more at once than there are slots."""
    for i in range(30):
        hand(lab, f"j{i}", f'test $(ls {lab.home}/run.* 2>/dev/null | wc -l) -lt 2 && touch {lab.home}/run.{i} && '
             f"sleep 0.01 && rm {lab.home}/run.{i}")  # fmt: skip
    lab.collect(lambda: len([one for one in lab.reports if isinstance(one, Ended)]) == 30)
    assert all(one.code == 0 for one in lab.reports if isinstance(one, Ended))
    assert sorted(ledger(lab)) == sorted(f"j{i}" for i in range(30))
    assert not given_back(lab)


def test_what_waits_is_given_back_and_what_runs_is_reported(lab: Lab) -> None:
    """After a recall the engine knows of each whether it has started."""
    for i in range(6):
        hand(lab, f"j{i}", gate(lab))
    lab.reports += lab.executor.wait(0.0)
    until(lambda: len(ledger(lab)) == 2)
    recall(lab)
    lab.reports += lab.executor.wait(0.0)
    assert {one.key for one in lab.reports if isinstance(one, Started)} == {"j0", "j1"}
    assert given_back(lab) == ["j2", "j3", "j4", "j5"]
    open_gate(lab)
    lab.end("j0")
    lab.end("j1")
    assert begun(lab) == {"first", "j0", "j1"}
    lab.submit("j2", shell="true")
    assert lab.end("j2").code == 0, "it may be submitted again"


def test_jobs_that_were_not_sent_yet_are_given_back(lab: Lab) -> None:
    """A recall right after they were handed ahead."""
    for i in range(4):
        hand(lab, f"j{i}", gate(lab), slots=1)
    recall(lab)
    lab.reports += lab.executor.wait(0.0)
    told = {one.key for one in lab.reports if isinstance(one, Started)}
    assert told | set(given_back(lab)) == {"j0", "j1", "j2", "j3"}
    open_gate(lab)
    for key in told:
        lab.end(key)


@pytest.mark.parametrize("fate", ["exit 3", "kill -KILL $$"])
def test_nothing_starts_after_a_failure(lab: Lab, fate: str) -> None:
    """The engine decides what a failure means for the others."""
    hand(lab, "bad", f"sleep 0.05; {fate}", slots=1)
    for i in range(5):
        hand(lab, f"j{i}", slots=1)
    lab.end("bad")
    lab.collect(lambda: len(given_back(lab)) == 5)
    assert ledger(lab) == ["bad"]
    assert begun(lab) == {"first", "bad"}


def test_a_command_that_cannot_start_is_a_failure(lab: Lab) -> None:
    """A spawn error, too, gives the others back."""
    lab.executor.hand_ahead(Job("bad", argv=("no-such-program",), log="bad.log"), 1)
    hand(lab, "j0", slots=1)
    assert lab.end("bad").reason is EndReason.SPAWN_ERROR
    lab.collect(lambda: given_back(lab) == ["j0"])


def test_a_job_that_is_cancelled_while_it_waits_never_starts(lab: Lab) -> None:
    """It ends as cancelled; the others are given back."""
    hand(lab, "runs", gate(lab), slots=1)
    hand(lab, "waits", slots=1)
    hand(lab, "other", slots=1)
    lab.reports += lab.executor.wait(0.0)
    until(lambda: ledger(lab) == ["runs"])
    lab.executor.cancel("waits", 0.0)
    assert lab.end("waits").reason is EndReason.CANCELLED
    lab.collect(lambda: given_back(lab) == ["other"])
    open_gate(lab)
    lab.end("runs")
    assert begun(lab) == {"first", "runs"}


def test_what_waits_is_forgotten_with_the_engine(lab: Lab) -> None:
    """The next engine finds what has started; for the rest it is as if nobody had asked."""
    hand(lab, "runs", gate(lab), slots=1)
    for i in range(5):
        hand(lab, f"j{i}", slots=1)
    lab.reports += lab.executor.wait(0.0)
    until(lambda: ledger(lab) == ["runs"])
    found = lab.reopen()
    open_gate(lab)
    lab.end("runs")
    assert {one.key for one in found} == {"first", "runs"}
    assert begun(lab) <= {"first", "runs"}
    assert ledger(lab) == ["runs"]


@pytest.mark.parametrize("guards_too", [False, True])
def test_what_waits_in_a_holder_that_is_killed_is_given_back(lab: Lab, guards_too: bool) -> None:
    """Also if a guard takes its place; what ran is adopted from the guard, or lost with it."""
    hand(lab, "runs", gate(lab), slots=1)
    for i in range(3):
        hand(lab, f"j{i}", slots=1)
    lab.reports += lab.executor.wait(0.0)
    until(lambda: ledger(lab) == ["runs"])
    if guards_too:
        lab.kill_holder()
    else:
        (holder,) = lab.holder_pids()
        os.kill(holder, signal.SIGKILL)
    lab.collect(lambda: len(given_back(lab)) == 3)
    recall(lab)
    open_gate(lab)
    assert lab.end("runs").reason is (EndReason.LOST if guards_too else EndReason.EXIT)
    assert ledger(lab) == ["runs"]


def test_a_frozen_holder_is_waited_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recall says who does not answer and returns; once the holder continues, its answer counts."""
    monkeypatch.setattr("nova_core.executors.jobs_ahead._TURN", 0.05)
    hand(lab, "runs", gate(lab), slots=1)
    lab.reports += lab.executor.wait(0.0)
    until(lambda: ledger(lab) == ["runs"])
    (holder,) = lab.holder_pids()
    os.kill(holder, signal.SIGSTOP)
    until(lambda: Path(f"/proc/{holder}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    for i in range(3):
        hand(lab, f"j{i}", slots=1)
    for _ in range(2):
        problem = lab.executor.recall()
        assert problem is not None
        assert f"kill -CONT {holder}" in str(problem.hint)
    os.kill(holder, signal.SIGCONT)
    recall(lab)
    lab.reports += lab.executor.wait(0.0)
    assert given_back(lab) == ["j0", "j1", "j2"]
    open_gate(lab)
    assert lab.end("runs").code == 0
    assert ledger(lab) == ["runs"]


def test_random_recalls(lab: Lab) -> None:
    """Each job either starts once or is given back, never both; those given back are handed ahead again."""
    chance = random.Random(11)
    todo, times = [f"j{i}" for i in range(120)], 0
    given: set[str] = set()
    while todo or len({one.key for one in lab.reports if isinstance(one, Ended)}) < 120:
        for key in todo:
            hand(lab, key, slots=3)
        todo = []
        for _ in range(chance.randrange(4)):
            lab.reports += lab.executor.wait(0.02)
        recall(lab)
        seen = len(lab.reports)
        lab.reports += lab.executor.wait(0.0)
        todo = [one.key for one in lab.reports[seen:] if isinstance(one, GivenBack)]
        assert not {*todo} & {*ledger(lab)}, "what is given back has not started"
        given |= {*todo}
        times += 1
        assert times < 2_000
    assert sorted(ledger(lab)) == sorted(f"j{i}" for i in range(120))
    assert given
