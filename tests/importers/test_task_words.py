"""What a task says about its order in its own text, in every format of checklists."""

from __future__ import annotations

import pytest
from reading import edges, notes, plan

from nova_core.model import NoteKind

KINDS = {"spec-kit": ("T001", "T002", "T003"), "openspec": ("1.1", "1.2", "1.3"), "kiro": ("1.1", "1.2", "1.3")}


def third(kind: str, words: str) -> tuple[bool, list[str]]:
    """Whether the first task waits for the third because of `words` in its text, and the dropped notes."""
    first, second, last = KINDS[kind]
    text = words.replace("{3}", last).replace("{2}", second)
    cascade = plan(kind, f"## 1. Base\n- [ ] {first} Drawer{text}\n- [ ] {second} Till\n- [ ] {last} Lock\n")
    return last in cascade.tasks[first].depends_on, notes(cascade, NoteKind.DROPPED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "words",
    [
        " [depends: {3}]", " (depends on {3})", " (after {3})", " [requires {3}]", " (deps: {3})", " [blocked by {3}]",
        " — blocked by {3}", " - depends on {3} (it makes the table)", "; needs {3}", ", requires {3}",
        ". Depends on {3}.", " **Depends on:** {3}", " (same file, after {3})", " (waits for {3})", " @depends({3})",
        "\n  - Depends on: {3}", "\n  - Depends on {3}", "\n  - **Deps:** {3}", "\n  - Requires: {3}",
        "\n  - Blocked by: {3}", "\n  - Prerequisites: {3}", "\n  - _Depends: {3}_",
        "\n  continues (depends on\n  {3})", " (after: {3})", " (once {3} is done)", " (when {3} is complete)",
        " (not before {3})", " [dep {3}]", " (deps={3})", " {depends: {3}}", " #depends:{3}", " depends: {3}",
        " *depends on {3}*", " (depends on [{3}](#x))", " [depends on {3}](#x)", " (waiting on {3})",
        " (dependsOn: {3})",
        " (blocked_by: {3})", " (depends on ~~{2}~~, {3})", " (nach {3})", " (hängt von {3} ab)", " （{3} に依存）",
        " (après {3})", " (после {3})", " (依赖 {3})", "\n  - Depends on:\n    - {3}", "\n  - Deps:\n    {3}",
    ],
)  # fmt: skip
def test_words_that_are_dependencies(kind: str, words: str) -> None:
    """In brackets, behind a dash or a comma, in a line below: the task waits, and nothing is left to say."""
    assert third(kind, words) == (True, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "words",
    [
        " (does not depend on {3})", " (independent of {3})", " — no dependency on {3}", ", not blocked by {3}",
        " (can run in parallel with {3})", " [depends: ~~{3}~~]", "\n  - Depends on: none", "\n  - Depends on: ~~{3}~~",
        "\n  - Does not depend on {3}", " (requires Node 18.2)", " (needs care)", " (depends on ~~{3}~~)",
        " (see {3})", " (if needed)", " → all fail", "\n  - Depends on:",
    ],
)  # fmt: skip
def test_words_that_are_none(kind: str, words: str) -> None:
    """What is denied, struck out or about other things is no dependency, and needs no note."""
    assert third(kind, words) == (False, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "words",
    [
        " that depends on {3} being there or not", " (unless {3} is late, depends on {2})", " (after {3} or so)",
        "\n  - Remove what blocks {3}", " (unless {3} is done)", " (if {3} is late)", " ← {3}", " once {3} is done",
        " (nicht abhängig von {3})", " (after everything else)", " (optional, after {3})", " which {3} needs",
    ],
)  # fmt: skip
def test_words_that_are_not_understood(kind: str, words: str) -> None:
    """A sentence that names another task and sounds like an order gets a note, and adds nothing."""
    waits, told = third(kind, words)
    assert not waits
    assert [note.partition(":")[0] for note in told] == ["3" if "\n" in words else "2"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_may_block_others(kind: str) -> None:
    """`blocks` is the same from the other side."""
    first, second, last = KINDS[kind]
    cascade = plan(kind, f"- [ ] {first} A\n- [ ] {second} B\n- [ ] {last} C (blocks {first})\n")
    assert last in cascade.tasks[first].depends_on
    assert first not in cascade.tasks[last].depends_on


@pytest.mark.parametrize("kind", KINDS)
def test_one_or_the_other_is_both(kind: str) -> None:
    """`T001 or T002` waits for both, as in a table, with a note."""
    first, second, last = KINDS[kind]
    cascade = plan(kind, f"- [ ] {first} A\n- [ ] {second} B\n- [ ] {last} C\n  - Depends on: {first} or {second}\n")
    assert {first, second} <= set(" ".join(edges(cascade).values()).split())
    assert cascade.tasks[last].missing == ()
    assert len(notes(cascade, NoteKind.GUESSED)) == 1
