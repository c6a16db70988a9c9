"""`nova draft`: an agent writes a plan, Nova checks it, a person decides."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cli_process import nova

from nova_core.cli.app import run_cli

HEAD = "| Task ID | Task Name | What Changes | Depends On | Outputs |\n|---|---|---|---|---|\n"
DRAFTS = (
    f"{HEAD}| A | a | x | Z9 | a.txt |\n",
    f"{HEAD}| A | a | x | - | - |\n",
    f"{HEAD}| A | a | x | - | a.txt |\n| B | b | x | A | b.txt |\n",
)
STUB = """\
#!/bin/sh
n=$(($(cat round 2>/dev/null || echo 0) + 1))
echo $n > round
cp "$1" prompt.$n
cp draft.$n .nova/draft/CASCADE.md
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a stub that writes a broken plan twice, then a good one."""
    stub = tmp_path / "stub.sh"
    stub.write_text(STUB)
    stub.chmod(0o755)
    for number, text in enumerate(DRAFTS, 1):
        (tmp_path / f"draft.{number}").write_text(text)
    settings = {
        "agent": "stub", "retry_delay": 0, "hooks": {"finished": "touch hooked"},
        "agents": {"stub": {"command": ["./stub.sh", "{prompt_file}"]}},
    }  # fmt: skip
    (tmp_path / "nova.yaml").write_text(json.dumps(settings))
    (tmp_path / "milestones.yaml").write_text(
        "milestones:\n  - {id: m, name: M, trigger: {type: all_tasks_completed, tasks: [A]}, message: x}\n"
    )
    return tmp_path


def test_problems_go_back_to_the_agent_and_a_person_decides(project: Path) -> None:
    """The third round is good: its graph is shown, no task of it has run, and nothing was written yet."""
    done = nova("draft", "a shop with a till", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 tasks" in done.stdout
    assert "B  b  <- A" in done.stdout
    assert "cp .nova/draft/CASCADE.md CASCADE.md" in done.stderr
    assert "a shop with a till" in (project / "prompt.1").read_text()
    assert "'Z9'" in (project / "prompt.2").read_text()
    assert "A has neither Outputs nor a criterion" in (project / "prompt.3").read_text()
    assert (project / ".nova/draft/CASCADE.md").read_text() == DRAFTS[2]
    written = ("CASCADE.md", "cascade_state.json", "logs", "hooked", "a.txt")
    assert not [name for name in written if (project / name).exists()]


def test_a_task_is_split_into_smaller_ones(project: Path) -> None:
    """A draft that leaves the task as it is goes back; in the good one what depended on it depends on its parts."""
    whole = f"{HEAD}| A | a | x | - | a.txt |\n| B | b | x | A | b.txt |\n"
    (project / "CASCADE.md").write_text(whole)
    (project / "draft.1").write_text(whole)
    (project / "draft.2").write_text(
        f"{HEAD}| A1 | a | x | - | a.txt |\n| A2 | a | x | - | c.txt |\n| B | b | x | A1, A2 | b.txt |\n"
    )
    done = nova("draft", "--split", "A", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "round").read_text() == "2\n"
    assert "B   b  <- A1, A2" in done.stdout
    assert (project / "CASCADE.md").read_text() == whole


def test_a_draft_needs_no_clean_repository(project: Path) -> None:
    """The agent sees the project's folder as it is, files included that are not committed, and nothing is merged."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q", "."), (*who, "commit", "-q", "--allow-empty", "-m", "base")):
        subprocess.run(["git", *words], cwd=project, check=True)
    done = nova("draft", "a shop with a till", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "round").read_text() == "3\n"
    assert not list((project / ".git/refs/heads").glob("nova/*"))


def test_three_rounds_are_the_most(project: Path) -> None:
    """An agent that never gets it right ends the command with the exit code of a failed task."""
    (project / "draft.3").write_text(DRAFTS[0])
    (project / "draft.4").write_text(DRAFTS[2])
    done = nova("draft", "a shop", cwd=project)
    assert done.returncode == 1
    assert (project / "round").read_text() == "3\n"
    assert "no plan was written" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "nothing to plan"),
     (["x" * 50_001], "longer than"),
     (["a shop", "-o", "there.md"], "there.md already exists"),
     (["a shop", "-o", "a`b.md"], "cannot be in a plan"),
     (["a shop", "--agent", "nobody"], "there is no agent nobody"),
     (["--split", "Q", "-o", "there.md"], "has no task Q"),
     (["--split", "D", "-o", "there.md"], "D is done"),
     (["--split", "1.1", "-o", "tasks.md"], "only plans that are tables can be split")],
)  # fmt: skip
def test_mistakes_cost_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """They are one line with a hint, before an agent is asked."""
    monkeypatch.chdir(project)
    Path("there.md").write_text(
        "| Task ID | Task Name | What Changes | Depends On | Status |\n|---|---|---|---|---|\n| D | d | x | - | x |\n"
    )
    Path("tasks.md").write_text("- [ ] 1.1 a\n")
    assert run_cli(["draft", *words]) == 2
    assert said in capsys.readouterr().err
    assert not Path("round").exists()
