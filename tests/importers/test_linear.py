"""Files of 100,000 lines in each format are read in linear time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_core.errors import InputError
from nova_core.importers.formats import read_plan
from nova_core.model import PlanOptions

MOST = 40  # times as long for ten times as many lines: a quadratic reader needs 100
LINES = 10_000


def repeated(block: str, lines: int) -> str:
    """A file of about so many lines, of numbered blocks."""
    return "# Plan\n" + "".join(block.replace("$", str(i)) for i in range(1, lines // block.count("\n") + 1))


BLOCKS = {
    "conductor/tracks/a/plan.md": "## Phase $: A\n- [ ] Task: do $\n    - [ ] step\n- [x] Task: more $\n",
    "agent-os/specs/a/tasks.md": (
        "#### Task Group $: A\n**Dependencies:** Task Group 1\n- [ ] $.0 All\n  - [ ] $.1 a\n  - [ ] $.2 b\n"
    ),
    "superpowers/plans/a.md": "### Task $: A\n**Files:** x\n- [ ] **Step 1: a**\n- [x] **Step 2: b**\n",
    "prd.md": "### US-$: A\n**Description:** x\n- [ ] a\n- [ ] b\n",
    "TODO.md": "## Part $\n- [ ] do $\n- [x] also $\n  - [ ] sub\n",
    "PLAN.md": "## Phase $\n### $.1 do\ntext\n### $.2 do\n",
    "IMPLEMENTATION_PLAN.md": "## Phase $: A\n- [ ] do $\n### Tests\n- [ ] it holds\n## Phase 9$: B\ntext\n",
    "plan-of-prose.md": "## Heading $\nText that says nothing of tasks.\n",
}
MADE: dict[str, Callable[[int], str]] = {
    "feature_list.json": lambda lines: json.dumps(
        {"features": [{"id": i, "title": f"t{i}", "passes": False} for i in range(lines // 5)]}, indent=1
    ),
    "sprint-status.yaml": lambda lines: (
        "development_status:\n" + "".join(f"  {i}-1-do-it: backlog\n" for i in range(lines // 20))
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*BLOCKS, *MADE])
def test_ten_times_the_lines_take_ten_times_as_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The time of this process alone is compared, so that a busy machine does not matter."""
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    spent = []
    for lines in (LINES, 10 * LINES):
        Path(name).write_text(MADE[name](lines) if name in MADE else repeated(BLOCKS[name], lines))
        begun = time.process_time()
        try:
            assert read_plan(name, PlanOptions()).tasks
        except InputError:
            assert "prose" in name
        spent.append(time.process_time() - begun)
    assert spent[1] < MOST * max(spent[0], 0.02), spent


@pytest.mark.slow
def test_ten_times_the_plans_of_gsd_take_ten_times_as_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in one phase, in waves of ten, each with a file that others change too."""
    spent = []
    for plans in (300, 3_000):
        phase = tmp_path / str(plans) / ".planning/phases/01-base"
        phase.mkdir(parents=True)
        for i in range(plans):
            head = f"plan: {i:04d}\nwave: {i // 10}\nfiles_modified: [a{i % 50}.py]\nmust_haves:\n  truths: [a]"
            (phase / f"01-{i:04d}-PLAN.md").write_text(f"---\n{head}\n---\n<objective>Make {i}</objective>\n")
        begun = time.process_time()
        assert len(read_plan(phase.parent.parent, PlanOptions()).tasks) >= plans
        spent.append(time.process_time() - begun)
    assert spent[1] < MOST * max(spent[0], 0.02), spent
