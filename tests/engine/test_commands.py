"""Commands that affect more than one task."""

from __future__ import annotations

from pathlib import Path

from engines import make_engine, on, tasks_of
from fakes import exits, ok

from nova_core.command import Command, CommandKind
from nova_core.executors.base import Ended, Job
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason, TaskStatus

PAIR = [("A", "-"), ("B", "A")]
ONE = [("A", "-")]


def test_a_failed_retry_blocks_only_what_still_waits(tmp_path: Path) -> None:
    """A runs again and fails while its dependents are completed: they stay completed and are not marked blocked."""
    rows = [("A", "-"), ("B", "A"), ("C", "B"), ("D", "A, X"), ("X", "-")]
    engine, _ = make_engine(
        tmp_path, rows, outcome=lambda job: exits(1 if job.key in ("A@2", "X@1") else 0)(job), max_workers=1
    )
    engine.run()
    engine, _ = make_engine(tmp_path, outcome=exits(1))
    assert engine.apply(Command(CommandKind.RETRY, ("A",))).ok
    engine.run()
    tasks = tasks_of(tmp_path)
    assert [tasks[i].blocked_by for i in "ABCX"] == [()] * 4
    assert set(tasks["D"].blocked_by) == {"A", "X"}


def test_ids_named_twice_count_once(tmp_path: Path) -> None:
    """`nova skip A A` skips A."""
    engine, _ = make_engine(tmp_path, PAIR)
    for kind in (CommandKind.SKIP, CommandKind.RETRY):
        assert engine.apply(Command(kind, ("A", "A"))).ok
    engine.close()


def test_a_retried_task_that_nothing_can_run_fails_alone(tmp_path: Path) -> None:
    """A task skipped because it has no command, then retried on the live engine, fails; the engine continues."""
    engine, executor = make_engine(tmp_path, [("A", "-"), ("B", "-")], extra={"Command": {"A": "", "B": "true"}})
    assert engine.apply(Command(CommandKind.SKIP, ("A",))).ok
    on(engine, EventKind.TASK_STARTED, "B", lambda: engine.post(Command(CommandKind.RETRY, ("A",))))
    waits = [0]

    def outcome(job: Job) -> Ended | None:
        waits[0] += 1
        return ok(job) if waits[0] > 10 else None

    executor.outcome = outcome
    assert engine.run().exit_code == 1
    tasks = tasks_of(tmp_path)
    assert (tasks["A"].reason, tasks["B"].status) == (Reason.SPAWN_ERROR, TaskStatus.COMPLETED)


def test_an_unreadable_disk_flag_is_not_cleared_by_half_a_success(tmp_path: Path) -> None:
    """The history can be written, the state cannot: nothing starts until both can."""
    engine, _ = make_engine(tmp_path, ONE)
    engine.store.refuse(OSError(28, "No space left on device"))
    engine.store.commit()
    assert engine.store.disk_error
    engine.store.flush()
    assert not engine.store.disk_error
    engine.close()
