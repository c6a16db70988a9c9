"""What a person does with a run's work while no engine runs: land it, resolve a conflict, see it, clean up."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from iso_kit import RUN, Run, git, lines, make_repository, write

from nova_core.cli.app import run_cli
from nova_core.cli.merging import git_of
from nova_core.cli.pull_request import Asked, from_own
from nova_core.engine.startup import local_executor
from nova_core.errors import UsageError
from nova_core.executors.base import Ended, Executor, Job, Started
from nova_core.files.project import Project
from nova_core.state.git_run import GitRun
from nova_core.state.manager import StateManager
from nova_core.state.schema import PastAttempt, ProjectState, Reason, RunState, State, TaskState, TaskStatus

PLAN = (
    "| Task ID | Task Name | Command | Depends On | Outputs |\n|---|---|---|---|---|\n"
    + "".join(f"| {name} | {name} | `true` | - | {'f, out/x' if name == 'B' else ''} |\n" for name in ("A", "B", "C"))
    + "| D | D | `true` | B | |\n\n### B\n- [ ] Run `! grep bad f`\n"
)
PAST = PastAttempt(1, Reason.EXIT_CODE, "exit code 1")
OWN = ".nova/\nlogs/\ncascade_state.json*\nCASCADE.md\n.env\nout/\n*.log\n"


def a_run(tmp_path: Path) -> Run:
    """A project whose run has merged A, could not merge B, which changed the same line, and kept something of C."""
    root = make_repository(tmp_path / "p")
    write(root, _gitignore=OWN, CASCADE_md=PLAN)
    git(root, "commit", "-qam", "ignore")
    run = Run(root)
    for name, text in (("A", "a"), ("B", "b"), ("C", "c\x1b[2J")):
        write(run.tree(name), f=lines(20, l3=text))
    taken = {name: run.take(name) for name in "ABC"}
    run.merged("A", taken["A"])
    git(root, "update-ref", f"refs/nova/{RUN}/kept/C.1", taken["C"].commit or "")
    state_of(run, taken["B"].commit or "")
    run.repository.close()  # its engine has ended
    return run


def state_of(run: Run, stuck: str) -> None:
    """Save the state that an engine would have left."""
    begun = GitRun(
        name=RUN, base=run.start, ref=run.place.branch, branch="refs/heads/main", tip=run.tip, landed=run.start,
        trees=os.path.dirname(run.place.trees),
    )  # fmt: skip
    tasks = {
        "A": TaskState(TaskStatus.COMPLETED, commit_sha=run.tip, merge="merged"),
        "B": TaskState(
            TaskStatus.FAILED, reason=Reason.MERGE_CONFLICT, error="it could not be merged: f", merge="conflict",
            conflict={"f": "contents"}, taken=stuck, base_sha=run.start,
        ),
        "C": TaskState(TaskStatus.FAILED, reason=Reason.EXIT_CODE, kept=(f"refs/nova/{RUN}/kept/C.1",), past=(PAST,)),
        "D": TaskState(blocked_by=("B",)),
    }  # fmt: skip
    state = State(
        project=ProjectState(name="p", cascade_file="CASCADE.md"), tasks=tasks, run=RunState(id=f"{RUN}0000", git=begun)
    )
    StateManager(run.root / "cascade_state.json").publish(state, None)


def saved(root: Path) -> GitRun:
    """What the saved run has in git."""
    found = StateManager(root / "cascade_state.json").load().run.git
    assert found is not None
    return found


def wait_for(executor: Executor, kind: type[Started | Ended]) -> None:
    """Wait until a job is reported as started or ended."""
    end = time.monotonic() + 60
    while not any(isinstance(report, kind) for report in executor.wait(1)):
        assert time.monotonic() < end


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Such a run, in the current directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    found = a_run(tmp_path)
    monkeypatch.chdir(found.root)
    return found


def test_landing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of the user's in the way is named and kept; once it is out of the way, the branch and the files move."""
    (run.root / "f").write_text("mine\n")
    assert run_cli(["land"]) == 4
    assert "files of yours are in the way: f" in capsys.readouterr().err
    assert (run.root / "f").read_text() == "mine\n"
    assert saved(run.root).waits
    git(run.root, "checkout", "f")
    assert run_cli(["land"]) == 0
    assert capsys.readouterr().out == "landed on main\n"
    assert (run.root / "f").read_text() == lines(20, l3="a")
    assert saved(run.root).landed == git(run.root, "rev-parse", "main") == run.tip
    shutil.rmtree(run.place.trees)
    assert run_cli(["land"]) == 0
    assert not (run.root / ".git/nova").exists(), "nothing of the run is left"


def test_landing_what_git_has_pruned(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """If the branch and its commits are gone, the reason is said in one line."""
    assert run_cli(["clean", RUN, "--force"]) == 0
    git(run.root, "reflog", "expire", "--expire=now", "--all")
    git(run.root, "gc", "-q", "--prune=now")
    assert run_cli(["land"]) == 4
    assert f"nova/{RUN} was deleted, and git gc has removed its commits" in capsys.readouterr().err


def test_pull_requests(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Before landing from the run's branch; after it from a new one, never from main; your own as it is."""
    git(run.root, "remote", "add", "origin", "https://github.com/o/p")
    branch = f"nova/{RUN}"

    def said() -> str:
        assert run_cli(["pr"]) == 0
        return capsys.readouterr().out

    text = said()
    assert f"git push --set-upstream origin refs/heads/{branch}:refs/heads/{branch}\n" in text
    assert f"gh pr create --head={branch} --base=main " in text
    assert run_cli(["land"]) == 0
    capsys.readouterr()
    text = said()
    assert "refs/heads/main" not in text
    name = text.partition("refs/heads/")[2].partition("\n")[0]
    assert f"git push origin {run.tip}:refs/heads/{name}\n" in text
    assert name.startswith("nova-")
    assert f"gh pr create --head={name} --base=main " in text
    git(run.root, "update-ref", "refs/remotes/origin/next", "main")
    git(run.root, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/next")
    assert "refs/heads/main" not in said()
    opening = from_own(Asked("gh", "origin", "p"), str(run.root), "feature", run.tip)
    assert opening.push[-1] == "refs/heads/feature:refs/heads/feature"
    assert "--base=next" in opening.open


def test_commits_of_the_users_are_merged_first(run: Run) -> None:
    """A commit on the user's branch in the meantime stays, and what is merged lands on top."""
    write(run.root, g="other\n")
    git(run.root, "commit", "-qam", "own")
    assert run_cli(["land"]) == 0
    assert (run.root / "g").read_text() == "other\n"
    assert (run.root / "f").read_text() == lines(20, l3="a")


def test_a_conflict_is_resolved_by_hand(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Both sides are in one tree; marks that are left are rejected; then it is merged, as one commit of the task's."""
    assert run_cli(["resolve", "B"]) == 0
    said = capsys.readouterr().out
    tree = Path(said.partition("edit in ")[2].partition(":\n")[0])
    assert "  f: contents: both changed the same lines; " in said
    assert "<<<<<<<" in (tree / "f").read_text()
    assert run_cli(["resolve", "B", "--done"]) == 2
    assert "marks of the conflict are left in f" in capsys.readouterr().err
    (tree / "f").write_text(lines(20, l3="a and b"))
    assert run_cli(["resolve", "B"]) == 0, "what was edited stays"
    assert run_cli(["resolve", "B", "--done"]) == 0
    branch = run.place.branch
    assert git(run.root, "show", f"{branch}:f") + "\n" == lines(20, l3="a and b")
    assert "Nova-Task: B" in git(run.root, "log", "-1", "--format=%B", branch)
    assert git(run.root, "rev-parse", f"{branch}^") == run.tip
    assert not tree.exists()
    assert run_cli(["resolve", "A"]) == 2


def test_a_resolution_is_checked_like_any_merge(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Criteria, then the project's own check, run in the tree; a failure names both, and the tree stays for a retry."""
    (run.root / "nova.yaml").write_text("git: {check: '! grep worse f', setup: touch made.log}\n")
    assert run_cli(["resolve", "B"]) == 0
    tree = Path(run.place.tree("B"))
    assert (tree / "made.log").exists(), "it is set up like any tree"
    for bad, said in (("bad", "not met: Run"), ("worse", "not met: ! grep worse f (exit code 1; logs/B.merge.log)")):
        (tree / "f").write_text(lines(20, l3=bad))
        assert run_cli(["resolve", "B", "--done"]) == 2
        error = capsys.readouterr().err
        assert f"B is not merged: {said}" in error
        assert f"edit in {tree}, then: nova resolve B --done" in error
        assert git(run.root, "rev-parse", run.place.branch) == run.tip
    assert (run.root / "logs/B.merge.log").read_text() == "worse\n"
    (tree / "f").unlink()
    assert run_cli(["resolve", "B", "--done"]) == 2
    assert "B is not merged: output `f` does not exist" in capsys.readouterr().err
    (tree / "f").write_text(lines(20, l3="good"))
    assert run_cli(["resolve", "B", "--done"]) == 0


def test_what_was_begun_for_an_earlier_conflict_does_not_count(run: Run) -> None:
    """After a retry, the task has other work: that is put into the tree."""
    assert run_cli(["resolve", "B"]) == 0
    write(run.tree("B"), f=lines(20, l3="again"))
    git(run.root, "update-ref", run.place.branch, run.start)
    again = run.take("B", run.start)
    git(run.root, "update-ref", run.place.branch, run.tip)
    (run.root / "cascade_state.json").unlink()
    state_of(run, again.commit or "")
    assert run_cli(["resolve", "B"]) == 0
    said = Path(run.place.tree("B"), "f").read_text()
    assert "<<<<<<<" in said
    assert "again" in said


def test_a_resolved_task_is_done(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Its state says so at once, `nova land` lands it, and its output that git ignores is in the user's folder."""
    write(run.place.tree("B"), out__x="made")
    run_cli(["resolve", "B"])
    Path(run.place.tree("B"), "f").write_text(lines(20, l3="good"))
    assert run_cli(["resolve", "B", "--done"]) == 0
    refs = git(run.root, "for-each-ref", "--format=%(refname)", f"refs/nova/{RUN}").splitlines()
    assert run.place.ref("B") not in refs, "what is merged needs no ref"
    assert all("/kept/B." in ref for ref in refs if "B" in ref)
    task = StateManager(run.root / "cascade_state.json").load().tasks["B"]
    assert (task.status, task.merge, task.conflict) == (TaskStatus.COMPLETED, "merged", {})
    assert task.commit_sha == saved(run.root).tip == git(run.root, "rev-parse", run.place.branch)
    capsys.readouterr()
    assert run_cli(["why", "B"]) == 0
    assert "conflict" not in capsys.readouterr().out
    assert run_cli(["land"]) == 0
    assert (run.root / "f").read_text() == lines(20, l3="good")
    assert (run.root / "out/x").read_text() == "made"


def test_what_tasks_changed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A merged task, one in conflict and one that failed: each has its difference, and no escape sequence passes."""
    for name, text in (("A", "+a"), ("B", "+b"), ("C", "+c")):
        assert run_cli(["diff", name]) == 0
        assert f"\n{text}\n" in capsys.readouterr().out
    assert run_cli(["diff", "C", "--raw"]) == 0
    assert "+c\x1b[2J\n" in capsys.readouterr().out
    assert run_cli(["diff", "A", "--stat"]) == 0
    assert capsys.readouterr().out == "f  +1 -1\n"


def test_cleaning_up(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Kept work stays until --force is said, and a branch that has not landed until its run is named, too."""
    assert run_cli(["clean"]) == 0
    said = capsys.readouterr()
    assert f"run {RUN} of CASCADE.md\n" in said.out
    assert f"  branch nova/{RUN}: not in your branch\n" in said.out
    assert f"  refs/nova/{RUN}/kept/C.1: " in said.out
    assert f"  kept: nova/{RUN}, 3 trees, 4 refs\n" in said.out
    assert "nova land" in said.err
    assert "--force" in said.err
    assert run_cli(["clean", "--force"]) == 0
    said = capsys.readouterr()
    assert f"  removed: 3 trees, 4 refs\n  kept: nova/{RUN}\n" in said.out
    assert f"nova land, or nova clean {RUN} --force" in said.err
    assert git(run.root, "rev-parse", run.place.branch) == run.tip
    assert run_cli(["clean", "f0f0f0f0", "--force"]) == 2
    assert run_cli(["clean", RUN, "--force"]) == 0
    assert "  removed\n" in capsys.readouterr().out
    assert git(run.root, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert run_cli(["clean"]) == 0
    assert capsys.readouterr().out == "nothing is left of any run\n"


def test_trees_are_found_where_they_were_made(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the settings say now, as in a copy that shares them with its original; a copy leaves those of that."""
    (run.root / "nova.yaml").write_text(f"git: {{trees: {run.root.parent}/elsewhere}}\n")
    assert run_cli(["clean"]) == 0
    assert f"  tree {run.place.tree('B')}: " in capsys.readouterr().out
    shutil.rmtree(f"{run.place.tree('A')}/.git")
    write(run.root.parent, elsewhere__x="")
    assert run_cli(["clean", "--force"]) == 0
    assert not Path(run.place.trees).exists()


def test_a_branch_that_has_landed_needs_no_force(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """It is removed, and what was kept of failed attempts stays."""
    assert run_cli(["clean", "--force"]) == 0
    git(run.root, "update-ref", f"refs/nova/{RUN}/kept/C.1", run.tip)
    assert run_cli(["land"]) == 0
    git(run.root, "update-ref", run.place.branch, run.tip)  # as if a person had made it again
    capsys.readouterr()
    assert run_cli(["clean"]) == 0
    assert f"  removed: nova/{RUN}\n  kept: 1 ref\n" in capsys.readouterr().out


def test_trees_at_work_are_never_removed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """After the end of its engine a worker still runs: nothing is removed, even if the run is named."""
    project = Project(run.root)
    project.make_dirs()
    executor = local_executor(project, RUN, dict(os.environ))
    executor.submit(Job("A@1", ("sleep", "100"), log="A.log"))
    wait_for(executor, Started)
    executor.close()  # its engine has ended
    try:
        assert run_cli(["clean", RUN, "--force"]) == 0
        said = capsys.readouterr().out
        assert "kept: worker of A still running (take over with nova run, or end with nova cancel A)" in said
        assert Path(run.place.tree("A")).is_dir()
        assert git(run.root, "rev-parse", run.place.branch) == run.tip
    finally:
        executor = local_executor(project, RUN, dict(os.environ))
        executor.recover()
        executor.cancel("A@1", 0.0)
        wait_for(executor, Ended)
        executor.release(["A@1"])
        executor.close()


def test_trees_with_strangers_in_them_are_never_removed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Any process that works there, such as a worker of another folder's run, keeps them."""
    with subprocess.Popen(["cat"], cwd=run.place.tree("B"), stdin=subprocess.PIPE) as process:
        assert run_cli(["clean", RUN, "--force"]) == 0
        assert process.stdin
        process.stdin.close()
    assert f"kept: process {process.pid} still runs in its trees" in capsys.readouterr().out
    assert Path(run.place.tree("B")).is_dir()


def test_work_that_is_not_taken_yet_stays(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker that ended while no engine was running: its tree is its work, which the next run takes."""
    manager = StateManager(run.root / "cascade_state.json")
    state = manager.adopt()
    state.tasks["C"] = TaskState(TaskStatus.IN_PROGRESS, attempt=1, tree=run.place.tree("C"))
    assert manager.publish(state, None)
    assert run_cli(["clean", "--force"]) == 0
    said = "kept: the work of C is in its tree and not taken yet (continue with nova run)"
    assert said in capsys.readouterr().out
    state.tasks["C"] = TaskState(TaskStatus.IN_PROGRESS, attempt=1, tree=run.place.tree("C"), approval="waiting")
    assert manager.publish(state, None)
    assert run_cli(["clean", RUN, "--force"]) == 0  # finished work stays even if the run is named
    assert "kept: the work of C is done, and waits in its tree (decide first: nova approve" in capsys.readouterr().out
    assert Path(run.place.tree("C")).is_dir()


def test_a_conflict_is_explained(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """`nova why` has the file, the ref and the commands; `nova status` says what is merged, and that it has to land."""
    assert run_cli(["why", "B"]) == 0
    said = capsys.readouterr().out
    for text in ("conflict: it could not be merged: f", "  f: contents", f"refs/nova/{RUN}/B", "next: nova resolve B"):
        assert text in said
    assert run_cli(["why", "D"]) == 0
    assert "next: nova resolve B" in capsys.readouterr().out
    assert run_cli(["status"]) == 0
    said = capsys.readouterr().out
    assert f"1 merged into nova/{RUN}, 1 conflict (B)" in said
    assert "not yet in main" in said


def test_a_prompt_after_a_failure_in_a_tree(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A new session begins in a fresh tree, and its prompt says so."""
    assert run_cli(["prompt", "C"]) == 0
    said = capsys.readouterr().out
    assert "What they changed is not here" in said
    assert "still there" not in said


def test_a_run_without_trees_has_nothing_to_land() -> None:
    """The commands say so, and what to set."""
    with pytest.raises(UsageError, match="work in your folder"):
        git_of(None)
