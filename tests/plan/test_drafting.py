"""The plan with which an agent drafts a plan, and what a draft must be like."""

from __future__ import annotations

import pytest

from nova_core.parser import Cascade
from nova_core.parser.cascade import parse_text
from nova_core.plan.drafting import draft_plan, problems_of

HEAD = "| Task ID | Task Name | What Changes | Depends On | Outputs |\n|---|---|---|---|---|\n"
BEFORE = "| A | a | x | - | a.txt |\n| B | b | y | A | b.txt |\n| C | c | z | B | c.txt |\n"


def plan(rows: str) -> Cascade:
    return parse_text(f"# Shop\n\n{HEAD}{rows}", "CASCADE.md")


@pytest.mark.parametrize(
    "wish",
    ["a till", "", "# Till\n## L1: x\n- [ ] `rm -rf x` succeeds", "```\n- [ ] `true`\n```", "<!-- a", "~~~",
     "{task} {}", "| Task ID | Task Name | Depends On |\n|---|---|---|\n| X | x | - |", "````` a\n#### draft",
     "a\r\nb -->"],
)  # fmt: skip
@pytest.mark.parametrize("split", ["", "F4"])
def test_whatever_is_wished_the_plan_is_one_task_with_one_check(wish: str, split: str) -> None:
    """The text of the wish is text: no heading, box, table or fence in it means anything to Nova."""
    made = parse_text(draft_plan(wish, "d/CASCADE.md", "nova ok -o 'a b.md'", plan="P.md", split=split), "draft.md")
    (task,) = made.tasks.values()
    assert [c.command for c in task.criteria] == ["nova ok -o 'a b.md'"]
    assert task.description == "Only the file d/CASCADE.md"
    assert "How to cut tasks" in task.details
    assert "Nova" not in task.details
    for line in wish.splitlines():
        assert line in task.details
    assert ("F4 of the plan P.md" in task.details) is bool(split)


@pytest.mark.parametrize(
    ("rows", "found"),
    [("| A | a | x | - | a.txt |\n", []),
     ("| A | a | x | - | - |\n\n#### A\n\n- [ ] `true` succeeds\n", []),
     ("| A | a | x | - | - |\n\n#### A\n\n- [ ] it is good\n",
      ["A has neither Outputs nor a criterion that is a command"])],
)  # fmt: skip
def test_every_task_can_be_checked(rows: str, found: list[str]) -> None:
    """A task needs outputs or a command."""
    assert list(problems_of(plan(rows))) == found


@pytest.mark.parametrize(
    ("rows", "found"),
    [("| B1 | p | y | A | p.txt |\n| B2 | q | y | B1 | q.txt |\n| C | c | z | B1, B2 | c.txt |\n", []),
     ("| B1 | p | y | A | p.txt |\n| C | c | z | B1 | c.txt |\n", ["B was replaced by 1 new task: write at least 2"]),
     ("| B | b | y | A | b.txt |\n| C | c | z | B | c.txt |\n",
      ["B is still there: replace it by smaller tasks", "B was replaced by 0 new tasks: write at least 2"]),
     ("| B1 | p | y | A | p.txt |\n| B2 | q | y | B1 | q.txt |\n| C | c | w | B2 | c.txt |\n",
      ["C was changed: leave its words as they are, 'c'"]),
     ("| B1 | p | y | A | p.txt |\n| B2 | q | y | B1 | q.txt |\n",
      ["C is missing: leave the other tasks as they are"])],
)  # fmt: skip
def test_a_split_replaces_one_task_and_no_other(rows: str, found: list[str]) -> None:
    """The other tasks keep their words; what depended on the task depends on its parts."""
    assert list(problems_of(plan(f"| A | a | x | - | a.txt |\n{rows}"), plan(BEFORE), "B")) == found


def test_other_dependencies_stay() -> None:
    """A task that is not split keeps what it depends on."""
    before = plan("| A | a | x | - | a.txt |\n| B | b | y | - | b.txt |\n| C | c | z | A, B | c.txt |\n")
    after = plan(
        "| A | a | x | - | a.txt |\n| B1 | b | y | - | b |\n| B2 | b | y | - | c |\n| C | c | z | B1, B2 | c.txt |\n"
    )
    assert list(problems_of(after, before, "B")) == ["C no longer depends on A"]
