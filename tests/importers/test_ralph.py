"""prd.json of Ralph: stories in the order of their priority."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nova_core.errors import InputError
from nova_core.importers import Options, ralph
from nova_core.importers.build import build
from nova_core.importers.draft import Draft


def draft_of(*stories: dict[str, Any], **fields: Any) -> Draft:
    text = json.dumps({"project": "Shop", "userStories": list(stories), **fields}, indent=1)
    return ralph.read("prd.json", text, Options())


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


@pytest.mark.parametrize(
    ("passes", "settled"), [(True, "passes"), ("true", "passes"), (False, ""), (None, ""), ("no", "")]
)
def test_passes(passes: object, settled: str) -> None:
    """A story that passes is done."""
    assert build(draft_of(story(1, 1, passes=passes))).tasks["US-001"].settled == settled


def test_fields() -> None:
    """Criteria are criteria, with commands under the usual rules; notes are details."""
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
    """The project, the product or the branch names the plan."""
    assert draft_of(story(1, 1), **fields).name == name


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"userStories": []}', '{"userStories": {"a": 1}}', '{"userStories": [1]}', "{"]
)
def test_no_stories(text: str) -> None:
    """A file without stories is an error."""
    with pytest.raises(InputError):
        ralph.read("prd.json", text, Options())


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
    """It is known by its list of stories."""
    assert ralph.suits("x.json", text) is suits
