"""A machine without a process, descriptor or memory to spare delays jobs, and fails none."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engines import make_engine, tasks_of
from executor_kit import Lab, until
from fakes import ok
from sampling import sampled

from nova_core.errors import EnvironmentProblem
from nova_core.executors import holder_link as link
from nova_core.executors.base import Ended, EndReason, Job, News, Waiting
from nova_core.executors.held_jobs import HeldJobs
from nova_core.state.events import Event, EventKind

# A holder whose calls fail while the file `busy` exists.
BUSY = """
import os, sys
sys.path.append(sys.argv[1])
def busy(call):
    def wrapped(*args, **options):
        if os.path.exists({path!r}):
            raise OSError({error}, os.strerror({error}))
        return call(*args, **options)
    return wrapped
from nova_core.holder import holder
{target} = busy({target})
holder.main()
"""
TARGETS = ["os.posix_spawnp", "os.fork", "os.pipe", "os.execvpe"]  # all but the first start a holder of its own
ERRORS = [errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM]


def waits(lab: Lab) -> list[Waiting]:
    """What was reported of jobs that wait."""
    return [r for r in lab.reports if isinstance(r, Waiting)]


@pytest.mark.parametrize(("target", "error"), sampled(TARGETS, ERRORS))
def test_jobs_wait_and_start_when_it_passes(lab: Lab, target: str, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once for all of them; each then runs once, with nothing in its log, and counts its time from there."""
    own = target != "os.posix_spawnp"
    busy = lab.home / "busy"
    monkeypatch.setattr(link, "_CODE", BUSY.format(path=str(busy), error=error, target=target))
    lab.run("warm", argv=("true",))
    busy.touch()
    for code in (4, 5):
        lab.submit(f"F{code}", shell=f"echo x >> ledger; exit {code}", own_holder=own)
    lab.collect(lambda: bool(waits(lab)))
    for _ in range(2):
        lab.reports += lab.executor.wait(0.3)
    busy.unlink()
    assert [lab.end(f"F{code}").code for code in (4, 5)] == [4, 5]
    assert len(waits(lab)) == 1
    assert os.strerror(error).lower() in waits(lab)[0].detail.lower()
    assert ((lab.home / "ledger").read_text(), lab.log("F4"), lab.log("F5")) == ("x\nx\n", "", "")


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_a_job_that_waits_can_be_cancelled(lab: Lab, own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never runs."""
    busy = lab.home / "busy"
    target = "os.fork" if own else "os.posix_spawnp"
    monkeypatch.setattr(link, "_CODE", BUSY.format(path=str(busy), error=errno.EAGAIN, target=target))
    lab.run("warm", argv=("true",))
    busy.touch()
    lab.submit("F1", shell="echo x > ledger", own_holder=own)
    lab.collect(lambda: bool(waits(lab)))
    lab.executor.cancel("F1", 1.0)
    assert (lab.end("F1").reason, lab.end("F1").pid) == (EndReason.CANCELLED, None)
    busy.unlink()
    lab.run("after", argv=("true",))
    assert not (lab.home / "ledger").exists()


@contextmanager
def no_more_files(pid: int) -> Iterator[None]:
    """The process cannot open another file."""
    used = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    free = used - len(os.listdir(f"/proc/{pid}/fd"))
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(free)] if pid == os.getpid() else []
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used if kept or not free else used - free, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        for fd in kept:
            os.close(fd)


def test_a_holder_without_descriptors_waits(lab: Lab) -> None:
    """With the real limit of the kernel."""
    lab.run("warm", argv=("true",))
    (holder,) = until(lab.holder_pids)
    with no_more_files(holder):
        lab.submit("F1", shell="exit 4")
        lab.collect(lambda: bool(waits(lab)))
        assert "too many open files" in waits(lab)[0].detail.lower()
    assert lab.end("F1").code == 4


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_an_engine_without_descriptors_waits(lab: Lab, own: bool) -> None:
    """It cannot start a holder; nothing of the try is left."""
    with no_more_files(os.getpid()):
        lab.submit("F1", shell="exit 4", own_holder=own)
        lab.collect(lambda: bool(waits(lab)))
        before = sorted(os.listdir(lab.home / ".nova" / "attempts"))
    assert before == []
    assert lab.end("F1").code == 4


def test_jobs_are_retried_after_a_pause_and_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once: a machine without anything to spare gets no load of attempts; and within a second."""
    now = [100.0]
    monkeypatch.setattr("nova_core.executors.held_jobs.time.monotonic", lambda: now[0])
    held, jobs = HeldJobs(), [Job(f"F{i}", argv=("true",)) for i in range(3)]
    for _ in range(2):  # the second time as the first
        for job in jobs:
            held.add(job, "no process to spare")
            assert held.due() == []
            now[0] += 0.01
        until_then = held.limit(None)
        assert until_then is not None
        assert now[0] + 0.1 < until_then < now[0] + 1
        assert held.limit(now[0]) == now[0]
        now[0] = until_then
        assert held.due() == jobs
        assert held.due() == []


def test_it_is_said_again_only_after_a_start(tmp_path: Path) -> None:
    """A machine that is busy for an hour is one line; one that is busy again later is another."""
    held = HeldJobs()
    assert held.add(Job("A"), "why") == Waiting("A", "why")
    assert held.add(Job("B"), "why") is None
    assert held.remove("A")
    assert not held.remove("A")
    assert held.add(Job("A"), "why") is None
    held.is_told = False
    assert held.add(Job("C"), "again") == Waiting("C", "again")


def test_the_run_says_it_once_and_continues(tmp_path: Path) -> None:
    """A warning, no failure, no attempt used up."""
    engine, executor = make_engine(tmp_path, [("A", "-")])
    events: list[Event] = []
    engine.subscribe(events.append)
    news: list[News] = [Waiting("A@1", "cannot run /bin/sh: resource temporarily unavailable")]

    def outcome(job: Job) -> Ended | None:
        if news:
            executor.reports.append(news.pop())
            return None
        return ok(job)

    executor.outcome = outcome
    assert engine.run().exit_code == 0
    assert len([e for e in events if e.kind is EventKind.WARNING and "cannot start processes now" in e.message]) == 1
    assert tasks_of(tmp_path)["A"].attempt == 1


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENFILE, errno.ENOMEM, errno.EMFILE, errno.ENOSPC])
def test_a_run_begins_on_a_machine_without_a_process_to_spare(tmp_path: Path, number: int) -> None:
    """Its jobs wait; what does not pass, such as a full disk, ends it at once."""
    engine, executor = make_engine(tmp_path, [("A", "-")])

    def prepare() -> None:
        raise EnvironmentProblem("cannot start a holder") from OSError(number, "no")

    executor.prepare = prepare  # type: ignore[method-assign]
    if number in (errno.EMFILE, errno.ENOSPC):
        with pytest.raises(EnvironmentProblem, match="cannot start a holder"):
            engine.run()
    else:
        assert engine.run().completed == 1
