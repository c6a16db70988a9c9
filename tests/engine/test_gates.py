"""Tasks without work, tasks that the plan marks done, and tasks whose inputs are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cli_process import nova
from engines import host
from fakes import FakeClock, FakeExecutor, ok

from nova_core.command import Command, CommandKind
from nova_core.config import Config
from nova_core.console.live import counts_line
from nova_core.engine.observers.milestones import Milestone, MilestoneTracker, Trigger, TriggerType
from nova_core.engine.startup import RunOptions
from nova_core.executors.base import Ended, EndReason, Job
from nova_core.exports.junit import junit_xml
from nova_core.exports.summary_json import summary_of
from nova_core.files.project import Project
from nova_core.importers.build import build
from nova_core.importers.draft import Draft, Item, ItemState
from nova_core.model import Task
from nova_core.orchestrator import Orchestrator
from nova_core.parser import parse_text
from nova_core.parser.cascade import Cascade
from nova_core.plan.check import summarize
from nova_core.plan.scheduler import weights
from nova_core.plan.selection import Selection
from nova_core.runs.history import load_runs
from nova_core.runs.rollup import told
from nova_core.state.schema import TaskState, TaskStatus


def plan(*tasks: Task) -> Cascade:
    """A cascade of these tasks."""
    from nova_core.dag import DAG
    from nova_core.parser.cascade import branches_of

    known = {task.id: task for task in tasks}
    branches = branches_of(task for task in tasks if not task.gate)
    return Cascade("Plan", "CASCADE.md", known, DAG({i: t.depends_on for i, t in known.items()}), (), branches)


def task(task_id: str, *depends_on: str, **fields: Any) -> Task:
    """A task with a command."""
    return Task(task_id, task_id, depends_on=depends_on, group="G", branch="B", command="true", **fields)


def gate(task_id: str, *depends_on: str, **fields: Any) -> Task:
    """A task without work."""
    return Task(task_id, task_id, depends_on=depends_on, group="G", branch="B", gate=True, **fields)


class Run:
    """An engine on a made-up plan, over a fake executor."""

    def __init__(self, folder: Path, cascade: Cascade, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        monkeypatch.setattr("nova_core.engine.run.read_plan", lambda *_: cascade)
        self.executor = FakeExecutor(FakeClock(), options.pop("outcome", None))
        self.engine = Orchestrator(
            folder / "CASCADE.md", folder / "cascade_state.json", 2, config=options.pop("config", Config()),
            options=RunOptions(**options), host=host(self.executor),
        )  # fmt: skip

    @property
    def started(self) -> list[str]:
        return [job.key.partition("@")[0] for job in self.executor.jobs]

    def state(self, task_id: str) -> TaskState:
        return self.engine.store.tasks[task_id]


def test_a_gate_is_passed_when_all_before_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate starts nothing, counts as no task, and releases the tasks that wait for it."""
    cascade = plan(task("A"), task("B"), gate("AB", "A", "B"), gate("AB2", "AB"), task("C", "AB2"), task("D", "AB"))
    run = Run(tmp_path, cascade, monkeypatch)
    result = run.engine.run()
    assert (result.exit_code, result.total, result.completed) == (0, 4, 4)
    assert run.started[:2] == ["A", "B"]
    assert sorted(run.started[2:]) == ["C", "D"]
    assert run.state("AB").status is TaskStatus.COMPLETED


@pytest.mark.parametrize("asked", [(), ("a.txt",)], ids=["opens", "fails"])
def test_a_gate_is_reported_only_if_it_failed(
    asked: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line of a live run, JUnit and `summary.json` count as many tasks as the result."""
    cascade = plan(task("A"), gate("G", "A", outputs=asked), task("B", "G"))
    run = Run(tmp_path, cascade, monkeypatch)
    result = run.engine.run()
    assert result.total == (3 if asked else 2)
    snapshot = run.engine.snapshot()
    assert [task.id for task in summary_of(snapshot, result).tasks] == (["A", "G", "B"] if asked else ["A", "B"])
    assert f'tests="{result.total}"' in junit_xml(cascade, snapshot.state.tasks, lambda task_id: [])
    tasks = told(cascade.tasks, snapshot.state.tasks).values()
    line = counts_line(snapshot, tasks, None)
    assert f"{result.completed}/{result.total} done" in line


GATED = (
    "# M\n\n## Build\n\n### Dough\n\n| Task ID | Task Name | Command | Depends On | Gate |\n|---|---|---|---|---|\n"
    "| A1 | a | `true` | - | |\n| G | gg | | A1 | yes |\n| A2 | b | `true` | G | |\n"
    "\n### Other\n\n| Task ID | Task Name | Command | Depends On | Gate |\n|---|---|---|---|---|\n"
    "| B1 | c | `true` | A2 | |\n| H | hh | | B1 | yes |\n"
)


def test_a_gate_of_a_table_counts_as_no_task() -> None:
    """A gate is missing from the shape of the plan, from the tasks of its branch and group, and from the remaining
    work."""
    cascade = parse_text(GATED, "CASCADE.md")
    assert cascade.branches == {"Build": {"Dough": ("A1", "A2"), "Other": ("B1",)}}
    found = summarize(cascade)
    assert (found.tasks, found.depth, found.roots) == (3, 3, 1)
    assert sum(weights(cascade.dag, cascade.tasks, {"A1": 6.0, "G": 5.0})) == pytest.approx(18, abs=1e-3)


class Reached(NamedTuple):
    """A store, as far as milestones read it."""

    tasks: dict[str, TaskState]
    rev: int = 1


@pytest.mark.parametrize(
    "trigger", [{"group": "Dough"}, {"group": "Other"}, {"branch": "Build"}, {"tasks": ("H",)}, {"threshold": 100.0}]
)
def test_milestones_do_not_wait_for_gates(trigger: dict[str, Any]) -> None:
    """A group, a branch and the whole plan are completed with their tasks, whatever their gates."""
    cascade = parse_text(GATED, "CASCADE.md")
    kinds = {"group": TriggerType.GROUP_COMPLETED, "branch": TriggerType.BRANCH_COMPLETED,
             "tasks": TriggerType.ALL_TASKS_COMPLETED, "threshold": TriggerType.PERCENTAGE_COMPLETE}  # fmt: skip
    (name,) = trigger
    milestone = Milestone("m", Trigger(kinds[name], **trigger))
    done = TaskState(TaskStatus.COMPLETED)
    needed = ("H",) if name == "tasks" else tuple(i for group in cascade.branches["Build"].values() for i in group)
    for number in range(len(needed) + 1):
        tasks = {i: done if i in needed[:number] else TaskState() for i in cascade.tasks}
        tracker = MilestoneTracker([milestone], cascade, (), tasks)
        members = needed if name in ("tasks", "threshold", "branch") else cascade.branches["Build"][trigger["group"]]
        assert bool(tracker.due(Reached(tasks))) == set(members).issubset(needed[:number])


def test_hooks_and_history_count_no_gates(tmp_path: Path) -> None:
    """A failure blocks tasks; a run has done tasks."""
    (tmp_path / "CASCADE.md").write_text(GATED.replace("| A2 | b | `true`", "| A2 | b | `false`"))
    (tmp_path / "nova.yaml").write_text('hooks: {blocked: ["sh", "-c", "echo $NOVA_BLOCKED_COUNT >> counts"]}\n')
    done = nova("run", "--no-ui", cwd=tmp_path)
    assert "A2 failed: exit code 1; blocks 1 task" in done.stdout
    assert (tmp_path / "counts").read_text().split() == ["1"]
    (run,) = load_runs(Project(tmp_path))
    assert (run.summary.done, run.summary.failed) == (1, 1)
    assert nova("status", cwd=tmp_path).stdout.startswith("M: 1/3 done, 1 failed, 1 blocked")


def test_gates_of_phases_are_not_a_change_of_the_plan(tmp_path: Path) -> None:
    """The gates come from the settings, which `nova plan` reads as the run did."""
    (tmp_path / "CASCADE.md").write_text(GATED)
    (tmp_path / "nova.yaml").write_text("phases: {Build: {gate: true}}\n")
    nova("run", "--no-ui", cwd=tmp_path)
    told = nova("plan", cwd=tmp_path)
    assert (told.returncode, "changed" in told.stdout + told.stderr) == (0, False)


def test_a_gate_outside_of_the_selection_is_passed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate is not work, and the selected task waits for it."""
    cascade = plan(task("A"), gate("G", "A"), task("B", "G"))
    Run(tmp_path, cascade, monkeypatch, selection=Selection(only=("A",))).engine.run()
    run = Run(tmp_path, cascade, monkeypatch, selection=Selection(only=("B",)))
    assert run.engine.run().exit_code == 0
    assert run.started == ["B"]


def test_a_gate_is_shut_again_with_what_is_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks behind the gate wait for the second run of the task before it, too."""
    cascade = plan(task("A"), gate("G", "A"), task("B", "G"), task("C", "B"))
    Run(tmp_path, cascade, monkeypatch, selection=Selection(only=("A",))).engine.run()
    run = Run(tmp_path, cascade, monkeypatch)
    run.engine.apply(Command(CommandKind.RETRY, ("A",)))
    run.engine.board.rebuild()
    assert run.engine.get_ready_tasks() == ["A"]
    run.engine.run()
    assert run.started == ["A", "B", "C"]


def test_a_gate_fails_without_the_outputs_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate names each missing output, and blocks the tasks behind it until it is retried."""
    cascade = plan(task("A"), gate("G", "A", outputs=("a.txt", "b/*.txt")), task("B", "G"))
    run = Run(tmp_path, cascade, monkeypatch)
    assert run.engine.run().exit_code == 1
    assert run.state("G").error == "missing outputs: a.txt, b/*.txt"
    assert run.state("B").blocked_by == ("G",)
    (tmp_path / "b").mkdir()
    for name in ("a.txt", "b/1.txt"):
        (tmp_path / name).write_text("x")
    again = Run(tmp_path, cascade, monkeypatch)
    again.engine.apply(Command(CommandKind.RETRY, ("G",)))
    assert again.engine.run().exit_code == 0
    assert again.started == ["B"]


def test_a_task_marked_done_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task marked done releases its dependents; a task that will not be done is shown as skipped."""
    cascade = plan(task("A", settled="x"), task("B", settled="cancelled", dropped=True), task("C", "A", "B"))
    run = Run(tmp_path, cascade, monkeypatch)
    assert run.engine.run().exit_code == 0
    assert run.started == ["C"]
    assert [run.state(i).skipped for i in "ABC"] == [False, True, False]


def test_a_task_that_was_ticked_by_hand_between_two_runs_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box is a person's word; unticking it again undoes nothing."""
    Run(tmp_path, plan(task("A"), task("B", "A")), monkeypatch).engine.run(max_iterations=0)
    run = Run(tmp_path, plan(task("A", settled="x"), task("B", "A")), monkeypatch)
    assert run.state("A").status is TaskStatus.COMPLETED
    run.engine.run()
    assert run.started == ["B"]
    unticked = Run(tmp_path, plan(task("A"), task("B", "A")), monkeypatch)
    assert unticked.engine.run().exit_code == 0
    assert unticked.started == []


def test_a_done_task_runs_when_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a later run: the plan's mark counts once."""
    cascade = plan(task("A", settled="x"))
    first = Run(tmp_path, cascade, monkeypatch)
    first.engine.apply(Command(CommandKind.RETRY, ("A",)))
    first.engine.store.flush()
    first.engine.close()
    run = Run(tmp_path, cascade, monkeypatch)
    run.engine.run()
    assert run.started == ["A"]


def test_a_task_without_its_dependency_never_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the plan runs; the run ends and says what is missing."""
    cascade = plan(task("A"), task("B", "A", missing=("design doc",)), task("C", "B"), task("D", "A"))
    run = Run(tmp_path, cascade, monkeypatch)
    result = run.engine.run()
    assert (result.exit_code, result.completed, result.blocked) == (4, 2, 1)
    assert run.started == ["A", "D"]
    assert run.state("B").missing == ("dependency design doc",)


def test_a_task_waits_for_its_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task starts as soon as another task has written its inputs, without a dependency between the two."""

    def makes(job: Job) -> Ended:
        if job.key.startswith("B"):
            (tmp_path / "data").mkdir(exist_ok=True)
            (tmp_path / "data" / "x.csv").write_text("1")
        return ok(job)

    cascade = plan(task("A", inputs=("data/*.csv",)), task("B"), task("C", "A", inputs=("never.txt",)))
    run = Run(tmp_path, cascade, monkeypatch, outcome=makes)
    result = run.engine.run()
    assert run.started == ["B", "A"]
    assert (result.exit_code, result.completed) == (4, 2)
    assert run.state("A").missing == ()
    assert run.state("C").missing == ("input never.txt",)


def test_a_task_marked_done_while_it_runs_is_done_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However its own attempt ends, the next start uses the plan's mark."""
    first = Run(tmp_path, plan(task("A"), task("B", "A")), monkeypatch, outcome=lambda job: None)
    first.engine._begin()
    first.engine.start_worker("A")
    first.engine.store.flush()
    first.engine.close()
    ticked = plan(task("A", settled="x"), task("B", "A"))
    second = Run(tmp_path, ticked, monkeypatch)
    second.executor.found = [Ended("A@1", EndReason.EXIT, code=1)]
    second.engine.run()
    third = Run(tmp_path, ticked, monkeypatch)
    assert third.engine.run().exit_code == 0
    assert third.started == ["B"]


def items(*rows: tuple[str, str, list[str]]) -> list[Item]:
    """Items of (key, parent, needs)."""
    return [Item(key, f"Do {key}", n, parent=parent, needs=needs) for n, (key, parent, needs) in enumerate(rows, 1)]


def edges(draft: Draft) -> dict[str, list[str]]:
    """What each task of the draft's plan depends on."""
    return {i: list(t.depends_on) for i, t in build(draft).tasks.items()}


CONTAINERS = [
    ("leaves inherit", [("E", "", ["x"]), ("a", "E", []), ("x", "", [])], {"a": ["x"], "x": []}),
    ("waiting for a container", [("E", "", []), ("a", "E", []), ("b", "E", []), ("c", "", ["E"])],
     {"a": [], "b": [], "c": ["a", "b"]}),
    ("a container waits for a container", [("E", "", []), ("a", "E", []), ("F", "", ["E"]), ("b", "F", [])],
     {"a": [], "b": ["a"]}),
    ("nested", [("E", "", ["x"]), ("F", "E", ["y"]), ("a", "F", []), ("x", "", []), ("y", "", []), ("z", "", ["E"])],
     {"a": ["x", "y"], "x": [], "y": [], "z": ["a"]}),
    ("a part waits for its whole", [("E", "", []), ("a", "E", ["E"]), ("b", "E", ["a"])], {"a": [], "b": ["a"]}),
    ("a whole waits for its part", [("E", "", ["a"]), ("a", "E", []), ("b", "E", [])], {"a": [], "b": []}),
    ("an unknown parent", [("a", "gone", [])], {"a": []}),
    ("parents in a ring", [("P", "Q", []), ("Q", "P", []), ("a", "P", [])], {"a": []}),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "expected"), [c[1:] for c in CONTAINERS], ids=[c[0] for c in CONTAINERS])
def test_containers_are_taken_apart(rows: list[tuple[str, str, list[str]]], expected: dict[str, list[str]]) -> None:
    """A task that waits for a container waits for its contents; these wait for whatever the container waits for."""
    assert edges(Draft("D", "d", "test", items(*rows))) == expected


def test_a_task_that_will_not_be_done_passes_on_its_dependencies() -> None:
    """Otherwise an optional task in a row of tasks would let the next one start too soon."""
    rows = items(("a", "", []), ("b", "", ["a"]), ("c", "", ["b"]), ("d", "", ["c"]), ("e", "", ["d"]))
    for item in rows[1:3]:
        item.state = ItemState.DROPPED
    assert edges(Draft("D", "d", "test", rows)) == {
        "a": [], "b": ["a"], "c": ["b", "a"], "d": ["c", "a"], "e": ["d"],
    }  # fmt: skip


def test_an_empty_container_passes_on_its_dependencies() -> None:
    """The container becomes a gate; one that no task waits for becomes nothing."""
    rows = items(("x", "", []), ("E", "", ["x"]), ("c", "", ["E"]), ("F", "", []))
    rows[1].container = rows[3].container = True
    cascade = build(Draft("D", "d", "test", rows))
    assert {i: (list(t.depends_on), t.gate) for i, t in cascade.tasks.items()} == {
        "x": ([], False), "E": (["x"], True), "c": (["E"], False),
    }  # fmt: skip


def test_many_that_wait_for_many_have_a_gate_between_them() -> None:
    """The number of edges grows with the tasks, not with their square."""
    first, second = [f"a{n}" for n in range(3000)], [f"b{n}" for n in range(3000)]
    rows = items(*((i, "", []) for i in first), *((i, "", ["Phase 1"]) for i in second))
    cascade = build(Draft("D", "d", "test", rows, {"Phase 1": first}))
    gates = [t for t in cascade.tasks.values() if t.gate]
    assert [(g.id, g.name, len(g.depends_on)) for g in gates] == [("Phase-1-done", "Done: Phase 1", 3000)]
    assert cascade.tasks["b7"].depends_on == ("Phase-1-done",)
    assert sum(map(len, cascade.branches[""].values())) == 6000


def test_what_is_written_in_a_draft_becomes_a_task() -> None:
    """Ids that cannot be file names are changed, with a note; a box belongs to the tasks that are still open."""
    rows = [
        Item("E", "Epic", 1, box=1),
        Item("tag:1", "One", 2, parent="E", box=2, state=ItemState.DONE, word="X"),
        Item("tag-1", "Two", 3, parent="E", box=3, missing=["y"]),
        Item("other", "Three", 4, box=4, state=ItemState.DROPPED),
    ]
    cascade = build(Draft("D", "d.md", "test", rows))
    assert [(t.id, t.settled, t.dropped, t.missing) for t in cascade.tasks.values()] == [
        ("tag-1", "X", False, ()), ("tag-1-2", "", False, ("y",)), ("other", "dropped", True, ()),
    ]  # fmt: skip
    assert [str(n) for n in cascade.notes] == [
        "d.md:2: guessed: tag:1 is called tag-1 here", "d.md:3: guessed: tag-1 is called tag-1-2 here",
    ]  # fmt: skip
    assert [(m.line, m.ids) for m in cascade.marks] == [(1, ("tag-1-2",)), (3, ("tag-1-2",))]
