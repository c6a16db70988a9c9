"""sprint-status.yaml of BMAD: stories in sequence."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_core.errors import InputError
from nova_core.importers.formats import read_plan
from nova_core.model import PlanOptions

STATUS = """\
# generated: 2026-01-01
project: Kiosk
story_location: _bmad-output/implementation-artifacts

development_status:
  # Epic 1: Till
  epic-1: in-progress
  1-1-draw-the-till: done
  1-2-build-it: review
  1-3-oil-it: ready-for-dev
  epic-1-retrospective: optional
  epic-2: backlog
  2-1-open-the-door: backlog
  2-2-close-it: superseded
"""
EPICS = """\
# Epics

## Epic 1: Till

### Story 1.3: Oil the Till

As a seller, I want it oiled.

## Epic 2: Door

### Story 2.1: Open the Door

As a buyer, I want in.
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a sprint, which is the current directory."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "implementation-artifacts/sprint-status.yaml": STATUS,
        "implementation-artifacts/1-2-build-it.md": "# Story 1.2: Build it\n\nStatus: done\n\n## Tasks\n- [ ] Saw\n",
        "planning-artifacts/epics.md": EPICS,
    }.items():
        path = tmp_path / "_bmad-output" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize("path", ["_bmad-output", "_bmad-output/implementation-artifacts/sprint-status.yaml"])
def test_stories(path: str) -> None:
    """Each story waits for the one before it, with the text of its file or of the epics; meetings are no tasks."""
    cascade = read_plan(path, PlanOptions())
    assert (cascade.format, cascade.name) == ("bmad", "Kiosk")
    assert [(t.id, t.name, t.settled, t.dropped, t.group) for t in cascade.tasks.values()] == [
        ("1-1-draw-the-till", "Draw the till", "done", False, "Epic 1"),
        ("1-2-build-it", "Build it", "", False, "Epic 1"),
        ("1-3-oil-it", "Oil the Till", "", False, "Epic 1"),
        ("2-1-open-the-door", "Open the Door", "", False, "Epic 2"),
        ("2-2-close-it", "Close it", "superseded", True, "Epic 2"),
    ]
    tasks = list(cascade.tasks.values())
    assert tasks[2].depends_on == ("1-2-build-it",)
    assert "- [ ] Saw" in tasks[1].details
    assert tasks[3].details == "As a buyer, I want in."
    said = [note.text for note in cascade.notes]
    assert any("1-2-build-it is 'review' here" in text for text in said)
    assert any("1 retrospective of epics" in text for text in said)
    assert not any("1-3-oil-it is" in text for text in said), "ready-for-dev is a state of BMAD"


def test_a_story_of_which_only_the_name_is_known(here: Path) -> None:
    """A note says that an agent gets no more."""
    (here / "_bmad-output/planning-artifacts/epics.md").unlink()
    said = [note.text for note in read_plan("_bmad-output", PlanOptions()).notes]
    assert any("2 stories have no story file" in text for text in said)


@pytest.mark.parametrize("text", ["development_status:\n", "development_status: [a]\n", "development_status: {}\n"])
def test_no_stories(here: Path, text: str) -> None:
    """An empty sprint is an error in one line."""
    Path("s.yaml").write_text(text)
    with pytest.raises(InputError):
        read_plan("s.yaml", PlanOptions())


@pytest.mark.parametrize("location", ["/etc", "../..", "a/../../.."])
def test_stories_are_read_in_the_project_only(here: Path, location: str) -> None:
    """A location outside of the project is not followed."""
    (here / "secret.md").write_text("secret")
    below = here / "p" / "q"
    below.mkdir(parents=True)
    file = below / "sprint-status.yaml"
    file.write_text(f"story_location: {location}\ndevelopment_status:\n  secret: backlog\n")
    assert read_plan(file, PlanOptions()).tasks["secret"].details == ""


def test_a_location_with_a_placeholder(here: Path) -> None:
    """`{project-root}` is not YAML, but it is written by people and their agents."""
    file = here / "_bmad-output/implementation-artifacts/sprint-status.yaml"
    file.write_text(STATUS.replace("location: _bmad", "location: {project-root}/_bmad"))
    assert "- [ ] Saw" in read_plan(file, PlanOptions()).tasks["1-2-build-it"].details


def test_epics_in_other_words(here: Path) -> None:
    """Epics of which no heading is understood say nothing."""
    (here / "_bmad-output/planning-artifacts/epics.md").write_text("# Epics\n\nThe till, then the door.\n")
    assert len(read_plan("_bmad-output", PlanOptions()).tasks) == 5


def test_too_long(here: Path) -> None:
    """A sprint of more lines than Nova reads as YAML is an error in one line."""
    lines = "".join(f"  {i}-1-a: backlog\n" for i in range(50_001))
    (here / "s.yaml").write_text(f"development_status:\n{lines}")
    with pytest.raises(InputError, match="50,000 lines") as error:
        read_plan("s.yaml", PlanOptions())
    assert len(error.value.problems) == 1
