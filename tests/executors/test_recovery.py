"""Guarantees when engines and holders are killed: nothing is lost, run twice or guessed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_kit import Lab, alive, carrying, kill_engine, until
from sampling import sampled

from nova_core.errors import EnvironmentProblem
from nova_core.executors import holder_link as link
from nova_core.executors.base import Ended, EndReason, Started
from nova_core.holder.journal import start_ticks


def test_a_running_job_is_adopted_with_its_true_exit_code(lab: Lab, own: bool) -> None:
    """The engine is killed; the next one sees the job run and end."""
    shell = "echo up; while [ ! -e go ]; do sleep 0.02; done; exit 9"
    engine = lab.engine({"key": "F1", "shell": shell, "own_holder": own})
    lab.says("F1", "up")
    kill_engine(engine)
    found = lab.reopen()
    assert [(type(r), r.key) for r in found] == [(Started, "F1")]
    (lab.home / "go").touch()
    assert lab.end("F1").code == 9
    assert lab.end("F1").pid == found[0].pid


def test_a_job_that_ended_while_no_engine_ran_is_found(lab: Lab, own: bool) -> None:
    """Its exit code was recorded, and its holder has exited."""
    shell = "echo up; while [ ! -e go ]; do sleep 0.02; done; exit 7"
    engine = lab.engine({"key": "F1", "shell": shell, "own_holder": own})
    lab.says("F1", "up")
    holders = until(lab.holder_pids)
    kill_engine(engine)
    (lab.home / "go").touch()
    until(lambda: not any(map(alive, holders)), "the holder's end")
    (found,) = lab.reopen()
    assert isinstance(found, Ended)
    assert (found.reason, found.code) == (EndReason.EXIT, 7)
    assert lab.reopen() == [found]
    lab.executor.release(["F1"])
    assert lab.reopen() == []


def test_an_adopted_job_can_be_cancelled(lab: Lab, own: bool) -> None:
    """By an engine that did not start it."""
    engine = lab.engine({"key": "F1", "shell": "echo up; exec sleep 60", "own_holder": own})
    lab.says("F1", "up")
    kill_engine(engine)
    lab.reopen()
    lab.executor.cancel("F1", 20.0)
    assert (lab.end("F1").reason, lab.end("F1").signal) == (EndReason.CANCELLED, 15)


def test_an_adopted_key_is_not_started_again_and_new_ones_are(lab: Lab, own: bool) -> None:
    """Keys are never reused; the new engine has holders of its own."""
    engine = lab.engine({"key": "F1", "shell": "echo x >> ledger; exec sleep 60", "own_holder": own})
    until((lab.home / "ledger").exists, "the ledger")
    kill_engine(engine)
    lab.reopen()
    lab.submit("F1", shell="echo x >> ledger", own_holder=own)
    assert lab.run("F2", shell="exit 3", own_holder=own).code == 3
    lab.executor.cancel("F1", 5.0)
    lab.end("F1")
    assert (lab.home / "ledger").read_text() == "x\n"


def test_jobs_in_the_socket_of_a_dead_engine_run_exactly_once(lab: Lab) -> None:
    """They were submitted while the holder could not read; the next engine first learns of all of them."""
    engine = lab.engine({"key": "F0", "shell": "echo up; exec sleep 60"})
    lab.says("F0", "up")
    kill_engine(engine)
    lab.reopen()
    (holder,) = lab.holder_pids()
    lab.executor.cancel("F0", 5.0)
    lab.end("F0")
    lab.executor.release(["F0"])
    until(lambda: not alive(holder), "the holder's end")
    lab.run("warm", argv=("true",))
    (holder,) = until(lab.holder_pids)
    os.kill(holder, signal.SIGSTOP)
    for i in range(5):
        lab.submit(f"J{i}", shell=f"echo {i} >> ledger; exit {i}")
    lab.executor.close()
    os.kill(holder, signal.SIGCONT)
    lab.executor = lab.open()
    lab.reports += lab.executor.recover()
    assert {r.key for r in lab.reports if r.key != "F0"} == {"warm", "J0", "J1", "J2", "J3", "J4"}
    for i in range(5):
        lab.submit(f"J{i}", shell=f"echo again >> ledger; exit {i}")
    assert [lab.end(f"J{i}").code for i in range(5)] == [0, 1, 2, 3, 4]
    assert sorted((lab.home / "ledger").read_text().split()) == ["0", "1", "2", "3", "4"]


SLOW_TO_LEAVE = """
import sys, time
sys.path.append(sys.argv[1])
from nova_core.holder import channel
from nova_core.holder import holder
connected = channel.Channel.connected.fget
def slowly(self):
    if not connected(self):
        open("leaving", "w").close()
        time.sleep(0.5)
        return False
    return True
channel.Channel.connected = property(slowly)
holder.main()
"""


def test_an_engine_that_comes_while_the_holder_leaves_is_greeted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It connects after the holder found no engine, and before the holder exited."""
    monkeypatch.setattr(link, "_CODE", SLOW_TO_LEAVE)
    monkeypatch.setattr(link, "PATIENCE", 60.0)
    lab.run("F1", argv=("true",))
    lab.executor.close()
    until((lab.home / "leaving").exists, "the holder's last look")
    lab.executor = lab.open()
    assert [r.key for r in lab.executor.recover()] == ["F1"]


def test_a_killed_holder_means_lost_and_nothing_left(lab: Lab, own: bool) -> None:
    """The engine is alive: it reports the loss, has ended what ran, and starts the next job in a new holder."""
    tag = f"novatag{uuid.uuid4().hex}"
    shell = f"(setsid sh -c 'sleep 60; : {tag}' &); echo up; sleep 60; : {tag}"
    lab.submit("F1", shell=shell, own_holder=own, env={"TAG": tag})
    lab.says("F1", "up")
    pid = lab.started("F1").pid
    holder = lab.kill_holder()
    end = lab.end("F1")
    assert (end.reason, end.code, end.signal, end.survivors) == (EndReason.LOST, None, None, ())
    assert end.pid == pid
    assert str(holder) in end.detail
    assert carrying(tag) == []
    assert lab.run("F2", shell="exit 6", own_holder=own).code == 6


def test_killing_engine_and_holder_means_lost_and_nothing_left(lab: Lab, own: bool) -> None:
    """The next engine reports the loss, and reports it again until it is released."""
    tag = f"novatag{uuid.uuid4().hex}"
    shell = f"(setsid sh -c 'sleep 60; : {tag}' &); echo up; sleep 60; : {tag}"
    engine = lab.engine({"key": "F1", "shell": shell, "own_holder": own, "env": {"TAG": tag}})
    lab.says("F1", "up")
    kill_engine(engine)
    lab.kill_holder()
    (found,) = lab.reopen()
    assert isinstance(found, Ended)
    assert found.reason is EndReason.LOST
    assert carrying(tag) == []
    assert [r.key for r in lab.reopen()] == ["F1"]
    lab.executor.release(["F1"])
    assert lab.reopen() == []


def test_a_job_that_its_killed_holder_never_started_starts_in_another(lab: Lab) -> None:
    """The journal proves that the job never started: nothing is lost, nothing runs twice."""
    lab.run("warm", argv=("true",))
    (holder,) = until(lab.holder_pids)
    os.kill(holder, signal.SIGSTOP)
    lab.submit("F1", shell="echo x >> ledger; exit 8")
    os.kill(holder, signal.SIGKILL)
    assert lab.end("F1").code == 8
    assert (lab.home / "ledger").read_text() == "x\n"
    assert lab.reports[-1].key == "F1"


def test_a_holder_that_cannot_start_is_reported_not_retried_forever(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last output is part of the message."""
    monkeypatch.setattr(link, "_CODE", "raise SystemExit('no such luck')")
    end = lab.run("F1", argv=("true",))
    assert end.reason is EndReason.SPAWN_ERROR
    assert "no such luck" in end.detail


def test_a_stopped_holder_is_reported(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its jobs cannot be known, so the engine does not continue."""
    engine = lab.engine({"key": "F1", "shell": "echo up; exec sleep 60"})
    lab.says("F1", "up")
    (holder,) = until(lab.holder_pids)
    kill_engine(engine)
    os.kill(holder, signal.SIGSTOP)
    monkeypatch.setattr(link, "PATIENCE", 0.2)
    with pytest.raises(EnvironmentProblem, match=str(holder)) as caught:
        lab.executor.recover()
    assert "CONT" in caught.value.hint
    monkeypatch.undo()
    os.kill(holder, signal.SIGCONT)
    assert [r.key for r in lab.reopen()] == ["F1"]
    lab.executor.cancel("F1", 5.0)
    lab.end("F1")


@pytest.mark.parametrize(("own", "limit"), sampled([False, True], ["timeout", "idle_timeout"]))
def test_timeouts_hold_while_no_engine_runs(lab: Lab, own: bool, limit: str) -> None:
    """The holder keeps the results."""
    engine = lab.engine({"key": "F1", "shell": "echo up; sleep 60", limit: 3.0, "grace": 0.1, "own_holder": own})
    lab.says("F1", "up")
    holders = until(lab.holder_pids)
    kill_engine(engine)
    until(lambda: not any(map(alive, holders)), "the holder's end")
    (found,) = lab.reopen()
    assert isinstance(found, Ended)
    assert found.reason == limit


def test_pids_of_another_boot_are_not_touched(lab: Lab) -> None:
    """After a reboot every pid belongs to another process: the job is lost, and no process is signalled."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        attempts = lab.home / ".nova" / "attempts"
        start = start_ticks(stranger.pid)
        lines = [["H", 1, 4, 5, "another boot", "run"], ["B", "F1", 1.0], ["P", "F1", stranger.pid, start, 1.0]]
        (attempts / "shared-x.journal").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (found,) = lab.reopen()
        assert isinstance(found, Ended)
        assert found.reason is EndReason.LOST
        assert stranger.poll() is None
        stranger.kill()


def test_a_reused_pid_is_not_touched(lab: Lab) -> None:
    """The pid counts only together with the recorded start time."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        attempts = lab.home / ".nova" / "attempts"
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        start = start_ticks(stranger.pid) - 1
        lines = [["H", 1, 4, 5, boot, "run"], ["B", "F1", 1.0], ["P", "F1", stranger.pid, start, 1.0]]
        (attempts / "shared-x.journal").write_text("".join(json.dumps(line) + "\n" for line in lines))
        lab.reopen()
        assert stranger.poll() is None
        stranger.kill()


def fill(path: Path) -> None:
    """Write until there is no space left."""
    with open(path, "wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                return


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 kB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_rejects_new_jobs_and_keeps_the_ends_of_old_ones(small_disk: Path, own: bool) -> None:
    """Space for the end of a started job is reserved; a job whose end could not be recorded does not start."""
    home = small_disk.parent
    (small_disk / ".nova").mkdir()
    (home / ".nova").symlink_to(small_disk / ".nova")
    lab = Lab(home)
    for i in range(3):
        lab.submit(f"F{i}", shell=f"echo up; while [ ! -e go ]; do sleep 0.02; done; exit {i}", own_holder=own)
        lab.says(f"F{i}", "up")
    fill(small_disk / "filler")
    more = 5 if own else 20  # holders of their own are dear
    for i in range(more):
        lab.submit(f"G{i}", shell="while [ ! -e go ]; do sleep 0.02; done", own_holder=own)
    lab.collect(lambda: any(isinstance(r, Ended) for r in lab.reports))
    refused = next(r for r in lab.reports if isinstance(r, Ended))
    assert refused.reason is EndReason.SPAWN_ERROR
    assert "no space left on device" in refused.detail
    (home / "go").touch()
    assert [lab.end(f"F{i}").code for i in range(3)] == [0, 1, 2]
    lab.collect(lambda: all(lab.ends(f"G{i}") for i in range(more)))
    found = {r.key: r.code for r in lab.reopen() if isinstance(r, Ended)}
    assert [found[f"F{i}"] for i in range(3)] == [0, 1, 2]
    lab.executor.close()
