"""What `nova doctor` says about isolation: whether it is possible, and what would surprise people."""

from __future__ import annotations

from pathlib import Path

import pytest
from iso_kit import git, repository

from nova_core.cli.checks import Level
from nova_core.cli.isolation_checks import editable_in, findings
from nova_core.config import Config
from nova_core.config.git import GitConfig


def said(root: Path, config: Config) -> dict[str, tuple[Level, str]]:
    """The findings by their names."""
    return {finding.what: (finding.level, finding.detail) for finding in findings(root, config)}


@pytest.mark.parametrize(
    ("isolation", "level"), [("off", None), ("auto", None), ("tree", Level.PROBLEM)]
)  # fmt: skip
def test_outside_of_git(tmp_path: Path, isolation: str, level: Level | None) -> None:
    """Only a setting that insists makes it a problem."""
    assert said(tmp_path, Config(isolation=isolation)).get("isolation", (None,))[0] == level


def test_a_repository(tmp_path: Path) -> None:
    """The folder of the trees is named; a repository that cannot be used says why, as loudly as the settings ask."""
    root = repository(tmp_path)
    assert said(root, Config(isolation="tree"))["trees"][0] is Level.OK
    assert said(root, Config(isolation="off"))["isolation"][0] is Level.NOTE
    git(root, "update-ref", "-d", "HEAD")
    for isolation, level in (("tree", Level.PROBLEM), ("auto", Level.WARNING), ("off", Level.NOTE)):
        assert said(root, Config(isolation=isolation))["isolation"] == (
            level, "tasks cannot work in trees of their own: the repository has no commit yet",
        )  # fmt: skip


def test_submodules_and_leftovers(tmp_path: Path) -> None:
    """Submodules are a warning unless `setup` fills them; kept work is a note."""
    root = repository(tmp_path)
    (root / ".gitmodules").write_text('[submodule "x"]\n')
    git(root, "update-ref", "refs/nova/0a1b2c3d/kept/A.1", "HEAD")
    found = said(root, Config(isolation="auto"))
    assert found["submodules"][0] is Level.WARNING
    assert found["leftovers"] == (Level.NOTE, "1 run left branches, trees or kept work; nova clean lists them")
    filled = GitConfig(setup="git submodule update --init")
    assert "submodules" not in said(root, Config(isolation="auto", git=filled))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("_editable_impl_x.pth", "{root}/src\n", "_editable_impl_x.pth"),
        ("x.egg-link", "{root}\n.", "x.egg-link"),
        ("x.dist-info/direct_url.json", '{{"dir_info": {{"editable": true}}, "url": "file://{root}"}}', "x.dist-info"),
        ("x-1.dist-info/direct_url.json", '{{"dir_info": {{}}, "url": "file://{root}"}}', ""),
        ("distutils-precedence.pth", "import os; os.getcwd()\n", ""),
        ("other.pth", "/somewhere/else\n", ""),
        ("own.pth", "{root}/.venv/lib/x\n", ""),
    ],
)  # fmt: skip
def test_editable_installs(tmp_path: Path, name: str, text: str, found: str) -> None:
    """An environment that imports from the project's folder is found, by each way in which installers write that."""
    file = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages" / name
    file.parent.mkdir(parents=True)
    file.write_text(text.format(root=tmp_path))
    assert editable_in(tmp_path / ".venv", tmp_path) == found
