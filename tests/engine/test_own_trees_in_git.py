"""Runs with trees in real repositories, by real commands and agents."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pytest
from engines import tasks_of
from tree_campaign import SAFE, git

from nova_core.cli.app import run_cli
from nova_core.config import AgentConfig, Config
from nova_core.config.git import GitConfig
from nova_core.engine.startup import RunOptions
from nova_core.isolation import carry, look
from nova_core.isolation.survey import survey
from nova_core.orchestrator import Orchestrator
from nova_core.state.schema import Reason

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
HEAD = "| Task ID | Task Name | Depends On | Command | Agent | Outputs |\n|---|---|---|---|---|---|\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a file and ignored folders."""
    for name, text in SAFE.items():
        monkeypatch.setenv(name, text)
    folder = tmp_path / "project"
    folder.mkdir()
    folder.joinpath("f").write_text("1\n2\n3\n")
    folder.joinpath(".gitignore").write_text("out/\n.env\nlogs/\ncascade_state.json*\n")
    folder.joinpath(".env").write_text("KEY=1\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "u")
    git(folder, "config", "user.email", "u@e")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "base")
    if problem := survey(folder).problem:
        pytest.skip(problem)
    return folder


def run(folder: Path, *rows: str, agents: dict[str, AgentConfig] | None = None, **settings: object) -> int:
    """The exit code of a run of these rows."""
    folder.joinpath("CASCADE.md").write_text("# Plan\n\n" + HEAD + "".join(f"| {row} |\n" for row in rows))
    config = Config(isolation="auto" if agents else "tree", agents=agents or {}, git=GitConfig(**settings))  # type: ignore[arg-type]
    state = folder / "cascade_state.json"
    return Orchestrator(folder / "CASCADE.md", state, 3, config=config).run().exit_code


def test_an_agent_resolves_a_conflict(project: Path) -> None:
    """It finds git's marks in its own tree, and what it makes of them is merged, in a line with the others.

    Outputs that it made before the conflict are its own.
    """
    script = project.parent / "agent"
    script.write_text(
        '#!/bin/sh\necho "STEP working"\n'
        "if grep -q '<<<<<<<' f; then git diff --quiet && exit 1; printf 'AB\\n2\\n3\\n' > f\n"
        'else sed -i "1s/.*/$NOVA_TASK_ID/" f; echo x > out-$NOVA_TASK_ID; git commit -qam mine; fi\n'
    )
    script.chmod(0o755)
    agents = {"a": AgentConfig(command=(str(script), "{prompt}"), line="^STEP (?P<step>.*)")}
    rows = ("A | one | - | | a | out-A", "B | two | - | | a | out-B", "C | three | A, B | | a |")
    assert run(project, *rows, agents=agents) == 0
    tasks = tasks_of(project)
    assert sorted(tasks[i].attempt for i in "AB") == [1, 2]
    history = git(project, "log", "--format=%H %s").splitlines()
    assert [line.split(" ", 1)[1] for line in history[:1] + history[3:]] == ["C: three", "base"]
    assert {tasks[i].commit_sha for i in "ABC"} == {line.split()[0] for line in history[:3]}
    assert git(project, "show", "HEAD~1:f") == "AB\n2\n3\n"
    assert git(project, "status", "--porcelain") == "?? CASCADE.md\n"
    assert sorted(os.listdir(project.parent)) == ["agent", "project"]


def test_what_git_ignores(project: Path) -> None:
    """Trees get `.env`; outputs that git ignores get to the project and to the trees of dependents."""
    rows = (
        "A | one | - | `cp .env a; mkdir out; echo x > out/x` | | out/x",
        "B | two | A | `cat out/x > b; test $PWD = $NOVA_PROJECT_ROOT; test $(pwd) != " + str(project) + "` | |",
        "C | three | - | `true` | | f",
    )
    assert run(project, *rows, setup="echo $NOVA_SLOT > out.setup; rm out.setup") == 1
    tasks = tasks_of(project)
    assert project.joinpath("a").read_text() == "KEY=1\n"
    assert project.joinpath("out/x").read_text() == project.joinpath("b").read_text() == "x\n"
    assert tasks["A"].files_changed == ("a",)
    assert tasks["C"].reason is Reason.MISSING_OUTPUTS  # it is older than the checkout
    assert git(project, "status", "--porcelain") == "?? CASCADE.md\n"
    assert git(project, "worktree", "list").count("\n") == 1


def test_outputs_that_do_not_get_into_the_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the user's stays, the task's is kept; an error leaves the tree to the next run. It is done anyway."""
    out = project / "out"
    out.mkdir()
    out.joinpath("x").write_text("mine")
    carry_out = carry.carry_out

    def broken(*given: object) -> None:
        raise OSError(13, "Permission denied", "out")

    monkeypatch.setattr(carry, "carry_out", broken)
    row = "A | one | - | `mkdir out; echo 1 > out/x; echo 1 > out/y; echo a > a` | | out"
    assert run(project, row) == 0
    assert tasks_of(project)["A"].tree is not None
    assert os.listdir(out) == ["x"]
    monkeypatch.setattr(carry, "carry_out", carry_out)
    assert run(project, row) == 0
    task = tasks_of(project)["A"]
    assert (task.attempt, task.tree, len(task.kept)) == (1, None, 1)
    assert [out.joinpath(name).read_text() for name in "xy"] == ["mine", "1\n"]
    assert git(project, "show", f"{task.kept[0]}:out/x") == "1\n"
    assert sorted(os.listdir(project.parent)) == ["project"]


def test_ticks_in_a_plan_that_a_task_changes(project: Path) -> None:
    """Case 47: the plan is in the way; once the ticks are committed both are merged, and no line is lost."""
    plan = project / "tasks.md"
    plan.write_text("# Plan\n\n- [ ] 1.1 Make x\n\ntext\n\n- [ ] 1.2 Make y\n\nnotes\n")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "plan")
    line = "echo x > f.$NOVA_TASK_ID; test $NOVA_TASK_ID = 1.2 || sed -i 's/^notes/more &/' tasks.md"
    config = Config(isolation="tree", tick=True, command=line)
    for code, was in ((4, "- [x] 1.2 Make y\n\nnotes\n"), (0, "- [x] 1.2 Make y\n\nmore notes\n")):
        assert Orchestrator(plan, project / "cascade_state.json", 1, config=config).run().exit_code == code
        assert plan.read_text() == f"# Plan\n\n- [x] 1.1 Make x\n\ntext\n\n{was}"
        git(project, "commit", "-qa", "--allow-empty", "-m", "ticks")
    assert project.joinpath("f.1.2").read_text() == "x\n"
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_copy_leaves_the_trees_of_the_original_alone(project: Path, is_shared: bool) -> None:
    """What waits there for approval is done again in the copy, in a tree of its own, also in a folder that both use."""

    def tree() -> Path:
        plan, state = folder / "CASCADE.md", folder / "cascade_state.json"
        git = GitConfig(uncommitted="ignore", trees=str(project.with_name("all")) if is_shared else None)
        done = Orchestrator(plan, state, 1, config=Config(isolation="tree", git=git)).run()
        assert done.waiting_approval == 1
        return Path(tasks_of(folder)["A"].tree or "")

    folder = project
    table = (
        "| ID | Name | Depends On | Command | Approval |\n|---|---|---|---|---|\n| A | one | - | echo a > a | after |\n"
    )
    folder.joinpath("CASCADE.md").write_text(table)
    original = tree()
    folder = project.with_name("copy")
    shutil.copytree(project, folder, symlinks=True)
    own = project.with_name("all") / f"{folder.stat().st_ino:x}" if is_shared else project.with_name("copy.nova")
    assert tree() == own / original.relative_to(original.parents[1])
    assert original.joinpath("a").is_file()
    assert tasks_of(project)["A"].tree == str(original)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another file system than the repositories of tests."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shared.stat().st_dev == Path(gettempdir()).stat().st_dev:
        pytest.skip("there is no other file system to write to")
    with TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


def test_trees_on_another_file_system(project: Path, elsewhere: Path) -> None:
    """Case 52: changes, repositories inside, outputs that git ignores and failed work come back from there."""
    rows = (
        "A | one | - | mkdir out n; git init -q n; echo 1 > n/x; echo o > out/o; sed -i s/2/A/ f | | out/o",
        "B | two | A | cat out/o > b; exit 1 | | ",
        "C | three | A | test -s out/o; rm -rf .git; mv f g | | ",
    )
    assert run(project, *rows, trees=str(elsewhere), uncommitted="ignore") == 1
    tasks = tasks_of(project)
    assert [tasks[i].files_changed for i in "AC"] == [("f", "n/x"), ("f", "g")]
    assert (project / "g").read_text() == "1\nA\n3\n"
    assert (project / "out/o").read_text() == "o\n"
    assert git(project, "show", f"{tasks['B'].kept[0]}:b") == "o\n"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("gone", ["tree", "all trees"])
def test_trees_that_are_deleted_under_the_run(project: Path, gone: str) -> None:
    """Case 52: the task fails with one line, nothing is merged of it, and it can run again."""
    where = '"$(dirname "$PWD")"' if gone == "all trees" else '"$PWD"'
    rows = (
        f"A | one | - | touch a; test -e {project}/again \\|\\| rm -rf {where} | | ",
        "B | two | A | touch b | | ",
    )
    assert run(project, *rows, uncommitted="ignore") == 1
    state = tasks_of(project)["A"]
    assert (state.reason, state.error) == (Reason.NOT_TAKEN, "what is in its tree cannot be taken: its folder is gone")
    assert git(project, "log", "--format=%s").split() == ["base"]
    (project / "again").touch()
    assert run_cli(["retry", "A", "-C", str(project)]) == 0
    assert run(project, *rows, uncommitted="ignore") == 0
    assert git(project, "log", "--format=%s").splitlines()[::-1] == ["base", "A: one", "B: two"]
    assert not project.with_name("project.nova").exists()


def test_a_fresh_start_leaves_what_was_kept(project: Path) -> None:
    """Case 55: work of failed attempts and a conflict of the run before stay, and are listed by run, until `clean`."""
    rows = (
        "A | one | - | sed -i s/2/A/ f | | ", "B | two | - | sed -i s/2/B/ f; sleep 0.5 | | ",
        "C | three | - | touch c; exit 1 | | ",
    )  # fmt: skip
    assert run(project, *rows, conflicts="stop") == 1
    (before,) = look.leftovers(survey(project))
    state, again = tasks_of(project), Config(isolation="tree", git=GitConfig(uncommitted="ignore"))
    kept, stuck = state["C"].kept[0], next(i for i in "AB" if state[i].reason is Reason.MERGE_CONFLICT)
    project.joinpath("CASCADE.md").write_text("# Plan\n\n" + HEAD + "| D | four | - | touch d | | |\n")
    fresh = RunOptions(fresh=True)
    plan, file = project / "CASCADE.md", project / "cascade_state.json"
    assert Orchestrator(plan, file, 3, config=again, options=fresh).run().exit_code == 0
    (after,) = look.leftovers(survey(project))
    assert (after.run, after.trees, after.refs) == (before.run, before.trees, before.refs)
    assert {one.ref for one in after.refs} >= {kept, f"refs/nova/{before.run}/{stuck}"}
    assert after.trees == (stuck,)
