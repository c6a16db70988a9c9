"""Several plans in one folder: each has its own state, history, logs and lock, whatever ids they share."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engines import host, killed, make_engine, write_plan
from fakes import FakeClock, FakeExecutor, ok
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import start_nova, wait_for

from nova_core.config import Config
from nova_core.engine.startup import RunOptions
from nova_core.errors import EnvironmentProblem, RunLockedError
from nova_core.executors.base import Ended, Job
from nova_core.files.lock import engine_alive
from nova_core.files.project import Project
from nova_core.orchestrator import Orchestrator
from nova_core.places import places_in
from nova_core.state import StateManager
from nova_core.state.schema import TaskStatus

HEAD = "# P\n\n| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n"


def table(folder: Path, name: str, *rows: str) -> Path:
    """A plan: rows of `ID command`, each after the one before."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [row.partition(" ")[::2] for row in rows]
    lines = [f"| {i} | {i} | `{command or name}` | - |\n" for i, command in cells]
    path.write_text(HEAD + "".join(lines))
    return path


def run(
    folder: Path, plan: str, outcome: Callable[[Job], Ended | None] = ok, turns: int | None = None, **options: Any
) -> FakeExecutor:
    """Run a plan with fake processes, to its end or for some turns; returns what ran them."""
    fake = FakeExecutor(FakeClock(), outcome)
    engine = open_engine(folder, plan, fake, **options)
    engine.run(max_iterations=turns)
    return fake


def open_engine(folder: Path, plan: str, fake: FakeExecutor, **options: Any) -> Orchestrator:
    """An engine on a plan, with the state file of the documents."""
    files = folder / plan, folder / "cascade_state.json"
    return Orchestrator(*files, 2, config=Config(), options=RunOptions(**options), host=host(fake))


def done(folder: Path) -> dict[str, list[str]]:
    """The completed tasks of each plan that has run in the folder."""
    found = {place.plan: StateManager(own.state_file).load().tasks for own, place in places_in(folder)}
    return {plan: [i for i, t in tasks.items() if t.status is TaskStatus.COMPLETED] for plan, tasks in found.items()}


def test_finished_belongs_to_a_plan_and_not_to_an_id(tmp_path: Path) -> None:
    """Two plans with a task A: both run, one after the other, and neither runs again."""
    table(tmp_path, "one.md", "A one")
    table(tmp_path, "two.md", "A two", "B two")
    commands = [[job.shell for job in run(tmp_path, plan).jobs] for plan in ("one.md", "two.md", "one.md", "two.md")]
    assert commands == [["one"], ["two", "two"], [], []]
    assert done(tmp_path) == {"one.md": ["A"], "two.md": ["A", "B"]}


@pytest.mark.parametrize(
    ("plans", "usual"),
    [
        (("one.md", "two.md"), "one.md"),
        (("CASCADE.md", "two.md"), "CASCADE.md"),
        (("two.md", "CASCADE.md"), "CASCADE.md"),
        (("specs/001/tasks.md", "specs/002/tasks.md"), "specs/001/tasks.md"),
    ],
)
def test_the_state_file_of_the_documents_is_that_of_the_usual_plan(
    tmp_path: Path, plans: tuple[str, ...], usual: str
) -> None:
    """`cascade_state.json` is for CASCADE.md, and without that for the first plan."""
    for plan in plans:
        table(tmp_path, plan, f"A {plan}")
    for plan in plans:
        run(tmp_path, plan)
    state = StateManager(tmp_path / "cascade_state.json").load()
    assert state.project.cascade_file == usual
    assert len({own.log_dir for own, _ in places_in(tmp_path)}) == len(plans)


@pytest.mark.parametrize("names", [("./one.md", "sub/../one.md"), ("one.md", "link.md"), ("spec", "spec/tasks.md")])
def test_one_plan_has_one_place_whatever_path_leads_to_it(tmp_path: Path, names: tuple[str, str]) -> None:
    """Dots, links, and the folder of a plan beside its file."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.md").symlink_to("one.md")
    table(tmp_path, "one.md", "A x")
    table(tmp_path, "spec/tasks.md", "A x")
    assert [len(run(tmp_path, name).jobs) for name in names] == [1, 0]


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    """One line says so: nothing of the run could be stored."""
    folder = tmp_path / os.fsdecode(b"a\xff")
    folder.mkdir()
    write_plan(folder, [("A", "-")])
    with pytest.raises(EnvironmentProblem, match="is not UTF-8"):
        make_engine(folder)


def test_a_renamed_plan_keeps_its_state(tmp_path: Path) -> None:
    """The old file is gone, and most tasks are the same; a few new or edited ones run."""
    table(tmp_path, "CASCADE.md", "X x")
    table(tmp_path, "one.md", "A a", "B b", "C c")
    run(tmp_path, "one.md")
    (tmp_path / "one.md").unlink()
    table(tmp_path, "docs/plan.md", "A a", "B b", "D d")
    assert [job.shell for job in run(tmp_path, "docs/plan.md").jobs] == ["d"]
    assert list(done(tmp_path)) == ["docs/plan.md"]


@pytest.mark.parametrize("gone", [False, True])
def test_another_plan_does_not_inherit_the_state(tmp_path: Path, gone: bool) -> None:
    """Neither a copy beside the old plan, nor a plan with the same ids and other tasks after it."""
    table(tmp_path, "one.md", "A a", "B b")
    run(tmp_path, "one.md")
    if gone:
        (tmp_path / "one.md").unlink()
    table(tmp_path, "two.md", *(("A other", "B another") if gone else ("A a", "B b")))
    assert len(run(tmp_path, "two.md").jobs) == 2


def test_paths_of_logs_are_those_of_the_plan(tmp_path: Path) -> None:
    """What people and hooks are given as the path of a log is where the log is."""
    table(tmp_path, "one.md", "A one")
    table(tmp_path, "two.md", "A two")
    for plan in ("one.md", "two.md"):
        run(tmp_path, plan)
    logs = [own.logs for own, _ in places_in(tmp_path)]
    assert logs == ["logs", ".nova/plans/two/logs"]


def test_fresh_moves_only_its_own_plan_aside(tmp_path: Path) -> None:
    """`--fresh` on one plan leaves the state and the logs of the other."""
    table(tmp_path, "one.md", "A one")
    table(tmp_path, "two.md", "A two")
    run(tmp_path, "one.md")
    run(tmp_path, "two.md")
    assert [len(run(tmp_path, plan, fresh=True).jobs) for plan in ("one.md", "two.md")] == [1, 1]
    assert [len(run(tmp_path, plan).jobs) for plan in ("one.md", "two.md")] == [0, 0]


def test_state_files_of_other_names_have_places_of_their_own(tmp_path: Path) -> None:
    """A program may choose its state files: histories do not mix, and each is found again."""
    for name in ("one", "two"):
        table(tmp_path, f"{name}.md", f"A {name}", "B b")
    for jobs in (2, 0):
        for name in ("one", "two"):
            fake = FakeExecutor(FakeClock(), ok)
            files = tmp_path / f"{name}.md", tmp_path / f"{name}.json"
            Orchestrator(*files, config=Config(), host=host(fake)).run()
            assert len(fake.jobs) == jobs
    assert {place.plan: own.state_file.name for own, place in places_in(tmp_path)} == {
        "one.md": "one.json", "two.md": "two.json",
    }  # fmt: skip


def test_each_plan_has_its_own_engine_at_the_same_time(tmp_path: Path) -> None:
    """Two engines, two locks; a third one for a running plan is rejected, wherever its files are."""
    table(tmp_path, "one.md", "A one")
    table(tmp_path, "two.md", "A two")
    one = open_engine(tmp_path, "one.md", FakeExecutor(FakeClock()))
    two = open_engine(tmp_path, "two.md", FakeExecutor(FakeClock()))
    for plan in ("one.md", "two.md"):
        with pytest.raises(RunLockedError, match="another nova engine runs this plan"):
            open_engine(tmp_path, plan, FakeExecutor(FakeClock()))
    assert [engine.run().completed for engine in (one, two)] == [1, 1]


@pytest.mark.parametrize("deleted", [".nova/run.lock", ".nova", "everything"])
def test_no_deletion_lets_a_second_engine_in(tmp_path: Path, deleted: str) -> None:
    """`git clean -fdx`, or only the lock: the lock of the folder itself stays, and a viewer still sees the engine."""
    table(tmp_path, "one.md", "A one")
    engine = open_engine(tmp_path, "one.md", FakeExecutor(FakeClock()))
    for path in [".nova", "logs", "cascade_state.json"] if deleted == "everything" else [deleted]:
        target = tmp_path / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    assert engine_alive(Project(tmp_path).lock_file) is not None
    with pytest.raises(RunLockedError):
        open_engine(tmp_path, "one.md", FakeExecutor(FakeClock()))
    assert engine.run().completed == 1
    assert run(tmp_path, "one.md").jobs == []


# any plans, in turns, at once, killed and resumed


CHECKLISTS = st.lists(st.integers(1, 5), min_size=2, max_size=3)
STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=12)


def checklist(folder: Path, number: int, tasks: int) -> Path:
    """A spec-kit feature: every one starts at T001."""
    path = folder / f"specs/{number:03}" / "tasks.md"
    path.parent.mkdir(parents=True)
    path.write_text(
        "# Tasks\n\n## Phase 1\n\n" + "".join(f"- [ ] T{n:03} Do {n} of {number}\n" for n in range(1, tasks + 1))
    )
    return path


class Feature:
    """A checklist, the engine that runs it now, if any, and what its tasks have run."""

    def __init__(self, folder: Path, number: int, tasks: int) -> None:
        self.folder, self.number, self.tasks = folder, number, tasks
        self.path = checklist(folder, number, tasks)
        self.engine: Orchestrator | None = None
        self.fake = FakeExecutor(FakeClock())
        self.ran: list[str] = []

    def open(self) -> Orchestrator:
        """The engine, which finds what the one before left at work."""
        if self.engine is None:
            left, self.fake = self.fake.running.values(), FakeExecutor(FakeClock(), self.outcome)
            self.fake.found = [ok(job) for job in left]
            config = Config(command=f"work {self.number} $NOVA_TASK_ID", tick=True)
            files = self.path, self.folder / "cascade_state.json"
            self.engine = Orchestrator(*files, 2, config=config, host=host(self.fake))
        return self.engine

    def outcome(self, job: Job) -> Ended | None:
        return ok(job)

    def kill(self) -> None:
        """The engine dies; what it had started continues."""
        if self.engine is not None:
            self.ran += [job.key for job in self.fake.jobs]
            assert {job.shell for job in self.fake.jobs} <= {f"work {self.number} $NOVA_TASK_ID"}
            killed(self.engine)
            self.engine = None

    def step(self, turns: int) -> None:
        """Some turns of its engine; with none, the engine is killed."""
        engine = self.open()
        for task_id in engine.get_ready_tasks()[: turns % 2]:
            engine.start_worker(task_id)
        for _ in range(turns):
            engine.monitor_workers()
        if not turns:
            self.kill()

    def end(self) -> None:
        """Run it to its end."""
        engine = self.open()
        result = engine.run()
        self.ran += [job.key for job in self.fake.jobs]
        self.engine = None
        assert result.exit_code == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHECKLISTS, STEPS)
def test_plans_with_equal_ids_never_touch_each_other(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], steps: list[tuple[int, int]]
) -> None:
    """Two or three plans, in turns and at once, killed and resumed: every task of every plan once, its box ticked."""
    folder = tmp_path_factory.mktemp("plans")
    features = [Feature(folder, number, tasks) for number, tasks in enumerate(sizes)]
    for number, turns in steps:
        features[number % len(features)].step(turns)
    for feature in features:
        ticked = len(re.findall(r"\[[xX]\]", feature.path.read_text()))
        completed = [i for i in done(folder).get(f"specs/{feature.number:03}/tasks.md", []) if i.startswith("T")]
        assert ticked <= max(len(completed), len(feature.fake.jobs) + len(feature.ran)), "only what this plan did"
    for feature in features:
        feature.end()
        assert sorted(feature.ran) == [f"T{n:03}@1" for n in range(1, feature.tasks + 1)], "every task once"
        assert len(re.findall(r"\[[xX]\]", feature.path.read_text())) == feature.tasks
        unstarted = (f.path.read_text() for f in features if not f.ran and f.engine is None)
        assert "[x]" not in "".join(unstarted), "no box of another plan"
    assert sorted(map(len, done(folder).values())) == sorted(sizes)


@pytest.mark.parametrize("kill_after", [1, 4])
def test_plans_at_once_with_real_engines(tmp_path: Path, kill_after: int) -> None:
    """Two engines at once, one killed with its workers at work, then both to their ends: every task once."""
    plans = ("one.md", "two.md")
    for plan in plans:
        rows = (
            f"| T{n} | T{n} | `echo {plan}.T{n} >> ran; sleep 0.1` | {f'T{n - 1}' if n else '-'} |" for n in range(5)
        )
        (tmp_path / plan).write_text(HEAD + "\n".join(rows) + "\n")
    engines = [start_nova(tmp_path, "run", "--no-ui", plan) for plan in plans]
    ran = tmp_path / "ran"
    wait_for(lambda: ran.exists() and len(ran.read_text().splitlines()) >= kill_after, "tasks run")
    engines[0].kill()
    engines[0].wait()
    assert start_nova(tmp_path, "run", "--no-ui", "one.md").wait(60) == 0
    assert engines[1].wait(60) == 0
    assert sorted(ran.read_text().split()) == sorted(f"{plan}.T{n}" for plan in plans for n in range(5))
    assert [len(ids) for ids in done(tmp_path).values()] == [5, 5]


def test_no_box_of_a_task_with_another_text_is_ticked(tmp_path: Path) -> None:
    """Another checklist takes the place of one that is done: its open boxes stay open, though the ids are the same."""
    first = Feature(tmp_path, 1, 2)
    first.end()
    assert first.path.read_text().count("[x]") == 2
    first.path.write_text("# Tasks\n\n## Phase 1\n\n- [ ] T001 Do 1 of 1\n- [ ] T002 Something else\n")
    first.end()
    assert re.findall(r"\[(.)\] (\w+)", first.path.read_text()) == [("x", "T001"), (" ", "T002")]
