"""The fault campaign is fair: every engine gets the same plan, and the ledger decides what is counted."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import rows
from sampling import some

sys.path.append(str(Path(__file__).parents[1] / "bench"))
import faults
import faults_engines
from faults_engines import ENGINES, Nova, make_plan
from faults_trial import Result, Trial

from nova_core.parser import parse_cascade


@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_is_given_every_task(name: str, hangs: bool, tmp_path: Path) -> None:
    """Its files have the command of each task once; the limit is there only for the trial in which a task hangs."""
    plan = make_plan(tmp_path, hangs=hangs)
    text = "\n".join(ENGINES[name]().files(plan).values())
    for task in plan.tasks:
        words = plan.line(task).split()
        assert text.count(" ".join(words)) + text.count(repr(words)) == 1
        assert all(needed in text for needed in task.depends_on)


def test_the_plan_of_nova_has_the_graph(tmp_path: Path) -> None:
    """It parses without a warning into the same tasks, dependencies and outputs; one has a limit."""
    plan = make_plan(tmp_path, hangs=True)
    (tmp_path / "CASCADE.md").write_text(Nova().files(plan)["CASCADE.md"])
    read = parse_cascade(tmp_path / "CASCADE.md")
    assert read.warnings == ()
    assert {i: tuple(t.depends_on) for i, t in read.tasks.items()} == {t.id: t.depends_on for t in plan.tasks}
    assert [t.outputs for t in read.tasks.values()] == [(f"out/{t.id}",) for t in plan.tasks]
    assert [t.timeout for t in read.tasks.values() if t.timeout] == [faults_engines.LIMIT]


def test_levels_keep_the_order(tmp_path: Path) -> None:
    """What knows no graph runs a task one level after the last of its dependencies, or later."""
    plan = make_plan(tmp_path)
    level = {task.id: n for n, tasks in enumerate(plan.levels()) for task in tasks}
    assert len(level) == len(plan.tasks)
    assert all(level[d] < level[task.id] for task in plan.tasks for d in task.depends_on)


LEDGERS: dict[str, tuple[str, dict[str, int]]] = {
    "each task once": ("1 start {0} 11\n2 end {0} 11\n", {}),
    "a second end": ("1 start {0} 11\n2 end {0} 11\n3 start {0} 12\n4 end {0} 12\n", {"twice": 1}),
    "a second end after a person's decision": (
        "1 start {0} 11\n2 end {0} 11\n8 start {0} 12\n9 end {0} 12\n", {"twice": 1, "asked": 1}),
    "a second start beside the first": (
        "1 start {0} 11\n2 both {0} 12 11\n2 start {0} 12\n3 end {0} 11\n4 end {0} 12\n", {"twice": 1, "both": 1}),
    "a second start after the first had ended": (
        "1 start {0} 11\n2 end {0} 11\n3 both {0} 12 11\n3 start {0} 12\n", {}),
    "a start too soon": ("1 start {1} 11\n2 start {0} 12\n3 end {1} 11\n4 end {0} 12\n", {"order": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", LEDGERS)
def test_what_the_ledger_shows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends count, not starts; runs at the same time and starts before a dependency's end are seen."""
    monkeypatch.setattr("faults_trial.REST", 0.0)
    plan = make_plan(tmp_path)
    trial = Trial(Nova(), plan, Result("nova", "kill", 1, codes=[0]))
    trial.asked_at = 7.0
    below = next(task for task in plan.tasks if task.depends_on)
    text, counts = LEDGERS[name]
    trial.ledger_file.write_text(text.format(*below.depends_on[:1], below.id))
    result = trial.judge()
    assert {f: getattr(result, f) for f in ("twice", "asked", "both", "order") if getattr(result, f)} == counts
    assert (result.lost, result.never) == (len(trial.missing()), 0)


def test_success_without_the_work_is_wrong(tmp_path: Path) -> None:
    """An exit code of 0 is compared with the ledger."""
    trial = Trial(Nova(), make_plan(tmp_path), Result("nova", "kill", 1))
    trial.believe(1)
    trial.believe(0)
    assert trial.result.wrong == ["0, 16 missing"]


def test_the_published_table_is_of_this_campaign() -> None:
    """docs/faults.md has a row for each engine that was measured, a column for each fault, and explains each word."""
    table = [row for row in rows("docs/faults.md") if len(row) == 2 + len(faults.FAULTS)]
    assert table[0][2:] == [fault.title for fault in faults.FAULTS.values()]
    assert table[2][0] == "nova"
    assert {row[0] for row in table[2:]} <= ENGINES.keys()
    words = {word for row in table[2:] for word in re.findall(r"(?:^|, )(\w+) [\d.]+", ", ".join(row[2:]))}
    assert (
        {"2x", "both"} <= words <= {word for row in rows("docs/faults.md") for word in re.findall(r"`(\w+)`", row[0])}
    )


CELLS: list[tuple[dict[str, Any], str]] = [
    ({}, "ok"),
    ({"twice": 3, "asked": 1}, "2x 2.0, asked 1.0"),
    ({"both": 1, "manual": 2, "wrong": ["0, 1 missing"]}, "both 1.0, man 1, rc 1"),
    ({"running": 2}, "run 2.0"),
    ({"lost": 1, "gone": 5, "on": 1}, "LOST 1.0, on 1, out 1"),
]


@pytest.mark.parametrize(("counts", "shown"), CELLS)
def test_a_cell_says_what_went_wrong(counts: dict[str, Any], shown: str) -> None:
    """Nothing wrong is `ok`; how many trials there were is said if it is not the usual number."""
    assert faults.cell([Result("nova", "ctrl-c", 1, **counts)], 1) == shown
    assert faults.cell([Result("nova", "ctrl-c", 1)], 20) == "ok (n=1)"


@pytest.mark.parametrize("fault", some(["kill", "twice"], "kill"))
def test_nova_under_faults_sample(fault: str) -> None:
    """A sample of the campaign: every task once, and nothing is left."""
    result = faults.trial("nova", fault, 1)
    assert result.failed == ""
    assert faults.cell([result], 1) == "ok"
    assert result.strays == 0
