"""`nova run --summary`: a document that fits its schema, however the run ended."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_process import command, environment, nova
from hostile import NAMES

from nova_core.exports.summary_json import Summary, summary_schema

SCHEMA = Path(__file__).parents[2] / "docs" / "summary.schema.json"
HEAD = "# Demo\n\n| Task ID | Task Name | Command | Depends On | Approval |\n| --- | --- | --- | --- | --- |\n"
MIXED = """\
| F1 | Good | `echo 'Token usage: input=1200, output=300'` | - | |
| F2 | Bad | `exit 3` | F1 | |
| F3 | Blocked | `true` | F2 | |
"""


def run(folder: Path, rows: str, *options: str, code: int) -> dict[str, Any]:
    """The document of a run of these rows, which must fit the schema."""
    (folder / "CASCADE.md").write_text(HEAD + rows)
    done = nova("run", "--summary", "summary.json", *options, cwd=folder)
    assert done.returncode == code, done.stderr
    return read(folder / "summary.json")


def read(path: Path) -> dict[str, Any]:
    """A document, which must fit the schema."""
    found: dict[str, Any] = json.loads(path.read_bytes())
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)
    return found


def test_the_published_schema_is_that_of_the_code() -> None:
    """docs/summary.schema.json is what the code generates, and requires every field."""
    schema = json.loads(SCHEMA.read_text())
    assert schema == summary_schema()
    assert set(schema["$defs"]["Summary"]["required"]) == set(Summary.__struct_fields__)


def test_the_documentation_names_every_field() -> None:
    """docs/ci.md explains each field of the document and of its tasks."""
    text = SCHEMA.with_name("ci.md").read_text()
    fields = {name for definition in summary_schema()["$defs"].values() for name in definition.get("properties", ())}
    assert {name for name in fields if f"`{name}`" not in text} == set()


def test_a_run_with_a_failure(tmp_path: Path) -> None:
    """The document has the exit code with its meaning, the counts, and for each task its status and the reason."""
    (tmp_path / "milestones.yaml").write_text("milestones:\n  - id: bad\n    trigger: {type: any_task_failed}\n")
    found = run(tmp_path, MIXED, "--retries", "1", code=1)
    assert (found["exit_code"], found["outcome"], found["name"], found["plan"]) == (1, "failed", "Demo", "CASCADE.md")
    assert found["counts"] == {
        "total": 3, "completed": 1, "failed": 1, "cancelled": 0, "blocked": 1, "pending": 0, "waiting_approval": 0,
    }  # fmt: skip
    assert found["milestones"] == ["bad"]
    assert found["tokens"]["input_tokens"] == 1200
    assert (found["cost_usd"], found["unpriced"]) == (None, True)
    assert found["started_at"] <= found["tasks"][0]["started_at"] <= found["ended_at"]
    good, bad, blocked = found["tasks"]
    assert (good["status"], good["attempts"], good["log"]) == ("completed", 1, "logs/F1.log")
    assert (bad["status"], bad["reason"], bad["error"], bad["attempts"]) == ("failed", "exit_code", "exit code 3", 2)
    assert (blocked["status"], blocked["blocked_by"], blocked["log"]) == ("pending", ["F2"], None)
    assert [(tmp_path / task["log"]).exists() for task in (good, bad)] == [True, True]


@pytest.mark.parametrize(
    ("rows", "code", "outcome"),
    [
        ("| F1 | One | `true` | - | |\n", 0, "completed"),
        ("| F1 | One | `true` | - | yes |\n", 4, "incomplete"),
    ],
)
def test_every_outcome_is_written(tmp_path: Path, rows: str, code: int, outcome: str) -> None:
    """A run that is done, and one that needs approval, each leave a document with that outcome."""
    assert run(tmp_path, rows, code=code)["outcome"] == outcome


def test_a_run_over_budget_is_written(tmp_path: Path) -> None:
    """A run that used up its budget reports it, with the cost."""
    (tmp_path / "nova.yaml").write_text("budget: 0.01\nprices: {m: {input: 1, output: 1}}\n")
    (tmp_path / "CASCADE.md").write_text(
        "| Task ID | Task Name | Command | Depends On | Model |\n| --- | --- | --- | --- | --- |\n"
        "| F1 | One | `echo 'Token usage: input=2000000, output=0'` | - | m |\n| F2 | Two | `true` | F1 | m |\n"
    )
    assert nova("run", "--summary", "summary.json", cwd=tmp_path).returncode == 5
    found = read(tmp_path / "summary.json")
    assert (found["outcome"], found["cost_usd"], found["tasks"][0]["cost_usd"]) == ("over_budget", 2.0, 2.0)
    assert found["tasks"][0]["model"] == "m"


def test_a_stopped_run_is_written(tmp_path: Path) -> None:
    """A run that a signal ends leaves a document with the exit code of the process."""
    (tmp_path / "CASCADE.md").write_text(HEAD + "| F1 | One | `sleep 60` | - | |\n")
    arguments = command("run", "--no-ui", "--summary", "out.json")
    process = subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "F1 started" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    found = read(tmp_path / "out.json")
    assert (found["exit_code"], found["outcome"], found["counts"]["pending"]) == (143, "stopped", 1)


def test_hostile_names_stay_data(tmp_path: Path) -> None:
    """Names full of escapes and shell text are in the document, which can be printed safely."""
    rows = "".join(f"| {task_id} | {name} | `true` | - | |\n" for task_id, (name, _) in NAMES.items())
    found = run(tmp_path, rows, code=0)
    assert len(found["tasks"]) == len(NAMES)
    text = (tmp_path / "summary.json").read_text()
    assert all(line.isprintable() for line in text.splitlines())
    assert not list(tmp_path.glob("pwned*"))


def test_the_file_is_replaced_whole_and_keeps_its_links(tmp_path: Path) -> None:
    """An older file is replaced, also through a link, and no other file is left next to it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "real.json").write_text("old")
    (tmp_path / "summary.json").symlink_to("out/real.json")
    assert run(tmp_path, "| F1 | One | `true` | - | |\n", code=0)["outcome"] == "completed"
    assert (tmp_path / "summary.json").is_symlink()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["real.json"]


def test_a_file_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """The run keeps its exit code, and one line names the file that could not be written."""
    (tmp_path / "CASCADE.md").write_text(HEAD + "| F1 | One | `rmdir such` | - | |\n")
    (tmp_path / "such").mkdir()
    done = nova("run", "--summary", "such/folder.json", "--junit", "junit.xml", cwd=tmp_path)
    assert done.returncode == 0
    assert "nova: cannot write such/folder.json: No such file or directory" in done.stderr
    assert (tmp_path / "junit.xml").exists()


def test_a_device_is_written_to(tmp_path: Path) -> None:
    """A path that is not a regular file is written to and not replaced."""
    (tmp_path / "CASCADE.md").write_text(HEAD + "| F1 | One | `true` | - | |\n")
    assert nova("run", "--summary", "/dev/null", cwd=tmp_path).returncode == 0
    assert Path("/dev/null").is_char_device()
