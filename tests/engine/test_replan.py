"""A plan that is edited during a run: new tasks join, running tasks keep their text, done tasks stay done."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from engines import host, make_engine, write_plan
from fakes import FakeClock, FakeExecutor, exits, ok, running
from hypothesis import given
from hypothesis import strategies as st

from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.engine.replan import PlanWatch, signature
from nova_core.executors.base import Ended, EndReason, Job, Started
from nova_core.orchestrator import Orchestrator
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus

Rows = list[tuple[str, str]]


class Held(FakeExecutor):
    """Jobs end when the test says so."""

    def __init__(self) -> None:
        self.free: set[str] = set()
        self.fails: set[str] = set()
        super().__init__(FakeClock(), self._judge)

    def _judge(self, job: Job) -> Ended | None:
        task_id = job.key.partition("@")[0]
        if task_id in self.fails:
            return exits(1)(job)
        return ok(job) if task_id in self.free else None


class Run:
    """An engine that runs turn by turn, on a plan that is edited between the turns."""

    def __init__(self, folder: Path, rows: Rows, workers: int = 2, config: Config | None = None) -> None:
        self.folder = folder
        self.executor = Held()
        self.events: list[Event] = []
        self.engine, _ = make_engine(folder, rows, executor=self.executor, max_workers=workers, config=config)
        self.engine.subscribe(self.events.append)
        self.engine._begin()
        self.turn()

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.engine._begin().turn(1.0)
            self.executor.clock.advance(1.0)

    def edit(self, rows: Rows | str) -> None:
        """Rewrite the plan, and let the engine read it."""
        if isinstance(rows, str):
            (self.folder / "CASCADE.md").write_text(rows)
        else:
            write_plan(self.folder, rows)
        self.turn(2)  # it must have stopped changing
        reading = self.engine._run.replanner.watch._thread
        if reading is not None:
            reading.join()
        self.turn(2)

    def finish(self, *ids: str) -> None:
        self.executor.free.update(ids)
        self.turn(2)

    def status(self, task_id: str) -> TaskStatus | None:
        state = self.engine.store.tasks.get(task_id)
        return state.status if state else None

    @property
    def started(self) -> list[str]:
        return [job.key.partition("@")[0] for job in self.executor.jobs]

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.events if event.kind is EventKind.WARNING]


def test_an_edit_of_a_done_task_is_reported_once(tmp_path: Path) -> None:
    """It does not run again by itself; the next edit does not repeat that."""
    run = Run(tmp_path, [("A", "-"), ("B", "A")])
    run.finish("A")
    run.edit((tmp_path / "CASCADE.md").read_text().replace("Task A", "Another A"))
    assert run.warnings == ["1 done task was edited: A; let them run again with nova retry"]
    run.edit((tmp_path / "CASCADE.md").read_text().replace("Task B", "Another B"))
    assert len(run.warnings) == 1
    assert run.started == ["A", "B"]


def test_a_task_that_is_added_runs(tmp_path: Path) -> None:
    """Also a task that depends on a done one, and one that a waiting task depends on."""
    run = Run(tmp_path, [("A", "-"), ("B", "A")])
    run.finish("A")
    run.edit([("A", "-"), ("N", "A"), ("B", "A, N"), ("O", "-")])
    assert run.started == ["A", "B", "N"]
    run.finish("B", "N", "O")
    assert run.started == ["A", "B", "N", "O"]


def test_a_removed_task_does_not_run(tmp_path: Path) -> None:
    """Its dependents no longer wait for it."""
    run = Run(tmp_path, [("A", "-"), ("B", "A"), ("C", "B")], workers=1)
    run.edit([("A", "-"), ("C", "A")])
    run.finish("A", "C")
    assert run.started == ["A", "C"]
    assert run.status("B") is None


def test_a_running_task_keeps_its_text(tmp_path: Path) -> None:
    """The new text is for the next attempt; if its row is gone the task runs to its end, and is then forgotten."""
    run = Run(tmp_path, [("A", "-"), ("B", "-"), ("C", "A, B")])
    text = (tmp_path / "CASCADE.md").read_text().replace("does it", "does more")
    run.edit(text)
    assert run.engine.board.task("A").description == "does it"
    assert run.engine.board.task("C").description == "does more"
    run.edit([("B", "-"), ("C", "B")])
    assert run.status("A") is TaskStatus.IN_PROGRESS
    run.finish("A", "B", "C")
    assert (run.status("A"), run.status("C")) == (None, TaskStatus.COMPLETED)
    assert run.engine.store.run.gone["A"].status is TaskStatus.COMPLETED
    assert Counter(run.started) == {"A": 1, "B": 1, "C": 1}


def test_a_task_whose_row_is_gone_is_not_tried_again(tmp_path: Path) -> None:
    """The attempt may end; no other one starts."""
    run = Run(tmp_path, [("A", "-"), ("B", "-")], config=Config(retries=3))
    run.edit([("B", "-")])
    run.executor.fails.add("A")
    run.turn(10)
    assert Counter(run.started) == {"A": 1, "B": 1}
    assert run.status("A") is None


def test_a_running_task_whose_row_goes_and_comes_back_is_reported(tmp_path: Path) -> None:
    """Both are events, so that viewers read the plan again; and neither is an edit of the task."""
    rows = [("A", "-"), ("B", "-")]
    run = Run(tmp_path, rows)
    run.edit([("B", "-")])
    run.edit(rows)
    found = [event.message for event in run.events if event.kind is EventKind.PLAN_CHANGED]
    assert found == ["A was removed from the plan; it stays until its worker has ended", "A is back in the plan"]
    run.finish("A", "B")
    assert run.status("A") is TaskStatus.COMPLETED
    assert Counter(run.started) == {"A": 1, "B": 1}


@pytest.mark.parametrize(("text", "starts"), [("Task A", 1), ("Another task", 2)])
def test_a_cancelled_task_that_comes_back_stays_cancelled(tmp_path: Path, text: str, starts: int) -> None:
    """A person has cancelled it; with another text it is another task."""
    rows = [("A", "-"), ("B", "-")]
    run = Run(tmp_path, rows)
    run.edit([("B", "-")])
    run.engine.apply(Command(CommandKind.CANCEL, ("A",)))
    run.turn(4)
    assert run.status("A") is None
    write_plan(tmp_path, rows)
    run.edit((tmp_path / "CASCADE.md").read_text().replace("| Task A |", f"| {text} |"))
    assert Counter(run.started) == {"A": starts, "B": 1}
    assert run.status("A") is (TaskStatus.FAILED if starts == 1 else TaskStatus.IN_PROGRESS)


def test_a_finished_task_that_comes_back_is_finished(tmp_path: Path) -> None:
    """It does not run again."""
    rows = [("A", "-"), ("B", "-"), ("C", "-")]
    run = Run(tmp_path, rows)
    run.finish("A")
    run.edit([("B", "-"), ("C", "-")])
    assert run.status("A") is None
    run.edit(rows)
    assert run.status("A") is TaskStatus.COMPLETED
    run.finish("B", "C")
    assert Counter(run.started) == {"A": 1, "B": 1, "C": 1}


def test_a_reused_id_with_other_work_is_a_new_task(tmp_path: Path) -> None:
    """Results of the earlier work under this id do not count."""
    run = Run(tmp_path, [("A", "-"), ("B", "-"), ("C", "-")])
    run.finish("A")
    run.edit([("B", "-"), ("C", "-")])
    write_plan(tmp_path, [("A", "-"), ("B", "-"), ("C", "-")])
    run.edit((tmp_path / "CASCADE.md").read_text().replace("| Task A |", "| Another task |"))
    run.finish("B", "C")
    run.turn(2)
    assert Counter(run.started) == {"A": 2, "B": 1, "C": 1}


BAD = [
    ("a cycle", [("A", "B"), ("B", "A")], "cyclic dependency: A -> B -> A"),
    ("an unknown task", [("A", "-"), ("B", "A"), ("C", "Z9")], "depends on 'Z9'"),
    ("an id twice", [("A", "-"), ("A", "-")], "duplicate task id A"),
    ("nothing", "", "CASCADE.md: the plan is empty"),
    ("no text", "| Task ID |\0", "NUL character"),
]


@pytest.mark.parametrize(("edit", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_edit_is_rejected_with_its_line(tmp_path: Path, edit: Rows | str, said: str) -> None:
    """The run continues with the old plan, and accepts the next valid one."""
    run = Run(tmp_path, [("A", "-"), ("B", "A")])
    run.edit(edit)
    run.turn(5)
    assert len(run.warnings) == 1
    assert said in run.warnings[0]
    assert "CASCADE.md" in run.warnings[0]
    run.finish("A")
    assert run.started == ["A", "B"]
    run.edit([("A", "-"), ("B", "A"), ("C", "A")])
    run.finish("B", "C")
    assert run.started == ["A", "B", "C"]


def test_milestones_that_do_not_fit_the_new_plan_are_reported(tmp_path: Path) -> None:
    """The old milestones stay."""
    text = "milestones: [{id: m, name: M, trigger: {type: all_tasks_completed, tasks: [B]}, message: done}]\n"
    (tmp_path / "milestones.yaml").write_text(text)
    run = Run(tmp_path, [("A", "-"), ("B", "A")])
    run.edit([("A", "-"), ("C", "A")])
    assert len(run.warnings) == 1
    assert run.warnings[0].endswith("the milestones are unchanged")


def test_a_plan_that_grows_at_the_very_end_is_read(tmp_path: Path) -> None:
    """A planning task writes the tasks after it: the run does not end before it has read the plan again."""

    def plans(job: Job) -> Ended:
        if job.key == "A@1":
            write_plan(tmp_path, [("A", "-"), ("B", "A"), ("C", "B")])
        return ok(job)

    engine, executor = make_engine(tmp_path, [("A", "-")], outcome=plans)
    result = engine.run()
    assert (result.exit_code, result.total) == (0, 3)
    assert [job.key for job in executor.jobs] == ["A@1", "B@1", "C@1"]


def test_a_file_dropped_into_a_folder_of_tasks_is_read(tmp_path: Path) -> None:
    """The same for the other kind of plan."""
    folder = tmp_path / "tasks" / "01-one"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("---\ntitle: A\ncommand: 'true'\ndependencies: []\n---\n")

    def drops(job: Job) -> Ended:
        (folder / "b.md").write_text("---\ntitle: B\ncommand: 'true'\ndependencies: [01-one/a]\n---\n")
        return ok(job)

    executor = FakeExecutor(FakeClock(), drops)
    engine = Orchestrator(
        tmp_path / "tasks", tmp_path / "cascade_state.json", config=Config(), host=host(executor),
    )  # fmt: skip
    assert engine.run().exit_code == 0
    assert [job.key for job in executor.jobs] == ["01-one/a@1", "01-one/b@1"]


def test_the_state_after_an_edit_is_that_of_the_plan(tmp_path: Path) -> None:
    """The state file lists the current tasks, in the order of the plan."""
    run = Run(tmp_path, [("A", "-"), ("B", "A")])
    run.edit([("N", "-"), ("A", "-"), ("C", "A")])
    run.engine.store.flush()
    assert list(json.loads((tmp_path / "cascade_state.json").read_text())["tasks"]) == ["N", "A", "C"]


IDS = ["A", "B", "C", "D", "E"]
EDITS = st.lists(
    st.tuples(st.sampled_from(["row", "out", "end", "break"]), st.sampled_from(IDS), st.sets(st.sampled_from(IDS))),
    max_size=12,
)


@given(EDITS)
def test_no_edit_runs_anything_twice_or_against_its_order(
    tmp_path_factory: pytest.TempPathFactory, edits: Iterable[tuple[str, str, set[str]]]
) -> None:
    """Whatever is added, removed, reconnected or broken while tasks run: each starts once, after what it needs."""
    rows = {"A": "-", "B": "A"}
    run = Run(tmp_path_factory.mktemp("growth"), list(rows.items()))
    seen = 0

    def check() -> None:
        nonlocal seen
        done = {i for i, state in run.engine.store.tasks.items() if state.status is TaskStatus.COMPLETED}
        for task_id in run.started[seen:]:
            assert set(run.engine.board.task(task_id).depends_on) <= done | {task_id}, task_id
        seen = len(run.started)

    for kind, task_id, others in edits:
        if kind == "end":
            run.finish(task_id)
        elif kind == "break":
            run.edit([*rows.items(), ("Z", "nobody")])
        elif kind == "out" and len(rows) > 1:
            rows.pop(task_id, None)
            rows = {i: ", ".join(d for d in deps.split(", ") if d in rows) or "-" for i, deps in rows.items()}
            run.edit(list(rows.items()))
        elif task_id not in rows:
            rows[task_id] = ", ".join(sorted(others & rows.keys())) or "-"
            run.edit(list(rows.items()))
        check()
    run.finish(*IDS)
    run.turn(10)
    check()
    assert all(run.status(i) is TaskStatus.COMPLETED for i in rows)
    assert max(Counter(run.started).values()) == 1
    assert run.engine.board.running == set()


def test_a_plan_is_read_when_it_has_stopped_changing(tmp_path: Path) -> None:
    """A file that still grows is not read; a missing one is not a new plan."""
    path = tmp_path / "plan.md"
    path.write_text("1")
    reads: list[str] = []

    def read() -> None:
        reads.append(path.read_text())

    watch = PlanWatch(str(path), read, FakeClock())  # type: ignore[arg-type]
    for n in range(3):
        path.write_text("2" * (n + 2))
        watch.look()
    assert reads == []
    watch.look()
    assert watch._thread is not None
    watch._thread.join()
    assert reads == ["2222"]
    path.unlink()
    for _ in range(3):
        watch.look()
    assert reads == ["2222"]
    assert signature(str(path)) == ()


def killed(engine: Orchestrator) -> None:
    """The engine is gone: nothing more is written."""
    engine.store.flush()
    engine.close()


def adopting(folder: Path, *reports: Ended | Started) -> Run:
    """The next engine, which finds these attempts."""
    executor = Held()
    executor.found = list(reports)
    run = Run.__new__(Run)
    run.folder, run.executor, run.events = folder, executor, []
    run.engine, _ = make_engine(folder, executor=executor)
    run.engine.subscribe(run.events.append)
    run.engine._begin()
    return run


def test_an_adopted_task_is_judged_by_the_text_it_was_started_with(tmp_path: Path) -> None:
    """The plan was edited while no engine ran: its new outputs apply to the next attempt."""
    (tmp_path / "old.txt").write_text("x")
    extra = {"Outputs": {"A": "old.txt"}}
    engine, _ = make_engine(tmp_path, [("A", "-"), ("B", "A")], executor=Held(), extra=extra)
    engine._begin()
    engine.start_worker("A")
    killed(engine)
    write_plan(tmp_path, [("A", "-"), ("B", "A")], extra={"Outputs": {"A": "new.txt"}})
    os.utime(tmp_path / "old.txt", (1_700_000_100, 1_700_000_100))
    run = adopting(tmp_path, Ended("A@1", EndReason.EXIT, code=0))
    assert run.status("A") is TaskStatus.COMPLETED


def test_a_task_whose_row_is_gone_is_adopted_and_ends(tmp_path: Path) -> None:
    """The task is neither killed nor run twice; if its row comes back it is done."""
    rows = [("A", "-"), ("B", "-")]
    first = Run(tmp_path, rows, workers=1)
    killed(first.engine)
    write_plan(tmp_path, [("B", "-")])
    second = adopting(tmp_path, running("A@1"))
    assert second.executor.cancelled == []
    assert second.status("A") is TaskStatus.IN_PROGRESS
    assert not any("edited" in event.message for event in second.engine.store.database.events_since(0))
    second.executor.reports.append(Ended("A@1", EndReason.EXIT, code=0))
    second.turn(3)
    assert second.status("A") is None
    second.edit(rows)
    assert second.status("A") is TaskStatus.COMPLETED
    assert "A" not in second.started
