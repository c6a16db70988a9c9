"""Other names of Nova's files: those that are read, and those that are only named in a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_core.cli.app import run_cli
from nova_core.config import load_config
from nova_core.files.variants import existing, unread, variants_of

TABLE = "| Task ID | Depends On | Command |\n|---|---|---|\n| A | - | `true` |\n"


@pytest.mark.parametrize(
    ("name", "files", "read"),
    [
        ("nova.yaml", ["nova.yml"], "nova.yml"),
        ("nova.yaml", ["Nova.YML", "NOVA.yaml"], "NOVA.yaml"),
        ("nova.yaml", ["nova.yaml", "nova.yml"], "nova.yaml"),
        ("nova.yaml", ["supernova.yaml", "nova.yaml.bak", "nova"], "nova.yaml"),
        ("milestones.yaml", ["milestones.yml"], "milestones.yml"),
        ("milestones.yaml", ["Milestone.yaml"], "Milestone.yaml"),
    ],
)
def test_the_settings_that_are_read(name: str, files: list[str], read: str, tmp_path: Path) -> None:
    """The documented name comes first; without it, another case or the other ending stands for it."""
    for file in files:
        tmp_path.joinpath(file).touch()
    assert existing(tmp_path / name).name == read


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        (["nova.yml"], []),
        (["nova.yaml", "nova.yml"], ["nova.yml is not read: nova.yaml is"]),
        (["nova.toml"], ["nova.toml is not read: rename it to nova.yaml"]),
        ([".nova.yaml"], [".nova.yaml is not read: rename it to nova.yaml"]),
        (["nova.yaml.txt"], ["nova.yaml.txt is not read: rename it to nova.yaml"]),
        (["milestones.json"], ["milestones.json is not read: rename it to milestones.yaml"]),
        (["CASCADE.md", "cascade.markdown"], ["cascade.markdown is not read: CASCADE.md is"]),
        (["CASCADE.md.txt"], ["CASCADE.md.txt is not read: rename it to CASCADE.md"]),
        (["CASCADE"], ["CASCADE is not read: rename it to CASCADE.md"]),
        (["nova.md", "cascade.yaml", "README.md"], []),
    ],
)
def test_a_file_that_only_looks_like_one_is_named(files: list[str], lines: list[str], tmp_path: Path) -> None:
    """A warning names the file that is read instead, or the right name."""
    for file in files:
        tmp_path.joinpath(file).touch()
    tmp_path.joinpath(".nova").mkdir()
    assert unread(tmp_path) == lines


@pytest.mark.parametrize("name", ["cascade.md", "Cascade.md", "CASCADE.MD", "cascade.markdown"])
def test_the_plan_is_found_in_any_case(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands without PLAN use it."""
    tmp_path.joinpath(name).write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    assert variants_of("CASCADE.md", ".") == [name]
    assert run_cli(["check"]) == 0
    assert "1 task" in capsys.readouterr().out


def test_problems_name_the_file_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings of nova.yml and milestones.yml apply, and their mistakes are reported with these names."""
    tmp_path.joinpath("nova.yml").write_text("jobs: 7\n")
    assert load_config(None, environ={}, root=tmp_path).origins == {"jobs": f"{tmp_path}/nova.yml:1"}
    tmp_path.joinpath("CASCADE.md").write_text(TABLE)
    tmp_path.joinpath("milestones.yml").write_text("milestones: 3\n")
    tmp_path.joinpath("nova.json").touch()
    monkeypatch.chdir(tmp_path)
    assert run_cli(["check"]) == 3
    said = capsys.readouterr().err
    assert "milestones.yml:1: " in said
    assert "note: nova.json is not read: nova.yml is" in said
