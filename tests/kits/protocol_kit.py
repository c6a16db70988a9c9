"""Writes folders of the Task Orchestration Protocol as people write them, and an agent that does their tasks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

AGENT = """\
import json, os, pathlib, sys, time
task = os.environ["NOVA_TASK_ID"]
print("doing", task, flush=True)
held = pathlib.Path("hold", task)
while held.exists():
    time.sleep(0.005)
if pathlib.Path("fail", task).exists():
    sys.exit(3)
forgotten = pathlib.Path("forget", task)
skip = forgotten.read_text().split() if forgotten.exists() else []
for path in json.loads(pathlib.Path("outputs.json").read_text()).get(task, []):
    if path in skip:
        continue
    home = "" if path.startswith(("src/", "workspace/")) else os.environ["NOVA_OUTPUT_DIR"]
    target = pathlib.Path(home, path.replace("*", "one"))
    if path.endswith("/"):
        target = target / "first.txt"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("made by " + task + "\\n")
"""
PHASES = """\
phases:
  survey: {gate: true, max_parallel: 2, timeout: 8h}
  design: {gate: barrier, timeout: 6h}
  03-build: {gate: true, max_parallel: 3, timeout: 12h}
  check: {gate: advice, max_parallel: 1}
"""


def task_file(
    folder: Path, task_id: str, *, needs: Iterable[str] = (), inputs: Iterable[str] = (), outputs: Iterable[str] = (),
    phase: str | None = None, body: str = "", **fields: Any,
) -> Path:  # fmt: skip
    """A file `tasks/<id>.md`. A path that ends in `(...)` has quotes around its first part only: invalid YAML."""
    lines = [f'task_id: "{task_id}"', f'title: "Do {task_id}"', f'phase: "{phase or task_id.partition("/")[0]}"']
    for name, values in (("dependencies", needs), ("inputs", inputs), ("outputs", outputs)):
        items = [f"  - {_quoted(value)}" for value in values]
        lines += [f"{name}:", *items] if items else [f"{name}: []"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    path = folder / "tasks" / f"{task_id}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["---", *lines, "---", "", f"# Task: {task_id}", "", body]) + "\n")
    return path


def _quoted(value: str) -> str:
    head, bracket, remark = value.partition(" (")
    return f'"{head}"{bracket and " ("}{remark}'


def settings(folder: Path, text: str = "", *, jobs: int = 6) -> None:
    """The stub agent and a nova.yaml that names it; `text` is its further contents."""
    folder.joinpath("agent.py").write_text(AGENT)
    command = json.dumps([sys.executable, "agent.py"])
    agents = f"agent: stub\nagents:\n  stub: {{command: {command}, cpu: 1}}\n"
    folder.joinpath("nova.yaml").write_text(f"jobs: {jobs}\n{agents}{text}")


def outputs_of(folder: Path, outputs: Mapping[str, Iterable[str]]) -> None:
    """Set what the stub agent writes."""
    folder.joinpath("outputs.json").write_text(json.dumps({i: list(paths) for i, paths in outputs.items()}))


SURVEY = ("01-measure", "02-sort", "03-audit-tree", "04-audit-walk", "05-usage", "06-baseline")
DESIGN = ("01-rank", "02-shapes", "03-walks", "04-tests")
BUILD = tuple(f"{n:02}-part-{n}" for n in range(1, 12))
UNWRITTEN = "workspace/outputs/01-survey/05-usage/usage-frequency.json"


def weather_station(folder: Path) -> dict[str, list[str]]:
    """Twenty-six tasks in five phases, with the mistakes of real folders; returns the outputs of each task.

    Ten files are invalid YAML, phases have two kinds of names, inputs start from five different roots, no task writes
    one of them (`UNWRITTEN`), and 05-tune/01-pools reads an output of a task that it does not depend on.
    """
    made: dict[str, list[str]] = {}

    def add(task_id: str, needs: Iterable[str], inputs: Iterable[str], outputs: Iterable[str], **fields: Any) -> None:
        made[task_id] = [path.partition(" (")[0] for path in outputs]
        task_file(folder, task_id, needs=needs, inputs=inputs, outputs=outputs, **fields)

    done = "## Acceptance Criteria\n\n- [ ] all of it is written down\n- [x] `abstract new` stations parse\n"
    (folder / "data" / "north").mkdir(parents=True)
    (folder / "data" / "north" / "a.csv").write_text("1\n")
    (folder / "src").mkdir()
    (folder / "src" / "core.c").write_text("int main;\n")
    add("01-survey/01-measure", (), (), ("results.json", "summary.md"), phase="survey",
        estimated_duration='"2-4 hours"', complexity="low", body=done)  # fmt: skip
    add("01-survey/02-sort", ["01-survey/01-measure"], ["../01-measure/results.json"], ["gaps.json"], phase="survey")
    add("01-survey/03-audit-tree", (), (), ["tree.md", "samples/"], phase="survey")
    add("01-survey/04-audit-walk", (), ["data/**/*.csv (all stations)"], ["reports/*.md"], phase="survey")
    add("01-survey/05-usage", (), ["src/core.c"], ["feature-frequency-analysis.json"], phase="survey")
    add("01-survey/06-baseline", (), (), ["baseline.json"], phase="survey")
    first = [f"01-survey/{name}" for name in ("01-measure", "02-sort", "05-usage")]
    add("02-design/01-rank", first, ["../01-survey/02-sort/gaps.json", "../01-survey/05-usage/usage-frequency.json"],
        ["ranked.json"], phase="design")  # fmt: skip
    for before, name in pairwise(DESIGN):
        add(f"02-design/{name}", [f"02-design/{before}"], ["../../02-design/01-rank/ranked.json"], [f"{name}.md"],
            phase="design")  # fmt: skip
    for n, name in enumerate(BUILD):
        outputs = [f"src/part_{n}.c" + (" (modified)" if n else ""), f"workspace/outputs/03-build/{name}/report.md"]
        add(f"03-build/{name}", ["02-design/02-shapes", "02-design/03-walks"],
            ["workspace/outputs/02-design/02-shapes/02-shapes.md"], outputs, priority="high", skills_required="[C]",
            estimated_duration='"4-6 hours"')  # fmt: skip
    built = [f"03-build/{name}" for name in BUILD]
    add("04-check/01-all", built, ["workspace/outputs/03-build/01-part-1/report.md"], ["final.json"], phase="check")
    add("04-check/02-field", ["04-check/01-all"], ["final.json"], ["field.md"], phase="check")
    add("04-check/03-speed", ["04-check/01-all"], ["../../01-survey/06-baseline/baseline.json"], ["speed.json"])
    add("05-tune/01-pools", ["04-check/01-all"], ["../../04-check/03-speed/speed.json"], ["pools.md"], phase="tune")
    add("05-tune/02-lanes", ["05-tune/01-pools"], ["src/core.c"], ["lanes.md"], phase="tune")
    extra = {
        "README.md": "# How to\n",
        "00-TASK-GRAPH.md": "```mermaid\ngraph TD\n```\n",
        "00-setup/PROTOCOL.md": "# Rules\n",
        "TEMPLATE-build.md": "---\ntask_id: 03-build/XX\noutputs: [x]\n---\n",
        "01-survey/notes.md": "# Just notes\n",
    }
    for name, text in extra.items():
        path = folder / "tasks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    outputs_of(folder, made)
    return made


def status(folder: Path, task_id: str) -> dict[str, Any] | None:
    """The contents of a task's status file; None if there is none."""
    try:
        text = folder.joinpath("workspace/status", f"{task_id}.json").read_text()
    except FileNotFoundError:
        return None
    found: dict[str, Any] = json.loads(text)
    return found


def statuses(folder: Path) -> dict[str, str]:
    """The status in every status file, by task id."""
    top = folder / "workspace" / "status"
    return {
        str(path.relative_to(top).with_suffix("")): json.loads(path.read_text())["status"]
        for path in top.rglob("*.json")
    }


def mark(folder: Path, what: str, task_id: str, text: str = "") -> Path:
    """Make the stub agent wait, fail, or forget outputs of a task."""
    path = folder / what / task_id
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
