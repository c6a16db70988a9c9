"""`nova init`, `config`, `check`, `graph` and `doctor`: the steps before a run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_process import nova

from nova_core import __version__
from nova_core.cli import doctor
from nova_core.cli.checks import Level


def test_init_gives_a_plan_that_is_valid(tmp_path: Path) -> None:
    """The files that are written can be used unchanged."""
    done = nova("init", "--name", "My demo", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["wrote CASCADE.md", "wrote nova.yaml", "wrote milestones.yaml"]
    checked = nova("check", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("My demo: 3 tasks")
    assert nova("config", cwd=tmp_path).returncode == 0


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_init_lets_git_ignore_what_runs_write(tmp_path: Path) -> None:
    """For this clone only, once, and not what git ignores already; the lines are printed."""
    subprocess.run(["git", "init", "-q", "--template=", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("logs/\n")
    folder = tmp_path / "sub"
    folder.mkdir()
    assert nova("init", cwd=folder).stdout.endswith("added to .git/info/exclude: /sub/cascade_state.json*\n")
    assert "added" not in nova("init", cwd=folder).stdout
    assert (tmp_path / ".git/info/exclude").read_text() == "/sub/cascade_state.json*\n"


def test_init_never_overwrites(tmp_path: Path) -> None:
    """Existing files stay, even a dangling link; the others are written."""
    (tmp_path / "CASCADE.md").write_text("mine")
    (tmp_path / "nova.yaml").symlink_to(tmp_path / "elsewhere")
    done = nova("init", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "CASCADE.md").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()
    assert done.stdout == "wrote milestones.yaml\n"


def test_settings_in_the_template_are_all_known(tmp_path: Path) -> None:
    """Every commented setting of the template is valid once it is uncommented."""
    nova("init", cwd=tmp_path)
    path = tmp_path / "nova.yaml"
    lines = path.read_text().splitlines()[1:]
    path.write_text("\n".join(line.removeprefix("# ").removeprefix("#") for line in lines))
    done = nova("config", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["jobs"]["from"] == "nova.yaml:2"
    assert rows["agents.claude"]["value"]["permissions"] == "shell"
    assert rows["agents.claude"]["value"]["command"] == []
    assert rows["limits.groups"]["value"] == {"First steps": 1}


def test_config_shows_where_a_value_is_from(tmp_path: Path) -> None:
    """Each setting is shown with its value and its origin: default, file and line, or variable."""
    (tmp_path / "nova.yaml").write_text("retries: 2\n")
    lines = nova("config", cwd=tmp_path, env={"NOVA_JOBS": "8"}).stdout.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["retries"] == ["2", "nova.yaml:1"]
    assert rows["jobs"] == ["8", "NOVA_JOBS"]
    assert rows["fail_fast"] == ["false", "default"]


def test_config_with_a_mistake(tmp_path: Path) -> None:
    """A wrong setting is reported with its line, exit code 3."""
    (tmp_path / "nova.yaml").write_text("jbos: 3\n")
    done = nova("config", cwd=tmp_path)
    assert done.returncode == 3
    assert "nova.yaml:1: " in done.stderr
    assert "hint: " in done.stderr


BAD = "# P\n\n| Task ID | Task Name | Depends On |\n| --- | --- | --- |\n| F1 | a | F9 |\n| F1 | b | - |\n"


def test_check_reports_every_problem(tmp_path: Path) -> None:
    """All problems of a plan are reported at once, each with its line."""
    (tmp_path / "CASCADE.md").write_text(BAD)
    done = nova("check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "CASCADE.md:5: " in done.stderr
    assert "CASCADE.md:6: " in done.stderr


def test_check_as_json(tmp_path: Path) -> None:
    """`--json` says the same as data, for good plans and bad ones."""
    (tmp_path / "CASCADE.md").write_text(BAD)
    done = nova("check", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (done.returncode, found["valid"]) == (3, False)
    assert {problem["line"] for problem in found["problems"]} == {5, 6}
    (tmp_path / "CASCADE.md").write_text(BAD.replace("F9", "-").replace("F1 | b", "F2 | b"))
    found = json.loads(nova("check", "--json", cwd=tmp_path).stdout)
    assert (found["valid"], found["summary"]["tasks"]) == (True, 2)


GOOD = BAD.replace("F9", "-").replace("F1 | b", "F2 | b")
UNKNOWN = "milestones:\n  - id: m\n    trigger: {type: task_complete, target: F9}\n"


def test_check_reports_what_a_run_would_reject(tmp_path: Path) -> None:
    """Invalid settings and milestones are reported with their lines, and the plan is shown nevertheless."""
    (tmp_path / "CASCADE.md").write_text(GOOD)
    (tmp_path / "nova.yaml").write_text("budget: 1\njobs: many\ncolour: red\n")
    (tmp_path / "milestones.yaml").write_text(UNKNOWN)
    done, run = (nova(*arguments, cwd=tmp_path) for arguments in (["check"], ["run"]))
    assert (done.returncode, run.returncode) == (3, 3)
    assert all(place in done.stderr for place in ("nova.yaml:2: ", "nova.yaml:3: ", "milestones.yaml:3: "))
    assert "2 tasks" in done.stdout
    found = json.loads(nova("check", "--json", cwd=tmp_path).stdout)
    assert (found["valid"], found["summary"]["tasks"]) == (False, 2)
    assert {p["path"] for p in found["problems"]} == {"nova.yaml", "milestones.yaml"}


def test_check_reports_problems_of_plan_and_settings_at_once(tmp_path: Path) -> None:
    """An invalid plan does not hide invalid settings."""
    (tmp_path / "CASCADE.md").write_text(BAD)
    (tmp_path / "nova.yaml").write_text("jobs: many\n")
    done = nova("check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert all(place in done.stderr for place in ("CASCADE.md:5: ", "nova.yaml:1: "))


def test_check_warns_of_tasks_without_a_command_or_agent(tmp_path: Path) -> None:
    """A plan without a command or an agent is valid; a note says that a run would exit with 8, in the text of that
    error."""
    (tmp_path / "CASCADE.md").write_text(GOOD)
    done, run = (nova(*arguments, cwd=tmp_path) for arguments in (["check"], ["run"]))
    said = "task F1 has nothing to run it: no command and no agent is configured"
    assert (done.returncode, run.returncode) == (0, 8)
    assert f"CASCADE.md:5: warning: {said}" in done.stderr
    assert f"CASCADE.md:5: {said}" in run.stderr
    (tmp_path / "nova.yaml").write_text("command: make\n")
    assert nova("check", cwd=tmp_path).stderr == ""


@pytest.mark.parametrize("arguments", [["check"], ["graph"], ["run"]])
def test_a_plan_that_is_not_there(arguments: list[str], tmp_path: Path) -> None:
    """A missing plan is reported, exit code 3."""
    done = nova(*arguments, cwd=tmp_path)
    assert done.returncode == 3
    assert "CASCADE.md" in done.stderr
    assert "nova init" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["ascii", "mermaid", "dot", "json"])
def test_graph_in_every_form(form: str, tmp_path: Path) -> None:
    """Every form of the graph names every task."""
    nova("init", cwd=tmp_path)
    done = nova("graph", "-f", form, cwd=tmp_path)
    assert done.returncode == 0
    assert all(task in done.stdout for task in ("F1", "F2", "F3"))


def test_doctor_finds_what_is_missing(tmp_path: Path) -> None:
    """An agent that is not on PATH is a problem, exit code 8; the folder of a login that is not there is shown."""
    logins = "claude: {command: [no-such-program-here], accounts: {work: logins/work, key: {env: {KEY: x}}}}"
    (tmp_path / "nova.yaml").write_text(f"agents:\n  ghost:\n    command: [no-such-program-here]\n  {logins}\n")
    done = nova("doctor", "--json", cwd=tmp_path)
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 8
    assert findings["agent ghost"]["level"] == "problem"
    assert findings["project directory"]["level"] == "ok"
    assert [findings[f"account claude/{name}"]["level"] for name in ("work", "key")] == ["warning", "ok"]
    assert "logins/work does not exist" in findings["account claude/work"]["detail"]
    assert not list(tmp_path.glob(".nova-doctor-*"))


def test_doctor_on_a_good_day(tmp_path: Path) -> None:
    """With a working agent there is no problem, and its version is shown."""
    agent = tmp_path / "agent"
    agent.write_text("#!/bin/sh\necho agent 1.2.3\n")
    agent.chmod(0o755)
    (tmp_path / "nova.yaml").write_text(f"agents:\n  mine:\n    command: [{agent}]\n")
    done = nova("doctor", cwd=tmp_path)
    assert done.returncode == 0
    assert "agent 1.2.3" in done.stdout


@pytest.mark.parametrize(
    ("said", "level"), [(f"nova {__version__}", "ok"), ("nova 0.0.1", "warning"), ("18.13.1", "warning")]
)
def test_doctor_notices_another_nova(said: str, level: str, tmp_path: Path) -> None:
    """The first `nova` on PATH is shown, with what to do if it is another project's or another version."""
    program = tmp_path / "bin" / "nova"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho {said}\n")
    program.chmod(0o755)
    done = nova("doctor", "--json", cwd=tmp_path, env={"PATH": f"{program.parent}:{os.environ['PATH']}"})
    found = next(finding for finding in json.loads(done.stdout) if finding["what"] == "command")
    assert (found["level"], str(program) in found["detail"]) == (level, True)
    assert ("put " in found["detail"]) == (level == "warning")
    assert done.returncode == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_doctor_in_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """A project directory without permission is a problem."""
    tmp_path.chmod(0o500)
    assert nova("doctor", cwd=tmp_path).returncode == 8


@pytest.mark.parametrize(
    ("variable", "what"), [("SSH_CONNECTION", "terminal"), ("TMUX", "terminal"), ("INVOCATION_ID", "systemd")]
)
def test_doctor_knows_its_surroundings(monkeypatch: pytest.MonkeyPatch, variable: str, what: str) -> None:
    """What may end the engine early, such as an SSH session, is noted."""
    for name in ("SSH_CONNECTION", "TMUX", "STY", "INVOCATION_ID"):
        monkeypatch.delenv(name, raising=False)
    assert list(doctor.surroundings()) == []
    monkeypatch.setenv(variable, "1")
    assert [(finding.level, finding.what) for finding in doctor.surroundings()] == [(Level.NOTE, what)]
