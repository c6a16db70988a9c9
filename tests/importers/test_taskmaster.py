"""tasks.json of Taskmaster: tags, subtasks, ids and dependencies of every type that occurs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nova_core.errors import InputError
from nova_core.importers import read_plan, taskmaster
from nova_core.importers.build import build
from nova_core.importers.draft import Draft, ItemState
from nova_core.model import NoteKind, PlanOptions


def draft_of(data: Any, options: PlanOptions | None = None, path: str = "p/tasks.json") -> Draft:
    """The draft of this data."""
    text = data if isinstance(data, str) else json.dumps(data)
    return taskmaster.read(path, text, options or PlanOptions())


def task(number: object, *needs: object, **fields: Any) -> dict[str, Any]:
    return {"id": number, "title": f"Task {number}", "dependencies": list(needs), "status": "pending", **fields}


def tagged(*tasks: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"master": {"tasks": list(tasks), "metadata": {}}, **others}


def notes(draft: Draft) -> list[tuple[str, int, str]]:
    return [(note.kind.value, note.line, note.text) for note in draft.notes]


@pytest.mark.parametrize("data", [tagged(task(1), task(2, 1)), {"tasks": [task(1), task(2, 1)]}])
def test_tagged_and_flat(data: dict[str, Any]) -> None:
    """Both forms of the file give the same tasks."""
    draft = draft_of(data)
    assert [(item.key, item.title, item.needs) for item in draft.items] == [("1", "Task 1", []), ("2", "Task 2", ["1"])]
    assert draft.items[0].branch == "master"
    assert draft.notes == []


@pytest.mark.parametrize(
    ("current", "tag", "expected", "kind"),
    [
        ("b", "", "b", "resolved"),
        ("gone", "", "master", "guessed"),
        (None, "", "master", "guessed"),
        ("b", "c", "c", None),
    ],
)
def test_which_tag(tmp_path: Path, current: str | None, tag: str, expected: str, kind: str | None) -> None:
    """One tag is read: the requested one, else the current one of Taskmaster, else master; the others are listed."""
    plan = tmp_path / ".taskmaster" / "tasks" / "tasks.json"
    plan.parent.mkdir(parents=True)
    plan.write_text(json.dumps({name: {"tasks": [task(name)]} for name in ("b", "master", "c")}))
    if current:
        (plan.parent.parent / "state.json").write_text(json.dumps({"currentTag": current}))
    cascade = read_plan(plan, PlanOptions(tag=tag))
    assert list(cascade.tasks) == [expected]
    assert cascade.name == tmp_path.name
    assert [note.kind.value for note in cascade.notes] == ([kind] if kind else [])
    assert kind is None or "b, master, c" in cascade.notes[0].text


def test_a_tag_that_is_not_there() -> None:
    """The error lists the existing tags; without master the first one is read, with a note."""
    data = {"x": {"tasks": [task(1)]}, "y": {"tasks": [task(2)]}}
    with pytest.raises(InputError, match="unknown tag 'z'") as raised:
        draft_of(data, PlanOptions(tag="z"))
    assert "x, y" in raised.value.hint
    assert [(item.key, item.branch) for item in draft_of(data).items] == [("1", "x")]
    assert notes(draft_of(data))[0][0] == "guessed"


@pytest.mark.parametrize(
    ("parent", "sub", "need", "expected"),
    [
        (5, {"id": 1}, 2, ("5.1", "5.2")),
        ("5", {"id": "1"}, "2", ("5.1", "5.2")),
        (5, {"id": "5.1"}, "5.2", ("5.1", "5.2")),
        (5, {"id": 1}, "5.2", ("5.1", "5.2")),
        (5, {"id": "5-1"}, "2", ("5-1", "5.2")),
        (5, {"id": 1}, {"id": 2}, ("5.1", "5.2")),
        (5, {"id": 1}, "4.1", ("5.1", "4.1")),
        (5, {"id": 1}, 4, ("5.1", "4.1")),
    ],
)
def test_ids_of_subtasks(parent: object, sub: dict[str, Any], need: object, expected: tuple[str, str]) -> None:
    """Subtasks are `5.1`, however the file writes them; a bare number means a sibling first, then a task."""
    data = tagged(
        task(4, subtasks=[{"id": 1, "title": "a"}]),
        task(parent, subtasks=[{**sub, "title": "x", "dependencies": [need]}, {"id": 2, "title": "y"}]),
    )
    cascade = build(draft_of(data))
    key, needed = expected
    assert cascade.tasks[key].depends_on == (needed,)
    assert not cascade.tasks[key].missing


def test_decimals_are_not_numbers() -> None:
    """The subtask 31.10 is not 31.1: numbers with a point are read as they are written."""
    subtasks = '[{"id":31.1,"title":"a"},{"id":31.10,"title":"b"}]'
    text = f'{{"tasks":[{{"id":31,"title":"t","subtasks":{subtasks}}},{{"id":1.50,"title":"c"}}]}}'
    assert [item.key for item in draft_of(text).items] == ["31", "31.1", "31.10", "1.50"]


def test_containers() -> None:
    """A task with subtasks does no work: they wait for its dependencies, and its dependents wait for them."""
    data = tagged(
        task(1),
        task(2, 1, subtasks=[{"id": 1, "title": "a"}, {"id": 2, "title": "b", "dependencies": [1]}]),
        task(3, 2),
    )
    cascade = build(draft_of(data))
    assert {i: t.depends_on for i, t in cascade.tasks.items()} == {
        "1": (), "2.1": ("1",), "2.2": ("1", "2.1"), "3": ("2.1", "2.2"),
    }  # fmt: skip
    assert cascade.tasks["2.1"].group == "Task 2"


def test_a_subtask_knows_the_whole() -> None:
    """Each subtask gets the text of its container, shortened, so that no text is lost."""
    data = tagged(
        task(
            1, description="Why.", details="How." + "x" * 9000, testStrategy="Look.", subtasks=[{"id": 1, "title": "a"}]
        )
    )
    details = draft_of(data).items[1].details
    assert all(word in details for word in ("Part of 1: Task 1", "Why.", "How."))
    assert len(details) < 3000


@pytest.mark.parametrize(
    ("status", "state", "noted"),
    [
        ("done", ItemState.DONE, False), ("completed", ItemState.DONE, False), ("Done", ItemState.DONE, False),
        ("cancelled", ItemState.DROPPED, False), ("deferred", ItemState.DROPPED, True),
        ("pending", ItemState.OPEN, False), ("in-progress", ItemState.OPEN, False), ("", ItemState.OPEN, False),
        ("blocked", ItemState.OPEN, True), ("review", ItemState.OPEN, True), ("wat", ItemState.OPEN, True),
    ],
)  # fmt: skip
def test_states(status: str, state: ItemState, noted: bool) -> None:
    """Done and cancelled settle a task, deferred postpones it, everything else is open; an interpretation gets a
    note."""
    draft = draft_of(tagged(task(1, status=status)))
    assert (draft.items[0].state, draft.items[0].word) == (state, status)
    assert bool(draft.notes) is noted


@pytest.mark.parametrize(
    ("parent", "sub", "state", "noted"),
    [
        ("done", None, ItemState.DONE, False),
        ("pending", None, ItemState.OPEN, False),
        ("done", "pending", ItemState.DONE, True),
        ("cancelled", "pending", ItemState.DROPPED, True),
        ("done", "cancelled", ItemState.DROPPED, False),
        ("pending", "done", ItemState.DONE, False),
    ],
)
def test_states_of_subtasks(parent: str, sub: str | None, state: ItemState, noted: bool) -> None:
    """A subtask without a state has that of its task, and an open subtask of a settled task is settled with it."""
    status = {} if sub is None else {"status": sub}
    draft = draft_of(tagged(task(1, status=parent, subtasks=[{"id": 1, "title": "a", **status}])))
    assert draft.items[1].state is state
    assert bool(draft.notes) is noted


def test_fields() -> None:
    """Description, details, complexity, criteria and priority fill their fields; checks are those of a plan."""
    data = tagged(
        task(1, description="One.\n\nTwo.", details="Three.", complexity=7, priority="high",
             testStrategy="- `make test` passes\n- it looks right", acceptanceCriteria="- [ ] a\n- [x] b")
    )  # fmt: skip
    found = build(draft_of(data)).tasks["1"]
    assert found.description == "One."
    assert found.details == "Two.\n\nThree.\n\n**Complexity**\n\n7"
    assert [(c.text, c.command) for c in found.criteria] == [
        ("a", None), ("b", None), ("`make test` passes", "make test"), ("it looks right", None),
    ]  # fmt: skip
    assert found.priority == 1


def test_lines() -> None:
    """Tasks, subtasks and notes have their line, whatever the layout and the strings of the file."""
    data = tagged(task(1, 9, details='{ "id": 3 }\n\\'), task(2, subtasks=[{"id": 1, "title": "a"}]))
    text = json.dumps(data, indent=1)
    draft = draft_of(text)
    where = [at for at, line in enumerate(text.split("\n"), 1) if line.strip() == "{"][1:]
    assert [item.line for item in draft.items] == where
    assert notes(draft) == [("unresolved", where[0], "1 depends on '9', which is not in the plan")]


def test_lines_after_a_key_that_is_there_twice() -> None:
    """If objects cannot be distinguished, there is no line rather than a wrong one."""
    text = '{"tasks": [{"id": 1, "title": "a", "metadata": {},\n "metadata": {}},\n{"id": 2, "title": "b"}]}'
    assert [item.line for item in draft_of(text).items] == [0, 0]


def test_a_dependency_in_another_tag_is_missing() -> None:
    """The dependency is unresolved, the note says where it would be; the task cannot start."""
    draft = draft_of(tagged(task(1, 7), other={"tasks": [task(7)]}))
    assert draft.items[0].missing == ["7"]
    assert "of the tag 'other'" in draft.notes[1].text
    assert draft.notes[1].kind is NoteKind.UNRESOLVED
    assert build(draft).tasks["1"].missing == ("7",)


def test_settled_tasks_miss_nothing() -> None:
    """Dependencies of finished work do not matter."""
    draft = draft_of(tagged(task(1, 7, status="done")))
    assert (draft.items[0].missing, draft.notes) == ([], [])


def test_the_same_id_twice() -> None:
    """The second one gets another id, and references mean the first one."""
    draft = draft_of(tagged(task(1), task(1), task(2, 1)))
    assert [(item.key, item.needs) for item in draft.items] == [("1", []), ("1 (2)", []), ("2", ["1"])]
    assert [note.kind for note in draft.notes] == [NoteKind.GUESSED]
    assert list(build(draft).tasks) == ["1", "1-2", "2"]


def test_what_is_left_out_is_reported() -> None:
    """Entries that are not tasks, and subtasks below 32 levels of them, each get a note."""
    deep: dict[str, Any] = {"id": 1, "title": "a"}
    for _ in range(40):
        deep = {"id": 1, "title": "a", "subtasks": [deep]}
    draft = draft_of({"tasks": ["x", task(1, subtasks=[deep])]})
    assert len(draft.items) == 33
    assert [note.kind for note in draft.notes] == [NoteKind.DROPPED, NoteKind.DROPPED]


@pytest.mark.parametrize(
    ("needs", "waits"),
    [(["1.1.1"], {"1.1.1"}), (["1.1"], {"1.1.1", "1.1.2"}), ([1], {"1.1.1", "1.1.2"}), ([], set())],
)
def test_subtasks_of_subtasks_are_tasks(needs: list[object], waits: set[str]) -> None:
    """They are parts of a part, with its text, and others may wait for one or for all of them."""
    inner = [{"id": 1, "title": "Lock", "description": "Two keys"}, {"id": 2, "title": "Bell", "status": "done"}]
    parts = [
        {"id": 1, "title": "Drawer", "details": "Steel", "subtasks": inner},
        {"id": 2, "title": "Door", "dependencies": needs},
    ]
    tasks = build(draft_of(tagged(task(1, subtasks=parts)))).tasks
    assert list(tasks) == ["1.1.1", "1.1.2", "1.2"]
    assert set(tasks["1.2"].depends_on) == waits
    assert tasks["1.1.1"].description == "Two keys"
    assert "Steel" in tasks["1.1.1"].details
    assert (tasks["1.1.1"].settled, tasks["1.1.2"].settled) == ("", "done")


@pytest.mark.parametrize(("tag", "names"), [("", ["Tagged"]), ("master", ["Tagged"]), ("tasks", ["Flat"])])
def test_a_flat_list_beside_tags(tag: str, names: list[str]) -> None:
    """The tag is read unless the flat list is named; a note says that there are two."""
    data = {"tasks": [task(1) | {"title": "Flat"}], "master": {"tasks": [task(1) | {"title": "Tagged"}]}}
    draft = taskmaster.read("tasks.json", json.dumps(data), PlanOptions(tag=tag))
    assert [item.title for item in draft.items] == names
    assert [note.text for note in draft.notes] == (
        [] if tag else ["the list 'master' was read, of 2 lists: tasks, master"]
    )


@pytest.mark.parametrize(
    ("name", "text", "suits"),
    [
        ("tasks.json", json.dumps(tagged(task(1))), True),
        ("tasks.json", '{"master": {"tasks": []}}', True),
        ("tasks.json", '{"version": "2.0.0", "tasks": [{"label": "build", "type": "shell"}]}', False),
        ("package.json", '{"scripts": {"tasks": "x"}}', False),
        ("tasks.json", '{"tasks": [{"title": "a", "status": "done",', True),
        ("tasks.json", '{"tasks": // comment\n []}', False),
        ("x.json", "", False),
        ("x.json", '["tasks"]', False),
        ("x.json", '{"master": [{"id": 1, "title": "a", "status": "done", "dependencies": [], "subtasks": []}]}', True),
        ("x.json", '{"users": [{"id": 1, "title": "Dr", "status": "active"}]}', False),
    ],
)
def test_suits(name: str, text: str, suits: bool) -> None:
    """Other programs have a tasks.json, too; a damaged one still counts as Taskmaster's, so that its error is
    reported."""
    assert taskmaster.suits(name, text) is suits


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{"tasks": [\n{"id": 1, "title": "a"},\n]}', 3, "not valid JSON"),
        ('{"tasks": [\n{"id": 1,', 2, "not valid JSON"),
        ("[" * 100_000, 0, "JSON"),
        ('{"a":' * 100_000, 0, "JSON"),
        ("[]", 0, "not a tasks.json"),
        ('{"tasks": {}}', 0, "not a tasks.json"),
        ('{"tasks": ["\ud800"]}', 0, "surrogate"),
        ("", 0, "JSON"),
    ],
)
def test_damaged_files(text: str, line: int, said: str) -> None:
    """Invalid JSON, JSON that is too deep and other data give one error, with its line if there is one."""
    with pytest.raises(InputError) as raised:
        draft_of(text)
    problem = raised.value.problems[0]
    assert said in problem.message
    assert problem.path == "p/tasks.json"
    assert problem.line == line or not line


def test_a_tag_without_what_is_around_its_tasks() -> None:
    """A list written by hand is a tag as well; a list of something else is not."""
    tasks = '[{"id": 1, "title": "a", "status": "done"}, {"id": 2, "title": "b", "dependencies": [1]}]'
    text = f'{{"log": [1], "master": {tasks}}}'
    draft = draft_of(text)
    assert [(item.key, item.word, item.needs) for item in draft.items] == [("1", "done", []), ("2", "", ["1"])]
    assert not draft.notes
