"""`nova demo`: the quickstart, run in a new folder without any user's files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from cli_process import environment, nova

from nova_core.cli.demo import FILES, FOLDER, SCRIPT, can_be_typed, next_steps, source_folder, write_demo
from nova_core.cli.options import DEFAULT_PLAN
from nova_core.errors import EnvironmentProblem, UsageError
from nova_core.state.schema import State, TaskStatus

AT_ONCE = {"DEMO_PACE": "0"}


def state_in(folder: Path) -> State:
    """The state of the run in the folder."""
    return msgspec.json.decode(folder.joinpath("cascade_state.json").read_bytes(), type=State)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below the folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def begun(folder: Path) -> Path:
    """A demo whose copy was interrupted, with a plan that the user has made shorter."""
    (folder / SCRIPT).parent.mkdir(parents=True)
    (folder / SCRIPT).write_bytes((source_folder() / SCRIPT).read_bytes())
    rows = "| A | a | `python3 tools/weather.py readings north` | - |\n| B | b | `command -v nova > found` | A |\n"
    (folder / "milestones.yaml").write_text(
        "milestones: [{id: all, trigger: {type: all_tasks_completed, tasks: [A, B]}}]\n"
    )
    (folder / DEFAULT_PLAN).write_text("| Task ID | Task Name | Command | Depends On |\n|---|---|---|---|\n" + rows)
    return folder


def test_the_demo_runs_and_a_finished_one_starts_over(tmp_path: Path) -> None:
    """The demo ends with what to look at; a second demo is another run, and a changed file keeps its changes.
    Another project's program called nova that comes first on PATH is not run by its workers."""
    other = tmp_path / "bin" / "nova"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    folder = begun(tmp_path / FOLDER)
    done = nova("demo", cwd=tmp_path, env={**AT_ONCE, "PATH": f"{other.parent}:{os.environ['PATH']}"})
    assert (done.returncode, done.stderr.count("nova-demo/out/index.html")) == (0, 1), done.stderr
    assert (folder / "found").read_text().strip() != str(other)
    assert set(FILES) <= contents(folder).keys()
    first = state_in(folder)
    assert {task.status for task in first.tasks.values()} == {TaskStatus.COMPLETED}
    (folder / "README.md").write_text("mine\n")
    assert nova("demo", cwd=tmp_path, env=AT_ONCE).returncode == 0
    second = state_in(folder)
    assert second.run.id != first.run.id
    assert second.project.completed_at is not None
    assert (folder / "README.md").read_text() == "mine\n"


def test_an_interrupted_demo_continues(tmp_path: Path) -> None:
    """`nova-tui demo FOLDER` is the same command; tasks that an earlier run finished do not run again."""
    folder = begun(tmp_path / "almanac")
    assert nova("run", "--only", "A", cwd=folder, env=AT_ONCE).returncode == 0
    first = state_in(folder)
    words = [sys.executable, "-m", "nova_tui", "demo", "almanac"]
    subprocess.run(words, cwd=tmp_path, env=environment(AT_ONCE), check=True, capture_output=True, timeout=60)
    second = state_in(folder)
    assert second.run.id == first.run.id
    assert second.tasks["A"] == first.tasks["A"]
    assert second.project.completed_at is not None


def test_a_folder_with_other_files_is_rejected(tmp_path: Path) -> None:
    """One line and a hint, exit code 2, and nothing is written; the same for a file in the place of the folder."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "CASCADE.md").write_text("my plan\n")
    (tmp_path / "file").write_text("mine\n")
    before = contents(tmp_path)
    for name in ("mine", "file"):
        done = nova("demo", name, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["nova", "hint"]
    assert contents(tmp_path) == before


def test_another_script_does_not_make_a_demo(tmp_path: Path) -> None:
    """The name of the script alone does not identify a demo."""
    script = tmp_path / "mine" / SCRIPT
    script.parent.mkdir(parents=True)
    script.write_text("print('sunny')\n")
    with pytest.raises(UsageError):
        write_demo(tmp_path / "mine")


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """A dangling link is an error with a hint, and stays."""
    link = tmp_path / "demo"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(EnvironmentProblem) as caught:
        write_demo(link)
    assert "FOLDER" in caught.value.hint
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("there", range(len(FILES) + 1))
def test_what_is_missing_is_written(there: int, tmp_path: Path) -> None:
    """However many files an interrupted copy has written, the next one writes the rest."""
    source = contents(source_folder())
    for name in FILES[:there]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(source[name])
    write_demo(tmp_path)
    assert contents(tmp_path) == source
    assert set(source) == set(FILES)


@pytest.mark.parametrize(
    ("folder", "typed", "finished", "shown", "hidden"),
    [
        ("nova-demo", True, True, ["result:", "nova -C nova-demo status"], ["continue:", "install:"]),
        ("nova-demo", True, False, ["continue: nova demo\n"], ["result:"]),
        ("a b", True, False, ["continue: nova demo 'a b'\n", "nova -C 'a b' logs PAGE"], []),
        ("nova-demo", False, True, ["install:  pipx install nova-tui"], []),
        ("nova-demo", False, False, ["continue: uvx nova-tui demo\n"], []),
    ],
)
def test_what_to_do_next(folder: str, typed: bool, finished: bool, shown: list[str], hidden: list[str]) -> None:
    """After the end the result is shown, before it how to continue; and how to install if there is no `nova` to
    type."""
    text = "\n".join(next_steps(folder, typed=typed, finished=finished))
    assert [words for words in shown if words not in text] == []
    assert [words for words in hidden if words in text] == []


@pytest.mark.parametrize(
    ("by_uv", "elsewhere", "found"), [(False, False, True), (True, False, False), (True, True, True)]
)
def test_the_path_of_uv_does_not_count_as_an_installed_nova(
    by_uv: bool, elsewhere: bool, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs of uvx are removed when it ends, so they do not count; every other folder does."""
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "own" / "nova").touch(0o755)
    if elsewhere:
        (tmp_path / "other" / "nova").touch(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "own" / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path}/own:{tmp_path}/other")
    monkeypatch.delenv("UV", raising=False)
    if by_uv:
        monkeypatch.setenv("UV", "/somewhere/uv")
    assert can_be_typed() is found
