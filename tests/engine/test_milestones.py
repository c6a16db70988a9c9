"""Milestones: every mistake in the file is reported, and each milestone is due exactly once, however changes arrive."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.engine.observers.milestones import Milestone, MilestoneTracker, Trigger, TriggerType, load_milestones
from nova_core.errors import InputError, InputNotFoundError
from nova_core.model import Task
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskState, TaskStatus


class Plan(msgspec.Struct, frozen=True):
    """A cascade, as far as milestones need it."""

    tasks: dict[str, Task]


class Store:
    """The state as a store keeps it: every change is an event."""

    def __init__(self) -> None:
        self.rev = 0
        self.tasks: dict[str, TaskState] = {}

    def record(self, task: str | None, **patch: object) -> Event:
        """Apply a change and return its event."""
        self.rev += 1
        if task is not None:
            self.tasks[task] = msgspec.structs.replace(self.tasks.get(task, TaskState()), **patch)
        return Event(self.rev, "", EventKind.TASK_PROGRESS, task, patch=patch)


ROWS = [("F1", "Base", "Types"), ("F2", "Base", "Types"), ("F3", "Base", "API"), ("001", "Top", "API")]
PLAN = Plan({i: Task(i, i, branch=branch, group=group) for i, branch, group in ROWS})
FULL = """\
milestones:
  - id: base
    name: Base
    trigger:
      type: all_tasks_completed
      tasks: ["F1", F2, 001]
    message: "Base: done"
  - {id: half, trigger: {type: percentage_complete, threshold: 50%}}
  - {id: fail, trigger: {type: any_task_failed}, message: }
  - {id: branch, trigger: {type: branch_completed, branch: Base}}
  - {id: group, trigger: {type: group_completed, group: API}}
  - {id: cost, trigger: {type: cost_reached, usd: $1.50}}
"""
ALL = (
    Milestone("base", Trigger(TriggerType.ALL_TASKS_COMPLETED, ("F1", "F2", "001")), "Base", "Base: done"),
    Milestone("half", Trigger(TriggerType.PERCENTAGE_COMPLETE, threshold=50.0), "half"),
    Milestone("fail", Trigger(TriggerType.ANY_TASK_FAILED), "fail"),
    Milestone("branch", Trigger(TriggerType.BRANCH_COMPLETED, branch="Base"), "branch"),
    Milestone("group", Trigger(TriggerType.GROUP_COMPLETED, group="API"), "group"),
    Milestone("cost", Trigger(TriggerType.COST_REACHED, usd=1.5), "cost"),
)


def load(tmp_path: Path, text: str) -> tuple[Milestone, ...]:
    """The milestones of `text` as a file."""
    (tmp_path / "milestones.yaml").write_text(text)
    return load_milestones(tmp_path / "milestones.yaml", PLAN)


def test_every_trigger_is_read(tmp_path: Path) -> None:
    """All triggers are read into typed values; ids stay text; a name is the id unless given."""
    assert load(tmp_path, FULL) == ALL


def test_missing_file(tmp_path: Path) -> None:
    """No file means no milestones, unless it was asked for."""
    assert load_milestones(tmp_path / "x.yaml", PLAN) == ()
    with pytest.raises(InputNotFoundError):
        load_milestones(tmp_path / "x.yaml", PLAN, required=True)


@pytest.mark.parametrize("text", ["", "milestones:\n", "milestones: []\n"])
def test_no_milestones(tmp_path: Path, text: str) -> None:
    """An empty file or list is fine."""
    assert load(tmp_path, text) == ()


HEAD = "milestones:\n  - id: a\n    trigger:\n      "
REFUSED = [
    ("milestone: []", 1, "unknown setting", "did you mean `milestones`?"),
    ("milestones: x", 1, "must be a list", ""),
    ("milestones:\n- x", 2, "must be a mapping", ""),
    ("milestones:\n- {id: a}", 2, "`trigger` is missing", ""),
    ("milestones:\n- {trigger: {type: any_task_failed}}", 2, "`id` is missing", ""),
    ("milestones:\n- {id: a, trigger: x}", 2, "`type` is missing", "choose one of all_tasks_completed"),
    ("milestones:\n- {id: a, triger: x}", 2, "unknown setting", "did you mean `trigger`?"),
    (f"{HEAD}type: any_task_faild", 4, "unknown trigger `any_task_faild`", "did you mean `any_task_failed`?"),
    (f"{HEAD}type: [x]", 4, "unknown trigger a list", ""),
    (f"{HEAD}type: all_tasks_completed", 3, "`tasks` is missing", ""),
    (f"{HEAD}type: all_tasks_completed\n      tasks: []", 5, "must name at least one task", ""),
    (f"{HEAD}type: all_tasks_completed\n      tasks: F1", 5, "must be a list", ""),
    (
        f"{HEAD}type: all_tasks_completed\n      tasks:\n      - F1\n      - F4",
        7,
        "unknown task `F4`",
        "known: F1",
    ),
    (f"{HEAD}type: all_tasks_completed\n      tasks: [1]", 5, "unknown task `1`", ""),
    (f"{HEAD}type: percentage_complete", 3, "`threshold` is missing", ""),
    (f"{HEAD}type: percentage_complete\n      threshold: 101", 5, "must not be more than 100", ""),
    (f"{HEAD}type: percentage_complete\n      threshold: 0", 5, "must be more than 0", ""),
    (f"{HEAD}type: percentage_complete\n      threshold: half", 5, "must be a number", ""),
    (f"{HEAD}type: any_task_failed\n      tasks: [F1]", 5, "unknown setting", ""),
    (f"{HEAD}type: branch_completed\n      branch: Bse", 5, "unknown branch `Bse`", "did you mean `Base`?"),
    (f"{HEAD}type: group_completed\n      group: Base", 5, "unknown group `Base`", ""),
    (f"{HEAD}type: cost_reached\n      usd: -1", 5, "must be a number", ""),
    (f"{HEAD}type: any_task_failed\n  - id: a\n    trigger: {{type: any_task_failed}}", 5, "`a` is used twice", ""),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), REFUSED)
def test_mistakes_have_place_and_hint(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    """Every invalid milestone is rejected with its line."""
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    problem = caught.value.problems[0]
    assert (problem.line, message in problem.message) == (line, True), str(problem)
    assert problem.hint.startswith(hint)


def test_each_trigger_fires_when_it_should() -> None:
    """Milestones become due at their change, in the order of the file, once."""
    store, tracker = Store(), MilestoneTracker(ALL, PLAN)
    steps: list[tuple[str, dict[str, object], list[str]]] = [
        ("F1", {"status": TaskStatus.IN_PROGRESS, "cost_usd": 1.0}, []),
        ("F1", {"status": TaskStatus.COMPLETED}, []),
        ("F2", {"status": TaskStatus.FAILED, "cost_usd": 0.5}, ["fail", "cost"]),
        ("F2", {"status": TaskStatus.PENDING}, []),
        ("001", {"status": TaskStatus.COMPLETED}, ["half"]),
        ("F2", {"status": TaskStatus.FAILED}, []),
        ("F3", {"status": TaskStatus.COMPLETED}, ["group"]),
        ("F2", {"status": TaskStatus.COMPLETED}, ["base", "branch"]),
        ("F2", {"status": TaskStatus.PENDING}, []),
        ("F2", {"status": TaskStatus.COMPLETED}, []),
    ]
    for task, patch, expected in steps:
        tracker.see(store.record(task, **patch))
        assert [m.id for m in tracker.due(store)] == expected
        assert tracker.rev == store.rev


def test_a_resumed_run_does_not_repeat() -> None:
    """What was reported before a restart is not repeated; milestones that are due since then are reported."""
    store = Store()
    for task in PLAN.tasks:
        store.record(task, status=TaskStatus.COMPLETED)
    tracker = MilestoneTracker(ALL, PLAN, ["half", "base"], store.tasks)
    assert [m.id for m in tracker.due(store)] == ["branch", "group"]
    assert tracker.due(store) == []


def test_an_empty_plan_has_no_percentage() -> None:
    """Zero of zero tasks is not half of them."""
    assert MilestoneTracker(ALL[1:2], Plan({})).due(Store()) == []


changes = st.lists(
    st.tuples(
        st.sampled_from([*PLAN.tasks, "gone", None]), st.sampled_from(TaskStatus), st.sampled_from([None, 0.5, 1.0]),
        st.booleans(), st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@given(changes)
def test_feeding_equals_counting(steps: list[tuple[str | None, TaskStatus, float | None, bool, bool]]) -> None:
    """A tracker that sees events, one that misses some and one that sees none report the same at the same time."""
    store = Store()
    fed, gappy, blind = (MilestoneTracker(ALL, PLAN) for _ in range(3))
    for task, status, cost, seen, asked in steps:
        event = store.record(task, **({"status": status, "cost_usd": cost} if task else {}))
        fed.see(event)
        if seen:
            gappy.see(event)
        if asked:
            assert fed.due(store) == gappy.due(store) == blind.due(store)
