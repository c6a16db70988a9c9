"""Commands below a project's folder work in the project, with the paths that the user gave."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nova_core.cli.app import run_cli
from nova_core.cli.folder import MARKS, project_above

PLAN = "| Task ID | Depends On | Command |\n|---|---|---|\n| A | - | `echo a > made` |\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the folder src/deep, in which the user is."""
    root = tmp_path / "project"
    (root / "src" / "deep").mkdir(parents=True)
    root.joinpath("CASCADE.md").write_text(PLAN)
    monkeypatch.chdir(root / "src" / "deep")
    return root


@pytest.mark.parametrize("mark", MARKS)
def test_the_nearest_project_above_is_found(mark: str, tmp_path: Path) -> None:
    """Each of the marks makes a project of a folder; one that is a project itself needs no other."""
    below = tmp_path / "outer" / "inner" / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "outer" / mark).touch()
    assert project_above(str(below), "/home/none") == str(tmp_path / "outer")
    (tmp_path / "outer" / "inner" / mark).touch()
    assert project_above(str(below), "/home/none") == str(tmp_path / "outer" / "inner")
    (below / mark).touch()
    assert project_above(str(below), "/home/none") is None


@pytest.mark.parametrize("end", ["repository", "home", "writable by others", "of another user"])
def test_where_the_search_ends(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan is a list of commands: one that another user put above, or that belongs to another tree, is not used."""
    outer = tmp_path / "outer"
    below = outer / "inner" / "a"
    below.mkdir(parents=True)
    outer.joinpath("CASCADE.md").write_text(PLAN)
    home = outer if end == "home" else tmp_path / "home"
    if end == "repository":
        (outer / "inner" / ".git").mkdir()
    if end == "writable by others":
        outer.chmod(0o777)
    if end == "of another user":
        monkeypatch.setattr(os, "geteuid", lambda: outer.stat().st_uid + 1)
    assert project_above(str(below), str(home)) is None


def test_the_top_of_the_repository_itself_is_a_project(project: Path) -> None:
    """The search includes the folder that has `.git`."""
    (project / ".git").mkdir()
    assert project_above(str(project / "src" / "deep"), "/home/none") == str(project)


def test_a_command_says_which_project_it_uses(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on standard error names the folder; data on standard output stay as they are."""
    assert run_cli(["check", "--json"]) == 0
    done = capsys.readouterr()
    assert json.loads(done.out)["valid"]
    assert done.err == f"nova: using the project in {project}\n"


def test_paths_are_those_of_the_users_folder(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Plans to read and files to write are relative to where the user is; the task runs in the project."""
    deep = project / "src" / "deep"
    deep.joinpath("plan.md").write_text(PLAN.replace("| A |", "| B |"))
    assert run_cli(["run", "--no-ui", "plan.md", "--summary", "out.json", "--junit", "../j.xml"]) == 0
    assert json.loads(deep.joinpath("out.json").read_text())["plan"] == "src/deep/plan.md"
    assert (project / "src" / "j.xml").exists()
    assert (project / "made").exists()
    assert (project / ".nova").exists()
    assert not (deep / ".nova").exists()


def test_the_folder_is_looked_for_again_by_each_command(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one command found does not change the paths of the next one in the same process."""
    assert run_cli(["check"]) == 0
    assert run_cli(["export", "-o", "in-project.md"]) == 0
    monkeypatch.chdir(project / "src")
    assert run_cli(["export", "-o", "in-src.md"]) == 0
    assert (project / "in-project.md").exists()
    assert (project / "src" / "in-src.md").exists()


@pytest.mark.parametrize("arguments", [["init"], ["-C", ".", "init"]])
def test_a_new_project_starts_here(arguments: list[str], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`nova init` makes a project of the current folder, even inside of another one."""
    assert run_cli(arguments) == 0
    assert (project / "src" / "deep" / "CASCADE.md").exists()


@pytest.mark.parametrize("arguments", [["-C", ".", "status"], ["status", "-C", "."]])
def test_dash_c_names_the_folder_itself(
    arguments: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With -C no other folder is looked for."""
    assert run_cli(arguments) == 2
    assert "no plan has been run here yet" in capsys.readouterr().err
