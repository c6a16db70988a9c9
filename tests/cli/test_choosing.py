"""Commands take the plan they are about, find the one that runs, or ask in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import nova

from nova_core.files.lock import RunLock
from nova_core.files.project import Project
from nova_core.places import places_in

HEAD = "# {name}\n\n| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n"


def two_plans(folder: Path) -> Path:
    """Two plans that have run: in each A is done and B failed."""
    for name in ("one", "two"):
        rows = f"| A | A | `echo {name}.A` | - |\n| B | B | `echo {name}.B; false` | A |\n"
        (folder / f"{name}.md").write_text(HEAD.format(name=name) + rows)
        assert nova("run", "--no-ui", f"{name}.md", cwd=folder).returncode == 1
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two plans that have run, for commands that change neither."""
    return two_plans(tmp_path_factory.mktemp("plans"))


ABOUT_A_PLAN = [
    ("status",), ("status", "--json"), ("progress",), ("why", "A"), ("logs", "A"), ("retry", "B"), ("cancel", "--all"),
    ("skip", "B"), ("pause",), ("resume",), ("approve", "A"), ("prompt", "A"), ("run",), ("graph",),
]  # fmt: skip


@pytest.mark.parametrize("words", ABOUT_A_PLAN, ids=" ".join)
def test_with_several_plans_a_command_asks_in_one_line(folder: Path, words: tuple[str, ...]) -> None:
    """Neither runs: the choices are named, and nothing is changed."""
    before = {own.key: own.state_file.read_bytes() for own, _ in places_in(folder)}
    done = nova(*words, cwd=folder)
    assert done.returncode == 2
    assert "nova: several plans have run here: one.md, two.md\nhint: " in done.stderr
    assert {own.key: own.state_file.read_bytes() for own, _ in places_in(folder)} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "two.md"), "two: "),
        (("status", "--plan", "one.md"), "one: "),
        (("status", "./two.md"), "two: "),
        (("logs", "A", "--plan", "two.md"), "two.A"),
        (("logs", "A", "--plan", "one.md"), "one.A"),
        (("why", "B", "--plan", "two.md"), "next: nova logs --plan two.md B"),
        (("progress", "two.md"), "B"),
        (("history", "--plan", "two.md"), "two"),
        (("graph", "two.md"), "B"),
        (("trace", "--plan", "two.md"), '"name":"A A"'),
    ],
)
def test_the_plan_can_be_named(folder: Path, words: tuple[str, ...], said: str) -> None:
    """As an option everywhere, as an argument where no task is named."""
    done = nova(*words, cwd=folder)
    assert done.returncode == 0
    assert said in done.stdout.replace('"name": "', '"name":"')


@pytest.mark.parametrize("words", [("status",), ("why", "B"), ("logs", "A")], ids=" ".join)
def test_the_plan_that_runs_is_meant(folder: Path, words: tuple[str, ...]) -> None:
    """One of them has an engine: that one, without a question."""
    two = next(own for own, place in places_in(folder) if place.plan == "two.md")
    lock = RunLock(two.lock_file)
    try:
        done = nova(*words, cwd=folder)
    finally:
        lock.close()
    assert done.returncode == 0
    assert "two" in done.stdout


def test_a_plan_that_has_not_run_is_named_with_those_that_have(folder: Path) -> None:
    """A typing error shows the choices."""
    done = nova("status", "--plan", "thre.md", cwd=folder)
    assert (done.returncode, done.stderr) == (2, "nova: thre.md has not run here\nhint: these have: one.md, two.md\n")


def test_history_and_stats_cover_all_plans(folder: Path) -> None:
    """Both runs are listed; the attempts of both count."""
    assert len(nova("history", cwd=folder).stdout.splitlines()) == 3
    assert nova("stats", "--by", "task", cwd=folder).stdout.splitlines()[-1].split()[1] == "4"


def test_hints_name_the_plan(tmp_path: Path) -> None:
    """What is printed can be typed."""
    folder = two_plans(tmp_path)
    done = nova("run", "--no-ui", "two.md", cwd=folder)
    assert "nova retry --plan two.md B && nova run two.md" in done.stdout
    retried = nova("retry", "B", "--plan", "two.md", cwd=folder)
    assert (retried.returncode, "will run again: B" in retried.stdout) == (0, True)


def test_one_plan_needs_no_choice(tmp_path: Path) -> None:
    """As before there were several: no option, no new folder."""
    (tmp_path / "CASCADE.md").write_text(HEAD.format(name="P") + "| A | A | `true` | - |\n")
    assert nova("run", "--no-ui", cwd=tmp_path).returncode == 0
    assert nova("status", cwd=tmp_path).stdout.startswith("P: 1/1 done")
    assert not Project(tmp_path).plans_dir.exists()


def test_a_project_of_an_older_version_keeps_its_place(tmp_path: Path) -> None:
    """It has no `place.json`: the plan in the state says whose the place is."""
    (tmp_path / "one.md").write_text(HEAD.format(name="P") + "| A | A | `echo A >> ran` | - |\n")
    assert nova("run", "--no-ui", "one.md", cwd=tmp_path).returncode == 0
    (tmp_path / ".nova" / "place.json").unlink()
    (tmp_path / ".nova" / "left").unlink()
    assert nova("run", "--no-ui", "one.md", cwd=tmp_path).returncode == 0
    assert (tmp_path / "ran").read_text() == "A\n"
    assert nova("status", cwd=tmp_path).stdout.startswith("P: 1/1 done")
