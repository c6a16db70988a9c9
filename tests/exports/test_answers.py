"""The JSON of `nova plan`, `why`, `logs` and `list`: it fits the published schema and says what the text says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_plans import MIXED, write_plan
from cli_process import nova

from nova_core.cli import logs
from nova_core.cli.app import run_cli
from nova_core.exports.answers import ANSWERS, answers_schema

SCHEMA = Path(__file__).parents[2] / "docs" / "output.schema.json"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a failure."""
    folder = write_plan(tmp_path_factory.mktemp("project"), MIXED)
    assert nova("run", cwd=folder).returncode == 1
    return folder


@pytest.fixture
def said(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Runs a command and returns its objects, each of which must be the documented one of the command."""
    monkeypatch.chdir(project)

    def run(*arguments: str) -> list[dict[str, Any]]:
        assert run_cli([*arguments, "--json"]) == 0
        found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        name = ANSWERS["plan" if arguments[0] == "run" else arguments[0]].__name__
        validator = jsonschema.Draft202012Validator({**answers_schema(), "oneOf": [{"$ref": f"#/$defs/{name}"}]})
        for value in found:
            validator.validate(value)
        return found

    return run


def test_the_published_schema_is_the_codes() -> None:
    """docs/output.schema.json is what the code generates; it is valid and requires every field."""
    found = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    assert found == answers_schema()
    assert all(set(d["required"]) == set(d["properties"]) for d in found["$defs"].values() if "properties" in d)


@pytest.mark.parametrize("command", [["plan"], ["run", "-n"], ["run", "--explain"]])
def test_the_plan(command: list[str], said: Any) -> None:
    """Each task with what would happen and why; an edit shows in the changes."""
    (found,) = said(*command)
    assert [(t["id"], t["action"]) for t in found["tasks"]] == [("F2", "wait"), ("F3", "wait"), ("F1", "skip")]
    assert (found["plan"], found["added"], found["removed"], found["edited"]) == ("CASCADE.md", [], [], [])


def test_an_edited_task_is_named(said: Any, project: Path) -> None:
    """It stays done without --rerun-changed; a task that left the plan and a new one are listed."""
    before = (project / "CASCADE.md").read_text()
    (project / "CASCADE.md").write_text(before.replace("echo good", "echo better").replace("| F3 |", "| F4 |"))
    (found,) = said("plan")
    (project / "CASCADE.md").write_text(before)
    assert (found["edited"], found["stay_done"], found["added"], found["removed"]) == (["F1"], ["F1"], ["F4"], ["F3"])


def test_why(said: Any) -> None:
    """State, reasons, log and the commands to type."""
    (found,) = said("why", "F2")
    assert (found["id"], found["name"], found["state"], found["attempts"]) == ("F2", "Bad", "failed", 1)
    assert found["why"] == ["failed: ##[error]oops; exit code 3", "blocks F3"]
    assert found["next"] == ["nova logs F2", "nova retry F2 && nova run"]
    assert (found["log"], found["log_end"]) == ("logs/F2.log", ["##[error]oops"])
    (found,) = said("why", "F3")
    assert (found["state"], found["log"], found["log_end"]) == ("blocked", None, [])


def test_logs(said: Any) -> None:
    """One object per line; a runner of GitHub finds no command in it, and a log that does not exist has no lines."""
    (found,) = said("logs", "F2")
    assert found == {"task": "F2", "attempt": 1, "line": 1, "text": "##[error]oops", "continues": False}
    assert said("logs", "F3") == []


def test_list(said: Any, project: Path) -> None:
    """The plan that was run with its counts, and plans in usual places that were not."""
    (project / "specs" / "1").mkdir(parents=True)
    (project / "specs" / "1" / "tasks.md").touch()
    (found,) = said("list")
    first, second = found["plans"]
    assert (first["plan"], first["state"], first["total"], first["done"], first["failed"]) == (
        "CASCADE.md", "failed", 3, 1, 1,
    )  # fmt: skip
    assert (second["plan"], second["state"], second["run"]) == ("specs/1/tasks.md", "not run", "")


def test_list_for_people(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A table; where there is no plan, a hint."""
    monkeypatch.chdir(project)
    assert run_cli(["list"]) == 0
    head, row, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["PLAN", "STATE", "DONE", "RUNNING", "FAILED", "STARTED", "NAME"]
    assert row.split()[:5] == ["CASCADE.md", "failed", "1/3", "0", "1"]
    empty = project / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert run_cli(["-C", ".", "list"]) == 2
    assert "there is no plan here" in capsys.readouterr().err


@pytest.mark.parametrize("cut", [1, 2, 3, 100])
def test_lines_do_not_depend_on_how_a_log_is_read(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of any size make the same objects; characters that are cut in two stay whole, endless lines are split."""
    stream = io.BytesIO()
    monkeypatch.setattr(logs, "LONGEST", 10)
    writer = logs.JsonWriter("F1", 2)
    writer._stream = stream
    data = "ä\r\n\n\x1b[31mré".encode()
    for at in range(0, len(data), cut):
        writer.write(data[at : at + cut])
    writer.finish()
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(o["line"], o["text"]) for o in found] == [(1, "ä"), (2, ""), (3, "\x1b[31mré")]
    writer.write(b"x" * 11)
    assert json.loads(stream.getvalue().splitlines()[-1])["continues"]
