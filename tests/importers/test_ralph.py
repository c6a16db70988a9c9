"""prd.json of Ralph: stories in the order of their priority."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nova_core.errors import InputError
from nova_core.importers import ralph
from nova_core.importers.build import build
from nova_core.importers.draft import Draft
from nova_core.model import PlanOptions


def draft_of(*stories: dict[str, Any], **fields: Any) -> Draft:
    text = json.dumps({"project": "Shop", "userStories": list(stories), **fields}, indent=1)
    return ralph.read("prd.json", text, PlanOptions())


def story(number: int, priority: object, **fields: Any) -> dict[str, Any]:
    return {"id": f"US-{number:03}", "title": f"Story {number}", "priority": priority, "passes": False, **fields}


def test_priority_is_order() -> None:
    """Each story waits for the one before it, by priority, then as the file lists them."""
    cascade = build(draft_of(story(1, 2), story(2, 1), story(3, "2"), story(4, None)))
    assert {i: t.depends_on for i, t in cascade.tasks.items()} == {
        "US-002": (), "US-001": ("US-002",), "US-003": ("US-001",), "US-004": ("US-003",),
    }  # fmt: skip
    assert sorted(note.kind.value for note in cascade.notes) == ["guessed", "resolved"]
    assert cascade.name == "Shop"
    assert [task.line for task in cascade.tasks.values()] == [10, 4, 16, 22]


def test_priorities_in_words() -> None:
    """`high` comes before `medium`; a word without meaning comes last, with a note."""
    found = draft_of(story(1, "medium"), story(2, "High"), story(3, "P3"), story(4, "soon"), story(5, "high"))
    assert [item.key for item in found.items] == ["US-002", "US-005", "US-001", "US-003", "US-004"]
    assert sorted(note.kind.value for note in found.notes) == ["guessed", "resolved"]


@pytest.mark.parametrize(
    ("passes", "settled"), [(True, "passes"), ("true", "passes"), (False, ""), (None, ""), ("no", "")]
)
def test_passes(passes: object, settled: str) -> None:
    """A story that passes is done."""
    assert build(draft_of(story(1, 1, passes=passes))).tasks["US-001"].settled == settled


def test_fields() -> None:
    """Criteria are criteria, with commands by the usual rules; notes are details."""
    data = story(
        1, 1, description="As one.", notes="N.", acceptanceCriteria=["`npm test` passes", "Typecheck passes", 3, None]
    )
    found = build(draft_of(data)).tasks["US-001"]
    assert (found.description, found.details) == ("As one.", "**Notes**\n\nN.")
    assert [(c.text, c.command) for c in found.criteria] == [
        ("`npm test` passes", "npm test"), ("Typecheck passes", None), ("3", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "name"),
    [({}, "Shop"), ({"project": "", "productName": "P"}, "P"), ({"project": None, "branchName": "b"}, "b")],
)
def test_name(fields: dict[str, Any], name: str) -> None:
    """The project, the product or the branch gives the plan its name."""
    assert draft_of(story(1, 1), **fields).name == name


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"userStories": []}', '{"userStories": {"a": 1}}', '{"userStories": [1]}', "{"]
)
def test_no_stories(text: str) -> None:
    """A file without stories is an error."""
    with pytest.raises(InputError):
        ralph.read("prd.json", text, PlanOptions())


@pytest.mark.parametrize(
    ("text", "suits"),
    [
        ('{"userStories": []}', True),
        ('{"userStories": [', True),
        ('{"a": "userStories"}', False),
        ('{"userStories": 1}', False),
    ],
)
def test_suits(text: str, suits: bool) -> None:
    """The file is recognised by its list of stories."""
    assert ralph.suits("x.json", text) is suits


@pytest.mark.parametrize("field", ["dependsOn", "dependencies", "depends_on", "blockedBy"])
def test_what_a_story_names_holds(field: str) -> None:
    """Stories with dependencies wait only for those; a story without the field waits for the one before it."""
    found = draft_of(
        story(1, 1, **{field: []}), story(2, 2, **{field: []}), story(3, 3, **{field: ["US-001"]}), story(4, 4),
        story(5, 5, **{field: ["US-003", "US-004"]}),
    )  # fmt: skip
    cascade = build(found)
    assert {i: t.depends_on for i, t in cascade.tasks.items()} == {
        "US-001": (), "US-002": (), "US-003": ("US-001",), "US-004": ("US-003",), "US-005": ("US-003", "US-004"),
    }  # fmt: skip
    assert ["does not say" in note.text for note in cascade.notes] == [True]


def test_a_story_that_is_not_there() -> None:
    """The missing story is reported, and the story that needs it cannot start."""
    cascade = build(draft_of(story(1, 1, dependsOn=["US-009"]), story(2, 2, dependsOn=["US-009"], passes=True)))
    assert [task.missing for task in cascade.tasks.values()] == [("US-009",), ()]
    assert [note.kind.value for note in cascade.notes] == ["unresolved"]


def test_no_priorities() -> None:
    """Without priorities the order of the file is the only one, and no note is needed."""
    found = draft_of({"id": "B", "passes": False}, {"id": "A", "passes": False})
    assert [item.key for item in found.items] == ["B", "A"]
    assert [note.kind.value for note in found.notes] == ["resolved"]


@pytest.mark.parametrize(
    ("fields", "settled", "reported"),
    [
        ({"passes": True, "status": "partial"}, "passes", True),
        ({"passes": False, "status": "completed"}, "", True),
        ({"passes": True, "status": "completed"}, "passes", False),
        ({"passes": False, "status": "pending"}, "", False),
        ({"status": "completed"}, "completed", False),
        ({"status": "in_progress"}, "", False),
    ],
)
def test_status(fields: dict[str, Any], settled: str, reported: bool) -> None:
    """`passes` decides, and a status only without it; a contradiction is reported."""
    text = json.dumps({"userStories": [{"id": "A", "title": "A", "priority": 1, **fields}]})
    found = ralph.read("prd.json", text, PlanOptions())
    assert build(found).tasks["A"].settled == settled
    assert bool(found.notes) is reported


@pytest.mark.parametrize("shape", ["list", "stories"])
def test_other_shapes(shape: str) -> None:
    """A bare list of stories with `passes`, as in the first Ralph, and `stories`."""
    stories = [
        {"category": "ui", "description": "A button. It is red", "steps": ["Click", "Look"], "passes": True},
        {"category": "ui", "description": "A field", "steps": [], "passes": False, "acceptance_criteria": ["Wide"]},
    ]
    text = json.dumps(stories if shape == "list" else {"stories": stories})
    assert ralph.suits("prd.json", text)
    found = ralph.read("prd.json", text, PlanOptions())
    assert [(item.key, item.title, item.word, item.needs) for item in found.items] == [
        ("story-1", "A button. It is red", "passes", []), ("story-2", "A field", "", ["story-1"]),
    ]  # fmt: skip
    assert found.items[0].details == "**Steps**\n\nClick\nLook"
    assert [c.text for c in found.items[1].fields["criteria"]] == ["Wide"]


@pytest.mark.parametrize("text", ['[{"passes": true}, {"name": "x"}]', '{"tests": [{"passes": true}]}', '["passes"]'])
def test_other_lists(text: str) -> None:
    """Not everything with `passes` is a story."""
    assert not ralph.suits("x.json", text)


@pytest.mark.parametrize("shape", ["list", "numbered"])
def test_features_of_harnesses(shape: str) -> None:
    """Features by number or in a list, with a state and a command that verifies them."""
    features: list[dict[str, Any]] = [
        {"id": "ask-1", "area": "ask", "title": "Ask", "user_visible_behavior": "It answers.", "state": "passing"},
        {"id": "ask-2", "area": "ask", "title": "Ask twice", "state": "not_started", "verification_command": "make t"},
    ]
    listed = {"features": features, "project": "till"}
    text = json.dumps(listed if shape == "list" else {str(at): feature for at, feature in enumerate(features)})
    found = ralph.read("feature_list.json", text, PlanOptions())
    assert [(item.key, item.word, item.group, item.description) for item in found.items] == [
        ("ask-1", "done", "ask", "It answers."), ("ask-2", "not_started", "ask", ""),
    ]  # fmt: skip
    assert [criterion.command for criterion in found.items[1].fields["criteria"]] == ["make t"]
