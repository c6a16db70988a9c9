"""What a run reports to GitHub."""

from __future__ import annotations

import re
from pathlib import Path

from cli_plans import MIXED, write_plan
from cli_process import nova
from hostile import NAMES


def test_a_run_on_github(tmp_path: Path) -> None:
    """On GitHub a failure is marked at its line of the plan, and no log line is a command to the runner."""
    summary = tmp_path / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = nova("run", cwd=write_plan(tmp_path, MIXED), env=env)
    assert "::error file=CASCADE.md,line=6,title=F2::exit code 3" in done.stderr
    assert "##[" not in done.stdout
    text = summary.read_text()
    assert text.startswith("### Demo\n\n**failed**: 1/3 done, 1 failed, 1 blocked\n")
    assert "| F2 | Bad | exit code 3 | 1 | " in text
    assert "<pre>##[error]oops</pre>" in text
    assert "| F3 | F2 |" in text


def test_the_plan_on_github_is_named_from_the_repository(tmp_path: Path) -> None:
    """A project in a folder of the repository is marked at the path that GitHub uses; elsewhere at its own path."""
    project = tmp_path / "repository" / "sub" / "project"
    project.mkdir(parents=True)
    for workspace, file in ((tmp_path / "repository", "sub/project/CASCADE.md"), (tmp_path / "other", "CASCADE.md")):
        env = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(workspace)}
        done = nova("-C", str(write_plan(project, MIXED)), "run", cwd=tmp_path, env=env)
        assert f"::error file={file},line=6,title=F2::exit code 3" in done.stderr


def test_hostile_texts_on_github(tmp_path: Path) -> None:
    """Whatever a hostile plan and its workers print, the runner accepts only Nova's own annotations as commands."""
    rows = "".join(
        f"| {i} | {name} | `printf '%s\\n' '::error::x' '##[group]x' '  ::set-output name=a::b'; exit 1` | - | |\n"
        for i, (name, _) in NAMES.items()
    )
    summary = tmp_path / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = nova("run", cwd=write_plan(tmp_path, rows), env=env)
    lines = [line.lstrip() for line in (done.stdout + done.stderr).splitlines()]
    marks = [line for line in lines if line.startswith("::") or "##[" in line]
    assert len(marks) == 10
    assert all(re.fullmatch(r"::error file=CASCADE.md,line=\d+,title=F\d+::exit code 1", line) for line in marks)
    assert all(line.isprintable() for line in summary.read_text().splitlines())
