"""The prompt of a task: all its words are in it, in order, and nothing in them is a template."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nova_core.model import Criterion, Task
from nova_core.prompt import build_prompt

FULL = Task(
    "F1",
    "Core types",
    description="Define the base types.",
    details="Use {braces} freely.",
    outputs=("src/types.py", "docs/*.md"),
    criteria=(Criterion("types are documented"), Criterion("`make test` passes", command="make test")),
)


def test_everything_is_told_in_order() -> None:
    """Task, description, details, outputs, criteria and how to report come one after the other."""
    prompt = build_prompt(FULL, "Shop")
    words = [
        '"Shop"', "Task F1: Core types", "Define the base types.", "Use {braces} freely.", "- src/types.py",
        "- docs/*.md", "1. types are documented\n", "2. `make test` passes, which will be run", "nova report --step",
    ]  # fmt: skip
    places = [prompt.index(word) for word in words]
    assert places == sorted(places)


def test_a_bare_task_has_no_empty_sections() -> None:
    """What a task does not have is not mentioned."""
    prompt = build_prompt(Task("F1", "Core"), "Shop")
    assert "Outputs" not in prompt
    assert "Criteria" not in prompt
    assert "\n\n\n" not in prompt


@given(st.builds(Task, id=st.just("F1"), name=st.text(), description=st.text(), details=st.text()), st.text())
def test_texts_come_through_unchanged(task: Task, project: str) -> None:
    """No text of a plan is taken for a placeholder."""
    prompt = build_prompt(task, project)
    assert all(text.strip() in prompt for text in (task.name, task.description, task.details, project))
