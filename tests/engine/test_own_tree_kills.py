"""Real engines, commands and git: the engine, or a git with it, dies at every step, and the next one continues."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from sampling import some
from tree_campaign import make_template, play

from nova_core.isolation.survey import survey

GIT, DISK, INSIDE = 180, 245, 90  # a few more than the steps of the run

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project to copy."""
    folder = tmp_path_factory.mktemp("template") / "project"
    make_template(folder)
    if problem := survey(folder).problem:
        pytest.skip(problem)
    return folder


@pytest.mark.parametrize("number", some(range(GIT), 61))
def test_a_kill_at_every_git(tmp_path: Path, template: Path, number: int) -> None:
    """Before and after each: all is merged once, the user's changes are as they were, and nothing is left."""
    assert play(tmp_path / "project", template, [("git", number, 0.0)]) == []


@pytest.mark.parametrize("number", some(range(1, DISK)))
def test_a_kill_at_every_change_of_a_file(tmp_path: Path, template: Path, number: int) -> None:
    """The same, where Nova changes a file of its own."""
    assert play(tmp_path / "project", template, [("disk", number, 0.0)]) == []


@pytest.mark.parametrize("number", some(range(1, INSIDE)))
def test_a_kill_inside_every_git(tmp_path: Path, template: Path, number: int) -> None:
    """A git dies with its engine at a random moment of its work."""
    assert play(tmp_path / "project", template, [("inside", number, Random(number).random() * 0.006)]) == []


@pytest.mark.parametrize("number", some(range(1, GIT), 31))
def test_a_kill_of_the_holder_at_every_git(tmp_path: Path, template: Path, number: int) -> None:
    """The engine continues without it; what its workers did is lost or whole, and done again by `retry`."""
    assert play(tmp_path / "project", template, [("holder", number, 0.0)]) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, GIT))
def test_two_kills(tmp_path: Path, template: Path, number: int) -> None:
    """The next engine dies, too."""
    deaths = [("git", number, 0.0), ("git", Random(number).randrange(1, 30), 0.0)]
    assert play(tmp_path / "project", template, deaths) == []
