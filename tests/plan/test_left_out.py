"""Selected tasks whose dependencies were not selected: which, and what to type."""

from __future__ import annotations

import pytest

from nova_core.config import Config, PhaseConfig
from nova_core.parser import parse_text
from nova_core.plan.left_out import left_out, left_out_line
from nova_core.plan.phases import with_settings
from nova_core.state.schema import TaskState, TaskStatus

PLAN = """
## First

| Task ID | Depends On |
|---|---|
| A | - |
| B | A |

## Second

| Task ID | Depends On |
|---|---|
| C | B |
| D | C |
| E | - |
"""
DONE, FAILED = TaskState(TaskStatus.COMPLETED), TaskState(TaskStatus.FAILED)


@pytest.mark.parametrize(
    ("selected", "states", "found"),
    [
        (["C"], {}, {"C": ("B",)}),
        (["C", "D"], {}, {"C": ("B",)}),
        (["B", "D"], {}, {"B": ("A",), "D": ("C",)}),
        (["C"], {"B": DONE}, {}),
        (["C"], {"B": FAILED}, {}),
        (["C"], {"C": DONE}, {}),
        (["E"], {}, {}),
        (["A", "B", "C", "D", "E"], {}, {}),
    ],
)
def test_tasks_that_wait_for_what_was_not_selected(
    selected: list[str], states: dict[str, TaskState], found: dict[str, tuple[str, ...]]
) -> None:
    """A selected task that can start or runs is not named, nor one that waits only for selected or failed tasks."""
    assert left_out(parse_text(PLAN, "CASCADE.md"), selected, states) == found


def test_a_gate_stands_for_what_it_waits_for() -> None:
    """A task behind a gate waits for the tasks before the gate; the gate itself cannot be selected."""
    plan = with_settings(parse_text(PLAN, "CASCADE.md"), Config(phases={"First": PhaseConfig(gate="barrier")}))
    gates = {i for i, task in plan.tasks.items() if task.gate}
    assert gates
    assert left_out(plan, ["E", *gates], {}) == {"E": ("A", "B")}


def test_the_line_is_short_and_says_what_to_type() -> None:
    """Three tasks are named, the others counted; the command has the ids unless these are many."""
    assert left_out_line({}) == ""
    assert left_out_line({"C": ("B",)}) == "not selected: C waits for B (run these, too: nova run --until C)"
    many = {f"T{n}": ("A", "B", "C", "D", "E") for n in range(9)}
    line = left_out_line(many)
    assert "T0 waits for A, B, C and 2 more; T1 waits" in line
    assert "; and 6 more tasks wait" in line
    assert line.endswith("nova run --until ID)")
