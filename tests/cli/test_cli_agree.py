"""`import`, `check`, `run -n`, `export` and `graph` read every plan the same way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nova_core.cli.app import run_cli

CHECKLIST = "# Tasks: Shop\n## Phase 1: Base\n- [x] T001 A\n- [ ] T002 B{}\n- [ ] T003 C\n"
TABLE = """\
| Task ID | Title | Points | Dependencies |
|---------|-------|--------|--------------|
| K-1 | a | 3 | - |
| K-2 | b | 3 | {} |
| K-3 | c | 3 | K-1 |
"""
PLANS = {
    "missing in a table": ("PLAN.md", TABLE.format("Phase 0 complete")),
    "or in a table": ("PLAN.md", TABLE.format("K-1 or K-3")),
    "own group": ("PLAN.md", f"### Phase 1\n{TABLE.format('Phase 1')}"),
    "struck out": ("PLAN.md", TABLE.format("~~K-9~~")),
    "a cycle": ("PLAN.md", TABLE.format("K-2, K-3") + "| K-4 | d | 1 | K-5 |\n| K-5 | e | 1 | K-4 |\n"),
    "missing in Nova's own table": ("CASCADE.md", TABLE.format("K-9")),
    "spec-kit": ("specs/1/tasks.md", CHECKLIST.format("")),
    "missing in a list": ("specs/1/tasks.md", CHECKLIST.format(" (depends on T099)")),
    "kiro": (".kiro/specs/a/tasks.md", "# Plan\n- [ ] 1. A\n  - [ ] 1.1 B\n- [ ]* 2. C\n"),
    "openspec": ("openspec/changes/a/tasks.md", "## 1. A\n- [ ] 1.1 B\n- [?] 1.2 C\n"),
    "taskmaster": (
        ".taskmaster/tasks/tasks.json",
        '{"tasks": [{"id": 1, "title": "a"}], "master": {"tasks": [{"id": 1, "title": "b", "dependencies": [9]}]}}',
    ),
    "no boxes": ("openspec/changes/a/tasks.md", "## 1. A\n1. B\n"),
    "two lists": ("tasks.md", f"# Shop\n- [x] **a**\n- [ ] **b**\n- [ ] **c**\n\n{TABLE.format('K-1')}"),
    "conductor": (
        "conductor/tracks/a/plan.md",
        "## Phase 1: A\n- [ ] Task: B\n  - [ ] c\n## Phase 2: D\n- [x] E\n",
    ),
    "agent-os": (
        "agent-os/specs/a/tasks.md",
        "#### Task Group 1: A\n- [ ] 1.0 B\n  - [ ] 1.1 C\n#### Task Group 2: D\n**Dependencies:** None\n- [ ] 2.1 E\n",
    ),
    "superpowers": (
        "docs/superpowers/plans/a.md",
        "# Plan\n### Task 1: A\n- [x] **Step 1**\n### Task 2: B\nDepends on Task 9.\n- [ ] **Step 1**\n",
    ),
    "user stories": ("prd.md", "# PRD\n### US-001: A\n- [x] B\n### US-002: C\n- [ ] D\n"),
    "a checklist": ("PLAN.md", "# Plan\n## Phase 1\n- [x] A\n## Phase 2\n- [?] B\n## Notes\n- [ ] C\n"),
    "prose": ("PLAN.md", "# Plan\n\n- Do it\n"),
    "features": ("feature_list.json", '{"features": [{"id": 1, "title": "a", "status": "x", "depends_on": [7]}]}'),
    "no features": ("feature_list.json", '{"features": []}'),
    "bmad": ("sprint-status.yaml", "development_status:\n  epic-1: done\n  1-1-a: done\n  1-2-b: backlog\n"),
    "no sprint": ("sprint-status.yaml", "development_status:\n"),
    "a folder": (".planning/phases/01-a/01-02-PLAN.md", '---\nphase: 01-a\nplan: 02\ndepends_on: ["01-01"]\n---\nB\n'),
}


@pytest.mark.parametrize(("name", "text"), PLANS.values(), ids=PLANS)
def test_every_command_reads_the_same_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    """What one accepts all accept, with the same tasks; what one rejects all reject, with the same message."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nova.yaml").write_text('command: "true"\n')
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
    plan = ".planning" if name.startswith(".planning") else name
    ends = {}
    for command in ("import", "check", "export -f json", "graph -f json", "run -n"):
        code = run_cli([*command.split(" "), plan])
        ends[command] = (code, *capsys.readouterr())
    codes = {code for code, _, _ in ends.values()}
    assert codes in ({0}, {3})
    if codes == {3}:
        assert len({err.splitlines()[0] for _, _, err in ends.values()}) == 1
        return
    exported = [task["id"] for task in json.loads(ends["export -f json"][1])["tasks"]]
    drawn = [task["id"] for task in json.loads(ends["graph -f json"][1])["tasks"]]
    assert sorted(exported) == sorted(drawn)
    assert f" {len(exported)} task" in ends["import"][1]
    assert f" {len(exported)} task" in ends["check"][1]
