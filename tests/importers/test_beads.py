"""issues.jsonl of Beads: links of every kind, epics, deleted issues, and hand-written links."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nova_core.errors import InputError
from nova_core.importers import beads, read_plan
from nova_core.importers.build import build
from nova_core.importers.draft import Draft, ItemState
from nova_core.model import NoteKind, PlanOptions


def issue(key: str, *links: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """An issue that waits for others: (id, kind of link)."""
    found = [{"issue_id": key, "depends_on_id": other, "type": kind} for other, kind in links]
    return {"id": key, "title": f"Issue {key}", "status": "open", "priority": 2, "issue_type": "task",
            "dependencies": found, **fields}  # fmt: skip


def lines_of(*issues: dict[str, Any]) -> str:
    return "".join(json.dumps(data) + "\n" for data in issues)


def draft_of(*issues: dict[str, Any]) -> Draft:
    return beads.read("p/.beads/issues.jsonl", lines_of(*issues), PlanOptions())


def kinds(draft: Draft) -> list[str]:
    return [note.kind.value for note in draft.notes]


@pytest.mark.parametrize(
    ("kind", "needs", "noted"),
    [
        ("blocks", ["a"], []),
        ("waits-for", ["a"], []),
        ("related", [], ["dropped"]),
        ("discovered-from", [], ["dropped"]),
        ("anything", [], ["dropped"]),
    ],
)
def test_kinds_of_links(kind: str, needs: list[str], noted: list[str]) -> None:
    """Blocking links are dependencies; for each other kind one note says that no task waits."""
    draft = draft_of(issue("a"), issue("b", ("a", kind)))
    assert draft.items[1].needs == needs
    assert kinds(draft) == noted


def test_any_children_and_on_failure() -> None:
    """What a plan of Nova cannot express is reported: all instead of any, and a fallback is not done."""
    any_child = issue("b")
    any_child["dependencies"] = [
        {"issue_id": "b", "depends_on_id": "a", "type": "waits-for", "metadata": '{"gate":"any-children"}'}
    ]
    draft = draft_of(issue("a"), any_child, issue("c", ("a", "conditional-blocks")))
    assert [(item.needs, item.state) for item in draft.items[1:]] == [(["a"], ItemState.OPEN), ([], ItemState.DROPPED)]
    assert kinds(draft) == ["guessed", "dropped"]


def test_epics_are_containers() -> None:
    """An epic does no work: its issues wait for its dependencies, and its dependents wait for its issues."""
    cascade = build(
        draft_of(
            issue("z"),
            issue("e", ("z", "blocks"), issue_type="epic", description="Why."),
            issue("e.1", ("e", "parent-child")),
            issue("e.2", ("e", "parent-child"), ("e.1", "blocks")),
            issue("y", ("e", "blocks")),
        )
    )
    assert {i: t.depends_on for i, t in cascade.tasks.items()} == {
        "z": (), "e.1": ("z",), "e.2": ("z", "e.1"), "y": ("e.1", "e.2"),
    }  # fmt: skip
    assert "Why." in cascade.tasks["e.1"].details
    assert cascade.tasks["e.1"].group == "Issue e"
    assert cascade.notes == ()


def test_branches() -> None:
    """The branch is the outermost parent, the group the nearest one, the plan if there is none; cycles end."""
    draft = draft_of(
        issue("a"), issue("e"), issue("f", ("e", "parent-child")), issue("g", ("f", "parent-child")),
        issue("x", ("y", "parent-child")), issue("y", ("x", "parent-child")),
    )  # fmt: skip
    assert [(item.branch, item.group) for item in draft.items[:4]] == [
        ("p", ""), ("p", ""), ("Issue e", "Issue e"), ("Issue e", "Issue f"),
    ]  # fmt: skip
    assert len(build(draft).tasks) == 3


def test_parents_by_id_alone() -> None:
    """A dotted id is a part if the parent exists and no link says otherwise; this is reported."""
    draft = draft_of(
        issue("e", issue_type="epic"), issue("f"), issue("e.1"), issue("e.2", ("f", "parent-child")), issue("g.1")
    )
    assert [item.parent for item in draft.items] == ["", "", "e", "f", ""]
    assert [(note.kind.value, note.line) for note in draft.notes] == [("guessed", 3), ("guessed", 2)]


def test_an_epic_without_parts_has_no_work() -> None:
    """An open one is dropped with a note, and its dependents wait for its dependencies."""
    draft = draft_of(issue("a"), issue("e", ("a", "blocks"), issue_type="epic"), issue("b", ("e", "blocks")))
    cascade = build(draft)
    assert kinds(draft) == ["dropped"]
    assert cascade.tasks["e"].gate
    assert cascade.tasks["b"].depends_on == ("e",)
    assert draft_of(issue("a"), issue("e", issue_type="epic", status="closed")).notes == []


@pytest.mark.parametrize(
    ("status", "kind", "state", "noted"),
    [
        ("open", "task", ItemState.OPEN, []),
        ("in_progress", "task", ItemState.OPEN, []),
        ("hooked", "task", ItemState.OPEN, []),
        ("blocked", "task", ItemState.OPEN, ["guessed"]),
        ("closed", "task", ItemState.DONE, []),
        ("done", "bug", ItemState.DONE, []),
        ("deferred", "task", ItemState.DROPPED, ["guessed"]),
        ("pinned", "task", ItemState.DROPPED, ["dropped"]),
        ("open", "message", ItemState.DROPPED, ["dropped"]),
        ("closed", "message", ItemState.DONE, []),
        ("open", "gate", ItemState.OPEN, ["unresolved"]),
        ("closed", "gate", ItemState.DONE, []),
    ],
)
def test_states(status: str, kind: str, state: ItemState, noted: list[str]) -> None:
    """Closed is done; deferred, pinned and non-work issues will not be done; a gate opens outside the plan."""
    draft = draft_of(issue("a", status=status, issue_type=kind))
    assert draft.items[0].state is state
    assert kinds(draft) == noted
    assert bool(draft.items[0].missing) is (noted == ["unresolved"])


def test_tombstones() -> None:
    """A deleted issue is not a task; no task waits for it, and a note says so."""
    draft = draft_of(issue("a", status="tombstone"), issue("b", ("a", "blocks")), issue("c", ("a", "parent-child")))
    assert [(item.key, item.needs, item.missing, item.parent) for item in draft.items] == [
        ("b", [], [], ""), ("c", [], [], ""),
    ]  # fmt: skip
    assert [(note.kind, note.line) for note in draft.notes] == [(NoteKind.RESOLVED, 2)]


def test_links_written_by_hand() -> None:
    """If a link names only the other issue, as the one that waits, the two were mixed up."""
    broken = issue("b")
    broken["dependencies"] = [{"issue_id": "a", "depends_on_id": "", "type": "blocks"}, {"issue_id": "b"}]
    draft = draft_of(issue("a"), broken)
    assert draft.items[1].needs == ["a"]
    assert kinds(draft) == ["guessed", "dropped"]


def test_links_of_others_and_to_nowhere() -> None:
    """A link counts for the issue that it names; a missing issue is reported, for open issues only."""
    a, b = issue("a", ("gone", "blocks")), issue("b", ("gone", "blocks"), status="closed")
    a["dependencies"].append({"issue_id": "b", "depends_on_id": "a", "type": "blocks"})
    draft = draft_of(a, b)
    assert [(item.needs, item.missing) for item in draft.items] == [([], ["gone"]), (["a"], [])]
    assert kinds(draft) == ["unresolved"]


def test_split_backup(tmp_path: Path) -> None:
    """A backup keeps the links in a separate file next to the issues."""
    (tmp_path / "issues.jsonl").write_text(lines_of(issue("a"), issue("b")))
    links = [
        {"issue_id": "b", "depends_on_id": "a", "type": "blocks"},
        {"issue_id": "wisp", "depends_on_id": "a", "type": "blocks"},
    ]
    (tmp_path / "dependencies.jsonl").write_text("".join(json.dumps(link) + "\n" for link in links))
    cascade = read_plan(tmp_path)
    assert cascade.tasks["b"].depends_on == ("a",)
    assert [note.kind for note in cascade.notes] == [NoteKind.DROPPED]


def test_fields() -> None:
    """Texts, criteria, priority and minutes fill their fields."""
    found = build(
        draft_of(
            issue("a", priority=0, description="One.\n\nTwo.", design="D.", notes="N.", estimated_minutes=90,
                  acceptance_criteria="- `make test` passes\n- fine")
        )
    ).tasks["a"]  # fmt: skip
    assert (found.description, found.priority, found.duration) == ("One.", 2, 5400.0)
    assert found.details == "Two.\n\n**Design**\n\nD.\n\n**Notes**\n\nN."
    assert [(c.text, c.command, c.line) for c in found.criteria] == [
        ("`make test` passes", "make test", 1), ("fine", None, 1),
    ]  # fmt: skip


def test_an_issue_that_is_there_twice() -> None:
    """The later line counts, as in a log."""
    draft = draft_of(issue("a"), issue("b"), issue("a", status="closed"))
    assert [(item.key, item.state, item.line) for item in draft.items] == [
        ("a", ItemState.DONE, 3), ("b", ItemState.OPEN, 2),
    ]  # fmt: skip
    assert kinds(draft) == ["guessed"]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    """An empty file is normal with newer versions of Beads, so the error says what to do."""
    plan = tmp_path / "issues.jsonl"
    plan.write_text(text)
    with pytest.raises(InputError, match="no issues") as raised:
        read_plan(plan)
    assert "export" in raised.value.hint


def test_bad_lines() -> None:
    """All lines without an issue are reported, each with its number."""
    text = lines_of(issue("a")) + "{\n\n<<<<<<< HEAD\n[1]\n" + "[" * 100_000 + "\n"
    with pytest.raises(InputError) as raised:
        beads.read("i.jsonl", text, PlanOptions())
    assert [problem.line for problem in raised.value.problems] == [2, 4, 5, 6]
    assert all(problem.path == "i.jsonl" for problem in raised.value.problems)


@pytest.mark.parametrize(
    ("name", "text", "suits"),
    [
        ("x.jsonl", lines_of(issue("a")), True),
        ("x.jsonl", "\n" + lines_of(issue("a")), True),
        ("issues.jsonl", "", True),
        ("issues.jsonl", "{", True),
        ("x.jsonl", "", False),
        ("x.jsonl", '{"id": 1}', False),
        ("x.jsonl", "[1]", False),
    ],
)
def test_suits(name: str, text: str, suits: bool) -> None:
    """Issues are recognised by their fields; an empty or damaged file by its name."""
    assert beads.suits(name, text) is suits


def test_a_link_called_parent() -> None:
    """`parent` means `parent-child`: a task that waits for the epic waits for its parts."""
    draft = draft_of(issue("e", issue_type="epic"), issue("a", ("e", "parent")), issue("b", ("e", "blocks")))
    assert build(draft).tasks["b"].depends_on == ("a",)
    assert kinds(draft) == ["guessed"]
