"""Tasks that need approval before they start: asked when they could start, never started without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import killed, make_engine, on, tasks_of, write_plan
from fakes import FakeExecutor, exits, ok

from nova_core.command import Command, CommandKind, Reply
from nova_core.config import Config
from nova_core.errors import UsageError
from nova_core.files.project import Project
from nova_core.orchestrator import Orchestrator
from nova_core.runs.words import Shown, shown_status
from nova_core.state.events import EventKind
from nova_core.state.schema import Reason, TaskStatus
from nova_core.watch.offline import apply_offline

ROWS = [("A", "-"), ("D", "A"), ("E", "D")]
BEFORE = {"Approval": {"D": "before"}}


def jobs(executor: FakeExecutor) -> list[str]:
    """The keys of the started jobs."""
    return [job.key for job in executor.jobs]


def asked(folder: Path, **options: object) -> None:
    """A run of the plan that ends because D needs approval to start."""
    engine, executor = make_engine(folder, ROWS, extra=BEFORE, **options)  # type: ignore[arg-type]
    result = engine.run()
    assert (result.exit_code, result.waiting_approval, result.pending) == (4, 1, 1)
    assert jobs(executor) == ["A@1"]


def command(folder: Path, kind: CommandKind, *ids: str, text: str = "") -> Reply:
    """Carry out a command while no engine is running."""
    return apply_offline(Project(folder), Command(kind, ids, text=text))


@pytest.mark.parametrize(
    ("cell", "config", "first"),
    [
        ("before", Config(), False),
        ("after", Config(), True),
        ("yes", Config(), False),
        ("yes", Config(command="all", agent=("claude",)), False),
    ],
)
def test_when_approval_is_asked(tmp_path: Path, cell: str, config: Config, first: bool) -> None:
    """Before a command or after its work, as the plan says; `yes` means before a command."""
    engine, executor = make_engine(tmp_path, [("D", "-")], extra={"Approval": {"D": cell}}, config=config)
    assert engine.run().exit_code == 4
    assert jobs(executor) == (["D@1"] if first else [])
    state = tasks_of(tmp_path)["D"]
    assert (state.awaits_approval, shown_status(state, ready=True)) == (True, Shown.APPROVAL)


def test_an_agents_work_is_approved_afterwards(tmp_path: Path) -> None:
    """`yes` means after the work of an agent; the plan itself says so in a preview, too."""
    write_plan(tmp_path, [("D", "-")], extra={"Command": {"D": ""}, "Approval": {"D": "yes"}})
    engine, _ = make_engine(tmp_path, config=Config(agent=("claude",)))
    assert engine.board.task("D").approval == "after"


def test_it_is_asked_once_dependencies_are_done_and_starts_once_approved(tmp_path: Path) -> None:
    """The question waits without a worker, across engines, and is put once; then the task and the rest run."""
    asked(tmp_path)
    engine, executor = make_engine(tmp_path)
    events = on(engine, EventKind.RUN_STARTED, None, lambda: None)
    assert engine.run().exit_code == 4
    assert not [event for event in events if event.kind is EventKind.TASK_WAITING]
    assert command(tmp_path, CommandKind.APPROVE, "D") == Reply(True, "approved: D")
    assert command(tmp_path, CommandKind.APPROVE, "D") == Reply(False, "D is already approved")
    engine, executor = make_engine(tmp_path)
    assert engine.run().exit_code == 0
    assert jobs(executor) == ["D@1", "E@1"]


def test_approval_while_the_run_continues(tmp_path: Path) -> None:
    """The question takes no worker: other tasks run meanwhile, and the answer lets the task start at once."""
    rows = [("D", "-"), ("X", "-"), ("Y", "X")]
    engine, executor = make_engine(tmp_path, rows, extra=BEFORE, max_workers=1)
    on(engine, EventKind.TASK_COMPLETED, "X", lambda: engine.post(Command(CommandKind.APPROVE, ("D",))))
    assert engine.run().exit_code == 0
    assert jobs(executor)[0] == "X@1"
    assert sorted(jobs(executor)) == ["D@1", "X@1", "Y@1"]


def test_rejection_fails_the_task_with_the_reason(tmp_path: Path) -> None:
    """It never ran; what depends on it is blocked; a retry asks again."""
    asked(tmp_path)
    assert command(tmp_path, CommandKind.REJECT, "D", text="not today").ok
    state = tasks_of(tmp_path)["D"]
    assert (state.status, state.reason, state.error) == (TaskStatus.FAILED, Reason.REJECTED, "rejected: not today")
    assert (state.attempt, tasks_of(tmp_path)["E"].blocked_by) == (0, ("D",))
    assert command(tmp_path, CommandKind.RETRY, "D").ok
    engine, executor = make_engine(tmp_path)
    assert (engine.run().exit_code, jobs(executor)) == (4, [])


def test_an_approval_in_advance_counts(tmp_path: Path) -> None:
    """A task may be approved before its dependencies are done; others may not."""
    asked_not, _ = make_engine(tmp_path, ROWS, extra=BEFORE)
    asked_not.store.flush()
    killed(asked_not)
    assert command(tmp_path, CommandKind.APPROVE, "D").ok
    assert command(tmp_path, CommandKind.APPROVE, "E") == Reply(False, "E does not need approval")
    engine, executor = make_engine(tmp_path)
    assert (engine.run().exit_code, jobs(executor)) == (0, ["A@1", "D@1", "E@1"])


def test_retries_by_the_engine_do_not_ask_again(tmp_path: Path) -> None:
    """An approved task that fails is retried as often as it may; a retry by hand asks again."""
    asked(tmp_path)
    command(tmp_path, CommandKind.APPROVE, "D")
    engine, executor = make_engine(tmp_path, outcome=exits(1), config=Config(retries=2, retry_delay=0.0))
    assert (engine.run().exit_code, jobs(executor)) == (1, ["D@1", "D@2", "D@3"])
    command(tmp_path, CommandKind.RETRY, "D")
    engine, executor = make_engine(tmp_path)
    assert (engine.run().exit_code, jobs(executor)) == (4, [])


def test_an_interrupted_task_stays_approved(tmp_path: Path) -> None:
    """A stop of the run is no answer: the next run starts the task again without asking."""
    asked(tmp_path)
    command(tmp_path, CommandKind.APPROVE, "D")
    engine, _ = make_engine(tmp_path, outcome=lambda job: None)
    on(engine, EventKind.TASK_STARTED, "D", engine.stop)
    engine.run()
    engine, executor = make_engine(tmp_path)
    assert (engine.run().exit_code, jobs(executor)) == (0, ["D@2", "E@1"])


@pytest.mark.parametrize("when", ["asked", "approved"])
def test_an_edit_takes_the_approval_back(tmp_path: Path, when: str) -> None:
    """What was approved was the old command: with another one the task asks again."""
    asked(tmp_path)
    if when == "approved":
        command(tmp_path, CommandKind.APPROVE, "D")
    write_plan(tmp_path, ROWS, extra={**BEFORE, "Command": {"D": "rm -rf production"}})
    engine, executor = make_engine(tmp_path)
    events = on(engine, EventKind.RUN_STARTED, None, lambda: None)
    assert (engine.run().exit_code, jobs(executor)) == (4, [])
    assert [event.task for event in events if event.kind is EventKind.TASK_WAITING] == ["D"]


def test_a_question_is_withdrawn_with_its_cause(tmp_path: Path) -> None:
    """When a dependency runs again or the plan no longer asks, the task waits or runs as any other."""
    asked(tmp_path)
    command(tmp_path, CommandKind.RETRY, "A")
    assert shown_status(tasks_of(tmp_path)["D"], ready=False) is Shown.WAITING
    write_plan(tmp_path, ROWS)
    engine, executor = make_engine(tmp_path)
    assert (engine.run().exit_code, jobs(executor)) == (0, ["A@2", "D@1", "E@1"])


def test_a_program_cannot_start_it_unapproved(tmp_path: Path) -> None:
    """Step by step, the task is not ready before it is approved."""
    write_plan(tmp_path, [("D", "-")], extra=BEFORE)
    engine = Orchestrator(tmp_path / "CASCADE.md", tmp_path / "cascade_state.json")
    assert engine.get_ready_tasks() == []
    with pytest.raises(UsageError):
        engine.start_worker("D")
    engine.apply(Command(CommandKind.APPROVE, ("D",)))
    assert engine.get_ready_tasks() == ["D"]
    engine.close()


def test_what_else_can_be_done_with_it(tmp_path: Path) -> None:
    """It can be skipped or given up; a retry says what to do instead."""
    asked(tmp_path)
    assert command(tmp_path, CommandKind.RETRY, "D") == Reply(False, "D needs approval to start: nova approve D")
    assert command(tmp_path, CommandKind.CANCEL, "D").ok
    assert tasks_of(tmp_path)["D"].was_cancelled
    command(tmp_path, CommandKind.RETRY, "D")
    assert command(tmp_path, CommandKind.SKIP, "D").ok
    engine, executor = make_engine(tmp_path, outcome=ok)
    assert (engine.run().exit_code, jobs(executor)) == (0, ["E@1"])
