"""Real claude and codex side by side, each in a tree of its own: all is merged, and a conflict is resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agent_lab import AgentLab, require
from iso_kit import git

pytestmark = pytest.mark.agents
TASKS = [f"T{n}" for n in range(1, 9)]
SHARED = "shared.txt"
MARKS = r"/^<<<<<<</d; /^|||||||/,/^=======/d; /^=======/d; /^>>>>>>>/d"


NOVAS = (":!cascade_state.json*", ":!logs")  # Nova's own files in a project


def merged(task: str, root: Path) -> str:
    """A shell command that waits until the run's branch in the repository holds the commit of the task."""
    return f"until git -C {root} log --branches='nova/*' --format=%B | grep -qx 'Nova-Task: {task}'; do sleep 0.2; done"


def scenario(task: str, *commands: str) -> list[dict[str, Any]]:
    """The task's own file by the agent's tool for files, then these commands; in the same session, a resolved conflict.

    Steps are counted in the session: an attempt that does not resume it gets the first step again.
    """
    return [
        {"text": "Writing.", "tools": [{"write": f"{task}.txt", "content": f"by {task}\n"}]},
        *({"text": "Working.", "tools": [{"sh": command}]} for command in commands),
        {"text": "NOVA-FINAL: done."},
        {"text": "Keeping both.", "tools": [{"sh": f"sed -i '{MARKS}' {SHARED}"}]},
        {"text": "NOVA-FINAL: resolved."},
    ]


def project(lab: AgentLab, later: str) -> None:
    """Eight tasks of both agents, of which two change the same line, in a repository with a changed file of the user.

    `later` is the agent of the one that is merged later.
    """
    earlier = {"claude": "codex", "codex": "claude"}[later]
    edit = f"sed -i 's/^3$/3 by {{}}/' {SHARED}"
    begun = f"until grep -qs 'by T2' {lab.root}.nova/*/T2/{SHARED}; do sleep 0.2; done"
    work = {"T1": [edit.format("T1"), begun], "T2": [edit.format("T2"), merged("T1", lab.root)]}
    lab.server.script.scenarios.update({task: scenario(task, *work.get(task, [])) for task in TASKS})
    lab.settings()
    lab.plan(*(f"{task} | @mock:{task} do it | - | {(earlier, later)[n % 2]} | {task}.txt"
               for n, task in enumerate(TASKS)))  # fmt: skip
    (lab.root / SHARED).write_text("".join(f"{n}\n" for n in range(1, 6)))
    (lab.root / "user.txt").write_text("1\n")
    git(lab.root, "add", "-A")
    git(lab.root, "commit", "-q", "-m", "start")
    (lab.root / "user.txt").write_text("2, not committed\n")


def facts(root: Path) -> dict[str, Any]:
    """What of a repository and of the user's files is the same after a run as before."""
    refs = git(root, "for-each-ref", "--format=%(refname)").splitlines()
    return {
        "trees": git(root, "worktree", "list", "--porcelain").splitlines()[::2],
        "refs": [name for name in refs if "/kept/" not in name],
        "status": git(root, "status", "--porcelain", "--", ".", *NOVAS),
        "user's": (root / "user.txt").read_text(),
        "beside": sorted(path.name for path in root.parent.iterdir()),
        "locks": [str(path) for path in (root / ".git").rglob("*.lock")],
    }  # fmt: skip


@pytest.mark.parametrize("later", ["claude", "codex"])
def test_eight_agents_at_once_are_merged(later: str, lab: AgentLab) -> None:
    """One commit for each task, with what it changed; the user's branch moves once, and his changed file stays."""
    require("claude", "codex")
    project(lab, later)
    before, start = facts(lab.root), git(lab.root, "rev-parse", "HEAD")
    done = lab.nova("run", "--no-ui", "-j", "4", "--uncommitted", "ignore")
    assert done.returncode == 0, done.stdout + done.stderr
    assert facts(lab.root) == before
    check_history(lab, start)
    check_resolved(lab, later)


def check_history(lab: AgentLab, start: str) -> None:
    """Each task is once in a history without merges, with its files; the branch has moved once."""
    log = git(lab.root, "log", "--reverse", "--format=%H %P", f"{start}..HEAD").splitlines()
    commits = [line.split() for line in log]
    assert [parents for _, *parents in commits] == [[commit] for commit in (start, *(c for c, *_ in commits[:-1]))]
    made = {
        git(lab.root, "log", "-1", "--format=%(trailers:key=Nova-Task,valueonly)", c).strip(): c for c, *_ in commits
    }
    assert len(commits) == len(TASKS)
    assert sorted(made) == TASKS
    for task, state in lab.tasks().items():
        changed = git(lab.root, "diff-tree", "-r", "--name-only", "--no-commit-id", made[task]).splitlines()
        wanted = [f"{task}.txt", *([SHARED] if task in ("T1", "T2") else [])]
        assert (state["status"], state["commit_sha"]) == ("completed", made[task])
        assert changed == sorted(state["files_changed"]) == wanted
        assert (
            (lab.root / f"{task}.txt").read_text() == git(lab.root, "show", f"HEAD:{task}.txt") + "\n" == f"by {task}\n"
        )
    moves = git(lab.root, "reflog", "show", "--format=%H", git(lab.root, "branch", "--show-current")).splitlines()
    assert moves[:2] == [commits[-1][0], start]


def check_resolved(lab: AgentLab, later: str) -> None:
    """The later one has resolved the conflict in its own session; its prompt names the file and the other task."""
    assert (lab.root / SHARED).read_text().splitlines() == ["1", "2", "3 by T1", "3 by T2", "4", "5"]
    tasks = lab.tasks()
    again = [task for task, state in tasks.items() if state["attempt"] > 1]
    assert "T2" in again
    for task in again:  # one whose tree was being made, or whose provider was busy, has a number and has done nothing
        assert [request["step"] for request in lab.asked(task)] == [*range(len(lab.asked(task)))]
    assert tasks["T2"]["agent"] == later
    prompts = sorted((lab.root / ".nova/prompts").glob("T2..*.md"), key=lambda path: path.stat().st_mtime)
    prompt, steps = prompts[-1].read_text(), [r["step"] for r in lab.asked("T2")]
    assert "Your work conflicts" in prompt
    assert 'meanwhile the same places were changed by T1 ("T1"' in prompt
    assert f"- `{SHARED}`: both changed the same lines; make of them what both want, and remove the marks" in prompt
    assert steps == [0, 1, 2, 3, 4, 5], "its session continues"


@pytest.mark.parametrize("later", ["claude", "codex"])
def test_a_killed_engine_leaves_each_task_once_in_the_history(later: str, lab: AgentLab) -> None:
    """Killed in the middle, with agents at work and some merged: the next engine continues to the same end."""
    require("claude", "codex")
    project(lab, later)
    before, start = facts(lab.root), git(lab.root, "rev-parse", "HEAD")
    engine = lab.start("-j", "4", "--uncommitted", "ignore")
    lab.until(lambda: {state["status"] for state in lab.tasks().values()} >= {"completed", "in_progress"}, "the middle")
    engine.kill()
    engine.wait()
    done = lab.nova("run", "--no-ui", "-j", "4", "--uncommitted", "ignore")
    assert done.returncode == 0, done.stdout + done.stderr
    assert facts(lab.root) == before
    check_history(lab, start)
    check_resolved(lab, later)
