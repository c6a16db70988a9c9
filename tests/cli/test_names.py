"""A name in the wrong place: a task instead of a plan, a file or a group instead of a task."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import nova

from nova_core.cli.app import run_cli

PLAN = """# Shop

## Backend

### Core

| Task ID | Depends On | Command |
|---|---|---|
| F1 | - | `true` |
| F2 | F1 | `true` |

### Edge

| Task ID | Depends On | Command |
|---|---|---|
| F3 | F1 | `true` |
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the plan has been run."""
    folder = tmp_path_factory.mktemp("shop")
    folder.joinpath("CASCADE.md").write_text(PLAN)
    assert nova("run", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "F1"], "run it with nova run --only F1, or with what it needs: nova run --until F1"),
        (["run", "--no-ui", "F1", "F2"], "nova run --only F1"),
        (["run", "Core"], "run its tasks with nova run --group Core"),
        (["run", "Backend"], "run its tasks with nova run --branch Backend"),
        (["run", "f1"], "did you mean a task? run it with nova run --only F1"),
        (["run", "CASCADES.md"], "did you mean CASCADE.md?"),
        (["run", "other/plan.md"], "give the path of a plan; this project has CASCADE.md"),
        (["plan", "F2"], "nova run --only F2"),
        (["check", "F2"], "show it with nova why F2"),
        (["graph", "F2"], "show it with nova why F2"),
        (["export", "F2"], "show it with nova why F2"),
        (["F1"], "run it with nova run --only F1"),
        (["CASCADE.md"], "run a plan with nova run CASCADE.md"),
        (["logs", "CASCADE.md"], "CASCADE.md is a file; name one of its tasks"),
        (["why", "Core"], "Core is a group; its tasks: F1 F2"),
        (["retry", "Backend"], "Backend is a branch; its tasks: F1 F2 F3"),
        (["prompt", "Core"], "Core is a group; its tasks: F1 F2"),
        (["logs", "F9x"], "list the tasks with nova status --all"),
        (["history", "F1"], "F1 is a task: see nova why and nova logs F1"),
        (["run", "--only", "Core"], "it is a group: --group 'Core'"),
        (["run", "--group", "Backend"], "it is a branch: --branch 'Backend'"),
        (["run", "--branch", "F1"], "it is a task: --only F1"),
    ],
)
def test_the_hint_says_what_to_type(
    arguments: list[str], said: str, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is one of the command line or of the plan; its hint names the right option or command."""
    monkeypatch.chdir(shop)
    assert run_cli(arguments) in (2, 3)
    assert said in capsys.readouterr().err


def test_a_file_comes_before_a_task_of_its_name(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that has a task's name is a plan."""
    monkeypatch.chdir(shop)
    shop.joinpath("F1").write_text(PLAN)
    assert run_cli(["check", "F1"]) == 0
    shop.joinpath("F1").unlink()


def test_without_a_plan_nothing_is_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no plan at all, the hint says how to name one."""
    monkeypatch.chdir(tmp_path)
    assert run_cli(["run", "F1"]) == 3
    assert "give the path of a CASCADE.md" in capsys.readouterr().err
