"""Whatever a file of another tool contains, it becomes a plan or one error with its place, in linear time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_core.errors import InputError, Problem
from nova_core.importers import beads, ralph, taskmaster
from nova_core.importers.build import build
from nova_core.importers.draft import Draft
from nova_core.importers.formats import read_plan
from nova_core.model import PlanOptions, Task, is_safe_id

READERS = {"taskmaster": taskmaster, "beads": beads, "ralph": ralph}

_small = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 5), st.floats(),
    st.sampled_from(["1", "2", "1.1", "1.2", "a", "done", "", "\0", "é|`"])
)  # fmt: skip
_keys = st.sampled_from(
    ["id", "title", "status", "dependencies", "subtasks", "description", "details", "testStrategy", "priority",
     "issue_id", "depends_on_id", "type", "issue_type", "estimated_minutes", "acceptanceCriteria", "passes", "notes",
     "metadata", "acceptance_criteria", "complexity"]
)  # fmt: skip
_values = st.recursive(
    _small, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=6), max_leaves=25
)
_tasks = st.lists(st.dictionaries(_keys, _values, max_size=8) | _values, max_size=6)
_texts = st.one_of(
    st.text(max_size=60),
    _values.map(json.dumps),
    _tasks.map(lambda tasks: json.dumps({"master": {"tasks": tasks}})),
    _tasks.map(lambda tasks: json.dumps({"userStories": tasks})),
    _tasks.map(lambda tasks: "\n".join(map(json.dumps, tasks))),
)


@pytest.mark.parametrize("name", READERS)
@given(text=_texts)
def test_anything_is_read_or_rejected(name: str, text: str) -> None:
    """Wrong types anywhere give a draft whose plan is consistent, or a user error; nothing else."""
    problems: tuple[Problem, ...] = ()
    draft = Draft("", "", "")
    tasks: dict[str, Task] = {}
    try:
        READERS[name].suits("x.json", text)
        draft = READERS[name].read("x.json", text, PlanOptions())
        tasks = build(draft).tasks
    except InputError as error:
        problems = error.problems
    assert bool(tasks) is not bool(problems)
    assert all(problem.path == "x.json" for problem in problems)
    assert all(map(is_safe_id, tasks))
    assert len({item.key for item in draft.items}) == len(draft.items)


@pytest.mark.parametrize("name", ["tasks.json", "issues.jsonl", "prd.json"])
@given(data=st.binary(max_size=80))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes) -> None:
    """Bytes that are not text are rejected like any other invalid plan."""
    path: Path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    said = ""
    try:
        assert read_plan(path).tasks
    except InputError as error:
        said = str(error)
    assert not said or str(path) in said


_lines = st.sampled_from(
    ["id: BACK-1", "id: task-1.1", "title: A", "status: Done", "dependencies: [task-1, x, '']", "parent_task_id: 1",
     "- x", "dependencies:", "  - back-2", "a: [",
     "<!-- AC:BEGIN -->", "<!-- AC:END -->", "---", "## Acceptance Criteria",
     "- [ ] #1 `x y`", "```", ""]
)  # fmt: skip


@given(st.lists(_lines, max_size=12), st.integers(1, 3))
def test_any_file_of_a_folder(tmp_path_factory: pytest.TempPathFactory, lines: list[str], number: int) -> None:
    """Folders with files in any state give a plan, or errors that name the files."""
    top = tmp_path_factory.getbasetemp() / "backlog"
    (top / "tasks").mkdir(parents=True, exist_ok=True)
    (top / "config.yml").write_text("statuses: [Done]")
    (top / "tasks" / f"task-{number} - x.md").write_text("\n".join(["---", *lines]))
    said = ""
    try:
        assert read_plan(top).tasks
    except InputError as error:
        said = str(error)
    assert not said or str(top) in said


def _taskmaster(count: int) -> str:
    tasks = [
        {"id": i, "title": f"T{i}", "status": "pending", "dependencies": [i - 1] if i > 1 else [], "description": "d",
         "subtasks": [{"id": 1, "title": "s", "dependencies": []}]}
        for i in range(1, count)
    ]  # fmt: skip
    return json.dumps({"master": {"tasks": tasks}}, indent=1)


def _beads(count: int) -> str:
    def line(i: int) -> dict[str, Any]:
        links = [{"issue_id": f"b-{i}", "depends_on_id": f"b-{i - 1}", "type": "blocks"}] if i else []
        return {"id": f"b-{i}", "title": "t", "status": "open", "issue_type": "task", "dependencies": links}

    return "\n".join(json.dumps(line(i)) for i in range(count))


def _ralph(count: int) -> str:
    stories = [{"id": "US", "title": f"S{i}", "priority": i, "acceptanceCriteria": ["a"]} for i in range(count)]
    return json.dumps({"userStories": stories}, indent=1)


@pytest.mark.parametrize(
    ("reader", "text"), [(taskmaster.read, _taskmaster), (beads.read, _beads), (ralph.read, _ralph)]
)
def test_linear_time(reader: Callable[[str, str, PlanOptions], Draft], text: Callable[[int], str]) -> None:
    """Eight times the tasks take far less than sixty-four times the time, even if all have the same id."""

    def seconds(count: int) -> float:
        content = text(count)
        best = 9.0
        for _ in range(3):
            start = time.process_time()
            build(reader("x", content, PlanOptions()))
            best = min(best, time.process_time() - start)
        return best

    assert seconds(1000) < 30 * max(seconds(125), 0.002)
