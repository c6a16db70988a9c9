"""The prompt of a task: it has all its text, in order, and nothing in it is read as a template."""

from __future__ import annotations

from pathlib import Path

from cli_process import nova
from hypothesis import given
from hypothesis import strategies as st

from nova_core.launch.prompt import Briefing, Done, build_prompt
from nova_core.model import Criterion, Task

FULL = Task(
    "F1",
    "Core types",
    description="Define the base types.",
    details="Use {braces} freely.",
    outputs=("src/types.py", "docs/*.md"),
    criteria=(Criterion("types are documented"), Criterion("`make test` passes", command="make test")),
)


def test_the_prompt_has_its_parts_in_order() -> None:
    """Task, description, details, outputs, criteria and how to report come one after the other."""
    prompt = build_prompt(FULL, "Shop")
    words = [
        '"Shop"', "Task F1: Core types", "Define the base types.", "Use {braces} freely.", "- src/types.py",
        "- docs/*.md", "1. types are documented\n", "2. `make test` passes, which will be run", "nova report --step",
    ]  # fmt: skip
    places = [prompt.index(word) for word in words]
    assert places == sorted(places)


def test_the_prompt_of_a_folder_task_names_inputs_and_outputs() -> None:
    """Inputs by their path in the project; outputs in the task's own folder first, those with a path of their own
    there."""
    task = Task(
        "p/a", "A", inputs=("workspace/outputs/p/b/x.json|x.json",), workspace="workspace/outputs/p/a",
        outputs=("gaps.json", "workspace/outputs/shared.md"),
    )  # fmt: skip
    prompt = build_prompt(task, "Shop")
    assert "\n- workspace/outputs/p/b/x.json, or x.json\n" in prompt
    assert "\n- `workspace/outputs/p/a/gaps.json`, or `gaps.json` in the project\n" in prompt
    assert "\n- `workspace/outputs/shared.md`\n" in prompt
    assert "Your folder for outputs is `workspace/outputs/p/a` (`$NOVA_OUTPUT_DIR`)" in prompt
    assert "NOVA_OUTPUT_DIR" not in build_prompt(FULL, "Shop")


def test_a_bare_task_has_no_empty_sections() -> None:
    """Missing parts are not mentioned."""
    prompt = build_prompt(Task("F1", "Core"), "Shop")
    assert "Outputs" not in prompt
    assert "Criteria" not in prompt
    assert "\n\n\n" not in prompt


@given(st.builds(Task, id=st.just("F1"), name=st.text(), description=st.text(), details=st.text()), st.text())
def test_texts_come_through_unchanged(task: Task, project: str) -> None:
    """No text of a plan is read as a placeholder."""
    prompt = build_prompt(task, project)
    assert all(text.strip() in prompt for text in (task.name, task.description, task.details, project))


def test_the_prompt_says_what_dependencies_did() -> None:
    """Commit, files and note of each dependency, within a budget of characters: long notes keep head and tail."""
    note = "start " + "x" * 50_000 + " end"
    done = (
        Done("A", "First", ("a.py", "b.py"), "abc123", note),
        Done("B", "Second", tuple(f"f{i}" for i in range(100))),
    )
    prompt = build_prompt(FULL, "Shop", Briefing(done))
    assert "## A: First\nCommit: abc123\nFiles: a.py, b.py\nIts note: start " in prompt
    assert " end\n" in prompt
    assert "f39 and 60 more" in prompt
    assert len(prompt) < 12_000


def test_a_custom_template() -> None:
    """Known placeholders are filled in, others stay; a paragraph of empty ones is removed."""
    template = "Task {id} of {project}.\n\n{details}{description}\n\n{unknown} {x}\n\n{dependencies}\n\nEnd."
    assert build_prompt(Task("F1", "N"), "Shop", template=template) == "Task F1 of Shop.\n\n{unknown} {x}\n\nEnd.\n"


def test_feedback_has_its_place_in_any_template() -> None:
    """A template without `{feedback}` gets it at its end: no evidence is lost."""
    lesson = Briefing(feedback="# What failed before\n\n> {id}")
    for template in ("{id}", "{feedback}\n\n{id}"):
        prompt = build_prompt(Task("F1", "N"), "Shop", lesson, template=template)
        assert ("> {id}" in prompt, "F1" in prompt) == (True, True)


def test_the_prompt_names_the_reporting_tools() -> None:
    """An agent with the reporting server gets its tools in the prompt, not a command."""
    prompt = build_prompt(FULL, "Shop", by_tool=True)
    assert "the tool `report` of the server `nova`" in prompt
    assert "nova report" not in prompt


def test_the_prompt_command_and_what_an_attempt_was_given(tmp_path: Path) -> None:
    """`nova prompt ID` prints the current prompt; each attempt's own prompt is kept."""
    (tmp_path / "nova.yaml").write_text("agents: {a: {command: [cat]}}\nagent: a\n")
    (tmp_path / "CASCADE.md").write_text(
        "# Shop\n\n| Task ID | Task Name | What Changes | Depends On |\n|---|---|---|---|\n| A | First | x | - |\n"
        "| B | Second | y | A |\n"
    )
    before = nova("prompt", "B", cwd=tmp_path)
    assert "# Task B: Second" in before.stdout
    assert "## A: First" in before.stdout
    assert nova("run", cwd=tmp_path).returncode == 0
    kept = nova("prompt", "A", "--attempt", "1", cwd=tmp_path)
    assert kept.stdout == (tmp_path / "logs" / "A.log").read_text(), "the agent got it on standard input"
    missing = nova("prompt", "A", "--attempt", "7", cwd=tmp_path)
    assert (missing.returncode, "there is no prompt of attempt 7" in missing.stderr) == (2, True)
    assert nova("prompt", "nope", cwd=tmp_path).returncode == 2
